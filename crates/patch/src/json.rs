//! JSON merge patches (RFC 7386): what they do, and which one leads from one object to another.

use serde_json::Value;

use crate::{Object, same};

/// Applies a JSON merge patch.
#[must_use]
pub fn apply(original: &Value, patch: &Value) -> Value {
    let Value::Object(patch) = patch else {
        return patch.clone();
    };
    let mut merged = match original {
        Value::Object(map) => map.clone(),
        _ => Object::new(),
    };
    for (key, change) in patch {
        if change.is_null() {
            merged.shift_remove(key);
        } else {
            let old = merged.get(key).cloned().unwrap_or(Value::Null);
            merged.insert(key.clone(), apply(&old, change));
        }
    }
    Value::Object(merged)
}

/// The merge patch that leads from `original` to `modified`.
#[must_use]
pub fn diff(original: &Object, modified: &Object) -> Object {
    let mut patch = additions(original, modified);
    patch.extend(deletions(original, modified));
    patch
}

/// What `modified` has and `original` has not, or has otherwise.
pub(crate) fn additions(original: &Object, modified: &Object) -> Object {
    let mut patch = Object::new();
    for (key, new) in modified {
        match (original.get(key), new) {
            (Some(Value::Object(old)), Value::Object(new)) => {
                let inner = additions(old, new);
                if !inner.is_empty() {
                    patch.insert(key.clone(), Value::Object(inner));
                }
            }
            (Some(old), new) if same(old, new) => {}
            (_, new) => {
                patch.insert(key.clone(), new.clone());
            }
        }
    }
    patch
}

/// What `original` has and `modified` has no more, as nulls.
pub(crate) fn deletions(original: &Object, modified: &Object) -> Object {
    let mut patch = Object::new();
    for (key, old) in original {
        match (old, modified.get(key)) {
            (_, None) => {
                patch.insert(key.clone(), Value::Null);
            }
            (Value::Object(old), Some(Value::Object(new))) => {
                let inner = deletions(old, new);
                if !inner.is_empty() {
                    patch.insert(key.clone(), Value::Object(inner));
                }
            }
            _ => {}
        }
    }
    patch
}
