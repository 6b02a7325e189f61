//! The vocabulary of the scheduling framework: plugins, and how a node is refused.

use std::borrow::Cow;
use std::fmt;

/// A plugin of the default profile that can refuse a node or give it a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Plugin {
    /// `NodeUnschedulable`
    NodeUnschedulable,
    /// `NodeName`
    NodeName,
    /// `TaintToleration`
    TaintToleration,
    /// `NodeAffinity`
    NodeAffinity,
    /// `NodePorts`
    NodePorts,
    /// `NodeResourcesFit`
    NodeResourcesFit,
    /// `VolumeBinding`
    VolumeBinding,
    /// `VolumeRestrictions`
    VolumeRestrictions,
    /// `PodTopologySpread`
    PodTopologySpread,
    /// `InterPodAffinity`
    InterPodAffinity,
    /// `NodeResourcesBalancedAllocation`
    NodeResourcesBalancedAllocation,
    /// `ImageLocality`
    ImageLocality,
}

impl fmt::Display for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The names of the variants are the names of the plugins.
        fmt::Debug::fmt(self, f)
    }
}

/// Whether removing pods could help a refused node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// Preemption may help.
    Unschedulable,
    /// Nothing that runs on the node is to blame.
    UnschedulableAndUnresolvable,
}

/// Why one node was refused; it stops at its first failing filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The filter.
    pub plugin: Plugin,
    /// Whether preemption may help.
    pub code: Code,
    /// Its reasons, as the message counts them.
    pub reasons: Vec<Cow<'static, str>>,
}

impl Rejection {
    /// A refusal that preemption may turn.
    pub fn unschedulable(plugin: Plugin, reason: &'static str) -> Self {
        Self {
            plugin,
            code: Code::Unschedulable,
            reasons: vec![Cow::Borrowed(reason)],
        }
    }

    /// A refusal that stands whatever is preempted.
    pub fn unresolvable(plugin: Plugin, reason: &'static str) -> Self {
        Self {
            plugin,
            code: Code::UnschedulableAndUnresolvable,
            reasons: vec![Cow::Borrowed(reason)],
        }
    }
}

/// The highest score that a plugin gives a node (`framework.MaxNodeScore`).
pub const MAX_NODE_SCORE: i64 = 100;

/// Scales scores so that the highest becomes 100; with `reverse` the highest becomes 0
/// (`plugins/helper/normalize_score.go DefaultNormalizeScore`).
pub fn normalize(scores: &mut [i64], reverse: bool) {
    let max = scores.iter().copied().max().unwrap_or(0);
    if max == 0 {
        if reverse {
            scores.fill(MAX_NODE_SCORE);
        }
        return;
    }
    for score in scores {
        *score = MAX_NODE_SCORE * *score / max;
        if reverse {
            *score = MAX_NODE_SCORE - *score;
        }
    }
}
