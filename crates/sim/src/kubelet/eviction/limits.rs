//! Limits on what one pod may write (`eviction_manager.go localStorageEviction`): `sizeLimit` of an emptyDir, `ephemeral-storage`
//! of the pod and of its containers. What is in volumes is measured about once a minute, so the kubelet notices it late.

use std::sync::Arc;

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::super::node::Kubelet;
use super::super::static_pods::is_critical;
use super::super::worker::{Instance, Work, Worker};
use super::manager::IMMEDIATE;
use super::usage::is_in_memory;
use crate::resources::{binary, pod_limits, value};
use crate::time::{SimDuration, SimTime};
use crate::world::{Jitter, World};

/// How often new pods are found, and volumes measured (`volumeStatsAggPeriod`); later measurements are up to twice as far apart
/// (`volume_stat_calculator.go`).
const MEASURED: SimDuration = SimDuration::from_secs(60);

/// How often the runtime measures what containers have written (containerd's `stats_collect_period`).
const LAYERS_MEASURED: SimDuration = SimDuration::from_secs(10);

/// The ephemeral storage that a container is limited to.
fn limit(container: &core::Container) -> Option<&Quantity> {
    container.resources.as_ref()?.limits.as_ref()?.get("ephemeral-storage")
}

/// Whether anything limits what the pod may write.
pub(crate) fn is_limited(spec: &core::PodSpec) -> bool {
    let volumes = spec.volumes.iter().flatten();
    let mut dirs = volumes.filter_map(|volume| volume.empty_dir.as_ref());
    dirs.any(|dir| dir.size_limit.is_some()) || spec.containers.iter().any(|container| limit(container).is_some())
}

/// Which limit is exceeded.
struct Excess {
    /// The kubelet's words.
    message: String,
    /// Whether files of volumes are part of it.
    in_volumes: bool,
}

/// The first limit that is exceeded.
fn excess(worker: &Worker) -> Option<Excess> {
    let spec = worker.spec();
    for volume in spec.volumes.iter().flatten() {
        let limit = volume.empty_dir.as_ref().and_then(|dir| dir.size_limit.as_ref());
        let Some(limit) = limit.filter(|limit| value(limit) > 0) else {
            continue;
        };
        // What is in memory cannot be larger than its limit.
        let used = worker.volumes.get(&volume.name).filter(|_| !is_in_memory(volume));
        let used = used.map_or(0, |tree| tree.blocks());
        if i128::from(used) > value(limit) {
            let (name, limit) = (&volume.name, &limit.0);
            return Some(Excess {
                message: format!("Usage of EmptyDir volume \"{name}\" exceeds the limit \"{limit}\". "),
                in_volumes: true,
            });
        }
    }
    if let Some(total) = pod_limits(spec).get("ephemeral-storage").map(|milli| milli / 1000)
        && i128::from(worker.disk_usage()) > total
    {
        let layers: u64 = worker.instances.iter().map(Instance::written).sum();
        let shown = binary(total);
        return Some(Excess {
            message: format!("Pod ephemeral local storage usage exceeds the total limit of containers {shown}. "),
            in_volumes: i128::from(layers) <= total,
        });
    }
    spec.containers.iter().find_map(|container| {
        let limit = limit(container).filter(|limit| value(limit) != 0)?;
        let used = worker.newest(&container.name)?.written();
        (i128::from(used) > value(limit)).then(|| Excess {
            message: format!(
                "Container {} exceeded its local ephemeral storage limit \"{}\". ",
                container.name, limit.0
            ),
            in_volumes: false,
        })
    })
}

impl Kubelet {
    /// The pod has written something: plans the look that finds out whether it was too much.
    pub(super) fn look_at_limits(&mut self, w: &mut World, worker: &mut Worker) {
        if !worker.limited || worker.work != Work::Sync {
            return;
        }
        match excess(worker) {
            None => worker.over_limit = None,
            Some(_) if worker.over_limit.is_some() => {}
            Some(excess) => {
                let noticed = if excess.in_volumes {
                    self.next_measurement(w, worker)
                } else {
                    self.next_layer_measurement(w.now)
                };
                worker.over_limit = Some(noticed);
                self.plan_look(w, noticed);
            }
        }
    }

    /// When the runtime measures next what containers have written beside their images.
    fn next_layer_measurement(&self, now: SimTime) -> SimTime {
        let phase = self.tick_phase.0 * LAYERS_MEASURED.as_secs();
        let rounds = now.0.saturating_sub(phase).div_ceil(LAYERS_MEASURED.0);
        SimTime(phase + rounds * LAYERS_MEASURED.0)
    }

    /// When the pod's volumes are measured next.
    fn next_measurement(&self, w: &mut World, worker: &mut Worker) -> SimTime {
        let started = worker.start_time.unwrap_or(w.now);
        let mut at = worker.measured.unwrap_or_else(|| {
            // The pod is found at a round of the whole node.
            let phase = self.tick_phase.0 * MEASURED.as_secs();
            let rounds = started.0.saturating_sub(phase).div_ceil(MEASURED.0);
            SimTime(phase + rounds * MEASURED.0)
        });
        while at < w.now {
            let stretch = match w.jitter {
                Jitter::Real => w.rng.below(MEASURED.0),
                Jitter::None => 0,
            };
            at = at + MEASURED + SimDuration(stretch);
        }
        worker.measured = Some(at);
        at
    }

    /// Plans looks for pods whose excess will be noticed later.
    pub(super) fn plan_limit_look(&mut self, w: &mut World) {
        let noticed = self.pods.values().filter(|worker| worker.work == Work::Sync);
        if let Some(at) = noticed.filter_map(|worker| worker.over_limit).min() {
            self.plan_look(w, at.max(w.now + SimDuration(1)));
        }
    }

    /// Evicts the pods that have written more than they may; gives them.
    pub(super) fn local_storage_eviction(&mut self, w: &mut World) -> Vec<Arc<str>> {
        let over = |worker: &Worker| worker.over_limit.is_some_and(|at| at <= w.now) && worker.work == Work::Sync;
        let pods = self.pods.iter().filter(|(_, worker)| over(worker));
        let pods: Vec<Arc<str>> = pods.map(|(uid, _)| Arc::clone(uid)).collect();
        let mut evicted = Vec::new();
        for uid in pods {
            let gone = self.with_pod(w, &uid, |kubelet, w, worker| {
                worker.over_limit = None;
                let Some(excess) = excess(worker).filter(|_| !is_critical(&worker.pod)) else {
                    return false;
                };
                let rule = "pkg/kubelet/eviction/eviction_manager.go localStorageEviction";
                let values = [("message", excess.message.as_str())];
                let record = w.decide(worker.reference(), None, rule, "eviction.storage-limit", &values);
                w.causes = vec![record];
                kubelet.evict(w, worker, &excess.message, IMMEDIATE);
                true
            });
            if gone == Some(true) {
                evicted.push(uid);
            }
        }
        evicted
    }
}
