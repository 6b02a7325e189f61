//! `kubectl` over a living cluster: the adapter between the client's requests and the simulator, and a command line that
//! lets virtual time pass where the real client would wait.

use jiff::{SignedDuration, Timestamp};
use peapod_kubectl::{
    Api, Command, ExecResult, Files, LogRequest, Output, ParseError, PatchKind, Request, Status, Verb, Wait, poll, run,
    said, time_out,
};
use peapod_sim::cluster::Cluster;
use peapod_sim::manifest::{self, Manifest};
use peapod_sim::request as sim;
use peapod_sim::time::{SimDuration, SimTime};
use peapod_sim::trace::LogLine;
use serde_json::{Value, json};

/// The longest that a command waits when it names no timeout of its own: nobody sits before a terminal for longer.
pub const PATIENCE: SimDuration = SimDuration::from_secs(60 * 60);

/// A command that waits looks again after so long, whether or not anything has changed: a refused eviction is sent again.
pub const LOOK_AGAIN: SimDuration = SimDuration::from_secs(5);

/// A cluster as `kubectl` sees it.
pub struct ClusterApi<'a> {
    cluster: &'a mut Cluster,
}

impl<'a> ClusterApi<'a> {
    /// The API server of a cluster.
    pub fn new(cluster: &'a mut Cluster) -> Self {
        Self { cluster }
    }
}

impl Api for ClusterApi<'_> {
    fn request(&mut self, request: &Request) -> Result<Value, Status> {
        self.cluster.request(&to_sim(request)).map_err(from_sim)
    }

    fn warnings(&self) -> &[String] {
        self.cluster.warnings()
    }

    fn now(&self) -> Timestamp {
        self.cluster.wall_now()
    }

    fn logs(&mut self, request: &LogRequest) -> Result<String, Status> {
        logs(self.cluster, request)
    }

    fn exec(
        &mut self,
        namespace: &str,
        pod: &str,
        container: &str,
        command: &[String],
    ) -> Option<Result<ExecResult, Status>> {
        let end = self.cluster.exec(namespace, pod, container, command);
        let result = end.map(|end| ExecResult {
            stdout: end.stdout,
            stderr: end.stderr,
            exit_code: end.exit_code,
        });
        Some(result.map_err(from_sim))
    }
}

fn to_sim(request: &Request) -> sim::Request {
    sim::Request {
        verb: match request.verb {
            Verb::Get => sim::Verb::Get,
            Verb::List => sim::Verb::List,
            Verb::Create => sim::Verb::Create,
            Verb::Update => sim::Verb::Update,
            Verb::Patch => sim::Verb::Patch,
            Verb::Delete => sim::Verb::Delete,
            Verb::DeleteCollection => sim::Verb::DeleteCollection,
        },
        group: request.group.clone(),
        version: request.version.clone(),
        resource: request.resource.clone(),
        namespace: request.namespace.clone(),
        name: request.name.clone(),
        subresource: request.subresource.clone(),
        body: request.body.clone(),
        patch: request.patch.map(|kind| match kind {
            PatchKind::Json => sim::PatchKind::Json,
            PatchKind::Merge => sim::PatchKind::Merge,
            PatchKind::Strategic => sim::PatchKind::Strategic,
            PatchKind::Apply => sim::PatchKind::Apply,
        }),
        query: request.query.clone(),
    }
}

fn from_sim(status: sim::Status) -> Status {
    Status {
        code: status.code,
        reason: status.reason,
        message: status.message,
        details: status.details,
    }
}

/// What one applied manifest did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Applied {
    /// What `kubectl apply -f` prints on standard output: `pod/nginx created` …
    pub stdout: String,
    /// Each object that was refused.
    pub refusals: Vec<Refusal>,
}

/// One object that the API server refused.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// Its index among the manifests.
    pub document: usize,
    /// What `kubectl` prints.
    pub text: String,
    /// Each cause by itself: the path of the field (`spec.containers[0].image`) and what is said of it. Empty when the
    /// refusal is about no field.
    pub causes: Vec<(String, String)>,
}

/// Applies manifests as `kubectl apply -f` does, in their order. A refusal does not stop the others.
///
/// `said` is what the trace shows as the person's step.
pub fn apply(cluster: &mut Cluster, manifests: &[Manifest], namespace: &str, said: &str) -> Applied {
    cluster.command(said);
    let mut applied = Applied::default();
    for (document, manifest) in manifests.iter().enumerate() {
        let mut objects = Vec::new();
        flatten(&manifest.value, &mut objects);
        for object in objects {
            let mut api = Recording {
                inner: ClusterApi::new(cluster),
                refused: None,
            };
            let (done, failures) = peapod_kubectl::apply(&[object], namespace, &mut api);
            let refused = api.refused.take();
            for one in done {
                match one.effect {
                    Ok(effect) => {
                        let shown = format!("{}/{} {}\n", one.resource.singular_group(), one.name, effect.word());
                        applied.stdout.push_str(&shown);
                    }
                    Err(text) => {
                        let causes = refused.as_ref().map(causes).unwrap_or_default();
                        applied.refusals.push(Refusal { document, text, causes });
                    }
                }
            }
            applied.refusals.extend(failures.into_iter().map(|text| Refusal {
                document,
                text,
                causes: Vec::new(),
            }));
        }
    }
    applied
}

/// The objects of a `List`, or the object itself.
fn flatten(value: &Value, objects: &mut Vec<Value>) {
    let kind = value.get("kind").and_then(Value::as_str).unwrap_or_default();
    match value.get("items").and_then(Value::as_array) {
        Some(items) if kind.ends_with("List") => items.iter().for_each(|item| flatten(item, objects)),
        _ => objects.push(value.clone()),
    }
}

/// The fields that a refusal names.
fn causes(status: &Status) -> Vec<(String, String)> {
    let text = |cause: &Value, field: &str| cause.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let causes = status.details.get("causes").and_then(Value::as_array);
    causes
        .into_iter()
        .flatten()
        .map(|cause| (text(cause, "field"), text(cause, "message")))
        .collect()
}

/// Remembers the last refusal, which `kubectl` only prints.
struct Recording<'a> {
    inner: ClusterApi<'a>,
    refused: Option<Status>,
}

impl Api for Recording<'_> {
    fn request(&mut self, request: &Request) -> Result<Value, Status> {
        let answer = self.inner.request(request);
        if let Err(status) = &answer {
            self.refused = Some(status.clone());
        }
        answer
    }

    fn now(&self) -> Timestamp {
        self.inner.now()
    }

    fn logs(&mut self, request: &LogRequest) -> Result<String, Status> {
        self.inner.logs(request)
    }

    fn exec(
        &mut self,
        namespace: &str,
        pod: &str,
        container: &str,
        command: &[String],
    ) -> Option<Result<ExecResult, Status>> {
        self.inner.exec(namespace, pod, container, command)
    }
}

/// Types a `kubectl` line, with or without the word itself. A command that waits (`wait`, `rollout status`, `delete`,
/// `drain`) lets virtual time pass until it is done, its `--timeout` is over, or [`PATIENCE`].
///
/// The output is what the command leaves on the terminal; nothing of it waits any more.
pub fn kubectl(cluster: &mut Cluster, line: &str, files: &dyn Files) -> Output {
    let line = line.trim();
    let arguments = line
        .strip_prefix("kubectl")
        .filter(|rest| rest.starts_with(char::is_whitespace))
        .unwrap_or(line);
    cluster.command(&format!("kubectl {}", arguments.trim()));
    carry_out(cluster, Command::parse(arguments.trim()), files)
}

/// The same for the words of a command line, without `kubectl`.
pub fn kubectl_words(time: &mut dyn Passing, words: &[String], files: &dyn Files) -> Output {
    time.cluster().command(&format!("kubectl {}", words.join(" ")));
    carry_out(time, Command::from_words(words), files)
}

/// A cluster whose time passes under somebody's eyes.
pub trait Passing {
    /// The cluster.
    fn cluster(&mut self) -> &mut Cluster;

    /// Lets the next event happen; `false` when there is none that may.
    fn step(&mut self) -> bool {
        self.cluster().step()
    }

    /// Makes an instant up to which nothing is left to happen the present one; `false` when it may not come.
    fn reach(&mut self, at: SimTime) -> bool {
        self.cluster().run_until(at);
        true
    }

    /// Whether time may go on passing.
    fn goes_on(&mut self) -> bool {
        true
    }
}

impl Passing for Cluster {
    fn cluster(&mut self) -> &mut Cluster {
        self
    }
}

fn carry_out(time: &mut dyn Passing, command: Result<Command, ParseError>, files: &dyn Files) -> Output {
    let command = match command {
        Ok(command) => command,
        Err(error) => {
            return Output {
                stderr: error.stderr,
                exit_code: error.exit_code,
                ..Output::default()
            };
        }
    };
    let began = time.cluster().now();
    let mut output = run(&command, &mut ClusterApi::new(time.cluster()), files);
    let Some(mut wait) = output.waits_for.take() else {
        return output;
    };
    let limit = match wait.timeout {
        Some(millis) => SimDuration::from_millis(u64::try_from(millis).unwrap_or(0)),
        None => PATIENCE,
    };
    let deadline = began + limit;
    let mut settled = false;
    let ended = loop {
        if let Some(ended) = poll(&mut wait, &mut ClusterApi::new(time.cluster())) {
            break ended;
        }
        // Where nothing happens any more, a command without a timeout waits for ever: somebody ends it.
        if wait.timeout.is_none() && std::mem::replace(&mut settled, time.cluster().settled()) && settled {
            break given_up(&wait);
        }
        if !advance(time, deadline) {
            break match wait.timeout {
                Some(_) => time_out(&wait),
                None => given_up(&wait),
            };
        }
    };
    output.append(&ended);
    output
}

/// What a command leaves that somebody ends because what it waits for does not come.
fn given_up(wait: &Wait) -> Output {
    let mut output = said(wait);
    output
        .stderr
        .push_str("peapod: stopped: it waits for what never comes\n");
    output.exit_code = 130;
    output
}

/// Lets time pass until something that a client can see has changed; `false` at the deadline.
fn advance(time: &mut dyn Passing, deadline: SimTime) -> bool {
    let revision = time.cluster().revision();
    let again = (time.cluster().now() + LOOK_AGAIN).min(deadline);
    while time.cluster().revision() == revision {
        if !time.goes_on() {
            return false;
        }
        match time.cluster().next_event_at() {
            Some(next) if next <= again => {
                if !time.step() {
                    return false;
                }
            }
            _ => {
                let in_time = again < deadline;
                return time.reach(again) && in_time;
            }
        }
    }
    true
}

/// The log of a container, as the kubelet gives it (`pkg/kubelet/kubelet_pods.go validateContainerLogStatus`).
fn logs(cluster: &Cluster, request: &LogRequest) -> Result<String, Status> {
    let Some(pod) = cluster.object("Pod", &request.namespace, &request.pod) else {
        let message = format!("pods \"{}\" not found", request.pod);
        return Err(failure(
            404,
            "NotFound",
            message,
            json!({ "name": request.pod, "kind": "pods" }),
        ));
    };
    let node = pod
        .pointer("/spec/nodeName")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if node.is_empty() {
        // There is nobody to ask yet (`LogLocation`).
        return Ok(String::new());
    }
    let instance = match log_instance(&pod, request)? {
        Log::Of(instance) => instance,
        Log::Removed(id) => return Ok(format!("unable to retrieve container logs for {id}")),
    };
    let uid = peapod_sim::kubelet::mirror::source_uid(&pod).unwrap_or_default();
    let start = cluster.wall_now() - SignedDuration::from_nanos(i64::try_from(cluster.now().0).unwrap_or(i64::MAX));
    let wall = |line: &LogLine| start + SignedDuration::from_nanos(i64::try_from(line.at.0).unwrap_or(i64::MAX));
    let earliest = request.since_time.or_else(|| {
        request
            .since_seconds
            .map(|seconds| cluster.wall_now() - SignedDuration::from_secs(seconds as i64))
    });
    let mut lines: Vec<&LogLine> = cluster
        .logs()
        .iter()
        .filter(|line| {
            line.pod_uid == uid && line.container == request.container && u64::from(line.instance) == instance
        })
        .filter(|line| earliest.is_none_or(|earliest| wall(line) >= earliest))
        .collect();
    if let Some(tail) = request.tail.and_then(|tail| usize::try_from(tail).ok()) {
        lines.drain(..lines.len().saturating_sub(tail));
    }
    let shown = |line: &&LogLine| {
        if request.timestamps {
            format!("{:.9} {}\n", wall(line), line.text)
        } else {
            format!("{}\n", line.text)
        }
    };
    Ok(lines.iter().map(shown).collect())
}

fn failure(code: u16, reason: &str, message: String, details: Value) -> Status {
    Status {
        code,
        reason: reason.to_owned(),
        message,
        details,
    }
}

/// Where the log that is asked for is.
enum Log {
    /// With the instance of that restart count.
    Of(u64),
    /// Nowhere any more: the container of that id has been removed.
    Removed(String),
}

/// Which instance of a container is asked for, or why there is no log of it (`validateContainerLogStatus`). Of dead containers
/// the kubelet keeps the newest alone, and none of a pod that it evicted (`cleanUpContainersInPod`).
fn log_instance(pod: &Value, request: &LogRequest) -> Result<Log, Status> {
    let refused = |message: String| Err(failure(400, "BadRequest", message, Value::Null));
    let (container, name) = (&request.container, &request.pod);
    let status = [
        "/status/containerStatuses",
        "/status/initContainerStatuses",
        "/status/ephemeralContainerStatuses",
    ]
    .iter()
    .filter_map(|pointer| pod.pointer(pointer).and_then(Value::as_array))
    .flatten()
    .find(|status| status.get("name").and_then(Value::as_str) == Some(container));
    let Some(status) = status else {
        return refused(format!("container \"{container}\" in pod \"{name}\" is not available"));
    };
    let count = status.get("restartCount").and_then(Value::as_u64).unwrap_or(0);
    let waiting = status.pointer("/state/waiting");
    let has_ended = status.pointer("/lastState/terminated").is_some();
    let id_of = |pointer: &str| {
        let id = status
            .pointer(pointer)
            .and_then(Value::as_str)
            .filter(|id| !id.is_empty());
        id.map(str::to_owned)
    };
    let (ended, before) = (
        id_of("/state/terminated/containerID"),
        id_of("/lastState/terminated/containerID"),
    );
    if request.previous
        && ended.is_some()
        && let Some(id) = before
    {
        return Ok(Log::Removed(id));
    }
    let evicted = pod.pointer("/status/reason").and_then(Value::as_str) == Some("Evicted");
    if !request.previous && status.pointer("/state/terminated").is_some() {
        match ended {
            Some(id) if evicted => return Ok(Log::Removed(id)),
            None if !has_ended => {
                return refused(format!("container \"{container}\" in pod \"{name}\" is terminated"));
            }
            _ => {}
        }
    }
    if request.previous {
        // While the next instance is waited for, the last one is the one that the count names.
        return match (waiting, count.checked_sub(1)) {
            (Some(_), _) if has_ended => Ok(Log::Of(count)),
            (None, Some(before)) if has_ended => Ok(Log::Of(before)),
            _ => refused(format!(
                "previous terminated container \"{container}\" in pod \"{name}\" not found"
            )),
        };
    }
    let Some(waiting) = waiting.filter(|_| !has_ended) else {
        return Ok(Log::Of(count));
    };
    let why = match waiting.get("reason").and_then(Value::as_str).unwrap_or_default() {
        "ErrImagePull" => "is waiting to start: image can't be pulled",
        "ImagePullBackOff" => "is waiting to start: trying and failing to pull image",
        "" => "is waiting to start: ContainerCreating",
        reason => {
            return refused(format!(
                "container \"{container}\" in pod \"{name}\" is waiting to start: {reason}"
            ));
        }
    };
    refused(format!("container \"{container}\" in pod \"{name}\" {why}"))
}

/// The files that a command line may name: texts by their names, such as the fences of a note.
#[derive(Clone, Debug, Default)]
pub struct Texts(pub Vec<(String, String)>);

impl Files for Texts {
    fn manifests(&self, name: &str) -> Result<Vec<Value>, String> {
        let text = self
            .find(name)
            .ok_or_else(|| format!("the path \"{name}\" does not exist"))?;
        let shown = if name == "-" { "STDIN" } else { name };
        match manifest::read(text) {
            Ok(manifests) => Ok(manifests.into_iter().map(|manifest| manifest.value).collect()),
            Err(problems) => {
                let message = problems
                    .into_iter()
                    .next()
                    .map(|problem| problem.message)
                    .unwrap_or_default();
                Err(format!("error parsing {shown}: {message}"))
            }
        }
    }

    fn text(&self, name: &str) -> Result<String, String> {
        self.find(name)
            .map(str::to_owned)
            .ok_or_else(|| format!("open {name}: no such file or directory"))
    }
}

impl Texts {
    fn find(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, text)| text.as_str())
    }
}
