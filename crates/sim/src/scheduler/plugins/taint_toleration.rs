//! TaintToleration: taints keep pods away that do not tolerate them (`pkg/scheduler/framework/plugins/tainttoleration`).

use crate::core;
use crate::scheduler::cache::NodeInfo;
use crate::scheduler::framework::{Plugin, Rejection};
use crate::version::{Change, Profile};

/// Whether a toleration tolerates a taint (`component-helpers/scheduling/corev1/helpers.go ToleratesTaint`). An empty
/// effect or key stands for all of them; the comparing operators `Gt` and `Lt` are behind a gate that is off.
pub fn tolerates(toleration: &core::Toleration, taint: &core::Taint) -> bool {
    let effect = toleration.effect.as_deref().unwrap_or_default();
    let key = toleration.key.as_deref().unwrap_or_default();
    if !effect.is_empty() && effect != taint.effect || !key.is_empty() && key != taint.key {
        return false;
    }
    match toleration.operator.as_deref().unwrap_or_default() {
        "" | "Equal" => toleration.value.as_deref().unwrap_or_default() == taint.value.as_deref().unwrap_or_default(),
        "Exists" => true,
        _ => false,
    }
}

/// The first taint with one of `effects` that no toleration covers.
pub fn untolerated<'a>(
    taints: &'a [core::Taint],
    tolerations: &[core::Toleration],
    effects: &[&str],
) -> Option<&'a core::Taint> {
    taints.iter().find(|taint| {
        effects.contains(&taint.effect.as_str()) && !tolerations.iter().any(|toleration| tolerates(toleration, taint))
    })
}

/// Tolerations of a pod.
pub fn tolerations(pod: &core::Pod) -> &[core::Toleration] {
    pod.spec
        .as_ref()
        .and_then(|spec| spec.tolerations.as_deref())
        .unwrap_or_default()
}

/// Refuses a node with a taint that the pod does not tolerate.
pub fn filter(version: Profile, pod: &core::Pod, node: &NodeInfo) -> Option<Rejection> {
    let taint = untolerated(&node.taints, tolerations(pod), &["NoSchedule", "NoExecute"])?;
    let mut rejection = Rejection::unresolvable(Plugin::TaintToleration, "node(s) had untolerated taint(s)");
    if !version.has(Change::TaintReasonWithoutTaint) {
        let value = taint.value.as_deref().unwrap_or_default();
        rejection.reasons = vec![format!("node(s) had untolerated taint {{{}: {value}}}", taint.key).into()];
    }
    Some(rejection)
}

/// How many of the node's soft taints the pod does not tolerate; fewer is better.
pub fn score(pod: &core::Pod, node: &NodeInfo) -> i64 {
    if node.taints.is_empty() {
        return 0;
    }
    let soft: Vec<&core::Toleration> = tolerations(pod)
        .iter()
        .filter(|toleration| matches!(toleration.effect.as_deref(), None | Some("" | "PreferNoSchedule")))
        .collect();
    let count = node
        .taints
        .iter()
        .filter(|taint| {
            taint.effect == "PreferNoSchedule" && !soft.iter().any(|toleration| tolerates(toleration, taint))
        })
        .count();
    i64::try_from(count).unwrap_or(i64::MAX)
}
