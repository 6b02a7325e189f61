//! Which pods a ReplicaSet deletes first (`pkg/controller/controller_utils.go ActivePodsWithRanks.Less`).

use crate::core;
use std::cmp::{Ordering, Reverse};

use jiff::Timestamp;

use crate::controllers::pods::condition;
use crate::objects::phase;
use crate::resources::is_sidecar;

const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";

/// A pod and how many related pods are on its node.
#[derive(Clone, Copy, Debug)]
pub struct Ranked<'a> {
    /// The pod.
    pub pod: &'a core::Pod,
    /// Active pods of the same ReplicaSet and its siblings on that node.
    pub rank: usize,
}

/// Sorts the pods that are deleted first to the front. Ages within one step compare by UID but equal ages by what comes
/// next, which can go round in a circle, so this is a merge sort of its own that no such order upsets.
pub fn sort(pods: &mut [Ranked<'_>], now: Timestamp) {
    let middle = pods.len() / 2;
    if middle == 0 {
        return;
    }
    let (left, right) = pods.split_at_mut(middle);
    sort(left, now);
    sort(right, now);
    let mut merged = Vec::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left.iter().peekable(), right.iter().peekable());
    while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
        let next = if compare(b, a, now) == Ordering::Less {
            right.next()
        } else {
            left.next()
        };
        merged.extend(next.copied());
    }
    merged.extend(left.chain(right).copied());
    pods.copy_from_slice(&merged);
}

fn compare(a: &Ranked<'_>, b: &Ranked<'_>, now: Timestamp) -> Ordering {
    let unassigned = |pod: &core::Pod| {
        pod.spec
            .as_ref()
            .and_then(|spec| spec.node_name.as_deref())
            .is_none_or(str::is_empty)
    };
    let (left, right) = (a.pod, b.pod);
    let first = (
        Reverse(unassigned(left)),
        phase_order(left),
        is_ready(left),
        deletion_cost(left),
        Reverse(a.rank),
    )
        .cmp(&(
            Reverse(unassigned(right)),
            phase_order(right),
            is_ready(right),
            deletion_cost(right),
            Reverse(b.rank),
        ));
    first
        .then_with(|| match (ready_since(left), ready_since(right)) {
            (Some(left_since), Some(right_since)) => younger_first((left_since, left), (right_since, right), now),
            _ => Ordering::Equal,
        })
        .then_with(|| restarts(right).cmp(&restarts(left)))
        .then_with(|| match (created(left), created(right)) {
            (Some(left_since), Some(right_since)) => younger_first((left_since, left), (right_since, right), now),
            _ => Ordering::Equal,
        })
}

/// Compares ages in steps of powers of two; within a step the smaller UID comes first.
fn younger_first(a: (Timestamp, &core::Pod), b: (Timestamp, &core::Pod), now: Timestamp) -> Ordering {
    if a.0 == b.0 {
        return Ordering::Equal;
    }
    let step = |since: Timestamp| {
        let nanos = u64::try_from(now.duration_since(since).as_nanos()).unwrap_or(0);
        // An age of zero is younger than every step.
        nanos.checked_ilog2().map_or(-1, i64::from)
    };
    step(a.0)
        .cmp(&step(b.0))
        .then_with(|| a.1.metadata.uid.cmp(&b.1.metadata.uid))
}

fn phase_order(pod: &core::Pod) -> u8 {
    match phase(pod) {
        "Pending" => 0,
        "Unknown" => 1,
        _ => 2,
    }
}

fn is_ready(pod: &core::Pod) -> bool {
    condition(pod, "Ready").is_some_and(|condition| condition.status == "True")
}

fn ready_since(pod: &core::Pod) -> Option<Timestamp> {
    let ready = condition(pod, "Ready").filter(|condition| condition.status == "True")?;
    ready.last_transition_time.as_ref().map(|time| time.0)
}

fn created(pod: &core::Pod) -> Option<Timestamp> {
    pod.metadata.creation_timestamp.as_ref().map(|time| time.0)
}

fn deletion_cost(pod: &core::Pod) -> i32 {
    let text = pod
        .metadata
        .annotations
        .as_ref()
        .and_then(|annotations| annotations.get(DELETION_COST));
    text.and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// The most restarts of one app container, and of one sidecar.
fn restarts(pod: &core::Pod) -> (i32, i32) {
    let most = |statuses: &mut dyn Iterator<Item = &core::ContainerStatus>| {
        statuses.map(|status| status.restart_count).max().unwrap_or(0)
    };
    let sidecars: Vec<&str> = pod
        .spec
        .iter()
        .flat_map(|spec| spec.init_containers.iter().flatten())
        .filter(|container| is_sidecar(container))
        .map(|container| container.name.as_str())
        .collect();
    let status = pod.status.as_ref();
    let apps = status.and_then(|status| status.container_statuses.as_ref());
    let inits = status.and_then(|status| status.init_container_statuses.as_ref());
    (
        most(&mut apps.into_iter().flatten()),
        most(
            &mut inits
                .into_iter()
                .flatten()
                .filter(|status| sidecars.contains(&status.name.as_str())),
        ),
    )
}

/// The order in which active pods are deleted when neither cost nor node counts (`ActivePods.Less`).
pub fn compare_active(a: &core::Pod, b: &core::Pod) -> Ordering {
    let unassigned = |pod: &core::Pod| {
        pod.spec
            .as_ref()
            .and_then(|spec| spec.node_name.as_deref())
            .is_none_or(str::is_empty)
    };
    let key = |pod: &core::Pod| {
        (
            Reverse(unassigned(pod)),
            phase_order(pod),
            is_ready(pod),
            Reverse(ready_since(pod)),
            Reverse(restarts(pod)),
            Reverse(created(pod)),
        )
    };
    key(a).cmp(&key(b))
}
