//! One pod on one node: the pod worker's state (`pkg/kubelet/pod_workers.go`), what the runtime holds for the pod, and the
//! status that the status manager keeps.

use crate::core;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::actions::{KillReason, ProbeResult, ProbeResults};
use super::environment::network_files;
use super::event::{ProbeKind, Reply};
use super::eviction::{EVICTED, Usage, is_limited};
use super::logs::ContainerLog;
use super::payload::Payload;
use super::persistent::Mounted;
use super::probes::ProbeWorker;
use super::processes::shared_memory;
use super::resize::{Resize, Resources, desired};
use super::runtime_status::{ContainerRecord, RuntimeStatus, SandboxStatus};
use super::status::Told;
use super::statuses::ReasonCache;
use super::volumes::Retry;
use crate::objects::{Key, Kind};
use crate::resources::{Amounts, pod_requests};
use crate::runtime::files::Tree;
use crate::runtime::namespaces::Ipc;
use crate::runtime::process::{ExecEnd, ExecId, Exit, Processes, ServeId, Spec};
use crate::store::Stored;
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
    /// Give running containers their new resources.
    Resize,
    /// Decide what to do and put the steps for it at the front.
    ComputeActions,
    /// Kill these containers and wait until they are dead.
    Kill {
        targets: Vec<Target>,
        grace_override: Option<i64>,
        whole_pod: bool,
    },
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
    /// The image is pulled; held back until the pull ends.
    Pulled { group: Group, index: usize },
    /// The image is there: configuration, creation.
    CreateContainer { group: Group, index: usize },
    /// The runtime starts the process.
    StartProcess { group: Group, index: usize },
    /// The postStart hook has ended.
    AfterPostStart {
        group: Group,
        index: usize,
        id: String,
        failure: Option<String>,
    },
    /// Report a start that failed.
    FailStart {
        group: Group,
        index: usize,
        reason: &'static str,
        message: String,
    },
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
    /// What the relist before this sync saw; the sync acts on it whatever happens meanwhile.
    pub seen: Arc<RuntimeStatus>,
    /// When the restart that was refused just now will be allowed.
    pub backoff_expiry: Option<SimTime>,
    /// Whether containers were removed so that all restart: the pod is synced again at once.
    pub reset: bool,
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
    /// How the runtime is to start it; taken when it does.
    pub spec: Option<Spec>,
    pub stop_signal: String,
    pub wake: u64,
    pub woken_at: Option<SimTime>,
    pub kill: Option<Kill>,
    /// How and when the main process ended, until the runtime reports it.
    pub exit: Option<(Exit, SimTime)>,
    pub execs: BTreeMap<ExecId, ExecPurpose>,
    pub root: Tree,
    /// Bytes of the disk that the image's own files take.
    pub image_size: u64,
    /// The files of its log.
    pub log: ContainerLog,
    /// Bytes of memory-backed volumes that it has written, and whether processes were killed for them just now.
    pub shared: u64,
    pub killed: bool,
    /// The last lines of its log, where they may become its termination message.
    pub tail: Option<Vec<String>>,
    pub message_path: String,
    /// The image as the spec named it.
    pub created_from: String,
}

/// Why a command runs in a container.
#[derive(Clone, Debug, PartialEq)]
pub enum ExecPurpose {
    /// A probe.
    Probe(ProbeKind),
    /// The postStart hook.
    PostStart,
    /// The preStop hook.
    PreStop,
    /// `kubectl exec`.
    User,
}

/// A container's way to its end.
#[derive(Clone, Debug)]
pub(crate) struct Kill {
    pub stage: KillStage,
    /// Seconds of grace that were left when the stage began.
    pub grace: i64,
    /// When the stage began.
    pub since: SimTime,
    /// Whether the pod as a whole ends, so that sidecars wait for their turn.
    pub whole_pod: bool,
    pub token: u64,
    /// Whether the command of a preStop hook runs.
    pub hook: bool,
}

/// How far a kill has come.
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
    reference: Arc<ObjectRef>,
    pub pod: PodVersion,
    /// The version that the sync which is under way, or planned, was given.
    pub given: PodVersion,
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
    pub disruption: Option<core::PodCondition>,
    pub sandboxes: Vec<SandboxStatus>,
    pub instances: Vec<Instance>,
    pub volumes: BTreeMap<String, Tree>,
    /// The sandbox's IPC namespace: System V objects, and what is in `/dev/shm`.
    pub ipc: Ipc,
    pub shm: Tree,
    /// The first free number of the sandbox's PID namespace, where containers share one.
    pub next_pid: u32,
    /// What the kubelet wrote into them.
    pub payloads: BTreeMap<String, Arc<Payload>>,
    /// The state of the cluster's configuration that this comes from.
    pub configured: u64,
    /// Volumes that a claim stands for.
    pub mounted: BTreeMap<String, Mounted>,
    pub cache: Arc<RuntimeStatus>,
    pub reasons: ReasonCache,
    /// Counts the changes of that.
    pub reasons_given: u64,
    /// The status that the status manager keeps; the API's version shares it.
    pub status: Option<core::Shared<core::PodStatus>>,
    /// What was so when a sync found last that there is nothing new to say.
    pub told: Option<Told>,
    /// The files with which containers start, by the container's name.
    pub roots: BTreeMap<String, Root>,
    pub status_planned: bool,
    pub status_cause: Vec<RecordId>,
    /// The decision behind the phase that is kept.
    pub phase_cause: Option<RecordId>,
    pub start_time: Option<SimTime>,
    pub restarts_logged: BTreeMap<String, i32>,
    pub probes: Vec<ProbeWorker>,
    pub probes_added: bool,
    pub probe_runs: u64,
    /// Which instance has which port of the pod.
    pub ports: BTreeMap<u16, String>,
    /// Requests that processes of this pod are answering.
    pub serving: BTreeMap<(String, ServeId), Reply>,
    pub user_execs: BTreeMap<(String, ExecId), ExecEnd>,
    pub retries: BTreeMap<String, Retry>,
    /// Runtime records that the next relist will report.
    pub runtime_causes: Vec<RecordId>,
    pub admitted: bool,
    pub terminated_done: bool,
    /// Whether the kubelet found the pod running when it started.
    pub restored: bool,
    /// Whether the pod comes from a file on the node.
    pub static_pod: bool,
    /// Whether a static pod has had its turn to start.
    pub started: bool,
    /// When a static pod's file went.
    pub removed_at: Option<SimTime>,
    /// The manifest that came back while the pod of the same uid was ending.
    pub restart: Option<PodVersion>,
    /// Whether the status could not be written because there was no mirror to write it to.
    pub status_waits: bool,
    /// Whether the status is written at the next round.
    pub status_round: bool,
    /// Whether the last sync left nothing to be done: the next one only looks.
    pub at_rest: bool,
    pub last_phase: &'static str,
    pub qos: &'static str,
    pub requests: Amounts,
    /// Resources that the node has allocated to each container, and those that it has.
    pub allocated: Resources,
    pub actual: Resources,
    pub resize: Option<Resize>,
    pub node_ip: String,
    /// What the pod uses of its node, as counted last, and whether it may use something else by now.
    pub usage: Usage,
    pub touched: bool,
    /// Whether anything limits what it may write, when its volumes are measured next, and when the kubelet notices that it has
    /// written too much.
    pub limited: bool,
    /// Volumes in memory, and the bytes that they may hold.
    pub in_memory: Vec<(String, u64)>,
    pub measured: Option<SimTime>,
    pub over_limit: Option<SimTime>,
}

/// The first number of a shared PID namespace that a container may have: 1 is the pause process, and the runtime's own helpers
/// had those between.
pub(super) const FIRST_PID: u32 = 7;

/// A version of a pod as the store holds it, shared with it.
#[derive(Clone, Debug)]
pub(crate) struct PodVersion(Arc<Stored>);

impl PodVersion {
    /// The version, if it is of a pod.
    pub(crate) fn new(stored: &Arc<Stored>) -> Option<Self> {
        stored.object.as_pod().is_some().then(|| Self(Arc::clone(stored)))
    }

    /// Whether both are the very same version.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The version, which is of a pod.
    pub(super) fn of(stored: Arc<Stored>) -> Self {
        Self(stored)
    }
}

impl std::ops::Deref for PodVersion {
    type Target = core::Pod;

    fn deref(&self) -> &core::Pod {
        static EMPTY: std::sync::LazyLock<core::Pod> = std::sync::LazyLock::new(core::Pod::default);
        self.0.object.as_pod().unwrap_or(&EMPTY)
    }
}

/// A container of a version of a pod, without a copy of it.
pub(crate) struct ContainerOf {
    pod: PodVersion,
    group: Group,
    index: usize,
    /// An ephemeral container in the form of the others.
    ephemeral: Option<Box<core::Container>>,
}

impl ContainerOf {
    fn find<'a>(
        pod: &'a core::Pod,
        group: Group,
        index: usize,
        ephemeral: Option<&'a core::Container>,
    ) -> Option<&'a core::Container> {
        let spec = pod.spec.as_deref()?;
        match group {
            Group::Init => spec.init_containers.as_ref()?.get(index),
            Group::Regular => spec.containers.get(index),
            Group::Ephemeral => ephemeral,
        }
    }
}

impl std::ops::Deref for ContainerOf {
    type Target = core::Container;

    fn deref(&self) -> &core::Container {
        static EMPTY: std::sync::LazyLock<core::Container> = std::sync::LazyLock::new(core::Container::default);
        Self::find(&self.pod, self.group, self.index, self.ephemeral.as_deref()).unwrap_or(&EMPTY)
    }
}

/// The files with which a container of that name starts, and what they were made of.
#[derive(Clone, Debug)]
pub(crate) struct Root {
    image: Tree,
    address: String,
    spec: Option<core::Shared<core::PodSpec>>,
    root: Tree,
    image_size: u64,
}

/// Where a container leaves its last words.
pub(super) fn message_path(container: &core::Container) -> &str {
    let path = container.termination_message_path.as_deref();
    path.filter(|path| !path.is_empty()).unwrap_or("/dev/termination-log")
}

/// Whether both are the very same part.
pub(super) fn same_part<T>(one: &Option<core::Shared<T>>, other: &Option<core::Shared<T>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one.is(other),
        (one, other) => one.is_none() && other.is_none(),
    }
}

impl Worker {
    pub(crate) fn new(key: Key, pod: PodVersion, node_ip: &str) -> Self {
        let uid: Arc<str> = pod.metadata.uid.as_deref().unwrap_or_default().into();
        let qos = super::status::qos_of(&pod);
        let allocated = pod.spec.as_deref().map(desired).unwrap_or_default();
        let requests = pod.spec.as_deref().map(pod_requests).unwrap_or_default();
        let limited = pod.spec.as_deref().is_some_and(is_limited);
        let is_static = super::static_pods::is_static(&pod);
        let reference = Arc::new(ObjectRef {
            kind: Kind::Pod.to_string(),
            namespace: key.namespace.to_string(),
            name: key.name.to_string(),
            uid: String::from(&*uid),
        });
        Self {
            key,
            uid,
            reference,
            given: pod.clone(),
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
            disruption: None,
            sandboxes: Vec::new(),
            instances: Vec::new(),
            volumes: BTreeMap::new(),
            ipc: Ipc::default(),
            shm: shared_memory(),
            next_pid: FIRST_PID,
            payloads: BTreeMap::new(),
            configured: 0,
            mounted: BTreeMap::new(),
            cache: Arc::default(),
            reasons: ReasonCache::new(),
            reasons_given: 0,
            status: None,
            told: None,
            roots: BTreeMap::new(),
            status_planned: false,
            status_cause: Vec::new(),
            phase_cause: None,
            start_time: None,
            restarts_logged: BTreeMap::new(),
            probes: Vec::new(),
            probes_added: false,
            probe_runs: 0,
            ports: BTreeMap::new(),
            serving: BTreeMap::new(),
            user_execs: BTreeMap::new(),
            retries: BTreeMap::new(),
            runtime_causes: Vec::new(),
            admitted: false,
            terminated_done: false,
            restored: false,
            static_pod: is_static,
            started: false,
            removed_at: None,
            restart: None,
            status_waits: false,
            status_round: false,
            at_rest: false,
            last_phase: "",
            qos,
            requests,
            actual: allocated.clone(),
            allocated,
            resize: None,
            node_ip: node_ip.to_owned(),
            usage: Usage::default(),
            touched: false,
            limited,
            in_memory: Vec::new(),
            measured: None,
            over_limit: None,
        }
    }

    /// The pod's reference in a trace.
    pub(crate) fn reference(&self) -> Arc<ObjectRef> {
        Arc::clone(&self.reference)
    }

    /// `name_namespace(uid)`, as the kubelet's texts name a pod.
    pub(crate) fn format(&self) -> String {
        format!("{}_{}({})", self.key.name, self.key.namespace, self.uid)
    }

    /// The spec.
    pub(crate) fn spec(&self) -> &core::PodSpec {
        static EMPTY: std::sync::LazyLock<core::PodSpec> = std::sync::LazyLock::new(core::PodSpec::default);
        self.pod.spec.as_deref().unwrap_or(&EMPTY)
    }

    /// The container at `index` of `group`.
    pub(crate) fn container(&self, group: Group, index: usize) -> Option<ContainerOf> {
        let ephemeral = match group {
            Group::Init | Group::Regular => None,
            Group::Ephemeral => {
                let ephemeral = self.spec().ephemeral_containers.as_ref()?.get(index)?;
                let value = serde_json::to_value(ephemeral).ok()?;
                Some(Box::new(serde_json::from_value(value).ok()?))
            }
        };
        let pod = self.pod.clone();
        ContainerOf::find(&pod, group, index, ephemeral.as_deref())?;
        Some(ContainerOf {
            pod,
            group,
            index,
            ephemeral,
        })
    }

    /// Remembers why a container could not be started last.
    pub(super) fn give_reason(&mut self, name: &str, reason: &str, message: String) {
        let known = self.reasons.get(name);
        if known.is_none_or(|(known, text)| known != reason || *text != message) {
            self.reasons.insert(name.to_owned(), (reason.to_owned(), message));
            self.reasons_given += 1;
        }
    }

    /// A container has started.
    pub(super) fn forget_reason(&mut self, name: &str) {
        if self.reasons.remove(name).is_some() {
            self.reasons_given += 1;
        }
    }

    /// The files with which a container starts, and the bytes that kubelet and runtime have put there: nobody's usage. They are
    /// made once and shared by its runs until one of them writes.
    pub(super) fn root_of(
        &mut self,
        container: &core::Container,
        image: Tree,
        address: &str,
        node: &str,
    ) -> (Tree, u64) {
        let known = self.roots.get(&container.name).filter(|known| {
            known.image.is(&image) && known.address == address && same_part(&known.spec, &self.pod.spec)
        });
        if let Some(known) = known {
            return (known.root.clone(), known.image_size);
        }
        let mut root = image.clone();
        for (path, text) in network_files(&self.pod, address, node) {
            root.write(path, text.as_bytes(), 0o644);
        }
        let image_size = root.blocks();
        root.write(message_path(container), b"", 0o666);
        let made = Root {
            image,
            address: address.to_owned(),
            spec: self.pod.spec.clone(),
            root: root.clone(),
            image_size,
        };
        self.roots.insert(container.name.clone(), made);
        (root, image_size)
    }

    /// The group that the files of the pod's volumes belong to.
    pub(crate) fn fs_group(&self) -> Option<u32> {
        let group = self.spec().security_context.as_ref()?.fs_group?;
        u32::try_from(group).ok()
    }

    /// Whether the containers of the pod see each other's processes.
    pub(super) fn shares_processes(&self) -> bool {
        self.spec().share_process_namespace == Some(true)
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
        self.instances
            .iter()
            .rev()
            .find(|instance| instance.record.name == name)
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
                record.spec_matches = named
                    .is_none_or(|container| container.image.as_deref().unwrap_or_default() == instance.created_from);
                record
            })
            .collect();
        RuntimeStatus {
            sandboxes: self.sandboxes.iter().rev().cloned().collect(),
            containers,
        }
    }

    /// Whether a regular container of the present sandbox has a record, whatever its state
    /// (`container.HasAnyActiveRegularContainerStarted`).
    pub(crate) fn has_initialized(&self) -> bool {
        let Some(sandbox) = self.cache.ready_sandbox() else {
            return false;
        };
        self.spec().containers.iter().any(|container| {
            self.cache
                .containers
                .iter()
                .any(|record| record.name == container.name && record.sandbox == sandbox.id)
        })
    }

    /// What the present sync acts on.
    pub(crate) fn seen(&self) -> Arc<RuntimeStatus> {
        self.sync
            .as_ref()
            .map_or_else(|| Arc::clone(&self.cache), |sync| Arc::clone(&sync.seen))
    }

    /// The address that processes of the pod have now.
    pub(crate) fn current_address(&self, node_ip: &str) -> String {
        if self.spec().host_network == Some(true) {
            return node_ip.to_owned();
        }
        self.sandboxes
            .last()
            .and_then(|sandbox| sandbox.ip.clone())
            .unwrap_or_default()
    }

    /// `spec.containers{app}`, as events name a container.
    pub(crate) fn field_path(&self, group: Group, name: &str) -> String {
        let list = match group {
            Group::Init => "initContainers",
            Group::Regular => "containers",
            Group::Ephemeral => "ephemeralContainers",
        };
        format!("spec.{list}{{{name}}}")
    }

    /// A container id without the runtime's name before it.
    pub(crate) fn bare_id(&self, id: Option<&str>) -> String {
        id.and_then(|id| id.strip_prefix("containerd://"))
            .unwrap_or_default()
            .to_owned()
    }

    /// Whether containers may still run, as far as the status manager may tell the API.
    pub(crate) fn could_have_running_containers(&self) -> bool {
        !self.terminated_done
    }

    /// Whether the node has ended the pod so that others may have what it used.
    pub(crate) fn is_evicted(&self) -> bool {
        let reason = self.verdict.as_ref().map(|(reason, _)| reason.as_str());
        reason == Some(EVICTED)
    }

    /// The grace period in the spec.
    pub(crate) fn own_grace(&self) -> i64 {
        self.spec().termination_grace_period_seconds.unwrap_or(30)
    }

    /// Takes a new request to end with at most this grace.
    pub(crate) fn shrink_grace(&mut self, requested: Option<i64>) {
        let deleting = self.pod.metadata.deletion_grace_period_seconds;
        let own = self.spec().termination_grace_period_seconds;
        self.grace = effective_grace(self.grace, deleting, own, requested).0;
    }
}

/// The grace with which a pod ends, and whether it became shorter (`pod_workers.go calculateEffectiveGracePeriod`): what is
/// in force, then the deletion's, then an override, each only if it is shorter; else the spec's; at least one second.
pub fn effective_grace(current: i64, deleting: Option<i64>, own: Option<i64>, requested: Option<i64>) -> (i64, bool) {
    let mut grace = current;
    let mut replaced = false;
    for wanted in [deleting, requested].into_iter().flatten() {
        if grace == 0 || wanted < grace {
            grace = wanted;
            replaced = true;
        }
    }
    if !replaced
        && grace == 0
        && let Some(own) = own
    {
        grace = own;
    }
    let grace = grace.max(1);
    (grace, current != 0 && grace != current)
}

impl ProbeResults for Worker {
    fn liveness(&self, container_id: &str) -> Option<ProbeResult> {
        self.result(ProbeKind::Liveness, container_id)
    }

    fn startup(&self, container_id: &str) -> Option<ProbeResult> {
        self.result(ProbeKind::Startup, container_id)
    }
}
