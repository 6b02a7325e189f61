//! Carrying commands out: each asks the API server what the real client asks, and says what it says.

mod apply;
mod change;
mod delete;
mod generate;
mod get;
mod logs;
mod node;
mod rollout;
mod wait;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::api::{Api, Files, PatchKind, Request, Status, Verb};
use crate::command::{Action, Command, DryRun, Format, Targets, Write};
use crate::resources::{self, RESOURCES, Resource};
use crate::value::{list, text};

pub use apply::{Applied, Effect, apply};
pub use get::Watching;
pub use wait::{Leaving, Reference, Until, Wait, poll, said, time_out};

/// What a command leaves behind.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Output {
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// The exit code.
    pub exit_code: i32,
    /// What the command would now wait for. Let time pass and ask [`poll`].
    pub waits_for: Option<Wait>,
    /// What a `get -w` goes on printing.
    pub watches: Option<Watching>,
}

impl Output {
    /// Adds what the command printed later, once it had what it waited for.
    pub fn append(&mut self, later: &Output) {
        self.stdout.push_str(&later.stdout);
        self.stderr.push_str(&later.stderr);
        self.exit_code = self.exit_code.max(later.exit_code);
    }
}

/// Why a command failed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Failure {
    /// The server refused.
    Status(Status),
    /// The client itself refused; printed behind `error: `.
    Message(String),
    /// Printed as it is.
    Plain(String),
}

impl From<Status> for Failure {
    fn from(status: Status) -> Failure {
        Failure::Status(status)
    }
}

impl From<String> for Failure {
    fn from(message: String) -> Failure {
        Failure::Message(message)
    }
}

impl From<&str> for Failure {
    fn from(message: &str) -> Failure {
        Failure::Message(message.to_owned())
    }
}

impl Failure {
    /// The text on standard error (`pkg/cmd/util/helpers.go checkErr`).
    fn stderr(&self) -> String {
        match self {
            Failure::Plain(text) => format!("{text}\n"),
            Failure::Message(message) => format!("error: {message}\n"),
            Failure::Status(status) if status.reason == "Invalid" => invalid(status),
            Failure::Status(status) if status.reason == "Unauthorized" => {
                format!("error: You must be logged in to the server ({})\n", status.message)
            }
            Failure::Status(status) if status.reason.is_empty() => format!("Error from server: {}\n", status.message),
            Failure::Status(status) => format!("Error from server ({}): {}\n", status.reason, status.message),
        }
    }

    /// Adds what was being done, as in `error when creating "f": …`.
    fn when(self, doing: &str, source: Option<&str>) -> Failure {
        match (self, source) {
            (Failure::Status(mut status), Some(source)) => {
                status.message = format!("error when {doing} \"{source}\": {}", status.message);
                Failure::Status(status)
            }
            (failure, _) => failure,
        }
    }

    fn is_not_found(&self) -> bool {
        matches!(self, Failure::Status(status) if status.code == 404)
    }
}

fn invalid(status: &Status) -> String {
    let (kind, name) = (text(&status.details, "/kind"), text(&status.details, "/name"));
    let mut causes: Vec<String> = Vec::new();
    for cause in list(&status.details, "/causes") {
        let shown = match text(cause, "/field") {
            "" => text(cause, "/message").to_owned(),
            field => format!("{field}: {}", text(cause, "/message")),
        };
        if !causes.contains(&shown) {
            causes.push(shown);
        }
    }
    let head = if kind.is_empty() && name.is_empty() {
        "The request is invalid".to_owned()
    } else {
        format!("The {kind} \"{name}\" is invalid")
    };
    match causes.as_slice() {
        [] if kind.is_empty() && name.is_empty() => format!("{head}: {}\n", status.message),
        [] => format!("{head}\n"),
        [one] => format!("{head}: {one}\n"),
        many => format!(
            "{head}: \n{}",
            many.iter().map(|cause| format!("* {cause}\n")).collect::<String>()
        ),
    }
}

/// Carries out a command.
pub fn run(command: &Command, api: &mut dyn Api, files: &dyn Files) -> Output {
    let mut session = Session {
        api,
        files,
        namespace: command.namespace.clone().unwrap_or_else(|| "default".to_owned()),
        explicit_namespace: command.namespace.is_some(),
        all_namespaces: command.all_namespaces,
        out: Output::default(),
    };
    if let Err(failure) = session.act(&command.action) {
        session.fail(&failure);
    }
    session.out
}

/// One object that a command is about.
#[derive(Clone, Debug)]
pub(crate) struct Info {
    pub resource: &'static Resource,
    pub namespace: String,
    pub name: String,
    /// The live object, or the one in the file.
    pub object: Value,
    /// The file it comes from.
    pub source: Option<String>,
}

impl Info {
    /// `deployment.apps/web`
    pub(crate) fn shown(&self) -> String {
        format!("{}/{}", self.resource.singular_group(), self.name)
    }
}

/// A resource and perhaps a name, as the arguments give them.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub resource: &'static Resource,
    pub name: Option<String>,
}

pub(crate) struct Session<'a> {
    api: &'a mut dyn Api,
    files: &'a dyn Files,
    namespace: String,
    explicit_namespace: bool,
    all_namespaces: bool,
    out: Output,
}

impl Session<'_> {
    fn act(&mut self, action: &Action) -> Result<(), Failure> {
        match action {
            Action::Get(get) => self.get(get),
            Action::Describe(targets, events) => self.describe(targets, *events),
            Action::Apply {
                files,
                server_side,
                force_conflicts,
                field_manager,
                write,
            } => self.apply_files(files, *server_side, *force_conflicts, field_manager.as_deref(), write),
            Action::Create(files, save_config, write) => self.create_files(files, *save_config, write),
            Action::Replace(files, force, write) => self.replace_files(files, *force, write),
            Action::Generate(generate) => self.generate(generate),
            Action::Run(run) => self.run_pod(run),
            Action::Expose { .. } => self.expose(action),
            Action::Autoscale { .. } => self.autoscale(action),
            Action::Delete(delete) => self.delete(delete),
            Action::Patch {
                targets,
                kind,
                patch,
                patch_file,
                subresource,
                write,
            } => self.patch(
                targets,
                *kind,
                patch.as_deref(),
                patch_file.as_deref(),
                subresource.as_deref(),
                write,
            ),
            Action::Scale {
                targets,
                replicas,
                current,
                write,
            } => self.scale(targets, *replicas, *current, write),
            Action::SetImage(targets, images, write) => self.set_image(targets, images, write),
            Action::SetEnv(targets, changes, container, write) => {
                self.set_env(targets, changes, container.as_deref(), write)
            }
            Action::SetResources(targets, container, limits, requests, write) => self.set_resources(
                targets,
                container.as_deref(),
                limits.as_deref(),
                requests.as_deref(),
                write,
            ),
            Action::Mark { .. } => self.mark(action),
            Action::Taint {
                targets,
                set,
                remove,
                overwrite,
                write,
            } => self.taint(targets, set, remove, *overwrite, write),
            Action::Cordon(on, nodes, selector, dry_run) => {
                self.cordon(*on, nodes, selector.as_deref(), *dry_run).map(|_| ())
            }
            Action::Drain(drain) => self.drain(drain),
            Action::Rollout(what, targets) => self.rollout(what, targets),
            Action::Logs(logs) => self.logs(logs),
            Action::Wait { what, targets, timeout } => self.wait(what, targets, *timeout),
            Action::Exec {
                target,
                container,
                command,
            } => self.exec(target, container.as_deref(), command),
            Action::Events(about, types, no_headers) => self.events(about.as_deref(), types, *no_headers),
            Action::ApiResources => {
                self.api_resources();
                Ok(())
            }
        }
    }

    fn now(&self) -> Timestamp {
        self.api.now()
    }

    fn fail(&mut self, failure: &Failure) {
        self.out.stderr.push_str(&failure.stderr());
        self.out.exit_code = 1;
    }

    fn say(&mut self, line: impl AsRef<str>) {
        self.out.stdout.push_str(line.as_ref());
        self.out.stdout.push('\n');
    }

    fn warn(&mut self, line: impl AsRef<str>) {
        self.out.stderr.push_str(line.as_ref());
        self.out.stderr.push('\n');
    }

    /// The namespace of a request about a resource.
    fn scope(&self, resource: &Resource) -> String {
        if resource.namespaced {
            self.namespace.clone()
        } else {
            String::new()
        }
    }

    fn request(resource: &Resource, verb: Verb, namespace: &str, name: &str) -> Request {
        Request {
            verb,
            group: resource.group.to_owned(),
            version: resource.version.to_owned(),
            resource: resource.plural.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            subresource: String::new(),
            body: None,
            patch: None,
            query: Vec::new(),
        }
    }

    /// Sends a request and says what the server warns of, each warning once (`rest.NewWarningWriter`, `Deduplicate`).
    fn ask(&mut self, request: &Request) -> Result<Value, Status> {
        let answer = self.api.request(request);
        for warning in self.api.warnings() {
            let line = format!("Warning: {warning}\n");
            if self.out.stderr.split_inclusive('\n').all(|said| said != line) {
                self.out.stderr.push_str(&line);
            }
        }
        answer
    }

    fn get_one(&mut self, resource: &Resource, namespace: &str, name: &str) -> Result<Value, Status> {
        self.ask(&Session::request(resource, Verb::Get, namespace, name))
            .map(|object| typed(object, resource))
    }

    /// All objects of a resource; `namespace` empty is all namespaces.
    fn list_all(
        &mut self,
        resource: &Resource,
        namespace: &str,
        selector: Option<&str>,
        field_selector: Option<&str>,
    ) -> Result<Vec<Value>, Status> {
        let mut request = Session::request(resource, Verb::List, namespace, "");
        if let Some(selector) = selector.filter(|selector| !selector.is_empty()) {
            request.query.push(("labelSelector".to_owned(), selector.to_owned()));
        }
        if let Some(selector) = field_selector.filter(|selector| !selector.is_empty()) {
            request.query.push(("fieldSelector".to_owned(), selector.to_owned()));
        }
        let answer = self.ask(&request)?;
        let items = match answer {
            Value::Object(mut answer) => answer.shift_remove("items").unwrap_or_default(),
            items => items,
        };
        let items = if let Value::Array(items) = items {
            items
        } else {
            Vec::new()
        };
        Ok(items.into_iter().map(|object| typed(object, resource)).collect())
    }

    fn patch_one(
        &mut self,
        info: &Info,
        kind: PatchKind,
        subresource: &str,
        body: Value,
        manager: &str,
        dry_run: DryRun,
    ) -> Result<Value, Status> {
        let mut request = Session::request(info.resource, Verb::Patch, &info.namespace, &info.name);
        subresource.clone_into(&mut request.subresource);
        request.body = Some(body);
        request.patch = Some(kind);
        request.query.push(("fieldManager".to_owned(), manager.to_owned()));
        dry(&mut request, dry_run);
        self.ask(&request)
    }

    fn create_one(
        &mut self,
        resource: &Resource,
        namespace: &str,
        body: Value,
        manager: &str,
        dry_run: DryRun,
    ) -> Result<Value, Status> {
        let mut request = Session::request(resource, Verb::Create, namespace, "");
        request.body = Some(body);
        request.query.push(("fieldManager".to_owned(), manager.to_owned()));
        request.query.push(("fieldValidation".to_owned(), "Strict".to_owned()));
        dry(&mut request, dry_run);
        self.ask(&request).map(|object| typed(object, resource))
    }

    /// Reads `TYPE NAME…`, `TYPE,TYPE`, `TYPE/NAME…` (`cli-runtime/pkg/resource/builder.go`).
    fn resolve(args: &[String]) -> Result<Vec<Target>, Failure> {
        let find = |name: &str| {
            resources::find(name)
                .ok_or_else(|| Failure::Message(format!("the server doesn't have a resource type \"{name}\"")))
        };
        if args.iter().any(|arg| arg.contains('/')) {
            return args
                .iter()
                .map(|arg| match arg.split_once('/') {
                    Some((kind, name)) if !kind.is_empty() && !name.is_empty() && !name.contains('/') => {
                        if kind.contains(',') {
                            return Err(Failure::from("arguments in resource/name form may not have more than one resource type"));
                        }
                        Ok(Target { resource: find(kind)?, name: Some(name.to_owned()) })
                    }
                    Some(_) => Err(Failure::from("arguments in resource/name form must have a single resource and name")),
                    None => Err(Failure::from(
                        "there is no need to specify a resource type as a separate argument when passing arguments in resource/name form (e.g. 'kubectl get resource/<resource_name>' instead of 'kubectl get resource resource/<resource_name>'",
                    )),
                })
                .collect();
        }
        let Some((types, names)) = args.split_first() else {
            return Ok(Vec::new());
        };
        let mut found: Vec<&'static Resource> = Vec::new();
        for name in types.split(',').filter(|name| !name.is_empty()) {
            if name == "all" {
                found.extend(RESOURCES.iter().filter(|resource| resource.all));
            } else {
                found.push(find(name)?);
            }
        }
        if names.is_empty() {
            return Ok(found
                .into_iter()
                .map(|resource| Target { resource, name: None })
                .collect());
        }
        // A name given twice is asked for once.
        let mut targets: Vec<Target> = Vec::new();
        for resource in found {
            for name in names {
                if !targets
                    .iter()
                    .any(|target| target.resource == resource && target.name.as_ref() == Some(name))
                {
                    targets.push(Target {
                        resource,
                        name: Some(name.clone()),
                    });
                }
            }
        }
        Ok(targets)
    }

    /// The objects in files, `List`s taken apart, with their resources and namespaces.
    fn manifests(&mut self, files: &[String]) -> Result<(Vec<Info>, Vec<Failure>), Failure> {
        let (mut infos, mut failures) = (Vec::new(), Vec::new());
        for file in files {
            let source = if file == "-" { "STDIN" } else { file };
            for document in self.files.manifests(file).map_err(Failure::Message)? {
                let items = match document {
                    Value::Object(mut document)
                        if document
                            .get("kind")
                            .and_then(Value::as_str)
                            .is_some_and(|kind| kind.ends_with("List"))
                            && document.contains_key("items") =>
                    {
                        match document.shift_remove("items") {
                            Some(Value::Array(items)) => items,
                            _ => Vec::new(),
                        }
                    }
                    document => vec![document],
                };
                for object in items {
                    match self.manifest(object, source) {
                        Ok(info) => infos.push(info),
                        Err(failure) => failures.push(failure),
                    }
                }
            }
        }
        if infos.is_empty() && failures.is_empty() {
            return Err(Failure::Message("no objects passed to apply".to_owned()));
        }
        Ok((infos, failures))
    }

    fn manifest(&self, mut object: Value, source: &str) -> Result<Info, Failure> {
        let (version, kind) = (
            text(&object, "/apiVersion").to_owned(),
            text(&object, "/kind").to_owned(),
        );
        let name = text(&object, "/metadata/name").to_owned();
        let written = text(&object, "/metadata/namespace").to_owned();
        if kind.is_empty() {
            return Err(format!("error validating \"{source}\": error validating data: kind not set").into());
        }
        if version.is_empty() {
            return Err(format!("error validating \"{source}\": error validating data: apiVersion not set").into());
        }
        let found = resources::of_object(&object)
            .filter(|resource| resource.api_version() == version || resource.group == "autoscaling");
        let Some(resource) = found else {
            return Err(Failure::Message(format!(
                "resource mapping not found for name: \"{name}\" namespace: \"{written}\" from \"{source}\": no matches for kind \"{kind}\" in version \"{version}\"\nensure CRDs are installed first"
            )));
        };
        let namespace = match (resource.namespaced, written.as_str()) {
            (false, _) => String::new(),
            (true, "") => self.namespace.clone(),
            (true, written) if self.explicit_namespace && written != self.namespace => {
                return Err(Failure::Message(format!(
                    "the namespace from the provided object \"{written}\" does not match the namespace \"{}\". You must pass '--namespace={written}' to perform this operation.",
                    self.namespace
                )));
            }
            (true, written) => written.to_owned(),
        };
        if resource.namespaced
            && written.is_empty()
            && let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut)
        {
            metadata.insert("namespace".to_owned(), json!(namespace));
        }
        Ok(Info {
            resource,
            namespace,
            name,
            object,
            source: Some(source.to_owned()),
        })
    }

    /// The live objects that a command is about. Failures on the way are told at the end, after what was done.
    fn visit(&mut self, targets: &Targets, verb: &str) -> Result<(Vec<Info>, Vec<Failure>), Failure> {
        if !targets.files.is_empty() {
            let (infos, mut failures) = self.manifests(&targets.files)?;
            let mut live = Vec::new();
            for info in infos {
                match self.get_one(info.resource, &info.namespace, &info.name) {
                    Ok(object) => live.push(Info { object, ..info }),
                    Err(status) => failures.push(status.into()),
                }
            }
            return Ok((live, failures));
        }
        let found = Session::resolve(&targets.args)?;
        if found.is_empty() {
            return Err(Failure::Plain(format!(
                "You must specify the type of resource to {verb}. Use \"kubectl api-resources\" for a complete list of supported resources.\n\nerror: Required resource not specified.\nSee 'kubectl {verb} -h' for help and examples"
            )));
        }
        let selecting = targets.all
            || targets.selector.is_some()
            || targets.field_selector.is_some()
            || verb == "get"
            || verb == "describe";
        let (mut infos, mut failures) = (Vec::new(), Vec::new());
        for target in found {
            let resource = target.resource;
            match target.name {
                Some(_) if targets.selector.is_some() || targets.field_selector.is_some() => {
                    return Err("name cannot be provided when a selector is specified".into());
                }
                Some(_) if targets.all => return Err("setting 'all' parameter but found a non empty selector. ".into()),
                Some(_) if self.all_namespaces && resource.namespaced => {
                    return Err("a resource cannot be retrieved by name across all namespaces".into());
                }
                Some(name) => {
                    let namespace = self.scope(resource);
                    match self.get_one(resource, &namespace, &name) {
                        Ok(object) => infos.push(Info {
                            resource,
                            namespace,
                            name,
                            object,
                            source: None,
                        }),
                        Err(status) => failures.push(status.into()),
                    }
                }
                None if !selecting => {
                    return Err("resource(s) were provided, but no name was specified".into());
                }
                None => {
                    let namespace = if self.all_namespaces {
                        String::new()
                    } else {
                        self.scope(resource)
                    };
                    match self.list_all(
                        resource,
                        &namespace,
                        targets.selector.as_deref(),
                        targets.field_selector.as_deref(),
                    ) {
                        Ok(objects) => infos.extend(objects.into_iter().map(|object| Info {
                            resource,
                            namespace: text(&object, "/metadata/namespace").to_owned(),
                            name: text(&object, "/metadata/name").to_owned(),
                            object,
                            source: None,
                        })),
                        Err(status) => failures.push(status.into()),
                    }
                }
            }
        }
        Ok((infos, failures))
    }

    /// Says what a write did: `pod/p1 created`, or the object if `-o` asks for it.
    fn report(&mut self, info: &Info, operation: &str, object: &Value, write: &Write) -> Result<(), Failure> {
        match &write.format {
            Format::Human | Format::Wide => {
                let suffix = match write.dry_run {
                    DryRun::None => "",
                    DryRun::Client => " (dry run)",
                    DryRun::Server => " (server dry run)",
                };
                self.say(format!("{} {operation}{suffix}", info.shown()));
            }
            Format::Name => self.say(info.shown()),
            format => {
                let format = crate::print::output::read_file(format, self.files).map_err(Failure::Message)?;
                let shown = crate::print::output::object(object, &format, write.show_managed_fields)
                    .map_err(Failure::Message)?;
                self.out.stdout.push_str(&shown);
            }
        }
        Ok(())
    }

    fn finish(&mut self, failures: Vec<Failure>) -> Result<(), Failure> {
        for failure in &failures {
            self.fail(failure);
        }
        Ok(())
    }
}

/// Items of a list come without their kind: put it back.
fn typed(mut object: Value, resource: &Resource) -> Value {
    if let Some(map) = object.as_object_mut()
        && !map.contains_key("kind")
    {
        map.insert("apiVersion".to_owned(), json!(resource.api_version()));
        map.insert("kind".to_owned(), json!(resource.kind));
    }
    object
}

fn dry(request: &mut Request, dry_run: DryRun) {
    if dry_run != DryRun::None {
        request.query.push(("dryRun".to_owned(), "All".to_owned()));
    }
}
