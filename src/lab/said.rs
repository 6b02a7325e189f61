//! What a record of a trace says, in words: one sentence for each link of a chain of causes.

use peapod_sim::trace::{Change, FieldChange, Record, RuntimeEvent, What};
use serde_json::Value;

use crate::i18n::{Lang, Text, fill};

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
            super::why::decision(lang, code, values).unwrap_or_else(|| {
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
        let text = self::value(lang, value);
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

/// A value of a variable or an observation as a person reads it.
pub fn value(lang: Lang, value: &Value) -> String {
    match value {
        Value::Null => Text::Missing.say(lang).to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items
            .iter()
            .map(|item| self::value(lang, item))
            .collect::<Vec<_>>()
            .join(" / "),
        other => other.to_string(),
    }
}
