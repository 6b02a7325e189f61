//! The CronJob controller: Jobs at given times (`pkg/controller/cronjob`).

pub mod missed;
pub mod schedule;

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::batch::v1 as batch;
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};

use self::missed::{Missed, Since};
use self::schedule::Schedule;
use super::controller_key;
use super::pods::emit;
use super::workqueue::{Outcome, Reconciler, WorkQueue};
use crate::objects::{Key, Kind, Object, controller_of, controller_reference};
use crate::registry::DeleteOptions;
use crate::request::Status;
use crate::time::SimDuration;
use crate::trace::RecordId;
use crate::world::{Controller, World};

/// The name under which it reports events.
const COMPONENT: &str = "cronjob-controller";
/// The annotation with the time that a Job was made for.
const SCHEDULED: &str = "batch.kubernetes.io/cronjob-scheduled-timestamp";

/// The CronJob controller.
#[derive(Clone)]
pub struct CronJobs {
    pub(super) queue: WorkQueue,
}

impl CronJobs {
    /// With nothing to do.
    pub fn new() -> Self {
        Self {
            queue: WorkQueue::new(Controller::CronJob),
        }
    }

    /// Adds the CronJob, or the one that a Job belongs to.
    pub(crate) fn on_notify(&mut self, w: &mut World, key: &Key, record: RecordId) {
        if key.kind == Kind::CronJob {
            return self.queue.add(w, key.clone());
        }
        let Some(written) = w.written(record).map(|write| Arc::clone(&write.stored)) else {
            return;
        };
        if let Some(owner) = controller_key(&written.object, Kind::CronJob) {
            self.queue.add(w, owner);
        }
    }

    fn sync(&mut self, w: &mut World, key: &Key) -> Result<(), Status> {
        let Some(stored) = w.get(key).cloned() else {
            return Ok(());
        };
        let Object::CronJob(mut cron) = stored.object.clone() else {
            return Ok(());
        };
        let jobs = owned(w, &stored.object);
        clean_up(w, &stored.object, &cron, &jobs);
        let jobs = owned(w, &stored.object);
        observe(w, &mut cron, &stored.object, &jobs);
        let outcome = if cron.metadata.deletion_timestamp.is_none() {
            self.start_due(w, key, &mut cron, &stored.object)
        } else {
            Ok(())
        };
        w.update(cron.into());
        outcome
    }

    /// Starts the Job that is due, and plans the next look (`syncCronJob`).
    fn start_due(&mut self, w: &mut World, key: &Key, cron: &mut batch::CronJob, owner: &Object) -> Result<(), Status> {
        let spec = cron.spec.clone();
        if spec.suspend == Some(true) {
            self.queue.cancel_wait(key);
            return Ok(());
        }
        if let Some(zone) = spec
            .time_zone
            .as_deref()
            .filter(|zone| !matches!(*zone, "UTC" | "Etc/UTC"))
        {
            w.notice(&format!(
                "not simulated: timeZone {zone} of a CronJob; its schedule is read in UTC"
            ));
        }
        let schedule = match Schedule::parse(&spec.schedule) {
            Ok(schedule) => schedule,
            Err(error) => {
                let text = format!("unparseable schedule: {:?} : {error}", spec.schedule);
                emit(w, COMPONENT, owner, "Warning", "UnparseableSchedule", text);
                return Ok(());
            }
        };
        let now = w.wall(w.now);
        let since = |cron: &batch::CronJob| Since {
            created: cron.metadata.creation_timestamp.as_ref().map_or(now, |time| time.0),
            last: cron
                .status
                .as_ref()
                .and_then(|status| status.last_schedule_time.as_ref())
                .map(|time| time.0),
            deadline: spec.starting_deadline_seconds,
        };
        let (due, missed) = match since(cron).due(now, &schedule) {
            Ok(found) => found,
            Err(error) => {
                let text = format!("invalid schedule: {} : {error}", spec.schedule);
                emit(w, COMPONENT, owner, "Warning", "InvalidSchedule", text);
                return Ok(());
            }
        };
        if missed == Missed::Many && due.is_some() {
            let text = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew";
            emit(w, COMPONENT, owner, "Warning", "TooManyMissedTimes", text.to_owned());
        }
        let outcome = match due {
            Some(due) => start(w, cron, owner, &spec, due, now),
            None => Ok(()),
        };
        if let Some(span) = since(cron).requeue(now, &schedule) {
            let span = SimDuration(u64::try_from(span.as_nanos()).unwrap_or(0));
            self.queue.add_after(w, key.clone(), span);
        }
        outcome
    }
}

impl Reconciler for CronJobs {
    fn queue(&mut self) -> &mut WorkQueue {
        &mut self.queue
    }

    fn reconcile(&mut self, w: &mut World, key: &Key) -> Outcome {
        self.sync(w, key).into()
    }
}

impl Default for CronJobs {
    fn default() -> Self {
        Self::new()
    }
}

/// The Jobs of a CronJob.
fn owned(w: &World, owner: &Object) -> Vec<batch::Job> {
    w.store
        .dependents(owner.uid())
        .filter_map(|stored| match &stored.object {
            Object::Job(job) => Some(job),
            _ => None,
        })
        .filter(|job| controller_of(&job.metadata).is_some_and(|reference| reference.uid == owner.uid()))
        .cloned()
        .collect()
}

/// `Complete` or `Failed`, once a Job has ended.
fn ended(job: &batch::Job) -> Option<&str> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    let ended = conditions
        .iter()
        .find(|condition| matches!(condition.type_.as_str(), "Complete" | "Failed") && condition.status == "True");
    ended.map(|condition| condition.type_.as_str())
}

fn name(job: &batch::Job) -> &str {
    job.metadata.name.as_deref().unwrap_or_default()
}

/// Takes finished and vanished Jobs off the list of active ones.
fn observe(w: &mut World, cron: &mut batch::CronJob, owner: &Object, jobs: &[batch::Job]) {
    let status = cron.status.get_or_insert_default();
    for job in jobs {
        let active = status
            .active
            .iter()
            .flatten()
            .any(|reference| reference.uid == job.metadata.uid);
        match ended(job) {
            None if !active => {
                let text = format!("Saw a job that the controller did not create or forgot: {}", name(job));
                emit(w, COMPONENT, owner, "Warning", "UnexpectedJob", text);
            }
            None => {}
            Some(how) => {
                if active {
                    if let Some(list) = &mut status.active {
                        list.retain(|reference| reference.uid != job.metadata.uid);
                    }
                    let text = format!("Saw completed job: {}, condition: {how}", name(job));
                    emit(w, COMPONENT, owner, "Normal", "SawCompletedJob", text);
                }
                let completed = job.status.as_ref().and_then(|status| status.completion_time.clone());
                if how == "Complete"
                    && completed.as_ref().map(|time| time.0) > status.last_successful_time.as_ref().map(|time| time.0)
                {
                    status.last_successful_time = completed;
                }
            }
        }
    }
    let gone: Vec<core::ObjectReference> = status
        .active
        .iter()
        .flatten()
        .filter(|reference| !jobs.iter().any(|job| job.metadata.uid == reference.uid))
        .cloned()
        .collect();
    for reference in gone {
        let text = format!(
            "Active job went missing: {}",
            reference.name.as_deref().unwrap_or_default()
        );
        emit(w, COMPONENT, owner, "Normal", "MissingJob", text);
        if let Some(list) = &mut status.active {
            list.retain(|own| own.uid != reference.uid);
        }
    }
    status.active = status.active.take().filter(|list| !list.is_empty());
}

/// Deletes the oldest finished Jobs beyond the history's limits (`cleanupFinishedJobs`).
fn clean_up(w: &mut World, owner: &Object, cron: &batch::CronJob, jobs: &[batch::Job]) {
    let spec = &cron.spec;
    let limits = [
        ("Complete", spec.successful_jobs_history_limit),
        ("Failed", spec.failed_jobs_history_limit),
    ];
    for (how, limit) in limits {
        let Some(limit) = limit.and_then(|limit| usize::try_from(limit).ok()) else {
            continue;
        };
        let mut finished: Vec<&batch::Job> = jobs.iter().filter(|job| ended(job) == Some(how)).collect();
        finished.sort_by_key(|job| {
            let start = job
                .status
                .as_ref()
                .and_then(|status| status.start_time.as_ref())
                .map(|time| time.0);
            (start, job.metadata.name.clone())
        });
        let surplus = finished.len().saturating_sub(limit);
        for job in finished.into_iter().take(surplus) {
            delete_job(w, owner, job);
        }
    }
}

fn delete_job(w: &mut World, owner: &Object, job: &batch::Job) {
    let key = Object::from(job.clone()).key();
    match w.delete(&key, &DeleteOptions::default()) {
        Ok(_) => emit(
            w,
            COMPONENT,
            owner,
            "Normal",
            "SuccessfulDelete",
            format!("Deleted job {}", name(job)),
        ),
        Err(status) if status.code == 404 => {}
        Err(status) => emit(
            w,
            COMPONENT,
            owner,
            "Warning",
            "FailedDelete",
            format!("Deleted job: {status}"),
        ),
    }
}

/// Starts the Job for a time, if nothing speaks against it.
fn start(
    w: &mut World,
    cron: &mut batch::CronJob,
    owner: &Object,
    spec: &batch::CronJobSpec,
    due: Timestamp,
    now: Timestamp,
) -> Result<(), Status> {
    let late = now.duration_since(due).as_secs();
    if spec.starting_deadline_seconds.is_some_and(|seconds| late > seconds) {
        let text = format!(
            "Missed scheduled time to start a job: {}",
            due.strftime("%a, %d %b %Y %H:%M:%S +0000")
        );
        emit(w, COMPONENT, owner, "Warning", "MissSchedule", text);
        return Ok(());
    }
    let status = cron.status.get_or_insert_default();
    // A Job is named after its time in minutes, so that none is started twice.
    let job_name = format!("{}-{}", owner.name(), due.as_second() / 60);
    let known = status
        .active
        .iter()
        .flatten()
        .any(|reference| reference.name.as_deref() == Some(&job_name));
    if known || status.last_schedule_time.as_ref().is_some_and(|last| last.0 == due) {
        return Ok(());
    }
    match spec.concurrency_policy.as_deref() {
        Some("Forbid") if status.active.is_some() => {
            let text = "Not starting job because prior execution is running and concurrency policy is Forbid";
            emit(w, COMPONENT, owner, "Normal", "JobAlreadyActive", text.to_owned());
            return Ok(());
        }
        Some("Replace") => {
            let active: Vec<batch::Job> = owned(w, owner)
                .into_iter()
                .filter(|job| {
                    status
                        .active
                        .iter()
                        .flatten()
                        .any(|reference| reference.uid == job.metadata.uid)
                })
                .collect();
            for job in &active {
                delete_job(w, owner, job);
            }
            status.active = None;
        }
        _ => {}
    }
    let template = spec.job_template.clone();
    let meta = template.metadata.unwrap_or_default();
    let mut annotations = meta.annotations.unwrap_or_default();
    annotations.insert(SCHEDULED.to_owned(), due.to_string());
    let job = batch::Job {
        metadata: ObjectMeta {
            name: Some(job_name.clone()),
            namespace: Some(owner.namespace().to_owned()),
            labels: meta.labels,
            annotations: Some(annotations),
            owner_references: Some(vec![controller_reference(owner)]),
            ..ObjectMeta::default()
        },
        spec: template.spec,
        status: None,
    };
    let due_text = due.to_string();
    let values = [("job", job_name.as_str()), ("time", due_text.as_str())];
    let rule = "pkg/controller/cronjob/cronjob_controllerv2.go syncCronJob";
    let decision = w.decide(owner.reference(), None, rule, "cronjob.start", &values);
    let causes = std::mem::replace(&mut w.causes, vec![decision]);
    let created = w.create(job.into());
    let created = match created {
        Ok(created) => created,
        Err(error) => {
            if error.reason != "AlreadyExists" {
                emit(
                    w,
                    COMPONENT,
                    owner,
                    "Warning",
                    "FailedCreate",
                    format!("Error creating job: {error}"),
                );
            }
            w.causes = causes;
            return if error.reason == "AlreadyExists" {
                Ok(())
            } else {
                Err(error)
            };
        }
    };
    emit(
        w,
        COMPONENT,
        owner,
        "Normal",
        "SuccessfulCreate",
        format!("Created job {job_name}"),
    );
    w.causes = causes;
    status.active.get_or_insert_default().push(core::ObjectReference {
        api_version: Some("batch/v1".to_owned()),
        kind: Some("Job".to_owned()),
        name: Some(job_name),
        namespace: Some(owner.namespace().to_owned()),
        uid: created.object.meta().uid.clone(),
        resource_version: created.object.meta().resource_version.clone(),
        ..core::ObjectReference::default()
    });
    status.last_schedule_time = Some(Time(due));
    Ok(())
}
