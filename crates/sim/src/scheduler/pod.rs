//! What the scheduler remembers of a pod: the parts that count against a node, taken out once.

use crate::core;
use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, Time};

use crate::objects::{Key, Kind, selects};
use crate::resources::{is_sidecar, milli_value, value};

/// Labels of an object.
pub type Labels = BTreeMap<String, String>;

/// CPU that a container without a request counts for in scores, in thousandths (`DefaultMilliCPURequest`).
const DEFAULT_MILLI_CPU: i64 = 100;
/// Memory that a container without a request counts for in scores, in bytes (`DefaultMemoryRequest`).
const DEFAULT_MEMORY: i64 = 200 * 1024 * 1024;

/// Amounts of resources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// CPU in thousandths.
    pub milli_cpu: i64,
    /// Memory in bytes.
    pub memory: i64,
    /// Ephemeral storage in bytes.
    pub ephemeral_storage: i64,
    /// Everything else by name, in whole units.
    pub scalar: BTreeMap<String, i64>,
}

impl Resources {
    /// The amounts of a resource list; `pods` is left out, since it is counted, not summed.
    pub fn of(list: Option<&BTreeMap<String, Quantity>>) -> Self {
        let mut resources = Self::default();
        for (name, quantity) in list.into_iter().flatten() {
            match name.as_str() {
                "cpu" => resources.milli_cpu = clamp(milli_value(quantity)),
                "memory" => resources.memory = clamp(value(quantity)),
                "ephemeral-storage" => resources.ephemeral_storage = clamp(value(quantity)),
                "pods" => {}
                _ => {
                    resources.scalar.insert(name.clone(), clamp(value(quantity)));
                }
            }
        }
        resources
    }

    /// Adds (`sign` 1) or takes away (`sign` −1).
    pub fn add(&mut self, other: &Self, sign: i64) {
        self.milli_cpu += sign * other.milli_cpu;
        self.memory += sign * other.memory;
        self.ephemeral_storage += sign * other.ephemeral_storage;
        for (name, amount) in &other.scalar {
            *self.scalar.entry(name.clone()).or_default() += sign * amount;
        }
    }

    fn raise(&mut self, other: &Self) {
        self.milli_cpu = self.milli_cpu.max(other.milli_cpu);
        self.memory = self.memory.max(other.memory);
        self.ephemeral_storage = self.ephemeral_storage.max(other.ephemeral_storage);
        for (name, amount) in &other.scalar {
            let entry = self.scalar.entry(name.clone()).or_default();
            *entry = (*entry).max(*amount);
        }
    }

    /// Whether nothing is asked for.
    pub fn is_zero(&self) -> bool {
        self.milli_cpu == 0
            && self.memory == 0
            && self.ephemeral_storage == 0
            && self.scalar.values().all(|amount| *amount == 0)
    }
}

fn clamp(amount: i128) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}

/// What a pod asks for (`component-helpers/resource/helpers.go PodRequests`). With `nonzero`, containers that ask for no
/// CPU or memory count with the defaults that scores use.
pub fn pod_requests(spec: &core::PodSpec, nonzero: bool) -> Resources {
    let requests = |container: &core::Container| {
        let list = container
            .resources
            .as_ref()
            .and_then(|resources| resources.requests.as_ref());
        let mut amounts = Resources::of(list);
        if nonzero {
            if list.is_none_or(|list| !list.contains_key("cpu")) {
                amounts.milli_cpu = DEFAULT_MILLI_CPU;
            }
            if list.is_none_or(|list| !list.contains_key("memory")) {
                amounts.memory = DEFAULT_MEMORY;
            }
        }
        amounts
    };
    let mut total = Resources::default();
    for container in &spec.containers {
        total.add(&requests(container), 1);
    }
    let (mut sidecars, mut peak) = (Resources::default(), Resources::default());
    for container in spec.init_containers.iter().flatten() {
        let own = requests(container);
        if is_sidecar(container) {
            total.add(&own, 1);
            sidecars.add(&own, 1);
            peak.raise(&sidecars);
        } else {
            let mut alone = sidecars.clone();
            alone.add(&own, 1);
            peak.raise(&alone);
        }
    }
    total.raise(&peak);
    if let Some(list) = spec
        .resources
        .as_ref()
        .and_then(|resources| resources.requests.as_ref())
    {
        let level = Resources::of(Some(list));
        if list.contains_key("cpu") {
            total.milli_cpu = level.milli_cpu;
        }
        if list.contains_key("memory") {
            total.memory = level.memory;
        }
        total.scalar.extend(level.scalar);
    }
    total.add(&Resources::of(spec.overhead.as_ref()), 1);
    total
}

/// A port of the node that a pod takes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostPort {
    /// Protocol.
    pub protocol: String,
    /// Port number.
    pub port: i32,
    /// Address, `0.0.0.0` for all.
    pub ip: String,
}

impl HostPort {
    /// Whether both cannot be taken on one node (`HostPortInfo.CheckConflict`).
    pub fn conflicts(&self, other: &Self) -> bool {
        const ANY: &str = "0.0.0.0";
        self.protocol == other.protocol
            && self.port == other.port
            && (self.ip == other.ip || self.ip == ANY || other.ip == ANY)
    }
}

fn host_ports(spec: &core::PodSpec) -> Vec<HostPort> {
    let sidecars = spec
        .init_containers
        .iter()
        .flatten()
        .filter(|container| is_sidecar(container));
    spec.containers
        .iter()
        .chain(sidecars)
        .flat_map(|container| container.ports.iter().flatten())
        .filter_map(|port| {
            let number = port.host_port.filter(|number| *number > 0)?;
            Some(HostPort {
                protocol: port.protocol.clone().unwrap_or_else(|| "TCP".to_owned()),
                port: number,
                ip: port
                    .host_ip
                    .clone()
                    .filter(|ip| !ip.is_empty())
                    .unwrap_or_else(|| "0.0.0.0".to_owned()),
            })
        })
        .collect()
}

/// One term of pod affinity or anti-affinity.
#[derive(Clone, Debug, PartialEq)]
pub struct AffinityTerm {
    namespaces: Vec<String>,
    namespace_selector: Option<LabelSelector>,
    selector: LabelSelector,
    /// The node label that makes two nodes the same place.
    pub topology_key: String,
    /// Weight of a preferred term, zero for a required one.
    pub weight: i64,
}

impl AffinityTerm {
    fn new(term: &core::PodAffinityTerm, namespace: &str, labels: &Labels, weight: i64) -> Self {
        let mut namespaces = term.namespaces.clone().unwrap_or_default();
        if namespaces.is_empty() && term.namespace_selector.is_none() {
            namespaces.push(namespace.to_owned());
        }
        // A missing selector matches nothing; one that matches nothing is the plainest way to say so.
        let mut selector = term.label_selector.clone().unwrap_or_else(nothing);
        let mut add = |keys: &Option<Vec<String>>, operator: &str| {
            for key in keys.iter().flatten() {
                if let Some(value) = labels.get(key) {
                    selector.match_expressions.get_or_insert_default().push(
                        k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelectorRequirement {
                            key: key.clone(),
                            operator: operator.to_owned(),
                            values: Some(vec![value.clone()]),
                        },
                    );
                }
            }
        };
        add(&term.match_label_keys, "In");
        add(&term.mismatch_label_keys, "NotIn");
        Self {
            namespaces,
            namespace_selector: term.namespace_selector.clone(),
            selector,
            topology_key: term.topology_key.clone(),
            weight,
        }
    }

    /// Whether a pod with these labels in that namespace is one that the term speaks of.
    pub fn matches(&self, namespace: &str, labels: &Labels, namespaces: &BTreeMap<String, Labels>) -> bool {
        let place = self.namespaces.iter().any(|own| own == namespace)
            || self
                .namespace_selector
                .as_ref()
                .is_some_and(|selector| selects(selector, namespaces.get(namespace)));
        place && selects(&self.selector, Some(labels))
    }
}

fn nothing() -> LabelSelector {
    LabelSelector {
        match_expressions: Some(vec![
            k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelectorRequirement {
                key: String::new(),
                operator: "In".to_owned(),
                values: Some(Vec::new()),
            },
        ]),
        match_labels: None,
    }
}

/// The terms by which a pod wants to be near others or away from them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Affinity {
    /// Required nearness.
    pub required: Vec<AffinityTerm>,
    /// Required distance.
    pub required_anti: Vec<AffinityTerm>,
    /// Preferred nearness.
    pub preferred: Vec<AffinityTerm>,
    /// Preferred distance.
    pub preferred_anti: Vec<AffinityTerm>,
}

impl Affinity {
    fn of(pod: &core::Pod, namespace: &str, labels: &Labels) -> Option<Box<Self>> {
        let affinity = pod.spec.as_ref()?.affinity.as_ref()?;
        let required = |terms: &Option<Vec<core::PodAffinityTerm>>| {
            terms
                .iter()
                .flatten()
                .map(|term| AffinityTerm::new(term, namespace, labels, 0))
                .collect()
        };
        let preferred = |terms: &Option<Vec<core::WeightedPodAffinityTerm>>| {
            terms
                .iter()
                .flatten()
                .map(|term| AffinityTerm::new(&term.pod_affinity_term, namespace, labels, i64::from(term.weight)))
                .collect()
        };
        let mut own = Self::default();
        if let Some(affinity) = &affinity.pod_affinity {
            own.required = required(&affinity.required_during_scheduling_ignored_during_execution);
            own.preferred = preferred(&affinity.preferred_during_scheduling_ignored_during_execution);
        }
        if let Some(affinity) = &affinity.pod_anti_affinity {
            own.required_anti = required(&affinity.required_during_scheduling_ignored_during_execution);
            own.preferred_anti = preferred(&affinity.preferred_during_scheduling_ignored_during_execution);
        }
        (own != Self::default()).then(|| Box::new(own))
    }
}

/// What counts of a pod, wherever it is.
#[derive(Clone, Debug, PartialEq)]
pub struct PodInfo {
    /// Its key in the store.
    pub key: Key,
    /// UID.
    pub uid: Arc<str>,
    /// Labels.
    pub labels: Arc<Labels>,
    /// Priority.
    pub priority: i32,
    /// What it asks for.
    pub requests: Resources,
    /// CPU (thousandths) and memory (bytes) that it counts for in scores.
    pub nonzero: (i64, i64),
    /// Ports of the node that it takes.
    pub ports: Vec<HostPort>,
    /// Its affinity to other pods.
    pub affinity: Option<Box<Affinity>>,
    /// Whether it is being deleted.
    pub terminating: bool,
    /// Whether it is being deleted because a more important pod took its place.
    pub preempted: bool,
    /// When it started.
    pub start_time: Option<Time>,
    /// Taints that it tolerates.
    pub tolerations: Vec<core::Toleration>,
    /// Counts the changes of its spec.
    generation: Option<i64>,
}

fn is_preempted(pod: &core::Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.into_iter().flatten().any(|condition| {
        condition.type_ == "DisruptionTarget"
            && condition.status == "True"
            && condition.reason.as_deref() == Some("PreemptionByScheduler")
    })
}

impl PodInfo {
    /// Takes out of a pod what counts.
    pub fn new(pod: &core::Pod) -> Self {
        let meta = &pod.metadata;
        let namespace = meta.namespace.as_deref().unwrap_or("default");
        let labels = meta.labels.clone().unwrap_or_default();
        let spec = pod.spec.as_ref();
        let nonzero = spec.map(|spec| pod_requests(spec, true)).unwrap_or_default();
        let status = pod.status.as_ref();
        Self {
            key: Key::new(Kind::Pod, namespace, meta.name.as_deref().unwrap_or_default()),
            uid: meta.uid.as_deref().unwrap_or_default().into(),
            affinity: Affinity::of(pod, namespace, &labels),
            labels: Arc::new(labels),
            priority: spec.and_then(|spec| spec.priority).unwrap_or(0),
            requests: spec.map(|spec| pod_requests(spec, false)).unwrap_or_default(),
            nonzero: (nonzero.milli_cpu, nonzero.memory),
            ports: spec.map(|spec| host_ports(spec)).unwrap_or_default(),
            terminating: meta.deletion_timestamp.is_some(),
            preempted: is_preempted(pod),
            start_time: status.and_then(|status| status.start_time.clone()),
            tolerations: spec.and_then(|spec| spec.tolerations.clone()).unwrap_or_default(),
            generation: meta.generation,
        }
    }

    /// Whether another version of the pod counts as this one does.
    pub fn counts_as(&self, other: &Self) -> bool {
        let generation = other.generation;
        *other
            == Self {
                generation,
                ..self.clone()
            }
    }

    /// Whether a later version of the pod counts as this one does, found out without reading it anew when that is not known.
    pub fn is_still(&self, pod: &core::Pod) -> bool {
        static NONE: Labels = Labels::new();
        let meta = &pod.metadata;
        let status = pod.status.as_ref();
        self.generation.is_some()
            && self.generation == meta.generation
            && meta.uid.as_deref() == Some(&*self.uid)
            && *self.labels == *meta.labels.as_ref().unwrap_or(&NONE)
            && self.terminating == meta.deletion_timestamp.is_some()
            && self.start_time.as_ref() == status.and_then(|status| status.start_time.as_ref())
            && self.preempted == is_preempted(pod)
    }

    /// Namespace.
    pub fn namespace(&self) -> &str {
        &self.key.namespace
    }
}
