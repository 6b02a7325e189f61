//! What is switched on in a cluster: the defaults of its version and what the experiment changes of them.

use super::{Change, Entry, GATES, Version};
use crate::apiserver::hint::nearest;

/// The gates on which the simulation depends. Every other gate is known by name, has no effect, and is named in a run's notices.
/// So a gate that no code asks for must not be here: nothing else makes a [`Gate`], and the compiler tells one that is never made.
macro_rules! simulated {
    ($($gate:ident)*) => {
        /// A feature gate on which the simulation depends; its name is the gate's own.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Gate { $($gate,)* }

        /// The names of all of them, in their order.
        pub(super) const SIMULATED: &[&str] = &[$(stringify!($gate),)*];
    };
}

simulated! {
    ChangeContainerStatusOnKubeletRestart
    ClearingNominatedNodeNameAfterBinding
    ContainerRestartRules
    ContainerStopSignals
    DeploymentReplicaSetTerminatingReplicas
    DisableNodeKubeProxyVersion
    DynamicResourceAllocation
    EnvFiles
    GracefulNodeShutdown
    GracefulNodeShutdownBasedOnPodPriority
    HostnameOverride
    ImageVolume
    InPlacePodVerticalScaling
    JobBackoffLimitPerIndex
    JobManagedBy
    JobPodReplacementPolicy
    JobSuccessPolicy
    KubeletEnsureSecretPulledImages
    MatchLabelKeysInPodAffinity
    MaxUnavailableStatefulSet
    OrderedNamespaceDeletion
    PLEGOnDemandRelist
    PodHostIPs
    PodLevelResources
    PodLifecycleSleepAction
    PodLifecycleSleepActionAllowZero
    PodObservedGenerationTracking
    PodReadyToStartContainersCondition
    PodTopologyLabelsAdmission
    PreventStaticPodAPIReferences
    RecursiveReadOnlyMounts
    ReduceDefaultCrashLoopBackOffDecay
    RelaxedEnvironmentVariableValidation
    RelaxedServiceNameValidation
    RestartAllContainersOnContainerExits
    RetryGenerateName
    SchedulerPopFromBackoffQ
    SchedulerQueueingHints
    SidecarContainers
    SupplementalGroupsPolicy
    UserNamespacesSupport
}

/// What is switched on: small, so that whoever decides something can be given a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    version: Version,
    /// One bit a [`Gate`], in their order.
    enabled: u64,
    /// The gates that the version has.
    known: u64,
}

impl Default for Profile {
    fn default() -> Self {
        Self::of(Version::NEWEST)
    }
}

impl Profile {
    /// A version as it comes.
    pub fn of(version: Version) -> Self {
        let mut profile = Self {
            version,
            enabled: 0,
            known: 0,
        };
        for (index, name) in SIMULATED.iter().enumerate() {
            if let Some(entry) = entries(name).and_then(|entries| state(entries, version)) {
                profile.known |= 1 << index;
                profile.set(index, entry.on);
            }
        }
        profile
    }

    /// A version with gates switched as `--feature-gates` does.
    ///
    /// # Errors
    /// A sentence about a gate that the version does not have, or that is locked there.
    pub fn with_gates<'a>(version: Version, gates: impl IntoIterator<Item = (&'a str, bool)>) -> Result<Self, String> {
        let mut profile = Self::of(version);
        for (name, on) in gates {
            check(version, name, on)?;
            if let Some(index) = SIMULATED.iter().position(|known| *known == name) {
                profile.set(index, on);
            }
        }
        Ok(profile)
    }

    /// Whether a feature is on.
    pub(crate) fn enabled(self, gate: Gate) -> bool {
        self.enabled & 1 << gate as u32 != 0
    }

    /// Whether the version has the gate at all, on or off: the fields behind it are in its types.
    pub(crate) fn knows(self, gate: Gate) -> bool {
        self.known & 1 << gate as u32 != 0
    }

    /// Whether a change that has no gate is in this version.
    pub(crate) fn has(self, change: Change) -> bool {
        self.version.minor >= change.since()
    }

    /// The version.
    pub fn version(self) -> Version {
        self.version
    }

    fn set(&mut self, index: usize, on: bool) {
        if on {
            self.enabled |= 1 << index;
        } else {
            self.enabled &= !(1 << index);
        }
    }
}

const _: () = assert!(SIMULATED.len() <= 64, "a gate is a bit of a u64");

/// Whether the simulation depends on a gate.
pub(crate) fn is_simulated(name: &str) -> bool {
    SIMULATED.contains(&name)
}

fn entries(name: &str) -> Option<&'static [Entry]> {
    GATES
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, entries)| *entries)
}

/// What a version makes of a gate: its last entry up to then.
fn state(entries: &[Entry], version: Version) -> Option<&Entry> {
    entries.iter().rfind(|entry| entry.minor <= version.minor)
}

/// Whether a version lets a gate be switched so (`featuregate.Set`): a locked one only to what it is.
fn check(version: Version, name: &str, on: bool) -> Result<(), String> {
    let Some(entries) = entries(name) else {
        let known = GATES.iter().map(|(name, _)| *name);
        let meant = nearest(name, known)
            .map(|near| format!("; did you mean {near}?"))
            .unwrap_or_default();
        return Err(format!("there is no feature gate {name}{meant}"));
    };
    match state(entries, version) {
        None => {
            let first = entries.first().map_or(0, |entry| entry.minor);
            Err(format!(
                "Kubernetes {version} has no feature gate {name}: it came with 1.{first}"
            ))
        }
        Some(entry) if entry.locked && entry.on != on => Err(format!(
            "feature gate {name} cannot be set to {on} in Kubernetes {version}: it is locked to {} since 1.{}",
            entry.on, entry.minor
        )),
        Some(_) => Ok(()),
    }
}
