//! Fields of a manifest by path: `spec.containers[app].image`. In brackets stands the name (or the place) of an item
//! of a list, or a key that has dots in it.

use serde_json::Value;

/// The parts of a path; `None` if it is none.
pub fn parse(text: &str) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    let mut rest = text;
    loop {
        if let Some(inner) = rest.strip_prefix('[') {
            let (name, after) = inner.split_once(']')?;
            parts.push(name.to_owned());
            rest = after;
        } else {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            parts.push(rest[..end].to_owned());
            rest = &rest[end..];
        }
        if parts.last().is_some_and(String::is_empty) {
            return None;
        }
        match rest.chars().next() {
            None => return Some(parts),
            Some('.') => rest = &rest[1..],
            Some('[') => {}
            Some(_) => return None,
        }
    }
}

/// The place in a list that a part of a path means.
pub fn place(items: &[Value], part: &str) -> Option<usize> {
    let named = items
        .iter()
        .position(|item| item.get("name").and_then(Value::as_str) == Some(part));
    named.or_else(|| part.parse().ok().filter(|place| *place < items.len()))
}

/// The value at a path; `Null` where there is none.
pub fn get<'v>(value: &'v Value, path: &[String]) -> &'v Value {
    path.iter().fold(value, |value, part| match value {
        Value::Array(items) => place(items, part).and_then(|at| items.get(at)).unwrap_or(&Value::Null),
        other => other.get(part).unwrap_or(&Value::Null),
    })
}

/// Sets the value at a path, `Null` to take it out; says whether there is such a place.
pub fn set(value: &mut Value, path: &[String], to: &Value) -> bool {
    let Some((part, rest)) = path.split_first() else {
        *value = to.clone();
        return true;
    };
    match value {
        Value::Array(items) => match place(items, part) {
            Some(at) if rest.is_empty() && to.is_null() => {
                items.remove(at);
                true
            }
            Some(at) => items.get_mut(at).is_some_and(|item| set(item, rest, to)),
            None => false,
        },
        Value::Object(fields) if rest.is_empty() && to.is_null() => fields.remove(part).is_some(),
        Value::Object(fields) => {
            if !fields.contains_key(part) && to.is_null() {
                return false;
            }
            let inner = fields
                .entry(part.clone())
                .or_insert_with(|| Value::Object(serde_json::Map::new()));
            set(inner, rest, to)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn paths() {
        let parts = |text: &str| parse(text).map(|parts| parts.join("|"));
        assert_eq!(
            parts("spec.containers[app].image").unwrap(),
            "spec|containers|app|image"
        );
        assert_eq!(parts("metadata.labels[a.b/c]").unwrap(), "metadata|labels|a.b/c");
        for wrong in ["", ".", "a.", "a..b", "a[", "a[]", "a[b]c"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn fields_are_set_added_and_taken_out() {
        let mut value = json!({"spec": {"containers": [{"name": "a"}, {"name": "b", "image": "x"}]}});
        assert!(set(
            &mut value,
            &parse("spec.containers[b].image").unwrap(),
            &json!("y")
        ));
        assert!(set(&mut value, &parse("spec.a.b").unwrap(), &json!(1)));
        assert!(set(&mut value, &parse("spec.containers[0]").unwrap(), &Value::Null));
        assert!(!set(
            &mut value,
            &parse("spec.containers[c].image").unwrap(),
            &json!("y")
        ));
        assert!(!set(&mut value, &parse("spec.none").unwrap(), &Value::Null));
        assert_eq!(
            value,
            json!({"spec": {"containers": [{"name": "b", "image": "y"}], "a": {"b": 1}}})
        );
        assert_eq!(get(&value, &parse("spec.containers[b].image").unwrap(),), &json!("y"));
        assert!(get(&value, &parse("spec.containers[9].image").unwrap()).is_null());
    }
}
