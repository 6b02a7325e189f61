//! Which vault and which note a command line means.

use std::path::{Path, PathBuf};

use peapod_vault::{FileRef, Layer};

use crate::workspace::{Workspace, WorkspaceError};

/// Why a command line means no note.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// The vault cannot be opened.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    /// There is no such note.
    #[error("there is no note {name:?} in {vault}{hint}")]
    NoSuchNote {
        /// What was asked for.
        name: String,
        /// Where it was looked for.
        vault: String,
        /// Similar names, or how to name a vault.
        hint: String,
    },
}

/// A note of a vault, and perhaps one of its cells.
#[derive(Debug)]
pub struct NotePlace {
    /// The vault.
    pub workspace: Workspace,
    /// The note.
    pub file: FileRef,
    /// What stands after `#`: the key of a cell.
    pub cell: Option<String>,
}

/// The folder that a command works on when none is named: `notes` in the current folder if there is one, otherwise the
/// current folder.
pub fn default_vault() -> PathBuf {
    let notes = PathBuf::from("notes");
    if notes.is_dir() { notes } else { PathBuf::from(".") }
}

/// Finds a note by its path on the disk, its path in the vault, or its name; `#cell` may follow.
///
/// Without a named vault, a path on the disk belongs to the nearest folder above it that is a vault already (it has
/// `.obsidian` or `.peapod`), or to [`default_vault`] if it lies in it, or to its own folder.
///
/// # Errors
/// When the vault cannot be opened or has no such note.
pub fn note(name: &str, vault: Option<&Path>) -> Result<NotePlace, PlaceError> {
    // A file name may have a `#` in it.
    let on_disk = |name: &str| Path::new(name).is_file();
    let (name, cell) = match name.rsplit_once('#') {
        Some((note, cell)) if !on_disk(name) => (note, Some(cell.to_owned())),
        _ => (name, None),
    };
    let root = match vault {
        Some(vault) => vault.to_owned(),
        None if on_disk(name) => vault_around(Path::new(name)),
        None => default_vault(),
    };
    let workspace = Workspace::open(Some(&root))?;
    match find(&workspace, name) {
        Some(file) => Ok(NotePlace { workspace, file, cell }),
        None => Err(no_such_note(&workspace, name, &root, vault.is_some())),
    }
}

fn vault_around(file: &Path) -> PathBuf {
    let Ok(real) = file.canonicalize() else {
        return default_vault();
    };
    let is_vault = |folder: &&Path| folder.join(".obsidian").is_dir() || folder.join(".peapod").is_dir();
    if let Some(vault) = real.ancestors().skip(1).find(is_vault) {
        return vault.to_owned();
    }
    if let Ok(vault) = PathBuf::from("notes").canonicalize()
        && real.starts_with(&vault)
    {
        return vault;
    }
    real.parent().map_or_else(default_vault, Path::to_owned)
}

fn find(workspace: &Workspace, name: &str) -> Option<FileRef> {
    let snapshot = workspace.snapshot();
    let vault = &snapshot.vault;
    let in_vault = Path::new(name).canonicalize().ok().and_then(|real| {
        let path = real.strip_prefix(workspace.root()?).ok()?.to_str()?.replace('\\', "/");
        let file = FileRef {
            layer: Layer::User,
            path,
        };
        vault.note(&file).map(|_| file)
    });
    let by_path = || {
        vault
            .find(name)
            .or_else(|| vault.find(&format!("{name}.md")))
            .map(|(file, _)| file)
    };
    let by_link = || {
        let from = FileRef {
            layer: Layer::User,
            path: String::new(),
        };
        vault
            .resolve(&from, name)
            .map(|resolution| resolution.file)
            .filter(|file| vault.note(file).is_some())
    };
    in_vault.or_else(by_path).or_else(by_link)
}

fn no_such_note(workspace: &Workspace, name: &str, root: &Path, named: bool) -> PlaceError {
    let snapshot = workspace.snapshot();
    let wanted = name.to_lowercase();
    let wanted = wanted
        .rsplit('/')
        .next()
        .unwrap_or(&wanted)
        .trim_end_matches(".md")
        .to_owned();
    let similar = snapshot.vault.notes().filter(|(_, note)| {
        let known = note.name.to_lowercase();
        !wanted.is_empty() && (known.contains(&wanted) || wanted.contains(&known))
    });
    let similar: Vec<String> = similar.take(3).map(|(_, note)| format!("{:?}", note.name)).collect();
    let hint = match (similar.is_empty(), named) {
        (false, _) => format!("; similar: {}", similar.join(", ")),
        (true, false) => "; name another vault with --vault".to_owned(),
        (true, true) => String::new(),
    };
    PlaceError::NoSuchNote {
        name: name.to_owned(),
        vault: root.display().to_string(),
        hint,
    }
}
