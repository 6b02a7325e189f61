//! The commands that are part of the shell.

use std::sync::Arc;

use super::compile::compile_inner;
use super::machine::{FrameKind, Machine, is_name};
use super::parser;
use super::program::Program;
use super::waiting::{JobWait, Waiting};
use super::{conditions, printing};
use crate::runtime::process::Signal;
use crate::runtime::syscalls::Ctx;

/// What a builtin leads to.
pub(super) enum Outcome {
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
pub(super) fn is_special(name: &str) -> bool {
    SPECIAL.contains(&name)
}

/// Whether a name is any builtin.
pub(super) fn is_builtin(name: &str) -> bool {
    REGULAR.contains(&name) || is_special(name)
}

/// Runs a builtin; the first argument is its name.
pub(super) fn run(machine: &mut Machine, ctx: &mut Ctx<'_>, name: &str, argv: &[Arc<str>]) -> Outcome {
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
            machine.enter(ctx, Arc::new(compile_inner(&parser::parse(&text))), FrameKind::Eval);
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
            let directory = ctx.directory();
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
        "jobs" => {
            for job in &machine.jobs {
                ctx.print(&format!("[{}] + Running\n", job.number));
            }
            Status(0)
        }
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
        "ulimit" => {
            ctx.print("unlimited\n");
            Status(0)
        }
        // hash
        _ => Status(0),
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

fn status_argument(machine: &mut Machine, ctx: &mut Ctx<'_>, name: &str, arguments: &[Arc<str>]) -> Option<i32> {
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
            Ok(status) if status >= 0 || name == "exit" => Some(status & 0xff),
            _ => {
                machine.fatal(ctx, &format!("{name}: Illegal number: {text}"));
                None
            }
        },
    }
}

fn leave_loops(machine: &mut Machine, ctx: &mut Ctx<'_>, name: &str, arguments: &[Arc<str>]) -> Outcome {
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

fn source(machine: &mut Machine, ctx: &mut Ctx<'_>, name: &str, arguments: &[Arc<str>]) -> Outcome {
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
            let code = compile_inner(&parser::parse(&String::from_utf8_lossy(&text)));
            machine.enter(ctx, Arc::new(code), FrameKind::Source { positional });
            Moved
        }
        Err(_) => {
            machine.fatal(ctx, &format!("{name}: can't open '{file}': No such file or directory"));
            Moved
        }
    }
}

fn exec(machine: &mut Machine, ctx: &mut Ctx<'_>, arguments: &[Arc<str>]) -> Outcome {
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

fn declare(machine: &mut Machine, ctx: &mut Ctx<'_>, arguments: &[Arc<str>], what: &str) -> Outcome {
    let mut arguments = arguments;
    let mut remove = false;
    while let Some(flag) = arguments
        .first()
        .filter(|argument| argument.starts_with('-') && argument.len() > 1)
    {
        remove |= &**flag == "-n";
        let print = &**flag == "-p";
        arguments = &arguments[1..];
        if print && arguments.is_empty() {
            break;
        }
    }
    if arguments.is_empty() {
        let mut lines = String::new();
        for (name, variable) in machine.variables.iter() {
            let listed = if what == "export" {
                variable.exported
            } else {
                variable.readonly
            };
            if listed {
                match &variable.value {
                    Some(value) => lines.push_str(&format!("{what} {name}={}\n", quote(value))),
                    None => lines.push_str(&format!("{what} {name}\n")),
                }
            }
        }
        ctx.print(&lines);
        return Status(0);
    }
    for argument in arguments {
        let (name, value) = argument
            .split_once('=')
            .map_or((&**argument, None), |(name, value)| (name, Some(value)));
        if !is_name(name) {
            machine.fatal(ctx, &format!("{what}: {argument}: bad variable name"));
            return Moved;
        }
        if let Some(value) = value
            && let Err(message) = machine.assign(name, value.into())
        {
            machine.fatal(ctx, &message);
            return Moved;
        }
        let variable = Arc::make_mut(&mut machine.variables).entry(name.into()).or_default();
        if what == "export" {
            variable.exported = !remove;
        } else {
            variable.readonly = true;
        }
    }
    Status(0)
}

fn local(machine: &mut Machine, ctx: &mut Ctx<'_>, arguments: &[Arc<str>]) -> Outcome {
    let frame = machine
        .frames
        .iter()
        .rposition(|frame| matches!(frame.kind, FrameKind::Function { .. }));
    let Some(frame) = frame else {
        machine.fatal(ctx, "local: not in a function");
        return Moved;
    };
    for argument in arguments {
        let (name, value) = argument
            .split_once('=')
            .map_or((&**argument, None), |(name, value)| (name, Some(value)));
        if !is_name(name) {
            machine.fatal(ctx, &format!("local: {argument}: bad variable name"));
            return Moved;
        }
        let old = machine.variables.get(name).cloned();
        if let FrameKind::Function { locals, .. } = &mut machine.frames[frame].kind
            && !locals.iter().any(|(own, _)| &**own == name)
        {
            locals.push((name.into(), old));
        }
        if let Some(value) = value
            && let Err(message) = machine.assign(name, value.into())
        {
            machine.fatal(ctx, &message);
            return Moved;
        }
    }
    Status(0)
}

fn unset(machine: &mut Machine, ctx: &mut Ctx<'_>, arguments: &[Arc<str>]) -> Outcome {
    let mut functions = false;
    let mut status = 0;
    for argument in arguments {
        match &**argument {
            "-f" => functions = true,
            "-v" => functions = false,
            name if functions => {
                Arc::make_mut(&mut machine.functions).remove(name);
            }
            name => {
                if machine.variables.get(name).is_some_and(|variable| variable.readonly) {
                    machine.complain(ctx, &format!("unset: {name}: is read only"));
                    status = 1;
                } else if machine.variables.contains_key(name) {
                    Arc::make_mut(&mut machine.variables).remove(name);
                }
            }
        }
    }
    if status != 0 {
        machine.exit(ctx, 2);
        return Moved;
    }
    Status(status)
}

fn set(machine: &mut Machine, ctx: &mut Ctx<'_>, arguments: &[Arc<str>]) -> Outcome {
    if arguments.is_empty() {
        let mut lines = String::new();
        for (name, variable) in machine.variables.iter() {
            if let Some(value) = &variable.value {
                lines.push_str(&format!("{name}={}\n", quote(value)));
            }
        }
        ctx.print(&lines);
        return Status(0);
    }
    let mut rest = arguments.iter();
    let mut parameters: Option<Vec<Arc<str>>> = None;
    while let Some(argument) = rest.next() {
        let on = argument.starts_with('-');
        if &**argument == "--" {
            parameters = Some(rest.cloned().collect());
            break;
        }
        let flags = argument.strip_prefix(['-', '+']);
        let Some(flags) = flags else {
            parameters = Some(std::iter::once(argument).chain(rest).cloned().collect());
            break;
        };
        if flags.is_empty() {
            if on {
                machine.options.xtrace = false;
                machine.options.verbose = false;
            }
            let left: Vec<Arc<str>> = rest.cloned().collect();
            parameters = (!left.is_empty()).then_some(left);
            break;
        }
        for flag in flags.chars() {
            if flag == 'o' {
                let Some(name) = rest.next() else { return Status(0) };
                if !machine.options.set_named(name, on) {
                    machine.fatal(ctx, &format!("set: illegal option -o {name}"));
                    return Moved;
                }
            } else if !machine.options.set(flag, on) {
                machine.fatal(ctx, &format!("set: illegal option -{flag}"));
                return Moved;
            }
        }
    }
    if let Some(parameters) = parameters {
        machine.positional = parameters.into();
    }
    Status(0)
}

fn shift(machine: &mut Machine, ctx: &mut Ctx<'_>, arguments: &[Arc<str>]) -> Outcome {
    let count = match arguments.first() {
        None => 1,
        Some(text) => match text.parse::<usize>() {
            Ok(count) => count,
            Err(_) => {
                machine.fatal(ctx, &format!("shift: Illegal number: {text}"));
                return Moved;
            }
        },
    };
    if count > machine.positional.len() {
        // busybox shifts nothing and fails; dash ends the script.
        return Status(1);
    }
    machine.positional = machine.positional[count..].into();
    Status(0)
}

/// A signal by name or number; 0 is `EXIT`.
pub(super) fn signal_number(text: &str) -> Option<u8> {
    if let Ok(number) = text.parse::<u8>() {
        return (number <= 64).then_some(number);
    }
    let name = text.to_ascii_uppercase();
    let name = name.strip_prefix("SIG").unwrap_or(&name);
    SIGNALS.iter().find(|(_, own)| *own == name).map(|(number, _)| *number)
}

/// A signal's name.
pub(super) fn signal_name(number: u8) -> Option<&'static str> {
    SIGNALS.iter().find(|(own, _)| *own == number).map(|(_, name)| *name)
}

const SIGNALS: &[(u8, &str)] = &[
    (0, "EXIT"),
    (1, "HUP"),
    (2, "INT"),
    (3, "QUIT"),
    (4, "ILL"),
    (5, "TRAP"),
    (6, "ABRT"),
    (7, "BUS"),
    (8, "FPE"),
    (9, "KILL"),
    (10, "USR1"),
    (11, "SEGV"),
    (12, "USR2"),
    (13, "PIPE"),
    (14, "ALRM"),
    (15, "TERM"),
    (16, "STKFLT"),
    (17, "CHLD"),
    (18, "CONT"),
    (19, "STOP"),
    (20, "TSTP"),
    (21, "TTIN"),
    (22, "TTOU"),
    (23, "URG"),
    (24, "XCPU"),
    (25, "XFSZ"),
    (26, "VTALRM"),
    (27, "PROF"),
    (28, "WINCH"),
    (29, "IO"),
    (30, "PWR"),
    (31, "SYS"),
];

fn trap(machine: &mut Machine, ctx: &mut Ctx<'_>, arguments: &[Arc<str>]) -> Outcome {
    let arguments = match arguments.first() {
        Some(first) if &**first == "--" => &arguments[1..],
        _ => arguments,
    };
    let Some(first) = arguments.first() else {
        let mut lines = String::new();
        for (number, action) in machine.traps.iter() {
            lines.push_str(&format!(
                "trap -- {} {}\n",
                quote(action),
                signal_name(*number).unwrap_or("?")
            ));
        }
        ctx.print(&lines);
        return Status(0);
    };
    if &**first == "-l" {
        let names: Vec<&str> = SIGNALS.iter().skip(1).map(|(_, name)| *name).collect();
        ctx.print(&format!("{}\n", names.join(" ")));
        return Status(0);
    }
    // A single operand, or a number first, resets.
    let reset_only = arguments.len() == 1 || first.parse::<u8>().is_ok();
    let (action, signals) = if reset_only {
        (None, arguments)
    } else {
        (Some(first), &arguments[1..])
    };
    let mut status = 0;
    for signal in signals {
        let Some(number) = signal_number(signal) else {
            machine.complain(ctx, &format!("trap: {signal}: invalid signal specification"));
            status = 1;
            continue;
        };
        let action = action.filter(|action| &***action != "-");
        let traps = Arc::make_mut(&mut machine.traps);
        match action {
            Some(action) => traps.insert(number, Arc::clone(action)),
            None => traps.remove(&number),
        };
        if number > 0 {
            let ignored = action.is_some_and(|action| action.is_empty());
            ctx.set_signal(Signal(number), action.is_some() && !ignored, ignored);
        }
    }
    Status(status)
}

fn cd(machine: &mut Machine, ctx: &mut Ctx<'_>, arguments: &[Arc<str>]) -> Outcome {
    let arguments: Vec<&Arc<str>> = arguments
        .iter()
        .filter(|argument| !matches!(&***argument, "-L" | "-P" | "--"))
        .collect();
    let target = match arguments.first().map(|argument| &***argument) {
        None => machine.get("HOME").unwrap_or_else(|| "/".into()),
        Some("-") => match machine.get("OLDPWD") {
            Some(old) => old,
            None => {
                machine.complain(ctx, "cd: OLDPWD not set");
                return Status(2);
            }
        },
        Some(path) => path.into(),
    };
    let show = arguments.first().is_some_and(|argument| &***argument == "-");
    let result = ctx.walk(&target, true).and_then(|walk| {
        use crate::runtime::files::Errno;
        let place = walk.found.ok_or(Errno::NoEntry)?;
        if !ctx.node(place)?.is_directory() {
            return Err(Errno::NotDirectory);
        }
        if !ctx.allowed(&target, 1) {
            return Err(Errno::Access);
        }
        Ok(())
    });
    if let Err(error) = result {
        machine.complain(ctx, &format!("cd: can't cd to {target}: {error}"));
        return Status(2);
    }
    // The logical path: `..` takes a name away, links stay names.
    let current = ctx.directory();
    let mut names: Vec<&str> = Vec::new();
    let joined = if target.starts_with('/') {
        target.to_string()
    } else {
        format!("{current}/{target}")
    };
    for name in joined.split('/') {
        match name {
            "" | "." => {}
            ".." => {
                names.pop();
            }
            name => names.push(name),
        }
    }
    let path: Arc<str> = format!("/{}", names.join("/")).into();
    ctx.proc().directory = Arc::clone(&path);
    let _ = machine.assign("OLDPWD", current);
    let _ = machine.assign("PWD", Arc::clone(&path));
    if show {
        ctx.print(&format!("{path}\n"));
    }
    Status(0)
}

fn read(machine: &mut Machine, ctx: &mut Ctx<'_>, arguments: &[Arc<str>]) -> Outcome {
    let (mut raw, mut until, mut limit, mut delimiter, mut fd) = (false, None, None, b'\n', 0);
    let mut rest = arguments.iter();
    let mut names: Vec<Arc<str>> = Vec::new();
    while let Some(argument) = rest.next() {
        let Some(flags) = argument
            .strip_prefix('-')
            .filter(|flags| !flags.is_empty() && names.is_empty())
        else {
            names.push(Arc::clone(argument));
            continue;
        };
        let mut flags = flags.chars();
        while let Some(flag) = flags.next() {
            match flag {
                'r' => raw = true,
                's' => {}
                'p' | 't' | 'n' | 'd' | 'u' => {
                    let own: String = flags.by_ref().collect();
                    let value = if own.is_empty() {
                        rest.next().map(ToString::to_string).unwrap_or_default()
                    } else {
                        own
                    };
                    match flag {
                        't' => match super::applets::duration(&value) {
                            Some(span) => until = Some(ctx.now() + span),
                            None => {
                                machine.complain(ctx, "read: invalid timeout");
                                return Status(2);
                            }
                        },
                        'n' => limit = value.parse().ok(),
                        'd' => delimiter = value.bytes().next().unwrap_or(0),
                        'u' => fd = value.parse().unwrap_or(0),
                        _ => {
                            let _ = ctx.write(2, value.as_bytes());
                        }
                    }
                }
                flag => {
                    machine.complain(ctx, &format!("read: illegal option -{flag}"));
                    return Status(2);
                }
            }
        }
    }
    if names.is_empty() {
        names.push("REPLY".into());
    }
    for name in &names {
        if !is_name(name) {
            machine.complain(ctx, &format!("read: {name}: bad variable name"));
            return Status(2);
        }
    }
    Outcome::Waits(Box::new(Waiting::Line {
        names,
        raw,
        data: Vec::new(),
        until,
        limit,
        delimiter,
        fd,
    }))
}

/// Splits a line as `read` does and assigns its fields; the last name takes the rest.
pub(super) fn assign_fields(machine: &mut Machine, line: &str, names: &[Arc<str>], raw: bool) -> Result<(), String> {
    let ifs = machine.ifs();
    // Characters with whether a backslash protects them.
    let mut chars: Vec<(char, bool)> = Vec::new();
    let mut source = line.chars();
    while let Some(c) = source.next() {
        if c == '\\' && !raw {
            if let Some(next) = source.next() {
                chars.push((next, true));
            }
        } else {
            chars.push((c, false));
        }
    }
    let blank = |(c, quoted): (char, bool)| !quoted && ifs.contains(c) && matches!(c, ' ' | '\t' | '\n');
    let separator = |(c, quoted): (char, bool)| !quoted && ifs.contains(c);
    let mut at = 0;
    while chars.get(at).is_some_and(|&c| blank(c)) {
        at += 1;
    }
    for (index, name) in names.iter().enumerate() {
        let mut field = String::new();
        if index + 1 == names.len() {
            let mut rest = &chars[at.min(chars.len())..];
            while let Some((&last, before)) = rest.split_last() {
                if !blank(last) {
                    break;
                }
                rest = before;
            }
            // One separator that ends the last field belongs to it only if more follow.
            if let Some((&last, before)) = rest.split_last()
                && separator(last)
                && !before.iter().any(|&c| separator(c) && !blank(c))
            {
                rest = before;
            }
            field.extend(rest.iter().map(|&(c, _)| c));
        } else {
            while let Some(&c) = chars.get(at) {
                if separator(c) {
                    break;
                }
                field.push(c.0);
                at += 1;
            }
            while chars.get(at).is_some_and(|&c| blank(c)) {
                at += 1;
            }
            if chars.get(at).is_some_and(|&c| separator(c)) {
                let ended_by_blank = at > 0 && blank(chars[at - 1]);
                if !ended_by_blank || !blank(chars[at]) {
                    at += 1;
                }
                while chars.get(at).is_some_and(|&c| blank(c)) {
                    at += 1;
                }
            }
        }
        machine.assign(name, field.into())?;
    }
    Ok(())
}

fn wait(machine: &mut Machine, ctx: &mut Ctx<'_>, arguments: &[Arc<str>]) -> Outcome {
    machine.status = 0;
    let mut pids = Vec::new();
    let mut any = false;
    for argument in arguments {
        if &**argument == "-n" {
            any = true;
            continue;
        }
        let pid = match argument.strip_prefix('%') {
            Some(number) => number
                .parse()
                .ok()
                .and_then(|number: u32| machine.jobs.iter().find(|job| job.number == number))
                .map(|job| job.pid),
            None => argument.parse().ok(),
        };
        match pid {
            Some(pid) => pids.push(pid),
            None => {
                machine.complain(ctx, &format!("wait: {argument}: no such job"));
                return Status(2);
            }
        }
    }
    let mode = match (arguments.is_empty(), any) {
        (true, _) => JobWait::All,
        (_, true) => JobWait::Any,
        _ => JobWait::These,
    };
    if mode == JobWait::All {
        pids = machine.jobs.iter().map(|job| job.pid).collect();
    }
    Outcome::Waits(Box::new(Waiting::Jobs { pids, mode }))
}

/// `kill [-s SIGNAL | -SIGNAL] pid …`, as builtin and as applet.
pub(super) fn kill(ctx: &mut Ctx<'_>, name: &str, arguments: &[Arc<str>], jobs: &[(u32, u32)]) -> i32 {
    let mut signal = Signal::TERM;
    let mut rest = arguments;
    match rest.first().map(|argument| &**argument) {
        Some("-l") => {
            match rest.get(1).and_then(|argument| signal_number(argument)) {
                Some(number) => {
                    let number = if number > 128 { number - 128 } else { number };
                    ctx.print(&format!("{}\n", signal_name(number).unwrap_or("?")));
                }
                None => {
                    let names: Vec<String> = SIGNALS
                        .iter()
                        .skip(1)
                        .map(|(number, name)| format!("{number:>2}) {name}"))
                        .collect();
                    ctx.print(&format!("{}\n", names.join("\n")));
                }
            }
            return 0;
        }
        Some("-s") | Some("-n") => {
            let Some(number) = rest.get(1).and_then(|argument| signal_number(argument)) else {
                ctx.complain(&format!("{name}: bad signal name"));
                return 1;
            };
            signal = Signal(number);
            rest = &rest[2..];
        }
        Some("--") => rest = &rest[1..],
        Some(flag) if flag.len() > 1 && flag.starts_with('-') => {
            let Some(number) = signal_number(&flag[1..]) else {
                ctx.complain(&format!("{name}: bad signal name '{}'", &flag[1..]));
                return 1;
            };
            signal = Signal(number);
            rest = &rest[1..];
        }
        _ => {}
    }
    if rest.first().is_some_and(|argument| &**argument == "--") {
        rest = &rest[1..];
    }
    if rest.is_empty() {
        ctx.complain(&format!("{name}: you need to specify whom to kill"));
        return 1;
    }
    let mut status = 0;
    for argument in rest {
        let job = argument.strip_prefix('%').and_then(|number| number.parse::<u32>().ok());
        let target = match job {
            Some(number) => jobs
                .iter()
                .find(|(own, _)| *own == number)
                .map(|(_, pid)| i64::from(*pid)),
            None => argument.parse::<i64>().ok(),
        };
        let Some(target) = target else {
            ctx.complain(&format!("{name}: invalid number '{argument}'"));
            status = 1;
            continue;
        };
        let sent = match target {
            -1 => {
                let own = ctx.pid;
                let pids: Vec<u32> = ctx
                    .kernel
                    .procs
                    .keys()
                    .copied()
                    .filter(|&pid| pid != own && pid != 1)
                    .collect();
                pids.iter()
                    .fold(false, |sent, &pid| ctx.kernel.signal(pid, signal) || sent)
            }
            target if target <= 0 => {
                let group = if target == 0 {
                    ctx.proc().group
                } else {
                    u32::try_from(-target).unwrap_or(0)
                };
                let pids: Vec<u32> = ctx
                    .kernel
                    .procs
                    .iter()
                    .filter(|(_, proc)| proc.group == group)
                    .map(|(&pid, _)| pid)
                    .collect();
                pids.iter()
                    .fold(false, |sent, &pid| ctx.kernel.signal(pid, signal) || sent)
            }
            target => u32::try_from(target).is_ok_and(|pid| ctx.kernel.signal(pid, signal)),
        };
        if !sent {
            ctx.complain(&format!("{name}: can't kill pid {argument}: No such process"));
            status = 1;
        }
    }
    status
}

fn command(machine: &mut Machine, ctx: &mut Ctx<'_>, arguments: &[Arc<str>]) -> Outcome {
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
fn describe(machine: &Machine, ctx: &mut Ctx<'_>, name: &str) -> Option<(String, String)> {
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
        super::program::find_on_path(ctx, name, &path).ok()
    };
    found.map(|path| (path.clone(), format!("{name} is {path}")))
}

fn kind(machine: &mut Machine, ctx: &mut Ctx<'_>, arguments: &[Arc<str>]) -> Outcome {
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

fn getopts(machine: &mut Machine, ctx: &mut Ctx<'_>, arguments: &[Arc<str>]) -> Outcome {
    let [options, name, rest @ ..] = arguments else {
        machine.complain(ctx, "getopts: usage: getopts optstring var [arg]");
        return Status(2);
    };
    let silent = options.starts_with(':');
    let operands: Arc<[Arc<str>]> = if rest.is_empty() {
        Arc::clone(&machine.positional)
    } else {
        rest.into()
    };
    let mut index: usize = machine.get("OPTIND").and_then(|value| value.parse().ok()).unwrap_or(1);
    let at = machine.getopts_at.max(1);
    let mut set = |machine: &mut Machine, name: &str, value: &str| {
        if let Err(message) = machine.assign(name, value.into()) {
            machine.complain(ctx, &message);
        }
    };
    let argument = operands.get(index.saturating_sub(1)).cloned();
    let ends = |argument: &str| !argument.starts_with('-') || argument == "-";
    let Some(argument) = argument.filter(|argument| !ends(argument)) else {
        set(machine, name, "?");
        return Status(1);
    };
    if &*argument == "--" {
        set(machine, "OPTIND", &(index + 1).to_string());
        set(machine, name, "?");
        return Status(1);
    }
    let letters: Vec<char> = argument.chars().collect();
    let Some(&letter) = letters.get(at) else {
        set(machine, "OPTIND", &(index + 1).to_string());
        return getopts(machine, ctx, arguments);
    };
    let mut next = at + 1;
    let known = options.char_indices().find(|(_, own)| *own == letter && letter != ':');
    let takes_value = known.is_some_and(|(place, _)| options[place + letter.len_utf8()..].starts_with(':'));
    let mut result = letter.to_string();
    let mut value: Option<String> = None;
    let mut complaint = None;
    if known.is_none() {
        result = "?".to_owned();
        if silent {
            value = Some(letter.to_string());
        } else {
            complaint = Some(format!("Illegal option -{letter}"));
        }
    } else if takes_value {
        if next < letters.len() {
            value = Some(letters[next..].iter().collect());
        } else if let Some(own) = operands.get(index) {
            value = Some(own.to_string());
            index += 1;
        } else if silent {
            result = ":".to_owned();
            value = Some(letter.to_string());
        } else {
            result = "?".to_owned();
            complaint = Some(format!("No arg for -{letter} option"));
        }
        next = letters.len();
    }
    if next >= letters.len() {
        index += 1;
        next = 1;
    }
    set(machine, "OPTIND", &index.to_string());
    machine.getopts_at = next;
    match value {
        Some(value) => set(machine, "OPTARG", &value),
        None => {
            Arc::make_mut(&mut machine.variables).remove("OPTARG");
        }
    }
    set(machine, name, &result);
    if let Some(complaint) = complaint {
        machine.complain(ctx, &complaint);
    }
    Status(0)
}

fn umask(machine: &mut Machine, ctx: &mut Ctx<'_>, arguments: &[Arc<str>]) -> Outcome {
    match arguments.iter().find(|argument| !argument.starts_with('-')) {
        None => {
            let umask = ctx.proc().umask;
            ctx.print(&format!("{umask:04o}\n"));
            Status(0)
        }
        Some(text) => match u32::from_str_radix(text, 8) {
            Ok(umask) => {
                ctx.proc().umask = umask & 0o777;
                Status(0)
            }
            Err(_) => {
                machine.complain(ctx, &format!("umask: Illegal mode: {text}"));
                Status(2)
            }
        },
    }
}

fn alias(machine: &mut Machine, ctx: &mut Ctx<'_>, what: &str, arguments: &[Arc<str>]) -> Outcome {
    if what == "unalias" {
        for name in arguments {
            Arc::make_mut(&mut machine.aliases).retain(|own, _| own != name && &**name != "-a");
        }
        return Status(0);
    }
    let mut status = 0;
    if arguments.is_empty() {
        let lines: String = machine
            .aliases
            .iter()
            .map(|(name, text)| format!("{name}={}\n", quote(text)))
            .collect();
        ctx.print(&lines);
    }
    for argument in arguments {
        match argument.split_once('=') {
            Some((name, text)) => {
                ctx.notice("not simulated: alias expansion in scripts");
                Arc::make_mut(&mut machine.aliases).insert(name.into(), text.into());
            }
            None => match machine.aliases.get(argument) {
                Some(text) => ctx.print(&format!("{argument}={}\n", quote(text))),
                None => {
                    machine.complain(ctx, &format!("alias: {argument} not found"));
                    status = 1;
                }
            },
        }
    }
    Status(status)
}

/// A value in quotes, as the shell prints it so that it can be read again.
pub(super) fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\"'\"'"))
}

/// A value in quotes where it needs them.
pub(super) fn quote_if_needed(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_-./:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        quote(text)
    }
}
