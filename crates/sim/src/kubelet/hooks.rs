//! Lifecycle hooks (`pkg/kubelet/lifecycle/handlers.go`): postStart and preStop, by a command, a request or a sleep.

use k8s_openapi::api::core::v1 as core;

use super::event::{PodEvent, Reply};
use super::network::pod_port;
use super::node::Kubelet;
use super::worker::{ExecPurpose, Step, Wait, Worker};
use crate::runtime::host::{NetError, Request, Response};
use crate::runtime::process::ExecEnd;
use crate::time::SimDuration;
use crate::world::World;

impl Kubelet {
    /// Begins a hook in a container; its end is told by [`Kubelet::hook_done`].
    pub(super) fn begin_hook(
        &mut self,
        w: &mut World,
        worker: &mut Worker,
        id: &str,
        hook: &core::LifecycleHandler,
        purpose: ExecPurpose,
    ) {
        if let Some(sleep) = &hook.sleep {
            let at = w.now + SimDuration::from_secs(u64::try_from(sleep.seconds).unwrap_or(0));
            let container = id.to_owned();
            let event = match purpose {
                ExecPurpose::PreStop => {
                    let token = worker
                        .instance(id)
                        .and_then(|instance| instance.kill.as_ref())
                        .map_or(0, |kill| kill.token);
                    PodEvent::PreStopSlept { container, token }
                }
                _ => PodEvent::PostStartSlept { container },
            };
            self.plan(w, at, worker, event);
        } else if let Some(exec) = &hook.exec {
            if purpose == ExecPurpose::PreStop
                && let Some(kill) = worker.instance_mut(id).and_then(|instance| instance.kill.as_mut())
            {
                kill.hook = true;
            }
            let at = w.now + Self::exec_start(w);
            let command = exec.command.clone().unwrap_or_default();
            self.plan(
                w,
                at,
                worker,
                PodEvent::HookExec {
                    container: id.to_owned(),
                    purpose,
                    command,
                },
            );
        } else if let Some(get) = &hook.http_get {
            let spec = worker.spec();
            let containers = spec.containers.iter().chain(spec.init_containers.iter().flatten());
            let Some(port) = pod_port(containers, &get.port) else {
                self.hook_done(w, worker, id, purpose, Some("port not found".to_owned()));
                return;
            };
            let host = get
                .host
                .clone()
                .filter(|host| !host.is_empty())
                .unwrap_or_else(|| worker.current_address(&self.ip));
            let request = Request::Http {
                method: "GET".to_owned(),
                path: get.path.clone().unwrap_or_else(|| "/".to_owned()),
                headers: headers(get.http_headers.as_deref()),
                body: Vec::new(),
            };
            let reply = Reply::Hook {
                purpose,
                container: id.to_owned(),
            };
            self.send_request(w, worker, &host, port, request, reply);
        } else {
            self.hook_done(w, worker, id, purpose, None);
        }
    }

    /// A hook's command begins.
    pub(super) fn hook_exec(
        &mut self,
        w: &mut World,
        worker: &mut Worker,
        id: &str,
        purpose: ExecPurpose,
        command: &[String],
    ) {
        if let Err(error) = self.exec_in(w, worker, id, command, purpose.clone()) {
            let message = exec_hook_message(worker, id, command, &error, "");
            self.hook_done(w, worker, id, purpose, Some(message));
        }
    }

    /// A hook's command has ended.
    pub(super) fn exec_hook_ended(
        &mut self,
        w: &mut World,
        worker: &mut Worker,
        id: &str,
        purpose: ExecPurpose,
        end: &ExecEnd,
    ) {
        let command = worker.hook_command(id, &purpose);
        let failure = (end.exit_code != 0).then(|| {
            let error = format!(
                "command '{}' exited with {}: {}",
                command.join(" "),
                end.exit_code,
                end.stderr
            );
            exec_hook_message(worker, id, &command, &error, &end.output)
        });
        self.hook_done(w, worker, id, purpose, failure);
    }

    /// A hook's request was answered. The status code does not matter (`httpHandler`).
    pub(super) fn http_hook_ended(
        &mut self,
        w: &mut World,
        worker: &mut Worker,
        id: &str,
        purpose: ExecPurpose,
        answer: &Result<Response, NetError>,
    ) {
        let failure = answer.as_ref().err().map(|error| {
            let (container, pod) = (worker.container_name(id), worker.format());
            format!("HTTP lifecycle hook () for Container \"{container}\" in Pod \"{pod}\" failed - error: {error}, message: \"\"")
        });
        self.hook_done(w, worker, id, purpose, failure);
    }

    fn hook_done(
        &mut self,
        w: &mut World,
        worker: &mut Worker,
        id: &str,
        purpose: ExecPurpose,
        failure: Option<String>,
    ) {
        match purpose {
            ExecPurpose::PreStop => self.pre_stop_done(w, worker, id, failure),
            ExecPurpose::PostStart => self.post_start_done(w, worker, id, failure),
            ExecPurpose::Probe(_) | ExecPurpose::User => {}
        }
    }

    /// The postStart hook has ended: the sync that waits for it goes on.
    pub(super) fn post_start_done(&mut self, w: &mut World, worker: &mut Worker, id: &str, failure: Option<String>) {
        let waits = worker
            .sync
            .as_ref()
            .is_some_and(|sync| sync.wait == Wait::Hook(id.to_owned()));
        if !waits {
            return;
        }
        self.hook_record(w, worker, id, "postStart", failure.as_deref().unwrap_or("succeeded"));
        if let Some(sync) = &mut worker.sync {
            sync.wait = Wait::Ready;
            if let Some(Step::AfterPostStart { failure: slot, .. }) = sync.steps.front_mut() {
                *slot = failure;
            }
        }
        self.advance(w, worker);
    }
}

/// `Exec lifecycle hook ([sh -c …]) for Container "app" in Pod "p_default(uid)" failed - error: …, message: "…"`.
fn exec_hook_message(worker: &Worker, id: &str, command: &[String], error: &str, output: &str) -> String {
    format!(
        "Exec lifecycle hook ([{}]) for Container {:?} in Pod {:?} failed - error: {error}, message: {}",
        command.join(" "),
        worker.container_name(id),
        worker.format(),
        go_quoted(output),
    )
}

/// Go's `%q`.
pub(super) fn go_quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() => quoted.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Headers of a probe or hook.
pub(super) fn headers(headers: Option<&[core::HTTPHeader]>) -> Vec<(String, String)> {
    let mut all = vec![
        ("User-Agent".to_owned(), "kube-probe/1.36".to_owned()),
        ("Accept".to_owned(), "*/*".to_owned()),
        ("Connection".to_owned(), "close".to_owned()),
    ];
    for header in headers.unwrap_or_default() {
        all.retain(|(name, _)| !name.eq_ignore_ascii_case(&header.name));
        all.push((header.name.clone(), header.value.clone()));
    }
    all
}

impl Worker {
    /// The name of the container of that instance.
    pub(super) fn container_name(&self, id: &str) -> String {
        self.instance(id)
            .map(|instance| instance.record.name.clone())
            .unwrap_or_default()
    }

    fn hook_command(&self, id: &str, purpose: &ExecPurpose) -> Vec<String> {
        let Some(instance) = self.instance(id) else {
            return Vec::new();
        };
        let lifecycle = self
            .container(instance.group, instance.index)
            .and_then(|container| container.lifecycle.clone());
        let handler = lifecycle.and_then(|lifecycle| match purpose {
            ExecPurpose::PreStop => lifecycle.pre_stop,
            _ => lifecycle.post_start,
        });
        handler
            .and_then(|handler| handler.exec)
            .and_then(|exec| exec.command)
            .unwrap_or_default()
    }
}
