//! `read`: a line into variables.

use std::sync::Arc;

use super::Outcome::{self, Status};
use crate::runtime::syscalls::Ctx;
use crate::shell::machine::{Machine, is_name};
use crate::shell::waiting::Waiting;

pub(super) fn read(machine: &mut Machine, ctx: &mut Ctx<'_>, arguments: &[Arc<str>]) -> Outcome {
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
                        't' => match crate::shell::applets::duration(&value) {
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
    for name in &names {
        if !is_name(name) {
            machine.complain(ctx, &format!("read: {name}: bad variable name"));
            return Status(1);
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
pub(in crate::shell) fn assign_fields(
    machine: &mut Machine,
    line: &str,
    names: &[Arc<str>],
    raw: bool,
) -> Result<(), String> {
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
