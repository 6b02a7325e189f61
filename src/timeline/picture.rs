//! The cluster as a picture: nodes with pods as pea pods, containers as peas.

use std::borrow::Borrow;

use serde::Serialize;
use serde_json::Value;

use super::state::{self, State, items, text};

/// A node and the pods on it; the node without a name holds the pods that wait for a place.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Place {
    /// Node name, empty for none.
    pub name: String,
    /// Its state and word.
    pub state: State,
    /// The word of the state.
    pub text: String,
    /// Taints, as `key:effect`.
    pub taints: Vec<String>,
    /// Its pods.
    pub pods: Vec<Pod>,
}

/// A pod as a pea pod.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pod {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// State of the pod.
    pub state: State,
    /// The word of the state.
    pub text: String,
    /// Whether its Ready condition is true.
    pub ready: bool,
    /// Its containers, init containers first.
    pub peas: Vec<Pea>,
    /// Width of the drawing: grows with the peas.
    pub width: u32,
}

/// A container as a pea.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pea {
    /// Container name.
    pub name: String,
    /// Its state.
    pub state: State,
    /// The word of the state.
    pub text: String,
    /// Restarts so far.
    pub restarts: u64,
    /// Whether it is an init container (drawn small).
    pub small: bool,
    /// Center of the pea in the drawing.
    pub x: u32,
}

/// At most so many pods of a node are drawn.
pub const MAX_PODS: usize = 60;

/// The picture of the objects of an instant.
pub fn picture<T: Borrow<Value>>(objects: &[T]) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    let of_kind = |kind: &'static str| {
        let all = objects.iter().map(Borrow::borrow);
        all.filter(move |object: &&Value| text(object, "/kind") == kind)
    };
    for node in of_kind("Node") {
        let (state, word) = state::of_node(node);
        let taints = items(node, "/spec/taints")
            .iter()
            .map(|taint| format!("{}:{}", text(taint, "/key"), text(taint, "/effect")))
            .collect();
        places.push(Place {
            name: text(node, "/metadata/name").to_owned(),
            state,
            text: word,
            taints,
            pods: Vec::new(),
        });
    }
    for object in of_kind("Pod") {
        let node = text(object, "/spec/nodeName");
        let index = places.iter().position(|place| place.name == node).unwrap_or_else(|| {
            let state = if node.is_empty() {
                State::Pending
            } else {
                State::Unknown
            };
            places.push(Place {
                name: node.to_owned(),
                state,
                text: String::new(),
                taints: Vec::new(),
                pods: Vec::new(),
            });
            places.len() - 1
        });
        if let Some(place) = places.get_mut(index).filter(|place| place.pods.len() < MAX_PODS) {
            place.pods.push(pod(object));
        }
    }
    places
}

fn pod(object: &Value) -> Pod {
    let (state, word) = state::of_pod(object);
    let mut peas = Vec::new();
    let groups = [
        ("/spec/initContainers", "/status/initContainerStatuses", true),
        ("/spec/containers", "/status/containerStatuses", false),
    ];
    for (spec, status, small) in groups {
        for container in items(object, spec) {
            let name = text(container, "/name");
            let found = items(object, status)
                .iter()
                .find(|status| text(status, "/name") == name);
            let (state, word) = found.map_or((State::Pending, "Waiting".to_owned()), state::of_container);
            let restarts = found
                .and_then(|status| status.get("restartCount"))
                .and_then(Value::as_u64)
                .unwrap_or(0);
            let x = 42 + 40 * u32::try_from(peas.len()).unwrap_or(0);
            peas.push(Pea {
                name: name.to_owned(),
                state,
                text: word,
                restarts,
                small,
                x,
            });
        }
    }
    let width = 84 + 40 * u32::try_from(peas.len().saturating_sub(1)).unwrap_or(0);
    let ready = items(object, "/status/conditions")
        .iter()
        .any(|c| text(c, "/type") == "Ready" && text(c, "/status") == "True");
    Pod {
        namespace: text(object, "/metadata/namespace").to_owned(),
        name: text(object, "/metadata/name").to_owned(),
        state,
        text: word,
        ready,
        peas,
        width,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pod_without_a_node_waits_beside_the_nodes() {
        let objects = [
            json!({"kind": "Node", "metadata": {"name": "node-1"}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}),
            json!({"kind": "Pod", "metadata": {"name": "a"}, "spec": {"nodeName": "node-1", "containers": [{"name": "x"}, {"name": "y"}]}}),
            json!({"kind": "Pod", "metadata": {"name": "b"}, "spec": {"containers": [{"name": "x"}]}}),
        ];
        let places = picture(&objects);
        let shown: Vec<_> = places
            .iter()
            .map(|place| (place.name.as_str(), place.pods.len()))
            .collect();
        assert_eq!(shown, [("node-1", 1), ("", 1)]);
        assert_eq!(places[0].pods[0].peas.len(), 2);
        assert_eq!(places[0].pods[0].width, 124);
    }
}
