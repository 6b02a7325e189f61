//! What a node costs: pods that crash again and again, simulated for an hour (a lone one for thirty days, so that there is
//! something to measure).
//!
//! `cargo bench -p peapod-sim --bench node`; cases by name: `-- 100-untraced`.

#[path = "common/measure.rs"]
mod measure;

use measure::Meter;
use peapod_sim::cluster::{Cluster, Config, NodeConfig};
use peapod_sim::request::{Request, Verb};
use peapod_sim::time::{SimDuration, SimTime};
use serde_json::json;

/// Pods on one node.
const PER_NODE: u32 = 100;
const HOUR: u64 = 3600;

fn main() {
    let cases = [(1, 24 * 30), (100, 12), (10_000, 1)];
    let names = cases
        .iter()
        .flat_map(|(pods, _)| [format!("{pods}-traced"), format!("{pods}-untraced")]);
    measure::each_in_its_own_process(names, |case| {
        let (wanted, how) = case.split_once('-')?;
        let (pods, hours) = cases.into_iter().find(|(pods, _)| pods.to_string() == wanted)?;
        crash_loops(pods, hours, how == "traced");
        Some(())
    });
}

fn crash_loops(pods: u32, hours: u64, traced: bool) {
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
        traced,
        record_limit: usize::MAX,
        ..Config::default()
    };
    let before = measure::memory("VmRSS:");
    let meter = Meter::begin();
    let mut cluster = Cluster::new(config).expect("a cluster");
    for number in 0..pods {
        cluster.request(&create(number)).expect("the pod is fine");
    }
    let end = SimTime::ZERO + SimDuration::from_secs(hours * HOUR);
    let mut events = 0_u64;
    while cluster.next_event_at().is_some_and(|at| at <= end) && cluster.step() {
        events += 1;
    }
    assert_eq!(cluster.problem(), None);
    let phase = meter.read(&cluster);
    let restarts: u64 = cluster
        .objects("Pod")
        .iter()
        .filter_map(|pod| pod["status"]["containerStatuses"][0]["restartCount"].as_u64())
        .sum();
    let how = if traced { "traced" } else { "untraced" };
    println!("{pods:>7} crash-looping pods, {hours} h, {how}: {phase}");
    println!(
        "{:>15} {:.1} pods a second, {restarts} restarts, {events} events of the queue, {:.2} µs a record, {:.1} KiB a pod at the peak",
        "",
        f64::from(pods) / phase.seconds(),
        phase.seconds() * 1e6 / phase.records as f64,
        phase.peak.saturating_sub(before) as f64 / f64::from(pods),
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
