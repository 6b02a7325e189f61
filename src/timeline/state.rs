//! What a lane can say: a closed set of states, each with one color, one pattern and one word everywhere.

use serde::Serialize;
use serde_json::Value;

/// A state on a lane. The name is also the class of the style sheet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Accepted, not yet running.
    Pending,
    /// Running; for a node: ready.
    Running,
    /// Ended well.
    Succeeded,
    /// Ended badly.
    Failed,
    /// Nobody can say.
    Unknown,
    /// A container that waits, such as in a back-off.
    Waiting,
    /// Being deleted.
    Terminating,
    /// An ordinary event.
    Normal,
    /// An event of type Warning.
    Warning,
    /// A fault that was injected.
    Fault,
    /// A person's step.
    Step,
}

impl State {
    /// The class of the style sheet.
    pub fn class(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Waiting => "waiting",
            Self::Terminating => "terminating",
            Self::Normal => "normal",
            Self::Warning => "warning",
            Self::Fault => "fault",
            Self::Step => "step",
        }
    }

    /// The state that a word of Kubernetes stands for, such as a phase, a `Ready` status or a container's reason.
    pub fn of_word(word: &str) -> Option<Self> {
        Some(match word {
            "Pending" | "ContainerCreating" | "PodInitializing" => Self::Pending,
            "Running" | "Ready" | "True" | "Available" => Self::Running,
            "Succeeded" | "Completed" | "Complete" => Self::Succeeded,
            "Failed" | "Error" | "OOMKilled" | "Evicted" | "DeadlineExceeded" | "StartError" | "ContainerCannotRun" => {
                Self::Failed
            }
            "Unknown" | "ContainerStatusUnknown" | "NodeLost" => Self::Unknown,
            "Terminating" => Self::Terminating,
            "CrashLoopBackOff"
            | "ImagePullBackOff"
            | "ErrImagePull"
            | "CreateContainerConfigError"
            | "ErrImageNeverPull"
            | "InvalidImageName"
            | "RunContainerError"
            | "CreateContainerError" => Self::Waiting,
            _ => return None,
        })
    }
}

/// A text at a JSON pointer, empty if it is missing.
pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or("")
}

/// The items of an array at a JSON pointer.
pub(crate) fn items<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value
        .pointer(pointer)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// The phase lane of a pod: its state and its word.
pub fn of_pod(pod: &Value) -> (State, String) {
    let phase = match text(pod, "/status/phase") {
        "" => "Pending",
        phase => phase,
    };
    let reason = text(pod, "/status/reason");
    let word = if reason.is_empty() {
        phase.to_owned()
    } else {
        format!("{phase} · {reason}")
    };
    if pod.pointer("/metadata/deletionTimestamp").is_some() && !matches!(phase, "Succeeded" | "Failed") {
        return (State::Terminating, format!("Terminating · {word}"));
    }
    (State::of_word(phase).unwrap_or(State::Unknown), word)
}

/// The state of a container from its status, and its word: `Running`, `CrashLoopBackOff`, `Error (exit 1)`.
pub fn of_container(status: &Value) -> (State, String) {
    let state = status.get("state").unwrap_or(&Value::Null);
    if let Some(terminated) = state.get("terminated") {
        let code = terminated.get("exitCode").and_then(Value::as_i64).unwrap_or(0);
        let reason = match text(terminated, "/reason") {
            "" => "Terminated",
            reason => reason,
        };
        let state = if code == 0 { State::Succeeded } else { State::Failed };
        return (state, format!("{reason} (exit {code})"));
    }
    if state.get("running").is_some() {
        // A failing startup or readiness probe is told by the Ready lane, not by the process.
        return (State::Running, "Running".to_owned());
    }
    let reason = match state.get("waiting").map(|waiting| text(waiting, "/reason")) {
        Some("") | None => "Waiting",
        Some(reason) => reason,
    };
    (
        State::of_word(reason)
            .filter(|state| *state == State::Pending)
            .unwrap_or(State::Waiting),
        reason.to_owned(),
    )
}

/// The state of a node from its `Ready` condition and whether it takes pods.
pub fn of_node(node: &Value) -> (State, String) {
    let ready = items(node, "/status/conditions")
        .iter()
        .find(|condition| text(condition, "/type") == "Ready");
    let (state, mut word) = match ready.map(|condition| text(condition, "/status")) {
        Some("True") => (State::Running, "Ready".to_owned()),
        Some("False") => (State::Failed, "NotReady".to_owned()),
        Some(_) => (State::Unknown, "NotReady (Unknown)".to_owned()),
        None => (State::Pending, "NotReady".to_owned()),
    };
    if node.pointer("/spec/unschedulable").and_then(Value::as_bool) == Some(true) {
        word.push_str(" · SchedulingDisabled");
    }
    (state, word)
}

/// The state of a workload (Deployment, ReplicaSet, Job …), or `None` for a kind without a lane.
pub fn of_workload(kind: &str, object: &Value) -> Option<(State, String)> {
    let count = |pointer: &str| object.pointer(pointer).and_then(Value::as_i64).unwrap_or(0);
    let condition = |name: &str| {
        items(object, "/status/conditions")
            .iter()
            .any(|c| text(c, "/type") == name && text(c, "/status") == "True")
    };
    Some(match kind {
        "Deployment" | "ReplicaSet" | "StatefulSet" => {
            let (ready, wanted) = (
                count("/status/readyReplicas"),
                object.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1),
            );
            if kind == "ReplicaSet" && wanted == 0 && ready == 0 {
                return Some((State::Waiting, "0/0".to_owned()));
            }
            (
                if ready >= wanted {
                    State::Running
                } else {
                    State::Pending
                },
                format!("{ready}/{wanted} ready"),
            )
        }
        "DaemonSet" => {
            let (ready, wanted) = (count("/status/numberReady"), count("/status/desiredNumberScheduled"));
            (
                if ready >= wanted {
                    State::Running
                } else {
                    State::Pending
                },
                format!("{ready}/{wanted} ready"),
            )
        }
        "Job" => {
            let (active, succeeded, failed) = (
                count("/status/active"),
                count("/status/succeeded"),
                count("/status/failed"),
            );
            let counts = format!("active {active} · succeeded {succeeded} · failed {failed}");
            if condition("Complete") {
                (State::Succeeded, format!("Complete · {counts}"))
            } else if condition("Failed") {
                (State::Failed, format!("Failed · {counts}"))
            } else if active > 0 {
                (State::Running, counts)
            } else {
                (State::Pending, counts)
            }
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_container_says_why_it_waits_and_how_it_ended() {
        for (status, state, word) in [
            (
                json!({"state": {"waiting": {"reason": "ContainerCreating"}}}),
                State::Pending,
                "ContainerCreating",
            ),
            (
                json!({"state": {"waiting": {"reason": "CrashLoopBackOff"}}}),
                State::Waiting,
                "CrashLoopBackOff",
            ),
            (json!({"state": {"running": {}}}), State::Running, "Running"),
            (
                json!({"state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}),
                State::Succeeded,
                "Completed (exit 0)",
            ),
            (
                json!({"state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}),
                State::Failed,
                "OOMKilled (exit 137)",
            ),
            (json!({}), State::Waiting, "Waiting"),
        ] {
            assert_eq!(of_container(&status), (state, word.to_owned()));
        }
    }

    #[test]
    fn a_pod_that_is_deleted_is_terminating_until_it_ends() {
        let deleted = |phase: &str| json!({"metadata": {"deletionTimestamp": "2024-08-10T10:20:53Z"}, "status": {"phase": phase}});
        assert_eq!(of_pod(&deleted("Running")).0, State::Terminating);
        assert_eq!(of_pod(&deleted("Failed")).0, State::Failed);
        assert_eq!(of_pod(&json!({"status": {}})).0, State::Pending);
    }
}
