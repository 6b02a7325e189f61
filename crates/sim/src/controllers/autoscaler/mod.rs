//! The HorizontalPodAutoscaler: as many replicas as what the pods use asks for (`pkg/controller/podautoscaler`).
//!
//! What pods use is not measured here but told, by annotations that an experiment can change: [`metrics`].

mod metrics;
mod rules;

use std::collections::BTreeMap;

use k8s_openapi::api::autoscaling::v2 as autoscaling;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use super::pods::emit;
use super::workqueue::{Outcome, Reconciler, WorkQueue};
use crate::objects::{Key, Kind, Object, reference_to};
use crate::time::{SimDuration, SimTime};
use crate::world::{Controller, World};

use metrics::{Failure, Proposal};
use rules::{Change, Limited};

/// The name under which it reports events.
const COMPONENT: &str = "horizontal-pod-autoscaler";
/// How often every autoscaler is looked at (`--horizontal-pod-autoscaler-sync-period`).
const PERIOD: SimDuration = SimDuration::from_secs(15);

/// The controller.
#[derive(Clone)]
pub struct Autoscalers {
    pub(super) queue: WorkQueue,
    memory: BTreeMap<Key, Memory>,
}

/// What it remembers of one autoscaler.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    /// What was recommended, and when.
    recommendations: Vec<(SimTime, i32)>,
    /// What was added and taken away, and when.
    changes: Vec<Change>,
}

impl Autoscalers {
    /// With nothing to do.
    pub fn new() -> Self {
        Self {
            queue: WorkQueue::new(Controller::Autoscaler),
            memory: BTreeMap::new(),
        }
    }

    /// Adds a new or changed autoscaler; its own writes do not wake it before its next turn.
    pub(crate) fn on_notify(&mut self, w: &mut World, key: &Key) {
        if w.get(key).is_none() {
            self.memory.remove(key);
        } else if !self.memory.contains_key(key) {
            self.memory.insert(key.clone(), Memory::default());
            self.queue.add(w, key.clone());
        }
    }

    /// `reconcileAutoscaler`
    fn sync(&mut self, w: &mut World, key: &Key) -> Option<()> {
        let Object::HorizontalPodAutoscaler(before) = &w.get(key)?.object.clone() else {
            return None;
        };
        let mut hpa = before.clone();
        let memory = self.memory.entry(key.clone()).or_default();
        let status = hpa.status.get_or_insert_default();
        status.observed_generation = before.metadata.generation;
        let Some(target) = Target::of(w, key, &before.spec.scale_target_ref) else {
            let name = &before.spec.scale_target_ref;
            let message = format!(
                "the HPA controller was unable to get the target's current scale: {} \"{}\" not found",
                plural(&name.kind),
                name.name
            );
            emit(
                w,
                COMPONENT,
                &before.clone().into(),
                "Warning",
                "FailedGetScale",
                message.clone(),
            );
            set(w, &mut hpa, "AbleToScale", "False", "FailedGetScale", &message);
            w.update(hpa.into());
            return Some(());
        };
        set(
            w,
            &mut hpa,
            "AbleToScale",
            "True",
            "SucceededGetScale",
            "the HPA controller was able to get the target's current scale",
        );
        let current = target.replicas;
        if memory.recommendations.is_empty() {
            memory.recommendations.push((w.now, current));
        }
        let (min, max) = (before.spec.min_replicas.unwrap_or(1), before.spec.max_replicas);
        let mut desired = current;
        let mut reason = String::new();
        let mut shown = Vec::new();
        if current == 0 && min != 0 {
            let message = "scaling is disabled since the replica count of the target is zero";
            set(w, &mut hpa, "ScalingActive", "False", "ScalingDisabled", message);
        } else if current > max {
            "Current number of replicas above Spec.MaxReplicas".clone_into(&mut reason);
            desired = max;
        } else if current < min {
            "Current number of replicas below Spec.MinReplicas".clone_into(&mut reason);
            desired = min;
        } else {
            let proposals = metrics::propose(w, &before.spec, &target);
            match best(proposals, &mut shown) {
                Ok(proposal) => {
                    let message = format!(
                        "the HPA was able to successfully calculate a replica count from {}",
                        proposal.metric
                    );
                    set(w, &mut hpa, "ScalingActive", "True", "ValidMetricFound", &message);
                    let wanted = proposal.replicas;
                    let stable = rules::stabilize(memory, w.now, current, wanted, before.spec.behavior.as_ref());
                    let (code, message) = match stable.cmp(&wanted) {
                        std::cmp::Ordering::Greater => (
                            "ScaleDownStabilized",
                            "recent recommendations were higher than current one, applying the highest recent recommendation",
                        ),
                        std::cmp::Ordering::Less => (
                            "ScaleUpStabilized",
                            "recent recommendations were lower than current one, applying the lowest recent recommendation",
                        ),
                        std::cmp::Ordering::Equal => ("ReadyForNewScale", "recommended size matches current size"),
                    };
                    set(w, &mut hpa, "AbleToScale", "True", code, message);
                    let (limited, limit) = rules::limit(
                        memory,
                        w.now,
                        current,
                        stable,
                        (min, max),
                        before.spec.behavior.as_ref(),
                    );
                    desired = limited;
                    let (status, code, message) = said(limit);
                    set(w, &mut hpa, "ScalingLimited", status, code, message);
                    if desired > current {
                        reason = format!("{} above target", proposal.metric);
                    } else if desired < current {
                        "All metrics below target".clone_into(&mut reason);
                    }
                }
                Err(failure) => {
                    let about = Object::from(before.clone());
                    emit(w, COMPONENT, &about, "Warning", failure.code, failure.message.clone());
                    set(w, &mut hpa, "ScalingActive", "False", failure.code, &failure.message);
                    let message = format!(
                        "invalid metrics (1 invalid out of {}), first error is: failed to get {} resource metric value: {}",
                        before.spec.metrics.as_ref().map_or(0, Vec::len),
                        failure.resource,
                        failure.message
                    );
                    emit(w, COMPONENT, &about, "Warning", "FailedComputeMetricsReplicas", message);
                }
            }
        }
        if desired != current {
            let record = w.decide(
                reference_to(Kind::HorizontalPodAutoscaler, &before.metadata),
                None,
                "pkg/controller/podautoscaler/horizontal.go reconcileAutoscaler",
                "autoscaler.rescale",
                &[
                    ("from", &current.to_string()),
                    ("to", &desired.to_string()),
                    ("reason", &reason),
                ],
            );
            w.causes = vec![record];
            target.scale(w, desired);
            memory.changes.push(Change {
                at: w.now,
                by: desired - current,
            });
            let message = format!("New size: {desired}; reason: {reason}");
            emit(
                w,
                COMPONENT,
                &before.clone().into(),
                "Normal",
                "SuccessfulRescale",
                message,
            );
            let message = format!("the HPA controller was able to update the target scale to {desired}");
            set(w, &mut hpa, "AbleToScale", "True", "SucceededRescale", &message);
            hpa.status.get_or_insert_default().last_scale_time = Some(w.time());
        }
        let status = hpa.status.get_or_insert_default();
        status.current_replicas = super::nonzero(target.current);
        status.desired_replicas = desired;
        status.current_metrics = (!shown.is_empty()).then_some(shown);
        w.update(hpa.into());
        Some(())
    }
}

impl Reconciler for Autoscalers {
    fn queue(&mut self) -> &mut WorkQueue {
        &mut self.queue
    }

    fn reconcile(&mut self, w: &mut World, key: &Key) -> Outcome {
        if self.sync(w, key).is_some() {
            self.queue.add_after(w, key.clone(), PERIOD);
        } else {
            self.memory.remove(key);
        }
        Outcome::Planned
    }
}

impl Default for Autoscalers {
    fn default() -> Self {
        Self::new()
    }
}

/// The proposal of the metric that wants most; what cannot be had forbids to scale down.
fn best(
    proposals: Vec<Result<Proposal, Failure>>,
    shown: &mut Vec<autoscaling::MetricStatus>,
) -> Result<Proposal, Failure> {
    let mut most: Option<Proposal> = None;
    let mut failure = None;
    for proposal in proposals {
        match proposal {
            Ok(proposal) => {
                shown.push(proposal.status.clone());
                if most.as_ref().is_none_or(|known| proposal.replicas > known.replicas) {
                    most = Some(proposal);
                }
            }
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    match (most, failure) {
        (Some(most), None) => Ok(most),
        (Some(most), Some(failure)) if most.replicas < most.current => Err(failure),
        (Some(most), Some(_)) => Ok(most),
        (None, failure) => Err(failure.unwrap_or_else(Failure::nothing)),
    }
}

fn said(limit: Limited) -> (&'static str, &'static str, &'static str) {
    match limit {
        Limited::No => (
            "False",
            "DesiredWithinRange",
            "the desired count is within the acceptable range",
        ),
        Limited::Max => (
            "True",
            "TooManyReplicas",
            "the desired replica count is more than the maximum replica count",
        ),
        Limited::Min => (
            "True",
            "TooFewReplicas",
            "the desired replica count is less than the minimum replica count",
        ),
        Limited::Up => (
            "True",
            "ScaleUpLimit",
            "the desired replica count is increasing faster than the maximum scale rate",
        ),
        Limited::Down => (
            "True",
            "ScaleDownLimit",
            "the desired replica count is decreasing faster than the maximum scale rate",
        ),
    }
}

/// Sets a condition (`setCondition`).
fn set(
    w: &World,
    hpa: &mut autoscaling::HorizontalPodAutoscaler,
    kind: &str,
    status: &str,
    reason: &str,
    message: &str,
) {
    let conditions = hpa.status.get_or_insert_default().conditions.get_or_insert_default();
    let at = match conditions.iter().position(|condition| condition.type_ == kind) {
        Some(at) => at,
        None => {
            conditions.push(autoscaling::HorizontalPodAutoscalerCondition {
                type_: kind.to_owned(),
                ..Default::default()
            });
            conditions.len() - 1
        }
    };
    let condition = &mut conditions[at];
    if condition.status != status {
        status.clone_into(&mut condition.status);
        condition.last_transition_time = Some(w.time());
    }
    condition.reason = Some(reason.to_owned());
    condition.message = Some(message.to_owned());
}

fn plural(kind: &str) -> String {
    Kind::named(kind).map_or_else(|| kind.to_lowercase(), |kind| kind.resource().qualified())
}

/// What is scaled.
pub(super) struct Target {
    object: Object,
    /// How many replicas are wanted now.
    pub(super) replicas: i32,
    /// How many there are.
    pub(super) current: i32,
    pub(super) selector: LabelSelector,
}

impl Target {
    fn of(w: &World, key: &Key, name: &autoscaling::CrossVersionObjectReference) -> Option<Self> {
        let kind = Kind::named(&name.kind)?;
        let object = w.find(kind, &key.namespace, &name.name)?.object.clone();
        let (replicas, current, selector) = match &object {
            Object::Deployment(object) => {
                let spec = object.spec.as_ref()?;
                let status = object.status.as_ref().and_then(|status| status.replicas);
                (spec.replicas, status.unwrap_or(0), spec.selector.clone())
            }
            Object::ReplicaSet(object) => {
                let spec = object.spec.as_ref()?;
                let status = object.status.as_ref().map(|status| status.replicas);
                (spec.replicas, status.unwrap_or(0), spec.selector.clone())
            }
            Object::StatefulSet(object) => {
                let spec = object.spec.as_ref()?;
                let status = object.status.as_ref().map(|status| status.replicas);
                (spec.replicas, status.unwrap_or(0), spec.selector.clone())
            }
            Object::ReplicationController(object) => {
                let spec = object.spec.as_ref()?;
                let status = object.status.as_ref().map(|status| status.replicas);
                let selector = LabelSelector {
                    match_labels: spec.selector.clone(),
                    match_expressions: None,
                };
                (spec.replicas, status.unwrap_or(0), selector)
            }
            _ => return None,
        };
        Some(Self {
            object,
            replicas: replicas.unwrap_or(1),
            current,
            selector,
        })
    }

    /// Its annotations.
    pub(super) fn annotation(&self, name: &str) -> Option<&str> {
        let annotations = self.object.meta().annotations.as_ref()?;
        annotations.get(name).map(String::as_str)
    }

    pub(super) fn namespace(&self) -> &str {
        self.object.namespace()
    }

    fn scale(&self, w: &mut World, replicas: i32) {
        let mut object = self.object.clone();
        match &mut object {
            Object::Deployment(object) => object.spec.get_or_insert_default().replicas = Some(replicas),
            Object::ReplicaSet(object) => object.spec.get_or_insert_default().replicas = Some(replicas),
            Object::StatefulSet(object) => object.spec.get_or_insert_default().replicas = Some(replicas),
            Object::ReplicationController(object) => object.spec.get_or_insert_default().replicas = Some(replicas),
            _ => return,
        }
        w.update(object);
    }
}
