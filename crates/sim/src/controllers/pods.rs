//! What controllers that own pods share: pods from templates, their events, adoption and release
//! (`pkg/controller/{controller_utils,controller_ref_manager}.go`).

use crate::core;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, Time};

use crate::events::NewEvent;
use crate::objects::{Key, Kind, Object, controller_of, controller_reference, is_terminal, selects};
use crate::registry::DeleteOptions;
use crate::request::Status;
use crate::store::Stored;
use crate::time::SimTime;
use crate::world::World;

/// Most pods that one sync creates or deletes (`BurstReplicas`, `MaxPodCreateDeletePerSync`).
pub const MAX_PER_SYNC: usize = 500;

/// Neither at its end nor being deleted (`IsPodActive`).
pub fn is_active(pod: &core::Pod) -> bool {
    !is_terminal(pod) && pod.metadata.deletion_timestamp.is_none()
}

/// The pod's condition of that type.
pub fn condition<'a>(pod: &'a core::Pod, kind: &str) -> Option<&'a core::PodCondition> {
    pod.status
        .as_ref()?
        .conditions
        .as_ref()?
        .iter()
        .find(|condition| condition.type_ == kind)
}

/// Whether the pod is ready.
pub fn is_ready(pod: &core::Pod) -> bool {
    condition(pod, "Ready").is_some_and(|condition| condition.status == "True")
}

/// When a ready pod will have been ready for `min_ready_seconds`; `None` when it is not ready (`IsPodAvailable`).
pub fn available_at(w: &World, pod: &core::Pod, min_ready_seconds: i32) -> Option<SimTime> {
    let ready = condition(pod, "Ready").filter(|condition| condition.status == "True")?;
    available_since(
        w,
        ready.last_transition_time.as_ref().map(|time| time.0),
        min_ready_seconds,
    )
}

/// When a pod that is ready since then will have been ready for `min_ready_seconds`.
pub fn available_since(w: &World, ready: Option<Timestamp>, min_ready_seconds: i32) -> Option<SimTime> {
    if min_ready_seconds <= 0 {
        return Some(SimTime::ZERO);
    }
    let seconds = u64::try_from(min_ready_seconds).unwrap_or(0);
    Some(w.virtual_time(ready?) + crate::time::SimDuration::from_secs(seconds))
}

/// Sets the condition that says by whom and why a pod is disrupted (`UpdatePodCondition` with `DisruptionTarget`).
pub fn set_disruption_target(pod: &mut core::Pod, now: &Time, reason: &str, message: &str) {
    let generation = pod.metadata.generation;
    let conditions = pod.status.get_or_insert_default().conditions.get_or_insert_default();
    let mut new = core::PodCondition {
        type_: "DisruptionTarget".to_owned(),
        status: "True".to_owned(),
        reason: Some(reason.to_owned()),
        message: Some(message.to_owned()),
        observed_generation: generation,
        last_transition_time: Some(now.clone()),
        last_probe_time: None,
    };
    match conditions.iter_mut().find(|known| known.type_ == new.type_) {
        Some(known) => {
            if known.status == new.status {
                new.last_transition_time = known.last_transition_time.take();
            }
            *known = new;
        }
        None => conditions.push(new),
    }
}

/// Records an event of a controller.
pub fn emit(w: &mut World, component: &str, about: &Object, kind: &str, reason: &str, message: String) {
    w.emit(NewEvent {
        about: about.reference(),
        field_path: String::new(),
        kind,
        reason,
        message,
        component,
        host: None,
    });
}

/// A pod as its template describes it, owned by `owner` (`GetPodFromTemplate`).
pub fn from_template(template: &core::PodTemplateSpec, owner: &Object) -> core::Pod {
    let meta = template.metadata.clone().unwrap_or_default();
    core::Pod {
        metadata: ObjectMeta {
            generate_name: Some(format!("{}-", owner.name())),
            namespace: Some(owner.namespace().to_owned()),
            labels: meta.labels,
            annotations: meta.annotations,
            finalizers: meta.finalizers,
            owner_references: Some(vec![controller_reference(owner)]),
            ..ObjectMeta::default()
        },
        spec: template.spec.clone().map(core::Shared::new),
        status: None,
    }
}

/// Creates a pod and says so, or says why not (`RealPodControl.createPods`).
///
/// # Errors
/// What the API server says.
pub fn create(w: &mut World, component: &str, owner: &Object, pod: core::Pod) -> Result<Arc<Stored>, Status> {
    match w.create(pod.into()) {
        Ok(stored) => {
            let message = format!("Created pod: {}", stored.object.name());
            emit(w, component, owner, "Normal", "SuccessfulCreate", message);
            Ok(stored)
        }
        Err(status) => {
            emit(
                w,
                component,
                owner,
                "Warning",
                "FailedCreate",
                format!("Error creating: {status}"),
            );
            Err(status)
        }
    }
}

/// Creates `count` pods in batches of 1, 2, 4, 8 …; the first failure ends it (`slowStartBatch`).
///
/// # Errors
/// The first failure.
pub fn slow_start(count: usize, mut create: impl FnMut(usize) -> Result<(), Status>) -> Result<(), Status> {
    let (mut done, mut batch) = (0, 1);
    while done < count {
        let size = batch.min(count - done);
        let mut failure = None;
        for index in done..done + size {
            if let Err(status) = create(index) {
                failure.get_or_insert(status);
            }
        }
        if let Some(status) = failure {
            return Err(status);
        }
        done += size;
        batch *= 2;
    }
    Ok(())
}

/// Deletes a pod and says so (`RealPodControl.DeletePod`).
///
/// # Errors
/// What the API server says, unless the pod is gone already.
pub fn delete(w: &mut World, component: &str, owner: &Object, pod: &core::Pod) -> Result<(), Status> {
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let key = Key::new(Kind::Pod, pod.metadata.namespace.as_deref().unwrap_or_default(), name);
    match w.delete(&key, &DeleteOptions::default()) {
        Ok(_) => {
            emit(
                w,
                component,
                owner,
                "Normal",
                "SuccessfulDelete",
                format!("Deleted pod: {name}"),
            );
            Ok(())
        }
        Err(status) if status.code == 404 => Ok(()),
        Err(status) => {
            emit(
                w,
                component,
                owner,
                "Warning",
                "FailedDelete",
                format!("Error deleting: {status}"),
            );
            Err(status)
        }
    }
}

/// The objects of a kind that `owner` controls, by name.
fn controlled(w: &World, owner: &Object, kind: Kind) -> Vec<Arc<Stored>> {
    w.store
        .dependents(owner.uid())
        .filter(|stored| stored.object.kind() == kind)
        .filter(|stored| controller_of(stored.object.meta()).is_some_and(|reference| reference.uid == owner.uid()))
        .cloned()
        .collect()
}

/// The pods that `owner` has when [`claim`] has nothing to adopt or to release, which is what almost every sync finds:
/// it is known without looking at the pods that the owner controls already.
pub struct Settled<'a> {
    owner: &'a Object,
    selector: &'a LabelSelector,
}

impl<'a> Settled<'a> {
    /// `None` when [`claim`] would change something.
    pub fn find(
        w: &World,
        owner: &'a Object,
        selector: &'a LabelSelector,
        candidate: impl Fn(&Object) -> bool,
    ) -> Option<Self> {
        let own = Self { owner, selector };
        if owner.meta().deletion_timestamp.is_some() {
            return Some(own);
        }
        let released = w
            .store
            .tally(owner.uid())
            .any(|(labels, _)| !selects(selector, Some(labels)));
        let adopted = w
            .store
            .strays(Kind::Pod, owner.namespace())
            .any(|stored| may_adopt(selector, &stored.object) && candidate(&stored.object));
        (!released && !adopted).then_some(own)
    }

    /// The pods themselves, by name.
    pub fn pods(&self, w: &World) -> Vec<Arc<Stored>> {
        let mut pods = controlled(w, self.owner, Kind::Pod);
        pods.retain(|stored| selects(self.selector, stored.object.meta().labels.as_ref()));
        pods
    }
}

/// Whether a selector matches an object that is to stay.
fn may_adopt(selector: &LabelSelector, object: &Object) -> bool {
    let meta = object.meta();
    meta.deletion_timestamp.is_none() && selects(selector, meta.labels.as_ref())
}

/// The objects of a kind that `owner` has, after adopting those without a controller that its selector matches and
/// releasing those that it no longer matches (`BaseControllerRefManager.ClaimObject`). `candidate` says which objects
/// without a controller may be adopted.
pub fn claim(
    w: &mut World,
    owner: &Object,
    kind: Kind,
    selector: &LabelSelector,
    candidate: impl Fn(&Object) -> bool,
) -> Vec<Arc<Stored>> {
    let deleting = owner.meta().deletion_timestamp.is_some();
    let mut claimed = Vec::new();
    for stored in controlled(w, owner, kind) {
        if selects(selector, stored.object.meta().labels.as_ref()) {
            claimed.push(stored);
        } else if !deleting {
            let mut object = stored.object.clone();
            if let Some(references) = &mut object.meta_mut().owner_references {
                references.retain(|reference| reference.uid != owner.uid());
            }
            if object.meta().owner_references.as_ref().is_some_and(Vec::is_empty) {
                object.meta_mut().owner_references = None;
            }
            w.update(object);
        }
    }
    if !deleting {
        let strays: Vec<Arc<Stored>> = w.store.strays(kind, owner.namespace()).cloned().collect();
        for stored in strays {
            if !may_adopt(selector, &stored.object) || !candidate(&stored.object) {
                continue;
            }
            let mut object = stored.object.clone();
            object
                .meta_mut()
                .owner_references
                .get_or_insert_default()
                .push(controller_reference(owner));
            claimed.extend(w.update(object));
        }
    }
    claimed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_batch_is_the_last() {
        let mut tried = 0;
        let failed = slow_start(20, |index| {
            tried += 1;
            if index >= 5 {
                return Err(crate::registry::failure(
                    403,
                    "Forbidden",
                    "exceeded quota".to_owned(),
                    Kind::Pod,
                    "p",
                ));
            }
            Ok(())
        });
        // 1 + 2 succeed; of the batch of four the last two fail.
        assert_eq!((failed.is_err(), tried), (true, 7));
    }
}
