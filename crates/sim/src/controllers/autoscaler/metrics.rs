//! What pods use, and how many pods that asks for (`replica_calculator.go`).
//!
//! Nothing burns CPU in a simulation, so that what is used is told: the annotation `peapod.dev/cpu` (or `peapod.dev/memory`) of a
//! pod is what it uses; the annotation `peapod.dev/load-cpu` (or `-memory`) of the scaled object is a load that its ready pods
//! share evenly, so that more pods make each of them use less. The metrics server has a pod's numbers 15 s after its start.

use crate::core;
use k8s_openapi::api::autoscaling::v2 as autoscaling;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::Target;
use crate::controllers::pods::is_ready;
use crate::objects::{Kind, is_terminal, phase, selects};
use crate::quantity;
use crate::resources::milli_value;
use crate::time::SimDuration;
use crate::world::World;

/// How often the metrics server looks (`--metric-resolution`).
const RESOLUTION: SimDuration = SimDuration::from_secs(15);
/// Annotations that tell what is used.
const PREFIX: &str = "peapod.dev/";
/// The part of the target that use may differ by, as one over this (`--horizontal-pod-autoscaler-tolerance` 0.1).
const TOLERANCE: i128 = 10;

/// What one metric asks for.
pub(super) struct Proposal {
    pub(super) current: i32,
    pub(super) replicas: i32,
    /// In words: `cpu resource utilization (percentage of request)`.
    pub(super) metric: String,
    pub(super) status: autoscaling::MetricStatus,
}

/// Why a metric asks for nothing.
pub(super) struct Failure {
    pub(super) code: &'static str,
    pub(super) resource: String,
    pub(super) message: String,
}

impl Failure {
    /// Not even a metric was given.
    pub(super) fn nothing() -> Self {
        Self {
            code: "InvalidMetricSourceType",
            resource: String::new(),
            message: "no metrics are given".to_owned(),
        }
    }
}

/// What each metric of an autoscaler asks for.
pub(super) fn propose(
    w: &mut World,
    spec: &autoscaling::HorizontalPodAutoscalerSpec,
    target: &Target,
) -> Vec<Result<Proposal, Failure>> {
    let metrics = spec.metrics.clone().unwrap_or_default();
    metrics
        .iter()
        .map(|metric| match &metric.resource {
            Some(source) => of_resource(w, target, source),
            None => {
                w.notice(&format!(
                    "not simulated: metrics of type {} (only Resource is)",
                    metric.type_
                ));
                Err(Failure {
                    code: "FailedGetMetric",
                    resource: metric.type_.clone(),
                    message: format!("there are no metrics of type {}", metric.type_),
                })
            }
        })
        .collect()
}

/// A pod with what it uses and what it requests, in thousandths.
struct Measured {
    usage: Option<i128>,
    request: Option<i128>,
    ready: bool,
}

fn measure(w: &World, target: &Target, resource: &str) -> Vec<Measured> {
    let pods: Vec<&core::Pod> = w
        .store
        .list(Kind::Pod, Some(target.namespace()))
        .filter_map(|stored| stored.object.as_pod())
        .filter(|pod| selects(&target.selector, pod.metadata.labels.as_ref()))
        // Pods that end and pods that have failed count for nothing (`groupPods`).
        .filter(|pod| pod.metadata.deletion_timestamp.is_none() && !is_terminal(pod))
        .collect();
    let parse = |text: &str| quantity::parse(text).ok().map(quantity::Quantity::milli);
    let ready = pods.iter().filter(|pod| is_ready(pod)).count();
    let share = target
        .annotation(&format!("{PREFIX}load-{resource}"))
        .and_then(parse)
        .map(|load| load / i128::try_from(ready.max(1)).unwrap_or(1));
    pods.into_iter()
        .map(|pod| {
            let own = pod
                .metadata
                .annotations
                .as_ref()
                .and_then(|annotations| annotations.get(&format!("{PREFIX}{resource}")))
                .and_then(|text| parse(text));
            let started = pod.status.as_ref().and_then(|status| status.start_time.as_ref());
            let seen = phase(pod) == "Running"
                && started.is_some_and(|time| w.now.since(w.virtual_time(time.0)) >= RESOLUTION);
            Measured {
                usage: own.or(share.filter(|_| is_ready(pod))).filter(|_| seen),
                request: request(pod, resource),
                ready: is_ready(pod),
            }
        })
        .collect()
}

/// The requests of a pod's containers; `None` when one has none.
fn request(pod: &core::Pod, resource: &str) -> Option<i128> {
    let spec = pod.spec.as_ref()?;
    spec.containers.iter().try_fold(0, |sum, container| {
        let requests = container.resources.as_ref()?.requests.as_ref()?;
        Some(sum + milli_value(requests.get(resource)?))
    })
}

fn of_resource(
    w: &mut World,
    target: &Target,
    source: &autoscaling::ResourceMetricSource,
) -> Result<Proposal, Failure> {
    let resource = source.name.as_str();
    let utilization = source.target.average_utilization;
    let words = match utilization {
        Some(_) => format!("{resource} resource utilization (percentage of request)"),
        None => format!("{resource} resource"),
    };
    let fail = |message: String| Failure {
        code: "FailedGetResourceMetric",
        resource: resource.to_owned(),
        message: match utilization {
            Some(_) => format!("failed to get {resource} utilization: {message}"),
            None => format!("failed to get {resource} usage: {message}"),
        },
    };
    let pods = measure(w, target, resource);
    let measured: Vec<(i128, Option<i128>)> = pods
        .iter()
        .filter(|pod| pod.ready)
        .filter_map(|pod| Some((pod.usage?, pod.request)))
        .collect();
    if measured.is_empty() {
        w.notice(&format!(
            "what pods use is told, not measured: the annotation {PREFIX}{resource} of a pod, or {PREFIX}load-{resource} of \
             what is scaled"
        ));
        return Err(fail(format!(
            "unable to get metrics for resource {resource}: no metrics returned from resource metrics API"
        )));
    }
    let count = i128::try_from(measured.len()).unwrap_or(1);
    let used: i128 = measured.iter().map(|(usage, _)| usage).sum();
    // Both sides in the same unit: what is used by all, and what all should use.
    let goal_of_one = |request: Option<i128>| -> Option<i128> {
        match utilization {
            Some(percent) => Some(request? * i128::from(percent) / 100),
            None => source.target.average_value.as_ref().map(milli_value),
        }
    };
    let mut goal = 0;
    for (_, request) in &measured {
        goal += goal_of_one(*request).ok_or_else(|| fail(format!("missing request for {resource} in a container")))?;
    }
    let missing: Vec<&Measured> = pods.iter().filter(|pod| pod.usage.is_none() || !pod.ready).collect();
    let requested: i128 = measured.iter().filter_map(|(_, request)| *request).sum();
    let status = autoscaling::MetricStatus {
        type_: "Resource".to_owned(),
        resource: Some(autoscaling::ResourceMetricStatus {
            name: resource.to_owned(),
            current: autoscaling::MetricValueStatus {
                average_utilization: utilization
                    .filter(|_| requested > 0)
                    .and_then(|_| i32::try_from(used * 100 / requested).ok()),
                average_value: Some(shown(resource, used / count)),
                value: None,
            },
        }),
        ..Default::default()
    };
    let replicas = wanted(
        target.replicas,
        (used, goal, count),
        &missing,
        &goal_of_one,
        utilization.is_some(),
    );
    Ok(Proposal {
        current: target.replicas,
        replicas,
        metric: words,
        status,
    })
}

fn shown(resource: &str, milli: i128) -> Quantity {
    if resource == "cpu" {
        Quantity(format!("{milli}m"))
    } else {
        Quantity((milli / 1000).to_string())
    }
}

/// `calcPlainMetricReplicas`, `GetResourceReplicas`: so many pods that each uses what it should.
fn wanted(
    current: i32,
    (used, goal, count): (i128, i128, i128),
    missing: &[&Measured],
    goal_of_one: &dyn Fn(Option<i128>) -> Option<i128>,
    by_request: bool,
) -> i32 {
    let within = |used: i128, goal: i128| (used - goal).abs() * TOLERANCE <= goal;
    let rounded = |count: i128, used: i128, goal: i128| {
        let pods = if goal == 0 {
            count
        } else {
            (count * used + goal - 1).div_euclid(goal)
        };
        i32::try_from(pods).unwrap_or(i32::MAX)
    };
    if missing.is_empty() {
        return if within(used, goal) {
            current
        } else {
            rounded(count, used, goal)
        };
    }
    // Pods without numbers are thought to hinder: to use nothing when more are wanted, and all that they may when less.
    let up = used > goal;
    let (mut used_by_all, mut goal_of_all, mut all) = (used, goal, count);
    for pod in missing {
        let Some(own) = goal_of_one(pod.request) else { continue };
        if !up && !pod.ready {
            // Pods that are not ready are only set against a growth.
            continue;
        }
        goal_of_all += own;
        all += 1;
        if !up {
            used_by_all += if by_request { pod.request.unwrap_or(own) } else { own };
        }
    }
    let turned = (used > goal) != (used_by_all > goal_of_all);
    if turned || within(used_by_all, goal_of_all) {
        return current;
    }
    let proposed = rounded(all, used_by_all, goal_of_all);
    let against =
        (used_by_all < goal_of_all && proposed > current) || (used_by_all > goal_of_all && proposed < current);
    if against { current } else { proposed }
}
