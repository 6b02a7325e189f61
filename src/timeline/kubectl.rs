//! `kubectl` at an instant of a trace: the real client's grammar and printers over what had been written by then.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use peapod_kubectl::{Api, Command, LogRequest, NoFiles, Request, Status, Verb, resources, run};
use peapod_sim::time::SimTime;
use peapod_sim::trace::{Trace, Version, What};
use serde_json::{Value, json};

use super::instant::{Index, logs_at, objects_at};
use super::state::text;

/// An API server that shows one instant and refuses to change it.
pub struct Past<'a> {
    trace: &'a Trace,
    at: SimTime,
    start: Timestamp,
    objects: Vec<Arc<Value>>,
}

impl<'a> Past<'a> {
    /// The cluster of `trace` at `at`.
    pub fn new(trace: &'a Trace, at: SimTime) -> Self {
        Self::of(trace, at, objects_at(trace, at))
    }

    /// The same, found without going through all that was written.
    pub fn indexed(trace: &'a Trace, index: &Index, at: SimTime) -> Self {
        Self::of(trace, at, index.objects_at(trace, at))
    }

    fn of(trace: &'a Trace, at: SimTime, versions: Vec<&Version>) -> Self {
        let start = trace.start.parse().unwrap_or(Timestamp::UNIX_EPOCH);
        let mut objects: Vec<Arc<Value>> = versions.iter().map(|version| Arc::clone(&version.value)).collect();
        // A trace of an experiment that shows no Event objects still has the records of them.
        if !trace.versions.iter().any(|version| version.object.kind == "Event") {
            objects.extend(events(trace, at, start).into_iter().map(Arc::new));
        }
        Self {
            trace,
            at,
            start,
            objects,
        }
    }

    /// What a `kubectl` line (without the word `kubectl`) prints: standard output, then standard error.
    pub fn print(&mut self, line: &str) -> String {
        match Command::parse(line) {
            Ok(command) => {
                let output = run(&command, self, &NoFiles);
                format!("{}{}", output.stdout, output.stderr)
            }
            Err(error) => error.stderr,
        }
    }

    /// All objects at the instant.
    pub fn objects(&self) -> &[Arc<Value>] {
        &self.objects
    }

    fn find(&self, kind: &str, namespace: &str, name: &str) -> Option<&Value> {
        self.objects.iter().map(AsRef::as_ref).find(|object| {
            text(object, "/kind") == kind
                && text(object, "/metadata/name") == name
                && (namespace.is_empty() || text(object, "/metadata/namespace") == namespace)
        })
    }
}

/// The instant on the wall clock.
pub fn wall(start: Timestamp, at: SimTime) -> Timestamp {
    start
        .checked_add(SignedDuration::from_nanos(i64::try_from(at.0).unwrap_or(i64::MAX)))
        .unwrap_or(start)
}

impl Api for Past<'_> {
    fn request(&mut self, request: &Request) -> Result<Value, Status> {
        let Some(resource) = resources::RESOURCES
            .iter()
            .find(|r| r.plural == request.resource && r.group == request.group)
        else {
            return Err(failure(
                404,
                "NotFound",
                "the server could not find the requested resource".to_owned(),
            ));
        };
        match request.verb {
            Verb::Get => self
                .find(resource.kind, &request.namespace, &request.name)
                .cloned()
                .ok_or_else(|| {
                    let group = if resource.group.is_empty() {
                        String::new()
                    } else {
                        format!(".{}", resource.group)
                    };
                    failure(
                        404,
                        "NotFound",
                        format!("{}{group} \"{}\" not found", resource.plural, request.name),
                    )
                }),
            Verb::List => {
                let query = |name: &str| {
                    request
                        .query
                        .iter()
                        .find(|(key, _)| key == name)
                        .map_or("", |(_, value)| value.as_str())
                };
                let (labels, fields) = (query("labelSelector"), query("fieldSelector"));
                let items: Vec<Value> = self
                    .objects
                    .iter()
                    .filter(|object| text(object, "/kind") == resource.kind)
                    .filter(|object| {
                        request.namespace.is_empty() || text(object, "/metadata/namespace") == request.namespace
                    })
                    .filter(|object| matches_fields(object, fields) && matches_labels(object, labels))
                    .map(|object| Value::clone(object))
                    .collect();
                Ok(
                    json!({"apiVersion": resource.api_version(), "kind": format!("{}List", resource.kind), "metadata": {"resourceVersion": ""}, "items": items}),
                )
            }
            _ => Err(failure(
                405,
                "MethodNotAllowed",
                "this instant is in the past; it can be looked at, not changed".to_owned(),
            )),
        }
    }

    fn now(&self) -> Timestamp {
        wall(self.start, self.at)
    }

    fn logs(&mut self, request: &LogRequest) -> Result<String, Status> {
        let Some(pod) = self.find("Pod", &request.namespace, &request.pod) else {
            return Err(failure(404, "NotFound", format!("pods \"{}\" not found", request.pod)));
        };
        let uid = peapod_sim::kubelet::mirror::source_uid(pod)
            .unwrap_or_default()
            .to_owned();
        let statuses = ["/status/containerStatuses", "/status/initContainerStatuses"];
        let status = statuses
            .iter()
            .flat_map(|pointer| super::state::items(pod, pointer))
            .find(|status| text(status, "/name") == request.container);
        let count = status
            .and_then(|status| status.get("restartCount"))
            .and_then(Value::as_u64)
            .unwrap_or(0);
        let refused = |why: &str| {
            Err(failure(
                400,
                "BadRequest",
                format!("{why} container \"{}\" in pod \"{}\"", request.container, request.pod),
            ))
        };
        let instance = match (request.previous, count.checked_sub(1)) {
            (false, _) => count,
            (true, Some(before)) => before,
            (true, None) => return refused("previous terminated"),
        };
        let mut lines: Vec<String> = logs_at(self.trace, &uid, &request.container, self.at)
            .filter(|line| u64::from(line.instance) == instance)
            .map(|line| {
                if request.timestamps {
                    format!("{} {}\n", wall(self.start, line.at), line.text)
                } else {
                    format!("{}\n", line.text)
                }
            })
            .collect();
        if let Some(tail) = request.tail.and_then(|tail| usize::try_from(tail).ok()) {
            lines.drain(..lines.len().saturating_sub(tail));
        }
        Ok(lines.concat())
    }
}

fn failure(code: u16, reason: &str, message: String) -> Status {
    Status {
        code,
        reason: reason.to_owned(),
        message,
        details: Value::Null,
    }
}

/// `key=value` and `key!=value` terms over fields, as `describe` asks for events.
fn matches_fields(object: &Value, selector: &str) -> bool {
    selector.split(',').filter(|term| !term.is_empty()).all(|term| {
        let (path, value, wanted) = match (term.split_once("!="), term.split_once('=')) {
            (Some((path, value)), _) => (path, value, false),
            (None, Some((path, value))) => (path, value.trim_start_matches('='), true),
            (None, None) => return false,
        };
        (text(object, &format!("/{}", path.replace('.', "/"))) == value) == wanted
    })
}

/// The equality and set terms of a label selector.
fn matches_labels(object: &Value, selector: &str) -> bool {
    let label = |key: &str| {
        object
            .pointer("/metadata/labels")
            .and_then(|labels| labels.get(key))
            .and_then(Value::as_str)
    };
    terms(selector).into_iter().all(|term| {
        let term = term.trim();
        if let Some((key, rest)) = term.split_once(" notin ") {
            return !listed(rest, label(key.trim()));
        }
        if let Some((key, rest)) = term.split_once(" in ") {
            return listed(rest, label(key.trim()));
        }
        if let Some((key, value)) = term.split_once("!=") {
            return label(key) != Some(value);
        }
        if let Some((key, value)) = term.split_once('=') {
            return label(key) == Some(value.trim_start_matches('='));
        }
        match term.strip_prefix('!') {
            Some(key) => label(key).is_none(),
            None => label(term).is_some(),
        }
    })
}

fn listed(list: &str, value: Option<&str>) -> bool {
    value.is_some_and(|value| {
        list.trim()
            .trim_start_matches('(')
            .trim_end_matches(')')
            .split(',')
            .any(|item| item.trim() == value)
    })
}

/// The terms of a selector: commas inside parentheses do not part them.
fn terms(selector: &str) -> Vec<&str> {
    let (mut terms, mut depth, mut from) = (Vec::new(), 0_u32, 0);
    for (index, c) in selector.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                terms.push(&selector[from..index]);
                from = index + 1;
            }
            _ => {}
        }
    }
    terms.push(&selector[from..]);
    terms.retain(|term| !term.trim().is_empty());
    terms
}

/// Event objects from event records, repetitions counted as the API server's correlator leaves them.
fn events(trace: &Trace, at: SimTime, start: Timestamp) -> Vec<Value> {
    let mut events: indexmap::IndexMap<(String, String, String), Value> = indexmap::IndexMap::new();
    for record in trace.records.iter().take_while(|record| record.at <= at) {
        let (What::Event { kind, reason, message }, Some(object)) = (&record.what, &record.object) else {
            continue;
        };
        let when = wall(start, record.at).to_string();
        let key = (object.uid.clone(), reason.clone(), message.clone());
        let number = events.len();
        let event = events.entry(key).or_insert_with(|| {
            let (component, host) = record.actor.split_once('/').unwrap_or((&record.actor, ""));
            let field = record.container.as_ref().map(|container| format!("spec.containers{{{container}}}")).unwrap_or_default();
            json!({
                "apiVersion": "v1", "kind": "Event",
                "metadata": {"name": format!("{}.{number:016x}", object.name), "namespace": if object.namespace.is_empty() { "default" } else { &object.namespace }, "creationTimestamp": when},
                "involvedObject": {"kind": object.kind, "namespace": object.namespace, "name": object.name, "uid": object.uid, "fieldPath": field},
                "type": kind, "reason": reason, "message": message, "count": 0, "firstTimestamp": when,
                "source": {"component": component, "host": host},
            })
        });
        let count = event.get("count").and_then(Value::as_u64).unwrap_or(0) + 1;
        if let Some(event) = event.as_object_mut() {
            event.insert("count".to_owned(), count.into());
            event.insert("lastTimestamp".to_owned(), when.into());
        }
    }
    events.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::instant::tests::{crash_loop, secs};

    #[test]
    fn the_client_sees_the_instant() {
        let trace = crash_loop();
        let at = |seconds, line: &str| Past::new(&trace, secs(seconds)).print(line);
        assert_eq!(
            at(2, "get pods"),
            "NAME   READY   STATUS    RESTARTS   AGE\ndemo   1/1     Running   0          2s\n"
        );
        assert_eq!(
            at(4, "get pods"),
            "NAME   READY   STATUS   RESTARTS   AGE\ndemo   0/1     Error    0          4s\n"
        );
        assert_eq!(at(2, "logs demo"), "hello\n");
        assert_eq!(at(1, "logs demo"), "");
        assert!(at(4, "describe pod demo").contains("demo"));
        assert!(at(4, "get events").contains("BackOff"));
        assert!(at(4, "get pod demo -o yaml").contains("restartPolicy: Always"));
        assert!(at(4, "get pod nobody").contains("pods \"nobody\" not found"));
    }

    #[test]
    fn the_past_cannot_be_changed() {
        assert!(
            Past::new(&crash_loop(), secs(4))
                .print("delete pod demo")
                .contains("in the past")
        );
    }

    #[test]
    fn selectors_choose() {
        let object = json!({"metadata": {"labels": {"app": "web", "tier": "a"}}});
        for (selector, expected) in [
            ("app=web", true),
            ("app==web,tier!=b", true),
            ("app in (x,web),!gone", true),
            ("tier notin (a)", false),
            ("nope", false),
            ("", true),
        ] {
            assert_eq!(matches_labels(&object, selector), expected, "{selector}");
        }
    }
}
