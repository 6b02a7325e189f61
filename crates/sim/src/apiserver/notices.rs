//! What is accepted and not simulated is said, once: silence would let a reader believe that it has an effect. What *is*
//! simulated is listed in [`super::modelled`]; everything else that an object sets is named.

use serde_json::Value;

use super::modelled::{Treated, fields};
use crate::objects::{Kind, Object};
use crate::world::World;

/// Kinds on which something acts in the simulation.
const SIMULATED: &[Kind] = &[
    Kind::Namespace,
    Kind::Node,
    Kind::Pod,
    Kind::ConfigMap,
    Kind::Secret,
    Kind::Service,
    Kind::ServiceAccount,
    Kind::Event,
    Kind::ReplicaSet,
    Kind::Deployment,
    Kind::Job,
    Kind::ResourceQuota,
    Kind::LimitRange,
    Kind::CronJob,
    Kind::DaemonSet,
    Kind::StatefulSet,
    Kind::PriorityClass,
    Kind::PodDisruptionBudget,
    Kind::ControllerRevision,
    Kind::EndpointSlice,
    Kind::Endpoints,
    Kind::ReplicationController,
    Kind::HorizontalPodAutoscaler,
    Kind::Lease,
    Kind::PersistentVolume,
    Kind::PersistentVolumeClaim,
    Kind::StorageClass,
];

/// Names what of an object has no effect.
pub(super) fn of(w: &mut World, object: &Object) {
    let kind = object.kind();
    if !SIMULATED.contains(&kind) {
        w.notice(&format!("not simulated: {kind} (it is stored, and nothing acts on it)"));
        return;
    }
    let Some(spec) = spec_type(kind) else { return };
    let mut value = object.to_json();
    if kind == Kind::StorageClass {
        // It has no spec.
        for about in ["apiVersion", "kind", "metadata"] {
            value.as_object_mut().map(|fields| fields.remove(about));
        }
    } else {
        value = value.get_mut("spec").map(Value::take).unwrap_or_default();
    }
    for path in without_effect(spec, &value) {
        w.notice(&format!("not simulated: {path} (it is stored, and has no effect)"));
    }
}

/// Names what of an object was dropped because its feature gate is off.
pub(super) fn dropped(w: &mut World, before: &Object, after: &Object) {
    let mut paths = Vec::new();
    missing(&before.to_json(), &after.to_json(), "", &mut paths);
    for path in paths {
        w.notice(&format!(
            "dropped by the API server: {path} (its feature gate is off in this version)"
        ));
    }
}

/// The paths of what is in one value and not in the other.
fn missing(before: &Value, after: &Value, path: &str, found: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            for (name, value) in before {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                match after.get(name) {
                    Some(after) => missing(value, after, &path, found),
                    None if !found.contains(&path) => found.push(path),
                    None => {}
                }
            }
        }
        (Value::Array(before), Value::Array(after)) => {
            for (before, after) in before.iter().zip(after) {
                missing(before, after, path, found);
            }
        }
        _ => {}
    }
}

/// The type of a kind's spec, if its fields are listed.
fn spec_type(kind: Kind) -> Option<&'static str> {
    Some(match kind {
        Kind::Pod => "PodSpec",
        Kind::Deployment => "DeploymentSpec",
        Kind::ReplicaSet => "ReplicaSetSpec",
        Kind::StatefulSet => "StatefulSetSpec",
        Kind::DaemonSet => "DaemonSetSpec",
        Kind::Job => "JobSpec",
        Kind::CronJob => "CronJobSpec",
        Kind::Service => "ServiceSpec",
        Kind::PodDisruptionBudget => "PodDisruptionBudgetSpec",
        Kind::Node => "NodeSpec",
        Kind::PersistentVolumeClaim => "PersistentVolumeClaimSpec",
        Kind::PersistentVolume => "PersistentVolumeSpec",
        Kind::StorageClass => "StorageClass",
        _ => return None,
    })
}

/// The fields of a value of that type that are set and have no effect, each by its path, in order and once.
fn without_effect(of: &str, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    walk(of, value, "", &mut found);
    found
}

fn walk(of: &str, value: &Value, path: &str, found: &mut Vec<String>) {
    if let Some(items) = value.as_array() {
        for item in items {
            walk(of, item, path, found);
        }
        return;
    }
    let known = fields(of);
    for (name, value) in value.as_object().into_iter().flatten() {
        if is_empty(value) {
            continue;
        }
        // A template says what pods are like: the notice is the same for a pod and for what makes it.
        let path = match (path, of) {
            (_, "PodTemplateSpec" | "JobTemplateSpec" | "PersistentVolumeClaimTemplate") | ("", _) => name.clone(),
            _ => format!("{path}.{name}"),
        };
        match known
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, treated)| treated)
        {
            Some(Treated::By(_)) => {}
            Some(Treated::Fields(of)) => {
                let path = if name == "spec" || of.ends_with("Template") || of.ends_with("TemplateSpec") {
                    ""
                } else {
                    &path
                };
                walk(of, value, path, found);
            }
            Some(Treated::Only(values)) if values.is_empty() || values.contains(&value.to_string().as_str()) => {}
            Some(Treated::Only(_)) | None => {
                if !found.contains(&path) {
                    found.push(path);
                }
            }
        }
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
#[path = "notices_tests.rs"]
mod tests;
