//! Random Deployments and Jobs come to rest with counts that add up, and the same seed gives the same trace.

mod common;

use common::clusters::{about, create};
use peapod_sim::cluster::{Cluster, Config, NodeConfig};
use peapod_sim::fault::Fault;
use peapod_sim::objects::Kind;
use peapod_sim::request::{PatchKind, Request, Verb};
use peapod_sim::runtime::catalogue::Catalogue;
use peapod_sim::time::{SimDuration, SimTime};
use proptest::prelude::*;
use serde_json::{Value, json};

fn nodes(count: u32) -> Vec<NodeConfig> {
    let node = |number| NodeConfig {
        name: format!("node-{number}"),
        ..NodeConfig::default()
    };
    (1..=count).map(node).collect()
}

fn cluster(seed: u64) -> Cluster {
    let config = Config {
        seed,
        nodes: nodes(3),
        catalogue: Catalogue::builtin(),
        ..Config::default()
    };
    Cluster::new(config).expect("a cluster")
}

/// A merge patch of a Deployment.
fn merge(name: &str, change: Value) -> Request {
    Request {
        patch: Some(PatchKind::Merge),
        ..about(Kind::Deployment, Verb::Patch, name, Some(change))
    }
}

fn deployment(replicas: u32, strategy: &str, surge: u32, image: &str) -> Value {
    let mut spec = json!({
        "replicas": replicas,
        "selector": {"matchLabels": {"app": "web"}},
        "strategy": {"type": strategy},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"terminationGracePeriodSeconds": 1, "containers": [{"name": "c", "image": image}]},
        },
    });
    if strategy == "RollingUpdate" {
        spec["strategy"]["rollingUpdate"] =
            json!({"maxSurge": surge, "maxUnavailable": if surge == 0 { 1 } else { 0 }});
    }
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec})
}

fn job(completions: u32, parallelism: u32, indexed: bool) -> Value {
    json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "work"},
        "spec": {
            "completions": completions, "parallelism": parallelism,
            "completionMode": if indexed { "Indexed" } else { "NonIndexed" },
            "template": {"spec": {
                "restartPolicy": "Never",
                "containers": [{"name": "c", "image": "busybox:1.36", "command": ["sh", "-c", "sleep 3"]}],
            }},
        },
    })
}

fn run(cluster: &mut Cluster, seconds: u64) {
    let end = cluster.now() + SimDuration::from_secs(seconds);
    while !cluster.settled() && cluster.next_event_at().is_some_and(|at| at < end) {
        cluster.step();
    }
}

fn pods_of(cluster: &Cluster, owner: &str) -> Vec<std::sync::Arc<Value>> {
    let owned = |pod: &std::sync::Arc<Value>| pod["metadata"]["ownerReferences"][0]["uid"] == owner;
    cluster.objects("Pod").into_iter().filter(owned).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn a_deployment_has_the_pods_that_it_wants(
        seed in 0_u64..1000, first in 0_u32..6, then in 0_u32..6, recreate: bool, surge in 0_u32..3, roll: bool,
    ) {
        let mut cluster = cluster(seed);
        let strategy = if recreate { "Recreate" } else { "RollingUpdate" };
        create(&mut cluster, deployment(first, strategy, surge, "nginx:1.14.2"));
        run(&mut cluster, 2);
        let mut change = json!({"spec": {"replicas": then}});
        if roll {
            change["spec"]["template"] = json!({"metadata": {"annotations": {"again": "yes"}}});
        }
        cluster.request(&merge("web", change)).expect("the request is fine");
        run(&mut cluster, 120);
        let object = cluster.object("Deployment", "default", "web").expect("it is there");
        let status = &object["status"];
        for count in ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas"] {
            prop_assert_eq!(status[count].as_u64().unwrap_or(0), u64::from(then), "{}: {}", count, status);
        }
        let sets: Vec<_> = cluster.objects("ReplicaSet");
        let alive: Vec<_> = sets.iter().filter(|set| set["spec"]["replicas"] != 0).collect();
        prop_assert!(alive.len() <= 1);
        for set in &sets {
            let wanted = set["spec"]["replicas"].as_u64().unwrap_or(0);
            let pods = pods_of(&cluster, set["metadata"]["uid"].as_str().unwrap_or_default());
            prop_assert_eq!(pods.len() as u64, wanted);
            prop_assert!(pods.iter().all(|pod| pod["status"]["phase"] == "Running"));
        }
        prop_assert!(cluster.settled());
    }

    #[test]
    fn a_job_counts_each_pod_once(seed in 0_u64..1000, completions in 1_u32..7, parallelism in 1_u32..5, indexed: bool) {
        let mut cluster = cluster(seed);
        create(&mut cluster, job(completions, parallelism, indexed));
        run(&mut cluster, 300);
        let object = cluster.object("Job", "default", "work").expect("it is there");
        let status = &object["status"];
        prop_assert_eq!(status["succeeded"].as_u64(), Some(u64::from(completions)), "{}", status);
        let types: Vec<&str> =
            status["conditions"].as_array().into_iter().flatten().filter_map(|condition| condition["type"].as_str()).collect();
        prop_assert_eq!(types, ["SuccessCriteriaMet", "Complete"]);
        prop_assert_eq!(status["uncountedTerminatedPods"].clone(), json!({}));
        prop_assert_eq!(pods_of(&cluster, object["metadata"]["uid"].as_str().unwrap_or_default()).len() as u32, completions);
        prop_assert!(cluster.objects("Pod").iter().all(|pod| pod["metadata"]["finalizers"].is_null()));
    }

    #[test]
    fn the_same_seed_gives_the_same_trace(seed in 0_u64..1000, replicas in 1_u32..5) {
        let trace = || {
            let mut cluster = cluster(seed);
            create(&mut cluster, deployment(replicas, "RollingUpdate", 1, "nginx:1.14.2"));
            create(&mut cluster, job(replicas, 2, true));
            cluster.run_until(SimTime::ZERO + SimDuration::from_secs(20));
            serde_json::to_string(&cluster.trace()).expect("a trace is JSON")
        };
        prop_assert_eq!(trace(), trace());
    }
}

/// Every write of a Deployment, a Job and a node that fails: when, how, and what the object was then; and all log lines.
fn history(traced: bool) -> (Vec<String>, usize) {
    let config = Config {
        nodes: nodes(3),
        traced,
        ..Config::default()
    };
    let mut cluster = Cluster::new(config).expect("a cluster");
    let body = deployment(4, "RollingUpdate", 1, "nginx:1.14.2");
    create(&mut cluster, body);
    create(&mut cluster, job(3, 2, true));
    let (mut seen, mut failed) = (Vec::new(), false);
    let end = SimTime::ZERO + SimDuration::from_secs(500);
    let mut next = 0;
    while cluster.next_event_at().is_some_and(|at| at <= end) {
        while let Some(write) = cluster.writes().get(next - cluster.forgotten_writes()) {
            seen.push(format!("{} {:?} {}", write.at, write.change, write.stored.json()));
            next += 1;
        }
        if !failed && cluster.now() > SimTime::ZERO + SimDuration::from_secs(30) {
            failed = true;
            let node = "node-1".to_owned();
            cluster.fault(&Fault::PowerOff { node }).expect("it is there");
        }
        cluster.step();
    }
    seen.extend(cluster.logs().iter().map(|line| format!("{line:?}")));
    assert_eq!(cluster.trace().records.is_empty(), !traced);
    (seen, cluster.record_count())
}

#[test]
fn without_a_trace_the_same_happens() {
    let (with, without) = (history(true), history(false));
    assert!(with.0.len() > 100);
    assert!(with == without);
}

/// What clients are told of owners, of pages and of what controllers put back.
fn answers(traced: bool) -> Vec<Value> {
    let config = Config {
        traced,
        ..Config::default()
    };
    let mut cluster = Cluster::new(config).expect("a cluster");
    let mut seen = Vec::new();
    let body = deployment(3, "RollingUpdate", 1, "nginx:1.14.2");
    seen.push(create(&mut cluster, body));
    let body = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
    });
    create(&mut cluster, body);
    run(&mut cluster, 20);
    let body = json!({"spec": {"replicas": 4}});
    seen.push(cluster.request(&merge("web", body)).expect("the request is fine"));
    run(&mut cluster, 20);
    let get = about(Kind::Deployment, Verb::Get, "web", None);
    seen.push(cluster.request(&get).expect("it is there"));
    let mut page = about(Kind::Pod, Verb::List, "", None);
    page.query = vec![("limit".to_owned(), "3".to_owned())];
    let first = cluster.request(&page).expect("a page");
    let token = first["metadata"]["continue"]
        .as_str()
        .expect("there is more")
        .to_owned();
    page.query.push(("continue".to_owned(), token));
    seen.extend([first, cluster.request(&page).expect("the rest")]);
    let slices = |cluster: &Cluster| {
        cluster
            .objects("EndpointSlice")
            .iter()
            .map(|slice| (**slice).clone())
            .collect()
    };
    let before: Vec<Value> = slices(&cluster);
    let name = before[0]["metadata"]["name"].as_str().expect("a name");
    let delete = about(Kind::EndpointSlice, Verb::Delete, name, None);
    cluster.request(&delete).expect("deleted");
    run(&mut cluster, 5);
    seen.extend(slices(&cluster));
    seen
}

#[test]
fn without_a_trace_the_same_is_answered() {
    let (with, without) = (answers(true), answers(false));
    let owners = with[2]["metadata"]["managedFields"].as_array().expect("owners");
    assert!(
        owners.iter().any(|owner| owner["subresource"] == "status"),
        "{owners:?}"
    );
    assert_eq!(with[4]["items"].as_array().map(Vec::len), Some(1));
    assert!(with.len() > 5, "the slice is there again");
    for (with, without) in with.iter().zip(&without) {
        assert_eq!(with, without);
    }
    assert_eq!(with.len(), without.len());
}

/// Run by hand: `cargo test -p peapod-sim --test settle -- --ignored --nocapture`. Time should grow with the pods.
#[test]
#[ignore = "a measurement"]
fn how_time_grows_with_pods() {
    for (count, replicas) in [(20, 250_u32), (40, 500), (80, 1000), (160, 2000)] {
        let config = Config {
            nodes: nodes(count),
            ..Config::default()
        };
        let mut cluster = Cluster::new(config).expect("a cluster");
        let begin = std::time::Instant::now();
        let body = deployment(replicas, "RollingUpdate", 1, "nginx:1.14.2");
        create(&mut cluster, body);
        run(&mut cluster, 600);
        let object = cluster.object("Deployment", "default", "web").expect("it is there");
        let (ready, at) = (&object["status"]["readyReplicas"], cluster.now());
        println!("{replicas} pods: {:?} for {at}, {ready} ready", begin.elapsed());
    }
}
