//! From the runtime's records to the container statuses that the API shows
//! (`pkg/kubelet/kubelet_pods.go convertToAPIContainerStatuses`).

use crate::core;
use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::merge::has_pod_initialized;
use super::restart::{RESTARTING_ALL, should_container_be_restarted};
use super::runtime_status::{ContainerRecord, RuntimeStatus, State};
use crate::resources::is_sidecar;
use crate::time::SimTime;

/// The last start error of a container, by container name.
pub type ReasonCache = BTreeMap<String, (String, String)>;

/// Everything that a conversion looks at.
pub struct Conversion<'a> {
    /// The pod.
    pub pod: &'a core::Pod,
    /// The runtime's view.
    pub runtime: &'a RuntimeStatus,
    /// Last start errors.
    pub reasons: &'a ReasonCache,
    /// Whether all containers are being restarted in place.
    pub pod_restarting: bool,
    /// An instant as the API shows it.
    pub time: &'a dyn Fn(SimTime) -> Time,
}

const LOST: &str = "The container could not be located when the pod was terminated";
const LOST_RUNNING: &str =
    "The container could not be located when the pod was deleted.  The container used to be Running";
const REMOVED: &str = "The container is removed because RestartAllContainers in place";

fn waiting(reason: &str, message: &str) -> core::ContainerState {
    let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    core::ContainerState {
        waiting: Some(core::ContainerStateWaiting {
            reason: text(reason),
            message: text(message),
        }),
        ..Default::default()
    }
}

fn terminated(ended: core::ContainerStateTerminated) -> core::ContainerState {
    core::ContainerState {
        terminated: Some(ended),
        ..Default::default()
    }
}

fn unknown_end(message: &str) -> core::ContainerStateTerminated {
    core::ContainerStateTerminated {
        exit_code: 137,
        reason: Some("ContainerStatusUnknown".to_owned()),
        message: Some(message.to_owned()),
        ..Default::default()
    }
}

impl Conversion<'_> {
    fn end(&self, record: &ContainerRecord) -> core::ContainerStateTerminated {
        let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        core::ContainerStateTerminated {
            exit_code: record.exit_code,
            reason: text(&record.reason),
            message: text(&record.message),
            // A container that never ran started at the epoch, as far as the runtime is concerned.
            started_at: Some(
                record
                    .started_at
                    .map_or(Time(jiff::Timestamp::UNIX_EPOCH), |at| (self.time)(at)),
            ),
            finished_at: record.finished_at.map(|at| (self.time)(at)),
            container_id: Some(format!("containerd://{}", record.id)),
            signal: None,
        }
    }

    /// Statuses of `containers`. `previous` are the statuses of the same group as the API shows them now.
    pub fn statuses(
        &self,
        containers: &[core::Container],
        previous: &[core::ContainerStatus],
        has_init_containers: bool,
        is_init: bool,
    ) -> Vec<core::ContainerStatus> {
        let default_waiting = if has_init_containers {
            "PodInitializing"
        } else {
            "ContainerCreating"
        };
        let mut statuses: Vec<core::ContainerStatus> = containers
            .iter()
            .map(|container| {
                let old = previous.iter().find(|status| status.name == container.name);
                self.status(container, old, default_waiting, is_init)
            })
            .collect();
        if !is_init {
            // The kubelet sorts regular statuses by name; init statuses keep the order of the spec.
            statuses.sort_by(|a, b| a.name.cmp(&b.name));
        }
        statuses
    }

    fn status(
        &self,
        container: &core::Container,
        old: Option<&core::ContainerStatus>,
        default_waiting: &str,
        is_init: bool,
    ) -> core::ContainerStatus {
        let deleting = self.pod.metadata.deletion_timestamp.is_some();
        let mut records = self
            .runtime
            .containers
            .iter()
            .filter(|record| record.name == container.name);
        let (newest, older) = (records.next(), records.next());
        let mut status = match newest {
            Some(record) => self.recorded(record, old),
            None => self.without_record(container, old, default_waiting, is_init, deleting),
        };
        if let (Some(_), Some(older)) = (newest, older) {
            status.last_state = self.recorded(older, None).state;
        }
        // Since 1.36 what the API knew is not forgotten with the runtime's record of it.
        if let Some(old) = old {
            status.restart_count = status.restart_count.max(old.restart_count);
            let known = status
                .last_state
                .as_ref()
                .is_some_and(|state| state.terminated.is_some());
            if newest.is_some() && !known {
                let same_id = old.container_id.is_some() && old.container_id == status.container_id;
                let was = old.state.as_ref().and_then(|state| state.terminated.as_ref());
                let carried = if same_id { None } else { was };
                let carried = carried.or_else(|| old.last_state.as_ref().and_then(|state| state.terminated.as_ref()));
                if let Some(ended) = carried {
                    status.last_state = Some(terminated(ended.clone()));
                }
            }
        }
        if let Some((reason, message)) = self.reasons.get(&container.name)
            && should_container_be_restarted(container, self.pod, self.runtime)
        {
            // An init container that has ended well counts as done, also a sidecar that will run again.
            let done = is_init && newest.is_some_and(|record| record.state == State::Exited && record.exit_code == 0);
            if !done {
                if let Some(core::ContainerState {
                    terminated: Some(ended),
                    ..
                }) = &status.state
                {
                    status.last_state = Some(terminated(ended.clone()));
                }
                status.state = Some(waiting(reason, message));
            }
        }
        status
    }

    fn recorded(&self, record: &ContainerRecord, old: Option<&core::ContainerStatus>) -> core::ContainerStatus {
        let mut status = core::ContainerStatus {
            name: record.name.clone(),
            restart_count: record.restart_count,
            image: record.image.clone(),
            image_id: record.image_id.clone(),
            container_id: Some(format!("containerd://{}", record.id)),
            last_state: Some(core::ContainerState::default()),
            ..Default::default()
        };
        let was_running = old
            .and_then(|old| old.state.as_ref())
            .is_some_and(|state| state.running.is_some());
        status.state = Some(match record.state {
            State::Running => core::ContainerState {
                running: Some(core::ContainerStateRunning {
                    started_at: record.started_at.map(|at| (self.time)(at)),
                }),
                ..Default::default()
            },
            State::Exited => terminated(self.end(record)),
            State::Unknown if was_running => {
                status.restart_count += 1;
                terminated(unknown_end(LOST))
            }
            State::Created | State::Unknown => waiting("", ""),
        });
        status
    }

    fn without_record(
        &self,
        container: &core::Container,
        old: Option<&core::ContainerStatus>,
        default_waiting: &str,
        is_init: bool,
        deleting: bool,
    ) -> core::ContainerStatus {
        let mut status = core::ContainerStatus {
            name: container.name.clone(),
            image: container.image.clone().unwrap_or_default(),
            state: Some(waiting(default_waiting, "")),
            last_state: Some(core::ContainerState::default()),
            ..Default::default()
        };
        let initialized = || {
            self.pod
                .spec
                .iter()
                .flat_map(|spec| &spec.containers)
                .any(|container| self.runtime.container(&container.name).is_some())
        };
        if is_init && !is_sidecar(container) && initialized() {
            let message = "Unable to get init container status from container runtime and pod has been initialized, \
                           treat it as exited normally";
            status.state = Some(terminated(core::ContainerStateTerminated {
                reason: Some("Completed".to_owned()),
                message: Some(message.to_owned()),
                ..Default::default()
            }));
            if let Some(old) = old {
                if old.state.as_ref().is_some_and(|state| state.terminated.is_some()) {
                    return old.clone();
                }
                status.restart_count = old.restart_count;
            }
            return status;
        }
        let Some(old) = old else { return status };
        if self.pod_restarting {
            let already = old
                .state
                .as_ref()
                .and_then(|state| state.waiting.as_ref())
                .is_some_and(|waiting| waiting.reason.as_deref() == Some(RESTARTING_ALL));
            let ran = old
                .state
                .as_ref()
                .is_some_and(|state| state.running.is_some() || state.terminated.is_some());
            if already || ran {
                status.restart_count = old.restart_count + i32::from(!already);
                status.state = Some(waiting(RESTARTING_ALL, REMOVED));
                status.last_state = Some(terminated(core::ContainerStateTerminated {
                    exit_code: 137,
                    reason: Some(RESTARTING_ALL.to_owned()),
                    message: Some(REMOVED.to_owned()),
                    ..Default::default()
                }));
                return status;
            }
        }
        let state = old.state.as_ref();
        if state.is_some_and(|state| state.terminated.is_some()) {
            status.state.clone_from(&old.state);
            status.restart_count = old.restart_count;
            status.last_state.clone_from(&old.last_state);
            status.image.clone_from(&old.image);
            status.image_id.clone_from(&old.image_id);
            status.container_id.clone_from(&old.container_id);
            return status;
        }
        status.restart_count = old.restart_count;
        let last = old.last_state.as_ref().filter(|state| state.terminated.is_some());
        if let Some(last) = last {
            status.last_state = Some(last.clone());
        } else if state.is_some_and(|state| state.running.is_some()) {
            status.last_state = Some(terminated(unknown_end(LOST_RUNNING)));
            if !deleting {
                status.restart_count += 1;
            }
        }
        status
    }
}

/// The last status of a pod that has ended for good (`status_manager.go TerminatePod`): containers that were never seen to
/// end count as lost, and the phase is terminal. `given`: the status in the version of the pod that the sync was given.
pub fn terminate(spec: &core::PodSpec, given: &core::PodStatus, status: &mut core::PodStatus, is_static: bool) {
    let end = |status: &mut core::ContainerStatus| {
        if status.state.as_ref().is_none_or(|state| state.terminated.is_none()) {
            status.state = Some(terminated(unknown_end(LOST)));
        }
    };
    if has_pod_initialized(spec, given) {
        status.container_statuses.iter_mut().flatten().for_each(end);
    }
    // Init containers up to the last one that shows signs of a start, and at least the first.
    if let Some(init) = &mut status.init_container_statuses {
        let started = |status: &core::ContainerStatus| {
            status.state.as_ref().is_none_or(|state| state.waiting.is_none())
                || status
                    .last_state
                    .as_ref()
                    .is_some_and(|state| state.terminated.is_some())
        };
        let last = init.iter().rposition(started).map_or(1, |index| index + 1);
        init.iter_mut().take(last).for_each(end);
    }
    if !is_static && !matches!(status.phase.as_deref(), Some("Succeeded" | "Failed")) {
        status.phase = Some("Failed".to_owned());
    }
}
