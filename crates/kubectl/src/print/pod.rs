//! The row of a Pod (`pkg/printers/internalversion/printers.go printPod`).

use jiff::Timestamp;
use serde_json::{Value, json};

use super::age::{age, since};
use crate::value::{condition, has, int, list, text, time, truth};

/// What the row of a Pod says before it is laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodSummary {
    /// The STATUS column.
    pub status: String,
    /// Ready containers, sidecars among them.
    pub ready: usize,
    /// All containers, sidecars among them.
    pub total: usize,
    /// Restarts counted for the row.
    pub restarts: i64,
    /// When a container of the row ended last before its restart.
    pub last_restart: Option<Timestamp>,
}

fn is_sidecar(container: &Value) -> bool {
    text(container, "/restartPolicy") == "Always"
}

/// The word for a terminated state: its reason, or the signal or exit code.
fn ended(state: &Value) -> String {
    match text(state, "/reason") {
        "" if int(state, "/signal") != 0 => format!("Signal:{}", int(state, "/signal")),
        "" => format!("ExitCode:{}", int(state, "/exitCode")),
        reason => reason.to_owned(),
    }
}

/// Computes the columns READY, STATUS and RESTARTS.
#[must_use]
pub fn summarize(pod: &Value) -> PodSummary {
    let inits = list(pod, "/spec/initContainers");
    let sidecars: Vec<&str> = inits
        .iter()
        .filter(|container| is_sidecar(container))
        .map(|container| text(container, "/name"))
        .collect();
    let total = list(pod, "/spec/containers").len() + sidecars.len();

    let mut status = match text(pod, "/status/reason") {
        "" => text(pod, "/status/phase").to_owned(),
        reason => reason.to_owned(),
    };
    if condition(pod, "PodScheduled").is_some_and(|found| text(found, "/reason") == "SchedulingGated") {
        status = "SchedulingGated".to_owned();
    }

    let (mut ready, mut restarts, mut last_restart) = (0, 0, None);
    let (mut sidecar_restarts, mut last_sidecar_restart) = (0, None);
    let mut initializing = false;
    for (index, container) in list(pod, "/status/initContainerStatuses").iter().enumerate() {
        restarts += int(container, "/restartCount");
        let finished = time(container, "/lastState/terminated/finishedAt");
        last_restart = last_restart.max(finished);
        let sidecar = sidecars.contains(&text(container, "/name"));
        if sidecar {
            sidecar_restarts += int(container, "/restartCount");
            last_sidecar_restart = last_sidecar_restart.max(finished);
        }
        let terminated = container.pointer("/state/terminated").filter(|state| !state.is_null());
        if terminated.is_some_and(|state| int(state, "/exitCode") == 0) {
            continue;
        }
        if sidecar && truth(container, "/started") {
            ready += usize::from(truth(container, "/ready"));
            continue;
        }
        let waiting = text(container, "/state/waiting/reason");
        status = match terminated {
            Some(state) => format!("Init:{}", ended(state)),
            None if !waiting.is_empty() && waiting != "PodInitializing" => format!("Init:{waiting}"),
            None => format!("Init:{index}/{}", inits.len()),
        };
        initializing = true;
        break;
    }

    let initialized = condition(pod, "Initialized").is_some_and(|found| text(found, "/status") == "True");
    if !initializing || initialized {
        (restarts, last_restart) = (sidecar_restarts, last_sidecar_restart);
        let mut running = false;
        let mut error = String::new();
        for container in list(pod, "/status/containerStatuses").iter().rev() {
            restarts += int(container, "/restartCount");
            last_restart = last_restart.max(time(container, "/lastState/terminated/finishedAt"));
            let waiting = text(container, "/state/waiting/reason");
            if !waiting.is_empty() {
                status = waiting.to_owned();
            } else if let Some(state) = container.pointer("/state/terminated").filter(|state| !state.is_null()) {
                status = ended(state);
                if int(state, "/exitCode") != 0 {
                    error.clone_from(&status);
                }
            } else if truth(container, "/ready") && has(container, "/state/running") {
                running = true;
                ready += 1;
            }
        }
        if status == "Completed" {
            let pod_ready = condition(pod, "Ready").is_some_and(|found| text(found, "/status") == "True");
            if running && pod_ready {
                "Running".clone_into(&mut status);
            } else if !error.is_empty() {
                status = error;
            } else if running {
                "NotReady".clone_into(&mut status);
            }
        }
    }

    if has(pod, "/metadata/deletionTimestamp") {
        if text(pod, "/status/reason") == "NodeLost" {
            "Unknown".clone_into(&mut status);
        } else if !matches!(text(pod, "/status/phase"), "Succeeded" | "Failed") {
            "Terminating".clone_into(&mut status);
        }
    }
    PodSummary {
        status,
        ready,
        total,
        restarts,
        last_restart,
    }
}

/// All cells of a Pod's row.
pub(crate) fn cells(pod: &Value, now: Timestamp) -> Vec<Value> {
    let summary = summarize(pod);
    let restarts = match summary.last_restart {
        Some(last) if summary.restarts != 0 => format!("{} ({} ago)", summary.restarts, since(last, now)),
        _ => summary.restarts.to_string(),
    };
    let or_none = |text: &str| {
        if text.is_empty() {
            "<none>".to_owned()
        } else {
            text.to_owned()
        }
    };
    let gates = list(pod, "/spec/readinessGates");
    let gates = if gates.is_empty() {
        "<none>".to_owned()
    } else {
        let passed = gates
            .iter()
            .filter(|gate| {
                condition(pod, text(gate, "/conditionType")).is_some_and(|found| text(found, "/status") == "True")
            })
            .count();
        format!("{passed}/{}", gates.len())
    };
    vec![
        json!(text(pod, "/metadata/name")),
        json!(format!("{}/{}", summary.ready, summary.total)),
        json!(summary.status),
        json!(restarts),
        json!(age(pod, "/metadata/creationTimestamp", now)),
        json!(or_none(text(pod, "/status/podIPs/0/ip"))),
        json!(or_none(text(pod, "/spec/nodeName"))),
        json!(or_none(text(pod, "/status/nominatedNodeName"))),
        json!(gates),
    ]
}
