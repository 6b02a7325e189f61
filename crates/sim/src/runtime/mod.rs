//! The container runtime: images, container files, processes.

pub mod catalogue;
pub mod files;
pub mod host;
pub(crate) mod kernel;
pub mod namespaces;
pub mod process;
pub(crate) mod procfs;
pub mod reference;
pub mod solo;
pub(crate) mod syscalls;
pub(crate) mod vfs;
