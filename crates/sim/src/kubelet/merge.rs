//! What the status manager makes of a status before the API sees it (`pkg/kubelet/status/status_manager.go`): whose
//! condition is whose, when a terminal phase may be told, which updates would be illegal.

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::restart::{container_should_restart, has_restart_all_rule};
use crate::resources::is_sidecar;

/// Bytes of termination message that a pod's containers share (`MaxPodTerminationMessageLogLength`).
const MESSAGE_BYTES: usize = 12 * 1024;

/// Whether the kubelet alone writes conditions of that type (`PodConditionByKubelet`).
pub fn owned_by_kubelet(kind: &str) -> bool {
    matches!(
        kind,
        "PodScheduled"
            | "Ready"
            | "Initialized"
            | "ContainersReady"
            | "PodReadyToStartContainers"
            | "AllContainersRestarting"
            | "PodResizePending"
            | "PodResizeInProgress"
    )
}

/// Whether the kubelet writes conditions of that type beside others (`PodConditionSharedByKubelet`).
fn shared_by_kubelet(kind: &str) -> bool {
    kind == "DisruptionTarget"
}

fn is_terminal_phase(phase: Option<&str>) -> bool {
    matches!(phase, Some("Succeeded" | "Failed"))
}

/// Gives each condition the time of its last change of status: that of the old one, or now (`updateLastTransitionTime`).
pub fn keep_transition_times(conditions: &mut [core::PodCondition], old: &[core::PodCondition], now: &Time) {
    for condition in conditions {
        let same = old
            .iter()
            .find(|old| old.type_ == condition.type_ && old.status == condition.status);
        condition.last_transition_time = Some(
            same.and_then(|old| old.last_transition_time.clone())
                .unwrap_or_else(|| now.clone()),
        );
    }
}

/// Whether [`merge_pod_status`] would give the kubelet's own status as it is: nobody else has a part in either, and the pod
/// does not come to its end.
pub(super) fn is_merged(api: &core::PodStatus, mine: &core::PodStatus) -> bool {
    let own = |status: &core::PodStatus| {
        let mut conditions = status.conditions.iter().flatten();
        conditions.all(|condition| owned_by_kubelet(&condition.type_))
    };
    mine.conditions.is_some()
        && own(api)
        && own(mine)
        && !is_terminal_phase(mine.phase.as_deref())
        && mine.resource_claim_statuses == api.resource_claim_statuses
        && mine.nominated_node_name == api.nominated_node_name
        && mine.qos_class.is_some()
}

/// The status that is written over the API's (`mergePodStatus`): conditions of others stay, and a terminal phase waits
/// until no container can run any more.
pub fn merge_pod_status(
    api: &core::PodStatus,
    mine: &core::PodStatus,
    could_have_running_containers: bool,
    now: &Time,
) -> core::PodStatus {
    let mut merged = mine.clone();
    let old = api.conditions.as_deref().unwrap_or_default();
    let mut conditions: Vec<core::PodCondition> = old
        .iter()
        .filter(|condition| !owned_by_kubelet(&condition.type_))
        .cloned()
        .collect();
    let ends = !is_terminal_phase(api.phase.as_deref()) && is_terminal_phase(mine.phase.as_deref());
    for condition in mine.conditions.iter().flatten() {
        if owned_by_kubelet(&condition.type_) {
            conditions.push(condition.clone());
        } else if shared_by_kubelet(&condition.type_) && ends && !could_have_running_containers {
            let mut condition = condition.clone();
            keep_transition_times(std::slice::from_mut(&mut condition), old, now);
            match conditions.iter_mut().find(|known| known.type_ == condition.type_) {
                Some(known) => *known = condition,
                None => conditions.push(condition),
            }
        }
    }
    if ends && could_have_running_containers {
        merged.phase.clone_from(&api.phase);
        merged.reason.clone_from(&api.reason);
        merged.message.clone_from(&api.message);
    }
    if is_terminal_phase(merged.phase.as_deref()) {
        let reason = if merged.phase.as_deref() == Some("Failed") {
            "PodFailed"
        } else {
            "PodCompleted"
        };
        let is_ready = |kind: &str| {
            conditions
                .iter()
                .any(|known| known.type_ == kind && known.status == "True")
        };
        if is_ready("Ready") || is_ready("ContainersReady") {
            for kind in ["ContainersReady", "Ready"] {
                let found = conditions.iter_mut().find(|known| known.type_ == kind);
                let condition = core::PodCondition {
                    type_: kind.to_owned(),
                    status: "False".to_owned(),
                    reason: Some(reason.to_owned()),
                    observed_generation: found.as_ref().and_then(|known| known.observed_generation),
                    last_transition_time: Some(now.clone()),
                    ..Default::default()
                };
                match found {
                    Some(known) if known.status == "False" => {
                        *known = core::PodCondition {
                            last_transition_time: known.last_transition_time.clone(),
                            ..condition
                        };
                    }
                    Some(known) => *known = condition,
                    None => conditions.push(condition),
                }
            }
        }
    }
    merged.conditions = Some(conditions);
    // What others keep in a status is not the kubelet's to change.
    merged.resource_claim_statuses.clone_from(&api.resource_claim_statuses);
    merged.nominated_node_name.clone_from(&api.nominated_node_name);
    merged.qos_class = merged.qos_class.or_else(|| api.qos_class.clone());
    merged
}

/// Whether two statuses are the same as far as the kubelet is concerned (`isPodStatusByKubeletEqual`): conditions of others
/// and times of conditions do not count.
pub fn same_for_kubelet(old: &core::PodStatus, new: &core::PodStatus) -> bool {
    fn mine(status: &core::PodStatus) -> impl Iterator<Item = &core::PodCondition> {
        status
            .conditions
            .iter()
            .flatten()
            .filter(|condition| owned_by_kubelet(&condition.type_) || shared_by_kubelet(&condition.type_))
    }
    let conditions_match = mine(old).count() == mine(new).count()
        && mine(new).all(|new| {
            mine(old).any(|old| {
                (&old.type_, &old.status, &old.reason, &old.message)
                    == (&new.type_, &new.status, &new.reason, &new.message)
            })
        });
    conditions_match
        && old.phase == new.phase
        && old.reason == new.reason
        && old.message == new.message
        && old.container_statuses == new.container_statuses
        && old.init_container_statuses == new.init_container_statuses
        && old.ephemeral_container_statuses == new.ephemeral_container_statuses
        && old.host_ip == new.host_ip
        && old.pod_ip == new.pod_ip
        && old.pod_ips == new.pod_ips
        && old.start_time == new.start_time
        && old.qos_class == new.qos_class
        && old.observed_generation == new.observed_generation
}

/// Cuts termination messages so that all containers of the pod share 12 KiB (`normalizeStatus`).
pub fn cut_messages(status: &mut core::PodStatus, containers: usize) {
    let limit = MESSAGE_BYTES / containers.max(1);
    let lists = [
        &mut status.container_statuses,
        &mut status.init_container_statuses,
        &mut status.ephemeral_container_statuses,
    ];
    for status in lists.into_iter().flatten().flatten() {
        for state in [&mut status.state, &mut status.last_state].into_iter().flatten() {
            if let Some(message) = state.terminated.as_mut().and_then(|ended| ended.message.as_mut())
                && message.len() > limit
            {
                let mut end = limit;
                while !message.is_char_boundary(end) {
                    end -= 1;
                }
                message.truncate(end);
            }
        }
    }
}

/// Refuses an update in which a container that ended for good would be anything else again
/// (`checkContainerStateTransition`).
///
/// # Errors
/// The kubelet's words for it.
pub fn check_container_state_transition(
    old: &core::PodStatus,
    new: &core::PodStatus,
    spec: &core::PodSpec,
) -> Result<(), String> {
    let policy = spec.restart_policy.as_deref().unwrap_or_default();
    if policy == "Always" || has_restart_all_rule(spec) {
        return Ok(());
    }
    type Statuses = Option<Vec<core::ContainerStatus>>;
    let check = |containers: &[core::Container], old: &Statuses, new: &Statuses, lead: &str| {
        for old in old.iter().flatten() {
            let Some(ended) = old.state.as_ref().and_then(|state| state.terminated.as_ref()) else {
                continue;
            };
            if ended.exit_code != 0 && policy == "OnFailure" {
                continue;
            }
            let container = containers.iter().find(|container| container.name == old.name);
            if container.is_some_and(|container| {
                lead == "init " && is_sidecar(container) || container_should_restart(container, spec, ended.exit_code)
            }) {
                continue;
            }
            let leaves = |status: &core::ContainerStatus| {
                status.name == old.name && status.state.as_ref().is_none_or(|state| state.terminated.is_none())
            };
            if let Some(status) = new.iter().flatten().find(|status| leaves(status)) {
                let name = &status.name;
                return Err(format!(
                    "terminated {lead}container {name} attempted illegal transition to non-terminated state"
                ));
            }
        }
        Ok(())
    };
    check(&spec.containers, &old.container_statuses, &new.container_statuses, "")?;
    let init = spec.init_containers.as_deref().unwrap_or_default();
    if let Some(unknown) = old.init_container_statuses.iter().flatten().nth(init.len()) {
        return Err(format!(
            "found mismatch between pod spec and status, container: {}",
            unknown.name
        ));
    }
    check(
        init,
        &old.init_container_statuses,
        &new.init_container_statuses,
        "init ",
    )
}

/// Whether a pod's init containers have done their work, as far as its status tells (`hasPodInitialized`).
pub fn has_pod_initialized(spec: &core::PodSpec, status: &core::PodStatus) -> bool {
    let init = spec.init_containers.as_deref().unwrap_or_default();
    if init.is_empty() {
        return true;
    }
    let ended = |state: &Option<core::ContainerState>| state.as_ref().and_then(|state| state.terminated.clone());
    let waits = |status: &core::ContainerStatus| status.state.as_ref().is_some_and(|state| state.waiting.is_some());
    if status
        .container_statuses
        .iter()
        .flatten()
        .any(|status| ended(&status.last_state).is_some() || !waits(status))
    {
        return true;
    }
    let Some(last) = status.init_container_statuses.iter().flatten().last() else {
        return false;
    };
    let Some(container) = init.iter().find(|container| container.name == last.name) else {
        return false;
    };
    if is_sidecar(container) {
        return last.state.as_ref().is_some_and(|state| state.running.is_some()) && last.started == Some(true);
    }
    [&last.last_state, &last.state]
        .into_iter()
        .any(|state| ended(state).is_some_and(|ended| ended.exit_code == 0))
}
