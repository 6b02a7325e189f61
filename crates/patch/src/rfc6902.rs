//! JSON patches (RFC 6902), as the API server's library applies them (`gopkg.in/evanphx/json-patch.v4`).

use serde_json::Value;

/// Why a patch is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// It is no patch.
    Malformed(String),
    /// It does not fit the object.
    Failed(String),
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Malformed(message) | Self::Failed(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Error {}

/// Applies a patch: a list of operations, all or none.
///
/// # Errors
/// An operation that is none, or one whose path does not exist, or a `test` that fails.
pub fn apply(original: &Value, patch: &Value) -> Result<Value, Error> {
    let Value::Array(operations) = patch else {
        let message = "json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp";
        return Err(Error::Malformed(format!("error decoding patch: {message}")));
    };
    let mut document = original.clone();
    for operation in operations {
        let text = |field: &str| operation.get(field).and_then(Value::as_str).unwrap_or_default();
        let (op, path, from) = (text("op"), text("path"), text("from"));
        let value = || operation.get("value").cloned().unwrap_or(Value::Null);
        match op {
            "add" => add(&mut document, path, value())?,
            "remove" => {
                remove(&mut document, path)?;
            }
            "replace" => replace(&mut document, path, value())?,
            "move" => {
                let moved = remove(&mut document, from)?;
                add(&mut document, path, moved)?;
            }
            "copy" => {
                let copied = get(&document, from).cloned().ok_or_else(|| missing("copy", from))?;
                add(&mut document, path, copied)?;
            }
            "test" => {
                // A missing value equals null.
                if get(&document, path).unwrap_or(&Value::Null) != &value() {
                    return Err(Error::Failed(format!("testing value {path} failed: test failed")));
                }
            }
            other => return Err(Error::Failed(format!("Unexpected kind: {other}"))),
        }
    }
    Ok(document)
}

fn missing(operation: &str, path: &str) -> Error {
    Error::Failed(format!(
        "{operation} operation does not apply: doc is missing path: {path}: missing value"
    ))
}

fn token(text: &str) -> String {
    text.replace("~1", "/").replace("~0", "~")
}

/// The container of a path and its last token.
fn parent<'a>(document: &'a mut Value, path: &str) -> Option<(&'a mut Value, String)> {
    let (above, last) = path.rsplit_once('/')?;
    let mut value = document;
    for part in above.split('/').skip(1) {
        let part = token(part);
        value = match value {
            Value::Object(map) => map.get_mut(&part)?,
            Value::Array(items) => {
                let index = index(&part, items.len(), false)?;
                items.get_mut(index)?
            }
            _ => return None,
        };
    }
    Some((value, token(last)))
}

/// A place in a list; negative ones count from its end.
fn index(text: &str, length: usize, insert: bool) -> Option<usize> {
    if text == "-" && insert {
        return Some(length);
    }
    let number: i64 = text.parse().ok()?;
    let length = i64::try_from(length).ok()?;
    let end = if insert { length + 1 } else { length };
    let number = if number < 0 { number + end } else { number };
    if (0..end).contains(&number) {
        usize::try_from(number).ok()
    } else {
        None
    }
}

fn get<'a>(document: &'a Value, path: &str) -> Option<&'a Value> {
    let mut value = document;
    for part in path.split('/').skip(1) {
        let part = token(part);
        value = match value {
            Value::Object(map) => map.get(&part)?,
            Value::Array(items) => items.get(index(&part, items.len(), false)?)?,
            _ => return None,
        };
    }
    Some(value)
}

fn add(document: &mut Value, path: &str, value: Value) -> Result<(), Error> {
    if path.is_empty() {
        *document = value;
        return Ok(());
    }
    let failed = || missing("add", path);
    let (container, last) = parent(document, path).ok_or_else(failed)?;
    match container {
        Value::Object(map) => {
            map.insert(last, value);
        }
        Value::Array(items) => {
            let index = index(&last, items.len(), true).ok_or_else(failed)?;
            items.insert(index, value);
        }
        _ => return Err(failed()),
    }
    Ok(())
}

/// Unlike RFC 6902 has it, a field that an object does not have can be replaced as well.
fn replace(document: &mut Value, path: &str, value: Value) -> Result<(), Error> {
    if path.is_empty() {
        *document = value;
        return Ok(());
    }
    let failed = || missing("replace", path);
    let (container, last) = parent(document, path).ok_or_else(failed)?;
    match container {
        Value::Object(map) => {
            map.insert(last, value);
        }
        Value::Array(items) => {
            let index = index(&last, items.len(), false).ok_or_else(failed)?;
            items[index] = value;
        }
        _ => return Err(failed()),
    }
    Ok(())
}

fn remove(document: &mut Value, path: &str) -> Result<Value, Error> {
    let failed = || missing("remove", path);
    let (container, last) = parent(document, path).ok_or_else(failed)?;
    match container {
        Value::Object(map) => map.shift_remove(&last).ok_or_else(failed),
        Value::Array(items) => {
            let index = index(&last, items.len(), false).ok_or_else(failed)?;
            Ok(items.remove(index))
        }
        _ => Err(failed()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn operations_are_applied_in_order_or_not_at_all() {
        let document = json!({ "a": [1, 2, 3], "b": { "c/d": 1 } });
        for (patch, expected) in [
            (
                json!([{ "op": "add", "path": "/a/-", "value": 4 }]),
                Some(json!({ "a": [1, 2, 3, 4], "b": { "c/d": 1 } })),
            ),
            (
                json!([{ "op": "add", "path": "/a/0", "value": 0 }]),
                Some(json!({ "a": [0, 1, 2, 3], "b": { "c/d": 1 } })),
            ),
            (
                json!([{ "op": "remove", "path": "/b/c~1d" }]),
                Some(json!({ "a": [1, 2, 3], "b": {} })),
            ),
            (
                json!([{ "op": "replace", "path": "/a/1", "value": 9 }]),
                Some(json!({ "a": [1, 9, 3], "b": { "c/d": 1 } })),
            ),
            (
                json!([{ "op": "move", "from": "/a", "path": "/e" }]),
                Some(json!({ "b": { "c/d": 1 }, "e": [1, 2, 3] })),
            ),
            (
                json!([{ "op": "copy", "from": "/a/0", "path": "/b/x" }]),
                Some(json!({ "a": [1, 2, 3], "b": { "c/d": 1, "x": 1 } })),
            ),
            (json!([{ "op": "test", "path": "/a/0", "value": 2 }]), None),
            (json!([{ "op": "replace", "path": "/nope/x", "value": 2 }]), None),
            (json!([{ "op": "remove", "path": "/a/7" }]), None),
            (json!([{ "op": "frob", "path": "/a" }]), None),
            (json!({}), None),
        ] {
            assert_eq!(apply(&document, &patch).ok(), expected, "{patch}");
        }
    }
}
