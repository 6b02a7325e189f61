//! `peapod run`: the experiments of a note in the terminal.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use peapod_vault::{Cell, CellKind, Note};
use serde_json::json;

use super::cells::{self, How};
use super::keeper::Keeper;
use super::{place, show};

/// Run the experiments of a note, or one of its cells, keep the results beside the note, and show what came out.
#[derive(Debug, Args)]
pub struct Run {
    /// The note: its path, or its name in the vault; `NOTE#ID` runs one cell of it.
    #[arg(value_name = "NOTE[#ID]")]
    note: String,
    /// Print the results as JSON.
    #[arg(long)]
    json: bool,
    /// The folder with the notes. Default: the vault around the note, or `notes`.
    #[arg(long, value_name = "FOLDER")]
    vault: Option<PathBuf>,
    /// At most so many threads. Results do not depend on it.
    #[arg(long, value_name = "NUMBER")]
    threads: Option<usize>,
    /// Make verdicts only, without traces: sooner where there are many trials, but nobody can look at what happened.
    #[arg(long)]
    no_traces: bool,
    /// Do not keep the results.
    #[arg(long)]
    no_save: bool,
}

/// Runs the command; 1 when something is not as the note expects, 2 when a cell cannot be read.
///
/// # Errors
/// When there is no such note or cell, or the results cannot be kept or printed.
pub fn main(arguments: &Run) -> anyhow::Result<ExitCode> {
    let place = place::note(&arguments.note, arguments.vault.as_deref())?;
    let snapshot = place.workspace.snapshot();
    let Some(note) = snapshot.vault.note(&place.file) else {
        anyhow::bail!("{} is gone", place.file.path)
    };
    let chosen = choose(note, place.cell.as_deref())?;
    let keeper = match arguments.no_save {
        true => None,
        false => Some(Keeper::beside(&place)?),
    };
    let how = How {
        threads: arguments.threads,
        no_traces: arguments.no_traces,
        keeper: keeper.as_ref(),
    };
    let (mut broken, mut complaints) = (false, false);
    let mut shown: Vec<serde_json::Value> = Vec::new();
    let mut out = std::io::stdout().lock();
    for cell in chosen {
        let bar = cells::bar();
        let outcome = cells::run(note, cell, how, |progress| cells::show_progress(&bar, progress));
        bar.finish_and_clear();
        let outcome = outcome.context("the results cannot be kept (`--no-save` runs without keeping them)")?;
        broken |= outcome.is_broken();
        complaints |= outcome.complaints() > 0;
        if arguments.json {
            shown.push(json!({
                "note": note.path,
                "cell": cell.key,
                "diagnostics": outcome.diagnostics,
                "result": outcome.result,
            }));
        } else {
            write!(out, "{}", show::outcome(note, cell, &outcome))?;
        }
    }
    if arguments.json {
        serde_json::to_writer_pretty(&mut out, &shown)?;
        writeln!(out)?;
    }
    Ok(match (broken, complaints) {
        (true, _) => ExitCode::from(2),
        (false, true) => ExitCode::from(1),
        (false, false) => ExitCode::SUCCESS,
    })
}

/// The cell that is named, or all experiments of the note; of a note without any, all its cells.
pub fn choose<'n>(note: &'n Note, wanted: Option<&str>) -> anyhow::Result<Vec<&'n Cell>> {
    let known = || {
        let keys: Vec<&str> = note.cells.iter().map(|cell| cell.key.as_str()).collect();
        if keys.is_empty() {
            "it has no cells".to_owned()
        } else {
            format!("it has {}", keys.join(", "))
        }
    };
    if let Some(wanted) = wanted {
        let found = note
            .cells
            .iter()
            .find(|cell| cell.key == wanted || cell.id.as_deref() == Some(wanted));
        return match found {
            Some(cell) => Ok(vec![cell]),
            None => anyhow::bail!("{} has no cell {wanted:?}; {}", note.path, known()),
        };
    }
    let experiments: Vec<&Cell> = note
        .cells
        .iter()
        .filter(|cell| cell.kind == CellKind::Experiment)
        .collect();
    match (experiments.is_empty(), note.cells.is_empty()) {
        (false, _) => Ok(experiments),
        (true, false) => Ok(note.cells.iter().collect()),
        (true, true) => anyhow::bail!("{} has nothing to run", note.path),
    }
}
