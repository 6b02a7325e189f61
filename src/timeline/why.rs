//! The chain of causes behind a record, newest first.

use std::collections::{BTreeSet, BinaryHeap};

use peapod_sim::trace::{Record, RecordId, Trace, What};

/// At most so many links are walked.
const MAX_LINKS: usize = 40;

/// The record at `from` and the records that led to it, newest first. Of records that say nothing to a person (writes
/// without a change of a field) only the causes are taken.
pub fn chain(trace: &Trace, from: RecordId) -> Vec<(RecordId, &Record)> {
    let mut waiting = BinaryHeap::from([from]);
    let mut seen = BTreeSet::from([from]);
    let mut chain = Vec::new();
    // Causes are earlier than what they cause, so the greatest id is always the newest that is left.
    while let Some(id) = waiting.pop() {
        let Some(record) = trace.records.get(id as usize) else {
            continue;
        };
        if id == from || says_something(&record.what) {
            chain.push((id, record));
        }
        if chain.len() == MAX_LINKS {
            break;
        }
        for cause in record.causes.iter().copied().filter(|cause| *cause < id) {
            if seen.insert(cause) {
                waiting.push(cause);
            }
        }
    }
    chain
}

fn says_something(what: &What) -> bool {
    match what {
        What::Write { summary, change, .. } => !summary.is_empty() || *change != peapod_sim::trace::Change::Modified,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::timeline::instant::tests::crash_loop;

    #[test]
    fn a_failure_leads_back_to_the_person_who_applied_the_manifest() {
        let trace = crash_loop();
        let links = chain(&trace, 5);
        let ids: Vec<_> = links.iter().map(|(id, _)| *id).collect();
        assert_eq!(ids, [5, 4, 2, 1, 0]);
        assert!(matches!(links.last().unwrap().1.what, What::Command { .. }));
        assert!(chain(&trace, 999).is_empty());
    }
}
