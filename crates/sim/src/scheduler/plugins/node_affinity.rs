//! NodeAffinity: node selector and node affinity (`pkg/scheduler/framework/plugins/nodeaffinity`,
//! `component-helpers/scheduling/corev1/nodeaffinity`).

use crate::core;
use std::collections::BTreeSet;

use crate::scheduler::cache::NodeInfo;
use crate::scheduler::framework::{Plugin, Rejection};
use crate::scheduler::pod::Labels;

fn requirement_holds(requirement: &core::NodeSelectorRequirement, actual: Option<&str>) -> bool {
    let values = requirement.values.as_deref().unwrap_or_default();
    let listed = |actual: &str| values.iter().any(|value| value == actual);
    match requirement.operator.as_str() {
        "In" => actual.is_some_and(listed),
        "NotIn" => actual.is_none_or(|actual| !listed(actual)),
        "Exists" => actual.is_some(),
        "DoesNotExist" => actual.is_none(),
        operator @ ("Gt" | "Lt") => {
            let number = |text: &str| text.parse::<i64>().ok();
            let (Some(actual), [wanted]) = (actual.and_then(number), values) else {
                return false;
            };
            number(wanted).is_some_and(|wanted| {
                if operator == "Gt" {
                    actual > wanted
                } else {
                    actual < wanted
                }
            })
        }
        _ => false,
    }
}

/// Whether a node with that name and labels satisfies a term; a term without requirements matches nothing.
fn term_holds(term: &core::NodeSelectorTerm, name: &str, labels: &Labels) -> bool {
    let expressions = term.match_expressions.as_deref().unwrap_or_default();
    let fields = term.match_fields.as_deref().unwrap_or_default();
    (!expressions.is_empty() || !fields.is_empty())
        && expressions
            .iter()
            .all(|requirement| requirement_holds(requirement, labels.get(&requirement.key).map(String::as_str)))
        && fields
            .iter()
            .all(|requirement| requirement.key == "metadata.name" && requirement_holds(requirement, Some(name)))
}

fn affinity(pod: &core::Pod) -> Option<&core::NodeAffinity> {
    pod.spec.as_ref()?.affinity.as_ref()?.node_affinity.as_ref()
}

fn required(pod: &core::Pod) -> Option<&core::NodeSelector> {
    affinity(pod)?
        .required_during_scheduling_ignored_during_execution
        .as_ref()
}

/// Whether the pod's node selector and required node affinity allow a node (`GetRequiredNodeAffinity(pod).Match`).
pub fn required_match(pod: &core::Pod, name: &str, labels: &Labels) -> bool {
    let selector = pod.spec.as_ref().and_then(|spec| spec.node_selector.as_ref());
    selector
        .into_iter()
        .flatten()
        .all(|(key, value)| labels.get(key) == Some(value))
        && required(pod).is_none_or(|selector| selector_matches(selector, name, labels))
}

/// Whether a node satisfies one of a selector's terms; volumes have such selectors, too.
pub(crate) fn selector_matches(selector: &core::NodeSelector, name: &str, labels: &Labels) -> bool {
    selector
        .node_selector_terms
        .iter()
        .any(|term| term_holds(term, name, labels))
}

/// The only nodes that can pass, when every required term names nodes by `metadata.name` (`PreFilter`).
pub fn named_nodes(pod: &core::Pod) -> Option<BTreeSet<String>> {
    let terms = &required(pod)?.node_selector_terms;
    let mut all = BTreeSet::new();
    for term in terms {
        let mut of_term: Option<BTreeSet<String>> = None;
        for field in term.match_fields.iter().flatten() {
            if field.key == "metadata.name" && field.operator == "In" {
                let names: BTreeSet<String> = field.values.iter().flatten().cloned().collect();
                of_term = Some(match of_term {
                    Some(known) => known.intersection(&names).cloned().collect(),
                    None => names,
                });
            }
        }
        all.extend(of_term?);
    }
    (!terms.is_empty()).then_some(all)
}

/// Refuses a node that selector or affinity do not allow.
pub fn filter(pod: &core::Pod, node: &NodeInfo) -> Option<Rejection> {
    (!required_match(pod, &node.name, &node.labels)).then(|| {
        Rejection::unresolvable(
            Plugin::NodeAffinity,
            "node(s) didn't match Pod's node affinity/selector",
        )
    })
}

/// Whether the pod prefers some nodes; without a preference the plugin gives no scores.
pub fn has_preference(pod: &core::Pod) -> bool {
    affinity(pod)
        .and_then(|affinity| affinity.preferred_during_scheduling_ignored_during_execution.as_ref())
        .is_some_and(|terms| !terms.is_empty())
}

/// The weights of the preferred terms that the node satisfies.
pub fn score(pod: &core::Pod, node: &NodeInfo) -> i64 {
    affinity(pod)
        .and_then(|affinity| affinity.preferred_during_scheduling_ignored_during_execution.as_ref())
        .into_iter()
        .flatten()
        .filter(|term| term_holds(&term.preference, &node.name, &node.labels))
        .map(|term| i64::from(term.weight))
        .sum()
}
