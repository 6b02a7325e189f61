//! `LimitRanger`: what a namespace gives to containers that ask for nothing, and what it refuses
//! (`plugin/pkg/admission/limitranger/admission.go`).

use crate::core;
use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Text;

use crate::objects::{Kind, Object};
use crate::quantity::{self, Format, Quantity};
use crate::request::Status;
use crate::world::World;

use super::admission::forbidden;

const ANNOTATION: &str = "kubernetes.io/limit-ranger";

type List = BTreeMap<String, Text>;

/// Fills in the defaults of a namespace's limit ranges, then checks their bounds.
///
/// # Errors
/// `Forbidden` with every bound that is broken.
pub(super) fn admit(w: &World, pod: &mut core::Pod) -> Result<(), Status> {
    let namespace = pod.metadata.namespace.clone().unwrap_or_default();
    let items: Vec<core::LimitRangeItem> = w
        .store
        .list(Kind::LimitRange, Some(&namespace))
        .filter_map(|stored| match &stored.object {
            Object::LimitRange(range) => range.spec.clone(),
            _ => None,
        })
        .flat_map(|spec| spec.limits)
        .collect();
    if items.is_empty() {
        return Ok(());
    }
    let mut set = Vec::new();
    for item in items.iter().filter(|item| item.type_ == "Container") {
        let Some(spec) = &mut pod.spec else { continue };
        for container in &mut spec.containers {
            fill(container, item, "container", &mut set);
        }
        for container in spec.init_containers.iter_mut().flatten() {
            fill(container, item, "init container", &mut set);
        }
    }
    if !set.is_empty() {
        let text = format!("LimitRanger plugin set: {}", set.join("; "));
        pod.metadata
            .annotations
            .get_or_insert_default()
            .insert(ANNOTATION.to_owned(), text);
    }
    let broken: Vec<String> = items.iter().flat_map(|item| check(pod, item)).collect();
    let reason = match broken.as_slice() {
        [] => return Ok(()),
        [one] => one.clone(),
        many => format!("[{}]", many.join(", ")),
    };
    Err(forbidden(
        Kind::Pod,
        pod.metadata.name.as_deref().unwrap_or_default(),
        &reason,
    ))
}

/// `mergeContainerResources`
fn fill(container: &mut core::Container, item: &core::LimitRangeItem, what: &str, set: &mut Vec<String>) {
    let resources = container.resources.get_or_insert_default();
    let add = |list: &mut Option<List>, defaults: Option<&List>| -> Vec<String> {
        let mut added = Vec::new();
        for (name, amount) in defaults.into_iter().flatten() {
            let list = list.get_or_insert_default();
            if !list.contains_key(name) {
                list.insert(name.clone(), amount.clone());
                added.push(name.clone());
            }
        }
        added
    };
    let limits = add(&mut resources.limits, item.default.as_ref());
    let requests = add(&mut resources.requests, item.default_request.as_ref());
    for (added, kind) in [(requests, "request"), (limits, "limit")] {
        if !added.is_empty() {
            set.push(format!("{} {kind} for {what} {}", added.join(", "), container.name));
        }
    }
}

/// `PodValidateLimitFunc`
fn check(pod: &core::Pod, item: &core::LimitRangeItem) -> Vec<String> {
    let Some(spec) = &pod.spec else { return Vec::new() };
    let mut broken = Vec::new();
    match item.type_.as_str() {
        "Container" => {
            for container in spec.containers.iter().chain(spec.init_containers.iter().flatten()) {
                let amounts = |part: fn(&core::ResourceRequirements) -> Option<&List>| {
                    container
                        .resources
                        .as_ref()
                        .and_then(part)
                        .map(parsed)
                        .unwrap_or_default()
                };
                let requests = amounts(|resources| resources.requests.as_ref());
                let limits = amounts(|resources| resources.limits.as_ref());
                bounds(item, &requests, &limits, &mut broken);
            }
        }
        "Pod" => {
            let (requests, limits) = pod_totals(spec);
            bounds(item, &requests, &limits, &mut broken);
        }
        _ => {}
    }
    broken
}

type Amounts = BTreeMap<String, Quantity>;

fn parsed(list: &List) -> Amounts {
    list.iter()
        .filter_map(|(name, amount)| Some((name.clone(), quantity::parse(&amount.0).ok()?)))
        .collect()
}

/// What a pod asks for and is limited to as a whole: its containers together, or the greatest init container.
pub(super) fn pod_totals(spec: &core::PodSpec) -> (Amounts, Amounts) {
    let total = |part: fn(&core::ResourceRequirements) -> Option<&List>| {
        let own = |container: &core::Container| {
            container
                .resources
                .as_ref()
                .and_then(part)
                .map(parsed)
                .unwrap_or_default()
        };
        let add = |into: &mut Amounts, more: &Amounts| {
            for (name, amount) in more {
                let sum = into
                    .get(name)
                    .copied()
                    .unwrap_or(Quantity::of(0, amount.format()))
                    .plus(*amount);
                into.insert(name.clone(), sum);
            }
        };
        let mut sum = Amounts::new();
        for container in &spec.containers {
            add(&mut sum, &own(container));
        }
        // Sidecars run beside the containers; what starts before them runs beside the sidecars so far.
        let (mut sidecars, mut peak) = (Amounts::new(), Amounts::new());
        for container in spec.init_containers.iter().flatten() {
            let mut beside = sidecars.clone();
            add(&mut beside, &own(container));
            if container.restart_policy.as_deref() == Some("Always") {
                add(&mut sum, &own(container));
                sidecars = beside.clone();
            }
            for (name, amount) in beside {
                let known = peak.entry(name).or_insert(amount);
                if amount > *known {
                    *known = amount;
                }
            }
        }
        for (name, amount) in peak {
            let known = sum.entry(name).or_insert(amount);
            if amount > *known {
                *known = amount;
            }
        }
        sum
    };
    (
        total(|resources| resources.requests.as_ref()),
        total(|resources| resources.limits.as_ref()),
    )
}

fn bounds(item: &core::LimitRangeItem, requests: &Amounts, limits: &Amounts, broken: &mut Vec<String>) {
    let kind = &item.type_;
    for (name, least) in item.min.iter().flat_map(parsed) {
        let said = format!("minimum {name} usage per {kind} is {least}");
        match requests.get(&name) {
            None => broken.push(format!("{said}.  No request is specified")),
            Some(request) if *request < least => broken.push(format!("{said}, but request is {request}")),
            Some(_) => {
                if let Some(limit) = limits.get(&name).filter(|limit| **limit < least) {
                    broken.push(format!("{said}, but limit is {limit}"));
                }
            }
        }
    }
    for (name, most) in item.max.iter().flat_map(parsed) {
        let said = format!("maximum {name} usage per {kind} is {most}");
        match limits.get(&name) {
            None => broken.push(format!("{said}.  No limit is specified")),
            Some(limit) if *limit > most => broken.push(format!("{said}, but limit is {limit}")),
            Some(_) => {
                if let Some(request) = requests.get(&name).filter(|request| **request > most) {
                    broken.push(format!("{said}, but request is {request}"));
                }
            }
        }
    }
    for (name, ratio) in item.max_limit_request_ratio.iter().flat_map(parsed) {
        let said = format!("{name} max limit to request ratio per {kind} is {ratio}");
        let zero = Quantity::of(0, Format::DecimalSi);
        let request = requests.get(&name).copied().unwrap_or(zero);
        let limit = limits.get(&name).copied().unwrap_or(zero);
        if request.milli() == 0 {
            broken.push(format!("{said}, but no request is specified or request is 0"));
        } else if limit.milli() == 0 {
            broken.push(format!("{said}, but no limit is specified or limit is 0"));
        } else {
            // Compared without rounding; shown with six places.
            let (limit, request, ratio) = (limit.milli(), request.milli(), ratio.milli());
            if limit * 1000 > ratio * request {
                let millionths = limit * 1_000_000 / request + i128::from(limit * 1_000_000 % request * 2 >= request);
                let shown = format!("{}.{:06}", millionths / 1_000_000, millionths % 1_000_000);
                broken.push(format!("{said}, but provided ratio is {shown}"));
            }
        }
    }
}
