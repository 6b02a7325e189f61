//! A Deployment's status and conditions (`pkg/controller/deployment/{sync,progress}.go`).

use k8s_openapi::api::apps::v1 as apps;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::replica_sets::size;
use super::{desired, fences};
use crate::controllers::nonzero;

/// Reason of `Progressing` when a rollout is complete.
pub const NEW_AVAILABLE: &str = "NewReplicaSetAvailable";
/// Reason of `Progressing` when a rollout took too long.
pub const TIMED_OUT: &str = "ProgressDeadlineExceeded";

/// The condition of that type.
pub fn find<'a>(status: &'a apps::DeploymentStatus, kind: &str) -> Option<&'a apps::DeploymentCondition> {
    status
        .conditions
        .as_ref()?
        .iter()
        .find(|condition| condition.type_ == kind)
}

/// A condition that begins now.
pub fn condition(now: &Time, kind: &str, status: &str, reason: &str, message: &str) -> apps::DeploymentCondition {
    apps::DeploymentCondition {
        type_: kind.to_owned(),
        status: status.to_owned(),
        reason: Some(reason.to_owned()),
        message: Some(message.to_owned()),
        last_update_time: Some(now.clone()),
        last_transition_time: Some(now.clone()),
    }
}

/// Sets a condition unless its status and reason are the same already; it moves to the end (`SetDeploymentCondition`).
pub fn set(status: &mut apps::DeploymentStatus, mut condition: apps::DeploymentCondition) {
    if let Some(known) = find(status, &condition.type_) {
        if known.status == condition.status && known.reason == condition.reason {
            return;
        }
        if known.status == condition.status {
            condition.last_transition_time = known.last_transition_time.clone();
        }
    }
    remove(status, &condition.type_);
    status.conditions.get_or_insert_default().push(condition);
}

/// Removes a condition.
pub fn remove(status: &mut apps::DeploymentStatus, kind: &str) {
    if let Some(conditions) = &mut status.conditions {
        conditions.retain(|condition| condition.type_ != kind);
        if conditions.is_empty() {
            status.conditions = None;
        }
    }
}

/// Seconds a rollout may go without progress; `None` when there is no limit.
pub fn progress_deadline(deployment: &apps::Deployment) -> Option<u64> {
    let seconds = deployment
        .spec
        .as_ref()?
        .progress_deadline_seconds
        .filter(|seconds| *seconds != i32::MAX)?;
    u64::try_from(seconds).ok()
}

fn sum(sets: &[&apps::ReplicaSet], count: impl Fn(&apps::ReplicaSetStatus) -> i32) -> i32 {
    sets.iter().filter_map(|set| set.status.as_ref()).map(count).sum()
}

/// Counts from the ReplicaSets, and the `Available` condition (`calculateStatus`).
pub fn calculate(
    now: &Time,
    deployment: &apps::Deployment,
    all: &[&apps::ReplicaSet],
    new: Option<&apps::ReplicaSet>,
) -> apps::DeploymentStatus {
    let old = deployment.status.clone().unwrap_or_default();
    let available = sum(all, |status| status.available_replicas.unwrap_or(0));
    let total: i32 = all.iter().map(|set| size(set)).sum();
    // A ReplicaSet that was not observed yet has no terminating pods; one that does not count them makes the sum unknown.
    let terminating = all
        .iter()
        .map(|set| set.status.clone().unwrap_or_default())
        .filter(|status| status.observed_generation.unwrap_or(0) != 0 || status.terminating_replicas.is_some())
        .try_fold(0, |sum, status| Some(sum + status.terminating_replicas?));
    let mut status = apps::DeploymentStatus {
        observed_generation: deployment.metadata.generation,
        replicas: nonzero(sum(all, |status| status.replicas)),
        updated_replicas: nonzero(
            new.and_then(|set| set.status.as_ref())
                .map_or(0, |status| status.replicas),
        ),
        ready_replicas: nonzero(sum(all, |status| status.ready_replicas.unwrap_or(0))),
        available_replicas: nonzero(available),
        unavailable_replicas: nonzero((total - available).max(0)),
        terminating_replicas: terminating,
        collision_count: old.collision_count,
        conditions: old.conditions,
    };
    let enough = available >= desired(deployment) - fences(deployment).max_unavailable();
    set(
        &mut status,
        if enough {
            condition(
                now,
                "Available",
                "True",
                "MinimumReplicasAvailable",
                "Deployment has minimum availability.",
            )
        } else {
            let text = "Deployment does not have minimum availability.";
            condition(now, "Available", "False", "MinimumReplicasUnavailable", text)
        },
    );
    status
}

/// Whether all pods are new and available (`DeploymentComplete`).
pub fn is_complete(deployment: &apps::Deployment, status: &apps::DeploymentStatus) -> bool {
    let wanted = desired(deployment);
    status.updated_replicas.unwrap_or(0) == wanted
        && status.replicas.unwrap_or(0) == wanted
        && status.available_replicas.unwrap_or(0) == wanted
        && status.observed_generation.unwrap_or(0) >= deployment.metadata.generation.unwrap_or(0)
}

/// Whether the new status is a step forward from the one the Deployment has (`DeploymentProgressing`).
pub fn is_progressing(deployment: &apps::Deployment, new: &apps::DeploymentStatus) -> bool {
    let old = deployment.status.clone().unwrap_or_default();
    let outdated =
        |status: &apps::DeploymentStatus| status.replicas.unwrap_or(0) - status.updated_replicas.unwrap_or(0);
    new.updated_replicas.unwrap_or(0) > old.updated_replicas.unwrap_or(0)
        || outdated(new) < outdated(&old)
        || new.ready_replicas.unwrap_or(0) > old.ready_replicas.unwrap_or(0)
        || new.available_replicas.unwrap_or(0) > old.available_replicas.unwrap_or(0)
}
