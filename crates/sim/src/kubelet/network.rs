//! Requests between containers: which way they take, and what becomes of those that nobody answers.

use std::sync::Arc;

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::event::{Connection, PodEvent, Reply};
use super::node::Kubelet;
use super::node_status::node_ip;
use super::worker::Worker;
use crate::cluster::Event;
use crate::latency;
use crate::network::proxy::{From, Way};
use crate::objects::is_terminal;
use crate::runtime::host::{NetError, Request};
use crate::time::SimDuration;
use crate::trace::RecordId;
use crate::world::World;

/// Where a connection leads.
enum Route {
    Pod {
        node: usize,
        uid: Arc<str>,
        port: u16,
        decision: Option<RecordId>,
    },
    Nowhere(NetError),
    /// Nobody answers: the first packet is sent again and again.
    Silence,
}

/// When the first packet of a connection is sent again, after how many seconds (Linux, `tcp_syn_retries` 6).
const RETRIES: &[u64] = &[1, 2, 4, 8, 16, 32, 64];

impl World {
    /// The pod of an address of the pod network.
    fn pod_at(&self, address: &str, port: u16, decision: Option<RecordId>) -> Option<Route> {
        self.pod_ips.get(address).map(|place| Route::Pod {
            node: place.node,
            uid: place.pod_uid.as_str().into(),
            port,
            decision,
        })
    }

    fn route(&mut self, from: From<'_>, address: &str, port: u16) -> Route {
        if let Some(route) = self.pod_at(address, port, None) {
            return route;
        }
        let host = (0..self.node_names.len()).find(|index| node_ip(*index) == address);
        let way = match host {
            Some(host) => self.node_port_way(from, host, port),
            None => self.service_way(from, address, port),
        };
        let refused = || NetError::Refused {
            address: address.to_owned(),
            port,
        };
        match way {
            Way::To(backend, target, decision) => {
                let host = (0..self.node_names.len()).find(|index| node_ip(*index) == backend);
                self.pod_at(&backend, target, Some(decision))
                    .or_else(|| self.on_node(host?, target))
                    .unwrap_or(Route::Nowhere(NetError::Unreachable))
            }
            Way::Refused => Route::Nowhere(refused()),
            Way::Dropped => Route::Silence,
            Way::NoRule => match host {
                Some(node) => self.on_node(node, port).unwrap_or_else(|| Route::Nowhere(refused())),
                // An address of the pod network that nobody has any more; or one outside of the cluster.
                None if address.starts_with("10.244.") => Route::Nowhere(NetError::Unreachable),
                None => Route::Silence,
            },
        }
    }

    /// Who has a port of a node's own address: a pod in the node's network, or a container with that `hostPort`.
    fn on_node(&mut self, node: usize, port: u16) -> Option<Route> {
        let name = self.node_names.get(node)?;
        let own = i32::from(port);
        self.store.pods_on(name).find_map(|stored| {
            let pod = stored.object.as_pod().filter(|pod| !is_terminal(pod))?;
            let spec = pod.spec.as_ref()?;
            let mut ports = spec
                .containers
                .iter()
                .flat_map(|container| container.ports.iter().flatten());
            let target = if spec.host_network == Some(true) {
                ports.any(|known| known.container_port == own).then_some(port)
            } else {
                ports
                    .find(|known| known.host_port == Some(own))
                    .and_then(|known| u16::try_from(known.container_port).ok())
            };
            Some(Route::Pod {
                node,
                uid: pod.metadata.uid.as_deref()?.into(),
                port: target?,
                decision: None,
            })
        })
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
        let address = address.to_owned();
        let connection = Connection {
            address,
            port,
            request,
            reply,
            attempt: 0,
        };
        self.connect(w, worker, connection);
    }

    /// Sends the first packet of a connection, the first time or again.
    pub(super) fn connect(&mut self, w: &mut World, worker: &mut Worker, connection: Connection) {
        let Connection {
            address,
            port,
            request,
            reply,
            attempt,
        } = connection;
        let own = worker.current_address(&self.ip);
        let route = if address == "127.0.0.1" || address == own {
            Route::Pod {
                node: self.node,
                uid: Arc::clone(&worker.uid),
                port,
                decision: None,
            }
        } else {
            let from = From {
                node: self.node,
                address: &own,
            };
            w.route(from, &address, port)
        };
        match route {
            Route::Pod {
                node,
                uid,
                port,
                decision,
            } => {
                let causes = decision.map_or_else(|| w.causes.clone(), |decision| vec![decision]);
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
            Route::Silence => match RETRIES.get(attempt) {
                Some(seconds) => {
                    let again = Connection {
                        address,
                        port,
                        request,
                        reply,
                        attempt: attempt + 1,
                    };
                    let at = w.now + SimDuration::from_secs(*seconds);
                    self.plan(w, at, worker, PodEvent::Connect(Box::new(again)));
                }
                None => self.reply(w, worker, reply, Err(NetError::TimedOut)),
            },
        }
    }
}
