//! What disruption budgets allow, counted whenever a pod or its owner changes (`pkg/controller/disruption/disruption.go`
//! `trySync`). The real controller is a moment later; nothing that a reader can see depends on that moment.

use crate::core;
use std::collections::BTreeMap;

use k8s_openapi::api::policy::v1 as policy;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::objects::{Kind, Object, controller_of, selects};
use crate::trace::Change;
use crate::world::World;

/// Counts the budgets of a namespace again, and writes those whose status has changed.
pub(crate) fn recount(w: &mut World, namespace: &str) {
    if w.store.count(Kind::PodDisruptionBudget) == 0 {
        return;
    }
    let budgets: Vec<policy::PodDisruptionBudget> = w
        .store
        .list(Kind::PodDisruptionBudget, Some(namespace))
        .filter_map(|stored| match &stored.object {
            Object::PodDisruptionBudget(budget) => Some(budget.clone()),
            _ => None,
        })
        .collect();
    for mut budget in budgets {
        let status = status(w, namespace, &budget);
        if budget.status.as_ref() != Some(&status) {
            budget.status = Some(status);
            w.put(Change::Modified, budget.into());
        }
    }
}

fn status(w: &World, namespace: &str, budget: &policy::PodDisruptionBudget) -> policy::PodDisruptionBudgetStatus {
    let default = policy::PodDisruptionBudgetSpec::default();
    let spec = budget.spec.as_ref().unwrap_or(&default);
    let before = budget.status.clone().unwrap_or_default();
    let pods: Vec<&core::Pod> = w
        .store
        .list(Kind::Pod, Some(namespace))
        .filter_map(|stored| stored.object.as_pod())
        .filter(|pod| {
            spec.selector
                .as_ref()
                .is_some_and(|selector| selects(selector, pod.metadata.labels.as_ref()))
        })
        .collect();
    let (expected, desired) = expectation(w, namespace, spec, &pods);
    // A pod that was evicted and is not yet seen as going counts as gone.
    let mut disrupted = before.disrupted_pods.clone().unwrap_or_default();
    disrupted.retain(|name, _| {
        pods.iter()
            .any(|pod| pod.metadata.name.as_ref() == Some(name) && pod.metadata.deletion_timestamp.is_none())
    });
    let healthy = pods
        .iter()
        .filter(|pod| pod.metadata.deletion_timestamp.is_none())
        .filter(|pod| !disrupted.contains_key(pod.metadata.name.as_deref().unwrap_or_default()))
        .filter(|pod| is_ready(pod))
        .count();
    let healthy = i32::try_from(healthy).unwrap_or(i32::MAX);
    let allowed = if expected <= 0 { 0 } else { (healthy - desired).max(0) };
    let generation = budget.metadata.generation;
    policy::PodDisruptionBudgetStatus {
        conditions: Some(vec![condition(w, &before, allowed > 0, generation)]),
        current_healthy: Some(healthy),
        desired_healthy: Some(desired),
        disrupted_pods: Some(disrupted).filter(|map| !map.is_empty()),
        disruptions_allowed: Some(allowed),
        expected_pods: Some(expected),
        observed_generation: generation,
    }
}

fn is_ready(pod: &core::Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions
        .into_iter()
        .flatten()
        .any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// `getExpectedPodCount`: how many pods there should be, and how many of them must be healthy.
fn expectation(w: &World, namespace: &str, spec: &policy::PodDisruptionBudgetSpec, pods: &[&core::Pod]) -> (i32, i32) {
    let scale = || expected_scale(w, namespace, pods);
    match (&spec.max_unavailable, &spec.min_available) {
        (Some(unavailable), _) => {
            let expected = scale();
            (expected, (expected - share(unavailable, expected)).max(0))
        }
        (None, Some(IntOrString::Int(least))) => (i32::try_from(pods.len()).unwrap_or(i32::MAX), *least),
        (None, Some(least)) => {
            let expected = scale();
            (expected, share(least, expected))
        }
        (None, None) => (i32::try_from(pods.len()).unwrap_or(i32::MAX), 0),
    }
}

/// A number, or a percentage of the whole, rounded up.
fn share(value: &IntOrString, whole: i32) -> i32 {
    match value {
        IntOrString::Int(number) => *number,
        IntOrString::String(text) => {
            let percent: i64 = text.trim_end_matches('%').parse().unwrap_or(0);
            let product = percent * i64::from(whole);
            i32::try_from(product / 100 + i64::from(product % 100 > 0)).unwrap_or(i32::MAX)
        }
    }
}

/// `getExpectedScale`: the replicas of all that control these pods; of a ReplicaSet with a Deployment, the Deployment's.
fn expected_scale(w: &World, namespace: &str, pods: &[&core::Pod]) -> i32 {
    let mut owners: BTreeMap<String, i32> = BTreeMap::new();
    for pod in pods {
        let Some(owner) = controller_of(&pod.metadata) else {
            continue;
        };
        let mut object = Kind::named(&owner.kind).and_then(|kind| w.find(kind, namespace, &owner.name));
        if let Some(above) = object.and_then(|stored| controller_of(stored.object.meta()))
            && above.kind == "Deployment"
        {
            object = w.find(Kind::Deployment, namespace, &above.name);
        }
        let Some(stored) = object else { continue };
        let replicas = match &stored.object {
            Object::Deployment(object) => object.spec.as_ref().and_then(|spec| spec.replicas),
            Object::ReplicaSet(object) => object.spec.as_ref().and_then(|spec| spec.replicas),
            Object::StatefulSet(object) => object.spec.as_ref().and_then(|spec| spec.replicas),
            Object::ReplicationController(object) => object.spec.as_ref().and_then(|spec| spec.replicas),
            _ => continue,
        };
        owners.insert(stored.object.uid().to_owned(), replicas.unwrap_or(1));
    }
    owners.values().sum()
}

fn condition(
    w: &World,
    before: &policy::PodDisruptionBudgetStatus,
    allowed: bool,
    generation: Option<i64>,
) -> Condition {
    let (status, reason) = if allowed {
        ("True", "SufficientPods")
    } else {
        ("False", "InsufficientPods")
    };
    let known = before
        .conditions
        .iter()
        .flatten()
        .find(|known| known.type_ == "DisruptionAllowed" && known.status == status);
    Condition {
        type_: "DisruptionAllowed".to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message: String::new(),
        last_transition_time: known.map_or_else(|| w.time(), |known| known.last_transition_time.clone()),
        observed_generation: generation,
    }
}
