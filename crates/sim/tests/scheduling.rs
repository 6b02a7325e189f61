//! Whole scheduling decisions against those of the real kube-scheduler.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use common::{read, vectors};
use peapod_sim::core;
use peapod_sim::rng::Rng;
use peapod_sim::scheduler::cache::Cache;
use peapod_sim::scheduler::cycle::{Cycle, Listers};
use peapod_sim::scheduler::message;
use peapod_sim::scheduler::plugins::taint_toleration::tolerates;
use peapod_sim::scheduler::plugins::volume_binding::PodStorage;
use peapod_sim::scheduler::pod::PodInfo;
use peapod_sim::scheduler::preemption::{Preemption, preempt};
use peapod_sim::version::Profile;
use serde_json::{Map, Value, json};

/// What the scheduler decides, in the form of the vectors.
fn decide(input: &Value) -> Value {
    let mut cache = Cache::default();
    for node in input["nodes"].as_array().into_iter().flatten() {
        cache.set_node(&read::<core::Node>(node));
    }
    for value in input["pods"].as_array().into_iter().flatten() {
        let pod: core::Pod = read(value);
        let node = pod
            .spec
            .as_ref()
            .and_then(|spec| spec.node_name.clone())
            .unwrap_or_default();
        cache.set_pod(Arc::new(PodInfo::new(&pod)), &node);
    }
    let budgets = input["pdbs"].as_array().into_iter().flatten().map(read).collect();
    let pod: core::Pod = read(&input["pod"]);
    // The rows have no claims: each that a pod names is missing.
    let volumes = input["pod"]["spec"]["volumes"].as_array().into_iter().flatten();
    let missing = volumes.filter_map(|volume| volume["persistentVolumeClaim"]["claimName"].as_str());
    let listers = Listers {
        version: Profile::default(),
        budgets,
        storage: PodStorage {
            claims: missing.map(|name| (name.to_owned(), None)).collect(),
            ..PodStorage::default()
        },
        ..Listers::default()
    };
    let info = PodInfo::new(&pod);
    let nominated = BTreeMap::new();
    let cycle = Cycle::new(&cache, &listers, &nominated, &pod, &info);
    let found = cycle.find(0);
    let name = |id: &usize| cache.node(*id).name.to_string();
    let mut out = Map::new();
    if !found.rejected.is_empty() {
        let rejected: Map<String, Value> = found
            .rejected
            .iter()
            .map(|(id, rejection)| {
                let plugin = rejection.plugin.to_string();
                (
                    name(id),
                    json!({"code": format!("{:?}", rejection.code), "plugin": plugin, "reasons": rejection.reasons}),
                )
            })
            .collect();
        out.insert("rejected".into(), rejected.into());
    }
    if !found.feasible.is_empty() {
        let scores = cycle.scores(&found.feasible);
        let totals: Vec<i64> = scores
            .iter()
            .map(|scores| scores.iter().map(|(_, score)| score).sum())
            .collect();
        let best = totals.iter().max().copied().unwrap_or(0);
        let names: BTreeSet<String> = found.feasible.iter().map(name).collect();
        let tied: BTreeSet<String> = found
            .feasible
            .iter()
            .zip(&totals)
            .filter(|(_, total)| **total == best)
            .map(|(id, _)| name(id))
            .collect();
        out.insert("feasible".into(), json!(names));
        out.insert("best".into(), json!(tied));
        if found.feasible.len() > 1 {
            let mut weighted = Map::new();
            for ((id, scores), total) in found.feasible.iter().zip(&scores).zip(&totals) {
                let mut of_node: Map<String, Value> = scores
                    .iter()
                    .map(|(plugin, score)| (plugin.to_string(), json!(score)))
                    .collect();
                // Dynamic resources are not simulated; without claims they score nothing.
                of_node.insert("DynamicResources".into(), json!(0));
                of_node.insert("total".into(), json!(total));
                weighted.insert(name(id), of_node.into());
            }
            out.insert("weightedScores".into(), weighted.into());
        }
        return out.into();
    }
    let post_filter = match &found.pre_filter {
        Some(_) => Some("not found".to_owned()),
        None => match preempt(&cycle, &found, &mut Rng::new(1)) {
            Preemption::Victims { node, victims } => {
                let victims: Vec<&str> = victims.iter().map(|pod| &*pod.key.name).collect();
                out.insert("nominatedNodeName".into(), json!(name(&node)));
                out.insert("victims".into(), json!(victims));
                None
            }
            Preemption::NotHelpful { message, .. } => {
                Some(format!("no new claims to deallocate, preemption: {message}"))
            }
        },
    };
    let text = message::unschedulable(cache.order().len(), &found, post_filter.as_deref());
    out.insert("message".into(), json!(text));
    let mut plugins: BTreeSet<String> = found
        .rejected
        .values()
        .map(|rejection| rejection.plugin.to_string())
        .collect();
    plugins.extend(found.pre_filter.iter().map(|(plugin, _)| plugin.to_string()));
    out.insert("unschedulablePlugins".into(), json!(plugins));
    out.into()
}

/// Key order and the order of sets do not matter.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let ordered: BTreeMap<&String, Value> = map.iter().map(|(key, value)| (key, sorted(value))).collect();
            json!(ordered)
        }
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(sorted).collect();
            items.sort_by_key(ToString::to_string);
            items.into()
        }
        other => other.clone(),
    }
}

#[test]
fn decisions_are_those_of_the_real_scheduler() {
    let mut wrong = Vec::new();
    let cases = vectors("control-plane-scheduling.json");
    for case in &cases {
        let (mut ours, mut theirs) = (sorted(&decide(&case["in"])), sorted(&case["out"]));
        // A node that is the only one left, or refusals beside feasible nodes, are not always written down there.
        for key in ["rejected", "weightedScores"] {
            if theirs.get(key).is_none() {
                ours.as_object_mut().expect("an object").remove(key);
            }
        }
        theirs
            .as_object_mut()
            .expect("an object")
            .retain(|_, value| !value.is_null());
        if ours != theirs {
            wrong.push(format!("{}\n  ours   {ours}\n  theirs {theirs}", case["id"]));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} differ:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
}

#[test]
fn tolerations_are_those_of_the_real_scheduler() {
    for case in vectors("control-plane-toleration.json") {
        let Some(wanted) = case["out"]["tolerates"].as_bool() else {
            continue;
        };
        let toleration: core::Toleration = read(&case["in"]["toleration"]);
        let taint: core::Taint = read(&case["in"]["taint"]);
        assert_eq!(tolerates(&toleration, &taint), wanted, "{}", case["id"]);
    }
}

/// Run by hand: `cargo test -p peapod-sim --test scheduling -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn how_long_a_cycle_takes() {
    for nodes in [100, 1000, 5000] {
        let mut cache = Cache::default();
        for number in 0..nodes {
            let name = format!("node-{number}");
            cache.set_node(&read::<core::Node>(&json!({
                "metadata": {"name": name, "labels": {
                    "kubernetes.io/hostname": name, "topology.kubernetes.io/zone": format!("z{}", number % 3),
                }},
                "status": {"allocatable": {"cpu": "8", "memory": "32Gi", "pods": "110"}},
            })));
        }
        let (listers, nominated) = (Listers::default(), BTreeMap::new());
        let begin = std::time::Instant::now();
        let pods = 2000;
        let mut start = 0;
        for number in 0..pods {
            let pod: core::Pod = read(&json!({
                "metadata": {"name": format!("p{number}"), "namespace": "default", "labels": {"app": "web"}},
                "spec": {"containers": [{"name": "c", "image": "nginx", "resources": {"requests": {"cpu": "100m"}}}]},
            }));
            let info = PodInfo::new(&pod);
            let cycle = Cycle::new(&cache, &listers, &nominated, &pod, &info);
            let found = cycle.find(start);
            start = (start + found.processed) % nodes;
            let scores = cycle.scores(&found.feasible);
            let best = (0..scores.len()).max_by_key(|index| scores[*index].iter().map(|(_, score)| score).sum::<i64>());
            let name = Arc::clone(&cache.node(found.feasible[best.expect("a node fits")]).name);
            cache.set_pod(Arc::new(info), &name);
        }
        println!("{nodes} nodes: {:?} a pod", begin.elapsed() / pods);
    }
}
