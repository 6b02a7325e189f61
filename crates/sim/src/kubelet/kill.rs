//! How a container is brought to its end (`pkg/kubelet/kuberuntime/kuberuntime_container.go killContainer`): the grace, the
//! preStop hook, the turn of sidecars, the stop signal, and KILL when the grace is over.

use crate::core;
use std::collections::BTreeSet;

use super::actions::KillReason;
use super::event::PodEvent;
use super::node::Kubelet;
use super::processes::signal_named;
use super::runtime_status::State;
use super::worker::{ExecPurpose, Kill, KillStage, Target, Wait, Worker};
use crate::latency;
use crate::resources::is_sidecar;
use crate::runtime::process::Signal;
use crate::time::{SimDuration, SimTime};
use crate::trace::{RuntimeEvent, What};
use crate::world::World;

/// The least grace that the runtime is given (`minimumGracePeriodInSeconds`).
const MINIMUM_GRACE: i64 = 2;

/// The grace of one kill before anything overrides it (`setTerminationGracePeriod`).
pub fn container_grace(pod: &core::Pod, container: &core::Container, reason: KillReason) -> i64 {
    if let Some(deleting) = pod.metadata.deletion_grace_period_seconds {
        return deleting;
    }
    let Some(own) = pod.spec.as_ref().and_then(|spec| spec.termination_grace_period_seconds) else {
        return MINIMUM_GRACE;
    };
    let probe = match reason {
        KillReason::StartupProbe => container.startup_probe.as_ref(),
        KillReason::LivenessProbe => container.liveness_probe.as_ref(),
        KillReason::Unknown | KillReason::Other => None,
    };
    probe
        .and_then(|probe| probe.termination_grace_period_seconds)
        .unwrap_or(own)
}

/// The running containers that `name` waits for before it is told to stop (`kuberuntime_termination_order.go`): a sidecar
/// waits for all regular containers and for the sidecar after it; others wait for nobody.
pub fn waits_for(spec: &core::PodSpec, running: &[&str], name: &str) -> BTreeSet<String> {
    let init = spec.init_containers.as_deref().unwrap_or_default();
    let Some(own) = init
        .iter()
        .position(|container| container.name == name && is_sidecar(container))
    else {
        return BTreeSet::new();
    };
    let next = init.iter().skip(own + 1).find(|container| is_sidecar(container));
    next.into_iter()
        .chain(&spec.containers)
        .filter(|container| running.contains(&container.name.as_str()))
        .map(|container| container.name.clone())
        .collect()
}

fn seconds(count: i64) -> SimDuration {
    SimDuration::from_secs(u64::try_from(count).unwrap_or(0))
}

impl Kubelet {
    /// Begins to kill a container; its end is told by [`Kubelet::container_exited`].
    pub(super) fn kill_container(
        &mut self,
        w: &mut World,
        worker: &mut Worker,
        target: &Target,
        grace_override: Option<i64>,
        whole_pod: bool,
    ) {
        let Some(instance) = worker.instance(&target.id) else {
            return;
        };
        if instance.record.state != State::Running || instance.kill.is_some() {
            return;
        }
        let Some(container) = worker.container(instance.group, instance.index) else {
            return;
        };
        let field = worker.field_path(instance.group, &container.name);
        let grace = container_grace(&worker.pod, &container, target.reason);
        let message = target
            .message
            .clone()
            .unwrap_or_else(|| format!("Stopping container {}", container.name));
        self.pod_event(w, worker, field, "Normal", "Killing", message);
        let grace = grace_override.unwrap_or(grace);
        let now = w.now;
        let deadline = now + seconds(grace);
        if let Some(instance) = worker.instance_mut(&target.id) {
            let stage = KillStage::PreStop;
            instance.kill = Some(Kill {
                stage,
                grace,
                since: now,
                whole_pod,
                token: 0,
                hook: false,
            });
        }
        let hook = container
            .lifecycle
            .as_ref()
            .and_then(|lifecycle| lifecycle.pre_stop.as_ref());
        match hook {
            Some(hook) if grace > 0 => self.begin_pre_stop(w, worker, &target.id, hook, deadline),
            _ => self.take_turn(w, worker, &target.id, grace),
        }
    }

    fn begin_pre_stop(
        &mut self,
        w: &mut World,
        worker: &mut Worker,
        id: &str,
        hook: &core::LifecycleHandler,
        deadline: SimTime,
    ) {
        self.hook_record(w, worker, id, "preStop", "started");
        self.plan_kill(w, worker, id, deadline);
        self.begin_hook(w, worker, id, hook, ExecPurpose::PreStop);
    }

    /// Plans the end of the present stage of a kill.
    fn plan_kill(&mut self, w: &mut World, worker: &mut Worker, id: &str, at: SimTime) {
        let Some(kill) = worker.instance_mut(id).and_then(|instance| instance.kill.as_mut()) else {
            return;
        };
        kill.token += 1;
        let token = kill.token;
        self.plan(
            w,
            at,
            worker,
            PodEvent::KillDeadline {
                container: id.to_owned(),
                token,
            },
        );
    }

    /// The preStop hook has ended, well or not.
    pub(super) fn pre_stop_done(&mut self, w: &mut World, worker: &mut Worker, id: &str, failure: Option<String>) {
        let Some(instance) = worker.instance(id) else { return };
        let Some(kill) = instance.kill.as_ref().filter(|kill| kill.stage == KillStage::PreStop) else {
            return;
        };
        let (since, grace) = (kill.since, kill.grace);
        if failure.is_some() {
            let field = worker.field_path(instance.group, &instance.record.name);
            self.pod_event(
                w,
                worker,
                field,
                "Warning",
                "FailedPreStopHook",
                "PreStopHook failed".to_owned(),
            );
        }
        self.hook_record(w, worker, id, "preStop", failure.as_deref().unwrap_or("succeeded"));
        // Only whole seconds of the hook count.
        let elapsed = i64::try_from(w.now.since(since).as_secs()).unwrap_or(i64::MAX);
        self.take_turn(w, worker, id, grace.saturating_sub(elapsed));
    }

    /// A container of a pod with sidecars waits until it is its turn, but no longer than its grace.
    fn take_turn(&mut self, w: &mut World, worker: &mut Worker, id: &str, grace: i64) {
        let now = w.now;
        let Some(kill) = worker.instance_mut(id).and_then(|instance| instance.kill.as_mut()) else {
            return;
        };
        kill.stage = KillStage::Turn;
        kill.since = now;
        kill.grace = grace;
        kill.hook = false;
        if kill.whole_pod && grace > 0 && self.must_wait(worker, id) {
            self.plan_kill(w, worker, id, now + seconds(grace));
        } else {
            self.stop(w, worker, id, grace);
        }
    }

    fn must_wait(&self, worker: &Worker, id: &str) -> bool {
        let Some(instance) = worker.instance(id) else {
            return false;
        };
        let running: Vec<&str> = worker
            .instances
            .iter()
            .filter(|other| other.record.state == State::Running)
            .map(|other| other.record.name.as_str())
            .collect();
        !waits_for(worker.spec(), &running, &instance.record.name).is_empty()
    }

    /// Those whose turn has come are told to stop.
    fn next_turns(&mut self, w: &mut World, worker: &mut Worker) {
        let waiting: Vec<String> = worker
            .instances
            .iter()
            .filter(|instance| instance.kill.as_ref().is_some_and(|kill| kill.stage == KillStage::Turn))
            .map(|instance| instance.record.id.clone())
            .collect();
        for id in waiting {
            if self.must_wait(worker, &id) {
                continue;
            }
            let Some(kill) = worker.instance(&id).and_then(|instance| instance.kill.as_ref()) else {
                continue;
            };
            let waited = i64::try_from(w.now.since(kill.since).as_secs()).unwrap_or(i64::MAX);
            let grace = kill.grace.saturating_sub(waited);
            self.stop(w, worker, &id, grace);
        }
    }

    /// The runtime's StopContainer: the stop signal, and KILL after the grace.
    fn stop(&mut self, w: &mut World, worker: &mut Worker, id: &str, grace: i64) {
        let grace = grace.max(MINIMUM_GRACE);
        let at = w.now + seconds(grace);
        let Some(instance) = worker.instance_mut(id) else {
            return;
        };
        let signal = instance.stop_signal.clone();
        let Some(kill) = instance.kill.as_mut() else { return };
        kill.stage = KillStage::Signalled;
        kill.since = w.now;
        kill.grace = grace;
        self.plan_kill(w, worker, id, at);
        self.signal_container(w, worker, id, &signal);
    }

    /// The time of the present stage of a kill is over.
    pub(super) fn kill_deadline(&mut self, w: &mut World, worker: &mut Worker, id: &str, token: u64) {
        let Some(kill) = worker.instance(id).and_then(|instance| instance.kill.as_ref()) else {
            return;
        };
        if kill.token != token {
            return;
        }
        match kill.stage {
            KillStage::PreStop => {
                let hook = "not completed in grace period";
                self.hook_record(w, worker, id, "preStop", hook);
                self.take_turn(w, worker, id, 0);
            }
            KillStage::Turn => self.stop(w, worker, id, 0),
            KillStage::Signalled => {
                if let Some(kill) = worker.instance_mut(id).and_then(|instance| instance.kill.as_mut()) {
                    kill.stage = KillStage::Killed;
                }
                self.signal_container(w, worker, id, "SIGKILL");
            }
            KillStage::Killed => {}
        }
    }

    /// Sends a signal to a container's main process, and records it.
    pub(super) fn signal_container(&mut self, w: &mut World, worker: &mut Worker, id: &str, signal: &str) {
        let Some(instance) = worker.instance_mut(id) else {
            return;
        };
        let Some(processes) = instance.processes.as_mut() else {
            return;
        };
        processes.signal(signal_named(signal).unwrap_or(Signal::TERM));
        let container = instance.record.name.clone();
        let about = Some(worker.reference());
        w.record(
            about,
            Some(&container),
            What::Runtime {
                event: RuntimeEvent::Signalled {
                    signal: signal.to_owned(),
                },
            },
        );
        self.run_processes(w, worker, id);
    }

    /// A container that was being killed is dead.
    pub(super) fn kill_finished(&mut self, w: &mut World, worker: &mut Worker, id: &str) {
        let Some(instance) = worker.instance_mut(id) else {
            return;
        };
        let killed = instance.kill.take();
        let in_hook = killed
            .as_ref()
            .is_some_and(|kill| kill.stage == KillStage::PreStop && kill.hook);
        if in_hook {
            // The hook's command died with its container.
            let (group, name) = (instance.group, instance.record.name.clone());
            let field = worker.field_path(group, &name);
            self.pod_event(
                w,
                worker,
                field,
                "Warning",
                "FailedPreStopHook",
                "PreStopHook failed".to_owned(),
            );
        }
        self.next_turns(w, worker);
        let waits = worker.sync.as_ref().is_some_and(|sync| sync.wait == Wait::Kills);
        if waits && worker.instances.iter().all(|instance| instance.kill.is_none()) {
            if let Some(sync) = &mut worker.sync {
                sync.wait = Wait::Ready;
            }
            self.advance(w, worker);
        }
    }

    /// A preStop `sleep` has passed.
    pub(super) fn pre_stop_slept(&mut self, w: &mut World, worker: &mut Worker, id: &str, token: u64) {
        let current = worker
            .instance(id)
            .and_then(|instance| instance.kill.as_ref())
            .is_some_and(|kill| kill.token == token);
        if current {
            self.pre_stop_done(w, worker, id, None);
        }
    }

    /// Records what became of a hook.
    pub(super) fn hook_record(&self, w: &mut World, worker: &Worker, id: &str, hook: &str, outcome: &str) {
        let container = worker.instance(id).map(|instance| instance.record.name.clone());
        let event = RuntimeEvent::Hook {
            hook: hook.to_owned(),
            outcome: outcome.to_owned(),
        };
        w.record(Some(worker.reference()), container.as_deref(), What::Runtime { event });
    }

    /// A latency of a command's start inside a container.
    pub(super) fn exec_start(w: &mut World) -> SimDuration {
        w.latency(latency::EXEC_START)
    }
}
