//! What may be varied: fields of the manifests, the cluster, and what happens to it.
//!
//! A field whose value comes from a variable is never varied: the experiment says itself which values it has.

use std::collections::BTreeSet;

use peapod_sim::manifest;
use peapod_sim::time::SimDuration;
use peapod_sim::trace::Trace;
use peapod_sim::version::Version;
use serde_json::{Value, json};

use super::{Change, Field, path};
use crate::lab::model::{Action, Experiment, FaultSpec, Trial};
use crate::lab::program::{self, Program};

/// At so many instants of a trial something may happen to the cluster, unless the experiment names them.
const INSTANTS: usize = 4;

/// At most so many objects are the target of what happens.
const TARGETS: usize = 3;

/// A manifest of a trial, with what in it comes from variables.
struct Document {
    step: usize,
    index: usize,
    object: String,
    value: Value,
    /// JSON pointers of the values that come from variables.
    bound: BTreeSet<String>,
}

/// Everything that may be changed in a trial, what is nearest to the note first. `trace` is the trial's as it stands.
pub fn changes(program: &Program, trial: &Trial, trace: &Trace) -> Vec<Change> {
    let experiment = &*program.experiment;
    let spec = &experiment.refute;
    let documents = documents(program, trial);
    let declared = !spec.vary.is_empty() || !spec.faults.is_empty();
    let mut space = Space {
        keep: spec.keep.iter().filter_map(|text| path::parse(text)).collect(),
        changes: Vec::new(),
    };
    for vary in &spec.vary {
        let Some(parts) = path::parse(&vary.path) else { continue };
        for document in &documents {
            for value in &vary.values {
                space.field(document, &parts, value);
            }
        }
    }
    if !declared {
        documents.iter().for_each(|document| space.written(document));
        documents.iter().for_each(|document| space.absent(document));
    }
    let instants = match spec.at.is_empty() {
        true => instants(trace),
        false => spec.at.clone(),
    };
    let happenings = match declared {
        true => spec.faults.iter().cloned().map(Happening::Fault).collect(),
        false => happenings(experiment, trace),
    };
    for happening in &happenings {
        for at in &instants {
            space.changes.push(match happening {
                Happening::Fault(fault) => Change::Fault {
                    at: *at,
                    fault: fault.clone(),
                },
                Happening::Command(line) => Change::Command {
                    at: *at,
                    line: line.clone(),
                },
            });
        }
    }
    if !declared {
        cluster(experiment, &mut space.changes);
    }
    space.changes
}

/// The manifests of a trial.
fn documents(program: &Program, trial: &Trial) -> Vec<Document> {
    let mut found = Vec::new();
    let steps = program.experiment.steps.iter().zip(&program.steps).enumerate();
    for (step, (of, compiled)) in steps {
        if !matches!(of.action, Action::Apply { .. }) || !program::applies(compiled.when.as_ref(), &trial.variables) {
            continue;
        }
        let Some(template) = compiled.templates.first() else {
            continue;
        };
        let rendered = template.render(&trial.variables);
        let Ok(manifests) = manifest::read(&rendered.text) else {
            continue;
        };
        for (index, manifest) in manifests.into_iter().enumerate() {
            let text = |pointer: &str| {
                manifest
                    .value
                    .pointer(pointer)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
            };
            let object = format!("{} {}", text("/kind"), text("/metadata/name"));
            let bound = manifest
                .spans
                .iter()
                .filter(|(pointer, span)| {
                    let leaf = manifest
                        .value
                        .pointer(pointer)
                        .is_some_and(|value| !value.is_object() && !value.is_array());
                    leaf && rendered
                        .filled()
                        .any(|hole| hole.start < span.end && span.start < hole.end)
                })
                .map(|(pointer, _)| pointer.clone())
                .collect();
            found.push(Document {
                step,
                index,
                object,
                value: manifest.value,
                bound,
            });
        }
    }
    found
}

struct Space {
    keep: Vec<Vec<String>>,
    changes: Vec<Change>,
}

impl Space {
    /// One value of one field, unless the field has it, comes from a variable or is to be kept.
    fn field(&mut self, document: &Document, parts: &[String], to: &Value) {
        let from = path::get(&document.value, parts).clone();
        let pointer = pointer(&document.value, parts);
        let below = format!("{pointer}/");
        let bound = document
            .bound
            .iter()
            .any(|bound| *bound == pointer || (bound.starts_with(&below) && !extends(&from, to)));
        if from == *to || bound || self.keep.iter().any(|kept| parts.starts_with(kept)) {
            return;
        }
        let mut value = document.value.clone();
        if !path::set(&mut value, parts, to) {
            return;
        }
        let change = Change::Field(Field {
            step: document.step,
            document: document.index,
            object: document.object.clone(),
            path: parts.to_vec(),
            from,
            to: to.clone(),
        });
        if !self.changes.contains(&change) {
            self.changes.push(change);
        }
    }

    /// Other values for what the manifest says.
    fn written(&mut self, document: &Document) {
        let mut leaves = Vec::new();
        walk(&document.value, &mut Vec::new(), &mut leaves);
        for (parts, value) in &leaves {
            let key = parts.last().map(String::as_str).unwrap_or_default();
            for other in others(key, value, parts) {
                self.field(document, parts, &other);
            }
        }
        for (parts, value) in &leaves {
            if let Value::String(text) = value
                && parts.iter().any(|part| part == "command" || part == "args")
            {
                for other in programs(text) {
                    self.field(document, parts, &Value::String(other));
                }
            }
        }
        let mut optional = Vec::new();
        walk_optional(&document.value, &mut Vec::new(), &mut optional);
        for parts in optional {
            self.field(document, &parts, &Value::Null);
        }
    }

    /// What the manifest does not say.
    fn absent(&mut self, document: &Document) {
        let kind = document.value.get("kind").and_then(Value::as_str).unwrap_or_default();
        let add = |space: &mut Self, parts: &[&str], to: Value| {
            let parts: Vec<String> = parts.iter().map(|part| (*part).to_owned()).collect();
            if path::get(&document.value, &parts).is_null() {
                space.field(document, &parts, &to);
            }
        };
        let pod: &[&str] = match kind {
            "Pod" => &["spec"],
            "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet" | "Job" | "ReplicationController" => {
                &["spec", "template", "spec"]
            }
            "CronJob" => &["spec", "jobTemplate", "spec", "template", "spec"],
            _ => return,
        };
        match kind {
            "Deployment" | "ReplicaSet" | "StatefulSet" => {
                [0, 2, 3]
                    .into_iter()
                    .for_each(|replicas| add(self, &["spec", "replicas"], json!(replicas)));
            }
            "Job" => {
                add(self, &["spec", "backoffLimit"], json!(0));
                add(self, &["spec", "completions"], json!(2));
                add(self, &["spec", "parallelism"], json!(2));
                add(self, &["spec", "activeDeadlineSeconds"], json!(3));
                add(self, &["spec", "ttlSecondsAfterFinished"], json!(5));
                add(self, &["spec", "suspend"], json!(true));
            }
            _ => {}
        }
        match kind {
            "Deployment" => add(self, &["spec", "strategy"], json!({"type": "Recreate"})),
            "StatefulSet" => add(self, &["spec", "podManagementPolicy"], json!("Parallel")),
            _ => {}
        }
        let at =
            |rest: &[&'static str]| -> Vec<String> { pod.iter().chain(rest).map(|part| (*part).to_owned()).collect() };
        let of_pod = |space: &mut Self, rest: &[&'static str], to: Value| {
            let parts = at(rest);
            if path::get(&document.value, &parts).is_null() {
                space.field(document, &parts, &to);
            }
        };
        for policy in ["Never", "OnFailure"] {
            of_pod(self, &["restartPolicy"], json!(policy));
        }
        of_pod(self, &["activeDeadlineSeconds"], json!(3));
        of_pod(self, &["terminationGracePeriodSeconds"], json!(1));
        of_pod(self, &["nodeSelector"], json!({"example.com/none": "none"}));
        of_pod(
            self,
            &["readinessGates"],
            json!([{"conditionType": "example.com/gate"}]),
        );
        of_pod(self, &["schedulingGates"], json!([{"name": "example.com/gate"}]));
        of_pod(self, &["shareProcessNamespace"], json!(true));
        let containers = path::get(&document.value, &at(&["containers"])).clone();
        let containers = containers.as_array().cloned().unwrap_or_default();
        for container in &containers {
            let Some(name) = container.get("name").and_then(Value::as_str) else {
                continue;
            };
            for (fields, to) in of_container() {
                let mut parts = at(&["containers"]);
                parts.push(name.to_owned());
                parts.extend(fields.iter().map(|part| (*part).to_owned()));
                if path::get(&document.value, &parts).is_null() {
                    self.field(document, &parts, &to);
                }
            }
        }
        let image = containers.first().and_then(|first| first.get("image")).cloned();
        let more = |list: &[Value], name: &str, script: &str, always: bool| {
            let mut added = json!({"name": name, "image": image, "command": ["sh", "-c", script]});
            if always {
                added["restartPolicy"] = json!("Always");
            }
            let mut list = list.to_vec();
            list.push(added);
            Value::Array(list)
        };
        let init = path::get(&document.value, &at(&["initContainers"])).clone();
        let init = init.as_array().cloned().unwrap_or_default();
        let (containers_at, init_at) = (at(&["containers"]), at(&["initContainers"]));
        self.field(
            document,
            &containers_at,
            &more(&containers, "other", "sleep 3600", false),
        );
        self.field(document, &containers_at, &more(&containers, "other", "exit 1", false));
        self.field(document, &containers_at, &more(&containers, "other", "exit 0", false));
        self.field(document, &init_at, &more(&init, "init", "exit 1", false));
        self.field(document, &init_at, &more(&init, "init", "sleep 20", false));
        self.field(document, &init_at, &more(&init, "sidecar", "sleep 3600", true));
    }
}

/// What a container may have besides.
fn of_container() -> Vec<(&'static [&'static str], Value)> {
    let fails = json!({"exec": {"command": ["false"]}, "periodSeconds": 5, "failureThreshold": 1});
    vec![
        (&["livenessProbe"], fails.clone()),
        (&["readinessProbe"], fails.clone()),
        (&["startupProbe"], fails),
        (&["lifecycle", "postStart"], json!({"exec": {"command": ["false"]}})),
        (&["lifecycle", "preStop"], json!({"exec": {"command": ["sleep", "5"]}})),
        (&["resources", "requests", "memory"], json!("1Ti")),
        (&["resources", "limits", "memory"], json!("1Mi")),
        (&["imagePullPolicy"], json!("Never")),
        (&["command"], json!(["sh", "-c", "exit 1"])),
        (&["command"], json!(["sh", "-c", "exit 0"])),
        (&["command"], json!(["sh", "-c", "sleep 3600"])),
    ]
}

/// Whether one list is another with more at its end, so that nothing in it changes.
fn extends(from: &Value, to: &Value) -> bool {
    matches!((from, to), (Value::Array(from), Value::Array(to)) if to.starts_with(from))
}

/// The JSON pointer of a path.
fn pointer(value: &Value, parts: &[String]) -> String {
    let mut pointer = String::new();
    let mut value = value;
    for part in parts {
        let token = match value {
            Value::Array(items) => path::place(items, part).map_or_else(|| part.clone(), |place| place.to_string()),
            _ => part.clone(),
        };
        value = match value {
            Value::Array(items) => path::place(items, part)
                .and_then(|at| items.get(at))
                .unwrap_or(&Value::Null),
            other => other.get(part).unwrap_or(&Value::Null),
        };
        pointer.push('/');
        pointer.push_str(&peapod_yaml::escape(&token));
    }
    pointer
}

/// The leaves below `spec`, in the order of the manifest.
fn walk(value: &Value, parts: &mut Vec<String>, leaves: &mut Vec<(Vec<String>, Value)>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                // Who an object is, and how objects find each other, is not a field to vary.
                if parts.is_empty() && key != "spec" || matches!(key.as_str(), "name" | "metadata" | "selector") {
                    continue;
                }
                parts.push(key.clone());
                walk(value, parts, leaves);
                parts.pop();
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                let name = value.get("name").and_then(Value::as_str);
                parts.push(name.map_or_else(|| index.to_string(), str::to_owned));
                walk(value, parts, leaves);
                parts.pop();
            }
        }
        leaf => leaves.push((parts.clone(), leaf.clone())),
    }
}

/// Fields that a manifest may also do without.
const OPTIONAL: &[&str] = &[
    "activeDeadlineSeconds",
    "affinity",
    "args",
    "backoffLimit",
    "command",
    "initContainers",
    "lifecycle",
    "limits",
    "livenessProbe",
    "nodeName",
    "nodeSelector",
    "podFailurePolicy",
    "postStart",
    "preStop",
    "priorityClassName",
    "readinessGates",
    "readinessProbe",
    "requests",
    "resources",
    "restartPolicy",
    "schedulingGates",
    "startupProbe",
    "terminationGracePeriodSeconds",
    "tolerations",
    "topologySpreadConstraints",
];

fn walk_optional(value: &Value, parts: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                parts.push(key.clone());
                if OPTIONAL.contains(&key.as_str()) {
                    found.push(parts.clone());
                }
                walk_optional(value, parts, found);
                parts.pop();
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                let name = value.get("name").and_then(Value::as_str);
                parts.push(name.map_or_else(|| index.to_string(), str::to_owned));
                walk_optional(value, parts, found);
                parts.pop();
            }
        }
        _ => {}
    }
}

/// Other values for a field that has one.
fn others(key: &str, value: &Value, parts: &[String]) -> Vec<Value> {
    let words: &[&str] = match key {
        // A container that has one of its own is restarted always, or by rules that only containers have.
        "restartPolicy" if parts.iter().any(|part| part.ends_with("ontainers")) => &[],
        "restartPolicy" => &["Always", "OnFailure", "Never"],
        "imagePullPolicy" => &["Always", "IfNotPresent", "Never"],
        "podManagementPolicy" => &["OrderedReady", "Parallel"],
        "concurrencyPolicy" => &["Allow", "Forbid", "Replace"],
        "whenUnsatisfiable" => &["DoNotSchedule", "ScheduleAnyway"],
        "effect" => &["NoSchedule", "PreferNoSchedule", "NoExecute"],
        "image" => &["busybox:none"],
        "type" if parts.iter().any(|part| part == "strategy") => &["RollingUpdate", "Recreate"],
        "type" if parts.iter().any(|part| part == "updateStrategy") => &["RollingUpdate", "OnDelete"],
        _ => &[],
    };
    if !words.is_empty() {
        return words.iter().map(|word| json!(word)).collect();
    }
    match value {
        Value::Bool(value) => vec![json!(!value)],
        Value::Number(number)
            if !key.to_lowercase().ends_with("port") && !key.starts_with("runAs") && key != "fsGroup" =>
        {
            let Some(number) = number.as_i64() else {
                return Vec::new();
            };
            [0, 1, number.saturating_mul(2), number.saturating_mul(10)]
                .into_iter()
                .map(|value| json!(value))
                .collect()
        }
        _ => Vec::new(),
    }
}

/// The same script with other exit codes and other times.
fn programs(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (word, numbers) in [
        ("exit ", &["0", "1", "137"][..]),
        ("sleep ", &["0", "1", "60", "3600"][..]),
    ] {
        for (at, _) in text.match_indices(word) {
            let start = at + word.len();
            let length = text[start..].bytes().take_while(u8::is_ascii_digit).count();
            if length == 0 {
                continue;
            }
            for number in numbers {
                let other = format!("{}{number}{}", &text[..start], &text[start + length..]);
                if other != text && !found.contains(&other) {
                    found.push(other);
                }
            }
        }
    }
    found
}

enum Happening {
    Fault(FaultSpec),
    Command(String),
}

/// What may happen to the cluster and what lives in it.
fn happenings(experiment: &Experiment, trace: &Trace) -> Vec<Happening> {
    let mut pods: Vec<(&str, &str, &Value)> = Vec::new();
    for version in trace.versions.iter().filter(|version| version.object.kind == "Pod") {
        let (namespace, name) = (version.object.namespace.as_str(), version.object.name.as_str());
        if !pods.iter().any(|pod| (pod.0, pod.1) == (namespace, name)) && pods.len() < TARGETS {
            pods.push((namespace, name, &version.value));
        }
    }
    let mut found = Vec::new();
    for (namespace, name, value) in pods {
        let of = format!("{name} --namespace={namespace}");
        found.push(Happening::Command(format!("delete pod {of}")));
        found.push(Happening::Command(format!("delete pod {of} --grace-period=0 --force")));
        let containers = value.pointer("/spec/containers").and_then(Value::as_array);
        for container in containers.into_iter().flatten().take(TARGETS) {
            let Some(container) = container.get("name").and_then(Value::as_str) else {
                continue;
            };
            for signal in ["SIGKILL", "SIGTERM"] {
                found.push(Happening::Fault(FaultSpec::KillContainer {
                    namespace: namespace.to_owned(),
                    pod: name.to_owned(),
                    container: container.to_owned(),
                    signal: signal.to_owned(),
                }));
            }
        }
        found.push(Happening::Fault(FaultSpec::KillSandbox {
            namespace: namespace.to_owned(),
            pod: name.to_owned(),
        }));
    }
    let nodes: Vec<String> = match experiment.cluster.nodes.is_empty() {
        true => vec!["node-1".to_owned()],
        false => experiment.cluster.nodes.iter().map(|node| node.name.clone()).collect(),
    };
    for node in nodes.into_iter().take(TARGETS) {
        let name = || node.clone();
        let starve = |pressure: &str| FaultSpec::Starve {
            node: name(),
            pressure: pressure.to_owned(),
            amount: "true".to_owned(),
        };
        let faults = [
            FaultSpec::NodePowerOff { node: name() },
            FaultSpec::NodeCrash { node: name() },
            FaultSpec::StopKubelet { node: name(), on: true },
            FaultSpec::Partition { node: name(), on: true },
            starve("memoryPressure"),
            starve("diskPressure"),
            FaultSpec::ShutdownNode { node: name(), on: true },
        ];
        found.extend(faults.into_iter().map(Happening::Fault));
        found.push(Happening::Command(format!("delete node {node}")));
    }
    found.push(Happening::Fault(FaultSpec::RegistryDown {
        registry: "docker.io".to_owned(),
        duration: None,
    }));
    found
}

/// The whole seconds after which a pod had just changed, spread over the trial; the start is one of them.
fn instants(trace: &Trace) -> Vec<SimDuration> {
    let pods = trace.versions.iter().filter(|version| version.object.kind == "Pod");
    let seconds: BTreeSet<u64> = pods.map(|version| version.at.0 / 1_000_000_000 + 1).collect();
    let seconds: Vec<u64> = std::iter::once(0).chain(seconds).collect();
    let last = seconds.len() - 1;
    let mut chosen: Vec<u64> = (0..INSTANTS)
        .filter_map(|index| seconds.get(index * last / (INSTANTS - 1)).copied())
        .collect();
    chosen.dedup();
    chosen.into_iter().map(SimDuration::from_secs).collect()
}

/// Other versions and other clusters, where the experiment names none.
fn cluster(experiment: &Experiment, changes: &mut Vec<Change>) {
    let says = |key: &str| experiment.source.lines().any(|line| line.starts_with(key));
    if !says("kubernetes:") {
        let newest = experiment.kubernetes.first().cloned().unwrap_or_default();
        let all = Version::all().map(|version| version.to_string());
        let others: Vec<String> = all.filter(|version| *version != newest).collect();
        // The nearest to what is asked about come first.
        changes.extend(others.into_iter().rev().map(|to| Change::Kubernetes { to }));
    }
    for seed in 1..=3 {
        changes.push(Change::Seed {
            to: experiment.seed.saturating_add(seed),
        });
    }
}
