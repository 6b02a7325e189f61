//! What a node does by itself: static pods and their mirrors, and its shutdown.

mod common;

use std::sync::Arc;

use common::clusters::{about, create, until, with_settings};
use peapod_sim::cluster::Cluster;
use peapod_sim::fault::Fault;
use peapod_sim::objects::Kind;
use peapod_sim::request::Verb;
use serde_json::{Value, json};

fn cluster(settings: &[(&str, &str)]) -> Cluster {
    Cluster::new(with_settings(settings)).expect("a cluster")
}

fn write(cluster: &mut Cluster, file: &str, manifest: &str) {
    let (node, file, manifest) = ("node-1".to_owned(), file.to_owned(), manifest.to_owned());
    let fault = Fault::WriteStaticPod { node, file, manifest };
    cluster.fault(&fault).expect("the node is there");
}

fn remove(cluster: &mut Cluster, file: &str) {
    let (node, file) = ("node-1".to_owned(), file.to_owned());
    let fault = Fault::RemoveStaticPod { node, file };
    cluster.fault(&fault).expect("the file is there");
}

fn manifest(name: &str, script: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\nspec:\n  terminationGracePeriodSeconds: 2\n  containers:\n  \
         - {{name: c, image: \"busybox:1.36\", command: [sh, -c, \"{script}\"]}}\n"
    )
}

fn mirror(cluster: &Cluster, name: &str) -> Option<Arc<Value>> {
    cluster.object("Pod", "default", &format!("{name}-node-1"))
}

fn container_id(pod: &Value) -> String {
    pod["status"]["containerStatuses"][0]["containerID"].to_string()
}

fn create_pod(cluster: &mut Cluster, name: &str, priority: &str, grace: i64, script: &str) {
    let mut spec = json!({
        "terminationGracePeriodSeconds": grace,
        "containers": [{"name": "c", "image": "busybox:1.36", "command": ["sh", "-c", script]}],
    });
    if !priority.is_empty() {
        spec["priorityClassName"] = json!(priority);
    }
    create(
        cluster,
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}),
    );
}

/// The node's condition `Ready`, which stands last.
fn ready(cluster: &Cluster) -> Value {
    let node = cluster.object("Node", "", "node-1").expect("the node");
    let conditions = node["status"]["conditions"].as_array().expect("conditions");
    let ready = conditions.last().expect("Ready").clone();
    assert_eq!(ready["type"], "Ready");
    ready
}

#[test]
fn a_mirror_that_is_deleted_comes_back_and_its_container_never_knows() {
    let mut cluster = cluster(&[]);
    write(&mut cluster, "st.yaml", &manifest("st", "sleep 3600"));
    until(&mut cluster, 20);
    let before = mirror(&cluster, "st").expect("the mirror is there");
    assert_eq!(before["metadata"]["ownerReferences"][0]["kind"], "Node");
    assert_eq!(before["status"]["phase"], "Running");
    let delete = about(Kind::Pod, Verb::Delete, "st-node-1", None);
    cluster.request(&delete).expect("the request is fine");
    until(&mut cluster, 40);
    let after = mirror(&cluster, "st").expect("it is back");
    assert_ne!(before["metadata"]["uid"], after["metadata"]["uid"]);
    assert_eq!(container_id(&before), container_id(&after));
}

#[test]
fn a_file_that_goes_takes_its_pod_along_and_one_that_comes_back_starts_it_anew() {
    let mut cluster = cluster(&[]);
    write(&mut cluster, "st.yaml", &manifest("st", "sleep 3600"));
    until(&mut cluster, 10);
    let before = mirror(&cluster, "st").expect("the mirror is there");
    remove(&mut cluster, "st.yaml");
    until(&mut cluster, 11);
    let ending = mirror(&cluster, "st").expect("it stays until the containers have ended");
    assert_eq!(ending["status"]["phase"], "Running");
    // The same manifest has the same uid: it starts anew when the pod has ended.
    write(&mut cluster, "st.yaml", &manifest("st", "sleep 3600"));
    until(&mut cluster, 20);
    let after = mirror(&cluster, "st").expect("it is back");
    assert_eq!(after["status"]["phase"], "Running");
    assert_ne!(container_id(&before), container_id(&after));
    remove(&mut cluster, "st.yaml");
    until(&mut cluster, 30);
    assert!(mirror(&cluster, "st").is_none());
    assert!(cluster.settled());
}

#[test]
fn a_pod_of_the_same_name_waits_for_the_one_before_it() {
    let mut cluster = cluster(&[]);
    write(&mut cluster, "st.yaml", &manifest("st", "sleep 3600"));
    until(&mut cluster, 20);
    let before = mirror(&cluster, "st").expect("the mirror is there");
    write(&mut cluster, "st.yaml", &manifest("st", "sleep 7200"));
    until(&mut cluster, 28);
    let meanwhile = mirror(&cluster, "st").expect("the old mirror stays");
    assert_eq!(before["metadata"]["uid"], meanwhile["metadata"]["uid"]);
    until(&mut cluster, 37);
    let after = mirror(&cluster, "st").expect("the new one is there");
    assert_ne!(before["metadata"]["uid"], after["metadata"]["uid"]);
    assert_eq!(after["spec"]["containers"][0]["command"][2], "sleep 7200");
    assert_eq!(after["status"]["phase"], "Running");
}

#[test]
fn what_a_kubelet_does_not_run_it_does_not_run() {
    let mut cluster = cluster(&[]);
    write(&mut cluster, "st.yaml", &manifest("st", "sleep 3600"));
    until(&mut cluster, 5);
    // A manifest that cannot be read changes nothing until the directory is read again, and then its pod is gone.
    write(&mut cluster, "st.yaml", "kind: [");
    until(&mut cluster, 6);
    assert!(mirror(&cluster, "st").is_some());
    until(&mut cluster, 40);
    assert!(mirror(&cluster, "st").is_none());
    let secret = manifest("sec", "env") + "    envFrom: [{secretRef: {name: s}}]\n";
    write(
        &mut cluster,
        "sec.yaml",
        &secret.replace(
            "- {name: c, image: \"busybox:1.36\", command: [sh, -c, \"env\"]}",
            "- name: c\n    image: busybox:1.36",
        ),
    );
    write(&mut cluster, ".hidden.yaml", &manifest("hidden", "sleep 1"));
    until(&mut cluster, 80);
    assert!(mirror(&cluster, "sec").is_none() && mirror(&cluster, "hidden").is_none());
    let decided = serde_json::to_string(cluster.records()).expect("records");
    assert!(decided.contains("static pods may not reference secrets"));
}

#[test]
fn static_pods_go_on_without_an_api_server_and_a_restarted_kubelet_knows_them() {
    let mut cluster = cluster(&[]);
    let stop = |on| Fault::StopComponent {
        component: "kube-apiserver".to_owned(),
        on,
    };
    let kubelet = |on| Fault::StopKubelet {
        node: "node-1".to_owned(),
        on,
    };
    create_pod(&mut cluster, "plain", "", 1, "sleep 3600");
    until(&mut cluster, 5);
    let plain = cluster.object("Pod", "default", "plain").expect("it is there");
    cluster.fault(&stop(true)).expect("it can be stopped");
    write(&mut cluster, "st.yaml", &manifest("st", "echo here; sleep 3600"));
    until(&mut cluster, 20);
    assert!(cluster.logs().iter().any(|line| line.text == "here"), "it runs");
    assert!(mirror(&cluster, "st").is_none(), "nobody can know");
    cluster.fault(&kubelet(true)).expect("it stops");
    until(&mut cluster, 30);
    cluster.fault(&kubelet(false)).expect("it starts");
    until(&mut cluster, 60);
    let here = |cluster: &Cluster| cluster.logs().iter().filter(|line| line.text == "here").count();
    assert_eq!(here(&cluster), 1, "the container ran on");
    cluster.fault(&stop(false)).expect("it goes on");
    until(&mut cluster, 200);
    let mirrored = mirror(&cluster, "st").expect("now everybody knows");
    assert_eq!(mirrored["status"]["phase"], "Running");
    assert_eq!(mirrored["status"]["containerStatuses"][0]["restartCount"], 0);
    assert_eq!(here(&cluster), 1);
    let after = cluster.object("Pod", "default", "plain").expect("it is there");
    assert_eq!(container_id(&plain), container_id(&after), "other pods ran on too");
}

#[test]
fn a_shutdown_ends_pods_by_priority() {
    let settings = [
        ("shutdownGracePeriod", "30s"),
        ("shutdownGracePeriodCriticalPods", "10s"),
    ];
    let mut cluster = cluster(&settings);
    create_pod(
        &mut cluster,
        "plain",
        "",
        60,
        "trap 'sleep 5; exit 0' TERM; sleep 3600 & wait",
    );
    create_pod(
        &mut cluster,
        "critical",
        "system-node-critical",
        60,
        "trap '' TERM; while true; do sleep 1; done",
    );
    until(&mut cluster, 10);
    let fault = Fault::ShutdownNode {
        node: "node-1".to_owned(),
        on: true,
    };
    cluster.fault(&fault).expect("the node is there");
    until(&mut cluster, 12);
    create_pod(&mut cluster, "late", "", 1, "sleep 1");
    let now = ready(&cluster);
    assert_eq!(now["status"], "False");
    assert_eq!(now["message"], "node is shutting down");
    until(&mut cluster, 17);
    let plain = cluster.object("Pod", "default", "plain").expect("it stays");
    assert_eq!(plain["status"]["phase"], "Failed");
    assert_eq!(plain["status"]["reason"], "Terminated");
    assert_eq!(
        plain["status"]["message"],
        "Pod was terminated in response to imminent node shutdown."
    );
    let conditions = plain["status"]["conditions"].as_array().expect("conditions");
    assert!(
        conditions
            .iter()
            .any(|one| one["type"] == "DisruptionTarget" && one["reason"] == "TerminationByKubelet")
    );
    let critical = cluster.object("Pod", "default", "critical").expect("it stays");
    assert_eq!(critical["status"]["phase"], "Running", "its turn is not over");
    until(&mut cluster, 29);
    let critical = cluster.object("Pod", "default", "critical").expect("it stays");
    assert_eq!(critical["status"]["phase"], "Failed");
    assert_eq!(
        critical["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"],
        137
    );
    // Then the machine is off: nobody hears of the node any more.
    until(&mut cluster, 120);
    assert_eq!(ready(&cluster)["status"], "Unknown");
}

#[test]
fn a_node_that_shuts_down_refuses_pods() {
    let mut cluster = cluster(&[("shutdownGracePeriod", "30s")]);
    create_pod(
        &mut cluster,
        "slow",
        "",
        60,
        "trap '' TERM; while true; do sleep 1; done",
    );
    until(&mut cluster, 10);
    let shut = |on| Fault::ShutdownNode {
        node: "node-1".to_owned(),
        on,
    };
    cluster.fault(&shut(true)).expect("the node is there");
    write(&mut cluster, "st.yaml", &manifest("st", "sleep 3600"));
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "late"}, "spec": {
        "nodeName": "node-1", "tolerations": [{"operator": "Exists"}],
        "containers": [{"name": "c", "image": "busybox:1.36"}]}});
    create(&mut cluster, pod);
    until(&mut cluster, 12);
    let late = cluster.object("Pod", "default", "late").expect("it stays");
    assert_eq!(late["status"]["reason"], "NodeShutdown");
    assert_eq!(
        late["status"]["message"],
        "Pod was rejected: Pod was rejected as the node is shutting down."
    );
    // Called off: what has begun goes on, and then the node is as before.
    cluster.fault(&shut(false)).expect("the node is there");
    until(&mut cluster, 60);
    assert_eq!(ready(&cluster)["status"], "True");
}

#[test]
fn without_time_for_it_a_shutdown_is_a_loss_of_power() {
    let mut cluster = cluster(&[]);
    create_pod(&mut cluster, "plain", "", 60, "sleep 3600");
    until(&mut cluster, 10);
    let fault = Fault::ShutdownNode {
        node: "node-1".to_owned(),
        on: true,
    };
    cluster.fault(&fault).expect("the node is there");
    until(&mut cluster, 30);
    let plain = cluster.object("Pod", "default", "plain").expect("it stays");
    assert_eq!(plain["status"]["phase"], "Running");
}

#[test]
fn a_runtime_that_is_down_is_told_and_so_is_its_return() {
    let mut cluster = cluster(&[]);
    let node = || "node-1".to_owned();
    until(&mut cluster, 10);
    let down = Fault::StopRuntime { node: node(), on: true };
    cluster.fault(&down).expect("the node is there");
    until(&mut cluster, 60);
    assert_eq!(ready(&cluster)["message"], "container runtime is down");
    until(&mut cluster, 300);
    assert_eq!(ready(&cluster)["message"], "container runtime is down");
    let restored = Fault::RestoreNode { node: node() };
    cluster.fault(&restored).expect("the node is there");
    until(&mut cluster, 301);
    assert_eq!(ready(&cluster)["status"], "True");
}
