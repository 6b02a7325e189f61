//! Pods and their templates (`pkg/apis/core/validation/validation.go ValidatePodSpec`).

use crate::core;
use std::collections::BTreeSet;

use super::{container, meta, scheduling, volume};
use crate::apiserver::field::{Errors, Path, shown};
use crate::apiserver::names;
use crate::quantity;

/// `ValidatePodCreate`, but for the metadata.
pub(super) fn create(e: &mut Errors, pod: &core::Pod) {
    metadata_and_spec(e, pod);
    let spec = pod.spec.as_ref();
    if spec
        .and_then(|spec| spec.ephemeral_containers.as_ref())
        .is_some_and(|list| !list.is_empty())
    {
        let path = Path::root("spec");
        e.forbidden(&path.child("ephemeralContainers"), "cannot be set on create");
    }
}

/// `validatePodMetadataAndSpec`, but for the metadata.
pub(super) fn metadata_and_spec(e: &mut Errors, pod: &core::Pod) {
    let path = Path::root("spec");
    let default = core::PodSpec::default();
    let spec = pod.spec.as_deref().unwrap_or(&default);
    self::spec(e, spec, &path, pod.metadata.name.as_deref(), true);
}

/// `ValidatePodTemplateSpec`
pub(super) fn template(e: &mut Errors, template: &core::PodTemplateSpec, path: &Path<'_>) {
    let labels = template.metadata.as_ref().and_then(|meta| meta.labels.as_ref());
    let annotations = template.metadata.as_ref().and_then(|meta| meta.annotations.as_ref());
    meta::labels(e, labels, &path.child("labels"));
    meta::annotations(e, annotations, &path.child("annotations"));
    let default = core::PodSpec::default();
    let at = path.child("spec");
    let spec = template.spec.as_ref().unwrap_or(&default);
    self::spec(e, spec, &at, None, false);
    if spec.ephemeral_containers.as_ref().is_some_and(|list| !list.is_empty()) {
        e.forbidden(
            &at.child("ephemeralContainers"),
            "ephemeral containers not allowed in pod template",
        );
    }
}

/// What the parts of a pod need to know of the whole.
pub(super) struct Context<'a> {
    pub(super) volumes: BTreeSet<&'a str>,
    pub(super) grace: Option<i64>,
    pub(super) pod_name: Option<&'a str>,
}

fn spec(e: &mut Errors, spec: &core::PodSpec, path: &Path<'_>, pod_name: Option<&str>, is_pod: bool) {
    let mut context = Context {
        volumes: BTreeSet::new(),
        grace: spec.termination_grace_period_seconds,
        pod_name,
    };
    volume::volumes(
        e,
        spec.volumes.as_deref().unwrap_or_default(),
        &path.child("volumes"),
        &mut context,
    );
    container::containers(e, &spec.containers, &path.child("containers"), &context);
    let init = spec.init_containers.as_deref().unwrap_or_default();
    container::init_containers(e, init, &spec.containers, &path.child("initContainers"), &context);
    pod_level_resources(e, spec, path);
    host_network_ports(e, spec, path, is_pod);
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    match text(&spec.restart_policy).as_str() {
        "Always" | "OnFailure" | "Never" => {}
        "" => e.required(&path.child("restartPolicy"), ""),
        other => e.unsupported(&path.child("restartPolicy"), other, &["Always", "OnFailure", "Never"]),
    }
    const DNS: [&str; 4] = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
    match text(&spec.dns_policy).as_str() {
        "" => e.required(&path.child("dnsPolicy"), ""),
        known if DNS.contains(&known) => {}
        other => e.unsupported(&path.child("dnsPolicy"), other, &DNS),
    }
    meta::labels(e, spec.node_selector.as_ref(), &path.child("nodeSelector"));
    security_context(e, spec, path);
    let secrets = path.child("imagePullSecrets");
    for (index, secret) in spec.image_pull_secrets.iter().flatten().enumerate() {
        if secret.name.is_empty() {
            e.required(&secrets.index(index).child("name"), "");
        }
    }
    if let Some(affinity) = &spec.affinity {
        scheduling::affinity(e, affinity, &path.child("affinity"));
    }
    if text(&spec.dns_policy) == "None"
        && spec
            .dns_config
            .as_ref()
            .is_none_or(|config| config.nameservers.as_ref().is_none_or(Vec::is_empty))
    {
        let config = path.child("dnsConfig");
        let detail = "must provide at least one DNS nameserver when `dnsPolicy` is None";
        if spec.dns_config.is_none() {
            e.required(&config, "must provide `dnsConfig` when `dnsPolicy` is None");
        } else {
            e.required(&config.child("nameservers"), detail);
        }
    }
    if let Some(servers) = spec.dns_config.as_ref().and_then(|config| config.nameservers.as_ref()) {
        let config = path.child("dnsConfig");
        if servers.len() > 3 {
            e.invalid(
                &config.child("nameservers"),
                shown(servers),
                "must not have more than 3 nameservers",
            );
        }
    }
    let gates = path.child("readinessGates");
    for (index, gate) in spec.readiness_gates.iter().flatten().enumerate() {
        let at = gates.index(index);
        e.invalid_for(
            &at.child("conditionType"),
            &gate.condition_type,
            names::label_key(&gate.condition_type),
        );
    }
    scheduling::gates(e, spec, &path.child("schedulingGates"));
    scheduling::spread(e, spec, &path.child("topologySpreadConstraints"));
    if let Some(name) = spec.service_account_name.as_deref().filter(|name| !name.is_empty()) {
        e.invalid_for(&path.child("serviceAccountName"), name, names::dns1123_subdomain(name));
    }
    if let Some(name) = spec.node_name.as_deref().filter(|name| !name.is_empty()) {
        e.invalid_for(&path.child("nodeName"), name, names::dns1123_subdomain(name));
    }
    if let Some(seconds) = spec.active_deadline_seconds
        && !(1..=i64::from(i32::MAX)).contains(&seconds)
    {
        e.invalid(
            &path.child("activeDeadlineSeconds"),
            seconds,
            "must be between 1 and 2147483647, inclusive",
        );
    }
    for (field, value) in [("hostname", &spec.hostname), ("subdomain", &spec.subdomain)] {
        if let Some(value) = value.as_deref().filter(|value| !value.is_empty()) {
            e.invalid_for(&path.child(field), value, names::dns1123_label(value));
        }
    }
    scheduling::tolerations(e, spec, &path.child("tolerations"));
    let aliases = path.child("hostAliases");
    for (index, alias) in spec.host_aliases.iter().flatten().enumerate() {
        if let Some(reason) = names::ip(&alias.ip) {
            e.invalid_text(&aliases.index(index).child("ip"), &alias.ip, &reason);
        }
    }
    if let Some(class) = spec.priority_class_name.as_deref().filter(|name| !name.is_empty()) {
        e.invalid_for(&path.child("priorityClassName"), class, names::dns1123_subdomain(class));
    }
    if let Some(class) = &spec.runtime_class_name {
        e.invalid_for(&path.child("runtimeClassName"), class, names::dns1123_subdomain(class));
    }
    match spec.preemption_policy.as_deref() {
        None | Some("PreemptLowerPriority" | "Never") => {}
        Some("") => e.required(&path.child("preemptionPolicy"), ""),
        Some(other) => e.unsupported(
            &path.child("preemptionPolicy"),
            other,
            &["PreemptLowerPriority", "Never"],
        ),
    }
}

/// `validatePodResources`: what the pod asks for as a whole is no less than its containers ask for.
fn pod_level_resources(e: &mut Errors, spec: &core::PodSpec, path: &Path<'_>) {
    let Some(resources) = &spec.resources else { return };
    let at = path.child("resources");
    container::requirements(e, Some(resources), &at);
    let requests = at.child("requests");
    for (name, whole) in resources.requests.iter().flatten() {
        let Ok(amount) = quantity::parse(&whole.0) else {
            continue;
        };
        let mut sum = quantity::Quantity::ZERO;
        for container in &spec.containers {
            let own = container
                .resources
                .as_ref()
                .and_then(|resources| resources.requests.as_ref()?.get(name));
            if let Some(own) = own.and_then(|own| quantity::parse(&own.0).ok()) {
                sum = sum.plus(own);
            }
        }
        if amount < sum {
            let detail = format!("must be greater than or equal to aggregate container requests of {sum}");
            e.invalid_text(&requests.key(name), &amount.to_string(), &detail);
        }
    }
}

/// `validatePodHostNetworkDeps`
fn host_network_ports(e: &mut Errors, spec: &core::PodSpec, path: &Path<'_>, is_pod: bool) {
    if spec.host_network != Some(true) {
        return;
    }
    let containers = path.child("containers");
    for (index, container) in spec.containers.iter().enumerate() {
        let at = containers.index(index);
        let ports = at.child("ports");
        for (index, port) in container.ports.iter().flatten().enumerate() {
            let host = port.host_port.unwrap_or(0);
            if (is_pod || host != 0) && host != port.container_port {
                let at = ports.index(index);
                e.invalid(
                    &at.child("hostPort"),
                    host,
                    "must match `containerPort` when `hostNetwork` is true",
                );
            }
        }
    }
}

/// `validatePodSpecSecurityContext`
fn security_context(e: &mut Errors, spec: &core::PodSpec, path: &Path<'_>) {
    let Some(security) = &spec.security_context else { return };
    let at = path.child("securityContext");
    const RANGE: &str = "must be between 0 and 2147483647, inclusive";
    let in_range = |id: i64| (0..=i64::from(i32::MAX)).contains(&id);
    for (field, id) in [
        ("fsGroup", security.fs_group),
        ("runAsUser", security.run_as_user),
        ("runAsGroup", security.run_as_group),
    ] {
        if let Some(id) = id.filter(|id| !in_range(*id)) {
            e.invalid(&at.child(field), id, RANGE);
        }
    }
    if spec.share_process_namespace == Some(true) && spec.host_pid == Some(true) {
        let detail = "ShareProcessNamespace and HostPID cannot both be enabled";
        e.invalid(&at.child("shareProcessNamespace"), true, detail);
    }
}
