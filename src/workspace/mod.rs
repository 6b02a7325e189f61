//! A vault on the disk with the built-in library under it: loaded, watched, searched; never written to.
//!
//! [`Workspace`] gives out [`Snapshot`]s: what all notes said at one moment. A page that holds one sees one state of the
//! vault however long it takes; a change makes a new snapshot and is told to all [`Workspace::subscribe`]rs.
//!
//! Only files that a scan has found are ever read, by the names that the scan gave them: no path of a link or of a request
//! is joined to a folder, and a symbolic link that leads out of the vault is named as a problem and not followed.

mod library;
mod load;
mod media;
mod search;
mod watch;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use peapod_vault::{FileRef, Layer, Vault};
use tokio::sync::broadcast;

pub use library::Library;
pub use load::{MAX_DEPTH, MAX_FILES};
pub use media::media_type;
pub use search::{Hit, MAX_QUERY_CHARS, SearchError, SearchResults, Snippet};
pub use watch::Watching;

use crate::lab::model::Diagnostic;

/// Largest file that is read as an attachment: 100 MiB.
pub const MAX_ATTACHMENT_BYTES: u64 = 100 * 1024 * 1024;
/// How many changes a subscriber may be behind; one that is further behind is told so and reloads everything.
const CHANGES: usize = 64;

/// What all notes said at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The user's notes above those of the library.
    pub vault: Vault,
    /// What is wrong with files of the vault (unreadable, not UTF-8, a link that leads out), by path.
    pub problems: Vec<Diagnostic>,
    /// Grows with each change.
    pub revision: u64,
}

/// What changed between two snapshots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The newer snapshot's [`Snapshot::revision`].
    pub revision: u64,
    /// Files that are new or say something else.
    pub changed: Vec<FileRef>,
    /// Files that are gone.
    pub removed: Vec<FileRef>,
}

/// Why a vault cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum WorkspaceError {
    /// There is no such folder, or it cannot be read.
    #[error("the vault {} cannot be read: {reason}", path.display())]
    Unreadable {
        /// The folder.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// It is a file.
    #[error("{} is not a folder; a vault is a folder with notes in it", path.display())]
    NotAFolder {
        /// The path.
        path: PathBuf,
    },
}

/// Why a file of the vault cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The vault has no such file.
    #[error("the vault has no file {0}")]
    Missing(String),
    /// It is too large.
    #[error("{path} has {size} bytes; files of up to {MAX_ATTACHMENT_BYTES} bytes are shown")]
    TooLarge {
        /// The path in the vault.
        path: String,
        /// Its size in bytes.
        size: u64,
    },
    /// It leads out of the vault.
    #[error("{0} leads out of the vault")]
    Outside(String),
    /// It cannot be read.
    #[error("{path} cannot be read: {reason}")]
    Unreadable {
        /// The path in the vault.
        path: String,
        /// Why.
        reason: String,
    },
}

/// A file of the vault or of the library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileContent {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its media type, from its extension.
    pub media_type: &'static str,
}

/// A vault and the library under it. Cheap to clone; all clones are the same workspace.
#[derive(Clone, Debug)]
pub struct Workspace {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// The vault's folder without symbolic links; none if there is only the library.
    root: Option<PathBuf>,
    current: RwLock<Arc<Snapshot>>,
    /// What is known of the files on the disk; locked during a scan, so that scans do not overlap.
    disk: Mutex<load::Disk>,
    changes: broadcast::Sender<Change>,
    search: search::Search,
}

impl Workspace {
    /// Loads the vault in a folder, or only the library.
    ///
    /// # Errors
    /// When the folder cannot be read. A single file that cannot be read is a problem of the snapshot, not an error.
    pub fn open(root: Option<&Path>) -> Result<Self, WorkspaceError> {
        let root = root.map(load::root).transpose()?;
        let mut disk = load::Disk::new(root.clone());
        let mut vault = Vault::new(peapod_vault::vault::Settings {
            alias_links: true,
            ..peapod_vault::vault::Settings::default()
        });
        Library::insert_into(&mut vault);
        disk.rescan(&mut vault);
        let snapshot = Snapshot {
            vault,
            problems: disk.problems(),
            revision: 1,
        };
        Ok(Self {
            inner: Arc::new(Inner {
                root,
                current: RwLock::new(Arc::new(snapshot)),
                disk: Mutex::new(disk),
                changes: broadcast::Sender::new(CHANGES),
                search: search::Search::default(),
            }),
        })
    }

    /// The vault's folder, without symbolic links.
    pub fn root(&self) -> Option<&Path> {
        self.inner.root.as_deref()
    }

    /// What the vault's folder is called; empty if there is only the library.
    pub fn name(&self) -> String {
        let name = self
            .root()
            .and_then(Path::file_name)
            .map(|name| name.to_string_lossy().into_owned());
        name.unwrap_or_default()
    }

    /// The newest snapshot.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.inner
            .current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Tells of each change from now on. A receiver that lags behind is told that it missed some.
    pub fn subscribe(&self) -> broadcast::Receiver<Change> {
        self.inner.changes.subscribe()
    }

    /// Watches the folder until the returned value is dropped. Where the system gives no notice of changes, the folder is
    /// looked through every two seconds.
    pub fn watch(&self) -> Option<Watching> {
        watch::watch(self)
    }

    /// Looks at the whole folder for files that changed.
    pub fn rescan(&self) {
        self.update(|disk, vault| disk.rescan(vault));
    }

    /// Looks at these files and folders for changes; paths are as the system tells them.
    pub(crate) fn refresh(&self, paths: &[PathBuf]) {
        self.update(|disk, vault| disk.refresh(vault, paths));
    }

    fn update(&self, look: impl FnOnce(&mut load::Disk, &mut Vault) -> load::Difference) {
        let mut disk = self.inner.disk.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.snapshot();
        let mut vault = before.vault.clone();
        let difference = look(&mut disk, &mut vault);
        let problems = disk.problems();
        if difference.is_empty() && problems == before.problems {
            return;
        }
        let revision = before.revision + 1;
        let snapshot = Arc::new(Snapshot {
            vault,
            problems,
            revision,
        });
        *self.inner.current.write().unwrap_or_else(PoisonError::into_inner) = snapshot;
        // Nobody may be listening.
        let _ = self.inner.changes.send(Change {
            revision,
            changed: difference.changed,
            removed: difference.removed,
        });
    }

    /// A file of the vault or of the library: an attachment, or a note as it is on the disk.
    ///
    /// # Errors
    /// When there is no such file, it leads out of the vault, is too large, or cannot be read.
    pub fn file(&self, file: &FileRef) -> Result<FileContent, FileError> {
        let snapshot = self.snapshot();
        if snapshot.vault.note(file).is_none() && !snapshot.vault.has_attachment(file) {
            return Err(FileError::Missing(file.path.clone()));
        }
        let bytes = match (file.layer, &self.inner.root) {
            (Layer::Library, _) => Library::bytes(&file.path).ok_or_else(|| FileError::Missing(file.path.clone()))?,
            (Layer::User, Some(root)) => load::read(root, &file.path, MAX_ATTACHMENT_BYTES)?,
            (Layer::User, None) => return Err(FileError::Missing(file.path.clone())),
        };
        Ok(FileContent {
            bytes,
            media_type: media_type(&file.path),
        })
    }

    /// Notes in whose title or text the query occurs, the best first.
    ///
    /// The first search after a change brings the index up to date; [`Workspace::warm_search`] does so ahead of time.
    ///
    /// # Errors
    /// When the query is too long, or the index cannot be made.
    pub async fn search(&self, query: &str, limit: usize) -> Result<SearchResults, SearchError> {
        self.inner.search.search(&self.snapshot(), query, limit).await
    }

    /// Brings the search index up to date.
    ///
    /// # Errors
    /// When the index cannot be made.
    pub async fn warm_search(&self) -> Result<(), SearchError> {
        self.inner.search.update(&self.snapshot()).await
    }
}
