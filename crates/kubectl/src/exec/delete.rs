//! `kubectl delete` (`pkg/cmd/delete/delete.go`).

use serde_json::{Value, json};

use super::{Failure, Info, Reference, Session, Until, Wait};
use crate::api::{Status, Verb};
use crate::command::{Delete, DryRun};
use crate::value::text;

const FORCED: &str = "Warning: Immediate deletion does not wait for confirmation that the running resource has been terminated. The resource may continue to run on the cluster indefinitely.";

impl Session<'_> {
    pub(super) fn delete(&mut self, delete: &Delete) -> Result<(), Failure> {
        let (infos, failures) = self.doomed(delete)?;
        if delete.force && delete.grace_period == 0 {
            self.warn(FORCED);
        }
        if self.explicit_namespace && infos.iter().any(|info| !info.resource.namespaced) {
            self.warn("Warning: deleting cluster-scoped resources, not scoped to the provided namespace");
        }
        let mut failures = failures;
        let mut objects = Vec::new();
        for info in &infos {
            match self.delete_one(info, delete) {
                Ok(answer) => {
                    self.deleted(info, delete);
                    // A graceful deletion answers with the object, an immediate one with a Status that holds the uid.
                    let uid = match text(&answer, "/metadata/uid") {
                        "" => text(&answer, "/details/uid"),
                        uid => uid,
                    };
                    objects.push(Reference::new(info, uid));
                }
                Err(status) if delete.ignore_not_found && status.code == 404 => {}
                Err(status) => failures.push(Failure::from(status).when("deleting", info.source.as_deref())),
            }
        }
        if infos.is_empty() && failures.is_empty() && !delete.ignore_not_found {
            self.say("No resources found");
        }
        if delete.wait && delete.dry_run == DryRun::None && !objects.is_empty() {
            self.out.waits_for = Wait::new(Until::Gone(objects), delete.timeout).unless_done(self.api);
        }
        self.finish(failures)
    }

    /// What a command line deletes. Named objects are not read first; selected ones are listed.
    fn doomed(&mut self, delete: &Delete) -> Result<(Vec<Info>, Vec<Failure>), Failure> {
        let targets = &delete.targets;
        if !targets.files.is_empty() {
            return self.manifests(&targets.files);
        }
        let found = Session::resolve(&targets.args)?;
        if found.is_empty() {
            return Err("You must provide one or more resources by argument or filename.\nExample resource specifications include:\n   '-f rsrc.yaml'\n   '--filename=rsrc.json'\n   '<resource> <name>'\n   '<resource>'".into());
        }
        if found.iter().all(|target| target.name.is_some())
            && targets.selector.is_none()
            && targets.field_selector.is_none()
            && !targets.all
        {
            let infos = found
                .into_iter()
                .map(|target| Info {
                    resource: target.resource,
                    namespace: self.scope(target.resource),
                    name: target.name.unwrap_or_default(),
                    object: Value::Null,
                    source: None,
                })
                .collect();
            return Ok((infos, Vec::new()));
        }
        self.visit(targets, "delete")
    }

    fn delete_one(&mut self, info: &Info, delete: &Delete) -> Result<Value, Status> {
        if delete.dry_run == DryRun::Client {
            return self.get_one(info.resource, &info.namespace, &info.name);
        }
        let mut options = json!({"propagationPolicy": delete.propagation});
        if delete.grace_period >= 0 {
            options["gracePeriodSeconds"] = json!(delete.grace_period);
        }
        if delete.dry_run == DryRun::Server {
            options["dryRun"] = json!(["All"]);
        }
        let mut request = Session::request(info.resource, Verb::Delete, &info.namespace, &info.name);
        request.body = Some(options);
        super::dry(&mut request, delete.dry_run);
        self.ask(&request)
    }

    fn deleted(&mut self, info: &Info, delete: &Delete) {
        if delete.name_only {
            self.say(info.shown());
            return;
        }
        let operation = if delete.force && delete.grace_period == 0 {
            "force deleted"
        } else {
            "deleted"
        };
        let place = if info.resource.namespaced {
            format!(" from {} namespace", info.namespace)
        } else {
            String::new()
        };
        let suffix = match delete.dry_run {
            DryRun::None => "",
            DryRun::Client => " (dry run)",
            DryRun::Server => " (server dry run)",
        };
        self.say(format!(
            "{} \"{}\" {operation}{place}{suffix}",
            info.resource.singular_group(),
            info.name
        ));
    }
}
