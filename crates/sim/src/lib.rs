//! A Kubernetes cluster in virtual time: pure, deterministic, without I/O, threads or clocks.
//!
//! [`cluster::Cluster`] is a discrete-event machine. Each actor (API server, scheduler, one kubelet a node, each
//! controller, each container's processes) reacts to a watch notification or to a timer, reads the store, writes
//! through the API server path and sets timers. Every write and every decision is a [`trace::Record`] that names
//! its causes.

pub mod request;
pub mod time;
pub mod trace;
