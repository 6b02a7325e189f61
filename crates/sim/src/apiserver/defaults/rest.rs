//! Everything that runs no pods by itself (`pkg/apis/{core,storage,autoscaling,discovery,networking}/…/defaults.go`).

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::{
    autoscaling::v2 as autoscaling, core::v1 as core, discovery::v1 as discovery, networking::v1 as networking,
    storage::v1 as storage,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::pod::resources;
use super::text;

pub(super) fn service(service: &mut core::Service) {
    let spec = service.spec.get_or_insert_default();
    text(&mut spec.session_affinity, "None");
    text(&mut spec.type_, "ClusterIP");
    if spec.session_affinity.as_deref() == Some("ClientIP") {
        let config = spec.session_affinity_config.get_or_insert_default();
        config
            .client_ip
            .get_or_insert_default()
            .timeout_seconds
            .get_or_insert(3 * 60 * 60);
    }
    for port in spec.ports.iter_mut().flatten() {
        text(&mut port.protocol, "TCP");
        let missing = match &port.target_port {
            None | Some(IntOrString::Int(0)) => true,
            Some(IntOrString::String(name)) => name.is_empty(),
            Some(IntOrString::Int(_)) => false,
        };
        if missing {
            port.target_port = Some(IntOrString::Int(port.port));
        }
    }
    let kind = spec.type_.clone().unwrap_or_default();
    if kind == "NodePort" || kind == "LoadBalancer" {
        text(&mut spec.external_traffic_policy, "Cluster");
    }
    if kind == "LoadBalancer" {
        spec.allocate_load_balancer_node_ports.get_or_insert(true);
    }
    if matches!(kind.as_str(), "ClusterIP" | "NodePort" | "LoadBalancer") {
        text(&mut spec.internal_traffic_policy, "Cluster");
    }
}

pub(super) fn endpoints(endpoints: &mut core::Endpoints) {
    for subset in endpoints.subsets.iter_mut().flatten() {
        for port in subset.ports.iter_mut().flatten() {
            text(&mut port.protocol, "TCP");
        }
    }
}

pub(super) fn endpoint_slice(slice: &mut discovery::EndpointSlice) {
    for port in slice.ports.iter_mut().flatten() {
        text(&mut port.protocol, "TCP");
        port.name.get_or_insert_default();
    }
}

/// `stringData` is written into `data` and not kept.
pub(super) fn secret(secret: &mut core::Secret) {
    text(&mut secret.type_, "Opaque");
    for (key, value) in secret.string_data.take().into_iter().flatten() {
        secret
            .data
            .get_or_insert_default()
            .insert(key, ByteString(value.into_bytes()));
    }
}

pub(super) fn namespace(namespace: &mut core::Namespace) {
    let name = namespace.metadata.name.clone().unwrap_or_default();
    if !name.is_empty() {
        namespace
            .metadata
            .labels
            .get_or_insert_default()
            .insert("kubernetes.io/metadata.name".to_owned(), name);
    }
    text(&mut namespace.status.get_or_insert_default().phase, "Active");
}

pub(super) fn node(node: &mut core::Node) {
    node.spec.get_or_insert_default();
    let status = node.status.get_or_insert_default();
    if status.allocatable.is_none() {
        status.allocatable.clone_from(&status.capacity);
    }
    resources(status.capacity.as_mut());
    resources(status.allocatable.as_mut());
}

/// `SetDefaults_LimitRangeItem`: a maximum is the default limit, the default limit (or the minimum) the default request.
pub(super) fn limit_range(range: &mut core::LimitRange) {
    for item in range.spec.iter_mut().flat_map(|spec| &mut spec.limits) {
        if item.type_ != "Container" {
            continue;
        }
        let max = item.max.clone().unwrap_or_default();
        let default = item.default.get_or_insert_default();
        for (name, amount) in max {
            default.entry(name).or_insert(amount);
        }
        let default = default.clone();
        let min = item.min.clone().unwrap_or_default();
        let request = item.default_request.get_or_insert_default();
        for (name, amount) in default.into_iter().chain(min) {
            request.entry(name).or_insert(amount);
        }
        for list in [&mut item.default, &mut item.default_request] {
            if list.as_ref().is_some_and(BTreeMap::is_empty) {
                *list = None;
            }
        }
    }
}

pub(super) fn resource_quota(quota: &mut core::ResourceQuota) {
    resources(quota.spec.as_mut().and_then(|spec| spec.hard.as_mut()));
    quota.status.get_or_insert_default();
}

pub(super) fn persistent_volume(volume: &mut core::PersistentVolume) {
    let spec = volume.spec.get_or_insert_default();
    text(&mut spec.persistent_volume_reclaim_policy, "Retain");
    text(&mut spec.volume_mode, "Filesystem");
    resources(spec.capacity.as_mut());
    if let Some(path) = &mut spec.host_path {
        path.type_.get_or_insert_default();
    }
    text(&mut volume.status.get_or_insert_default().phase, "Pending");
}

pub(super) fn persistent_volume_claim(claim: &mut core::PersistentVolumeClaim) {
    let spec = claim.spec.get_or_insert_default();
    text(&mut spec.volume_mode, "Filesystem");
    let requirements = spec.resources.get_or_insert_default();
    resources(requirements.requests.as_mut());
    resources(requirements.limits.as_mut());
    text(&mut claim.status.get_or_insert_default().phase, "Pending");
}

pub(super) fn storage_class(class: &mut storage::StorageClass) {
    text(&mut class.reclaim_policy, "Delete");
    text(&mut class.volume_binding_mode, "Immediate");
}

/// Without metrics, 80 % of the CPU request.
pub(super) fn autoscaler(autoscaler: &mut autoscaling::HorizontalPodAutoscaler) {
    let spec = &mut autoscaler.spec;
    spec.min_replicas.get_or_insert(1);
    if spec.metrics.as_ref().is_none_or(Vec::is_empty) {
        let target = autoscaling::MetricTarget {
            type_: "Utilization".to_owned(),
            average_utilization: Some(80),
            ..Default::default()
        };
        let resource = autoscaling::ResourceMetricSource {
            name: "cpu".to_owned(),
            target,
        };
        let metric = autoscaling::MetricSpec {
            type_: "Resource".to_owned(),
            resource: Some(resource),
            ..Default::default()
        };
        spec.metrics = Some(vec![metric]);
    }
}

pub(super) fn network_policy(policy: &mut networking::NetworkPolicy) {
    let Some(spec) = &mut policy.spec else { return };
    if spec.policy_types.as_ref().is_none_or(Vec::is_empty) {
        let mut types = vec!["Ingress".to_owned()];
        if spec.egress.as_ref().is_some_and(|rules| !rules.is_empty()) {
            types.push("Egress".to_owned());
        }
        spec.policy_types = Some(types);
    }
    for port in spec
        .ingress
        .iter_mut()
        .flatten()
        .flat_map(|rule| rule.ports.iter_mut().flatten())
    {
        text(&mut port.protocol, "TCP");
    }
    for port in spec
        .egress
        .iter_mut()
        .flatten()
        .flat_map(|rule| rule.ports.iter_mut().flatten())
    {
        text(&mut port.protocol, "TCP");
    }
}
