//! Names: what a pod's resolver asks (`/etc/resolv.conf`, `pkg/kubelet/network/dns`) and what the cluster's DNS answers
//! (the Kubernetes plugin of CoreDNS, and the specification of DNS-based service discovery).

use crate::controllers::endpoints::service_of;
use crate::core;
use crate::objects::{Key, Kind, Object};
use crate::runtime::host::{Lookup, NetError};
use crate::world::World;

/// The cluster's domain.
const DOMAIN: &str = "cluster.local";
/// The address of the cluster's DNS Service.
pub(crate) const SERVER: &str = "10.96.0.10";
/// A name server outside of the cluster, that of the nodes.
const NODE_SERVER: &str = "192.168.0.1";
/// Aliases that one name may go through.
const MAX_ALIASES: usize = 8;

/// How a pod's resolver asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resolver {
    /// Addresses of name servers.
    pub servers: Vec<String>,
    /// What is put behind a name that is not complete.
    pub search: Vec<String>,
    /// `ndots:5` and the like, in order.
    pub options: Vec<(String, Option<String>)>,
}

impl Resolver {
    /// The resolver of a pod (`Configurer.GetPodDNS`).
    pub fn of(pod: &core::Pod) -> Self {
        let spec = pod.spec.as_ref();
        let namespace = pod.metadata.namespace.as_deref().unwrap_or("default");
        let policy = spec
            .and_then(|spec| spec.dns_policy.as_deref())
            .unwrap_or("ClusterFirst");
        let host_network = spec.is_some_and(|spec| spec.host_network == Some(true));
        let mut own = match policy {
            "None" => Self {
                servers: Vec::new(),
                search: Vec::new(),
                options: Vec::new(),
            },
            "ClusterFirstWithHostNet" => Self::of_cluster(namespace),
            "ClusterFirst" if !host_network => Self::of_cluster(namespace),
            _ => Self {
                servers: vec![NODE_SERVER.to_owned()],
                search: Vec::new(),
                options: Vec::new(),
            },
        };
        let Some(config) = spec.and_then(|spec| spec.dns_config.as_ref()) else {
            return own;
        };
        let add = |list: &mut Vec<String>, more: &Option<Vec<String>>| {
            for text in more.iter().flatten() {
                if !list.contains(text) {
                    list.push(text.clone());
                }
            }
        };
        add(&mut own.servers, &config.nameservers);
        add(&mut own.search, &config.searches);
        for option in config.options.iter().flatten() {
            let name = option.name.clone().unwrap_or_default();
            match own.options.iter_mut().find(|(known, _)| *known == name) {
                Some((_, value)) => value.clone_from(&option.value),
                None => own.options.push((name, option.value.clone())),
            }
        }
        own
    }

    fn of_cluster(namespace: &str) -> Self {
        Self {
            servers: vec![SERVER.to_owned()],
            search: vec![
                format!("{namespace}.svc.{DOMAIN}"),
                format!("svc.{DOMAIN}"),
                DOMAIN.to_owned(),
            ],
            options: vec![("ndots".to_owned(), Some("5".to_owned()))],
        }
    }

    /// The text of `/etc/resolv.conf`.
    #[allow(
        dead_code,
        reason = "the kubelet writes it into containers that have files of the node's"
    )]
    pub fn file(&self) -> String {
        let mut text = String::new();
        if !self.search.is_empty() {
            text.push_str(&format!("search {}\n", self.search.join(" ")));
        }
        for server in &self.servers {
            text.push_str(&format!("nameserver {server}\n"));
        }
        let options: Vec<String> = self
            .options
            .iter()
            .map(|(name, value)| value.as_ref().map_or(name.clone(), |value| format!("{name}:{value}")))
            .collect();
        if !options.is_empty() {
            text.push_str(&format!("options {}\n", options.join(" ")));
        }
        text
    }

    /// Whether its first server is the cluster's.
    fn knows_cluster(&self) -> bool {
        self.servers.first().is_some_and(|server| server == SERVER)
    }

    /// The names that are asked for, one after the other, until one is known.
    fn candidates(&self, name: &str) -> Vec<String> {
        if let Some(complete) = name.strip_suffix('.') {
            return vec![complete.to_owned()];
        }
        let ndots = self
            .options
            .iter()
            .find(|(option, _)| option == "ndots")
            .and_then(|(_, value)| value.as_ref()?.parse().ok())
            .unwrap_or(1);
        let searched = self.search.iter().map(|domain| format!("{name}.{domain}"));
        let mut all: Vec<String> = searched.collect();
        if name.matches('.').count() >= ndots {
            all.insert(0, name.to_owned());
        } else {
            all.push(name.to_owned());
        }
        all
    }
}

impl World {
    /// The addresses behind a name as the resolver of a pod finds them, in the order in which the DNS happened to give them.
    ///
    /// # Errors
    /// [`NetError::NoSuchHost`] when no search domain knows the name.
    pub(crate) fn resolve(&mut self, name: &str, pod: &core::Pod, own: &str) -> Result<Vec<String>, NetError> {
        if name == "localhost" {
            return Ok(vec!["127.0.0.1".to_owned()]);
        }
        if name.parse::<std::net::IpAddr>().is_ok() {
            return Ok(vec![name.to_owned()]);
        }
        if let Some(address) = in_hosts_file(pod, own, name) {
            return Ok(vec![address]);
        }
        let resolver = Resolver::of(pod);
        for candidate in resolver.candidates(name) {
            let found = self.lookup(&resolver, &candidate);
            if !found.addresses.is_empty() {
                return Ok(found.addresses);
            }
        }
        if name.contains('.') && !name.trim_end_matches('.').ends_with(DOMAIN) {
            self.notice(&format!(
                "not simulated: names outside of the cluster ({name} is unknown here)"
            ));
        }
        Err(NetError::NoSuchHost(name.to_owned()))
    }

    /// What the pod's name server says to one complete name.
    pub(crate) fn lookup(&mut self, resolver: &Resolver, name: &str) -> Lookup {
        let mut found = Lookup::default();
        if !resolver.knows_cluster() {
            return found;
        }
        let mut name = name.trim_end_matches('.').to_ascii_lowercase();
        for _ in 0..MAX_ALIASES {
            match self.answer(&name) {
                Answer::Addresses(mut addresses) => {
                    // The `loadbalance` plugin gives them in another order each time.
                    for at in (1..addresses.len()).rev() {
                        let other = self.rng.below(at as u64 + 1) as usize;
                        addresses.swap(at, other);
                    }
                    found.exists = true;
                    found.addresses = addresses;
                    return found;
                }
                Answer::Alias(target) => {
                    found.exists = true;
                    found.aliases.push((name, target.clone()));
                    name = target.trim_end_matches('.').to_ascii_lowercase();
                }
                Answer::Unknown => return found,
            }
        }
        found
    }

    /// The names that the pod's name server knows of an address: of a Service, or of its endpoints.
    pub(crate) fn reverse(&self, resolver: &Resolver, address: &str) -> Vec<String> {
        if !resolver.knows_cluster() {
            return Vec::new();
        }
        let services = self
            .store
            .list(Kind::Service, None)
            .filter_map(|stored| match &stored.object {
                Object::Service(service) => Some((stored.object.namespace(), stored.object.name(), service)),
                _ => None,
            });
        for (namespace, name, service) in services {
            if service.spec.as_ref().and_then(|spec| spec.cluster_ip.as_deref()) == Some(address) {
                return vec![format!("{name}.{namespace}.svc.{DOMAIN}")];
            }
        }
        let mut names = Vec::new();
        for stored in self.store.list(Kind::EndpointSlice, None) {
            let Object::EndpointSlice(slice) = &stored.object else {
                continue;
            };
            let Some(service) = service_of(slice) else { continue };
            for known in slice.endpoints.iter().flatten() {
                if known.addresses.iter().any(|own| own == address) {
                    let own = known.hostname.clone().unwrap_or_else(|| address.replace('.', "-"));
                    names.push(format!("{own}.{service}.{}.svc.{DOMAIN}", stored.object.namespace()));
                }
            }
        }
        names
    }

    /// One question for addresses, as CoreDNS answers it.
    fn answer(&self, name: &str) -> Answer {
        let Some(bare) = name.strip_suffix(DOMAIN).and_then(|bare| bare.strip_suffix('.')) else {
            return Answer::Unknown;
        };
        let labels: Vec<&str> = bare.split('.').collect();
        match labels.as_slice() {
            [service, namespace, "svc"] => self.answer_for_service(service, namespace, None),
            [endpoint, service, namespace, "svc"] => self.answer_for_service(service, namespace, Some(endpoint)),
            // The name that is made from a pod's address; nobody looks whether there is such a pod (`pods insecure`).
            [dashed, namespace, "pod"] if self.find(Kind::Namespace, "", namespace).is_some() => {
                let address = dashed.replace('-', ".");
                if address.parse::<std::net::Ipv4Addr>().is_ok() {
                    Answer::Addresses(vec![address])
                } else {
                    Answer::Unknown
                }
            }
            _ => Answer::Unknown,
        }
    }

    fn answer_for_service(&self, name: &str, namespace: &str, endpoint: Option<&str>) -> Answer {
        let key = Key::new(Kind::Service, namespace, name);
        let Some(Object::Service(service)) = self.get(&key).map(|stored| &stored.object) else {
            return Answer::Unknown;
        };
        let Some(spec) = &service.spec else {
            return Answer::Unknown;
        };
        if spec.type_.as_deref() == Some("ExternalName") {
            return match (&spec.external_name, endpoint) {
                (Some(target), None) => Answer::Alias(target.clone()),
                _ => Answer::Unknown,
            };
        }
        let headless = matches!(spec.cluster_ip.as_deref(), None | Some("" | "None"));
        if let (false, None, Some(address)) = (headless, endpoint, &spec.cluster_ip) {
            return Answer::Addresses(vec![address.clone()]);
        }
        let addresses = self.ready_addresses(&key, endpoint);
        if addresses.is_empty() {
            Answer::Unknown
        } else {
            Answer::Addresses(addresses)
        }
    }

    /// The addresses of a Service's ready endpoints, or of those with that name: the host name, else the address with
    /// dashes.
    fn ready_addresses(&self, service: &Key, endpoint: Option<&str>) -> Vec<String> {
        let slices = self
            .store
            .list(Kind::EndpointSlice, Some(&service.namespace))
            .filter_map(|stored| match &stored.object {
                Object::EndpointSlice(slice) if service_of(slice).as_deref() == Some(&*service.name) => Some(slice),
                _ => None,
            });
        let mut found: Vec<String> = Vec::new();
        for known in slices.flat_map(|slice| slice.endpoints.iter().flatten()) {
            let ready = known.conditions.as_ref().and_then(|conditions| conditions.ready);
            let Some(address) = known.addresses.first() else {
                continue;
            };
            let name = known.hostname.clone().unwrap_or_else(|| address.replace('.', "-"));
            let wanted = endpoint.is_none_or(|wanted| name == wanted);
            if ready != Some(false) && wanted && !found.contains(address) {
                found.push(address.clone());
            }
        }
        found
    }
}

enum Answer {
    Addresses(Vec<String>),
    Alias(String),
    Unknown,
}

/// What `/etc/hosts` of a container knows: the pod's own names and its `hostAliases`.
fn in_hosts_file(pod: &core::Pod, own: &str, name: &str) -> Option<String> {
    let spec = pod.spec.as_ref()?;
    for alias in spec.host_aliases.iter().flatten() {
        if alias.hostnames.iter().flatten().any(|known| known == name) {
            return Some(alias.ip.clone());
        }
    }
    let hostname = spec.hostname.as_ref().or(pod.metadata.name.as_ref())?;
    let complete = spec.subdomain.as_ref().map(|subdomain| {
        let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
        format!("{hostname}.{subdomain}.{namespace}.svc.{DOMAIN}")
    });
    (name == hostname || Some(name) == complete.as_deref()).then(|| own.to_owned())
}
