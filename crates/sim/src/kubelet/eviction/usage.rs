//! What a node has and what its pods use of it: memory of processes and of memory-backed volumes, bytes and inodes on the node's
//! one disk, processes. It is counted anew whenever a pod has done something, so that the eviction manager need not poll.

use k8s_openapi::api::core::v1 as core;

use super::super::node::Kubelet;
use super::super::runtime_status::State;
use super::super::worker::{Instance, Worker};
use super::rank::ContainerUse;
use super::threshold::{Observation, Observations, Signal};
use crate::resources::value;
use crate::runtime::files::Tree;
use crate::world::World;

/// Memory that the system itself uses: kernel, kubelet, container runtime. Never more than a quarter of the node's.
const SYSTEM_MEMORY: u64 = 320 << 20;
/// Bytes that the system has on the disk; never more than a tenth of it.
const SYSTEM_DISK: u64 = 4 << 30;
/// Processes of the system.
const SYSTEM_PROCESSES: u64 = 120;
/// Process numbers that a node has (`kernel.pid_max` of a small machine).
const PID_MAX: u64 = 32_768;
/// Bytes of disk for which a file system has one inode.
const BYTES_AN_INODE: u64 = 16 << 10;

/// Amounts of what a node can run out of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Bytes.
    pub memory: u64,
    /// Bytes.
    pub disk: u64,
    /// Files.
    pub inodes: u64,
    /// Processes.
    pub processes: u64,
}

impl Usage {
    fn plus(self, other: Self) -> Self {
        Self {
            memory: self.memory.saturating_add(other.memory),
            disk: self.disk.saturating_add(other.disk),
            inodes: self.inodes.saturating_add(other.inodes),
            processes: self.processes.saturating_add(other.processes),
        }
    }

    fn minus(self, other: Self) -> Self {
        Self {
            memory: self.memory.saturating_sub(other.memory),
            disk: self.disk.saturating_sub(other.disk),
            inodes: self.inodes.saturating_sub(other.inodes),
            processes: self.processes.saturating_sub(other.processes),
        }
    }
}

/// What the node of that object has in all.
pub(super) fn capacity(node: Option<&core::Node>) -> Usage {
    let capacity = node.and_then(|node| node.status.as_ref()?.capacity.as_ref());
    let amount = |name: &str| {
        let amount = capacity.and_then(|capacity| capacity.get(name)).map_or(0, value);
        u64::try_from(amount).unwrap_or(0)
    };
    let disk = amount("ephemeral-storage");
    Usage {
        memory: amount("memory"),
        disk,
        inodes: disk / BYTES_AN_INODE,
        processes: PID_MAX,
    }
}

/// What is used before any pod runs.
pub(super) fn system(capacity: Usage) -> Usage {
    Usage {
        memory: SYSTEM_MEMORY.min(capacity.memory / 4),
        disk: SYSTEM_DISK.min(capacity.disk / 10),
        inodes: SYSTEM_DISK.min(capacity.disk / 10) / BYTES_AN_INODE / 4,
        processes: SYSTEM_PROCESSES,
    }
}

/// Whether a volume is an emptyDir in memory.
pub(crate) fn is_in_memory(volume: &core::Volume) -> bool {
    let medium = volume.empty_dir.as_ref().and_then(|dir| dir.medium.as_deref());
    medium == Some("Memory")
}

/// Whether the files of a volume are the pod's own on the node's disk.
fn is_on_disk(volume: &core::Volume) -> bool {
    volume.config_map.is_some() || volume.empty_dir.is_some() && !is_in_memory(volume)
}

impl Instance {
    /// Bytes that the container has written beside its image, and its logs.
    pub(super) fn written(&self) -> u64 {
        self.root.blocks().saturating_sub(self.image_size) + self.log.bytes()
    }
}

impl Worker {
    /// The volumes of that kind with their files.
    fn volumes_that<'a>(&'a self, fits: fn(&core::Volume) -> bool) -> impl Iterator<Item = &'a Tree> + 'a {
        let volumes = self.spec().volumes.iter().flatten();
        volumes
            .filter(move |volume| fits(volume))
            .filter_map(|volume| self.volumes.get(&volume.name))
    }

    /// Bytes that the pod has written to the node's disk.
    pub(super) fn disk_usage(&self) -> u64 {
        let containers: u64 = self.instances.iter().map(Instance::written).sum();
        containers + self.volumes_that(is_on_disk).map(Tree::blocks).sum::<u64>()
    }

    /// Memory of the pod's processes and of its volumes in memory.
    pub(super) fn memory_usage(&self) -> u64 {
        let processes = self.instances.iter().filter_map(|instance| instance.processes.as_ref());
        let processes: u64 = processes.map(|processes| processes.memory()).sum();
        processes + self.memory_of_volumes()
    }

    fn measure(&self) -> Usage {
        let processes = self.instances.iter().filter_map(|instance| instance.processes.as_ref());
        let pauses = self.sandboxes.iter().filter(|sandbox| sandbox.ready).count();
        Usage {
            memory: self.memory_usage(),
            disk: self.disk_usage(),
            inodes: self.instances.iter().map(|instance| instance.root.files()).sum::<u64>()
                + self.volumes_that(is_on_disk).map(Tree::files).sum::<u64>(),
            processes: processes.map(|processes| processes.count()).sum::<u64>() + pauses as u64,
        }
    }

    /// What each container uses of a resource, for the message of an eviction.
    pub(super) fn container_uses(&self, signal: Signal) -> Vec<ContainerUse> {
        let resource = signal.resource();
        let spec = self.spec();
        let containers = spec.containers.iter().chain(spec.init_containers.iter().flatten());
        let uses = containers.filter_map(|container| {
            // Only what runs has figures.
            let instance = self.newest(&container.name)?;
            let used = match signal {
                Signal::MemoryAvailable => {
                    let running = instance.record.state == State::Running;
                    instance.processes.as_ref().filter(|_| running)?.memory()
                }
                _ => instance.written(),
            };
            let requests = container
                .resources
                .as_ref()
                .and_then(|resources| resources.requests.as_ref());
            let request = requests.and_then(|requests| requests.get(resource));
            Some(ContainerUse {
                name: container.name.clone(),
                request: request.map_or_else(|| "0".to_owned(), |request| request.0.clone()),
                requested: request.map_or(0, value),
                used: i128::from(used),
            })
        });
        uses.collect()
    }
}

impl Kubelet {
    /// Counts anew what a pod uses that has done something.
    pub(crate) fn count_usage(&mut self, w: &mut World, worker: &mut Worker) {
        if !std::mem::take(&mut worker.touched) {
            return;
        }
        self.enforce_pod_memory(w, worker);
        worker.touched = false;
        let used = worker.measure();
        let before = std::mem::replace(&mut worker.usage, used);
        if used != before {
            self.eviction.pods = self.eviction.pods.minus(before).plus(used);
            self.eviction.changed = true;
            self.look_at_limits(w, worker);
            self.plan_rotation(w, worker);
        }
    }

    /// An image has come to the node, or has gone.
    pub(crate) fn images_changed(&mut self, w: &mut World) {
        self.eviction.images = self.puller.bytes(&w.catalogue);
        self.eviction.images_gone = self.puller.freed(&w.catalogue);
        self.eviction.changed = true;
        self.look_at_usage(w);
    }

    /// Something may use more of the node than before; all pods are in their table.
    pub(crate) fn look_at_usage(&mut self, w: &mut World) {
        if std::mem::take(&mut self.eviction.changed) {
            self.look_at_thresholds(w);
        }
    }

    /// A pod is gone from the node, and all that it used.
    pub(crate) fn forget_usage(&mut self, worker: &mut Worker) {
        let used = std::mem::take(&mut worker.usage);
        self.eviction.pods = self.eviction.pods.minus(used);
    }

    /// What is used of the node in all.
    pub(super) fn used(&self) -> Usage {
        let eviction = &self.eviction;
        let own = Usage {
            disk: self.files.blocks() + eviction.images,
            inodes: self.files.files(),
            ..Usage::default()
        };
        system(eviction.capacity)
            .plus(eviction.pods)
            .plus(eviction.outside)
            .plus(own)
            .minus(Usage {
                disk: eviction.images_gone,
                ..Usage::default()
            })
    }

    /// What is free of what a signal is about.
    pub(crate) fn available(&self, signal: Signal) -> Option<i128> {
        self.observe().get(&signal).map(|seen| seen.available)
    }

    /// What the eviction manager sees (`makeSignalObservations`). Images and pods share one disk here.
    pub(super) fn observe(&self) -> Observations {
        let (capacity, used) = (self.eviction.capacity, self.used());
        let of = |capacity: u64, used: u64| Observation {
            available: i128::from(capacity.saturating_sub(used)),
            capacity: i128::from(capacity),
        };
        let (disk, inodes) = (of(capacity.disk, used.disk), of(capacity.inodes, used.inodes));
        Observations::from([
            (Signal::MemoryAvailable, of(capacity.memory, used.memory)),
            (Signal::NodeFsAvailable, disk),
            (Signal::NodeFsInodesFree, inodes),
            (Signal::ImageFsAvailable, disk),
            (Signal::ImageFsInodesFree, inodes),
            (Signal::PidAvailable, of(capacity.processes, used.processes)),
        ])
    }
}
