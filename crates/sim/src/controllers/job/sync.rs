//! One sync of a Job (`pkg/controller/job/job_controller.go syncJob`).

use crate::core;
use std::collections::BTreeSet;

use super::context::{Context, condition, ensure, find, pod};
use super::indexes::{Indexes, failure_count};
use super::{COMPONENT, Jobs, backoff, has_tracking_finalizer, is_finished, policy};
use crate::controllers::{int32, nonzero, pods};
use crate::objects::{Key, Kind, Object, phase, reference_to};
use crate::request::Status;
use crate::time::SimDuration;
use crate::version::Gate;
use crate::world::World;

impl Jobs {
    pub(super) fn sync(&mut self, w: &mut World, key: &Key) -> Result<(), Status> {
        let Some(stored) = w.get(key).cloned() else {
            self.backoffs.remove(key);
            return Ok(());
        };
        let Object::Job(job) = &stored.object else {
            return Ok(());
        };
        let Some(spec) = job.spec.clone() else { return Ok(()) };
        let foreign = spec
            .managed_by
            .as_deref()
            .is_some_and(|name| name != "kubernetes.io/job-controller");
        if foreign || is_finished(job) {
            return Ok(());
        }
        let selector = spec.selector.clone().unwrap_or_default();
        let claimed = pods::claim(w, &stored.object, Kind::Pod, &selector, |_| true);
        let mut c = Context::new(w.version, job.clone(), claimed);
        c.status().uncounted_terminated_pods.get_or_insert_default();
        let (new_succeeded, new_failed) = new_finished(&c);
        let uncounted = c.uncounted();
        let status = c.job.status.clone().unwrap_or_default();
        let ignored = |pod: &&core::Pod| !policy::judge(spec.pod_failure_policy.as_ref(), pod).counts;
        let counted_failures = new_failed.len() - new_failed.iter().filter(|pod| ignored(pod)).count();
        let uncounted_of = |list: &Option<Vec<String>>| list.as_ref().map_or(0, Vec::len);
        let succeeded = status.succeeded.unwrap_or(0) + int32(new_succeeded.len() + uncounted_of(&uncounted.succeeded));
        let failed = status.failed.unwrap_or(0) + int32(counted_failures + uncounted_of(&uncounted.failed));
        let record = self.backoffs.get(key).copied().unwrap_or_default().after(
            new_succeeded.iter().map(|pod| backoff::finished_at(pod)).collect(),
            new_failed.iter().map(|pod| backoff::finished_at(pod)).collect(),
        );
        c.succeeded = succeeded;
        c.failed = failed;
        let time = w.time();
        if status.start_time.is_none() && !c.is_suspended() {
            c.status().start_time = Some(time.clone());
        }
        self.judge_failure(w, key, &mut c);
        if c.is_indexed() {
            self.judge_indexes(w, &mut c);
        }
        let mut active = int32(c.active.len());
        let mut suspend_changed = false;
        let mut outcome = Ok(());
        if c.finished.is_some() {
            self.record_end(w, &c);
            let (deleted_ready, deleted, result) = delete_active(w, &c);
            if deleted != active {
                c.finished = None;
            }
            active -= deleted;
            c.terminating += deleted;
            c.ready -= deleted_ready;
            outcome = result;
        } else {
            let managed = job.metadata.deletion_timestamp.is_none();
            if managed {
                (active, outcome) = self.manage(w, key, &mut c, record);
            }
            let complete = active == 0
                && match spec.completions {
                    None => c.succeeded > 0,
                    Some(completions) => c.succeeded >= completions,
                };
            if complete {
                let text = "Reached expected number of succeeded pods";
                c.finished = Some(if c.delays_end() {
                    condition(&time, "SuccessCriteriaMet", "True", "CompletionsReached", text)
                } else {
                    condition(&time, "Complete", "True", "", "")
                });
                self.record_end(w, &c);
            } else if managed {
                suspend_changed = note_suspension(w, &mut c);
            }
        }
        let ready = c.ready;
        let terminating = Some(c.terminating).filter(|_| c.version.enabled(Gate::JobPodReplacementPolicy));
        let old = c.job.status.clone().unwrap_or_default();
        let flush = suspend_changed
            || active != old.active.unwrap_or(0)
            || old.ready != Some(ready)
            || old.terminating != terminating;
        let status = c.status();
        status.active = nonzero(active);
        status.ready = Some(ready);
        status.terminating = terminating;
        self.track(w, key, &mut c, record, flush);
        outcome
    }

    fn record_end(&self, w: &mut World, c: &Context) {
        let Some(finished) = &c.finished else { return };
        let values = [
            ("condition", finished.type_.as_str()),
            ("reason", finished.reason.as_deref().unwrap_or_default()),
            ("message", finished.message.as_deref().unwrap_or_default()),
        ];
        let rule = "pkg/controller/job/job_controller.go syncJob";
        let reference = reference_to(Kind::Job, &c.job.metadata);
        let decision = w.decide(reference, None, rule, "job.finished", &values);
        w.causes = vec![decision];
    }

    /// Whether the Job has failed: by its policy, its back-off limit or its deadline.
    fn judge_failure(&mut self, w: &mut World, key: &Key, c: &mut Context) {
        let spec = c.spec();
        let now = w.time();
        let condition_true = |kind: &str| {
            find(&c.job, kind)
                .filter(|condition| condition.status == "True")
                .cloned()
        };
        if let Some(met) = condition_true("SuccessCriteriaMet") {
            c.finished = Some(met);
            return;
        }
        if let Some(target) = condition_true("FailureTarget") {
            let (reason, message) = (target.reason.unwrap_or_default(), target.message.unwrap_or_default());
            c.finished = Some(condition(&now, "Failed", "True", &reason, &message));
            return;
        }
        let kind = failure(c);
        let fail = |reason: &str, message: &str| Some(condition(&now, kind, "True", reason, message));
        if let Some(message) = fail_job_message(c) {
            c.finished = Some(condition(&now, "FailureTarget", "True", "PodFailurePolicy", &message));
            return;
        }
        if c.failed > spec.backoff_limit.unwrap_or(6) || past_backoff_limit_on_failure(c) {
            c.finished = fail("BackoffLimitExceeded", "Job has reached the specified backoff limit");
            return;
        }
        let start = c.job.status.as_ref().and_then(|status| status.start_time.clone());
        if let (Some(seconds), Some(start), false) = (spec.active_deadline_seconds, start, c.is_suspended()) {
            let deadline = w.virtual_time(start.0) + SimDuration::from_secs(u64::try_from(seconds).unwrap_or(0));
            if w.now >= deadline {
                c.finished = fail("DeadlineExceeded", "Job was active longer than specified deadline");
            } else {
                self.queue.add_after(w, key.clone(), deadline.since(w.now));
            }
        }
    }

    /// What the indexes say: which succeeded, which failed for good, and whether that ends the Job.
    fn judge_indexes(&mut self, w: &World, c: &mut Context) {
        let (spec, now, completions) = (c.spec(), w.time(), c.completions());
        let status = c.job.status.clone().unwrap_or_default();
        c.previous_indexes = Indexes::parse(status.completed_indexes.as_deref().unwrap_or_default(), completions);
        c.succeeded_indexes = c.previous_indexes.clone();
        let tracked = |holds: &dyn Fn(&core::Pod) -> bool| -> Vec<usize> {
            let pods = c.pods.iter().filter_map(|stored| pod(stored));
            let pods = pods.filter(|pod| has_tracking_finalizer(pod) && holds(pod));
            pods.filter_map(|pod| c.valid_index(pod)).collect()
        };
        let succeeded = tracked(&|pod| phase(pod) == "Succeeded");
        let failed = spec
            .backoff_limit_per_index
            .map(|limit| tracked(&|pod| is_index_failed(c, pod, limit)));
        c.succeeded_indexes.extend(succeeded);
        c.succeeded = int32(c.succeeded_indexes.total());
        let kind = failure(c);
        let fail = |reason: &str, message: &str| Some(condition(&now, kind, "True", reason, message));
        if let Some(failed) = failed {
            let mut indexes = Indexes::parse(status.failed_indexes.as_deref().unwrap_or_default(), completions);
            indexes.extend(failed);
            if c.finished.is_none() {
                let most = spec.max_failed_indexes.and_then(|most| usize::try_from(most).ok());
                if most.is_some_and(|most| indexes.total() > most) {
                    let text = "Job has exceeded the specified maximal number of failed indexes";
                    c.finished = fail("MaxFailedIndexesExceeded", text);
                } else if !indexes.is_empty() && indexes.total() + c.succeeded_indexes.total() >= completions {
                    c.finished = fail("FailedIndexes", "Job has failed indexes");
                }
            }
            c.failed_indexes = Some(indexes);
            c.delayed = super::manage::delayed_pods(c);
        }
        if c.finished.is_none()
            && let Some(text) = policy::success(spec.success_policy.as_ref(), completions, &c.succeeded_indexes)
        {
            c.finished = Some(condition(&now, "SuccessCriteriaMet", "True", "SuccessPolicy", &text));
        }
    }
}

/// The condition that a Job which has failed gets next (`newFailureCondition`).
fn failure(c: &Context) -> &'static str {
    if c.delays_end() { "FailureTarget" } else { "Failed" }
}

/// Pods that have succeeded and pods that have failed since they were counted last (`getNewFinishedPods`).
fn new_finished(c: &Context) -> (Vec<&core::Pod>, Vec<&core::Pod>) {
    let uncounted = c.uncounted();
    let set = |list: Option<Vec<String>>| -> BTreeSet<String> { list.into_iter().flatten().collect() };
    let (succeeded, failed) = (set(uncounted.succeeded), set(uncounted.failed));
    (
        c.valid_pods(succeeded, |pod| phase(pod) == "Succeeded").collect(),
        c.valid_pods(failed, |pod| c.is_failed(pod)).collect(),
    )
}

/// The message of the first failed pod for which the policy fails the whole Job (`getFailJobMessage`).
fn fail_job_message(c: &Context) -> Option<String> {
    let policy = c.job.spec.as_ref()?.pod_failure_policy.as_ref()?;
    let failed = c
        .pods
        .iter()
        .filter_map(|stored| pod(stored))
        .filter(|pod| c.is_failed(pod));
    failed
        .map(|pod| policy::judge(Some(policy), pod))
        .find_map(|verdict| verdict.job_failure)
}

/// With `OnFailure` the restarts of containers count (`pastBackoffLimitOnFailure`).
fn past_backoff_limit_on_failure(c: &Context) -> bool {
    let Some(spec) = &c.job.spec else { return false };
    if spec
        .template
        .spec
        .as_ref()
        .and_then(|spec| spec.restart_policy.as_deref())
        != Some("OnFailure")
    {
        return false;
    }
    let restarts: i32 = c
        .pods
        .iter()
        .filter_map(|stored| pod(stored))
        .filter(|pod| matches!(phase(pod), "Running" | "Pending"))
        .filter_map(|pod| pod.status.as_ref())
        .flat_map(|status| {
            status
                .init_container_statuses
                .iter()
                .flatten()
                .chain(status.container_statuses.iter().flatten())
        })
        .map(|container| container.restart_count)
        .sum();
    match spec.backoff_limit.unwrap_or(6) {
        0 => restarts > 0,
        limit => restarts >= limit,
    }
}

/// Whether this pod's failure uses up its index's limit, or the policy says so (`isIndexFailed`).
fn is_index_failed(c: &Context, pod: &core::Pod, limit: i32) -> bool {
    if !c.is_failed(pod) {
        return false;
    }
    let verdict = policy::judge(
        c.job.spec.as_ref().and_then(|spec| spec.pod_failure_policy.as_ref()),
        pod,
    );
    verdict.action.as_deref() == Some("FailIndex") || verdict.counts && failure_count(pod) >= limit
}

/// Deletes all active pods; says how many were ready and how many are gone (`deleteActivePods`).
fn delete_active(w: &mut World, c: &Context) -> (i32, i32, Result<(), Status>) {
    let owner = Object::from(c.job.clone());
    let (mut ready, mut deleted, mut outcome) = (0, 0, Ok(()));
    for pod in c.active.iter().filter_map(|stored| pod(stored)) {
        match pods::delete(w, COMPONENT, &owner, pod) {
            Ok(()) => deleted += 1,
            Err(status) => outcome = Err(status),
        }
        ready += i32::from(pods::is_ready(pod));
    }
    (ready, deleted, outcome)
}

/// Says that the Job was suspended or resumed; the clock of its deadline starts anew.
fn note_suspension(w: &mut World, c: &mut Context) -> bool {
    let now = w.time();
    let suspended = c.is_suspended();
    let (status, reason, text) = if suspended {
        ("True", "JobSuspended", "Job suspended")
    } else {
        ("False", "JobResumed", "Job resumed")
    };
    if !ensure(c.status(), condition(&now, "Suspended", status, reason, text)) {
        return false;
    }
    c.status().start_time = (!suspended).then_some(now);
    let owner = Object::from(c.job.clone());
    pods::emit(
        w,
        COMPONENT,
        &owner,
        "Normal",
        if suspended { "Suspended" } else { "Resumed" },
        text.to_owned(),
    );
    true
}
