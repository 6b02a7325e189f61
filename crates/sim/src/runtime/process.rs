//! The processes of one container in virtual time.

/// A command that runs beside the main process (a probe, a hook, `kubectl exec`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExecId(pub u32);

/// All processes of one container.
#[derive(Clone, Debug)]
pub struct Processes {}
