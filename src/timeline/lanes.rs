//! From object versions and records to lanes: one for each node, workload, pod phase and container, and for events,
//! steps and faults. Equal neighbors are merged.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use peapod_sim::time::SimTime;
use peapod_sim::trace::{Change, RecordId, Trace, What};
use serde::Serialize;
use serde_json::Value;

use super::MAX_LANES;
use super::state::{self, State, items, text};

/// What a lane is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LaneKind {
    /// Steps and faults of the experiment.
    Steps,
    /// A node.
    Node,
    /// A Deployment, ReplicaSet, Job …
    Workload,
    /// The phase of a pod.
    Phase,
    /// The Ready condition of a pod.
    Ready,
    /// A container of the pod above it.
    Container,
    /// Kubernetes events.
    Events,
    /// Probes of a container.
    Probes,
    /// What the scheduler decided.
    Scheduling,
    /// What controllers decided.
    Controllers,
}

impl LaneKind {
    /// All kinds.
    pub const ALL: [Self; 10] = [
        Self::Steps,
        Self::Node,
        Self::Workload,
        Self::Phase,
        Self::Ready,
        Self::Container,
        Self::Probes,
        Self::Scheduling,
        Self::Controllers,
        Self::Events,
    ];

    /// As an address has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Steps => "steps",
            Self::Node => "nodes",
            Self::Workload => "workloads",
            Self::Phase => "phases",
            Self::Ready => "conditions",
            Self::Container => "containers",
            Self::Probes => "probes",
            Self::Scheduling => "scheduling",
            Self::Controllers => "controllers",
            Self::Events => "events",
        }
    }

    /// The kind of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// One lane.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Lane {
    /// What it is about.
    pub kind: LaneKind,
    /// Name of the object, such as `demo`.
    pub name: String,
    /// Namespace of the object; empty when it has none.
    pub namespace: String,
    /// What of it: `Node`, `phase`, `Ready`, a container's name, empty for events and steps.
    pub part: String,
    /// States, in order, without overlap.
    pub segments: Vec<Segment>,
    /// Marks, in order.
    pub marks: Vec<Mark>,
}

/// A state that lasted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Segment {
    /// From when.
    pub from: SimTime,
    /// Until when.
    pub to: SimTime,
    /// Which state.
    pub state: State,
    /// Its word, such as `CrashLoopBackOff`.
    pub text: String,
    /// The record that began it.
    pub record: RecordId,
    /// Left edge, in percent.
    pub x: f64,
    /// Width, in percent.
    pub width: f64,
}

/// Something that happened at one instant.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Mark {
    /// When.
    pub at: SimTime,
    /// Normal, warning, step or fault.
    pub state: State,
    /// Its reason or its text.
    pub text: String,
    /// More, such as an event's message.
    pub more: String,
    /// The record.
    pub record: RecordId,
    /// Place, in percent.
    pub x: f64,
}

#[derive(Default)]
struct Rows {
    segments: Vec<Segment>,
}

impl Rows {
    fn set(&mut self, at: SimTime, record: RecordId, (state, text): (State, String)) {
        if let Some(last) = self.segments.last_mut() {
            if last.to == SimTime(u64::MAX) {
                if last.state == state && last.text == text {
                    return;
                }
                last.to = at;
            }
            // Several writes at one instant: the last one stands, and what it stood before may go on.
            if last.from == at {
                self.segments.pop();
                if let Some(before) = self
                    .segments
                    .last_mut()
                    .filter(|s| s.to == at && s.state == state && s.text == text)
                {
                    before.to = SimTime(u64::MAX);
                    return;
                }
            }
        }
        self.segments.push(Segment {
            from: at,
            to: SimTime(u64::MAX),
            state,
            text,
            record,
            x: 0.0,
            width: 0.0,
        });
    }

    fn stop(&mut self, at: SimTime) {
        if let Some(last) = self.segments.last_mut().filter(|last| last.to == SimTime(u64::MAX)) {
            last.to = at;
        }
    }

    fn finish(mut self, end: SimTime) -> Vec<Segment> {
        self.stop(end);
        self.segments.retain(|segment| segment.to > segment.from);
        self.segments
    }
}

/// What a lane is called: kind, namespace, name and part, and for a pod its UID, so that a replacement of the same name
/// has lanes of its own.
type LaneKey = (String, String, String, String);

/// The lanes of a trace that a picture has room for, and how many were left out.
pub fn lanes(trace: &Trace, end: SimTime) -> (Vec<Lane>, usize) {
    let (mut lanes, events) = all(trace, end, false);
    let hidden = lanes.len().saturating_sub(MAX_LANES);
    lanes.truncate(MAX_LANES);
    lanes.extend(events);
    (lanes, hidden)
}

/// All lanes of a trace, with the other conditions of pods, probes, and what the scheduler and controllers decided.
pub fn detailed(trace: &Trace, end: SimTime) -> Vec<Lane> {
    let (mut lanes, events) = all(trace, end, true);
    let common = |kind: LaneKind, marks: Vec<Mark>| Lane {
        kind,
        name: String::new(),
        namespace: String::new(),
        part: String::new(),
        segments: Vec::new(),
        marks,
    };
    let decided = |is: fn(&str) -> bool| decisions(trace, is);
    for (kind, marks) in [
        (LaneKind::Scheduling, decided(|actor| actor.contains("scheduler"))),
        (
            LaneKind::Controllers,
            decided(|actor| !actor.contains("scheduler") && !actor.starts_with("kubelet")),
        ),
    ] {
        if !marks.is_empty() {
            lanes.push(common(kind, marks));
        }
    }
    lanes.extend(events);
    lanes
}

/// What actors decided.
fn decisions(trace: &Trace, is: fn(&str) -> bool) -> Vec<Mark> {
    let records = trace.records.iter().zip(0..);
    records
        .filter_map(|(record, number)| {
            let What::Decision { code, .. } = &record.what else {
                return None;
            };
            let object = record.object.as_ref().map_or("", |object| object.name.as_str());
            is(&record.actor).then(|| Mark {
                at: record.at,
                state: State::Normal,
                text: code.clone(),
                more: object.to_owned(),
                record: number,
                x: 0.0,
            })
        })
        .collect()
}

/// The lanes of objects, and that of events.
fn all(trace: &Trace, end: SimTime, in_detail: bool) -> (Vec<Lane>, Option<Lane>) {
    let mut probes = if in_detail { probes(trace) } else { BTreeMap::new() };
    let mut nodes: BTreeMap<String, Rows> = BTreeMap::new();
    let mut workloads: IndexMap<(String, String, String), Rows> = IndexMap::new();
    let mut pods: IndexMap<LaneKey, IndexMap<(LaneKind, String), Rows>> = IndexMap::new();
    for version in &trace.versions {
        let object = &version.object;
        let gone = version.change == Change::Deleted;
        match object.kind.as_str() {
            "Node" => {
                let rows = nodes.entry(object.name.clone()).or_default();
                if gone {
                    rows.stop(version.at)
                } else {
                    rows.set(version.at, version.record, state::of_node(&version.value))
                }
            }
            "Pod" => {
                let key = (
                    object.kind.clone(),
                    object.namespace.clone(),
                    object.name.clone(),
                    object.uid.clone(),
                );
                let lanes = pods.entry(key).or_default();
                if gone {
                    lanes.values_mut().for_each(|rows| rows.stop(version.at));
                    continue;
                }
                lanes.entry((LaneKind::Phase, "phase".to_owned())).or_default().set(
                    version.at,
                    version.record,
                    state::of_pod(&version.value),
                );
                if in_detail {
                    for (name, shown) in conditions(&version.value) {
                        lanes
                            .entry((LaneKind::Ready, name))
                            .or_default()
                            .set(version.at, version.record, shown);
                    }
                } else if let Some(ready) = ready(&version.value) {
                    lanes.entry((LaneKind::Ready, "Ready".to_owned())).or_default().set(
                        version.at,
                        version.record,
                        ready,
                    );
                }
                for pointer in ["/status/initContainerStatuses", "/status/containerStatuses"] {
                    for status in items(&version.value, pointer) {
                        let key = (LaneKind::Container, text(status, "/name").to_owned());
                        lanes
                            .entry(key)
                            .or_default()
                            .set(version.at, version.record, state::of_container(status));
                    }
                }
            }
            kind => {
                if let Some(shown) = state::of_workload(kind, &version.value) {
                    let key = (object.kind.clone(), object.namespace.clone(), object.name.clone());
                    let rows = workloads.entry(key).or_default();
                    if gone {
                        rows.stop(version.at)
                    } else {
                        rows.set(version.at, version.record, shown)
                    }
                }
            }
        }
    }
    let mut lanes = Vec::new();
    let steps = steps(trace);
    if !steps.is_empty() {
        lanes.push(Lane {
            kind: LaneKind::Steps,
            name: String::new(),
            namespace: String::new(),
            part: String::new(),
            segments: Vec::new(),
            marks: steps,
        });
    }
    for (name, rows) in nodes {
        lanes.push(Lane {
            kind: LaneKind::Node,
            name,
            namespace: String::new(),
            part: "Node".to_owned(),
            segments: rows.finish(end),
            marks: Vec::new(),
        });
    }
    for ((kind, namespace, name), rows) in workloads {
        lanes.push(Lane {
            kind: LaneKind::Workload,
            name,
            namespace,
            part: kind,
            segments: rows.finish(end),
            marks: Vec::new(),
        });
    }
    for ((_, namespace, name, uid), mut parts) in pods {
        // Phase first, then conditions, then containers, each with its probes.
        parts.sort_by(|one, _, two, _| one.0.cmp(&two.0));
        for ((kind, part), rows) in parts {
            let own = probes.remove(&(uid.clone(), part.clone()));
            lanes.push(Lane {
                kind,
                name: name.clone(),
                namespace: namespace.clone(),
                part: part.clone(),
                segments: rows.finish(end),
                marks: Vec::new(),
            });
            if let Some(marks) = own.filter(|_| kind == LaneKind::Container) {
                lanes.push(Lane {
                    kind: LaneKind::Probes,
                    name: name.clone(),
                    namespace: namespace.clone(),
                    part: format!("{part} probes"),
                    segments: Vec::new(),
                    marks,
                });
            }
        }
    }
    let events = events(trace);
    let events = (!events.is_empty()).then_some(Lane {
        kind: LaneKind::Events,
        name: String::new(),
        namespace: String::new(),
        part: String::new(),
        segments: Vec::new(),
        marks: events,
    });
    (lanes, events)
}

/// What probes said, by pod and container.
fn probes(trace: &Trace) -> BTreeMap<(String, String), Vec<Mark>> {
    let mut found: BTreeMap<(String, String), Vec<Mark>> = BTreeMap::new();
    for (record, number) in trace.records.iter().zip(0..) {
        let (What::Probe { probe, result, message }, Some(object), Some(container)) =
            (&record.what, &record.object, &record.container)
        else {
            continue;
        };
        let mark = Mark {
            at: record.at,
            state: if result == "success" {
                State::Normal
            } else {
                State::Warning
            },
            text: format!("{probe}: {result}"),
            more: first_line(message),
            record: number,
            x: 0.0,
        };
        found
            .entry((object.uid.clone(), container.clone()))
            .or_default()
            .push(mark);
    }
    found
}

/// The conditions of a pod.
fn conditions(pod: &Value) -> Vec<(String, (State, String))> {
    items(pod, "/status/conditions")
        .iter()
        .map(|condition| {
            let name = text(condition, "/type").to_owned();
            let shown = match (text(condition, "/status"), text(condition, "/reason")) {
                ("True", _) => (State::Running, name.clone()),
                ("Unknown", _) => (State::Unknown, "Unknown".to_owned()),
                (_, "") => (State::Waiting, format!("Not{name}")),
                (_, reason) => (State::Waiting, reason.to_owned()),
            };
            (name, shown)
        })
        .collect()
}

fn ready(pod: &Value) -> Option<(State, String)> {
    let condition = items(pod, "/status/conditions")
        .iter()
        .find(|condition| text(condition, "/type") == "Ready")?;
    Some(match text(condition, "/status") {
        "True" => (State::Running, "Ready".to_owned()),
        "Unknown" => (State::Unknown, "Unknown".to_owned()),
        _ => (State::Waiting, "NotReady".to_owned()),
    })
}

fn steps(trace: &Trace) -> Vec<Mark> {
    marks(trace, |what| match what {
        What::Command { text } => Some((State::Step, first_line(text), text.clone())),
        What::Fault { text } => Some((State::Fault, first_line(text), String::new())),
        _ => None,
    })
}

fn events(trace: &Trace) -> Vec<Mark> {
    marks(trace, |what| match what {
        What::Event { kind, reason, message } => {
            let state = if kind == "Warning" {
                State::Warning
            } else {
                State::Normal
            };
            Some((state, reason.clone(), message.clone()))
        }
        _ => None,
    })
}

fn marks(trace: &Trace, of: impl Fn(&What) -> Option<(State, String, String)>) -> Vec<Mark> {
    let records = trace.records.iter().enumerate();
    records
        .filter_map(|(index, record)| {
            let (state, text, more) = of(&record.what)?;
            Some(Mark {
                at: record.at,
                state,
                text,
                more,
                record: RecordId::try_from(index).ok()?,
                x: 0.0,
            })
        })
        .collect()
}

fn first_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or("");
    let mut short: String = line.chars().take(60).collect();
    if short.len() < text.trim_end().len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::{Scale, Timeline};
    use super::*;
    use crate::timeline::instant::tests::crash_loop;

    #[test]
    fn equal_neighbors_are_merged_and_lanes_are_in_reading_order() {
        let trace = crash_loop();
        let timeline = Timeline::new(&trace, Scale::Linear);
        let names: Vec<_> = timeline
            .lanes
            .iter()
            .map(|lane| (lane.kind, lane.part.as_str()))
            .collect();
        assert_eq!(
            names,
            [
                (LaneKind::Steps, ""),
                (LaneKind::Node, "Node"),
                (LaneKind::Phase, "phase"),
                (LaneKind::Ready, "Ready"),
                (LaneKind::Container, "app"),
                (LaneKind::Events, "")
            ]
        );
        let shown: Vec<_> = timeline.lanes[4]
            .segments
            .iter()
            .map(|s| (s.text.as_str(), s.from.as_secs(), s.to.as_secs()))
            .collect();
        assert_eq!(
            shown,
            [
                ("ContainerCreating", 0, 1),
                ("Running", 1, 3),
                ("Error (exit 1)", 3, 10)
            ]
        );
        assert_eq!(
            timeline.lanes[2].segments.len(),
            2,
            "the phase is Pending, then Running"
        );
    }

    #[test]
    fn one_step_leads_through_all_changes() {
        let timeline = Timeline::new(&crash_loop(), Scale::Event);
        let first = timeline.after(SimTime::ZERO).unwrap();
        assert_eq!(first.as_secs(), 1);
        assert_eq!(timeline.before(first), Some(SimTime::ZERO));
        assert_eq!(timeline.after(SimTime(u64::MAX)), None);
    }
}
