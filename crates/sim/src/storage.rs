//! What claims, volumes and storage classes are to each other: the rules that the persistent volume controller, the scheduler
//! and the kubelet share (`component-helpers/storage/volume`, `pkg/apis/core/v1/helper`).

use crate::core;
use std::collections::BTreeMap;

use k8s_openapi::api::storage::v1 as storage;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::objects::{Kind, Object, selects};
use crate::resources::value;
use crate::scheduler::plugins::node_affinity::selector_matches;
use crate::world::World;

/// The CSI driver that runs in every cluster: disks of a network, attached to one node at a time.
pub(crate) const DRIVER: &str = "disk.csi.peapod";
/// The name of the default class, which the driver provisions.
pub(crate) const DEFAULT_CLASS: &str = "standard";
/// Marks the class that claims get which name none.
pub(crate) const ANN_DEFAULT_CLASS: &str = "storageclass.kubernetes.io/is-default-class";
/// Marks what the controller bound, so that it may take it apart again.
pub(crate) const ANN_BOUND_BY_CONTROLLER: &str = "pv.kubernetes.io/bound-by-controller";
/// Marks a claim whose binding is complete.
pub(crate) const ANN_BIND_COMPLETED: &str = "pv.kubernetes.io/bind-completed";
/// Who made a volume.
pub(crate) const ANN_PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";
/// The node that the scheduler chose for a claim that waits for its consumer.
pub(crate) const ANN_SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";
/// Who is to make a claim's volume.
pub(crate) const ANN_STORAGE_PROVISIONER: &str = "volume.kubernetes.io/storage-provisioner";
/// The same under its former name; both are written.
pub(crate) const ANN_BETA_STORAGE_PROVISIONER: &str = "volume.beta.kubernetes.io/storage-provisioner";
/// A claim's class under its former name.
const ANN_BETA_CLASS: &str = "volume.beta.kubernetes.io/storage-class";
/// The provisioner that makes nothing: its volumes are made by hand.
pub(crate) const NO_PROVISIONER: &str = "kubernetes.io/no-provisioner";

/// A claim by name.
pub(crate) fn claim<'a>(w: &'a World, namespace: &str, name: &str) -> Option<&'a core::PersistentVolumeClaim> {
    match &w.find(Kind::PersistentVolumeClaim, namespace, name)?.object {
        Object::PersistentVolumeClaim(claim) => Some(claim),
        _ => None,
    }
}

/// A volume by name.
pub(crate) fn volume<'a>(w: &'a World, name: &str) -> Option<&'a core::PersistentVolume> {
    match &w.find(Kind::PersistentVolume, "", name)?.object {
        Object::PersistentVolume(volume) => Some(volume),
        _ => None,
    }
}

/// A storage class by name.
pub(crate) fn class<'a>(w: &'a World, name: &str) -> Option<&'a storage::StorageClass> {
    match &w.find(Kind::StorageClass, "", name)?.object {
        Object::StorageClass(class) => Some(class),
        _ => None,
    }
}

/// All volumes, by name.
pub(crate) fn volumes(w: &World) -> impl Iterator<Item = &core::PersistentVolume> {
    w.store
        .list(Kind::PersistentVolume, None)
        .filter_map(|stored| match &stored.object {
            Object::PersistentVolume(volume) => Some(volume),
            _ => None,
        })
}

/// The class that a claim gets which names none: of several defaults the newest (`GetDefaultClass`).
pub(crate) fn default_class(w: &World) -> Option<&storage::StorageClass> {
    let classes = w
        .store
        .list(Kind::StorageClass, None)
        .filter_map(|stored| match &stored.object {
            Object::StorageClass(class) => Some(class),
            _ => None,
        });
    let defaults = classes.filter(|class| annotation(&class.metadata, ANN_DEFAULT_CLASS) == Some("true"));
    defaults.max_by(|one, other| {
        let born = |class: &storage::StorageClass| class.metadata.creation_timestamp.as_ref().map(|time| time.0);
        // Of the same age the first by name.
        born(one)
            .cmp(&born(other))
            .then_with(|| other.metadata.name.cmp(&one.metadata.name))
    })
}

/// An annotation of an object.
pub(crate) fn annotation<'a>(meta: &'a ObjectMeta, name: &str) -> Option<&'a str> {
    meta.annotations.as_ref()?.get(name).map(String::as_str)
}

/// The class that a claim names; empty for none (`GetPersistentVolumeClaimClass`).
pub(crate) fn class_of_claim(claim: &core::PersistentVolumeClaim) -> &str {
    annotation(&claim.metadata, ANN_BETA_CLASS)
        .or_else(|| claim.spec.as_ref()?.storage_class_name.as_deref())
        .unwrap_or_default()
}

/// The class that a volume belongs to; empty for none (`GetPersistentVolumeClass`).
pub(crate) fn class_of_volume(volume: &core::PersistentVolume) -> &str {
    annotation(&volume.metadata, ANN_BETA_CLASS)
        .or_else(|| volume.spec.as_ref()?.storage_class_name.as_deref())
        .unwrap_or_default()
}

/// The volume that a claim names; empty for none.
pub(crate) fn volume_name(claim: &core::PersistentVolumeClaim) -> &str {
    claim
        .spec
        .as_ref()
        .and_then(|spec| spec.volume_name.as_deref())
        .unwrap_or_default()
}

/// Whether a claim waits for the pod that uses it (`IsDelayBindingMode`).
///
/// # Errors
/// When its class does not exist.
pub(crate) fn delays_binding(w: &World, claim: &core::PersistentVolumeClaim) -> Result<bool, String> {
    let name = class_of_claim(claim);
    if name.is_empty() {
        return Ok(false);
    }
    // A class that does not exist is noticed when a volume is to be made.
    Ok(class(w, name).is_some_and(|class| class.volume_binding_mode.as_deref() == Some("WaitForFirstConsumer")))
}

/// Whether claim and volume have found each other for good (`isPVCFullyBound`).
pub(crate) fn is_fully_bound(claim: &core::PersistentVolumeClaim) -> bool {
    !volume_name(claim).is_empty() && annotation(&claim.metadata, ANN_BIND_COMPLETED).is_some()
}

/// Whether a volume is reserved for, or bound to, this claim (`IsVolumeBoundToClaim`).
pub(crate) fn is_bound_to(volume: &core::PersistentVolume, claim: &core::PersistentVolumeClaim) -> bool {
    let Some(reference) = volume.spec.as_ref().and_then(|spec| spec.claim_ref.as_ref()) else {
        return false;
    };
    let same_name = reference.name == claim.metadata.name && reference.namespace == claim.metadata.namespace;
    let uid = reference.uid.as_deref().unwrap_or_default();
    same_name && (uid.is_empty() || Some(uid) == claim.metadata.uid.as_deref())
}

/// What a claim asks for, in bytes.
pub(crate) fn requested(claim: &core::PersistentVolumeClaim) -> i128 {
    let requests = claim
        .spec
        .as_ref()
        .and_then(|spec| spec.resources.as_ref()?.requests.as_ref());
    requests.and_then(|requests| requests.get("storage")).map_or(0, value)
}

/// What a volume holds, in bytes.
pub(crate) fn capacity(volume: &core::PersistentVolume) -> i128 {
    let capacity = volume.spec.as_ref().and_then(|spec| spec.capacity.as_ref());
    capacity.and_then(|capacity| capacity.get("storage")).map_or(0, value)
}

fn mode(mode: Option<&String>) -> &str {
    mode.map_or("Filesystem", String::as_str)
}

fn same_mode(volume: &core::PersistentVolume, claim: &core::PersistentVolumeClaim) -> bool {
    let of_volume = mode(volume.spec.as_ref().and_then(|spec| spec.volume_mode.as_ref()));
    of_volume == mode(claim.spec.as_ref().and_then(|spec| spec.volume_mode.as_ref()))
}

/// The modes in which a volume can be mounted.
pub(crate) fn access_modes(volume: &core::PersistentVolume) -> &[String] {
    let modes = volume.spec.as_ref().and_then(|spec| spec.access_modes.as_deref());
    modes.unwrap_or_default()
}

/// Whether a volume offers all modes that a claim asks for (`CheckAccessModes`).
fn offers_modes(volume: &core::PersistentVolume, claim: &core::PersistentVolumeClaim) -> bool {
    let wanted = claim.spec.as_ref().and_then(|spec| spec.access_modes.as_deref());
    let offered = access_modes(volume);
    wanted.unwrap_or_default().iter().all(|mode| offered.contains(mode))
}

/// Whether the volume that a claim names by itself can serve it (`checkVolumeSatisfyClaim`).
///
/// # Errors
/// The controller's words for what does not match.
pub(crate) fn check_satisfies(
    volume: &core::PersistentVolume,
    claim: &core::PersistentVolumeClaim,
) -> Result<(), String> {
    if volume.metadata.deletion_timestamp.is_some() {
        let name = volume.metadata.name.as_deref().unwrap_or_default();
        return Err(format!("the volume is marked for deletion \"{name}\""));
    }
    let what = if capacity(volume) < requested(claim) {
        "requested PV is too small"
    } else if class_of_volume(volume) != class_of_claim(claim) {
        "storageClassName does not match"
    } else if !same_mode(volume, claim) {
        "incompatible volumeMode"
    } else if !offers_modes(volume, claim) {
        "incompatible accessMode"
    } else {
        return Ok(());
    };
    Err(what.to_owned())
}

/// Whether a volume can be used on a node with these labels (`CheckNodeAffinity`).
pub(crate) fn fits_node(volume: &core::PersistentVolume, node: &str, labels: &BTreeMap<String, String>) -> bool {
    let affinity = volume.spec.as_ref().and_then(|spec| spec.node_affinity.as_ref());
    match affinity.and_then(|affinity| affinity.required.as_ref()) {
        Some(required) => selector_matches(required, node, labels),
        None => true,
    }
}

/// The node for which the scheduler looks for a volume.
pub(crate) type OnNode<'a> = (&'a str, &'a BTreeMap<String, String>);

/// The volume that serves a claim best: one that is reserved for it, else the smallest that is large enough
/// (`FindMatchingVolume`; for the controller, which names no node, of those with the fewest access modes:
/// `persistentVolumeOrderedIndex.findByClaim`).
pub(crate) fn best_match<'a>(
    volumes: impl Iterator<Item = &'a core::PersistentVolume>,
    claim: &core::PersistentVolumeClaim,
    node: Option<OnNode<'_>>,
    taken: &[String],
    delay: bool,
) -> Option<&'a core::PersistentVolume> {
    let selector = claim.spec.as_ref().and_then(|spec| spec.selector.as_ref());
    let mut best: Option<&core::PersistentVolume> = None;
    for volume in volumes {
        let name = volume.metadata.name.as_deref().unwrap_or_default();
        let reserved = volume.spec.as_ref().is_some_and(|spec| spec.claim_ref.is_some());
        if taken.iter().any(|taken| taken == name)
            || reserved && !is_bound_to(volume, claim)
            || capacity(volume) < requested(claim)
            || !same_mode(volume, claim)
            || volume.metadata.deletion_timestamp.is_some()
            || !offers_modes(volume, claim)
        {
            continue;
        }
        let fits = node.is_none_or(|(name, labels)| fits_node(volume, name, labels));
        if reserved {
            return fits.then_some(volume);
        }
        let available = volume.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Available");
        let selected = selector.is_none_or(|selector| selects(selector, volume.metadata.labels.as_ref()));
        // What waits for its consumer is bound by the scheduler.
        if node.is_none() && delay
            || !available
            || !selected
            || class_of_volume(volume) != class_of_claim(claim)
            || !fits
        {
            continue;
        }
        let rank = |volume: &core::PersistentVolume| (access_modes(volume).len(), capacity(volume));
        if best.is_none_or(|best| rank(volume) < rank(best)) {
            best = Some(volume);
        }
    }
    best
}

/// The claim behind a volume of a pod: the one that it names, or the one that is made for it.
pub(crate) fn claim_name(pod: &str, volume: &core::Volume) -> Option<String> {
    let named = volume
        .persistent_volume_claim
        .as_ref()
        .map(|claim| claim.claim_name.clone());
    named.or_else(|| volume.ephemeral.as_ref().map(|_| format!("{pod}-{}", volume.name)))
}

/// Whether a claim was made for this pod, and does not only have the name (`VolumeIsForPod`).
///
/// # Errors
/// The sentence that says that it was not.
pub(crate) fn is_made_for(pod: &core::Pod, claim: &core::PersistentVolumeClaim) -> Result<(), String> {
    let mut owners = claim.metadata.owner_references.iter().flatten();
    let uid = pod.metadata.uid.as_deref();
    if owners.any(|owner| owner.controller == Some(true) && Some(owner.uid.as_str()) == uid) {
        return Ok(());
    }
    let place = |meta: &ObjectMeta| {
        let (namespace, name) = (meta.namespace.as_deref(), meta.name.as_deref());
        format!("{}/{}", namespace.unwrap_or_default(), name.unwrap_or_default())
    };
    let (claim, pod) = (place(&claim.metadata), place(&pod.metadata));
    Err(format!("PVC {claim} was not created for pod {pod} (pod is not owner)"))
}

/// The names of the claims that a pod uses, in the order of its volumes.
pub(crate) fn claims_of(pod: &core::Pod) -> impl Iterator<Item = String> {
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    pod.spec
        .iter()
        .flat_map(|spec| spec.volumes.iter().flatten())
        .filter_map(move |volume| claim_name(name, volume))
}

/// Whether a volume has to be attached to a node before it can be mounted there.
pub(crate) fn is_attachable(volume: &core::PersistentVolume) -> bool {
    let source = volume.spec.as_ref().and_then(|spec| spec.csi.as_ref());
    source.is_some_and(|csi| csi.driver == DRIVER)
}
