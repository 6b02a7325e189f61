//! `PodSecurity`: what the level of a namespace forbids a pod (`k8s.io/pod-security-admission`): the checks of the levels
//! baseline and restricted, in the order and the words of the real ones.

use crate::core;
use std::collections::{BTreeMap, BTreeSet};

use super::admission::forbidden;
use super::field::{Errors, Path, quoted};
use crate::objects::{Kind, Object};
use crate::request::Status;
use crate::world::World;

const PREFIX: &str = "pod-security.kubernetes.io/";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Privileged,
    Baseline,
    Restricted,
}

/// What a namespace says for one of the modes `enforce`, `warn` and `audit`.
#[derive(Clone, Debug)]
struct Policy {
    level: Level,
    shown: String,
}

fn policy(labels: Option<&BTreeMap<String, String>>, mode: &str) -> Policy {
    let value = |name: &str| {
        let value = labels.and_then(|labels| labels.get(&format!("{PREFIX}{name}")));
        value.map(String::as_str)
    };
    let name = value(mode).unwrap_or("privileged");
    let level = match name {
        "baseline" => Level::Baseline,
        "restricted" => Level::Restricted,
        _ => Level::Privileged,
    };
    let version = value(&format!("{mode}-version")).unwrap_or("latest");
    Policy {
        level,
        shown: format!("{name}:{version}"),
    }
}

/// One check that failed.
struct Violation {
    reason: String,
    detail: String,
}

/// Admits a pod by the level that its namespace enforces; what the namespace wants to be warned of is a warning.
///
/// # Errors
/// `Forbidden`, with every check that failed.
pub(crate) fn admit(w: &mut World, pod: &core::Pod) -> Result<(), Status> {
    let namespace = pod.metadata.namespace.clone().unwrap_or_default();
    let Some(labels) = labels_of(w, &namespace) else {
        return Ok(());
    };
    let Some(spec) = &pod.spec else { return Ok(()) };
    let enforced = policy(Some(&labels), "enforce");
    let found = violations(enforced.level, &pod.metadata.annotations, spec);
    if !found.is_empty() {
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        let reason = format!("violates PodSecurity {}: {}", quoted(&enforced.shown), said(&found));
        return Err(forbidden(Kind::Pod, name, &reason));
    }
    warn(w, &labels, &pod.metadata.annotations, spec);
    Ok(())
}

/// Warns of a template whose pods would violate the level.
pub(crate) fn warn_of_template(w: &mut World, object: &Object) {
    let template = match object {
        Object::Deployment(object) => object.spec.as_ref().map(|spec| &spec.template),
        Object::ReplicaSet(object) => object.spec.as_ref().and_then(|spec| spec.template.as_ref()),
        Object::StatefulSet(object) => object.spec.as_ref().map(|spec| &spec.template),
        Object::DaemonSet(object) => object.spec.as_ref().map(|spec| &spec.template),
        Object::Job(object) => object.spec.as_ref().map(|spec| &spec.template),
        Object::CronJob(object) => object.spec.job_template.spec.as_ref().map(|spec| &spec.template),
        Object::ReplicationController(object) => object.spec.as_ref().and_then(|spec| spec.template.as_ref()),
        _ => None,
    };
    let Some(template) = template else { return };
    let Some(labels) = labels_of(w, object.namespace()) else {
        return;
    };
    let annotations = template.metadata.as_ref().and_then(|meta| meta.annotations.clone());
    if let Some(spec) = &template.spec {
        warn(w, &labels, &annotations, spec);
    }
}

fn warn(
    w: &mut World,
    labels: &BTreeMap<String, String>,
    annotations: &Option<BTreeMap<String, String>>,
    spec: &core::PodSpec,
) {
    let wanted = policy(Some(labels), "warn");
    let found = violations(wanted.level, annotations, spec);
    if !found.is_empty() {
        w.warnings.push(format!(
            "would violate PodSecurity {}: {}",
            quoted(&wanted.shown),
            said(&found)
        ));
    }
}

/// A namespace that enforces more than before: which of its pods would not be admitted any more.
pub(super) fn warn_of_namespace(w: &mut World, old: &core::Namespace, new: &core::Namespace) {
    let (before, after) = (
        policy(old.metadata.labels.as_ref(), "enforce"),
        policy(new.metadata.labels.as_ref(), "enforce"),
    );
    if after.level <= before.level {
        return;
    }
    let name = new.metadata.name.clone().unwrap_or_default();
    let mut bad: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for stored in w.store.list(Kind::Pod, Some(&name)) {
        let Some(pod) = stored.object.as_pod() else { continue };
        let Some(spec) = &pod.spec else { continue };
        let found = violations(after.level, &pod.metadata.annotations, spec);
        if !found.is_empty() {
            let reasons: Vec<&str> = found.iter().map(|violation| violation.reason.as_str()).collect();
            bad.entry(reasons.join(", "))
                .or_default()
                .push(pod.metadata.name.clone().unwrap_or_default());
        }
    }
    if bad.is_empty() {
        return;
    }
    w.warnings.push(format!(
        "existing pods in namespace {} violate the new PodSecurity enforce level {}",
        quoted(&name),
        quoted(&after.shown)
    ));
    for (reasons, pods) in bad {
        let others = match pods.len() {
            1 => String::new(),
            2 => " (and 1 other pod)".to_owned(),
            count => format!(" (and {} other pods)", count - 1),
        };
        w.warnings.push(format!("{}{others}: {reasons}", pods[0]));
    }
}

/// The labels by which a namespace asks for a level are levels (`ValidatePodSecurityNamespace`).
pub(super) fn validate(e: &mut Errors, namespace: &core::Namespace) {
    let metadata = Path::root("metadata");
    let path = metadata.child("labels");
    for mode in ["enforce", "audit", "warn"] {
        let labels = namespace.metadata.labels.as_ref();
        let key = format!("{PREFIX}{mode}");
        if let Some(value) = labels.and_then(|labels| labels.get(&key))
            && !matches!(value.as_str(), "privileged" | "baseline" | "restricted")
        {
            e.invalid_text(
                &path.key(&key),
                value,
                "must be one of privileged, baseline, restricted",
            );
        }
        let key = format!("{PREFIX}{mode}-version");
        if let Some(value) = labels.and_then(|labels| labels.get(&key)) {
            let number = value.strip_prefix("v1.").map(str::parse::<u32>);
            if value != "latest" && !matches!(number, Some(Ok(_))) {
                e.invalid_text(&path.key(&key), value, "must be \"latest\" or \"v1.x\"");
            }
        }
    }
}

fn labels_of(w: &World, namespace: &str) -> Option<BTreeMap<String, String>> {
    match &w.find(Kind::Namespace, "", namespace)?.object {
        Object::Namespace(namespace) => namespace
            .metadata
            .labels
            .clone()
            .filter(|labels| labels.keys().any(|key| key.starts_with(PREFIX))),
        _ => None,
    }
}

/// Whether a change of a pod is looked at again: nothing but metadata, tolerations and the like is not
/// (`isSignificantPodUpdate`).
pub(super) fn is_significant(old: &core::Pod, new: &core::Pod) -> bool {
    let images = |pod: &core::Pod| -> Vec<String> {
        let spec = pod.spec.iter();
        let containers = spec.flat_map(|spec| spec.init_containers.iter().flatten().chain(&spec.containers));
        containers
            .map(|container| container.image.clone().unwrap_or_default())
            .collect()
    };
    let ephemeral = |pod: &core::Pod| {
        let spec = pod.spec.as_ref();
        spec.map_or(0, |spec| spec.ephemeral_containers.as_ref().map_or(0, Vec::len))
    };
    images(old) != images(new) || ephemeral(old) != ephemeral(new)
}

fn said(violations: &[Violation]) -> String {
    let texts: Vec<String> = violations
        .iter()
        .map(|violation| {
            if violation.detail.is_empty() {
                violation.reason.clone()
            } else {
                format!("{} ({})", violation.reason, violation.detail)
            }
        })
        .collect();
    texts.join(", ")
}

/// A container of any of the three lists, as the checks see it.
struct Seen<'a> {
    name: &'a str,
    security: Option<&'a core::SecurityContext>,
    ports: &'a [core::ContainerPort],
    hosts: Vec<&'a str>,
}

fn containers(spec: &core::PodSpec) -> Vec<Seen<'_>> {
    fn hosts<'a>(probes: [Option<&'a core::Probe>; 3], lifecycle: Option<&'a core::Lifecycle>) -> Vec<&'a str> {
        let mut found = Vec::new();
        for probe in probes.into_iter().flatten() {
            found.extend(probe.http_get.as_ref().and_then(|get| get.host.as_deref()));
            found.extend(probe.tcp_socket.as_ref().and_then(|socket| socket.host.as_deref()));
        }
        let hooks = lifecycle.map(|lifecycle| [lifecycle.post_start.as_ref(), lifecycle.pre_stop.as_ref()]);
        for hook in hooks.into_iter().flatten().flatten() {
            found.extend(hook.http_get.as_ref().and_then(|get| get.host.as_deref()));
            found.extend(hook.tcp_socket.as_ref().and_then(|socket| socket.host.as_deref()));
        }
        found.retain(|host| !host.is_empty());
        found
    }
    let usual = spec.init_containers.iter().flatten().chain(&spec.containers);
    let usual = usual.map(|container| Seen {
        name: &container.name,
        security: container.security_context.as_ref(),
        ports: container.ports.as_deref().unwrap_or_default(),
        hosts: hosts(
            [
                container.liveness_probe.as_ref(),
                container.readiness_probe.as_ref(),
                container.startup_probe.as_ref(),
            ],
            container.lifecycle.as_ref(),
        ),
    });
    let ephemeral = spec.ephemeral_containers.iter().flatten().map(|container| Seen {
        name: &container.name,
        security: container.security_context.as_ref(),
        ports: container.ports.as_deref().unwrap_or_default(),
        hosts: Vec::new(),
    });
    usual.chain(ephemeral).collect()
}

fn join<S: AsRef<str>>(names: &[S]) -> String {
    names
        .iter()
        .map(|name| quoted(name.as_ref()))
        .collect::<Vec<_>>()
        .join(", ")
}

fn plural<'a>(one: &'a str, many: &'a str, count: usize) -> &'a str {
    if count == 1 { one } else { many }
}

/// `container "a"`, `containers "a", "b"`
fn named(names: &[&str]) -> String {
    format!("{} {}", plural("container", "containers", names.len()), join(names))
}

/// Capabilities that a container has without asking.
const DEFAULT_CAPABILITIES: [&str; 13] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];
/// Sysctls that concern nobody but the pod.
const SAFE_SYSCTLS: [&str; 12] = [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
];
const SELINUX_TYPES: [&str; 5] = [
    "",
    "container_t",
    "container_init_t",
    "container_kvm_t",
    "container_engine_t",
];

fn violations(level: Level, annotations: &Option<BTreeMap<String, String>>, spec: &core::PodSpec) -> Vec<Violation> {
    if level == Level::Privileged {
        return Vec::new();
    }
    let all = containers(spec);
    let windows = spec.os.as_ref().is_some_and(|os| os.name == "windows");
    let mut found = Vec::new();
    let mut add = |reason: &str, detail: String| {
        found.push(Violation {
            reason: reason.to_owned(),
            detail,
        });
    };
    baseline(level, annotations, spec, &all, &mut add);
    if level == Level::Restricted {
        restricted(spec, &all, windows, &mut add);
    }
    found
}

fn baseline(
    level: Level,
    annotations: &Option<BTreeMap<String, String>>,
    spec: &core::PodSpec,
    all: &[Seen<'_>],
    add: &mut dyn FnMut(&str, String),
) {
    let pod = spec.security_context.as_ref();
    let names_where = |bad: &dyn Fn(&core::SecurityContext) -> bool| -> Vec<&str> {
        all.iter()
            .filter(|container| container.security.is_some_and(bad))
            .map(|container| container.name)
            .collect()
    };
    app_armor(annotations, pod, all, add);
    if level == Level::Baseline {
        let (names, values) = bad_capabilities(all, &DEFAULT_CAPABILITIES);
        if !names.is_empty() {
            add(
                "non-default capabilities",
                format!(
                    "{} must not include {} in securityContext.capabilities.add",
                    named(&names),
                    join(&values)
                ),
            );
        }
    }
    let host: Vec<&str> = [
        (spec.host_network == Some(true), "hostNetwork=true"),
        (spec.host_pid == Some(true), "hostPID=true"),
        (spec.host_ipc == Some(true), "hostIPC=true"),
    ]
    .into_iter()
    .filter_map(|(holds, text)| holds.then_some(text))
    .collect();
    if !host.is_empty() {
        add("host namespaces", host.join(", "));
    }
    let paths: Vec<&str> = spec
        .volumes
        .iter()
        .flatten()
        .filter(|volume| volume.host_path.is_some())
        .map(|volume| volume.name.as_str())
        .collect();
    if !paths.is_empty() {
        let volumes = plural("volume", "volumes", paths.len());
        add("hostPath volumes", format!("{volumes} {}", join(&paths)));
    }
    host_ports(all, add);
    let probing: Vec<&str> = all
        .iter()
        .filter(|container| !container.hosts.is_empty())
        .map(|container| container.name)
        .collect();
    if !probing.is_empty() {
        let hosts: BTreeSet<&str> = all
            .iter()
            .flat_map(|container| container.hosts.iter().copied())
            .collect();
        let hosts: Vec<&str> = hosts.into_iter().collect();
        add(
            "probe or lifecycle host",
            format!(
                "{} {} probe or lifecycle {} {}",
                named(&probing),
                plural("uses", "use", probing.len()),
                plural("host", "hosts", hosts.len()),
                join(&hosts)
            ),
        );
    }
    let privileged = names_where(&|security| security.privileged == Some(true));
    if !privileged.is_empty() {
        add(
            "privileged",
            format!("{} must not set securityContext.privileged=true", named(&privileged)),
        );
    }
    let mounts = names_where(&|security| !matches!(security.proc_mount.as_deref(), None | Some("Default")));
    if !mounts.is_empty() {
        let values: BTreeSet<&str> = all
            .iter()
            .filter_map(|container| container.security?.proc_mount.as_deref())
            .filter(|value| *value != "Default")
            .collect();
        let values: Vec<&str> = values.into_iter().collect();
        add(
            "procMount",
            format!(
                "{} must not set securityContext.procMount to {}",
                named(&mounts),
                join(&values)
            ),
        );
    }
    se_linux(pod, all, add);
    if level == Level::Baseline
        && let Some(detail) = bad_seccomp(pod, all)
    {
        add("seccompProfile", detail);
    }
    let sysctls: Vec<&str> = pod
        .and_then(|pod| pod.sysctls.as_ref())
        .into_iter()
        .flatten()
        .map(|sysctl| sysctl.name.as_str())
        .filter(|name| !SAFE_SYSCTLS.contains(name))
        .collect();
    if !sysctls.is_empty() {
        add("forbidden sysctls", sysctls.join(", "));
    }
    let host_process = |options: Option<&core::WindowsSecurityContextOptions>| {
        options.is_some_and(|options| options.host_process == Some(true))
    };
    let of_containers = names_where(&|security| host_process(security.windows_options.as_ref()));
    let of_pod = host_process(pod.and_then(|pod| pod.windows_options.as_ref()));
    if of_pod || !of_containers.is_empty() {
        add(
            "hostProcess",
            format!(
                "{} must not set securityContext.windowsOptions.hostProcess=true",
                setters(of_pod, &of_containers)
            ),
        );
    }
}

/// `pod and containers "a", "b"`
fn setters(pod: bool, names: &[&str]) -> String {
    let mut parts = Vec::new();
    if pod {
        parts.push("pod".to_owned());
    }
    if !names.is_empty() {
        parts.push(named(names));
    }
    parts.join(" and ")
}

fn app_armor(
    annotations: &Option<BTreeMap<String, String>>,
    pod: Option<&core::PodSecurityContext>,
    all: &[Seen<'_>],
    add: &mut dyn FnMut(&str, String),
) {
    const ANNOTATION: &str = "container.apparmor.security.beta.kubernetes.io/";
    let bad = |profile: Option<&core::AppArmorProfile>| {
        profile
            .map(|profile| profile.type_.as_str())
            .filter(|kind| !matches!(*kind, "RuntimeDefault" | "Localhost"))
            .map(str::to_owned)
    };
    let mut values = BTreeSet::new();
    let of_pod = bad(pod.and_then(|pod| pod.app_armor_profile.as_ref()));
    values.extend(of_pod.clone());
    let mut names = Vec::new();
    for container in all {
        if let Some(value) = bad(container
            .security
            .and_then(|security| security.app_armor_profile.as_ref()))
        {
            values.insert(value);
            names.push(container.name);
        }
    }
    let mut details = Vec::new();
    if !values.is_empty() {
        let list: Vec<&String> = values.iter().collect();
        details.push(format!(
            "{} must not set AppArmor profile type to {}",
            setters(of_pod.is_some(), &names),
            join(&list)
        ));
    }
    let mut count = values.len();
    for (key, value) in annotations.iter().flatten() {
        if key.starts_with(ANNOTATION)
            && !value.is_empty()
            && value != "runtime/default"
            && !value.starts_with("localhost/")
        {
            details.push(format!("{key}={}", quoted(value)));
            count += 1;
        }
    }
    if count > 0 {
        add(
            plural("forbidden AppArmor profile", "forbidden AppArmor profiles", count),
            details.join(", "),
        );
    }
}

fn bad_capabilities<'a>(all: &[Seen<'a>], allowed: &[&str]) -> (Vec<&'a str>, Vec<String>) {
    let (mut names, mut values) = (Vec::new(), BTreeSet::new());
    for container in all {
        let added = container
            .security
            .and_then(|security| security.capabilities.as_ref()?.add.as_ref());
        let bad: Vec<&String> = added
            .into_iter()
            .flatten()
            .filter(|capability| !allowed.contains(&capability.as_str()))
            .collect();
        if !bad.is_empty() {
            names.push(container.name);
            values.extend(bad.into_iter().cloned());
        }
    }
    (names, values.into_iter().collect())
}

fn host_ports(all: &[Seen<'_>], add: &mut dyn FnMut(&str, String)) {
    let (mut names, mut ports) = (Vec::new(), BTreeSet::new());
    for container in all {
        let own: Vec<i32> = container
            .ports
            .iter()
            .filter_map(|port| port.host_port)
            .filter(|port| *port != 0)
            .collect();
        if !own.is_empty() {
            names.push(container.name);
            ports.extend(own.into_iter().map(|port| port.to_string()));
        }
    }
    if !names.is_empty() {
        let count = ports.len();
        let ports: Vec<String> = ports.into_iter().collect();
        add(
            "hostPort",
            format!(
                "{} {} {} {}",
                named(&names),
                plural("uses", "use", names.len()),
                plural("hostPort", "hostPorts", count),
                ports.join(", ")
            ),
        );
    }
}

fn se_linux(pod: Option<&core::PodSecurityContext>, all: &[Seen<'_>], add: &mut dyn FnMut(&str, String)) {
    let (mut types, mut user, mut role) = (BTreeSet::new(), false, false);
    let mut look = |options: Option<&core::SELinuxOptions>| {
        let Some(options) = options else { return false };
        let kind = options.type_.as_deref().unwrap_or_default();
        let bad_type = !SELINUX_TYPES.contains(&kind);
        if bad_type {
            types.insert(kind.to_owned());
        }
        let (own_user, own_role) = (
            options.user.as_deref().is_some_and(|user| !user.is_empty()),
            options.role.as_deref().is_some_and(|role| !role.is_empty()),
        );
        user |= own_user;
        role |= own_role;
        bad_type || own_user || own_role
    };
    let of_pod = look(pod.and_then(|pod| pod.se_linux_options.as_ref()));
    let names: Vec<&str> = all
        .iter()
        .filter(|container| {
            look(
                container
                    .security
                    .and_then(|security| security.se_linux_options.as_ref()),
            )
        })
        .map(|container| container.name)
        .collect();
    if !of_pod && names.is_empty() {
        return;
    }
    let mut data = Vec::new();
    if !types.is_empty() {
        let list: Vec<&String> = types.iter().collect();
        data.push(format!("{} {}", plural("type", "types", list.len()), join(&list)));
    }
    if user {
        data.push("user may not be set".to_owned());
    }
    if role {
        data.push("role may not be set".to_owned());
    }
    add(
        "seLinuxOptions",
        format!(
            "{} set forbidden securityContext.seLinuxOptions: {}",
            setters(of_pod, &names),
            data.join("; ")
        ),
    );
}

fn allowed_seccomp(kind: &str) -> bool {
    matches!(kind, "RuntimeDefault" | "Localhost")
}

fn bad_seccomp(pod: Option<&core::PodSecurityContext>, all: &[Seen<'_>]) -> Option<String> {
    let mut values = BTreeSet::new();
    let mut bad = |profile: Option<&core::SeccompProfile>| {
        let kind = profile.map(|profile| profile.type_.as_str());
        match kind {
            Some(kind) if !allowed_seccomp(kind) => {
                values.insert(kind.to_owned());
                true
            }
            _ => false,
        }
    };
    let of_pod = bad(pod.and_then(|pod| pod.seccomp_profile.as_ref()));
    let names: Vec<&str> = all
        .iter()
        .filter(|container| {
            bad(container
                .security
                .and_then(|security| security.seccomp_profile.as_ref()))
        })
        .map(|container| container.name)
        .collect();
    let list: Vec<&String> = values.iter().collect();
    (!list.is_empty()).then(|| {
        format!(
            "{} must not set securityContext.seccompProfile.type to {}",
            setters(of_pod, &names),
            join(&list)
        )
    })
}

fn restricted(spec: &core::PodSpec, all: &[Seen<'_>], windows: bool, add: &mut dyn FnMut(&str, String)) {
    let pod = spec.security_context.as_ref();
    let own_users = spec.host_users == Some(false);
    if !windows {
        let bad: Vec<&str> = all
            .iter()
            .filter(|container| {
                container
                    .security
                    .and_then(|security| security.allow_privilege_escalation)
                    != Some(false)
            })
            .map(|container| container.name)
            .collect();
        if !bad.is_empty() {
            add(
                "allowPrivilegeEscalation != false",
                format!(
                    "{} must set securityContext.allowPrivilegeEscalation=false",
                    named(&bad)
                ),
            );
        }
        let keeping: Vec<&str> = all
            .iter()
            .filter(|container| {
                let dropped = container
                    .security
                    .and_then(|security| security.capabilities.as_ref()?.drop.as_ref());
                !dropped.is_some_and(|dropped| dropped.iter().any(|capability| capability == "ALL"))
            })
            .map(|container| container.name)
            .collect();
        let (adding, values) = bad_capabilities(all, &["NET_BIND_SERVICE"]);
        let mut details = Vec::new();
        if !keeping.is_empty() {
            details.push(format!(
                "{} must set securityContext.capabilities.drop=[\"ALL\"]",
                named(&keeping)
            ));
        }
        if !adding.is_empty() {
            details.push(format!(
                "{} must not include {} in securityContext.capabilities.add",
                named(&adding),
                join(&values)
            ));
        }
        if !details.is_empty() {
            add("unrestricted capabilities", details.join("; "));
        }
    }
    restricted_volumes(spec, add);
    if !own_users {
        run_as(spec, all, add);
    }
    if windows {
        return;
    }
    if let Some(detail) = bad_seccomp(pod, all) {
        return add("seccompProfile", detail);
    }
    let of_pod = pod.and_then(|pod| pod.seccomp_profile.as_ref()).is_some();
    let missing: Vec<&str> = all
        .iter()
        .filter(|container| {
            !of_pod
                && container
                    .security
                    .and_then(|security| security.seccomp_profile.as_ref())
                    .is_none()
        })
        .map(|container| container.name)
        .collect();
    if !missing.is_empty() {
        add(
            "seccompProfile",
            format!(
                "pod or {} must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\"",
                named(&missing)
            ),
        );
    }
}

fn run_as(spec: &core::PodSpec, all: &[Seen<'_>], add: &mut dyn FnMut(&str, String)) {
    let pod = spec.security_context.as_ref();
    let of_pod = pod.and_then(|pod| pod.run_as_non_root);
    let of = |container: &Seen<'_>| container.security.and_then(|security| security.run_as_non_root);
    let names = |wanted: &dyn Fn(&Seen<'_>) -> bool| -> Vec<&str> {
        all.iter()
            .filter(|container| wanted(container))
            .map(|container| container.name)
            .collect()
    };
    let bad = names(&|container| of(container) == Some(false));
    if of_pod == Some(false) || !bad.is_empty() {
        add(
            "runAsNonRoot != true",
            format!(
                "{} must not set securityContext.runAsNonRoot=false",
                setters(of_pod == Some(false), &bad)
            ),
        );
    } else {
        let missing = names(&|container| of_pod.is_none() && of(container).is_none());
        if !missing.is_empty() {
            add(
                "runAsNonRoot != true",
                format!("pod or {} must set securityContext.runAsNonRoot=true", named(&missing)),
            );
        }
    }
    let root = pod.and_then(|pod| pod.run_as_user) == Some(0);
    let bad = names(&|container| container.security.and_then(|security| security.run_as_user) == Some(0));
    if root || !bad.is_empty() {
        add(
            "runAsUser=0",
            format!("{} must not set runAsUser=0", setters(root, &bad)),
        );
    }
}

fn restricted_volumes(spec: &core::PodSpec, add: &mut dyn FnMut(&str, String)) {
    const ALLOWED: [&str; 9] = [
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "image",
        "persistentVolumeClaim",
        "projected",
        "secret",
    ];
    let (mut names, mut types) = (Vec::new(), BTreeSet::new());
    for volume in spec.volumes.iter().flatten() {
        let value = serde_json::to_value(volume).unwrap_or_default();
        let kind = value
            .as_object()
            .into_iter()
            .flatten()
            .map(|(key, _)| key.as_str())
            .find(|key| *key != "name")
            .unwrap_or("unknown")
            .to_owned();
        if !ALLOWED.contains(&kind.as_str()) {
            names.push(volume.name.as_str());
            types.insert(kind);
        }
    }
    if !names.is_empty() {
        let types: Vec<String> = types.into_iter().collect();
        add(
            "restricted volume types",
            format!(
                "{} {} {} {} {}",
                plural("volume", "volumes", names.len()),
                join(&names),
                plural("uses", "use", names.len()),
                plural("restricted volume type", "restricted volume types", types.len()),
                join(&types)
            ),
        );
    }
}
