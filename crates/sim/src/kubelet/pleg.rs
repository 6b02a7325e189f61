//! The PLEG: the kubelet learns of the runtime by listing it once a second, and on demand after a sync that did something
//! (`pkg/kubelet/pleg/generic.go`). Ticks at which nothing can have changed are not simulated.

use super::event::{NodeEvent, PodEvent};
use super::node::Kubelet;
use super::runtime_status::State;
use super::worker::{Sync, Wait, Work, Worker};
use std::sync::Arc;

use crate::cluster::Event;
use crate::latency;
use crate::time::SimTime;
use crate::trace::RecordId;
use crate::world::World;

impl Kubelet {
    /// Something changed in the runtime: the next relist will see it.
    pub(super) fn runtime_changed(&mut self, w: &mut World, worker: &Worker) {
        self.changed.insert(Arc::clone(&worker.uid));
        if !self.relist_planned {
            self.relist_planned = true;
            let at = Self::tick_after(self.pleg_phase, w.now);
            w.schedule(
                at,
                Event::Node {
                    node: self.node,
                    event: NodeEvent::Relist,
                    causes: Vec::new(),
                },
            );
        }
    }

    pub(super) fn relist(&mut self, w: &mut World) {
        self.relist_planned = false;
        for uid in std::mem::take(&mut self.changed) {
            self.with_pod(w, &uid, |kubelet, w, worker| kubelet.relist_pod(w, worker));
        }
    }

    /// Compares the runtime with what was known, and syncs the pod if a container or the sandbox has changed. Containers that
    /// were only removed are no reason (`ContainerRemoved`).
    pub(super) fn relist_pod(&mut self, w: &mut World, worker: &mut Worker) {
        let seen = worker.snapshot();
        if seen == *worker.cache {
            return;
        }
        let known = &worker.cache;
        let changed = seen.sandboxes.iter().any(|new| {
            known
                .sandboxes
                .iter()
                .find(|old| old.id == new.id)
                .is_none_or(|old| old.ready != new.ready)
        }) || seen.containers.iter().any(|new| {
            known
                .containers
                .iter()
                .find(|old| old.id == new.id)
                .is_none_or(|old| old.state != new.state)
        });
        let died = seen.containers.iter().any(|new| {
            let known = known.containers.iter().find(|old| old.id == new.id);
            new.state == State::Exited && known.is_some_and(|old| old.state != State::Exited)
        });
        worker.cache = Arc::new(seen);
        if died && worker.is_evicted() {
            // What is left of a pod that was evicted is not kept (`cleanUpContainersInPod`): whoever asks the runtime after that
            // does not find it any more.
            self.plan(w, w.now + latency::CONTAINER_REMOVE, worker, PodEvent::RemoveDead);
        }
        if changed {
            let causes = std::mem::take(&mut worker.runtime_causes);
            let causes = if causes.is_empty() { w.causes.clone() } else { causes };
            self.wake_worker(w, worker, &causes);
        }
    }

    /// Asks for a sync of the pod (`podWorkers.UpdatePod`); only one request is kept while a sync is under way.
    pub(super) fn wake_worker(&mut self, w: &mut World, worker: &mut Worker, causes: &[RecordId]) {
        for cause in causes {
            if !worker.pending_causes.contains(cause) {
                worker.pending_causes.push(*cause);
            }
        }
        if !worker.start_planned {
            worker.given = worker.pod.clone();
        }
        worker.pending = true;
        self.plan_start(w, worker);
    }

    /// A worker waits until the runtime's status is newer than its last sync (`podCache.GetNewerThan`); the very first sync
    /// does not.
    pub(super) fn plan_start(&mut self, w: &mut World, worker: &mut Worker) {
        if worker.sync.is_some() || worker.start_planned || !worker.pending || worker.work == Work::Finished {
            return;
        }
        let known = Self::tick_before(self.pleg_phase, w.now).max(worker.relisted_at);
        let at = if !worker.synced_once || known > worker.last_sync_end {
            w.now
        } else {
            Self::tick_after(self.pleg_phase, worker.last_sync_end).max(w.now)
        };
        worker.start_planned = true;
        worker.token += 1;
        let token = worker.token;
        self.plan(w, at, worker, PodEvent::Start { token });
    }

    pub(super) fn begin_sync(&mut self, w: &mut World, worker: &mut Worker) {
        worker.start_planned = false;
        if worker.sync.is_some() || worker.work == Work::Finished {
            return;
        }
        // A status newer than the last sync is what the worker waited for.
        let tick = Self::tick_before(self.pleg_phase, w.now);
        if worker.synced_once && tick == w.now {
            worker.cache = Arc::new(worker.snapshot());
            worker.pending_causes.append(&mut worker.runtime_causes);
        }
        if worker.static_pod && !worker.started && !self.may_start(w, worker) {
            return;
        }
        worker.pending = false;
        worker.requeue += 1;
        let causes = std::mem::take(&mut worker.pending_causes);
        if !causes.is_empty() {
            w.causes = causes;
            w.causes.sort_unstable();
            w.causes.dedup();
        }
        worker.sync = Some(Sync {
            steps: std::collections::VecDeque::new(),
            wait: Wait::Ready,
            did_something: false,
            error: None,
            seen: Arc::clone(&worker.cache),
            backoff_expiry: None,
            reset: false,
        });
        worker.synced_once = true;
        match worker.work {
            Work::Sync => self.sync_pod(w, worker),
            Work::Terminating => self.sync_terminating_pod(w, worker),
            Work::Terminated => self.sync_terminated_pod(w, worker),
            Work::Finished => worker.sync = None,
        }
        self.advance(w, worker);
    }

    /// Gives the pod back to the work queue; it comes out at the sync loop's tick.
    pub(super) fn requeue(&mut self, w: &mut World, worker: &mut Worker, due: SimTime) {
        worker.requeue += 1;
        let token = worker.requeue;
        let at = Self::tick_after(self.tick_phase, SimTime(due.0.saturating_sub(1)));
        self.plan(w, at, worker, PodEvent::Requeue { token });
    }
}
