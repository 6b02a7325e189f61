//! `status`, `scale`, `binding`, `eviction`, `ephemeralcontainers`, `resize`.

use crate::core;
use serde_json::{Value, json};

use k8s_openapi::api::policy::v1 as policy;

use super::delete::{options, remove};
use super::{admission, defaults, field, key, managed, notices, patch, read, refusal, strategy, validation, write};
use crate::kubelet::qos::qos_class;
use crate::objects::{Kind, Object, selects};
use crate::registry::{failure, not_found};
use crate::request::{PatchKind, Request, Status, Verb};
use crate::version::Gate;
use crate::world::World;

/// Kinds that can be scaled.
const SCALED: [Kind; 4] = [
    Kind::Deployment,
    Kind::ReplicaSet,
    Kind::StatefulSet,
    Kind::ReplicationController,
];

pub(super) fn handle(w: &mut World, kind: Kind, request: &Request) -> Result<Value, Status> {
    if request.name.is_empty() {
        return Err(refusal::method_not_allowed());
    }
    match (request.subresource.as_str(), request.verb) {
        ("status", Verb::Get) if strategy::has_status(kind) => read::get(w, &key(kind, request)),
        ("ephemeralcontainers" | "resize", Verb::Get) if kind == Kind::Pod => read::get(w, &key(kind, request)),
        ("scale", _) if !SCALED.contains(&kind) => Err(refusal::no_such_resource()),
        ("resize", _) if !w.version.enabled(Gate::InPlacePodVerticalScaling) => Err(refusal::no_such_resource()),
        ("status", Verb::Update | Verb::Patch) => status(w, kind, request),
        ("scale", Verb::Get) => scale_of(w, kind, request),
        ("scale", Verb::Update | Verb::Patch) => scale(w, kind, request),
        ("binding", Verb::Create) if kind == Kind::Pod => bind(w, request),
        ("eviction", Verb::Create) if kind == Kind::Pod => evict(w, request),
        ("ephemeralcontainers", Verb::Update | Verb::Patch) if kind == Kind::Pod => {
            check_ephemeral(w, request)?;
            w.notice("not simulated: ephemeral containers (they are stored and never start)");
            pod_part(w, request, |pod, new| {
                pod.ephemeral_containers.clone_from(&new.ephemeral_containers)
            })
        }
        ("resize", Verb::Update | Verb::Patch) if kind == Kind::Pod => {
            check_resize(w, request)?;
            pod_part(w, request, |pod, new| {
                for (old, new) in pod.containers.iter_mut().zip(&new.containers) {
                    old.resources.clone_from(&new.resources);
                }
            })
        }
        ("status", _) if strategy::has_status(kind) => Err(refusal::method_not_allowed()),
        ("scale", _) => Err(refusal::method_not_allowed()),
        ("binding" | "eviction" | "ephemeralcontainers" | "resize", _) if kind == Kind::Pod => {
            Err(refusal::method_not_allowed())
        }
        _ => Err(refusal::no_such_resource()),
    }
}

/// The new state that a subresource was given, by a whole object or a patch.
fn wanted(w: &World, kind: Kind, request: &Request) -> Result<Object, Status> {
    if request.verb == Verb::Patch {
        return patch::patched(w, kind, request);
    }
    write::object(w, kind, request, request.body.as_ref().unwrap_or(&Value::Null))
}

fn status(w: &mut World, kind: Kind, request: &Request) -> Result<Value, Status> {
    let (new, applied) = if request.patch == Some(PatchKind::Apply) {
        let (new, applied) = patch::applied(w, kind, request)?;
        (new, Some(applied))
    } else {
        (wanted(w, kind, request)?, None)
    };
    let current = w
        .get(&key(kind, request))
        .cloned()
        .ok_or_else(|| not_found(kind, &request.name))?;
    write::check_preconditions(kind, &current.object, &new)?;
    let Some(mut object) = strategy::with_status_of(&current.object, &new) else {
        return Err(refusal::no_such_resource());
    };
    if let Some(status) = validation::status(&current.object, &object).into_status(kind, &request.name) {
        return Err(status);
    }
    if let Object::Service(service) = &mut object {
        default_ip_mode(service);
    }
    let asked = object.clone();
    let stored = w.update(object).ok_or_else(|| not_found(kind, &request.name))?;
    match applied {
        Some(applied) => managed::applied(w, applied, &stored),
        None => managed::updated(w, request, &current, &asked, &stored),
    }
    Ok((*stored.json()).clone())
}

/// `SetDefaults_ServiceStatus`: an address of a load balancer is one that packets reach by itself.
fn default_ip_mode(service: &mut core::Service) {
    let status = service.status.as_mut().and_then(|status| status.load_balancer.as_mut());
    for ingress in status
        .into_iter()
        .flat_map(|balancer| balancer.ingress.iter_mut().flatten())
    {
        if ingress.ip.is_some() && ingress.ip_mode.is_none() {
            ingress.ip_mode = Some("VIP".to_owned());
        }
    }
}

/// Writes one part of a pod's spec.
fn pod_part(
    w: &mut World,
    request: &Request,
    change: impl FnOnce(&mut core::PodSpec, &core::PodSpec),
) -> Result<Value, Status> {
    let mut new = wanted(w, Kind::Pod, request)?;
    let current = w
        .get(&key(Kind::Pod, request))
        .cloned()
        .ok_or_else(|| not_found(Kind::Pod, &request.name))?;
    write::check_preconditions(Kind::Pod, &current.object, &new)?;
    defaults::default(w.version, &mut new);
    let mut object = current.object.clone();
    if let (Object::Pod(pod), Object::Pod(new)) = (&mut object, &new)
        && let (Some(spec), Some(new)) = (&mut pod.spec, &new.spec)
    {
        change(spec, new);
    }
    notices::of(w, &object);
    let stored = w.update(object).ok_or_else(|| not_found(Kind::Pod, &request.name))?;
    Ok((*stored.json()).clone())
}

/// `ValidatePodResize`: the pod stays valid, and in its class of service.
fn check_resize(w: &World, request: &Request) -> Result<(), Status> {
    let mut new = wanted(w, Kind::Pod, request)?;
    let current = w
        .get(&key(Kind::Pod, request))
        .ok_or_else(|| not_found(Kind::Pod, &request.name))?;
    defaults::default(w.version, &mut new);
    write::keep_system_metadata(&current.object, &mut new);
    let mut errors = validation::create(w.version, &new);
    errors
        .list
        .retain(|error| error.field.starts_with("spec.") && error.field != "spec.ephemeralContainers");
    if let (Some(old), Some(new)) = (current.object.as_pod(), new.as_pod()) {
        let class = qos_class(old);
        if class != qos_class(new) {
            let detail = "Pod QOS Class may not change as a result of resizing";
            errors.invalid_text(&field::Path::root("spec"), class, detail);
        }
        let names = |pod: &core::Pod| -> Vec<String> {
            let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
            containers.map(|container| container.name.clone()).collect()
        };
        let (before, after) = (names(old), names(new));
        if before.len() != after.len() {
            let spec = field::Path::root("spec");
            errors.forbidden(
                &spec.child("containers"),
                "containers may not be added or removed on resize",
            );
        }
        if before == after {
            removed_resources(&mut errors, old, new);
        }
    }
    if let Some(status) = errors.into_status(Kind::Pod, &request.name) {
        return Err(status);
    }
    fits_node(w, &current.object, &new)
}

/// Requests and limits may be changed in place, and not taken away.
fn removed_resources(errors: &mut field::Errors, old: &core::Pod, new: &core::Pod) {
    let (Some(old), Some(new)) = (&old.spec, &new.spec) else {
        return;
    };
    let spec = field::Path::root("spec");
    let containers = spec.child("containers");
    for (index, (old, new)) in old.containers.iter().zip(&new.containers).enumerate() {
        let at = containers.index(index);
        let at = at.child("resources");
        let parts = |container: &core::Container| {
            let resources = container.resources.clone().unwrap_or_default();
            [
                resources.requests.unwrap_or_default(),
                resources.limits.unwrap_or_default(),
            ]
        };
        let names = [
            ("requests", "resource requests cannot be removed"),
            ("limits", "resource limits cannot be removed"),
        ];
        for ((name, detail), (old, new)) in names.into_iter().zip(parts(old).into_iter().zip(parts(new))) {
            if old.keys().any(|key| !new.contains_key(key)) {
                errors.forbidden(&at.child(name), detail);
            }
        }
    }
}

/// The plugin that refuses what a pod's node could never give (`PodResize`).
fn fits_node(w: &World, old: &Object, new: &Object) -> Result<(), Status> {
    let (Some(old), Some(new)) = (old.as_pod(), new.as_pod()) else {
        return Ok(());
    };
    let resources = |pod: &core::Pod| -> Vec<Option<core::ResourceRequirements>> {
        let spec = pod.spec.iter();
        spec.flat_map(|spec| &spec.containers)
            .map(|container| container.resources.clone())
            .collect()
    };
    let node = old
        .spec
        .as_ref()
        .and_then(|spec| spec.node_name.as_deref())
        .unwrap_or_default();
    if node.is_empty() || resources(old) == resources(new) || w.node(node).is_some() {
        return Ok(());
    }
    let name = old.metadata.name.as_deref().unwrap_or_default();
    Err(admission::forbidden(
        Kind::Pod,
        name,
        &format!("node \"{node}\" not found"),
    ))
}

/// `ValidatePodEphemeralContainersUpdate`: containers may be added, and nothing else.
fn check_ephemeral(w: &World, request: &Request) -> Result<(), Status> {
    let mut new = wanted(w, Kind::Pod, request)?;
    let current = w
        .get(&key(Kind::Pod, request))
        .ok_or_else(|| not_found(Kind::Pod, &request.name))?;
    defaults::default(w.version, &mut new);
    let (Some(old), Some(new)) = (
        current.object.as_pod().and_then(|pod| pod.spec.as_ref()),
        new.as_pod().and_then(|pod| pod.spec.as_ref()),
    ) else {
        return Ok(());
    };
    let mut errors = field::Errors::default();
    let spec = field::Path::root("spec");
    let at = spec.child("ephemeralContainers");
    let mut taken: Vec<&str> = old
        .init_containers
        .iter()
        .flatten()
        .chain(&old.containers)
        .map(|container| container.name.as_str())
        .collect();
    for (index, container) in new.ephemeral_containers.iter().flatten().enumerate() {
        let at = at.index(index);
        if container.name.is_empty() {
            errors.required(&at.child("name"), "");
        } else if taken.contains(&container.name.as_str()) {
            errors.duplicate(&at.child("name"), &container.name);
        }
        taken.push(&container.name);
        if container.image.as_deref().unwrap_or_default().is_empty() {
            errors.required(&at.child("image"), "");
        }
        if let Some(target) = container
            .target_container_name
            .as_deref()
            .filter(|name| !name.is_empty())
            && !old
                .init_containers
                .iter()
                .flatten()
                .chain(&old.containers)
                .any(|known| known.name == target)
        {
            errors.not_found(&at.child("targetContainerName"), target);
        }
    }
    if errors.list.is_empty() {
        for known in old.ephemeral_containers.iter().flatten() {
            let name = field::quoted(&known.name);
            let mut after = new.ephemeral_containers.iter().flatten();
            match after.find(|container| container.name == known.name) {
                None => errors.forbidden(
                    &at,
                    &format!("existing ephemeral containers {name} may not be removed\n"),
                ),
                Some(container) if container != known => {
                    errors.forbidden(&at, &format!("existing ephemeral containers {name} may not be changed"));
                }
                Some(_) => {}
            }
        }
    }
    errors.into_status(Kind::Pod, &request.name).map_or(Ok(()), Err)
}

/// Replicas asked for, replicas there are, and the selector as text.
fn scale_parts(object: &Object) -> Option<(i32, i32, String)> {
    let label_selector = |selector: Option<&k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector>| {
        selector.map(format_selector).unwrap_or_default()
    };
    Some(match object {
        Object::Deployment(object) => {
            let spec = object.spec.as_ref()?;
            let have = object.status.as_ref().and_then(|status| status.replicas);
            (
                spec.replicas.unwrap_or(1),
                have.unwrap_or(0),
                label_selector(Some(&spec.selector)),
            )
        }
        Object::ReplicaSet(object) => {
            let spec = object.spec.as_ref()?;
            let have = object.status.as_ref().map(|status| status.replicas);
            (
                spec.replicas.unwrap_or(1),
                have.unwrap_or(0),
                label_selector(Some(&spec.selector)),
            )
        }
        Object::StatefulSet(object) => {
            let spec = object.spec.as_ref()?;
            let have = object.status.as_ref().map(|status| status.replicas);
            (
                spec.replicas.unwrap_or(1),
                have.unwrap_or(0),
                label_selector(Some(&spec.selector)),
            )
        }
        Object::ReplicationController(object) => {
            let spec = object.spec.as_ref()?;
            let have = object.status.as_ref().map(|status| status.replicas);
            let pairs = spec
                .selector
                .iter()
                .flatten()
                .map(|(key, value)| format!("{key}={value}"));
            (
                spec.replicas.unwrap_or(1),
                have.unwrap_or(0),
                pairs.collect::<Vec<_>>().join(","),
            )
        }
        _ => return None,
    })
}

/// `metav1.LabelSelectorAsSelector(…).String()`
fn format_selector(selector: &k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector) -> String {
    let mut parts: Vec<(String, String)> = selector
        .match_labels
        .iter()
        .flatten()
        .map(|(key, value)| (key.clone(), format!("{key}={value}")))
        .collect();
    for expression in selector.match_expressions.iter().flatten() {
        let mut values = expression.values.clone().unwrap_or_default();
        values.sort();
        let (key, values) = (&expression.key, values.join(","));
        let shown = match expression.operator.as_str() {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "DoesNotExist" => format!("!{key}"),
            _ => key.clone(),
        };
        parts.push((key.clone(), shown));
    }
    parts.sort();
    parts.into_iter().map(|(_, shown)| shown).collect::<Vec<_>>().join(",")
}

fn scale_of(w: &World, kind: Kind, request: &Request) -> Result<Value, Status> {
    let stored = w
        .get(&key(kind, request))
        .ok_or_else(|| not_found(kind, &request.name))?;
    let (wanted, have, selector) = scale_parts(&stored.object).ok_or_else(refusal::no_such_resource)?;
    let meta = stored.object.meta();
    let mut status = json!({ "replicas": have });
    if !selector.is_empty() {
        status["selector"] = Value::from(selector);
    }
    let mut spec = json!({});
    if wanted != 0 {
        spec["replicas"] = Value::from(wanted);
    }
    Ok(json!({
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {
            "name": meta.name,
            "namespace": meta.namespace,
            "uid": meta.uid,
            "resourceVersion": meta.resource_version,
            "creationTimestamp": meta.creation_timestamp,
        },
        "spec": spec,
        "status": status,
    }))
}

fn scale(w: &mut World, kind: Kind, request: &Request) -> Result<Value, Status> {
    let current = scale_of(w, kind, request)?;
    let body = request.body.clone().unwrap_or(Value::Null);
    let mut new = match (request.verb, request.patch) {
        (Verb::Patch, Some(PatchKind::Json)) => {
            peapod_patch::rfc6902::apply(&current, &body).map_err(|_| refusal::rejected())?
        }
        (Verb::Patch, _) => peapod_patch::json::apply(&current, &body),
        _ => body.clone(),
    };
    if request.verb == Verb::Patch && body.pointer("/metadata/resourceVersion").is_none() {
        new["metadata"]["resourceVersion"] = Value::Null;
    }
    let replicas = match new.pointer("/spec/replicas") {
        None | Some(Value::Null) => 0,
        Some(value) => match value.as_i64().and_then(|replicas| i32::try_from(replicas).ok()) {
            Some(replicas) => replicas,
            None => {
                let message = format!(
                    "json: cannot unmarshal {} into Go struct field ScaleSpec.spec.replicas of type int32",
                    kind_of(value)
                );
                let message = format!("Scale in version \"v1\" cannot be handled as a Scale: {message}");
                return Err(refusal::bad_request(&message));
            }
        },
    };
    let named = new
        .pointer("/metadata/name")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if !named.is_empty() && named != request.name {
        return Err(refusal::bad_request(&format!(
            "the name of the object ({named}) does not match the name on the URL ({})",
            request.name
        )));
    }
    let wanted_version = new
        .pointer("/metadata/resourceVersion")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let stored = w
        .get(&key(kind, request))
        .cloned()
        .ok_or_else(|| not_found(kind, &request.name))?;
    if !wanted_version.is_empty() && stored.object.meta().resource_version.as_deref() != Some(wanted_version) {
        return Err(refusal::modified(kind, &request.name));
    }
    let mut errors = field::Errors::default();
    errors.nonnegative(&field::Path::root("spec").child("replicas"), replicas.into());
    let what = format!("Scale.autoscaling {}", field::quoted(&request.name));
    let details = json!({ "name": request.name, "group": "autoscaling", "kind": "Scale" });
    if let Some(status) = errors.refusing(&what, details) {
        return Err(status);
    }
    let mut object = stored.object.clone();
    let replicas = Some(replicas);
    match &mut object {
        Object::Deployment(object) => object.spec.get_or_insert_default().replicas = replicas,
        Object::ReplicaSet(object) => object.spec.get_or_insert_default().replicas = replicas,
        Object::StatefulSet(object) => object.spec.get_or_insert_default().replicas = replicas,
        Object::ReplicationController(object) => object.spec.get_or_insert_default().replicas = replicas,
        _ => return Err(refusal::no_such_resource()),
    }
    w.update(object).ok_or_else(|| not_found(kind, &request.name))?;
    scale_of(w, kind, request)
}

fn kind_of(value: &Value) -> String {
    let kind = match value {
        Value::String(_) => "string",
        Value::Bool(_) => "bool",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
        Value::Number(number) => return format!("number {number}"),
        Value::Null => "null",
    };
    kind.to_owned()
}

fn success() -> Value {
    json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201 })
}

/// `POST` of a `Binding` to the collection: the name in the body says which pod.
pub(super) fn bindings(w: &mut World, request: &Request) -> Result<Value, Status> {
    if request.verb != Verb::Create || !request.name.is_empty() {
        return Err(refusal::method_not_allowed());
    }
    let name = request
        .body
        .as_ref()
        .and_then(|body| body.pointer("/metadata/name"))
        .and_then(Value::as_str);
    let inner = Request {
        resource: "pods".to_owned(),
        name: name.unwrap_or_default().to_owned(),
        subresource: "binding".to_owned(),
        ..request.clone()
    };
    bind(w, &inner)
}

fn bind(w: &mut World, request: &Request) -> Result<Value, Status> {
    let body = request.body.as_ref().unwrap_or(&Value::Null);
    let name = body
        .pointer("/metadata/name")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if !name.is_empty() && name != request.name {
        return Err(refusal::bad_request(
            "name in URL does not match name in Binding object",
        ));
    }
    let kind = body.pointer("/target/kind").and_then(Value::as_str).unwrap_or_default();
    if !matches!(kind, "" | "Node") {
        let message = format!(
            "target.kind: Unsupported value: {}: supported values: \"Node\", \"<empty>\"",
            field::quoted(kind)
        );
        return Err(refusal::internal(&message));
    }
    let target = body.pointer("/target/name").and_then(Value::as_str).unwrap_or_default();
    if target.is_empty() {
        return Err(refusal::internal("target.name: Required value"));
    }
    let key = key(Kind::Pod, request);
    let uid = w.get(&key).map(|stored| stored.object.uid().to_owned());
    let Some(uid) = uid else {
        return Err(not_found(Kind::Pod, &key.name));
    };
    let wanted = body
        .pointer("/metadata/uid")
        .and_then(Value::as_str)
        .filter(|uid| !uid.is_empty());
    if let Some(wanted) = wanted.filter(|wanted| *wanted != uid) {
        let why = format!(
            "StorageError: invalid object, Code: 4, Key: /registry/pods/{}/{}, ResourceVersion: 0, AdditionalErrorMsg: \
             Precondition failed: UID in precondition: {wanted}, UID in object meta: {uid}",
            request.namespace, request.name
        );
        return Err(refusal::conflict(Kind::Pod, &request.name, &why));
    }
    let annotations: Vec<(String, String)> = body
        .pointer("/metadata/annotations")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect();
    w.bind_with(&key, wanted.unwrap_or(&uid), target, &annotations)
        .map_err(|mut status| {
            if status.code == 409 {
                status.details = json!({ "name": request.name, "kind": "pods/binding" });
            }
            status
        })?;
    Ok(success())
}

/// `EvictionREST.Create` (`pkg/registry/core/pod/storage/eviction.go`).
fn evict(w: &mut World, request: &Request) -> Result<Value, Status> {
    let key = key(Kind::Pod, request);
    let Some(pod) = w.get(&key).and_then(|stored| stored.object.as_pod()).cloned() else {
        return Err(not_found(Kind::Pod, &key.name));
    };
    let inner = Request {
        body: request
            .body
            .as_ref()
            .and_then(|body| body.get("deleteOptions"))
            .cloned(),
        ..request.clone()
    };
    let options = options(&inner)?;
    let free = crate::objects::is_terminal(&pod)
        || crate::objects::phase(&pod) == "Pending"
        || pod.metadata.deletion_timestamp.is_some();
    if free {
        remove(w, &key, &options)?;
        return Ok(success());
    }
    let budgets: Vec<policy::PodDisruptionBudget> = w
        .store
        .list(Kind::PodDisruptionBudget, Some(&request.namespace))
        .filter_map(|stored| match &stored.object {
            Object::PodDisruptionBudget(budget) => Some(budget.clone()),
            _ => None,
        })
        .filter(|budget| {
            let selector = budget.spec.as_ref().and_then(|spec| spec.selector.as_ref());
            selector.is_some_and(|selector| selects(selector, pod.metadata.labels.as_ref()))
        })
        .collect();
    match budgets.as_slice() {
        [] => {}
        [budget] => check_budget(w, &pod, budget)?,
        _ => {
            let message =
                "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
            return Err(refusal::internal(message));
        }
    }
    mark_as_disrupted(w, &key, &pod);
    remove(w, &key, &options)?;
    Ok(success())
}

/// `checkAndDecrement`: takes one of the disruptions that the budget allows.
fn check_budget(w: &mut World, pod: &core::Pod, budget: &policy::PodDisruptionBudget) -> Result<(), Status> {
    let name = budget.metadata.name.clone().unwrap_or_default();
    let status = budget.status.clone().unwrap_or_default();
    let desired = status.desired_healthy.unwrap_or(0);
    let healthy = status.current_healthy.unwrap_or(0);
    let allowed = status.disruptions_allowed.unwrap_or(0);
    let always = budget
        .spec
        .as_ref()
        .and_then(|spec| spec.unhealthy_pod_eviction_policy.as_deref())
        == Some("AlwaysAllow");
    let ready = pod
        .status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten())
        .any(|c| c.type_ == "Ready" && c.status == "True");
    if !ready && (always || (desired > 0 && healthy >= desired)) {
        return Ok(());
    }
    let too_many = |cause: String, retry: Option<i64>| {
        let message = "Cannot evict pod as it would violate the pod's disruption budget.".to_owned();
        let mut details = json!({ "causes": [{ "reason": "DisruptionBudget", "message": cause }] });
        if let Some(seconds) = retry {
            details["retryAfterSeconds"] = Value::from(seconds);
        }
        Err(Status {
            code: 429,
            reason: "TooManyRequests".to_owned(),
            message,
            details,
        })
    };
    if status.observed_generation.unwrap_or(0) < budget.metadata.generation.unwrap_or(0) {
        return too_many(
            format!("The disruption budget {name} is still being processed by the server."),
            Some(10),
        );
    }
    if allowed < 0 {
        return Err(failure(
            403,
            "Forbidden",
            format!("poddisruptionbudgets.policy \"{name}\" is forbidden: pdb disruptions allowed is negative"),
            Kind::PodDisruptionBudget,
            &name,
        ));
    }
    if allowed == 0 {
        let cause = format!("The disruption budget {name} needs {desired} healthy pods and has {healthy} currently");
        return too_many(cause, None);
    }
    let mut budget = budget.clone();
    let time = w.time();
    let status = budget.status.get_or_insert_default();
    status.disruptions_allowed = Some(allowed - 1);
    let pod_name = pod.metadata.name.clone().unwrap_or_default();
    status.disrupted_pods.get_or_insert_default().insert(pod_name, time);
    w.update(budget.into());
    Ok(())
}

/// The condition by which a pod's owner can tell that it was evicted (`addConditionAndDeletePod`).
fn mark_as_disrupted(w: &mut World, key: &crate::objects::Key, pod: &core::Pod) {
    let (time, uid) = (w.time(), pod.metadata.uid.clone().unwrap_or_default());
    w.update_pod(key, &uid, |pod| {
        let condition = core::PodCondition {
            type_: "DisruptionTarget".to_owned(),
            status: "True".to_owned(),
            reason: Some("EvictionByEvictionAPI".to_owned()),
            message: Some("Eviction API: evicting".to_owned()),
            last_transition_time: Some(time),
            observed_generation: pod.metadata.generation,
            ..Default::default()
        };
        let conditions = pod.status.get_or_insert_default().conditions.get_or_insert_default();
        match conditions.iter_mut().find(|known| known.type_ == condition.type_) {
            Some(known) => *known = condition,
            None => conditions.push(condition),
        }
    });
}
