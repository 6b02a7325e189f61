//! How fast replicas may come and go (`behavior` of an autoscaler).

use k8s_openapi::api::autoscaling::v2 as autoscaling;

use super::Memory;
use crate::time::{SimDuration, SimTime};

/// How long the highest recommendation counts before it goes down (`--horizontal-pod-autoscaler-downscale-stabilization`).
const DOWN_WINDOW: u64 = 300;

/// Replicas that were added, or taken away if below zero.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    pub at: SimTime,
    pub by: i32,
}

/// What kept the replicas from what was recommended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limited {
    No,
    Max,
    Min,
    Up,
    Down,
}

fn within(now: SimTime, at: SimTime, seconds: u64) -> bool {
    now.since(at) < SimDuration::from_secs(seconds)
}

fn window(rules: Option<&autoscaling::HPAScalingRules>, usual: u64) -> u64 {
    rules
        .and_then(|rules| rules.stabilization_window_seconds)
        .and_then(|seconds| u64::try_from(seconds).ok())
        .unwrap_or(usual)
}

/// `stabilizeRecommendationWithBehaviors`: of the recommendations of a while the most careful.
pub(super) fn stabilize(
    memory: &mut Memory,
    now: SimTime,
    current: i32,
    wanted: i32,
    behavior: Option<&autoscaling::HorizontalPodAutoscalerBehavior>,
) -> i32 {
    let up = window(behavior.and_then(|behavior| behavior.scale_up.as_ref()), 0);
    let down = window(behavior.and_then(|behavior| behavior.scale_down.as_ref()), DOWN_WINDOW);
    let (mut lowest, mut highest) = (wanted, wanted);
    for (at, recommended) in &memory.recommendations {
        if within(now, *at, up) {
            lowest = lowest.min(*recommended);
        }
        if within(now, *at, down) {
            highest = highest.max(*recommended);
        }
    }
    memory.recommendations.retain(|(at, _)| within(now, *at, up.max(down)));
    memory.recommendations.push((now, wanted));
    current.max(lowest).min(highest)
}

fn usual_up() -> Vec<autoscaling::HPAScalingPolicy> {
    vec![policy("Pods", 4), policy("Percent", 100)]
}

fn policy(kind: &str, value: i32) -> autoscaling::HPAScalingPolicy {
    autoscaling::HPAScalingPolicy {
        type_: kind.to_owned(),
        value,
        period_seconds: 15,
    }
}

fn policies(
    rules: Option<&autoscaling::HPAScalingRules>,
    usual: Vec<autoscaling::HPAScalingPolicy>,
) -> (Vec<autoscaling::HPAScalingPolicy>, String) {
    let given = rules
        .and_then(|rules| rules.policies.clone())
        .filter(|list| !list.is_empty());
    let select = rules.and_then(|rules| rules.select_policy.clone());
    (given.unwrap_or(usual), select.unwrap_or_else(|| "Max".to_owned()))
}

/// `convertDesiredReplicasWithBehaviorRate`
pub(super) fn limit(
    memory: &Memory,
    now: SimTime,
    current: i32,
    wanted: i32,
    (min, max): (i32, i32),
    behavior: Option<&autoscaling::HorizontalPodAutoscalerBehavior>,
) -> (i32, Limited) {
    // How many there were when a policy's period began.
    let at_start = |seconds: i32| {
        let recent = memory
            .changes
            .iter()
            .filter(|change| within(now, change.at, u64::try_from(seconds).unwrap_or(0)));
        current - recent.map(|change| change.by).sum::<i32>()
    };
    if wanted > current {
        let (policies, select) = policies(behavior.and_then(|behavior| behavior.scale_up.as_ref()), usual_up());
        let proposed = policies.iter().map(|policy| {
            let start = i64::from(at_start(policy.period_seconds));
            let value = i64::from(policy.value);
            if policy.type_ == "Pods" {
                start + value
            } else {
                (start * (100 + value) + 99).div_euclid(100)
            }
        });
        let allowed = match select.as_str() {
            "Disabled" => Some(i64::from(current)),
            "Min" => proposed.min(),
            _ => proposed.max(),
        };
        let allowed = i32::try_from(allowed.unwrap_or(i64::from(current)))
            .unwrap_or(i32::MAX)
            .max(current);
        return if max <= allowed {
            if wanted > max {
                (max, Limited::Max)
            } else {
                (wanted, Limited::No)
            }
        } else if wanted > allowed {
            (allowed, Limited::Up)
        } else {
            (wanted, Limited::No)
        };
    }
    if wanted < current {
        let (policies, select) = policies(
            behavior.and_then(|behavior| behavior.scale_down.as_ref()),
            vec![policy("Percent", 100)],
        );
        let proposed = policies.iter().map(|policy| {
            let start = i64::from(at_start(policy.period_seconds));
            let value = i64::from(policy.value);
            if policy.type_ == "Pods" {
                start - value
            } else {
                (start * (100 - value)).div_euclid(100)
            }
        });
        let allowed = match select.as_str() {
            "Disabled" => Some(i64::from(current)),
            "Min" => proposed.max(),
            _ => proposed.min(),
        };
        let allowed = i32::try_from(allowed.unwrap_or(i64::from(current)))
            .unwrap_or(0)
            .min(current);
        return if min >= allowed {
            if wanted < min {
                (min, Limited::Min)
            } else {
                (wanted, Limited::No)
            }
        } else if wanted < allowed {
            (allowed, Limited::Down)
        } else {
            (wanted, Limited::No)
        };
    }
    (wanted.clamp(min, max.max(min)), Limited::No)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicas_double_or_grow_by_four_at_most_and_shrink_after_five_minutes() {
        let mut memory = Memory::default();
        let at = |seconds| SimTime::ZERO + SimDuration::from_secs(seconds);
        assert_eq!(limit(&memory, at(0), 1, 20, (1, 30), None), (5, Limited::Up));
        assert_eq!(limit(&memory, at(0), 8, 20, (1, 30), None), (16, Limited::Up));
        assert_eq!(limit(&memory, at(0), 8, 20, (1, 10), None), (10, Limited::Max));
        memory.changes.push(Change { at: at(0), by: 4 });
        assert_eq!(limit(&memory, at(10), 5, 20, (1, 30), None), (5, Limited::Up));
        assert_eq!(stabilize(&mut memory, at(0), 5, 5, None), 5);
        assert_eq!(stabilize(&mut memory, at(100), 5, 2, None), 5);
        assert_eq!(stabilize(&mut memory, at(299), 5, 2, None), 5);
        assert_eq!(stabilize(&mut memory, at(301), 5, 2, None), 2);
        assert_eq!(limit(&memory, at(301), 5, 0, (1, 30), None), (1, Limited::Min));
    }
}
