//! A Kubernetes cluster in virtual time: pure, deterministic, without I/O, threads or clocks.
//!
//! [`cluster::Cluster`] is a discrete-event machine. Each actor (API server, scheduler, one kubelet a node, each
//! controller, each container's processes) reacts to a watch notification or to a timer, reads the store, writes
//! through the API server path and sets timers. Every write and every decision is a [`trace::Record`] that names
//! its causes.

#![allow(
    clippy::result_large_err,
    reason = "a refusal carries its details, as the API server sends them; it is rare"
)]

pub mod apiserver;
pub mod cluster;
pub mod controllers;
pub mod core;
pub mod events;
pub mod fault;
pub mod kubelet;
pub mod latency;
mod lenient64;
pub mod manifest;
mod network;
pub mod objects;
pub mod quantity;
pub mod queue;
pub mod registry;
pub mod request;
pub mod resources;
pub mod rng;
pub mod runtime;
pub mod scheduler;
pub mod shell;
mod start;
mod storage;
pub mod store;
pub mod tally;
pub mod time;
pub mod trace;
pub mod version;
pub mod world;
