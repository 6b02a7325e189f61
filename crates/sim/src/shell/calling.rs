//! Running commands: builtins, functions, programs, pipes, background jobs.

use std::sync::Arc;

use super::builtins::{self, Outcome};
use super::code::Code;
use super::machine::{APPLET_MEMORY, Flow, FrameKind, Job, Machine, Pending, Variable};
use super::program::Program;
use super::redirect::Saved;
use super::waiting::Waiting;
use crate::runtime::kernel::State;
use crate::runtime::process::Signal;
use crate::runtime::syscalls::{Ctx, Open};

/// What `execve` takes: of all arguments and the environment together (a quarter of the stack), and of one argument.
const MAX_ARGUMENTS: usize = 2 << 20;
const MAX_ARGUMENT: usize = 128 << 10;

impl Machine {
    pub(super) fn pipe(&mut self, ctx: &mut Ctx<'_>, codes: &[Arc<Code>]) {
        let mut pids = Vec::new();
        let mut input: Option<u32> = None;
        for (index, code) in codes.iter().enumerate() {
            let mut fds = Vec::new();
            if let Some(input) = input {
                fds.push((0, input));
            }
            let mut next = None;
            let mut writer = None;
            if index + 1 < codes.len() {
                let (read, write) = ctx.pipe();
                // Held until both sides have their processes.
                ctx.kernel.retain(read);
                ctx.kernel.retain(write);
                fds.push((1, write));
                next = Some(read);
                writer = Some(write);
            }
            let pid = self.fork(ctx, code, &fds);
            for file in [writer, input.take()].into_iter().flatten() {
                ctx.kernel.release(file);
            }
            input = next;
            match pid {
                Some(pid) => pids.push(pid),
                None => break,
            }
        }
        if let Some(input) = input {
            ctx.kernel.release(input);
        }
        if self.finished.is_none() {
            self.waiting = Waiting::Children {
                pids,
                statuses: Vec::new(),
            };
        }
    }

    pub(super) fn background(&mut self, ctx: &mut Ctx<'_>, code: &Arc<Code>) {
        let null = ctx.open("/dev/null", Open::READ).ok();
        let fds: Vec<(u32, u32)> = null.map(|file| (0, file)).into_iter().collect();
        let Some(pid) = self.fork(ctx, code, &fds) else { return };
        if let Some(child) = ctx.kernel.procs.get_mut(&pid) {
            // Without job control, what runs in the background is not for the keyboard.
            child.ignored |= 1 << Signal::INT.0 | 1 << Signal::QUIT.0;
        }
        let number = self.jobs.iter().map(|job| job.number).max().unwrap_or(0) + 1;
        self.jobs.push(Job {
            number,
            pid,
            status: None,
            waited: false,
        });
        self.last_background = Some(pid);
        self.status = 0;
    }

    /// Runs the command that was put together.
    pub(super) fn call(&mut self, ctx: &mut Ctx<'_>, last: bool) -> Flow {
        let mut command = self.commands.pop().unwrap_or_default();
        if self.options.xtrace && !(command.arguments.is_empty() && command.assigns.is_empty()) {
            self.trace(ctx, &command);
        }
        let Some(name) = command.arguments.first().cloned() else {
            self.status = self.substituted.take().unwrap_or(0);
            for (name, value) in std::mem::take(&mut command.assigns) {
                if let Err(message) = self.assign(&name, value) {
                    self.fatal(ctx, &message);
                    return Flow::Next;
                }
            }
            match super::redirect::open_for(self, ctx, &command) {
                Ok(saved) => super::redirect::restore(ctx, saved),
                Err(message) => {
                    self.complain(ctx, &message);
                    self.status = 1;
                }
            }
            return Flow::Next;
        };
        let special = builtins::is_special(&name);
        let saved = match super::redirect::open_for(self, ctx, &command) {
            Ok(saved) => saved,
            Err(message) => {
                self.complain(ctx, &message);
                self.status = 1;
                if special {
                    self.exit(ctx, 1);
                }
                return Flow::Next;
            }
        };
        if special {
            for (name, value) in std::mem::take(&mut command.assigns) {
                if let Err(message) = self.assign(&name, value) {
                    super::redirect::restore(ctx, saved);
                    self.fatal(ctx, &message);
                    return Flow::Next;
                }
            }
            return self.builtin(ctx, &name, command, saved);
        }
        if let Some(code) = self.functions.get(&name).cloned() {
            self.call_function(ctx, code, command, saved);
            return Flow::Next;
        }
        if builtins::is_builtin(&name) {
            return self.builtin(ctx, &name, command, saved);
        }
        self.external(ctx, &name, command, saved, last)
    }

    pub(super) fn call_function(
        &mut self,
        ctx: &mut Ctx<'_>,
        code: Arc<Code>,
        command: Pending,
        redirects: Vec<Saved>,
    ) {
        let parameters: Arc<[Arc<str>]> = command.arguments.into_iter().skip(1).collect();
        let mut locals = Vec::new();
        for (name, value) in command.assigns {
            locals.push((Arc::clone(&name), self.variables.get(&name).cloned()));
            if let Err(message) = self.assign(&name, value) {
                super::redirect::restore(ctx, redirects);
                self.fatal(ctx, &message);
                return;
            }
            if let Some(variable) = Arc::make_mut(&mut self.variables).get_mut(&name) {
                variable.exported = true;
            }
        }
        let positional = std::mem::replace(&mut self.positional, parameters);
        self.enter(
            ctx,
            code,
            FrameKind::Function {
                positional,
                locals,
                redirects,
            },
        );
    }

    pub(super) fn builtin(&mut self, ctx: &mut Ctx<'_>, name: &str, command: Pending, saved: Vec<Saved>) -> Flow {
        // Assignments before a builtin hold for its time: `IFS=: read a b`.
        let mut old = Vec::new();
        for (name, value) in command.assigns {
            old.push((Arc::clone(&name), self.variables.get(&name).cloned()));
            if let Err(message) = self.assign(&name, value) {
                super::redirect::restore(ctx, saved);
                self.fatal(ctx, &message);
                return Flow::Next;
            }
        }
        let outcome = builtins::run(self, ctx, name, &command.arguments);
        let mut keep = false;
        let mut flow = Flow::Next;
        match outcome {
            Outcome::Status(status) => self.status = status,
            Outcome::Moved => {}
            Outcome::Waits(waiting) => self.waiting = *waiting,
            Outcome::KeepRedirects => {
                keep = true;
                self.status = 0;
            }
            Outcome::Execute(program) => {
                keep = true;
                flow = Flow::Replace(program);
            }
        }
        let waits = !matches!(self.waiting, Waiting::Nothing);
        if keep {
            super::redirect::forget(ctx, saved);
        } else if waits && (!saved.is_empty() || !old.is_empty()) {
            let waiting = Box::new(std::mem::replace(&mut self.waiting, Waiting::Nothing));
            self.waiting = Waiting::Restoring {
                waiting,
                redirects: saved,
                variables: old,
            };
            return flow;
        } else {
            super::redirect::restore(ctx, saved);
        }
        self.restore_variables(old);
        let proc = ctx.proc();
        if matches!(flow, Flow::Next) && (!proc.out.is_empty() || matches!(proc.state, State::Zombie(_))) {
            return Flow::Yield;
        }
        flow
    }

    pub(super) fn restore_variables(&mut self, old: Vec<(Arc<str>, Option<Variable>)>) {
        for (name, old) in old.into_iter().rev() {
            let variables = Arc::make_mut(&mut self.variables);
            match old {
                Some(old) => variables.insert(name, old),
                None => variables.remove(&name),
            };
        }
    }

    /// The environment of a command.
    pub(super) fn environment(&self, assigns: Vec<(Arc<str>, Arc<str>)>) -> Arc<Vec<(Arc<str>, Arc<str>)>> {
        let exported = self.variables.iter().filter(|(_, variable)| variable.exported);
        let mut env: Vec<(Arc<str>, Arc<str>)> = exported
            .filter_map(|(name, variable)| {
                variable
                    .value
                    .as_ref()
                    .map(|value| (Arc::clone(name), Arc::clone(value)))
            })
            .collect();
        for (name, value) in assigns {
            env.retain(|(own, _)| *own != name);
            env.push((name, value));
        }
        Arc::new(env)
    }

    pub(super) fn external(
        &mut self,
        ctx: &mut Ctx<'_>,
        name: &str,
        command: Pending,
        saved: Vec<Saved>,
        last: bool,
    ) -> Flow {
        let program = match self.find_program(ctx, name, &command.assigns) {
            Ok(program) => program,
            Err((status, message)) => {
                self.complain(ctx, &message);
                super::redirect::restore(ctx, saved);
                self.status = status;
                return Flow::Next;
            }
        };
        let argv: Arc<[Arc<str>]> = command.arguments.into();
        let env = self.environment(command.assigns);
        let bytes: usize = argv.iter().map(|word| word.len() + 9).sum::<usize>()
            + env
                .iter()
                .map(|(name, value)| name.len() + value.len() + 10)
                .sum::<usize>();
        if bytes > MAX_ARGUMENTS || argv.iter().any(|word| word.len() >= MAX_ARGUMENT) {
            self.complain(ctx, &format!("{name}: Argument list too long"));
            super::redirect::restore(ctx, saved);
            self.status = 126;
            return Flow::Next;
        }
        if last && self.traps.is_empty() && self.frames.len() == 1 && self.redirects.is_empty() {
            super::redirect::forget(ctx, saved);
            Self::become_program(ctx, argv, env);
            return Flow::Replace(Box::new(program));
        }
        self.jobs.retain(|job| !job.waited);
        let pid = ctx.spawn(program, argv, &[]);
        super::redirect::restore(ctx, saved);
        match pid {
            Some(pid) => {
                if let Some(child) = ctx.kernel.procs.get_mut(&pid) {
                    child.env = env;
                    child.memory = APPLET_MEMORY;
                }
                ctx.kernel.enforce_memory_limit();
                self.waiting = Waiting::Children {
                    pids: vec![pid],
                    statuses: Vec::new(),
                };
            }
            None => self.fatal(ctx, "can't fork: Resource temporarily unavailable"),
        }
        Flow::Next
    }

    /// Makes this process ready for another program: signals that had handlers have their default action again.
    pub(super) fn become_program(ctx: &mut Ctx<'_>, argv: Arc<[Arc<str>]>, env: Arc<Vec<(Arc<str>, Arc<str>)>>) {
        let proc = ctx.proc();
        proc.argv = argv;
        proc.env = env;
        proc.handled = 0;
        proc.pending.clear();
        proc.memory = APPLET_MEMORY;
        // Descriptors that the shell kept for itself do not outlive it.
        let own: Vec<u32> = proc
            .fds
            .iter()
            .map(|(fd, _)| *fd)
            .filter(|fd| *fd >= super::redirect::OWN_FDS)
            .collect();
        for fd in own {
            ctx.close(fd);
        }
    }

    /// The program of that name, or the status and the message that say why there is none.
    pub(super) fn find_program(
        &self,
        ctx: &mut Ctx<'_>,
        name: &str,
        assigns: &[(Arc<str>, Arc<str>)],
    ) -> Result<Program, (i32, String)> {
        use crate::runtime::files::Errno;
        let result = if name.contains('/') {
            super::program::load(ctx, name)
        } else {
            let assigned = assigns
                .iter()
                .rev()
                .find(|(own, _)| &**own == "PATH")
                .map(|(_, value)| Arc::clone(value));
            let path = assigned.or_else(|| self.get("PATH")).unwrap_or_default();
            super::program::find_on_path(ctx, name, &path).and_then(|path| super::program::load(ctx, &path))
        };
        result.map_err(|error| match error {
            Errno::NoEntry | Errno::NotDirectory | Errno::Loop => {
                if ctx.kernel.spec.assume_programs {
                    ctx.notice(&format!(
                        "the image is not in the catalogue: whether it has the program {name:?} is not known"
                    ));
                }
                (127, format!("{name}: not found"))
            }
            error => (126, format!("{name}: {error}")),
        })
    }

    /// A prompt with the parameters in it replaced. Only plain `$name` and `${name}`: nothing runs for a prompt.
    fn prompt(&self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            out.push_str(&rest[..at]);
            let after = &rest[at + 1..];
            let braced = after.starts_with('{');
            let name_from = &after[usize::from(braced)..];
            let length = name_from
                .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
                .unwrap_or(name_from.len());
            let name = &name_from[..length];
            let closed = !braced || name_from[length..].starts_with('}');
            if length == 0 || !closed {
                out.push('$');
                rest = after;
                continue;
            }
            out.push_str(&self.value(name).unwrap_or_default());
            rest = &name_from[length + usize::from(braced)..];
        }
        out + rest
    }

    pub(super) fn trace(&self, ctx: &mut Ctx<'_>, command: &Pending) {
        let prefix = self.prompt(&self.get("PS4").unwrap_or_default());
        let assigns = command
            .assigns
            .iter()
            .map(|(name, value)| format!("{name}={}", builtins::quote_if_needed(value)));
        let words = command.arguments.iter().map(|word| builtins::quote_if_needed(word));
        let line: Vec<String> = assigns.chain(words).collect();
        ctx.complain(&format!("{prefix}{}", line.join(" ")));
    }
}
