//! The Event objects at the end of a case: for every object that they are about the same events, in the same order, at times
//! and with counts that a real cluster could also show.

use indexmap::IndexMap;
use jiff::Timestamp;
use peapod_sim::cluster::Cluster;
use peapod_sim::time::SimTime;
use peapod_sim::trace::Change;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::mask::{family, mask_hashes, mask_suffixes, masked};
use super::sequence::{FACTOR, SECONDS, STARTUP};

/// Occurrences of one event from which on only the share in which two counts differ is judged.
const MANY: usize = 3;

/// An Event object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// firstTimestamp or eventTime, in seconds since the start.
    pub first: f64,
    /// The time of the last occurrence.
    pub last: f64,
    /// How often it occurred.
    pub count: usize,
    /// `Normal` or `Warning`
    #[serde(rename = "type")]
    pub kind: String,
    /// Reason.
    pub reason: String,
    /// `Pod/p[spec.containers{app}]`: kind, name and, if there is one, field path of what it is about.
    pub object: String,
    /// Who reported it.
    pub component: String,
    /// Message.
    pub message: String,
    /// When a watcher saw each of its versions.
    #[serde(default)]
    pub seen: Vec<f64>,
}

/// The events of a namespace, and of the nodes, as a simulated cluster last wrote them.
pub fn simulated(cluster: &Cluster, namespace: &str) -> Vec<Event> {
    let start = cluster.wall_at(SimTime::ZERO);
    let mut found: IndexMap<String, Event> = IndexMap::new();
    for write in cluster.writes() {
        if write.stored.object.kind().to_string() != "Event" {
            continue;
        }
        let object = write.stored.json();
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let about = text("/involvedObject/kind");
        if text("/metadata/namespace") != namespace && about != "Node" {
            continue;
        }
        let uid = text("/metadata/uid").to_owned();
        if write.change == Change::Deleted {
            // The recordings kept what went with its namespace.
            continue;
        }
        let seconds = |pointers: [&str; 2]| {
            let time: Timestamp = pointers.iter().find_map(|pointer| text(pointer).parse().ok())?;
            Some((time.duration_since(start).as_millis() as f64) / 1000.0)
        };
        let first = seconds(["/firstTimestamp", "/eventTime"]).unwrap_or(0.0);
        let mut shown = format!("{about}/{}", text("/involvedObject/name"));
        let path = text("/involvedObject/fieldPath");
        if !path.is_empty() {
            shown.push_str(&format!("[{path}]"));
        }
        let count = object.get("count").or_else(|| object.pointer("/series/count"));
        let component = match text("/source/component") {
            "" => text("/reportingComponent"),
            component => component,
        };
        let mut seen = found.get(&uid).map(|event| event.seen.clone()).unwrap_or_default();
        seen.push((write.at.0 / 1_000_000) as f64 / 1000.0);
        let event = Event {
            first,
            last: seconds(["/lastTimestamp", "/series/lastObservedTime"]).unwrap_or(first),
            count: count.and_then(Value::as_u64).map_or(1, |count| count as usize),
            kind: text("/type").to_owned(),
            reason: text("/reason").to_owned(),
            object: shown,
            component: component.to_owned(),
            // The recordings show all namespaces as `default`.
            message: text("/message")
                .replace(&format!("{namespace}/"), "default/")
                .replace(&format!("_{namespace}("), "_default("),
            seen,
        };
        found.insert(uid, event);
    }
    found.into_values().collect()
}

/// What of an event must be the same on both sides.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Identity {
    component: String,
    kind: String,
    reason: String,
    path: String,
    message: String,
}

impl Event {
    fn identity(&self) -> Identity {
        // `350ms` and `1.2s` are the same length of time on another machine.
        // Suffixes go first: one that looks like a hexadecimal number would melt into a hash before it.
        let name = self.about().split_once('/').map_or("", |(_, name)| name);
        let named = self.message.replace(name, &family(name));
        let message = masked(&mask_suffixes(&named)).replace("#ms", "#s");
        Identity {
            component: self.component.clone(),
            kind: self.kind.clone(),
            reason: self.reason.clone(),
            path: self.object.split_once('[').map_or("", |(_, path)| path).to_owned(),
            message,
        }
    }

    /// `Pod/web-5d4f8c7b9f-x2z9q`
    fn about(&self) -> &str {
        self.object.split_once('[').map_or(&self.object, |(about, _)| about)
    }

    /// The part of it that a case can have caused: the recorded clusters had run for some time, so what their nodes had said
    /// before is left out.
    fn within_case(&self) -> Option<Self> {
        let mut event = self.clone();
        if event.about().starts_with("Node/") {
            event.seen.retain(|at| *at > 0.0);
            event.count = event.seen.len();
        }
        (event.count > 0).then_some(event)
    }

    fn first_seen(&self) -> f64 {
        self.seen.first().copied().unwrap_or(self.first)
    }

    fn words(&self) -> String {
        let path = self
            .object
            .split_once('[')
            .map_or(String::new(), |(_, path)| format!(" [{path}"));
        format!(
            "{} {} ({}{path}) {}",
            self.kind, self.reason, self.component, self.message
        )
    }
}

/// Everything in which the two disagree, in words; empty when they agree. `end`: how long both were watched, in seconds.
pub fn compare(recorded: &[Event], simulated: &[Event], end: f64) -> Vec<String> {
    let mut groups: IndexMap<String, [Vec<(String, Vec<Event>)>; 2]> = IndexMap::new();
    for (side, events) in [recorded, simulated].into_iter().enumerate() {
        for (about, events) in objects(events) {
            let (kind, name) = about.split_once('/').unwrap_or_default();
            let family = format!("{kind}/{}", mask_hashes(&family(name)));
            groups.entry(family).or_default()[side].push((about, events));
        }
    }
    let mut problems = Vec::new();
    for (family, [recorded, simulated]) in groups {
        if recorded.is_empty() && family.starts_with("Node/") {
            // Only where they matter do recordings hold the events of nodes.
            continue;
        }
        let mut left = simulated;
        for (about, events) in recorded {
            let judged: Vec<Option<String>> = left
                .iter()
                .map(|(_, other)| compare_object(&events, other, end))
                .collect();
            match judged.iter().position(Option::is_none) {
                Some(index) => {
                    left.remove(index);
                }
                None => match judged.into_iter().next() {
                    Some(problem) => {
                        left.remove(0);
                        problems.extend(problem.map(|problem| format!("{about}: {problem}")));
                    }
                    None if !events.iter().all(|event| is_late(event, 0.0, 0.0, end)) => {
                        problems.push(format!("{about}: no such object here has events"));
                    }
                    None => {}
                },
            }
        }
        for (about, events) in left {
            if !events.iter().all(|event| is_late(event, 0.0, 0.0, end)) {
                problems.push(format!("{about}: only here it has events"));
            }
        }
    }
    problems
}

/// The events of each object, in the order in which they were first seen.
fn objects(events: &[Event]) -> Vec<(String, Vec<Event>)> {
    let mut sorted: Vec<Event> = events.iter().filter_map(Event::within_case).collect();
    sorted.sort_by(|a, b| a.first_seen().total_cmp(&b.first_seen()));
    let mut found: IndexMap<String, Vec<Event>> = IndexMap::new();
    for event in sorted {
        found.entry(event.about().to_owned()).or_default().push(event);
    }
    found.into_iter().collect()
}

/// Whether an event may be missing on the other side because its observation ended before; `before`: when the last thing
/// before it happened, `other_last`: when the last thing of the other side did.
fn is_late(event: &Event, before: f64, other_last: f64, end: f64) -> bool {
    (event.first_seen() - before) * FACTOR + SECONDS >= end - other_last
}

fn last_seen(events: &[Event]) -> f64 {
    events
        .iter()
        .filter_map(|event| event.seen.last().copied())
        .fold(0.0, f64::max)
}

fn compare_object(recorded: &[Event], simulated: &[Event], end: f64) -> Option<String> {
    let mut kinds: IndexMap<Identity, [Vec<(usize, &Event)>; 2]> = IndexMap::new();
    for (side, events) in [recorded, simulated].into_iter().enumerate() {
        for (place, event) in events.iter().enumerate() {
            kinds.entry(event.identity()).or_default()[side].push((place, event));
        }
    }
    let start = [recorded, simulated].map(|events| events.first().map_or(0.0, Event::first_seen));
    let mut places = Vec::new();
    for [real, ours] in kinds.values() {
        for (shorter, longer, others, events) in [(real, ours, recorded, simulated), (ours, real, simulated, recorded)]
        {
            let Some((place, extra)) = longer.get(shorter.len()) else {
                continue;
            };
            let before = place.checked_sub(1).map_or(0.0, |place| events[place].first_seen());
            if !is_late(extra, before, last_seen(others), end) {
                let side = if std::ptr::eq(events, recorded) {
                    "recorded"
                } else {
                    "simulated"
                };
                return Some(format!(
                    "only {side}: {} (at {:.1} s)",
                    extra.words(),
                    extra.first_seen()
                ));
            }
        }
        for ((i, real), (j, ours)) in real.iter().zip(ours) {
            if let Some(problem) = compare_event(real, ours, start, end) {
                return Some(format!("{}: {problem}", real.words()));
            }
            places.push((*i, *j));
        }
    }
    // A kubelet does one thing after the other with a container; controllers do several at once.
    for (i0, j0) in &places {
        for (i1, j1) in &places {
            let (a, b) = (&recorded[*i0], &recorded[*i1]);
            let kubelet = a.component == "kubelet" && b.component == "kubelet" && a.about().starts_with("Pod/");
            let together = kubelet && a.identity().path == b.identity().path;
            if i0 < i1 && j0 > j1 && together {
                return Some(format!(
                    "{} comes before {} in the recording only",
                    a.words(),
                    b.words()
                ));
            }
        }
    }
    None
}

fn compare_event(real: &Event, ours: &Event, start: [f64; 2], end: f64) -> Option<String> {
    // How long it takes until the first container runs is the machine's load.
    let near = |a: f64, b: f64| {
        let (real, ours) = (a - start[0], b - start[1]);
        let ratio = (ours + 1e-9) / (real + 1e-9);
        let starts = real <= STARTUP && ours <= STARTUP;
        starts || (a - b).abs() <= SECONDS || (1.0 / FACTOR..=FACTOR).contains(&ratio)
    };
    if real.count == ours.count && real.seen.len() == ours.seen.len() {
        let apart = real.seen.iter().zip(&ours.seen).find(|(a, b)| !near(**a, **b));
        return apart.map(|(a, b)| format!("recorded at {a:.1} s, simulated at {b:.1} s"));
    }
    let (fewer, more) = if real.count < ours.count {
        (real, ours)
    } else {
        (ours, real)
    };
    let words = format!("recorded {} times, simulated {} times", real.count, ours.count);
    let last = |event: &Event| event.seen.last().copied().unwrap_or(event.last);
    let gap = match more.seen.get(fewer.count) {
        Some(extra) => extra - more.seen.get(fewer.count - 1).copied().unwrap_or(0.0),
        None => f64::INFINITY,
    };
    let late = more.seen.len() == more.count && gap * FACTOR + SECONDS >= end - last(fewer);
    let share = more.count as f64 / fewer.count as f64;
    let paced = fewer.count >= MANY && (share <= FACTOR || more.count - fewer.count <= 1);
    if !near(real.first_seen(), ours.first_seen()) {
        return Some(format!(
            "first recorded at {:.1} s, simulated at {:.1} s",
            real.first_seen(),
            ours.first_seen()
        ));
    }
    (!late && !paced).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(reason: &str, at: &[f64]) -> Event {
        Event {
            first: at[0],
            last: at[at.len() - 1],
            count: at.len(),
            kind: "Normal".to_owned(),
            reason: reason.to_owned(),
            object: "Pod/web-5d4f8c7b9f-x2z9q[spec.containers{app}]".to_owned(),
            component: "kubelet".to_owned(),
            message: "Container of web-5d4f8c7b9f-x2z9q".to_owned(),
            seen: at.to_vec(),
        }
    }

    #[test]
    fn what_a_real_cluster_could_show_agrees_and_nothing_else() {
        let recorded = [event("Pulled", &[0.5, 20.0]), event("Started", &[0.7, 20.2])];
        let named = |mut event: Event| {
            event.object = event.object.replace("x2z9q", "abcde");
            event.message = event.message.replace("x2z9q", "abcde");
            event
        };
        let cases: [(&str, Vec<Event>, bool); 7] = [
            ("the same", recorded.to_vec(), true),
            ("another replica", recorded.iter().cloned().map(named).collect(), true),
            (
                "stretched",
                vec![event("Pulled", &[0.5, 26.0]), event("Started", &[0.7, 26.2])],
                true,
            ),
            (
                "too late",
                vec![event("Pulled", &[0.5, 50.0]), event("Started", &[0.7, 50.2])],
                false,
            ),
            (
                "once too often",
                vec![event("Pulled", &[0.5, 20.0, 21.0]), event("Started", &[0.7, 20.2])],
                false,
            ),
            (
                "another order",
                vec![event("Started", &[0.5, 20.0]), event("Pulled", &[0.7, 20.2])],
                false,
            ),
            ("one is missing", vec![event("Pulled", &[0.5, 20.0])], false),
        ];
        for (what, simulated, agrees) in cases {
            let problems = compare(&recorded, &simulated, 100.0);
            assert_eq!(problems.is_empty(), agrees, "{what}: {problems:?}");
        }
    }
}
