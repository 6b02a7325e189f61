//! The kubelet's decisions.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use peapod_sim::core;
use peapod_sim::kubelet::actions::{KillReason, ProbeResult, ProbeResults, compute_pod_actions};
use peapod_sim::kubelet::admission::{HostPort, admit, ports_conflict};
use peapod_sim::kubelet::backoff::Backoff;
use peapod_sim::kubelet::event::ProbeKind;
use peapod_sim::kubelet::eviction::rank::{Candidate, ContainerUse, message, offenders, order};
use peapod_sim::kubelet::eviction::threshold::{
    Observation, Pressure, Signal, Threshold, amount_shown, parse_thresholds,
};
use peapod_sim::kubelet::image_decision::{Answer, Asked, ensure_image_exists, pull_failure, pulled};
use peapod_sim::kubelet::probe_worker::{ProbeState, Sight, Tick};
use peapod_sim::kubelet::restart;
use peapod_sim::kubelet::runtime_status::{ContainerRecord, RuntimeStatus, SandboxStatus, State};
use peapod_sim::kubelet::status::started_ready;
use peapod_sim::kubelet::statuses::{Conversion, ReasonCache};
use peapod_sim::kubelet::{self, kill, merge, phase};
use peapod_sim::resources::{ResourceOptions, limits, milli_value, requests};
use peapod_sim::time::{SimDuration, SimTime};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::same;

/// Fields that a row's times and generations make different on every run.
const TIMES: &[&str] = &["lastTransitionTime", "startTime", "observedGeneration", "lastProbeTime"];

fn read<T: DeserializeOwned + Default>(value: &Value) -> T {
    if value.is_null() {
        return T::default();
    }
    serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{error}: {value}"))
}

fn pod(value: &Value) -> core::Pod {
    let mut pod = value.clone();
    pod["metadata"].as_object_mut().map(|meta| meta.remove("generation"));
    // Some unit tests use containers without a name, and probes without a handler.
    read(&pod)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn equal<T: PartialEq + std::fmt::Debug>(ours: T, theirs: T) -> Result<(), String> {
    if ours == theirs {
        Ok(())
    } else {
        Err(format!("ours {ours:?} not {theirs:?}"))
    }
}

fn runtime(value: &Value) -> RuntimeStatus {
    let state = |text: &str| match text {
        "created" => State::Created,
        "running" => State::Running,
        "exited" => State::Exited,
        _ => State::Unknown,
    };
    let list = |key: &str| value[key].as_array().cloned().unwrap_or_default();
    let time = |value: &Value| {
        value
            .as_str()
            .and_then(|text| text.parse::<Timestamp>().ok())
            .map(|at| SimTime(u64::try_from(at.as_second().max(0)).unwrap_or(0) * 1_000_000_000))
    };
    RuntimeStatus {
        sandboxes: list("sandboxes")
            .iter()
            .map(|sandbox| SandboxStatus {
                id: text(sandbox, "id").to_owned(),
                ready: text(sandbox, "state") == "SANDBOX_READY",
                attempt: sandbox["attempt"].as_u64().unwrap_or(0) as u32,
                ip: sandbox["ip"].as_str().filter(|ip| !ip.is_empty()).map(str::to_owned),
                host_network: text(sandbox, "networkNamespace") == "NODE",
            })
            .collect(),
        containers: list("containers")
            .iter()
            .map(|container| ContainerRecord {
                id: text(container, "id").to_owned(),
                name: text(container, "name").to_owned(),
                state: state(text(container, "state")),
                exit_code: container["exitCode"].as_i64().unwrap_or(0) as i32,
                reason: text(container, "reason").to_owned(),
                message: text(container, "message").to_owned(),
                restart_count: container["restartCount"].as_i64().unwrap_or(0) as i32,
                started_at: time(&container["startedAt"]),
                finished_at: time(&container["finishedAt"]),
                image: text(container, "image").to_owned(),
                image_id: text(container, "imageRef").to_owned(),
                spec_matches: container["specHashMatches"].as_bool().unwrap_or(true),
                ..ContainerRecord::default()
            })
            .collect(),
    }
}

pub fn admission(row: &Value, out: &Value) -> Result<(), String> {
    let node: core::Node = read(&row["node"]);
    let others: Vec<core::Pod> = read(&row["otherPods"]);
    let others: Vec<&core::Pod> = others.iter().collect();
    let refused = admit(&node, &others, &pod(&row["pod"])).err();
    let ours = match refused {
        None => json!({ "admit": true }),
        Some(refusal) => json!({ "admit": false, "reason": refusal.reason, "message": refusal.message }),
    };
    same(&ours, out, &[])
}

pub fn conditions(row: &Value, out: &Value) -> Result<(), String> {
    let spec = pod(&row["pod"]).spec.unwrap_or_default();
    let statuses: Option<Vec<core::ContainerStatus>> = read(&row["containerStatuses"]);
    let known: Vec<core::PodCondition> = read(&row["conditions"]);
    let old: Vec<core::PodCondition> = read(&row["oldConditions"]);
    let phase = text(row, "phase");
    let statuses = statuses.as_deref();
    let condition = match text(row, "condition") {
        "ContainersReady" => kubelet::conditions::containers_ready(&spec, statuses, phase),
        "Ready" => kubelet::conditions::ready(&spec, &known, statuses, phase),
        _ => kubelet::conditions::initialized(&spec, statuses, phase, &old),
    };
    same(&serde_json::to_value(condition).unwrap_or_default(), out, TIMES)
}

pub fn container_grace(row: &Value, out: &Value) -> Result<(), String> {
    let probe = row["probeTerminationGracePeriodSeconds"]
        .as_i64()
        .map(|seconds| core::Probe {
            termination_grace_period_seconds: Some(seconds),
            ..Default::default()
        });
    let container = core::Container {
        liveness_probe: probe.clone(),
        startup_probe: probe,
        ..core::Container::default()
    };
    let pod = core::Pod {
        metadata: k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
            deletion_grace_period_seconds: row["deletionGracePeriodSeconds"].as_i64(),
            ..Default::default()
        },
        spec: Some(core::Shared::new(core::PodSpec {
            termination_grace_period_seconds: row["podTerminationGracePeriodSeconds"].as_i64(),
            ..Default::default()
        })),
        status: None,
    };
    let reason = match text(row, "killReason") {
        "LivenessProbe" => KillReason::LivenessProbe,
        "StartupProbe" => KillReason::StartupProbe,
        _ => KillReason::Other,
    };
    equal(
        Some(kill::container_grace(&pod, &container, reason)),
        out["gracePeriod"].as_i64(),
    )
}

pub fn container_statuses(row: &Value, out: &Value) -> Result<(), String> {
    let pod = pod(&row["pod"]);
    let runtime = runtime(&row["runtimeStatus"]);
    let previous: Vec<core::ContainerStatus> = read(&row["previousStatus"]);
    let mut reasons = ReasonCache::new();
    for (name, entry) in row["reasonCache"].as_object().into_iter().flatten() {
        reasons.insert(
            name.clone(),
            (text(entry, "reason").to_owned(), text(entry, "message").to_owned()),
        );
    }
    let time = |at: SimTime| Time(Timestamp::from_second((at.0 / 1_000_000_000) as i64).unwrap_or_default());
    let conversion = Conversion {
        pod: &pod,
        runtime: &runtime,
        reasons: &reasons,
        pod_restarting: row["podRestarting"].as_bool() == Some(true),
        time: &time,
    };
    let spec = pod.spec.clone().unwrap_or_default().into_inner();
    let is_init = row["isInit"].as_bool() == Some(true);
    let containers = match text(row, "group") {
        "initContainers" => spec.init_containers.unwrap_or_default(),
        "containers" => spec.containers,
        _ => spec
            .ephemeral_containers
            .iter()
            .flatten()
            .map(|container| read(&serde_json::to_value(container).unwrap_or_default()))
            .collect(),
    };
    let has_init = row["hasInitContainers"].as_bool() == Some(true);
    let ours = conversion.statuses(&containers, &previous, has_init, is_init);
    let ours = json!({ "statuses": ours });
    let without = |value: &Value| {
        let text = value.to_string().replace("containerd://", "test://");
        serde_json::from_str::<Value>(&text).unwrap_or_default()
    };
    let ignored = [
        "allocatedResources",
        "resources",
        "startedAt",
        "finishedAt",
        "containerID",
        "user",
        "volumeMounts",
        "started",
    ];
    same(&without(&ours), &without(out), &ignored)
}

fn seconds(value: &Value) -> SimDuration {
    SimDuration::from_millis((value.as_f64().unwrap_or(0.0) * 1000.0) as u64)
}

/// Seconds as a row has them: whole ones without a fraction.
fn shown(at: SimTime) -> Value {
    let millis = at.0 / 1_000_000;
    if millis.is_multiple_of(1000) {
        (millis / 1000).into()
    } else {
        (millis as f64 / 1000.0).into()
    }
}

pub fn crashloop_backoff(row: &Value, out: &Value) -> Result<(), String> {
    let mut backoff = Backoff::new(seconds(&row["initialSeconds"]), seconds(&row["maxSeconds"]));
    let mut now = SimTime::ZERO;
    let mut steps = Vec::new();
    for (run, ran) in row["runSeconds"].as_array().into_iter().flatten().enumerate() {
        let finished = now + seconds(ran);
        let held = backoff.is_in_backoff_since("c", finished, finished);
        let mut step = json!({ "run": run, "ranSeconds": ran, "finishedAt": shown(finished), "inBackOff": held });
        now = finished;
        if held {
            step["backOffSeconds"] = backoff.get("c").as_secs().into();
            now = backoff.expiry("c", finished);
        }
        backoff.next("c", finished, now);
        step["restartedAt"] = shown(now);
        step["entrySecondsAfterNext"] = backoff.get("c").as_secs().into();
        steps.push(step);
    }
    same(&json!({ "steps": steps }), out, &[])
}

pub fn effective_grace(row: &Value, out: &Value) -> Result<(), String> {
    let (grace, shortened) = kubelet::effective_grace(
        row["currentGracePeriod"].as_i64().unwrap_or(0),
        row["deletionGracePeriodSeconds"].as_i64(),
        row["terminationGracePeriodSeconds"].as_i64(),
        row["override"].as_i64(),
    );
    same(&json!({ "gracePeriod": grace, "shortened": shortened }), out, &[])
}

pub fn get_phase(row: &Value, out: &Value) -> Result<(), String> {
    let statuses: Vec<core::ContainerStatus> = read(&row["containerStatuses"]);
    let flag = |key: &str| row[key].as_bool() == Some(true);
    let decision = phase::get_phase(
        &pod(&row["pod"]),
        &statuses,
        flag("podIsTerminal"),
        flag("podHasInitialized"),
    );
    equal(decision.phase, text(out, "phase"))
}

pub fn host_port(row: &Value, out: &Value) -> Result<(), String> {
    let port = |value: &Value| HostPort {
        ip: text(value, "hostIP").to_owned(),
        protocol: text(value, "protocol").to_owned(),
        port: value["hostPort"].as_i64().unwrap_or(0) as i32,
    };
    let wanted = port(&row["want"]);
    let conflict = row["existing"]
        .as_array()
        .into_iter()
        .flatten()
        .any(|known| ports_conflict(&port(known), &wanted));
    equal(Some(conflict), out["conflict"].as_bool())
}

pub fn image_backoff(row: &Value, out: &Value) -> Result<(), String> {
    let mut backoff = Backoff::new(seconds(&row["initialSeconds"]), seconds(&row["maxSeconds"]));
    let horizon = SimTime::ZERO + seconds(&row["horizonSeconds"]);
    let (mut now, mut attempts) = (SimTime::ZERO, Vec::new());
    while now <= horizon {
        let mut taken = SimDuration::ZERO;
        if !backoff.is_in_backoff_since_update("i", now) {
            attempts.push(now.as_secs());
            taken = seconds(&row["pullTakesSeconds"]);
            let failed = now + taken;
            backoff.next("i", failed, failed);
        }
        now = now + taken + seconds(&row["pollSeconds"]);
    }
    same(&json!({ "pullAttemptsAt": attempts }), out, &[])
}

pub fn image_pull(row: &Value, out: &Value) -> Result<(), String> {
    let image = text(row, "image");
    let key = "pod_image";
    // The rows begin with a wait that was reached at the instant zero, and now is when it is over, or not yet.
    let waited = seconds(&row["backOffSeconds"]);
    let mut backoff = Backoff::new(SimDuration::from_secs(1), SimDuration::from_secs(300));
    while backoff.get(key) < waited {
        backoff.next(key, SimTime::ZERO, SimTime::ZERO);
    }
    let now = if row["inBackOff"] == true {
        SimTime::ZERO
    } else {
        SimTime::ZERO + waited
    };
    let answer = ensure_image_exists(Asked {
        image,
        policy: text(row, "pullPolicy"),
        present: !text(row, "localImageRef").is_empty(),
        inspect_error: text(row, "inspectError"),
        may_use: row["mustReverifyCredentials"] != true,
        verified: row["ensureSecretPulledImages"] == true,
    });
    let event = |kind: &str, reason: &str, message: &str| json!({ "type": kind, "reason": reason, "message": message });
    let mut events = Vec::new();
    let mut image_ref = String::new();
    let (error, message) = match answer {
        Answer::Present(message) => {
            image_ref = text(row, "localImageRef").to_owned();
            events.push(event("Normal", "Pulled", &message));
            ("", message)
        }
        Answer::Refused(reason, error, message) => {
            events.push(event("Warning", reason, &message));
            (error, message)
        }
        Answer::Pull(_) if backoff.is_in_backoff_since_update(key, now) => {
            let message = format!("Back-off pulling image \"{image}\"");
            events.push(event("Normal", "BackOff", &message));
            ("ImagePullBackOff", message)
        }
        Answer::Pull(reference) => {
            events.push(event("Normal", "Pulling", &format!("Pulling image \"{image}\"")));
            match text(row, "pullOutcome").strip_prefix("error: ") {
                None => {
                    let zero = SimDuration::ZERO;
                    events.push(event("Normal", "Pulled", &pulled(image, zero, zero, Some(0))));
                    image_ref = format!("{image}:{}", reference.tag.unwrap_or_default());
                    ("", String::new())
                }
                Some(error) => {
                    let text = format!("Failed to pull image \"{image}\": {error}");
                    events.push(event("Warning", "Failed", &text));
                    backoff.next(key, now, now);
                    pull_failure(image, error)
                }
            }
        }
    };
    let ours = json!({
        "imageRef": image_ref,
        "message": message,
        "error": error,
        "events": events,
        "backOffSecondsAfter": backoff.get(key).as_secs(),
    });
    same(&ours, out, &[])
}

pub fn merge_pod_status(row: &Value, out: &Value) -> Result<(), String> {
    let (api, mine): (core::PodStatus, core::PodStatus) = (read(&row["apiStatus"]), read(&row["kubeletStatus"]));
    let could_run = row["couldHaveRunningContainers"].as_bool() == Some(true);
    let now = Time(Timestamp::UNIX_EPOCH);
    let merged = merge::merge_pod_status(&api, &mine, could_run, &now);
    same(&serde_json::to_value(merged).unwrap_or_default(), out, TIMES)
}

struct Results(Value);

impl ProbeResults for Results {
    fn liveness(&self, id: &str) -> Option<ProbeResult> {
        result(&self.0[id]["liveness"])
    }

    fn startup(&self, id: &str) -> Option<ProbeResult> {
        result(&self.0[id]["startup"])
    }
}

fn result(value: &Value) -> Option<ProbeResult> {
    Some(match value.as_str()? {
        "Success" => ProbeResult::Success,
        "Failure" => ProbeResult::Failure,
        _ => ProbeResult::Unknown,
    })
}

pub fn pod_actions(row: &Value, out: &Value) -> Result<(), String> {
    let probes = Results(row["probeResults"].clone());
    let restart_all = row["restartAllContainers"].as_bool() == Some(true);
    let actions = compute_pod_actions(&pod(&row["pod"]), &runtime(&row["runtimeStatus"]), &probes, restart_all);
    let reason = |reason: KillReason| match reason {
        KillReason::LivenessProbe => "LivenessProbe",
        KillReason::StartupProbe => "StartupProbe",
        KillReason::Unknown | KillReason::Other => "",
    };
    let kills: Vec<Value> = actions
        .containers_to_kill
        .iter()
        .map(|kill| json!({ "id": kill.id, "name": kill.name, "message": kill.message, "reason": reason(kill.reason) }))
        .collect();
    let ours = json!({
        "killPod": actions.kill_pod,
        "createSandbox": actions.create_sandbox,
        "sandboxID": actions.sandbox_id,
        "attempt": actions.attempt,
        "initContainersToStart": actions.init_containers_to_start,
        "containersToStart": actions.containers_to_start,
        "ephemeralContainersToStart": actions.ephemeral_containers_to_start,
        "containersToKill": kills,
        "containersToReset": actions.containers_to_reset,
    });
    // Reasons other than probes have no meaning outside of the kubelet; kills come from a map there, in no order.
    let mut theirs = out.clone();
    for kill in theirs["containersToKill"].as_array_mut().into_iter().flatten() {
        if !matches!(text(kill, "reason"), "LivenessProbe" | "StartupProbe") {
            kill["reason"] = "".into();
        }
    }
    let sorted = |mut value: Value| {
        if let Some(kills) = value["containersToKill"].as_array_mut() {
            kills.sort_by_key(|kill| text(kill, "id").to_owned());
        }
        if let Some(resets) = value["containersToReset"].as_array_mut() {
            for reset in resets {
                if let Some(id) = reset["id"].as_str() {
                    *reset = id.into();
                }
            }
        }
        value
    };
    same(&sorted(ours), &sorted(theirs), &[])
}

pub fn pod_resources(row: &Value, out: &Value) -> Result<(), String> {
    let mut options = ResourceOptions::default();
    for (name, value) in row["options"].as_object().into_iter().flatten() {
        match name.as_str() {
            "useStatusResources" => options.use_status = true,
            "inPlacePodLevelResourcesVerticalScalingEnabled" => options.use_pod_level_status = true,
            "excludeOverhead" => options.exclude_overhead = true,
            "skipPodLevelResources" => options.skip_pod_level = true,
            "nonMissingContainerRequests" => options.non_missing = read(value),
            "useDRANodeAllocatableResourceClaimStatus" => {
                let claims = &row["pod"]["status"]["nodeAllocatableResourceClaimStatuses"];
                let claims = claims.as_array().into_iter().flatten();
                options.claimed = claims.map(|claim| read(&claim["resources"])).collect();
            }
            other => return Err(format!("the option {other} is not known")),
        }
    }
    let theirs: BTreeMap<String, Quantity> = read(out);
    let theirs: BTreeMap<String, i128> = theirs
        .into_iter()
        .map(|(name, amount)| (name, milli_value(&amount)))
        .collect();
    let pod = pod(&row["pod"]);
    let spec = pod.spec.unwrap_or_default();
    let function = match text(row, "function") {
        "PodRequests" => requests,
        "PodLimits" => limits,
        other => return Err(format!("the function {other} is not known")),
    };
    equal(function(&spec, pod.status.as_deref(), &options), theirs)
}

/// The only threshold of a row about one signal.
fn threshold(signal: &str, value: &str, reclaim: &str) -> Result<Threshold, String> {
    let of = |text: &str| BTreeMap::from([(signal.to_owned(), text.to_owned())]);
    let reclaim = if reclaim.is_empty() {
        BTreeMap::new()
    } else {
        of(reclaim)
    };
    let thresholds = parse_thresholds(&of(value), &BTreeMap::new(), &BTreeMap::new(), &reclaim)?;
    thresholds
        .first()
        .copied()
        .ok_or_else(|| format!("{value} is no threshold"))
}

fn units(text: &str) -> i128 {
    peapod_sim::resources::value(&Quantity(text.to_owned()))
}

pub fn eviction_threshold(row: &Value, out: &Value) -> Result<(), String> {
    let threshold = threshold("memory.available", text(row, "evictionHard"), text(row, "minReclaim"))?;
    let seen = Observation {
        available: units(text(row, "available")),
        capacity: units(text(row, "capacity")),
    };
    let ours = json!({
        "met": threshold.is_met(seen, false),
        "stillMetWithMinReclaim": threshold.is_met(seen, true),
    });
    equal(&ours, out)
}

pub fn eviction_rank(row: &Value, out: &Value) -> Result<(), String> {
    let pressure = match text(row, "pressure") {
        "memory" => Pressure::Memory,
        "disk" => Pressure::Disk,
        _ => Pressure::Pid,
    };
    let number = |pod: &Value, key: &str| i128::from(pod[key].as_i64().unwrap_or(0));
    let mut pods: Vec<(&str, Candidate)> = Vec::new();
    for pod in row["pods"].as_array().into_iter().flatten() {
        let request = number(pod, "requestMi") << 20;
        let usage = match pressure {
            Pressure::Pid => number(pod, "processes"),
            _ => number(pod, "usageMi") << 20,
        };
        let candidate = Candidate {
            priority: i32::try_from(number(pod, "priority")).unwrap_or(0),
            request,
            deducted: request,
            usage: (pod["noStats"] != json!(true)).then_some(usage),
        };
        pods.push((text(pod, "name"), candidate));
    }
    pods.sort_by(|(_, a), (_, b)| order(pressure, a, b));
    let ours: Vec<&str> = pods.iter().map(|(name, _)| *name).collect();
    equal(&json!(ours), &out["evictionOrder"])
}

pub fn eviction_message(row: &Value, out: &Value) -> Result<(), String> {
    let value = match row["threshold"]["percentage"].as_f64() {
        Some(part) => format!("{}%", part * 100.0),
        None => text(&row["threshold"], "quantity").to_owned(),
    };
    let threshold = threshold(text(row, "signal"), &value, "")?;
    let quantity = threshold.value.shown(units(text(row, "capacity")));
    let resource = text(row, "resource");
    let available = amount_shown(threshold.signal, units(text(row, "available")));
    let containers: Vec<ContainerUse> = row["containers"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|container| ContainerUse {
            name: text(container, "name").to_owned(),
            request: text(container, "request").to_owned(),
            requested: units(text(container, "request")),
            used: units(text(container, "usage")),
        })
        .collect();
    let offenders = offenders(resource, &containers);
    let names: Vec<&str> = offenders.iter().map(|container| container.name.as_str()).collect();
    let usage: Vec<String> = offenders
        .iter()
        .map(|container| amount_shown(Signal::MemoryAvailable, container.used))
        .collect();
    let ours = json!({
        "message": message(resource, Some((&quantity, &available)), None, &containers),
        "annotations": {
            "offending_containers": names.join(","),
            "offending_containers_usage": usage.join(","),
            "starved_resource": resource,
        },
    });
    equal(&ours, out)
}

pub fn probe_worker(row: &Value, out: &Value) -> Result<(), String> {
    let kind = match text(row, "probeType") {
        "Readiness" => ProbeKind::Readiness,
        "Liveness" => ProbeKind::Liveness,
        _ => ProbeKind::Startup,
    };
    let number = |key: &str| row[key].as_u64().unwrap_or(0);
    let mut worker = ProbeState::new(
        kind,
        number("successThreshold") as u32,
        number("failureThreshold") as u32,
        number("initialDelaySeconds"),
    );
    let mut steps = Vec::new();
    for step in row["steps"].as_array().into_iter().flatten() {
        let state = text(step, "state");
        let ended = state
            .strip_prefix("terminated")
            .and_then(|code| code.parse::<i32>().ok());
        let restarts = match text(row, "restartPolicy") {
            "Never" => false,
            "OnFailure" => ended.is_some_and(|code| code != 0),
            _ => true,
        };
        let sight = Sight {
            known: true,
            pod_ended: state == "podFailed",
            container_id: text(step, "containerID").to_owned(),
            running: state == "running",
            terminated: ended.is_some(),
            restarts,
            started: step["started"].as_bool() == Some(true),
            age_seconds: step["containerAgeSeconds"].as_u64().unwrap_or(0),
            deleting: row["podDeleted"].as_bool() == Some(true),
            older_than_kubelet: false,
        };
        let tick = worker.tick(&sight);
        if tick == Tick::Probe {
            match text(step, "probeOutcome") {
                "success" | "warning" => {
                    worker.outcome(ProbeResult::Success);
                }
                // A probe that cannot tell counts as failed; only one that errors is thrown away.
                "failure" | "unknown" => {
                    worker.outcome(ProbeResult::Failure);
                }
                _ => {}
            }
        }
        let stored = worker.stored.map(|result| format!("{result:?}"));
        steps.push(json!({ "keepRunning": tick != Tick::End, "onHold": worker.on_hold, "result": stored }));
    }
    same(&json!({ "steps": steps }), out, &[])
}

pub fn qos(row: &Value, out: &Value) -> Result<(), String> {
    equal(kubelet::qos::qos_class(&pod(&row["pod"])), text(out, "qosClass"))
}

pub fn ready_started(row: &Value, out: &Value) -> Result<(), String> {
    let said = |key: &str| match text(row, key) {
        "none" => None,
        "noResult" => Some(None),
        other => Some(result(&other.into())),
    };
    let state: core::ContainerState = read(&match text(row, "state") {
        "waiting" => json!({ "waiting": {} }),
        "running" => json!({ "running": {} }),
        "terminated0" => json!({ "terminated": { "exitCode": 0 } }),
        _ => json!({ "terminated": { "exitCode": 1 } }),
    });
    let plain_init = text(row, "role") == "init";
    let flags = started_ready(
        Some(&state),
        plain_init,
        false,
        said("startupProbe"),
        said("readinessProbe"),
    );
    let ours = json!({ "started": flags.started, "ready": flags.ready, "readinessProbeTriggeredNow": flags.trigger });
    same(&ours, out, &[])
}

pub fn restart_decision(row: &Value, out: &Value) -> Result<(), String> {
    let container: core::Container = read(&row["container"]);
    let spec = core::PodSpec {
        restart_policy: row["podRestartPolicy"].as_str().map(str::to_owned),
        ..core::PodSpec::default()
    };
    let code = row["exitCode"].as_i64().unwrap_or(0) as i32;
    let rule = restart::matching_rule(&container, code).map(|action| format!("{action:?}"));
    let restarts = restart::container_should_restart(&container, &spec, code);
    let ours = json!({ "restart": restarts, "matchedRule": rule.is_some(), "action": rule });
    same(&ours, out, &[])
}

pub fn should_restart(row: &Value, out: &Value) -> Result<(), String> {
    let pod = pod(&row["pod"]);
    let name = text(row, "container");
    let spec = pod.spec.clone().unwrap_or_default();
    let container = spec
        .init_containers
        .iter()
        .flatten()
        .chain(&spec.containers)
        .find(|container| container.name == name)
        .cloned()
        .unwrap_or_default();
    let state = text(row, "runtimeState");
    let records = if state.is_empty() {
        json!({})
    } else {
        json!({ "containers": [{ "name": name, "state": state, "exitCode": row["exitCode"] }] })
    };
    let restarts = restart::should_container_be_restarted(&container, &pod, &runtime(&records));
    equal(Some(restarts), out["restart"].as_bool())
}

pub fn state_transition(row: &Value, out: &Value) -> Result<(), String> {
    let spec: core::PodSpec = read(&row["spec"]);
    let refused =
        merge::check_container_state_transition(&read(&row["oldStatus"]), &read(&row["newStatus"]), &spec).err();
    equal(refused.unwrap_or_default().as_str(), text(out, "error"))
}

pub fn terminate_pod(row: &Value, out: &Value) -> Result<(), String> {
    let pod = pod(&row["pod"]);
    let mut status: core::PodStatus = read(&row["statusBefore"]);
    let annotations = pod.metadata.annotations.unwrap_or_default();
    let is_static = annotations
        .get("kubernetes.io/config.source")
        .is_some_and(|source| source != "api");
    let given = pod.status.unwrap_or_default();
    kubelet::statuses::terminate(&pod.spec.unwrap_or_default(), &given, &mut status, is_static);
    same(&serde_json::to_value(status).unwrap_or_default(), out, TIMES)
}

pub fn termination_order(row: &Value, out: &Value) -> Result<(), String> {
    let spec = pod(&row["pod"]).spec.unwrap_or_default();
    let names: Vec<String> = read(&row["running"]);
    let running: Vec<&str> = names.iter().map(String::as_str).collect();
    let ours: BTreeMap<&str, Vec<String>> = running
        .iter()
        .map(|name| (*name, kill::waits_for(&spec, &running, name).into_iter().collect()))
        .collect();
    equal(serde_json::to_value(ours).unwrap_or_default(), out["waitsFor"].clone())
}
