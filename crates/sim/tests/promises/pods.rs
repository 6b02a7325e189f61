//! One pod on one node, of any version.

use peapod_sim::cluster::{Cluster, Config};
use peapod_sim::request::Verb;
use peapod_sim::runtime::catalogue::Catalogue;
use peapod_sim::time::{SimDuration, SimTime};
use peapod_sim::version::Version;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::deeds::{Deed, deeds, live, request};
use crate::{check, explore, like_untraced, same};

const NODE: &str = "node-1";
/// The end of a case: long after the last deed, so that what is to come to rest has come to rest.
const END: u64 = 420;

#[derive(Clone)]
struct Case {
    version: Version,
    pod: Value,
    deeds: Vec<(u64, Deed)>,
    seed: u64,
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} seed {} deeds {:?}\n{}",
            self.version, self.seed, self.deeds, self.pod
        )
    }
}

fn script() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "exit 0",
        "exit 1",
        "exit 42",
        "sleep 2; exit 0",
        "sleep 3; exit 7",
        "sleep 3600",
        "trap 'exit 0' TERM; sleep 3600 & wait",
        "trap 'sleep 4; exit 3' TERM; sleep 3600 & wait",
        "trap '' TERM; while true; do sleep 5; done",
        "echo hello; sleep 20; exit 255",
        "echo end > /dev/termination-log; kill -9 $$",
        "sleep 1; kill -TERM 1; sleep 5",
        "httpd -f -p 8080",
        "no-such-command",
    ])
}

fn handler() -> impl Strategy<Value = Value> {
    prop_oneof![
        3 => prop::sample::select(vec!["true", "false", "sleep 9", "exit 3", "test -e /tmp/ok"])
            .prop_map(|check| json!({ "exec": { "command": ["sh", "-c", check] } })),
        1 => Just(json!({ "httpGet": { "port": 8080, "path": "/" } })),
        1 => Just(json!({ "tcpSocket": { "port": 8080 } })),
    ]
}

fn probe() -> impl Strategy<Value = Value> {
    (handler(), 1_i64..6, 1_i64..4, 0_i64..5, 1_i64..3).prop_map(|(mut handler, period, failures, delay, timeout)| {
        handler["periodSeconds"] = period.into();
        handler["failureThreshold"] = failures.into();
        handler["initialDelaySeconds"] = delay.into();
        handler["timeoutSeconds"] = timeout.into();
        handler
    })
}

fn hook() -> impl Strategy<Value = Value> {
    prop_oneof![
        2 => prop::sample::select(vec!["true", "exit 1", "sleep 2", "sleep 30"])
            .prop_map(|check| json!({ "exec": { "command": ["sh", "-c", check] } })),
        1 => (0_i64..4).prop_map(|seconds| json!({ "sleep": { "seconds": seconds } })),
        1 => Just(json!({ "httpGet": { "port": 8080, "path": "/" } })),
    ]
}

fn rules() -> impl Strategy<Value = Value> {
    let action = prop::sample::select(vec!["Restart", "Restart", "RestartAllContainers"]);
    let operator = prop::sample::select(vec!["In", "NotIn"]);
    let codes = prop::sample::select(vec![vec![0], vec![42], vec![1, 7], vec![137, 143]]);
    (action, operator, codes).prop_map(
        |(action, operator, values)| json!([{ "action": action, "exitCodes": { "operator": operator, "values": values } }]),
    )
}

fn sometimes<S: Strategy>(one_in: u32, strategy: S) -> impl Strategy<Value = Option<S::Value>> {
    prop::option::weighted(1.0 / f64::from(one_in), strategy)
}

fn container(name: String) -> impl Strategy<Value = Value> {
    let images = [
        vec!["busybox:1.36"; 12],
        vec!["busybox:nope", "slow:1", "NO//NAME", "busybox"],
    ]
    .concat();
    let basics = (
        script(),
        prop::sample::select(images),
        sometimes(8, prop::sample::select(vec!["Always", "Never", "IfNotPresent"])),
    );
    let probes = (sometimes(4, probe()), sometimes(4, probe()), sometimes(6, probe()));
    let hooks = (
        sometimes(5, hook()),
        sometimes(6, hook()),
        sometimes(10, prop::sample::select(vec!["SIGUSR1", "SIGKILL", "SIGINT"])),
    );
    let policy = (
        sometimes(6, prop::sample::select(vec!["Always", "OnFailure", "Never"])),
        sometimes(8, rules()),
    );
    let resources = sometimes(
        5,
        prop::sample::select(vec![
            json!({ "requests": { "cpu": "10m" } }),
            json!({ "requests": { "cpu": "64" } }),
            json!({ "limits": { "cpu": "100m", "memory": "64Mi" } }),
            json!({ "limits": { "memory": "1Mi" } }),
            json!({ "limits": { "ephemeral-storage": "1Ki" } }),
        ]),
    );
    let odd = sometimes(
        8,
        prop::sample::select(vec![
            json!({ "securityContext": { "runAsNonRoot": true } }),
            json!({ "envFrom": [{ "configMapRef": { "name": "missing" } }] }),
            json!({ "terminationMessagePolicy": "FallbackToLogsOnError" }),
            json!({ "ports": [{ "containerPort": 8080 }] }),
            json!({ "workingDir": "/no/such/place" }),
            json!({ "env": [{ "name": "A B", "value": "x" }] }),
        ]),
    );
    (basics, probes, hooks, policy, resources, odd).prop_map(
        move |(
            (script, image, pull),
            (live, ready, start),
            (pre_stop, post_start, signal),
            (policy, rules),
            resources,
            odd,
        )| {
            let mut container = json!({ "name": name, "image": image, "command": ["sh", "-c", script] });
            for (field, value) in [
                ("livenessProbe", live),
                ("readinessProbe", ready),
                ("startupProbe", start),
                ("resources", resources),
            ] {
                if let Some(value) = value {
                    container[field] = value;
                }
            }
            for (field, value) in [("preStop", pre_stop), ("postStart", post_start)] {
                if let Some(value) = value {
                    container["lifecycle"][field] = value;
                }
            }
            if let Some(signal) = signal {
                container["lifecycle"]["stopSignal"] = signal.into();
            }
            if let Some(pull) = pull {
                container["imagePullPolicy"] = pull.into();
            }
            if rules.is_some() || policy.is_some() {
                container["restartPolicy"] = policy.unwrap_or("Never").into();
            }
            if let Some(rules) = rules {
                container["restartPolicyRules"] = rules;
            }
            for (field, value) in odd.iter().flat_map(|odd| odd.as_object().into_iter().flatten()) {
                container[field] = value.clone();
            }
            container
        },
    )
}

fn pod() -> impl Strategy<Value = Value> {
    let containers =
        (1_usize..4).prop_flat_map(|count| (0..count).map(|n| container(format!("c{n}"))).collect::<Vec<_>>());
    let init = prop::sample::select(vec![0, 0, 0, 1, 2, 3]).prop_flat_map(|count: usize| {
        (0..count)
            .map(|n| (container(format!("i{n}")), any::<bool>()))
            .collect::<Vec<_>>()
    });
    let policy = prop::sample::select(vec!["Always", "OnFailure", "Never"]);
    let rest = (
        0_i64..12,
        sometimes(6, 5_i64..60),
        sometimes(10, Just(true)),
        sometimes(12, Just("missing")),
        sometimes(12, Just(NODE)),
    );
    let finalizer = sometimes(15, Just("example.com/wait"));
    (containers, init, policy, rest, finalizer).prop_map(|(containers, init, policy, (grace, deadline, host, volume, node), finalizer)| {
        let init: Vec<Value> = init
            .into_iter()
            .map(|(mut container, sidecar)| {
                if sidecar {
                    container["restartPolicy"] = "Always".into();
                } else if let Some(fields) = container.as_object_mut() {
                    fields.retain(|key, _| !key.ends_with("Probe") && key != "lifecycle");
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
        if host.is_some() {
            spec["hostNetwork"] = true.into();
        }
        if let Some(name) = volume {
            spec["volumes"] = json!([{ "name": "v", "configMap": { "name": name } }]);
        }
        if let Some(node) = node {
            spec["nodeName"] = node.into();
        }
        let mut pod = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "p", "labels": { "app": "p" } }, "spec": spec });
        if let Some(finalizer) = finalizer {
            pod["metadata"]["finalizers"] = json!([finalizer]);
        }
        pod
    })
}

fn case() -> impl Strategy<Value = Case> {
    let versions: Vec<Version> = Version::all().chain(std::iter::repeat_n(Version::NEWEST, 8)).collect();
    (prop::sample::select(versions), pod(), deeds(4), 1_u64..1000).prop_map(|(version, pod, deeds, seed)| Case {
        version,
        pod,
        deeds,
        seed,
    })
}

/// Lives a case; `None` when the version refuses the pod.
fn run(case: &Case, traced: bool) -> Option<Cluster> {
    let config = Config {
        version: case.version,
        seed: case.seed,
        traced,
        catalogue: Catalogue::recording(),
        ..Config::default()
    };
    let mut cluster = Cluster::new(config).expect("a cluster");
    cluster.command("create the pod");
    cluster
        .request(&request(Verb::Create, "", "", Some(case.pod.clone())))
        .ok()?;
    let deeds: Vec<_> = case
        .deeds
        .iter()
        .map(|(at, deed)| (*at, deed.clone(), "p".to_owned(), NODE.to_owned()))
        .collect();
    live(&mut cluster, &deeds, SimTime::ZERO + SimDuration::from_secs(END));
    Some(cluster)
}

fn holds(case: &Case) -> Result<(), String> {
    let Some(first) = run(case, true) else { return Ok(()) };
    check::history(&first, case.deeds.iter().any(|(_, deed)| deed.cuts_off()))?;
    let held = case.pod["metadata"]["finalizers"].is_array();
    check::rest(&first, held)?;
    let again = |traced| run(case, traced).ok_or("the same pod is refused the second time");
    like_untraced(&first, &again(false)?)?;
    same(&first, &again(true)?)
}

#[test]
fn any_pod_keeps_its_promises_and_repeats() {
    let regressions = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/promises/regressions/pods.txt");
    explore(1000, regressions, case(), holds);
}
