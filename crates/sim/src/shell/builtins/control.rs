//! Builtins that lead control elsewhere: `return`, `break`, `.`, `exec`, `command`; and `type`.

use std::sync::Arc;

use super::Outcome::{self, Moved, Status};
use super::{is_builtin, is_special, quote, run};
use crate::runtime::syscalls::Ctx;
use crate::shell::code;
use crate::shell::machine::{FrameKind, Machine};
use crate::shell::waiting::Waiting;

pub(super) fn status_argument(
    machine: &mut Machine,
    ctx: &mut Ctx<'_>,
    name: &str,
    arguments: &[Arc<str>],
) -> Option<i32> {
    match arguments.first() {
        None => {
            // In a trap, `exit` without a number ends with the status before it.
            let trapped = machine.frames.iter().rev().find_map(|frame| match frame.kind {
                FrameKind::ExitTrap { status } => Some(status),
                FrameKind::Trap { status } if name == "exit" => Some(status),
                _ => None,
            });
            Some(trapped.filter(|_| name == "exit").unwrap_or(machine.status))
        }
        Some(text) => match text.parse::<i32>() {
            Ok(status) if status >= 0 => Some(status & 0xff),
            _ => {
                machine.fatal(ctx, &format!("{name}: Illegal number: {text}"));
                None
            }
        },
    }
}

pub(super) fn leave_loops(machine: &mut Machine, ctx: &mut Ctx<'_>, name: &str, arguments: &[Arc<str>]) -> Outcome {
    let count = match arguments.first() {
        None => 1,
        Some(text) => match text.parse::<usize>() {
            Ok(count) if count > 0 => count,
            _ => {
                machine.fatal(ctx, &format!("{name}: Illegal number: {text}"));
                return Moved;
            }
        },
    };
    machine.status = 0;
    machine.leave_loops(ctx, count, name == "continue");
    Moved
}

pub(super) fn source(machine: &mut Machine, ctx: &mut Ctx<'_>, name: &str, arguments: &[Arc<str>]) -> Outcome {
    let Some(file) = arguments.first() else {
        machine.complain(ctx, &format!("{name}: filename argument required"));
        return Status(2);
    };
    let mut path = file.to_string();
    if !file.contains('/') {
        let search = machine.get("PATH").unwrap_or_default();
        let found = search
            .split(':')
            .map(|directory| format!("{directory}/{file}"))
            .find(|path| ctx.allowed(path, 4));
        path = found.unwrap_or(path);
    }
    match ctx.slurp(&path) {
        Ok(text) => {
            let positional = (arguments.len() > 1).then(|| {
                let own: Arc<[Arc<str>]> = arguments[1..].into();
                std::mem::replace(&mut machine.positional, own)
            });
            machine.status = 0;
            let code = code::inner(&String::from_utf8_lossy(&text), !machine.aliases.is_empty());
            machine.enter(ctx, code, FrameKind::Source { positional });
            Moved
        }
        Err(_) => {
            machine.fatal(ctx, &format!("{name}: can't open '{file}': No such file or directory"));
            Moved
        }
    }
}

pub(super) fn exec(machine: &mut Machine, ctx: &mut Ctx<'_>, arguments: &[Arc<str>]) -> Outcome {
    let mut arguments = arguments;
    let mut shown: Option<Arc<str>> = None;
    while let Some(first) = arguments.first() {
        match &**first {
            "--" => arguments = &arguments[1..],
            "-a" if arguments.len() > 1 => {
                shown = Some(Arc::clone(&arguments[1]));
                arguments = &arguments[2..];
            }
            _ => break,
        }
    }
    let Some(name) = arguments.first() else {
        return Outcome::KeepRedirects;
    };
    match machine.find_program(ctx, name, &[]) {
        Ok(program) => {
            let env = machine.environment(Vec::new());
            let mut argv: Vec<Arc<str>> = arguments.to_vec();
            if let Some(shown) = shown {
                argv[0] = shown;
            }
            Machine::become_program(ctx, argv.into(), env);
            Outcome::Execute(Box::new(program))
        }
        Err((status, message)) => {
            machine.complain(ctx, &format!("exec: {message}"));
            machine.exit(ctx, status);
            Moved
        }
    }
}

pub(super) fn command(machine: &mut Machine, ctx: &mut Ctx<'_>, arguments: &[Arc<str>]) -> Outcome {
    let mut rest = arguments;
    let (mut show, mut verbose) = (false, false);
    while let Some(flag) = rest
        .first()
        .filter(|argument| argument.starts_with('-') && argument.len() > 1)
    {
        match &**flag {
            "-v" => show = true,
            "-V" => verbose = true,
            _ => {}
        }
        rest = &rest[1..];
    }
    let Some(name) = rest.first().cloned() else {
        return Status(0);
    };
    if show {
        return match describe(machine, ctx, &name) {
            Some((short, _)) => {
                ctx.print(&format!("{short}\n"));
                Status(0)
            }
            None => Status(127),
        };
    }
    if verbose {
        return kind(machine, ctx, rest);
    }
    if is_builtin(&name) {
        // An error of a special builtin does not end the shell here; ours that end it do so for `exit` and the like.
        return run(machine, ctx, &name, rest);
    }
    match machine.find_program(ctx, &name, &[]) {
        Ok(program) => {
            let env = machine.environment(Vec::new());
            let argv: Arc<[Arc<str>]> = rest.into();
            match ctx.spawn(program, argv, &[]) {
                Some(pid) => {
                    if let Some(child) = ctx.kernel.procs.get_mut(&pid) {
                        child.env = env;
                    }
                    Outcome::Waits(Box::new(Waiting::Children {
                        pids: vec![pid],
                        statuses: Vec::new(),
                    }))
                }
                None => Status(1),
            }
        }
        Err((status, message)) => {
            machine.complain(ctx, &message);
            Status(status)
        }
    }
}

/// What a name means: as `command -v` and as `type` say it.
pub(super) fn describe(machine: &Machine, ctx: &mut Ctx<'_>, name: &str) -> Option<(String, String)> {
    const KEYWORDS: &[&str] = &[
        "!", "case", "do", "done", "elif", "else", "esac", "fi", "for", "if", "in", "then", "until", "while", "{", "}",
    ];
    if KEYWORDS.contains(&name) {
        return Some((name.to_owned(), format!("{name} is a shell keyword")));
    }
    if let Some(text) = machine.aliases.get(name) {
        return Some((
            format!("alias {name}={}", quote(text)),
            format!("{name} is an alias for {text}"),
        ));
    }
    if machine.functions.contains_key(name) {
        return Some((name.to_owned(), format!("{name} is a function")));
    }
    if is_special(name) {
        return Some((name.to_owned(), format!("{name} is a special shell builtin")));
    }
    if is_builtin(name) {
        return Some((name.to_owned(), format!("{name} is a shell builtin")));
    }
    let path = machine.get("PATH").unwrap_or_default();
    let found = if name.contains('/') {
        ctx.allowed(name, 1).then(|| name.to_owned())
    } else {
        crate::shell::program::find_on_path(ctx, name, &path).ok()
    };
    found.map(|path| (path.clone(), format!("{name} is {path}")))
}

pub(super) fn kind(machine: &mut Machine, ctx: &mut Ctx<'_>, arguments: &[Arc<str>]) -> Outcome {
    let mut status = 0;
    for name in arguments {
        match describe(machine, ctx, name) {
            Some((_, long)) => ctx.print(&format!("{long}\n")),
            None => {
                ctx.print(&format!("{name}: not found\n"));
                status = 127;
            }
        }
    }
    Status(status)
}
