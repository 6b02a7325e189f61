//! `kubectl describe` (`kubectl/pkg/describe/describe.go`).

mod autoscaler;
mod common;
mod config;
mod events;
mod generic;
mod ingress;
mod node;
mod pod;
mod workloads;
mod writer;

use jiff::Timestamp;
use serde_json::Value;

use crate::resources::{self, Resource};
use crate::selector::selector_query;
use crate::value::text;

/// What a description of an object needs to see besides it: resource, namespace, label selector, field selector.
pub(crate) type Need = (&'static Resource, String, Option<String>, Option<String>);

/// The lists that a description of `object` reads.
pub(crate) fn needs(object: &Value, events: bool) -> Vec<Need> {
    let (name, namespace) = (
        text(object, "/metadata/name"),
        text(object, "/metadata/namespace").to_owned(),
    );
    let mut needs: Vec<Need> = Vec::new();
    let mut need = |kind: &str, namespace: &str, labels: Option<String>, fields: Option<String>| {
        if let Some(resource) = resources::find(kind) {
            needs.push((resource, namespace.to_owned(), labels, fields));
        }
    };
    let selector = || object.pointer("/spec/selector").map(selector_query);
    match text(object, "/kind") {
        "Deployment" => need("replicasets", &namespace, selector(), None),
        "ReplicaSet" | "StatefulSet" | "DaemonSet" => need("pods", &namespace, selector(), None),
        "Service" => need(
            "endpointslices",
            &namespace,
            Some(format!("kubernetes.io/service-name={name}")),
            None,
        ),
        "PersistentVolumeClaim" => need("pods", &namespace, None, None),
        "Ingress" => {
            need("services", &namespace, None, None);
            need("endpointslices", &namespace, None, None);
        }
        "Node" => {
            need(
                "pods",
                "",
                None,
                Some(format!(
                    "spec.nodeName={name},status.phase!=Succeeded,status.phase!=Failed"
                )),
            );
            need("leases", "kube-node-lease", None, Some(format!("metadata.name={name}")));
        }
        _ => {}
    }
    if events {
        // Kubelets write a node's name where its uid belongs, so a node's events are found by name alone.
        // Those of a mirror pod are about the static pod that it mirrors.
        let mirrored = text(object, "/metadata/annotations/kubernetes.io~1config.mirror");
        let uid = if mirrored.is_empty() {
            text(object, "/metadata/uid")
        } else {
            mirrored
        };
        let fields = match uid {
            uid if !uid.is_empty() && text(object, "/kind") != "Node" => {
                format!("involvedObject.name={name},involvedObject.namespace={namespace},involvedObject.uid={uid}")
            }
            _ => format!(
                "involvedObject.name={name},involvedObject.kind={}",
                text(object, "/kind")
            ),
        };
        need("events", &namespace, None, Some(fields));
    }
    needs
}

/// The description of an object; `around` holds everything else that can be seen, events among it.
#[must_use]
pub fn describe(object: &Value, around: &[Value], now: Timestamp, events: bool) -> String {
    match text(object, "/kind") {
        "Pod" => pod::pod(object, around, now, events),
        "Deployment" => workloads::deployment(object, around, now, events),
        "ReplicaSet" => workloads::replica_set(object, around, now, events),
        "StatefulSet" => workloads::stateful_set(object, around, now, events),
        "DaemonSet" => workloads::daemon_set(object, around, now, events),
        "Job" => workloads::job(object, around, now, events),
        "CronJob" => workloads::cron_job(object, around, now, events),
        "Node" => node::node(object, around, now, events),
        "Service" => config::service(object, around, now, events),
        "ConfigMap" => config::config_map(object, around, now, events),
        "Secret" => config::secret(object),
        "Namespace" => config::namespace(object),
        "ServiceAccount" => config::service_account(object, around, now, events),
        "PersistentVolumeClaim" => config::claim(object, around, now, events),
        "StorageClass" => config::storage_class(object, around, now, events),
        "PodDisruptionBudget" => config::disruption_budget(object, around, now, events),
        "ResourceQuota" => config::quota(object),
        "HorizontalPodAutoscaler" => autoscaler::autoscaler(object, around, now, events),
        "Ingress" => ingress::ingress(object, around, now, events),
        "PriorityClass" => config::priority_class(object, around, now, events),
        _ => generic::describe(object, around, now, events),
    }
}

/// The description of a pod template, as `rollout history --revision` shows it.
pub(crate) fn template(template: &Value) -> String {
    let mut out = writer::Writer::default();
    pod::template(&mut out, template);
    out.finish()
}
