//! The event queue. Events come out by time and, at one instant, in the order in which they went in: no tie ever depends
//! on a hash or an address.

use std::collections::BTreeMap;

use crate::time::SimTime;

/// Where an event stands: its instant, and its number among all that were ever added.
pub type Turn = (SimTime, u64);

/// Events by their turns.
#[derive(Clone, Debug)]
pub struct Queue<E> {
    events: BTreeMap<Turn, E>,
    added: u64,
}

impl<E> Default for Queue<E> {
    fn default() -> Self {
        Self {
            events: BTreeMap::new(),
            added: 0,
        }
    }
}

impl<E> Queue<E> {
    /// Adds an event.
    pub fn push(&mut self, at: SimTime, event: E) {
        self.added += 1;
        self.events.insert((at, self.added), event);
    }

    /// When the next event is due.
    pub fn next_at(&self) -> Option<SimTime> {
        self.events.first_key_value().map(|((at, _), _)| *at)
    }

    /// Takes the next event.
    pub fn pop(&mut self) -> Option<(SimTime, E)> {
        self.events.pop_first().map(|((at, _), event)| (at, event))
    }

    /// The event of a turn, while it is still to come.
    pub fn get(&self, turn: Turn) -> Option<&E> {
        self.events.get(&turn)
    }

    /// All events, the next first.
    pub fn iter(&self) -> impl Iterator<Item = (Turn, &E)> {
        self.events.iter().map(|(turn, event)| (*turn, event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_one_instant_keep_their_order() {
        let mut queue = Queue::default();
        for (at, name) in [(5, "c"), (1, "a"), (5, "d"), (1, "b")] {
            queue.push(SimTime(at), name);
        }
        let order: Vec<_> = std::iter::from_fn(|| queue.pop()).map(|(_, name)| name).collect();
        assert_eq!(order, ["a", "b", "c", "d"]);
    }
}
