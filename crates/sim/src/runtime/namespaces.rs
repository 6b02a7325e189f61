//! What containers of a pod may share beside the network: the processes that they see of each other, and System V objects.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::kernel::Pid;
use crate::time::SimTime;

/// A process of another container in a shared PID namespace.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Neighbour {
    pub pid: Pid,
    pub parent: Pid,
    pub user: u32,
    pub argv: Arc<[Arc<str>]>,
    pub memory: u64,
    pub zombie: bool,
    pub started: SimTime,
}

/// The kinds of System V objects, in the order in which `ipcs` shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum IpcKind {
    /// A message queue.
    Queue,
    /// A shared memory segment.
    Memory,
    /// A set of semaphores.
    Semaphores,
}

/// A System V object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpcObject {
    /// Key by which programs find it.
    pub key: u32,
    /// Who made it.
    pub owner: u32,
    /// Permission bits.
    pub mode: u32,
    /// Bytes of a segment, semaphores of a set; 0 for a queue.
    pub size: u64,
}

/// An IPC namespace: what `man 7 sysvipc` describes. A pod has one, or the node's (`hostIPC`); it lives as long as the pod's
/// sandbox, not as its containers.
#[derive(Clone, Debug, Default)]
pub struct Ipc {
    objects: BTreeMap<(IpcKind, u32), IpcObject>,
    next: BTreeMap<IpcKind, u32>,
}

/// Objects of one kind that a namespace may have.
const MOST: usize = 4096;

impl Ipc {
    /// Makes an object; gives its number, or `None` when there are too many.
    pub fn make(&mut self, kind: IpcKind, object: IpcObject) -> Option<u32> {
        if self.list(kind).count() >= MOST {
            return None;
        }
        let next = self.next.entry(kind).or_default();
        let id = *next;
        *next += 1;
        self.objects.insert((kind, id), object);
        Some(id)
    }

    /// The objects of a kind with their numbers.
    pub fn list(&self, kind: IpcKind) -> impl Iterator<Item = (u32, &IpcObject)> {
        let all = self.objects.iter();
        all.filter(move |((of, _), _)| *of == kind)
            .map(|((_, id), object)| (*id, object))
    }

    /// The number of the object with a key.
    pub fn find(&self, kind: IpcKind, key: u32) -> Option<u32> {
        self.list(kind).find(|(_, object)| object.key == key).map(|(id, _)| id)
    }

    /// Removes an object; whether there was one.
    pub fn remove(&mut self, kind: IpcKind, id: u32) -> bool {
        self.objects.remove(&(kind, id)).is_some()
    }
}
