//! What controllers keep: Deployments, sets, Jobs (`pkg/apis/{apps,batch}/v1/defaults.go`).

use k8s_openapi::api::{apps::v1 as apps, batch::v1 as batch, core::v1 as core};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{rest, text};
use crate::version::{Gate, Profile};

pub(super) fn deployment(deployment: &mut apps::Deployment) {
    let spec = deployment.spec.get_or_insert_default();
    super::default_template(&mut spec.template);
    spec.replicas.get_or_insert(1);
    spec.revision_history_limit.get_or_insert(10);
    spec.progress_deadline_seconds.get_or_insert(600);
    let strategy = spec.strategy.get_or_insert_default();
    text(&mut strategy.type_, "RollingUpdate");
    if strategy.type_.as_deref() == Some("RollingUpdate") {
        let rolling = strategy.rolling_update.get_or_insert_default();
        rolling
            .max_surge
            .get_or_insert_with(|| IntOrString::String("25%".to_owned()));
        rolling
            .max_unavailable
            .get_or_insert_with(|| IntOrString::String("25%".to_owned()));
    }
}

pub(super) fn replica_set(set: &mut apps::ReplicaSet) {
    let spec = set.spec.get_or_insert_default();
    super::default_template(spec.template.get_or_insert_default());
    spec.replicas.get_or_insert(1);
}

/// The oldest of them takes its labels and its selector from the template.
pub(super) fn replication_controller(controller: &mut core::ReplicationController) {
    let spec = controller.spec.get_or_insert_default();
    spec.replicas.get_or_insert(1);
    let Some(template) = &mut spec.template else { return };
    super::default_template(template);
    let labels = template.metadata.as_ref().and_then(|meta| meta.labels.clone());
    if spec.selector.as_ref().is_none_or(std::collections::BTreeMap::is_empty) {
        spec.selector = labels.clone();
    }
    if controller.metadata.labels.is_none() {
        controller.metadata.labels = labels;
    }
}

pub(super) fn stateful_set(set: &mut apps::StatefulSet) {
    let spec = set.spec.get_or_insert_default();
    super::default_template(&mut spec.template);
    spec.replicas.get_or_insert(1);
    spec.revision_history_limit.get_or_insert(10);
    text(&mut spec.pod_management_policy, "OrderedReady");
    let strategy = spec.update_strategy.get_or_insert_default();
    text(&mut strategy.type_, "RollingUpdate");
    if strategy.type_.as_deref() == Some("RollingUpdate") {
        strategy
            .rolling_update
            .get_or_insert_default()
            .partition
            .get_or_insert(0);
    }
    let retention = spec.persistent_volume_claim_retention_policy.get_or_insert_default();
    text(&mut retention.when_deleted, "Retain");
    text(&mut retention.when_scaled, "Retain");
    for claim in spec.volume_claim_templates.iter_mut().flatten() {
        rest::persistent_volume_claim(claim);
        super::meta(&mut claim.metadata);
        let status = claim.status.get_or_insert_default();
        text(&mut status.phase, "Pending");
    }
}

pub(super) fn daemon_set(set: &mut apps::DaemonSet) {
    let spec = set.spec.get_or_insert_default();
    super::default_template(&mut spec.template);
    spec.revision_history_limit.get_or_insert(10);
    let strategy = spec.update_strategy.get_or_insert_default();
    text(&mut strategy.type_, "RollingUpdate");
    if strategy.type_.as_deref() == Some("RollingUpdate") {
        let rolling = strategy.rolling_update.get_or_insert_default();
        rolling.max_unavailable.get_or_insert(IntOrString::Int(1));
        rolling.max_surge.get_or_insert(IntOrString::Int(0));
    }
}

pub(super) fn job(version: Profile, job: &mut batch::Job) {
    let spec = job.spec.get_or_insert_default();
    super::default_template(&mut spec.template);
    if spec.completions.is_none() && spec.parallelism.is_none() {
        spec.completions = Some(1);
        spec.parallelism = Some(1);
    }
    spec.parallelism.get_or_insert(1);
    let limit = if spec.backoff_limit_per_index.is_some() {
        i32::MAX
    } else {
        6
    };
    spec.backoff_limit.get_or_insert(limit);
    text(&mut spec.completion_mode, "NonIndexed");
    spec.suspend.get_or_insert(false);
    spec.manual_selector.get_or_insert(false);
    if version.enabled(Gate::JobPodReplacementPolicy) {
        let replacement = if spec.pod_failure_policy.is_some() {
            "Failed"
        } else {
            "TerminatingOrFailed"
        };
        text(&mut spec.pod_replacement_policy, replacement);
    }
    for rule in spec.pod_failure_policy.iter_mut().flat_map(|policy| &mut policy.rules) {
        for pattern in rule.on_pod_conditions.iter_mut().flatten() {
            text(&mut pattern.status, "True");
        }
    }
}

/// The Job inside is defaulted when it is made, but for its pods.
pub(super) fn cron_job(job: &mut batch::CronJob) {
    let spec = &mut job.spec;
    text(&mut spec.concurrency_policy, "Allow");
    spec.suspend.get_or_insert(false);
    spec.successful_jobs_history_limit.get_or_insert(3);
    spec.failed_jobs_history_limit.get_or_insert(1);
    spec.job_template.metadata.get_or_insert_default();
    super::default_template(&mut spec.job_template.spec.get_or_insert_default().template);
}
