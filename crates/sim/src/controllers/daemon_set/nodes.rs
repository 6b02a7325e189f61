//! Which nodes suit a DaemonSet, and the pod for a node (`NodeShouldRunDaemonPod`, `pkg/controller/daemon/util`).

use crate::core;
use k8s_openapi::api::apps::v1 as apps;

use super::{GENERATION, GENERATION_LABEL, HASH_LABEL};
use crate::controllers::pods;
use crate::objects::{Kind, Object};
use crate::scheduler::plugins::node_affinity::required_match;
use crate::scheduler::plugins::taint_toleration::untolerated;
use crate::world::World;

/// All nodes, by name.
pub(super) fn all(w: &World) -> Vec<core::Node> {
    let nodes = w.store.list(Kind::Node, None);
    nodes
        .filter_map(|stored| match &stored.object {
            Object::Node(node) => Some(node.clone()),
            _ => None,
        })
        .collect()
}

/// Tolerations that every daemon pod gets (`AddOrUpdateDaemonPodTolerations`).
fn tolerations(spec: &core::PodSpec) -> Vec<core::Toleration> {
    let own = spec.tolerations.clone().unwrap_or_default();
    let mut added = vec![
        ("node.kubernetes.io/not-ready", "NoExecute"),
        ("node.kubernetes.io/unreachable", "NoExecute"),
        ("node.kubernetes.io/disk-pressure", "NoSchedule"),
        ("node.kubernetes.io/memory-pressure", "NoSchedule"),
        ("node.kubernetes.io/pid-pressure", "NoSchedule"),
        ("node.kubernetes.io/unschedulable", "NoSchedule"),
    ];
    if spec.host_network == Some(true) {
        added.push(("node.kubernetes.io/network-unavailable", "NoSchedule"));
    }
    let same = |toleration: &core::Toleration, key: &str, effect: &str| {
        toleration.key.as_deref() == Some(key) && toleration.effect.as_deref() == Some(effect)
    };
    let kept = own
        .into_iter()
        .filter(|toleration| !added.iter().any(|(key, effect)| same(toleration, key, effect)));
    let mut all: Vec<core::Toleration> = kept.collect();
    all.extend(added.iter().map(|(key, effect)| core::Toleration {
        key: Some((*key).to_owned()),
        operator: Some("Exists".to_owned()),
        effect: Some((*effect).to_owned()),
        ..core::Toleration::default()
    }));
    all
}

/// Whether the DaemonSet runs on a node, and whether a pod that is there already may stay.
pub(super) fn suits(set: &apps::DaemonSet, node: &core::Node) -> (bool, bool) {
    let Some(spec) = set.spec.as_ref().and_then(|spec| spec.template.spec.as_ref()) else {
        return (false, false);
    };
    let name = node.metadata.name.as_deref().unwrap_or_default();
    if spec
        .node_name
        .as_deref()
        .is_some_and(|wanted| !wanted.is_empty() && wanted != name)
    {
        return (false, false);
    }
    let pod = core::Pod {
        spec: Some(spec.clone().into()),
        ..core::Pod::default()
    };
    let labels = node.metadata.labels.clone().unwrap_or_default();
    if !required_match(&pod, name, &labels) {
        return (false, false);
    }
    let tolerations = tolerations(spec);
    let taints = node
        .spec
        .as_ref()
        .and_then(|spec| spec.taints.as_deref())
        .unwrap_or_default();
    if untolerated(taints, &tolerations, &["NoSchedule", "NoExecute"]).is_none() {
        return (true, true);
    }
    (false, untolerated(taints, &tolerations, &["NoExecute"]).is_none())
}

/// The pod for a node: the scheduler may put it there and nowhere else.
pub(super) fn new_pod(set: &apps::DaemonSet, owner: &Object, node: &str, hash: &str) -> core::Pod {
    let template = set.spec.as_ref().map(|spec| spec.template.clone()).unwrap_or_default();
    let mut pod = pods::from_template(&template, owner);
    let labels = pod.metadata.labels.get_or_insert_default();
    let generation = set
        .metadata
        .annotations
        .as_ref()
        .and_then(|annotations| annotations.get(GENERATION))
        .cloned();
    if let Some(generation) = generation.or_else(|| set.metadata.generation.map(|number| number.to_string())) {
        labels.insert(GENERATION_LABEL.to_owned(), generation);
    }
    labels.insert(HASH_LABEL.to_owned(), hash.to_owned());
    let spec = pod.spec.get_or_insert_default();
    spec.tolerations = Some(tolerations(spec));
    let affinity = spec
        .affinity
        .get_or_insert_default()
        .node_affinity
        .get_or_insert_default();
    let fields = vec![core::NodeSelectorRequirement {
        key: "metadata.name".to_owned(),
        operator: "In".to_owned(),
        values: Some(vec![node.to_owned()]),
    }];
    let required = affinity
        .required_during_scheduling_ignored_during_execution
        .get_or_insert_default();
    if required.node_selector_terms.is_empty() {
        required.node_selector_terms.push(core::NodeSelectorTerm::default());
    }
    for term in &mut required.node_selector_terms {
        term.match_fields = Some(fields.clone());
    }
    pod
}

/// The node that a daemon pod is on, or else the one that its affinity names (`GetTargetNodeName`).
pub(super) fn target(pod: &core::Pod) -> Option<String> {
    let spec = pod.spec.as_ref()?;
    if let Some(node) = spec.node_name.clone().filter(|node| !node.is_empty()) {
        return Some(node);
    }
    let affinity = spec.affinity.as_ref()?.node_affinity.as_ref()?;
    let terms = &affinity
        .required_during_scheduling_ignored_during_execution
        .as_ref()?
        .node_selector_terms;
    terms
        .iter()
        .flat_map(|term| term.match_fields.iter().flatten())
        .find(|field| field.key == "metadata.name" && field.operator == "In")
        .and_then(|field| field.values.as_ref()?.first().cloned())
}
