//! `grep`: lines that match.

use std::collections::VecDeque;
use std::sync::Arc;

use super::super::options::Options;
use super::Kind;
use super::start::Made;
use crate::runtime::files::Content;
use crate::runtime::syscalls::Ctx;
use crate::shell::regex::Regex;

/// Directories within one another, and files, that `-r` looks into.
const MAX_DEPTH: u32 = 64;
const MAX_FILES: usize = 20_000;

#[derive(Clone, Debug)]
pub(super) struct Grep {
    pub(super) options: Options,
    pub(super) patterns: Vec<Regex>,
    pub(super) names: bool,
    pub(super) count: u64,
    pub(super) number: u64,
    pub(super) matched: bool,
    pub(super) before: VecDeque<(u64, Vec<u8>)>,
    pub(super) after: u64,
    pub(super) context: (u64, u64),
    pub(super) last_printed: u64,
}

pub(super) fn grep(name: &str, arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Made {
    let long = [
        ("ignore-case", 'i'),
        ("invert-match", 'v'),
        ("count", 'c'),
        ("quiet", 'q'),
        ("silent", 'q'),
        ("extended-regexp", 'E'),
        ("fixed-strings", 'F'),
        ("only-matching", 'o'),
        ("line-number", 'n'),
        ("recursive", 'r'),
        ("line-buffered", 'u'),
        ("color", 'u'),
        ("max-count", 'm'),
        ("word-regexp", 'w'),
        ("files-with-matches", 'l'),
        ("no-filename", 'h'),
        ("with-filename", 'H'),
        ("regexp", 'e'),
        ("file", 'f'),
        ("after-context", 'A'),
        ("before-context", 'B'),
        ("context", 'C'),
        ("line-regexp", 'x'),
        ("no-messages", 's'),
        ("text", 'a'),
        ("perl-regexp", 'P'),
        ("files-without-match", 'L'),
    ];
    let mut options =
        Options::parse("ivcqEFGonrRue:f:m:wxlLhHsA:B:C:aP", &long, arguments).map_err(|message| (2, message))?;
    let mut patterns: Vec<String> = options.values('e').map(str::to_owned).collect();
    for path in options.values('f') {
        let text = ctx.slurp(path).map_err(|error| (2, format!("{path}: {error}")))?;
        patterns.extend(String::from_utf8_lossy(&text).lines().map(str::to_owned));
    }
    if patterns.is_empty() && !options.has('f') {
        if options.operands.is_empty() {
            return Err((2, "usage: grep [OPTIONS] PATTERN [FILE]...".to_owned()));
        }
        patterns.push(options.operands.remove(0).to_string());
    }
    let fixed = options.has('F') || name == "fgrep";
    let extended = options.has('E') || options.has('P') || name == "egrep";
    let mut compiled = Vec::new();
    for pattern in patterns.iter().flat_map(|pattern| pattern.split('\n')) {
        let regex = if fixed {
            Regex::fixed(pattern)
        } else {
            Regex::new(pattern, extended).map_err(|error| (2, format!("bad regex '{pattern}': {error}")))?
        };
        compiled.push(regex.ignoring_case(options.has('i')));
    }
    let number = |letter: char| options.value(letter).and_then(|value| value.parse::<u64>().ok());
    let context = (
        number('B').or(number('C')).unwrap_or(0),
        number('A').or(number('C')).unwrap_or(0),
    );
    let names = (options.operands.len() > 1 || options.has('H') || options.has('r')) && !options.has('h');
    let mut files = options.operands.clone();
    if options.has('r') || options.has('R') {
        if files.is_empty() {
            files.push(".".into());
        }
        let mut found = Vec::new();
        for path in &files {
            below(ctx, path, 0, &mut found);
        }
        files = found;
        if files.is_empty() {
            files.push("/dev/null".into());
        }
    }
    let grep = Grep {
        options,
        patterns: compiled,
        names,
        count: 0,
        number: 0,
        matched: false,
        before: VecDeque::new(),
        after: 0,
        context,
        last_printed: 0,
    };
    Ok((files, Kind::Grep(Box::new(grep))))
}

/// The files below a path.
fn below(ctx: &mut Ctx<'_>, path: &str, depth: u32, found: &mut Vec<Arc<str>>) {
    let directory = ctx.stat(path, depth == 0).is_ok_and(|node| node.is_directory());
    if !directory {
        found.push(path.into());
        return;
    }
    if depth > MAX_DEPTH || found.len() > MAX_FILES {
        ctx.complain(&format!(
            "grep: {path}: more than {MAX_DEPTH} levels or {MAX_FILES} files"
        ));
        return;
    }
    for name in ctx.list(path).unwrap_or_default() {
        let child = format!("{}/{name}", path.trim_end_matches('/'));
        let followed = ctx.stat(&child, false);
        // Links below are not followed, devices are no text.
        if followed.is_ok_and(|node| node.is_directory() || matches!(node.content, Content::File { .. })) {
            below(ctx, &child, depth + 1, found);
        }
    }
}

impl Grep {
    /// Where a line matches first, from an offset on.
    pub(super) fn find(&self, line: &str, from: usize) -> Option<(usize, usize)> {
        let mut best: Option<(usize, usize)> = None;
        for pattern in &self.patterns {
            let mut at = from;
            while let Some((start, end)) = pattern.find(line, at).and_then(|captures| captures[0]) {
                let word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
                let bad_word = self.options.has('w')
                    && (word(line[..start].chars().next_back()) || word(line[end..].chars().next()));
                let bad_line = self.options.has('x') && (start, end) != (0, line.len());
                if bad_word || bad_line {
                    match line[start..].chars().next() {
                        Some(c) => at = start + c.len_utf8(),
                        None => break,
                    }
                    continue;
                }
                if best.is_none_or(|(own, own_end)| start < own || start == own && end > own_end) {
                    best = Some((start, end));
                }
                break;
            }
        }
        best
    }

    pub(super) fn prefix(&self, name: &str, number: u64, separator: char) -> String {
        let mut prefix = String::new();
        if self.names {
            prefix.push_str(if name == "-" { "(standard input)" } else { name });
            prefix.push(separator);
        }
        if self.options.has('n') {
            prefix.push_str(&format!("{number}{separator}"));
        }
        prefix
    }

    /// Takes a line; true when nothing more has to be read of this file.
    pub(super) fn line(&mut self, line: &[u8], name: &str, out: &mut Vec<u8>) -> bool {
        self.number += 1;
        let text = String::from_utf8_lossy(line).into_owned();
        let found = self.find(&text, 0);
        if found.is_some() == self.options.has('v') {
            let quiet =
                self.options.has('c') || self.options.has('l') || self.options.has('q') || self.options.has('L');
            if self.after > 0 && !quiet {
                self.after -= 1;
                self.last_printed = self.number;
                out.extend(format!("{}{text}\n", self.prefix(name, self.number, '-')).bytes());
            } else if self.context.0 > 0 {
                self.before.push_back((self.number, line.to_vec()));
                if self.before.len() as u64 > self.context.0 {
                    self.before.pop_front();
                }
            }
            return false;
        }
        self.count += 1;
        self.matched = true;
        if self.options.has('q') {
            return true;
        }
        if self.options.has('l') {
            out.extend(format!("{name}\n").bytes());
            return true;
        }
        if self.options.has('L') {
            return true;
        }
        if !self.options.has('c') {
            let context = self.context != (0, 0);
            let first = self.before.front().map_or(self.number, |(number, _)| *number);
            if context && self.last_printed > 0 && first > self.last_printed + 1 {
                out.extend(b"--\n");
            }
            for (number, line) in std::mem::take(&mut self.before) {
                out.extend(self.prefix(name, number, '-').bytes());
                out.extend(line);
                out.push(b'\n');
            }
            self.after = self.context.1;
            self.last_printed = self.number;
            let prefix = self.prefix(name, self.number, ':');
            match found {
                Some(mut hit) if self.options.has('o') => loop {
                    if hit.1 > hit.0 {
                        out.extend(format!("{prefix}{}\n", &text[hit.0..hit.1]).bytes());
                    }
                    let next = if hit.1 > hit.0 {
                        Some(hit.1)
                    } else {
                        text[hit.1..].chars().next().map(|c| hit.1 + c.len_utf8())
                    };
                    match next
                        .filter(|next| *next <= text.len())
                        .and_then(|next| self.find(&text, next))
                    {
                        Some(next) => hit = next,
                        None => break,
                    }
                },
                _ => {
                    out.extend(prefix.bytes());
                    out.extend_from_slice(line);
                    out.push(b'\n');
                }
            }
        }
        self.options
            .value('m')
            .and_then(|most| most.parse::<u64>().ok())
            .is_some_and(|most| self.count >= most)
    }

    pub(super) fn file_end(&mut self, name: &str, out: &mut Vec<u8>) {
        if self.options.has('c') {
            out.extend(
                format!(
                    "{}{}\n",
                    if self.names { format!("{name}:") } else { String::new() },
                    self.count
                )
                .bytes(),
            );
        }
        if self.options.has('L') && self.count == 0 {
            out.extend(format!("{name}\n").bytes());
        }
        self.count = 0;
        self.number = 0;
        self.before.clear();
        self.after = 0;
    }
}
