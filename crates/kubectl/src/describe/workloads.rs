//! Deployments, ReplicaSets, StatefulSets, DaemonSets, Jobs and CronJobs.

use jiff::Timestamp;
use serde_json::Value;

use super::common::{annotations, labels, labels_at, or, time_or};
use super::events::events;
use super::pod::{controlled_by, template};
use super::writer::Writer;
use crate::print::age::human_duration;
use crate::selector::format_selector;
use crate::value::{has, int, list, map, opt_int, scalar, text, time, truth};

fn selector(object: &Value, pointer: &str) -> String {
    object
        .pointer(pointer)
        .map_or_else(|| "<none>".to_owned(), format_selector)
}

fn head(w: &mut Writer, object: &Value) {
    w.line(0, format!("Name:\t{}", text(object, "/metadata/name")));
    w.line(0, format!("Namespace:\t{}", text(object, "/metadata/namespace")));
}

fn created(w: &mut Writer, object: &Value) {
    w.line(
        0,
        format!(
            "CreationTimestamp:\t{}",
            time_or(object, "/metadata/creationTimestamp", "<unset>")
        ),
    );
}

fn pod_template(w: &mut Writer, object: &Value, pointer: &str) {
    if let Some(found) = object.pointer(pointer) {
        template(w, found);
    }
}

/// Conditions with their reasons.
fn conditions(w: &mut Writer, object: &Value) {
    let conditions = list(object, "/status/conditions");
    if conditions.is_empty() {
        return;
    }
    w.line(0, "Conditions:");
    w.line(1, "Type\tStatus\tReason");
    w.line(1, "----\t------\t------");
    for condition in conditions {
        w.line(
            1,
            format!(
                "{} \t{}\t{}",
                text(condition, "/type"),
                text(condition, "/status"),
                text(condition, "/reason")
            ),
        );
    }
}

fn owned<'a>(object: &'a Value, around: &'a [Value], kind: &'static str) -> impl Iterator<Item = &'a Value> {
    let uid = text(object, "/metadata/uid");
    around.iter().filter(move |other| {
        text(other, "/kind") == kind
            && list(other, "/metadata/ownerReferences")
                .iter()
                .any(|owner| truth(owner, "/controller") && text(owner, "/uid") == uid)
    })
}

fn pod_counts(w: &mut Writer, object: &Value, around: &[Value]) {
    let count = |phase: &str| {
        owned(object, around, "Pod")
            .filter(|pod| text(pod, "/status/phase") == phase)
            .count()
    };
    w.line(
        0,
        format!(
            "Pods Status:\t{} Running / {} Waiting / {} Succeeded / {} Failed",
            count("Running"),
            count("Pending"),
            count("Succeeded"),
            count("Failed")
        ),
    );
}

/// Describes a Deployment.
pub(super) fn deployment(object: &Value, around: &[Value], now: Timestamp, show_events: bool) -> String {
    let mut out = Writer::default();
    let w = &mut out;
    head(w, object);
    created(w, object);
    labels(w, "Labels", map(object, "/metadata/labels"));
    annotations(w, object);
    w.line(0, format!("Selector:\t{}", selector(object, "/spec/selector")));
    let count = |field: &str| int(object, &format!("/status/{field}"));
    w.line(
        0,
        format!(
            "Replicas:\t{} desired | {} updated | {} total | {} available | {} unavailable",
            int(object, "/spec/replicas"),
            count("updatedReplicas"),
            count("replicas"),
            count("availableReplicas"),
            count("unavailableReplicas")
        ),
    );
    w.line(0, format!("StrategyType:\t{}", text(object, "/spec/strategy/type")));
    w.line(0, format!("MinReadySeconds:\t{}", int(object, "/spec/minReadySeconds")));
    if has(object, "/spec/strategy/rollingUpdate") {
        let amount = |field: &str| {
            object
                .pointer(&format!("/spec/strategy/rollingUpdate/{field}"))
                .map(scalar)
                .unwrap_or_default()
        };
        w.line(
            0,
            format!(
                "RollingUpdateStrategy:\t{} max unavailable, {} max surge",
                amount("maxUnavailable"),
                amount("maxSurge")
            ),
        );
    }
    pod_template(w, object, "/spec/template");
    conditions(w, object);
    let mut sets: Vec<&Value> = owned(object, around, "ReplicaSet").collect();
    sets.sort_by_key(|set| (time(set, "/metadata/creationTimestamp"), text(set, "/metadata/name")));
    if !sets.is_empty() {
        let without_hash = |set: &Value| {
            let mut template = set.pointer("/spec/template").cloned().unwrap_or_default();
            if let Some(labels) = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
                labels.shift_remove("pod-template-hash");
            }
            template
        };
        let wanted = object.pointer("/spec/template").cloned().unwrap_or_default();
        let new = sets.iter().position(|set| without_hash(set) == wanted);
        let shown = |set: &Value| {
            format!(
                "{} ({}/{} replicas created)",
                text(set, "/metadata/name"),
                int(set, "/status/replicas"),
                int(set, "/spec/replicas")
            )
        };
        let old: Vec<String> = sets
            .iter()
            .enumerate()
            .filter(|(index, _)| Some(*index) != new)
            .map(|(_, set)| shown(set))
            .collect();
        w.line(
            0,
            format!(
                "OldReplicaSets:\t{}",
                if old.is_empty() {
                    "<none>".to_owned()
                } else {
                    old.join(", ")
                }
            ),
        );
        w.line(
            0,
            format!(
                "NewReplicaSet:\t{}",
                new.and_then(|index| sets.get(index))
                    .map_or_else(|| "<none>".to_owned(), |set| shown(set))
            ),
        );
    }
    if show_events {
        events(w, around, now);
    }
    out.finish()
}

/// Describes a ReplicaSet.
pub(super) fn replica_set(object: &Value, around: &[Value], now: Timestamp, show_events: bool) -> String {
    let mut out = Writer::default();
    let w = &mut out;
    head(w, object);
    w.line(0, format!("Selector:\t{}", selector(object, "/spec/selector")));
    labels(w, "Labels", map(object, "/metadata/labels"));
    annotations(w, object);
    controlled_by(w, object);
    w.line(
        0,
        format!(
            "Replicas:\t{} current / {} desired",
            int(object, "/status/replicas"),
            int(object, "/spec/replicas")
        ),
    );
    pod_counts(w, object, around);
    pod_template(w, object, "/spec/template");
    conditions(w, object);
    if show_events {
        events(w, around, now);
    }
    out.finish()
}

/// Describes a StatefulSet.
pub(super) fn stateful_set(object: &Value, around: &[Value], now: Timestamp, show_events: bool) -> String {
    let mut out = Writer::default();
    let w = &mut out;
    head(w, object);
    created(w, object);
    w.line(0, format!("Selector:\t{}", selector(object, "/spec/selector")));
    labels(w, "Labels", map(object, "/metadata/labels"));
    annotations(w, object);
    w.line(
        0,
        format!(
            "Replicas:\t{} desired | {} total",
            int(object, "/spec/replicas"),
            int(object, "/status/replicas")
        ),
    );
    w.line(
        0,
        format!("Update Strategy:\t{}", text(object, "/spec/updateStrategy/type")),
    );
    if let Some(partition) = opt_int(object, "/spec/updateStrategy/rollingUpdate/partition") {
        w.line(1, format!("Partition:\t{partition}"));
    }
    if let Some(unavailable) = object.pointer("/spec/updateStrategy/rollingUpdate/maxUnavailable") {
        w.line(1, format!("MaxUnavailable:\t{}", scalar(unavailable)));
    }
    pod_counts(w, object, around);
    pod_template(w, object, "/spec/template");
    let claims = list(object, "/spec/volumeClaimTemplates");
    if claims.is_empty() {
        w.line(0, "Volume Claims:\t<none>");
    } else {
        w.line(0, "Volume Claims:");
        for claim in claims {
            w.line(1, format!("Name:\t{}", text(claim, "/metadata/name")));
            w.line(1, format!("StorageClass:\t{}", text(claim, "/spec/storageClassName")));
            labels_at(w, 1, "Labels", "\t", map(claim, "/metadata/labels"));
            super::common::annotations_at(w, 1, "Annotations", claim);
            w.line(
                1,
                format!(
                    "Capacity:\t{}",
                    claim
                        .pointer("/spec/resources/requests/storage")
                        .map_or_else(|| "<default>".to_owned(), scalar)
                ),
            );
            let modes: Vec<&str> = list(claim, "/spec/accessModes")
                .iter()
                .filter_map(Value::as_str)
                .collect();
            w.line(1, format!("Access Modes:\t[{}]", modes.join(" ")));
        }
    }
    if show_events {
        events(w, around, now);
    }
    out.finish()
}

/// Describes a DaemonSet.
pub(super) fn daemon_set(object: &Value, around: &[Value], now: Timestamp, show_events: bool) -> String {
    let mut out = Writer::default();
    let w = &mut out;
    head(w, object);
    w.line(0, format!("Selector:\t{}", selector(object, "/spec/selector")));
    let nodes = object
        .pointer("/spec/template/spec/nodeSelector")
        .map_or_else(|| "<none>".to_owned(), format_selector);
    w.line(0, format!("Node-Selector:\t{nodes}"));
    labels(w, "Labels", map(object, "/metadata/labels"));
    annotations(w, object);
    for (title, field) in [
        ("Desired Number of Nodes Scheduled", "desiredNumberScheduled"),
        ("Current Number of Nodes Scheduled", "currentNumberScheduled"),
        (
            "Number of Nodes Scheduled with Up-to-date Pods",
            "updatedNumberScheduled",
        ),
        ("Number of Nodes Scheduled with Available Pods", "numberAvailable"),
        ("Number of Nodes Misscheduled", "numberMisscheduled"),
    ] {
        w.line(0, format!("{title}: {}", int(object, &format!("/status/{field}"))));
    }
    pod_counts(w, object, around);
    pod_template(w, object, "/spec/template");
    if show_events {
        events(w, around, now);
    }
    out.finish()
}

/// Describes a Job.
pub(super) fn job(object: &Value, around: &[Value], now: Timestamp, show_events: bool) -> String {
    let mut out = Writer::default();
    let w = &mut out;
    head(w, object);
    if has(object, "/spec/selector") {
        w.line(0, format!("Selector:\t{}", selector(object, "/spec/selector")));
    }
    labels(w, "Labels", map(object, "/metadata/labels"));
    annotations(w, object);
    controlled_by(w, object);
    if let Some(parallelism) = opt_int(object, "/spec/parallelism") {
        w.line(0, format!("Parallelism:\t{parallelism}"));
    }
    w.line(
        0,
        format!(
            "Completions:\t{}",
            opt_int(object, "/spec/completions").map_or_else(|| "<unset>".to_owned(), |count| count.to_string())
        ),
    );
    if !text(object, "/spec/completionMode").is_empty() {
        w.line(0, format!("Completion Mode:\t{}", text(object, "/spec/completionMode")));
    }
    if has(object, "/spec/suspend") {
        w.line(0, format!("Suspend:\t{}", truth(object, "/spec/suspend")));
    }
    if let Some(limit) = opt_int(object, "/spec/backoffLimit") {
        w.line(0, format!("Backoff Limit:\t{limit}"));
    }
    if let Some(ttl) = opt_int(object, "/spec/ttlSecondsAfterFinished") {
        w.line(0, format!("TTL Seconds After Finished:\t{ttl}"));
    }
    let (start, end) = (
        time(object, "/status/startTime"),
        time(object, "/status/completionTime"),
    );
    if start.is_some() {
        w.line(0, format!("Start Time:\t{}", time_or(object, "/status/startTime", "")));
    }
    if end.is_some() {
        w.line(
            0,
            format!("Completed At:\t{}", time_or(object, "/status/completionTime", "")),
        );
    }
    if let Some((start, end)) = start.zip(end) {
        w.line(
            0,
            format!("Duration:\t{}", human_duration(end.duration_since(start).as_secs())),
        );
    }
    if let Some(deadline) = opt_int(object, "/spec/activeDeadlineSeconds") {
        w.line(0, format!("Active Deadline Seconds:\t{deadline}s"));
    }
    let count = |field: &str| int(object, &format!("/status/{field}"));
    let ready = opt_int(object, "/status/ready").map_or_else(String::new, |ready| format!(" ({ready} Ready)"));
    w.line(
        0,
        format!(
            "Pods Statuses:\t{} Active{ready} / {} Succeeded / {} Failed",
            count("active"),
            count("succeeded"),
            count("failed")
        ),
    );
    if text(object, "/spec/completionMode") == "Indexed" {
        w.line(
            0,
            format!(
                "Completed Indexes:\t{}",
                or(object, "/status/completedIndexes", "<none>")
            ),
        );
    }
    pod_template(w, object, "/spec/template");
    if show_events {
        events(w, around, now);
    }
    out.finish()
}

/// Describes a CronJob.
pub(super) fn cron_job(object: &Value, around: &[Value], now: Timestamp, show_events: bool) -> String {
    let mut out = Writer::default();
    let w = &mut out;
    head(w, object);
    labels(w, "Labels", map(object, "/metadata/labels"));
    annotations(w, object);
    w.line(0, format!("Schedule:\t{}", text(object, "/spec/schedule")));
    w.line(
        0,
        format!("Concurrency Policy:\t{}", text(object, "/spec/concurrencyPolicy")),
    );
    let suspend = match object.pointer("/spec/suspend").and_then(Value::as_bool) {
        Some(true) => "True",
        Some(false) => "False",
        None => "<unset>",
    };
    w.line(0, format!("Suspend:\t{suspend}"));
    w.line(0, format!("Time Zone:\t{}", or(object, "/spec/timeZone", "<unset>")));
    let number = |pointer: &str, unit: &str| {
        opt_int(object, pointer).map_or_else(|| "<unset>".to_owned(), |count| format!("{count}{unit}"))
    };
    w.line(
        0,
        format!(
            "Successful Job History Limit:\t{}",
            number("/spec/successfulJobsHistoryLimit", "")
        ),
    );
    w.line(
        0,
        format!(
            "Failed Job History Limit:\t{}",
            number("/spec/failedJobsHistoryLimit", "")
        ),
    );
    w.line(
        0,
        format!(
            "Starting Deadline Seconds:\t{}",
            number("/spec/startingDeadlineSeconds", "s")
        ),
    );
    let selector = object
        .pointer("/spec/jobTemplate/spec/selector")
        .map_or_else(|| "<unset>".to_owned(), format_selector);
    w.line(0, format!("Selector:\t{selector}"));
    w.line(
        0,
        format!("Parallelism:\t{}", number("/spec/jobTemplate/spec/parallelism", "")),
    );
    w.line(
        0,
        format!("Completions:\t{}", number("/spec/jobTemplate/spec/completions", "")),
    );
    if let Some(deadline) = opt_int(object, "/spec/jobTemplate/spec/activeDeadlineSeconds") {
        w.line(0, format!("Active Deadline Seconds:\t{deadline}s"));
    }
    pod_template(w, object, "/spec/jobTemplate/spec/template");
    w.line(
        0,
        format!(
            "Last Schedule Time:\t{}",
            time_or(object, "/status/lastScheduleTime", "<unset>")
        ),
    );
    let active: Vec<&str> = list(object, "/status/active")
        .iter()
        .map(|job| text(job, "/name"))
        .collect();
    w.line(
        0,
        format!(
            "Active Jobs:\t{}",
            if active.is_empty() {
                "<none>".to_owned()
            } else {
                active.join(", ")
            }
        ),
    );
    if show_events {
        events(w, around, now);
    }
    out.finish()
}
