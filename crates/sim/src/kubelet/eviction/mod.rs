//! Node-pressure eviction (`pkg/kubelet/eviction`): when the node runs short of memory, disk or process numbers, the kubelet
//! says so in the node's conditions and ends pods, one at a time, until it has enough again.

pub mod rank;
pub mod threshold;
