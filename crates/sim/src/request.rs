//! A request to the API server, as a client words it. HTTP, `kubectl` steps and notebooks all become this.

use serde_json::Value;

/// What the client wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// One object.
    Get,
    /// All objects of a resource (in a namespace).
    List,
    /// A new object.
    Create,
    /// Replace an object.
    Update,
    /// Change an object by `body`, whose form is `patch`.
    Patch,
    /// Delete one object.
    Delete,
    /// Delete all objects that match.
    DeleteCollection,
}

/// The form of a patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchKind {
    /// RFC 6902.
    Json,
    /// RFC 7386.
    Merge,
    /// Kubernetes' strategic merge patch.
    Strategic,
    /// Server-side apply.
    Apply,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Request {
    /// What to do.
    pub verb: Verb,
    /// API group, `""` for the core group.
    pub group: String,
    /// API version, such as `v1`.
    pub version: String,
    /// Plural resource name, such as `pods`.
    pub resource: String,
    /// Namespace of a namespaced resource; empty for all or for a cluster-scoped resource.
    pub namespace: String,
    /// Name of the object, empty for a collection.
    pub name: String,
    /// `status`, `scale`, `binding`, `eviction` … or empty.
    pub subresource: String,
    /// Object, patch or DeleteOptions.
    pub body: Option<Value>,
    /// The form of `body` when `verb` is [`Verb::Patch`].
    pub patch: Option<PatchKind>,
    /// Query parameters: `labelSelector`, `fieldSelector`, `gracePeriodSeconds`, `fieldValidation`, `dryRun`, `fieldManager`, `force`.
    pub query: Vec<(String, String)>,
}

/// A `metav1.Status` that is a failure, as the API server words it.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct Status {
    /// HTTP status code.
    pub code: u16,
    /// `NotFound`, `AlreadyExists`, `Invalid`, `BadRequest`, `Conflict`, `Forbidden` …
    pub reason: String,
    /// The message as the API server words it.
    pub message: String,
    /// `details` (name, kind, causes), or null.
    pub details: Value,
}
