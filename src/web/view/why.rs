//! The chain of causes behind a record, in words.

use peapod_sim::trace::{Change, FieldChange, Record, RecordId, RuntimeEvent, Trace, What};
use serde::Serialize;
use serde_json::Value;

use super::timeline::Choice;
use crate::i18n::{Lang, Text, fill, time};
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
                actor: record.actor.clone(),
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

/// What a record says, and the rule behind it.
pub fn words(lang: Lang, record: &Record) -> (String, String) {
    let object = record
        .object
        .as_ref()
        .map_or_else(String::new, |object| format!("{} {}", object.kind, object.name));
    let container = record.container.clone().unwrap_or_default();
    let say = |text: Text, values: &[(&str, String)]| fill(lang, text.say(lang), values);
    let mut rule = String::new();
    let text = match &record.what {
        What::Command { text } => match (text.strip_prefix("kubectl "), text.contains("apiVersion")) {
            (Some(line), false) => say(Text::WhyKubectl, &[("text", first_line(line))]),
            _ => say(Text::WhyCommand, &[("text", summary_of_manifest(text))]),
        },
        What::Fault { text } => say(Text::WhyFault, &[("text", text.clone())]),
        What::Write {
            change: Change::Added, ..
        } => say(Text::WhyAdded, &[("object", object)]),
        What::Write {
            change: Change::Deleted,
            ..
        } => say(Text::WhyDeleted, &[("object", object)]),
        What::Write { summary, .. } => say(
            Text::WhyChanged,
            &[("object", object), ("change", changes(lang, summary))],
        ),
        What::Event { reason, message, .. } => say(
            Text::WhyEvent,
            &[("reason", reason.clone()), ("message", message.clone())],
        ),
        What::Decision {
            rule: source,
            code,
            values,
        } => {
            rule.clone_from(source);
            crate::lab::why::decision(lang, code, values).unwrap_or_else(|| {
                let values: Vec<_> = values.iter().map(|(name, value)| format!("{name} = {value}")).collect();
                let code = say(Text::WhyDecision, &[("code", code.clone())]);
                if values.is_empty() {
                    code
                } else {
                    format!("{code} ({})", values.join(", "))
                }
            })
        }
        What::Runtime { event } => runtime(lang, event, container),
        What::Probe { probe, result, message } => say(
            Text::WhyProbe,
            &[
                ("container", container),
                ("probe", probe.clone()),
                ("result", result.clone()),
                ("message", first_line(message)),
            ],
        ),
        What::Notice { text } => say(Text::WhyNotice, &[("text", text.clone())]),
    };
    (text.trim_end().to_owned(), rule)
}

fn runtime(lang: Lang, event: &RuntimeEvent, container: String) -> String {
    let say = |text: Text, values: &[(&str, String)]| fill(lang, text.say(lang), values);
    match event {
        RuntimeEvent::ImagePullStarted { image } => say(Text::WhyPullStarted, &[("image", image.clone())]),
        RuntimeEvent::ImagePullEnded { image, error: None } => say(Text::WhyPulled, &[("image", image.clone())]),
        RuntimeEvent::ImagePullEnded {
            image,
            error: Some(error),
        } => say(
            Text::WhyPullFailed,
            &[("image", image.clone()), ("error", error.clone())],
        ),
        RuntimeEvent::ImageRemoved { image } => say(Text::WhyImageRemoved, &[("image", image.clone())]),
        RuntimeEvent::SandboxReady { ip } => say(Text::WhySandboxReady, &[("ip", ip.clone())]),
        RuntimeEvent::SandboxStopped => say(Text::WhySandboxStopped, &[]),
        RuntimeEvent::Started => say(Text::WhyStarted, &[("container", container)]),
        RuntimeEvent::StartFailed { error } => say(
            Text::WhyStartFailed,
            &[("container", container), ("error", error.clone())],
        ),
        RuntimeEvent::Exited { exit_code, reason } => say(
            Text::WhyExited,
            &[
                ("container", container),
                ("code", exit_code.to_string()),
                ("reason", reason.clone()),
            ],
        ),
        RuntimeEvent::Signalled { signal } => say(
            Text::WhySignalled,
            &[("container", container), ("signal", signal.clone())],
        ),
        RuntimeEvent::Hook { hook, outcome } => say(
            Text::WhyHook,
            &[
                ("container", container),
                ("hook", hook.clone()),
                ("outcome", outcome.clone()),
            ],
        ),
    }
}

/// The changes that matter most, at most three: `status.phase Pending → Running`.
fn changes(lang: Lang, summary: &[FieldChange]) -> String {
    let short = |value: &Value| {
        let text = super::value(lang, value);
        if text.chars().count() > 48 {
            format!("{}…", text.chars().take(47).collect::<String>())
        } else {
            text
        }
    };
    let mut shown: Vec<&FieldChange> = summary.iter().collect();
    shown.sort_by_key(|change| match change.path.as_str() {
        "status.phase" => 0,
        path if path.ends_with(".state") || path.ends_with(".state.waiting.reason") => 1,
        path if path.starts_with("status.conditions") => 3,
        _ => 2,
    });
    shown
        .into_iter()
        .take(3)
        .map(|change| match &change.from {
            Value::Null => format!("{} = {}", change.path, short(&change.to)),
            from => format!("{} {} → {}", change.path, short(from), short(&change.to)),
        })
        .collect::<Vec<_>>()
        .join(", ")
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or("").chars().take(160).collect()
}

/// `Pod nginx` of a manifest's text, or its first line.
fn summary_of_manifest(text: &str) -> String {
    let value = |key: &str| {
        text.lines()
            .find_map(|line| line.trim_start().strip_prefix(key))
            .map(|rest| rest.trim().trim_matches(['"', '\'']).to_owned())
    };
    match (value("kind:"), value("name:")) {
        (Some(kind), Some(name)) => format!("{kind} {name}"),
        (Some(kind), None) => kind,
        _ => first_line(text),
    }
}
