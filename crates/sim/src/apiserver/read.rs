//! `get` and `list`.

use std::sync::Arc;

use serde_json::{Value, json};

use super::selector::{FieldSelector, LabelSelector};
use super::{query, refusal};
use crate::objects::{Key, Kind};
use crate::registry::not_found;
use crate::request::{Request, Status};
use crate::store::{Stored, list_meta};
use crate::world::World;

pub(super) fn get(w: &World, key: &Key) -> Result<Value, Status> {
    w.get(key)
        .map(|stored| (*stored.json()).clone())
        .ok_or_else(|| not_found(key.kind, &key.name))
}

pub(super) fn list(w: &World, kind: Kind, request: &Request) -> Result<Value, Status> {
    let items = selected(w, kind, request)?;
    let resource = kind.resource();
    let items: Vec<Value> = items.iter().map(|stored| (*stored.json()).clone()).collect();
    Ok(json!({
        "kind": format!("{}List", resource.name),
        "apiVersion": resource.api_version(),
        "metadata": list_meta(w.store.revision()),
        "items": items,
    }))
}

/// The objects of a kind that a request's namespace and selectors choose.
pub(super) fn selected(w: &World, kind: Kind, request: &Request) -> Result<Vec<Arc<Stored>>, Status> {
    let labels = LabelSelector::parse(query(request, "labelSelector")).map_err(|error| refusal::bad_request(&error))?;
    let fields =
        FieldSelector::parse(query(request, "fieldSelector"), kind).map_err(|error| refusal::bad_request(&error))?;
    let namespace = Some(request.namespace.as_str()).filter(|namespace| !namespace.is_empty());
    Ok(w.store
        .list(kind, namespace)
        .filter(|stored| labels.matches(stored.object.meta().labels.as_ref()))
        .filter(|stored| fields.is_empty() || fields.matches(&stored.json()))
        .cloned()
        .collect())
}
