//! The description of a kind that has none of its own: its fields as they are (`describe.go genericDescriber`).

use jiff::Timestamp;
use serde_json::Value;

use super::writer::Writer;
use crate::merge::strategic::go_value;
use crate::value::{map, sorted, text};

/// Describes any object.
pub(super) fn describe(object: &Value, around: &[Value], now: Timestamp, events: bool) -> String {
    let mut out = Writer::default();
    out.line(0, format!("Name:\t{}", text(object, "/metadata/name")));
    out.line(0, format!("Namespace:\t{}", text(object, "/metadata/namespace")));
    super::common::labels(&mut out, "Labels", map(object, "/metadata/labels"));
    super::common::annotations(&mut out, object);
    let mut rest = object.clone();
    if let Some(metadata) = rest.get_mut("metadata").and_then(Value::as_object_mut) {
        for key in ["name", "namespace", "labels", "annotations", "managedFields"] {
            metadata.shift_remove(key);
        }
    }
    content(&mut out, 0, &rest);
    if events {
        super::events::events(&mut out, around, now);
    }
    out.finish()
}

fn content(out: &mut Writer, level: usize, object: &Value) {
    for (key, value) in object.as_object().map(sorted).unwrap_or_default() {
        let label = label(key);
        match value {
            Value::Object(_) => {
                out.line(level, format!("{label}:"));
                content(out, level + 1, value);
            }
            Value::Array(items) => {
                out.line(level, format!("{label}:"));
                for item in items {
                    match item {
                        Value::Object(_) => content(out, level + 1, item),
                        other => out.line(level + 1, go_value(other)),
                    }
                }
            }
            other => out.line(level, format!("{label}:\t{}", go_value(other))),
        }
    }
}

/// `apiVersion` becomes `API Version`.
fn label(field: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    let chars: Vec<char> = field.chars().collect();
    for (index, char) in chars.iter().enumerate() {
        let starts = char.is_uppercase()
            && (index == 0
                || !chars[index - 1].is_uppercase()
                || chars.get(index + 1).is_some_and(|next| next.is_lowercase()));
        match words.last_mut() {
            Some(word) if !starts => word.push(*char),
            _ => words.push(char.to_string()),
        }
    }
    let words: Vec<String> = words
        .into_iter()
        .map(|word| {
            let upper = word.to_uppercase();
            if matches!(upper.as_str(), "API" | "URL" | "UID" | "OSB" | "GUID") {
                return upper;
            }
            let mut rest = word.chars();
            rest.next()
                .map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
        })
        .collect();
    words.join(" ")
}
