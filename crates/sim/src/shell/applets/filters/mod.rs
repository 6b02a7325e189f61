//! Filters: applets that read files or standard input and write to standard output. One driver feeds them lines or pieces,
//! so that a pipe flows as it does in reality: `tail -f log | grep x` prints each line when it comes.

mod columns;
mod digest;
mod encoding;
mod ends;
mod grep;
mod sorting;
pub(super) mod start;

use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::archive::{self, Archiver};
use super::input::{Input, Line, Piece};
use super::options::Options;
use super::sed::Sed;
use crate::runtime::files::Errno;
use crate::runtime::kernel::FileId;
use crate::runtime::syscalls::{Ctx, Step};
use crate::shell::machine::APPLET_MEMORY;

use columns::{Cut, Tr};
use encoding::{Dump, base64_decode, dump};
use ends::{Kept, Tail, shown};
use grep::Grep;
use sorting::{sort, uniq_key, uniq_line, wc_line};

/// Bytes of lines that are kept to be sorted.
const MAX_HELD: u64 = 256 << 20;

/// A filter under way.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    input: Input,
    kind: Kind,
    out: Vec<u8>,
    code: i32,
    /// It ends when what it has written is taken.
    done: bool,
    /// Bytes of lines that it keeps to its end.
    held: u64,
}

#[derive(Clone, Debug)]
enum Kind {
    Cat {
        number: bool,
        count: u64,
        ends: bool,
        /// Whether empty lines are not numbered.
        filled: bool,
        /// Whether tabs, and whether other control characters are made visible.
        tabs: bool,
        visible: bool,
    },
    Head {
        lines: Option<u64>,
        bytes: Option<u64>,
        left: u64,
        headers: bool,
        first: bool,
        drop_last: Option<usize>,
        kept: Kept,
    },
    Tail(Tail),
    Grep(Box<Grep>),
    Wc {
        options: Options,
        counts: [u64; 5],
        totals: [u64; 5],
        files: usize,
        rows: Vec<([u64; 5], Arc<str>)>,
    },
    Sort {
        options: Options,
        lines: Vec<Vec<u8>>,
    },
    Uniq {
        options: Options,
        last: Option<Vec<u8>>,
        count: u64,
    },
    Cut(Cut),
    Tr(Box<Tr>),
    Tee {
        files: Vec<FileId>,
    },
    Nl {
        count: u64,
        all: bool,
    },
    Reverse {
        lines: Vec<Vec<u8>>,
        within: bool,
    },
    Fold {
        width: usize,
    },
    Digest {
        name: Arc<str>,
        options: Options,
        data: Vec<u8>,
    },
    Archive {
        archiver: Archiver,
        data: Vec<u8>,
    },
    Expand {
        stop: usize,
        back: bool,
        all: bool,
    },
    LineEnds {
        dos: bool,
    },
    Shuffle {
        lines: Vec<Vec<u8>>,
        most: usize,
    },
    Base64 {
        decode: bool,
        wrap: usize,
        data: Vec<u8>,
    },
    Paste {
        serial: bool,
        delimiters: Vec<char>,
        /// Lines by file.
        rows: Vec<Vec<String>>,
        /// Among how many files the lines of standard input are dealt out.
        dealt: usize,
    },
    Sed(Box<Sed>),
    Dump {
        data: Vec<u8>,
        style: Dump,
        options: Options,
    },
}

impl Filter {
    /// Open files that it holds.
    pub fn files(&self, files: &mut Vec<FileId>) {
        files.extend(self.input.file());
        if let Kind::Tee { files: own } = &self.kind {
            files.extend(own);
        }
    }

    /// Lets it run for a turn.
    pub fn step(&mut self, ctx: &mut Ctx<'_>) -> Step {
        let step = self.turn(ctx);
        let kept = match &self.kind {
            Kind::Digest { data, .. }
            | Kind::Base64 { data, .. }
            | Kind::Dump { data, .. }
            | Kind::Archive { data, .. } => data.len() as u64,
            Kind::Tail(tail) => tail.kept.bytes(),
            Kind::Head { kept, .. } => kept.bytes(),
            _ => 0,
        };
        ctx.track_memory(APPLET_MEMORY + self.held + self.input.waiting() + kept);
        step
    }

    fn turn(&mut self, ctx: &mut Ctx<'_>) -> Step {
        if self.done {
            return self.finish(ctx);
        }
        let pieces = matches!(
            &self.kind,
            Kind::Cat {
                number: false,
                ends: false,
                tabs: false,
                visible: false,
                ..
            } | Kind::Tr(_)
                | Kind::Tee { .. }
                | Kind::Digest { .. }
                | Kind::Archive { .. }
                | Kind::Base64 { .. }
                | Kind::Dump { .. }
        ) || matches!(
            &self.kind,
            Kind::Head { bytes: Some(_), .. } | Kind::Tail(Tail { bytes: Some(_), .. })
        );
        loop {
            if ctx.steps == 0 || self.out.len() > 32_768 {
                return self.flush(ctx, Step::Yield);
            }
            if let Kind::Tail(tail) = &mut self.kind
                && tail.following
            {
                let step = tail.follow_step(ctx, &mut self.out);
                return self.flush(ctx, step);
            }
            if pieces {
                match self.input.chunk(ctx) {
                    Piece::Data(data) => {
                        if self.piece(data, ctx) {
                            self.input.stop(ctx);
                            break;
                        }
                    }
                    Piece::FileEnd(name) => self.file_end(&name),
                    Piece::Wait(wait) => return self.flush(ctx, Step::Wait(wait)),
                    Piece::End => break,
                }
                continue;
            }
            ctx.spend(1);
            match self.input.line(ctx) {
                Line::Text(line, terminated) => {
                    if self.line(ctx, line, terminated) {
                        break;
                    }
                }
                Line::FileEnd(name) => self.file_end(&name),
                Line::Wait(wait) => return self.flush(ctx, Step::Wait(wait)),
                Line::End => break,
            }
        }
        self.end(ctx);
        if let Kind::Tail(tail) = &self.kind
            && tail.following
        {
            return self.flush(ctx, Step::Yield);
        }
        self.done = true;
        self.finish(ctx)
    }

    fn flush(&mut self, ctx: &mut Ctx<'_>, step: Step) -> Step {
        let out = std::mem::take(&mut self.out);
        match ctx.write(1, &out) {
            Err(Errno::Pipe) => Step::Exit(1),
            // What waits to be taken keeps the process from its next turn.
            _ if !ctx.proc().out.is_empty() => Step::Yield,
            _ => step,
        }
    }

    fn finish(&mut self, ctx: &mut Ctx<'_>) -> Step {
        let code = if self.input.failed && self.code == 0 && !matches!(self.kind, Kind::Grep(_)) {
            1
        } else {
            self.code
        };
        if self.out.is_empty() {
            return Step::Exit(code);
        }
        self.flush(ctx, Step::Exit(code))
    }

    /// Takes a piece; true when no more is wanted.
    fn piece(&mut self, data: Vec<u8>, ctx: &mut Ctx<'_>) -> bool {
        match &mut self.kind {
            Kind::Tr(tr) => tr.text(&String::from_utf8_lossy(&data), &mut self.out),
            Kind::Digest { data: all, .. }
            | Kind::Base64 { data: all, .. }
            | Kind::Dump { data: all, .. }
            | Kind::Archive { data: all, .. } => {
                all.extend(data);
                let full = all.len() as u64 > archive::MAX_BYTES;
                if full {
                    let bytes = archive::MAX_BYTES;
                    ctx.notice(&format!(
                        "not simulated: what a program that needs its whole input reads beyond {bytes} bytes"
                    ));
                }
                return full;
            }
            Kind::Tee { files } => {
                let user = ctx.proc().user;
                for file in files.iter() {
                    let _ = ctx.kernel.write(*file, &data, &mut *ctx.host, user);
                }
                self.out.extend(data);
            }
            Kind::Head { left, .. } => {
                let taken = data.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                self.out.extend_from_slice(&data[..taken]);
                *left -= taken as u64;
                if *left == 0 {
                    ctx.unread(0, &data[taken..]);
                    return true;
                }
            }
            Kind::Tail(tail) => {
                let count = usize::try_from(tail.bytes.unwrap_or(0)).unwrap_or(usize::MAX);
                if tail.from_start {
                    let skip = (count as u64)
                        .saturating_sub(1)
                        .saturating_sub(tail.seen)
                        .min(data.len() as u64) as usize;
                    tail.seen += data.len() as u64;
                    self.out.extend_from_slice(&data[skip..]);
                } else {
                    let mut all = tail.kept.pop().unwrap_or_default();
                    all.extend(data);
                    let start = all.len().saturating_sub(count);
                    tail.kept.push(all.split_off(start));
                }
            }
            _ => self.out.extend(data),
        }
        false
    }

    /// Takes a line; true when no more is wanted.
    #[allow(clippy::collapsible_match, reason = "a guard may not change what it looks at")]
    fn line(&mut self, ctx: &mut Ctx<'_>, line: Vec<u8>, terminated: bool) -> bool {
        let out = &mut self.out;
        match &mut self.kind {
            Kind::Cat {
                number,
                count,
                ends,
                filled,
                tabs,
                visible,
            } => {
                if *number && !(*filled && line.is_empty()) {
                    *count += 1;
                    out.extend(format!("{count:>6}\t").bytes());
                }
                for byte in line {
                    match byte {
                        b'\t' if *tabs => out.extend(b"^I"),
                        b'\t' => out.push(b'\t'),
                        0..32 if *visible => out.extend([b'^', byte + 64]),
                        127 if *visible => out.extend(b"^?"),
                        128.. if *visible => {
                            out.extend(b"M-");
                            match byte & 127 {
                                low @ 0..32 => out.extend([b'^', low + 64]),
                                127 => out.extend(b"^?"),
                                low => out.push(low),
                            }
                        }
                        byte => out.push(byte),
                    }
                }
                if *ends && terminated {
                    out.push(b'$');
                }
                if terminated {
                    out.push(b'\n');
                }
            }
            Kind::Head {
                left,
                headers,
                first,
                drop_last,
                kept,
                ..
            } => {
                if *headers && *left > 0 && self.input.begun > 0 && std::mem::take(first) {
                    if self.input.begun > 1 {
                        out.push(b'\n');
                    }
                    out.extend(format!("==> {} <==\n", shown(&self.input.name())).bytes());
                }
                if let Some(drop) = drop_last {
                    kept.push(line);
                    if kept.len() > *drop
                        && let Some(line) = kept.pop()
                    {
                        out.extend(line);
                        out.push(b'\n');
                    }
                    return false;
                }
                if *left > 0 {
                    *left -= 1;
                    out.extend(line);
                    if terminated {
                        out.push(b'\n');
                    }
                }
                if *left == 0 && !*headers {
                    self.input.give_back(ctx);
                    if !self.input.has_more() {
                        self.input.stop(ctx);
                        return true;
                    }
                    let name = self.input.name();
                    self.input.close(ctx);
                    self.file_end(&name);
                }
            }
            Kind::Tail(tail) => tail.line(line, terminated, &self.input.name(), self.input.begun, out),
            Kind::Grep(grep) => {
                if grep.line(&line, &self.input.name(), out) {
                    if grep.options.has('q') {
                        self.input.stop(ctx);
                        return true;
                    }
                    let name = self.input.name();
                    self.input.close(ctx);
                    self.file_end(&name);
                }
            }
            Kind::Wc { counts, .. } => {
                let text = String::from_utf8_lossy(&line);
                counts[0] += u64::from(terminated);
                counts[1] += text.split_ascii_whitespace().count() as u64;
                counts[2] += line.len() as u64 + u64::from(terminated);
                let width = text.chars().count() as u64;
                counts[3] += width + u64::from(terminated);
                counts[4] = counts[4].max(width);
            }
            Kind::Sort { lines, .. } | Kind::Reverse { lines, within: false } | Kind::Shuffle { lines, .. } => {
                self.held += line.len() as u64 + 32;
                if self.held <= MAX_HELD {
                    lines.push(line);
                } else {
                    ctx.notice(&format!("not simulated: lines to sort beyond {MAX_HELD} bytes"));
                }
            }
            Kind::Reverse { within: true, .. } => {
                out.extend(String::from_utf8_lossy(&line).chars().rev().collect::<String>().bytes());
                out.push(b'\n');
            }
            Kind::Uniq { options, last, count } => {
                let key = |line: &[u8]| uniq_key(options, line);
                if last.as_ref().is_some_and(|last| key(last) == key(&line)) {
                    *count += 1;
                } else {
                    if let Some(last) = last.take() {
                        uniq_line(options, &last, *count, out);
                    }
                    *last = Some(line);
                    *count = 1;
                }
            }
            Kind::Cut(cut) => {
                if let Some(line) = cut.line(&String::from_utf8_lossy(&line)) {
                    out.extend(line.bytes());
                    out.push(b'\n');
                }
            }
            Kind::Nl { count, all } => {
                if line.is_empty() && !*all {
                    out.extend(b"       \n");
                } else {
                    *count += 1;
                    out.extend(format!("{count:>6}\t").bytes());
                    out.extend(line);
                    out.push(b'\n');
                }
            }
            Kind::Fold { width } => {
                let chars: Vec<char> = String::from_utf8_lossy(&line).chars().collect();
                for piece in chars.chunks(*width) {
                    out.extend(piece.iter().collect::<String>().bytes());
                    out.push(b'\n');
                }
                if chars.is_empty() {
                    out.push(b'\n');
                }
            }
            Kind::Paste { rows, .. } => {
                self.held += line.len() as u64 + 32;
                if let Some(rows) = rows.last_mut() {
                    rows.push(String::from_utf8_lossy(&line).into_owned());
                }
            }
            Kind::Expand { stop, back, all } => {
                let text = String::from_utf8_lossy(&line).into_owned();
                let text = if *back {
                    columns::unexpand(&text, *stop, *all)
                } else {
                    columns::expand(&text, *stop)
                };
                out.extend(text.bytes());
                if terminated {
                    out.push(b'\n');
                }
            }
            Kind::LineEnds { dos } => {
                let text = line.strip_suffix(b"\r").unwrap_or(&line);
                out.extend_from_slice(text);
                if terminated {
                    out.extend_from_slice(if *dos { b"\r\n" } else { b"\n" });
                }
            }
            Kind::Sed(sed) => {
                if sed.line(ctx, &String::from_utf8_lossy(&line), terminated, out) {
                    self.input.stop(ctx);
                    return true;
                }
            }
            _ => {}
        }
        false
    }

    fn file_end(&mut self, name: &Arc<str>) {
        let out = &mut self.out;
        match &mut self.kind {
            Kind::Grep(grep) => grep.file_end(name, out),
            Kind::Wc {
                counts, totals, rows, ..
            } => {
                let longest = totals[4].max(counts[4]);
                for (total, count) in totals.iter_mut().zip(counts.iter()) {
                    *total += count;
                }
                totals[4] = longest;
                rows.push((std::mem::take(counts), Arc::clone(name)));
            }
            Kind::Digest {
                name: own,
                options,
                data,
            } if !options.has('c') => {
                out.extend(digest::line(own, name, data).bytes());
                data.clear();
            }
            Kind::Head {
                lines,
                bytes,
                left,
                first,
                ..
            } => {
                *left = bytes.or(*lines).unwrap_or(0);
                *first = true;
            }
            Kind::Tail(tail) => tail.file_end(name, self.input.begun, out),
            Kind::Paste {
                serial,
                delimiters,
                rows,
                dealt,
            } => {
                if *serial {
                    let lines = rows.pop().unwrap_or_default();
                    let mut text = String::new();
                    for (index, line) in lines.iter().enumerate() {
                        if index > 0 {
                            text.extend(delimiters.get((index - 1) % delimiters.len().max(1)));
                        }
                        text.push_str(line);
                    }
                    out.extend(text.bytes());
                    out.push(b'\n');
                } else if *dealt > 1 && rows.len() == 1 {
                    let lines = rows.pop().unwrap_or_default();
                    *rows = vec![Vec::new(); *dealt];
                    for (index, line) in lines.into_iter().enumerate() {
                        rows[index % *dealt].push(line);
                    }
                    return;
                }
                rows.push(Vec::new());
            }
            _ => {}
        }
    }

    /// After all input.
    fn end(&mut self, ctx: &mut Ctx<'_>) {
        let out = &mut self.out;
        match &mut self.kind {
            Kind::Grep(grep) => {
                let failed = self.input.failed;
                self.code = match (grep.matched, failed) {
                    (true, _) if grep.options.has('q') => 0,
                    (_, true) => 2,
                    (matched, false) => i32::from(!matched),
                };
            }
            Kind::Wc {
                options,
                totals,
                rows,
                files,
                ..
            } => {
                for (counts, name) in rows.iter() {
                    wc_line(
                        options,
                        counts,
                        if *files == 0 { None } else { Some(name) },
                        rows.len() > 1,
                        out,
                    );
                }
                if rows.len() > 1 {
                    wc_line(options, totals, Some("total"), true, out);
                }
            }
            Kind::Sort { options, lines } => sort(ctx, options, std::mem::take(lines), out, &mut self.code),
            Kind::Reverse { lines, .. } => {
                for line in lines.iter().rev() {
                    out.extend_from_slice(line);
                    out.push(b'\n');
                }
            }
            Kind::Uniq { options, last, count } => {
                if let Some(last) = last.take() {
                    uniq_line(options, &last, *count, out);
                }
            }
            Kind::Archive { archiver, data } => match archiver.run(ctx, data) {
                Ok((code, bytes)) => {
                    self.code = code;
                    out.extend(bytes);
                }
                Err(message) => {
                    let name = ctx.proc().argv.first().cloned().unwrap_or_default();
                    ctx.complain(&format!("{}: {message}", name.rsplit('/').next().unwrap_or_default()));
                    self.code = 1;
                }
            },
            Kind::Digest { name, options, data } if options.has('c') => {
                self.code = digest::check(ctx, name, options, data, out);
            }
            Kind::Shuffle { lines, most } => {
                for index in (1..lines.len()).rev() {
                    let other = ctx.host.random(index as u64 + 1) as usize;
                    lines.swap(index, other);
                }
                for line in lines.iter().take(*most) {
                    out.extend_from_slice(line);
                    out.push(b'\n');
                }
            }
            Kind::Paste { rows, delimiters, .. } => columns::paste(rows, delimiters, out),
            Kind::Base64 { decode, wrap, data } => {
                if *decode {
                    out.extend(base64_decode(data));
                } else {
                    let text = BASE64_STANDARD.encode(data);
                    if *wrap == 0 {
                        out.extend(text.bytes());
                    } else {
                        for line in text.as_bytes().chunks(*wrap) {
                            out.extend_from_slice(line);
                            out.push(b'\n');
                        }
                    }
                }
            }
            Kind::Dump { data, style, options } => dump(data, *style, options, out),
            Kind::Tail(tail) => tail.end(ctx, out),
            Kind::Tee { files } => {
                for file in std::mem::take(files) {
                    ctx.kernel.release(file);
                }
            }
            Kind::Sed(sed) => self.code = sed.end(ctx, out),
            _ => {}
        }
    }
}
