//! How fast the nodes of a zone get their NoExecute taints
//! (`pkg/controller/nodelifecycle/scheduler/rate_limited_queue.go`, `ComputeZoneState`).

use std::collections::{BTreeSet, VecDeque};

use crate::time::{SimDuration, SimTime};

/// How a zone is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZoneState {
    /// Not looked at yet.
    Initial,
    /// Most of its nodes are ready.
    Normal,
    /// More than half of them are not.
    PartialDisruption,
    /// None is ready.
    FullDisruption,
}

/// Share of nodes, in percent, that are not ready in a disrupted zone (`unhealthyZoneThreshold`).
const UNHEALTHY_PERCENT: usize = 55;
/// Zones with more nodes go on slowly when disrupted; smaller ones stop (`largeClusterSizeThreshold`).
const LARGE_ZONE: usize = 50;
/// Seconds from one tainted node to the next (`--node-eviction-rate` 0.1 a second).
const INTERVAL: SimDuration = SimDuration::from_secs(10);
/// The same in a large disrupted zone (`--secondary-node-eviction-rate` 0.01 a second).
const SLOW_INTERVAL: SimDuration = SimDuration::from_secs(100);

/// The state of a zone with so many ready and so many other nodes.
pub fn zone_state(ready: usize, not_ready: usize) -> ZoneState {
    if ready == 0 && not_ready > 0 {
        ZoneState::FullDisruption
    } else if not_ready > 2 && not_ready * 100 >= UNHEALTHY_PERCENT * (ready + not_ready) {
        ZoneState::PartialDisruption
    } else {
        ZoneState::Normal
    }
}

/// The nodes of one zone that wait for their taint, one at a time.
#[derive(Clone, Debug)]
pub struct Zone {
    /// How the zone is.
    pub state: ZoneState,
    waiting: VecDeque<String>,
    /// Nodes that wait or had their turn, until they are taken out.
    known: BTreeSet<String>,
    /// Time between turns; never when there is none.
    interval: Option<SimDuration>,
    /// When the next turn may be.
    next: SimTime,
}

impl Default for Zone {
    fn default() -> Self {
        Self {
            state: ZoneState::Initial,
            waiting: VecDeque::new(),
            known: BTreeSet::new(),
            interval: Some(INTERVAL),
            next: SimTime::ZERO,
        }
    }
}

impl Zone {
    /// Adds a node, once.
    pub fn add(&mut self, node: &str) {
        if self.known.insert(node.to_owned()) {
            self.waiting.push_back(node.to_owned());
        }
    }

    /// Takes a node out.
    pub fn remove(&mut self, node: &str) {
        if self.known.remove(node) {
            self.waiting.retain(|known| known != node);
        }
    }

    /// Sets the pace for a state (`setLimiterInZone`). A limiter that is in the middle of a wait hands it over.
    pub fn set_state(&mut self, now: SimTime, state: ZoneState, size: usize) {
        self.state = state;
        let interval = match state {
            ZoneState::PartialDisruption => (size > LARGE_ZONE).then_some(SLOW_INTERVAL),
            _ => Some(INTERVAL),
        };
        let waits = self.next > now;
        self.interval = interval;
        self.next = match interval {
            Some(interval) if waits => now + interval,
            _ => now,
        };
    }

    /// Stops all tainting.
    pub fn stop(&mut self) {
        self.state = ZoneState::FullDisruption;
        self.interval = None;
    }

    /// The next node whose turn it is.
    pub fn take(&mut self, now: SimTime) -> Option<String> {
        let interval = self.interval?;
        if self.waiting.is_empty() || self.next > now {
            return None;
        }
        self.next = now + interval;
        self.waiting.pop_front()
    }

    /// When it is somebody's turn.
    pub fn next_turn(&self, now: SimTime) -> Option<SimTime> {
        self.interval
            .filter(|_| !self.waiting.is_empty())
            .map(|_| self.next.max(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_of_three_nodes_are_no_disruption() {
        for (ready, not_ready, state) in [
            (3, 0, ZoneState::Normal),
            (1, 2, ZoneState::Normal),
            (2, 3, ZoneState::PartialDisruption),
            (0, 1, ZoneState::FullDisruption),
            (0, 0, ZoneState::Normal),
        ] {
            assert_eq!(zone_state(ready, not_ready), state, "{ready} ready, {not_ready} not");
        }
    }

    #[test]
    fn the_second_node_waits_ten_seconds() {
        let mut zone = Zone::default();
        zone.add("a");
        zone.add("b");
        let now = SimTime(5);
        assert_eq!(zone.take(now).as_deref(), Some("a"));
        assert_eq!(zone.take(now), None);
        assert_eq!(zone.next_turn(now), Some(now + INTERVAL));
        assert_eq!(zone.take(now + INTERVAL).as_deref(), Some("b"));
    }
}
