//! `create` and `update`: from a body to a stored object.

use serde_json::Value;

use super::decode::{Flaw, FlawKind};
use super::field::{Errors, FieldError, Path, quoted};
use super::{defaults, gated, key, managed, notices, pod_security, query, refusal, strategy, validation};
use crate::objects::{Kind, Object};
use crate::registry::not_found;
use crate::request::{Request, Status};
use crate::world::World;

/// An object that says that it is in another namespace than the URL.
pub(super) const OTHER_NAMESPACE: &str =
    "the namespace of the provided object does not match the namespace sent on the request";

/// The object of a body, as a write takes it: decoded as `fieldValidation` says, with the path's namespace.
///
/// # Errors
/// `BadRequest` for another kind, a value of a wrong type, an unknown field under strict validation.
pub(super) fn object(w: &World, kind: Kind, request: &Request, body: &Value) -> Result<Object, Status> {
    let resource = kind.resource();
    let text = |field: &str| body.get(field).and_then(Value::as_str).unwrap_or_default();
    let (version, given) = (text("apiVersion"), text("kind"));
    if !body.is_object() {
        let message = format!(
            "the object provided is unrecognized (must be of type {})",
            resource.name
        );
        return Err(refusal::bad_request(&message));
    }
    if !version.is_empty() && version != resource.api_version() {
        let message = format!(
            "the API version in the data ({version}) does not match the expected API version ({})",
            resource.api_version()
        );
        return Err(refusal::bad_request(&message));
    }
    if !given.is_empty() && given != resource.name {
        let group = if resource.group.is_empty() {
            "core"
        } else {
            resource.group
        };
        let message = format!(
            "{given} in version \"{}\" cannot be handled as a {}: converting (v1.{given}) to ({group}.{}): unknown conversion",
            resource.version, resource.name, resource.name
        );
        return Err(refusal::bad_request(&message));
    }
    let mut body = std::borrow::Cow::Borrowed(body);
    let newer = if gated::lacks_fields(w.version) {
        gated::take_unknown(w.version, resource.name, body.to_mut())
    } else {
        Vec::new()
    };
    let (object, mut flaws) = decode(kind, &body);
    flaws.extend(newer);
    if let Some(flaw) = flaws.iter().find(|flaw| flaw.kind == FlawKind::WrongType) {
        return Err(refusal::cannot_be_handled(kind, &flaw.message));
    }
    if query(request, "fieldValidation") == "Strict" && !flaws.is_empty() {
        return Err(refusal::cannot_be_handled(
            kind,
            &format!("strict decoding error: {}", said(&flaws)),
        ));
    }
    let Some(mut object) = object else {
        return Err(refusal::cannot_be_handled(kind, "it cannot be decoded"));
    };
    if resource.namespaced {
        if object.namespace().is_empty() {
            object.meta_mut().namespace = Some(request.namespace.clone());
        } else if object.namespace() != request.namespace {
            return Err(refusal::bad_request(OTHER_NAMESPACE));
        }
    }
    Ok(object)
}

fn said(flaws: &[Flaw]) -> String {
    flaws
        .iter()
        .map(|flaw| flaw.message.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}

pub(super) fn create(w: &mut World, kind: Kind, request: &Request) -> Result<Value, Status> {
    let body = request.body.as_ref().unwrap_or(&Value::Null);
    let object = object(w, kind, request, body)?;
    if object
        .meta()
        .resource_version
        .as_deref()
        .is_some_and(|version| !version.is_empty())
    {
        return Err(refusal::internal(
            "resourceVersion should not be set on objects to be created",
        ));
    }
    let mut asked = object.clone();
    defaults::default(w.version, &mut asked);
    let object = w.prepare(object)?;
    if let Some(status) = validation::create(w.version, &object).into_status(kind, object.name()) {
        return Err(status);
    }
    check_addresses(w, &object)?;
    notices::of(w, &object);
    let stored = w.store_new(object)?;
    managed::created(w, request, &asked, &stored);
    Ok((*stored.json()).clone())
}

/// The addresses that a Service asks for must be free.
fn check_addresses(w: &World, object: &Object) -> Result<(), Status> {
    let Object::Service(service) = object else {
        return Ok(());
    };
    let Some((field, value, why)) = strategy::refused_addresses(w, service) else {
        return Ok(());
    };
    let mut errors = Errors::default();
    errors.list.push(FieldError {
        field,
        reason: "FieldValueInvalid",
        message: format!("Invalid value: {value}: {why}"),
    });
    errors.into_status(object.kind(), object.name()).map_or(Ok(()), Err)
}

/// Decodes an object of a kind. A selector that is written as `{}` is told apart from one that is not there: the types do
/// not, and validation does.
pub(crate) fn decode(kind: Kind, body: &Value) -> (Option<Object>, Vec<Flaw>) {
    let (mut object, flaws) = Object::decode(kind, body);
    let written = body
        .pointer("/spec/selector")
        .is_some_and(|selector| selector.as_object().is_some_and(serde_json::Map::is_empty));
    if written {
        let selector = match &mut object {
            Some(Object::Deployment(object)) => object.spec.as_mut().map(|spec| &mut spec.selector),
            Some(Object::ReplicaSet(object)) => object.spec.as_mut().map(|spec| &mut spec.selector),
            Some(Object::StatefulSet(object)) => object.spec.as_mut().map(|spec| &mut spec.selector),
            Some(Object::DaemonSet(object)) => object.spec.as_mut().map(|spec| &mut spec.selector),
            _ => None,
        };
        if let Some(selector) = selector {
            selector.match_labels.get_or_insert_default();
        }
    }
    (object, flaws)
}

pub(super) fn update(w: &mut World, kind: Kind, request: &Request) -> Result<Value, Status> {
    let body = request.body.as_ref().unwrap_or(&Value::Null);
    let new = object(w, kind, request, body)?;
    check_name(&new, request)?;
    check_uid(w, kind, request, &new)?;
    if w.get(&key(kind, request)).is_some() {
        check_conditional(kind, &new)?;
    }
    replace(w, kind, request, new, None)
}

/// The name of an object is that of the URL.
pub(super) fn check_name(new: &Object, request: &Request) -> Result<(), Status> {
    if new.name().is_empty() {
        let message = format!(
            "the name of the object ({} based on URL) was undeterminable: name must be provided",
            request.name
        );
        return Err(refusal::bad_request(&message));
    }
    if new.name() != request.name {
        let message = format!(
            "the name of the object ({}) does not match the name on the URL ({})",
            new.name(),
            request.name
        );
        return Err(refusal::bad_request(&message));
    }
    Ok(())
}

/// A whole object with a uid is meant for the object of that uid.
fn check_uid(w: &World, kind: Kind, request: &Request, new: &Object) -> Result<(), Status> {
    let Some(current) = w.get(&key(kind, request)) else {
        return Ok(());
    };
    if new.uid().is_empty() || new.uid() == current.object.uid() {
        return Ok(());
    }
    let scope = if kind.resource().namespaced {
        format!("{}/", request.namespace)
    } else {
        String::new()
    };
    let why = format!(
        "StorageError: invalid object, Code: 4, Key: /registry/{}/{scope}{}, ResourceVersion: 0, AdditionalErrorMsg: \
         Precondition failed: UID in precondition: {}, UID in object meta: {}",
        kind.resource().plural,
        request.name,
        new.uid(),
        current.object.uid()
    );
    Err(refusal::conflict(kind, &request.name, &why))
}

/// Puts a new state in the place of an object's current one, as its main resource takes it.
pub(super) fn replace(
    w: &mut World,
    kind: Kind,
    request: &Request,
    mut new: Object,
    applied: Option<managed::Applied>,
) -> Result<Value, Status> {
    let current = w
        .get(&key(kind, request))
        .cloned()
        .ok_or_else(|| not_found(kind, &request.name))?;
    check_preconditions(kind, &current.object, &new)?;
    defaults::default(w.version, &mut new);
    keep_system_metadata(&current.object, &mut new);
    let asked = new.clone();
    strategy::prepare_for_update(w, &current.object, &mut new);
    if let Some(status) = validation::update(w.version, &current.object, &new).into_status(kind, new.name()) {
        return Err(status);
    }
    match (&current.object, &new) {
        (Object::Pod(old), Object::Pod(new)) if pod_security::is_significant(old, new) => pod_security::admit(w, new)?,
        (Object::Namespace(old), Object::Namespace(new)) => pod_security::warn_of_namespace(w, old, new),
        _ => {}
    }
    check_addresses(w, &new)?;
    notices::of(w, &new);
    let stored = w.update(new).ok_or_else(|| not_found(kind, &request.name))?;
    match applied {
        Some(applied) => managed::applied(w, applied, &stored),
        None => managed::updated(w, request, &current, &asked, &stored),
    }
    Ok((*stored.json()).clone())
}

/// `AllowUnconditionalUpdate`: who writes an object of these kinds says which version was read.
fn check_conditional(kind: Kind, new: &Object) -> Result<(), Status> {
    let wanted = new.meta().resource_version.as_deref().unwrap_or_default();
    if !wanted.is_empty() || !matches!(kind, Kind::Lease | Kind::PodDisruptionBudget) {
        return Ok(());
    }
    let mut errors = Errors::default();
    let at = Path::root("metadata");
    errors.invalid(&at.child("resourceVersion"), 0, "must be specified for an update");
    // It comes from the storage, which knows the resource and not the kind.
    let resource = kind.resource();
    let details = serde_json::json!({ "name": new.name(), "group": resource.group, "kind": resource.plural });
    let refusal = errors.refusing(&format!("{} {}", resource.qualified(), quoted(new.name())), details);
    refusal.map_or(Ok(()), Err)
}

/// A resourceVersion in the new state must be the current one's.
pub(super) fn check_preconditions(kind: Kind, current: &Object, new: &Object) -> Result<(), Status> {
    let wanted = new.meta().resource_version.as_deref().unwrap_or_default();
    if !wanted.is_empty() && Some(wanted) != current.meta().resource_version.as_deref() {
        return Err(refusal::modified(kind, new.name()));
    }
    Ok(())
}

/// What no client may change in the metadata (`rest.BeforeUpdate`).
pub(super) fn keep_system_metadata(current: &Object, new: &mut Object) {
    let old = current.meta().clone();
    let meta = new.meta_mut();
    meta.name = old.name;
    meta.namespace = old.namespace;
    if meta.uid.as_deref().unwrap_or_default().is_empty() {
        meta.uid = old.uid;
    }
    meta.creation_timestamp = old.creation_timestamp;
    meta.deletion_timestamp = old.deletion_timestamp;
    meta.deletion_grace_period_seconds = old.deletion_grace_period_seconds;
    meta.generation = old.generation;
    meta.self_link = old.self_link;
    meta.managed_fields = old.managed_fields;
    if meta.generate_name.is_none() {
        meta.generate_name = old.generate_name;
    }
}
