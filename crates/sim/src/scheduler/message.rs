//! The sentence that says why a pod found no node (`pkg/scheduler/framework/types.go FitError.Error`).

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::cycle::Found;

/// Event messages are cut at this many bytes (`truncateMessage`); the condition keeps the whole text.
const MAX_EVENT_MESSAGE: usize = 1024;

/// `3 Insufficient cpu, 1 node(s) were unschedulable`: each reason with its count, sorted as texts.
fn histogram<'a>(reasons: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for reason in reasons {
        *counts.entry(reason).or_default() += 1;
    }
    let mut texts: Vec<String> = counts
        .into_iter()
        .map(|(reason, count)| format!("{count} {reason}"))
        .collect();
    texts.sort_unstable();
    texts
}

/// `0/3 nodes are available: …`, from the reasons of all nodes.
pub fn fit_error<'a>(nodes: usize, reasons: impl Iterator<Item = &'a str>) -> String {
    let texts = histogram(reasons);
    if texts.is_empty() {
        format!("0/{nodes} nodes are available:")
    } else {
        format!("0/{nodes} nodes are available: {}.", texts.join(", "))
    }
}

/// The whole sentence: what the filters said, then what preemption said, if it could not help.
pub fn unschedulable(nodes: usize, found: &Found, post_filter: Option<&str>) -> String {
    let mut text = match &found.pre_filter {
        Some((_, message)) => format!("0/{nodes} nodes are available: {message}."),
        None => {
            let excluded = "node(s) didn't satisfy plugin(s) [NodeAffinity]";
            let reasons = found
                .rejected
                .values()
                .flat_map(|rejection| rejection.reasons.iter().map(|reason| &**reason));
            fit_error(nodes, reasons.chain(std::iter::repeat_n(excluded, found.excluded)))
        }
    };
    if let Some(post_filter) = post_filter {
        text.push(' ');
        text.push_str(post_filter);
    }
    text
}

/// The message as its event carries it.
pub fn truncated(message: &str) -> Cow<'_, str> {
    const SUFFIX: &str = " ...";
    if message.len() <= MAX_EVENT_MESSAGE {
        return Cow::Borrowed(message);
    }
    let mut end = MAX_EVENT_MESSAGE - SUFFIX.len();
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    Cow::Owned(format!("{}{SUFFIX}", &message[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_sorted_as_texts() {
        let reasons = std::iter::repeat_n("b", 2)
            .chain(std::iter::repeat_n("a", 10))
            .chain(["c"]);
        assert_eq!(fit_error(13, reasons), "0/13 nodes are available: 1 c, 10 a, 2 b.");
    }

    #[test]
    fn long_messages_are_cut_in_events() {
        assert_eq!(truncated(&"x".repeat(1024)).len(), 1024);
        let cut = truncated(&"é".repeat(600)).into_owned();
        assert!(cut.len() <= 1024 && cut.ends_with(" ..."));
    }
}
