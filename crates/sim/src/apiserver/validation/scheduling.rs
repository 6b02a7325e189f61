//! What steers the scheduler: affinity, tolerations, gates, topology spread
//! (`pkg/apis/core/validation/validation.go validateAffinity`).

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1 as core;

use super::meta;
use crate::apiserver::field::{Errors, Path, quoted};
use crate::apiserver::names;

const EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";

pub(super) fn affinity(e: &mut Errors, affinity: &core::Affinity, path: &Path<'_>) {
    if let Some(node) = &affinity.node_affinity {
        let at = path.child("nodeAffinity");
        if let Some(required) = &node.required_during_scheduling_ignored_during_execution {
            node_selector(e, required, &at.child(REQUIRED));
        }
        let preferred = at.child(PREFERRED);
        for (index, term) in node
            .preferred_during_scheduling_ignored_during_execution
            .iter()
            .flatten()
            .enumerate()
        {
            let at = preferred.index(index);
            weight(e, term.weight, &at);
            node_term(e, &term.preference, &at.child("preference"));
        }
    }
    if let Some(pod) = &affinity.pod_affinity {
        let at = path.child("podAffinity");
        pod_terms(
            e,
            pod.required_during_scheduling_ignored_during_execution
                .as_deref()
                .unwrap_or_default(),
            &at.child(REQUIRED),
        );
        weighted(
            e,
            pod.preferred_during_scheduling_ignored_during_execution
                .as_deref()
                .unwrap_or_default(),
            &at.child(PREFERRED),
        );
    }
    if let Some(pod) = &affinity.pod_anti_affinity {
        let at = path.child("podAntiAffinity");
        pod_terms(
            e,
            pod.required_during_scheduling_ignored_during_execution
                .as_deref()
                .unwrap_or_default(),
            &at.child(REQUIRED),
        );
        weighted(
            e,
            pod.preferred_during_scheduling_ignored_during_execution
                .as_deref()
                .unwrap_or_default(),
            &at.child(PREFERRED),
        );
    }
}

fn weight(e: &mut Errors, weight: i32, path: &Path<'_>) {
    if !(1..=100).contains(&weight) {
        e.invalid(&path.child("weight"), weight, "must be in the range 1-100");
    }
}

pub(super) fn node_selector(e: &mut Errors, selector: &core::NodeSelector, path: &Path<'_>) {
    let terms = path.child("nodeSelectorTerms");
    if selector.node_selector_terms.is_empty() {
        return e.required(&terms, "must have at least one node selector term");
    }
    for (index, term) in selector.node_selector_terms.iter().enumerate() {
        node_term(e, term, &terms.index(index));
    }
}

fn node_term(e: &mut Errors, term: &core::NodeSelectorTerm, path: &Path<'_>) {
    let expressions = path.child("matchExpressions");
    for (index, requirement) in term.match_expressions.iter().flatten().enumerate() {
        let at = expressions.index(index);
        let values = requirement.values.as_deref().unwrap_or_default();
        let values_path = at.child("values");
        match requirement.operator.as_str() {
            "In" | "NotIn" if values.is_empty() => {
                e.required(&values_path, "must be specified when `operator` is 'In' or 'NotIn'");
            }
            "In" | "NotIn" => {}
            "Exists" | "DoesNotExist" if !values.is_empty() => {
                e.forbidden(
                    &values_path,
                    "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
                );
            }
            "Exists" | "DoesNotExist" => {}
            "Gt" | "Lt" if values.len() != 1 => {
                e.required(
                    &values_path,
                    "must be specified single value when `operator` is 'Lt' or 'Gt'",
                );
            }
            "Gt" | "Lt" => {}
            other => e.invalid(&at.child("operator"), quoted(other), "not a valid selector operator"),
        }
        e.invalid_for(&at.child("key"), &requirement.key, names::label_key(&requirement.key));
    }
    let fields = path.child("matchFields");
    for (index, requirement) in term.match_fields.iter().flatten().enumerate() {
        let at = fields.index(index);
        if !matches!(requirement.operator.as_str(), "In" | "NotIn") {
            e.invalid_text(
                &at.child("operator"),
                &requirement.operator,
                "not a valid selector operator",
            );
        } else if requirement.values.as_ref().map_or(0, Vec::len) != 1 {
            e.required(
                &at.child("values"),
                "must be only one value when `operator` is 'In' or 'NotIn' for node field selector",
            );
        }
        if requirement.key != "metadata.name" {
            e.invalid_text(&at.child("key"), &requirement.key, "not a valid field selector key");
        }
    }
}

fn pod_terms(e: &mut Errors, terms: &[core::PodAffinityTerm], path: &Path<'_>) {
    for (index, term) in terms.iter().enumerate() {
        pod_term(e, term, &path.index(index));
    }
}

fn weighted(e: &mut Errors, terms: &[core::WeightedPodAffinityTerm], path: &Path<'_>) {
    for (index, term) in terms.iter().enumerate() {
        let at = path.index(index);
        weight(e, term.weight, &at);
        pod_term(e, &term.pod_affinity_term, &at.child("podAffinityTerm"));
    }
}

fn pod_term(e: &mut Errors, term: &core::PodAffinityTerm, path: &Path<'_>) {
    if let Some(selector) = &term.label_selector {
        meta::selector(e, selector, &path.child("labelSelector"));
    }
    if let Some(selector) = &term.namespace_selector {
        meta::selector(e, selector, &path.child("namespaceSelector"));
    }
    for namespace in term.namespaces.iter().flatten() {
        e.invalid_for(&path.child("namespace"), namespace, names::dns1123_label(namespace));
    }
    let key = path.child("topologyKey");
    if term.topology_key.is_empty() {
        e.required(&key, "can not be empty");
    }
    e.invalid_for(&key, &term.topology_key, names::label_key(&term.topology_key));
}

/// `validateSchedulingGates`
pub(super) fn gates(e: &mut Errors, spec: &core::PodSpec, path: &Path<'_>) {
    let mut seen = BTreeSet::new();
    for (index, gate) in spec.scheduling_gates.iter().flatten().enumerate() {
        let at = path.index(index);
        e.invalid_for(&at, &gate.name, names::label_key(&gate.name));
        if !seen.insert(gate.name.as_str()) {
            e.duplicate(&at, &gate.name);
        }
    }
}

/// `validateTopologySpreadConstraints`
pub(super) fn spread(e: &mut Errors, spec: &core::PodSpec, path: &Path<'_>) {
    const WHEN: [&str; 2] = ["DoNotSchedule", "ScheduleAnyway"];
    let constraints = spec.topology_spread_constraints.as_deref().unwrap_or_default();
    for (index, constraint) in constraints.iter().enumerate() {
        let at = path.index(index);
        if constraint.max_skew <= 0 {
            e.invalid(&at.child("maxSkew"), constraint.max_skew, "must be greater than zero");
        }
        if constraint.topology_key.is_empty() {
            e.required(&at.child("topologyKey"), "can not be empty");
        }
        let when = constraint.when_unsatisfiable.as_str();
        if !WHEN.contains(&when) {
            e.unsupported(&at.child("whenUnsatisfiable"), when, &WHEN);
        }
        let same = constraints[index + 1..]
            .iter()
            .any(|other| other.topology_key == constraint.topology_key && other.when_unsatisfiable == when);
        if same {
            e.duplicate(
                &at.child("{topologyKey, whenUnsatisfiable}"),
                &format!("{{{}, {when}}}", constraint.topology_key),
            );
        }
        if let Some(domains) = constraint.min_domains {
            let min = at.child("minDomains");
            if domains <= 0 {
                e.invalid(&min, domains, "must be greater than zero");
            }
            if when != "DoNotSchedule" {
                e.invalid(
                    &min,
                    domains,
                    "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway",
                );
            }
        }
        for (field, policy) in [
            ("nodeAffinityPolicy", &constraint.node_affinity_policy),
            ("nodeTaintsPolicy", &constraint.node_taints_policy),
        ] {
            if let Some(policy) = policy
                .as_deref()
                .filter(|policy| !matches!(*policy, "Honor" | "Ignore"))
            {
                e.unsupported(&at.child(field), policy, &["Honor", "Ignore"]);
            }
        }
        if let Some(selector) = &constraint.label_selector {
            meta::selector(e, selector, &at.child("labelSelector"));
        }
    }
}

/// `ValidateTolerations`
pub(super) fn tolerations(e: &mut Errors, spec: &core::PodSpec, path: &Path<'_>) {
    for (index, toleration) in spec.tolerations.iter().flatten().enumerate() {
        let at = path.index(index);
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        let (key, operator) = (text(&toleration.key), text(&toleration.operator));
        let (value, effect) = (text(&toleration.value), text(&toleration.effect));
        if !key.is_empty() {
            e.invalid_for(&at.child("key"), &key, names::label_key(&key));
        } else if operator != "Exists" {
            let detail = "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
            e.invalid_text(&at.child("operator"), &operator, detail);
        }
        if toleration.toleration_seconds.is_some() && effect != "NoExecute" {
            e.invalid_text(
                &at.child("effect"),
                &effect,
                "effect must be 'NoExecute' when `tolerationSeconds` is set",
            );
        }
        match operator.as_str() {
            "Equal" | "" => {
                let reasons = names::label_value(&value);
                if !reasons.is_empty() {
                    e.invalid_text(&at.child("operator"), &value, &reasons.join(";"));
                }
            }
            "Exists" if !value.is_empty() => {
                e.invalid_text(
                    &at.child("operator"),
                    &value,
                    "value must be empty when `operator` is 'Exists'",
                );
            }
            "Exists" => {}
            "Lt" | "Gt" => e.unsupported(&at.child("operator"), &operator, &["Equal", "Exists", "Lt", "Gt"]),
            other => e.unsupported(&at.child("operator"), other, &["Equal", "Exists"]),
        }
        if !effect.is_empty() {
            taint_effect(e, &effect, &at.child("effect"));
        }
    }
}

pub(super) fn taint_effect(e: &mut Errors, effect: &str, path: &Path<'_>) {
    if effect.is_empty() {
        e.required(path, "");
    } else if !EFFECTS.contains(&effect) {
        e.unsupported(path, effect, &EFFECTS);
    }
}
