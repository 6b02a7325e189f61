//! The StatefulSet controller: pods with names of their own, one after the other (`pkg/controller/statefulset`).

mod pod;
mod sync;

use std::sync::Arc;

use super::workqueue::WorkQueue;
use super::{ControllerEvent, controller_key};
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

    /// Reacts to a timer.
    pub(crate) fn on_event(&mut self, w: &mut World, event: ControllerEvent) {
        match event {
            ControllerEvent::Reconcile { key } => {
                if self.queue.take(w, &key) {
                    match self.sync(w, &key) {
                        Ok(()) => self.queue.forget(&key),
                        Err(_) => self.queue.add_rate_limited(w, key),
                    }
                }
            }
            ControllerEvent::Wake { key } => self.queue.wake(w, key),
            ControllerEvent::Tick | ControllerEvent::Round => {}
        }
    }
}

impl Default for StatefulSets {
    fn default() -> Self {
        Self::new()
    }
}
