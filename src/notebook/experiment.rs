//! What could be written next in an experiment: its keys and values from the schema, functions and names in expressions,
//! fields of Kubernetes in its manifests, `kubectl` in its lines.

use std::collections::BTreeSet;

use serde_json::Value;

use super::complete::{Found, shell, yaml};
use super::session::View;
use super::source::{self, Source};
use crate::lab::expr::FUNCTIONS;
use crate::lab::schema;

/// Whether a text is an experiment, or the beginning of one.
pub(super) fn is_one(text: &str) -> bool {
    matches!(source::read(text), Ok(Source::Experiment(..)))
}

/// One line above the cursor that leads to it.
struct Parent<'t> {
    key: &'t str,
    column: usize,
    /// Whether a block of text (`|`) follows.
    is_block: bool,
    line: usize,
}

/// What could stand at the end of `before`, whose last line is `line`.
pub(super) fn complete(before: &str, line: &str, view: &View) -> Found {
    let nothing = (String::new(), Vec::new());
    let above: Vec<&str> = before[..before.len() - line.len()].lines().collect();
    let parents = parents(&above, line);
    // Inside a block of text stands a manifest or a line of the shell.
    if let Some((at, block)) = parents.iter().enumerate().find(|(_, parent)| parent.is_block) {
        let under = above.get(block.line + 1..).unwrap_or_default();
        let width = under
            .iter()
            .copied()
            .chain([line])
            .find(|line| !line.trim().is_empty())
            .map_or(0, |line| line.len() - line.trim_start().len());
        let cut = |line: &str| line.get(width..).unwrap_or_default().to_owned();
        let inner: Vec<String> = under.iter().map(|line| cut(line)).chain([cut(line)]).collect();
        let text = inner.join("\n");
        let last = inner.last().map_or("", String::as_str);
        return match block.key {
            "apply" | "manifest" => yaml(&text, &text, last),
            "kubectl" => shell(&format!("kubectl {last}"), view),
            _ => expression_or_key(before, &parents[at + 1..], block.key, last).unwrap_or(nothing),
        };
    }
    let trimmed = line.trim_start_matches([' ', '-']);
    match trimmed.split_once(": ") {
        Some((key, value)) => value_of(before, &parents, key.trim(), value.trim_start(), view).unwrap_or(nothing),
        None => keys(&above, &parents, trimmed),
    }
}

/// The keys around the last line, from the innermost.
fn parents<'t>(above: &[&'t str], line: &str) -> Vec<Parent<'t>> {
    let column = |line: &str| line.chars().take_while(|c| matches!(c, ' ' | '-')).count();
    let mut limit = column(line);
    let mut found = Vec::new();
    for (index, own) in above.iter().enumerate().rev() {
        let trimmed = own.trim_start_matches([' ', '-']);
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let (at, dash) = (column(own), own.chars().take_while(|c| *c == ' ').count());
        let Some((key, rest)) = trimmed.split_once(':') else {
            continue;
        };
        let rest = rest.trim();
        let is_block = rest.starts_with(['|', '>']);
        let opens = rest.is_empty() || is_block || rest.starts_with('#');
        if at < limit && opens {
            found.push(Parent {
                key: key.trim(),
                column: at,
                is_block,
                line: index,
            });
            limit = at;
        }
        // `- name: x` is one key deeper than its dash.
        if dash < at && dash < limit {
            limit = limit.min(dash + 1);
        }
        if limit == 0 {
            break;
        }
    }
    // What looks like a key inside a block of text is none.
    if let Some(outer) = found.iter().rposition(|parent| parent.is_block) {
        found.drain(..outer);
    }
    found
}

/// The schemas of a place: several where the experiment language allows several forms.
fn schemas<'s>(root: &'s Value, parents: &[Parent<'_>]) -> Vec<&'s Value> {
    let mut current = entered(root, vec![root]);
    for parent in parents.iter().rev() {
        let mut inside = Vec::new();
        for schema in &current {
            if let Some(own) = schema.pointer("/properties").and_then(|all| all.get(parent.key)) {
                inside.push(own);
            } else if let Some(own) = schema.get("additionalProperties").filter(|own| own.is_object()) {
                inside.push(own);
            }
        }
        current = entered(root, inside);
    }
    current
}

/// With references followed, alternatives and lists entered.
fn entered<'s>(root: &'s Value, mut waiting: Vec<&'s Value>) -> Vec<&'s Value> {
    let mut found: Vec<&Value> = Vec::new();
    while let Some(schema) = waiting.pop() {
        if found.len() > 200 || found.iter().any(|known| std::ptr::eq(*known, schema)) {
            continue;
        }
        found.push(schema);
        if let Some(name) = schema
            .get("$ref")
            .and_then(Value::as_str)
            .and_then(|name| name.strip_prefix("#/$defs/"))
        {
            waiting.extend(root.pointer(&format!("/$defs/{name}")));
        }
        for key in ["anyOf", "oneOf"] {
            waiting.extend(schema.get(key).and_then(Value::as_array).into_iter().flatten());
        }
        waiting.extend(schema.get("items"));
    }
    found
}

fn keys(above: &[&str], parents: &[Parent<'_>], word: &str) -> Found {
    let root = schema();
    let places = schemas(&root, parents);
    // What stands beside the cursor in the same mapping is there already.
    let column = parents.first().map_or(0, |parent| parent.column + 1);
    let from = parents.first().map_or(0, |parent| parent.line + 1);
    let siblings: BTreeSet<&str> = above
        .get(from..)
        .unwrap_or_default()
        .iter()
        .rev()
        .take_while(|line| !line.trim_start().starts_with("- ") || parents.is_empty())
        .filter(|line| line.len() - line.trim_start_matches([' ', '-']).len() >= column)
        .filter_map(|line| line.trim().split_once(':').map(|(key, _)| key))
        .collect();
    let is_top = parents.is_empty();
    let names = places
        .iter()
        .filter_map(|schema| schema.get("properties")?.as_object())
        .flat_map(|fields| fields.keys());
    let mut found: Vec<(String, &'static str)> = names
        .filter(|name| !(is_top && siblings.contains(name.as_str())))
        .map(|name| (format!("{name}: "), "key"))
        .collect();
    found.sort();
    found.dedup();
    (word.to_owned(), found)
}

fn value_of(before: &str, parents: &[Parent<'_>], key: &str, value: &str, view: &View) -> Option<Found> {
    if key == "kubectl" {
        return Some(shell(&format!("kubectl {value}"), view));
    }
    expression_or_key(before, parents, key, value)
}

/// The values that the schema names, or names and functions where an expression stands.
fn expression_or_key(before: &str, parents: &[Parent<'_>], key: &str, value: &str) -> Option<Found> {
    let root = schema();
    let mut here: Vec<Parent<'_>> = vec![Parent {
        key,
        column: 0,
        is_block: false,
        line: 0,
    }];
    here.extend(parents.iter().map(|parent| Parent { ..*parent }));
    let places = schemas(&root, &here);
    let is_expression = places
        .iter()
        .any(|schema| schema.get("$ref").and_then(Value::as_str) == Some("#/$defs/expression"));
    if is_expression {
        let word: String = value
            .chars()
            .rev()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .collect();
        // Behind a dot stands a field, and inside quotes a name of the cluster.
        let head = value.strip_suffix(&word)?;
        if head.ends_with('.') || head.matches('\'').count() % 2 == 1 {
            return None;
        }
        let mut found: Vec<(String, &'static str)> =
            FUNCTIONS.iter().map(|name| (format!("{name}("), "function")).collect();
        for (section, kind) in [("variables", "variable"), ("observe", "observation")] {
            found.extend(declared(before, section).into_iter().map(|name| (name, kind)));
        }
        return Some((word, found));
    }
    let mut found = Vec::new();
    for schema in places {
        let own = schema.get("enum").and_then(Value::as_array).into_iter().flatten();
        for value in own.chain(schema.get("const")) {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            found.push((text, "value"));
        }
        if schema.get("type").and_then(Value::as_str) == Some("boolean") {
            found.extend([("true".to_owned(), "value"), ("false".to_owned(), "value")]);
        }
    }
    found.sort();
    found.dedup();
    Some((value.to_owned(), found))
}

/// The names that a section at the top declares.
fn declared(text: &str, section: &str) -> Vec<String> {
    let mut lines = text.lines();
    let head = format!("{section}:");
    let Some(first) = lines.by_ref().find(|line| line.starts_with(&head)) else {
        return Vec::new();
    };
    let name = |part: &str| -> Option<String> {
        let (key, _) = part.trim().split_once(':')?;
        let key = key.trim().trim_matches(['"', '\'']);
        (!key.is_empty() && !key.contains(' ')).then(|| key.to_owned())
    };
    // `variables: {a: [1, 2], b: [x]}` or one a line.
    let own = first[head.len()..].trim();
    if let Some(flow) = own.strip_prefix('{') {
        let mut depth = 0_i32;
        return flow
            .split(|c| {
                depth += i32::from(matches!(c, '[' | '{' | '(')) - i32::from(matches!(c, ']' | '}' | ')'));
                c == ',' && depth == 0
            })
            .filter_map(name)
            .collect();
    }
    lines
        .take_while(|line| line.starts_with(' ') || line.trim().is_empty())
        .filter(|line| line.len() - line.trim_start().len() <= 4)
        .filter_map(name)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::complete::complete;
    use super::View;

    fn words(text: &str) -> Vec<String> {
        let found = complete(text, text.chars().count(), &View::default());
        found.matches.into_iter().map(|(word, _)| word).collect()
    }

    const HEAD: &str = "id: a\nvariables: {policy: [Always, Never], code: [0, 1]}\n";

    #[test]
    fn keys_and_values_come_from_the_schema() {
        for (text, expected) in [
            ("ste", vec!["steps: "]),
            ("obs", vec!["observe: "]),
            ("steps:\n  - ap", vec!["apply: "]),
            ("steps:\n- wait:\n    time", vec!["timeout: "]),
            ("steps:\n- fault:\n    power", vec!["powerOff: "]),
            ("expect:\n  - claim: x\n    event", vec!["eventually: "]),
            ("expect:\n  - verdict: f", vec!["fails"]),
            ("jitter: n", vec!["none"]),
            (
                "kubernetes: 1.3",
                vec!["1.30", "1.31", "1.32", "1.33", "1.34", "1.35", "1.36"],
            ),
            ("predict:\n  as", vec!["ask: "]),
            ("cluster:\n  nodes:\n  - mem", vec!["memory: "]),
        ] {
            assert_eq!(words(&format!("{HEAD}{text}")), expected, "{text}");
        }
        assert!(words("").contains(&"$ kubectl ".to_owned()));
        assert!(!words("id: a\nsteps: []\nexpect: []\n").contains(&"id: ".to_owned()));
    }

    #[test]
    fn expressions_know_functions_and_names() {
        assert_eq!(
            words(&format!("{HEAD}observe:\n  phase: po")),
            ["pod(", "pods(", "policy"]
        );
        assert_eq!(
            words(&format!("{HEAD}observe:\n  phase: 1\nexpect:\n  - when: pol")),
            ["policy"]
        );
        assert_eq!(
            words(&format!("{HEAD}observe:\n  phase: 1\nexpect:\n  - finally: pha")),
            ["phase"]
        );
        assert!(words(&format!("{HEAD}observe:\n  phase: pod('de")).is_empty());
    }

    #[test]
    fn manifests_inside_know_their_fields() {
        let text =
            format!("{HEAD}steps:\n  - apply: |\n      apiVersion: v1\n      kind: Pod\n      spec:\n        restartP");
        assert_eq!(words(&text), ["restartPolicy: "]);
        assert!(words(&format!("{HEAD}steps:\n  - kubectl: get deploym")).contains(&"deployments".to_owned()));
    }
}
