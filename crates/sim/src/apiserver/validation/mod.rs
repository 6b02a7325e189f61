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
        Object::Service(service) => service::service(e, service),
        _ => rest::object(e, object),
    }
    errors
}
