//! The Job controller: pods until enough have succeeded or too many have failed (`pkg/controller/job`).
//!
//! Each pod carries a finalizer until it is counted, so that none is counted twice or forgotten, whatever deletes it.

pub mod backoff;
mod context;
pub mod indexes;
mod manage;
pub mod policy;
mod sync;
mod tracking;

use crate::core;
use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::batch::v1 as batch;

use self::backoff::BackoffRecord;
use super::controller_key;
use super::workqueue::{Outcome, Reconciler, WorkQueue};
use crate::objects::{Key, Kind, Object, controller_of, selects};
use crate::time::SimDuration;
use crate::trace::{Change, RecordId};
use crate::world::{Controller, World};

/// The name under which it reports events.
pub(super) const COMPONENT: &str = "job-controller";
/// The finalizer that a pod has until it is counted.
pub const TRACKING_FINALIZER: &str = "batch.kubernetes.io/job-tracking";
/// Changes within this span are looked at together (`SyncJobBatchPeriod`).
const BATCH_PERIOD: SimDuration = SimDuration::from_secs(1);
/// First wait of a Job whose sync failed (`DefaultJobApiBackOff`).
const API_BACKOFF: SimDuration = SimDuration::from_secs(1);
/// Longest such wait (`MaxJobApiBackOff`).
const MAX_API_BACKOFF: SimDuration = SimDuration::from_secs(60);

/// The Job controller.
#[derive(Clone)]
pub struct Jobs {
    pub(super) queue: WorkQueue,
    backoffs: BTreeMap<Key, BackoffRecord>,
    /// The generation of each Job that was seen last.
    generations: BTreeMap<Key, Option<i64>>,
}

impl Jobs {
    /// With nothing to do.
    pub fn new() -> Self {
        Self {
            queue: WorkQueue::with_delays(Controller::Job, API_BACKOFF, MAX_API_BACKOFF),
            backoffs: BTreeMap::new(),
            generations: BTreeMap::new(),
        }
    }

    /// Adds the Job, at once when it is asked for something new and a second later otherwise; or the one that a pod belongs
    /// to or could belong to.
    pub(crate) fn on_notify(&mut self, w: &mut World, key: &Key, record: RecordId) {
        let Some((change, written)) = w.written(record).map(|write| (write.change, Arc::clone(&write.stored))) else {
            return;
        };
        match &written.object {
            Object::Job(job) => {
                let generation = job.metadata.generation;
                let seen = self.generations.insert(key.clone(), generation);
                if change == Change::Deleted {
                    self.backoffs.remove(key);
                    self.generations.remove(key);
                    self.release_pods(w, job);
                    self.queue.add(w, key.clone());
                } else if is_finished(job) {
                    self.backoffs.remove(key);
                    self.queue.cancel_wait(key);
                    self.release_pods(w, job);
                } else if seen == Some(generation) {
                    self.queue.add_after(w, key.clone(), BATCH_PERIOD);
                } else {
                    self.queue.add(w, key.clone());
                }
            }
            Object::Pod(pod) => self.pod_changed(w, pod, &written.object),
            _ => {}
        }
    }

    fn pod_changed(&mut self, w: &mut World, pod: &core::Pod, object: &Object) {
        let job = controller_key(object, Kind::Job);
        let live = job
            .as_ref()
            .and_then(|key| w.get(key))
            .and_then(|stored| match &stored.object {
                Object::Job(job) => Some(!is_finished(job)),
                _ => None,
            });
        match (job, live) {
            (Some(key), Some(true)) => self.queue.add_after(w, key, BATCH_PERIOD),
            (Some(_), _) => self.add_orphan(w, pod, object),
            (None, _) => {
                self.add_orphan(w, pod, object);
                if controller_of(&pod.metadata).is_none() && pod.metadata.deletion_timestamp.is_none() {
                    for key in matching(w, object) {
                        self.queue.add_after(w, key, BATCH_PERIOD);
                    }
                }
            }
        }
    }

    /// A pod that no Job will count any more only has to lose its finalizer.
    fn add_orphan(&mut self, w: &mut World, pod: &core::Pod, object: &Object) {
        if has_tracking_finalizer(pod) {
            self.queue.add(w, object.key());
        }
    }

    fn release_pods(&mut self, w: &mut World, job: &batch::Job) {
        let uid = job.metadata.uid.as_deref().unwrap_or_default();
        let keys: Vec<Key> = w
            .store
            .dependents(uid)
            .filter(|stored| stored.object.as_pod().is_some_and(has_tracking_finalizer))
            .map(|stored| stored.object.key())
            .collect();
        for key in keys {
            self.queue.add(w, key);
        }
    }
}

impl Reconciler for Jobs {
    fn queue(&mut self) -> &mut WorkQueue {
        &mut self.queue
    }

    fn reconcile(&mut self, w: &mut World, key: &Key) -> Outcome {
        if key.kind == Kind::Pod {
            release_orphan(w, key);
            return Outcome::Planned;
        }
        self.sync(w, key).into()
    }
}

impl Default for Jobs {
    fn default() -> Self {
        Self::new()
    }
}

/// Takes the finalizer off a pod whose Job is gone or finished (`syncOrphanPod`).
fn release_orphan(w: &mut World, key: &Key) {
    let Some(stored) = w.get(key).cloned() else { return };
    let owner = controller_key(&stored.object, Kind::Job).and_then(|job| w.get(&job).cloned());
    let uid = controller_of(stored.object.meta()).map(|owner| owner.uid.clone());
    if let Some(owner) = owner
        && Some(owner.object.uid()) == uid.as_deref()
        && let Object::Job(job) = &owner.object
        && !is_finished(job)
    {
        return;
    }
    remove_finalizer(w, &stored.object);
}

/// Takes the tracking finalizer off a pod.
fn remove_finalizer(w: &mut World, pod: &Object) {
    let key = pod.key();
    w.update_pod(&key, pod.uid(), |pod| {
        if let Some(finalizers) = &mut pod.metadata.finalizers {
            finalizers.retain(|finalizer| finalizer != TRACKING_FINALIZER);
            if finalizers.is_empty() {
                pod.metadata.finalizers = None;
            }
        }
    });
}

fn matching(w: &World, pod: &Object) -> Vec<Key> {
    w.store
        .list(Kind::Job, Some(pod.namespace()))
        .filter(|stored| match &stored.object {
            Object::Job(job) => job
                .spec
                .as_ref()
                .and_then(|spec| spec.selector.as_ref())
                .is_some_and(|selector| selects(selector, pod.meta().labels.as_ref())),
            _ => false,
        })
        .map(|stored| stored.object.key())
        .collect()
}

fn has_tracking_finalizer(pod: &core::Pod) -> bool {
    pod.metadata
        .finalizers
        .iter()
        .flatten()
        .any(|finalizer| finalizer == TRACKING_FINALIZER)
}

/// Whether the Job is complete or has failed (`IsJobFinished`).
pub fn is_finished(job: &batch::Job) -> bool {
    let conditions = job.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions
        .into_iter()
        .any(|condition| matches!(condition.type_.as_str(), "Complete" | "Failed") && condition.status == "True")
}
