//! What a sync of a pod has to do (`pkg/kubelet/kuberuntime/kuberuntime_manager.go computePodActions`). The decision is
//! plain data, made before anything is done, so that it can be tested and explained by itself.

use super::restart::{
    RuleAction, container_should_restart, effective_policy, matching_rule, should_container_be_restarted,
};
use super::runtime_status::{ContainerRecord, RuntimeStatus, State};
use crate::core;
use crate::resources::is_sidecar;

/// The result of a probe, as the results manager keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeResult {
    /// It succeeded often enough.
    Success,
    /// It failed often enough.
    Failure,
    /// It has not decided yet.
    Unknown,
}

/// Probe results by container id; `None` when there is no entry.
pub trait ProbeResults {
    /// The liveness result.
    fn liveness(&self, container_id: &str) -> Option<ProbeResult>;
    /// The startup result.
    fn startup(&self, container_id: &str) -> Option<ProbeResult>;
}

/// Why a container is killed by a sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KillReason {
    /// Its liveness probe failed.
    LivenessProbe,
    /// Its startup probe failed.
    StartupProbe,
    /// The runtime lost track of it.
    Unknown,
    /// Its definition changed, or nothing in particular.
    Other,
}

/// A container that is to be killed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerToKill {
    /// Container id.
    pub id: String,
    /// Name in the spec.
    pub name: String,
    /// Text of the Killing event.
    pub message: String,
    /// Why.
    pub reason: KillReason,
}

/// What a sync has to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodActions {
    /// Stop everything and the sandbox.
    pub kill_pod: bool,
    /// Make a new sandbox.
    pub create_sandbox: bool,
    /// The present sandbox's id.
    pub sandbox_id: String,
    /// Attempt number of the (new) sandbox.
    pub attempt: u32,
    /// Indexes of init containers to start.
    pub init_containers_to_start: Vec<usize>,
    /// Indexes of regular containers to start.
    pub containers_to_start: Vec<usize>,
    /// Indexes of ephemeral containers to start.
    pub ephemeral_containers_to_start: Vec<usize>,
    /// Containers to kill.
    pub containers_to_kill: Vec<ContainerToKill>,
    /// Ids of containers to remove because all restart, in order.
    pub containers_to_reset: Vec<String>,
}

impl PodActions {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        !self.kill_pod
            && !self.create_sandbox
            && self.init_containers_to_start.is_empty()
            && self.containers_to_start.is_empty()
            && self.ephemeral_containers_to_start.is_empty()
            && self.containers_to_kill.is_empty()
            && self.containers_to_reset.is_empty()
    }
}

/// Whether the sandbox has to be made anew, the attempt number, and the present one's id
/// (`pkg/kubelet/kuberuntime/util/util.go PodSandboxChanged`).
pub fn pod_sandbox_changed(spec: &core::PodSpec, status: &RuntimeStatus) -> (bool, u32, String) {
    let Some(sandbox) = status.sandboxes.first() else {
        return (true, 0, String::new());
    };
    let ready = status.sandboxes.iter().filter(|sandbox| sandbox.ready).count();
    if ready > 1 || !sandbox.ready {
        return (true, sandbox.attempt + 1, sandbox.id.clone());
    }
    let host_network = spec.host_network == Some(true);
    if sandbox.host_network != host_network {
        return (true, sandbox.attempt + 1, String::new());
    }
    if !host_network && sandbox.ip.is_none() {
        return (true, sandbox.attempt + 1, sandbox.id.clone());
    }
    (false, sandbox.attempt, sandbox.id.clone())
}

/// What has to be done so that the pod becomes what its spec says.
pub fn compute_pod_actions(
    pod: &core::Pod,
    status: &RuntimeStatus,
    probes: &dyn ProbeResults,
    restart_all_containers: bool,
) -> PodActions {
    let empty = core::PodSpec::default();
    let spec = pod.spec.as_deref().unwrap_or(&empty);
    let (changed, attempt, sandbox_id) = pod_sandbox_changed(spec, status);
    let mut actions = PodActions {
        kill_pod: changed,
        create_sandbox: changed,
        attempt,
        sandbox_id,
        ..Default::default()
    };
    let init = spec.init_containers.as_deref().unwrap_or_default();
    let pod_restarts = spec.restart_policy.as_deref() != Some("Never");

    if changed {
        if !pod_restarts && attempt != 0 && !status.containers.is_empty() {
            actions.create_sandbox = false;
            return actions;
        }
        let succeeded = |container: &core::Container| {
            status
                .container(&container.name)
                .is_some_and(|record| record.state == State::Exited && record.exit_code == 0)
        };
        let to_start: Vec<usize> = (0..spec.containers.len())
            .filter(|&index| {
                let container = &spec.containers[index];
                !(effective_policy(container, spec) == "OnFailure" && succeeded(container))
            })
            .collect();
        if to_start.is_empty()
            && spec
                .containers
                .iter()
                .any(|container| status.container(&container.name).is_some())
        {
            actions.create_sandbox = false;
            return actions;
        }
        if init.is_empty() {
            actions.containers_to_start = to_start;
        } else {
            actions.init_containers_to_start = vec![0];
        }
        return actions;
    }

    if restart_all_containers {
        actions.containers_to_reset = containers_to_reset(spec, status);
        return actions;
    }

    for (index, container) in spec.ephemeral_containers.iter().flatten().enumerate() {
        if status.container(&container.name).is_none() {
            actions.ephemeral_containers_to_start.push(index);
        }
    }

    let initialized = init_container_actions(spec, init, status, probes, &mut actions);
    if actions.kill_pod || !initialized {
        return actions;
    }

    let mut kept = 0;
    for (index, container) in spec.containers.iter().enumerate() {
        let record = status.container(&container.name);
        let Some(record) = record.filter(|record| record.state == State::Running) else {
            if should_container_be_restarted(container, pod, status) {
                actions.containers_to_start.push(index);
                if let Some(record) = record.filter(|record| record.state == State::Unknown) {
                    actions.containers_to_kill.push(ContainerToKill {
                        id: record.id.clone(),
                        name: container.name.clone(),
                        message: "Container is in \"unknown\" state, try killing it before restart".to_owned(),
                        reason: KillReason::Unknown,
                    });
                }
            }
            continue;
        };
        let mut restart = match container.restart_policy.as_deref() {
            Some(policy) => policy != "Never",
            None => pod_restarts,
        };
        let (message, reason) = if !record.spec_matches {
            restart = true;
            ("definition changed", KillReason::Other)
        } else if probes.liveness(&record.id) == Some(ProbeResult::Failure) {
            ("failed liveness probe", KillReason::LivenessProbe)
        } else if probes.startup(&record.id) == Some(ProbeResult::Failure) {
            ("failed startup probe", KillReason::StartupProbe)
        } else {
            kept += 1;
            continue;
        };
        let mut message = format!("Container {} {message}", container.name);
        if restart {
            message.push_str(", will be restarted");
            actions.containers_to_start.push(index);
        }
        let (id, name) = (record.id.clone(), container.name.clone());
        actions.containers_to_kill.push(ContainerToKill {
            id,
            name,
            message,
            reason,
        });
    }
    if kept == 0 && actions.containers_to_start.is_empty() {
        actions.kill_pod = true;
        // Sidecars are not restarted either, else they would keep the pod alive.
        actions.init_containers_to_start.clear();
    }
    actions
}

/// Whether the container ended in a way that makes all containers of the pod restart.
pub fn is_restart_all_source(container: &core::Container, record: Option<&ContainerRecord>) -> bool {
    record.is_some_and(|record| {
        record.state == State::Exited
            && matching_rule(container, record.exit_code) == Some(RuleAction::RestartAllContainers)
    })
}

/// Regular targets, init targets, regular sources, init sources: every record of theirs, so that nothing is left.
fn containers_to_reset(spec: &core::PodSpec, status: &RuntimeStatus) -> Vec<String> {
    let init = spec.init_containers.as_deref().unwrap_or_default();
    let pick = |containers: &[core::Container], sources: bool| -> Vec<String> {
        containers
            .iter()
            .flat_map(|container| {
                status
                    .containers
                    .iter()
                    .filter(|record| record.name == container.name)
                    .filter(move |record| is_restart_all_source(container, Some(record)) == sources)
            })
            .map(|record| record.id.clone())
            .collect()
    };
    [
        pick(&spec.containers, false),
        pick(init, false),
        pick(&spec.containers, true),
        pick(init, true),
    ]
    .concat()
}

/// `computeInitContainerActions`: fills in what init containers need; whether all of them are done.
fn init_container_actions(
    spec: &core::PodSpec,
    init: &[core::Container],
    status: &RuntimeStatus,
    probes: &dyn ProbeResults,
    actions: &mut PodActions,
) -> bool {
    if init.is_empty() {
        return true;
    }
    // A regular container that was created or runs proves that all init containers have run before, even if their records
    // are gone.
    let mut pod_has_initialized = spec.containers.iter().any(|container| {
        status
            .container(&container.name)
            .is_some_and(|record| matches!(record.state, State::Created | State::Running))
    });
    let mut previously_initialized = pod_has_initialized;
    let last = init.len() - 1;
    let mut start = Vec::new();
    for (index, container) in init.iter().enumerate().rev() {
        let sidecar = is_sidecar(container);
        let Some(record) = status.container(&container.name) else {
            if previously_initialized && sidecar {
                start.push(index);
            }
            continue;
        };
        if previously_initialized && !sidecar {
            continue;
        }
        let kill = |what: &str, reason| ContainerToKill {
            id: record.id.clone(),
            name: container.name.clone(),
            message: format!("Init container {what}"),
            reason,
        };
        match record.state {
            State::Created => start.push(index),
            State::Running if !sidecar => {}
            State::Running => 'running: {
                if container.startup_probe.is_some() {
                    match probes.startup(&record.id) {
                        Some(ProbeResult::Success) => {}
                        Some(ProbeResult::Failure) => {
                            let what = format!("{} failed startup probe", container.name);
                            actions.containers_to_kill.push(kill(&what, KillReason::StartupProbe));
                            start.push(index);
                            break 'running;
                        }
                        _ => break 'running,
                    }
                }
                if index == last {
                    pod_has_initialized = true;
                } else if !previously_initialized {
                    start.push(index + 1);
                }
                if !record.spec_matches {
                    let what = format!("{} definition changed", container.name);
                    actions.containers_to_kill.push(kill(&what, KillReason::Other));
                    start.push(index);
                } else if container.liveness_probe.is_some()
                    && probes.liveness(&record.id) == Some(ProbeResult::Failure)
                {
                    let what = format!("{} failed liveness probe", container.name);
                    actions.containers_to_kill.push(kill(&what, KillReason::LivenessProbe));
                    start.push(index);
                }
            }
            State::Exited if sidecar => start.push(index),
            State::Exited => {
                if record.exit_code != 0 {
                    if !container_should_restart(container, spec, record.exit_code) {
                        actions.kill_pod = true;
                        actions.init_containers_to_start.clear();
                        return false;
                    }
                    start.push(index);
                } else if index == last {
                    pod_has_initialized = true;
                } else {
                    start.push(index + 1);
                }
            }
            State::Unknown => {
                if !sidecar && effective_policy(container, spec) == "Never" {
                    actions.kill_pod = true;
                    actions.init_containers_to_start.clear();
                    return false;
                }
                let what = "is in \"unknown\" state, try killing it before restart";
                actions.containers_to_kill.push(kill(what, KillReason::Unknown));
                start.push(index);
            }
        }
        previously_initialized = true;
    }
    if !previously_initialized {
        start.push(0);
    }
    start.reverse();
    actions.init_containers_to_start = start;
    pod_has_initialized
}
