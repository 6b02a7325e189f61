//! Pods, pod templates, containers and volumes (`describe.go describePod`, `describeContainers`, `describeVolumes`).

use jiff::Timestamp;
use serde_json::Value;

use super::common::{annotations, annotations_at, labels, labels_at, or, time_or};
use super::events::events;
use super::writer::Writer;
use crate::print::age::since;
use crate::quantity::Quantity;
use crate::selector::format_selector;
use crate::value::{condition, filled, has, int, list, map, opt_int, scalar, sorted, text, time, truth};

/// What a time that was never set looks like.
const ZERO_TIME: &str = "Mon, 01 Jan 0001 00:00:00 +0000";

/// Describes a Pod.
pub(super) fn pod(pod: &Value, around: &[Value], now: Timestamp, show_events: bool) -> String {
    let mut out = Writer::default();
    let w = &mut out;
    w.line(0, format!("Name:\t{}", text(pod, "/metadata/name")));
    w.line(0, format!("Namespace:\t{}", text(pod, "/metadata/namespace")));
    if let Some(priority) = opt_int(pod, "/spec/priority") {
        w.line(0, format!("Priority:\t{priority}"));
    }
    for (title, pointer) in [
        ("Priority Class Name", "/spec/priorityClassName"),
        ("Runtime Class Name", "/spec/runtimeClassName"),
        ("Service Account", "/spec/serviceAccountName"),
    ] {
        if !text(pod, pointer).is_empty() {
            w.line(0, format!("{title}:\t{}", text(pod, pointer)));
        }
    }
    match text(pod, "/spec/nodeName") {
        "" => w.line(0, "Node:\t<none>"),
        node => w.line(0, format!("Node:\t{node}/{}", text(pod, "/status/hostIP"))),
    }
    if has(pod, "/status/startTime") {
        w.line(
            0,
            format!("Start Time:\t{}", time_or(pod, "/status/startTime", ZERO_TIME)),
        );
    }
    labels(w, "Labels", map(pod, "/metadata/labels"));
    annotations(w, pod);
    if let Some(deleted) = time(pod, "/metadata/deletionTimestamp") {
        w.line(0, format!("Status:\tTerminating (lasts {})", since(deleted, now)));
        w.line(
            0,
            format!(
                "Termination Grace Period:\t{}s",
                int(pod, "/metadata/deletionGracePeriodSeconds")
            ),
        );
    } else {
        w.line(0, format!("Status:\t{}", text(pod, "/status/phase")));
    }
    for (title, pointer) in [("Reason", "/status/reason"), ("Message", "/status/message")] {
        if !text(pod, pointer).is_empty() {
            w.line(0, format!("{title}:\t{}", text(pod, pointer)));
        }
    }
    seccomp(w, 0, pod, "/spec/securityContext/seccompProfile");
    w.line(0, format!("IP:\t{}", text(pod, "/status/podIP")));
    let ips = list(pod, "/status/podIPs");
    if ips.is_empty() {
        w.line(0, "IPs:\t<none>");
    } else {
        w.line(0, "IPs:");
        for ip in ips {
            w.line(1, format!("IP:\t{}", text(ip, "/ip")));
        }
    }
    controlled_by(w, pod);
    if !text(pod, "/status/nominatedNodeName").is_empty() {
        w.line(
            0,
            format!("NominatedNodeName:\t{}", text(pod, "/status/nominatedNodeName")),
        );
    }
    let inits = list(pod, "/spec/initContainers");
    if !inits.is_empty() {
        containers(
            w,
            "Init Containers",
            inits,
            list(pod, "/status/initContainerStatuses"),
            Some(pod),
            "",
        );
    }
    containers(
        w,
        "Containers",
        list(pod, "/spec/containers"),
        list(pod, "/status/containerStatuses"),
        Some(pod),
        "",
    );
    let ephemeral = list(pod, "/spec/ephemeralContainers");
    if !ephemeral.is_empty() {
        containers(
            w,
            "Ephemeral Containers",
            ephemeral,
            list(pod, "/status/ephemeralContainerStatuses"),
            Some(pod),
            "",
        );
    }
    let gates = list(pod, "/spec/readinessGates");
    if !gates.is_empty() {
        w.line(0, "Readiness Gates:");
        w.line(1, "Type\tStatus");
        for gate in gates {
            let kind = text(gate, "/conditionType");
            let status = condition(pod, kind).map_or("<none>", |found| text(found, "/status"));
            w.line(1, format!("{kind} \t{status} "));
        }
    }
    let conditions = list(pod, "/status/conditions");
    if !conditions.is_empty() {
        w.line(0, "Conditions:");
        w.line(1, "Type\tStatus");
        for found in conditions {
            w.line(1, format!("{} \t{} ", text(found, "/type"), text(found, "/status")));
        }
    }
    volumes(w, list(pod, "/spec/volumes"), "");
    w.line(0, format!("QoS Class:\t{}", text(pod, "/status/qosClass")));
    labels(w, "Node-Selectors", map(pod, "/spec/nodeSelector"));
    tolerations(w, 0, list(pod, "/spec/tolerations"));
    topology_spread(w, 0, list(pod, "/spec/topologySpreadConstraints"));
    if show_events {
        events(w, around, now);
    }
    out.finish()
}

/// Who owns an object.
pub(super) fn controlled_by(w: &mut Writer, object: &Value) {
    if let Some(owner) = list(object, "/metadata/ownerReferences")
        .iter()
        .find(|owner| truth(owner, "/controller"))
    {
        w.line(
            0,
            format!("Controlled By:\t{}/{}", text(owner, "/kind"), text(owner, "/name")),
        );
    }
}

fn seccomp(w: &mut Writer, level: usize, object: &Value, pointer: &str) {
    let kind = text(object, &format!("{pointer}/type"));
    if !kind.is_empty() {
        w.line(level, format!("SeccompProfile:\t{kind}"));
        if kind == "Localhost" {
            w.line(
                level,
                format!(
                    "LocalhostProfile:\t{}",
                    text(object, &format!("{pointer}/localhostProfile"))
                ),
            );
        }
    }
}

/// The pod template of a workload (`DescribePodTemplate`).
pub(super) fn template(w: &mut Writer, template: &Value) {
    w.line(0, "Pod Template:");
    labels_at(w, 1, "Labels", "\t", map(template, "/metadata/labels"));
    if filled(template, "/metadata/annotations").is_some() {
        annotations_at(w, 1, "Annotations", template);
    }
    if !text(template, "/spec/serviceAccountName").is_empty() {
        w.line(
            1,
            format!("Service Account:\t{}", text(template, "/spec/serviceAccountName")),
        );
    }
    let inits = list(template, "/spec/initContainers");
    if !inits.is_empty() {
        containers(w, "Init Containers", inits, &[], None, "  ");
    }
    containers(w, "Containers", list(template, "/spec/containers"), &[], None, "  ");
    volumes(w, list(template, "/spec/volumes"), "  ");
    topology_spread(w, 1, list(template, "/spec/topologySpreadConstraints"));
    if !text(template, "/spec/priorityClassName").is_empty() {
        w.line(
            1,
            format!("Priority Class Name:\t{}", text(template, "/spec/priorityClassName")),
        );
    }
    labels_at(w, 1, "Node-Selectors", "\t", map(template, "/spec/nodeSelector"));
    tolerations(w, 1, list(template, "/spec/tolerations"));
}

fn containers(w: &mut Writer, title: &str, containers: &[Value], statuses: &[Value], pod: Option<&Value>, space: &str) {
    w.line(0, format!("{space}{title}:"));
    let indent = if space.is_empty() { "" } else { " " };
    for container in containers {
        let name = text(container, "/name");
        let status = statuses.iter().find(|status| text(status, "/name") == name);
        w.line(1, format!("{indent}{name}:"));
        if let Some(status) = status {
            w.line(2, format!("Container ID:\t{}", text(status, "/containerID")));
        }
        w.line(2, format!("Image:\t{}", text(container, "/image")));
        if let Some(status) = status {
            w.line(2, format!("Image ID:\t{}", text(status, "/imageID")));
        }
        ports(w, container, "Port", "/containerPort");
        ports(w, container, "Host Port", "/hostPort");
        seccomp(w, 2, container, "/securityContext/seccompProfile");
        for (title, field) in [("Command", "/command"), ("Args", "/args")] {
            let words = list(container, field);
            if !words.is_empty() {
                w.line(2, format!("{title}:"));
                for line in words.iter().filter_map(Value::as_str).flat_map(|word| word.split('\n')) {
                    w.line(3, line);
                }
            }
        }
        if let Some(status) = status {
            state(w, "State", status.pointer("/state"));
            if has(status, "/lastState/terminated") {
                state(w, "Last State", status.pointer("/lastState"));
            }
            w.line(
                2,
                format!("Ready:\t{}", if truth(status, "/ready") { "True" } else { "False" }),
            );
            w.line(2, format!("Restart Count:\t{}", int(status, "/restartCount")));
        }
        for (title, field) in [("Limits", "/resources/limits"), ("Requests", "/resources/requests")] {
            if let Some(amounts) = filled(container, field) {
                w.line(2, format!("{title}:"));
                for (resource, amount) in sorted(amounts) {
                    w.line(3, format!("{resource}:\t{}", scalar(amount)));
                }
            }
        }
        for (title, field) in [
            ("Liveness", "/livenessProbe"),
            ("Readiness", "/readinessProbe"),
            ("Startup", "/startupProbe"),
        ] {
            if let Some(found) = container.pointer(field).filter(|found| !found.is_null()) {
                w.line(2, format!("{title}:\t{}", probe(found)));
            }
        }
        environment(w, container, pod);
        mounts(w, container);
    }
}

fn ports(w: &mut Writer, container: &Value, title: &str, field: &str) {
    let shown: Vec<String> = list(container, "/ports")
        .iter()
        .map(|port| {
            let name = text(port, "/name");
            let name = if name.is_empty() {
                String::new()
            } else {
                format!(" ({name})")
            };
            format!("{}/{}{name}", int(port, field), or(port, "/protocol", "TCP"))
        })
        .collect();
    match shown.len() {
        0 => w.line(2, format!("{title}:\t<none>")),
        1 => w.line(2, format!("{title}:\t{}", shown[0])),
        _ => w.line(2, format!("{title}s:\t{}", shown.join(", "))),
    }
}

fn state(w: &mut Writer, title: &str, state: Option<&Value>) {
    let none = Value::Null;
    let state = state.unwrap_or(&none);
    if has(state, "/running") {
        w.line(2, format!("{title}:\tRunning"));
        w.line(
            3,
            format!("Started:\t{}", time_or(state, "/running/startedAt", ZERO_TIME)),
        );
    } else if has(state, "/terminated") {
        w.line(2, format!("{title}:\tTerminated"));
        for (title, field) in [("Reason", "/terminated/reason"), ("Message", "/terminated/message")] {
            if !text(state, field).is_empty() {
                w.line(3, format!("{title}:\t{}", text(state, field)));
            }
        }
        w.line(3, format!("Exit Code:\t{}", int(state, "/terminated/exitCode")));
        if int(state, "/terminated/signal") > 0 {
            w.line(3, format!("Signal:\t{}", int(state, "/terminated/signal")));
        }
        w.line(
            3,
            format!("Started:\t{}", time_or(state, "/terminated/startedAt", ZERO_TIME)),
        );
        w.line(
            3,
            format!("Finished:\t{}", time_or(state, "/terminated/finishedAt", ZERO_TIME)),
        );
    } else {
        w.line(2, format!("{title}:\tWaiting"));
        if !text(state, "/waiting/reason").is_empty() {
            w.line(3, format!("Reason:\t{}", text(state, "/waiting/reason")));
        }
    }
}

/// One probe in a line (`DescribeProbe`).
fn probe(probe: &Value) -> String {
    let numbers = format!(
        "delay={}s timeout={}s period={}s #success={} #failure={}",
        int(probe, "/initialDelaySeconds"),
        int(probe, "/timeoutSeconds"),
        int(probe, "/periodSeconds"),
        int(probe, "/successThreshold"),
        int(probe, "/failureThreshold")
    );
    let port = |pointer: &str| probe.pointer(pointer).map(scalar).unwrap_or_default();
    if has(probe, "/exec") {
        let words: Vec<&str> = list(probe, "/exec/command").iter().filter_map(Value::as_str).collect();
        format!("exec [{}] {numbers}", words.join(" "))
    } else if has(probe, "/httpGet") {
        let scheme = or(probe, "/httpGet/scheme", "HTTP").to_lowercase();
        let path = text(probe, "/httpGet/path");
        let slash = if path.is_empty() || path.starts_with('/') {
            ""
        } else {
            "/"
        };
        format!(
            "http-get {scheme}://{}:{}{slash}{path} {numbers}",
            text(probe, "/httpGet/host"),
            port("/httpGet/port")
        )
    } else if has(probe, "/tcpSocket") {
        format!(
            "tcp-socket {}:{} {numbers}",
            text(probe, "/tcpSocket/host"),
            port("/tcpSocket/port")
        )
    } else if has(probe, "/grpc") {
        format!(
            "grpc <pod>:{} {} {numbers}",
            int(probe, "/grpc/port"),
            text(probe, "/grpc/service")
        )
    } else {
        format!("unknown {numbers}")
    }
}

fn environment(w: &mut Writer, container: &Value, pod: Option<&Value>) {
    let sources = list(container, "/envFrom");
    if !sources.is_empty() {
        w.line(2, "Environment Variables from:");
        for source in sources {
            let (kind, field) = if has(source, "/configMapRef") {
                ("ConfigMap", "/configMapRef")
            } else {
                ("Secret", "/secretRef")
            };
            let prefix = match text(source, "/prefix") {
                "" => String::new(),
                prefix => format!(" with prefix '{prefix}'"),
            };
            w.line(
                3,
                format!(
                    "{}\t{kind}{prefix}\tOptional: {}",
                    text(source, &format!("{field}/name")),
                    truth(source, &format!("{field}/optional"))
                ),
            );
        }
    }
    let variables = list(container, "/env");
    if variables.is_empty() {
        w.line(2, "Environment:\t<none>");
        return;
    }
    w.line(2, "Environment:");
    for variable in variables {
        let name = text(variable, "/name");
        let from = variable.pointer("/valueFrom").filter(|from| !from.is_null());
        match from {
            None => {
                for (index, line) in text(variable, "/value").split('\n').enumerate() {
                    w.line(
                        3,
                        if index == 0 {
                            format!("{name}:\t{line}")
                        } else {
                            format!("\t{line}")
                        },
                    );
                }
            }
            Some(from) if has(from, "/fieldRef") => {
                let path = text(from, "/fieldRef/fieldPath");
                let value = pod.map(|pod| field(pod, path)).unwrap_or_default();
                w.line(
                    3,
                    format!("{name}:\t{value} ({}:{path})", or(from, "/fieldRef/apiVersion", "v1")),
                );
            }
            Some(from) if has(from, "/resourceFieldRef") => {
                let resource = text(from, "/resourceFieldRef/resource");
                let divisor = from
                    .pointer("/resourceFieldRef/divisor")
                    .map(scalar)
                    .and_then(|divisor| Quantity::parse(&divisor))
                    .unwrap_or_default();
                let amount = resource
                    .split_once('.')
                    .and_then(|(kind, name)| {
                        container.pointer(&format!("/resources/{kind}/{}", crate::value::escape_pointer(name)))
                    })
                    .and_then(|amount| Quantity::parse(&scalar(amount)))
                    .unwrap_or_default();
                let mut value = amount.divided_by(divisor).to_string();
                if value == "0" && matches!(resource, "limits.cpu" | "limits.memory") {
                    "node allocatable".clone_into(&mut value);
                }
                w.line(3, format!("{name}:\t{value} ({resource})"));
            }
            Some(from) if has(from, "/secretKeyRef") => w.line(
                3,
                format!(
                    "{name}:\t<set to the key '{}' in secret '{}'>\tOptional: {}",
                    text(from, "/secretKeyRef/key"),
                    text(from, "/secretKeyRef/name"),
                    truth(from, "/secretKeyRef/optional")
                ),
            ),
            Some(from) => w.line(
                3,
                format!(
                    "{name}:\t<set to the key '{}' of config map '{}'>\tOptional: {}",
                    text(from, "/configMapKeyRef/key"),
                    text(from, "/configMapKeyRef/name"),
                    truth(from, "/configMapKeyRef/optional")
                ),
            ),
        }
    }
}

/// The value of a downward API field as far as metadata gives it (`fieldpath.ExtractFieldPathAsString`): other fields
/// are only known inside the container.
fn field(pod: &Value, path: &str) -> String {
    match path {
        "metadata.name" | "metadata.namespace" | "metadata.uid" => {
            text(pod, &format!("/{}", path.replace('.', "/"))).to_owned()
        }
        _ => String::new(),
    }
}

fn mounts(w: &mut Writer, container: &Value) {
    let mut mounts: Vec<&Value> = list(container, "/volumeMounts").iter().collect();
    mounts.sort_by_key(|mount| text(mount, "/mountPath"));
    if mounts.is_empty() {
        w.line(2, "Mounts:\t<none>");
    } else {
        w.line(2, "Mounts:");
        for mount in mounts {
            let mut flags = vec![if truth(mount, "/readOnly") {
                "ro".to_owned()
            } else {
                "rw".to_owned()
            }];
            if !text(mount, "/subPath").is_empty() {
                flags.push(format!("path={:?}", text(mount, "/subPath")));
            }
            w.line(
                3,
                format!(
                    "{} from {} ({})",
                    text(mount, "/mountPath"),
                    text(mount, "/name"),
                    flags.join(",")
                ),
            );
        }
    }
    let mut devices: Vec<&Value> = list(container, "/volumeDevices").iter().collect();
    devices.sort_by_key(|device| text(device, "/devicePath"));
    if !devices.is_empty() {
        w.line(2, "Devices:");
        for device in devices {
            w.line(
                3,
                format!("{} from {}", text(device, "/devicePath"), text(device, "/name")),
            );
        }
    }
}

fn volumes(w: &mut Writer, volumes: &[Value], space: &str) {
    if volumes.is_empty() {
        w.line(0, format!("{space}Volumes:\t<none>"));
        return;
    }
    w.line(0, format!("{space}Volumes:"));
    let indent = if space.is_empty() { "" } else { " " };
    for volume in volumes {
        w.line(1, format!("{indent}{}:", text(volume, "/name")));
        let mut say = |lines: &[(&str, String)]| {
            for (title, value) in lines {
                w.line(2, format!("{title}:\t{value}"));
            }
        };
        let own = |pointer: &str| text(volume, pointer).to_owned();
        let flag = |pointer: &str| truth(volume, pointer).to_string();
        let kind = |text: &str| ("Type", text.to_owned());
        if has(volume, "/hostPath") {
            say(&[
                kind("HostPath (bare host directory volume)"),
                ("Path", own("/hostPath/path")),
                (
                    "HostPathType",
                    if volume.pointer("/hostPath/type").is_some() {
                        own("/hostPath/type")
                    } else {
                        "<none>".to_owned()
                    },
                ),
            ]);
        } else if has(volume, "/emptyDir") {
            let limit = volume
                .pointer("/emptyDir/sizeLimit")
                .map_or_else(|| "<unset>".to_owned(), scalar);
            say(&[
                kind("EmptyDir (a temporary directory that shares a pod's lifetime)"),
                ("Medium", own("/emptyDir/medium")),
                ("SizeLimit", limit),
            ]);
        } else if has(volume, "/secret") {
            say(&[
                kind("Secret (a volume populated by a Secret)"),
                ("SecretName", own("/secret/secretName")),
                ("Optional", flag("/secret/optional")),
            ]);
        } else if has(volume, "/configMap") {
            say(&[
                kind("ConfigMap (a volume populated by a ConfigMap)"),
                ("Name", own("/configMap/name")),
                ("Optional", flag("/configMap/optional")),
            ]);
        } else if has(volume, "/persistentVolumeClaim") {
            say(&[
                kind("PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)"),
                ("ClaimName", own("/persistentVolumeClaim/claimName")),
                ("ReadOnly", flag("/persistentVolumeClaim/readOnly")),
            ]);
        } else if has(volume, "/nfs") {
            say(&[
                kind("NFS (an NFS mount that lasts the lifetime of a pod)"),
                ("Server", own("/nfs/server")),
                ("Path", own("/nfs/path")),
                ("ReadOnly", flag("/nfs/readOnly")),
            ]);
        } else if has(volume, "/projected") {
            say(&[kind(
                "Projected (a volume that contains injected data from multiple sources)",
            )]);
            for source in list(volume, "/projected/sources") {
                if has(source, "/secret") {
                    say(&[
                        ("SecretName", text(source, "/secret/name").to_owned()),
                        ("Optional", truth(source, "/secret/optional").to_string()),
                    ]);
                } else if has(source, "/downwardAPI") {
                    say(&[("DownwardAPI", "true".to_owned())]);
                } else if has(source, "/configMap") {
                    say(&[
                        ("ConfigMapName", text(source, "/configMap/name").to_owned()),
                        ("Optional", truth(source, "/configMap/optional").to_string()),
                    ]);
                } else if has(source, "/serviceAccountToken") {
                    say(&[(
                        "TokenExpirationSeconds",
                        int(source, "/serviceAccountToken/expirationSeconds").to_string(),
                    )]);
                }
            }
        } else if has(volume, "/downwardAPI") {
            say(&[kind("DownwardAPI (a volume populated by information about the pod)")]);
            w.line(2, "Items:");
            for item in list(volume, "/downwardAPI/items") {
                let from = match text(item, "/fieldRef/fieldPath") {
                    "" => text(item, "/resourceFieldRef/resource"),
                    path => path,
                };
                w.line(3, format!("{from} -> {}", text(item, "/path")));
            }
        } else if has(volume, "/ephemeral") {
            say(&[kind(
                "EphemeralVolume (an inline specification for a volume that gets created and deleted with the pod)",
            )]);
            let template = "/ephemeral/volumeClaimTemplate";
            if let Some(claim) = volume.pointer(template) {
                w.line(2, format!("StorageClass:\t{}", text(claim, "/spec/storageClassName")));
                w.line(2, format!("Volume:\t{}", text(claim, "/spec/volumeName")));
                labels_at(w, 2, "Labels", "\t", map(claim, "/metadata/labels"));
                annotations_at(w, 2, "Annotations", claim);
                w.line(2, "Capacity:\t");
                w.line(2, "Access Modes:\t");
                if has(claim, "/spec/volumeMode") {
                    w.line(2, format!("VolumeMode:\t{}", text(claim, "/spec/volumeMode")));
                }
            }
        } else {
            w.line(1, "<unknown>");
        }
    }
}

/// Tolerations, one a line, sorted by key (`printTolerationsMultilineWithIndent`).
fn tolerations(w: &mut Writer, level: usize, tolerations: &[Value]) {
    if tolerations.is_empty() {
        w.line(level, "Tolerations:\t<none>");
        return;
    }
    let mut sorted: Vec<&Value> = tolerations.iter().collect();
    sorted.sort_by_key(|toleration| text(toleration, "/key"));
    for (index, toleration) in sorted.into_iter().enumerate() {
        let (key, value, effect) = (
            text(toleration, "/key"),
            text(toleration, "/value"),
            text(toleration, "/effect"),
        );
        let mut shown = key.to_owned();
        if !value.is_empty() {
            shown.push_str(&format!("={value}"));
        }
        if !effect.is_empty() {
            shown.push_str(&format!(":{effect}"));
        }
        if text(toleration, "/operator") == "Exists" && value.is_empty() {
            shown.push_str(if shown.is_empty() { "op=Exists" } else { " op=Exists" });
        }
        if let Some(seconds) = opt_int(toleration, "/tolerationSeconds") {
            shown.push_str(&format!(" for {seconds}s"));
        }
        w.line(
            level,
            if index == 0 {
                format!("Tolerations:\t{shown}")
            } else {
                format!("\t{shown}")
            },
        );
    }
}

fn topology_spread(w: &mut Writer, level: usize, constraints: &[Value]) {
    let mut sorted: Vec<&Value> = constraints.iter().collect();
    sorted.sort_by_key(|constraint| text(constraint, "/topologyKey"));
    for (index, constraint) in sorted.into_iter().enumerate() {
        let mut shown = format!(
            "{}:{} when max skew {} is exceeded",
            text(constraint, "/topologyKey"),
            text(constraint, "/whenUnsatisfiable"),
            int(constraint, "/maxSkew")
        );
        if let Some(selector) = constraint
            .pointer("/labelSelector")
            .filter(|selector| !selector.is_null())
        {
            shown.push_str(&format!(" for selector {}", format_selector(selector)));
        }
        w.line(
            level,
            if index == 0 {
                format!("Topology Spread Constraints:\t{shown}")
            } else {
                format!("\t{shown}")
            },
        );
    }
}
