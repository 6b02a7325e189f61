//! Doing to a simulated cluster what was done to a real one.

use jiff::Timestamp;
use peapod_kubectl::{Command, Files};
use peapod_sim::cluster::{Cluster, Config, NodeConfig, setting_names};
use peapod_sim::fault::Fault;
use peapod_sim::request::{Request, Verb};
use peapod_sim::runtime::catalogue::Catalogue;
use peapod_sim::time::SimTime;
use serde_json::{Value, json};

use super::case::{Action, Case, Setting};
use super::digest::{Digest, digests};
use crate::cluster_api::{self, ClusterApi};

/// From the API server's answer to the end of a `kubectl`, in seconds. In the recordings the first object shows 15 ms before
/// the command returns, however long it took.
const ANSWERED: f64 = 0.015;
/// A command that takes longer than this waits for something after its request.
const WAITS: f64 = 1.0;
/// From the begin of a command that waits until the API server has its request, in seconds.
const REQUESTED: f64 = 0.1;

/// From the begin of a command that took so long until the API server has its request, in seconds.
fn request_after(took: f64) -> f64 {
    if took > WAITS {
        REQUESTED
    } else {
        (took - ANSWERED).max(0.0)
    }
}

/// The digests that a simulated cluster shows when the case is done to it.
///
/// # Errors
/// A sentence that says which step cannot be done.
pub fn replay(case: &Case, seed: u64) -> Result<Vec<Digest>, String> {
    Ok(shown(&run(case, seed)?))
}

/// The digests that a cluster has shown.
pub fn shown(cluster: &Cluster) -> Vec<Digest> {
    let start: Timestamp = cluster.wall_at(SimTime::ZERO);
    digests(cluster, start)
}

/// The namespace in which a case takes place.
pub fn namespace(case: &Case) -> &'static str {
    own_namespace(case).unwrap_or("default")
}

/// The cluster at the end of the case.
///
/// # Errors
/// A sentence that says which step cannot be done.
pub fn run(case: &Case, seed: u64) -> Result<Cluster, String> {
    let bare = Cluster::new(config(case, seed, Vec::new()))?;
    let mut settings = Vec::new();
    for (name, value) in &case.kubelet {
        if !setting_names().any(|known| known == name) {
            return Err(format!("the kubelet setting {name} is not simulated"));
        }
        let value = match value {
            Setting::One(text) => measured(&bare, text)?,
            Setting::Map(pairs) => {
                let pairs = pairs
                    .iter()
                    .map(|(key, text)| Ok(format!("{key}={}", measured(&bare, text)?)));
                pairs.collect::<Result<Vec<_>, String>>()?.join(",")
            }
        };
        settings.push((name.clone(), value));
    }
    let mut cluster = Cluster::new(config(case, seed, settings))?;
    if let Some(namespace) = own_namespace(case) {
        cluster_api::kubectl(&mut cluster, &format!("create namespace {namespace}"), &Manifests(case));
    }
    for fault in before(case) {
        cluster.fault(&fault)?;
    }
    for step in &case.steps {
        let delay = match step.action {
            Action::Apply(_) | Action::Kubectl(_) | Action::Evict | Action::DeleteNamespace(_) => {
                request_after(step.done - step.at)
            }
            _ => 0.0,
        };
        cluster.run_until(instant(step.at + delay));
        act(case, &mut cluster, &step.action)?;
    }
    cluster.run_until(instant(case.duration));
    match cluster.problem() {
        Some(problem) => Err(problem),
        None => Ok(cluster),
    }
}

/// The cluster of a case, with these settings of its kubelets.
fn config(case: &Case, seed: u64, kubelet: Vec<(String, String)>) -> Config {
    let nodes = (1..=case.nodes)
        .map(|number| NodeConfig {
            name: format!("node-{number}"),
            labels: labels(case, &format!("node-{number}")),
            cpu: "2".to_owned(),
            memory: "24684084Ki".to_owned(),
            disk: "264212084Ki".to_owned(),
            ..NodeConfig::default()
        })
        .collect();
    // The recordings come from nodes with cgroup v1, in a cluster without storage; what a case does not say of thresholds was
    // as it is by default.
    let common = [
        ("cgroupVersion", "1"),
        ("storageClass", "none"),
        ("mergeDefaultEvictionSettings", "true"),
    ];
    let common = common.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Config {
        seed,
        start: case.start.unwrap_or(Config::default().start),
        nodes,
        catalogue: Catalogue::recording(),
        settings: common.into_iter().chain(kubelet).collect(),
        ..Config::default()
    }
}

/// A value that a recording gives by what its machine had, such as `<free memory at start - 2500Mi>`, as it is here.
fn measured(cluster: &Cluster, text: &str) -> Result<String, String> {
    let Some(inner) = text.strip_prefix('<').and_then(|text| text.strip_suffix('>')) else {
        return Ok(text.to_owned());
    };
    let unknown = || format!("the value {text} is not known");
    let (what, rest) = inner
        .strip_prefix("free ")
        .and_then(|text| text.split_once(" at start"))
        .ok_or_else(unknown)?;
    let signal = match what {
        "memory" => "memory.available",
        "disk" => "nodefs.available",
        "pids" | "processes" => "pid.available",
        "inodes" => "nodefs.inodesFree",
        _ => return Err(unknown()),
    };
    let last = cluster.objects("Node").len();
    let free = cluster.available(&format!("node-{last}"), signal).ok_or_else(unknown)?;
    let less = match rest.trim() {
        "" => 0,
        rest => {
            let amount = rest.strip_prefix('-').ok_or_else(unknown)?.trim();
            let amount = peapod_sim::quantity::parse(amount).map_err(|error| format!("{text}: {error}"))?;
            amount.value()
        }
    };
    // Whole mebibytes, as the recordings have it.
    let left = (free - less).max(0);
    Ok(if what == "memory" || what == "disk" {
        format!("{}Mi", left >> 20)
    } else {
        left.to_string()
    })
}

/// The namespace of a case that deletes its own: the recordings show all of theirs as `default`, which cannot be deleted.
const NAMESPACE: &str = "case";

fn own_namespace(case: &Case) -> Option<&'static str> {
    let deletes = case
        .steps
        .iter()
        .any(|step| matches!(step.action, Action::DeleteNamespace(_)));
    deletes.then_some(NAMESPACE)
}

/// Labels that nodes had before the first step: those that a step takes away, with the value that a manifest selects.
fn labels(case: &Case, node: &str) -> Vec<(String, String)> {
    let mut labels = Vec::new();
    for step in &case.steps {
        let Action::Kubectl(arguments) = &step.action else {
            continue;
        };
        let mut words = arguments.split_whitespace();
        if words.next() != Some("label") || words.next() != Some("node") || words.next() != Some(node) {
            continue;
        }
        for key in words.filter_map(|word| word.strip_suffix('-')) {
            let values = case
                .manifests
                .values()
                .filter_map(|text| peapod_sim::manifest::read(text).ok());
            let value = values.flatten().find_map(|manifest| {
                let selector = manifest.value.pointer("/spec/nodeSelector")?;
                selector.get(key)?.as_str().map(str::to_owned)
            });
            labels.extend(value.map(|value| (key.to_owned(), value)));
        }
    }
    labels
}

/// What was so before the first step: the opposite of the first step that ends or withdraws something.
fn before(case: &Case) -> Vec<Fault> {
    let mut seen: Vec<String> = Vec::new();
    let mut faults = Vec::new();
    for step in &case.steps {
        let Action::Faults(step) = &step.action else { continue };
        for fault in step {
            let (about, opposite) = match fault {
                Fault::StopComponent { component, on } => {
                    let component = component.clone();
                    (
                        component.clone(),
                        (!on).then_some(Fault::StopComponent { component, on: true }),
                    )
                }
                Fault::ImageAvailable { image } => (image.clone(), None),
                Fault::ImageGone { image } => (image.clone(), Some(Fault::ImageAvailable { image: image.clone() })),
                _ => continue,
            };
            if !seen.contains(&about) {
                seen.push(about);
                faults.extend(opposite);
            }
        }
    }
    faults
}

fn instant(seconds: f64) -> SimTime {
    SimTime((seconds * 1000.0).round().max(0.0) as u64 * 1_000_000)
}

fn act(case: &Case, cluster: &mut Cluster, action: &Action) -> Result<(), String> {
    match action {
        Action::Apply(file) => kubectl(case, cluster, &format!("apply -f {file}")),
        Action::Kubectl(arguments) => kubectl(case, cluster, arguments),
        Action::Faults(faults) => faults.iter().try_for_each(|fault| cluster.fault(fault)),
        Action::KillContainer { container, signal } => {
            let (namespace, pod) = first_pod(cluster, |_| true)?;
            let (container, signal) = (container.clone(), signal.clone());
            cluster.fault(&Fault::KillContainer {
                namespace,
                pod,
                container,
                signal,
            })
        }
        Action::KillSandbox => {
            let (namespace, pod) = first_pod(cluster, |_| true)?;
            cluster.fault(&Fault::KillSandbox { namespace, pod })
        }
        Action::Evict => {
            let (namespace, name) = first_pod(cluster, |pod| pod.pointer("/metadata/deletionTimestamp").is_none())?;
            let eviction = json!({
                "apiVersion": "policy/v1",
                "kind": "Eviction",
                "metadata": { "name": name, "namespace": namespace },
            });
            let mut request = pods(Verb::Create, &namespace, &name);
            request.subresource = "eviction".to_owned();
            request.body = Some(eviction);
            cluster.command(&format!("evict {name}"));
            // A refusal (429) is part of what a case may show.
            let refused = cluster.request(&request).err().filter(|status| status.code != 429);
            refused.map_or(Ok(()), |status| {
                Err(format!("the eviction of {name} was refused: {status}"))
            })
        }
        Action::StaticPod { node, file, from } => {
            let (node, file) = (node.clone(), file.clone());
            let fault = match from {
                Some(from) => Fault::WriteStaticPod {
                    node,
                    file,
                    manifest: Manifests(case).text(from)?,
                },
                None => Fault::RemoveStaticPod { node, file },
            };
            cluster.fault(&fault)
        }
        Action::DeleteNamespace(_) => kubectl(case, cluster, &format!("delete namespace {NAMESPACE}")),
        Action::Other(why) => Err(why.clone()),
    }
}

fn pods(verb: Verb, namespace: &str, name: &str) -> Request {
    Request {
        verb,
        group: String::new(),
        version: "v1".to_owned(),
        resource: "pods".to_owned(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        subresource: String::new(),
        body: None,
        patch: None,
        query: Vec::new(),
    }
}

/// Namespace and name of the oldest pod of which `fits` holds.
fn first_pod(cluster: &Cluster, fits: impl Fn(&Value) -> bool) -> Result<(String, String), String> {
    let text = |pod: &Value, pointer: &str| {
        pod.pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    cluster
        .objects("Pod")
        .iter()
        .filter(|pod| fits(pod))
        .min_by_key(|pod| text(pod, "/metadata/creationTimestamp"))
        .map(|pod| (text(pod, "/metadata/namespace"), text(pod, "/metadata/name")))
        .ok_or_else(|| "there is no such pod".to_owned())
}

/// The manifests of a case as the files that its commands name.
struct Manifests<'a>(&'a Case);

impl Files for Manifests<'_> {
    fn manifests(&self, name: &str) -> Result<Vec<Value>, String> {
        let missing = || format!("the path \"{name}\" does not exist");
        let text = self.0.manifests.get(name).ok_or_else(missing)?;
        let documents = peapod_sim::manifest::read(text).map_err(|problems| {
            problems
                .first()
                .map(|problem| problem.message.clone())
                .unwrap_or_default()
        })?;
        Ok(documents.into_iter().map(|manifest| manifest.value).collect())
    }

    fn text(&self, name: &str) -> Result<String, String> {
        let missing = || format!("open {name}: no such file or directory");
        self.0.manifests.get(name).cloned().ok_or_else(missing)
    }
}

/// Carries out a `kubectl` line. That the API server refuses is no error of the replay: it is what the case may be about.
fn kubectl(case: &Case, cluster: &mut Cluster, arguments: &str) -> Result<(), String> {
    let arguments = substituted(case, cluster, arguments)?;
    let arguments = match own_namespace(case) {
        Some(namespace) => format!("-n {namespace} {arguments}"),
        None => arguments,
    };
    let line = format!("kubectl {arguments}");
    if arguments.contains("replace ") && arguments.contains("--force") {
        // Its second half waits for the first.
        cluster_api::kubectl(cluster, &line, &Manifests(case));
        return Ok(());
    }
    let command = Command::parse(&line).map_err(|error| format!("{line}: {error}"))?;
    cluster.command(&line);
    let output = peapod_kubectl::run(&command, &mut ClusterApi::new(cluster), &Manifests(case));
    let not_built = output.stderr.contains("NotImplemented");
    if not_built {
        Err(format!("{line}: {}", output.stderr.trim()))
    } else {
        Ok(())
    }
}

/// The arguments with each `$(kubectl … | head -N)` replaced by what it prints.
fn substituted(case: &Case, cluster: &mut Cluster, arguments: &str) -> Result<String, String> {
    let mut text = arguments.to_owned();
    while let Some((before, rest)) = text.split_once("$(") {
        let Some((inner, after)) = rest.split_once(')') else {
            break;
        };
        let mut stages = inner.split('|').map(str::trim);
        let line = stages.next().unwrap_or_default();
        let command = Command::parse(line).map_err(|error| format!("{line}: {error}"))?;
        let output = peapod_kubectl::run(&command, &mut ClusterApi::new(cluster), &Manifests(case));
        let mut lines: Vec<&str> = output.stdout.lines().collect();
        for stage in stages {
            let (tool, count) = stage.split_once(" -").unwrap_or((stage, ""));
            let count: usize = count
                .trim_start_matches('n')
                .trim()
                .parse()
                .map_err(|_| format!("`{stage}` in {arguments} is not known"))?;
            match tool {
                "head" => lines.truncate(count),
                "tail" => lines = lines.split_off(lines.len().saturating_sub(count)),
                _ => return Err(format!("`{stage}` in {arguments} is not known")),
            }
        }
        text = format!("{before}{}{after}", lines.join(" "));
    }
    Ok(text)
}
