//! A shell at work: it takes the steps of its code until it waits, its turn is over, or it ends. What it waits for is part
//! of its state, so that it can be copied and resumed at any instant.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::builtins::Limits;
use super::code::{self, Code, Op};
use super::expand::{Builder, MAX_FIELDS};
use super::options::Options;
use super::program::Program;
use super::redirect::{Redirection, Saved};
use super::waiting::Waiting;
use crate::runtime::kernel::{FileId, Pid, State, Status};
use crate::runtime::process::Signal;
use crate::runtime::syscalls::{Ctx, Read, Step};

/// Calls, evals and traps within one another.
pub(super) const MAX_FRAMES: usize = 10_000;

/// Memory that a shell and an applet are said to take.
pub(crate) const SHELL_MEMORY: u64 = 900 * 1024;
pub(crate) const APPLET_MEMORY: u64 = 600 * 1024;

/// Bytes of variables from which on memory is counted, and that they may hold.
pub(super) const LARGE: usize = 64 << 10;
const MAX_HELD: usize = 256 << 20;

/// Bytes of a script that comes on standard input: a device may have no end.
const MAX_SCRIPT: usize = 4 << 20;

/// A shell variable.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Variable {
    pub value: Option<Arc<str>>,
    pub exported: bool,
    pub readonly: bool,
}

/// A piece of code under way.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub code: Arc<Code>,
    pub at: usize,
    pub kind: FrameKind,
    pub heights: Heights,
}

#[derive(Clone, Debug)]
pub(super) enum FrameKind {
    /// The whole script, or what a subshell runs.
    Main,
    /// A function: the caller's parameters and the values of its local variables.
    Function {
        positional: Arc<[Arc<str>]>,
        locals: Vec<(Arc<str>, Option<Variable>)>,
        redirects: Vec<Saved>,
    },
    /// `eval`
    Eval,
    /// `.`: the caller's parameters, if it was given its own.
    Source { positional: Option<Arc<[Arc<str>]>> },
    /// A trap: the status to go on with.
    Trap { status: i32 },
    /// The trap at the end: the status to end with.
    ExitTrap { status: i32 },
}

/// How much was on the stacks at a point to which control may jump back.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Heights {
    builders: usize,
    commands: usize,
    loops: usize,
    fors: usize,
    subjects: usize,
    redirects: usize,
    ignore_errors: u32,
}

#[derive(Clone, Debug)]
pub(super) struct Loop {
    frame: usize,
    heights: Heights,
    end: usize,
    next: usize,
    status: i32,
}

/// A command under way.
#[derive(Clone, Debug, Default)]
pub(super) struct Pending {
    pub arguments: Vec<Arc<str>>,
    pub assigns: Vec<(Arc<str>, Arc<str>)>,
    pub redirects: Vec<Redirection>,
    /// Descriptors that lead to commands behind a file's name; closed after it.
    pub opened: Vec<u32>,
}

/// A background job.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub number: u32,
    pub pid: Pid,
    pub status: Option<i32>,
    /// Whether `wait` has told of its end: it is forgotten when the next process starts.
    pub waited: bool,
}

/// A shell.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pub(super) frames: Vec<Frame>,
    pub(super) builders: Vec<Builder>,
    pub(super) commands: Vec<Pending>,
    pub(super) loops: Vec<Loop>,
    pub(super) fors: Vec<(Arc<[Arc<str>]>, usize)>,
    pub(super) subjects: Vec<Arc<str>>,
    pub(super) redirects: Vec<Vec<Saved>>,
    pub(super) ignore_errors: u32,
    pub(super) variables: Arc<BTreeMap<Arc<str>, Variable>>,
    pub(super) functions: Arc<BTreeMap<Arc<str>, Arc<Code>>>,
    pub(super) traps: Arc<BTreeMap<u8, Arc<str>>>,
    pub(super) positional: Arc<[Arc<str>]>,
    pub(super) name: Arc<str>,
    pub(super) options: Options,
    pub(super) status: i32,
    /// The status of the last command substitution of the command under way.
    pub(super) substituted: Option<i32>,
    pub(super) line: u32,
    pub(super) jobs: Vec<Job>,
    pub(super) last_background: Option<Pid>,
    pub(super) waiting: Waiting,
    /// `$$`: that of the main shell, also in subshells.
    pub(super) shell_pid: Pid,
    /// Whether the `EXIT` trap has had its turn.
    pub(super) exit_trapped: bool,
    pub(super) finished: Option<i32>,
    /// Standard input from which the script is still to be read.
    pub(super) script: Option<Vec<u8>>,
    /// Where `getopts` is within an argument.
    pub(super) getopts_at: usize,
    pub(super) aliases: Arc<BTreeMap<Arc<str>, Arc<str>>>,
    pub(super) limits: Limits,
    /// Whether a variable is so large that memory has to be counted.
    pub(super) large: bool,
    /// Whether the script is a file: its lines are then in its messages.
    pub(super) from_file: bool,
}

impl Machine {
    /// A shell that runs this code; `arguments` are `$0` and the positional parameters.
    pub fn new(ctx: &mut Ctx<'_>, code: Arc<Code>, arguments: Vec<Arc<str>>) -> Self {
        let mut variables = BTreeMap::new();
        let exported = |value: &str| Variable {
            value: Some(value.into()),
            exported: true,
            readonly: false,
        };
        let plain = |value: &str| Variable {
            value: Some(value.into()),
            exported: false,
            readonly: false,
        };
        let env = Arc::clone(&ctx.proc().env);
        for (name, value) in env.iter().filter(|(name, _)| is_name(name)) {
            variables.insert(Arc::clone(name), exported(value));
        }
        let directory = ctx.directory();
        variables.insert("PWD".into(), exported(&directory));
        variables.insert("IFS".into(), plain(" \t\n"));
        variables.insert("OPTIND".into(), plain("1"));
        variables.insert("PS1".into(), plain("# "));
        variables.insert("PS2".into(), plain("> "));
        variables.insert("PS4".into(), plain("+ "));
        let parent = ctx.proc().parent.to_string();
        variables.insert("PPID".into(), plain(&parent));
        let mut arguments = arguments.into_iter();
        let name = arguments.next().unwrap_or_else(|| "sh".into());
        let pid = ctx.pid;
        ctx.proc().handled = 0;
        ctx.set_memory(SHELL_MEMORY);
        Self {
            frames: vec![Frame {
                code,
                at: 0,
                kind: FrameKind::Main,
                heights: Heights::default(),
            }],
            builders: Vec::new(),
            commands: Vec::new(),
            loops: Vec::new(),
            fors: Vec::new(),
            subjects: Vec::new(),
            redirects: Vec::new(),
            ignore_errors: 0,
            variables: Arc::new(variables),
            functions: Arc::default(),
            traps: Arc::default(),
            positional: arguments.collect(),
            name,
            options: Options::default(),
            status: 0,
            substituted: None,
            line: 1,
            jobs: Vec::new(),
            last_background: None,
            waiting: Waiting::Nothing,
            shell_pid: pid,
            exit_trapped: false,
            finished: None,
            script: None,
            getopts_at: 0,
            aliases: Arc::default(),
            limits: Limits::default(),
            large: false,
            from_file: false,
        }
    }

    /// The shell that its process's arguments ask for: `sh [-options] [-c script [name]] [file] [arguments]`.
    pub fn from_arguments(ctx: &mut Ctx<'_>) -> Result<Self, i32> {
        let argv = Arc::clone(&ctx.proc().argv);
        let shell: Arc<str> = argv.first().cloned().unwrap_or_else(|| "sh".into());
        let mut rest = argv.iter().skip(1).cloned().peekable();
        let mut options = Options::default();
        let mut command = false;
        let mut from_input = false;
        while let Some(argument) = rest.peek() {
            let flags = argument.strip_prefix(['-', '+']).filter(|flags| !flags.is_empty());
            if &**argument == "-" || &**argument == "--" {
                rest.next();
                break;
            }
            let Some(flags) = flags else { break };
            let on = argument.starts_with('-');
            let flags = flags.to_owned();
            rest.next();
            for flag in flags.chars() {
                match flag {
                    'c' => command = true,
                    's' => from_input = true,
                    'i' | 'l' => {}
                    'o' => {
                        let name = rest.next().unwrap_or_default();
                        if !options.set_named(&name, on) {
                            ctx.complain(&format!("sh: illegal option -o {name}"));
                            return Err(2);
                        }
                    }
                    flag if options.set(flag, on) => {}
                    flag => {
                        ctx.complain(&format!("sh: illegal option -{flag}"));
                        return Err(2);
                    }
                }
            }
        }
        let mut machine = if command {
            let Some(script) = rest.next() else {
                ctx.complain("sh: -c requires an argument");
                return Err(2);
            };
            let mut arguments: Vec<Arc<str>> = rest.collect();
            if arguments.is_empty() {
                arguments.push(shell);
            }
            Self::new(ctx, code::compiled(&script), arguments)
        } else if let Some(path) = rest.peek().cloned().filter(|_| !from_input) {
            match ctx.slurp(&path) {
                Ok(text) => {
                    let code = code::compiled(&String::from_utf8_lossy(&text));
                    let mut machine = Self::new(ctx, code, rest.collect());
                    machine.from_file = true;
                    machine
                }
                Err(_) => {
                    ctx.complain(&format!("{shell}: can't open '{path}': No such file or directory"));
                    return Err(2);
                }
            }
        } else {
            let mut machine = Self::new(ctx, Arc::default(), std::iter::once(shell).chain(rest).collect());
            machine.script = Some(Vec::new());
            machine
        };
        machine.options = options;
        Ok(machine)
    }

    /// A copy that runs other code in a process of its own.
    fn subshell(&mut self, code: &Arc<Code>) -> Self {
        // The frames are this shell's own: they are not copied to be thrown away.
        let frames = std::mem::take(&mut self.frames);
        let mut copy = self.clone();
        self.frames = frames;
        copy.frames = vec![Frame {
            code: Arc::clone(code),
            at: 0,
            kind: FrameKind::Main,
            heights: Heights::default(),
        }];
        copy.builders.clear();
        copy.commands.clear();
        copy.loops.clear();
        copy.fors.clear();
        copy.subjects.clear();
        copy.redirects.clear();
        copy.jobs.clear();
        copy.waiting = Waiting::Nothing;
        if copy.traps.values().any(|action| !action.is_empty()) {
            Arc::make_mut(&mut copy.traps).retain(|_, action| action.is_empty());
        }
        copy.exit_trapped = false;
        copy.large = false;
        copy
    }

    /// Runs code in a subshell.
    pub(super) fn fork(&mut self, ctx: &mut Ctx<'_>, code: &Arc<Code>, fds: &[(u32, u32)]) -> Option<Pid> {
        let argv = Arc::clone(&ctx.proc().argv);
        self.jobs.retain(|job| !job.waited);
        let copy = self.subshell(code);
        let pid = ctx.spawn(Program::Shell(Box::new(copy)), argv, fds);
        // What a subshell has in common with its shell takes no memory a second time.
        if let Some(child) = pid.and_then(|pid| ctx.kernel.procs.get_mut(&pid)) {
            child.memory = SHELL_MEMORY;
        }
        if pid.is_none() {
            self.fatal(ctx, "can't fork: Resource temporarily unavailable");
        }
        pid
    }

    /// Open files that it holds: what descriptors led to before redirections, and the output that it collects.
    pub(super) fn files(&self, files: &mut Vec<FileId>) {
        let frames = self.frames.iter().filter_map(|frame| match &frame.kind {
            FrameKind::Function { redirects, .. } => Some(redirects),
            _ => None,
        });
        let mut waiting = &self.waiting;
        if let Waiting::Restoring {
            waiting: inner,
            redirects,
            ..
        } = waiting
        {
            files.extend(redirects.iter().filter_map(Saved::file));
            waiting = inner;
        }
        if let Waiting::Substitution { file: Some(file), .. } = waiting {
            files.push(*file);
        }
        files.extend(frames.chain(&self.redirects).flatten().filter_map(Saved::file));
    }

    /// Goes on until it waits, its turn is over, or it ends.
    pub fn step(&mut self, ctx: &mut Ctx<'_>) -> Step {
        loop {
            if let Some(code) = self.finished {
                return Step::Exit(code);
            }
            if self.script.is_some() {
                match self.read_script(ctx) {
                    Some(step) => return step,
                    None => continue,
                }
            }
            if !matches!(self.waiting, Waiting::Nothing) {
                if let Some(wait) = self.resume(ctx) {
                    return Step::Wait(wait);
                }
                if !ctx.proc().out.is_empty() || matches!(ctx.proc().state, State::Zombie(_)) {
                    return Step::Yield;
                }
                continue;
            }
            if ctx.steps == 0 {
                return Step::Yield;
            }
            ctx.steps -= 1;
            let Some(frame) = self.frames.last_mut() else {
                self.finished = Some(self.status);
                continue;
            };
            let at = frame.at;
            if at >= frame.code.ops.len() {
                if !ctx.proc().pending.is_empty() && self.frames.len() == 1 {
                    self.take_traps(ctx);
                    if self.frames.len() > 1 {
                        continue;
                    }
                }
                self.leave_frame(ctx);
                continue;
            }
            if self.options.noexec {
                // Nothing runs any more; an error in what is left is still found.
                match frame.code.ops.last() {
                    Some(Op::SyntaxError(_)) => frame.at = frame.code.ops.len() - 1,
                    _ => {
                        self.finished = Some(self.status);
                        continue;
                    }
                }
                self.options.noexec = false;
                continue;
            }
            frame.at += 1;
            let code = Arc::clone(&frame.code);
            match self.execute(ctx, &code.ops[at]) {
                Flow::Next => {}
                Flow::Yield => return Step::Yield,
                Flow::Replace(program) => return Step::Replace(program),
            }
        }
    }

    /// Reads the script from standard input, all of it.
    fn read_script(&mut self, ctx: &mut Ctx<'_>) -> Option<Step> {
        match ctx.read(0, 1 << 20) {
            Ok(Read::Wait(wait)) => return Some(Step::Wait(wait)),
            Ok(Read::Data(data)) => {
                let script = self.script.get_or_insert_default();
                script.extend(data);
                if script.len() <= MAX_SCRIPT {
                    return (ctx.steps == 0).then_some(Step::Yield);
                }
                ctx.notice(&format!(
                    "not simulated: what a script on standard input has beyond {MAX_SCRIPT} bytes"
                ));
            }
            Ok(Read::End) | Err(_) => {}
        }
        let text = self.script.take().unwrap_or_default();
        if let Some(frame) = self.frames.first_mut() {
            // Zero bytes are not read, as in dash and ash.
            let text = String::from_utf8_lossy(&text).replace('\0', "");
            frame.code = code::inner(&text, false);
        }
        None
    }

    pub(super) fn heights(&self) -> Heights {
        Heights {
            builders: self.builders.len(),
            commands: self.commands.len(),
            loops: self.loops.len(),
            fors: self.fors.len(),
            subjects: self.subjects.len(),
            redirects: self.redirects.len(),
            ignore_errors: self.ignore_errors,
        }
    }

    /// Takes from the stacks what was put there since.
    fn unwind(&mut self, ctx: &mut Ctx<'_>, heights: Heights) {
        self.builders.truncate(heights.builders);
        self.commands.truncate(heights.commands);
        self.loops.truncate(heights.loops);
        self.fors.truncate(heights.fors);
        self.subjects.truncate(heights.subjects);
        while self.redirects.len() > heights.redirects {
            if let Some(saved) = self.redirects.pop() {
                super::redirect::restore(ctx, saved);
            }
        }
        self.ignore_errors = heights.ignore_errors;
    }

    /// Begins a piece of code on top of the present one.
    pub(super) fn enter(&mut self, ctx: &mut Ctx<'_>, code: Arc<Code>, kind: FrameKind) {
        if self.frames.len() >= MAX_FRAMES {
            // The real shell's stack would be used up: the kernel ends it.
            self.complain(
                ctx,
                &format!("calls within one another deeper than {MAX_FRAMES} levels"),
            );
            self.finished = Some(139);
            ctx.kernel.end(ctx.pid, Status::signalled(Signal::SEGV));
            return;
        }
        let heights = self.heights();
        self.frames.push(Frame {
            code,
            at: 0,
            kind,
            heights,
        });
    }

    /// Ends the piece of code on top.
    pub(super) fn leave_frame(&mut self, ctx: &mut Ctx<'_>) {
        let Some(frame) = self.frames.pop() else { return };
        self.unwind(ctx, frame.heights);
        match frame.kind {
            FrameKind::Main => {
                let status = self.status;
                self.exit(ctx, status);
            }
            FrameKind::Function {
                positional,
                locals,
                redirects,
            } => {
                self.positional = positional;
                for (name, old) in locals.into_iter().rev() {
                    let variables = Arc::make_mut(&mut self.variables);
                    match old {
                        Some(old) => variables.insert(name, old),
                        None => variables.remove(&name),
                    };
                }
                super::redirect::restore(ctx, redirects);
            }
            FrameKind::Eval => {}
            FrameKind::Source { positional } => {
                if let Some(positional) = positional {
                    self.positional = positional;
                }
            }
            FrameKind::Trap { status } => self.status = status,
            FrameKind::ExitTrap { status } => self.finished = Some(status),
        }
    }

    /// Ends the shell, after its `EXIT` trap.
    pub(super) fn exit(&mut self, ctx: &mut Ctx<'_>, status: i32) {
        let status = status & 0xff;
        self.status = status;
        self.unwind(ctx, Heights::default());
        self.frames.clear();
        match self.traps.get(&0).cloned() {
            Some(action) if !self.exit_trapped && !action.is_empty() => {
                self.exit_trapped = true;
                let code = code::inner(&action, !self.aliases.is_empty());
                self.enter(ctx, code, FrameKind::ExitTrap { status });
            }
            _ => self.finished = Some(status),
        }
    }

    /// An error that ends a shell which nobody types into.
    pub(super) fn fatal(&mut self, ctx: &mut Ctx<'_>, message: &str) {
        self.complain(ctx, message);
        self.exit(ctx, 2);
    }

    pub(super) fn complain(&self, ctx: &mut Ctx<'_>, message: &str) {
        if self.from_file && !message.starts_with("line ") {
            ctx.complain(&format!("{}: line {}: {message}", self.name, self.line));
        } else {
            ctx.complain(&format!("{}: {message}", self.name));
        }
    }

    /// Begins the trap of a signal that came.
    fn take_traps(&mut self, ctx: &mut Ctx<'_>) {
        while let Some(signal) = ctx.take_signal() {
            if let Some(action) = self.traps.get(&signal.0).cloned()
                && !action.is_empty()
            {
                let code = code::inner(&action, !self.aliases.is_empty());
                let status = self.status;
                self.enter(ctx, code, FrameKind::Trap { status });
                return;
            }
        }
    }

    /// `break` and `continue` of so many loops.
    pub(super) fn leave_loops(&mut self, ctx: &mut Ctx<'_>, count: usize, again: bool) {
        // Loops outside of the function that runs are not this function's.
        let floor = self
            .frames
            .iter()
            .rev()
            .find(|frame| matches!(frame.kind, FrameKind::Function { .. } | FrameKind::Main));
        let floor = floor.map_or(0, |frame| frame.heights.loops);
        let open = self.loops.len() - floor.min(self.loops.len());
        if open == 0 {
            return;
        }
        let index = self.loops.len() - count.clamp(1, open);
        let Some(target) = self.loops.get(index).cloned() else {
            return;
        };
        while self.frames.len() > target.frame {
            let status = self.status;
            self.leave_frame(ctx);
            self.status = status;
        }
        self.unwind(ctx, target.heights);
        if again {
            self.loops.push(Loop {
                status: 0,
                ..target.clone()
            });
        }
        if let Some(frame) = self.frames.last_mut() {
            frame.at = if again { target.next } else { target.end };
        }
    }

    /// `return`: false outside of functions and sourced files.
    pub(super) fn leave_function(&mut self, ctx: &mut Ctx<'_>, status: i32) -> bool {
        let inside = |frame: &Frame| matches!(frame.kind, FrameKind::Function { .. } | FrameKind::Source { .. });
        let Some(index) = self.frames.iter().rposition(inside) else {
            return false;
        };
        while self.frames.len() > index {
            self.leave_frame(ctx);
        }
        self.status = status;
        true
    }

    /// Lets the process take the memory that its variables need.
    fn count_memory(&mut self, ctx: &mut Ctx<'_>) {
        let values = self.variables.values().filter_map(|variable| variable.value.as_ref());
        let held: usize = values.map(|value| value.len()).sum();
        self.large = held > LARGE;
        ctx.track_memory(SHELL_MEMORY + held as u64);
        if held > MAX_HELD {
            self.fatal(ctx, &format!("variables hold more than {MAX_HELD} bytes"));
        }
    }

    /// The word that was begun last; one that is too long ends the script.
    pub(super) fn take_word(&mut self, ctx: &mut Ctx<'_>) -> Builder {
        let word = self.builders.pop().unwrap_or_default();
        if word.is_too_long() {
            let bytes = super::expand::MAX_WORD;
            self.fatal(ctx, &format!("a word has more than {bytes} bytes"));
        }
        word
    }

    fn execute(&mut self, ctx: &mut Ctx<'_>, op: &Op) -> Flow {
        match op {
            Op::Line(line) => {
                self.line = *line;
                if self.large {
                    self.count_memory(ctx);
                }
                if !ctx.proc().pending.is_empty() {
                    self.take_traps(ctx);
                }
            }
            Op::Jump(target) => self.jump(*target),
            Op::JumpIfOk(target) if self.status == 0 => self.jump(*target),
            Op::JumpIfFailed(target) if self.status != 0 => self.jump(*target),
            Op::JumpIfOk(_) | Op::JumpIfFailed(_) => {}
            Op::Status(status) => self.status = *status,
            Op::Negate => self.status = i32::from(self.status == 0),
            Op::IgnoreErrors => self.ignore_errors += 1,
            Op::HeedErrors => self.ignore_errors = self.ignore_errors.saturating_sub(1),
            Op::CheckErrors => {
                if self.status != 0 && self.options.errexit && self.ignore_errors == 0 {
                    let status = self.status;
                    self.exit(ctx, status);
                }
            }
            Op::SyntaxError(error) => {
                let text = if self.from_file {
                    error.to_string()
                } else {
                    format!("syntax error: {}", error.message)
                };
                self.fatal(ctx, &text);
            }
            Op::Command => {
                self.substituted = None;
                self.commands.push(Pending::default());
            }
            Op::Argument(text) => {
                if let Some(command) = self.commands.last_mut() {
                    command.arguments.push(Arc::clone(text));
                }
            }
            Op::EndRedirect { fd, kind } => {
                let text = self.take_word(ctx).text();
                if let Some(command) = self.commands.last_mut() {
                    command.redirects.push(Redirection {
                        fd: *fd,
                        kind: *kind,
                        text,
                    });
                }
            }
            Op::EndAssign(name) => {
                let text = self.take_word(ctx).text();
                if let Some(command) = self.commands.last_mut() {
                    command.assigns.push((Arc::clone(name), text));
                }
            }
            Op::EndFields => {
                let builder = self.take_word(ctx);
                let mut fields = self
                    .commands
                    .last_mut()
                    .map(|command| std::mem::take(&mut command.arguments))
                    .unwrap_or_default();
                let ifs = self.ifs();
                builder.fields(ctx, &ifs, !self.options.noglob, &mut fields);
                if fields.len() > MAX_FIELDS {
                    fields.clear();
                    self.fatal(ctx, &format!("a command has more than {MAX_FIELDS} words"));
                }
                if let Some(command) = self.commands.last_mut() {
                    command.arguments = fields;
                }
            }
            Op::Call { last } => return self.call(ctx, *last),
            Op::OpenRedirects(target) => {
                let command = self.commands.pop().unwrap_or_default();
                match super::redirect::open_for(self, ctx, &command) {
                    Ok(saved) => self.redirects.push(saved),
                    Err(message) => {
                        self.complain(ctx, &message);
                        self.status = 1;
                        self.jump(*target);
                    }
                }
            }
            Op::CloseRedirects => {
                if let Some(saved) = self.redirects.pop() {
                    super::redirect::restore(ctx, saved);
                }
            }
            Op::Pipe(codes) => self.pipe(ctx, codes),
            Op::Subshell(code) => {
                if let Some(pid) = self.fork(ctx, code, &[]) {
                    self.waiting = Waiting::Children {
                        pids: vec![pid],
                        statuses: Vec::new(),
                    };
                }
            }
            Op::Background(code) => self.background(ctx, code),
            Op::Define { name, code } => {
                Arc::make_mut(&mut self.functions).insert(Arc::clone(name), Arc::clone(code));
            }
            Op::EnterLoop { end, next } => {
                let heights = self.heights();
                self.loops.push(Loop {
                    frame: self.frames.len(),
                    heights,
                    end: *end,
                    next: *next,
                    status: 0,
                });
            }
            Op::LeaveLoop => {
                self.loops.pop();
            }
            Op::LoopStatus => {
                if let Some(innermost) = self.loops.last_mut() {
                    innermost.status = self.status;
                }
            }
            Op::LoopEnd => self.status = self.loops.last().map_or(0, |innermost| innermost.status),
            Op::ForItems { all } => {
                let command = self.commands.pop().unwrap_or_default();
                for &fd in &command.opened {
                    ctx.close(fd);
                }
                let items = if *all {
                    Arc::clone(&self.positional)
                } else {
                    command.arguments.into()
                };
                self.fors.push((items, 0));
            }
            Op::ForNext { name, end } => {
                let item = self.fors.last_mut().and_then(|(items, at)| {
                    *at += 1;
                    items.get(*at - 1).cloned()
                });
                match item {
                    Some(item) => {
                        if let Err(message) = self.assign(name, item) {
                            self.fatal(ctx, &message);
                        }
                    }
                    None => self.jump(*end),
                }
            }
            Op::ForEnd => {
                self.fors.pop();
            }
            Op::CaseSubject => {
                let text = self.take_word(ctx).text();
                self.subjects.push(text);
            }
            Op::CaseMatch(target) => {
                let pattern = self.take_word(ctx).pattern();
                if self.subjects.last().is_some_and(|subject| pattern.matches(subject)) {
                    self.jump(*target);
                }
            }
            Op::CaseEnd => {
                self.subjects.pop();
            }
            Op::More { text, at, line } => {
                ctx.spend(4);
                let next = super::alias::next(text, *at, *line, &self.aliases);
                if let Some(frame) = self.frames.last_mut() {
                    frame.code = Arc::new(next);
                    frame.at = 0;
                }
            }
            word => self.word(ctx, word),
        }
        Flow::Next
    }

    pub(super) fn jump(&mut self, target: usize) {
        if let Some(frame) = self.frames.last_mut() {
            frame.at = target;
        }
    }
}

/// Where control goes after a step.
pub(super) enum Flow {
    Next,
    /// Something has to be written out, or the process is gone.
    Yield,
    Replace(Box<Program>),
}

/// Whether a text can be a variable's name.
pub(crate) fn is_name(text: &str) -> bool {
    text.bytes()
        .enumerate()
        .all(|(index, byte)| byte == b'_' || byte.is_ascii_alphabetic() || index > 0 && byte.is_ascii_digit())
        && !text.is_empty()
}
