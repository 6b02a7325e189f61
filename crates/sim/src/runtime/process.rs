//! The processes of one container in virtual time: the main process (pid 1), its children, and the commands that run
//! beside it (probes, hooks, `kubectl exec`). Everything is plain data: a clone is a branch.

use super::host::{Host, Mount, NetError, Request, RequestId, Response};
use crate::time::SimTime;

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
    /// Host name.
    pub hostname: String,
    /// Memory limit in bytes.
    pub memory_limit: Option<u64>,
    /// Whether an OOM kills all processes of the container (cgroup v2 with `memory.oom.group`) or only the largest one.
    pub oom_kills_group: bool,
    /// Volumes.
    pub mounts: Vec<Mount>,
    /// Whether the image is unknown, so that a command which its file tree lacks is assumed to run until it is stopped.
    pub assume_programs: bool,
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

/// All processes of one container.
#[derive(Clone, Debug)]
pub struct Processes {
    spec: Spec,
    killed: Option<Signal>,
    next_id: u32,
}

impl Processes {
    /// Starts the main process; call [`Processes::run`] next.
    ///
    /// # Errors
    /// runc's text when the command cannot be executed.
    pub fn start(spec: Spec, host: &mut dyn Host) -> Result<Self, StartError> {
        let _ = host;
        Ok(Self {
            spec,
            killed: None,
            next_id: 0,
        })
    }

    /// Lets the processes run until all of them wait. Costs next to nothing when nothing is due.
    pub fn run(&mut self, host: &mut dyn Host) -> Progress {
        let _ = (host, &self.spec);
        let exit = self.killed.take().map(|signal| Exit {
            code: 128 + i32::from(signal.0),
            signal: Some(signal),
            oom: false,
        });
        Progress {
            main_exit: exit,
            ..Progress::default()
        }
    }

    /// A signal from outside to the main process; call [`Processes::run`] next. As pid 1 it ignores what it has no
    /// handler for; only `KILL` always ends it.
    pub fn signal(&mut self, signal: Signal) {
        if signal == Signal::KILL {
            self.killed = Some(signal);
        }
    }

    /// Ends every process at once; call [`Processes::run`] next.
    pub fn kill_all(&mut self) {
        self.signal(Signal::KILL);
    }

    /// Starts a command beside the main process with the container's environment; call [`Processes::run`] next.
    ///
    /// # Errors
    /// runc's text when the command cannot be executed.
    pub fn exec(&mut self, argv: &[String], host: &mut dyn Host) -> Result<ExecId, StartError> {
        let _ = (argv, host);
        self.next_id += 1;
        Ok(ExecId(self.next_id))
    }

    /// Kills an exec and its descendants (a probe's timeout). It is not reported as ended.
    pub fn kill_exec(&mut self, exec: ExecId) {
        let _ = exec;
    }

    /// Whether a process listens on a port of the pod's address.
    pub fn listens_on(&self, port: u16) -> bool {
        let _ = port;
        false
    }

    /// Hands a request to the process that listens on a port; call [`Processes::run`] next. The answer comes in
    /// [`Progress::answers`], at once or later.
    ///
    /// # Errors
    /// [`NetError::Refused`] when nobody listens there.
    pub fn serve(&mut self, port: u16, request: Request) -> Result<ServeId, NetError> {
        let _ = request;
        Err(NetError::Refused {
            address: "127.0.0.1".to_owned(),
            port,
        })
    }

    /// The answer to a request that a process has sent with [`Host::send`]; call [`Processes::run`] next.
    pub fn answer(&mut self, id: RequestId, response: Result<Response, NetError>) {
        let _ = (id, response);
    }

    /// Memory in use, in bytes.
    pub fn memory(&self) -> u64 {
        0
    }
}
