//! What a program may do: the system calls of a process, for the length of one step.

use std::sync::Arc;

use jiff::Timestamp;

use super::files::{Content, Device, Errno, Node};
use super::host::{Host, NetError, Request, RequestId, Response};
use super::kernel::{FileId, FileKind, Kernel, Listener, Pid, Proc, State, Status, Wait};
use super::process::{ServeId, Signal};
use super::vfs::{Place, Vfs, Walk};
use crate::shell::program::Program;
use crate::time::SimTime;

/// Bytes of memory more or less that nobody looks at.
const SMALL_CHANGE: u64 = 64 << 10;

/// A process at work: it, the kernel and the machine.
pub(crate) struct Ctx<'a> {
    pub kernel: &'a mut Kernel,
    pub host: &'a mut dyn Host,
    pub pid: Pid,
    /// Steps that are left in this turn.
    pub steps: u32,
}

/// What a program does after a step.
#[derive(Debug)]
pub(crate) enum Step {
    /// It would go on.
    Yield,
    /// It waits.
    Wait(Wait),
    /// It ends.
    Exit(i32),
    /// Another program takes its place.
    Replace(Box<Program>),
}

/// What a read gives.
#[derive(Debug)]
pub(crate) enum Read {
    Data(Vec<u8>),
    End,
    /// Nothing yet.
    Wait(Wait),
}

/// How a file is opened.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Open {
    pub read: bool,
    pub write: bool,
    pub append: bool,
    pub create: bool,
    pub truncate: bool,
}

impl Open {
    pub const READ: Self = Self {
        read: true,
        write: false,
        append: false,
        create: false,
        truncate: false,
    };
    pub const WRITE: Self = Self {
        read: false,
        write: true,
        append: false,
        create: true,
        truncate: true,
    };
    pub const APPEND: Self = Self {
        read: false,
        write: true,
        append: true,
        create: true,
        truncate: false,
    };
    pub const READ_WRITE: Self = Self {
        read: true,
        write: true,
        append: false,
        create: true,
        truncate: false,
    };
}

impl Ctx<'_> {
    pub fn now(&self) -> SimTime {
        self.host.now()
    }

    pub fn wall_now(&self) -> Timestamp {
        self.host.wall_now()
    }

    /// Uses up steps.
    pub fn spend(&mut self, steps: u32) {
        self.steps = self.steps.saturating_sub(steps);
    }

    /// Says that something is not simulated.
    pub fn notice(&mut self, text: &str) {
        self.host.notice(text);
    }

    /// This process.
    pub fn proc(&mut self) -> &mut Proc {
        // The process that is stepped is always in the table: only `Kernel::end` makes zombies, and nothing removes the
        // stepped one. An impossible absence gives an empty process instead of a panic.
        self.kernel.procs.entry(self.pid).or_insert_with(empty_proc)
    }

    pub fn directory(&mut self) -> Arc<str> {
        Arc::clone(&self.proc().directory)
    }

    pub fn env(&mut self, name: &str) -> Option<Arc<str>> {
        self.proc()
            .env
            .iter()
            .rev()
            .find(|(own, _)| &**own == name)
            .map(|(_, value)| Arc::clone(value))
    }

    /// Whether the container's programs are busybox's.
    pub fn is_busybox(&mut self) -> bool {
        self.stat("/bin/busybox", true).is_ok()
    }

    fn vfs(&mut self) -> Vfs<'_> {
        let user = self.proc().user;
        self.kernel.vfs(&mut *self.host, user)
    }

    // Descriptors.

    pub fn file(&mut self, fd: u32) -> Result<FileId, Errno> {
        self.proc()
            .fds
            .iter()
            .find(|(own, _)| *own == fd)
            .map(|(_, file)| *file)
            .ok_or(Errno::BadDescriptor)
    }

    /// Lets a descriptor lead to an open file; what it led to is closed.
    pub fn set_fd(&mut self, fd: u32, file: FileId) {
        self.kernel.retain(file);
        let fds = &mut self.proc().fds;
        match fds.binary_search_by_key(&fd, |(own, _)| *own) {
            Ok(index) => {
                let old = std::mem::replace(&mut fds[index].1, file);
                self.kernel.release(old);
            }
            Err(index) => fds.insert(index, (fd, file)),
        }
    }

    pub fn close(&mut self, fd: u32) {
        let fds = &mut self.proc().fds;
        if let Ok(index) = fds.binary_search_by_key(&fd, |(own, _)| *own) {
            let (_, file) = fds.remove(index);
            self.kernel.release(file);
        }
    }

    /// Opens a path.
    pub fn open(&mut self, path: &str, how: Open) -> Result<FileId, Errno> {
        if let Some(file) = self.open_special(path)? {
            return Ok(file);
        }
        let directory = self.directory();
        let walk = self.vfs().walk(&directory, path, true)?;
        let place = match walk.found {
            Some(place) => {
                let mut vfs = self.vfs();
                vfs.allowed(place, if how.read { 4 } else { 0 } | if how.write { 2 } else { 0 })?;
                match &vfs.node(place)?.content {
                    Content::Directory { .. } if how.write => return Err(Errno::IsDirectory),
                    Content::Device(device) => {
                        let device = *device;
                        return Ok(self.kernel.open(FileKind::Device(device), how.read, how.write));
                    }
                    Content::Fifo => return Ok(self.open_fifo(place, how)),
                    _ => {}
                }
                if how.write {
                    vfs.writable(place.mount)?;
                }
                if how.truncate {
                    let now = self.now();
                    self.vfs().tree(place.mount)?.set_length(place.ino, 0, now)?;
                }
                place
            }
            None if how.create => self.create(&walk, Node::file(Vec::new(), 0o666))?,
            None => return Err(Errno::NoEntry),
        };
        let file = self.kernel.open(FileKind::Node(place), how.read, how.write);
        if let Some(open) = self.kernel.files.get_mut(&file) {
            open.append = how.append;
        }
        Ok(file)
    }

    /// Opens a named pipe. Who opens it for writing goes on when somebody has opened it for reading, and the other way
    /// round.
    fn open_fifo(&mut self, place: Place, how: Open) -> FileId {
        let key = (place.mount, place.ino);
        let known = self.kernel.fifos.get(&key).copied();
        let id = match known.filter(|id| self.kernel.pipes.contains_key(id)) {
            Some(id) => id,
            None => {
                let id = self.kernel.id();
                self.kernel.fifos.insert(key, id);
                id
            }
        };
        let pipe = self.kernel.pipes.entry(id).or_default();
        pipe.named = true;
        // A side that was there before and is gone is waited for anew.
        pipe.had_writer &= pipe.writers > 0 || !pipe.data.is_empty();
        pipe.had_reader &= pipe.readers > 0;
        let alone = pipe.readers == 0;
        let kind = match (how.read, how.write) {
            (true, true) => FileKind::PipeBoth(id),
            (false, true) => FileKind::PipeWrite(id),
            _ => FileKind::PipeRead(id),
        };
        let file = self.kernel.open(kind, how.read, how.write);
        if how.write && !how.read && alone {
            // Nothing to write, but it has to wait until it could.
            self.kernel.retain(file);
            self.proc().out.push_back((file, Vec::new()));
        }
        file
    }

    /// Reads at most `limit` bytes.
    pub fn read(&mut self, fd: u32, limit: usize) -> Result<Read, Errno> {
        let file = self.file(fd)?;
        self.read_file(file, limit)
    }

    pub fn read_file(&mut self, file: FileId, limit: usize) -> Result<Read, Errno> {
        let user = self.proc().user;
        let open = self.kernel.files.get(&file).ok_or(Errno::BadDescriptor)?;
        if !open.readable {
            return Err(Errno::BadDescriptor);
        }
        let (kind, offset) = (open.kind.clone(), open.offset);
        let data = match kind {
            FileKind::Device(Device::Null | Device::Socket)
            | FileKind::Log { .. }
            | FileKind::Capture { .. }
            | FileKind::PipeWrite(_) => Vec::new(),
            FileKind::Input => self.host.read_input(limit.min(65_536)),
            FileKind::Silence => return Ok(Read::Wait(Wait::Read(file, None))),
            FileKind::Device(Device::Random) => (0..limit.min(4096)).map(|_| self.host.random(256) as u8).collect(),
            FileKind::Device(_) => vec![0; limit.min(65_536)],
            FileKind::PipeRead(pipe) | FileKind::PipeBoth(pipe) => {
                let Some(pipe) = self.kernel.pipes.get_mut(&pipe) else {
                    return Ok(Read::End);
                };
                if pipe.data.is_empty() {
                    return Ok(if pipe.has_ended() {
                        Read::End
                    } else {
                        Read::Wait(Wait::Read(file, None))
                    });
                }
                pipe.data.take(limit)
            }
            FileKind::Text(text) => {
                let start = (offset as usize).min(text.len());
                text[start..(start + limit).min(text.len())].to_vec()
            }
            FileKind::Node(place) => {
                let mut vfs = self.kernel.vfs(&mut *self.host, user);
                vfs.tree(place.mount)?.read_at(place.ino, offset, limit as u64)?
            }
        };
        if data.is_empty() {
            return Ok(Read::End);
        }
        self.spend(1 + (data.len() / 256) as u32);
        if let Some(open) = self.kernel.files.get_mut(&file) {
            open.offset += data.len() as u64;
        }
        Ok(Read::Data(data))
    }

    /// Gives back bytes that were read too far, to a file or a pipe.
    pub fn unread(&mut self, fd: u32, bytes: &[u8]) {
        let Ok(file) = self.file(fd) else { return };
        let Some(open) = self.kernel.files.get_mut(&file) else {
            return;
        };
        open.offset = open.offset.saturating_sub(bytes.len() as u64);
        if let FileKind::PipeRead(pipe) | FileKind::PipeBoth(pipe) = open.kind
            && let Some(pipe) = self.kernel.pipes.get_mut(&pipe)
        {
            pipe.data.push_front(bytes);
        }
    }

    /// Writes all of it; what a pipe has no room for is handed over before the program goes on.
    pub fn write(&mut self, fd: u32, bytes: &[u8]) -> Result<(), Errno> {
        if bytes.is_empty() {
            return Ok(());
        }
        let file = self.file(fd)?;
        self.write_file(file, bytes)
    }

    /// As [`Ctx::write`], to an open file.
    pub fn write_file(&mut self, file: FileId, bytes: &[u8]) -> Result<(), Errno> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.spend(1 + (bytes.len() / 64) as u32);
        let user = self.proc().user;
        let taken = if self.proc().out.is_empty() {
            match self.kernel.write(file, bytes, &mut *self.host, user) {
                Err(Errno::Pipe) => {
                    self.kernel.signal(self.pid, Signal::PIPE);
                    return Err(Errno::Pipe);
                }
                taken => taken?,
            }
        } else {
            0
        };
        if taken < bytes.len() {
            self.kernel.retain(file);
            self.proc().out.push_back((file, bytes[taken..].to_vec()));
        }
        Ok(())
    }

    /// Text to standard output.
    pub fn print(&mut self, text: &str) {
        let _ = self.write(1, text.as_bytes());
    }

    /// A line to standard error.
    pub fn complain(&mut self, text: &str) {
        let _ = self.write(2, format!("{text}\n").as_bytes());
    }

    pub fn pipe(&mut self) -> (FileId, FileId) {
        let id = self.kernel.id();
        let reader = self.kernel.open(FileKind::PipeRead(id), true, false);
        let writer = self.kernel.open(FileKind::PipeWrite(id), false, true);
        (reader, writer)
    }

    // Files by path.

    pub fn walk(&mut self, path: &str, follow: bool) -> Result<Walk, Errno> {
        let directory = self.directory();
        self.spend(1);
        self.vfs().walk(&directory, path, follow)
    }

    /// A copy of a file's node: cheap, content is shared.
    pub fn stat(&mut self, path: &str, follow: bool) -> Result<Node, Errno> {
        match self.walk(path, follow).map(|walk| walk.found.ok_or(Errno::NoEntry)) {
            Ok(Ok(place)) => self.node(place),
            Ok(Err(error)) | Err(error) => self.stat_proc(path).ok_or(error),
        }
    }

    pub fn node(&mut self, place: Place) -> Result<Node, Errno> {
        self.vfs().node(place).cloned()
    }

    pub fn allowed(&mut self, path: &str, wanted: u32) -> bool {
        let Ok(Some(place)) = self.walk(path, true).map(|walk| walk.found) else {
            return false;
        };
        let read_only = wanted & 2 != 0 && self.vfs().writable(place.mount).is_err();
        !read_only && self.vfs().allowed(place, wanted).is_ok()
    }

    pub fn list(&mut self, path: &str) -> Result<Vec<String>, Errno> {
        self.spend(8);
        let Some(place) = self.walk(path, true)?.found else {
            return self.list_proc(path).ok_or(Errno::NoEntry);
        };
        let mut names = self.vfs().list(place)?;
        names.extend(self.list_proc(path).unwrap_or_default());
        Ok(names)
    }

    /// Adds a file where a walk ended.
    pub fn create(&mut self, walk: &Walk, mut node: Node) -> Result<Place, Errno> {
        if walk.found.is_some() || walk.name.is_empty() {
            return Err(Errno::Exists);
        }
        let umask = self.proc().umask;
        let user = self.proc().user;
        node.modified = self.now();
        node.user = user;
        node.group = self.kernel.spec.groups.first().copied().unwrap_or(user);
        if !matches!(node.content, Content::Symlink(_)) {
            node.mode &= !umask;
        }
        let parent = walk.parent;
        let mut vfs = self.vfs();
        vfs.writable(parent.mount)?;
        vfs.allowed(parent, 3)?;
        let (mode, group) = vfs.node(parent).map(|node| (node.mode, node.group))?;
        if mode & 0o2000 != 0 {
            // What is made in such a directory belongs to its group.
            node.group = group;
            if node.is_directory() {
                node.mode |= 0o2000;
            }
        }
        let ino = vfs.tree(parent.mount)?.add(parent.ino, &walk.name, node)?;
        Ok(Place {
            mount: parent.mount,
            ino,
        })
    }

    pub fn make_directory(&mut self, path: &str, mode: u32) -> Result<(), Errno> {
        let walk = self
            .walk(path.trim_end_matches('/'), true)
            .map_err(|error| if path == "/" { Errno::Exists } else { error })?;
        let content = Content::Directory {
            entries: Arc::default(),
            parent: 0,
        };
        self.create(&walk, Node::new(content, mode)).map(drop)
    }

    /// Removes a name; `directory` says what it has to be.
    pub fn remove(&mut self, path: &str, directory: bool) -> Result<(), Errno> {
        let walk = self.walk(path.trim_end_matches('/'), false)?;
        let place = walk.found.ok_or(Errno::NoEntry)?;
        let now = self.now();
        let mut vfs = self.vfs();
        match (&vfs.node(place)?.content, directory) {
            (Content::Directory { entries, .. }, true) if !entries.is_empty() => return Err(Errno::NotEmpty),
            (Content::Directory { .. }, false) => return Err(Errno::IsDirectory),
            (Content::Directory { .. }, true) => {}
            (_, true) => return Err(Errno::NotDirectory),
            _ => {}
        }
        if walk.name.is_empty() {
            return Err(Errno::Busy);
        }
        vfs.writable(walk.parent.mount)?;
        vfs.allowed(walk.parent, 3)?;
        vfs.tree(walk.parent.mount)?
            .unlink(walk.parent.ino, &walk.name, now)
            .map(drop)
    }

    pub fn rename(&mut self, from: &str, to: &str) -> Result<(), Errno> {
        let (from, to) = (
            self.walk(from.trim_end_matches('/'), false)?,
            self.walk(to.trim_end_matches('/'), false)?,
        );
        let place = from.found.ok_or(Errno::NoEntry)?;
        if from.parent.mount != to.parent.mount || from.name.is_empty() || to.name.is_empty() {
            return Err(Errno::CrossDevice);
        }
        if to.path.starts_with(&format!("{}/", from.path)) {
            return Err(Errno::Invalid);
        }
        let now = self.now();
        let mut vfs = self.vfs();
        vfs.writable(to.parent.mount)?;
        vfs.allowed(from.parent, 3)?;
        vfs.allowed(to.parent, 3)?;
        if let Some(target) = to.found {
            let moved_is_directory = vfs.node(place)?.is_directory();
            match &vfs.node(target)?.content {
                Content::Directory { entries, .. } if moved_is_directory && !entries.is_empty() => {
                    return Err(Errno::NotEmpty);
                }
                Content::Directory { .. } if !moved_is_directory => return Err(Errno::IsDirectory),
                Content::Directory { .. } => {}
                _ if moved_is_directory => return Err(Errno::NotDirectory),
                _ => {}
            }
        }
        vfs.tree(from.parent.mount)?
            .rename((from.parent.ino, &from.name), (to.parent.ino, &to.name), now)
    }

    /// Gives a file a second name.
    pub fn hard_link(&mut self, from: &str, to: &str) -> Result<(), Errno> {
        let place = self.walk(from, false)?.found.ok_or(Errno::NoEntry)?;
        let to = self.walk(to, false)?;
        if to.found.is_some() {
            return Err(Errno::Exists);
        }
        if place.mount != to.parent.mount {
            return Err(Errno::CrossDevice);
        }
        let now = self.now();
        let mut vfs = self.vfs();
        if vfs.node(place)?.is_directory() {
            return Err(Errno::Permission);
        }
        vfs.writable(to.parent.mount)?;
        vfs.allowed(to.parent, 3)?;
        let tree = vfs.tree(to.parent.mount)?;
        tree.link(to.parent.ino, &to.name, place.ino, now);
        if let Some(node) = tree.node_mut(place.ino) {
            node.links += 1;
        }
        Ok(())
    }

    /// Changes a file's attributes.
    pub fn change(&mut self, path: &str, follow: bool, change: impl FnOnce(&mut Node)) -> Result<(), Errno> {
        let place = self.walk(path, follow)?.found.ok_or(Errno::NoEntry)?;
        let user = self.proc().user;
        let mut vfs = self.vfs();
        vfs.writable(place.mount)?;
        if user != 0 && vfs.node(place)?.user != user {
            return Err(Errno::Permission);
        }
        vfs.tree(place.mount)?
            .node_mut(place.ino)
            .map(change)
            .ok_or(Errno::NoEntry)
    }

    /// Makes a file shorter, or longer with zeros.
    pub fn set_length(&mut self, path: &str, length: u64) -> Result<(), Errno> {
        let place = self.walk(path, true)?.found.ok_or(Errno::NoEntry)?;
        let now = self.now();
        let mut vfs = self.vfs();
        vfs.writable(place.mount)?;
        vfs.allowed(place, 2)?;
        vfs.tree(place.mount)?.set_length(place.ino, length, now)
    }

    /// A whole file, at most 4 MiB of it.
    pub fn slurp(&mut self, path: &str) -> Result<Vec<u8>, Errno> {
        let file = self.open(path, Open::READ)?;
        self.kernel.retain(file);
        let data = self.read_file(file, 4 << 20);
        self.kernel.release(file);
        match data? {
            Read::Data(data) => Ok(data),
            _ => Ok(Vec::new()),
        }
    }

    // Processes.

    /// Starts a child that inherits everything; `fds` replaces descriptors.
    pub fn spawn(&mut self, program: Program, argv: Arc<[Arc<str>]>, fds: &[(u32, FileId)]) -> Option<Pid> {
        self.spend(20);
        let pid = self.kernel.next_pid()?;
        let mut child = self.proc().clone();
        child.parent = self.pid;
        child.program = Some(program);
        child.argv = argv;
        child.state = State::Ready;
        child.pending.clear();
        child.handled = 0;
        child.poked = false;
        child.out.clear();
        child.started = self.now();
        for &(fd, file) in fds {
            match child.fds.binary_search_by_key(&fd, |(own, _)| *own) {
                Ok(index) => child.fds[index].1 = file,
                Err(index) => child.fds.insert(index, (fd, file)),
            }
        }
        self.kernel.add(pid, child);
        Some(pid)
    }

    /// How a child ended, if it has; it is then gone. `None` also while it runs; a child that never was has ended with 127.
    pub fn try_wait(&mut self, child: Pid) -> Option<Status> {
        match self.kernel.procs.get(&child).map(|proc| (&proc.state, proc.parent)) {
            Some((State::Zombie(status), parent)) if parent == self.pid => {
                let status = *status;
                self.kernel.procs.remove(&child);
                Some(status)
            }
            Some((_, parent)) if parent == self.pid => None,
            _ => Some(Status::exited(127)),
        }
    }

    /// Sets what this process does at a signal.
    pub fn set_signal(&mut self, signal: Signal, handled: bool, ignored: bool) {
        let bit = 1u64.checked_shl(u32::from(signal.0)).unwrap_or(0);
        let proc = self.proc();
        proc.handled = if handled {
            proc.handled | bit
        } else {
            proc.handled & !bit
        };
        proc.ignored = if ignored {
            proc.ignored | bit
        } else {
            proc.ignored & !bit
        };
    }

    /// A signal that came and is handled.
    pub fn take_signal(&mut self) -> Option<Signal> {
        let pending = &mut self.proc().pending;
        if pending.is_empty() {
            None
        } else {
            Some(pending.remove(0))
        }
    }

    pub fn set_memory(&mut self, bytes: u64) {
        self.proc().memory = bytes;
        self.kernel.enforce_memory_limit();
    }

    /// As [`Ctx::set_memory`], for a program that says it at every turn: a small change is not worth looking at the limit.
    pub fn track_memory(&mut self, bytes: u64) {
        if self.proc().memory.abs_diff(bytes) > SMALL_CHANGE {
            self.set_memory(bytes);
        }
    }

    // Network.

    pub fn listen(&mut self, port: u16) -> Result<(), NetError> {
        if self.kernel.listeners.contains_key(&port) {
            return Err(NetError::AddressInUse);
        }
        self.host.listen(port)?;
        self.kernel.listeners.insert(
            port,
            Listener {
                pid: self.pid,
                incoming: std::collections::VecDeque::new(),
            },
        );
        Ok(())
    }

    pub fn stop_listening(&mut self, port: u16) {
        if self.kernel.listeners.remove(&port).is_some() {
            self.host.close(port);
        }
    }

    pub fn take_request(&mut self) -> Option<(u16, ServeId, Request)> {
        let pid = self.pid;
        self.kernel
            .listeners
            .iter_mut()
            .filter(|(_, listener)| listener.pid == pid)
            .find_map(|(&port, listener)| listener.incoming.pop_front().map(|(id, request)| (port, id, request)))
    }

    pub fn respond(&mut self, id: ServeId, response: Result<Response, NetError>) {
        self.kernel.served.push((id, response));
    }

    pub fn send(&mut self, address: &str, port: u16, request: &Request) -> Result<RequestId, NetError> {
        let id = RequestId(self.kernel.id());
        self.host.send(id, address, port, request)?;
        Ok(id)
    }

    /// Has the machine run a command; its end is the answer.
    pub fn command(&mut self, argv: Vec<String>, directory: &str, stdin: Vec<u8>) -> RequestId {
        let id = RequestId(self.kernel.id());
        self.host.command(id, argv, directory, stdin);
        id
    }

    pub fn take_answer(&mut self, id: RequestId) -> Option<Result<Response, NetError>> {
        self.kernel.answers.remove(&id)
    }
}

pub(super) fn empty_proc() -> Proc {
    Proc {
        parent: 0,
        group: 1,
        exec: None,
        program: None,
        argv: Arc::from([]),
        env: Arc::default(),
        fds: Vec::new(),
        directory: "/".into(),
        umask: 0o022,
        user: 0,
        state: State::Ready,
        stopped: false,
        handled: 0,
        ignored: 0,
        pending: Vec::new(),
        poked: false,
        memory: 0,
        out: std::collections::VecDeque::new(),
        started: SimTime::ZERO,
    }
}
