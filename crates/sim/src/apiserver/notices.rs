//! What is accepted and not simulated is said, once: silence would let a reader believe that it has an effect.

use k8s_openapi::api::core::v1 as core;

use crate::objects::{Kind, Object};
use crate::world::World;

/// Kinds on which something acts in the simulation.
const SIMULATED: &[Kind] = &[
    Kind::Namespace,
    Kind::Node,
    Kind::Pod,
    Kind::ConfigMap,
    Kind::Secret,
    Kind::Service,
    Kind::ServiceAccount,
    Kind::Event,
    Kind::ReplicaSet,
    Kind::Deployment,
    Kind::Job,
    Kind::ResourceQuota,
    Kind::LimitRange,
    Kind::CronJob,
    Kind::DaemonSet,
    Kind::StatefulSet,
    Kind::PriorityClass,
    Kind::PodDisruptionBudget,
    Kind::ControllerRevision,
    Kind::EndpointSlice,
    Kind::Endpoints,
    Kind::ReplicationController,
    Kind::HorizontalPodAutoscaler,
    Kind::Lease,
    Kind::PersistentVolume,
    Kind::PersistentVolumeClaim,
    Kind::StorageClass,
];

/// Names what of an object has no effect.
pub(super) fn of(w: &mut World, object: &Object) {
    let kind = object.kind();
    if !SIMULATED.contains(&kind) {
        w.notice(&format!("not simulated: {kind} (it is stored, and nothing acts on it)"));
    }
    match object {
        Object::Pod(pod) => spec(w, pod.spec.as_ref()),
        Object::Deployment(object) => template(w, object.spec.as_ref().map(|spec| &spec.template)),
        Object::ReplicaSet(object) => template(w, object.spec.as_ref().and_then(|spec| spec.template.as_ref())),
        Object::StatefulSet(object) => template(w, object.spec.as_ref().map(|spec| &spec.template)),
        Object::DaemonSet(object) => template(w, object.spec.as_ref().map(|spec| &spec.template)),
        Object::Job(object) => template(w, object.spec.as_ref().map(|spec| &spec.template)),
        Object::CronJob(object) => {
            template(w, object.spec.job_template.spec.as_ref().map(|spec| &spec.template));
        }
        _ => {}
    }
}

fn template(w: &mut World, template: Option<&core::PodTemplateSpec>) {
    spec(w, template.and_then(|template| template.spec.as_ref()));
}

fn spec(w: &mut World, spec: Option<&core::PodSpec>) {
    let Some(spec) = spec else { return };
    let mut say = |present: bool, what: &str| {
        if present {
            w.notice(&format!("not simulated: {what}"));
        }
    };
    say(spec.host_pid == Some(true), "hostPID");
    say(spec.host_users == Some(false), "hostUsers: false");
    say(spec.runtime_class_name.is_some(), "runtimeClassName");
    say(spec.dns_config.is_some(), "dnsConfig");
    say(
        spec.host_aliases.as_ref().is_some_and(|list| !list.is_empty()),
        "hostAliases",
    );
    say(
        spec.resource_claims.as_ref().is_some_and(|list| !list.is_empty()),
        "resourceClaims",
    );
    if let Some(security) = &spec.security_context {
        say(security.seccomp_profile.is_some(), "seccompProfile");
        say(security.app_armor_profile.is_some(), "appArmorProfile");
        say(security.se_linux_options.is_some(), "seLinuxOptions");
        say(
            security.sysctls.as_ref().is_some_and(|list| !list.is_empty()),
            "sysctls",
        );
    }
    for container in spec.init_containers.iter().flatten().chain(&spec.containers) {
        if let Some(security) = &container.security_context {
            say(security.seccomp_profile.is_some(), "seccompProfile");
            say(security.app_armor_profile.is_some(), "appArmorProfile");
            say(security.se_linux_options.is_some(), "seLinuxOptions");
            say(security.capabilities.is_some(), "capabilities");
            say(security.privileged == Some(true), "privileged");
        }
        say(
            container.volume_devices.as_ref().is_some_and(|list| !list.is_empty()),
            "volumeDevices",
        );
    }
    for volume in spec.volumes.iter().flatten() {
        let simulated = volume.empty_dir.is_some()
            || volume.host_path.is_some()
            || volume.config_map.is_some()
            || volume.secret.is_some()
            || volume.downward_api.is_some()
            || volume.projected.is_some()
            || volume.ephemeral.is_some()
            || volume.persistent_volume_claim.is_some();
        say(
            !simulated,
            "volumes other than emptyDir, hostPath, configMap, secret, downwardAPI, projected, ephemeral and \
             persistentVolumeClaim",
        );
    }
}
