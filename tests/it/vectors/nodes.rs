//! What a node does by itself: the pods of its files, and its own end.

use std::cell::RefCell;
use std::collections::BTreeMap;

use peapod_sim::kubelet::nodeshutdown::{Period, groups, migrated};
use peapod_sim::kubelet::static_pods::{HASH, Origin, annotation, decode};
use peapod_sim::time::SimDuration;
use peapod_sim::version::Profile;
use serde_json::{Value, json};

use super::same;

thread_local! {
    /// The uid of each group of pods that must have the same, over the rows of a run.
    static UIDS: RefCell<BTreeMap<i64, String>> = const { RefCell::new(BTreeMap::new()) };
}

pub fn static_pods(given: &Value, wanted: &Value) -> Result<(), String> {
    let text = |key: &str| given[key].as_str().unwrap_or_default();
    let origin = Origin {
        source: text("source"),
        is_file: given["isFile"] == true,
        node: text("nodeName"),
        version: Profile::default(),
    };
    let pod = match decode(&given["pod"].to_string(), origin) {
        Err(error) => return same(&json!({ "error": error }), wanted, &[]),
        Ok(pod) => pod,
    };
    let uid = pod.metadata.uid.clone().unwrap_or_default();
    let as_json = serde_json::to_value(&pod).map_err(|error| error.to_string())?;
    let ours = json!({
        "name": as_json["metadata"]["name"],
        "namespace": as_json["metadata"]["namespace"],
        "nodeName": as_json["spec"]["nodeName"],
        "tolerations": as_json["spec"]["tolerations"],
        "phase": as_json["status"]["phase"],
        "restartPolicy": as_json["spec"]["restartPolicy"],
        "imagePullPolicy": as_json["spec"]["containers"][0]["imagePullPolicy"],
        "terminationGracePeriodSeconds": as_json["spec"]["terminationGracePeriodSeconds"],
        "configHashIsUid": annotation(&pod, HASH) == Some(&uid),
        "uid": if wanted["uid"].is_null() { Value::Null } else { Value::from(uid.clone()) },
    });
    same(&ours, wanted, &["uidGroup"])?;
    let Some(group) = wanted["uidGroup"].as_i64() else {
        return Ok(());
    };
    UIDS.with_borrow_mut(|known| {
        if known.iter().any(|(other, known)| *known == uid && *other != group) {
            return Err(format!("another pod has uid {uid} too"));
        }
        let first = known.entry(group).or_insert_with(|| uid.clone());
        if *first == uid {
            Ok(())
        } else {
            Err(format!("uid {uid} not {first}"))
        }
    })
}

pub fn node_shutdown(given: &Value, wanted: &Value) -> Result<(), String> {
    let seconds = |key: &str| SimDuration::from_secs(given[key].as_u64().unwrap_or(0));
    let listed: Vec<Period> = given["byPriority"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|period| Period {
            priority: period["Priority"].as_i64().unwrap_or(0) as i32,
            seconds: period["ShutdownGracePeriodSeconds"].as_i64().unwrap_or(0),
        })
        .collect();
    let periods = if listed.is_empty() {
        migrated(
            seconds("shutdownGracePeriodSeconds"),
            seconds("shutdownGracePeriodCriticalPodsSeconds"),
        )
    } else {
        listed
    };
    let pods: Vec<(&str, i32)> = given["pods"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|pod| {
            let priority = pod["priority"].as_i64().unwrap_or(0) as i32;
            (pod["name"].as_str().unwrap_or_default(), priority)
        })
        .collect();
    let ours: Vec<Value> = groups(&periods, pods)
        .into_iter()
        .map(
            |(period, pods)| json!({ "priority": period.priority, "gracePeriodSeconds": period.seconds, "pods": pods }),
        )
        .collect();
    same(&json!({ "groups": ours }), wanted, &[])
}
