//! What faults do to a node: its kubelet freezes, ends or is cut off; its containers die with it or run on without it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::eviction::Usage;
use super::node::{Health, Kubelet, crash_backoff};
use super::processes::signal_named;
use super::runtime_status::State;
use super::static_pods::is_mirror;
use super::worker::{PodVersion, Work, Worker};
use crate::objects::{Kind, is_terminal};
use crate::trace::{RuntimeEvent, What};
use crate::world::World;

/// Exit code of a container whose node lost power under it.
const KILLED: i32 = 137;

impl Kubelet {
    /// The kubelet freezes, or goes on with what waited.
    pub(crate) fn freeze(&mut self, w: &mut World, on: bool) {
        let heard = self.is_heard();
        match (on, self.health) {
            (true, Health::Running) => self.health = Health::Frozen,
            (false, Health::Frozen) => {
                self.health = Health::Running;
                self.resume_deferred(w);
                self.comes_back(w);
                self.reconcile_all(w);
            }
            _ => {}
        }
        self.silence_changed(w, heard);
    }

    /// The kubelet's process ends, or starts again.
    pub(crate) fn stop_process(&mut self, w: &mut World, on: bool) {
        if on && self.shutting_down {
            // Nobody holds the machine back any more.
            self.power_off(w);
            return;
        }
        let heard = self.is_heard();
        if on && matches!(self.health, Health::Running | Health::Frozen) {
            self.health = Health::Stopped;
            self.drop_deferred();
        } else if !on && matches!(self.health, Health::Stopped | Health::PoweredOff) {
            self.health = Health::Running;
            self.start_process_again(w);
        }
        self.silence_changed(w, heard);
    }

    /// The node is cut off from the API server, or joined again.
    pub(crate) fn partition(&mut self, w: &mut World, on: bool) {
        if self.connected != on {
            return;
        }
        let heard = self.is_heard();
        self.connected = !on;
        w.proxy.cut_off(w.now, self.node, on);
        self.silence_changed(w, heard);
        if on {
            return;
        }
        self.resume_deferred(w);
        self.comes_back(w);
        self.reconcile_all(w);
        let uids: Vec<Arc<str>> = self.pods.keys().cloned().collect();
        for uid in uids {
            self.with_pod(w, &uid, |kubelet, w, worker| {
                if worker.work == Work::Finished {
                    kubelet.finish_deletion(w, worker);
                }
            });
        }
    }

    /// The node loses power.
    pub(crate) fn power_off(&mut self, w: &mut World) {
        let heard = self.is_heard();
        self.kill_everything(w);
        self.health = Health::PoweredOff;
        self.shutting_down = false;
        self.shutdown = None;
        self.drop_deferred();
        self.silence_changed(w, heard);
    }

    /// Everything that was done to the node is undone.
    pub(crate) fn restore(&mut self, w: &mut World) {
        self.feed(w);
        let heard = self.is_heard();
        match self.health {
            Health::Running => {}
            Health::Frozen => self.freeze(w, false),
            Health::Stopped => self.stop_process(w, false),
            Health::PoweredOff => {
                self.health = Health::Running;
                self.start_process_again(w);
            }
        }
        self.silence_changed(w, heard);
        self.partition(w, false);
        if self.runtime_down_since.is_some() {
            self.stop_runtime(w, false);
        }
    }

    /// Kubelet and containers are killed, and the kubelet starts again.
    pub(crate) fn crash(&mut self, w: &mut World) {
        self.power_off(w);
        self.restore(w);
    }

    /// The container runtime's daemon stops or starts; containers run on.
    pub(crate) fn stop_runtime(&mut self, w: &mut World, on: bool) {
        self.runtime_down_since = on.then_some(w.now);
        self.heartbeat(w);
    }

    /// A signal from outside reaches a container's main process.
    pub(crate) fn kill_from_outside(
        &mut self,
        w: &mut World,
        uid: &Arc<str>,
        name: &str,
        signal: &str,
    ) -> Result<(), String> {
        if signal_named(signal).is_none() {
            return Err(format!("there is no signal {signal}"));
        }
        let killed = self.with_pod(w, uid, |kubelet, w, worker| {
            let running = worker
                .newest(name)
                .filter(|instance| instance.record.state == State::Running);
            let id = running.map(|instance| instance.record.id.clone())?;
            kubelet.signal_container(w, worker, &id, signal);
            Some(())
        });
        killed.flatten().ok_or_else(|| format!("container {name} does not run"))
    }

    /// The pause process of a pod is killed.
    pub(crate) fn kill_sandbox(&mut self, w: &mut World, uid: &Arc<str>) -> Result<(), String> {
        let killed = self.with_pod(w, uid, |kubelet, w, worker| {
            let ready = worker.sandboxes.last().is_some_and(|sandbox| sandbox.ready);
            ready.then(|| kubelet.pause_ended(w, worker))
        });
        killed.flatten().ok_or_else(|| "the pod has no sandbox".to_owned())
    }

    /// The pause process is gone, and with it the sandbox.
    pub(super) fn pause_ended(&mut self, w: &mut World, worker: &mut Worker) {
        let Some(sandbox) = worker.sandboxes.last_mut().filter(|sandbox| sandbox.ready) else {
            return;
        };
        sandbox.ready = false;
        if let Some(ip) = &sandbox.ip {
            w.pod_ips.remove(ip);
        }
        let what = What::Runtime {
            event: RuntimeEvent::SandboxStopped,
        };
        let record = w.record(Some(worker.reference()), None, what);
        worker.runtime_causes.push(record);
        self.kill_shared_processes(w, worker);
        self.runtime_changed(w, worker);
    }

    /// Every process on the node is gone at once.
    fn kill_everything(&mut self, w: &mut World) {
        let uids: Vec<Arc<str>> = self.pods.keys().cloned().collect();
        for uid in uids {
            self.with_pod(w, &uid, |_, w, worker| {
                for sandbox in &mut worker.sandboxes {
                    sandbox.ready = false;
                    if let Some(ip) = &sandbox.ip {
                        w.pod_ips.remove(ip);
                    }
                }
                let now = w.now;
                let mut ended = Vec::new();
                for instance in &mut worker.instances {
                    instance.processes = None;
                    instance.kill = None;
                    instance.exit = None;
                    instance.execs.clear();
                    instance.wake += 1;
                    if matches!(instance.record.state, State::Running | State::Created) {
                        instance.record.state = State::Exited;
                        instance.record.exit_code = KILLED;
                        instance.record.reason = "Error".to_owned();
                        instance.record.finished_at = Some(now);
                        ended.push(instance.record.name.clone());
                    }
                }
                worker.touched = true;
                worker.ports.clear();
                worker.serving.clear();
                for name in ended {
                    let event = RuntimeEvent::Exited {
                        exit_code: KILLED,
                        reason: "Error".to_owned(),
                    };
                    let record = w.record(Some(worker.reference()), Some(&name), What::Runtime { event });
                    worker.runtime_causes.push(record);
                }
            });
        }
    }

    /// A kubelet that starts knows nothing but what the runtime and the API server tell it: back-offs, start errors and probe
    /// results are forgotten.
    fn start_process_again(&mut self, w: &mut World) {
        self.started_at = Some(w.now);
        w.forget_events("kubelet", &self.name);
        self.report_start(w);
        self.crash_backoff = crash_backoff(w);
        self.puller.forget();
        self.relist_planned = false;
        self.rotation_planned = false;
        self.changed.clear();
        self.eviction.forget(w.now);
        let mut known: BTreeMap<Arc<str>, Box<Worker>> = std::mem::take(&mut self.pods);
        self.names.clear();
        self.restart_static_pods(w, &mut known);
        let listed: Vec<_> = w
            .store
            .list(Kind::Pod, None)
            .filter_map(|stored| Some((stored.object.key(), PodVersion::new(stored)?)))
            .filter(|(_, pod)| {
                pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()) == Some(&*self.name)
                    && !is_terminal(pod)
                    && !is_mirror(pod)
            })
            .collect();
        let causes = w.causes.clone();
        for (key, pod) in listed {
            let uid: Arc<str> = pod.metadata.uid.as_deref().unwrap_or_default().into();
            let mut worker = Box::new(Worker::new(key.clone(), pod.clone(), &self.ip));
            worker.in_memory = self.in_memory(w, worker.spec());
            worker.restore_status(w);
            if let Some(old) = known.remove(&uid) {
                worker.take_over(*old);
            }
            *self.names.entry(key).or_default() += 1;
            self.pods.insert(Arc::clone(&uid), worker);
            self.with_pod(w, &uid, |kubelet, w, worker| kubelet.updated(w, worker, pod, &causes));
        }
        // What runs and belongs to no pod that is known is killed.
        for (uid, mut worker) in known {
            if worker.work == Work::Finished {
                continue;
            }
            worker.forget();
            worker.usage = Usage::default();
            worker.touched = true;
            *self.names.entry(worker.key.clone()).or_default() += 1;
            self.pods.insert(Arc::clone(&uid), worker);
            self.with_pod(w, &uid, |kubelet, w, worker| {
                worker.removed = true;
                worker.work = Work::Terminating;
                worker.grace = 1;
                kubelet.wake_worker(w, worker, &causes);
            });
        }
        self.comes_back(w);
    }
}

impl Kubelet {
    /// The directory of static pods is read anew; pods that ran go on, for their uid is the hash of what is in their file.
    fn restart_static_pods(&mut self, w: &mut World, known: &mut BTreeMap<Arc<str>, Box<Worker>>) {
        self.static_files.forget();
        self.running_static.clear();
        self.waiting.clear();
        self.list_mirrors(w);
        let causes = w.causes.clone();
        for (uid, pod) in self.static_pods(w) {
            let old = known.remove(&uid);
            self.static_found(w, uid, pod, old, &causes);
        }
        if !self.mirrors.is_empty() {
            self.housekeeping_planned = false;
            self.plan_housekeeping(w);
        }
    }
}

impl Worker {
    /// Takes what the runtime and the disk keep of a pod from the worker of a kubelet that is gone.
    pub(super) fn take_over(&mut self, old: Self) {
        self.restored = true;
        self.touched = true;
        // Tokens go on, so that timers of the old worker stay stale.
        self.token = old.token + 1;
        self.requeue = old.requeue + 1;
        self.probe_runs = old.probe_runs + 1;
        self.sandboxes = old.sandboxes;
        self.instances = old.instances;
        self.volumes = old.volumes;
        self.payloads = old.payloads;
        self.mounted = old.mounted;
        self.ports = old.ports;
        self.serving = old.serving;
        self.restarts_logged = old.restarts_logged;
        self.runtime_causes = old.runtime_causes;
        self.allocated = old.allocated;
        self.actual = old.actual;
        self.requests = old.requests;
        self.resize = old.resize;
        self.last_phase = old.last_phase;
        for instance in &mut self.instances {
            instance.kill = None;
            instance.execs.clear();
        }
        // A started kubelet has listed the runtime before it syncs any pod.
        self.cache = Arc::new(self.snapshot());
    }

    fn forget(&mut self) {
        self.token += 1;
        self.requeue += 1;
        self.sync = None;
        self.start_planned = false;
        self.probes.clear();
        for instance in &mut self.instances {
            instance.kill = None;
            instance.execs.clear();
        }
        self.cache = Arc::new(self.snapshot());
    }
}
