//! Requests between containers: names, pod addresses, Services.

use std::sync::Arc;

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::event::{PodEvent, Reply};
use super::node::Kubelet;
use super::worker::Worker;
use crate::cluster::Event;
use crate::latency;
use crate::objects::{Kind, Object};
use crate::runtime::host::{NetError, Request};
use crate::world::World;

/// Where a connection leads.
enum Route {
    Pod { node: usize, uid: Arc<str>, port: u16 },
    Nowhere(NetError),
}

impl World {
    /// The addresses behind a name as a pod's resolver finds them: `localhost`, addresses, Services (`web`, `web.ns`,
    /// `web.ns.svc.cluster.local`), the pods of a headless Service.
    pub(crate) fn resolve(&self, name: &str, pod_uid: &str) -> Result<Vec<String>, NetError> {
        if name == "localhost" {
            return Ok(vec!["127.0.0.1".to_owned()]);
        }
        if name.parse::<std::net::IpAddr>().is_ok() {
            return Ok(vec![name.to_owned()]);
        }
        let unknown = || NetError::NoSuchHost(name.to_owned());
        let bare = name.trim_end_matches('.');
        let bare = bare.strip_suffix(".cluster.local").unwrap_or(bare);
        let bare = bare.strip_suffix(".svc").unwrap_or(bare);
        let own = self.pods().find(|pod| pod.metadata.uid.as_deref() == Some(pod_uid));
        let own_namespace = own
            .and_then(|pod| pod.metadata.namespace.as_deref())
            .unwrap_or("default");
        let (service, namespace) = bare.rsplit_once('.').unwrap_or((bare, own_namespace));
        let found = self
            .store
            .list(Kind::Service, Some(namespace))
            .find_map(|stored| match &stored.object {
                Object::Service(object) if object.metadata.name.as_deref() == Some(service) => Some(object),
                _ => None,
            });
        let spec = found.and_then(|service| service.spec.as_ref()).ok_or_else(unknown)?;
        match spec.cluster_ip.as_deref() {
            Some("None") => {
                let addresses: Vec<String> = self
                    .endpoints(spec, namespace)
                    .filter_map(|pod| pod.status.as_ref().and_then(|status| status.pod_ip.clone()))
                    .collect();
                if addresses.is_empty() {
                    Err(unknown())
                } else {
                    Ok(addresses)
                }
            }
            Some(address) if !address.is_empty() => Ok(vec![address.to_owned()]),
            _ => Err(unknown()),
        }
    }

    /// The ready pods behind a Service.
    fn endpoints<'a>(
        &'a self,
        spec: &'a core::ServiceSpec,
        namespace: &'a str,
    ) -> impl Iterator<Item = &'a core::Pod> + 'a {
        let ready = |pod: &core::Pod| {
            pod.status
                .iter()
                .flat_map(|status| status.conditions.iter().flatten())
                .any(|condition| condition.type_ == "Ready" && condition.status == "True")
        };
        let selects = |pod: &core::Pod| {
            spec.selector.as_ref().is_some_and(|selector| {
                !selector.is_empty()
                    && selector.iter().all(|(key, value)| {
                        pod.metadata.labels.as_ref().and_then(|labels| labels.get(key)) == Some(value)
                    })
            })
        };
        self.store
            .list(Kind::Pod, Some(namespace))
            .filter_map(|stored| stored.object.as_pod())
            .filter(move |pod| selects(pod) && ready(pod) && pod.metadata.deletion_timestamp.is_none())
    }

    fn route(&mut self, address: &str, port: u16) -> Route {
        if let Some(place) = self.pod_ips.get(address) {
            return Route::Pod {
                node: place.node,
                uid: place.pod_uid.as_str().into(),
                port,
            };
        }
        let refused = NetError::Refused {
            address: address.to_owned(),
            port,
        };
        let service = self
            .store
            .list(Kind::Service, None)
            .find_map(|stored| match &stored.object {
                Object::Service(service)
                    if service.spec.as_ref().and_then(|spec| spec.cluster_ip.as_deref()) == Some(address) =>
                {
                    Some(service.clone())
                }
                _ => None,
            });
        let Some(service) = service else {
            // An address of the pod network that nobody has any more; or one outside of the cluster.
            let nowhere = if address.starts_with("10.244.") {
                NetError::Unreachable
            } else {
                NetError::TimedOut
            };
            return Route::Nowhere(nowhere);
        };
        let Some(spec) = &service.spec else {
            return Route::Nowhere(refused);
        };
        let Some(service_port) = spec.ports.iter().flatten().find(|known| known.port == i32::from(port)) else {
            return Route::Nowhere(NetError::TimedOut);
        };
        let namespace = service.metadata.namespace.as_deref().unwrap_or_default();
        let targets: Vec<(String, u16)> = self
            .endpoints(spec, namespace)
            .filter_map(|pod| {
                let address = pod.status.as_ref()?.pod_ip.clone()?;
                Some((address, target_port(pod, service_port)?))
            })
            .collect();
        if targets.is_empty() {
            return Route::Nowhere(refused);
        }
        let chosen = self.rng.below(targets.len() as u64) as usize;
        let (address, port) = &targets[chosen];
        match self.pod_ips.get(address) {
            Some(place) => Route::Pod {
                node: place.node,
                uid: place.pod_uid.as_str().into(),
                port: *port,
            },
            None => Route::Nowhere(NetError::Unreachable),
        }
    }
}

fn target_port(pod: &core::Pod, port: &core::ServicePort) -> Option<u16> {
    match &port.target_port {
        None => u16::try_from(port.port).ok(),
        Some(target) => pod_port(pod.spec.as_ref()?.containers.iter(), target),
    }
}

/// The number of a port that a manifest gives by number or by name.
pub(super) fn pod_port<'a>(containers: impl Iterator<Item = &'a core::Container>, port: &IntOrString) -> Option<u16> {
    match port {
        IntOrString::Int(number) => u16::try_from(*number).ok(),
        IntOrString::String(name) => containers
            .flat_map(|container| container.ports.iter().flatten())
            .find(|known| known.name.as_deref() == Some(name))
            .and_then(|known| u16::try_from(known.container_port).ok()),
    }
}

impl Kubelet {
    /// Sends a request on its way from a container or hook of this pod.
    pub(super) fn send_request(
        &mut self,
        w: &mut World,
        worker: &mut Worker,
        address: &str,
        port: u16,
        request: Request,
        reply: Reply,
    ) {
        let own = worker.current_address(&self.ip);
        let route = if address == "127.0.0.1" || address == own {
            Route::Pod {
                node: self.node,
                uid: Arc::clone(&worker.uid),
                port,
            }
        } else {
            w.route(address, port)
        };
        match route {
            Route::Pod { node, uid, port } => {
                let causes = w.causes.clone();
                let event = PodEvent::Request { port, request, reply };
                w.after(
                    latency::NETWORK,
                    Event::Pod {
                        node,
                        uid,
                        event,
                        causes,
                    },
                );
            }
            Route::Nowhere(error) => self.reply(w, worker, reply, Err(error)),
        }
    }
}
