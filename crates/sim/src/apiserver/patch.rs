//! `patch`: the four forms of a patch (`apiserver/pkg/endpoints/handlers/patch.go`).

use peapod_patch::{json, rfc6902, strategic};
use serde_json::Value;

use super::decode::FlawKind;
use super::{field, key, managed, refusal, write};
use crate::objects::{Kind, Object};
use crate::registry::not_found;
use crate::request::{PatchKind, Request, Status, Verb};
use crate::world::World;

pub(super) fn patch(w: &mut World, kind: Kind, request: &Request) -> Result<Value, Status> {
    if request.patch == Some(PatchKind::Apply) {
        return apply(w, kind, request);
    }
    managed::check_options(request, false)?;
    let new = patched(w, kind, request)?;
    write::replace(w, kind, request, new, None)
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

/// What a server-side apply makes of an object that exists.
///
/// # Errors
/// What is wrong with the body; `Conflict` with another manager.
pub(super) fn applied(w: &mut World, kind: Kind, request: &Request) -> Result<(Object, managed::Applied), Status> {
    let body = check_applied(kind, request)?;
    let live = w
        .get(&key(kind, request))
        .cloned()
        .ok_or_else(|| not_found(kind, &request.name))?;
    let applied = managed::apply(w, request, &live, body)?;
    let object = object_of(w, kind, request, &applied.wanted)?;
    Ok((object, applied))
}

/// The body of an apply is a whole object of the kind, without a record of managers.
fn check_applied(kind: Kind, request: &Request) -> Result<&Value, Status> {
    managed::check_options(request, true)?;
    let body = request.body.as_ref().unwrap_or(&Value::Null);
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let resource = kind.resource();
    let (version, given) = (text("/apiVersion"), text("/kind"));
    let known = version.contains('/') || !version.is_empty() || !given.is_empty();
    let version = if version.contains('/') || !known {
        version.to_owned()
    } else {
        format!("/{version}")
    };
    let shown = if version.is_empty() { "/".to_owned() } else { version };
    if shown.trim_start_matches('/') != resource.api_version() || given != resource.name {
        return Err(refusal::bad_request(&format!(
            "invalid object type: {shown}, Kind={given}"
        )));
    }
    let name = text("/metadata/name");
    if !name.is_empty() && name != request.name {
        return Err(refusal::bad_request(&format!(
            "the name of the object ({name}) does not match the name on the URL ({})",
            request.name
        )));
    }
    if body
        .pointer("/metadata/managedFields")
        .is_some_and(|fields| !fields.is_null())
    {
        return Err(refusal::bad_request("metadata.managedFields must be nil"));
    }
    let (_, flaws) = write::decode(kind, body);
    if let Some(flaw) = flaws.iter().find(|flaw| flaw.kind == FlawKind::UnknownField) {
        let path = flaw.message.split('"').nth(1).unwrap_or_default();
        return Err(refusal::internal(&format!(
            "failed to create typed patch object ({}/{name}; {shown}, Kind={given}): .{path}: field not declared in schema",
            text("/metadata/namespace")
        )));
    }
    if let Some(flaw) = flaws.iter().find(|flaw| flaw.kind == FlawKind::WrongType) {
        let value = body.pointer(&flaw.pointer).unwrap_or(&Value::Null);
        let expected = match flaw.message.rsplit(' ').next().unwrap_or_default() {
            "string" => "string",
            "bool" => "boolean",
            kind if kind.starts_with("int") || kind.starts_with("float") => "numeric (int or float)",
            kind if kind.starts_with("[]") => "list",
            _ => "map",
        };
        return Err(refusal::internal(&format!(
            "failed to create typed patch object ({}/{name}; {shown}, Kind={given}): {}: expected {expected}, got \
             &value.valueUnstructured{{Value:{value}}}",
            text("/metadata/namespace"),
            flaw.pointer.replace('/', ".")
        )));
    }
    Ok(body)
}

/// Server-side apply.
fn apply(w: &mut World, kind: Kind, request: &Request) -> Result<Value, Status> {
    let body = check_applied(kind, request)?;
    if w.get(&key(kind, request)).is_some() {
        let (new, applied) = applied(w, kind, request)?;
        return write::replace(w, kind, request, new, Some(applied));
    }
    if let Some(uid) = body.pointer("/metadata/uid").and_then(Value::as_str) {
        let why = format!("uid mismatch: the provided object specified uid {uid}, and no existing object was found");
        return Err(refusal::conflict(kind, &request.name, &why));
    }
    let mut wanted = body.clone();
    if let Some(meta) = wanted.get_mut("metadata").and_then(Value::as_object_mut) {
        meta.entry("name").or_insert_with(|| Value::from(request.name.as_str()));
        meta.shift_remove("resourceVersion");
    }
    let creation = Request {
        verb: Verb::Create,
        name: String::new(),
        patch: None,
        body: Some(wanted),
        ..request.clone()
    };
    let answer = write::create(w, kind, &creation)?;
    if let Some(stored) = w.get(&super::key_of(kind, &answer)).cloned() {
        managed::created_by_apply(w, request, body, &stored);
    }
    Ok(answer)
}
