//! Whether a container restarts (`pkg/api/v1/pod/util.go ContainerShouldRestart`).

use super::runtime_status::{RuntimeStatus, State};
use crate::core;

/// What a restart rule asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleAction {
    /// Restart the container.
    Restart,
    /// Restart all containers of the pod.
    RestartAllContainers,
}

/// The first restart rule that matches the exit code. Rules count only when the container has a policy of its own.
pub fn matching_rule(container: &core::Container, exit_code: i32) -> Option<RuleAction> {
    container.restart_policy.as_ref()?;
    container.restart_policy_rules.iter().flatten().find_map(|rule| {
        let codes = rule.exit_codes.as_ref()?;
        let listed = codes.values.as_deref().unwrap_or_default().contains(&exit_code);
        let matches = match codes.operator.as_str() {
            "In" => listed,
            "NotIn" => !listed,
            _ => false,
        };
        matches.then_some(match rule.action.as_str() {
            "RestartAllContainers" => RuleAction::RestartAllContainers,
            _ => RuleAction::Restart,
        })
    })
}

/// The policy that applies to a container: its own, else the pod's.
pub fn effective_policy<'a>(container: &'a core::Container, pod_spec: &'a core::PodSpec) -> &'a str {
    container
        .restart_policy
        .as_deref()
        .or(pod_spec.restart_policy.as_deref())
        .unwrap_or("Always")
}

/// Whether a container that ended with `exit_code` restarts: the first matching rule, else the policy.
pub fn container_should_restart(container: &core::Container, pod_spec: &core::PodSpec, exit_code: i32) -> bool {
    if matching_rule(container, exit_code).is_some() {
        return true;
    }
    match effective_policy(container, pod_spec) {
        "Never" => false,
        "OnFailure" => exit_code != 0,
        _ => true,
    }
}

/// Whether a container that is not running is to be started (`pkg/kubelet/container/helpers.go ShouldContainerBeRestarted`).
pub fn should_container_be_restarted(container: &core::Container, pod: &core::Pod, status: &RuntimeStatus) -> bool {
    if pod.metadata.deletion_timestamp.is_some() {
        return false;
    }
    let Some(record) = status.container(&container.name) else {
        return true;
    };
    match record.state {
        State::Running => false,
        State::Unknown | State::Created => true,
        State::Exited => pod
            .spec
            .as_ref()
            .is_some_and(|spec| container_should_restart(container, spec, record.exit_code)),
    }
}

/// The reason of a container that was removed so that all containers restart.
pub const RESTARTING_ALL: &str = "RestartingAllContainers";

/// Whether some container has a rule that restarts all of them.
pub fn has_restart_all_rule(spec: &core::PodSpec) -> bool {
    spec.init_containers
        .iter()
        .flatten()
        .chain(&spec.containers)
        .flat_map(|container| container.restart_policy_rules.iter().flatten())
        .any(|rule| rule.action == "RestartAllContainers")
}
