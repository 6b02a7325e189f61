//! What etcd holds: every object at its newest version, and every version ever written.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use serde_json::{Value, json};

use crate::objects::{Index, Key, Kind, Object, Place, controller_of};
use crate::tally::{Tallies, Tally};
use crate::time::SimTime;
use crate::trace::{Change, ObjectRef, RecordId};
use crate::world::Actor;

/// One version of an object, shared by everything that looks at it.
#[derive(Debug)]
pub struct Stored {
    /// Where it is kept; its versions share the text.
    pub key: Key,
    /// The object.
    pub object: Object,
    /// Its reference in a trace, which its versions share.
    pub reference: Arc<ObjectRef>,
    /// The record that wrote it.
    pub record: RecordId,
    /// Who wrote it.
    pub writer: Actor,
    json: OnceLock<Arc<Value>>,
}

impl Stored {
    /// An object that some actor keeps for itself, as a kubelet does with the pods of its files; no write made it.
    pub(crate) fn apart(object: Object) -> Self {
        Self {
            key: object.key(),
            reference: object.reference(),
            object,
            record: RecordId::MAX,
            writer: Actor::User,
            json: OnceLock::new(),
        }
    }

    /// The object as the API shows it; made once.
    pub fn json(&self) -> Arc<Value> {
        Arc::clone(self.json.get_or_init(|| Arc::new(self.object.to_json())))
    }
}

/// One write.
#[derive(Clone, Debug)]
pub struct Write {
    /// When.
    pub at: SimTime,
    /// How.
    pub change: Change,
    /// The version written; for a deletion the last state.
    pub stored: Arc<Stored>,
    /// The record of this write.
    pub record: RecordId,
}

/// All objects and their history.
#[derive(Clone, Debug, Default)]
pub struct Store {
    /// Where in `slots` an object is: by key, in order and at once.
    objects: BTreeMap<Key, usize>,
    index: Index<usize>,
    slots: Vec<Option<Arc<Stored>>>,
    free: Vec<usize>,
    history: Vec<Write>,
    forgotten: usize,
    revision: u64,
    by_owner: BTreeMap<String, BTreeSet<Key>>,
    strays: BTreeSet<Key>,
    by_node: BTreeMap<String, BTreeSet<Key>>,
    counts: BTreeMap<Kind, usize>,
    tallies: Tallies,
    unwell_nodes: BTreeSet<Key>,
    comings_and_goings: BTreeMap<Kind, u64>,
}

impl Store {
    /// The newest resourceVersion.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The object at `key`.
    pub fn get(&self, key: &Key) -> Option<&Arc<Stored>> {
        self.at(key)
    }

    fn at(&self, place: &dyn Place) -> Option<&Arc<Stored>> {
        self.slots[*self.index.get(place)?].as_ref()
    }

    /// The object of that kind, namespace and name.
    pub fn find(&self, kind: Kind, namespace: &str, name: &str) -> Option<&Arc<Stored>> {
        let namespace = if kind.resource().namespaced { namespace } else { "" };
        self.at(&(kind, namespace, name))
    }

    /// The stored version of the object that this one is a version of, if there is one of its kind and name.
    pub fn current(&self, object: &Object) -> Option<&Arc<Stored>> {
        self.at(&object.place())
    }

    /// The key of an object that is to be written, and its reference in a trace: those that its last version has, if that is
    /// the same object.
    pub(crate) fn identity(&self, object: &Object) -> (Key, Arc<ObjectRef>) {
        match self.current(object) {
            Some(known) if known.object.uid() == object.uid() => (known.key.clone(), Arc::clone(&known.reference)),
            Some(known) => (known.key.clone(), object.reference()),
            None => (object.key(), object.reference()),
        }
    }

    /// The objects of a kind, in all namespaces or in one, by namespace and name.
    pub fn list<'a>(&'a self, kind: Kind, namespace: Option<&'a str>) -> impl Iterator<Item = &'a Arc<Stored>> + 'a {
        let first = Key::new(kind, namespace.unwrap_or_default(), "");
        self.objects
            .range(first..)
            .take_while(move |(key, _)| {
                key.kind == kind
                    && (!kind.resource().namespaced || namespace.is_none_or(|wanted| &*key.namespace == wanted))
            })
            .filter_map(|(_, slot)| self.slots[*slot].as_ref())
    }

    /// Everything that exists.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Stored>> {
        self.objects.values().filter_map(|slot| self.slots[*slot].as_ref())
    }

    /// The objects that name the owner with that uid, by key.
    pub fn dependents<'a>(&'a self, uid: &str) -> impl Iterator<Item = &'a Arc<Stored>> + use<'a> {
        self.by_owner
            .get(uid)
            .into_iter()
            .flatten()
            .filter_map(|key| self.get(key))
    }

    /// Pods and ReplicaSets of a namespace that no controller owns, by name.
    pub fn strays<'a>(&'a self, kind: Kind, namespace: &'a str) -> impl Iterator<Item = &'a Arc<Stored>> + 'a {
        self.strays
            .range(Key::new(kind, namespace, "")..)
            .take_while(move |key| key.kind == kind && &*key.namespace == namespace)
            .filter_map(|key| self.get(key))
    }

    /// The pods on a node, by namespace and name; on the node without a name are those that have none yet.
    pub fn pods_on<'a>(&'a self, node: &str) -> impl Iterator<Item = &'a Arc<Stored>> + use<'a> {
        self.by_node
            .get(node)
            .into_iter()
            .flatten()
            .filter_map(|key| self.get(key))
    }

    /// Nodes that are not ready, or that have taints.
    pub fn unwell_nodes(&self) -> impl Iterator<Item = &Key> {
        self.unwell_nodes.iter()
    }

    /// How often an object of a kind has come or gone: while it stays, there are the same ones.
    pub fn comings_and_goings(&self, kind: Kind) -> u64 {
        self.comings_and_goings.get(&kind).copied().unwrap_or(0)
    }

    /// How many objects of a kind there are.
    pub fn count(&self, kind: Kind) -> usize {
        self.counts.get(&kind).copied().unwrap_or(0)
    }

    /// The pods that the owner with that uid controls, counted by their labels.
    pub fn tally<'a>(&'a self, uid: &str) -> impl Iterator<Item = (&'a BTreeMap<String, String>, &'a Tally)> + use<'a> {
        self.tallies.of(uid)
    }

    /// The names of the nodes that pods are on, whether those nodes exist or not.
    pub fn nodes_of_pods(&self) -> impl Iterator<Item = &str> {
        self.by_node.keys().map(String::as_str)
    }

    fn index(&mut self, key: &Key, object: &Object, present: bool) {
        fn put(map: &mut BTreeMap<String, BTreeSet<Key>>, name: &str, key: &Key, present: bool) {
            if present {
                map.entry(name.to_owned()).or_default().insert(key.clone());
            } else if let Some(keys) = map.get_mut(name) {
                keys.remove(key);
                if keys.is_empty() {
                    map.remove(name);
                }
            }
        }
        let count = self.counts.entry(key.kind).or_default();
        *count = if present { *count + 1 } else { count.saturating_sub(1) };
        for owner in object.meta().owner_references.iter().flatten() {
            put(&mut self.by_owner, &owner.uid, key, present);
        }
        if matches!(key.kind, Kind::Pod | Kind::ReplicaSet) && controller_of(object.meta()).is_none() {
            if present {
                self.strays.insert(key.clone());
            } else {
                self.strays.remove(key);
            }
        }
        let node = object.as_pod().and_then(|pod| pod.spec.as_ref()?.node_name.as_deref());
        if key.kind == Kind::Pod {
            put(&mut self.by_node, node.unwrap_or_default(), key, present);
        }
    }

    /// Every write so far, but for those that were forgotten.
    pub fn history(&self) -> &[Write] {
        &self.history
    }

    /// How many writes were forgotten: those before the first of [`Store::history`].
    pub fn forgotten(&self) -> usize {
        self.forgotten
    }

    /// Forgets all writes so far; the objects stay.
    pub(crate) fn forget_history(&mut self) {
        self.forgotten += self.history.len();
        self.history.clear();
    }

    /// Writes a version: gives it the next resourceVersion, keeps it, and returns it.
    pub fn write(
        &mut self,
        at: SimTime,
        change: Change,
        object: Object,
        record: RecordId,
        writer: Actor,
    ) -> Arc<Stored> {
        let identity = self.identity(&object);
        self.write_as(identity, at, change, object, record, writer)
    }

    /// Writes a version of the object with that [`Store::identity`].
    pub(crate) fn write_as(
        &mut self,
        (key, reference): (Key, Arc<ObjectRef>),
        at: SimTime,
        change: Change,
        mut object: Object,
        record: RecordId,
        writer: Actor,
    ) -> Arc<Stored> {
        self.revision += 1;
        object.meta_mut().resource_version = Some(self.revision.to_string());
        let stored = Arc::new(Stored {
            key: key.clone(),
            reference,
            object,
            record,
            writer,
            json: OnceLock::new(),
        });
        let kind = key.kind;
        let new = (change != Change::Deleted).then_some(&stored.object);
        let slot = self.index.get(&key).copied();
        let old = match (new, slot) {
            (Some(_), Some(slot)) => self.slots[slot].replace(Arc::clone(&stored)),
            (Some(_), None) => {
                let slot = self.free.pop().unwrap_or_else(|| {
                    self.slots.push(None);
                    self.slots.len() - 1
                });
                self.objects.insert(key.clone(), slot);
                self.index.insert(key.clone(), slot);
                self.slots[slot].replace(Arc::clone(&stored))
            }
            (None, Some(slot)) => {
                self.objects.remove(&key);
                self.index.remove(&key);
                self.free.push(slot);
                self.slots[slot].take()
            }
            (None, None) => None,
        };
        let key = &key;
        let old = old.as_ref().map(|old| &old.object);
        if old.map(indexed) != new.map(indexed) {
            for (object, present) in [(old, false), (new, true)] {
                if let Some(object) = object {
                    self.index(key, object, present);
                }
            }
        }
        if old.is_some() != new.is_some() {
            *self.comings_and_goings.entry(kind).or_default() += 1;
        }
        if let Some(Object::Node(node)) = new
            && is_unwell(node)
        {
            self.unwell_nodes.insert(key.clone());
        } else if kind == Kind::Node {
            self.unwell_nodes.remove(key);
        }
        if kind == Kind::Pod {
            self.tallies
                .change(old.and_then(Object::as_pod), new.and_then(Object::as_pod));
        }
        self.history.push(Write {
            at,
            change,
            stored: Arc::clone(&stored),
            record,
        });
        stored
    }
}

/// Whether the node lifecycle controller has something to watch.
fn is_unwell(node: &core::Node) -> bool {
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_ref());
    let ready = conditions.into_iter().flatten().find(|known| known.type_ == "Ready");
    let taints = node.spec.as_ref().and_then(|spec| spec.taints.as_ref());
    ready.is_none_or(|ready| ready.status != "True") || taints.is_some_and(|taints| !taints.is_empty())
}

/// What of an object decides where it stands in the indexes.
fn indexed(object: &Object) -> (Option<&Vec<OwnerReference>>, Option<&str>) {
    let node = object.as_pod().and_then(|pod| pod.spec.as_ref()?.node_name.as_deref());
    (object.meta().owner_references.as_ref(), node)
}

/// The leaf fields in which two versions of an object differ, as `path, before, after`; bookkeeping fields left out.
pub fn differences(before: &Value, after: &Value) -> Vec<(String, Value, Value)> {
    const BOOKKEEPING: &[&str] = &[
        "resourceVersion",
        "managedFields",
        "observedGeneration",
        "lastProbeTime",
    ];
    fn identity(item: &Value) -> Option<&str> {
        item.get("name")
            .or_else(|| item.get("type"))
            .or_else(|| item.get("uid"))
            .and_then(Value::as_str)
    }
    fn walk(path: &str, before: &Value, after: &Value, found: &mut Vec<(String, Value, Value)>) {
        if before == after {
            return;
        }
        match (before, after) {
            (Value::Object(old), Value::Object(new)) => {
                for key in old.keys().chain(new.keys().filter(|key| !old.contains_key(*key))) {
                    if !BOOKKEEPING.contains(&key.as_str()) {
                        let path = if path.is_empty() {
                            key.clone()
                        } else {
                            format!("{path}.{key}")
                        };
                        walk(
                            &path,
                            old.get(key).unwrap_or(&Value::Null),
                            new.get(key).unwrap_or(&Value::Null),
                            found,
                        );
                    }
                }
            }
            (Value::Array(old), Value::Array(new)) if old.iter().chain(new).all(|item| identity(item).is_some()) => {
                let find = |items: &[Value], name: &str| {
                    items
                        .iter()
                        .find(|item| identity(item) == Some(name))
                        .cloned()
                        .unwrap_or(Value::Null)
                };
                let mut names: Vec<&str> = old.iter().chain(new).filter_map(identity).collect();
                let mut seen = BTreeSet::new();
                names.retain(|name| seen.insert(*name));
                for name in names {
                    walk(&format!("{path}[{name}]"), &find(old, name), &find(new, name), found);
                }
            }
            _ => found.push((path.to_owned(), before.clone(), after.clone())),
        }
    }
    let mut found = Vec::new();
    walk("", before, after, &mut found);
    found
}

/// An empty list answer's metadata.
pub fn list_meta(revision: u64) -> Value {
    json!({ "resourceVersion": revision.to_string() })
}
