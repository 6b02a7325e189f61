//! Fields that a version does not have. A field whose gate is off is dropped when an object is written, unless the stored
//! object has it already (`pkg/api/pod/util.go dropDisabledFields`, `pkg/registry/*/*/strategy.go`); a field that the types
//! of the version do not have at all is an unknown one.

use k8s_openapi::api::{apps::v1 as apps, batch::v1 as batch, core::v1 as core};
use serde_json::Value;

use super::decode::{Flaw, FlawKind};
use crate::objects::Object;
use crate::version::{Gate, Profile};

/// Drops what the version does not take.
pub(super) fn drop_disabled(version: Profile, old: Option<&Object>, new: &mut Object) {
    let old_spec = old.and_then(pod_spec).cloned();
    if let Some(spec) = pod_spec_mut(new) {
        pod(version, old_spec.as_ref(), spec);
    }
    match new {
        Object::Job(new) => {
            let old = match old {
                Some(Object::Job(old)) => old.spec.as_ref(),
                _ => None,
            };
            if let Some(spec) = &mut new.spec {
                job(version, old, spec);
            }
        }
        Object::CronJob(new) => {
            if let Some(spec) = &mut new.spec.job_template.spec {
                let old = match old {
                    Some(Object::CronJob(old)) => old.spec.job_template.spec.as_ref(),
                    _ => None,
                };
                job(version, old, spec);
            }
        }
        Object::StatefulSet(new) => {
            let rolling = |set: &apps::StatefulSet| {
                let strategy = set.spec.as_ref()?.update_strategy.as_ref()?;
                strategy.rolling_update.as_ref()?.max_unavailable.clone()
            };
            let in_use = matches!(old, Some(Object::StatefulSet(old)) if rolling(old).is_some());
            if !version.enabled(Gate::MaxUnavailableStatefulSet)
                && !in_use
                && let Some(update) = new
                    .spec
                    .as_mut()
                    .and_then(|spec| spec.update_strategy.as_mut())
                    .and_then(|strategy| strategy.rolling_update.as_mut())
            {
                update.max_unavailable = None;
            }
        }
        _ => {}
    }
}

/// The pod spec in an object: its own, or that of its template.
fn pod_spec(object: &Object) -> Option<&core::PodSpec> {
    match object {
        Object::Pod(pod) => pod.spec.as_ref(),
        Object::Deployment(object) => object.spec.as_ref()?.template.spec.as_ref(),
        Object::ReplicaSet(object) => object.spec.as_ref()?.template.as_ref()?.spec.as_ref(),
        Object::ReplicationController(object) => object.spec.as_ref()?.template.as_ref()?.spec.as_ref(),
        Object::StatefulSet(object) => object.spec.as_ref()?.template.spec.as_ref(),
        Object::DaemonSet(object) => object.spec.as_ref()?.template.spec.as_ref(),
        Object::Job(object) => object.spec.as_ref()?.template.spec.as_ref(),
        Object::CronJob(object) => object.spec.job_template.spec.as_ref()?.template.spec.as_ref(),
        Object::PodTemplate(object) => object.template.as_ref()?.spec.as_ref(),
        _ => None,
    }
}

fn pod_spec_mut(object: &mut Object) -> Option<&mut core::PodSpec> {
    match object {
        Object::Pod(pod) => pod.spec.as_mut(),
        Object::Deployment(object) => object.spec.as_mut()?.template.spec.as_mut(),
        Object::ReplicaSet(object) => object.spec.as_mut()?.template.as_mut()?.spec.as_mut(),
        Object::ReplicationController(object) => object.spec.as_mut()?.template.as_mut()?.spec.as_mut(),
        Object::StatefulSet(object) => object.spec.as_mut()?.template.spec.as_mut(),
        Object::DaemonSet(object) => object.spec.as_mut()?.template.spec.as_mut(),
        Object::Job(object) => object.spec.as_mut()?.template.spec.as_mut(),
        Object::CronJob(object) => object.spec.job_template.spec.as_mut()?.template.spec.as_mut(),
        Object::PodTemplate(object) => object.template.as_mut()?.spec.as_mut(),
        _ => None,
    }
}

fn containers(spec: &core::PodSpec) -> impl Iterator<Item = &core::Container> {
    spec.init_containers.iter().flatten().chain(&spec.containers)
}

fn containers_mut(spec: &mut core::PodSpec) -> impl Iterator<Item = &mut core::Container> {
    spec.init_containers.iter_mut().flatten().chain(&mut spec.containers)
}

fn is_sidecar(container: &core::Container) -> bool {
    container.restart_policy.as_deref() == Some("Always")
}

/// `dropDisabledFields` of a pod's spec.
fn pod(version: Profile, old: Option<&core::PodSpec>, spec: &mut core::PodSpec) {
    let drops =
        |gate: Gate, in_use: &dyn Fn(&core::PodSpec) -> bool| !version.enabled(gate) && !old.is_some_and(in_use);
    if drops(Gate::UserNamespacesSupport, &|old| old.host_users.is_some()) {
        spec.host_users = None;
    }
    let supplemental = |spec: &core::PodSpec| {
        let security = spec.security_context.as_ref();
        security.is_some_and(|security| security.supplemental_groups_policy.is_some())
    };
    if drops(Gate::SupplementalGroupsPolicy, &supplemental)
        && let Some(security) = &mut spec.security_context
    {
        security.supplemental_groups_policy = None;
    }
    if drops(Gate::PodLevelResources, &|old| old.resources.is_some()) {
        spec.resources = None;
    }
    if drops(Gate::MatchLabelKeysInPodAffinity, &|old| {
        affinity_terms(old).any(has_match_label_keys)
    }) {
        for term in affinity_terms_mut(spec) {
            term.match_label_keys = None;
            term.mismatch_label_keys = None;
        }
    }
    let resize = |old: &core::PodSpec| containers(old).any(|container| container.resize_policy.is_some());
    if drops(Gate::InPlacePodVerticalScaling, &resize) {
        containers_mut(spec).for_each(|container| container.resize_policy = None);
    }
    if drops(Gate::SidecarContainers, &|old| {
        old.init_containers.iter().flatten().any(is_sidecar)
    }) {
        for container in spec.init_containers.iter_mut().flatten() {
            container.restart_policy = None;
        }
    }
    // What there is no gate for yet is refused by validation instead.
    if version.knows(Gate::ContainerRestartRules) && drops(Gate::ContainerRestartRules, &restart_rules_in_use) {
        for container in spec.init_containers.iter_mut().flatten() {
            if !is_sidecar(container) {
                container.restart_policy = None;
            }
            container.restart_policy_rules = None;
        }
        for container in &mut spec.containers {
            container.restart_policy = None;
            container.restart_policy_rules = None;
        }
    }
    let read_only = |old: &core::PodSpec| {
        containers(old)
            .flat_map(|container| container.volume_mounts.iter().flatten())
            .any(|mount| mount.recursive_read_only.is_some())
    };
    if drops(Gate::RecursiveReadOnlyMounts, &read_only) {
        for mount in containers_mut(spec).flat_map(|container| container.volume_mounts.iter_mut().flatten()) {
            mount.recursive_read_only = None;
        }
    }
    if drops(Gate::HostnameOverride, &|old| old.hostname_override.is_some()) {
        spec.hostname_override = None;
    }
    let file_keys = |old: &core::PodSpec| {
        containers(old)
            .flat_map(|container| container.env.iter().flatten())
            .any(|variable| {
                variable
                    .value_from
                    .as_ref()
                    .is_some_and(|source| source.file_key_ref.is_some())
            })
    };
    if drops(Gate::EnvFiles, &file_keys) {
        for variable in containers_mut(spec).flat_map(|container| container.env.iter_mut().flatten()) {
            if let Some(source) = &mut variable.value_from {
                source.file_key_ref = None;
            }
        }
    }
    let sleeps = |old: &core::PodSpec| {
        containers(old)
            .filter_map(|container| container.lifecycle.as_ref())
            .flat_map(|lifecycle| [&lifecycle.pre_stop, &lifecycle.post_start])
            .any(|hook| hook.as_ref().is_some_and(|hook| hook.sleep.is_some()))
    };
    if drops(Gate::PodLifecycleSleepAction, &sleeps) {
        containers_mut(spec).for_each(drop_sleep);
    }
    let images = |old: &core::PodSpec| old.volumes.iter().flatten().any(|volume| volume.image.is_some());
    if drops(Gate::ImageVolume, &images) {
        for volume in spec.volumes.iter_mut().flatten() {
            volume.image = None;
        }
    }
    let signals = |old: &core::PodSpec| {
        containers(old).any(|container| {
            let lifecycle = container.lifecycle.as_ref();
            lifecycle.is_some_and(|lifecycle| lifecycle.stop_signal.is_some())
        })
    };
    if drops(Gate::ContainerStopSignals, &signals) {
        for container in containers_mut(spec) {
            let dropped = container
                .lifecycle
                .as_mut()
                .and_then(|lifecycle| lifecycle.stop_signal.take());
            if dropped.is_some() {
                forget_empty_lifecycle(container);
            }
        }
    }
}

fn restart_rules_in_use(old: &core::PodSpec) -> bool {
    let other = |container: &core::Container| {
        container.restart_policy.is_some() && !is_sidecar(container) || container.restart_policy_rules.is_some()
    };
    old.init_containers.iter().flatten().any(other)
        || old
            .containers
            .iter()
            .any(|container| container.restart_policy.is_some())
}

/// `dropPodLifecycleSleepAction`: a hook that only slept is none.
fn drop_sleep(container: &mut core::Container) {
    let Some(lifecycle) = &mut container.lifecycle else {
        return;
    };
    for hook in [&mut lifecycle.pre_stop, &mut lifecycle.post_start] {
        if let Some(handler) = hook
            && handler.sleep.take().is_some()
            && *handler == core::LifecycleHandler::default()
        {
            *hook = None;
        }
    }
    forget_empty_lifecycle(container);
}

fn forget_empty_lifecycle(container: &mut core::Container) {
    if container.lifecycle.as_ref() == Some(&core::Lifecycle::default()) {
        container.lifecycle = None;
    }
}

fn has_match_label_keys(term: &core::PodAffinityTerm) -> bool {
    term.match_label_keys.is_some() || term.mismatch_label_keys.is_some()
}

fn affinity_terms(spec: &core::PodSpec) -> impl Iterator<Item = &core::PodAffinityTerm> {
    let affinity = spec.affinity.as_ref();
    let with = affinity.and_then(|affinity| affinity.pod_affinity.as_ref());
    let against = affinity.and_then(|affinity| affinity.pod_anti_affinity.as_ref());
    let required = with
        .and_then(|with| with.required_during_scheduling_ignored_during_execution.as_ref())
        .into_iter()
        .chain(against.and_then(|against| against.required_during_scheduling_ignored_during_execution.as_ref()))
        .flatten();
    let preferred = with
        .and_then(|with| with.preferred_during_scheduling_ignored_during_execution.as_ref())
        .into_iter()
        .chain(against.and_then(|against| against.preferred_during_scheduling_ignored_during_execution.as_ref()))
        .flatten()
        .map(|weighted| &weighted.pod_affinity_term);
    required.chain(preferred)
}

fn affinity_terms_mut(spec: &mut core::PodSpec) -> Vec<&mut core::PodAffinityTerm> {
    let mut terms = Vec::new();
    let Some(affinity) = &mut spec.affinity else {
        return terms;
    };
    if let Some(with) = &mut affinity.pod_affinity {
        terms.extend(
            with.required_during_scheduling_ignored_during_execution
                .iter_mut()
                .flatten(),
        );
        let preferred = with
            .preferred_during_scheduling_ignored_during_execution
            .iter_mut()
            .flatten();
        terms.extend(preferred.map(|weighted| &mut weighted.pod_affinity_term));
    }
    if let Some(against) = &mut affinity.pod_anti_affinity {
        terms.extend(
            against
                .required_during_scheduling_ignored_during_execution
                .iter_mut()
                .flatten(),
        );
        let preferred = against
            .preferred_during_scheduling_ignored_during_execution
            .iter_mut()
            .flatten();
        terms.extend(preferred.map(|weighted| &mut weighted.pod_affinity_term));
    }
    terms
}

/// `jobStrategy.PrepareForCreate` and `PrepareForUpdate`.
fn job(version: Profile, old: Option<&batch::JobSpec>, spec: &mut batch::JobSpec) {
    let drops =
        |gate: Gate, in_use: &dyn Fn(&batch::JobSpec) -> bool| !version.enabled(gate) && !old.is_some_and(in_use);
    let per_index = |spec: &batch::JobSpec| spec.backoff_limit_per_index.is_some();
    if drops(Gate::JobBackoffLimitPerIndex, &per_index) {
        spec.backoff_limit_per_index = None;
        spec.max_failed_indexes = None;
        // Without it a rule may not fail one index.
        if let Some(policy) = &mut spec.pod_failure_policy {
            policy.rules.retain(|rule| rule.action != "FailIndex");
        }
    }
    if drops(Gate::JobPodReplacementPolicy, &|old| {
        old.pod_replacement_policy.is_some()
    }) {
        spec.pod_replacement_policy = None;
    }
    if drops(Gate::JobSuccessPolicy, &|old| old.success_policy.is_some()) {
        spec.success_policy = None;
    }
    if drops(Gate::JobManagedBy, &|old| old.managed_by.is_some()) {
        spec.managed_by = None;
    }
}

/// Where a field came into the types together with its gate: the path below a pod's spec (`*` is any index) and the gate.
const POD_FIELDS: &[(&[&str], Gate)] = &[
    (&["resources"], Gate::PodLevelResources),
    (&["hostnameOverride"], Gate::HostnameOverride),
    (
        &["securityContext", "supplementalGroupsPolicy"],
        Gate::SupplementalGroupsPolicy,
    ),
    (&["volumes", "*", "image"], Gate::ImageVolume),
    (&[CONTAINERS, "*", "restartPolicyRules"], Gate::ContainerRestartRules),
    (
        &[CONTAINERS, "*", "lifecycle", "stopSignal"],
        Gate::ContainerStopSignals,
    ),
    (
        &[CONTAINERS, "*", "lifecycle", "preStop", "sleep"],
        Gate::PodLifecycleSleepAction,
    ),
    (
        &[CONTAINERS, "*", "lifecycle", "postStart", "sleep"],
        Gate::PodLifecycleSleepAction,
    ),
    (
        &[CONTAINERS, "*", "volumeMounts", "*", "recursiveReadOnly"],
        Gate::RecursiveReadOnlyMounts,
    ),
    (
        &[CONTAINERS, "*", "env", "*", "valueFrom", "fileKeyRef"],
        Gate::EnvFiles,
    ),
    (
        &["affinity", AFFINITIES, REQUIRED, "*", "matchLabelKeys"],
        Gate::MatchLabelKeysInPodAffinity,
    ),
    (
        &["affinity", AFFINITIES, REQUIRED, "*", "mismatchLabelKeys"],
        Gate::MatchLabelKeysInPodAffinity,
    ),
];
const JOB_FIELDS: &[(&[&str], Gate)] = &[
    (&["successPolicy"], Gate::JobSuccessPolicy),
    (&["managedBy"], Gate::JobManagedBy),
];
/// Stands for both lists of containers.
const CONTAINERS: &str = "containers|initContainers";
/// Stands for both kinds of affinity between pods.
const AFFINITIES: &str = "podAffinity|podAntiAffinity";
const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";

/// Whether there are fields that the types of this version do not have yet.
pub(super) fn lacks_fields(version: Profile) -> bool {
    JOB_FIELDS
        .iter()
        .chain(POD_FIELDS)
        .any(|(_, gate)| !version.knows(*gate))
}

/// The fields of an object that the types of this version do not have yet: they are taken out of the body and named.
pub(super) fn take_unknown(version: Profile, kind: &str, body: &mut Value) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    let pod: &[&str] = match kind {
        "Pod" => &["spec"],
        "CronJob" => &["spec", "jobTemplate", "spec", "template", "spec"],
        "PodTemplate" => &["template", "spec"],
        _ => &["spec", "template", "spec"],
    };
    let job: Option<&[&str]> = match kind {
        "Job" => Some(&["spec"]),
        "CronJob" => Some(&["spec", "jobTemplate", "spec"]),
        _ => None,
    };
    let below = |above: &[&'static str], fields: &'static [(&[&str], Gate)]| {
        let above = above.to_vec();
        fields
            .iter()
            .filter(|(_, gate)| !version.knows(*gate))
            .map(move |(path, _)| above.iter().chain(*path).copied().collect::<Vec<&str>>())
    };
    let job = job.into_iter().flat_map(|job| below(job, JOB_FIELDS));
    for path in below(pod, POD_FIELDS).chain(job) {
        take(body, &path, &mut (String::new(), String::new()), &mut flaws);
    }
    flaws
}

/// Takes out the fields at a path; `at` is where the value is, as a pointer and as the API server writes it.
fn take(value: &mut Value, path: &[&str], at: &mut (String, String), flaws: &mut Vec<Flaw>) {
    let Some((step, rest)) = path.split_first() else {
        return;
    };
    match value {
        Value::Array(items) if *step == "*" => {
            for (index, item) in items.iter_mut().enumerate() {
                let mut inner = (format!("{}/{index}", at.0), format!("{}[{index}]", at.1));
                take(item, rest, &mut inner, flaws);
            }
        }
        Value::Object(fields) => {
            for name in step.split('|') {
                let dot = if at.1.is_empty() { "" } else { "." };
                let mut inner = (format!("{}/{name}", at.0), format!("{}{dot}{name}", at.1));
                if rest.is_empty() {
                    if fields.shift_remove(name).is_some() {
                        flaws.push(Flaw {
                            kind: FlawKind::UnknownField,
                            pointer: inner.0,
                            message: format!("unknown field \"{}\"", inner.1),
                            hints: Vec::new(),
                        });
                    }
                } else if let Some(field) = fields.get_mut(name) {
                    take(field, rest, &mut inner, flaws);
                }
            }
        }
        _ => {}
    }
}
