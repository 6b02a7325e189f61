//! What the processes of one container share: the process table, open files, pipes, signals, memory. Programs reach it
//! through [`Ctx`](super::syscalls::Ctx).

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::files::{Device, Errno, MAX_STORED};
use super::host::{Host, NetError, Request, RequestId, Response};
use super::namespaces::Neighbour;
use super::process::{ExecEnd, ExecId, Exit, ServeId, Signal, Spec};
use super::vfs::{Place, Vfs};
use crate::shell::program::Program;
use crate::time::SimTime;

/// A process's number.
pub(crate) type Pid = u32;

/// The main process.
pub(crate) const INIT: Pid = 1;

/// The first number that a child gets, as it looks under runc: the numbers between were its own threads'.
const FIRST_CHILD: Pid = 7;

/// An open file's number within the container.
pub(crate) type FileId = u32;

/// Bytes that a pipe holds before writers wait.
pub(crate) const PIPE_CAPACITY: usize = 65_536;

/// Bytes that an exec's output keeps.
const CAPTURE_LIMIT: usize = 1 << 20;

/// Bytes of log that one instance of a container may write.
const LOG_LIMIT: u64 = 8 << 20;

/// Processes that one container may have.
const PROCESS_LIMIT: usize = 1024;

/// Longest log line before it is cut into pieces, as containerd does (`max_container_log_line_size`).
const LOG_LINE_LIMIT: usize = 16 * 1024;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    pub code: i32,
    pub signal: Option<Signal>,
}

impl Status {
    pub fn exited(code: i32) -> Self {
        Self {
            code: code & 0xff,
            signal: None,
        }
    }

    pub fn signalled(signal: Signal) -> Self {
        Self {
            code: 128 + i32::from(signal.0),
            signal: Some(signal),
        }
    }
}

/// What a process waits for. It is stepped again when that is so, or a signal came that it handles; it then looks itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// An instant.
    Until(SimTime),
    /// Something to read, or the end, or an instant.
    Read(FileId, Option<SimTime>),
    /// The end of a child, or an instant.
    Child(Pid, Option<SimTime>),
    /// The end of any child.
    AnyChild,
    /// An answer from the network, or an instant.
    Answer(RequestId, Option<SimTime>),
    /// A request from outside.
    Request,
    /// A signal.
    Signal,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Ready,
    Waiting(Wait),
    /// Ends when everything that it has written is taken.
    Exiting(Status),
    /// Ended, its parent has not asked yet.
    Zombie(Status),
}

/// One process.
#[derive(Clone, Debug)]
pub(crate) struct Proc {
    pub parent: Pid,
    pub group: Pid,
    pub exec: Option<ExecId>,
    /// Taken out while it is stepped.
    pub program: Option<Program>,
    pub argv: Arc<[Arc<str>]>,
    pub env: Arc<Vec<(Arc<str>, Arc<str>)>>,
    pub fds: Vec<(u32, FileId)>,
    pub directory: Arc<str>,
    pub umask: u32,
    pub user: u32,
    pub state: State,
    pub stopped: bool,
    /// Signals that it has handlers for and that it ignores, by bit.
    pub handled: u64,
    pub ignored: u64,
    pub pending: Vec<Signal>,
    /// A signal came since it began to wait.
    pub poked: bool,
    pub memory: u64,
    /// Written, but not taken yet.
    pub out: VecDeque<(FileId, Vec<u8>)>,
    pub started: SimTime,
}

/// An open file.
#[derive(Clone, Debug)]
pub(crate) struct OpenFile {
    pub kind: FileKind,
    pub offset: u64,
    pub append: bool,
    pub readable: bool,
    pub writable: bool,
    pub references: u32,
}

#[derive(Clone, Debug)]
pub(crate) enum FileKind {
    Device(Device),
    Log {
        stderr: bool,
    },
    Capture {
        exec: ExecId,
        stderr: bool,
    },
    PipeRead(u32),
    PipeWrite(u32),
    /// What the host gives to standard input.
    Input,
    /// A standard input on which nothing ever comes.
    Silence,
    /// Both ends of a named pipe.
    PipeBoth(u32),
    Node(Place),
    Text(Arc<[u8]>),
}

/// Bytes in a row, in the pieces in which they came: a hundred megabytes through a pipe are not moved byte by byte.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bytes {
    pieces: VecDeque<Vec<u8>>,
    length: usize,
}

impl Bytes {
    pub fn len(&self) -> usize {
        self.length
    }

    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    pub fn push(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.length += bytes.len();
            match self.pieces.back_mut() {
                // Short lines share a piece.
                Some(last) if last.len() + bytes.len() <= 4096 => last.extend_from_slice(bytes),
                _ => self.pieces.push_back(bytes.to_vec()),
            }
        }
    }

    pub fn push_front(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.length += bytes.len();
            self.pieces.push_front(bytes.to_vec());
        }
    }

    /// Takes at most so many from the front.
    pub fn take(&mut self, limit: usize) -> Vec<u8> {
        let mut taken = Vec::new();
        while taken.len() < limit
            && let Some(mut piece) = self.pieces.pop_front()
        {
            let room = limit - taken.len();
            if piece.len() > room {
                let rest = piece.split_off(room);
                self.pieces.push_front(rest);
            }
            if taken.is_empty() {
                taken = piece;
            } else {
                taken.extend_from_slice(&piece);
            }
        }
        self.length -= taken.len();
        taken
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Pipe {
    pub data: Bytes,
    pub readers: u32,
    pub writers: u32,
    /// A named pipe, whose ends come one after the other: whoever is first waits for the other side.
    pub named: bool,
    pub had_reader: bool,
    pub had_writer: bool,
}

impl Pipe {
    /// Whether a reader finds the end.
    pub fn has_ended(&self) -> bool {
        self.writers == 0 && (!self.named || self.had_writer)
    }

    /// Whether a writer finds nobody who reads any more.
    pub fn is_broken(&self) -> bool {
        self.readers == 0 && (!self.named || self.had_reader)
    }

    /// Whether a writer's bytes are taken, or refused.
    fn is_writable(&self) -> bool {
        self.is_broken() || self.readers > 0 && self.data.len() < PIPE_CAPACITY
    }
}

#[derive(Clone, Debug)]
pub(crate) struct ExecState {
    pub pid: Pid,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    output: Vec<u8>,
}

/// A port that a process listens on.
#[derive(Clone, Debug)]
pub(crate) struct Listener {
    pub pid: Pid,
    pub incoming: VecDeque<(ServeId, Request)>,
}

/// Everything that the processes of a container share.
#[derive(Clone, Debug)]
pub(crate) struct Kernel {
    pub spec: Arc<Spec>,
    pub procs: BTreeMap<Pid, Proc>,
    pub files: BTreeMap<FileId, OpenFile>,
    pub pipes: BTreeMap<u32, Pipe>,
    pub execs: BTreeMap<ExecId, ExecState>,
    /// The pipes of named pipes that are open, by their files.
    pub fifos: BTreeMap<(Option<u16>, u32), u32>,
    pub listeners: BTreeMap<u16, Listener>,
    pub answers: BTreeMap<RequestId, Result<Response, NetError>>,
    pub ended: Vec<(ExecId, ExecEnd)>,
    pub served: Vec<(ServeId, Result<Response, NetError>)>,
    pub exit: Option<Exit>,
    pub oom: bool,
    /// Bytes of memory-backed volumes that the container has written and that count as its memory.
    pub shared: u64,
    pub next_pid: Pid,
    /// The main process's number: 1 unless the pod shares its processes.
    pub init: Pid,
    /// Processes of other containers that are seen here, and signals for them.
    pub others: Arc<[Neighbour]>,
    pub outbox: Vec<(Pid, Signal)>,
    pub next_id: u32,
    log: [Vec<u8>; 2],
    logged: u64,
}

impl Kernel {
    pub fn new(spec: Arc<Spec>) -> Self {
        Self {
            spec,
            procs: BTreeMap::new(),
            files: BTreeMap::new(),
            pipes: BTreeMap::new(),
            execs: BTreeMap::new(),
            fifos: BTreeMap::new(),
            listeners: BTreeMap::new(),
            answers: BTreeMap::new(),
            ended: Vec::new(),
            served: Vec::new(),
            exit: None,
            oom: false,
            shared: 0,
            next_pid: FIRST_CHILD,
            init: INIT,
            others: Arc::from([]),
            outbox: Vec::new(),
            next_id: 0,
            log: [Vec::new(), Vec::new()],
            logged: 0,
        }
    }

    pub fn id(&mut self) -> u32 {
        self.next_id = self.next_id.wrapping_add(1);
        self.next_id
    }

    /// The files as a user sees them.
    pub fn vfs<'a>(&'a self, host: &'a mut dyn Host, user: u32) -> Vfs<'a> {
        Vfs {
            host,
            mounts: &self.spec.mounts,
            user,
            groups: &self.spec.groups,
            read_only_root: self.spec.read_only_root,
        }
    }

    /// Adds an open file that nobody refers to yet.
    pub fn open(&mut self, kind: FileKind, readable: bool, writable: bool) -> FileId {
        let id = self.id();
        match &kind {
            FileKind::PipeRead(pipe) | FileKind::PipeWrite(pipe) | FileKind::PipeBoth(pipe) => {
                let pipe = self.pipes.entry(*pipe).or_default();
                if !matches!(kind, FileKind::PipeWrite(_)) {
                    pipe.readers += 1;
                    pipe.had_reader = true;
                }
                if !matches!(kind, FileKind::PipeRead(_)) {
                    pipe.writers += 1;
                    pipe.had_writer = true;
                }
            }
            _ => {}
        }
        self.files.insert(
            id,
            OpenFile {
                kind,
                offset: 0,
                append: false,
                readable,
                writable,
                references: 0,
            },
        );
        id
    }

    /// One more refers to an open file.
    pub fn retain(&mut self, file: FileId) {
        if let Some(open) = self.files.get_mut(&file) {
            open.references += 1;
        }
    }

    /// One less refers to an open file; the last one closes it.
    pub fn release(&mut self, file: FileId) {
        let Some(open) = self.files.get_mut(&file) else { return };
        open.references = open.references.saturating_sub(1);
        if open.references > 0 {
            return;
        }
        let kind = open.kind.clone();
        self.files.remove(&file);
        let (id, reads, writes) = match kind {
            FileKind::PipeRead(id) => (id, 1, 0),
            FileKind::PipeWrite(id) => (id, 0, 1),
            FileKind::PipeBoth(id) => (id, 1, 1),
            _ => return,
        };
        if let Some(pipe) = self.pipes.get_mut(&id) {
            pipe.readers = pipe.readers.saturating_sub(reads);
            pipe.writers = pipe.writers.saturating_sub(writes);
            if pipe.readers == 0 && pipe.writers == 0 {
                self.pipes.remove(&id);
            }
        }
    }

    /// Adds a process; its descriptors count as references.
    pub fn add(&mut self, pid: Pid, proc: Proc) {
        for (_, file) in &proc.fds {
            if let Some(open) = self.files.get_mut(file) {
                open.references += 1;
            }
        }
        self.procs.insert(pid, proc);
    }

    /// The next free process number, unless there are too many processes.
    pub fn next_pid(&mut self) -> Option<Pid> {
        if self.procs.len() >= PROCESS_LIMIT {
            return None;
        }
        let pid = self.next_pid;
        self.next_pid += 1;
        Some(pid)
    }

    /// Whether a process can go on now.
    pub fn is_due(&self, pid: Pid, now: SimTime) -> bool {
        let Some(proc) = self.procs.get(&pid) else { return false };
        if proc.stopped {
            return false;
        }
        if let Some((file, _)) = proc.out.front() {
            // Something written waits: room in the pipe, or nobody who reads any more.
            return match self.files.get(file).map(|open| &open.kind) {
                Some(FileKind::PipeWrite(pipe) | FileKind::PipeBoth(pipe)) => {
                    self.pipes.get(pipe).is_none_or(Pipe::is_writable)
                }
                _ => true,
            };
        }
        match &proc.state {
            State::Ready | State::Exiting(_) => true,
            State::Zombie(_) => false,
            State::Waiting(wait) => proc.poked || self.is_met(pid, wait, now),
        }
    }

    fn is_met(&self, pid: Pid, wait: &Wait, now: SimTime) -> bool {
        match wait {
            Wait::Until(at) => *at <= now,
            Wait::Read(file, until) => until.is_some_and(|at| at <= now) || self.is_readable(*file),
            Wait::Child(child, until) => {
                until.is_some_and(|at| at <= now)
                    || self
                        .procs
                        .get(child)
                        .is_none_or(|child| matches!(child.state, State::Zombie(_)))
            }
            Wait::AnyChild => {
                let mut children = self.procs.values().filter(|child| child.parent == pid).peekable();
                children.peek().is_none() || children.any(|child| matches!(child.state, State::Zombie(_)))
            }
            Wait::Answer(id, until) => until.is_some_and(|at| at <= now) || self.answers.contains_key(id),
            Wait::Request => self
                .listeners
                .values()
                .any(|listener| listener.pid == pid && !listener.incoming.is_empty()),
            Wait::Signal => false,
        }
    }

    fn is_readable(&self, file: FileId) -> bool {
        match self.files.get(&file).map(|open| &open.kind) {
            Some(FileKind::PipeRead(pipe) | FileKind::PipeBoth(pipe)) => self
                .pipes
                .get(pipe)
                .is_none_or(|pipe| !pipe.data.is_empty() || pipe.has_ended()),
            Some(FileKind::Silence) => false,
            _ => true,
        }
    }

    /// When the first wait for an instant is over.
    pub fn next_wake(&self) -> Option<SimTime> {
        self.procs
            .values()
            .filter(|proc| !proc.stopped)
            .filter_map(|proc| match &proc.state {
                State::Waiting(Wait::Until(at)) => Some(*at),
                State::Waiting(Wait::Read(_, until) | Wait::Child(_, until) | Wait::Answer(_, until)) => *until,
                _ => None,
            })
            .min()
    }

    /// Writes to an open file; gives how many bytes were taken.
    pub fn write(&mut self, file: FileId, bytes: &[u8], host: &mut dyn Host, user: u32) -> Result<usize, Errno> {
        let open = self.files.get(&file).ok_or(Errno::BadDescriptor)?;
        if !open.writable {
            return Err(Errno::BadDescriptor);
        }
        match open.kind.clone() {
            FileKind::Device(Device::Full) => Err(Errno::NoSpace),
            FileKind::Device(_) | FileKind::PipeRead(_) | FileKind::Text(_) | FileKind::Input | FileKind::Silence => {
                Ok(bytes.len())
            }
            FileKind::Log { stderr } => {
                self.write_log(stderr, bytes, host);
                Ok(bytes.len())
            }
            FileKind::Capture { exec, stderr } => {
                if let Some(state) = self.execs.get_mut(&exec) {
                    let stream = if stderr { &mut state.stderr } else { &mut state.stdout };
                    stream.extend_from_slice(&bytes[..bytes.len().min(CAPTURE_LIMIT.saturating_sub(stream.len()))]);
                    let room = CAPTURE_LIMIT.saturating_sub(state.output.len());
                    state.output.extend_from_slice(&bytes[..bytes.len().min(room)]);
                }
                Ok(bytes.len())
            }
            FileKind::PipeWrite(id) | FileKind::PipeBoth(id) => {
                let pipe = self.pipes.get_mut(&id).ok_or(Errno::Pipe)?;
                if pipe.is_broken() {
                    return Err(Errno::Pipe);
                }
                if pipe.readers == 0 {
                    // Nobody has opened the other end yet.
                    return Ok(0);
                }
                let taken = bytes.len().min(PIPE_CAPACITY.saturating_sub(pipe.data.len()));
                pipe.data.push(&bytes[..taken]);
                Ok(taken)
            }
            FileKind::Node(place) => {
                let now = host.now();
                let (offset, append) = (open.offset, open.append);
                let mut vfs = self.vfs(host, user);
                let tree = vfs.tree(place.mount)?;
                let offset = if append {
                    tree.node(place.ino).map_or(0, super::files::Node::length)
                } else {
                    offset
                };
                let length = tree.node(place.ino).map_or(0, super::files::Node::length);
                let growth = offset.saturating_add(bytes.len() as u64).saturating_sub(length);
                if growth > 0 && growth > vfs.room(place.mount) {
                    return Err(Errno::NoSpace);
                }
                let tree = vfs.tree(place.mount)?;
                if let Err(error) = tree.write_at(place.ino, offset, bytes, now) {
                    if error == Errno::TooBig {
                        host.notice(&format!(
                            "not simulated: what a file has beyond {MAX_STORED} bytes, unless it is zeros"
                        ));
                    }
                    return Err(error);
                }
                if let Some(open) = self.files.get_mut(&file) {
                    open.offset = offset + bytes.len() as u64;
                }
                Ok(bytes.len())
            }
        }
    }

    fn write_log(&mut self, stderr: bool, bytes: &[u8], host: &mut dyn Host) {
        if self.logged > LOG_LIMIT {
            return;
        }
        self.logged += bytes.len() as u64;
        if host.write_output(stderr, bytes) {
            return;
        }
        let partial = &mut self.log[usize::from(stderr)];
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            partial.extend_from_slice(piece);
            if partial.last() == Some(&b'\n') {
                partial.pop();
                host.write_log(stderr, &String::from_utf8_lossy(partial));
                partial.clear();
            } else if partial.len() >= LOG_LINE_LIMIT {
                host.write_log(stderr, &String::from_utf8_lossy(partial));
                partial.clear();
            }
        }
        if self.logged > LOG_LIMIT {
            let text = format!(
                "a container wrote more than {} MiB of log: the rest is dropped",
                LOG_LIMIT >> 20
            );
            host.notice(&text);
        }
    }

    /// Writes out what no newline has ended.
    pub fn flush_log(&mut self, host: &mut dyn Host) {
        for stderr in [false, true] {
            let partial = std::mem::take(&mut self.log[usize::from(stderr)]);
            if !partial.is_empty() {
                host.write_log(stderr, &String::from_utf8_lossy(&partial));
            }
        }
    }

    /// Hands over what a process has written; false when some of it has to wait.
    pub fn flush(&mut self, pid: Pid, host: &mut dyn Host) -> bool {
        loop {
            let Some(proc) = self.procs.get_mut(&pid) else {
                return true;
            };
            let user = proc.user;
            let Some((file, bytes)) = proc.out.pop_front() else {
                return true;
            };
            match self.write(file, &bytes, host, user) {
                Ok(taken) if taken < bytes.len() => {
                    if let Some(proc) = self.procs.get_mut(&pid) {
                        proc.out.push_front((file, bytes[taken..].to_vec()));
                    }
                    return false;
                }
                Ok(_) => self.release(file),
                Err(error) => {
                    self.release(file);
                    if error == Errno::Pipe {
                        self.signal(pid, Signal::PIPE);
                    }
                }
            }
        }
    }

    /// Sends a signal to a process from within the container or, to the main process, from outside: `false` when there is
    /// no such process. The main process ignores what it has no handler for (`man 7 pid_namespaces`), even `KILL`.
    pub fn signal(&mut self, pid: Pid, signal: Signal) -> bool {
        let is_init = pid == INIT;
        let Some(proc) = self.procs.get_mut(&pid) else {
            let known = self.others.iter().any(|other| other.pid == pid);
            if known && signal.0 != 0 {
                self.outbox.push((pid, signal));
            }
            return known;
        };
        if matches!(proc.state, State::Zombie(_)) || signal.0 == 0 {
            return true;
        }
        let bit = 1u64.checked_shl(u32::from(signal.0)).unwrap_or(0);
        if matches!(signal, Signal::KILL | Signal::STOP) {
            if !is_init {
                if signal == Signal::KILL {
                    self.end(pid, Status::signalled(signal));
                } else {
                    proc.stopped = true;
                }
            }
            return true;
        }
        if signal == Signal::CONT {
            proc.stopped = false;
        }
        if proc.handled & bit != 0 {
            if !proc.pending.contains(&signal) {
                proc.pending.push(signal);
            }
            proc.poked = true;
            return true;
        }
        let harmless = matches!(signal, Signal::CHLD | Signal::CONT | Signal::WINCH | Signal(23));
        if proc.ignored & bit != 0 || is_init || harmless {
            return true;
        }
        if matches!(signal.0, 20..=22) {
            proc.stopped = true;
        } else {
            self.end(pid, Status::signalled(signal));
        }
        true
    }

    /// Ends a process.
    pub fn end(&mut self, pid: Pid, status: Status) {
        let Some(proc) = self.procs.get_mut(&pid) else { return };
        if matches!(proc.state, State::Zombie(_)) {
            return;
        }
        proc.state = State::Zombie(status);
        proc.memory = 0;
        let held = proc.program.take().map(|program| program.files()).unwrap_or_default();
        let (parent, exec) = (proc.parent, proc.exec);
        let fds = std::mem::take(&mut proc.fds);
        let out = std::mem::take(&mut proc.out);
        for file in fds
            .into_iter()
            .map(|(_, file)| file)
            .chain(out.into_iter().map(|(file, _)| file))
            .chain(held)
        {
            self.release(file);
        }
        let orphans: Vec<Pid> = self
            .procs
            .iter()
            .filter(|(_, child)| child.parent == pid)
            .map(|(&child, _)| child)
            .collect();
        for orphan in orphans {
            if self
                .procs
                .get(&orphan)
                .is_some_and(|child| matches!(child.state, State::Zombie(_)))
            {
                self.procs.remove(&orphan);
            } else if let Some(child) = self.procs.get_mut(&orphan) {
                // In a shared namespace the pause process adopts it.
                child.parent = u32::from(self.init != INIT);
            }
        }
        for listener in self.listeners.values_mut().filter(|listener| listener.pid == pid) {
            for (id, _) in std::mem::take(&mut listener.incoming) {
                self.served.push((id, Err(NetError::Reset)));
            }
        }
        if let Some(exec) = exec.filter(|exec| self.execs.get(exec).is_some_and(|state| state.pid == pid))
            && let Some(state) = self.execs.remove(&exec)
        {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let end = ExecEnd {
                exit_code: status.code,
                stdout: text(&state.stdout),
                stderr: text(&state.stderr),
                output: text(&state.output),
            };
            self.ended.push((exec, end));
        }
        if pid == self.init {
            self.exit = Some(Exit {
                code: status.code,
                signal: status.signal,
                oom: self.oom,
            });
        } else if parent == 0 || !self.procs.contains_key(&parent) {
            self.procs.remove(&pid);
        } else {
            self.signal(parent, Signal::CHLD);
        }
    }

    /// The processes as other containers see them.
    pub fn neighbours(&self) -> impl Iterator<Item = Neighbour> {
        let pause = u32::from(self.init != INIT);
        self.procs.iter().map(move |(&pid, proc)| Neighbour {
            pid,
            parent: if pid == self.init { pause } else { proc.parent },
            user: proc.user,
            argv: Arc::clone(&proc.argv),
            memory: proc.memory,
            zombie: matches!(proc.state, State::Zombie(_)),
            started: proc.started,
        })
    }

    /// All processes that are seen here, by number: this container's and, in a shared namespace, the others'.
    pub fn visible(&self) -> Vec<Neighbour> {
        let mut all: Vec<Neighbour> = self.neighbours().chain(self.others.iter().cloned()).collect();
        all.sort_by_key(|process| process.pid);
        all
    }

    /// Adds an exec's main process.
    pub fn begin_exec(&mut self, exec: ExecId, pid: Pid) {
        self.execs.insert(
            exec,
            ExecState {
                pid,
                stdout: Vec::new(),
                stderr: Vec::new(),
                output: Vec::new(),
            },
        );
    }

    /// Memory of all processes, in bytes.
    pub fn memory(&self) -> u64 {
        self.procs.values().map(|proc| proc.memory).sum()
    }

    /// Kills for want of memory while the limit is exceeded: the largest process, or all of them at once.
    pub fn enforce_memory_limit(&mut self) {
        let Some(limit) = self.spec.memory_limit else { return };
        while self.memory().saturating_add(self.shared) > limit {
            let largest = self
                .procs
                .iter()
                .filter(|(_, proc)| !matches!(proc.state, State::Zombie(_)))
                .max_by_key(|(pid, proc)| (proc.memory, **pid))
                .map(|(&pid, _)| pid);
            let Some(largest) = largest else { return };
            self.oom = true;
            let victims: Vec<Pid> = if self.spec.oom_kills_group {
                self.procs.keys().copied().collect()
            } else {
                vec![largest]
            };
            for victim in victims {
                self.end(victim, Status::signalled(Signal::KILL));
            }
        }
    }

    /// Closes ports whose process is gone.
    pub fn close_ports(&mut self, host: &mut dyn Host) {
        let procs = &self.procs;
        self.listeners.retain(|port, listener| {
            let alive = procs
                .get(&listener.pid)
                .is_some_and(|proc| !matches!(proc.state, State::Zombie(_)));
            if !alive {
                host.close(*port);
            }
            alive
        });
    }
}
