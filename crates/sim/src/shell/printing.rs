//! `echo` and `printf`: what they print, apart from where it goes.

use std::sync::Arc;

/// What `echo` prints: busybox's, with `-n`, `-e` and `-E`.
pub(super) fn echo(arguments: &[Arc<str>]) -> Vec<u8> {
    let (mut newline, mut escapes) = (true, false);
    let mut rest = arguments;
    while let Some(flags) = rest.first().and_then(|argument| argument.strip_prefix('-')) {
        if flags.is_empty() || !flags.chars().all(|flag| "neE".contains(flag)) {
            break;
        }
        for flag in flags.chars() {
            match flag {
                'n' => newline = false,
                'e' => escapes = true,
                _ => escapes = false,
            }
        }
        rest = &rest[1..];
    }
    let mut bytes = Vec::new();
    for (index, argument) in rest.iter().enumerate() {
        if index > 0 {
            bytes.push(b' ');
        }
        if escapes {
            if unescape(argument, &mut bytes, true) {
                return bytes;
            }
        } else {
            bytes.extend_from_slice(argument.as_bytes());
        }
    }
    if newline {
        bytes.push(b'\n');
    }
    bytes
}

/// Appends a text with its backslashes replaced; true when `\c` says to stop. `echo` needs a zero before octal digits.
fn unescape(text: &str, bytes: &mut Vec<u8>, echo: bool) -> bool {
    let source = text.as_bytes();
    let mut at = 0;
    while let Some(&byte) = source.get(at) {
        at += 1;
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        let Some(&next) = source.get(at) else {
            bytes.push(b'\\');
            break;
        };
        at += 1;
        match next {
            b'n' => bytes.push(b'\n'),
            b't' => bytes.push(b'\t'),
            b'r' => bytes.push(b'\r'),
            b'a' => bytes.push(7),
            b'b' => bytes.push(8),
            b'e' => bytes.push(27),
            b'f' => bytes.push(12),
            b'v' => bytes.push(11),
            b'\\' => bytes.push(b'\\'),
            b'"' if !echo => bytes.push(b'"'),
            b'\'' if !echo => bytes.push(b'\''),
            b'c' => return true,
            b'x' => {
                let digits = source[at..]
                    .iter()
                    .take(2)
                    .take_while(|digit| digit.is_ascii_hexdigit())
                    .count();
                let value = std::str::from_utf8(&source[at..at + digits])
                    .ok()
                    .and_then(|digits| u8::from_str_radix(digits, 16).ok());
                match value {
                    Some(value) => {
                        bytes.push(value);
                        at += digits;
                    }
                    None => bytes.extend_from_slice(b"\\x"),
                }
            }
            b'0'..=b'7' => {
                let most = if next == b'0' { 4 } else { 3 };
                let start = at - 1;
                let digits = source[start..]
                    .iter()
                    .take(most)
                    .take_while(|digit| (b'0'..=b'7').contains(digit))
                    .count();
                let value = source[start..start + digits]
                    .iter()
                    .fold(0u32, |value, digit| value * 8 + u32::from(digit - b'0'));
                bytes.push((value & 0xff) as u8);
                at = start + digits;
            }
            other => {
                bytes.push(b'\\');
                bytes.push(other);
            }
        }
    }
    false
}

/// What `printf` prints and complains about.
#[derive(Debug, Default)]
pub(super) struct Printed {
    pub bytes: Vec<u8>,
    pub errors: Vec<String>,
}

/// Longest output of one `printf`: `%1000000000d` is no reason to take a gigabyte.
const LIMIT: usize = 1 << 20;

/// What `printf` prints: the format again and again until the values are used up.
pub(super) fn printf(format: &str, values: &[Arc<str>]) -> Printed {
    let mut printed = Printed::default();
    let mut values = values.iter();
    loop {
        let before = values.len();
        if round(format, &mut values, &mut printed)
            || values.len() == 0
            || values.len() == before
            || printed.bytes.len() > LIMIT
        {
            return printed;
        }
    }
}

/// One use of the format; true when `\c` says to stop.
fn round(format: &str, values: &mut std::slice::Iter<'_, Arc<str>>, printed: &mut Printed) -> bool {
    let source = format.as_bytes();
    let mut at = 0;
    while at < source.len() {
        let start = at;
        while at < source.len() && source[at] != b'%' {
            at += if source[at] == b'\\' { 2 } else { 1 };
        }
        let at_end = at.min(source.len());
        if let Some(literal) = format.get(start..at_end)
            && unescape(literal, &mut printed.bytes, false)
        {
            return true;
        }
        at = at_end;
        if at >= source.len() {
            break;
        }
        at += 1;
        if source.get(at) == Some(&b'%') {
            printed.bytes.push(b'%');
            at += 1;
            continue;
        }
        if printed.bytes.len() > LIMIT {
            return true;
        }
        match conversion(format, &mut at, values, printed) {
            Some(true) => return true,
            Some(false) => {}
            None => {
                printed.errors.push(format!("bad format '{}'", &format[start..]));
                return true;
            }
        }
    }
    false
}

#[derive(Default)]
struct Spec {
    left: bool,
    zero: bool,
    plus: bool,
    space: bool,
    alternate: bool,
    width: usize,
    precision: Option<usize>,
}

/// One conversion; `None` when it is no such thing, true when output stops.
fn conversion(
    format: &str,
    at: &mut usize,
    values: &mut std::slice::Iter<'_, Arc<str>>,
    printed: &mut Printed,
) -> Option<bool> {
    let source = format.as_bytes();
    let mut spec = Spec::default();
    while let Some(&flag) = source.get(*at) {
        match flag {
            b'-' => spec.left = true,
            b'0' => spec.zero = true,
            b'+' => spec.plus = true,
            b' ' => spec.space = true,
            b'#' => spec.alternate = true,
            _ => break,
        }
        *at += 1;
    }
    let number = |at: &mut usize, values: &mut std::slice::Iter<'_, Arc<str>>| -> i64 {
        if source.get(*at) == Some(&b'*') {
            *at += 1;
            return values.next().and_then(|value| value.parse().ok()).unwrap_or(0);
        }
        let mut value = 0i64;
        while let Some(digit) = source.get(*at).filter(|digit| digit.is_ascii_digit()) {
            value = value.saturating_mul(10).saturating_add(i64::from(digit - b'0'));
            *at += 1;
        }
        value
    };
    let width = number(at, values);
    spec.left |= width < 0;
    spec.width = usize::try_from(width.unsigned_abs()).unwrap_or(LIMIT).min(LIMIT);
    if source.get(*at) == Some(&b'.') {
        *at += 1;
        spec.precision = usize::try_from(number(at, values))
            .ok()
            .map(|precision| precision.min(LIMIT));
    }
    while matches!(source.get(*at), Some(b'l' | b'h' | b'z' | b'j' | b'q' | b'L')) {
        *at += 1;
    }
    let letter = *source.get(*at)?;
    *at += 1;
    match letter {
        b's' | b'b' => {
            let value = values.next().map(AsRef::as_ref).unwrap_or_default();
            let mut text = Vec::new();
            let stop = if letter == b'b' {
                unescape(value, &mut text, true)
            } else {
                text.extend_from_slice(value.as_bytes());
                false
            };
            if let Some(precision) = spec.precision {
                text.truncate(precision);
            }
            pad(&spec, &text, false, &mut printed.bytes);
            return Some(stop);
        }
        b'c' => {
            let value = values.next().map(AsRef::as_ref).unwrap_or_default();
            let text: &[u8] = value.as_bytes().get(..1).unwrap_or_default();
            pad(&spec, text, false, &mut printed.bytes);
        }
        b'd' | b'i' | b'u' | b'o' | b'x' | b'X' => {
            let value = integer(values.next().map(AsRef::as_ref), printed);
            let digits = match letter {
                b'd' | b'i' => value.unsigned_abs().to_string(),
                b'u' => (value as u64).to_string(),
                b'o' => format!("{:o}", value as u64),
                b'x' => format!("{:x}", value as u64),
                _ => format!("{:X}", value as u64),
            };
            let digits = match spec.precision {
                Some(precision) => format!("{}{digits}", "0".repeat(precision.saturating_sub(digits.len()))),
                None => digits,
            };
            let sign = match letter {
                b'd' | b'i' if value < 0 => "-",
                b'd' | b'i' if spec.plus => "+",
                b'd' | b'i' if spec.space => " ",
                b'o' if spec.alternate => "0",
                b'x' if spec.alternate && value != 0 => "0x",
                b'X' if spec.alternate && value != 0 => "0X",
                _ => "",
            };
            let zero = spec.zero && spec.precision.is_none();
            number_padded(&spec, sign, &digits, zero, &mut printed.bytes);
        }
        b'f' | b'F' | b'e' | b'E' | b'g' | b'G' => {
            let text: &str = values.next().map(AsRef::as_ref).unwrap_or_default();
            let value: f64 = text.trim().parse().unwrap_or_else(|_| {
                if !text.is_empty() {
                    printed.errors.push(format!("invalid number '{text}'"));
                }
                0.0
            });
            let digits = float(value.abs(), letter, spec.precision.unwrap_or(6));
            let sign = if value.is_sign_negative() {
                "-"
            } else if spec.plus {
                "+"
            } else if spec.space {
                " "
            } else {
                ""
            };
            number_padded(&spec, sign, &digits, spec.zero, &mut printed.bytes);
        }
        _ => return None,
    }
    Some(false)
}

fn integer(text: Option<&str>, printed: &mut Printed) -> i64 {
    // busybox takes a missing number for an empty one, which is none.
    let text = text.unwrap_or_default();
    if let Some(quoted) = text.strip_prefix(['\'', '"']) {
        return quoted.bytes().next().map_or(0, i64::from);
    }
    let trimmed = text.trim_start();
    match super::arithmetic::number(trimmed) {
        Some(value) => value,
        None => {
            printed.errors.push(format!("invalid number '{text}'"));
            // As busybox has it; others take the digits at the beginning.
            0
        }
    }
}

/// A number as C's `%f`, `%e` and `%g` write it, without a sign.
pub(super) fn float(value: f64, letter: u8, precision: usize) -> String {
    if !value.is_finite() {
        return if value.is_nan() { "nan" } else { "inf" }.to_owned();
    }
    let precision = precision.min(300);
    match letter.to_ascii_lowercase() {
        b'f' => format!("{value:.precision$}"),
        b'e' => exponential(value, precision, letter == b'E'),
        _ => {
            let precision = precision.max(1);
            let exponent = exponential(value, precision - 1, false)
                .rsplit_once('e')
                .and_then(|(_, exponent)| exponent.parse::<i32>().ok());
            let exponent = exponent.unwrap_or(0);
            let text = if exponent < -4 || exponent >= precision as i32 {
                exponential(value, precision - 1, letter == b'G')
            } else {
                format!("{value:.*}", (precision as i32 - 1 - exponent).max(0) as usize)
            };
            let (mantissa, rest) = text
                .split_once(['e', 'E'])
                .map_or((text.as_str(), None), |(mantissa, rest)| (mantissa, Some(rest)));
            let mantissa = if mantissa.contains('.') {
                mantissa.trim_end_matches('0').trim_end_matches('.')
            } else {
                mantissa
            };
            rest.map_or_else(
                || mantissa.to_owned(),
                |rest| format!("{mantissa}{}{rest}", if letter == b'G' { 'E' } else { 'e' }),
            )
        }
    }
}

fn exponential(value: f64, precision: usize, upper: bool) -> String {
    let text = format!("{value:.precision$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}{}{sign}{:02}", if upper { 'E' } else { 'e' }, exponent.abs())
}

fn pad(spec: &Spec, text: &[u8], zero: bool, bytes: &mut Vec<u8>) {
    let fill = spec.width.saturating_sub(text.len());
    if spec.left {
        bytes.extend_from_slice(text);
        bytes.extend(std::iter::repeat_n(b' ', fill));
    } else {
        bytes.extend(std::iter::repeat_n(if zero { b'0' } else { b' ' }, fill));
        bytes.extend_from_slice(text);
    }
}

fn number_padded(spec: &Spec, sign: &str, digits: &str, zero: bool, bytes: &mut Vec<u8>) {
    if zero && !spec.left {
        let fill = spec.width.saturating_sub(sign.len() + digits.len());
        bytes.extend_from_slice(sign.as_bytes());
        bytes.extend(std::iter::repeat_n(b'0', fill));
        bytes.extend_from_slice(digits.as_bytes());
    } else {
        pad(spec, format!("{sign}{digits}").as_bytes(), false, bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(words: &[&str]) -> String {
        let words: Vec<Arc<str>> = words.iter().map(|word| Arc::from(*word)).collect();
        String::from_utf8(printf(&words[0], &words[1..]).bytes).expect("UTF-8")
    }

    #[test]
    fn printf_formats_as_c_does() {
        for (words, expected) in [
            (&["%s\\n", "a", "b"][..], "a\nb\n"),
            (&["%d-%d\\n", "1"], "1-0\n"),
            (&["%5d|%-5d|%05d", "42", "42", "42"], "   42|42   |00042"),
            (&["%x %X %o %#x", "255", "255", "8", "255"], "ff FF 10 0xff"),
            (
                &["%.2f %e %g %g", "3.14159", "12345", "0.0001", "1e20"],
                "3.14 1.234500e+04 0.0001 1e+20",
            ),
            (&["%c%c", "xy", "z"], "xz"),
            (&["%b", "a\\tb\\0101"], "a\tbA"),
            (&["%%|%+d|% d", "5", "5"], "%|+5| 5"),
            (&["%.3s|%5s|%-5s|", "abcdef", "a", "b"], "abc|    a|b    |"),
            (&["\\101\\n"], "A\n"),
            (&["%d", "'A"], "65"),
            (&["no values"], "no values"),
        ] {
            assert_eq!(print(words), expected, "{words:?}");
        }
    }

    #[test]
    fn echo_knows_its_flags() {
        let echoed = |words: &[&str]| {
            let words: Vec<Arc<str>> = words.iter().map(|word| Arc::from(*word)).collect();
            String::from_utf8(echo(&words)).expect("UTF-8")
        };
        assert_eq!(echoed(&["a", "b"]), "a b\n");
        assert_eq!(echoed(&["-n", "a"]), "a");
        assert_eq!(echoed(&["-e", "a\\nb"]), "a\nb\n");
        assert_eq!(echoed(&["-en", "a\\c", "b"]), "a");
        assert_eq!(echoed(&["-x"]), "-x\n");
    }
}
