//! Workloads of several pods on several nodes: what their controllers may never do, whatever happens.

use std::collections::{BTreeMap, BTreeSet};

use peapod_sim::cluster::{Cluster, Config, NodeConfig};
use peapod_sim::request::{PatchKind, Request, Verb};
use peapod_sim::runtime::catalogue::Catalogue;
use peapod_sim::time::{SimDuration, SimTime};
use peapod_sim::trace::{RuntimeEvent, What};
use peapod_sim::version::Version;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::deeds::{Deed, Outage, live};
use crate::{check, explore, like_untraced, same};

const NODES: [&str; 3] = ["node-1", "node-2", "node-3"];
/// The end of a case, in seconds.
const END: u64 = 360;

/// What is done to the workload itself.
#[derive(Clone, Debug)]
enum Change {
    Scale(u32),
    Template(&'static str),
    Image(&'static str),
    Delete(&'static str),
}

struct Case {
    version: Version,
    workload: Value,
    changes: Vec<(u64, Change)>,
    /// Deeds, each with the number of the pod and of the node that it is done to.
    deeds: Vec<(u64, Deed, usize, usize)>,
    seed: u64,
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            version,
            workload,
            changes,
            deeds,
            seed,
        } = self;
        write!(
            f,
            "{version} seed {seed} changes {changes:?} deeds {deeds:?}\n{workload}"
        )
    }
}

fn template(script: &str, policy: &str) -> Value {
    let container = json!({ "name": "c", "image": "busybox:1.36", "command": ["sh", "-c", script] });
    // Silent nodes are left soon.
    let patience = |taint: &str| json!({ "key": format!("node.kubernetes.io/{taint}"), "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 20 });
    json!({
        "metadata": { "labels": { "app": "w" } },
        "spec": {
            "restartPolicy": policy, "terminationGracePeriodSeconds": 2, "containers": [container],
            "tolerations": [patience("not-ready"), patience("unreachable")],
        },
    })
}

fn service() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "sleep 3600",
        "trap 'exit 0' TERM; sleep 3600 & wait",
        "sleep 3600",
        "sleep 15; exit 1",
        "exit 1",
    ])
}

fn deployment() -> impl Strategy<Value = Value> {
    (0_u32..7, 0_u32..3, 0_u32..3, any::<bool>(), 0_u32..5, service()).prop_map(
        |(replicas, surge, unavailable, recreate, ready, script)| {
            let strategy = if recreate && surge == 0 {
                json!({ "type": "Recreate" })
            } else {
                let unavailable = if surge == 0 { unavailable.max(1) } else { unavailable };
                json!({ "type": "RollingUpdate", "rollingUpdate": { "maxSurge": surge, "maxUnavailable": unavailable } })
            };
            json!({
                "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "w" },
                "spec": {
                    "replicas": replicas, "minReadySeconds": ready, "strategy": strategy,
                    "selector": { "matchLabels": { "app": "w" } }, "template": template(script, "Always"),
                },
            })
        },
    )
}

fn stateful_set() -> impl Strategy<Value = Value> {
    (0_u32..5, any::<bool>(), service()).prop_map(|(replicas, parallel, script)| {
        json!({
            "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": { "name": "w" },
            "spec": {
                "replicas": replicas, "serviceName": "w",
                "podManagementPolicy": if parallel { "Parallel" } else { "OrderedReady" },
                "selector": { "matchLabels": { "app": "w" } }, "template": template(script, "Always"),
            },
        })
    })
}

fn daemon_set() -> impl Strategy<Value = Value> {
    service().prop_map(|script| {
        json!({
            "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": { "name": "w" },
            "spec": { "selector": { "matchLabels": { "app": "w" } }, "template": template(script, "Always") },
        })
    })
}

fn job() -> impl Strategy<Value = Value> {
    let script = prop::sample::select(vec![
        "exit 0",
        "sleep 5",
        "sleep 2; exit 1",
        "sleep 30",
        "test $HOSTNAME = x",
    ]);
    let policy = prop::sample::select(vec!["Never", "OnFailure"]);
    (0_u32..6, 0_u32..5, 0_u32..4, any::<bool>(), script, policy).prop_map(
        |(completions, parallelism, limit, indexed, script, policy)| {
            json!({
                "apiVersion": "batch/v1", "kind": "Job", "metadata": { "name": "w" },
                "spec": {
                    "completions": completions, "parallelism": parallelism, "backoffLimit": limit,
                    "completionMode": if indexed { "Indexed" } else { "NonIndexed" }, "template": template(script, policy),
                },
            })
        },
    )
}

fn case() -> impl Strategy<Value = Case> {
    let workload = prop_oneof![
        3 => deployment().boxed(),
        2 => stateful_set().boxed(),
        1 => daemon_set().boxed(),
        3 => job().boxed(),
    ];
    let change = prop_oneof![
        2 => (0_u32..7).prop_map(Change::Scale),
        3 => prop::sample::select(vec!["a", "b"]).prop_map(Change::Template),
        1 => prop::sample::select(vec!["busybox:nope", "busybox:1.36"]).prop_map(Change::Image),
        1 => prop::sample::select(vec!["Background", "Foreground", "Orphan"]).prop_map(Change::Delete),
    ];
    let outage = prop::sample::select(vec![
        Outage::Power,
        Outage::Frozen,
        Outage::Kubelet,
        Outage::Network,
        Outage::Scheduler,
        Outage::Controllers,
        Outage::ApiServer,
    ]);
    let deed = prop_oneof![
        2 => prop::option::of(0_i64..4).prop_map(Deed::Delete),
        1 => Just(Deed::Force),
        1 => Just(Deed::Evict),
        1 => Just(Deed::Label),
        1 => Just(Deed::Kill(0, "SIGKILL")),
        1 => Just(Deed::KillSandbox),
        1 => Just(Deed::Crash),
        1 => Just(Deed::DeleteNode),
        4 => (outage, 1_u64..150).prop_map(|(outage, seconds)| Deed::Outage(outage, seconds)),
    ];
    let versions: Vec<Version> = Version::all().chain(std::iter::repeat_n(Version::NEWEST, 8)).collect();
    let deeds = prop_oneof![
        Just(Vec::new()).boxed(),
        prop::collection::vec((0_u64..1200, deed, 0_usize..6, 0_usize..3), 0..4).boxed(),
    ];
    let changes = prop::collection::vec((0_u64..1200, change), 0..3);
    (prop::sample::select(versions), workload, changes, deeds, 1_u64..1000).prop_map(
        |(version, workload, changes, deeds, seed)| Case {
            version,
            workload,
            changes,
            deeds,
            seed,
        },
    )
}

fn about(case: &Case, verb: Verb, name: &str, body: Option<Value>) -> Request {
    let kind = case.workload["kind"].as_str().unwrap_or_default();
    Request {
        verb,
        group: case.workload["apiVersion"]
            .as_str()
            .unwrap_or_default()
            .trim_end_matches("/v1")
            .to_owned(),
        version: "v1".to_owned(),
        resource: format!("{}s", kind.to_lowercase()),
        namespace: "default".to_owned(),
        name: name.to_owned(),
        subresource: String::new(),
        patch: (verb == Verb::Patch).then_some(PatchKind::Strategic),
        body,
        query: Vec::new(),
    }
}

impl Case {
    fn kind(&self) -> &str {
        self.workload["kind"].as_str().unwrap_or_default()
    }

    /// Whether nothing but its controller works on the pods: no faults, nobody deletes.
    fn is_left_alone(&self) -> bool {
        self.deeds.iter().all(|(_, deed, ..)| matches!(deed, Deed::Label))
            && self
                .changes
                .iter()
                .all(|(_, change)| matches!(change, Change::Template(_)))
    }

    fn script(&self) -> &str {
        self.workload
            .pointer("/spec/template/spec/containers/0/command/2")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }
}

fn run(case: &Case, traced: bool) -> Cluster {
    let nodes = NODES.map(|name| NodeConfig {
        name: name.to_owned(),
        ..NodeConfig::default()
    });
    let config = Config {
        version: case.version,
        seed: case.seed,
        nodes: nodes.to_vec(),
        traced,
        catalogue: Catalogue::recording(),
        ..Config::default()
    };
    let mut cluster = Cluster::new(config).expect("a cluster");
    cluster.command("create the workload");
    cluster
        .request(&about(case, Verb::Create, "", Some(case.workload.clone())))
        .expect("the workload is valid");
    // Changes of the workload and deeds to its pods, in order of time.
    let mut plan: Vec<(u64, Result<usize, usize>)> = Vec::new();
    plan.extend(case.changes.iter().enumerate().map(|(index, (at, _))| (*at, Ok(index))));
    plan.extend(case.deeds.iter().enumerate().map(|(index, (at, ..))| (*at, Err(index))));
    plan.sort_unstable();
    let mut deeds = Vec::new();
    for (at, step) in plan {
        match step {
            Ok(index) => {
                cluster.run_until(SimTime::ZERO + SimDuration::from_millis(at * 100));
                change(case, &mut cluster, &case.changes[index].1);
            }
            Err(index) => {
                let (at, deed, pod, node) = &case.deeds[index];
                cluster.run_until(SimTime::ZERO + SimDuration::from_millis(at * 100));
                let pods = cluster.objects("Pod");
                let name = match pods.len() {
                    0 => "none".to_owned(),
                    count => pods[pod % count]["metadata"]["name"]
                        .as_str()
                        .unwrap_or_default()
                        .to_owned(),
                };
                crate::deeds::act(&mut cluster, deed, &name, NODES[*node]);
                // Its end comes with the others, below.
                if let Deed::Outage(outage, seconds) = deed {
                    deeds.push((
                        at + seconds * 10,
                        Deed::Outage(*outage, 0),
                        name,
                        NODES[*node].to_owned(),
                    ));
                }
            }
        }
    }
    live(&mut cluster, &deeds, SimTime::ZERO + SimDuration::from_secs(END));
    cluster
}

fn change(case: &Case, cluster: &mut Cluster, change: &Change) {
    let patch = |body: Value| about(case, Verb::Patch, "w", Some(body));
    let request = match change {
        Change::Scale(replicas) if case.kind() == "Job" => patch(json!({ "spec": { "parallelism": replicas } })),
        Change::Scale(replicas) => patch(json!({ "spec": { "replicas": replicas } })),
        Change::Template(value) => {
            patch(json!({ "spec": { "template": { "metadata": { "annotations": { "v": value } } } } }))
        }
        Change::Image(image) => {
            let containers = json!([{ "name": "c", "image": image }]);
            patch(json!({ "spec": { "template": { "spec": { "containers": containers } } } }))
        }
        Change::Delete(policy) => about(case, Verb::Delete, "w", Some(json!({ "propagationPolicy": policy }))),
    };
    // What cannot be changed is refused, and nothing else.
    let _ = cluster.request(&request);
}

fn holds(case: &Case) -> Result<(), String> {
    let first = run(case, true);
    check::history(&first, case.deeds.iter().any(|(_, deed, ..)| deed.cuts_off()))?;
    check::rest(&first, false)?;
    orphans(&first)?;
    match case.kind() {
        "Deployment" => deployment_is_fenced(case, &first)?,
        "StatefulSet" => one_pod_an_ordinal(case, &first)?,
        "Job" => job_adds_up(&first)?,
        _ => {}
    }
    // A second run is compared in turn as a trace and without one.
    if case.seed.is_multiple_of(2) {
        like_untraced(&first, &run(case, false))
    } else {
        same(&first, &run(case, true))
    }
}

/// Whoever has an owner that controls it has one that is there.
fn orphans(cluster: &Cluster) -> Result<(), String> {
    let kinds = ["Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "Pod"];
    let objects: Vec<_> = kinds.iter().flat_map(|kind| cluster.objects(kind)).collect();
    let uids: BTreeSet<&str> = objects
        .iter()
        .filter_map(|object| object["metadata"]["uid"].as_str())
        .collect();
    for object in &objects {
        for owner in object["metadata"]["ownerReferences"].as_array().into_iter().flatten() {
            let uid = owner["uid"].as_str().unwrap_or_default();
            if !uids.contains(uid) {
                return Err(format!(
                    "{} {} has no owner any more",
                    object["kind"], object["metadata"]["name"]
                ));
            }
        }
    }
    Ok(())
}

/// A rollout never takes more than `maxUnavailable` away and never adds more than `maxSurge`.
fn deployment_is_fenced(case: &Case, cluster: &Cluster) -> Result<(), String> {
    let spec = &case.workload["spec"];
    let number = |value: &Value| value.as_u64().unwrap_or(0) as usize;
    let replicas = number(&spec["replicas"]);
    let rolling = &spec["strategy"]["rollingUpdate"];
    let steady = case.script().contains("sleep 3600");
    if !rolling.is_object() || !steady || !case.is_left_alone() {
        return Ok(());
    }
    let (most, least) = (
        replicas + number(&rolling["maxSurge"]),
        replicas.saturating_sub(number(&rolling["maxUnavailable"])),
    );
    let mut pods: BTreeMap<String, (bool, bool)> = BTreeMap::new();
    // Of each ReplicaSet: what it is told, and how many pods its status has.
    let mut sets: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let mut was_up = false;
    // The real Deployment controller, too, counts what is available by the statuses of its ReplicaSets
    // (`scaleDownOldReplicaSetsForRollingUpdate`): when it looks between a ReplicaSet's deletions and the status that
    // tells of them, it takes the same pods away twice.
    let mut raced = false;
    for write in cluster.writes() {
        let object = write.stored.json();
        if object["kind"] == "ReplicaSet" {
            // The limit is on what the ReplicaSets are told; what they do follows each at its own pace.
            let now = (
                number(&object["spec"]["replicas"]),
                number(&object["status"]["replicas"]),
            );
            let before = sets.insert(write.stored.object.uid().to_owned(), now);
            raced |= before.is_some_and(|(told, have)| now.0 < told && told < have);
            let told: usize = sets.values().map(|(told, _)| told).sum();
            if told > most {
                return Err(format!(
                    "Deployment asks for {told} pods at {}, and at most {most} may be",
                    write.at
                ));
            }
        }
        if write.stored.object.as_pod().is_none() {
            continue;
        }
        let pod = write.stored.json();
        let uid = write.stored.object.uid().to_owned();
        if write.change == peapod_sim::trace::Change::Deleted {
            pods.remove(&uid);
        } else {
            let going = pod["metadata"]["deletionTimestamp"].is_string();
            let conditions = pod["status"]["conditions"].as_array().cloned().unwrap_or_default();
            let ready = conditions
                .iter()
                .any(|one| one["type"] == "Ready" && one["status"] == "True");
            pods.insert(uid, (going, ready));
        }
        let up = pods.values().filter(|(going, ready)| !going && *ready).count();
        was_up |= up >= replicas;
        if was_up && !raced && up < least {
            return Err(format!(
                "Deployment has {up} ready pods at {}, and {least} must be",
                write.at
            ));
        }
    }
    Ok(())
}

/// No two pods of one ordinal run at the same time, unless somebody took one away by force or its machine could not be asked.
fn one_pod_an_ordinal(case: &Case, cluster: &Cluster) -> Result<(), String> {
    let forced = case
        .deeds
        .iter()
        .any(|(_, deed, ..)| deed.is_rude() || matches!(deed, Deed::Outage(Outage::Power, _)));
    if forced {
        return Ok(());
    }
    let mut running: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for record in cluster.records() {
        let (What::Runtime { event }, Some(pod)) = (&record.what, &record.object) else {
            continue;
        };
        let here = running.entry(&pod.name).or_default();
        match event {
            RuntimeEvent::Started => {
                here.insert(&pod.uid);
                if here.len() > 1 {
                    return Err(format!("StatefulSet: two pods {} run at {}", pod.name, record.at));
                }
            }
            RuntimeEvent::Exited { .. } => {
                here.remove(pod.uid.as_str());
            }
            _ => {}
        }
    }
    Ok(())
}

/// A Job's counts never fall and never pass what was asked for, and it ends once.
fn job_adds_up(cluster: &Cluster) -> Result<(), String> {
    let mut counted = (0, 0);
    for write in cluster.writes() {
        let job = write.stored.json();
        if job["kind"] != "Job" {
            continue;
        }
        let at = write.at;
        let of = |field: &str| job["status"][field].as_i64().unwrap_or(0);
        let (succeeded, failed) = (of("succeeded"), of("failed"));
        if succeeded < counted.0 || failed < counted.1 {
            return Err(format!(
                "Job counted {counted:?} and then {:?} at {at}",
                (succeeded, failed)
            ));
        }
        counted = (succeeded, failed);
        let completions = job["spec"]["completions"].as_i64();
        let indexed = job["spec"]["completionMode"] == "Indexed";
        if indexed && completions.is_some_and(|completions| succeeded > completions) {
            return Err(format!("Job has {succeeded} of {completions:?} indexes at {at}"));
        }
        let conditions = job["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let has = |kind: &str| {
            conditions
                .iter()
                .any(|one| one["type"] == kind && one["status"] == "True")
        };
        if has("Complete") && has("Failed") {
            return Err(format!("Job is Complete and Failed at {at}"));
        }
        if has("Complete") && completions.is_some_and(|completions| succeeded < completions) {
            return Err(format!("Job is Complete with {succeeded} of {completions:?} at {at}"));
        }
        if (has("Complete") || has("Failed")) && of("active") > 0 {
            return Err(format!("Job has ended and {} pods are active at {at}", of("active")));
        }
    }
    Ok(())
}

#[test]
fn any_fleet_keeps_its_promises_and_repeats() {
    let regressions = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/promises/regressions/fleets.txt");
    explore(1000, regressions, case(), holds);
}
