//! The StatefulSet controller: pods with names of their own, one after the other (`pkg/controller/statefulset`).

mod pod;
mod sync;

use std::sync::Arc;

use super::controller_key;
use super::workqueue::{Outcome, Reconciler, WorkQueue};
use crate::objects::{Key, Kind};
use crate::trace::RecordId;
use crate::world::{Controller, World};

/// The name under which it reports events.
const COMPONENT: &str = "statefulset-controller";

/// The StatefulSet controller.
#[derive(Clone)]
pub struct StatefulSets {
    pub(super) queue: WorkQueue,
}

impl StatefulSets {
    /// With nothing to do.
    pub fn new() -> Self {
        Self {
            queue: WorkQueue::new(Controller::StatefulSet),
        }
    }

    /// Adds the StatefulSet, or the one that a pod belongs to.
    pub(crate) fn on_notify(&mut self, w: &mut World, key: &Key, record: RecordId) {
        if key.kind == Kind::StatefulSet {
            return self.queue.add(w, key.clone());
        }
        let Some(written) = w.written(record).map(|write| Arc::clone(&write.stored)) else {
            return;
        };
        if let Some(owner) = controller_key(&written.object, Kind::StatefulSet) {
            self.queue.add(w, owner);
        }
    }
}

impl Reconciler for StatefulSets {
    fn queue(&mut self) -> &mut WorkQueue {
        &mut self.queue
    }

    fn reconcile(&mut self, w: &mut World, key: &Key) -> Outcome {
        self.sync(w, key).into()
    }
}

impl Default for StatefulSets {
    fn default() -> Self {
        Self::new()
    }
}
