//! The processes of one container in virtual time: the main process (pid 1), its children, and the commands that run
//! beside it (probes, hooks, `kubectl exec`). Everything is plain data: a clone is a branch.
//!
//! A process runs until it waits or its turn is over. A container that never waits uses virtual CPU time, not the host's:
//! each call of [`Processes::run`] does a bounded number of steps and then asks to be called again later.

use std::sync::Arc;

use super::files::{Device, Errno};
use super::host::{Host, Mount, NetError, Request, RequestId, Response};
use super::kernel::{FileKind, Kernel, Proc, State, Status};
use super::namespaces::Neighbour;
use super::syscalls::{Ctx, Step, empty_proc};
use crate::shell::program::{self, Program};
use crate::time::{SimDuration, SimTime};

/// A command that runs beside the main process (a probe, a hook, `kubectl exec`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExecId(pub u32);

/// A request from outside that a process of this container answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServeId(pub u32);

/// A signal, by its Linux number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal(pub u8);

impl Signal {
    /// Hangup.
    pub const HUP: Self = Self(1);
    /// Interrupt.
    pub const INT: Self = Self(2);
    /// Quit.
    pub const QUIT: Self = Self(3);
    /// Kill: cannot be caught.
    pub const KILL: Self = Self(9);
    /// User-defined 1.
    pub const USR1: Self = Self(10);
    /// Segmentation fault.
    pub const SEGV: Self = Self(11);
    /// User-defined 2.
    pub const USR2: Self = Self(12);
    /// Broken pipe.
    pub const PIPE: Self = Self(13);
    /// Alarm.
    pub const ALRM: Self = Self(14);
    /// Termination.
    pub const TERM: Self = Self(15);
    /// A child ended.
    pub const CHLD: Self = Self(17);
    /// Go on.
    pub const CONT: Self = Self(18);
    /// Stop: cannot be caught.
    pub const STOP: Self = Self(19);
    /// Window change: the stop signal of Apache httpd.
    pub const WINCH: Self = Self(28);
}

/// How a container starts.
#[derive(Clone, Debug, Default)]
pub struct Spec {
    /// The command and its arguments: the pod's `command` and `args`, or the image's.
    pub argv: Vec<String>,
    /// Environment, in order; a later value of a name wins.
    pub env: Vec<(String, String)>,
    /// Working directory; empty for `/`.
    pub working_dir: String,
    /// Numeric user.
    pub user: u32,
    /// Numeric groups, the primary one first.
    pub groups: Vec<u32>,
    /// Whether nothing of the root file system may be changed.
    pub read_only_root: bool,
    /// What the main process reads from its standard input.
    pub stdin: Stdin,
    /// Host name.
    pub hostname: String,
    /// CPU limit in thousandths of a processor.
    pub cpu_limit: Option<u64>,
    /// Memory limit in bytes.
    pub memory_limit: Option<u64>,
    /// Whether an OOM kills all processes of the container (cgroup v2 with `memory.oom.group`) or only the largest one.
    pub oom_kills_group: bool,
    /// Volumes.
    pub mounts: Vec<Mount>,
    /// Number of the main process where containers share their processes; 1 when it is `None`.
    pub first_pid: Option<u32>,
    /// Whether the image is unknown, so that a command which its file tree lacks is assumed to run until it is stopped.
    pub assume_programs: bool,
}

/// Where the main process's standard input comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stdin {
    /// Nothing: it is at its end at once.
    #[default]
    Null,
    /// Somebody may type, but nobody does (`stdin: true`): it never ends.
    Silent,
    /// The host gives it ([`Host::read_input`]).
    Host,
}

/// Why the main process or an exec could not be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartError {
    /// runc's text from `exec: ` on, such as `exec: "nosuch": executable file not found in $PATH`.
    pub message: String,
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for StartError {}

/// How the main process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Exit code; 128 + n after signal n.
    pub code: i32,
    /// The signal that ended it.
    pub signal: Option<Signal>,
    /// Whether any process of the container was killed for want of memory. containerd then gives the reason `OOMKilled`,
    /// even with exit code 0.
    pub oom: bool,
}

/// How an exec ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecEnd {
    /// Exit code; 128 + n after signal n.
    pub exit_code: i32,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
    /// Both, in the order in which they were written.
    pub output: String,
}

/// What a run of the processes brought about.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// When to call [`Processes::run`] next if nothing else happens before.
    pub wake: Option<SimTime>,
    /// Execs that ended.
    pub ended: Vec<(ExecId, ExecEnd)>,
    /// Answers to requests from outside.
    pub answers: Vec<(ServeId, Result<Response, NetError>)>,
    /// Set once, when the main process has ended; all other processes are gone with it.
    pub main_exit: Option<Exit>,
}

/// Steps of one process before the next one has its turn.
const TURN: u32 = 512;

/// Steps that a container does in one call at most, and the virtual time that they take: two million a second.
const BUDGET: u32 = 20_000;
const QUANTUM: SimDuration = SimDuration::from_millis(10);

/// Steps without a pause after which a container is simulated coarsely: few steps, a long time.
const COARSE_AFTER: u64 = 2_000_000;
const COARSE_BUDGET: u32 = 2_000;
const COARSE_QUANTUM: SimDuration = SimDuration::from_secs(1);

/// Steps of a call that comes while the container's quantum is not over: enough for probes and traps.
const EXTRA_BUDGET: u32 = 2_000;

/// Where programs are looked for when the environment does not say.
pub(crate) const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// All processes of one container.
#[derive(Clone, Debug)]
pub struct Processes {
    kernel: Kernel,
    /// Steps since the container last waited as a whole.
    busy: u64,
    /// When it may use its next quantum.
    resume_at: Option<SimTime>,
    said_coarse: bool,
    killed: bool,
    steps: u64,
}

impl Processes {
    /// Starts the main process; call [`Processes::run`] next.
    ///
    /// # Errors
    /// runc's text when the command cannot be executed.
    pub fn start(mut spec: Spec, host: &mut dyn Host) -> Result<Self, StartError> {
        if !spec.env.iter().any(|(name, _)| name == "PATH") {
            spec.env.insert(0, ("PATH".to_owned(), DEFAULT_PATH.to_owned()));
        }
        if !spec.env.iter().any(|(name, _)| name == "HOSTNAME") {
            spec.env.insert(1, ("HOSTNAME".to_owned(), spec.hostname.clone()));
        }
        if !spec.env.iter().any(|(name, _)| name == "HOME") {
            spec.env
                .push(("HOME".to_owned(), if spec.user == 0 { "/root" } else { "/" }.to_owned()));
        }
        for mount in &spec.mounts {
            if host.root().find(&mount.path).is_none() {
                host.root().make_directories(&mount.path);
            }
        }
        if !spec.working_dir.is_empty() && host.root().find(&spec.working_dir).is_none() {
            host.root().make_directories(&spec.working_dir);
        }
        if spec.groups.is_empty() {
            spec.groups.push(spec.user);
        }
        let argv = spec.argv.clone();
        let first_pid = spec.first_pid;
        let mut kernel = Kernel::new(Arc::new(spec));
        if let Some(pid) = first_pid {
            kernel.init = pid;
            kernel.next_pid = pid + 1;
        }
        let init = kernel.init;
        let mut processes = Self {
            kernel,
            busy: 0,
            resume_at: None,
            said_coarse: false,
            killed: false,
            steps: 0,
        };
        let stdout = FileKind::Log { stderr: false };
        let stderr = FileKind::Log { stderr: true };
        processes.launch(init, &argv, None, [stdout, stderr], host)?;
        Ok(processes)
    }

    fn launch(
        &mut self,
        pid: u32,
        argv: &[String],
        exec: Option<ExecId>,
        output: [FileKind; 2],
        host: &mut dyn Host,
    ) -> Result<(), StartError> {
        let kernel = &mut self.kernel;
        let spec = Arc::clone(&kernel.spec);
        let [stdout, stderr] = output;
        let stdin = match (exec, spec.stdin) {
            (None, Stdin::Host) => FileKind::Input,
            (None, Stdin::Silent) => FileKind::Silence,
            _ => FileKind::Device(Device::Null),
        };
        let files = [
            (0, kernel.open(stdin, true, true)),
            (1, kernel.open(stdout, false, true)),
            (2, kernel.open(stderr, false, true)),
        ];
        let env = spec
            .env
            .iter()
            .map(|(name, value)| (name.as_str().into(), value.as_str().into()))
            .collect();
        let mut proc = empty_proc();
        proc.group = pid;
        proc.exec = exec;
        proc.argv = argv.iter().map(|argument| Arc::from(argument.as_str())).collect();
        proc.env = Arc::new(env);
        proc.directory = if spec.working_dir.is_empty() {
            "/".into()
        } else {
            spec.working_dir.as_str().into()
        };
        proc.user = spec.user;
        proc.started = host.now();
        proc.fds = files.to_vec();
        kernel.add(pid, proc);
        let mut ctx = Ctx {
            kernel,
            host,
            pid,
            steps: TURN,
        };
        match Self::find(&mut ctx, argv) {
            Ok(program) => {
                ctx.proc().program = Some(program);
                Ok(())
            }
            Err(message) => {
                kernel.procs.remove(&pid);
                for (_, file) in files {
                    kernel.release(file);
                }
                Err(StartError { message })
            }
        }
    }

    /// The program that runc would execute, or its complaint (`libcontainer/standard_init_linux.go`, `os/exec.LookPath`).
    fn find(ctx: &mut Ctx<'_>, argv: &[String]) -> Result<Program, String> {
        let Some(name) = argv.first() else {
            return Err("no command specified".to_owned());
        };
        let assumed = ctx.kernel.spec.assume_programs;
        let path = ctx.env("PATH").unwrap_or_else(|| DEFAULT_PATH.into());
        let result = if name.contains('/') {
            program::load(ctx, name).map_err(|error| match error {
                Errno::NoEntry | Errno::NotDirectory => {
                    format!("exec: {name:?}: stat {name}: {}", error.to_string().to_lowercase())
                }
                error => format!("exec: {name:?}: {}", error.to_string().to_lowercase()),
            })
        } else {
            match program::find_on_path(ctx, name, &path) {
                Ok(found) => program::load(ctx, &found)
                    .map_err(|error| format!("exec: {name:?}: {}", error.to_string().to_lowercase())),
                Err(_) => Err(format!("exec: {name:?}: executable file not found in $PATH")),
            }
        };
        match result {
            Err(_) if assumed => {
                ctx.notice(&format!(
                    "the image is not in the catalogue: {name:?} is assumed to run until it is stopped"
                ));
                Ok(Program::Start { name: "assumed".into() })
            }
            result => result,
        }
    }

    /// Lets the processes run until all of them wait. Costs next to nothing when nothing is due.
    pub fn run(&mut self, host: &mut dyn Host) -> Progress {
        let now = host.now();
        let fresh = self.resume_at.is_none_or(|at| at <= now);
        let coarse = self.busy > COARSE_AFTER;
        let budget = match (fresh, coarse) {
            (true, false) => BUDGET,
            (true, true) => COARSE_BUDGET,
            (false, _) => EXTRA_BUDGET,
        };
        let mut left = budget;
        if std::mem::take(&mut self.killed) {
            self.kernel.end(self.kernel.init, Status::signalled(Signal::KILL));
        }
        let busy = self.turns(host, now, &mut left);
        self.kernel.close_ports(host);
        let mut progress = Progress {
            ended: std::mem::take(&mut self.kernel.ended),
            answers: std::mem::take(&mut self.kernel.served),
            ..Progress::default()
        };
        if let Some(exit) = self.kernel.exit.take() {
            self.end_everything(host);
            progress.ended.append(&mut self.kernel.ended);
            progress.answers.append(&mut self.kernel.served);
            progress.main_exit = Some(Exit {
                oom: self.kernel.oom,
                ..exit
            });
            return progress;
        }
        if busy {
            self.busy = self.busy.saturating_add(u64::from(budget));
            if coarse && !std::mem::replace(&mut self.said_coarse, true) {
                host.notice("a container uses CPU without a pause: its speed is simulated coarsely");
            }
            if fresh {
                self.resume_at = Some(now + if coarse { COARSE_QUANTUM } else { QUANTUM });
            }
        } else {
            self.busy = 0;
            self.resume_at = None;
        }
        progress.wake = match (self.kernel.next_wake(), self.resume_at) {
            (Some(wake), Some(resume)) => Some(wake.min(resume)),
            (wake, resume) => wake.or(resume),
        };
        progress
    }

    /// Gives every process that is due its turns; whether some still are when the budget is used up.
    fn turns(&mut self, host: &mut dyn Host, now: SimTime, left: &mut u32) -> bool {
        let mut due: Vec<u32> = Vec::new();
        loop {
            due.clear();
            due.extend(
                self.kernel
                    .procs
                    .keys()
                    .copied()
                    .filter(|&pid| self.kernel.is_due(pid, now)),
            );
            if due.is_empty() {
                return false;
            }
            for &pid in &due {
                if *left == 0 {
                    return true;
                }
                // A turn of an earlier process may have ended this one or taken what it waited for.
                if self.kernel.is_due(pid, now) {
                    let turn = TURN.min(*left);
                    let used = self.turn(pid, turn, host);
                    *left = left.saturating_sub(used.max(1));
                    self.steps += u64::from(used.max(1));
                }
                if self.kernel.exit.is_some() {
                    return false;
                }
            }
        }
    }

    /// One turn of one process; gives the steps that it used.
    fn turn(&mut self, pid: u32, turn: u32, host: &mut dyn Host) -> u32 {
        let kernel = &mut self.kernel;
        if !kernel.flush(pid, host) {
            return 1;
        }
        let Some(proc) = kernel.procs.get_mut(&pid) else {
            return 1;
        };
        match proc.state {
            State::Exiting(status) => {
                kernel.end(pid, status);
                return 1;
            }
            State::Zombie(_) => return 1,
            _ => {}
        }
        proc.state = State::Ready;
        proc.poked = false;
        let Some(mut program) = proc.program.take() else {
            kernel.procs.remove(&pid);
            return 1;
        };
        let mut ctx = Ctx {
            kernel,
            host,
            pid,
            steps: turn,
        };
        let step = program.step(&mut ctx);
        let used = turn - ctx.steps;
        let alive = self
            .kernel
            .procs
            .get(&pid)
            .is_some_and(|proc| !matches!(proc.state, State::Zombie(_)));
        if !alive || matches!(step, Step::Exit(_) | Step::Replace(_)) {
            for file in program.files() {
                self.kernel.release(file);
            }
        }
        let Some(proc) = self.kernel.procs.get_mut(&pid).filter(|_| alive) else {
            return used;
        };
        match step {
            Step::Yield => proc.program = Some(program),
            Step::Wait(wait) => {
                proc.program = Some(program);
                // A signal that came during the step is looked at before it waits.
                proc.poked = !proc.pending.is_empty() && proc.poked;
                proc.state = State::Waiting(wait);
            }
            Step::Replace(next) => proc.program = Some(*next),
            Step::Exit(code) if proc.out.is_empty() => self.kernel.end(pid, Status::exited(code)),
            Step::Exit(code) => proc.state = State::Exiting(Status::exited(code)),
        }
        used
    }

    fn end_everything(&mut self, host: &mut dyn Host) {
        let pids: Vec<u32> = self.kernel.procs.keys().copied().collect();
        for pid in pids {
            self.kernel.end(pid, Status::signalled(Signal::KILL));
        }
        self.kernel.exit = None;
        self.kernel.procs.clear();
        self.kernel.flush_log(host);
        self.kernel.close_ports(host);
    }

    /// A signal from outside to the main process; call [`Processes::run`] next. As pid 1 it ignores what it has no
    /// handler for; only `KILL` always ends it.
    pub fn signal(&mut self, signal: Signal) {
        if signal == Signal::KILL {
            self.killed = true;
        } else {
            self.kernel.signal(self.kernel.init, signal);
        }
    }

    /// Ends every process at once; call [`Processes::run`] next.
    pub fn kill_all(&mut self) {
        self.killed = true;
    }

    /// Starts a command beside the main process with the container's environment; call [`Processes::run`] next.
    ///
    /// # Errors
    /// runc's text when the command cannot be executed.
    pub fn exec(&mut self, argv: &[String], host: &mut dyn Host) -> Result<ExecId, StartError> {
        let exec = ExecId(self.kernel.id());
        let Some(pid) = self.kernel.next_pid() else {
            return Err(StartError {
                message: "too many processes".to_owned(),
            });
        };
        let output = [
            FileKind::Capture { exec, stderr: false },
            FileKind::Capture { exec, stderr: true },
        ];
        self.launch(pid, argv, Some(exec), output, host)?;
        self.kernel.begin_exec(exec, pid);
        Ok(exec)
    }

    /// Kills an exec and its descendants (a probe's timeout). It is not reported as ended.
    pub fn kill_exec(&mut self, exec: ExecId) {
        self.kernel.execs.remove(&exec);
        let pids: Vec<u32> = self
            .kernel
            .procs
            .iter()
            .filter(|(_, proc)| proc.exec == Some(exec))
            .map(|(&pid, _)| pid)
            .collect();
        for pid in pids {
            self.kernel.end(pid, Status::signalled(Signal::KILL));
        }
    }

    /// Lets the container see the processes of its neighbours in a shared PID namespace; `next` is the first free number.
    pub(crate) fn enter_namespace(&mut self, others: Vec<Neighbour>, next: u32) {
        self.kernel.others = others.into();
        self.kernel.next_pid = self.kernel.next_pid.max(next);
    }

    /// The first free number, and the signals that processes have sent to their neighbours.
    pub(crate) fn leave_namespace(&mut self) -> (u32, Vec<(u32, Signal)>) {
        self.kernel.others = Arc::from([]);
        (self.kernel.next_pid, std::mem::take(&mut self.kernel.outbox))
    }

    /// The processes as neighbours see them.
    pub(crate) fn neighbours(&self) -> Vec<Neighbour> {
        self.kernel.neighbours().collect()
    }

    /// A signal from a neighbour; `false` when there is no such process. Call [`Processes::run`] next.
    pub(crate) fn signal_process(&mut self, pid: u32, signal: Signal) -> bool {
        self.kernel.procs.contains_key(&pid) && self.kernel.signal(pid, signal)
    }

    /// Whether a process listens on a port of the pod's address.
    pub fn listens_on(&self, port: u16) -> bool {
        self.kernel.listeners.contains_key(&port)
    }

    /// Hands a request to the process that listens on a port; call [`Processes::run`] next. The answer comes in
    /// [`Progress::answers`], at once or later.
    ///
    /// # Errors
    /// [`NetError::Refused`] when nobody listens there.
    pub fn serve(&mut self, port: u16, request: Request) -> Result<ServeId, NetError> {
        let id = self.kernel.id();
        self.serve_as(id, port, request)
    }

    /// As [`Processes::serve`], under a number of the caller's.
    pub(super) fn serve_as(&mut self, id: u32, port: u16, request: Request) -> Result<ServeId, NetError> {
        let id = ServeId(id);
        match self.kernel.listeners.get_mut(&port) {
            Some(listener) => {
                listener.incoming.push_back((id, request));
                Ok(id)
            }
            None => Err(NetError::Refused {
                address: "127.0.0.1".to_owned(),
                port,
            }),
        }
    }

    /// The answer to a request that a process has sent with [`Host::send`]; call [`Processes::run`] next.
    pub fn answer(&mut self, id: RequestId, response: Result<Response, NetError>) {
        self.kernel.answers.insert(id, response);
    }

    /// Steps that were taken so far: what simulating the container cost.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Memory in use, in bytes.
    pub fn memory(&self) -> u64 {
        self.kernel.memory()
    }

    /// So many bytes of memory-backed volumes count as the container's memory now. Whether processes were killed for it: call
    /// [`Processes::run`] next.
    pub fn charge(&mut self, bytes: u64) -> bool {
        self.kernel.shared = bytes;
        let before = self.kernel.oom;
        self.kernel.enforce_memory_limit();
        self.kernel.oom && !before || self.kernel.exit.is_some()
    }

    /// How many processes there are.
    pub fn count(&self) -> u64 {
        self.kernel.procs.len() as u64
    }

    /// The process that uses the most memory, and how much.
    pub fn largest(&self) -> Option<(u32, u64)> {
        let alive = |proc: &Proc| !matches!(proc.state, State::Zombie(_));
        let all = self.kernel.procs.iter().filter(|(_, proc)| alive(proc));
        all.map(|(pid, proc)| (*pid, proc.memory))
            .max_by_key(|(pid, memory)| (*memory, *pid))
    }

    /// The kernel kills a process because the node, or the pod, has no memory left; with `group` all of the container. With
    /// `counts` the container is then said to be `OOMKilled`. Gives the name of the victim; call [`Processes::run`] next.
    pub fn kill_for_memory(&mut self, pid: u32, group: bool, counts: bool) -> String {
        let argv = self.kernel.procs.get(&pid).map(|proc| Arc::clone(&proc.argv));
        let path = argv
            .as_deref()
            .and_then(|argv| argv.first().cloned())
            .unwrap_or_default();
        let name = path.rsplit('/').next().unwrap_or_default().to_owned();
        self.kernel.oom |= counts;
        let all: Vec<u32> = self.kernel.procs.keys().copied().collect();
        for victim in all.into_iter().filter(|one| group || *one == pid) {
            self.kernel.end(victim, Status::signalled(Signal::KILL));
        }
        name
    }
}
