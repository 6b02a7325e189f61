//! Patches: how `apply`, `set`, `taint` make them, and what they do to an object.

pub mod json;
pub mod schema;
pub mod strategic;
pub mod threeway;

use serde_json::{Map, Value};

pub(crate) type Object = Map<String, Value>;

/// Equality as Go sees it: the order of the keys of a map does not matter, and `1` is `1.0`.
pub(crate) fn same(left: &Value, right: &Value) -> bool {
    left == right
}
