//! `kubectl` over a living cluster: what is applied is answered as the real API server answers, and what is typed is said
//! as the real client says it.

use peapod::cluster_api::{Applied, Texts, apply, kubectl};
use peapod_kubectl::NoFiles;
use peapod_sim::cluster::{Cluster, Config, NodeConfig};
use peapod_sim::manifest;

fn cluster() -> Cluster {
    Cluster::new(Config::default()).expect("the default cluster")
}

fn applied(cluster: &mut Cluster, text: &str) -> Applied {
    let manifests = manifest::read(text).expect("YAML");
    apply(cluster, &manifests, "default", "apply")
}

/// What a line leaves on the terminal.
fn typed(cluster: &mut Cluster, line: &str) -> String {
    let output = kubectl(cluster, line, &NoFiles);
    format!("{}{}", output.stdout, output.stderr)
}

const POD: &str = "apiVersion: v1
kind: Pod
metadata:
  name: nginx
spec:
  containers:
  - name: nginx
    image: nginx:1.14.2
    ports:
    - containerPort: 80
";

#[test]
fn a_manifest_is_applied_once_and_then_unchanged() {
    let mut cluster = cluster();
    assert_eq!(applied(&mut cluster, POD).stdout, "pod/nginx created\n");
    assert_eq!(applied(&mut cluster, POD).stdout, "pod/nginx unchanged\n");
    assert_eq!(
        applied(&mut cluster, &POD.replace("1.14.2", "1.25")).stdout,
        "pod/nginx configured\n"
    );
    assert_eq!(
        typed(&mut cluster, "get pod nginx -o jsonpath={.spec.containers[0].image}"),
        "nginx:1.25"
    );
    assert_eq!(
        typed(&mut cluster, "get pod nginx -o jsonpath={.metadata.generation}"),
        "2"
    );
}

#[test]
fn what_may_not_change_is_refused_in_the_words_of_the_server() {
    let mut cluster = cluster();
    applied(&mut cluster, POD);
    let refused = applied(&mut cluster, &POD.replace("containerPort: 80", "containerPort: 81"));
    assert_eq!(refused.stdout, "");
    let refusal = &refused.refusals[0];
    assert!(
        refusal.text.starts_with(
            "The Pod \"nginx\" is invalid: spec: Forbidden: pod updates may not change fields other than "
        ),
        "{}",
        refusal.text
    );
    assert_eq!(refusal.causes[0].0, "spec");
}

#[test]
fn broken_manifests_are_refused_with_their_fields() {
    let mut cluster = cluster();
    let broken = POD
        .replace("    image: nginx:1.14.2\n", "")
        .replace("spec:\n", "spec:\n  restartPolicy: Sometimes\n");
    let refused = applied(&mut cluster, &broken);
    assert_eq!(
        refused.refusals[0].text,
        "The Pod \"nginx\" is invalid: \n* spec.containers[0].image: Required value\n* spec.restartPolicy: Unsupported \
         value: \"Sometimes\": supported values: \"Always\", \"OnFailure\", \"Never\""
    );
    let fields: Vec<&str> = refused.refusals[0]
        .causes
        .iter()
        .map(|(field, _)| field.as_str())
        .collect();
    assert_eq!(fields, ["spec.containers[0].image", "spec.restartPolicy"]);
}

#[test]
fn what_the_server_warns_of_is_said_once() {
    let mut cluster = cluster();
    assert_eq!(
        typed(
            &mut cluster,
            "label namespace default pod-security.kubernetes.io/warn=baseline"
        ),
        "namespace/default labeled\n"
    );
    let pod = POD.replace("spec:\n", "spec:\n  hostNetwork: true\n");
    let other = pod.replacen("name: nginx", "name: other", 1);
    let files = Texts(vec![("pods.yaml".to_owned(), format!("{pod}---\n{other}"))]);
    let output = kubectl(&mut cluster, "apply -f pods.yaml", &files);
    assert_eq!(output.stdout, "pod/nginx created\npod/other created\n");
    assert_eq!(
        output.stderr,
        "Warning: would violate PodSecurity \"baseline:latest\": host namespaces (hostNetwork=true), hostPort (container \"nginx\" uses hostPort 80)\n"
    );
    assert_eq!(output.exit_code, 0);
    assert_eq!(
        typed(&mut cluster, "get pods nobody -o name")
            .matches("Warning")
            .count(),
        0
    );
}

#[test]
fn lines_are_typed_and_files_are_texts() {
    let mut cluster = cluster();
    let files = Texts(vec![
        ("pod.yaml".to_owned(), POD.to_owned()),
        ("bad.yaml".to_owned(), "a: [".to_owned()),
    ]);
    assert_eq!(
        kubectl(&mut cluster, "kubectl apply -f pod.yaml", &files).stdout,
        "pod/nginx created\n"
    );
    assert_eq!(
        typed(&mut cluster, "get pods nobody"),
        "Error from server (NotFound): pods \"nobody\" not found\n"
    );
    let said = kubectl(&mut cluster, "apply -f bad.yaml", &files).stderr;
    assert!(
        said.starts_with("error: error parsing bad.yaml: error converting YAML to JSON: yaml: "),
        "{said}"
    );
    assert_eq!(
        typed(&mut cluster, "create deployment web --image=nginx --replicas=2"),
        "deployment.apps/web created\n"
    );
    assert_eq!(
        typed(&mut cluster, "scale deployment web --replicas=3"),
        "deployment.apps/web scaled\n"
    );
    assert_eq!(
        typed(&mut cluster, "get deployment web -o jsonpath={.spec.replicas}"),
        "3"
    );
    assert_eq!(
        typed(&mut cluster, "create namespace other"),
        "namespace/other created\n"
    );
}

#[test]
fn commands_that_wait_let_time_pass() {
    let mut cluster = cluster();
    applied(&mut cluster, POD);
    assert_eq!(
        typed(&mut cluster, "wait --for=condition=Ready pod/nginx --timeout=60s"),
        "pod/nginx condition met\n"
    );
    let ready = cluster.now();
    assert!(ready.0 > 0 && ready.0 < 60_000_000_000, "{ready}");
    assert_eq!(
        typed(&mut cluster, "wait --for=condition=Never pod/nginx --timeout=5s"),
        "error: timed out waiting for the condition on pods/nginx\n"
    );
    assert_eq!(cluster.now().since(ready).as_secs(), 5);
    assert_eq!(
        typed(&mut cluster, "delete pod nginx"),
        "pod \"nginx\" deleted from default namespace\n"
    );
    assert_eq!(
        typed(&mut cluster, "get pod nginx"),
        "Error from server (NotFound): pods \"nginx\" not found\n"
    );
    assert_eq!(
        typed(&mut cluster, "create deployment web --image=nginx:1.25 --replicas=2"),
        "deployment.apps/web created\n"
    );
    let said = typed(&mut cluster, "rollout status deployment web");
    assert!(said.ends_with("deployment \"web\" successfully rolled out\n"), "{said}");
}

#[test]
fn namespaces_hold_what_they_may_and_end_with_what_they_hold() {
    let mut cluster = cluster();
    assert_eq!(typed(&mut cluster, "create namespace lab"), "namespace/lab created\n");
    cluster.run_until(cluster.now() + peapod_sim::time::SimDuration::from_secs(1));
    let quota = "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: few, namespace: lab}\nspec: {hard: {pods: 1}}\n";
    assert_eq!(applied(&mut cluster, quota).stdout, "resourcequota/few created\n");
    let one = POD.replace("name: nginx\nspec", "name: one\n  namespace: lab\nspec");
    let two = POD.replace("name: nginx\nspec", "name: two\n  namespace: lab\nspec");
    assert_eq!(applied(&mut cluster, &one).stdout, "pod/one created\n");
    assert_eq!(
        applied(&mut cluster, &two).refusals[0].text,
        "Error from server (Forbidden): error when creating \"manifest\": pods \"two\" is forbidden: exceeded quota: few, \
         requested: pods=1, used: pods=1, limited: pods=1"
    );
    assert_eq!(
        typed(&mut cluster, "delete namespace lab"),
        "namespace \"lab\" deleted\n"
    );
    assert_eq!(
        typed(&mut cluster, "get pods -n lab"),
        "No resources found in lab namespace.\n"
    );
}

#[test]
fn a_drain_of_two_nodes_tells_of_both() {
    let node = |name: &str| NodeConfig {
        name: name.to_owned(),
        ..NodeConfig::default()
    };
    let mut cluster = Cluster::new(Config {
        nodes: vec![node("one"), node("two")],
        ..Config::default()
    })
    .expect("a cluster of two nodes");
    // Each takes its grace period: a first process that catches no signal is only killed.
    let pod = |name: &str, node: &str, grace: u32| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\nspec:\n  nodeName: {node}\n  \
             terminationGracePeriodSeconds: {grace}\n  containers:\n  - {{name: a, image: busybox, command: [sleep, 1h]}}\n"
        )
    };
    applied(&mut cluster, &pod("short", "one", 2));
    applied(&mut cluster, &pod("long", "two", 20));
    typed(
        &mut cluster,
        "wait --for=condition=Ready pod/short pod/long --timeout=60s",
    );
    let output = kubectl(&mut cluster, "drain one two --force", &NoFiles);
    assert!(
        output.stdout.contains("pod/short evicted\nnode/one drained\n"),
        "{output:?}"
    );
    assert!(
        output.stdout.ends_with("pod/long evicted\nnode/two drained\n"),
        "{output:?}"
    );
    assert_eq!(output.exit_code, 0);
}
