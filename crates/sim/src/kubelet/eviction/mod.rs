//! Node-pressure eviction (`pkg/kubelet/eviction`): when the node runs short of memory, disk or process numbers, the kubelet
//! says so in the node's conditions and ends pods, one at a time, until it has enough again.

mod limits;
mod manager;
mod memory;
mod oom;
pub mod rank;
mod reclaim;
mod starve;
pub mod threshold;
mod usage;

pub(super) use limits::is_limited;
pub(super) use manager::{EVICTED, Eviction, disruption};
pub(super) use usage::Usage;
