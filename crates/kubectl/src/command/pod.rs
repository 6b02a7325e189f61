//! Commands about what runs in pods.

use super::{Action, Grammar, Line, ParseError, Write};
use crate::flags::{Flag, switch, switches, value, values};

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

/// How a terminal is joined to a container.
const ATTACH: &[Flag] = &[
    switch("stdin").short('i'),
    switch("tty").short('t'),
    switch("quiet").short('q'),
    value("pod-running-timeout"),
];

pub(super) const RUN: Grammar = Grammar {
    names: &["run"],
    flags: &[
        &values([
            "image",
            "restart",
            "annotations",
            "env",
            "port",
            "image-pull-policy",
            "overrides",
            "override-type",
        ]),
        &switches(["privileged", "command", "expose", "rm", "attach", "leave-stdin-open"]),
        &[value("labels").short('l')],
        ATTACH,
    ],
    subcommands: &[],
    read: run,
};

fn run(line: &Line) -> Result<Action, ParseError> {
    let given = &line.given;
    let Some(pod) = given.args.first() else {
        return Err(line.usage("NAME is required for run"));
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
    Ok(Action::Run(Run {
        name: pod.clone(),
        image,
        restart,
        labels: given.text("labels"),
        annotations: given.all("annotations"),
        env: given.all("env"),
        port: line.int("port")?,
        image_pull_policy: given.text("image-pull-policy"),
        privileged: given.on("privileged"),
        overrides: given.text("overrides"),
        as_command: given.on("command"),
        args,
        write: line.write()?,
    }))
}

pub(super) const LOGS: Grammar = Grammar {
    names: &["logs"],
    flags: &[
        &switches(["all-containers", "timestamps", "prefix", "ignore-errors", "all-pods"]),
        &values([
            "tail",
            "since",
            "since-time",
            "limit-bytes",
            "max-log-requests",
            "pod-running-timeout",
        ]),
        &[
            switch("follow").short('f'),
            value("container").short('c'),
            switch("previous").short('p'),
        ],
    ],
    subcommands: &[],
    read: logs,
};

fn logs(line: &Line) -> Result<Action, ParseError> {
    let given = &line.given;
    let tail = line.int("tail")?;
    if tail.is_some_and(|tail| tail < -1) {
        return Err(ParseError::new("--tail must be greater than or equal to -1"));
    }
    let since = line.duration("since")?;
    let target = given.args.first().cloned();
    let container = given.text("container").or_else(|| given.args.get(1).cloned());
    if target.is_none() && given.get("selector").is_none() {
        return Err(line.usage("expected 'logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]'.\nPOD or TYPE/NAME is a required argument for the logs command"));
    }
    if target.is_some() && given.get("selector").is_some() {
        return Err(ParseError::new("only a selector (-l) or a POD name is allowed"));
    }
    if since.is_some() && given.get("since-time").is_some() {
        return Err(ParseError::new(
            "at most one of `sinceTime` or `sinceSeconds` may be specified",
        ));
    }
    Ok(Action::Logs(Logs {
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
    }))
}

pub(super) const EXEC: Grammar = Grammar {
    names: &["exec"],
    flags: &[ATTACH, &[value("container").short('c')]],
    subcommands: &[],
    read: exec,
};

fn exec(line: &Line) -> Result<Action, ParseError> {
    let given = &line.given;
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
    Ok(Action::Exec {
        target,
        container: given.text("container"),
        command,
    })
}
