//! `ResourceQuota`: what a namespace may hold in all. The admission plugin refuses what would exceed a quota, and the
//! quota controller counts what is there (`apiserver/pkg/admission/plugin/resourcequota`, `pkg/quota/v1/evaluator/core`).

use crate::core;
use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Text;

use super::admission::forbidden;
use super::limits::pod_totals;
use crate::objects::{Kind, Object, is_terminal};
use crate::quantity::{self, Format, Quantity};
use crate::request::Status;
use crate::trace::Change;
use crate::world::World;

type Amounts = BTreeMap<String, Quantity>;

fn quotas(w: &World, namespace: &str) -> Vec<core::ResourceQuota> {
    w.store
        .list(Kind::ResourceQuota, Some(namespace))
        .filter_map(|stored| match &stored.object {
            Object::ResourceQuota(quota) => Some(quota.clone()),
            _ => None,
        })
        .collect()
}

fn hard(quota: &core::ResourceQuota) -> Amounts {
    let list = quota.spec.as_ref().and_then(|spec| spec.hard.as_ref());
    list.into_iter()
        .flatten()
        .filter_map(|(name, amount)| Some((name.clone(), quantity::parse(&amount.0).ok()?)))
        .collect()
}

/// Refuses an object that would exceed a quota of its namespace.
///
/// # Errors
/// `Forbidden`: `exceeded quota`, or `failed quota` for a pod that does not say what it needs.
pub(crate) fn admit(w: &World, object: &Object) -> Result<(), Status> {
    let (kind, name) = (object.kind(), object.name());
    if !kind.resource().namespaced || kind == Kind::Event {
        return Ok(());
    }
    for quota in quotas(w, object.namespace()) {
        let quota_name = quota.metadata.name.clone().unwrap_or_default();
        let hard = hard(&quota);
        if let Object::Pod(pod) = object {
            let missing = unstated(pod, &hard);
            if !missing.is_empty() {
                let reason = format!("failed quota: {quota_name}: must specify {}", missing.join("; "));
                return Err(forbidden(kind, name, &reason));
            }
        }
        let asked = usage(object);
        let used = used(w, object.namespace());
        let exceeded: Vec<&String> = hard
            .iter()
            .filter(|(resource, most)| {
                let more = asked.get(*resource).copied().unwrap_or(Quantity::ZERO);
                let sum = used.get(*resource).copied().unwrap_or(Quantity::ZERO).plus(more);
                more.milli() > 0 && sum > **most
            })
            .map(|(resource, _)| resource)
            .collect();
        if !exceeded.is_empty() {
            let shown = |amounts: &Amounts| {
                let parts = exceeded
                    .iter()
                    .map(|name| format!("{name}={}", amounts.get(*name).copied().unwrap_or(Quantity::ZERO)));
                parts.collect::<Vec<_>>().join(",")
            };
            let reason = format!(
                "exceeded quota: {quota_name}, requested: {}, used: {}, limited: {}",
                shown(&asked),
                shown(&used),
                shown(&hard)
            );
            return Err(forbidden(kind, name, &reason));
        }
    }
    Ok(())
}

/// What of a pod's containers must be said for a quota to count it, and is not: `requests.cpu for: app`.
fn unstated(pod: &core::Pod, hard: &Amounts) -> Vec<String> {
    const COUNTED: [&str; 6] = [
        "cpu",
        "memory",
        "requests.cpu",
        "requests.memory",
        "limits.cpu",
        "limits.memory",
    ];
    let Some(spec) = &pod.spec else { return Vec::new() };
    let mut missing = Vec::new();
    for resource in hard.keys().filter(|name| COUNTED.contains(&name.as_str())) {
        let mut names = BTreeSet::new();
        for container in spec.containers.iter().chain(spec.init_containers.iter().flatten()) {
            let resources = container.resources.as_ref();
            let list = match resource.strip_prefix("limits.") {
                Some(_) => resources.and_then(|resources| resources.limits.as_ref()),
                None => resources.and_then(|resources| resources.requests.as_ref()),
            };
            let bare = resource.trim_start_matches("limits.").trim_start_matches("requests.");
            if list.is_none_or(|list| !list.contains_key(bare)) {
                names.insert(container.name.as_str());
            }
        }
        if !names.is_empty() {
            missing.push(format!(
                "{resource} for: {}",
                names.into_iter().collect::<Vec<_>>().join(",")
            ));
        }
    }
    missing
}

fn one() -> Quantity {
    Quantity::of(1, Format::DecimalSi)
}

/// What an object counts for.
fn usage(object: &Object) -> Amounts {
    let resource = object.kind().resource();
    let mut amounts = Amounts::from([(format!("count/{}", resource.qualified()), one())]);
    let plain = [
        Kind::Service,
        Kind::Secret,
        Kind::ConfigMap,
        Kind::PersistentVolumeClaim,
        Kind::ReplicationController,
        Kind::ResourceQuota,
    ];
    if plain.contains(&object.kind()) {
        amounts.insert(resource.plural.to_owned(), one());
    }
    match object {
        Object::Pod(pod) if !is_terminal(pod) => {
            amounts.insert("pods".to_owned(), one());
            if let Some(spec) = &pod.spec {
                let (requests, limits) = pod_totals(spec);
                for (name, amount) in requests {
                    if matches!(name.as_str(), "cpu" | "memory" | "ephemeral-storage") {
                        amounts.insert(name.clone(), amount);
                    }
                    amounts.insert(format!("requests.{name}"), amount);
                }
                for (name, amount) in limits {
                    amounts.insert(format!("limits.{name}"), amount);
                }
            }
        }
        Object::Service(service) => {
            let spec = service.spec.as_ref();
            let kind = spec.and_then(|spec| spec.type_.as_deref()).unwrap_or_default();
            let ports = spec.and_then(|spec| spec.ports.as_ref()).map_or(0, Vec::len);
            if kind == "LoadBalancer" {
                amounts.insert("services.loadbalancers".to_owned(), one());
            }
            if matches!(kind, "LoadBalancer" | "NodePort") {
                let ports = Quantity::of(i64::try_from(ports).unwrap_or(i64::MAX), Format::DecimalSi);
                amounts.insert("services.nodeports".to_owned(), ports);
            }
        }
        Object::PersistentVolumeClaim(claim) => {
            let resources = claim.spec.as_ref().and_then(|spec| spec.resources.as_ref());
            let storage = resources.and_then(|resources| resources.requests.as_ref()?.get("storage"));
            if let Some(amount) = storage.and_then(|amount| quantity::parse(&amount.0).ok()) {
                amounts.insert("requests.storage".to_owned(), amount);
            }
        }
        _ => {}
    }
    amounts
}

/// What the objects of a namespace count for together.
fn used(w: &World, namespace: &str) -> Amounts {
    let mut sum = Amounts::new();
    for resource in crate::objects::RESOURCES
        .iter()
        .filter(|resource| resource.namespaced && resource.kind != Kind::Event)
    {
        for stored in w.store.list(resource.kind, Some(namespace)) {
            for (name, amount) in usage(&stored.object) {
                let known = sum.get(&name).copied().unwrap_or(Quantity::of(0, amount.format()));
                sum.insert(name, known.plus(amount));
            }
        }
    }
    sum
}

/// Counts again, as the quota controller does whenever something that is counted has come or gone.
pub(crate) fn recount(w: &mut World, namespace: &str) {
    if w.store.count(Kind::ResourceQuota) == 0 {
        return;
    }
    if w.store.list(Kind::ResourceQuota, Some(namespace)).next().is_none() {
        return;
    }
    let used = used(w, namespace);
    for mut quota in quotas(w, namespace) {
        let hard = quota
            .spec
            .as_ref()
            .and_then(|spec| spec.hard.clone())
            .unwrap_or_default();
        let counted = hard
            .iter()
            .map(|(name, most)| {
                let format = quantity::parse(&most.0).map_or(Format::DecimalSi, Quantity::format);
                let amount = used.get(name).copied().unwrap_or(Quantity::of(0, format));
                (name.clone(), Text(amount.to_string()))
            })
            .collect();
        let status = core::ResourceQuotaStatus {
            hard: Some(hard),
            used: Some(counted),
        };
        if quota.status.as_ref() != Some(&status) {
            quota.status = Some(status);
            w.put(Change::Modified, quota.into());
        }
    }
}
