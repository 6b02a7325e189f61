//! The ephemeral volume controller: the claim of a generic `ephemeral` volume is made for its pod, owned by it, and goes with
//! it (`pkg/controller/volume/ephemeral`).

use crate::core;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::object;
use crate::controllers::pods::emit;
use crate::controllers::workqueue::{Outcome, Reconciler, WorkQueue};
use crate::objects::{Key, Kind, Object, controller_reference};
use crate::storage;
use crate::trace::Change;
use crate::world::{Controller, World};

/// As events name the controller.
const COMPONENT: &str = "ephemeral_volume";

/// The controller.
#[derive(Clone)]
pub struct EphemeralVolumes {
    pub(crate) queue: WorkQueue,
}

impl Default for EphemeralVolumes {
    fn default() -> Self {
        Self {
            queue: WorkQueue::new(Controller::EphemeralVolume),
        }
    }
}

/// Whether the controller looks at this change: a pod that needs claims, or a claim that is gone and may be needed.
pub(crate) fn watches(object: &Object, change: Change) -> bool {
    match object {
        Object::Pod(pod) => change != Change::Deleted && generic(pod).next().is_some(),
        Object::PersistentVolumeClaim(_) => change == Change::Deleted,
        _ => false,
    }
}

/// The generic ephemeral volumes of a pod.
fn generic(pod: &core::Pod) -> impl Iterator<Item = &core::Volume> {
    let volumes = pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
    volumes.filter(|volume| volume.ephemeral.is_some())
}

impl EphemeralVolumes {
    /// Adds a pod, or the pods for which a deleted claim is made again (`onPVCDelete`).
    pub(crate) fn on_notify(&mut self, w: &mut World, key: &Key) {
        if key.kind == Kind::Pod {
            return self.queue.add(w, key.clone());
        }
        let names = |pod: &core::Pod| {
            let name = pod.metadata.name.as_deref().unwrap_or_default();
            generic(pod).any(|volume| storage::claim_name(name, volume).as_deref() == Some(&key.name))
        };
        let pods: Vec<Key> = w
            .store
            .list(Kind::Pod, Some(&key.namespace))
            .filter(|stored| stored.object.as_pod().is_some_and(names))
            .map(|stored| stored.object.key())
            .collect();
        for pod in pods {
            self.queue.add(w, pod);
        }
    }
}

impl Reconciler for EphemeralVolumes {
    fn queue(&mut self) -> &mut WorkQueue {
        &mut self.queue
    }

    fn reconcile(&mut self, w: &mut World, key: &Key) -> Outcome {
        let Some(about) = object(w, key) else {
            return Outcome::Done;
        };
        let Some(pod) = about.as_pod().filter(|pod| pod.metadata.deletion_timestamp.is_none()) else {
            return Outcome::Done;
        };
        for volume in generic(pod) {
            if let Err(why) = claim_for(w, &about, pod, volume) {
                let text = format!("ephemeral volume {}: {why}", volume.name);
                emit(w, COMPONENT, &about, "Warning", "FailedBinding", text);
                return Outcome::Failed;
            }
        }
        Outcome::Done
    }
}

/// Makes the claim of a volume, unless it is there already (`handleVolume`).
fn claim_for(w: &mut World, about: &Object, pod: &core::Pod, volume: &core::Volume) -> Result<(), String> {
    let Some(name) = storage::claim_name(about.name(), volume) else {
        return Ok(());
    };
    if let Some(claim) = storage::claim(w, about.namespace(), &name) {
        return storage::is_made_for(pod, claim);
    }
    let source = volume.ephemeral.as_ref();
    let Some(template) = source.and_then(|source| source.volume_claim_template.clone()) else {
        return Ok(());
    };
    let meta = template.metadata.unwrap_or_default();
    let claim = core::PersistentVolumeClaim {
        metadata: ObjectMeta {
            name: Some(name.clone()),
            namespace: Some(about.namespace().to_owned()),
            labels: meta.labels,
            annotations: meta.annotations,
            owner_references: Some(vec![controller_reference(about)]),
            ..ObjectMeta::default()
        },
        spec: Some(template.spec),
        status: None,
    };
    let made = w.create(claim.into());
    made.map(|_| ())
        .map_err(|status| format!("create PVC {name}: {status}"))
}
