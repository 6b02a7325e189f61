//! VolumeRestrictions: a pod waits for the claims that it names (VolumeBinding waits for those that are made for it), and for
//! those that one pod alone may use
//! (`pkg/scheduler/framework/plugins/volumerestrictions`, whose PreFilter is the first to look claims up).

use super::volume_binding::PodStorage;
use crate::scheduler::framework::{Plugin, Rejection};

/// The text that refuses the pod as a whole, before any node is looked at.
pub fn pre_filter(storage: &PodStorage) -> Option<String> {
    storage
        .claims
        .iter()
        .find(|(name, claim)| claim.is_none() && !storage.generic.contains(name))
        .map(|(name, _)| format!("persistentvolumeclaim \"{name}\" not found"))
}

/// Refuses every node while another pod uses a `ReadWriteOncePod` claim of this one.
pub fn filter(storage: &PodStorage) -> Option<Rejection> {
    storage.taken_by.as_ref().map(|_| {
        Rejection::unschedulable(
            Plugin::VolumeRestrictions,
            "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another \
             pod",
        )
    })
}
