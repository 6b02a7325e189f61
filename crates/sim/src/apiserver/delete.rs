//! `delete` and `deletecollection` (`apiserver/pkg/endpoints/handlers/delete.go`).

use serde_json::{Value, json};

use super::field::{Errors, Path};
use super::{admission, key, query, read, refusal};
use crate::objects::{Key, Kind, Object};
use crate::registry::{DeleteOptions, Propagation, not_found};
use crate::request::{Request, Status};
use crate::world::World;

/// Kinds that are shown as they were at last, where others are only said to be gone (`ReturnDeletedObject`).
const RETURNED: [Kind; 7] = [
    Kind::Pod,
    Kind::PodTemplate,
    Kind::PersistentVolume,
    Kind::PersistentVolumeClaim,
    Kind::ResourceQuota,
    Kind::Service,
    Kind::ServiceAccount,
];
/// Namespaces that no one deletes (`NamespaceLifecycle`).
const KEPT: [&str; 3] = ["default", "kube-system", "kube-public"];

pub(super) fn delete(w: &mut World, kind: Kind, request: &Request) -> Result<Value, Status> {
    let options = options(request)?;
    let key = key(kind, request);
    if kind == Kind::Namespace && KEPT.contains(&&*key.name) {
        return Err(admission::forbidden(
            kind,
            &key.name,
            "this namespace may not be deleted",
        ));
    }
    let Some(stored) = w.get(&key).cloned() else {
        return Err(not_found(kind, &key.name));
    };
    check_preconditions(&stored.object, request)?;
    remove(w, &key, &options)
}

pub(super) fn collection(w: &mut World, kind: Kind, request: &Request) -> Result<Value, Status> {
    let options = options(request)?;
    let chosen = read::selected(w, kind, request)?;
    let answer = read::list(w, kind, request)?;
    for stored in chosen {
        let key = stored.object.key();
        if kind != Kind::Namespace || !KEPT.contains(&&*key.name) {
            // One that has gone meanwhile is as good as deleted.
            let _ = remove(w, &key, &options);
        }
    }
    Ok(answer)
}

/// Deletes, and answers with the object while it stays, with a success when it is gone.
pub(super) fn remove(w: &mut World, key: &Key, options: &DeleteOptions) -> Result<Value, Status> {
    let stored = w.delete(key, options)?;
    if let Some(left) = w.get(key) {
        return Ok((*left.json()).clone());
    }
    let resource = key.kind.resource();
    let mut details = json!({ "name": &*key.name, "kind": resource.plural, "uid": stored.object.uid() });
    if !resource.group.is_empty() {
        details["group"] = Value::from(resource.group);
    }
    if RETURNED.contains(&key.kind) {
        return Ok((*stored.json()).clone());
    }
    Ok(json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details }))
}

/// The options of a deletion, from the body or the query.
pub(super) fn options(request: &Request) -> Result<DeleteOptions, Status> {
    const POLICIES: [&str; 4] = ["Foreground", "Background", "Orphan", "nil"];
    let body = request.body.as_ref();
    let from_body = |pointer: &str| {
        body.and_then(|body| body.pointer(pointer))
            .filter(|value| !value.is_null())
    };
    let grace = match from_body("/gracePeriodSeconds") {
        Some(seconds) => seconds.as_i64(),
        None => query(request, "gracePeriodSeconds").parse().ok(),
    };
    let policy = match from_body("/propagationPolicy").and_then(Value::as_str) {
        Some(policy) => policy,
        None => query(request, "propagationPolicy"),
    };
    let (mut errors, at) = (Errors::default(), Path::root("propagationPolicy"));
    let orphan = from_body("/orphanDependents").and_then(Value::as_bool);
    if orphan.is_some() && !policy.is_empty() {
        let detail = "orphanDependents and deletionPropagation cannot be both set";
        errors.invalid_text(&at, policy, detail);
    }
    let propagation = match (policy, orphan) {
        ("" | "Background", None | Some(false)) => Propagation::Background,
        ("Foreground", _) => Propagation::Foreground,
        ("Orphan", _) | (_, Some(true)) => Propagation::Orphan,
        _ => {
            errors.unsupported(&at, policy, &POLICIES);
            Propagation::Background
        }
    };
    refusal::wrong_options("DeleteOptions", errors)?;
    let uid = from_body("/preconditions/uid")
        .and_then(Value::as_str)
        .map(str::to_owned);
    Ok(DeleteOptions {
        grace_period_seconds: grace,
        uid,
        propagation,
    })
}

/// `preconditions` of a deletion: uid and resourceVersion.
fn check_preconditions(object: &Object, request: &Request) -> Result<(), Status> {
    let wanted = |field: &str| {
        let body = request.body.as_ref()?;
        body.pointer(&format!("/preconditions/{field}"))
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    let kind = object.kind().resource();
    let refuse = |what: &str, wanted: &str, own: &str, ending: &str| {
        let message = format!(
            "Operation cannot be fulfilled on {} \"{}\": the {what} in the precondition ({wanted}) does not match the \
             {what} in record ({own}). The object might have been {ending}",
            kind.name,
            object.name()
        );
        let mut details = json!({ "name": object.name(), "kind": kind.name });
        if !kind.group.is_empty() {
            details["group"] = Value::from(kind.group);
        }
        Err(Status {
            code: 409,
            reason: "Conflict".to_owned(),
            message,
            details,
        })
    };
    if let Some(uid) = wanted("uid").filter(|uid| uid != object.uid()) {
        return refuse("UID", &uid, object.uid(), "deleted and then recreated");
    }
    let version = object.meta().resource_version.as_deref().unwrap_or_default();
    if let Some(wanted) = wanted("resourceVersion").filter(|wanted| wanted != version) {
        return refuse("ResourceVersion", &wanted, version, "modified");
    }
    Ok(())
}
