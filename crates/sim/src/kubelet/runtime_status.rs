//! What the kubelet knows of the runtime at its last relist (`pkg/kubelet/container PodStatus`).

use crate::time::SimTime;

/// The runtime's view of one pod, newest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RuntimeStatus {
    /// Sandboxes, newest first.
    pub sandboxes: Vec<SandboxStatus>,
    /// Containers, newest first.
    pub containers: Vec<ContainerRecord>,
}

/// One sandbox.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SandboxStatus {
    /// Its id.
    pub id: String,
    /// Whether its pause process runs.
    pub ready: bool,
    /// How many sandboxes the pod had before.
    pub attempt: u32,
    /// Its address, once it has one.
    pub ip: Option<String>,
    /// Whether it uses the node's network.
    pub host_network: bool,
}

/// The state of a container in the runtime.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Created, not started.
    #[default]
    Created,
    /// Its main process runs.
    Running,
    /// Its main process ended.
    Exited,
    /// The runtime cannot tell.
    Unknown,
}

/// One instance of a container.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContainerRecord {
    /// Its id.
    pub id: String,
    /// Container name in the spec.
    pub name: String,
    /// Sandbox it belongs to.
    pub sandbox: String,
    /// State.
    pub state: State,
    /// Exit code, when it exited.
    pub exit_code: i32,
    /// `Completed`, `Error`, `OOMKilled`, `StartError` …
    pub reason: String,
    /// Termination message or start error.
    pub message: String,
    /// How often the container was restarted before this instance.
    pub restart_count: i32,
    /// When it was created.
    pub created_at: SimTime,
    /// When its process started; `None` if it never did.
    pub started_at: Option<SimTime>,
    /// When its process ended.
    pub finished_at: Option<SimTime>,
    /// Image as the spec named it when it was created.
    pub image: String,
    /// Digest reference of the image.
    pub image_id: String,
    /// Whether the spec still has the name and image that it was created with.
    pub spec_matches: bool,
}

impl RuntimeStatus {
    /// The newest instance of the container of that name.
    pub fn container(&self, name: &str) -> Option<&ContainerRecord> {
        self.containers.iter().find(|container| container.name == name)
    }

    /// The newest sandbox, if it is ready.
    pub fn ready_sandbox(&self) -> Option<&SandboxStatus> {
        self.sandboxes.first().filter(|sandbox| sandbox.ready)
    }
}
