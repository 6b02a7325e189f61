//! Pods counted by who controls them and by their labels, kept up to date with every write: a controller that asks how many
//! of its pods are ready pays for the sets of labels among them, which are few, and not for the pods, which are many.

use crate::core;
use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::controllers::pods::{condition, is_active};
use crate::objects::{controller_of, is_terminal};

type Labels = BTreeMap<String, String>;

/// How many pods of one controller and one set of labels there are, by state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// All of them.
    pub pods: usize,
    /// Neither at their end nor being deleted.
    pub active: usize,
    /// Being deleted and not at their end.
    pub terminating: usize,
    /// Active and ready, by the instant since which they are.
    pub ready_since: BTreeMap<Option<Timestamp>, usize>,
}

/// What one pod counts as.
#[derive(Clone, Copy, PartialEq, Eq)]
struct State {
    active: bool,
    terminating: bool,
    ready: Option<Option<Timestamp>>,
}

impl State {
    fn of(pod: &core::Pod) -> Self {
        let active = is_active(pod);
        let ready = condition(pod, "Ready").filter(|ready| active && ready.status == "True");
        Self {
            active,
            terminating: pod.metadata.deletion_timestamp.is_some() && !is_terminal(pod),
            ready: ready.map(|ready| ready.last_transition_time.as_ref().map(|time| time.0)),
        }
    }
}

impl Tally {
    fn count(&mut self, state: State, present: bool) {
        let change = |count: &mut usize, holds: bool| {
            if holds {
                *count = if present { *count + 1 } else { count.saturating_sub(1) };
            }
        };
        change(&mut self.pods, true);
        change(&mut self.active, state.active);
        change(&mut self.terminating, state.terminating);
        if let Some(since) = state.ready {
            let count = self.ready_since.entry(since).or_default();
            change(count, true);
            if *count == 0 {
                self.ready_since.remove(&since);
            }
        }
    }
}

/// The tallies of all controllers.
#[derive(Clone, Debug, Default)]
pub struct Tallies {
    by_controller: BTreeMap<String, BTreeMap<Labels, Tally>>,
}

impl Tallies {
    /// The pods that the owner with that uid controls, by their labels.
    pub fn of<'a>(&'a self, uid: &str) -> impl Iterator<Item = (&'a Labels, &'a Tally)> + use<'a> {
        self.by_controller.get(uid).into_iter().flatten()
    }

    /// A pod has come, gone, or changed from one version to the next.
    pub(crate) fn change(&mut self, before: Option<&core::Pod>, after: Option<&core::Pod>) {
        if let (Some(before), Some(after)) = (before, after)
            && State::of(before) == State::of(after)
            && before.metadata.labels == after.metadata.labels
            && before.metadata.owner_references == after.metadata.owner_references
        {
            return;
        }
        for (pod, present) in [(before, false), (after, true)] {
            if let Some(pod) = pod
                && let Some(controller) = controller_of(&pod.metadata)
            {
                self.count(&controller.uid, pod, present);
            }
        }
    }

    fn count(&mut self, controller: &str, pod: &core::Pod, present: bool) {
        static NONE: Labels = Labels::new();
        let labels = pod.metadata.labels.as_ref().unwrap_or(&NONE);
        let state = State::of(pod);
        if let Some(groups) = self.by_controller.get_mut(controller)
            && let Some(tally) = groups.get_mut(labels)
        {
            tally.count(state, present);
            if tally.pods == 0 {
                groups.remove(labels);
                if groups.is_empty() {
                    self.by_controller.remove(controller);
                }
            }
            return;
        }
        if present {
            let groups = self.by_controller.entry(controller.to_owned()).or_default();
            groups.entry(labels.clone()).or_default().count(state, true);
        }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{OwnerReference, Time};

    use super::*;

    fn pod(app: &str, phase: &str, ready: Option<i64>) -> core::Pod {
        let mut pod = core::Pod::default();
        pod.metadata.labels = Some(BTreeMap::from([("app".to_owned(), app.to_owned())]));
        pod.metadata.owner_references = Some(vec![OwnerReference {
            uid: "set".to_owned(),
            controller: Some(true),
            ..OwnerReference::default()
        }]);
        let condition = ready.map(|since| core::PodCondition {
            type_: "Ready".to_owned(),
            status: "True".to_owned(),
            last_transition_time: Timestamp::from_second(since).ok().map(Time),
            ..core::PodCondition::default()
        });
        let status = core::PodStatus {
            phase: Some(phase.to_owned()),
            conditions: condition.map(|condition| vec![condition]),
            ..core::PodStatus::default()
        };
        pod.status = Some(status.into());
        pod
    }

    #[test]
    fn a_pod_counts_as_what_it_is_now() {
        let mut tallies = Tallies::default();
        let (pending, ready, failed) = (
            pod("a", "Pending", None),
            pod("a", "Running", Some(5)),
            pod("a", "Failed", None),
        );
        tallies.change(None, Some(&pending));
        tallies.change(None, Some(&ready));
        tallies.change(None, Some(&pod("b", "Running", None)));
        tallies.change(Some(&pending), Some(&failed));
        let seen: Vec<(&str, usize, usize, usize)> = tallies
            .of("set")
            .map(|(labels, tally)| {
                (
                    labels["app"].as_str(),
                    tally.pods,
                    tally.active,
                    tally.ready_since.len(),
                )
            })
            .collect();
        assert_eq!(seen, [("a", 2, 1, 1), ("b", 1, 1, 0)]);
    }

    #[test]
    fn nothing_is_left_of_pods_that_are_gone() {
        let mut tallies = Tallies::default();
        let mut leaving = pod("a", "Running", Some(1));
        tallies.change(None, Some(&leaving));
        let before = leaving.clone();
        leaving.metadata.deletion_timestamp = Timestamp::from_second(9).ok().map(Time);
        tallies.change(Some(&before), Some(&leaving));
        let counts: Vec<usize> = tallies.of("set").map(|(_, tally)| tally.terminating).collect();
        assert_eq!(counts, [1]);
        tallies.change(Some(&leaving), None);
        assert!(tallies.by_controller.is_empty());
    }
}
