//! VolumeRestrictions, as far as volumes are simulated: a pod waits for the claims that it names
//! (`pkg/scheduler/framework/plugins/volumerestrictions`, whose PreFilter is the first to look claims up).

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1 as core;

/// The claims that the pod mounts, by name.
pub fn claims(pod: &core::Pod) -> impl Iterator<Item = String> {
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    pod.spec
        .iter()
        .flat_map(|spec| spec.volumes.iter().flatten())
        .filter_map(move |volume| {
            // A generic ephemeral volume's claim is named after the pod.
            let ephemeral = volume.ephemeral.as_ref().map(|_| format!("{name}-{}", volume.name));
            volume
                .persistent_volume_claim
                .as_ref()
                .map(|claim| claim.claim_name.clone())
                .or(ephemeral)
        })
}

/// The text that refuses the pod as a whole, before any node is looked at.
pub fn pre_filter(pod: &core::Pod, existing: &BTreeMap<String, bool>) -> Option<String> {
    claims(pod)
        .find(|claim| !existing.contains_key(claim))
        .map(|claim| format!("persistentvolumeclaim \"{claim}\" not found"))
}
