//! JSON as Go writes it: keys sorted, `<`, `>` and `&` escaped.

use std::fmt::Write as _;

use serde_json::Value;

use crate::value::sorted;

/// One line without blanks.
#[must_use]
pub fn compact(value: &Value) -> String {
    let mut out = String::new();
    write(value, None, &mut out);
    out
}

/// Several lines, each level indented by `indent` blanks, without a final newline.
#[must_use]
pub fn pretty(value: &Value, indent: usize) -> String {
    let mut out = String::new();
    write(value, Some((indent, 0)), &mut out);
    out
}

fn write(value: &Value, layout: Option<(usize, usize)>, out: &mut String) {
    let inner = layout.map(|(indent, depth)| (indent, depth + 1));
    let line = |layout: Option<(usize, usize)>, out: &mut String| {
        if let Some((indent, depth)) = layout {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent * depth));
        }
    };
    match value {
        Value::Object(map) if map.is_empty() => out.push_str("{}"),
        Value::Array(items) if items.is_empty() => out.push_str("[]"),
        Value::Object(map) => {
            out.push('{');
            for (index, (key, value)) in sorted(map).into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                line(inner, out);
                string(key, out);
                out.push_str(if layout.is_some() { ": " } else { ":" });
                write(value, inner, out);
            }
            line(layout, out);
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (index, value) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                line(inner, out);
                write(value, inner, out);
            }
            line(layout, out);
            out.push(']');
        }
        Value::String(text) => string(text, out),
        other => {
            let _ = write!(out, "{other}");
        }
    }
}

fn string(text: &str, out: &mut String) {
    out.push('"');
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\u{0}'..='\u{1f}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(char));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}
