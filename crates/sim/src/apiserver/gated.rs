//! Fields that a version does not have. A field whose gate is off is dropped when an object is written, unless the stored
//! object has it already (`pkg/api/pod/util.go dropDisabledFields`, `pkg/registry/*/*/strategy.go`); a field that the types
//! of the version do not have at all is an unknown one.

use k8s_openapi::api::{apps::v1 as apps, batch::v1 as batch, core::v1 as core};
use serde_json::Value;

use super::decode::{Flaw, FlawKind};
use crate::objects::Object;
use crate::version::{Gate, Profile};

/// A gate, and what goes from a value without it.
type Rule<T> = (Gate, fn(&mut T));

/// Drops what the version does not take. Answers with the object as it was, if something was dropped.
pub(super) fn drop_disabled(version: Profile, old: Option<&Object>, new: &mut Object) -> Option<Object> {
    // Every kind that has such fields has pods.
    pod_spec(new)?;
    let before = new.clone();
    if let Some(spec) = pod_spec_mut(new) {
        apply(version, POD_RULES, old.and_then(pod_spec), spec);
    }
    if let Some(spec) = job_spec_mut(new) {
        apply(version, JOB_RULES, old.and_then(job_spec), spec);
    }
    if let Object::StatefulSet(new) = new
        && let Some(spec) = &mut new.spec
    {
        let old = match old {
            Some(Object::StatefulSet(old)) => old.spec.as_ref(),
            _ => None,
        };
        apply(version, STATEFUL_SET_RULES, old, spec);
    }
    (before != *new).then_some(before)
}

/// What there is no gate for yet is no field of the version's types ([`take_unknown`]) or is refused by validation instead.
fn apply<T: Clone + PartialEq>(version: Profile, rules: &[Rule<T>], old: Option<&T>, new: &mut T) {
    for (gate, drop) in rules {
        let in_use = |value: &T| {
            let mut without = value.clone();
            drop(&mut without);
            without != *value
        };
        if version.knows(*gate) && !version.enabled(*gate) && !old.is_some_and(in_use) {
            drop(new);
        }
    }
}

/// The pod spec in an object: its own, or that of its template.
fn pod_spec(object: &Object) -> Option<&core::PodSpec> {
    match object {
        Object::Pod(pod) => pod.spec.as_deref(),
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
        Object::Pod(pod) => pod.spec.as_deref_mut(),
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

fn job_spec(object: &Object) -> Option<&batch::JobSpec> {
    match object {
        Object::Job(job) => job.spec.as_ref(),
        Object::CronJob(job) => job.spec.job_template.spec.as_ref(),
        _ => None,
    }
}

fn job_spec_mut(object: &mut Object) -> Option<&mut batch::JobSpec> {
    match object {
        Object::Job(job) => job.spec.as_mut(),
        Object::CronJob(job) => job.spec.job_template.spec.as_mut(),
        _ => None,
    }
}

fn containers(spec: &mut core::PodSpec) -> impl Iterator<Item = &mut core::Container> {
    spec.init_containers.iter_mut().flatten().chain(&mut spec.containers)
}

/// `dropDisabledFields` of a pod's spec.
const POD_RULES: &[Rule<core::PodSpec>] = &[
    (Gate::UserNamespacesSupport, |spec| spec.host_users = None),
    (Gate::SupplementalGroupsPolicy, |spec| {
        if let Some(security) = &mut spec.security_context {
            security.supplemental_groups_policy = None;
        }
    }),
    (Gate::PodLevelResources, |spec| spec.resources = None),
    (Gate::MatchLabelKeysInPodAffinity, |spec| {
        for term in affinity_terms(spec) {
            term.match_label_keys = None;
            term.mismatch_label_keys = None;
        }
    }),
    (Gate::InPlacePodVerticalScaling, |spec| {
        containers(spec).for_each(|container| container.resize_policy = None);
    }),
    (Gate::SidecarContainers, |spec| {
        for container in spec.init_containers.iter_mut().flatten() {
            container.restart_policy = None;
        }
    }),
    (Gate::ContainerRestartRules, |spec| {
        for container in spec.init_containers.iter_mut().flatten() {
            // A sidecar has a gate of its own.
            if container.restart_policy.as_deref() != Some("Always") {
                container.restart_policy = None;
            }
            container.restart_policy_rules = None;
        }
        for container in &mut spec.containers {
            container.restart_policy = None;
            container.restart_policy_rules = None;
        }
    }),
    (Gate::RecursiveReadOnlyMounts, |spec| {
        for mount in containers(spec).flat_map(|container| container.volume_mounts.iter_mut().flatten()) {
            mount.recursive_read_only = None;
        }
    }),
    (Gate::HostnameOverride, |spec| spec.hostname_override = None),
    (Gate::EnvFiles, |spec| {
        for variable in containers(spec).flat_map(|container| container.env.iter_mut().flatten()) {
            if let Some(source) = &mut variable.value_from {
                source.file_key_ref = None;
            }
        }
    }),
    (Gate::PodLifecycleSleepAction, |spec| {
        containers(spec).for_each(drop_sleep)
    }),
    (Gate::ImageVolume, |spec| {
        for volume in spec.volumes.iter_mut().flatten() {
            volume.image = None;
        }
    }),
    (Gate::ContainerStopSignals, |spec| {
        for container in containers(spec) {
            let lifecycle = container.lifecycle.as_mut();
            if lifecycle.and_then(|lifecycle| lifecycle.stop_signal.take()).is_some() {
                forget_empty_lifecycle(container);
            }
        }
    }),
];

/// `jobStrategy.PrepareForCreate` and `PrepareForUpdate`.
const JOB_RULES: &[Rule<batch::JobSpec>] = &[
    (Gate::JobBackoffLimitPerIndex, |spec| {
        spec.backoff_limit_per_index = None;
        spec.max_failed_indexes = None;
        // Without it a rule may not fail one index.
        if let Some(policy) = &mut spec.pod_failure_policy {
            policy.rules.retain(|rule| rule.action != "FailIndex");
        }
    }),
    (Gate::JobPodReplacementPolicy, |spec| spec.pod_replacement_policy = None),
    (Gate::JobSuccessPolicy, |spec| spec.success_policy = None),
    (Gate::JobManagedBy, |spec| spec.managed_by = None),
];

/// `dropStatefulSetDisabledFields`
const STATEFUL_SET_RULES: &[Rule<apps::StatefulSetSpec>] = &[(Gate::MaxUnavailableStatefulSet, |spec| {
    let strategy = spec.update_strategy.as_mut();
    if let Some(update) = strategy.and_then(|strategy| strategy.rolling_update.as_mut()) {
        update.max_unavailable = None;
    }
})];

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

/// The terms of both kinds of affinity between pods.
fn affinity_terms(spec: &mut core::PodSpec) -> impl Iterator<Item = &mut core::PodAffinityTerm> {
    let (with, against) = match &mut spec.affinity {
        Some(affinity) => (affinity.pod_affinity.as_mut(), affinity.pod_anti_affinity.as_mut()),
        None => (None, None),
    };
    let with = with.map(|with| {
        (
            &mut with.required_during_scheduling_ignored_during_execution,
            &mut with.preferred_during_scheduling_ignored_during_execution,
        )
    });
    let against = against.map(|against| {
        (
            &mut against.required_during_scheduling_ignored_during_execution,
            &mut against.preferred_during_scheduling_ignored_during_execution,
        )
    });
    with.into_iter().chain(against).flat_map(|(required, preferred)| {
        let preferred = preferred.iter_mut().flatten();
        let preferred = preferred.map(|weighted| &mut weighted.pod_affinity_term);
        required.iter_mut().flatten().chain(preferred)
    })
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
    (
        &[
            "affinity",
            AFFINITIES,
            PREFERRED,
            "*",
            "podAffinityTerm",
            "matchLabelKeys",
        ],
        Gate::MatchLabelKeysInPodAffinity,
    ),
    (
        &[
            "affinity",
            AFFINITIES,
            PREFERRED,
            "*",
            "podAffinityTerm",
            "mismatchLabelKeys",
        ],
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
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";

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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cluster::{Cluster, Config};
    use crate::objects::Kind;
    use crate::request::{Request, Status, Verb};
    use crate::version::Version;

    /// What a version answers to the creation of an object, and what it tells.
    fn created(version: &str, object: &Value) -> (Result<Value, Status>, Vec<String>) {
        let config = Config {
            version: Version::named(version).expect("a version"),
            ..Config::default()
        };
        let mut cluster = Cluster::new(config).expect("a cluster");
        let kind = Kind::named(object["kind"].as_str().expect("a kind")).expect("a kind");
        let resource = kind.resource();
        let answer = cluster.request(&Request {
            verb: Verb::Create,
            group: resource.group.to_owned(),
            version: resource.version.to_owned(),
            resource: resource.plural.to_owned(),
            namespace: "default".to_owned(),
            name: String::new(),
            subresource: String::new(),
            body: Some(object.clone()),
            patch: None,
            query: vec![("fieldValidation".to_owned(), "Strict".to_owned())],
        });
        (answer, cluster.notices())
    }

    fn pod(spec: &Value) -> Value {
        let mut pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "p" },
            "spec": { "containers": [{ "name": "c", "image": "busybox" }] },
        });
        for (field, value) in spec.as_object().into_iter().flatten() {
            pod["spec"][field] = value.clone();
        }
        pod
    }

    #[test]
    fn a_field_without_its_gate_is_unknown_dropped_or_taken() {
        let resizable = pod(&json!({
            "containers": [{
                "name": "c", "image": "busybox", "resizePolicy": [{ "resourceName": "cpu", "restartPolicy": "NotRequired" }],
            }],
        }));
        let (answer, notices) = created("1.28", &resizable);
        assert!(answer.expect("a pod")["spec"]["containers"][0]["resizePolicy"].is_null());
        let notice =
            "dropped by the API server: spec.containers.resizePolicy (its feature gate is off in this version)";
        assert_eq!(notices, [notice]);
        let (answer, notices) = created("1.33", &resizable);
        assert!(answer.expect("a pod")["spec"]["containers"][0]["resizePolicy"].is_array());
        assert_eq!(notices, [""; 0]);

        let term = json!({ "topologyKey": "zone", "labelSelector": {}, "matchLabelKeys": ["app"] });
        for (list, item, path) in [
            (REQUIRED, term.clone(), ""),
            (
                PREFERRED,
                json!({ "weight": 1, "podAffinityTerm": term }),
                ".podAffinityTerm",
            ),
        ] {
            let affine = pod(&json!({ "affinity": { "podAntiAffinity": { list: [item] } } }));
            let refusal = created("1.28", &affine).0.expect_err("an unknown field").message;
            let unknown = format!("unknown field \"spec.affinity.podAntiAffinity.{list}[0]{path}.matchLabelKeys\"");
            assert!(refusal.ends_with(&unknown), "{refusal}");
            assert_eq!(created("1.29", &affine).1.len(), 1, "an alpha gate is off");
            assert_eq!(created("1.31", &affine).1, [""; 0]);
        }
    }

    #[test]
    fn what_nobody_wrote_is_not_dropped() {
        let job = json!({
            "apiVersion": "batch/v1", "kind": "Job", "metadata": { "name": "j" },
            "spec": {
                "template": { "spec": { "restartPolicy": "Never", "containers": [{ "name": "c", "image": "busybox" }] } },
            },
        });
        for (version, policy) in [("1.28", Value::Null), ("1.29", json!("TerminatingOrFailed"))] {
            let (answer, notices) = created(version, &job);
            assert_eq!(
                answer.expect("a Job")["spec"]["podReplacementPolicy"],
                policy,
                "{version}"
            );
            assert_eq!(notices, [""; 0], "{version}");
        }
    }
}
