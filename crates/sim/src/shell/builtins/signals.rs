//! Builtins about processes: `trap`, `kill`, `wait`; and the names of signals.

use std::sync::Arc;

use super::Outcome::{self, Status};
use super::quote;
use crate::runtime::process::Signal;
use crate::runtime::syscalls::Ctx;
use crate::shell::machine::Machine;
use crate::shell::waiting::{JobWait, Waiting};

/// A signal by name or number; 0 is `EXIT`.
pub(in crate::shell) fn signal_number(text: &str) -> Option<u8> {
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

pub(super) const SIGNALS: &[(u8, &str)] = &[
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

pub(super) fn trap(machine: &mut Machine, ctx: &mut Ctx<'_>, arguments: &[Arc<str>]) -> Outcome {
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

pub(super) fn wait(machine: &mut Machine, ctx: &mut Ctx<'_>, arguments: &[Arc<str>]) -> Outcome {
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
pub(in crate::shell) fn kill(ctx: &mut Ctx<'_>, name: &str, arguments: &[Arc<str>], jobs: &[(u32, u32)]) -> i32 {
    let mut signal = Signal::TERM;
    let mut rest = arguments;
    match rest.first().map(|argument| &**argument) {
        Some("-l") => {
            // 128 + n is how a shell tells of signal n.
            let signal = rest.get(1).map(|argument| match argument.parse::<u8>() {
                Ok(status @ 129..) => Some(status - 128),
                _ => signal_number(argument),
            });
            match signal {
                Some(None) => {
                    ctx.complain(&format!("{name}: unknown signal '{}'", rest[1]));
                    return 1;
                }
                Some(Some(number)) if rest[1].parse::<u8>().is_err() => ctx.print(&format!("{number}\n")),
                Some(Some(number)) => {
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
                    .visible()
                    .iter()
                    .map(|process| process.pid)
                    .filter(|&pid| pid != own && pid != 1)
                    .collect();
                // Each of them gets it, also after the first that could.
                pids.iter().filter(|&&pid| ctx.kernel.signal(pid, signal)).count() > 0
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
                // Each of them gets it, also after the first that could.
                pids.iter().filter(|&&pid| ctx.kernel.signal(pid, signal)).count() > 0
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
