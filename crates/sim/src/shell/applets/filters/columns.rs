//! `cut`, `paste`, `expand` and `tr`: columns and characters.

use std::sync::Arc;

use super::super::options::Options;
use super::Kind;
use super::start::Made;

#[derive(Clone, Debug)]
pub(super) struct Cut {
    pub(super) ranges: Vec<(usize, usize)>,
    pub(super) delimiter: Option<char>,
    pub(super) output: String,
    pub(super) only_delimited: bool,
    pub(super) complement: bool,
}

pub(super) fn cut(arguments: &[Arc<str>]) -> Made {
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
    pub(super) fn chosen(&self, index: usize) -> bool {
        self.ranges.iter().any(|&(from, to)| from <= index && index <= to) != self.complement
    }

    pub(super) fn line(&self, line: &str) -> Option<String> {
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
pub(super) struct Tr {
    pub(super) from: Vec<char>,
    pub(super) to: Vec<char>,
    pub(super) complement: bool,
    pub(super) delete: bool,
    pub(super) squeeze: bool,
    pub(super) last: Option<char>,
}

pub(super) fn tr(arguments: &[Arc<str>]) -> Made {
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
pub(super) fn tr_set(text: &str) -> Vec<char> {
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

pub(super) fn expand_ranges(plain: &mut Vec<(char, bool)>, set: &mut Vec<char>) {
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
    pub(super) fn text(&mut self, text: &str, out: &mut Vec<u8>) {
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

/// `paste`: the lines of several files beside one another.
pub(super) fn paste(files: &[Vec<String>], delimiters: &[char], out: &mut Vec<u8>) {
    // The last one is the file that did not begin any more.
    let files = files.strip_suffix(&[Vec::new()]).unwrap_or(files);
    let rows = files.iter().map(Vec::len).max().unwrap_or(0);
    for row in 0..rows {
        let mut text = String::new();
        for (index, lines) in files.iter().enumerate() {
            if index > 0 {
                text.extend(delimiters.get((index - 1) % delimiters.len().max(1)));
            }
            text.push_str(lines.get(row).map_or("", String::as_str));
        }
        out.extend(text.bytes());
        out.push(b'\n');
    }
}

/// `expand`: tabs become blanks.
pub(super) fn expand(line: &str, stop: usize) -> String {
    let mut text = String::new();
    let mut column = 0;
    for c in line.chars() {
        if c == '\t' {
            let width = stop - column % stop;
            text.push_str(&" ".repeat(width));
            column += width;
        } else {
            text.push(c);
            column += 1;
        }
    }
    text
}

/// `unexpand`: blanks up to a tab stop become tabs; those at the beginning of the line, or all.
pub(super) fn unexpand(line: &str, stop: usize, all: bool) -> String {
    let mut text = String::new();
    let (mut column, mut blanks, mut leading) = (0, 0, true);
    for c in line.chars() {
        if c == ' ' && (leading || all) {
            column += 1;
            blanks += 1;
            if column % stop == 0 {
                text.push(if blanks > 1 { '\t' } else { ' ' });
                blanks = 0;
            }
            continue;
        }
        text.push_str(&" ".repeat(blanks));
        blanks = 0;
        text.push(c);
        column = if c == '\t' {
            (column / stop + 1) * stop
        } else {
            column + 1
        };
        leading &= c == '\t';
    }
    text.push_str(&" ".repeat(blanks));
    text
}
