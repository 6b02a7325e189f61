//! Go's names for the types of fields that are text or lists of text with a type of their own: error messages name them
//! (`staging/src/k8s.io/api/core/v1/types.go`).

/// The Go type of a field of a struct, if it has a name of its own; of an item of it if `inside`.
pub(super) fn named(owner: &str, field: &str, inside: bool) -> Option<&'static str> {
    let (_, _, name) = TYPES
        .iter()
        .find(|(known, name, _)| *known == owner && *name == field)?;
    match (name.strip_prefix("[]"), inside) {
        (Some(item), true) => Some(item),
        (_, false) => Some(name),
        (None, true) => None,
    }
}

const TYPES: &[(&str, &str, &str)] = &[
    ("AppArmorProfile", "type", "v1.AppArmorProfileType"),
    ("Capabilities", "add", "[]v1.Capability"),
    ("Capabilities", "drop", "[]v1.Capability"),
    ("Container", "imagePullPolicy", "v1.PullPolicy"),
    ("Container", "restartPolicy", "v1.ContainerRestartPolicy"),
    ("Container", "terminationMessagePolicy", "v1.TerminationMessagePolicy"),
    ("ContainerPort", "protocol", "v1.Protocol"),
    ("ContainerResizePolicy", "resourceName", "v1.ResourceName"),
    (
        "ContainerResizePolicy",
        "restartPolicy",
        "v1.ResourceResizeRestartPolicy",
    ),
    ("ContainerRestartRule", "action", "v1.ContainerRestartRuleAction"),
    (
        "ContainerRestartRuleOnExitCodes",
        "operator",
        "v1.ContainerRestartRuleOnExitCodesOperator",
    ),
    ("CronJobSpec", "concurrencyPolicy", "v1.ConcurrencyPolicy"),
    ("DaemonSetUpdateStrategy", "type", "v1.DaemonSetUpdateStrategyType"),
    ("DeploymentStrategy", "type", "v1.DeploymentStrategyType"),
    ("EmptyDirVolumeSource", "medium", "v1.StorageMedium"),
    ("HTTPGetAction", "scheme", "v1.URIScheme"),
    ("HostPathVolumeSource", "type", "v1.HostPathType"),
    ("ImageVolumeSource", "pullPolicy", "v1.PullPolicy"),
    ("JobSpec", "completionMode", "v1.CompletionMode"),
    ("JobSpec", "podReplacementPolicy", "v1.PodReplacementPolicy"),
    ("LabelSelectorRequirement", "operator", "v1.LabelSelectorOperator"),
    ("Lifecycle", "stopSignal", "v1.Signal"),
    ("NodeSelectorRequirement", "operator", "v1.NodeSelectorOperator"),
    ("ObjectMeta", "uid", "types.UID"),
    ("OwnerReference", "uid", "types.UID"),
    (
        "PersistentVolumeClaimSpec",
        "accessModes",
        "[]v1.PersistentVolumeAccessMode",
    ),
    ("PersistentVolumeClaimSpec", "volumeMode", "v1.PersistentVolumeMode"),
    ("PersistentVolumeSpec", "accessModes", "[]v1.PersistentVolumeAccessMode"),
    ("PodFailurePolicyRule", "action", "v1.PodFailurePolicyAction"),
    ("PodOS", "name", "v1.OSName"),
    ("PodReadinessGate", "conditionType", "v1.PodConditionType"),
    ("PodSecurityContext", "fsGroupChangePolicy", "v1.PodFSGroupChangePolicy"),
    (
        "PodSecurityContext",
        "supplementalGroupsPolicy",
        "v1.SupplementalGroupsPolicy",
    ),
    ("PodSpec", "dnsPolicy", "v1.DNSPolicy"),
    ("PodSpec", "overhead", "v1.ResourceList"),
    ("PodSpec", "preemptionPolicy", "v1.PreemptionPolicy"),
    ("PodSpec", "restartPolicy", "v1.RestartPolicy"),
    ("PodStatus", "phase", "v1.PodPhase"),
    ("ResourceQuotaSpec", "hard", "v1.ResourceList"),
    ("ResourceRequirements", "limits", "v1.ResourceList"),
    ("ResourceRequirements", "requests", "v1.ResourceList"),
    ("SeccompProfile", "type", "v1.SeccompProfileType"),
    ("Secret", "type", "v1.SecretType"),
    ("SecurityContext", "procMount", "v1.ProcMountType"),
    ("ServicePort", "protocol", "v1.Protocol"),
    (
        "ServiceSpec",
        "externalTrafficPolicy",
        "v1.ServiceExternalTrafficPolicy",
    ),
    (
        "ServiceSpec",
        "internalTrafficPolicy",
        "v1.ServiceInternalTrafficPolicy",
    ),
    ("ServiceSpec", "sessionAffinity", "v1.ServiceAffinity"),
    ("ServiceSpec", "type", "v1.ServiceType"),
    ("StatefulSetSpec", "podManagementPolicy", "v1.PodManagementPolicyType"),
    ("StatefulSetUpdateStrategy", "type", "v1.StatefulSetUpdateStrategyType"),
    ("Taint", "effect", "v1.TaintEffect"),
    ("Toleration", "effect", "v1.TaintEffect"),
    ("Toleration", "operator", "v1.TolerationOperator"),
    (
        "TopologySpreadConstraint",
        "nodeAffinityPolicy",
        "v1.NodeInclusionPolicy",
    ),
    ("TopologySpreadConstraint", "nodeTaintsPolicy", "v1.NodeInclusionPolicy"),
    (
        "TopologySpreadConstraint",
        "whenUnsatisfiable",
        "v1.UnsatisfiableConstraintAction",
    ),
    ("VolumeMount", "mountPropagation", "v1.MountPropagationMode"),
    ("VolumeMount", "recursiveReadOnly", "v1.RecursiveReadOnlyMode"),
    ("VolumeResourceRequirements", "limits", "v1.ResourceList"),
    ("VolumeResourceRequirements", "requests", "v1.ResourceList"),
];
