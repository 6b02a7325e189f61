//! Parts that many descriptions share.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::writer::Writer;
use crate::value::{filled, scalar, sorted, text};

/// The longest annotation that is shown whole.
const MAX_ANNOTATION: usize = 140;

/// A map of labels, one a line, or `<none>` (`printLabelsMultiline`).
pub(super) fn labels(out: &mut Writer, title: &str, labels: Option<&Map<String, Value>>) {
    labels_at(out, 0, title, "\t", labels);
}

/// The same at a level and with another division.
pub(super) fn labels_at(
    out: &mut Writer,
    level: usize,
    title: &str,
    between: &str,
    labels: Option<&Map<String, Value>>,
) {
    let Some(labels) = labels.filter(|labels| !labels.is_empty()) else {
        out.line(level, format!("{title}:{between}<none>"));
        return;
    };
    for (index, (key, value)) in sorted(labels).into_iter().enumerate() {
        let head = if index == 0 {
            format!("{title}:{between}")
        } else {
            between.to_owned()
        };
        out.line(level, format!("{head}{key}={}", scalar(value)));
    }
}

/// The annotations of an object (`printAnnotationsMultiline`).
pub(super) fn annotations(out: &mut Writer, object: &Value) {
    annotations_at(out, 0, "Annotations", object);
}

/// The annotations of an object or pod template, at a level.
pub(super) fn annotations_at(out: &mut Writer, level: usize, title: &str, object: &Value) {
    let entries: Vec<(&str, &Value)> = filled(object, "/metadata/annotations")
        .map(sorted)
        .unwrap_or_default()
        .into_iter()
        .filter(|(key, _)| *key != "kubectl.kubernetes.io/last-applied-configuration")
        .collect();
    if entries.is_empty() {
        out.line(level, format!("{title}:\t<none>"));
        return;
    }
    for (index, (key, value)) in entries.into_iter().enumerate() {
        let head = if index == 0 { format!("{title}:") } else { String::new() };
        let value = scalar(value);
        let value = value.strip_suffix('\n').unwrap_or(&value);
        if value.len() < MAX_ANNOTATION - key.len().min(MAX_ANNOTATION) && !value.contains('\n') {
            out.line(level, format!("{head}\t{key}: {value}"));
        } else {
            out.line(level, format!("{head}\t{key}:"));
            for line in value.split('\n') {
                // The indentation counts.
                let shown = format!("  {line}");
                let cut = shown.chars().count() > MAX_ANNOTATION;
                let shown = if cut {
                    format!("{}...", shown.chars().take(MAX_ANNOTATION).collect::<String>())
                } else {
                    shown
                };
                out.line(level, format!("\t{shown}"));
            }
        }
    }
}

/// A time as descriptions show it (RFC 1123 with a numeric zone).
pub(super) fn rfc1123(at: Timestamp) -> String {
    at.to_zoned(jiff::tz::TimeZone::UTC)
        .strftime("%a, %d %b %Y %H:%M:%S %z")
        .to_string()
}

/// The time at a JSON pointer in that form, or a fallback.
pub(super) fn time_or(object: &Value, pointer: &str, fallback: &str) -> String {
    crate::value::time(object, pointer).map_or_else(|| fallback.to_owned(), rfc1123)
}

/// The text at a JSON pointer, or a fallback if there is none.
pub(super) fn or<'a>(object: &'a Value, pointer: &str, fallback: &'a str) -> &'a str {
    match text(object, pointer) {
        "" => fallback,
        found => found,
    }
}
