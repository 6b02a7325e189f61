//! Files of a vault: found by walking its folder, read, and compared with what was known of them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use peapod_vault::limits::NOTE_BYTES;
use peapod_vault::note::EmbedKind;
use peapod_vault::{FileRef, Layer, Note, Vault};

use super::{FileError, WorkspaceError};
use crate::lab::model::Diagnostic;

/// How many files of a vault are looked at.
pub const MAX_FILES: usize = 200_000;
/// How deep folders are followed.
pub const MAX_DEPTH: usize = 64;
/// Of a note beyond the limit of the parser so much is read: enough to show that it is beyond it, not enough to hurt.
const OVERSIZE_READ: u64 = NOTE_BYTES as u64 + 4096;

/// Checks that a vault is a folder, and resolves symbolic links in its path.
pub(super) fn root(path: &Path) -> Result<PathBuf, WorkspaceError> {
    let unreadable = |error: std::io::Error| WorkspaceError::Unreadable {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let real = path.canonicalize().map_err(unreadable)?;
    if !real.is_dir() {
        return Err(WorkspaceError::NotAFolder { path: path.to_owned() });
    }
    std::fs::read_dir(&real).map_err(unreadable)?;
    Ok(real)
}

/// Whether a path is a note's by its extension.
pub(super) fn is_note(path: &str) -> bool {
    path.rsplit_once('.')
        .is_some_and(|(_, extension)| extension.eq_ignore_ascii_case("md"))
}

/// Whether a file that is no note is shown by its text: a canvas, a base.
pub(super) fn has_text(path: &str) -> bool {
    matches!(EmbedKind::of_path(path), EmbedKind::Canvas | EmbedKind::Base)
}

/// What changed on the disk.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) changed: Vec<FileRef>,
    pub(super) removed: Vec<FileRef>,
}

impl Difference {
    pub(super) fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.removed.is_empty()
    }
}

/// Size and time of a file: when both are as they were, its content is taken to be so too.
type Stamp = (u64, Option<SystemTime>);

/// What is known of the files on the disk.
#[derive(Debug)]
pub(super) struct Disk {
    root: Option<PathBuf>,
    stamps: BTreeMap<String, Stamp>,
    /// Problems of the walk itself: names, links, limits.
    walk_problems: Vec<Diagnostic>,
    /// Problems of files, by path.
    file_problems: BTreeMap<String, Diagnostic>,
}

impl Disk {
    pub(super) fn new(root: Option<PathBuf>) -> Self {
        Self {
            root,
            stamps: BTreeMap::new(),
            walk_problems: Vec::new(),
            file_problems: BTreeMap::new(),
        }
    }

    pub(super) fn problems(&self) -> Vec<Diagnostic> {
        self.walk_problems
            .iter()
            .chain(self.file_problems.values())
            .cloned()
            .collect()
    }

    /// Walks the whole folder and brings the vault up to date.
    pub(super) fn rescan(&mut self, vault: &mut Vault) -> Difference {
        let Some(root) = self.root.clone() else {
            return Difference::default();
        };
        let walk = Walk::of(&root);
        self.walk_problems = walk.problems;
        let gone: Vec<String> = self
            .stamps
            .keys()
            .filter(|path| !walk.files.contains_key(*path))
            .cloned()
            .collect();
        let changed: Vec<(String, Stamp)> = walk
            .files
            .into_iter()
            .filter(|(path, stamp)| self.stamps.get(path) != Some(stamp))
            .collect();
        let mut difference = Difference::default();
        for path in gone {
            self.forget(vault, path, &mut difference);
        }
        self.take(vault, &root, changed, &mut difference);
        difference
    }

    /// Looks at the given paths only, if all of them are files that can be told apart from folders; otherwise at all.
    pub(super) fn refresh(&mut self, vault: &mut Vault, paths: &[PathBuf]) -> Difference {
        let Some(root) = self.root.clone() else {
            return Difference::default();
        };
        let mut difference = Difference::default();
        let mut changed = Vec::new();
        for path in paths {
            let Some(name) = path.strip_prefix(&root).ok().and_then(vault_path) else {
                continue;
            };
            match path.symlink_metadata() {
                Ok(data) if data.is_file() => changed.push((name, stamp(&data))),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound && self.stamps.contains_key(&name) => {
                    self.forget(vault, name, &mut difference);
                }
                // A folder that came, went or was renamed, or a symbolic link.
                _ => {
                    let rest = self.rescan(vault);
                    difference.changed.extend(rest.changed);
                    difference.removed.extend(rest.removed);
                    return difference;
                }
            }
        }
        self.take(vault, &root, changed, &mut difference);
        difference
    }

    fn forget(&mut self, vault: &mut Vault, path: String, difference: &mut Difference) {
        self.stamps.remove(&path);
        self.file_problems.remove(&path);
        let file = FileRef {
            layer: Layer::User,
            path,
        };
        if vault.remove(&file) {
            difference.removed.push(file);
        }
    }

    /// Reads files that changed, on as many threads as there are processors, and puts them into the vault.
    fn take(&mut self, vault: &mut Vault, root: &Path, changed: Vec<(String, Stamp)>, difference: &mut Difference) {
        let (notes, others): (Vec<_>, Vec<_>) = changed.into_iter().partition(|(path, _)| is_note(path));
        for (path, stamp) in others {
            self.stamps.insert(path.clone(), stamp);
            match has_text(&path).then(|| read_start(root, &path, NOTE_BYTES as u64)) {
                Some(Ok(bytes)) => {
                    vault.insert_text(Layer::User, path.clone(), String::from_utf8_lossy(&bytes).into_owned());
                }
                Some(Err(_)) | None => vault.insert_attachment(Layer::User, path.clone()),
            }
            // An attachment that was rewritten shows differently, too.
            difference.changed.push(FileRef {
                layer: Layer::User,
                path,
            });
        }
        for (read, stamp) in read_all(root, notes) {
            let Read { path, note, problem } = read;
            self.stamps.insert(path.clone(), stamp);
            match problem {
                Some(problem) => self.file_problems.insert(path.clone(), problem),
                None => self.file_problems.remove(&path),
            };
            let file = FileRef {
                layer: Layer::User,
                path,
            };
            match note {
                Some(note) if vault.note(&file).is_some_and(|known| known.text == note.text) => {}
                Some(note) => {
                    vault.insert(Layer::User, note);
                    difference.changed.push(file);
                }
                None if vault.remove(&file) => difference.removed.push(file),
                None => {}
            }
        }
    }
}

/// A note that was read, or why not.
struct Read {
    path: String,
    note: Option<Note>,
    problem: Option<Diagnostic>,
}

/// Reads and parses notes in parallel, in the order given.
fn read_all(root: &Path, files: Vec<(String, Stamp)>) -> Vec<(Read, Stamp)> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    if files.len() < 16 || threads == 1 {
        return files
            .into_iter()
            .map(|(path, stamp)| (read_note(root, path), stamp))
            .collect();
    }
    let share = files.len().div_ceil(threads * 4);
    let chunks: Vec<Vec<(String, Stamp)>> = files.chunks(share).map(<[_]>::to_vec).collect();
    let next = std::sync::atomic::AtomicUsize::new(0);
    let results: Vec<std::sync::Mutex<Vec<(Read, Stamp)>>> =
        chunks.iter().map(|_| std::sync::Mutex::default()).collect();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(index) =
                    Some(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)).filter(|i| *i < chunks.len())
                {
                    let (Some(chunk), Some(result)) = (chunks.get(index), results.get(index)) else {
                        return;
                    };
                    let read = chunk
                        .iter()
                        .map(|(path, stamp)| (read_note(root, path.clone()), *stamp))
                        .collect();
                    *result.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = read;
                }
            });
        }
    });
    results
        .into_iter()
        .flat_map(|result| result.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
        .collect()
}

fn read_note(root: &Path, path: String) -> Read {
    match read_start(root, &path, OVERSIZE_READ) {
        Ok(bytes) => {
            let (text, problem) = decode(&path, bytes);
            Read {
                note: Some(Note::parse(path.clone(), text)),
                path,
                problem,
            }
        }
        Err(error) => {
            let problem = Diagnostic::error("file.unreadable", error.to_string()).in_file(&path);
            Read {
                path,
                note: None,
                problem: Some(problem),
            }
        }
    }
}

/// A note's text. Bytes that are not UTF-8 are shown as `�` and named with their place.
fn decode(path: &str, bytes: Vec<u8>) -> (String, Option<Diagnostic>) {
    let error = match String::from_utf8(bytes) {
        Ok(text) => return (text, None),
        Err(error) => error,
    };
    let valid = error.utf8_error().valid_up_to();
    let bytes = error.into_bytes();
    if valid + 4 > NOTE_BYTES && bytes.len() > NOTE_BYTES {
        // Cut inside a character, at the end of what is read of a note that is too large anyway.
        return (String::from_utf8_lossy(&bytes).into_owned(), None);
    }
    let before = String::from_utf8_lossy(&bytes[..valid]);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    let utf16 = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
    let mut problem = Diagnostic::error(
        "file.not-utf-8",
        "this note is not UTF-8; bytes that are not are shown as �",
    )
    .in_file(path);
    problem.line = u32::try_from(line).unwrap_or(u32::MAX);
    problem.column = u32::try_from(column).unwrap_or(u32::MAX);
    let problem = problem.hint(if utf16 {
        "it looks like UTF-16: save it as UTF-8"
    } else {
        "save it as UTF-8"
    });
    (String::from_utf8_lossy(&bytes).into_owned(), Some(problem))
}

/// The bytes of a file that a scan has found, if there are at most `limit` of them.
pub(super) fn read(root: &Path, path: &str, limit: u64) -> Result<Vec<u8>, FileError> {
    let size = inside(root, path)?
        .metadata()
        .map_err(|error| unreadable(path, &error))?
        .len();
    if size > limit {
        return Err(FileError::TooLarge {
            path: path.to_owned(),
            size,
        });
    }
    read_start(root, path, limit)
}

/// At most the first `limit` bytes of a file that a scan has found.
fn read_start(root: &Path, path: &str, limit: u64) -> Result<Vec<u8>, FileError> {
    let file = std::fs::File::open(inside(root, path)?).map_err(|error| unreadable(path, &error))?;
    let mut bytes = Vec::new();
    file.take(limit)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(path, &error))?;
    Ok(bytes)
}

fn unreadable(path: &str, error: &std::io::Error) -> FileError {
    FileError::Unreadable {
        path: path.to_owned(),
        reason: error.to_string(),
    }
}

/// The file's real path. Since the scan it may have become a symbolic link, so it is looked at again.
fn inside(root: &Path, path: &str) -> Result<PathBuf, FileError> {
    let real = root.join(path).canonicalize().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => FileError::Missing(path.to_owned()),
        _ => unreadable(path, &error),
    })?;
    if !real.starts_with(root) {
        return Err(FileError::Outside(path.to_owned()));
    }
    Ok(real)
}

/// A path relative to the vault with `/` between its parts, if it is UTF-8 and none of them begins with a dot.
fn vault_path(relative: &Path) -> Option<String> {
    let parts: Option<Vec<&str>> = relative
        .iter()
        .map(|part| part.to_str().filter(|part| !part.starts_with('.')))
        .collect();
    parts.filter(|parts| !parts.is_empty()).map(|parts| parts.join("/"))
}

fn stamp(data: &std::fs::Metadata) -> Stamp {
    (data.len(), data.modified().ok())
}

/// One walk through the folder.
struct Walk {
    files: BTreeMap<String, Stamp>,
    problems: Vec<Diagnostic>,
}

impl Walk {
    fn of(root: &Path) -> Self {
        let mut walk = Self {
            files: BTreeMap::new(),
            problems: Vec::new(),
        };
        let mut seen = BTreeSet::from([root.to_owned()]);
        let mut folders = vec![(root.to_owned(), String::new(), 0)];
        while let Some((folder, prefix, depth)) = folders.pop() {
            let entries = match std::fs::read_dir(&folder) {
                Ok(entries) => entries,
                Err(error) => {
                    walk.problem(
                        &prefix,
                        "file.unreadable",
                        format!("this folder cannot be read: {error}"),
                    );
                    continue;
                }
            };
            for entry in entries.flatten() {
                let name = entry.file_name();
                if name.as_encoded_bytes().starts_with(b".") {
                    continue;
                }
                let Some(name) = name.to_str() else {
                    let shown = format!("{prefix}{}", name.to_string_lossy());
                    walk.problem(
                        &shown,
                        "file.name",
                        "the name of this file is not UTF-8; it is left out".to_owned(),
                    );
                    continue;
                };
                let path = format!("{prefix}{name}");
                let Some(data) = walk.metadata(root, &entry, &path) else {
                    continue;
                };
                if data.is_dir() {
                    if depth + 1 > MAX_DEPTH {
                        let message =
                            format!("folders are followed to a depth of {MAX_DEPTH}; what is in this one is left out");
                        walk.problem(&path, "vault.depth", message);
                    } else if entry.path().canonicalize().is_ok_and(|real| seen.insert(real)) {
                        folders.push((entry.path(), format!("{path}/"), depth + 1));
                    }
                } else if data.is_file() {
                    if walk.files.len() == MAX_FILES {
                        let message =
                            format!("a vault may have {MAX_FILES} files; this one and all after it are left out");
                        walk.problem(&path, "vault.files", message);
                        return walk;
                    }
                    walk.files.insert(path, stamp(&data));
                }
            }
        }
        walk.problems.sort_by(|a, b| a.file.cmp(&b.file));
        walk
    }

    /// What an entry is; a symbolic link is what it leads to, if that is in the vault.
    fn metadata(&mut self, root: &Path, entry: &std::fs::DirEntry, path: &str) -> Option<std::fs::Metadata> {
        let data = match entry.metadata() {
            Ok(data) if data.is_symlink() => match entry.path().canonicalize() {
                Ok(real) if real.starts_with(root) => std::fs::metadata(real),
                Ok(_) => {
                    let message = "this symbolic link leads out of the vault and is not followed".to_owned();
                    self.problem(path, "file.outside", message);
                    return None;
                }
                Err(error) => Err(error),
            },
            other => other,
        };
        match data {
            Ok(data) => Some(data),
            Err(error) => {
                self.problem(path, "file.unreadable", format!("this file cannot be read: {error}"));
                None
            }
        }
    }

    fn problem(&mut self, path: &str, code: &str, message: String) {
        self.problems
            .push(Diagnostic::error(code, message).in_file(path.trim_end_matches('/')));
    }
}
