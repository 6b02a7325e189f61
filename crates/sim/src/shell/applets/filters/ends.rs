//! `head` and `tail`: the beginning and the end of files.

use std::collections::VecDeque;
use std::sync::Arc;

use super::super::duration;
use super::super::waiters::size;
use super::Kind;
use super::start::{Made, parsed};
use crate::runtime::kernel::Wait;
use crate::runtime::syscalls::{Ctx, Open, Step};
use crate::time::SimDuration;

/// How often `tail -f` looks whether a file has grown.
pub(super) const FOLLOW_EVERY: SimDuration = SimDuration::from_secs(1);

/// `-5` for `-n 5`, as old scripts write it.
pub(super) fn old_style(arguments: &[Arc<str>]) -> Vec<Arc<str>> {
    let old = |argument: &str| {
        argument.len() > 1 && argument.starts_with('-') && argument[1..].chars().all(|c| c.is_ascii_digit())
    };
    match arguments.first() {
        Some(first) if old(first) => {
            let mut new: Vec<Arc<str>> = vec!["-n".into(), first[1..].into()];
            new.extend(arguments[1..].iter().cloned());
            new
        }
        _ => arguments.to_vec(),
    }
}

pub(super) fn head(arguments: &[Arc<str>]) -> Made {
    parsed("n:c:qv", &old_style(arguments), |options| {
        let mut lines = Some(10);
        let mut drop_last = None;
        let mut bytes = None;
        if let Some(text) = options.value('n') {
            match text.strip_prefix('-') {
                Some(count) => drop_last = Some(count.parse().map_err(|_| (1, format!("invalid number '{text}'")))?),
                None => lines = Some(size(text).ok_or_else(|| (1, format!("invalid number '{text}'")))?),
            }
        }
        if let Some(text) = options.value('c') {
            bytes = Some(size(text).ok_or_else(|| (1, format!("invalid number '{text}'")))?);
            lines = None;
        }
        let headers = options.operands.len() > 1 && !options.has('q') || options.has('v');
        let left = bytes.or(lines).unwrap_or(0);
        Ok((
            options.operands,
            Kind::Head {
                lines,
                bytes,
                left,
                headers,
                first: true,
                drop_last,
                kept: Kept::default(),
            },
        ))
    })
}

/// Lines that may still be wanted, the oldest first, and how many bytes they have.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    lines: VecDeque<Vec<u8>>,
    bytes: u64,
}

impl Kept {
    pub(super) fn push(&mut self, line: Vec<u8>) {
        self.bytes += line.len() as u64;
        self.lines.push_back(line);
    }

    pub(super) fn pop(&mut self) -> Option<Vec<u8>> {
        let line = self.lines.pop_front()?;
        self.bytes -= line.len() as u64;
        Some(line)
    }

    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn drain_into(&mut self, out: &mut Vec<u8>) {
        for line in self.lines.drain(..) {
            out.extend(line);
        }
        self.bytes = 0;
    }
}

#[derive(Clone, Debug)]
pub(super) struct Tail {
    pub(super) lines: Option<u64>,
    pub(super) bytes: Option<u64>,
    pub(super) from_start: bool,
    pub(super) headers: bool,
    pub(super) follow: Option<Vec<(Arc<str>, u64)>>,
    pub(super) seen: u64,
    pub(super) kept: Kept,
    pub(super) first: bool,
    pub(super) names: Vec<Arc<str>>,
    pub(super) every: SimDuration,
    pub(super) following: bool,
}

pub(super) fn tail(arguments: &[Arc<str>]) -> Made {
    let arguments: Vec<Arc<str>> = old_style(arguments)
        .iter()
        .map(|argument| {
            if &**argument == "--follow=name" {
                "-F".into()
            } else {
                Arc::clone(argument)
            }
        })
        .collect();
    parsed("n:c:fFqvs:", &arguments, |options| {
        let mut tail = Tail {
            lines: Some(10),
            bytes: None,
            from_start: false,
            headers: options.operands.len() > 1 && !options.has('q') || options.has('v'),
            follow: (options.has('f') || options.has('F')).then(Vec::new),
            seen: 0,
            kept: Kept::default(),
            first: true,
            names: options.operands.clone(),
            every: options.value('s').and_then(duration).unwrap_or(FOLLOW_EVERY),
            following: false,
        };
        for letter in ['n', 'c'] {
            let Some(text) = options.value(letter) else { continue };
            tail.from_start = text.starts_with('+');
            let count =
                size(text.trim_start_matches(['+', '-'])).ok_or_else(|| (1, format!("invalid number '{text}'")))?;
            (tail.lines, tail.bytes) = if letter == 'n' {
                (Some(count), None)
            } else {
                (None, Some(count))
            };
        }
        Ok((options.operands, Kind::Tail(tail)))
    })
}

pub(super) fn shown(name: &str) -> &str {
    if name == "-" { "standard input" } else { name }
}

impl Tail {
    pub(super) fn line(&mut self, mut line: Vec<u8>, terminated: bool, name: &str, begun: usize, out: &mut Vec<u8>) {
        if terminated {
            line.push(b'\n');
        }
        self.seen += 1;
        if self.from_start {
            self.header(name, begun, out);
            if self.seen >= self.lines.unwrap_or(1) {
                out.extend(line);
            }
            return;
        }
        self.kept.push(line);
        if self.kept.len() as u64 > self.lines.unwrap_or(10) {
            self.kept.pop();
        }
    }

    pub(super) fn header(&mut self, name: &str, begun: usize, out: &mut Vec<u8>) {
        if self.headers && std::mem::take(&mut self.first) {
            if begun > 1 {
                out.push(b'\n');
            }
            out.extend(format!("==> {} <==\n", shown(name)).bytes());
        }
    }

    pub(super) fn file_end(&mut self, name: &str, begun: usize, out: &mut Vec<u8>) {
        self.header(name, begun, out);
        self.kept.drain_into(out);
        self.seen = 0;
        self.first = true;
    }

    pub(super) fn end(&mut self, ctx: &mut Ctx<'_>, out: &mut Vec<u8>) {
        self.kept.drain_into(out);
        let Some(follow) = &mut self.follow else { return };
        for name in self.names.iter().filter(|name| &***name != "-") {
            let length = ctx.stat(name, true).map_or(0, |node| node.length());
            follow.push((Arc::clone(name), length));
        }
        self.following = true;
    }

    /// Prints what the followed files have grown by.
    pub(super) fn follow_step(&mut self, ctx: &mut Ctx<'_>, out: &mut Vec<u8>) -> Step {
        let Some(follow) = &mut self.follow else {
            return Step::Exit(0);
        };
        if follow.is_empty() {
            return Step::Exit(0);
        }
        for (name, offset) in follow.iter_mut() {
            let Ok(node) = ctx.stat(name, true) else { continue };
            // The null device and the like never grow.
            let length = node.length();
            if length < *offset {
                *offset = 0;
            }
            if length > *offset
                && let Ok(file) = ctx.open(name, Open::READ)
            {
                ctx.kernel.retain(file);
                if let Some(open) = ctx.kernel.files.get_mut(&file) {
                    open.offset = *offset;
                }
                if let Ok(crate::runtime::syscalls::Read::Data(data)) = ctx.read_file(file, 1 << 20) {
                    *offset += data.len() as u64;
                    out.extend(data);
                }
                ctx.kernel.release(file);
            }
        }
        // A file that nobody can write to will not grow: wait for a signal.
        if follow.iter().all(|(name, _)| &**name == "/dev/null") {
            return Step::Wait(Wait::Signal);
        }
        Step::Wait(Wait::Until(ctx.now() + self.every))
    }
}
