//! How long things take that Kubernetes' rules do not fix: calibrated on traces recorded on a calm machine. The pairs are
//! ranges `[low, high)` from which each occurrence is drawn.

use crate::time::SimDuration;

const fn ms(millis: u64) -> SimDuration {
    SimDuration::from_millis(millis)
}

/// A write until those who watch are told.
pub const WATCH: SimDuration = ms(2);
/// A pod that is due until the scheduler looks at it.
pub const SCHEDULING_CYCLE: SimDuration = ms(1);
/// A node chosen for a pod until the API server has it.
pub const SCHEDULING: (SimDuration, SimDuration) = (ms(2), ms(6));
/// A status set in the kubelet until the API server has it.
pub const STATUS_WRITE: SimDuration = ms(4);
/// A probe worker that is woken until it looks at its container. It races with [`STATUS_KEPT`].
pub const PROBE_WAKE: SimDuration = SimDuration::from_micros(1000);
/// A sync that wakes the readiness probes until it has stored the status in which they find their container: one that looks
/// earlier finds none, and comes again only after its period. The recordings of a calm machine show about one in eight.
pub const STATUS_KEPT: (SimDuration, SimDuration) = (SimDuration::from_micros(100), SimDuration::from_micros(1130));
/// A sandbox asked for until it is ready.
pub const SANDBOX_START: (SimDuration, SimDuration) = (ms(390), ms(560));
/// A file written until the kubelet that watches its directory has read it.
pub const INOTIFY: SimDuration = ms(5);
/// A machine that nobody holds back any more, until it is off.
pub const POWER_OFF: (SimDuration, SimDuration) = (ms(500), ms(1500));
/// A container asked for until its process runs.
pub const CONTAINER_START: (SimDuration, SimDuration) = (ms(70), ms(170));
/// A process that runs until its program does something, such as listen on its port. It races with the sync that
/// [`RELIST_ON_DEMAND`] leads to: of the first probes that come so, the recordings of a calm machine show about one in six
/// that finds its port closed.
pub const PROGRAM_LOAD: (SimDuration, SimDuration) = (ms(2), ms(12));
/// A process that ended until the runtime says so.
pub const EXIT_SEEN: (SimDuration, SimDuration) = (ms(30), ms(80));
/// A sandbox stopped until it is gone.
pub const SANDBOX_STOP: (SimDuration, SimDuration) = (ms(60), ms(400));
/// A dead container that the kubelet wants to be rid of, until the runtime has forgotten it.
pub const CONTAINER_REMOVE: SimDuration = ms(30);
/// The relist that the kubelet asks for when a sync has done something.
pub const RELIST_ON_DEMAND: SimDuration = ms(10);
/// A request to the registry that fails.
pub const PULL_FAILURE: (SimDuration, SimDuration) = (ms(600), ms(900));
/// A small image that is resolved and found to be present, or pulled from a near registry.
pub const PULL_RESOLVE: (SimDuration, SimDuration) = (ms(300), ms(600));
/// A command that a probe or hook runs in a container, until it has begun.
pub const EXEC_START: (SimDuration, SimDuration) = (ms(40), ms(70));
/// Removing the volumes and the cgroup of a pod that has ended.
pub const TEARDOWN: (SimDuration, SimDuration) = (ms(80), ms(250));
/// A controller's reconciliation, from the watch event to its first write.
pub const RECONCILE: (SimDuration, SimDuration) = (ms(2), ms(8));
/// A disk asked for, or to be deleted, until the driver has done it.
pub const PROVISION: (SimDuration, SimDuration) = (ms(900), ms(2400));
/// A disk attached to a node or taken from it.
pub const ATTACH: (SimDuration, SimDuration) = (ms(400), ms(1500));
/// A disk that is mounted, once it is attached.
pub const MOUNT: (SimDuration, SimDuration) = (ms(100), ms(400));
/// A driver tries again what failed.
pub const DRIVER_RETRY: SimDuration = ms(5000);
/// One way through the pod network.
pub const NETWORK: SimDuration = SimDuration::from_micros(200);
/// kube-proxy's sync: until the kernel has the new rules.
pub const PROXY_SYNC: SimDuration = ms(30);
