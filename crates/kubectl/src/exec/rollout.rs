//! `kubectl rollout` (`pkg/cmd/rollout`, `pkg/polymorphichelpers`).

use serde_json::{Map, Value, json};

use super::{Failure, Info, Reference, Session, Until, Wait, poll};
use crate::api::PatchKind;
use crate::command::{DryRun, Rollout, Targets};
use crate::print::table::TableWriter;
use crate::resources;
use crate::selector::selector_query;
use crate::value::{condition, has, int, list, map, opt_int, text, truth};

const REVISION: &str = "/metadata/annotations/deployment.kubernetes.io~1revision";
const CAUSE: &str = "/metadata/annotations/kubernetes.io~1change-cause";

/// Annotations of a Deployment that a rollback leaves alone (`pkg/polymorphichelpers/rollback.go`).
const KEPT_ANNOTATIONS: [&str; 6] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    "deployment.kubernetes.io/revision",
    "deployment.kubernetes.io/revision-history",
    "deployment.kubernetes.io/desired-replicas",
    "deployment.kubernetes.io/max-replicas",
    "deprecated.deployment.rollback.to",
];

/// How far a rollout is: a line with its newline, and whether it has ended (`rollout_status.go`).
pub(super) fn status(object: &Value, kind: &str, revision: i64) -> Result<(String, bool), String> {
    let name = text(object, "/metadata/name");
    let field = |field: &str| int(object, &format!("/status/{field}"));
    let observed = int(object, "/metadata/generation") <= field("observedGeneration");
    match kind {
        "Deployment" => {
            if revision > 0 {
                let current: i64 = text(object, REVISION).parse().unwrap_or(0);
                if revision != current {
                    return Err(format!(
                        "desired revision ({revision}) is different from the running revision ({current})"
                    ));
                }
            }
            if !observed {
                return Ok((
                    "Waiting for deployment spec update to be observed...\n".to_owned(),
                    false,
                ));
            }
            if condition(object, "Progressing")
                .is_some_and(|found| text(found, "/reason") == "ProgressDeadlineExceeded")
            {
                return Err(format!("deployment \"{name}\" exceeded its progress deadline"));
            }
            let (replicas, updated, available) =
                (field("replicas"), field("updatedReplicas"), field("availableReplicas"));
            if let Some(wanted) = opt_int(object, "/spec/replicas").filter(|wanted| updated < *wanted) {
                return Ok((
                    format!(
                        "Waiting for deployment \"{name}\" rollout to finish: {updated} out of {wanted} new replicas have been updated...\n"
                    ),
                    false,
                ));
            }
            if replicas > updated {
                return Ok((
                    format!(
                        "Waiting for deployment \"{name}\" rollout to finish: {} old replicas are pending termination...\n",
                        replicas - updated
                    ),
                    false,
                ));
            }
            if available < updated {
                return Ok((
                    format!(
                        "Waiting for deployment \"{name}\" rollout to finish: {available} of {updated} updated replicas are available...\n"
                    ),
                    false,
                ));
            }
            Ok((format!("deployment \"{name}\" successfully rolled out\n"), true))
        }
        "DaemonSet" => {
            if text(object, "/spec/updateStrategy/type") == "OnDelete" {
                return Err("rollout status is only available for RollingUpdate strategy type".to_owned());
            }
            if !observed {
                return Ok((
                    "Waiting for daemon set spec update to be observed...\n".to_owned(),
                    false,
                ));
            }
            let (desired, updated, available) = (
                field("desiredNumberScheduled"),
                field("updatedNumberScheduled"),
                field("numberAvailable"),
            );
            if updated < desired {
                return Ok((
                    format!(
                        "Waiting for daemon set \"{name}\" rollout to finish: {updated} out of {desired} new pods have been updated...\n"
                    ),
                    false,
                ));
            }
            if available < desired {
                return Ok((
                    format!(
                        "Waiting for daemon set \"{name}\" rollout to finish: {available} of {desired} updated pods are available...\n"
                    ),
                    false,
                ));
            }
            Ok((format!("daemon set \"{name}\" successfully rolled out\n"), true))
        }
        "StatefulSet" => {
            if text(object, "/spec/updateStrategy/type") == "OnDelete" {
                return Err("rollout status is only available for RollingUpdate strategy type".to_owned());
            }
            if field("observedGeneration") == 0 || !observed {
                return Ok((
                    "Waiting for statefulset spec update to be observed...\n".to_owned(),
                    false,
                ));
            }
            let replicas = opt_int(object, "/spec/replicas");
            if let Some(wanted) = replicas.filter(|wanted| field("readyReplicas") < *wanted) {
                return Ok((
                    format!("Waiting for {} pods to be ready...\n", wanted - field("readyReplicas")),
                    false,
                ));
            }
            if let Some((wanted, partition)) = replicas
                .zip(opt_int(object, "/spec/updateStrategy/rollingUpdate/partition").filter(|partition| *partition > 0))
            {
                let target = wanted - partition;
                let updated = field("updatedReplicas");
                if updated < target {
                    return Ok((
                        format!(
                            "Waiting for partitioned roll out to finish: {updated} out of {target} new pods have been updated...\n"
                        ),
                        false,
                    ));
                }
                return Ok((
                    format!("partitioned roll out complete: {updated} new pods have been updated...\n"),
                    true,
                ));
            }
            let (update, current) = (
                text(object, "/status/updateRevision"),
                text(object, "/status/currentRevision"),
            );
            if update != current {
                return Ok((
                    format!(
                        "waiting for statefulset rolling update to complete {} pods at revision {update}...\n",
                        field("updatedReplicas")
                    ),
                    false,
                ));
            }
            Ok((
                format!(
                    "statefulset rolling update complete {} pods at revision {current}...\n",
                    field("currentReplicas")
                ),
                true,
            ))
        }
        other => Err(format!("no status viewer has been implemented for {other}")),
    }
}

/// One revision of a workload.
struct Revision {
    number: i64,
    cause: String,
    /// The ReplicaSet or ControllerRevision.
    object: Value,
}

impl Session<'_> {
    pub(super) fn rollout(&mut self, what: &Rollout, targets: &Targets) -> Result<(), Failure> {
        let (infos, mut failures) = self.visit(targets, "rollout")?;
        for info in &infos {
            let done = match what {
                Rollout::Status {
                    watch,
                    timeout,
                    revision,
                } => self.rollout_status(info, *watch, *timeout, *revision),
                Rollout::History(revision) => self.history(info, *revision),
                Rollout::Undo(revision) => self.undo(info, *revision),
                Rollout::Restart => self.restart(info),
                Rollout::Pause => self.pause(info, true),
                Rollout::Resume => self.pause(info, false),
            };
            if let Err(failure) = done {
                failures.push(failure);
            }
        }
        self.finish(failures)
    }

    fn rollout_status(&mut self, info: &Info, watch: bool, timeout: i64, revision: i64) -> Result<(), Failure> {
        let (line, done) = status(&info.object, info.resource.kind, revision).map_err(Failure::Message)?;
        if done || !watch {
            self.out.stdout.push_str(&line);
            return Ok(());
        }
        let until = Until::RolledOut {
            object: Reference::new(info, ""),
            revision,
            said: String::new(),
        };
        let mut wait = Wait::new(until, (timeout > 0).then_some(timeout));
        match poll(&mut wait, self.api) {
            Some(done) => self.out.append(&done),
            None => self.out.waits_for = Some(wait),
        }
        Ok(())
    }

    /// The revisions of a workload, oldest first.
    fn revisions(&mut self, info: &Info) -> Result<Vec<Revision>, Failure> {
        let uid = text(&info.object, "/metadata/uid").to_owned();
        let owned = |object: &Value| {
            list(object, "/metadata/ownerReferences")
                .iter()
                .any(|owner| truth(owner, "/controller") && text(owner, "/uid") == uid)
        };
        let selector = info
            .object
            .pointer("/spec/selector")
            .map(selector_query)
            .unwrap_or_default();
        let kind = match info.resource.kind {
            "Deployment" => "replicasets",
            "StatefulSet" | "DaemonSet" => "controllerrevisions",
            other => {
                return Err(Failure::Message(format!(
                    "no history viewer has been implemented for \"{other}\""
                )));
            }
        };
        let resource = resources::find(kind).ok_or("this kind has no history")?;
        let mut revisions: Vec<Revision> = self
            .list_all(resource, &info.namespace, Some(&selector), None)?
            .into_iter()
            .filter(owned)
            .filter_map(|object| {
                let number = if kind == "replicasets" {
                    text(&object, REVISION).parse().ok()?
                } else {
                    int(&object, "/revision")
                };
                Some(Revision {
                    number,
                    cause: text(&object, CAUSE).to_owned(),
                    object,
                })
            })
            .collect();
        revisions.sort_by_key(|revision| revision.number);
        Ok(revisions)
    }

    fn history(&mut self, info: &Info, wanted: i64) -> Result<(), Failure> {
        let revisions = self.revisions(info)?;
        if wanted > 0 {
            let Some(revision) = revisions.iter().find(|revision| revision.number == wanted) else {
                return Err("unable to find the specified revision".into());
            };
            let template = match info.resource.kind {
                "Deployment" => revision.object.pointer("/spec/template"),
                _ => revision.object.pointer("/data/spec/template"),
            };
            let mut template = template.cloned().unwrap_or_default();
            if !revision.cause.is_empty() {
                template["metadata"]["annotations"]["kubernetes.io/change-cause"] = json!(revision.cause);
            }
            let shown = crate::describe::template(&template);
            self.say(format!("{} with revision #{wanted}\n{shown}", info.shown()));
            return Ok(());
        }
        let mut rows = vec![vec!["REVISION".to_owned(), "CHANGE-CAUSE".to_owned()]];
        for revision in &revisions {
            let cause = if revision.cause.is_empty() {
                "<none>"
            } else {
                &revision.cause
            };
            rows.push(vec![revision.number.to_string(), cause.to_owned()]);
        }
        let mut table = String::new();
        if revisions.is_empty() {
            table.push_str("No rollout history found.\n");
        } else {
            TableWriter::new(0, 2).write(&rows, &mut table);
        }
        self.say(format!("{} \n{table}", info.shown()));
        Ok(())
    }

    fn undo(&mut self, info: &Info, wanted: i64) -> Result<(), Failure> {
        if has(
            &info.object,
            "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration",
        ) {
            self.warn(format!("Warning: resource {}/{} was previously managed with 'kubectl apply'. Rolling back will not update the kubectl.kubernetes.io/last-applied-configuration annotation, which may cause unexpected behavior on future 'kubectl apply' operations. Consider using 'kubectl apply' with your previous configuration file instead.", info.resource.plural, info.name));
        }
        if truth(&info.object, "/spec/paused") {
            return Err(Failure::Message(format!(
                "you cannot rollback a paused deployment; resume it first with 'kubectl rollout resume deployment/{}' and try again",
                info.name
            )));
        }
        let revisions = self.revisions(info)?;
        let chosen = if wanted > 0 {
            revisions
                .iter()
                .find(|revision| revision.number == wanted)
                .ok_or_else(|| Failure::Message(format!("unable to find specified revision {wanted} in history")))?
        } else {
            let last_but_one = revisions.len().checked_sub(2).and_then(|index| revisions.get(index));
            last_but_one.ok_or_else(|| match info.resource.kind {
                "Deployment" => Failure::Message(format!("no rollout history found for deployment \"{}\"", info.name)),
                _ => Failure::Message("no last revision to roll back to".to_owned()),
            })?
        };
        if info.resource.kind != "Deployment" {
            let patch = chosen.object.get("data").cloned().unwrap_or_default();
            self.patch_one(info, PatchKind::Strategic, "", patch, "kubectl-rollout", DryRun::None)?;
            self.say(format!("{} rolled back", info.shown()));
            return Ok(());
        }
        let mut template = chosen.object.pointer("/spec/template").cloned().unwrap_or_default();
        if let Some(labels) = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
            labels.shift_remove("pod-template-hash");
        }
        if info.object.pointer("/spec/template") == Some(&template) {
            self.say(format!(
                "{} skipped rollback (current template already matches revision {})",
                info.shown(),
                chosen.number
            ));
            return Ok(());
        }
        let mut annotations = Map::new();
        for (key, value) in map(&info.object, "/metadata/annotations").into_iter().flatten() {
            if KEPT_ANNOTATIONS.contains(&key.as_str()) {
                annotations.insert(key.clone(), value.clone());
            }
        }
        for (key, value) in map(&chosen.object, "/metadata/annotations").into_iter().flatten() {
            if !KEPT_ANNOTATIONS.contains(&key.as_str()) {
                annotations.insert(key.clone(), value.clone());
            }
        }
        let patch = json!([
            {"op": "replace", "path": "/spec/template", "value": template},
            {"op": "replace", "path": "/metadata/annotations", "value": annotations},
        ]);
        self.patch_one(info, PatchKind::Json, "", patch, "kubectl-rollout", DryRun::None)?;
        self.say(format!("{} rolled back", info.shown()));
        Ok(())
    }

    fn restart(&mut self, info: &Info) -> Result<(), Failure> {
        if !matches!(info.resource.kind, "Deployment" | "StatefulSet" | "DaemonSet") {
            return Err(Failure::Message(format!(
                "{} \"{}\" restarting is not supported",
                info.resource.plural, info.name
            )));
        }
        if truth(&info.object, "/spec/paused") {
            return Err("can't restart paused deployment (run rollout resume first)".into());
        }
        let now = self.now();
        let at = jiff::Timestamp::from_second(now.as_second()).unwrap_or(now).to_string();
        let body =
            json!({"spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": at}}}}});
        self.patch_one(info, PatchKind::Strategic, "", body, "kubectl-rollout", DryRun::None)?;
        self.say(format!("{} restarted", info.shown()));
        Ok(())
    }

    fn pause(&mut self, info: &Info, on: bool) -> Result<(), Failure> {
        if info.resource.kind != "Deployment" {
            let word = if on { "pausing" } else { "resuming" };
            return Err(Failure::Message(format!(
                "{} \"{}\" {word} is not supported",
                info.resource.plural, info.name
            )));
        }
        let plural = format!("{}.{}", info.resource.plural, info.resource.group);
        if truth(&info.object, "/spec/paused") == on {
            return Err(Failure::Message(format!(
                "{plural} \"{}\" is {}",
                info.name,
                if on { "already paused" } else { "not paused" }
            )));
        }
        let change = if on { json!(true) } else { Value::Null };
        self.patch_one(
            info,
            PatchKind::Strategic,
            "",
            json!({"spec": {"paused": change}}),
            "kubectl-rollout",
            DryRun::None,
        )?;
        self.say(format!("{} {}", info.shown(), if on { "paused" } else { "resumed" }));
        Ok(())
    }
}
