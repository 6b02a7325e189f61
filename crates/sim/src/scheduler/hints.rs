//! Queueing hints: whether a change of the cluster may help a pod that a plugin refused (`EventsToRegister` and the
//! `isSchedulableAfter…` functions of the plugins).

use crate::core;
use std::collections::BTreeMap;

use super::cache::NodeInfo;
use super::framework::Plugin;
use super::plugins::{node_affinity, taint_toleration};
use super::pod::{AffinityTerm, Labels, PodInfo};
use crate::objects::selects;

/// A change that the scheduler sees.
#[derive(Clone, Copy, Debug)]
pub enum Change<'a> {
    /// A node came.
    NodeAdded(&'a NodeInfo),
    /// A node changed.
    NodeUpdated(&'a NodeInfo, &'a NodeInfo),
    /// A node went.
    NodeDeleted(&'a NodeInfo),
    /// A pod was assigned to a node.
    PodAdded(&'a PodInfo),
    /// An assigned pod changed.
    PodUpdated(&'a PodInfo, &'a PodInfo),
    /// An assigned pod went, or came to its end.
    PodDeleted(&'a PodInfo),
    /// A claim, a volume or a storage class came or changed.
    StorageChanged,
}

/// Whether the change may help the pod, which `plugin` refused.
pub fn helps(
    plugin: Plugin,
    change: Change<'_>,
    pod: &core::Pod,
    info: &PodInfo,
    namespaces: &BTreeMap<String, Labels>,
) -> bool {
    match plugin {
        Plugin::NodeUnschedulable => match change {
            Change::NodeAdded(node) => !node.unschedulable,
            Change::NodeUpdated(old, new) => old.unschedulable && !new.unschedulable,
            _ => false,
        },
        Plugin::NodeName => matches!(change, Change::NodeAdded(_)),
        Plugin::TaintToleration => {
            let refused = |node: &NodeInfo| {
                taint_toleration::untolerated(
                    &node.taints,
                    taint_toleration::tolerations(pod),
                    &["NoSchedule", "NoExecute"],
                )
                .is_some()
            };
            match change {
                Change::NodeAdded(node) => !refused(node),
                Change::NodeUpdated(old, new) => refused(old) && !refused(new),
                _ => false,
            }
        }
        Plugin::NodeAffinity => {
            let matches = |node: &NodeInfo| node_affinity::required_match(pod, &node.name, &node.labels);
            match change {
                Change::NodeAdded(node) => matches(node),
                Change::NodeUpdated(old, new) => !matches(old) && matches(new),
                _ => false,
            }
        }
        Plugin::NodePorts => match change {
            Change::NodeAdded(_) => true,
            Change::PodDeleted(other) => other
                .ports
                .iter()
                .any(|port| info.ports.iter().any(|own| own.conflicts(port))),
            _ => false,
        },
        Plugin::NodeResourcesFit => resources(change, info),
        Plugin::VolumeRestrictions => matches!(change, Change::StorageChanged | Change::PodDeleted(_)),
        // A node may have, or get, what a volume asks for.
        Plugin::VolumeBinding => matches!(
            change,
            Change::StorageChanged | Change::NodeAdded(_) | Change::NodeUpdated(..)
        ),
        Plugin::PodTopologySpread => spread(change, pod, info),
        Plugin::InterPodAffinity => affinity(change, info, namespaces),
        Plugin::NodeResourcesBalancedAllocation | Plugin::ImageLocality => false,
    }
}

/// Whether the change is one of those that a plugin registered for, which is all that counts without queueing hints
/// (`EventsToRegister`).
pub fn concerns(plugin: Plugin, change: Change<'_>) -> bool {
    let node = matches!(change, Change::NodeAdded(_) | Change::NodeUpdated(..));
    match plugin {
        Plugin::NodeUnschedulable | Plugin::NodeName | Plugin::TaintToleration | Plugin::NodeAffinity => node,
        Plugin::NodePorts | Plugin::NodeResourcesFit => node || matches!(change, Change::PodDeleted(_)),
        Plugin::VolumeBinding => node || matches!(change, Change::StorageChanged),
        Plugin::VolumeRestrictions => matches!(change, Change::PodDeleted(_) | Change::StorageChanged),
        Plugin::PodTopologySpread => !matches!(change, Change::StorageChanged),
        Plugin::InterPodAffinity => !matches!(change, Change::StorageChanged | Change::NodeDeleted(_)),
        Plugin::NodeResourcesBalancedAllocation | Plugin::ImageLocality => false,
    }
}

fn resources(change: Change<'_>, info: &PodInfo) -> bool {
    let wanted = &info.requests;
    let fits = |node: &NodeInfo| {
        let has = &node.allocatable;
        wanted.milli_cpu <= has.milli_cpu
            && wanted.memory <= has.memory
            && wanted.ephemeral_storage <= has.ephemeral_storage
            && wanted
                .scalar
                .iter()
                .all(|(name, amount)| *amount <= has.scalar.get(name).copied().unwrap_or(0))
    };
    match change {
        Change::PodDeleted(_) => true,
        Change::PodUpdated(old, new) => {
            let (old, new) = (&old.requests, &new.requests);
            wanted.milli_cpu > 0 && old.milli_cpu > new.milli_cpu
                || wanted.memory > 0 && old.memory > new.memory
                || wanted.ephemeral_storage > 0 && old.ephemeral_storage > new.ephemeral_storage
        }
        Change::NodeAdded(node) => fits(node),
        Change::NodeUpdated(old, new) => {
            let (before, after) = (&old.allocatable, &new.allocatable);
            let more = |name: &String| after.scalar.get(name) > before.scalar.get(name);
            fits(new)
                && (new.allowed_pods > old.allowed_pods
                    || wanted.milli_cpu > 0 && after.milli_cpu > before.milli_cpu
                    || wanted.memory > 0 && after.memory > before.memory
                    || wanted.ephemeral_storage > 0 && after.ephemeral_storage > before.ephemeral_storage
                    || wanted.scalar.iter().any(|(name, amount)| *amount > 0 && more(name)))
        }
        Change::NodeDeleted(_) | Change::PodAdded(_) | Change::StorageChanged => false,
    }
}

fn spread(change: Change<'_>, pod: &core::Pod, info: &PodInfo) -> bool {
    let listed = pod
        .spec
        .as_ref()
        .and_then(|spec| spec.topology_spread_constraints.as_deref())
        .unwrap_or_default();
    let hard: Vec<_> = listed
        .iter()
        .filter(|constraint| constraint.when_unsatisfiable == "DoNotSchedule")
        .collect();
    let selected = |other: &PodInfo| {
        let of = |selector: &Option<_>| {
            selector
                .as_ref()
                .is_some_and(|selector| selects(selector, Some(&other.labels)))
        };
        hard.iter()
            .map(|constraint| of(&constraint.label_selector))
            .collect::<Vec<bool>>()
    };
    let has_keys = |node: &NodeInfo| {
        hard.iter()
            .all(|constraint| node.labels.contains_key(&constraint.topology_key))
    };
    match change {
        Change::PodAdded(other) | Change::PodDeleted(other) => {
            other.namespace() == info.namespace() && selected(other).into_iter().all(|matches| matches)
        }
        Change::PodUpdated(old, new) => new.namespace() == info.namespace() && selected(old) != selected(new),
        Change::NodeAdded(node) | Change::NodeDeleted(node) => has_keys(node),
        Change::NodeUpdated(old, new) => {
            let moved = hard
                .iter()
                .any(|constraint| old.labels.get(&constraint.topology_key) != new.labels.get(&constraint.topology_key));
            has_keys(old) != has_keys(new) || has_keys(new) && (moved || old.taints != new.taints)
        }
        Change::StorageChanged => false,
    }
}

fn affinity(change: Change<'_>, info: &PodInfo, namespaces: &BTreeMap<String, Labels>) -> bool {
    let own = info.affinity.as_deref();
    let required = own.map(|own| own.required.as_slice()).unwrap_or_default();
    let anti = own.map(|own| own.required_anti.as_slice()).unwrap_or_default();
    let all = |terms: &[AffinityTerm], other: &PodInfo| {
        !terms.is_empty()
            && terms
                .iter()
                .all(|term| term.matches(other.namespace(), &other.labels, namespaces))
    };
    let keys = || required.iter().chain(anti).map(|term| &term.topology_key);
    match change {
        Change::PodAdded(other) => all(required, other),
        Change::PodUpdated(old, new) => !all(required, old) && all(required, new) || all(anti, old) && !all(anti, new),
        Change::PodDeleted(other) => {
            all(anti, other)
                || other
                    .affinity
                    .as_deref()
                    .is_some_and(|theirs| all(&theirs.required_anti, info))
        }
        Change::NodeAdded(node) => keys().next().is_none() || keys().any(|key| node.labels.contains_key(key)),
        Change::NodeUpdated(old, new) => keys().any(|key| old.labels.get(key) != new.labels.get(key)),
        Change::NodeDeleted(_) | Change::StorageChanged => false,
    }
}
