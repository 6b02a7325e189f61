//! The CSI driver that every cluster has: it makes a disk for a claim and deletes it with the volume
//! (`kubernetes-csi/external-provisioner`), and what the persistent volume controller asks of a driver
//! (`pv_controller.go provisionClaimOperationExternal`).

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{annotate, object};
use crate::cluster::Event;
use crate::controllers::ControllerEvent;
use crate::controllers::pods::emit;
use crate::latency;
use crate::objects::{Key, Kind, Object};
use crate::registry::DeleteOptions;
use crate::storage::{self, DRIVER};
use crate::world::{Controller, World};

/// The controller asks a driver for a claim's volume.
pub(super) fn ask(w: &mut World, component: &str, claim: &core::PersistentVolumeClaim) {
    let about = Object::from(claim.clone());
    let name = storage::class_of_claim(claim);
    let Some(provisioner) = storage::class(w, name).map(|class| class.provisioner.clone()) else {
        let text = format!("storageclass.storage.k8s.io \"{name}\" not found");
        return emit(w, component, &about, "Warning", "ProvisioningFailed", text);
    };
    if provisioner == storage::NO_PROVISIONER {
        let text = format!("no volume plugin matched name: {provisioner}");
        return emit(w, component, &about, "Warning", "ProvisioningFailed", text);
    }
    if provisioner != DRIVER {
        w.notice(&format!(
            "StorageClass {name}: no provisioner {provisioner} runs in this cluster; the one that does is {DRIVER}"
        ));
    }
    let mut asked = claim.clone();
    for name in [storage::ANN_BETA_STORAGE_PROVISIONER, storage::ANN_STORAGE_PROVISIONER] {
        annotate(&mut asked.metadata, name, &provisioner);
    }
    if asked != *claim {
        w.update(asked.into());
    }
    let text = format!(
        "Waiting for a volume to be created either by the external provisioner '{provisioner}' or manually by the system \
         administrator. If volume creation is delayed, please verify that the provisioner is running and correctly \
         registered."
    );
    emit(w, component, &about, "Normal", "ExternalProvisioning", text);
}

/// The driver.
#[derive(Clone, Default)]
pub struct Provisioner {
    /// Claims for which a disk is being made, and volumes whose disk is being deleted, by UID.
    working: BTreeMap<String, Key>,
}

impl Provisioner {
    /// Looks at a claim that may be meant for the driver (`shouldProvision`).
    pub(crate) fn on_notify(&mut self, w: &mut World, key: &Key) {
        let Some(Object::PersistentVolumeClaim(claim)) = object(w, key) else {
            return;
        };
        let uid = claim.metadata.uid.clone().unwrap_or_default();
        let asked = storage::annotation(&claim.metadata, storage::ANN_STORAGE_PROVISIONER) == Some(DRIVER);
        let delayed = storage::delays_binding(w, &claim).unwrap_or(false);
        let selected = storage::annotation(&claim.metadata, storage::ANN_SELECTED_NODE).is_some();
        if !asked
            || !storage::volume_name(&claim).is_empty()
            || claim.metadata.deletion_timestamp.is_some()
            || delayed && !selected
            || self.working.contains_key(&uid)
            || storage::volume(w, &format!("pvc-{uid}")).is_some()
        {
            return;
        }
        self.working.insert(uid, key.clone());
        let (namespace, name) = (&key.namespace, &key.name);
        let text = format!("External provisioner is provisioning volume for claim \"{namespace}/{name}\"");
        emit(w, DRIVER, &claim.into(), "Normal", "Provisioning", text);
        let span = w.latency(latency::PROVISION);
        let causes = w.causes.clone();
        let event = Event::Controller {
            controller: Controller::Provisioner,
            event: ControllerEvent::Reconcile { key: key.clone() },
            causes,
        };
        w.after(span, event);
    }

    /// A disk is made, or is to be deleted.
    pub(crate) fn on_event(&mut self, w: &mut World, event: ControllerEvent) {
        let ControllerEvent::Reconcile { key } = event else {
            return;
        };
        match object(w, &key) {
            Some(Object::PersistentVolumeClaim(claim)) => {
                self.working.remove(claim.metadata.uid.as_deref().unwrap_or_default());
                provisioned(w, &claim);
            }
            Some(Object::PersistentVolume(volume)) => deleted(w, &volume),
            // The claim is gone: nothing is made.
            _ => self.working.retain(|_, working| *working != key),
        }
    }
}

fn provisioned(w: &mut World, claim: &core::PersistentVolumeClaim) {
    let class = storage::class_of_claim(claim);
    let Some(class) = storage::class(w, class).cloned() else {
        return;
    };
    let name = format!("pvc-{}", claim.metadata.uid.as_deref().unwrap_or_default());
    let spec = claim.spec.clone().unwrap_or_default();
    let size = spec
        .resources
        .as_ref()
        .and_then(|resources| resources.requests.as_ref()?.get("storage"));
    let annotations = [
        (storage::ANN_PROVISIONED_BY, DRIVER),
        ("volume.kubernetes.io/provisioner-deletion-secret-name", ""),
        ("volume.kubernetes.io/provisioner-deletion-secret-namespace", ""),
    ];
    let volume = core::PersistentVolume {
        metadata: ObjectMeta {
            name: Some(name.clone()),
            annotations: Some(
                annotations
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .collect(),
            ),
            ..ObjectMeta::default()
        },
        spec: Some(core::PersistentVolumeSpec {
            access_modes: spec.access_modes.clone(),
            capacity: size.map(|size| BTreeMap::from([("storage".to_owned(), size.clone())])),
            claim_ref: Some(core::ObjectReference {
                api_version: Some("v1".to_owned()),
                kind: Some("PersistentVolumeClaim".to_owned()),
                name: claim.metadata.name.clone(),
                namespace: claim.metadata.namespace.clone(),
                uid: claim.metadata.uid.clone(),
                resource_version: claim.metadata.resource_version.clone(),
                ..core::ObjectReference::default()
            }),
            csi: Some(core::CSIPersistentVolumeSource {
                driver: DRIVER.to_owned(),
                volume_handle: name.clone(),
                fs_type: Some("ext4".to_owned()),
                ..core::CSIPersistentVolumeSource::default()
            }),
            persistent_volume_reclaim_policy: class.reclaim_policy.clone(),
            mount_options: class.mount_options.clone(),
            storage_class_name: class.metadata.name.clone(),
            volume_mode: spec.volume_mode.clone(),
            ..core::PersistentVolumeSpec::default()
        }),
        status: None,
    };
    let about = Object::from(claim.clone());
    match w.create(volume.into()) {
        Ok(_) => {
            let text = format!("Successfully provisioned volume {name}");
            emit(w, DRIVER, &about, "Normal", "ProvisioningSucceeded", text);
        }
        Err(status) => {
            let text = format!("failed to provision volume with StorageClass: {status}");
            emit(w, DRIVER, &about, "Warning", "ProvisioningFailed", text);
        }
    }
}

/// The driver is to delete the disk of a volume that was released.
pub(super) fn delete(w: &mut World, volume: &core::PersistentVolume) {
    if storage::annotation(&volume.metadata, storage::ANN_PROVISIONED_BY) != Some(DRIVER)
        || volume.metadata.deletion_timestamp.is_some()
    {
        return;
    }
    let span = w.latency(latency::PROVISION);
    let causes = w.causes.clone();
    let key = Key::new(
        Kind::PersistentVolume,
        "",
        volume.metadata.name.as_deref().unwrap_or_default(),
    );
    let event = Event::Controller {
        controller: Controller::Provisioner,
        event: ControllerEvent::Reconcile { key },
        causes,
    };
    w.after(span, event);
}

fn deleted(w: &mut World, volume: &core::PersistentVolume) {
    let phase = volume.status.as_ref().and_then(|status| status.phase.as_deref());
    if phase != Some("Released") || volume.metadata.deletion_timestamp.is_some() {
        return;
    }
    let name = volume.metadata.name.as_deref().unwrap_or_default();
    // A disk that is still attached is not deleted; it is tried again.
    if w.attachments.get(name).is_some_and(|nodes| !nodes.is_empty()) {
        let text = format!(
            "persistentvolume {name} is still attached to node {}",
            w.attachments
                .get(name)
                .and_then(|nodes| nodes.iter().next())
                .map_or("", |node| node)
        );
        emit(w, DRIVER, &volume.clone().into(), "Warning", "VolumeFailedDelete", text);
        let causes = w.causes.clone();
        let event = Event::Controller {
            controller: Controller::Provisioner,
            event: ControllerEvent::Reconcile {
                key: Key::new(Kind::PersistentVolume, "", name),
            },
            causes,
        };
        return w.after(latency::DRIVER_RETRY, event);
    }
    w.disks.remove(name);
    let _ = w.delete(&Key::new(Kind::PersistentVolume, "", name), &DeleteOptions::default());
}
