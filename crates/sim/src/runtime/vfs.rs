//! Paths as a process of a container sees them: the root file system with volumes mounted into it, symbolic links,
//! permissions.

use std::collections::VecDeque;

use super::files::{Content, Errno, Ino, MAX_LINKS, Node, ROOT, Tree};
use super::host::{Host, Mount};

/// A file in one of the trees of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Index of the mount; `None` for the root file system.
    pub mount: Option<u16>,
    /// The file within that tree.
    pub ino: Ino,
}

/// Where a path leads.
#[derive(Clone, Debug)]
pub(crate) struct Walk {
    /// The directory that holds the last name.
    pub parent: Place,
    /// The last name; empty for the root directory and for mount points, which cannot be removed.
    pub name: String,
    /// The file, if it exists.
    pub found: Option<Place>,
    /// The path without links, `.` and `..`.
    pub path: String,
}

/// The trees and mounts of a container, for the length of one call.
pub(crate) struct Vfs<'a> {
    pub host: &'a mut dyn Host,
    pub mounts: &'a [Mount],
    pub user: u32,
    pub groups: &'a [u32],
    pub read_only_root: bool,
}

impl Vfs<'_> {
    /// The tree of a place.
    pub fn tree(&mut self, mount: Option<u16>) -> Result<&mut Tree, Errno> {
        match mount {
            None => Ok(self.host.root()),
            Some(index) => {
                let mount = self.mounts.get(usize::from(index)).ok_or(Errno::NoEntry)?;
                self.host.volume(&mount.volume).ok_or(Errno::NoEntry)
            }
        }
    }

    /// Bytes that the files around a place may still grow by.
    pub fn room(&mut self, mount: Option<u16>) -> u64 {
        let mount = mount.and_then(|index| self.mounts.get(usize::from(index)));
        self.host.room(mount.map(|mount| mount.volume.as_str()))
    }

    /// The file at a place.
    pub fn node(&mut self, place: Place) -> Result<&Node, Errno> {
        self.tree(place.mount)?.node(place.ino).ok_or(Errno::NoEntry)
    }

    /// Whether a place may be written to at all.
    pub fn writable(&self, mount: Option<u16>) -> Result<(), Errno> {
        let read_only = match mount {
            None => self.read_only_root,
            Some(index) => self.mounts.get(usize::from(index)).is_some_and(|mount| mount.read_only),
        };
        if read_only { Err(Errno::ReadOnly) } else { Ok(()) }
    }

    /// Whether this user may do `wanted` (4 read, 2 write, 1 execute) with a file.
    pub fn allowed(&mut self, place: Place, wanted: u32) -> Result<(), Errno> {
        let (user, groups) = (self.user, self.groups);
        let node = self.node(place)?;
        let bits = if user == 0 {
            // root may read and write everything, and execute what anybody may.
            if node.is_directory() || node.mode & 0o111 != 0 {
                7
            } else {
                6
            }
        } else if node.user == user {
            node.mode >> 6
        } else if groups.contains(&node.group) {
            node.mode >> 3
        } else {
            node.mode
        };
        if bits & wanted == wanted {
            Ok(())
        } else {
            Err(Errno::Access)
        }
    }

    /// The root of a mount's volume or of the part of it that is mounted.
    fn mount_root(&mut self, index: u16) -> Result<Place, Errno> {
        let mount = self.mounts.get(usize::from(index)).ok_or(Errno::NoEntry)?;
        if let Some(ino) = mount.root {
            return Ok(Place {
                mount: Some(index),
                ino,
            });
        }
        let sub_path = mount.sub_path.clone();
        let tree = self.tree(Some(index))?;
        let ino = if sub_path.is_empty() {
            ROOT
        } else {
            tree.find(&sub_path).ok_or(Errno::NoEntry)?
        };
        Ok(Place {
            mount: Some(index),
            ino,
        })
    }

    /// Follows a path from a working directory. A missing last name is not an error.
    pub fn walk(&mut self, directory: &str, path: &str, follow: bool) -> Result<Walk, Errno> {
        if path.is_empty() {
            return Err(Errno::NoEntry);
        }
        let root = Place { mount: None, ino: ROOT };
        let mut names: VecDeque<String> = VecDeque::new();
        if !path.starts_with('/') {
            names.extend(directory.split('/').map(str::to_owned));
        }
        names.extend(path.split('/').map(str::to_owned));
        let must_be_directory = path.ends_with('/');
        let mut stack: Vec<(String, Place)> = Vec::new();
        let mut links = 0;
        while let Some(name) = names.pop_front() {
            match name.as_str() {
                "" | "." => continue,
                ".." => {
                    stack.pop();
                    continue;
                }
                _ => {}
            }
            let here = stack.last().map_or(root, |(_, place)| *place);
            if !self.node(here)?.is_directory() {
                return Err(Errno::NotDirectory);
            }
            self.allowed(here, 1)?;
            let last = names.iter().all(|name| matches!(name.as_str(), "" | "."));
            let child = match self.mount_at(&stack, &name) {
                Some(index) => Some(self.mount_root(index)?),
                None => self
                    .tree(here.mount)?
                    .entry(here.ino, &name)
                    .map(|ino| Place { mount: here.mount, ino }),
            };
            let Some(child) = child else {
                if !last {
                    return Err(Errno::NoEntry);
                }
                let path = joined(&stack, Some(&name));
                return Ok(Walk {
                    parent: here,
                    name,
                    found: None,
                    path,
                });
            };
            if (!last || follow || must_be_directory)
                && let Content::Symlink(target) = &self.node(child)?.content
            {
                links += 1;
                if links > MAX_LINKS {
                    return Err(Errno::Loop);
                }
                if target.starts_with('/') {
                    stack.clear();
                }
                let target: Vec<String> = target.split('/').map(str::to_owned).collect();
                for name in target.into_iter().rev() {
                    names.push_front(name);
                }
                continue;
            }
            stack.push((name, child));
        }
        let path = joined(&stack, None);
        match stack.pop() {
            None => Ok(Walk {
                parent: root,
                name: String::new(),
                found: Some(root),
                path,
            }),
            Some((name, found)) => {
                if must_be_directory && !self.node(found)?.is_directory() {
                    return Err(Errno::NotDirectory);
                }
                let parent = stack.last().map_or(root, |(_, place)| *place);
                let mounted = found.mount != parent.mount;
                Ok(Walk {
                    parent,
                    name: if mounted { String::new() } else { name },
                    found: Some(found),
                    path,
                })
            }
        }
    }

    fn mount_at(&self, stack: &[(String, Place)], name: &str) -> Option<u16> {
        if self.mounts.is_empty() {
            return None;
        }
        let path = joined(stack, Some(name));
        let index = self
            .mounts
            .iter()
            .rposition(|mount| mount.path.trim_end_matches('/') == path)?;
        u16::try_from(index).ok()
    }

    /// The names in a directory, in order. Mount points are there because the directories below them are.
    pub fn list(&mut self, place: Place) -> Result<Vec<String>, Errno> {
        self.allowed(place, 4)?;
        match &self.node(place)?.content {
            Content::Directory { entries, .. } => Ok(entries.keys().map(ToString::to_string).collect()),
            _ => Err(Errno::NotDirectory),
        }
    }
}

fn joined(stack: &[(String, Place)], name: Option<&str>) -> String {
    let mut path = String::new();
    for name in stack.iter().map(|(name, _)| name.as_str()).chain(name) {
        path.push('/');
        path.push_str(name);
    }
    if path.is_empty() {
        path.push('/');
    }
    path
}
