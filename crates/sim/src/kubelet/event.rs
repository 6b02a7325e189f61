//! The timers of a kubelet, and what it hears from the runtime.

use std::sync::Arc;

use super::worker::ExecPurpose;
use crate::runtime::host::{NetError, Request, RequestId, Response};
use crate::runtime::process::ExecId;

/// The three kinds of probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProbeKind {
    /// startupProbe
    Startup,
    /// readinessProbe
    Readiness,
    /// livenessProbe
    Liveness,
}

/// The kubelet's own timers and what it hears from the runtime, about one pod.
#[derive(Clone, Debug)]
pub enum PodEvent {
    /// The worker may begin its sync.
    Start {
        /// Guards against a timer that was replaced.
        token: u64,
    },
    /// The work queue gives the pod back.
    Requeue {
        /// Guards against a timer that was replaced.
        token: u64,
    },
    /// The relist that a sync asked for.
    Relist,
    /// A suspended sync goes on.
    Resume {
        /// Guards against a timer that was replaced.
        token: u64,
    },
    /// The status manager writes.
    WriteStatus,
    /// A container's processes have something to do.
    Wake {
        /// Container id.
        container: String,
        /// Guards against a timer that was replaced.
        token: u64,
    },
    /// The runtime reports the end of a container.
    Exited {
        /// Container id.
        container: String,
    },
    /// A kill's grace is over, or its preStop hook has taken too long.
    KillDeadline {
        /// Container id.
        container: String,
        /// Guards against a timer that was replaced.
        token: u64,
    },
    /// A preStop `sleep` has passed.
    PreStopSlept {
        /// Container id.
        container: String,
        /// Guards against a timer that was replaced.
        token: u64,
    },
    /// A postStart `sleep` has passed.
    PostStartSlept {
        /// Container id.
        container: String,
    },
    /// A probe is due.
    Probe {
        /// Container name.
        container: String,
        /// Which probe.
        kind: ProbeKind,
        /// Guards against a timer that was replaced.
        token: u64,
    },
    /// A probe's time is over.
    ProbeTimeout {
        /// Container name.
        container: String,
        /// Which probe.
        kind: ProbeKind,
        /// Which run of it.
        run: u64,
        /// The command that it runs, and in which instance.
        exec: Option<(String, ExecId)>,
    },
    /// A probe's command begins in a container.
    ProbeExec {
        /// Container id.
        container: String,
        /// Which probe.
        kind: ProbeKind,
    },
    /// A hook's command begins in a container.
    HookExec {
        /// Container id.
        container: String,
        /// Which hook.
        purpose: ExecPurpose,
        /// The command.
        command: Vec<String>,
    },
    /// A request arrives at a port of the pod.
    Request {
        /// The port.
        port: u16,
        /// What is asked.
        request: Request,
        /// Where the answer goes.
        reply: Reply,
    },
    /// The first packet of a connection that nobody answered is sent again.
    Connect(Box<Connection>),
    /// The answer to a request of one of the pod's processes arrives.
    Response {
        /// Container id.
        container: String,
        /// Which request.
        id: RequestId,
        /// The answer.
        answer: Result<Response, NetError>,
    },
    /// The dead containers of a pod that was evicted are removed.
    RemoveDead,
    /// `activeDeadlineSeconds` may be over.
    ActiveDeadline,
}

/// The same about the node.
#[derive(Clone, Debug)]
pub enum NodeEvent {
    /// The PLEG lists the runtime's containers.
    Relist,
    /// The node lease and status are due.
    Heartbeat,
    /// An image pull ended.
    Pulled {
        /// Its number.
        id: u64,
    },
    /// The eviction manager looks.
    Eviction,
    /// Logs that are too large begin a new file.
    RotateLogs,
    /// A file of the static pods' directory has changed.
    StaticFile {
        /// Its name.
        file: String,
    },
    /// The static pods' directory is read.
    StaticScan,
    /// Mirrors of nothing are removed.
    Housekeeping,
    /// A group of pods has had its time to end before the machine goes down, or has ended.
    ShutdownGroup {
        /// Which group.
        turn: u64,
    },
    /// The machine goes down.
    PowerOff,
}

/// A connection that a process or hook of the pod tries to make.
#[derive(Clone, Debug)]
pub struct Connection {
    /// To where.
    pub address: String,
    /// To which port.
    pub port: u16,
    /// What is sent.
    pub request: Request,
    /// Where the answer goes.
    pub reply: Reply,
    /// How often it was tried.
    pub attempt: usize,
}

/// Who waits for the answer to a request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// A probe of the pod itself.
    Probe {
        /// Which probe.
        kind: ProbeKind,
        /// Container name.
        container: String,
    },
    /// A hook of the pod itself.
    Hook {
        /// Which hook.
        purpose: ExecPurpose,
        /// Container id.
        container: String,
    },
    /// A process in some container.
    Container {
        /// Index of its node.
        node: usize,
        /// UID of its pod.
        uid: Arc<str>,
        /// Container id.
        container: String,
        /// The request, as its container numbers it.
        id: RequestId,
    },
}
