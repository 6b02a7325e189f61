//! How a container starts (`pkg/kubelet/kuberuntime/kuberuntime_container.go startContainer`): back-off, image, configuration,
//! creation, the process, the postStart hook.

use super::actions::KillReason;
use super::environment::container_spec;
use super::images::{full_name, image_of};
use super::node::Kubelet;
use super::processes::shared_memory;
use super::runtime_status::{ContainerRecord, SandboxStatus, State};
use super::worker::{ExecPurpose, FIRST_PID, Group, Instance, Step, SyncError, Target, Wait, Worker, message_path};
use crate::latency;
use crate::resources::is_sidecar;
use crate::runtime::catalogue::Reference;
use crate::runtime::namespaces::Ipc;
use crate::trace::{RuntimeEvent, What};
use crate::version::{Change, Gate};
use crate::world::{PodAddress, World};

impl Kubelet {
    /// The sandbox is up, with an address of its own.
    pub(super) fn sandbox_ready(&mut self, w: &mut World, worker: &mut Worker, attempt: u32) {
        let host_network = worker.spec().host_network == Some(true);
        let ip = if host_network { self.ip.clone() } else { w.new_pod_ip() };
        let id = w.rng.hex(64);
        if !host_network {
            let place = PodAddress {
                node: self.node,
                pod_uid: worker.uid.to_string(),
            };
            w.pod_ips.insert(ip.clone(), place);
        }
        let event = RuntimeEvent::SandboxReady { ip: ip.clone() };
        let record = w.record(Some(worker.reference()), None, What::Runtime { event });
        w.causes = vec![record];
        // Its namespaces are new.
        worker.ipc = Ipc::default();
        worker.shm = shared_memory();
        worker.next_pid = FIRST_PID;
        worker.sandboxes.push(SandboxStatus {
            id,
            ready: true,
            attempt,
            ip: (!host_network).then_some(ip),
            host_network,
        });
        // One old sandbox is kept, as the garbage collector keeps it.
        if worker.sandboxes.len() > 2 {
            worker.sandboxes.remove(0);
        }
        self.runtime_changed(w, worker);
        self.announce_sandbox(w, worker);
    }

    /// First step of a start: whether the container has to wait still (`doBackOff`).
    pub(super) fn start_container(&mut self, w: &mut World, worker: &mut Worker, group: Group, index: usize) {
        let Some(container) = worker.container(group, index) else {
            return;
        };
        let seen = worker.seen();
        let ended = seen
            .containers
            .iter()
            .find(|record| record.name == container.name && record.state == State::Exited);
        if group != Group::Ephemeral
            && let Some(finished) = ended.and_then(|record| record.finished_at)
        {
            let key = format!(
                "{}_{}_{}_{}",
                worker.uid,
                container.name,
                container.image.as_deref().unwrap_or_default(),
                container
                    .resources
                    .as_ref()
                    .map(|resources| format!("{resources:?}"))
                    .unwrap_or_default()
            );
            if self.crash_backoff.is_in_backoff_since(&key, finished, w.now) {
                let (name, pod) = (&container.name, worker.format());
                let message = format!("Back-off restarting failed container {name} in pod {pod}");
                let field = worker.field_path(group, name);
                self.pod_event(w, worker, field, "Warning", "BackOff", message);
                let wait = self.crash_backoff.get(&key).to_string();
                let message = format!("back-off {wait} restarting failed container={name} pod={pod}");
                let rule = "pkg/kubelet/kuberuntime/kuberuntime_manager.go doBackOff";
                w.decide(
                    worker.reference(),
                    Some(name),
                    rule,
                    "restart.backoff",
                    &[("wait", &wait)],
                );
                let expiry = self.crash_backoff.expiry(&key, finished);
                Self::first(
                    worker,
                    [Step::FailStart {
                        group,
                        index,
                        reason: "CrashLoopBackOff",
                        message,
                    }],
                );
                if let Some(sync) = &mut worker.sync {
                    sync.backoff_expiry = Some(expiry);
                }
                return;
            }
            self.crash_backoff.next(&key, finished, w.now);
        }
        self.ensure_image(w, worker, group, index);
    }

    /// The image is there: the container is configured and created.
    pub(super) fn create_container(&mut self, w: &mut World, worker: &mut Worker, group: Group, index: usize) {
        let Some(container) = worker.container(group, index) else {
            return;
        };
        let field = worker.field_path(group, &container.name);
        let image = container.image.clone().unwrap_or_default();
        let Ok(reference) = Reference::parse(&image) else {
            return;
        };
        let fail = |kubelet: &mut Self, w: &mut World, worker: &mut Worker, reason, message: String| {
            let field = worker.field_path(group, &container.name);
            kubelet.pod_event(w, worker, field, "Warning", "Failed", format!("Error: {message}"));
            Self::first(
                worker,
                [Step::FailStart {
                    group,
                    index,
                    reason,
                    message,
                }],
            );
        };
        // The image may have left the registry since: what is on the node stays.
        let (repository, assumed) = image_of(w, &reference).unwrap_or_default();
        if assumed {
            let name = full_name(&reference);
            w.notice(&format!(
                "image {name} is not in the catalogue: it is assumed to run until it is stopped"
            ));
        }
        let address = worker.current_address(&self.ip);
        let spec = match container_spec(w, worker, &container, (&repository, assumed), &address, &self.name) {
            Ok(mut spec) => {
                self.prepare_mounts(w, worker, &mut spec.mounts);
                spec
            }
            Err(message) => {
                fail(self, w, worker, "CreateContainerConfigError", message);
                return;
            }
        };
        let user = container
            .security_context
            .as_ref()
            .and_then(|context| context.run_as_user)
            .or_else(|| {
                worker
                    .spec()
                    .security_context
                    .as_ref()
                    .and_then(|context| context.run_as_user)
            });
        if user.is_none()
            && let Err(missing) = repository.user_id()
        {
            let place = w.rng.below(1 << 31);
            let message = format!(
                "failed to create containerd container: mount callback failed on \
                 /var/lib/containerd/tmpmounts/containerd-mount{place}: {missing}"
            );
            fail(self, w, worker, "CreateContainerError", message);
            return;
        }
        let seen = worker.seen();
        let logged = worker.restarts_logged.get(&container.name).copied();
        let restart_count = match seen.container(&container.name) {
            Some(record) => record.restart_count + 1,
            None => logged.map_or(0, |highest| highest + 1),
        };
        worker.restarts_logged.insert(container.name.clone(), restart_count);
        let created = if w.version.has(Change::EventsWithoutContainerName) {
            "Container created".to_owned()
        } else if w.version.has(Change::CreatedEventWithColon) {
            format!("Created container: {}", container.name)
        } else {
            format!("Created container {}", container.name)
        };
        self.pod_event(w, worker, field, "Normal", "Created", created);
        let sandbox = worker
            .sandboxes
            .last()
            .map(|sandbox| sandbox.id.clone())
            .unwrap_or_default();
        let fallback = container.termination_message_policy.as_deref() == Some("FallbackToLogsOnError");
        let id = w.rng.hex(64);
        let (root, image_size) = worker.root_of(&container, repository.files(), &address, &self.name);
        if let Some(resources) = worker.allocated.get(&container.name).cloned() {
            worker.actual.insert(container.name.clone(), resources);
        }
        // What an older object still has when the gate is off again has no effect.
        let own_signal = container
            .lifecycle
            .as_ref()
            .and_then(|lifecycle| lifecycle.stop_signal.clone())
            .filter(|_| w.version.enabled(Gate::ContainerStopSignals));
        worker.prune(&container.name);
        worker.instances.push(Instance {
            record: ContainerRecord {
                id,
                name: container.name.clone(),
                sandbox,
                state: State::Created,
                restart_count,
                created_at: w.now,
                image: full_name(&reference),
                image_id: self.puller.image_id(&reference),
                spec_matches: true,
                ..Default::default()
            },
            group,
            index,
            processes: None,
            spec: Some(spec),
            stop_signal: own_signal
                .or_else(|| Some(repository.stop_signal.clone()))
                .filter(|signal| !signal.is_empty())
                .unwrap_or_else(|| "SIGTERM".to_owned()),
            wake: 0,
            woken_at: None,
            kill: None,
            exit: None,
            execs: Default::default(),
            root,
            image_size,
            log: Default::default(),
            shared: 0,
            killed: false,
            tail: fallback.then(Vec::new),
            message_path: message_path(&container).to_owned(),
            created_from: image,
        });
        let wait = w.latency(latency::CONTAINER_START);
        Self::first(worker, [Step::StartProcess { group, index }]);
        self.suspend(w, worker, wait);
    }

    /// The runtime starts the container's process.
    pub(super) fn start_process(&mut self, w: &mut World, worker: &mut Worker, group: Group, index: usize) {
        let Some(instance) = worker.instances.last_mut() else {
            return;
        };
        let (id, name) = (instance.record.id.clone(), instance.record.name.clone());
        let Some(spec) = instance.spec.take() else { return };
        let field = worker.field_path(group, &name);
        if let Err(error) = self.start_processes(w, worker, &id, spec) {
            let message = format!(
                "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: \
                 unable to start container process: {error}: unknown"
            );
            if let Some(instance) = worker.instance_mut(&id) {
                let record = &mut instance.record;
                record.state = State::Exited;
                record.exit_code = 128;
                record.reason = "StartError".to_owned();
                record.message.clone_from(&message);
                record.finished_at = Some(w.now);
            }
            let event = RuntimeEvent::StartFailed { error: message.clone() };
            let record = w.record(Some(worker.reference()), Some(&name), What::Runtime { event });
            w.causes = vec![record];
            worker.runtime_causes.push(record);
            self.runtime_changed(w, worker);
            self.pod_event(w, worker, field, "Warning", "Failed", format!("Error: {message}"));
            Self::first(
                worker,
                [Step::FailStart {
                    group,
                    index,
                    reason: "RunContainerError",
                    message,
                }],
            );
            return;
        }
        if let Some(instance) = worker.instance_mut(&id) {
            instance.record.state = State::Running;
            instance.record.started_at = Some(w.now);
        }
        let event = RuntimeEvent::Started;
        let record = w.record(Some(worker.reference()), Some(&name), What::Runtime { event });
        worker.runtime_causes.push(record);
        self.runtime_changed(w, worker);
        let started = if w.version.has(Change::EventsWithoutContainerName) {
            "Container started".to_owned()
        } else {
            format!("Started container {name}")
        };
        self.pod_event(w, worker, field, "Normal", "Started", started);
        let saved = std::mem::replace(&mut w.causes, vec![record]);
        self.begin_processes(w, worker, &id);
        w.causes = saved;
        let hook = worker
            .container(group, index)
            .and_then(|container| container.lifecycle.as_ref()?.post_start.clone());
        let Some(hook) = hook else {
            worker.forget_reason(&name);
            return;
        };
        Self::first(
            worker,
            [Step::AfterPostStart {
                group,
                index,
                id: id.clone(),
                failure: None,
            }],
        );
        if let Some(sync) = &mut worker.sync {
            sync.wait = Wait::Hook(id.clone());
        }
        self.hook_record(w, worker, &id, "postStart", "started");
        self.begin_hook(w, worker, &id, &hook, ExecPurpose::PostStart);
    }

    /// The postStart hook has ended; if it failed its container is killed.
    pub(super) fn after_post_start(
        &mut self,
        w: &mut World,
        worker: &mut Worker,
        group: Group,
        index: usize,
        id: &str,
        failure: Option<String>,
    ) {
        let name = worker.container_name(id);
        let Some(message) = failure else {
            worker.forget_reason(&name);
            return;
        };
        let field = worker.field_path(group, &name);
        self.pod_event(
            w,
            worker,
            field,
            "Warning",
            "FailedPostStartHook",
            "PostStartHook failed".to_owned(),
        );
        let target = Target {
            id: id.to_owned(),
            message: Some("FailedPostStartHook".to_owned()),
            reason: KillReason::Other,
        };
        let kill = Step::Kill {
            targets: vec![target],
            grace_override: None,
            whole_pod: false,
        };
        Self::first(
            worker,
            [
                kill,
                Step::FailStart {
                    group,
                    index,
                    reason: "PostStartHookError",
                    message,
                },
            ],
        );
    }

    /// A start has failed: the reason will show at the next sync, and the sync will be tried again.
    pub(super) fn fail_start(
        &mut self,
        worker: &mut Worker,
        group: Group,
        index: usize,
        reason: &'static str,
        message: String,
    ) {
        let Some(container) = worker.container(group, index) else {
            return;
        };
        worker.give_reason(&container.name, reason, message);
        let Some(sync) = &mut worker.sync else { return };
        let error = match sync.backoff_expiry.take() {
            Some(expiry) => SyncError::CrashLoopBackOff(expiry),
            None => SyncError::Other,
        };
        sync.error = Some(match (sync.error, error) {
            (Some(SyncError::CrashLoopBackOff(old)), SyncError::CrashLoopBackOff(new)) => {
                SyncError::CrashLoopBackOff(old.min(new))
            }
            (Some(old @ SyncError::CrashLoopBackOff(_)), SyncError::Other) => old,
            (_, new) => new,
        });
        if group == Group::Init && !is_sidecar(&container) {
            // Nothing after an init container that cannot start.
            sync.steps.retain(|step| !matches!(step, Step::StartContainer { .. }));
        }
    }
}

impl Worker {
    /// Forgets all but the newest dead instance of a container that is about to start again, as the garbage collector does.
    fn prune(&mut self, name: &str) {
        let newest = self.instances.iter().rposition(|instance| instance.record.name == name);
        let mut index = 0;
        self.instances.retain(|instance| {
            let keep = instance.record.name != name || Some(index) == newest || instance.record.state == State::Running;
            index += 1;
            keep
        });
    }
}
