//! What the API server asks of a kubelet for a person: a container's log, a command in a container. The refusals are those of
//! the API server (`pkg/registry/core/pod/strategy.go LogLocation`) and of the kubelet (`kubelet_pods.go
//! validateContainerLogStatus`).

use crate::core;
use std::sync::Arc;

use serde_json::Value;

use super::node::{Health, Kubelet};
use super::runtime_status::State;
use super::worker::ExecPurpose;
use crate::cluster::Cluster;
use crate::objects::Kind;
use crate::registry::{failure, not_found};
use crate::request::Status;
use crate::runtime::process::{ExecEnd, ExecId};
use crate::time::SimDuration;
use crate::trace::LogLine;
use crate::world::{Actor, World};

/// How long a command may run before it is given up, in virtual time.
const EXEC_LIMIT: SimDuration = SimDuration::from_secs(600);

fn bad_request(name: &str, message: String) -> Status {
    failure(400, "BadRequest", message, Kind::Pod, name)
}

fn internal(name: &str, message: String) -> Status {
    failure(500, "InternalError", message, Kind::Pod, name)
}

/// The container that a request means: the one named, or the only one.
fn container_of(pod: &core::Pod, name: &str, wanted: &str) -> Result<String, Status> {
    let spec = pod.spec.as_ref();
    let init: Vec<&str> = spec
        .iter()
        .flat_map(|spec| spec.init_containers.iter().flatten())
        .map(|container| container.name.as_str())
        .collect();
    let regular: Vec<&str> = spec
        .iter()
        .flat_map(|spec| &spec.containers)
        .map(|container| container.name.as_str())
        .collect();
    let ephemeral: Vec<&str> = spec
        .iter()
        .flat_map(|spec| spec.ephemeral_containers.iter().flatten())
        .map(|container| container.name.as_str())
        .collect();
    if !wanted.is_empty() {
        if init.contains(&wanted) || regular.contains(&wanted) || ephemeral.contains(&wanted) {
            return Ok(wanted.to_owned());
        }
        return Err(bad_request(
            name,
            format!("container {wanted} is not valid for pod {name}"),
        ));
    }
    match regular.as_slice() {
        [only] if init.is_empty() => Ok((*only).to_owned()),
        _ => {
            let choice = regular.join(" ");
            let mut message = format!("a container name must be specified for pod {name}, choose one of: [{choice}]");
            if !init.is_empty() {
                message.push_str(&format!(" or one of the init containers: [{}]", init.join(" ")));
            }
            Err(bad_request(name, message))
        }
    }
}

/// Which run of a container a log request means (`validateContainerLogStatus`).
fn run_of(status: Option<&core::ContainerStatus>, pod: &str, container: &str, previous: bool) -> Result<i32, String> {
    let unavailable = || format!("container \"{container}\" in pod \"{pod}\" is not available");
    let status = status.ok_or_else(unavailable)?;
    let last = status.last_state.as_ref().and_then(|state| state.terminated.as_ref());
    let last = last.filter(|ended| ended.container_id.is_some());
    let state = status.state.as_ref();
    let waiting = state.and_then(|state| state.waiting.as_ref());
    let count = status.restart_count;
    if previous {
        return match last {
            None => Err(format!(
                "previous terminated container \"{container}\" in pod \"{pod}\" not found"
            )),
            // While it waits, the last run is the one that ended last.
            Some(_) if waiting.is_some() => Ok(count),
            Some(_) => Ok(count - 1),
        };
    }
    if state.is_some_and(|state| state.running.is_some()) {
        return Ok(count);
    }
    if let Some(ended) = state.and_then(|state| state.terminated.as_ref()) {
        if ended.container_id.is_some() {
            return Ok(count);
        }
        return match last {
            Some(_) => Ok(count - 1),
            None => Err(format!("container \"{container}\" in pod \"{pod}\" is terminated")),
        };
    }
    let Some(waiting) = waiting else {
        return Err(unavailable());
    };
    if last.is_some() {
        return Ok(count);
    }
    let why = match waiting.reason.as_deref().unwrap_or_default() {
        "ErrImagePull" => "image can't be pulled",
        "ImagePullBackOff" => "trying and failing to pull image",
        reason => reason,
    };
    Err(format!(
        "container \"{container}\" in pod \"{pod}\" is waiting to start: {why}"
    ))
}

fn statuses(pod: &core::Pod) -> impl Iterator<Item = &core::ContainerStatus> {
    pod.status.iter().flat_map(|status| {
        [
            &status.container_statuses,
            &status.init_container_statuses,
            &status.ephemeral_container_statuses,
        ]
        .into_iter()
        .flatten()
        .flatten()
    })
}

impl Kubelet {
    /// Whether the API server reaches the kubelet's own port.
    fn refuses_connections(&self) -> bool {
        !self.connected || matches!(self.health, Health::Stopped | Health::PoweredOff | Health::Frozen)
    }

    fn user_exec(
        &mut self,
        w: &mut World,
        uid: &Arc<str>,
        name: &str,
        argv: &[String],
    ) -> Option<Result<(String, ExecId), String>> {
        self.with_pod(w, uid, |kubelet, w, worker| {
            let running = worker
                .newest(name)
                .filter(|instance| instance.record.state == State::Running);
            let id = running.map(|instance| instance.record.id.clone())?;
            let started = kubelet.exec_in(w, worker, &id, argv, ExecPurpose::User);
            Some(started.map(|exec| (id, exec)))
        })
        .flatten()
    }

    fn user_exec_end(&mut self, w: &mut World, uid: &Arc<str>, key: &(String, ExecId)) -> Option<ExecEnd> {
        self.with_pod(w, uid, |_, _, worker| worker.user_execs.remove(key))
            .flatten()
    }

    fn end_user_exec(&mut self, w: &mut World, uid: &Arc<str>, (id, exec): &(String, ExecId)) {
        self.with_pod(w, uid, |_, _, worker| {
            if let Some(instance) = worker.instance_mut(id) {
                instance.execs.remove(exec);
                if let Some(processes) = &mut instance.processes {
                    processes.kill_exec(*exec);
                }
            }
        });
    }
}

impl Cluster {
    /// The log lines of a container: of its present run, or of the one before.
    ///
    /// # Errors
    /// The `Status` with which the API server or the kubelet refuses.
    pub fn logs_of(
        &self,
        namespace: &str,
        name: &str,
        container: &str,
        previous: bool,
    ) -> Result<Vec<LogLine>, Status> {
        let pod = self
            .world
            .pod(namespace, name)
            .ok_or_else(|| not_found(Kind::Pod, name))?;
        let container = container_of(pod, name, container)?;
        let kubelet = self.kubelet_of(pod, name)?;
        if kubelet.refuses_connections() {
            let url = format!(
                "https://{0}:10250/containerLogs/{namespace}/{name}/{container}",
                kubelet.ip
            );
            let message = format!(
                "Get \"{url}\": dial tcp {}:10250: connect: no route to host",
                kubelet.ip
            );
            return Err(internal(name, message));
        }
        let status = statuses(pod).find(|status| status.name == container);
        let run = run_of(status, name, &container, previous).map_err(|message| bad_request(name, message))?;
        let uid = kubelet.own_uid(pod.metadata.uid.as_deref().unwrap_or_default());
        let run = u32::try_from(run).unwrap_or(0);
        // What was put aside when the log grew too large is not shown.
        let since = kubelet.log_since(&uid, &container, run);
        let lines = self.world.logs().iter();
        Ok(lines
            .filter(|line| line.instance == run && line.container == container && line.pod_uid == *uid)
            .filter(|line| since.is_none_or(|since| line.at > since))
            .cloned()
            .collect())
    }

    /// Runs a command in a container; virtual time passes until it ends.
    ///
    /// # Errors
    /// The `Status` with which the API server or the kubelet refuses.
    pub fn exec(
        &mut self,
        namespace: &str,
        name: &str,
        container: &str,
        command: &[String],
    ) -> Result<ExecEnd, Status> {
        let pod = self
            .world
            .pod(namespace, name)
            .ok_or_else(|| not_found(Kind::Pod, name))?;
        let container = container_of(pod, name, container)?;
        let phase = crate::objects::phase(pod);
        if matches!(phase, "Succeeded" | "Failed") {
            let message = format!("cannot exec into a container in a completed pod; current phase is {phase}");
            return Err(bad_request(name, message));
        }
        let kubelet = self.kubelet_of(pod, name)?;
        let node = kubelet.node;
        if kubelet.refuses_connections() {
            let message = format!(
                "error dialing backend: dial tcp {}:10250: connect: no route to host",
                kubelet.ip
            );
            return Err(internal(name, message));
        }
        let uid = kubelet.own_uid(pod.metadata.uid.as_deref().unwrap_or_default());
        let w = &mut self.world;
        w.actor = Actor::User;
        let kubelet = &mut self.kubelets[node];
        let started = kubelet.user_exec(w, &uid, &container, command);
        let missing = || {
            internal(
                name,
                format!("unable to upgrade connection: container not found (\"{container}\")"),
            )
        };
        let key = started.ok_or_else(missing)?.map_err(|message| {
            let message = format!("Internal error occurred: {message}");
            internal(name, message)
        })?;
        let limit = self.now() + EXEC_LIMIT;
        loop {
            if let Some(end) = self.kubelets[node].user_exec_end(&mut self.world, &uid, &key) {
                return Ok(end);
            }
            if self.next_event_at().is_none_or(|next| next > limit) || !self.step() {
                self.kubelets[node].end_user_exec(&mut self.world, &uid, &key);
                let message = format!("the command was given up after {EXEC_LIMIT} of virtual time");
                return Err(Status {
                    code: 504,
                    reason: "Timeout".to_owned(),
                    message,
                    details: Value::Null,
                });
            }
        }
    }

    fn kubelet_of(&self, pod: &core::Pod, name: &str) -> Result<&Kubelet, Status> {
        let node = pod
            .spec
            .as_ref()
            .and_then(|spec| spec.node_name.as_deref())
            .unwrap_or_default();
        if node.is_empty() {
            return Err(bad_request(name, format!("pod {name} does not have a host assigned")));
        }
        let known = self.world.find(Kind::Node, "", node).is_some();
        let kubelet = self
            .kubelets
            .iter()
            .find(|kubelet| &*kubelet.name == node)
            .filter(|_| known);
        kubelet.ok_or_else(|| not_found(Kind::Node, node))
    }
}
