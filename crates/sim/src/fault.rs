//! What can go wrong: the faults that an experiment injects, and their end.

use std::fmt;

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
    /// Something on the node that is no pod takes what pods need, or gives it back.
    Starve {
        /// Node name.
        node: String,
        /// What it takes.
        resource: Starved,
        /// `true`: so much that the kubelet must act; `false`: nothing any more; or an amount, such as `6Gi`.
        amount: String,
    },
    /// Everything done to the node is undone: power, network, kubelet, what something took.
    RestoreNode {
        /// Node name.
        node: String,
    },
    /// The node is shut down in an orderly way (`systemctl poweroff`), or that is called off.
    ShutdownNode {
        /// Node name.
        node: String,
        /// Shut down, or called off.
        on: bool,
    },
    /// A file is written into the node's directory of static pods.
    WriteStaticPod {
        /// Node name.
        node: String,
        /// File name, without a directory.
        file: String,
        /// Its text.
        manifest: String,
    },
    /// A file is removed from the node's directory of static pods.
    RemoveStaticPod {
        /// Node name.
        node: String,
        /// File name, without a directory.
        file: String,
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
    /// The registry has this image no longer; nodes keep what they have pulled.
    ImageGone {
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
    /// The container runtime's daemon of a node stops or starts; its containers run on.
    StopRuntime {
        /// Node name.
        node: String,
        /// Stopped, or started.
        on: bool,
    },
    /// A component of the control plane stops working, or goes on.
    StopComponent {
        /// `kube-scheduler`, `kube-controller-manager` or `kube-apiserver` (it freezes: nobody can read or write).
        component: String,
        /// Stopped, or going on.
        on: bool,
    },
}

/// What a node can run short of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Starved {
    /// Memory, in bytes.
    Memory,
    /// The disk that pods, logs and images share, in bytes.
    Disk,
    /// Process numbers.
    Pids,
}

impl fmt::Display for Starved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory => "memory",
            Self::Disk => "disk",
            Self::Pids => "process numbers",
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PowerOff { node } => write!(f, "{node} loses power"),
            Self::Crash { node } => write!(f, "{node} crashes and comes back"),
            Self::FreezeKubelet { node, on: true } => write!(f, "the kubelet of {node} freezes"),
            Self::FreezeKubelet { node, on: false } => write!(f, "the kubelet of {node} goes on"),
            Self::StopKubelet { node, on: true } => write!(f, "the kubelet of {node} stops"),
            Self::StopKubelet { node, on: false } => write!(f, "the kubelet of {node} starts"),
            Self::Partition { node, on: true } => write!(f, "{node} is cut off from the API server"),
            Self::Partition { node, on: false } => write!(f, "{node} reaches the API server again"),
            Self::Starve { node, resource, amount } => match amount.as_str() {
                "true" => write!(f, "something that is no pod takes {resource} of {node}"),
                "false" => write!(f, "nothing but pods takes {resource} of {node} any more"),
                amount => write!(f, "something that is no pod takes {amount} of the {resource} of {node}"),
            },
            Self::RestoreNode { node } => write!(f, "{node} is restored"),
            Self::ShutdownNode { node, on: true } => write!(f, "{node} is being shut down"),
            Self::ShutdownNode { node, on: false } => write!(f, "the shutdown of {node} is called off"),
            Self::WriteStaticPod { node, file, .. } => write!(f, "{node}: {file} is written among the static pods"),
            Self::RemoveStaticPod { node, file } => write!(f, "{node}: {file} is removed from the static pods"),
            Self::KillContainer {
                pod, container, signal, ..
            } => {
                write!(f, "{signal} to the main process of container {container} of pod {pod}")
            }
            Self::KillSandbox { pod, .. } => write!(f, "the pause process of pod {pod} is killed"),
            Self::ImageGone { image } => write!(f, "the registry has image {image} no longer"),
            Self::ImageAvailable { image } => write!(f, "the registry has image {image} now"),
            Self::RegistryDown {
                registry,
                duration: Some(span),
            } => {
                write!(f, "registry {registry} does not answer for {span}")
            }
            Self::RegistryDown {
                registry,
                duration: None,
            } => write!(f, "registry {registry} does not answer"),
            Self::StopRuntime { node, on: true } => write!(f, "the container runtime of {node} stops"),
            Self::StopRuntime { node, on: false } => write!(f, "the container runtime of {node} starts"),
            Self::StopComponent { component, on: true } => write!(f, "{component} stops"),
            Self::StopComponent { component, on: false } => write!(f, "{component} goes on"),
        }
    }
}
