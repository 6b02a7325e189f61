//! Runs a cell of a note and records it as it goes: what `export --run` does first.

use peapod_sim::version::Version;
use peapod_vault::{Cell, Note};
use tokio::runtime::Runtime;

use super::cells;
use crate::lab::model::{Diagnostic, Progress, RunResult};
use crate::lab::{Cancel, RunEvent, Runner};
use crate::store::{Conclusion, EncodedTrace, FinishedTrial, NewRun, Store, StoreError};

/// Why a cell was not run, or not recorded.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The cell cannot run.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Cell(Vec<Diagnostic>),
    /// The results cannot be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Runs a cell: the run is recorded before it starts, each trial as it ends. Blocks until it has ended.
///
/// # Errors
/// When the cell cannot run, or its results cannot be kept; in the latter case the run is stopped.
pub fn run(
    runtime: &Runtime,
    store: &Store,
    note: &Note,
    cell: &Cell,
    cancel: &Cancel,
    progress: &mut dyn FnMut(Progress),
) -> Result<RunResult, RecordError> {
    let reading = cells::read(note, cell);
    let Some(experiment) = reading.experiment else {
        return Err(RecordError::Cell(reading.diagnostics));
    };
    let runner = Runner::new(experiment.clone())
        .map_err(RecordError::Cell)?
        .cancelled_by(cancel.clone());
    let new = NewRun {
        note: note.path.clone(),
        cell: cell.key.clone(),
        source: cell.text.clone(),
        scratch: false,
        kubernetes: match experiment.kubernetes.as_slice() {
            [] => Version::NEWEST.to_string(),
            versions => versions.join(", "),
        },
        total: runner.total(),
        settings: serde_json::json!({}),
        experiment,
    };
    let run = runtime.block_on(store.start_run(&new))?;
    let mut failure = None;
    let result = runner.run(&mut |event| match event {
        RunEvent::Progress(now) => progress(now),
        RunEvent::Trial { result, json, .. } if failure.is_none() => {
            let trial = FinishedTrial {
                result: result.clone(),
                trace: Some(EncodedTrace::of_json(json)),
            };
            let kept = runtime.block_on(store.record_trials(run, &[trial]));
            if let Err(error) = kept {
                failure = Some(error.into());
                cancel.cancel();
            }
        }
        RunEvent::Trial { .. } => {}
    });
    if let Some(failure) = failure {
        return Err(failure);
    }
    runtime.block_on(store.end_run(run, &Conclusion::from(&result)))?;
    Ok(result)
}
