//! What of an object's spec has an effect in the simulation: a list of fields by type. What is not in it is named in the run's
//! notices when it is set, so that nothing is ignored in silence. The tests of [`super::notices`] hold the list against the
//! types of the API, and every entry against an example in which the field makes a difference.

/// How a field is treated.
#[derive(Clone, Copy, Debug)]
pub(super) enum Treated {
    /// It and all below it has an effect, by the code that is named.
    By(#[allow(dead_code, reason = "for the reader, and for the test that it is there")] &'static str),
    /// It holds an object, or a list of objects, of the type that is named.
    Fields(&'static str),
    /// Nothing acts on it. These values are what an object has that does not set it, or they ask for what happens anyway.
    Only(&'static [&'static str]),
}

use Treated::{By, Fields, Only};

/// The fields of a type.
pub(super) type Type = (&'static str, &'static [(&'static str, Treated)]);

/// The fields of a type that have an effect.
pub(super) fn fields(name: &str) -> &'static [(&'static str, Treated)] {
    let known = TYPES.iter().find(|(known, _)| *known == name);
    known.map_or(&[], |(_, fields)| *fields)
}

const KUBELET: &str = "kubelet/environment.rs";
const VOLUMES: &str = "kubelet/volumes.rs";
const PROBES: &str = "kubelet/probes.rs";
const SCHEDULER: &str = "scheduler/plugins";

/// All types whose fields are listed.
pub(super) const TYPES: &[Type] = &[
    (
        "PodSpec",
        &[
            ("volumes", Fields("Volume")),
            ("initContainers", Fields("Container")),
            ("containers", Fields("Container")),
            ("restartPolicy", By("kubelet/restart.rs")),
            ("terminationGracePeriodSeconds", By("kubelet/kill.rs")),
            ("activeDeadlineSeconds", By("kubelet/status.rs")),
            ("dnsPolicy", By("network/dns.rs")),
            ("dnsConfig", Fields("PodDNSConfig")),
            ("nodeSelector", By("scheduler/plugins/node_affinity.rs")),
            ("serviceAccountName", By("apiserver/admission.rs")),
            ("serviceAccount", By("apiserver/defaults/pod.rs")),
            ("automountServiceAccountToken", By("apiserver/admission.rs")),
            ("nodeName", By("kubelet/node.rs")),
            ("hostNetwork", By("kubelet/start.rs")),
            ("securityContext", Fields("PodSecurityContext")),
            ("imagePullSecrets", By("kubelet/images.rs")),
            ("hostname", By("kubelet/environment.rs")),
            ("subdomain", By("network/dns.rs")),
            ("affinity", Fields("Affinity")),
            ("schedulerName", By("scheduler/mod.rs")),
            ("tolerations", Fields("Toleration")),
            ("hostAliases", By("network/dns.rs")),
            ("priorityClassName", By("apiserver/admission.rs")),
            ("priority", By("scheduler/preemption.rs")),
            ("readinessGates", By("kubelet/conditions.rs")),
            ("enableServiceLinks", By(KUBELET)),
            ("preemptionPolicy", By("scheduler/preemption.rs")),
            ("overhead", By("resources.rs")),
            ("topologySpreadConstraints", Fields("TopologySpreadConstraint")),
            ("setHostnameAsFQDN", Only(&["false"])),
            ("os", By("kubelet/admission.rs")),
            ("hostPID", Only(&["false"])),
            ("hostIPC", By("kubelet/processes.rs")),
            ("hostUsers", Only(&["true"])),
            ("shareProcessNamespace", By("kubelet/worker.rs")),
            ("schedulingGates", By("scheduler/mod.rs")),
            ("resources", Fields("ResourceRequirements")),
        ],
    ),
    (
        "PodDNSConfig",
        &[
            ("nameservers", By("network/dns.rs")),
            ("searches", By("network/dns.rs")),
        ],
    ),
    (
        "PodSecurityContext",
        &[
            ("runAsUser", By(KUBELET)),
            ("runAsGroup", By(KUBELET)),
            ("runAsNonRoot", By("kubelet/start.rs")),
            ("supplementalGroups", By(KUBELET)),
            ("supplementalGroupsPolicy", Only(&["\"Merge\""])),
            ("fsGroup", By(KUBELET)),
            ("fsGroupChangePolicy", Only(&["\"Always\""])),
        ],
    ),
    (
        "Container",
        &[
            ("name", By("kubelet/status.rs")),
            ("image", By("kubelet/images.rs")),
            ("command", By(KUBELET)),
            ("args", By(KUBELET)),
            ("workingDir", By(KUBELET)),
            ("ports", Fields("ContainerPort")),
            ("envFrom", Fields("EnvFromSource")),
            ("env", Fields("EnvVar")),
            ("resources", Fields("ResourceRequirements")),
            ("resizePolicy", By("kubelet/resize.rs")),
            ("restartPolicy", By("kubelet/restart.rs")),
            ("restartPolicyRules", By("kubelet/restart.rs")),
            ("volumeMounts", Fields("VolumeMount")),
            ("livenessProbe", Fields("Probe")),
            ("readinessProbe", Fields("Probe")),
            ("startupProbe", Fields("Probe")),
            ("lifecycle", Fields("Lifecycle")),
            ("terminationMessagePath", By("kubelet/start.rs")),
            ("terminationMessagePolicy", By("kubelet/start.rs")),
            ("imagePullPolicy", By("kubelet/images.rs")),
            ("securityContext", Fields("SecurityContext")),
            ("stdin", Only(&["false"])),
            ("stdinOnce", Only(&["false"])),
            ("tty", Only(&["false"])),
        ],
    ),
    (
        "SecurityContext",
        &[
            ("runAsUser", By(KUBELET)),
            ("runAsGroup", By(KUBELET)),
            ("runAsNonRoot", By("kubelet/start.rs")),
            ("privileged", Only(&["false"])),
            ("readOnlyRootFilesystem", Only(&["false"])),
            ("procMount", Only(&["\"Default\""])),
        ],
    ),
    (
        "ContainerPort",
        &[
            ("name", By("kubelet/network.rs")),
            ("hostPort", By("scheduler/pod.rs")),
            ("containerPort", By("kubelet/network.rs")),
            ("protocol", By("scheduler/pod.rs")),
            ("hostIP", By("scheduler/pod.rs")),
        ],
    ),
    (
        "EnvFromSource",
        &[
            ("prefix", By(KUBELET)),
            ("configMapRef", Fields("ConfigMapEnvSource")),
            ("secretRef", Fields("SecretEnvSource")),
        ],
    ),
    (
        "EnvVar",
        &[
            ("name", By(KUBELET)),
            ("value", By(KUBELET)),
            ("valueFrom", Fields("EnvVarSource")),
        ],
    ),
    (
        "EnvVarSource",
        &[
            ("fieldRef", Fields("ObjectFieldSelector")),
            ("resourceFieldRef", Fields("ResourceFieldSelector")),
            ("configMapKeyRef", Fields("ConfigMapKeySelector")),
            ("secretKeyRef", Fields("SecretKeySelector")),
        ],
    ),
    (
        "ResourceRequirements",
        &[("limits", By("kubelet/qos.rs")), ("requests", By("scheduler/pod.rs"))],
    ),
    (
        "VolumeMount",
        &[
            ("name", By(KUBELET)),
            ("readOnly", By(KUBELET)),
            ("recursiveReadOnly", Only(&["\"Disabled\"", "\"IfPossible\""])),
            ("mountPath", By(KUBELET)),
            ("subPath", By(KUBELET)),
            ("subPathExpr", By(KUBELET)),
            ("mountPropagation", Only(&["\"None\""])),
        ],
    ),
    (
        "Probe",
        &[
            ("exec", Fields("ExecAction")),
            ("httpGet", Fields("HTTPGetAction")),
            ("tcpSocket", Fields("TCPSocketAction")),
            ("grpc", Fields("GRPCAction")),
            ("initialDelaySeconds", By(PROBES)),
            ("timeoutSeconds", By(PROBES)),
            ("periodSeconds", By(PROBES)),
            ("successThreshold", By(PROBES)),
            ("failureThreshold", By(PROBES)),
            ("terminationGracePeriodSeconds", By("kubelet/kill.rs")),
        ],
    ),
    (
        "HTTPGetAction",
        &[
            ("path", By(PROBES)),
            ("port", By(PROBES)),
            ("host", By(PROBES)),
            ("scheme", By(PROBES)),
        ],
    ),
    (
        "Lifecycle",
        &[
            ("postStart", Fields("LifecycleHandler")),
            ("preStop", Fields("LifecycleHandler")),
            ("stopSignal", By("kubelet/start.rs")),
        ],
    ),
    (
        "LifecycleHandler",
        &[
            ("exec", Fields("ExecAction")),
            ("httpGet", Fields("HTTPGetAction")),
            ("sleep", By("kubelet/hooks.rs")),
        ],
    ),
    (
        "Volume",
        &[
            ("name", By(VOLUMES)),
            ("emptyDir", Fields("EmptyDirVolumeSource")),
            ("hostPath", Fields("HostPathVolumeSource")),
            ("configMap", Fields("ConfigMapVolumeSource")),
            ("secret", Fields("SecretVolumeSource")),
            ("downwardAPI", Fields("DownwardAPIVolumeSource")),
            ("projected", Fields("ProjectedVolumeSource")),
            ("persistentVolumeClaim", Fields("PersistentVolumeClaimVolumeSource")),
        ],
    ),
    (
        "EmptyDirVolumeSource",
        &[("medium", Only(&["\"\""])), ("sizeLimit", By("kubelet/eviction"))],
    ),
    ("HostPathVolumeSource", &[("path", By(VOLUMES)), ("type", By(VOLUMES))]),
    (
        "ConfigMapVolumeSource",
        &[
            ("name", By(VOLUMES)),
            ("items", Fields("KeyToPath")),
            ("defaultMode", By(VOLUMES)),
            ("optional", By(VOLUMES)),
        ],
    ),
    (
        "SecretVolumeSource",
        &[
            ("secretName", By(VOLUMES)),
            ("items", Fields("KeyToPath")),
            ("defaultMode", By(VOLUMES)),
            ("optional", By(VOLUMES)),
        ],
    ),
    (
        "DownwardAPIVolumeSource",
        &[("items", Fields("DownwardAPIVolumeFile")), ("defaultMode", By(VOLUMES))],
    ),
    (
        "ProjectedVolumeSource",
        &[("sources", Fields("VolumeProjection")), ("defaultMode", By(VOLUMES))],
    ),
    (
        "VolumeProjection",
        &[
            ("secret", Fields("SecretProjection")),
            ("downwardAPI", Fields("DownwardAPIProjection")),
            ("configMap", Fields("ConfigMapProjection")),
            ("serviceAccountToken", Fields("ServiceAccountTokenProjection")),
        ],
    ),
    (
        "ServiceAccountTokenProjection",
        &[("path", By(VOLUMES)), ("expirationSeconds", Only(&["3600", "3607"]))],
    ),
    (
        "PersistentVolumeClaimVolumeSource",
        &[("claimName", By("storage.rs")), ("readOnly", By("kubelet/volumes.rs"))],
    ),
    (
        "PersistentVolumeClaimTemplate",
        &[
            ("metadata", By("controllers/volumes")),
            ("spec", Fields("PersistentVolumeClaimSpec")),
        ],
    ),
    (
        "PersistentVolumeClaimSpec",
        &[
            ("accessModes", By("controllers/volumes/binder.rs")),
            ("selector", By("controllers/volumes/binder.rs")),
            ("resources", By("controllers/volumes/binder.rs")),
            ("volumeName", By("controllers/volumes/binder.rs")),
            ("storageClassName", By("controllers/volumes/binder.rs")),
            ("volumeMode", By("controllers/volumes/binder.rs")),
        ],
    ),
    (
        "PersistentVolumeSpec",
        &[
            ("capacity", By("controllers/volumes/binder.rs")),
            ("accessModes", By("controllers/volumes/binder.rs")),
            ("claimRef", By("controllers/volumes/binder.rs")),
            ("persistentVolumeReclaimPolicy", By("controllers/volumes/binder.rs")),
            ("storageClassName", By("controllers/volumes/binder.rs")),
            ("volumeMode", By("controllers/volumes/binder.rs")),
            ("nodeAffinity", By("scheduler/plugins/volume_binding.rs")),
            ("hostPath", Fields("HostPathVolumeSource")),
            ("local", By("kubelet/persistent.rs")),
            ("csi", By("kubelet/persistent.rs")),
        ],
    ),
    (
        "StorageClass",
        &[
            ("provisioner", By("controllers/volumes/provisioner.rs")),
            ("reclaimPolicy", By("controllers/volumes/provisioner.rs")),
            ("volumeBindingMode", By("storage.rs")),
            ("allowedTopologies", By("scheduler/plugins/volume_binding.rs")),
        ],
    ),
    (
        "Affinity",
        &[
            ("nodeAffinity", Fields("NodeAffinity")),
            ("podAffinity", Fields("PodAffinity")),
            ("podAntiAffinity", Fields("PodAffinity")),
        ],
    ),
    (
        "NodeAffinity",
        &[
            ("requiredDuringSchedulingIgnoredDuringExecution", By(SCHEDULER)),
            ("preferredDuringSchedulingIgnoredDuringExecution", By(SCHEDULER)),
        ],
    ),
    (
        "PodAffinity",
        &[
            (
                "requiredDuringSchedulingIgnoredDuringExecution",
                Fields("PodAffinityTerm"),
            ),
            (
                "preferredDuringSchedulingIgnoredDuringExecution",
                Fields("WeightedPodAffinityTerm"),
            ),
        ],
    ),
    (
        "Toleration",
        &[
            ("key", By("scheduler/plugins/taint_toleration.rs")),
            ("operator", By("scheduler/plugins/taint_toleration.rs")),
            ("value", By("scheduler/plugins/taint_toleration.rs")),
            ("effect", By("scheduler/plugins/taint_toleration.rs")),
            ("tolerationSeconds", By("controllers/taint_eviction.rs")),
        ],
    ),
    (
        "TopologySpreadConstraint",
        &[
            ("maxSkew", By(SCHEDULER)),
            ("topologyKey", By(SCHEDULER)),
            ("whenUnsatisfiable", By(SCHEDULER)),
            ("labelSelector", By(SCHEDULER)),
            ("minDomains", By(SCHEDULER)),
            ("nodeAffinityPolicy", By(SCHEDULER)),
            ("nodeTaintsPolicy", By(SCHEDULER)),
            ("matchLabelKeys", By(SCHEDULER)),
        ],
    ),
    (
        "PodTemplateSpec",
        &[("metadata", By("controllers/pods.rs")), ("spec", Fields("PodSpec"))],
    ),
    (
        "DeploymentSpec",
        &[
            ("replicas", By("controllers/deployment")),
            ("selector", By("controllers/deployment")),
            ("template", Fields("PodTemplateSpec")),
            ("strategy", Fields("DeploymentStrategy")),
            ("minReadySeconds", By("controllers/deployment/rollout.rs")),
            ("revisionHistoryLimit", By("controllers/deployment/rollout.rs")),
            ("paused", By("controllers/deployment/rollout.rs")),
            ("progressDeadlineSeconds", By("controllers/deployment/status.rs")),
        ],
    ),
    (
        "ReplicaSetSpec",
        &[
            ("replicas", By("controllers/replicaset")),
            ("selector", By("controllers/replicaset")),
            ("template", Fields("PodTemplateSpec")),
            ("minReadySeconds", By("controllers/replicaset")),
        ],
    ),
    (
        "StatefulSetSpec",
        &[
            ("replicas", By("controllers/stateful_set")),
            ("selector", By("controllers/stateful_set")),
            ("template", Fields("PodTemplateSpec")),
            ("volumeClaimTemplates", Fields("PersistentVolumeClaimTemplate")),
            ("serviceName", By("controllers/stateful_set/pod.rs")),
            ("podManagementPolicy", By("controllers/stateful_set/sync.rs")),
            ("updateStrategy", Fields("StatefulSetUpdateStrategy")),
            ("revisionHistoryLimit", By("controllers/stateful_set/sync.rs")),
            ("minReadySeconds", By("controllers/stateful_set/sync.rs")),
            (
                "persistentVolumeClaimRetentionPolicy",
                Only(&[r#"{"whenDeleted":"Retain","whenScaled":"Retain"}"#]),
            ),
            ("ordinals", By("controllers/stateful_set/sync.rs")),
        ],
    ),
    (
        "DaemonSetSpec",
        &[
            ("selector", By("controllers/daemon_set")),
            ("template", Fields("PodTemplateSpec")),
            ("updateStrategy", Fields("DaemonSetUpdateStrategy")),
            ("minReadySeconds", By("controllers/daemon_set/update.rs")),
            ("revisionHistoryLimit", By("controllers/daemon_set")),
        ],
    ),
    (
        "JobSpec",
        &[
            ("parallelism", By("controllers/job/manage.rs")),
            ("completions", By("controllers/job/sync.rs")),
            ("activeDeadlineSeconds", By("controllers/job/sync.rs")),
            ("podFailurePolicy", By("controllers/job/policy.rs")),
            ("successPolicy", By("controllers/job/policy.rs")),
            ("backoffLimit", By("controllers/job/sync.rs")),
            ("backoffLimitPerIndex", By("controllers/job/sync.rs")),
            ("maxFailedIndexes", By("controllers/job/sync.rs")),
            ("selector", By("controllers/job")),
            ("manualSelector", By("apiserver/defaults")),
            ("template", Fields("PodTemplateSpec")),
            ("ttlSecondsAfterFinished", By("controllers/ttl_after_finished.rs")),
            ("completionMode", By("controllers/job/context.rs")),
            ("suspend", By("controllers/job/context.rs")),
            ("podReplacementPolicy", By("controllers/job/context.rs")),
            ("managedBy", By("controllers/job/sync.rs")),
        ],
    ),
    (
        "CronJobSpec",
        &[
            ("schedule", By("controllers/cron_job/schedule.rs")),
            ("timeZone", By("controllers/cron_job")),
            ("startingDeadlineSeconds", By("controllers/cron_job")),
            ("concurrencyPolicy", By("controllers/cron_job")),
            ("suspend", By("controllers/cron_job")),
            ("jobTemplate", Fields("JobTemplateSpec")),
            ("successfulJobsHistoryLimit", By("controllers/cron_job")),
            ("failedJobsHistoryLimit", By("controllers/cron_job")),
        ],
    ),
    (
        "JobTemplateSpec",
        &[("metadata", By("controllers/cron_job")), ("spec", Fields("JobSpec"))],
    ),
    (
        "ServiceSpec",
        &[
            ("ports", Fields("ServicePort")),
            ("selector", By("controllers/endpoints")),
            ("clusterIP", By("network/dns.rs")),
            // The API server fills it in from clusterIP.
            ("clusterIPs", Only(&[])),
            ("type", By("network/proxy.rs")),
            ("sessionAffinity", By("network/proxy.rs")),
            ("sessionAffinityConfig", By("network/proxy.rs")),
            ("externalName", By("network/dns.rs")),
            ("externalTrafficPolicy", By("network/proxy.rs")),
            ("internalTrafficPolicy", By("network/proxy.rs")),
            ("publishNotReadyAddresses", By("controllers/endpoints")),
            ("trafficDistribution", By("controllers/endpoints/slices.rs")),
            ("ipFamilies", Only(&[r#"["IPv4"]"#])),
            ("ipFamilyPolicy", Only(&["\"SingleStack\""])),
            ("allocateLoadBalancerNodePorts", Only(&["true"])),
        ],
    ),
    (
        "ServicePort",
        &[
            ("name", By("controllers/endpoints")),
            ("protocol", By("network/proxy.rs")),
            ("appProtocol", By("controllers/endpoints/slices.rs")),
            ("port", By("network/proxy.rs")),
            ("targetPort", By("controllers/endpoints")),
            ("nodePort", By("network/proxy.rs")),
        ],
    ),
    (
        "PodDisruptionBudgetSpec",
        &[
            ("minAvailable", By("controllers/disruption.rs")),
            ("maxUnavailable", By("controllers/disruption.rs")),
            ("selector", By("controllers/disruption.rs")),
            ("unhealthyPodEvictionPolicy", By("apiserver/disruption.rs")),
        ],
    ),
    (
        "NodeSpec",
        &[
            ("podCIDR", Only(&[])),
            ("podCIDRs", Only(&[])),
            ("unschedulable", By("scheduler/plugins")),
            ("taints", By("scheduler/plugins/taint_toleration.rs")),
        ],
    ),
    (
        "KeyToPath",
        &[("key", By(VOLUMES)), ("path", By(VOLUMES)), ("mode", By(VOLUMES))],
    ),
    (
        "DownwardAPIVolumeFile",
        &[
            ("path", By(VOLUMES)),
            ("fieldRef", Fields("ObjectFieldSelector")),
            ("resourceFieldRef", Fields("ResourceFieldSelector")),
            ("mode", By(VOLUMES)),
        ],
    ),
    ("DownwardAPIProjection", &[("items", Fields("DownwardAPIVolumeFile"))]),
    (
        "ConfigMapProjection",
        &[
            ("name", By(VOLUMES)),
            ("items", Fields("KeyToPath")),
            ("optional", By(VOLUMES)),
        ],
    ),
    (
        "SecretProjection",
        &[
            ("name", By(VOLUMES)),
            ("items", Fields("KeyToPath")),
            ("optional", By(VOLUMES)),
        ],
    ),
    (
        "ConfigMapEnvSource",
        &[("name", By(KUBELET)), ("optional", By(KUBELET))],
    ),
    ("SecretEnvSource", &[("name", By(KUBELET)), ("optional", By(KUBELET))]),
    (
        "ConfigMapKeySelector",
        &[("name", By(KUBELET)), ("key", By(KUBELET)), ("optional", By(KUBELET))],
    ),
    (
        "SecretKeySelector",
        &[("name", By(KUBELET)), ("key", By(KUBELET)), ("optional", By(KUBELET))],
    ),
    (
        "ObjectFieldSelector",
        &[("apiVersion", Only(&["\"v1\""])), ("fieldPath", By(KUBELET))],
    ),
    (
        "ResourceFieldSelector",
        &[
            ("containerName", By(KUBELET)),
            ("resource", By(KUBELET)),
            ("divisor", By(KUBELET)),
        ],
    ),
    ("ExecAction", &[("command", By(PROBES))]),
    ("TCPSocketAction", &[("port", By(PROBES)), ("host", By(PROBES))]),
    ("GRPCAction", &[("port", By(PROBES)), ("service", By(PROBES))]),
    (
        "WeightedPodAffinityTerm",
        &[
            ("weight", By(SCHEDULER)),
            ("podAffinityTerm", Fields("PodAffinityTerm")),
        ],
    ),
    (
        "PodAffinityTerm",
        &[
            ("labelSelector", By("scheduler/pod.rs")),
            ("namespaces", By("scheduler/pod.rs")),
            ("topologyKey", By("scheduler/pod.rs")),
            ("namespaceSelector", By("scheduler/pod.rs")),
            ("matchLabelKeys", By("scheduler/pod.rs")),
            ("mismatchLabelKeys", By("scheduler/pod.rs")),
        ],
    ),
    (
        "DeploymentStrategy",
        &[
            ("type", By("controllers/deployment")),
            ("rollingUpdate", Fields("RollingUpdateDeployment")),
        ],
    ),
    (
        "RollingUpdateDeployment",
        &[
            ("maxSurge", By("controllers/deployment/rolling.rs")),
            ("maxUnavailable", By("controllers/deployment/rolling.rs")),
        ],
    ),
    (
        "StatefulSetUpdateStrategy",
        &[
            ("type", By("controllers/stateful_set/sync.rs")),
            ("rollingUpdate", Fields("RollingUpdateStatefulSetStrategy")),
        ],
    ),
    (
        "RollingUpdateStatefulSetStrategy",
        &[
            ("partition", By("controllers/stateful_set/sync.rs")),
            ("maxUnavailable", By("controllers/stateful_set/sync.rs")),
        ],
    ),
    (
        "DaemonSetUpdateStrategy",
        &[
            ("type", By("controllers/daemon_set/update.rs")),
            ("rollingUpdate", Fields("RollingUpdateDaemonSet")),
        ],
    ),
    (
        "RollingUpdateDaemonSet",
        &[
            ("maxSurge", By("controllers/daemon_set/update.rs")),
            ("maxUnavailable", By("controllers/daemon_set/update.rs")),
        ],
    ),
];
