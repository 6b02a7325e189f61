//! A pod's status as the kubelet makes it (`pkg/kubelet/kubelet_pods.go generateAPIPodStatus`), keeps it, and writes it to
//! the API (`pkg/kubelet/status/status_manager.go`).

use crate::core;
use std::borrow::Cow;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::actions::{ProbeResult, is_restart_all_source, pod_sandbox_changed};
use super::event::{PodEvent, ProbeKind};
use super::merge::{
    check_container_state_transition, cut_messages, is_merged, keep_transition_times, merge_pod_status,
    owned_by_kubelet, same_for_kubelet,
};
use super::node::{Kubelet, after};
use super::phase::get_phase;
use super::resize::resize_condition;
use super::restart::{RuleAction, has_restart_all_rule, matching_rule};
use super::runtime_status::RuntimeStatus;
use super::statuses::Conversion;
use super::worker::{PodVersion, Worker};
use super::{conditions, nodeshutdown, qos};
use crate::latency;
use crate::resources::is_sidecar;
use crate::time::{SimDuration, SimTime};
use crate::version::{Change, Gate};
use crate::world::World;

/// How often the kubelet compares what it says with what the API shows.
const RECONCILED: SimDuration = SimDuration::from_secs(10);
/// Message of a pod whose `activeDeadlineSeconds` are over, and of the event that says so.
pub(super) const DEADLINE_MESSAGE: &str = "Pod was active on the node longer than the specified deadline";

impl Worker {
    /// What the API knows of the pod when this kubelet first sees it: after a restart of the kubelet its start stays.
    pub(super) fn restore_status(&mut self, w: &World) {
        let status = self.pod.status.as_ref();
        self.start_time = status
            .and_then(|status| status.start_time.as_ref())
            .map(|time| w.virtual_time(time.0));
    }

    /// The pod's address: that of the newest sandbox, and of an older one only as long as no new one is ready.
    fn address(&self) -> Option<&str> {
        let sandboxes = &self.cache.sandboxes;
        match sandboxes.first() {
            Some(newest) if newest.ready => newest.ip.as_deref(),
            _ => sandboxes.iter().find_map(|sandbox| sandbox.ip.as_deref()),
        }
    }

    /// Whether a probe worker of that kind watches the container.
    pub(super) fn has_probe(&self, kind: ProbeKind, container: &str) -> bool {
        self.probes
            .iter()
            .any(|probe| probe.kind == kind && probe.container == container)
    }

    /// Whether the pod comes from a file on the node.
    pub(super) fn is_static(&self) -> bool {
        self.static_pod
    }
}

/// `started` and `ready` of a container (`pkg/kubelet/prober/prober_manager.go UpdatePodStatus`), and whether its
/// readiness probe is to run at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartedReady {
    /// `started`
    pub started: bool,
    /// `ready`
    pub ready: bool,
    /// Whether an immediate run of the readiness probe is asked for.
    pub trigger: bool,
}

/// What probes have said of a container: `None` where there is no probe worker, `Some(None)` where it has no result yet.
pub type Said = Option<Option<ProbeResult>>;

/// `started` and `ready` of a container in that state. `plain_init`: an init container that is no sidecar.
pub fn started_ready(
    state: Option<&core::ContainerState>,
    plain_init: bool,
    was_started: bool,
    startup: Said,
    readiness: Said,
) -> StartedReady {
    let running = state.is_some_and(|state| state.running.is_some());
    let started = running
        && match startup {
            Some(Some(result)) => result == ProbeResult::Success,
            Some(None) => was_started,
            None => true,
        };
    if plain_init {
        let done = state
            .and_then(|state| state.terminated.as_ref())
            .is_some_and(|ended| ended.exit_code == 0);
        return StartedReady {
            started,
            ready: done,
            trigger: false,
        };
    }
    if !started {
        return StartedReady {
            started,
            ready: false,
            trigger: false,
        };
    }
    match readiness {
        None => StartedReady {
            started,
            ready: true,
            trigger: false,
        },
        Some(Some(ProbeResult::Success)) => StartedReady {
            started,
            ready: true,
            trigger: false,
        },
        Some(_) => StartedReady {
            started,
            ready: false,
            trigger: true,
        },
    }
}

impl Kubelet {
    /// The status that the API should show, from what the last relist saw. `terminal`: all containers have stopped for good.
    pub(super) fn generate_status(&mut self, w: &mut World, worker: &mut Worker, terminal: bool) -> core::PodStatus {
        let mut status = self.container_statuses(w, worker);
        let old = worker.status.as_deref().or(worker.pod.status.as_deref());
        let (old_phase, old_reason, old_message) = old
            .map(|old| (old.phase.clone(), old.reason.clone(), old.message.clone()))
            .unwrap_or_default();
        let all = joined(&status.container_statuses, &status.init_container_statuses);
        let decision = get_phase(&worker.pod, &all, terminal, worker.has_initialized());
        let mut phase = decision.phase;
        let sticky = |text: Option<&str>| match text {
            Some("Succeeded") => Some("Succeeded"),
            Some("Failed") => Some("Failed"),
            _ => None,
        };
        let api_phase = worker.pod.status.as_ref().and_then(|status| status.phase.as_deref());
        if let Some(known) = sticky(api_phase).or_else(|| sticky(old_phase.as_deref())) {
            phase = known;
        }
        if old_phase.as_deref() == Some(phase) {
            let api = worker.pod.status.as_ref();
            status.reason = old_reason.or_else(|| api.and_then(|api| api.reason.clone()));
            status.message = old_message.or_else(|| api.and_then(|api| api.message.clone()));
        }
        if past_active_deadline(w, worker) {
            // Said at every sync, as the real kubelet says it.
            self.pod_event(
                w,
                worker,
                String::new(),
                "Normal",
                "DeadlineExceeded",
                DEADLINE_MESSAGE.to_owned(),
            );
            phase = sticky(api_phase).unwrap_or("Failed");
            status.reason = Some("DeadlineExceeded".to_owned());
            status.message = Some(DEADLINE_MESSAGE.to_owned());
        }
        // What the node has decided of the pod is laid over a status that was made without it (`podStatusFn`): conditions
        // follow only at the next one.
        let before_verdict = phase;
        if let Some((reason, message)) = &worker.verdict
            && sticky(api_phase).is_none()
        {
            // Whatever a shutdown finds done stays done.
            if phase != "Succeeded" || reason != nodeshutdown::REASON {
                phase = "Failed";
            }
            status.reason = Some(reason.clone());
            status.message = Some(message.clone());
        }
        if phase != worker.last_phase {
            let rule = "pkg/kubelet/kubelet_pods.go getPhase";
            let values = [("phase", phase), ("before", worker.last_phase)];
            let record = w.decide(worker.reference(), None, rule, decision.code, &values);
            worker.last_phase = phase;
            worker.phase_cause = Some(record);
            worker.status_cause.push(record);
        }
        status.phase = Some(phase.to_owned());
        self.update_probed(w, worker, &mut status);
        self.add_conditions(w, worker, &mut status, before_verdict);
        status
    }

    fn container_statuses(&self, w: &World, worker: &Worker) -> core::PodStatus {
        let spec = worker.spec();
        let old = worker.status.as_deref().or(worker.pod.status.as_deref());
        let none = Vec::new();
        let resizable = w.version.enabled(Gate::InPlacePodVerticalScaling);
        let time = |at: SimTime| w.time_of(at);
        let conversion = Conversion {
            pod: &worker.pod,
            runtime: &worker.cache,
            reasons: &worker.reasons,
            pod_restarting: should_all_containers_restart(worker),
            time: &time,
        };
        let init = spec.init_containers.as_deref().unwrap_or_default();
        let has_init = !init.is_empty();
        let previous = |pick: fn(&core::PodStatus) -> &Option<Vec<core::ContainerStatus>>| {
            old.and_then(|old| pick(old).as_ref()).unwrap_or(&none)
        };
        let mut regular = conversion.statuses(
            &spec.containers,
            previous(|old| &old.container_statuses),
            has_init,
            false,
        );
        let mut init_statuses = conversion.statuses(init, previous(|old| &old.init_container_statuses), has_init, true);
        for (containers, statuses) in [(spec.containers.as_slice(), &mut regular), (init, &mut init_statuses)] {
            for status in statuses {
                if let Some(container) = containers.iter().find(|container| container.name == status.name) {
                    describe(container, status);
                    if !resizable {
                        // What a container has been given is told since it can change.
                        status.allocated_resources = None;
                        status.resources = None;
                    }
                }
            }
        }
        let ephemeral: Vec<core::Container> = (0..spec.ephemeral_containers.as_ref().map_or(0, Vec::len))
            .filter_map(|index| worker.container(super::worker::Group::Ephemeral, index))
            .map(|container| container.clone())
            .collect();
        let ephemeral_statuses = conversion.statuses(
            &ephemeral,
            previous(|old| &old.ephemeral_container_statuses),
            has_init,
            false,
        );
        let host_network = spec.host_network == Some(true);
        let ip = worker
            .address()
            .map(str::to_owned)
            .or_else(|| host_network.then(|| self.ip.clone()));
        core::PodStatus {
            observed_generation: w.observed(&worker.pod.metadata),
            container_statuses: Some(regular),
            init_container_statuses: has_init.then_some(init_statuses),
            ephemeral_container_statuses: (!ephemeral.is_empty()).then_some(ephemeral_statuses),
            host_ip: Some(self.ip.clone()),
            host_ips: w
                .version
                .enabled(Gate::PodHostIPs)
                .then(|| vec![core::HostIP { ip: self.ip.clone() }]),
            pod_ips: ip.as_ref().map(|ip| vec![core::PodIP { ip: ip.clone() }]),
            pod_ip: ip,
            start_time: worker.start_time.map(|at| w.time_of(at)),
            qos_class: Some(worker.qos.to_owned()),
            ..Default::default()
        }
    }

    /// Fills in `started` and `ready`, and wakes readiness probes that have not succeeded.
    fn update_probed(&mut self, w: &mut World, worker: &mut Worker, status: &mut core::PodStatus) {
        let old = worker.status.as_deref().or(worker.pod.status.as_deref());
        let mut triggered = Vec::new();
        let spec = worker.spec();
        let lists = [
            (&mut status.container_statuses, false),
            (&mut status.init_container_statuses, true),
        ];
        for (list, is_init) in lists {
            for status in list.iter_mut().flatten() {
                let plain_init = is_init
                    && !spec
                        .init_containers
                        .iter()
                        .flatten()
                        .any(|container| container.name == status.name && is_sidecar(container));
                let id = status
                    .container_id
                    .as_deref()
                    .and_then(|id| id.strip_prefix("containerd://"));
                let said = |kind| {
                    let result = id.and_then(|id| worker.result(kind, id));
                    match result {
                        Some(result) => Some(Some(result)),
                        None => worker.has_probe(kind, &status.name).then_some(None),
                    }
                };
                let was = old
                    .into_iter()
                    .flat_map(|old| {
                        old.container_statuses
                            .iter()
                            .chain(&old.init_container_statuses)
                            .flatten()
                    })
                    .find(|old| old.name == status.name && old.container_id == status.container_id && id.is_some());
                let was_started = was.is_some_and(|was| was.started == Some(true));
                let flags = started_ready(
                    status.state.as_ref(),
                    plain_init,
                    was_started,
                    said(ProbeKind::Startup),
                    said(ProbeKind::Readiness),
                );
                status.started = Some(flags.started);
                status.ready = flags.ready;
                // A restart of the kubelet once took readiness from a container that had it.
                if flags.trigger {
                    if worker.restored
                        && !w.version.enabled(Gate::ChangeContainerStatusOnKubeletRestart)
                        && was.is_some_and(|was| was.ready)
                    {
                        status.ready = true;
                    }
                    triggered.push((status.name.clone(), was.is_none()));
                }
            }
        }
        for (container, is_new) in triggered {
            // The worker looks at the status that was kept before this one, unless this one is kept first.
            if is_new && w.latency(latency::STATUS_KEPT) > latency::PROBE_WAKE {
                self.miss_probe(w, worker, &container, ProbeKind::Readiness);
            } else {
                self.trigger_probe(w, worker, &container, ProbeKind::Readiness);
            }
        }
    }

    fn add_conditions(&self, w: &World, worker: &Worker, status: &mut core::PodStatus, phase: &'static str) {
        let spec = worker.spec();
        let old = worker.status.as_deref().or(worker.pod.status.as_deref());
        let old_conditions = old.and_then(|old| old.conditions.as_deref()).unwrap_or_default();
        let api = worker
            .pod
            .status
            .as_ref()
            .and_then(|api| api.conditions.as_deref())
            .unwrap_or_default();
        let mut all: Vec<core::PodCondition> = api
            .iter()
            .filter(|condition| !owned_by_kubelet(&condition.type_))
            .cloned()
            .collect();
        if let Some(disruption) = &worker.disruption {
            all.retain(|condition| condition.type_ != disruption.type_);
            all.push(disruption.clone());
        }
        // Init statuses come first here, as the kubelet joins them for conditions.
        let statuses = joined(&status.init_container_statuses, &status.container_statuses);
        let statuses = Some(&*statuses);
        let sandbox_ready = !pod_sandbox_changed(spec, &worker.cache).0;
        all.extend(resize_condition(worker));
        let mut own = vec![
            conditions::ready_to_start_containers(sandbox_ready),
            conditions::initialized(spec, statuses, phase, old_conditions),
            conditions::ready(spec, &all, statuses, phase),
            conditions::containers_ready(spec, statuses, phase),
            conditions::pod_scheduled(),
        ];
        if !w.version.enabled(Gate::PodReadyToStartContainersCondition) {
            own.remove(0);
        }
        if has_restart_all_rule(spec) {
            let anything_left = spec
                .init_containers
                .iter()
                .flatten()
                .chain(&spec.containers)
                .any(|container| worker.cache.container(&container.name).is_some());
            let restarting = should_all_containers_restart(worker) && anything_left;
            own.push(conditions::all_containers_restarting(restarting, phase));
        }
        for condition in &mut own {
            condition.observed_generation = w.observed(&worker.pod.metadata);
        }
        all.extend(own);
        status.conditions = Some(all);
    }

    /// Tells the API at once that the sandbox is up; everything else stays as it was (`kubelet.go OnPodSandboxReady`).
    pub(super) fn announce_sandbox(&mut self, w: &mut World, worker: &mut Worker) {
        let announced =
            w.version.has(Change::SandboxAnnounced) && w.version.enabled(Gate::PodReadyToStartContainersCondition);
        let Some(mut status) = worker.status.clone().filter(|_| announced) else {
            return;
        };
        let generation = w.observed(&worker.pod.metadata);
        for condition in status.conditions.iter_mut().flatten() {
            if condition.type_ == "PodReadyToStartContainers" {
                condition.status = "True".to_owned();
                condition.observed_generation = generation;
            }
        }
        self.set_status(w, worker, status.into_inner());
    }

    /// Keeps a status, and plans its way to the API if it is another (`updateStatusInternal`); `false` if it is the one that is
    /// kept already.
    pub(super) fn set_status(&mut self, w: &mut World, worker: &mut Worker, mut status: core::PodStatus) -> bool {
        let spec = worker.spec();
        let mirror = worker.is_static().then(|| self.mirrors.get(&worker.key)).flatten();
        let old = worker
            .status
            .as_deref()
            .or_else(|| mirror?.pod.status.as_deref())
            .or(worker.pod.status.as_deref());
        if let Some(old) = old {
            if check_container_state_transition(old, &status, spec).is_err() {
                return true;
            }
            if old.start_time.is_some() {
                status.start_time.clone_from(&old.start_time);
            }
        }
        let containers = spec.containers.len()
            + spec.init_containers.as_ref().map_or(0, Vec::len)
            + spec.ephemeral_containers.as_ref().map_or(0, Vec::len);
        cut_messages(&mut status, containers);
        let now = w.time();
        let known = old.and_then(|old| old.conditions.as_deref()).unwrap_or_default();
        if let Some(conditions) = &mut status.conditions {
            keep_own_times(conditions, known, &now);
        }
        if worker.status.as_ref().is_some_and(|old| same_for_kubelet(old, &status)) {
            // What led to a status that waits to be written is not forgotten when nothing new comes to it.
            if !worker.status_planned {
                worker.status_cause.clear();
            }
            return false;
        }
        worker.status = Some(status.into());
        self.plan_status_write(w, worker);
        true
    }

    /// Makes the status of a pod that is to run and keeps it; `true` when it is one of a pod that has come to its end.
    pub(super) fn tell_status(&mut self, w: &mut World, worker: &mut Worker) -> bool {
        if is_told(worker) {
            if !worker.status_planned {
                worker.status_cause.clear();
            }
            return false;
        }
        worker.told = None;
        let status = self.generate_status(w, worker, false);
        let terminal = matches!(status.phase.as_deref(), Some("Succeeded" | "Failed"));
        let changed = self.set_status(w, worker, status);
        if !changed && !terminal {
            worker.told = worker.status.clone().map(|status| Told {
                pod: worker.pod.clone(),
                cache: Arc::clone(&worker.cache),
                reasons: worker.reasons_given,
                status,
            });
        }
        terminal
    }

    /// Plans the write of the status that is kept.
    pub(super) fn plan_status_write(&mut self, w: &mut World, worker: &mut Worker) {
        for cause in &w.causes {
            if !worker.status_cause.contains(cause) {
                worker.status_cause.push(*cause);
            }
        }
        if !worker.status_planned {
            worker.status_planned = true;
            self.plan(w, w.now + latency::STATUS_WRITE, worker, PodEvent::WriteStatus);
        }
    }

    /// If somebody else has changed what the kubelet says of a pod, it says it again at its next round
    /// (`needsReconcile`, every ten seconds).
    pub(super) fn reconcile_status(&mut self, w: &mut World, worker: &mut Worker) {
        if worker.status_planned || worker.status_round {
            return;
        }
        let Some(mine) = worker.status.as_ref().and_then(|status| status.conditions.as_ref()) else {
            return;
        };
        let shown = match self.mirrors.get(&worker.key).filter(|_| worker.is_static()) {
            Some(mirror) => &mirror.pod,
            None => &worker.pod,
        };
        let api = shown
            .status
            .as_ref()
            .and_then(|status| status.conditions.as_deref())
            .unwrap_or_default();
        let differs = mine
            .iter()
            .filter(|condition| owned_by_kubelet(&condition.type_))
            .any(|condition| {
                let known = api.iter().find(|known| known.type_ == condition.type_);
                known.is_none_or(|known| known.status != condition.status)
            });
        if differs {
            worker.status_round = true;
            self.plan(w, self.status_round_after(w.now), worker, PodEvent::WriteStatus);
        }
    }

    /// The next round of the status manager after an instant.
    pub(super) fn status_round_after(&self, at: SimTime) -> SimTime {
        let phase = (self.pleg_phase.0 * 10 + self.tick_phase.0) % RECONCILED.0;
        after(SimDuration(phase), RECONCILED, at)
    }

    /// Writes all statuses that differ from the API's: the first thing that a kubelet does when it goes on.
    pub(super) fn reconcile_all(&mut self, w: &mut World) {
        let uids: Vec<_> = self.pods.keys().cloned().collect();
        for uid in uids {
            self.with_pod(w, &uid, |kubelet, w, worker| {
                if worker.status.is_some() && !worker.removed {
                    worker.status_planned = true;
                    kubelet.plan(w, w.now + latency::STATUS_WRITE, worker, PodEvent::WriteStatus);
                }
            });
        }
    }

    /// Writes the kept status, and those of other pods that waited (`syncBatch`).
    pub(super) fn write_status(&mut self, w: &mut World, worker: &mut Worker) {
        if !self.connected {
            // It stays planned, and is written when the API server can be reached again.
            return;
        }
        self.write_one_status(w, worker);
        self.write_waiting(w);
    }

    /// Writes the kept status over the API's (`syncPod`).
    pub(super) fn write_one_status(&mut self, w: &mut World, worker: &mut Worker) {
        worker.status_planned = false;
        worker.status_round = false;
        let target = self.status_uid(w, worker);
        worker.status_waits = target.is_none() && worker.status.is_some();
        let Some(target) = target else { return };
        let mut causes = std::mem::take(&mut worker.status_cause);
        let Some(status) = &worker.status else { return };
        // The pod worker does not know a mirror's uid, so nothing of it can run.
        let could_run = !worker.is_static() && worker.could_have_running_containers();
        let now = w.time();
        let empty = core::PodStatus::default();
        let api = w
            .get(&worker.key)
            .and_then(|stored| stored.object.as_pod())
            .and_then(|pod| pod.status.as_deref());
        let api_status = api.unwrap_or(&empty);
        let merged = match is_merged(api_status, status) {
            true => status.clone(),
            false => merge_pod_status(api_status, status, could_run, &now).into(),
        };
        if merged.phase.as_deref() != api.and_then(|api| api.phase.as_deref()) {
            // A final phase is decided before it is written: while containers may still run, the API does not hear of it.
            causes.extend(worker.phase_cause);
        }
        causes.sort_unstable();
        causes.dedup();
        let saved = if causes.is_empty() {
            None
        } else {
            Some(std::mem::replace(&mut w.causes, causes))
        };
        w.update_pod(&worker.key, &target, |pod| pod.status = Some(merged));
        if let Some(saved) = saved {
            w.causes = saved;
        }
    }

    /// A container's readiness has changed: the API hears of it without a sync (`SetContainerReadiness`).
    pub(super) fn set_container_readiness(&mut self, w: &mut World, worker: &mut Worker, id: &str, ready: bool) {
        let Some(mut status) = worker.status.clone() else {
            return;
        };
        if !set_flag(&mut status, id, |status| {
            std::mem::replace(&mut status.ready, ready) != ready
        }) {
            return;
        }
        let spec = worker.spec();
        let statuses: Vec<core::ContainerStatus> = [&status.init_container_statuses, &status.container_statuses]
            .into_iter()
            .flatten()
            .flatten()
            .cloned()
            .collect();
        let phase = status.phase.clone().unwrap_or_default();
        let all = status.conditions.clone().unwrap_or_default();
        let fresh = [
            conditions::ready(spec, &all, Some(&statuses), &phase),
            conditions::containers_ready(spec, Some(&statuses), &phase),
        ];
        for mut condition in fresh {
            condition.observed_generation = w.observed(&worker.pod.metadata);
            if let Some(known) = status
                .conditions
                .iter_mut()
                .flatten()
                .find(|known| known.type_ == condition.type_)
            {
                *known = condition;
            }
        }
        self.set_status(w, worker, status.into_inner());
    }

    /// A container has passed or failed its startup probe (`SetContainerStartup`).
    pub(super) fn set_container_startup(&mut self, w: &mut World, worker: &mut Worker, id: &str, started: bool) {
        let Some(mut status) = worker.status.clone() else {
            return;
        };
        if set_flag(&mut status, id, |status| {
            status.started.replace(started) != Some(started)
        }) {
            self.set_status(w, worker, status.into_inner());
        }
    }

    /// The status of a pod that the node refuses: it fails, with nothing else in it (`kubelet.go rejectPod`).
    pub(super) fn reject(&mut self, w: &mut World, worker: &mut Worker, reason: &str, message: &str) {
        self.pod_event(w, worker, String::new(), "Warning", reason, message.to_owned());
        // A start time that was told stays (`updateStatusInternal`).
        let told = worker.pod.status.as_ref().and_then(|status| status.start_time.as_ref());
        worker.start_time = Some(told.map_or(w.now, |Time(told)| w.virtual_time(*told)));
        worker.terminated_done = true;
        worker.last_phase = "Failed";
        let status = core::PodStatus {
            observed_generation: w.observed(&worker.pod.metadata),
            phase: Some("Failed".to_owned()),
            reason: Some(reason.to_owned()),
            message: Some(format!("Pod was rejected: {message}")),
            start_time: worker.start_time.map(|at| w.time_of(at)),
            qos_class: Some(worker.qos.to_owned()),
            ..Default::default()
        };
        worker.status = Some(status.into());
        self.plan_status_write(w, worker);
    }
}

/// What was so when a status was made that says nothing new: as long as it is still so, the next one would not either.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pod: PodVersion,
    cache: Arc<RuntimeStatus>,
    reasons: u64,
    status: core::Shared<core::PodStatus>,
}

/// Whether a status made now would be the one that is kept. Only of a pod whose status is made of nothing but the pod, the
/// runtime's view and the last start errors: no probes, no verdict of the node, no deadline.
fn is_told(worker: &Worker) -> bool {
    let Some(told) = &worker.told else { return false };
    let same = told.pod.is(&worker.pod)
        && Arc::ptr_eq(&told.cache, &worker.cache)
        && told.reasons == worker.reasons_given
        && worker.status.as_ref().is_some_and(|status| status.is(&told.status));
    same && worker.probes.is_empty()
        && worker.verdict.is_none()
        && worker.disruption.is_none()
        && worker.resize.is_none()
        && !worker.restored
        && !worker.static_pod
        && worker.spec().active_deadline_seconds.is_none()
}

/// Two lists of statuses as one, which is mostly the one that is not empty.
fn joined<'a>(
    first: &'a Option<Vec<core::ContainerStatus>>,
    second: &'a Option<Vec<core::ContainerStatus>>,
) -> Cow<'a, [core::ContainerStatus]> {
    let (first, second) = (
        first.as_deref().unwrap_or_default(),
        second.as_deref().unwrap_or_default(),
    );
    match (first, second) {
        (only, []) | ([], only) => Cow::Borrowed(only),
        _ => Cow::Owned([first, second].concat()),
    }
}

/// Keeps times of the kubelet's own conditions; those of others are as they are.
fn keep_own_times(conditions: &mut [core::PodCondition], old: &[core::PodCondition], now: &Time) {
    for condition in conditions
        .iter_mut()
        .filter(|condition| owned_by_kubelet(&condition.type_))
    {
        keep_transition_times(std::slice::from_mut(condition), old, now);
    }
}

fn set_flag(status: &mut core::PodStatus, id: &str, change: impl Fn(&mut core::ContainerStatus) -> bool) -> bool {
    [&mut status.container_statuses, &mut status.init_container_statuses]
        .into_iter()
        .flatten()
        .flatten()
        .find(|status| {
            status
                .container_id
                .as_deref()
                .and_then(|known| known.strip_prefix("containerd://"))
                == Some(id)
        })
        .is_some_and(change)
}

/// Whether all containers of the pod are to restart (`pkg/kubelet/container/helpers.go ShouldAllContainersRestart`): one has
/// ended by such a rule, or the API was told so.
pub(super) fn should_all_containers_restart(worker: &Worker) -> bool {
    let spec = worker.spec();
    if !has_restart_all_rule(spec) {
        return false;
    }
    if announced_restart(worker) {
        return true;
    }
    let old = worker.status.as_deref().or(worker.pod.status.as_deref());
    spec.init_containers
        .iter()
        .flatten()
        .chain(&spec.containers)
        .any(|container| {
            let ended = old
                .into_iter()
                .flat_map(|old| {
                    old.init_container_statuses
                        .iter()
                        .chain(&old.container_statuses)
                        .flatten()
                })
                .find(|status| status.name == container.name)
                .and_then(|status| status.state.as_ref()?.terminated.as_ref());
            is_restart_all_source(container, worker.cache.container(&container.name))
                || ended.is_some_and(|ended| {
                    matching_rule(container, ended.exit_code) == Some(RuleAction::RestartAllContainers)
                })
        })
}

/// Whether the API was told that all containers restart.
pub(super) fn announced_restart(worker: &Worker) -> bool {
    worker
        .status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten())
        .any(|condition| condition.type_ == "AllContainersRestarting" && condition.status == "True")
}

/// What a container status says of the container beside its state: resources and mounts.
fn describe(container: &core::Container, status: &mut core::ContainerStatus) {
    status.volume_mounts = container.volume_mounts.as_ref().map(|mounts| {
        mounts
            .iter()
            .map(|mount| core::VolumeMountStatus {
                name: mount.name.clone(),
                mount_path: mount.mount_path.clone(),
                read_only: mount.read_only.filter(|read_only| *read_only),
                recursive_read_only: mount
                    .read_only
                    .filter(|read_only| *read_only)
                    .map(|_| "Disabled".to_owned()),
                ..Default::default()
            })
            .collect()
    });
    if status.container_id.is_some() {
        let resources = container.resources.clone().unwrap_or_default();
        status.allocated_resources.clone_from(&resources.requests);
        status.resources = Some(core::ResourceRequirements {
            claims: None,
            ..resources
        });
    }
}

/// When `activeDeadlineSeconds` are over: they count from the start time as the API shows it
/// (`pkg/kubelet/active_deadline.go`).
pub(super) fn active_deadline(w: &World, worker: &Worker) -> Option<SimTime> {
    let seconds = u64::try_from(worker.spec().active_deadline_seconds?).ok()?;
    let start = worker.start_time.map(|at| w.virtual_time(w.time_of(at).0))?;
    Some(start + SimDuration::from_secs(seconds))
}

fn past_active_deadline(w: &World, worker: &Worker) -> bool {
    active_deadline(w, worker).is_some_and(|deadline| w.now >= deadline)
}

/// The QoS class of a worker's pod, computed once.
pub(super) fn qos_of(pod: &core::Pod) -> &'static str {
    qos::qos_class(pod)
}
