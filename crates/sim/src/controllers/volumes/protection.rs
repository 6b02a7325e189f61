//! The protection controllers: a claim that a pod uses and a volume that is bound to a claim stay until they are free, even
//! when they were deleted (`pkg/controller/volume/{pvcprotection,pvprotection}`).

use super::object;
use crate::controllers::ControllerEvent;
use crate::controllers::workqueue::WorkQueue;
use crate::objects::{Key, Kind, Object, is_terminal};
use crate::storage;
use crate::world::{Controller, World};

/// What holds a claim that is in use.
pub(crate) const CLAIM_FINALIZER: &str = "kubernetes.io/pvc-protection";
/// What holds a volume that is bound.
pub(crate) const VOLUME_FINALIZER: &str = "kubernetes.io/pv-protection";

/// Both controllers.
#[derive(Clone)]
pub struct Protection {
    pub(crate) queue: WorkQueue,
}

impl Default for Protection {
    fn default() -> Self {
        Self {
            queue: WorkQueue::new(Controller::VolumeProtection),
        }
    }
}

impl Protection {
    /// Looks at a claim or volume that is to go, or at the claims of a pod that has ended.
    pub(crate) fn on_notify(&mut self, w: &mut World, key: &Key) {
        if key.kind != Kind::Pod {
            return self.queue.add(w, key.clone());
        }
        if w.pod(&key.namespace, &key.name).is_some_and(|pod| !is_terminal(pod)) {
            return;
        }
        let going: Vec<Key> = w
            .store
            .list(Kind::PersistentVolumeClaim, Some(&key.namespace))
            .filter(|stored| stored.object.meta().deletion_timestamp.is_some())
            .map(|stored| stored.object.key())
            .collect();
        for claim in going {
            self.queue.add(w, claim);
        }
    }

    /// Reacts to a timer.
    pub(crate) fn on_event(&mut self, w: &mut World, event: ControllerEvent) {
        match event {
            ControllerEvent::Reconcile { key } => {
                if self.queue.take(w, &key) {
                    release(w, &key);
                }
            }
            ControllerEvent::Wake { key } => self.queue.wake(w, key),
            ControllerEvent::Tick | ControllerEvent::Round => {}
        }
    }
}

fn release(w: &mut World, key: &Key) {
    let Some(mut found) = object(w, key).filter(|object| object.meta().deletion_timestamp.is_some()) else {
        return;
    };
    let (finalizer, used) = match &found {
        Object::PersistentVolumeClaim(_) => (CLAIM_FINALIZER, is_used(w, key)),
        Object::PersistentVolume(volume) => {
            let phase = volume.status.as_ref().and_then(|status| status.phase.as_deref());
            (VOLUME_FINALIZER, phase == Some("Bound"))
        }
        _ => return,
    };
    if used {
        return;
    }
    if let Some(finalizers) = &mut found.meta_mut().finalizers {
        let before = finalizers.len();
        finalizers.retain(|known| known != finalizer);
        if finalizers.len() != before {
            w.update(found);
        }
    }
}

/// Whether a pod that has a node and has not ended uses the claim (`podUsesPVC`: one that was never scheduled does not).
fn is_used(w: &World, key: &Key) -> bool {
    let pods = w
        .store
        .list(Kind::Pod, Some(&key.namespace))
        .filter_map(|stored| stored.object.as_pod());
    let mut users = pods.filter(|pod| {
        let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
        !node.unwrap_or_default().is_empty()
            && !is_terminal(pod)
            && storage::claims_of(pod).any(|name| name == *key.name)
    });
    users.next().is_some()
}
