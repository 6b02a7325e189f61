//! kube-controller-manager: one file a controller.
//!
//! A controller is told of writes to the objects that it watches ([`watchers`]), puts the key of the object that it is to
//! reconcile into its [`workqueue`], and some milliseconds later compares what should be with what is. It sees its own
//! writes at once, so it needs none of the expectations that the real one keeps until its caches have caught up.

pub mod deployment;
pub mod int_or_percent;
pub mod job;
pub mod pods;
pub mod replicaset;
pub mod template_hash;
pub mod workqueue;

use crate::objects::{Key, Kind, Object, controller_of};
use crate::trace::{Change, RecordId};
use crate::world::{Controller, World};

/// The controllers' own timers.
#[derive(Clone, Debug)]
pub enum ControllerEvent {
    /// A worker takes a key from the work queue.
    Reconcile {
        /// Which object.
        key: Key,
    },
    /// A key has waited long enough to be added to the work queue.
    Wake {
        /// Which object.
        key: Key,
    },
    /// A periodic round (node monitor, pod garbage collection).
    Round,
}

impl ControllerEvent {
    /// Whether nothing is left to happen when only events like this one are planned.
    pub fn is_periodic(&self) -> bool {
        matches!(self, Self::Round)
    }
}

/// The controllers that watch an object and react to this change of it.
pub(crate) fn watchers(object: &Object, change: Change) -> Vec<Controller> {
    let mut found = Vec::new();
    if object
        .as_pod()
        .is_some_and(|pod| pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_some()))
    {
        found.push(Controller::TaintEviction);
    }
    match object {
        Object::Pod(pod) => match controller_of(&pod.metadata).map(|owner| owner.kind.as_str()) {
            Some("ReplicaSet") => {
                found.push(Controller::ReplicaSet);
                if change == Change::Deleted {
                    found.push(Controller::Deployment);
                }
            }
            Some("Job") => found.push(Controller::Job),
            Some(_) => {}
            // It may be adopted.
            None => found.extend([Controller::ReplicaSet, Controller::Job]),
        },
        Object::Node(_) => found.extend([Controller::NodeLifecycle, Controller::TaintEviction]),
        Object::ReplicaSet(_) => found.extend([Controller::ReplicaSet, Controller::Deployment]),
        Object::Deployment(_) => found.push(Controller::Deployment),
        Object::Job(_) => found.extend([Controller::Job, Controller::TtlAfterFinished]),
        Object::Namespace(_) => found.push(Controller::Namespace),
        _ => {}
    }
    found
}

/// All controllers.
#[derive(Clone)]
pub struct Controllers {
    replica_sets: replicaset::ReplicaSets,
    deployments: deployment::Deployments,
    jobs: job::Jobs,
}

impl Default for Controllers {
    fn default() -> Self {
        Self {
            replica_sets: replicaset::ReplicaSets::new(),
            deployments: deployment::Deployments::new(),
            jobs: job::Jobs::new(),
        }
    }
}

impl Controllers {
    /// Plans the periodic rounds.
    pub(crate) fn start(&mut self, w: &mut World) {
        let _ = w;
    }

    /// Reacts to a change of an object that a controller watches.
    pub(crate) fn on_notify(&mut self, w: &mut World, controller: Controller, key: &Key, record: RecordId) {
        match controller {
            Controller::ReplicaSet => self.replica_sets.on_notify(w, key, record),
            Controller::Deployment => self.deployments.on_notify(w, key, record),
            Controller::Job => self.jobs.on_notify(w, key, record),
            _ => {}
        }
    }

    /// Reacts to a controller's timer.
    pub(crate) fn on_event(&mut self, w: &mut World, controller: Controller, event: ControllerEvent) {
        match controller {
            Controller::ReplicaSet => self.replica_sets.on_event(w, event),
            Controller::Deployment => self.deployments.on_event(w, event),
            Controller::Job => self.jobs.on_event(w, event),
            _ => {}
        }
    }
}

/// The key of the object that controls another, if it is of that kind.
pub(crate) fn controller_key(object: &Object, kind: Kind) -> Option<Key> {
    let owner = controller_of(object.meta())?;
    (owner.kind == kind.resource().name).then(|| Key::new(kind, object.namespace(), &owner.name))
}

/// `None` for zero, as Go leaves empty numbers out of JSON.
pub(crate) fn nonzero(count: i32) -> Option<i32> {
    (count != 0).then_some(count)
}

/// A count as an API field.
pub(crate) fn int32(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
