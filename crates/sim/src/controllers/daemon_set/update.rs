//! The rolling update of a DaemonSet, node by node (`pkg/controller/daemon/update.go`).

use crate::core;
use k8s_openapi::api::apps::v1 as apps;

use super::{ByNode, HASH_LABEL, desired, nodes};
use crate::controllers::int_or_percent::{Round, scaled};
use crate::controllers::pods::available_at;
use crate::world::World;

/// Whether pods are replaced only when somebody deletes them.
pub(super) fn is_on_delete(set: &apps::DaemonSet) -> bool {
    let strategy = set.spec.as_ref().and_then(|spec| spec.update_strategy.as_ref());
    strategy.and_then(|strategy| strategy.type_.as_deref()) == Some("OnDelete")
}

/// Whether a pod is of the present template.
pub(super) fn is_updated(pod: &core::Pod, hash: &str) -> bool {
    pod.metadata
        .labels
        .as_ref()
        .and_then(|labels| labels.get(HASH_LABEL))
        .is_some_and(|own| own == hash)
}

fn rolling_update(set: &apps::DaemonSet) -> Option<&apps::RollingUpdateDaemonSet> {
    set.spec.as_ref()?.update_strategy.as_ref()?.rolling_update.as_ref()
}

/// How many nodes may have an old and a new pod at a time.
pub(super) fn max_surge(w: &World, set: &apps::DaemonSet) -> i32 {
    let surge = rolling_update(set).and_then(|rolling| rolling.max_surge.as_ref());
    surge.map_or(0, |surge| scaled(surge, desired(w, set), Round::Up).unwrap_or(0))
}

fn max_unavailable(w: &World, set: &apps::DaemonSet, surge: i32) -> i32 {
    let value = rolling_update(set).and_then(|rolling| rolling.max_unavailable.as_ref());
    let resolved = value.map_or(1, |value| scaled(value, desired(w, set), Round::Up).unwrap_or(1));
    if surge == 0 && resolved == 0 { 1 } else { resolved }
}

/// The new and the old pod of a node, if it has at most one of each (`findUpdatedPodsOnNode`).
fn new_and_old<'a>(pods: &'a [core::Pod], hash: &str) -> Option<(Option<&'a core::Pod>, Option<&'a core::Pod>)> {
    let (mut new, mut old) = (None, None);
    for pod in pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()) {
        let slot = if is_updated(pod, hash) { &mut new } else { &mut old };
        if slot.replace(pod).is_some() {
            return None;
        }
    }
    Some((new, old))
}

/// Pods to delete and nodes to create pods on for the next step of a rollout.
pub(super) fn rolling(w: &World, set: &apps::DaemonSet, pods: &ByNode, hash: &str) -> (Vec<core::Pod>, Vec<String>) {
    let min_ready = set.spec.as_ref().and_then(|spec| spec.min_ready_seconds).unwrap_or(0);
    let available = |pod: &core::Pod| available_at(w, pod, min_ready).is_some_and(|at| at <= w.now);
    let surge = max_surge(w, set);
    if surge > 0 {
        return surging(w, set, pods, hash, surge, &available);
    }
    let most = max_unavailable(w, set, surge);
    let mut unavailable = 0;
    let (mut allowed, mut candidates): (Vec<core::Pod>, Vec<core::Pod>) = (Vec::new(), Vec::new());
    for on_node in pods.values() {
        match new_and_old(on_node, hash) {
            None | Some((None, None) | (Some(_), Some(_))) => unavailable += 1,
            Some((Some(new), None)) => unavailable += i32::from(!available(new)),
            // One that serves nobody may go at once.
            Some((None, Some(old))) if !available(old) => {
                allowed.push(old.clone());
                unavailable += 1;
            }
            Some((None, Some(old))) => {
                if unavailable < most {
                    candidates.push(old.clone());
                }
            }
        }
    }
    candidates.truncate(usize::try_from(most - unavailable).unwrap_or(0));
    allowed.extend(candidates);
    (allowed, Vec::new())
}

/// With a surge the new pod comes first, and the old one goes when it is available.
fn surging(
    w: &World,
    set: &apps::DaemonSet,
    pods: &ByNode,
    hash: &str,
    surge: i32,
    available: &dyn Fn(&core::Pod) -> bool,
) -> (Vec<core::Pod>, Vec<String>) {
    let (mut delete, mut allowed, mut candidates) = (Vec::new(), Vec::new(), Vec::new());
    let mut surging = 0;
    for (name, on_node) in pods {
        let Some((new, old)) = new_and_old(on_node, hash) else {
            surging += 1;
            continue;
        };
        let Some(old) = old else { continue };
        match new {
            None => {
                let runs = w.node(name).is_some_and(|node| nodes::suits(set, node).0);
                if !runs {
                    delete.push(old.clone());
                } else if available(old) {
                    candidates.push(name.clone());
                } else {
                    allowed.push(name.clone());
                }
            }
            Some(new) if available(new) => delete.push(old.clone()),
            Some(_) => surging += 1,
        }
    }
    candidates.truncate(usize::try_from(surge - surging).unwrap_or(0));
    allowed.extend(candidates);
    (delete, allowed)
}
