//! The storage rules of the API server: what create, update and delete do to an object
//! (`staging/src/k8s.io/apiserver/pkg/registry/generic/registry/store.go`, `pkg/registry/core/pod/strategy.go`).

use crate::core;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use serde_json::{Value, json};

use crate::apiserver::{admission, defaults, disruption, pod_security, quota, strategy};
use crate::objects::{Key, Kind, Object, is_terminal};
use crate::request::Status;
use crate::store::Stored;
use crate::time::SimDuration;
use crate::trace::Change;
use crate::version::Gate;
use crate::world::World;

/// What becomes of the objects that a deleted one owns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Propagation {
    /// They are deleted afterwards.
    #[default]
    Background,
    /// They are deleted first.
    Foreground,
    /// They stay, without an owner.
    Orphan,
}

/// How to delete.
#[derive(Clone, Debug, Default)]
pub struct DeleteOptions {
    /// Grace period in seconds; the object's own when absent.
    pub grace_period_seconds: Option<i64>,
    /// Delete only the object with this uid.
    pub uid: Option<String>,
    /// What becomes of dependents.
    pub propagation: Propagation,
}

/// The finalizer by which the API server waits for the garbage collector to orphan dependents.
pub const ORPHAN_FINALIZER: &str = "orphan";
/// The finalizer by which the API server waits for dependents to be deleted.
pub const FOREGROUND_FINALIZER: &str = "foregroundDeletion";

/// `pods "x" not found`.
pub fn not_found(kind: Kind, name: &str) -> Status {
    let resource = kind.resource();
    failure(
        404,
        "NotFound",
        format!("{} \"{name}\" not found", resource.qualified()),
        kind,
        name,
    )
}

/// A failure about one object.
pub fn failure(code: u16, reason: &str, message: String, kind: Kind, name: &str) -> Status {
    let resource = kind.resource();
    let mut details = json!({ "name": name, "kind": resource.plural });
    if !resource.group.is_empty() {
        details["group"] = Value::from(resource.group);
    }
    Status {
        code,
        reason: reason.to_owned(),
        message,
        details,
    }
}

impl World {
    /// Stores a new object as the API server does: defaults, metadata of the system, admission, and what the registry of
    /// its kind fills in. What a controller makes of a valid template is valid; what a client sends is validated before
    /// ([`crate::apiserver::handle`]).
    ///
    /// # Errors
    /// `AlreadyExists` when the name is taken, `Forbidden` or `NotFound` by an admission plugin.
    pub fn create(&mut self, object: Object) -> Result<Arc<Stored>, Status> {
        let object = self.prepare(object)?;
        self.store_new(object)
    }

    /// Stores an object that [`World::prepare`] has made ready.
    ///
    /// # Errors
    /// `AlreadyExists` when the name is taken.
    pub(crate) fn store_new(&mut self, mut object: Object) -> Result<Arc<Stored>, Status> {
        let (kind, name) = (object.kind(), object.name().to_owned());
        if let Some(current) = self.store.current(&object) {
            let going = current.object.meta().deletion_timestamp.is_some();
            let before = if going { "object is being deleted: " } else { "" };
            let message = format!("{before}{} \"{name}\" already exists", kind.resource().qualified());
            return Err(failure(409, "AlreadyExists", message, kind, &name));
        }
        match &object {
            Object::Pod(pod) => pod_security::admit(self, pod)?,
            other => pod_security::warn_of_template(self, other),
        }
        quota::admit(self, &object)?;
        strategy::as_read(&mut object);
        let namespace = object.namespace().to_owned();
        let stored = self.put(Change::Added, object);
        self.counted(kind, &namespace);
        Ok(stored)
    }

    /// What [`World::create`] would store.
    ///
    /// # Errors
    /// As for a creation, but for a name that is taken.
    pub(crate) fn prepare(&mut self, mut object: Object) -> Result<Object, Status> {
        if object.kind().resource().namespaced && object.namespace().is_empty() {
            object.meta_mut().namespace = Some("default".to_owned());
        }
        defaults::default(self.version, &mut object);
        let mut meta = std::mem::take(object.meta_mut());
        meta.resource_version = None;
        meta.deletion_timestamp = None;
        meta.deletion_grace_period_seconds = None;
        meta.self_link = None;
        let named = meta.name.as_deref().is_some_and(|name| !name.is_empty());
        self.stamp(&mut meta);
        if !named && self.version.enabled(Gate::RetryGenerateName) {
            self.find_free_name(object.kind(), &mut meta);
        }
        *object.meta_mut() = meta;
        admission::admit(self, &mut object)?;
        strategy::prepare_for_create(self, &mut object);
        Ok(object)
    }

    /// Generates other names while the generated one is taken, seven times at most (`createWithGenerateNameRetry`).
    fn find_free_name(&mut self, kind: Kind, meta: &mut ObjectMeta) {
        for _ in 1..8 {
            let name = meta.name.as_deref().unwrap_or_default();
            let namespace = meta.namespace.as_deref().unwrap_or_default();
            if name.is_empty() || self.find(kind, namespace, name).is_none() {
                return;
            }
            meta.name = None;
            self.generate_name(meta);
        }
    }

    /// Stores a new state of an object that exists; nothing happens when it is the same. The generation counts changes of
    /// the spec. An object that waits for its last finalizer is removed with it.
    pub fn update(&mut self, mut object: Object) -> Option<Arc<Stored>> {
        let current = Arc::clone(self.store.current(&object)?);
        object
            .meta_mut()
            .resource_version
            .clone_from(&current.object.meta().resource_version);
        if current.object == object {
            return Some(current);
        }
        if strategy::has_generation(self.version, object.kind()) && strategy::counts_as_change(&current.object, &object)
        {
            object.meta_mut().generation = Some(current.object.meta().generation.unwrap_or(0) + 1);
        }
        let (kind, namespace) = (object.kind(), object.namespace().to_owned());
        let change = if is_gone(&object) {
            Change::Deleted
        } else {
            Change::Modified
        };
        let stored = self.put(change, object);
        self.counted(kind, &namespace);
        Some(stored)
    }

    /// Changes a pod in place, if it is still the one with that uid.
    pub fn update_pod(&mut self, key: &Key, uid: &str, change: impl FnOnce(&mut core::Pod)) -> Option<Arc<Stored>> {
        let mut pod = self.get(key)?.object.as_pod()?.clone();
        if pod.metadata.uid.as_deref() != Some(uid) {
            return None;
        }
        change(&mut pod);
        self.update(pod.into())
    }

    /// Binds a pod to a node as the binding subresource does: node name, `PodScheduled=True` and the node's topology labels
    /// in one write (`pkg/registry/core/pod/storage BindingREST.setPodNodeAndMetadata`).
    ///
    /// # Errors
    /// `NotFound`, or `Conflict` when the pod is another, is being deleted, has a node already or is gated.
    pub fn bind(&mut self, key: &Key, uid: &str, node: &str) -> Result<Arc<Stored>, Status> {
        self.bind_with(key, uid, node, &[])
    }

    /// The same, with the annotations of the `Binding`, which the pod gets.
    ///
    /// # Errors
    /// As [`World::bind`].
    pub(crate) fn bind_with(
        &mut self,
        key: &Key,
        uid: &str,
        node: &str,
        annotations: &[(String, String)],
    ) -> Result<Arc<Stored>, Status> {
        let Some(mut pod) = self.get(key).and_then(|stored| stored.object.as_pod()).cloned() else {
            return Err(not_found(key.kind, &key.name));
        };
        let name = &*key.name;
        let conflict = |text: String| {
            failure(
                409,
                "Conflict",
                format!("Operation cannot be fulfilled on pods/binding \"{name}\": {text}"),
                key.kind,
                name,
            )
        };
        let own = pod.metadata.uid.as_deref().unwrap_or_default();
        if own != uid {
            return Err(conflict(format!(
                "Precondition failed: UID in precondition: {uid}, UID in object meta: {own}"
            )));
        }
        if pod.metadata.deletion_timestamp.is_some() {
            return Err(conflict(format!(
                "pod {name} is being deleted, cannot be assigned to a host"
            )));
        }
        let time = self.time();
        let copied = self.version.enabled(Gate::PodTopologyLabelsAdmission);
        let topology = self
            .node(node)
            .filter(|_| copied)
            .and_then(|node| node.metadata.labels.as_ref())
            .map(|labels| {
                let keys = ["topology.kubernetes.io/zone", "topology.kubernetes.io/region"];
                keys.into_iter()
                    .filter_map(|key| labels.get_key_value(key))
                    .map(|(key, value)| (key.clone(), value.clone()))
                    .collect()
            });
        let topology: Vec<(String, String)> = topology.unwrap_or_default();
        let spec = pod.spec.get_or_insert_default();
        if let Some(taken) = spec.node_name.as_deref().filter(|taken| !taken.is_empty()) {
            return Err(conflict(format!("pod {name} is already assigned to node \"{taken}\"")));
        }
        if spec.scheduling_gates.as_ref().is_some_and(|gates| !gates.is_empty()) {
            return Err(conflict(format!("pod {name} has non-empty .spec.schedulingGates")));
        }
        spec.node_name = Some(node.to_owned());
        if !topology.is_empty() {
            pod.metadata.labels.get_or_insert_default().extend(topology);
        }
        if !annotations.is_empty() {
            let own = pod.metadata.annotations.get_or_insert_default();
            own.extend(annotations.iter().cloned());
        }
        let status = pod.status.get_or_insert_default();
        if self.version.enabled(Gate::ClearingNominatedNodeNameAfterBinding) {
            status.nominated_node_name = None;
        }
        let conditions = status.conditions.get_or_insert_default();
        let scheduled = core::PodCondition {
            type_: "PodScheduled".to_owned(),
            status: "True".to_owned(),
            last_transition_time: Some(time),
            ..core::PodCondition::default()
        };
        match conditions
            .iter_mut()
            .find(|condition| condition.type_ == scheduled.type_)
        {
            Some(known) => *known = scheduled,
            None => conditions.push(scheduled),
        }
        Ok(self.put(Change::Modified, pod.into()))
    }

    /// Deletes an object as `rest.BeforeDelete` and the store do.
    ///
    /// # Errors
    /// `NotFound`, or `Conflict` when the uid is another.
    pub fn delete(&mut self, key: &Key, options: &DeleteOptions) -> Result<Arc<Stored>, Status> {
        let Some(stored) = self.get(key).cloned() else {
            return Err(not_found(key.kind, &key.name));
        };
        let mut object = stored.object.clone();
        if let Some(wanted) = &options.uid
            && object.uid() != wanted
        {
            let message = format!(
                "Precondition failed: UID in precondition: {wanted}, UID in object meta: {}",
                object.uid()
            );
            return Err(failure(409, "Conflict", message, key.kind, &key.name));
        }
        if let Object::Namespace(namespace) = &object
            && namespace
                .spec
                .as_ref()
                .and_then(|spec| spec.finalizers.as_ref())
                .is_some_and(|list| !list.is_empty())
        {
            return Ok(self.terminate_namespace(namespace.clone(), &stored));
        }
        let now = self.now;
        if let Object::Pod(pod) = &object {
            let grace = pod_grace(pod, options.grace_period_seconds);
            if let Some(existing) = pod.metadata.deletion_grace_period_seconds
                && let Some(Time(deadline)) = pod.metadata.deletion_timestamp
            {
                if grace > 0 && grace >= existing {
                    return Ok(stored);
                }
                if grace > 0 {
                    // A shorter grace counts from the first request, but never ends before now.
                    let deadline = self.virtual_time(deadline);
                    let shortened = deadline + SimDuration::from_secs(u64::try_from(grace).unwrap_or(0));
                    let shortened = crate::time::SimTime(
                        shortened
                            .0
                            .saturating_sub(SimDuration::from_secs(u64::try_from(existing).unwrap_or(0)).0),
                    );
                    let (deadline, grace) = if shortened < now { (now, 1) } else { (shortened, grace) };
                    let deadline = self.time_of(deadline);
                    let meta = object.meta_mut();
                    meta.deletion_timestamp = Some(deadline);
                    meta.deletion_grace_period_seconds = Some(grace);
                    return Ok(self.put(Change::Modified, object));
                }
            }
            if grace > 0 {
                let deadline = self.time_of(now + SimDuration::from_secs(u64::try_from(grace).unwrap_or(0)));
                let meta = object.meta_mut();
                meta.deletion_timestamp = Some(deadline);
                meta.deletion_grace_period_seconds = Some(grace);
                meta.generation = meta.generation.map(|generation| generation + 1);
                return Ok(self.put(Change::Modified, object));
            }
        }
        let finalizer = match options.propagation {
            Propagation::Background => None,
            Propagation::Foreground => Some(FOREGROUND_FINALIZER),
            Propagation::Orphan => Some(ORPHAN_FINALIZER),
        };
        let time = self.time();
        let meta = object.meta_mut();
        if let Some(finalizer) = finalizer {
            let finalizers = meta.finalizers.get_or_insert_default();
            if !finalizers.iter().any(|existing| existing == finalizer) {
                finalizers.push(finalizer.to_owned());
            }
        }
        let marked = meta.deletion_timestamp.is_some() && meta.deletion_grace_period_seconds == Some(0);
        let waits = meta
            .finalizers
            .as_ref()
            .is_some_and(|finalizers| !finalizers.is_empty());
        // `markAsDeleting`, and for pods `BeforeDelete`: the first mark counts as a change.
        if meta.deletion_timestamp.is_none() && (waits || key.kind == Kind::Pod) {
            meta.generation = meta.generation.map(|generation| generation + 1);
        }
        // What goes at once, and was never graceful, goes as it is.
        if !marked && (waits || key.kind == Kind::Pod) {
            meta.deletion_timestamp = Some(time);
            meta.deletion_grace_period_seconds = Some(0);
        }
        if waits {
            return Ok(if marked {
                stored
            } else {
                self.put(Change::Modified, object)
            });
        }
        if key.kind == Kind::Pod && !marked {
            // A pod's deletion is always graceful: the mark is written, and then what has no grace left is removed.
            self.put(Change::Modified, object.clone());
        }
        let deleted = self.put(Change::Deleted, object);
        self.counted(key.kind, &key.namespace);
        Ok(deleted)
    }

    /// After something that a quota or a disruption budget counts has come, gone or changed.
    fn counted(&mut self, kind: Kind, namespace: &str) {
        if kind.resource().namespaced && !matches!(kind, Kind::Event | Kind::Lease) {
            quota::recount(self, namespace);
            disruption::recount(self, namespace);
        }
    }
}

impl World {
    /// A namespace first gets the phase Terminating, and goes when its finalizer is taken off
    /// (`pkg/registry/core/namespace/storage REST.Delete`).
    fn terminate_namespace(&mut self, mut namespace: core::Namespace, stored: &Arc<Stored>) -> Arc<Stored> {
        if namespace.metadata.deletion_timestamp.is_some() {
            return Arc::clone(stored);
        }
        namespace.metadata.deletion_timestamp = Some(self.time());
        namespace.status.get_or_insert_default().phase = Some("Terminating".to_owned());
        self.put(Change::Modified, namespace.into())
    }
}

/// `podStrategy.CheckGracefulDelete`: a pod without a node, or one that has finished, needs no grace.
fn pod_grace(pod: &core::Pod, asked: Option<i64>) -> i64 {
    let spec = pod.spec.as_ref();
    let scheduled = spec
        .and_then(|spec| spec.node_name.as_deref())
        .is_some_and(|node| !node.is_empty());
    if !scheduled || is_terminal(pod) {
        return 0;
    }
    let own = spec
        .and_then(|spec| spec.termination_grace_period_seconds)
        .unwrap_or(30);
    let grace = asked.unwrap_or(own);
    // A negative period means one second (`rest.BeforeDelete`).
    if grace < 0 { 1 } else { grace }
}

/// Whether an object that is being deleted waits for nothing more.
fn is_gone(object: &Object) -> bool {
    let meta = object.meta();
    let waits = match object {
        Object::Namespace(namespace) => namespace
            .spec
            .as_ref()
            .and_then(|spec| spec.finalizers.as_ref())
            .is_some_and(|list| !list.is_empty()),
        _ => false,
    };
    let finalized = meta.finalizers.as_ref().is_none_or(Vec::is_empty);
    meta.deletion_timestamp.is_some() && finalized && !waits && meta.deletion_grace_period_seconds.unwrap_or(0) == 0
}
