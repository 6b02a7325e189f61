//! The QoS class of a pod (`pkg/apis/core/v1/helper/qos/qos.go ComputePodQOS`).

use crate::core;
use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::resources::{is_pod_level, milli_value};

/// `Guaranteed`, `Burstable` or `BestEffort`. Only cpu and memory count; zero counts as not set; pod-level resources, if
/// any are set, decide alone.
pub fn qos_class(pod: &core::Pod) -> &'static str {
    let Some(spec) = &pod.spec else { return "BestEffort" };
    // Zero amounts at the level of the pod still decide.
    let counts = |list: &BTreeMap<String, Quantity>| list.keys().any(|name| is_pod_level(name));
    let pod_level = spec.resources.as_ref().filter(|resources| {
        [&resources.requests, &resources.limits]
            .into_iter()
            .flatten()
            .any(counts)
    });
    let lists: Vec<(BTreeMap<&str, i128>, BTreeMap<&str, i128>)> = if let Some(resources) = pod_level {
        vec![(
            positive(resources.requests.as_ref()),
            positive(resources.limits.as_ref()),
        )]
    } else {
        let init = spec.init_containers.iter().flatten();
        init.chain(&spec.containers)
            .map(|container| {
                let resources = container.resources.as_ref();
                (
                    positive(resources.and_then(|resources| resources.requests.as_ref())),
                    positive(resources.and_then(|resources| resources.limits.as_ref())),
                )
            })
            .collect()
    };
    let sum = |of_limits: bool| {
        let mut sums: BTreeMap<&str, i128> = BTreeMap::new();
        for (requests, limits) in &lists {
            for (name, amount) in if of_limits { limits } else { requests } {
                *sums.entry(name).or_default() += amount;
            }
        }
        sums
    };
    let (requests, limits) = (sum(false), sum(true));
    if requests.is_empty() && limits.is_empty() {
        return "BestEffort";
    }
    let all_limited = lists
        .iter()
        .all(|(_, limits)| limits.contains_key("cpu") && limits.contains_key("memory"));
    let same = requests.iter().all(|(name, amount)| limits.get(name) == Some(amount)) && requests.len() == limits.len();
    if all_limited && same { "Guaranteed" } else { "Burstable" }
}

fn positive(list: Option<&BTreeMap<String, Quantity>>) -> BTreeMap<&str, i128> {
    list.into_iter()
        .flatten()
        .filter(|(name, _)| matches!(name.as_str(), "cpu" | "memory"))
        .map(|(name, quantity)| (name.as_str(), milli_value(quantity)))
        .filter(|(_, amount)| *amount > 0)
        .collect()
}
