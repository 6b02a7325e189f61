//! How long a Job waits before it replaces a failed pod (`pkg/controller/job/backoff_utils.go`).

use crate::core;
use jiff::Timestamp;

use crate::controllers::pods::condition;
use crate::resources::is_sidecar;
use crate::time::SimDuration;

/// Wait after the first failure (`DefaultJobPodFailureBackOff`).
const DEFAULT_BACKOFF: u64 = 10;
/// Longest wait (`MaxJobPodFailureBackOff`).
const MAX_BACKOFF: u64 = 600;

/// Failures of a Job since its last success.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackoffRecord {
    /// How many.
    pub failures: i32,
    /// When the last one finished.
    pub last_failure: Option<Timestamp>,
}

impl BackoffRecord {
    /// Counts pods that finished since (`newBackoffRecord`): a success starts the count anew.
    pub fn after(self, mut succeeded: Vec<Timestamp>, mut failed: Vec<Timestamp>) -> Self {
        succeeded.sort_unstable();
        failed.sort_unstable();
        match (succeeded.last(), failed.last()) {
            (None, None) => self,
            (None, Some(last)) => Self {
                failures: self.failures + i32::try_from(failed.len()).unwrap_or(i32::MAX),
                last_failure: Some(*last),
            },
            (Some(_), None) => Self::default(),
            (Some(success), Some(last)) => {
                let later = failed.iter().filter(|failure| *failure > success).count();
                Self {
                    failures: i32::try_from(later).unwrap_or(i32::MAX),
                    last_failure: (later > 0).then_some(*last),
                }
            }
        }
    }

    /// What is left of the wait.
    pub fn remaining(&self, now: Timestamp) -> SimDuration {
        remaining(self.failures, self.last_failure, now)
    }
}

/// What is left of the wait after so many failures, the last of which finished then: 10 s, 20 s, 40 s … 10 minutes.
pub fn remaining(failures: i32, last_failure: Option<Timestamp>, now: Timestamp) -> SimDuration {
    let Some(last) = last_failure.filter(|_| failures > 0) else {
        return SimDuration::ZERO;
    };
    let doublings = u32::try_from(failures - 1).unwrap_or(0).min(16);
    let wait = SimDuration::from_secs((DEFAULT_BACKOFF << doublings).min(MAX_BACKOFF));
    let elapsed = now.duration_since(last).as_nanos();
    SimDuration(u64::try_from(i128::from(wait.0) - elapsed).unwrap_or(0))
}

/// When a pod finished, as well as can be told: its containers' end, or since when it is not ready, or when it was deleted
/// (`getFinishedTime`).
pub fn finished_at(pod: &core::Pod) -> Timestamp {
    from_containers(pod)
        .or_else(|| {
            let ready = condition(pod, "Ready").filter(|ready| ready.status == "False")?;
            ready.last_transition_time.as_ref().map(|time| time.0)
        })
        .or_else(|| {
            let deleted = pod.metadata.deletion_timestamp.as_ref()?.0;
            let grace = pod.metadata.deletion_grace_period_seconds.unwrap_or(0);
            deleted.checked_sub(jiff::SignedDuration::from_secs(grace)).ok()
        })
        .or_else(|| pod.metadata.creation_timestamp.as_ref().map(|time| time.0))
        .unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The latest end of a container; `None` when one has not ended.
fn from_containers(pod: &core::Pod) -> Option<Timestamp> {
    let status = pod.status.as_ref()?;
    let sidecar = |name: &str| {
        let inits = pod.spec.iter().flat_map(|spec| spec.init_containers.iter().flatten());
        inits
            .into_iter()
            .any(|container| container.name == name && is_sidecar(container))
    };
    let apps = status.container_statuses.iter().flatten();
    let sidecars = status
        .init_container_statuses
        .iter()
        .flatten()
        .filter(|status| sidecar(&status.name));
    let mut latest = None;
    for container in apps.chain(sidecars) {
        let finished = container.state.as_ref()?.terminated.as_ref()?.finished_at.as_ref()?.0;
        latest = latest.max(Some(finished));
    }
    latest
}
