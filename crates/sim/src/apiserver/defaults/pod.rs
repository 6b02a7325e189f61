//! Pods and the templates of pods (`pkg/apis/core/v1/defaults.go`).

use crate::core;
use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::text;
use crate::quantity;

/// `SetDefaults_Pod` and everything inside.
pub(super) fn pod(pod: &mut core::Pod) {
    let Some(spec) = pod.spec.as_deref_mut() else {
        pod.spec = Some(core::Shared::default());
        return self::pod(pod);
    };
    self::spec(spec);
    spec.enable_service_links.get_or_insert(true);
    let host_network = spec.host_network == Some(true);
    for container in spec.init_containers.iter_mut().flatten().chain(&mut spec.containers) {
        requests_from_limits(container);
        if host_network {
            for port in container.ports.iter_mut().flatten() {
                if port.host_port.is_none_or(|port| port == 0) {
                    port.host_port = Some(port.container_port);
                }
            }
        }
    }
    pod_level_requests(spec);
}

/// `SetDefaults_Pod`: a limit without a request is its request.
fn requests_from_limits(container: &mut core::Container) {
    let Some(resources) = &mut container.resources else {
        return;
    };
    for (name, limit) in resources.limits.iter().flatten() {
        resources
            .requests
            .get_or_insert_default()
            .entry(name.clone())
            .or_insert_with(|| limit.clone());
    }
}

/// `setDefaultPodLevelRequests`: where the pod has a limit and no request, the sum of its containers' requests if any has
/// one, else the limit.
fn pod_level_requests(spec: &mut core::PodSpec) {
    let Some(limits) = spec.resources.as_ref().and_then(|resources| resources.limits.clone()) else {
        return;
    };
    let mut requests: BTreeMap<String, Quantity> = spec
        .resources
        .as_ref()
        .and_then(|resources| resources.requests.clone())
        .unwrap_or_default();
    let containers = || spec.containers.iter().chain(spec.init_containers.iter().flatten());
    for (name, limit) in limits {
        let mut asked: Option<quantity::Quantity> = None;
        for container in containers() {
            let request = container
                .resources
                .as_ref()
                .and_then(|resources| resources.requests.as_ref()?.get(&name));
            if let Some(request) = request.and_then(|request| quantity::parse(&request.0).ok()) {
                asked = Some(asked.map_or(request, |sum| sum.plus(request)));
            }
        }
        let request = asked.map_or(limit, |sum| Quantity(sum.to_string()));
        requests.entry(name).or_insert(request);
    }
    if let Some(resources) = &mut spec.resources
        && !requests.is_empty()
    {
        resources.requests = Some(requests);
    }
}

/// `SetDefaults_PodTemplate…`: what a template gets. Pods get more.
pub(crate) fn template(template: &mut core::PodTemplateSpec) {
    let metadata = template.metadata.get_or_insert_default();
    super::meta(metadata);
    spec(template.spec.get_or_insert_default());
}

fn spec(spec: &mut core::PodSpec) {
    text(&mut spec.restart_policy, "Always");
    text(&mut spec.dns_policy, "ClusterFirst");
    text(&mut spec.scheduler_name, "default-scheduler");
    spec.termination_grace_period_seconds.get_or_insert(30);
    spec.security_context.get_or_insert_default();
    if spec.service_account_name.as_deref().unwrap_or_default().is_empty() {
        spec.service_account_name = spec.service_account.clone().filter(|name| !name.is_empty());
    }
    spec.service_account = spec.service_account_name.clone();
    for container in spec.init_containers.iter_mut().flatten().chain(&mut spec.containers) {
        self::container(container);
    }
    for container in spec.ephemeral_containers.iter_mut().flatten() {
        ephemeral(container);
    }
    for volume in spec.volumes.iter_mut().flatten() {
        self::volume(volume);
    }
    resources(spec.overhead.as_mut());
    if let Some(pod_level) = &mut spec.resources {
        resources(pod_level.limits.as_mut());
        resources(pod_level.requests.as_mut());
    }
}

fn container(container: &mut core::Container) {
    if container.image_pull_policy.as_deref().unwrap_or_default().is_empty() {
        container.image_pull_policy = Some(pull_policy(container.image.as_deref().unwrap_or_default()).to_owned());
    }
    text(&mut container.termination_message_path, "/dev/termination-log");
    text(&mut container.termination_message_policy, "File");
    let requirements = container.resources.get_or_insert_default();
    resources(requirements.limits.as_mut());
    resources(requirements.requests.as_mut());
    for port in container.ports.iter_mut().flatten() {
        text(&mut port.protocol, "TCP");
    }
    env(container.env.as_mut());
    for probe in [
        &mut container.liveness_probe,
        &mut container.readiness_probe,
        &mut container.startup_probe,
    ]
    .into_iter()
    .flatten()
    {
        self::probe(probe);
    }
    if let Some(lifecycle) = &mut container.lifecycle {
        for handler in [&mut lifecycle.post_start, &mut lifecycle.pre_stop]
            .into_iter()
            .flatten()
        {
            if let Some(action) = &mut handler.http_get {
                http(action);
            }
        }
    }
}

fn ephemeral(container: &mut core::EphemeralContainer) {
    if container.image_pull_policy.as_deref().unwrap_or_default().is_empty() {
        container.image_pull_policy = Some(pull_policy(container.image.as_deref().unwrap_or_default()).to_owned());
    }
    text(&mut container.termination_message_path, "/dev/termination-log");
    text(&mut container.termination_message_policy, "File");
    container.resources.get_or_insert_default();
    env(container.env.as_mut());
}

fn env(env: Option<&mut Vec<core::EnvVar>>) {
    for variable in env.into_iter().flatten() {
        if let Some(source) = &mut variable.value_from {
            if let Some(field) = &mut source.field_ref {
                text(&mut field.api_version, "v1");
            }
            if let Some(file) = &mut source.file_key_ref {
                file.optional.get_or_insert(false);
            }
        }
    }
}

/// `SetDefaults_Container`: `latest`, or no tag and no digest, is pulled always.
fn pull_policy(image: &str) -> &'static str {
    let (name, digest) = image
        .split_once('@')
        .map_or((image, None), |(name, digest)| (name, Some(digest)));
    let last = name.rsplit('/').next().unwrap_or(name);
    // A name that cannot be read has no tag that could be `latest`.
    if name.is_empty() || name.contains(|c: char| c.is_ascii_uppercase() || c.is_whitespace()) && !last.contains(':') {
        return "IfNotPresent";
    }
    match (last.split_once(':'), digest) {
        (Some((_, "latest")), _) | (None, None) => "Always",
        _ => "IfNotPresent",
    }
}

fn probe(probe: &mut core::Probe) {
    for (field, default) in [
        (&mut probe.timeout_seconds, 1),
        (&mut probe.period_seconds, 10),
        (&mut probe.success_threshold, 1),
        (&mut probe.failure_threshold, 3),
    ] {
        if field.is_none_or(|value| value == 0) {
            *field = Some(default);
        }
    }
    if let Some(action) = &mut probe.http_get {
        http(action);
    }
    if let Some(action) = &mut probe.grpc {
        action.service.get_or_insert_default();
    }
}

fn http(action: &mut core::HTTPGetAction) {
    text(&mut action.path, "/");
    text(&mut action.scheme, "HTTP");
}

/// `SetDefaults_ResourceList`: nothing finer than a thousandth.
pub(super) fn resources(list: Option<&mut BTreeMap<String, Quantity>>) {
    for amount in list.into_iter().flat_map(BTreeMap::values_mut) {
        if let Ok(parsed) = quantity::parse(&amount.0) {
            amount.0 = parsed.rounded_to_milli().to_string();
        }
    }
}

const FILE_MODE: i32 = 0o644;

fn volume(volume: &mut core::Volume) {
    let unnamed = core::Volume {
        name: volume.name.clone(),
        ..Default::default()
    };
    if *volume == unnamed {
        volume.empty_dir = Some(core::EmptyDirVolumeSource::default());
    }
    if let Some(source) = &mut volume.secret {
        source.default_mode.get_or_insert(FILE_MODE);
    }
    if let Some(source) = &mut volume.config_map {
        source.default_mode.get_or_insert(FILE_MODE);
    }
    if let Some(source) = &mut volume.downward_api {
        source.default_mode.get_or_insert(FILE_MODE);
        downward(source.items.as_mut());
    }
    if let Some(source) = &mut volume.projected {
        source.default_mode.get_or_insert(FILE_MODE);
        for projection in source.sources.iter_mut().flatten() {
            if let Some(token) = &mut projection.service_account_token {
                token.expiration_seconds.get_or_insert(60 * 60);
            }
            if let Some(downward_api) = &mut projection.downward_api {
                downward(downward_api.items.as_mut());
            }
        }
    }
    if let Some(source) = &mut volume.host_path {
        source.type_.get_or_insert_default();
    }
    if let Some(source) = &mut volume.image {
        let policy = pull_policy(source.reference.as_deref().unwrap_or_default());
        text(&mut source.pull_policy, policy);
    }
    if let Some(template) = volume
        .ephemeral
        .as_mut()
        .and_then(|source| source.volume_claim_template.as_mut())
    {
        template.metadata.get_or_insert_default();
        text(&mut template.spec.volume_mode, "Filesystem");
    }
}

fn downward(items: Option<&mut Vec<core::DownwardAPIVolumeFile>>) {
    for item in items.into_iter().flatten() {
        if let Some(field) = &mut item.field_ref {
            text(&mut field.api_version, "v1");
        }
    }
}
