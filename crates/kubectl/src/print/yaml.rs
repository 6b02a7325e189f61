//! YAML as kubectl writes it: keys sorted, lists at the level of their key, text quoted where YAML 1.1 would read
//! something else. Scalars are written by `serde_yaml`; the layout is kubectl's.

use serde_json::Value;

use crate::value::sorted;

/// A value as YAML, with a final newline.
#[must_use]
pub fn write(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => block(value, 0, false, &mut out),
        Value::Array(items) if !items.is_empty() => block(value, 0, false, &mut out),
        other => {
            out.push_str(&scalar(other, 0));
            out.push('\n');
        }
    }
    out
}

/// Reads YAML (or JSON) as JSON.
///
/// # Errors
/// What is wrong with it, and where.
pub fn read(text: &str) -> Result<Value, String> {
    serde_yaml::from_str(text).map_err(|error| error.to_string())
}

/// Writes a map or list that has entries. With `inline` the first line stands behind `- `.
fn block(value: &Value, indent: usize, inline: bool, out: &mut String) {
    let mut first = inline;
    let mut pad = |out: &mut String| {
        if !std::mem::take(&mut first) {
            out.extend(std::iter::repeat_n(' ', indent));
        }
    };
    match value {
        Value::Object(map) => {
            for (key, value) in sorted(map) {
                pad(out);
                out.push_str(&text(key, indent));
                out.push(':');
                match value {
                    Value::Object(inner) if !inner.is_empty() => {
                        out.push('\n');
                        block(value, indent + 2, false, out);
                    }
                    Value::Array(inner) if !inner.is_empty() => {
                        out.push('\n');
                        block(value, indent, false, out);
                    }
                    other => {
                        out.push(' ');
                        out.push_str(&scalar(other, indent + 2));
                        out.push('\n');
                    }
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                pad(out);
                out.push_str("- ");
                match item {
                    Value::Object(inner) if !inner.is_empty() => block(item, indent + 2, true, out),
                    Value::Array(inner) if !inner.is_empty() => block(item, indent + 2, true, out),
                    other => {
                        out.push_str(&scalar(other, indent + 2));
                        out.push('\n');
                    }
                }
            }
        }
        _ => {}
    }
}

fn scalar(value: &Value, indent: usize) -> String {
    match value {
        Value::String(string) => text(string, indent),
        Value::Object(_) => "{}".to_owned(),
        Value::Array(_) => "[]".to_owned(),
        other => other.to_string(),
    }
}

/// Text, quoted if it has to be. A literal block is indented by `indent`.
fn text(string: &str, indent: usize) -> String {
    let written = serde_yaml::to_string(string).unwrap_or_default();
    let written = written.strip_suffix('\n').unwrap_or(&written);
    if string.contains('\n') && written.starts_with('|') {
        let (header, _) = written.split_once('\n').unwrap_or((written, ""));
        let mut out = header.to_owned();
        let body = string
            .strip_suffix('\n')
            .filter(|_| !header.starts_with("|-"))
            .unwrap_or(string);
        for line in body.split('\n') {
            out.push('\n');
            if !line.is_empty() {
                out.extend(std::iter::repeat_n(' ', indent));
                out.push_str(line);
            }
        }
        return out;
    }
    // Text that YAML 1.1 would read as something else is put into double quotes; other quotes are as they are.
    if resolves_otherwise(string) {
        format!("\"{string}\"")
    } else {
        written.to_owned()
    }
}

/// Whether the Go library reads this plain text as something other than text (`go.yaml.in/yaml/v2 resolve.go`).
pub(super) fn resolves_otherwise(text: &str) -> bool {
    const WORDS: [&str; 36] = [
        "", "y", "Y", "yes", "Yes", "YES", "n", "N", "no", "No", "NO", "on", "On", "ON", "off", "Off", "OFF", "true",
        "True", "TRUE", "false", "False", "FALSE", "~", "null", "Null", "NULL", ".nan", ".NaN", ".NAN", ".inf", ".Inf",
        ".INF", "+.inf", "-.inf", "<<",
    ];
    if WORDS.contains(&text) {
        return true;
    }
    let Some(first) = text.chars().next() else { return true };
    if !(first.is_ascii_digit() || matches!(first, '+' | '-' | '.')) {
        return false;
    }
    let plain = text.replace('_', "");
    let unsigned = plain.strip_prefix(['+', '-']).unwrap_or(&plain);
    let digits = |text: &str, radix: u32| !text.is_empty() && text.chars().all(|char| char.is_digit(radix));
    let radix = [("0x", 16), ("0X", 16), ("0o", 8), ("0b", 2)]
        .iter()
        .any(|(prefix, radix)| unsigned.strip_prefix(prefix).is_some_and(|rest| digits(rest, *radix)));
    if radix || digits(unsigned, 10) {
        return true;
    }
    let float = unsigned
        .chars()
        .all(|char| char.is_ascii_digit() || matches!(char, '.' | 'e' | 'E' | '+' | '-'))
        && unsigned.parse::<f64>().is_ok();
    float || is_date(text) || is_sexagesimal(text)
}

/// `2026-01-15`, or a date with a time.
fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    let year = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if year != 4 || bytes.get(4) != Some(&b'-') {
        return false;
    }
    let date = text.get(..10).unwrap_or(text);
    let parts: Vec<&str> = date.split('-').collect();
    let day = |part: &str| (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    if text.len() <= 10 {
        return parts.len() == 3 && day(parts[1]) && day(parts[2]);
    }
    parts.len() == 3
        && day(parts[1])
        && day(parts[2])
        && matches!(bytes[10], b'T' | b't' | b' ')
        && text[11..]
            .bytes()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b':' | b'.' | b'Z' | b'+' | b'-' | b' '))
}

/// Base 60 numbers of YAML 1.1, which older readers still take for numbers.
fn is_sexagesimal(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let parts: Vec<&str> = unsigned.split(':').collect();
    parts.len() > 1
        && parts.iter().all(|part| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_digit() || byte == b'_' || byte == b'.')
        })
        && parts[1..].iter().all(|part| part.len() <= 2)
}
