//! The cluster at one instant: the picture, and what `kubectl` says.

use peapod_sim::time::SimTime;
use peapod_sim::trace::Trace;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::i18n::{Lang, Text, fill, time};
use crate::timeline::kubectl::Past;
use crate::timeline::picture::{Place, picture};

/// Which pane shows the instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum View {
    /// `kubectl get`.
    #[default]
    Get,
    /// `kubectl describe`.
    Describe,
    /// `kubectl logs`.
    Logs,
    /// `kubectl get -o yaml`.
    Yaml,
    /// `kubectl get events`.
    Events,
    /// Any line of `kubectl`.
    Console,
    /// The causes of the chosen record.
    Why,
}

impl View {
    /// All panes, in the order of their tabs.
    pub const ALL: [Self; 7] = [
        Self::Get,
        Self::Describe,
        Self::Logs,
        Self::Yaml,
        Self::Events,
        Self::Console,
        Self::Why,
    ];

    /// As an address has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Describe => "describe",
            Self::Logs => "logs",
            Self::Yaml => "yaml",
            Self::Events => "events",
            Self::Console => "console",
            Self::Why => "why",
        }
    }

    /// The word on its tab.
    pub fn text(self) -> Text {
        match self {
            Self::Get => Text::ViewGet,
            Self::Describe => Text::ViewDescribe,
            Self::Logs => Text::ViewLogs,
            Self::Yaml => Text::ViewYaml,
            Self::Events => Text::ViewEvents,
            Self::Console => Text::ViewConsole,
            Self::Why => Text::ViewWhy,
        }
    }

    /// Whether it is about one object.
    pub fn of_object(self) -> bool {
        matches!(self, Self::Describe | Self::Logs | Self::Yaml)
    }
}

/// A command and its output.
#[derive(Debug, Serialize)]
pub struct Printed {
    /// The command, with `kubectl`.
    pub command: String,
    /// The output; empty if there is none.
    pub output: String,
}

/// The cluster's picture with its heading.
#[derive(Debug, Serialize)]
pub struct PictureView {
    /// `3분 14초의 클러스터`.
    pub title: String,
    /// Nodes with pods.
    pub places: Vec<Place>,
}

/// The picture of an instant.
pub fn picture_at(lang: Lang, past: &Past<'_>, at: SimTime) -> PictureView {
    let when = time::span(lang, at.since(SimTime::ZERO));
    PictureView {
        title: fill(lang, Text::ClusterAt.say(lang), &[("t", when)]),
        places: picture(past.objects()),
    }
}

/// An object that can be chosen: `Pod/default/demo`.
pub fn choices(past: &Past<'_>, view: View) -> Vec<String> {
    let shown = |kind: &str| match view {
        View::Logs => kind == "Pod",
        _ => kind != "Event",
    };
    let mut choices: Vec<(u8, String)> = past
        .objects()
        .iter()
        .filter(|object| shown(text(object, "/kind")))
        .map(|object| {
            let kind = text(object, "/kind");
            let rank = match kind {
                "Pod" => 0,
                "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet" | "Job" | "CronJob" => 1,
                "Node" => 2,
                _ => 3,
            };
            (
                rank,
                format!(
                    "{kind}/{}/{}",
                    text(object, "/metadata/namespace"),
                    text(object, "/metadata/name")
                ),
            )
        })
        .collect();
    choices.sort();
    choices.into_iter().map(|(_, name)| name).take(500).collect()
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or("")
}

/// What a pane prints. `object` is one of [`choices`]; `compact` is for the panes under a cell.
pub fn print(past: &mut Past<'_>, view: View, object: Option<&str>, compact: bool) -> Vec<Printed> {
    let commands = match view {
        View::Get if compact => glance(past, object),
        View::Get => overview(past),
        View::Events => vec!["get events --sort-by=.lastTimestamp".to_owned()],
        View::Why | View::Console => Vec::new(),
        View::Describe | View::Logs | View::Yaml => {
            let mut parts = object.unwrap_or("").splitn(3, '/');
            let (Some(kind), Some(namespace), Some(name)) = (parts.next(), parts.next(), parts.next()) else {
                return Vec::new();
            };
            let kind = kind.to_lowercase();
            let scope = if namespace.is_empty() || namespace == "default" {
                String::new()
            } else {
                format!(" -n {namespace}")
            };
            match view {
                View::Describe => vec![format!("describe {kind} {name}{scope}")],
                View::Yaml => vec![format!("get {kind} {name}{scope} -o yaml")],
                _ => logs(past, namespace, name, &scope),
            }
        }
    };
    commands
        .into_iter()
        .map(|line| {
            let output = past.print(&line);
            Printed {
                command: format!("kubectl {line}"),
                output: output.trim_end().to_owned(),
            }
        })
        .collect()
}

/// What a line of `kubectl` prints at the instant; nothing where none is typed.
pub fn typed(past: &mut Past<'_>, line: &str) -> Vec<Printed> {
    let line = line.strip_prefix("$ ").unwrap_or(line).trim();
    let line: String = line
        .strip_prefix("kubectl")
        .unwrap_or(line)
        .trim()
        .chars()
        .take(2_000)
        .collect();
    if line.is_empty() {
        return Vec::new();
    }
    let output = past.print(&line);
    vec![Printed {
        command: format!("kubectl {line}"),
        output: output.trim_end().to_owned(),
    }]
}

/// Two looks at once: the pods, and what stands above them or what the one pod says.
fn glance(past: &Past<'_>, object: Option<&str>) -> Vec<String> {
    let mut commands: Vec<String> = overview(past)
        .into_iter()
        .filter(|line| line != "get nodes")
        .take(2)
        .collect();
    let pods = past
        .objects()
        .iter()
        .filter(|object| text(object, "/kind") == "Pod")
        .count();
    let mut parts = object.unwrap_or("").splitn(3, '/');
    if let (1, 1, Some("Pod"), Some(namespace), Some(name)) =
        (commands.len(), pods, parts.next(), parts.next(), parts.next())
    {
        let scope = if namespace == "default" {
            String::new()
        } else {
            format!(" -n {namespace}")
        };
        commands.extend(logs(past, namespace, name, &scope).into_iter().take(1));
    }
    commands
}

/// The lines a person would type first.
fn overview(past: &Past<'_>) -> Vec<String> {
    let has = |kinds: &[&str]| {
        past.objects()
            .iter()
            .any(|object| kinds.contains(&text(object, "/kind")))
    };
    let foreign = past
        .objects()
        .iter()
        .any(|object| text(object, "/kind") == "Pod" && text(object, "/metadata/namespace") != "default");
    let scope = if foreign { " -A" } else { "" };
    let mut commands = vec![format!("get pods{scope}")];
    let workloads = [
        ("Deployment", "deployments"),
        ("ReplicaSet", "replicasets"),
        ("StatefulSet", "statefulsets"),
        ("DaemonSet", "daemonsets"),
        ("Job", "jobs"),
        ("CronJob", "cronjobs"),
        ("Service", "services"),
    ];
    for (kind, plural) in workloads {
        // Every cluster has the service `kubernetes`; it says nothing about an experiment.
        let only_builtin = kind == "Service"
            && past
                .objects()
                .iter()
                .filter(|o| text(o, "/kind") == kind)
                .all(|o| text(o, "/metadata/name") == "kubernetes");
        if has(&[kind]) && !only_builtin {
            commands.push(format!("get {plural}{scope}"));
        }
    }
    commands.push("get nodes".to_owned());
    commands
}

fn logs(past: &Past<'_>, namespace: &str, name: &str, scope: &str) -> Vec<String> {
    let Some(pod) = past.objects().iter().find(|object| {
        text(object, "/kind") == "Pod"
            && text(object, "/metadata/namespace") == namespace
            && text(object, "/metadata/name") == name
    }) else {
        return vec![format!("logs {name}{scope}")];
    };
    let mut commands = Vec::new();
    let groups = [
        ("/spec/initContainers", "/status/initContainerStatuses"),
        ("/spec/containers", "/status/containerStatuses"),
    ];
    let several = groups
        .iter()
        .map(|(spec, _)| pod.pointer(spec).and_then(Value::as_array).map_or(0, Vec::len))
        .sum::<usize>()
        > 1;
    for (spec, status) in groups {
        for container in pod
            .pointer(spec)
            .and_then(Value::as_array)
            .map_or(&[][..], Vec::as_slice)
            .iter()
            .take(20)
        {
            let container = text(container, "/name");
            let which = if several {
                format!(" -c {container}")
            } else {
                String::new()
            };
            let statuses = pod
                .pointer(status)
                .and_then(Value::as_array)
                .map_or(&[][..], Vec::as_slice);
            let restarts = statuses
                .iter()
                .find(|s| text(s, "/name") == container)
                .and_then(|s| s.get("restartCount"))
                .and_then(Value::as_u64);
            commands.push(format!("logs {name}{scope}{which}"));
            if restarts.unwrap_or(0) > 0 {
                commands.push(format!("logs {name}{scope}{which} --previous"));
            }
        }
    }
    commands
}

/// The object that a reader probably means: that of the chosen record, else the first choice.
pub fn default_object(trace: &Trace, record: Option<u32>, choices: &[String]) -> Option<String> {
    let of_record = record
        .and_then(|id| trace.records.get(id as usize))
        .and_then(|record| record.object.as_ref());
    let named = of_record.map(|object| format!("{}/{}/{}", object.kind, object.namespace, object.name));
    named
        .filter(|name| choices.contains(name))
        .or_else(|| choices.first().cloned())
}
