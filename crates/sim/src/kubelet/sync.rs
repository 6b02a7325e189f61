//! The three syncs of a pod worker as sequences of steps (`pkg/kubelet/kubelet.go SyncPod, SyncTerminatingPod,
//! SyncTerminatedPod`, `kuberuntime_manager.go SyncPod`), and what comes after each (`pod_workers.go completeWork`).

use super::actions::{KillReason, compute_pod_actions};
use super::event::PodEvent;
use super::node::Kubelet;
use super::resize::resize_actions;
use super::status::announced_restart;
use super::volumes::Volumes;
use super::worker::{Group, Step, Sync, SyncError, Target, Wait, Work, Worker};
use crate::latency;
use crate::registry::DeleteOptions;
use crate::time::{SimDuration, SimTime};
use crate::trace::{RuntimeEvent, What};
use crate::version::{Change, Gate};
use crate::world::World;

/// A pod is synced again after this, stretched.
const RESYNC: SimDuration = SimDuration::from_secs(60);
/// A failed sync is tried again after this, stretched (`backOffPeriod`).
const ERROR_RETRY: SimDuration = SimDuration::from_secs(10);
/// How often a pod looks whether its volumes can be mounted.
const VOLUME_POLL: SimDuration = SimDuration::from_millis(300);
/// After this a sync gives up waiting for volumes.
const VOLUME_TIMEOUT: SimDuration = SimDuration::from_secs(123);

impl Kubelet {
    pub(super) fn sync_pod(&mut self, w: &mut World, worker: &mut Worker) {
        if worker.start_time.is_none() {
            worker.start_time = Some(w.now);
            self.plan_deadline(w, worker);
        }
        self.complete_resize(w, worker);
        let terminal = self.tell_status(w, worker);
        if !terminal {
            self.reconcile_mirror(w, worker);
        }
        let Some(sync) = &mut worker.sync else { return };
        if terminal {
            sync.steps.push_back(Step::FinishSync);
            worker.work = Work::Terminating;
            worker.shrink_grace(None);
            return;
        }
        sync.steps.extend([
            Step::WaitForVolumes { since: w.now },
            Step::ComputeActions,
            Step::FinishSync,
        ]);
    }

    pub(super) fn sync_terminating_pod(&mut self, w: &mut World, worker: &mut Worker) {
        let status = self.generate_status(w, worker, false);
        self.set_status(w, worker, status);
        self.stop_probes_for_termination(worker);
        let targets = running_targets(worker);
        let grace = worker.grace;
        let Some(sync) = &mut worker.sync else { return };
        sync.steps.extend([
            Step::Kill {
                targets,
                grace_override: Some(grace),
                whole_pod: true,
            },
            Step::StopSandbox,
            Step::FinishTerminating,
        ]);
    }

    pub(super) fn sync_terminated_pod(&mut self, w: &mut World, worker: &mut Worker) {
        let status = self.generate_status(w, worker, true);
        self.set_status(w, worker, status);
        let wait = w.latency(latency::TEARDOWN);
        let Some(sync) = &mut worker.sync else { return };
        sync.steps.push_back(Step::FinishTerminated);
        self.suspend(w, worker, wait);
    }

    /// Suspends the sync for a while.
    pub(super) fn suspend(&mut self, w: &mut World, worker: &mut Worker, wait: SimDuration) {
        worker.token += 1;
        let token = worker.token;
        if let Some(sync) = &mut worker.sync {
            sync.wait = Wait::Timer;
        }
        self.plan(w, w.now + wait, worker, PodEvent::Resume { token });
    }

    pub(super) fn resume(&mut self, w: &mut World, worker: &mut Worker) {
        if let Some(sync) = &mut worker.sync
            && sync.wait == Wait::Timer
        {
            sync.wait = Wait::Ready;
            self.advance(w, worker);
        }
    }

    /// Runs steps until one has to wait or none is left.
    pub(super) fn advance(&mut self, w: &mut World, worker: &mut Worker) {
        while let Some(sync) = &mut worker.sync {
            if sync.wait != Wait::Ready {
                return;
            }
            let Some(step) = sync.steps.pop_front() else {
                worker.sync = None;
                return;
            };
            self.step(w, worker, step);
        }
        self.plan_start(w, worker);
    }

    /// Puts steps before those that are left.
    pub(super) fn first(worker: &mut Worker, steps: impl IntoIterator<Item = Step>) {
        if let Some(Sync { steps: rest, .. }) = &mut worker.sync {
            for (index, step) in steps.into_iter().enumerate() {
                rest.insert(index, step);
            }
        }
    }

    fn step(&mut self, w: &mut World, worker: &mut Worker, step: Step) {
        match step {
            Step::WaitForVolumes { since } => self.wait_for_volumes(w, worker, since),
            Step::Resize => worker.actual.clone_from(&worker.allocated),
            Step::ComputeActions => self.compute_actions(w, worker),
            Step::Kill {
                targets,
                grace_override,
                whole_pod,
            } => {
                for target in targets {
                    self.kill_container(w, worker, &target, grace_override, whole_pod);
                }
                if worker.instances.iter().any(|instance| instance.kill.is_some())
                    && let Some(sync) = &mut worker.sync
                {
                    sync.wait = Wait::Kills;
                }
            }
            Step::StopSandbox => {
                // A sandbox whose pause process died is stopped too, so that its address is released.
                if worker.sandboxes.iter().any(|sandbox| sandbox.ready) {
                    let wait = w.latency(latency::SANDBOX_STOP);
                    Self::first(worker, [Step::SandboxStopped]);
                    self.suspend(w, worker, wait);
                }
            }
            Step::SandboxStopped => {
                for sandbox in &mut worker.sandboxes {
                    if sandbox.ready {
                        sandbox.ready = false;
                        worker.touched = true;
                        if let Some(ip) = &sandbox.ip {
                            w.pod_ips.remove(ip);
                        }
                    }
                }
                let about = Some(worker.reference());
                w.record(
                    about,
                    None,
                    What::Runtime {
                        event: RuntimeEvent::SandboxStopped,
                    },
                );
                self.runtime_changed(w, worker);
            }
            Step::Remove { ids } => {
                worker.instances.retain(|instance| !ids.contains(&instance.record.id));
                worker.touched = true;
                self.runtime_changed(w, worker);
            }
            Step::CreateSandbox { attempt } => {
                let wait = w.latency(latency::SANDBOX_START);
                Self::first(worker, [Step::SandboxReady { attempt }]);
                self.suspend(w, worker, wait);
            }
            Step::SandboxReady { attempt } => self.sandbox_ready(w, worker, attempt),
            Step::StartContainer { group, index } => self.start_container(w, worker, group, index),
            // Only the end of the pull takes this step.
            Step::Pulled { .. } => {}
            Step::CreateContainer { group, index } => self.create_container(w, worker, group, index),
            Step::StartProcess { group, index } => self.start_process(w, worker, group, index),
            Step::AfterPostStart {
                group,
                index,
                id,
                failure,
            } => {
                self.after_post_start(w, worker, group, index, &id, failure);
            }
            Step::FailStart {
                group,
                index,
                reason,
                message,
            } => {
                self.fail_start(worker, group, index, reason, message);
            }
            Step::FinishSync => self.finish_sync(w, worker),
            Step::FinishTerminating => self.finish_terminating(w, worker),
            Step::FinishTerminated => self.finish_terminated(w, worker),
        }
    }

    fn wait_for_volumes(&mut self, w: &mut World, worker: &mut Worker, since: SimTime) {
        if worker.work != Work::Sync {
            // The pod is to end: the wait is interrupted.
            if let Some(sync) = &mut worker.sync {
                sync.steps.clear();
                sync.steps.push_back(Step::FinishSync);
                sync.error = Some(SyncError::Other);
            }
            return;
        }
        match self.mount_volumes(w, worker) {
            Volumes::Mounted => return,
            Volumes::Waiting => {}
            Volumes::Unusable(why) => {
                let message = format!("Unable to attach or mount volumes: {why}");
                self.pod_event(w, worker, String::new(), "Warning", "FailedMount", message);
                if let Some(sync) = &mut worker.sync {
                    sync.steps.retain(|step| matches!(step, Step::FinishSync));
                    sync.error = Some(SyncError::Other);
                }
                return;
            }
        }
        if w.now.since(since) >= VOLUME_TIMEOUT {
            if let Some(sync) = &mut worker.sync {
                sync.steps.retain(|step| matches!(step, Step::FinishSync));
                sync.error = Some(SyncError::Other);
            }
            return;
        }
        Self::first(worker, [Step::WaitForVolumes { since }]);
        self.suspend(w, worker, VOLUME_POLL);
    }

    /// A pod that is to end does not wait for its volumes any longer.
    pub(super) fn abandon_volume_wait(&mut self, w: &mut World, worker: &mut Worker) {
        let waits = worker.sync.as_ref().is_some_and(|sync| {
            matches!(sync.steps.front(), Some(Step::WaitForVolumes { .. })) && sync.wait == Wait::Timer
        });
        if waits {
            worker.token += 1;
            if let Some(sync) = &mut worker.sync {
                sync.wait = Wait::Ready;
            }
            self.advance(w, worker);
        }
    }

    fn compute_actions(&mut self, w: &mut World, worker: &mut Worker) {
        self.note_missing_pull_secrets(w, worker);
        self.add_probes(w, worker);
        let restart_all = announced_restart(worker);
        let mut actions = compute_pod_actions(&worker.pod, &worker.seen(), worker, restart_all);
        let resizes = resize_actions(worker, &mut actions);
        if resizes {
            Self::first(worker, [Step::Resize]);
            if let Some(sync) = &mut worker.sync {
                sync.did_something = true;
                sync.reset = true;
            }
            let wait = w.latency(latency::CONTAINER_START);
            self.suspend(w, worker, wait);
        }
        if actions.is_empty() {
            return;
        }
        let mut steps = Vec::new();
        if !actions.containers_to_reset.is_empty() {
            let running: Vec<Target> = running_targets(worker)
                .into_iter()
                .map(|target| Target {
                    message: Some("killing".to_owned()),
                    ..target
                })
                .collect();
            steps.push(Step::Kill {
                targets: running,
                grace_override: Some(0),
                whole_pod: false,
            });
            steps.push(Step::Remove {
                ids: actions.containers_to_reset,
            });
            if let Some(sync) = &mut worker.sync {
                sync.did_something = true;
                sync.reset = true;
            }
            Self::first(worker, steps);
            return;
        }
        let about = worker.reference();
        if actions.kill_pod {
            if actions.create_sandbox && !worker.sandboxes.is_empty() {
                let message = "Pod sandbox changed, it will be killed and re-created.".to_owned();
                self.pod_event(w, worker, String::new(), "Normal", "SandboxChanged", message);
            }
            let targets = running_targets(worker);
            if !targets.is_empty() || !worker.sandboxes.is_empty() {
                steps.push(Step::Kill {
                    targets,
                    grace_override: None,
                    whole_pod: true,
                });
                steps.push(Step::StopSandbox);
            }
        } else {
            for kill in &actions.containers_to_kill {
                let target = Target {
                    id: kill.id.clone(),
                    message: Some(kill.message.clone()),
                    reason: kill.reason,
                };
                let rule = "pkg/kubelet/kuberuntime/kuberuntime_manager.go computePodActions";
                let values = [("message", kill.message.as_str())];
                w.decide(about.clone(), Some(&kill.name), rule, "kill.container", &values);
                steps.push(Step::Kill {
                    targets: vec![target],
                    grace_override: None,
                    whole_pod: false,
                });
            }
        }
        if actions.create_sandbox {
            // Init containers run again from the first; only their logs remember how often they have run.
            let ids: Vec<String> = worker
                .instances
                .iter()
                .filter(|instance| instance.group == Group::Init)
                .map(|instance| instance.record.id.clone())
                .collect();
            if !ids.is_empty() {
                steps.push(Step::Remove { ids });
            }
            steps.push(Step::CreateSandbox {
                attempt: actions.attempt,
            });
        }
        let groups = [
            (Group::Ephemeral, &actions.ephemeral_containers_to_start),
            (Group::Init, &actions.init_containers_to_start),
            (Group::Regular, &actions.containers_to_start),
        ];
        for (group, indexes) in groups {
            steps.extend(indexes.iter().map(|&index| Step::StartContainer { group, index }));
        }
        if let Some(sync) = &mut worker.sync {
            sync.did_something = true;
        }
        Self::first(worker, steps);
    }

    fn finish_sync(&mut self, w: &mut World, worker: &mut Worker) {
        let Some(sync) = worker.sync.take() else { return };
        worker.last_sync_end = w.now;
        let now = w.now;
        if worker.work == Work::Terminating {
            // The pod has come to its end by itself, or was told to end meanwhile: the next sync is the terminating one.
            let causes = w.causes.clone();
            self.wake_worker(w, worker, &causes);
            return;
        }
        let delay = match sync.error {
            None => RESYNC,
            Some(SyncError::CrashLoopBackOff(expiry)) if w.version.has(Change::RequeueAtBackOffEnd) => {
                SimDuration(expiry.since(now).0.min(RESYNC.0))
            }
            Some(SyncError::CrashLoopBackOff(_)) => ERROR_RETRY,
            Some(SyncError::Other) => ERROR_RETRY,
        };
        if sync.did_something && sync.error.is_none() && w.version.enabled(Gate::PLEGOnDemandRelist) {
            self.plan(w, now + latency::RELIST_ON_DEMAND, worker, PodEvent::Relist);
        }
        if sync.reset {
            let causes = w.causes.clone();
            self.wake_worker(w, worker, &causes);
        }
        worker.at_rest = sync.error.is_none() && !sync.did_something;
        let delay = w.stretched(delay);
        self.requeue(w, worker, now + delay);
        self.plan_start(w, worker);
    }

    /// Looks at the pod again after the time of a sync that failed.
    pub(super) fn retry_later(&mut self, w: &mut World, worker: &mut Worker) {
        let delay = w.stretched(ERROR_RETRY);
        self.requeue(w, worker, w.now + delay);
    }

    fn finish_terminating(&mut self, w: &mut World, worker: &mut Worker) {
        worker.cache = std::sync::Arc::new(worker.snapshot());
        worker.probes.clear();
        let status = self.generate_status(w, worker, true);
        self.set_status(w, worker, status);
        worker.terminated_done = true;
        worker.work = Work::Terminated;
        worker.sync = None;
        worker.last_sync_end = w.now;
        // The last update is given again, not a newer one (`requeueLastPodUpdate`).
        let given = worker.given.clone();
        let causes = w.causes.clone();
        self.wake_worker(w, worker, &causes);
        worker.given = given;
    }

    fn finish_terminated(&mut self, w: &mut World, worker: &mut Worker) {
        if let Some(mut status) = worker.status.clone() {
            let given = worker.given.status.clone().unwrap_or_default();
            super::statuses::terminate(worker.spec(), &given, &mut status, worker.is_static());
            worker.status = Some(status);
        }
        worker.work = Work::Finished;
        worker.sync = None;
        self.unmount(w, worker);
        worker.touched = true;
        self.leave_static(worker);
        self.shutdown_ended(w, worker);
        self.write_status(w, worker);
        self.finish_deletion(w, worker);
    }

    /// Removes the API object of a pod that was deleted and has ended (`status_manager.go canBeDeleted`).
    pub(super) fn finish_deletion(&mut self, w: &mut World, worker: &mut Worker) {
        if worker.removed || worker.pod.metadata.deletion_timestamp.is_none() {
            return;
        }
        let options = DeleteOptions {
            grace_period_seconds: Some(0),
            uid: Some(worker.uid.to_string()),
            ..Default::default()
        };
        // The object may be gone already, by force.
        if w.delete(&worker.key, &options).is_ok() {
            worker.removed = true;
        }
    }
}

/// All containers that run, to be killed as the pod ends.
fn running_targets(worker: &Worker) -> Vec<Target> {
    worker
        .instances
        .iter()
        .filter(|instance| instance.record.state == super::runtime_status::State::Running)
        .map(|instance| Target {
            id: instance.record.id.clone(),
            message: None,
            reason: KillReason::Other,
        })
        .collect()
}
