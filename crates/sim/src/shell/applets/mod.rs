//! Programs other than the shell: busybox's applets and the servers of the image catalogue.
//!
//! Most are done in one step. Those that wait (for time, input, a child, the network) are states that are stepped again.

mod archive;
mod awk;
mod collect;
mod command;
mod comparing;
mod copying;
mod fileops;
mod filters;
mod find;
mod input;
mod interfaces;
mod interpreters;
mod ipc;
mod listing;
mod lookup;
mod network;
mod options;
mod reckoning;
mod sed;
mod sed_parser;
mod server;
mod system;
mod usage;
mod waiters;

use std::sync::Arc;

pub(crate) use self::fileops::new_mode;

use super::program::Program;
use crate::runtime::kernel::FileId;
use crate::runtime::syscalls::{Ctx, Step};
use crate::time::SimDuration;

/// A program under way.
#[derive(Clone, Debug)]
pub(crate) enum Applet {
    Awk(Box<awk::Awk>),
    Collect(collect::Collect),
    Filter(filters::Filter),
    Waiter(waiters::Waiter),
    Copy(copying::Copy),
    Command(command::Command),
    Client(network::Client),
    Server(server::Server),
}

impl Applet {
    /// Open files that it holds.
    pub fn files(&self, files: &mut Vec<FileId>) {
        match self {
            Self::Awk(awk) => awk.files(files),
            Self::Collect(collect) => files.extend(collect.file()),
            Self::Filter(filter) => filter.files(files),
            Self::Waiter(waiter) => files.extend(waiter.file()),
            Self::Copy(copy) => files.extend(copy.files()),
            Self::Command(command) => files.extend(command.file()),
            _ => {}
        }
    }

    /// Lets it run for a turn.
    pub fn step(&mut self, ctx: &mut Ctx<'_>) -> Step {
        match self {
            Self::Awk(awk) => awk.step(ctx),
            Self::Collect(collect) => collect.step(ctx),
            Self::Filter(filter) => filter.step(ctx),
            Self::Waiter(waiter) => waiter.step(ctx),
            Self::Copy(copy) => copy.step(ctx),
            Self::Command(command) => command.step(ctx),
            Self::Client(client) => client.step(ctx),
            Self::Server(server) => server.step(ctx),
        }
    }
}

/// The step that begins a program which does not end at once.
fn run(applet: Applet) -> Step {
    Step::Replace(Box::new(Program::Applet(Box::new(applet))))
}

/// Applets that images have on their `PATH`, whether they are simulated or not, come from the catalogue; this starts one.
pub(crate) fn start(name: &str, argv: &[Arc<str>], ctx: &mut Ctx<'_>) -> Step {
    let arguments = argv.get(1..).unwrap_or_default();
    if name == "busybox" {
        return busybox(argv, ctx);
    }
    let started = None
        .or_else(|| collect::start(name, arguments, ctx))
        .or_else(|| command::start(name, arguments, ctx))
        .or_else(|| system::start(name, arguments, ctx))
        .or_else(|| waiters::start(name, arguments, ctx))
        .or_else(|| fileops::start(name, arguments, ctx))
        .or_else(|| comparing::start(name, arguments, ctx))
        .or_else(|| find::start(name, arguments, ctx))
        .or_else(|| listing::start(name, arguments, ctx))
        .or_else(|| copying::start(name, arguments, ctx))
        .or_else(|| network::start(name, arguments, ctx))
        .or_else(|| awk::start(name, arguments, ctx))
        .or_else(|| filters::start::start(name, arguments, ctx))
        .or_else(|| interpreters::start(name, arguments, ctx))
        .or_else(|| server::start(name, argv, ctx));
    started.unwrap_or_else(|| {
        ctx.complain(&format!("{name}: not simulated by Peapod"));
        ctx.notice(&format!("not simulated: the program {name:?}"));
        Step::Exit(127)
    })
}

/// `busybox applet arguments`
fn busybox(argv: &[Arc<str>], ctx: &mut Ctx<'_>) -> Step {
    let Some(applet) = argv.get(1) else {
        ctx.print("BusyBox v1.36.1 multi-call binary.\n");
        return Step::Exit(0);
    };
    ctx.proc().argv = argv[1..].into();
    Step::Replace(Box::new(Program::Start {
        name: Arc::clone(applet),
    }))
}

/// A span as `sleep` takes it: `1`, `0.5`, `2m`; `None` when it is no such thing.
pub(crate) fn duration(text: &str) -> Option<SimDuration> {
    let (number, unit) = match text.chars().next_back()? {
        's' => (&text[..text.len() - 1], 1_000_000_000),
        'm' => (&text[..text.len() - 1], 60_000_000_000),
        'h' => (&text[..text.len() - 1], 3_600_000_000_000),
        'd' => (&text[..text.len() - 1], 86_400_000_000_000),
        _ => (text, 1_000_000_000u64),
    };
    if number == "inf" || number == "infinity" {
        return Some(SimDuration(u64::MAX / 4));
    }
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || !(whole.chars().chain(fraction.chars()).all(|c| c.is_ascii_digit())) {
        return None;
    }
    let whole: u64 = if whole.is_empty() {
        0
    } else {
        whole.parse().unwrap_or(u64::MAX)
    };
    let mut nanos = u128::from(whole) * u128::from(unit);
    let digits: String = fraction.chars().take(9).collect();
    if !digits.is_empty() {
        let value: u128 = digits.parse().unwrap_or(0);
        nanos += value * u128::from(unit) / 10u128.pow(digits.len() as u32);
    }
    Some(SimDuration(
        u64::try_from(nanos).unwrap_or(u64::MAX / 4).min(u64::MAX / 4),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_units_and_fractions() {
        for (text, nanos) in [
            ("1", Some(1_000_000_000)),
            ("0.5", Some(500_000_000)),
            (".2s", Some(200_000_000)),
            ("2m", Some(120_000_000_000)),
            ("1.5h", Some(5_400_000_000_000)),
            ("x", None),
            ("", None),
            ("-1", None),
            ("99999999999999999999", Some(u64::MAX / 4)),
        ] {
            assert_eq!(duration(text).map(|span| span.0), nanos, "{text}");
        }
    }
}
