//! The cells of a note, read and run by a command.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use peapod_vault::{Cell, CellKind, Note};

use super::keeper::Keeper;
use crate::lab::model::{Diagnostic, Progress, RunResult};
use crate::lab::{self, Cancel, Reading, RunEvent, Runner};
use crate::store::StoreError;

/// Reads a cell as the experiment that it is, with diagnostics at their places in the note.
pub fn read(note: &Note, cell: &Cell) -> Reading {
    let file = Some(note.path.as_str());
    let mut reading = match cell.kind {
        CellKind::Experiment => lab::read(&cell.text, file, cell.first_line),
        CellKind::Manifest => lab::cell::manifest(&cell.key, &cell.text, file, cell.first_line),
        CellKind::Console => {
            let above = note
                .cells
                .iter()
                .filter(|above| above.kind == CellKind::Manifest && above.index < cell.index);
            let before: Vec<(&str, u32)> = above.map(|above| (above.text.as_str(), above.first_line)).collect();
            lab::cell::console(&cell.key, &cell.text, &before, file, cell.first_line)
        }
    };
    if let Some(experiment) = &mut reading.experiment {
        experiment.id.clone_from(&cell.key);
    }
    for diagnostic in &mut reading.diagnostics {
        // A cell in a quote or a list stands further in than its text says.
        let line = (diagnostic.line + 1).saturating_sub(cell.first_line);
        if line >= 1 && (line as usize) <= cell.lines.len() {
            let place = note.place_in_cell(cell, line, diagnostic.column, diagnostic.length);
            (diagnostic.line, diagnostic.column) = (place.line, place.column);
        }
    }
    reading
}

/// A cell that was read, and run if it can be.
pub struct Outcome {
    /// What reading it said.
    pub diagnostics: Vec<Diagnostic>,
    /// What running it gave.
    pub result: Option<RunResult>,
    /// Real time from reading to verdicts.
    pub took: Duration,
}

impl Outcome {
    /// Whether it could not be read.
    pub fn is_broken(&self) -> bool {
        self.result.is_none()
    }

    /// What is not as the note expects: claims, and trials that ended with an error.
    pub fn complaints(&self) -> usize {
        let Some(result) = &self.result else { return 0 };
        let claims = result.claims.iter().filter(|claim| !claim.as_expected).count();
        claims + result.trials.iter().filter(|trial| trial.error.is_some()).count()
    }
}

/// How a command runs cells.
#[derive(Clone, Copy, Default)]
pub struct How<'k> {
    /// At most so many threads; as many as the machine has if none is named.
    pub threads: Option<usize>,
    /// Whether trials leave no traces.
    pub no_traces: bool,
    /// Where runs are kept, if they are: a run before it starts, each trial when it ends.
    pub keeper: Option<&'k Keeper>,
}

/// Reads and runs a cell.
///
/// # Errors
/// When the run is to be kept and cannot be; it is stopped then.
pub fn run(note: &Note, cell: &Cell, how: How<'_>, mut progress: impl FnMut(Progress)) -> Result<Outcome, StoreError> {
    let began = Instant::now();
    let mut reading = read(note, cell);
    let outcome = |diagnostics, result| Outcome {
        diagnostics,
        result,
        took: began.elapsed(),
    };
    let Some(experiment) = reading.experiment.take() else {
        return Ok(outcome(reading.diagnostics, None));
    };
    let cancel = Cancel::new();
    let mut runner = match Runner::new(experiment.clone()) {
        Ok(runner) => runner.cancelled_by(cancel.clone()),
        Err(errors) => {
            let errors = errors.into_iter().map(|error| error.in_file(&note.path));
            reading.diagnostics.extend(errors);
            return Ok(outcome(reading.diagnostics, None));
        }
    };
    if let Some(threads) = how.threads {
        runner = runner.threads(threads);
    }
    if how.no_traces {
        runner = runner.without_traces();
    }
    let keeping = match how.keeper {
        Some(keeper) => Some((keeper, keeper.begin(note, cell, experiment, runner.total())?)),
        None => None,
    };
    let mut kept = Ok(());
    let result = runner.run(&mut |event| match event {
        RunEvent::Progress(now) => progress(now),
        RunEvent::Trial { result, json, .. } => {
            if let (Some((keeper, run)), Ok(())) = (keeping, &kept) {
                kept = keeper.trial(run, result, json);
                if kept.is_err() {
                    cancel.cancel();
                }
            }
        }
    });
    kept?;
    if let Some((keeper, run)) = keeping {
        keeper.end(run, &result)?;
    }
    Ok(outcome(reading.diagnostics, Some(result)))
}

/// A progress bar for trials on standard error; nothing when that is no terminal, or while there is nothing to wait for.
pub fn bar() -> ProgressBar {
    bar_of("trials", 0)
}

/// A progress bar for so many of something.
pub fn bar_of(what: &str, length: usize) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(length as u64), ProgressDrawTarget::stderr_with_hz(10));
    let style = ProgressStyle::with_template(&format!("{{bar:30}} {{pos}}/{{len}} {what}  {{elapsed}}  {{msg}}"));
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

/// Shows how far a run is.
pub fn show_progress(bar: &ProgressBar, progress: Progress) {
    bar.set_length(progress.total as u64);
    bar.set_position(progress.done as u64);
    if progress.failed > 0 {
        bar.set_message(format!("{} with an error", progress.failed));
    }
}
