//! NodeResourcesFit: what pods ask for must fit into what the node has (`pkg/scheduler/framework/plugins/noderesources/fit.go`).

use std::borrow::Cow;

use crate::scheduler::cache::NodeInfo;
use crate::scheduler::framework::{Code, MAX_NODE_SCORE, Plugin, Rejection};
use crate::scheduler::pod::PodInfo;

/// Refuses a node that has too little of something; preemption cannot help when even the empty node has too little.
pub fn filter(pod: &PodInfo, node: &NodeInfo) -> Option<Rejection> {
    let mut reasons: Vec<Cow<'static, str>> = Vec::new();
    let mut hopeless = false;
    if i64::try_from(node.pods.len()).unwrap_or(i64::MAX) + 1 > node.allowed_pods {
        reasons.push(Cow::Borrowed("Too many pods"));
    }
    let (wanted, used, has) = (&pod.requests, &node.requested, &node.allocatable);
    if !wanted.is_zero() {
        let mut check = |reason: &'static str, wanted: i64, used: i64, has: i64| {
            if wanted > 0 && wanted > has - used {
                reasons.push(Cow::Borrowed(reason));
                hopeless |= wanted > has;
            }
        };
        check("Insufficient cpu", wanted.milli_cpu, used.milli_cpu, has.milli_cpu);
        check("Insufficient memory", wanted.memory, used.memory, has.memory);
        check(
            "Insufficient ephemeral-storage",
            wanted.ephemeral_storage,
            used.ephemeral_storage,
            has.ephemeral_storage,
        );
        for (name, wanted) in &wanted.scalar {
            let (used, has) = (
                used.scalar.get(name).copied().unwrap_or(0),
                has.scalar.get(name).copied().unwrap_or(0),
            );
            if *wanted > 0 && *wanted > has - used {
                reasons.push(Cow::Owned(format!("Insufficient {name}")));
                hopeless |= *wanted > has;
            }
        }
    }
    let code = if hopeless {
        Code::UnschedulableAndUnresolvable
    } else {
        Code::Unschedulable
    };
    (!reasons.is_empty()).then_some(Rejection {
        plugin: Plugin::NodeResourcesFit,
        code,
        reasons,
    })
}

/// `LeastAllocated`: the share that would stay free, averaged over CPU and memory.
pub fn score(pod: &PodInfo, node: &NodeInfo) -> i64 {
    let free = |wanted: i64, has: i64| {
        if wanted > has {
            0
        } else {
            i64::try_from(i128::from(has - wanted) * i128::from(MAX_NODE_SCORE) / i128::from(has)).unwrap_or(0)
        }
    };
    let pairs = [
        (node.nonzero.0 + pod.nonzero.0, node.allocatable.milli_cpu),
        (node.nonzero.1 + pod.nonzero.1, node.allocatable.memory),
    ];
    let (mut sum, mut weights) = (0, 0);
    for (wanted, has) in pairs.into_iter().filter(|(_, has)| *has != 0) {
        sum += free(wanted, has);
        weights += 1;
    }
    if weights == 0 { 0 } else { sum / weights }
}
