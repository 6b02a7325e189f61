//! Containers: ports, environment, mounts, resources, probes, hooks, restart policies
//! (`pkg/apis/core/validation/validation.go validateContainerCommon`).

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::{Value, json};

use super::pod::Context;
use super::volume::descending_path;
use crate::apiserver::field::{Errors, Path, shown};
use crate::apiserver::names;
use crate::quantity::{self, Quantity};
use crate::version::Gate;

const PROTOCOLS: [&str; 3] = ["SCTP", "TCP", "UDP"];

/// `validateContainers`
pub(super) fn containers(e: &mut Errors, list: &[core::Container], path: &Path<'_>, context: &Context<'_>) {
    if list.is_empty() {
        return e.required(path, "");
    }
    let mut names = BTreeSet::new();
    for (index, container) in list.iter().enumerate() {
        let at = path.index(index);
        common(e, container, &at, context);
        if !names.insert(container.name.as_str()) {
            e.duplicate(&at.child("name"), &container.name);
        }
        lifecycle(e, container, &at, context);
        probes(e, container, &at, context);
        if e.version.enabled(Gate::ContainerRestartRules) {
            restart_policy(e, container, &at);
        } else if container.restart_policy.is_some() {
            e.forbidden(&at.child("restartPolicy"), "may not be set for non-init containers");
        }
    }
    let mut taken = BTreeSet::new();
    for (index, container) in list.iter().enumerate() {
        host_ports(e, container, &path.index(index), &mut taken);
    }
}

/// `validateInitContainers`
pub(super) fn init_containers(
    e: &mut Errors,
    list: &[core::Container],
    regular: &[core::Container],
    path: &Path<'_>,
    context: &Context<'_>,
) {
    let mut names: BTreeSet<&str> = regular.iter().map(|container| container.name.as_str()).collect();
    for (index, container) in list.iter().enumerate() {
        let at = path.index(index);
        common(e, container, &at, context);
        if e.version.enabled(Gate::ContainerRestartRules) {
            restart_policy(e, container, &at);
        } else if let Some(other) = container.restart_policy.as_deref().filter(|policy| *policy != "Always") {
            e.unsupported(&at.child("restartPolicy"), other, &["Always"]);
        }
        if !names.insert(container.name.as_str()) {
            e.duplicate(&at.child("name"), &container.name);
        }
        host_ports(e, container, &at, &mut BTreeSet::new());
        if container.restart_policy.as_deref() == Some("Always") {
            lifecycle(e, container, &at, context);
            probes(e, container, &at, context);
            continue;
        }
        for (field, present) in [
            ("lifecycle", container.lifecycle.is_some()),
            ("livenessProbe", container.liveness_probe.is_some()),
            ("readinessProbe", container.readiness_probe.is_some()),
            ("startupProbe", container.startup_probe.is_some()),
        ] {
            if present {
                e.forbidden(
                    &at.child(field),
                    "may not be set for init containers without restartPolicy=Always",
                );
            }
        }
    }
}

fn common(e: &mut Errors, container: &core::Container, path: &Path<'_>, context: &Context<'_>) {
    let name = path.child("name");
    if container.name.is_empty() {
        e.required(&name, "");
    } else {
        e.invalid_for(&name, &container.name, names::dns1123_label(&container.name));
    }
    if container.image.as_deref().unwrap_or_default().is_empty() {
        e.required(&path.child("image"), "");
    }
    match container.termination_message_policy.as_deref().unwrap_or_default() {
        "File" | "FallbackToLogsOnError" => {}
        "" => e.required(&path.child("terminationMessagePolicy"), ""),
        other => {
            e.unsupported(
                &path.child("terminationMessagePolicy"),
                other,
                &["File", "FallbackToLogsOnError"],
            );
        }
    }
    ports(e, container.ports.as_deref().unwrap_or_default(), &path.child("ports"));
    env(e, container.env.as_deref().unwrap_or_default(), &path.child("env"));
    env_from(
        e,
        container.env_from.as_deref().unwrap_or_default(),
        &path.child("envFrom"),
    );
    mounts(e, container, &path.child("volumeMounts"), context);
    match container.image_pull_policy.as_deref().unwrap_or_default() {
        "Always" | "IfNotPresent" | "Never" => {}
        "" => e.required(&path.child("imagePullPolicy"), ""),
        other => e.unsupported(
            &path.child("imagePullPolicy"),
            other,
            &["Always", "IfNotPresent", "Never"],
        ),
    }
    requirements(e, container.resources.as_ref(), &path.child("resources"));
    security_context(e, container.security_context.as_ref(), &path.child("securityContext"));
}

fn port_range(e: &mut Errors, path: &Path<'_>, port: i32) {
    if let Some(reason) = names::port_number(port.into()) {
        e.invalid(path, port, &reason);
    }
}

fn ports(e: &mut Errors, list: &[core::ContainerPort], path: &Path<'_>) {
    let mut known = BTreeSet::new();
    for (index, port) in list.iter().enumerate() {
        let at = path.index(index);
        if let Some(name) = port.name.as_deref().filter(|name| !name.is_empty()) {
            let reasons = names::port_name(name);
            if !reasons.is_empty() {
                e.invalid_for(&at.child("name"), name, reasons);
            } else if !known.insert(name) {
                e.duplicate(&at.child("name"), name);
            }
        }
        if port.container_port == 0 {
            e.required(&at.child("containerPort"), "");
        } else {
            port_range(e, &at.child("containerPort"), port.container_port);
        }
        if let Some(host) = port.host_port.filter(|host| *host != 0) {
            port_range(e, &at.child("hostPort"), host);
        }
        match port.protocol.as_deref().unwrap_or_default() {
            "" => e.required(&at.child("protocol"), ""),
            known if PROTOCOLS.contains(&known) => {}
            other => e.unsupported(&at.child("protocol"), other, &PROTOCOLS),
        }
    }
}

fn host_ports(e: &mut Errors, container: &core::Container, path: &Path<'_>, taken: &mut BTreeSet<String>) {
    let ports = path.child("ports");
    for (index, port) in container.ports.iter().flatten().enumerate() {
        let Some(host) = port.host_port.filter(|host| *host != 0) else {
            continue;
        };
        let (protocol, ip) = (
            port.protocol.as_deref().unwrap_or_default(),
            port.host_ip.as_deref().unwrap_or_default(),
        );
        let place = format!("{protocol}/{ip}/{host}");
        if taken.contains(&place) {
            e.duplicate(&ports.index(index).child("hostPort"), &place);
        }
        taken.insert(place);
    }
}

fn env(e: &mut Errors, list: &[core::EnvVar], path: &Path<'_>) {
    for (index, variable) in list.iter().enumerate() {
        let at = path.index(index);
        if variable.name.is_empty() {
            e.required(&at.child("name"), "");
        } else {
            e.invalid_for(
                &at.child("name"),
                &variable.name,
                names::env_name(e.version, &variable.name),
            );
        }
        if let Some(source) = &variable.value_from {
            value_from(
                e,
                source,
                variable.value.as_deref().unwrap_or_default(),
                &at.child("valueFrom"),
            );
        }
    }
}

/// Fields that a variable can take its value from, besides labels and annotations by key.
const ENV_FIELDS: [&str; 9] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];
const RESOURCE_FIELDS: [&str; 6] = [
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];

fn value_from(e: &mut Errors, source: &core::EnvVarSource, value: &str, path: &Path<'_>) {
    let mut sources = 0;
    if let Some(field) = &source.field_ref {
        sources += 1;
        field_ref(e, field, &ENV_FIELDS, &path.child("fieldRef"));
    }
    if let Some(field) = &source.resource_field_ref {
        sources += 1;
        resource_field(e, field, &path.child("resourceFieldRef"));
    }
    if let Some(key) = &source.config_map_key_ref {
        sources += 1;
        key_ref(e, &key.name, &key.key, &path.child("configMapKeyRef"));
    }
    if let Some(key) = &source.secret_key_ref {
        sources += 1;
        key_ref(e, &key.name, &key.key, &path.child("secretKeyRef"));
    }
    if source.file_key_ref.is_some() {
        sources += 1;
    }
    if sources == 0 {
        let detail =
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`";
        e.invalid_text(path, "", detail);
    } else if !value.is_empty() {
        e.invalid_text(path, "", "may not be specified when `value` is not empty");
    } else if sources > 1 {
        e.invalid_text(path, "", "may not have more than one field specified at a time");
    }
}

pub(super) fn field_ref(e: &mut Errors, field: &core::ObjectFieldSelector, known: &[&str], path: &Path<'_>) {
    let at = path.child("fieldPath");
    let given = field.field_path.as_str();
    if given.is_empty() {
        return e.required(&at, "");
    }
    if let Some((name, rest)) = given.split_once("['")
        && let Some(key) = rest.strip_suffix("']")
    {
        match name {
            "metadata.annotations" => e.invalid_for(path, &key.to_lowercase(), names::label_key(&key.to_lowercase())),
            "metadata.labels" => e.invalid_for(path, key, names::label_key(key)),
            _ => e.invalid_text(path, name, "does not support subscript"),
        }
        return;
    }
    const ANY: [&str; 11] = [
        "metadata.annotations",
        "metadata.labels",
        "metadata.name",
        "metadata.namespace",
        "metadata.uid",
        "spec.nodeName",
        "spec.serviceAccountName",
        "status.hostIP",
        "status.hostIPs",
        "status.podIP",
        "status.podIPs",
    ];
    if known.contains(&given) {
        return;
    }
    if ANY.contains(&given) || given == "spec.restartPolicy" || given == "spec.schedulerName" || given == "status.phase"
    {
        e.unsupported(&at, given, known);
    } else {
        e.invalid_text(
            &at,
            given,
            &format!("error converting fieldPath: field label not supported: {given}"),
        );
    }
}

pub(super) fn resource_field(e: &mut Errors, field: &core::ResourceFieldSelector, path: &Path<'_>) {
    let given = field.resource.as_str();
    if given.is_empty() {
        return e.required(&path.child("resource"), "");
    }
    let huge = given.starts_with("limits.hugepages-") || given.starts_with("requests.hugepages-");
    if !RESOURCE_FIELDS.contains(&given) && !huge {
        e.unsupported(&path.child("resource"), given, &RESOURCE_FIELDS);
    }
}

fn key_ref(e: &mut Errors, name: &str, key: &str, path: &Path<'_>) {
    if name.is_empty() {
        e.required(&path.child("name"), "");
    }
    if key.is_empty() {
        e.required(&path.child("key"), "");
    } else {
        e.invalid_for(&path.child("key"), key, names::config_key(key));
    }
}

fn env_from(e: &mut Errors, list: &[core::EnvFromSource], path: &Path<'_>) {
    for (index, source) in list.iter().enumerate() {
        let at = path.index(index);
        if let Some(prefix) = source.prefix.as_deref().filter(|prefix| !prefix.is_empty()) {
            e.invalid_for(&at.child("prefix"), prefix, names::env_name(e.version, prefix));
        }
        let maps = [
            (
                "configMapRef",
                source.config_map_ref.as_ref().map(|source| &source.name),
            ),
            ("secretRef", source.secret_ref.as_ref().map(|source| &source.name)),
        ];
        for (field, name) in maps {
            if name.is_some_and(String::is_empty) {
                e.required(&at.child(field).child("name"), "");
            }
        }
        match maps.iter().filter(|(_, name)| name.is_some()).count() {
            0 => e.invalid_text(path, "", "must specify one of: `configMapRef` or `secretRef`"),
            1 => {}
            _ => e.invalid_text(path, "", "may not have more than one field specified at a time"),
        }
    }
}

fn mounts(e: &mut Errors, container: &core::Container, path: &Path<'_>, context: &Context<'_>) {
    let mut taken = BTreeSet::new();
    for (index, mount) in container.volume_mounts.iter().flatten().enumerate() {
        let at = path.index(index);
        if mount.name.is_empty() {
            e.required(&at.child("name"), "");
        }
        if !context.volumes.contains(mount.name.as_str()) {
            e.not_found(&at.child("name"), &mount.name);
        }
        if mount.mount_path.is_empty() {
            e.required(&at.child("mountPath"), "");
        }
        if !taken.insert(mount.mount_path.as_str()) {
            e.invalid_text(&at.child("mountPath"), &mount.mount_path, "must be unique");
        }
        if let Some(sub_path) = mount.sub_path.as_deref().filter(|sub_path| !sub_path.is_empty()) {
            descending_path(e, sub_path, &path.child("subPath"));
        }
        if let Some(expression) = mount
            .sub_path_expr
            .as_deref()
            .filter(|expression| !expression.is_empty())
        {
            if mount.sub_path.as_deref().is_some_and(|sub_path| !sub_path.is_empty()) {
                let detail = "subPathExpr and subPath are mutually exclusive";
                e.invalid_text(&at.child("subPathExpr"), expression, detail);
            }
            descending_path(e, expression, &path.child("subPathExpr"));
        }
    }
}

/// Resources that Kubernetes knows by a bare name.
const STANDARD: [&str; 5] = ["cpu", "memory", "ephemeral-storage", "storage", "pods"];
/// Those of them that a container can ask for.
const FOR_CONTAINERS: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];

/// `validateResourceRequirements`
pub(super) fn requirements(e: &mut Errors, requirements: Option<&core::ResourceRequirements>, path: &Path<'_>) {
    let Some(requirements) = requirements else { return };
    let (limits, requests) = (path.child("limits"), path.child("requests"));
    let amount = |text: &k8s_openapi::apimachinery::pkg::api::resource::Quantity| {
        quantity::parse(&text.0).unwrap_or(Quantity::ZERO)
    };
    for (name, limit) in requirements.limits.iter().flatten() {
        resource(e, name, amount(limit), &limits.key(name));
    }
    for (name, request) in requirements.requests.iter().flatten() {
        let request = amount(request);
        resource(e, name, request, &requests.key(name));
        let limit = requirements
            .limits
            .as_ref()
            .and_then(|limits| limits.get(name))
            .map(amount);
        let overcommit = !is_extended(name) && !name.starts_with("hugepages-");
        match limit {
            Some(limit) if !overcommit && request != limit => {
                let detail = format!("must be equal to {name} limit of {limit}");
                e.invalid_text(&requests, &request.to_string(), &detail);
            }
            Some(limit) if request > limit => {
                let detail = format!("must be less than or equal to {name} limit of {limit}");
                e.invalid_text(&requests, &request.to_string(), &detail);
            }
            None if !overcommit => e.required(&limits, "Limit must be set for non overcommitable resources"),
            _ => {}
        }
    }
}

fn is_extended(name: &str) -> bool {
    name.contains('/') && !name.contains("kubernetes.io/") && !name.starts_with("requests.")
}

fn resource(e: &mut Errors, name: &str, amount: Quantity, path: &Path<'_>) {
    let reasons = names::label_key(name);
    let well_formed = reasons.is_empty();
    e.invalid_for(path, name, reasons);
    if !name.contains('/') {
        let huge = name.starts_with("hugepages-");
        if well_formed && !STANDARD.contains(&name) && !huge {
            e.invalid_text(path, name, "must be a standard resource type or fully qualified");
        }
        if !FOR_CONTAINERS.contains(&name) && !huge {
            e.invalid_text(path, name, "must be a standard resource for containers");
        }
    }
    if amount.is_negative() {
        e.invalid_text(path, &amount.to_string(), "must be greater than or equal to 0");
    }
    if is_extended(name) && !amount.is_whole() {
        e.invalid_text(path, &amount.to_string(), "must be an integer");
    }
}

fn security_context(e: &mut Errors, security: Option<&core::SecurityContext>, path: &Path<'_>) {
    let Some(security) = security else { return };
    for (field, id) in [
        ("runAsUser", security.run_as_user),
        ("runAsGroup", security.run_as_group),
    ] {
        if let Some(id) = id.filter(|id| !(0..=i64::from(i32::MAX)).contains(id)) {
            e.invalid(&path.child(field), id, "must be between 0 and 2147483647, inclusive");
        }
    }
    if security.allow_privilege_escalation == Some(false) {
        if security.privileged == Some(true) {
            let detail = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true";
            e.invalid(path, go_security(security), detail);
        }
        let adds_admin = security
            .capabilities
            .iter()
            .flat_map(|capabilities| capabilities.add.iter().flatten())
            .any(|capability| capability == "CAP_SYS_ADMIN");
        if adds_admin {
            let detail = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN";
            e.invalid(path, go_security(security), detail);
        }
    }
}

/// A security context as Go prints its own type.
fn go_security(security: &core::SecurityContext) -> Value {
    let capabilities = security
        .capabilities
        .as_ref()
        .map(|capabilities| json!({ "Add": capabilities.add, "Drop": capabilities.drop }));
    json!({
        "Capabilities": capabilities,
        "Privileged": security.privileged,
        "SELinuxOptions": security.se_linux_options,
        "WindowsOptions": security.windows_options,
        "RunAsUser": security.run_as_user,
        "RunAsGroup": security.run_as_group,
        "RunAsNonRoot": security.run_as_non_root,
        "ReadOnlyRootFilesystem": security.read_only_root_filesystem,
        "AllowPrivilegeEscalation": security.allow_privilege_escalation,
        "ProcMount": security.proc_mount,
        "SeccompProfile": security.seccomp_profile,
        "AppArmorProfile": security.app_armor_profile,
    })
}

/// The ways in which a probe or a hook acts.
struct Handler<'a> {
    exec: Option<&'a core::ExecAction>,
    http: Option<&'a core::HTTPGetAction>,
    tcp: Option<&'a core::TCPSocketAction>,
    grpc: Option<&'a core::GRPCAction>,
    sleep: Option<&'a core::SleepAction>,
}

fn handler(e: &mut Errors, handler: &Handler<'_>, path: &Path<'_>, context: &Context<'_>) {
    const ONE: &str = "may not specify more than 1 handler type";
    let mut count = 0;
    let mut first = |e: &mut Errors, path: &Path<'_>, field: &str| {
        count += 1;
        if count > 1 {
            e.forbidden(&path.child(field), ONE);
        }
        count == 1
    };
    if let Some(exec) = handler.exec
        && first(e, path, "exec")
        && exec.command.as_ref().is_none_or(Vec::is_empty)
    {
        e.required(&path.child("exec").child("command"), "");
    }
    if let Some(http) = handler.http
        && first(e, path, "httpGet")
    {
        http_get(e, http, &path.child("httpGet"));
    }
    if let Some(tcp) = handler.tcp
        && first(e, path, "tcpSocket")
    {
        port(e, &tcp.port, &path.child("tcpSocket").child("port"));
    }
    if let Some(grpc) = handler.grpc
        && first(e, path, "grpc")
    {
        port_range(e, &path.child("grpc").child("port"), grpc.port);
    }
    if let Some(sleep) = handler.sleep
        && first(e, path, "sleep")
        && let Some(grace) = context.grace
        && let (least, must_be) = if e.version.enabled(Gate::PodLifecycleSleepActionAllowZero) {
            (0, "non-negative")
        } else {
            (1, "greater than 0")
        }
        && !(least..=grace).contains(&sleep.seconds)
    {
        let detail = format!("must be {must_be} and less than terminationGracePeriodSeconds ({grace})");
        e.invalid(&path.child("sleep"), sleep.seconds, &detail);
    }
    if count == 0 {
        e.required(path, "must specify a handler type");
    }
}

fn http_get(e: &mut Errors, http: &core::HTTPGetAction, path: &Path<'_>) {
    if http.path.as_deref().unwrap_or_default().is_empty() {
        e.required(&path.child("path"), "");
    }
    port(e, &http.port, &path.child("port"));
    let scheme = http.scheme.as_deref().unwrap_or_default();
    if !matches!(scheme, "HTTP" | "HTTPS") {
        e.unsupported(&path.child("scheme"), scheme, &["HTTP", "HTTPS"]);
    }
    for header in http.http_headers.iter().flatten() {
        let valid = !header.name.is_empty()
            && header
                .name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !valid {
            let detail = "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')";
            e.invalid_text(&path.child("httpHeaders"), &header.name, detail);
        }
    }
}

/// `ValidatePortNumOrName`
pub(super) fn port(e: &mut Errors, port: &IntOrString, path: &Path<'_>) {
    match port {
        IntOrString::Int(number) => port_range(e, path, *number),
        IntOrString::String(name) => e.invalid_for(path, name, names::port_name(name)),
    }
}

fn lifecycle(e: &mut Errors, container: &core::Container, path: &Path<'_>, context: &Context<'_>) {
    let Some(lifecycle) = &container.lifecycle else { return };
    let at = path.child("lifecycle");
    for (field, hook) in [("postStart", &lifecycle.post_start), ("preStop", &lifecycle.pre_stop)] {
        if let Some(hook) = hook {
            let parts = Handler {
                exec: hook.exec.as_ref(),
                http: hook.http_get.as_ref(),
                tcp: hook.tcp_socket.as_ref(),
                grpc: None,
                sleep: hook.sleep.as_ref(),
            };
            handler(e, &parts, &at.child(field), context);
        }
    }
}

fn probes(e: &mut Errors, container: &core::Container, path: &Path<'_>, context: &Context<'_>) {
    for (field, probe, is_readiness) in [
        ("livenessProbe", &container.liveness_probe, false),
        ("readinessProbe", &container.readiness_probe, true),
        ("startupProbe", &container.startup_probe, false),
    ] {
        let Some(probe) = probe else { continue };
        let at = path.child(field);
        let parts = Handler {
            exec: probe.exec.as_ref(),
            http: probe.http_get.as_ref(),
            tcp: probe.tcp_socket.as_ref(),
            grpc: probe.grpc.as_ref(),
            sleep: None,
        };
        handler(e, &parts, &at, context);
        for (field, value) in [
            ("initialDelaySeconds", probe.initial_delay_seconds),
            ("timeoutSeconds", probe.timeout_seconds),
            ("periodSeconds", probe.period_seconds),
            ("successThreshold", probe.success_threshold),
            ("failureThreshold", probe.failure_threshold),
        ] {
            e.nonnegative(&at.child(field), value.unwrap_or(0).into());
        }
        let grace = at.child("terminationGracePeriodSeconds");
        if let Some(seconds) = probe.termination_grace_period_seconds.filter(|seconds| *seconds <= 0) {
            e.invalid(&grace, seconds, "must be greater than 0");
        }
        if is_readiness {
            if let Some(seconds) = probe.termination_grace_period_seconds {
                e.invalid(&grace, seconds, "must not be set for readinessProbes");
            }
        } else if probe.success_threshold != Some(1) {
            e.invalid(
                &at.child("successThreshold"),
                probe.success_threshold.unwrap_or(0),
                "must be 1",
            );
        }
    }
}

/// `validateContainerRestartPolicy`
fn restart_policy(e: &mut Errors, container: &core::Container, path: &Path<'_>) {
    let rules = container.restart_policy_rules.as_deref().unwrap_or_default();
    let at = path.child("restartPolicy");
    match container.restart_policy.as_deref() {
        None if rules.is_empty() => return,
        None => e.required(&at, "must specify restartPolicy when restart rules are used"),
        Some("Always" | "Never" | "OnFailure") => {}
        Some(other) => e.unsupported(&at, other, &["Always", "Never", "OnFailure"]),
    }
    let rules_path = path.child("restartPolicyRules");
    if rules.len() > 20 {
        e.too_many(&rules_path, rules.len(), 20);
    }
    for (index, rule) in rules.iter().enumerate() {
        let at = rules_path.index(index);
        let actions: &[&str] = if e.version.enabled(Gate::RestartAllContainersOnContainerExits) {
            &["Restart", "RestartAllContainers"]
        } else {
            &["Restart"]
        };
        if !actions.contains(&rule.action.as_str()) {
            e.unsupported(&at.child("action"), &rule.action, actions);
        }
        let codes = at.child("exitCodes");
        match &rule.exit_codes {
            None => e.required(&codes, "must be specified"),
            Some(exit_codes) => {
                if !matches!(exit_codes.operator.as_str(), "In" | "NotIn") {
                    e.unsupported(&codes.child("operator"), &exit_codes.operator, &["In", "NotIn"]);
                }
                let count = exit_codes.values.as_ref().map_or(0, Vec::len);
                if count > 255 {
                    e.too_many(&codes.child("values"), count, 255);
                }
            }
        }
    }
}

/// An integer or text as an error shows it.
pub(super) fn int_or_string(value: &IntOrString) -> String {
    shown(value)
}
