//! What a real cluster made of the manifests of the recorded cases: every applied object, field by field.

use peapod_sim::cluster::{Cluster, Config};

use super::*;

const LAST_APPLIED: &str = "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration";

/// Names that are drawn at random are the same in both.
fn masked_text(object: &Value) -> Value {
    let mut text = object.to_string();
    for prefix in ["kube-api-access-"] {
        let mut from = 0;
        while let Some(start) = text[from..].find(prefix).map(|index| from + index + prefix.len()) {
            if text.is_char_boundary(start + 5) {
                text.replace_range(start..start + 5, "xxxxx");
            }
            from = start;
        }
    }
    if let Some(uid) = object.pointer("/metadata/uid").and_then(Value::as_str) {
        text = text.replace(uid, "<uid>");
    }
    serde_json::from_str(&text).expect("still JSON")
}

#[test]
fn applied_objects_are_stored_as_a_real_cluster_stores_them() {
    // More recordings can be laid elsewhere.
    let folder = std::env::var("PEAPOD_GOLDEN")
        .unwrap_or_else(|_| format!("{}/../../tests/data/golden", env!("CARGO_MANIFEST_DIR")));
    let mut cases: Vec<_> = std::fs::read_dir(folder)
        .expect("recorded cases")
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .collect();
    cases.sort();
    let (mut agreed, mut total) = (0, 0);
    for case in cases {
        let Ok(watch) = std::fs::read_to_string(case.join("watch.jsonl")) else {
            continue;
        };
        let mut cluster = Cluster::new(Config::default()).expect("a cluster");
        for line in watch.lines() {
            let event: Value = serde_json::from_str(line).expect("JSON");
            let theirs = &event["object"];
            let applied = theirs.pointer(LAST_APPLIED).and_then(Value::as_str);
            let (true, Some(applied)) = (event["type"] == "ADDED", applied) else {
                continue;
            };
            let mut given: Value = serde_json::from_str(applied).expect("JSON");
            given["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] = json!(applied);
            total += 1;
            if let Some(class) = given["spec"]["priorityClassName"]
                .as_str()
                .filter(|class| !class.starts_with("system-"))
            {
                // The class itself is in no recording of a watch.
                let value = &theirs["spec"]["priority"];
                let class = json!({
                    "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": { "name": class }, "value": value,
                    "preemptionPolicy": theirs["spec"]["preemptionPolicy"],
                });
                let _ = cluster.request(&creation(&class, true));
            }
            let ours = match cluster.request(&creation(&given, true)) {
                Ok(ours) => masked_text(&ours),
                // A case may make the same object twice.
                Err(status) if status.reason == "AlreadyExists" => {
                    agreed += 1;
                    continue;
                }
                Err(status) => {
                    println!("{}: {}", case.display(), status.message);
                    continue;
                }
            };
            let mut theirs = masked_text(theirs);
            // An object may have been bound before it was seen.
            if given["spec"]["nodeName"].is_null()
                && let Some(spec) = theirs["spec"].as_object_mut()
            {
                spec.shift_remove("nodeName");
            }
            let parts = [
                "/spec",
                "/metadata/labels",
                "/metadata/annotations",
                "/data",
                "/kind",
                "/apiVersion",
            ];
            let found = parts.iter().find_map(|part| {
                let null = Value::Null;
                difference(
                    part,
                    ours.pointer(part).unwrap_or(&null),
                    theirs.pointer(part).unwrap_or(&null),
                )
            });
            match found {
                None => agreed += 1,
                Some(found) => println!(
                    "{}: {}: {found}",
                    case.file_name().unwrap_or_default().display(),
                    given["kind"]
                ),
            }
        }
    }
    println!("golden: {agreed} of {total} applied objects agree");
    assert_eq!(agreed, total, "{agreed} of {total} applied objects agree");
}
