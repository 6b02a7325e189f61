//! NodeUnschedulable: a cordoned node takes only pods that tolerate the cordon
//! (`pkg/scheduler/framework/plugins/nodeunschedulable`).

use super::taint_toleration::tolerates;
use crate::core;
use crate::scheduler::cache::NodeInfo;
use crate::scheduler::framework::{Plugin, Rejection};

/// Refuses a cordoned node.
pub fn filter(pod: &core::Pod, node: &NodeInfo) -> Option<Rejection> {
    if !node.unschedulable {
        return None;
    }
    let taint = core::Taint {
        key: "node.kubernetes.io/unschedulable".to_owned(),
        effect: "NoSchedule".to_owned(),
        ..core::Taint::default()
    };
    let tolerations = pod
        .spec
        .as_ref()
        .and_then(|spec| spec.tolerations.as_deref())
        .unwrap_or_default();
    let tolerated = tolerations.iter().any(|toleration| tolerates(toleration, &taint));
    (!tolerated).then(|| Rejection::unresolvable(Plugin::NodeUnschedulable, "node(s) were unschedulable"))
}
