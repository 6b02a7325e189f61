//! `patch`: the four forms of a patch (`apiserver/pkg/endpoints/handlers/patch.go`).

use peapod_patch::{json, rfc6902, strategic};
use serde_json::Value;

use super::{field, key, query, refusal, write};
use crate::objects::{Kind, Object};
use crate::registry::not_found;
use crate::request::{PatchKind, Request, Status, Verb};
use crate::world::World;

pub(super) fn patch(w: &mut World, kind: Kind, request: &Request) -> Result<Value, Status> {
    if request.patch == Some(PatchKind::Apply) {
        return apply(w, kind, request);
    }
    let new = patched(w, kind, request)?;
    write::replace(w, kind, request, new)
}

/// The object that a patch makes of the current one.
pub(super) fn patched(w: &World, kind: Kind, request: &Request) -> Result<Object, Status> {
    let current = w
        .get(&key(kind, request))
        .ok_or_else(|| not_found(kind, &request.name))?
        .json();
    let body = request.body.as_ref().unwrap_or(&Value::Null);
    let wanted = match request.patch.unwrap_or(PatchKind::Strategic) {
        PatchKind::Json => rfc6902::apply(&current, body).map_err(|error| match error {
            rfc6902::Error::Malformed(message) => refusal::bad_request(&message),
            rfc6902::Error::Failed(_) => refusal::rejected(),
        })?,
        PatchKind::Merge => {
            if !body.is_object() {
                return Err(refusal::bad_request(NO_OBJECT));
            }
            json::apply(&current, body)
        }
        PatchKind::Strategic => {
            if !body.is_object() {
                return Err(refusal::bad_request(NO_OBJECT));
            }
            strategic::apply(kind.resource().name, &current, body).map_err(|error| refusal::internal(&error))?
        }
        PatchKind::Apply => body.clone(),
    };
    object_of(w, kind, request, &wanted)
}

const NO_OBJECT: &str =
    "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}";

/// A patched object is decoded like a new one; that its version is the stored one is known already.
fn object_of(w: &World, kind: Kind, request: &Request, wanted: &Value) -> Result<Object, Status> {
    let mut wanted = wanted.clone();
    let versioned = request
        .body
        .as_ref()
        .and_then(|body| body.pointer("/metadata/resourceVersion"));
    if versioned.is_none()
        && request.patch != Some(PatchKind::Json)
        && let Some(meta) = wanted.get_mut("metadata").and_then(Value::as_object_mut)
    {
        meta.shift_remove("resourceVersion");
    }
    let object = write::object(w, kind, request, &wanted).map_err(|status| {
        if status.message == write::OTHER_NAMESPACE {
            return status;
        }
        // What the patch makes is no object of the kind: the refusal shows it.
        let message = format!(
            "patch: Invalid value: {}: {}",
            field::quoted(&field::shown(&wanted)),
            status.message
        );
        let cause = serde_json::json!({ "reason": "FieldValueInvalid", "message": message, "field": "patch" });
        Status {
            code: 422,
            reason: "Invalid".to_owned(),
            message: format!(" \"\" is invalid: {message}"),
            details: serde_json::json!({ "causes": [cause] }),
        }
    })?;
    write::check_name(&object, request)?;
    Ok(object)
}

/// Server-side apply, without the record of who owns which field: what the body holds is merged into the object, and
/// nothing that it leaves out is removed.
fn apply(w: &mut World, kind: Kind, request: &Request) -> Result<Value, Status> {
    if query(request, "fieldManager").is_empty() {
        let message = "Required value: is required for apply patch".to_owned();
        return Err(refusal::wrong_option(
            "PatchOptions",
            "fieldManager",
            "FieldValueRequired",
            message,
        ));
    }
    w.notice("not simulated: the owners of fields in a server-side apply (there are no conflicts, and a field that is left out stays)");
    let body = request.body.clone().unwrap_or(Value::Null);
    let Some(current) = w.get(&key(kind, request)).map(|stored| stored.json()) else {
        let mut creation = Request {
            verb: Verb::Create,
            name: String::new(),
            patch: None,
            ..request.clone()
        };
        let mut body = body;
        if let Some(meta) = body.get_mut("metadata").and_then(Value::as_object_mut) {
            meta.entry("name").or_insert_with(|| Value::from(request.name.as_str()));
        }
        creation.body = Some(body);
        return write::create(w, kind, &creation);
    };
    let wanted = strategic::apply(kind.resource().name, &current, &body).map_err(|error| refusal::internal(&error))?;
    let new = object_of(w, kind, request, &wanted)?;
    write::replace(w, kind, request, new)
}
