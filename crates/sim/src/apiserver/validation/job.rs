//! Jobs and CronJobs (`pkg/apis/batch/validation/validation.go`).

use std::collections::BTreeSet;

use k8s_openapi::api::batch::v1 as batch;
use serde_json::json;

use super::{cron, meta, pod};
use crate::apiserver::field::{Errors, Path, quoted, shown};
use crate::objects::selects;

/// The label by which a Job knows its pods.
const CONTROLLER_UID: &str = "batch.kubernetes.io/controller-uid";

/// `ValidateJob`, but for the metadata.
pub(super) fn job(e: &mut Errors, job: &batch::Job) {
    let path = Path::root("spec");
    let default = batch::JobSpec::default();
    let spec = job.spec.as_ref().unwrap_or(&default);
    generated_selector(e, job, spec, &path);
    self::spec(e, spec, &path);
    selector(e, spec, &path);
}

/// `ValidateGeneratedSelector`
fn generated_selector(e: &mut Errors, job: &batch::Job, spec: &batch::JobSpec, path: &Path<'_>) {
    if spec.manual_selector == Some(true) {
        return;
    }
    let uid = job.metadata.uid.as_deref().unwrap_or_default();
    let Some(selector) = &spec.selector else { return };
    let only_uid = selector
        .match_labels
        .as_ref()
        .is_some_and(|labels| labels.len() == 1 && labels.get(CONTROLLER_UID).is_some_and(|own| own == uid));
    if !only_uid || selector.match_expressions.as_ref().is_some_and(|list| !list.is_empty()) {
        e.invalid(
            &path.child("selector"),
            shown(selector),
            "`selector` not auto-generated",
        );
    }
}

fn selector(e: &mut Errors, spec: &batch::JobSpec, path: &Path<'_>) {
    let at = path.child("selector");
    let Some(selector) = &spec.selector else {
        return e.required(&at, "");
    };
    meta::selector(e, selector, &at);
    let labels = spec.template.metadata.as_ref().and_then(|meta| meta.labels.as_ref());
    if !selects(selector, labels) {
        let template = path.child("template");
        let metadata = template.child("metadata");
        e.invalid(
            &metadata.child("labels"),
            shown(&labels),
            "`selector` does not match template `labels`",
        );
    }
}

/// `validateJobSpec`: what also a CronJob's template must fulfil.
fn spec(e: &mut Errors, spec: &batch::JobSpec, path: &Path<'_>) {
    for (field, value) in [
        ("parallelism", spec.parallelism.map(i64::from)),
        ("completions", spec.completions.map(i64::from)),
        ("activeDeadlineSeconds", spec.active_deadline_seconds),
        ("backoffLimit", spec.backoff_limit.map(i64::from)),
        (
            "ttlSecondsAfterFinished",
            spec.ttl_seconds_after_finished.map(i64::from),
        ),
        ("backoffLimitPerIndex", spec.backoff_limit_per_index.map(i64::from)),
        ("maxFailedIndexes", spec.max_failed_indexes.map(i64::from)),
    ] {
        e.nonnegative(&path.child(field), value.unwrap_or(0));
    }
    if spec.max_failed_indexes.is_some() && spec.backoff_limit_per_index.is_none() {
        e.required(
            &path.child("backoffLimitPerIndex"),
            "when maxFailedIndexes is specified",
        );
    }
    let mode = spec.completion_mode.as_deref().unwrap_or("NonIndexed");
    if !matches!(mode, "NonIndexed" | "Indexed") {
        e.unsupported(&path.child("completionMode"), mode, &["NonIndexed", "Indexed"]);
    }
    if mode == "Indexed" {
        indexed(e, spec, path);
    }
    if mode == "NonIndexed" {
        for (field, value) in [
            ("backoffLimitPerIndex", spec.backoff_limit_per_index),
            ("maxFailedIndexes", spec.max_failed_indexes),
        ] {
            if let Some(value) = value {
                e.invalid(&path.child(field), value, "requires indexed completion mode");
            }
        }
    }
    if let Some(policy) = &spec.pod_failure_policy {
        failure_policy(e, spec, policy, &path.child("podFailurePolicy"));
    }
    if let Some(policy) = &spec.success_policy {
        success_policy(e, policy, mode, &path.child("successPolicy"));
    }
    if let Some(policy) = spec.pod_replacement_policy.as_deref() {
        let supported: &[&str] = if spec.pod_failure_policy.is_some() {
            &["Failed"]
        } else {
            &["Failed", "TerminatingOrFailed"]
        };
        if !supported.contains(&policy) {
            e.unsupported(&path.child("podReplacementPolicy"), policy, supported);
        }
    }
    let template = path.child("template");
    pod::template(e, &spec.template, &template);
    let policy = spec
        .template
        .spec
        .as_ref()
        .and_then(|spec| spec.restart_policy.as_deref())
        .unwrap_or_default();
    let pod_spec = template.child("spec");
    let at = pod_spec.child("restartPolicy");
    match policy {
        "Always" | "" => e.required(&at, "valid values: \"OnFailure\", \"Never\""),
        "OnFailure" if spec.pod_failure_policy.is_some() => {
            e.invalid_text(
                &at,
                policy,
                "only \"Never\" is supported when podFailurePolicy is specified",
            );
        }
        "OnFailure" | "Never" => {}
        other => e.unsupported(&at, other, &["OnFailure", "Never"]),
    }
}

fn indexed(e: &mut Errors, spec: &batch::JobSpec, path: &Path<'_>) {
    if spec.completions.is_none() {
        e.required(&path.child("completions"), "when completion mode is Indexed");
    }
    if let Some(parallelism) = spec.parallelism.filter(|parallelism| *parallelism > 100_000) {
        let detail = "must be less than or equal to 100000 when completion mode is Indexed";
        e.invalid(&path.child("parallelism"), parallelism, detail);
    }
    if let (Some(completions), Some(failed)) = (spec.completions, spec.max_failed_indexes)
        && failed > completions
    {
        e.invalid(
            &path.child("maxFailedIndexes"),
            failed,
            "must be less than or equal to completions",
        );
    }
}

const ACTIONS: [&str; 4] = ["Count", "FailIndex", "FailJob", "Ignore"];

fn failure_policy(e: &mut Errors, spec: &batch::JobSpec, policy: &batch::PodFailurePolicy, path: &Path<'_>) {
    let rules = path.child("rules");
    if policy.rules.len() > 20 {
        e.too_many(&rules, policy.rules.len(), 20);
    }
    let pod_spec = spec.template.spec.as_ref();
    let names: BTreeSet<&str> = pod_spec
        .into_iter()
        .flat_map(|spec| spec.containers.iter().chain(spec.init_containers.iter().flatten()))
        .map(|container| container.name.as_str())
        .collect();
    for (index, rule) in policy.rules.iter().enumerate() {
        let at = rules.index(index);
        let action = at.child("action");
        match rule.action.as_str() {
            "" => e.required(
                &action,
                "valid values: [\"Count\" \"FailIndex\" \"FailJob\" \"Ignore\"]",
            ),
            "FailIndex" if spec.backoff_limit_per_index.is_none() => {
                e.invalid_text(&action, "FailIndex", "requires the backoffLimitPerIndex to be set");
            }
            known if ACTIONS.contains(&known) => {}
            other => e.unsupported(&action, other, &ACTIONS),
        }
        let conditions = rule.on_pod_conditions.as_deref().unwrap_or_default();
        if let Some(codes) = &rule.on_exit_codes {
            exit_codes(e, codes, &names, &at.child("onExitCodes"));
        }
        let at_conditions = at.child("onPodConditions");
        for (index, pattern) in conditions.iter().enumerate() {
            let status = pattern.status.as_deref().unwrap_or_default();
            if !matches!(status, "False" | "True" | "Unknown") {
                e.unsupported(
                    &at_conditions.index(index).child("status"),
                    status,
                    &["False", "True", "Unknown"],
                );
            }
        }
        let detail = match (rule.on_exit_codes.is_some(), !conditions.is_empty()) {
            (true, true) => "specifying both OnExitCodes and OnPodConditions is not supported",
            (false, false) => "specifying one of OnExitCodes and OnPodConditions is required",
            _ => continue,
        };
        e.list.push(crate::apiserver::field::FieldError {
            field: at.to_string(),
            reason: "FieldValueInvalid",
            message: format!("Invalid value: {detail}"),
        });
    }
}

fn exit_codes(
    e: &mut Errors,
    codes: &batch::PodFailurePolicyOnExitCodesRequirement,
    names: &BTreeSet<&str>,
    path: &Path<'_>,
) {
    match codes.operator.as_str() {
        "" => e.required(&path.child("operator"), "valid values: [\"In\" \"NotIn\"]"),
        "In" | "NotIn" => {}
        other => e.unsupported(&path.child("operator"), other, &["In", "NotIn"]),
    }
    if let Some(name) = codes.container_name.as_deref().filter(|name| !names.contains(name)) {
        let detail = "must be one of the container or initContainer names in the pod template";
        e.invalid_text(&path.child("containerName"), name, detail);
    }
    let values = path.child("values");
    if codes.values.is_empty() {
        return e.invalid(&values, "[]", "at least one value is required");
    }
    if codes.values.len() > 255 {
        e.too_many(&values, codes.values.len(), 255);
    }
    let mut seen = BTreeSet::new();
    for (index, value) in codes.values.iter().enumerate() {
        if *value == 0 && codes.operator == "In" {
            e.invalid(&values.index(index), value, "must not be 0 for the In operator");
        }
        if !seen.insert(*value) {
            e.duplicate(&values.index(index), &value.to_string());
        }
    }
    if !codes.values.is_sorted() {
        e.invalid(&values, shown(&codes.values), "must be ordered");
    }
}

fn success_policy(e: &mut Errors, policy: &batch::SuccessPolicy, mode: &str, path: &Path<'_>) {
    if mode != "Indexed" {
        let rules: Vec<_> = policy
            .rules
            .iter()
            .map(|rule| json!({ "SucceededIndexes": rule.succeeded_indexes, "SucceededCount": rule.succeeded_count }))
            .collect();
        return e.invalid(path, json!({ "Rules": rules }), "requires indexed completion mode");
    }
    let rules = path.child("rules");
    if policy.rules.is_empty() {
        e.required(
            &rules,
            "at least one rules must be specified when the successPolicy is specified",
        );
    }
    if policy.rules.len() > 20 {
        e.too_many(&rules, policy.rules.len(), 20);
    }
    for (index, rule) in policy.rules.iter().enumerate() {
        let at = rules.index(index);
        if rule.succeeded_count.is_none() && rule.succeeded_indexes.is_none() {
            e.required(
                &at,
                "at least one of succeededCount or succeededIndexes must be specified",
            );
        }
        if let Some(count) = rule.succeeded_count {
            e.nonnegative(&at.child("succeededCount"), count.into());
        }
    }
}

/// `validateCronJobSpec`
pub(super) fn cron_job(e: &mut Errors, job: &batch::CronJob) {
    let path = Path::root("spec");
    let spec = &job.spec;
    let schedule = path.child("schedule");
    if spec.schedule.is_empty() {
        e.required(&schedule, "");
    } else if spec.schedule.contains("TZ") {
        let detail = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead";
        e.invalid_text(&schedule, &spec.schedule, detail);
    } else if let Err(error) = cron::check(&spec.schedule) {
        e.invalid_text(&schedule, &spec.schedule, &error);
    }
    e.nonnegative(
        &path.child("startingDeadlineSeconds"),
        spec.starting_deadline_seconds.unwrap_or(0),
    );
    if let Some(zone) = &spec.time_zone {
        time_zone(e, zone, &path.child("timeZone"));
    }
    let policy = spec.concurrency_policy.as_deref().unwrap_or_default();
    if !matches!(policy, "Allow" | "Forbid" | "Replace") {
        e.unsupported(
            &path.child("concurrencyPolicy"),
            policy,
            &["Allow", "Forbid", "Replace"],
        );
    }
    let template = path.child("jobTemplate");
    let default = batch::JobSpec::default();
    self::spec(
        e,
        spec.job_template.spec.as_ref().unwrap_or(&default),
        &template.child("spec"),
    );
    for (field, limit) in [
        ("successfulJobsHistoryLimit", spec.successful_jobs_history_limit),
        ("failedJobsHistoryLimit", spec.failed_jobs_history_limit),
    ] {
        e.nonnegative(&path.child(field), limit.unwrap_or(0).into());
    }
}

/// `validateTimeZone`. Whether a well-formed zone exists is not checked: the simulator has no database of zones.
fn time_zone(e: &mut Errors, zone: &str, path: &Path<'_>) {
    if zone.is_empty() {
        return e.invalid(path, quoted(zone), "timeZone must be nil or non-empty string");
    }
    let valid = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'+'))
            && !part.starts_with('-')
            && part != "."
            && part != ".."
    };
    if !zone.split('/').all(valid) {
        e.invalid_text(path, zone, &format!("unknown time zone {zone}"));
    } else if zone.eq_ignore_ascii_case("local") {
        let detail = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones";
        e.invalid_text(path, zone, detail);
    }
}
