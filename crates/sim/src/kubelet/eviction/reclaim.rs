//! What the kubelet frees of the disk before it evicts a pod (`buildSignalToNodeReclaimFuncs`): the containers of pods that are
//! over, then images that no container uses.

use std::sync::Arc;

use super::super::node::Kubelet;
use super::super::runtime_status::State;
use super::super::worker::Work;
use crate::trace::{RuntimeEvent, What};
use crate::world::World;

impl Kubelet {
    /// Removes dead containers of evicted pods, and images that are not in use.
    pub(super) fn reclaim_disk(&mut self, w: &mut World) {
        let evicted = self
            .pods
            .iter()
            .filter(|(_, worker)| worker.work == Work::Finished && worker.is_evicted());
        let evicted: Vec<Arc<str>> = evicted.map(|(uid, _)| Arc::clone(uid)).collect();
        for uid in evicted {
            self.with_pod(w, &uid, |_, _, worker| {
                worker
                    .instances
                    .retain(|instance| instance.record.state == State::Running);
                worker.touched = true;
            });
        }
        let mut used: Vec<String> = Vec::new();
        for worker in self.pods.values() {
            used.extend(worker.instances.iter().map(|instance| instance.record.image.clone()));
        }
        for image in self.puller.remove_unused(&w.catalogue, &used) {
            let event = RuntimeEvent::ImageRemoved { image };
            w.record(None, None, What::Runtime { event });
        }
        self.eviction.images = self.puller.bytes(&w.catalogue);
        self.eviction.images_gone = self.puller.freed(&w.catalogue);
    }
}
