//! The seam to the cluster: what `kubectl` asks of an API server, and the form of a failure.
//!
//! The types have the shape of the simulator's own request types, so that an application maps them one to one.

use jiff::Timestamp;
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
#[derive(Clone, Debug, PartialEq)]
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
    /// `status`, `scale`, `eviction` … or empty.
    pub subresource: String,
    /// Object, patch or DeleteOptions.
    pub body: Option<Value>,
    /// The form of `body` when `verb` is [`Verb::Patch`].
    pub patch: Option<PatchKind>,
    /// Query parameters: `labelSelector`, `fieldSelector`, `fieldValidation`, `dryRun`, `fieldManager`, `force`.
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

/// What `kubectl logs` asks of one container.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogRequest {
    /// Namespace of the pod.
    pub namespace: String,
    /// Name of the pod.
    pub pod: String,
    /// Name of the container.
    pub container: String,
    /// The container instance before the present one.
    pub previous: bool,
    /// Only the last lines.
    pub tail: Option<u64>,
    /// Prefix each line with its RFC 3339 time.
    pub timestamps: bool,
    /// Only lines of the last seconds.
    pub since_seconds: Option<u64>,
    /// Only lines after this time.
    pub since_time: Option<Timestamp>,
}

/// What a command run inside a container answers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExecResult {
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
    /// Its exit code.
    pub exit_code: i32,
}

/// An API server as `kubectl` sees it.
pub trait Api {
    /// Answers one request: the object, or a list object whose `items` are objects.
    ///
    /// # Errors
    /// The `Status` with which the server refuses.
    fn request(&mut self, request: &Request) -> Result<Value, Status>;

    /// What the server warned of in its answer to the last request (`Warning` headers).
    fn warnings(&self) -> &[String] {
        &[]
    }

    /// The server's clock, from which ages are counted.
    fn now(&self) -> Timestamp;

    /// The log of a container, lines ended by a newline.
    ///
    /// # Errors
    /// The `Status` with which the server refuses, such as a container that waits to start.
    fn logs(&mut self, request: &LogRequest) -> Result<String, Status>;

    /// Runs a command in a container. `None` if this API cannot.
    ///
    /// # Errors
    /// The `Status` with which the server refuses.
    fn exec(
        &mut self,
        namespace: &str,
        pod: &str,
        container: &str,
        command: &[String],
    ) -> Option<Result<ExecResult, Status>> {
        let _ = (namespace, pod, container, command);
        None
    }
}

/// The files that a command line names. A command never opens a file itself.
pub trait Files {
    /// The objects of a manifest (`-f NAME`, `-` for standard input), documents of a `List` not yet taken apart.
    ///
    /// # Errors
    /// What `kubectl` says about a file it cannot read, without the leading `error: `.
    fn manifests(&self, name: &str) -> Result<Vec<Value>, String>;

    /// The text of a file (`--from-file`, `--patch-file`).
    ///
    /// # Errors
    /// What `kubectl` says about a file it cannot read, without the leading `error: `.
    fn text(&self, name: &str) -> Result<String, String>;
}

/// No files at all: every name is missing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFiles;

impl Files for NoFiles {
    fn manifests(&self, name: &str) -> Result<Vec<Value>, String> {
        Err(format!("the path \"{name}\" does not exist"))
    }

    fn text(&self, name: &str) -> Result<String, String> {
        Err(format!("open {name}: no such file or directory"))
    }
}
