//! The disruption controller: how many pods an eviction may take (`pkg/controller/disruption`).

use crate::core;
use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::policy::v1 as policy;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::int_or_percent::{Round, scaled};
use super::int32;
use super::pods::{emit, is_ready};
use super::workqueue::{Outcome, Reconciler, WorkQueue};
use crate::objects::{Key, Kind, Object, controller_of, is_terminal, selects};
use crate::time::SimDuration;
use crate::trace::RecordId;
use crate::world::{Controller, World};

/// The name under which it reports events.
const COMPONENT: &str = "controllermanager";
/// How long an eviction that was allowed counts, until its pod is really being deleted (`DeletionTimeout`).
const DELETION_TIMEOUT: SimDuration = SimDuration::from_secs(120);

/// What a budget comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Pods that are counted on.
    pub expected: i32,
    /// Pods that must stay healthy.
    pub desired_healthy: i32,
    /// Pods that may go.
    pub allowed: i32,
}

/// The arithmetic of a budget: `scale` is what the pods' controllers want together, `matched` the number of pods that the
/// budget selects, `healthy` those of them that are (`getExpectedPodCount`, `updatePdbStatus`).
///
/// # Errors
/// Text for a percentage that is none.
pub fn allowance(
    spec: &policy::PodDisruptionBudgetSpec,
    scale: i32,
    matched: i32,
    healthy: i32,
) -> Result<Allowance, String> {
    let (expected, desired_healthy) = match (&spec.max_unavailable, &spec.min_available) {
        (Some(most), _) => (scale, (scale - scaled(most, scale, Round::Up)?).max(0)),
        (None, Some(IntOrString::Int(least))) => (matched, *least),
        (None, Some(least)) => (scale, scaled(least, scale, Round::Up)?),
        (None, None) => (matched, 0),
    };
    let allowed = if expected <= 0 {
        0
    } else {
        (healthy - desired_healthy).max(0)
    };
    Ok(Allowance {
        expected,
        desired_healthy,
        allowed,
    })
}

/// The disruption controller.
#[derive(Clone)]
pub struct Disruptions {
    pub(super) queue: WorkQueue,
}

impl Disruptions {
    /// With nothing to do.
    pub fn new() -> Self {
        Self {
            queue: WorkQueue::new(Controller::Disruption),
        }
    }

    /// Adds the budget, or those that select a pod.
    pub(crate) fn on_notify(&mut self, w: &mut World, key: &Key, record: RecordId) {
        if key.kind == Kind::PodDisruptionBudget {
            return self.queue.add(w, key.clone());
        }
        if w.store.count(Kind::PodDisruptionBudget) == 0 {
            return;
        }
        let Some(written) = w.written(record).map(|write| Arc::clone(&write.stored)) else {
            return;
        };
        let labels = written.object.meta().labels.as_ref();
        let budgets: Vec<Key> = w
            .store
            .list(Kind::PodDisruptionBudget, Some(&key.namespace))
            .filter(|stored| selector(&stored.object).is_some_and(|selector| selects(selector, labels)))
            .map(|stored| stored.object.key())
            .collect();
        for budget in budgets {
            self.queue.add(w, budget);
        }
    }

    fn sync(&mut self, w: &mut World, key: &Key) {
        let Some(Object::PodDisruptionBudget(mut budget)) = w.get(key).map(|stored| stored.object.clone()) else {
            return;
        };
        let Some(spec) = budget.spec.clone() else { return };
        let pods: Vec<core::Pod> = w
            .store
            .list(Kind::Pod, Some(&key.namespace))
            .filter_map(|stored| stored.object.as_pod())
            .filter(|pod| {
                let labels = pod.metadata.labels.as_ref();
                spec.selector.as_ref().is_some_and(|selector| selects(selector, labels)) && !is_terminal(pod)
            })
            .cloned()
            .collect();
        if pods.is_empty() {
            let about = Object::from(budget.clone());
            emit(
                w,
                COMPONENT,
                &about,
                "Normal",
                "NoPods",
                "No matching pods found".to_owned(),
            );
        }
        let status = budget.status.clone().unwrap_or_default();
        let disrupted: BTreeMap<_, _> = status
            .disrupted_pods
            .clone()
            .unwrap_or_default()
            .into_iter()
            .filter(|(name, since)| {
                let waiting = pods
                    .iter()
                    .any(|pod| pod.metadata.name.as_ref() == Some(name) && pod.metadata.deletion_timestamp.is_none());
                waiting && w.now < w.virtual_time(since.0) + DELETION_TIMEOUT
            })
            .collect();
        let healthy = pods
            .iter()
            .filter(|pod| {
                let name = pod.metadata.name.as_deref().unwrap_or_default();
                is_ready(pod) && pod.metadata.deletion_timestamp.is_none() && !disrupted.contains_key(name)
            })
            .count();
        if let Some(first) = disrupted
            .values()
            .map(|since| w.virtual_time(since.0) + DELETION_TIMEOUT)
            .min()
        {
            self.queue.add_after(w, key.clone(), first.since(w.now));
        }
        let counted =
            expected_scale(w, &pods).and_then(|scale| allowance(&spec, scale, int32(pods.len()), int32(healthy)));
        let now = w.time();
        let mut new = policy::PodDisruptionBudgetStatus {
            observed_generation: budget.metadata.generation,
            disrupted_pods: (!disrupted.is_empty()).then_some(disrupted),
            ..status
        };
        let (holds, reason, message) = match counted {
            Ok(counted) => {
                new.expected_pods = Some(counted.expected);
                new.desired_healthy = Some(counted.desired_healthy);
                new.current_healthy = Some(int32(healthy));
                new.disruptions_allowed = Some(counted.allowed);
                if counted.allowed > 0 {
                    ("True", "SufficientPods", String::new())
                } else {
                    ("False", "InsufficientPods", String::new())
                }
            }
            Err(error) => {
                // When it cannot be told how many there should be, none may go.
                new.disruptions_allowed = Some(0);
                ("False", "SyncFailed", error)
            }
        };
        let known = new
            .conditions
            .iter()
            .flatten()
            .find(|condition| condition.type_ == "DisruptionAllowed");
        let since = known
            .filter(|known| known.status == holds)
            .map(|known| known.last_transition_time.clone());
        new.conditions = Some(vec![Condition {
            type_: "DisruptionAllowed".to_owned(),
            status: holds.to_owned(),
            reason: reason.to_owned(),
            message,
            last_transition_time: since.unwrap_or(now),
            observed_generation: budget.metadata.generation,
        }]);
        budget.status = Some(new);
        w.update(budget.into());
    }
}

impl Reconciler for Disruptions {
    fn queue(&mut self) -> &mut WorkQueue {
        &mut self.queue
    }

    fn reconcile(&mut self, w: &mut World, key: &Key) -> Outcome {
        self.sync(w, key);
        Outcome::Planned
    }
}

impl Default for Disruptions {
    fn default() -> Self {
        Self::new()
    }
}

fn selector(object: &Object) -> Option<&k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector> {
    match object {
        Object::PodDisruptionBudget(budget) => budget.spec.as_ref()?.selector.as_ref(),
        _ => None,
    }
}

/// What the controllers of the pods want together, each counted once (`getExpectedScale`).
fn expected_scale(w: &World, pods: &[core::Pod]) -> Result<i32, String> {
    let mut scales: BTreeMap<String, i32> = BTreeMap::new();
    for pod in pods {
        let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        let Some(owner) = controller_of(&pod.metadata) else {
            return Err(format!("found no controller ref for pod \"{name}\""));
        };
        let found = Kind::named(&owner.kind).and_then(|kind| w.find(kind, namespace, &owner.name));
        let (uid, replicas) = match found.map(|stored| &stored.object) {
            Some(Object::ReplicaSet(set)) => {
                let deployment = controller_of(&set.metadata).filter(|owner| owner.kind == "Deployment");
                let deployment = deployment
                    .and_then(|owner| w.find(Kind::Deployment, namespace, &owner.name))
                    .map(|stored| &stored.object);
                match deployment {
                    Some(Object::Deployment(own)) => (
                        own.metadata.uid.clone(),
                        own.spec.as_ref().and_then(|spec| spec.replicas),
                    ),
                    _ => (
                        set.metadata.uid.clone(),
                        set.spec.as_ref().and_then(|spec| spec.replicas),
                    ),
                }
            }
            Some(Object::StatefulSet(set)) => (
                set.metadata.uid.clone(),
                set.spec.as_ref().and_then(|spec| spec.replicas),
            ),
            Some(Object::ReplicationController(own)) => (
                own.metadata.uid.clone(),
                own.spec.as_ref().and_then(|spec| spec.replicas),
            ),
            Some(_) => {
                let kind = owner.kind.to_lowercase();
                return Err(format!(
                    "{kind}s.{} does not implement the scale subresource",
                    group(&owner.api_version)
                ));
            }
            None => continue,
        };
        scales.insert(uid.unwrap_or_default(), replicas.unwrap_or(1));
    }
    Ok(scales.values().sum())
}

fn group(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}
