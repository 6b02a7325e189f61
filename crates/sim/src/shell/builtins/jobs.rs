//! `jobs`: what runs in the background.

use std::sync::Arc;

use super::Outcome::{self, Status};
use crate::runtime::syscalls::Ctx;
use crate::shell::machine::Machine;

pub(super) fn jobs(machine: &mut Machine, ctx: &mut Ctx<'_>, arguments: &[Arc<str>]) -> Outcome {
    let flag = |letter: char| {
        arguments
            .iter()
            .any(|argument| argument.starts_with('-') && argument.contains(letter))
    };
    let (pids, long) = (flag('p'), flag('l'));
    machine.poll_jobs(ctx);
    machine.jobs.retain(|job| !job.waited);
    let mut lines = String::new();
    // The newest first, as ash keeps its list; a script's jobs have no text, only a state.
    for (index, job) in machine.jobs.iter().rev().enumerate() {
        let mark = match index {
            0 => '+',
            1 => '-',
            _ => ' ',
        };
        if pids {
            lines.push_str(&format!("{}\n", job.pid));
            continue;
        }
        let state = match job.status {
            None => "Running".to_owned(),
            Some(0) => "Done".to_owned(),
            Some(status @ 129..) => crate::shell::waiting::signal_text((status - 128) as u8)
                .unwrap_or("Signalled")
                .to_owned(),
            Some(status) => format!("Done({status})"),
        };
        let pid = if long { format!("{} ", job.pid) } else { String::new() };
        lines.push_str(&format!("[{}]{mark}  {pid}{state:<27}\n", job.number));
    }
    ctx.print(&lines);
    if !pids {
        // What has ended is told once.
        machine.jobs.retain(|job| job.status.is_none());
    }
    Status(0)
}
