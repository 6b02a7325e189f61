//! The path of a request: find the resource, decode strictly, default, admit, validate, store.

pub mod decode;
mod go_types;
pub(crate) mod hint;

use serde_json::Value;

use crate::request::{Request, Status};
use crate::world::World;

/// Answers one request of a client.
///
/// # Errors
/// The `Status` with which the API server refuses.
pub fn handle(w: &mut World, request: &Request) -> Result<Value, Status> {
    let _ = (w, request);
    Err(Status {
        code: 501,
        reason: "NotImplemented".to_owned(),
        message: String::new(),
        details: Value::Null,
    })
}
