//! What the reader is asked before the first run.

use peapod_yaml::{Node, Value};

use super::source::Source;
use crate::lab::model::{Predict, Variable};
use crate::lab::nearest;

pub(super) const KEYS: &[&str] = &["ask", "choices", "of", "count"];

/// Reads `predict`; `observed` are the names of the observations.
pub fn predict(source: &mut Source<'_>, node: &Node, variables: &[Variable], observed: &[&str]) -> Option<Predict> {
    let fields = source.fields(node, "`predict`", KEYS);
    let ask = fields.required(source, "ask")?;
    let ask = source.text(ask, "ask")?;
    let mut predict = Predict {
        ask,
        ..Predict::default()
    };
    if let Some(node) = fields.get("choices") {
        for item in source.list(node, "choices") {
            match source.scalar_text(item) {
                Some(text) => predict.choices.push(text),
                None => {
                    source.error("experiment.type", "a choice is a word or a number", item.span);
                }
            }
        }
    }
    if let Some(node) = fields.get("of") {
        let name = source.text(node, "of")?;
        if observed.contains(&name.as_str()) {
            predict.of = Some(name);
        } else {
            let hint = nearest::hint(&name, observed.iter().copied());
            let said = source.error(
                "experiment.predict",
                format!("there is no observation `{name}`"),
                node.span,
            );
            if let Some(hint) = hint {
                said.hint(hint);
            }
        }
    }
    if let Some(node) = fields.get("count") {
        for (key, value) in source.mapping(node, "count") {
            let known = || {
                observed
                    .iter()
                    .copied()
                    .chain(variables.iter().map(|variable| variable.name.as_str()))
            };
            if !known().any(|name| name == key.name) {
                let hint = nearest::hint(&key.name, known());
                let said = source.error(
                    "experiment.predict",
                    format!("there is no observation or variable `{}`", key.name),
                    key.span,
                );
                if let Some(hint) = hint {
                    said.hint(hint);
                }
                continue;
            }
            let values = match &value.value {
                Value::Sequence(_) => value.items().iter().map(Node::to_json).collect(),
                _ => vec![value.to_json()],
            };
            predict.count.insert(key.name.clone(), values);
        }
    }
    Some(predict)
}
