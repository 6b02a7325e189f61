//! A tree of files in memory: a container's root file system, a volume. A clone shares what was not changed, so that a
//! container starts from its image's files at no cost and a branch of a cluster copies nothing.
//!
//! Paths here are those of one tree; mounts and working directories are the business of [`super::vfs`].

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::sync::Arc;

use crate::time::SimTime;

/// The number of a file within its tree.
pub type Ino = u32;

/// The root directory's number.
pub const ROOT: Ino = 0;

/// Symbolic links followed before a path is refused.
pub const MAX_LINKS: u32 = 40;

/// Bytes that a file may have: ext4's limit.
const MAX_LENGTH: u64 = 16 << 40;

/// Up to here the bytes of a file are kept. Beyond it a file has zeros only, which take no memory.
pub(crate) const MAX_STORED: u64 = 256 << 20;

/// A tree of files.
#[derive(Clone, Debug)]
pub struct Tree {
    base: Arc<Vec<Arc<Node>>>,
    changed: Arc<BTreeMap<Ino, Arc<Node>>>,
    next: Ino,
}

/// A file of any kind.
#[derive(Clone, Debug)]
pub struct Node {
    /// What is in it.
    pub content: Content,
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub user: u32,
    /// Group.
    pub group: u32,
    /// Names that lead to it.
    pub links: u32,
    /// When it was changed last.
    pub modified: SimTime,
}

/// What is in a file.
#[derive(Clone, Debug)]
pub enum Content {
    /// A directory: names and numbers, and its parent.
    Directory {
        /// What is in it, by name.
        entries: Arc<BTreeMap<Arc<str>, Ino>>,
        /// The directory that it is in; the root is in itself.
        parent: Ino,
    },
    /// Bytes, followed by zeros up to a length: a file of 4 GB of zeros costs nothing.
    File {
        /// The bytes up to the last one that was written as something.
        data: Arc<Vec<u8>>,
        /// Length of the file; not less than that of `data`.
        length: u64,
    },
    /// A symbolic link.
    Symlink(Arc<str>),
    /// An executable that the simulator knows by name.
    Program(Arc<str>),
    /// A device.
    Device(Device),
    /// A named pipe.
    Fifo,
}

/// Bytes of a block of the disk.
const BLOCK: u64 = 4096;

/// The devices of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    /// `/dev/null`
    Null,
    /// `/dev/zero`
    Zero,
    /// `/dev/full`
    Full,
    /// `/dev/random`, `/dev/urandom`
    Random,
    /// A socket, which nobody here connects to.
    Socket,
}

/// Why a file operation fails, with the C library's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errno {
    /// ENOENT
    NoEntry,
    /// EACCES
    Access,
    /// EPERM
    Permission,
    /// EISDIR
    IsDirectory,
    /// ENOTDIR
    NotDirectory,
    /// EEXIST
    Exists,
    /// ENOTEMPTY
    NotEmpty,
    /// EROFS
    ReadOnly,
    /// ELOOP
    Loop,
    /// ENOSPC
    NoSpace,
    /// EFBIG
    TooBig,
    /// EINVAL
    Invalid,
    /// EBADF
    BadDescriptor,
    /// EPIPE
    Pipe,
    /// EXDEV
    CrossDevice,
    /// EBUSY
    Busy,
    /// ESRCH
    NoProcess,
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoEntry => "No such file or directory",
            Self::Access => "Permission denied",
            Self::Permission => "Operation not permitted",
            Self::IsDirectory => "Is a directory",
            Self::NotDirectory => "Not a directory",
            Self::Exists => "File exists",
            Self::NotEmpty => "Directory not empty",
            Self::ReadOnly => "Read-only file system",
            Self::Loop => "Too many levels of symbolic links",
            Self::NoSpace => "No space left on device",
            Self::TooBig => "File too large",
            Self::Invalid => "Invalid argument",
            Self::BadDescriptor => "Bad file descriptor",
            Self::Pipe => "Broken pipe",
            Self::CrossDevice => "Invalid cross-device link",
            Self::Busy => "Device or resource busy",
            Self::NoProcess => "No such process",
        })
    }
}

impl Node {
    /// A file of these bytes.
    pub fn file(data: Vec<u8>, mode: u32) -> Self {
        let length = data.len() as u64;
        Self::new(
            Content::File {
                data: Arc::new(data),
                length,
            },
            mode,
        )
    }

    /// A node with nobody's name on it yet.
    pub fn new(content: Content, mode: u32) -> Self {
        Self {
            content,
            mode,
            user: 0,
            group: 0,
            links: 1,
            modified: SimTime::ZERO,
        }
    }

    /// Whether it is a directory.
    pub fn is_directory(&self) -> bool {
        matches!(self.content, Content::Directory { .. })
    }

    /// Length in bytes.
    pub fn length(&self) -> u64 {
        match &self.content {
            Content::File { length, .. } => *length,
            Content::Symlink(target) => target.len() as u64,
            Content::Directory { .. } => 4096,
            Content::Program(_) => 1_000_000,
            Content::Device(_) | Content::Fifo => 0,
        }
    }
}

impl Default for Tree {
    fn default() -> Self {
        let root = Node::new(
            Content::Directory {
                entries: Arc::default(),
                parent: ROOT,
            },
            0o755,
        );
        Self {
            base: Arc::new(vec![Arc::new(root)]),
            changed: Arc::default(),
            next: 1,
        }
    }
}

impl Tree {
    /// Whether both are clones of the very same tree, with nothing changed since.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.base, &other.base) && Arc::ptr_eq(&self.changed, &other.changed) && self.next == other.next
    }

    /// The file of that number.
    pub fn node(&self, ino: Ino) -> Option<&Node> {
        self.changed
            .get(&ino)
            .or_else(|| self.base.get(ino as usize))
            .map(Arc::as_ref)
    }

    /// The file of that number, to change.
    pub fn node_mut(&mut self, ino: Ino) -> Option<&mut Node> {
        let changed = Arc::make_mut(&mut self.changed);
        let node = match changed.entry(ino) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(Arc::clone(self.base.get(ino as usize)?)),
        };
        Some(Arc::make_mut(node))
    }

    /// The entry of a directory.
    pub fn entry(&self, directory: Ino, name: &str) -> Option<Ino> {
        match &self.node(directory)?.content {
            Content::Directory { entries, .. } => entries.get(name).copied(),
            _ => None,
        }
    }

    /// Adds a file to a directory.
    ///
    /// # Errors
    /// When the name is taken or there is no such directory.
    pub fn add(&mut self, directory: Ino, name: &str, mut node: Node) -> Result<Ino, Errno> {
        let ino = self.next;
        match self.node(directory).map(|node| &node.content) {
            Some(Content::Directory { entries, .. }) if entries.contains_key(name) => return Err(Errno::Exists),
            Some(Content::Directory { .. }) => {}
            Some(_) => return Err(Errno::NotDirectory),
            None => return Err(Errno::NoEntry),
        }
        if let Content::Directory { parent, .. } = &mut node.content {
            *parent = directory;
        }
        let modified = node.modified;
        self.next += 1;
        Arc::make_mut(&mut self.changed).insert(ino, Arc::new(node));
        self.link(directory, name, ino, modified);
        Ok(ino)
    }

    /// Gives a file another name. The number of its names is the caller's to count.
    pub fn link(&mut self, directory: Ino, name: &str, ino: Ino, at: SimTime) {
        if let Some(node) = self.node_mut(directory) {
            node.modified = at;
            if let Content::Directory { entries, .. } = &mut node.content {
                Arc::make_mut(entries).insert(name.into(), ino);
            }
        }
    }

    /// Takes a name away; the file stays for whoever has it open.
    ///
    /// # Errors
    /// When there is no such entry.
    pub fn unlink(&mut self, directory: Ino, name: &str, at: SimTime) -> Result<Ino, Errno> {
        let ino = self.entry(directory, name).ok_or(Errno::NoEntry)?;
        if let Some(node) = self.node_mut(directory) {
            node.modified = at;
            if let Content::Directory { entries, .. } = &mut node.content {
                Arc::make_mut(entries).remove(name);
            }
        }
        if let Some(node) = self.node_mut(ino) {
            node.links = node.links.saturating_sub(1);
        }
        Ok(ino)
    }

    /// Moves a name within the tree; what stood at the new place is gone.
    ///
    /// # Errors
    /// When there is no such entry.
    pub fn rename(&mut self, from: (Ino, &str), to: (Ino, &str), at: SimTime) -> Result<(), Errno> {
        let ino = self.entry(from.0, from.1).ok_or(Errno::NoEntry)?;
        if self.entry(to.0, to.1) == Some(ino) {
            return Ok(());
        }
        if self.entry(to.0, to.1).is_some() {
            self.unlink(to.0, to.1, at)?;
        }
        self.unlink(from.0, from.1, at)?;
        self.link(to.0, to.1, ino, at);
        if let Some(node) = self.node_mut(ino) {
            node.links += 1;
            if let Content::Directory { parent, .. } = &mut node.content {
                *parent = to.0;
            }
        }
        Ok(())
    }

    /// The number of the file at a path of this tree, with links followed within it.
    pub fn find(&self, path: &str) -> Option<Ino> {
        self.find_from(ROOT, path, 0)
    }

    fn find_from(&self, start: Ino, path: &str, links: u32) -> Option<Ino> {
        let mut at = if path.starts_with('/') { ROOT } else { start };
        for name in path.split('/') {
            let Content::Directory { entries, parent } = &self.node(at)?.content else {
                return None;
            };
            match name {
                "" | "." => {}
                ".." => at = *parent,
                name => {
                    let child = *entries.get(name)?;
                    at = match &self.node(child)?.content {
                        Content::Symlink(_) if links >= MAX_LINKS => return None,
                        Content::Symlink(target) => self.find_from(at, target, links + 1)?,
                        _ => child,
                    };
                }
            }
        }
        Some(at)
    }

    /// The names in a directory, in order; none when it is no directory.
    pub fn names(&self, path: &str) -> Vec<String> {
        match self.find(path).and_then(|ino| self.node(ino)).map(|node| &node.content) {
            Some(Content::Directory { entries, .. }) => entries.keys().map(ToString::to_string).collect(),
            _ => Vec::new(),
        }
    }

    /// The numbers of all files that were added or changed since the tree was frozen.
    pub fn changed(&self) -> Vec<Ino> {
        self.changed.keys().copied().collect()
    }

    /// Makes a directory and those on its way; gives its number. What is no directory on the way is replaced.
    pub fn make_directories(&mut self, path: &str) -> Ino {
        let mut at = ROOT;
        for name in path.split('/').filter(|name| !matches!(*name, "" | "." | "..")) {
            at = match self
                .entry(at, name)
                .and_then(|child| match self.node(child).map(|node| &node.content) {
                    Some(Content::Directory { .. }) => Some(child),
                    Some(Content::Symlink(target)) => self.find_from(at, target, 1),
                    _ => None,
                }) {
                Some(child) => child,
                None => {
                    let _ = self.unlink(at, name, SimTime::ZERO);
                    let directory = Content::Directory {
                        entries: Arc::default(),
                        parent: at,
                    };
                    self.add(at, name, Node::new(directory, 0o755)).unwrap_or(at)
                }
            };
        }
        at
    }

    /// Puts a file at a path of this tree, with the directories on its way, instead of what was there.
    pub fn put(&mut self, path: &str, node: Node) -> Ino {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        let directory = self.make_directories(parent);
        let _ = self.unlink(directory, name, node.modified);
        self.add(directory, name, node).unwrap_or(ROOT)
    }

    /// Writes a whole file and the directories on its way.
    pub fn write(&mut self, path: &str, data: &[u8], mode: u32) {
        self.put(path, Node::file(data.to_vec(), mode));
    }

    /// Makes a symbolic link and the directories on its way.
    pub fn symlink(&mut self, path: &str, target: &str) {
        self.put(path, Node::new(Content::Symlink(target.into()), 0o777));
    }

    /// Removes what is at a path, with all below it.
    pub fn remove(&mut self, path: &str) {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        if let Some(directory) = self.find(parent) {
            let _ = self.unlink(directory, name, SimTime::ZERO);
        }
    }

    /// A file's content; at most 16 MiB of it.
    pub fn read(&self, path: &str) -> Option<Vec<u8>> {
        let ino = self.find(path)?;
        let length = self.node(ino)?.length().min(16 << 20);
        match self.node(ino)?.content {
            Content::File { .. } => self.read_at(ino, 0, length).ok(),
            _ => None,
        }
    }

    /// Bytes of a file from an offset on.
    ///
    /// # Errors
    /// When it is no file.
    pub fn read_at(&self, ino: Ino, offset: u64, limit: u64) -> Result<Vec<u8>, Errno> {
        match self.node(ino).map(|node| &node.content) {
            Some(Content::File { data, length }) => {
                let end = length.min(&offset.saturating_add(limit)).to_owned();
                if offset >= end {
                    return Ok(Vec::new());
                }
                let known = data.len() as u64;
                let mut bytes = data[offset.min(known) as usize..end.min(known) as usize].to_vec();
                bytes.resize((end - offset) as usize, 0);
                Ok(bytes)
            }
            Some(Content::Directory { .. }) => Err(Errno::IsDirectory),
            Some(_) => Err(Errno::Invalid),
            None => Err(Errno::NoEntry),
        }
    }

    /// Writes bytes into a file.
    ///
    /// # Errors
    /// When it is no file.
    pub fn write_at(&mut self, ino: Ino, offset: u64, bytes: &[u8], at: SimTime) -> Result<(), Errno> {
        let node = self.node_mut(ino).ok_or(Errno::NoEntry)?;
        node.modified = at;
        match &mut node.content {
            Content::File { data, length } => {
                let end = offset.saturating_add(bytes.len() as u64);
                if end > MAX_LENGTH {
                    return Err(Errno::TooBig);
                }
                if end > *length || offset < data.len() as u64 || bytes.iter().any(|&byte| byte != 0) {
                    let zeros = bytes.iter().all(|&byte| byte == 0);
                    if !(zeros && offset >= data.len() as u64) {
                        if end > MAX_STORED {
                            return Err(Errno::TooBig);
                        }
                        let data = Arc::make_mut(data);
                        if (data.len() as u64) < end {
                            data.resize(end as usize, 0);
                        }
                        data[offset as usize..end as usize].copy_from_slice(bytes);
                    }
                    *length = (*length).max(end);
                }
                Ok(())
            }
            Content::Directory { .. } => Err(Errno::IsDirectory),
            _ => Err(Errno::Invalid),
        }
    }

    /// Makes a file longer with zeros, without storing them.
    ///
    /// # Errors
    /// When it is no file.
    pub fn set_length(&mut self, ino: Ino, new: u64, at: SimTime) -> Result<(), Errno> {
        let node = self.node_mut(ino).ok_or(Errno::NoEntry)?;
        node.modified = at;
        match &mut node.content {
            Content::File { .. } if new > MAX_LENGTH => Err(Errno::TooBig),
            Content::File { data, length } => {
                if new < data.len() as u64 {
                    Arc::make_mut(data).truncate(new as usize);
                }
                *length = new;
                Ok(())
            }
            Content::Directory { .. } => Err(Errno::IsDirectory),
            _ => Err(Errno::Invalid),
        }
    }

    /// Bytes that files take which were added or changed since the tree was frozen.
    pub fn size(&self) -> u64 {
        self.changed
            .values()
            .filter(|node| node.links > 0)
            .map(|node| match &node.content {
                Content::File { length, .. } => *length,
                _ => 0,
            })
            .sum()
    }

    /// Bytes of the disk that they take, with the directories: whole blocks, as `du` counts them.
    pub fn blocks(&self) -> u64 {
        self.changed
            .values()
            .filter(|node| node.links > 0)
            .map(|node| match &node.content {
                Content::File { length, .. } => length.div_ceil(BLOCK).saturating_mul(BLOCK),
                Content::Directory { .. } => BLOCK,
                _ => 0,
            })
            .fold(0, u64::saturating_add)
    }

    /// Files that were added or changed since the tree was frozen.
    pub fn files(&self) -> u64 {
        self.changed.values().filter(|node| node.links > 0).count() as u64
    }

    /// Makes everything in the tree the shared base of its clones: what an image build does.
    #[must_use]
    pub fn frozen(self) -> Self {
        let nodes = (0..self.next)
            .map(|ino| {
                let node = self.changed.get(&ino).or_else(|| self.base.get(ino as usize));
                node.cloned().unwrap_or_else(|| Arc::new(Node::file(Vec::new(), 0)))
            })
            .collect();
        Self {
            base: Arc::new(nodes),
            changed: Arc::default(),
            next: self.next,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_keeps_its_own_changes() {
        let mut image = Tree::default();
        image.write("/etc/motd", b"hello\n", 0o644);
        let image = image.frozen();
        let mut container = image.clone();
        container.write("/etc/motd", b"changed\n", 0o644);
        assert_eq!(image.read("/etc/motd").as_deref(), Some(&b"hello\n"[..]));
        assert_eq!(container.read("etc/motd").as_deref(), Some(&b"changed\n"[..]));
        assert_eq!((image.size(), container.size()), (0, 8));
    }

    #[test]
    fn zeros_take_room_but_no_memory() {
        let mut tree = Tree::default();
        tree.write("/f", b"x", 0o644);
        let ino = tree.find("/f").expect("written");
        tree.set_length(ino, 4_000_000_000, SimTime::ZERO).expect("a file");
        assert_eq!(tree.size(), 4_000_000_000);
        assert_eq!(tree.read_at(ino, 0, 3).expect("a file"), b"x\0\0");
    }

    #[test]
    fn links_are_followed_within_the_tree() {
        let mut tree = Tree::default();
        tree.write("/a/b/file", b"1", 0o644);
        tree.symlink("/a/link", "b/../b/file");
        tree.symlink("/loop", "loop");
        assert_eq!(tree.read("/a/link").as_deref(), Some(&b"1"[..]));
        assert_eq!(tree.read("/loop"), None);
    }

    #[test]
    fn a_rename_replaces_and_a_removal_forgets() {
        let mut tree = Tree::default();
        tree.write("/a", b"1", 0o644);
        tree.write("/b", b"22", 0o644);
        tree.rename((ROOT, "a"), (ROOT, "b"), SimTime::ZERO)
            .expect("both exist");
        assert_eq!(tree.read("/b").as_deref(), Some(&b"1"[..]));
        assert_eq!((tree.read("/a"), tree.size()), (None, 1));
        tree.remove("/b");
        assert_eq!(tree.size(), 0);
    }
}
