//! `ulimit` and `umask`: what a process may use, and which permissions its files do not get.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Outcome::{self, Status};
use crate::runtime::syscalls::Ctx;
use crate::shell::machine::Machine;

/// What `ulimit` knows: letter, name, and the limit that a container has; `None` for none.
const LIMITS: &[(char, &str, Option<u64>)] = &[
    ('c', "core file size (blocks)", None),
    ('d', "data seg size (kb)", None),
    ('e', "scheduling priority", Some(0)),
    ('f', "file size (blocks)", None),
    ('i', "pending signals", Some(31_000)),
    ('l', "max locked memory (kb)", Some(8_192)),
    ('m', "max memory size (kb)", None),
    ('n', "open files", Some(1_048_576)),
    ('q', "POSIX message queues (bytes)", Some(819_200)),
    ('r', "real-time priority", Some(0)),
    ('s', "stack size (kb)", Some(8_192)),
    ('t', "cpu time (seconds)", None),
    ('u', "max user processes", None),
    ('v', "virtual memory (kb)", None),
    ('x', "file locks", None),
];

/// Limits that a script has set, by letter. They are kept, not enforced.
pub(in crate::shell) type Limits = Arc<BTreeMap<char, Option<u64>>>;

pub(super) fn ulimit(machine: &mut Machine, ctx: &mut Ctx<'_>, arguments: &[Arc<str>]) -> Outcome {
    let mut which = Vec::new();
    let mut value = None;
    for argument in arguments {
        match argument.strip_prefix('-') {
            Some(letters) => {
                for letter in letters.chars() {
                    match letter {
                        'H' | 'S' => {}
                        'a' => return all(machine, ctx),
                        letter if LIMITS.iter().any(|(own, ..)| *own == letter) => which.push(letter),
                        letter => {
                            machine.complain(ctx, &format!("ulimit: invalid option -- '{letter}'"));
                            return Status(1);
                        }
                    }
                }
            }
            None => value = Some(argument),
        }
    }
    if which.is_empty() {
        which.push('f');
    }
    for letter in which {
        match value.map(|value| &**value) {
            None => {
                let text = shown(machine, letter);
                ctx.print(&format!("{text}\n"));
            }
            Some(value) => {
                let limit = match value {
                    "unlimited" => None,
                    number => match number.parse::<u64>() {
                        Ok(number) => Some(number),
                        Err(_) => {
                            machine.complain(ctx, &format!("ulimit: invalid number '{number}'"));
                            return Status(1);
                        }
                    },
                };
                ctx.notice("not simulated: a limit set by ulimit is shown, but not enforced");
                Arc::make_mut(&mut machine.limits).insert(letter, limit);
            }
        }
    }
    Status(0)
}

fn all(machine: &Machine, ctx: &mut Ctx<'_>) -> Outcome {
    for (letter, name, _) in LIMITS {
        let text = shown(machine, *letter);
        ctx.print(&format!("{name:<32}(-{letter}) {text}\n"));
    }
    Status(0)
}

fn shown(machine: &Machine, letter: char) -> String {
    let own = machine.limits.get(&letter).copied();
    let inborn = || {
        LIMITS
            .iter()
            .find(|(own, ..)| *own == letter)
            .and_then(|(_, _, limit)| *limit)
    };
    own.unwrap_or_else(inborn)
        .map_or_else(|| "unlimited".to_owned(), |limit| limit.to_string())
}

pub(super) fn umask(machine: &mut Machine, ctx: &mut Ctx<'_>, arguments: &[Arc<str>]) -> Outcome {
    let current = ctx.proc().umask;
    let Some(text) = arguments.iter().find(|argument| !argument.starts_with('-')) else {
        if arguments.iter().any(|argument| &**argument == "-S") {
            let class = |shift: u32| -> String {
                let allowed = !current >> shift;
                [(4, 'r'), (2, 'w'), (1, 'x')]
                    .iter()
                    .filter(|(bit, _)| allowed & bit != 0)
                    .map(|(_, letter)| letter)
                    .collect()
            };
            ctx.print(&format!("u={},g={},o={}\n", class(6), class(3), class(0)));
        } else {
            ctx.print(&format!("{current:04o}\n"));
        }
        return Status(0);
    };
    let wanted = if text.starts_with(|c: char| c.is_ascii_digit()) {
        u32::from_str_radix(text, 8).ok().map(|mask| mask & 0o777)
    } else {
        // A mode says what is allowed: the mask is the rest.
        crate::shell::applets::new_mode(text, !current & 0o777, true, 0).map(|mode| !mode & 0o777)
    };
    match wanted {
        Some(mask) => {
            ctx.proc().umask = mask;
            Status(0)
        }
        None => {
            machine.complain(ctx, &format!("umask: Illegal mode: {text}"));
            Status(2)
        }
    }
}
