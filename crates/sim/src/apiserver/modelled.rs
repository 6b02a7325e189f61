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
    /// Nothing acts on it. These values are what an object has that does not set it, or they ask for what happens anyway; none
    /// stands for any.
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

/// Writes the table: of each type the fields that hold others, those with an effect by the code that gives it, and those that are
/// noticed unless they have one of some values.
macro_rules! types {
    ($($name:ident {
        $(of { $($holder:ident: $of:ident),* })?
        $($place:literal { $($acting:ident)* })*
        $(only { $($ignored:ident [$($value:literal),*]),* })?
    })*) => {
        /// All types whose fields are listed.
        pub(super) const TYPES: &[Type] = &[$((stringify!($name), &[
            $($((stringify!($holder), Fields(stringify!($of))),)*)?
            $($((stringify!($acting), By($place)),)*)*
            $($((stringify!($ignored), Only(&[$($value),*])),)*)?
        ])),*];
    };
}

types! {
    PodSpec {
        of {
            volumes: Volume, initContainers: Container, containers: Container, dnsConfig: PodDNSConfig,
            securityContext: PodSecurityContext, affinity: Affinity, tolerations: Toleration,
            topologySpreadConstraints: TopologySpreadConstraint, resources: ResourceRequirements
        }
        "kubelet/restart.rs" { restartPolicy }
        "kubelet/kill.rs" { terminationGracePeriodSeconds }
        "kubelet/status.rs" { activeDeadlineSeconds }
        "network/dns.rs" { dnsPolicy subdomain hostAliases }
        "scheduler/plugins/node_affinity.rs" { nodeSelector }
        "apiserver/admission.rs" { serviceAccountName automountServiceAccountToken priorityClassName }
        "apiserver/defaults/pod.rs" { serviceAccount }
        "kubelet/node.rs" { nodeName }
        "kubelet/start.rs" { hostNetwork }
        "kubelet/images.rs" { imagePullSecrets }
        "kubelet/environment.rs" { hostname enableServiceLinks }
        "scheduler/mod.rs" { schedulerName schedulingGates }
        "scheduler/preemption.rs" { priority preemptionPolicy }
        "kubelet/conditions.rs" { readinessGates }
        "resources.rs" { overhead }
        "kubelet/admission.rs" { os }
        "kubelet/processes.rs" { hostIPC }
        "kubelet/worker.rs" { shareProcessNamespace }
        only { setHostnameAsFQDN ["false"], hostPID ["false"], hostUsers ["true"] }
    }
    PodDNSConfig { "network/dns.rs" { nameservers searches } }
    PodSecurityContext {
        "kubelet/environment.rs" { runAsUser runAsGroup supplementalGroups fsGroup }
        "kubelet/start.rs" { runAsNonRoot }
        only { supplementalGroupsPolicy ["\"Merge\""], fsGroupChangePolicy ["\"Always\""] }
    }
    Container {
        of {
            ports: ContainerPort, envFrom: EnvFromSource, env: EnvVar, resources: ResourceRequirements,
            volumeMounts: VolumeMount, livenessProbe: Probe, readinessProbe: Probe, startupProbe: Probe,
            lifecycle: Lifecycle, securityContext: SecurityContext
        }
        "kubelet/status.rs" { name }
        "kubelet/images.rs" { image imagePullPolicy }
        "kubelet/environment.rs" { command args workingDir }
        "kubelet/resize.rs" { resizePolicy }
        "kubelet/restart.rs" { restartPolicy restartPolicyRules }
        "kubelet/start.rs" { terminationMessagePath terminationMessagePolicy }
        only { stdin ["false"], stdinOnce ["false"], tty ["false"] }
    }
    SecurityContext {
        "kubelet/environment.rs" { runAsUser runAsGroup }
        "kubelet/start.rs" { runAsNonRoot }
        only { privileged ["false"], readOnlyRootFilesystem ["false"], procMount ["\"Default\""] }
    }
    ContainerPort {
        "kubelet/network.rs" { name containerPort }
        "scheduler/pod.rs" { hostPort protocol hostIP }
    }
    EnvFromSource {
        of { configMapRef: ConfigMapEnvSource, secretRef: SecretEnvSource }
        "kubelet/environment.rs" { prefix }
    }
    EnvVar {
        of { valueFrom: EnvVarSource }
        "kubelet/environment.rs" { name value }
    }
    EnvVarSource {
        of {
            fieldRef: ObjectFieldSelector, resourceFieldRef: ResourceFieldSelector,
            configMapKeyRef: ConfigMapKeySelector, secretKeyRef: SecretKeySelector
        }
    }
    ResourceRequirements {
        "kubelet/qos.rs" { limits }
        "scheduler/pod.rs" { requests }
    }
    VolumeMount {
        "kubelet/environment.rs" { name readOnly mountPath subPath subPathExpr }
        only { recursiveReadOnly ["\"Disabled\"", "\"IfPossible\""], mountPropagation ["\"None\""] }
    }
    Probe {
        of { exec: ExecAction, httpGet: HTTPGetAction, tcpSocket: TCPSocketAction, grpc: GRPCAction }
        "kubelet/probes.rs" {
            initialDelaySeconds timeoutSeconds periodSeconds successThreshold failureThreshold
        }
        "kubelet/kill.rs" { terminationGracePeriodSeconds }
    }
    HTTPGetAction { "kubelet/probes.rs" { path port host scheme } }
    Lifecycle {
        of { postStart: LifecycleHandler, preStop: LifecycleHandler }
        "kubelet/start.rs" { stopSignal }
    }
    LifecycleHandler {
        of { exec: ExecAction, httpGet: HTTPGetAction }
        "kubelet/hooks.rs" { sleep }
    }
    Volume {
        of {
            emptyDir: EmptyDirVolumeSource, hostPath: HostPathVolumeSource, configMap: ConfigMapVolumeSource,
            secret: SecretVolumeSource, downwardAPI: DownwardAPIVolumeSource,
            projected: ProjectedVolumeSource, persistentVolumeClaim: PersistentVolumeClaimVolumeSource,
            ephemeral: EphemeralVolumeSource
        }
        "kubelet/volumes.rs" { name }
    }
    EmptyDirVolumeSource {
        "kubelet/eviction" { sizeLimit }
        only { medium ["\"\""] }
    }
    HostPathVolumeSource { "kubelet/volumes.rs" { path type } }
    ConfigMapVolumeSource {
        of { items: KeyToPath }
        "kubelet/volumes.rs" { name defaultMode optional }
    }
    SecretVolumeSource {
        of { items: KeyToPath }
        "kubelet/volumes.rs" { secretName defaultMode optional }
    }
    DownwardAPIVolumeSource {
        of { items: DownwardAPIVolumeFile }
        "kubelet/volumes.rs" { defaultMode }
    }
    ProjectedVolumeSource {
        of { sources: VolumeProjection }
        "kubelet/volumes.rs" { defaultMode }
    }
    VolumeProjection {
        of {
            secret: SecretProjection, downwardAPI: DownwardAPIProjection, configMap: ConfigMapProjection,
            serviceAccountToken: ServiceAccountTokenProjection
        }
    }
    ServiceAccountTokenProjection {
        "kubelet/volumes.rs" { path }
        only { expirationSeconds ["3600", "3607"] }
    }
    PersistentVolumeClaimVolumeSource {
        "storage.rs" { claimName }
        "kubelet/volumes.rs" { readOnly }
    }
    EphemeralVolumeSource { of { volumeClaimTemplate: PersistentVolumeClaimTemplate } }
    PersistentVolumeClaimTemplate {
        of { spec: PersistentVolumeClaimSpec }
        "controllers/volumes" { metadata }
    }
    PersistentVolumeClaimSpec {
        "controllers/volumes/binder.rs" {
            accessModes selector resources volumeName storageClassName volumeMode
        }
    }
    PersistentVolumeSpec {
        of { hostPath: HostPathVolumeSource }
        "controllers/volumes/binder.rs" {
            capacity accessModes claimRef persistentVolumeReclaimPolicy storageClassName volumeMode
        }
        "scheduler/plugins/volume_binding.rs" { nodeAffinity }
        "kubelet/persistent.rs" { local csi }
    }
    StorageClass {
        "controllers/volumes/provisioner.rs" { provisioner reclaimPolicy }
        "storage.rs" { volumeBindingMode }
        "scheduler/plugins/volume_binding.rs" { allowedTopologies }
    }
    Affinity { of { nodeAffinity: NodeAffinity, podAffinity: PodAffinity, podAntiAffinity: PodAffinity } }
    NodeAffinity {
        "scheduler/plugins" {
            requiredDuringSchedulingIgnoredDuringExecution preferredDuringSchedulingIgnoredDuringExecution
        }
    }
    PodAffinity {
        of {
            requiredDuringSchedulingIgnoredDuringExecution: PodAffinityTerm,
            preferredDuringSchedulingIgnoredDuringExecution: WeightedPodAffinityTerm
        }
    }
    Toleration {
        "scheduler/plugins/taint_toleration.rs" { key operator value effect }
        "controllers/taint_eviction.rs" { tolerationSeconds }
    }
    TopologySpreadConstraint {
        "scheduler/plugins" {
            maxSkew topologyKey whenUnsatisfiable labelSelector minDomains nodeAffinityPolicy
            nodeTaintsPolicy matchLabelKeys
        }
    }
    PodTemplateSpec {
        of { spec: PodSpec }
        "controllers/pods.rs" { metadata }
    }
    DeploymentSpec {
        of { template: PodTemplateSpec, strategy: DeploymentStrategy }
        "controllers/deployment" { replicas selector }
        "controllers/deployment/rollout.rs" { minReadySeconds revisionHistoryLimit paused }
        "controllers/deployment/status.rs" { progressDeadlineSeconds }
    }
    ReplicaSetSpec {
        of { template: PodTemplateSpec }
        "controllers/replicaset" { replicas selector minReadySeconds }
    }
    StatefulSetSpec {
        of {
            template: PodTemplateSpec, volumeClaimTemplates: PersistentVolumeClaimTemplate,
            updateStrategy: StatefulSetUpdateStrategy
        }
        "controllers/stateful_set" { replicas selector }
        "controllers/stateful_set/pod.rs" { serviceName }
        "controllers/stateful_set/sync.rs" {
            podManagementPolicy revisionHistoryLimit minReadySeconds ordinals
        }
        only { persistentVolumeClaimRetentionPolicy [r#"{"whenDeleted":"Retain","whenScaled":"Retain"}"#] }
    }
    DaemonSetSpec {
        of { template: PodTemplateSpec, updateStrategy: DaemonSetUpdateStrategy }
        "controllers/daemon_set" { selector revisionHistoryLimit }
        "controllers/daemon_set/update.rs" { minReadySeconds }
    }
    JobSpec {
        of { template: PodTemplateSpec }
        "controllers/job/manage.rs" { parallelism }
        "controllers/job/sync.rs" {
            completions activeDeadlineSeconds backoffLimit backoffLimitPerIndex maxFailedIndexes managedBy
        }
        "controllers/job/policy.rs" { podFailurePolicy successPolicy }
        "controllers/job" { selector }
        "apiserver/defaults" { manualSelector }
        "controllers/ttl_after_finished.rs" { ttlSecondsAfterFinished }
        "controllers/job/context.rs" { completionMode suspend podReplacementPolicy }
    }
    CronJobSpec {
        of { jobTemplate: JobTemplateSpec }
        "controllers/cron_job/schedule.rs" { schedule }
        "controllers/cron_job" {
            timeZone startingDeadlineSeconds concurrencyPolicy suspend successfulJobsHistoryLimit
            failedJobsHistoryLimit
        }
    }
    JobTemplateSpec {
        of { spec: JobSpec }
        "controllers/cron_job" { metadata }
    }
    ServiceSpec {
        of { ports: ServicePort }
        "controllers/endpoints" { selector publishNotReadyAddresses }
        "network/dns.rs" { clusterIP externalName }
        "network/proxy.rs" {
            type sessionAffinity sessionAffinityConfig externalTrafficPolicy internalTrafficPolicy
        }
        "controllers/endpoints/slices.rs" { trafficDistribution }
        // The API server fills in clusterIPs from clusterIP.
        only {
            clusterIPs [], ipFamilies [r#"["IPv4"]"#], ipFamilyPolicy ["\"SingleStack\""],
            allocateLoadBalancerNodePorts ["true"]
        }
    }
    ServicePort {
        "controllers/endpoints" { name targetPort }
        "network/proxy.rs" { protocol port nodePort }
        "controllers/endpoints/slices.rs" { appProtocol }
    }
    PodDisruptionBudgetSpec {
        "controllers/disruption.rs" { minAvailable maxUnavailable selector }
        "apiserver/disruption.rs" { unhealthyPodEvictionPolicy }
    }
    NodeSpec {
        "scheduler/plugins" { unschedulable }
        "scheduler/plugins/taint_toleration.rs" { taints }
        only { podCIDR [], podCIDRs [] }
    }
    KeyToPath { "kubelet/volumes.rs" { key path mode } }
    DownwardAPIVolumeFile {
        of { fieldRef: ObjectFieldSelector, resourceFieldRef: ResourceFieldSelector }
        "kubelet/volumes.rs" { path mode }
    }
    DownwardAPIProjection { of { items: DownwardAPIVolumeFile } }
    ConfigMapProjection {
        of { items: KeyToPath }
        "kubelet/volumes.rs" { name optional }
    }
    SecretProjection {
        of { items: KeyToPath }
        "kubelet/volumes.rs" { name optional }
    }
    ConfigMapEnvSource { "kubelet/environment.rs" { name optional } }
    SecretEnvSource { "kubelet/environment.rs" { name optional } }
    ConfigMapKeySelector { "kubelet/environment.rs" { name key optional } }
    SecretKeySelector { "kubelet/environment.rs" { name key optional } }
    ObjectFieldSelector {
        "kubelet/environment.rs" { fieldPath }
        only { apiVersion ["\"v1\""] }
    }
    ResourceFieldSelector { "kubelet/environment.rs" { containerName resource divisor } }
    ExecAction { "kubelet/probes.rs" { command } }
    TCPSocketAction { "kubelet/probes.rs" { port host } }
    GRPCAction { "kubelet/probes.rs" { port service } }
    WeightedPodAffinityTerm {
        of { podAffinityTerm: PodAffinityTerm }
        "scheduler/plugins" { weight }
    }
    PodAffinityTerm {
        "scheduler/pod.rs" {
            labelSelector namespaces topologyKey namespaceSelector matchLabelKeys mismatchLabelKeys
        }
    }
    DeploymentStrategy {
        of { rollingUpdate: RollingUpdateDeployment }
        "controllers/deployment" { type }
    }
    RollingUpdateDeployment { "controllers/deployment/rolling.rs" { maxSurge maxUnavailable } }
    StatefulSetUpdateStrategy {
        of { rollingUpdate: RollingUpdateStatefulSetStrategy }
        "controllers/stateful_set/sync.rs" { type }
    }
    RollingUpdateStatefulSetStrategy { "controllers/stateful_set/sync.rs" { partition maxUnavailable } }
    DaemonSetUpdateStrategy {
        of { rollingUpdate: RollingUpdateDaemonSet }
        "controllers/daemon_set/update.rs" { type }
    }
    RollingUpdateDaemonSet { "controllers/daemon_set/update.rs" { maxSurge maxUnavailable } }
}
