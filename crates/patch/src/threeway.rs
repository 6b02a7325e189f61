//! The three-way merge of client-side apply: what the file adds or changes is compared with the live object, what it
//! no longer holds with the configuration that was applied last (`strategicpatch.CreateThreeWayMergePatch`).

use serde_json::Value;

use crate::schema::knows;
use crate::strategic::{Ignore, combine, diff_top};
use crate::{Object, json};

/// A patch and the form it has.
#[derive(Clone, Debug, PartialEq)]
pub struct Patch {
    /// The patch; empty if nothing is to be done.
    pub body: Object,
    /// Whether it is a strategic merge patch; else a JSON merge patch.
    pub strategic: bool,
}

/// Computes the patch that `kubectl apply` sends. `original` is the configuration applied last (empty if unknown),
/// `modified` the file, `current` the live object.
///
/// # Errors
/// A list item without its merge key, or something that is no object.
pub fn patch(original: &Value, modified: &Value, current: &Value) -> Result<Patch, String> {
    let empty = Object::new();
    let original = original.as_object().unwrap_or(&empty);
    let (Value::Object(new), Value::Object(live)) = (modified, current) else {
        return Err("apply needs objects".to_owned());
    };
    let text = |field: &str| new.get(field).and_then(Value::as_str).unwrap_or_default();
    let (kind, version) = (text("kind"), text("apiVersion"));
    if knows(version.rsplit_once('/').map_or("", |(group, _)| group)) {
        let delta = diff_top(
            kind,
            live,
            new,
            Ignore {
                deletions: true,
                changes: false,
            },
        )?;
        let deletions = diff_top(
            kind,
            original,
            new,
            Ignore {
                deletions: false,
                changes: true,
            },
        )?;
        return Ok(Patch {
            body: combine(kind, deletions, &delta)?,
            strategic: true,
        });
    }
    let additions = Value::Object(json::additions(live, new));
    let mut body = json::deletions(original, new);
    merge_patches(&mut body, &additions);
    Ok(Patch { body, strategic: false })
}

/// Puts one JSON merge patch into another, nulls kept.
fn merge_patches(into: &mut Object, patch: &Value) {
    for (key, change) in patch.as_object().into_iter().flatten() {
        match (into.get_mut(key), change) {
            (Some(Value::Object(old)), Value::Object(_)) => merge_patches(old, change),
            _ => {
                into.insert(key.clone(), change.clone());
            }
        }
    }
}
