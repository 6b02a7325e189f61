//! The container runtime: images, container files, processes.

pub mod catalogue;
pub mod files;
pub mod host;
pub mod process;
