//! Values and the sets of their fields: what is in one, what differs between two, one merged into another, fields taken
//! out (`structured-merge-diff/typed`, `merge`).

use serde_json::{Map, Value};

use super::schema::{self, List};
use super::set::{Element, Set};

/// The names of the field that a value is in and of the one around that.
#[derive(Clone, Copy)]
struct Place<'a> {
    parent: &'a str,
    field: &'a str,
}

impl<'a> Place<'a> {
    const ROOT: Place<'static> = Place { parent: "", field: "" };

    fn below(self, field: &'a str) -> Self {
        Self {
            parent: self.field,
            field,
        }
    }
}

/// Whether the value is owned as a whole.
fn is_leaf(place: Place<'_>, value: &Value) -> bool {
    match value {
        Value::Object(_) => schema::is_atomic(place.parent, place.field),
        Value::Array(items) => schema::list(place.parent, place.field, items) == List::Atomic,
        _ => true,
    }
}

fn element(rule: List, item: &Value) -> Option<Element> {
    match rule {
        List::Atomic => None,
        List::Set => Some(Element::Item(item.to_string())),
        List::Map(keys) => {
            let mut pairs = Vec::new();
            for key in keys {
                let value = item.get(key).cloned().or_else(|| schema::key_default(key))?;
                pairs.push(((*key).to_owned(), value.to_string()));
            }
            Some(Element::Key(pairs))
        }
    }
}

fn items<'a>(place: Place<'_>, value: &'a Value) -> Vec<(Element, &'a Value)> {
    let Value::Array(list) = value else { return Vec::new() };
    let rule = schema::list(place.parent, place.field, list);
    list.iter()
        .filter_map(|item| Some((element(rule, item)?, item)))
        .collect()
}

/// The fields of an object or the items of a list.
fn parts<'a>(place: Place<'_>, value: Option<&'a Value>) -> Vec<(Element, &'a Value)> {
    match value {
        Some(Value::Object(map)) => map
            .iter()
            .map(|(name, value)| (Element::Field(name.clone()), value))
            .collect(),
        Some(value) => items(place, value),
        None => Vec::new(),
    }
}

fn find<'a>(list: &[(Element, &'a Value)], wanted: &Element) -> Option<&'a Value> {
    let found = list.iter().find(|(element, _)| element == wanted);
    found.map(|(_, value)| *value)
}

/// The fields that a configuration has (`ToFieldSet`).
pub(super) fn fields_of(value: &Value) -> Set {
    let mut set = Set::default();
    walk(Place::ROOT, value, &mut set);
    set
}

fn walk(place: Place<'_>, value: &Value, set: &mut Set) {
    if is_leaf(place, value) {
        set.here = true;
        return;
    }
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                let child = set.child(Element::Field(name.clone()));
                walk(place.below(name), value, child);
                if value.is_null() || value.as_object().is_some_and(Map::is_empty) {
                    child.here = true;
                }
            }
        }
        Value::Array(_) => {
            for (element, item) in items(place, value) {
                let child = set.child(element);
                child.here = true;
                if item.is_object() {
                    walk(Place { field: "", ..place }, item, child);
                    child.here = true;
                }
            }
        }
        _ => {}
    }
}

/// What is new or other in the second value, and what it does not have any more (`Compare`).
pub(super) fn compare(before: &Value, after: &Value) -> (Set, Set) {
    let (mut changed, mut removed) = (Set::default(), Set::default());
    differ(Place::ROOT, Some(before), Some(after), &mut changed, &mut removed);
    (changed, removed)
}

fn differ(place: Place<'_>, before: Option<&Value>, after: Option<&Value>, changed: &mut Set, removed: &mut Set) {
    let (old, new) = (
        before.filter(|value| !value.is_null()),
        after.filter(|value| !value.is_null()),
    );
    match (before, new) {
        (None, Some(_)) => changed.here = true,
        (Some(_), None) if after.is_none() => removed.here = true,
        _ => {}
    }
    let whole = old.is_none_or(|value| is_leaf(place, value)) && new.is_none_or(|value| is_leaf(place, value));
    if whole {
        match (old, new) {
            (Some(old), Some(new)) if old != new => changed.here = true,
            (None, Some(_)) => changed.here = true,
            (Some(_), None) => removed.here = true,
            _ => {}
        }
        return;
    }
    let (old, new) = (parts(place, old), parts(place, new));
    let fresh = new.iter().filter(|(element, _)| find(&old, element).is_none());
    for (element, _) in old.iter().chain(fresh) {
        let (one, two) = (find(&old, element), find(&new, element));
        if one == two {
            continue;
        }
        let place = match element {
            Element::Field(name) => place.below(name),
            _ => Place { field: "", ..place },
        };
        let (mut more, mut less) = (Set::default(), Set::default());
        differ(place, one, two, &mut more, &mut less);
        if !more.is_empty() {
            *changed.child(element.clone()) = more;
        }
        if !less.is_empty() {
            *removed.child(element.clone()) = less;
        }
    }
}

/// The configuration put into the object: what it says counts, the rest stays (`Merge`).
pub(super) fn merge(live: &Value, config: &Value) -> Value {
    put(Place::ROOT, live, config)
}

fn put(place: Place<'_>, live: &Value, config: &Value) -> Value {
    if is_leaf(place, config) || live.is_null() {
        return config.clone();
    }
    match (live, config) {
        (Value::Object(old), Value::Object(new)) => {
            let mut merged = old.clone();
            for (name, value) in new {
                let own = old.get(name).unwrap_or(&Value::Null);
                merged.insert(name.clone(), put(place.below(name), own, value));
            }
            Value::Object(merged)
        }
        (Value::Array(_), Value::Array(_)) => {
            let (old, new) = (items(place, live), items(place, config));
            let inside = Place { field: "", ..place };
            let mut merged: Vec<Value> = Vec::new();
            for (element, item) in &old {
                let wanted = new.iter().find(|(other, _)| other == element);
                merged.push(wanted.map_or_else(|| (*item).clone(), |(_, value)| put(inside, item, value)));
            }
            for (element, item) in &new {
                if !old.iter().any(|(other, _)| other == element) {
                    merged.push((*item).clone());
                }
            }
            Value::Array(merged)
        }
        _ => config.clone(),
    }
}

/// Takes out what a manager has given up and nobody else owns (`prune`).
pub(super) fn prune(value: &mut Value, given_up: &Set, owned: &Set) {
    cut(Place::ROOT, value, given_up, owned);
}

fn cut(place: Place<'_>, value: &mut Value, given_up: &Set, owned: &Set) {
    let nothing = Set::default();
    for (element, below) in &given_up.below {
        let owned = owned.below.get(element).unwrap_or(&nothing);
        let goes = below.here && owned.is_empty();
        match (element, &mut *value) {
            (Element::Field(name), Value::Object(map)) => {
                if goes {
                    map.shift_remove(name);
                } else if let Some(child) = map.get_mut(name) {
                    cut(place.below(name), child, below, owned);
                    // What has become empty is not written.
                    let empty =
                        child.as_object().is_some_and(Map::is_empty) || child.as_array().is_some_and(Vec::is_empty);
                    if empty {
                        map.shift_remove(name);
                    }
                }
            }
            (element, Value::Array(list)) => {
                let rule = schema::list(place.parent, place.field, list);
                let at = list
                    .iter()
                    .position(|item| self::element(rule, item).as_ref() == Some(element));
                let Some(at) = at else { continue };
                if goes {
                    list.remove(at);
                } else {
                    cut(Place { field: "", ..place }, &mut list[at], below, owned);
                }
            }
            _ => {}
        }
    }
}
