//! In-place resize (`pkg/kubelet/allocation`): new requests and limits are allocated if the node has room, and then given to the
//! running container, or to a new one if its `resizePolicy` asks for a restart.

use crate::core;
use std::collections::BTreeMap;

use serde_json::json;

use super::actions::{ContainerToKill, KillReason, PodActions};
use super::node::Kubelet;
use super::runtime_status::State;
use super::worker::{Work, Worker};
use crate::resources::pod_requests;
use crate::world::World;

/// What containers are allowed and have, by name.
pub(crate) type Resources = BTreeMap<String, core::ResourceRequirements>;

/// A resize that is under way or waits.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Resize {
    /// Allocated; the runtime follows. Holds the generation that asked for it.
    InProgress(Option<i64>),
    /// The node has no room for it now.
    Deferred(Option<i64>, String),
}

/// The resources that the spec asks for.
pub(super) fn desired(spec: &core::PodSpec) -> Resources {
    spec.containers
        .iter()
        .chain(spec.init_containers.iter().flatten())
        .map(|container| (container.name.clone(), container.resources.clone().unwrap_or_default()))
        .collect()
}

impl Worker {
    /// The pod with the resources that the node has allocated to it, which are on the node's disk
    /// (`allocation.Manager.UpdatePodFromAllocation`). Until a kubelet has seen a pod they are those of the spec.
    pub(super) fn as_allocated(&self) -> core::Pod {
        let mut pod = (*self.pod).clone();
        if let Some(spec) = pod.spec.as_deref_mut() {
            let containers = spec.init_containers.iter_mut().flatten().chain(&mut spec.containers);
            for container in containers {
                if let Some(resources) = self.allocated.get(&container.name) {
                    container.resources = Some(resources.clone());
                }
            }
        }
        pod
    }
}

impl Kubelet {
    /// The spec may ask for other resources than are allocated.
    pub(super) fn note_resize(&mut self, w: &mut World, worker: &mut Worker) {
        let wanted = desired(worker.spec());
        if worker.work != Work::Sync || wanted == worker.allocated {
            return;
        }
        let generation = worker.pod.metadata.generation;
        let message = |text: &str, extra: Option<&str>| {
            let containers: Vec<_> = worker
                .spec()
                .containers
                .iter()
                .map(|container| json!({ "name": container.name, "resources": container.resources }))
                .collect();
            let mut details = json!({ "containers": containers, "generation": generation });
            if let Some(error) = extra {
                details["error"] = error.into();
            }
            format!("Pod resize {text}: {details}")
        };
        match self.room_for(w, &worker.pod) {
            Err(refusal) => {
                let text = message("Deferred", Some(&refusal.message));
                self.pod_event(w, worker, String::new(), "Warning", "ResizeDeferred", text);
                worker.resize = Some(Resize::Deferred(generation, refusal.message));
            }
            Ok(()) => {
                let text = message("started", None);
                self.pod_event(w, worker, String::new(), "Normal", "ResizeStarted", text);
                worker.requests = pod_requests(worker.spec());
                worker.allocated = wanted;
                worker.resize = Some(Resize::InProgress(generation));
            }
        }
    }

    /// At the begin of a sync: a resize that the runtime has followed is complete.
    pub(super) fn complete_resize(&mut self, w: &mut World, worker: &mut Worker) {
        let Some(Resize::InProgress(generation)) = worker.resize else {
            return;
        };
        if worker.actual != worker.allocated {
            return;
        }
        worker.resize = None;
        let containers: Vec<_> = worker
            .spec()
            .containers
            .iter()
            .map(|container| json!({ "name": container.name, "resources": container.resources }))
            .collect();
        let details = json!({ "containers": containers, "generation": generation });
        self.pod_event(
            w,
            worker,
            String::new(),
            "Normal",
            "ResizeCompleted",
            format!("Pod resize completed: {details}"),
        );
    }
}

/// Adds to a sync's actions what a resize needs; whether running containers are to be given new resources.
pub(super) fn resize_actions(worker: &Worker, actions: &mut PodActions) -> bool {
    if !matches!(worker.resize, Some(Resize::InProgress(_))) || actions.kill_pod {
        return false;
    }
    let mut in_place = false;
    for (index, container) in worker.spec().containers.iter().enumerate() {
        let (Some(now), Some(then)) = (
            worker.actual.get(&container.name),
            worker.allocated.get(&container.name),
        ) else {
            continue;
        };
        if now == then {
            continue;
        }
        let changed = |name: &str| {
            let of = |resources: &core::ResourceRequirements| {
                [&resources.requests, &resources.limits]
                    .map(|list| list.as_ref().and_then(|list| list.get(name).cloned()))
            };
            of(now) != of(then)
        };
        let restarts = container
            .resize_policy
            .iter()
            .flatten()
            .any(|policy| policy.restart_policy == "RestartContainer" && changed(&policy.resource_name));
        let record = worker
            .cache
            .container(&container.name)
            .filter(|record| record.state == State::Running);
        match record {
            Some(record) if restarts && !actions.containers_to_start.contains(&index) => {
                actions.containers_to_kill.push(ContainerToKill {
                    id: record.id.clone(),
                    name: container.name.clone(),
                    message: format!("Container {} resize requires restart", container.name),
                    reason: KillReason::Other,
                });
                actions.containers_to_start.push(index);
            }
            Some(_) => in_place = true,
            None => {}
        }
    }
    in_place
}

/// The conditions of a resize.
pub(super) fn resize_condition(worker: &Worker) -> Option<core::PodCondition> {
    let (kind, reason, message, generation) = match worker.resize.as_ref()? {
        Resize::InProgress(generation) => ("PodResizeInProgress", None, None, generation),
        Resize::Deferred(generation, message) => (
            "PodResizePending",
            Some("Deferred".to_owned()),
            Some(message.clone()),
            generation,
        ),
    };
    Some(core::PodCondition {
        type_: kind.to_owned(),
        status: "True".to_owned(),
        reason,
        message,
        observed_generation: *generation,
        ..Default::default()
    })
}
