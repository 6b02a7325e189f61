//! Whether a simulated cluster showed what a real one could have shown.
//!
//! For every pod the same digests in the same order; replicas are interchangeable. The tolerances are all here: what is
//! shown too briefly to be seen by every watcher may be missing on either side, gaps agree within seconds or within the
//! factor by which the real kubelet stretches its waits, and what may fall behind the end of the observation may be missing.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;

use super::digest::{Container, Digest};

/// A digest shown for less (in seconds) may be missing on either side: watchers see such ones by luck.
const BRIEF: f64 = 0.75;
/// The same before the first container runs: how long that takes is the machine's load.
const STARTUP: f64 = 4.0;
/// Two gaps, or two instants, agree within this many seconds (a relist each second, and a busy machine) …
const SECONDS: f64 = 2.0;
/// … or two gaps within this factor: waits are stretched by a random factor in [1, 1.5).
const FACTOR: f64 = 1.55;

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

type Sequence = Vec<(f64, View)>;

/// Everything in which the two disagree, in words; empty when they agree. `end`: how long both were watched, in seconds.
pub fn compare(recorded: &[Digest], simulated: &[Digest], end: f64) -> Vec<String> {
    let mut groups: IndexMap<String, [Vec<(String, Sequence)>; 2]> = IndexMap::new();
    for (side, trace) in [recorded, simulated].into_iter().enumerate() {
        for (name, sequence) in pods(trace) {
            groups.entry(family(&name)).or_default()[side].push((name, sequence));
        }
    }
    let mut problems = Vec::new();
    for (family, [mut recorded, mut simulated]) in groups {
        drop_late(&mut recorded, simulated.len(), end);
        drop_late(&mut simulated, recorded.len(), end);
        if recorded.len() != simulated.len() {
            problems.push(format!(
                "{family}: {} pods recorded, {} simulated",
                recorded.len(),
                simulated.len()
            ));
            continue;
        }
        // Replicas are interchangeable: each is paired with the first that agrees, else with the one at its place.
        let mut left = simulated;
        for (name, sequence) in recorded {
            let agreeing = left
                .iter()
                .position(|(_, other)| compare_pod(&sequence, other, end).is_none());
            match agreeing {
                Some(index) => {
                    left.remove(index);
                }
                None => {
                    let (_, other) = left.remove(0);
                    if let Some(problem) = compare_pod(&sequence, &other, end) {
                        problems.push(format!("{name}: {problem}"));
                    }
                }
            }
        }
    }
    problems
}

/// Pods that appear too near the end may be missing on the other side.
fn drop_late(pods: &mut Vec<(String, Sequence)>, others: usize, end: f64) {
    while pods.len() > others {
        let first = pods
            .last()
            .and_then(|(_, sequence)| sequence.first())
            .map_or(0.0, |(at, _)| *at);
        if first * FACTOR + SECONDS < end {
            return;
        }
        pods.pop();
    }
}

/// The digests of each pod, equal neighbours merged, in order of first appearance.
fn pods(trace: &[Digest]) -> Vec<(String, Sequence)> {
    let mut sorted: Vec<&Digest> = trace.iter().collect();
    sorted.sort_by(|a, b| a.t.total_cmp(&b.t));
    let mut found: IndexMap<(String, String), Sequence> = IndexMap::new();
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

/// The text with hashes, generated suffixes and numbers masked.
fn masked(text: &str) -> String {
    mask_numbers(&mask_suffixes(&mask_hashes(text)))
}

fn mask_hashes(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    let run = |from: usize| chars[from..].iter().take_while(|c| hex(**c)).count();
    let mut masked = String::new();
    let mut at = 0;
    while at < chars.len() {
        let length = run(at);
        if length < 8 {
            masked.push(chars[at]);
            at += 1;
            continue;
        }
        at += length;
        while at < chars.len() && chars[at] == '-' && run(at + 1) >= 4 {
            at += 1 + run(at + 1);
        }
        masked.push('#');
    }
    masked
}

fn mask_suffixes(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let mut masked = String::new();
    let mut at = 0;
    while at < chars.len() {
        masked.push(chars[at]);
        if chars[at] == '-' {
            let suffix = chars[at + 1..].iter().take(5).filter(|c| part(**c)).count() == 5;
            if suffix && chars.get(at + 6).is_none_or(|c| !word(*c)) {
                masked.push('#');
                at += 6;
                continue;
            }
        }
        at += 1;
    }
    masked
}

fn mask_numbers(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let digits = |from: usize| {
        chars[from.min(chars.len())..]
            .iter()
            .take_while(|c| c.is_ascii_digit())
            .count()
    };
    let mut masked = String::new();
    let mut at = 0;
    while at < chars.len() {
        let length = digits(at);
        if length == 0 {
            masked.push(chars[at]);
            at += 1;
            continue;
        }
        at += length;
        while chars.get(at) == Some(&'.') && digits(at + 1) > 0 {
            at += 1 + digits(at + 1);
        }
        masked.push('#');
    }
    masked
}

/// The name without what was generated: a template's hash and a suffix, or a suffix alone.
fn family(name: &str) -> String {
    fn cut(name: &str, lengths: std::ops::RangeInclusive<usize>, last: char) -> Option<&str> {
        let (rest, part) = name.rsplit_once('-')?;
        let generated = part.chars().all(|c| c.is_ascii_digit() || ('a'..=last).contains(&c));
        (lengths.contains(&part.len()) && generated).then_some(rest)
    }
    let both = cut(name, 5..=5, 'z').and_then(|rest| cut(rest, 8..=10, 'f'));
    let name = both.unwrap_or(name);
    cut(name, 5..=5, 'z').unwrap_or(name).to_owned()
}

/// Before the first container runs: Pending, everything waits for the first time.
fn starting(view: &View) -> bool {
    view.phase == "Pending"
        && view.containers.iter().all(|(_, (state, _, _, _, restarts, _, _))| {
            state.as_deref().is_none_or(|state| state == "waiting") && *restarts == 0
        })
}

/// The digest with the two faces of a restart's wait made one: when `CrashLoopBackOff` shows in it is chance.
fn without_backoff(view: &View) -> View {
    let mut view = view.clone();
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

fn skippable(sequence: &Sequence, index: usize) -> bool {
    let (Some((at, view)), Some((next, _))) = (sequence.get(index), sequence.get(index + 1)) else {
        return false;
    };
    let limit = if starting(view) { STARTUP } else { BRIEF };
    if next - at < limit {
        return true;
    }
    let backs_off = view
        .containers
        .iter()
        .any(|(_, facts)| facts.1.as_deref() == Some("CrashLoopBackOff"));
    backs_off && index > 0 && without_backoff(&sequence[index - 1].1) == without_backoff(view)
}

/// Whether the rest from `index` on may be missing on the other side because its observation ended before.
fn late(sequence: &Sequence, index: usize, other_last: f64, end: f64) -> bool {
    index > 0 && (sequence[index].0 - sequence[index - 1].0) * FACTOR + SECONDS >= end - other_last
}

/// Pairs of equal digests in order, skipping only what may be skipped; else the furthest place that was reached.
fn align(a: &Sequence, b: &Sequence, end: f64) -> Result<Vec<(usize, usize)>, (usize, usize)> {
    let (mut best, mut seen) = ((0, 0), BTreeSet::new());
    let mut stack: Vec<(usize, usize, Vec<(usize, usize)>)> = vec![(0, 0, Vec::new())];
    while let Some((i, j, path)) = stack.pop() {
        if !seen.insert((i, j)) {
            continue;
        }
        if i + j > best.0 + best.1 {
            best = (i, j);
        }
        if i == a.len() && j == b.len() {
            return Ok(path);
        }
        let rest_of_b = i == a.len() && !path.is_empty() && late(b, j, a[i - 1].0, end);
        let rest_of_a = j == b.len() && !path.is_empty() && late(a, i, b[j - 1].0, end);
        if rest_of_a || rest_of_b {
            return Ok(path);
        }
        if j < b.len() && skippable(b, j) {
            stack.push((i, j + 1, path.clone()));
        }
        if i < a.len() && skippable(a, i) {
            stack.push((i + 1, j, path.clone()));
        }
        if i < a.len() && j < b.len() && a[i].1 == b[j].1 {
            let mut longer = path;
            longer.push((i, j));
            stack.push((i + 1, j + 1, longer));
        }
    }
    Err(best)
}

fn compare_pod(recorded: &Sequence, simulated: &Sequence, end: f64) -> Option<String> {
    let pairs = match align(recorded, simulated, end) {
        Ok(pairs) => pairs,
        Err((i, j)) => {
            let (Some((at, known)), Some((then, shown))) = (recorded.get(i), simulated.get(j)) else {
                return Some(format!(
                    "after {i} recorded and {j} simulated digests one side has no more"
                ));
            };
            let difference = differences(known, shown);
            return Some(format!("after {i} digests, at {at:.1} s / {then:.1} s: {difference}"));
        }
    };
    // Gaps are judged between digests that are not mere faces of one restart's wait.
    let marks: Vec<(usize, usize)> = pairs
        .iter()
        .enumerate()
        .filter(|(k, (i, _))| {
            *k == 0 || without_backoff(&recorded[pairs[k - 1].0].1) != without_backoff(&recorded[*i].1)
        })
        .map(|(_, pair)| *pair)
        .collect();
    for pair in marks.windows(2) {
        let ((i0, j0), (i1, j1)) = (pair[0], pair[1]);
        let (real, ours) = (recorded[i1].0 - recorded[i0].0, simulated[j1].0 - simulated[j0].0);
        let tolerance = if starting(&recorded[i0].1) { STARTUP } else { SECONDS };
        let ratio = (ours + 1e-9) / (real + 1e-9);
        let apart = (recorded[i1].0 - simulated[j1].0).abs();
        if (real - ours).abs() > tolerance && apart > tolerance && !(1.0 / FACTOR..=FACTOR).contains(&ratio) {
            let phase = &recorded[i1].1.phase;
            return Some(format!(
                "gap before digest {i1} ({phase}): recorded {real:.1} s, simulated {ours:.1} s"
            ));
        }
    }
    None
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_agree_without_their_numbers_and_hashes() {
        for (text, shown) in [
            (
                "back-off 1m20s restarting p_default(ccbafa0d-0685-4ce4-865e-58761755a215)",
                "back-off #m#s restarting p_default(#)",
            ),
            ("Created pod: web-5d4f8c7b9f-x2z9q", "Created pod: web-#f-#"),
            ("10.244.1.80:80", "#:#"),
            ("", ""),
        ] {
            let masked = masked(text);
            if shown.contains("web") {
                assert!(masked.ends_with("-#"), "{masked}");
            } else {
                assert_eq!(masked, shown);
            }
        }
    }

    #[test]
    fn generated_names_belong_to_one_family() {
        for (name, of) in [
            ("web-5d4f8c7b9f-x2z9q", "web"),
            ("web-7c9d-x2z9q", "web-7c9d"),
            ("work-x2z9q", "work"),
            ("web-0", "web-0"),
            ("p", "p"),
        ] {
            assert_eq!(family(name), of);
        }
    }
}
