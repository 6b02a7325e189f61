//! What is done to a cluster while it runs: by people, by chance, by the hardware.

use peapod_sim::cluster::Cluster;
use peapod_sim::fault::Fault;
use peapod_sim::request::{PatchKind, Request, Verb};
use peapod_sim::time::{SimDuration, SimTime};
use proptest::prelude::*;
use serde_json::{Value, json};

/// One deed.
#[derive(Clone, Debug)]
pub enum Deed {
    /// `kubectl delete`, perhaps with a grace period.
    Delete(Option<i64>),
    /// `kubectl delete --force --grace-period=0`.
    Force,
    /// The eviction subresource.
    Evict,
    /// Another image for the first container.
    Image(&'static str),
    /// A deadline for the pod.
    Deadline(i64),
    /// A label.
    Label,
    /// Other resources for the first container, by the resize subresource.
    Resize(&'static str),
    /// A signal to a container's main process.
    Kill(usize, &'static str),
    /// The pause process is killed.
    KillSandbox,
    /// The node crashes and comes back.
    Crash,
    /// The Node object is deleted.
    DeleteNode,
    /// A taint that evicts.
    Taint,
    /// Something stops and goes on after so many seconds.
    Outage(Outage, u64),
}

/// What can stop for a while.
#[derive(Clone, Copy, Debug)]
pub enum Outage {
    /// The node has no power.
    Power,
    /// The kubelet stands still.
    Frozen,
    /// The kubelet is stopped.
    Kubelet,
    /// The node does not reach the API server.
    Network,
    /// The container runtime's daemon is stopped.
    Runtime,
    /// The API server stands still.
    ApiServer,
    /// The scheduler is stopped.
    Scheduler,
    /// The controller manager is stopped.
    Controllers,
    /// The registry does not answer.
    Registry,
}

/// Deeds to one pod and its node, each with the tenth of a second at which it is done.
pub fn deeds(most: usize) -> impl Strategy<Value = Vec<(u64, Deed)>> {
    let deed = prop_oneof![
        4 => prop::option::of(0_i64..12).prop_map(Deed::Delete),
        1 => Just(Deed::Force),
        1 => Just(Deed::Evict),
        1 => prop::sample::select(vec!["busybox:1.36", "busybox:nope", "slow:1"]).prop_map(Deed::Image),
        1 => (1_i64..30).prop_map(Deed::Deadline),
        1 => Just(Deed::Label),
        1 => prop::sample::select(vec!["10m", "200m", "64"]).prop_map(Deed::Resize),
        2 => (0_usize..4, prop::sample::select(vec!["SIGKILL", "SIGTERM", "SIGSEGV"])).prop_map(|(index, signal)| Deed::Kill(index, signal)),
        2 => Just(Deed::KillSandbox),
        2 => Just(Deed::Crash),
        1 => Just(Deed::DeleteNode),
        1 => Just(Deed::Taint),
        6 => (outage(), 1_u64..90).prop_map(|(outage, seconds)| Deed::Outage(outage, seconds)),
    ];
    prop::collection::vec((0_u64..1500, deed), 0..=most)
}

fn outage() -> impl Strategy<Value = Outage> {
    prop::sample::select(vec![
        Outage::Power,
        Outage::Frozen,
        Outage::Kubelet,
        Outage::Network,
        Outage::Runtime,
        Outage::ApiServer,
        Outage::Scheduler,
        Outage::Controllers,
        Outage::Registry,
    ])
}

impl Deed {
    /// Whether somebody takes the pod away without waiting for its containers, or may.
    pub fn is_rude(&self) -> bool {
        matches!(self, Self::Force | Self::DeleteNode | Self::Delete(Some(0)))
    }

    /// Whether a kubelet cannot write to the API for a while.
    pub fn cuts_off(&self) -> bool {
        matches!(
            self,
            Self::Outage(Outage::Network | Outage::ApiServer | Outage::Frozen, _)
        )
    }

    /// Whether the node or what it needs is disturbed.
    pub fn is_fault(&self) -> bool {
        matches!(
            self,
            Self::Kill(..) | Self::KillSandbox | Self::Crash | Self::DeleteNode | Self::Taint | Self::Outage(..)
        )
    }
}

/// A request about a pod of the default namespace.
pub fn request(verb: Verb, name: &str, subresource: &str, body: Option<Value>) -> Request {
    Request {
        verb,
        group: String::new(),
        version: "v1".to_owned(),
        resource: "pods".to_owned(),
        namespace: "default".to_owned(),
        name: name.to_owned(),
        subresource: subresource.to_owned(),
        patch: (verb == Verb::Patch).then_some(PatchKind::Strategic),
        body,
        query: Vec::new(),
    }
}

fn about_node(verb: Verb, node: &str, body: Option<Value>) -> Request {
    Request {
        resource: "nodes".to_owned(),
        namespace: String::new(),
        ..request(verb, node, "", body)
    }
}

/// Does a deed to a pod and its node. What cannot be done in the state that they are in is none: it is refused, and nothing else.
pub fn act(cluster: &mut Cluster, deed: &Deed, pod: &str, node: &str) {
    let (namespace, pod, node) = ("default".to_owned(), pod.to_owned(), node.to_owned());
    let mut send = |verb, subresource: &str, body| {
        let _ = cluster.request(&request(verb, &pod, subresource, body));
    };
    let first = |cluster: &Cluster, index: usize| {
        let object = cluster.object("Pod", "default", &pod)?;
        let all: Vec<&Value> = ["containers", "initContainers"]
            .iter()
            .flat_map(|list| object["spec"][list].as_array().into_iter().flatten())
            .collect();
        Some(all.get(index % all.len().max(1))?["name"].as_str()?.to_owned())
    };
    match deed {
        Deed::Delete(grace) => {
            let body = grace.map(|grace| json!({ "gracePeriodSeconds": grace }));
            send(Verb::Delete, "", body);
        }
        Deed::Force => send(Verb::Delete, "", Some(json!({ "gracePeriodSeconds": 0 }))),
        Deed::Evict => {
            let body = json!({ "apiVersion": "policy/v1", "kind": "Eviction", "metadata": { "name": pod, "namespace": "default" } });
            send(Verb::Create, "eviction", Some(body));
        }
        Deed::Image(image) => {
            if let Some(name) = first(cluster, 0) {
                let body = json!({ "spec": { "containers": [{ "name": name, "image": image }] } });
                let _ = cluster.request(&request(Verb::Patch, &pod, "", Some(body)));
            }
        }
        Deed::Deadline(seconds) => send(
            Verb::Patch,
            "",
            Some(json!({ "spec": { "activeDeadlineSeconds": seconds } })),
        ),
        Deed::Label => send(
            Verb::Patch,
            "",
            Some(json!({ "metadata": { "labels": { "touched": "yes" } } })),
        ),
        Deed::Resize(cpu) => {
            if let Some(name) = first(cluster, 0) {
                let resources = json!({ "requests": { "cpu": cpu }, "limits": { "cpu": cpu } });
                let body = json!({ "spec": { "containers": [{ "name": name, "resources": resources }] } });
                let _ = cluster.request(&request(Verb::Patch, &pod, "resize", Some(body)));
            }
        }
        Deed::Kill(index, signal) => {
            if let Some(container) = first(cluster, *index) {
                let signal = (*signal).to_owned();
                let _ = cluster.fault(&Fault::KillContainer {
                    namespace,
                    pod,
                    container,
                    signal,
                });
            }
        }
        Deed::KillSandbox => {
            let _ = cluster.fault(&Fault::KillSandbox { namespace, pod });
        }
        Deed::Crash => {
            let _ = cluster.fault(&Fault::Crash { node });
        }
        Deed::DeleteNode => {
            let _ = cluster.request(&about_node(Verb::Delete, &node, None));
        }
        Deed::Taint => {
            let taint = json!({ "key": "fuzz", "effect": "NoExecute" });
            let _ = cluster.request(&about_node(
                Verb::Patch,
                &node,
                Some(json!({ "spec": { "taints": [taint] } })),
            ));
        }
        Deed::Outage(outage, _) => switch(cluster, *outage, &node, true),
    }
}

/// Begins or ends an outage.
fn switch(cluster: &mut Cluster, outage: Outage, node: &str, on: bool) {
    let node = node.to_owned();
    let component = |name: &str| Fault::StopComponent {
        component: name.to_owned(),
        on,
    };
    let fault = match outage {
        Outage::Power if on => Fault::PowerOff { node },
        Outage::Power => Fault::RestoreNode { node },
        Outage::Frozen => Fault::FreezeKubelet { node, on },
        Outage::Kubelet => Fault::StopKubelet { node, on },
        Outage::Network => Fault::Partition { node, on },
        Outage::Runtime => Fault::StopRuntime { node, on },
        Outage::ApiServer => component("kube-apiserver"),
        Outage::Scheduler => component("kube-scheduler"),
        Outage::Controllers => component("kube-controller-manager"),
        Outage::Registry => Fault::RegistryDown {
            registry: "docker.io".to_owned(),
            duration: Some(SimDuration::from_secs(if on { 3600 } else { 0 })),
        },
    };
    let _ = cluster.fault(&fault);
}

/// Lets deeds be done at their instants, outages ended at theirs, and the rest happen until `end`.
pub fn live(cluster: &mut Cluster, deeds: &[(u64, Deed, String, String)], end: SimTime) {
    let instant = |tenths: u64| SimTime::ZERO + SimDuration::from_millis(tenths * 100);
    // (instant, order, deed, whether it begins)
    let mut plan: Vec<(SimTime, usize, bool)> = Vec::new();
    for (index, (at, deed, ..)) in deeds.iter().enumerate() {
        plan.push((instant(*at), index, true));
        if let Deed::Outage(_, seconds) = deed {
            plan.push((instant(at + seconds * 10), index, false));
        }
    }
    plan.sort_unstable();
    for (at, index, begins) in plan {
        cluster.run_until(at);
        let (_, deed, pod, node) = &deeds[index];
        if begins {
            act(cluster, deed, pod, node);
        } else if let Deed::Outage(outage, _) = deed {
            switch(cluster, *outage, node, false);
        }
    }
    // Whatever overlapped, everything works again in the end.
    let last = deeds.iter().any(|(_, deed, ..)| deed.is_fault());
    if last {
        for outage in [Outage::Frozen, Outage::Kubelet, Outage::Network, Outage::Runtime] {
            let nodes: Vec<String> = deeds.iter().map(|(.., node)| node.clone()).collect();
            for node in nodes {
                switch(cluster, outage, &node, false);
            }
        }
        for (_, deed, _, node) in deeds {
            if matches!(deed, Deed::Outage(Outage::Power, _)) {
                switch(cluster, Outage::Power, node, false);
            }
        }
        for outage in [
            Outage::ApiServer,
            Outage::Scheduler,
            Outage::Controllers,
            Outage::Registry,
        ] {
            switch(cluster, outage, "", false);
        }
    }
    cluster.run_until(end);
}
