//! What may change (`pkg/apis/*/validation/validation.go Validate*Update`).

use crate::core;
use k8s_openapi::api::{apps::v1 as apps, batch::v1 as batch};
use serde::Serialize;

use super::{job, meta, pod, rest, service, workload};
use crate::apiserver::field::{Errors, Path, quoted, shown};
use crate::objects::Object;
use crate::version::Profile;

const IMMUTABLE: &str = "field is immutable";
const POD_FIELDS: &str = "pod updates may not change fields other than `spec.containers[*].image`,\
`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),\
`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";
const STATEFUL_SET_FIELDS: &str = "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', \
'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";
const CLAIM_FIELDS: &str =
    "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";

/// What is wrong with the new state of an object.
pub(crate) fn update(version: Profile, old: &Object, new: &Object) -> Errors {
    let mut errors = Errors::of(version);
    let e = &mut errors;
    meta::update(e, old.meta(), new.meta());
    match (old, new) {
        (Object::Pod(old), Object::Pod(new)) => pod(e, old, new),
        (Object::Deployment(old), Object::Deployment(new)) => {
            workload::deployment(e, new);
            immutable_selector(
                e,
                old.spec.as_ref().map(|spec| &spec.selector),
                new.spec.as_ref().map(|spec| &spec.selector),
            );
        }
        (Object::ReplicaSet(old), Object::ReplicaSet(new)) => {
            workload::replica_set(e, new);
            immutable_selector(
                e,
                old.spec.as_ref().map(|spec| &spec.selector),
                new.spec.as_ref().map(|spec| &spec.selector),
            );
        }
        (Object::DaemonSet(old), Object::DaemonSet(new)) => {
            workload::daemon_set(e, new);
            immutable_selector(
                e,
                old.spec.as_ref().map(|spec| &spec.selector),
                new.spec.as_ref().map(|spec| &spec.selector),
            );
        }
        (Object::ReplicationController(_), Object::ReplicationController(new)) => {
            workload::replication_controller(e, new)
        }
        (Object::StatefulSet(old), Object::StatefulSet(new)) => stateful_set(e, old, new),
        (Object::Job(old), Object::Job(new)) => job(e, old, new),
        (Object::CronJob(_), Object::CronJob(new)) => job::cron_job(e, new),
        (Object::Service(old), Object::Service(new)) => service(e, old, new),
        (Object::ConfigMap(old), Object::ConfigMap(new)) => config_map(e, old, new),
        (Object::Secret(old), Object::Secret(new)) => secret(e, old, new),
        (Object::PersistentVolumeClaim(old), Object::PersistentVolumeClaim(new)) => claim(e, old, new),
        (Object::PriorityClass(old), Object::PriorityClass(new)) => {
            if old.value != new.value {
                e.forbidden(&Path::root("value"), "may not be changed in an update.");
            }
            if old.preemption_policy != new.preemption_policy {
                let policy = new.preemption_policy.as_deref().unwrap_or_default();
                e.invalid_text(&Path::root("preemptionPolicy"), policy, IMMUTABLE);
            }
        }
        (Object::Namespace(_), Object::Namespace(namespace)) => {
            rest::object(e, new);
            crate::apiserver::pod_security::validate(e, namespace);
        }
        (Object::Node(old), Object::Node(node)) => {
            rest::object(e, new);
            let before = old
                .spec
                .as_ref()
                .and_then(|spec| spec.pod_cidr.as_deref())
                .unwrap_or_default();
            let after = node
                .spec
                .as_ref()
                .and_then(|spec| spec.pod_cidr.as_deref())
                .unwrap_or_default();
            if !before.is_empty() && before != after {
                let spec = Path::root("spec");
                e.forbidden(
                    &spec.child("podCIDRs"),
                    "node updates may not change podCIDR except from \"\" to valid",
                );
            }
        }
        _ => rest::object(e, new),
    }
    errors
}

/// `ValidateImmutableField`
fn immutable<T: PartialEq + Serialize>(e: &mut Errors, old: &T, new: &T, path: &Path<'_>) {
    if old != new {
        e.invalid(path, shown(new), IMMUTABLE);
    }
}

/// A value of an internal type as an error shows it: its fields have Go's names.
fn internal<T: Serialize>(value: &T) -> String {
    fn named(value: serde_json::Value) -> serde_json::Value {
        match value {
            serde_json::Value::Object(map) => map
                .into_iter()
                .map(|(key, value)| {
                    let mut letters = key.chars();
                    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
                    (first.into_iter().chain(letters).collect::<String>(), named(value))
                })
                .collect::<serde_json::Map<_, _>>()
                .into(),
            serde_json::Value::Array(items) => items.into_iter().map(named).collect(),
            other => other,
        }
    }
    shown(&named(serde_json::to_value(value).unwrap_or_default()))
}

fn immutable_selector<T: PartialEq + Serialize>(e: &mut Errors, old: Option<&T>, new: Option<&T>) {
    let spec = Path::root("spec");
    immutable(e, &old, &new, &spec.child("selector"));
}

/// `ValidatePodUpdate`
fn pod(e: &mut Errors, old: &core::Pod, new: &core::Pod) {
    pod::metadata_and_spec(e, new);
    let default = core::PodSpec::default();
    let (before, after) = (
        old.spec.as_deref().unwrap_or(&default),
        new.spec.as_deref().unwrap_or(&default),
    );
    let path = Path::root("spec");
    if !same_containers(e, &before.containers, &after.containers, &path.child("containers")) {
        return;
    }
    let init = |spec: &core::PodSpec| spec.init_containers.clone().unwrap_or_default();
    if !same_containers(e, &init(before), &init(after), &path.child("initContainers")) {
        return;
    }
    let deadline = path.child("activeDeadlineSeconds");
    match (before.active_deadline_seconds, after.active_deadline_seconds) {
        (Some(old), Some(new)) if old < new => {
            return e.invalid(&deadline, new, "must be less than or equal to previous value");
        }
        (Some(_), None) => e.invalid(
            &deadline,
            "null",
            "must not update from a positive integer to nil value",
        ),
        _ => {}
    }
    only_added_tolerations(e, before, after, &path.child("tolerations"));
    only_deleted_gates(e, before, after, &path.child("schedulingGates"));
    // The rest must be the same once everything that may change is put back.
    let mut rest = after.clone();
    let put_back = |containers: &mut [core::Container], old: &[core::Container]| {
        for (new, old) in containers.iter_mut().zip(old) {
            new.image.clone_from(&old.image);
        }
    };
    put_back(&mut rest.containers, &before.containers);
    put_back(
        rest.init_containers.as_deref_mut().unwrap_or_default(),
        before.init_containers.as_deref().unwrap_or_default(),
    );
    rest.active_deadline_seconds = before.active_deadline_seconds;
    rest.scheduling_gates.clone_from(&before.scheduling_gates);
    rest.tolerations.clone_from(&before.tolerations);
    if before.termination_grace_period_seconds.is_some_and(|grace| grace < 0)
        && after.termination_grace_period_seconds == Some(1)
    {
        rest.termination_grace_period_seconds = before.termination_grace_period_seconds;
    }
    if before.scheduling_gates.as_ref().is_some_and(|gates| !gates.is_empty()) {
        // A pod that is not yet scheduled may be steered more narrowly.
        let kept = before
            .node_selector
            .iter()
            .flatten()
            .all(|(key, value)| after.node_selector.as_ref().and_then(|selector| selector.get(key)) == Some(value));
        if !kept {
            let detail = "only additions are allowed to spec.nodeSelector (no mutations or deletions)";
            e.invalid(&path.child("nodeSelector"), shown(&after.node_selector), detail);
        }
        rest.node_selector.clone_from(&before.node_selector);
        let affinity = before
            .affinity
            .as_ref()
            .and_then(|affinity| affinity.node_affinity.clone());
        match (&mut rest.affinity, &before.affinity) {
            (Some(new), Some(_)) => new.node_affinity = affinity,
            (Some(new), None) if new.pod_affinity.is_none() && new.pod_anti_affinity.is_none() => rest.affinity = None,
            (Some(new), None) => new.node_affinity = None,
            (None, _) => {}
        }
    }
    // What is absent and what is empty is the same.
    if shown(&rest) != shown(before) {
        e.forbidden(&path, POD_FIELDS);
    }
}

/// `ValidateContainerUpdates`; whether the containers can be compared one by one.
fn same_containers(e: &mut Errors, old: &[core::Container], new: &[core::Container], path: &Path<'_>) -> bool {
    if old.len() != new.len() {
        e.forbidden(path, "pod updates may not add or remove containers");
        return false;
    }
    for (index, container) in new.iter().enumerate() {
        let image = container.image.as_deref().unwrap_or_default();
        let at = path.index(index);
        if image.is_empty() {
            e.required(&at.child("image"), "");
        }
        if image.trim().len() != image.len() {
            e.invalid_text(
                &at.child("image"),
                image,
                "must not have leading or trailing whitespace",
            );
        }
    }
    true
}

/// `validateOnlyAddedTolerations`
fn only_added_tolerations(e: &mut Errors, old: &core::PodSpec, new: &core::PodSpec, path: &Path<'_>) {
    for toleration in old.tolerations.iter().flatten() {
        let kept = new.tolerations.iter().flatten().any(|other| {
            let mut other = other.clone();
            other.toleration_seconds = toleration.toleration_seconds;
            other == *toleration
        });
        if !kept {
            return e.forbidden(
                path,
                "existing toleration can not be modified except its tolerationSeconds",
            );
        }
    }
}

/// `validateOnlyDeletedSchedulingGates`
fn only_deleted_gates(e: &mut Errors, old: &core::PodSpec, new: &core::PodSpec, path: &Path<'_>) {
    for (index, gate) in new.scheduling_gates.iter().flatten().enumerate() {
        if !old
            .scheduling_gates
            .iter()
            .flatten()
            .any(|known| known.name == gate.name)
        {
            let detail = format!(
                "only deletion is allowed, but found new scheduling gate '{}'",
                gate.name
            );
            e.forbidden(&path.index(index).child("name"), &detail);
        }
    }
}

fn stateful_set(e: &mut Errors, old: &apps::StatefulSet, new: &apps::StatefulSet) {
    workload::stateful_set(e, new);
    let (Some(before), Some(after)) = (&old.spec, &new.spec) else {
        return;
    };
    let mut rest = after.clone();
    rest.replicas = before.replicas;
    rest.template = before.template.clone();
    rest.update_strategy.clone_from(&before.update_strategy);
    rest.min_ready_seconds = before.min_ready_seconds;
    rest.ordinals.clone_from(&before.ordinals);
    rest.revision_history_limit = before.revision_history_limit;
    rest.persistent_volume_claim_retention_policy
        .clone_from(&before.persistent_volume_claim_retention_policy);
    if rest != *before {
        e.forbidden(&Path::root("spec"), STATEFUL_SET_FIELDS);
    }
}

/// `ValidateJobUpdate`
fn job(e: &mut Errors, old: &batch::Job, new: &batch::Job) {
    job::job(e, new);
    let (Some(before), Some(after)) = (&old.spec, &new.spec) else {
        return;
    };
    let path = Path::root("spec");
    let completions = path.child("completions");
    if after.completion_mode.as_deref() == Some("Indexed") {
        let in_tandem = after.completions.is_none() || after.completions == after.parallelism;
        if after.completions != before.completions && !in_tandem {
            let value = after.completions.unwrap_or(0);
            e.invalid(
                &completions,
                value,
                "can only be modified in tandem with spec.parallelism",
            );
        }
    } else {
        immutable(e, &before.completions, &after.completions, &completions);
    }
    immutable(e, &before.selector, &after.selector, &path.child("selector"));
    // Before it has started, a suspended Job may still be told where its pods go.
    let suspended = before.suspend == Some(true);
    let mut expected = before.template.clone();
    if suspended
        && old
            .status
            .as_ref()
            .and_then(|status| status.start_time.as_ref())
            .is_none()
    {
        expected.metadata.clone_from(&after.template.metadata);
        if let (Some(expected), Some(after)) = (&mut expected.spec, &after.template.spec) {
            expected.node_selector.clone_from(&after.node_selector);
            expected.tolerations.clone_from(&after.tolerations);
            expected.scheduling_gates.clone_from(&after.scheduling_gates);
            expected.affinity.clone_from(&after.affinity);
        }
    }
    immutable(e, &expected, &after.template, &path.child("template"));
    immutable(
        e,
        &before.completion_mode,
        &after.completion_mode,
        &path.child("completionMode"),
    );
    if before.pod_failure_policy != after.pod_failure_policy {
        let policy = path.child("podFailurePolicy");
        e.invalid(&policy, internal(&after.pod_failure_policy), IMMUTABLE);
    }
    immutable(
        e,
        &before.backoff_limit_per_index,
        &after.backoff_limit_per_index,
        &path.child("backoffLimitPerIndex"),
    );
    immutable(e, &before.managed_by, &after.managed_by, &path.child("managedBy"));
    immutable(
        e,
        &before.success_policy,
        &after.success_policy,
        &path.child("successPolicy"),
    );
}

fn service(e: &mut Errors, old: &core::Service, new: &core::Service) {
    service::update(e, new);
    let (Some(before), Some(after)) = (&old.spec, &new.spec) else {
        return;
    };
    let has_address = |spec: &core::ServiceSpec| spec.type_.as_deref() != Some("ExternalName");
    if has_address(before) && has_address(after) && before.cluster_ips != after.cluster_ips {
        let path = Path::root("spec");
        let addresses = path.child("clusterIPs");
        e.invalid(
            &addresses.index(0),
            shown(&after.cluster_ips),
            "may not change once set",
        );
    }
}

const FROZEN: &str = "field is immutable when `immutable` is set";

fn config_map(e: &mut Errors, old: &core::ConfigMap, new: &core::ConfigMap) {
    if old.immutable == Some(true) {
        if new.immutable != Some(true) {
            e.forbidden(&Path::root("immutable"), FROZEN);
        }
        if new.data != old.data {
            e.forbidden(&Path::root("data"), FROZEN);
        }
        if new.binary_data != old.binary_data {
            e.forbidden(&Path::root("binaryData"), FROZEN);
        }
    }
    rest::object(e, &new.clone().into());
}

fn secret(e: &mut Errors, old: &core::Secret, new: &core::Secret) {
    if old.type_ != new.type_ {
        e.invalid(
            &Path::root("type"),
            quoted(new.type_.as_deref().unwrap_or_default()),
            IMMUTABLE,
        );
    }
    if old.immutable == Some(true) {
        if new.immutable != Some(true) {
            e.forbidden(&Path::root("immutable"), FROZEN);
        }
        if new.data != old.data {
            e.forbidden(&Path::root("data"), FROZEN);
        }
    }
    rest::object(e, &new.clone().into());
}

fn claim(e: &mut Errors, old: &core::PersistentVolumeClaim, new: &core::PersistentVolumeClaim) {
    rest::object(e, &new.clone().into());
    let (Some(before), Some(after)) = (&old.spec, &new.spec) else {
        return;
    };
    let phase = old.status.as_ref().and_then(|status| status.phase.as_deref());
    let mut rest = after.clone();
    // A claim gets its volume, and a bound one may grow.
    if before.volume_name.as_deref().unwrap_or_default().is_empty() {
        rest.volume_name.clone_from(&before.volume_name);
    }
    let storage = |spec: &core::PersistentVolumeClaimSpec| {
        let requests = spec.resources.as_ref()?.requests.as_ref()?;
        crate::quantity::parse(&requests.get("storage")?.0).ok()
    };
    let grows = matches!((storage(before), storage(after)), (Some(old), Some(new)) if new >= old);
    if phase == Some("Bound") && grows {
        rest.resources.clone_from(&before.resources);
    }
    if rest != *before {
        e.forbidden(&Path::root("spec"), CLAIM_FIELDS);
    }
}
