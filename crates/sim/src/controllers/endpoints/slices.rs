//! EndpointSlices: as few changes as lead from the slices that are there to those that should be
//! (`k8s.io/endpointslice/reconciler.go`).

use crate::core;
use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::discovery::v1 as discovery;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{
    HEADLESS, address, annotate, belongs, find_port, hostname, is_headless, node_name, publishes_unready, target,
};
use crate::controllers::pods::is_ready;
use crate::objects::{Kind, Object, controller_reference};
use crate::registry::DeleteOptions;
use crate::request::Status;
use crate::world::World;

/// Endpoints that one slice holds at most (`--max-endpoints-per-slice`).
const MAX_ENDPOINTS: usize = 100;
/// The label with the name of the Service.
pub(crate) const SERVICE_NAME: &str = "kubernetes.io/service-name";
/// The label with the name of who looks after a slice.
const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
/// This controller.
const MANAGER: &str = "endpointslice-controller.k8s.io";

type Ports = Vec<discovery::EndpointPort>;

/// Whether the controller looks after a slice.
pub(super) fn is_managed(slice: &discovery::EndpointSlice) -> bool {
    let labels = slice.metadata.labels.as_ref();
    labels.and_then(|labels| labels.get(MANAGED_BY)).map(String::as_str) == Some(MANAGER)
}

/// The Service of a slice.
pub(crate) fn service_of(slice: &discovery::EndpointSlice) -> Option<String> {
    slice.metadata.labels.as_ref()?.get(SERVICE_NAME).cloned()
}

/// Writes what is behind a Service: slices are changed where something in them changes, new endpoints go where there is
/// room, and a Service with nothing behind it has one empty slice.
pub(super) fn reconcile(
    w: &mut World,
    service: &core::Service,
    pods: &[&core::Pod],
    trigger: Option<jiff::Timestamp>,
) -> Result<(), Status> {
    let mut desired: Vec<(Ports, Vec<discovery::Endpoint>)> = Vec::new();
    for pod in pods.iter().filter(|pod| belongs(pod, true)) {
        let ports = ports_of(service, pod);
        let endpoint = endpoint(w, service, pod);
        match desired.iter_mut().find(|(known, _)| *known == ports) {
            Some((_, list)) => list.push(endpoint),
            None => desired.push((ports, vec![endpoint])),
        }
    }
    add_hints(service, &mut desired);
    let mut existing: Vec<discovery::EndpointSlice> = w
        .store
        .list(Kind::EndpointSlice, service.metadata.namespace.as_deref())
        .filter_map(|stored| match &stored.object {
            Object::EndpointSlice(slice)
                if is_managed(slice)
                    && service_of(slice) == service.metadata.name
                    && slice.metadata.deletion_timestamp.is_none() =>
            {
                Some(slice.clone())
            }
            _ => None,
        })
        .collect();
    let mut plan = Plan::default();
    for (ports, endpoints) in desired {
        let (same, others) = existing
            .into_iter()
            .partition(|slice| slice.ports.as_deref().unwrap_or_default() == ports && slice.ports.is_some());
        existing = others;
        plan.fill(service, same, ports, endpoints);
    }
    // What is left has ports that no pod has: it goes, or becomes one of the new slices.
    plan.delete.extend(existing);
    if plan.create.is_empty() && plan.update.is_empty() && plan.keep.is_empty() {
        // Something must show that the Service has nothing behind it.
        match plan.delete.iter().position(is_placeholder) {
            Some(at) => {
                let kept = plan.delete.remove(at);
                plan.relabel(service, kept);
            }
            None => plan.create.push(new_slice(service, None, None)),
        }
    }
    plan.recycle();
    plan.carry_out(w, trigger)
}

fn is_placeholder(slice: &discovery::EndpointSlice) -> bool {
    slice.endpoints.as_ref().is_none_or(Vec::is_empty) && slice.ports.as_ref().is_none_or(Vec::is_empty)
}

/// `getEndpointPorts`
fn ports_of(service: &core::Service, pod: &core::Pod) -> Ports {
    let ports = service.spec.as_ref().and_then(|spec| spec.ports.as_ref());
    ports
        .into_iter()
        .flatten()
        .filter_map(|port| {
            Some(discovery::EndpointPort {
                name: Some(port.name.clone().unwrap_or_default()),
                port: Some(find_port(pod, port)?),
                protocol: Some(port.protocol.clone().unwrap_or_else(|| "TCP".to_owned())),
                app_protocol: port.app_protocol.clone(),
            })
        })
        .collect()
}

/// `podToEndpoint`
fn endpoint(w: &World, service: &core::Service, pod: &core::Pod) -> discovery::Endpoint {
    let serving = is_ready(pod);
    let terminating = pod.metadata.deletion_timestamp.is_some();
    let node = node_name(pod);
    let zone = node.as_deref().and_then(|node| w.node(node)).and_then(|node| {
        node.metadata
            .labels
            .as_ref()?
            .get("topology.kubernetes.io/zone")
            .cloned()
    });
    discovery::Endpoint {
        addresses: vec![address(pod).unwrap_or_default().to_owned()],
        conditions: Some(discovery::EndpointConditions {
            ready: Some(publishes_unready(service) || serving && !terminating),
            serving: Some(serving),
            terminating: Some(terminating),
        }),
        hostname: hostname(pod, service),
        node_name: node,
        target_ref: Some(target(pod)),
        zone,
        ..Default::default()
    }
}

/// `trafficDistribution`: each ready endpoint is for its own zone, or its own node (`trafficdist.ReconcileHints`).
fn add_hints(service: &core::Service, desired: &mut [(Ports, Vec<discovery::Endpoint>)]) {
    let wanted = service
        .spec
        .as_ref()
        .and_then(|spec| spec.traffic_distribution.as_deref());
    let by_node = wanted == Some("PreferSameNode");
    if !by_node && !matches!(wanted, Some("PreferClose" | "PreferSameZone")) {
        return;
    }
    for endpoint in desired.iter_mut().flat_map(|(_, endpoints)| endpoints) {
        let ready = endpoint.conditions.as_ref().and_then(|conditions| conditions.ready);
        let (Some(true), Some(zone)) = (ready, endpoint.zone.clone()) else {
            if let (true, Some(true), Some(name)) = (by_node, ready, endpoint.node_name.clone()) {
                endpoint.hints = Some(discovery::EndpointHints {
                    for_nodes: Some(vec![discovery::ForNode { name }]),
                    for_zones: None,
                });
            }
            continue;
        };
        let node = endpoint.node_name.clone().filter(|_| by_node);
        endpoint.hints = Some(discovery::EndpointHints {
            for_nodes: node.map(|name| vec![discovery::ForNode { name }]),
            for_zones: Some(vec![discovery::ForZone { name: zone }]),
        });
    }
}

/// An empty slice of a Service, without a name yet.
fn new_slice(
    service: &core::Service,
    endpoints: Option<Vec<discovery::Endpoint>>,
    ports: Option<Ports>,
) -> discovery::EndpointSlice {
    let name = service.metadata.name.clone().unwrap_or_default();
    let owner = controller_reference(&Object::from(service.clone()));
    discovery::EndpointSlice {
        metadata: ObjectMeta {
            generate_name: Some(format!("{name}-")),
            namespace: service.metadata.namespace.clone(),
            labels: Some(labels(service)),
            owner_references: Some(vec![owner]),
            ..Default::default()
        },
        address_type: "IPv4".to_owned(),
        endpoints,
        ports,
    }
}

/// The labels of a slice: those of its Service and the controller's own (`setEndpointSliceLabels`).
fn labels(service: &core::Service) -> BTreeMap<String, String> {
    let own = |key: &str| key == SERVICE_NAME || key == MANAGED_BY || key == HEADLESS;
    let mut labels: BTreeMap<String, String> = service
        .metadata
        .labels
        .iter()
        .flatten()
        .filter(|(key, _)| !own(key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    labels.insert(
        SERVICE_NAME.to_owned(),
        service.metadata.name.clone().unwrap_or_default(),
    );
    labels.insert(MANAGED_BY.to_owned(), MANAGER.to_owned());
    if is_headless(service) {
        labels.insert(HEADLESS.to_owned(), String::new());
    }
    labels
}

/// What is to be written.
#[derive(Default)]
struct Plan {
    create: Vec<discovery::EndpointSlice>,
    update: Vec<discovery::EndpointSlice>,
    keep: Vec<discovery::EndpointSlice>,
    delete: Vec<discovery::EndpointSlice>,
}

impl Plan {
    /// `reconcileByPortMapping`: endpoints stay where they are; new ones go into slices that change anyway, then into the
    /// fullest slice that has room, then into new slices.
    fn fill(
        &mut self,
        service: &core::Service,
        slices: Vec<discovery::EndpointSlice>,
        ports: Ports,
        desired: Vec<discovery::Endpoint>,
    ) {
        let mut missing: Vec<Option<discovery::Endpoint>> = desired.into_iter().map(Some).collect();
        let mut changed = Vec::new();
        let mut same = Vec::new();
        for mut slice in slices {
            let mut differs = false;
            let mut kept = Vec::new();
            for endpoint in slice.endpoints.take().into_iter().flatten() {
                let wanted = missing
                    .iter_mut()
                    .find(|wanted| wanted.as_ref().is_some_and(|wanted| is_same(wanted, &endpoint)));
                match wanted.and_then(Option::take) {
                    Some(wanted) => {
                        differs |= wanted != endpoint;
                        kept.push(wanted);
                    }
                    None => differs = true,
                }
            }
            let wanted = labels(service);
            if slice.metadata.labels.as_ref() != Some(&wanted) {
                slice.metadata.labels = Some(wanted);
                differs = true;
            }
            let emptied = kept.is_empty();
            slice.endpoints = Some(kept);
            if emptied && differs {
                self.delete.push(slice);
            } else if differs {
                changed.push(slice);
            } else {
                same.push(slice);
            }
        }
        let mut left: Vec<discovery::Endpoint> = missing.into_iter().flatten().collect();
        let room = |slice: &discovery::EndpointSlice| {
            MAX_ENDPOINTS.saturating_sub(slice.endpoints.as_ref().map_or(0, Vec::len))
        };
        let fill = |slice: &mut discovery::EndpointSlice, left: &mut Vec<discovery::Endpoint>| {
            let count = room(slice).min(left.len());
            slice.endpoints.get_or_insert_default().extend(left.drain(..count));
        };
        changed.sort_by_key(&room);
        for slice in &mut changed {
            fill(slice, &mut left);
        }
        // A slice is only touched for the rest when all of the rest fits.
        if !left.is_empty() && left.len() < MAX_ENDPOINTS {
            let fitting = (0..same.len())
                .filter(|at| room(&same[*at]) >= left.len())
                .min_by_key(|at| room(&same[*at]));
            if let Some(at) = fitting {
                let mut slice = same.remove(at);
                fill(&mut slice, &mut left);
                changed.push(slice);
            }
        }
        while !left.is_empty() {
            let mut slice = new_slice(service, None, Some(ports.clone()));
            fill(&mut slice, &mut left);
            self.create.push(slice);
        }
        self.update.append(&mut changed);
        self.keep.append(&mut same);
    }

    /// A slice that stays as it is but for its labels.
    fn relabel(&mut self, service: &core::Service, mut slice: discovery::EndpointSlice) {
        let wanted = labels(service);
        if slice.metadata.labels.as_ref() == Some(&wanted) {
            self.keep.push(slice);
        } else {
            slice.metadata.labels = Some(wanted);
            self.update.push(slice);
        }
    }

    /// A slice that would go takes the place of one that would come (`finalize`).
    fn recycle(&mut self) {
        while !self.create.is_empty() && !self.delete.is_empty() {
            let new = self.create.remove(0);
            let mut old = self.delete.remove(0);
            old.metadata.labels = new.metadata.labels;
            old.metadata.owner_references = new.metadata.owner_references;
            old.endpoints = new.endpoints;
            old.ports = new.ports;
            self.update.push(old);
        }
    }

    fn carry_out(self, w: &mut World, trigger: Option<jiff::Timestamp>) -> Result<(), Status> {
        for mut slice in self.create {
            annotate(&mut slice.metadata.annotations, trigger);
            w.create(slice.into())?;
        }
        for mut slice in self.update {
            annotate(&mut slice.metadata.annotations, trigger);
            w.update(slice.into());
        }
        for slice in self.delete {
            // Gone by another hand is gone.
            let _ = w.delete(&Arc::new(Object::from(slice)).key(), &DeleteOptions::default());
        }
        Ok(())
    }
}

/// Whether two endpoints are the same pod at the same address (`endpointHash`).
fn is_same(one: &discovery::Endpoint, other: &discovery::Endpoint) -> bool {
    let uid = |endpoint: &discovery::Endpoint| endpoint.target_ref.as_ref().and_then(|target| target.uid.clone());
    one.addresses == other.addresses && uid(one) == uid(other)
}
