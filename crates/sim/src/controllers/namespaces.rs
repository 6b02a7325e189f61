//! The namespace controller: a namespace on its way out is emptied, pods first; a new one gets what every namespace has
//! (`pkg/controller/namespace/deletion`, `serviceaccounts_controller.go`, the root CA publisher).

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1 as core;

use super::workqueue::{Outcome, Reconciler, WorkQueue};
use crate::objects::{Key, Kind, Object, RESOURCES, is_terminal};
use crate::registry::DeleteOptions;
use crate::time::SimDuration;
use crate::version::Gate;
use crate::world::{Controller, World};

/// How long deletion waits at first, so that every API server has seen it (`namespaceDeletionGracePeriod`).
const GRACE: SimDuration = SimDuration::from_secs(5);
/// Longest wait of a namespace that will not become empty (`nsControllerRateLimiter`).
const MAX_BACKOFF: SimDuration = SimDuration::from_secs(60);
/// Seconds that objects with finalizers are thought to need (`finalizerEstimateSeconds`).
const FINALIZER_ESTIMATE: u64 = 15;
/// The finalizer of `spec.finalizers` that this controller takes off.
const FINALIZER: &str = "kubernetes";

/// The namespace controller.
#[derive(Clone)]
pub struct Namespaces {
    pub(super) queue: WorkQueue,
}

impl Namespaces {
    /// With nothing to do.
    pub fn new() -> Self {
        Self {
            queue: WorkQueue::with_delays(Controller::Namespace, SimDuration::from_millis(5), MAX_BACKOFF),
        }
    }

    /// Adds a namespace that is being deleted, or furnishes a new one.
    pub(crate) fn on_notify(&mut self, w: &mut World, key: &Key) {
        // What belongs into a namespace was deleted or changed.
        let key = &match key.kind {
            Kind::Namespace => key.clone(),
            _ => Key::new(Kind::Namespace, "", &key.namespace),
        };
        let Some(stored) = w.get(key).cloned() else { return };
        if stored.object.meta().deletion_timestamp.is_some() {
            return self.queue.add_after(w, key.clone(), GRACE);
        }
        for mut object in crate::start::namespace_objects(&key.name) {
            object.meta_mut().namespace = Some(key.name.to_string());
            let known = w.get(&object.key()).map(|stored| stored.object.clone());
            if let (Some(Object::ConfigMap(own)), Object::ConfigMap(wanted)) = (known, &object) {
                // The publisher of the root certificate puts back what it wrote.
                if own.data != wanted.data && own.metadata.deletion_timestamp.is_none() {
                    let data = wanted.data.clone();
                    w.update(core::ConfigMap { data, ..own }.into());
                }
            } else if w.get(&object.key()).is_none() {
                // Only a namespace that is going refuses it, and then it needs nothing any more.
                let _ = w.create(object);
            }
        }
    }

    /// `namespacedResourcesDeleter.Delete`.
    fn sync(&mut self, w: &mut World, key: &Key) {
        let Some(Object::Namespace(namespace)) = w.get(key).map(|stored| stored.object.clone()) else {
            return;
        };
        if namespace.metadata.deletion_timestamp.is_none() {
            return;
        }
        let mut left = Left::default();
        let estimate = left.delete_all(w, &key.name, Kind::Pod);
        if left.counts.is_empty() || !w.version.enabled(Gate::OrderedNamespaceDeletion) {
            for resource in RESOURCES
                .iter()
                .filter(|resource| resource.namespaced && resource.kind != Kind::Pod)
            {
                left.delete_all(w, &key.name, resource.kind);
            }
        }
        let done = left.counts.is_empty();
        write_status(w, key, &left);
        if !done {
            let deleted = namespace
                .metadata
                .deletion_timestamp
                .map_or(w.now, |time| w.virtual_time(time.0));
            let estimate = if left.finalizers.is_empty() {
                estimate
            } else {
                estimate.max(FINALIZER_ESTIMATE)
            };
            if w.now.since(deleted) >= SimDuration::from_secs(estimate) {
                // By now everything should be gone: that it is not counts as an error, and is tried again soon.
                return self.queue.add_rate_limited(w, key.clone());
            }
            // Looked at again after half the time that the pods need, and a second.
            return self
                .queue
                .add_after(w, key.clone(), SimDuration::from_secs(estimate / 2 + 1));
        }
        self.queue.forget(key);
        let Some(Object::Namespace(mut namespace)) = w.get(key).map(|stored| stored.object.clone()) else {
            return;
        };
        if let Some(finalizers) = namespace.spec.as_mut().and_then(|spec| spec.finalizers.as_mut()) {
            finalizers.retain(|finalizer| finalizer != FINALIZER);
        }
        w.update(namespace.into());
    }
}

impl Reconciler for Namespaces {
    fn queue(&mut self) -> &mut WorkQueue {
        &mut self.queue
    }

    fn reconcile(&mut self, w: &mut World, key: &Key) -> Outcome {
        self.sync(w, key);
        Outcome::Planned
    }
}

impl Default for Namespaces {
    fn default() -> Self {
        Self::new()
    }
}

/// What is still in a namespace after everything was told to go.
#[derive(Default)]
struct Left {
    counts: BTreeMap<String, usize>,
    finalizers: BTreeMap<String, usize>,
}

impl Left {
    /// Deletes all objects of a kind; gives the seconds that pods need at most (`deleteAllContentForGroupVersionResource`).
    fn delete_all(&mut self, w: &mut World, namespace: &str, kind: Kind) -> u64 {
        let keys: Vec<Key> = w
            .store
            .list(kind, Some(namespace))
            .map(|stored| stored.object.key())
            .collect();
        let mut estimate = 0;
        for key in &keys {
            if let Some(pod) = w
                .pod(&key.namespace, &key.name)
                .filter(|pod| kind == Kind::Pod && !is_terminal(pod))
            {
                let grace = pod
                    .spec
                    .as_ref()
                    .and_then(|spec| spec.termination_grace_period_seconds)
                    .unwrap_or(30);
                estimate = estimate.max(u64::try_from(grace).unwrap_or(0));
            }
            // What cannot be deleted now is counted as left below.
            let _ = w.delete(key, &DeleteOptions::default());
        }
        for stored in w.store.list(kind, Some(namespace)) {
            let resource = kind.resource();
            let name = if resource.group.is_empty() {
                resource.plural.to_owned()
            } else {
                resource.qualified()
            };
            *self.counts.entry(name).or_default() += 1;
            for finalizer in stored.object.meta().finalizers.iter().flatten() {
                *self.finalizers.entry(finalizer.clone()).or_default() += 1;
            }
        }
        estimate
    }
}

fn write_status(w: &mut World, key: &Key, left: &Left) {
    let Some(Object::Namespace(mut namespace)) = w.get(key).map(|stored| stored.object.clone()) else {
        return;
    };
    let time = w.time();
    let status = namespace.status.get_or_insert_default();
    status.phase = Some("Terminating".to_owned());
    let text = |counts: &BTreeMap<String, usize>, what: &str| {
        let parts: Vec<String> = counts
            .iter()
            .map(|(name, count)| format!("{name} has {count} resource instances"))
            .collect();
        format!("Some {what}: {}", parts.join(", "))
    };
    let in_finalizers = |counts: &BTreeMap<String, usize>| {
        let parts: Vec<String> = counts
            .iter()
            .map(|(name, count)| format!("{name} in {count} resource instances"))
            .collect();
        format!(
            "Some content in the namespace has finalizers remaining: {}",
            parts.join(", ")
        )
    };
    let counts: BTreeMap<String, usize> = left
        .counts
        .iter()
        .map(|(name, count)| (format!("{name}."), *count))
        .collect();
    let rows = [
        (
            "NamespaceDeletionDiscoveryFailure",
            false,
            "ResourcesDiscovered",
            "All resources successfully discovered".to_owned(),
        ),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            false,
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed".to_owned(),
        ),
        (
            "NamespaceDeletionContentFailure",
            false,
            "ContentDeleted",
            "All content successfully deleted, may be waiting on finalization".to_owned(),
        ),
        if left.counts.is_empty() {
            (
                "NamespaceContentRemaining",
                false,
                "ContentRemoved",
                "All content successfully removed".to_owned(),
            )
        } else {
            (
                "NamespaceContentRemaining",
                true,
                "SomeResourcesRemain",
                text(&counts, "resources are remaining"),
            )
        },
        if left.finalizers.is_empty() {
            (
                "NamespaceFinalizersRemaining",
                false,
                "ContentHasNoFinalizers",
                "All content-preserving finalizers finished".to_owned(),
            )
        } else {
            (
                "NamespaceFinalizersRemaining",
                true,
                "SomeFinalizersRemain",
                in_finalizers(&left.finalizers),
            )
        },
    ];
    for (kind, holds, reason, message) in rows {
        let conditions = status.conditions.get_or_insert_default();
        let holds = if holds { "True" } else { "False" };
        match conditions.iter_mut().find(|condition| condition.type_ == kind) {
            Some(known) => {
                if known.status != holds || known.message.as_deref() != Some(&message) {
                    known.last_transition_time = Some(time.clone());
                }
                (known.status, known.reason, known.message) =
                    (holds.to_owned(), Some(reason.to_owned()), Some(message));
            }
            None => conditions.push(core::NamespaceCondition {
                type_: kind.to_owned(),
                status: holds.to_owned(),
                reason: Some(reason.to_owned()),
                message: Some(message),
                last_transition_time: Some(time.clone()),
            }),
        }
    }
    w.update(namespace.into());
}
