//! The grammar: a command line becomes a typed [`Command`], or the text with which `kubectl` refuses it.
//!
//! Words are only checked as far as the real client checks them before its first request; kinds and names are looked
//! up when the command runs.

use crate::flags::{Flag, Given, switch, value};
use crate::words;

/// A command line that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{stderr}")]
pub struct ParseError {
    /// What `kubectl` would write to standard error, with a final newline.
    pub stderr: String,
    /// The exit code.
    pub exit_code: i32,
}

impl ParseError {
    fn new(message: impl AsRef<str>) -> ParseError {
        ParseError {
            stderr: format!("error: {}\n", message.as_ref()),
            exit_code: 1,
        }
    }

    fn usage(command: &str, message: &str) -> ParseError {
        ParseError {
            stderr: format!("error: {message}\nSee 'kubectl {command} --help' for usage.\n"),
            exit_code: 1,
        }
    }
}

/// A command with the flags that all commands share.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// `-n`; without it the application's default namespace.
    pub namespace: Option<String>,
    /// `-A`
    pub all_namespaces: bool,
    /// What to do.
    pub action: Action,
}

/// Whether a write happens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DryRun {
    /// It does.
    #[default]
    None,
    /// The object is only printed.
    Client,
    /// The server goes through all of it and stores nothing.
    Server,
}

/// `-o`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// A table, or the one line of a write.
    #[default]
    Human,
    /// A table with all columns.
    Wide,
    /// `json`
    Json,
    /// `yaml`
    Yaml,
    /// `name`
    Name,
    /// `jsonpath=…`
    JsonPath(String),
    /// `jsonpath-as-json=…`
    JsonPathAsJson(String),
    /// `custom-columns=…`
    CustomColumns(String),
}

/// The objects that a command is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Targets {
    /// `TYPE NAME…`, `TYPE/NAME…`, `TYPE,TYPE`
    pub args: Vec<String>,
    /// `-f`
    pub files: Vec<String>,
    /// `-l`
    pub selector: Option<String>,
    /// `--field-selector`
    pub field_selector: Option<String>,
    /// `--all`
    pub all: bool,
}

/// `kubectl get`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Get {
    /// What to show.
    pub targets: Targets,
    /// `-o`
    pub format: Format,
    /// `-w` or `--watch-only`: the application goes on printing changes, see [`crate::print::Watch`].
    pub watch: bool,
    /// `--watch-only`
    pub watch_only: bool,
    /// `--no-headers`
    pub no_headers: bool,
    /// `--show-labels`
    pub show_labels: bool,
    /// `-L`
    pub label_columns: Vec<String>,
    /// `--show-kind`
    pub show_kind: bool,
    /// `--sort-by`
    pub sort_by: Option<String>,
    /// `--ignore-not-found`
    pub ignore_not_found: bool,
    /// `--show-managed-fields`
    pub show_managed_fields: bool,
    /// `--subresource`
    pub subresource: Option<String>,
    /// `--allow-missing-template-keys`, on by default
    pub strict_template: bool,
}

/// `kubectl delete`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delete {
    /// What to delete.
    pub targets: Targets,
    /// `--grace-period`, in seconds; below 0 is not given.
    pub grace_period: i64,
    /// `--now`
    pub now: bool,
    /// `--force`
    pub force: bool,
    /// `--cascade`: `Background`, `Foreground` or `Orphan`.
    pub propagation: &'static str,
    /// `--wait`
    pub wait: bool,
    /// `--timeout`, in milliseconds
    pub timeout: Option<i64>,
    /// `--ignore-not-found`
    pub ignore_not_found: bool,
    /// `-o name`
    pub name_only: bool,
    /// `--dry-run`
    pub dry_run: DryRun,
}

/// How a write reports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Write {
    /// `--dry-run`
    pub dry_run: DryRun,
    /// `-o`
    pub format: Format,
    /// `--show-managed-fields`
    pub show_managed_fields: bool,
}

/// `kubectl create TYPE`
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Generator {
    /// `create namespace NAME`
    Namespace,
    /// `create configmap NAME`
    ConfigMap,
    /// `create secret generic NAME`, with its `--type`
    Secret(Option<String>),
    /// `create serviceaccount NAME`
    ServiceAccount,
    /// `create deployment NAME --image=… --replicas=… --port=…`
    Deployment {
        /// `--replicas`
        replicas: i64,
        /// `--port`
        port: Option<i64>,
    },
    /// `create job NAME`, with `--from=cronjob/…`
    Job {
        /// `--from`
        from: Option<String>,
    },
    /// `create cronjob NAME --schedule=…`
    CronJob {
        /// `--schedule`
        schedule: String,
        /// `--restart`
        restart: String,
    },
    /// `create service TYPE NAME --tcp=…`
    Service {
        /// `ClusterIP`, `NodePort` …
        kind: &'static str,
        /// `--tcp`
        tcp: Vec<String>,
        /// `--clusterip`
        cluster_ip: Option<String>,
    },
    /// `create poddisruptionbudget NAME --selector=…`
    PodDisruptionBudget {
        /// `--selector`
        selector: String,
        /// `--min-available`
        min_available: Option<String>,
        /// `--max-unavailable`
        max_unavailable: Option<String>,
    },
    /// `create priorityclass NAME --value=…`
    PriorityClass {
        /// `--value`
        value: i64,
        /// `--global-default`
        global_default: bool,
        /// `--description`
        description: String,
        /// `--preemption-policy`
        preemption_policy: String,
    },
    /// `create quota NAME --hard=…`
    Quota {
        /// `--hard`
        hard: String,
    },
}

/// A `create` with a generator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generate {
    /// What to create.
    pub generator: Generator,
    /// Its name.
    pub name: String,
    /// `--image`
    pub images: Vec<String>,
    /// `--from-literal`
    pub literals: Vec<String>,
    /// `--from-file`
    pub files: Vec<String>,
    /// `--from-env-file`
    pub env_files: Vec<String>,
    /// Words after `--`.
    pub command: Vec<String>,
    /// How to report.
    pub write: Write,
}

/// `kubectl run`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// The pod's name.
    pub name: String,
    /// `--image`
    pub image: String,
    /// `--restart`
    pub restart: String,
    /// `--labels`
    pub labels: Option<String>,
    /// `--annotations`
    pub annotations: Vec<String>,
    /// `--env`
    pub env: Vec<String>,
    /// `--port`
    pub port: Option<i64>,
    /// `--image-pull-policy`
    pub image_pull_policy: Option<String>,
    /// `--privileged`
    pub privileged: bool,
    /// `--overrides`
    pub overrides: Option<String>,
    /// `--command`: the words are the command, not arguments.
    pub as_command: bool,
    /// Words after `--`.
    pub args: Vec<String>,
    /// How to report.
    pub write: Write,
}

/// `kubectl rollout`
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rollout {
    /// `status`, with `--watch` and `--timeout` in milliseconds
    Status {
        /// Wait until it ends.
        watch: bool,
        /// 0 is for ever.
        timeout: i64,
        /// `--revision`
        revision: i64,
    },
    /// `history`, with `--revision`
    History(i64),
    /// `undo`, with `--to-revision`
    Undo(i64),
    /// `restart`
    Restart,
    /// `pause`
    Pause,
    /// `resume`
    Resume,
}

/// `kubectl logs`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Logs {
    /// `POD` or `TYPE/NAME`
    pub target: Option<String>,
    /// `-l`
    pub selector: Option<String>,
    /// `-c`
    pub container: Option<String>,
    /// `--all-containers`
    pub all_containers: bool,
    /// `-p`
    pub previous: bool,
    /// `--tail`
    pub tail: Option<u64>,
    /// `--timestamps`
    pub timestamps: bool,
    /// `--since`, in seconds
    pub since_seconds: Option<u64>,
    /// `--since-time`
    pub since_time: Option<String>,
    /// `--prefix`
    pub prefix: bool,
    /// `-f`
    pub follow: bool,
}

/// `kubectl drain`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drain {
    /// The nodes.
    pub nodes: Vec<String>,
    /// `-l`
    pub selector: Option<String>,
    /// `--force`
    pub force: bool,
    /// `--ignore-daemonsets`
    pub ignore_daemonsets: bool,
    /// `--delete-emptydir-data`
    pub delete_emptydir_data: bool,
    /// `--disable-eviction`
    pub disable_eviction: bool,
    /// `--grace-period`, below 0 is not given
    pub grace_period: i64,
    /// `--pod-selector`
    pub pod_selector: Option<String>,
    /// `--timeout`, in milliseconds, 0 is for ever
    pub timeout: i64,
    /// `--dry-run`
    pub dry_run: DryRun,
}

/// What `kubectl wait` waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum For {
    /// `delete`
    Delete,
    /// `create`
    Create,
    /// `condition=NAME[=VALUE]`
    Condition(String, String),
    /// `jsonpath={…}[=VALUE]`
    JsonPath(String, Option<String>),
}

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// `get`
    Get(Get),
    /// `describe`, with `--show-events`
    Describe(Targets, bool),
    /// `apply -f`, with `--server-side` and `--force-conflicts`
    Apply {
        /// `-f`
        files: Vec<String>,
        /// `--server-side`
        server_side: bool,
        /// `--force-conflicts`
        force_conflicts: bool,
        /// `--field-manager`
        field_manager: Option<String>,
        /// How to report.
        write: Write,
    },
    /// `create -f`, with `--save-config`
    Create(Vec<String>, bool, Write),
    /// `create TYPE`
    Generate(Generate),
    /// `replace -f`, with `--force`
    Replace(Vec<String>, bool, Write),
    /// `run`
    Run(Run),
    /// `expose`
    Expose {
        /// What to expose.
        targets: Targets,
        /// `--name`
        name: Option<String>,
        /// `--port`
        port: Option<i64>,
        /// `--target-port`
        target_port: Option<String>,
        /// `--type`
        kind: Option<String>,
        /// `--protocol`
        protocol: Option<String>,
        /// `--selector`
        selector: Option<String>,
        /// `--cluster-ip`
        cluster_ip: Option<String>,
        /// How to report.
        write: Write,
    },
    /// `delete`
    Delete(Delete),
    /// `patch`
    Patch {
        /// What to patch.
        targets: Targets,
        /// `--type`
        kind: crate::api::PatchKind,
        /// `-p`
        patch: Option<String>,
        /// `--patch-file`
        patch_file: Option<String>,
        /// `--subresource`
        subresource: Option<String>,
        /// How to report.
        write: Write,
    },
    /// `scale`
    Scale {
        /// What to scale.
        targets: Targets,
        /// `--replicas`
        replicas: i64,
        /// `--current-replicas`
        current: Option<i64>,
        /// How to report.
        write: Write,
    },
    /// `set image`
    SetImage(Targets, Vec<(String, String)>, Write),
    /// `set env`, with `-c`
    SetEnv(Targets, Vec<String>, Option<String>, Write),
    /// `set resources`, with `-c`, `--limits`, `--requests`
    SetResources(Targets, Option<String>, Option<String>, Option<String>, Write),
    /// `label` or `annotate`
    Mark {
        /// Whether annotations are meant.
        annotations: bool,
        /// What to change.
        targets: Targets,
        /// Values to set.
        set: Vec<(String, String)>,
        /// Keys to remove.
        remove: Vec<String>,
        /// `--overwrite`
        overwrite: bool,
        /// `--list`
        list: bool,
        /// How to report.
        write: Write,
    },
    /// `taint`
    Taint {
        /// Which nodes.
        targets: Targets,
        /// Taints to set: key, value, effect.
        set: Vec<(String, String, String)>,
        /// Taints to remove: key, effect.
        remove: Vec<(String, String)>,
        /// `--overwrite`
        overwrite: bool,
        /// How to report.
        write: Write,
    },
    /// `cordon` (true) or `uncordon` (false)
    Cordon(bool, Vec<String>, Option<String>, DryRun),
    /// `drain`
    Drain(Drain),
    /// `rollout`
    Rollout(Rollout, Targets),
    /// `logs`
    Logs(Logs),
    /// `wait`
    Wait {
        /// What to wait for.
        what: For,
        /// On which objects.
        targets: Targets,
        /// `--timeout`, in milliseconds
        timeout: i64,
    },
    /// `exec`
    Exec {
        /// `POD` or `TYPE/NAME`
        target: String,
        /// `-c`
        container: Option<String>,
        /// The words after `--`.
        command: Vec<String>,
    },
    /// `events`, with `--for` and `--types`
    Events(Option<String>, Vec<String>, bool),
    /// `api-resources`
    ApiResources,
    /// `autoscale`: minimum, maximum, CPU percent, name
    Autoscale {
        /// What to scale.
        targets: Targets,
        /// `--min`
        min: Option<i64>,
        /// `--max`
        max: i64,
        /// `--cpu-percent`
        cpu: Option<i64>,
        /// `--name`
        name: Option<String>,
        /// How to report.
        write: Write,
    },
}

const OUTPUT: Flag = value("output").short('o');
const FILENAME: Flag = value("filename").short('f');
const SELECTOR: Flag = value("selector").short('l');
const ALL_NAMESPACES: Flag = switch("all-namespaces").short('A');

/// Flags of every command that writes.
const WRITE: &[Flag] = &[
    OUTPUT,
    FILENAME,
    SELECTOR,
    ALL_NAMESPACES,
    switch("recursive").short('R'),
    value("dry-run").or("unchanged"),
    value("field-manager"),
    value("field-selector"),
    switch("all"),
    switch("show-managed-fields"),
    value("validate").or("strict"),
    switch("save-config"),
    switch("record"),
    switch("local"),
];

fn with(more: &[Flag]) -> Vec<Flag> {
    // The command's own flags come first: a short form such as `-f` of `logs` may differ.
    more.iter().chain(WRITE).copied().collect()
}

impl Command {
    /// Reads a command line; a leading `kubectl` (or `k`) may be left out.
    ///
    /// # Errors
    /// What `kubectl` says about a command line that it does not take.
    pub fn parse(line: &str) -> Result<Command, ParseError> {
        let words = words::split(line).map_err(|error| ParseError::new(error.to_string()))?;
        let words = match words.first().map(String::as_str) {
            Some("kubectl" | "k") => &words[1..],
            _ => &words[..],
        };
        Command::from_words(words)
    }

    /// Reads the words of a command line, without `kubectl`.
    ///
    /// # Errors
    /// What `kubectl` says about a command line that it does not take.
    pub fn from_words(words: &[String]) -> Result<Command, ParseError> {
        // Flags may stand before the command: `kubectl -n x get pods`.
        let mut at = 0;
        while let Some(word) = words.get(at).filter(|word| word.starts_with('-')) {
            at += if matches!(
                word.as_str(),
                "-n" | "--namespace" | "--context" | "--kubeconfig" | "-v" | "--v" | "--user" | "--cluster"
            ) {
                2
            } else {
                1
            };
        }
        let Some(name) = words.get(at) else {
            return Err(ParseError::new(
                "no command given, as in `get pods`, `apply -f FILE` or `delete pod NAME`",
            ));
        };
        let mut rest: Vec<String> = words[..at].to_vec();
        rest.extend_from_slice(&words[at + 1..]);
        parse(name, rest)
    }
}

fn parse(name: &str, mut words: Vec<String>) -> Result<Command, ParseError> {
    let mut path = name.to_owned();
    let sub = |words: &mut Vec<String>, path: &mut String, known: &[&str]| -> Option<String> {
        let at = words.iter().position(|word| !word.starts_with('-'))?;
        let found = known.iter().find(|known| **known == words[at])?;
        words.remove(at);
        path.push(' ');
        path.push_str(found);
        Some((*found).to_owned())
    };
    let flags: Vec<Flag> = match name {
        "get" => with(&[
            switch("watch").short('w'),
            switch("watch-only"),
            switch("no-headers"),
            switch("show-labels"),
            value("label-columns").short('L'),
            switch("show-kind"),
            value("sort-by"),
            switch("ignore-not-found"),
            value("subresource"),
            switch("allow-missing-template-keys"),
            value("chunk-size"),
            switch("output-watch-events"),
            switch("server-print"),
            value("template"),
        ]),
        "describe" => with(&[switch("show-events"), value("chunk-size")]),
        "apply" => with(&[
            switch("server-side"),
            switch("force-conflicts"),
            switch("force"),
            switch("overwrite"),
            switch("wait"),
            switch("prune"),
            value("grace-period"),
            value("timeout"),
            value("cascade").or("background"),
            value("kustomize").short('k'),
        ]),
        "create" => with(&[
            value("image"),
            value("replicas").short('r'),
            value("port"),
            value("from-literal"),
            value("from-file"),
            value("from-env-file"),
            value("from"),
            value("schedule"),
            value("restart"),
            value("type"),
            value("tcp"),
            value("clusterip"),
            value("min-available"),
            value("max-unavailable"),
            value("value"),
            switch("global-default"),
            value("description"),
            value("preemption-policy"),
            value("hard"),
            switch("append-hash"),
            switch("edit"),
        ]),
        "replace" => with(&[
            switch("force"),
            switch("wait"),
            value("grace-period"),
            value("timeout"),
            value("cascade").or("background"),
            value("subresource"),
        ]),
        "run" => with(&[
            value("image"),
            value("restart"),
            value("labels").short('l'),
            value("annotations"),
            value("env"),
            value("port"),
            value("image-pull-policy"),
            switch("privileged"),
            value("overrides"),
            value("override-type"),
            switch("command"),
            switch("expose"),
            switch("rm"),
            switch("stdin").short('i'),
            switch("tty").short('t'),
            switch("attach"),
            switch("quiet").short('q'),
            value("pod-running-timeout"),
            switch("leave-stdin-open"),
        ]),
        "expose" => with(&[
            value("name"),
            value("port"),
            value("target-port"),
            value("type"),
            value("protocol"),
            value("selector"),
            value("cluster-ip"),
            value("labels").short('l'),
            value("external-ip"),
            value("session-affinity"),
        ]),
        "delete" => with(&[
            value("grace-period"),
            switch("now"),
            switch("force"),
            value("cascade").or("background"),
            switch("wait"),
            value("timeout"),
            switch("ignore-not-found"),
            value("raw"),
            switch("interactive").short('i'),
            value("kustomize").short('k'),
        ]),
        "patch" => with(&[
            value("patch").short('p'),
            value("type"),
            value("patch-file"),
            value("subresource"),
        ]),
        "scale" => with(&[
            value("replicas"),
            value("current-replicas"),
            value("resource-version"),
            value("timeout"),
        ]),
        "set" => with(&[
            value("containers").short('c'),
            value("container").short('c'),
            value("env").short('e'),
            switch("overwrite"),
            value("from"),
            switch("list"),
            value("limits"),
            value("requests"),
        ]),
        "label" | "annotate" | "taint" => with(&[switch("overwrite"), switch("list"), value("resource-version")]),
        "cordon" | "uncordon" => with(&[]),
        "drain" => with(&[
            switch("force"),
            switch("ignore-daemonsets"),
            switch("delete-emptydir-data"),
            switch("disable-eviction"),
            value("grace-period"),
            value("pod-selector"),
            value("timeout"),
            value("chunk-size"),
            value("skip-wait-for-delete-timeout"),
        ]),
        "rollout" => with(&[
            switch("watch").short('w'),
            value("timeout"),
            value("revision"),
            value("to-revision"),
        ]),
        "logs" => with(&[
            switch("follow").short('f'),
            value("container").short('c'),
            switch("all-containers"),
            switch("previous").short('p'),
            value("tail"),
            switch("timestamps"),
            value("since"),
            value("since-time"),
            switch("prefix"),
            value("limit-bytes"),
            value("max-log-requests"),
            switch("ignore-errors"),
            value("pod-running-timeout"),
            switch("all-pods"),
        ]),
        "wait" => with(&[value("for"), value("timeout"), switch("allow-missing-template-keys")]),
        "exec" => with(&[
            value("container").short('c'),
            switch("stdin").short('i'),
            switch("tty").short('t'),
            switch("quiet").short('q'),
            value("pod-running-timeout"),
        ]),
        "events" => with(&[
            value("for"),
            value("types"),
            switch("watch").short('w'),
            switch("no-headers"),
            value("chunk-size"),
        ]),
        "api-resources" => with(&[
            switch("namespaced"),
            value("api-group"),
            switch("no-headers"),
            value("sort-by"),
            value("verbs"),
            value("categories"),
            switch("cached"),
        ]),
        "autoscale" => with(&[
            value("min"),
            value("max"),
            value("cpu-percent"),
            value("cpu"),
            value("memory"),
            value("name"),
        ]),
        _ => {
            return Err(ParseError {
                stderr: format!("error: unknown command \"{name}\" for \"kubectl\"\n"),
                exit_code: 1,
            });
        }
    };
    let subcommand = match name {
        "set" => sub(&mut words, &mut path, &["image", "env", "resources"]),
        "rollout" => sub(
            &mut words,
            &mut path,
            &["status", "history", "undo", "restart", "pause", "resume"],
        ),
        "create" => sub(
            &mut words,
            &mut path,
            &[
                "namespace",
                "ns",
                "configmap",
                "cm",
                "secret",
                "serviceaccount",
                "sa",
                "deployment",
                "deploy",
                "job",
                "cronjob",
                "cj",
                "service",
                "svc",
                "poddisruptionbudget",
                "pdb",
                "priorityclass",
                "pc",
                "quota",
                "resourcequota",
            ],
        ),
        _ => None,
    };
    let given = Given::read(&words, &flags).map_err(|message| ParseError::usage(&path, &message))?;
    let action = action(name, subcommand.as_deref(), &path, &given)?;
    Ok(Command {
        namespace: given.text("namespace"),
        all_namespaces: given.on("all-namespaces"),
        action,
    })
}

fn action(name: &str, subcommand: Option<&str>, path: &str, given: &Given) -> Result<Action, ParseError> {
    let usage = |message: String| ParseError::usage(path, &message);
    let targets = || Targets {
        args: given.args.clone(),
        files: split_commas(&given.all("filename")),
        selector: given.text("selector"),
        field_selector: given.text("field-selector"),
        all: given.on("all"),
    };
    let switch_or = |flag: &str, default: bool| given.get(flag).map_or(default, |_| given.on(flag));
    let write = || write(given);
    Ok(match name {
        "get" => Action::Get(Get {
            targets: targets(),
            format: format(given.get("output"), given.get("template"))?,
            watch: given.on("watch") || given.on("watch-only"),
            watch_only: given.on("watch-only"),
            no_headers: given.on("no-headers"),
            show_labels: given.on("show-labels"),
            label_columns: split_commas(&given.all("label-columns")),
            show_kind: given.on("show-kind"),
            sort_by: given.text("sort-by"),
            ignore_not_found: given.on("ignore-not-found"),
            show_managed_fields: given.on("show-managed-fields"),
            subresource: given.text("subresource"),
            strict_template: !switch_or("allow-missing-template-keys", true),
        }),
        "describe" => Action::Describe(targets(), switch_or("show-events", true)),
        "apply" => {
            let files = split_commas(&given.all("filename"));
            if files.is_empty() {
                return Err(ParseError::new("must specify one of -f and -k"));
            }
            Action::Apply {
                files,
                server_side: given.on("server-side"),
                force_conflicts: given.on("force-conflicts"),
                field_manager: given.text("field-manager"),
                write: write()?,
            }
        }
        "create" => match subcommand {
            None if given.args.is_empty() => {
                let files = split_commas(&given.all("filename"));
                if files.is_empty() {
                    return Err(ParseError::new("must specify one of -f and -k"));
                }
                Action::Create(files, given.on("save-config"), write()?)
            }
            None => return Err(usage(format!("Unexpected args: [{}]", given.args.join(" ")))),
            Some(kind) => Action::Generate(generate(kind, given)?),
        },
        "replace" => {
            let files = split_commas(&given.all("filename"));
            if files.is_empty() {
                return Err(usage("must specify --filename (-f) to replace".to_owned()));
            }
            Action::Replace(files, given.on("force"), write()?)
        }
        "run" => {
            let Some(pod) = given.args.first() else {
                return Err(usage("NAME is required for run".to_owned()));
            };
            let Some(image) = given.text("image") else {
                return Err(ParseError::new("required flag(s) \"image\" not set"));
            };
            let restart = given.text("restart").unwrap_or_else(|| "Always".to_owned());
            if !matches!(restart.as_str(), "Always" | "OnFailure" | "Never") {
                return Err(ParseError::new(format!(
                    "invalid restart policy: {restart}\nSee 'kubectl run -h' for help and examples"
                )));
            }
            let mut args: Vec<String> = given.args[1..].to_vec();
            args.extend(given.rest.clone().unwrap_or_default());
            Action::Run(Run {
                name: pod.clone(),
                image,
                restart,
                labels: given.text("labels"),
                annotations: given.all("annotations"),
                env: given.all("env"),
                port: given.int("port").map_err(usage)?,
                image_pull_policy: given.text("image-pull-policy"),
                privileged: given.on("privileged"),
                overrides: given.text("overrides"),
                as_command: given.on("command"),
                args,
                write: write()?,
            })
        }
        "expose" => Action::Expose {
            targets: Targets {
                selector: None,
                ..targets()
            },
            name: given.text("name"),
            port: given.int("port").map_err(usage)?,
            target_port: given.text("target-port"),
            kind: given.text("type"),
            protocol: given.text("protocol"),
            selector: given.text("selector"),
            cluster_ip: given.text("cluster-ip"),
            write: write()?,
        },
        "delete" => delete(given, targets())?,
        "patch" => {
            let kind = match given.get("type").map(str::to_ascii_lowercase).as_deref() {
                None | Some("strategic") => crate::api::PatchKind::Strategic,
                Some("merge") => crate::api::PatchKind::Merge,
                Some("json") => crate::api::PatchKind::Json,
                Some(other) => {
                    return Err(ParseError::new(format!(
                        "--type must be one of [json merge strategic], not \"{other}\""
                    )));
                }
            };
            let (patch, patch_file) = (given.text("patch"), given.text("patch-file"));
            match (&patch, &patch_file) {
                (None, None) => {
                    return Err(ParseError::new(
                        "must specify --patch or --patch-file containing the contents of the patch",
                    ));
                }
                (Some(_), Some(_)) => return Err(ParseError::new("cannot specify --patch and --patch-file together")),
                _ => {}
            }
            Action::Patch {
                targets: targets(),
                kind,
                patch,
                patch_file,
                subresource: given.text("subresource"),
                write: write()?,
            }
        }
        "scale" => {
            let Some(replicas) = given.int("replicas").map_err(usage)? else {
                return Err(ParseError::new("required flag(s) \"replicas\" not set"));
            };
            if replicas < 0 {
                return Err(ParseError::new(
                    "The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0",
                ));
            }
            let current = given
                .int("current-replicas")
                .map_err(usage)?
                .filter(|current| *current >= 0);
            Action::Scale {
                targets: targets(),
                replicas,
                current,
                write: write()?,
            }
        }
        "set" => set(subcommand, given, targets())?,
        "label" | "annotate" => {
            let annotations = name == "annotate";
            let noun = if annotations { "annotation" } else { "label" };
            let (names, changes) = split_changes(&given.args, noun)?;
            let (mut set, mut remove) = (Vec::new(), Vec::new());
            for change in changes {
                match change.split_once('=') {
                    Some((key, value)) => set.push((key.to_owned(), value.to_owned())),
                    None => remove.push(change.trim_end_matches('-').to_owned()),
                }
            }
            if let Some((key, _)) = set.iter().find(|(key, _)| remove.contains(key)) {
                return Err(ParseError::new(if annotations {
                    format!("can not both modify and remove the following annotation(s) in the same command: {key}")
                } else {
                    "can not both modify and remove a label in the same command".to_owned()
                }));
            }
            let list = given.on("list");
            if set.is_empty() && remove.is_empty() && !list {
                return Err(ParseError::new(format!("at least one {noun} update is required")));
            }
            Action::Mark {
                annotations,
                targets: Targets {
                    args: names,
                    ..targets()
                },
                set,
                remove,
                overwrite: given.on("overwrite"),
                list,
                write: write()?,
            }
        }
        "taint" => {
            let (names, changes) = split_taints(&given.args)?;
            let (mut set, mut remove) = (Vec::new(), Vec::new());
            for change in &changes {
                match parse_taint(change).map_err(ParseError::new)? {
                    Taint::Set(key, value, effect) => set.push((key, value, effect)),
                    Taint::Remove(key, effect) => remove.push((key, effect)),
                }
            }
            if set.is_empty() && remove.is_empty() {
                return Err(ParseError::new("at least one taint update is required"));
            }
            Action::Taint {
                targets: Targets {
                    args: names,
                    ..targets()
                },
                set,
                remove,
                overwrite: given.on("overwrite"),
                write: write()?,
            }
        }
        "cordon" | "uncordon" => {
            if given.args.is_empty() && given.get("selector").is_none() {
                return Err(usage(format!("USAGE: {name} NODE [flags]")));
            }
            Action::Cordon(
                name == "cordon",
                given.args.clone(),
                given.text("selector"),
                dry_run(given)?,
            )
        }
        "drain" => {
            if given.args.is_empty() && given.get("selector").is_none() {
                return Err(usage("USAGE: drain NODE [flags]".to_owned()));
            }
            Action::Drain(Drain {
                nodes: given.args.clone(),
                selector: given.text("selector"),
                force: given.on("force"),
                ignore_daemonsets: given.on("ignore-daemonsets"),
                delete_emptydir_data: given.on("delete-emptydir-data"),
                disable_eviction: given.on("disable-eviction"),
                grace_period: given.int("grace-period").map_err(usage)?.unwrap_or(-1),
                pod_selector: given.text("pod-selector"),
                timeout: given.duration("timeout").map_err(usage)?.unwrap_or(0),
                dry_run: dry_run(given)?,
            })
        }
        "rollout" => {
            let number = |flag: &str| given.int(flag).map_err(usage).map(Option::unwrap_or_default);
            let what = match subcommand {
                Some("status") => Rollout::Status {
                    watch: switch_or("watch", true),
                    timeout: given.duration("timeout").map_err(usage)?.unwrap_or(0),
                    revision: number("revision")?,
                },
                Some("history") => Rollout::History(number("revision")?),
                Some("undo") => Rollout::Undo(number("to-revision")?),
                Some("restart") => Rollout::Restart,
                Some("pause") => Rollout::Pause,
                Some("resume") => Rollout::Resume,
                _ => {
                    return Err(ParseError::new(
                        "rollout needs one of: status, history, undo, restart, pause, resume",
                    ));
                }
            };
            if given.args.is_empty() && given.all("filename").is_empty() {
                return Err(ParseError::new("required resource not specified"));
            }
            Action::Rollout(what, targets())
        }
        "logs" => {
            let tail = given.int("tail").map_err(usage)?;
            if tail.is_some_and(|tail| tail < -1) {
                return Err(ParseError::new("--tail must be greater than or equal to -1"));
            }
            let since = given.duration("since").map_err(usage)?;
            let target = given.args.first().cloned();
            let container = given.text("container").or_else(|| given.args.get(1).cloned());
            if target.is_none() && given.get("selector").is_none() {
                return Err(usage("expected 'logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]'.\nPOD or TYPE/NAME is a required argument for the logs command".to_owned()));
            }
            if target.is_some() && given.get("selector").is_some() {
                return Err(ParseError::new("only a selector (-l) or a POD name is allowed"));
            }
            if since.is_some() && given.get("since-time").is_some() {
                return Err(ParseError::new(
                    "at most one of `sinceTime` or `sinceSeconds` may be specified",
                ));
            }
            Action::Logs(Logs {
                target,
                selector: given.text("selector"),
                container,
                all_containers: given.on("all-containers"),
                previous: given.on("previous"),
                tail: tail.and_then(|tail| u64::try_from(tail).ok()),
                timestamps: given.on("timestamps"),
                since_seconds: since
                    .and_then(|since| u64::try_from(since).ok())
                    .map(|since| since.div_ceil(1000)),
                since_time: given.text("since-time"),
                prefix: given.on("prefix"),
                follow: given.on("follow"),
            })
        }
        "wait" => Action::Wait {
            what: wait_for(given.get("for").unwrap_or(""))?,
            targets: targets(),
            timeout: given.duration("timeout").map_err(usage)?.unwrap_or(30_000),
        },
        "exec" => {
            let Some(target) = given.args.first().cloned() else {
                return Err(ParseError::new("pod, type/name or --filename must be specified"));
            };
            let command = given.rest.clone().unwrap_or_default();
            if command.is_empty() {
                return Err(ParseError::new(if given.args.len() > 1 {
                    "exec [POD] [COMMAND] is not supported anymore. Use exec [POD] -- [COMMAND] instead"
                } else {
                    "you must specify at least one command for the container"
                }));
            }
            Action::Exec {
                target,
                container: given.text("container"),
                command,
            }
        }
        "events" => Action::Events(
            given.text("for"),
            split_commas(&given.all("types")),
            given.on("no-headers"),
        ),
        "api-resources" => Action::ApiResources,
        "autoscale" => {
            let max = given.int("max").map_err(usage)?.unwrap_or(-1);
            if max < 1 {
                return Err(ParseError::new(format!(
                    "--max=MAXPODS is required and must be at least 1, max: {max}"
                )));
            }
            let cpu = match given.get("cpu") {
                Some(text) => text.trim_end_matches('%').parse().ok(),
                None => given.int("cpu-percent").map_err(usage)?,
            };
            Action::Autoscale {
                targets: targets(),
                min: given.int("min").map_err(usage)?.filter(|min| *min > 0),
                max,
                cpu,
                name: given.text("name"),
                write: write()?,
            }
        }
        _ => return Err(ParseError::new(format!("unknown command \"{name}\" for \"kubectl\""))),
    })
}

fn delete(given: &Given, targets: Targets) -> Result<Action, ParseError> {
    let usage = |message: String| ParseError::usage("delete", &message);
    let (now, force) = (given.on("now"), given.on("force"));
    let mut grace_period = given.int("grace-period").map_err(usage)?.unwrap_or(-1);
    if now {
        if grace_period != -1 {
            return Err(ParseError::new("--now and --grace-period cannot be specified together"));
        }
        grace_period = 1;
    }
    if grace_period == 0 && !force {
        // Without --force the client protects from data loss by waiting one second.
        grace_period = 1;
    }
    if force && grace_period < 0 {
        grace_period = 0;
    }
    if force && grace_period > 0 {
        return Err(ParseError::new(
            "--force and --grace-period greater than 0 cannot be specified together",
        ));
    }
    if targets.all && targets.selector.is_some() {
        return Err(ParseError::new("cannot set --all and --selector at the same time"));
    }
    let propagation = match given.get("cascade") {
        None | Some("background" | "true") => "Background",
        Some("foreground") => "Foreground",
        Some("orphan" | "false") => "Orphan",
        Some(other) => {
            return Err(ParseError::new(format!(
                "invalid cascade value ({other}). Must be \"background\", \"foreground\", or \"orphan\""
            )));
        }
    };
    let name_only = match given.get("output") {
        None | Some("") => false,
        Some("name") => true,
        Some(other) => {
            return Err(ParseError::new(format!(
                "unexpected -o output mode: {other}. We only support '-o name'"
            )));
        }
    };
    Ok(Action::Delete(Delete {
        targets,
        grace_period,
        now,
        force,
        propagation,
        wait: given.get("wait").is_none() || given.on("wait"),
        timeout: given
            .duration("timeout")
            .map_err(usage)?
            .filter(|timeout| *timeout != 0),
        ignore_not_found: given.on("ignore-not-found"),
        name_only,
        dry_run: dry_run(given)?,
    }))
}

fn set(subcommand: Option<&str>, given: &Given, targets: Targets) -> Result<Action, ParseError> {
    let write = write(given)?;
    match subcommand {
        Some("image") => {
            let (names, changes) = split_changes(&given.args, "image")?;
            let images: Vec<(String, String)> = changes
                .iter()
                .filter_map(|change| change.split_once('='))
                .map(|(name, image)| (name.to_owned(), image.to_owned()))
                .collect();
            if images.is_empty() {
                return Err(ParseError::new("at least one image update is required"));
            }
            Ok(Action::SetImage(Targets { args: names, ..targets }, images, write))
        }
        Some("env") => {
            let (names, mut changes) = split_changes(&given.args, "env")?;
            changes.extend(given.all("env"));
            if changes.is_empty() {
                return Err(ParseError::new("at least one environment variable must be provided"));
            }
            let container = given.text("containers").or_else(|| given.text("container"));
            Ok(Action::SetEnv(
                Targets { args: names, ..targets },
                changes,
                container,
                write,
            ))
        }
        Some("resources") => {
            if given.get("limits").is_none() && given.get("requests").is_none() {
                return Err(ParseError::new(
                    "you must specify an update to requests or limits (in the form of --requests/--limits)",
                ));
            }
            let container = given.text("containers").or_else(|| given.text("container"));
            Ok(Action::SetResources(
                targets,
                container,
                given.text("limits"),
                given.text("requests"),
                write,
            ))
        }
        _ => Err(ParseError::new("set needs one of: image, env, resources")),
    }
}

fn generate(kind: &str, given: &Given) -> Result<Generate, ParseError> {
    let usage = |message: String| ParseError::usage(&format!("create {kind}"), &message);
    let mut args = given.args.clone();
    let need = |flag: &str| {
        given
            .text(flag)
            .ok_or_else(|| ParseError::new(format!("required flag(s) \"{flag}\" not set")))
    };
    let generator = match kind {
        "namespace" | "ns" => Generator::Namespace,
        "configmap" | "cm" => Generator::ConfigMap,
        "secret" => {
            if args.first().is_none_or(|word| word != "generic") {
                return Err(ParseError::new(
                    "create secret: only `create secret generic NAME` is supported",
                ));
            }
            args.remove(0);
            Generator::Secret(given.text("type"))
        }
        "serviceaccount" | "sa" => Generator::ServiceAccount,
        "deployment" | "deploy" => {
            need("image")?;
            Generator::Deployment {
                replicas: given.int("replicas").map_err(usage)?.unwrap_or(1),
                port: given.int("port").map_err(usage)?,
            }
        }
        "job" => {
            let from = given.text("from");
            match (given.get("image"), &from) {
                (None, None) => return Err(ParseError::new("either --image or --from must be specified")),
                (Some(_), Some(_)) => {
                    return Err(ParseError::new("either --image or --from must be specified, not both"));
                }
                _ => {}
            }
            Generator::Job { from }
        }
        "cronjob" | "cj" => {
            need("image")?;
            Generator::CronJob {
                schedule: need("schedule")?,
                restart: given.text("restart").unwrap_or_else(|| "OnFailure".to_owned()),
            }
        }
        "service" | "svc" => {
            let kind = match args.first().map(String::as_str) {
                Some("clusterip") => "ClusterIP",
                Some("nodeport") => "NodePort",
                Some("loadbalancer") => "LoadBalancer",
                _ => {
                    return Err(ParseError::new(
                        "create service needs one of: clusterip, nodeport, loadbalancer",
                    ));
                }
            };
            args.remove(0);
            Generator::Service {
                kind,
                tcp: split_commas(&given.all("tcp")),
                cluster_ip: given.text("clusterip"),
            }
        }
        "poddisruptionbudget" | "pdb" => {
            let (min_available, max_unavailable) = (given.text("min-available"), given.text("max-unavailable"));
            if min_available.is_none() && max_unavailable.is_none() {
                return Err(ParseError::new(
                    "one of min-available or max-unavailable must be specified",
                ));
            }
            if min_available.is_some() && max_unavailable.is_some() {
                return Err(ParseError::new(
                    "min-available and max-unavailable cannot be both specified",
                ));
            }
            Generator::PodDisruptionBudget {
                selector: given
                    .text("selector")
                    .ok_or_else(|| ParseError::new("a selector must be specified"))?,
                min_available,
                max_unavailable,
            }
        }
        "priorityclass" | "pc" => Generator::PriorityClass {
            value: given.int("value").map_err(usage)?.unwrap_or(0),
            global_default: given.on("global-default"),
            description: given.text("description").unwrap_or_default(),
            preemption_policy: given
                .text("preemption-policy")
                .unwrap_or_else(|| "PreemptLowerPriority".to_owned()),
        },
        _ => Generator::Quota {
            hard: given.text("hard").unwrap_or_default(),
        },
    };
    let name = match args.as_slice() {
        [name] => name.clone(),
        // Words before `--` of a job belong to the name only by mistake.
        _ => return Err(usage(format!("exactly one NAME is required, got {}", args.len()))),
    };
    Ok(Generate {
        generator,
        name,
        images: split_commas(&given.all("image")),
        literals: given.all("from-literal"),
        files: given.all("from-file"),
        env_files: given.all("from-env-file"),
        command: given.rest.clone().unwrap_or_default(),
        write: write(given)?,
    })
}

fn wait_for(text: &str) -> Result<For, ParseError> {
    if text.eq_ignore_ascii_case("delete") {
        return Ok(For::Delete);
    }
    if text.eq_ignore_ascii_case("create") {
        return Ok(For::Create);
    }
    if let Some(condition) = text.strip_prefix("condition=") {
        let (name, value) = condition.split_once('=').unwrap_or((condition, "true"));
        return Ok(For::Condition(name.to_owned(), value.to_owned()));
    }
    if let Some(path) = text.strip_prefix("jsonpath=") {
        // The value follows the first `=` behind the closing brace.
        let end = path.rfind('}').map_or(0, |end| end + 1);
        return match path[end..].strip_prefix('=') {
            Some("") => Err(ParseError::new("jsonpath wait has to have a value after equal sign")),
            Some(value) => Ok(For::JsonPath(path[..end].to_owned(), Some(value.to_owned()))),
            None => Ok(For::JsonPath(path.to_owned(), None)),
        };
    }
    Err(ParseError::new(format!("unrecognized condition: {text:?}")))
}

fn dry_run(given: &Given) -> Result<DryRun, ParseError> {
    match given.get("dry-run") {
        None | Some("none" | "false") => Ok(DryRun::None),
        Some("client" | "unchanged" | "true") => Ok(DryRun::Client),
        Some("server") => Ok(DryRun::Server),
        Some(other) => Err(ParseError::new(format!(
            "Invalid dry-run value ({other}). Must be \"none\", \"server\", or \"client\"."
        ))),
    }
}

fn write(given: &Given) -> Result<Write, ParseError> {
    Ok(Write {
        dry_run: dry_run(given)?,
        format: format(given.get("output"), None)?,
        show_managed_fields: given.on("show-managed-fields"),
    })
}

fn format(output: Option<&str>, template: Option<&str>) -> Result<Format, ParseError> {
    let Some(output) = output else { return Ok(Format::Human) };
    let (name, argument) = match output.split_once('=') {
        Some((name, argument)) => (name, Some(argument)),
        None => (output, template),
    };
    let needed = |what: &str| argument.map(str::to_owned).ok_or_else(|| ParseError::new(what));
    match name {
        "" => Ok(Format::Human),
        "wide" => Ok(Format::Wide),
        "json" => Ok(Format::Json),
        "yaml" => Ok(Format::Yaml),
        "name" => Ok(Format::Name),
        "jsonpath" => Ok(Format::JsonPath(needed(
            "template format specified but no template given",
        )?)),
        "jsonpath-as-json" => Ok(Format::JsonPathAsJson(needed(
            "template format specified but no template given",
        )?)),
        "custom-columns" => Ok(Format::CustomColumns(needed(
            "custom-columns format specified but no custom columns given",
        )?)),
        other => Err(ParseError::new(format!(
            "unable to match a printer suitable for the output format \"{other}\", allowed formats are: custom-columns,json,jsonpath,jsonpath-as-json,name,wide,yaml"
        ))),
    }
}

/// Splits the arguments of `label`, `annotate`, `set image` into resources and changes: from the first change on all
/// must be changes (`cmdutil.GetResourcesAndPairs`).
fn split_changes(args: &[String], noun: &str) -> Result<(Vec<String>, Vec<String>), ParseError> {
    let is_change = |word: &str| word.contains('=') || (word.len() > 1 && word.ends_with('-'));
    let first = args.iter().position(|word| is_change(word)).unwrap_or(args.len());
    if let Some(other) = args[first..].iter().find(|word| !is_change(word)) {
        return Err(ParseError::new(format!(
            "all resources must be specified before {noun} changes: {other}"
        )));
    }
    Ok((args[..first].to_vec(), args[first..].to_vec()))
}

fn split_taints(args: &[String]) -> Result<(Vec<String>, Vec<String>), ParseError> {
    let is_taint = |word: &str| word.contains('=') || word.contains(':') || word.ends_with('-');
    let first = args.iter().position(|word| is_taint(word)).unwrap_or(args.len());
    if let Some(other) = args[first..].iter().find(|word| !is_taint(word)) {
        return Err(ParseError::new(format!(
            "all resources must be specified before taint changes: {other}"
        )));
    }
    Ok((args[..first].to_vec(), args[first..].to_vec()))
}

enum Taint {
    Set(String, String, String),
    Remove(String, String),
}

/// One taint: `key=value:Effect`, `key:Effect`, `key:Effect-`, `key-` (`pkg/cmd/taint/utils.go parseTaints`).
fn parse_taint(text: &str) -> Result<Taint, String> {
    let known = |effect: &str| matches!(effect, "NoSchedule" | "PreferNoSchedule" | "NoExecute");
    if let Some(body) = text.strip_suffix('-') {
        let (pair, effect) = body.split_once(':').unwrap_or((body, ""));
        if !effect.is_empty() && !known(effect) {
            return Err(format!("invalid taint effect: {effect}, unsupported taint effect"));
        }
        return Ok(Taint::Remove(
            pair.split('=').next().unwrap_or(pair).to_owned(),
            effect.to_owned(),
        ));
    }
    let Some((pair, effect)) = text.split_once(':') else {
        return Err(format!("invalid taint spec: {text}"));
    };
    if !known(effect) {
        return Err(format!("invalid taint effect: {effect}, unsupported taint effect"));
    }
    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
    Ok(Taint::Set(key.to_owned(), value.to_owned(), effect.to_owned()))
}

fn split_commas(values: &[String]) -> Vec<String> {
    values
        .iter()
        .flat_map(|value| value.split(','))
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}
