//! Resource quantities as numbers, and what a pod asks for (`component-helpers/resource/helpers.go`).

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

/// The quantity in thousandths of its unit, rounded up; zero for text that is no quantity (the API server refused it).
pub fn milli_value(quantity: &Quantity) -> i128 {
    parse(&quantity.0).unwrap_or(0)
}

/// The quantity in whole units, rounded up.
pub fn value(quantity: &Quantity) -> i128 {
    let milli = milli_value(quantity);
    milli.div_euclid(1000) + i128::from(milli.rem_euclid(1000) > 0)
}

fn parse(text: &str) -> Option<i128> {
    let text = text.trim();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = digits
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(digits.len());
    let (number, suffix) = digits.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.len() > 18 || whole.len() > 18 {
        return None;
    }
    // The number is held as mantissa × 10^-places.
    let mantissa: i128 = format!("{whole}{fraction}").parse().ok()?;
    let places = u32::try_from(fraction.len()).ok()?;
    // scale: thousandths per unit = numerator / denominator.
    let (numerator, denominator): (i128, i128) = match suffix {
        "n" => (1, 1_000_000),
        "u" => (1, 1_000),
        "m" => (1, 1),
        "" => (1_000, 1),
        "k" => (1_000_000, 1),
        "M" => (1_000_000_000, 1),
        "G" => (1_000_000_000_000, 1),
        "T" => (1_000_000_000_000_000, 1),
        "P" => (1_000_000_000_000_000_000, 1),
        "E" => (1_000_000_000_000_000_000_000, 1),
        "Ki" => (1_000 << 10, 1),
        "Mi" => (1_000 << 20, 1),
        "Gi" => (1_000 << 30, 1),
        "Ti" => (1_000 << 40, 1),
        "Pi" => (1_000 << 50, 1),
        "Ei" => (1_000 << 60, 1),
        _ => {
            let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
            match exponent {
                0..=18 => (1_000 * 10_i128.pow(exponent.unsigned_abs()), 1),
                -18..0 => (1_000, 10_i128.pow(exponent.unsigned_abs())),
                _ => return None,
            }
        }
    };
    let divisor = denominator * 10_i128.pow(places);
    let scaled = mantissa.checked_mul(numerator)?;
    let amount = scaled / divisor + i128::from(scaled % divisor > 0);
    Some(if negative { -amount } else { amount })
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
        for (name, quantity) in pod_level {
            total.insert(name.clone(), milli_value(quantity));
        }
    }
    add(&mut total, spec.overhead.as_ref());
    total
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
