//! One scheduling cycle as a function of what the scheduler knows: which nodes can take the pod, which is best, or why none
//! can (`pkg/scheduler/schedule_one.go`). It changes nothing.

use crate::core;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::policy::v1 as policy;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use super::cache::{Cache, NodeId, NodeInfo};
use super::framework::{Plugin, Rejection, normalize};
use super::plugins::{
    image_locality, inter_pod_affinity, node_affinity, node_name, node_ports, node_resources_balanced_allocation,
    node_resources_fit, node_unschedulable, pod_topology_spread, taint_toleration, volume_binding, volume_restrictions,
};
use super::pod::{Labels, PodInfo};
use crate::version::Profile;

/// What plugins look up beside nodes and pods.
#[derive(Clone, Debug, Default)]
pub struct Listers {
    /// What is switched on.
    pub version: Profile,
    /// Labels of the namespaces.
    pub namespaces: BTreeMap<String, Labels>,
    /// What selects the pods of the Service or controller that the pod belongs to.
    pub owners: Option<LabelSelector>,
    /// The disruption budgets.
    pub budgets: Vec<policy::PodDisruptionBudget>,
    /// The pod's claims, and the volumes.
    pub storage: volume_binding::PodStorage,
}

/// A cycle for one pod.
#[derive(Clone)]
pub struct Cycle<'a> {
    /// The cluster.
    pub cache: &'a Cache,
    /// Lookups.
    pub listers: &'a Listers,
    /// Pods that were promised room on a node, by node.
    pub nominated: &'a BTreeMap<NodeId, BTreeMap<crate::objects::Key, Arc<PodInfo>>>,
    /// The pod.
    pub pod: &'a core::Pod,
    /// What counts of it.
    pub info: &'a PodInfo,
    /// What filters counted beforehand.
    pub state: FilterState,
}

/// What filters counted beforehand.
#[derive(Clone, Debug, Default)]
pub struct FilterState {
    spread: Option<pod_topology_spread::FilterState>,
    affinity: Option<inter_pod_affinity::FilterState>,
}

/// The nodes that a cycle looked at.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Nodes that can take the pod.
    pub feasible: Vec<NodeId>,
    /// Nodes that cannot, and why.
    pub rejected: BTreeMap<NodeId, Rejection>,
    /// Nodes that were never looked at, because the pod names others.
    pub excluded: usize,
    /// What refused the pod before any node was looked at.
    pub pre_filter: Option<(Plugin, String)>,
    /// How many nodes were looked at.
    pub processed: usize,
}

/// Scores of one node: weighted, by plugin.
pub type Scores = Vec<(Plugin, i64)>;

impl<'a> Cycle<'a> {
    /// A cycle for `pod`; counts what filters need (`RunPreFilterPlugins`).
    pub fn new(
        cache: &'a Cache,
        listers: &'a Listers,
        nominated: &'a BTreeMap<NodeId, BTreeMap<crate::objects::Key, Arc<PodInfo>>>,
        pod: &'a core::Pod,
        info: &'a PodInfo,
    ) -> Self {
        let state = FilterState {
            spread: pod_topology_spread::FilterState::new(cache, pod, info),
            affinity: inter_pod_affinity::FilterState::new(cache, info, &listers.namespaces),
        };
        Self {
            cache,
            listers,
            nominated,
            pod,
            info,
            state,
        }
    }

    /// The first filter that refuses a node, in the order of the default profile.
    pub fn filter(&self, state: &FilterState, node: &NodeInfo) -> Option<Rejection> {
        node_unschedulable::filter(self.pod, node)
            .or_else(|| node_name::filter(self.pod, node))
            .or_else(|| taint_toleration::filter(self.listers.version, self.pod, node))
            .or_else(|| node_affinity::filter(self.pod, node))
            .or_else(|| node_ports::filter(self.info, node))
            .or_else(|| node_resources_fit::filter(self.info, node))
            .or_else(|| volume_restrictions::filter(&self.listers.storage))
            .or_else(|| volume_binding::filter(&self.listers.storage, node))
            .or_else(|| state.spread.as_ref()?.filter(self.info, node))
            .or_else(|| {
                state
                    .affinity
                    .as_ref()?
                    .filter(self.info, node, &self.listers.namespaces)
            })
    }

    /// Filters a node twice when pods of the same or a higher priority were promised room there: with them, since they
    /// will come, and without, since they may not (`RunFilterPluginsWithNominatedPods`).
    pub fn filter_with_nominated(&self, state: &FilterState, id: NodeId, node: &NodeInfo) -> Option<Rejection> {
        let promised: Vec<&Arc<PodInfo>> = self
            .nominated
            .get(&id)
            .into_iter()
            .flat_map(BTreeMap::values)
            .filter(|other| other.uid != self.info.uid && other.priority >= self.info.priority)
            .collect();
        if !promised.is_empty() {
            let (mut with_node, mut with_state) = (node.clone(), state.clone());
            for other in promised {
                self.update(&mut with_state, other, node, 1);
                with_node.add(Arc::clone(other));
            }
            if let Some(rejection) = self.filter(&with_state, &with_node) {
                return Some(rejection);
            }
        }
        self.filter(state, node)
    }

    /// Counts a pod into a node or out of it, in what filters counted beforehand.
    pub fn update(&self, state: &mut FilterState, other: &PodInfo, node: &NodeInfo, sign: i64) {
        if let Some(spread) = &mut state.spread {
            spread.update((self.pod, self.info), other, node, sign);
        }
        if let Some(affinity) = &mut state.affinity {
            affinity.update(self.info, other, node, sign, &self.listers.namespaces);
        }
    }

    /// Looks for nodes that can take the pod, from the node `start` on, until there are enough
    /// (`findNodesThatFitPod`).
    pub fn find(&self, start: usize) -> Found {
        let mut found = Found::default();
        if let Some(message) = volume_restrictions::pre_filter(&self.listers.storage) {
            found.pre_filter = Some((Plugin::VolumeRestrictions, message));
            return found;
        }
        if let Some(message) = volume_binding::pre_filter(&self.listers.storage) {
            found.pre_filter = Some((Plugin::VolumeBinding, message));
            return found;
        }
        let order = self.cache.order();
        let named = node_affinity::named_nodes(self.pod);
        if named.as_ref().is_some_and(BTreeSet::is_empty) {
            found.pre_filter = Some((Plugin::NodeAffinity, "pod affinity terms conflict".to_owned()));
            return found;
        }
        // The node that was promised is looked at first, and alone suffices.
        let nominated = self
            .pod
            .status
            .as_ref()
            .and_then(|status| status.nominated_node_name.as_deref());
        if let Some(id) = nominated
            .and_then(|name| self.cache.id(name))
            .filter(|id| self.cache.node(*id).exists)
            && self
                .filter_with_nominated(&self.state, id, self.cache.node(id))
                .is_none()
        {
            found.feasible.push(id);
            return found;
        }
        let candidates: Vec<NodeId> = match &named {
            None => order.to_vec(),
            Some(names) => {
                let some: Vec<NodeId> = names
                    .iter()
                    .filter_map(|name| self.cache.id(name))
                    .filter(|id| self.cache.node(*id).exists)
                    .collect();
                found.excluded = order.len() - some.len();
                some
            }
        };
        let enough = feasible_nodes_to_find(candidates.len());
        for offset in 0..candidates.len() {
            let id = candidates[(start + offset) % candidates.len()];
            found.processed += 1;
            match self.filter_with_nominated(&self.state, id, self.cache.node(id)) {
                Some(rejection) => {
                    found.rejected.insert(id, rejection);
                }
                None => {
                    found.feasible.push(id);
                    if found.feasible.len() >= enough {
                        break;
                    }
                }
            }
        }
        found
    }

    /// Weighted scores of the nodes, in their order; plugins without an opinion are left out (`prioritizeNodes`).
    pub fn scores(&self, nodes: &[NodeId]) -> Vec<Scores> {
        let mut all: Vec<Scores> = vec![Vec::new(); nodes.len()];
        self.score(nodes, &mut |plugin, weight, scores| {
            for (own, score) in all.iter_mut().zip(scores) {
                own.push((plugin, score * weight));
            }
        });
        all
    }

    /// The sums of [`Cycle::scores`].
    pub fn totals(&self, nodes: &[NodeId]) -> Vec<i64> {
        let mut totals = vec![0; nodes.len()];
        self.score(nodes, &mut |_, weight, scores| {
            for (total, score) in totals.iter_mut().zip(scores) {
                *total += score * weight;
            }
        });
        totals
    }

    /// Tells `give` the scores of each plugin that has an opinion, and its weight.
    fn score(&self, nodes: &[NodeId], give: &mut dyn FnMut(Plugin, i64, Vec<i64>)) {
        let each =
            |score: &dyn Fn(&NodeInfo) -> i64| nodes.iter().map(|id| score(self.cache.node(*id))).collect::<Vec<_>>();
        let mut taints = each(&|node| taint_toleration::score(self.pod, node));
        normalize(&mut taints, true);
        give(Plugin::TaintToleration, 3, taints);
        if node_affinity::has_preference(self.pod) {
            let mut preferred = each(&|node| node_affinity::score(self.pod, node));
            normalize(&mut preferred, false);
            give(Plugin::NodeAffinity, 2, preferred);
        }
        give(
            Plugin::NodeResourcesFit,
            1,
            each(&|node| node_resources_fit::score(self.info, node)),
        );
        let owners = self.listers.owners.as_ref();
        if let Some(scores) = pod_topology_spread::scores(self.cache, self.pod, self.info, nodes, owners) {
            give(Plugin::PodTopologySpread, 2, scores);
        }
        if let Some(scores) = inter_pod_affinity::scores(self.cache, self.info, nodes, &self.listers.namespaces) {
            give(Plugin::InterPodAffinity, 2, scores);
        }
        if node_resources_balanced_allocation::applies(self.listers.version, self.info) {
            let scores = each(&|node| node_resources_balanced_allocation::score(self.listers.version, self.info, node));
            give(Plugin::NodeResourcesBalancedAllocation, 1, scores);
        }
        let images = image_locality::images(self.pod);
        give(
            Plugin::ImageLocality,
            1,
            each(&|node| image_locality::score(&images, node, self.cache)),
        );
    }
}

/// How many nodes that fit are enough to choose from (`numFeasibleNodesToFind`): all of fewer than 100, else a share that
/// shrinks as clusters grow.
fn feasible_nodes_to_find(nodes: usize) -> usize {
    const MIN: usize = 100;
    if nodes < MIN {
        return nodes;
    }
    let percentage = 50_usize.saturating_sub(nodes / 125).max(5);
    (nodes * percentage / 100).max(MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_clusters_are_searched_in_part() {
        for (nodes, enough) in [
            (3, 3),
            (99, 99),
            (100, 100),
            (250, 120),
            (1_000, 420),
            (5_000, 500),
            (10_000, 500),
        ] {
            assert_eq!(feasible_nodes_to_find(nodes), enough, "{nodes}");
        }
    }
}
