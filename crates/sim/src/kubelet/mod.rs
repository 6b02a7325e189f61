//! The kubelet of one node: pod workers, PLEG, the status manager, probes, images, termination.

pub mod actions;
pub mod backoff;
pub mod conditions;
pub mod event;
pub mod phase;
pub mod qos;
pub mod restart;
pub mod runtime_status;
pub mod statuses;
