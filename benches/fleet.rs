//! How time and memory grow with a fleet: a Deployment from apply to all Ready, and a node that fails under it.
//!
//! `cargo bench -p peapod-sim --bench fleet`; sizes by name: `-- 1000x50 150000x5000-untraced`. Every size runs in a process of its
//! own, so that its peak memory is its own.

#[path = "common/measure.rs"]
mod measure;

use measure::Meter;
use peapod_sim::cluster::{Cluster, Config, NodeConfig};
use peapod_sim::fault::Fault;
use peapod_sim::request::{Request, Verb};
use peapod_sim::time::{SimDuration, SimTime};
use serde_json::{Value, json};

/// Pods and nodes, and whether the cluster keeps a trace.
const SIZES: &[&str] = &[
    "625x32",
    "1250x63",
    "2500x125",
    "5000x250",
    "10000x500",
    "10000x500-untraced",
    "150000x5000-untraced",
];

fn main() {
    measure::each_in_its_own_process(SIZES.iter().map(|size| (*size).to_owned()), |size| {
        let (size, traced) = size
            .strip_suffix("-untraced")
            .map_or((size, true), |size| (size, false));
        let (pods, nodes) = size.split_once('x')?;
        fleet(pods.parse().ok()?, nodes.parse().ok()?, traced);
        Some(())
    });
}

fn fleet(pods: u32, nodes: u32, traced: bool) {
    let how = if traced { "traced" } else { "untraced" };
    let nodes = (1..=nodes)
        .map(|number| NodeConfig {
            name: format!("node-{number}"),
            cpu: "8".to_owned(),
            memory: "32Gi".to_owned(),
            ..NodeConfig::default()
        })
        .collect();
    let config = Config {
        nodes,
        traced,
        record_limit: usize::MAX,
        ..Config::default()
    };
    let meter = Meter::begin();
    let mut cluster = Cluster::new(config).expect("a cluster");
    cluster.request(&create(pods)).expect("the Deployment is fine");
    run(&mut cluster, pods);
    let phase = meter.read(&cluster);
    let (nodes, per_pod) = (cluster.objects("Node").len(), phase.peak as f64 / f64::from(pods));
    println!("{pods:>7} pods on {nodes:>5} nodes, {how}, from apply to all Ready: {phase}, {per_pod:.1} KiB a pod");

    // The node fails: it is found out, its pods are marked, evicted and made anew elsewhere.
    let meter = Meter::after(&cluster);
    let node = "node-1".to_owned();
    cluster.fault(&Fault::PowerOff { node }).expect("it is there");
    let end = cluster.now() + SimDuration::from_secs(360);
    run_until(&mut cluster, end);
    let phase = meter.read(&cluster);
    println!(
        "{:>23} a node fails, six minutes: {phase}, {} ready",
        "",
        ready(&cluster)
    );
}

fn run(cluster: &mut Cluster, pods: u32) {
    let limit = SimTime::ZERO + SimDuration::from_secs(7200);
    while cluster.now() < limit {
        let next = cluster.now() + SimDuration::from_secs(1);
        run_until(cluster, next);
        if ready(cluster) == u64::from(pods) {
            return;
        }
    }
    panic!("{} of {pods} pods are ready at {}", ready(cluster), cluster.now());
}

fn run_until(cluster: &mut Cluster, at: SimTime) {
    cluster.run_until(at);
    assert_eq!(cluster.problem(), None);
}

fn ready(cluster: &Cluster) -> u64 {
    let object = cluster.object("Deployment", "default", "web").expect("it is there");
    object["status"]["readyReplicas"].as_u64().unwrap_or(0)
}

fn create(replicas: u32) -> Request {
    let body: Value = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{
                    "name": "app", "image": "nginx:1.14.2",
                    "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
                }]},
            },
        },
    });
    Request {
        verb: Verb::Create,
        group: "apps".to_owned(),
        version: "v1".to_owned(),
        resource: "deployments".to_owned(),
        namespace: "default".to_owned(),
        name: String::new(),
        subresource: String::new(),
        body: Some(body),
        patch: None,
        query: Vec::new(),
    }
}
