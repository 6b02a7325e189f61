//! Manifests of static pods that a recording names and does not have: what the kubelet made of one is in its mirror pod, and
//! the recorded watch shows that.

use std::path::Path;

use serde_json::Value;

/// Annotation that only a mirror pod has.
const MIRROR: &str = "kubernetes.io/config.mirror";
/// What the kubelet's annotations begin with.
const OWN: &str = "kubernetes.io/config.";

/// The manifest whose mirror pod was the first to appear on `node` from `at` seconds on, as JSON.
///
/// # Errors
/// A sentence that says what the recording lacks.
pub fn manifest(folder: &Path, node: &str, at: f64) -> Result<String, String> {
    let path = folder.join("watch.jsonl");
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let events = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut appeared = events.filter(|event| {
        let object = &event["object"];
        event["type"] == "ADDED"
            && event["t"].as_f64().is_some_and(|t| t >= at)
            && object["kind"] == "Pod"
            && object["spec"]["nodeName"] == node
            && object["metadata"]["annotations"].get(MIRROR).is_some()
    });
    let mut pod = appeared
        .next()
        .map(|mut event| event["object"].take())
        .ok_or_else(|| format!("{} shows no mirror pod on {node} after {at} s", path.display()))?;
    if let Some(object) = pod.as_object_mut() {
        object.remove("status");
    }
    if let Some(meta) = pod["metadata"].as_object_mut() {
        meta.retain(|key, _| matches!(key.as_str(), "name" | "namespace" | "labels" | "annotations"));
        let name = meta.get("name").and_then(Value::as_str).unwrap_or_default();
        let name = name.strip_suffix(&format!("-{node}")).unwrap_or(name).to_owned();
        meta.insert("name".to_owned(), Value::from(name));
        if let Some(annotations) = meta.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.retain(|key, _| !key.starts_with(OWN));
        }
    }
    if let Some(spec) = pod["spec"].as_object_mut() {
        spec.remove("nodeName");
        if let Some(tolerations) = spec.get_mut("tolerations").and_then(Value::as_array_mut) {
            tolerations
                .retain(|toleration| *toleration != serde_json::json!({"operator": "Exists", "effect": "NoExecute"}));
        }
    }
    Ok(pod.to_string())
}
