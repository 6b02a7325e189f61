//! Whether the node takes a pod (`pkg/kubelet/lifecycle/predicate.go`, `pkg/kubelet/allocation`): decided once, when the pod
//! arrives; a pod that is refused fails and is never tried again.

use super::eviction::EVICTED;
use super::eviction::threshold::Pressure;
use super::node::Kubelet;
use super::nodeshutdown::REFUSED;
use super::static_pods::is_critical;
use super::worker::{Work, Worker};
use crate::core;
use crate::objects::is_terminal;
use crate::resources::{Amounts, milli_value, pod_requests};
use crate::world::World;

/// Why a node refuses a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// `OutOfcpu`, `NodeAffinity` …
    pub reason: String,
    /// The kubelet's words.
    pub message: String,
}

/// The first reason for which the node cannot take the pod, given what its other pods ask for.
///
/// # Errors
/// The refusal.
pub fn admit(node: &core::Node, others: &[&core::Pod], pod: &core::Pod) -> Result<(), Refusal> {
    let mut used = Amounts::new();
    for other in others {
        for (name, amount) in pod_requests(other.spec.as_deref().unwrap_or(&core::PodSpec::default())) {
            *used.entry(name).or_default() += amount;
        }
    }
    let ports: Vec<HostPort> = others.iter().flat_map(|other| host_ports(other)).collect();
    fits(node, others.len(), &used, &ports, pod)
}

fn refusal(reason: &str, message: String) -> Refusal {
    Refusal {
        reason: reason.to_owned(),
        message,
    }
}

fn fits(node: &core::Node, pods: usize, used: &Amounts, ports: &[HostPort], pod: &core::Pod) -> Result<(), Refusal> {
    let empty = core::PodSpec::default();
    let spec = pod.spec.as_deref().unwrap_or(&empty);
    let labels = node.metadata.labels.clone().unwrap_or_default();
    let os = labels.get("kubernetes.io/os").map_or("linux", String::as_str);
    let wanted = pod
        .metadata
        .labels
        .as_ref()
        .and_then(|labels| labels.get("kubernetes.io/os"));
    if wanted.is_some_and(|wanted| wanted != os) {
        let message = "Failed to admit pod as the `kubernetes.io/os` label doesn't match node label";
        return Err(refusal("PodOSSelectorNodeLabelDoesNotMatch", message.to_owned()));
    }
    if spec.os.as_ref().is_some_and(|wanted| wanted.name != os) {
        let message = "Failed to admit pod as the OS field doesn't match node OS";
        return Err(refusal("PodOSNotSupported", message.to_owned()));
    }
    let allocatable = node
        .status
        .as_ref()
        .and_then(|status| status.allocatable.clone())
        .unwrap_or_default();
    let room = |name: &str| allocatable.get(name).map(milli_value);
    let lacks = |name: &str, requested: i128, used: i128, capacity: i128| {
        let message = format!(
            "Node didn't have enough resource: {name}, requested: {requested}, used: {used}, capacity: {capacity}"
        );
        refusal(&format!("OutOf{name}"), message)
    };
    let most = room("pods").unwrap_or(0) / 1000;
    if pods as i128 + 1 > most {
        return Err(lacks("pods", 1, pods as i128, most));
    }
    let requests = pod_requests(spec);
    // cpu first, then memory, ephemeral storage and the rest by name, as the scheduler's filter goes.
    let rank = |name: &str| match name {
        "cpu" => 0,
        "memory" => 1,
        "ephemeral-storage" => 2,
        _ => 3,
    };
    let mut names: Vec<&String> = requests.keys().collect();
    names.sort_by_key(|name| (rank(name), name.as_str()));
    for name in names {
        let requested = requests[name];
        // An extended resource that the node does not know is none of its business.
        let Some(capacity) = room(name).or((rank(name) < 3).then_some(0)) else {
            continue;
        };
        let taken = used.get(name).copied().unwrap_or(0);
        if requested > 0 && requested > capacity - taken {
            let unit = if name == "cpu" { 1 } else { 1000 };
            return Err(lacks(name, requested / unit, taken / unit, capacity / unit));
        }
    }
    if !matches_node(spec, node) {
        let text = "node(s) didn't match Pod's node affinity/selector";
        return Err(refusal(
            "NodeAffinity",
            format!("Predicate NodeAffinity failed: {text}"),
        ));
    }
    let name = node.metadata.name.as_deref().unwrap_or_default();
    if spec
        .node_name
        .as_deref()
        .is_some_and(|wanted| !wanted.is_empty() && wanted != name)
    {
        let text = "node(s) didn't match the requested node name";
        return Err(refusal("NodeName", format!("Predicate NodeName failed: {text}")));
    }
    if host_ports(pod)
        .iter()
        .any(|wanted| ports.iter().any(|known| ports_conflict(known, wanted)))
    {
        let text = "node(s) didn't have free ports for the requested pod ports";
        return Err(refusal("NodePorts", format!("Predicate NodePorts failed: {text}")));
    }
    let taints = node
        .spec
        .as_ref()
        .and_then(|spec| spec.taints.as_deref())
        .unwrap_or_default();
    let is_static = pod
        .metadata
        .annotations
        .as_ref()
        .is_some_and(|all| all.contains_key("kubernetes.io/config.source"));
    let bad = taints
        .iter()
        .filter(|taint| taint.effect == "NoExecute" && !is_static)
        .find(|taint| {
            !spec
                .tolerations
                .iter()
                .flatten()
                .any(|toleration| tolerates(toleration, taint))
        });
    if bad.is_some() {
        let text = "node(s) had taints that the pod didn't tolerate";
        return Err(refusal(
            "TaintToleration",
            format!("Predicate TaintToleration failed: {text}"),
        ));
    }
    Ok(())
}

fn tolerates(toleration: &core::Toleration, taint: &core::Taint) -> bool {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let effect = text(&toleration.effect);
    if !effect.is_empty() && effect != taint.effect {
        return false;
    }
    let key = text(&toleration.key);
    if !key.is_empty() && key != taint.key {
        return false;
    }
    match toleration.operator.as_deref().unwrap_or("Equal") {
        "Exists" => true,
        "Equal" | "" => !key.is_empty() && text(&toleration.value) == text(&taint.value),
        _ => false,
    }
}

fn matches_node(spec: &core::PodSpec, node: &core::Node) -> bool {
    let empty = std::collections::BTreeMap::new();
    let labels = node.metadata.labels.as_ref().unwrap_or(&empty);
    if !spec
        .node_selector
        .iter()
        .flatten()
        .all(|(key, value)| labels.get(key) == Some(value))
    {
        return false;
    }
    let required = spec
        .affinity
        .as_ref()
        .and_then(|affinity| affinity.node_affinity.as_ref())
        .and_then(|affinity| affinity.required_during_scheduling_ignored_during_execution.as_ref());
    let Some(required) = required else { return true };
    let name = node.metadata.name.as_deref();
    let matches = |value: Option<&str>, requirement: &core::NodeSelectorRequirement| {
        let values = requirement.values.as_deref().unwrap_or_default();
        let number = |text: &str| text.parse::<i64>().ok();
        match requirement.operator.as_str() {
            "In" => value.is_some_and(|value| values.iter().any(|known| known == value)),
            "NotIn" => !value.is_some_and(|value| values.iter().any(|known| known == value)),
            "Exists" => value.is_some(),
            "DoesNotExist" => value.is_none(),
            "Gt" => value
                .and_then(number)
                .zip(values.first().and_then(|text| number(text)))
                .is_some_and(|(a, b)| a > b),
            "Lt" => value
                .and_then(number)
                .zip(values.first().and_then(|text| number(text)))
                .is_some_and(|(a, b)| a < b),
            _ => false,
        }
    };
    required.node_selector_terms.iter().any(|term| {
        let expressions = term.match_expressions.as_deref().unwrap_or_default();
        let fields = term.match_fields.as_deref().unwrap_or_default();
        !(expressions.is_empty() && fields.is_empty())
            && expressions
                .iter()
                .all(|one| matches(labels.get(&one.key).map(String::as_str), one))
            && fields
                .iter()
                .all(|one| one.key == "metadata.name" && matches(name, one))
    })
}

/// A port of the node that a pod takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostPort {
    /// Address; empty or `0.0.0.0` for all.
    pub ip: String,
    /// Protocol; empty for TCP.
    pub protocol: String,
    /// Port; none if not positive.
    pub port: i32,
}

/// Whether two pods cannot have these ports on one node (`HostPortInfo.CheckConflict`).
pub fn ports_conflict(known: &HostPort, wanted: &HostPort) -> bool {
    let protocol = |port: &HostPort| {
        if port.protocol.is_empty() {
            "TCP".to_owned()
        } else {
            port.protocol.clone()
        }
    };
    let any = |port: &HostPort| port.ip.is_empty() || port.ip == "0.0.0.0";
    wanted.port > 0
        && known.port == wanted.port
        && protocol(known) == protocol(wanted)
        && (any(known) || any(wanted) || known.ip == wanted.ip)
}

fn host_ports(pod: &core::Pod) -> Vec<HostPort> {
    let Some(spec) = &pod.spec else { return Vec::new() };
    let sidecars = spec
        .init_containers
        .iter()
        .flatten()
        .filter(|container| crate::resources::is_sidecar(container));
    spec.containers
        .iter()
        .chain(sidecars)
        .flat_map(|container| container.ports.iter().flatten())
        .filter_map(|port| {
            Some(HostPort {
                ip: port.host_ip.clone().unwrap_or_default(),
                protocol: port.protocol.clone().unwrap_or_default(),
                port: port.host_port.filter(|port| *port > 0)?,
            })
        })
        .collect()
}

impl Kubelet {
    /// Admits a pod, or refuses it and says so; whether it was admitted.
    pub(super) fn admit(&mut self, w: &mut World, worker: &mut Worker) -> bool {
        if is_terminal(&worker.pod) || worker.pod.metadata.deletion_timestamp.is_some() {
            return true;
        }
        let shutting_down = || {
            let (reason, message) = REFUSED;
            self.shutting_down.then(|| refusal(reason, message.to_owned()))
        };
        let refused = self
            .refused_under_pressure(worker)
            .or_else(|| self.room_for(w, &worker.as_allocated()).err())
            .or_else(shutting_down);
        let Some(refusal) = refused else {
            return true;
        };
        let rule = "pkg/kubelet/lifecycle/predicate.go Admit";
        let values = [
            ("reason", refusal.reason.as_str()),
            ("message", refusal.message.as_str()),
        ];
        let record = w.decide(worker.reference(), None, rule, "admission.refused", &values);
        w.causes = vec![record];
        self.reject(w, worker, &refusal.reason, &refusal.message);
        worker.work = Work::Finished;
        false
    }

    /// While the node is short of something it takes no pods but critical ones; short of memory alone, all but those that ask for
    /// nothing and do not tolerate it (`eviction_manager.go Admit`).
    fn refused_under_pressure(&self, worker: &Worker) -> Option<Refusal> {
        let conditions = &self.eviction.conditions;
        if conditions.is_empty() || is_critical(&worker.pod) {
            return None;
        }
        if conditions.iter().eq([&Pressure::Memory]) {
            let taint = core::Taint {
                key: "node.kubernetes.io/memory-pressure".to_owned(),
                effect: "NoSchedule".to_owned(),
                ..Default::default()
            };
            let mut tolerations = worker.spec().tolerations.iter().flatten();
            if worker.qos != "BestEffort" || tolerations.any(|toleration| tolerates(toleration, &taint)) {
                return None;
            }
        }
        let conditions: Vec<String> = conditions.iter().map(ToString::to_string).collect();
        let message = format!("The node had condition: [{}]. ", conditions.join(" "));
        Some(refusal(EVICTED, message))
    }

    /// Whether the node has room for the pod beside its other pods.
    pub(super) fn room_for(&self, w: &World, pod: &core::Pod) -> Result<(), Refusal> {
        let Some(node) = w.node(&self.name) else {
            return Ok(());
        };
        // Only pods that the API still has count (`kubelet_pods.go GetActivePods`): one that was deleted by force has left
        // its place at once, though its containers may run on for a moment.
        let others = || {
            self.pods.values().filter(|other| {
                other.admitted && !other.removed && !other.terminated_done && other.work != Work::Finished
            })
        };
        let mut used = Amounts::new();
        for other in others() {
            for (name, amount) in &other.requests {
                *used.entry(name.clone()).or_default() += amount;
            }
        }
        let ports: Vec<HostPort> = others().flat_map(|other| host_ports(&other.pod)).collect();
        fits(node, others().count(), &used, &ports, pod)
    }
}
