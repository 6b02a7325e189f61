//! Admission: what the API server's plugins add to a new object or refuse (`plugin/pkg/admission/*`,
//! `pkg/kubeapiserver/options/plugins.go`).

use crate::core;
use k8s_openapi::api::scheduling::v1 as scheduling;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, json};

use super::limits;
use crate::controllers::volumes::protection::{CLAIM_FINALIZER, VOLUME_FINALIZER};
use crate::objects::{Key, Kind, Object};
use crate::registry::failure;
use crate::request::Status;
use crate::storage;
use crate::world::World;

/// Where service account tokens are mounted.
const TOKEN_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// Marks the pod of a file on a node; no service account may come with it.
const MIRROR_ANNOTATION: &str = "kubernetes.io/config.mirror";
/// The classes that exist without an object.
const SYSTEM_CLASSES: [(&str, i32); 2] = [
    ("system-node-critical", 2_000_001_000),
    ("system-cluster-critical", 2_000_000_000),
];

/// `pods "p" is forbidden: …`
pub(crate) fn forbidden(kind: Kind, name: &str, reason: &str) -> Status {
    let message = format!("{} \"{name}\" is forbidden: {reason}", kind.resource().qualified());
    failure(403, "Forbidden", message, kind, name)
}

/// Admits a new object: what is missing is added.
///
/// # Errors
/// The plugin's refusal.
pub(crate) fn admit(w: &mut World, object: &mut Object) -> Result<(), Status> {
    namespace_lifecycle(w, object)?;
    match object {
        Object::Pod(pod) => {
            limits::admit(w, pod)?;
            service_account(w, pod)?;
            priority(w, pod)?;
            runtime_class(w, pod)?;
            default_tolerations(pod);
            Ok(())
        }
        Object::Node(node) => {
            taint_new_node(node);
            Ok(())
        }
        Object::PersistentVolumeClaim(claim) => {
            default_class(w, claim);
            protect(&mut claim.metadata, CLAIM_FINALIZER);
            Ok(())
        }
        Object::PersistentVolume(volume) => {
            protect(&mut volume.metadata, VOLUME_FINALIZER);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// `DefaultStorageClass`: a claim that names no class gets the default one.
fn default_class(w: &World, claim: &mut core::PersistentVolumeClaim) {
    let named = claim
        .spec
        .as_ref()
        .is_some_and(|spec| spec.storage_class_name.is_some());
    if named || !storage::class_of_claim(claim).is_empty() {
        return;
    }
    if let Some(class) = storage::default_class(w) {
        claim
            .spec
            .get_or_insert_default()
            .storage_class_name
            .clone_from(&class.metadata.name);
    }
}

/// `StorageObjectInUseProtection`: what holds a claim or volume while it is in use.
fn protect(meta: &mut ObjectMeta, finalizer: &str) {
    let finalizers = meta.finalizers.get_or_insert_default();
    if !finalizers.iter().any(|known| known == finalizer) {
        finalizers.push(finalizer.to_owned());
    }
}

/// `TaintNodesByCondition`: nothing is scheduled to a node that has not yet said that it is ready.
fn taint_new_node(node: &mut core::Node) {
    const KEY: &str = "node.kubernetes.io/not-ready";
    let taints = node.spec.get_or_insert_default().taints.get_or_insert_default();
    if !taints
        .iter()
        .any(|taint| taint.key == KEY && taint.effect == "NoSchedule")
    {
        taints.push(core::Taint {
            key: KEY.to_owned(),
            effect: "NoSchedule".to_owned(),
            ..Default::default()
        });
    }
}

/// Whether a world has namespaces at all: a bare one, as the tests of single parts use it, checks none.
fn has_namespaces(w: &World) -> bool {
    w.store.list(Kind::Namespace, None).next().is_some()
}

/// `NamespaceLifecycle`: nothing is made in a namespace that is missing or on its way out.
fn namespace_lifecycle(w: &World, object: &Object) -> Result<(), Status> {
    let kind = object.kind();
    if !kind.resource().namespaced || !has_namespaces(w) {
        return Ok(());
    }
    let name = object.namespace();
    let Some(Object::Namespace(namespace)) = w.find(Kind::Namespace, "", name).map(|stored| &stored.object) else {
        return Err(failure(
            404,
            "NotFound",
            format!("namespaces \"{name}\" not found"),
            Kind::Namespace,
            name,
        ));
    };
    let phase = namespace.status.as_ref().and_then(|status| status.phase.as_deref());
    if namespace.metadata.deletion_timestamp.is_some() || phase == Some("Terminating") {
        let reason = format!("unable to create new content in namespace {name} because it is being terminated");
        let mut status = forbidden(kind, object.name(), &reason);
        let message = format!("namespace {name} is being terminated");
        let cause = json!({ "reason": "NamespaceTerminating", "message": message, "field": "metadata.namespace" });
        status.details["causes"] = Value::Array(vec![cause]);
        return Err(status);
    }
    Ok(())
}

/// `ServiceAccount`: every pod has an account that exists, and its token is mounted unless someone says no.
fn service_account(w: &mut World, pod: &mut core::Pod) -> Result<(), Status> {
    let mirror = pod
        .metadata
        .annotations
        .as_ref()
        .is_some_and(|map| map.contains_key(MIRROR_ANNOTATION));
    let pod_name = pod.metadata.name.clone().unwrap_or_default();
    let namespace = pod.metadata.namespace.clone().unwrap_or_default();
    let Some(spec) = pod.spec.as_deref_mut() else {
        return Ok(());
    };
    if mirror {
        if spec
            .service_account_name
            .as_deref()
            .is_some_and(|name| !name.is_empty())
        {
            return Err(forbidden(
                Kind::Pod,
                &pod_name,
                "a mirror pod may not reference service accounts",
            ));
        }
        return Ok(());
    }
    if spec.service_account_name.as_deref().unwrap_or_default().is_empty() {
        spec.service_account_name = Some("default".to_owned());
    }
    spec.service_account.clone_from(&spec.service_account_name);
    let name = spec.service_account_name.clone().unwrap_or_default();
    let account = match w
        .get(&Key::new(Kind::ServiceAccount, &namespace, &name))
        .map(|stored| &stored.object)
    {
        Some(Object::ServiceAccount(account)) => Some(account.clone()),
        _ if !has_namespaces(w) => None,
        _ => {
            let reason =
                format!("error looking up service account {namespace}/{name}: serviceaccount \"{name}\" not found");
            return Err(forbidden(Kind::Pod, &pod_name, &reason));
        }
    };
    let own_choice = account
        .as_ref()
        .and_then(|account| account.automount_service_account_token);
    if spec.automount_service_account_token.or(own_choice).unwrap_or(true) && account.is_some() {
        mount_token(w, spec);
    }
    if spec.image_pull_secrets.as_ref().is_none_or(Vec::is_empty) {
        spec.image_pull_secrets = account.and_then(|account| account.image_pull_secrets);
    }
    Ok(())
}

/// `mountServiceAccountToken`: a projected volume with the token, the cluster's root certificate and the namespace.
fn mount_token(w: &mut World, spec: &mut core::PodSpec) {
    let existing = spec
        .volumes
        .iter()
        .flatten()
        .find(|volume| volume.name.starts_with("kube-api-access-"));
    let existing = existing.map(|volume| volume.name.clone());
    let name = existing
        .clone()
        .unwrap_or_else(|| format!("kube-api-access-{}", w.rng.suffix(5)));
    let mut needed = false;
    for container in spec.init_containers.iter_mut().flatten().chain(&mut spec.containers) {
        let mounts = container.volume_mounts.get_or_insert_default();
        if mounts.iter().all(|mount| mount.mount_path != TOKEN_PATH) {
            needed = true;
            mounts.push(core::VolumeMount {
                name: name.clone(),
                read_only: Some(true),
                mount_path: TOKEN_PATH.to_owned(),
                ..Default::default()
            });
        }
        if mounts.is_empty() {
            container.volume_mounts = None;
        }
    }
    if needed && existing.is_none() {
        spec.volumes.get_or_insert_default().push(token_volume(name));
    }
}

fn token_volume(name: String) -> core::Volume {
    let token = core::ServiceAccountTokenProjection {
        expiration_seconds: Some(60 * 60 + 7),
        path: "token".to_owned(),
        ..Default::default()
    };
    let certificate = core::ConfigMapProjection {
        name: "kube-root-ca.crt".to_owned(),
        items: Some(vec![core::KeyToPath {
            key: "ca.crt".to_owned(),
            path: "ca.crt".to_owned(),
            mode: None,
        }]),
        optional: None,
    };
    let namespace = core::DownwardAPIVolumeFile {
        path: "namespace".to_owned(),
        field_ref: Some(core::ObjectFieldSelector {
            api_version: Some("v1".to_owned()),
            field_path: "metadata.namespace".to_owned(),
        }),
        ..Default::default()
    };
    let sources = vec![
        core::VolumeProjection {
            service_account_token: Some(token),
            ..Default::default()
        },
        core::VolumeProjection {
            config_map: Some(certificate),
            ..Default::default()
        },
        core::VolumeProjection {
            downward_api: Some(core::DownwardAPIProjection {
                items: Some(vec![namespace]),
            }),
            ..Default::default()
        },
    ];
    core::Volume {
        name,
        projected: Some(core::ProjectedVolumeSource {
            default_mode: Some(0o644),
            sources: Some(sources),
        }),
        ..Default::default()
    }
}

/// `Priority`: the class becomes a number.
fn priority(w: &World, pod: &mut core::Pod) -> Result<(), Status> {
    let name = pod.metadata.name.clone().unwrap_or_default();
    let Some(spec) = &mut pod.spec else { return Ok(()) };
    let classes = || {
        w.store
            .list(Kind::PriorityClass, None)
            .filter_map(|stored| match &stored.object {
                Object::PriorityClass(class) => Some(class),
                _ => None,
            })
    };
    let value_of = |class: &scheduling::PriorityClass| class.value.unwrap_or_default();
    let wanted = spec.priority_class_name.clone().unwrap_or_default();
    let (class, computed, policy) = if wanted.is_empty() {
        // Of several global defaults the smallest counts.
        match classes()
            .filter(|class| class.global_default == Some(true))
            .min_by_key(|class| value_of(class))
        {
            Some(class) => (
                class.metadata.name.clone(),
                value_of(class),
                class.preemption_policy.clone(),
            ),
            None => (None, 0, None),
        }
    } else if let Some((_, value)) = SYSTEM_CLASSES.iter().find(|(class, _)| *class == wanted) {
        (Some(wanted), *value, None)
    } else if let Some(class) = classes().find(|class| class.metadata.name.as_deref() == Some(&wanted)) {
        (Some(wanted), value_of(class), class.preemption_policy.clone())
    } else {
        return Err(forbidden(
            Kind::Pod,
            &name,
            &format!("no PriorityClass with name {wanted} was found"),
        ));
    };
    if let Some(given) = spec.priority.filter(|given| *given != computed) {
        let reason = format!(
            "the integer value of priority ({given}) must not be provided in pod spec; priority admission controller \
             computed {computed} from the given PriorityClass name"
        );
        return Err(forbidden(Kind::Pod, &name, &reason));
    }
    let policy = policy.unwrap_or_else(|| "PreemptLowerPriority".to_owned());
    if let Some(given) = spec.preemption_policy.as_ref().filter(|given| **given != policy) {
        let reason = format!(
            "the string value of PreemptionPolicy ({given}) must not be provided in pod spec; priority admission \
             controller computed {policy} from the given PriorityClass name"
        );
        return Err(forbidden(Kind::Pod, &name, &reason));
    }
    spec.priority_class_name = class;
    spec.priority = Some(computed);
    spec.preemption_policy = Some(policy);
    Ok(())
}

/// `RuntimeClass`: a class that is named exists.
fn runtime_class(w: &World, pod: &core::Pod) -> Result<(), Status> {
    let class = pod.spec.as_ref().and_then(|spec| spec.runtime_class_name.as_deref());
    let Some(class) = class.filter(|class| !class.is_empty()) else {
        return Ok(());
    };
    if w.find(Kind::RuntimeClass, "", class).is_some() {
        return Ok(());
    }
    let reason = format!("pod rejected: RuntimeClass \"{class}\" not found");
    Err(forbidden(
        Kind::Pod,
        pod.metadata.name.as_deref().unwrap_or_default(),
        &reason,
    ))
}

/// `DefaultTolerationSeconds`: five minutes for a node that is not ready or not reachable.
pub(crate) fn default_tolerations(pod: &mut core::Pod) {
    let Some(spec) = &mut pod.spec else { return };
    let tolerations = spec.tolerations.get_or_insert_default();
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        let covered = tolerations.iter().any(|toleration| {
            let any_key = toleration.key.as_deref().unwrap_or_default();
            let any_effect = toleration.effect.as_deref().unwrap_or_default();
            (any_key == key || any_key.is_empty()) && (any_effect == "NoExecute" || any_effect.is_empty())
        });
        if !covered {
            tolerations.push(core::Toleration {
                effect: Some("NoExecute".to_owned()),
                key: Some(key.to_owned()),
                operator: Some("Exists".to_owned()),
                toleration_seconds: Some(300),
                value: None,
            });
        }
    }
}
