//! InterPodAffinity: pods that want to be near others or away from them
//! (`pkg/scheduler/framework/plugins/interpodaffinity/{filtering,scoring}.go`).

use std::collections::BTreeMap;

use crate::scheduler::cache::{Cache, NodeId, NodeInfo};
use crate::scheduler::framework::{MAX_NODE_SCORE, Plugin, Rejection};
use crate::scheduler::pod::{Affinity, AffinityTerm, Labels, PodInfo};

/// Weight that a required term of an existing pod has in scores (`hardPodAffinityWeight`).
const HARD_POD_AFFINITY_WEIGHT: i64 = 1;

/// How many pods count in each place, a place being a node label and its value.
#[derive(Clone, Debug, Default)]
struct Places(BTreeMap<String, BTreeMap<String, i64>>);

impl Places {
    fn add(&mut self, node: &NodeInfo, key: &str, amount: i64) {
        let Some(value) = node.labels.get(key) else { return };
        if !self.0.contains_key(key) {
            self.0.insert(key.to_owned(), BTreeMap::new());
        }
        if let Some(values) = self.0.get_mut(key) {
            let count = values.entry(value.clone()).or_default();
            *count += amount;
            if *count == 0 {
                values.remove(value);
                if values.is_empty() {
                    self.0.remove(key);
                }
            }
        }
    }

    fn at(&self, key: &str, value: &str) -> i64 {
        self.0
            .get(key)
            .and_then(|values| values.get(value))
            .copied()
            .unwrap_or(0)
    }
}

type Namespaces = BTreeMap<String, Labels>;

fn matches_all(terms: &[AffinityTerm], namespace: &str, labels: &Labels, namespaces: &Namespaces) -> bool {
    !terms.is_empty() && terms.iter().all(|term| term.matches(namespace, labels, namespaces))
}

/// What the filter counted beforehand.
#[derive(Clone, Debug, Default)]
pub struct FilterState {
    existing_anti: Places,
    wanted: Places,
    avoided: Places,
}

fn own_terms(pod: &PodInfo) -> (&[AffinityTerm], &[AffinityTerm]) {
    pod.affinity.as_deref().map_or((&[], &[]), |affinity: &Affinity| {
        (&affinity.required, &affinity.required_anti)
    })
}

impl FilterState {
    /// Counts (`PreFilter`); `None` when no term concerns the pod.
    pub fn new(cache: &Cache, pod: &PodInfo, namespaces: &Namespaces) -> Option<Self> {
        let mut state = Self::default();
        for (id, other) in cache.pods_with_affinity().filter(|(id, _)| cache.node(*id).exists) {
            let Some(affinity) = &other.affinity else { continue };
            for term in &affinity.required_anti {
                if term.matches(pod.namespace(), &pod.labels, namespaces) {
                    state.existing_anti.add(cache.node(id), &term.topology_key, 1);
                }
            }
        }
        let (required, anti) = own_terms(pod);
        if required.is_empty() && anti.is_empty() {
            return (!state.existing_anti.0.is_empty()).then_some(state);
        }
        for group in cache.groups() {
            let near = matches_all(required, &group.namespace, &group.labels, namespaces);
            for (id, (count, _)) in &group.nodes {
                let node = cache.node(*id);
                if near {
                    required
                        .iter()
                        .for_each(|term| state.wanted.add(node, &term.topology_key, *count));
                }
                for term in anti
                    .iter()
                    .filter(|term| term.matches(&group.namespace, &group.labels, namespaces))
                {
                    state.avoided.add(node, &term.topology_key, *count);
                }
            }
        }
        Some(state)
    }

    /// Counts a pod in or out that is thought to be on a node or away from it (`AddPod`, `RemovePod`).
    pub fn update(&mut self, incoming: &PodInfo, other: &PodInfo, node: &NodeInfo, sign: i64, namespaces: &Namespaces) {
        if let Some(affinity) = &other.affinity {
            for term in &affinity.required_anti {
                if term.matches(incoming.namespace(), &incoming.labels, namespaces) {
                    self.existing_anti.add(node, &term.topology_key, sign);
                }
            }
        }
        let (required, anti) = own_terms(incoming);
        if matches_all(required, other.namespace(), &other.labels, namespaces) {
            required
                .iter()
                .for_each(|term| self.wanted.add(node, &term.topology_key, sign));
        }
        for term in anti
            .iter()
            .filter(|term| term.matches(other.namespace(), &other.labels, namespaces))
        {
            self.avoided.add(node, &term.topology_key, sign);
        }
    }

    /// Refuses a node that is too far from wanted pods or too near to others.
    pub fn filter(&self, pod: &PodInfo, node: &NodeInfo, namespaces: &Namespaces) -> Option<Rejection> {
        let (required, anti) = own_terms(pod);
        if !self.is_near(required, pod, node, namespaces) {
            return Some(Rejection::unresolvable(
                Plugin::InterPodAffinity,
                "node(s) didn't match pod affinity rules",
            ));
        }
        let taken = |term: &AffinityTerm| {
            node.labels
                .get(&term.topology_key)
                .is_some_and(|value| self.avoided.at(&term.topology_key, value) > 0)
        };
        if anti.iter().any(taken) {
            return Some(Rejection::unschedulable(
                Plugin::InterPodAffinity,
                "node(s) didn't match pod anti-affinity rules",
            ));
        }
        let hostile = self.existing_anti.0.iter().any(|(key, values)| {
            node.labels
                .get(key)
                .and_then(|value| values.get(value))
                .is_some_and(|count| *count > 0)
        });
        hostile.then(|| {
            Rejection::unschedulable(
                Plugin::InterPodAffinity,
                "node(s) didn't satisfy existing pods anti-affinity rules",
            )
        })
    }

    fn is_near(&self, required: &[AffinityTerm], pod: &PodInfo, node: &NodeInfo, namespaces: &Namespaces) -> bool {
        let mut found = true;
        for term in required {
            match node.labels.get(&term.topology_key) {
                None => return false,
                Some(value) => found &= self.wanted.at(&term.topology_key, value) > 0,
            }
        }
        // The first of pods that want to be near each other may go anywhere.
        found || self.wanted.0.is_empty() && matches_all(required, pod.namespace(), &pod.labels, namespaces)
    }
}

/// Scores of the nodes that passed, already normalised; `None` when no term concerns the pod.
pub fn scores(cache: &Cache, pod: &PodInfo, nodes: &[NodeId], namespaces: &Namespaces) -> Option<Vec<i64>> {
    let mut places = Places::default();
    for (id, other) in cache.pods_with_affinity().filter(|(id, _)| cache.node(*id).exists) {
        let Some(affinity) = &other.affinity else { continue };
        let terms = affinity.required.iter().map(|term| (term, HARD_POD_AFFINITY_WEIGHT));
        let terms = terms.chain(affinity.preferred.iter().map(|term| (term, term.weight)));
        for (term, weight) in terms.chain(affinity.preferred_anti.iter().map(|term| (term, -term.weight))) {
            if term.matches(pod.namespace(), &pod.labels, namespaces) {
                places.add(cache.node(id), &term.topology_key, weight);
            }
        }
    }
    if let Some(affinity) = pod
        .affinity
        .as_deref()
        .filter(|own| !own.preferred.is_empty() || !own.preferred_anti.is_empty())
    {
        for group in cache.groups() {
            let near = affinity.preferred.iter().map(|term| (term, term.weight));
            for (term, weight) in near.chain(affinity.preferred_anti.iter().map(|term| (term, -term.weight))) {
                if term.matches(&group.namespace, &group.labels, namespaces) {
                    for (id, (count, _)) in &group.nodes {
                        places.add(cache.node(*id), &term.topology_key, weight * count);
                    }
                }
            }
        }
    }
    if places.0.is_empty() {
        return None;
    }
    let raw: Vec<i64> = nodes
        .iter()
        .map(|id| {
            let labels = &cache.node(*id).labels;
            places
                .0
                .iter()
                .filter_map(|(key, values)| values.get(labels.get(key)?))
                .sum()
        })
        .collect();
    let (min, max) = (
        raw.iter().copied().min().unwrap_or(0),
        raw.iter().copied().max().unwrap_or(0),
    );
    Some(
        raw.into_iter()
            .map(|score| {
                if max == min {
                    0
                } else {
                    (MAX_NODE_SCORE as f64 * ((score - min) as f64 / (max - min) as f64)) as i64
                }
            })
            .collect(),
    )
}
