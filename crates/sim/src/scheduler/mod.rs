//! kube-scheduler: its queue, the scheduling cycle, one file a plugin.

use crate::objects::Key;
use crate::trace::RecordId;
use crate::world::World;

/// The scheduler's own timers.
#[derive(Clone, Debug)]
pub enum SchedulerEvent {
    /// The next pod of the active queue is due.
    Cycle,
    /// Pods whose back-off is over return to the active queue.
    FlushBackoff,
}

/// The scheduler.
#[derive(Clone, Default)]
pub struct Scheduler {}

impl Scheduler {
    /// Reacts to a change of a pod or a node.
    pub(crate) fn on_notify(&mut self, w: &mut World, key: &Key, record: RecordId) {
        let _ = (w, key, record);
    }

    /// Reacts to a timer.
    pub(crate) fn on_event(&mut self, w: &mut World, event: SchedulerEvent) {
        let _ = (w, event);
    }
}
