//! Watches where time is what matters: bookmarks, the end, and a history that is gone.

use peapod_sim::apiserver::WatchEvent;
use peapod_sim::cluster::{Cluster, Config};
use peapod_sim::time::SimDuration;

use super::*;

fn cluster(traced: bool) -> Cluster {
    let config = Config {
        nodes: Vec::new(),
        traced,
        ..Config::default()
    };
    Cluster::new(config).expect("a cluster")
}

fn config_map(name: &str) -> Request {
    creation(
        &json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name, "namespace": "default" } }),
        true,
    )
}

fn watch(query: &[(&str, &str)]) -> Request {
    let pairs = query
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Request {
        verb: Verb::List,
        body: None,
        query: pairs.collect(),
        ..config_map("none")
    }
}

fn kinds(events: &[WatchEvent]) -> Vec<&str> {
    events.iter().map(|event| event.kind).collect()
}

#[test]
fn a_bookmark_comes_each_minute_and_shortly_before_the_end() {
    for (timeout, expected) in [("150", vec![60, 120, 148]), ("30", vec![28]), ("2", vec![])] {
        let mut cluster = cluster(true);
        let version = cluster.request(&watch(&[])).expect("a list")["metadata"]["resourceVersion"].clone();
        let query = [
            ("resourceVersion", version.as_str().unwrap_or_default()),
            ("allowWatchBookmarks", "true"),
            ("timeoutSeconds", timeout),
        ];
        let mut opened = cluster.watch(&watch(&query)).expect("a watch");
        let start = cluster.now();
        let mut seen = Vec::new();
        while !opened.is_over(cluster.now()) {
            cluster.run_until(cluster.now() + SimDuration::from_secs(1));
            for event in cluster.watched(&mut opened) {
                if event.kind == "BOOKMARK" {
                    seen.push(cluster.now().since(start).as_secs());
                }
            }
        }
        assert_eq!(seen, expected, "timeoutSeconds={timeout}");
    }
}

#[test]
fn a_watch_ends_when_it_was_asked_to_and_tells_nothing_later() {
    let mut cluster = cluster(true);
    let mut opened = cluster.watch(&watch(&[
        ("timeoutSeconds", "5"),
        ("fieldSelector", "metadata.name!=kube-root-ca.crt"),
    ]));
    let opened = opened.as_mut().expect("a watch");
    cluster.request(&config_map("a")).expect("created");
    cluster.run_until(cluster.now() + SimDuration::from_secs(6));
    cluster.request(&config_map("b")).expect("created");
    assert_eq!(kinds(&cluster.watched(opened)), ["ADDED"]);
    assert!(opened.is_over(cluster.now()));
}

#[test]
fn what_was_forgotten_meanwhile_is_told_as_expired() {
    let mut cluster = cluster(false);
    let mut opened = cluster.watch(&watch(&[])).expect("a watch");
    cluster.watched(&mut opened);
    for name in ["a", "b", "c"] {
        cluster.request(&config_map(name)).expect("created");
        cluster.run_until(cluster.now() + SimDuration::from_secs(120));
    }
    let events = cluster.watched(&mut opened);
    assert_eq!(kinds(&events).last(), Some(&"ERROR"));
    let last = events.last().map(|event| event.object.clone()).unwrap_or_default();
    assert_eq!(last["code"], 410);
    assert!(opened.is_over(cluster.now()));
}
