//! Preemption: which pods would have to go so that a more important one fits
//! (`pkg/scheduler/framework/preemption/preemption.go`, `plugins/defaultpreemption`). It changes nothing.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::policy::v1 as policy;
use k8s_openapi::jiff::Timestamp;

use super::cache::NodeId;
use super::cycle::{Cycle, Found};
use super::framework::{Code, Rejection};
use super::message::fit_error;
use super::pod::PodInfo;
use crate::objects::selects;
use crate::rng::Rng;

/// What preemption came to.
#[derive(Clone, Debug)]
pub enum Preemption {
    /// These pods go, and the node is promised to the pod.
    Victims {
        /// The node.
        node: NodeId,
        /// Who goes, the most important first.
        victims: Vec<Arc<PodInfo>>,
    },
    /// It cannot help; the text is appended to the message.
    NotHelpful {
        /// Why, as `preemption: …`.
        message: String,
        /// Whether an earlier promise is taken back.
        forget_nomination: bool,
    },
}

#[derive(Clone, Debug)]
struct Candidate {
    node: NodeId,
    victims: Vec<Arc<PodInfo>>,
    violations: usize,
}

/// Looks for the node on which the fewest and least important pods would have to go (`Evaluator.Preempt`).
pub fn preempt(cycle: &Cycle<'_>, found: &Found, rng: &mut Rng) -> Preemption {
    if let Some(reason) = not_eligible(cycle, found) {
        return Preemption::NotHelpful {
            message: reason.to_owned(),
            forget_nomination: false,
        };
    }
    let potential: Vec<NodeId> = cycle
        .cache
        .order()
        .iter()
        .copied()
        .filter(|id| {
            found
                .rejected
                .get(id)
                .is_some_and(|rejection| rejection.code == Code::Unschedulable)
        })
        .collect();
    let mut statuses: BTreeMap<NodeId, Rejection> = BTreeMap::new();
    let mut no_victims = 0_usize;
    let mut candidates: Vec<Candidate> = Vec::new();
    if !potential.is_empty() {
        // A tenth of the nodes but at least 100 of them are tried, from a random one on.
        let wanted = (potential.len() / 10).max(100).min(potential.len());
        let offset = usize::try_from(rng.below(potential.len() as u64)).unwrap_or(0);
        for step in 0..potential.len() {
            let node = potential[(offset + step) % potential.len()];
            match victims_on(cycle, node) {
                Ok(Some((victims, violations))) => candidates.push(Candidate {
                    node,
                    victims,
                    violations,
                }),
                Ok(None) => no_victims += 1,
                Err(rejection) => {
                    statuses.insert(node, rejection);
                }
            }
            if candidates.len() >= wanted && candidates.iter().any(|candidate| candidate.violations == 0) {
                break;
            }
        }
    }
    if let Some(best) = best(candidates) {
        return Preemption::Victims {
            node: best.node,
            victims: best.victims,
        };
    }
    let nodes = cycle.cache.order().len();
    let rest = nodes - statuses.len() - no_victims;
    let reasons = statuses
        .values()
        .flat_map(|rejection| rejection.reasons.iter().map(|reason| &**reason));
    let reasons = reasons
        .chain(std::iter::repeat_n(
            "No preemption victims found for incoming pod",
            no_victims,
        ))
        .chain(std::iter::repeat_n("Preemption is not helpful for scheduling", rest));
    Preemption::NotHelpful {
        message: fit_error(nodes, reasons),
        forget_nomination: true,
    }
}

/// `PodEligibleToPreemptOthers`.
fn not_eligible(cycle: &Cycle<'_>, found: &Found) -> Option<&'static str> {
    if cycle
        .pod
        .spec
        .as_ref()
        .and_then(|spec| spec.preemption_policy.as_deref())
        == Some("Never")
    {
        return Some("not eligible due to preemptionPolicy=Never.");
    }
    let nominated = cycle
        .pod
        .status
        .as_ref()
        .and_then(|status| status.nominated_node_name.as_deref())?;
    let id = cycle.cache.id(nominated)?;
    if found
        .rejected
        .get(&id)
        .is_some_and(|rejection| rejection.code == Code::UnschedulableAndUnresolvable)
    {
        return None;
    }
    let leaving = |pod: &Arc<PodInfo>| pod.priority < cycle.info.priority && pod.terminating && pod.preempted;
    cycle
        .cache
        .node(id)
        .pods
        .values()
        .any(leaving)
        .then_some("not eligible due to a terminating pod on the nominated node.")
}

/// Removes all less important pods from a node, then lets back as many as fit (`SelectVictimsOnNode`). `Ok(None)` when
/// there is none to remove.
fn victims_on(cycle: &Cycle<'_>, id: NodeId) -> Result<Option<(Vec<Arc<PodInfo>>, usize)>, Rejection> {
    let mut node = cycle.cache.node(id).clone();
    let mut state = cycle.state.clone();
    let mut potential: Vec<Arc<PodInfo>> = node
        .pods
        .values()
        .filter(|pod| pod.priority < cycle.info.priority)
        .cloned()
        .collect();
    if potential.is_empty() {
        return Ok(None);
    }
    for pod in &potential {
        node.remove(&pod.key);
        cycle.update(&mut state, pod, &node, -1);
    }
    if let Some(rejection) = cycle.filter_with_nominated(&state, id, &node) {
        return Err(rejection);
    }
    potential.sort_by_key(importance);
    let (violating, others) = by_budget(&potential, &cycle.listers.budgets);
    let mut victims: Vec<Arc<PodInfo>> = Vec::new();
    let mut violations = 0;
    for (index, pod) in violating.iter().chain(&others).enumerate() {
        node.add(Arc::clone(pod));
        cycle.update(&mut state, pod, &node, 1);
        if cycle.filter_with_nominated(&state, id, &node).is_some() {
            node.remove(&pod.key);
            cycle.update(&mut state, pod, &node, -1);
            victims.push(Arc::clone(pod));
            violations += usize::from(index < violating.len());
        }
    }
    victims.sort_by_key(importance);
    Ok(Some((victims, violations)))
}

/// Sorts the most important pod first: by priority, then by who started earlier (`MoreImportantPod`).
fn importance(pod: &Arc<PodInfo>) -> (Reverse<i32>, Timestamp) {
    // A pod that has not started counts as starting now, after all others.
    (
        Reverse(pod.priority),
        pod.start_time.as_ref().map_or(Timestamp::MAX, |time| time.0),
    )
}

/// Pods whose removal a budget forbids, and the others (`filterPodsWithPDBViolation`).
fn by_budget(pods: &[Arc<PodInfo>], budgets: &[policy::PodDisruptionBudget]) -> (Vec<Arc<PodInfo>>, Vec<Arc<PodInfo>>) {
    let mut allowed: Vec<i32> = budgets
        .iter()
        .map(|budget| {
            budget
                .status
                .as_ref()
                .and_then(|status| status.disruptions_allowed)
                .unwrap_or(0)
        })
        .collect();
    pods.iter().cloned().partition(|pod| {
        let mut violated = false;
        for (budget, allowed) in budgets.iter().zip(&mut allowed) {
            let Some(selector) = budget.spec.as_ref().and_then(|spec| spec.selector.as_ref()) else {
                continue;
            };
            let empty = selector.match_labels.as_ref().is_none_or(BTreeMap::is_empty)
                && selector.match_expressions.as_ref().is_none_or(Vec::is_empty);
            let disrupted = budget.status.as_ref().and_then(|status| status.disrupted_pods.as_ref());
            if pod.labels.is_empty()
                || empty
                || budget.metadata.namespace.as_deref() != Some(pod.namespace())
                || !selects(selector, Some(&pod.labels))
                || disrupted.is_some_and(|pods| pods.contains_key(&*pod.key.name))
            {
                continue;
            }
            *allowed -= 1;
            violated |= *allowed < 0;
        }
        violated
    })
}

/// `pickOneNodeForPreemption`: fewest budgets violated, then the least important victims, then the fewest, then those that
/// started last.
fn best(candidates: Vec<Candidate>) -> Option<Candidate> {
    let rank = |candidate: &Candidate| {
        let highest = candidate.victims.first().map_or(i32::MIN, |pod| pod.priority);
        let sum: i64 = candidate
            .victims
            .iter()
            .map(|pod| i64::from(pod.priority) + (1 << 31))
            .sum();
        // The pods without a start time count as starting now.
        let earliest = candidate
            .victims
            .iter()
            .filter(|pod| pod.priority == highest)
            .map(|pod| pod.start_time.as_ref().map_or(Timestamp::MAX, |time| time.0))
            .min()
            .unwrap_or(Timestamp::MAX);
        (
            candidate.violations,
            highest,
            sum,
            candidate.victims.len(),
            Reverse(earliest),
        )
    };
    // The first of equals, since `min_by_key` keeps it.
    candidates.into_iter().min_by_key(rank)
}
