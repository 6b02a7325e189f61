//! kube-controller-manager: one file a controller.
//!
//! A controller is told of writes to the objects that it watches ([`watchers`]), puts the key of the object that it is to
//! reconcile into its [`workqueue`], and some milliseconds later compares what should be with what is. It sees its own
//! writes at once, so it needs none of the expectations that the real one keeps until its caches have caught up.

pub mod autoscaler;
pub mod cron_job;
pub mod daemon_set;
pub mod deployment;
pub mod disruption;
pub mod endpoints;
pub mod garbage_collector;
pub mod history;
pub mod int_or_percent;
pub mod job;
pub mod namespaces;
pub mod node_lifecycle;
pub mod pod_gc;
pub mod pods;
pub mod replicaset;
pub mod stateful_set;
pub mod taint_eviction;
pub mod template_hash;
pub mod ttl_after_finished;
pub mod volumes;
pub mod workqueue;

use self::workqueue::Reconciler;
use crate::objects::{Key, Kind, Object, controller_of};
use crate::time::SimTime;
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
    /// A queue that lets through one item after a while has its next turn.
    Tick,
    /// A periodic round (node monitor, pod garbage collection).
    Round,
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
    if object
        .as_pod()
        .is_some_and(|pod| crate::storage::claims_of(pod).next().is_some())
    {
        found.extend([Controller::AttachDetach, Controller::VolumeProtection]);
    }
    if volumes::ephemeral::watches(object, change) {
        found.push(Controller::EphemeralVolume);
    }
    if object.as_pod().is_some_and(|pod| pod.metadata.labels.is_some()) {
        found.push(Controller::Disruption);
    }
    if endpoints::watches(object, change) {
        found.extend([Controller::EndpointSlice, Controller::Endpoints]);
    }
    match object {
        Object::Pod(pod) => match controller_of(&pod.metadata).map(|owner| owner.kind.as_str()) {
            Some("ReplicaSet") => {
                found.push(Controller::ReplicaSet);
                if change == Change::Deleted {
                    found.push(Controller::Deployment);
                }
            }
            Some("ReplicationController") => found.push(Controller::ReplicationController),
            Some("Job") => found.push(Controller::Job),
            Some("StatefulSet") => found.push(Controller::StatefulSet),
            Some("DaemonSet") => found.push(Controller::DaemonSet),
            Some(_) => {}
            // It may be adopted.
            None => found.extend([
                Controller::ReplicaSet,
                Controller::ReplicationController,
                Controller::Job,
            ]),
        },
        Object::Node(_) => found.extend([
            Controller::AttachDetach,
            Controller::NodeLifecycle,
            Controller::TaintEviction,
            Controller::DaemonSet,
        ]),
        Object::ReplicaSet(_) => found.extend([Controller::ReplicaSet, Controller::Deployment]),
        Object::ReplicationController(_) => found.push(Controller::ReplicationController),
        // What every namespace has comes back when it is deleted.
        Object::ServiceAccount(_) if change == Change::Deleted && object.name() == "default" => {
            found.push(Controller::Namespace);
        }
        Object::ConfigMap(_) if change != Change::Added && object.name() == "kube-root-ca.crt" => {
            found.push(Controller::Namespace);
        }
        Object::HorizontalPodAutoscaler(_) => found.push(Controller::Autoscaler),
        Object::Deployment(_) => found.push(Controller::Deployment),
        Object::Job(job) => {
            found.extend([Controller::Job, Controller::TtlAfterFinished]);
            if controller_of(&job.metadata).is_some_and(|owner| owner.kind == "CronJob") {
                found.push(Controller::CronJob);
            }
        }
        Object::CronJob(_) => found.push(Controller::CronJob),
        Object::DaemonSet(_) => found.push(Controller::DaemonSet),
        Object::PodDisruptionBudget(_) => found.push(Controller::Disruption),
        Object::Namespace(_) => found.push(Controller::Namespace),
        Object::StatefulSet(_) => found.push(Controller::StatefulSet),
        Object::PersistentVolumeClaim(_) => found.extend([
            Controller::PersistentVolume,
            Controller::VolumeProtection,
            Controller::Provisioner,
        ]),
        Object::PersistentVolume(_) => found.extend([Controller::PersistentVolume, Controller::VolumeProtection]),
        _ => {}
    }
    found
}

/// All controllers.
#[derive(Clone)]
pub struct Controllers {
    replica_sets: replicaset::ReplicaSets,
    replication_controllers: replicaset::ReplicaSets,
    deployments: deployment::Deployments,
    jobs: job::Jobs,
    garbage_collector: garbage_collector::GarbageCollector,
    ttl_after_finished: ttl_after_finished::TtlAfterFinished,
    pod_gc: pod_gc::PodGc,
    node_lifecycle: node_lifecycle::NodeLifecycle,
    taint_eviction: taint_eviction::TaintEviction,
    namespaces: namespaces::Namespaces,
    stateful_sets: stateful_set::StatefulSets,
    daemon_sets: daemon_set::DaemonSets,
    cron_jobs: cron_job::CronJobs,
    disruptions: disruption::Disruptions,
    autoscalers: autoscaler::Autoscalers,
    endpoint_slices: endpoints::ServiceEndpoints,
    endpoints: endpoints::ServiceEndpoints,
    binder: volumes::binder::Binder,
    protection: volumes::protection::Protection,
    attach_detach: volumes::attach::AttachDetach,
    provisioner: volumes::provisioner::Provisioner,
    ephemeral_volumes: volumes::ephemeral::EphemeralVolumes,
}

impl Default for Controllers {
    fn default() -> Self {
        Self {
            replica_sets: replicaset::ReplicaSets::new(),
            replication_controllers: replicaset::ReplicaSets::of_replication_controllers(),
            deployments: Default::default(),
            jobs: Default::default(),
            garbage_collector: Default::default(),
            ttl_after_finished: Default::default(),
            pod_gc: Default::default(),
            node_lifecycle: Default::default(),
            taint_eviction: Default::default(),
            namespaces: Default::default(),
            stateful_sets: Default::default(),
            daemon_sets: Default::default(),
            cron_jobs: Default::default(),
            disruptions: Default::default(),
            autoscalers: Default::default(),
            endpoint_slices: endpoints::ServiceEndpoints::slices(),
            endpoints: endpoints::ServiceEndpoints::legacy(),
            binder: Default::default(),
            protection: Default::default(),
            attach_detach: Default::default(),
            provisioner: Default::default(),
            ephemeral_volumes: Default::default(),
        }
    }
}

impl Controllers {
    /// Plans the periodic rounds.
    pub(crate) fn start(&mut self, w: &mut World) {
        self.pod_gc.start(w);
        self.node_lifecycle.start(w);
    }

    /// Reacts to a change of an object that a controller watches.
    pub(crate) fn on_notify(&mut self, w: &mut World, controller: Controller, key: &Key, record: RecordId) {
        match controller {
            Controller::ReplicaSet => self.replica_sets.on_notify(w, key, record),
            Controller::ReplicationController => self.replication_controllers.on_notify(w, key, record),
            Controller::Deployment => self.deployments.on_notify(w, key, record),
            Controller::Job => self.jobs.on_notify(w, key, record),
            Controller::GarbageCollector => self.garbage_collector.on_notify(w, key, record),
            Controller::TtlAfterFinished => self.ttl_after_finished.on_notify(w, key),
            Controller::NodeLifecycle => self.node_lifecycle.on_notify(w, key),
            Controller::TaintEviction => self.taint_eviction.on_notify(w, key),
            Controller::Namespace => self.namespaces.on_notify(w, key),
            Controller::StatefulSet => self.stateful_sets.on_notify(w, key, record),
            Controller::DaemonSet => self.daemon_sets.on_notify(w, key, record),
            Controller::CronJob => self.cron_jobs.on_notify(w, key, record),
            Controller::Disruption => self.disruptions.on_notify(w, key, record),
            Controller::Autoscaler => self.autoscalers.on_notify(w, key),
            Controller::EndpointSlice => self.endpoint_slices.on_notify(w, key, record),
            Controller::Endpoints => self.endpoints.on_notify(w, key, record),
            Controller::PersistentVolume => self.binder.on_notify(w, key),
            Controller::VolumeProtection => self.protection.on_notify(w, key),
            Controller::AttachDetach => self.attach_detach.on_notify(w, key, record),
            Controller::Provisioner => self.provisioner.on_notify(w, key),
            Controller::EphemeralVolume => self.ephemeral_volumes.on_notify(w, key),
            Controller::PodGc => {}
        }
    }

    /// Reacts to a controller's timer.
    pub(crate) fn on_event(&mut self, w: &mut World, controller: Controller, event: ControllerEvent) {
        match controller {
            Controller::ReplicaSet => self.replica_sets.on_event(w, event),
            Controller::ReplicationController => self.replication_controllers.on_event(w, event),
            Controller::Deployment => self.deployments.on_event(w, event),
            Controller::Job => self.jobs.on_event(w, event),
            Controller::GarbageCollector => self.garbage_collector.on_event(w, event),
            Controller::TtlAfterFinished => self.ttl_after_finished.on_event(w, event),
            Controller::NodeLifecycle => self.node_lifecycle.on_event(w, event),
            Controller::TaintEviction => self.taint_eviction.on_event(w, event),
            Controller::Namespace => self.namespaces.on_event(w, event),
            Controller::PodGc => self.pod_gc.on_event(w),
            Controller::StatefulSet => self.stateful_sets.on_event(w, event),
            Controller::DaemonSet => self.daemon_sets.on_event(w, event),
            Controller::CronJob => self.cron_jobs.on_event(w, event),
            Controller::Disruption => self.disruptions.on_event(w, event),
            Controller::Autoscaler => self.autoscalers.on_event(w, event),
            Controller::EndpointSlice => self.endpoint_slices.on_event(w, event),
            Controller::Endpoints => self.endpoints.on_event(w, event),
            Controller::PersistentVolume => self.binder.on_event(w, event),
            Controller::VolumeProtection => self.protection.on_event(w, event),
            Controller::AttachDetach => self.attach_detach.on_event(w, event),
            Controller::Provisioner => self.provisioner.on_event(w, event),
            Controller::EphemeralVolume => self.ephemeral_volumes.on_event(w, event),
        }
    }

    /// Whether an event that is due then is a periodic look at things, or stale, so that nothing is left to happen when
    /// only such events are planned.
    pub(crate) fn is_idle(&self, at: SimTime, controller: Controller, event: &ControllerEvent) -> bool {
        match event {
            ControllerEvent::Round => true,
            ControllerEvent::Reconcile { .. } | ControllerEvent::Tick => false,
            ControllerEvent::Wake { key } => !match controller {
                Controller::ReplicaSet => self.replica_sets.queue.is_waiting(key, at),
                Controller::ReplicationController => self.replication_controllers.queue.is_waiting(key, at),
                Controller::Deployment => self.deployments.queue.is_waiting(key, at),
                Controller::Job => self.jobs.queue.is_waiting(key, at),
                Controller::GarbageCollector => self.garbage_collector.queue.is_waiting(key, at),
                Controller::TtlAfterFinished => self.ttl_after_finished.queue.is_waiting(key, at),
                Controller::Namespace => self.namespaces.queue.is_waiting(key, at),
                Controller::TaintEviction => self.taint_eviction.is_planned(key, at),
                Controller::StatefulSet => self.stateful_sets.queue.is_waiting(key, at),
                Controller::DaemonSet => self.daemon_sets.queue.is_waiting(key, at),
                Controller::CronJob => self.cron_jobs.queue.is_waiting(key, at),
                Controller::Disruption => self.disruptions.queue.is_waiting(key, at),
                // Every autoscaler is looked at again and again.
                Controller::Autoscaler => false,
                Controller::EndpointSlice => self.endpoint_slices.queue.is_waiting(key, at),
                Controller::Endpoints => self.endpoints.queue.is_waiting(key, at),
                Controller::PersistentVolume => self.binder.queue.is_waiting(key, at),
                Controller::VolumeProtection => self.protection.queue.is_waiting(key, at),
                Controller::AttachDetach => self.attach_detach.is_planned(key, at),
                Controller::EphemeralVolume => self.ephemeral_volumes.queue.is_waiting(key, at),
                Controller::NodeLifecycle | Controller::PodGc | Controller::Provisioner => false,
            },
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
