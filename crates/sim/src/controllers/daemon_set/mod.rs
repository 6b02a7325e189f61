//! The DaemonSet controller: one pod on every node that suits (`pkg/controller/daemon`).

mod nodes;
mod update;

use crate::core;
use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::apps::v1 as apps;

use super::pods::{self, available_at, emit, is_ready};
use super::template_hash::compute_hash;
use super::workqueue::{Outcome, Reconciler, WorkQueue};
use super::{controller_key, history, int32, nonzero};
use crate::objects::{Key, Kind, Object, phase};
use crate::request::Status;
use crate::time::{SimDuration, SimTime};
use crate::trace::RecordId;
use crate::world::{Controller, World};

/// The name under which it reports events.
const COMPONENT: &str = "daemonset-controller";
/// Most pods that one sync creates or deletes (`BurstReplicas`).
const BURST: usize = 250;
/// The label with the hash of the template that a pod is of.
const HASH_LABEL: &str = "controller-revision-hash";
/// The label with the generation of the template, kept for old clients.
const GENERATION_LABEL: &str = "pod-template-generation";
/// The annotation of the DaemonSet that this label comes from.
const GENERATION: &str = "deprecated.daemonset.template.generation";
/// First wait before a failed pod of a node is replaced.
const INITIAL_BACKOFF: SimDuration = SimDuration::from_secs(1);
/// Longest such wait.
const MAX_BACKOFF: SimDuration = SimDuration::from_secs(15 * 60);

/// The DaemonSet controller.
#[derive(Clone)]
pub struct DaemonSets {
    pub(super) queue: WorkQueue,
    /// Waits of nodes whose pod failed: how long, and since when.
    backoffs: BTreeMap<(String, String), (SimDuration, SimTime)>,
    /// What counts of each node, as it was seen last.
    nodes: BTreeMap<Key, Option<NodeTraits>>,
}

/// Labels and spec of a node.
type NodeTraits = (Option<BTreeMap<String, String>>, Option<core::NodeSpec>);

/// The pods of a DaemonSet by node.
type ByNode = BTreeMap<String, Vec<core::Pod>>;

impl DaemonSets {
    /// With nothing to do.
    pub fn new() -> Self {
        Self {
            queue: WorkQueue::new(Controller::DaemonSet),
            backoffs: BTreeMap::new(),
            nodes: BTreeMap::new(),
        }
    }

    /// Adds the DaemonSet, the one that a pod belongs to, or all of them when a node changed so that it may suit others.
    pub(crate) fn on_notify(&mut self, w: &mut World, key: &Key, record: RecordId) {
        match key.kind {
            Kind::DaemonSet => self.queue.add(w, key.clone()),
            Kind::Node => {
                // Heartbeats and conditions are no reason to look again.
                let present = w
                    .node(&key.name)
                    .map(|node| (node.metadata.labels.clone(), node.spec.clone()));
                if self.nodes.get(key) == Some(&present) {
                    return;
                }
                self.nodes.insert(key.clone(), present);
                let sets: Vec<Key> = w
                    .store
                    .list(Kind::DaemonSet, None)
                    .map(|stored| stored.object.key())
                    .collect();
                for set in sets {
                    self.queue.add(w, set);
                }
            }
            _ => {
                let Some(written) = w.written(record).map(|write| Arc::clone(&write.stored)) else {
                    return;
                };
                if let Some(owner) = controller_key(&written.object, Kind::DaemonSet) {
                    self.queue.add(w, owner);
                }
            }
        }
    }

    /// `syncDaemonSet`.
    fn sync(&mut self, w: &mut World, key: &Key) -> Result<(), Status> {
        let Some(stored) = w.get(key).cloned() else {
            return Ok(());
        };
        let Object::DaemonSet(set) = &stored.object else {
            return Ok(());
        };
        let Some(spec) = &set.spec else { return Ok(()) };
        if set.metadata.deletion_timestamp.is_some() {
            return Ok(());
        }
        let data = history::template_patch(&spec.template);
        let labels = spec
            .template
            .metadata
            .as_ref()
            .and_then(|meta| meta.labels.clone())
            .unwrap_or_default();
        let mut collisions = set
            .status
            .as_ref()
            .and_then(|status| status.collision_count)
            .unwrap_or(0);
        let counted = set.status.as_ref().and_then(|status| status.collision_count);
        let revision = history::update_revision(w, &stored.object, &data, labels, &mut collisions, |count| {
            // A fresh DaemonSet has no collision count, which hashes differently from zero.
            let hash = compute_hash(&spec.template, counted.or((count > 0).then_some(count)));
            (format!("{}-{hash}", key.name), hash)
        });
        let hash = revision
            .and_then(|revision| revision.metadata.labels?.get(HASH_LABEL).cloned())
            .unwrap_or_else(|| compute_hash(&spec.template, counted));
        let pods = pods_by_node(w, &stored.object, spec);
        let mut outcome = self.manage(w, key, set, &stored.object, &pods, &hash);
        if outcome.is_ok() && !update::is_on_delete(set) {
            let pods = pods_by_node(w, &stored.object, spec);
            let (delete, create) = update::rolling(w, set, &pods, &hash);
            outcome = self.sync_nodes(w, set, &stored.object, &delete, &create, &hash);
        }
        let pods = pods_by_node(w, &stored.object, spec);
        self.write_status(w, key, &pods, &hash);
        let live: Vec<String> = [format!("{}-{hash}", key.name)]
            .into_iter()
            .chain(pods.values().flatten().filter_map(|pod| {
                pod.metadata
                    .labels
                    .as_ref()?
                    .get(HASH_LABEL)
                    .map(|hash| format!("{}-{hash}", key.name))
            }))
            .collect();
        history::truncate(w, &stored.object, &live, spec.revision_history_limit.unwrap_or(10));
        outcome
    }

    /// What every node needs, whatever its revision (`manage`, `podsShouldBeOnNode`).
    fn manage(
        &mut self,
        w: &mut World,
        key: &Key,
        set: &apps::DaemonSet,
        owner: &Object,
        pods: &ByNode,
        hash: &str,
    ) -> Result<(), Status> {
        let (mut create, mut delete): (Vec<String>, Vec<core::Pod>) = (Vec::new(), Vec::new());
        for node in nodes::all(w) {
            let name = node.metadata.name.clone().unwrap_or_default();
            let (should_run, should_stay) = nodes::suits(set, &node);
            let on_node = pods.get(&name).map(Vec::as_slice).unwrap_or_default();
            if should_run && on_node.is_empty() {
                create.push(name);
            } else if should_stay {
                let mut running: Vec<&core::Pod> = Vec::new();
                for pod in on_node.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()) {
                    match phase(pod) {
                        "Failed" => {
                            if self.may_replace(w, key, owner.uid(), &name) {
                                let text = found_text("failed", "kill", pod, &name);
                                emit(w, COMPONENT, owner, "Warning", "FailedDaemonPod", text);
                                delete.push(pod.clone());
                            }
                        }
                        "Succeeded" => {
                            let text = found_text("succeeded", "delete", pod, &name);
                            emit(w, COMPONENT, owner, "Normal", "SucceededDaemonPod", text);
                            delete.push(pod.clone());
                        }
                        _ => running.push(pod),
                    }
                }
                if update::max_surge(w, set) == 0 {
                    // The oldest stays.
                    delete.extend(running.into_iter().skip(1).cloned());
                } else if running.is_empty() && should_run {
                    create.push(name);
                }
            } else {
                delete.extend(
                    on_node
                        .iter()
                        .filter(|pod| pod.metadata.deletion_timestamp.is_none())
                        .cloned(),
                );
            }
        }
        self.sync_nodes(w, set, owner, &delete, &create, hash)
    }

    /// Whether a failed pod of that node may be replaced now; it waits longer each time.
    fn may_replace(&mut self, w: &mut World, key: &Key, uid: &str, node: &str) -> bool {
        let entry = (uid.to_owned(), node.to_owned());
        let (wait, since) = self
            .backoffs
            .get(&entry)
            .copied()
            .unwrap_or((SimDuration::ZERO, SimTime::ZERO));
        let over = since + wait;
        if over > w.now {
            self.queue.add_after(w, key.clone(), over.since(w.now));
            return false;
        }
        let next = if wait == SimDuration::ZERO || w.now.since(over) > MAX_BACKOFF {
            INITIAL_BACKOFF
        } else {
            SimDuration(wait.0.saturating_mul(2).min(MAX_BACKOFF.0))
        };
        self.backoffs.insert(entry, (next, w.now));
        true
    }

    fn sync_nodes(
        &mut self,
        w: &mut World,
        set: &apps::DaemonSet,
        owner: &Object,
        delete: &[core::Pod],
        create: &[String],
        hash: &str,
    ) -> Result<(), Status> {
        let created = pods::slow_start(create.len().min(BURST), |index| {
            let pod = nodes::new_pod(set, owner, &create[index], hash);
            pods::create(w, COMPONENT, owner, pod).map(|_| ())
        });
        let mut outcome = created;
        for pod in delete.iter().take(BURST) {
            let deleted = pods::delete(w, COMPONENT, owner, pod);
            if outcome.is_ok() {
                outcome = deleted;
            }
        }
        outcome
    }

    fn write_status(&mut self, w: &mut World, key: &Key, pods: &ByNode, hash: &str) {
        let Some(Object::DaemonSet(mut set)) = w.get(key).map(|stored| stored.object.clone()) else {
            return;
        };
        let min_ready = set.spec.as_ref().and_then(|spec| spec.min_ready_seconds).unwrap_or(0);
        let old = set.status.clone().unwrap_or_default();
        let mut status = apps::DaemonSetStatus {
            observed_generation: set.metadata.generation,
            collision_count: old.collision_count,
            conditions: old.conditions,
            ..apps::DaemonSetStatus::default()
        };
        let (mut updated, mut available) = (0, 0);
        for node in nodes::all(w) {
            let (should_run, _) = nodes::suits(&set, &node);
            let first = pods
                .get(node.metadata.name.as_deref().unwrap_or_default())
                .and_then(|pods| pods.first());
            if !should_run {
                status.number_misscheduled += i32::from(first.is_some());
                continue;
            }
            status.desired_number_scheduled += 1;
            let Some(pod) = first else { continue };
            status.current_number_scheduled += 1;
            status.number_ready += i32::from(is_ready(pod));
            available += i32::from(available_at(w, pod, min_ready).is_some_and(|at| at <= w.now));
            updated += i32::from(update::is_updated(pod, hash));
        }
        status.updated_number_scheduled = nonzero(updated);
        status.number_available = nonzero(available);
        status.number_unavailable = nonzero(status.desired_number_scheduled - available);
        if min_ready > 0 && status.number_ready != available {
            let span = SimDuration::from_secs(u64::try_from(min_ready).unwrap_or(0));
            self.queue.add_after(w, key.clone(), span);
        }
        set.status = Some(status);
        w.update(set.into());
    }
}

impl Reconciler for DaemonSets {
    fn queue(&mut self) -> &mut WorkQueue {
        &mut self.queue
    }

    fn reconcile(&mut self, w: &mut World, key: &Key) -> Outcome {
        self.sync(w, key).into()
    }
}

impl Default for DaemonSets {
    fn default() -> Self {
        Self::new()
    }
}

fn found_text(how: &str, what: &str, pod: &core::Pod, node: &str) -> String {
    let meta = &pod.metadata;
    let (namespace, name) = (
        meta.namespace.as_deref().unwrap_or_default(),
        meta.name.as_deref().unwrap_or_default(),
    );
    format!("Found {how} daemon pod {namespace}/{name} on node {node}, will try to {what} it")
}

/// The pods that the DaemonSet controls, by the node that they are on or are meant for; the oldest first.
fn pods_by_node(w: &mut World, owner: &Object, spec: &apps::DaemonSetSpec) -> ByNode {
    let claimed = pods::claim(w, owner, Kind::Pod, &spec.selector, |_| true);
    let mut by_node = ByNode::new();
    for pod in claimed.iter().filter_map(|stored| stored.object.as_pod()) {
        if let Some(node) = nodes::target(pod) {
            by_node.entry(node).or_default().push(pod.clone());
        }
    }
    for pods in by_node.values_mut() {
        pods.sort_by_key(|pod| {
            let unassigned = pod.spec.as_ref().and_then(|spec| spec.node_name.as_ref()).is_none();
            let created = pod.metadata.creation_timestamp.as_ref().map(|time| time.0);
            (unassigned, created, pod.metadata.name.clone())
        });
    }
    by_node
}

/// How many nodes the DaemonSet is to run on.
fn desired(w: &World, set: &apps::DaemonSet) -> i32 {
    int32(nodes::all(w).iter().filter(|node| nodes::suits(set, node).0).count())
}
