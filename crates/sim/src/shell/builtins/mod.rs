//! The commands that are part of the shell.

mod control;
mod jobs;
mod limits;
mod reading;
mod signals;
mod variables;

use std::sync::Arc;

pub(in crate::shell) use self::limits::Limits;
pub(in crate::shell) use self::reading::assign_fields;
pub(in crate::shell) use self::signals::{kill, signal_number};
use super::code;
use super::machine::{FrameKind, Machine};
use super::program::Program;
use super::waiting::Waiting;
use super::{conditions, printing};
use crate::runtime::syscalls::Ctx;
use control::{command, exec, kind, leave_loops, source, status_argument};
use jobs::jobs;
use limits::{ulimit, umask};
use reading::read;
use signals::{trap, wait};
use variables::{alias, cd, declare, getopts, local, set, shift, unset};

/// What a builtin leads to.
pub(in crate::shell) enum Outcome {
    /// It is done.
    Status(i32),
    /// Control went elsewhere, or the shell ends.
    Moved,
    /// It waits.
    Waits(Box<Waiting>),
    /// `exec` with nothing but redirections: they stay.
    KeepRedirects,
    /// Another program takes the shell's place.
    Execute(Box<Program>),
}

use Outcome::{Moved, Status};

/// POSIX's special builtins: assignments before them stay, and their errors end the shell.
const SPECIAL: &[&str] = &[
    ":", ".", "break", "continue", "eval", "exec", "exit", "export", "readonly", "return", "set", "shift", "source",
    "times", "trap", "unset",
];

const REGULAR: &[&str] = &[
    "[", "[[", "alias", "bg", "cd", "chdir", "command", "echo", "false", "fg", "getopts", "hash", "jobs", "kill",
    "let", "local", "printf", "pwd", "read", "test", "true", "type", "ulimit", "umask", "unalias", "wait",
];

/// Whether a name is a special builtin.
pub(in crate::shell) fn is_special(name: &str) -> bool {
    SPECIAL.contains(&name)
}

/// Whether a name is any builtin.
pub(in crate::shell) fn is_builtin(name: &str) -> bool {
    REGULAR.contains(&name) || is_special(name)
}

/// Runs a builtin; the first argument is its name.
pub(in crate::shell) fn run(machine: &mut Machine, ctx: &mut Ctx<'_>, name: &str, argv: &[Arc<str>]) -> Outcome {
    let arguments = argv.get(1..).unwrap_or_default();
    match name {
        ":" | "true" => Status(0),
        "false" => Status(1),
        "echo" => {
            let text = printing::echo(arguments);
            written(machine, ctx, "echo", text.as_slice())
        }
        "printf" => printf(machine, ctx, arguments),
        "test" | "[" | "[[" => {
            let mut words: Vec<&str> = arguments.iter().map(AsRef::as_ref).collect();
            let closing = match name {
                "[" => Some("]"),
                "[[" => Some("]]"),
                _ => None,
            };
            if let Some(closing) = closing
                && words.pop() != Some(closing)
            {
                machine.complain(ctx, &format!("{name}: missing {closing}"));
                return Status(2);
            }
            match conditions::test(ctx, &words) {
                Ok(holds) => Status(i32::from(!holds)),
                Err(message) => {
                    machine.complain(ctx, &message);
                    Status(2)
                }
            }
        }
        "break" | "continue" => leave_loops(machine, ctx, name, arguments),
        "return" => {
            let Some(status) = status_argument(machine, ctx, name, arguments) else {
                return Moved;
            };
            if !machine.leave_function(ctx, status) {
                machine.exit(ctx, status);
            }
            Moved
        }
        "exit" => {
            if let Some(status) = status_argument(machine, ctx, name, arguments) {
                machine.exit(ctx, status);
            }
            Moved
        }
        "eval" => {
            let text = arguments.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(" ");
            machine.status = 0;
            let code = code::inner(&text, !machine.aliases.is_empty());
            machine.enter(ctx, code, FrameKind::Eval);
            Moved
        }
        "." | "source" => source(machine, ctx, name, arguments),
        "exec" => exec(machine, ctx, arguments),
        "export" => declare(machine, ctx, arguments, "export"),
        "readonly" => declare(machine, ctx, arguments, "readonly"),
        "local" => local(machine, ctx, arguments),
        "unset" => unset(machine, ctx, arguments),
        "set" => set(machine, ctx, arguments),
        "shift" => shift(machine, ctx, arguments),
        "trap" => trap(machine, ctx, arguments),
        "times" => {
            ctx.print("0m0.00s 0m0.00s\n0m0.00s 0m0.00s\n");
            Status(0)
        }
        "cd" | "chdir" => cd(machine, ctx, arguments),
        "pwd" => {
            let mut directory = ctx.directory().to_string();
            if arguments.iter().any(|argument| &**argument == "-P")
                && let Ok(walk) = ctx.walk(&directory, true)
            {
                directory = walk.path;
            }
            ctx.print(&format!("{directory}\n"));
            Status(0)
        }
        "read" => read(machine, ctx, arguments),
        "wait" => wait(machine, ctx, arguments),
        "kill" => {
            let jobs = machine.jobs.iter().map(|job| (job.number, job.pid)).collect::<Vec<_>>();
            let name = Arc::clone(&machine.name);
            let status = kill(ctx, &name, arguments, &jobs);
            Status(status)
        }
        "jobs" => jobs(machine, ctx, arguments),
        "command" => command(machine, ctx, arguments),
        "type" => kind(machine, ctx, arguments),
        "getopts" => getopts(machine, ctx, arguments),
        "umask" => umask(machine, ctx, arguments),
        "let" => {
            let mut last = 0;
            for argument in arguments {
                match machine.calculate(ctx, argument) {
                    Some(value) => last = value,
                    None => return Moved,
                }
            }
            Status(i32::from(last == 0))
        }
        "alias" | "unalias" => alias(machine, ctx, name, arguments),
        "bg" | "fg" => {
            machine.complain(ctx, &format!("{name}: no job control"));
            Status(2)
        }
        "ulimit" => ulimit(machine, ctx, arguments),
        // hash
        _ => {
            let mut status = 0;
            for name in arguments.iter().filter(|name| !name.starts_with('-')) {
                if !is_builtin(name)
                    && !machine.functions.contains_key(name)
                    && machine.find_program(ctx, name, &[]).is_err()
                {
                    machine.complain(ctx, &format!("hash: {name}: not found"));
                    status = 1;
                }
            }
            Status(status)
        }
    }
}

fn written(machine: &Machine, ctx: &mut Ctx<'_>, name: &str, bytes: &[u8]) -> Outcome {
    match ctx.write(1, bytes) {
        Ok(()) => Status(0),
        Err(error) => {
            machine.complain(ctx, &format!("{name}: write error: {error}"));
            Status(1)
        }
    }
}

fn printf(machine: &Machine, ctx: &mut Ctx<'_>, arguments: &[Arc<str>]) -> Outcome {
    let Some((format, values)) = arguments.split_first() else {
        machine.complain(ctx, "printf: usage: printf FORMAT [ARG]...");
        return Status(2);
    };
    let (format, values) = if &**format == "--" && !values.is_empty() {
        (&values[0], &values[1..])
    } else {
        (format, values)
    };
    let printed = printing::printf(format, values);
    let outcome = written(machine, ctx, "printf", &printed.bytes);
    for message in &printed.errors {
        machine.complain(ctx, &format!("printf: {message}"));
    }
    if printed.errors.is_empty() { outcome } else { Status(1) }
}

/// A value in quotes, as the shell prints it so that it can be read again.
pub(in crate::shell) fn quote(text: &str) -> String {
    let mut quoted = String::new();
    let mut rest = text;
    loop {
        let plain = rest.find('\'').unwrap_or(rest.len());
        quoted.push_str(&format!("'{}'", &rest[..plain]));
        rest = &rest[plain..];
        let quotes = rest.len() - rest.trim_start_matches('\'').len();
        if quotes > 0 {
            quoted.push_str(&format!("\"{}\"", &rest[..quotes]));
        }
        rest = &rest[quotes..];
        if rest.is_empty() {
            return quoted;
        }
    }
}

/// A value in quotes where it needs them.
pub(in crate::shell) fn quote_if_needed(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_-./:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        quote(text)
    }
}
