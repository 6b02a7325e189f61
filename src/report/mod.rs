//! Study reports: a note with the newest results of its cells, as one self-contained HTML file or as Markdown.
//!
//! [`Material::gather`] fetches everything that a report is made of; [`html`] and [`markdown`] are pure functions of it. The
//! HTML makes no request when it is opened: one style sheet inside, images as `data:` addresses, drawings as SVG, no script,
//! and a content security policy that forbids the rest.

mod document;
mod grid;
mod html;
mod markdown;
mod svg;
mod templates;
pub mod under;

use std::sync::Arc;

use jiff::Timestamp;
use peapod_sim::trace::Trace;
use peapod_vault::{FileRef, Note};

pub use html::html;
pub use markdown::markdown;
pub use svg::standalone as timeline_svg;

use crate::i18n::Lang;
use crate::lab::model::RunResult;
use crate::store::{Store, StoreError, StoredRun};
use crate::workspace::{Snapshot, Workspace};

/// Timelines of at most so many trials of a run are drawn: one for each outcome, and those that disagree with a claim.
pub const MAX_TIMELINES: usize = 8;
/// At most so many trials of a run are listed one by one.
pub const MAX_TRIALS: usize = 200;
/// Images of up to so many bytes are put into the report; a larger one is named in its place.
pub const MAX_IMAGE_BYTES: usize = 8 * 1024 * 1024;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The vault has no such note.
    #[error("there is no note {0}")]
    NoSuchNote(String),
    /// The results cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A template is wrong.
    #[error("the report cannot be written: {0:#}")]
    Template(#[from] minijinja::Error),
}

/// Everything that a report is made of.
#[derive(Clone, Debug)]
pub struct Material {
    workspace: Workspace,
    snapshot: Arc<Snapshot>,
    file: FileRef,
    note: Arc<Note>,
    results: Vec<Results>,
    made_at: Timestamp,
}

/// The newest results of one cell.
#[derive(Clone, Debug)]
struct Results {
    /// Index of the cell in the note.
    cell: usize,
    /// Its newest finished run.
    run: Option<StoredRun>,
    /// Whether the cell has changed since.
    outdated: bool,
    /// The traces of the trials whose timelines are drawn.
    traces: Vec<(usize, Trace)>,
    /// What of the results cannot be read.
    damaged: Vec<String>,
}

impl Material {
    /// Fetches a note and the newest results of its cells; `made_at` is the instant that the report names as its own.
    ///
    /// # Errors
    /// When there is no such note, or the results cannot be read. A damaged trace is said in the report.
    pub async fn gather(
        workspace: &Workspace,
        store: &Store,
        file: &FileRef,
        made_at: Timestamp,
    ) -> Result<Self, ReportError> {
        let snapshot = workspace.snapshot();
        let note = snapshot
            .vault
            .note(file)
            .ok_or_else(|| ReportError::NoSuchNote(file.path.clone()))?
            .clone();
        let mut results = Vec::new();
        for cell in &note.cells {
            let run = store.newest_run(&note.path, &cell.key).await?;
            let outdated = run.as_ref().is_some_and(|run| run.summary.is_outdated(&cell.text));
            let (mut traces, mut damaged) = (Vec::new(), Vec::new());
            for trial in run.iter().flat_map(|run| {
                representative(&run.result)
                    .into_iter()
                    .map(|trial| (run.summary.id, trial))
            }) {
                match store.trace(trial.0, trial.1).await {
                    Ok(trace) => traces.extend(trace.map(|trace| (trial.1, trace))),
                    Err(error @ StoreError::DamagedTrace { .. }) => damaged.push(error.to_string()),
                    Err(error) => return Err(error.into()),
                }
            }
            results.push(Results {
                cell: cell.index,
                run,
                outdated,
                traces,
                damaged,
            });
        }
        Ok(Self {
            workspace: workspace.clone(),
            snapshot,
            file: file.clone(),
            note,
            results,
            made_at,
        })
    }

    /// The language of the note.
    pub fn lang(&self) -> Lang {
        lang_of(&self.note)
    }
}

/// The language of a note: what its property `lang` says, or else Korean if it has Hangul.
pub fn lang_of(note: &Note) -> Lang {
    let said = note
        .properties
        .get("lang")
        .and_then(|value| value.as_str())
        .and_then(|tag| Lang::named(tag.split('-').next().unwrap_or(tag)));
    let hangul = || note.text.chars().any(|c| ('가'..='힣').contains(&c));
    said.unwrap_or_else(|| if hangul() { Lang::Ko } else { Lang::En })
}

/// The trials that show what a run is about: the first of each outcome, and those that disagree with a claim.
fn representative(result: &RunResult) -> Vec<usize> {
    let mut trials: Vec<usize> = result
        .claims
        .iter()
        .filter_map(|claim| Some(claim.counter_example.as_ref()?.trial))
        .collect();
    let mut outcomes = Vec::new();
    for cell in result.tables.first().map_or(&[][..], |table| &table.cells) {
        if !outcomes.contains(&&cell.outcome) {
            outcomes.push(&cell.outcome);
            trials.extend(cell.trials.first());
        }
    }
    if trials.is_empty() {
        trials.extend(result.trials.first().map(|trial| trial.trial.index));
    }
    let mut seen = std::collections::BTreeSet::new();
    trials.retain(|trial| seen.insert(*trial));
    trials.truncate(MAX_TIMELINES);
    trials.sort_unstable();
    trials
}
