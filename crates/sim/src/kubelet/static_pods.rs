//! From a file on a node to the pod that its kubelet runs without asking anybody (`pkg/kubelet/config/common.go`).

use crate::core;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::apiserver::{decode_object, defaults, validation};
use crate::manifest;
use crate::objects::{Kind, Object};
use crate::version::{Gate, Profile};

/// Annotation with the hash of the file; it is the pod's uid too.
pub const HASH: &str = "kubernetes.io/config.hash";
/// Annotation that says where a pod of the kubelet comes from.
pub const SOURCE: &str = "kubernetes.io/config.source";
/// Annotation with the instant at which the kubelet saw the file first.
pub const SEEN: &str = "kubernetes.io/config.seen";
/// Annotation of a mirror pod: the hash of the pod that it mirrors.
pub const MIRROR: &str = "kubernetes.io/config.mirror";

/// The annotation of a pod.
pub fn annotation<'a>(pod: &'a core::Pod, name: &str) -> Option<&'a str> {
    pod.metadata.annotations.as_ref()?.get(name).map(String::as_str)
}

/// Whether a pod of the API only mirrors one that a kubelet runs by itself (`IsMirrorPod`).
pub fn is_mirror(pod: &core::Pod) -> bool {
    annotation(pod, MIRROR).is_some()
}

/// Whether a pod comes from a file on the node or a URL, not from the API (`IsStaticPod`).
pub fn is_static(pod: &core::Pod) -> bool {
    annotation(pod, SOURCE).is_some_and(|source| source != "api")
}

/// The least priority of pods that the kubelet protects (`scheduling.SystemCriticalPriority`).
pub const SYSTEM_CRITICAL: i32 = 2_000_000_000;

/// Whether the node needs this pod: it is static, a mirror, or of a system priority (`pkg/kubelet/types IsCriticalPod`).
/// The kubelet does not evict such a pod, and makes room for it.
pub fn is_critical(pod: &core::Pod) -> bool {
    is_static(pod)
        || is_mirror(pod)
        || pod
            .spec
            .as_ref()
            .and_then(|spec| spec.priority)
            .is_some_and(|priority| priority >= SYSTEM_CRITICAL)
}

/// Where a static pod comes from.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// Path of the file, or the URL.
    pub source: &'a str,
    /// Whether it is a file.
    pub is_file: bool,
    /// Name of the node.
    pub node: &'a str,
    /// What the kubelet's version allows: before `PreventStaticPodAPIReferences` a static pod may name objects of the API.
    pub version: Profile,
}

/// The pod of a manifest (`tryDecodeSinglePod`): defaults, a name of its own on each node, the node's name, the hash as its
/// uid. Of a file with several documents the first counts.
///
/// # Errors
/// The kubelet's words for a manifest that it does not run.
pub fn decode(text: &str, origin: Origin<'_>) -> Result<core::Pod, String> {
    let unreadable = |why: &str| {
        let source = origin.source;
        format!("{source}: couldn't parse as pod({why}), please check config file")
    };
    let documents = manifest::read(text).map_err(|problems| {
        let problem = problems.first().map(|problem| problem.message.clone());
        unreadable(&problem.unwrap_or_default())
    })?;
    let Some(document) = documents.first() else {
        return Err(unreadable("Object 'Kind' is missing in 'null'"));
    };
    if document.kind().is_empty() {
        let why = format!("Object 'Kind' is missing in '{}'", document.value);
        return Err(unreadable(&why));
    }
    if document.known_kind() != Some(Kind::Pod) {
        let (kind, version) = (document.kind(), document.api_version());
        return Err(unreadable(&format!("invalid pod: it is a {kind} of {version}")));
    }
    let (object, flaws) = decode_object(Kind::Pod, &document.value);
    let Some(mut object) = object else {
        let why = flaws.first().map(|flaw| flaw.message.clone()).unwrap_or_default();
        return Err(unreadable(&why));
    };
    if object.name().is_empty() {
        return Err("invalid pod: name is needed for the pod".to_owned());
    }
    defaults::default(origin.version, &mut object);
    let Object::Pod(mut pod) = object else {
        return Err(unreadable("invalid pod"));
    };
    apply_defaults(&mut pod, origin);
    let object = Object::Pod(pod);
    let errors = validation::create(origin.version, &object).list;
    if !errors.is_empty() {
        let said: Vec<String> = errors.iter().map(ToString::to_string).collect();
        return Err(format!("invalid pod: [{}]", said.join(" ")));
    }
    let Object::Pod(pod) = object else {
        return Err(unreadable("invalid pod"));
    };
    match api_reference(&pod) {
        Some(kind) if origin.version.enabled(Gate::PreventStaticPodAPIReferences) => {
            Err(format!("static pods may not reference {kind}"))
        }
        _ => Ok(pod),
    }
}

/// `applyDefaults`.
fn apply_defaults(pod: &mut core::Pod, origin: Origin<'_>) {
    let uid = pod.metadata.uid.clone().unwrap_or_default();
    let uid = if uid.is_empty() { hash(pod, origin) } else { uid };
    let meta: &mut ObjectMeta = &mut pod.metadata;
    let name = meta.name.take().unwrap_or_default();
    meta.name = Some(format!("{name}-{}", origin.node.to_lowercase()));
    if meta.namespace.as_deref().unwrap_or_default().is_empty() {
        meta.namespace = Some("default".to_owned());
    }
    let annotations = meta.annotations.get_or_insert_default();
    annotations.insert(HASH.to_owned(), uid.clone());
    meta.uid = Some(uid);
    let spec = pod.spec.get_or_insert_default();
    spec.node_name = Some(origin.node.to_owned());
    if origin.is_file {
        // So that taints of a sick node do not evict it.
        let stays = core::Toleration {
            operator: Some("Exists".to_owned()),
            effect: Some("NoExecute".to_owned()),
            ..Default::default()
        };
        let tolerations = spec.tolerations.get_or_insert_default();
        if !tolerations.contains(&stays) {
            tolerations.push(stays);
        }
    }
    let status = core::PodStatus {
        phase: Some("Pending".to_owned()),
        ..Default::default()
    };
    pod.status = Some(status.into());
}

/// The uid of a pod whose manifest gives none: any other content, node or path makes another. The real one hashes a dump of
/// Go's own types; which number comes out means nothing to anybody.
fn hash(pod: &core::Pod, origin: Origin<'_>) -> String {
    let mut hash = Fnv128a::default();
    hash.write(&serde_json::to_vec(pod).unwrap_or_default());
    let place = if origin.is_file {
        format!("host:{}file:{}", origin.node, origin.source)
    } else {
        format!("url:{}", origin.source)
    };
    hash.write(place.as_bytes());
    format!("{:032x}", hash.0)
}

struct Fnv128a(u128);

impl Default for Fnv128a {
    fn default() -> Self {
        Self(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d)
    }
}

impl Fnv128a {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u128::from(*byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
        }
    }
}

/// What of the API a pod's spec names, if anything (`pkg/api/pod/util.go HasAPIObjectReference`): a node must be able to run
/// its static pods without the API.
fn api_reference(pod: &core::Pod) -> Option<&'static str> {
    let spec = pod.spec.as_ref()?;
    let named = |name: &Option<String>| name.as_deref().is_some_and(|name| !name.is_empty());
    if named(&spec.service_account_name) || named(&spec.service_account) {
        return Some("serviceaccounts");
    }
    let environment = environment(spec);
    let volumes = spec.volumes.as_deref().unwrap_or_default();
    if spec
        .image_pull_secrets
        .as_ref()
        .is_some_and(|secrets| !secrets.is_empty())
        || environment.0
        || volumes.iter().any(names_secret)
    {
        return Some("secrets");
    }
    let projects = |volume: &core::Volume, which: fn(&core::VolumeProjection) -> bool| {
        volume
            .projected
            .iter()
            .flat_map(|projected| projected.sources.iter().flatten())
            .any(which)
    };
    if environment.1
        || volumes
            .iter()
            .any(|volume| volume.config_map.is_some() || projects(volume, |source| source.config_map.is_some()))
    {
        return Some("configmaps");
    }
    if spec.resource_claims.as_ref().is_some_and(|claims| !claims.is_empty()) {
        return Some("resourceclaims");
    }
    volumes.iter().find_map(|volume| {
        let by_kind = [
            (volume.csi.is_some(), "csidrivers (via CSI volumes)"),
            (volume.glusterfs.is_some(), "endpoints (via glusterFS volumes)"),
            (volume.persistent_volume_claim.is_some(), "persistentvolumeclaims"),
            (
                volume.ephemeral.is_some(),
                "persistentvolumeclaims (via ephemeral volumes)",
            ),
            (volume.azure_file.is_some(), "secrets (via azureFile volumes)"),
            (
                projects(volume, |source| source.service_account_token.is_some()),
                "serviceaccounts (via projected volumes)",
            ),
            (
                projects(volume, |source| source.cluster_trust_bundle.is_some()),
                "clustertrustbundles",
            ),
            (
                projects(volume, |source| source.pod_certificate.is_some()),
                "podcertificates",
            ),
        ];
        by_kind.into_iter().find(|(is, _)| *is).map(|(_, kind)| kind)
    })
}

/// Whether the environment of some container comes from a secret, and whether from a ConfigMap.
fn environment(spec: &core::PodSpec) -> (bool, bool) {
    let containers = spec.init_containers.iter().flatten().chain(&spec.containers);
    let (mut secrets, mut config_maps) = (false, false);
    for container in containers {
        for from in container.env_from.iter().flatten() {
            secrets |= from.secret_ref.is_some();
            config_maps |= from.config_map_ref.is_some();
        }
        for from in container
            .env
            .iter()
            .flatten()
            .filter_map(|variable| variable.value_from.as_ref())
        {
            secrets |= from.secret_key_ref.is_some();
            config_maps |= from.config_map_key_ref.is_some();
        }
    }
    (secrets, config_maps)
}

/// Whether a volume names a secret (`VisitPodSecretNames`).
fn names_secret(volume: &core::Volume) -> bool {
    volume.secret.is_some()
        || volume.azure_file.is_some()
        || volume.cephfs.as_ref().is_some_and(|source| source.secret_ref.is_some())
        || volume.cinder.as_ref().is_some_and(|source| source.secret_ref.is_some())
        || volume
            .flex_volume
            .as_ref()
            .is_some_and(|source| source.secret_ref.is_some())
        || volume.rbd.as_ref().is_some_and(|source| source.secret_ref.is_some())
        || volume.scale_io.is_some()
        || volume.iscsi.as_ref().is_some_and(|source| source.secret_ref.is_some())
        || volume
            .storageos
            .as_ref()
            .is_some_and(|source| source.secret_ref.is_some())
        || volume
            .csi
            .as_ref()
            .is_some_and(|source| source.node_publish_secret_ref.is_some())
        || volume
            .projected
            .iter()
            .flat_map(|projected| projected.sources.iter().flatten())
            .any(|source| source.secret.is_some())
}
