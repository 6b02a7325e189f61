//! Everything that runs no pods by itself.

use k8s_openapi::api::{core::v1 as core, policy::v1 as policy, scheduling::v1 as scheduling};

use super::{meta, scheduling as affinity, workload};
use crate::apiserver::field::{Errors, Path};
use crate::apiserver::names;
use crate::objects::Object;
use crate::quantity;

/// The most that the data of a ConfigMap or a Secret may weigh.
const MAX_DATA: usize = 1 << 20;

pub(super) fn object(e: &mut Errors, object: &Object) {
    match object {
        Object::ConfigMap(map) => config_map(e, map),
        Object::Secret(secret) => self::secret(e, secret),
        Object::Node(node) => self::node(e, node),
        Object::LimitRange(range) => limit_range(e, range),
        Object::PersistentVolumeClaim(claim) => claim_spec(e, claim),
        Object::PersistentVolume(volume) => persistent_volume(e, volume),
        Object::PriorityClass(class) => priority_class(e, class),
        Object::PodDisruptionBudget(budget) => disruption_budget(e, budget),
        _ => {}
    }
}

fn config_map(e: &mut Errors, map: &core::ConfigMap) {
    let (data, binary) = (Path::root("data"), Path::root("binaryData"));
    let mut size = 0;
    for (key, value) in map.data.iter().flatten() {
        e.invalid_for(&data.key(key), key, names::config_key(key));
        if map.binary_data.as_ref().is_some_and(|binary| binary.contains_key(key)) {
            e.invalid_text(&data.key(key), key, "duplicate of key present in binaryData");
        }
        size += value.len();
    }
    for (key, value) in map.binary_data.iter().flatten() {
        e.invalid_for(&binary.key(key), key, names::config_key(key));
        size += value.0.len();
    }
    if size > MAX_DATA {
        e.too_long(&Path::root(""), MAX_DATA);
    }
}

fn secret(e: &mut Errors, secret: &core::Secret) {
    let data = Path::root("data");
    let mut size = 0;
    for (key, value) in secret.data.iter().flatten() {
        e.invalid_for(&data.key(key), key, names::config_key(key));
        size += value.0.len();
    }
    if size > MAX_DATA {
        e.too_long(&data, MAX_DATA);
    }
    let has = |key: &str| secret.data.as_ref().is_some_and(|data| data.contains_key(key));
    match secret.type_.as_deref() {
        Some("kubernetes.io/tls") => {
            for key in ["tls.crt", "tls.key"] {
                if !has(key) {
                    e.required(&data.key(key), "");
                }
            }
        }
        Some("kubernetes.io/dockerconfigjson") if !has(".dockerconfigjson") => {
            e.required(&data.key(".dockerconfigjson"), "");
        }
        Some("kubernetes.io/basic-auth") if !has("username") && !has("password") => {
            e.required(&data.key("username"), "");
            e.required(&data.key("password"), "");
        }
        Some("kubernetes.io/ssh-auth") if !has("ssh-privatekey") => e.required(&data.key("ssh-privatekey"), ""),
        _ => {}
    }
}

pub(super) fn node(e: &mut Errors, node: &core::Node) {
    let metadata = Path::root("metadata");
    let path = metadata.child("taints");
    let taints = node
        .spec
        .as_ref()
        .and_then(|spec| spec.taints.as_deref())
        .unwrap_or_default();
    for (index, taint) in taints.iter().enumerate() {
        let at = path.index(index);
        e.invalid_for(&at.child("key"), &taint.key, names::label_key(&taint.key));
        let value = taint.value.as_deref().unwrap_or_default();
        let reasons = names::label_value(value);
        if !reasons.is_empty() {
            e.invalid_text(&at.child("value"), value, &reasons.join(";"));
        }
        affinity::taint_effect(e, &taint.effect, &at.child("effect"));
        if taints[..index]
            .iter()
            .any(|other| other.key == taint.key && other.effect == taint.effect)
        {
            e.duplicate(&at, &format!("{}:{}", taint.key, taint.effect));
        }
    }
}

/// `ValidateLimitRange`: minimum ≤ default request ≤ default ≤ maximum.
fn limit_range(e: &mut Errors, range: &core::LimitRange) {
    let spec = Path::root("spec");
    let limits = spec.child("limits");
    for (index, item) in range.spec.iter().flat_map(|spec| &spec.limits).enumerate() {
        let at = limits.index(index);
        let lists = [&item.min, &item.max, &item.default_request, &item.default];
        let mut names: Vec<&String> = lists
            .iter()
            .flat_map(|list| list.iter().flatten().map(|(name, _)| name))
            .collect();
        names.sort();
        names.dedup();
        for name in names {
            let of = |list: &Option<
                std::collections::BTreeMap<String, k8s_openapi::apimachinery::pkg::api::resource::Quantity>,
            >| {
                list.as_ref()?
                    .get(name)
                    .and_then(|amount| quantity::parse(&amount.0).ok())
            };
            let (min, max) = (of(&item.min), of(&item.max));
            let (request, default) = (of(&item.default_request), of(&item.default));
            let mut more = |field: &str,
                            low: Option<quantity::Quantity>,
                            high: Option<quantity::Quantity>,
                            said: &str,
                            shown: Option<quantity::Quantity>| {
                if let (Some(low), Some(high), Some(shown)) = (low, high, shown)
                    && low > high
                {
                    let detail = said
                        .replace("{low}", &low.to_string())
                        .replace("{high}", &high.to_string());
                    e.invalid_text(&at.child(field).key(name), &shown.to_string(), &detail);
                }
            };
            more("min", min, max, "min value {low} is greater than max value {high}", min);
            more(
                "defaultRequest",
                min,
                request,
                "min value {low} is greater than default request value {high}",
                request,
            );
            more(
                "defaultRequest",
                request,
                max,
                "default request value {low} is greater than max value {high}",
                request,
            );
            more(
                "defaultRequest",
                request,
                default,
                "default request value {low} is greater than default limit value {high}",
                request,
            );
            more(
                "default",
                min,
                default,
                "min value {low} is greater than default value {high}",
                min,
            );
            more(
                "default",
                default,
                max,
                "default value {low} is greater than max value {high}",
                default,
            );
        }
    }
}

const ACCESS_MODES: [&str; 4] = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];

fn claim_spec(e: &mut Errors, claim: &core::PersistentVolumeClaim) {
    let path = Path::root("spec");
    let default = core::PersistentVolumeClaimSpec::default();
    let spec = claim.spec.as_ref().unwrap_or(&default);
    let modes = spec.access_modes.as_deref().unwrap_or_default();
    let at = path.child("accessModes");
    if modes.is_empty() {
        e.required(&at, "at least 1 access mode is required");
    }
    for mode in modes {
        if !ACCESS_MODES.contains(&mode.as_str()) {
            e.unsupported(&at, mode, &ACCESS_MODES);
        }
    }
    if let Some(selector) = &spec.selector {
        meta::selector(e, selector, &path.child("selector"));
    }
    let resources = path.child("resources");
    let storage = spec
        .resources
        .as_ref()
        .and_then(|resources| resources.requests.as_ref()?.get("storage"));
    match storage.and_then(|amount| quantity::parse(&amount.0).ok()) {
        None => e.required(&resources.key("storage"), ""),
        Some(amount) if amount <= quantity::Quantity::ZERO => {
            let requests = resources.child("requests");
            e.invalid_text(
                &requests.key("storage"),
                &amount.to_string(),
                "must be greater than zero",
            );
        }
        Some(_) => {}
    }
    if let Some(class) = spec.storage_class_name.as_deref().filter(|class| !class.is_empty()) {
        e.invalid_for(&path.child("storageClassName"), class, names::dns1123_subdomain(class));
    }
    if let Some(mode) = spec
        .volume_mode
        .as_deref()
        .filter(|mode| !matches!(*mode, "Block" | "Filesystem"))
    {
        e.unsupported(&path.child("volumeMode"), mode, &["Block", "Filesystem"]);
    }
}

fn persistent_volume(e: &mut Errors, volume: &core::PersistentVolume) {
    let path = Path::root("spec");
    let default = core::PersistentVolumeSpec::default();
    let spec = volume.spec.as_ref().unwrap_or(&default);
    let at = path.child("accessModes");
    let modes = spec.access_modes.as_deref().unwrap_or_default();
    if modes.is_empty() {
        e.required(&at, "");
    }
    for mode in modes {
        if !ACCESS_MODES.contains(&mode.as_str()) {
            e.unsupported(&at, mode, &ACCESS_MODES);
        }
    }
    if spec.capacity.as_ref().is_none_or(std::collections::BTreeMap::is_empty) {
        e.required(&path.child("capacity"), "");
    }
}

/// The greatest value that people may give (`HighestUserDefinablePriority`).
const MAX_PRIORITY: i32 = 1_000_000_000;

fn priority_class(e: &mut Errors, class: &scheduling::PriorityClass) {
    let metadata = Path::root("metadata");
    let name = class.metadata.name.as_deref().unwrap_or_default();
    let value = class.value.unwrap_or(0);
    if name.starts_with("system-") {
        let known = matches!(
            (name, value),
            ("system-node-critical", 2_000_001_000) | ("system-cluster-critical", 2_000_000_000)
        );
        if !known {
            let detail = format!(
                "priority class names with 'system-' prefix are reserved for system use only. error: {name} is not a known \
                 system priority class"
            );
            e.forbidden(&metadata.child("name"), &detail);
        }
    } else if value > MAX_PRIORITY {
        let detail = format!("maximum allowed value of a user defined priority is {MAX_PRIORITY}");
        e.forbidden(&Path::root("value"), &detail);
    }
    match class.preemption_policy.as_deref() {
        None | Some("Never" | "PreemptLowerPriority") => {}
        Some(other) => e.unsupported(
            &Path::root("preemptionPolicy"),
            other,
            &["PreemptLowerPriority", "Never"],
        ),
    }
}

fn disruption_budget(e: &mut Errors, budget: &policy::PodDisruptionBudget) {
    let path = Path::root("spec");
    let Some(spec) = &budget.spec else { return };
    if spec.min_available.is_some() && spec.max_unavailable.is_some() {
        let value = serde_json::json!({ "MinAvailable": spec.min_available, "Selector": spec.selector, "MaxUnavailable": spec.max_unavailable });
        e.invalid(&path, value, "minAvailable and maxUnavailable cannot be both set");
    }
    for (field, value) in [
        ("minAvailable", &spec.min_available),
        ("maxUnavailable", &spec.max_unavailable),
    ] {
        if let Some(value) = value {
            workload::int_or_percent(e, value, &path.child(field));
        }
    }
    if let Some(selector) = &spec.selector {
        meta::selector(e, selector, &path.child("selector"));
    }
}
