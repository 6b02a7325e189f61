//! NodePorts: two pods cannot take one port of a node (`pkg/scheduler/framework/plugins/nodeports`).

use crate::scheduler::cache::NodeInfo;
use crate::scheduler::framework::{Plugin, Rejection};
use crate::scheduler::pod::PodInfo;

/// Refuses a node on which a wanted port is taken.
pub fn filter(pod: &PodInfo, node: &NodeInfo) -> Option<Rejection> {
    let taken = pod
        .ports
        .iter()
        .any(|port| node.ports.iter().any(|used| used.conflicts(port)));
    taken.then(|| {
        Rejection::unschedulable(
            Plugin::NodePorts,
            "node(s) didn't have free ports for the requested pod ports",
        )
    })
}
