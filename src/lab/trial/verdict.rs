//! What is said of an expectation: why it failed, and what stands at the end.

use std::collections::BTreeMap;

use peapod_sim::objects::{Key, Kind};
use peapod_sim::time::{SimDuration, SimTime};
use serde_json::Value;

use super::Watched;
use crate::lab::cell::agrees;
use crate::lab::expr::{Node, Op, Scope, Val, View};
use crate::lab::model::{Condition, ExpectationOutcome, Outcome};
use crate::lab::temporal::outcome;

/// What an expectation saw that decided it.
pub(super) fn sentence(watched: &Watched<'_>, decided: Outcome, at: Option<SimTime>) -> String {
    let text = watched.expectation.condition.text();
    let at = at
        .map(|at| SimDuration(at.0 / 1_000_000 * 1_000_000).to_string())
        .unwrap_or_default();
    let seen = watched
        .seen
        .as_ref()
        .map(|seen| format!(" ({seen})"))
        .unwrap_or_default();
    let bounds = [
        ("within", watched.expectation.within),
        ("for", watched.expectation.lasting),
    ];
    let bounds: String = bounds
        .iter()
        .filter_map(|(word, span)| span.map(|span| format!(" {word} {span}")))
        .collect();
    match (&watched.expectation.condition, decided) {
        (_, Outcome::Undecided) => format!("the trial ended before `{text}` was decided"),
        (Condition::Eventually(_), _) => format!("`{text}` did not come to hold{bounds}{seen}"),
        (Condition::Always(_), _) => format!("at {at} `{text}` did not hold{seen}"),
        (Condition::Never(_), _) => format!("at {at} `{text}` held{bounds}{seen}"),
        (Condition::Finally(_), _) => format!("at the end `{text}` did not hold{bounds}{seen}"),
        (Condition::Until(first, _), _) => format!(
            "at {at} `{}` did not hold, or the end of it never came{seen}",
            first.text
        ),
        (Condition::Shape(_) | Condition::Prints { .. }, _) => String::new(),
    }
}

/// The value that made a comparison true or false, such as `it was Running`.
pub(super) fn witness(node: &Node, scope: &Scope<'_>) -> Option<String> {
    // The scope borrows what it evaluates, so the parts are evaluated in a scope of their own.
    fn value(node: &Node, scope: &Scope<'_>) -> Value {
        let own = Scope::new(scope.view, scope.now, scope.tracked);
        own.eval(node).to_json()
    }
    match node {
        Node::And(left, right) => {
            let left_holds = value(left, scope) == Value::Bool(true);
            witness(if left_holds { right } else { left }, scope)
        }
        Node::Or(left, right) => {
            let left_holds = value(left, scope) == Value::Bool(true);
            witness(if left_holds { left } else { right }, scope)
        }
        Node::Not(of) => witness(of, scope),
        Node::Infix(op, left, right)
            if !matches!(op, Op::Add | Op::Subtract | Op::Multiply | Op::Divide | Op::Modulo) =>
        {
            let shown = if matches!(**left, Node::Const(_) | Node::Time) {
                right
            } else {
                left
            };
            Some(match value(shown, scope) {
                Value::Null => "it was not there".to_owned(),
                Value::String(text) => format!("it was {text}"),
                other => {
                    let text = other.to_string();
                    if text.chars().count() > 60 {
                        return None;
                    } else {
                        format!("it was {text}")
                    }
                }
            })
        }
        _ => None,
    }
}

pub(super) fn at_the_end(
    condition: &Condition,
    view: &View,
    outputs: &BTreeMap<usize, String>,
    now: SimTime,
) -> ExpectationOutcome {
    match condition {
        Condition::Shape(shape) => {
            let text = |pointer: &str| shape.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            let (kind, name) = (text("/kind"), text("/metadata/name"));
            let namespace = shape
                .pointer("/metadata/namespace")
                .and_then(Value::as_str)
                .unwrap_or("default");
            let object = Kind::named(kind).and_then(|kind| view.get(&Key::new(kind, namespace, name)));
            match object.map(|object| difference("", shape, object)) {
                Some(None) => outcome(Outcome::Holds, Some(now), String::new()),
                Some(Some(difference)) => outcome(Outcome::Fails, Some(now), difference),
                None => outcome(
                    Outcome::Fails,
                    Some(now),
                    format!("at the end there is no {kind} `{name}`"),
                ),
            }
        }
        Condition::Prints { step, command, output } => match outputs.get(step) {
            None => outcome(Outcome::Undecided, None, format!("`{command}` was not run")),
            Some(printed) if agrees(output, printed) => outcome(Outcome::Holds, Some(now), String::new()),
            Some(printed) => outcome(
                Outcome::Fails,
                Some(now),
                format!("`{command}` printed:\n{}", printed.trim_end()),
            ),
        },
        _ => outcome(Outcome::Undecided, None, String::new()),
    }
}

/// The first field in which an object is not as a partial one says. Items of lists are found by their `name` or `type`, or by
/// their place.
fn difference(path: &str, wanted: &Value, found: &Value) -> Option<String> {
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => wanted.iter().find_map(|(key, wanted)| {
            let path = if path.is_empty() {
                key.clone()
            } else {
                format!("{path}.{key}")
            };
            difference(&path, wanted, found.get(key).unwrap_or(&Value::Null))
        }),
        (Value::Array(wanted), Value::Array(found)) => wanted.iter().enumerate().find_map(|(index, wanted)| {
            let identity = ["name", "type"]
                .into_iter()
                .find_map(|key| Some((key, wanted.get(key)?)));
            let item = match identity {
                Some((key, name)) => found.iter().find(|item| item.get(key) == Some(name)),
                None => found.get(index),
            };
            let label = identity
                .and_then(|(_, name)| name.as_str())
                .map_or(index.to_string(), str::to_owned);
            difference(&format!("{path}[{label}]"), wanted, item.unwrap_or(&Value::Null))
        }),
        _ if Val::of(wanted).equals(&Val::of(found)) => None,
        (_, Value::Null) => Some(format!("at the end `{path}` is not there, and {wanted} is expected")),
        _ => Some(format!("at the end `{path}` is {found}, and {wanted} is expected")),
    }
}
