//! Defaulting: the values that the API server fills in when an object does not say otherwise
//! (`pkg/apis/*/v1/defaults.go`, `zz_generated.defaults.go`). It is idempotent.

mod pod;
mod rest;
mod workloads;

pub(crate) use pod::template as default_template;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::objects::Object;
use crate::version::Profile;

/// Fills in the defaults of an object: those of fields that the version has.
pub(crate) fn default(version: Profile, object: &mut Object) {
    meta(object.meta_mut());
    match object {
        Object::Pod(pod) => pod::pod(pod),
        Object::PodTemplate(template) => {
            if let Some(template) = &mut template.template {
                pod::template(template);
            }
        }
        Object::Deployment(deployment) => workloads::deployment(deployment),
        Object::ReplicaSet(set) => workloads::replica_set(set),
        Object::ReplicationController(controller) => workloads::replication_controller(controller),
        Object::StatefulSet(set) => workloads::stateful_set(set),
        Object::DaemonSet(set) => workloads::daemon_set(set),
        Object::Job(job) => workloads::job(version, job),
        Object::CronJob(job) => workloads::cron_job(job),
        Object::Service(service) => rest::service(service),
        Object::Endpoints(endpoints) => rest::endpoints(endpoints),
        Object::EndpointSlice(slice) => rest::endpoint_slice(slice),
        Object::Secret(secret) => rest::secret(secret),
        Object::Namespace(namespace) => rest::namespace(namespace),
        Object::Node(node) => {
            rest::node(node);
            // The list and its first are two views of one thing.
            if let Some(spec) = &mut node.spec
                && let Some(cidr) = &spec.pod_cidr
                && spec.pod_cidrs.is_none()
            {
                spec.pod_cidrs = Some(vec![cidr.clone()]);
            }
        }
        Object::LimitRange(range) => rest::limit_range(range),
        Object::ResourceQuota(quota) => rest::resource_quota(quota),
        Object::PersistentVolume(volume) => rest::persistent_volume(volume),
        Object::PersistentVolumeClaim(claim) => rest::persistent_volume_claim(claim),
        Object::StorageClass(class) => rest::storage_class(class),
        Object::HorizontalPodAutoscaler(autoscaler) => rest::autoscaler(autoscaler),
        Object::NetworkPolicy(policy) => rest::network_policy(policy),
        Object::PriorityClass(class) => {
            class
                .preemption_policy
                .get_or_insert_with(|| "PreemptLowerPriority".to_owned());
        }
        // Fields that Go always writes.
        Object::Event(event) => {
            event.reporting_component.get_or_insert_default();
            event.reporting_instance.get_or_insert_default();
        }
        Object::ServiceAccount(_)
        | Object::ConfigMap(_)
        | Object::ControllerRevision(_)
        | Object::Lease(_)
        | Object::Ingress(_)
        | Object::IngressClass(_)
        | Object::RuntimeClass(_)
        | Object::PodDisruptionBudget(_)
        | Object::Role(_)
        | Object::RoleBinding(_)
        | Object::ClusterRole(_)
        | Object::ClusterRoleBinding(_) => {}
    }
}

/// Empty maps and lists are not kept.
fn meta(meta: &mut ObjectMeta) {
    for map in [&mut meta.labels, &mut meta.annotations] {
        if map.as_ref().is_some_and(std::collections::BTreeMap::is_empty) {
            *map = None;
        }
    }
    if meta.finalizers.as_ref().is_some_and(Vec::is_empty) {
        meta.finalizers = None;
    }
    if meta.owner_references.as_ref().is_some_and(Vec::is_empty) {
        meta.owner_references = None;
    }
}

/// Sets a text that is missing or empty.
fn text(field: &mut Option<String>, default: &str) {
    if field.as_deref().unwrap_or_default().is_empty() {
        *field = Some(default.to_owned());
    }
}
