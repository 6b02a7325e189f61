//! A Job and its pods while one sync looks at them.

use crate::core;
use std::collections::BTreeSet;
use std::sync::Arc;

use k8s_openapi::api::batch::v1 as batch;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::has_tracking_finalizer;
use super::indexes::{Indexes, index_of};
use crate::controllers::pods;
use crate::objects::{is_terminal, phase};
use crate::store::Stored;
use crate::version::{Change, Gate, Profile};

/// What one sync knows (`syncJobCtx`).
pub(super) struct Context {
    /// What is switched on.
    pub version: Profile,
    /// The Job as it will be written.
    pub job: batch::Job,
    /// The pods that it controls.
    pub pods: Vec<Arc<Stored>>,
    /// Pods that neither ended nor are being deleted.
    pub active: Vec<Arc<Stored>>,
    /// Those of them that are ready.
    pub ready: i32,
    /// Pods being deleted that have not ended.
    pub terminating: i32,
    /// Pods that succeeded, counted or not.
    pub succeeded: i32,
    /// Pods that failed, counted or not.
    pub failed: i32,
    /// Indexes that had succeeded before this sync.
    pub previous_indexes: Indexes,
    /// Indexes that have succeeded.
    pub succeeded_indexes: Indexes,
    /// Indexes that failed for good, for Jobs with a limit per index.
    pub failed_indexes: Option<Indexes>,
    /// The failed pod of each index that keeps its finalizer until its successor exists.
    pub delayed: Vec<(usize, Arc<Stored>)>,
    /// The condition that ends the Job, if it ends.
    pub finished: Option<batch::JobCondition>,
}

/// The pod in a stored object.
pub(super) fn pod(stored: &Stored) -> Option<&core::Pod> {
    stored.object.as_pod()
}

impl Context {
    /// Sorts the pods of a Job out.
    pub(super) fn new(version: Profile, job: batch::Job, pods: Vec<Arc<Stored>>) -> Self {
        let active: Vec<Arc<Stored>> = pods
            .iter()
            .filter(|stored| pod(stored).is_some_and(pods::is_active))
            .cloned()
            .collect();
        let ready = active
            .iter()
            .filter(|stored| pod(stored).is_some_and(pods::is_ready))
            .count();
        let leaving = |pod: &core::Pod| pod.metadata.deletion_timestamp.is_some() && !is_terminal(pod);
        let terminating = pods.iter().filter(|stored| pod(stored).is_some_and(leaving)).count();
        Self {
            version,
            job,
            pods,
            active,
            ready: crate::controllers::int32(ready),
            terminating: crate::controllers::int32(terminating),
            succeeded: 0,
            failed: 0,
            previous_indexes: Indexes::default(),
            succeeded_indexes: Indexes::default(),
            failed_indexes: None,
            delayed: Vec::new(),
            finished: None,
        }
    }

    /// The Job's spec.
    pub(super) fn spec(&self) -> batch::JobSpec {
        self.job.spec.clone().unwrap_or_default()
    }

    /// The Job's status, to change.
    pub(super) fn status(&mut self) -> &mut batch::JobStatus {
        self.job.status.get_or_insert_default()
    }

    /// Pods that wait to be counted, in the status.
    pub(super) fn uncounted(&self) -> batch::UncountedTerminatedPods {
        self.job
            .status
            .as_ref()
            .and_then(|status| status.uncounted_terminated_pods.clone())
            .unwrap_or_default()
    }

    /// Whether each pod has an index.
    pub(super) fn is_indexed(&self) -> bool {
        self.job.spec.as_ref().and_then(|spec| spec.completion_mode.as_deref()) == Some("Indexed")
    }

    /// How many indexes or successes are wanted.
    pub(super) fn completions(&self) -> usize {
        usize::try_from(self.job.spec.as_ref().and_then(|spec| spec.completions).unwrap_or(0)).unwrap_or(0)
    }

    /// The limit of failures of one index.
    pub(super) fn limit_per_index(&self) -> Option<i32> {
        self.job.spec.as_ref()?.backoff_limit_per_index
    }

    /// Whether the last condition waits for the pods, behind one that says what it will be (`delayTerminalCondition`).
    pub(super) fn delays_end(&self) -> bool {
        self.version.has(Change::JobDelaysTerminalCondition)
            && (self.version.enabled(Gate::JobManagedBy) || self.version.enabled(Gate::JobPodReplacementPolicy))
    }

    /// Whether the Job is suspended.
    pub(super) fn is_suspended(&self) -> bool {
        self.job.spec.as_ref().and_then(|spec| spec.suspend) == Some(true)
    }

    /// Whether pods that are being deleted are replaced only when they have ended (`onlyReplaceFailedPods`).
    pub(super) fn only_replaces_failed(&self) -> bool {
        let Some(spec) = &self.job.spec else { return false };
        spec.pod_replacement_policy.as_deref() == Some("Failed") || spec.pod_failure_policy.is_some()
    }

    /// Whether a pod counts as failed: it failed, or it is being deleted and is replaced at once (`isPodFailed`).
    pub(super) fn is_failed(&self, pod: &core::Pod) -> bool {
        phase(pod) == "Failed"
            || !self.only_replaces_failed() && pod.metadata.deletion_timestamp.is_some() && phase(pod) != "Succeeded"
    }

    /// The index of a pod, if it is one of those wanted.
    pub(super) fn valid_index(&self, pod: &core::Pod) -> Option<usize> {
        index_of(pod).filter(|index| *index < self.completions())
    }

    /// Pods that have a finalizer, are not among `counted`, and have an index if the Job gives them
    /// (`getValidPodsWithFilter`).
    pub(super) fn valid_pods<'a>(
        &'a self,
        counted: BTreeSet<String>,
        holds: impl Fn(&core::Pod) -> bool + 'a,
    ) -> impl Iterator<Item = &'a core::Pod> + 'a {
        self.pods.iter().filter_map(|stored| pod(stored)).filter(move |pod| {
            has_tracking_finalizer(pod)
                && !counted.contains(pod.metadata.uid.as_deref().unwrap_or_default())
                && (!self.is_indexed() || self.valid_index(pod).is_some())
                && holds(pod)
        })
    }
}

/// The condition of that type.
pub(super) fn find<'a>(job: &'a batch::Job, kind: &str) -> Option<&'a batch::JobCondition> {
    job.status
        .as_ref()?
        .conditions
        .as_ref()?
        .iter()
        .find(|condition| condition.type_ == kind)
}

/// A condition that begins now.
pub(super) fn condition(now: &Time, kind: &str, status: &str, reason: &str, message: &str) -> batch::JobCondition {
    batch::JobCondition {
        type_: kind.to_owned(),
        status: status.to_owned(),
        reason: Some(reason.to_owned()),
        message: Some(message.to_owned()),
        last_probe_time: Some(now.clone()),
        last_transition_time: Some(now.clone()),
    }
}

/// Sets a condition; says whether that changed something (`ensureJobConditionStatus`).
pub(super) fn ensure(status: &mut batch::JobStatus, condition: batch::JobCondition) -> bool {
    let conditions = status.conditions.get_or_insert_default();
    if let Some(known) = conditions.iter_mut().find(|known| known.type_ == condition.type_) {
        let same =
            known.status == condition.status && known.reason == condition.reason && known.message == condition.message;
        if !same {
            *known = condition;
        }
        return !same;
    }
    let added = condition.status != "False";
    if added {
        conditions.push(condition);
    } else if conditions.is_empty() {
        status.conditions = None;
    }
    added
}
