//! What differs between two versions of a pod. Its status is written far more often than anything else of any object, and most
//! of it stays: only what does not is made into JSON.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::core;

/// Both versions without what they agree in, and without metadata that nobody owns.
pub(super) fn apart(before: &core::Pod, after: &core::Pod) -> (Value, Value) {
    let mut pair = Pair::default();
    if !same_owned(&before.metadata, &after.metadata) {
        pair.put("metadata", &before.metadata, &after.metadata);
    }
    pair.field("spec", before.spec.as_deref(), after.spec.as_deref());
    match (before.status.as_deref(), after.status.as_deref()) {
        (Some(old), Some(new)) => {
            let (old, new) = status(old, new).values();
            pair.put("status", &old, &new);
        }
        (old, new) => pair.field("status", old, new),
    }
    pair.values()
}

/// Whether the metadata agree in what belongs to those who write it.
fn same_owned(one: &ObjectMeta, two: &ObjectMeta) -> bool {
    one.labels == two.labels
        && one.annotations == two.annotations
        && one.owner_references == two.owner_references
        && one.finalizers == two.finalizers
}

/// Conditions that come and go with every run of a container.
const OFTEN: &[&str] = &["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady"];

/// Whether a write has changed the statuses of containers, and nothing else but perhaps conditions that change with them.
pub(super) fn changes_what_changes_often(before: &core::Pod, after: &core::Pod) -> bool {
    let (Some(old), Some(new)) = (before.status.as_deref(), after.status.as_deref()) else {
        return false;
    };
    macro_rules! same {
        ($($field:ident,)*) => { $(old.$field == new.$field)&&* };
    }
    let rest = same! {
        allocated_resources, ephemeral_container_statuses, extended_resource_claim_status, host_ip, host_ips,
        init_container_statuses, message, node_allocatable_resource_claim_statuses, nominated_node_name,
        observed_generation, phase, pod_ip, pod_ips, qos_class, reason, resize, resource_claim_statuses, resources,
        start_time,
    };
    let (Some(was), Some(is)) = (&old.conditions, &new.conditions) else {
        return false;
    };
    let same_conditions = was.len() == is.len()
        && was.iter().zip(is).all(|(was, is)| {
            let often = was.type_ == is.type_ && OFTEN.contains(&was.type_.as_str());
            was == is || often
        });
    // What is owned as a whole has then changed for certain, and nobody need look for more.
    let changed = old.container_statuses.is_some()
        && new.container_statuses.is_some()
        && old.container_statuses != new.container_statuses;
    changed && rest && same_conditions && same_owned(&before.metadata, &after.metadata) && before.spec == after.spec
}

/// The part of a pod of which [`changes_what_changes_often`] speaks.
pub(super) fn what_changes_often(pod: &core::Pod) -> Value {
    let status = pod.status.as_deref();
    let conditions = status.and_then(|status| status.conditions.as_ref());
    let often: Vec<&core::PodCondition> = conditions
        .into_iter()
        .flatten()
        .filter(|condition| OFTEN.contains(&condition.type_.as_str()))
        .collect();
    serde_json::json!({ "status": { "conditions": often, "containerStatuses": [] } })
}

fn status(old: &core::PodStatus, new: &core::PodStatus) -> Pair {
    let mut pair = Pair::default();
    macro_rules! fields {
        ($($name:literal: $field:ident,)*) => { $(pair.field($name, old.$field.as_ref(), new.$field.as_ref());)* };
    }
    fields! {
        "allocatedResources": allocated_resources,
        "extendedResourceClaimStatus": extended_resource_claim_status,
        "hostIP": host_ip,
        "hostIPs": host_ips,
        "message": message,
        "nodeAllocatableResourceClaimStatuses": node_allocatable_resource_claim_statuses,
        "nominatedNodeName": nominated_node_name,
        "observedGeneration": observed_generation,
        "phase": phase,
        "podIP": pod_ip,
        "podIPs": pod_ips,
        "qosClass": qos_class,
        "reason": reason,
        "resize": resize,
        "resourceClaimStatuses": resource_claim_statuses,
        "resources": resources,
        "startTime": start_time,
    }
    macro_rules! whole {
        ($($name:literal: $field:ident,)*) => { $(pair.whole($name, old.$field.as_ref(), new.$field.as_ref());)* };
    }
    whole! {
        "containerStatuses": container_statuses,
        "ephemeralContainerStatuses": ephemeral_container_statuses,
        "initContainerStatuses": init_container_statuses,
    }
    match (&old.conditions, &new.conditions) {
        (Some(old), Some(new)) if old != new => {
            let find = |list: &[core::PodCondition], kind: &str| list.iter().position(|known| known.type_ == kind);
            let differs = |condition: &&core::PodCondition| {
                let (one, two) = (find(old, &condition.type_), find(new, &condition.type_));
                one.map(|index| &old[index]) != two.map(|index| &new[index])
            };
            let of = |list: &[core::PodCondition]| list.iter().filter(differs).cloned().collect::<Vec<_>>();
            pair.put("conditions", &of(old), &of(new));
        }
        (old, new) => pair.field("conditions", old.as_ref(), new.as_ref()),
    }
    pair
}

/// Two objects in the making.
#[derive(Default)]
struct Pair {
    old: Map<String, Value>,
    new: Map<String, Value>,
}

impl Pair {
    fn put<T: Serialize>(&mut self, name: &str, old: &T, new: &T) {
        for (map, value) in [(&mut self.old, old), (&mut self.new, new)] {
            map.insert(name.to_owned(), serde_json::to_value(value).unwrap_or_default());
        }
    }

    /// A field, if it differs.
    fn field<T: Serialize + PartialEq>(&mut self, name: &str, old: Option<&T>, new: Option<&T>) {
        if old == new {
            return;
        }
        for (map, value) in [(&mut self.old, old), (&mut self.new, new)] {
            if let Some(value) = value {
                map.insert(name.to_owned(), serde_json::to_value(value).unwrap_or_default());
            }
        }
    }

    /// A field that is owned as a whole, if it differs: what is in it does not matter then.
    fn whole<T: PartialEq>(&mut self, name: &str, old: Option<&T>, new: Option<&T>) {
        if old == new {
            return;
        }
        for (map, value, stands_for_it) in [(&mut self.old, old, "old"), (&mut self.new, new, "new")] {
            if value.is_some() {
                map.insert(name.to_owned(), Value::from(stands_for_it));
            }
        }
    }

    fn values(self) -> (Value, Value) {
        (Value::Object(self.old), Value::Object(self.new))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{merge, stripped};
    use super::*;

    /// What is found in the parts is what is found in the whole.
    #[test]
    fn nothing_is_lost_by_leaving_out_what_is_the_same() {
        let condition = |kind: &str, status: &str| json!({ "type": kind, "status": status });
        let states = [
            json!({}),
            json!({ "phase": "Pending", "conditions": [condition("PodScheduled", "True")] }),
            json!({
                "phase": "Running", "podIP": "10.0.0.1", "podIPs": [{ "ip": "10.0.0.1" }], "startTime": "2026-01-01T00:00:00Z",
                "conditions": [condition("Ready", "False"), condition("PodScheduled", "True")],
                "containerStatuses": [{ "name": "app", "image": "", "imageID": "", "ready": false, "restartCount": 0 }],
            }),
            json!({
                "phase": "Running", "podIP": "10.0.0.2", "podIPs": [{ "ip": "10.0.0.2" }], "startTime": "2026-01-01T00:00:00Z",
                "conditions": [condition("Ready", "True"), condition("PodScheduled", "True")],
                "containerStatuses": [{ "name": "app", "image": "", "imageID": "", "ready": true, "restartCount": 1 }],
            }),
            json!({ "conditions": [], "containerStatuses": [], "reason": "Evicted", "resources": { "limits": { "cpu": "1" } } }),
        ];
        let metadata = [
            json!({ "name": "p", "resourceVersion": "1" }),
            json!({ "name": "p", "resourceVersion": "2", "labels": { "a": "b" }, "generation": 2 }),
        ];
        let specs = [
            json!({ "containers": [{ "name": "app", "image": "one" }] }),
            json!({ "containers": [{ "name": "app", "image": "two" }], "nodeName": "n" }),
        ];
        let mut pods = Vec::new();
        for metadata in &metadata {
            for spec in &specs {
                for status in states.iter().map(Some).chain([None]) {
                    let mut pod = json!({ "metadata": metadata, "spec": spec });
                    if let Some(status) = status {
                        pod["status"] = status.clone();
                    }
                    pods.push(serde_json::from_value::<core::Pod>(pod).expect("a pod"));
                }
            }
        }
        let json = |pod: &core::Pod| serde_json::to_value(pod).expect("it is plain");
        let owned = |(changed, removed)| (stripped(changed), stripped(removed));
        for before in &pods {
            for after in &pods {
                let whole = merge::compare(&json(before), &json(after));
                let (old, new) = apart(before, after);
                assert_eq!(owned(merge::compare(&old, &new)), owned(whole), "{old} {new}");
            }
        }
    }
}
