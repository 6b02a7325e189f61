//! VolumeBinding, as far as volumes are simulated: a pod waits until its claims are bound
//! (`pkg/scheduler/framework/plugins/volumebinding`).

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1 as core;

use super::volume_restrictions::claims;

/// The text that refuses the pod as a whole while a claim waits for its volume.
pub fn pre_filter(pod: &core::Pod, bound: &BTreeMap<String, bool>) -> Option<String> {
    claims(pod)
        .any(|claim| bound.get(&claim) == Some(&false))
        .then(|| "pod has unbound immediate PersistentVolumeClaims".to_owned())
}
