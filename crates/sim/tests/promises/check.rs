//! The promises: what no history of a cluster may show, whatever happened in it.

use std::collections::{BTreeMap, BTreeSet};

use peapod_sim::cluster::Cluster;
use peapod_sim::trace::{Change, RuntimeEvent, What};
use serde_json::Value;

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn number(value: &Value, pointer: &str) -> i64 {
    value.pointer(pointer).and_then(Value::as_i64).unwrap_or(0)
}

fn items<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

fn condition<'a>(pod: &'a Value, kind: &str) -> Option<&'a Value> {
    items(pod, "/status/conditions").find(|condition| text(condition, "/type") == kind)
}

fn is_true(pod: &Value, kind: &str) -> bool {
    condition(pod, kind).is_some_and(|condition| text(condition, "/status") == "True")
}

fn ended(phase: &str) -> bool {
    matches!(phase, "Succeeded" | "Failed")
}

/// Runs a list of promises; the first that is broken counts.
macro_rules! promise {
    ($holds:expr, $($words:tt)*) => {
        if !$holds {
            return Err(format!($($words)*));
        }
    };
}

/// Checks everything that was written and recorded. `cut_off` when kubelets could not write for a while: several changes of a status then
/// reach the API as one.
pub fn history(cluster: &Cluster, cut_off: bool) -> Result<(), String> {
    let mut newest: BTreeMap<(String, String, String), Value> = BTreeMap::new();
    let mut gone: BTreeSet<String> = BTreeSet::new();
    let mut last = 0;
    for write in cluster.writes() {
        let object = &write.stored.object;
        let value = (*write.stored.json()).clone();
        let reference = object.reference();
        let place = (
            reference.kind.clone(),
            reference.namespace.clone(),
            reference.name.clone(),
        );
        let at = format!("{} {} at {}", reference.kind, reference.name, write.at);
        let version: u64 = text(&value, "/metadata/resourceVersion").parse().unwrap_or(0);
        promise!(version > last, "{at}: resourceVersion {version} after {last}");
        last = version;
        promise!(
            !gone.contains(&reference.uid),
            "{at}: uid {} is written after it went",
            reference.uid
        );
        let before = newest.remove(&place);
        match (&before, write.change) {
            (None, Change::Added) => {}
            (Some(before), Change::Modified | Change::Deleted) => {
                same_object(before, &value).map_err(|problem| format!("{at}: {problem}"))?;
            }
            (before, change) => return Err(format!("{at}: {change:?} of what was {before:?}")),
        }
        if reference.kind == "Pod" {
            let actor = &cluster.records()[write.record as usize].actor;
            pod(before.as_ref(), &value, actor, cut_off).map_err(|problem| {
                let earlier = before
                    .as_ref()
                    .map(|before| before["status"].to_string())
                    .unwrap_or_default();
                format!(
                    "{at}, by {actor}: {problem}\nbefore {earlier}\nafter  {}",
                    value["status"]
                )
            })?;
        }
        if write.change == Change::Deleted {
            gone.insert(reference.uid.clone());
        } else {
            newest.insert(place, value);
        }
    }
    records(cluster)
}

/// What no object may do from one version to the next.
fn same_object(before: &Value, after: &Value) -> Result<(), String> {
    for field in ["uid", "name", "namespace", "creationTimestamp"] {
        let (old, new) = (&before["metadata"][field], &after["metadata"][field]);
        promise!(old == new, "metadata.{field} went from {old} to {new}");
    }
    let (old, new) = (
        text(before, "/metadata/deletionTimestamp"),
        text(after, "/metadata/deletionTimestamp"),
    );
    promise!(old.is_empty() || !new.is_empty(), "deletionTimestamp {old} is gone");
    let [longer, shorter] = [before, after].map(|value| number(value, "/metadata/deletionGracePeriodSeconds"));
    promise!(
        old.is_empty() || shorter <= longer,
        "the grace went from {longer} to {shorter}"
    );
    for field in ["/metadata/generation", "/status/observedGeneration"] {
        let (old, new) = (number(before, field), number(after, field));
        promise!(new >= old, "{field} went from {old} to {new}");
    }
    Ok(())
}

/// What no pod may do.
fn pod(before: Option<&Value>, after: &Value, actor: &str, cut_off: bool) -> Result<(), String> {
    let phase = text(after, "/status/phase");
    promise!(
        matches!(phase, "Pending" | "Running" | "Succeeded" | "Failed"),
        "there is no phase {phase}"
    );
    let generation = number(after, "/metadata/generation");
    let observed = number(after, "/status/observedGeneration");
    promise!(
        observed <= generation,
        "observedGeneration {observed} of generation {generation}"
    );
    conditions(before, after, cut_off && actor.starts_with("kubelet/"))?;
    let specs: Vec<(&Value, bool)> = items(after, "/spec/containers")
        .map(|container| (container, false))
        .chain(items(after, "/spec/initContainers").map(|container| (container, true)))
        .collect();
    for (list, init) in [
        ("/status/containerStatuses", false),
        ("/status/initContainerStatuses", true),
    ] {
        let names: Vec<&str> = items(after, list).map(|status| text(status, "/name")).collect();
        let distinct: BTreeSet<&&str> = names.iter().collect();
        promise!(distinct.len() == names.len(), "a container has two statuses: {names:?}");
        for status in items(after, list) {
            let name = text(status, "/name");
            let spec = specs
                .iter()
                .find(|(spec, kind)| *kind == init && text(spec, "/name") == name);
            let Some((spec, _)) = spec else {
                return Err(format!("a status of {name}, which the pod has not"));
            };
            let plain_init = init && text(spec, "/restartPolicy") != "Always";
            container(status, plain_init)?;
            let old = before.and_then(|before| items(before, list).find(|old| text(old, "/name") == name));
            if let Some(old) = old {
                container_moves(old, status, cut_off)?;
            }
        }
    }
    if phase == "Succeeded" {
        for status in items(after, "/status/containerStatuses") {
            promise!(
                status.pointer("/state/terminated").is_some(),
                "Succeeded, and {} has not ended",
                text(status, "/name")
            );
            promise!(
                number(status, "/state/terminated/exitCode") == 0,
                "Succeeded, and {} failed",
                text(status, "/name")
            );
        }
    }
    let running = items(after, "/status/containerStatuses")
        .chain(items(after, "/status/initContainerStatuses"))
        .find(|status| status.pointer("/state/running").is_some());
    // The pod garbage collector ends pods whose node nobody can ask.
    let by_kubelet = actor.starts_with("kubelet/");
    promise!(
        !by_kubelet || !ended(phase) || !is_true(after, "Ready"),
        "Ready in phase {phase}"
    );
    if let (true, true, Some(status)) = (ended(phase), by_kubelet, running) {
        return Err(format!("the kubelet says {phase}, and {} runs", text(status, "/name")));
    }
    let Some(before) = before else { return Ok(()) };
    let old = text(before, "/status/phase");
    promise!(!ended(old) || old == phase, "the phase went from {old} to {phase}");
    for field in ["/status/startTime", "/spec/nodeName", "/status/qosClass"] {
        let (old, new) = (text(before, field), text(after, field));
        promise!(old.is_empty() || old == new, "{field} went from {old} to {new}");
    }
    Ok(())
}

fn conditions(before: Option<&Value>, after: &Value, skips: bool) -> Result<(), String> {
    let mut kinds = BTreeSet::new();
    for new in items(after, "/status/conditions") {
        let kind = text(new, "/type");
        promise!(kinds.insert(kind), "two conditions {kind}");
        promise!(
            matches!(text(new, "/status"), "True" | "False" | "Unknown"),
            "condition {kind} is {}",
            new["status"]
        );
        promise!(
            number(new, "/observedGeneration") <= number(after, "/metadata/generation"),
            "condition {kind} observed a generation that is not yet"
        );
        let Some(old) = before.and_then(|before| condition(before, kind)) else {
            continue;
        };
        let (from, to) = (text(old, "/lastTransitionTime"), text(new, "/lastTransitionTime"));
        // What the node controller wrote meanwhile the kubelet puts back as it was.
        promise!(
            skips || to >= from,
            "condition {kind} turned at {from} and then at {to}"
        );
        promise!(
            skips || old["status"] != new["status"] || from == to,
            "condition {kind} stays {} and turned at {from} and at {to}",
            new["status"]
        );
    }
    if is_true(after, "Ready") {
        promise!(is_true(after, "ContainersReady"), "Ready without ContainersReady");
    }
    if is_true(after, "ContainersReady") {
        let sleeper = items(after, "/status/containerStatuses").find(|status| status["ready"] != true);
        if let Some(status) = sleeper {
            return Err(format!("ContainersReady, and {} is not", text(status, "/name")));
        }
    }
    Ok(())
}

/// What the status of one container may not say.
fn container(status: &Value, plain_init: bool) -> Result<(), String> {
    let name = text(status, "/name");
    for state in ["state", "lastState"] {
        let said = status[state].as_object().map_or(0, serde_json::Map::len);
        promise!(said <= 1, "{name} has {said} states at once in {state}");
    }
    let running = status.pointer("/state/running").is_some();
    let completed = status.pointer("/state/terminated").is_some() && number(status, "/state/terminated/exitCode") == 0;
    if status["ready"] == true {
        promise!(running || plain_init && completed, "{name} is ready and does not run");
        promise!(
            plain_init || status["started"] == true,
            "{name} is ready and has not started"
        );
    }
    promise!(
        status["started"] != true || running,
        "{name} has started and does not run"
    );
    for state in ["state", "lastState"] {
        let Some(terminated) = status[state].get("terminated") else {
            continue;
        };
        let (from, to) = (text(terminated, "/startedAt"), text(terminated, "/finishedAt"));
        promise!(
            from.is_empty() || to.is_empty() || from <= to,
            "{name} ran from {from} to {to}"
        );
        let code = number(terminated, "/exitCode");
        promise!((0..=255).contains(&code), "{name} ended with {code}");
    }
    if running {
        promise!(!text(status, "/containerID").is_empty(), "{name} runs and has no id");
    }
    Ok(())
}

/// What the status of one container may not do from one version to the next.
fn container_moves(old: &Value, new: &Value, skips: bool) -> Result<(), String> {
    let name = text(new, "/name");
    let (before, after) = (number(old, "/restartCount"), number(new, "/restartCount"));
    promise!(after >= before, "restartCount of {name} went from {before} to {after}");
    let (old_id, new_id) = (text(old, "/containerID"), text(new, "/containerID"));
    if let (Some(was), Some(is)) = (old.pointer("/state/terminated"), new.pointer("/state/running")) {
        promise!(
            after > before,
            "{name} had ended ({was}) and runs again ({is}) without a restart"
        );
    }
    if !old_id.is_empty() && !new_id.is_empty() && old_id != new_id {
        promise!(
            after > before,
            "{name} is another container without a restart: {old_id}, {new_id}"
        );
        if let (Some(was), 1) = (old.pointer("/state/terminated"), after - before) {
            // A container that waits shows its own end as the last state.
            let last = &new["lastState"]["terminated"];
            promise!(
                last == was || text(last, "/containerID") == new_id,
                "{name} ended with {was}, and its last state is {last}"
            );
        }
    }
    if !old_id.is_empty() && old_id == new_id {
        for state in ["/state/running", "/state/terminated"] {
            if let (Some(was), Some(is)) = (old.pointer(state), new.pointer(state)) {
                // Without the waiting state between, the end of the pod hides the container's own.
                let unknown = skips && text(is, "/reason") == "ContainerStatusUnknown";
                promise!(
                    was == is || unknown,
                    "{name} is the same container, and {was} became {is}"
                );
            }
        }
        if let (Some(was), Some(is)) = (old.pointer("/state/running"), new.pointer("/state/terminated")) {
            let (from, to) = (&was["startedAt"], &is["startedAt"]);
            let unknown = skips && text(is, "/reason") == "ContainerStatusUnknown";
            promise!(from == to || unknown, "{name} started at {from} and then at {to}");
        }
        promise!(
            old.pointer("/state/terminated").is_none() || new.pointer("/state/running").is_none(),
            "{name} had ended and runs, in the same container"
        );
    }
    Ok(())
}

/// Records have causes that are earlier, and what the runtime does is in order.
fn records(cluster: &Cluster) -> Result<(), String> {
    let specs: BTreeMap<String, Value> = cluster
        .writes()
        .iter()
        .filter(|write| write.stored.object.as_pod().is_some())
        .map(|write| {
            (
                write.stored.object.uid().to_owned(),
                write.stored.json()["spec"].clone(),
            )
        })
        .collect();
    let mut now = None;
    // By pod: the init containers that have done their work in the present sandbox, and the containers that run.
    let mut done: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut running: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (id, record) in cluster.records().iter().enumerate() {
        promise!(
            now.is_none_or(|now| now <= record.at),
            "record {id} is earlier than the one before"
        );
        now = Some(record.at);
        promise!(
            record.causes.iter().all(|cause| (*cause as usize) < id),
            "record {id} is caused by a later one"
        );
        let (What::Runtime { event }, Some(object)) = (&record.what, &record.object) else {
            continue;
        };
        let (uid, container) = (object.uid.as_str(), record.container.as_deref().unwrap_or_default());
        let at = format!("record {id} at {}, {} {container}", record.at, object.name);
        match event {
            RuntimeEvent::SandboxReady { .. } => {
                done.entry(uid).or_default().clear();
                promise!(
                    running.entry(uid).or_default().is_empty(),
                    "{at}: a new sandbox, and {:?} run",
                    running[uid]
                );
            }
            RuntimeEvent::Started => {
                let Some(spec) = specs.get(uid) else { continue };
                let finished = done.entry(uid).or_default();
                for init in items(spec, "/initContainers") {
                    let name = text(init, "/name");
                    if name == container {
                        break;
                    }
                    promise!(
                        finished.contains(name),
                        "{at} starts before init container {name} is through"
                    );
                }
                let sidecar = items(spec, "/initContainers")
                    .any(|init| text(init, "/name") == container && text(init, "/restartPolicy") == "Always");
                if sidecar {
                    finished.insert(container);
                }
                promise!(running.entry(uid).or_default().insert(container), "{at} starts twice");
            }
            RuntimeEvent::Exited { exit_code, .. } => {
                running.entry(uid).or_default().remove(container);
                if *exit_code == 0 {
                    done.entry(uid).or_default().insert(container);
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// What must be so when everything works and nothing is done any more: what is to go has gone. `held` when a finalizer keeps it.
pub fn rest(cluster: &Cluster, held: bool) -> Result<(), String> {
    let healthy: BTreeSet<String> = cluster
        .objects("Node")
        .iter()
        .filter(|node| is_true(node, "Ready"))
        .map(|node| text(node, "/metadata/name").to_owned())
        .collect();
    for pod in cluster.objects("Pod") {
        let node = text(&pod, "/spec/nodeName");
        let name = text(&pod, "/metadata/name");
        if !text(&pod, "/metadata/deletionTimestamp").is_empty() && !held && (node.is_empty() || healthy.contains(node))
        {
            return Err(format!(
                "pod {name} was deleted long ago and is still there: {}",
                pod["status"]
            ));
        }
    }
    Ok(())
}
