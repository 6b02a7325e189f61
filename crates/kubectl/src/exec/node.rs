//! `cordon`, `uncordon` and `drain` (`pkg/cmd/drain`, `pkg/drain`).

use serde_json::{Value, json};

use super::wait::Leaving;
use super::{Failure, Info, Reference, Session, Until, Wait, poll};
use crate::api::{PatchKind, Verb};
use crate::command::{Drain, DryRun, Targets};
use crate::resources;
use crate::value::{has, list, map, text, truth};

/// The pods that a drain leaves alone or takes, and what it says about them.
#[derive(Default)]
struct Choice {
    evict: Vec<Info>,
    warnings: Vec<(&'static str, Vec<String>)>,
    errors: Vec<(&'static str, Vec<String>)>,
}

impl Choice {
    fn note(list: &mut Vec<(&'static str, Vec<String>)>, why: &'static str, pod: &Info) {
        let name = format!("{}/{}", pod.namespace, pod.name);
        match list.iter_mut().find(|(known, _)| *known == why) {
            Some((_, pods)) => pods.push(name),
            None => list.push((why, vec![name])),
        }
    }

    fn text(list: &[(&'static str, Vec<String>)]) -> String {
        list.iter()
            .map(|(why, pods)| format!("{why}: {}", pods.join(", ")))
            .collect::<Vec<_>>()
            .join("; ")
    }
}

impl Session<'_> {
    fn nodes(&mut self, names: &[String], selector: Option<&str>) -> Result<Vec<Info>, Failure> {
        let mut args = vec!["nodes".to_owned()];
        args.extend(names.iter().map(|name| {
            name.strip_prefix("node/")
                .or_else(|| name.strip_prefix("nodes/"))
                .unwrap_or(name)
                .to_owned()
        }));
        let targets = Targets {
            args,
            selector: selector.map(str::to_owned),
            ..Targets::default()
        };
        let (infos, failures) = self.visit(&targets, "get")?;
        match failures.into_iter().next() {
            Some(failure) => Err(failure),
            None => Ok(infos),
        }
    }

    pub(super) fn cordon(
        &mut self,
        on: bool,
        names: &[String],
        selector: Option<&str>,
        dry_run: DryRun,
    ) -> Result<Vec<Info>, Failure> {
        let word = if on { "cordoned" } else { "uncordoned" };
        let nodes = self.nodes(names, selector)?;
        for node in &nodes {
            if truth(&node.object, "/spec/unschedulable") == on {
                self.say(format!("{} already {word}", node.shown()));
                continue;
            }
            if dry_run == DryRun::None {
                let change = if on { json!(true) } else { Value::Null };
                self.patch_one(
                    node,
                    PatchKind::Strategic,
                    "",
                    json!({"spec": {"unschedulable": change}}),
                    "kubectl-cordon",
                    dry_run,
                )?;
            }
            let suffix = match dry_run {
                DryRun::None => "",
                DryRun::Client => " (dry run)",
                DryRun::Server => " (server dry run)",
            };
            self.say(format!("{} {word}{suffix}", node.shown()));
        }
        Ok(nodes)
    }

    pub(super) fn drain(&mut self, drain: &Drain) -> Result<(), Failure> {
        let nodes = self.cordon(true, &drain.nodes, drain.selector.as_deref(), drain.dry_run)?;
        for node in &nodes {
            let pods = resources::find("pods").ok_or("pods are not known")?;
            let selector = format!("spec.nodeName={}", node.name);
            let found = self.list_all(pods, "", drain.pod_selector.as_deref(), Some(&selector))?;
            let mut choice = Choice::default();
            for object in found {
                let pod = Info {
                    resource: pods,
                    namespace: text(&object, "/metadata/namespace").to_owned(),
                    name: text(&object, "/metadata/name").to_owned(),
                    object,
                    source: None,
                };
                self.choose(pod, drain, &mut choice)?;
            }
            if !choice.errors.is_empty() {
                let errors = Choice::text(&choice.errors);
                self.out.stderr.push_str(&format!(
                    "error: unable to drain node \"{0}\" due to error: {errors}, continuing command...\nThere are pending nodes to be drained:\n {0}\n{errors}\n",
                    node.name
                ));
                self.out.exit_code = 1;
                continue;
            }
            if !choice.warnings.is_empty() {
                let warnings = Choice::text(&choice.warnings);
                self.warn(format!("Warning: {warnings}"));
            }
            self.evict(node, choice.evict, drain)?;
        }
        Ok(())
    }

    /// Sorts a pod by the filters of `pkg/drain/filters.go`.
    fn choose(&mut self, pod: Info, drain: &Drain, choice: &mut Choice) -> Result<(), Failure> {
        let finished = matches!(text(&pod.object, "/status/phase"), "Succeeded" | "Failed");
        if map(&pod.object, "/metadata/annotations")
            .is_some_and(|annotations| annotations.contains_key("kubernetes.io/config.mirror"))
        {
            return Ok(());
        }
        let owner = list(&pod.object, "/metadata/ownerReferences")
            .iter()
            .find(|owner| truth(owner, "/controller"));
        if owner.is_some_and(|owner| text(owner, "/kind") == "DaemonSet") && !finished {
            if drain.ignore_daemonsets {
                Choice::note(&mut choice.warnings, "ignoring DaemonSet-managed Pods", &pod);
            } else {
                Choice::note(
                    &mut choice.errors,
                    "cannot delete DaemonSet-managed Pods (use --ignore-daemonsets to ignore)",
                    &pod,
                );
            }
            return Ok(());
        }
        if !finished
            && list(&pod.object, "/spec/volumes")
                .iter()
                .any(|volume| has(volume, "/emptyDir"))
        {
            if !drain.delete_emptydir_data {
                Choice::note(
                    &mut choice.errors,
                    "cannot delete Pods with local storage (use --delete-emptydir-data to override)",
                    &pod,
                );
                return Ok(());
            }
            Choice::note(&mut choice.warnings, "deleting Pods with local storage", &pod);
        }
        if owner.is_none() && !finished {
            if !drain.force {
                Choice::note(
                    &mut choice.errors,
                    "cannot delete Pods that declare no controller (use --force to override)",
                    &pod,
                );
                return Ok(());
            }
            Choice::note(&mut choice.warnings, "deleting Pods that declare no controller", &pod);
        }
        choice.evict.push(pod);
        Ok(())
    }

    fn evict(&mut self, node: &Info, pods: Vec<Info>, drain: &Drain) -> Result<(), Failure> {
        let options = (drain.grace_period >= 0).then(|| json!({"gracePeriodSeconds": drain.grace_period}));
        let word = if drain.disable_eviction { "deleting" } else { "evicting" };
        let mut left = Vec::new();
        let mut refused = None;
        for pod in &pods {
            self.say(format!("{word} pod {}/{}", pod.namespace, pod.name));
            if drain.dry_run != DryRun::None {
                continue;
            }
            let reference = Reference::new(pod, text(&pod.object, "/metadata/uid"));
            let request = if drain.disable_eviction {
                let mut request = Session::request(pod.resource, Verb::Delete, &pod.namespace, &pod.name);
                request.body.clone_from(&options);
                request
            } else {
                super::wait::eviction(&reference, options.as_ref())
            };
            match self.ask(&request) {
                Ok(_) => left.push(Leaving {
                    reference,
                    refused: false,
                }),
                Err(status) if status.code == 404 => {}
                Err(status) if status.code == 429 => {
                    self.out
                        .stderr
                        .push_str(&super::wait::refusal(&reference, &status.message));
                    left.push(Leaving {
                        reference,
                        refused: true,
                    });
                }
                Err(status) => refused = Some(status),
            }
        }
        if let Some(status) = refused {
            return Err(Failure::Message(format!(
                "unable to drain node \"{}\" due to error: error when evicting pods: {}",
                node.name, status.message
            )));
        }
        if drain.dry_run != DryRun::None {
            self.say(format!("{} drained (dry run)", node.shown()));
            return Ok(());
        }
        let retry = self.now() + jiff::SignedDuration::from_secs(5);
        let until = Until::Evicted {
            node: node.name.clone(),
            pods: left,
            options,
            disable_eviction: drain.disable_eviction,
            retry,
            said: Box::default(),
        };
        let until = match self.out.waits_for.take() {
            Some(before) => Until::Then(Box::new(before.until), Box::new(until)),
            None => until,
        };
        let mut wait = Wait::new(until, (drain.timeout > 0).then_some(drain.timeout));
        match poll(&mut wait, self.api) {
            Some(done) => self.out.append(&done),
            None => self.out.waits_for = Some(wait),
        }
        Ok(())
    }
}
