//! The eviction manager's loop (`pkg/kubelet/eviction/eviction_manager.go synchronize`). The real one looks every ten seconds; here
//! a look is planned only while it can find something, at an instant at which the real one would look.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::core::v1 as core;

use super::super::event::NodeEvent;
use super::super::node::Kubelet;
use super::super::static_pods::is_critical;
use super::super::worker::{Work, Worker};
use super::rank::{Candidate, message, order};
use super::threshold::{
    Observations, Pressure, Signal, Threshold, amount_shown, first_observed, grace_over, merged, thresholds_met,
};
use super::usage::{Usage, capacity};
use crate::events::NewEvent;
use crate::objects::{Key, Kind, is_terminal};
use crate::time::{SimDuration, SimTime};
use crate::trace::ObjectRef;
use crate::world::World;

/// How often the manager looks (`evictionMonitoringPeriod`).
const PERIOD: SimDuration = SimDuration::from_secs(10);
/// How often it looks whether a pod that it evicted is gone (`podCleanupPollFreq`), and how long at most after the kill
/// (`podCleanupTimeout`).
const POLL: SimDuration = SimDuration::from_secs(1);
const CLEANUP: SimDuration = SimDuration::from_secs(30);
/// The grace of a pod that has to go at once (`immediateEvictionGracePeriodSeconds`).
pub(super) const IMMEDIATE: i64 = 1;

/// Reason of a pod that was evicted, of the event about it, and with which new pods are refused under pressure (`Reason`).
pub(crate) const EVICTED: &str = "Evicted";

/// What the eviction manager keeps.
#[derive(Clone, Debug, Default)]
pub(crate) struct Eviction {
    pub(super) capacity: Usage,
    /// What all pods of the node use.
    pub(super) pods: Usage,
    /// Bytes of images that were pulled, and of those from the start that were removed.
    pub(super) images: u64,
    pub(super) images_gone: u64,
    /// What something that is no pod uses: a fault.
    pub(super) outside: Usage,
    /// From when on it looks every ten seconds.
    anchor: SimTime,
    /// Its next look that is planned.
    planned: Option<SimTime>,
    first_observed: Vec<(Threshold, SimTime)>,
    met: Vec<Threshold>,
    last_observed: BTreeMap<Pressure, SimTime>,
    /// The conditions of the node as the kubelet has them now; the API hears of them with the next node status.
    pub(crate) conditions: BTreeSet<Pressure>,
    /// Pods that were evicted just now, and until when they are waited for.
    waits: Option<(Vec<Arc<str>>, SimTime)>,
    /// Whether what is used has changed since it was last compared with the thresholds.
    pub(super) changed: bool,
    /// Whether the next look will find what the last one found.
    steady: bool,
}

impl Eviction {
    /// The manager of a node. Its looks have a phase of their own.
    pub(crate) fn new(node: Option<&core::Node>, phase: SimDuration) -> Self {
        Self {
            capacity: capacity(node),
            anchor: SimTime(phase.0),
            ..Self::default()
        }
    }

    /// After a restart of the kubelet it knows nothing of before, and counts all pods anew.
    pub(crate) fn forget(&mut self, now: SimTime) {
        self.pods = Usage::default();
        self.changed = true;
        self.anchor = now;
        self.planned = None;
        self.first_observed.clear();
        self.met.clear();
        self.last_observed.clear();
        self.conditions.clear();
        self.waits = None;
    }

    /// Whether a look of the manager would change nothing.
    pub(crate) fn is_idle(&self) -> bool {
        self.steady || self.planned.is_none() && self.waits.is_none()
    }

    /// The first look at or after an instant.
    fn look_at(&self, at: SimTime) -> SimTime {
        let rounds = at.since(self.anchor).0.div_ceil(PERIOD.0);
        SimTime(self.anchor.0 + rounds * PERIOD.0)
    }
}

impl Kubelet {
    /// Plans a look at or after an instant, unless one is planned that comes before.
    pub(super) fn plan_look(&mut self, w: &mut World, at: SimTime) {
        if self.eviction.waits.is_some() {
            // It looks again as soon as the pods that it evicted are gone.
            return;
        }
        let at = self.eviction.look_at(at.max(w.now));
        if self.eviction.planned.is_some_and(|planned| planned <= at) {
            return;
        }
        self.eviction.planned = Some(at);
        self.plan_node(w, at, NodeEvent::Eviction);
    }

    /// Usage has changed: the manager will look if there is something to see.
    pub(super) fn look_at_thresholds(&mut self, w: &mut World) {
        self.kill_for_memory(w);
        let seen = self.observe();
        if !thresholds_met(&w.kubelet.thresholds, &seen, false).is_empty() {
            self.eviction.steady = false;
            self.plan_look(w, w.now);
        }
    }

    /// A look that was planned, or the end of the wait for an evicted pod.
    pub(crate) fn eviction_due(&mut self, w: &mut World) {
        if let Some((pods, until)) = &self.eviction.waits {
            let gone = |uid: &Arc<str>| self.pods.get(uid).is_none_or(|pod| pod.work == Work::Finished);
            if !pods.iter().all(gone) && w.now < *until {
                self.plan_node(w, w.now + POLL, NodeEvent::Eviction);
                return;
            }
            self.eviction.waits = None;
        } else if self.eviction.planned.is_none_or(|at| at > w.now) {
            return;
        }
        self.eviction.planned = None;
        self.eviction.anchor = w.now;
        self.synchronize(w);
    }

    fn synchronize(&mut self, w: &mut World) {
        let now = w.now;
        let config = Arc::clone(&w.kubelet);
        let seen = self.observe();
        let mut met = thresholds_met(&config.thresholds, &seen, false);
        // What was acted upon stays met until its minimum reclaim is free too.
        met = merged(met, thresholds_met(&self.eviction.met, &seen, true));
        self.eviction.first_observed = first_observed(&met, &self.eviction.first_observed, now);
        for threshold in &met {
            self.eviction.last_observed.insert(threshold.signal.condition(), now);
        }
        let recent = |at: &SimTime| now.since(*at) < config.pressure_transition;
        self.eviction.last_observed.retain(|_, at| recent(at));
        let conditions: BTreeSet<Pressure> = self.eviction.last_observed.keys().copied().collect();
        self.set_pressure(w, conditions, &met, &seen);
        let due = grace_over(&self.eviction.first_observed, now);
        self.eviction.met.clone_from(&due);
        let mut evicted = self.local_storage_eviction(w);
        if evicted.is_empty() && !due.is_empty() {
            evicted = self.reclaim_for(w, &due, &seen).into_iter().collect();
        }
        let grace_pending = due.len() < self.eviction.first_observed.len();
        let observed: BTreeSet<Pressure> = met.iter().map(|threshold| threshold.signal.condition()).collect();
        self.eviction.steady = evicted.is_empty() && !grace_pending && observed == self.eviction.conditions;
        if !evicted.is_empty() {
            self.wait_for_cleanup(w, evicted);
        } else if !met.is_empty() {
            self.plan_look(w, now + PERIOD);
        } else if let Some(first) = self.eviction.last_observed.values().min() {
            self.plan_look(w, (*first + config.pressure_transition).max(now + PERIOD));
        }
        self.plan_limit_look(w);
    }

    /// Keeps the node's conditions, and plans the status that tells the API of another one.
    fn set_pressure(&mut self, w: &mut World, now: BTreeSet<Pressure>, met: &[Threshold], seen: &Observations) {
        if now == self.eviction.conditions {
            return;
        }
        let rule = "pkg/kubelet/eviction/eviction_manager.go synchronize";
        let about = w
            .get(&Key::new(Kind::Node, "", &self.name))
            .map(|stored| Arc::clone(&stored.reference));
        let mut causes = Vec::new();
        for pressure in now.symmetric_difference(&self.eviction.conditions) {
            let Some(about) = about.clone() else { continue };
            let of = met.iter().find(|threshold| threshold.signal.condition() == *pressure);
            let condition = pressure.to_string();
            let record = match of {
                Some(threshold) => {
                    let observed = seen.get(&threshold.signal).copied().unwrap_or_default();
                    let values = [
                        ("condition", condition.as_str()),
                        ("signal", threshold.signal.name()),
                        ("threshold", &threshold.value.shown(observed.capacity)),
                        ("available", &amount_shown(threshold.signal, observed.available)),
                    ];
                    w.decide(about, None, rule, "eviction.pressure", &values)
                }
                None => {
                    let values = [("condition", condition.as_str())];
                    w.decide(about, None, rule, "eviction.pressure-over", &values)
                }
            };
            causes.push(record);
        }
        self.eviction.conditions = now;
        if !causes.is_empty() {
            w.causes = causes;
        }
        self.plan_heartbeat(w);
    }

    /// Frees what can be freed without a pod, or evicts one; gives the pod that was evicted.
    fn reclaim_for(&mut self, w: &mut World, due: &[Threshold], seen: &Observations) -> Option<Arc<str>> {
        let first = *due.first()?;
        let signal = first.signal;
        let resource = signal.resource();
        self.node_event(
            w,
            "Warning",
            "EvictionThresholdMet",
            format!("Attempting to reclaim {resource}"),
        );
        if signal.is_disk() {
            self.reclaim_disk(w);
            let seen = self.observe();
            if thresholds_met(&w.kubelet.thresholds, &seen, true).is_empty() {
                return None;
            }
        }
        let observed = seen.get(&signal).copied().unwrap_or_default();
        let quantity = first.value.shown(observed.capacity);
        let available = amount_shown(signal, observed.available);
        let mut ranked: Vec<(Candidate, Arc<str>)> = self
            .pods
            .iter()
            .filter(|(_, worker)| is_active(worker))
            .map(|(uid, worker)| (candidate(worker, signal), Arc::clone(uid)))
            .collect();
        ranked.sort_by(|(a, _), (b, _)| order(signal.condition(), a, b));
        let names: Vec<String> = ranked
            .iter()
            .filter_map(|(_, uid)| Some(self.pods.get(uid)?.key.name.to_string()))
            .collect();
        let max_grace = w.kubelet.max_pod_grace;
        for (_, uid) in ranked {
            let evicted = self.with_pod(w, &uid, |kubelet, w, worker| {
                if is_critical(&worker.pod) {
                    return false;
                }
                let grace = if first.is_hard() {
                    IMMEDIATE
                } else {
                    worker.own_grace().min(max_grace)
                };
                let pod_request = pod_memory_request(worker, signal);
                let used = i128::from(worker.usage.memory);
                let of_pod = pod_request.as_deref().map(|request| (&*worker.key.name, used, request));
                let uses = worker.container_uses(signal);
                let text = message(resource, Some((&quantity, &available)), of_pod, &uses);
                let rule = "pkg/kubelet/eviction/helpers.go rank";
                let values = [
                    ("resource", resource),
                    ("threshold", &quantity),
                    ("available", &available),
                    ("order", &names.join(" ")),
                ];
                let record = w.decide(worker.reference(), None, rule, "eviction.pod", &values);
                w.causes = vec![record];
                worker.disruption = Some(disruption(w, worker, &text));
                kubelet.evict(w, worker, &text, grace);
                true
            });
            if evicted == Some(true) {
                return Some(uid);
            }
        }
        None
    }

    /// Ends a pod for want of what it uses (`killPodNow`): it fails for that reason, whatever its containers say.
    pub(super) fn evict(&mut self, w: &mut World, worker: &mut Worker, message: &str, grace: i64) {
        if !matches!(worker.work, Work::Sync | Work::Terminating) {
            return;
        }
        self.pod_event(w, worker, String::new(), "Warning", EVICTED, message.to_owned());
        worker.verdict = Some((EVICTED.to_owned(), message.to_owned()));
        if worker.work == Work::Terminating {
            // It ends already, and what the runtime was told is not taken back: it only fails for this reason now.
            worker.shrink_grace(Some(grace));
            return;
        }
        worker.work = Work::Terminating;
        worker.shrink_grace(Some(grace));
        let causes = w.causes.clone();
        self.wake_worker(w, worker, &causes);
    }

    /// Waits until the pods that were evicted are gone from the node.
    fn wait_for_cleanup(&mut self, w: &mut World, pods: Vec<Arc<str>>) {
        let grace = |uid: &Arc<str>| self.pods.get(uid).map_or(0, |worker| worker.grace);
        let longest = pods.iter().map(grace).max().unwrap_or(0);
        // The kill itself is waited for at least ten seconds, or half as long again as the grace (`killPodNow`).
        let kill = u64::try_from(longest + longest / 2).unwrap_or(0).max(10);
        let until = w.now + SimDuration::from_secs(kill) + CLEANUP;
        self.eviction.waits = Some((pods, until));
        self.plan_node(w, w.now + POLL, NodeEvent::Eviction);
    }

    /// Records an event about the node.
    pub(crate) fn node_event(&self, w: &mut World, kind: &str, reason: &str, message: String) {
        let known = w.find(Kind::Node, "", &self.name);
        // A kubelet speaks of its node by its name, whether the API server has it or not.
        let about = known.map(|stored| Arc::clone(&stored.reference)).unwrap_or_else(|| {
            Arc::new(ObjectRef {
                kind: Kind::Node.to_string(),
                namespace: String::new(),
                name: self.name.to_string(),
                uid: self.name.to_string(),
            })
        });
        let host = Arc::clone(&self.name);
        w.emit(NewEvent {
            about,
            field_path: String::new(),
            kind,
            reason,
            message,
            component: "kubelet",
            host: Some(&host),
        });
    }
}

/// Whether a pod can be evicted as far as the kubelet is concerned (`filterOutInactivePods`).
fn is_active(worker: &Worker) -> bool {
    worker.admitted && !worker.terminated_done && worker.work != Work::Finished && !is_terminal(&worker.pod)
}

fn candidate(worker: &Worker, signal: Signal) -> Candidate {
    let request = |name: &str| worker.requests.get(name).map_or(0, |amount| amount / 1000);
    // A pod without a sandbox has no figures.
    let known = worker.sandboxes.iter().any(|sandbox| sandbox.ready) || !worker.instances.is_empty();
    let used = worker.usage;
    let (usage, requested, deducted) = match signal {
        Signal::MemoryAvailable => (used.memory, request("memory"), request("memory")),
        Signal::PidAvailable => (used.processes, 0, 0),
        Signal::NodeFsAvailable | Signal::ImageFsAvailable => {
            (used.disk, request("ephemeral-storage"), request("ephemeral-storage"))
        }
        Signal::NodeFsInodesFree | Signal::ImageFsInodesFree => (used.inodes, 0, request("ephemeral-storage")),
    };
    Candidate {
        priority: worker.spec().priority.unwrap_or(0),
        request: requested,
        deducted,
        usage: known.then_some(i128::from(usage)),
    }
}

/// The memory that the pod as a whole asks for, if it does.
fn pod_memory_request(worker: &Worker, signal: Signal) -> Option<String> {
    let resources = worker
        .spec()
        .resources
        .as_ref()
        .filter(|_| signal == Signal::MemoryAvailable)?;
    Some(resources.requests.as_ref()?.get("memory")?.0.clone())
}

/// The condition of a pod that the kubelet ends for reasons of the node.
pub(crate) fn disruption(w: &World, worker: &Worker, message: &str) -> core::PodCondition {
    core::PodCondition {
        type_: "DisruptionTarget".to_owned(),
        status: "True".to_owned(),
        reason: Some("TerminationByKubelet".to_owned()),
        message: Some(message.to_owned()),
        observed_generation: w.observed(&worker.pod.metadata),
        ..Default::default()
    }
}
