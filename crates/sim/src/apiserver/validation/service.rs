//! Services (`pkg/apis/core/validation/validation.go ValidateService`).

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1 as core;

use super::container::port as target_port;
use super::meta;
use crate::apiserver::field::{Errors, Path, quoted};
use crate::apiserver::names;

const TYPES: [&str; 4] = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
const PROTOCOLS: [&str; 3] = ["SCTP", "TCP", "UDP"];
const HEADLESS: &str = "None";

/// A new Service: also what of its addresses cannot be given.
pub(super) fn create(e: &mut Errors, own: &core::Service) {
    service(e, own);
    families(e, own, true);
}

/// A changed one.
pub(super) fn update(e: &mut Errors, own: &core::Service) {
    service(e, own);
    families(e, own, false);
}

/// Address families of a cluster that has only IPv4 (`pkg/registry/core/service/storage/alloc.go`).
fn families(e: &mut Errors, service: &core::Service, new: bool) {
    let path = Path::root("spec");
    let Some(spec) = &service.spec else { return };
    if !e.list.is_empty() || spec.type_.as_deref() == Some("ExternalName") {
        return;
    }
    if spec.ip_family_policy.as_deref() == Some("RequireDualStack") {
        e.invalid_text(
            &path.child("ipFamilyPolicy"),
            "RequireDualStack",
            "this cluster is not configured for dual-stack services",
        );
        return;
    }
    let first = spec.cluster_ips.iter().flatten().next().filter(|ip| *ip != HEADLESS);
    for (index, family) in spec.ip_families.iter().flatten().enumerate() {
        if family != "IPv6" {
            continue;
        }
        match first {
            Some(ip) if index == 0 && !new => {
                let detail = "expected an IPv6 value as indicated by `ipFamilies[0]`";
                e.invalid_text(&path.child("clusterIPs").index(0), ip, detail);
            }
            _ => e.invalid_text(
                &path.child("ipFamilies").index(index),
                family,
                "not configured on this cluster",
            ),
        }
    }
}

fn service(e: &mut Errors, service: &core::Service) {
    let path = Path::root("spec");
    let default = core::ServiceSpec::default();
    let spec = service.spec.as_ref().unwrap_or(&default);
    let kind = spec.type_.as_deref().unwrap_or_default();
    let headless = spec.cluster_ip.as_deref() == Some(HEADLESS);
    let list = spec.ports.as_deref().unwrap_or_default();
    let ports = path.child("ports");
    if list.is_empty() && !headless && kind != "ExternalName" {
        e.required(&ports, "");
    }
    match kind {
        "LoadBalancer" if headless => {
            e.invalid_text(
                &path.child("clusterIPs").index(0),
                HEADLESS,
                "may not be set to 'None' for LoadBalancer services",
            );
        }
        "NodePort" if headless => {
            e.invalid_text(
                &path.child("clusterIPs").index(0),
                HEADLESS,
                "may not be set to 'None' for NodePort services",
            );
        }
        "ExternalName" => external_name(e, spec, &path),
        _ => {}
    }
    let mut known = BTreeSet::new();
    for (index, port) in list.iter().enumerate() {
        service_port(e, port, list.len() > 1, &mut known, &ports.index(index));
    }
    meta::labels(e, spec.selector.as_ref(), &path.child("selector"));
    match spec.session_affinity.as_deref().unwrap_or_default() {
        "None" => {}
        "ClientIP" => {
            let config = spec
                .session_affinity_config
                .as_ref()
                .and_then(|config| config.client_ip.as_ref());
            let seconds = config.and_then(|config| config.timeout_seconds).unwrap_or(10800);
            if !(1..=86400).contains(&seconds) {
                let config = path.child("sessionAffinityConfig");
                let at = config.child("clientIP");
                e.invalid(
                    &at.child("timeoutSeconds"),
                    seconds,
                    "must be greater than 0 and less than 86400",
                );
            }
        }
        "" => e.required(&path.child("sessionAffinity"), ""),
        other => e.unsupported(&path.child("sessionAffinity"), other, &["ClientIP", "None"]),
    }
    let addresses = path.child("clusterIPs");
    let given = spec.cluster_ips.as_deref().unwrap_or_default();
    let one = spec.cluster_ip.as_deref().unwrap_or_default();
    if let Some(first) = given.first() {
        if one.is_empty() {
            e.invalid(
                &addresses,
                crate::apiserver::field::shown(&given),
                "must be empty when `clusterIP` is not specified",
            );
        } else if first != one {
            e.invalid(
                &addresses,
                crate::apiserver::field::shown(&given),
                "first value must match `clusterIP`",
            );
        }
    }
    if !headless {
        for (index, ip) in spec.cluster_ips.iter().flatten().enumerate() {
            if let Some(reason) = names::ip(ip) {
                e.invalid_text(&addresses.index(index), ip, &reason);
            }
        }
    }
    let external = path.child("externalIPs");
    for (index, ip) in spec.external_ips.iter().flatten().enumerate() {
        if let Some(reason) = names::ip(ip) {
            e.invalid_text(&external.index(index), ip, &reason);
        }
    }
    match kind {
        "" => e.required(&path.child("type"), ""),
        known if TYPES.contains(&known) => {}
        other => e.unsupported(&path.child("type"), other, &TYPES),
    }
    if kind == "ClusterIP" {
        for (index, port) in list.iter().enumerate() {
            if port.node_port.is_some_and(|node_port| node_port != 0) {
                let at = ports.index(index);
                e.forbidden(&at.child("nodePort"), "may not be used when `type` is 'ClusterIP'");
            }
        }
    }
    let policy = spec.external_traffic_policy.as_deref().unwrap_or_default();
    let external = spec.external_ips.as_ref().is_some_and(|list| !list.is_empty());
    if !policy.is_empty() && !matches!(kind, "NodePort" | "LoadBalancer") && !external {
        let detail = "may only be set for externally-accessible services";
        e.invalid_text(&path.child("externalTrafficPolicy"), policy, detail);
    }
    let mut taken = BTreeSet::new();
    for (index, port) in list.iter().enumerate() {
        if !taken.insert((port.protocol.clone(), port.port)) {
            e.duplicate_value(&ports.index(index), &go_port(port));
        }
    }
    if let Some(policy) = spec
        .internal_traffic_policy
        .as_deref()
        .filter(|policy| !matches!(*policy, "Cluster" | "Local"))
    {
        e.unsupported(&path.child("internalTrafficPolicy"), policy, &["Cluster", "Local"]);
    }
}

/// A protocol and a port as Go prints the internal type that holds nothing else.
fn go_port(port: &core::ServicePort) -> String {
    let protocol = quoted(port.protocol.as_deref().unwrap_or_default());
    format!(
        "{{\"Name\":\"\",\"Protocol\":{protocol},\"AppProtocol\":null,\"Port\":{},\"TargetPort\":0,\"NodePort\":0}}",
        port.port
    )
}

fn external_name(e: &mut Errors, spec: &core::ServiceSpec, path: &Path<'_>) {
    let at = path.child("externalName");
    match spec.external_name.as_deref().unwrap_or_default().trim_end_matches('.') {
        "" => e.required(&at, ""),
        name => e.invalid_for(&at, name, names::dns1123_subdomain(name)),
    }
    if spec.cluster_ips.as_ref().is_some_and(|list| !list.is_empty()) {
        e.forbidden(&path.child("clusterIPs"), "may not be set for ExternalName services");
    }
}

fn service_port<'a>(
    e: &mut Errors,
    port: &'a core::ServicePort,
    must_have_name: bool,
    known: &mut BTreeSet<&'a str>,
    path: &Path<'_>,
) {
    let name = port.name.as_deref().unwrap_or_default();
    if name.is_empty() {
        if must_have_name {
            e.required(&path.child("name"), "");
        }
    } else {
        e.invalid_for(&path.child("name"), name, names::dns1123_label(name));
        if !known.insert(name) {
            e.duplicate(&path.child("name"), name);
        }
    }
    if let Some(reason) = names::port_number(port.port.into()) {
        e.invalid(&path.child("port"), port.port, &reason);
    }
    match port.protocol.as_deref().unwrap_or_default() {
        "" => e.required(&path.child("protocol"), ""),
        known if PROTOCOLS.contains(&known) => {}
        other => e.unsupported(&path.child("protocol"), other, &PROTOCOLS),
    }
    if let Some(target) = &port.target_port {
        target_port(e, target, &path.child("targetPort"));
    }
    if let Some(app) = &port.app_protocol {
        e.invalid_for(&path.child("appProtocol"), app, names::label_key(app));
    }
}
