//! What is compared of a Pod: one digest each time one changes.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use jiff::Timestamp;
use peapod_sim::cluster::Cluster;
use peapod_sim::trace::Change;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a Pod showed from an instant on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Digest {
    /// Seconds since the start.
    pub t: f64,
    /// Name.
    pub pod: String,
    /// `u1`, `u2` … in order of appearance.
    pub uid: String,
    /// The node, once it has one.
    pub node: Option<String>,
    /// `status.phase`
    pub phase: String,
    /// `status.reason`
    pub reason: Option<String>,
    /// `status.message`
    pub message: Option<String>,
    /// `Type` to `Status/Reason`.
    pub conditions: IndexMap<String, String>,
    /// Init containers.
    pub init: IndexMap<String, Container>,
    /// Regular containers.
    pub containers: IndexMap<String, Container>,
    /// Ephemeral containers.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub ephemeral: IndexMap<String, Container>,
    /// When its deletion was asked for: deletionTimestamp minus the grace.
    pub deletion: Option<Value>,
    /// Whether the object is gone.
    pub gone: bool,
}

/// What a container showed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Container {
    /// `waiting`, `running`, `terminated`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Reason of the state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Message of the state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Exit code, when it ended.
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "exitCode")]
    pub exit_code: Option<i64>,
    /// Signal, when it ended by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i64>,
    /// `restartCount`
    #[serde(default)]
    pub restarts: i64,
    /// `ready`
    #[serde(default)]
    pub ready: bool,
    /// `started`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<bool>,
    /// The same of `lastState`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Box<Container>>,
}

/// The digests of all Pods that a cluster has had, in order of time.
pub fn digests(cluster: &Cluster, start: Timestamp) -> Vec<Digest> {
    let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
    let mut newest: BTreeMap<String, Digest> = BTreeMap::new();
    let mut all = Vec::new();
    for write in cluster.writes() {
        let object = &write.stored.object;
        if object.as_pod().is_none() {
            continue;
        }
        let uid = object.uid().to_owned();
        let next = numbers.len() + 1;
        let number = *numbers.entry(uid.clone()).or_insert(next);
        let mut digest = digest(&write.stored.json(), start);
        digest.uid = format!("u{number}");
        digest.gone = write.change == Change::Deleted;
        let known = newest.get(&uid);
        if known.is_some_and(|known| {
            Digest {
                t: digest.t,
                ..known.clone()
            } == digest
        }) {
            continue;
        }
        newest.insert(uid, digest.clone());
        digest.t = (write.at.0 / 1_000_000) as f64 / 1000.0;
        all.push(digest);
    }
    all
}

fn digest(pod: &Value, start: Timestamp) -> Digest {
    let text = |pointer: &str| pod.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let containers = |pointer: &str| -> IndexMap<String, Container> {
        pod.pointer(pointer)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|status| Some((status.get("name")?.as_str()?.to_owned(), container(status))))
            .collect()
    };
    let conditions = pod
        .pointer("/status/conditions")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|condition| {
            let kind = condition.get("type")?.as_str()?.to_owned();
            let status = condition.get("status")?.as_str()?;
            let reason = condition.get("reason").and_then(Value::as_str).unwrap_or_default();
            let shown = if reason.is_empty() {
                status.to_owned()
            } else {
                format!("{status}/{reason}")
            };
            Some((kind, shown))
        })
        .collect();
    let deletion = text("/metadata/deletionTimestamp")
        .and_then(|time| time.parse::<Timestamp>().ok())
        .map(|time| {
            let grace = pod
                .pointer("/metadata/deletionGracePeriodSeconds")
                .and_then(Value::as_i64)
                .unwrap_or(0);
            Value::from(time.duration_since(start).as_secs() - grace)
        });
    Digest {
        pod: text("/metadata/name").unwrap_or_default(),
        node: text("/spec/nodeName"),
        phase: text("/status/phase").unwrap_or_default(),
        reason: text("/status/reason"),
        message: text("/status/message"),
        conditions,
        init: containers("/status/initContainerStatuses"),
        containers: containers("/status/containerStatuses"),
        ephemeral: containers("/status/ephemeralContainerStatuses"),
        deletion,
        ..Digest::default()
    }
}

fn container(status: &Value) -> Container {
    let mut found = state(status.get("state"));
    found.restarts = status.get("restartCount").and_then(Value::as_i64).unwrap_or(0);
    found.ready = status.get("ready").and_then(Value::as_bool).unwrap_or(false);
    found.started = status.get("started").and_then(Value::as_bool);
    let last = state(status.get("lastState"));
    if last.state.is_some() {
        found.last = Some(Box::new(last));
    }
    found
}

fn state(state: Option<&Value>) -> Container {
    let Some((name, details)) = state.and_then(Value::as_object).and_then(|state| state.iter().next()) else {
        return Container::default();
    };
    let text = |key: &str| details.get(key).and_then(Value::as_str).map(str::to_owned);
    let number = |key: &str| details.get(key).and_then(Value::as_i64);
    Container {
        state: Some(name.clone()),
        reason: text("reason"),
        message: text("message"),
        exit_code: number("exitCode"),
        signal: number("signal"),
        ..Container::default()
    }
}
