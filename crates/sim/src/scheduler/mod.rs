//! kube-scheduler: its queue, the scheduling cycle, one file a plugin.
//!
//! A pod without a node enters the [`queue`]; a cycle takes one pod, asks the filters about each node and the scores about
//! those that are left ([`cycle`]), takes the room at once in the [`cache`], and binds a moment later. A pod that fits
//! nowhere gets a condition, an event, perhaps the room of less important pods ([`preemption`]), and waits until a change
//! of the cluster may help it ([`hints`]).

pub mod cache;
pub mod cycle;
pub mod framework;
pub mod hints;
pub mod message;
pub mod plugins;
pub mod pod;
pub mod preemption;
pub mod queue;
mod volumes;

use crate::core;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use self::cache::{Cache, NodeId};
use self::cycle::{Cycle, Found, Listers};
use self::framework::Plugin;
use self::hints::Change;
use self::plugins::volume_binding::{self, PodStorage};
use self::pod::PodInfo;
use self::preemption::Preemption;
use self::queue::{Queued, SchedulingQueue};
use self::volumes::Binding;
use crate::cluster::Event;
use crate::events::NewEvent;
use crate::latency;
use crate::objects::{Key, Kind, Object, controller_of, is_terminal, selects};
use crate::registry::DeleteOptions;
use crate::time::{SimDuration, SimTime};
use crate::trace::{ObjectRef, RecordId};
use crate::version::{self, Gate};
use crate::world::World;

/// Every node that exists is named in the decision's record up to this many nodes; beyond, reasons are only counted.
const MAX_NODES_IN_RECORD: usize = 20;
/// How often pods are looked for whose back-off is over (`flushBackoffQCompleted`).
const BACKOFF_PERIOD: SimDuration = SimDuration::from_secs(1);
/// How often pods are looked for that have waited too long (`flushUnschedulablePodsLeftover`).
const LEFTOVER_PERIOD: SimDuration = SimDuration::from_secs(30);

/// The scheduler's own timers.
#[derive(Clone, Debug)]
pub enum SchedulerEvent {
    /// The next pod of the active queue is due.
    Cycle,
    /// A chosen node is written into the pod.
    Bind {
        /// The pod.
        key: Key,
        /// Its UID.
        uid: Arc<str>,
        /// The node.
        node: Arc<str>,
    },
    /// It is looked whether the claims of a pod that has a node are bound.
    CheckVolumes {
        /// The pod.
        key: Key,
        /// Its UID.
        uid: Arc<str>,
        /// The node.
        node: Arc<str>,
    },
    /// Pods whose back-off is over return to the active queue.
    FlushBackoff,
    /// Pods that have waited too long are tried again.
    FlushLeftover,
}

impl SchedulerEvent {
    /// Whether nothing is left to happen when only events like this one are planned.
    pub fn is_periodic(&self) -> bool {
        matches!(self, Self::FlushLeftover)
    }
}

/// The scheduler.
#[derive(Clone, Default)]
pub struct Scheduler {
    cache: Cache,
    queue: SchedulingQueue,
    /// Pods that were promised room, by node, and where each was promised it.
    nominated: BTreeMap<NodeId, BTreeMap<Key, Arc<PodInfo>>>,
    nominations: BTreeMap<Key, NodeId>,
    /// Pods that have a node here but not yet in the store.
    assumed: BTreeMap<Key, Arc<str>>,
    /// Those of them whose claims are not bound yet.
    binding: BTreeMap<Key, Binding>,
    next_start: usize,
    cycle_planned: bool,
    leftover_planned: bool,
    /// When pods that back off are looked at next.
    flush_planned: Option<SimTime>,
}

/// Whether a pod that backs off is tried early when nothing else is due.
fn impatient(w: &World) -> bool {
    w.version.enabled(Gate::SchedulerPopFromBackoffQ)
}

impl Scheduler {
    /// Reacts to a change of a pod, a node or a claim.
    pub(crate) fn on_notify(&mut self, w: &mut World, key: &Key, record: RecordId) {
        let _ = record;
        match key.kind {
            Kind::Pod => self.pod_changed(w, key),
            Kind::Node => self.node_changed(w, key),
            Kind::PersistentVolumeClaim | Kind::PersistentVolume | Kind::StorageClass => {
                self.wake(w, Change::StorageChanged);
            }
            _ => {}
        }
        self.plan_cycle(w);
    }

    /// Reacts to a timer.
    pub(crate) fn on_event(&mut self, w: &mut World, event: SchedulerEvent) {
        match event {
            SchedulerEvent::Cycle => {
                self.cycle_planned = false;
                if let Some(queued) = self.queue.pop(impatient(w)) {
                    self.schedule_one(w, queued);
                }
            }
            SchedulerEvent::Bind { key, uid, node } if self.binding.contains_key(&key) => {
                self.begin_volumes(w, &key, &uid, &node);
            }
            SchedulerEvent::Bind { key, uid, node } => self.bind(w, &key, &uid, &node),
            SchedulerEvent::CheckVolumes { key, uid, node } => self.check_volumes(w, &key, &uid, &node),
            SchedulerEvent::FlushBackoff => self.queue.flush_backoff(w.now),
            SchedulerEvent::FlushLeftover => {
                self.leftover_planned = false;
                let causes = w.causes.clone();
                let aligner = aligner(w);
                self.queue.flush_leftover(w.now, &causes, aligner);
            }
        }
        self.plan_cycle(w);
    }

    fn plan_cycle(&mut self, w: &mut World) {
        if let Some(until) = self.queue.backoff_ends().filter(|_| !impatient(w)) {
            // The queue looks once a second for pods whose back-off is over.
            let next = SimTime(until.0.max(w.now.0 + 1).div_ceil(BACKOFF_PERIOD.0) * BACKOFF_PERIOD.0);
            if self.flush_planned != Some(next) {
                self.flush_planned = Some(next);
                w.schedule(
                    next,
                    Event::Scheduler {
                        event: SchedulerEvent::FlushBackoff,
                        causes: Vec::new(),
                    },
                );
            }
        }
        if self.queue.has_due(impatient(w)) && !self.cycle_planned {
            self.cycle_planned = true;
            w.after(
                latency::SCHEDULING_CYCLE,
                Event::Scheduler {
                    event: SchedulerEvent::Cycle,
                    causes: Vec::new(),
                },
            );
        }
        if self.queue.has_unschedulable() && !self.leftover_planned {
            self.leftover_planned = true;
            let next = SimTime((w.now.0 / LEFTOVER_PERIOD.0 + 1) * LEFTOVER_PERIOD.0);
            w.schedule(
                next,
                Event::Scheduler {
                    event: SchedulerEvent::FlushLeftover,
                    causes: Vec::new(),
                },
            );
        }
    }

    fn pod_changed(&mut self, w: &World, key: &Key) {
        let stored = w.get(key).cloned();
        let pod = stored
            .as_ref()
            .and_then(|stored| stored.object.as_pod())
            .filter(|pod| !is_terminal(pod));
        let Some(pod) = pod else { return self.forget(w, key) };
        if self.is_known_as(key, pod) {
            return;
        }
        let info = Arc::new(PodInfo::new(pod));
        if self.known_uid(key).is_some_and(|uid| **uid != *info.uid) {
            self.forget(w, key);
        }
        let spec = pod.spec.as_ref();
        match spec
            .and_then(|spec| spec.node_name.as_deref())
            .filter(|node| !node.is_empty())
        {
            Some(node) => self.assigned(w, info, node),
            None => {
                let own = spec
                    .and_then(|spec| spec.scheduler_name.as_deref())
                    .unwrap_or("default-scheduler");
                if own == "default-scheduler" {
                    self.pending(w, pod, info);
                }
            }
        }
    }

    /// Whether the pod is on its node here already, and nothing of it has changed that counts: almost every write of a pod
    /// that runs changes its status alone.
    fn is_known_as(&self, key: &Key, pod: &core::Pod) -> bool {
        let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
        !self.assumed.contains_key(key)
            && self.queue.get(key).is_none()
            && !self.nominations.contains_key(key)
            && self
                .cache
                .pod(key)
                .is_some_and(|(id, info)| node == Some(&*self.cache.node(id).name) && info.is_still(pod))
    }

    fn known_uid(&self, key: &Key) -> Option<&Arc<str>> {
        let queued = self.queue.get(key).map(|queued| &queued.info.uid);
        queued.or_else(|| self.cache.pod(key).map(|(_, info)| &info.uid))
    }

    fn forget(&mut self, w: &World, key: &Key) {
        self.queue.remove(key);
        self.forget_nomination(key);
        self.assumed.remove(key);
        self.binding.remove(key);
        if let Some((_, info)) = self.cache.remove_pod(key) {
            self.wake(w, Change::PodDeleted(&info));
        }
    }

    fn assigned(&mut self, w: &World, info: Arc<PodInfo>, node: &str) {
        self.queue.remove(&info.key);
        self.forget_nomination(&info.key);
        let was_assumed = self.assumed.remove(&info.key).is_some();
        let old = self
            .cache
            .pod(&info.key)
            .map(|(id, old)| (Arc::clone(&self.cache.node(id).name), Arc::clone(old)));
        if let Some((place, old)) = &old
            && **place == *node
            && old.counts_as(&info)
            && !was_assumed
        {
            return;
        }
        self.cache.set_pod(Arc::clone(&info), node);
        match old {
            Some((_, old)) if !was_assumed => self.wake(w, Change::PodUpdated(&old, &info)),
            _ => self.wake(w, Change::PodAdded(&info)),
        }
    }

    fn pending(&mut self, w: &World, pod: &core::Pod, info: Arc<PodInfo>) {
        let key = info.key.clone();
        let gated = pod
            .spec
            .as_ref()
            .is_some_and(|spec| spec.scheduling_gates.as_ref().is_some_and(|gates| !gates.is_empty()));
        if self.assumed.contains_key(&key) {
            return;
        }
        let nominated = pod
            .status
            .as_ref()
            .and_then(|status| status.nominated_node_name.as_deref())
            .unwrap_or_default();
        match self.cache.id(nominated) {
            Some(node) => self.nominate(&info, node),
            None => self.forget_nomination(&key),
        }
        match self.queue.get(&key) {
            None => self.queue.add(w.now, info, gated, w.causes.clone()),
            Some(queued) => {
                let before = &queued.info;
                let changed = before.labels != info.labels
                    || before.requests != info.requests
                    || before.tolerations != info.tolerations;
                self.queue.update(w.now, info, gated, changed, &w.causes);
            }
        }
    }

    fn nominate(&mut self, info: &Arc<PodInfo>, node: NodeId) {
        self.forget_nomination(&info.key);
        self.nominated
            .entry(node)
            .or_default()
            .insert(info.key.clone(), Arc::clone(info));
        self.nominations.insert(info.key.clone(), node);
    }

    fn forget_nomination(&mut self, key: &Key) {
        if let Some(node) = self.nominations.remove(key)
            && let Some(pods) = self.nominated.get_mut(&node)
        {
            pods.remove(key);
            if pods.is_empty() {
                self.nominated.remove(&node);
            }
        }
    }

    fn node_changed(&mut self, w: &World, key: &Key) {
        if !self.queue.has_unschedulable() {
            // Nobody waits for it, so nobody needs to know what has changed.
            match w.node(&key.name) {
                Some(node) => {
                    self.cache.set_node(node);
                }
                None => self.cache.remove_node(&key.name),
            }
            return;
        }
        let old = self
            .cache
            .id(&key.name)
            .map(|id| self.cache.node(id).clone())
            .filter(|node| node.exists);
        match w.node(&key.name) {
            Some(node) => {
                let id = self.cache.set_node(node);
                let new = self.cache.node(id).clone();
                match old {
                    None => self.wake(w, Change::NodeAdded(&new)),
                    Some(old) => self.wake(w, Change::NodeUpdated(&old, &new)),
                }
            }
            None => {
                if let Some(old) = old {
                    self.cache.remove_node(&key.name);
                    self.wake(w, Change::NodeDeleted(&old));
                }
            }
        }
    }

    /// Moves the waiting pods that the change may help (`MoveAllToActiveOrBackoffQueue`).
    fn wake(&mut self, w: &World, change: Change<'_>) {
        if !self.queue.has_unschedulable() {
            return;
        }
        let namespaces = namespaces(w);
        let hinted = w.version.enabled(Gate::SchedulerQueueingHints);
        self.queue.move_where(w.now, &w.causes, aligner(w), |queued| {
            let key = &queued.info.key;
            w.pod(&key.namespace, &key.name).is_some_and(|pod| {
                queued.rejectors.iter().any(|plugin| {
                    if hinted {
                        hints::helps(*plugin, change, pod, &queued.info, &namespaces)
                    } else {
                        hints::concerns(*plugin, change)
                    }
                })
            })
        });
    }

    fn schedule_one(&mut self, w: &mut World, queued: Queued) {
        let key = queued.info.key.clone();
        w.causes.clone_from(&queued.causes);
        let Some(stored) = w.get(&key).cloned() else { return };
        let Some(pod) = stored.object.as_pod() else { return };
        if pod.metadata.deletion_timestamp.is_some() {
            let message = format!("skip schedule deleting pod: {}/{}", key.namespace, key.name);
            emit(
                w,
                &stored.object,
                "Warning",
                ("FailedScheduling", "Scheduling"),
                message,
            );
            return;
        }
        let promised = self.binding.values().flat_map(|binding| &binding.decision.bind);
        let promised = promised.map(|(_, volume)| volume.clone()).collect();
        let listers = listers(w, pod, promised);
        let cycle = Cycle::new(&self.cache, &listers, &self.nominated, pod, &queued.info);
        let found = cycle.find(self.next_start);
        if !self.cache.order().is_empty() {
            self.next_start = (self.next_start + found.processed) % self.cache.order().len();
        }
        if found.feasible.is_empty() {
            let preemption = if found.pre_filter.is_some() {
                // The plugin that would answer next has not counted anything yet.
                Preemption::NotHelpful {
                    message: "not found".to_owned(),
                    forget_nomination: false,
                }
            } else {
                preemption::preempt(&cycle, &found, &mut w.rng)
            };
            return self.unschedulable(w, queued, &stored.object, &found, preemption);
        }
        let (node, score) = choose(w, &cycle, &found);
        let name = Arc::clone(&self.cache.node(node).name);
        let decision = self.record_choice(w, &stored.object, &found, &name, score);
        self.forget_nomination(&key);
        self.cache.set_pod(Arc::clone(&queued.info), &name);
        self.assumed.insert(key.clone(), Arc::clone(&name));
        let chosen = self.cache.node(node);
        let volumes = volume_binding::decide(&listers.storage, &name, &chosen.labels).unwrap_or_default();
        if volumes.is_empty() {
            self.binding.remove(&key);
        } else {
            self.binding.insert(key.clone(), Binding::new(volumes, w.now));
        }
        let span = w.latency(latency::SCHEDULING);
        let event = SchedulerEvent::Bind {
            key,
            uid: Arc::clone(&queued.info.uid),
            node: name,
        };
        w.after(
            span,
            Event::Scheduler {
                event,
                causes: vec![decision],
            },
        );
    }

    fn record_choice(&self, w: &mut World, pod: &Object, found: &Found, node: &str, score: Option<i64>) -> RecordId {
        let mut values = vec![
            ("node".to_owned(), node.to_owned()),
            ("feasible".to_owned(), found.feasible.len().to_string()),
        ];
        if let Some(score) = score {
            values.push(("score".to_owned(), score.to_string()));
        }
        values.extend(self.refusals(found));
        decide(
            w,
            pod,
            "pkg/scheduler/schedule_one.go schedulePod",
            "schedule.node-chosen",
            &values,
        )
    }

    /// Which filter refused each node, as values of a decision.
    fn refusals(&self, found: &Found) -> Vec<(String, String)> {
        if found.rejected.len() <= MAX_NODES_IN_RECORD {
            let text = |(id, rejection): (&NodeId, &framework::Rejection)| {
                (
                    format!("refused {}", self.cache.node(*id).name),
                    format!("{}: {}", rejection.plugin, rejection.reasons.join(", ")),
                )
            };
            return found.rejected.iter().map(text).collect();
        }
        let mut counts: BTreeMap<Plugin, usize> = BTreeMap::new();
        for rejection in found.rejected.values() {
            *counts.entry(rejection.plugin).or_default() += 1;
        }
        counts
            .into_iter()
            .map(|(plugin, count)| (format!("refused by {plugin}"), format!("{count} nodes")))
            .collect()
    }

    fn bind(&mut self, w: &mut World, key: &Key, uid: &str, node: &str) {
        if self.assumed.get(key).is_none_or(|assumed| **assumed != *node) {
            return;
        }
        match w.bind(key, uid, node) {
            Ok(stored) => {
                let message = format!("Successfully assigned {}/{} to {node}", key.namespace, key.name);
                emit(w, &stored.object, "Normal", ("Scheduled", "Binding"), message);
            }
            Err(_) => {
                // The pod is gone or was bound by another hand: the room is free again.
                self.assumed.remove(key);
                if let Some((_, info)) = self.cache.remove_pod(key) {
                    self.wake(w, Change::PodDeleted(&info));
                }
                self.pod_changed(w, key);
            }
        }
    }

    /// What follows when no node can take the pod (`handleSchedulingFailure`).
    fn unschedulable(&mut self, w: &mut World, queued: Queued, pod: &Object, found: &Found, preemption: Preemption) {
        let nodes = self.cache.order().len();
        let (post_filter, victims, nominated) = match preemption {
            Preemption::Victims { node, victims } => (None, Some((node, victims)), Some(Some(node))),
            Preemption::NotHelpful {
                message,
                forget_nomination,
            } => {
                let message = if found.pre_filter.is_some() {
                    message
                } else if !w.version.enabled(Gate::DynamicResourceAllocation) {
                    format!("preemption: {message}")
                } else {
                    format!("no new claims to deallocate, preemption: {message}")
                };
                (Some(message), None, forget_nomination.then_some(None))
            }
        };
        let message = if nodes == 0 {
            "no nodes available to schedule pods".to_owned()
        } else {
            message::unschedulable(nodes, found, post_filter.as_deref())
        };
        let mut rejectors: BTreeSet<Plugin> = found.rejected.values().map(|rejection| rejection.plugin).collect();
        rejectors.extend(found.pre_filter.as_ref().map(|(plugin, _)| *plugin));
        if found.excluded > 0 {
            rejectors.insert(Plugin::NodeAffinity);
        }
        if nodes == 0 {
            // A new node is what any plugin would wait for.
            rejectors.insert(Plugin::NodeName);
        }
        let mut values = vec![("message".to_owned(), message.clone())];
        values.extend(self.refusals(found));
        if let Some((node, _)) = &victims {
            values.push(("nominated".to_owned(), self.cache.node(*node).name.to_string()));
        }
        let decision = decide(
            w,
            pod,
            "pkg/scheduler/schedule_one.go handleSchedulingFailure",
            "schedule.no-node",
            &values,
        );
        w.causes = vec![decision];
        let info = Arc::clone(&queued.info);
        self.queue.put_back(w.now, queued, rejectors);
        emit(
            w,
            pod,
            "Warning",
            ("FailedScheduling", "Scheduling"),
            message::truncated(&message).into_owned(),
        );
        match nominated {
            Some(Some(node)) => self.nominate(&info, node),
            Some(None) => self.forget_nomination(&info.key),
            None => {}
        }
        let promised = nominated.map(|node| node.map(|node| self.cache.node(node).name.to_string()));
        let time = w.time();
        w.update_pod(&info.key, &info.uid, |pod| {
            let generation = pod.metadata.generation;
            let status = pod.status.get_or_insert_default();
            if let Some(promised) = promised {
                status.nominated_node_name = promised;
            }
            let reason = if nodes == 0 { "SchedulerError" } else { "Unschedulable" };
            set_condition(
                status,
                core::PodCondition {
                    type_: "PodScheduled".to_owned(),
                    status: "False".to_owned(),
                    reason: Some(reason.to_owned()),
                    message: Some(message),
                    observed_generation: generation,
                    last_transition_time: Some(time),
                    last_probe_time: None,
                },
            );
        });
        if let Some((node, victims)) = victims {
            let node = Arc::clone(&self.cache.node(node).name);
            for victim in victims {
                self.evict(w, &victim, &info, &node);
            }
        }
    }

    /// Makes a pod go for a more important one (`Executor.preemptPod`).
    fn evict(&self, w: &mut World, victim: &PodInfo, preemptor: &PodInfo, node: &str) {
        let time = w.time();
        let written = w.update_pod(&victim.key, &victim.uid, |pod| {
            let generation = pod.metadata.generation;
            set_condition(
                pod.status.get_or_insert_default(),
                core::PodCondition {
                    type_: "DisruptionTarget".to_owned(),
                    status: "True".to_owned(),
                    reason: Some("PreemptionByScheduler".to_owned()),
                    message: Some("default-scheduler: preempting to accommodate a higher priority pod".to_owned()),
                    observed_generation: generation,
                    last_transition_time: Some(time),
                    last_probe_time: None,
                },
            );
        });
        let Some(stored) = written else { return };
        let options = DeleteOptions {
            uid: Some(victim.uid.to_string()),
            ..DeleteOptions::default()
        };
        if w.delete(&victim.key, &options).is_ok() {
            let message = if w.version.has(version::Change::PreemptedEventWithUid) {
                format!("Preempted by pod {} on node {node}", preemptor.uid)
            } else {
                format!("Preempted by a pod on node {node}")
            };
            let related = w.get(&preemptor.key).map(|stored| Arc::clone(&stored.reference));
            let named = ("Preempted", "Preempting");
            emit_about(w, &stored.object, "Normal", named, message, related);
        }
    }
}

/// The best node and its score; one of the best by chance. A node that is the only one has no score.
fn choose(w: &mut World, cycle: &Cycle<'_>, found: &Found) -> (NodeId, Option<i64>) {
    if let [only] = found.feasible[..] {
        return (only, None);
    }
    let totals = cycle.totals(&found.feasible);
    let best = totals.iter().copied().max().unwrap_or(0);
    let ties: Vec<NodeId> = found
        .feasible
        .iter()
        .zip(&totals)
        .filter(|(_, total)| **total == best)
        .map(|(id, _)| *id)
        .collect();
    let index = usize::try_from(w.rng.below(ties.len() as u64)).unwrap_or(0);
    (ties.get(index).copied().unwrap_or(found.feasible[0]), Some(best))
}

/// Rounds instants down to whole seconds of the wall clock, as back-off expiries are.
fn aligner(w: &World) -> impl Fn(SimTime) -> SimTime + use<> {
    let start = w.start;
    move |at| {
        let fraction = u64::try_from(start.subsec_nanosecond().rem_euclid(1_000_000_000)).unwrap_or(0);
        let wall = at.0 + fraction;
        SimTime((wall - wall % 1_000_000_000).saturating_sub(fraction))
    }
}

fn namespaces(w: &World) -> BTreeMap<String, pod::Labels> {
    w.store
        .list(Kind::Namespace, None)
        .map(|stored| {
            (
                stored.object.name().to_owned(),
                stored.object.meta().labels.clone().unwrap_or_default(),
            )
        })
        .collect()
}

fn listers(w: &World, pod: &core::Pod, promised: Vec<String>) -> Listers {
    let budgets = w
        .store
        .list(Kind::PodDisruptionBudget, None)
        .filter_map(|stored| match &stored.object {
            Object::PodDisruptionBudget(budget) => Some(budget.clone()),
            _ => None,
        });
    Listers {
        version: w.version,
        namespaces: namespaces(w),
        owners: owner_selector(w, pod),
        budgets: budgets.collect(),
        storage: PodStorage::new(w, pod, promised),
    }
}

/// What selects the pod's siblings: its Services and its controller (`helper.DefaultSelector`).
fn owner_selector(w: &World, pod: &core::Pod) -> Option<LabelSelector> {
    let namespace = pod.metadata.namespace.as_deref().unwrap_or("default");
    let mut selector = LabelSelector::default();
    for stored in w.store.list(Kind::Service, Some(namespace)) {
        let Object::Service(service) = &stored.object else {
            continue;
        };
        let Some(labels) = service
            .spec
            .as_ref()
            .and_then(|spec| spec.selector.clone())
            .filter(|labels| !labels.is_empty())
        else {
            continue;
        };
        let of_service = LabelSelector {
            match_labels: Some(labels.clone()),
            match_expressions: None,
        };
        if selects(&of_service, pod.metadata.labels.as_ref()) {
            selector.match_labels.get_or_insert_default().extend(labels);
        }
    }
    let owner = controller_of(&pod.metadata).and_then(|owner| {
        let kind = Kind::named(&owner.kind)?;
        match &w.find(kind, namespace, &owner.name)?.object {
            Object::ReplicaSet(set) => set.spec.as_ref().map(|spec| spec.selector.clone()),
            Object::StatefulSet(set) => set.spec.as_ref().map(|spec| spec.selector.clone()),
            _ => None,
        }
    });
    if let Some(owner) = owner {
        selector
            .match_labels
            .get_or_insert_default()
            .extend(owner.match_labels.unwrap_or_default());
        selector.match_expressions = owner.match_expressions;
    }
    let empty = selector.match_labels.as_ref().is_none_or(BTreeMap::is_empty) && selector.match_expressions.is_none();
    (!empty).then_some(selector)
}

/// Sets a condition; its transition time stays when its status does (`podutil.UpdatePodCondition`).
fn set_condition(status: &mut core::PodStatus, mut condition: core::PodCondition) {
    let conditions = status.conditions.get_or_insert_default();
    match conditions.iter_mut().find(|known| known.type_ == condition.type_) {
        Some(known) => {
            if known.status == condition.status {
                condition.last_transition_time = known.last_transition_time.clone();
            }
            *known = condition;
        }
        None => conditions.push(condition),
    }
}

fn decide(w: &mut World, object: &Object, rule: &str, code: &str, values: &[(String, String)]) -> RecordId {
    let values: Vec<(&str, &str)> = values
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    w.decide(object.reference(), None, rule, code, &values)
}

fn emit(w: &mut World, about: &Object, kind: &str, (reason, action): (&str, &str), message: String) {
    emit_about(w, about, kind, (reason, action), message, None);
}

/// The same with another object that has to do with it.
fn emit_about(
    w: &mut World,
    about: &Object,
    kind: &str,
    (reason, action): (&str, &str),
    message: String,
    related: Option<Arc<ObjectRef>>,
) {
    let event = NewEvent {
        about: about.reference(),
        field_path: String::new(),
        kind,
        reason,
        message,
        component: "default-scheduler",
        host: None,
    };
    w.emit_in_series(event, action, related);
}
