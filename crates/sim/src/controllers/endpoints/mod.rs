//! What is behind a Service: the EndpointSlice controller (`pkg/controller/endpointslice`) and the older Endpoints controller
//! (`pkg/controller/endpoint`), which 1.36 still runs beside it.
//!
//! Both look at the same pods for the same reasons; they differ in what they write.

mod legacy;
mod slices;
mod trigger;

use crate::core;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::pods::is_ready;
use super::workqueue::{Outcome, Reconciler, WorkQueue};
use crate::objects::{Key, Kind, Object, is_terminal};
use crate::resources::is_sidecar;
use crate::time::SimDuration;
use crate::trace::{Change, RecordId};
use crate::world::{Controller, World};

pub(crate) use slices::service_of;
use trigger::Triggers;

/// First wait of a Service whose endpoints could not be written (`defaultSyncBackOff`).
const BASE_DELAY: SimDuration = SimDuration::from_secs(1);
/// Longest such wait (`maxSyncBackOff`).
const MAX_DELAY: SimDuration = SimDuration::from_secs(1000);
/// When what is behind a Service changed last, in both kinds of object.
pub(super) const TRIGGER_TIME: &str = "endpoints.kubernetes.io/last-change-trigger-time";
/// The label of what is behind a Service without an address of its own.
pub(super) const HEADLESS: &str = "service.kubernetes.io/headless";

/// Either of the two controllers.
#[derive(Clone)]
pub struct ServiceEndpoints {
    kind: Kind,
    pub(super) queue: WorkQueue,
    /// The names of the pods that each Service selects.
    members: BTreeMap<Key, BTreeSet<Arc<str>>>,
    /// What was seen last of the pods that any Service selects.
    seen: BTreeMap<Key, Seen>,
    triggers: Triggers,
}

/// What of a pod a Service's endpoints depend on (`podEndpointsChanged`).
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    labels: Option<BTreeMap<String, String>>,
    ip: Option<String>,
    node: Option<String>,
    hostname: Option<String>,
    subdomain: Option<String>,
    ready: bool,
    terminating: bool,
    ended: bool,
}

impl Seen {
    fn of(pod: &core::Pod) -> Self {
        let spec = pod.spec.as_ref();
        Self {
            labels: pod.metadata.labels.clone(),
            ip: address(pod).map(str::to_owned),
            node: spec.and_then(|spec| spec.node_name.clone()),
            hostname: spec.and_then(|spec| spec.hostname.clone()),
            subdomain: spec.and_then(|spec| spec.subdomain.clone()),
            ready: is_ready(pod),
            terminating: pod.metadata.deletion_timestamp.is_some(),
            ended: is_terminal(pod),
        }
    }
}

impl Reconciler for ServiceEndpoints {
    fn queue(&mut self) -> &mut WorkQueue {
        &mut self.queue
    }

    fn reconcile(&mut self, w: &mut World, key: &Key) -> Outcome {
        self.sync(w, key).into()
    }
}

impl ServiceEndpoints {
    /// The controller that writes EndpointSlices.
    pub fn slices() -> Self {
        Self::new(Controller::EndpointSlice, Kind::EndpointSlice)
    }

    /// The controller that writes Endpoints.
    pub fn legacy() -> Self {
        Self::new(Controller::Endpoints, Kind::Endpoints)
    }

    fn new(controller: Controller, kind: Kind) -> Self {
        Self {
            kind,
            queue: WorkQueue::with_delays(controller, BASE_DELAY, MAX_DELAY),
            members: BTreeMap::new(),
            seen: BTreeMap::new(),
            triggers: Triggers::default(),
        }
    }

    /// Adds the Services that a change is about.
    pub(crate) fn on_notify(&mut self, w: &mut World, key: &Key, record: RecordId) {
        match key.kind {
            Kind::Service => {
                self.list_members(w, key);
                self.queue.add(w, key.clone());
            }
            Kind::Pod => {
                for service in self.services_of(w, key) {
                    self.queue.add(w, service);
                }
            }
            _ => self.on_output(w, key, record),
        }
    }

    /// What this controller writes has been changed by another hand.
    fn on_output(&mut self, w: &mut World, key: &Key, record: RecordId) {
        let Some(written) = w.written(record).map(|write| &write.stored) else {
            return;
        };
        if written.writer == w.actor || key.kind != self.kind {
            return;
        }
        let service = match &written.object {
            Object::EndpointSlice(slice) if slices::is_managed(slice) => service_of(slice),
            Object::Endpoints(endpoints) => endpoints.metadata.name.clone(),
            _ => None,
        };
        if let Some(name) = service {
            self.queue.add(w, Key::new(Kind::Service, &key.namespace, &name));
        }
    }

    fn sync(&mut self, w: &mut World, key: &Key) -> Result<(), crate::request::Status> {
        let Some(Object::Service(service)) = w.get(key).map(|stored| stored.object.clone()) else {
            self.triggers.forget(key);
            self.members.remove(key);
            if self.kind == Kind::Endpoints {
                legacy::remove(w, key);
            }
            return Ok(());
        };
        if selector(&service).is_none() {
            return Ok(());
        }
        let keys: Vec<Key> = self
            .members
            .get(key)
            .into_iter()
            .flatten()
            .map(|name| Key::new(Kind::Pod, &key.namespace, name))
            .collect();
        let stored: Vec<_> = keys.iter().filter_map(|key| w.get(key).cloned()).collect();
        let pods: Vec<&core::Pod> = stored.iter().filter_map(|stored| stored.object.as_pod()).collect();
        let trigger = self.triggers.changed_at(key, &service, &pods);
        match self.kind {
            Kind::Endpoints => legacy::reconcile(w, &service, &pods, trigger),
            _ => slices::reconcile(w, &service, &pods, trigger),
        }
    }

    /// A new or changed Service: the pods that it selects now.
    fn list_members(&mut self, w: &World, key: &Key) {
        let Some(Object::Service(service)) = w.get(key).map(|stored| &stored.object) else {
            return;
        };
        let Some(selector) = selector(service) else {
            self.members.remove(key);
            return;
        };
        let selected = w
            .store
            .list(Kind::Pod, Some(&key.namespace))
            .filter_map(|stored| stored.object.as_pod())
            .filter(|pod| matches(selector, pod));
        let mut names = BTreeSet::new();
        for pod in selected {
            let name = pod.metadata.name.as_deref().unwrap_or_default();
            names.insert(Arc::from(name));
            self.seen
                .insert(Key::new(Kind::Pod, &key.namespace, name), Seen::of(pod));
        }
        self.members.insert(key.clone(), names);
    }

    /// The Services that a changed pod is behind, or was (`GetServicesToUpdateOnPodChange`).
    fn services_of(&mut self, w: &World, key: &Key) -> Vec<Key> {
        let pod = w.get(key).and_then(|stored| stored.object.as_pod());
        let now = pod.map(Seen::of);
        if now.is_some() && self.seen.get(key) == now.as_ref() {
            return Vec::new();
        }
        let mut found = Vec::new();
        let mut selected = false;
        for stored in w.store.list(Kind::Service, Some(&key.namespace)) {
            let Object::Service(service) = &stored.object else {
                continue;
            };
            let Some(selector) = selector(service) else { continue };
            let members = self.members.entry(stored.object.key()).or_default();
            let matched = pod.is_some_and(|pod| matches(selector, pod));
            let changed = if matched {
                members.insert(Arc::clone(&key.name));
                true
            } else {
                members.remove(&key.name)
            };
            selected |= matched;
            if changed {
                found.push(stored.object.key());
            }
        }
        match now {
            Some(now) if selected => {
                self.seen.insert(key.clone(), now);
            }
            _ => {
                self.seen.remove(key);
            }
        }
        found
    }
}

/// Whether a write to what the controllers watch may concern them.
pub(super) fn watches(object: &Object, change: Change) -> bool {
    match object {
        Object::Pod(pod) => pod.metadata.labels.is_some(),
        Object::Service(_) => true,
        Object::EndpointSlice(_) | Object::Endpoints(_) => change != Change::Added,
        _ => false,
    }
}

/// The selector of a Service that controllers fill with endpoints.
fn selector(service: &core::Service) -> Option<&BTreeMap<String, String>> {
    let spec = service.spec.as_ref()?;
    if spec.type_.as_deref() == Some("ExternalName") {
        return None;
    }
    spec.selector.as_ref().filter(|selector| !selector.is_empty())
}

fn matches(selector: &BTreeMap<String, String>, pod: &core::Pod) -> bool {
    let labels = pod.metadata.labels.as_ref();
    selector
        .iter()
        .all(|(key, value)| labels.and_then(|labels| labels.get(key)) == Some(value))
}

/// The pod's address.
fn address(pod: &core::Pod) -> Option<&str> {
    pod.status.as_ref()?.pod_ip.as_deref().filter(|ip| !ip.is_empty())
}

/// Whether a pod is behind the Services that select it (`ShouldPodBeInEndpoints`).
fn belongs(pod: &core::Pod, with_terminating: bool) -> bool {
    !is_terminal(pod) && address(pod).is_some() && (with_terminating || pod.metadata.deletion_timestamp.is_none())
}

/// A Service that lets clients find its pods by name and has no address of its own.
fn is_headless(service: &core::Service) -> bool {
    let ip = service.spec.as_ref().and_then(|spec| spec.cluster_ip.as_deref());
    matches!(ip, None | Some("" | "None"))
}

fn publishes_unready(service: &core::Service) -> bool {
    service
        .spec
        .as_ref()
        .is_some_and(|spec| spec.publish_not_ready_addresses == Some(true))
}

/// The name that a pod has below the name of its Service (`ShouldSetHostname`).
fn hostname(pod: &core::Pod, service: &core::Service) -> Option<String> {
    let spec = pod.spec.as_ref()?;
    let own = spec.hostname.as_deref().filter(|name| !name.is_empty())?;
    (spec.subdomain == service.metadata.name && pod.metadata.namespace == service.metadata.namespace)
        .then(|| own.to_owned())
}

/// The number of a Service's port in a pod: a target that is a name is looked up there (`podutil.FindPort`).
fn find_port(pod: &core::Pod, port: &core::ServicePort) -> Option<i32> {
    match &port.target_port {
        None => Some(port.port),
        Some(IntOrString::Int(0)) => Some(port.port),
        Some(IntOrString::Int(number)) => Some(*number),
        Some(IntOrString::String(name)) => {
            let spec = pod.spec.as_ref()?;
            let sidecars = spec
                .init_containers
                .iter()
                .flatten()
                .filter(|container| is_sidecar(container));
            let protocol = |text: &Option<String>| text.clone().unwrap_or_else(|| "TCP".to_owned());
            spec.containers
                .iter()
                .chain(sidecars)
                .flat_map(|container| container.ports.iter().flatten())
                .find(|known| {
                    known.name.as_deref() == Some(name) && protocol(&known.protocol) == protocol(&port.protocol)
                })
                .map(|known| known.container_port)
        }
    }
}

fn target(pod: &core::Pod) -> core::ObjectReference {
    core::ObjectReference {
        kind: Some("Pod".to_owned()),
        namespace: pod.metadata.namespace.clone(),
        name: pod.metadata.name.clone(),
        uid: pod.metadata.uid.clone(),
        ..Default::default()
    }
}

fn node_name(pod: &core::Pod) -> Option<String> {
    pod.spec.as_ref().and_then(|spec| spec.node_name.clone())
}

/// Writes the annotation that says when the change happened, or takes it off.
fn annotate(annotations: &mut Option<BTreeMap<String, String>>, trigger: Option<jiff::Timestamp>) {
    match trigger {
        Some(at) => {
            annotations
                .get_or_insert_default()
                .insert(TRIGGER_TIME.to_owned(), at.to_string());
        }
        None => {
            if let Some(map) = annotations {
                map.remove(TRIGGER_TIME);
                if map.is_empty() {
                    *annotations = None;
                }
            }
        }
    }
}
