//! PodTopologySpread: pods of one kind spread over zones or nodes
//! (`pkg/scheduler/framework/plugins/podtopologyspread/{filtering,scoring}.go`).

use crate::core;
use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};

use super::node_affinity::required_match;
use super::taint_toleration::{tolerations, untolerated};
use crate::objects::selects;
use crate::scheduler::cache::{Cache, Group, NodeId, NodeInfo};
use crate::scheduler::framework::{MAX_NODE_SCORE, Plugin, Rejection};
use crate::scheduler::pod::{Labels, PodInfo};

const HOSTNAME: &str = "kubernetes.io/hostname";

/// One constraint, read.
#[derive(Clone, Debug)]
struct Constraint {
    max_skew: i64,
    topology_key: String,
    selector: LabelSelector,
    min_domains: usize,
    honor_affinity: bool,
    honor_taints: bool,
}

impl Constraint {
    /// Whether a node counts as a place at all.
    fn includes(&self, pod: &core::Pod, node: &NodeInfo) -> bool {
        (!self.honor_affinity || required_match(pod, &node.name, &node.labels))
            && (!self.honor_taints
                || untolerated(&node.taints, tolerations(pod), &["NoSchedule", "NoExecute"]).is_none())
    }

    /// An empty selector counts nothing, unlike elsewhere (`countPodsMatchSelector`).
    fn is_empty(&self) -> bool {
        self.selector.match_labels.as_ref().is_none_or(BTreeMap::is_empty)
            && self.selector.match_expressions.as_ref().is_none_or(Vec::is_empty)
    }
}

fn constraints(pod: &core::Pod, action: &str) -> Vec<Constraint> {
    let labels = pod.metadata.labels.as_ref();
    let listed = pod
        .spec
        .as_ref()
        .and_then(|spec| spec.topology_spread_constraints.as_deref())
        .unwrap_or_default();
    listed
        .iter()
        .filter(|constraint| constraint.when_unsatisfiable == action)
        .map(|constraint| {
            let mut selector = constraint.label_selector.clone().unwrap_or_default();
            for key in constraint.match_label_keys.iter().flatten() {
                if let Some(value) = labels.and_then(|labels| labels.get(key)) {
                    selector
                        .match_expressions
                        .get_or_insert_default()
                        .push(LabelSelectorRequirement {
                            key: key.clone(),
                            operator: "In".to_owned(),
                            values: Some(vec![value.clone()]),
                        });
                }
            }
            Constraint {
                max_skew: i64::from(constraint.max_skew),
                topology_key: constraint.topology_key.clone(),
                selector,
                min_domains: usize::try_from(constraint.min_domains.unwrap_or(1)).unwrap_or(1),
                honor_affinity: constraint.node_affinity_policy.as_deref() != Some("Ignore"),
                honor_taints: constraint.node_taints_policy.as_deref() == Some("Honor"),
            }
        })
        .collect()
}

/// Pods in a namespace that a constraint selects, by node; those being deleted are left out.
struct Counts<'a>(Vec<&'a Group>);

impl<'a> Counts<'a> {
    fn new(cache: &'a Cache, constraint: &Constraint, namespace: &str) -> Self {
        if constraint.is_empty() {
            return Self(Vec::new());
        }
        let groups = cache
            .groups_in(namespace)
            .filter(|group| selects(&constraint.selector, Some(&group.labels)));
        Self(groups.collect())
    }

    fn on(&self, node: NodeId) -> i64 {
        let counts = self.0.iter().filter_map(|group| group.nodes.get(&node));
        counts.map(|(all, terminating)| all - terminating).sum()
    }

    /// Each group by itself, so that a node may come more than once.
    fn by_node(&self) -> impl Iterator<Item = (NodeId, i64)> {
        let groups = self.0.iter().flat_map(|group| &group.nodes);
        groups.map(|(node, (all, terminating))| (*node, all - terminating))
    }
}

fn has_all_keys(labels: &Labels, constraints: &[Constraint]) -> bool {
    constraints
        .iter()
        .all(|constraint| labels.contains_key(&constraint.topology_key))
}

/// What the filter counted beforehand: matching pods by domain, for each hard constraint.
#[derive(Clone, Debug, Default)]
pub struct FilterState {
    domains: Vec<(Constraint, BTreeMap<String, i64>)>,
}

impl FilterState {
    /// Counts (`PreFilter`); `None` when the pod has no hard constraint.
    pub fn new(cache: &Cache, pod: &core::Pod, info: &PodInfo) -> Option<Self> {
        let constraints = constraints(pod, "DoNotSchedule");
        if constraints.is_empty() {
            return None;
        }
        let mut domains = Vec::new();
        for constraint in &constraints {
            let counts = Counts::new(cache, constraint, info.namespace());
            let mut by_value: BTreeMap<String, i64> = BTreeMap::new();
            for id in cache.order() {
                let node = cache.node(*id);
                if has_all_keys(&node.labels, &constraints) && constraint.includes(pod, node) {
                    let value = node.labels.get(&constraint.topology_key).cloned().unwrap_or_default();
                    *by_value.entry(value).or_default() += counts.on(*id);
                }
            }
            domains.push((constraint.clone(), by_value));
        }
        Some(Self { domains })
    }

    /// Counts a pod in or out that is thought to be on a node or away from it (`AddPod`, `RemovePod`).
    pub fn update(&mut self, incoming: (&core::Pod, &PodInfo), other: &PodInfo, node: &NodeInfo, sign: i64) {
        if other.namespace() != incoming.1.namespace()
            || !self
                .domains
                .iter()
                .all(|(constraint, _)| node.labels.contains_key(&constraint.topology_key))
        {
            return;
        }
        for (constraint, counts) in &mut self.domains {
            if selects(&constraint.selector, Some(&other.labels)) && constraint.includes(incoming.0, node) {
                let value = node.labels.get(&constraint.topology_key).cloned().unwrap_or_default();
                *counts.entry(value).or_default() += sign;
            }
        }
    }

    /// Refuses a node in whose domain there would be too many.
    pub fn filter(&self, pod: &PodInfo, node: &NodeInfo) -> Option<Rejection> {
        for (constraint, counts) in &self.domains {
            let Some(value) = node.labels.get(&constraint.topology_key) else {
                return Some(Rejection::unresolvable(
                    Plugin::PodTopologySpread,
                    "node(s) didn't match pod topology spread constraints (missing required label)",
                ));
            };
            let fewest = if counts.len() < constraint.min_domains {
                0
            } else {
                counts.values().copied().min().unwrap_or(0)
            };
            let own = i64::from(selects(&constraint.selector, Some(&pod.labels)));
            if counts.get(value).copied().unwrap_or(0) + own - fewest > constraint.max_skew {
                return Some(Rejection::unschedulable(
                    Plugin::PodTopologySpread,
                    "node(s) didn't match pod topology spread constraints",
                ));
            }
        }
        None
    }
}

/// Scores of the nodes that passed, already normalised; `None` when the pod has no soft constraint, neither of its own nor
/// by default. `owners` selects the pods of the Service or controller that the pod belongs to.
pub fn scores(
    cache: &Cache,
    pod: &core::Pod,
    info: &PodInfo,
    nodes: &[NodeId],
    owners: Option<&LabelSelector>,
) -> Option<Vec<i64>> {
    let own = pod.spec.as_ref().is_some_and(|spec| {
        spec.topology_spread_constraints
            .as_ref()
            .is_some_and(|list| !list.is_empty())
    });
    let constraints = if own {
        constraints(pod, "ScheduleAnyway")
    } else {
        default_constraints(owners)
    };
    if constraints.is_empty() {
        return None;
    }
    // Nodes without a zone still spread by host name under the default constraints.
    let ignored: BTreeSet<NodeId> = if own {
        nodes
            .iter()
            .copied()
            .filter(|id| !has_all_keys(&cache.node(*id).labels, &constraints))
            .collect()
    } else {
        BTreeSet::new()
    };
    let mut totals = vec![0.0_f64; nodes.len()];
    for constraint in &constraints {
        let by_host = constraint.topology_key == HOSTNAME;
        let value = |id: NodeId| cache.node(id).labels.get(&constraint.topology_key);
        if !by_host && nodes.iter().all(|id| value(*id).is_none()) {
            // Nothing is added to nodes without the label.
            continue;
        }
        let counts = Counts::new(cache, constraint, info.namespace());
        let mut by_value: BTreeMap<&str, i64> = BTreeMap::new();
        if !by_host {
            for id in nodes.iter().filter(|id| !ignored.contains(id)) {
                by_value.entry(value(*id).map_or("", String::as_str)).or_default();
            }
            for (id, count) in counts.by_node() {
                let node = cache.node(id);
                if node.exists
                    && (!own || has_all_keys(&node.labels, &constraints))
                    && constraint.includes(pod, node)
                    && let Some(total) = by_value.get_mut(value(id).map_or("", String::as_str))
                {
                    *total += count;
                }
            }
        }
        let size = if by_host {
            nodes.len() - ignored.len()
        } else {
            by_value.len()
        };
        let weight = ln(size + 2);
        for (index, id) in nodes.iter().enumerate().filter(|(_, id)| !ignored.contains(id)) {
            if let Some(value) = value(*id) {
                let count = if by_host {
                    counts.on(*id)
                } else {
                    by_value.get(value.as_str()).copied().unwrap_or(0)
                };
                totals[index] += count as f64 * weight + (constraint.max_skew - 1) as f64;
            }
        }
    }
    let raw: Vec<Option<i64>> = nodes
        .iter()
        .zip(&totals)
        .map(|(id, total)| (!ignored.contains(id)).then_some(total.round() as i64))
        .collect();
    let max = raw.iter().flatten().copied().max().unwrap_or(0);
    let min = raw.iter().flatten().copied().min().unwrap_or(0);
    Some(
        raw.into_iter()
            .map(|score| match score {
                None => 0,
                Some(_) if max == 0 => MAX_NODE_SCORE,
                Some(score) => MAX_NODE_SCORE * (max + min - score) / max,
            })
            .collect(),
    )
}

/// The constraints that apply to a pod of a Service or controller which has none of its own (`systemDefaultConstraints`).
fn default_constraints(owners: Option<&LabelSelector>) -> Vec<Constraint> {
    let Some(selector) = owners else { return Vec::new() };
    [(HOSTNAME, 3), ("topology.kubernetes.io/zone", 5)]
        .map(|(key, max_skew)| Constraint {
            max_skew,
            topology_key: key.to_owned(),
            selector: selector.clone(),
            min_domains: 1,
            honor_affinity: true,
            honor_taints: false,
        })
        .into()
}

/// The natural logarithm by a fixed series, so that it is the same to the last bit on every machine.
fn ln(number: usize) -> f64 {
    let exponent = number.max(1).ilog2();
    let mantissa = number.max(1) as f64 / (1_u64 << exponent) as f64;
    // ln(m) = 2·artanh((m − 1) / (m + 1)), which converges fast for m in [1, 2).
    let ratio = (mantissa - 1.0) / (mantissa + 1.0);
    let square = ratio * ratio;
    let (mut term, mut sum) = (ratio, 0.0);
    for odd in (1..40).step_by(2) {
        sum += term / f64::from(odd);
        term *= square;
    }
    2.0 * sum + f64::from(exponent) * std::f64::consts::LN_2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logarithm_agrees_with_the_machine() {
        for number in [1, 2, 3, 5, 8, 100, 5_002] {
            assert!((ln(number) - (number as f64).ln()).abs() < 1e-14, "{number}");
        }
    }
}
