//! One pod on one node: the pod worker's state (`pkg/kubelet/pod_workers.go`), what the runtime holds for the pod, and the
//! status that the status manager keeps.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use k8s_openapi::api::core::v1 as core;

use super::actions::{KillReason, PodActions, ProbeResult, ProbeResults};
use super::probes::{ProbeKind, ProbeWorker};
use super::runtime_status::{ContainerRecord, RuntimeStatus, SandboxStatus, State};
use super::statuses::ReasonCache;
use crate::objects::Key;
use crate::runtime::files::Tree;
use crate::runtime::process::{ExecId, Processes};
use crate::time::SimTime;
use crate::trace::{ObjectRef, RecordId};

/// Which of the three syncs the worker does (`PodWorkType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// SyncPod
    Sync,
    /// SyncTerminatingPod
    Terminating,
    /// SyncTerminatedPod
    Terminated,
    /// Nothing is left to do.
    Finished,
}

/// Which list of the spec a container is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    Init,
    Regular,
    Ephemeral,
}

/// One step of a sync. Steps run in order; one that takes time suspends the sync until an event resumes it.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Until all volumes can be mounted.
    WaitForVolumes { since: SimTime },
    /// Decide what to do and put the steps for it at the front.
    ComputeActions,
    /// Kill these containers and wait until they are dead.
    Kill { targets: Vec<Target>, grace_override: Option<i64>, whole_pod: bool },
    /// Stop the sandbox that is there.
    StopSandbox,
    /// The sandbox is stopped.
    SandboxStopped,
    /// Forget containers so that all start anew.
    Remove { ids: Vec<String> },
    /// Ask for a sandbox.
    CreateSandbox { attempt: u32 },
    /// The sandbox is there.
    SandboxReady { attempt: u32 },
    /// Start a container: back-off, image.
    StartContainer { group: Group, index: usize },
    /// The image is there: configuration, creation.
    CreateContainer { group: Group, index: usize },
    /// The runtime starts the process.
    StartProcess { group: Group, index: usize },
    /// The postStart hook has ended.
    AfterPostStart { group: Group, index: usize, id: String, failure: Option<String> },
    /// Report a start that failed.
    FailStart { group: Group, index: usize, reason: &'static str, message: String },
    /// End of SyncPod.
    FinishSync,
    /// End of SyncTerminatingPod.
    FinishTerminating,
    /// End of SyncTerminatedPod.
    FinishTerminated,
}

/// A container to kill and why.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub id: String,
    pub message: Option<String>,
    pub reason: KillReason,
}

/// What a suspended sync waits for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Wait {
    /// Nothing: it runs.
    Ready,
    /// A timer.
    Timer,
    /// All kills of the pod.
    Kills,
    /// An image.
    Pull,
    /// A postStart hook in that container.
    Hook(String),
}

/// A sync under way.
#[derive(Clone, Debug)]
pub(crate) struct Sync {
    pub steps: VecDeque<Step>,
    pub wait: Wait,
    pub did_something: bool,
    pub error: Option<SyncError>,
}

/// Why a sync failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SyncError {
    /// A restart has to wait until then.
    CrashLoopBackOff(SimTime),
    /// Anything else.
    Other,
}

/// One instance of a container in the runtime.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    pub record: ContainerRecord,
    pub group: Group,
    /// Index of the container in its group.
    pub index: usize,
    pub processes: Option<Processes>,
    pub wake: u64,
    pub woken_at: Option<SimTime>,
    pub kill: Option<Kill>,
    /// The start of the exit's report, once the main process is gone.
    pub ending: bool,
    pub execs: BTreeMap<ExecId, ExecPurpose>,
    pub root: Tree,
    pub created_from: (String, String),
}

/// Why a command runs in a container.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ExecPurpose {
    Probe(ProbeKind),
    PostStart,
    PreStop,
    User,
}

/// A container's way to its end.
#[derive(Clone, Debug)]
pub(crate) struct Kill {
    pub stage: KillStage,
    /// When the grace is over.
    pub deadline: SimTime,
    /// Whether the pod as a whole ends, so that sidecars wait for their turn.
    pub whole_pod: bool,
    pub token: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KillStage {
    PreStop,
    Turn,
    Signalled,
    Killed,
}

/// One pod on one node.
#[derive(Clone, Debug)]
pub(crate) struct Worker {
    pub key: Key,
    pub uid: Arc<str>,
    pub pod: Arc<core::Pod>,
    pub removed: bool,
    pub work: Work,
    pub sync: Option<Sync>,
    pub pending: bool,
    pub pending_causes: Vec<RecordId>,
    pub start_planned: bool,
    pub token: u64,
    pub requeue: u64,
    pub synced_once: bool,
    pub last_sync_end: SimTime,
    pub relisted_at: SimTime,
    pub grace: i64,
    /// Set when the pod was stopped by the node: phase Failed with this reason and message.
    pub verdict: Option<(String, String)>,
    pub deadline_exceeded: bool,
    pub disruption: Option<core::PodCondition>,
    pub sandboxes: Vec<SandboxStatus>,
    pub instances: Vec<Instance>,
    pub volumes: BTreeMap<String, Tree>,
    pub cache: RuntimeStatus,
    pub reasons: ReasonCache,
    pub status: Option<core::PodStatus>,
    pub status_planned: bool,
    pub status_cause: Vec<RecordId>,
    pub start_time: Option<SimTime>,
    pub restarts_logged: BTreeMap<String, i32>,
    pub probes: Vec<ProbeWorker>,
    pub results: BTreeMap<(ProbeKind, String), ProbeResult>,
    pub restarting_all: bool,
    pub actions: PodActions,
    pub last_pull: Option<Result<String, (String, String)>>,
    pub admitted: bool,
    pub terminated_done: bool,
    pub last_phase: &'static str,
}

impl Worker {
    pub(crate) fn new(key: Key, pod: Arc<core::Pod>) -> Self {
        let uid = pod.metadata.uid.as_deref().unwrap_or_default().into();
        Self {
            key,
            uid,
            pod,
            removed: false,
            work: Work::Sync,
            sync: None,
            pending: false,
            pending_causes: Vec::new(),
            start_planned: false,
            token: 0,
            requeue: 0,
            synced_once: false,
            last_sync_end: SimTime::ZERO,
            relisted_at: SimTime::ZERO,
            grace: 0,
            verdict: None,
            deadline_exceeded: false,
            disruption: None,
            sandboxes: Vec::new(),
            instances: Vec::new(),
            volumes: BTreeMap::new(),
            cache: RuntimeStatus::default(),
            reasons: ReasonCache::new(),
            status: None,
            status_planned: false,
            status_cause: Vec::new(),
            start_time: None,
            restarts_logged: BTreeMap::new(),
            probes: Vec::new(),
            results: BTreeMap::new(),
            restarting_all: false,
            actions: PodActions::default(),
            last_pull: None,
            admitted: false,
            terminated_done: false,
            last_phase: "",
        }
    }

    /// The pod's reference in a trace.
    pub(crate) fn reference(&self) -> ObjectRef {
        ObjectRef {
            kind: "Pod".to_owned(),
            namespace: self.key.namespace.to_string(),
            name: self.key.name.to_string(),
            uid: self.uid.to_string(),
        }
    }

    /// `name_namespace(uid)`, as the kubelet's texts name a pod.
    pub(crate) fn format(&self) -> String {
        format!("{}_{}({})", self.key.name, self.key.namespace, self.uid)
    }

    /// The spec.
    pub(crate) fn spec(&self) -> &core::PodSpec {
        static EMPTY: std::sync::LazyLock<core::PodSpec> = std::sync::LazyLock::new(core::PodSpec::default);
        self.pod.spec.as_ref().unwrap_or(&EMPTY)
    }

    /// The container at `index` of `group`.
    pub(crate) fn container(&self, group: Group, index: usize) -> Option<core::Container> {
        let spec = self.spec();
        match group {
            Group::Init => spec.init_containers.as_ref()?.get(index).cloned(),
            Group::Regular => spec.containers.get(index).cloned(),
            Group::Ephemeral => {
                let ephemeral = spec.ephemeral_containers.as_ref()?.get(index)?;
                let value = serde_json::to_value(ephemeral).ok()?;
                serde_json::from_value(value).ok()
            }
        }
    }

    /// The instance of that id.
    pub(crate) fn instance(&self, id: &str) -> Option<&Instance> {
        self.instances.iter().find(|instance| instance.record.id == id)
    }

    /// The instance of that id, to change.
    pub(crate) fn instance_mut(&mut self, id: &str) -> Option<&mut Instance> {
        self.instances.iter_mut().find(|instance| instance.record.id == id)
    }

    /// The newest instance of the container of that name.
    pub(crate) fn newest(&self, name: &str) -> Option<&Instance> {
        self.instances.iter().rev().find(|instance| instance.record.name == name)
    }

    /// What a relist sees now.
    pub(crate) fn snapshot(&self) -> RuntimeStatus {
        let spec = self.spec();
        let containers = self
            .instances
            .iter()
            .rev()
            .map(|instance| {
                let mut record = instance.record.clone();
                let named = spec
                    .init_containers
                    .iter()
                    .flatten()
                    .chain(&spec.containers)
                    .find(|container| container.name == record.name);
                record.spec_matches =
                    named.is_none_or(|container| container.image.as_deref().unwrap_or_default() == instance.created_from.1);
                record
            })
            .collect();
        RuntimeStatus { sandboxes: self.sandboxes.iter().rev().cloned().collect(), containers }
    }

    /// Whether a regular container of the present sandbox has a record, whatever its state
    /// (`container.HasAnyActiveRegularContainerStarted`).
    pub(crate) fn has_initialized(&self) -> bool {
        let Some(sandbox) = self.cache.ready_sandbox() else { return false };
        self.spec().containers.iter().any(|container| {
            self.cache
                .containers
                .iter()
                .any(|record| record.name == container.name && record.sandbox == sandbox.id && record.started_at.is_some())
        })
    }

    /// Whether any container runs.
    pub(crate) fn anything_runs(&self) -> bool {
        self.instances.iter().any(|instance| instance.record.state == State::Running)
    }

    /// Whether containers may still run, as far as the status manager may tell the API.
    pub(crate) fn could_have_running_containers(&self) -> bool {
        !self.terminated_done
    }

    /// The grace period in the spec.
    pub(crate) fn own_grace(&self) -> i64 {
        self.spec().termination_grace_period_seconds.unwrap_or(30)
    }

    /// Takes a new request to end with at most this grace (`calculateEffectiveGracePeriod`): grace only shrinks, and is at
    /// least one second.
    pub(crate) fn shrink_grace(&mut self, requested: Option<i64>) {
        if let Some(deleting) = self.pod.metadata.deletion_grace_period_seconds
            && (self.grace == 0 || deleting < self.grace)
        {
            self.grace = deleting;
        }
        if let Some(requested) = requested
            && (self.grace == 0 || requested < self.grace)
        {
            self.grace = requested;
        }
        if self.grace == 0 && self.pod.metadata.deletion_grace_period_seconds.is_none() && requested.is_none() {
            self.grace = self.own_grace();
        }
        self.grace = self.grace.max(1);
    }
}

impl ProbeResults for Worker {
    fn liveness(&self, container_id: &str) -> Option<ProbeResult> {
        self.results.get(&(ProbeKind::Liveness, container_id.to_owned())).copied()
    }

    fn startup(&self, container_id: &str) -> Option<ProbeResult> {
        self.results.get(&(ProbeKind::Startup, container_id.to_owned())).copied()
    }
}
