//! Validation: what the API server says of an object whose form is right and whose content is not
//! (`pkg/apis/*/validation/validation.go`). Errors come in the order in which the real functions find them.

mod container;
mod cron;
mod job;
mod meta;
mod pod;
mod rest;
mod scheduling;
mod service;
mod update;
mod volume;
mod workload;

pub(crate) use update::update;

use crate::objects::Object;
use crate::version::Profile;

use super::field::Errors;

/// What is wrong with a new object.
pub(crate) fn create(version: Profile, object: &Object) -> Errors {
    let mut errors = Errors::of(version);
    let e = &mut errors;
    meta::object(e, object);
    match object {
        Object::Pod(pod) => pod::create(e, pod),
        Object::PodTemplate(template) => {
            let path = super::field::Path::root("template");
            if let Some(template) = &template.template {
                pod::template(e, template, &path);
            }
        }
        Object::Deployment(deployment) => workload::deployment(e, deployment),
        Object::ReplicaSet(set) => workload::replica_set(e, set),
        Object::ReplicationController(controller) => workload::replication_controller(e, controller),
        Object::StatefulSet(set) => workload::stateful_set(e, set),
        Object::DaemonSet(set) => workload::daemon_set(e, set),
        Object::Job(job) => job::job(e, job),
        Object::CronJob(job) => job::cron_job(e, job),
        Object::Service(service) => service::create(e, service),
        Object::Namespace(namespace) => {
            rest::object(e, object);
            super::pod_security::validate(e, namespace);
        }
        Object::Event(event) => {
            let inside = event.involved_object.namespace.as_deref().unwrap_or_default();
            if !inside.is_empty() && Some(inside) != event.metadata.namespace.as_deref() {
                let path = super::field::Path::root("involvedObject");
                e.invalid_text(&path.child("namespace"), inside, "does not match event.namespace");
            }
        }
        _ => rest::object(e, object),
    }
    errors
}

/// What is wrong with a new status.
pub(crate) fn status(old: &Object, new: &Object) -> Errors {
    let mut errors = Errors::default();
    let e = &mut errors;
    let path = super::field::Path::root("status");
    match (old, new) {
        (Object::Pod(old), Object::Pod(new)) => {
            let nominated = |pod: &crate::core::Pod| {
                let status = pod.status.as_ref();
                status
                    .and_then(|status| status.nominated_node_name.clone())
                    .unwrap_or_default()
            };
            let bound = old.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
            if bound.is_some_and(|node| !node.is_empty())
                && !nominated(new).is_empty()
                && nominated(new) != nominated(old)
            {
                e.forbidden(
                    &path.child("nominatedNodeName"),
                    "may not be set on pods that are already bound to a node",
                );
            }
        }
        (_, Object::Deployment(deployment)) => {
            let status = deployment.status.clone().unwrap_or_default();
            let count = |value: Option<i32>| value.unwrap_or(0);
            for (name, value) in [
                ("replicas", status.replicas),
                ("updatedReplicas", status.updated_replicas),
                ("readyReplicas", status.ready_replicas),
                ("availableReplicas", status.available_replicas),
                ("unavailableReplicas", status.unavailable_replicas),
            ] {
                e.nonnegative(&path.child(name), count(value).into());
            }
            most(
                e,
                &path,
                count(status.replicas),
                &[
                    ("updatedReplicas", count(status.updated_replicas)),
                    ("readyReplicas", count(status.ready_replicas)),
                    ("availableReplicas", count(status.available_replicas)),
                ],
            );
            if count(status.available_replicas) > count(status.ready_replicas) {
                let detail = "cannot be greater than readyReplicas";
                e.invalid(
                    &path.child("availableReplicas"),
                    count(status.available_replicas),
                    detail,
                );
            }
        }
        (_, Object::ReplicaSet(set)) => {
            let status = set.status.clone().unwrap_or_default();
            let count = |value: Option<i32>| value.unwrap_or(0);
            let parts = [
                ("fullyLabeledReplicas", count(status.fully_labeled_replicas)),
                ("readyReplicas", count(status.ready_replicas)),
                ("availableReplicas", count(status.available_replicas)),
            ];
            e.nonnegative(&path.child("replicas"), status.replicas.into());
            for (name, value) in parts {
                e.nonnegative(&path.child(name), value.into());
            }
            most(e, &path, status.replicas, &parts);
        }
        _ => {}
    }
    errors
}

/// Parts of the replicas are not more than all of them.
fn most(e: &mut Errors, path: &super::field::Path<'_>, all: i32, parts: &[(&str, i32)]) {
    for (name, count) in parts {
        if *count > all {
            e.invalid(&path.child(name), count, "cannot be greater than status.replicas");
        }
    }
}
