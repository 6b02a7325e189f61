//! `peapod check`: whether what notes claim is so.

use std::fmt::Write as _;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use peapod_vault::{Cell, FileRef, Layer, Note};
use serde_json::json;

use super::cells::{self, How, Outcome};
use super::{place, show};
use crate::lab::model::{Diagnostic, Severity};
use crate::notebook::transcript;
use crate::workspace::Workspace;

/// Check the claims of notes: run all experiments, consoles and manifests, and say what is not as it is written.
#[derive(Debug, Args)]
pub struct Check {
    /// Vaults (folders) and notes. Default: `notes`, or the current folder.
    #[arg(value_name = "PATH")]
    paths: Vec<String>,
    /// How to say it.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// At most so many threads.
    #[arg(long, value_name = "NUMBER")]
    threads: Option<usize>,
    /// First write into the notes what their consoles print, where it is something else than they show.
    #[arg(long)]
    update: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people: what is wrong, and a summary.
    Human,
    /// One JSON document with everything.
    Json,
    /// JUnit XML, for CI.
    Junit,
}

struct Checked {
    note: Arc<Note>,
    cell: Cell,
    outcome: Outcome,
}

/// Runs the command; 1 when a claim is not as its note expects, 2 when a cell cannot be read.
///
/// # Errors
/// When there is no such vault or note, or the results cannot be printed.
pub fn main(arguments: &Check) -> anyhow::Result<ExitCode> {
    if arguments.update {
        update(&arguments.paths)?;
    }
    let notes = notes(&arguments.paths)?.into_iter().map(|(_, note)| note);
    let mut out = std::io::stdout().lock();
    let mut checked: Vec<Checked> = Vec::new();
    let bar = cells::bar();
    let how = How {
        threads: arguments.threads,
        // Nobody will look at what happened: only the verdicts are told.
        no_traces: true,
        keeper: None,
    };
    let (mut broken, mut complaints) = (0, 0);
    for note in notes {
        for cell in &note.cells {
            bar.set_prefix(note.name.clone());
            let outcome = cells::run(&note, cell, how, |progress| cells::show_progress(&bar, progress))?;
            broken += usize::from(outcome.is_broken());
            complaints += outcome.complaints();
            if arguments.format == Format::Human {
                let said = show::complaints(&note, cell, &outcome);
                bar.suspend(|| write!(out, "{said}"))?;
            }
            checked.push(Checked {
                note: Arc::clone(&note),
                cell: cell.clone(),
                outcome,
            });
        }
    }
    bar.finish_and_clear();
    match arguments.format {
        Format::Human => writeln!(out, "{}", summary(&checked, broken, complaints))?,
        Format::Json => {
            let cells: Vec<_> = checked.iter().map(as_json).collect();
            let whole =
                json!({ "ok": broken + complaints == 0, "broken": broken, "complaints": complaints, "cells": cells });
            serde_json::to_writer_pretty(&mut out, &whole)?;
            writeln!(out)?;
        }
        Format::Junit => write!(out, "{}", junit(&checked))?,
    }
    Ok(match (broken, complaints) {
        (0, 0) => ExitCode::SUCCESS,
        (0, _) => ExitCode::from(1),
        _ => ExitCode::from(2),
    })
}

/// Brings the consoles of notes up to date, and says which lines of which notes it has changed.
fn update(paths: &[String]) -> anyhow::Result<()> {
    for (file, note) in notes(paths)? {
        let Some(updated) = transcript::update(&note) else {
            continue;
        };
        let Some(file) = file else {
            anyhow::bail!("{} is a note of the library, which is not changed", note.path)
        };
        // What somebody else has written meanwhile is not lost.
        let said = |error| anyhow::anyhow!("{}: {error}", file.display());
        if std::fs::read(&file).map_err(said)? != note.text.as_bytes() {
            anyhow::bail!("{} has changed meanwhile", file.display());
        }
        std::fs::write(&file, &updated.text).map_err(said)?;
        for line in updated.lines {
            eprintln!("{}:{line}: updated", note.path);
        }
    }
    Ok(())
}

/// The notes that are meant, by path, and where each is on the disk.
fn notes(paths: &[String]) -> anyhow::Result<Vec<(Option<PathBuf>, Arc<Note>)>> {
    let default = [place::default_vault().display().to_string()];
    let paths = if paths.is_empty() { &default[..] } else { paths };
    let mut found = Vec::new();
    let on_disk = |workspace: &Workspace, file: &FileRef| match file.layer {
        Layer::User => workspace.root().map(|root| root.join(&file.path)),
        Layer::Library => None,
    };
    for path in paths {
        if Path::new(path).is_dir() {
            let workspace = Workspace::open(Some(Path::new(path)))?;
            let snapshot = workspace.snapshot();
            let own = snapshot.vault.notes().filter(|(file, _)| file.layer == Layer::User);
            found.extend(own.map(|(file, note)| (on_disk(&workspace, file), Arc::clone(note))));
        } else {
            let place = place::note(path, None)?;
            let snapshot = place.workspace.snapshot();
            let note = snapshot.vault.note(&place.file).cloned();
            found.extend(note.map(|note| (on_disk(&place.workspace, &place.file), note)));
        }
    }
    Ok(found)
}

fn summary(checked: &[Checked], broken: usize, complaints: usize) -> String {
    let claims: usize = checked
        .iter()
        .filter_map(|checked| checked.outcome.result.as_ref())
        .map(|result| result.claims.len())
        .sum();
    let trials: usize = checked
        .iter()
        .filter_map(|checked| checked.outcome.result.as_ref())
        .map(|result| result.trials.len())
        .sum();
    let counted = |count: usize, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
    let mut text = format!(
        "{}, {}, {}",
        counted(checked.len(), "cell", "cells"),
        counted(trials, "trial", "trials"),
        counted(claims, "claim", "claims"),
    );
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
    let Checked { note, cell, outcome } = checked;
    let result = outcome.result.as_ref();
    json!({
        "note": note.path,
        "cell": cell.key,
        "kind": cell.kind,
        "diagnostics": outcome.diagnostics,
        "claims": result.map(|result| &result.claims),
        "errors": result.map(|result| result.trials.iter().filter_map(|trial| trial.error.as_ref()).collect::<Vec<_>>()),
        "trials": result.map(|result| result.trials.len()),
        "seconds": outcome.took.as_secs_f64(),
    })
}

/// One suite a note, one case a claim; a cell without claims is one case.
fn junit(checked: &[Checked]) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"peapod\">\n");
    for group in checked.chunk_by(|left, right| left.note.path == right.note.path) {
        let mut cases = String::new();
        let (mut tests, mut failures, mut errors) = (0, 0, 0);
        for Checked { note, cell, outcome } in group {
            let mut case = |name: &str, line: u32, bad: Option<(&str, String)>| {
                tests += 1;
                let head = format!(
                    "    <testcase classname=\"{}\" name=\"{}\" file=\"{}\" line=\"{line}\" time=\"{:.3}\"",
                    xml(&format!("{}#{}", note.path, cell.key)),
                    xml(name),
                    xml(&note.path),
                    outcome.took.as_secs_f64(),
                );
                match bad {
                    None => cases.push_str(&format!("{head}/>\n")),
                    Some((element, message)) => {
                        if element == "failure" {
                            failures += 1
                        } else {
                            errors += 1
                        }
                        let first = message.lines().next().unwrap_or_default();
                        let (first, message) = (xml(first), xml(&message));
                        cases.push_str(&format!(
                            "{head}>\n      <{element} message=\"{first}\">{message}</{element}>\n    </testcase>\n"
                        ));
                    }
                }
            };
            let bad: Vec<&Diagnostic> = outcome
                .diagnostics
                .iter()
                .filter(|said| said.severity == Severity::Error)
                .collect();
            let Some(result) = &outcome.result else {
                let message: Vec<String> = bad.iter().map(ToString::to_string).collect();
                case(&cell.key, cell.first_line, Some(("error", message.join("\n"))));
                continue;
            };
            for claim in &result.claims {
                let message = (!claim.as_expected).then(|| ("failure", show::claim_message(claim, result)));
                case(&show::sentence(note, claim), claim.place.line, message);
            }
            let error = result.trials.iter().find_map(|trial| trial.error.as_ref());
            if error.is_some() || result.claims.is_empty() {
                case(
                    &cell.key,
                    cell.first_line,
                    error.map(|error| ("error", error.to_string())),
                );
            }
        }
        let name = group.first().map(|checked| xml(&checked.note.path)).unwrap_or_default();
        let _ = writeln!(
            text,
            "  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\">"
        );
        text.push_str(&cases);
        text.push_str("  </testsuite>\n");
    }
    text.push_str("</testsuites>\n");
    text
}

fn xml(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            '\t' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'.. => escaped.push(character),
            // XML has no way to write the others.
            _ => escaped.push('\u{fffd}'),
        }
    }
    escaped
}
