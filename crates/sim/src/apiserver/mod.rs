//! The path of a request: find the resource, decode strictly, default, admit, validate, store.
//!
//! - [`decode`] listens to the types of `k8s-openapi` and says what does not fit;
//! - `defaults`, `admission`, `strategy` and `validation` are the steps of a write, in this order;
//! - `write`, `read`, `watch`, `delete`, `patch` and `subresource` are the verbs.
//!
//! What is accepted and has no effect in the simulation is named in the world's notices.

pub(crate) mod admission;
pub mod decode;
pub(crate) mod defaults;
mod delete;
pub(crate) mod disruption;
pub(crate) mod field;
mod gated;
mod go_types;
pub(crate) mod hint;
mod limits;
pub(crate) mod managed;
mod modelled;
mod names;
mod notices;
mod patch;
pub(crate) mod pod_security;
pub(crate) mod quota;
mod read;
mod refusal;
pub mod selector;
pub(crate) mod strategy;
mod subresource;
pub(crate) mod validation;
mod watch;
mod write;

pub use watch::{Watch, WatchEvent};
pub(crate) use write::decode as decode_object;

use serde_json::Value;

use crate::objects::{Key, Kind, Object};
use crate::request::{Request, Status, Verb};
use crate::runtime::catalogue::Catalogue;
use crate::world::{Jitter, World};

/// Answers one request of a client.
///
/// # Errors
/// The `Status` with which the API server refuses.
pub fn handle(w: &mut World, request: &Request) -> Result<Value, Status> {
    w.warnings.clear();
    let kind = kind_of(request)?;
    if !dry_run(request)? {
        return answer(w, kind, request);
    }
    // A dry run does everything and leaves nothing behind.
    let mut copy = w.clone();
    let answered = answer(&mut copy, kind, request);
    for notice in &copy.notices {
        w.notice(notice);
    }
    w.warnings = copy.warnings;
    answered
}

/// The kind whose objects a request is about.
fn kind_of(request: &Request) -> Result<Kind, Status> {
    let known = if is_binding(request) {
        Some(Kind::Pod)
    } else {
        Kind::of_resource(&request.group, &request.resource)
    };
    let known = known.filter(|kind| kind.resource().version == request.version);
    let Some(kind) = known else {
        return Err(refusal::no_such_resource());
    };
    if !kind.resource().namespaced && !request.namespace.is_empty() && kind != Kind::Namespace {
        return Err(refusal::no_such_resource());
    }
    Ok(kind)
}

/// What is wrong with the content of a new object, without a cluster that could refuse it for other reasons.
pub(crate) fn examine(mut object: Object) -> Vec<field::FieldError> {
    let mut w = World::new(
        jiff::Timestamp::UNIX_EPOCH,
        1,
        Jitter::None,
        Vec::new(),
        Catalogue::default(),
    );
    if object.kind().resource().namespaced && object.namespace().is_empty() {
        object.meta_mut().namespace = Some("default".to_owned());
    }
    defaults::default(w.version, &mut object);
    let mut meta = std::mem::take(object.meta_mut());
    w.stamp(&mut meta);
    *object.meta_mut() = meta;
    strategy::prepare_for_create(&mut w, &mut object);
    validation::create(w.version, &object).list
}

/// A `Binding` that is posted to the collection of bindings, which is no resource of a kind.
fn is_binding(request: &Request) -> bool {
    request.group.is_empty() && request.resource == "bindings"
}

fn answer(w: &mut World, kind: Kind, request: &Request) -> Result<Value, Status> {
    let mut answer = routed(w, kind, request)?;
    managed::show(w, kind, &mut answer);
    Ok(answer)
}

fn routed(w: &mut World, kind: Kind, request: &Request) -> Result<Value, Status> {
    if is_binding(request) {
        return subresource::bindings(w, request);
    }
    if !request.subresource.is_empty() {
        return subresource::handle(w, kind, request);
    }
    match (request.verb, request.name.is_empty()) {
        (Verb::Get, false) => read::get_with(w, &key(kind, request), request),
        (Verb::List, true) => read::list(w, kind, request),
        (Verb::Create, true) => write::create(w, kind, request),
        (Verb::Update, false) => write::update(w, kind, request),
        (Verb::Patch, false) => patch::patch(w, kind, request),
        (Verb::Delete, false) => delete::delete(w, kind, request),
        (Verb::DeleteCollection, true) => delete::collection(w, kind, request),
        _ => Err(refusal::method_not_allowed()),
    }
}

/// Where the object of a request is kept.
fn key(kind: Kind, request: &Request) -> Key {
    Key::new(kind, &request.namespace, &request.name)
}

/// Where the object of an answer is kept.
fn key_of(kind: Kind, answer: &Value) -> Key {
    let text = |pointer: &str| answer.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    Key::new(kind, text("/metadata/namespace"), text("/metadata/name"))
}

/// A parameter of a request's query, empty if it is not there.
fn query<'a>(request: &'a Request, name: &str) -> &'a str {
    request
        .query
        .iter()
        .find(|(known, _)| known == name)
        .map_or("", |(_, value)| value)
}

fn dry_run(request: &Request) -> Result<bool, Status> {
    let given: Vec<&str> = request
        .query
        .iter()
        .filter(|(name, value)| name == "dryRun" && !value.is_empty())
        .map(|(_, value)| value.as_str())
        .collect();
    let in_body = request.verb == Verb::Delete
        && request
            .body
            .as_ref()
            .and_then(|body| body.get("dryRun"))
            .and_then(Value::as_array)
            .is_some_and(|list| !list.is_empty());
    match given.as_slice() {
        [] => Ok(in_body),
        ["All"] => Ok(true),
        other => {
            let mut errors = field::Errors::default();
            errors.unsupported_value(&field::Path::root("dryRun"), &field::shown(&other), &["All"]);
            refusal::wrong_options(options_of(request.verb), errors).map(|()| false)
        }
    }
}

fn options_of(verb: Verb) -> &'static str {
    match verb {
        Verb::Create => "CreateOptions",
        Verb::Update => "UpdateOptions",
        Verb::Patch => "PatchOptions",
        _ => "DeleteOptions",
    }
}
