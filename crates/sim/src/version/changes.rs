//! What changed from one release to another without a gate.

/// A change without a gate. The release is that in which the pull request was first published unless the comment says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// `--node-monitor-grace-period` is 50 s instead of 40 s (kubernetes#126287; the release by inference: it was merged after
    /// 1.31 had branched).
    LongerNodeMonitorGrace,
    /// `node(s) had untolerated taint(s)` instead of `node(s) had untolerated taint {key: value}` (kubernetes#134740; also in later
    /// patches of 1.34, whose first patch is what is simulated).
    TaintReasonWithoutTaint,
    /// `NodeResourcesBalancedAllocation` scores how the balance changes, not the balance (kubernetes#135573).
    BalanceScoredByChange,
    /// `NodeResourcesBalancedAllocation` has no opinion of pods without requests (release unverified).
    BalanceSkipsBestEffort,
    /// Objects in field errors are written as JSON, not as Go writes a value (seen in 1.36; release unverified).
    FieldErrorsInJson,
    /// A pod that waits for a back-off is looked at when the back-off ends, not every 10 s (kubernetes#133066).
    RequeueAtBackOffEnd,
    /// `Container created` and `Container started`; before, the message had the container's name (kubernetes#134043).
    EventsWithoutContainerName,
}

impl Change {
    /// Minor number of the first release that has it.
    pub(super) fn since(self) -> u8 {
        match self {
            Self::LongerNodeMonitorGrace => 32,
            Self::BalanceSkipsBestEffort => 33,
            Self::TaintReasonWithoutTaint | Self::RequeueAtBackOffEnd | Self::EventsWithoutContainerName => 35,
            Self::BalanceScoredByChange | Self::FieldErrorsInJson => 36,
        }
    }
}
