//! The arithmetic of a rollout: how many pods too many and too few, and how a change of size is shared out
//! (`pkg/controller/deployment/util/deployment_util.go`).

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::controllers::int_or_percent::{Round, scaled};

/// How far a rollout may stray from the wanted number of pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fences {
    /// Pods wanted.
    pub desired: i32,
    /// Pods that may exist beyond those wanted.
    pub surge: i32,
    /// Pods that may be missing (`ResolveFenceposts`).
    pub unavailable: i32,
}

impl Fences {
    /// Resolves percentages: the surge is rounded up, what may be missing down, and when neither allows a step one pod may
    /// be missing.
    pub fn resolve(max_surge: Option<&IntOrString>, max_unavailable: Option<&IntOrString>, desired: i32) -> Self {
        let zero = IntOrString::Int(0);
        let surge = scaled(max_surge.unwrap_or(&zero), desired, Round::Up).unwrap_or(0);
        let mut unavailable = scaled(max_unavailable.unwrap_or(&zero), desired, Round::Down).unwrap_or(0);
        if surge == 0 && unavailable == 0 {
            unavailable = 1;
        }
        Self {
            desired,
            surge,
            unavailable,
        }
    }

    /// Fences of a rollout that allows nothing, as `Recreate` counts.
    pub fn none(desired: i32) -> Self {
        Self {
            desired,
            surge: 0,
            unavailable: 0,
        }
    }

    /// Pods that may be missing, never more than are wanted (`MaxUnavailable`).
    pub fn max_unavailable(&self) -> i32 {
        if self.desired == 0 {
            0
        } else {
            self.unavailable.min(self.desired)
        }
    }

    /// Pods that must stay available (`MinAvailable`).
    pub fn min_available(&self) -> i32 {
        self.desired - self.max_unavailable()
    }
}

/// The size of the new ReplicaSet: as much as the surge allows beside all others (`NewRSNewReplicas`). `total` counts the
/// pods wanted of all ReplicaSets, the new one's among them.
pub fn new_replicas(desired: i32, max_surge: i32, total: i32, new: i32) -> i32 {
    let most = desired + max_surge;
    if total >= most {
        new
    } else {
        new + (most - total).min(desired - new)
    }
}

/// How much of a change in size one ReplicaSet gets (`GetReplicaSetProportion`). `before` is the number of pods that was
/// allowed before, from the ReplicaSet's annotation or else the Deployment's status.
pub fn proportion(replicas: i32, fences: Fences, before: i32, to_add: i32, added: i32) -> i32 {
    if replicas == 0 || to_add == 0 || to_add == added {
        return 0;
    }
    let fraction = if fences.desired == 0 {
        -replicas
    } else if before == 0 {
        0
    } else {
        let scaled = f64::from(replicas) * f64::from(fences.desired + fences.surge) / f64::from(before);
        scaled.round() as i32 - replicas
    };
    let left = to_add - added;
    if to_add > 0 {
        fraction.min(left)
    } else {
        fraction.max(left)
    }
}

/// How many old pods may go: those beyond what must stay available, less what the new ReplicaSet still owes
/// (`reconcileOldReplicaSets`).
pub fn max_scaled_down(fences: Fences, total: i32, new_replicas: i32, new_available: i32) -> i32 {
    total - fences.min_available() - (new_replicas - new_available)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn percent(text: &str) -> IntOrString {
        IntOrString::String(text.to_owned())
    }

    #[test]
    fn a_quarter_of_ten_is_three_more_and_two_fewer() {
        let quarter = percent("25%");
        let fences = Fences::resolve(Some(&quarter), Some(&quarter), 10);
        assert_eq!(
            (fences.surge, fences.max_unavailable(), fences.min_available()),
            (3, 2, 8)
        );
        assert_eq!(new_replicas(10, fences.surge, 10, 0), 3);
        assert_eq!(max_scaled_down(fences, 13, 3, 0), 2);
    }

    #[test]
    fn one_replica_is_replaced_only_after_the_new_one_is_there() {
        let quarter = percent("25%");
        let fences = Fences::resolve(Some(&quarter), Some(&quarter), 1);
        assert_eq!((fences.surge, fences.max_unavailable()), (1, 0));
        assert_eq!(max_scaled_down(fences, 2, 1, 0), 0);
        assert_eq!(max_scaled_down(fences, 2, 1, 1), 1);
    }
}
