//! Commands that go on printing: `kubectl get -w` and `kubectl logs -f`.

use std::collections::BTreeSet;

use peapod_kubectl::command::{Format, Logs};
use peapod_kubectl::exec::Watching;
use peapod_kubectl::print::{Watch, output};
use peapod_kubectl::{Action, Api, Command, NoFiles, Output, Request, Verb, run};
use peapod_sim::cluster::Cluster;
use serde_json::Value;

use crate::cluster_api::ClusterApi;

/// A command that has printed what there was, and now follows.
pub struct Following {
    what: What,
}

enum What {
    Watch {
        watching: Box<Watching>,
        printer: Watch,
        /// How many writes were seen.
        seen: usize,
        /// The objects that match, by namespace and name.
        known: BTreeSet<(String, String)>,
    },
    Logs {
        command: Box<Command>,
        logs: Box<Logs>,
        /// What the container had written when it was looked at last.
        known: String,
    },
}

impl Following {
    /// What a command that was carried out goes on with, if it does. Logs of pods that a selector chooses are not followed.
    pub fn of(words: &[String], output: &Output, cluster: &mut Cluster) -> Option<Self> {
        let command = Command::from_words(words).ok()?;
        if let Some(watching) = output.watches.clone() {
            let objects = list(cluster, &watching);
            let mut options = watching.options.clone();
            // Where nothing was there, the head comes with the first row.
            let without = words
                .iter()
                .any(|word| matches!(word.as_str(), "--no-headers" | "--no-headers=true"));
            options.no_headers &= without || !output.stdout.is_empty();
            let mut printer = Watch::new(watching.resource.kind, options);
            if !output.stdout.is_empty() {
                // Columns are as wide as those that stand above.
                printer = Watch::new(watching.resource.kind, {
                    let mut options = watching.options.clone();
                    options.no_headers = false;
                    options
                });
                printer.print(&objects, cluster.wall_now());
            }
            return Some(Self {
                what: What::Watch {
                    watching: Box::new(watching),
                    printer,
                    seen: cluster.forgotten_writes() + cluster.writes().len(),
                    known: objects.iter().map(key).collect(),
                },
            });
        }
        let Action::Logs(logs) = &command.action else {
            return None;
        };
        if !logs.follow || logs.selector.is_some() || output.exit_code != 0 {
            return None;
        }
        let logs = Logs {
            tail: None,
            since_seconds: None,
            since_time: None,
            follow: false,
            ..logs.clone()
        };
        let mut following = Self {
            what: What::Logs {
                logs: Box::new(logs),
                known: String::new(),
                command: Box::new(command),
            },
        };
        // What was before is printed already, as much of it as was asked for.
        following.poll(cluster);
        Some(following)
    }

    /// What there is to print now, and whether it goes on.
    pub fn poll(&mut self, cluster: &mut Cluster) -> (String, bool) {
        match &mut self.what {
            What::Watch {
                watching,
                printer,
                seen,
                known,
            } => {
                let now: BTreeSet<_> = list(cluster, watching).iter().map(key).collect();
                let from = seen.saturating_sub(cluster.forgotten_writes());
                let written: Vec<Value> = cluster
                    .writes()
                    .iter()
                    .skip(from)
                    .map(|write| write.stored.json())
                    .filter(|object| object.get("kind").and_then(Value::as_str) == Some(watching.resource.kind))
                    .filter(|object| known.contains(&key(object)) || now.contains(&key(object)))
                    .map(|object| Value::clone(&object))
                    .collect();
                *seen = cluster.forgotten_writes() + cluster.writes().len();
                *known = now;
                if written.is_empty() {
                    return (String::new(), true);
                }
                let text = match &watching.format {
                    Format::Human | Format::Wide => printer.print(&written, cluster.wall_now()),
                    Format::Name => {
                        let name =
                            |object: &Value| format!("{}/{}\n", watching.resource.singular_group(), key(object).1);
                        written.iter().map(name).collect()
                    }
                    format => written
                        .iter()
                        .map(|object| output::print(object, format, &output::Options::default()).0)
                        .collect(),
                };
                (text, true)
            }
            What::Logs { command, logs, known } => {
                let command = Command {
                    action: Action::Logs((**logs).clone()),
                    ..(**command).clone()
                };
                let output = run(&command, &mut ClusterApi::new(cluster), &NoFiles);
                // Another container's log, or none: the one that was followed has ended.
                let Some(new) = output.stdout.strip_prefix(known.as_str()) else {
                    return (String::new(), false);
                };
                let new = new.to_owned();
                *known = output.stdout;
                let goes_on = output.exit_code == 0 && runs(cluster, &command, logs);
                (new, goes_on)
            }
        }
    }
}

fn key(object: &Value) -> (String, String) {
    let text = |pointer: &str| {
        object
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    (text("/metadata/namespace"), text("/metadata/name"))
}

/// The objects that are watched.
fn list(cluster: &mut Cluster, watching: &Watching) -> Vec<Value> {
    let mut query = Vec::new();
    query.extend(watching.selector.clone().map(|text| ("labelSelector".to_owned(), text)));
    query.extend(
        watching
            .field_selector
            .clone()
            .map(|text| ("fieldSelector".to_owned(), text)),
    );
    let request = Request {
        verb: Verb::List,
        group: watching.resource.group.to_owned(),
        version: watching.resource.version.to_owned(),
        resource: watching.resource.plural.to_owned(),
        namespace: watching.namespace.clone(),
        name: String::new(),
        subresource: String::new(),
        body: None,
        patch: None,
        query,
    };
    let answer = ClusterApi::new(cluster).request(&request).unwrap_or_default();
    let items = answer
        .get("items")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let named = |object: &Value| watching.name.as_ref().is_none_or(|name| key(object).1 == *name);
    let with_kind = |mut object: Value| {
        object["kind"] = Value::from(watching.resource.kind);
        object["apiVersion"] = Value::from(watching.resource.api_version());
        object
    };
    items.into_iter().filter(named).map(with_kind).collect()
}

/// Whether a container whose log is followed still runs, or is still to run.
fn runs(cluster: &Cluster, command: &Command, logs: &Logs) -> bool {
    let target = logs.target.as_deref().unwrap_or_default();
    let name = target
        .strip_prefix("pod/")
        .or_else(|| target.strip_prefix("pods/"))
        .unwrap_or(target);
    let namespace = command.namespace.as_deref().unwrap_or("default");
    // Of a workload, one pod was chosen; its log ends when it changes.
    let Some(pod) = cluster.object("Pod", namespace, name) else {
        return target.contains('/') && !target.starts_with("pod");
    };
    let statuses = ["/status/containerStatuses", "/status/initContainerStatuses"];
    let mut all = statuses
        .iter()
        .filter_map(|list| pod.pointer(list)?.as_array())
        .flatten();
    let chosen = |status: &&Value| match &logs.container {
        Some(container) => status.get("name").and_then(Value::as_str) == Some(container),
        None => true,
    };
    all.any(|status| chosen(&status) && status.pointer("/state/running").is_some())
}
