//! Notebook files of Jupyter (nbformat 4.5), from notes and to notes.
//!
//! What only one of the two can say is kept in `metadata.peapod`, so that a note that is exported and imported again is
//! the same, byte for byte: the gap before a cell where it is not one empty line, the line that opens a fence where it is
//! not the usual one, the text of a cell whose links were written anew for Jupyter.

mod export;
mod import;

use serde_json::{Map, Value, json};

pub use export::{Target, export};
pub use import::{Imported, import};

/// The gap between two cells unless a cell says otherwise.
const GAP: &str = "\n\n";
/// The line that closes a fence unless a cell says otherwise.
const CLOSE: &str = "```";

/// What a kernel tells of its language, and a notebook file says of it.
pub fn language_info() -> Value {
    json!({
        "name": "peapod",
        "version": env!("CARGO_PKG_VERSION"),
        "mimetype": "text/x-peapod",
        "file_extension": ".pea",
        "pygments_lexer": "yaml",
        "codemirror_mode": "yaml",
    })
}

/// JSON as Jupyter writes it, so that saving a file there changes nothing: keys sorted, indented by one blank, a newline at
/// the end.
fn to_text(value: &Value) -> String {
    let mut bytes = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b" ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    // A value that is already JSON can always be written.
    let _ = serde::Serialize::serialize(&sorted(value), &mut serializer);
    bytes.push(b'\n');
    String::from_utf8(bytes).unwrap_or_default()
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<(&String, &Value)> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            let entries = entries.into_iter().map(|(key, value)| (key.clone(), sorted(value)));
            Value::Object(entries.collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

/// A text as a list of its lines, each with its end, as Python's `splitlines` makes them.
fn lines(text: &str) -> Value {
    let is_end = |c: char| {
        matches!(
            c,
            '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}'
        )
    };
    let (mut found, mut line) = (Vec::new(), String::new());
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        line.push(c);
        if c == '\r' && characters.peek() == Some(&'\n') {
            continue;
        }
        if is_end(c) {
            found.push(Value::String(std::mem::take(&mut line)));
        }
    }
    if !line.is_empty() {
        found.push(Value::String(line));
    }
    Value::Array(found)
}

/// A text that is one string or a list of lines.
fn joined(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect(),
        _ => String::new(),
    }
}
