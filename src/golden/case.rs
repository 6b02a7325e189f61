//! A case as it lies in its folder.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use peapod_sim::fault::Fault;
use peapod_yaml::{Dialect, Node};

use super::digest::Digest;
use super::events::Event;
use super::outputs::{self, Printed};
use super::watch::{self, Row};

/// One case.
#[derive(Clone, Debug)]
pub struct Case {
    /// Name of its folder.
    pub name: String,
    /// What happens in it.
    pub title: String,
    /// How many nodes the cluster had.
    pub nodes: usize,
    /// What was done, in order of time.
    pub steps: Vec<Step>,
    /// The wall-clock instant of its start: what is cut to whole seconds depends on it.
    pub start: Option<Timestamp>,
    /// How long it was watched, in seconds.
    pub duration: f64,
    /// Groups that it belongs to.
    pub tags: Vec<String>,
    /// Whether the real cluster itself did not repeat it.
    pub unstable: bool,
    /// Settings of the kubelet that were not the default.
    pub kubelet: Vec<(String, Setting)>,
    /// Manifests by file name.
    pub manifests: BTreeMap<String, String>,
    /// Recorded digests, one list a recording.
    pub recordings: Vec<Vec<Digest>>,
    /// The Event objects at the end.
    pub events: Option<Vec<Event>>,
    /// What `kubectl get pods -o wide -w` printed.
    pub watch: Option<Vec<Row>>,
    /// What `get`, `describe` and `logs` printed at the end.
    pub outputs: Option<Vec<Printed>>,
}

/// The value of a setting.
#[derive(Clone, Debug)]
pub enum Setting {
    /// A text or a number.
    One(String),
    /// Texts by key.
    Map(Vec<(String, String)>),
}

/// One thing that was done.
#[derive(Clone, Debug)]
pub struct Step {
    /// When it began, in seconds.
    pub at: f64,
    /// When its command had returned.
    pub done: f64,
    /// What.
    pub action: Action,
}

/// What was done.
#[derive(Clone, Debug)]
pub enum Action {
    /// `kubectl apply -f FILE`
    Apply(String),
    /// `kubectl …`
    Kubectl(String),
    /// Faults that are injected at once.
    Faults(Vec<Fault>),
    /// A container of the first pod gets a signal.
    KillContainer {
        /// Container name.
        container: String,
        /// Signal.
        signal: String,
    },
    /// The pause process of the first pod is killed.
    KillSandbox,
    /// The oldest pod that is not being deleted is evicted through the API.
    Evict,
    /// A manifest of the case is written into the directory of static pods, or a file removed from it.
    StaticPod {
        /// Node.
        node: String,
        /// File in the directory.
        file: String,
        /// The manifest that is its content; `None` removes the file.
        from: Option<String>,
    },
    /// A namespace is deleted.
    DeleteNamespace(String),
    /// Something that cannot be done yet, in words.
    Other(String),
}

impl Case {
    /// Reads the case in a folder.
    ///
    /// # Errors
    /// A sentence that names the file and what is wrong with it.
    pub fn read(folder: &Path) -> Result<Self, String> {
        let name = folder
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        let text = read_text(&folder.join("case.yaml"))?;
        let documents =
            peapod_yaml::read(&text, Dialect::Core).map_err(|error| error.of_file(&format!("{name}/case.yaml")))?;
        let about = documents.first().ok_or_else(|| format!("{name}/case.yaml is empty"))?;
        let mut manifests = BTreeMap::new();
        let mut recordings = Vec::new();
        let (mut events, mut watch, mut printed) = (None, None, None);
        let entries = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let mut files: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        files.sort();
        for path in files {
            let file = path
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default();
            if file.starts_with("manifest") && file.ends_with(".yaml") {
                manifests.insert(file, read_text(&path)?);
            } else if file.starts_with("trace") && file.ends_with(".json") {
                let digests = serde_json::from_str(&read_text(&path)?)
                    .map_err(|error| format!("{name}/{file} is no list of digests: {error}"))?;
                recordings.push(digests);
            } else if file == "events.json" {
                let recorded = serde_json::from_str(&read_text(&path)?)
                    .map_err(|error| format!("{name}/{file} is no list of events: {error}"))?;
                events = Some(recorded);
            } else if file == "kubectl.txt" {
                let text = read_text(&path)?;
                watch = Some(watch::recorded(&text));
                printed = Some(outputs::recorded(&text));
            }
        }
        let number = |key: &str| about.get(key).and_then(Node::as_f64);
        let mut steps: Vec<Step> = about
            .get("steps")
            .map(Node::items)
            .unwrap_or_default()
            .iter()
            .map(step)
            .collect();
        steps.sort_by(|a, b| a.at.total_cmp(&b.at));
        for step in &steps {
            if let Action::StaticPod {
                node, from: Some(file), ..
            } = &step.action
                && !manifests.contains_key(file)
                && let Ok(text) = super::recovered::manifest(folder, node, step.at)
            {
                manifests.insert(file.clone(), text);
            }
        }
        Ok(Self {
            title: about.get("title").and_then(Node::as_str).unwrap_or_default().to_owned(),
            nodes: about
                .get("nodes")
                .and_then(Node::as_i64)
                .and_then(|count| usize::try_from(count).ok())
                .unwrap_or(1),
            steps,
            start: about
                .get("t0")
                .and_then(Node::as_str)
                .and_then(|text| text.parse().ok()),
            duration: number("duration").ok_or_else(|| format!("{name}/case.yaml has no duration"))?,
            tags: about
                .get("tags")
                .map(Node::items)
                .unwrap_or_default()
                .iter()
                .filter_map(|tag| tag.as_str().map(str::to_owned))
                .collect(),
            unstable: about.get("unstable").and_then(Node::as_bool) == Some(true),
            kubelet: about
                .get("kubelet")
                .map(Node::entries)
                .unwrap_or_default()
                .iter()
                .map(|(key, value)| (key.name.clone(), setting(value)))
                .collect(),
            manifests,
            recordings,
            events,
            watch,
            outputs: printed,
            name,
        })
    }
}

fn read_text(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn setting(node: &Node) -> Setting {
    let text = |node: &Node| {
        let number = node.as_i64().map(|number| number.to_string());
        let flag = node.as_bool().map(|flag| flag.to_string());
        node.as_str().map(str::to_owned).or(number).or(flag).unwrap_or_default()
    };
    match node.entries() {
        [] => Setting::One(text(node)),
        entries => Setting::Map(
            entries
                .iter()
                .map(|(key, value)| (key.name.clone(), text(value)))
                .collect(),
        ),
    }
}

fn step(node: &Node) -> Step {
    let at = node.get("at").and_then(Node::as_f64).unwrap_or(0.0);
    let done = node.get("done").and_then(Node::as_f64).unwrap_or(at);
    let text = |key: &str| node.get(key).and_then(Node::as_str).map(str::to_owned);
    let action = if let Some(file) = text("apply") {
        Action::Apply(file)
    } else if let Some(arguments) = text("kubectl") {
        Action::Kubectl(arguments)
    } else if let Some(words) = node.get("fault") {
        fault(words)
    } else {
        Action::Other("a step that is no apply, kubectl or fault".to_owned())
    };
    Step { at, done, action }
}

fn fault(node: &Node) -> Action {
    let text = |key: &str| node.get(key).and_then(Node::as_str).map(str::to_owned);
    let flag = |key: &str| node.get(key).and_then(Node::as_bool);
    if let (Some(container), Some(signal)) = (text("container"), text("kill")) {
        return Action::KillContainer { container, signal };
    }
    if node.get("sandbox").is_some() {
        return Action::KillSandbox;
    }
    if node.get("evict").is_some() {
        return Action::Evict;
    }
    if let (Some(image), Some(available)) = (text("image"), flag("available")) {
        let fault = if available {
            Fault::ImageAvailable { image }
        } else {
            Fault::ImageGone { image }
        };
        return Action::Faults(vec![fault]);
    }
    if let (Some(name), Some(true)) = (text("namespace"), flag("delete")) {
        return Action::DeleteNamespace(name);
    }
    if let Some(component) = text("component") {
        return match flag("stop").or_else(|| flag("freeze")) {
            Some(on) => Action::Faults(vec![Fault::StopComponent { component, on }]),
            None => Action::Other(format!("a fault of unknown form: {}", node.to_json())),
        };
    }
    if let (Some(name), Some(change)) = (text("node"), node.get("staticPod")) {
        let part = |key: &str| change.get(key).and_then(Node::as_str).map(str::to_owned);
        let (file, from) = match (part("write"), part("from"), part("remove")) {
            (Some(file), Some(from), None) => (file, Some(from)),
            (None, None, Some(file)) => (file, None),
            _ => return Action::Other(format!("a fault of unknown form: {}", node.to_json())),
        };
        return Action::StaticPod { node: name, file, from };
    }
    let nodes: Vec<String> = match node.get("node") {
        Some(names) if names.as_str().is_none() => names
            .items()
            .iter()
            .filter_map(|name| name.as_str().map(str::to_owned))
            .collect(),
        Some(name) => name.as_str().map(str::to_owned).into_iter().collect(),
        None => Vec::new(),
    };
    let on_all = |key: &str, make: fn(String, bool) -> Fault| {
        let on = flag(key)?;
        Some(nodes.iter().map(|node| make(node.clone(), on)).collect::<Vec<_>>())
    };
    let found = on_all("freezeKubelet", |node, on| Fault::FreezeKubelet { node, on })
        .or_else(|| on_all("stopKubelet", |node, on| Fault::StopKubelet { node, on }))
        .or_else(|| on_all("stopContainerRuntime", |node, on| Fault::StopRuntime { node, on }))
        // The kubelet comes back by a step of its own.
        .or_else(|| on_all("crash", |node, _| Fault::PowerOff { node }));
    match found {
        Some(faults) if !faults.is_empty() => Action::Faults(faults),
        _ => Action::Other(format!("a fault of unknown form: {}", node.to_json())),
    }
}
