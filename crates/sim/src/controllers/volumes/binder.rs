//! The persistent volume controller: claims and volumes find each other, and a volume without its claim is reclaimed
//! (`pkg/controller/volume/persistentvolume/pv_controller.go`).

use k8s_openapi::api::core::v1 as core;

use super::{annotate, object, provisioner, volume_key};
use crate::cluster::Event;
use crate::controllers::ControllerEvent;
use crate::controllers::pods::emit;
use crate::controllers::workqueue::WorkQueue;
use crate::objects::{Key, Kind, Object, reference_to};
use crate::storage::{self, ANN_BIND_COMPLETED, ANN_BOUND_BY_CONTROLLER};
use crate::time::{SimDuration, SimTime};
use crate::world::{Controller, World};

/// The name under which it reports events.
const COMPONENT: &str = "persistentvolume-controller";
/// How often claims and volumes that wait for something are looked at again (`PVClaimBinderSyncPeriod`).
const RESYNC: u64 = SimDuration::from_secs(15).0;

/// The persistent volume controller.
#[derive(Clone)]
pub struct Binder {
    pub(crate) queue: WorkQueue,
    round_planned: bool,
}

impl Default for Binder {
    fn default() -> Self {
        Self {
            queue: WorkQueue::new(Controller::PersistentVolume),
            round_planned: false,
        }
    }
}

impl Binder {
    /// Reacts to a change of a claim, a volume or a class.
    pub(crate) fn on_notify(&mut self, w: &mut World, key: &Key) {
        match key.kind {
            Kind::PersistentVolumeClaim if w.get(key).is_none() => {
                // The volume of a claim that is gone is reclaimed.
                let orphans: Vec<Key> = storage::volumes(w)
                    .filter(|volume| refers_to(volume, key))
                    .map(|volume| volume_key(volume.metadata.name.as_deref().unwrap_or_default()))
                    .collect();
                for orphan in orphans {
                    self.queue.add(w, orphan);
                }
            }
            Kind::PersistentVolume if w.get(key).is_none() => {
                // The claim of a volume that is gone has lost it.
                for claim in claims(w, |claim| storage::volume_name(claim) == &*key.name) {
                    self.queue.add(w, claim);
                }
            }
            Kind::PersistentVolumeClaim | Kind::PersistentVolume => self.queue.add(w, key.clone()),
            _ => {}
        }
    }

    /// Reacts to a timer.
    pub(crate) fn on_event(&mut self, w: &mut World, event: ControllerEvent) {
        match event {
            ControllerEvent::Reconcile { key } => {
                if self.queue.take(w, &key) {
                    match key.kind {
                        Kind::PersistentVolumeClaim => self.sync_claim(w, &key),
                        _ => self.sync_volume(w, &key),
                    }
                    self.plan_round(w);
                }
            }
            ControllerEvent::Wake { key } => self.queue.wake(w, key),
            ControllerEvent::Round => {
                self.round_planned = false;
                for key in waiting(w) {
                    self.queue.add(w, key);
                }
            }
            ControllerEvent::Tick => {}
        }
    }

    /// Nothing is looked at again unless something waits.
    fn plan_round(&mut self, w: &mut World) {
        if self.round_planned || waiting(w).is_empty() {
            return;
        }
        self.round_planned = true;
        let event = Event::Controller {
            controller: Controller::PersistentVolume,
            event: ControllerEvent::Round,
            causes: Vec::new(),
        };
        w.schedule(SimTime((w.now.0 / RESYNC + 1) * RESYNC), event);
    }

    fn sync_claim(&mut self, w: &mut World, key: &Key) {
        let Some(Object::PersistentVolumeClaim(claim)) = object(w, key) else {
            return;
        };
        let claim = &assign_default_class(w, claim);
        if storage::annotation(&claim.metadata, ANN_BIND_COMPLETED).is_some() {
            sync_bound_claim(w, claim);
        } else {
            self.sync_unbound_claim(w, claim);
        }
    }

    fn sync_unbound_claim(&mut self, w: &mut World, claim: &core::PersistentVolumeClaim) {
        let wanted = storage::volume_name(claim);
        if wanted.is_empty() {
            let delay = storage::delays_binding(w, claim).unwrap_or(false);
            let found = storage::best_match(storage::volumes(w), claim, None, &[], delay).cloned();
            if let Some(volume) = found {
                return bind(w, &volume, claim);
            }
            let selected = storage::annotation(&claim.metadata, storage::ANN_SELECTED_NODE).is_some();
            if delay && !selected {
                wait_for_consumer(w, claim);
            } else if !storage::class_of_claim(claim).is_empty() {
                return provisioner::ask(w, COMPONENT, claim);
            } else {
                let text = "no persistent volumes available for this claim and no storage class is set";
                say(w, claim, "Normal", "FailedBinding", text.to_owned());
            }
            return set_claim_phase(w, claim, "Pending", None);
        }
        let Some(volume) = storage::volume(w, wanted).cloned() else {
            return set_claim_phase(w, claim, "Pending", None);
        };
        let reserved = volume.spec.as_ref().is_some_and(|spec| spec.claim_ref.is_some());
        if !reserved {
            match storage::check_satisfies(&volume, claim) {
                Ok(()) => bind(w, &volume, claim),
                Err(why) => {
                    let text = format!("Cannot bind to requested volume \"{wanted}\": {why}");
                    say(w, claim, "Warning", "VolumeMismatch", text);
                    set_claim_phase(w, claim, "Pending", None);
                }
            }
        } else if storage::is_bound_to(&volume, claim) {
            bind(w, &volume, claim);
        } else {
            let text = format!("volume \"{wanted}\" already bound to a different claim.");
            say(w, claim, "Warning", "FailedBinding", text);
            set_claim_phase(w, claim, "Pending", None);
        }
    }

    fn sync_volume(&mut self, w: &mut World, key: &Key) {
        let Some(Object::PersistentVolume(volume)) = object(w, key) else {
            return;
        };
        let reference = volume.spec.as_ref().and_then(|spec| spec.claim_ref.clone());
        let Some(reference) = reference.filter(|reference| !reference.uid.as_deref().unwrap_or_default().is_empty())
        else {
            set_volume_phase(w, &volume, "Available");
            // A new volume may be what somebody waits for.
            for key in waiting(w) {
                if key.kind == Kind::PersistentVolumeClaim {
                    self.queue.add(w, key);
                }
            }
            return;
        };
        let namespace = reference.namespace.as_deref().unwrap_or_default();
        let name = reference.name.as_deref().unwrap_or_default();
        let claim = storage::claim(w, namespace, name).filter(|claim| claim.metadata.uid == reference.uid);
        match claim.map(|claim| storage::volume_name(claim).to_owned()) {
            None => reclaim(w, &volume),
            // The claim's own turn completes the binding.
            Some(bound) if bound.is_empty() => {
                self.queue
                    .add(w, Key::new(Kind::PersistentVolumeClaim, namespace, name));
            }
            Some(bound) if bound == *key.name => set_volume_phase(w, &volume, "Bound"),
            Some(_) if is_dynamic(&volume) => reclaim(w, &volume),
            Some(_) => unbind(w, &volume),
        }
    }
}

fn refers_to(volume: &core::PersistentVolume, key: &Key) -> bool {
    let reference = volume.spec.as_ref().and_then(|spec| spec.claim_ref.as_ref());
    reference.is_some_and(|reference| {
        reference.namespace.as_deref() == Some(&*key.namespace) && reference.name.as_deref() == Some(&*key.name)
    })
}

/// The claims for which something holds.
fn claims(w: &World, holds: impl Fn(&core::PersistentVolumeClaim) -> bool) -> Vec<Key> {
    w.store
        .list(Kind::PersistentVolumeClaim, None)
        .filter(|stored| matches!(&stored.object, Object::PersistentVolumeClaim(claim) if holds(claim)))
        .map(|stored| stored.object.key())
        .collect()
}

/// What a later look may bring on: claims without a volume.
fn waiting(w: &World) -> Vec<Key> {
    claims(w, |claim| {
        let phase = claim.status.as_ref().and_then(|status| status.phase.as_deref());
        phase.is_none_or(|phase| phase == "Pending")
    })
}

/// Whether the volume was made for a claim and goes with it.
fn is_dynamic(volume: &core::PersistentVolume) -> bool {
    let policy = volume
        .spec
        .as_ref()
        .and_then(|spec| spec.persistent_volume_reclaim_policy.as_deref());
    storage::annotation(&volume.metadata, storage::ANN_PROVISIONED_BY).is_some() && policy == Some("Delete")
}

/// A claim that was made before there was a default class gets it now (`assignDefaultStorageClass`).
fn assign_default_class(w: &mut World, mut claim: core::PersistentVolumeClaim) -> core::PersistentVolumeClaim {
    let named = claim
        .spec
        .as_ref()
        .is_some_and(|spec| spec.storage_class_name.is_some());
    let pending = storage::volume_name(&claim).is_empty();
    if named || !pending || !storage::class_of_claim(&claim).is_empty() {
        return claim;
    }
    let default = storage::default_class(w).and_then(|class| class.metadata.name.clone());
    if let Some(default) = default {
        claim.spec.get_or_insert_default().storage_class_name = Some(default);
        w.update(claim.clone().into());
    }
    claim
}

/// `emitEventForUnboundDelayBindingClaim`
fn wait_for_consumer(w: &mut World, claim: &core::PersistentVolumeClaim) {
    let namespace = claim.metadata.namespace.as_deref().unwrap_or_default();
    let own = claim.metadata.name.clone().unwrap_or_default();
    let pods: Vec<&str> = w
        .store
        .list(Kind::Pod, Some(namespace))
        .filter_map(|stored| stored.object.as_pod())
        .filter(|pod| {
            let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
            node.unwrap_or_default().is_empty() && storage::claims_of(pod).any(|name| name == own)
        })
        .filter_map(|pod| pod.metadata.name.as_deref())
        .collect();
    let (reason, text) = match pods.as_slice() {
        [] => (
            "WaitForFirstConsumer",
            "waiting for first consumer to be created before binding".to_owned(),
        ),
        [pod] => ("WaitForPodScheduled", format!("waiting for pod {pod} to be scheduled")),
        pods => (
            "WaitForPodScheduled",
            format!("waiting for pods {} to be scheduled", pods.join(",")),
        ),
    };
    say(w, claim, "Normal", reason, text);
}

fn sync_bound_claim(w: &mut World, claim: &core::PersistentVolumeClaim) {
    let name = storage::volume_name(claim);
    let lost = |w: &mut World, reason: &str, text: &str| {
        let phase = claim.status.as_ref().and_then(|status| status.phase.as_deref());
        if phase != Some("Lost") {
            set_claim_phase(w, claim, "Lost", None);
            say(w, claim, "Warning", reason, text.to_owned());
        }
    };
    if name.is_empty() {
        let text = "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!";
        return lost(w, "ClaimLost", text);
    }
    let Some(volume) = storage::volume(w, name).cloned() else {
        let text = "Bound claim has lost its PersistentVolume. Data on the volume is lost!";
        return lost(w, "ClaimLost", text);
    };
    let reference = volume.spec.as_ref().and_then(|spec| spec.claim_ref.as_ref());
    if reference.is_none_or(|reference| reference.uid == claim.metadata.uid) {
        bind(w, &volume, claim);
    } else {
        let text = "Two claims are bound to the same volume, this one is bound incorrectly";
        lost(w, "ClaimMisbound", text);
    }
}

/// Binds a volume and a claim to each other, in four writes of which each is left out that changes nothing (`bind`).
fn bind(w: &mut World, volume: &core::PersistentVolume, claim: &core::PersistentVolumeClaim) {
    let mut bound = volume.clone();
    let spec = bound.spec.get_or_insert_default();
    let named_before = spec.claim_ref.is_some();
    let reference = spec.claim_ref.get_or_insert_default();
    reference.api_version = Some("v1".to_owned());
    reference.kind = Some("PersistentVolumeClaim".to_owned());
    reference.name.clone_from(&claim.metadata.name);
    reference.namespace.clone_from(&claim.metadata.namespace);
    if reference.uid != claim.metadata.uid {
        reference.uid.clone_from(&claim.metadata.uid);
        reference.resource_version.clone_from(&claim.metadata.resource_version);
    }
    if !named_before {
        annotate(&mut bound.metadata, ANN_BOUND_BY_CONTROLLER, "yes");
    }
    if bound != *volume {
        w.update(bound.clone().into());
    }
    set_volume_phase(w, &bound, "Bound");
    let mut owner = claim.clone();
    let name = volume.metadata.name.clone().unwrap_or_default();
    let named = storage::volume_name(claim) == name;
    owner.spec.get_or_insert_default().volume_name = Some(name.clone());
    if !named {
        annotate(&mut owner.metadata, ANN_BOUND_BY_CONTROLLER, "yes");
    }
    annotate(&mut owner.metadata, ANN_BIND_COMPLETED, "yes");
    if owner != *claim {
        let rule = "pkg/controller/volume/persistentvolume/pv_controller.go bind";
        let reference = reference_to(Kind::PersistentVolumeClaim, &claim.metadata);
        let record = w.decide(reference, None, rule, "volume.bound", &[("volume", &name)]);
        w.causes = vec![record];
        w.update(owner.clone().into());
    }
    set_claim_phase(w, &owner, "Bound", Some(&bound));
}

/// Frees a volume whose claim took another one (`unbindVolume`).
fn unbind(w: &mut World, volume: &core::PersistentVolume) {
    let mut free = volume.clone();
    let by_controller = storage::annotation(&free.metadata, ANN_BOUND_BY_CONTROLLER).is_some();
    let spec = free.spec.get_or_insert_default();
    if by_controller {
        spec.claim_ref = None;
        if let Some(annotations) = &mut free.metadata.annotations {
            annotations.remove(ANN_BOUND_BY_CONTROLLER);
        }
    } else if let Some(reference) = &mut spec.claim_ref {
        reference.uid = None;
    }
    w.update(free.clone().into());
    set_volume_phase(w, &free, "Available");
}

/// What becomes of a volume whose claim is gone (`reclaimVolume`).
fn reclaim(w: &mut World, volume: &core::PersistentVolume) {
    let phase = volume.status.as_ref().and_then(|status| status.phase.as_deref());
    if !matches!(phase, Some("Released" | "Failed")) {
        set_volume_phase(w, volume, "Released");
    }
    let policy = volume
        .spec
        .as_ref()
        .and_then(|spec| spec.persistent_volume_reclaim_policy.as_deref());
    let text = match policy {
        // The driver deletes what it made.
        Some("Delete") if storage::annotation(&volume.metadata, storage::ANN_PROVISIONED_BY).is_some() => {
            return provisioner::delete(w, volume);
        }
        Some("Delete") => "error getting deleter volume plugin for volume: no deletable volume plugin matched",
        Some("Recycle") => "no recyclable volume plugin matched",
        _ => return,
    };
    let Some(Object::PersistentVolume(mut failed)) =
        object(w, &volume_key(volume.metadata.name.as_deref().unwrap_or_default()))
    else {
        return;
    };
    let status = failed.status.get_or_insert_default();
    if status.phase.as_deref() != Some("Failed") {
        status.phase = Some("Failed".to_owned());
        status.message = Some(text.to_owned());
        let about = Object::from(failed);
        w.update(about.clone());
        emit(w, COMPONENT, &about, "Warning", "VolumeFailedDelete", text.to_owned());
    }
}

/// `updateVolumePhase`
fn set_volume_phase(w: &mut World, volume: &core::PersistentVolume, phase: &str) {
    let key = volume_key(volume.metadata.name.as_deref().unwrap_or_default());
    let Some(Object::PersistentVolume(mut newest)) = object(w, &key) else {
        return;
    };
    let now = w.time();
    let status = newest.status.get_or_insert_default();
    if status.phase.as_deref() == Some(phase) {
        return;
    }
    status.phase = Some(phase.to_owned());
    status.message = None;
    status.last_phase_transition_time = Some(now);
    w.update(newest.into());
}

/// `updateClaimStatus`
fn set_claim_phase(
    w: &mut World,
    claim: &core::PersistentVolumeClaim,
    phase: &str,
    volume: Option<&core::PersistentVolume>,
) {
    let key = Object::from(claim.clone()).key();
    let Some(Object::PersistentVolumeClaim(mut newest)) = object(w, &key) else {
        return;
    };
    let status = newest.status.get_or_insert_default();
    let changes = status.phase.as_deref() != Some(phase);
    match volume.and_then(|volume| volume.spec.as_ref()) {
        None => {
            status.access_modes = None;
            status.capacity = None;
        }
        Some(spec) => {
            status.access_modes.clone_from(&spec.access_modes);
            // What the file system really has may differ later.
            if changes {
                status.capacity.clone_from(&spec.capacity);
            }
        }
    }
    status.phase = Some(phase.to_owned());
    w.update(newest.into());
}

fn say(w: &mut World, claim: &core::PersistentVolumeClaim, kind: &str, reason: &str, text: String) {
    emit(w, COMPONENT, &claim.clone().into(), kind, reason, text);
}
