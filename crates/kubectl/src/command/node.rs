//! Commands about nodes.

use super::{Action, DryRun, Grammar, Line, ParseError, Targets, split_at};
use crate::flags::{switches, values};

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

pub(super) const TAINT: Grammar = Grammar {
    names: &["taint"],
    flags: super::mark::MARK.flags,
    subcommands: &[],
    read: taint,
};

fn taint(line: &Line) -> Result<Action, ParseError> {
    let is_taint = |word: &str| word.contains('=') || word.contains(':') || word.ends_with('-');
    let (names, changes) = split_at(&line.given.args, "taint", is_taint)?;
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
    Ok(Action::Taint {
        targets: Targets {
            args: names,
            ..line.targets()
        },
        set,
        remove,
        overwrite: line.given.on("overwrite"),
        write: line.write()?,
    })
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

pub(super) const CORDON: Grammar = Grammar {
    names: &["cordon", "uncordon"],
    flags: &[],
    subcommands: &[],
    read: |line| {
        Ok(Action::Cordon(
            line.name == "cordon",
            nodes(line)?,
            line.given.text("selector"),
            line.dry_run()?,
        ))
    },
};

pub(super) const DRAIN: Grammar = Grammar {
    names: &["drain"],
    flags: &[
        &switches(["force", "ignore-daemonsets", "delete-emptydir-data", "disable-eviction"]),
        &values([
            "grace-period",
            "pod-selector",
            "timeout",
            "chunk-size",
            "skip-wait-for-delete-timeout",
        ]),
    ],
    subcommands: &[],
    read: |line| {
        let given = &line.given;
        Ok(Action::Drain(Drain {
            nodes: nodes(line)?,
            selector: given.text("selector"),
            force: given.on("force"),
            ignore_daemonsets: given.on("ignore-daemonsets"),
            delete_emptydir_data: given.on("delete-emptydir-data"),
            disable_eviction: given.on("disable-eviction"),
            grace_period: line.int("grace-period")?.unwrap_or(-1),
            pod_selector: given.text("pod-selector"),
            timeout: line.duration("timeout")?.unwrap_or(0),
            dry_run: line.dry_run()?,
        }))
    },
};

/// The nodes that are named, where a selector does not choose them.
fn nodes(line: &Line) -> Result<Vec<String>, ParseError> {
    if line.given.args.is_empty() && line.given.get("selector").is_none() {
        return Err(line.usage(format!("USAGE: {} NODE [flags]", line.name)));
    }
    Ok(line.given.args.clone())
}
