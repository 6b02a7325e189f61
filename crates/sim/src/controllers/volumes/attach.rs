//! The attach/detach controller: a disk is attached to the node whose pods need it, and to one node only unless it may be
//! shared (`pkg/controller/volume/attachdetach/reconciler/reconciler.go`).

use crate::core;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{object, volume_key};
use crate::cluster::Event;
use crate::controllers::ControllerEvent;
use crate::controllers::pods::emit;
use crate::controllers::workqueue::WorkQueue;
use crate::latency;
use crate::objects::{Key, Kind, Object, is_terminal};
use crate::storage;
use crate::time::{SimDuration, SimTime};
use crate::trace::RecordId;
use crate::world::{Controller, World};

/// The name under which it reports events.
const COMPONENT: &str = "attachdetach-controller";
/// After this a disk is taken from a node that does not answer, though it may still be mounted there
/// (`ReconcilerMaxWaitForUnmountDuration`).
const MAX_WAIT_FOR_UNMOUNT: SimDuration = SimDuration::from_secs(360);

/// What is being done with a disk and a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Attach(SimTime),
    Detach(SimTime),
}

/// The attach/detach controller.
#[derive(Clone)]
pub struct AttachDetach {
    pub(crate) queue: WorkQueue,
    operations: BTreeMap<(String, Arc<str>), Operation>,
    /// Since when a disk is to leave a node.
    leaving: BTreeMap<(String, Arc<str>), SimTime>,
    /// Pods that have been told that their disk is in use elsewhere.
    told: BTreeSet<(String, String)>,
}

impl Default for AttachDetach {
    fn default() -> Self {
        Self {
            queue: WorkQueue::new(Controller::AttachDetach),
            operations: BTreeMap::new(),
            leaving: BTreeMap::new(),
            told: BTreeSet::new(),
        }
    }
}

impl AttachDetach {
    /// Looks at the disks of a pod, at one disk, or at those of a node.
    pub(crate) fn on_notify(&mut self, w: &mut World, key: &Key, record: RecordId) {
        let disks: BTreeSet<String> = match key.kind {
            Kind::PersistentVolume => BTreeSet::from([key.name.to_string()]),
            Kind::Pod => {
                let before = w.written(record).and_then(|write| write.stored.object.as_pod());
                let pod = w.pod(&key.namespace, &key.name).or(before);
                pod.into_iter().flat_map(|pod| disks_of(w, pod)).collect()
            }
            Kind::Node => w
                .attachments
                .iter()
                .filter(|(_, nodes)| nodes.contains(&key.name))
                .map(|(disk, _)| disk.clone())
                .collect(),
            _ => return,
        };
        for disk in disks {
            self.queue.add(w, volume_key(&disk));
        }
    }

    /// Reacts to a timer.
    pub(crate) fn on_event(&mut self, w: &mut World, event: ControllerEvent) {
        match event {
            ControllerEvent::Reconcile { key } => {
                if self.queue.take(w, &key) {
                    self.reconcile(w, &key);
                }
            }
            ControllerEvent::Wake { key } => {
                self.finish(w, &key.name);
                self.queue.wake(w, key);
            }
            ControllerEvent::Tick | ControllerEvent::Round => {}
        }
    }

    /// Whether a timer for a disk still means something.
    pub(crate) fn is_planned(&self, key: &Key, at: SimTime) -> bool {
        let due = self.operations.iter().any(|((disk, _), operation)| {
            *disk == *key.name && matches!(operation, Operation::Attach(due) | Operation::Detach(due) if *due == at)
        });
        due || self.queue.is_waiting(key, at)
    }

    fn reconcile(&mut self, w: &mut World, key: &Key) {
        let disk = key.name.to_string();
        let users = users(w, &disk);
        let wanted: BTreeSet<Arc<str>> = users.iter().map(|(node, _)| Arc::clone(node)).collect();
        self.leaving
            .retain(|(leaving, node), _| *leaving != disk || !wanted.contains(node));
        for node in w.attachments.get(&disk).cloned().unwrap_or_default() {
            if !wanted.contains(&node) {
                self.detach(w, key, &node);
            }
        }
        let shared = storage::volume(w, &disk).is_some_and(|volume| {
            storage::access_modes(volume)
                .iter()
                .any(|mode| matches!(mode.as_str(), "ReadWriteMany" | "ReadOnlyMany"))
        });
        for node in wanted {
            let here = w.attachments.get(&disk).is_some_and(|nodes| nodes.contains(&node));
            if here || self.operations.contains_key(&(disk.clone(), Arc::clone(&node))) {
                continue;
            }
            // What is under way ends first.
            if !shared && self.operations.keys().any(|(other, _)| *other == disk) {
                continue;
            }
            let elsewhere = w.attachments.get(&disk).and_then(|nodes| nodes.iter().next()).cloned();
            if !shared && let Some(elsewhere) = elsewhere {
                self.report(w, &disk, &node, &elsewhere, &users);
                continue;
            }
            let due = w.now + w.latency(latency::ATTACH);
            self.begin(w, key, node, Operation::Attach(due), due);
        }
    }

    fn begin(&mut self, w: &mut World, key: &Key, node: Arc<str>, operation: Operation, due: SimTime) {
        self.operations.insert((key.name.to_string(), node), operation);
        let causes = w.causes.clone();
        let event = Event::Controller {
            controller: Controller::AttachDetach,
            event: ControllerEvent::Wake { key: key.clone() },
            causes,
        };
        w.schedule(due, event);
    }

    /// Takes a disk from a node that has unmounted it, or that is out of reach for too long.
    fn detach(&mut self, w: &mut World, key: &Key, node: &Arc<str>) {
        let place = (key.name.to_string(), Arc::clone(node));
        if self.operations.contains_key(&place) {
            return;
        }
        let since = *self.leaving.entry(place).or_insert(w.now);
        let mounted = w
            .mounted
            .get(&(key.name.to_string(), Arc::clone(node)))
            .is_some_and(|pods| !pods.is_empty());
        if mounted && !out_of_service(w, node) {
            let over = since + MAX_WAIT_FOR_UNMOUNT;
            let healthy = w.node(node).is_some_and(is_ready);
            if w.now < over {
                return self.queue.add_after(w, key.clone(), over.since(w.now));
            }
            if healthy {
                // It will say that it has unmounted the disk.
                return;
            }
        }
        // From now on nothing may be mounted there.
        if let Some(nodes) = w.attachments.get_mut(&*key.name) {
            nodes.remove(node);
            if nodes.is_empty() {
                w.attachments.remove(&*key.name);
            }
        }
        let due = w.now + w.latency(latency::ATTACH);
        self.begin(w, key, Arc::clone(node), Operation::Detach(due), due);
    }

    /// What was begun with a disk and is due is done.
    fn finish(&mut self, w: &mut World, disk: &str) {
        let due: Vec<((String, Arc<str>), Operation)> = self
            .operations
            .iter()
            .filter(|((other, _), operation)| {
                other == disk && matches!(operation, Operation::Attach(due) | Operation::Detach(due) if *due <= w.now)
            })
            .map(|(place, operation)| (place.clone(), *operation))
            .collect();
        for (place, operation) in due {
            self.operations.remove(&place);
            let (disk, node) = place;
            match operation {
                Operation::Attach(_) => {
                    w.attachments.entry(disk.clone()).or_default().insert(Arc::clone(&node));
                    let text = format!("AttachVolume.Attach succeeded for volume \"{disk}\" ");
                    for (_, pod) in users(w, &disk).into_iter().filter(|(at, _)| *at == node) {
                        emit(
                            w,
                            COMPONENT,
                            &pod.into(),
                            "Normal",
                            "SuccessfulAttachVolume",
                            text.clone(),
                        );
                    }
                }
                Operation::Detach(_) => {
                    self.leaving.remove(&(disk.clone(), Arc::clone(&node)));
                    self.told.retain(|(told, _)| *told != disk);
                }
            }
            self.queue.add(w, volume_key(&disk));
        }
    }

    /// Tells the pods that wait for a disk, once, that another node has it (`reportMultiAttachError`).
    fn report(
        &mut self,
        w: &mut World,
        disk: &str,
        node: &Arc<str>,
        elsewhere: &Arc<str>,
        users: &[(Arc<str>, core::Pod)],
    ) {
        let others: Vec<&core::Pod> = users
            .iter()
            .filter(|(at, _)| at == elsewhere)
            .map(|(_, pod)| pod)
            .collect();
        for (_, pod) in users.iter().filter(|(at, _)| at == node) {
            let uid = pod.metadata.uid.clone().unwrap_or_default();
            if !self.told.insert((disk.to_owned(), uid)) {
                continue;
            }
            let (near, far): (Vec<&core::Pod>, Vec<&core::Pod>) = others
                .iter()
                .partition(|other| other.metadata.namespace == pod.metadata.namespace);
            let names: Vec<&str> = near.iter().filter_map(|pod| pod.metadata.name.as_deref()).collect();
            let names = names.join(", ");
            let why = match (near.len(), far.len()) {
                (0, 0) => {
                    "Volume is already exclusively attached to one node and can't be attached to another".to_owned()
                }
                (0, far) => format!("Volume is already used by {far} pod(s) in different namespaces"),
                (_, 0) => format!("Volume is already used by pod(s) {names}"),
                (_, far) => {
                    format!("Volume is already used by pod(s) {names} and {far} pod(s) in different namespaces")
                }
            };
            let text = format!("Multi-Attach error for volume \"{disk}\" {why}");
            let rule = "pkg/controller/volume/attachdetach/reconciler/reconciler.go reportMultiAttachError";
            let about = Object::from(pod.clone());
            let values = [("volume", disk), ("node", elsewhere)];
            w.decide(about.reference(), None, rule, "volume.multi-attach", &values);
            emit(w, COMPONENT, &about, "Warning", "FailedAttachVolume", text);
        }
    }
}

fn is_ready(node: &core::Node) -> bool {
    node.status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten())
        .any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

fn out_of_service(w: &World, node: &str) -> bool {
    let taints = w.node(node).and_then(|node| node.spec.as_ref()?.taints.as_ref());
    taints
        .into_iter()
        .flatten()
        .any(|taint| taint.key == "node.kubernetes.io/out-of-service")
}

/// The disks that a pod needs attached.
fn disks_of(w: &World, pod: &core::Pod) -> Vec<String> {
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    storage::claims_of(pod)
        .filter_map(|name| {
            let volume = storage::volume_name(storage::claim(w, namespace, &name)?).to_owned();
            storage::volume(w, &volume)
                .is_some_and(storage::is_attachable)
                .then_some(volume)
        })
        .collect()
}

/// The pods that need a disk, with their nodes.
fn users(w: &World, disk: &str) -> Vec<(Arc<str>, core::Pod)> {
    let Some(Object::PersistentVolume(volume)) = object(w, &volume_key(disk)) else {
        return Vec::new();
    };
    if !storage::is_attachable(&volume) {
        return Vec::new();
    }
    let Some(reference) = volume.spec.as_ref().and_then(|spec| spec.claim_ref.clone()) else {
        return Vec::new();
    };
    let namespace = reference.namespace.unwrap_or_default();
    let claim = reference.name.unwrap_or_default();
    if storage::claim(w, &namespace, &claim).is_none_or(|claim| storage::volume_name(claim) != disk) {
        return Vec::new();
    }
    w.store
        .list(Kind::Pod, Some(&namespace))
        .filter_map(|stored| stored.object.as_pod())
        .filter(|pod| !is_terminal(pod) && storage::claims_of(pod).any(|name| name == claim))
        .filter_map(|pod| {
            let node = pod
                .spec
                .as_ref()?
                .node_name
                .as_deref()
                .filter(|node| !node.is_empty())?;
            Some((Arc::from(node), pod.clone()))
        })
        .collect()
}
