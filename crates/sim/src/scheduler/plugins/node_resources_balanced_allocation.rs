//! NodeResourcesBalancedAllocation: CPU and memory should fill up alike
//! (`pkg/scheduler/framework/plugins/noderesources/balanced_allocation.go`).

use crate::scheduler::cache::NodeInfo;
use crate::scheduler::framework::MAX_NODE_SCORE;
use crate::scheduler::pod::PodInfo;
use crate::version::{Change, Profile};

/// Whether the plugin has a say: a pod that asks for neither CPU nor memory changes no balance.
pub fn applies(version: Profile, pod: &PodInfo) -> bool {
    !version.has(Change::BalanceSkipsBestEffort) || pod.requests.milli_cpu != 0 || pod.requests.memory != 0
}

fn balance(requested: [i64; 2], allocatable: [i64; 2]) -> i64 {
    let fraction = |index: usize| (requested[index] as f64 / allocatable[index] as f64).min(1.0);
    // Two fractions deviate from their mean by half their difference; what the node has none of does not count.
    let deviation = if allocatable.contains(&0) {
        0.0
    } else {
        (fraction(0) - fraction(1)).abs() / 2.0
    };
    ((1.0 - deviation) * MAX_NODE_SCORE as f64) as i64
}

/// How much the pod improves the node's balance, 75 when it changes nothing; in older versions the balance with the pod.
pub fn score(version: Profile, pod: &PodInfo, node: &NodeInfo) -> i64 {
    let allocatable = [node.allocatable.milli_cpu, node.allocatable.memory];
    let used = [node.requested.milli_cpu, node.requested.memory];
    let with = balance(
        [used[0] + pod.requests.milli_cpu, used[1] + pod.requests.memory],
        allocatable,
    );
    if !version.has(Change::BalanceScoredByDifference) {
        return with;
    }
    let without = balance(used, allocatable);
    MAX_NODE_SCORE / 2 + (MAX_NODE_SCORE / 2 + with - without) / 2
}
