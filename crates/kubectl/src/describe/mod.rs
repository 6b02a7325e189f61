//! `kubectl describe` (`kubectl/pkg/describe/describe.go`).

mod common;
mod events;
mod generic;
mod writer;

use jiff::Timestamp;
use serde_json::Value;

use crate::resources::{self, Resource};
use crate::value::text;


/// What a description of an object needs to see besides it: resource, namespace, label selector, field selector.
pub(crate) type Need = (&'static Resource, String, Option<String>, Option<String>);

/// The lists that a description of `object` reads.
pub(crate) fn needs(object: &Value, events: bool) -> Vec<Need> {
    let namespace = text(object, "/metadata/namespace").to_owned();
    let mut needs = Vec::new();
    if events && let Some(resource) = resources::find("events") {
        let mut selector = format!("involvedObject.name={},involvedObject.kind={}", text(object, "/metadata/name"), text(object, "/kind"));
        if !namespace.is_empty() {
            selector.push_str(&format!(",involvedObject.namespace={namespace}"));
        }
        needs.push((resource, namespace, None, Some(selector)));
    }
    needs
}

/// The description of an object; `around` holds everything else that can be seen, events among it.
#[must_use]
pub fn describe(object: &Value, around: &[Value], now: Timestamp, events: bool) -> String {
    generic::describe(object, around, now, events)
}

/// The description of a pod template, as `rollout history --revision` shows it.
pub(crate) fn template(template: &Value) -> String {
    generic::content_of("Pod Template", template)
}
