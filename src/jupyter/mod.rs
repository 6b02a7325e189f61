//! Peapod as a kernel of Jupyter: the messaging protocol 5.4 over sockets of its own, and the kernelspec that lets Jupyter
//! find it.
//!
//! - [`zmtp`] is the sockets, [`wire`] the messages in them, [`connection`] the file that says where and with which key;
//! - [`kernel`] answers the messages; cells are run by a [`crate::notebook::Session`] on a thread of its own, so that
//!   everything else is answered while a cell runs;
//! - [`spec`] installs, finds and removes kernelspecs.

pub mod connection;
mod history;
pub mod kernel;
pub mod spec;
pub mod wire;
pub mod zmtp;
