//! Where two traces part: what was asked differently, the first thing that happened otherwise, and what led to it.

use std::collections::BTreeMap;

use peapod_sim::time::SimTime;
use peapod_sim::trace::{Change, Record, RecordId, RuntimeEvent, Trace, What};
use serde::Serialize;
use serde_json::Value;

/// How two traces differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// What people and faults did in the first only, by record.
    pub asked_left: Vec<RecordId>,
    /// What people and faults did in the second only, by record.
    pub asked_right: Vec<RecordId>,
    /// The first record in which they differ in any way, also by a nanosecond.
    pub exact: Option<Parting>,
    /// The first thing that happened in one of them and not in the other, or in another order to the same object,
    /// whatever the instants.
    pub course: Option<Parting>,
}

/// Where two traces part: a record of each; of one that has nothing more to tell, none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Parting {
    /// The earlier of the two instants.
    pub at: SimTime,
    /// The record of the first.
    pub left: Option<RecordId>,
    /// The record of the second.
    pub right: Option<RecordId>,
}

impl Difference {
    /// Whether there is none.
    pub fn is_none(&self) -> bool {
        self.exact.is_none()
    }
}

/// Compares two traces.
pub fn compare(left: &Trace, right: &Trace) -> Difference {
    let (asked_left, asked_right) = asked(left, right);
    Difference {
        asked_left,
        asked_right,
        exact: exact(left, right),
        course: course(left, right),
    }
}

fn parting(left: &Trace, right: &Trace, l: Option<usize>, r: Option<usize>) -> Parting {
    let at =
        |trace: &Trace, index: Option<usize>| index.and_then(|index| trace.records.get(index)).map(|record| record.at);
    let instants = [at(left, l), at(right, r)];
    let id = |index: Option<usize>| index.and_then(|index| RecordId::try_from(index).ok());
    Parting {
        at: instants.into_iter().flatten().min().unwrap_or_default(),
        left: id(l),
        right: id(r),
    }
}

fn exact(left: &Trace, right: &Trace) -> Option<Parting> {
    let longer = left.records.len().max(right.records.len());
    let value = |trace: &'_ Trace, index: usize| {
        let record = RecordId::try_from(index).ok()?;
        let at = trace.versions.partition_point(|version| version.record < record);
        let version = trace.versions.get(at).filter(|version| version.record == record)?;
        Some(std::sync::Arc::clone(&version.value))
    };
    (0..longer)
        .find(|index| {
            left.records.get(*index) != right.records.get(*index) || value(left, *index) != value(right, *index)
        })
        .map(|index| {
            let there = |trace: &Trace| (index < trace.records.len()).then_some(index);
            parting(left, right, there(left), there(right))
        })
}

/// What was asked in one and not in the other, each at its instant.
fn asked(left: &Trace, right: &Trace) -> (Vec<RecordId>, Vec<RecordId>) {
    let of = |trace: &'_ Trace| -> Vec<(RecordId, SimTime, What)> {
        let asked = trace.records.iter().zip(0..);
        asked
            .filter(|(record, _)| matches!(record.what, What::Command { .. } | What::Fault { .. }))
            .map(|(record, id)| (id, record.at, record.what.clone()))
            .collect()
    };
    let (l, r) = (of(left), of(right));
    let only = |these: &[(RecordId, SimTime, What)], those: &[(RecordId, SimTime, What)]| {
        let missing =
            |asked: &&(RecordId, SimTime, What)| !those.iter().any(|other| (other.1, &other.2) == (asked.1, &asked.2));
        these.iter().filter(missing).map(|asked| asked.0).collect()
    };
    (only(&l, &r), only(&r, &l))
}

/// One thing that happened to an object or in a container: what it is about, and what it was, without instants and
/// other numbers that chance decides.
fn happening(record: &Record) -> Option<(String, String)> {
    let object = record.object.as_ref()?;
    let mut about = format!("{} {}/{}", object.kind, object.namespace, object.name);
    if let Some(container) = &record.container {
        about = format!("{about}/{container}");
    }
    let what = match &record.what {
        What::Write { change, summary, .. } if *change == Change::Modified => {
            let told: Vec<String> = summary
                .iter()
                .filter_map(|change| told(&change.path, &change.to))
                .collect();
            if told.is_empty() {
                return None;
            }
            told.join(", ")
        }
        What::Write { change, .. } => format!("{change:?}"),
        What::Event { reason, .. } => format!("event {reason}"),
        What::Runtime { event } => match event {
            RuntimeEvent::SandboxReady { .. } => "sandbox".to_owned(),
            other => format!("{other:?}"),
        },
        // A probe that says the same again is no news, and how often it does is a matter of time.
        What::Probe { .. }
        | What::Decision { .. }
        | What::Notice { .. }
        | What::Command { .. }
        | What::Fault { .. } => {
            return None;
        }
    };
    Some((about, what))
}

/// A change of a field that belongs to the course of an object: what state it came to, not when.
fn told(path: &str, to: &Value) -> Option<String> {
    let belongs = path.ends_with("phase")
        || path.ends_with(".ready")
        || path.ends_with("restartCount")
        || path.ends_with("reason")
        || path.ends_with("deletionTimestamp")
        || path.ends_with("nodeName")
        || path.ends_with("eplicas")
        || path.contains("conditions[") && !path.ends_with("Time") && !path.ends_with("message")
        || path.ends_with("exitCode");
    if !belongs {
        return None;
    }
    let to = match to {
        Value::Object(fields) => fields.get("status").map_or_else(String::new, Value::to_string),
        _ if path.ends_with("Timestamp") => "set".to_owned(),
        other => other.to_string(),
    };
    Some(format!("{path} {to}"))
}

fn course(left: &Trace, right: &Trace) -> Option<Parting> {
    let of = |trace: &Trace| {
        let mut lanes: BTreeMap<String, Vec<(usize, String)>> = BTreeMap::new();
        for (index, record) in trace.records.iter().enumerate() {
            if let Some((about, what)) = happening(record) {
                lanes.entry(about).or_default().push((index, what));
            }
        }
        lanes
    };
    let (l, r) = (of(left), of(right));
    let none = Vec::new();
    let mut first: Option<Parting> = None;
    for about in l.keys().chain(r.keys().filter(|about| !l.contains_key(*about))) {
        let (one, two) = (l.get(about).unwrap_or(&none), r.get(about).unwrap_or(&none));
        let longer = one.len().max(two.len());
        let what = |lane: &'_ [(usize, String)], at: usize| lane.get(at).map(|(_, what)| what.clone());
        let Some(at) = (0..longer).find(|at| what(one, *at) != what(two, *at)) else {
            continue;
        };
        let index = |lane: &[(usize, String)]| lane.get(at).map(|(index, _)| *index);
        let parting = parting(left, right, index(one), index(two));
        if first.is_none_or(|first| parting.at < first.at) {
            first = Some(parting);
        }
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::instant::tests::crash_loop;

    #[test]
    fn a_trace_is_as_itself_and_parts_where_it_was_changed() {
        let trace = crash_loop();
        let same = compare(&trace, &trace);
        assert!(same.is_none() && same.course.is_none(), "{same:?}");
        assert_eq!((same.asked_left.len(), same.asked_right.len()), (0, 0));

        let mut later = trace.clone();
        let last = later.records.len() - 1;
        later.records[last].at.0 += 1;
        let parted = compare(&trace, &later);
        assert_eq!(
            parted.exact.and_then(|parting| parting.left),
            RecordId::try_from(last).ok()
        );
        assert_eq!(parted.course, None, "an instant alone is no other course");

        let mut shorter = trace.clone();
        shorter.records.pop();
        let parted = compare(&trace, &shorter).exact;
        assert_eq!(
            parted.map(|parting| (parting.left.is_some(), parting.right)),
            Some((true, None))
        );
    }
}
