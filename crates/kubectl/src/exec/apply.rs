//! `apply`, `create -f` and `replace` (`pkg/cmd/apply`, `pkg/cmd/create`, `pkg/cmd/replace`).

use serde_json::{Value, json};

use super::{Failure, Info, Session, dry};
use crate::api::{Api, NoFiles, PatchKind, Verb};
use crate::command::{DryRun, Write};
use crate::merge::threeway;
use crate::print::json::compact;
use crate::resources::Resource;
use crate::value::text;

/// The annotation that holds what was applied last.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// What applying an object did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// There was none.
    Created,
    /// It was patched.
    Configured,
    /// It was as the manifest says.
    Unchanged,
    /// It was applied by the server.
    ServerSide,
}

impl Effect {
    /// The word behind the name.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Effect::Created => "created",
            Effect::Configured => "configured",
            Effect::Unchanged => "unchanged",
            Effect::ServerSide => "serverside-applied",
        }
    }
}

/// One applied object.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// Its resource.
    pub resource: &'static Resource,
    /// Its namespace, empty if it has none.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// What happened, or the text of `kubectl` for the failure.
    pub effect: Result<Effect, String>,
}

/// Applies the objects of a manifest in their order, as `kubectl apply -f` does. Objects without a namespace go to
/// `namespace`. A failure does not stop the others; one that belongs to no known kind is the second part.
pub fn apply(manifest: &[Value], namespace: &str, api: &mut dyn Api) -> (Vec<Applied>, Vec<String>) {
    let mut session = Session {
        api,
        files: &NoFiles,
        namespace: namespace.to_owned(),
        explicit_namespace: false,
        all_namespaces: false,
        out: super::Output::default(),
    };
    let (mut applied, mut failures) = (Vec::new(), Vec::new());
    for object in manifest {
        match session.manifest(object.clone(), "manifest") {
            Ok(info) => {
                let effect = session
                    .apply_one(&info, DryRun::None)
                    .map(|(effect, _)| effect)
                    .map_err(|failure| failure.stderr().trim_end().to_owned());
                applied.push(Applied {
                    resource: info.resource,
                    namespace: info.namespace,
                    name: info.name,
                    effect,
                });
            }
            Err(failure) => failures.push(failure.stderr().trim_end().to_owned()),
        }
    }
    (applied, failures)
}

/// The object with what it says itself in its annotation (`util.GetModifiedConfiguration`).
fn annotated(object: &Value) -> Value {
    let mut bare = object.clone();
    if let Some(metadata) = bare.get_mut("metadata").and_then(Value::as_object_mut) {
        let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
        if annotations.is_null() {
            *annotations = json!({});
        }
        if let Some(annotations) = annotations.as_object_mut() {
            annotations.shift_remove(LAST_APPLIED);
        }
    }
    let said = format!("{}\n", compact(&bare));
    if let Some(annotations) = bare.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
        annotations.insert(LAST_APPLIED.to_owned(), json!(said));
    }
    bare
}

impl Session<'_> {
    pub(super) fn apply_files(
        &mut self,
        files: &[String],
        server_side: bool,
        force: bool,
        manager: Option<&str>,
        write: &Write,
    ) -> Result<(), Failure> {
        let (infos, mut failures) = self.manifests(files)?;
        for info in &infos {
            let done = if server_side {
                self.apply_server_side(info, force, manager.unwrap_or("kubectl"), write.dry_run)
            } else {
                self.apply_one(info, write.dry_run)
            };
            match done {
                Ok((effect, object)) => self.report(info, effect.word(), &object, write)?,
                Err(failure) => failures.push(failure),
            }
        }
        self.finish(failures)
    }

    fn apply_server_side(
        &mut self,
        info: &Info,
        force: bool,
        manager: &str,
        dry_run: DryRun,
    ) -> Result<(Effect, Value), Failure> {
        let mut request = Session::request(info.resource, Verb::Patch, &info.namespace, &info.name);
        request.body = Some(info.object.clone());
        request.patch = Some(PatchKind::Apply);
        request.query.push(("fieldManager".to_owned(), manager.to_owned()));
        request.query.push(("fieldValidation".to_owned(), "Strict".to_owned()));
        request.query.push(("force".to_owned(), force.to_string()));
        dry(&mut request, dry_run);
        match self.ask(&request) {
            Ok(object) => Ok((Effect::ServerSide, object)),
            Err(status) if status.reason == "Conflict" => Err(Failure::Message(format!(
                "{}\nPlease review the fields above--they currently have other managers. Here\nare the ways you can resolve this warning:\n* If you intend to manage all of these fields, please re-run the apply\n  command with the `--force-conflicts` flag.\n* If you do not intend to manage all of the fields, please edit your\n  manifest to remove references to the fields that should keep their\n  current managers.\n* You may co-own fields by updating your manifest to match the existing\n  value; in this case, you'll become the manager if the other manager(s)\n  stop managing the field (remove it from their configuration).\nSee https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts",
                status.message
            ))),
            Err(status) => Err(status.into()),
        }
    }

    fn apply_one(&mut self, info: &Info, dry_run: DryRun) -> Result<(Effect, Value), Failure> {
        if info.name.is_empty() {
            return Err(Failure::Message(match text(&info.object, "/metadata/generateName") {
                "" => format!(
                    "error when retrieving current configuration of:\nResource: \"{}, Resource={}\", GroupVersionKind: \"{}, Kind={}\"\nName: \"\", Namespace: \"{}\"\nfrom server for: \"{}\": resource name may not be empty",
                    info.resource.api_version(),
                    info.resource.plural,
                    info.resource.api_version(),
                    info.resource.kind,
                    info.namespace,
                    info.source.as_deref().unwrap_or("manifest")
                ),
                generated => format!("from {generated}: cannot use generate name with apply"),
            }));
        }
        let modified = annotated(&info.object);
        let live = match self.get_one(info.resource, &info.namespace, &info.name) {
            Ok(live) => live,
            Err(status) if status.code == 404 => {
                if dry_run == DryRun::Client {
                    return Ok((Effect::Created, modified));
                }
                return match self.create_one(
                    info.resource,
                    &info.namespace,
                    modified,
                    "kubectl-client-side-apply",
                    dry_run,
                ) {
                    Ok(object) => Ok((Effect::Created, object)),
                    Err(status) => Err(Failure::from(status).when("creating", info.source.as_deref())),
                };
            }
            Err(status) => return Err(status.into()),
        };
        let last = text(
            &live,
            &format!("/metadata/annotations/{}", crate::value::escape_pointer(LAST_APPLIED)),
        )
        .to_owned();
        if last.is_empty() {
            self.warn(format!(
                "Warning: resource {}/{} is missing the {LAST_APPLIED} annotation which is required by kubectl apply. kubectl apply should only be used on resources created declaratively by either kubectl create --save-config or kubectl apply. The missing annotation will be patched automatically.",
                info.resource.plural, info.name
            ));
        }
        let original: Value = serde_json::from_str(&last).unwrap_or_else(|_| json!({}));
        let patch = threeway::patch(&original, &modified, &live).map_err(Failure::Message)?;
        if patch.body.is_empty() {
            return Ok((Effect::Unchanged, live));
        }
        if dry_run == DryRun::Client {
            return Ok((Effect::Configured, live));
        }
        let kind = if patch.strategic {
            PatchKind::Strategic
        } else {
            PatchKind::Merge
        };
        let mut request = Session::request(info.resource, Verb::Patch, &info.namespace, &info.name);
        request.body = Some(Value::Object(patch.body.clone()));
        request.patch = Some(kind);
        request
            .query
            .push(("fieldManager".to_owned(), "kubectl-client-side-apply".to_owned()));
        request.query.push(("fieldValidation".to_owned(), "Strict".to_owned()));
        dry(&mut request, dry_run);
        match self.ask(&request) {
            Ok(object) => Ok((Effect::Configured, object)),
            Err(status) => {
                let mut failure = Failure::from(status);
                if let Failure::Status(status) = &mut failure {
                    status.message = format!(
                        "error when applying patch:\n{}\nto:\nResource: \"{}, Resource={}\", GroupVersionKind: \"{}, Kind={}\"\nName: \"{}\", Namespace: \"{}\"\nfor: \"{}\": error when patching \"{}\": {}",
                        compact(&Value::Object(patch.body)),
                        info.resource.api_version(),
                        info.resource.plural,
                        info.resource.api_version(),
                        info.resource.kind,
                        info.name,
                        info.namespace,
                        info.source.as_deref().unwrap_or("manifest"),
                        info.source.as_deref().unwrap_or("manifest"),
                        status.message
                    );
                }
                Err(failure)
            }
        }
    }

    pub(super) fn create_files(&mut self, files: &[String], save_config: bool, write: &Write) -> Result<(), Failure> {
        let (infos, mut failures) = self.manifests(files)?;
        for info in &infos {
            let object = if save_config {
                annotated(&info.object)
            } else {
                info.object.clone()
            };
            let created = if write.dry_run == DryRun::Client {
                Ok(object)
            } else {
                self.create_one(info.resource, &info.namespace, object, "kubectl-create", write.dry_run)
            };
            match created {
                Ok(object) => {
                    let named = Info {
                        name: text(&object, "/metadata/name").to_owned(),
                        ..info.clone()
                    };
                    self.report(&named, "created", &object, write)?;
                }
                Err(status) => failures.push(Failure::from(status).when("creating", info.source.as_deref())),
            }
        }
        self.finish(failures)
    }

    pub(super) fn replace_files(&mut self, files: &[String], force: bool, write: &Write) -> Result<(), Failure> {
        let (infos, mut failures) = self.manifests(files)?;
        if force {
            // Deletes first and creates again once the old object is gone.
            let delete = crate::command::Delete {
                targets: crate::command::Targets {
                    files: files.to_vec(),
                    ..Default::default()
                },
                grace_period: -1,
                now: false,
                force: false,
                propagation: "Background",
                wait: true,
                timeout: None,
                ignore_not_found: true,
                name_only: false,
                dry_run: DryRun::None,
            };
            self.delete(&delete)?;
            let create = super::Until::Replaced {
                objects: infos
                    .iter()
                    .map(|info| (super::Reference::new(info, ""), info.object.clone()))
                    .collect(),
            };
            let gone = match self.out.waits_for.take() {
                Some(wait) => match wait.until {
                    super::Until::Gone(objects) => objects,
                    _ => Vec::new(),
                },
                None => Vec::new(),
            };
            let mut wait = super::Wait::new(
                super::Until::Then(Box::new(super::Until::Gone(gone)), Box::new(create)),
                None,
            );
            match super::poll(&mut wait, self.api) {
                Some(done) => self.out.append(&done),
                None => self.out.waits_for = Some(wait),
            }
            return self.finish(failures);
        }
        for info in &infos {
            let mut request = Session::request(info.resource, Verb::Update, &info.namespace, &info.name);
            request.body = Some(info.object.clone());
            request
                .query
                .push(("fieldManager".to_owned(), "kubectl-replace".to_owned()));
            request.query.push(("fieldValidation".to_owned(), "Strict".to_owned()));
            dry(&mut request, write.dry_run);
            match self.ask(&request) {
                Ok(object) => self.report(info, "replaced", &object, write)?,
                Err(status) => failures.push(Failure::from(status).when("replacing", info.source.as_deref())),
            }
        }
        self.finish(failures)
    }
}
