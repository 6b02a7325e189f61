//! What can go wrong: the faults that an experiment injects, and their end.

use crate::time::SimDuration;

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The node loses power: kubelet and containers are gone until [`Fault::RestoreNode`].
    PowerOff {
        /// Node name.
        node: String,
    },
    /// Kubelet and all containers are killed, and the kubelet starts again.
    Crash {
        /// Node name.
        node: String,
    },
    /// The kubelet freezes (SIGSTOP) or goes on; its containers run on.
    FreezeKubelet {
        /// Node name.
        node: String,
        /// Frozen, or going on.
        on: bool,
    },
    /// The kubelet process ends or starts; its containers run on.
    StopKubelet {
        /// Node name.
        node: String,
        /// Stopped, or started.
        on: bool,
    },
    /// The node cannot reach the API server.
    Partition {
        /// Node name.
        node: String,
        /// Cut off, or joined again.
        on: bool,
    },
    /// Everything done to the node is undone: power, network, kubelet.
    RestoreNode {
        /// Node name.
        node: String,
    },
    /// A container's main process gets a signal from outside.
    KillContainer {
        /// Namespace.
        namespace: String,
        /// Pod name.
        pod: String,
        /// Container name.
        container: String,
        /// `SIGKILL`, `SIGTERM`, …
        signal: String,
    },
    /// The pause process of a pod is killed.
    KillSandbox {
        /// Namespace.
        namespace: String,
        /// Pod name.
        pod: String,
    },
    /// The registry has this image from now on.
    ImageAvailable {
        /// Image reference.
        image: String,
    },
    /// A registry does not answer.
    RegistryDown {
        /// Host, such as `docker.io`.
        registry: String,
        /// For how long; for ever if absent.
        duration: Option<SimDuration>,
    },
}
