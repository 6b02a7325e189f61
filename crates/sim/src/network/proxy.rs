//! kube-proxy: a Service's address leads to what its EndpointSlices say, a moment after they say it
//! (`pkg/proxy`, mode `iptables`).
//!
//! All nodes hear of the same changes and write the same rules, so there is one set of rules; a node that is cut off from
//! the API server keeps those that it had.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::discovery::v1 as discovery;

use crate::kubelet::node_status::node_ip;
use crate::latency;
use crate::objects::{Key, Kind, Object, reference_to};
use crate::store::Stored;
use crate::time::{SimDuration, SimTime};
use crate::trace::{Change, RecordId};
use crate::world::World;

/// Least time between two syncs of the rules (`iptables.minSyncPeriod` of its configuration).
const MIN_SYNC: SimDuration = SimDuration::from_secs(1);
/// How long a client stays with its pod when a Service does not say.
const AFFINITY_SECONDS: i32 = 10_800;

/// What a connection to a Service's address becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// It goes to that address and port; the decision that chose it.
    To(String, u16, RecordId),
    /// Nothing is behind the Service: the connection is refused (`REJECT`).
    Refused,
    /// The packets are dropped; nobody answers.
    Dropped,
    /// No rule is about that address and port.
    NoRule,
}

/// The rules as they are on the nodes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Proxy {
    rules: Arc<Rules>,
    /// Changes that are not in the rules yet, and when they will be.
    waiting: VecDeque<(SimTime, Change, Arc<Stored>)>,
    /// The last sync, done or planned.
    sync: Option<SimTime>,
    stopped: bool,
    /// The rules of nodes that do not hear of changes.
    cut_off: BTreeMap<usize, Arc<Rules>>,
    /// Where a client of a Service with affinity went last, and when.
    affinity: BTreeMap<Client, (String, SimTime)>,
}

/// A client as affinity knows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Client {
    node: usize,
    service: Key,
    port: i32,
    address: String,
}

#[derive(Clone, Debug, Default)]
struct Rules {
    services: BTreeMap<Key, Arc<Stored>>,
    slices: BTreeMap<Key, BTreeMap<Key, Arc<Stored>>>,
    by_address: BTreeMap<String, Key>,
    by_node_port: BTreeMap<u16, Key>,
}

impl Rules {
    fn apply(&mut self, change: Change, stored: &Arc<Stored>) {
        let key = stored.object.key();
        match &stored.object {
            Object::Service(service) => {
                if let Some(old) = self.services.remove(&key) {
                    self.index(&key, &old, false);
                }
                if change != Change::Deleted && service.spec.is_some() {
                    self.services.insert(key.clone(), Arc::clone(stored));
                    self.index(&key, stored, true);
                }
            }
            Object::EndpointSlice(slice) => {
                let Some(name) = crate::controllers::endpoints::service_of(slice) else {
                    return;
                };
                let service = Key::new(Kind::Service, &key.namespace, &name);
                let slices = self.slices.entry(service.clone()).or_default();
                if change == Change::Deleted {
                    slices.remove(&key);
                } else {
                    slices.insert(key, Arc::clone(stored));
                }
                if slices.is_empty() {
                    self.slices.remove(&service);
                }
            }
            _ => {}
        }
    }

    fn index(&mut self, key: &Key, stored: &Stored, present: bool) {
        let Object::Service(service) = &stored.object else {
            return;
        };
        let Some(spec) = &service.spec else { return };
        let own = spec.cluster_ip.iter().filter(|ip| !matches!(ip.as_str(), "" | "None"));
        for address in own.chain(spec.external_ips.iter().flatten()) {
            if present {
                self.by_address.insert(address.clone(), key.clone());
            } else {
                self.by_address.remove(address);
            }
        }
        for port in spec.ports.iter().flatten().filter_map(|port| port.node_port) {
            let Ok(port) = u16::try_from(port) else { continue };
            if present {
                self.by_node_port.insert(port, key.clone());
            } else {
                self.by_node_port.remove(&port);
            }
        }
    }
}

impl Proxy {
    /// A Service or an EndpointSlice was written: the rules will say so after the next sync.
    pub fn changed(&mut self, now: SimTime, change: Change, stored: &Arc<Stored>) {
        let heard = now + latency::WATCH;
        let sync = match self.sync {
            None => heard,
            Some(planned) if planned >= heard => planned,
            Some(last) => heard.max(last + MIN_SYNC),
        };
        self.sync = Some(sync);
        self.waiting
            .push_back((sync + latency::PROXY_SYNC, change, Arc::clone(stored)));
    }

    /// What has been written so far was known long ago.
    pub fn settle(&mut self) {
        for (_, change, stored) in std::mem::take(&mut self.waiting) {
            Arc::make_mut(&mut self.rules).apply(change, &stored);
        }
        self.sync = None;
    }

    /// Takes over what has been synced by now.
    fn catch_up(&mut self, now: SimTime) {
        while !self.stopped && self.waiting.front().is_some_and(|(at, _, _)| *at <= now) {
            if let Some((_, change, stored)) = self.waiting.pop_front() {
                Arc::make_mut(&mut self.rules).apply(change, &stored);
            }
        }
    }

    /// kube-proxy ends on all nodes, and the rules stay as they are; or it starts again and writes them anew.
    pub fn stop(&mut self, now: SimTime, on: bool) {
        self.catch_up(now);
        self.stopped = on;
        if !on {
            let synced = now + latency::PROXY_SYNC;
            self.sync = Some(now);
            for (at, _, _) in &mut self.waiting {
                *at = (*at).max(synced);
            }
        }
    }

    /// A node does not hear of changes any more, or hears of them again.
    pub fn cut_off(&mut self, now: SimTime, node: usize, on: bool) {
        self.catch_up(now);
        if on {
            self.cut_off.entry(node).or_insert_with(|| Arc::clone(&self.rules));
        } else {
            self.cut_off.remove(&node);
        }
    }
}

/// Where a connection comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct From<'a> {
    /// Index of the node whose rules it meets.
    pub node: usize,
    /// Its source address.
    pub address: &'a str,
}

/// One backend of a Service port.
#[derive(Clone, Debug)]
struct Backend {
    address: String,
    port: u16,
    ready: bool,
    serving: bool,
    terminating: bool,
    node: Option<String>,
    zones: Vec<String>,
    nodes: Vec<String>,
}

impl World {
    /// What the rules of a node make of a TCP connection to an address.
    pub(crate) fn service_way(&mut self, from: From<'_>, address: &str, port: u16) -> Way {
        let rules = self.rules_of(from.node);
        let Some(key) = rules.by_address.get(address).cloned() else {
            return Way::NoRule;
        };
        let Some((service, spec)) = service_of(&rules, &key) else {
            return Way::NoRule;
        };
        let external = spec.external_ips.iter().flatten().any(|ip| ip == address);
        let Some(service_port) = tcp_ports(spec).find(|known| known.port == i32::from(port)) else {
            // An address of the Service network that no rule knows with this port: nobody has it.
            return Way::Dropped;
        };
        let policy = if external {
            &spec.external_traffic_policy
        } else {
            &spec.internal_traffic_policy
        };
        let local = policy.as_deref() == Some("Local");
        self.choose(&rules, &key, (service, spec), service_port, from, local)
    }

    /// The same for a port of a node's own address (`nodePort`). What a pod sends to its own node's address takes the way
    /// of the cluster; another node sees it come from outside, from the address of the pod's node.
    pub(crate) fn node_port_way(&mut self, from: From<'_>, host: usize, port: u16) -> Way {
        let outside = node_ip(from.node);
        let local_pod = host == from.node;
        let from = if local_pod {
            from
        } else {
            From {
                node: host,
                address: &outside,
            }
        };
        let rules = self.rules_of(host);
        let Some(key) = rules.by_node_port.get(&port).cloned() else {
            return Way::NoRule;
        };
        let Some((service, spec)) = service_of(&rules, &key) else {
            return Way::NoRule;
        };
        let Some(service_port) = tcp_ports(spec).find(|known| known.node_port == Some(i32::from(port))) else {
            return Way::NoRule;
        };
        let local = !local_pod && spec.external_traffic_policy.as_deref() == Some("Local");
        self.choose(&rules, &key, (service, spec), service_port, from, local)
    }

    fn rules_of(&mut self, node: usize) -> Arc<Rules> {
        let now = self.now;
        self.proxy.catch_up(now);
        Arc::clone(self.proxy.cut_off.get(&node).unwrap_or(&self.proxy.rules))
    }

    /// `CategorizeEndpoints` and the rules made from it: ready backends, else those that end but still serve; at random,
    /// or the one that this client had before.
    fn choose(
        &mut self,
        rules: &Rules,
        key: &Key,
        (service, spec): (&core::Service, &core::ServiceSpec),
        port: &core::ServicePort,
        from: From<'_>,
        local: bool,
    ) -> Way {
        let node = self
            .node_names
            .get(from.node)
            .map(ToString::to_string)
            .unwrap_or_default();
        let all = backends(rules, key, port);
        let mut usable: Vec<&Backend> = all.iter().filter(|backend| backend.ready).collect();
        if usable.is_empty() {
            usable = all
                .iter()
                .filter(|backend| backend.serving && backend.terminating)
                .collect();
        }
        let anywhere = usable.len();
        if local {
            usable.retain(|backend| backend.node.as_deref() == Some(&node));
        } else {
            usable = self.near(usable, &node);
        }
        let rule = "pkg/proxy/iptables/proxier.go syncProxyRules";
        let reference = reference_to(Kind::Service, &service.metadata);
        let port_text = port.port.to_string();
        if usable.is_empty() {
            let (code, way) = if anywhere > 0 {
                ("service.no-local-endpoints", Way::Dropped)
            } else {
                ("service.no-endpoints", Way::Refused)
            };
            self.decide(
                reference,
                None,
                rule,
                code,
                &[("port", &port_text), ("known", &all.len().to_string())],
            );
            return way;
        }
        let sticky = spec.session_affinity.as_deref() == Some("ClientIP");
        let client = Client {
            node: from.node,
            service: key.clone(),
            port: port.port,
            address: from.address.to_owned(),
        };
        let before = sticky
            .then(|| self.proxy.affinity.get(&client).cloned())
            .flatten()
            .filter(|(_, at)| self.now.since(*at) < affinity_span(spec));
        let known = before.and_then(|(address, _)| usable.iter().position(|backend| backend.address == address));
        let (at, code) = match known {
            Some(at) => (at, "service.same-backend"),
            None => (
                usize::try_from(self.rng.below(usable.len() as u64)).unwrap_or(0),
                "service.backend",
            ),
        };
        let chosen = usable[at].clone();
        if sticky {
            self.proxy.affinity.insert(client, (chosen.address.clone(), self.now));
        }
        let decision = self.decide(
            reference,
            None,
            rule,
            code,
            &[
                ("port", &port_text),
                ("backend", &format!("{}:{}", chosen.address, chosen.port)),
                ("backends", &usable.len().to_string()),
            ],
        );
        Way::To(chosen.address, chosen.port, decision)
    }

    /// Backends that are meant for this node or its zone, if every backend says for whom it is
    /// (`topologyModeFromHints`).
    fn near<'a>(&self, backends: Vec<&'a Backend>, node: &str) -> Vec<&'a Backend> {
        let own: Vec<&Backend> = backends
            .iter()
            .filter(|backend| backend.nodes.iter().any(|name| name == node))
            .copied()
            .collect();
        if !own.is_empty() && backends.iter().all(|backend| !backend.nodes.is_empty()) {
            return own;
        }
        let zone = self.node(node).and_then(|node| {
            node.metadata
                .labels
                .as_ref()?
                .get("topology.kubernetes.io/zone")
                .cloned()
        });
        let Some(zone) = zone else { return backends };
        let hinted = backends.iter().all(|backend| !backend.zones.is_empty());
        let own: Vec<&Backend> = backends
            .iter()
            .filter(|backend| backend.zones.contains(&zone))
            .copied()
            .collect();
        if hinted && !own.is_empty() { own } else { backends }
    }
}

fn affinity_span(spec: &core::ServiceSpec) -> SimDuration {
    let seconds = spec
        .session_affinity_config
        .as_ref()
        .and_then(|config| config.client_ip.as_ref()?.timeout_seconds)
        .unwrap_or(AFFINITY_SECONDS);
    SimDuration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

fn service_of<'a>(rules: &'a Rules, key: &Key) -> Option<(&'a core::Service, &'a core::ServiceSpec)> {
    match &rules.services.get(key)?.object {
        Object::Service(service) => service.spec.as_ref().map(|spec| (service, spec)),
        _ => None,
    }
}

fn tcp_ports(spec: &core::ServiceSpec) -> impl Iterator<Item = &core::ServicePort> {
    let tcp = |port: &&core::ServicePort| matches!(port.protocol.as_deref(), None | Some("TCP" | ""));
    spec.ports.iter().flatten().filter(tcp)
}

/// What the slices know behind a port, by the port's name.
fn backends(rules: &Rules, key: &Key, port: &core::ServicePort) -> Vec<Backend> {
    let wanted = port.name.as_deref().unwrap_or_default();
    let mut found: Vec<Backend> = Vec::new();
    let slices = rules.slices.get(key).into_iter().flat_map(BTreeMap::values);
    for slice in slices.filter_map(|stored| match &stored.object {
        Object::EndpointSlice(slice) => Some(slice),
        _ => None,
    }) {
        let number = slice.ports.iter().flatten().find_map(|known| {
            (known.name.as_deref().unwrap_or_default() == wanted)
                .then(|| u16::try_from(known.port?).ok())
                .flatten()
        });
        let Some(number) = number else { continue };
        for endpoint in slice.endpoints.iter().flatten() {
            let Some(address) = endpoint.addresses.first() else {
                continue;
            };
            if !found
                .iter()
                .any(|backend| backend.address == *address && backend.port == number)
            {
                found.push(backend(endpoint, address, number));
            }
        }
    }
    found
}

fn backend(endpoint: &discovery::Endpoint, address: &str, port: u16) -> Backend {
    let conditions = endpoint.conditions.clone().unwrap_or_default();
    // What a slice does not say: ready, serving as ready, not terminating.
    let ready = conditions.ready.unwrap_or(true);
    let hints = endpoint.hints.clone().unwrap_or_default();
    Backend {
        address: address.to_owned(),
        port,
        ready,
        serving: conditions.serving.unwrap_or(ready),
        terminating: conditions.terminating.unwrap_or(false),
        node: endpoint.node_name.clone(),
        zones: hints.for_zones.into_iter().flatten().map(|zone| zone.name).collect(),
        nodes: hints.for_nodes.into_iter().flatten().map(|node| node.name).collect(),
    }
}
