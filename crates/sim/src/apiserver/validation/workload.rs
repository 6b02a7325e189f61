//! Deployments and the sets (`pkg/apis/apps/validation/validation.go`).

use std::collections::BTreeMap;

use k8s_openapi::api::{apps::v1 as apps, core::v1 as core};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::json;

use super::container::int_or_string;
use super::{meta, pod};
use crate::apiserver::field::{Errors, Path, quoted, shown};
use crate::apiserver::names;
use crate::objects::selects;

fn template_labels(template: Option<&core::PodTemplateSpec>) -> Option<&BTreeMap<String, String>> {
    template.and_then(|template| template.metadata.as_ref()?.labels.as_ref())
}

/// The selector of a workload. One that was left out has neither labels nor expressions; one that is written as `{}` has
/// empty labels.
fn selector(e: &mut Errors, selector: &LabelSelector, whose: &str, path: &Path<'_>) {
    if selector.match_labels.is_none() && selector.match_expressions.is_none() {
        return e.required(path, "");
    }
    meta::selector(e, selector, path);
    if meta::is_empty(selector) {
        e.invalid(path, "{}", &format!("empty selector is invalid for {whose}"));
    }
}

/// Whether a selector was given that says something, or none at all, which selects nothing.
fn must_match(selector: &LabelSelector) -> bool {
    !meta::is_empty(selector) || (selector.match_labels.is_none() && selector.match_expressions.is_none())
}

fn matches(selector: &LabelSelector, labels: Option<&BTreeMap<String, String>>) -> bool {
    !meta::is_empty(selector) && selects(selector, labels)
}

/// `ValidatePodTemplateSpecForReplicaSet`
fn template(
    e: &mut Errors,
    template: Option<&core::PodTemplateSpec>,
    chosen: &LabelSelector,
    whose: &str,
    path: &Path<'_>,
) {
    let default = core::PodTemplateSpec::default();
    let labels = template_labels(template);
    if must_match(chosen) && !matches(chosen, labels) {
        let metadata = path.child("metadata");
        e.invalid(
            &metadata.child("labels"),
            shown(&labels),
            "`selector` does not match template `labels`",
        );
    }
    let template = template.unwrap_or(&default);
    pod::template(e, template, path);
    let spec = path.child("spec");
    always(e, template, &spec);
    if template
        .spec
        .as_ref()
        .is_some_and(|spec| spec.active_deadline_seconds.is_some())
    {
        let detail = format!("activeDeadlineSeconds in {whose} is not Supported");
        e.forbidden(&spec.child("activeDeadlineSeconds"), &detail);
    }
}

/// What runs for ever restarts always.
fn always(e: &mut Errors, template: &core::PodTemplateSpec, path: &Path<'_>) {
    let policy = template
        .spec
        .as_ref()
        .and_then(|spec| spec.restart_policy.as_deref())
        .unwrap_or_default();
    if policy != "Always" {
        e.unsupported(&path.child("restartPolicy"), policy, &["Always"]);
    }
}

pub(super) fn deployment(e: &mut Errors, deployment: &apps::Deployment) {
    let path = Path::root("spec");
    let default = apps::DeploymentSpec::default();
    let spec = deployment.spec.as_ref().unwrap_or(&default);
    e.nonnegative(&path.child("replicas"), spec.replicas.unwrap_or(1).into());
    selector(e, &spec.selector, "deployment", &path.child("selector"));
    template(
        e,
        Some(&spec.template),
        &spec.selector,
        "ReplicaSet",
        &path.child("template"),
    );
    if let Some(strategy) = &spec.strategy {
        deployment_strategy(e, strategy, &path.child("strategy"));
    }
    let ready = spec.min_ready_seconds.unwrap_or(0);
    e.nonnegative(&path.child("minReadySeconds"), ready.into());
    e.nonnegative(
        &path.child("revisionHistoryLimit"),
        spec.revision_history_limit.unwrap_or(0).into(),
    );
    if let Some(deadline) = spec.progress_deadline_seconds {
        let at = path.child("progressDeadlineSeconds");
        e.nonnegative(&at, deadline.into());
        if deadline <= ready {
            e.invalid(&at, deadline, "must be greater than minReadySeconds");
        }
    }
}

fn deployment_strategy(e: &mut Errors, strategy: &apps::DeploymentStrategy, path: &Path<'_>) {
    let rolling = path.child("rollingUpdate");
    match strategy.type_.as_deref().unwrap_or_default() {
        "Recreate" if strategy.rolling_update.is_some() => {
            e.forbidden(&rolling, "may not be specified when strategy `type` is 'Recreate'");
        }
        "Recreate" => {}
        "RollingUpdate" => {
            if let Some(update) = &strategy.rolling_update {
                let zero = IntOrString::Int(0);
                let unavailable = update.max_unavailable.as_ref().unwrap_or(&zero);
                let surge = update.max_surge.as_ref().unwrap_or(&zero);
                let at = rolling.child("maxUnavailable");
                int_or_percent(e, unavailable, &at);
                int_or_percent(e, surge, &rolling.child("maxSurge"));
                if is_zero(unavailable) && is_zero(surge) {
                    e.invalid(&at, int_or_string(unavailable), "may not be 0 when `maxSurge` is 0");
                }
                at_most_all(e, unavailable, &at);
            }
        }
        other => {
            let update = strategy
                .rolling_update
                .as_ref()
                .map(|update| json!({ "MaxUnavailable": update.max_unavailable, "MaxSurge": update.max_surge }));
            let value = json!({ "Type": other, "RollingUpdate": update }).to_string();
            let message = format!("{value}: supported values: \"Recreate\", \"RollingUpdate\"");
            e.list.push(crate::apiserver::field::FieldError {
                field: path.to_string(),
                reason: "FieldValueNotSupported",
                message: format!("Unsupported value: {message}"),
            });
        }
    }
}

/// `ValidatePositiveIntOrPercent`
pub(super) fn int_or_percent(e: &mut Errors, value: &IntOrString, path: &Path<'_>) {
    match value {
        IntOrString::Int(number) => e.nonnegative(path, (*number).into()),
        IntOrString::String(text) if percent(text).is_none() => {
            let detail = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";
            e.invalid(path, quoted(text), detail);
        }
        IntOrString::String(_) => {}
    }
}

fn percent(text: &str) -> Option<u64> {
    let digits = text.strip_suffix('%')?;
    let valid = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    valid.then(|| digits.parse().unwrap_or(u64::MAX))
}

fn is_zero(value: &IntOrString) -> bool {
    match value {
        IntOrString::Int(number) => *number == 0,
        // What is no percentage counts as nothing.
        IntOrString::String(text) => percent(text).unwrap_or(0) == 0,
    }
}

/// `IsNotMoreThan100Percent`
fn at_most_all(e: &mut Errors, value: &IntOrString, path: &Path<'_>) {
    if let IntOrString::String(text) = value
        && percent(text).is_some_and(|percent| percent > 100)
    {
        e.invalid(path, quoted(text), "must not be greater than 100%");
    }
}

pub(super) fn replica_set(e: &mut Errors, set: &apps::ReplicaSet) {
    let path = Path::root("spec");
    let default = apps::ReplicaSetSpec::default();
    let spec = set.spec.as_ref().unwrap_or(&default);
    e.nonnegative(&path.child("replicas"), spec.replicas.unwrap_or(1).into());
    e.nonnegative(
        &path.child("minReadySeconds"),
        spec.min_ready_seconds.unwrap_or(0).into(),
    );
    selector(e, &spec.selector, "deployment", &path.child("selector"));
    template(
        e,
        spec.template.as_ref(),
        &spec.selector,
        "ReplicaSet",
        &path.child("template"),
    );
}

pub(super) fn replication_controller(e: &mut Errors, controller: &core::ReplicationController) {
    let path = Path::root("spec");
    let Some(spec) = &controller.spec else {
        return e.required(&path.child("template"), "");
    };
    e.nonnegative(
        &path.child("minReadySeconds"),
        spec.min_ready_seconds.unwrap_or(0).into(),
    );
    let chosen = LabelSelector {
        match_labels: spec.selector.clone(),
        match_expressions: None,
    };
    if meta::is_empty(&chosen) {
        e.required(&path.child("selector"), "");
    }
    e.nonnegative(&path.child("replicas"), spec.replicas.unwrap_or(1).into());
    if spec.template.is_none() {
        return e.required(&path.child("template"), "");
    }
    template(
        e,
        spec.template.as_ref(),
        &chosen,
        "ReplicationController",
        &path.child("template"),
    );
}

pub(super) fn stateful_set(e: &mut Errors, set: &apps::StatefulSet) {
    let path = Path::root("spec");
    let default = apps::StatefulSetSpec::default();
    let spec = set.spec.as_ref().unwrap_or(&default);
    let policy = spec.pod_management_policy.as_deref().unwrap_or_default();
    match policy {
        "OrderedReady" | "Parallel" => {}
        "" => e.required(&path.child("podManagementPolicy"), ""),
        other => e.invalid_text(
            &path.child("podManagementPolicy"),
            other,
            "must be 'OrderedReady' or 'Parallel'",
        ),
    }
    let strategy_path = path.child("updateStrategy");
    if let Some(strategy) = &spec.update_strategy {
        match strategy.type_.as_deref().unwrap_or_default() {
            "OnDelete" => {
                if let Some(update) = &strategy.rolling_update {
                    let detail = "only allowed for updateStrategy 'RollingUpdate'";
                    e.invalid(&strategy_path.child("rollingUpdate"), shown(update), detail);
                }
            }
            "RollingUpdate" => {
                let partition = strategy
                    .rolling_update
                    .as_ref()
                    .and_then(|update| update.partition)
                    .unwrap_or(0);
                e.nonnegative(
                    &strategy_path.child("rollingUpdate").child("partition"),
                    partition.into(),
                );
            }
            "" => e.required(&strategy_path, ""),
            other => {
                let update = strategy
                    .rolling_update
                    .as_ref()
                    .map(|update| json!({ "Partition": update.partition, "MaxUnavailable": update.max_unavailable }));
                let value = json!({ "Type": other, "RollingUpdate": update });
                e.invalid(&strategy_path, value, "must be 'RollingUpdate' or 'OnDelete'");
            }
        }
    }
    e.nonnegative(&path.child("replicas"), spec.replicas.unwrap_or(1).into());
    e.nonnegative(
        &path.child("minReadySeconds"),
        spec.min_ready_seconds.unwrap_or(0).into(),
    );
    if let Some(ordinals) = &spec.ordinals {
        e.nonnegative(
            &path.child("ordinals").child("start"),
            ordinals.start.unwrap_or(0).into(),
        );
    }
    if let Some(service) = spec.service_name.as_deref().filter(|name| !name.is_empty()) {
        e.invalid_for(&path.child("serviceName"), service, names::dns1123_label(service));
    }
    selector(e, &spec.selector, "statefulset", &path.child("selector"));
    // The volumes that the claims will bring can be mounted already.
    let mut whole = spec.template.clone();
    let pod_spec = whole.spec.get_or_insert_default();
    for claim in spec.volume_claim_templates.iter().flatten() {
        let name = claim.metadata.name.clone().unwrap_or_default();
        let volumes = pod_spec.volumes.get_or_insert_default();
        volumes.retain(|volume| volume.name != name);
        let source = core::PersistentVolumeClaimVolumeSource {
            claim_name: name.clone(),
            read_only: Some(false),
        };
        volumes.push(core::Volume {
            name,
            persistent_volume_claim: Some(source),
            ..Default::default()
        });
    }
    template(e, Some(&whole), &spec.selector, "StatefulSet", &path.child("template"));
}

pub(super) fn daemon_set(e: &mut Errors, set: &apps::DaemonSet) {
    let path = Path::root("spec");
    let default = apps::DaemonSetSpec::default();
    let spec = set.spec.as_ref().unwrap_or(&default);
    let at = path.child("template");
    meta::selector(e, &spec.selector, &path.child("selector"));
    let labels = template_labels(Some(&spec.template));
    let given = spec.selector.match_labels.is_some() || spec.selector.match_expressions.is_some();
    if !matches(&spec.selector, labels) && must_match(&spec.selector) {
        let metadata = at.child("metadata");
        e.invalid(
            &metadata.child("labels"),
            shown(&labels),
            "`selector` does not match template `labels`",
        );
    }
    if given && meta::is_empty(&spec.selector) {
        e.invalid(&path.child("selector"), "{}", "empty selector is invalid for daemonset");
    }
    pod::template(e, &spec.template, &at);
    always(e, &spec.template, &at.child("spec"));
    if spec
        .template
        .spec
        .as_ref()
        .is_some_and(|spec| spec.active_deadline_seconds.is_some())
    {
        let detail = "activeDeadlineSeconds in DaemonSet is not Supported";
        e.forbidden(&at.child("spec").child("activeDeadlineSeconds"), detail);
    }
    e.nonnegative(
        &path.child("minReadySeconds"),
        spec.min_ready_seconds.unwrap_or(0).into(),
    );
    let strategy_path = path.child("updateStrategy");
    if let Some(strategy) = &spec.update_strategy {
        match strategy.type_.as_deref().unwrap_or_default() {
            "OnDelete" => {}
            "RollingUpdate" => {
                if let Some(update) = &strategy.rolling_update {
                    daemon_update(e, update, &strategy_path.child("rollingUpdate"));
                }
            }
            other => e.unsupported(&strategy_path, other, &["OnDelete", "RollingUpdate"]),
        }
    }
    e.nonnegative(
        &path.child("revisionHistoryLimit"),
        spec.revision_history_limit.unwrap_or(0).into(),
    );
}

/// `ValidateRollingUpdateDaemonSet`: pods go first or come first, not both.
fn daemon_update(e: &mut Errors, update: &apps::RollingUpdateDaemonSet, path: &Path<'_>) {
    let zero = IntOrString::Int(0);
    let unavailable = update.max_unavailable.as_ref().unwrap_or(&zero);
    let surge = update.max_surge.as_ref().unwrap_or(&zero);
    let (at, surge_path) = (path.child("maxUnavailable"), path.child("maxSurge"));
    int_or_percent(e, unavailable, &at);
    int_or_percent(e, surge, &surge_path);
    match (is_zero(unavailable), is_zero(surge)) {
        (false, false) => {
            e.invalid(
                &surge_path,
                int_or_string(surge),
                "may not be set when maxUnavailable is non-zero",
            );
        }
        (true, true) => e.required(&at, "cannot be 0 when maxSurge is 0"),
        _ => {}
    }
    at_most_all(e, unavailable, &at);
    at_most_all(e, surge, &surge_path);
}
