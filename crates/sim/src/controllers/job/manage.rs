//! How many pods a Job has at a time (`pkg/controller/job/job_controller.go manageJob`).

use crate::core;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::backoff::{BackoffRecord, finished_at, remaining};
use super::context::{Context, pod};
use super::indexes::{
    COMPLETION_INDEX, FAILURE_COUNT, IGNORED_FAILURE_COUNT, failure_count, ignored_failure_count, index_of,
};
use super::{BATCH_PERIOD, COMPONENT, Jobs, TRACKING_FINALIZER, has_tracking_finalizer, policy, remove_finalizer};
use crate::controllers::int32;
use crate::controllers::pods::{self, MAX_PER_SYNC};
use crate::controllers::replicaset::ranking::compare_active;
use crate::objects::{Key, Object, is_terminal};
use crate::request::Status;
use crate::store::Stored;
use crate::time::SimDuration;
use crate::world::World;

impl Jobs {
    /// Creates or deletes pods; gives the number of active ones after that.
    pub(super) fn manage(
        &mut self,
        w: &mut World,
        key: &Key,
        c: &mut Context,
        record: BackoffRecord,
    ) -> (i32, Result<(), Status>) {
        let active = int32(c.active.len());
        let spec = c.spec();
        if c.is_suspended() {
            let all = for_removal(c, c.active.len());
            return delete(w, c, &all);
        }
        let parallelism = spec.parallelism.unwrap_or(1);
        let wanted = match spec.completions {
            // A work queue: once one pod has succeeded, no other is begun.
            None if c.succeeded > 0 => active,
            None => parallelism,
            Some(completions) => (completions - c.succeeded).min(parallelism).max(0),
        };
        let surplus = usize::try_from(active - wanted).unwrap_or(0);
        let mut too_many = for_removal(c, surplus);
        too_many.truncate(MAX_PER_SYNC);
        if !too_many.is_empty() {
            return delete(w, c, &too_many);
        }
        let leaving = if c.only_replaces_failed() { c.terminating } else { 0 };
        let mut missing = usize::try_from(wanted - leaving - active)
            .unwrap_or(0)
            .min(MAX_PER_SYNC);
        if missing == 0 {
            return (active, Ok(()));
        }
        let now = w.wall(w.now);
        if c.limit_per_index().is_none() && !self.has_waited(w, key, record.remaining(now), record.failures) {
            return (0, Ok(()));
        }
        let mut indexes: Option<Vec<usize>> = None;
        if c.is_indexed() {
            let mut pending = first_pending(c, missing);
            if c.limit_per_index().is_some() {
                let (due, wait) = due_indexes(c, pending, now);
                if let Some(wait) = wait.filter(|_| due.is_empty()) {
                    self.has_waited(w, key, wait, 1);
                    return (0, Ok(()));
                }
                pending = due;
            }
            missing = pending.len();
            indexes = Some(pending);
        }
        let owner = Object::from(c.job.clone());
        let (wanted_text, active_text) = (wanted.to_string(), active.to_string());
        let values = [("wanted", wanted_text.as_str()), ("active", active_text.as_str())];
        let rule = "pkg/controller/job/job_controller.go manageJob";
        let decision = w.decide(owner.reference(), None, rule, "job.too-few", &values);
        let causes = std::mem::replace(&mut w.causes, vec![decision]);
        let mut created = 0;
        let outcome = pods::slow_start(missing, |position| {
            let index = indexes.as_ref().and_then(|indexes| indexes.get(position).copied());
            pods::create(w, COMPONENT, &owner, new_pod(c, &owner, index))?;
            created += 1;
            Ok(())
        });
        w.causes = causes;
        (active + created, outcome)
    }

    /// Whether a wait is over; if not, the Job is looked at again when it is.
    fn has_waited(&mut self, w: &mut World, key: &Key, wait: SimDuration, failures: i32) -> bool {
        if wait == SimDuration::ZERO {
            return true;
        }
        let reference = w
            .get(key)
            .map(|stored| Arc::clone(&stored.reference))
            .unwrap_or_default();
        let (seconds, failures) = (wait.to_string(), failures.to_string());
        let values = [("wait", seconds.as_str()), ("failures", failures.as_str())];
        let rule = "pkg/controller/job/backoff_utils.go getRemainingTimeForFailuresCount";
        let decision = w.decide(reference, None, rule, "job.backoff", &values);
        let causes = std::mem::replace(&mut w.causes, vec![decision]);
        self.queue.add_after(w, key.clone(), wait.max(BATCH_PERIOD));
        w.causes = causes;
        false
    }
}

/// A pod of the Job, with its index if it has one.
fn new_pod(c: &Context, owner: &Object, index: Option<usize>) -> core::Pod {
    let spec = c.spec();
    let mut pod = pods::from_template(&spec.template, owner);
    let finalizers = pod.metadata.finalizers.get_or_insert_default();
    if !finalizers.iter().any(|finalizer| finalizer == TRACKING_FINALIZER) {
        finalizers.push(TRACKING_FINALIZER.to_owned());
    }
    let Some(index) = index else { return pod };
    let job = owner.name();
    let suffix = format!("-{index}-");
    let room = 58_usize.saturating_sub(suffix.len());
    let prefix: String = job.chars().take(room).collect();
    pod.metadata.generate_name = Some(format!("{prefix}{suffix}"));
    let annotations = pod.metadata.annotations.get_or_insert_default();
    annotations.insert(COMPLETION_INDEX.to_owned(), index.to_string());
    if c.limit_per_index().is_some() {
        let replaced = c
            .delayed
            .iter()
            .find(|(own, _)| *own == index)
            .and_then(|(_, stored)| stored.object.as_pod());
        let (failures, ignored) = next_failure_counts(c, replaced);
        annotations.insert(FAILURE_COUNT.to_owned(), failures.to_string());
        if ignored > 0 {
            annotations.insert(IGNORED_FAILURE_COUNT.to_owned(), ignored.to_string());
        }
    }
    pod.metadata
        .labels
        .get_or_insert_default()
        .insert(COMPLETION_INDEX.to_owned(), index.to_string());
    if let Some(spec) = pod.spec.as_deref_mut() {
        spec.hostname = Some(format!("{job}-{index}"));
        for container in spec.init_containers.iter_mut().flatten().chain(&mut spec.containers) {
            add_index_variable(container);
        }
    }
    pod
}

fn add_index_variable(container: &mut core::Container) {
    const NAME: &str = "JOB_COMPLETION_INDEX";
    let variables = container.env.get_or_insert_default();
    if variables.iter().any(|variable| variable.name == NAME) {
        return;
    }
    variables.push(core::EnvVar {
        name: NAME.to_owned(),
        value: None,
        value_from: Some(core::EnvVarSource {
            field_ref: Some(core::ObjectFieldSelector {
                api_version: Some("v1".to_owned()),
                field_path: format!("metadata.labels['{COMPLETION_INDEX}']"),
            }),
            ..core::EnvVarSource::default()
        }),
    });
}

/// Failures of an index, counted and ignored, after the pod that is replaced (`getNewIndexFailureCounts`).
fn next_failure_counts(c: &Context, replaced: Option<&core::Pod>) -> (i32, i32) {
    let Some(pod) = replaced else { return (0, 0) };
    let policy = c.job.spec.as_ref().and_then(|spec| spec.pod_failure_policy.as_ref());
    let counts = policy::judge(policy, pod).counts;
    (
        failure_count(pod) + i32::from(counts),
        ignored_failure_count(pod) + i32::from(!counts),
    )
}

/// Deletes pods after taking their finalizers off: they are not counted, they are not wanted (`deleteJobPods`).
fn delete(w: &mut World, c: &mut Context, unwanted: &[Arc<Stored>]) -> (i32, Result<(), Status>) {
    let owner = Object::from(c.job.clone());
    let mut outcome = Ok(());
    for stored in unwanted {
        remove_finalizer(w, &stored.object);
        let Some(pod) = stored.object.as_pod() else { continue };
        match pods::delete(w, COMPONENT, &owner, pod) {
            Ok(()) => {
                c.terminating += 1;
                c.ready -= i32::from(pods::is_ready(pod));
            }
            Err(status) => outcome = Err(status),
        }
    }
    let removed = if outcome.is_ok() { unwanted.len() } else { 0 };
    (int32(c.active.len() - removed), outcome)
}

/// At least `count` pods to remove: first all but one of each index, then those that cost least
/// (`activePodsForRemoval`).
fn for_removal(c: &Context, count: usize) -> Vec<Arc<Stored>> {
    let mut removed: Vec<Arc<Stored>> = Vec::new();
    let mut left: Vec<Arc<Stored>> = Vec::new();
    if c.is_indexed() {
        let mut by_index: BTreeMap<Option<usize>, Vec<Arc<Stored>>> = BTreeMap::new();
        for stored in &c.active {
            let index = pod(stored).and_then(|pod| c.valid_index(pod));
            by_index.entry(index).or_default().push(Arc::clone(stored));
        }
        for (index, mut pods) in by_index {
            if index.is_some() {
                sort(&mut pods);
                left.extend(pods.pop());
            }
            removed.extend(pods);
        }
    } else {
        left.extend(c.active.iter().cloned());
    }
    if removed.len() < count {
        sort(&mut left);
        left.truncate(count - removed.len());
        removed.extend(left);
    }
    removed
}

fn sort(pods: &mut [Arc<Stored>]) {
    pods.sort_by(|a, b| match (pod(a), pod(b)) {
        (Some(a), Some(b)) => compare_active(a, b),
        _ => std::cmp::Ordering::Equal,
    });
}

/// The first indexes without a pod that have neither succeeded nor failed for good (`firstPendingIndexes`).
fn first_pending(c: &Context, count: usize) -> Vec<usize> {
    let mut taken = c.succeeded_indexes.clone();
    taken.extend(c.active.iter().filter_map(|stored| index_of(pod(stored)?)));
    if c.only_replaces_failed() {
        let leaving = |pod: &&core::Pod| pod.metadata.deletion_timestamp.is_some() && !is_terminal(pod);
        taken.extend(
            c.pods
                .iter()
                .filter_map(|stored| pod(stored))
                .filter(leaving)
                .filter_map(index_of),
        );
    }
    let failed = c.failed_indexes.clone().unwrap_or_default();
    taken.extend((0..c.completions()).filter(|index| failed.has(*index)));
    taken.first_missing(count, c.completions())
}

/// For each index that still may try again: the failed pod that its next pod succeeds
/// (`getPodsWithDelayedDeletionPerIndex`).
pub(super) fn delayed_pods(c: &Context) -> Vec<(usize, Arc<Stored>)> {
    let active: BTreeSet<usize> = c.active.iter().filter_map(|stored| index_of(pod(stored)?)).collect();
    let failed_for_good = c.failed_indexes.clone().unwrap_or_default();
    let mut found: BTreeMap<usize, Arc<Stored>> = BTreeMap::new();
    for stored in &c.pods {
        let Some(pod) = pod(stored).filter(|pod| has_tracking_finalizer(pod) && c.is_failed(pod)) else {
            continue;
        };
        let Some(index) = c.valid_index(pod) else { continue };
        if c.succeeded_indexes.has(index) || failed_for_good.has(index) || active.contains(&index) {
            continue;
        }
        let age = |pod: &core::Pod| (failure_count(pod) + ignored_failure_count(pod), finished_at(pod));
        let newer = found
            .get(&index)
            .and_then(|known| known.object.as_pod())
            .is_none_or(|known| {
                let (known, own) = (age(known), age(pod));
                known.0 <= own.0 && own.1 >= known.1
            });
        if newer {
            found.insert(index, Arc::clone(stored));
        }
    }
    found.into_iter().collect()
}

/// Which of the indexes may have their next pod now, and else how long the first has to wait.
fn due_indexes(c: &Context, indexes: Vec<usize>, now: jiff::Timestamp) -> (Vec<usize>, Option<SimDuration>) {
    let mut due = Vec::new();
    let mut shortest: Option<SimDuration> = None;
    for index in indexes {
        let failed = c
            .delayed
            .iter()
            .find(|(own, _)| *own == index)
            .and_then(|(_, stored)| stored.object.as_pod());
        let wait = failed.map_or(SimDuration::ZERO, |pod| {
            let failures = failure_count(pod) + ignored_failure_count(pod) + 1;
            remaining(failures, Some(finished_at(pod)), now)
        });
        if wait == SimDuration::ZERO {
            due.push(index);
        } else {
            shortest = Some(shortest.map_or(wait, |known| known.min(wait)));
        }
    }
    (due, shortest)
}
