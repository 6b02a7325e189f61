//! The grammar: a command line becomes a typed [`Command`], or the text with which `kubectl` refuses it.
//!
//! Words are only checked as far as the real client checks them before its first request; kinds and names are looked
//! up when the command runs.

mod create;
mod mark;
mod node;
mod pod;
mod read;
mod rollout;
mod write;

use crate::flags::{Flag, Given, switch, value};
use crate::words;

pub use create::{Generate, Generator};
pub use node::Drain;
pub use pod::{Logs, Run};
pub use read::Get;
pub use rollout::{For, Rollout};
pub use write::Delete;

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

    fn usage(command: &str, message: impl AsRef<str>) -> ParseError {
        let message = message.as_ref();
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
    /// `kyaml`
    Kyaml,
    /// `name`
    Name,
    /// `jsonpath=…`
    JsonPath(String),
    /// `jsonpath-as-json=…`
    JsonPathAsJson(String),
    /// `jsonpath-file=…`
    JsonPathFile(String),
    /// `custom-columns=…`
    CustomColumns(String),
    /// `custom-columns-file=…`
    CustomColumnsFile(String),
    /// `go-template=…`
    GoTemplate(String),
    /// `go-template-file=…`
    GoTemplateFile(String),
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

/// How the words of a command are read.
struct Grammar {
    names: &'static [&'static str],
    /// Flags of its own. They come before [`COMMON`]: a short form such as `-f` of `logs` may differ.
    flags: &'static [&'static [Flag]],
    subcommands: &'static [&'static str],
    read: fn(&Line) -> Result<Action, ParseError>,
}

const GRAMMARS: &[Grammar] = &[
    read::GET,
    read::DESCRIBE,
    read::EVENTS,
    read::API_RESOURCES,
    create::CREATE,
    write::APPLY,
    write::REPLACE,
    write::EXPOSE,
    write::AUTOSCALE,
    write::SCALE,
    write::PATCH,
    write::DELETE,
    mark::MARK,
    mark::SET,
    node::TAINT,
    node::CORDON,
    node::DRAIN,
    pod::RUN,
    pod::LOGS,
    pod::EXEC,
    rollout::ROLLOUT,
    rollout::WAIT,
];

/// Flags that every command takes here, after its own.
const COMMON: &[Flag] = &[
    value("output").short('o'),
    value("filename").short('f'),
    value("selector").short('l'),
    switch("all-namespaces").short('A'),
    switch("recursive").short('R'),
    value("dry-run").or("unchanged"),
    value("field-manager"),
    value("field-selector"),
    value("template"),
    switch("allow-missing-template-keys"),
    switch("all"),
    switch("show-managed-fields"),
    value("validate").or("strict"),
    switch("save-config"),
    switch("record"),
    switch("local"),
];

/// The names of all commands, for completion.
pub fn names() -> impl Iterator<Item = &'static str> {
    GRAMMARS.iter().flat_map(|grammar| grammar.names).copied()
}

/// The words that may follow a command's name, such as `status` behind `rollout`.
pub fn subcommands(name: &str) -> &'static [&'static str] {
    let grammar = GRAMMARS.iter().find(|grammar| grammar.names.contains(&name));
    grammar.map_or(&[], |grammar| grammar.subcommands)
}

/// The flags of a command with their dashes, and whether each needs a value.
pub fn flags(name: &str) -> Vec<(String, bool)> {
    let Some(grammar) = GRAMMARS.iter().find(|grammar| grammar.names.contains(&name)) else {
        return Vec::new();
    };
    let mut found: Vec<(String, bool)> = Vec::new();
    for flag in grammar
        .flags
        .iter()
        .copied()
        .flatten()
        .chain(COMMON)
        .chain(crate::flags::GLOBAL)
    {
        let long = format!("--{}", flag.long);
        if !found.iter().any(|(known, _)| *known == long) {
            found.push((long, flag.takes == crate::flags::Takes::Value));
        }
    }
    found.sort();
    found
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
    let Some(grammar) = GRAMMARS.iter().find(|grammar| grammar.names.contains(&name)) else {
        return Err(ParseError::new(format!("unknown command \"{name}\" for \"kubectl\"")));
    };
    let first = words.iter().position(|word| !word.starts_with('-'));
    let subcommand = first.and_then(|at| {
        let found = grammar.subcommands.iter().find(|known| **known == words[at])?;
        words.remove(at);
        Some(*found)
    });
    let path = match subcommand {
        Some(subcommand) => format!("{name} {subcommand}"),
        None => name.to_owned(),
    };
    let flags = [&grammar.flags.concat(), COMMON].concat();
    let given = Given::read(&words, &flags).map_err(|message| ParseError::usage(&path, message))?;
    let line = Line {
        name,
        subcommand,
        path,
        given,
    };
    Ok(Command {
        namespace: line.given.text("namespace"),
        all_namespaces: line.given.on("all-namespaces"),
        action: (grammar.read)(&line)?,
    })
}

/// A command line whose words have been sorted.
struct Line<'a> {
    name: &'a str,
    subcommand: Option<&'static str>,
    /// The name with the subcommand, as `--help` takes it.
    path: String,
    given: Given,
}

impl Line<'_> {
    fn usage(&self, message: impl AsRef<str>) -> ParseError {
        ParseError::usage(&self.path, message)
    }

    fn int(&self, flag: &str) -> Result<Option<i64>, ParseError> {
        self.given.int(flag).map_err(|message| self.usage(message))
    }

    /// In milliseconds.
    fn duration(&self, flag: &str) -> Result<Option<i64>, ParseError> {
        self.given.duration(flag).map_err(|message| self.usage(message))
    }

    /// A switch that is on when it is not given.
    fn on_unless_off(&self, flag: &str) -> bool {
        self.given.get(flag).is_none() || self.given.on(flag)
    }

    fn files(&self) -> Vec<String> {
        split_commas(&self.given.all("filename"))
    }

    fn needed_files(&self) -> Result<Vec<String>, ParseError> {
        let files = self.files();
        if files.is_empty() {
            return Err(ParseError::new("must specify one of -f and -k"));
        }
        Ok(files)
    }

    fn targets(&self) -> Targets {
        Targets {
            args: self.given.args.clone(),
            files: self.files(),
            selector: self.given.text("selector"),
            field_selector: self.given.text("field-selector"),
            all: self.given.on("all"),
        }
    }

    fn write(&self) -> Result<Write, ParseError> {
        Ok(Write {
            dry_run: self.dry_run()?,
            format: format(self.given.get("output"), self.given.get("template"), WRITE_FORMATS)?,
            show_managed_fields: self.given.on("show-managed-fields"),
        })
    }

    fn dry_run(&self) -> Result<DryRun, ParseError> {
        match self.given.get("dry-run") {
            None | Some("none" | "false") => Ok(DryRun::None),
            Some("client" | "unchanged" | "true") => Ok(DryRun::Client),
            Some("server") => Ok(DryRun::Server),
            Some(other) => Err(ParseError::new(format!(
                "Invalid dry-run value ({other}). Must be \"none\", \"server\", or \"client\"."
            ))),
        }
    }
}

/// The formats that `get` takes and those that a write takes, as the error lists them.
const FORMATS: &str = "custom-columns,custom-columns-file,go-template,go-template-file,json,jsonpath,jsonpath-as-json,jsonpath-file,kyaml,name,template,templatefile,wide,yaml";
const WRITE_FORMATS: &str =
    "go-template,go-template-file,json,jsonpath,jsonpath-as-json,jsonpath-file,kyaml,name,template,templatefile,yaml";

/// Reads `-o`, with the text of `--template`.
fn format(output: Option<&str>, template: Option<&str>, allowed: &str) -> Result<Format, ParseError> {
    // A template alone is a Go template.
    let output = match (output.filter(|output| !output.is_empty()), template) {
        (Some(output), _) => output,
        (None, Some(_)) => "go-template",
        (None, None) => return Ok(Format::Human),
    };
    let (name, argument) = match output.split_once('=') {
        Some((name, argument)) => (name, Some(argument)),
        None => (output, template),
    };
    let needed = |what: &str| {
        let given = argument.filter(|argument| !argument.is_empty());
        given.map(str::to_owned).ok_or_else(|| ParseError::new(what))
    };
    let template = || needed("template format specified but no template given");
    let columns = |what: &str| needed(&format!("{what} format specified but no custom columns given"));
    match name {
        "wide" if allowed == FORMATS => Ok(Format::Wide),
        "json" => Ok(Format::Json),
        "yaml" => Ok(Format::Yaml),
        "kyaml" => Ok(Format::Kyaml),
        "name" => Ok(Format::Name),
        "jsonpath" => Ok(Format::JsonPath(template()?)),
        "jsonpath-as-json" => Ok(Format::JsonPathAsJson(template()?)),
        "jsonpath-file" => Ok(Format::JsonPathFile(template()?)),
        "go-template" | "template" => Ok(Format::GoTemplate(template()?)),
        "go-template-file" | "templatefile" => Ok(Format::GoTemplateFile(template()?)),
        "custom-columns" if allowed == FORMATS => Ok(Format::CustomColumns(columns("custom-columns")?)),
        "custom-columns-file" if allowed == FORMATS => Ok(Format::CustomColumnsFile(columns("custom-columns-file")?)),
        _ => Err(ParseError::new(format!(
            "unable to match a printer suitable for the output format \"{output}\", allowed formats are: {allowed}"
        ))),
    }
}

/// Splits the arguments of `label`, `annotate`, `set image`, `taint` into resources and changes: from the first change on
/// all must be changes (`cmdutil.GetResourcesAndPairs`).
fn split_at(
    args: &[String],
    noun: &str,
    is_change: impl Fn(&str) -> bool,
) -> Result<(Vec<String>, Vec<String>), ParseError> {
    let first = args.iter().position(|word| is_change(word)).unwrap_or(args.len());
    let (names, changes) = args.split_at(first);
    if let Some(other) = changes.iter().find(|word| !is_change(word)) {
        return Err(ParseError::new(format!(
            "all resources must be specified before {noun} changes: {other}"
        )));
    }
    Ok((names.to_vec(), changes.to_vec()))
}

fn split_commas(values: &[String]) -> Vec<String> {
    values
        .iter()
        .flat_map(|value| value.split(','))
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}
