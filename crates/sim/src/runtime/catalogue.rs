//! The image catalogue: which images exist, how large they are, what they run. Data in YAML; a vault can add to it.

use std::collections::BTreeMap;

use crate::time::SimDuration;

/// The images that exist, by repository.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    /// Repositories by normalized name, such as `docker.io/library/busybox`.
    pub repositories: BTreeMap<String, Repository>,
    /// Whether a repository that is not listed exists all the same and runs until it is stopped (a notice says so).
    pub assume_unknown: bool,
}

/// One repository.
#[derive(Clone, Debug, Default)]
pub struct Repository {
    /// Tags that exist.
    pub tags: Vec<String>,
    /// How long a pull takes.
    pub pull: SimDuration,
    /// Whether nodes have it from the beginning.
    pub present: bool,
    /// Size in bytes.
    pub size: u64,
    /// ENTRYPOINT.
    pub entrypoint: Vec<String>,
    /// CMD.
    pub cmd: Vec<String>,
    /// USER: a number or a name, empty for root.
    pub user: String,
    /// STOPSIGNAL, `SIGTERM` when empty.
    pub stop_signal: String,
    /// Environment.
    pub env: Vec<(String, String)>,
    /// Which programs are on its PATH: `busybox` (the shell and all applets), `server` (an HTTP server), `pause` …
    pub programs: Vec<String>,
}
