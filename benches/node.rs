//! What a node costs: pods that crash again and again, simulated for an hour (a lone one for thirty days, so that there is
//! something to measure).
//!
//! `cargo bench -p peapod-sim --bench node`; cases by name: `-- 100-pods`.

#[path = "common/measure.rs"]
mod measure;

use std::time::Instant;

use peapod_sim::cluster::{Cluster, Config, NodeConfig};
use peapod_sim::request::{Request, Verb};
use peapod_sim::time::{SimDuration, SimTime};
use serde_json::json;

/// Pods on one node.
const PER_NODE: u32 = 100;
const HOUR: u64 = 3600;

fn main() {
    let cases = [(1, 24 * 30), (100, 12), (10_000, 1)];
    let names = cases.iter().map(|(pods, _)| format!("{pods}-pods"));
    measure::each_in_its_own_process(names, |case| {
        let (pods, hours) = cases.into_iter().find(|(pods, _)| format!("{pods}-pods") == case)?;
        crash_loops(pods, hours);
        Some(())
    });
}

fn crash_loops(pods: u32, hours: u64) {
    let nodes = (1..=pods.div_ceil(PER_NODE))
        .map(|number| NodeConfig {
            name: format!("node-{number}"),
            cpu: "64".to_owned(),
            memory: "256Gi".to_owned(),
            ..NodeConfig::default()
        })
        .collect();
    let config = Config {
        nodes,
        record_limit: usize::MAX,
        ..Config::default()
    };
    let start = measure::memory("VmRSS:");
    let begin = Instant::now();
    let mut cluster = Cluster::new(config).expect("a cluster");
    for number in 0..pods {
        cluster.request(&create(number)).expect("the pod is fine");
    }
    cluster.run_until(SimTime::ZERO + SimDuration::from_secs(hours * HOUR));
    assert_eq!(cluster.problem(), None);
    let phase = measure::Phase::until_now(begin, &cluster);
    let restarts: u64 = cluster
        .objects("Pod")
        .iter()
        .filter_map(|pod| pod["status"]["containerStatuses"][0]["restartCount"].as_u64())
        .sum();
    println!("{pods:>7} crash-looping pods, {hours} h: {phase}");
    println!(
        "{:>15} {:.1} pods a second of wall time, {restarts} restarts, {:.2} µs a record, {:.1} KiB a pod at the peak",
        "",
        f64::from(pods) / phase.seconds(),
        phase.seconds() * 1e6 / phase.records() as f64,
        (measure::memory("VmHWM:") - start) as f64 / f64::from(pods),
    );
}

fn create(number: u32) -> Request {
    let body = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": format!("crash-{number}")},
        "spec": {"containers": [{
            "name": "app", "image": "busybox:1.36", "command": ["sh", "-c", "echo starting; sleep 1; exit 1"],
        }]},
    });
    Request {
        verb: Verb::Create,
        group: String::new(),
        version: "v1".to_owned(),
        resource: "pods".to_owned(),
        namespace: "default".to_owned(),
        name: String::new(),
        subresource: String::new(),
        body: Some(body),
        patch: None,
        query: Vec::new(),
    }
}
