//! The image catalogue: which images exist, how large they are, what they run. Data in YAML; a vault can add to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::files::Tree;
use crate::time::SimDuration;

/// The images that exist, by repository.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    /// Repositories by normalized name, such as `docker.io/library/busybox`.
    pub repositories: BTreeMap<String, Arc<Repository>>,
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
    /// WORKDIR; empty for `/`.
    pub working_dir: String,
    /// Which programs are on its PATH: `busybox` (the shell and all applets), `server` (an HTTP server), `pause` …
    pub programs: Vec<String>,
}

/// What is known of an image reference.
#[derive(Clone, Debug)]
pub enum Lookup {
    /// The image is in the catalogue.
    Image(Arc<Repository>),
    /// The repository is in the catalogue, but not this tag: a pull fails with "not found".
    NotFound,
    /// The repository is unknown; it is assumed to exist and to run until it is stopped.
    Assumed(Arc<Repository>),
}

/// An image reference in its full form.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// Registry and path, such as `docker.io/library/busybox`.
    pub repository: String,
    /// Tag; `latest` when neither a tag nor a digest was given.
    pub tag: Option<String>,
    /// `sha256:…`
    pub digest: Option<String>,
}

impl Reference {
    /// Reads a reference as containerd does: the registry, `library/` and the tag `latest` are filled in.
    ///
    /// # Errors
    /// containerd's words for what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.to_owned())),
            None => (text, None),
        };
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag.to_owned())),
            _ => (rest, None),
        };
        let (host, path) = match name.split_once('/') {
            Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => (host, path.to_owned()),
            Some(_) => ("docker.io", name.to_owned()),
            None => ("docker.io", format!("library/{name}")),
        };
        if path.is_empty() || path.ends_with('/') {
            return Err("invalid reference format".to_owned());
        }
        if path.chars().any(|c| c.is_ascii_uppercase()) {
            return Err(format!(
                "invalid reference format: repository name ({path}) must be lowercase"
            ));
        }
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-/".contains(c);
        if !path.chars().all(plain) {
            return Err("invalid reference format".to_owned());
        }
        let tag = tag.or_else(|| digest.is_none().then(|| "latest".to_owned()));
        Ok(Self {
            repository: format!("{host}/{path}"),
            tag,
            digest,
        })
    }
}

impl Catalogue {
    /// What is known of the image of that reference.
    pub fn lookup(&self, reference: &Reference) -> Lookup {
        match self.repositories.get(&reference.repository) {
            Some(repository) => match &reference.tag {
                Some(tag) if !repository.tags.contains(tag) => Lookup::NotFound,
                _ => Lookup::Image(Arc::clone(repository)),
            },
            None if self.assume_unknown => Lookup::Assumed(Arc::default()),
            None => Lookup::NotFound,
        }
    }
}

impl Repository {
    /// The files of the image.
    pub fn files(&self) -> Tree {
        Tree::default()
    }
}
