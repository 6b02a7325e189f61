//! A node whose memory is used up before the eviction manager looks: the kernel kills the process with the highest score
//! (`mm/oom_kill.c oom_badness`), which the kubelet has weighted by the pod's class (`pkg/kubelet/qos/policy.go`).

use std::sync::Arc;

use super::super::node::Kubelet;
use super::super::static_pods::is_critical;
use super::super::worker::Worker;
use crate::resources::value;
use crate::trace::{RuntimeEvent, What};
use crate::world::World;

/// `oom_score_adj` of a container (`GetContainerOOMScoreAdjust`): the more of the node's memory it asked for, the later it goes.
pub fn oom_score_adj(qos: &str, critical: bool, request: i128, capacity: i128) -> i128 {
    if critical {
        return -997;
    }
    match qos {
        "Guaranteed" => -997,
        "BestEffort" => 1000,
        _ if capacity > 0 => (1000 - 1000 * request / capacity).clamp(3, 999),
        _ => 999,
    }
}

fn score(worker: &Worker, container: &str, memory: u64, capacity: u64) -> i128 {
    let spec = worker.spec();
    let all = spec.containers.iter().chain(spec.init_containers.iter().flatten());
    let request = all
        .filter(|known| known.name == container)
        .find_map(|known| known.resources.as_ref()?.requests.as_ref()?.get("memory"));
    let adj = oom_score_adj(
        worker.qos,
        is_critical(&worker.pod),
        request.map_or(0, value),
        i128::from(capacity),
    );
    i128::from(memory) + adj * i128::from(capacity) / 1000
}

impl Kubelet {
    /// Kills processes while the node has no memory left.
    pub(super) fn kill_for_memory(&mut self, w: &mut World) {
        let capacity = self.eviction.capacity.memory;
        while capacity > 0 && self.used().memory > capacity {
            let mut worst: Option<(i128, Arc<str>, String, u32)> = None;
            for (uid, worker) in &self.pods {
                for instance in &worker.instances {
                    let Some((pid, memory)) = instance.processes.as_ref().and_then(|all| all.largest()) else {
                        continue;
                    };
                    let score = score(worker, &instance.record.name, memory, capacity);
                    if worst.as_ref().is_none_or(|(worst, ..)| score > *worst) {
                        worst = Some((score, Arc::clone(uid), instance.record.id.clone(), pid));
                    }
                }
            }
            let Some((_, uid, id, pid)) = worst else { return };
            let group = w.oom_kills_group();
            self.with_pod(w, &uid, |kubelet, w, worker| {
                let container = worker.container_name(&id);
                let Some(all) = worker
                    .instance_mut(&id)
                    .and_then(|instance| instance.processes.as_mut())
                else {
                    return;
                };
                let victim = all.kill_for_memory(pid, group, group);
                let event = RuntimeEvent::Signalled {
                    signal: "SIGKILL".to_owned(),
                };
                let record = w.record(Some(worker.reference()), Some(&container), What::Runtime { event });
                w.causes = vec![record];
                let text = format!(
                    "System OOM encountered, victim process: {victim}, pid: {}",
                    10_000 + pid
                );
                // A kubelet that does not run sees nothing of it.
                if kubelet.is_heard() {
                    kubelet.node_event(w, "Warning", "SystemOOM", text);
                }
                kubelet.run_processes(w, worker, &id);
                worker.touched = true;
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asked_for_more_goes_later() {
        let gi = 1 << 30;
        for (qos, request, adj) in [
            ("BestEffort", 0, 1000),
            ("Guaranteed", gi, -997),
            ("Burstable", 0, 999),
            ("Burstable", gi, 750),
            ("Burstable", 4 * gi, 3),
        ] {
            assert_eq!(oom_score_adj(qos, false, request, 4 * gi), adj, "{qos} {request}");
        }
        assert_eq!(oom_score_adj("BestEffort", true, 0, gi), -997);
    }
}
