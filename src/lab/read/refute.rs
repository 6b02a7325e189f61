//! Where to look for counter-examples.

use peapod_yaml::Node;

use super::source::Source;
use super::steps;
use crate::lab::limit;
use crate::lab::model::{RefuteSpec, Vary};
use crate::lab::refute::path;

pub(super) const KEYS: &[&str] = &["vary", "faults", "at", "keep", "tries"];

/// Reads `refute`.
pub fn spec(source: &mut Source<'_>, node: &Node) -> RefuteSpec {
    let fields = source.fields(node, "`refute`", KEYS);
    let mut spec = RefuteSpec::default();
    if let Some(node) = fields.get("vary") {
        for (key, values) in source.mapping(node, "vary") {
            if path::parse(&key.name).is_none() {
                let message = format!("`{}` is no path of a field", key.name);
                source
                    .error("experiment.refute", message, key.span)
                    .hint("such as `spec.restartPolicy` or `spec.containers[app].image`");
                continue;
            }
            spec.vary.push(Vary {
                path: key.name.clone(),
                values: source.list(values, &key.name).iter().map(Node::to_json).collect(),
            });
        }
    }
    if let Some(node) = fields.get("faults") {
        let faults = source.list(node, "faults").iter();
        spec.faults = faults.filter_map(|node| steps::fault(source, node)).collect();
    }
    if let Some(node) = fields.get("at") {
        for item in source.list(node, "at") {
            match source.duration(item, "at") {
                Some(at) if at > limit::VIRTUAL_TIME => {
                    let message = "a trial may last 30 days of virtual time";
                    source.error("experiment.limit", message, item.span);
                }
                at => spec.at.extend(at),
            }
        }
    }
    if let Some(node) = fields.get("keep") {
        for item in source.list(node, "keep") {
            let Some(text) = source.text(item, "keep") else {
                continue;
            };
            if path::parse(&text).is_some() {
                spec.keep.push(text);
            } else {
                let message = format!("`{text}` is no path of a field");
                source.error("experiment.refute", message, item.span);
            }
        }
    }
    spec.tries = fields
        .get("tries")
        .and_then(|node| source.whole(node, "tries", 1, limit::TRIALS as u64))
        .and_then(|number| u32::try_from(number).ok());
    spec
}
