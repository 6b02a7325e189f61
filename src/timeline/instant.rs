//! The cluster at one instant of a trace.

use std::collections::HashMap;

use indexmap::IndexMap;
use peapod_sim::time::SimTime;
use peapod_sim::trace::{Change, LogLine, ObjectRef, Trace, Version};

/// All objects that existed at an instant, in the order in which they were created. What was written at that very
/// instant counts.
pub fn objects_at(trace: &Trace, at: SimTime) -> Vec<&Version> {
    let mut alive: IndexMap<(&str, &str, &str), &Version> = IndexMap::new();
    let end = trace.versions.partition_point(|version| version.at <= at);
    for version in trace.versions.iter().take(end) {
        let object = &version.object;
        let key = (object.kind.as_str(), object.namespace.as_str(), object.name.as_str());
        if version.change == Change::Deleted {
            alive.shift_remove(&key);
        } else {
            alive.insert(key, version);
        }
    }
    alive.into_values().collect()
}

/// Where the versions of each object are, so that an instant is found without going through all of them.
#[derive(Clone, Debug, Default)]
pub struct Index {
    lives: Vec<Life>,
}

/// An object from its creation to its removal.
#[derive(Clone, Debug)]
struct Life {
    versions: Vec<u32>,
    ends: Option<SimTime>,
}

impl Index {
    /// Goes through all that was written, once.
    pub fn new(trace: &Trace) -> Self {
        let mut lives: Vec<Life> = Vec::new();
        let mut open: HashMap<(&str, &str, &str), usize> = HashMap::new();
        for (version, number) in trace.versions.iter().zip(0_u32..) {
            let object = &version.object;
            let key = (object.kind.as_str(), object.namespace.as_str(), object.name.as_str());
            if version.change == Change::Deleted {
                if let Some(life) = open.remove(&key).and_then(|index| lives.get_mut(index)) {
                    life.ends = Some(version.at);
                }
                continue;
            }
            let index = *open.entry(key).or_insert_with(|| {
                lives.push(Life {
                    versions: Vec::new(),
                    ends: None,
                });
                lives.len() - 1
            });
            if let Some(life) = lives.get_mut(index) {
                life.versions.push(number);
            }
        }
        Self { lives }
    }

    /// What [`objects_at`] gives.
    pub fn objects_at<'a>(&self, trace: &'a Trace, at: SimTime) -> Vec<&'a Version> {
        let of = |number: &u32| trace.versions.get(*number as usize);
        let begun = self.lives.partition_point(|life| {
            life.versions
                .first()
                .and_then(of)
                .is_some_and(|version| version.at <= at)
        });
        self.lives
            .iter()
            .take(begun)
            .filter(|life| life.ends.is_none_or(|end| end > at))
            .filter_map(|life| {
                let shown = life
                    .versions
                    .partition_point(|number| of(number).is_some_and(|version| version.at <= at));
                of(life.versions.get(shown.checked_sub(1)?)?)
            })
            .collect()
    }
}

/// The versions of one object up to an instant, oldest first.
pub fn history<'a>(trace: &'a Trace, object: &'a ObjectRef, at: SimTime) -> impl Iterator<Item = &'a Version> {
    trace
        .versions
        .iter()
        .filter(move |version| version.at <= at && *version.object == *object)
}

/// The lines that a pod's container had written by an instant.
pub fn logs_at<'a>(
    trace: &'a Trace,
    pod_uid: &'a str,
    container: &'a str,
    at: SimTime,
) -> impl Iterator<Item = &'a LogLine> {
    let end = trace.logs.partition_point(|line| line.at <= at);
    trace
        .logs
        .iter()
        .take(end)
        .filter(move |line| line.pod_uid == pod_uid && line.container == container)
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use super::*;
    use peapod_sim::trace::{FieldChange, Record, RuntimeEvent, What};
    use serde_json::{Value, json};

    pub(crate) fn secs(seconds: u64) -> SimTime {
        SimTime(seconds * 1_000_000_000)
    }

    fn pod_ref() -> Arc<ObjectRef> {
        Arc::new(ObjectRef {
            kind: "Pod".into(),
            namespace: "default".into(),
            name: "demo".into(),
            uid: "u-1".into(),
        })
    }

    fn pod(phase: &str, state: Value, restarts: u32) -> Value {
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "demo", "namespace": "default", "uid": "u-1", "creationTimestamp": "2024-08-10T10:20:53Z"},
            "spec": {"nodeName": "node-1", "restartPolicy": "Always", "containers": [{"name": "app", "image": "busybox:1.36"}]},
            "status": {
                "phase": phase,
                "conditions": [{"type": "Ready", "status": if state.get("running").is_some() { "True" } else { "False" }}],
                "containerStatuses": [{"name": "app", "image": "busybox:1.36", "restartCount": restarts, "ready": state.get("running").is_some(), "state": state}],
            },
        })
    }

    /// A pod whose container starts at 1 s and fails at 3 s; observed for 10 s.
    pub(crate) fn crash_loop() -> Trace {
        let mut trace = Trace {
            start: "2024-08-10T10:20:53Z".into(),
            end: secs(10),
            ..Trace::default()
        };
        let mut add = |at: u64, actor: &str, object: Option<Arc<ObjectRef>>, what: What, causes: Vec<u32>| {
            trace.records.push(Record {
                at: secs(at),
                actor: actor.into(),
                object,
                container: None,
                what,
                causes,
            });
            u32::try_from(trace.records.len() - 1).unwrap()
        };
        let write = |change| What::Write {
            change,
            resource_version: 1,
            summary: Vec::new(),
        };
        let command = add(
            0,
            "user",
            None,
            What::Command {
                text: "apply -f demo.yaml\nkind: Pod".into(),
            },
            vec![],
        );
        let created = add(
            0,
            "kube-apiserver",
            Some(pod_ref()),
            write(Change::Added),
            vec![command],
        );
        let started = add(
            1,
            "kubelet/node-1",
            Some(pod_ref()),
            What::Runtime {
                event: RuntimeEvent::Started,
            },
            vec![created],
        );
        let running = add(
            1,
            "kubelet/node-1",
            Some(pod_ref()),
            write(Change::Modified),
            vec![started],
        );
        let exited = add(
            3,
            "container/default/demo/app",
            Some(pod_ref()),
            What::Runtime {
                event: RuntimeEvent::Exited {
                    exit_code: 1,
                    reason: "Error".into(),
                },
            },
            vec![started],
        );
        let failed = add(
            3,
            "kubelet/node-1",
            Some(pod_ref()),
            What::Write {
                change: Change::Modified,
                resource_version: 3,
                summary: vec![FieldChange {
                    path: "status.containerStatuses[app].state".into(),
                    from: json!("running"),
                    to: json!("terminated"),
                }],
            },
            vec![exited],
        );
        add(
            3,
            "kubelet/node-1",
            Some(pod_ref()),
            What::Event {
                kind: "Warning".into(),
                reason: "BackOff".into(),
                message: "Back-off restarting failed container".into(),
            },
            vec![exited],
        );
        let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}});
        let version = |at, record, change, object: Arc<ObjectRef>, value: Value| Version {
            at: secs(at),
            record,
            change,
            object,
            value: value.into(),
        };
        let node_ref = Arc::new(ObjectRef {
            kind: "Node".into(),
            namespace: String::new(),
            name: "node-1".into(),
            uid: "n-1".into(),
        });
        trace.versions = vec![
            version(0, command, Change::Added, node_ref, node),
            version(
                0,
                created,
                Change::Added,
                pod_ref(),
                pod("Pending", json!({"waiting": {"reason": "ContainerCreating"}}), 0),
            ),
            version(
                1,
                running,
                Change::Modified,
                pod_ref(),
                pod("Running", json!({"running": {"startedAt": "2024-08-10T10:20:54Z"}}), 0),
            ),
            version(
                3,
                failed,
                Change::Modified,
                pod_ref(),
                pod(
                    "Running",
                    json!({"terminated": {"exitCode": 1, "reason": "Error", "startedAt": "2024-08-10T10:20:54Z", "finishedAt": "2024-08-10T10:20:56Z"}}),
                    0,
                ),
            ),
        ];
        trace.logs = vec![LogLine {
            at: secs(2),
            pod_uid: "u-1".into(),
            container: "app".into(),
            instance: 0,
            stderr: false,
            text: "hello".into(),
        }];
        trace
    }

    #[test]
    fn the_index_finds_what_going_through_all_finds() {
        let mut trace = crash_loop();
        let mut gone = trace.versions[0].clone();
        (gone.at, gone.change) = (secs(8), Change::Deleted);
        trace.versions.push(gone);
        let mut again = trace.versions[0].clone();
        again.at = secs(9);
        trace.versions.push(again);
        let index = Index::new(&trace);
        for second in 0..=10 {
            assert_eq!(
                index.objects_at(&trace, secs(second)),
                objects_at(&trace, secs(second)),
                "{second}"
            );
        }
    }

    #[test]
    fn an_instant_shows_what_was_written_by_then() {
        let trace = crash_loop();
        let phase = |at| {
            objects_at(&trace, at)
                .last()
                .unwrap()
                .value
                .pointer("/status/phase")
                .unwrap()
                .clone()
        };
        assert_eq!(phase(SimTime::ZERO), "Pending");
        assert_eq!(phase(SimTime(999_999_999)), "Pending");
        assert_eq!(phase(secs(1)), "Running");
        assert_eq!(logs_at(&trace, "u-1", "app", secs(1)).count(), 0);
        assert_eq!(logs_at(&trace, "u-1", "app", secs(2)).count(), 1);
    }

    #[test]
    fn what_was_deleted_is_gone() {
        let mut trace = crash_loop();
        let mut last = trace.versions.last().unwrap().clone();
        last.change = Change::Deleted;
        last.at = secs(5);
        trace.versions.push(last);
        assert_eq!(objects_at(&trace, secs(4)).len(), 2);
        assert_eq!(objects_at(&trace, secs(5)).len(), 1);
    }
}
