//! What a shell waits for in the middle of its code, and what happens when that is there.

use std::sync::Arc;

use super::expand::Builder;
use super::machine::{Machine, Variable};
use super::redirect::Saved;
use crate::runtime::kernel::{FileId, Pid, Wait};
use crate::runtime::syscalls::{Ctx, Read};
use crate::time::SimTime;

/// What a shell waits for.
#[derive(Clone, Debug)]
pub(super) enum Waiting {
    Nothing,
    /// The end of the commands of a pipeline, in the foreground.
    Children {
        pids: Vec<Pid>,
        statuses: Vec<i32>,
    },
    /// The output of a command substitution, then its end.
    Substitution {
        pid: Pid,
        file: Option<FileId>,
        data: Vec<u8>,
        quoted: bool,
    },
    /// `read`
    Line {
        names: Vec<Arc<str>>,
        raw: bool,
        data: Vec<u8>,
        until: Option<SimTime>,
        limit: Option<usize>,
        delimiter: u8,
        fd: u32,
    },
    /// `wait`
    Jobs {
        pids: Vec<Pid>,
        mode: JobWait,
    },
    /// A builtin that waits, with what is put back after it.
    Restoring {
        waiting: Box<Waiting>,
        redirects: Vec<Saved>,
        variables: Vec<(Arc<str>, Option<Variable>)>,
    },
}

/// Which jobs `wait` waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JobWait {
    /// The given ones; the status is that of the last.
    These,
    /// The first that ends.
    Any,
    /// All of them; the status is 0.
    All,
}

impl Machine {
    /// Looks whether what it waits for is there; gives what is still missing.
    pub(super) fn resume(&mut self, ctx: &mut Ctx<'_>) -> Option<Wait> {
        match std::mem::replace(&mut self.waiting, Waiting::Nothing) {
            Waiting::Nothing => None,
            Waiting::Restoring {
                waiting,
                redirects,
                variables,
            } => {
                self.waiting = *waiting;
                if let Some(wait) = self.resume(ctx) {
                    let waiting = Box::new(std::mem::replace(&mut self.waiting, Waiting::Nothing));
                    self.waiting = Waiting::Restoring {
                        waiting,
                        redirects,
                        variables,
                    };
                    return Some(wait);
                }
                super::redirect::restore(ctx, redirects);
                self.restore_variables(variables);
                None
            }
            Waiting::Children { pids, mut statuses } => {
                for (index, &pid) in pids.iter().enumerate().skip(statuses.len()) {
                    match ctx.try_wait(pid) {
                        Some(status) => {
                            statuses.push(status.code);
                            if let Some(signal) = status.signal
                                && index + 1 == pids.len()
                            {
                                self.report_signal(ctx, signal.0);
                            }
                        }
                        None => {
                            self.waiting = Waiting::Children {
                                pids: pids.clone(),
                                statuses,
                            };
                            return Some(Wait::Child(pid, None));
                        }
                    }
                }
                self.status = statuses.last().copied().unwrap_or(0);
                if self.options.pipefail
                    && let Some(failed) = statuses.iter().rev().find(|status| **status != 0)
                {
                    self.status = *failed;
                }
                None
            }
            Waiting::Substitution {
                pid,
                file,
                mut data,
                quoted,
            } => {
                if let Some(file) = file {
                    loop {
                        match ctx.read_file(file, 65_536) {
                            Ok(Read::Data(more)) => data.extend(more),
                            Ok(Read::Wait(wait)) => {
                                self.waiting = Waiting::Substitution {
                                    pid,
                                    file: Some(file),
                                    data,
                                    quoted,
                                };
                                return Some(wait);
                            }
                            Ok(Read::End) | Err(_) => break,
                        }
                        if data.len() > MAX_SUBSTITUTION {
                            break;
                        }
                    }
                    ctx.kernel.release(file);
                }
                match ctx.try_wait(pid) {
                    Some(status) => {
                        self.substituted = Some(status.code);
                        self.status = status.code;
                        let text = String::from_utf8_lossy(&data).replace('\0', "");
                        let text = text.trim_end_matches('\n');
                        self.builder().value(text.into(), quoted);
                        None
                    }
                    None => {
                        self.waiting = Waiting::Substitution {
                            pid,
                            file: None,
                            data,
                            quoted,
                        };
                        Some(Wait::Child(pid, None))
                    }
                }
            }
            Waiting::Line {
                names,
                raw,
                data,
                until,
                limit,
                delimiter,
                fd,
            } => self.read_line(ctx, names, raw, data, until, limit, delimiter, fd),
            Waiting::Jobs { pids, mode } => self.wait_jobs(ctx, pids, mode),
        }
    }

    fn report_signal(&self, ctx: &mut Ctx<'_>, signal: u8) {
        if let Some(text) = signal_text(signal).filter(|_| !matches!(signal, 2 | 13)) {
            ctx.complain(text);
        }
    }

    pub(super) fn builder(&mut self) -> &mut Builder {
        if self.builders.is_empty() {
            self.builders.push(Builder::default());
        }
        let last = self.builders.len() - 1;
        &mut self.builders[last]
    }

    /// Takes the ends of jobs; a signal with a trap ends the wait with 128 + its number.
    fn wait_jobs(&mut self, ctx: &mut Ctx<'_>, pids: Vec<Pid>, mode: JobWait) -> Option<Wait> {
        if let Some(signal) = ctx.proc().pending.first() {
            self.status = 128 + i32::from(signal.0);
            return None;
        }
        self.poll_jobs(ctx);
        if mode == JobWait::Any {
            if let Some(job) = self.jobs.iter_mut().find(|job| job.status.is_some() && !job.waited) {
                job.waited = true;
                self.status = job.status.unwrap_or(0);
                return None;
            }
            if self.jobs.iter().all(|job| job.waited) {
                self.status = 127;
                return None;
            }
            self.waiting = Waiting::Jobs { pids, mode };
            return Some(Wait::AnyChild);
        }
        for &pid in &pids {
            match self.jobs.iter().find(|job| job.pid == pid).map(|job| job.status) {
                Some(None) => {
                    self.waiting = Waiting::Jobs { pids, mode };
                    return Some(Wait::Child(pid, None));
                }
                Some(Some(status)) => self.status = status,
                None => self.status = 127,
            }
        }
        if mode == JobWait::All {
            self.status = 0;
            self.jobs.retain(|job| !pids.contains(&job.pid));
        } else {
            for job in self.jobs.iter_mut().filter(|job| pids.contains(&job.pid)) {
                job.waited = true;
            }
        }
        None
    }

    /// Takes the ends of jobs that have ended.
    pub(super) fn poll_jobs(&mut self, ctx: &mut Ctx<'_>) {
        for job in &mut self.jobs {
            if job.status.is_none() {
                job.status = ctx.try_wait(job.pid).map(|status| status.code);
            }
        }
    }

    /// `read`: takes bytes up to the delimiter and not one more.
    #[allow(clippy::too_many_arguments, reason = "the fields of one state, taken apart")]
    fn read_line(
        &mut self,
        ctx: &mut Ctx<'_>,
        names: Vec<Arc<str>>,
        raw: bool,
        mut data: Vec<u8>,
        until: Option<SimTime>,
        limit: Option<usize>,
        delimiter: u8,
        fd: u32,
    ) -> Option<Wait> {
        let status = loop {
            let escaped = !raw && ends_in_backslash(&data);
            if limit.is_some_and(|limit| data.len() >= limit) {
                break 0;
            }
            let most = limit.map_or(4096, |limit| limit - data.len());
            match ctx.read(fd, most) {
                Ok(Read::Data(more)) => {
                    let end = more.iter().position(|&byte| byte == delimiter);
                    let Some(end) = end else {
                        data.extend(more);
                        if data.len() > MAX_SUBSTITUTION {
                            break 1;
                        }
                        continue;
                    };
                    ctx.unread(fd, &more[end + 1..]);
                    data.extend(&more[..end]);
                    let joined = if end == 0 {
                        escaped
                    } else {
                        !raw && ends_in_backslash(&data)
                    };
                    if joined {
                        // A backslash before the newline joins lines.
                        data.pop();
                        continue;
                    }
                    break 0;
                }
                Ok(Read::End) | Err(_) => break 1,
                Ok(Read::Wait(wait)) => {
                    if until.is_some_and(|until| until <= ctx.now()) {
                        break 1;
                    }
                    if !ctx.proc().pending.is_empty() {
                        // A trap runs at once; the line is read anew afterwards by whoever asks again.
                        let signal = ctx.proc().pending.first().map_or(0, |signal| signal.0);
                        ctx.unread(fd, &data);
                        self.status = 128 + i32::from(signal);
                        return None;
                    }
                    let wait = match wait {
                        Wait::Read(file, _) => Wait::Read(file, until),
                        wait => wait,
                    };
                    self.waiting = Waiting::Line {
                        names,
                        raw,
                        data,
                        until,
                        limit,
                        delimiter,
                        fd,
                    };
                    return Some(wait);
                }
            }
        };
        self.status = status;
        let line = String::from_utf8_lossy(&data).into_owned();
        let assigned = if names.is_empty() {
            // Without a name the line stays as it is.
            let line = if raw { line } else { unescaped(&line) };
            self.assign("REPLY", line.into())
        } else {
            super::builtins::assign_fields(self, &line, &names, raw)
        };
        if let Err(message) = assigned {
            self.complain(ctx, &message);
            self.status = 2;
        }
        None
    }
}

/// What a shell says of a process that a signal has ended.
pub(super) fn signal_text(signal: u8) -> Option<&'static str> {
    Some(match signal {
        1 => "Hangup",
        2 => "Interrupt",
        3 => "Quit",
        4 => "Illegal instruction",
        5 => "Trace/breakpoint trap",
        6 => "Aborted",
        7 => "Bus error",
        8 => "Arithmetic exception",
        9 => "Killed",
        10 => "User defined signal 1",
        11 => "Segmentation fault",
        12 => "User defined signal 2",
        13 => "Broken pipe",
        14 => "Alarm clock",
        15 => "Terminated",
        _ => return None,
    })
}

/// Bytes that a command substitution or a line may have.
const MAX_SUBSTITUTION: usize = 4 << 20;

/// A line without the backslashes that protect characters.
fn unescaped(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        text.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    text
}

fn ends_in_backslash(data: &[u8]) -> bool {
    data.iter().rev().take_while(|&&byte| byte == b'\\').count() % 2 == 1
}
