//! The kubelet's seam to the runtime: a container's processes run, say when they want to run again, write log lines, answer
//! requests and end.

use crate::core;
use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::event::{PodEvent, Reply};
use super::logs::ContainerLog;
use super::node::Kubelet;
use super::persistent::DISK;
use super::runtime_status::State;
use super::worker::{ExecPurpose, Instance, Worker};
use crate::latency;
use crate::network::dns::Resolver;
use crate::rng::Rng;
use crate::runtime::files::{ROOT, Tree};
use crate::runtime::host::{Host, Lookup, NetError, Request, RequestId, Response};
use crate::runtime::namespaces::{Ipc, Neighbour};
use crate::runtime::process::{ExecEnd, ExecId, Processes, Progress, Signal, Spec, StartError};
use crate::time::SimTime;
use crate::trace::{LogLine, RuntimeEvent, What};
use crate::world::World;

/// The volume name by which the node's own files are mounted (`hostPath`).
pub(super) const NODE_FILES: &str = "\0node";
/// The volume name of `/dev/shm`.
pub(super) const SHARED_MEMORY: &str = "\0shm";
/// Lines of log that may become a termination message (`FallbackToLogsOnError`).
const TAIL_LINES: usize = 80;
/// Bytes of log that may become a termination message.
const TAIL_BYTES: usize = 2048;
/// Bytes of a termination message.
const MESSAGE_BYTES: usize = 4096;

/// The signal of that name, with or without `SIG`.
pub fn signal_named(name: &str) -> Option<Signal> {
    let name = name.strip_prefix("SIG").unwrap_or(name);
    let number = match name {
        "HUP" => 1,
        "INT" => 2,
        "QUIT" => 3,
        "ABRT" => 6,
        "KILL" => 9,
        "USR1" => 10,
        "SEGV" => 11,
        "USR2" => 12,
        "PIPE" => 13,
        "ALRM" => 14,
        "TERM" => 15,
        "CHLD" => 17,
        "CONT" => 18,
        "STOP" => 19,
        "WINCH" => 28,
        other => {
            return other
                .parse()
                .ok()
                .filter(|number| (1..=64).contains(number))
                .map(Signal);
        }
    };
    Some(Signal(number))
}

/// What a container sees of the machine while its processes run.
struct Machine<'a> {
    w: &'a mut World,
    uid: &'a Arc<str>,
    pod: &'a core::Pod,
    container: &'a str,
    id: &'a str,
    restarts: u32,
    log: &'a mut ContainerLog,
    address: String,
    root: &'a mut Tree,
    tail: Option<&'a mut Vec<String>>,
    volumes: &'a mut BTreeMap<String, Tree>,
    node_files: &'a mut Tree,
    shm: &'a mut Tree,
    ipc: &'a mut Ipc,
    ports: &'a mut BTreeMap<u16, String>,
    /// Bytes that are free on the node's disk, and the volumes in memory with what they may hold.
    free_disk: u64,
    in_memory: &'a [(String, u64)],
    sent: Vec<(RequestId, String, u16, Request)>,
}

impl Host for Machine<'_> {
    fn now(&self) -> SimTime {
        self.w.now
    }

    fn wall_now(&self) -> Timestamp {
        self.w.wall(self.w.now)
    }

    fn random(&mut self, bound: u64) -> u64 {
        self.w.rng.below(bound)
    }

    fn write_log(&mut self, stderr: bool, line: &str) {
        if let Some(tail) = &mut self.tail {
            if tail.len() == TAIL_LINES {
                tail.remove(0);
            }
            tail.push(line.to_owned());
        }
        self.log.line(line);
        self.w.log(LogLine {
            at: self.w.now,
            pod_uid: self.uid.to_string(),
            container: self.container.to_owned(),
            instance: self.restarts,
            stderr,
            text: line.to_owned(),
        });
    }

    fn root(&mut self) -> &mut Tree {
        self.root
    }

    fn volume(&mut self, name: &str) -> Option<&mut Tree> {
        if name == SHARED_MEMORY {
            Some(self.shm)
        } else if name == NODE_FILES {
            Some(self.node_files)
        } else if let Some(disk) = name.strip_prefix(DISK) {
            self.w.disks.get_mut(disk)
        } else {
            self.volumes.get_mut(name)
        }
    }

    fn ipc(&mut self) -> Option<&mut Ipc> {
        Some(self.ipc)
    }

    fn room(&mut self, volume: Option<&str>) -> u64 {
        let limit = volume.and_then(|volume| self.in_memory.iter().find(|(name, _)| name == volume));
        match limit {
            Some((name, limit)) => limit.saturating_sub(self.volumes.get(name).map_or(0, Tree::size)),
            None => self.free_disk,
        }
    }

    fn notice(&mut self, text: &str) {
        self.w.notice(text);
    }

    fn listen(&mut self, port: u16) -> Result<(), NetError> {
        match self.ports.get(&port) {
            Some(owner) if owner != self.id => Err(NetError::AddressInUse),
            _ => {
                self.ports.insert(port, self.id.to_owned());
                Ok(())
            }
        }
    }

    fn ports(&mut self) -> Vec<u16> {
        self.ports.keys().copied().collect()
    }

    fn close(&mut self, port: u16) {
        if self.ports.get(&port).is_some_and(|owner| owner == self.id) {
            self.ports.remove(&port);
        }
    }

    fn resolve(&mut self, name: &str) -> Result<Vec<String>, NetError> {
        self.w.resolve(name, self.pod, &self.address)
    }

    fn resolver(&mut self) -> (Option<String>, Vec<String>) {
        let resolver = Resolver::of(self.pod);
        (resolver.servers.into_iter().next(), resolver.search)
    }

    fn lookup(&mut self, name: &str) -> Lookup {
        self.w.lookup(&Resolver::of(self.pod), name)
    }

    fn reverse(&mut self, address: &str) -> Vec<String> {
        self.w.reverse(&Resolver::of(self.pod), address)
    }

    fn send(&mut self, id: RequestId, address: &str, port: u16, request: &Request) -> Result<(), NetError> {
        self.sent.push((id, address.to_owned(), port, request.clone()));
        Ok(())
    }

    fn address(&mut self) -> String {
        self.address.clone()
    }
}

/// `/dev/shm` as the runtime mounts it: everybody may write to it.
pub(super) fn shared_memory() -> Tree {
    let mut tree = Tree::default();
    if let Some(root) = tree.node_mut(ROOT) {
        root.mode = 0o1777;
    }
    tree
}

/// The number of the pause process in a shared PID namespace, and the user that it runs as.
const PAUSE_PID: u32 = 1;
const PAUSE_USER: u32 = 65535;

/// What a container sees in a shared PID namespace beside its own processes.
fn neighbours(worker: &Worker, id: &str) -> Vec<Neighbour> {
    let pause = Neighbour {
        pid: PAUSE_PID,
        parent: 0,
        user: PAUSE_USER,
        argv: Arc::from([Arc::from("/pause")]),
        memory: 0,
        zombie: false,
        started: SimTime::ZERO,
    };
    let others = worker.instances.iter().filter(|instance| instance.record.id != id);
    let others = others.filter_map(|instance| instance.processes.as_ref());
    std::iter::once(pause)
        .chain(others.flat_map(Processes::neighbours))
        .collect()
}

impl Kubelet {
    /// Lets `act` work on an instance's processes with the machine around them; then sends what they have sent.
    fn with_machine<R>(
        &mut self,
        w: &mut World,
        worker: &mut Worker,
        id: &str,
        act: impl FnOnce(&mut Option<Processes>, &mut dyn Host) -> R,
    ) -> Option<R> {
        let address = worker.current_address(&self.ip);
        let free_disk = self.free_disk();
        let memory_before = worker.memory_of_volumes();
        worker.touched = true;
        let others = worker.shares_processes().then(|| neighbours(worker, id));
        let host_ipc = worker.spec().host_ipc == Some(true);
        let (ipc, shm) = if host_ipc {
            (&mut self.ipc, &mut self.shm)
        } else {
            (&mut worker.ipc, &mut worker.shm)
        };
        let instance = worker.instances.iter_mut().find(|instance| instance.record.id == id)?;
        let Instance {
            record,
            processes,
            root,
            tail,
            log,
            ..
        } = instance;
        let shared = others.is_some();
        if let (Some(others), Some(all)) = (others, processes.as_mut()) {
            all.enter_namespace(others, worker.next_pid);
        }
        let mut machine = Machine {
            w,
            uid: &worker.uid,
            pod: &worker.pod,
            container: &record.name,
            id,
            restarts: u32::try_from(record.restart_count).unwrap_or(0),
            log,
            address,
            root,
            tail: tail.as_mut(),
            volumes: &mut worker.volumes,
            node_files: &mut self.files,
            shm,
            ipc,
            ports: &mut worker.ports,
            free_disk,
            in_memory: &worker.in_memory,
            sent: Vec::new(),
        };
        let result = act(processes, &mut machine);
        let sent = machine.sent;
        let left = processes.as_mut().filter(|_| shared).map(Processes::leave_namespace);
        if let Some((next, signals)) = left {
            worker.next_pid = worker.next_pid.max(next);
            for (pid, signal) in signals {
                self.signal_neighbour(w, worker, pid, signal);
            }
        }
        worker.charge(id, memory_before);
        for (request_id, address, port, request) in sent {
            let from = Reply::Container {
                node: self.node,
                uid: Arc::clone(&worker.uid),
                container: id.to_owned(),
                id: request_id,
            };
            self.send_request(w, worker, &address, port, request, from);
        }
        Some(result)
    }

    /// A process of one container sends a signal to one of another, in a shared PID namespace.
    fn signal_neighbour(&mut self, w: &mut World, worker: &mut Worker, pid: u32, signal: Signal) {
        if pid == PAUSE_PID {
            // The pause process ends at these; as the first of its namespace it is safe from all others.
            if matches!(signal, Signal::TERM | Signal::INT) {
                self.pause_ended(w, worker);
            }
            return;
        }
        let owner = worker.instances.iter_mut().find_map(|instance| {
            let reached = instance.processes.as_mut()?.signal_process(pid, signal);
            reached.then(|| instance.record.id.clone())
        });
        if let Some(id) = owner {
            self.run_processes(w, worker, &id);
        }
    }

    /// With the first process of a shared namespace all others die.
    pub(super) fn kill_shared_processes(&mut self, w: &mut World, worker: &mut Worker) {
        if !worker.shares_processes() {
            return;
        }
        let mut running = Vec::new();
        for instance in &mut worker.instances {
            if let Some(processes) = &mut instance.processes {
                processes.kill_all();
                running.push(instance.record.id.clone());
            }
        }
        for id in running {
            self.run_processes(w, worker, &id);
        }
    }

    /// The runtime starts a container's main process.
    pub(super) fn start_processes(
        &mut self,
        w: &mut World,
        worker: &mut Worker,
        id: &str,
        mut spec: Spec,
    ) -> Result<(), StartError> {
        if worker.shares_processes() {
            spec.first_pid = Some(worker.next_pid);
        }
        let started = self.with_machine(w, worker, id, |processes, host| {
            *processes = Some(Processes::start(spec, host)?);
            Ok(())
        });
        started.unwrap_or(Ok(()))
    }

    /// A started process has loaded its program a moment later. How long that takes is drawn from the container's own
    /// id, so that it follows from the seed and moves no other chance.
    pub(super) fn begin_processes(&mut self, w: &mut World, worker: &mut Worker, id: &str) {
        let digits = id.get(..16).unwrap_or_default();
        let own = u64::from_str_radix(digits, 16).unwrap_or_default();
        let at = w.now + w.latency_of(&mut Rng::new(own), latency::PROGRAM_LOAD);
        let Some(instance) = worker.instance_mut(id) else {
            return;
        };
        instance.wake += 1;
        instance.woken_at = Some(at);
        let event = PodEvent::Wake {
            container: id.to_owned(),
            token: instance.wake,
        };
        self.plan(w, at, worker, event);
    }

    /// Lets a container's processes run until all of them wait, and passes on what came of it.
    pub(super) fn run_processes(&mut self, w: &mut World, worker: &mut Worker, id: &str) {
        let progress = self.with_machine(w, worker, id, |processes, host| {
            processes.as_mut().map(|all| all.run(host))
        });
        let Some(Some(progress)) = progress else { return };
        let Progress {
            wake,
            ended,
            answers,
            main_exit,
        } = progress;
        if let Some(exit) = main_exit {
            let finished = w.now;
            let seen = w.latency(latency::EXIT_SEEN);
            if let Some(instance) = worker.instance_mut(id) {
                instance.processes = None;
                instance.wake += 1;
                instance.woken_at = None;
                instance.exit = Some((exit, finished));
            }
            worker.ports.retain(|_, owner| owner != id);
            let event = PodEvent::Exited {
                container: id.to_owned(),
            };
            self.plan(w, finished + seen, worker, event);
        } else if let Some(instance) = worker.instance_mut(id)
            && instance.woken_at != wake
        {
            instance.wake += 1;
            instance.woken_at = wake;
            let token = instance.wake;
            if let Some(at) = wake {
                self.plan(
                    w,
                    at,
                    worker,
                    PodEvent::Wake {
                        container: id.to_owned(),
                        token,
                    },
                );
            }
        }
        for (exec, end) in ended {
            self.exec_ended(w, worker, id, exec, end);
        }
        for (serve, answer) in answers {
            if let Some(reply) = worker.serving.remove(&(id.to_owned(), serve)) {
                self.reply(w, worker, reply, answer);
            }
        }
        if main_exit.is_some() {
            self.abandon_execs(w, worker, id);
        }
        // What it wrote into memory may have been more than it may use.
        let killed = worker
            .instance_mut(id)
            .map(|instance| std::mem::take(&mut instance.killed));
        if killed == Some(true) {
            self.run_processes(w, worker, id);
        }
    }

    /// Starts a command beside a container's main process.
    pub(super) fn exec_in(
        &mut self,
        w: &mut World,
        worker: &mut Worker,
        id: &str,
        argv: &[String],
        purpose: ExecPurpose,
    ) -> Result<ExecId, String> {
        let started = self.with_machine(w, worker, id, |processes, host| {
            processes.as_mut().map(|all| all.exec(argv, host))
        });
        match started.flatten() {
            None => Err(format!(
                "rpc error: code = NotFound desc = failed to exec in container: failed to load task: no running task \
                 found: task {id} not found: not found"
            )),
            Some(Err(error)) => Err(format!(
                "rpc error: code = Unknown desc = failed to exec in container: failed to start exec \"{}\": OCI runtime \
                 exec failed: exec failed: unable to start container process: {error}: unknown",
                w.rng.hex(64)
            )),
            Some(Ok(exec)) => {
                if let Some(instance) = worker.instance_mut(id) {
                    instance.execs.insert(exec, purpose);
                }
                self.run_processes(w, worker, id);
                Ok(exec)
            }
        }
    }

    fn exec_ended(&mut self, w: &mut World, worker: &mut Worker, id: &str, exec: ExecId, end: ExecEnd) {
        let purpose = worker
            .instance_mut(id)
            .and_then(|instance| instance.execs.remove(&exec));
        match purpose {
            Some(ExecPurpose::Probe(kind)) => self.exec_probe_ended(w, worker, id, kind, end),
            Some(purpose @ (ExecPurpose::PostStart | ExecPurpose::PreStop)) => {
                self.exec_hook_ended(w, worker, id, purpose, &end);
            }
            Some(ExecPurpose::User) => {
                worker.user_execs.insert((id.to_owned(), exec), end);
            }
            None => {}
        }
    }

    /// Commands that ran beside a main process that has ended are killed with it.
    fn abandon_execs(&mut self, w: &mut World, worker: &mut Worker, id: &str) {
        let Some(instance) = worker.instance_mut(id) else {
            return;
        };
        for (exec, purpose) in std::mem::take(&mut instance.execs) {
            let end = ExecEnd {
                exit_code: 137,
                stdout: String::new(),
                stderr: String::new(),
                output: String::new(),
            };
            match purpose {
                ExecPurpose::Probe(kind) => self.exec_probe_ended(w, worker, id, kind, end),
                ExecPurpose::PostStart => self.exec_hook_ended(w, worker, id, purpose, &end),
                // The kill itself notes that its hook is over.
                ExecPurpose::PreStop => {}
                ExecPurpose::User => {
                    worker.user_execs.insert((id.to_owned(), exec), end);
                }
            }
        }
        let lost: Vec<_> = worker
            .serving
            .keys()
            .filter(|(container, _)| container == id)
            .cloned()
            .collect();
        for key in lost {
            if let Some(reply) = worker.serving.remove(&key) {
                self.reply(w, worker, reply, Err(NetError::Reset));
            }
        }
    }

    /// The runtime has noticed that a container's main process is gone.
    pub(super) fn container_exited(&mut self, w: &mut World, worker: &mut Worker, id: &str) {
        let Some(instance) = worker.instance_mut(id) else {
            return;
        };
        let Some((exit, finished)) = instance.exit.take() else {
            return;
        };
        let reason = match (exit.oom, exit.code) {
            (true, _) => "OOMKilled",
            (false, 0) => "Completed",
            (false, _) => "Error",
        };
        let message = termination_message(instance, exit.code);
        let record = &mut instance.record;
        record.state = State::Exited;
        record.exit_code = exit.code;
        record.reason = reason.to_owned();
        record.message = message;
        record.finished_at = Some(finished);
        let container = record.name.clone();
        let event = RuntimeEvent::Exited {
            exit_code: exit.code,
            reason: reason.to_owned(),
        };
        let record = w.record(Some(worker.reference()), Some(&container), What::Runtime { event });
        if !w.causes.contains(&record) {
            w.causes = vec![record];
        }
        worker.runtime_causes.push(record);
        self.runtime_changed(w, worker);
        self.kill_finished(w, worker, id);
    }

    /// Hands a request to whoever listens in this pod.
    pub(super) fn deliver(&mut self, w: &mut World, worker: &mut Worker, port: u16, request: Request, reply: Reply) {
        let listener = worker
            .instances
            .iter()
            .find(|instance| {
                instance
                    .processes
                    .as_ref()
                    .is_some_and(|processes| processes.listens_on(port))
            })
            .map(|instance| instance.record.id.clone());
        let address = worker.current_address(&self.ip);
        let Some(id) = listener else {
            self.reply(w, worker, reply, Err(NetError::Refused { address, port }));
            return;
        };
        let served = self.with_machine(w, worker, &id, |processes, _| {
            processes.as_mut().map(|processes| processes.serve(port, request))
        });
        match served.flatten() {
            Some(Ok(serve)) => {
                worker.serving.insert((id.clone(), serve), reply);
                self.run_processes(w, worker, &id);
            }
            Some(Err(error)) => self.reply(w, worker, reply, Err(error)),
            None => self.reply(w, worker, reply, Err(NetError::Refused { address, port })),
        }
    }

    /// Passes an answer on to who asked.
    pub(super) fn reply(
        &mut self,
        w: &mut World,
        worker: &mut Worker,
        reply: Reply,
        answer: Result<Response, NetError>,
    ) {
        match reply {
            Reply::Probe { kind, container } => self.network_probe_ended(w, worker, &container, kind, &answer),
            Reply::Hook { purpose, container } => self.http_hook_ended(w, worker, &container, purpose, &answer),
            Reply::Container {
                node,
                uid,
                container,
                id,
            } => {
                let event = PodEvent::Response { container, id, answer };
                let causes = w.causes.clone();
                w.after(
                    latency::NETWORK,
                    crate::cluster::Event::Pod {
                        node,
                        uid,
                        event,
                        causes,
                    },
                );
            }
        }
    }

    /// An answer has come to a process that asked.
    pub(super) fn response(
        &mut self,
        w: &mut World,
        worker: &mut Worker,
        id: &str,
        request: RequestId,
        answer: Result<Response, NetError>,
    ) {
        let Some(processes) = worker.instance_mut(id).and_then(|instance| instance.processes.as_mut()) else {
            return;
        };
        processes.answer(request, answer);
        self.run_processes(w, worker, id);
    }
}

/// What the container left as its last words: the file, or else the end of its log if the policy says so.
fn termination_message(instance: &Instance, exit_code: i32) -> String {
    let file = instance.root.read(&instance.message_path).unwrap_or_default();
    let start = file.len().saturating_sub(MESSAGE_BYTES);
    let text = String::from_utf8_lossy(&file[start..]).into_owned();
    if !text.is_empty() || exit_code == 0 {
        return text;
    }
    let Some(tail) = &instance.tail else { return text };
    let mut log: String = tail.iter().map(|line| format!("{line}\n")).collect();
    if log.len() > TAIL_BYTES {
        let mut start = log.len() - TAIL_BYTES;
        while !log.is_char_boundary(start) {
            start += 1;
        }
        log.drain(..start);
    }
    log
}
