#![allow(dead_code, reason = "each test binary uses a part")]
//! What tests share: vectors, which are inputs and outputs of Kubernetes' own functions, and clusters.

pub mod clusters;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

/// The cases of a vector file.
pub fn vectors(name: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/data/vectors")
        .join(name);
    let text = std::fs::read_to_string(&path).expect("the vector file is there");
    let file: Value = serde_json::from_str(&text).expect("it is JSON");
    file["cases"].as_array().expect("it has cases").clone()
}

/// An object out of a vector.
pub fn read<T: serde::de::DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).expect("an object of that kind")
}

/// A whole number out of a vector, zero when it is absent.
pub fn int(value: &Value) -> i32 {
    value
        .as_i64()
        .and_then(|number| i32::try_from(number).ok())
        .unwrap_or(0)
}

/// The value with the keys of objects in order.
pub fn ordered(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let map: BTreeMap<&String, Value> = map.iter().map(|(key, value)| (key, ordered(value))).collect();
            json!(map)
        }
        Value::Array(items) => items.iter().map(ordered).collect(),
        other => other.clone(),
    }
}

/// Compares what the simulator says with what Kubernetes says, for every case whose id begins with `table/`.
pub fn compare(file: &str, table: &str, ours: impl Fn(&Value) -> Value) {
    let cases = vectors(file);
    let cases: Vec<&Value> = cases
        .iter()
        .filter(|case| {
            case["id"]
                .as_str()
                .is_some_and(|id| id.starts_with(&format!("{table}/")))
        })
        .collect();
    assert!(!cases.is_empty(), "no case of {table}");
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|case| {
            let (own, theirs) = (ordered(&ours(&case["in"])), ordered(&case["out"]));
            (own != theirs).then(|| format!("{} {}\n  ours   {own}\n  theirs {theirs}", case["id"], case["in"]))
        })
        .collect();
    assert!(
        wrong.is_empty(),
        "{} of {} differ:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
}
