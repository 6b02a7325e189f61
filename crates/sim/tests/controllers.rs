//! The rules of controllers against the real functions.

mod common;

use common::{compare, int, read};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use peapod_sim::controllers::cron_job::missed::{Missed, Since};
use peapod_sim::controllers::cron_job::schedule::Schedule;
use peapod_sim::controllers::deployment::rolling::{Fences, new_replicas, proportion};
use peapod_sim::controllers::disruption::allowance;
use peapod_sim::controllers::history;
use peapod_sim::controllers::int_or_percent::{Round, scaled};
use peapod_sim::controllers::job::backoff::{self, BackoffRecord};
use peapod_sim::controllers::job::indexes::Indexes;
use peapod_sim::controllers::job::policy;
use peapod_sim::controllers::replicaset::ranking::{self, Ranked};
use peapod_sim::controllers::template_hash::{compute_hash, dump, safe_encode};
use peapod_sim::core;
use serde_json::{Value, json};

fn int_or_string(value: &Value) -> IntOrString {
    match value.as_str() {
        Some(text) => text
            .parse()
            .map_or_else(|_| IntOrString::String(text.to_owned()), IntOrString::Int),
        None => IntOrString::Int(int(value)),
    }
}

#[test]
fn template_hashes() {
    for case in common::vectors("control-plane-hash.json") {
        if !case["id"]
            .as_str()
            .is_some_and(|id| id.starts_with("pod-template-hash/"))
        {
            continue;
        }
        let out = &case["out"];
        let template: core::PodTemplateSpec = read(&out["template"]);
        assert_eq!(dump(&template), out["dump"].as_str().expect("a dump"), "{}", case["id"]);
        assert_eq!(
            compute_hash(&template, None),
            out["hash"].as_str().expect("a hash"),
            "{}",
            case["id"]
        );
        for count in [0, 1, 2, 7, 1000] {
            let theirs = &out[format!("hashCollision{count}")];
            assert_eq!(
                json!(compute_hash(&template, Some(count))),
                *theirs,
                "{} collision {count}",
                case["id"]
            );
        }
    }
}

#[test]
fn shares_of_whole_numbers() {
    compare("control-plane-intorpercent.json", "intorpercent", |input| {
        let value = int_or_string(&input["value"]);
        let kind = if matches!(value, IntOrString::Int(_)) {
            "int"
        } else {
            "string"
        };
        let total = int(&input["total"]);
        match (scaled(&value, total, Round::Up), scaled(&value, total, Round::Down)) {
            (Ok(up), Ok(down)) => json!({"up": up, "down": down, "type": kind}),
            (Err(error), _) | (_, Err(error)) => json!({"error": error, "type": kind}),
        }
    });
}

#[test]
fn fences_of_rollouts() {
    compare("control-plane-deployment.json", "deployment-fenceposts", |input| {
        let (surge, unavailable) = (
            int_or_string(&input["maxSurge"]),
            int_or_string(&input["maxUnavailable"]),
        );
        let fences = Fences::resolve(Some(&surge), Some(&unavailable), int(&input["desired"]));
        json!({
            "surge": fences.surge, "unavailable": fences.unavailable, "MaxSurge": fences.surge,
            "MaxUnavailable": fences.max_unavailable(), "MinAvailable": fences.min_available(),
        })
    });
}

#[test]
fn sizes_of_new_replica_sets() {
    compare("control-plane-deployment.json", "deployment-newrs", |input| {
        let (desired, new) = (int(&input["desired"]), int(&input["newRS"]));
        if input["strategy"] == "Recreate" {
            return json!(desired);
        }
        let surge = scaled(&int_or_string(&input["maxSurge"]), desired, Round::Up).unwrap_or(0);
        json!(new_replicas(desired, surge, int(&input["oldRSs"]) + new, new))
    });
}

#[test]
fn shares_of_a_new_size() {
    compare("control-plane-deployment.json", "deployment-proportion", |input| {
        let surge = int_or_string(&input["maxSurge"]);
        let fences = Fences::resolve(Some(&surge), Some(&IntOrString::Int(1)), int(&input["desired"]));
        let annotated = int(&input["maxReplicasAnnotation"]);
        let before = if annotated == 0 {
            int(&input["statusReplicas"])
        } else {
            annotated
        };
        json!(proportion(
            int(&input["rsReplicas"]),
            fences,
            before,
            int(&input["toAdd"]),
            int(&input["added"])
        ))
    });
}

#[test]
fn which_pods_go_first() {
    let now: Timestamp = "2024-08-10T12:00:00Z".parse().expect("a time");
    let ago = |seconds: &Value| (now - SignedDuration::from_secs(seconds.as_i64().unwrap_or(0))).to_string();
    compare("control-plane-replicaset-ranking.json", "replicaset-ranking", |input| {
        let pods: Vec<(core::Pod, usize)> = input["pods"]
            .as_array()
            .expect("pods")
            .iter()
            .map(|pod| {
                let ready = pod["ready"] == true;
                let mut condition = json!({"type": "Ready", "status": if ready { "True" } else { "False" }});
                if ready && !pod["readySecondsAgo"].is_null() {
                    condition["lastTransitionTime"] = json!(ago(&pod["readySecondsAgo"]));
                }
                let object = json!({
                    "metadata": {
                        "name": pod["name"], "uid": pod["name"], "creationTimestamp": ago(&pod["createdSecondsAgo"]),
                        "annotations": {"controller.kubernetes.io/pod-deletion-cost": pod["deletionCost"]},
                    },
                    "spec": {"nodeName": pod["nodeName"], "containers": [{"name": "c"}]},
                    "status": {
                        "phase": pod["phase"], "conditions": [condition],
                        "containerStatuses": [{"name": "c", "image": "", "imageID": "", "ready": ready, "restartCount": pod["restarts"]}],
                    },
                });
                (read(&object), usize::try_from(int(&pod["rank"])).unwrap_or(0))
            })
            .collect();
        let mut ranked: Vec<Ranked<'_>> = pods.iter().map(|(pod, rank)| Ranked { pod, rank: *rank }).collect();
        ranking::sort(&mut ranked, now);
        ranked.iter().map(|ranked| json!(ranked.pod.metadata.name)).collect()
    });
}

#[test]
fn encoded_texts_spell_no_words() {
    assert_eq!(safe_encode("1234567890"), "56789bcdf4");
}

fn seconds_ago(now: Timestamp, value: &Value) -> Timestamp {
    now - SignedDuration::from_secs(value.as_i64().unwrap_or(0))
}

#[test]
fn waits_of_jobs() {
    let now: Timestamp = "2024-08-10T12:00:00Z".parse().expect("a time");
    compare("control-plane-job.json", "job-backoff", |input| {
        let last = seconds_ago(now, &input["lastFailureSecondsAgo"]);
        let left = backoff::remaining(int(&input["failuresAfterLastSuccess"]), Some(last), now);
        json!({"remainingSeconds": left.as_secs()})
    });
    compare("control-plane-job.json", "job-backoff-record", |input| {
        let times = |value: &Value| {
            value
                .as_array()
                .into_iter()
                .flatten()
                .map(|ago| seconds_ago(now, ago))
                .collect::<Vec<Timestamp>>()
        };
        let before = BackoffRecord {
            failures: int(&input["previousFailures"]),
            last_failure: Some(seconds_ago(now, &input["previousFailureSecondsAgo"])),
        };
        let record = before.after(
            times(&input["newSucceededSecondsAgo"]),
            times(&input["newFailedSecondsAgo"]),
        );
        json!({"failuresAfterLastSuccess": record.failures, "remainingSeconds": record.remaining(now).as_secs()})
    });
}

#[test]
fn sets_of_indexes() {
    compare("control-plane-job.json", "job-indexes", |input| {
        let completions = usize::try_from(int(&input["completions"])).unwrap_or(0);
        let indexes = Indexes::parse(input["indexes"].as_str().expect("a text"), completions);
        json!({
            "canonical": indexes.to_string(), "total": indexes.total(),
            "has0": indexes.has(0), "has4": indexes.has(4),
        })
    });
}

#[test]
fn verdicts_of_failure_policies() {
    compare("control-plane-job.json", "job-podfailurepolicy", |input| {
        let status = &input["podStatus"];
        let containers = |codes: &Value| -> Value {
            let entries = codes.as_object().into_iter().flatten();
            entries
                .map(|(name, code)| {
                    json!({
                        "name": name, "image": "", "imageID": "", "ready": false, "restartCount": 0,
                        "state": {"terminated": {"exitCode": code}},
                    })
                })
                .collect()
        };
        let pod: core::Pod = read(&json!({
            "metadata": {"namespace": "default", "name": "j-abc"},
            "status": {
                "conditions": status["conditions"],
                "containerStatuses": containers(&status["exitCodes"]),
                "initContainerStatuses": containers(&status["initExitCodes"]),
            },
        }));
        let verdict = policy::judge(Some(&read(&input["policy"])), &pod);
        let mut out = json!({"countFailed": verdict.counts});
        if let Some(action) = verdict.action {
            out["action"] = json!(action);
        }
        if let Some(message) = verdict.job_failure {
            out["jobFailureMessage"] = json!(message);
        }
        out
    });
}

#[test]
fn revisions_of_stateful_sets() {
    for case in common::vectors("control-plane-hash.json") {
        if !case["id"]
            .as_str()
            .is_some_and(|id| id.starts_with("statefulset-revision/"))
        {
            continue;
        }
        let data: Value = serde_json::from_str(case["out"]["data"].as_str().expect("data")).expect("JSON");
        let template: core::PodTemplateSpec = read(&data["spec"]["template"]);
        let ours = history::template_patch(&template);
        assert_eq!(
            history::encoded(&ours),
            case["out"]["data"].as_str().expect("data"),
            "{}",
            case["id"]
        );
        for (count, key) in [(0, "name"), (1, "nameCollision1"), (5, "nameCollision5")] {
            assert_eq!(
                json!(format!("web-{}", history::hash(&ours, count))),
                case["out"][key],
                "{}",
                case["id"]
            );
        }
    }
}

#[test]
fn times_of_schedules() {
    for case in common::vectors("control-plane-cronjob.json") {
        let (id, input, out) = (&case["id"], &case["in"], &case["out"]);
        // Time zones other than UTC are not simulated.
        if !id.as_str().is_some_and(|id| id.starts_with("cron-next/"))
            || input["timeZone"].as_str().is_some_and(|zone| !zone.is_empty())
        {
            continue;
        }
        let schedule = match Schedule::parse(input["schedule"].as_str().expect("a schedule")) {
            Ok(schedule) => schedule,
            Err(error) => {
                assert_eq!(json!(error), out["error"], "{id}");
                continue;
            }
        };
        assert_eq!(Value::Null, out["error"], "{id} {}", input["schedule"]);
        let Some(after) = input["after"].as_str() else { continue };
        let mut time: Timestamp = after.parse().expect("a time");
        for wanted in out["next"].as_array().expect("times") {
            match schedule.next(time) {
                Some(next) => time = next,
                None => {
                    assert!(*wanted == "never", "{id} {wanted}");
                    break;
                }
            }
            assert_eq!(json!(time.to_string()), *wanted, "{id} {}", input["schedule"]);
        }
    }
}

#[test]
fn missed_times_of_schedules() {
    compare("control-plane-cronjob.json", "cron-missed", |input| {
        let time = |key: &str| {
            input[key]
                .as_str()
                .map(|text| text.parse::<Timestamp>().expect("a time"))
        };
        let schedule = Schedule::parse(input["schedule"].as_str().expect("a schedule")).expect("a schedule");
        let now = time("now").expect("a time");
        let since = Since {
            created: time("created").expect("a time"),
            last: time("lastScheduleTime"),
            deadline: input["startingDeadlineSeconds"].as_i64(),
        };
        let requeue = since
            .requeue(now, &schedule)
            .map_or(-9_223_372_036.854_776, |span| span.as_secs_f64());
        let (due, missed) = match since.due(now, &schedule) {
            Ok(found) => found,
            Err(error) => return json!({"error": error, "missed": "none", "requeueSeconds": requeue}),
        };
        let missed_name = match missed {
            Missed::None => "none",
            Missed::Few => "few",
            Missed::Many => "many",
        };
        let mut out = json!({"missed": missed_name, "requeueSeconds": requeue});
        if let Some(due) = due {
            out["scheduleNow"] = json!(due.to_string());
            out["jobName"] = json!(format!("cj-{}", due.as_second() / 60));
            if missed == Missed::Many {
                out["event"] = json!(
                    "Warning TooManyMissedTimes too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew"
                );
            }
        }
        out
    });
}

#[test]
fn disruption_budgets() {
    compare("control-plane-pdb.json", "pdb", |input| {
        let value = |key: &str| (!input[key].is_null()).then(|| int_or_string(&input[key]));
        let spec = k8s_openapi::api::policy::v1::PodDisruptionBudgetSpec {
            min_available: value("minAvailable"),
            max_unavailable: value("maxUnavailable"),
            ..Default::default()
        };
        let (scale, healthy) = (int(&input["replicaSetReplicas"]), int(&input["readyPods"]));
        let counted = allowance(&spec, scale, scale, healthy).expect("a budget");
        let (status, reason) = if counted.allowed > 0 {
            ("True", "SufficientPods")
        } else {
            ("False", "InsufficientPods")
        };
        json!({
            "condition": {"message": "", "reason": reason, "status": status, "type": "DisruptionAllowed"},
            "currentHealthy": healthy, "desiredHealthy": counted.desired_healthy,
            "disruptionsAllowed": counted.allowed, "expectedPods": counted.expected,
        })
    });
}
