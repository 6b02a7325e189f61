//! The kubelet of one node as an actor: it reacts to watch events of its pods and to its own timers. What blocks a
//! goroutine in the real kubelet (a pull, a hook, a kill with its grace) is a [`Step`](super::worker::Step) that suspends the
//! pod's sync.

use crate::core;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::backoff::Backoff;
use super::event::{NodeEvent, PodEvent};
use super::eviction::Eviction;
use super::file_source::FileSource;
use super::images::Puller;
use super::mirror::Mirror;
use super::node_status::node_ip;
use super::nodeshutdown::Shutdown;
use super::processes::shared_memory;
use super::runtime_status::State;
use super::status::active_deadline;
use super::volumes::node_files;
use super::worker::{PodVersion, Work, Worker};
use crate::cluster::Event;
use crate::events::NewEvent;
use crate::objects::{Key, Kind, is_terminal};
use crate::runtime::files::Tree;
use crate::runtime::namespaces::Ipc;
use crate::time::{SimDuration, SimTime};
use crate::trace::RecordId;
use crate::version::Gate;
use crate::world::{Actor, World};

/// Whether a kubelet works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It works.
    Running,
    /// It does nothing; its containers run on, and what it should have done waits.
    Frozen,
    /// Its process is gone and with it what it kept in memory; its containers run on.
    Stopped,
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
    pub(super) pods: BTreeMap<Arc<str>, Box<Worker>>,
    /// How many of those have one name: a pod may be made anew while the old one still ends here.
    pub(super) names: BTreeMap<Key, u32>,
    /// Phase of the 1 s PLEG ticker and of the 1 s sync ticker.
    pub(super) pleg_phase: SimDuration,
    pub(super) tick_phase: SimDuration,
    pub(super) relist_planned: bool,
    /// Pods whose runtime state has changed since the last relist.
    pub(super) changed: BTreeSet<Arc<str>>,
    pub(super) crash_backoff: Backoff,
    pub(super) puller: Puller,
    /// The files of static pods.
    pub(super) static_files: FileSource,
    /// The mirror pods of this node that the API has.
    pub(super) mirrors: BTreeMap<Key, Mirror>,
    /// Which static pod of a name has started, and which wait for their turn.
    pub(super) running_static: BTreeMap<Key, Arc<str>>,
    pub(super) waiting: BTreeMap<Key, Vec<Arc<str>>>,
    pub(super) housekeeping_planned: bool,
    /// Whether the machine is going down, and how far its pods have been ended.
    pub(super) shutting_down: bool,
    pub(super) shutdown: Option<Shutdown>,
    /// The node's own files, for `hostPath`.
    pub(super) files: Tree,
    /// The node's own IPC namespace, for `hostIPC`.
    pub(super) ipc: Ipc,
    pub(super) shm: Tree,
    /// When the kubelet's process started, if it was after the cluster did.
    pub(super) started_at: Option<SimTime>,
    /// When the API server last heard of it, while it is not heard.
    pub(super) silent_since: SimTime,
    /// Until when it calls itself not ready after it has come back.
    pub(super) unready_until: Option<SimTime>,
    /// Since when the container runtime does not answer.
    pub(super) runtime_down_since: Option<SimTime>,
    /// Whether the node took no pods when its status was last looked at.
    pub(super) unschedulable: bool,
    /// Whether pods must go for want of something.
    pub(crate) eviction: Eviction,
    /// How many pods are taken out of the table now.
    depth: u32,
    pub(super) rotation_planned: bool,
    deferred: Vec<Event>,
}

/// The period of the PLEG's relist and of the sync loop's tick.
const TICK: SimDuration = SimDuration::from_secs(1);
/// First and longest wait of the back-off of restarts and of image pulls.
const BACKOFF_FIRST: SimDuration = SimDuration::from_secs(10);
const BACKOFF_MAX: SimDuration = SimDuration::from_secs(300);

impl Kubelet {
    /// The kubelet of the node with that index.
    pub(crate) fn new(node: usize, name: Arc<str>, w: &mut World) -> Self {
        let pleg_phase = w.rng.between(SimDuration::ZERO, TICK);
        let tick_phase = w.rng.between(SimDuration::ZERO, TICK);
        // Its loop of ten seconds began at some instant of its own, too.
        let eviction = Eviction::new(w.node(&name), SimDuration(pleg_phase.0 * 10));
        Self {
            node,
            ip: node_ip(node),
            health: Health::Running,
            connected: true,
            pods: BTreeMap::new(),
            names: BTreeMap::new(),
            pleg_phase,
            tick_phase,
            relist_planned: false,
            changed: BTreeSet::new(),
            crash_backoff: crash_backoff(w),
            puller: Puller::new(BACKOFF_FIRST, BACKOFF_MAX),
            static_files: FileSource::default(),
            mirrors: BTreeMap::new(),
            running_static: BTreeMap::new(),
            waiting: BTreeMap::new(),
            housekeeping_planned: false,
            shutting_down: false,
            shutdown: None,
            files: node_files(&name),
            ipc: Ipc::default(),
            shm: shared_memory(),
            name,
            started_at: None,
            silent_since: SimTime::ZERO,
            unready_until: None,
            runtime_down_since: None,
            unschedulable: false,
            eviction,
            depth: 0,
            rotation_planned: false,
            deferred: Vec::new(),
        }
    }

    /// Reacts to a change of a pod of this node, or of the node.
    pub(crate) fn on_notify(&mut self, w: &mut World, key: &Key, causes: &[RecordId]) {
        if key.kind == Kind::Node {
            self.node_changed(w);
        }
        if key.kind != Kind::Pod {
            return;
        }
        let newest = w.get(key).and_then(PodVersion::new);
        let ours =
            newest.filter(|pod| pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()) == Some(&*self.name));
        if self.on_mirror(w, key, ours.as_ref(), causes) {
            return;
        }
        let uid: Option<Arc<str>> = ours
            .as_ref()
            .and_then(|pod| pod.metadata.uid.as_deref())
            .map(Into::into);
        let known = uid.as_ref().is_some_and(|uid| self.pods.contains_key(uid));
        // Another pod of that name that this node still has is gone from the API.
        if !known || self.names.get(key).is_some_and(|count| *count > 1) {
            let gone: Vec<Arc<str>> = self
                .pods
                .iter()
                .filter(|(known, worker)| {
                    worker.key == *key && !worker.removed && !worker.static_pod && Some(*known) != uid.as_ref()
                })
                .map(|(known, _)| Arc::clone(known))
                .collect();
            for gone in gone {
                self.with_pod(w, &gone, |kubelet, w, worker| kubelet.removed(w, worker, causes));
            }
        }
        let (Some(pod), Some(uid)) = (ours, uid) else { return };
        if !known {
            if is_terminal(&pod) {
                return;
            }
            let mut worker = Box::new(Worker::new(key.clone(), pod.clone(), &self.ip));
            worker.in_memory = self.in_memory(w, worker.spec());
            worker.restore_status(w);
            *self.names.entry(key.clone()).or_default() += 1;
            self.pods.insert(Arc::clone(&uid), worker);
        }
        self.with_pod(w, &uid, |kubelet, w, worker| kubelet.updated(w, worker, pod, causes));
    }

    /// The pod's object is gone from the API while its containers may still run.
    pub(super) fn removed(&mut self, w: &mut World, worker: &mut Worker, causes: &[RecordId]) {
        worker.removed = true;
        if worker.work == Work::Sync {
            let grace = worker
                .pod
                .metadata
                .deletion_grace_period_seconds
                .unwrap_or_else(|| worker.own_grace());
            worker.work = Work::Terminating;
            worker.shrink_grace(Some(grace));
        }
        self.wake_worker(w, worker, causes);
    }

    pub(super) fn updated(&mut self, w: &mut World, worker: &mut Worker, pod: PodVersion, causes: &[RecordId]) {
        let spec_changed = worker.pod.spec != pod.spec || worker.pod.metadata.labels != pod.metadata.labels;
        let deleting = pod.metadata.deletion_timestamp.is_some();
        let shortened = pod.metadata.deletion_grace_period_seconds != worker.pod.metadata.deletion_grace_period_seconds;
        let foreign = !foreign_conditions(&pod).eq(foreign_conditions(&worker.pod));
        if worker.pod.metadata.annotations != pod.metadata.annotations
            || worker.pod.metadata.labels != pod.metadata.labels
        {
            // What the downward API shows may be another.
            worker.configured = 0;
        }
        worker.pod = pod;
        if worker.work == Work::Sync && worker.sync.is_none() && !worker.start_planned {
            // The next sync will be given a version of its own: the older one need not be kept in memory.
            worker.given = worker.pod.clone();
        }
        self.reconcile_status(w, worker);
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
            if spec_changed {
                self.note_resize(w, worker);
            }
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
                // A worker that waited for a newer status has it now.
                if worker.start_planned && worker.sync.is_none() {
                    worker.start_planned = false;
                    kubelet.plan_start(w, worker);
                }
            }
            PodEvent::Resume { token } if token == worker.token => kubelet.resume(w, worker),
            PodEvent::WriteStatus => kubelet.write_status(w, worker),
            PodEvent::Wake { container, token } => {
                let due = worker
                    .instance_mut(&container)
                    .filter(|instance| instance.wake == token);
                if let Some(instance) = due {
                    instance.woken_at = None;
                    kubelet.run_processes(w, worker, &container);
                }
            }
            PodEvent::Exited { container } => kubelet.container_exited(w, worker, &container),
            PodEvent::KillDeadline { container, token } => kubelet.kill_deadline(w, worker, &container, token),
            PodEvent::PreStopSlept { container, token } => kubelet.pre_stop_slept(w, worker, &container, token),
            PodEvent::PostStartSlept { container } => kubelet.post_start_done(w, worker, &container, None),
            PodEvent::HookExec {
                container,
                purpose,
                command,
            } => {
                kubelet.hook_exec(w, worker, &container, purpose, &command);
            }
            PodEvent::Request { port, request, reply } => kubelet.deliver(w, worker, port, request, reply),
            PodEvent::Connect(connection) => kubelet.connect(w, worker, *connection),
            PodEvent::Response { container, id, answer } => kubelet.response(w, worker, &container, id, answer),
            PodEvent::Probe { container, kind, token } => kubelet.probe_due(w, worker, &container, kind, token),
            PodEvent::ProbeExec { container, kind } => kubelet.probe_exec(w, worker, &container, kind),
            PodEvent::ProbeTimeout {
                container,
                kind,
                run,
                exec,
            } => {
                kubelet.probe_timeout(w, worker, &container, kind, run, exec);
            }
            PodEvent::RemoveDead => {
                worker
                    .instances
                    .retain(|instance| instance.record.state != State::Exited);
                worker.touched = true;
                kubelet.runtime_changed(w, worker);
            }
            PodEvent::ActiveDeadline => {
                let causes = w.causes.clone();
                kubelet.wake_worker(w, worker, &causes);
            }
            PodEvent::Start { .. } | PodEvent::Requeue { .. } | PodEvent::Resume { .. } => {}
        });
    }

    /// Reacts to an event about the node.
    pub(crate) fn on_node_event(&mut self, w: &mut World, event: NodeEvent) {
        match event {
            NodeEvent::Relist => self.relist(w),
            NodeEvent::Heartbeat => self.heartbeat(w),
            NodeEvent::Pulled { id } => self.pulled(w, id),
            NodeEvent::Eviction => self.eviction_due(w),
            NodeEvent::RotateLogs => self.rotate_logs(w),
            NodeEvent::StaticFile { file } => self.static_file(w, &file),
            NodeEvent::StaticScan => self.static_scan(w),
            NodeEvent::Housekeeping => self.housekeeping(w),
            NodeEvent::ShutdownGroup { turn } => self.shutdown_group_over(w, turn),
            NodeEvent::PowerOff => {
                if self.shutting_down {
                    self.power_off(w);
                }
            }
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
        self.depth += 1;
        let result = react(self, w, &mut worker);
        self.count_usage(w, &mut worker);
        self.depth -= 1;
        if worker.work == Work::Finished && worker.removed && worker.restart.is_none() {
            self.unmount(w, &mut worker);
            if let Some(ip) = worker.sandboxes.iter().find_map(|sandbox| sandbox.ip.as_ref()) {
                w.pod_ips.remove(ip);
            }
            self.forget_usage(&mut worker);
            if let Some(count) = self.names.get_mut(&worker.key) {
                *count -= 1;
                if *count == 0 {
                    self.names.remove(&worker.key);
                }
            }
        } else {
            self.pods.insert(Arc::clone(uid), worker);
        }
        if self.depth == 0 {
            self.look_at_usage(w);
        }
        Some(result)
    }

    /// Plans the sync at which `activeDeadlineSeconds` are found to be over: the sync loop looks once a second.
    pub(super) fn plan_deadline(&self, w: &mut World, worker: &Worker) {
        if let Some(deadline) = active_deadline(w, worker) {
            let at = Self::tick_after(self.tick_phase, SimTime(deadline.0.saturating_sub(1)));
            self.plan(w, at, worker, PodEvent::ActiveDeadline);
        }
    }

    /// Plans an event about a pod whose causes are those of the present reaction.
    pub(crate) fn plan(&self, w: &mut World, at: SimTime, worker: &Worker, event: PodEvent) {
        let causes = w.causes.clone();
        w.schedule(
            at,
            Event::Pod {
                node: self.node,
                uid: Arc::clone(&worker.uid),
                event,
                causes,
            },
        );
    }

    /// Plans an event of the node whose causes are those of the present reaction.
    pub(super) fn plan_node(&self, w: &mut World, at: SimTime, event: NodeEvent) {
        let causes = w.causes.clone();
        let node = self.node;
        w.schedule(at, Event::Node { node, event, causes });
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

    /// The next instant after `at` of a ticker of one second.
    pub(super) fn tick_after(phase: SimDuration, at: SimTime) -> SimTime {
        after(phase, TICK, at)
    }

    /// The last instant of such a ticker at or before `at`.
    pub(super) fn tick_before(phase: SimDuration, at: SimTime) -> SimTime {
        before(phase, TICK, at)
    }

    /// What the kubelet should have done while it does nothing is done when it goes on.
    pub(crate) fn defer(&mut self, event: Event) {
        self.deferred.push(event);
    }

    /// Work that comes back now.
    pub(super) fn resume_deferred(&mut self, w: &mut World) {
        for event in std::mem::take(&mut self.deferred) {
            w.schedule(w.now, event);
        }
    }

    /// Forgets work that waited: the process that would have done it is gone.
    pub(super) fn drop_deferred(&mut self) {
        self.deferred.clear();
    }

    /// Whether an event of this kind happens without a working kubelet: containers run on, and the network is theirs.
    pub(crate) fn runs_without_kubelet(event: &PodEvent) -> bool {
        matches!(
            event,
            PodEvent::Wake { .. }
                | PodEvent::Exited { .. }
                | PodEvent::Request { .. }
                | PodEvent::Connect(_)
                | PodEvent::Response { .. }
        )
    }

    /// Whether an event about a pod is a periodic look, or stale.
    pub(crate) fn is_idle(&self, uid: &Arc<str>, event: &PodEvent) -> bool {
        let Some(worker) = self.pods.get(uid) else { return true };
        match event {
            PodEvent::Start { token } | PodEvent::Resume { token } => *token != worker.token,
            PodEvent::Requeue { token } => *token != worker.requeue || worker.at_rest,
            PodEvent::Wake { container, token } => worker
                .instance(container)
                .is_none_or(|instance| instance.wake != *token),
            PodEvent::KillDeadline { container, token } | PodEvent::PreStopSlept { container, token } => worker
                .instance(container)
                .and_then(|instance| instance.kill.as_ref())
                .is_none_or(|kill| kill.token != *token),
            PodEvent::Probe { .. } | PodEvent::ProbeExec { .. } | PodEvent::ProbeTimeout { .. } => true,
            PodEvent::ActiveDeadline => worker.work != Work::Sync,
            _ => false,
        }
    }

    /// Who acts.
    pub(crate) fn actor(&self) -> Actor {
        Actor::Kubelet(self.node)
    }
}

/// The next instant after `at` of a ticker with that phase.
pub(super) fn after(phase: SimDuration, period: SimDuration, at: SimTime) -> SimTime {
    if at.0 < phase.0 {
        return SimTime(phase.0);
    }
    SimTime(phase.0 + ((at.0 - phase.0) / period.0 + 1) * period.0)
}

/// The last instant of such a ticker at or before `at`, or the cluster's start.
pub(super) fn before(phase: SimDuration, period: SimDuration, at: SimTime) -> SimTime {
    if at.0 < phase.0 {
        return SimTime::ZERO;
    }
    SimTime(phase.0 + (at.0 - phase.0) / period.0 * period.0)
}

/// The table of waits before containers are restarted (`newCrashLoopBackOff`).
pub(super) fn crash_backoff(w: &World) -> Backoff {
    if w.version.enabled(Gate::ReduceDefaultCrashLoopBackOffDecay) {
        return Backoff::new(SimDuration::from_secs(1), SimDuration::from_secs(60));
    }
    Backoff::new(BACKOFF_FIRST, BACKOFF_MAX)
}

/// Conditions that are not the kubelet's (readiness gates and the like).
fn foreign_conditions(pod: &core::Pod) -> impl Iterator<Item = (&str, &str)> {
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
}
