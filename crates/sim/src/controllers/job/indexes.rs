//! Sets of completion indexes, written as `1,3-5,7` (`pkg/controller/job/indexed_job_utils.go`).

use crate::core;
use std::collections::BTreeSet;
use std::fmt;

/// The annotation and label that tell a pod's completion index.
pub const COMPLETION_INDEX: &str = "batch.kubernetes.io/job-completion-index";
/// How often the pods of this index failed before.
pub const FAILURE_COUNT: &str = "batch.kubernetes.io/job-index-failure-count";
/// How often they failed without it being counted.
pub const IGNORED_FAILURE_COUNT: &str = "batch.kubernetes.io/job-index-ignored-failure-count";

/// A set of completion indexes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Indexes(BTreeSet<usize>);

impl Indexes {
    /// Reads a text; what is corrupt in it is left out, and so is what reaches `completions` (`parseIndexesFromString`).
    pub fn parse(text: &str, completions: usize) -> Self {
        let mut indexes = BTreeSet::new();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let mut limits = part.split('-');
            let Some(first) = limits.next().and_then(|text| text.parse::<usize>().ok()) else {
                continue;
            };
            if first >= completions {
                break;
            }
            let last = match limits.next().map(str::parse::<usize>) {
                None => first,
                Some(Ok(last)) => last.min(completions - 1),
                Some(Err(_)) => continue,
            };
            indexes.extend(first..=last);
        }
        Self(indexes)
    }

    /// How many there are.
    pub fn total(&self) -> usize {
        self.0.len()
    }

    /// Whether an index is among them.
    pub fn has(&self, index: usize) -> bool {
        self.0.contains(&index)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds indexes.
    pub fn extend(&mut self, indexes: impl IntoIterator<Item = usize>) {
        self.0.extend(indexes);
    }

    /// The first `count` indexes below `completions` that are not among them.
    pub fn first_missing(&self, count: usize, completions: usize) -> Vec<usize> {
        (0..completions).filter(|index| !self.has(*index)).take(count).collect()
    }

    /// How many are in both.
    pub fn common(&self, other: &Self) -> usize {
        self.0.intersection(&other.0).count()
    }
}

impl fmt::Display for Indexes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.iter().copied().peekable();
        let mut separator = "";
        while let Some(first) = rest.next() {
            let mut last = first;
            while rest.next_if_eq(&(last + 1)).is_some() {
                last += 1;
            }
            write!(f, "{separator}{first}")?;
            separator = ",";
            if last > first {
                // Two neighbours are written one by one.
                write!(f, "{}{last}", if last == first + 1 { "," } else { "-" })?;
            }
        }
        Ok(())
    }
}

/// The completion index of a pod.
pub fn index_of(pod: &core::Pod) -> Option<usize> {
    pod.metadata.annotations.as_ref()?.get(COMPLETION_INDEX)?.parse().ok()
}

fn count(pod: &core::Pod, annotation: &str) -> i32 {
    let text = pod
        .metadata
        .annotations
        .as_ref()
        .and_then(|annotations| annotations.get(annotation));
    text.and_then(|text| text.parse().ok())
        .filter(|count| *count >= 0)
        .unwrap_or(0)
}

/// How often this pod's index failed before it.
pub fn failure_count(pod: &core::Pod) -> i32 {
    count(pod, FAILURE_COUNT)
}

/// How often this pod's index failed before it without being counted.
pub fn ignored_failure_count(pod: &core::Pod) -> i32 {
    count(pod, IGNORED_FAILURE_COUNT)
}
