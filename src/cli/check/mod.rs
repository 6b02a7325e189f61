//! `peapod check`: whether what notes claim is so.

mod github;
mod junit;
mod kept;
mod listed;
mod update;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use peapod_vault::{Cell, FileRef, Layer, Note};
use serde_json::json;

use self::kept::{Kept, KeptCell};
use self::listed::Listed;
use super::cells::{self, How, Outcome};
use super::{place, show};
use crate::lab::model::ClaimResult;
use crate::workspace::{Snapshot, Workspace};

/// Check the claims of notes: run all experiments, consoles and manifests, and say what is not as it is written.
///
/// Exit codes: 0 all is as written; 1 something is not (a claim, a console's text, a trial that ended with an error, a
/// list of claims that names what there is not); 2 a cell cannot be read, or the command line is wrong.
#[derive(Debug, Args)]
pub struct Check {
    /// Vaults (folders) and notes. Default: `notes`, or the current folder.
    #[arg(value_name = "PATH")]
    paths: Vec<String>,
    /// How to say it.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Run only cells that have changed since they were last found as written by a run with this option; what was found
    /// is kept in `.peapod/checked.json` beside the notes.
    #[arg(long)]
    changed: bool,
    /// At most so many threads.
    #[arg(long, value_name = "NUMBER")]
    threads: Option<usize>,
    /// Write into the notes what their consoles print, where it is something else than they show, and under each
    /// experiment what came out, in a callout that the next update replaces.
    #[arg(long)]
    update: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people: what is wrong, a summary, and the lists of claims.
    Human,
    /// One JSON document with everything.
    Json,
    /// JUnit XML, for CI.
    Junit,
    /// Annotations of GitHub's workflows, at file and line.
    Github,
}

/// A note that is to be checked.
struct Found {
    snapshot: Arc<Snapshot>,
    /// The vault's folder.
    root: Option<PathBuf>,
    file: FileRef,
    note: Arc<Note>,
}

impl Found {
    /// Where it is on the disk.
    fn disk(&self) -> Option<PathBuf> {
        let root = self.root.as_ref().filter(|_| self.file.layer == Layer::User)?;
        Some(root.join(&self.file.path))
    }
}

/// A cell that was checked.
struct Checked {
    file: FileRef,
    note: Arc<Note>,
    cell: Cell,
    /// What came out; none if it was not run again.
    outcome: Option<Outcome>,
    /// What came out when it was last run, if it was not run again.
    kept: Option<KeptCell>,
}

impl Checked {
    fn claims(&self) -> &[ClaimResult] {
        match (&self.outcome, &self.kept) {
            (Some(outcome), _) => outcome.result.as_ref().map_or(&[], |result| &result.claims),
            (None, Some(kept)) => &kept.claims,
            (None, None) => &[],
        }
    }

    fn trials(&self) -> usize {
        let result = self.outcome.as_ref().and_then(|outcome| outcome.result.as_ref());
        result.map_or(0, |result| result.trials.len())
    }
}

/// Runs the command; 1 when a claim is not as its note expects, 2 when a cell cannot be read.
///
/// # Errors
/// When there is no such vault or note, or the results cannot be printed.
pub fn main(arguments: &Check) -> anyhow::Result<ExitCode> {
    let mut all = find(&arguments.paths)?;
    if arguments.update && update::consoles(&all)? {
        all = find(&arguments.paths)?;
    }
    let mut out = std::io::stdout().lock();
    let mut checked: Vec<Checked> = Vec::new();
    let bar = cells::bar_of("cells", all.iter().map(|found| found.note.cells.len()).sum());
    let how = How {
        threads: arguments.threads,
        // Nobody will look at what happened: only the verdicts are told.
        no_traces: true,
        keeper: None,
    };
    let mut states: HashMap<PathBuf, Kept> = HashMap::new();
    let (mut broken, mut complaints) = (0, 0);
    for found in &all {
        let note = &found.note;
        let root = found
            .root
            .clone()
            .filter(|_| arguments.changed && found.file.layer == Layer::User);
        let mut state = root.map(|root| states.entry(root.clone()).or_insert_with(|| Kept::read(&root)));
        let shown = shown(found);
        for cell in &note.cells {
            let name = format!("{}#{}", note.name, cell.key);
            bar.set_message(name.clone());
            let kept = state.as_ref().and_then(|state| state.unchanged(note, cell));
            let outcome = match &kept {
                Some(_) => None,
                None => Some(cells::run(note, cell, how, |progress| {
                    bar.set_message(format!("{name}  {}/{} trials", progress.done, progress.total));
                })?),
            };
            if let Some(outcome) = &outcome {
                broken += usize::from(outcome.is_broken());
                complaints += outcome.complaints();
                let said = match arguments.format {
                    Format::Human => show::complaints(note, cell, outcome),
                    Format::Github => github::complaints(&shown, note, cell, outcome),
                    Format::Json | Format::Junit => String::new(),
                };
                bar.suspend(|| write!(out, "{said}"))?;
                if let Some(state) = &mut state {
                    state.ran(note, cell, outcome);
                }
            }
            bar.inc(1);
            let file = found.file.clone();
            checked.push(Checked {
                file,
                note: Arc::clone(note),
                cell: cell.clone(),
                outcome,
                kept,
            });
        }
        if let Some(state) = state {
            state.forget_others(note);
            state.write()?;
        }
    }
    bar.finish_and_clear();
    if arguments.update {
        update::results(&all, &checked)?;
    }
    let lists = listed::lists(&all, &checked);
    complaints += lists.iter().map(Listed::complaints).sum::<usize>();
    match arguments.format {
        Format::Human => {
            for list in &lists {
                write!(out, "{}", list.problems())?;
            }
            writeln!(out, "{}", summary(&checked, broken, complaints))?;
            for list in &lists {
                write!(out, "\n{}", list.text())?;
            }
        }
        Format::Github => {
            for list in &lists {
                write!(out, "{}", github::problems(list))?;
            }
            writeln!(out, "{}", summary(&checked, broken, complaints))?;
        }
        Format::Json => {
            let whole = json!({
                "ok": broken + complaints == 0,
                "broken": broken,
                "complaints": complaints,
                "cells": checked.iter().map(as_json).collect::<Vec<_>>(),
                "lists": lists.iter().map(Listed::as_json).collect::<Vec<_>>(),
            });
            serde_json::to_writer_pretty(&mut out, &whole)?;
            writeln!(out)?;
        }
        Format::Junit => write!(out, "{}", junit::write(&checked))?,
    }
    Ok(match (broken, complaints) {
        (0, 0) => ExitCode::SUCCESS,
        (0, _) => ExitCode::from(1),
        _ => ExitCode::from(2),
    })
}

/// The notes that are meant, each once.
fn find(paths: &[String]) -> anyhow::Result<Vec<Found>> {
    let default = [place::default_vault().display().to_string()];
    let paths = if paths.is_empty() { &default[..] } else { paths };
    let mut all: Vec<Found> = Vec::new();
    let mut add = |workspace: &Workspace, snapshot: &Arc<Snapshot>, file: &FileRef, note: &Arc<Note>| {
        let root = workspace.root().map(Path::to_owned);
        if !all.iter().any(|found| found.root == root && found.file == *file) {
            let (snapshot, note) = (Arc::clone(snapshot), Arc::clone(note));
            all.push(Found {
                snapshot,
                root,
                file: file.clone(),
                note,
            });
        }
    };
    for path in paths {
        if Path::new(path).is_dir() {
            let workspace = Workspace::open(Some(Path::new(path)))?;
            let snapshot = workspace.snapshot();
            for (file, note) in snapshot.vault.notes().filter(|(file, _)| file.layer == Layer::User) {
                add(&workspace, &snapshot, file, note);
            }
        } else {
            let place = place::note(path, None)?;
            let snapshot = place.workspace.snapshot();
            if let Some(note) = snapshot.vault.note(&place.file) {
                add(&place.workspace, &snapshot, &place.file, note);
            }
        }
    }
    Ok(all)
}

/// A note's file as seen from the current folder.
fn shown(found: &Found) -> String {
    let here = std::env::current_dir().and_then(|here| here.canonicalize());
    let disk = found.disk();
    let from_here = disk.as_ref().and_then(|disk| disk.strip_prefix(here.ok()?).ok());
    let path = from_here.or(disk.as_deref()).map(|path| path.display().to_string());
    path.unwrap_or_else(|| found.file.path.clone()).replace('\\', "/")
}

fn summary(checked: &[Checked], broken: usize, complaints: usize) -> String {
    let counted = |count: usize, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
    let mut text = format!(
        "{}, {}, {}",
        counted(checked.len(), "cell", "cells"),
        counted(checked.iter().map(Checked::trials).sum(), "trial", "trials"),
        counted(
            checked.iter().map(|checked| checked.claims().len()).sum(),
            "claim",
            "claims"
        ),
    );
    let unchanged = checked.iter().filter(|checked| checked.outcome.is_none()).count();
    if unchanged > 0 {
        let _ = write!(text, "; {} unchanged", counted(unchanged, "cell is", "cells are"));
    }
    if broken > 0 {
        let _ = write!(text, "; {} cannot be read", counted(broken, "cell", "cells"));
    }
    let _ = match complaints {
        0 if broken == 0 => write!(text, ": all as written"),
        0 => Ok(()),
        count => write!(text, "; {} not as written", counted(count, "is", "are")),
    };
    text
}

fn as_json(checked: &Checked) -> serde_json::Value {
    let outcome = checked.outcome.as_ref();
    let result = outcome.and_then(|outcome| outcome.result.as_ref());
    json!({
        "note": checked.note.path,
        "cell": checked.cell.key,
        "kind": checked.cell.kind,
        "unchanged": outcome.is_none(),
        "diagnostics": outcome.map(|outcome| &outcome.diagnostics),
        "claims": checked.claims(),
        "errors": result.map(|result| result.trials.iter().filter_map(|trial| trial.error.as_ref()).collect::<Vec<_>>()),
        "trials": result.map(|result| result.trials.len()),
        "seconds": outcome.map(|outcome| outcome.took.as_secs_f64()),
    })
}
