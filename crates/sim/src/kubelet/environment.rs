//! What a container is given when it is created (`pkg/kubelet/kubelet_pods.go makeEnvironmentVariables`,
//! `kuberuntime_container.go generateContainerConfig`): command, environment, user, mounts. Whatever is wrong here is a
//! `CreateContainerConfigError`.

use crate::core;
use std::collections::BTreeMap;

use super::processes::{NODE_FILES, SHARED_MEMORY};
use super::worker::Worker;
use crate::network::dns::Resolver;
use crate::objects::{Kind, Object};
use crate::resources::{milli_value, value};
use crate::runtime::catalogue::Repository;
use crate::runtime::host::Mount;
use crate::runtime::process::{Spec, Stdin};
use crate::world::World;

/// How the runtime is to start a container.
///
/// # Errors
/// The kubelet's words for what is missing or forbidden.
pub(super) fn container_spec(
    w: &World,
    worker: &Worker,
    container: &core::Container,
    (image, assumed): (&Repository, bool),
    address: &str,
    node: &str,
) -> Result<Spec, String> {
    let env = environment(w, worker, container, image, address, node)?;
    let table: BTreeMap<&str, &str> = env
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let expanded = |list: &[String]| -> Vec<String> { list.iter().map(|text| expand(text, &table)).collect() };
    let (command, args) = (container.command.as_deref(), container.args.as_deref());
    let argv = match (
        command.filter(|list| !list.is_empty()),
        args.filter(|list| !list.is_empty()),
    ) {
        (Some(command), args) => [expanded(command), expanded(args.unwrap_or_default())].concat(),
        (None, Some(args)) => [image.entrypoint.clone(), expanded(args)].concat(),
        (None, None) => [image.entrypoint.clone(), image.cmd.clone()].concat(),
    };
    let user = user(worker, container, image)?;
    let groups = groups(worker, container, user);
    let working_dir = container
        .working_dir
        .clone()
        .filter(|dir| !dir.is_empty())
        .unwrap_or_else(|| image.working_dir.clone());
    let spec = worker.spec();
    // A container without a limit of its own may use all that the pod may.
    let of = |resources: &Option<core::ResourceRequirements>| {
        let limits = resources.as_ref().and_then(|resources| resources.limits.as_ref());
        limits.and_then(|limits| limits.get("memory")).cloned()
    };
    let limit = of(&container.resources).or_else(|| of(&spec.resources));
    let hostname = if spec.host_network == Some(true) {
        node.to_owned()
    } else {
        spec.hostname
            .clone()
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| worker.key.name.to_string())
    };
    let mounts = mounts(worker, container, &table)?;
    Ok(Spec {
        argv,
        env,
        working_dir,
        user,
        groups,
        read_only_root: container
            .security_context
            .as_ref()
            .and_then(|own| own.read_only_root_filesystem)
            == Some(true),
        stdin: if container.stdin == Some(true) {
            Stdin::Silent
        } else {
            Stdin::Null
        },
        hostname,
        cpu_limit: container
            .resources
            .as_ref()
            .and_then(|resources| resources.limits.as_ref()?.get("cpu"))
            .and_then(|limit| u64::try_from(milli_value(limit)).ok()),
        memory_limit: limit.and_then(|limit| u64::try_from(value(&limit)).ok()),
        oom_kills_group: w.oom_kills_group(),
        mounts,
        first_pid: None,
        assume_programs: assumed,
    })
}

fn user(worker: &Worker, container: &core::Container, image: &Repository) -> Result<u32, String> {
    let own = container.security_context.as_ref();
    let pod = worker.spec().security_context.as_ref();
    let asked = own
        .and_then(|own| own.run_as_user)
        .or_else(|| pod.and_then(|pod| pod.run_as_user));
    let non_root = own
        .and_then(|own| own.run_as_non_root)
        .or_else(|| pod.and_then(|pod| pod.run_as_non_root));
    let numeric = image.user.is_empty() || image.user.parse::<u32>().is_ok();
    let of_image = image.user_id().ok().filter(|_| numeric || image.user == "root");
    if non_root == Some(true) {
        let (pod, name) = (worker.format(), &container.name);
        match (asked, of_image) {
            (Some(0), _) => {
                return Err(format!(
                    "container's runAsUser breaks non-root policy (pod: \"{pod}\", container: {name})"
                ));
            }
            (None, Some(0)) => {
                return Err(format!(
                    "container has runAsNonRoot and image will run as root (pod: \"{pod}\", container: {name})"
                ));
            }
            (None, None) => {
                let user = &image.user;
                return Err(format!(
                    "container has runAsNonRoot and image has non-numeric user ({user}), cannot verify user is non-root (pod: \
                     \"{pod}\", container: {name})"
                ));
            }
            _ => {}
        }
    }
    Ok(asked
        .and_then(|user| u32::try_from(user).ok())
        .or(of_image)
        .unwrap_or(0))
}

/// The groups of a container's processes: `runAsGroup`, else root's group, and those that are added
/// (`kuberuntime/security_context.go`).
fn groups(worker: &Worker, container: &core::Container, user: u32) -> Vec<u32> {
    let pod = worker.spec().security_context.as_ref();
    let own = container.security_context.as_ref().and_then(|own| own.run_as_group);
    let number = |group: i64| u32::try_from(group).ok();
    let primary = own.or_else(|| pod.and_then(|pod| pod.run_as_group)).and_then(number);
    // Who is not in the image's list of users belongs to root's group.
    let primary = primary.unwrap_or(if IMAGE_USERS.contains(&user) { user } else { 0 });
    let mut groups = vec![primary];
    let added = pod.and_then(|pod| pod.supplemental_groups.as_ref());
    let added = added.into_iter().flatten().copied().filter_map(number);
    for group in added.chain(worker.fs_group()) {
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    groups
}

/// The files by which a container knows its name, its neighbours' and its name server (`pkg/kubelet/kubelet_pods.go
/// managedHostsFileContent`; the runtime writes the others).
pub(super) fn network_files(pod: &core::Pod, address: &str, node: &str) -> [(&'static str, String); 3] {
    let spec = pod.spec.as_deref();
    let on_host = spec.and_then(|spec| spec.host_network) == Some(true);
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let hostname = match spec
        .and_then(|spec| spec.hostname.as_deref())
        .filter(|name| !name.is_empty())
    {
        _ if on_host => node,
        Some(hostname) => hostname,
        None => name,
    };
    let subdomain = spec.and_then(|spec| spec.subdomain.as_deref());
    let own = match subdomain.filter(|subdomain| !subdomain.is_empty()) {
        Some(subdomain) => {
            let namespace = pod.metadata.namespace.as_deref().unwrap_or("default");
            format!("{address}\t{hostname}.{subdomain}.{namespace}.svc.cluster.local\t{hostname}\n")
        }
        None => format!("{address}\t{hostname}\n"),
    };
    let mut hosts = if on_host {
        format!("# Kubernetes-managed hosts file (host network).\n127.0.0.1 localhost\n127.0.1.1 {node}\n")
    } else {
        format!(
            "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n\
             fe00::0\tip6-localnet\nfe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n{own}"
        )
    };
    let aliases = spec.and_then(|spec| spec.host_aliases.as_deref()).unwrap_or_default();
    if !aliases.is_empty() {
        hosts.push_str("\n# Entries added by HostAliases.\n");
    }
    for alias in aliases {
        let names = alias.hostnames.as_deref().unwrap_or_default().join("\t");
        hosts.push_str(&format!("{}\t{names}\n", alias.ip));
    }
    [
        ("/etc/hosts", hosts),
        ("/etc/hostname", format!("{hostname}\n")),
        ("/etc/resolv.conf", Resolver::of(pod).file()),
    ]
}

/// Users whom the simulated images know, each with a group of the same number.
const IMAGE_USERS: [u32; 4] = [1, 33, 101, 65534];

fn mounts(worker: &Worker, container: &core::Container, env: &BTreeMap<&str, &str>) -> Result<Vec<Mount>, String> {
    // Memory that containers share by name is the pod's, or the node's.
    let mut mounts = vec![Mount {
        path: "/dev/shm".to_owned(),
        volume: SHARED_MEMORY.to_owned(),
        sub_path: String::new(),
        root: None,
        read_only: false,
    }];
    for mount in container.volume_mounts.iter().flatten() {
        let volume = worker
            .spec()
            .volumes
            .iter()
            .flatten()
            .find(|volume| volume.name == mount.name);
        let sub_path = match (&mount.sub_path_expr, &mount.sub_path) {
            (Some(expression), _) if !expression.is_empty() => expand(expression, env),
            (_, Some(path)) => path.clone(),
            _ => String::new(),
        };
        if sub_path.split('/').any(|part| part == "..") {
            return Err(format!(
                "failed to prepare subPath for volumeMount \"{}\" of container \"{}\"",
                mount.name, container.name
            ));
        }
        let host = volume.and_then(|volume| volume.host_path.as_ref());
        // What the kubelet writes, containers only read.
        let written = worker.payloads.contains_key(&mount.name);
        let persistent = worker.mounted.get(&mount.name);
        let (volume, sub_path) = match host.map(|host| (NODE_FILES, host.path.as_str())).or_else(|| {
            let mounted = persistent?;
            Some((mounted.files.as_str(), mounted.path.as_str()))
        }) {
            Some((files, path)) => {
                let path = path.trim_matches('/');
                let joined = if sub_path.is_empty() {
                    path.to_owned()
                } else {
                    format!("{path}/{sub_path}")
                };
                (files.to_owned(), joined)
            }
            None => (mount.name.clone(), sub_path),
        };
        mounts.push(Mount {
            path: mount.mount_path.clone(),
            volume,
            sub_path,
            root: None,
            read_only: mount.read_only == Some(true) || written || persistent.is_some_and(|mounted| mounted.read_only),
        });
    }
    Ok(mounts)
}

fn environment(
    w: &World,
    worker: &Worker,
    container: &core::Container,
    image: &Repository,
    address: &str,
    node: &str,
) -> Result<Vec<(String, String)>, String> {
    let namespace = &*worker.key.namespace;
    let mut values: Vec<(String, String)> = Vec::new();
    let set = |values: &mut Vec<(String, String)>, name: String, value: String| match values
        .iter_mut()
        .find(|(known, _)| *known == name)
    {
        Some(entry) => entry.1 = value,
        None => values.push((name, value)),
    };
    for source in container.env_from.iter().flatten() {
        let prefix = source.prefix.clone().unwrap_or_default();
        if let Some(reference) = &source.config_map_ref {
            match config_map(w, namespace, &reference.name) {
                Some(map) => {
                    for (key, value) in map.data.iter().flatten() {
                        set(&mut values, format!("{prefix}{key}"), value.clone());
                    }
                }
                None if reference.optional == Some(true) => {}
                None => return Err(format!("configmap \"{}\" not found", reference.name)),
            }
        }
        if let Some(reference) = &source.secret_ref {
            match secret(w, namespace, &reference.name) {
                Some(secret) => {
                    for (key, value) in secret.data.iter().flatten() {
                        set(
                            &mut values,
                            format!("{prefix}{key}"),
                            String::from_utf8_lossy(&value.0).into_owned(),
                        );
                    }
                }
                None if reference.optional == Some(true) => {}
                None => return Err(format!("secret \"{}\" not found", reference.name)),
            }
        }
    }
    // References see what was set before them, and the Services' variables.
    let services = service_variables(w, namespace, worker.spec().enable_service_links != Some(false));
    for variable in container.env.iter().flatten() {
        let value = match (&variable.value, &variable.value_from) {
            (Some(text), _) if !text.is_empty() => {
                let mut table: BTreeMap<&str, &str> = services
                    .iter()
                    .map(|(name, value)| (name.as_str(), value.as_str()))
                    .collect();
                table.extend(values.iter().map(|(name, value)| (name.as_str(), value.as_str())));
                Some(expand(text, &table))
            }
            (_, Some(source)) => value_from(w, worker, container, source, address, node)?,
            _ => Some(String::new()),
        };
        if let Some(value) = value {
            set(&mut values, variable.name.clone(), value);
        }
    }
    let mut all = image.env.clone();
    if !all.iter().any(|(name, _)| name == "PATH") {
        all.insert(
            0,
            (
                "PATH".to_owned(),
                "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
            ),
        );
    }
    set(
        &mut all,
        "HOSTNAME".to_owned(),
        worker
            .spec()
            .hostname
            .clone()
            .unwrap_or_else(|| worker.key.name.to_string()),
    );
    for (name, value) in values {
        set(&mut all, name, value);
    }
    for (name, value) in services {
        if !all.iter().any(|(known, _)| *known == name) {
            all.push((name, value));
        }
    }
    Ok(all)
}

/// The variables by which a container finds Services that existed when it started.
fn service_variables(w: &World, namespace: &str, links: bool) -> Vec<(String, String)> {
    let mut variables = Vec::new();
    let own = w.store.list(Kind::Service, Some(namespace)).filter(|_| links);
    let api = w.find(Kind::Service, "default", "kubernetes");
    let mut seen = std::collections::BTreeSet::new();
    for stored in api.into_iter().chain(own) {
        let Object::Service(service) = &stored.object else {
            continue;
        };
        let name = service.metadata.name.clone().unwrap_or_default();
        if !seen.insert(name.clone()) {
            continue;
        }
        let Some(spec) = &service.spec else { continue };
        let Some(address) = spec.cluster_ip.as_deref().filter(|ip| !ip.is_empty() && *ip != "None") else {
            continue;
        };
        let Some(first) = spec.ports.iter().flatten().next() else {
            continue;
        };
        let prefix = name.to_uppercase().replace('-', "_");
        variables.push((format!("{prefix}_SERVICE_HOST"), address.to_owned()));
        variables.push((format!("{prefix}_SERVICE_PORT"), first.port.to_string()));
        for port in spec.ports.iter().flatten() {
            if let Some(name) = port.name.as_deref().filter(|name| !name.is_empty()) {
                let name = name.to_uppercase().replace('-', "_");
                variables.push((format!("{prefix}_SERVICE_PORT_{name}"), port.port.to_string()));
            }
        }
        let protocol = |port: &core::ServicePort| port.protocol.clone().unwrap_or_else(|| "TCP".to_owned());
        let url = |port: &core::ServicePort| format!("{}://{address}:{}", protocol(port).to_lowercase(), port.port);
        variables.push((format!("{prefix}_PORT"), url(first)));
        for port in spec.ports.iter().flatten() {
            let lead = format!("{prefix}_PORT_{}_{}", port.port, protocol(port));
            variables.push((lead.clone(), url(port)));
            variables.push((format!("{lead}_PROTO"), protocol(port).to_lowercase()));
            variables.push((format!("{lead}_PORT"), port.port.to_string()));
            variables.push((format!("{lead}_ADDR"), address.to_owned()));
        }
    }
    variables
}

fn value_from(
    w: &World,
    worker: &Worker,
    container: &core::Container,
    source: &core::EnvVarSource,
    address: &str,
    node: &str,
) -> Result<Option<String>, String> {
    let namespace = &*worker.key.namespace;
    if let Some(reference) = &source.config_map_key_ref {
        let optional = reference.optional == Some(true);
        let Some(map) = config_map(w, namespace, &reference.name) else {
            return if optional {
                Ok(None)
            } else {
                Err(format!("configmap \"{}\" not found", reference.name))
            };
        };
        return match map.data.as_ref().and_then(|data| data.get(&reference.key)) {
            Some(value) => Ok(Some(value.clone())),
            None if optional => Ok(None),
            None => Err(format!(
                "couldn't find key {} in ConfigMap {namespace}/{}",
                reference.key, reference.name
            )),
        };
    }
    if let Some(reference) = &source.secret_key_ref {
        let optional = reference.optional == Some(true);
        let Some(secret) = secret(w, namespace, &reference.name) else {
            return if optional {
                Ok(None)
            } else {
                Err(format!("secret \"{}\" not found", reference.name))
            };
        };
        return match secret.data.as_ref().and_then(|data| data.get(&reference.key)) {
            Some(value) => Ok(Some(String::from_utf8_lossy(&value.0).into_owned())),
            None if optional => Ok(None),
            None => Err(format!(
                "couldn't find key {} in Secret {namespace}/{}",
                reference.key, reference.name
            )),
        };
    }
    if let Some(field) = &source.field_ref {
        return pod_field(worker, &field.field_path, address, node).map(Some);
    }
    if let Some(reference) = &source.resource_field_ref {
        return Ok(Some(resource_field(w, worker, container, reference, node)));
    }
    Ok(None)
}

/// A field of the pod by its path (`pkg/fieldpath ExtractFieldPathAsString` and the status fields of env vars).
///
/// # Errors
/// For a path that the downward API does not offer.
pub(super) fn pod_field(worker: &Worker, path: &str, address: &str, node: &str) -> Result<String, String> {
    let meta = &worker.pod.metadata;
    let spec = worker.spec();
    let listed = |map: Option<&BTreeMap<String, String>>| -> String {
        let lines: Vec<String> = map
            .into_iter()
            .flatten()
            .map(|(key, value)| format!("{key}={}", super::hooks::go_quoted(value)))
            .collect();
        lines.join("\n")
    };
    if let Some((base, key)) = path.strip_suffix("']").and_then(|path| path.split_once("['")) {
        let map = match base {
            "metadata.labels" => meta.labels.as_ref(),
            "metadata.annotations" => meta.annotations.as_ref(),
            _ => return Err(format!("unsupported fieldPath: {path}")),
        };
        return Ok(map.and_then(|map| map.get(key)).cloned().unwrap_or_default());
    }
    Ok(match path {
        "metadata.name" => worker.key.name.to_string(),
        "metadata.namespace" => worker.key.namespace.to_string(),
        "metadata.uid" => worker.uid.to_string(),
        "metadata.labels" => listed(meta.labels.as_ref()),
        "metadata.annotations" => listed(meta.annotations.as_ref()),
        "spec.nodeName" => node.to_owned(),
        "spec.serviceAccountName" => spec.service_account_name.clone().unwrap_or_default(),
        "status.hostIP" | "status.hostIPs" => worker.node_ip.clone(),
        "status.podIP" | "status.podIPs" => address.to_owned(),
        _ => return Err(format!("unsupported fieldPath: {path}")),
    })
}

pub(super) fn resource_field(
    w: &World,
    worker: &Worker,
    container: &core::Container,
    reference: &core::ResourceFieldSelector,
    node: &str,
) -> String {
    let spec = worker.spec();
    let container = match reference.container_name.as_deref() {
        Some(name) => spec
            .containers
            .iter()
            .find(|known| known.name == name)
            .unwrap_or(container),
        None => container,
    };
    let (list, name) = reference
        .resource
        .split_once('.')
        .unwrap_or(("limits", &reference.resource));
    let resources = container.resources.as_ref();
    let amounts = match list {
        "requests" => resources.and_then(|resources| resources.requests.as_ref()),
        _ => resources.and_then(|resources| resources.limits.as_ref()),
    };
    // A limit that is not set is what the node has.
    let of_node = || {
        let status = w.node(node)?.status.as_ref()?;
        status.allocatable.as_ref()?.get(name).cloned()
    };
    let amount = amounts
        .and_then(|amounts| amounts.get(name))
        .cloned()
        .or_else(|| (list == "limits").then(of_node).flatten());
    let milli = amount.as_ref().map_or(0, milli_value);
    let divisor = reference
        .divisor
        .as_ref()
        .map(milli_value)
        .filter(|divisor| *divisor > 0)
        .unwrap_or(1000);
    (milli / divisor + i128::from(milli % divisor > 0)).to_string()
}

fn config_map<'a>(w: &'a World, namespace: &str, name: &str) -> Option<&'a core::ConfigMap> {
    match &w.find(Kind::ConfigMap, namespace, name)?.object {
        Object::ConfigMap(map) => Some(map),
        _ => None,
    }
}

fn secret<'a>(w: &'a World, namespace: &str, name: &str) -> Option<&'a core::Secret> {
    match &w.find(Kind::Secret, namespace, name)?.object {
        Object::Secret(secret) => Some(secret),
        _ => None,
    }
}

/// `$(NAME)` from the environment; what is unknown stays, `$$` is a dollar sign (`third_party/forked/golang/expansion`).
fn expand(text: &str, env: &BTreeMap<&str, &str>) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        expanded.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            expanded.push('$');
            rest = after;
        } else if let Some((name, after)) = rest.strip_prefix('(').and_then(|inner| inner.split_once(')')) {
            match env.get(name) {
                Some(value) => expanded.push_str(value),
                None => {
                    expanded.push_str("$(");
                    expanded.push_str(name);
                    expanded.push(')');
                }
            }
            rest = after;
        } else {
            expanded.push('$');
        }
    }
    expanded.push_str(rest);
    expanded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_expanded_as_the_kubelet_expands_them() {
        let env = BTreeMap::from([("A", "1"), ("B", "2")]);
        for (text, expanded) in [
            ("$(A)-$(B)", "1-2"),
            ("$(C)", "$(C)"),
            ("$$(A)", "$(A)"),
            ("$A", "$A"),
            ("$(A", "$(A"),
            ("$", "$"),
            ("", ""),
        ] {
            assert_eq!(expand(text, &env), expanded, "{text}");
        }
    }
}
