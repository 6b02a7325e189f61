//! What changed from one release to another without a gate, as the sources of each release show it.

/// A change without a gate, of which some code asks (the compiler tells one that nothing asks for).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// `--node-monitor-grace-period` is 50 s instead of 40 s (kubernetes#126287).
    LongerNodeMonitorGrace,
    /// `node(s) had untolerated taint(s)` instead of `node(s) had untolerated taint {key: value}` (kubernetes#134740; also in later
    /// patches of 1.34, whose first patch is what is simulated).
    TaintReasonWithoutTaint,
    /// `NodeResourcesBalancedAllocation` scores how the balance changes, not the balance (kubernetes#135573).
    BalanceScoredByDifference,
    /// `NodeResourcesBalancedAllocation` has no opinion of pods without requests.
    BalanceSkipsBestEffort,
    /// A pod that waits for a back-off is looked at when the back-off ends, not after 10 s again (kubernetes#133066).
    RequeueAtBackOffEnd,
    /// `Container created` and `Container started`; before, the message had the container's name (kubernetes#134043).
    EventsWithoutContainerName,
    /// `Created container: app`; before, `Created container app`.
    CreatedEventWithColon,
    /// The event of a pull tells the size of the image.
    PulledEventWithSize,
    /// The event of a preempted pod names the uid of the pod that takes its place.
    PreemptedEventWithUid,
    /// The kubelet tells at once that a sandbox is up; before, the next sync did.
    SandboxAnnounced,
    /// Pods have `metadata.generation`.
    PodGeneration,
    /// A Job gets `FailureTarget` or `SuccessCriteriaMet` first, and `Failed` or `Complete` only when its pods have ended; before, only
    /// a failure by policy did. From then on with either gate of `JobManagedBy` and `JobPodReplacementPolicy`.
    JobDelaysTerminalCondition,
}

impl Change {
    /// Minor number of the first release that has it.
    pub(super) fn since(self) -> u8 {
        match self {
            Self::CreatedEventWithColon | Self::PreemptedEventWithUid => 29,
            Self::PulledEventWithSize => 30,
            Self::JobDelaysTerminalCondition => 31,
            Self::LongerNodeMonitorGrace => 32,
            Self::BalanceSkipsBestEffort | Self::PodGeneration => 33,
            Self::TaintReasonWithoutTaint | Self::RequeueAtBackOffEnd | Self::EventsWithoutContainerName => 35,
            Self::BalanceScoredByDifference | Self::SandboxAnnounced => 36,
        }
    }
}
