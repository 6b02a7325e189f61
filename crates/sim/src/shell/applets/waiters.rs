//! Applets that wait for time or for a child: `sleep`, `timeout`, `xargs`, `watch`, `time`, `yes`; those that run another
//! program in their place: `env`, `nohup`; and memory eaters.

use std::sync::Arc;

use super::input::Input;
use super::options::Options;
use super::{Applet, duration, run};
use crate::runtime::files::Errno;
use crate::runtime::kernel::{FileId, Pid, Status, Wait};
use crate::runtime::process::{DEFAULT_PATH, Signal};
use crate::runtime::syscalls::{Ctx, Step};
use crate::shell::program::{self, Program};
use crate::time::{SimDuration, SimTime};

/// An applet that waits.
#[derive(Clone, Debug)]
pub(crate) enum Waiter {
    Sleep {
        until: SimTime,
    },
    /// Something that takes its time, and then has its result.
    Later {
        until: SimTime,
        text: Arc<str>,
        code: i32,
    },
    /// `timeout`: the child, when it is killed, by what, and when it is killed for good.
    Timeout {
        child: Pid,
        until: SimTime,
        signal: Signal,
        kill_after: Option<SimDuration>,
        fired: bool,
    },
    /// `time`: the child and when it started.
    Time {
        child: Pid,
        since: SimTime,
    },
    Yes {
        line: Arc<str>,
    },
    Watch {
        command: Arc<[Arc<str>]>,
        every: SimDuration,
        next: SimTime,
        child: Option<Pid>,
    },
    Xargs(Box<Xargs>),
    /// Takes memory until it has so much, then keeps it.
    Eat {
        target: u64,
        held: u64,
        hang: bool,
    },
    /// `stress`: the parent and its workers.
    Stress {
        workers: Vec<Pid>,
        until: Option<SimTime>,
        since: SimTime,
    },
    /// Uses the CPU.
    Burn {
        until: Option<SimTime>,
    },
}

#[derive(Clone, Debug)]
pub(crate) struct Xargs {
    input: Input,
    text: Vec<u8>,
    ended: bool,
    batches: Option<std::collections::VecDeque<Vec<Arc<str>>>>,
    options: Options,
    child: Option<Pid>,
    code: i32,
}

/// Bytes that `xargs` reads before it runs its command.
const PORTION: usize = 128 << 10;

/// How much a memory eater takes at once, and how long that takes: about 2 GiB a second.
const BITE: u64 = 64 << 20;
const BITE_TIME: SimDuration = SimDuration::from_millis(30);

/// Starts one of these applets.
pub(super) fn start(name: &str, arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Option<Step> {
    Some(match name {
        "sleep" | "usleep" => sleep(name, arguments, ctx),
        "timeout" => timeout(arguments, ctx),
        "time" => match spawn(ctx, arguments.strip_prefix(&["-p".into()]).unwrap_or(arguments)) {
            Ok(child) => run(Applet::Waiter(Waiter::Time {
                child,
                since: ctx.now(),
            })),
            Err(code) => Step::Exit(code),
        },
        "yes" => {
            let line = if arguments.is_empty() {
                "y".to_owned()
            } else {
                arguments.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(" ")
            };
            run(Applet::Waiter(Waiter::Yes {
                line: format!("{line}\n").into(),
            }))
        }
        "env" => env(arguments, ctx),
        "nohup" | "setsid" | "nice" | "ionice" | "stdbuf" | "chrt" | "taskset" | "exec" => {
            wrapper(name, arguments, ctx)
        }
        "watch" => watch(arguments, ctx),
        "xargs" => xargs(arguments, ctx),
        "eatmem" => match arguments.first().and_then(|argument| argument.parse::<u64>().ok()) {
            Some(megabytes) => run(Applet::Waiter(Waiter::Eat {
                target: megabytes.saturating_mul(1 << 20),
                held: 0,
                hang: true,
            })),
            None => {
                ctx.complain("eatmem: usage: eatmem MB");
                Step::Exit(2)
            }
        },
        "stress" | "stress-ng" => stress(arguments, ctx),
        _ => return None,
    })
}

fn sleep(name: &str, arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Step {
    let mut total = SimDuration::ZERO;
    for argument in arguments {
        match duration(argument) {
            Some(span) if name == "usleep" => total = total + SimDuration(span.0 / 1_000_000),
            Some(span) => total = total + span,
            None => {
                ctx.complain(&format!("{name}: invalid number '{argument}'"));
                return Step::Exit(1);
            }
        }
    }
    if arguments.is_empty() {
        ctx.complain(&format!("{name}: missing operand"));
        return Step::Exit(1);
    }
    run(Applet::Waiter(Waiter::Sleep {
        until: ctx.now() + total,
    }))
}

/// The program that a command line names, or the status of its failure, which is reported.
fn find(ctx: &mut Ctx<'_>, own: &str, command: &[Arc<str>]) -> Result<Program, i32> {
    let Some(name) = command.first() else { return Err(0) };
    let path = ctx.env("PATH").unwrap_or_else(|| DEFAULT_PATH.into());
    let found = if name.contains('/') {
        program::load(ctx, name)
    } else {
        program::find_on_path(ctx, name, &path).and_then(|path| program::load(ctx, &path))
    };
    found.map_err(|error| {
        ctx.complain(&format!("{own}: can't execute '{name}': {error}"));
        if error == Errno::NoEntry { 127 } else { 126 }
    })
}

fn spawn(ctx: &mut Ctx<'_>, command: &[Arc<str>]) -> Result<Pid, i32> {
    let own = ctx.proc().argv.first().cloned().unwrap_or_default();
    let program = find(ctx, &own, command)?;
    ctx.spawn(program, command.into(), &[]).ok_or_else(|| {
        ctx.complain(&format!("{own}: can't fork: Resource temporarily unavailable"));
        1
    })
}

fn become_command(ctx: &mut Ctx<'_>, own: &str, command: &[Arc<str>]) -> Step {
    match find(ctx, own, command) {
        Ok(program) => {
            ctx.proc().argv = command.into();
            Step::Replace(Box::new(program))
        }
        Err(code) => Step::Exit(code),
    }
}

fn timeout(arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Step {
    let options = match Options::parse(
        "+s:k:t:fv",
        &[
            ("signal", 's'),
            ("kill-after", 'k'),
            ("foreground", 'f'),
            ("preserve-status", 'f'),
        ],
        arguments,
    ) {
        Ok(options) => options,
        Err(message) => {
            ctx.complain(&format!("timeout: {message}"));
            return Step::Exit(125);
        }
    };
    let mut operands = options.operands.as_slice();
    let span = match options.value('t') {
        Some(span) => duration(span),
        None => {
            let span = operands.first().and_then(|span| duration(span));
            operands = operands.get(1..).unwrap_or_default();
            span
        }
    };
    let signal = options
        .value('s')
        .map_or(Some(15), crate::shell::builtins::signal_number);
    let (Some(span), Some(signal), false) = (span, signal, operands.is_empty()) else {
        ctx.complain("timeout: usage: timeout [-s SIG] [-k KILL_SECS] SECS PROG ARGS");
        return Step::Exit(125);
    };
    let kill_after = options.value('k').and_then(duration);
    match spawn(ctx, operands) {
        Ok(child) => {
            for signal in [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT] {
                ctx.set_signal(signal, true, false);
            }
            let until = if span == SimDuration::ZERO {
                SimTime(u64::MAX)
            } else {
                ctx.now() + span
            };
            run(Applet::Waiter(Waiter::Timeout {
                child,
                until,
                signal: Signal(signal),
                kill_after,
                fired: false,
            }))
        }
        Err(code) => Step::Exit(code),
    }
}

fn env(arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Step {
    let mut env: Vec<(Arc<str>, Arc<str>)> = ctx.proc().env.to_vec();
    let mut rest = arguments;
    while let Some(first) = rest.first() {
        match &**first {
            "-i" | "-" | "--ignore-environment" => env.clear(),
            "-u" => {
                if let Some(name) = rest.get(1) {
                    env.retain(|(own, _)| own != name);
                    rest = &rest[1..];
                }
            }
            "--" | "-S" => {}
            word => match word.split_once('=') {
                Some((name, value)) => {
                    env.retain(|(own, _)| &**own != name);
                    env.push((name.into(), value.into()));
                }
                None => break,
            },
        }
        rest = &rest[1..];
    }
    if rest.is_empty() {
        let lines: String = env.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        ctx.print(&lines);
        return Step::Exit(0);
    }
    ctx.proc().env = Arc::new(env);
    become_command(ctx, "env", rest)
}

/// Programs that run another one in their place after a change that has no effect here.
fn wrapper(name: &str, arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Step {
    let letters = match name {
        "nice" => "+n:",
        "ionice" => "+c:n:p:",
        "stdbuf" => "+i:o:e:",
        "chrt" => "+p:f:r:b",
        _ => "+cwf",
    };
    let options = match Options::parse(letters, &[], arguments) {
        Ok(options) => options,
        Err(message) => {
            ctx.complain(&format!("{name}: {message}"));
            return Step::Exit(1);
        }
    };
    if name == "nohup" {
        ctx.set_signal(Signal::HUP, false, true);
    }
    let skip = usize::from(matches!(name, "chrt" | "taskset")).min(options.operands.len());
    become_command(ctx, name, &options.operands[skip..])
}

fn watch(arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Step {
    let options = match Options::parse("+n:t", &[], arguments) {
        Ok(options) => options,
        Err(message) => {
            ctx.complain(&format!("watch: {message}"));
            return Step::Exit(1);
        }
    };
    let every = options
        .value('n')
        .and_then(duration)
        .unwrap_or(SimDuration::from_secs(2));
    let line: String = options.operands.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(" ");
    let command: Arc<[Arc<str>]> = ["sh", "-c", &line].into_iter().map(Arc::from).collect();
    let every = every.0.max(100_000_000);
    run(Applet::Waiter(Waiter::Watch {
        command,
        every: SimDuration(every),
        next: ctx.now(),
        child: None,
    }))
}

fn xargs(arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Step {
    match Options::parse(
        "+n:I:0rtL:P:d:s:x",
        &[
            ("null", '0'),
            ("no-run-if-empty", 'r'),
            ("max-args", 'n'),
            ("max-procs", 'P'),
            ("replace", 'I'),
        ],
        arguments,
    ) {
        Ok(options) => run(Applet::Waiter(Waiter::Xargs(Box::new(Xargs {
            input: Input::stdin(),
            text: Vec::new(),
            ended: false,
            batches: None,
            options,
            child: None,
            code: 0,
        })))),
        Err(message) => {
            ctx.complain(&format!("xargs: {message}"));
            Step::Exit(1)
        }
    }
}

/// `stress --vm N --vm-bytes B --vm-hang S --cpu N --timeout T`, as the Kubernetes tutorials use it.
fn stress(arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Step {
    let long = [
        ("vm", 'm'),
        ("vm-bytes", 'b'),
        ("vm-hang", 'h'),
        ("vm-keep", 'k'),
        ("cpu", 'c'),
        ("timeout", 't'),
        ("io", 'i'),
        ("hdd", 'd'),
        ("quiet", 'q'),
        ("verbose", 'v'),
    ];
    let options = match Options::parse("m:b:h:kc:t:i:d:qv", &long, arguments) {
        Ok(options) => options,
        Err(message) => {
            ctx.complain(&format!("stress: {message}"));
            return Step::Exit(1);
        }
    };
    let count = |letter: char| {
        options
            .value(letter)
            .and_then(|value| value.parse::<usize>().ok())
            .unwrap_or(0)
            .min(64)
    };
    let bytes = options.value('b').map_or(Some(256 << 20), size).unwrap_or(256 << 20);
    let until = options.value('t').and_then(duration).map(|span| ctx.now() + span);
    let hang = options.value('h').is_some() || options.has('k');
    let pid = ctx.pid;
    if !options.has('q') {
        let (cpu, io, vm, hdd) = (count('c'), count('i'), count('m'), count('d'));
        ctx.print(&format!(
            "stress: info: [{pid}] dispatching hogs: {cpu} cpu, {io} io, {vm} vm, {hdd} hdd\n"
        ));
    }
    let mut workers = Vec::new();
    let argv = Arc::clone(&ctx.proc().argv);
    for _ in 0..count('m') {
        let worker = Waiter::Eat {
            target: bytes,
            held: 0,
            hang: hang || until.is_none(),
        };
        workers.extend(ctx.spawn(
            Program::Applet(Box::new(Applet::Waiter(worker))),
            Arc::clone(&argv),
            &[],
        ));
    }
    for _ in 0..count('c') + count('i') + count('d') {
        let worker = Waiter::Burn { until };
        workers.extend(ctx.spawn(
            Program::Applet(Box::new(Applet::Waiter(worker))),
            Arc::clone(&argv),
            &[],
        ));
    }
    run(Applet::Waiter(Waiter::Stress {
        workers,
        until,
        since: ctx.now(),
    }))
}

/// A size with a unit: `250M`, `1G`, `512k`, `10MiB`.
pub(super) fn size(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text[digits.len()..]
        .trim_end_matches(['i', 'B'])
        .to_ascii_lowercase()
        .as_str()
    {
        "" | "c" => 1,
        "b" => 512,
        "w" => 2,
        "k" => 1 << 10,
        "m" => 1 << 20,
        "g" => 1 << 30,
        "t" => 1 << 40,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

impl Waiter {
    /// The open file that it holds.
    pub fn file(&self) -> Option<FileId> {
        match self {
            Self::Xargs(xargs) => xargs.input.file(),
            _ => None,
        }
    }

    /// Lets it run for a turn.
    pub fn step(&mut self, ctx: &mut Ctx<'_>) -> Step {
        match self {
            Self::Sleep { until } if ctx.now() >= *until => Step::Exit(0),
            Self::Sleep { until } => Step::Wait(Wait::Until(*until)),
            Self::Later { until, text, code } => {
                if ctx.now() < *until {
                    return Step::Wait(Wait::Until(*until));
                }
                let _ = ctx.write(1, text.as_bytes());
                Step::Exit(*code)
            }
            Self::Timeout {
                child,
                until,
                signal,
                kill_after,
                fired,
            } => {
                if let Some(status) = ctx.try_wait(*child) {
                    // busybox's is the program itself, which a helper kills; coreutils' tells of the time with 124.
                    if let Some(signal) = status.signal.filter(|_| *fired && ctx.is_busybox()) {
                        ctx.kernel.end(ctx.pid, Status::signalled(signal));
                        return Step::Yield;
                    }
                    let code = if *fired && status.signal != Some(Signal::KILL) {
                        124
                    } else {
                        status.code
                    };
                    return Step::Exit(code);
                }
                if let Some(own) = ctx.take_signal() {
                    ctx.kernel.signal(*child, own);
                    return Step::Yield;
                }
                if ctx.now() >= *until {
                    let send = if *fired { Signal::KILL } else { *signal };
                    *fired = true;
                    *until = kill_after.take().map_or(SimTime(u64::MAX), |span| ctx.now() + span);
                    ctx.kernel.signal(*child, send);
                    return Step::Yield;
                }
                let deadline = (until.0 != u64::MAX).then_some(*until);
                Step::Wait(Wait::Child(*child, deadline))
            }
            Self::Time { child, since } => match ctx.try_wait(*child) {
                None => Step::Wait(Wait::Child(*child, None)),
                Some(status) => {
                    let span = ctx.now().since(*since);
                    let seconds = span.as_secs();
                    let hundredths = span.0 % 1_000_000_000 / 10_000_000;
                    ctx.complain(&format!(
                        "real\t{}m {}.{hundredths:02}s\nuser\t0m 0.00s\nsys\t0m 0.00s",
                        seconds / 60,
                        seconds % 60
                    ));
                    Step::Exit(status.code)
                }
            },
            Self::Yes { line } => {
                let text = line.repeat((4096 / line.len().max(1)).max(1));
                match ctx.write(1, text.as_bytes()) {
                    Ok(()) => {
                        ctx.spend(64);
                        Step::Yield
                    }
                    Err(_) => Step::Exit(1),
                }
            }
            Self::Watch {
                command,
                every,
                next,
                child,
            } => {
                if let Some(pid) = child {
                    if ctx.try_wait(*pid).is_none() {
                        return Step::Wait(Wait::Child(*pid, None));
                    }
                    *child = None;
                    *next = ctx.now() + *every;
                }
                if ctx.now() < *next {
                    return Step::Wait(Wait::Until(*next));
                }
                let line = command.get(2).cloned().unwrap_or_default();
                ctx.print(&format!("Every {}s: {line}\n", every.as_secs_f64()));
                let command = Arc::clone(command);
                match spawn(ctx, &command) {
                    Ok(pid) => {
                        *child = Some(pid);
                        Step::Yield
                    }
                    Err(code) => Step::Exit(code),
                }
            }
            Self::Xargs(xargs) => xargs.step(ctx),
            Self::Eat { target, held, hang } => {
                if *held >= *target {
                    return if *hang {
                        Step::Wait(Wait::Signal)
                    } else {
                        // stress without --vm-hang frees and takes again for ever.
                        *held = 0;
                        ctx.set_memory(super::super::machine::APPLET_MEMORY);
                        Step::Wait(Wait::Until(ctx.now() + SimDuration::from_secs(1)))
                    };
                }
                *held = (*held + BITE).min(*target);
                let memory = super::super::machine::APPLET_MEMORY + *held;
                ctx.set_memory(memory);
                Step::Wait(Wait::Until(ctx.now() + BITE_TIME))
            }
            Self::Stress { workers, until, since } => {
                let pid = ctx.pid;
                for index in 0..workers.len() {
                    let Some(status) = ctx.try_wait(workers[index]) else {
                        continue;
                    };
                    let worker = workers.remove(index);
                    if status.code == 0 {
                        return Step::Yield;
                    }
                    let seconds = ctx.now().since(*since).as_secs();
                    if let Some(signal) = status.signal {
                        ctx.complain(&format!(
                            "stress: FAIL: [{pid}] (415) <-- worker {worker} got signal {}",
                            signal.0
                        ));
                    }
                    ctx.complain(&format!(
                        "stress: WARN: [{pid}] (417) now reaping child worker processes"
                    ));
                    for worker in workers.drain(..) {
                        ctx.kernel.signal(worker, Signal::KILL);
                    }
                    ctx.complain(&format!(
                        "stress: FAIL: [{pid}] (451) failed run completed in {seconds}s"
                    ));
                    return Step::Exit(1);
                }
                if workers.is_empty() || until.is_some_and(|until| until <= ctx.now()) {
                    for worker in workers.drain(..) {
                        ctx.kernel.signal(worker, Signal::KILL);
                    }
                    let seconds = ctx.now().since(*since).as_secs();
                    ctx.print(&format!(
                        "stress: info: [{pid}] successful run completed in {seconds}s\n"
                    ));
                    return Step::Exit(0);
                }
                match until {
                    Some(until) => Step::Wait(Wait::Child(workers[0], Some(*until))),
                    None => Step::Wait(Wait::AnyChild),
                }
            }
            // What a loop without effects does is known: it is not worth steps, only time.
            Self::Burn { until } => match until {
                Some(until) if ctx.now() >= *until => Step::Exit(0),
                Some(until) => Step::Wait(Wait::Until(*until)),
                None => Step::Wait(Wait::Signal),
            },
        }
    }
}

impl Xargs {
    fn step(&mut self, ctx: &mut Ctx<'_>) -> Step {
        if let Some(child) = self.child {
            match ctx.try_wait(child) {
                None => return Step::Wait(Wait::Child(child, None)),
                Some(status) => {
                    self.child = None;
                    match (status.signal, status.code) {
                        (_, 0) => {}
                        (Some(_), _) => return Step::Exit(125),
                        (_, 255) => {
                            ctx.complain("xargs: command: exited with status 255; aborting");
                            return Step::Exit(124);
                        }
                        (_, 126) => return Step::Exit(126),
                        (_, 127) => return Step::Exit(127),
                        _ => self.code = 123,
                    }
                }
            }
        }
        let batch = loop {
            if let Some(batch) = self.batches.as_mut().and_then(std::collections::VecDeque::pop_front) {
                break batch;
            }
            if self.ended {
                return Step::Exit(self.code);
            }
            // The command runs on what there is; the rest waits in the pipe.
            while !self.ended && self.text.len() < PORTION {
                match self.input.chunk(ctx) {
                    super::input::Piece::Data(data) => self.text.extend(data),
                    super::input::Piece::FileEnd(_) => {}
                    super::input::Piece::Wait(wait) => return Step::Wait(wait),
                    super::input::Piece::End => self.ended = true,
                }
            }
            let separates = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0;
            let cut = match self.text.iter().rposition(separates) {
                Some(at) if !self.ended => at + 1,
                _ => self.text.len(),
            };
            let rest = self.text.split_off(cut);
            let first = self.batches.is_none();
            let batches = self.batches();
            self.text = rest;
            // Only when nothing comes at all does the command run without words.
            let nothing = self.ended
                && !first
                && batches
                    .iter()
                    .all(|batch| batch.len() <= self.options.operands.len().max(1));
            self.batches = Some(if nothing { Default::default() } else { batches });
        };
        if self.options.has('t') {
            ctx.complain(&batch.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(" "));
        }
        match spawn(ctx, &batch) {
            Ok(child) => {
                self.child = Some(child);
                Step::Yield
            }
            Err(code) => Step::Exit(code),
        }
    }

    /// The command lines that the input asks for.
    fn batches(&self) -> std::collections::VecDeque<Vec<Arc<str>>> {
        let text = String::from_utf8_lossy(&self.text).into_owned();
        let command: Vec<Arc<str>> = if self.options.operands.is_empty() {
            vec!["echo".into()]
        } else {
            self.options.operands.clone()
        };
        let delimiter = if self.options.has('0') {
            Some('\0')
        } else {
            self.options.value('d').and_then(|value| {
                if value == "\\n" {
                    Some('\n')
                } else {
                    value.chars().next()
                }
            })
        };
        if let Some(mark) = self.options.value('I') {
            let delimiter = delimiter.unwrap_or('\n');
            let items = text
                .split(delimiter)
                .map(str::trim_start)
                .filter(|item| !item.is_empty());
            return items
                .map(|item| command.iter().map(|word| word.replace(mark, item).into()).collect())
                .collect();
        }
        let items: Vec<Arc<str>> = match delimiter {
            Some(delimiter) => text
                .split(delimiter)
                .filter(|item| !item.is_empty())
                .map(Arc::from)
                .collect(),
            None => words(&text),
        };
        if items.is_empty() {
            return if self.options.has('r') {
                std::collections::VecDeque::new()
            } else {
                [command].into()
            };
        }
        if let Some(lines) = self
            .options
            .value('L')
            .and_then(|value| value.parse::<usize>().ok())
            .filter(|lines| *lines > 0)
        {
            let lines_of_words: Vec<Vec<Arc<str>>> =
                text.lines().map(words).filter(|words| !words.is_empty()).collect();
            let batches = lines_of_words.chunks(lines);
            return batches
                .map(|batch| command.iter().cloned().chain(batch.iter().flatten().cloned()).collect())
                .collect();
        }
        let most = self
            .options
            .value('n')
            .and_then(|value| value.parse::<usize>().ok())
            .unwrap_or(5000)
            .max(1);
        items
            .chunks(most)
            .map(|batch| command.iter().cloned().chain(batch.iter().cloned()).collect())
            .collect()
    }
}

/// Words with quotes and backslashes, as xargs reads them.
fn words(text: &str) -> Vec<Arc<str>> {
    let mut words: Vec<Arc<str>> = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            c if c.is_whitespace() => words.extend(word.take().map(Arc::from)),
            '\'' | '"' => {
                let word = word.get_or_insert_default();
                word.extend(chars.by_ref().take_while(|inner| *inner != c));
            }
            '\\' => word.get_or_insert_default().extend(chars.next()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word.map(Arc::from));
    words
}
