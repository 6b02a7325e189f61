//! Bytes as text: `base64`, `od`, `hexdump`, `strings` and the digests.

use super::super::options::Options;

#[derive(Clone, Copy, Debug)]
pub(super) enum Dump {
    Od,
    Hex,
    Strings,
}

/// A digest that is the same for the same bytes and looks like one; the run's notices say that it is not the real one.
pub(super) fn digest(name: &str, data: &[u8]) -> String {
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

pub(super) const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub(super) fn base64_encode(data: &[u8]) -> String {
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

pub(super) fn base64_decode(data: &[u8]) -> Option<Vec<u8>> {
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
        Dump::Hex => {
            for (index, row) in data.chunks(16).enumerate() {
                let hex: Vec<String> = row.iter().map(|byte| format!("{byte:02x}")).collect();
                let printable = |byte: u8| {
                    if (b' '..=b'~').contains(&byte) {
                        char::from(byte)
                    } else {
                        '.'
                    }
                };
                let text: String = row.iter().map(|&byte| printable(byte)).collect();
                out.extend(format!("{:08x}  {:<48} |{text}|\n", index * 16, hex.join(" ")).bytes());
            }
            if !data.is_empty() {
                out.extend(format!("{:08x}\n", data.len()).bytes());
            }
        }
    }
}

/// `od`: by default words in octal; `-c` characters, `-x` words in hexadecimal, `-t x1` bytes.
pub(super) fn od(data: &[u8], options: &Options, out: &mut Vec<u8>) {
    let kind = match options.value('t') {
        _ if options.has('c') => "c",
        _ if options.has('x') => "x2",
        _ if options.has('b') => "o1",
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
    for (index, row) in data.chunks(16).enumerate() {
        let text: String = match kind {
            "x2" | "o2" | "x" | "o" => {
                let word = |pair: &[u8]| u16::from(pair[0]) | u16::from(pair.get(1).copied().unwrap_or(0)) << 8;
                let show = |value: u16| {
                    if kind.starts_with('x') {
                        format!(" {value:04x}")
                    } else {
                        format!(" {value:06o}")
                    }
                };
                row.chunks(2).map(|pair| show(word(pair))).collect()
            }
            _ => row.iter().map(|&one| byte(one)).collect(),
        };
        out.extend(format!("{}{text}\n", address(index * 16)).bytes());
    }
    let end = address(data.len());
    if !end.is_empty() {
        out.extend(format!("{end}\n").bytes());
    }
}
