//! Resource quantities as numbers, and what a pod asks for (`component-helpers/resource/helpers.go`).

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::quantity;

/// The quantity in thousandths of its unit, rounded up; zero for text that is no quantity (the API server refused it).
pub fn milli_value(quantity: &Quantity) -> i128 {
    quantity::parse(quantity.0.trim()).map_or(0, quantity::Quantity::milli)
}

/// The quantity in whole units, rounded up.
pub fn value(quantity: &Quantity) -> i128 {
    let milli = milli_value(quantity);
    milli.div_euclid(1000) + i128::from(milli.rem_euclid(1000) > 0)
}

/// Amounts by resource name, in thousandths.
pub type Amounts = BTreeMap<String, i128>;

fn add(into: &mut Amounts, list: Option<&BTreeMap<String, Quantity>>) {
    for (name, quantity) in list.into_iter().flatten() {
        *into.entry(name.clone()).or_default() += milli_value(quantity);
    }
}

fn raise(into: &mut Amounts, other: &Amounts) {
    for (name, amount) in other {
        let entry = into.entry(name.clone()).or_default();
        *entry = (*entry).max(*amount);
    }
}

/// Whether a resource can be given at the level of the pod (`IsSupportedPodLevelResource`).
pub fn is_pod_level(name: &str) -> bool {
    matches!(name, "cpu" | "memory") || name.starts_with("hugepages-")
}

/// Whether an init container is a sidecar (`podutil.IsRestartableInitContainer`).
pub fn is_sidecar(container: &core::Container) -> bool {
    container.restart_policy.as_deref() == Some("Always")
}

/// Whether the pod as a whole asks for, or is limited in, something (`IsPodLevelResourcesSet`).
pub fn has_pod_level(spec: &core::PodSpec) -> bool {
    let resources = spec.resources.as_ref();
    resources.is_some_and(|resources| {
        let lists = [&resources.requests, &resources.limits].into_iter().flatten();
        lists.flat_map(BTreeMap::keys).any(|name| is_pod_level(name))
    })
}

/// What may be taken into account, or left out, when the resources of a pod are added up (`PodResourcesOptions`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResourceOptions {
    /// What the status says is allocated and in force counts too, while a resize is under way.
    pub use_status: bool,
    /// The same for what the status says of the pod as a whole.
    pub use_pod_level_status: bool,
    /// Without `spec.overhead`.
    pub exclude_overhead: bool,
    /// Without `spec.resources`.
    pub skip_pod_level: bool,
    /// What a container asks for that does not say so itself.
    pub non_missing: BTreeMap<String, Quantity>,
    /// Resources of the node that resource claims of the pod take (`status.nodeAllocatableResourceClaimStatuses`).
    pub claimed: Vec<BTreeMap<String, Quantity>>,
}

type List = BTreeMap<String, Quantity>;

/// A container's list as one of the sources gives it.
type ListOf<'a> = dyn Fn(&'a core::Container, Option<&'a core::ContainerStatus>) -> Option<&'a List> + 'a;

/// What the pod asks for: the larger of all regular containers with the sidecars and any init container with the sidecars
/// before it, plus overhead; pod-level requests override (`PodRequests`).
pub fn pod_requests(spec: &core::PodSpec) -> Amounts {
    requests(spec, None, &ResourceOptions::default())
}

/// What limits the pod, added up in the same way; overhead counts only for what is limited (`PodLimits`).
pub fn pod_limits(spec: &core::PodSpec) -> Amounts {
    limits(spec, None, &ResourceOptions::default())
}

/// [`pod_requests`] with options.
pub fn requests(spec: &core::PodSpec, status: Option<&core::PodStatus>, options: &ResourceOptions) -> Amounts {
    fn of_spec(container: &core::Container) -> Option<&List> {
        container.resources.as_ref()?.requests.as_ref()
    }
    let infeasible = is_infeasible(status);
    let from_spec = |container| of_spec(container).filter(|_| !infeasible);
    let mut total = total(spec, status, options, &|container, _| of_spec(container));
    if options.use_status {
        let mut allocated = self::total(spec, status, options, &|container, status| {
            let allocated = status.and_then(|status| status.allocated_resources.as_ref());
            allocated.or_else(|| from_spec(container))
        });
        let mut actuated = self::total(spec, status, options, &|container, status| {
            let own = status.and_then(|status| status.resources.as_ref()?.requests.as_ref());
            let allocated = status.and_then(|status| status.allocated_resources.as_ref());
            own.or(allocated).or_else(|| from_spec(container))
        });
        if let Some(status) = pod_level_status(status, options)
            && let Some(known) = &status.allocated_resources
            && let Some(own) = status
                .resources
                .as_ref()
                .and_then(|resources| resources.requests.as_ref())
        {
            // They hold the sums already.
            (allocated, actuated) = (amounts(known), amounts(own));
        }
        if infeasible {
            total = actuated;
        } else {
            raise(&mut total, &actuated);
        }
        raise(&mut total, &allocated);
    }
    let pod_level = spec
        .resources
        .as_ref()
        .and_then(|resources| resources.requests.as_ref());
    let resources = pod_level_status(status, options).and_then(|status| status.resources.as_ref());
    let in_status = resources.map(|resources| {
        let allocated = status.and_then(|status| status.allocated_resources.as_ref());
        [resources.requests.as_ref(), allocated]
    });
    if !options.skip_pod_level && has_pod_level(spec) && pod_level.is_some() {
        override_with(&mut total, pod_level, in_status, infeasible);
    }
    if !options.exclude_overhead {
        add(&mut total, spec.overhead.as_ref());
    }
    total
}

/// [`pod_limits`] with options.
pub fn limits(spec: &core::PodSpec, status: Option<&core::PodStatus>, options: &ResourceOptions) -> Amounts {
    let options = ResourceOptions {
        non_missing: List::new(),
        ..options.clone()
    };
    fn of_spec(container: &core::Container) -> Option<&List> {
        container.resources.as_ref()?.limits.as_ref()
    }
    let infeasible = is_infeasible(status);
    let mut total = total(spec, status, &options, &|container, _| of_spec(container));
    if options.use_status {
        let mut actuated = self::total(spec, status, &options, &|container, status| {
            let own = status.and_then(|status| status.resources.as_ref()?.limits.as_ref());
            own.or_else(|| of_spec(container).filter(|_| !infeasible))
        });
        let resources = pod_level_status(status, &options).and_then(|status| status.resources.as_ref());
        if let Some(own) = resources.and_then(|resources| resources.limits.as_ref()) {
            actuated = amounts(own);
        }
        if infeasible {
            total = actuated;
        } else {
            raise(&mut total, &actuated);
        }
    }
    let pod_level = spec.resources.as_ref().and_then(|resources| resources.limits.as_ref());
    let resources = pod_level_status(status, &options).and_then(|status| status.resources.as_ref());
    let in_status = resources.map(|resources| [resources.limits.as_ref(), None]);
    if !options.skip_pod_level && has_pod_level(spec) {
        override_with(&mut total, pod_level, in_status, infeasible);
    }
    for (name, quantity) in spec.overhead.iter().flatten().filter(|_| !options.exclude_overhead) {
        if let Some(amount) = total.get_mut(name).filter(|amount| **amount != 0) {
            *amount += milli_value(quantity);
        }
    }
    total
}

/// The status, where what it says of the pod as a whole counts.
fn pod_level_status<'a>(status: Option<&'a core::PodStatus>, options: &ResourceOptions) -> Option<&'a core::PodStatus> {
    status.filter(|_| options.use_status && options.use_pod_level_status)
}

fn amounts(list: &List) -> Amounts {
    let mut amounts = Amounts::new();
    add(&mut amounts, Some(list));
    amounts
}

/// Puts what is set for the pod as a whole in the place of the containers' sums; during a resize the largest of what is
/// wanted and what is in force (`effectivePodLevelResources`).
fn override_with(total: &mut Amounts, spec: Option<&List>, status: Option<[Option<&List>; 2]>, infeasible: bool) {
    let wanted = spec.filter(|_| status.is_none() || !infeasible);
    let mut effective = wanted.map(amounts).unwrap_or_default();
    for list in status.into_iter().flatten().flatten() {
        raise(&mut effective, &amounts(list));
    }
    total.extend(effective.into_iter().filter(|(name, _)| is_pod_level(name)));
}

/// Whether the node has said that the pod's resize can never be (`IsPodResizeInfeasible`).
fn is_infeasible(status: Option<&core::PodStatus>) -> bool {
    let conditions = status
        .and_then(|status| status.conditions.as_deref())
        .unwrap_or_default();
    let pending = conditions
        .iter()
        .find(|condition| condition.type_ == "PodResizePending");
    pending.is_some_and(|condition| condition.reason.as_deref() == Some("Infeasible"))
}

/// The sum over all containers of the lists that `list_of` gives (`aggregateContainerResourcesByFn`).
fn total<'a>(
    spec: &'a core::PodSpec,
    status: Option<&'a core::PodStatus>,
    options: &ResourceOptions,
    list_of: &ListOf<'a>,
) -> Amounts {
    let status_of = |name: &str| {
        let status = status.filter(|_| options.use_status)?;
        let lists = [&status.container_statuses, &status.init_container_statuses];
        lists.into_iter().flatten().flatten().find(|status| status.name == name)
    };
    let amounts = |container: &'a core::Container| {
        let mut amounts = Amounts::new();
        add(&mut amounts, list_of(container, status_of(&container.name)));
        for (name, quantity) in &options.non_missing {
            amounts.entry(name.clone()).or_insert_with(|| milli_value(quantity));
        }
        amounts
    };
    let plus = |into: &mut Amounts, other: &Amounts| {
        for (name, amount) in other {
            *into.entry(name.clone()).or_default() += amount;
        }
    };
    let mut total = Amounts::new();
    for container in &spec.containers {
        plus(&mut total, &amounts(container));
    }
    let mut sidecars = Amounts::new();
    let mut peak = Amounts::new();
    for container in spec.init_containers.iter().flatten() {
        let mut own = amounts(container);
        if is_sidecar(container) {
            plus(&mut total, &own);
            plus(&mut sidecars, &own);
            raise(&mut peak, &sidecars);
        } else {
            plus(&mut own, &sidecars);
            raise(&mut peak, &own);
        }
    }
    raise(&mut total, &peak);
    for claim in &options.claimed {
        add(&mut total, Some(claim));
    }
    total
}

/// A number of bytes as a quantity in binary suffixes prints it: `5Mi`, `1536Ki`, `1000`.
pub fn binary(bytes: i128) -> String {
    let mut amount = bytes;
    for suffix in ["", "Ki", "Mi", "Gi", "Ti", "Pi"] {
        if amount == 0 || amount % 1024 != 0 {
            return format!("{amount}{suffix}");
        }
        amount /= 1024;
    }
    format!("{amount}Ei")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_in_all_their_suffixes() {
        for (text, milli) in [
            ("1", 1_000),
            ("100m", 100),
            ("0.5", 500),
            ("1Ki", 1_024_000),
            ("8Gi", 8_589_934_592_000),
            ("1e3", 1_000_000),
            ("1k", 1_000_000),
            ("1n", 1),
            ("-2", -2_000),
            ("oops", 0),
            ("", 0),
        ] {
            assert_eq!(milli_value(&Quantity(text.to_owned())), milli, "{text}");
        }
    }
}
