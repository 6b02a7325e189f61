//! The phase of a pod (`pkg/kubelet/kubelet_pods.go getPhase`).

use super::restart::{RESTARTING_ALL, container_should_restart};
use crate::core;
use crate::resources::is_sidecar;

/// The phase, and the rule that gave it (a stable code for explanations).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhaseDecision {
    /// `Pending`, `Running`, `Succeeded` or `Failed`.
    pub phase: &'static str,
    /// Which rule decided.
    pub code: &'static str,
}

/// The pod's phase from its spec and its API container statuses (init and regular in one list).
///
/// `pod_is_terminal`: the pod worker has stopped all containers for good. `pod_has_initialized`: a regular container of the
/// current sandbox has a record.
pub fn get_phase(
    pod: &core::Pod,
    statuses: &[core::ContainerStatus],
    pod_is_terminal: bool,
    pod_has_initialized: bool,
) -> PhaseDecision {
    let empty = core::PodSpec::default();
    let spec = pod.spec.as_deref().unwrap_or(&empty);
    let find = |name: &str| statuses.iter().find(|status| status.name == name);
    let restarts = |container: &core::Container, ended: &core::ContainerStateTerminated| {
        container_should_restart(container, spec, ended.exit_code) || ended.reason.as_deref() == Some(RESTARTING_ALL)
    };
    let (mut pending_init, mut failed_for_good, mut pending_sidecar) = (0, 0, 0);
    let (mut unknown, mut waiting, mut running, mut stopped, mut stopped_for_good, mut succeeded) = (0, 0, 0, 0, 0, 0);

    for container in spec.init_containers.iter().flatten() {
        let status = find(&container.name);
        let state = status.and_then(|status| status.state.as_ref());
        let last = status
            .and_then(|status| status.last_state.as_ref())
            .and_then(|state| state.terminated.as_ref());
        if is_sidecar(container) {
            match (status, state) {
                (None, _) => unknown += 1,
                (Some(status), Some(state)) if state.running.is_some() => {
                    running += 1;
                    if status.started != Some(true) {
                        pending_sidecar += 1;
                    }
                }
                (_, Some(state)) if state.terminated.is_some() => {}
                (_, Some(state)) if state.waiting.is_some() => {
                    if last.is_none() {
                        pending_sidecar += 1;
                        waiting += 1;
                    }
                }
                _ => {
                    pending_sidecar += 1;
                    unknown += 1;
                }
            }
            continue;
        }
        let failed = |ended: &core::ContainerStateTerminated| ended.exit_code != 0 && !restarts(container, ended);
        match state {
            Some(state) if state.terminated.is_some() => {
                failed_for_good += i32::from(state.terminated.as_ref().is_some_and(failed));
            }
            Some(state) if state.waiting.is_some() => match last {
                Some(ended) => failed_for_good += i32::from(failed(ended)),
                None => pending_init += 1,
            },
            _ => pending_init += 1,
        }
    }

    for container in &spec.containers {
        let Some(status) = find(&container.name) else {
            unknown += 1;
            continue;
        };
        let last = status.last_state.as_ref().and_then(|state| state.terminated.as_ref());
        match &status.state {
            Some(state) if state.running.is_some() => running += 1,
            Some(core::ContainerState {
                terminated: Some(ended),
                ..
            }) => {
                stopped += 1;
                succeeded += i32::from(ended.exit_code == 0);
                stopped_for_good += i32::from(!restarts(container, ended));
            }
            Some(state) if state.waiting.is_some() => match last {
                Some(ended) => {
                    stopped += 1;
                    stopped_for_good += i32::from(!restarts(container, ended));
                }
                None => waiting += 1,
            },
            _ => unknown += 1,
        }
    }

    let decision = |phase, code| PhaseDecision { phase, code };
    if failed_for_good > 0 {
        return decision("Failed", "phase.init-failed-for-good");
    }
    if pending_init > 0 || pending_sidecar > 0 && !pod_has_initialized || waiting > 0 {
        return decision("Pending", "phase.waiting-for-first-start");
    }
    if running > 0 && unknown == 0 {
        return decision("Running", "phase.container-running");
    }
    if running == 0 && stopped > 0 && unknown == 0 {
        let is_static = pod
            .metadata
            .annotations
            .as_ref()
            .and_then(|annotations| annotations.get("kubernetes.io/config.source"))
            .is_some_and(|source| source != "api");
        if pod_is_terminal && !is_static {
            return if stopped == succeeded {
                decision("Succeeded", "phase.ended-all-succeeded")
            } else {
                decision("Failed", "phase.ended-some-failed")
            };
        }
        if stopped != stopped_for_good {
            return decision("Running", "phase.will-restart");
        }
        return if stopped == succeeded {
            decision("Succeeded", "phase.all-succeeded")
        } else {
            decision("Failed", "phase.stopped-for-good")
        };
    }
    decision("Pending", "phase.unknown-containers")
}
