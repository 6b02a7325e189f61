//! The end of the scheduler's VolumeBinding: a pod that has a node but whose claims are not bound yet is bound to the node
//! when they are (`plugins/volumebinding/binder.go BindPodVolumes`).

use std::sync::Arc;

use super::plugins::volume_binding::Decision;
use super::{Scheduler, SchedulerEvent, decide, emit};
use crate::cluster::Event;
use crate::objects::{Key, Kind, Object};
use crate::storage;
use crate::time::{SimDuration, SimTime};
use crate::world::World;

/// How often it is looked whether the claims are bound.
const POLL: SimDuration = SimDuration::from_secs(1);
/// After this the pod is given up and tried again (`bindTimeoutSeconds`).
const TIMEOUT: SimDuration = SimDuration::from_secs(600);

/// A pod whose claims are being bound.
#[derive(Clone, Debug)]
pub(super) struct Binding {
    pub(super) decision: Decision,
    since: SimTime,
}

impl Binding {
    pub(super) fn new(decision: Decision, since: SimTime) -> Self {
        Self { decision, since }
    }
}

impl Scheduler {
    /// Says to the claims of a pod which volume or node they get, and begins to wait.
    pub(super) fn begin_volumes(&mut self, w: &mut World, key: &Key, uid: &Arc<str>, node: &Arc<str>) {
        let Some(decision) = self.binding.get(key).map(|binding| binding.decision.clone()) else {
            return;
        };
        let claim_key = |claim: &str| Key::new(Kind::PersistentVolumeClaim, &key.namespace, claim);
        for (claim, volume) in &decision.bind {
            let Some(Object::PersistentVolumeClaim(claim)) =
                w.get(&claim_key(claim)).map(|stored| stored.object.clone())
            else {
                continue;
            };
            let Some(mut volume) = storage::volume(w, volume).cloned() else {
                continue;
            };
            let reference = k8s_openapi::api::core::v1::ObjectReference {
                api_version: Some("v1".to_owned()),
                kind: Some("PersistentVolumeClaim".to_owned()),
                namespace: claim.metadata.namespace.clone(),
                name: claim.metadata.name.clone(),
                uid: claim.metadata.uid.clone(),
                resource_version: claim.metadata.resource_version.clone(),
                ..Default::default()
            };
            volume.spec.get_or_insert_default().claim_ref = Some(reference);
            let annotations = volume.metadata.annotations.get_or_insert_default();
            annotations.insert(storage::ANN_BOUND_BY_CONTROLLER.to_owned(), "yes".to_owned());
            w.update(volume.into());
        }
        for claim in &decision.provision {
            let Some(mut object) = w.get(&claim_key(claim)).map(|stored| stored.object.clone()) else {
                continue;
            };
            let annotations = object.meta_mut().annotations.get_or_insert_default();
            annotations.insert(storage::ANN_SELECTED_NODE.to_owned(), node.to_string());
            let values = [
                ("claim".to_owned(), claim.clone()),
                ("node".to_owned(), node.to_string()),
            ];
            let rule = "pkg/scheduler/framework/plugins/volumebinding/binder.go BindPodVolumes";
            let record = decide(w, &object, rule, "volume.node-chosen", &values);
            let saved = std::mem::replace(&mut w.causes, vec![record]);
            w.update(object);
            w.causes = saved;
        }
        self.poll_volumes(w, key, uid, node);
    }

    fn poll_volumes(&self, w: &mut World, key: &Key, uid: &Arc<str>, node: &Arc<str>) {
        let event = SchedulerEvent::CheckVolumes {
            key: key.clone(),
            uid: Arc::clone(uid),
            node: Arc::clone(node),
        };
        let causes = w.causes.clone();
        w.after(POLL, Event::Scheduler { event, causes });
    }

    /// Binds the pod if its claims are bound by now; else waits on.
    pub(super) fn check_volumes(&mut self, w: &mut World, key: &Key, uid: &Arc<str>, node: &Arc<str>) {
        let Some(binding) = self.binding.get(key).cloned() else {
            return;
        };
        if self.assumed.get(key).is_none_or(|assumed| assumed != node) {
            self.binding.remove(key);
            return;
        }
        let Decision { bind, provision } = &binding.decision;
        let names = bind.iter().map(|(claim, _)| claim).chain(provision);
        let claims: Vec<_> = names.map(|name| storage::claim(w, &key.namespace, name)).collect();
        if claims.iter().all(|claim| claim.is_some_and(storage::is_fully_bound)) {
            self.binding.remove(key);
            return self.bind(w, key, uid, node);
        }
        // The driver gave the node back: it cannot make the volume there.
        let gone = claims.iter().any(Option::is_none);
        if !gone && w.now.since(binding.since) < TIMEOUT {
            return self.poll_volumes(w, key, uid, node);
        }
        self.binding.remove(key);
        self.assumed.remove(key);
        self.cache.remove_pod(key);
        if let Some(stored) = w.get(key).cloned() {
            let why = if gone {
                "could not find v1.PersistentVolumeClaim".to_owned()
            } else {
                "context deadline exceeded".to_owned()
            };
            let text = format!("running PreBind plugin \"VolumeBinding\": binding volumes: {why}");
            emit(w, &stored.object, "Warning", ("FailedScheduling", "Scheduling"), text);
        }
        self.pod_changed(w, key);
    }
}
