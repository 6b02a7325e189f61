//! Commands that change one thing of live objects: `patch`, `scale`, `set`, `label`, `annotate`, `taint`.

use serde_json::{Value, json};

use super::{Failure, Info, Session};
use crate::api::PatchKind;
use crate::command::{Action, DryRun, Targets, Write};
use crate::merge::strategic;
use crate::value::{list, map, text};

/// Where the pod template of a kind is, as a JSON pointer to its spec.
pub(super) fn template_spec(kind: &str) -> Option<&'static str> {
    match kind {
        "Pod" => Some("/spec"),
        "CronJob" => Some("/spec/jobTemplate/spec/template/spec"),
        "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet" | "Job" | "ReplicationController" => {
            Some("/spec/template/spec")
        }
        _ => None,
    }
}

impl Session<'_> {
    pub(super) fn patch(
        &mut self,
        targets: &Targets,
        kind: PatchKind,
        patch: Option<&str>,
        patch_file: Option<&str>,
        subresource: Option<&str>,
        write: &Write,
    ) -> Result<(), Failure> {
        let body = match (patch, patch_file) {
            (Some(patch), _) => serde_json::from_str::<Value>(patch)
                .or_else(|_| crate::print::yaml::read(patch))
                .map_err(|error| format!("unable to parse \"{patch}\": {error}"))?,
            (None, Some(file)) => {
                let content = self.files.text(file).map_err(Failure::Message)?;
                serde_json::from_str::<Value>(&content)
                    .or_else(|_| crate::print::yaml::read(&content))
                    .map_err(|error| format!("unable to parse \"{file}\": {error}"))?
            }
            (None, None) => {
                return Err("must specify --patch or --patch-file containing the contents of the patch".into());
            }
        };
        let (infos, mut failures) = self.visit(targets, "patch")?;
        for info in &infos {
            if write.dry_run == DryRun::Client {
                self.report(info, "patched", &info.object.clone(), write)?;
                continue;
            }
            match self.patch_one(
                info,
                kind,
                subresource.unwrap_or(""),
                body.clone(),
                "kubectl-patch",
                write.dry_run,
            ) {
                Ok(object) => {
                    let same = without_version(&object) == without_version(&info.object);
                    self.report(
                        info,
                        if same { "patched (no change)" } else { "patched" },
                        &object,
                        write,
                    )?;
                }
                Err(status) => failures.push(status.into()),
            }
        }
        self.finish(failures)
    }

    pub(super) fn scale(
        &mut self,
        targets: &Targets,
        replicas: i64,
        current: Option<i64>,
        write: &Write,
    ) -> Result<(), Failure> {
        let (infos, mut failures) = self.visit(targets, "scale")?;
        for info in &infos {
            if !matches!(
                info.resource.kind,
                "Deployment" | "ReplicaSet" | "StatefulSet" | "ReplicationController"
            ) {
                failures.push(Failure::Message(format!(
                    "could not find scale subresource for {}/{}, Resource={}",
                    info.resource.group, info.resource.version, info.resource.plural
                )));
                continue;
            }
            let now = info
                .object
                .pointer("/spec/replicas")
                .and_then(Value::as_i64)
                .unwrap_or(1);
            if let Some(expected) = current.filter(|expected| *expected != now) {
                failures.push(Failure::Message(format!(
                    "Expected replicas to be {expected}, was {now}"
                )));
                continue;
            }
            if write.dry_run == DryRun::Client {
                self.report(info, "scaled", &info.object.clone(), write)?;
                continue;
            }
            match self.patch_one(
                info,
                PatchKind::Merge,
                "scale",
                json!({"spec": {"replicas": replicas}}),
                "kubectl-scale",
                write.dry_run,
            ) {
                Ok(object) => self.report(info, "scaled", &object, write)?,
                Err(status) => failures.push(status.into()),
            }
        }
        self.finish(failures)
    }

    /// Changes the pod templates of objects and sends what differs as a strategic patch.
    fn set(
        &mut self,
        targets: &Targets,
        done: &str,
        write: &Write,
        mut change: impl FnMut(&Info, &mut Value) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let (infos, mut failures) = self.visit(targets, "set")?;
        for info in &infos {
            let Some(pointer) = template_spec(info.resource.kind) else {
                failures.push(Failure::Message(format!(
                    "{} the object is not a pod or does not have a pod template: {}",
                    info.shown(),
                    info.resource.kind
                )));
                continue;
            };
            let mut modified = info.object.clone();
            let outcome = match modified.pointer_mut(pointer) {
                Some(spec) => change(info, spec),
                None => Err(Failure::Message(format!("{} has no pod template", info.shown()))),
            };
            if let Err(failure) = outcome {
                failures.push(failure);
                continue;
            }
            let patch = strategic::diff(info.resource.kind, &info.object, &modified).map_err(Failure::Message)?;
            if patch.as_object().is_some_and(serde_json::Map::is_empty) {
                continue;
            }
            if write.dry_run == DryRun::Client {
                self.report(info, done, &modified, write)?;
                continue;
            }
            match self.patch_one(info, PatchKind::Strategic, "", patch, "kubectl-set", write.dry_run) {
                Ok(object) => self.report(info, done, &object, write)?,
                Err(status) => failures.push(status.into()),
            }
        }
        self.finish(failures)
    }

    pub(super) fn set_image(
        &mut self,
        targets: &Targets,
        images: &[(String, String)],
        write: &Write,
    ) -> Result<(), Failure> {
        self.set(targets, "image updated", write, |_, spec| {
            for (name, image) in images {
                let mut found = false;
                for field in ["initContainers", "containers"] {
                    for container in spec.get_mut(field).and_then(Value::as_array_mut).into_iter().flatten() {
                        if name == "*" || text(container, "/name") == name {
                            container["image"] = json!(image);
                            found = true;
                        }
                    }
                }
                if !found {
                    return Err(Failure::Message(format!("unable to find container named \"{name}\"")));
                }
            }
            Ok(())
        })
    }

    pub(super) fn set_env(
        &mut self,
        targets: &Targets,
        changes: &[String],
        container: Option<&str>,
        write: &Write,
    ) -> Result<(), Failure> {
        self.set(targets, "env updated", write, |_, spec| {
            for chosen in spec
                .get_mut("containers")
                .and_then(Value::as_array_mut)
                .into_iter()
                .flatten()
            {
                if container.is_some_and(|name| name != "*" && text(chosen, "/name") != name) {
                    continue;
                }
                let mut env: Vec<Value> = list(chosen, "/env").to_vec();
                for change in changes {
                    match change.split_once('=') {
                        Some((key, value)) => match env.iter_mut().find(|entry| text(entry, "/name") == key) {
                            Some(entry) => *entry = json!({"name": key, "value": value}),
                            None => env.push(json!({"name": key, "value": value})),
                        },
                        None => {
                            let key = change.trim_end_matches('-');
                            env.retain(|entry| text(entry, "/name") != key);
                        }
                    }
                }
                chosen["env"] = json!(env);
                if env.is_empty()
                    && let Some(chosen) = chosen.as_object_mut()
                {
                    chosen.shift_remove("env");
                }
            }
            Ok(())
        })
    }

    pub(super) fn set_resources(
        &mut self,
        targets: &Targets,
        container: Option<&str>,
        limits: Option<&str>,
        requests: Option<&str>,
        write: &Write,
    ) -> Result<(), Failure> {
        let parse = |text: &str| -> Result<Vec<(String, String)>, Failure> {
            text.split(',')
                .map(|pair| match pair.split_once('=') {
                    Some((name, amount)) => Ok((name.to_owned(), amount.to_owned())),
                    None => Err(Failure::Message(format!(
                        "Invalid argument syntax {pair}, expected <resource>=<value>"
                    ))),
                })
                .collect()
        };
        let limits = limits.map(parse).transpose()?.unwrap_or_default();
        let requests = requests.map(parse).transpose()?.unwrap_or_default();
        self.set(targets, "resource requirements updated", write, |_, spec| {
            for chosen in spec
                .get_mut("containers")
                .and_then(Value::as_array_mut)
                .into_iter()
                .flatten()
            {
                if container.is_some_and(|name| name != "*" && text(chosen, "/name") != name) {
                    continue;
                }
                if !chosen["resources"].is_object() {
                    chosen["resources"] = json!({});
                }
                for (field, amounts) in [("limits", &limits), ("requests", &requests)] {
                    for (name, amount) in amounts {
                        if !chosen["resources"][field].is_object() {
                            chosen["resources"][field] = json!({});
                        }
                        if amount == "0" {
                            if let Some(map) = chosen["resources"][field].as_object_mut() {
                                map.shift_remove(name);
                            }
                        } else {
                            chosen["resources"][field][name] = json!(amount);
                        }
                    }
                }
            }
            Ok(())
        })
    }

    pub(super) fn mark(&mut self, action: &Action) -> Result<(), Failure> {
        let Action::Mark {
            annotations,
            targets,
            set,
            remove,
            overwrite,
            list,
            write,
        } = action
        else {
            return Ok(());
        };
        let (field, manager) = if *annotations {
            ("annotations", "kubectl-annotate")
        } else {
            ("labels", "kubectl-label")
        };
        let (infos, mut failures) = self.visit(targets, if *annotations { "annotate" } else { "label" })?;
        for info in &infos {
            let old = map(&info.object, &format!("/metadata/{field}"))
                .cloned()
                .unwrap_or_default();
            if *list {
                self.say(format!(
                    "Listing {field} for {}.{}/{}:",
                    info.resource.kind, info.resource.group, info.name
                ));
                for (key, value) in crate::value::sorted(&old) {
                    self.say(format!(" {key}={}", crate::value::scalar(value)));
                }
                continue;
            }
            let taken: Vec<(&str, &str)> = set
                .iter()
                .filter_map(|(key, value)| {
                    old.get(key)
                        .and_then(Value::as_str)
                        .filter(|found| *found != value)
                        .map(|found| (key.as_str(), found))
                })
                .collect();
            if !overwrite && !taken.is_empty() {
                failures.push(Failure::Message(if *annotations {
                    let all: Vec<String> = taken
                        .iter()
                        .map(|(key, found)| format!("'{key}' already has a value ({found})"))
                        .collect();
                    format!(
                        "--overwrite is false but found the following declared annotation(s): {}",
                        all.join("; ")
                    )
                } else {
                    let all: Vec<String> = taken
                        .iter()
                        .map(|(key, found)| format!("'{key}' already has a value ({found}), and --overwrite is false"))
                        .collect();
                    if all.len() == 1 {
                        all[0].clone()
                    } else {
                        format!("[{}]", all.join(", "))
                    }
                }));
                continue;
            }
            let mut changes = serde_json::Map::new();
            for (key, value) in set {
                if old.get(key).and_then(Value::as_str) != Some(value) {
                    changes.insert(key.clone(), json!(value));
                }
            }
            for key in remove {
                if old.contains_key(key) {
                    changes.insert(key.clone(), Value::Null);
                } else if !annotations {
                    self.say(format!("label \"{key}\" not found."));
                }
            }
            let only_removed = changes.values().all(Value::is_null);
            let word = match (*annotations, changes.is_empty()) {
                (true, _) => "annotated",
                (false, true) => "not labeled",
                (false, false) if only_removed && !overwrite => "unlabeled",
                (false, false) => "labeled",
            };
            if changes.is_empty() && !annotations || write.dry_run == DryRun::Client {
                self.report(info, word, &info.object.clone(), write)?;
                continue;
            }
            match self.patch_one(
                info,
                PatchKind::Merge,
                "",
                json!({"metadata": {field: changes}}),
                manager,
                write.dry_run,
            ) {
                Ok(object) => self.report(info, word, &object, write)?,
                Err(status) => failures.push(status.into()),
            }
        }
        self.finish(failures)
    }

    pub(super) fn taint(
        &mut self,
        targets: &Targets,
        set: &[(String, String, String)],
        remove: &[(String, String)],
        overwrite: bool,
        write: &Write,
    ) -> Result<(), Failure> {
        let (infos, mut failures) = self.visit(targets, "taint")?;
        for info in &infos {
            let old = list(&info.object, "/spec/taints").to_vec();
            let is = |taint: &Value, key: &str, effect: &str| {
                text(taint, "/key") == key && (effect.is_empty() || text(taint, "/effect") == effect)
            };
            if !overwrite
                && let Some((key, _, effect)) = set.iter().find(|(key, value, effect)| {
                    old.iter()
                        .any(|taint| is(taint, key, effect) && text(taint, "/value") != value)
                })
            {
                failures.push(Failure::Message(format!(
                    "node {} already has {key} taint(s) with same effect(s) and --overwrite is false",
                    info.name
                )));
                let _ = effect;
                continue;
            }
            let missing = remove
                .iter()
                .find(|(key, effect)| !old.iter().any(|taint| is(taint, key, effect)));
            if let Some((key, effect)) = missing {
                let shown = if effect.is_empty() {
                    key.clone()
                } else {
                    format!("{key}:{effect}")
                };
                failures.push(Failure::Message(format!("taint \"{shown}\" not found")));
                continue;
            }
            let mut new: Vec<Value> = set
                .iter()
                .map(|(key, value, effect)| {
                    let mut taint = json!({"key": key});
                    if !value.is_empty() {
                        taint["value"] = json!(value);
                    }
                    taint["effect"] = json!(effect);
                    taint
                })
                .collect();
            for taint in &old {
                let replaced = set.iter().any(|(key, _, effect)| is(taint, key, effect));
                let removed = remove.iter().any(|(key, effect)| is(taint, key, effect));
                if !replaced && !removed {
                    new.push(taint.clone());
                }
            }
            let word = match (set.is_empty(), remove.is_empty()) {
                (false, true) => "tainted",
                (true, false) => "untainted",
                _ => "modified",
            };
            if write.dry_run == DryRun::Client {
                self.report(info, word, &info.object.clone(), write)?;
                continue;
            }
            let taints = if new.is_empty() { Value::Null } else { json!(new) };
            match self.patch_one(
                info,
                PatchKind::Strategic,
                "",
                json!({"spec": {"taints": taints}}),
                "kubectl-taint",
                write.dry_run,
            ) {
                Ok(object) => self.report(info, word, &object, write)?,
                Err(status) => failures.push(status.into()),
            }
        }
        self.finish(failures)
    }
}

/// An object without what every write changes.
fn without_version(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.shift_remove("resourceVersion");
        metadata.shift_remove("managedFields");
        metadata.shift_remove("generation");
    }
    if let Some(map) = object.as_object_mut() {
        map.shift_remove("kind");
        map.shift_remove("apiVersion");
    }
    object
}
