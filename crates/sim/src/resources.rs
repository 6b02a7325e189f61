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

/// What the pod asks for: the larger of all regular containers with the sidecars and any init container with the sidecars
/// before it, plus overhead; pod-level requests override (`PodRequests`).
pub fn pod_requests(spec: &core::PodSpec) -> Amounts {
    fn requests(container: &core::Container) -> Option<&BTreeMap<String, Quantity>> {
        container.resources.as_ref()?.requests.as_ref()
    }
    let mut total = Amounts::new();
    for container in &spec.containers {
        add(&mut total, requests(container));
    }
    let mut sidecars = Amounts::new();
    let mut peak = Amounts::new();
    for container in spec.init_containers.iter().flatten() {
        if is_sidecar(container) {
            add(&mut total, requests(container));
            add(&mut sidecars, requests(container));
            raise(&mut peak, &sidecars);
        } else {
            let mut alone = sidecars.clone();
            add(&mut alone, requests(container));
            raise(&mut peak, &alone);
        }
    }
    raise(&mut total, &peak);
    if let Some(pod_level) = spec
        .resources
        .as_ref()
        .and_then(|resources| resources.requests.as_ref())
    {
        for (name, quantity) in pod_level.iter().filter(|(name, _)| is_pod_level(name)) {
            total.insert(name.clone(), milli_value(quantity));
        }
    }
    add(&mut total, spec.overhead.as_ref());
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
