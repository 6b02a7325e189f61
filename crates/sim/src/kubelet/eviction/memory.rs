//! Memory of a pod beside that of its processes: volumes of `medium: Memory`, and the limit of the pod as a whole.

use k8s_openapi::api::core::v1 as core;

use super::super::node::Kubelet;
use super::super::worker::Worker;
use super::usage::is_in_memory;
use crate::resources::{has_pod_level, pod_limits, value};
use crate::runtime::files::Tree;
use crate::world::World;

impl Kubelet {
    /// The pod's volumes in memory with the bytes that they may hold (`pkg/volume/emptydir/empty_dir.go
    /// calculateEmptyDirMemorySize`): the least of what pods of the node, and this pod, may use, and of the volume's own limit.
    pub(crate) fn in_memory(&self, w: &World, spec: &core::PodSpec) -> Vec<(String, u64)> {
        let volumes = spec.volumes.iter().flatten().filter(|volume| is_in_memory(volume));
        let mut sizes = Vec::new();
        for volume in volumes {
            let status = w.node(&self.name).and_then(|node| node.status.as_ref());
            let allocatable = status
                .and_then(|status| status.allocatable.as_ref()?.get("memory"))
                .map(value);
            let pod = pod_limits(spec).get("memory").map(|milli| milli / 1000);
            let own = volume
                .empty_dir
                .as_ref()
                .and_then(|dir| dir.size_limit.as_ref())
                .map(value);
            let sizes_of = [allocatable, pod, own].into_iter().flatten().filter(|size| *size > 0);
            let size = sizes_of.min().and_then(|size| u64::try_from(size).ok());
            sizes.push((volume.name.clone(), size.unwrap_or(u64::MAX)));
        }
        sizes
    }

    /// Bytes that are free on the node's disk.
    pub(crate) fn free_disk(&self) -> u64 {
        self.eviction.capacity.disk.saturating_sub(self.used().disk)
    }

    /// Kills in a pod that uses more memory than it may as a whole.
    pub(super) fn enforce_pod_memory(&mut self, w: &mut World, worker: &mut Worker) {
        if worker.in_memory.is_empty() && !has_pod_level(worker.spec()) {
            // The limits of its containers are enough.
            return;
        }
        let Some(limit) = worker.memory_limit() else { return };
        while i128::from(worker.memory_usage()) > limit {
            let largest = |worker: &Worker| {
                let all = worker.instances.iter().filter_map(|instance| {
                    let (pid, memory) = instance.processes.as_ref()?.largest()?;
                    Some((memory, instance.record.id.clone(), pid))
                });
                all.max()
            };
            let Some((_, id, pid)) = largest(worker) else { return };
            let group = w.oom_kills_group();
            if let Some(all) = worker
                .instance_mut(&id)
                .and_then(|instance| instance.processes.as_mut())
            {
                all.kill_for_memory(pid, group, true);
            }
            self.run_processes(w, worker, &id);
        }
    }
}

impl Worker {
    /// Bytes of the pod's volumes that are in memory.
    pub(crate) fn memory_of_volumes(&self) -> u64 {
        let sizes = self.in_memory.iter().filter_map(|(name, _)| self.volumes.get(name));
        sizes.map(Tree::size).sum()
    }

    /// What an instance has just written into memory counts as its own; what was freed no longer does.
    pub(crate) fn charge(&mut self, id: &str, before: u64) {
        if self.in_memory.is_empty() {
            return;
        }
        let now = self.memory_of_volumes();
        let Some(instance) = self.instance_mut(id).filter(|_| now != before) else {
            return;
        };
        instance.shared = (instance.shared + now).saturating_sub(before);
        let shared = instance.shared;
        if let Some(processes) = instance.processes.as_mut() {
            instance.killed |= processes.charge(shared);
        }
    }

    /// Bytes that the pod may use as a whole: its own limit, or the sum of its containers' if each has one.
    fn memory_limit(&self) -> Option<i128> {
        let spec = self.spec();
        let limit = |resources: &Option<core::ResourceRequirements>| {
            let limits = resources.as_ref().and_then(|resources| resources.limits.as_ref());
            limits.is_some_and(|limits| limits.contains_key("memory"))
        };
        let all = spec.containers.iter().all(|container| limit(&container.resources));
        (all || limit(&spec.resources))
            .then(|| pod_limits(spec).get("memory").map(|milli| milli / 1000))
            .flatten()
    }
}
