//! Exponential back-off of restarts and image pulls (`client-go/util/flowcontrol/backoff.go`).

use std::collections::BTreeMap;

use crate::time::{SimDuration, SimTime};

/// A table of back-off entries by key.
#[derive(Clone, Debug)]
pub struct Backoff {
    initial: SimDuration,
    max: SimDuration,
    entries: BTreeMap<String, Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    backoff: SimDuration,
    last_update: SimTime,
}

impl Backoff {
    /// A table whose waits begin at `initial` and double up to `max`.
    pub fn new(initial: SimDuration, max: SimDuration) -> Self {
        Self {
            initial,
            max,
            entries: BTreeMap::new(),
        }
    }

    /// Forgets all entries.
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// The present wait of `key`; zero if it has none.
    pub fn get(&self, key: &str) -> SimDuration {
        self.entries.get(key).map_or(SimDuration::ZERO, |entry| entry.backoff)
    }

    /// Whether a retry at `now`, after an event at `event`, has to wait still (`IsInBackOffSince`).
    pub fn is_in_backoff_since(&self, key: &str, event: SimTime, now: SimTime) -> bool {
        match self.entries.get(key) {
            Some(entry) if !self.expired(event, entry.last_update) => now.since(event) < entry.backoff,
            _ => false,
        }
    }

    /// The same, with the event being the entry's own last update (`IsInBackOffSinceUpdate`).
    pub fn is_in_backoff_since_update(&self, key: &str, now: SimTime) -> bool {
        match self.entries.get(key) {
            Some(entry) if !self.expired(now, entry.last_update) => now.since(entry.last_update) < entry.backoff,
            _ => false,
        }
    }

    /// Moves the entry of `key` on after an event at `event` (`Next`).
    pub fn next(&mut self, key: &str, event: SimTime, now: SimTime) {
        let expired = self
            .entries
            .get(key)
            .is_none_or(|entry| self.expired(event, entry.last_update));
        let (initial, max) = (self.initial, self.max);
        let entry = self.entries.entry(key.to_owned()).or_insert(Entry {
            backoff: initial,
            last_update: now,
        });
        entry.backoff = if expired {
            initial
        } else {
            SimDuration((entry.backoff.0 * 2).min(max.0))
        };
        entry.last_update = now;
    }

    /// When a retry of `key` is allowed after an event at `event`.
    pub fn expiry(&self, key: &str, event: SimTime) -> SimTime {
        event + self.get(key)
    }

    fn expired(&self, event: SimTime, last_update: SimTime) -> bool {
        event.since(last_update) > SimDuration(self.max.0 * 2)
    }
}
