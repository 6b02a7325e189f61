//! Validation: what the API server says of an object whose form is right and whose content is not
//! (`pkg/apis/*/validation/validation.go`).

use crate::objects::Object;

use super::field::Errors;

/// What is wrong with a new object.
pub(crate) fn create(object: &Object) -> Errors {
    let _ = object;
    Errors::default()
}

/// What is wrong with the new state of an object.
pub(crate) fn update(old: &Object, new: &Object) -> Errors {
    let _ = (old, new);
    Errors::default()
}
