//! Services, ConfigMaps, Secrets, budgets, claims and the like.

use jiff::Timestamp;
use serde_json::Value;

use super::common::{annotations, labels, or};
use super::events::events;
use super::writer::Writer;
use crate::print::cells::access_modes;
use crate::selector::format_selector;
use crate::value::{filled, has, int, list, map, opt_int, scalar, sorted, text, truth};

fn head(w: &mut Writer, object: &Value) {
    w.line(0, format!("Name:\t{}", text(object, "/metadata/name")));
    w.line(0, format!("Namespace:\t{}", text(object, "/metadata/namespace")));
}

fn joined(object: &Value, pointer: &str) -> String {
    list(object, pointer)
        .iter()
        .filter_map(Value::as_str)
        .collect::<Vec<_>>()
        .join(",")
}

fn or_none(text: String) -> String {
    if text.is_empty() { "<none>".to_owned() } else { text }
}

/// Describes a Service.
pub(super) fn service(object: &Value, around: &[Value], now: Timestamp, show_events: bool) -> String {
    let mut out = Writer::default();
    let w = &mut out;
    head(w, object);
    labels(w, "Labels", map(object, "/metadata/labels"));
    annotations(w, object);
    w.line(
        0,
        format!(
            "Selector:\t{}",
            object
                .pointer("/spec/selector")
                .map_or_else(|| "<none>".to_owned(), format_selector)
        ),
    );
    w.line(0, format!("Type:\t{}", text(object, "/spec/type")));
    if !text(object, "/spec/ipFamilyPolicy").is_empty() {
        w.line(
            0,
            format!("IP Family Policy:\t{}", text(object, "/spec/ipFamilyPolicy")),
        );
    }
    w.line(
        0,
        format!("IP Families:\t{}", or_none(joined(object, "/spec/ipFamilies"))),
    );
    w.line(0, format!("IP:\t{}", text(object, "/spec/clusterIP")));
    let ips = joined(object, "/spec/clusterIPs");
    w.line(
        0,
        format!(
            "IPs:\t{}",
            if ips.is_empty() {
                or(object, "/spec/clusterIP", "<none>").to_owned()
            } else {
                ips
            }
        ),
    );
    let external = joined(object, "/spec/externalIPs");
    if !external.is_empty() {
        w.line(0, format!("External IPs:\t{external}"));
    }
    if !text(object, "/spec/loadBalancerIP").is_empty() {
        w.line(
            0,
            format!("Desired LoadBalancer IP:\t{}", text(object, "/spec/loadBalancerIP")),
        );
    }
    if !text(object, "/spec/externalName").is_empty() {
        w.line(0, format!("External Name:\t{}", text(object, "/spec/externalName")));
    }
    let ingress: Vec<&str> = list(object, "/status/loadBalancer/ingress")
        .iter()
        .map(|ingress| match text(ingress, "/ip") {
            "" => text(ingress, "/hostname"),
            ip => ip,
        })
        .collect();
    if !ingress.is_empty() {
        w.line(0, format!("LoadBalancer Ingress:\t{}", ingress.join(", ")));
    }
    for port in list(object, "/spec/ports") {
        let name = or(port, "/name", "<unset>");
        let protocol = text(port, "/protocol");
        w.line(0, format!("Port:\t{name}\t{}/{protocol}", int(port, "/port")));
        let target = port.pointer("/targetPort").map(scalar).unwrap_or_default();
        w.line(0, format!("TargetPort:\t{target}/{protocol}"));
        if int(port, "/nodePort") != 0 {
            w.line(0, format!("NodePort:\t{name}\t{}/{protocol}", int(port, "/nodePort")));
        }
        w.line(0, format!("Endpoints:\t{}", endpoints(around, text(port, "/name"))));
    }
    w.line(
        0,
        format!("Session Affinity:\t{}", text(object, "/spec/sessionAffinity")),
    );
    for (title, pointer) in [
        ("External Traffic Policy", "/spec/externalTrafficPolicy"),
        ("Internal Traffic Policy", "/spec/internalTrafficPolicy"),
    ] {
        if !text(object, pointer).is_empty() {
            w.line(0, format!("{title}:\t{}", text(object, pointer)));
        }
    }
    if int(object, "/spec/healthCheckNodePort") != 0 {
        w.line(
            0,
            format!("HealthCheck NodePort:\t{}", int(object, "/spec/healthCheckNodePort")),
        );
    }
    let ranges = joined(object, "/spec/loadBalancerSourceRanges");
    if !ranges.is_empty() {
        w.line(0, format!("LoadBalancer Source Ranges:\t{ranges}"));
    }
    if show_events {
        events(w, around, now);
    }
    out.finish()
}

/// The ready addresses behind a port of a service (`formatEndpointSlices`).
pub(super) fn endpoints(around: &[Value], port_name: &str) -> String {
    let mut shown = Vec::new();
    let (mut more, mut slices) = (0, 0);
    for slice in around.iter().filter(|other| text(other, "/kind") == "EndpointSlice") {
        slices += 1;
        for port in list(slice, "/ports")
            .iter()
            .filter(|port| text(port, "/name") == port_name)
        {
            for endpoint in list(slice, "/endpoints") {
                let ready = endpoint
                    .pointer("/conditions/ready")
                    .and_then(Value::as_bool)
                    .unwrap_or(true);
                for address in list(endpoint, "/addresses")
                    .iter()
                    .filter_map(Value::as_str)
                    .filter(|_| ready)
                {
                    if shown.len() < 3 {
                        shown.push(format!("{address}:{}", int(port, "/port")));
                    } else {
                        more += 1;
                    }
                }
            }
        }
    }
    // Without ready endpoints the list is empty; it is the slices that there may be none of.
    let list = if slices == 0 {
        "<none>".to_owned()
    } else {
        shown.join(",")
    };
    if more > 0 {
        format!("{list} + {more} more...")
    } else {
        list
    }
}

/// Describes a ConfigMap.
pub(super) fn config_map(object: &Value, around: &[Value], now: Timestamp, show_events: bool) -> String {
    let mut out = Writer::default();
    let w = &mut out;
    head(w, object);
    labels(w, "Labels", map(object, "/metadata/labels"));
    annotations(w, object);
    w.line(0, "\nData\n====");
    for (key, value) in map(object, "/data").map(sorted).unwrap_or_default() {
        w.line(0, format!("{key}:\n----\n{}\n", scalar(value)));
    }
    w.line(0, "\nBinaryData\n====");
    for (key, value) in map(object, "/binaryData").map(sorted).unwrap_or_default() {
        w.line(0, format!("{key}: {} bytes", decoded_length(&scalar(value))));
    }
    w.line(0, "");
    if show_events {
        events(w, around, now);
    }
    out.finish()
}

/// How many bytes base64 text stands for.
fn decoded_length(text: &str) -> usize {
    let digits = text.trim_end_matches('=').len();
    digits * 3 / 4
}

/// Describes a Secret: its keys and how long the values are, never the values.
pub(super) fn secret(object: &Value) -> String {
    let mut out = Writer::default();
    let w = &mut out;
    head(w, object);
    labels(w, "Labels", map(object, "/metadata/labels"));
    annotations(w, object);
    w.line(0, format!("\nType:\t{}\n\nData\n====", text(object, "/type")));
    for (key, value) in map(object, "/data").map(sorted).unwrap_or_default() {
        w.line(0, format!("{key}:\t{} bytes", decoded_length(&scalar(value))));
    }
    out.finish()
}

/// Describes a Namespace.
pub(super) fn namespace(object: &Value) -> String {
    let mut out = Writer::default();
    let w = &mut out;
    w.line(0, format!("Name:\t{}", text(object, "/metadata/name")));
    labels(w, "Labels", map(object, "/metadata/labels"));
    annotations(w, object);
    w.line(0, format!("Status:\t{}", text(object, "/status/phase")));
    w.line(0, "\nNo resource quota.\n\nNo LimitRange resource.");
    out.finish()
}

/// Describes a ServiceAccount.
pub(super) fn service_account(object: &Value, around: &[Value], now: Timestamp, show_events: bool) -> String {
    let mut out = Writer::default();
    let w = &mut out;
    head(w, object);
    labels(w, "Labels", map(object, "/metadata/labels"));
    annotations(w, object);
    let secrets = list(object, "/imagePullSecrets");
    if secrets.is_empty() {
        w.line(0, "Image pull secrets:\t<none>");
    }
    for (index, secret) in secrets.iter().enumerate() {
        let title = if index == 0 { "Image pull secrets:" } else { "" };
        w.line(0, format!("{title}\t{}", text(secret, "/name")));
    }
    if show_events {
        events(w, around, now);
    }
    out.finish()
}

/// Describes a PersistentVolumeClaim.
pub(super) fn claim(object: &Value, around: &[Value], now: Timestamp, show_events: bool) -> String {
    let mut out = Writer::default();
    let w = &mut out;
    head(w, object);
    w.line(0, format!("StorageClass:\t{}", text(object, "/spec/storageClassName")));
    if has(object, "/metadata/deletionTimestamp") {
        w.line(
            0,
            format!(
                "Status:\tTerminating (lasts {})",
                crate::print::age::age(object, "/metadata/deletionTimestamp", now)
            ),
        );
    } else {
        w.line(0, format!("Status:\t{}", text(object, "/status/phase")));
    }
    w.line(0, format!("Volume:\t{}", text(object, "/spec/volumeName")));
    labels(w, "Labels", map(object, "/metadata/labels"));
    annotations(w, object);
    let finalizers: Vec<&str> = list(object, "/metadata/finalizers")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    w.line(0, format!("Finalizers:\t[{}]", finalizers.join(" ")));
    let bound = !text(object, "/spec/volumeName").is_empty();
    w.line(
        0,
        format!(
            "Capacity:\t{}",
            object
                .pointer("/status/capacity/storage")
                .filter(|_| bound)
                .map(scalar)
                .unwrap_or_default()
        ),
    );
    w.line(
        0,
        format!(
            "Access Modes:\t{}",
            if bound {
                access_modes(object, "/status/accessModes")
            } else {
                String::new()
            }
        ),
    );
    if !text(object, "/spec/volumeMode").is_empty() {
        w.line(0, format!("VolumeMode:\t{}", text(object, "/spec/volumeMode")));
    }
    let name = text(object, "/metadata/name");
    let mut users: Vec<&str> = around
        .iter()
        .filter(|other| {
            text(other, "/kind") == "Pod"
                && list(other, "/spec/volumes").iter().any(|volume| {
                    text(volume, "/persistentVolumeClaim/claimName") == name
                        || has(volume, "/ephemeral")
                            && format!("{}-{}", text(other, "/metadata/name"), text(volume, "/name")) == name
                })
        })
        .map(|pod| text(pod, "/metadata/name"))
        .collect();
    users.sort_unstable();
    if users.is_empty() {
        w.line(0, "Used By:\t<none>");
    }
    for (index, user) in users.iter().enumerate() {
        w.line(0, format!("{}\t{user}", if index == 0 { "Used By:" } else { "" }));
    }
    if show_events {
        events(w, around, now);
    }
    out.finish()
}

/// Describes a StorageClass.
pub(super) fn storage_class(object: &Value, around: &[Value], now: Timestamp, show_events: bool) -> String {
    let mut out = Writer::default();
    let w = &mut out;
    w.line(0, format!("Name:\t{}", text(object, "/metadata/name")));
    let default = text(
        object,
        "/metadata/annotations/storageclass.kubernetes.io~1is-default-class",
    ) == "true";
    w.line(0, format!("IsDefaultClass:\t{}", if default { "Yes" } else { "No" }));
    w.line(
        0,
        format!(
            "Annotations:\t{}",
            crate::print::cells::labels(object, "/metadata/annotations")
        ),
    );
    w.line(0, format!("Provisioner:\t{}", text(object, "/provisioner")));
    w.line(
        0,
        format!("Parameters:\t{}", crate::print::cells::labels(object, "/parameters")),
    );
    let expansion = match object.pointer("/allowVolumeExpansion").and_then(Value::as_bool) {
        Some(true) => "True",
        Some(false) => "False",
        None => "<unset>",
    };
    w.line(0, format!("AllowVolumeExpansion:\t{expansion}"));
    let options = list(object, "/mountOptions");
    if options.is_empty() {
        w.line(0, "MountOptions:\t<none>");
    } else {
        w.line(0, "MountOptions:");
        for option in options.iter().filter_map(Value::as_str) {
            w.line(1, option);
        }
    }
    for (title, pointer) in [
        ("ReclaimPolicy", "/reclaimPolicy"),
        ("VolumeBindingMode", "/volumeBindingMode"),
    ] {
        if !text(object, pointer).is_empty() {
            w.line(0, format!("{title}:\t{}", text(object, pointer)));
        }
    }
    if show_events {
        events(w, around, now);
    }
    out.finish()
}

/// Describes a PodDisruptionBudget.
pub(super) fn disruption_budget(object: &Value, around: &[Value], now: Timestamp, show_events: bool) -> String {
    let mut out = Writer::default();
    let w = &mut out;
    head(w, object);
    for (title, pointer) in [
        ("Min available", "/spec/minAvailable"),
        ("Max unavailable", "/spec/maxUnavailable"),
    ] {
        if let Some(amount) = object.pointer(pointer).filter(|amount| !amount.is_null()) {
            w.line(0, format!("{title}:\t{}", scalar(amount)));
        }
    }
    let selector = object.pointer("/spec/selector").filter(|selector| !selector.is_null());
    w.line(
        0,
        format!(
            "Selector:\t{}",
            selector.map_or_else(|| "<unset>".to_owned(), format_selector)
        ),
    );
    w.line(0, "Status:");
    for (title, field) in [
        ("Allowed disruptions", "disruptionsAllowed"),
        ("Current", "currentHealthy"),
        ("Desired", "desiredHealthy"),
        ("Total", "expectedPods"),
    ] {
        w.line(2, format!("{title}:\t{}", int(object, &format!("/status/{field}"))));
    }
    if show_events {
        events(w, around, now);
    }
    out.finish()
}

/// Describes a ResourceQuota.
pub(super) fn quota(object: &Value) -> String {
    let mut out = Writer::default();
    let w = &mut out;
    head(w, object);
    let scopes: Vec<&str> = list(object, "/spec/scopes").iter().filter_map(Value::as_str).collect();
    if !scopes.is_empty() {
        w.line(0, format!("Scopes:\t{}", scopes.join(", ")));
    }
    w.line(0, "Resource\tUsed\tHard");
    w.line(0, "--------\t----\t----");
    for (resource, hard) in map(object, "/status/hard").map(sorted).unwrap_or_default() {
        let used = object
            .pointer("/status/used")
            .and_then(|used| used.get(resource))
            .map_or_else(|| "0".to_owned(), scalar);
        w.line(0, format!("{resource}\t{used}\t{}", scalar(hard)));
    }
    out.finish()
}

/// Describes a PriorityClass.
pub(super) fn priority_class(object: &Value, around: &[Value], now: Timestamp, show_events: bool) -> String {
    let mut out = Writer::default();
    let w = &mut out;
    w.line(0, format!("Name:\t{}", text(object, "/metadata/name")));
    w.line(0, format!("Value:\t{}", opt_int(object, "/value").unwrap_or(0)));
    w.line(0, format!("GlobalDefault:\t{}", truth(object, "/globalDefault")));
    w.line(
        0,
        format!(
            "PreemptionPolicy:\t{}",
            or(object, "/preemptionPolicy", "PreemptLowerPriority")
        ),
    );
    w.line(0, format!("Description:\t{}", text(object, "/description")));
    let annotations = filled(object, "/metadata/annotations").map_or_else(
        || "<none>".to_owned(),
        |_| crate::print::cells::labels(object, "/metadata/annotations"),
    );
    w.line(0, format!("Annotations:\t{annotations}"));
    if show_events {
        events(w, around, now);
    }
    out.finish()
}
