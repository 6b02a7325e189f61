//! What happened: records with causes, object versions, log lines. A trace is complete by itself: timelines, `why`,
//! `kubectl get` at an instant and reports are all made from it, also years later by another version of Peapod.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::time::SimTime;

/// Index of a record in its trace.
pub type RecordId = u32;

/// Who did something: `user`, `kube-apiserver`, `kube-scheduler`, `kubelet/node-1`, `deployment-controller`,
/// `container/default/demo/app`, `fault`.
pub type Actor = Arc<str>;

/// Names one object of the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectRef {
    /// Kind, such as `Pod`.
    pub kind: String,
    /// Namespace, empty when cluster-scoped.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// UID.
    pub uid: String,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// When.
    pub at: SimTime,
    /// Who.
    pub actor: Actor,
    /// The object it is about.
    pub object: Option<Arc<ObjectRef>>,
    /// The container of that Pod it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// What.
    pub what: What,
    /// The records that caused it, oldest first; always earlier than this one.
    pub causes: Vec<RecordId>,
}

/// What a record says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum What {
    /// A person's step: the manifest applied, the `kubectl` line.
    Command {
        /// As it was written.
        text: String,
    },
    /// A fault that an experiment injected.
    Fault {
        /// In words, such as `node-1 powered off`.
        text: String,
    },
    /// An object version was written; the version is in [`Trace::versions`] with this record's id.
    Write {
        /// Added, modified or deleted.
        change: Change,
        /// The new resourceVersion.
        resource_version: u64,
        /// The fields that changed, such as `status.phase: Pending → Running`. At most a dozen.
        summary: Vec<FieldChange>,
    },
    /// A Kubernetes Event object was recorded.
    Event {
        /// `Normal` or `Warning`.
        kind: String,
        /// Reason, such as `BackOff`.
        reason: String,
        /// Message.
        message: String,
    },
    /// A decision by a rule of Kubernetes.
    Decision {
        /// The upstream function whose rule it is, such as `pkg/kubelet/kubelet_pods.go getPhase`.
        rule: String,
        /// A stable code that explanations are written for, such as `phase.failed-for-good` or `restart.backoff`.
        code: String,
        /// Values that the explanation needs, by name.
        values: Vec<(String, String)>,
    },
    /// Something happened in the runtime.
    Runtime {
        /// What it was.
        event: RuntimeEvent,
    },
    /// A probe ran.
    Probe {
        /// `startup`, `readiness`, `liveness`.
        probe: String,
        /// `success`, `failure`, `unknown`.
        result: String,
        /// Its output or error.
        message: String,
    },
    /// Something that is accepted but not simulated, or an assumption made.
    Notice {
        /// In words.
        text: String,
    },
}

/// What the container runtime did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "camelCase")]
pub enum RuntimeEvent {
    /// A pull began.
    ImagePullStarted {
        /// Image reference.
        image: String,
    },
    /// A pull ended.
    ImagePullEnded {
        /// Image reference.
        image: String,
        /// Error text, if it failed.
        error: Option<String>,
    },
    /// An image that nobody used was removed from the node.
    ImageRemoved {
        /// Image reference.
        image: String,
    },
    /// The sandbox is up.
    SandboxReady {
        /// Pod IP.
        ip: String,
    },
    /// The sandbox is gone.
    SandboxStopped,
    /// The container's main process runs.
    Started,
    /// The runtime could not start it.
    StartFailed {
        /// Error text.
        error: String,
    },
    /// The container's main process ended.
    Exited {
        /// Exit code, 128 + n for signal n.
        exit_code: i32,
        /// `Completed`, `Error`, `OOMKilled` …
        reason: String,
    },
    /// A signal was sent to the container.
    Signalled {
        /// `SIGTERM`, `SIGKILL` …
        signal: String,
    },
    /// A hook began or ended.
    Hook {
        /// `postStart`, `preStop`.
        hook: String,
        /// `started`, `succeeded`, or the error.
        outcome: String,
    },
}

/// How an object version came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// Created.
    Added,
    /// Changed.
    Modified,
    /// Removed.
    Deleted,
}

/// One field that a write changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldChange {
    /// Path, such as `status.phase` or `status.containerStatuses[app].state`.
    pub path: String,
    /// Before, `null` if it was absent.
    pub from: Value,
    /// After, `null` if it is now absent.
    pub to: Value,
}

/// One version of one object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Version {
    /// When it was written.
    pub at: SimTime,
    /// The [`What::Write`] record.
    pub record: RecordId,
    /// How.
    pub change: Change,
    /// Which object.
    pub object: Arc<ObjectRef>,
    /// The whole object as the API server would show it (for a deletion: its last state).
    pub value: Arc<Value>,
}

/// One line that a container wrote.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogLine {
    /// When.
    pub at: SimTime,
    /// UID of the pod.
    pub pod_uid: String,
    /// Container name.
    pub container: String,
    /// Restart count of the instance that wrote it.
    pub instance: u32,
    /// `true` for stderr.
    pub stderr: bool,
    /// The text without its line end.
    pub text: String,
}

/// A complete trace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// Wall-clock instant of `SimTime` 0, RFC 3339.
    pub start: String,
    /// When the observation ended.
    pub end: SimTime,
    /// All records in order of time.
    pub records: Vec<Record>,
    /// All object versions in order of time.
    pub versions: Vec<Version>,
    /// All log lines in order of time.
    pub logs: Vec<LogLine>,
}
