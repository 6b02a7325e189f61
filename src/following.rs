//! Commands that go on printing: `kubectl get -w` and `kubectl logs -f`.

use peapod_kubectl::command::{Format, Logs};
use peapod_kubectl::exec::Watching;
use peapod_kubectl::print::Watch as Printer;
use peapod_kubectl::{Action, Command, NoFiles, Output, run};
use peapod_sim::apiserver::Watch;
use peapod_sim::cluster::Cluster;
use peapod_sim::request::{Request, Verb};
use serde_json::Value;

use crate::cluster_api::ClusterApi;
use crate::workstation::PATIENCE;

/// A command that has printed what there was, and now follows.
pub struct Following {
    what: What,
}

enum What {
    Watch {
        watching: Box<Watching>,
        printer: Printer,
        watch: Box<Watch>,
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
            let (watch, objects) = open(cluster, &watching)?;
            let mut options = watching.options.clone();
            // Where nothing was there, the head comes with the first row.
            let without = words
                .iter()
                .any(|word| matches!(word.as_str(), "--no-headers" | "--no-headers=true"));
            options.no_headers &= without || !output.stdout.is_empty();
            let mut printer = Printer::new(watching.resource.kind, options);
            if !output.stdout.is_empty() && matches!(watching.format, Format::Human | Format::Wide) {
                // Columns are as wide as those that stand above.
                printer = Printer::new(watching.resource.kind, {
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
                    watch: Box::new(watch),
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
                watch,
            } => {
                let written = told(cluster, watch);
                if watch.is_over(cluster.now())
                    && let Some((anew, _)) = open(cluster, watching)
                {
                    // What a cluster without a trace has forgotten meanwhile is lost; the rest is not.
                    **watch = anew;
                }
                if written.is_empty() {
                    return (String::new(), true);
                }
                let text = match &watching.format {
                    Format::Human | Format::Wide => printer.print(&written, cluster.wall_now()),
                    format => {
                        let format = format.clone();
                        written.iter().map(|object| watching.print(object, &format).0).collect()
                    }
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

/// Opens a watch, and gives the objects that are there already.
fn open(cluster: &mut Cluster, watching: &Watching) -> Option<(Watch, Vec<Value>)> {
    let name = watching.name.as_ref().map(|name| format!("metadata.name={name}"));
    let fields: Vec<String> = name.into_iter().chain(watching.field_selector.clone()).collect();
    let mut query = vec![("timeoutSeconds".to_owned(), PATIENCE.as_secs().to_string())];
    query.extend(watching.selector.clone().map(|text| ("labelSelector".to_owned(), text)));
    if !fields.is_empty() {
        query.push(("fieldSelector".to_owned(), fields.join(",")));
    }
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
    let mut watch = cluster.watch(&request).ok()?;
    let objects = told(cluster, &mut watch);
    Some((watch, objects))
}

/// The objects of which a watch has told since it was asked last, each as it was then.
fn told(cluster: &mut Cluster, watch: &mut Watch) -> Vec<Value> {
    let events = cluster.watched(watch).into_iter();
    events
        .filter(|event| matches!(event.kind, "ADDED" | "MODIFIED" | "DELETED"))
        .map(|event| event.object)
        .collect()
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
