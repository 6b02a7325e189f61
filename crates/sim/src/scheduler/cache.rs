//! What the scheduler knows of the cluster: for each node what it offers and what is taken, kept up to date by watch
//! notifications, never recounted. Pods are also counted by their labels, so that spreading and affinity cost as much as
//! there are different sets of labels, not as there are pods.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use k8s_openapi::api::core::v1 as core;

use super::pod::{HostPort, Labels, PodInfo, Resources};
use crate::objects::{Index, Key};
use crate::resources::value;

/// Index of a node in the cache; never used again for another node.
pub type NodeId = usize;

/// One node: what it offers, and what is taken.
#[derive(Clone, Debug, Default)]
pub struct NodeInfo {
    /// Name.
    pub name: Arc<str>,
    /// Whether the Node object exists; pods may be assigned to a node that does not.
    pub exists: bool,
    /// Labels.
    pub labels: Labels,
    /// Taints.
    pub taints: Vec<core::Taint>,
    /// Whether it is cordoned.
    pub unschedulable: bool,
    /// What pods can have.
    pub allocatable: Resources,
    /// Most pods.
    pub allowed_pods: i64,
    /// Images on it: size in bytes by every name.
    pub images: BTreeMap<String, i64>,
    /// The pods on it.
    pub pods: BTreeMap<Key, Arc<PodInfo>>,
    /// What its pods ask for.
    pub requested: Resources,
    /// CPU and memory that its pods count for in scores.
    pub nonzero: (i64, i64),
    /// Ports that its pods take.
    pub ports: Vec<HostPort>,
}

impl NodeInfo {
    /// Takes over the Node object's state.
    pub fn set_node(&mut self, node: &core::Node) {
        self.exists = true;
        self.labels = node.metadata.labels.clone().unwrap_or_default();
        let spec = node.spec.as_ref();
        self.taints = spec.and_then(|spec| spec.taints.clone()).unwrap_or_default();
        self.unschedulable = spec.and_then(|spec| spec.unschedulable).unwrap_or(false);
        let status = node.status.as_ref();
        let allocatable = status.and_then(|status| status.allocatable.as_ref());
        self.allocatable = Resources::of(allocatable);
        self.allowed_pods = allocatable
            .and_then(|list| list.get("pods"))
            .map_or(0, |pods| i64::try_from(value(pods)).unwrap_or(i64::MAX));
        self.images.clear();
        for image in status.and_then(|status| status.images.as_ref()).into_iter().flatten() {
            for name in image.names.iter().flatten() {
                self.images.insert(name.clone(), image.size_bytes.unwrap_or(0));
            }
        }
    }

    /// Counts a pod in.
    pub fn add(&mut self, pod: Arc<PodInfo>) {
        self.requested.add(&pod.requests, 1);
        self.nonzero.0 += pod.nonzero.0;
        self.nonzero.1 += pod.nonzero.1;
        self.ports.extend(pod.ports.iter().cloned());
        self.pods.insert(pod.key.clone(), pod);
    }

    /// Counts a pod out.
    pub fn remove(&mut self, key: &Key) -> Option<Arc<PodInfo>> {
        let pod = self.pods.remove(key)?;
        self.requested.add(&pod.requests, -1);
        self.nonzero.0 -= pod.nonzero.0;
        self.nonzero.1 -= pod.nonzero.1;
        for port in &pod.ports {
            if let Some(index) = self.ports.iter().position(|own| own == port) {
                self.ports.swap_remove(index);
            }
        }
        Some(pod)
    }

    /// Region and zone, by which nodes take turns (`utilnode.GetZoneKey`).
    fn zone(&self) -> (&str, &str) {
        let label = |name: &str| self.labels.get(name).map(String::as_str).unwrap_or_default();
        (
            label("topology.kubernetes.io/region"),
            label("topology.kubernetes.io/zone"),
        )
    }
}

/// Pods that have the same namespace and labels.
#[derive(Clone, Debug)]
pub struct Group {
    /// Namespace.
    pub namespace: String,
    /// Labels.
    pub labels: Arc<Labels>,
    /// On each node: how many are there, and how many of them are being deleted.
    pub nodes: BTreeMap<NodeId, (i64, i64)>,
}

/// An image wherever it is. Its size is the one that the first node with it told (`addNodeImageStates`).
#[derive(Clone, Copy, Debug, Default)]
pub struct ImageState {
    /// Size in bytes.
    pub size: i64,
    /// On how many nodes it is.
    pub nodes: i64,
}

/// The scheduler's view of nodes and assigned pods.
#[derive(Clone, Debug, Default)]
pub struct Cache {
    nodes: Vec<NodeInfo>,
    by_name: BTreeMap<Arc<str>, NodeId>,
    /// Made when it is asked for: a cluster that starts has as many changes of it as nodes.
    order: OnceLock<Vec<NodeId>>,
    pods: Index<NodeId>,
    groups: BTreeMap<String, BTreeMap<Arc<Labels>, Group>>,
    with_affinity: BTreeMap<Key, NodeId>,
    images: BTreeMap<String, ImageState>,
}

impl Cache {
    /// Nodes that exist, in the order in which the scheduler looks at them.
    pub fn order(&self) -> &[NodeId] {
        self.order.get_or_init(|| self.in_turns())
    }

    /// The node with that index.
    pub fn node(&self, id: NodeId) -> &NodeInfo {
        &self.nodes[id]
    }

    /// The index of the node of that name.
    pub fn id(&self, name: &str) -> Option<NodeId> {
        self.by_name.get(name).copied()
    }

    /// Where an assigned pod is, and what counts of it.
    pub fn pod(&self, key: &Key) -> Option<(NodeId, &Arc<PodInfo>)> {
        let id = *self.pods.get(key)?;
        self.nodes[id].pods.get(key).map(|pod| (id, pod))
    }

    /// What is known of an image.
    pub fn image(&self, name: &str) -> ImageState {
        self.images.get(name).copied().unwrap_or_default()
    }

    /// Pods with affinity terms and where they are.
    pub fn pods_with_affinity(&self) -> impl Iterator<Item = (NodeId, &PodInfo)> {
        self.with_affinity
            .iter()
            .filter_map(|(key, id)| self.nodes[*id].pods.get(key).map(|pod| (*id, &**pod)))
    }

    /// The groups of pods in one namespace.
    pub fn groups_in(&self, namespace: &str) -> impl Iterator<Item = &Group> {
        self.groups.get(namespace).into_iter().flat_map(BTreeMap::values)
    }

    /// All groups of pods.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.values().flat_map(BTreeMap::values)
    }

    fn intern(&mut self, name: &str) -> NodeId {
        if let Some(id) = self.id(name) {
            return id;
        }
        let name: Arc<str> = name.into();
        self.nodes.push(NodeInfo {
            name: Arc::clone(&name),
            ..NodeInfo::default()
        });
        self.by_name.insert(name, self.nodes.len() - 1);
        self.nodes.len() - 1
    }

    fn count_images(&mut self, id: NodeId, sign: i64) {
        for (name, size) in &self.nodes[id].images {
            let state = self
                .images
                .entry(name.clone())
                .or_insert(ImageState { size: *size, nodes: 0 });
            state.nodes += sign;
            if state.nodes == 0 {
                self.images.remove(name);
            }
        }
    }

    /// Adds or updates a Node.
    pub fn set_node(&mut self, node: &core::Node) -> NodeId {
        let id = self.intern(node.metadata.name.as_deref().unwrap_or_default());
        self.count_images(id, -1);
        let before = std::mem::take(&mut self.nodes[id].labels);
        let existed = self.nodes[id].exists;
        self.nodes[id].set_node(node);
        self.count_images(id, 1);
        if !existed || before != self.nodes[id].labels {
            self.order.take();
        }
        id
    }

    /// Forgets a Node; its pods are remembered until they go.
    pub fn remove_node(&mut self, name: &str) {
        let Some(id) = self.id(name) else { return };
        self.count_images(id, -1);
        let old = &mut self.nodes[id];
        let kept = NodeInfo {
            name: Arc::clone(&old.name),
            pods: std::mem::take(&mut old.pods),
            requested: std::mem::take(&mut old.requested),
            nonzero: old.nonzero,
            ports: std::mem::take(&mut old.ports),
            ..NodeInfo::default()
        };
        *old = kept;
        self.order.take();
    }

    /// Zones take turns; inside a zone nodes keep the order in which they came (`backend/cache/node_tree.go list`).
    fn in_turns(&self) -> Vec<NodeId> {
        let mut zones: Vec<Vec<NodeId>> = Vec::new();
        let mut seen: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for (id, node) in self.nodes.iter().enumerate().filter(|(_, node)| node.exists) {
            let index = *seen.entry(node.zone()).or_insert(zones.len());
            if index == zones.len() {
                zones.push(Vec::new());
            }
            zones[index].push(id);
        }
        let longest = zones.iter().map(Vec::len).max().unwrap_or(0);
        (0..longest)
            .flat_map(|turn| zones.iter().filter_map(move |ids| ids.get(turn).copied()))
            .collect()
    }

    fn count_group(&mut self, pod: &PodInfo, id: NodeId, sign: i64) {
        let groups = self.groups.entry(pod.namespace().to_owned()).or_default();
        let group = groups.entry(Arc::clone(&pod.labels)).or_insert_with(|| Group {
            namespace: pod.namespace().to_owned(),
            labels: Arc::clone(&pod.labels),
            nodes: BTreeMap::new(),
        });
        let count = group.nodes.entry(id).or_default();
        count.0 += sign;
        count.1 += sign * i64::from(pod.terminating);
        if count.0 == 0 {
            group.nodes.remove(&id);
            if group.nodes.is_empty() {
                groups.remove(&pod.labels);
                if groups.is_empty() {
                    self.groups.remove(pod.namespace());
                }
            }
        }
    }

    /// Puts a pod on a node, in place of what was known of it before.
    pub fn set_pod(&mut self, pod: Arc<PodInfo>, node: &str) {
        self.remove_pod(&pod.key);
        let id = self.intern(node);
        self.count_group(&pod, id, 1);
        if pod.affinity.is_some() {
            self.with_affinity.insert(pod.key.clone(), id);
        }
        self.pods.insert(pod.key.clone(), id);
        self.nodes[id].add(pod);
    }

    /// Takes a pod away from its node.
    pub fn remove_pod(&mut self, key: &Key) -> Option<(NodeId, Arc<PodInfo>)> {
        let id = self.pods.remove(key)?;
        self.with_affinity.remove(key);
        let pod = self.nodes[id].remove(key)?;
        self.count_group(&pod, id, -1);
        Some((id, pod))
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

    use super::*;

    fn node(name: &str, zone: &str) -> core::Node {
        let labels = BTreeMap::from([("topology.kubernetes.io/zone".to_owned(), zone.to_owned())]);
        core::Node {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                labels: Some(labels),
                ..ObjectMeta::default()
            },
            ..core::Node::default()
        }
    }

    #[test]
    fn zones_take_turns() {
        let mut cache = Cache::default();
        for (name, zone) in [("a1", "a"), ("a2", "a"), ("b1", "b"), ("a3", "a"), ("b2", "b")] {
            cache.set_node(&node(name, zone));
        }
        let names: Vec<&str> = cache.order().iter().map(|id| &*cache.node(*id).name).collect();
        assert_eq!(names, ["a1", "b1", "a2", "b2", "a3"]);
    }
}
