//! Any pod, whatever it does and whatever is done to it, keeps the promises of Kubernetes, and does the same again with the
//! same seed.

use std::collections::BTreeMap;

use peapod_sim::cluster::{Cluster, Config};
use peapod_sim::fault::Fault;
use peapod_sim::request::{Request, Verb};
use peapod_sim::runtime::catalogue::Catalogue;
use peapod_sim::time::{SimDuration, SimTime};
use peapod_sim::trace::Change;
use proptest::prelude::*;
use serde_json::{Value, json};

/// What is done to the pod, and when.
#[derive(Clone, Debug)]
enum Deed {
    Delete(Option<i64>),
    Kill,
    KillSandbox,
    Crash,
    Freeze,
}

fn script() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "exit 0",
        "exit 1",
        "sleep 2; exit 0",
        "sleep 3; exit 7",
        "sleep 3600",
        "trap 'exit 0' TERM; sleep 3600 & wait",
        "trap '' TERM; sleep 3600",
        "echo hello; sleep 20; exit 255",
    ])
}

fn container(name: String) -> impl Strategy<Value = Value> {
    let image = prop::sample::select(vec![
        "busybox:1.36",
        "busybox:1.36",
        "busybox:1.36",
        "busybox:nope",
        "slow:1",
    ]);
    let probe = prop::sample::select(vec!["", "", "livenessProbe", "readinessProbe", "startupProbe"]);
    (
        script(),
        image,
        probe,
        prop::sample::select(vec!["true", "false", "sleep 9"]),
    )
        .prop_map(move |(script, image, probe, check)| {
            let mut container = json!({ "name": name, "image": image, "command": ["sh", "-c", script] });
            if !probe.is_empty() {
                container[probe] =
                    json!({ "exec": { "command": ["sh", "-c", check] }, "periodSeconds": 3, "failureThreshold": 2 });
            }
            container
        })
}

fn pod() -> impl Strategy<Value = Value> {
    let containers =
        (1_usize..4).prop_flat_map(|count| (0..count).map(|n| container(format!("c{n}"))).collect::<Vec<_>>());
    let init = (0_usize..3).prop_flat_map(|count| {
        (0..count)
            .map(|n| (container(format!("i{n}")), any::<bool>()))
            .collect::<Vec<_>>()
    });
    let policy = prop::sample::select(vec!["Always", "OnFailure", "Never"]);
    (containers, init, policy, 0_i64..12, prop::option::of(5_i64..60)).prop_map(
        |(containers, init, policy, grace, deadline)| {
            let init: Vec<Value> = init
                .into_iter()
                .map(|(mut container, sidecar)| {
                    if sidecar {
                        container["restartPolicy"] = "Always".into();
                    } else if let Some(fields) = container.as_object_mut() {
                        fields.retain(|key, _| !key.ends_with("Probe"));
                    }
                    container
                })
                .collect();
            let mut spec = json!({
                "containers": containers,
                "initContainers": init,
                "restartPolicy": policy,
                "terminationGracePeriodSeconds": grace,
            });
            if let Some(deadline) = deadline {
                spec["activeDeadlineSeconds"] = deadline.into();
            }
            json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "p" }, "spec": spec })
        },
    )
}

fn deeds() -> impl Strategy<Value = Vec<(u64, Deed)>> {
    let deed = prop_oneof![
        prop::option::of(0_i64..8).prop_map(Deed::Delete),
        Just(Deed::Kill),
        Just(Deed::KillSandbox),
        Just(Deed::Crash),
        Just(Deed::Freeze),
    ];
    prop::collection::vec((0_u64..120, deed), 0..3)
}

fn request(verb: Verb, name: &str, body: Option<Value>) -> Request {
    Request {
        verb,
        group: String::new(),
        version: "v1".to_owned(),
        resource: "pods".to_owned(),
        namespace: "default".to_owned(),
        name: name.to_owned(),
        subresource: String::new(),
        body,
        patch: None,
        query: Vec::new(),
    }
}

fn run(pod: &Value, deeds: &[(u64, Deed)], seed: u64) -> Cluster {
    let config = Config {
        seed,
        catalogue: Catalogue::recording(),
        ..Config::default()
    };
    let mut cluster = Cluster::new(config).expect("a cluster");
    cluster.command("create the pod");
    cluster
        .request(&request(Verb::Create, "", Some(pod.clone())))
        .expect("the pod is valid");
    let mut deeds = deeds.to_vec();
    deeds.sort_by_key(|(at, _)| *at);
    for (at, deed) in deeds {
        cluster.run_until(SimTime::ZERO + SimDuration::from_secs(at));
        let (namespace, name) = ("default".to_owned(), "p".to_owned());
        let node = "node-1".to_owned();
        // What cannot be done to the pod in the state that it has is no deed.
        let _ = match deed {
            Deed::Delete(grace) => {
                let options = grace.map(|grace| json!({ "gracePeriodSeconds": grace }));
                cluster
                    .request(&request(Verb::Delete, "p", options))
                    .map(|_| ())
                    .map_err(|status| status.message)
            }
            Deed::Kill => cluster.fault(&Fault::KillContainer {
                namespace,
                pod: name,
                container: "c0".to_owned(),
                signal: "SIGKILL".to_owned(),
            }),
            Deed::KillSandbox => cluster.fault(&Fault::KillSandbox { namespace, pod: name }),
            Deed::Crash => cluster.fault(&Fault::Crash { node }),
            Deed::Freeze => {
                let frozen = cluster.fault(&Fault::FreezeKubelet {
                    node: node.clone(),
                    on: true,
                });
                let on = cluster.now() + SimDuration::from_secs(15);
                cluster.run_until(on);
                frozen.and_then(|()| cluster.fault(&Fault::FreezeKubelet { node, on: false }))
            }
        };
    }
    cluster.run_until(SimTime::ZERO + SimDuration::from_secs(300));
    cluster
}

fn keeps_its_promises(cluster: &Cluster) {
    let mut phases: BTreeMap<String, String> = BTreeMap::new();
    let mut restarts: BTreeMap<(String, String), i64> = BTreeMap::new();
    let mut gone: Vec<String> = Vec::new();
    for write in cluster.writes() {
        if write.stored.object.as_pod().is_none() {
            continue;
        }
        let pod = write.stored.json();
        let uid = write.stored.object.uid().to_owned();
        assert!(!gone.contains(&uid), "a pod that is gone is written");
        let phase = pod["status"]["phase"].as_str().unwrap_or_default().to_owned();
        if let Some(before) = phases.insert(uid.clone(), phase.clone()) {
            let ended = matches!(before.as_str(), "Succeeded" | "Failed");
            assert!(!ended || before == phase, "the phase went from {before} to {phase}");
        }
        for list in ["containerStatuses", "initContainerStatuses"] {
            for status in pod["status"][list].as_array().into_iter().flatten() {
                let name = status["name"].as_str().unwrap_or_default().to_owned();
                let count = status["restartCount"].as_i64().unwrap_or(0);
                let before = restarts.insert((uid.clone(), name.clone()), count).unwrap_or(0);
                assert!(count >= before, "{name}: restartCount fell from {before} to {count}");
                let running = status["state"].get("running").is_some();
                assert!(
                    running || list == "initContainerStatuses" || status["ready"] != true,
                    "{name} is ready and does not run"
                );
            }
        }
        let condition = |kind: &str| {
            let all = pod["status"]["conditions"].as_array().cloned().unwrap_or_default();
            all.iter()
                .any(|condition| condition["type"] == kind && condition["status"] == "True")
        };
        assert!(
            !condition("Ready") || condition("ContainersReady"),
            "Ready without ContainersReady"
        );
        if write.change == Change::Deleted {
            gone.push(uid);
        }
    }
    for (id, record) in cluster.records().iter().enumerate() {
        assert!(
            record.causes.iter().all(|cause| (*cause as usize) < id),
            "record {id} is caused by a later one"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn any_pod_keeps_its_promises_and_repeats(pod in pod(), deeds in deeds(), seed in 1_u64..1000) {
        let first = run(&pod, &deeds, seed);
        keeps_its_promises(&first);
        let again = run(&pod, &deeds, seed);
        let bytes = |cluster: &Cluster| serde_json::to_vec(&cluster.trace()).expect("a trace is JSON");
        prop_assert_eq!(bytes(&first), bytes(&again));
    }
}
