//! The ReplicaSet controller: as many pods as wanted (`pkg/controller/replicaset`).

pub mod ranking;

use crate::core;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::apps::v1 as apps;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use self::ranking::Ranked;
use super::pods::{self, MAX_PER_SYNC, Settled};
use super::workqueue::{Outcome, Reconciler, WorkQueue};
use super::{controller_key, int32, nonzero};
use crate::objects::{Key, Kind, Object, controller_of, selects};
use crate::request::Status;
use crate::store::Stored;
use crate::time::SimTime;
use crate::trace::RecordId;
use crate::version::Gate;
use crate::world::{Controller, World};

/// The ReplicaSet controller; the same one, with other names, looks after ReplicationControllers
/// (`pkg/controller/replication` only translates).
#[derive(Clone)]
pub struct ReplicaSets {
    kind: Kind,
    pub(super) queue: WorkQueue,
}

impl ReplicaSets {
    /// With nothing to do.
    pub fn new() -> Self {
        Self {
            kind: Kind::ReplicaSet,
            queue: WorkQueue::new(Controller::ReplicaSet),
        }
    }

    /// The one for ReplicationControllers.
    pub fn of_replication_controllers() -> Self {
        Self {
            kind: Kind::ReplicationController,
            queue: WorkQueue::new(Controller::ReplicationController),
        }
    }

    /// Adds the ReplicaSet, or the one that a pod belongs to or could belong to.
    pub(crate) fn on_notify(&mut self, w: &mut World, key: &Key, record: RecordId) {
        if key.kind == self.kind {
            return self.queue.add(w, key.clone());
        }
        let Some(written) = w.written(record).map(|write| Arc::clone(&write.stored)) else {
            return;
        };
        if let Some(owner) = controller_key(&written.object, self.kind) {
            if let Some(after) = minimum_ready_seconds(w, &owner)
                && written.object.as_pod().is_some_and(pods::is_ready)
            {
                // The pod becomes available later without any further change of it (`updatePod`).
                self.queue
                    .add_after(w, owner.clone(), crate::time::SimDuration::from_secs(after));
            }
            return self.queue.add(w, owner);
        }
        if controller_of(written.object.meta()).is_none() && w.get(key).is_some() {
            let labels = written.object.meta().labels.as_ref();
            let matching: Vec<Key> = w
                .store
                .list(self.kind, Some(&key.namespace))
                .filter(|stored| {
                    as_set(&stored.object)
                        .is_some_and(|set| set.spec.as_ref().is_some_and(|spec| selects(&spec.selector, labels)))
                })
                .map(|stored| stored.object.key())
                .collect();
            for owner in matching {
                self.queue.add(w, owner);
            }
        }
    }

    /// `syncReplicaSet`.
    fn sync(&mut self, w: &mut World, key: &Key) -> Result<(), Status> {
        let Some(stored) = w.get(key).cloned() else {
            return Ok(());
        };
        let Some(set) = as_set(&stored.object) else {
            return Ok(());
        };
        let Some(spec) = &set.spec else { return Ok(()) };
        let candidate = |object: &Object| object.as_pod().is_some_and(pods::is_active);
        let owner = &stored.object;
        let owned = match Settled::find(w, owner, &spec.selector, candidate) {
            Some(settled) => Owned::Settled(settled),
            None => Owned::Claimed(pods::claim(w, owner, Kind::Pod, &spec.selector, candidate)),
        };
        let counts = Counts::of(w, &set, spec);
        let outcome = if set.metadata.deletion_timestamp.is_none() {
            manage(w, owner, spec, counts.active, &owned)
        } else {
            Ok(())
        };
        let status = status(w, &set, &counts, outcome.as_ref().err());
        write_status(w, key, status);
        if let Some(at) = counts.next_available {
            self.queue.add_after(w, key.clone(), at.since(w.now));
        }
        outcome
    }
}

impl Reconciler for ReplicaSets {
    fn queue(&mut self) -> &mut WorkQueue {
        &mut self.queue
    }

    fn reconcile(&mut self, w: &mut World, key: &Key) -> Outcome {
        self.sync(w, key).into()
    }
}

impl Default for ReplicaSets {
    fn default() -> Self {
        Self::new()
    }
}

fn minimum_ready_seconds(w: &World, key: &Key) -> Option<u64> {
    u64::try_from(as_set(&w.get(key)?.object)?.spec.as_ref()?.min_ready_seconds?)
        .ok()
        .filter(|seconds| *seconds > 0)
}

/// The pods of a ReplicaSet, looked up when they are needed one by one.
enum Owned<'a> {
    Settled(Settled<'a>),
    Claimed(Vec<Arc<Stored>>),
}

impl Owned<'_> {
    fn active(&self, w: &World) -> Vec<Arc<Stored>> {
        let mut pods = match self {
            Self::Settled(settled) => settled.pods(w),
            Self::Claimed(pods) => pods.clone(),
        };
        pods.retain(|stored| stored.object.as_pod().is_some_and(pods::is_active));
        pods
    }
}

/// How many of a ReplicaSet's pods are in which state.
#[derive(Debug, Default)]
struct Counts {
    active: usize,
    terminating: usize,
    labelled: usize,
    ready: usize,
    available: usize,
    /// When the next of those that are ready will count as available.
    next_available: Option<SimTime>,
}

impl Counts {
    fn of(w: &World, set: &apps::ReplicaSet, spec: &apps::ReplicaSetSpec) -> Self {
        let min_ready = spec.min_ready_seconds.unwrap_or(0);
        let template = spec.template.as_ref().and_then(|template| template.metadata.as_ref());
        let template_labels = template.and_then(|meta| meta.labels.as_ref());
        let mut counts = Self::default();
        let uid = set.metadata.uid.as_deref().unwrap_or_default();
        for (labels, tally) in w.store.tally(uid) {
            if !selects(&spec.selector, Some(labels)) {
                continue;
            }
            counts.active += tally.active;
            counts.terminating += tally.terminating;
            if template_labels
                .into_iter()
                .flatten()
                .all(|(key, value)| labels.get(key) == Some(value))
            {
                counts.labelled += tally.active;
            }
            for (since, pods) in &tally.ready_since {
                counts.ready += pods;
                match pods::available_since(w, *since, min_ready) {
                    Some(at) if at <= w.now => counts.available += pods,
                    Some(at) => counts.next_available = Some(counts.next_available.map_or(at, |next| next.min(at))),
                    None => {}
                }
            }
        }
        counts
    }
}

/// Creates what is missing or deletes what is too much (`manageReplicas`).
fn manage(
    w: &mut World,
    owner: &Object,
    spec: &apps::ReplicaSetSpec,
    active: usize,
    owned: &Owned<'_>,
) -> Result<(), Status> {
    let wanted = usize::try_from(spec.replicas.unwrap_or(1)).unwrap_or(0);
    if active == wanted {
        return Ok(());
    }
    let component = component(owner.kind());
    let values = [("wanted", wanted.to_string()), ("active", active.to_string())];
    let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let code = if active < wanted {
        "replicaset.too-few"
    } else {
        "replicaset.too-many"
    };
    let rule = "pkg/controller/replicaset/replica_set.go manageReplicas";
    let decision = w.decide(owner.reference(), None, rule, code, &values);
    let causes = std::mem::replace(&mut w.causes, vec![decision]);
    let outcome = if active < wanted {
        let template = spec.template.clone().unwrap_or_default();
        pods::slow_start((wanted - active).min(MAX_PER_SYNC), |_| {
            pods::create(w, component, owner, pods::from_template(&template, owner)).map(|_| ())
        })
    } else {
        let pods = owned.active(w);
        let pods: Vec<&core::Pod> = pods.iter().filter_map(|stored| stored.object.as_pod()).collect();
        let count = (active - wanted).min(MAX_PER_SYNC);
        let mut first = Ok(());
        for pod in to_delete(w, owner, &pods, count) {
            let deleted = pods::delete(w, component, owner, pod);
            if first.is_ok() {
                first = deleted;
            }
        }
        first
    };
    w.causes = causes;
    outcome
}

/// The pods to delete first (`getPodsToDelete`).
fn to_delete<'a>(w: &World, owner: &Object, active: &[&'a core::Pod], count: usize) -> Vec<&'a core::Pod> {
    let mut pods = active.to_vec();
    if count < pods.len() {
        let on_node = related_pods_by_node(w, owner);
        let mut ranked: Vec<Ranked<'a>> = pods
            .iter()
            .map(|pod| {
                let node = pod
                    .spec
                    .as_ref()
                    .and_then(|spec| spec.node_name.as_deref())
                    .unwrap_or_default();
                Ranked {
                    pod,
                    rank: on_node.get(node).copied().unwrap_or(0),
                }
            })
            .collect();
        ranking::sort(&mut ranked, w.wall(w.now));
        pods = ranked.into_iter().map(|ranked| ranked.pod).collect();
    }
    pods.truncate(count);
    pods
}

/// How many active pods of the Deployment's ReplicaSets are on each node; a ReplicaSet by itself counts none.
fn related_pods_by_node(w: &World, owner: &Object) -> BTreeMap<String, usize> {
    let deployment = controller_of(owner.meta()).map(|reference| reference.uid.as_str());
    let mut counts = BTreeMap::new();
    for uid in deployment
        .into_iter()
        .flat_map(|uid| w.store.dependents(uid))
        .map(|stored| stored.object.uid())
    {
        for pod in w
            .store
            .dependents(uid)
            .filter_map(|stored| stored.object.as_pod())
            .filter(|pod| pods::is_active(pod))
        {
            let node = pod
                .spec
                .as_ref()
                .and_then(|spec| spec.node_name.clone())
                .unwrap_or_default();
            *counts.entry(node).or_default() += 1;
        }
    }
    counts
}

/// `calculateStatus`: of the pods as they were before this sync changed them.
fn status(w: &World, set: &apps::ReplicaSet, counts: &Counts, failure: Option<&Status>) -> apps::ReplicaSetStatus {
    let wanted = set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let count = |pods: usize| nonzero(int32(pods));
    let old = set.status.clone().unwrap_or_default();
    let mut conditions = old.conditions.unwrap_or_default();
    let known = conditions.iter().any(|condition| condition.type_ == "ReplicaFailure");
    match failure {
        Some(failure) if !known => {
            let few = counts.active < usize::try_from(wanted).unwrap_or(0);
            conditions.push(apps::ReplicaSetCondition {
                type_: "ReplicaFailure".to_owned(),
                status: "True".to_owned(),
                reason: Some(if few { "FailedCreate" } else { "FailedDelete" }.to_owned()),
                message: Some(failure.message.clone()),
                last_transition_time: Some(w.time()),
            });
        }
        None => conditions.retain(|condition| condition.type_ != "ReplicaFailure"),
        Some(_) => {}
    }
    apps::ReplicaSetStatus {
        replicas: int32(counts.active),
        fully_labeled_replicas: count(counts.labelled),
        ready_replicas: count(counts.ready),
        available_replicas: count(counts.available),
        terminating_replicas: w
            .version
            .enabled(Gate::DeploymentReplicaSetTerminatingReplicas)
            .then(|| int32(counts.terminating)),
        observed_generation: set.metadata.generation,
        conditions: (!conditions.is_empty()).then_some(conditions),
    }
}

fn write_status(w: &mut World, key: &Key, status: apps::ReplicaSetStatus) {
    let mut object = match w.get(key) {
        Some(stored) => stored.object.clone(),
        None => return,
    };
    match &mut object {
        Object::ReplicaSet(set) => set.status = Some(status),
        Object::ReplicationController(controller) => {
            let condition = |condition: apps::ReplicaSetCondition| core::ReplicationControllerCondition {
                type_: condition.type_,
                status: condition.status,
                reason: condition.reason,
                message: condition.message,
                last_transition_time: condition.last_transition_time,
            };
            controller.status = Some(core::ReplicationControllerStatus {
                replicas: status.replicas,
                fully_labeled_replicas: status.fully_labeled_replicas,
                ready_replicas: status.ready_replicas,
                available_replicas: status.available_replicas,
                observed_generation: status.observed_generation,
                conditions: status.conditions.map(|list| list.into_iter().map(condition).collect()),
            });
        }
        _ => return,
    }
    w.update(object);
}

/// The name under which events are reported.
fn component(kind: Kind) -> &'static str {
    match kind {
        Kind::ReplicationController => "replication-controller",
        _ => "replicaset-controller",
    }
}

/// The object as a ReplicaSet (`conversion.go`): a ReplicationController selects by a plain map.
fn as_set(object: &Object) -> Option<Cow<'_, apps::ReplicaSet>> {
    match object {
        Object::ReplicaSet(set) => Some(Cow::Borrowed(set)),
        Object::ReplicationController(controller) => {
            let spec = controller.spec.clone().unwrap_or_default();
            Some(Cow::Owned(apps::ReplicaSet {
                metadata: controller.metadata.clone(),
                spec: Some(apps::ReplicaSetSpec {
                    min_ready_seconds: spec.min_ready_seconds,
                    replicas: spec.replicas,
                    selector: LabelSelector {
                        match_labels: spec.selector,
                        match_expressions: None,
                    },
                    template: spec.template,
                }),
                status: None,
            }))
        }
        _ => None,
    }
}
