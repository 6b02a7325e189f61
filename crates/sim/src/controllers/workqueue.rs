//! A controller's work queue (`client-go/util/workqueue`): one key is there once however often it is added, later adds may
//! wait, and a key that failed waits longer each time.

use std::collections::BTreeMap;

use super::ControllerEvent;
use crate::cluster::Event;
use crate::latency;
use crate::objects::Key;
use crate::time::{SimDuration, SimTime};
use crate::trace::RecordId;
use crate::world::{Controller, World};

/// First wait of a key that failed (`DefaultTypedControllerRateLimiter`).
const BASE_DELAY: SimDuration = SimDuration::from_millis(5);
/// Longest wait of a key that fails again and again.
const MAX_DELAY: SimDuration = SimDuration::from_secs(1000);
/// Causes that one item of work may name; more would say nothing new.
const MAX_CAUSES: usize = 8;

/// The keys that wait for one controller.
#[derive(Clone, Debug)]
pub struct WorkQueue {
    controller: Controller,
    ready: BTreeMap<Key, Vec<RecordId>>,
    waiting: BTreeMap<Key, SimTime>,
    failures: BTreeMap<Key, u32>,
    base_delay: SimDuration,
    max_delay: SimDuration,
}

impl WorkQueue {
    /// An empty queue with the usual waits.
    pub fn new(controller: Controller) -> Self {
        Self::with_delays(controller, BASE_DELAY, MAX_DELAY)
    }

    /// An empty queue whose failed keys wait from `base_delay` to `max_delay`.
    pub fn with_delays(controller: Controller, base_delay: SimDuration, max_delay: SimDuration) -> Self {
        Self {
            controller,
            ready: BTreeMap::new(),
            waiting: BTreeMap::new(),
            failures: BTreeMap::new(),
            base_delay,
            max_delay,
        }
    }

    /// Adds a key that a worker takes as soon as one is free.
    pub fn add(&mut self, w: &mut World, key: Key) {
        match self.ready.get_mut(&key) {
            Some(causes) => {
                if causes.len() < MAX_CAUSES {
                    for cause in &w.causes {
                        if !causes.contains(cause) {
                            causes.push(*cause);
                        }
                    }
                }
            }
            None => {
                self.ready.insert(key.clone(), w.causes.clone());
                let span = w.latency(latency::RECONCILE);
                let event = ControllerEvent::Reconcile { key };
                w.after(
                    span,
                    Event::Controller {
                        controller: self.controller,
                        event,
                        causes: Vec::new(),
                    },
                );
            }
        }
    }

    /// Adds a key after a while; of two waits for one key the earlier counts.
    pub fn add_after(&mut self, w: &mut World, key: Key, span: SimDuration) {
        if span == SimDuration::ZERO {
            return self.add(w, key);
        }
        let at = w.now + span;
        if self.waiting.get(&key).is_some_and(|known| *known <= at) {
            return;
        }
        self.waiting.insert(key.clone(), at);
        let causes = w.causes.clone();
        w.schedule(
            at,
            Event::Controller {
                controller: self.controller,
                event: ControllerEvent::Wake { key },
                causes,
            },
        );
    }

    /// Adds a key that failed: 5 ms, 10 ms, 20 ms … later.
    pub fn add_rate_limited(&mut self, w: &mut World, key: Key) {
        let failures = self.failures.entry(key.clone()).or_default();
        let doubled = self.base_delay.0.saturating_mul(1 << (*failures).min(40));
        *failures += 1;
        self.add_after(w, key, SimDuration(doubled.min(self.max_delay.0)));
    }

    /// Forgets that a key failed.
    pub fn forget(&mut self, key: &Key) {
        self.failures.remove(key);
    }

    /// Drops a wait that has become pointless.
    pub fn cancel_wait(&mut self, key: &Key) {
        self.waiting.remove(key);
    }

    /// Whether a wait that ends then still means something.
    pub fn is_waiting(&self, key: &Key, at: SimTime) -> bool {
        self.waiting.get(key) == Some(&at)
    }

    /// A wait is over: the key is added, unless another wait took its place.
    pub fn wake(&mut self, w: &mut World, key: Key) {
        if self.waiting.get(&key).is_some_and(|at| *at <= w.now) {
            self.waiting.remove(&key);
            self.add(w, key);
        }
    }

    /// Takes a key out; what follows has the causes for which it was added.
    pub fn take(&mut self, w: &mut World, key: &Key) -> bool {
        match self.ready.remove(key) {
            Some(causes) => {
                w.causes = causes;
                true
            }
            None => false,
        }
    }
}

/// What came of looking at a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is as it should be: earlier failures are forgotten.
    Done,
    /// It failed, and is looked at again, later each time.
    Failed,
    /// When it is looked at again has been planned already, if at all.
    Planned,
}

impl<E> From<Result<(), E>> for Outcome {
    fn from(result: Result<(), E>) -> Self {
        if result.is_ok() { Self::Done } else { Self::Failed }
    }
}

/// A controller with one work queue: how it answers its timers is the same for all of them.
pub(crate) trait Reconciler {
    /// Its queue.
    fn queue(&mut self) -> &mut WorkQueue;

    /// Compares what should be with what is for one key.
    fn reconcile(&mut self, w: &mut World, key: &Key) -> Outcome;

    /// Reacts to a timer.
    fn on_event(&mut self, w: &mut World, event: ControllerEvent) {
        match event {
            ControllerEvent::Reconcile { key } => {
                if self.queue().take(w, &key) {
                    match self.reconcile(w, &key) {
                        Outcome::Done => self.queue().forget(&key),
                        Outcome::Failed => self.queue().add_rate_limited(w, key),
                        Outcome::Planned => {}
                    }
                }
            }
            ControllerEvent::Wake { key } => self.queue().wake(w, key),
            ControllerEvent::Tick | ControllerEvent::Round => {}
        }
    }
}
