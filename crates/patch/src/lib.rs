//! Kubernetes' patches: how a client makes them, and what they do to an object. Used by the client (`peapod-kubectl`)
//! and by the server (`peapod-sim`) alike.

pub mod json;
pub mod rfc6902;
pub mod schema;
pub mod strategic;
pub mod threeway;

use serde_json::{Map, Value};

type Object = Map<String, Value>;

/// Equality as Go sees it: the order of the keys of a map does not matter, and `1` is `1.0`.
fn same(left: &Value, right: &Value) -> bool {
    left == right
}
