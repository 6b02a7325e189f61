//! kube-controller-manager: one file a controller.

use crate::objects::Key;
use crate::trace::RecordId;
use crate::world::{Controller, World};

/// The controllers' own timers.
#[derive(Clone, Debug)]
pub enum ControllerEvent {
    /// The work queue gives a key back.
    Reconcile {
        /// Which object.
        key: Key,
    },
    /// A periodic round (node monitor, pod garbage collection).
    Round,
}

/// All controllers.
#[derive(Clone, Default)]
pub struct Controllers {}

impl Controllers {
    /// Plans the periodic rounds.
    pub(crate) fn start(&mut self, w: &mut World) {
        let _ = w;
    }

    /// Reacts to a change of an object that a controller watches.
    pub(crate) fn on_notify(&mut self, w: &mut World, controller: Controller, key: &Key, record: RecordId) {
        let _ = (w, controller, key, record);
    }

    /// Reacts to a controller's timer.
    pub(crate) fn on_event(&mut self, w: &mut World, controller: Controller, event: ControllerEvent) {
        let _ = (w, controller, event);
    }
}
