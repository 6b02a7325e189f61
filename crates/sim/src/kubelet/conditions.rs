//! The conditions that the kubelet writes (`pkg/kubelet/status/generate.go`).

use k8s_openapi::api::core::v1 as core;

use crate::resources::is_sidecar;

fn condition(kind: &str, status: bool, reason: &str, message: String) -> core::PodCondition {
    core::PodCondition {
        type_: kind.to_owned(),
        status: if status { "True" } else { "False" }.to_owned(),
        reason: Some(reason.to_owned()).filter(|reason| !reason.is_empty()),
        message: Some(message).filter(|message| !message.is_empty()),
        ..Default::default()
    }
}

/// Go's `%v` of a list of names, after a lead: `containers with unready status: [a b]`.
fn listed(lead: &str, names: &[&str]) -> Option<String> {
    (!names.is_empty()).then(|| format!("{lead}: [{}]", names.join(" ")))
}

fn joined(unknown: &[&str], lead: &str, names: &[&str]) -> Option<String> {
    let parts: Vec<String> = [listed("containers with unknown status", unknown), listed(lead, names)]
        .into_iter()
        .flatten()
        .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// `GenerateContainersReadyCondition`. `statuses` are init and regular statuses, `None` when there are none yet.
pub fn containers_ready(
    spec: &core::PodSpec,
    statuses: Option<&[core::ContainerStatus]>,
    phase: &str,
) -> core::PodCondition {
    let kind = "ContainersReady";
    let Some(statuses) = statuses else {
        return condition(kind, false, "UnknownContainerStatuses", String::new());
    };
    let (mut unknown, mut unready) = (Vec::new(), Vec::new());
    let sidecars = spec
        .init_containers
        .iter()
        .flatten()
        .filter(|container| is_sidecar(container));
    for container in sidecars.chain(&spec.containers) {
        match statuses.iter().find(|status| status.name == container.name) {
            None => unknown.push(container.name.as_str()),
            Some(status) if !status.ready => unready.push(container.name.as_str()),
            Some(_) => {}
        }
    }
    if phase == "Succeeded" && unknown.is_empty() {
        return condition(kind, false, "PodCompleted", String::new());
    }
    if phase == "Failed" {
        return condition(kind, false, "PodFailed", String::new());
    }
    match joined(&unknown, "containers with unready status", &unready) {
        Some(message) => condition(kind, false, "ContainersNotReady", message),
        None => condition(kind, true, "", String::new()),
    }
}

/// `GeneratePodReadyCondition`: ContainersReady, then the readiness gates.
pub fn ready(
    spec: &core::PodSpec,
    conditions: &[core::PodCondition],
    statuses: Option<&[core::ContainerStatus]>,
    phase: &str,
) -> core::PodCondition {
    let containers = containers_ready(spec, statuses, phase);
    if containers.status != "True" {
        return core::PodCondition {
            type_: "Ready".to_owned(),
            ..containers
        };
    }
    let mut messages = Vec::new();
    for gate in spec.readiness_gates.iter().flatten() {
        let gate = &gate.condition_type;
        match conditions.iter().find(|condition| &condition.type_ == gate) {
            None => messages.push(format!(
                "corresponding condition of pod readiness gate \"{gate}\" does not exist."
            )),
            Some(condition) if condition.status != "True" => messages.push(format!(
                "the status of pod readiness gate \"{gate}\" is not \"True\", but {}",
                condition.status
            )),
            Some(_) => {}
        }
    }
    if messages.is_empty() {
        condition("Ready", true, "", String::new())
    } else {
        condition("Ready", false, "ReadinessGatesNotReady", messages.join(", "))
    }
}

/// `GeneratePodInitializedCondition`. Once true it stays true.
pub fn initialized(
    spec: &core::PodSpec,
    statuses: Option<&[core::ContainerStatus]>,
    phase: &str,
    old: &[core::PodCondition],
) -> core::PodCondition {
    let kind = "Initialized";
    let init: Vec<&core::Container> = spec.init_containers.iter().flatten().collect();
    if statuses.is_none() && !init.is_empty() {
        return condition(kind, false, "UnknownContainerStatuses", String::new());
    }
    let statuses = statuses.unwrap_or_default();
    let (mut unknown, mut incomplete) = (Vec::new(), Vec::new());
    for container in &init {
        match statuses.iter().find(|status| status.name == container.name) {
            None => unknown.push(container.name.as_str()),
            Some(status) => {
                let done = if is_sidecar(container) {
                    status.started == Some(true)
                } else {
                    status.ready
                };
                if !done {
                    incomplete.push(container.name.as_str());
                }
            }
        }
    }
    if phase == "Succeeded" && unknown.is_empty() {
        return condition(kind, true, "PodCompleted", String::new());
    }
    // A regular container that runs or has run proves that initialization happened.
    let started = spec.containers.iter().any(|container| {
        statuses.iter().any(|status| {
            let state = status.state.as_ref().filter(|_| status.name == container.name);
            state.is_some_and(|state| state.running.is_some() || state.terminated.is_some())
        })
    });
    let was_initialized = old
        .iter()
        .any(|condition| condition.type_ == kind && condition.status == "True");
    if !init.is_empty() && (started || was_initialized) {
        return condition(kind, true, "", String::new());
    }
    match joined(&unknown, "containers with incomplete status", &incomplete) {
        Some(message) => condition(kind, false, "ContainersNotInitialized", message),
        None => condition(kind, true, "", String::new()),
    }
}

/// `GeneratePodReadyToStartContainersCondition`: whether the sandbox need not be made anew.
pub fn ready_to_start_containers(sandbox_ready: bool) -> core::PodCondition {
    condition("PodReadyToStartContainers", sandbox_ready, "", String::new())
}

/// `PodScheduled`, which is always true on a node.
pub fn pod_scheduled() -> core::PodCondition {
    condition("PodScheduled", true, "", String::new())
}

/// `AllContainersRestarting`, which only pods with such a rule have.
pub fn all_containers_restarting(restarting: bool, phase: &str) -> core::PodCondition {
    let kind = "AllContainersRestarting";
    match phase {
        "Succeeded" => condition(kind, false, "PodCompleted", String::new()),
        "Failed" => condition(kind, false, "PodFailed", String::new()),
        _ if restarting => condition(
            kind,
            true,
            "RestartAllContainersStarted",
            "container exited with restart policy rule".to_owned(),
        ),
        _ => condition(kind, false, "", String::new()),
    }
}
