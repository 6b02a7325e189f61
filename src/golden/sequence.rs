//! Whether what a simulated cluster showed, one thing after the other, could have been shown by a real one.
//!
//! The tolerances are all here: what is shown too briefly to be seen by every watcher may be missing on either side, gaps
//! agree within seconds or within the factor by which the real kubelet stretches its waits, and what may fall behind the
//! end of the observation may be missing.

use std::collections::BTreeSet;

use indexmap::IndexMap;

/// What is shown for less (in seconds) may be missing on either side: watchers see it by luck.
pub(super) const BRIEF: f64 = 0.75;
/// The same before the first container runs: how long that takes is the machine's load.
pub(super) const STARTUP: f64 = 4.0;
/// Two gaps, or two instants, agree within this many seconds (a relist each second, and a busy machine) …
pub(super) const SECONDS: f64 = 2.0;
/// … or two gaps within this factor: waits are stretched by a random factor in [1, 1.5).
pub(super) const FACTOR: f64 = 1.55;

/// One face of a pod, as a watcher sees it.
pub(super) trait Shown: Clone + PartialEq {
    /// Whether no container has run yet.
    fn starting(&self) -> bool;
    /// Whether it shows `CrashLoopBackOff`.
    fn backs_off(&self) -> bool;
    /// The same with the two faces of a restart's wait made one: when `CrashLoopBackOff` shows in it is chance.
    fn without_backoff(&self) -> Self;
    /// A word for it.
    fn title(&self) -> String;
    /// In what it differs from the simulated one, in words.
    fn differences(&self, simulated: &Self) -> String;
    /// What does not agree although the two are equal, such as ages.
    fn apart(&self, _simulated: &Self) -> Option<String> {
        None
    }
}

/// What was shown, and from when on, in seconds.
pub(super) type Sequence<T> = Vec<(f64, T)>;

/// Everything in which the two sides disagree, in words; empty when they agree. Pods of one family are interchangeable.
/// `end`: how long both were watched, in seconds.
pub(super) fn compare<T: Shown>(
    sides: [Vec<(String, Sequence<T>)>; 2],
    family: impl Fn(&str) -> String,
    end: f64,
) -> Vec<String> {
    let mut groups: IndexMap<String, [Vec<(String, Sequence<T>)>; 2]> = IndexMap::new();
    for (side, pods) in sides.into_iter().enumerate() {
        for (name, sequence) in pods {
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
fn drop_late<T>(pods: &mut Vec<(String, Sequence<T>)>, others: usize, end: f64) {
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

fn skippable<T: Shown>(sequence: &Sequence<T>, index: usize) -> bool {
    let (Some((at, view)), Some((next, _))) = (sequence.get(index), sequence.get(index + 1)) else {
        return false;
    };
    let limit = if view.starting() { STARTUP } else { BRIEF };
    if next - at < limit {
        return true;
    }
    view.backs_off() && index > 0 && sequence[index - 1].1.without_backoff() == view.without_backoff()
}

/// Whether the rest from `index` on may be missing on the other side because its observation ended before.
fn late<T>(sequence: &Sequence<T>, index: usize, other_last: f64, end: f64) -> bool {
    index > 0 && (sequence[index].0 - sequence[index - 1].0) * FACTOR + SECONDS >= end - other_last
}

/// Pairs of equal digests in order, skipping only what may be skipped; else the furthest place that was reached.
fn align<T: Shown>(a: &Sequence<T>, b: &Sequence<T>, end: f64) -> Result<Vec<(usize, usize)>, (usize, usize)> {
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

fn compare_pod<T: Shown>(recorded: &Sequence<T>, simulated: &Sequence<T>, end: f64) -> Option<String> {
    let pairs = match align(recorded, simulated, end) {
        Ok(pairs) => pairs,
        Err((i, j)) => {
            let (Some((at, known)), Some((then, shown))) = (recorded.get(i), simulated.get(j)) else {
                return Some(format!(
                    "after {i} recorded and {j} simulated digests one side has no more"
                ));
            };
            let difference = known.differences(shown);
            return Some(format!("after {i} digests, at {at:.1} s / {then:.1} s: {difference}"));
        }
    };
    // Gaps are judged between digests that are not mere faces of one restart's wait.
    let marks: Vec<(usize, usize)> = pairs
        .iter()
        .enumerate()
        .filter(|(k, (i, _))| {
            *k == 0 || recorded[pairs[k - 1].0].1.without_backoff() != recorded[*i].1.without_backoff()
        })
        .map(|(_, pair)| *pair)
        .collect();
    for pair in marks.windows(2) {
        let ((i0, j0), (i1, j1)) = (pair[0], pair[1]);
        let (real, ours) = (recorded[i1].0 - recorded[i0].0, simulated[j1].0 - simulated[j0].0);
        let tolerance = if recorded[i0].1.starting() { STARTUP } else { SECONDS };
        let ratio = (ours + 1e-9) / (real + 1e-9);
        let apart = (recorded[i1].0 - simulated[j1].0).abs();
        if (real - ours).abs() > tolerance && apart > tolerance && !(1.0 / FACTOR..=FACTOR).contains(&ratio) {
            let phase = recorded[i1].1.title();
            return Some(format!(
                "gap before digest {i1} ({phase}): recorded {real:.1} s, simulated {ours:.1} s"
            ));
        }
    }
    marks.iter().find_map(|(i, j)| {
        let problem = recorded[*i].1.apart(&simulated[*j].1)?;
        Some(format!(
            "at {:.1} s / {:.1} s: {problem}",
            recorded[*i].0, simulated[*j].0
        ))
    })
}
