//! Filters: applets that read files or standard input and write to standard output. One driver feeds them lines or pieces,
//! so that a pipe flows as it does in reality: `tail -f log | grep x` prints each line when it comes.

use std::collections::VecDeque;
use std::sync::Arc;

use super::input::{Input, Line, Piece};
use super::options::Options;
use super::sed::Sed;
use super::{Applet, duration, run};
use crate::runtime::files::Errno;
use crate::runtime::kernel::{FileId, Wait};
use crate::runtime::syscalls::{Ctx, Open, Step};
use crate::shell::regex::Regex;
use crate::time::SimDuration;

/// A filter under way.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    input: Input,
    kind: Kind,
    out: Vec<u8>,
    code: i32,
    /// It ends when what it has written is taken.
    done: bool,
}

#[derive(Clone, Debug)]
enum Kind {
    Cat {
        number: bool,
        count: u64,
        ends: bool,
    },
    Head {
        lines: Option<u64>,
        bytes: Option<u64>,
        left: u64,
        headers: bool,
        first: bool,
        drop_last: Option<usize>,
        kept: VecDeque<Vec<u8>>,
    },
    Tail(Tail),
    Grep(Box<Grep>),
    Wc {
        options: Options,
        counts: [u64; 4],
        totals: [u64; 4],
        files: usize,
        rows: Vec<([u64; 4], Arc<str>)>,
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
        data: Vec<u8>,
    },
    Base64 {
        decode: bool,
        wrap: usize,
        data: Vec<u8>,
    },
    Paste {
        serial: bool,
        delimiter: char,
        row: Vec<String>,
    },
    Sed(Box<Sed>),
    Dump {
        data: Vec<u8>,
        style: Dump,
    },
}

#[derive(Clone, Copy, Debug)]
enum Dump {
    Od,
    Hex,
    Strings,
}

/// How often `tail -f` looks whether a file has grown.
const FOLLOW_EVERY: SimDuration = SimDuration::from_secs(1);

/// Starts one of these applets.
pub(super) fn start(name: &str, arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Option<Step> {
    let result = match name {
        "cat" => cat(arguments),
        "head" => head(arguments),
        "tail" => tail(arguments),
        "grep" | "egrep" | "fgrep" => grep(name, arguments),
        "wc" => wc(arguments),
        "sort" => parsed("nrufk:t:o:csbdghiMVzm", arguments, |options| {
            Ok((
                options.operands.clone(),
                Kind::Sort {
                    options,
                    lines: Vec::new(),
                },
            ))
        }),
        "uniq" => parsed("cdiuf:s:w:z", arguments, |options| {
            Ok((
                options.operands.iter().take(1).cloned().collect(),
                Kind::Uniq {
                    options,
                    last: None,
                    count: 0,
                },
            ))
        }),
        "cut" => cut(arguments),
        "tr" => tr(arguments),
        "tee" => tee(arguments, ctx),
        "nl" => parsed("b:w:s:", arguments, |options| {
            Ok((options.operands, Kind::Nl { count: 0 }))
        }),
        "tac" | "rev" => parsed("", arguments, |options| {
            Ok((
                options.operands,
                Kind::Reverse {
                    lines: Vec::new(),
                    within: name == "rev",
                },
            ))
        }),
        "fold" => parsed("w:bs", arguments, |options| {
            let width = options
                .value('w')
                .and_then(|width| width.parse().ok())
                .unwrap_or(80)
                .max(1);
            Ok((options.operands, Kind::Fold { width }))
        }),
        "md5sum" | "sha1sum" | "sha256sum" | "sha512sum" | "cksum" | "crc32" => {
            ctx.notice(&format!("not simulated: the digests of {name} are not the real ones"));
            parsed("c", arguments, |options| {
                Ok((
                    options.operands,
                    Kind::Digest {
                        name: name.into(),
                        data: Vec::new(),
                    },
                ))
            })
        }
        "base64" => parsed("dw:", arguments, |options| {
            let wrap = options.value('w').and_then(|wrap| wrap.parse().ok()).unwrap_or(76);
            Ok((
                options.operands.clone(),
                Kind::Base64 {
                    decode: options.has('d'),
                    wrap,
                    data: Vec::new(),
                },
            ))
        }),
        "paste" => parsed("sd:", arguments, |options| {
            let delimiter = options
                .value('d')
                .and_then(|value| {
                    if value == "\\n" {
                        Some('\n')
                    } else {
                        value.chars().next()
                    }
                })
                .unwrap_or('\t');
            Ok((
                options.operands.clone(),
                Kind::Paste {
                    serial: options.has('s'),
                    delimiter,
                    row: Vec::new(),
                },
            ))
        }),
        "sed" => Sed::new(arguments, ctx).map(|(files, sed)| (files, Kind::Sed(Box::new(sed)))),
        "od" => parsed("A:t:cxbdvN:", arguments, |options| {
            Ok((
                options.operands,
                Kind::Dump {
                    data: Vec::new(),
                    style: Dump::Od,
                },
            ))
        }),
        "hexdump" | "xxd" | "hd" => parsed("Cpn:v", arguments, |options| {
            Ok((
                options.operands,
                Kind::Dump {
                    data: Vec::new(),
                    style: Dump::Hex,
                },
            ))
        }),
        "strings" => parsed("n:", arguments, |options| {
            Ok((
                options.operands,
                Kind::Dump {
                    data: Vec::new(),
                    style: Dump::Strings,
                },
            ))
        }),
        "less" | "more" => parsed("", arguments, |options| {
            Ok((
                options.operands,
                Kind::Cat {
                    number: false,
                    count: 0,
                    ends: false,
                },
            ))
        }),
        _ => return None,
    };
    Some(match result {
        Ok((files, kind)) => {
            let mut input = Input::new(&files);
            if let Kind::Sort { options, .. } | Kind::Uniq { options, .. } = &kind
                && options.has('z')
            {
                input.delimiter = 0;
            }
            if let Kind::Grep(grep) = &kind {
                input.quiet = grep.options.has('s');
            }
            run(Applet::Filter(Filter {
                input,
                kind,
                out: Vec::new(),
                code: 0,
                done: false,
            }))
        }
        Err((code, message)) => {
            ctx.complain(&format!("{name}: {message}"));
            Step::Exit(code)
        }
    })
}

type Made = Result<(Vec<Arc<str>>, Kind), (i32, String)>;

fn parsed(letters: &str, arguments: &[Arc<str>], make: impl FnOnce(Options) -> Made) -> Made {
    make(Options::parse(letters, &[], arguments).map_err(|message| (1, message))?)
}

fn cat(arguments: &[Arc<str>]) -> Made {
    parsed("nbuvteTAE", arguments, |options| {
        let number = options.has('n') || options.has('b');
        Ok((
            options.operands.clone(),
            Kind::Cat {
                number,
                count: 0,
                ends: options.has('E') || options.has('e') || options.has('A'),
            },
        ))
    })
}

/// `-5` for `-n 5`, as old scripts write it.
fn old_style(arguments: &[Arc<str>]) -> Vec<Arc<str>> {
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

fn head(arguments: &[Arc<str>]) -> Made {
    parsed("n:c:qv", &old_style(arguments), |options| {
        let mut lines = Some(10);
        let mut drop_last = None;
        let mut bytes = None;
        if let Some(text) = options.value('n') {
            match text.strip_prefix('-') {
                Some(count) => drop_last = Some(count.parse().map_err(|_| (1, format!("invalid number '{text}'")))?),
                None => {
                    lines = Some(super::waiters::size(text).ok_or_else(|| (1, format!("invalid number '{text}'")))?)
                }
            }
        }
        if let Some(text) = options.value('c') {
            bytes = Some(super::waiters::size(text).ok_or_else(|| (1, format!("invalid number '{text}'")))?);
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
                kept: VecDeque::new(),
            },
        ))
    })
}

#[derive(Clone, Debug)]
struct Tail {
    lines: Option<u64>,
    bytes: Option<u64>,
    from_start: bool,
    headers: bool,
    follow: Option<Vec<(Arc<str>, u64)>>,
    seen: u64,
    kept: VecDeque<Vec<u8>>,
    first: bool,
    names: Vec<Arc<str>>,
    every: SimDuration,
    following: bool,
}

fn tail(arguments: &[Arc<str>]) -> Made {
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
            kept: VecDeque::new(),
            first: true,
            names: options.operands.clone(),
            every: options.value('s').and_then(duration).unwrap_or(FOLLOW_EVERY),
            following: false,
        };
        for letter in ['n', 'c'] {
            let Some(text) = options.value(letter) else { continue };
            tail.from_start = text.starts_with('+');
            let count = super::waiters::size(text.trim_start_matches(['+', '-']))
                .ok_or_else(|| (1, format!("invalid number '{text}'")))?;
            (tail.lines, tail.bytes) = if letter == 'n' {
                (Some(count), None)
            } else {
                (None, Some(count))
            };
        }
        Ok((options.operands, Kind::Tail(tail)))
    })
}

#[derive(Clone, Debug)]
struct Grep {
    options: Options,
    patterns: Vec<Regex>,
    names: bool,
    count: u64,
    number: u64,
    matched: bool,
    before: VecDeque<(u64, Vec<u8>)>,
    after: u64,
    context: (u64, u64),
    last_printed: u64,
}

fn grep(name: &str, arguments: &[Arc<str>]) -> Made {
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
    ];
    let mut options =
        Options::parse("ivcqEFGonrRue:f:m:wxlLhHsA:B:C:aP", &long, arguments).map_err(|message| (2, message))?;
    let mut patterns: Vec<String> = options.values('e').map(str::to_owned).collect();
    if patterns.is_empty() {
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
    let files = options.operands.clone();
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

impl Grep {
    /// Where a line matches first, from an offset on.
    fn find(&self, line: &str, from: usize) -> Option<(usize, usize)> {
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

    fn prefix(&self, name: &str, number: u64, separator: char) -> String {
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
    fn line(&mut self, line: &[u8], name: &str, out: &mut Vec<u8>) -> bool {
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

    fn file_end(&mut self, name: &str, out: &mut Vec<u8>) {
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

fn wc(arguments: &[Arc<str>]) -> Made {
    parsed("lwcmL", arguments, |options| {
        let files = options.operands.clone();
        Ok((
            files.clone(),
            Kind::Wc {
                options,
                counts: [0; 4],
                totals: [0; 4],
                files: files.len(),
                rows: Vec::new(),
            },
        ))
    })
}

#[derive(Clone, Debug)]
struct Cut {
    ranges: Vec<(usize, usize)>,
    delimiter: Option<char>,
    output: String,
    only_delimited: bool,
    complement: bool,
}

fn cut(arguments: &[Arc<str>]) -> Made {
    let options = Options::parse(
        "d:f:c:b:sno:",
        &[
            ("output-delimiter", 'o'),
            ("delimiter", 'd'),
            ("fields", 'f'),
            ("characters", 'c'),
            ("complement", 'n'),
        ],
        arguments,
    )
    .map_err(|message| (1, message))?;
    let list = options.value('f').or(options.value('c')).or(options.value('b'));
    let Some(list) = list else {
        return Err((1, "expected a list of bytes, characters, or fields".to_owned()));
    };
    let mut ranges = Vec::new();
    for part in list.split([',', ' ']) {
        let bad = || (1, format!("bad list '{list}'"));
        let (from, to) = part.split_once('-').map_or((part, part), |range| range);
        let from = if from.is_empty() {
            1
        } else {
            from.parse().map_err(|_| bad())?
        };
        let to = if to.is_empty() {
            usize::MAX
        } else {
            to.parse().map_err(|_| bad())?
        };
        if from == 0 || to < from {
            return Err(bad());
        }
        ranges.push((from, to));
    }
    let delimiter = options.has('f').then(|| {
        options
            .value('d')
            .and_then(|value| value.chars().next())
            .unwrap_or('\t')
    });
    let output = options
        .value('o')
        .map_or_else(|| delimiter.map(String::from).unwrap_or_default(), str::to_owned);
    let complement = arguments.iter().any(|argument| &**argument == "--complement");
    Ok((
        options.operands.clone(),
        Kind::Cut(Cut {
            ranges,
            delimiter,
            output,
            only_delimited: options.has('s'),
            complement,
        }),
    ))
}

impl Cut {
    fn chosen(&self, index: usize) -> bool {
        self.ranges.iter().any(|&(from, to)| from <= index && index <= to) != self.complement
    }

    fn line(&self, line: &str) -> Option<String> {
        match self.delimiter {
            None => Some(
                line.chars()
                    .enumerate()
                    .filter(|(index, _)| self.chosen(index + 1))
                    .map(|(_, c)| c)
                    .collect(),
            ),
            Some(delimiter) if !line.contains(delimiter) => (!self.only_delimited).then(|| line.to_owned()),
            Some(delimiter) => {
                let fields: Vec<&str> = line
                    .split(delimiter)
                    .enumerate()
                    .filter(|(index, _)| self.chosen(index + 1))
                    .map(|(_, field)| field)
                    .collect();
                Some(fields.join(&self.output))
            }
        }
    }
}

#[derive(Clone, Debug)]
struct Tr {
    from: Vec<char>,
    to: Vec<char>,
    complement: bool,
    delete: bool,
    squeeze: bool,
    last: Option<char>,
}

fn tr(arguments: &[Arc<str>]) -> Made {
    let options = Options::parse("+cCdst", &[], arguments).map_err(|message| (1, message))?;
    let Some(from) = options.operands.first() else {
        return Err((1, "missing operand".to_owned()));
    };
    let to = options.operands.get(1);
    let delete = options.has('d');
    let squeeze = options.has('s');
    if to.is_none() && !delete && !squeeze {
        return Err((1, format!("missing operand after '{from}'")));
    }
    let tr = Tr {
        from: tr_set(from),
        to: to.map(|to| tr_set(to)).unwrap_or_default(),
        complement: options.has('c') || options.has('C'),
        delete,
        squeeze,
        last: None,
    };
    Ok((Vec::new(), Kind::Tr(Box::new(tr))))
}

/// The characters of a set such as `a-z`, `[:upper:]`, `\n`.
fn tr_set(text: &str) -> Vec<char> {
    let chars: Vec<char> = text.chars().collect();
    let mut plain: Vec<(char, bool)> = Vec::new();
    let mut set = Vec::new();
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        at += 1;
        if c == '\\' {
            let Some(&next) = chars.get(at) else { break };
            at += 1;
            let value = match next {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                'a' => '\x07',
                'b' => '\x08',
                'f' => '\x0c',
                'v' => '\x0b',
                '0'..='7' => {
                    let mut value = next as u32 - '0' as u32;
                    for _ in 0..2 {
                        if let Some(digit) = chars.get(at).and_then(|c| c.to_digit(8)) {
                            value = value * 8 + digit;
                            at += 1;
                        }
                    }
                    char::from_u32(value).unwrap_or('\0')
                }
                other => other,
            };
            plain.push((value, true));
        } else if c == '[' && chars.get(at) == Some(&':') {
            let rest = &chars[at + 1..];
            match rest.windows(2).position(|pair| pair == [':', ']']) {
                Some(end) => {
                    let name: String = rest[..end].iter().collect();
                    let ranges = crate::shell::pattern::named_ranges(&name).unwrap_or_default();
                    expand_ranges(&mut plain, &mut set);
                    set.extend(ranges.into_iter().flat_map(|(low, high)| low..=high));
                    at += end + 3;
                }
                None => plain.push((c, false)),
            }
        } else {
            plain.push((c, false));
        }
    }
    expand_ranges(&mut plain, &mut set);
    set
}

fn expand_ranges(plain: &mut Vec<(char, bool)>, set: &mut Vec<char>) {
    let mut at = 0;
    while let Some(&(c, _)) = plain.get(at) {
        if let (Some(('-', false)), Some(&(high, _))) = (plain.get(at + 1), plain.get(at + 2))
            && high >= c
            && (high as u32 - c as u32) < 0x1_0000
        {
            set.extend(c..=high);
            at += 3;
        } else {
            set.push(c);
            at += 1;
        }
    }
    plain.clear();
}

impl Tr {
    fn text(&mut self, text: &str, out: &mut Vec<u8>) {
        let mut buffer = [0; 4];
        for c in text.chars() {
            let place = self.from.iter().rposition(|own| *own == c);
            let inside = place.is_some() != self.complement;
            if self.delete && inside {
                continue;
            }
            let mapped = if inside && !self.delete && !self.to.is_empty() {
                let index = place.unwrap_or(usize::MAX).min(self.to.len() - 1);
                self.to[index]
            } else {
                c
            };
            if self.squeeze {
                let squeezed = if self.to.is_empty() {
                    inside
                } else {
                    self.to.contains(&mapped)
                };
                if squeezed && self.last == Some(mapped) {
                    continue;
                }
                self.last = Some(mapped);
            }
            out.extend_from_slice(mapped.encode_utf8(&mut buffer).as_bytes());
        }
    }
}

fn tee(arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Made {
    let options = Options::parse("ai", &[], arguments).map_err(|message| (1, message))?;
    let mut files = Vec::new();
    for operand in &options.operands {
        let how = if options.has('a') { Open::APPEND } else { Open::WRITE };
        match ctx.open(operand, how) {
            Ok(file) => {
                ctx.kernel.retain(file);
                files.push(file);
            }
            Err(error) => ctx.complain(&format!("tee: {operand}: {error}")),
        }
    }
    Ok((Vec::new(), Kind::Tee { files }))
}

impl Filter {
    /// Lets it run for a turn.
    pub fn step(&mut self, ctx: &mut Ctx<'_>) -> Step {
        if self.done {
            return self.finish(ctx);
        }
        let pieces = matches!(
            &self.kind,
            Kind::Cat {
                number: false,
                ends: false,
                ..
            } | Kind::Tr(_)
                | Kind::Tee { .. }
                | Kind::Digest { .. }
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
            Kind::Digest { data: all, .. } | Kind::Base64 { data: all, .. } | Kind::Dump { data: all, .. } => {
                all.extend(data);
                return all.len() > 16 << 20;
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
                    let mut all = tail.kept.pop_front().unwrap_or_default();
                    all.extend(data);
                    let start = all.len().saturating_sub(count);
                    tail.kept.push_back(all.split_off(start));
                }
            }
            _ => self.out.extend(data),
        }
        false
    }

    /// Takes a line; true when no more is wanted.
    fn line(&mut self, ctx: &mut Ctx<'_>, line: Vec<u8>, terminated: bool) -> bool {
        let out = &mut self.out;
        match &mut self.kind {
            Kind::Cat { number, count, ends } => {
                *count += 1;
                if *number {
                    out.extend(format!("{count:>6}\t").bytes());
                }
                out.extend(line);
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
                    kept.push_back(line);
                    if kept.len() > *drop
                        && let Some(line) = kept.pop_front()
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
                    self.input.stop(ctx);
                    return true;
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
                counts[3] += text.chars().count() as u64 + u64::from(terminated);
            }
            Kind::Sort { lines, .. } | Kind::Reverse { lines, within: false } => lines.push(line),
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
            Kind::Nl { count } => {
                if line.is_empty() {
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
            Kind::Paste { serial, delimiter, row } => {
                let text = String::from_utf8_lossy(&line).into_owned();
                if *serial {
                    row.push(text);
                } else {
                    out.extend(text.bytes());
                    out.push(b'\n');
                    let _ = delimiter;
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
                for (total, count) in totals.iter_mut().zip(counts.iter()) {
                    *total += count;
                }
                rows.push((std::mem::take(counts), Arc::clone(name)));
            }
            Kind::Head { lines, left, first, .. } => {
                *left = lines.unwrap_or(0);
                *first = true;
            }
            Kind::Tail(tail) => tail.file_end(name, self.input.begun, out),
            Kind::Paste {
                serial: true,
                delimiter,
                row,
            } => {
                out.extend(row.join(&delimiter.to_string()).bytes());
                out.push(b'\n');
                row.clear();
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
            Kind::Digest { name, data } => {
                let digest = digest(name, data);
                out.extend(format!("{digest}  -\n").bytes());
            }
            Kind::Base64 { decode, wrap, data } => {
                if *decode {
                    match base64_decode(data) {
                        Some(bytes) => out.extend(bytes),
                        None => {
                            ctx.complain("base64: invalid input");
                            self.code = 1;
                        }
                    }
                } else {
                    let text = base64_encode(data);
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
            Kind::Dump { data, style } => dump(data, *style, out),
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

fn shown(name: &str) -> &str {
    if name == "-" { "standard input" } else { name }
}

impl Tail {
    fn line(&mut self, mut line: Vec<u8>, terminated: bool, name: &str, begun: usize, out: &mut Vec<u8>) {
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
        self.kept.push_back(line);
        if self.kept.len() as u64 > self.lines.unwrap_or(10) {
            self.kept.pop_front();
        }
    }

    fn header(&mut self, name: &str, begun: usize, out: &mut Vec<u8>) {
        if self.headers && std::mem::take(&mut self.first) {
            if begun > 1 {
                out.push(b'\n');
            }
            out.extend(format!("==> {} <==\n", shown(name)).bytes());
        }
    }

    fn file_end(&mut self, name: &str, begun: usize, out: &mut Vec<u8>) {
        self.header(name, begun, out);
        for line in std::mem::take(&mut self.kept) {
            out.extend(line);
        }
        self.seen = 0;
        self.first = true;
    }

    fn end(&mut self, ctx: &mut Ctx<'_>, out: &mut Vec<u8>) {
        for piece in std::mem::take(&mut self.kept) {
            out.extend(piece);
        }
        let Some(follow) = &mut self.follow else { return };
        for name in self.names.iter().filter(|name| &***name != "-") {
            let length = ctx.stat(name, true).map_or(0, |node| node.length());
            follow.push((Arc::clone(name), length));
        }
        self.following = true;
    }

    /// Prints what the followed files have grown by.
    fn follow_step(&mut self, ctx: &mut Ctx<'_>, out: &mut Vec<u8>) -> Step {
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

fn wc_line(options: &Options, counts: &[u64; 4], name: Option<&str>, wide: bool, out: &mut Vec<u8>) {
    let all = !['l', 'w', 'c', 'm'].iter().any(|letter| options.has(*letter));
    let mut shown = Vec::new();
    for (letter, count, default) in [
        ('l', counts[0], true),
        ('w', counts[1], true),
        ('m', counts[3], false),
        ('c', counts[2], true),
    ] {
        if options.has(letter) || all && default {
            shown.push(count);
        }
    }
    let pad = shown.len() > 1 || wide && name.is_some();
    let fields: Vec<String> = shown
        .iter()
        .map(|count| if pad { format!("{count:>9}") } else { count.to_string() })
        .collect();
    let name = name
        .filter(|name| *name != "-")
        .map(|name| format!(" {name}"))
        .unwrap_or_default();
    let line = format!("{}{name}\n", fields.join(" "));
    out.extend(line.bytes());
}

fn uniq_key(options: &Options, line: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(line).into_owned();
    if let Some(count) = options.value('f').and_then(|count| count.parse::<usize>().ok()) {
        for _ in 0..count {
            let rest = text.trim_start();
            text = rest[rest.find(char::is_whitespace).unwrap_or(rest.len())..].to_owned();
        }
    }
    if let Some(count) = options.value('s').and_then(|count| count.parse::<usize>().ok()) {
        text = text.chars().skip(count).collect();
    }
    if let Some(count) = options.value('w').and_then(|count| count.parse::<usize>().ok()) {
        text = text.chars().take(count).collect();
    }
    if options.has('i') { text.to_lowercase() } else { text }
}

fn uniq_line(options: &Options, line: &[u8], count: u64, out: &mut Vec<u8>) {
    if options.has('d') && count < 2 || options.has('u') && count > 1 {
        return;
    }
    if options.has('c') {
        out.extend(format!("{count:>7} ").bytes());
    }
    out.extend_from_slice(line);
    out.push(b'\n');
}

/// A sort key: `-k 2,3nr`.
struct SortKey {
    from: (usize, usize),
    to: Option<(usize, usize)>,
    flags: String,
}

fn sort(ctx: &mut Ctx<'_>, options: &Options, lines: Vec<Vec<u8>>, out: &mut Vec<u8>, code: &mut i32) {
    let mut lines: Vec<String> = lines
        .iter()
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect();
    let separator = options.value('t').and_then(|value| {
        if value == "\\t" {
            Some('\t')
        } else {
            value.chars().next()
        }
    });
    let global: String = "nrfdbgihMV".chars().filter(|letter| options.has(*letter)).collect();
    let keys: Vec<SortKey> = options
        .values('k')
        .map(|text| {
            let (from, to) = text.split_once(',').map_or((text, None), |(from, to)| (from, Some(to)));
            let place = |text: &str| {
                let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
                let (field, offset) = digits.split_once('.').unwrap_or((digits, "0"));
                (field.parse().unwrap_or(1), offset.parse().unwrap_or(0))
            };
            let flags: String = text.chars().filter(|c| c.is_ascii_alphabetic()).collect();
            SortKey {
                from: place(from),
                to: to.map(place),
                flags: if flags.is_empty() { global.clone() } else { flags },
            }
        })
        .collect();
    let compare = |left: &String, right: &String| {
        for key in &keys {
            let order = compare_by(
                key_text(left, key, separator),
                key_text(right, key, separator),
                &key.flags,
            );
            if order.is_ne() {
                return order;
            }
        }
        if keys.is_empty() {
            let order = compare_by(left, right, &global);
            if order.is_ne() {
                return order;
            }
        }
        if options.has('s') || options.has('u') {
            return std::cmp::Ordering::Equal;
        }
        let order = left.cmp(right);
        if options.has('r') { order.reverse() } else { order }
    };
    if options.has('c') {
        let sorted = lines.windows(2).all(|pair| compare(&pair[0], &pair[1]).is_le());
        *code = i32::from(!sorted);
        return;
    }
    ctx.spend((lines.len() / 4) as u32);
    lines.sort_by(compare);
    if options.has('u') {
        lines.dedup_by(|left, right| compare(left, right).is_eq());
    }
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    match options.value('o') {
        Some(path) => match ctx.open(path, Open::WRITE) {
            Ok(file) => {
                ctx.kernel.retain(file);
                let user = ctx.proc().user;
                let _ = ctx.kernel.write(file, text.as_bytes(), &mut *ctx.host, user);
                ctx.kernel.release(file);
            }
            Err(error) => {
                ctx.complain(&format!("sort: {path}: {error}"));
                *code = 2;
            }
        },
        None => out.extend(text.bytes()),
    }
}

/// The part of a line that a key names.
fn key_text<'a>(line: &'a str, key: &SortKey, separator: Option<char>) -> &'a str {
    let mut starts = vec![0];
    let mut ends = Vec::new();
    match separator {
        Some(separator) => {
            for (at, _) in line.match_indices(separator) {
                ends.push(at);
                starts.push(at + separator.len_utf8());
            }
        }
        None => {
            // A field begins with the blanks before it.
            let bytes = line.as_bytes();
            for at in 1..bytes.len() {
                if bytes[at].is_ascii_whitespace() && !bytes[at - 1].is_ascii_whitespace() {
                    ends.push(at);
                    starts.push(at);
                }
            }
        }
    }
    ends.push(line.len());
    let start = starts
        .get(key.from.0.saturating_sub(1))
        .map_or(line.len(), |start| start + key.from.1.saturating_sub(1));
    let end = match key.to {
        None => line.len(),
        Some((field, 0)) => ends.get(field.saturating_sub(1)).copied().unwrap_or(line.len()),
        Some((field, offset)) => starts
            .get(field.saturating_sub(1))
            .map_or(line.len(), |start| start + offset),
    };
    line.get(start.min(line.len())..end.clamp(start.min(line.len()), line.len()))
        .unwrap_or_default()
}

fn compare_by(left: &str, right: &str, flags: &str) -> std::cmp::Ordering {
    let has = |flag| flags.contains(flag);
    let (left, right) = if has('b') {
        (left.trim_start(), right.trim_start())
    } else {
        (left, right)
    };
    let order = if has('n') || has('g') || has('h') {
        number(left, has('h')).total_cmp(&number(right, has('h')))
    } else if has('V') {
        version_key(left).cmp(&version_key(right))
    } else if has('f') {
        left.to_uppercase().cmp(&right.to_uppercase())
    } else {
        left.cmp(right)
    };
    if has('r') { order.reverse() } else { order }
}

/// The number at the beginning of a text.
fn number(text: &str, units: bool) -> f64 {
    let text = text.trim_start();
    let end = text
        .char_indices()
        .find(|&(at, c)| !(c.is_ascii_digit() || c == '.' || at == 0 && matches!(c, '-' | '+')))
        .map_or(text.len(), |(at, _)| at);
    let value: f64 = text[..end].parse().unwrap_or(0.0);
    let unit = match text[end..].chars().next() {
        Some('K' | 'k') if units => 1e3,
        Some('M') if units => 1e6,
        Some('G') if units => 1e9,
        _ => 1.0,
    };
    value * unit
}

fn version_key(text: &str) -> Vec<(String, u64)> {
    let mut key = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let words = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let after = &rest[words..];
        let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        key.push((rest[..words].to_owned(), after[..digits].parse().unwrap_or(0)));
        rest = &after[digits..];
    }
    key
}

/// A digest that is the same for the same bytes and looks like one; the run's notices say that it is not the real one.
fn digest(name: &str, data: &[u8]) -> String {
    let digits = match name {
        "md5sum" => 32,
        "sha1sum" => 40,
        "sha512sum" => 128,
        "sha256sum" => 64,
        _ => 8,
    };
    let mut text = String::new();
    let mut state = 0xcbf2_9ce4_8422_2325u64;
    while text.len() < digits {
        for &byte in data {
            state = (state ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
        state = (state ^ state >> 29).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        text.push_str(&format!("{state:016x}"));
    }
    text.truncate(digits);
    text
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn base64_encode(data: &[u8]) -> String {
    let mut text = String::new();
    for group in data.chunks(3) {
        let value = group.iter().enumerate().fold(0u32, |value, (index, byte)| {
            value | u32::from(*byte) << (16 - 8 * index)
        });
        for index in 0..4 {
            let letter = BASE64[(value >> (18 - 6 * index) & 63) as usize];
            text.push(if index <= group.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

fn base64_decode(data: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let (mut value, mut bits) = (0u32, 0);
    for &byte in data.iter().filter(|byte| !byte.is_ascii_whitespace()) {
        if byte == b'=' {
            break;
        }
        let digit = BASE64.iter().position(|own| *own == byte)?;
        value = value << 6 | digit as u32;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((value >> bits & 0xff) as u8);
        }
    }
    Some(bytes)
}

fn dump(data: &[u8], style: Dump, out: &mut Vec<u8>) {
    match style {
        Dump::Strings => {
            for run in data
                .split(|byte| !(b' '..=b'~').contains(byte))
                .filter(|run| run.len() >= 4)
            {
                out.extend_from_slice(run);
                out.push(b'\n');
            }
        }
        Dump::Od | Dump::Hex => {
            for (index, row) in data.chunks(16).enumerate() {
                let hex: Vec<String> = row.iter().map(|byte| format!("{byte:02x}")).collect();
                let text: String = row
                    .iter()
                    .map(|&byte| {
                        if (b' '..=b'~').contains(&byte) {
                            char::from(byte)
                        } else {
                            '.'
                        }
                    })
                    .collect();
                let line = match style {
                    Dump::Od => format!("{:07o} {}\n", index * 16, hex.join(" ")),
                    _ => format!("{:08x}  {:<48} |{text}|\n", index * 16, hex.join(" ")),
                };
                out.extend(line.bytes());
            }
            if !data.is_empty() {
                out.extend(match style {
                    Dump::Od => format!("{:07o}\n", data.len()).into_bytes(),
                    _ => format!("{:08x}\n", data.len()).into_bytes(),
                });
            }
        }
    }
}
