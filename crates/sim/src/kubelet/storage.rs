//! Limits on what a pod writes to disk (`pkg/kubelet/eviction/eviction_manager.go localStorageEviction`): `sizeLimit` of an emptyDir,
//! `ephemeral-storage` of containers and pod. Usage is measured once a minute and looked at every ten seconds.

use k8s_openapi::api::core::v1 as core;

use super::event::PodEvent;
use super::node::Kubelet;
use super::worker::{Work, Worker};
use crate::resources::value;
use crate::time::{SimDuration, SimTime};
use crate::world::World;

/// How often the disk usage of a pod is measured (`volumeStatsAggPeriod`).
const MEASURED: SimDuration = SimDuration::from_secs(60);
/// How often limits are looked at (`evictionMonitoringPeriod`).
const LOOKED_AT: u64 = SimDuration::from_secs(10).0;
/// The grace of such an eviction.
const GRACE: i64 = 1;

fn limit(container: &core::Container) -> Option<&k8s_openapi::apimachinery::pkg::api::resource::Quantity> {
    container.resources.as_ref()?.limits.as_ref()?.get("ephemeral-storage")
}

/// Whether anything limits what the pod may write.
fn is_limited(worker: &Worker) -> bool {
    let spec = worker.spec();
    spec.volumes
        .iter()
        .flatten()
        .any(|volume| volume.empty_dir.as_ref().is_some_and(|dir| dir.size_limit.is_some()))
        || spec.containers.iter().any(|container| limit(container).is_some())
}

impl Kubelet {
    /// Plans the next measurement of a pod whose disk usage is limited.
    pub(super) fn plan_storage_check(&mut self, w: &mut World, worker: &Worker) {
        if is_limited(worker) {
            let measured = w.now + MEASURED;
            let phase = self.tick_phase.0;
            let rounds = measured.0.saturating_sub(phase) / LOOKED_AT + 1;
            self.plan(w, SimTime(phase + rounds * LOOKED_AT), worker, PodEvent::StorageCheck);
        }
    }

    /// Evicts the pod if it has written more than it may.
    pub(super) fn storage_check(&mut self, w: &mut World, worker: &mut Worker) {
        if worker.work != Work::Sync {
            return;
        }
        match over_limit(worker) {
            Some(message) => self.evict(w, worker, "Evicted", &message, GRACE),
            None => self.plan_storage_check(w, worker),
        }
    }
}

/// The kubelet's words for the first limit that is exceeded.
fn over_limit(worker: &Worker) -> Option<String> {
    let spec = worker.spec();
    let mut shared = 0;
    for volume in spec.volumes.iter().flatten() {
        let Some(dir) = &volume.empty_dir else { continue };
        let used = i128::from(worker.volumes.get(&volume.name).map_or(0, |tree| tree.size()));
        shared += used;
        if let Some(limit) = &dir.size_limit
            && value(limit) > 0
            && used > value(limit)
        {
            let (name, limit) = (&volume.name, &limit.0);
            return Some(format!(
                "Usage of EmptyDir volume \"{name}\" exceeds the limit \"{limit}\". "
            ));
        }
    }
    // What a container writes beside its image.
    let written = |container: &core::Container| {
        worker.newest(&container.name).map_or(0, |instance| {
            i128::from(instance.root.size()) - i128::from(instance.image_size)
        })
    };
    let limits: Vec<_> = spec
        .containers
        .iter()
        .map(|container| limit(container).map(value))
        .collect();
    let used: i128 = shared + spec.containers.iter().map(written).sum::<i128>();
    if limits.iter().all(Option::is_some) {
        let total: i128 = limits.iter().flatten().sum();
        if used > total {
            let shown = crate::resources::binary(total);
            return Some(format!(
                "Pod ephemeral local storage usage exceeds the total limit of containers {shown}. "
            ));
        }
    }
    spec.containers.iter().find_map(|container| {
        let limit = limit(container)?;
        (written(container) > value(limit)).then(|| {
            format!(
                "Container {} exceeded its local ephemeral storage limit \"{}\". ",
                container.name, limit.0
            )
        })
    })
}
