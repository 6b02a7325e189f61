//! ControllerRevisions: the templates that a StatefulSet or DaemonSet had (`pkg/controller/history/controller_history.go`).

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::runtime::RawExtension;
use serde::Serialize;
use serde_json::{Value, json};

use super::template_hash::safe_encode;
use crate::objects::{Key, Kind, Object, controller_of, controller_reference};
use crate::registry::DeleteOptions;
use crate::world::World;

/// The label that tells a StatefulSet's revisions apart.
const HASH_LABEL: &str = "controller.kubernetes.io/hash";

/// The part of an object that a revision keeps: its template, as a strategic merge patch that replaces.
pub fn template_patch(template: &impl Serialize) -> Value {
    let mut template = serde_json::to_value(template).unwrap_or(Value::Null);
    if let Some(meta) = template.get_mut("metadata").and_then(Value::as_object_mut) {
        meta.remove("creationTimestamp");
    }
    template["$patch"] = json!("replace");
    sorted(&json!({ "spec": { "template": template } }))
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let map: BTreeMap<&String, Value> = map.iter().map(|(key, value)| (key, sorted(value))).collect();
            map.into_iter()
                .map(|(key, value)| (key.clone(), value))
                .collect::<serde_json::Map<_, _>>()
                .into()
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

/// The bytes that Go's encoder writes: compact, with the characters escaped that HTML would take amiss.
pub fn encoded(data: &Value) -> String {
    let mut out = String::new();
    for c in data.to_string().chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            other => out.push(other),
        }
    }
    out
}

/// The hash in a revision's name (`HashControllerRevision`): FNV-1 over the data and the collision count.
pub fn hash(data: &Value, collision_count: i32) -> String {
    let mut hash = 0x811c_9dc5_u32;
    for byte in encoded(data).bytes().chain(collision_count.to_string().bytes()) {
        hash = hash.wrapping_mul(0x0100_0193) ^ u32::from(byte);
    }
    safe_encode(&hash.to_string())
}

/// The revisions that an object owns, oldest first.
pub fn owned(w: &World, owner: &Object) -> Vec<ControllerRevision> {
    let mut revisions: Vec<ControllerRevision> = w
        .store
        .dependents(owner.uid())
        .filter_map(|stored| match &stored.object {
            Object::ControllerRevision(revision) => Some(revision),
            _ => None,
        })
        .filter(|revision| controller_of(&revision.metadata).is_some_and(|reference| reference.uid == owner.uid()))
        .cloned()
        .collect();
    revisions.sort_by(|a, b| {
        let key = |revision: &ControllerRevision| {
            let meta = &revision.metadata;
            (
                revision.revision,
                meta.creation_timestamp.as_ref().map(|time| time.0),
                meta.name.clone(),
            )
        };
        key(a).cmp(&key(b))
    });
    revisions
}

/// The revision with the owner's present template, created or brought to the front if need be
/// (`getStatefulSetRevisions`). `name_of` gives the name for a collision count.
pub fn update_revision(
    w: &mut World,
    owner: &Object,
    data: &Value,
    labels: BTreeMap<String, String>,
    collision_count: &mut i32,
    name_of: impl Fn(i32) -> (String, String),
) -> Option<ControllerRevision> {
    let known = owned(w, owner);
    let next = known.last().map_or(0, |revision| revision.revision) + 1;
    let same = |revision: &&ControllerRevision| revision.data.as_ref().is_some_and(|own| sorted(&own.0) == *data);
    if let Some(found) = known.iter().rev().find(same) {
        if known.last().is_some_and(|last| last.metadata.uid == found.metadata.uid) {
            return Some(found.clone());
        }
        let mut found = found.clone();
        found.revision = next;
        return stored(w.update(found.into()));
    }
    loop {
        let (name, hash) = name_of(*collision_count);
        let mut labels = labels.clone();
        let label = if matches!(owner, Object::DaemonSet(_)) {
            "controller-revision-hash"
        } else {
            HASH_LABEL
        };
        labels.insert(label.to_owned(), hash);
        let revision = ControllerRevision {
            metadata: ObjectMeta {
                name: Some(name.clone()),
                namespace: Some(owner.namespace().to_owned()),
                labels: Some(labels),
                annotations: owner.meta().annotations.clone(),
                owner_references: Some(vec![controller_reference(owner)]),
                ..ObjectMeta::default()
            },
            revision: next,
            data: Some(RawExtension(data.clone())),
        };
        match w.create(revision.into()) {
            Ok(created) => return stored(Some(created)),
            Err(status) if status.reason == "AlreadyExists" => {
                let key = Key::new(Kind::ControllerRevision, owner.namespace(), &name);
                if let Some(Object::ControllerRevision(existing)) = w.get(&key).map(|stored| &stored.object)
                    && existing.data.as_ref().is_some_and(|own| sorted(&own.0) == *data)
                {
                    return Some(existing.clone());
                }
                *collision_count += 1;
            }
            Err(_) => return None,
        }
    }
}

fn stored(stored: Option<Arc<crate::store::Stored>>) -> Option<ControllerRevision> {
    match &stored?.object {
        Object::ControllerRevision(revision) => Some(revision.clone()),
        _ => None,
    }
}

/// Deletes the oldest revisions beyond the limit that no pod and no status names (`truncateHistory`).
pub fn truncate(w: &mut World, owner: &Object, live: &[String], limit: i32) {
    let old: Vec<ControllerRevision> = owned(w, owner)
        .into_iter()
        .filter(|revision| !live.contains(revision.metadata.name.as_ref().unwrap_or(&String::new())))
        .collect();
    let surplus = old.len().saturating_sub(usize::try_from(limit).unwrap_or(usize::MAX));
    for revision in old.into_iter().take(surplus) {
        let key = Object::from(revision).key();
        // Gone already is as well.
        let _ = w.delete(&key, &DeleteOptions::default());
    }
}
