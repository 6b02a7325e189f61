//! The kinds that the cluster knows, as one type. The vocabulary is `k8s-openapi`'s; this module only gathers it.

use crate::core;
use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use k8s_openapi::api::{
    apps::v1 as apps, autoscaling::v2 as autoscaling, batch::v1 as batch, coordination::v1 as coordination,
    discovery::v1 as discovery, networking::v1 as networking, node::v1 as node, policy::v1 as policy, rbac::v1 as rbac,
    scheduling::v1 as scheduling, storage::v1 as storage,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use serde_json::Value;

use crate::apiserver::decode::{self, Flaw};
use crate::trace::ObjectRef;

/// What the API server says of a kind: group, version, plural name, whether it lives in a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resource {
    /// The kind.
    pub kind: Kind,
    /// Kind as text.
    pub name: &'static str,
    /// API group, empty for the core group.
    pub group: &'static str,
    /// Version.
    pub version: &'static str,
    /// Plural resource name.
    pub plural: &'static str,
    /// Whether objects live in a namespace.
    pub namespaced: bool,
}

impl Resource {
    /// `v1` or `apps/v1`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_owned()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// `pods` or `deployments.apps`, as error texts name a resource.
    pub fn qualified(&self) -> String {
        if self.group.is_empty() {
            self.plural.to_owned()
        } else {
            format!("{}.{}", self.plural, self.group)
        }
    }
}

macro_rules! kinds {
    ($($variant:ident: $ty:ty, $group:literal, $version:literal, $plural:literal, $namespaced:literal;)*) => {
        /// A kind of object.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind {
            $(#[doc = concat!("`", stringify!($variant), "`")] $variant,)*
        }

        /// An object of any kind.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Object {
            $(#[doc = concat!("A `", stringify!($variant), "`")] $variant($ty),)*
        }

        /// All kinds, in the order of their declaration.
        pub const RESOURCES: &[Resource] = &[
            $(Resource { kind: Kind::$variant, name: stringify!($variant), group: $group, version: $version, plural: $plural, namespaced: $namespaced },)*
        ];

        impl Object {
            /// Its kind.
            pub fn kind(&self) -> Kind {
                match self { $(Self::$variant(_) => Kind::$variant,)* }
            }

            /// Its metadata.
            pub fn meta(&self) -> &ObjectMeta {
                match self { $(Self::$variant(object) => &object.metadata,)* }
            }

            /// Its metadata, to change.
            pub fn meta_mut(&mut self) -> &mut ObjectMeta {
                match self { $(Self::$variant(object) => &mut object.metadata,)* }
            }

            /// Reads an object of `kind` and says everything that is wrong with its form; `None` if a field has a wrong
            /// type.
            pub fn decode(kind: Kind, value: &Value) -> (Option<Self>, Vec<Flaw>) {
                match kind { $(Kind::$variant => {
                    let (object, flaws) = decode::decode::<$ty>(value);
                    (object.map(Self::$variant), flaws)
                })* }
            }

            /// The object as the API shows it.
            pub fn to_json(&self) -> Value {
                match self { $(Self::$variant(object) => serde_json::to_value(object).unwrap_or(Value::Null),)* }
            }

            /// Reads an object of `kind`.
            ///
            /// # Errors
            /// When a field has another type than the kind gives it.
            pub fn from_json(kind: Kind, value: Value) -> Result<Self, serde_json::Error> {
                Self::deserialize(kind, value)
            }

            /// Reads an object of `kind` from anything that serde reads.
            ///
            /// # Errors
            /// Those of the deserializer.
            pub fn deserialize<'de, D: serde::Deserializer<'de>>(kind: Kind, from: D) -> Result<Self, D::Error> {
                match kind { $(Kind::$variant => <$ty as serde::Deserialize>::deserialize(from).map(Self::$variant),)* }
            }
        }

        $(impl From<$ty> for Object {
            fn from(object: $ty) -> Self { Self::$variant(object) }
        })*
    };
}

kinds! {
    Namespace: core::Namespace, "", "v1", "namespaces", false;
    Node: core::Node, "", "v1", "nodes", false;
    Pod: core::Pod, "", "v1", "pods", true;
    ConfigMap: core::ConfigMap, "", "v1", "configmaps", true;
    Secret: core::Secret, "", "v1", "secrets", true;
    Service: core::Service, "", "v1", "services", true;
    ServiceAccount: core::ServiceAccount, "", "v1", "serviceaccounts", true;
    Event: core::Event, "", "v1", "events", true;
    ReplicaSet: apps::ReplicaSet, "apps", "v1", "replicasets", true;
    Deployment: apps::Deployment, "apps", "v1", "deployments", true;
    Job: batch::Job, "batch", "v1", "jobs", true;
    CronJob: batch::CronJob, "batch", "v1", "cronjobs", true;
    StatefulSet: apps::StatefulSet, "apps", "v1", "statefulsets", true;
    DaemonSet: apps::DaemonSet, "apps", "v1", "daemonsets", true;
    ControllerRevision: apps::ControllerRevision, "apps", "v1", "controllerrevisions", true;
    ReplicationController: core::ReplicationController, "", "v1", "replicationcontrollers", true;
    PodTemplate: core::PodTemplate, "", "v1", "podtemplates", true;
    Endpoints: core::Endpoints, "", "v1", "endpoints", true;
    LimitRange: core::LimitRange, "", "v1", "limitranges", true;
    ResourceQuota: core::ResourceQuota, "", "v1", "resourcequotas", true;
    PersistentVolume: core::PersistentVolume, "", "v1", "persistentvolumes", false;
    PersistentVolumeClaim: core::PersistentVolumeClaim, "", "v1", "persistentvolumeclaims", true;
    HorizontalPodAutoscaler: autoscaling::HorizontalPodAutoscaler, "autoscaling", "v2", "horizontalpodautoscalers", true;
    Lease: coordination::Lease, "coordination.k8s.io", "v1", "leases", true;
    EndpointSlice: discovery::EndpointSlice, "discovery.k8s.io", "v1", "endpointslices", true;
    Ingress: networking::Ingress, "networking.k8s.io", "v1", "ingresses", true;
    IngressClass: networking::IngressClass, "networking.k8s.io", "v1", "ingressclasses", false;
    NetworkPolicy: networking::NetworkPolicy, "networking.k8s.io", "v1", "networkpolicies", true;
    RuntimeClass: node::RuntimeClass, "node.k8s.io", "v1", "runtimeclasses", false;
    PodDisruptionBudget: policy::PodDisruptionBudget, "policy", "v1", "poddisruptionbudgets", true;
    Role: rbac::Role, "rbac.authorization.k8s.io", "v1", "roles", true;
    RoleBinding: rbac::RoleBinding, "rbac.authorization.k8s.io", "v1", "rolebindings", true;
    ClusterRole: rbac::ClusterRole, "rbac.authorization.k8s.io", "v1", "clusterroles", false;
    ClusterRoleBinding: rbac::ClusterRoleBinding, "rbac.authorization.k8s.io", "v1", "clusterrolebindings", false;
    PriorityClass: scheduling::PriorityClass, "scheduling.k8s.io", "v1", "priorityclasses", false;
    StorageClass: storage::StorageClass, "storage.k8s.io", "v1", "storageclasses", false;
}

impl Kind {
    /// What the API server says of it.
    pub fn resource(self) -> &'static Resource {
        &RESOURCES[self as usize]
    }

    /// The kind called `name`.
    pub fn named(name: &str) -> Option<Self> {
        RESOURCES
            .iter()
            .find(|resource| resource.name == name)
            .map(|resource| resource.kind)
    }

    /// The kind whose plural in `group` is `plural`.
    pub fn of_resource(group: &str, plural: &str) -> Option<Self> {
        RESOURCES
            .iter()
            .find(|resource| resource.group == group && resource.plural == plural)
            .map(|found| found.kind)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.resource().name)
    }
}

/// Where an object is kept: kind, namespace (empty for cluster-scoped kinds), name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Kind.
    pub kind: Kind,
    /// Namespace.
    pub namespace: Arc<str>,
    /// Name.
    pub name: Arc<str>,
}

impl Key {
    /// The key of that object.
    pub fn new(kind: Kind, namespace: &str, name: &str) -> Self {
        let namespace = if kind.resource().namespaced { namespace } else { "" };
        Self {
            kind,
            namespace: namespace.into(),
            name: name.into(),
        }
    }
}

/// What a key says, also where nobody has made one: a look into the store by an object's own names copies none of them.
pub trait Place {
    /// Kind, namespace, name.
    fn parts(&self) -> (Kind, &str, &str);
}

impl Place for Key {
    fn parts(&self) -> (Kind, &str, &str) {
        (self.kind, &self.namespace, &self.name)
    }
}

impl Place for (Kind, &str, &str) {
    fn parts(&self) -> (Kind, &str, &str) {
        *self
    }
}

impl<'a> Borrow<dyn Place + 'a> for Key {
    fn borrow(&self) -> &(dyn Place + 'a) {
        self
    }
}

impl Hash for dyn Place + '_ {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

/// Something for each key, found at once. It is never gone through, so its order tells nobody anything.
#[derive(Clone, Debug)]
pub(crate) struct Index<T>(HashMap<Key, T, BuildHasherDefault<DefaultHasher>>);

impl<T> Default for Index<T> {
    fn default() -> Self {
        Self(HashMap::default())
    }
}

impl<T> Index<T> {
    /// What is kept for a place.
    pub fn get(&self, place: &dyn Place) -> Option<&T> {
        self.0.get(place)
    }

    /// Keeps something; what was kept there before.
    pub fn insert(&mut self, key: Key, value: T) -> Option<T> {
        self.0.insert(key, value)
    }

    /// Keeps nothing any more; what was kept there.
    pub fn remove(&mut self, key: &Key) -> Option<T> {
        self.0.remove(key)
    }
}

impl PartialEq for dyn Place + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for dyn Place + '_ {}

impl PartialOrd for dyn Place + '_ {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for dyn Place + '_ {
    fn cmp(&self, other: &Self) -> Ordering {
        self.parts().cmp(&other.parts())
    }
}

impl Object {
    /// Name, or the empty string.
    pub fn name(&self) -> &str {
        self.meta().name.as_deref().unwrap_or_default()
    }

    /// Namespace, or the empty string.
    pub fn namespace(&self) -> &str {
        self.meta().namespace.as_deref().unwrap_or_default()
    }

    /// UID, or the empty string.
    pub fn uid(&self) -> &str {
        self.meta().uid.as_deref().unwrap_or_default()
    }

    /// Its key in the store.
    pub fn key(&self) -> Key {
        Key::new(self.kind(), self.namespace(), self.name())
    }

    /// What its key says.
    pub fn place(&self) -> (Kind, &str, &str) {
        let kind = self.kind();
        let namespace = if kind.resource().namespaced {
            self.namespace()
        } else {
            ""
        };
        (kind, namespace, self.name())
    }

    /// Its reference in a trace.
    pub fn reference(&self) -> Arc<ObjectRef> {
        reference_to(self.kind(), self.meta())
    }

    /// The Pod, if it is one.
    pub fn as_pod(&self) -> Option<&core::Pod> {
        if let Self::Pod(pod) = self { Some(pod) } else { None }
    }
}

/// The reference in a trace of the object of that kind with that metadata.
pub fn reference_to(kind: Kind, meta: &ObjectMeta) -> Arc<ObjectRef> {
    Arc::new(ObjectRef {
        kind: kind.to_string(),
        namespace: meta.namespace.clone().unwrap_or_default(),
        name: meta.name.clone().unwrap_or_default(),
        uid: meta.uid.clone().unwrap_or_default(),
    })
}

/// The owner that controls an object, if one does.
pub fn controller_of(meta: &ObjectMeta) -> Option<&OwnerReference> {
    meta.owner_references
        .as_ref()?
        .iter()
        .find(|owner| owner.controller == Some(true))
}

/// An owner reference by which `owner` controls another object (`metav1.NewControllerRef`).
pub fn controller_reference(owner: &Object) -> OwnerReference {
    let resource = owner.kind().resource();
    OwnerReference {
        api_version: resource.api_version(),
        kind: resource.name.to_owned(),
        name: owner.name().to_owned(),
        uid: owner.uid().to_owned(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

/// Whether labels satisfy a label selector. An empty selector matches everything, a missing one nothing.
pub fn selects(
    selector: &k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector,
    labels: Option<&std::collections::BTreeMap<String, String>>,
) -> bool {
    let value = |key: &str| labels.and_then(|labels| labels.get(key));
    let by_labels = selector
        .match_labels
        .iter()
        .flatten()
        .all(|(key, wanted)| value(key) == Some(wanted));
    let by_expressions = selector.match_expressions.iter().flatten().all(|expression| {
        let values = expression.values.as_deref().unwrap_or_default();
        let actual = value(&expression.key);
        match expression.operator.as_str() {
            "In" => actual.is_some_and(|actual| values.contains(actual)),
            "NotIn" => actual.is_none_or(|actual| !values.contains(actual)),
            "Exists" => actual.is_some(),
            "DoesNotExist" => actual.is_none(),
            _ => false,
        }
    });
    by_labels && by_expressions
}

/// Whether a pod has come to its end (phase Succeeded or Failed).
pub fn is_terminal(pod: &core::Pod) -> bool {
    matches!(phase(pod), "Succeeded" | "Failed")
}

/// The pod's phase, `Pending` when it has none yet.
pub fn phase(pod: &core::Pod) -> &str {
    pod.status
        .as_ref()
        .and_then(|status| status.phase.as_deref())
        .unwrap_or("Pending")
}
