//! Outputs of Kubernetes' own functions, row by row, against ours: `cargo test --release --test it vectors -- --nocapture` prints
//! `FILE: N of M agree`, one line a file. `PEAPOD_VECTORS` names another folder with files of the same names.
//!
//! To add a file: copy it to `tests/data/vectors`, and give its name a function here that says how a row differs.

mod kubelet;
mod nodes;

use std::path::PathBuf;

use serde_json::{Map, Value};

/// Checks one row: its `in` and its `out`.
type Check = fn(&Value, &Value) -> Result<(), String>;

/// The functions by file. Files of the folder that are not here are tested elsewhere, or not yet.
const FILES: &[(&str, Check)] = &[
    ("kubelet-admission", kubelet::admission),
    ("kubelet-conditions", kubelet::conditions),
    ("kubelet-container-grace", kubelet::container_grace),
    ("kubelet-container-statuses", kubelet::container_statuses),
    ("kubelet-crashloop-backoff", kubelet::crashloop_backoff),
    ("kubelet-effective-grace", kubelet::effective_grace),
    ("kubelet-eviction-message", kubelet::eviction_message),
    ("kubelet-eviction-rank", kubelet::eviction_rank),
    ("kubelet-eviction-threshold", kubelet::eviction_threshold),
    ("kubelet-get-phase", kubelet::get_phase),
    ("kubelet-host-port", kubelet::host_port),
    ("kubelet-image-backoff", kubelet::image_backoff),
    ("kubelet-image-pull", kubelet::image_pull),
    ("kubelet-merge-pod-status", kubelet::merge_pod_status),
    ("kubelet-pod-actions", kubelet::pod_actions),
    ("kubelet-pod-resources", kubelet::pod_resources),
    ("kubelet-probe-worker", kubelet::probe_worker),
    ("kubelet-qos", kubelet::qos),
    ("kubelet-ready-started", kubelet::ready_started),
    ("kubelet-restart-decision", kubelet::restart_decision),
    ("kubelet-node-shutdown", nodes::node_shutdown),
    ("kubelet-should-restart", kubelet::should_restart),
    ("kubelet-static-pods", nodes::static_pods),
    ("kubelet-state-transition", kubelet::state_transition),
    ("kubelet-terminate-pod", kubelet::terminate_pod),
    ("kubelet-termination-order", kubelet::termination_order),
];

/// Rows that are known to disagree, by file: what they are about is not simulated. The numbers may only fall.
const KNOWN: &[(&str, usize)] = &[];

#[test]
fn vectors() {
    let folder = std::env::var_os("PEAPOD_VECTORS").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/vectors")),
        PathBuf::from,
    );
    let mut worse = Vec::new();
    for (name, check) in FILES {
        let path = folder.join(format!("{name}.json"));
        let Ok(text) = std::fs::read_to_string(&path) else {
            continue;
        };
        let file: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let rows = file["cases"].as_array().map(Vec::as_slice).unwrap_or_default();
        let mut problems = Vec::new();
        for row in rows {
            if let Err(problem) = check(&row["in"], &row["out"]) {
                problems.push(format!("    {}: {problem}", row["id"].as_str().unwrap_or_default()));
            }
        }
        println!("{name}: {} of {} agree", rows.len() - problems.len(), rows.len());
        let known = KNOWN
            .iter()
            .find(|(file, _)| file == name)
            .map_or(0, |(_, count)| *count);
        for problem in problems.iter().take(if problems.len() > known { 5 } else { 0 }) {
            println!("{problem}");
        }
        if problems.len() > known {
            worse.push(format!(
                "{name}: {} rows disagree, {known} are known to",
                problems.len()
            ));
        }
    }
    // Another folder has rows of its own: its numbers are only printed.
    if std::env::var_os("PEAPOD_VECTORS").is_none() {
        assert!(worse.is_empty(), "{}", worse.join("\n"));
    }
}

/// Says how two values differ, after nulls, empty texts, lists and maps, and the given keys are left out.
fn same(ours: &Value, theirs: &Value, ignored: &[&str]) -> Result<(), String> {
    let (ours, theirs) = (bare(ours, ignored), bare(theirs, ignored));
    if ours == theirs {
        Ok(())
    } else {
        Err(format!("ours {ours}\n        not {theirs}"))
    }
}

/// A value without what Go leaves out.
fn bare(value: &Value, ignored: &[&str]) -> Value {
    match value {
        Value::Object(map) => {
            let mut kept = Map::new();
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort();
            for key in keys {
                let value = bare(&map[key], ignored);
                let empty = match &value {
                    Value::Null | Value::Bool(false) => true,
                    Value::String(text) => text.is_empty(),
                    Value::Array(list) => list.is_empty(),
                    Value::Object(map) => map.is_empty() && key != "waiting" && key != "running" && key != "terminated",
                    Value::Number(number) => number.as_i64() == Some(0),
                    Value::Bool(true) => false,
                };
                if !empty && !ignored.contains(&key.as_str()) {
                    kept.insert(key.clone(), value);
                }
            }
            Value::Object(kept)
        }
        Value::Array(list) => Value::Array(list.iter().map(|item| bare(item, ignored)).collect()),
        other => other.clone(),
    }
}
