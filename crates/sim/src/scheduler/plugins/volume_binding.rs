//! VolumeBinding: a pod waits until its claims are bound; those that wait for their consumer get a volume that the node can
//! use, or one that is made for it (`pkg/scheduler/framework/plugins/volumebinding`).

use crate::core;
use std::collections::BTreeMap;

use k8s_openapi::api::storage::v1 as storage_api;

use crate::scheduler::cache::NodeInfo;
use crate::scheduler::framework::{Plugin, Rejection};
use crate::storage;
use crate::world::World;

/// What the plugin looks up for a pod that uses claims.
#[derive(Clone, Debug, Default)]
pub struct PodStorage {
    /// The names of the pod's claims, in the order of its volumes, and those that exist.
    pub claims: Vec<(String, Option<Claim>)>,
    /// Names of `claims` that are made for the pod's own generic ephemeral volumes.
    pub generic: Vec<String>,
    /// Why a claim that has the name of one of those cannot be used.
    pub foreign: Option<String>,
    /// All volumes.
    pub volumes: Vec<core::PersistentVolume>,
    /// Volumes that pods which are about to be bound were promised.
    pub promised: Vec<String>,
    /// The pod that uses a `ReadWriteOncePod` claim of this pod already.
    pub taken_by: Option<String>,
}

/// A claim of the pod.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The claim.
    pub object: core::PersistentVolumeClaim,
    /// Its class.
    pub class: Option<storage_api::StorageClass>,
    /// Whether it waits for its consumer.
    pub delayed: bool,
}

/// What is to be done with a pod's claims when it gets a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// Claims and the volumes that they get.
    pub bind: Vec<(String, String)>,
    /// Claims for which a volume is made.
    pub provision: Vec<String>,
}

impl Decision {
    /// Whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.bind.is_empty() && self.provision.is_empty()
    }
}

impl PodStorage {
    /// What there is for a pod.
    pub fn new(w: &World, pod: &core::Pod, promised: Vec<String>) -> Self {
        let namespace = pod.metadata.namespace.as_deref().unwrap_or("default");
        let names: Vec<String> = storage::claims_of(pod).collect();
        if names.is_empty() {
            return Self::default();
        }
        let volumes = pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
        let own = pod.metadata.name.as_deref().unwrap_or_default();
        let generic: Vec<String> = volumes
            .filter(|volume| volume.ephemeral.is_some())
            .filter_map(|volume| storage::claim_name(own, volume))
            .collect();
        let claims: Vec<(String, Option<Claim>)> = names
            .into_iter()
            .map(|name| {
                let claim = storage::claim(w, namespace, &name).map(|claim| Claim {
                    class: storage::class(w, storage::class_of_claim(claim)).cloned(),
                    delayed: storage::delays_binding(w, claim).unwrap_or(false),
                    object: claim.clone(),
                });
                (name, claim)
            })
            .collect();
        let taken_by = taken_by(w, pod, &claims);
        let foreign = generic.iter().find_map(|name| {
            let claim = storage::claim(w, namespace, name)?;
            storage::is_made_for(pod, claim).err()
        });
        Self {
            claims,
            generic,
            foreign,
            volumes: storage::volumes(w).cloned().collect(),
            promised,
            taken_by,
        }
    }

    fn existing(&self) -> impl Iterator<Item = (&str, &Claim)> {
        self.claims
            .iter()
            .filter_map(|(name, claim)| Some((name.as_str(), claim.as_ref()?)))
    }
}

/// Another pod that uses one of the claims which only one pod may use.
fn taken_by(w: &World, pod: &core::Pod, claims: &[(String, Option<Claim>)]) -> Option<String> {
    let exclusive: Vec<&str> = claims
        .iter()
        .filter(|(_, claim)| {
            let spec = claim.as_ref().and_then(|claim| claim.object.spec.as_ref());
            let modes = spec.and_then(|spec| spec.access_modes.as_deref());
            modes.unwrap_or_default().iter().any(|mode| mode == "ReadWriteOncePod")
        })
        .map(|(name, _)| name.as_str())
        .collect();
    if exclusive.is_empty() {
        return None;
    }
    let namespace = pod.metadata.namespace.as_deref();
    w.store
        .list(crate::objects::Kind::Pod, namespace)
        .filter_map(|stored| stored.object.as_pod())
        .find(|other| {
            let node = other.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
            other.metadata.uid != pod.metadata.uid
                && !node.unwrap_or_default().is_empty()
                && !crate::objects::is_terminal(other)
                && storage::claims_of(other).any(|name| exclusive.contains(&name.as_str()))
        })
        .and_then(|other| other.metadata.name.clone())
}

/// The text that refuses the pod as a whole.
pub fn pre_filter(storage: &PodStorage) -> Option<String> {
    if let Some((name, _)) = storage.claims.iter().find(|(_, claim)| claim.is_none()) {
        return Some(format!(
            "waiting for ephemeral volume controller to create the persistentvolumeclaim \"{name}\""
        ));
    }
    for (name, claim) in storage.existing() {
        let status = claim.object.status.as_ref();
        if status.and_then(|status| status.phase.as_deref()) == Some("Lost") {
            let volume = storage::volume_name(&claim.object);
            return Some(format!(
                "persistentvolumeclaim \"{name}\" bound to non-existent persistentvolume \"{volume}\""
            ));
        }
        if claim.object.metadata.deletion_timestamp.is_some() {
            return Some(format!("persistentvolumeclaim \"{name}\" is being deleted"));
        }
    }
    if storage.foreign.is_some() {
        return storage.foreign.clone();
    }
    let waits = storage
        .existing()
        .any(|(_, claim)| !storage::is_fully_bound(&claim.object) && !claim.delayed);
    waits.then(|| "pod has unbound immediate PersistentVolumeClaims".to_owned())
}

/// Refuses a node on which the pod's volumes cannot be (`FindPodVolumes`).
pub fn filter(storage: &PodStorage, node: &NodeInfo) -> Option<Rejection> {
    let refuse = |reason| Some(Rejection::unresolvable(Plugin::VolumeBinding, reason));
    match decide(storage, &node.name, &node.labels) {
        Ok(_) => None,
        Err(reason) => refuse(reason),
    }
}

/// What is to be done with the claims so that the pod can run on a node.
///
/// # Errors
/// Why it cannot.
pub fn decide(storage: &PodStorage, node: &str, labels: &BTreeMap<String, String>) -> Result<Decision, &'static str> {
    let named = |name: &str| {
        storage
            .volumes
            .iter()
            .find(|volume| volume.metadata.name.as_deref() == Some(name))
    };
    let mut decision = Decision::default();
    let mut taken = storage.promised.clone();
    let mut open: Vec<(&str, &Claim)> = Vec::new();
    for (name, claim) in storage.existing() {
        if !storage::is_fully_bound(&claim.object) {
            open.push((name, claim));
            continue;
        }
        match named(storage::volume_name(&claim.object)) {
            None => return Err("node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)"),
            Some(volume) if !storage::fits_node(volume, node, labels) => {
                return Err("node(s) didn't match PersistentVolume's node affinity");
            }
            Some(_) => {}
        }
    }
    // The smallest first, so that they do not take what a large one needs.
    open.sort_by_key(|(_, claim)| storage::requested(&claim.object));
    for (name, claim) in open {
        let selected = storage::annotation(&claim.object.metadata, storage::ANN_SELECTED_NODE);
        if selected.is_some_and(|selected| selected != node) {
            return Err(BIND_CONFLICT);
        }
        let found = if selected.is_some() {
            None
        } else {
            storage::best_match(
                storage.volumes.iter(),
                &claim.object,
                Some((node, labels)),
                &taken,
                true,
            )
        };
        if let Some(volume) = found.and_then(|volume| volume.metadata.name.clone()) {
            taken.push(volume.clone());
            decision.bind.push((name.to_owned(), volume));
        } else if claim.class.as_ref().is_some_and(|class| makes_for(class, labels)) {
            decision.provision.push(name.to_owned());
        } else {
            return Err(BIND_CONFLICT);
        }
    }
    Ok(decision)
}

const BIND_CONFLICT: &str = "node(s) didn't find available persistent volumes to bind";

/// Whether a class makes volumes for a node with these labels (`checkVolumeProvisions`).
fn makes_for(class: &storage_api::StorageClass, labels: &BTreeMap<String, String>) -> bool {
    let topologies = class.allowed_topologies.as_deref().unwrap_or_default();
    let allowed = topologies.is_empty()
        || topologies.iter().any(|term| {
            let wanted = term.match_label_expressions.as_deref().unwrap_or_default();
            wanted.iter().all(|wanted| {
                labels
                    .get(&wanted.key)
                    .is_some_and(|value| wanted.values.contains(value))
            })
        });
    class.provisioner != storage::NO_PROVISIONER && allowed
}
