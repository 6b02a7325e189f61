//! The patch strategy of every list and map that has one: which are merged, and by which key. Everything else is
//! replaced as a whole. From the `patchStrategy` and `patchMergeKey` tags in `staging/src/k8s.io/api/*/types.go`.

/// How a field is patched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Strategy {
    /// Whether a list is merged with what is there.
    pub merge: bool,
    /// The field that tells the items of a merged list apart; `None` for a list of plain values.
    pub key: Option<&'static str>,
    /// Whether a patch names the keys that stay, because the object is a union.
    pub retain_keys: bool,
}

/// Whether the kinds of an API group have a schema here. Others are patched as plain JSON.
#[must_use]
pub fn knows(group: &str) -> bool {
    const GROUPS: &[&str] = &[
        "",
        "apps",
        "autoscaling",
        "batch",
        "coordination.k8s.io",
        "discovery.k8s.io",
        "events.k8s.io",
        "networking.k8s.io",
        "policy",
        "rbac.authorization.k8s.io",
        "scheduling.k8s.io",
        "storage.k8s.io",
    ];
    GROUPS.contains(&group)
}

/// The strategy of `field` of an object of `kind`, where `parent` is the field that holds it (empty at the top).
#[must_use]
pub fn strategy(kind: &str, parent: &str, field: &str) -> Strategy {
    let by = |key| Strategy {
        merge: true,
        key: Some(key),
        retain_keys: false,
    };
    let container = matches!(parent, "containers" | "initContainers" | "ephemeralContainers");
    match field {
        "containers" | "initContainers" | "ephemeralContainers" | "imagePullSecrets" | "schedulingGates"
            if parent == "spec" || kind == "ServiceAccount" =>
        {
            by("name")
        }
        "volumes" | "resourceClaims" if parent == "spec" => Strategy {
            retain_keys: true,
            ..by("name")
        },
        "env" if container => by("name"),
        "ports" if container => by("containerPort"),
        "ports" if kind == "Service" && parent == "spec" => by("port"),
        "volumeMounts" if container => by("mountPath"),
        "volumeDevices" if container => by("devicePath"),
        "hostAliases" => by("ip"),
        "podIPs" | "hostIPs" => by("ip"),
        "topologySpreadConstraints" => by("topologyKey"),
        "conditions" if parent == "status" => by("type"),
        "addresses" if kind == "Node" => by("type"),
        "secrets" if kind == "ServiceAccount" => by("name"),
        "ownerReferences" => by("uid"),
        "finalizers" | "podCIDRs" => Strategy {
            merge: true,
            key: None,
            retain_keys: false,
        },
        "strategy" if kind == "Deployment" && parent == "spec" => Strategy {
            merge: false,
            key: None,
            retain_keys: true,
        },
        _ => Strategy::default(),
    }
}
