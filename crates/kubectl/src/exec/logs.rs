//! `logs`, `exec` and `events` (`pkg/cmd/logs`, `pkg/cmd/exec`, `pkg/cmd/events`).

use serde_json::Value;

use super::{Failure, Session};
use crate::api::{LogRequest, Status};
use crate::command::Logs;
use crate::print::age::{age, since};
use crate::print::table::TableWriter;
use crate::resources::{self, Resource};
use crate::selector::selector_query;
use crate::value::{int, list, text, time};

const DEFAULT_CONTAINER: &str = "/metadata/annotations/kubectl.kubernetes.io~1default-container";

impl Session<'_> {
    fn pods_resource() -> Result<&'static Resource, Failure> {
        resources::find("pods").ok_or_else(|| Failure::from("pods are not known"))
    }

    /// The pods behind `POD` or `TYPE/NAME`; a workload's pods by age, the oldest ready one first.
    fn pods_of(&mut self, target: &str) -> Result<Vec<Value>, Failure> {
        let pods = Session::pods_resource()?;
        let namespace = self.namespace.clone();
        let (kind, name) = target.split_once('/').unwrap_or(("pods", target));
        let resource = resources::find(kind)
            .ok_or_else(|| Failure::Message(format!("the server doesn't have a resource type \"{kind}\"")))?;
        if resource.kind == "Pod" {
            return Ok(vec![self.get_one(pods, &namespace, name)?]);
        }
        let object = self.get_one(resource, &namespace, name)?;
        let selector = match resource.kind {
            "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet" | "Job" => object.pointer("/spec/selector"),
            "Service" | "ReplicationController" => object.pointer("/spec/selector"),
            _ => None,
        };
        let selector = selector.map(selector_query).filter(|selector| !selector.is_empty());
        let Some(selector) = selector else {
            return Err(Failure::Message(format!(
                "cannot get the logs from {}: selector for {} not implemented",
                resource.kind, resource.kind
            )));
        };
        let mut found = self.list_all(pods, &namespace, Some(&selector), None)?;
        if found.is_empty() {
            return Err("timed out waiting for the condition".into());
        }
        // Pods that run come first (`podutils.ByLogging`).
        found.sort_by_key(|pod| {
            (
                text(pod, "/spec/nodeName").is_empty(),
                text(pod, "/status/phase") != "Running",
            )
        });
        Ok(found)
    }

    pub(super) fn logs(&mut self, logs: &Logs) -> Result<(), Failure> {
        let (pods, tail) = match (&logs.target, &logs.selector) {
            (Some(target), _) => {
                let found = self.pods_of(target).map_err(|failure| match failure {
                    Failure::Status(status) if status.code == 404 && !target.contains('/') => {
                        Failure::Message(format!(
                            "error from server (NotFound): pods \"{target}\" not found in namespace \"{}\"",
                            self.namespace
                        ))
                    }
                    failure => failure,
                })?;
                if found.len() > 1 {
                    self.warn(format!(
                        "Found {} pods, using pod/{}",
                        found.len(),
                        text(&found[0], "/metadata/name")
                    ));
                }
                (found.into_iter().take(1).collect::<Vec<_>>(), logs.tail)
            }
            (None, selector) => {
                let namespace = self.namespace.clone();
                let found = self.list_all(Session::pods_resource()?, &namespace, selector.as_deref(), None)?;
                if found.is_empty() {
                    self.warn(format!("No resources found in {namespace} namespace."));
                }
                // With a selector the client asks for the last ten lines unless told otherwise.
                (found, Some(logs.tail.unwrap_or(10)))
            }
        };
        let since_time = logs
            .since_time
            .as_ref()
            .map(|text| {
                text.parse().map_err(|_| {
                    Failure::Message(format!(
                        "parsing time \"{text}\": it must be RFC 3339, such as 2026-01-15T12:00:00Z"
                    ))
                })
            })
            .transpose()?;
        for pod in &pods {
            for container in self.log_containers(pod, logs)? {
                let request = LogRequest {
                    namespace: text(pod, "/metadata/namespace").to_owned(),
                    pod: text(pod, "/metadata/name").to_owned(),
                    container: container.clone(),
                    previous: logs.previous,
                    tail,
                    timestamps: logs.timestamps,
                    since_seconds: logs.since_seconds,
                    since_time,
                };
                let content = self.api.logs(&request)?;
                if logs.prefix {
                    for line in content.lines() {
                        self.say(format!("[pod/{}/{container}] {line}", request.pod));
                    }
                } else {
                    self.out.stdout.push_str(&content);
                }
            }
        }
        Ok(())
    }

    fn log_containers(&mut self, pod: &Value, logs: &Logs) -> Result<Vec<String>, Failure> {
        let all: Vec<String> = ["initContainers", "containers", "ephemeralContainers"]
            .iter()
            .flat_map(|field| list(pod, &format!("/spec/{field}")))
            .map(|container| text(container, "/name").to_owned())
            .collect();
        if logs.all_containers {
            return Ok(all);
        }
        if let Some(container) = &logs.container {
            if all.contains(container) {
                return Ok(vec![container.clone()]);
            }
            return Err(Failure::Status(Status {
                code: 400,
                reason: "BadRequest".to_owned(),
                message: format!(
                    "container {container} is not valid for pod {}",
                    text(pod, "/metadata/name")
                ),
                details: Value::Null,
            }));
        }
        let (chosen, silent) = self.default_container(pod);
        if !silent {
            let shown: Vec<String> = ["containers", "ephemeralContainers", "initContainers"]
                .iter()
                .flat_map(|field| {
                    let suffix = match *field {
                        "initContainers" => " (init)",
                        "ephemeralContainers" => " (ephem)",
                        _ => "",
                    };
                    list(pod, &format!("/spec/{field}"))
                        .iter()
                        .map(move |container| format!("{}{suffix}", text(container, "/name")))
                })
                .collect();
            self.warn(format!("Defaulted container \"{chosen}\" out of: {}", shown.join(", ")));
        }
        Ok(vec![chosen])
    }

    /// The container that is meant when none is named, and whether that goes without saying.
    fn default_container(&self, pod: &Value) -> (String, bool) {
        let named = text(pod, DEFAULT_CONTAINER);
        if !named.is_empty()
            && list(pod, "/spec/containers")
                .iter()
                .any(|container| text(container, "/name") == named)
        {
            return (named.to_owned(), true);
        }
        let count: usize = ["initContainers", "containers", "ephemeralContainers"]
            .iter()
            .map(|field| list(pod, &format!("/spec/{field}")).len())
            .sum();
        (text(pod, "/spec/containers/0/name").to_owned(), count <= 1)
    }

    pub(super) fn exec(&mut self, target: &str, container: Option<&str>, command: &[String]) -> Result<(), Failure> {
        let pods = self.pods_of(target)?;
        let Some(pod) = pods.first() else {
            return Err("no pod found".into());
        };
        let (namespace, name) = (
            text(pod, "/metadata/namespace").to_owned(),
            text(pod, "/metadata/name").to_owned(),
        );
        if matches!(text(pod, "/status/phase"), "Succeeded" | "Failed") {
            return Err(Failure::Message(format!(
                "cannot exec into a container in a completed pod; current phase is {}",
                text(pod, "/status/phase")
            )));
        }
        let chosen = match container {
            Some(container) => container.to_owned(),
            None => {
                let (chosen, silent) = self.default_container(pod);
                if !silent {
                    let names: Vec<&str> = ["containers", "initContainers"]
                        .iter()
                        .flat_map(|field| list(pod, &format!("/spec/{field}")))
                        .map(|container| text(container, "/name"))
                        .collect();
                    self.warn(format!("Defaulted container \"{chosen}\" out of: {}", names.join(", ")));
                }
                chosen
            }
        };
        match self.api.exec(&namespace, &name, &chosen, command) {
            None => Err("this cluster cannot run commands in containers".into()),
            Some(result) => {
                let result = result?;
                self.out.stdout.push_str(&result.stdout);
                self.out.stderr.push_str(&result.stderr);
                if result.exit_code != 0 {
                    self.warn(format!("command terminated with exit code {}", result.exit_code));
                    self.out.exit_code = result.exit_code;
                }
                Ok(())
            }
        }
    }

    pub(super) fn events(&mut self, about: Option<&str>, types: &[String], no_headers: bool) -> Result<(), Failure> {
        let resource = resources::find("events").ok_or("events are not known")?;
        let selector = match about {
            None => None,
            Some(about) => {
                let (kind, name) = about.split_once('/').ok_or("--for must be in resource/name form")?;
                let target = resources::find(kind)
                    .ok_or_else(|| Failure::Message(format!("the server doesn't have a resource type \"{kind}\"")))?;
                Some(format!(
                    "involvedObject.kind={},involvedObject.apiVersion={},involvedObject.name={name}",
                    target.kind,
                    target.api_version()
                ))
            }
        };
        let namespace = if self.all_namespaces {
            String::new()
        } else {
            self.namespace.clone()
        };
        let mut events = self.list_all(resource, &namespace, None, selector.as_deref())?;
        events.retain(|event| {
            types.is_empty()
                || types
                    .iter()
                    .any(|wanted| wanted.eq_ignore_ascii_case(text(event, "/type")))
        });
        let last = |event: &Value| {
            ["/series/lastObservedTime", "/lastTimestamp", "/eventTime"]
                .iter()
                .find_map(|pointer| time(event, pointer))
        };
        events.sort_by_key(|event| last(event));
        if events.is_empty() {
            self.warn(if self.all_namespaces {
                "No events found.".to_owned()
            } else {
                format!("No events found in {namespace} namespace.")
            });
            return Ok(());
        }
        let now = self.now();
        let mut rows = Vec::new();
        let mut header: Vec<String> = ["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]
            .map(str::to_owned)
            .to_vec();
        if self.all_namespaces {
            header.insert(0, "NAMESPACE".to_owned());
        }
        if !no_headers {
            rows.push(header);
        }
        for event in &events {
            let count = int(event, "/series/count").max(int(event, "/count"));
            let newest = last(event).map_or_else(|| "<unknown>".to_owned(), |last| since(last, now));
            let seen = if count > 1 {
                let first = if text(event, "/firstTimestamp").is_empty() {
                    age(event, "/eventTime", now)
                } else {
                    age(event, "/firstTimestamp", now)
                };
                format!("{newest} (x{count} over {first})")
            } else {
                newest
            };
            let mut row = vec![
                seen,
                text(event, "/type").to_owned(),
                text(event, "/reason").to_owned(),
                format!(
                    "{}/{}",
                    text(event, "/involvedObject/kind"),
                    text(event, "/involvedObject/name")
                ),
                text(event, "/message").trim().to_owned(),
            ];
            if self.all_namespaces {
                row.insert(0, text(event, "/metadata/namespace").to_owned());
            }
            rows.push(row);
        }
        TableWriter::default().write(&rows, &mut self.out.stdout);
        Ok(())
    }
}
