//! Bytes as text: `base64`, `od`, `hexdump`, `xxd`, `strings`.

use base64::Engine;

use super::super::options::Options;
use crate::lenient64;

#[derive(Clone, Copy, Debug)]
pub(super) enum Dump {
    Od,
    Hexdump,
    Xxd,
    Strings,
}

/// What the text stands for; like busybox's it ends at the first character that cannot be.
pub(super) fn base64_decode(data: &[u8]) -> Vec<u8> {
    let digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let mut digits: Vec<u8> = data
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    digits.truncate(digits.iter().position(|byte| !digit(byte)).unwrap_or(digits.len()));
    // One digit alone is no byte yet.
    if digits.len() % 4 == 1 {
        digits.pop();
    }
    lenient64::STANDARD.decode(digits).unwrap_or_default()
}

pub(super) fn dump(data: &[u8], style: Dump, options: &Options, out: &mut Vec<u8>) {
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
        Dump::Od => od(data, options, out),
        Dump::Hexdump => hexdump(data, options, out),
        Dump::Xxd if options.has('p') => {
            for row in data.chunks(30) {
                out.extend(row.iter().map(|byte| format!("{byte:02x}")).collect::<String>().bytes());
                out.push(b'\n');
            }
        }
        Dump::Xxd => {
            for (index, row) in data.chunks(16).enumerate() {
                let pairs: Vec<String> = row
                    .chunks(2)
                    .map(|pair| pair.iter().map(|byte| format!("{byte:02x}")).collect())
                    .collect();
                out.extend(format!("{:08x}: {:<39}  {}\n", index * 16, pairs.join(" "), printable(row)).bytes());
            }
        }
    }
}

fn printable(row: &[u8]) -> String {
    row.iter()
        .map(|&byte| {
            if (b' '..=b'~').contains(&byte) {
                char::from(byte)
            } else {
                '.'
            }
        })
        .collect()
}

/// Rows of 16 bytes; rows that are like the one before are one `*` unless all are wanted.
fn rows(data: &[u8], all: bool, out: &mut Vec<u8>, show: impl Fn(usize, &[u8]) -> String) {
    let mut last: Option<&[u8]> = None;
    let mut starred = false;
    for (index, row) in data.chunks(16).enumerate() {
        if !all && last == Some(row) && row.len() == 16 {
            if !std::mem::replace(&mut starred, true) {
                out.extend(b"*\n");
            }
            continue;
        }
        starred = false;
        last = Some(row);
        out.extend(show(index * 16, row).bytes());
    }
}

/// `hexdump`: words; with `-C` bytes and their text.
fn hexdump(data: &[u8], options: &Options, out: &mut Vec<u8>) {
    let most = options
        .value('n')
        .and_then(|most| most.parse().ok())
        .unwrap_or(data.len());
    let data = &data[..most.min(data.len())];
    let canonical = options.has('C');
    rows(data, options.has('v'), out, |at, row| {
        if canonical {
            let half = |row: &[u8]| {
                row.iter()
                    .map(|byte| format!("{byte:02x}"))
                    .collect::<Vec<_>>()
                    .join(" ")
            };
            let (left, right) = row.split_at(row.len().min(8));
            format!(
                "{at:08x}  {:<23}  {:<23}  |{}|\n",
                half(left),
                half(right),
                printable(row)
            )
        } else {
            let words: String = row
                .chunks(2)
                .map(|pair| format!(" {:02x}{:02x}", pair.get(1).copied().unwrap_or(0), pair[0]))
                .collect();
            format!("{at:07x}{words:<40}\n")
        }
    });
    if !data.is_empty() {
        let width = if canonical { 8 } else { 7 };
        out.extend(format!("{:0width$x}\n", data.len()).bytes());
    }
}

/// `od`: by default words in octal; `-c` characters, `-x` words in hexadecimal, `-t x1` bytes.
pub(super) fn od(data: &[u8], options: &Options, out: &mut Vec<u8>) {
    let kind = match options.value('t') {
        _ if options.has('c') => "c",
        _ if options.has('x') => "x2",
        _ if options.has('b') => "o1",
        _ if options.has('d') => "u2",
        Some(kind) => kind,
        None => "o2",
    };
    let data = &data[..options
        .value('N')
        .and_then(|most| most.parse().ok())
        .unwrap_or(data.len())
        .min(data.len())];
    let address = |at: usize| match options.value('A') {
        Some("n") => String::new(),
        Some("d") => format!("{at:07}"),
        Some("x") => format!("{at:06x}"),
        _ => format!("{at:07o}"),
    };
    let byte = |byte: u8| match kind {
        "c" => match byte {
            0 => "  \\0".to_owned(),
            b'\n' => "  \\n".to_owned(),
            b'\t' => "  \\t".to_owned(),
            b'\r' => "  \\r".to_owned(),
            b' '..=b'~' => format!("   {}", char::from(byte)),
            byte => format!(" {byte:03o}"),
        },
        "x1" => format!(" {byte:02x}"),
        "d1" | "u1" => format!(" {byte:>3}"),
        _ => format!(" {byte:03o}"),
    };
    rows(data, options.has('v'), out, |at, row| {
        let text: String = match kind {
            "x2" | "o2" | "x" | "o" | "d2" | "u2" => {
                let word = |pair: &[u8]| u16::from(pair[0]) | u16::from(pair.get(1).copied().unwrap_or(0)) << 8;
                let show = |value: u16| match kind {
                    "x2" | "x" => format!(" {value:04x}"),
                    "d2" | "u2" => format!(" {value:>5}"),
                    _ => format!(" {value:06o}"),
                };
                row.chunks(2).map(|pair| show(word(pair))).collect()
            }
            _ => row.iter().map(|&one| byte(one)).collect(),
        };
        format!("{}{text}\n", address(at))
    });
    let end = address(data.len());
    if !end.is_empty() {
        out.extend(format!("{end}\n").bytes());
    }
}
