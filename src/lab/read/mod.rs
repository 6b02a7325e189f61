//! From the text of an `experiment` fence to an [`Experiment`], strictly: all errors, each at its place.

mod expect;
mod predict;
mod refute;
mod schema;
mod source;
mod steps;
mod trials;

use indexmap::IndexMap;
use peapod_sim::cluster::setting_names;
use peapod_sim::kubelet::config::{self, KubeletConfig};
use peapod_sim::version::{Profile, Version};
use peapod_yaml::{Dialect, Node, Value};
use serde_json::Value as Json;

use super::model::{
    ClusterSpec, Diagnostic, Experiment, Expression, JitterMode, NodeSpec, Observation, Severity, StaticPodFile,
    TaintSpec, Until, Variable,
};
use super::{limit, nearest, program};
pub use schema::schema;
pub use source::place_in;
use source::{Fields, Source};
pub use trials::trials;

/// What reading a cell gives: the experiment if it can run, and everything there is to say about its text.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// The experiment; `None` when a diagnostic is an error.
    pub experiment: Option<Experiment>,
    /// Errors, warnings and notices, in order of their place.
    pub diagnostics: Vec<Diagnostic>,
}

impl Reading {
    /// The diagnostics that keep it from running.
    pub fn errors(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// What was read, with its diagnostics in order and in their file.
    pub(super) fn of(experiment: Experiment, mut diagnostics: Vec<Diagnostic>, file: Option<&str>) -> Self {
        diagnostics.sort_by_key(|diagnostic| (diagnostic.line, diagnostic.column));
        diagnostics.dedup();
        for diagnostic in &mut diagnostics {
            diagnostic.file = file.map(str::to_owned);
        }
        let broken = diagnostics
            .iter()
            .any(|diagnostic| diagnostic.severity == Severity::Error);
        Self {
            experiment: (!broken).then_some(experiment),
            diagnostics,
        }
    }

    /// What cannot be read at all.
    pub(super) fn broken(diagnostics: Vec<Diagnostic>, file: Option<&str>) -> Self {
        let diagnostics = diagnostics.into_iter().map(|mut diagnostic| {
            diagnostic.file = file.map(str::to_owned);
            diagnostic
        });
        Self {
            experiment: None,
            diagnostics: diagnostics.collect(),
        }
    }
}

const KEYS: &[&str] = &[
    "id",
    "title",
    "question",
    "kubernetes",
    "cluster",
    "variables",
    "include",
    "exclude",
    "seed",
    "jitter",
    "schedules",
    "steps",
    "until",
    "observe",
    "expect",
    "predict",
    "refute",
];

const JITTERS: &[(&str, JitterMode)] = &[("real", JitterMode::Real), ("none", JitterMode::None)];
const SETTLED_KEYS: &[&str] = &["settled"];
const CLUSTER_KEYS: &[&str] = &["nodes", "settings", "featureGates", "static"];

/// Reads the content of an `experiment` fence. `file` is the note's path relative to its vault, for diagnostics;
/// `first_line` is the line of the note (from 1) in which the content begins, 1 when the text stands alone.
///
/// All errors are found, not only the first: unknown and duplicate keys, wrong types, bad durations, faults that do
/// not exist, misspelt fields of Kubernetes in expressions, templates and manifests that cannot be.
pub fn read(text: &str, file: Option<&str>, first_line: u32) -> Reading {
    if text.len() > limit::TEXT {
        let message = format!(
            "an experiment may have {} bytes; this one has {}",
            limit::TEXT,
            text.len()
        );
        let mut diagnostic = Diagnostic::error("experiment.too-long", message);
        diagnostic.line = first_line;
        diagnostic.column = 1;
        return Reading::broken(vec![diagnostic], file);
    }
    let mut source = Source::new(text, first_line);
    let documents = match peapod_yaml::read(text, Dialect::Core) {
        Ok(documents) => documents,
        Err(error) => {
            let place = source.place(error.span);
            return Reading::broken(
                vec![Diagnostic::error("experiment.yaml", error.problem).at(place)],
                file,
            );
        }
    };
    let root = match documents.as_slice() {
        [root] => root,
        [] => {
            let mut diagnostic = Diagnostic::error("experiment.empty", "an experiment needs steps");
            (diagnostic.line, diagnostic.column) = (first_line, 1);
            return Reading::broken(vec![diagnostic.hint("begin with `steps:` and what to apply")], file);
        }
        [_, second, ..] => {
            source.error(
                "experiment.documents",
                "an experiment is one YAML document",
                second.span,
            );
            return Reading::broken(source.diagnostics, file);
        }
    };
    let mut experiment = experiment(&mut source, root, text, first_line);
    let mut diagnostics = source.diagnostics;
    if let Err(mut error) = trials(&experiment) {
        let at = root
            .entries()
            .iter()
            .find(|(key, _)| key.name == "variables")
            .or_else(|| root.entries().first());
        if let Some((key, _)) = at {
            let source = Source::new(text, first_line);
            error = error.at(source.place(key.span));
        }
        diagnostics.push(error);
        experiment.variables.clear();
        return Reading::of(experiment, diagnostics, file);
    }
    diagnostics.extend(program::check(&experiment));
    Reading::of(experiment, diagnostics, file)
}

fn experiment(source: &mut Source<'_>, root: &Node, text: &str, first_line: u32) -> Experiment {
    let fields = source.fields(root, "an experiment", KEYS);
    let title = fields.get("title").and_then(|node| source.text(node, "title"));
    let id = fields.get("id").and_then(|node| source.text(node, "id"));
    if let (Some(id), Some(node)) = (&id, fields.get("id"))
        && (id.is_empty()
            || id
                .chars()
                .any(|c| c.is_whitespace() || matches!(c, '#' | '^' | '/' | '|' | '[' | ']')))
    {
        source.error(
            "experiment.id",
            "an id is a word without spaces, `#`, `^`, `/`, `|` and brackets",
            node.span,
        );
    }
    let id = id
        .or_else(|| title.as_deref().map(slug))
        .filter(|id| !id.is_empty())
        .unwrap_or_else(|| "experiment".to_owned());
    let kubernetes = versions(source, fields.get("kubernetes"));
    let versions: Vec<Version> = kubernetes.iter().filter_map(|name| Version::named(name)).collect();
    let mut variables = variables(source, fields.get("variables"));
    if kubernetes.len() > 1 {
        let values = kubernetes.iter().map(|version| Json::String(version.clone())).collect();
        variables.insert(
            0,
            Variable {
                name: "kubernetes".to_owned(),
                values,
            },
        );
    }
    let assignments = |source: &mut Source<'_>, key: &str, whole: bool| {
        fields
            .get(key)
            .map(|node| trials::assignments(source, node, key, &variables, whole))
            .unwrap_or_default()
    };
    let include = assignments(source, "include", true);
    let exclude = assignments(source, "exclude", false);
    if !fields.has("steps") && source.diagnostics.is_empty() {
        source.error("experiment.no-steps", "an experiment needs steps", root.span);
    }
    let observe = fields
        .get("observe")
        .map(|node| observations(source, node, &variables))
        .unwrap_or_default();
    let until = match fields.get("until") {
        None => Until::Settled {
            cap: limit::SETTLED_CAP,
        },
        Some(node) => until(source, node),
    };
    Experiment {
        title: title.unwrap_or_else(|| id.clone()),
        id,
        question: fields.get("question").and_then(|node| source.text(node, "question")),
        kubernetes,
        cluster: fields
            .get("cluster")
            .map(|node| cluster(source, node, &versions))
            .unwrap_or_default(),
        include,
        exclude,
        seed: fields
            .get("seed")
            .and_then(|node| source.whole(node, "seed", 0, u64::MAX >> 1))
            .unwrap_or(1),
        jitter: match fields.get("jitter") {
            None => JitterMode::Real,
            Some(node) => source.choice(node, "jitter", JITTERS).unwrap_or_default(),
        },
        schedules: fields
            .get("schedules")
            .and_then(|node| source.whole(node, "schedules", 1, limit::TRIALS as u64))
            .and_then(|number| u32::try_from(number).ok())
            .unwrap_or(1),
        steps: fields
            .get("steps")
            .map(|node| steps::steps(source, node))
            .unwrap_or_default(),
        until,
        expect: fields
            .get("expect")
            .map(|node| expect::expectations(source, node))
            .unwrap_or_default(),
        predict: fields.get("predict").and_then(|node| {
            let observed: Vec<&str> = observe.iter().map(|observation| observation.name.as_str()).collect();
            predict::predict(source, node, &variables, &observed)
        }),
        refute: fields
            .get("refute")
            .map(|node| refute::spec(source, node))
            .unwrap_or_default(),
        variables,
        observe,
        first_line,
        source: text.to_owned(),
    }
}

/// A word for a title, in the letters of its language.
fn slug(title: &str) -> String {
    let parts: Vec<&str> = title
        .split(|c: char| !c.is_alphanumeric() && c != '.')
        .filter(|part| !part.is_empty())
        .collect();
    parts.join("-").to_lowercase()
}

fn versions(source: &mut Source<'_>, node: Option<&Node>) -> Vec<String> {
    let Some(node) = node else {
        return vec![Version::NEWEST.to_string()];
    };
    let items: Vec<&Node> = match &node.value {
        Value::Sequence(items) => items.iter().collect(),
        _ => vec![node],
    };
    let mut versions = Vec::new();
    for item in items {
        // 1.36 without quotes is a number, and 1.30 would lose its zero: the text of the note counts.
        let written = source.scalar_text(item);
        match written.as_deref().and_then(Version::named) {
            Some(version) if versions.contains(&version.to_string()) => {
                source.error("experiment.kubernetes", format!("{version} is named twice"), item.span);
            }
            Some(version) => versions.push(version.to_string()),
            None => {
                let known: Vec<String> = Version::all().map(|version| format!("\"{version}\"")).collect();
                let message = "this version of Kubernetes cannot be simulated";
                source
                    .error("experiment.kubernetes", message, item.span)
                    .hint(format!("one of {}", known.join(", ")));
            }
        }
    }
    if versions.is_empty() {
        vec![Version::NEWEST.to_string()]
    } else {
        versions
    }
}

/// Words that cannot be the name of a variable or an observation.
const RESERVED: &[&str] = &[
    "t",
    "true",
    "false",
    "null",
    "in",
    "has",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

fn check_name(source: &mut Source<'_>, name: &str, span: peapod_yaml::Span) -> bool {
    let mut characters = name.chars();
    let begins = characters
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == '_');
    if !begins || !characters.all(|c| c.is_ascii_alphanumeric() || c == '_') {
        let message = format!("`{name}` cannot be used in expressions");
        source
            .error("experiment.name", message, span)
            .hint("a name has letters a–z, digits and `_`, and begins with a letter");
        return false;
    }
    if RESERVED.contains(&name) {
        source.error(
            "experiment.name",
            format!("`{name}` has a meaning of its own in expressions"),
            span,
        );
        return false;
    }
    true
}

fn variables(source: &mut Source<'_>, node: Option<&Node>) -> Vec<Variable> {
    let mut variables: Vec<Variable> = Vec::new();
    let Some(node) = node else { return variables };
    for (key, value) in source.mapping(node, "`variables`") {
        if key.name == "kubernetes" {
            source
                .error(
                    "experiment.name",
                    "`kubernetes` is a variable when its own key has a list",
                    key.span,
                )
                .hint("write `kubernetes: [\"1.35\", \"1.36\"]` beside `variables`");
            continue;
        }
        check_name(source, &key.name, key.span);
        let Value::Sequence(items) = &value.value else {
            let message = format!("`{}` needs the list of its values, not {}", key.name, value.kind());
            source
                .error("experiment.type", message, value.span)
                .hint(format!("write `{}: [a, b]`", key.name));
            continue;
        };
        if items.is_empty() {
            source.error("experiment.type", format!("`{}` has no value", key.name), value.span);
        }
        let mut values: Vec<Json> = Vec::new();
        for item in items {
            let json = item.to_json();
            if values.contains(&json) {
                source.error(
                    "experiment.duplicate-value",
                    format!("`{}` has the value {json} twice", key.name),
                    item.span,
                );
            } else {
                values.push(json);
            }
        }
        variables.push(Variable {
            name: key.name.clone(),
            values,
        });
    }
    variables
}

fn observations(source: &mut Source<'_>, node: &Node, variables: &[Variable]) -> Vec<Observation> {
    let mut observations = Vec::new();
    for (key, value) in source.mapping(node, "`observe`") {
        let fine = check_name(source, &key.name, key.span);
        if variables.iter().any(|variable| variable.name == key.name) {
            source.error(
                "experiment.name",
                format!("`{}` is a variable already", key.name),
                key.span,
            );
            continue;
        }
        if let (true, Some(expression)) = (fine, source.expression(value, &key.name)) {
            observations.push(Observation {
                name: key.name.clone(),
                expression,
            });
        }
    }
    observations
}

fn until(source: &mut Source<'_>, node: &Node) -> Until {
    let default = Until::Settled {
        cap: limit::SETTLED_CAP,
    };
    let checked = |source: &mut Source<'_>, node: &Node| {
        let duration = source.duration(node, "until")?;
        if duration > limit::VIRTUAL_TIME {
            source
                .error(
                    "experiment.limit",
                    format!("a trial may last 30 days of virtual time, and this is {duration}"),
                    node.span,
                )
                .hint("at most 720h");
            return None;
        }
        Some(duration)
    };
    match &node.value {
        Value::String(word) if word == "settled" => default,
        Value::Mapping(_) => {
            let fields = source.fields(node, "`until`", SETTLED_KEYS);
            let cap = fields
                .required(source, "settled")
                .and_then(|node| checked(source, node));
            cap.map_or(default, |cap| Until::Settled { cap })
        }
        _ => match checked(source, node) {
            Some(duration) => Until::For(duration),
            None => {
                if let Some(last) = source.diagnostics.last_mut()
                    && last.code == "experiment.duration"
                {
                    last.hints
                        .push("or `settled`: until nothing changes any more".to_owned());
                }
                default
            }
        },
    }
}

const NODE_KEYS: &[&str] = &["name", "cpu", "memory", "disk", "pods", "labels", "taints"];
const TAINT_KEYS: &[&str] = &["key", "value", "effect"];
/// Settings that are lists; the cluster takes them as JSON.
const LISTS: &[&str] = &["shutdownGracePeriodByPodPriority"];
const EFFECTS: &[&str] = &["NoSchedule", "PreferNoSchedule", "NoExecute"];

fn cluster(source: &mut Source<'_>, node: &Node, versions: &[Version]) -> ClusterSpec {
    let fields = source.fields(node, "`cluster`", CLUSTER_KEYS);
    let mut cluster = ClusterSpec::default();
    if let Some(nodes) = fields.get("nodes") {
        match &nodes.value {
            Value::Sequence(items) => {
                for (index, item) in items.iter().enumerate() {
                    let spec = node_spec(source, item, index);
                    if cluster.nodes.iter().any(|known| known.name == spec.name) {
                        source.error(
                            "experiment.cluster",
                            format!("two nodes are called `{}`", spec.name),
                            item.span,
                        );
                    }
                    cluster.nodes.push(spec);
                }
            }
            _ => {
                if let Some(number) = source.whole(nodes, "nodes", 1, 5_000) {
                    let count = usize::try_from(number).unwrap_or(1);
                    cluster.nodes = (0..count).map(default_node).collect();
                }
            }
        }
    }
    if let Some(settings) = fields.get("settings") {
        cluster.settings = self::settings(source, settings);
    }
    if let Some(gates) = fields.get("featureGates") {
        cluster.feature_gates = feature_gates(source, gates, versions);
    }
    if let Some(nodes) = fields.get("static") {
        cluster.static_pods = static_pods(source, nodes, &cluster.nodes);
    }
    cluster
}

/// The directories of static pods: node, file, manifest.
fn static_pods(source: &mut Source<'_>, node: &Node, nodes: &[NodeSpec]) -> Vec<StaticPodFile> {
    let known: Vec<String> = if nodes.is_empty() {
        vec![default_node(0).name]
    } else {
        nodes.iter().map(|node| node.name.clone()).collect()
    };
    let mut all = Vec::new();
    for (node, files) in source.mapping(node, "`static`") {
        if !known.contains(&node.name) {
            let hint = nearest::hint(&node.name, known.iter().map(String::as_str));
            let message = format!("there is no node `{}`", node.name);
            let said = source.error("experiment.cluster", message, node.span);
            said.hint(hint.unwrap_or_else(|| format!("nodes are {}", known.join(", "))));
        }
        for (file, manifest) in source.mapping(files, &format!("`{}`", node.name)) {
            all.extend(steps::static_pod_file(
                source, &node.name, &file.name, file.span, manifest,
            ));
        }
    }
    all
}

/// Settings by the name of the real flag or field. A map of a kubelet's configuration becomes the text that its flag takes.
fn settings(source: &mut Source<'_>, node: &Node) -> IndexMap<String, String> {
    let mut settings = IndexMap::new();
    let entries = source.mapping(node, "`settings`");
    let mut whole = true;
    for (key, value) in entries {
        if !setting_names().any(|known| known == key.name) {
            let said = source.error(
                "experiment.setting",
                format!("there is no setting `{}`", key.name),
                key.span,
            );
            match nearest::nearest(&key.name, setting_names()) {
                Some(meant) => said.hint(format!("did you mean `{meant}`?")),
                None => said.hint(format!("there are {}", setting_names().collect::<Vec<_>>().join(", "))),
            };
            continue;
        }
        let is_map = config::MAPS.contains(&key.name.as_str());
        let text = match &value.value {
            Value::Mapping(_) if is_map => {
                let pairs = source.mapping(value, &key.name).iter();
                let pairs = pairs.map(|(key, value)| Some(format!("{}={}", key.name, source.scalar_text(value)?)));
                pairs.collect::<Option<Vec<_>>>().map(|pairs| pairs.join(","))
            }
            Value::Sequence(_) if LISTS.contains(&key.name.as_str()) => Some(value.to_json().to_string()),
            _ => source.scalar_text(value),
        };
        match text {
            Some(text) => {
                settings.insert(key.name.clone(), text);
            }
            None => {
                whole = false;
                let wanted = if is_map { "texts by key" } else { "one value" };
                let message = format!("`{}` needs {wanted}, not {}", key.name, value.kind());
                source.error("experiment.type", message, value.span);
            }
        }
    }
    let all = settings
        .iter()
        .map(|(name, text)| (name.clone(), text.clone()))
        .collect();
    if let Err(why) = KubeletConfig::read(&all)
        && whole
    {
        let about = entries.iter().find(|(key, _)| why.contains(&key.name));
        let at = about.map_or(node.span, |(_, value)| value.span);
        source.error("experiment.setting", why, at);
    }
    settings
}

/// Feature gates must be known to every version that the experiment runs, and not be locked there.
fn feature_gates(source: &mut Source<'_>, node: &Node, versions: &[Version]) -> IndexMap<String, bool> {
    let mut gates = IndexMap::new();
    for (key, value) in source.mapping(node, "`featureGates`") {
        let Value::Bool(on) = value.value else {
            let message = format!("`{}` is `true` or `false`, not {}", key.name, value.kind());
            source.error("experiment.type", message, value.span);
            continue;
        };
        let refused = versions
            .iter()
            .find_map(|version| Profile::with_gates(*version, [(key.name.as_str(), on)]).err());
        match refused {
            Some(why) => {
                source.error("experiment.feature-gate", why, key.span);
            }
            None => {
                gates.insert(key.name.clone(), on);
            }
        }
    }
    gates
}

fn default_node(index: usize) -> NodeSpec {
    let defaults = peapod_sim::cluster::NodeConfig::default();
    NodeSpec {
        name: format!("node-{}", index + 1),
        cpu: defaults.cpu,
        memory: defaults.memory,
        disk: defaults.disk,
        pods: defaults.pods,
        labels: IndexMap::new(),
        taints: Vec::new(),
    }
}

fn node_spec(source: &mut Source<'_>, node: &Node, index: usize) -> NodeSpec {
    let mut spec = default_node(index);
    let fields = source.fields(node, "a node", NODE_KEYS);
    if let Some(name) = fields.get("name").and_then(|node| source.text(node, "name")) {
        spec.name = name;
    }
    let amounts = [
        ("cpu", &mut spec.cpu),
        ("memory", &mut spec.memory),
        ("disk", &mut spec.disk),
    ];
    for (key, into) in amounts {
        if let Some(value) = fields.get(key) {
            match source.scalar_text(value) {
                Some(text) => *into = text,
                None => {
                    source.error(
                        "experiment.type",
                        format!("`{key}` needs a quantity, such as 4 or 8Gi"),
                        value.span,
                    );
                }
            }
        }
    }
    if let Some(pods) = fields
        .get("pods")
        .and_then(|node| source.whole(node, "pods", 0, 100_000))
    {
        spec.pods = u32::try_from(pods).unwrap_or(u32::MAX);
    }
    if let Some(labels) = fields.get("labels") {
        for (key, value) in source.mapping(labels, "`labels`") {
            if let Some(text) = source.text(value, &key.name) {
                spec.labels.insert(key.name.clone(), text);
            }
        }
    }
    for taint in fields.get("taints").map(Node::items).unwrap_or_default() {
        let parsed = match &taint.value {
            Value::String(text) => parse_taint(text),
            _ => {
                let fields = source.fields(taint, "a taint", TAINT_KEYS);
                let mut part = |key: &str| {
                    fields
                        .get(key)
                        .and_then(|node| source.text(node, key))
                        .unwrap_or_default()
                };
                Some(TaintSpec {
                    key: part("key"),
                    value: part("value"),
                    effect: part("effect"),
                })
            }
        };
        match parsed {
            Some(taint) if !taint.key.is_empty() && EFFECTS.contains(&taint.effect.as_str()) => spec.taints.push(taint),
            _ => {
                source
                    .error("experiment.taint", "a taint has a key and an effect", taint.span)
                    .hint("write `key=value:NoSchedule`; effects: NoSchedule, PreferNoSchedule, NoExecute");
            }
        }
    }
    spec
}

fn parse_taint(text: &str) -> Option<TaintSpec> {
    let (head, effect) = text.rsplit_once(':')?;
    let (key, value) = head.split_once('=').unwrap_or((head, ""));
    Some(TaintSpec {
        key: key.to_owned(),
        value: value.to_owned(),
        effect: effect.to_owned(),
    })
}

impl Fields<'_> {
    fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }
}

impl Expression {
    /// The place of some bytes of the expression's text.
    pub fn place_of(&self, start: usize, end: usize) -> super::model::Place {
        place_in(&self.text, self.place, start, end)
    }
}

#[cfg(test)]
mod tests;
