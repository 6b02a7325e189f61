//! Endpoints: one object a Service, named as the Service (`pkg/controller/endpoint`, `pkg/api/endpoints RepackSubsets`).

use crate::core;
use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{
    HEADLESS, address, annotate, belongs, find_port, hostname, is_headless, node_name, publishes_unready, target,
};
use crate::controllers::pods::is_ready;
use crate::objects::{Key, Kind, Object};
use crate::registry::DeleteOptions;
use crate::request::Status;
use crate::world::World;

/// Addresses that one object holds at most (`maxCapacity`).
const MAX_ADDRESSES: usize = 1000;
/// The annotation that says that there were more.
const OVER_CAPACITY: &str = "endpoints.kubernetes.io/over-capacity";
/// The label by which others know that a controller looks after the object.
const MANAGED_BY: (&str, &str) = ("endpoints.kubernetes.io/managed-by", "endpoint-controller");

/// Removes what belonged to a Service that is gone.
pub(super) fn remove(w: &mut World, service: &Key) {
    let key = Key::new(Kind::Endpoints, &service.namespace, &service.name);
    if w.get(&key).is_some() {
        // Gone by another hand is gone.
        let _ = w.delete(&key, &DeleteOptions::default());
    }
}

/// Writes the addresses behind a Service, if they are not those that are there.
pub(super) fn reconcile(
    w: &mut World,
    service: &core::Service,
    pods: &[&core::Pod],
    trigger: Option<jiff::Timestamp>,
) -> Result<(), Status> {
    let tolerates = publishes_unready(service);
    let mut subsets: Vec<(Vec<core::EndpointPort>, [Vec<core::EndpointAddress>; 2])> = Vec::new();
    let mut count = 0;
    for pod in pods.iter().filter(|pod| belongs(pod, tolerates)) {
        count += 1;
        if count > MAX_ADDRESSES {
            continue;
        }
        let ready = tolerates || is_ready(pod);
        let address = core::EndpointAddress {
            ip: address(pod).unwrap_or_default().to_owned(),
            hostname: hostname(pod, service),
            node_name: node_name(pod),
            target_ref: Some(target(pod)),
        };
        let ports = ports_of(service, pod);
        if ports.is_empty() && !is_headless(service) {
            continue;
        }
        let list = usize::from(!ready);
        match subsets.iter_mut().find(|(known, _)| *known == ports) {
            Some((_, lists)) => lists[list].push(address),
            None => {
                let mut lists = [Vec::new(), Vec::new()];
                lists[list].push(address);
                subsets.push((ports, lists));
            }
        }
    }
    let subsets: Vec<core::EndpointSubset> = subsets
        .into_iter()
        .map(|(ports, lists)| {
            let [ready, unready] = lists.map(|mut list| {
                list.sort_by_key(|address| bytes(&address.ip));
                (!list.is_empty()).then_some(list)
            });
            core::EndpointSubset {
                addresses: ready,
                not_ready_addresses: unready,
                ports: (!ports.is_empty()).then_some(ports),
            }
        })
        .collect();
    let subsets = (!subsets.is_empty()).then_some(subsets);
    let mut labels = service.metadata.labels.clone().unwrap_or_default();
    labels.remove(HEADLESS);
    if is_headless(service) {
        labels.insert(HEADLESS.to_owned(), String::new());
    }
    labels.insert(MANAGED_BY.0.to_owned(), MANAGED_BY.1.to_owned());
    write(w, service, subsets, labels, count > MAX_ADDRESSES, trigger)
}

fn write(
    w: &mut World,
    service: &core::Service,
    subsets: Option<Vec<core::EndpointSubset>>,
    labels: BTreeMap<String, String>,
    over: bool,
    trigger: Option<jiff::Timestamp>,
) -> Result<(), Status> {
    let key = Key::new(
        Kind::Endpoints,
        service.metadata.namespace.as_deref().unwrap_or_default(),
        service.metadata.name.as_deref().unwrap_or_default(),
    );
    let current = match w.get(&key).map(|stored| &stored.object) {
        Some(Object::Endpoints(endpoints)) => Some(endpoints.clone()),
        _ => None,
    };
    if let Some(current) = &current
        && current.subsets == subsets
        && current.metadata.labels.as_ref() == Some(&labels)
    {
        return Ok(());
    }
    let exists = current.is_some();
    let mut object = current.unwrap_or_else(|| core::Endpoints {
        metadata: ObjectMeta {
            name: service.metadata.name.clone(),
            namespace: service.metadata.namespace.clone(),
            ..Default::default()
        },
        subsets: None,
    });
    object.subsets = subsets;
    object.metadata.labels = Some(labels);
    annotate(&mut object.metadata.annotations, trigger);
    if over {
        object
            .metadata
            .annotations
            .get_or_insert_default()
            .insert(OVER_CAPACITY.to_owned(), "truncated".to_owned());
    } else if let Some(annotations) = &mut object.metadata.annotations {
        annotations.remove(OVER_CAPACITY);
    }
    if exists {
        w.update(object.into());
    } else {
        w.create(object.into())?;
    }
    Ok(())
}

fn ports_of(service: &core::Service, pod: &core::Pod) -> Vec<core::EndpointPort> {
    let ports = service.spec.as_ref().and_then(|spec| spec.ports.as_ref());
    ports
        .into_iter()
        .flatten()
        .filter_map(|port| {
            Some(core::EndpointPort {
                name: port.name.clone().filter(|name| !name.is_empty()),
                port: find_port(pod, port)?,
                protocol: Some(port.protocol.clone().unwrap_or_else(|| "TCP".to_owned())),
                app_protocol: port.app_protocol.clone(),
            })
        })
        .collect()
}

fn bytes(ip: &str) -> Vec<u8> {
    ip.split('.').filter_map(|part| part.parse().ok()).collect()
}
