//! Manifests as `kubectl` reads them: YAML 1.1 scalars through a JSON value, every value with its place in the text.

use std::collections::BTreeMap;

use peapod_yaml::{Dialect, Node, Span, escape};
use serde_json::Value;

use crate::apiserver::decode::FlawKind;
use crate::apiserver::{decode_object, examine, hint};
use crate::objects::{Kind, RESOURCES};

/// One document of a manifest.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The object as it was written.
    pub value: Value,
    /// Place of each value by JSON pointer, in the order of the text; the whole document is `""`.
    pub spans: Vec<(String, Span)>,
    /// Place of each key by JSON pointer of its value, in the order of the text.
    pub keys: Vec<(String, Span)>,
    /// Keys that are written again: their path as strict decoding names it (`spec.containers[0].image`), and the place
    /// of the later one.
    pub duplicates: Vec<(String, Span)>,
}

/// Something wrong with a manifest, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The place in the text that was read.
    pub span: Span,
    /// What is wrong, in the API server's own words where it has some.
    pub message: String,
    /// What would be right.
    pub hints: Vec<String>,
    /// A stable code: `manifest.yaml`, `manifest.unknown-field`, `manifest.duplicate-key`, `manifest.type`,
    /// `manifest.unknown-kind`, `manifest.invalid`.
    pub code: &'static str,
}

impl Manifest {
    /// A document that was read.
    pub fn new(node: &Node) -> Self {
        let mut manifest = Self {
            value: node.to_json(),
            spans: node.places(),
            keys: Vec::new(),
            duplicates: Vec::new(),
        };
        walk(node, &mut String::new(), &mut String::new(), &mut manifest);
        manifest
    }

    /// The objects of a `List`, each with its places.
    fn items(&self) -> Option<Vec<Self>> {
        let items = self.value.get("items")?.as_array()?;
        if self.kind() != "List" || self.api_version() != "v1" {
            return None;
        }
        let part = |index: usize, value: &Value| {
            let (pointer, path) = (format!("/items/{index}"), format!("items[{index}]."));
            let inside = |list: &[(String, Span)]| -> Vec<(String, Span)> {
                let own = list
                    .iter()
                    .filter_map(|(known, span)| Some((known.strip_prefix(&pointer)?.to_owned(), *span)));
                own.filter(|(known, _)| known.is_empty() || known.starts_with('/'))
                    .collect()
            };
            let again = self
                .duplicates
                .iter()
                .filter_map(|(known, span)| Some((known.strip_prefix(&path)?.to_owned(), *span)));
            Self {
                value: value.clone(),
                spans: inside(&self.spans),
                keys: inside(&self.keys),
                duplicates: again.collect(),
            }
        };
        Some(
            items
                .iter()
                .enumerate()
                .map(|(index, value)| part(index, value))
                .collect(),
        )
    }

    /// The place of the value at a JSON pointer, or of its nearest ancestor that has one.
    pub fn span(&self, pointer: &str) -> Span {
        nearest(&self.spans, pointer).unwrap_or_default()
    }

    /// The place of the key of the value at a JSON pointer; of the value itself if it has none.
    pub fn key_span(&self, pointer: &str) -> Span {
        self.keys
            .iter()
            .find(|(known, _)| known == pointer)
            .map_or_else(|| self.span(pointer), |(_, span)| *span)
    }

    /// The place that an error's field path (`spec.containers[0].image`, `metadata.labels`) names, or the nearest one
    /// around it.
    pub fn span_of_field(&self, path: &str) -> Span {
        self.span(&pointer_of(path))
    }

    /// The object's kind, as written.
    pub fn kind(&self) -> &str {
        self.value.get("kind").and_then(Value::as_str).unwrap_or_default()
    }

    /// The object's apiVersion, as written.
    pub fn api_version(&self) -> &str {
        self.value.get("apiVersion").and_then(Value::as_str).unwrap_or_default()
    }

    /// The kind of the simulator that it is, if there is one.
    pub fn known_kind(&self) -> Option<Kind> {
        Kind::named(self.kind()).filter(|kind| kind.resource().api_version() == self.api_version())
    }
}

fn nearest(spans: &[(String, Span)], pointer: &str) -> Option<Span> {
    let mut pointer = pointer;
    loop {
        if let Some((_, span)) = spans.iter().find(|(known, _)| known == pointer) {
            return Some(*span);
        }
        pointer = &pointer[..pointer.rfind('/')?];
    }
}

/// The JSON pointer of a field path: `spec.containers[0].image` is `/spec/containers/0/image`, `data[a.b]` is `/data/a.b`.
fn pointer_of(path: &str) -> String {
    let mut pointer = String::new();
    let mut rest = path;
    while !rest.is_empty() {
        let token;
        if let Some(inside) = rest.strip_prefix('[') {
            let (inner, after) = inside.split_once(']').unwrap_or((inside, ""));
            token = inner;
            rest = after;
        } else {
            rest = rest.strip_prefix('.').unwrap_or(rest);
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            token = &rest[..end];
            rest = &rest[end..];
        }
        pointer.push('/');
        pointer.push_str(&escape(token));
    }
    pointer
}

/// Collects the places of keys, and the keys that are written twice.
fn walk(node: &Node, pointer: &mut String, path: &mut String, manifest: &mut Manifest) {
    let (pointer_end, path_end) = (pointer.len(), path.len());
    for (index, item) in node.items().iter().enumerate() {
        pointer.push_str(&format!("/{index}"));
        path.push_str(&format!("[{index}]"));
        walk(item, pointer, path, manifest);
        pointer.truncate(pointer_end);
        path.truncate(path_end);
    }
    let mut last: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, (key, _)) in node.entries().iter().enumerate() {
        last.insert(&key.name, index);
    }
    let mut seen: BTreeMap<&str, ()> = BTreeMap::new();
    for (index, (key, value)) in node.entries().iter().enumerate() {
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(&key.name);
        if seen.insert(&key.name, ()).is_some() {
            manifest.duplicates.push((path.clone(), key.span));
        }
        // Of a key that is written twice only the last value counts.
        if last.get(key.name.as_str()) == Some(&index) {
            pointer.push('/');
            pointer.push_str(&escape(&key.name));
            manifest.keys.push((pointer.clone(), key.span));
            walk(value, pointer, path, manifest);
        }
        pointer.truncate(pointer_end);
        path.truncate(path_end);
    }
}

/// Reads the documents of a manifest; empty documents are skipped, a `List` is not taken apart.
///
/// # Errors
/// Where the text is no YAML that `kubectl` would read: one problem for each document that cannot be read.
pub fn read(text: &str) -> Result<Vec<Manifest>, Vec<Problem>> {
    let (mut manifests, mut problems) = (Vec::new(), Vec::new());
    for document in peapod_yaml::read_each(text, Dialect::Kubernetes) {
        match document {
            Ok(node) => manifests.push(Manifest::new(&node)),
            Err(error) => problems.push(Problem {
                span: error.span,
                message: format!("error converting YAML to JSON: {}", error.wording),
                hints: yaml_hints(text, &error),
                code: "manifest.yaml",
            }),
        }
    }
    if problems.is_empty() {
        Ok(manifests)
    } else {
        Err(problems)
    }
}

fn yaml_hints(text: &str, error: &peapod_yaml::Error) -> Vec<String> {
    let line = text
        .lines()
        .nth(error.span.line.saturating_sub(1) as usize)
        .unwrap_or_default();
    let hint = match error.problem.as_str() {
        _ if line.starts_with('\t') || line.trim_start_matches(' ').starts_with('\t') => {
            "indent with spaces: YAML allows no tabs"
        }
        "found character that cannot start any token" => "put the value in quotes: @, `, % and tabs cannot begin one",
        "mapping values are not allowed in this context" => {
            "check the indentation of this line; text with \": \" in it goes in quotes"
        }
        "did not find expected key" => "check the indentation of this line: keys of one mapping stand in one column",
        "could not find expected ':'" => "a key is followed by \": \"",
        "found unexpected end of stream" => "a quote is opened here and not closed",
        "did not find expected ',' or ']'" => "a [ is not closed, or a comma is missing",
        "did not find expected ',' or '}'" => {
            "a { is not closed, or a comma is missing; {{ … }} is a template, no YAML"
        }
        problem if problem.starts_with("invalid map key") => {
            "{{ … }} is a template, no YAML: put it in quotes or render it first"
        }
        _ => return Vec::new(),
    };
    vec![hint.to_owned()]
}

/// What strict decoding, defaulting and validation say of one document, without a cluster: all problems, in the order of
/// the text.
pub fn check(manifest: &Manifest) -> Vec<Problem> {
    if let Some(items) = manifest.items() {
        return in_order(items.iter().flat_map(check).collect());
    }
    let mut problems: Vec<Problem> = manifest
        .duplicates
        .iter()
        .map(|(path, span)| Problem {
            span: *span,
            message: format!("duplicate field \"{path}\""),
            hints: vec!["the last one counts: leave out the others".to_owned()],
            code: "manifest.duplicate-key",
        })
        .collect();
    let kind = match known_kind(manifest) {
        Ok(kind) => kind,
        Err(problem) => {
            problems.push(problem);
            return in_order(problems);
        }
    };
    let (object, flaws) = decode_object(kind, &manifest.value);
    for flaw in flaws {
        let (code, span) = match flaw.kind {
            FlawKind::UnknownField => ("manifest.unknown-field", manifest.key_span(&flaw.pointer)),
            FlawKind::WrongType => ("manifest.type", manifest.span(&flaw.pointer)),
        };
        problems.push(Problem {
            span,
            message: flaw.message,
            hints: flaw.hints,
            code,
        });
    }
    if let Some(object) = object {
        problems.extend(examine(object).into_iter().map(|error| Problem {
            span: manifest.span_of_field(&error.field),
            message: error.to_string(),
            hints: hint::of_field_error(&error.field, &error.message),
            code: "manifest.invalid",
        }));
    }
    in_order(problems)
}

fn in_order(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort_by_key(|problem| (problem.span.line, problem.span.column));
    problems
}

/// The kind of a document, or what `kubectl` says of a document without one that it knows.
fn known_kind(manifest: &Manifest) -> Result<Kind, Problem> {
    let problem = |pointer: &str, message: String, hints: Vec<String>| {
        Err(Problem {
            span: manifest.span(pointer),
            message,
            hints,
            code: "manifest.unknown-kind",
        })
    };
    let text = |field: &str| match manifest.value.get(field) {
        None | Some(Value::Null) => Ok(""),
        Some(Value::String(text)) => Ok(text.as_str()),
        Some(_) => Err(field.to_owned()),
    };
    if !manifest.value.is_object() {
        let hints = vec!["a manifest is a mapping with apiVersion, kind and metadata".to_owned()];
        return problem(
            "",
            "Object 'Kind' is missing in a document that is no mapping".to_owned(),
            hints,
        );
    }
    let (version, kind) = match (text("apiVersion"), text("kind")) {
        (Ok(version), Ok(kind)) => (version, kind),
        (Err(field), _) | (_, Err(field)) => {
            return problem(
                &format!("/{field}"),
                format!("{field} must be text"),
                vec!["put it in quotes".to_owned()],
            );
        }
    };
    if kind.is_empty() {
        let hints = vec!["begin with apiVersion and kind, such as apiVersion: v1 and kind: Pod".to_owned()];
        return problem("", "Object 'Kind' is missing".to_owned(), hints);
    }
    if version.is_empty() {
        let hints =
            Kind::named(kind).map(|kind| vec![format!("a {kind} has apiVersion: {}", kind.resource().api_version())]);
        return problem(
            "",
            "Object 'apiVersion' is missing".to_owned(),
            hints.unwrap_or_default(),
        );
    }
    let message = format!("no matches for kind \"{kind}\" in version \"{version}\"");
    match Kind::named(kind) {
        Some(known) if known.resource().api_version() == version => Ok(known),
        Some(known) => problem(
            "/apiVersion",
            message,
            vec![format!("a {kind} has apiVersion: {}", known.resource().api_version())],
        ),
        None => {
            let near = hint::nearest(kind, RESOURCES.iter().map(|resource| resource.name));
            let hints = near
                .map(|near| vec![format!("did you mean {near}?")])
                .unwrap_or_default();
            problem("/kind", message, hints)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each problem as `line:column code message (hint)`.
    #[track_caller]
    fn problems(text: &str) -> Vec<String> {
        let shown = |problem: &Problem| {
            let hint = problem
                .hints
                .first()
                .map(|hint| format!(" ({hint})"))
                .unwrap_or_default();
            format!(
                "{}:{} {}{hint}",
                problem.span.line, problem.span.column, problem.message
            )
        };
        match read(text) {
            Ok(manifests) => manifests
                .iter()
                .flat_map(check)
                .map(|problem| shown(&problem))
                .collect(),
            Err(problems) => problems.iter().map(shown).collect(),
        }
    }

    #[test]
    fn every_flaw_of_a_document_is_named_with_its_place() {
        let text = "apiVersion: v1
kind: Pod
metadata:
  name: 1
  lables: {a: b}
spec:
  restartPolicy: Never
  containers:
  - name: app
    imagee: nginx
    image: nginx
    image: nginx:1.14.2
    ports:
    - containerPort: \"80\"
    env:
    - {name: A, value: yes}
    restartpolicy: Always
    hostNetwork: true
    resources: {limits: {cpu: 1K}}
  terminationGracePeriodSeconds: 1.5
  command: [a]
";
        assert_eq!(
            problems(text),
            [
                "4:9 json: cannot unmarshal number into Go struct field ObjectMeta.metadata.name of type string (write it as text: \"1\")",
                "5:3 unknown field \"metadata.lables\" (did you mean labels?)",
                "10:5 unknown field \"spec.containers[0].imagee\" (did you mean image?)",
                "12:5 duplicate field \"spec.containers[0].image\" (the last one counts: leave out the others)",
                "14:22 json: cannot unmarshal string into Go struct field ContainerPort.spec.containers.ports.containerPort of type int32 (write 80 without quotes)",
                "16:24 json: cannot unmarshal bool into Go struct field EnvVar.spec.containers.env.value of type string (write it as text in quotes (without them, yes, no, on, off, y, n, true and false mean true))",
                "17:5 unknown field \"spec.containers[0].restartpolicy\" (did you mean restartPolicy?)",
                "18:5 unknown field \"spec.containers[0].hostNetwork\" (hostNetwork belongs to spec: check the indentation)",
                "19:31 unable to parse quantity's suffix (a quantity is a number with a suffix, such as 100m, 0.5 or 128Mi)",
                "20:34 json: cannot unmarshal number 1.5 into Go struct field PodSpec.spec.terminationGracePeriodSeconds of type int64",
                "21:3 unknown field \"spec.command\" (command belongs to containers[])",
            ]
        );
    }

    #[test]
    fn unknown_kinds_and_texts_that_are_no_manifest() {
        for (text, expected) in [
            (
                "apiVersion: v1\nkind: Pdo\n",
                "2:7 no matches for kind \"Pdo\" in version \"v1\" (did you mean Pod?)",
            ),
            (
                "apiVersion: v1\nkind: Deployment\n",
                "1:13 no matches for kind \"Deployment\" in version \"v1\" (a Deployment has apiVersion: apps/v1)",
            ),
            (
                "kind: Pod\n",
                "1:1 Object 'apiVersion' is missing (a Pod has apiVersion: v1)",
            ),
            (
                "apiVersion: v1\n",
                "1:1 Object 'Kind' is missing (begin with apiVersion and kind, such as apiVersion: v1 and kind: Pod)",
            ),
            (
                "- a\n",
                "1:1 Object 'Kind' is missing in a document that is no mapping (a manifest is a mapping with apiVersion, kind and metadata)",
            ),
            (
                "kind: Pod\n\tspec: {}\n",
                "2:1 error converting YAML to JSON: yaml: line 2: found a tab character that violates indentation (indent with spaces: YAML allows no tabs)",
            ),
            (
                "image: {{ .Values.image }}\n",
                "1:9 error converting YAML to JSON: yaml: invalid map key: map[interface {}]interface {}{\".Values.image\":interface {}(nil)} ({{ … }} is a template, no YAML: put it in quotes or render it first)",
            ),
        ] {
            assert_eq!(problems(text), [expected], "{text}");
        }
    }

    #[test]
    fn the_objects_of_a_list_are_checked_one_by_one() {
        let text = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: a}\n  dat: {}\n- apiVersion: v1\n  kind: Pdo\n";
        assert_eq!(
            problems(text),
            [
                "7:3 unknown field \"dat\" (did you mean data?)",
                "9:9 no matches for kind \"Pdo\" in version \"v1\" (did you mean Pod?)",
            ]
        );
    }

    #[test]
    fn types_are_named_as_go_names_them() {
        for (spec, message) in [
            (
                "containers: x",
                "4:15 json: cannot unmarshal string into Go struct field PodSpec.spec.containers of type []v1.Container (a list is wanted, even for one value: [ … ], or lines that begin with \"- \")",
            ),
            (
                "containers: {name: a}",
                "4:15 json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container (a list is wanted: begin each item with \"- \")",
            ),
            (
                "hostNetwork: 'yes'",
                "4:16 json: cannot unmarshal string into Go struct field PodSpec.spec.hostNetwork of type bool (write true without quotes)",
            ),
            (
                "nodeSelector: [a]",
                "4:17 json: cannot unmarshal array into Go struct field PodSpec.spec.nodeSelector of type map[string]string (one value is wanted, no list: leave out the \"- \")",
            ),
            (
                "nodeSelector: {a: 1}",
                "4:21 json: cannot unmarshal number into Go struct field PodSpec.spec.nodeSelector of type string (write it as text: \"1\")",
            ),
            (
                "restartPolicy: no",
                "4:18 json: cannot unmarshal bool into Go struct field PodSpec.spec.restartPolicy of type v1.RestartPolicy (write it as text in quotes (without them, yes, no, on, off, y, n, true and false mean false))",
            ),
            (
                "containers: [{command: ls}]",
                "4:26 json: cannot unmarshal string into Go struct field Container.spec.containers.command of type []string (a list is wanted, even for one value: [ … ], or lines that begin with \"- \")",
            ),
        ] {
            let text = format!("apiVersion: v1\nkind: Pod\nspec:\n  {spec}\n");
            assert_eq!(problems(&text), [message], "{spec}");
        }
    }

    const SEED: &str = "apiVersion: v1
kind: Pod
metadata:
  name: nginx
spec:
  containers:
  - name: nginx
    image: nginx:1.14.2
    ports:
    - containerPort: 80
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: nginx-deployment
  labels:
    app: nginx
spec:
  replicas: 3
  selector:
    matchLabels:
      app: nginx
  template:
    metadata:
      labels:
        app: nginx
    spec:
      containers:
      - name: nginx
        image: nginx:1.14.2
        ports:
        - containerPort: 80
---
apiVersion: batch/v1
kind: Job
metadata:
  name: hello
spec:
  template:
    # This is the pod template
    spec:
      containers:
      - name: hello
        image: busybox:1.28
        command: ['sh', '-c', 'echo \"Hello, Kubernetes!\" && sleep 3600']
      restartPolicy: OnFailure
    # The pod template ends here
";

    #[test]
    fn manifests_that_are_right_have_no_problem() {
        assert_eq!(problems(SEED), Vec::<String>::new());
    }

    #[test]
    fn wrong_contents_are_named_as_the_server_names_them() {
        for (right, wrong, expected) in [
            (
                "    image: nginx:1.14.2\n    ports:\n    - containerPort: 80\n---",
                "    ports:\n    - containerPort: 0\n---",
                vec![
                    "7:5 spec.containers[0].image: Required value (each container names its image, such as image: nginx:1.25)",
                    "9:22 spec.containers[0].ports[0].containerPort: Required value",
                ],
            ),
            (
                "  name: nginx\nspec",
                "  name: My_Pod\nspec",
                vec![
                    "4:9 metadata.name: Invalid value: \"My_Pod\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*') (names are in lower case, with digits and -)",
                ],
            ),
            (
                "      labels:\n        app: nginx",
                "      labels:\n        app: ngnx",
                vec![
                    "26:9 spec.template.metadata.labels: Invalid value: {\"app\":\"ngnx\"}: `selector` does not match template `labels` (the template's labels must hold every label of spec.selector.matchLabels)",
                ],
            ),
            (
                "  selector:\n    matchLabels:\n      app: nginx\n",
                "",
                vec![
                    "19:3 spec.selector: Required value (spec.selector.matchLabels says which pods belong to it: the labels of spec.template.metadata.labels)",
                    "23:9 spec.template.metadata.labels: Invalid value: {\"app\":\"nginx\"}: `selector` does not match template `labels` (the template's labels must hold every label of spec.selector.matchLabels)",
                ],
            ),
            (
                "      restartPolicy: OnFailure",
                "      restartPolicy: Always",
                vec![
                    "46:22 spec.template.spec.restartPolicy: Required value: valid values: \"OnFailure\", \"Never\" (the pods of a Job end: write restartPolicy: Never or restartPolicy: OnFailure into spec.template.spec)",
                ],
            ),
            (
                "      restartPolicy: OnFailure",
                "      restartPolicy: onFailure",
                vec![
                    "46:22 spec.template.spec.restartPolicy: Unsupported value: \"onFailure\": supported values: \"Always\", \"OnFailure\", \"Never\" (did you mean OnFailure?)",
                    "46:22 spec.template.spec.restartPolicy: Unsupported value: \"onFailure\": supported values: \"OnFailure\", \"Never\" (did you mean OnFailure?)",
                ],
            ),
        ] {
            assert!(SEED.contains(right), "{right}");
            assert_eq!(problems(&SEED.replacen(right, wrong, 1)), expected, "{wrong}");
        }
    }
}
