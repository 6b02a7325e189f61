//! What the registry of each kind does to an object before it is stored: status, generation, generated selectors and
//! addresses (`pkg/registry/*/*/strategy.go`).

use std::collections::BTreeMap;

use k8s_openapi::api::{apps::v1 as apps, batch::v1 as batch, core::v1 as core, policy::v1 as policy};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use crate::apiserver::{admission, gated};
use crate::kubelet::qos::qos_class;
use crate::objects::{Kind, Object};
use crate::version::{Change, Profile};
use crate::world::World;

/// The annotation and the pod label by which DaemonSets counted their templates before there were revisions.
const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";

/// Kinds whose objects count the changes of their spec.
pub(crate) fn has_generation(version: Profile, kind: Kind) -> bool {
    if kind == Kind::Pod {
        return version.has(Change::PodGeneration);
    }
    matches!(
        kind,
        Kind::Deployment
            | Kind::ReplicaSet
            | Kind::StatefulSet
            | Kind::DaemonSet
            | Kind::ReplicationController
            | Kind::Job
            | Kind::CronJob
            | Kind::PodDisruptionBudget
            | Kind::Ingress
            | Kind::IngressClass
            | Kind::NetworkPolicy
            | Kind::EndpointSlice
            | Kind::PriorityClass
    )
}

/// Drops what the version does not take, and says so: the real API server is silent about it.
fn drop_disabled(w: &mut World, old: Option<&Object>, new: &mut Object) {
    if let Some(before) = gated::drop_disabled(w.version, old, new) {
        super::notices::dropped(w, &before, new);
    }
}

/// `PrepareForCreate`
pub(crate) fn prepare_for_create(w: &mut World, object: &mut Object) {
    drop_disabled(w, None, object);
    if has_generation(w.version, object.kind()) {
        object.meta_mut().generation = Some(1);
    }
    match object {
        Object::Pod(pod) => {
            let phase = Some("Pending".to_owned());
            let mut status = core::PodStatus {
                phase,
                qos_class: Some(qos_class(pod).to_owned()),
                ..Default::default()
            };
            let gated = pod.spec.as_ref().and_then(|spec| spec.scheduling_gates.as_ref());
            if gated.is_some_and(|gates| !gates.is_empty()) {
                status.conditions = Some(vec![core::PodCondition {
                    type_: "PodScheduled".to_owned(),
                    status: "False".to_owned(),
                    reason: Some("SchedulingGated".to_owned()),
                    message: Some("Scheduling is blocked due to non-empty scheduling gates".to_owned()),
                    last_transition_time: Some(w.time()),
                    ..Default::default()
                }]);
            }
            pod.status = Some(status.into());
            // A negative grace is one second.
            if let Some(grace) = pod
                .spec
                .as_mut()
                .and_then(|spec| spec.termination_grace_period_seconds.as_mut())
            {
                *grace = if *grace < 0 { 1 } else { *grace };
            }
        }
        Object::Node(node) => {
            let status = node.status.get_or_insert_default();
            let endpoints = status.daemon_endpoints.get_or_insert_default();
            endpoints.kubelet_endpoint.get_or_insert_default();
            status.node_info.get_or_insert_default();
        }
        Object::Namespace(namespace) => {
            namespace.status = Some(core::NamespaceStatus {
                phase: Some("Active".to_owned()),
                conditions: None,
            });
            let finalizers = namespace
                .spec
                .get_or_insert_default()
                .finalizers
                .get_or_insert_default();
            if !finalizers.iter().any(|finalizer| finalizer == "kubernetes") {
                finalizers.push("kubernetes".to_owned());
            }
        }
        Object::Deployment(deployment) => deployment.status = Some(apps::DeploymentStatus::default()),
        Object::ReplicaSet(set) => set.status = Some(apps::ReplicaSetStatus::default()),
        Object::ReplicationController(controller) => {
            controller.status = Some(core::ReplicationControllerStatus::default());
        }
        Object::StatefulSet(set) => {
            set.status = Some(apps::StatefulSetStatus {
                available_replicas: Some(0),
                ..Default::default()
            });
        }
        Object::DaemonSet(set) => {
            set.status = Some(apps::DaemonSetStatus::default());
            let annotations = set.metadata.annotations.get_or_insert_default();
            annotations.insert(TEMPLATE_GENERATION.to_owned(), "1".to_owned());
        }
        Object::Job(job) => {
            job.status = Some(batch::JobStatus::default());
            generate_selector(job);
        }
        Object::CronJob(job) => job.status = Some(batch::CronJobStatus::default()),
        Object::PodDisruptionBudget(budget) => {
            budget.status = Some(policy::PodDisruptionBudgetStatus {
                current_healthy: Some(0),
                desired_healthy: Some(0),
                disruptions_allowed: Some(0),
                expected_pods: Some(0),
                ..Default::default()
            });
        }
        Object::Service(service) => {
            service.status = Some(core::ServiceStatus {
                load_balancer: Some(core::LoadBalancerStatus::default()),
                conditions: None,
            });
            allocate(w, service, None);
        }
        Object::ResourceQuota(quota) => quota.status = Some(core::ResourceQuotaStatus::default()),
        Object::HorizontalPodAutoscaler(autoscaler) => autoscaler.status = Some(Default::default()),
        _ => {}
    }
}

/// `jobStrategy.generateSelector`: unless the selector is chosen by hand, the Job's uid.
fn generate_selector(job: &mut batch::Job) {
    let (uid, name) = (
        job.metadata.uid.clone().unwrap_or_default(),
        job.metadata.name.clone().unwrap_or_default(),
    );
    let Some(spec) = &mut job.spec else { return };
    if spec.manual_selector == Some(true) {
        return;
    }
    let labels = spec
        .template
        .metadata
        .get_or_insert_default()
        .labels
        .get_or_insert_default();
    for (key, value) in [
        ("batch.kubernetes.io/controller-uid", &uid),
        ("batch.kubernetes.io/job-name", &name),
        ("controller-uid", &uid),
        ("job-name", &name),
    ] {
        labels.entry(key.to_owned()).or_insert_with(|| value.clone());
    }
    let selector = spec.selector.get_or_insert_with(LabelSelector::default);
    selector
        .match_labels
        .get_or_insert_default()
        .entry("batch.kubernetes.io/controller-uid".to_owned())
        .or_insert(uid);
}

/// What a new object is shown with once it has been read back: a Job without labels has those of its pods
/// (`SetDefaults_Job`, which runs again at each reading).
pub(crate) fn as_read(object: &mut Object) {
    if let Object::Job(job) = object
        && job.metadata.labels.is_none()
    {
        let template = job.spec.as_ref().and_then(|spec| spec.template.metadata.as_ref());
        job.metadata.labels = template.and_then(|meta| meta.labels.clone());
    }
}

/// `PrepareForUpdate` of the main resource: the status stays what it was, and the generation counts a changed spec.
pub(crate) fn prepare_for_update(w: &mut World, old: &Object, new: &mut Object) {
    copy_status(old, new);
    drop_disabled(w, Some(old), new);
    match (old, &mut *new) {
        (Object::Pod(_), Object::Pod(new)) => admission::default_tolerations(new),
        (Object::DaemonSet(old), Object::DaemonSet(new)) => {
            let template = |set: &apps::DaemonSet| set.spec.as_ref().map(|spec| spec.template.clone());
            let count = |set: &apps::DaemonSet| -> i64 {
                let annotation = set
                    .metadata
                    .annotations
                    .as_ref()
                    .and_then(|map| map.get(TEMPLATE_GENERATION));
                annotation.and_then(|count| count.parse().ok()).unwrap_or(1)
            };
            let count = count(old) + i64::from(template(old) != template(new));
            let annotations = new.metadata.annotations.get_or_insert_default();
            annotations.insert(TEMPLATE_GENERATION.to_owned(), count.to_string());
        }
        (Object::Service(old), Object::Service(new)) => {
            drop_what_the_type_has_not(old, new);
            let balanced = |service: &core::Service| {
                service
                    .spec
                    .as_ref()
                    .is_some_and(|spec| spec.type_.as_deref() == Some("LoadBalancer"))
            };
            if balanced(old) && !balanced(new) {
                new.status.get_or_insert_default().load_balancer = Some(core::LoadBalancerStatus::default());
            }
            keep_addresses(old, new);
            allocate(w, new, Some(old));
        }
        (Object::Deployment(old), Object::Deployment(new)) if old.metadata.annotations != new.metadata.annotations => {
            // Annotations count as well, unless they come with the status, as the controller writes them.
            new.metadata.generation = Some(old.metadata.generation.unwrap_or(0) + 1);
        }
        (Object::Secret(old), Object::Secret(new)) if new.type_.is_none() => new.type_.clone_from(&old.type_),
        (Object::Job(old), Object::Job(new)) => {
            // The generated selector and labels are filled in for a manifest that never had them.
            if let (Some(old), Some(spec)) = (&old.spec, &mut new.spec) {
                if spec.selector.is_none() {
                    spec.selector.clone_from(&old.selector);
                }
                if spec.completions.is_none() && spec.parallelism.is_none() {
                    spec.completions = old.completions;
                }
            }
        }
        (Object::Namespace(old), Object::Namespace(new)) => new.spec.clone_from(&old.spec),
        _ => {}
    }
}

/// Whether objects of a kind have a status that is written by itself.
pub(crate) fn has_status(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Pod
            | Kind::Node
            | Kind::Namespace
            | Kind::Service
            | Kind::Deployment
            | Kind::ReplicaSet
            | Kind::ReplicationController
            | Kind::StatefulSet
            | Kind::DaemonSet
            | Kind::Job
            | Kind::CronJob
            | Kind::PersistentVolume
            | Kind::PersistentVolumeClaim
            | Kind::HorizontalPodAutoscaler
            | Kind::Ingress
            | Kind::PodDisruptionBudget
            | Kind::ResourceQuota
    )
}

/// Gives the new object the old one's status.
fn copy_status(old: &Object, new: &mut Object) {
    macro_rules! each {
        ($($kind:ident)*) => {
            match (old, new) {
                $((Object::$kind(old), Object::$kind(new)) => new.status.clone_from(&old.status),)*
                _ => {}
            }
        };
    }
    each!(Pod Node Namespace Service Deployment ReplicaSet ReplicationController StatefulSet DaemonSet Job CronJob
        PersistentVolume PersistentVolumeClaim HorizontalPodAutoscaler Ingress PodDisruptionBudget ResourceQuota);
}

/// A write to `/status` changes the status and nothing else but the metadata that controllers may write.
pub(crate) fn with_status_of(current: &Object, new: &Object) -> Option<Object> {
    macro_rules! each {
        ($($kind:ident)*) => {
            match (current.clone(), new) {
                $((Object::$kind(mut object), Object::$kind(new)) => {
                    object.status.clone_from(&new.status);
                    Some(Object::from(object))
                })*
                _ => None,
            }
        };
    }
    each!(Pod Node Namespace Service Deployment ReplicaSet ReplicationController StatefulSet DaemonSet Job CronJob
        PersistentVolume PersistentVolumeClaim HorizontalPodAutoscaler Ingress PodDisruptionBudget ResourceQuota)
}

/// Whether the part that a generation counts differs. That a pod got its node is no change of its spec.
pub(crate) fn counts_as_change(old: &Object, new: &Object) -> bool {
    macro_rules! specs {
        ($($kind:ident)*) => {
            match (old, new) {
                $((Object::$kind(old), Object::$kind(new)) => old.spec != new.spec,)*
                _ => false,
            }
        };
    }
    match (old, new) {
        (Object::EndpointSlice(old), Object::EndpointSlice(new)) => {
            old.endpoints != new.endpoints || old.ports != new.ports || old.metadata.labels != new.metadata.labels
        }
        (Object::Pod(old), Object::Pod(new)) => match (&old.spec, &new.spec) {
            (Some(old), Some(new)) if old.node_name != new.node_name => {
                let mut moved = old.clone();
                moved.node_name.clone_from(&new.node_name);
                moved != *new
            }
            (old, new) => old != new,
        },
        _ => {
            specs!(Deployment ReplicaSet StatefulSet DaemonSet ReplicationController Job CronJob PodDisruptionBudget Ingress
            IngressClass NetworkPolicy)
        }
    }
}

/// `dropTypeDependentFields`: what the old type had and the new one has not goes, if the update did not touch it.
fn drop_what_the_type_has_not(old: &core::Service, new: &mut core::Service) {
    let (Some(old), Some(new)) = (&old.spec, &mut new.spec) else {
        return;
    };
    if old.cluster_ip != new.cluster_ip
        && old.cluster_ips == new.cluster_ips
        && let Some(ip) = new.cluster_ip.clone().filter(|ip| !ip.is_empty())
    {
        // Who writes the one address means the list as well.
        new.cluster_ips = Some(vec![ip]);
    }
    if uses_node_ports(old) && !uses_node_ports(new) && old.external_traffic_policy == new.external_traffic_policy {
        new.external_traffic_policy = None;
    }
    if new.type_.as_deref() == Some("ExternalName") && old.internal_traffic_policy == new.internal_traffic_policy {
        new.internal_traffic_policy = None;
    }
    if old.type_.as_deref() == Some("LoadBalancer") && new.type_.as_deref() != Some("LoadBalancer") {
        new.allocate_load_balancer_node_ports = None;
    }
}

/// What cannot be allocated of the addresses that a new Service asks for: the field, the value, and why.
pub(crate) fn refused_addresses(w: &World, service: &core::Service) -> Option<(String, String, String)> {
    let spec = service.spec.as_ref()?;
    let own = service.metadata.uid.as_deref();
    let others = || {
        w.store
            .list(Kind::Service, None)
            .filter_map(|stored| match &stored.object {
                Object::Service(service) if service.metadata.uid.as_deref() != own => service.spec.as_ref(),
                _ => None,
            })
    };
    if let Some(ip) = spec.cluster_ip.as_deref().filter(|ip| !matches!(*ip, "" | "None")) {
        let octets: Vec<u8> = ip.split('.').filter_map(|part| part.parse().ok()).collect();
        let in_range = matches!(octets.as_slice(), [10, second, _, _] if (96..112).contains(second));
        let why = if !in_range {
            Some("the provided network does not match the current range")
        } else if others().any(|spec| spec.cluster_ip.as_deref() == Some(ip)) {
            Some("provided IP is already allocated")
        } else {
            None
        };
        if let Some(why) = why {
            let value = super::field::shown(&[ip]);
            return Some((
                "spec.clusterIPs".to_owned(),
                value,
                format!("failed to allocate IP {ip}: {why}"),
            ));
        }
    }
    for (index, port) in spec.ports.iter().flatten().enumerate() {
        let Some(node_port) = port.node_port.filter(|node_port| *node_port != 0) else {
            continue;
        };
        let taken = || {
            others()
                .flat_map(|spec| spec.ports.iter().flatten())
                .any(|other| other.node_port == Some(node_port) && other.protocol == port.protocol)
        };
        let why = if !(30_000..=32_767).contains(&node_port) {
            "provided port is not in the valid range. The range of valid ports is 30000-32767"
        } else if taken() {
            "provided port is already allocated"
        } else {
            continue;
        };
        return Some((
            format!("spec.ports[{index}].nodePort"),
            node_port.to_string(),
            why.to_owned(),
        ));
    }
    None
}

/// An update that leaves the addresses out keeps them (`patchAllocatedValues`).
fn keep_addresses(old: &core::Service, new: &mut core::Service) {
    let (Some(old), Some(new)) = (&old.spec, &mut new.spec) else {
        return;
    };
    let has_cluster_ip = |spec: &core::ServiceSpec| spec.type_.as_deref() != Some("ExternalName");
    if has_cluster_ip(old) && has_cluster_ip(new) {
        if new.cluster_ip.as_deref().unwrap_or_default().is_empty() {
            new.cluster_ip.clone_from(&old.cluster_ip);
        }
        if new.cluster_ips.as_ref().is_none_or(Vec::is_empty) {
            new.cluster_ips.clone_from(&old.cluster_ips);
        }
        if new.ip_families.is_none() {
            new.ip_families.clone_from(&old.ip_families);
        }
        if new.ip_family_policy.is_none() {
            new.ip_family_policy.clone_from(&old.ip_family_policy);
        }
    }
    if uses_node_ports(old) && uses_node_ports(new) {
        let mut taken: BTreeMap<(Option<String>, i32), i32> = BTreeMap::new();
        for port in old.ports.iter().flatten() {
            if let Some(node_port) = port.node_port {
                taken.insert((port.protocol.clone(), port.port), node_port);
            }
        }
        for port in new.ports.iter_mut().flatten() {
            if port.node_port.is_none_or(|node_port| node_port == 0) {
                port.node_port = taken.get(&(port.protocol.clone(), port.port)).copied();
            }
        }
    }
    if new.health_check_node_port.is_none() {
        new.health_check_node_port = old.health_check_node_port;
    }
}

fn uses_node_ports(spec: &core::ServiceSpec) -> bool {
    matches!(spec.type_.as_deref(), Some("NodePort" | "LoadBalancer"))
}

/// Cluster addresses come from 10.96.0.0/12 and node ports from 30000–32767, as with `kubeadm`.
fn allocate(w: &mut World, service: &mut core::Service, old: Option<&core::Service>) {
    let Some(spec) = &mut service.spec else { return };
    if spec.type_.as_deref() == Some("ExternalName") {
        spec.cluster_ip = None;
        spec.cluster_ips = None;
        spec.ip_families = None;
        spec.ip_family_policy = None;
    } else {
        match spec.cluster_ip.clone().unwrap_or_default().as_str() {
            // That a list comes without its first is for validation to say.
            "" if spec.cluster_ips.as_ref().is_some_and(|list| !list.is_empty()) => {}
            "" => {
                let ip = free_cluster_ip(w);
                spec.cluster_ip = Some(ip.clone());
                spec.cluster_ips = Some(vec![ip]);
            }
            given => {
                let given = given.to_owned();
                spec.cluster_ips.get_or_insert_with(|| vec![given]);
            }
        }
        spec.ip_families.get_or_insert_with(|| vec!["IPv4".to_owned()]);
        spec.ip_family_policy.get_or_insert_with(|| "SingleStack".to_owned());
    }
    if uses_node_ports(spec) && spec.allocate_load_balancer_node_ports != Some(false) {
        let mut own: Vec<i32> = spec.ports.iter().flatten().filter_map(|port| port.node_port).collect();
        for port in spec.ports.iter_mut().flatten() {
            if port.node_port.is_none_or(|node_port| node_port == 0) {
                let free = free_node_port(w, &own);
                own.push(free);
                port.node_port = Some(free);
            }
        }
    } else if old.and_then(|old| old.spec.as_ref()).is_some_and(uses_node_ports) && !uses_node_ports(spec) {
        for port in spec.ports.iter_mut().flatten() {
            port.node_port = None;
        }
    }
}

fn services(w: &World) -> impl Iterator<Item = &core::ServiceSpec> {
    w.store
        .list(Kind::Service, None)
        .filter_map(|stored| match &stored.object {
            Object::Service(service) => service.spec.as_ref(),
            _ => None,
        })
}

fn free_cluster_ip(w: &mut World) -> String {
    // The range has a million addresses; a few thousand Services leave nearly every draw free.
    for _ in 0..1000 {
        let number = w.rng.below(1 << 20);
        let ip = format!("10.{}.{}.{}", 96 + (number >> 16), number >> 8 & 255, number & 255);
        let free = number & 255 != 0 && number & 255 != 255;
        if free && !services(w).any(|spec| spec.cluster_ip.as_deref() == Some(&ip)) {
            return ip;
        }
    }
    "10.111.255.254".to_owned()
}

fn free_node_port(w: &mut World, own: &[i32]) -> i32 {
    let taken: Vec<i32> = services(w)
        .flat_map(|spec| spec.ports.iter().flatten())
        .filter_map(|port| port.node_port)
        .chain(own.iter().copied())
        .collect();
    let drawn = 30_000 + i32::try_from(w.rng.below(2768)).unwrap_or(0);
    // The next free one from there on.
    (0..2768)
        .map(|step| 30_000 + (drawn - 30_000 + step) % 2768)
        .find(|port| !taken.contains(port))
        .unwrap_or(drawn)
}
