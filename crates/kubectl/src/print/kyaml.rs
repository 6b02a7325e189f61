//! `-o kyaml`: YAML in flow style, with every value of text in double quotes (`sigs.k8s.io/yaml/kyaml`).

use std::fmt::Write as _;

use serde_json::Value;

use super::yaml::resolves_otherwise;
use crate::value::sorted;

/// A value as KYAML, a document with its head and a final newline.
#[must_use]
pub fn write(value: &Value) -> String {
    let mut out = String::from("---\n");
    node(value, 0, &mut out);
    out.push('\n');
    out
}

fn pad(indent: usize, out: &mut String) {
    out.extend(std::iter::repeat_n(' ', indent));
}

fn node(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::Object(map) if map.is_empty() => out.push_str("{}"),
        Value::Array(items) if items.is_empty() => out.push_str("[]"),
        Value::Object(map) => {
            out.push_str("{\n");
            for (key, value) in sorted(map) {
                pad(indent + 2, out);
                name(key, out);
                out.push_str(": ");
                node(value, indent + 2, out);
                out.push_str(",\n");
            }
            pad(indent, out);
            out.push('}');
        }
        // Lists of nothing but maps or lists stand close to their brackets.
        Value::Array(items) if items.iter().all(|item| item.is_object() || item.is_array()) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                node(item, indent, out);
            }
            out.push(']');
        }
        Value::Array(items) => {
            out.push_str("[\n");
            for item in items {
                pad(indent + 2, out);
                node(item, indent + 2, out);
                out.push_str(",\n");
            }
            pad(indent, out);
            out.push(']');
        }
        Value::String(string) => text(string, indent, out),
        other => {
            let _ = write!(out, "{other}");
        }
    }
}

/// A key: bare where nobody could take it for anything but text.
fn name(key: &str, out: &mut String) {
    let plain = key.starts_with(|char: char| char.is_ascii_alphabetic() || char == '_')
        && key
            .chars()
            .all(|char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-' | '.' | '/'));
    if plain && !resolves_otherwise(key) {
        out.push_str(key);
    } else {
        out.push('"');
        escape(key, out);
        out.push('"');
    }
}

fn text(string: &str, indent: usize, out: &mut String) {
    out.push('"');
    if !string.contains('\n') {
        escape(string, out);
        out.push('"');
        return;
    }
    // Each line stands on its own, joined by escaped newlines.
    out.push_str("\\\n");
    for line in string.split_inclusive('\n') {
        pad(indent + 2, out);
        let (body, ends) = match line.strip_suffix('\n') {
            Some(body) => (body, true),
            None => (line, false),
        };
        // A blank at the start would be taken for indentation.
        out.push_str(if body.starts_with([' ', '\t']) { "\\" } else { " " });
        escape(body, out);
        out.push_str(if ends { "\\n\\\n" } else { "\\\n" });
    }
    pad(indent + 2, out);
    out.push('"');
}

fn escape(text: &str, out: &mut String) {
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\t' => out.push('\t'),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\0' => out.push_str("\\0"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            '\u{1b}' => out.push_str("\\e"),
            '\u{85}' => out.push_str("\\N"),
            '\u{a0}' => out.push_str("\\_"),
            '\u{2028}' => out.push_str("\\L"),
            '\u{2029}' => out.push_str("\\P"),
            char if char.is_control() => {
                let _ = write!(out, "\\x{:02x}", u32::from(char));
            }
            other => out.push(other),
        }
    }
}
