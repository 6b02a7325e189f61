//! `sort`, `uniq` and `wc`: lines in order, once, counted.

use std::sync::Arc;

use super::super::options::Options;
use super::Kind;
use super::start::{Made, parsed};
use crate::runtime::syscalls::{Ctx, Open};

pub(super) fn wc(arguments: &[Arc<str>]) -> Made {
    parsed("lwcmL", arguments, |options| {
        let files = options.operands.clone();
        Ok((
            files.clone(),
            Kind::Wc {
                options,
                counts: [0; 5],
                totals: [0; 5],
                files: files.len(),
                rows: Vec::new(),
            },
        ))
    })
}

pub(super) fn wc_line(options: &Options, counts: &[u64; 5], name: Option<&str>, wide: bool, out: &mut Vec<u8>) {
    let all = !['l', 'w', 'c', 'm', 'L'].iter().any(|letter| options.has(*letter));
    let mut shown = Vec::new();
    for (letter, count, default) in [
        ('l', counts[0], true),
        ('w', counts[1], true),
        ('m', counts[3], false),
        ('c', counts[2], true),
        ('L', counts[4], false),
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

pub(super) fn uniq_key(options: &Options, line: &[u8]) -> String {
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

pub(super) fn uniq_line(options: &Options, line: &[u8], count: u64, out: &mut Vec<u8>) {
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
pub(super) struct SortKey {
    pub(super) from: (usize, usize),
    pub(super) to: Option<(usize, usize)>,
    pub(super) flags: String,
}

pub(super) fn sort(ctx: &mut Ctx<'_>, options: &Options, lines: Vec<Vec<u8>>, out: &mut Vec<u8>, code: &mut i32) {
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
    let end = if options.has('z') { '\0' } else { '\n' };
    let text: String = lines.iter().map(|line| format!("{line}{end}")).collect();
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
pub(super) fn key_text<'a>(line: &'a str, key: &SortKey, separator: Option<char>) -> &'a str {
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

pub(super) fn compare_by(left: &str, right: &str, flags: &str) -> std::cmp::Ordering {
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
pub(super) fn number(text: &str, units: bool) -> f64 {
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

pub(super) fn version_key(text: &str) -> Vec<(String, u64)> {
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
