//! `awk`: files, commands and input. What may have to wait is an *effect*.
//!
//! A program is a tree that is walked, and a walk cannot stop in the middle. So when an effect has to wait, the walk of the
//! rule is given up, the variables are put back to what they were before it, and when what it waits for is there the rule
//! is walked anew: effects that were done already give what they gave, without being done again.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::super::input::{Input, Line};
use super::Awk;
use super::tree::Output;
use crate::runtime::kernel::{FileId, Pid, Wait};
use crate::runtime::syscalls::{Ctx, Open};
use crate::shell::program::Program;
use crate::shell::regex::Regex;

/// What an effect gave.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    Done,
    Failed,
    End,
    Line(Arc<str>),
    Number(i32),
    Child(Pid),
}

/// What an effect gives, or what it waits for.
pub(super) type Answer = Result<Reply, Wait>;

/// Something that is read line by line.
#[derive(Clone, Debug)]
struct Reader {
    input: Input,
    child: Option<Pid>,
}

/// Everything outside of a program's variables.
#[derive(Clone, Debug, Default)]
pub(super) struct Io {
    /// Files and assignments that are still to be read.
    pub operands: VecDeque<Arc<str>>,
    /// Whether one of them was a file.
    pub had_file: bool,
    pub input: Option<Input>,
    /// A file was begun whose name and line count the program has not seen yet.
    pub begun: Option<Arc<str>>,
    /// Assignments among the operands that are due.
    pub assignments: Vec<Arc<str>>,
    pub failed: bool,
    files: BTreeMap<Arc<str>, FileId>,
    commands: BTreeMap<Arc<str>, (Pid, FileId)>,
    readers: BTreeMap<Arc<str>, Reader>,
    closing: Option<Pid>,
}

impl Awk {
    /// Does an effect, or gives what it gave before; `None` when it waits and the walk is over.
    pub(super) fn effect(
        &mut self,
        ctx: &mut Ctx<'_>,
        act: impl FnOnce(&mut Io, &mut Ctx<'_>) -> Answer,
    ) -> Option<Reply> {
        if self.blocked.is_some() {
            return None;
        }
        if let Some(reply) = self.effects.get(self.next_effect) {
            self.next_effect += 1;
            return Some(reply.clone());
        }
        ctx.spend(2);
        match act(&mut self.io, ctx) {
            Ok(reply) => {
                if self.program.waits {
                    self.effects.push(reply.clone());
                    self.next_effect += 1;
                }
                Some(reply)
            }
            Err(wait) => {
                self.blocked = Some(wait);
                // Ends the walk; it is put back with the other variables.
                self.vars.exit = Some(0);
                None
            }
        }
    }

    /// Writes out what was printed, as before a command runs.
    pub(super) fn flush(&mut self, ctx: &mut Ctx<'_>, out: &[u8]) {
        if self.blocked.is_some() || self.next_effect < self.effects.len() {
            return;
        }
        let mut bytes = std::mem::take(&mut self.out);
        bytes.extend_from_slice(out.get(self.flushed..).unwrap_or_default());
        self.flushed = out.len();
        let _ = ctx.write(1, &bytes);
    }
}

/// The end of a child: its status.
pub(super) fn wait_for(ctx: &mut Ctx<'_>, child: Pid) -> Answer {
    match ctx.try_wait(child) {
        Some(status) => Ok(Reply::Number(status.code)),
        None => Err(Wait::Child(child, None)),
    }
}

impl Io {
    pub(super) fn new(operands: VecDeque<Arc<str>>) -> Self {
        Self {
            operands,
            ..Self::default()
        }
    }

    /// Starts a shell with a command.
    pub(super) fn start(&mut self, ctx: &mut Ctx<'_>, command: &str, fds: &[(u32, FileId)]) -> Answer {
        let argv: Arc<[Arc<str>]> = ["sh", "-c", command].into_iter().map(Arc::from).collect();
        let shell = Program::Start { name: "sh".into() };
        Ok(match ctx.spawn(shell, argv, fds) {
            Some(child) => Reply::Child(child),
            None => {
                ctx.complain("awk: can't fork: Resource temporarily unavailable");
                Reply::Failed
            }
        })
    }

    pub(super) fn print(&mut self, ctx: &mut Ctx<'_>, how: Output, target: &Arc<str>, text: &[u8]) -> Answer {
        let file = if how == Output::Command {
            match self.commands.get(target) {
                Some((_, file)) => *file,
                None => {
                    let (read, write) = ctx.pipe();
                    ctx.kernel.retain(read);
                    ctx.kernel.retain(write);
                    let child = self.start(ctx, target, &[(0, read)]);
                    ctx.kernel.release(read);
                    let Ok(Reply::Child(child)) = child else {
                        ctx.kernel.release(write);
                        return Ok(Reply::Failed);
                    };
                    self.commands.insert(Arc::clone(target), (child, write));
                    write
                }
            }
        } else {
            match self.files.get(target) {
                Some(file) => *file,
                None => match ctx.open(
                    target,
                    if how == Output::Append {
                        Open::APPEND
                    } else {
                        Open::WRITE
                    },
                ) {
                    Ok(file) => {
                        ctx.kernel.retain(file);
                        self.files.insert(Arc::clone(target), file);
                        file
                    }
                    Err(error) => {
                        ctx.complain(&format!("awk: {target}: {error}"));
                        return Ok(Reply::Failed);
                    }
                },
            }
        };
        let _ = ctx.write_file(file, text);
        Ok(Reply::Done)
    }

    pub(super) fn line_of_file(&mut self, ctx: &mut Ctx<'_>, path: &Arc<str>, separator: &str) -> Answer {
        if !self.readers.contains_key(path) {
            if ctx.stat(path, true).is_err() && !path.starts_with("/dev/") && &**path != "-" {
                return Ok(Reply::Failed);
            }
            let mut input = Input::new(&[Arc::clone(path)]);
            input.quiet = true;
            self.readers.insert(Arc::clone(path), Reader { input, child: None });
        }
        self.read(ctx, path, separator)
    }

    pub(super) fn line_of_command(&mut self, ctx: &mut Ctx<'_>, command: &Arc<str>, separator: &str) -> Answer {
        if !self.readers.contains_key(command) {
            let (read, write) = ctx.pipe();
            ctx.kernel.retain(write);
            let input = Input::of_file(ctx, read);
            let child = self.start(ctx, command, &[(1, write)]);
            ctx.kernel.release(write);
            let child = match child {
                Ok(Reply::Child(child)) => Some(child),
                _ => None,
            };
            self.readers.insert(Arc::clone(command), Reader { input, child });
        }
        self.read(ctx, command, separator)
    }

    fn read(&mut self, ctx: &mut Ctx<'_>, name: &str, separator: &str) -> Answer {
        let Some(reader) = self.readers.get_mut(name) else {
            return Ok(Reply::End);
        };
        loop {
            return match record(&mut reader.input, ctx, separator) {
                Line::Text(line, _) => Ok(Reply::Line(String::from_utf8_lossy(&line).as_ref().into())),
                Line::Wait(wait) => Err(wait),
                Line::FileEnd(_) => continue,
                Line::End => Ok(Reply::End),
            };
        }
    }

    pub(super) fn close(&mut self, ctx: &mut Ctx<'_>, name: &str) -> Answer {
        let child = match self.closing.take() {
            Some(child) => Some(child),
            None => {
                let mut known = false;
                if let Some(file) = self.files.remove(name) {
                    ctx.kernel.release(file);
                    known = true;
                }
                let mut child = None;
                if let Some((pid, file)) = self.commands.remove(name) {
                    ctx.kernel.release(file);
                    child = Some(pid);
                }
                if let Some(mut reader) = self.readers.remove(name) {
                    reader.input.stop(ctx);
                    child = child.or(reader.child);
                    known = true;
                }
                if child.is_none() && !known {
                    return Ok(Reply::Failed);
                }
                child
            }
        };
        let Some(child) = child else {
            return Ok(Reply::Number(0));
        };
        let answer = wait_for(ctx, child);
        if answer.is_err() {
            self.closing = Some(child);
        }
        answer
    }

    /// Closes everything; waits for the commands that were written to.
    pub(super) fn close_all(&mut self, ctx: &mut Ctx<'_>) -> Option<Wait> {
        for file in std::mem::take(&mut self.files).into_values() {
            ctx.kernel.release(file);
        }
        for reader in std::mem::take(&mut self.readers).into_values() {
            let mut input = reader.input;
            input.stop(ctx);
        }
        for (name, (child, file)) in std::mem::take(&mut self.commands) {
            ctx.kernel.release(file);
            self.commands.insert(name, (child, u32::MAX));
        }
        while let Some((name, (child, _))) = self.commands.pop_first() {
            if let Err(wait) = wait_for(ctx, child) {
                self.commands.insert(name, (child, u32::MAX));
                return Some(wait);
            }
        }
        None
    }

    /// The next record of the program's input.
    pub(super) fn record(&mut self, ctx: &mut Ctx<'_>, separator: &str) -> Answer {
        loop {
            let Some(input) = &mut self.input else {
                let Some(operand) = self.operands.pop_front() else {
                    if std::mem::replace(&mut self.had_file, true) {
                        return Ok(Reply::End);
                    }
                    self.input = Some(Input::stdin());
                    self.begun = Some("".into());
                    continue;
                };
                let assigns = operand
                    .split_once('=')
                    .is_some_and(|(name, _)| crate::shell::machine::is_name(name));
                if assigns {
                    self.assignments.push(operand);
                    continue;
                }
                self.had_file = true;
                self.begun = Some(if &*operand == "-" {
                    "".into()
                } else {
                    Arc::clone(&operand)
                });
                self.input = Some(Input::new(&[operand]));
                continue;
            };
            match record(input, ctx, separator) {
                Line::Text(line, _) => return Ok(Reply::Line(String::from_utf8_lossy(&line).as_ref().into())),
                Line::Wait(wait) => return Err(wait),
                Line::FileEnd(_) => {}
                Line::End => {
                    self.failed |= input.failed;
                    self.input = None;
                }
            }
        }
    }

    /// Bytes of records that have not ended yet.
    pub(super) fn waiting(&self) -> u64 {
        let readers = self.readers.values().map(|reader| &reader.input);
        self.input.iter().chain(readers).map(Input::waiting).sum()
    }

    /// Open files that it holds.
    pub(super) fn open_files(&self, files: &mut Vec<FileId>) {
        let commands = self
            .commands
            .values()
            .map(|(_, file)| *file)
            .filter(|file| *file != u32::MAX);
        let readers = self.readers.values().filter_map(|reader| reader.input.file());
        files.extend(self.input.as_ref().and_then(Input::file));
        files.extend(self.files.values().copied().chain(commands).chain(readers));
    }

    /// `nextfile`
    pub(super) fn skip_file(&mut self, ctx: &mut Ctx<'_>) {
        if let Some(mut input) = self.input.take() {
            input.stop(ctx);
        }
    }
}

/// The next record of an input, ended as `RS` says: by a character, by blank lines, or by what a pattern matches.
fn record(input: &mut Input, ctx: &mut Ctx<'_>, separator: &str) -> Line {
    match separator.as_bytes() {
        [byte] => {
            input.delimiter = *byte;
            input.line(ctx)
        }
        [] => input.record(ctx, true, |text, ended| {
            let start = text.len() - text.trim_start_matches('\n').len();
            let rest = &text[start..];
            match rest.find("\n\n") {
                Some(at) => Some((start, start + at, start + at + 2)),
                None if ended => {
                    let length = rest.trim_end_matches('\n').len();
                    (length > 0).then_some((start, start + length, text.len()))
                }
                None => None,
            }
        }),
        _ => match Regex::new(separator, true) {
            Ok(regex) => input.record(ctx, false, |text, ended| {
                regex
                    .find(text, 0)
                    .and_then(|captures| captures[0])
                    // A match at the end of what is known so far may go on.
                    .filter(|(from, to)| to > from && (ended || *to < text.len()))
                    .map(|(from, to)| (0, from, to))
            }),
            Err(_) => input.line(ctx),
        },
    }
}
