//! What the schema says of lists and maps: which are owned as a whole and by which keys the items of others are told apart
//! (`x-kubernetes-list-type`, `x-kubernetes-list-map-keys`, `x-kubernetes-map-type`).

use serde_json::{Value, json};

use crate::objects::Kind;

/// How a list is owned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    /// As a whole.
    Atomic,
    /// Item by item.
    Set,
    /// Item by item, told apart by these fields.
    Map(&'static [&'static str]),
}

/// How the list in a field is owned, by the field's name and that of the field around it.
pub(super) fn list(parent: &str, field: &str, items: &[Value]) -> List {
    let first_has = |name: &str| items.first().is_some_and(|item| item.get(name).is_some());
    match field {
        "containers"
        | "initContainers"
        | "ephemeralContainers"
        | "env"
        | "schedulingGates"
        | "resourceClaims"
        | "claims" => List::Map(&["name"]),
        "volumes" if parent == "spec" => List::Map(&["name"]),
        "imagePullSecrets" if parent == "spec" => List::Map(&["name"]),
        "secrets" => List::Map(&["name"]),
        "ports" if first_has("containerPort") => List::Map(&["containerPort", "protocol"]),
        "ports" if parent == "spec" && first_has("port") => List::Map(&["port", "protocol"]),
        "volumeMounts" => List::Map(&["mountPath"]),
        "volumeDevices" => List::Map(&["devicePath"]),
        "hostAliases" | "podIPs" => List::Map(&["ip"]),
        "topologySpreadConstraints" => List::Map(&["topologyKey", "whenUnsatisfiable"]),
        "conditions" if parent == "status" => List::Map(&["type"]),
        "addresses" if parent == "status" => List::Map(&["type"]),
        "ownerReferences" => List::Map(&["uid"]),
        "finalizers" if parent == "metadata" => List::Set,
        "podCIDRs" => List::Set,
        _ => List::Atomic,
    }
}

/// Whether the object in a field is owned as a whole.
pub(super) fn is_atomic(parent: &str, field: &str) -> bool {
    match field {
        "selector" | "labelSelector" | "namespaceSelector" | "podSelector" | "nodeSelector" | "fieldRef"
        | "resourceFieldRef" | "configMapKeyRef" | "secretKeyRef" | "secretRef" | "scaleTargetRef" | "targetRef"
        | "involvedObject" | "dataSource" | "matchLabels" => true,
        "requiredDuringSchedulingIgnoredDuringExecution" => parent == "nodeAffinity",
        _ => false,
    }
}

/// The default of a key that an item leaves out.
pub(super) fn key_default(key: &str) -> Option<Value> {
    (key == "protocol").then(|| json!("TCP"))
}

/// An object of a kind in which nothing is set, as Go writes it: structs that are no pointers are there.
pub(super) fn zero(kind: Kind) -> Value {
    let template = json!({ "metadata": {}, "spec": { "containers": null } });
    let mut object = match kind {
        Kind::Pod => json!({ "spec": { "containers": null }, "status": {} }),
        Kind::Deployment => json!({ "spec": { "selector": null, "template": template, "strategy": {} }, "status": {} }),
        Kind::ReplicaSet => json!({ "spec": { "selector": null, "template": template }, "status": {} }),
        Kind::StatefulSet | Kind::DaemonSet => {
            json!({ "spec": { "selector": null, "template": template, "updateStrategy": {} }, "status": {} })
        }
        Kind::Job => json!({ "spec": { "template": template }, "status": {} }),
        Kind::CronJob => json!({
            "spec": { "jobTemplate": { "metadata": {}, "spec": { "template": template } } }, "status": {},
        }),
        Kind::Service => json!({ "spec": {}, "status": { "loadBalancer": {} } }),
        Kind::PersistentVolumeClaim => json!({ "spec": { "resources": {} }, "status": {} }),
        Kind::HorizontalPodAutoscaler => json!({ "spec": { "scaleTargetRef": {} }, "status": {} }),
        Kind::Node
        | Kind::Namespace
        | Kind::PersistentVolume
        | Kind::ReplicationController
        | Kind::ResourceQuota
        | Kind::LimitRange
        | Kind::PodDisruptionBudget
        | Kind::Ingress
        | Kind::NetworkPolicy
        | Kind::Lease => json!({ "spec": {}, "status": {} }),
        _ => json!({}),
    };
    object["metadata"] = json!({});
    object
}
