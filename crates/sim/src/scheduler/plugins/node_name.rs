//! NodeName: a pod that names its node goes nowhere else (`pkg/scheduler/framework/plugins/nodename`).

use crate::core;
use crate::scheduler::cache::NodeInfo;
use crate::scheduler::framework::{Plugin, Rejection};

/// Refuses every other node than the one that the pod names.
pub fn filter(pod: &core::Pod, node: &NodeInfo) -> Option<Rejection> {
    let wanted = pod
        .spec
        .as_ref()
        .and_then(|spec| spec.node_name.as_deref())
        .unwrap_or_default();
    (!wanted.is_empty() && wanted != &*node.name)
        .then(|| Rejection::unresolvable(Plugin::NodeName, "node(s) didn't match the requested node name"))
}
