//! The kubelet of one node as an actor: it reacts to watch events of its pods and to its own timers. What blocks a
//! goroutine in the real kubelet (a pull, a hook, a kill with its grace) is a [`worker::Step`] that suspends the pod's sync.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1 as core;

use super::backoff::Backoff;
use super::event::{NodeEvent, PodEvent};
use super::images::Puller;
use super::worker::{Work, Worker};
use crate::cluster::Event;
use crate::events::NewEvent;
use crate::objects::{Key, Kind, is_terminal};
use crate::time::{SimDuration, SimTime};
use crate::trace::RecordId;
use crate::world::{Actor, World};

/// Whether a kubelet works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It works.
    Running,
    /// It does nothing; its containers run on, and what it should have done waits.
    Frozen,
    /// The whole node is gone.
    PoweredOff,
}

/// One node's kubelet and runtime.
#[derive(Clone)]
pub struct Kubelet {
    pub(crate) node: usize,
    pub(crate) name: Arc<str>,
    pub(crate) ip: String,
    pub(crate) health: Health,
    /// Whether its messages reach the API server.
    pub(crate) connected: bool,
    pods: BTreeMap<Arc<str>, Worker>,
    /// Phase of the 1 s PLEG ticker and of the 1 s sync ticker.
    pleg_phase: SimDuration,
    tick_phase: SimDuration,
    relist_planned: bool,
    crash_backoff: Backoff,
    puller: Puller,
    deferred: Vec<Event>,
}

/// The period of the PLEG's relist and of the sync loop's tick.
const TICK: SimDuration = SimDuration::from_secs(1);

impl Kubelet {
    /// The kubelet of the node with that index.
    pub(crate) fn new(node: usize, name: Arc<str>, w: &mut World) -> Self {
        let max = SimDuration::from_secs(300);
        let initial = SimDuration::from_secs(10);
        Self {
            node,
            name,
            ip: format!("192.168.0.{}", 10 + node),
            health: Health::Running,
            connected: true,
            pods: BTreeMap::new(),
            pleg_phase: w.rng.between(SimDuration::ZERO, TICK),
            tick_phase: w.rng.between(SimDuration::ZERO, TICK),
            relist_planned: false,
            crash_backoff: Backoff::new(initial, max),
            puller: Puller::new(initial, max),
            deferred: Vec::new(),
        }
    }

    /// Reacts to a change of a pod of this node, or of the node.
    pub(crate) fn on_notify(&mut self, w: &mut World, key: &Key, causes: &[RecordId]) {
        if key.kind != Kind::Pod {
            return;
        }
        let newest = w.get(key).cloned();
        let pod = newest.as_ref().and_then(|stored| stored.object.as_pod());
        let ours = pod.filter(|pod| {
            pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()) == Some(&*self.name)
        });
        let uid: Option<Arc<str>> = ours.and_then(|pod| pod.metadata.uid.as_deref()).map(Into::into);
        let gone: Vec<Arc<str>> = self
            .pods
            .iter()
            .filter(|(known, worker)| worker.key == *key && !worker.removed && Some(*known) != uid.as_ref())
            .map(|(known, _)| Arc::clone(known))
            .collect();
        for gone in gone {
            self.with_pod(w, &gone, |kubelet, w, worker| kubelet.removed(w, worker, causes));
        }
        let (Some(pod), Some(uid)) = (ours, uid) else { return };
        if !self.pods.contains_key(&uid) {
            if is_terminal(pod) {
                return;
            }
            let mut worker = Worker::new(key.clone(), Arc::new(pod.clone()));
            worker.restore_status(pod);
            self.pods.insert(Arc::clone(&uid), worker);
        }
        let pod = Arc::new(pod.clone());
        self.with_pod(w, &uid, |kubelet, w, worker| kubelet.updated(w, worker, pod, causes));
    }

    /// The pod's object is gone from the API while its containers may still run.
    fn removed(&mut self, w: &mut World, worker: &mut Worker, causes: &[RecordId]) {
        worker.removed = true;
        if worker.work == Work::Sync {
            let grace = worker.pod.metadata.deletion_grace_period_seconds.unwrap_or_else(|| worker.own_grace());
            worker.work = Work::Terminating;
            worker.shrink_grace(Some(grace));
        }
        self.wake_worker(w, worker, causes);
    }

    fn updated(&mut self, w: &mut World, worker: &mut Worker, pod: Arc<core::Pod>, causes: &[RecordId]) {
        let spec_changed = worker.pod.spec != pod.spec || worker.pod.metadata.labels != pod.metadata.labels;
        let deleting = pod.metadata.deletion_timestamp.is_some();
        let shortened = pod.metadata.deletion_grace_period_seconds != worker.pod.metadata.deletion_grace_period_seconds;
        let foreign = foreign_conditions(&pod) != foreign_conditions(&worker.pod);
        worker.pod = pod;
        if !worker.admitted {
            worker.admitted = true;
            if !self.admit(w, worker) {
                return;
            }
            self.plan_deadline(w, worker);
            self.wake_worker(w, worker, causes);
            return;
        }
        if deleting && worker.work == Work::Sync {
            worker.work = Work::Terminating;
            worker.shrink_grace(None);
            self.abandon_volume_wait(w, worker);
            self.wake_worker(w, worker, causes);
        } else if deleting && shortened {
            worker.shrink_grace(None);
            if worker.work == Work::Finished {
                self.finish_deletion(w, worker);
            }
        } else if spec_changed || foreign {
            self.plan_deadline(w, worker);
            self.wake_worker(w, worker, causes);
        }
    }

    /// Reacts to an event about one pod.
    pub(crate) fn on_pod_event(&mut self, w: &mut World, uid: &Arc<str>, event: PodEvent) {
        self.with_pod(w, uid, |kubelet, w, worker| match event {
            PodEvent::Start { token } if token == worker.token => kubelet.begin_sync(w, worker),
            PodEvent::Requeue { token } if token == worker.requeue => {
                let causes = w.causes.clone();
                kubelet.wake_worker(w, worker, &causes);
            }
            PodEvent::Relist => {
                worker.relisted_at = w.now;
                kubelet.relist_pod(w, worker);
            }
            PodEvent::Resume { token } if token == worker.token => kubelet.resume(w, worker),
            PodEvent::WriteStatus => kubelet.write_status(w, worker),
            PodEvent::Wake { container, token } => {
                if worker.instance(&container).is_some_and(|instance| instance.wake == token) {
                    kubelet.run_processes(w, worker, &container);
                }
            }
            PodEvent::Exited { container } => kubelet.container_exited(w, worker, &container),
            PodEvent::KillDeadline { container, token } => kubelet.kill_deadline(w, worker, &container, token),
            PodEvent::PreStopSlept { container, token } => kubelet.pre_stop_slept(w, worker, &container, token),
            PodEvent::PostStartSlept { container } => kubelet.post_start_done(w, worker, &container, None),
            PodEvent::Probe { container, kind, token } => kubelet.probe_due(w, worker, &container, kind, token),
            PodEvent::ProbeExec { container, kind } => kubelet.probe_exec(w, worker, &container, kind),
            PodEvent::ProbeTimeout { container, exec } => kubelet.probe_timeout(w, worker, &container, exec),
            PodEvent::ActiveDeadline => kubelet.active_deadline(w, worker),
            PodEvent::Start { .. } | PodEvent::Requeue { .. } | PodEvent::Resume { .. } => {}
        });
    }

    /// Reacts to an event about the node.
    pub(crate) fn on_node_event(&mut self, w: &mut World, event: NodeEvent) {
        match event {
            NodeEvent::Relist => self.relist(w),
            NodeEvent::Heartbeat => self.heartbeat(w),
            NodeEvent::Pulled => self.pulled(w),
        }
    }

    /// Takes a worker out of the table while it reacts, and puts it back unless it is done with.
    pub(crate) fn with_pod<R>(
        &mut self,
        w: &mut World,
        uid: &Arc<str>,
        react: impl FnOnce(&mut Self, &mut World, &mut Worker) -> R,
    ) -> Option<R> {
        let mut worker = self.pods.remove(uid)?;
        let result = react(self, w, &mut worker);
        if worker.work == Work::Finished && worker.removed {
            if let Some(ip) = worker.sandboxes.iter().find_map(|sandbox| sandbox.ip.as_ref()) {
                w.pod_ips.remove(ip);
            }
        } else {
            self.pods.insert(Arc::clone(uid), worker);
        }
        Some(result)
    }

    /// Plans an event about a pod whose causes are those of the present reaction.
    pub(crate) fn plan(&self, w: &mut World, at: SimTime, worker: &Worker, event: PodEvent) {
        let causes = w.causes.clone();
        w.schedule(at, Event::Pod { node: self.node, uid: Arc::clone(&worker.uid), event, causes });
    }

    /// Records an event about a pod or one of its containers.
    pub(crate) fn pod_event(
        &self,
        w: &mut World,
        worker: &Worker,
        field_path: String,
        kind: &str,
        reason: &str,
        message: String,
    ) {
        let host = Arc::clone(&self.name);
        w.emit(NewEvent {
            about: worker.reference(),
            field_path,
            kind,
            reason,
            message,
            component: "kubelet",
            host: Some(&host),
        });
    }

    /// The last instant of a ticker at or before `now`, and the next one after `at`.
    fn tick_after(phase: SimDuration, at: SimTime) -> SimTime {
        let since = at.0.saturating_sub(phase.0);
        if at.0 < phase.0 { SimTime(phase.0) } else { SimTime(phase.0 + (since / TICK.0 + 1) * TICK.0) }
    }

    fn tick_before(phase: SimDuration, at: SimTime) -> SimTime {
        if at.0 < phase.0 { SimTime::ZERO } else { SimTime(phase.0 + (at.0 - phase.0) / TICK.0 * TICK.0) }
    }

    /// What the kubelet should have done while it was frozen is done when it goes on.
    pub(crate) fn defer(&mut self, event: Event) {
        self.deferred.push(event);
    }

    /// Sets the kubelet's health; on recovery its deferred work comes back.
    pub(crate) fn set_health(&mut self, w: &mut World, health: Health) {
        self.health = health;
        if health == Health::Running {
            for event in std::mem::take(&mut self.deferred) {
                w.schedule(w.now, event);
            }
        }
    }

    /// Whether events of this kind still happen while the kubelet is frozen: containers run on without it.
    pub(crate) fn runs_without_kubelet(event: &PodEvent) -> bool {
        matches!(event, PodEvent::Wake { .. } | PodEvent::Exited { .. })
    }

    /// Sets who acts.
    pub(crate) fn actor(&self) -> Actor {
        Actor::Kubelet(self.node)
    }
}

/// Conditions that are not the kubelet's (readiness gates and the like).
fn foreign_conditions(pod: &core::Pod) -> Vec<(&str, &str)> {
    const OWNED: &[&str] = &[
        "PodReadyToStartContainers",
        "Initialized",
        "Ready",
        "ContainersReady",
        "PodScheduled",
        "AllContainersRestarting",
    ];
    pod.status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten())
        .filter(|condition| !OWNED.contains(&condition.type_.as_str()))
        .map(|condition| (condition.type_.as_str(), condition.status.as_str()))
        .collect()
}
