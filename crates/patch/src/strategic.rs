//! Strategic merge patches, both ways: what a patch makes of an object, and which patch leads from one object to
//! another. The rules are those of `apimachinery/pkg/util/strategicpatch/patch.go`.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::schema::{Strategy, strategy};
use crate::{Object, same};

const DIRECTIVE: &str = "$patch";
const ORDER: &str = "$setElementOrder/";
const DELETE: &str = "$deleteFromPrimitiveList/";
const RETAIN: &str = "$retainKeys";

/// Objects nested deeper than this are refused.
const MAX_DEPTH: usize = 100;

/// Where in an object a merge is.
#[derive(Clone, Copy)]
struct At<'a> {
    kind: &'a str,
    parent: &'a str,
    depth: usize,
}

impl<'a> At<'a> {
    fn strategy(self, field: &str) -> Strategy {
        strategy(self.kind, self.parent, field)
    }

    fn enter(self, field: &'a str) -> Result<At<'a>, String> {
        if self.depth >= MAX_DEPTH {
            return Err(format!("the patch is nested more than {MAX_DEPTH} deep"));
        }
        Ok(At {
            parent: field,
            depth: self.depth + 1,
            ..self
        })
    }
}

/// How two patches or a patch and an object are merged.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// A patch onto an object: directives are carried out and disappear.
    Apply,
    /// A patch into another patch: directives stay.
    Combine,
}

/// Applies a strategic merge patch to an object of `kind`.
///
/// # Errors
/// The API server's message for a patch that does not fit, such as a list item without its merge key.
pub fn apply(kind: &str, original: &Value, patch: &Value) -> Result<Value, String> {
    let (Value::Object(original), Value::Object(patch)) = (original, patch) else {
        return Err("a strategic merge patch and its target must be objects".to_owned());
    };
    let at = At {
        kind,
        parent: "",
        depth: 0,
    };
    merge_map(original.clone(), patch, at, Mode::Apply).map(Value::Object)
}

/// Puts the deletions of one patch and the additions of another together.
pub(crate) fn combine(kind: &str, deletions: Object, delta: &Object) -> Result<Object, String> {
    merge_map(
        deletions,
        delta,
        At {
            kind,
            parent: "",
            depth: 0,
        },
        Mode::Combine,
    )
}

fn merge_map(mut original: Object, patch: &Object, at: At<'_>, mode: Mode) -> Result<Object, String> {
    match patch.get(DIRECTIVE).map(|directive| directive.as_str().unwrap_or("")) {
        None => {}
        Some("replace") => {
            let mut replaced = patch.clone();
            replaced.shift_remove(DIRECTIVE);
            return Ok(replaced);
        }
        Some("delete") => return Ok(Object::new()),
        Some("merge") => {}
        Some(other) => return Err(format!("unknown patch type found: {other}")),
    }
    retain_keys(&mut original, patch, mode)?;

    // An order without changes to the list itself still reorders it.
    let mut ordered: BTreeSet<&str> = BTreeSet::new();
    if mode == Mode::Apply {
        for (key, order) in patch {
            let Some(field) = key.strip_prefix(ORDER) else { continue };
            let Some(order) = order.as_array() else {
                return Err(format!("the value of {key} must be a list"));
            };
            ordered.insert(field);
            let strategy = at.strategy(field);
            let patch_list = patch
                .get(field)
                .and_then(Value::as_array)
                .map_or(&[][..], Vec::as_slice);
            check_order(patch_list, order, strategy.key, field)?;
            let Some(list) = original.get(field).and_then(Value::as_array).cloned() else {
                if let Some(list) = patch.get(field) {
                    let sorted = order_by(clean_list(list), order, strategy.key);
                    original.insert(field.to_owned(), Value::Array(sorted));
                }
                continue;
            };
            let deleted = patch.get(&format!("{DELETE}{field}"));
            let kept = deleted.and_then(Value::as_array).map_or_else(
                || list.clone(),
                |gone| list.iter().filter(|item| !gone.contains(item)).cloned().collect(),
            );
            let merged = merge_items(&kept, patch_list, at.enter(field)?, strategy, mode)?;
            let (known, server_only): (Vec<Value>, Vec<Value>) = merged
                .into_iter()
                .partition(|item| place(order, item, strategy.key).is_some());
            let known = order_by(known, order, strategy.key);
            original.insert(
                field.to_owned(),
                Value::Array(interleave(server_only, known, &list, strategy.key)),
            );
        }
    }

    for (key, change) in patch {
        if matches!(key.as_str(), DIRECTIVE | RETAIN)
            || (mode == Mode::Apply && key.starts_with(ORDER))
            || ordered.contains(key.as_str())
        {
            continue;
        }
        if let Some(field) = key.strip_prefix(DELETE) {
            if mode == Mode::Combine {
                original.insert(key.clone(), change.clone());
            } else if !ordered.contains(field)
                && let (Some(Value::Array(list)), Value::Array(gone)) = (original.get_mut(field), change)
            {
                list.retain(|item| !gone.contains(item));
            }
            continue;
        }
        if change.is_null() {
            if mode == Mode::Apply {
                original.shift_remove(key);
            } else {
                original.insert(key.clone(), Value::Null);
            }
            continue;
        }
        let merged = match (original.shift_remove(key), change) {
            (None, change) if mode == Mode::Apply => clean(change),
            (None, change) => change.clone(),
            (Some(Value::Object(old)), Value::Object(new)) => Value::Object(merge_map(old, new, at.enter(key)?, mode)?),
            (Some(Value::Array(old)), Value::Array(new)) if at.strategy(key).merge && !key.starts_with(ORDER) => {
                let strategy = at.strategy(key);
                let merged = merge_items(&old, new, at.enter(key)?, strategy, mode)?;
                let (ours, server_only): (Vec<Value>, Vec<Value>) = merged
                    .into_iter()
                    .partition(|item| place(new, item, strategy.key).is_some());
                let ours = order_by(ours, new, strategy.key);
                Value::Array(interleave(server_only, ours, &old, strategy.key))
            }
            (Some(_), change) => change.clone(),
        };
        original.insert(key.clone(), merged);
    }
    Ok(original)
}

fn retain_keys(original: &mut Object, patch: &Object, mode: Mode) -> Result<(), String> {
    let Some(retained) = patch.get(RETAIN) else {
        return Ok(());
    };
    let Some(list) = retained.as_array() else {
        return Err(format!("the value of {RETAIN} must be a list"));
    };
    if mode == Mode::Combine {
        original.insert(RETAIN.to_owned(), retained.clone());
        return Ok(());
    }
    let kept: BTreeSet<&str> = list.iter().filter_map(Value::as_str).collect();
    for (key, value) in patch {
        if !key.starts_with('$') && !value.is_null() && !kept.contains(key.as_str()) {
            return Err("retainKeys list doesn't contain all keys in the patch".to_owned());
        }
    }
    original.retain(|key, _| kept.contains(key.as_str()));
    Ok(())
}

/// Merges the items of a list. The order is the old items' with new ones behind; the caller sorts.
fn merge_items(
    original: &[Value],
    patch: &[Value],
    at: At<'_>,
    strategy: Strategy,
    mode: Mode,
) -> Result<Vec<Value>, String> {
    if !original.iter().chain(patch).any(Value::is_object) {
        let mut merged: Vec<Value> = Vec::new();
        for item in original.iter().chain(patch) {
            if !merged.contains(item) {
                merged.push(item.clone());
            }
        }
        return Ok(merged);
    }
    let Some(key) = strategy.key else {
        return Err(format!("cannot merge lists without merge key for {}", at.parent));
    };
    let key_of = |item: &Value| {
        item.get(key)
            .cloned()
            .ok_or_else(|| format!("map: {} does not contain declared merge key: {key}", go_value(item)))
    };

    // Directives first, then the plain items.
    let mut merged: Vec<Value> = original.to_vec();
    let mut plain = Vec::new();
    for item in patch {
        match item.get(DIRECTIVE).and_then(Value::as_str) {
            Some("delete") if mode == Mode::Apply => {
                let wanted = key_of(item)?;
                merged.retain(|old| old.get(key).is_none_or(|found| !same(found, &wanted)));
            }
            Some("replace") if mode == Mode::Apply => merged.clear(),
            Some("merge") if mode == Mode::Apply => {
                return Err("merging lists cannot yet be specified in the patch".to_owned());
            }
            Some(other) if mode == Mode::Apply => {
                return Err(format!("unknown patch type: {other} in map: {}", go_value(item)));
            }
            _ => plain.push(item),
        }
    }
    for item in plain {
        let wanted = key_of(item)?;
        match merged
            .iter_mut()
            .find(|old| old.get(key).is_some_and(|found| same(found, &wanted)))
        {
            Some(old) => {
                if let (Value::Object(old_map), Value::Object(new)) = (old.clone(), item) {
                    *old = Value::Object(merge_map(old_map, new, at, mode)?);
                }
            }
            None => merged.push(if mode == Mode::Apply { clean(item) } else { item.clone() }),
        }
    }
    Ok(merged)
}

/// Every item of the patch list must be in the order list, and in that order.
fn check_order(patch: &[Value], order: &[Value], key: Option<&str>, field: &str) -> Result<(), String> {
    let mut last = 0;
    for item in patch.iter().filter(|item| item.get(DIRECTIVE).is_none()) {
        let Some(found) = order[last.min(order.len())..]
            .iter()
            .position(|other| identical(other, item, key))
            .map(|found| found + last)
        else {
            return Err(format!(
                "The order in patch list:\n{}\n doesn't match {ORDER}{field} list:\n{}\n",
                go_value(&json!(patch)),
                go_value(&json!(order))
            ));
        };
        last = found + 1;
    }
    Ok(())
}

fn identical(left: &Value, right: &Value, key: Option<&str>) -> bool {
    match key {
        Some(key) if left.is_object() && right.is_object() => match (left.get(key), right.get(key)) {
            (Some(left), Some(right)) => same(left, right),
            _ => false,
        },
        _ => same(left, right),
    }
}

fn place(order: &[Value], item: &Value, key: Option<&str>) -> Option<usize> {
    order.iter().position(|other| identical(other, item, key))
}

fn order_by(mut items: Vec<Value>, order: &[Value], key: Option<&str>) -> Vec<Value> {
    items.sort_by_key(|item| place(order, item, key).unwrap_or(usize::MAX));
    items
}

/// Puts the items that only the server knows among the others: before the first one that the live list has behind them.
fn interleave(server_only: Vec<Value>, known: Vec<Value>, live: &[Value], key: Option<&str>) -> Vec<Value> {
    let mut server_only = server_only.into_iter().peekable();
    let mut merged = Vec::new();
    for item in known {
        while let Some(other) = server_only.peek() {
            match (place(live, other, key), place(live, &item, key)) {
                (Some(left), Some(right)) if left < right => merged.extend(server_only.next()),
                _ => break,
            }
        }
        merged.push(item);
    }
    merged.extend(server_only);
    merged
}

/// What is left of a new value when it is stored: no directives, no nulls.
fn clean(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut cleaned = Object::new();
            for (key, value) in map {
                if !(value.is_null()
                    || matches!(key.as_str(), DIRECTIVE | RETAIN)
                    || key.starts_with(ORDER)
                    || key.starts_with(DELETE))
                {
                    cleaned.insert(key.clone(), clean(value));
                }
            }
            Value::Object(cleaned)
        }
        Value::Array(_) => Value::Array(clean_list(value)),
        other => other.clone(),
    }
}

fn clean_list(list: &Value) -> Vec<Value> {
    let items = list.as_array().map_or(&[][..], Vec::as_slice);
    // An item that was only there to delete something deletes nothing.
    items
        .iter()
        .filter(|item| item.get(DIRECTIVE).is_none_or(|directive| directive != "delete"))
        .map(clean)
        .collect()
}

/// A value as Go's `%v` prints it.
pub fn go_value(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let mut parts: Vec<String> = map
                .iter()
                .map(|(key, value)| format!("{key}:{}", go_value(value)))
                .collect();
            parts.sort();
            format!("map[{}]", parts.join(" "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(go_value).collect::<Vec<_>>().join(" ")),
        Value::String(text) => text.clone(),
        Value::Null => "<nil>".to_owned(),
        other => other.to_string(),
    }
}

/// What a difference leaves out.
#[derive(Clone, Copy, Default)]
pub(crate) struct Ignore {
    /// What is gone.
    pub deletions: bool,
    /// What is new or other.
    pub changes: bool,
}

/// The patch that leads from `original` to `modified`, both of `kind`; empty if they are equal.
///
/// # Errors
/// A list item without its merge key, or neither is an object.
pub fn diff(kind: &str, original: &Value, modified: &Value) -> Result<Value, String> {
    let (Value::Object(original), Value::Object(modified)) = (original, modified) else {
        return Err("only objects can be compared".to_owned());
    };
    diff_top(kind, original, modified, Ignore::default()).map(Value::Object)
}

pub(crate) fn diff_top(kind: &str, original: &Object, modified: &Object, ignore: Ignore) -> Result<Object, String> {
    diff_maps(
        original,
        modified,
        At {
            kind,
            parent: "",
            depth: 0,
        },
        ignore,
        false,
    )
}

fn diff_maps(original: &Object, modified: &Object, at: At<'_>, ignore: Ignore, retain: bool) -> Result<Object, String> {
    let mut patch = Object::new();
    for (key, old) in original {
        let Some(new) = modified.get(key) else {
            if !ignore.deletions {
                patch.insert(key.clone(), Value::Null);
            }
            continue;
        };
        let strategy = at.strategy(key);
        match (old, new) {
            (Value::Object(old), Value::Object(new)) => {
                let inner = diff_maps(old, new, at.enter(key)?, ignore, strategy.retain_keys)?;
                if !inner.is_empty() {
                    patch.insert(key.clone(), Value::Object(inner));
                }
            }
            (Value::Array(old), Value::Array(new)) if strategy.merge => {
                diff_lists(&mut patch, key, old, new, at.enter(key)?, ignore, strategy)?
            }
            (old, new) => {
                if !ignore.changes && !same(old, new) {
                    patch.insert(key.clone(), new.clone());
                }
            }
        }
    }
    if !ignore.changes {
        for (key, new) in modified {
            if !original.contains_key(key) {
                patch.insert(key.clone(), new.clone());
            }
        }
    }
    if retain && !patch.is_empty() {
        let mut kept: Vec<&String> = modified.keys().collect();
        kept.sort();
        patch.insert(RETAIN.to_owned(), json!(kept));
    }
    Ok(patch)
}

fn diff_lists(
    patch: &mut Object,
    field: &str,
    old: &[Value],
    new: &[Value],
    at: At<'_>,
    ignore: Ignore,
    strategy: Strategy,
) -> Result<(), String> {
    if !old.iter().chain(new).any(Value::is_object) {
        let added: Vec<&Value> = new.iter().filter(|item| !old.contains(item)).collect();
        let deleted: Vec<&Value> = old.iter().filter(|item| !new.contains(item)).collect();
        let (deletes, changes) = (!ignore.deletions && !deleted.is_empty(), !ignore.changes && old != new);
        if !ignore.changes && !added.is_empty() {
            patch.insert(field.to_owned(), json!(added));
        }
        if deletes {
            patch.insert(format!("{DELETE}{field}"), json!(deleted));
        }
        if deletes || changes {
            patch.insert(format!("{ORDER}{field}"), json!(new));
        }
        return Ok(());
    }
    let Some(key) = strategy.key else {
        return Err(format!("cannot merge lists without merge key for {field}"));
    };
    let key_of = |item: &Value| {
        item.get(key)
            .cloned()
            .ok_or_else(|| format!("map: {} does not contain declared merge key: {key}", go_value(item)))
    };
    let mut items = Vec::new();
    let mut used = vec![false; old.len()];
    for item in new {
        let wanted = key_of(item)?;
        // Items that share a key are matched one to one, in order.
        let found = old
            .iter()
            .enumerate()
            .position(|(index, other)| !used[index] && other.get(key).is_some_and(|found| same(found, &wanted)));
        match found {
            Some(index) => {
                used[index] = true;
                if let (Value::Object(before), Value::Object(after)) = (&old[index], item) {
                    let mut inner = diff_maps(before, after, at, ignore, strategy.retain_keys)?;
                    if !inner.is_empty() {
                        inner.insert(key.to_owned(), wanted);
                        items.push(Value::Object(inner));
                    }
                }
            }
            None if !ignore.changes => items.push(item.clone()),
            None => {}
        }
    }
    if !ignore.deletions {
        for (item, used) in old.iter().zip(used) {
            if !used {
                let mut gone = Object::new();
                gone.insert(DIRECTIVE.to_owned(), json!("delete"));
                gone.insert(key.to_owned(), key_of(item)?);
                items.push(Value::Object(gone));
            }
        }
    }
    let keys = |list: &[Value], other: &[Value]| -> Vec<Value> {
        list.iter()
            .filter(|item| place(other, item, Some(key)).is_some())
            .filter_map(|item| item.get(key).cloned())
            .collect()
    };
    let same_order = keys(old, new) == keys(new, old);
    if (!ignore.changes && (!items.is_empty() || !same_order)) || (!ignore.deletions && !items.is_empty()) {
        let order = new
            .iter()
            .map(|item| key_of(item).map(|found| json!({ key: found })))
            .collect::<Result<Vec<_>, _>>()?;
        patch.insert(format!("{ORDER}{field}"), Value::Array(order));
    }
    if !items.is_empty() {
        patch.insert(field.to_owned(), Value::Array(items));
    }
    Ok(())
}
