//! What a cluster holds before anybody does anything, and the trace of what happened since.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::SignedDuration;
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::storage::v1 as storage;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::Value;

use crate::cluster::NodeConfig;
use crate::kubelet::node_status::node_object;
use crate::objects::{Key, Object};
use crate::rng::Rng;
use crate::storage::{ANN_DEFAULT_CLASS, DEFAULT_CLASS, DRIVER};
use crate::store::differences;
use crate::trace::{Change, FieldChange, Trace, Version as ObjectVersion, What};
use crate::version::Gate;
use crate::world::World;

/// How old a cluster is when its virtual clock starts.
const AGE: SignedDuration = SignedDuration::from_hours(1);
/// Fields of one write that its summary names.
const SUMMARY: usize = 12;
/// What a cluster's certificate authority is: nothing verifies it.
const ROOT_CA: &str = "-----BEGIN CERTIFICATE-----\nsimulated\n-----END CERTIFICATE-----\n";

/// Makes the objects that every cluster has: namespaces with their service accounts and root certificates, the Service
/// `kubernetes`, the nodes.
pub(crate) fn furnish(w: &mut World, nodes: &[NodeConfig]) -> Result<(), String> {
    let born = Time(w.start.checked_sub(AGE).unwrap_or(w.start));
    for name in ["default", "kube-node-lease", "kube-public", "kube-system"] {
        let labels = BTreeMap::from([("kubernetes.io/metadata.name".to_owned(), name.to_owned())]);
        let metadata = ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some(labels),
            ..Default::default()
        };
        let spec = core::NamespaceSpec {
            finalizers: Some(vec!["kubernetes".to_owned()]),
        };
        let status = core::NamespaceStatus {
            phase: Some("Active".to_owned()),
            conditions: None,
        };
        add(
            w,
            core::Namespace {
                metadata,
                spec: Some(spec),
                status: Some(status),
            }
            .into(),
            &born,
        );
        for object in namespace_objects(name) {
            add(w, object, &born);
        }
    }
    let metadata = ObjectMeta {
        name: Some("kubernetes".to_owned()),
        namespace: Some("default".to_owned()),
        labels: Some(BTreeMap::from([
            ("component".to_owned(), "apiserver".to_owned()),
            ("provider".to_owned(), "kubernetes".to_owned()),
        ])),
        ..Default::default()
    };
    let port = core::ServicePort {
        name: Some("https".to_owned()),
        port: 443,
        protocol: Some("TCP".to_owned()),
        target_port: Some(IntOrString::Int(6443)),
        ..Default::default()
    };
    let spec = core::ServiceSpec {
        cluster_ip: Some("10.96.0.1".to_owned()),
        cluster_ips: Some(vec!["10.96.0.1".to_owned()]),
        internal_traffic_policy: Some("Cluster".to_owned()),
        ip_families: Some(vec!["IPv4".to_owned()]),
        ip_family_policy: Some("SingleStack".to_owned()),
        ports: Some(vec![port]),
        session_affinity: Some("None".to_owned()),
        type_: Some("ClusterIP".to_owned()),
        ..Default::default()
    };
    let status = core::ServiceStatus {
        load_balancer: Some(core::LoadBalancerStatus::default()),
        ..Default::default()
    };
    add(
        w,
        core::Service {
            metadata,
            spec: Some(spec),
            status: Some(status),
        }
        .into(),
        &born,
    );
    let kubelet_version = w.version.version().git_version();
    if w.settings.get("storageClass").map(String::as_str) != Some("none") {
        add_unseeded(w, default_class().into(), &born);
    }
    let mut names = BTreeSet::new();
    for (index, config) in nodes.iter().enumerate() {
        if config.name.is_empty() {
            return Err("a node has no name".to_owned());
        }
        if !names.insert(&config.name) {
            return Err(format!("two nodes are called {}", config.name));
        }
        let mut node = node_object(config, index, &kubelet_version, &born, &w.kubelet);
        if !w.version.enabled(Gate::DisableNodeKubeProxyVersion)
            && let Some(info) = node.status.as_mut().and_then(|status| status.node_info.as_mut())
        {
            info.kube_proxy_version.clone_from(&kubelet_version);
        }
        let node = Object::from(node);
        add(w, node, &born);
    }
    Ok(())
}

/// What the controllers put into every namespace.
pub(crate) fn namespace_objects(namespace: &str) -> [Object; 2] {
    let meta = |name: &str| ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some(namespace.to_owned()),
        ..Default::default()
    };
    let account = core::ServiceAccount {
        metadata: meta("default"),
        ..Default::default()
    };
    let note = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the \
                internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of \
                Kubernetes clusters.";
    let mut metadata = meta("kube-root-ca.crt");
    metadata.annotations = Some(BTreeMap::from([(
        "kubernetes.io/description".to_owned(),
        note.to_owned(),
    )]));
    let data = Some(BTreeMap::from([("ca.crt".to_owned(), ROOT_CA.to_owned())]));
    [
        account.into(),
        core::ConfigMap {
            metadata,
            data,
            ..Default::default()
        }
        .into(),
    ]
}

/// The class of the driver that every cluster has, which claims get that name none.
fn default_class() -> storage::StorageClass {
    let default = BTreeMap::from([(ANN_DEFAULT_CLASS.to_owned(), "true".to_owned())]);
    storage::StorageClass {
        metadata: ObjectMeta {
            name: Some(DEFAULT_CLASS.to_owned()),
            annotations: Some(default),
            ..Default::default()
        },
        provisioner: DRIVER.to_owned(),
        reclaim_policy: Some("Delete".to_owned()),
        volume_binding_mode: Some("WaitForFirstConsumer".to_owned()),
        ..Default::default()
    }
}

/// Adds an object whose UID is not drawn from the cluster's chance, so that a cluster with it goes the same way as one
/// without it.
fn add_unseeded(w: &mut World, object: Object, born: &Time) {
    let chance = std::mem::replace(&mut w.rng, Rng::new(0));
    add(w, object, born);
    w.rng = chance;
}

fn add(w: &mut World, mut object: Object, born: &Time) {
    let mut meta = std::mem::take(object.meta_mut());
    w.stamp(&mut meta);
    meta.creation_timestamp = Some(born.clone());
    *object.meta_mut() = meta;
    w.put(Change::Added, object);
}

/// Everything that has happened: records with the summaries of their writes, versions, log lines.
pub(crate) fn trace(w: &World) -> Trace {
    let mut records = w.records().to_vec();
    let mut versions = Vec::with_capacity(w.store.history().len());
    let mut newest: BTreeMap<Key, Arc<Value>> = BTreeMap::new();
    for write in w.store.history() {
        let object = &write.stored.object;
        let value = write.stored.json();
        let key = object.key();
        if write.change == Change::Modified
            && let Some(before) = newest.get(&key)
            && let Some(record) = records.get_mut(write.record as usize)
            && let What::Write { summary, .. } = &mut record.what
        {
            *summary = differences(before, &value)
                .into_iter()
                .take(SUMMARY)
                .map(|(path, from, to)| FieldChange { path, from, to })
                .collect();
        }
        versions.push(ObjectVersion {
            at: write.at,
            record: write.record,
            change: write.change,
            object: Arc::clone(&write.stored.reference),
            value: Arc::clone(&value),
        });
        if write.change == Change::Deleted {
            newest.remove(&key);
        } else {
            newest.insert(key, value);
        }
    }
    Trace {
        start: w.start.to_string(),
        end: w.now,
        records,
        versions,
        logs: w.logs().to_vec(),
    }
}
