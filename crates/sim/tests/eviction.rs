//! A node that runs short of something: who has to go, when, with which words, and when it is over.

mod common;

use common::clusters::{create, until, with_settings};
use peapod_sim::cluster::{Cluster, Config, NodeConfig};
use peapod_sim::fault::{Fault, Starved};
use peapod_sim::manifest;
use peapod_sim::version::Version;
use serde_json::Value;

fn cluster(settings: &[(&str, &str)], node: NodeConfig) -> Cluster {
    let config = Config {
        nodes: vec![node],
        ..with_settings(settings)
    };
    Cluster::new(config).expect("a cluster")
}

fn apply(cluster: &mut Cluster, text: &str) {
    for manifest in manifest::read(text).expect("manifests") {
        create(cluster, manifest.value);
    }
}

fn pod(name: &str, script: &str, more: &str, resources: &str) -> String {
    format!(
        "{{apiVersion: v1, kind: Pod, metadata: {{name: {name}}}, spec: {{{more} containers: [{{name: app, image: 'busybox:1.36', \
         command: [sh, -c, '{script}'], resources: {{{resources}}}}}]}}}}\n---\n"
    )
}

fn text(cluster: &Cluster, kind: &str, name: &str, pointer: &str) -> String {
    let namespace = if kind == "Node" { "" } else { "default" };
    let object = cluster.object(kind, namespace, name);
    let value = object.as_deref().and_then(|object| object.pointer(pointer)).cloned();
    match value {
        Some(Value::String(text)) => text,
        Some(other) => other.to_string(),
        None => String::new(),
    }
}

fn reason(cluster: &Cluster, name: &str) -> String {
    text(cluster, "Pod", name, "/status/reason")
}

fn condition(cluster: &Cluster, kind: &str) -> String {
    let node = cluster.object("Node", "", "node-1").expect("the node");
    let conditions = node["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let found = conditions.iter().find(|condition| condition["type"] == kind);
    found.map_or_else(String::new, |found| {
        format!("{}/{}", found["status"], found["reason"]).replace('"', "")
    })
}

/// When each pod was evicted, in order.
fn evictions(cluster: &Cluster) -> Vec<(String, u64)> {
    let mut found: Vec<(u64, String)> = cluster
        .writes()
        .iter()
        .filter_map(|write| {
            let value = write.stored.json();
            let evicted = value["kind"] == "Event" && value["reason"] == "Evicted" && value["count"] == 1;
            let name = value.pointer("/involvedObject/name")?.as_str()?.to_owned();
            evicted.then_some((write.at.as_secs(), name))
        })
        .collect();
    found.sort();
    found.into_iter().map(|(at, name)| (name, at)).collect()
}

fn names(cluster: &Cluster) -> Vec<String> {
    evictions(cluster).into_iter().map(|(name, _)| name).collect()
}

fn small() -> NodeConfig {
    NodeConfig {
        memory: "2Gi".to_owned(),
        ..NodeConfig::default()
    }
}

fn starve(cluster: &mut Cluster, resource: Starved, amount: &str) {
    let (node, amount) = ("node-1".to_owned(), amount.to_owned());
    let fault = Fault::Starve { node, resource, amount };
    cluster.fault(&fault).expect("the fault is fine");
}

#[test]
fn pods_go_by_what_they_use_beyond_their_request_then_priority_then_usage() {
    let node = NodeConfig {
        memory: "4Gi".to_owned(),
        ..NodeConfig::default()
    };
    let mut cluster = cluster(&[("evictionHard", "memory.available<2000Mi")], node);
    apply(
        &mut cluster,
        "{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: high}, value: 1000}",
    );
    let eat = |mebibytes: u32| format!("eatmem {mebibytes}");
    let all = [
        pod("besteffort", &eat(100), "", ""),
        pod("important", &eat(200), "priorityClassName: high,", ""),
        pod("above", &eat(150), "", "requests: {memory: 20Mi}"),
        pod("below", &eat(150), "", "requests: {memory: 300Mi}"),
        pod("guaranteed", &eat(100), "", "limits: {memory: 200Mi, cpu: 100m}"),
    ];
    apply(&mut cluster, &all.concat());
    until(&mut cluster, 20);
    assert_eq!(names(&cluster), Vec::<String>::new());
    // Something takes memory, and does not give it back: all have to go in their order.
    starve(&mut cluster, Starved::Memory, "2500Mi");
    until(&mut cluster, 40);
    assert_eq!(
        condition(&cluster, "MemoryPressure"),
        "True/KubeletHasInsufficientMemory"
    );
    until(&mut cluster, 120);
    assert_eq!(
        names(&cluster),
        ["above", "besteffort", "important", "guaranteed", "below"]
    );
    let message = text(&cluster, "Pod", "above", "/status/message");
    assert!(
        message.starts_with("The node was low on resource: memory. Threshold quantity: 2000Mi, available: "),
        "{message}"
    );
    assert!(
        message.ends_with("request is 20Mi, has larger consumption of memory. "),
        "{message}"
    );
    let conditions = text(&cluster, "Pod", "above", "/status/conditions");
    assert!(conditions.contains("TerminationByKubelet"), "{conditions}");
}

#[test]
fn generations_are_observed_only_where_they_are_tracked() {
    let observed = |version: Version| {
        let config = Config {
            nodes: vec![small()],
            version,
            ..with_settings(&[])
        };
        let mut cluster = Cluster::new(config).expect("a cluster");
        apply(&mut cluster, &pod("gone", "eatmem 100", "", ""));
        until(&mut cluster, 10);
        starve(&mut cluster, Starved::Memory, "true");
        until(&mut cluster, 60);
        assert_eq!(reason(&cluster, "gone"), "Evicted");
        let conditions = text(&cluster, "Pod", "gone", "/status/conditions");
        assert!(conditions.contains("DisruptionTarget"), "{conditions}");
        conditions.matches("observedGeneration").count()
    };
    assert_eq!(observed(Version::OLDEST), 0);
    assert!(observed(Version::NEWEST) > 4);
}

#[test]
fn pressure_is_over_a_while_after_it_was_last_seen_and_refuses_besteffort_until_then() {
    let settings = [("evictionPressureTransitionPeriod", "1m")];
    let mut cluster = cluster(&settings, small());
    starve(&mut cluster, Starved::Memory, "true");
    until(&mut cluster, 30);
    assert_eq!(
        condition(&cluster, "MemoryPressure"),
        "True/KubeletHasInsufficientMemory"
    );
    starve(&mut cluster, Starved::Memory, "false");
    apply(&mut cluster, &pod("refused", "sleep 100", "nodeName: node-1,", ""));
    apply(
        &mut cluster,
        &pod("asks", "sleep 100", "nodeName: node-1,", "requests: {memory: 10Mi}"),
    );
    apply(&mut cluster, &pod("waits", "sleep 100", "", ""));
    until(&mut cluster, 40);
    assert_eq!(
        text(&cluster, "Pod", "refused", "/status/message"),
        "Pod was rejected: The node had condition: [MemoryPressure]. "
    );
    assert_eq!(text(&cluster, "Pod", "asks", "/status/phase"), "Running");
    assert_eq!(text(&cluster, "Pod", "waits", "/status/phase"), "Pending");
    until(&mut cluster, 120);
    assert_eq!(
        condition(&cluster, "MemoryPressure"),
        "False/KubeletHasSufficientMemory"
    );
    assert_eq!(text(&cluster, "Pod", "waits", "/status/phase"), "Running");
}

#[test]
fn a_soft_threshold_waits_for_its_grace_and_gives_the_pod_one() {
    let settings = [
        ("evictionSoft", "memory.available<1Gi"),
        ("evictionSoftGracePeriod", "memory.available=25s"),
        ("evictionMaxPodGracePeriod", "7"),
    ];
    let mut cluster = cluster(&settings, small());
    apply(&mut cluster, &pod("eater", "exec eatmem 900", "", ""));
    until(&mut cluster, 11);
    // Seen first within ten seconds, and evicted at the look after 25 seconds of that: at the fourth.
    until(&mut cluster, 100);
    let found = evictions(&cluster);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!((30..=45).contains(&found[0].1), "{found:?}");
    let ended = text(
        &cluster,
        "Pod",
        "eater",
        "/status/containerStatuses/0/state/terminated/exitCode",
    );
    assert!(ended == "137", "{ended}");
}

#[test]
fn minimum_reclaim_takes_more_pods_than_the_threshold_alone() {
    let run = |reclaim: &[(&str, &str)]| {
        let mut settings = vec![("evictionHard", "memory.available<200Mi")];
        settings.extend(reclaim);
        let mut cluster = cluster(&settings, small());
        for name in ["a", "b", "c"] {
            apply(&mut cluster, &pod(name, "eatmem 300", "", ""));
        }
        until(&mut cluster, 15);
        starve(&mut cluster, Starved::Memory, "650Mi");
        until(&mut cluster, 100);
        names(&cluster).len()
    };
    assert_eq!(run(&[]), 1);
    assert_eq!(run(&[("evictionMinimumReclaim", "memory.available=400Mi")]), 2);
}

#[test]
fn a_full_disk_costs_unused_images_first_and_then_the_largest_writer() {
    let node = NodeConfig {
        disk: "4Gi".to_owned(),
        ..NodeConfig::default()
    };
    let mut cluster = cluster(&[], node);
    let script = "dd if=/dev/zero of=/f bs=1M count=2000 2>/dev/null; sleep 1000";
    apply(&mut cluster, &pod("large", script, "", ""));
    apply(
        &mut cluster,
        &pod(
            "small",
            "dd if=/dev/zero of=/f bs=1M count=500 2>/dev/null; sleep 1000",
            "",
            "",
        ),
    );
    apply(&mut cluster, &pod("idle", "sleep 1000", "", ""));
    until(&mut cluster, 30);
    assert_eq!(names(&cluster), Vec::<String>::new());
    starve(&mut cluster, Starved::Disk, "900Mi");
    until(&mut cluster, 60);
    assert_eq!(names(&cluster), ["large"]);
    assert_eq!(condition(&cluster, "DiskPressure"), "True/KubeletHasDiskPressure");
    let message = text(&cluster, "Pod", "large", "/status/message");
    assert!(message.contains("low on resource: ephemeral-storage"), "{message}");
    // While the disk is short nobody is taken in, whatever it asks for.
    apply(
        &mut cluster,
        &pod("late", "sleep 9", "nodeName: node-1,", "requests: {memory: 10Mi}"),
    );
    until(&mut cluster, 70);
    assert_eq!(reason(&cluster, "late"), "Evicted");
}

#[test]
fn process_numbers_run_out_only_where_somebody_watches_them() {
    let mut watched = cluster(&[("evictionHard", "pid.available<1000")], NodeConfig::default());
    apply(
        &mut watched,
        &pod("many", "for i in 1 2 3 4 5 6 7 8; do sleep 1000 & done; wait", "", ""),
    );
    apply(&mut watched, &pod("few", "sleep 1000", "", ""));
    until(&mut watched, 5);
    starve(&mut watched, Starved::Pids, "true");
    until(&mut watched, 25);
    assert_eq!(condition(&watched, "PIDPressure"), "True/KubeletHasInsufficientPID");
    assert_eq!(names(&watched).first().map(String::as_str), Some("many"));
    let mut blind = cluster(&[], NodeConfig::default());
    starve(&mut blind, Starved::Pids, "true");
    until(&mut blind, 60);
    assert_eq!(condition(&blind, "PIDPressure"), "False/KubeletHasSufficientPID");
    assert!(blind.notices().iter().any(|notice| notice.contains("process numbers")));
}

#[test]
fn a_restored_node_has_what_it_had() {
    let mut cluster = cluster(&[("evictionPressureTransitionPeriod", "30s")], small());
    let free = cluster.available("node-1", "memory.available");
    starve(&mut cluster, Starved::Memory, "true");
    until(&mut cluster, 20);
    cluster
        .fault(&Fault::RestoreNode {
            node: "node-1".to_owned(),
        })
        .expect("the fault is fine");
    assert_eq!(cluster.available("node-1", "memory.available"), free);
    until(&mut cluster, 100);
    assert_eq!(
        condition(&cluster, "MemoryPressure"),
        "False/KubeletHasSufficientMemory"
    );
    assert!(cluster.settled());
}

#[test]
fn critical_pods_stay() {
    let mut cluster = cluster(&[("evictionHard", "memory.available<500Mi")], small());
    apply(
        &mut cluster,
        &pod("critical", "eatmem 300", "priorityClassName: system-node-critical,", ""),
    );
    apply(&mut cluster, &pod("other", "sleep 1000", "", ""));
    until(&mut cluster, 10);
    starve(&mut cluster, Starved::Memory, "1200Mi");
    until(&mut cluster, 60);
    assert_eq!(names(&cluster), ["other"]);
    assert!(cluster.settled(), "nothing more can be done");
}

#[test]
fn limits_on_what_a_pod_writes() {
    let write = "dd if=/dev/zero of=/d/f bs=1M count=20 2>/dev/null; sleep 1000";
    let dir = |limit: &str| format!("volumes: [{{name: d, emptyDir: {{{limit}}}}}],");
    let with_mount = |name: &str, volume: &str, resources: &str| {
        pod(name, write, volume, resources).replace(
            "image: 'busybox:1.36'",
            "image: 'busybox:1.36', volumeMounts: [{name: d, mountPath: /d}]",
        )
    };
    let mut cluster = cluster(&[], NodeConfig::default());
    apply(&mut cluster, &with_mount("sized", &dir("sizeLimit: 5Mi"), ""));
    apply(
        &mut cluster,
        &with_mount("whole", &dir(""), "limits: {ephemeral-storage: 10Mi}"),
    );
    let layer = "dd if=/dev/zero of=/f bs=1M count=20 2>/dev/null; sleep 1000";
    let two = pod("layer", layer, "", "limits: {ephemeral-storage: 10Mi}").replace(
        "containers: [",
        "containers: [{name: other, image: 'busybox:1.36', command: [sleep, '1000'], resources: {limits: {ephemeral-storage: 1Gi}}}, ",
    );
    apply(&mut cluster, &two);
    apply(
        &mut cluster,
        &with_mount("fine", &dir("sizeLimit: 50Mi"), "limits: {ephemeral-storage: 100Mi}"),
    );
    until(&mut cluster, 200);
    for (name, message) in [
        ("sized", "Usage of EmptyDir volume \"d\" exceeds the limit \"5Mi\". "),
        (
            "whole",
            "Pod ephemeral local storage usage exceeds the total limit of containers 10Mi. ",
        ),
        (
            "layer",
            "Container app exceeded its local ephemeral storage limit \"10Mi\". ",
        ),
        ("fine", ""),
    ] {
        assert_eq!(text(&cluster, "Pod", name, "/status/message"), message, "{name}");
        let conditions = text(&cluster, "Pod", name, "/status/conditions");
        assert!(!conditions.contains("DisruptionTarget"), "{name}");
    }
}

#[test]
fn a_volume_in_memory_is_full_at_its_limit_and_counts_as_memory() {
    let volumes = "volumes: [{name: d, emptyDir: {medium: Memory, sizeLimit: 10Mi}}],";
    let mounted = |text: String| {
        text.replace(
            "image: 'busybox:1.36'",
            "image: 'busybox:1.36', volumeMounts: [{name: d, mountPath: /d}]",
        )
    };
    let script = "dd if=/dev/zero of=/d/f bs=1M count=20; ls -l /d/f; sleep 1000";
    let mut cluster = cluster(&[], NodeConfig::default());
    apply(&mut cluster, &mounted(pod("full", script, volumes, "")));
    let volumes = "volumes: [{name: d, emptyDir: {medium: Memory}}], restartPolicy: Never,";
    apply(
        &mut cluster,
        &mounted(pod("killed", script, volumes, "limits: {memory: 15Mi}")),
    );
    until(&mut cluster, 30);
    let log: String = cluster.logs().iter().map(|line| format!("{}\n", line.text)).collect();
    assert!(log.contains("No space left on device"), "{log}");
    assert_eq!(text(&cluster, "Pod", "full", "/status/phase"), "Running");
    assert_eq!(
        text(
            &cluster,
            "Pod",
            "killed",
            "/status/containerStatuses/0/state/terminated/reason"
        ),
        "OOMKilled"
    );
}

#[test]
fn a_pod_has_one_limit_for_all_its_containers() {
    let mut cluster = cluster(&[], NodeConfig::default());
    let text_of = pod(
        "pair",
        "eatmem 60",
        "restartPolicy: Never, resources: {limits: {memory: 100Mi}},",
        "",
    )
    .replace(
        "containers: [",
        "containers: [{name: other, image: 'busybox:1.36', command: [sh, -c, 'sleep 5; eatmem 70']}, ",
    );
    apply(&mut cluster, &text_of);
    until(&mut cluster, 30);
    let statuses = text(&cluster, "Pod", "pair", "/status/containerStatuses");
    assert_eq!(statuses.matches("OOMKilled").count(), 1, "{statuses}");
}

#[test]
fn a_node_without_memory_kills_who_asked_for_least() {
    let mut cluster = cluster(&[], small());
    apply(
        &mut cluster,
        &pod("besteffort", "eatmem 500", "restartPolicy: Never,", ""),
    );
    apply(
        &mut cluster,
        &pod(
            "guaranteed",
            "eatmem 600",
            "restartPolicy: Never,",
            "limits: {memory: 700Mi, cpu: 1}",
        ),
    );
    until(&mut cluster, 9);
    starve(&mut cluster, Starved::Memory, "900Mi");
    until(&mut cluster, 12);
    assert_eq!(
        text(
            &cluster,
            "Pod",
            "besteffort",
            "/status/containerStatuses/0/state/terminated/reason"
        ),
        "OOMKilled"
    );
    assert_eq!(text(&cluster, "Pod", "guaranteed", "/status/phase"), "Running");
    let events = cluster.objects("Event");
    let system = events
        .iter()
        .find(|event| event["reason"] == "SystemOOM")
        .expect("an event");
    assert!(
        system["message"]
            .as_str()
            .is_some_and(|text| text.starts_with("System OOM encountered, victim process: eatmem")),
        "{system}"
    );
}

#[test]
fn a_log_that_has_grown_too_large_begins_a_new_file() {
    let settings = [("containerLogMaxSize", "4Ki"), ("containerLogMaxFiles", "2")];
    let mut cluster = cluster(&settings, NodeConfig::default());
    let script = "i=0; while true; do i=$((i+1)); echo line $i of a log that is long enough; sleep 0.1; done";
    apply(&mut cluster, &pod("talks", script, "", ""));
    until(&mut cluster, 60);
    let all = cluster.logs().len();
    let shown = cluster.logs_of("default", "talks", "app", false).expect("a log").len();
    assert!(all > 500 && shown < 150, "{shown} of {all}");
}

#[test]
fn the_same_seed_gives_the_same_evictions() {
    let run = || {
        let mut cluster = cluster(&[("evictionHard", "memory.available<500Mi")], small());
        for name in ["a", "b", "c", "d"] {
            apply(&mut cluster, &pod(name, "eatmem 400", "", ""));
        }
        until(&mut cluster, 200);
        serde_json::to_string(&cluster.trace()).expect("a trace")
    };
    assert_eq!(run(), run());
}
