//! The TTL controller: a finished Job with a time to live is deleted when it is over (`pkg/controller/ttlafterfinished`).

use k8s_openapi::api::batch::v1 as batch;

use super::workqueue::{Outcome, Reconciler, WorkQueue};
use crate::objects::{Key, Object};
use crate::registry::{DeleteOptions, Propagation};
use crate::time::{SimDuration, SimTime};
use crate::world::{Controller, World};

/// The TTL controller.
#[derive(Clone)]
pub struct TtlAfterFinished {
    pub(super) queue: WorkQueue,
}

impl TtlAfterFinished {
    /// With nothing to do.
    pub fn new() -> Self {
        Self {
            queue: WorkQueue::new(Controller::TtlAfterFinished),
        }
    }

    /// Adds a Job that has finished and is to go.
    pub(crate) fn on_notify(&mut self, w: &mut World, key: &Key) {
        if expires_at(w, key).is_some() {
            self.queue.add(w, key.clone());
        }
    }
}

impl Reconciler for TtlAfterFinished {
    fn queue(&mut self) -> &mut WorkQueue {
        &mut self.queue
    }

    fn reconcile(&mut self, w: &mut World, key: &Key) -> Outcome {
        let Some((at, uid)) = expires_at(w, key) else {
            return Outcome::Planned;
        };
        if at > w.now {
            self.queue.add_after(w, key.clone(), at.since(w.now));
            return Outcome::Planned;
        }
        let propagation = Propagation::Foreground;
        let options = DeleteOptions {
            uid: Some(uid),
            propagation,
            ..DeleteOptions::default()
        };
        // Deleted by another hand is deleted, too.
        let _ = w.delete(key, &options);
        Outcome::Planned
    }
}

impl Default for TtlAfterFinished {
    fn default() -> Self {
        Self::new()
    }
}

/// When a finished Job expires, and its UID.
fn expires_at(w: &World, key: &Key) -> Option<(SimTime, String)> {
    let Object::Job(job) = &w.get(key)?.object else {
        return None;
    };
    if job.metadata.deletion_timestamp.is_some() {
        return None;
    }
    let seconds = u64::try_from(job.spec.as_ref()?.ttl_seconds_after_finished?).unwrap_or(0);
    let finished = finished_at(job)?;
    Some((
        w.virtual_time(finished) + SimDuration::from_secs(seconds),
        job.metadata.uid.clone()?,
    ))
}

fn finished_at(job: &batch::Job) -> Option<jiff::Timestamp> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    let ended = conditions
        .iter()
        .find(|condition| matches!(condition.type_.as_str(), "Complete" | "Failed") && condition.status == "True")?;
    ended.last_transition_time.as_ref().map(|time| time.0)
}
