//! What could be written next, and whether a cell is at its end.

use std::collections::BTreeSet;

use peapod_kubectl::{command, resources};
use peapod_sim::objects::Kind;
use peapod_sim::version::Version;
use peapod_yaml::Dialect;
use serde_json::Value;

use super::experiment;
use super::magic::{MAGICS, RESET_FLAGS};
use super::session::View;
use super::source::{self, Source, Typed, top_key};
use crate::lab::expr::schema::{Type, of_kind};
use crate::workstation::goes_on;

/// Proposals of one place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Completion {
    /// From where the proposals stand in place of what is written, in characters.
    pub start: usize,
    /// Up to where.
    pub end: usize,
    /// The words, and of what kind each is (`command`, `flag`, `kind`, `object`, `field`, `magic`, `file`).
    pub matches: Vec<(String, &'static str)>,
}

/// What could stand at the cursor, which counts characters.
pub fn complete(text: &str, cursor: usize, view: &View) -> Completion {
    let characters: Vec<char> = text.chars().collect();
    let cursor = cursor.min(characters.len());
    let before: String = characters[..cursor].iter().collect();
    let line = before.rsplit('\n').next().unwrap_or_default();
    let head = line.trim_start();
    let bare = is_bare(text);
    let (word, mut found) = if head.starts_with('%') {
        magic(head, before.trim_start().starts_with(head), view)
    } else if head.starts_with("$ ") || bare {
        shell(head.strip_prefix("$ ").unwrap_or(head), view)
    } else if experiment::is_one(text) {
        experiment::complete(&before, line, view)
    } else {
        yaml(text, &before, line)
    };
    found.retain(|(known, _)| known.starts_with(word.as_str()));
    found.sort();
    found.dedup_by(|left, right| left.0 == right.0);
    Completion {
        start: cursor - word.chars().count(),
        end: cursor,
        matches: found,
    }
}

/// Whether the cell has lines of the shell without a prompt.
fn is_bare(text: &str) -> bool {
    let first = text
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with('#'));
    first.is_some_and(|line| {
        line == "kubectl" || line.starts_with("kubectl ") || line.starts_with("%%sh") || line.starts_with("%%bash")
    })
}

pub(super) type Found = (String, Vec<(String, &'static str)>);

fn magic(head: &str, is_first: bool, view: &View) -> Found {
    let mut words = head.split_whitespace();
    let name = words.next().unwrap_or_default();
    if name.len() == head.len() {
        let known = MAGICS.iter().filter(|magic| is_first || !magic.name.starts_with("%%"));
        return (
            name.to_owned(),
            known.map(|magic| (magic.name.to_owned(), "magic")).collect(),
        );
    }
    let word = last_word(head);
    let given = words.count() - usize::from(!word.is_empty());
    let texts = |texts: &[&str], what: &'static str| texts.iter().map(|text| ((*text).to_owned(), what)).collect();
    let versions = || Version::all().map(|version| (version.to_string(), "version")).collect();
    let found = match (name, given) {
        ("%until", 0) | ("%why" | "%timeline", 0) => objects(view),
        ("%until", 1) => texts(
            &[
                "Ready",
                "Available",
                "Complete",
                "Failed",
                "Running",
                "Succeeded",
                "Pending",
                "deleted",
            ],
            "condition",
        ),
        ("%profile", 0) => versions(),
        ("%reset", _)
            if head
                .trim_end_matches(|c: char| !c.is_whitespace())
                .trim_end()
                .ends_with("--profile") =>
        {
            versions()
        }
        ("%reset", _) => texts(RESET_FLAGS, "flag"),
        _ => Vec::new(),
    };
    (word, found)
}

fn last_word(text: &str) -> String {
    text.rsplit(char::is_whitespace).next().unwrap_or_default().to_owned()
}

/// `pod/web` …
fn objects(view: &View) -> Vec<(String, &'static str)> {
    let mut found = Vec::new();
    for resource in resources::RESOURCES {
        for name in names(view, resource.kind, None) {
            found.push((format!("{}/{name}", resource.singular), "object"));
        }
    }
    found
}

fn names(view: &View, kind: &str, namespace: Option<&str>) -> BTreeSet<String> {
    let objects = view.objects.get(kind).into_iter().flatten();
    objects
        .filter(|object| {
            let own = object.pointer("/metadata/namespace").and_then(Value::as_str);
            own.is_none() || namespace.is_none() || own == namespace
        })
        .filter_map(|object| Some(object.pointer("/metadata/name")?.as_str()?.to_owned()))
        .collect()
}

/// Programs that people pipe into.
const PROGRAMS: &[&str] = &[
    "awk", "cat", "cut", "date", "diff", "echo", "grep", "head", "kubectl", "ls", "sed", "sleep", "sort", "tail",
    "tee", "timeout", "tr", "uniq", "watch", "wc", "xargs",
];

pub(super) fn shell(line: &str, view: &View) -> Found {
    // Only the command in which the cursor is.
    let own = line
        .rsplit(['|', ';', '&', '(', '`'])
        .next()
        .unwrap_or(line)
        .trim_start();
    let word = last_word(own);
    let words: Vec<&str> = own.split_whitespace().collect();
    let before = words.len() - usize::from(!word.is_empty());
    let files = || view.files.iter().map(|file| (file.clone(), "file")).collect::<Vec<_>>();
    if before == 0 {
        return (
            word,
            PROGRAMS.iter().map(|name| ((*name).to_owned(), "command")).collect(),
        );
    }
    if words.first() != Some(&"kubectl") {
        return (word, files());
    }
    let given = &words[1..before];
    (word.clone(), kubectl(given, &word, view, files))
}

fn kubectl(
    given: &[&str],
    word: &str,
    view: &View,
    files: impl Fn() -> Vec<(String, &'static str)>,
) -> Vec<(String, &'static str)> {
    let flag = |names: &[&str]| {
        let at = given.iter().position(|word| names.contains(word))?;
        given.get(at + 1).copied()
    };
    let namespace = match given.iter().any(|word| matches!(*word, "-A" | "--all-namespaces")) {
        true => None,
        false => Some(flag(&["-n", "--namespace"]).unwrap_or("default")),
    };
    let as_objects = |names: BTreeSet<String>| names.into_iter().map(|name| (name, "object")).collect::<Vec<_>>();
    let texts =
        |texts: &[&str], what: &'static str| texts.iter().map(|text| ((*text).to_owned(), what)).collect::<Vec<_>>();
    match given.last().copied() {
        Some("-n" | "--namespace") => return as_objects(names(view, "Namespace", None)),
        Some("-o" | "--output") => {
            return texts(
                &["wide", "yaml", "json", "name", "jsonpath=", "custom-columns="],
                "value",
            );
        }
        Some("-f" | "--filename") => return files(),
        Some("-c" | "--container") => return containers(view, given),
        _ => {}
    }
    // Values of flags are no arguments.
    let mut arguments = Vec::new();
    let mut skip = false;
    let verb = given
        .iter()
        .find(|word| !word.starts_with('-'))
        .copied()
        .unwrap_or_default();
    let flags = command::flags(verb);
    for own in given {
        if std::mem::take(&mut skip) {
            continue;
        }
        if own.starts_with('-') {
            let needs = |(flag, value): &(String, bool)| flag == own && *value;
            skip = matches!(*own, "-n" | "-l" | "-f" | "-c" | "-o") || flags.iter().any(needs);
            continue;
        }
        arguments.push(*own);
    }
    if word.starts_with('-') {
        return flags.into_iter().map(|(flag, _)| (flag, "flag")).collect();
    }
    let Some((verb, rest)) = arguments.split_first() else {
        return command::names().map(|name| (name.to_owned(), "command")).collect();
    };
    let subcommands = command::subcommands(verb);
    let (rest, chosen) = match rest.split_first() {
        Some((first, more)) if subcommands.contains(first) => (more, true),
        _ => (rest, false),
    };
    if !subcommands.is_empty() && !chosen && rest.is_empty() && *verb != "apply" {
        return texts(subcommands, "command");
    }
    let pods = matches!(*verb, "logs" | "exec" | "attach" | "debug");
    if *verb == "run" || *verb == "create" {
        return Vec::new();
    }
    if matches!(*verb, "cordon" | "uncordon" | "drain") {
        return as_objects(names(view, "Node", None));
    }
    if let Some((kind, start)) = word.split_once('/')
        && let Some(resource) = resources::find(kind)
    {
        let own = names(view, resource.kind, namespace).into_iter();
        return own
            .filter(|name| name.starts_with(start))
            .map(|name| (format!("{kind}/{name}"), "object"))
            .collect();
    }
    match rest.first() {
        None if pods => as_objects(names(view, "Pod", namespace)),
        None => resources::RESOURCES
            .iter()
            .flat_map(|resource| {
                [resource.plural, resource.singular]
                    .into_iter()
                    .chain(resource.short.iter().copied())
            })
            .chain(["all"])
            .map(|name| (name.to_owned(), "kind"))
            .collect(),
        Some(kind) => match resources::find(kind) {
            Some(resource) => as_objects(names(view, resource.kind, namespace)),
            None => Vec::new(),
        },
    }
}

/// The containers of the pod that a command line names.
fn containers(view: &View, given: &[&str]) -> Vec<(String, &'static str)> {
    let pods = view.objects.get("Pod").into_iter().flatten();
    let named = |pod: &&std::sync::Arc<Value>| {
        let name = pod
            .pointer("/metadata/name")
            .and_then(Value::as_str)
            .unwrap_or_default();
        given
            .iter()
            .any(|word| *word == name || word.strip_prefix("pod/") == Some(name))
    };
    let lists = ["/spec/initContainers", "/spec/containers"];
    pods.filter(named)
        .flat_map(|pod| lists.iter().filter_map(|list| pod.pointer(list)?.as_array()).flatten())
        .filter_map(|container| Some((container.get("name")?.as_str()?.to_owned(), "container")))
        .collect()
}

pub(super) fn yaml(text: &str, before: &str, line: &str) -> Found {
    let trimmed = line.trim_start_matches([' ', '-']);
    let everything = || {
        let mut found: BTreeSet<&'static str> = BTreeSet::new();
        for resource in peapod_sim::objects::RESOURCES {
            fields(&of_kind(resource.kind), 0, &mut found);
        }
        found
            .into_iter()
            .map(|field| (format!("{field}: "), "field"))
            .collect::<Vec<_>>()
    };
    if before.trim().is_empty() {
        let starts = ["$ kubectl ", "apiVersion: ", "%"];
        return (
            String::new(),
            starts.iter().map(|start| ((*start).to_owned(), "command")).collect(),
        );
    }
    if let Some((key, value)) = trimmed.split_once(": ") {
        let values: Vec<(String, &'static str)> = match key {
            "kind" => resources::RESOURCES
                .iter()
                .map(|resource| (resource.kind.to_owned(), "kind"))
                .collect(),
            "apiVersion" => resources::RESOURCES
                .iter()
                .map(|resource| (resource.api_version(), "version"))
                .collect(),
            _ => Vec::new(),
        };
        return (value.trim_start().to_owned(), values);
    }
    let word = trimmed.to_owned();
    match at_cursor(text, before).map(|(kind, path)| part(kind, &path)) {
        Some(Type::Struct(own)) => {
            let own = own.fields.iter().map(|(field, _)| (format!("{field}: "), "field"));
            (word, own.collect())
        }
        // A field of any kind, where the kind is not written yet; a map has keys of its own.
        None if !word.is_empty() => (word, everything()),
        _ => (word, Vec::new()),
    }
}

fn fields(of: &Type, depth: usize, found: &mut BTreeSet<&'static str>) {
    if depth > 12 {
        return;
    }
    match of {
        Type::Struct(own) => {
            for (name, field) in &own.fields {
                if found.insert(name) || depth < 4 {
                    fields(field, depth + 1, found);
                }
            }
        }
        Type::List(element) | Type::Map(element) => fields(element, depth + 1, found),
        _ => {}
    }
}

/// The kind of the document in which the cursor is, and the fields that lead to the mapping in which it is. Read from the
/// lines, for a manifest that is being written is no YAML yet.
pub(super) fn at_cursor(text: &str, before: &str) -> Option<(Kind, Vec<String>)> {
    let start = before.match_indices("\n---").last().map_or(0, |(at, _)| at + 4);
    let whole = &text[start..];
    let document = whole.find("\n---").map_or(whole, |end| &whole[..end]);
    let kind = document.lines().find(|line| top_key(line) == Some("kind"))?;
    let kind = Kind::named(
        kind.split_once(':')?
            .1
            .split('#')
            .next()?
            .trim()
            .trim_matches(['"', '\'']),
    )?;
    let lines: Vec<&str> = before[start..].lines().collect();
    let (own, above) = match before.ends_with('\n') {
        true => ("", lines.as_slice()),
        false => {
            let (own, above) = lines.split_last()?;
            (*own, above)
        }
    };
    // The column of the key; a dash belongs to the list around it.
    let column = |line: &str| line.chars().take_while(|c| matches!(c, ' ' | '-')).count();
    let mut limit = column(own);
    let mut path = Vec::new();
    for line in above.iter().rev() {
        let trimmed = line.trim_start_matches([' ', '-']);
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let at = column(line);
        let Some((key, rest)) = trimmed.split_once(':') else {
            continue;
        };
        // `- name: x` is one key deeper than its dash, which may stand in the column of the list's own key.
        let dash = line.chars().take_while(|c| *c == ' ').count();
        if at < limit && rest.trim_start().trim_start_matches('|').trim().is_empty() {
            path.push(key.trim().to_owned());
            limit = at;
        }
        if dash < at && dash < limit {
            limit = limit.min(dash + 1);
        }
        if limit == 0 {
            break;
        }
    }
    path.reverse();
    Some((kind, path))
}

/// The part of a kind at a path of fields; lists and maps are entered.
pub(super) fn part(kind: Kind, path: &[String]) -> Type {
    let entered = |found: Type| {
        let mut found = found;
        while let Type::List(element) = &found {
            found = (**element).clone();
        }
        found
    };
    path.iter().fold(entered(of_kind(kind)), |found, name| match &found {
        Type::Struct(own) => entered(own.field(name).cloned().unwrap_or(Type::Any)),
        Type::Map(element) => entered((**element).clone()),
        _ => Type::Any,
    })
}

/// Whether a cell is at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Completeness {
    /// It can run.
    Complete,
    /// More is expected; what the next line begins with.
    Incomplete(String),
    /// It can never run, whatever follows.
    Invalid,
}

/// Whether somebody who types a cell line by line is at its end.
pub fn is_complete(text: &str) -> Completeness {
    if text.trim().is_empty() {
        return Completeness::Complete;
    }
    let last = text.lines().next_back().unwrap_or_default();
    match source::read(text) {
        Ok(Source::Lines(lines)) => {
            let open = lines
                .iter()
                .any(|line| matches!(&line.what, Typed::Shell { command, .. } if goes_on(command)));
            // What stands under `%%sh` ends with an empty line.
            let block = text.trim_start().starts_with("%%") && !text.ends_with("\n\n");
            if open || block && lines.iter().all(|line| line.line > 1) && !text.trim_start().starts_with("%%kubectl") {
                Completeness::Incomplete(String::new())
            } else {
                Completeness::Complete
            }
        }
        Ok(Source::Empty) => Completeness::Complete,
        Ok(Source::File(..)) if !text.ends_with("\n\n") => Completeness::Incomplete(String::new()),
        Ok(Source::File(..)) => Completeness::Complete,
        Ok(Source::Manifest(text, _) | Source::Experiment(text, _)) => of_yaml(&text, last),
        // A mapping whose deciding key is still to come.
        Err(_) if text.lines().all(|line| !line.trim_start().starts_with(['%', '$'])) && top_key_at_start(text) => {
            of_yaml(text, last)
        }
        Err(_) => Completeness::Invalid,
    }
}

fn top_key_at_start(text: &str) -> bool {
    text.lines()
        .find(|line| !line.trim().is_empty() && !line.starts_with('#'))
        .is_some_and(|line| top_key(line).is_some())
}

fn of_yaml(text: &str, last: &str) -> Completeness {
    let tab = |line: &str| line.trim_start_matches(' ').starts_with('\t');
    if text.lines().any(|line| tab(line) && !line.trim().is_empty()) {
        return Completeness::Invalid;
    }
    let indent: String = last.chars().take_while(|c| *c == ' ').collect();
    let deeper = format!("{indent}  ");
    let is_open = last.trim_end().ends_with([':', '|', '>']) || last.trim_end().ends_with("|-");
    let ended = text.ends_with("\n\n") || text.lines().next_back().is_some_and(|line| line.trim().is_empty());
    match peapod_yaml::read(text, Dialect::Kubernetes) {
        Ok(documents) => {
            let duplicates = documents
                .iter()
                .any(|node| !peapod_sim::manifest::Manifest::new(node).duplicates.is_empty());
            if duplicates {
                Completeness::Invalid
            } else if is_open {
                Completeness::Incomplete(deeper)
            } else if !ended || !decides(text) {
                Completeness::Incomplete(indent)
            } else {
                Completeness::Complete
            }
        }
        // Something is still open where the text ends, or it is wrong before.
        Err(error) => {
            let lines = u32::try_from(text.trim_end().lines().count()).unwrap_or(u32::MAX);
            if !ended && (error.span.line >= lines || is_open) || unclosed(text) {
                Completeness::Incomplete(if is_open { deeper } else { indent })
            } else {
                Completeness::Invalid
            }
        }
    }
}

/// Whether the text says what it is.
fn decides(text: &str) -> bool {
    source::read(text).is_ok()
}

/// Whether a bracket or a brace of flow style is open.
fn unclosed(text: &str) -> bool {
    let (mut depth, mut quote) = (0_i32, None);
    for c in text.chars() {
        match (quote, c) {
            (Some(open), c) if open == c => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '[' | '{') => depth += 1,
            (None, ']' | '}') => depth -= 1,
            _ => {}
        }
    }
    depth > 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::sync::Arc;

    fn view() -> View {
        let pod =
            json!({"metadata": {"name": "web", "namespace": "default"}, "spec": {"containers": [{"name": "app"}]}});
        View {
            objects: [
                ("Pod", vec![Arc::new(pod)]),
                ("Node", vec![Arc::new(json!({"metadata": {"name": "node-1"}}))]),
                (
                    "Namespace",
                    vec![Arc::new(json!({"metadata": {"name": "kube-system"}}))],
                ),
            ]
            .into(),
            files: vec!["pod.yaml".to_owned()],
        }
    }

    #[test]
    fn proposals_fit_their_place() {
        let pod = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: x\nspec:\n";
        for (text, expected) in [
            ("$ kubectl desc", &["describe"][..]),
            ("%time", &["%timeline"]),
            ("$ kubectl rollout sta", &["status"]),
            ("$ kubectl get no", &["no", "node", "nodes"]),
            ("$ kubectl get pod w", &["web"]),
            ("$ kubectl get pod -n kube-system w", &[]),
            ("$ kubectl get pod -n kube", &["kube-system"]),
            ("$ kubectl describe pod/", &["pod/web"]),
            ("$ kubectl logs ", &["web"]),
            ("$ kubectl logs web -c ", &["app"]),
            ("$ kubectl get pods --show-l", &["--show-labels"]),
            ("$ kubectl get pods | gre", &["grep"]),
            ("$ kubectl apply -f ", &["pod.yaml"]),
            ("kubectl drain ", &["node-1"]),
            ("%until pod/", &["pod/web"]),
            ("%until pod/web Rea", &["Ready"]),
            ("%reset --no", &["--nodes"]),
            ("%now\n%%ya", &[]),
            ("kind: Namesp", &["Namespace"]),
            (&format!("{pod}  restartP"), &["restartPolicy: "]),
            (
                &format!("{pod}  containers:\n  - name: c\n    imageP"),
                &["imagePullPolicy: "],
            ),
            (
                &format!("{pod}  containers:\n  - name: c\n    resources:\n      lim"),
                &["limits: "],
            ),
            (
                &format!("{pod}  containers:\n  - name: c\n  terminationG"),
                &["terminationGracePeriodSeconds: "],
            ),
            (&format!("{pod}  containers:\n  - imageP"), &["imagePullPolicy: "]),
        ] {
            let found = complete(text, text.chars().count(), &view());
            let matches: Vec<&str> = found.matches.iter().map(|(word, _)| word.as_str()).collect();
            assert_eq!(matches, expected, "{text:?}");
        }
        let korean = "$ echo 안녕 | hea";
        assert_eq!(
            (complete(korean, 14, &view()).start, complete(korean, 14, &view()).end),
            (12, 14)
        );
    }

    #[test]
    fn cells_are_complete_or_not() {
        let incomplete = |indent: &str| Completeness::Incomplete(indent.to_owned());
        for (text, expected) in [
            ("", Completeness::Complete),
            ("$ kubectl get pods", Completeness::Complete),
            ("%advance 30s", Completeness::Complete),
            (
                "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\n\n",
                Completeness::Complete,
            ),
            ("apiVersion: v1\nkind: Pod\nmetadata: {name: x}\n", incomplete("")),
            ("apiVersion: v1\nkind: Pod\nmetadata:", incomplete("  ")),
            ("apiVersion: v1", incomplete("")),
            ("metadata:\n  name: x", incomplete("  ")),
            (
                "spec:\n  containers:\n  - name: c\n    command: [\"sh\", ",
                incomplete("    "),
            ),
            ("$ kubectl get pods \\", incomplete("")),
            ("$ kubectl apply -f - <<EOF\nkind: Pod", incomplete("")),
            ("%%sh\nls", incomplete("")),
            ("apiVersion: v1\nkind: Pod\n\tmetadata: {}\n", Completeness::Invalid),
            ("apiVersion: v1\nkind: Pod\nkind: Service\n\n", Completeness::Invalid),
            ("%nosuch", Completeness::Complete),
            ("nonsense", Completeness::Invalid),
        ] {
            assert_eq!(is_complete(text), expected, "{text:?}");
        }
    }
}
