//! Reading JSON objects without ceremony: a missing field reads as Go's zero value.

use jiff::Timestamp;
use serde_json::{Map, Value};

/// The text at a JSON pointer, `""` if there is none.
pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or("")
}

/// The integer at a JSON pointer, 0 if there is none.
pub(crate) fn int(value: &Value, pointer: &str) -> i64 {
    opt_int(value, pointer).unwrap_or(0)
}

/// The integer at a JSON pointer.
pub(crate) fn opt_int(value: &Value, pointer: &str) -> Option<i64> {
    value
        .pointer(pointer)
        .and_then(|found| found.as_i64().or_else(|| found.as_f64().map(|float| float as i64)))
}

/// Whether there is `true` at a JSON pointer.
pub(crate) fn truth(value: &Value, pointer: &str) -> bool {
    value.pointer(pointer).and_then(Value::as_bool).unwrap_or(false)
}

/// The list at a JSON pointer, empty if there is none.
pub(crate) fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value
        .pointer(pointer)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// The object at a JSON pointer.
pub(crate) fn map<'a>(value: &'a Value, pointer: &str) -> Option<&'a Map<String, Value>> {
    value.pointer(pointer).and_then(Value::as_object)
}

/// The object at a JSON pointer if it has entries.
pub(crate) fn filled<'a>(value: &'a Value, pointer: &str) -> Option<&'a Map<String, Value>> {
    map(value, pointer).filter(|found| !found.is_empty())
}

/// Whether something other than null is at a JSON pointer.
pub(crate) fn has(value: &Value, pointer: &str) -> bool {
    value.pointer(pointer).is_some_and(|found| !found.is_null())
}

/// The time at a JSON pointer.
pub(crate) fn time(value: &Value, pointer: &str) -> Option<Timestamp> {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .and_then(|text| text.parse().ok())
}

/// The condition of a type in `status.conditions`.
pub(crate) fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    list(object, "/status/conditions")
        .iter()
        .find(|condition| text(condition, "/type") == kind)
}

/// A scalar as Go's `%v` prints it: text bare, everything else as JSON.
pub(crate) fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// Entries of an object sorted by key.
pub(crate) fn sorted(map: &Map<String, Value>) -> Vec<(&str, &Value)> {
    let mut entries: Vec<(&str, &Value)> = map.iter().map(|(key, value)| (key.as_str(), value)).collect();
    entries.sort_by_key(|(key, _)| *key);
    entries
}

/// Appends a reference token to a JSON pointer.
pub(crate) fn escape_pointer(token: &str) -> String {
    token.replace('~', "~0").replace('/', "~1")
}
