//! What a component does with its events before it writes them (`client-go/tools/record/events_cache.go`): similar ones are
//! combined, the same one again only raises a count, and who says too much about one object is cut off.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::objects::Key;
use crate::rng::Rng;
use crate::time::{SimDuration, SimTime};

/// Entries that each memory keeps; the one unused for longest goes (`maxLruCacheEntries`).
const MEMORY: usize = 4096;
/// Uses that a memory may hold beyond two for each of its entries before those are thrown away that count for nothing.
const SLACK: usize = 64;
/// From this many different messages on, events that differ by nothing else are combined (`defaultAggregateMaxEvents`).
const SIMILAR: usize = 10;
/// A pause after which messages are counted anew (`defaultAggregateIntervalInSeconds`).
const SIMILAR_WITHIN: SimDuration = SimDuration::from_secs(600);
/// Events of one type about one object that may come at once (`defaultSpamBurst`).
const BURST: u64 = 25;
/// The time until one more is let through (`defaultSpamQPS` = 1/300).
const REFILL: SimDuration = SimDuration::from_secs(300);
/// What stands before the message of combined events (`EventAggregatorByReasonMessageFunc`).
const COMBINED: &str = "(combined from similar events): ";

/// Memory of bounded size: the entry unused for longest is forgotten.
#[derive(Clone, Debug)]
struct Lru<T> {
    entries: Entries<T>,
    /// Uses, the oldest first; one that is not the last of its entry counts for nothing.
    uses: VecDeque<(u64, Arc<str>)>,
    clock: u64,
}

/// Looked up, never gone through.
type Entries<T> = HashMap<Arc<str>, Entry<T>, BuildHasherDefault<DefaultHasher>>;

#[derive(Clone, Debug)]
struct Entry<T> {
    /// Its key, which its uses share.
    key: Arc<str>,
    /// When it was used last.
    used: u64,
    value: T,
}

impl<T> Default for Lru<T> {
    fn default() -> Self {
        Self {
            entries: Entries::default(),
            uses: VecDeque::new(),
            clock: 0,
        }
    }
}

impl<T> Lru<T> {
    /// The entry of `key`, made by `new` if there is none.
    fn entry(&mut self, key: &str, new: impl FnOnce() -> T) -> &mut T {
        self.clock += 1;
        let used = self.clock;
        let key = match self.entries.get(key) {
            Some(entry) => Arc::clone(&entry.key),
            None => {
                self.make_room();
                Arc::from(key)
            }
        };
        if self.uses.len() > 2 * self.entries.len() + SLACK {
            let entries = &self.entries;
            self.uses.retain(|(used, key)| is_last_use(entries, key, *used));
        }
        self.uses.push_back((used, Arc::clone(&key)));
        let entry = self.entries.entry(key).or_insert_with_key(|key| Entry {
            key: Arc::clone(key),
            used,
            value: new(),
        });
        entry.used = used;
        &mut entry.value
    }

    /// Forgets what has been unused for longest if no more entries may be kept.
    fn make_room(&mut self) {
        while self.entries.len() >= MEMORY
            && let Some((used, key)) = self.uses.pop_front()
        {
            if is_last_use(&self.entries, &key, used) {
                self.entries.remove(&key);
            }
        }
    }
}

fn is_last_use<T>(entries: &Entries<T>, key: &str, used: u64) -> bool {
    entries.get(key).is_some_and(|entry| entry.used == used)
}

/// Messages of events that differ by nothing else.
#[derive(Clone, Debug)]
struct Similar {
    messages: BTreeSet<String>,
    last: SimTime,
}

/// An event that has been seen.
#[derive(Clone, Debug)]
struct Observed {
    /// How often, those that were not let through among them.
    count: i32,
    /// When first.
    first: Time,
    /// The Event object of its first occurrence.
    key: Key,
}

/// A token bucket.
#[derive(Clone, Debug)]
struct Budget {
    tokens: u64,
    refilled: SimTime,
}

/// What one component of one host remembers of its events.
#[derive(Clone, Debug, Default)]
pub(super) struct Correlator {
    similar: Lru<Similar>,
    observed: Lru<Observed>,
    budgets: Lru<Budget>,
}

/// What becomes of an event.
pub(super) struct Correlated {
    /// The Event object to write.
    pub key: Key,
    /// How often it has occurred.
    pub count: i32,
    /// When it occurred first.
    pub first: Time,
    /// Whether it is one of so many similar ones that they are combined.
    pub combined: bool,
    /// Whether nothing is written.
    pub skip: bool,
}

impl Correlated {
    /// The message to write for an event that says `message`.
    pub fn message(&self, message: &str) -> String {
        if self.combined {
            format!("{COMBINED}{message}")
        } else {
            message.to_owned()
        }
    }
}

impl Correlator {
    /// Takes in one more event (`EventCorrelator.EventCorrelate`). `time`: `now` as the API writes it; `new`: its Event object
    /// if it is the first of its kind.
    pub fn correlate(
        &mut self,
        rng: &mut Rng,
        now: SimTime,
        time: &Time,
        event: &super::NewEvent<'_>,
        new: impl FnOnce() -> Key,
    ) -> Correlated {
        let mut key = String::with_capacity(event.about.uid.len() + event.field_path.len() + event.message.len() + 64);
        key.push_str(&event.about.uid);
        key.push('\0');
        key.push_str(event.kind);
        let skip = !self.budget(&key, now);
        key.push('\0');
        key.push_str(event.reason);
        let combined = self.is_combined(rng, now, &key, &event.message);
        if !combined {
            key.push('\0');
            key.push_str(&event.field_path);
            key.push('\0');
            key.push_str(&event.message);
        }
        let observed = self.observed.entry(&key, || Observed {
            count: 0,
            first: time.clone(),
            key: new(),
        });
        observed.count = observed.count.saturating_add(1);
        Correlated {
            key: observed.key.clone(),
            count: observed.count,
            first: observed.first.clone(),
            combined,
            skip,
        }
    }

    /// Whether so many messages have come that they are combined (`EventAggregator.EventAggregate`).
    fn is_combined(&mut self, rng: &mut Rng, now: SimTime, key: &str, message: &str) -> bool {
        let similar = self.similar.entry(key, || Similar {
            messages: BTreeSet::new(),
            last: now,
        });
        if now.since(similar.last) > SIMILAR_WITHIN {
            similar.messages.clear();
        }
        similar.last = now;
        if !similar.messages.contains(message) {
            similar.messages.insert(message.to_owned());
        }
        if similar.messages.len() < SIMILAR {
            return false;
        }
        // Upstream takes out whichever the set gives first, which is any.
        let any = usize::try_from(rng.below(SIMILAR as u64)).unwrap_or(0);
        if let Some(message) = similar.messages.iter().nth(any).cloned() {
            similar.messages.remove(&message);
        }
        true
    }

    /// Takes a token (`EventSourceObjectSpamFilter.Filter`); `false` if there is none.
    fn budget(&mut self, key: &str, now: SimTime) -> bool {
        let budget = self.budgets.entry(key, || Budget {
            tokens: BURST,
            refilled: now,
        });
        let earned = now.since(budget.refilled).0 / REFILL.0;
        if budget.tokens + earned >= BURST {
            budget.tokens = BURST;
            budget.refilled = now;
        } else {
            budget.tokens += earned;
            budget.refilled += SimDuration(earned * REFILL.0);
        }
        let left = budget.tokens > 0;
        budget.tokens = budget.tokens.saturating_sub(1);
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::NewEvent;
    use crate::objects::Kind;
    use crate::trace::ObjectRef;

    /// Sends messages at seconds; says for each how often the event has occurred, its message, and whether it was written.
    fn sent(events: &[(u64, &str, String)]) -> Vec<(i32, String, bool)> {
        let (mut correlator, mut rng) = (Correlator::default(), Rng::new(1));
        let time = Time("2026-01-01T00:00:00Z".parse().expect("a time"));
        let about = Arc::new(ObjectRef {
            kind: "Pod".to_owned(),
            namespace: "default".to_owned(),
            name: "p".to_owned(),
            uid: "u".to_owned(),
        });
        let correlated = events.iter().map(|(at, kind, message)| {
            let event = NewEvent {
                about: about.clone(),
                field_path: String::new(),
                kind,
                reason: "R",
                message: message.clone(),
                component: "kubelet",
                host: Some("node-1"),
            };
            let new = Key::new(Kind::Event, "default", message);
            let now = SimTime::ZERO + SimDuration::from_secs(*at);
            let correlated = correlator.correlate(&mut rng, now, &time, &event, || new);
            (correlated.count, correlated.message(message), !correlated.skip)
        });
        correlated.collect()
    }

    #[test]
    fn a_burst_is_let_through_and_then_one_each_five_minutes_with_the_true_count() {
        let mut events: Vec<(u64, &str, String)> = (0..40).map(|at| (at, "Warning", "m".to_owned())).collect();
        events.extend([299, 301, 302, 601].map(|at| (at, "Warning", "m".to_owned())));
        events.push((602, "Normal", "m".to_owned()));
        let sent = sent(&events);
        let written: Vec<i32> = sent
            .iter()
            .filter(|(_, _, written)| *written)
            .map(|(count, _, _)| *count)
            .collect();
        let mut expected: Vec<i32> = (1..=25).collect();
        // The first token comes back 300 s after the bucket was full; another type has a bucket of its own.
        expected.extend([42, 44, 1]);
        assert_eq!(written, expected);
    }

    #[test]
    fn ten_similar_messages_within_ten_minutes_are_combined() {
        let events: Vec<(u64, &str, String)> = (0..12).map(|at| (at, "Normal", format!("m{at}"))).collect();
        let sent = sent(&events);
        assert!(
            sent[..9]
                .iter()
                .all(|(count, message, _)| *count == 1 && !message.contains("combined"))
        );
        assert_eq!(sent[9].1, "(combined from similar events): m9");
        assert_eq!(sent[11].0, 3);
    }

    #[test]
    fn after_a_pause_messages_are_counted_anew() {
        let mut events: Vec<(u64, &str, String)> = (0..12).map(|at| (at, "Normal", format!("m{at}"))).collect();
        events.push((700, "Normal", "late".to_owned()));
        assert_eq!(sent(&events)[12].1, "late");
    }
}
