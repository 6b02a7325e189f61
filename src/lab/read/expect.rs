//! The expectations of an experiment.

use peapod_sim::objects::{Kind, RESOURCES};
use peapod_yaml::{Node, Value};

use super::source::{Fields, Source};
use crate::lab::model::{Condition, Expectation, Verdict};
use crate::lab::nearest;

pub(super) const KEYS: &[&str] = &[
    "claim",
    "when",
    "eventually",
    "always",
    "never",
    "finally",
    "until",
    "shape",
    "within",
    "for",
    "after",
    "of",
    "verdict",
];
pub(super) const FORMS: &[&str] = &["eventually", "always", "never", "finally", "until", "shape"];
pub(super) const VERDICTS: &[(&str, Verdict)] = &[
    ("holds", Verdict::Holds),
    ("fails", Verdict::Fails),
    ("depends", Verdict::Depends),
];

pub(super) const UNTIL_KEYS: &[&str] = &["a", "b"];
/// Bounds, and the forms with which they make no sense.
pub(super) const APART: &[(&str, &[&str])] = &[
    ("within", &["finally", "shape"]),
    ("for", &["until", "shape"]),
    ("after", &["finally", "shape"]),
];

/// Reads `expect`.
pub fn expectations(source: &mut Source<'_>, node: &Node) -> Vec<Expectation> {
    source
        .list(node, "expect")
        .iter()
        .filter_map(|item| expectation(source, item))
        .collect()
}

fn expectation(source: &mut Source<'_>, node: &Node) -> Option<Expectation> {
    let fields = source.fields(node, "an expectation", KEYS);
    let claim = fields
        .get("claim")
        .and_then(|node| source.text(node, "claim"))
        .unwrap_or_default();
    let (claim, block) = match claim.strip_prefix('^') {
        Some(block) => (String::new(), Some(block.to_owned())),
        None => (claim, None),
    };
    if let (Some(block), Some(at)) = (&block, fields.get("claim"))
        && (block.is_empty() || !block.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'))
    {
        source
            .error(
                "experiment.claim",
                "a block id has letters a–z, digits and `-`",
                at.span,
            )
            .hint("such as `^never-fails`");
    }
    let when = fields.get("when").and_then(|node| source.expression(node, "when"));
    let forms: Vec<&str> = FORMS
        .iter()
        .copied()
        .filter(|form| fields.get(form).is_some())
        .collect();
    let condition = match forms.as_slice() {
        [form] => condition(source, &fields, form),
        [] => {
            if matches!(node.value, Value::Mapping(_)) {
                let message = "this expectation does not say what to expect";
                source
                    .error("experiment.expect", message, node.span)
                    .hint(format!("one of {}", FORMS.join(", ")));
            }
            None
        }
        several => {
            let message = format!(
                "an expectation has one form, and this one has {}",
                several.join(" and ")
            );
            source
                .error("experiment.expect", message, node.span)
                .hint("begin a new item with `- `");
            None
        }
    };
    let duration = |source: &mut Source<'_>, key: &str| fields.get(key).and_then(|node| source.duration(node, key));
    let (within, lasting, after) = (
        duration(source, "within"),
        duration(source, "for"),
        duration(source, "after"),
    );
    for (key, forbidden) in APART {
        if let (Some(at), Some(form)) = (fields.key(key), forms.iter().find(|form| forbidden.contains(form))) {
            source.error("experiment.expect", format!("`{key}` does not go with `{form}`"), at);
        }
    }
    let of = fields.get("of").and_then(|node| match &node.value {
        Value::Sequence(_) => {
            source
                .error("experiment.type", "`of` needs a wikilink as text", node.span)
                .hint("put it into quotes: \"[[note]]\"");
            None
        }
        _ => source.text(node, "of"),
    });
    let expected = fields
        .get("verdict")
        .and_then(|node| source.choice(node, "verdict", VERDICTS))
        .unwrap_or(Verdict::Holds);
    Some(Expectation {
        claim,
        block,
        when,
        condition: condition?,
        within,
        lasting,
        after,
        of,
        expected,
        place: source.place(node.span),
    })
}

fn condition(source: &mut Source<'_>, fields: &Fields<'_>, form: &str) -> Option<Condition> {
    let value = fields.get(form)?;
    let expression = |source: &mut Source<'_>| source.expression(value, form);
    Some(match form {
        "eventually" => Condition::Eventually(expression(source)?),
        "always" => Condition::Always(expression(source)?),
        "never" => Condition::Never(expression(source)?),
        "finally" => Condition::Finally(expression(source)?),
        "until" => {
            let fields = source.fields(value, "`until`", UNTIL_KEYS);
            let a = fields
                .required(source, "a")
                .and_then(|node| source.expression(node, "a"));
            let b = fields
                .required(source, "b")
                .and_then(|node| source.expression(node, "b"));
            Condition::Until(a?, b?)
        }
        _ => {
            let fields = source.mapping(value, "`shape`");
            if fields.is_empty() {
                return None;
            }
            let kind = value.get("kind").and_then(Node::as_str);
            let name = value.at("/metadata/name").and_then(Node::as_str);
            let (Some(kind), Some(_)) = (kind, name) else {
                source.error(
                    "experiment.shape",
                    "`shape` needs `kind` and `metadata.name` of the object that is meant",
                    value.span,
                );
                return None;
            };
            if Kind::named(kind).is_none() {
                let known: Vec<&str> = RESOURCES.iter().map(|resource| resource.name).collect();
                let at = value.get("kind").map_or(value.span, |node| node.span);
                let hint = nearest::hint(kind, known.iter().copied());
                let said = source.error("experiment.shape", format!("the cluster knows no kind `{kind}`"), at);
                if let Some(hint) = hint {
                    said.hint(hint);
                }
                return None;
            }
            Condition::Shape(value.to_json())
        }
    })
}
