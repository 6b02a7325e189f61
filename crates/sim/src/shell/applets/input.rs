//! Input of filters: files one after the other, or standard input, by pieces or by lines.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::runtime::kernel::{FileId, Wait};
use crate::runtime::syscalls::{Ctx, Open, Read};
use crate::time::SimDuration;

/// After so many bytes time passes: half a gigabyte is read in a second.
const BITE: usize = 1 << 20;
const BITE_TIME: SimDuration = SimDuration::from_millis(2);

/// A row of inputs.
#[derive(Clone, Debug)]
pub(super) struct Input {
    sources: VecDeque<Arc<str>>,
    current: Option<(FileId, Arc<str>)>,
    buffer: Vec<u8>,
    at: usize,
    /// Up to here no terminator was found.
    searched: usize,
    ended: bool,
    /// The terminator of lines: a newline, or a zero byte.
    pub delimiter: u8,
    /// A file could not be opened.
    pub failed: bool,
    /// Failures are not reported.
    pub quiet: bool,
    /// Files that were begun.
    pub begun: usize,
    /// Bytes of a line that are more than are kept.
    dropped: u64,
    /// Bytes that were read since time last passed.
    since_pause: usize,
}

/// A piece of input.
pub(super) enum Piece {
    Data(Vec<u8>),
    /// The end of one file; its name.
    FileEnd(Arc<str>),
    End,
    Wait(Wait),
}

/// A line of input.
pub(super) enum Line {
    /// Without its terminator, and whether it had one.
    Text(Vec<u8>, bool),
    /// The end of one file; its name.
    FileEnd(Arc<str>),
    /// The end of all.
    End,
    Wait(Wait),
}

/// Bytes of a line that are kept.
const MAX_LINE: usize = 32 << 20;

/// Bytes read at once.
const CHUNK: usize = 32_768;

impl Input {
    /// These files; standard input when there are none.
    pub fn new(sources: &[Arc<str>]) -> Self {
        let sources = if sources.is_empty() {
            VecDeque::from([Arc::from("-")])
        } else {
            sources.iter().cloned().collect()
        };
        Self {
            sources,
            current: None,
            buffer: Vec::new(),
            at: 0,
            searched: 0,
            ended: false,
            delimiter: b'\n',
            failed: false,
            quiet: false,
            begun: 0,
            dropped: 0,
            since_pause: 0,
        }
    }

    /// Bytes that wait for the end of their line.
    pub fn waiting(&self) -> u64 {
        (self.buffer.len() - self.at.min(self.buffer.len())) as u64 + self.dropped
    }

    /// Standard input.
    pub fn stdin() -> Self {
        Self::new(&[])
    }

    /// The name of the file that is read.
    pub fn name(&self) -> Arc<str> {
        self.current
            .as_ref()
            .map_or_else(|| "-".into(), |(_, name)| Arc::clone(name))
    }

    /// Opens the next source; false when there is none.
    fn open(&mut self, ctx: &mut Ctx<'_>) -> bool {
        while let Some(source) = self.sources.pop_front() {
            let file = if &*source == "-" {
                ctx.file(0)
            } else {
                ctx.open(&source, Open::READ)
            };
            let directory = ctx.stat(&source, true).is_ok_and(|node| node.is_directory()) && &*source != "-";
            match file {
                Ok(file) if !directory => {
                    ctx.kernel.retain(file);
                    self.current = Some((file, source));
                    self.begun += 1;
                    return true;
                }
                Ok(file) => {
                    ctx.kernel.retain(file);
                    ctx.kernel.release(file);
                    if !self.quiet {
                        complain(ctx, &source, "read error: Is a directory");
                    }
                }
                Err(_) if self.quiet => {}
                Err(error) => complain(ctx, &format!("can't open '{source}'"), &error.to_string()),
            }
            self.failed = true;
        }
        false
    }

    /// The open file that it holds.
    pub fn file(&self) -> Option<FileId> {
        self.current.as_ref().map(|(file, _)| *file)
    }

    /// Whether another source follows the present one.
    pub fn has_more(&self) -> bool {
        !self.sources.is_empty()
    }

    /// Closes what is open, and skips the rest of it.
    pub fn close(&mut self, ctx: &mut Ctx<'_>) {
        if let Some((file, _)) = self.current.take() {
            ctx.kernel.release(file);
        }
        self.buffer.clear();
        self.at = 0;
        self.searched = 0;
        self.dropped = 0;
        self.ended = false;
    }

    /// Closes everything: nothing more will be read.
    pub fn stop(&mut self, ctx: &mut Ctx<'_>) {
        self.close(ctx);
        self.sources.clear();
    }

    /// The next piece of all inputs.
    pub fn chunk(&mut self, ctx: &mut Ctx<'_>) -> Piece {
        loop {
            let Some((file, _)) = &self.current else {
                if self.open(ctx) {
                    continue;
                }
                return Piece::End;
            };
            match ctx.read_file(*file, CHUNK) {
                Ok(Read::Data(data)) => return Piece::Data(data),
                Ok(Read::Wait(wait)) => return Piece::Wait(wait),
                Ok(Read::End) => {
                    let name = self.name();
                    self.close(ctx);
                    return Piece::FileEnd(name);
                }
                Err(error) => {
                    let name = self.name();
                    complain(ctx, &name, &format!("read error: {error}"));
                    self.failed = true;
                    self.close(ctx);
                }
            }
        }
    }

    /// The next line.
    pub fn line(&mut self, ctx: &mut Ctx<'_>) -> Line {
        loop {
            let rest = &self.buffer[self.at..];
            let from = self.searched.saturating_sub(self.at).min(rest.len());
            // `contains` is fast also where nothing is optimized.
            let there = rest[from..].contains(&self.delimiter);
            let mut bytes = rest[from..].iter();
            if let Some(length) = there.then(|| bytes.position(|&byte| byte == self.delimiter)).flatten() {
                let line = rest[..from + length].to_vec();
                self.at += from + length + 1;
                return Line::Text(line, true);
            }
            self.searched = self.buffer.len();
            if self.ended {
                if !rest.is_empty() {
                    let line = rest.to_vec();
                    self.at = self.buffer.len();
                    return Line::Text(line, false);
                }
                let name = self.name();
                self.close(ctx);
                return Line::FileEnd(name);
            }
            if let Some(line) = self.fill(ctx) {
                return line;
            }
        }
    }

    /// A pipe or a file that is open already.
    pub fn of_file(ctx: &mut Ctx<'_>, file: FileId) -> Self {
        ctx.kernel.retain(file);
        let mut input = Self::new(&[]);
        input.sources.clear();
        input.current = Some((file, "-".into()));
        input
    }

    /// The next record, as `find` finds it in what is known so far: where its text begins and ends and where what follows
    /// begins; it is told whether all of the file is known. At the end, what is left is a record unless `whole`.
    pub fn record(
        &mut self,
        ctx: &mut Ctx<'_>,
        whole: bool,
        find: impl Fn(&str, bool) -> Option<(usize, usize, usize)>,
    ) -> Line {
        loop {
            let rest = self.buffer.get(self.at..).unwrap_or_default();
            // Bytes that are no text would move the places of what is found.
            let text = std::str::from_utf8(rest)
                .unwrap_or_else(|error| std::str::from_utf8(&rest[..error.valid_up_to()]).unwrap_or_default());
            if let Some((from, to, next)) = find(text, self.ended) {
                let line = rest[from..to].to_vec();
                self.at += next;
                return Line::Text(line, true);
            }
            if self.ended {
                let mut rest = rest.to_vec();
                self.at = self.buffer.len();
                if rest.last() == Some(&b'\n') {
                    rest.pop();
                }
                if !rest.is_empty() && !whole {
                    return Line::Text(rest, false);
                }
                let name = self.name();
                self.close(ctx);
                return Line::FileEnd(name);
            }
            if let Some(line) = self.fill(ctx) {
                return line;
            }
        }
    }

    /// Reads on; gives the end of all, or what it waits for.
    fn fill(&mut self, ctx: &mut Ctx<'_>) -> Option<Line> {
        self.buffer.drain(..self.at);
        self.searched = self.searched.saturating_sub(self.at);
        self.at = 0;
        let Some((file, _)) = &self.current else {
            return (!self.open(ctx)).then_some(Line::End);
        };
        let read = ctx.read_file(*file, CHUNK);
        if let Ok(Read::Data(data)) = &read {
            self.since_pause += data.len();
        }
        match read {
            Ok(Read::Data(data)) if self.buffer.len() > MAX_LINE => {
                // Its memory grows, ours does not; what follows a newline is kept again.
                if self.dropped == 0 {
                    ctx.notice(&format!("not simulated: what a line has beyond {MAX_LINE} bytes"));
                }
                self.dropped += data.len() as u64;
                let there = data.contains(&self.delimiter);
                let mut bytes = data.iter();
                if let Some(end) = there.then(|| bytes.position(|byte| *byte == self.delimiter)).flatten() {
                    self.buffer.extend(&data[end..]);
                    self.dropped = 0;
                }
            }
            Ok(Read::Data(data)) => self.buffer.extend(data),
            Ok(Read::Wait(wait)) => return Some(Line::Wait(wait)),
            Ok(Read::End) => self.ended = true,
            Err(error) => {
                let name = self.name();
                complain(ctx, &name, &format!("read error: {error}"));
                self.failed = true;
                self.ended = true;
            }
        }
        if self.since_pause >= BITE {
            // A line without an end must not keep the rest of the cluster waiting.
            self.since_pause = 0;
            return Some(Line::Wait(Wait::Until(ctx.now() + BITE_TIME)));
        }
        None
    }

    /// Gives back to a file or a pipe what was read but not used.
    pub fn give_back(&mut self, ctx: &mut Ctx<'_>) {
        let rest = self.buffer.split_off(self.at);
        if self.current.as_ref().is_some_and(|(_, name)| &**name == "-") && !rest.is_empty() {
            ctx.unread(0, &rest);
        }
        self.at = self.buffer.len();
    }
}

fn complain(ctx: &mut Ctx<'_>, what: &str, error: &str) {
    let own = ctx.proc().argv.first().cloned().unwrap_or_default();
    let own = own.rsplit('/').next().unwrap_or_default().to_owned();
    ctx.complain(&format!("{own}: {what}: {error}"));
}
