//! The kinds that the command line knows: names, short names, groups and scopes, as discovery tells them.

use serde_json::Value;

use crate::value::text;

/// One API resource.
#[derive(Debug, PartialEq, Eq)]
pub struct Resource {
    /// `Pod`
    pub kind: &'static str,
    /// API group, empty for the core group.
    pub group: &'static str,
    /// Preferred version.
    pub version: &'static str,
    /// `pods`
    pub plural: &'static str,
    /// `pod`
    pub singular: &'static str,
    /// `po`
    pub short: &'static [&'static str],
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// Whether `get all` shows it.
    pub all: bool,
}

macro_rules! resources {
    ($($kind:literal $group:literal $version:literal $plural:literal $singular:literal [$($short:literal)*] $namespaced:literal $all:literal;)*) => {
        &[$(Resource { kind: $kind, group: $group, version: $version, plural: $plural, singular: $singular, short: &[$($short),*], namespaced: $namespaced, all: $all }),*]
    };
}

/// All resources, in the order in which discovery lists groups and `get all` asks.
pub const RESOURCES: &[Resource] = resources! {
    "ConfigMap" "" "v1" "configmaps" "configmap" ["cm"] true false;
    "Endpoints" "" "v1" "endpoints" "endpoints" ["ep"] true false;
    "Event" "" "v1" "events" "event" ["ev"] true false;
    "LimitRange" "" "v1" "limitranges" "limitrange" ["limits"] true false;
    "Namespace" "" "v1" "namespaces" "namespace" ["ns"] false false;
    "Node" "" "v1" "nodes" "node" ["no"] false false;
    "PersistentVolumeClaim" "" "v1" "persistentvolumeclaims" "persistentvolumeclaim" ["pvc"] true false;
    "PersistentVolume" "" "v1" "persistentvolumes" "persistentvolume" ["pv"] false false;
    "Pod" "" "v1" "pods" "pod" ["po"] true true;
    "ReplicationController" "" "v1" "replicationcontrollers" "replicationcontroller" ["rc"] true true;
    "ResourceQuota" "" "v1" "resourcequotas" "resourcequota" ["quota"] true false;
    "Secret" "" "v1" "secrets" "secret" [] true false;
    "ServiceAccount" "" "v1" "serviceaccounts" "serviceaccount" ["sa"] true false;
    "Service" "" "v1" "services" "service" ["svc"] true true;
    "ControllerRevision" "apps" "v1" "controllerrevisions" "controllerrevision" [] true false;
    "DaemonSet" "apps" "v1" "daemonsets" "daemonset" ["ds"] true true;
    "Deployment" "apps" "v1" "deployments" "deployment" ["deploy"] true true;
    "ReplicaSet" "apps" "v1" "replicasets" "replicaset" ["rs"] true true;
    "StatefulSet" "apps" "v1" "statefulsets" "statefulset" ["sts"] true true;
    "HorizontalPodAutoscaler" "autoscaling" "v2" "horizontalpodautoscalers" "horizontalpodautoscaler" ["hpa"] true true;
    "CronJob" "batch" "v1" "cronjobs" "cronjob" ["cj"] true true;
    "Job" "batch" "v1" "jobs" "job" [] true true;
    "Lease" "coordination.k8s.io" "v1" "leases" "lease" [] true false;
    "EndpointSlice" "discovery.k8s.io" "v1" "endpointslices" "endpointslice" [] true false;
    "Ingress" "networking.k8s.io" "v1" "ingresses" "ingress" ["ing"] true false;
    "NetworkPolicy" "networking.k8s.io" "v1" "networkpolicies" "networkpolicy" ["netpol"] true false;
    "PodDisruptionBudget" "policy" "v1" "poddisruptionbudgets" "poddisruptionbudget" ["pdb"] true false;
    "PriorityClass" "scheduling.k8s.io" "v1" "priorityclasses" "priorityclass" ["pc"] false false;
    "StorageClass" "storage.k8s.io" "v1" "storageclasses" "storageclass" ["sc"] false false;
};

impl Resource {
    /// `deployment.apps`, `pod`: the kind and its group, as results name them.
    #[must_use]
    pub fn singular_group(&self) -> String {
        join(self.singular, self.group)
    }

    /// `apps/v1`, `v1`
    #[must_use]
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_owned()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }
}

fn join(name: &str, group: &str) -> String {
    if group.is_empty() {
        name.to_owned()
    } else {
        format!("{name}.{group}")
    }
}

/// The resource that a person names: plural, singular, short name, each with or without `.group` or `.version.group`,
/// without regard to case.
#[must_use]
pub fn find(name: &str) -> Option<&'static Resource> {
    let name = name.to_ascii_lowercase();
    let (head, rest) = match name.split_once('.') {
        Some((head, rest)) => (head, Some(rest)),
        None => (name.as_str(), None),
    };
    RESOURCES.iter().find(|resource| {
        let named = head == resource.plural || head == resource.singular || resource.short.contains(&head);
        let group = rest.is_none_or(|rest| {
            rest == resource.group
                || rest
                    .split_once('.')
                    .map_or((rest, ""), |(version, group)| (version, group))
                    == (resource.version, resource.group)
        });
        named && group
    })
}

/// The resource of a kind in an API group.
#[must_use]
pub fn of_kind(group: &str, kind: &str) -> Option<&'static Resource> {
    RESOURCES.iter().find(|resource| {
        resource.kind == kind && (resource.group == group || (kind == "Event" && group == "events.k8s.io"))
    })
}

/// The resource of an object, by its `apiVersion` and `kind`.
#[must_use]
pub fn of_object(object: &Value) -> Option<&'static Resource> {
    of_kind(group_of(object), text(object, "/kind"))
}

/// The API group in an object's `apiVersion`.
pub(crate) fn group_of(object: &Value) -> &str {
    text(object, "/apiVersion")
        .rsplit_once('/')
        .map_or("", |(group, _)| group)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_spelling_finds_its_kind() {
        for (name, kind) in [
            ("po", "Pod"),
            ("pods", "Pod"),
            ("Pod", "Pod"),
            ("deploy", "Deployment"),
            ("deployments.apps", "Deployment"),
            ("deployment.v1.apps", "Deployment"),
            ("ds", "DaemonSet"),
            ("no", "Node"),
            ("ev", "Event"),
            ("hpa", "HorizontalPodAutoscaler"),
            ("pods.v1", "Pod"),
            ("pods.v1.", "Pod"),
        ] {
            assert_eq!(find(name).unwrap().kind, kind, "{name}");
        }
        assert_eq!(find("deployments.batch"), None);
        assert_eq!(find("frob"), None);
    }
}
