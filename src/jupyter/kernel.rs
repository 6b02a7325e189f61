//! The kernel: one session behind five sockets.
//!
//! Two threads. One runs cells, one after the other, and tells what comes of them; the other answers everything else at
//! once, from what it knows of the session's objects, and never waits for a cell.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use super::connection::Connection;
use super::history::History;
use super::wire::{PROTOCOL, Request, Signer, Writer};
use super::zmtp::{Incoming, Listener, Peers, Socket};
use crate::lab::Cancel;
use crate::notebook::complete::{Completeness, complete, is_complete};
use crate::notebook::inspect::inspect;
use crate::notebook::ipynb::language_info;
use crate::notebook::{Bundle, Failure, Output, Session, Settings, View};

/// How long what was said last may take to be handed to the system when the kernel ends.
const FLUSH: Duration = Duration::from_millis(500);

/// How often it is looked whether the process that started the kernel is still there.
const PARENT_LOOK: Duration = Duration::from_secs(1);

/// The name of the language, as kernelspec and kernel tell it.
pub const LANGUAGE: &str = "peapod";

/// Runs a kernel until it is shut down, is told to end, or its parent is gone.
///
/// # Errors
/// When the connection file cannot be read or a port cannot be had.
pub fn run(connection_file: &Path, settings: Settings) -> anyhow::Result<()> {
    let connection = Connection::read(connection_file)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(connection, settings))
}

/// A cell that waits for its turn.
struct Job {
    request: Request,
}

/// What both threads know.
struct Shared {
    writer: Writer,
    iopub: Peers,
    shell: Peers,
    queue: Mutex<VecDeque<Job>>,
    arrived: Condvar,
    /// Stops the cell that runs, if one does.
    running: Mutex<Option<Cancel>>,
    view: Mutex<Arc<View>>,
    history: Mutex<History>,
    lang: crate::i18n::Lang,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn broadcast(&self, kind: &str, parent: &[u8], content: &Value) {
        self.iopub.publish(self.writer.broadcast(kind, parent, content));
    }

    fn status(&self, state: &str, parent: &[u8]) {
        self.broadcast("status", parent, &json!({ "execution_state": state }));
    }

    fn interrupt(&self) {
        if let Some(cancel) = &*lock(&self.running) {
            cancel.cancel();
        }
    }
}

async fn serve(connection: Connection, settings: Settings) -> anyhow::Result<()> {
    let bind = |port| Listener::bind(&connection.transport, &connection.ip, port);
    let taken =
        |name: &'static str| move |error: std::io::Error| anyhow::anyhow!("the {name} port cannot be had: {error}");
    let (iopub_in, mut subscribed) = mpsc::unbounded_channel();
    let (hb_in, mut beats) = mpsc::unbounded_channel();
    let (shell_in, mut shell_out) = mpsc::unbounded_channel();
    let (control_in, mut control_out) = mpsc::unbounded_channel();
    let (stdin_in, mut stdin_out) = mpsc::unbounded_channel();
    // A client that finds no port tries again after a tenth of a second: the ports are there before anything else.
    let iopub = bind(connection.iopub_port).await.map_err(taken("iopub"))?;
    let hb = bind(connection.hb_port).await.map_err(taken("heartbeat"))?;
    let stdin = bind(connection.stdin_port).await.map_err(taken("stdin"))?;
    let control = bind(connection.control_port).await.map_err(taken("control"))?;
    let shell = bind(connection.shell_port).await.map_err(taken("shell"))?;
    let session = Session::new(settings).map_err(anyhow::Error::msg)?;
    // First where things are told, then where they are asked: whoever gets an answer can have heard what went with it.
    let iopub = iopub.serve(Socket::Xpub, iopub_in);
    let hb = hb.serve(Socket::Rep, hb_in);
    let _stdin = stdin.serve(Socket::Router, stdin_in);
    let control = control.serve(Socket::Router, control_in);
    let shell = shell.serve(Socket::Router, shell_in);
    let signer = Signer::new(&connection.key);
    let shared = Arc::new(Shared {
        writer: Writer::new(signer.clone(), process_session(&connection)),
        iopub,
        shell: shell.clone(),
        queue: Mutex::default(),
        arrived: Condvar::new(),
        running: Mutex::default(),
        view: Mutex::new(Arc::new(session.view())),
        history: Mutex::default(),
        lang: session.settings().lang,
    });
    shared.status("starting", b"");
    let worker = Arc::clone(&shared);
    std::thread::Builder::new()
        .name("session".to_owned())
        .stack_size(16 << 20)
        .spawn(move || work(&worker, session))?;
    let mut signals = Signals::new()?;
    let mut parent = Parent::of_environment();
    loop {
        let ended = tokio::select! {
            biased;
            Some(Incoming::Message(peer, frames)) = control_out.recv() => {
                match Request::read(peer, frames, &signer) {
                    Some(request) => answer(&shared, &control, request),
                    None => false,
                }
            }
            Some(Incoming::Message(peer, frames)) = beats.recv() => {
                hb.send(peer, frames);
                false
            }
            Some(incoming) = subscribed.recv() => {
                if let Incoming::Subscribed(peer, topic) = incoming {
                    welcome(&shared, peer, &topic);
                }
                false
            }
            Some(Incoming::Message(peer, frames)) = shell_out.recv() => {
                match Request::read(peer, frames, &signer) {
                    Some(request) => answer(&shared, &shell, request),
                    None => false,
                }
            }
            // Nothing is ever asked of the user, so nothing is answered.
            Some(_) = stdin_out.recv() => false,
            end = signals.next() => match end {
                Signal::Interrupt => {
                    shared.interrupt();
                    false
                }
                Signal::End => true,
            },
            () = tokio::time::sleep(PARENT_LOOK), if parent.is_some() => {
                parent.as_mut().is_some_and(Parent::is_gone)
            }
        };
        if ended {
            break;
        }
    }
    shared.interrupt();
    control.flush(FLUSH).await;
    shell.flush(FLUSH).await;
    shared.iopub.flush(FLUSH).await;
    // What was handed to the system must leave before the connections end with the process.
    tokio::time::sleep(Duration::from_millis(20)).await;
    if connection.transport == "ipc" {
        for port in [
            connection.shell_port,
            connection.iopub_port,
            connection.stdin_port,
            connection.control_port,
            connection.hb_port,
        ] {
            let _ = std::fs::remove_file(format!("{}-{port}", connection.ip));
        }
    }
    // The thread that runs cells may be in the middle of one; it goes with the process.
    std::process::exit(0);
}

/// Everybody who subscribes is told that from now on nothing is missed.
fn welcome(shared: &Shared, peer: super::zmtp::PeerId, topic: &[u8]) {
    let content = json!({ "subscription": String::from_utf8_lossy(topic) });
    shared
        .iopub
        .send(peer, shared.writer.broadcast("iopub_welcome", b"", &content));
}

/// The id of this process's session: clients see by it that a kernel was started anew.
fn process_session(connection: &Connection) -> String {
    let mut digest = Sha256::new();
    digest.update(connection.key.as_bytes());
    digest.update(std::process::id().to_le_bytes());
    digest.update(jiff::Timestamp::now().as_nanosecond().to_le_bytes());
    let digest = digest.finalize();
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// Answers a request, or gives it to the thread that runs cells; `true` when it ends the kernel.
fn answer(shared: &Arc<Shared>, channel: &Peers, request: Request) -> bool {
    if request.kind == "execute_request" {
        lock(&shared.queue).push_back(Job { request });
        shared.arrived.notify_one();
        return false;
    }
    shared.status("busy", request.parent());
    let reply = |content: &Value| {
        let kind = request.kind.replace("_request", "_reply");
        channel.send(request.peer, shared.writer.reply(&request, &kind, content));
    };
    let mut ends = false;
    match request.kind.as_str() {
        "kernel_info_request" => reply(&kernel_info()),
        "complete_request" => reply(&completion(shared, &request)),
        "inspect_request" => {
            let view = Arc::clone(&lock(&shared.view));
            let code = request.text("code");
            let found = inspect(code, cursor(&request, code), &view, shared.lang);
            reply(&json!({
                "status": "ok",
                "found": found.is_some(),
                "data": found.map(|bundle| Value::Object(data(&bundle))).unwrap_or_else(|| json!({})),
                "metadata": {},
            }));
        }
        "is_complete_request" => reply(&match is_complete(request.text("code")) {
            Completeness::Complete => json!({ "status": "complete" }),
            Completeness::Incomplete(indent) => json!({ "status": "incomplete", "indent": indent }),
            Completeness::Invalid => json!({ "status": "invalid" }),
        }),
        "history_request" => {
            let rows = lock(&shared.history).rows(&request);
            reply(&json!({ "status": "ok", "history": rows }));
        }
        "comm_info_request" => reply(&json!({ "status": "ok", "comms": {} })),
        "comm_open" => {
            let content = json!({ "comm_id": request.text("comm_id"), "data": {} });
            shared.broadcast("comm_close", request.parent(), &content);
        }
        "interrupt_request" => {
            shared.interrupt();
            reply(&json!({ "status": "ok" }));
        }
        "shutdown_request" => {
            let content = json!({ "status": "ok", "restart": request.on("restart", false) });
            reply(&content);
            shared.broadcast("shutdown_reply", request.parent(), &content);
            ends = true;
        }
        // Others of the protocol have no answer here, and unknown ones have none anywhere.
        _ => {}
    }
    shared.status("idle", request.parent());
    ends
}

fn kernel_info() -> Value {
    let version = env!("CARGO_PKG_VERSION");
    json!({
        "status": "ok",
        "protocol_version": PROTOCOL,
        "implementation": "peapod",
        "implementation_version": version,
        "language_info": language_info(),
        "banner": format!(
            "Peapod {version}: Kubernetes {} in virtual time. A cell is a manifest, an experiment, `$ kubectl …`, or a % command: %lsmagic",
            peapod_sim::version::Version::NEWEST
        ),
        "help_links": [{ "text": "Kubernetes", "url": "https://kubernetes.io/docs/" }],
        "debugger": false,
        "supported_features": [],
    })
}

fn cursor(request: &Request, code: &str) -> usize {
    let end = code.chars().count();
    request
        .number("cursor_pos")
        .and_then(|at| usize::try_from(at).ok())
        .map_or(end, |at| at.min(end))
}

fn completion(shared: &Shared, request: &Request) -> Value {
    let view = Arc::clone(&lock(&shared.view));
    let code = request.text("code");
    let found = complete(code, cursor(request, code), &view);
    let typed: Vec<Value> = found
        .matches
        .iter()
        .map(|(text, kind)| json!({ "text": text, "type": kind, "start": found.start, "end": found.end }))
        .collect();
    json!({
        "status": "ok",
        "matches": found.matches.iter().map(|(text, _)| text).collect::<Vec<_>>(),
        "cursor_start": found.start,
        "cursor_end": found.end,
        "metadata": { "_jupyter_types_experimental": typed },
    })
}

fn data(bundle: &Bundle) -> Map<String, Value> {
    bundle
        .data()
        .iter()
        .map(|(kind, value)| (kind.clone(), value.clone()))
        .collect()
}

/// Runs cells, one after the other, for as long as the process lives.
fn work(shared: &Shared, mut session: Session) {
    let (mut count, mut seen) = (0_u32, session.revision());
    loop {
        let job = {
            let mut queue = lock(&shared.queue);
            loop {
                match queue.pop_front() {
                    Some(job) => break job,
                    None => queue = shared.arrived.wait(queue).unwrap_or_else(PoisonError::into_inner),
                }
            }
        };
        let failed = execute(shared, &mut session, &job.request, &mut count);
        if failed && job.request.on("stop_on_error", true) {
            let waiting: Vec<Job> = lock(&shared.queue).drain(..).collect();
            for job in waiting {
                abort(shared, &job.request, count);
            }
        }
        if session.revision() != seen {
            seen = session.revision();
            *lock(&shared.view) = Arc::new(session.view());
        }
    }
}

/// A cell that does not run because one before it has failed.
fn abort(shared: &Shared, request: &Request, count: u32) {
    shared.status("busy", request.parent());
    let content = json!({
        "status": "error",
        "execution_count": count,
        "ename": "Aborted",
        "evalue": "a cell before it has failed",
        "traceback": [],
    });
    shared
        .shell
        .send(request.peer, shared.writer.reply(request, "execute_reply", &content));
    shared.status("idle", request.parent());
}

/// Runs one cell; `true` when it failed.
fn execute(shared: &Shared, session: &mut Session, request: &Request, count: &mut u32) -> bool {
    let parent = request.parent();
    let code = request.text("code");
    let silent = request.on("silent", false);
    let stores = request.on("store_history", true) && !silent && !code.trim().is_empty();
    let cancel = Cancel::new();
    *lock(&shared.running) = Some(cancel.clone());
    shared.status("busy", parent);
    if stores {
        *count += 1;
    }
    if !silent {
        shared.broadcast(
            "execute_input",
            parent,
            &json!({ "code": code, "execution_count": *count }),
        );
    }
    let mut result = None;
    let number = *count;
    let mut tell = |output: Output| {
        if let Output::Result(bundle) = &output {
            result = Some(bundle.plain().to_owned());
        }
        if !silent {
            let (kind, content) = told(output, number);
            shared.broadcast(kind, parent, &content);
        }
    };
    let ran = catch_unwind(AssertUnwindSafe(|| session.run(code, &cancel, &mut tell)));
    *lock(&shared.running) = None;
    let done = ran.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_default();
        let message = format!("the simulation broke down, which is a mistake in Peapod: {text}");
        Err(Failure::new("Broken", message).hint("%reset begins anew"))
    });
    // A cell that is none was never run: nobody looks for it among those that were.
    let was_run = !matches!(&done, Err(failure) if failure.name == "UsageError");
    if stores && was_run {
        lock(&shared.history).push(number, code, result);
    }
    let failed = done.is_err();
    let content = match done {
        Ok(()) => {
            let asked = request.content.get("user_expressions").and_then(Value::as_object);
            let refused = json!({
                "status": "error",
                "ename": "Unsupported",
                "evalue": "there are no expressions to evaluate",
                "traceback": [],
            });
            let expressions: Map<String, Value> = asked
                .into_iter()
                .flatten()
                .map(|(name, _)| (name.clone(), refused.clone()))
                .collect();
            json!({
                "status": "ok",
                "execution_count": number,
                "payload": [],
                "user_expressions": expressions,
            })
        }
        Err(failure) => {
            let mut content = json!({
                "ename": failure.name,
                "evalue": failure.value,
                "traceback": failure.traceback,
            });
            if !silent {
                shared.broadcast("error", parent, &content);
            }
            content["status"] = json!("error");
            content["execution_count"] = json!(number);
            content
        }
    };
    shared
        .shell
        .send(request.peer, shared.writer.reply(request, "execute_reply", &content));
    shared.status("idle", parent);
    failed
}

/// An output as a message.
fn told(output: Output, count: u32) -> (&'static str, Value) {
    match output {
        Output::Stream { stderr, text } => {
            let name = if stderr { "stderr" } else { "stdout" };
            ("stream", json!({ "name": name, "text": text }))
        }
        Output::Display { id, bundle } => {
            let transient = id.map_or_else(|| json!({}), |id| json!({ "display_id": id }));
            let content = json!({ "data": data(&bundle), "metadata": {}, "transient": transient });
            ("display_data", content)
        }
        Output::Update { id, bundle } => {
            let content = json!({ "data": data(&bundle), "metadata": {}, "transient": { "display_id": id } });
            ("update_display_data", content)
        }
        Output::Result(bundle) => {
            let content = json!({ "data": data(&bundle), "metadata": {}, "execution_count": count });
            ("execute_result", content)
        }
        Output::Clear { wait } => ("clear_output", json!({ "wait": wait })),
    }
}

enum Signal {
    Interrupt,
    End,
}

/// Signals from outside.
struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    end: tokio::signal::unix::Signal,
}

impl Signals {
    #[cfg(unix)]
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            end: signal(SignalKind::terminate())?,
        })
    }

    #[cfg(not(unix))]
    fn new() -> std::io::Result<Self> {
        Ok(Self {})
    }

    #[cfg(unix)]
    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::Interrupt,
            _ = self.end.recv() => Signal::End,
        }
    }

    #[cfg(not(unix))]
    async fn next(&mut self) -> Signal {
        let _ = tokio::signal::ctrl_c().await;
        Signal::Interrupt
    }
}

/// The process that started the kernel, where it has said so: a kernel does not outlive it.
struct Parent {
    #[cfg(unix)]
    id: u32,
}

impl Parent {
    #[cfg(unix)]
    fn of_environment() -> Option<Self> {
        let said = std::env::var("JPY_PARENT_PID").ok()?.parse::<u32>().ok()?;
        let id = std::os::unix::process::parent_id();
        (said > 1 && id > 1).then_some(Self { id })
    }

    #[cfg(not(unix))]
    fn of_environment() -> Option<Self> {
        None
    }

    #[cfg(unix)]
    fn is_gone(&mut self) -> bool {
        std::os::unix::process::parent_id() != self.id
    }

    #[cfg(not(unix))]
    fn is_gone(&mut self) -> bool {
        false
    }
}
