//! Probes (`pkg/kubelet/prober`): a worker for each probe of each container ticks at its own period, asks the container what
//! it really does, and tells the sync loop when a result changes.

use k8s_openapi::api::core::v1 as core;

use super::actions::ProbeResult;
use super::event::{PodEvent, ProbeKind, Reply};
use super::network::pod_port;
use super::node::Kubelet;
use super::probe_worker::{ProbeState, Sight, Tick};
use super::restart::container_should_restart;
use super::status::announced_restart;
use super::worker::{ExecPurpose, Group, Worker};
use crate::resources::is_sidecar;
use crate::runtime::host::{NetError, Request, Response};
use crate::runtime::process::ExecEnd;
use crate::time::{SimDuration, SimTime};
use crate::trace::What;
use crate::world::World;

/// How often a probe that errors is tried again at once (`maxProbeRetries`).
const TRIES: u32 = 3;
/// Bytes of a probe's output that are kept.
const OUTPUT_BYTES: usize = 10 * 1024;
/// Containers that started this long before the kubelet keep their readiness.
const RESTART_GRACE: SimDuration = SimDuration::from_secs(10);

/// A probe of a container and its ticker.
#[derive(Clone, Debug)]
pub(crate) struct ProbeWorker {
    pub kind: ProbeKind,
    pub container: String,
    pub group: Group,
    pub state: ProbeState,
    pub token: u64,
    period: SimDuration,
    timeout: SimDuration,
    /// The tick that was consumed last.
    due: SimTime,
    /// The probe that runs now: a number that its end must carry.
    running: Option<u64>,
    triggered: bool,
    tries: u32,
    deleting: bool,
}

/// How a probe ended.
enum Outcome {
    Success,
    Failure(String),
    Warning(String),
    Error(String),
}

impl ProbeKind {
    /// As events print it.
    fn title(self) -> &'static str {
        match self {
            Self::Startup => "Startup",
            Self::Readiness => "Readiness",
            Self::Liveness => "Liveness",
        }
    }

    /// As traces name it.
    fn name(self) -> &'static str {
        match self {
            Self::Startup => "startup",
            Self::Readiness => "readiness",
            Self::Liveness => "liveness",
        }
    }

    /// The probe of that kind.
    pub(super) fn of(self, container: &core::Container) -> Option<&core::Probe> {
        match self {
            Self::Startup => container.startup_probe.as_ref(),
            Self::Readiness => container.readiness_probe.as_ref(),
            Self::Liveness => container.liveness_probe.as_ref(),
        }
    }
}

/// What the answer of the health service means (`pkg/probe/grpc`); `None` when nobody spoke gRPC.
fn grpc_outcome(answer: &Result<Response, NetError>) -> Option<Outcome> {
    let Ok(Response::Http { headers, body, .. }) = answer else {
        return None;
    };
    let header = |wanted: &str| {
        headers
            .iter()
            .find(|(name, _)| name == wanted)
            .map(|(_, value)| value.as_str())
    };
    let message = header("grpc-message").unwrap_or_default();
    Some(match (header("grpc-status")?, body.as_slice()) {
        ("0", b"SERVING") => Outcome::Success,
        ("0", other) => {
            let other = String::from_utf8_lossy(other);
            Outcome::Failure(format!("service unhealthy (responded with \"{other}\")"))
        }
        ("5", _) => Outcome::Failure(format!(
            "error: health rpc probe failed: rpc error: code = NotFound desc = {message}"
        )),
        ("12", _) => Outcome::Failure(format!(
            "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): {message}"
        )),
        (code, _) => Outcome::Failure(format!(
            "error: health rpc probe failed: rpc error: code = {code} desc = {message}"
        )),
    })
}

fn seconds(value: Option<i32>, default: u64) -> u64 {
    value
        .and_then(|value| u64::try_from(value).ok())
        .filter(|value| *value > 0)
        .unwrap_or(default)
}

impl Kubelet {
    /// Starts the workers that a pod needs and does not have yet (`AddPod`).
    pub(super) fn add_probes(&mut self, w: &mut World, worker: &mut Worker) {
        if worker.probes_added {
            return;
        }
        worker.probes_added = true;
        let spec = worker.spec();
        let init = spec
            .init_containers
            .iter()
            .flatten()
            .filter(|container| is_sidecar(container));
        let all = spec
            .containers
            .iter()
            .map(|container| (Group::Regular, container))
            .chain(init.map(|container| (Group::Init, container)));
        let mut probes = Vec::new();
        for (group, container) in all {
            for kind in [ProbeKind::Startup, ProbeKind::Readiness, ProbeKind::Liveness] {
                let Some(probe) = kind.of(container) else { continue };
                let threshold = |value, default| u32::try_from(seconds(value, default)).unwrap_or(u32::MAX);
                let delay = u64::try_from(probe.initial_delay_seconds.unwrap_or(0)).unwrap_or(0);
                let state = ProbeState::new(
                    kind,
                    threshold(probe.success_threshold, 1),
                    threshold(probe.failure_threshold, 3),
                    delay,
                );
                probes.push(ProbeWorker {
                    kind,
                    container: container.name.clone(),
                    group,
                    state,
                    token: 0,
                    period: SimDuration::from_secs(seconds(probe.period_seconds, 10)),
                    timeout: SimDuration::from_secs(seconds(probe.timeout_seconds, 1)),
                    due: w.now,
                    running: None,
                    triggered: false,
                    tries: 0,
                    deleting: worker.pod.metadata.deletion_timestamp.is_some(),
                });
            }
        }
        for probe in &mut probes {
            // After a restart of the kubelet its probes do not all run at once.
            if let Some(started) = self.started_at
                && w.now.since(started) < probe.period
            {
                probe.due = w.now + SimDuration(w.rng.below(probe.period.0));
            }
        }
        let due: Vec<_> = probes
            .iter()
            .map(|probe| (probe.container.clone(), probe.kind, probe.due))
            .collect();
        worker.probes.extend(probes);
        for (container, kind, at) in due {
            self.plan_probe(w, worker, &container, kind, at);
        }
    }

    fn plan_probe(&mut self, w: &mut World, worker: &mut Worker, container: &str, kind: ProbeKind, at: SimTime) {
        let Some(probe) = worker.probe_mut(container, kind) else {
            return;
        };
        probe.token += 1;
        probe.due = at;
        let token = probe.token;
        self.plan(
            w,
            at,
            worker,
            PodEvent::Probe {
                container: container.to_owned(),
                kind,
                token,
            },
        );
    }

    /// Runs a probe at once, and counts its period from now (`manualTriggerCh`).
    pub(super) fn trigger_probe(&mut self, w: &mut World, worker: &mut Worker, container: &str, kind: ProbeKind) {
        let now = w.now;
        let Some(probe) = worker.probe_mut(container, kind) else {
            return;
        };
        if probe.running.is_some() {
            probe.triggered = true;
        } else {
            self.plan_probe(w, worker, container, kind, now);
        }
    }

    /// A worker that was woken too early finds nothing to probe; its period counts from now all the same.
    pub(super) fn miss_probe(&mut self, w: &mut World, worker: &mut Worker, container: &str, kind: ProbeKind) {
        let now = w.now;
        let Some(probe) = worker.probe_mut(container, kind) else {
            return;
        };
        if probe.running.is_none() {
            let next = now + probe.period;
            self.plan_probe(w, worker, container, kind, next);
        }
    }

    /// The next tick of a worker whose probe has ended; ticks missed meanwhile are one.
    fn next_tick(&mut self, w: &mut World, worker: &mut Worker, container: &str, kind: ProbeKind) {
        let now = w.now;
        let Some(probe) = worker.probe_mut(container, kind) else {
            return;
        };
        probe.running = None;
        if std::mem::take(&mut probe.triggered) {
            self.plan_probe(w, worker, container, kind, now);
            return;
        }
        let mut next = probe.due + probe.period;
        if next < now {
            let missed = now.since(next).0 / probe.period.0;
            let behind = next + SimDuration(missed * probe.period.0);
            self.plan_probe(w, worker, container, kind, now);
            // The ticker keeps its beat.
            if let Some(probe) = worker.probe_mut(container, kind) {
                probe.due = behind;
            }
            return;
        }
        next = next.max(now);
        self.plan_probe(w, worker, container, kind, next);
    }

    /// A worker's tick.
    pub(super) fn probe_due(
        &mut self,
        w: &mut World,
        worker: &mut Worker,
        container: &str,
        kind: ProbeKind,
        token: u64,
    ) {
        if worker
            .probe_mut(container, kind)
            .is_none_or(|probe| probe.token != token || probe.running.is_some())
        {
            return;
        }
        let sight = self.sight(w, worker, container, kind);
        let Some(probe) = worker.probe_mut(container, kind) else {
            return;
        };
        let before = (probe.state.container_id.clone(), probe.state.stored);
        let tick = probe.state.tick(&sight);
        let after = (probe.state.container_id.clone(), probe.state.stored);
        if before != after {
            self.result_changed(w, worker, container, kind);
        }
        match tick {
            Tick::End => worker
                .probes
                .retain(|probe| !(probe.kind == kind && probe.container == container)),
            Tick::Skip => self.next_tick(w, worker, container, kind),
            Tick::Probe => {
                if let Some(probe) = worker.probe_mut(container, kind) {
                    probe.tries = 0;
                }
                self.begin_probe(w, worker, container, kind);
            }
        }
    }

    fn sight(&self, w: &World, worker: &Worker, name: &str, kind: ProbeKind) -> Sight {
        let Some(status) = &worker.status else {
            return Sight::default();
        };
        let pod_ended = matches!(status.phase.as_deref(), Some("Succeeded" | "Failed"));
        let found = status
            .container_statuses
            .iter()
            .chain(&status.init_container_statuses)
            .flatten()
            .find(|status| status.name == name && status.container_id.is_some());
        let Some(found) = found else {
            return Sight {
                known: true,
                pod_ended,
                ..Sight::default()
            };
        };
        let state = found.state.as_ref();
        let running = state.and_then(|state| state.running.as_ref());
        let terminated = state.and_then(|state| state.terminated.as_ref());
        let spec = worker.spec();
        let container = spec
            .containers
            .iter()
            .chain(spec.init_containers.iter().flatten())
            .find(|container| container.name == name);
        let restarts = terminated.is_some_and(|ended| {
            container.is_some_and(|container| container_should_restart(container, spec, ended.exit_code))
        }) || announced_restart(worker);
        let started_at = running
            .and_then(|running| running.started_at.as_ref())
            .map(|time| w.virtual_time(time.0));
        let older_than_kubelet = self
            .started_at
            .zip(started_at)
            .is_some_and(|(kubelet, container)| container + RESTART_GRACE < kubelet);
        Sight {
            known: true,
            pod_ended,
            container_id: worker.bare_id(found.container_id.as_deref()),
            running: running.is_some(),
            terminated: terminated.is_some(),
            restarts,
            started: found.started == Some(true),
            age_seconds: started_at.map_or(0, |at| w.now.since(at).as_secs()),
            deleting: worker
                .probes
                .iter()
                .any(|probe| probe.kind == kind && probe.container == name && probe.deleting),
            older_than_kubelet,
        }
    }

    fn begin_probe(&mut self, w: &mut World, worker: &mut Worker, name: &str, kind: ProbeKind) {
        worker.probe_runs += 1;
        let run = worker.probe_runs;
        let Some(probe) = worker.probe_mut(name, kind) else {
            return;
        };
        probe.running = Some(run);
        let (group, id, timeout) = (probe.group, probe.state.container_id.clone(), probe.timeout);
        let spec = worker.spec();
        let all = match group {
            Group::Init => spec.init_containers.as_deref().unwrap_or_default(),
            _ => &spec.containers,
        };
        let Some(container) = all.iter().find(|container| container.name == name) else {
            return;
        };
        let Some(probe) = kind.of(container).cloned() else {
            return;
        };
        let deadline = w.now + timeout;
        if probe.exec.is_some() {
            let at = w.now + Self::exec_start(w);
            self.plan(w, at, worker, PodEvent::ProbeExec { container: id, kind });
            return;
        }
        let own = worker.current_address(&self.ip);
        let (port, host, request) = if let Some(get) = &probe.http_get {
            let request = Request::Http {
                method: "GET".to_owned(),
                path: get
                    .path
                    .clone()
                    .filter(|path| !path.is_empty())
                    .unwrap_or_else(|| "/".to_owned()),
                headers: super::hooks::headers(get.http_headers.as_deref()),
                body: Vec::new(),
            };
            (
                pod_port(std::iter::once(container), &get.port),
                get.host.clone(),
                request,
            )
        } else if let Some(tcp) = &probe.tcp_socket {
            (
                pod_port(std::iter::once(container), &tcp.port),
                tcp.host.clone(),
                Request::Tcp { data: Vec::new() },
            )
        } else if let Some(grpc) = &probe.grpc {
            let request = Request::Http {
                method: "POST".to_owned(),
                path: "/grpc.health.v1.Health/Check".to_owned(),
                headers: vec![("content-type".to_owned(), "application/grpc".to_owned())],
                body: grpc.service.clone().unwrap_or_default().into_bytes(),
            };
            (u16::try_from(grpc.port).ok(), None, request)
        } else {
            self.probe_ended(
                w,
                worker,
                name,
                kind,
                Outcome::Error("missing probe handler".to_owned()),
            );
            return;
        };
        let Some(port) = port else {
            let what = probe
                .http_get
                .as_ref()
                .map(|get| &get.port)
                .or(probe.tcp_socket.as_ref().map(|tcp| &tcp.port));
            let text = match what {
                Some(k8s_openapi::apimachinery::pkg::util::intstr::IntOrString::String(name)) => {
                    format!("port {name} not found")
                }
                _ => "invalid port number".to_owned(),
            };
            self.probe_ended(w, worker, name, kind, Outcome::Error(text));
            return;
        };
        let host = host.filter(|host| !host.is_empty()).unwrap_or(own);
        let event = PodEvent::ProbeTimeout {
            container: name.to_owned(),
            kind,
            run,
            exec: None,
        };
        self.plan(w, deadline, worker, event);
        let reply = Reply::Probe {
            kind,
            container: name.to_owned(),
        };
        self.send_request(w, worker, &host, port, request, reply);
    }

    /// An exec probe's command begins.
    pub(super) fn probe_exec(&mut self, w: &mut World, worker: &mut Worker, id: &str, kind: ProbeKind) {
        let Some((name, run, timeout)) = worker
            .probes
            .iter()
            .find(|probe| probe.kind == kind && probe.state.container_id == id)
            .and_then(|probe| Some((probe.container.clone(), probe.running?, probe.timeout)))
        else {
            return;
        };
        let command = worker.probe_command(&name, kind);
        match self.exec_in(w, worker, id, &command, ExecPurpose::Probe(kind)) {
            Ok(exec) => {
                let still = worker
                    .instance(id)
                    .is_some_and(|instance| instance.execs.contains_key(&exec));
                if still {
                    let event = PodEvent::ProbeTimeout {
                        container: name,
                        kind,
                        run,
                        exec: Some((id.to_owned(), exec)),
                    };
                    self.plan(w, w.now + timeout, worker, event);
                }
            }
            Err(error) => self.probe_ended(w, worker, &name, kind, Outcome::Error(error)),
        }
    }

    /// An exec probe's command has ended.
    pub(super) fn exec_probe_ended(
        &mut self,
        w: &mut World,
        worker: &mut Worker,
        id: &str,
        kind: ProbeKind,
        end: ExecEnd,
    ) {
        let name = worker.container_name(id);
        let mut output = end.output;
        if output.len() > OUTPUT_BYTES {
            let mut cut = OUTPUT_BYTES;
            while !output.is_char_boundary(cut) {
                cut -= 1;
            }
            output.truncate(cut);
        }
        let outcome = if end.exit_code == 0 {
            Outcome::Success
        } else {
            Outcome::Failure(output)
        };
        self.probe_ended(w, worker, &name, kind, outcome);
    }

    /// A probe has taken too long.
    pub(super) fn probe_timeout(
        &mut self,
        w: &mut World,
        worker: &mut Worker,
        name: &str,
        kind: ProbeKind,
        run: u64,
        exec: Option<(String, crate::runtime::process::ExecId)>,
    ) {
        if worker
            .probe_mut(name, kind)
            .is_none_or(|probe| probe.running != Some(run))
        {
            return;
        }
        let timeout = worker
            .probe_mut(name, kind)
            .map_or(SimDuration::ZERO, |probe| probe.timeout);
        let message = if let Some((id, exec)) = exec {
            if let Some(instance) = worker.instance_mut(&id) {
                instance.execs.remove(&exec);
                if let Some(processes) = &mut instance.processes {
                    processes.kill_exec(exec);
                }
            }
            let command = worker.probe_command(name, kind).join(" ");
            format!("command timed out: \"{command}\" timed out after {timeout}")
        } else {
            let (url, address) = worker.probe_target(name, kind, &self.ip);
            let grpc = worker
                .probe_spec(name, kind)
                .is_some_and(|(_, probe)| probe.grpc.is_some());
            match url {
                None if grpc => {
                    format!(
                        "timeout: failed to connect service \"{address}\" within {timeout}: context deadline exceeded"
                    )
                }
                Some(url) => {
                    format!("Get \"{url}\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)")
                }
                None => format!("dial tcp {address}: i/o timeout"),
            }
        };
        self.probe_ended(w, worker, name, kind, Outcome::Failure(message));
    }

    /// A request of a probe was answered.
    pub(super) fn network_probe_ended(
        &mut self,
        w: &mut World,
        worker: &mut Worker,
        name: &str,
        kind: ProbeKind,
        answer: &Result<Response, NetError>,
    ) {
        if worker.probe_mut(name, kind).is_none_or(|probe| probe.running.is_none()) {
            return;
        }
        let (url, address) = worker.probe_target(name, kind, &self.ip);
        if worker
            .probe_spec(name, kind)
            .is_some_and(|(_, probe)| probe.grpc.is_some())
        {
            // Whoever does not answer in gRPC is connected to again until the time is over.
            if let Some(outcome) = grpc_outcome(answer) {
                self.probe_ended(w, worker, name, kind, outcome);
            }
            return;
        }
        let outcome = match answer {
            // No simulated server speaks TLS.
            Ok(Response::Http { .. }) if url.as_ref().is_some_and(|url| url.starts_with("https:")) => {
                let url = url.as_deref().unwrap_or_default();
                Outcome::Failure(format!(
                    "Get \"{url}\": http: server gave HTTP response to HTTPS client"
                ))
            }
            Ok(Response::Http { status, headers, body }) => match status {
                300..=399 => {
                    let place = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("location"));
                    let elsewhere = place.is_some_and(|(_, place)| {
                        place.contains("://") && !place.contains(address.split(':').next().unwrap_or_default())
                    });
                    if elsewhere {
                        let body = String::from_utf8_lossy(body);
                        Outcome::Warning(format!("Probe terminated redirects, Response body: {body}"))
                    } else {
                        Outcome::Success
                    }
                }
                200..=299 => Outcome::Success,
                _ => Outcome::Failure(format!("HTTP probe failed with statuscode: {status}")),
            },
            Ok(Response::Tcp { .. } | Response::Output { .. }) => Outcome::Success,
            Err(error) => {
                let text = match error {
                    NetError::Refused { .. } => format!("dial tcp {address}: connect: connection refused"),
                    NetError::Unreachable => format!("dial tcp {address}: connect: no route to host"),
                    NetError::Reset => "EOF".to_owned(),
                    // Only the deadline tells of silence.
                    NetError::TimedOut => return,
                    NetError::NoSuchHost(host) => format!("dial tcp: lookup {host}: no such host"),
                    NetError::AddressInUse => error.to_string(),
                };
                Outcome::Failure(url.map_or(text.clone(), |url| format!("Get \"{url}\": {text}")))
            }
        };
        self.probe_ended(w, worker, name, kind, outcome);
    }

    fn probe_ended(&mut self, w: &mut World, worker: &mut Worker, name: &str, kind: ProbeKind, outcome: Outcome) {
        let Some(probe) = worker.probe_mut(name, kind) else {
            return;
        };
        if probe.running.is_none() {
            return;
        }
        let group = probe.group;
        let field = worker.field_path(group, name);
        let title = kind.title();
        let (result, message) = match outcome {
            Outcome::Success => (Some(ProbeResult::Success), String::new()),
            Outcome::Warning(message) => {
                let text = format!("{title} probe warning: {message}");
                self.pod_event(w, worker, field, "Warning", "ProbeWarning", text);
                (Some(ProbeResult::Success), message)
            }
            Outcome::Failure(message) => {
                let text = format!("{title} probe failed: {message}");
                self.pod_event(w, worker, field, "Warning", "Unhealthy", text);
                (Some(ProbeResult::Failure), message)
            }
            Outcome::Error(message) => {
                if let Some(probe) = worker.probe_mut(name, kind) {
                    probe.tries += 1;
                    if probe.tries < TRIES {
                        self.begin_probe(w, worker, name, kind);
                        return;
                    }
                }
                let text = format!("{title} probe errored and resulted in unknown state: {message}");
                self.pod_event(w, worker, field, "Warning", "Unhealthy", text);
                (None, message)
            }
        };
        let before = worker.probe_mut(name, kind).and_then(|probe| probe.state.stored);
        let mut stored = before;
        if let (Some(result), Some(probe)) = (result, worker.probe_mut(name, kind)) {
            probe.state.outcome(result);
            stored = probe.state.stored;
        }
        // Successes that change nothing are no news.
        if result != Some(ProbeResult::Success) || stored != before {
            let word = match result {
                Some(ProbeResult::Success) => "success",
                Some(ProbeResult::Failure) => "failure",
                _ => "unknown",
            };
            let what = What::Probe {
                probe: kind.name().to_owned(),
                result: word.to_owned(),
                message,
            };
            let record = w.record(Some(worker.reference()), Some(name), what);
            w.causes = vec![record];
        }
        if stored != before {
            self.result_changed(w, worker, name, kind);
        }
        self.next_tick(w, worker, name, kind);
    }

    /// A stored result is another one: the status and the sync loop hear of it.
    fn result_changed(&mut self, w: &mut World, worker: &mut Worker, name: &str, kind: ProbeKind) {
        let Some(probe) = worker.probe_mut(name, kind) else {
            return;
        };
        let (id, stored) = (probe.state.container_id.clone(), probe.state.stored);
        let Some(result) = stored else { return };
        let success = result == ProbeResult::Success;
        match kind {
            ProbeKind::Liveness if result != ProbeResult::Failure => return,
            ProbeKind::Liveness => {}
            ProbeKind::Readiness => self.set_container_readiness(w, worker, &id, success),
            ProbeKind::Startup => self.set_container_startup(w, worker, &id, success),
        }
        let causes = w.causes.clone();
        self.wake_worker(w, worker, &causes);
    }

    /// Liveness and startup probes of regular containers end with the pod; readiness goes on
    /// (`StopLivenessAndStartup`).
    pub(super) fn stop_probes_for_termination(&mut self, worker: &mut Worker) {
        worker
            .probes
            .retain(|probe| probe.kind == ProbeKind::Readiness || probe.group != Group::Regular);
    }
}

impl Worker {
    /// The probe worker of that kind for the container.
    pub(super) fn probe_mut(&mut self, container: &str, kind: ProbeKind) -> Option<&mut ProbeWorker> {
        self.probes
            .iter_mut()
            .find(|probe| probe.kind == kind && probe.container == container)
    }

    /// The stored result of a probe for a container id.
    pub(super) fn result(&self, kind: ProbeKind, id: &str) -> Option<ProbeResult> {
        self.probes
            .iter()
            .find(|probe| probe.kind == kind && probe.state.container_id == id)?
            .state
            .stored
    }

    fn probe_spec(&self, name: &str, kind: ProbeKind) -> Option<(&core::Container, &core::Probe)> {
        let spec = self.spec();
        let container = spec
            .containers
            .iter()
            .chain(spec.init_containers.iter().flatten())
            .find(|container| container.name == name)?;
        Some((container, kind.of(container)?))
    }

    fn probe_command(&self, name: &str, kind: ProbeKind) -> Vec<String> {
        self.probe_spec(name, kind)
            .and_then(|(_, probe)| probe.exec.as_ref()?.command.clone())
            .unwrap_or_default()
    }

    /// The URL of an httpGet probe, and the address that a probe dials.
    fn probe_target(&self, name: &str, kind: ProbeKind, node_ip: &str) -> (Option<String>, String) {
        let own = self.current_address(node_ip);
        let Some((container, probe)) = self.probe_spec(name, kind) else {
            return (None, own);
        };
        let host = |host: &Option<String>| {
            host.clone()
                .filter(|host| !host.is_empty())
                .unwrap_or_else(|| own.clone())
        };
        if let Some(get) = &probe.http_get {
            let port = pod_port(std::iter::once(container), &get.port).unwrap_or(0);
            let address = format!("{}:{port}", host(&get.host));
            let scheme = get.scheme.as_deref().unwrap_or("HTTP").to_ascii_lowercase();
            let path = get.path.as_deref().filter(|path| !path.is_empty()).unwrap_or("/");
            let slash = if path.starts_with('/') { "" } else { "/" };
            return (Some(format!("{scheme}://{address}{slash}{path}")), address);
        }
        let port = match (&probe.tcp_socket, &probe.grpc) {
            (Some(tcp), _) => pod_port(std::iter::once(container), &tcp.port).unwrap_or(0),
            (None, Some(grpc)) => u16::try_from(grpc.port).unwrap_or(0),
            (None, None) => 0,
        };
        let address = format!(
            "{}:{port}",
            probe
                .tcp_socket
                .as_ref()
                .map_or_else(|| own.clone(), |tcp| host(&tcp.host))
        );
        (None, address)
    }
}
