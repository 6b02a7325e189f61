//! The chain of causes behind a record, in words.

use peapod_sim::trace::{Record, RecordId, RuntimeEvent, Trace, What};
use serde::Serialize;

use super::timeline::Choice;
use crate::i18n::{Lang, time};
use crate::lab::said::words;
use crate::timeline::why::chain;

/// One link of the chain.
#[derive(Debug, Serialize)]
pub struct LinkView {
    /// When, on a clock.
    pub clock: String,
    /// The page at that instant, with the chain from there.
    pub href: String,
    /// What happened.
    pub text: String,
    /// Who did it.
    pub actor: String,
    /// The upstream function whose rule it is, empty if it is none.
    pub rule: String,
    /// Where the source of the rule can be read.
    pub source: Option<String>,
    /// The page of the Kubernetes documentation that says so.
    pub page: Option<String>,
    /// Class of the state that it stands for, if any.
    pub class: &'static str,
}

/// The chain behind a record, newest first.
pub fn view(lang: Lang, trace: &Trace, from: RecordId, choice: &Choice) -> Vec<LinkView> {
    chain(trace, from)
        .into_iter()
        .map(|(id, record)| {
            let (text, rule) = words(lang, record);
            let page = match &record.what {
                What::Decision { code, .. } => crate::lab::why::page(lang, code),
                _ => None,
            };
            LinkView {
                clock: time::clock(record.at),
                href: choice.href(record.at, Some(id)),
                text,
                actor: record.actor.to_string(),
                source: crate::lab::why::source(&rule),
                rule,
                page,
                class: class(record),
            }
        })
        .collect()
}

fn class(record: &Record) -> &'static str {
    match &record.what {
        What::Runtime {
            event: RuntimeEvent::Exited { exit_code, .. },
        } if *exit_code == 0 => "s-succeeded",
        What::Runtime {
            event: RuntimeEvent::Exited { .. } | RuntimeEvent::StartFailed { .. },
        } => "s-failed",
        What::Runtime {
            event: RuntimeEvent::Started | RuntimeEvent::SandboxReady { .. },
        } => "s-running",
        What::Event { kind, .. } if kind == "Warning" => "s-failed",
        What::Fault { .. } => "s-terminating",
        What::Probe { result, .. } if result == "failure" => "s-failed",
        What::Write { summary, .. } => summary
            .iter()
            .find(|change| change.path == "status.phase")
            .and_then(|change| change.to.as_str())
            .and_then(crate::timeline::State::of_word)
            .map_or("", state_class),
        _ => "",
    }
}

/// The class of a state with its prefix.
pub fn state_class(state: crate::timeline::State) -> &'static str {
    use crate::timeline::State;
    match state {
        State::Pending => "s-pending",
        State::Running => "s-running",
        State::Succeeded => "s-succeeded",
        State::Failed | State::Warning => "s-failed",
        State::Unknown => "s-unknown",
        State::Waiting => "s-waiting",
        State::Terminating | State::Fault => "s-terminating",
        State::Normal | State::Step => "",
    }
}
