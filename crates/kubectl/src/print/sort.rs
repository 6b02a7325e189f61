//! `--sort-by` (`pkg/cmd/get/sorter.go`).

use std::cmp::Ordering;

use serde_json::Value;

use super::jsonpath::{Template, relaxed};

/// Sorts objects by a field. The order of equals is kept.
///
/// # Errors
/// kubectl's words for a bad path, or one that no object has.
pub fn by_path(objects: Vec<Value>, path: &str) -> Result<Vec<Value>, String> {
    let template =
        Template::parse(&relaxed(path)?).map_err(|error| format!("error parsing jsonpath {path}, {error}"))?;
    let mut keyed = Vec::with_capacity(objects.len());
    for object in objects {
        let found = template.find(&object)?.first().map(|found| (*found).clone());
        keyed.push((found, object));
    }
    if !keyed.is_empty() && keyed.iter().all(|(key, _)| key.is_none()) {
        let shown = relaxed(path)?;
        let inner = shown.trim_start_matches('{').trim_end_matches('}');
        return Err(format!(
            "couldn't find any field with path \"{{{inner}}}\" in the list of objects"
        ));
    }
    keyed.sort_by(|(left, _), (right, _)| match (left, right) {
        (None, None) => Ordering::Equal,
        (None, _) => Ordering::Less,
        (_, None) => Ordering::Greater,
        (Some(left), Some(right)) => compare(left, right),
    });
    Ok(keyed.into_iter().map(|(_, object)| object).collect())
}

fn compare(left: &Value, right: &Value) -> Ordering {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            left.as_f64().partial_cmp(&right.as_f64()).unwrap_or(Ordering::Equal)
        }
        (Value::String(left), Value::String(right)) => match (quantity(left), quantity(right)) {
            (Some(left), Some(right)) => left.partial_cmp(&right).unwrap_or(Ordering::Equal),
            _ => left.cmp(right),
        },
        (Value::Bool(left), Value::Bool(right)) => left.cmp(right),
        _ => Ordering::Equal,
    }
}

/// A resource quantity as a number, for comparing.
pub(crate) fn quantity(text: &str) -> Option<f64> {
    let end = text
        .find(|char: char| !(char.is_ascii_digit() || matches!(char, '.' | '+' | '-')))
        .unwrap_or(text.len());
    let number: f64 = text[..end].parse().ok()?;
    let scale = match &text[end..] {
        "" => 1.0,
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "E" => 1e18,
        "Ki" => 1024.0,
        "Mi" => 1024_f64.powi(2),
        "Gi" => 1024_f64.powi(3),
        "Ti" => 1024_f64.powi(4),
        "Pi" => 1024_f64.powi(5),
        "Ei" => 1024_f64.powi(6),
        exponent => 10_f64.powi(exponent.strip_prefix(['e', 'E'])?.parse().ok()?),
    };
    Some(number * scale)
}
