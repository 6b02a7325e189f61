//! Which processes live: each that runs something holds a lock on a file of its own, and the kernel lets go of the lock
//! when the process ends, however it ends. Unlike a process id such a lock cannot be taken over by another process.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// A leftover file is swept when it is that old; a younger one may belong to a process that is about to lock it.
const YOUNG: Duration = Duration::from_secs(60);

/// This process, as far as the store is concerned. The lock lasts as long as the value.
#[derive(Debug)]
pub struct Owner {
    name: String,
    path: PathBuf,
    _lock: File,
}

impl Owner {
    /// Makes and locks the file of this process.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub fn new(folder: &Path) -> std::io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let started = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default()
            .as_nanos();
        let name = format!("{}-{started}", std::process::id());
        let path = file(folder, &name);
        let lock = OpenOptions::new().create_new(true).write(true).open(&path)?;
        lock.lock()?;
        Ok(Self {
            name,
            path,
            _lock: lock,
        })
    }

    /// Its name in the database.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

fn file(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.lock"))
}

/// Whether the process that calls itself `name` lives. When in doubt (the file cannot be opened) it does.
pub fn lives(folder: &Path, name: &str) -> bool {
    // A name comes out of the database: it must not lead out of the folder.
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') {
        return false;
    }
    match File::open(file(folder, name)) {
        Ok(open) => is_locked(&open),
        Err(error) => error.kind() != std::io::ErrorKind::NotFound,
    }
}

fn is_locked(open: &File) -> bool {
    match open.try_lock_shared() {
        Ok(()) => false,
        Err(TryLockError::WouldBlock) => true,
        Err(TryLockError::Error(_)) => true,
    }
}

/// Removes the files of processes that ended without doing so themselves.
pub fn sweep(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let old = entry
            .metadata()
            .and_then(|data| data.modified())
            .ok()
            .and_then(|at| at.elapsed().ok())
            .is_some_and(|age| age > YOUNG);
        if old && File::open(entry.path()).is_ok_and(|open| !is_locked(&open)) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_lives_as_long_as_it_holds_its_lock() {
        let folder = tempfile::tempdir().expect("a folder");
        let owner = Owner::new(folder.path()).expect("writable");
        let name = owner.name().to_owned();
        assert!(lives(folder.path(), &name));
        drop(owner);
        assert!(!lives(folder.path(), &name));
        assert!(!lives(folder.path(), "../../etc/passwd"));
        // The file of a process that was killed: there, but not locked.
        std::fs::write(file(folder.path(), "1-2"), "").expect("writable");
        assert!(!lives(folder.path(), "1-2"));
    }
}
