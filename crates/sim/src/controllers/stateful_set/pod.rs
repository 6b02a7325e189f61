//! The pods of a StatefulSet: their names, their claims, how they are created and deleted
//! (`pkg/controller/statefulset/{stateful_pod_control,stateful_set_utils}.go`).

use crate::core;
use k8s_openapi::api::apps::v1 as apps;

use super::COMPONENT;
use crate::controllers::pods::{self, available_at, emit, is_ready};
use crate::objects::{Key, Kind, Object, phase};
use crate::registry::DeleteOptions;
use crate::request::Status;
use crate::world::World;

/// The label with the name of the revision that a pod is of.
pub(super) const REVISION_LABEL: &str = "controller-revision-hash";
const POD_NAME_LABEL: &str = "statefulset.kubernetes.io/pod-name";
const POD_INDEX_LABEL: &str = "apps.kubernetes.io/pod-index";

pub(super) fn pod_name(pod: &core::Pod) -> &str {
    pod.metadata.name.as_deref().unwrap_or_default()
}

/// The number at the end of a pod's name, if the rest is the set's name.
pub(super) fn ordinal(set: &apps::StatefulSet, pod: &core::Pod) -> Option<i32> {
    let name = set.metadata.name.as_deref().unwrap_or_default();
    pod_name(pod).strip_prefix(name)?.strip_prefix('-')?.parse().ok()
}

pub(super) fn revision(pod: &core::Pod) -> &str {
    pod.metadata
        .labels
        .as_ref()
        .and_then(|labels| labels.get(REVISION_LABEL))
        .map(String::as_str)
        .unwrap_or_default()
}

pub(super) fn is_terminating(pod: &core::Pod) -> bool {
    pod.metadata.deletion_timestamp.is_some()
}

pub(super) fn is_running_and_ready(pod: &core::Pod) -> bool {
    phase(pod) == "Running" && is_ready(pod)
}

/// Whether a pod has been ready for long enough.
pub(super) fn is_available(w: &World, pod: &core::Pod, min_ready_seconds: i32) -> bool {
    available_at(w, pod, min_ready_seconds).is_some_and(|at| at <= w.now)
}

/// A new pod with that ordinal (`newStatefulSetPod`).
pub(super) fn new_pod(
    set: &apps::StatefulSet,
    template: &core::PodTemplateSpec,
    owner: &Object,
    ordinal: i32,
    revision: &str,
) -> core::Pod {
    let mut pod = pods::from_template(template, owner);
    let name = format!("{}-{ordinal}", owner.name());
    pod.metadata.generate_name = Some(format!("{}-", owner.name()));
    pod.metadata.name = Some(name.clone());
    let labels = pod.metadata.labels.get_or_insert_default();
    labels.insert(POD_NAME_LABEL.to_owned(), name.clone());
    labels.insert(POD_INDEX_LABEL.to_owned(), ordinal.to_string());
    labels.insert(REVISION_LABEL.to_owned(), revision.to_owned());
    let spec = pod.spec.get_or_insert_default();
    spec.hostname = Some(name.clone());
    spec.subdomain = set
        .spec
        .as_ref()
        .and_then(|spec| spec.service_name.clone())
        .filter(|name| !name.is_empty());
    for claim in claims(set) {
        let volume = claim.metadata.name.clone().unwrap_or_default();
        let volumes = spec.volumes.get_or_insert_default();
        volumes.retain(|own| own.name != volume);
        volumes.push(core::Volume {
            persistent_volume_claim: Some(core::PersistentVolumeClaimVolumeSource {
                claim_name: format!("{volume}-{name}"),
                read_only: None,
            }),
            name: volume,
            ..core::Volume::default()
        });
    }
    pod
}

fn claims(set: &apps::StatefulSet) -> &[core::PersistentVolumeClaim] {
    set.spec
        .as_ref()
        .and_then(|spec| spec.volume_claim_templates.as_deref())
        .unwrap_or_default()
}

/// Creates a pod's claims and then the pod, and says so (`CreateStatefulPod`).
pub(super) fn create(w: &mut World, set: &apps::StatefulSet, owner: &Object, pod: core::Pod) -> Result<(), Status> {
    let (name, set_name) = (pod_name(&pod).to_owned(), owner.name().to_owned());
    for template in claims(set) {
        let mut claim = template.clone();
        let claim_name = format!("{}-{name}", template.metadata.name.as_deref().unwrap_or_default());
        let key = Key::new(Kind::PersistentVolumeClaim, owner.namespace(), &claim_name);
        if w.get(&key).is_some() {
            continue;
        }
        claim.metadata.name = Some(claim_name.clone());
        claim.metadata.namespace = Some(owner.namespace().to_owned());
        let selector = set
            .spec
            .as_ref()
            .and_then(|spec| spec.selector.match_labels.clone())
            .unwrap_or_default();
        claim.metadata.labels.get_or_insert_default().extend(selector);
        w.create(claim.into())?;
        let text = format!("Create Claim {claim_name} Pod {name} in StatefulSet {set_name} success");
        emit(w, COMPONENT, owner, "Normal", "SuccessfulCreate", text);
    }
    match w.create(pod.into()) {
        Ok(_) => {
            let text = format!("Create Pod {name} in StatefulSet {set_name} successful");
            emit(w, COMPONENT, owner, "Normal", "SuccessfulCreate", text);
            Ok(())
        }
        Err(status) => {
            let text = format!("Create Pod {name} in StatefulSet {set_name} failed error: {status}");
            emit(w, COMPONENT, owner, "Warning", "FailedCreate", text);
            Err(status)
        }
    }
}

/// Deletes a pod and says so (`DeleteStatefulPod`).
pub(super) fn delete(w: &mut World, owner: &Object, pod: &core::Pod) -> Result<(), Status> {
    let (name, set_name) = (pod_name(pod).to_owned(), owner.name().to_owned());
    let key = Key::new(Kind::Pod, owner.namespace(), &name);
    match w.delete(&key, &DeleteOptions::default()) {
        Ok(_) => {
            let text = format!("Delete Pod {name} in StatefulSet {set_name} successful");
            emit(w, COMPONENT, owner, "Normal", "SuccessfulDelete", text);
            Ok(())
        }
        Err(status) => {
            let text = format!("Delete Pod {name} in StatefulSet {set_name} failed error: {status}");
            emit(w, COMPONENT, owner, "Warning", "FailedDelete", text);
            Err(status)
        }
    }
}
