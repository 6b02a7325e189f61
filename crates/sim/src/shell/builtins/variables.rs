//! Builtins that change what the shell keeps: variables, parameters, options, its directory.

use std::sync::Arc;

use super::Outcome::{self, Moved, Status};
use super::quote;
use crate::runtime::files::Errno;
use crate::runtime::syscalls::Ctx;
use crate::shell::machine::{FrameKind, Machine, is_name};

pub(super) fn declare(machine: &mut Machine, ctx: &mut Ctx<'_>, arguments: &[Arc<str>], what: &str) -> Outcome {
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

pub(super) fn local(machine: &mut Machine, ctx: &mut Ctx<'_>, arguments: &[Arc<str>]) -> Outcome {
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
        let Some(value) = value else {
            // As busybox has it: the variable of the caller is not seen any more.
            if old_is_plain(machine, name) {
                Arc::make_mut(&mut machine.variables).remove(name);
            }
            continue;
        };
        if let Err(message) = machine.assign(name, value.into()) {
            machine.fatal(ctx, &message);
            return Moved;
        }
    }
    Status(0)
}

fn old_is_plain(machine: &Machine, name: &str) -> bool {
    machine.variables.get(name).is_some_and(|variable| !variable.readonly)
}

pub(super) fn unset(machine: &mut Machine, ctx: &mut Ctx<'_>, arguments: &[Arc<str>]) -> Outcome {
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

pub(super) fn set(machine: &mut Machine, ctx: &mut Ctx<'_>, arguments: &[Arc<str>]) -> Outcome {
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

pub(super) fn shift(machine: &mut Machine, ctx: &mut Ctx<'_>, arguments: &[Arc<str>]) -> Outcome {
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

/// The path with `.` and `..` taken out by name: links stay names.
fn logical(current: &str, target: &str) -> String {
    let joined = if target.starts_with('/') {
        target.to_owned()
    } else {
        format!("{current}/{target}")
    };
    let mut names: Vec<&str> = Vec::new();
    for name in joined.split('/') {
        match name {
            "" | "." => {}
            ".." => {
                names.pop();
            }
            name => names.push(name),
        }
    }
    format!("/{}", names.join("/"))
}

/// Why a directory cannot be the working directory.
fn enterable(ctx: &mut Ctx<'_>, path: &str) -> Result<(), Errno> {
    let place = ctx.walk(path, true)?.found.ok_or(Errno::NoEntry)?;
    if !ctx.node(place)?.is_directory() {
        return Err(Errno::NotDirectory);
    }
    if !ctx.allowed(path, 1) {
        return Err(Errno::Access);
    }
    Ok(())
}

pub(super) fn cd(machine: &mut Machine, ctx: &mut Ctx<'_>, arguments: &[Arc<str>]) -> Outcome {
    let physical = arguments.iter().rfind(|argument| matches!(&***argument, "-L" | "-P"));
    let physical = physical.is_some_and(|flag| &**flag == "-P");
    let target = arguments
        .iter()
        .find(|argument| !matches!(&***argument, "-L" | "-P" | "--"));
    let mut show = false;
    let target: Arc<str> = match target.map(|argument| &**argument) {
        None => machine.get("HOME").unwrap_or_else(|| "/".into()),
        Some("-") => match machine.get("OLDPWD") {
            Some(old) => {
                show = true;
                old
            }
            None => {
                machine.complain(ctx, "cd: OLDPWD not set");
                return Status(2);
            }
        },
        Some(path) => path.into(),
    };
    let current = ctx.directory();
    let mut path = logical(&current, &target);
    let first = target.split('/').next().unwrap_or_default();
    if !matches!(first, "" | "." | "..")
        && let Some(search) = machine.get("CDPATH")
    {
        let candidates = search.split(':').filter(|directory| !directory.is_empty());
        for directory in candidates {
            let candidate = logical(&current, &format!("{directory}/{target}"));
            if enterable(ctx, &candidate).is_ok() {
                path = candidate;
                show = true;
                break;
            }
        }
    }
    if let Err(error) = enterable(ctx, &path) {
        machine.complain(ctx, &format!("cd: can't cd to {target}: {error}"));
        return Status(2);
    }
    if physical && let Ok(walk) = ctx.walk(&path, true) {
        path = walk.path;
    }
    let path: Arc<str> = path.into();
    ctx.proc().directory = Arc::clone(&path);
    let _ = machine.assign("OLDPWD", current);
    let _ = machine.assign("PWD", Arc::clone(&path));
    if show {
        ctx.print(&format!("{path}\n"));
    }
    Status(0)
}

pub(super) fn getopts(machine: &mut Machine, ctx: &mut Ctx<'_>, arguments: &[Arc<str>]) -> Outcome {
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

pub(super) fn alias(machine: &mut Machine, ctx: &mut Ctx<'_>, what: &str, arguments: &[Arc<str>]) -> Outcome {
    if what == "unalias" {
        let mut status = 0;
        for name in arguments {
            let aliases = Arc::make_mut(&mut machine.aliases);
            if &**name == "-a" {
                aliases.clear();
            } else if aliases.remove(name).is_none() {
                machine.complain(ctx, &format!("unalias: {name} not found"));
                status = 1;
            }
        }
        return Status(status);
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
