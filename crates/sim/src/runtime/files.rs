//! A tree of files in memory: a container's root file system, a volume.

/// A tree of files.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tree {}
