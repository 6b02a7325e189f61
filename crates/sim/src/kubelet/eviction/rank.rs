//! Which pod goes first, and in which words (`pkg/kubelet/eviction/helpers.go rankMemoryPressure, rankDiskPressureFunc,
//! rankPIDPressure, evictionMessage`).

use std::cmp::{Ordering, Reverse};

use super::threshold::Pressure;
use crate::resources::binary;

/// What decides about one pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Candidate {
    /// `spec.priority`
    pub priority: i32,
    /// What it asked for of the short resource, in units.
    pub request: i128,
    /// What is taken off its usage before two pods are compared: the request, but of inodes the bytes that it asked for.
    pub deducted: i128,
    /// What it uses of it, or the number of its processes; `None` when the kubelet has no figures of it.
    pub usage: Option<i128>,
}

/// The order of eviction of two pods: the smaller one goes first.
///
/// Memory and disk: first who uses more than they asked for, then the lower priority, then who is further above (or less
/// below) what they asked for. Process numbers: the lower priority, then who has more processes.
pub fn order(pressure: Pressure, a: &Candidate, b: &Candidate) -> Ordering {
    let (Some(used_a), Some(used_b)) = (a.usage, b.usage) else {
        // Whoever has no figures goes first; for process numbers only among equals.
        let unknown = a.usage.is_some().cmp(&b.usage.is_some());
        return match pressure {
            Pressure::Pid => a.priority.cmp(&b.priority).then(unknown),
            Pressure::Memory | Pressure::Disk => unknown.then(a.priority.cmp(&b.priority)),
        };
    };
    let by_priority = a.priority.cmp(&b.priority);
    match pressure {
        Pressure::Pid => by_priority.then(used_b.cmp(&used_a)),
        Pressure::Memory | Pressure::Disk => {
            let exceeds = |used: i128, pod: &Candidate| Reverse(used > pod.request);
            exceeds(used_a, a)
                .cmp(&exceeds(used_b, b))
                .then(by_priority)
                .then((used_b - b.deducted).cmp(&(used_a - a.deducted)))
        }
    }
}

/// What the message of an eviction says about a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerUse {
    /// Its name.
    pub name: String,
    /// What it asked for, as a quantity prints it.
    pub request: String,
    /// The same in units.
    pub requested: i128,
    /// What it uses, in bytes.
    pub used: i128,
}

/// The message of an eviction; the blank at its end is the kubelet's.
///
/// `met` is the threshold's quantity and what is available; `pod` name, usage in bytes and request of a pod with a memory
/// request of its own.
pub fn message(
    resource: &str,
    met: Option<(&str, &str)>,
    pod: Option<(&str, i128, &str)>,
    containers: &[ContainerUse],
) -> String {
    let mut text = format!("The node was low on resource: {resource}. ");
    if let Some((quantity, available)) = met {
        text += &format!("Threshold quantity: {quantity}, available: {available}. ");
    }
    let mut larger = |what: &str, name: &str, used: i128, request: &str| {
        let used = binary(used);
        text +=
            &format!("{what} {name} was using {used}, request is {request}, has larger consumption of {resource}. ");
    };
    if let Some((name, used, request)) = pod {
        larger("Pod", name, used, request);
    }
    for container in offenders(resource, containers) {
        larger("Container", &container.name, container.used, &container.request);
    }
    text
}

/// The containers that use more than they asked for. Only memory and storage are counted for each container.
pub fn offenders<'a>(resource: &str, containers: &'a [ContainerUse]) -> Vec<&'a ContainerUse> {
    let counted = matches!(resource, "memory" | "ephemeral-storage");
    containers
        .iter()
        .filter(|container| counted && container.used > container.requested)
        .collect()
}
