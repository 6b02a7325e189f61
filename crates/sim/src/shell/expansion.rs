//! The steps of words: parameters, substitutions, arithmetic; and the variables behind them.

use std::sync::Arc;

use super::arithmetic;
use super::code::{Code, Op};
use super::expand::Builder;
use super::machine::{Machine, Variable, is_name};
use super::waiting::Waiting;
use crate::runtime::syscalls::Ctx;

/// The first descriptor for the pipe of a `<(…)`, as busybox takes them.
const FIRST_PROCESS_FD: u32 = 64;

impl Machine {
    /// A variable's value.
    pub(super) fn get(&self, name: &str) -> Option<Arc<str>> {
        self.variables.get(name).and_then(|variable| variable.value.clone())
    }

    /// Sets a variable.
    pub(super) fn assign(&mut self, name: &str, value: Arc<str>) -> Result<(), String> {
        let allexport = self.options.allexport;
        if let Some(variable) = self.variables.get(name) {
            if variable.readonly {
                return Err(format!("{name}: is read only"));
            }
            if variable.value.as_ref() == Some(&value) && !allexport {
                return Ok(());
            }
        }
        if name == "OPTIND" {
            self.getopts_at = 0;
        }
        self.large |= value.len() > super::machine::LARGE;
        let variables = Arc::make_mut(&mut self.variables);
        match variables.get_mut(name) {
            Some(variable) => {
                variable.value = Some(value);
                variable.exported |= allexport;
            }
            None => {
                variables.insert(
                    name.into(),
                    Variable {
                        value: Some(value),
                        exported: allexport,
                        readonly: false,
                    },
                );
            }
        }
        Ok(())
    }

    /// `IFS`, which is its default when it is unset.
    pub(super) fn ifs(&self) -> Arc<str> {
        match self.variables.get("IFS") {
            Some(Variable { value: Some(value), .. }) => Arc::clone(value),
            _ => " \t\n".into(),
        }
    }

    /// The value of a parameter other than `@` and `*`.
    pub(super) fn value(&self, name: &str) -> Option<Arc<str>> {
        let first = name.bytes().next()?;
        if first.is_ascii_digit() {
            let index: usize = name.parse().ok()?;
            return if index == 0 {
                Some(Arc::clone(&self.name))
            } else {
                self.positional.get(index - 1).cloned()
            };
        }
        match name {
            "#" => Some(self.positional.len().to_string().into()),
            "?" => Some(self.status.to_string().into()),
            "$" => Some(self.shell_pid.to_string().into()),
            "!" => self.last_background.map(|pid| pid.to_string().into()),
            "-" => Some(self.options.letters().into()),
            // busybox counts the lines of `sh -c` from 0.
            "LINENO" => Some(
                (self.line - u32::from(!self.from_file && self.line > 0))
                    .to_string()
                    .into(),
            ),
            "@" | "*" => {
                if self.positional.is_empty() {
                    return None;
                }
                let separator = self.ifs().chars().next().map(String::from).unwrap_or_default();
                Some(
                    self.positional
                        .iter()
                        .map(AsRef::as_ref)
                        .collect::<Vec<_>>()
                        .join(&separator)
                        .into(),
                )
            }
            _ => {
                // Assignments of one command see those before them: `a=1 b=$a`.
                let own = self
                    .commands
                    .last()
                    .into_iter()
                    .flat_map(|command| command.assigns.iter().rev());
                let mut own = own.filter(|(assigned, _)| &**assigned == name);
                own.next()
                    .map(|(_, value)| Arc::clone(value))
                    .or_else(|| self.get(name))
            }
        }
    }

    /// The value, with what changes from one reading to the next.
    fn lookup(&mut self, ctx: &mut Ctx<'_>, name: &str) -> Option<Arc<str>> {
        match name {
            "RANDOM" if self.get("RANDOM").is_none() => Some(ctx.host.random(32_768).to_string().into()),
            "SECONDS" if self.get("SECONDS").is_none() => {
                let started = ctx.proc().started;
                Some(ctx.now().since(started).as_secs().to_string().into())
            }
            "EPOCHSECONDS" if self.get(name).is_none() => Some(ctx.wall_now().as_second().to_string().into()),
            _ => self.value(name),
        }
    }

    /// The value for an expansion; an unset one stops the script under `set -u`.
    fn expanded(&mut self, ctx: &mut Ctx<'_>, name: &str) -> Option<Arc<str>> {
        match self.lookup(ctx, name) {
            Some(value) => Some(value),
            None => {
                if self.options.nounset && !matches!(name, "@" | "*") {
                    self.fatal(ctx, &format!("{name}: parameter not set"));
                    return None;
                }
                Some("".into())
            }
        }
    }

    /// One step of a word.
    pub(super) fn word(&mut self, ctx: &mut Ctx<'_>, op: &Op) {
        match op {
            Op::Begin => self.builders.push(Builder::default()),
            Op::Text(text) => self.builder().literal(Arc::clone(text)),
            Op::Split(text) => self.builder().value(Arc::clone(text), false),
            Op::Quoted(text) => self.builder().quoted(Arc::clone(text)),
            Op::Tilde(user) => self.tilde(ctx, user),
            Op::Param { name, quoted } => match &**name {
                "@" => self.parameters(*quoted),
                "*" if !*quoted => self.parameters(false),
                name => {
                    if let Some(value) = self.expanded(ctx, name)
                        && (*quoted || !value.is_empty())
                    {
                        self.builder().value(value, *quoted);
                    }
                }
            },
            Op::Length { name, quoted } => {
                let length = match &**name {
                    // As ash has it: the length of `$*`.
                    "@" | "*" => Some(self.value("*").map_or(0, |value| value.chars().count())),
                    name => self.expanded(ctx, name).map(|value| value.chars().count()),
                };
                if let Some(length) = length {
                    self.builder().value(length.to_string().into(), *quoted);
                }
            }
            Op::JumpIfUnset { name, colon, target } => {
                let unset = match self.lookup(ctx, name) {
                    None => true,
                    Some(value) => *colon && value.is_empty(),
                };
                if unset {
                    self.jump(*target);
                }
            }
            Op::AssignParam { name, quoted } => {
                let value = self.builders.pop().unwrap_or_default().text();
                if !is_name(name) {
                    self.fatal(ctx, &format!("${name}: cannot assign in this way"));
                    return;
                }
                match self.assign(name, Arc::clone(&value)) {
                    Ok(()) => self.builder().value(value, *quoted),
                    Err(message) => self.fatal(ctx, &message),
                }
            }
            Op::Complain { name, colon } => {
                let text = self.builders.pop().unwrap_or_default().text();
                let default = if *colon {
                    "parameter null or not set"
                } else {
                    "parameter not set"
                };
                let text = if text.is_empty() { default } else { &*text };
                self.fatal(ctx, &format!("{name}: {text}"));
            }
            Op::Trim {
                name,
                suffix,
                longest,
                quoted,
            } => {
                let pattern = self.builders.pop().unwrap_or_default().pattern();
                if let Some(value) = self.expanded(ctx, name) {
                    ctx.spend((value.len() / 16) as u32);
                    let trimmed = pattern.trim(&value, *suffix, *longest);
                    self.builder().value(trimmed.into(), *quoted);
                }
            }
            Op::Substring { name, length, quoted } => {
                let length = length.then(|| self.builders.pop().unwrap_or_default().text());
                let offset = self.builders.pop().unwrap_or_default().text();
                self.substring(ctx, name, &offset, length.as_deref(), *quoted);
            }
            Op::Replace { name, all, quoted } => {
                let with = self.builders.pop().unwrap_or_default().text();
                let pattern = self.builders.pop().unwrap_or_default().pattern();
                if let Some(value) = self.expanded(ctx, name) {
                    ctx.spend((value.len() / 4) as u32);
                    match pattern.replace(&value, &with, *all) {
                        Some(replaced) => self.builder().value(replaced.into(), *quoted),
                        None => {
                            let (work, text) = (super::pattern::MAX_WORK, super::pattern::MAX_TEXT);
                            self.fatal(
                                ctx,
                                &format!("a replacement takes more than {work} steps or {text} bytes"),
                            );
                        }
                    }
                }
            }
            Op::BadSubstitution => self.fatal(ctx, "syntax error: bad substitution"),
            Op::Arithmetic { quoted } => {
                let text = self.builders.pop().unwrap_or_default().text();
                if let Some(value) = self.calculate(ctx, &text) {
                    self.builder().value(value.to_string().into(), *quoted);
                }
            }
            Op::Process { code, reads } => self.process(ctx, code, *reads),
            Op::Substitute { code, quoted } => self.substitute(ctx, code, *quoted),
            _ => {}
        }
    }

    fn parameters(&mut self, quoted: bool) {
        let positional = Arc::clone(&self.positional);
        for (index, value) in positional.iter().enumerate() {
            if index > 0 {
                self.builder().split();
            }
            self.builder().value(Arc::clone(value), quoted);
        }
    }

    fn substring(&mut self, ctx: &mut Ctx<'_>, name: &str, offset: &str, length: Option<&str>, quoted: bool) {
        let Some(value) = self.expanded(ctx, name) else { return };
        let Some(offset) = self.calculate(ctx, offset) else {
            return;
        };
        let chars: Vec<char> = value.chars().collect();
        let count = chars.len() as i64;
        let start = if offset < 0 {
            (count + offset).max(0)
        } else {
            offset.min(count)
        };
        let end = match length {
            None => count,
            Some(length) => {
                let Some(length) = self.calculate(ctx, length) else {
                    return;
                };
                if length < 0 {
                    (count + length).max(start)
                } else {
                    start.saturating_add(length).min(count)
                }
            }
        };
        let text: String = chars[start as usize..end as usize].iter().collect();
        self.builder().value(text.into(), quoted);
    }

    /// The value of an expression; an error ends the script.
    pub(super) fn calculate(&mut self, ctx: &mut Ctx<'_>, text: &str) -> Option<i64> {
        struct Access<'a, 'b, 'c>(&'a mut Machine, &'b mut Ctx<'c>);
        impl arithmetic::Variables for Access<'_, '_, '_> {
            fn get(&mut self, name: &str) -> Option<String> {
                self.0.lookup(self.1, name).map(|value| value.to_string())
            }

            fn set(&mut self, name: &str, value: i64) -> Result<(), String> {
                self.1.spend(1);
                self.0.assign(name, value.to_string().into())
            }
        }
        ctx.spend((text.len() / 32) as u32);
        match arithmetic::evaluate(text, &mut Access(self, ctx)) {
            Ok(value) => Some(value),
            Err(message) => {
                self.fatal(ctx, &message);
                None
            }
        }
    }

    fn tilde(&mut self, ctx: &mut Ctx<'_>, user: &str) {
        let home = match user {
            "" => self.get("HOME"),
            "root" => Some("/root".into()),
            user => home_of(ctx, user),
        };
        match home {
            Some(home) => self.builder().quoted(home),
            None => self.builder().literal(format!("~{user}").into()),
        }
    }

    /// `<(…)` and `>(…)`: the command runs beside this shell, a pipe leads to it.
    fn process(&mut self, ctx: &mut Ctx<'_>, code: &Arc<Code>, reads: bool) {
        let (read, write) = ctx.pipe();
        ctx.kernel.retain(read);
        ctx.kernel.retain(write);
        let (own, theirs) = if reads { (read, (1, write)) } else { (write, (0, read)) };
        let pid = self.fork(ctx, code, &[theirs]);
        ctx.kernel.release(theirs.1);
        let free = (FIRST_PROCESS_FD..super::redirect::OWN_FDS).find(|&fd| ctx.file(fd).is_err());
        if let (Some(_), Some(fd)) = (pid, free) {
            ctx.set_fd(fd, own);
            if let Some(command) = self.commands.last_mut() {
                command.opened.push(fd);
            }
            self.builder().literal(format!("/dev/fd/{fd}").into());
        }
        ctx.kernel.release(own);
    }

    fn substitute(&mut self, ctx: &mut Ctx<'_>, code: &Arc<Code>, quoted: bool) {
        if code.ops.is_empty() {
            self.substituted = Some(0);
            return;
        }
        let (read, write) = ctx.pipe();
        ctx.kernel.retain(read);
        ctx.kernel.retain(write);
        let pid = self.fork(ctx, code, &[(1, write)]);
        ctx.kernel.release(write);
        match pid {
            Some(pid) => {
                self.waiting = Waiting::Substitution {
                    pid,
                    file: Some(read),
                    data: Vec::new(),
                    quoted,
                }
            }
            None => ctx.kernel.release(read),
        }
    }
}

fn home_of(ctx: &mut Ctx<'_>, user: &str) -> Option<Arc<str>> {
    let passwd = ctx.slurp("/etc/passwd").ok()?;
    let passwd = String::from_utf8_lossy(&passwd).into_owned();
    let line = passwd.lines().find(|line| line.split(':').next() == Some(user))?;
    line.split(':').nth(5).map(Arc::from)
}
