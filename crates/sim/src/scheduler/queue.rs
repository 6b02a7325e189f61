//! The scheduling queue: pods that are due, pods that back off, pods that wait for the cluster to change
//! (`pkg/scheduler/backend/queue`).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::framework::Plugin;
use super::pod::PodInfo;
use crate::objects::Key;
use crate::time::{SimDuration, SimTime};
use crate::trace::RecordId;

/// First wait of a pod that could not be scheduled (`podInitialBackoffSeconds`).
const INITIAL_BACKOFF: SimDuration = SimDuration::from_secs(1);
/// Longest wait (`podMaxBackoffSeconds`).
const MAX_BACKOFF: SimDuration = SimDuration::from_secs(10);
/// A pod that waited this long for the cluster to change is tried again anyway
/// (`podMaxInUnschedulablePodsDuration`).
const MAX_UNSCHEDULABLE: SimDuration = SimDuration::from_secs(300);

/// Where a pod waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Active,
    Backoff(SimTime),
    Unschedulable,
    Gated,
}

/// A pod without a node.
#[derive(Clone, Debug)]
pub struct Queued {
    /// What counts of it.
    pub info: Arc<PodInfo>,
    /// Why it is in the queue.
    pub causes: Vec<RecordId>,
    /// Attempts that found no node.
    pub attempts: u32,
    /// The plugins that refused it last.
    pub rejectors: BTreeSet<Plugin>,
    since: SimTime,
    sequence: u64,
    place: Place,
}

/// Higher priority first, then who waits longer (`PrioritySort`).
type Rank = (Reverse<i32>, SimTime, u64);

impl Queued {
    fn rank(&self) -> Rank {
        (Reverse(self.info.priority), self.since, self.sequence)
    }
}

/// All pods without a node.
#[derive(Clone, Debug, Default)]
pub struct SchedulingQueue {
    pods: BTreeMap<Key, Queued>,
    active: BTreeMap<Rank, Key>,
    backoff: BTreeMap<(SimTime, Rank), Key>,
    unschedulable: BTreeSet<Key>,
    sequence: u64,
}

/// The wait after so many attempts: 1 s, 2 s, 4 s, 8 s, 10 s (`calculateBackoffDuration`).
fn backoff_duration(attempts: u32) -> SimDuration {
    let doubled = INITIAL_BACKOFF
        .0
        .saturating_mul(1 << attempts.saturating_sub(1).min(32));
    SimDuration(doubled.min(MAX_BACKOFF.0))
}

impl SchedulingQueue {
    /// What is known of a pod in the queue.
    pub fn get(&self, key: &Key) -> Option<&Queued> {
        self.pods.get(key)
    }

    /// Whether a pod could be taken out now; `impatient` as for [`SchedulingQueue::pop`].
    pub fn has_due(&self, impatient: bool) -> bool {
        !self.active.is_empty() || impatient && !self.backoff.is_empty()
    }

    /// When the first pod that backs off is due.
    pub fn backoff_ends(&self) -> Option<SimTime> {
        self.backoff.keys().next().map(|(until, _)| *until)
    }

    /// Whether some pod waits for the cluster to change.
    pub fn has_unschedulable(&self) -> bool {
        !self.unschedulable.is_empty()
    }

    fn take_from_place(&mut self, key: &Key) {
        let Some(queued) = self.pods.get(key) else { return };
        match queued.place {
            Place::Active => {
                self.active.remove(&queued.rank());
            }
            Place::Backoff(until) => {
                self.backoff.remove(&(until, queued.rank()));
            }
            Place::Unschedulable | Place::Gated => {
                self.unschedulable.remove(key);
            }
        }
    }

    fn put(&mut self, key: &Key, place: Place) {
        self.take_from_place(key);
        let Some(queued) = self.pods.get_mut(key) else { return };
        queued.place = place;
        match place {
            Place::Active => {
                self.active.insert(queued.rank(), key.clone());
            }
            Place::Backoff(until) => {
                self.backoff.insert((until, queued.rank()), key.clone());
            }
            Place::Unschedulable => {
                self.unschedulable.insert(key.clone());
            }
            Place::Gated => {}
        }
    }

    /// Adds a new pod; a gated one only waits for its gates to go.
    pub fn add(&mut self, now: SimTime, info: Arc<PodInfo>, gated: bool, causes: Vec<RecordId>) {
        self.sequence += 1;
        let key = info.key.clone();
        self.take_from_place(&key);
        let (since, sequence) = (now, self.sequence);
        let rejectors = BTreeSet::new();
        let queued = Queued {
            info,
            causes,
            attempts: 0,
            rejectors,
            since,
            sequence,
            place: Place::Gated,
        };
        self.pods.insert(key.clone(), queued);
        self.put(&key, if gated { Place::Gated } else { Place::Active });
    }

    /// Takes over a new state of a pod in the queue. A change of what scheduling depends on makes it due at once; one of
    /// status alone does nothing.
    pub fn update(&mut self, now: SimTime, info: Arc<PodInfo>, gated: bool, spec_changed: bool, causes: &[RecordId]) {
        let key = info.key.clone();
        self.take_from_place(&key);
        let Some(queued) = self.pods.get_mut(&key) else { return };
        queued.info = info;
        let place = match queued.place {
            _ if gated => Place::Gated,
            Place::Gated => {
                queued.since = now;
                queued.causes = causes.to_vec();
                Place::Active
            }
            Place::Unschedulable if spec_changed => {
                queued.causes = causes.to_vec();
                Place::Active
            }
            other => other,
        };
        self.put(&key, place);
    }

    /// Forgets a pod.
    pub fn remove(&mut self, key: &Key) -> Option<Queued> {
        self.take_from_place(key);
        self.pods.remove(key)
    }

    /// The next pod: of those that are due, or else, if the scheduler is `impatient` (`SchedulerPopFromBackoffQ`), the first of
    /// those that back off, which need not wait while the scheduler is idle.
    pub fn pop(&mut self, impatient: bool) -> Option<Queued> {
        let key = self
            .active
            .values()
            .next()
            .or_else(|| self.backoff.values().next().filter(|_| impatient))?
            .clone();
        self.remove(&key)
    }

    /// Puts a pod back that found no node: it waits until something happens that may help it
    /// (`AddUnschedulablePodIfNotPresent`).
    pub fn put_back(&mut self, now: SimTime, mut queued: Queued, rejectors: BTreeSet<Plugin>) {
        queued.attempts += 1;
        queued.since = now;
        queued.rejectors = rejectors;
        queued.place = Place::Unschedulable;
        let key = queued.info.key.clone();
        self.pods.insert(key.clone(), queued);
        self.put(&key, Place::Unschedulable);
    }

    /// Moves the waiting pods that `helps` says a change may help: to the active queue, or to back off first.
    /// `align` rounds an instant down to a whole second of the wall clock.
    pub fn move_where(
        &mut self,
        now: SimTime,
        causes: &[RecordId],
        align: impl Fn(SimTime) -> SimTime,
        mut helps: impl FnMut(&Queued) -> bool,
    ) {
        let moved: Vec<Key> = self
            .unschedulable
            .iter()
            .filter(|key| self.pods.get(*key).is_some_and(&mut helps))
            .cloned()
            .collect();
        for key in moved {
            let Some(queued) = self.pods.get_mut(&key) else {
                continue;
            };
            queued.causes = causes.to_vec();
            let until = align(queued.since + backoff_duration(queued.attempts));
            let place = if queued.attempts > 0 && until > now {
                Place::Backoff(until)
            } else {
                Place::Active
            };
            self.put(&key, place);
        }
    }

    /// Makes pods due whose back-off is over.
    pub fn flush_backoff(&mut self, now: SimTime) {
        while let Some(((until, _), key)) = self.backoff.first_key_value()
            && *until <= now
        {
            let key = key.clone();
            self.put(&key, Place::Active);
        }
    }

    /// Moves pods that have waited for five minutes, whatever happened
    /// (`flushUnschedulablePodsLeftover`).
    pub fn flush_leftover(&mut self, now: SimTime, causes: &[RecordId], align: impl Fn(SimTime) -> SimTime) {
        self.move_where(now, causes, align, |queued| now.since(queued.since) > MAX_UNSCHEDULABLE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core;

    fn pod(name: &str, priority: i32) -> Arc<PodInfo> {
        let mut pod = core::Pod::default();
        pod.metadata.name = Some(name.to_owned());
        let spec = core::PodSpec {
            priority: Some(priority),
            ..core::PodSpec::default()
        };
        pod.spec = Some(spec.into());
        Arc::new(PodInfo::new(&pod))
    }

    fn names(queue: &mut SchedulingQueue) -> Vec<String> {
        std::iter::from_fn(|| queue.pop(true))
            .map(|queued| queued.info.key.name.to_string())
            .collect()
    }

    #[test]
    fn back_off_doubles_up_to_ten_seconds() {
        let seconds: Vec<u64> = (1..=6).map(|attempts| backoff_duration(attempts).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 10, 10]);
    }

    #[test]
    fn priority_goes_before_waiting() {
        let mut queue = SchedulingQueue::default();
        for (at, name, priority) in [(1, "first", 0), (2, "second", 0), (3, "urgent", 5)] {
            queue.add(SimTime(at), pod(name, priority), false, Vec::new());
        }
        queue.add(SimTime(4), pod("gated", 9), true, Vec::new());
        assert_eq!(names(&mut queue), ["urgent", "first", "second"]);
    }

    #[test]
    fn a_pod_that_backs_off_is_taken_when_nothing_else_is_due() {
        let mut queue = SchedulingQueue::default();
        queue.add(SimTime(0), pod("a", 0), false, Vec::new());
        let queued = queue.pop(true).expect("a pod is due");
        queue.put_back(SimTime(0), queued, BTreeSet::from([Plugin::NodeResourcesFit]));
        assert!(!queue.has_due(true));
        queue.move_where(
            SimTime(1),
            &[],
            |at| at,
            |queued| queued.rejectors.contains(&Plugin::NodeResourcesFit),
        );
        assert!(queue.has_due(true));
        assert!(!queue.has_due(false));
        assert!(queue.pop(false).is_none());
        queue.add(SimTime(2), pod("b", 0), false, Vec::new());
        assert_eq!(names(&mut queue), ["b", "a"]);
    }
}
