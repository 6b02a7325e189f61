//! How finished pods are counted: first their UIDs go into the status, then their finalizers go, then the counts take them
//! in (`pkg/controller/job/job_controller.go trackJobStatusAndRemoveFinalizers`).

use crate::core;
use std::collections::BTreeSet;
use std::sync::Arc;

use k8s_openapi::api::batch::v1 as batch;

use super::backoff::BackoffRecord;
use super::context::{Context, condition, ensure, find, pod};
use super::indexes::index_of;
use super::{COMPONENT, Jobs, has_tracking_finalizer, policy, remove_finalizer};
use crate::controllers::{int32, nonzero, pods};
use crate::objects::{Key, Object, phase};
use crate::store::Stored;
use crate::world::World;

/// Most pods that one round counts (`MaxUncountedPods`).
const MAX_UNCOUNTED: usize = 500;

fn uid(pod: &core::Pod) -> &str {
    pod.metadata.uid.as_deref().unwrap_or_default()
}

impl Jobs {
    pub(super) fn track(&mut self, w: &mut World, key: &Key, c: &mut Context, record: BackoffRecord, flush: bool) {
        let mut flush = flush;
        let mut with_finalizer: BTreeSet<String> = c
            .pods
            .iter()
            .filter_map(|stored| pod(stored))
            .filter(|pod| has_tracking_finalizer(pod))
            .map(|pod| uid(pod).to_owned())
            .collect();
        flush |= clean_uncounted(c.status(), &with_finalizer);
        let (to_release, full) = self.count_pods(c, &mut flush);
        self.write_indexes(c, &mut flush);
        let now = w.time();
        if let Some(finished) = c.finished.clone() {
            let (reason, message) = (
                finished.reason.clone().unwrap_or_default(),
                finished.message.clone().unwrap_or_default(),
            );
            if finished.type_ == "FailureTarget" {
                c.status().conditions.get_or_insert_default().push(finished);
                flush = true;
                c.finished = Some(condition(&now, "Failed", "True", &reason, &message));
            } else if finished.type_ == "SuccessCriteriaMet" {
                if find(&c.job, "SuccessCriteriaMet").is_none() {
                    c.status().conditions.get_or_insert_default().push(finished);
                    flush = true;
                }
                c.finished = Some(condition(&now, "Complete", "True", &reason, &message));
            }
        }
        if flush {
            write(w, c);
            self.backoffs.insert(key.clone(), record);
            flush = false;
        }
        for stored in &to_release {
            remove_finalizer(w, &stored.object);
            with_finalizer.remove(stored.object.uid());
        }
        flush |= clean_uncounted(c.status(), &with_finalizer);
        let ended = !full && end(w, c);
        if flush || ended {
            write(w, c);
        }
        if ended {
            announce(w, c);
        }
    }

    /// Puts pods that have ended into the status; gives those whose finalizer goes, and whether there were too many for one
    /// round.
    fn count_pods(&self, c: &mut Context, flush: &mut bool) -> (Vec<Arc<Stored>>, bool) {
        let mut to_release = Vec::new();
        let mut uncounted = c.uncounted();
        let policy = c.spec().pod_failure_policy;
        let known_failed: BTreeSet<String> = uncounted.failed.iter().flatten().cloned().collect();
        let known_succeeded: BTreeSet<String> = uncounted.succeeded.iter().flatten().cloned().collect();
        let failing = c
            .finished
            .as_ref()
            .is_some_and(|finished| !matches!(finished.type_.as_str(), "SuccessCriteriaMet" | "Complete"));
        let mut pods: Vec<Arc<Stored>> = c.pods.clone();
        if c.is_indexed() {
            pods.sort_by_key(|stored| pod(stored).and_then(index_of));
        }
        let mut new_indexes = Vec::new();
        let mut full = false;
        for stored in pods {
            let Some(pod) = pod(&stored).filter(|pod| has_tracking_finalizer(pod)) else {
                continue;
            };
            let failed = c.is_failed(pod);
            if !can_release(c, pod, failed) {
                continue;
            }
            to_release.push(Arc::clone(&stored));
            let index = c.valid_index(pod);
            if phase(pod) == "Succeeded" && !known_failed.contains(uid(pod)) {
                if c.is_indexed() {
                    if let Some(index) = index.filter(|index| !c.previous_indexes.has(*index)) {
                        new_indexes.push(index);
                        *flush = true;
                    }
                } else if !known_succeeded.contains(uid(pod)) {
                    uncounted.succeeded.get_or_insert_default().push(uid(pod).to_owned());
                    *flush = true;
                }
            } else if (failed || failing)
                && !known_failed.contains(uid(pod))
                && (!c.is_indexed() || index.is_some())
                && policy::judge(policy.as_ref(), pod).counts
            {
                uncounted.failed.get_or_insert_default().push(uid(pod).to_owned());
                *flush = true;
            }
            let length = |list: &Option<Vec<String>>| list.as_ref().map_or(0, Vec::len);
            if new_indexes.len() + length(&uncounted.succeeded) + length(&uncounted.failed) >= MAX_UNCOUNTED {
                full = true;
                break;
            }
        }
        c.succeeded_indexes.extend(new_indexes);
        c.status().uncounted_terminated_pods = Some(uncounted);
        (to_release, full)
    }

    fn write_indexes(&self, c: &mut Context, flush: &mut bool) {
        if !c.is_indexed() {
            return;
        }
        let text = Some(c.succeeded_indexes.to_string()).filter(|text| !text.is_empty());
        let succeeded = int32(c.succeeded_indexes.total());
        let failed = c.failed_indexes.as_ref().map(ToString::to_string);
        let status = c.status();
        *flush |= status.completed_indexes != text || status.failed_indexes != failed;
        status.succeeded = nonzero(succeeded);
        status.completed_indexes = text;
        status.failed_indexes = failed;
    }
}

/// Whether a pod need not be kept for counting any more (`canRemoveFinalizer`).
fn can_release(c: &Context, pod: &core::Pod, failed: bool) -> bool {
    if c.job.metadata.deletion_timestamp.is_some() || c.finished.is_some() || phase(pod) == "Succeeded" {
        return true;
    }
    // The failed pod of an index stays until its successor exists, which takes over its count.
    failed && !c.delayed.iter().any(|(_, stored)| stored.object.uid() == uid(pod))
}

/// Counts pods whose finalizer is gone (`cleanUncountedPodsWithoutFinalizers`).
fn clean_uncounted(status: &mut batch::JobStatus, with_finalizer: &BTreeSet<String>) -> bool {
    let mut counted = (0, 0);
    let uncounted = status.uncounted_terminated_pods.get_or_insert_default();
    for (list, count) in [
        (&mut uncounted.succeeded, &mut counted.0),
        (&mut uncounted.failed, &mut counted.1),
    ] {
        if let Some(uids) = list {
            let before = uids.len();
            uids.retain(|uid| with_finalizer.contains(uid));
            *count = int32(before - uids.len());
            if uids.is_empty() {
                *list = None;
            }
        }
    }
    status.succeeded = nonzero(status.succeeded.unwrap_or(0) + counted.0);
    status.failed = nonzero(status.failed.unwrap_or(0) + counted.1);
    counted != (0, 0)
}

/// Gives the Job its last condition, unless pods are still to be counted or to go (`enactJobFinished`).
fn end(w: &World, c: &mut Context) -> bool {
    let Some(mut finished) = c.finished.clone() else {
        return false;
    };
    let uncounted = c.uncounted();
    if uncounted.succeeded.is_some() || uncounted.failed.is_some() || c.delays_end() && c.terminating > 0 {
        return false;
    }
    let now = w.time();
    finished.last_probe_time = Some(now.clone());
    finished.last_transition_time = Some(now.clone());
    if finished.type_ == "Complete" {
        c.status().completion_time = Some(now);
    }
    ensure(c.status(), finished);
    true
}

fn write(w: &mut World, c: &mut Context) {
    if let Some(stored) = w.update(c.job.clone().into())
        && let Object::Job(job) = &stored.object
    {
        c.job = job.clone();
    }
}

/// Says that the Job has ended (`recordJobFinished`).
fn announce(w: &mut World, c: &Context) {
    let Some(finished) = &c.finished else { return };
    let owner = Object::from(c.job.clone());
    if finished.type_ != "Complete" {
        let (reason, message) = (
            finished.reason.clone().unwrap_or_default(),
            finished.message.clone().unwrap_or_default(),
        );
        return pods::emit(w, COMPONENT, &owner, "Warning", &reason, message);
    }
    let succeeded = c.job.status.as_ref().and_then(|status| status.succeeded).unwrap_or(0);
    if c.spec().completions.is_some_and(|completions| succeeded > completions) {
        let text = "Too many succeeded pods running after completion count reached";
        pods::emit(w, COMPONENT, &owner, "Warning", "TooManySucceededPods", text.to_owned());
    }
    pods::emit(w, COMPONENT, &owner, "Normal", "Completed", "Job completed".to_owned());
}
