//! The kubelet of one node: pod workers, PLEG, the status manager, probes, images, termination.

pub mod actions;
pub mod admission;
pub mod backoff;
pub mod conditions;
pub mod config;
mod environment;
pub mod event;
pub mod eviction;
pub(crate) mod faults;
mod hooks;
mod images;
pub mod kill;
mod logs;
pub mod merge;
mod network;
pub(crate) mod node;
pub(crate) mod node_status;
mod payload;
mod persistent;
pub mod phase;
mod pleg;
pub mod probe_worker;
pub(crate) mod probes;
mod processes;
pub mod qos;
mod requests;
mod resize;
pub mod restart;
pub mod runtime_status;
mod start;
pub mod status;
pub mod statuses;
mod sync;
mod volumes;
pub(crate) mod worker;

pub use worker::{ExecPurpose, effective_grace};
