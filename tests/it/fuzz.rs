//! Whatever a person writes, nothing breaks: manifests, command lines and experiments that are almost right, or not at all.
//!
//! `PEAPOD_FUZZ_CASES` and `PEAPOD_FUZZ_SEED` as for the simulator's property tests.

use std::path::Path;

use peapod::cluster_api::{apply, kubectl};
use peapod::lab::{self, Runner};
use peapod_kubectl::NoFiles;
use peapod_sim::cluster::{Cluster, Config};
use peapod_sim::manifest;
use peapod_sim::rng::Rng;
use peapod_sim::time::{SimDuration, SimTime};
use peapod_sim::version::Version;
use serde_json::{Value, json};

/// How many cases are tried, and from which seed they come.
fn cases(few: u64) -> (u64, u64) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    (
        number("PEAPOD_FUZZ_CASES").unwrap_or(few),
        number("PEAPOD_FUZZ_SEED").unwrap_or(1),
    )
}

fn pick<'a, T>(rng: &mut Rng, list: &'a [T]) -> &'a T {
    &list[usize::try_from(rng.below(list.len() as u64)).unwrap_or(0)]
}

/// The fences of a language in the notes of the library.
fn fences(language: &str) -> Vec<String> {
    let mut found = Vec::new();
    let notes = Path::new(env!("CARGO_MANIFEST_DIR")).join("notes");
    let mut files: Vec<_> = std::fs::read_dir(notes)
        .expect("the notes")
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .collect();
    files.sort();
    for file in files {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let mut fence: Option<String> = None;
        for line in text.lines() {
            match &mut fence {
                Some(inside) if line.trim_end() == "```" => {
                    found.push(std::mem::take(inside));
                    fence = None;
                }
                Some(inside) => *inside += &format!("{line}\n"),
                None if line.trim_end() == format!("```{language}") => fence = Some(String::new()),
                None => {}
            }
        }
    }
    found
}

const MANIFESTS: [&str; 5] = [
    "{apiVersion: v1, kind: Pod, metadata: {name: p, labels: {app: w}}, spec: {restartPolicy: OnFailure, activeDeadlineSeconds: 40, \
     volumes: [{name: d, emptyDir: {sizeLimit: 1Mi}}, {name: c, configMap: {name: cm}}], initContainers: [{name: i, image: busybox:1.36, \
     restartPolicy: Always, command: [sleep, '3600']}], containers: [{name: a, image: busybox:1.36, command: [sh, -c, 'sleep 3; exit 1'], \
     env: [{name: A, value: x}, {name: N, valueFrom: {fieldRef: {fieldPath: metadata.name}}}], ports: [{containerPort: 80, hostPort: 8080}], \
     resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {cpu: 200m}}, volumeMounts: [{name: d, mountPath: /d}], \
     livenessProbe: {httpGet: {path: /, port: 80}, periodSeconds: 3}, lifecycle: {preStop: {sleep: {seconds: 1}}}}], \
     tolerations: [{key: k, operator: Exists, effect: NoExecute, tolerationSeconds: 5}], nodeSelector: {kubernetes.io/os: linux}, \
     affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: kubernetes.io/hostname, \
     labelSelector: {matchLabels: {app: w}}}]}}, topologySpreadConstraints: [{maxSkew: 1, topologyKey: kubernetes.io/hostname, \
     whenUnsatisfiable: ScheduleAnyway, labelSelector: {matchLabels: {app: w}}}]}}",
    "{apiVersion: apps/v1, kind: Deployment, metadata: {name: d}, spec: {replicas: 3, strategy: {rollingUpdate: {maxSurge: 25%, maxUnavailable: 1}}, \
     selector: {matchLabels: {app: d}}, template: {metadata: {labels: {app: d}}, spec: {containers: [{name: c, image: nginx:1.25}]}}}}",
    "{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: s}, spec: {replicas: 2, serviceName: s, selector: {matchLabels: {app: s}}, \
     volumeClaimTemplates: [{metadata: {name: v}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}], \
     template: {metadata: {labels: {app: s}}, spec: {containers: [{name: c, image: nginx:1.25, volumeMounts: [{name: v, mountPath: /v}]}]}}}}",
    "{apiVersion: batch/v1, kind: CronJob, metadata: {name: j}, spec: {schedule: '*/1 * * * *', concurrencyPolicy: Replace, jobTemplate: {spec: \
     {completions: 2, parallelism: 2, completionMode: Indexed, backoffLimitPerIndex: 1, podFailurePolicy: {rules: [{action: FailJob, \
     onExitCodes: {operator: In, values: [3]}}]}, template: {spec: {restartPolicy: Never, containers: [{name: c, image: busybox:1.36, \
     command: [sh, -c, 'exit 3']}]}}}}}}",
    "{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: Service, metadata: {name: w}, spec: {selector: {app: w}, type: NodePort, \
     ports: [{name: http, port: 80, targetPort: 8080, nodePort: 30080}]}}, {apiVersion: v1, kind: ConfigMap, metadata: {name: cm}, data: {a: b}}, \
     {apiVersion: v1, kind: ResourceQuota, metadata: {name: q}, spec: {hard: {pods: '5', requests.cpu: 2}}}, {apiVersion: policy/v1, \
     kind: PodDisruptionBudget, metadata: {name: b}, spec: {minAvailable: 50%, selector: {matchLabels: {app: w}}}}, {apiVersion: v1, \
     kind: PersistentVolumeClaim, metadata: {name: c}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}, \
     {apiVersion: v1, kind: LimitRange, metadata: {name: l}, spec: {limits: [{type: Container, default: {cpu: 100m}}]}}, \
     {apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: h}, value: 1000}]}",
];

/// A value of some other kind than what stands there, or at the edge of what can stand there.
fn odd(rng: &mut Rng) -> Value {
    let odd = [
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(1e300),
        json!(0.5),
        json!(""),
        json!("x"),
        json!("-1"),
        json!("9999999999999999999999"),
        json!("100%"),
        json!("1e9Gi"),
        json!("한글 🦀 \u{0}\u{7f}\n\t"),
        json!("a".repeat(300)),
        json!([]),
        json!([null]),
        json!([[], {}]),
        json!({}),
        json!({ "": "" }),
        json!({ "name": "x", "matchLabels": { "app": "w" } }),
    ];
    pick(rng, &odd).clone()
}

/// All places in a value.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                places(
                    inner,
                    &format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")),
                    found,
                );
            }
        }
        Value::Array(list) => {
            for (index, inner) in list.iter().enumerate() {
                places(inner, &format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

/// Drops, doubles, renames or retypes something.
fn mutate(rng: &mut Rng, value: &mut Value) {
    let mut all = Vec::new();
    places(value, "", &mut all);
    let place = pick(rng, &all).clone();
    let deed = rng.below(6);
    let new = odd(rng);
    let Some((parent, key)) = place.rsplit_once('/') else {
        return;
    };
    let key = key.replace("~1", "/").replace("~0", "~");
    match value.pointer_mut(parent) {
        Some(Value::Object(fields)) => match deed {
            0 | 1 => {
                fields.shift_remove(&key);
            }
            2 => {
                if let Some(taken) = fields.shift_remove(&key) {
                    fields.insert(format!("{key}s"), taken);
                }
            }
            3 => {
                fields.insert("unheardOf".to_owned(), new);
            }
            _ => {
                fields.insert(key, new);
            }
        },
        Some(Value::Array(list)) => {
            let index = key.parse::<usize>().unwrap_or(0).min(list.len().saturating_sub(1));
            match deed {
                0 | 1 => {
                    list.remove(index);
                }
                2 | 3 => {
                    let again = list[index].clone();
                    list.push(again);
                }
                _ => list[index] = new,
            }
        }
        _ => {}
    }
}

/// Damages a text as typing does.
fn damage(rng: &mut Rng, text: &str) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    if lines.is_empty() {
        return text.to_owned();
    }
    let at = usize::try_from(rng.below(lines.len() as u64)).unwrap_or(0);
    match rng.below(8) {
        0 => {
            lines.remove(at);
        }
        1 => lines.insert(at, lines[at].clone()),
        2 => lines[at] = format!("  {}", lines[at]),
        3 => lines[at] = lines[at].trim_start().to_owned(),
        4 => {
            let words = [
                "{{", "}}", "- ", ": ", "\t", "'", "\"", "[", "{", "&a", "*a", "!!int", "|", "---", "~", "1e999", "가",
            ];
            let characters: Vec<char> = lines[at].chars().collect();
            let cut = usize::try_from(rng.below(characters.len() as u64 + 1)).unwrap_or(0);
            let (head, tail) = characters.split_at(cut);
            lines[at] = format!(
                "{}{}{}",
                String::from_iter(head),
                pick(rng, &words),
                String::from_iter(tail)
            );
        }
        5 => {
            let characters: Vec<char> = lines[at].chars().collect();
            let cut = usize::try_from(rng.below(characters.len() as u64 + 1)).unwrap_or(0);
            lines[at] = characters[..cut].iter().collect();
        }
        6 => {
            let other = usize::try_from(rng.below(lines.len() as u64)).unwrap_or(0);
            lines.swap(at, other);
        }
        _ => {
            let (key, _) = lines[at].split_once(':').unwrap_or((&lines[at], ""));
            lines[at] = format!("{key}: {}", odd(rng));
        }
    }
    lines.join("\n") + "\n"
}

fn version(rng: &mut Rng) -> Version {
    let all: Vec<Version> = Version::all().collect();
    *pick(rng, &all)
}

#[test]
fn any_manifest_is_applied_or_refused_at_its_place() {
    let (cases, seed) = cases(400);
    let sources: Vec<Value> = MANIFESTS
        .iter()
        .flat_map(|text| manifest::read(text).expect("YAML"))
        .map(|manifest| manifest.value.clone())
        .collect();
    for case in 0..cases {
        let mut rng = Rng::new(seed.wrapping_mul(1_000_003).wrapping_add(case));
        let mut value = pick(&mut rng, &sources).clone();
        for _ in 0..=rng.below(3) {
            mutate(&mut rng, &mut value);
        }
        let mut text = if rng.below(2) == 0 {
            value.to_string()
        } else {
            serde_json::to_string_pretty(&value).unwrap_or_default()
        };
        if rng.below(3) == 0 {
            text = damage(&mut rng, &text);
        }
        let lines = u32::try_from(text.lines().count()).unwrap_or(u32::MAX);
        let manifests = match manifest::read(&text) {
            Ok(manifests) => manifests,
            Err(problems) => {
                assert!(!problems.is_empty(), "case {case}: refused without a reason\n{text}");
                for problem in problems {
                    assert!(
                        (1..=lines + 1).contains(&problem.span.line),
                        "case {case}: {problem:?}\n{text}"
                    );
                }
                continue;
            }
        };
        for problem in manifests.iter().flat_map(manifest::check) {
            assert!(
                (1..=lines + 1).contains(&problem.span.line) && problem.span.column >= 1,
                "case {case}: {problem:?}\n{text}"
            );
        }
        let config = Config {
            version: version(&mut rng),
            ..Config::default()
        };
        let mut cluster = Cluster::new(config).expect("a cluster");
        let _ = apply(&mut cluster, &manifests, "default", "apply");
        cluster.run_until(SimTime::ZERO + SimDuration::from_secs(65));
        let _ = apply(&mut cluster, &manifests, "default", "apply");
    }
}

#[test]
fn any_line_is_answered() {
    const WORDS: &[&str] = &[
        "get",
        "describe",
        "delete",
        "logs",
        "apply",
        "create",
        "scale",
        "rollout",
        "status",
        "history",
        "undo",
        "restart",
        "pause",
        "label",
        "annotate",
        "taint",
        "cordon",
        "uncordon",
        "drain",
        "exec",
        "run",
        "expose",
        "set",
        "image",
        "resources",
        "patch",
        "wait",
        "explain",
        "version",
        "api-resources",
        "events",
        "top",
        "edit",
        "replace",
        "autoscale",
        "config",
        "auth",
        "can-i",
        "debug",
        "cp",
        "diff",
        "pods",
        "pod",
        "po",
        "deploy/d",
        "deployment",
        "svc",
        "nodes",
        "node-1",
        "p",
        "d",
        "job/j",
        "all",
        "rs",
        "ns",
        "default",
        "pod/p",
        "c=x",
        "app=w",
        "app-",
        "k=v:NoExecute",
        "--all",
        "-A",
        "-n",
        "kube-system",
        "-o",
        "yaml",
        "json",
        "wide",
        "name",
        "jsonpath={.items[*].metadata.name}",
        "jsonpath={.a[",
        "custom-columns=A:.metadata.name",
        "go-template={{.}}",
        "--sort-by=.metadata.name",
        "-l",
        "app in (w,d)",
        "-w",
        "--force",
        "--grace-period=0",
        "--grace-period=-5",
        "--replicas=2",
        "--replicas=99999999999",
        "--image=busybox:1.36",
        "--rm",
        "-it",
        "--",
        "sh",
        "-c",
        "'echo hi'",
        "\"",
        "'",
        "--timeout=3s",
        "--for=delete",
        "--for=condition=Ready",
        "--for=jsonpath={.status.phase}=Running",
        "--type=merge",
        "-p",
        "'{\"spec\":{\"replicas\":1}}'",
        "'[]'",
        "-f",
        "-",
        "x.yaml",
        "--dry-run=client",
        "--dry-run=server",
        "--tail=1",
        "--previous",
        "--since=1h",
        "--cascade=orphan",
        "--subresource=resize",
        "--",
        "",
        "한글",
        "--unknown",
        "-",
        "--ignore-not-found",
        "--show-labels",
        "--overwrite",
        "--field-selector=status.phase=Running",
        "--to-revision=1",
        "--cpu=1",
        "--restart=Never",
        "--command",
        "-it",
        "--selector",
    ];
    let (cases, seed) = cases(600);
    let base = {
        let mut cluster = Cluster::new(Config::default()).expect("a cluster");
        for text in MANIFESTS {
            let _ = apply(&mut cluster, &manifest::read(text).expect("YAML"), "default", "apply");
        }
        cluster.run_until(SimTime::ZERO + SimDuration::from_secs(20));
        cluster
    };
    for case in 0..cases {
        let mut rng = Rng::new(seed.wrapping_mul(1_000_033).wrapping_add(case));
        let mut words = vec![pick(&mut rng, &WORDS[..42]).to_string()];
        for _ in 0..rng.below(6) {
            words.push((*pick(&mut rng, WORDS)).to_owned());
        }
        let mut cluster = base.clone();
        let line = words.join(" ");
        let output = kubectl(&mut cluster, &line, &NoFiles);
        assert!(
            output.exit_code == 0 || !output.stderr.is_empty() || !output.stdout.is_empty(),
            "case {case}: {line} fails in silence"
        );
        cluster.run_until(cluster.now() + SimDuration::from_secs(5));
    }
}

#[test]
fn any_experiment_is_read_or_refused_at_its_place() {
    let (cases, seed) = cases(1000);
    let sources = fences("experiment");
    assert!(sources.len() > 20, "the library has experiments");
    for case in 0..cases {
        let mut rng = Rng::new(seed.wrapping_mul(1_000_037).wrapping_add(case));
        let mut text = pick(&mut rng, &sources).clone();
        for _ in 0..=rng.below(3) {
            text = damage(&mut rng, &text);
        }
        let lines = u32::try_from(text.lines().count()).unwrap_or(u32::MAX);
        let reading = lab::read(&text, Some("n.md"), 1);
        assert!(
            reading.experiment.is_some() || reading.errors().next().is_some(),
            "case {case}: refused without a reason\n{text}"
        );
        for diagnostic in &reading.diagnostics {
            assert!(
                (1..=lines + 1).contains(&diagnostic.line) && diagnostic.column >= 1,
                "case {case}: {diagnostic:?}\n{text}"
            );
        }
    }
}

#[test]
fn every_version_runs_the_experiments_of_the_library() {
    let all = std::env::var_os("PEAPOD_FUZZ_CASES").is_some();
    let versions: Vec<Version> = Version::all().collect();
    for (index, text) in fences("experiment").into_iter().enumerate() {
        for (number, version) in versions.iter().enumerate() {
            // One version an experiment is enough for an ordinary run: which one goes round.
            if !all && index % versions.len() != number {
                continue;
            }
            let mut reading = lab::read(&text, None, 1);
            let Some(experiment) = &mut reading.experiment else {
                continue;
            };
            if !experiment.cluster.feature_gates.is_empty() || experiment.kubernetes.len() > 1 {
                continue;
            }
            experiment.kubernetes = vec![version.to_string()];
            let id = experiment.id.clone();
            let runner = Runner::new(experiment.clone()).expect("it could be read");
            let result = runner.without_traces().run(&mut |_| {});
            for trial in &result.trials {
                let broken = trial.error.as_ref().filter(|error| error.code == "trial.panic");
                assert!(broken.is_none(), "{id} with {version}: {broken:?}");
            }
        }
    }
}
