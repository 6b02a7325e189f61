//! Whether the Pods of a simulated cluster showed what those of a real one could have shown: for every pod the same digests
//! in the same order, within the tolerances of [`super::sequence`].

use std::collections::BTreeMap;

use indexmap::IndexMap;

use super::digest::{Container, Digest};
use super::mask::{family, masked};
use super::sequence::{self, Sequence, Shown};

type Facts = (
    Option<String>,
    Option<String>,
    Option<i64>,
    Option<i64>,
    i64,
    bool,
    Option<bool>,
);

/// What two digests must have in common.
#[derive(Clone, Debug, PartialEq)]
struct View {
    scheduled: bool,
    phase: String,
    reason: Option<String>,
    message: String,
    deleting: bool,
    gone: bool,
    conditions: Vec<(String, String)>,
    containers: Vec<(String, Facts)>,
}

/// Everything in which the two disagree, in words; empty when they agree. `end`: how long both were watched, in seconds.
pub fn compare(recorded: &[Digest], simulated: &[Digest], end: f64) -> Vec<String> {
    sequence::compare([pods(recorded), pods(simulated)], family, end)
}

/// The digests of each pod, equal neighbours merged, in order of first appearance.
fn pods(trace: &[Digest]) -> Vec<(String, Sequence<View>)> {
    let mut sorted: Vec<&Digest> = trace.iter().collect();
    sorted.sort_by(|a, b| a.t.total_cmp(&b.t));
    let mut found: IndexMap<(String, String), Sequence<View>> = IndexMap::new();
    for digest in sorted {
        let sequence = found.entry((digest.uid.clone(), digest.pod.clone())).or_default();
        let view = view(digest);
        if sequence.last().is_none_or(|(_, last)| *last != view) {
            sequence.push((digest.t, view));
        }
    }
    found
        .into_iter()
        .map(|((_, name), sequence)| (name, sequence))
        .collect()
}

fn view(digest: &Digest) -> View {
    let mut conditions: Vec<(String, String)> = digest
        .conditions
        .iter()
        .map(|(kind, status)| (kind.clone(), status.clone()))
        .collect();
    conditions.sort();
    let mut containers = Vec::new();
    for part in [&digest.init, &digest.containers, &digest.ephemeral] {
        let sorted: BTreeMap<&String, &Container> = part.iter().collect();
        containers.extend(sorted.into_iter().map(|(name, container)| {
            let facts = (
                container.state.clone(),
                container.reason.clone(),
                container.exit_code,
                container.signal,
                container.restarts,
                container.ready,
                container.started,
            );
            (name.clone(), facts)
        }));
    }
    View {
        scheduled: digest.node.as_deref().is_some_and(|node| !node.is_empty()),
        phase: digest.phase.clone(),
        reason: digest.reason.clone(),
        message: masked(digest.message.as_deref().unwrap_or_default()),
        deleting: digest.deletion.is_some(),
        gone: digest.gone,
        conditions,
        containers,
    }
}

impl Shown for View {
    fn starting(&self) -> bool {
        self.phase == "Pending"
            && self.containers.iter().all(|(_, (state, _, _, _, restarts, _, _))| {
                state.as_deref().is_none_or(|state| state == "waiting") && *restarts == 0
            })
    }

    fn backs_off(&self) -> bool {
        self.containers
            .iter()
            .any(|(_, facts)| facts.1.as_deref() == Some("CrashLoopBackOff"))
    }

    fn without_backoff(&self) -> Self {
        let mut view = self.clone();
        for (_, facts) in &mut view.containers {
            if facts.0.as_deref() == Some("terminated") || facts.1.as_deref() == Some("CrashLoopBackOff") {
                facts.0 = Some("wait".to_owned());
                facts.1 = None;
                facts.2 = None;
                facts.3 = None;
            }
        }
        view
    }

    fn title(&self) -> String {
        self.phase.clone()
    }

    fn differences(&self, simulated: &Self) -> String {
        differences(self, simulated)
    }
}

/// In what two digests differ, in words.
fn differences(recorded: &View, simulated: &View) -> String {
    let mut found = Vec::new();
    let mut note = |name: &str, a: String, b: String| {
        if a != b {
            found.push(format!("{name}: recorded {a}, simulated {b}"));
        }
    };
    note(
        "scheduled",
        recorded.scheduled.to_string(),
        simulated.scheduled.to_string(),
    );
    note("phase", recorded.phase.clone(), simulated.phase.clone());
    note(
        "reason",
        format!("{:?}", recorded.reason),
        format!("{:?}", simulated.reason),
    );
    note("message", recorded.message.clone(), simulated.message.clone());
    note(
        "deleting",
        recorded.deleting.to_string(),
        simulated.deleting.to_string(),
    );
    note("gone", recorded.gone.to_string(), simulated.gone.to_string());
    let only = |a: &[(String, String)], b: &[(String, String)]| {
        let lines: Vec<String> = a
            .iter()
            .filter(|one| !b.contains(one))
            .map(|(kind, status)| format!("{kind}={status}"))
            .collect();
        format!("[{}]", lines.join(" "))
    };
    let (a, b) = (&recorded.conditions, &simulated.conditions);
    note("conditions", only(a, b), only(b, a));
    let shown = |a: &[(String, Facts)], b: &[(String, Facts)]| {
        let lines: Vec<String> = a.iter().filter(|one| !b.contains(one)).map(words).collect();
        format!("[{}]", lines.join(", "))
    };
    let (a, b) = (&recorded.containers, &simulated.containers);
    note("containers", shown(a, b), shown(b, a));
    found.join("; ")
}

fn words((name, (state, reason, exit_code, signal, restarts, ready, started)): &(String, Facts)) -> String {
    let mut text = format!("{name} {}", state.as_deref().unwrap_or("without state"));
    if let Some(reason) = reason {
        text.push_str(&format!(" {reason}"));
    }
    if let Some(code) = exit_code {
        text.push_str(&format!(" {code}"));
    }
    if let Some(signal) = signal {
        text.push_str(&format!(" by signal {signal}"));
    }
    let started = started.map_or("", |started| if started { " started" } else { "" });
    let ready = if *ready { " ready" } else { "" };
    format!("{text} restarts={restarts}{started}{ready}")
}
