//! Refusals that are about no field: the statuses of `apimachinery/pkg/api/errors`.

use serde_json::{Value, json};

use super::field::{Errors, quoted};
use crate::objects::Kind;
use crate::registry::failure;
use crate::request::Status;

fn plain(code: u16, reason: &str, message: &str, details: Value) -> Status {
    Status {
        code,
        reason: reason.to_owned(),
        message: message.to_owned(),
        details,
    }
}

pub(super) fn no_such_resource() -> Status {
    plain(
        404,
        "NotFound",
        "the server could not find the requested resource",
        json!({}),
    )
}

pub(super) fn method_not_allowed() -> Status {
    plain(
        405,
        "MethodNotAllowed",
        "the server does not allow this method on the requested resource",
        json!({}),
    )
}

pub(super) fn bad_request(message: &str) -> Status {
    plain(400, "BadRequest", message, Value::Null)
}

/// A patch that cannot be applied (`errors.NewGenericServerResponse` for 422).
pub(super) fn rejected() -> Status {
    plain(
        422,
        "Invalid",
        "the server rejected our request due to an error in our request",
        json!({}),
    )
}

/// A state that is not known any more.
pub(super) fn expired(message: &str) -> Status {
    plain(410, "Expired", message, Value::Null)
}

/// A state that is not there yet (`NewTooLargeResourceVersionError`).
pub(super) fn too_large(wanted: u64, current: u64) -> Status {
    let message = format!("Too large resource version: {wanted}, current: {current}");
    let cause = json!({ "reason": "ResourceVersionTooLarge", "message": "Too large resource version" });
    plain(
        504,
        "Timeout",
        &format!("Timeout: {message}"),
        json!({ "causes": [cause], "retryAfterSeconds": 1 }),
    )
}

pub(super) fn internal(message: &str) -> Status {
    plain(500, "", message, Value::Null)
}

/// `Pod in version "v1" cannot be handled as a Pod: …`
pub(super) fn cannot_be_handled(kind: Kind, why: &str) -> Status {
    let resource = kind.resource();
    bad_request(&format!(
        "{} in version {} cannot be handled as a {}: {why}",
        resource.name,
        quoted(resource.version),
        resource.name
    ))
}

/// The object has been changed since it was read.
pub(super) fn modified(kind: Kind, name: &str) -> Status {
    conflict(
        kind,
        name,
        "the object has been modified; please apply your changes to the latest version and try again",
    )
}

pub(super) fn conflict(kind: Kind, name: &str, why: &str) -> Status {
    let message = format!(
        "Operation cannot be fulfilled on {} \"{name}\": {why}",
        kind.resource().qualified()
    );
    failure(409, "Conflict", message, kind, name)
}

/// Options of a request that cannot be, if there are errors in them.
pub(super) fn wrong_options(options: &str, errors: Errors) -> Result<(), Status> {
    let details = json!({ "group": "meta.k8s.io", "kind": options });
    let refusal = errors.refusing(&format!("{options}.meta.k8s.io \"\""), details);
    refusal.map_or(Ok(()), Err)
}
