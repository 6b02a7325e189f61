//! The first page: where to begin, what ran, what does not come out as expected.

use std::collections::BTreeSet;

use axum::extract::State;
use axum::response::IntoResponse;
use jiff::Timestamp;
use serde::Serialize;

use super::error::{PageResult, Problem};
use super::reader::Reader;
use super::{App, address, frame, note};
use crate::i18n::{Lang, time};
use crate::lab::model::RunStatus;
use crate::store::{RunFilter, RunSummary};

/// At most so many runs are looked at for claims that do not come out as expected.
const LOOKED_AT: usize = 300;

/// A run in a list.
#[derive(Debug, Serialize)]
pub struct RunRow {
    /// Its number.
    pub id: String,
    /// Its page.
    pub href: String,
    /// The experiment's title.
    pub title: String,
    /// The note's title.
    pub note: String,
    /// Class of its status.
    pub class: &'static str,
    /// Word of its status.
    pub status: &'static str,
    /// How long ago it started.
    pub ago: String,
    /// When it started, for machines.
    pub started: String,
    /// Claims that came out as expected.
    pub as_expected: usize,
    /// All claims.
    pub claims: usize,
    /// Trials.
    pub total: usize,
    /// Trials that ended.
    pub done: usize,
    /// Whether it ran a changed copy.
    pub scratch: bool,
    /// Kubernetes versions.
    pub kubernetes: String,
}

/// A run as a row; `title` is that of its note.
pub fn row(lang: Lang, summary: &RunSummary, title: String) -> RunRow {
    let (class, status) = note::status_of(lang, summary);
    RunRow {
        id: summary.id.to_string(),
        href: address::run(&summary.id.to_string()),
        title: summary.title.clone(),
        note: title,
        class,
        status,
        ago: time::ago(lang, Timestamp::now().duration_since(summary.started_at).as_secs()),
        started: summary.started_at.to_string(),
        as_expected: summary.as_expected,
        claims: summary.claims,
        total: summary.total,
        done: summary.done,
        scratch: summary.scratch,
        kubernetes: summary.kubernetes.clone(),
    }
}

#[derive(Serialize)]
struct StartView {
    frame: frame::Frame,
    first: Option<frame::Entry>,
    notes: Vec<frame::Entry>,
    library: Vec<frame::Entry>,
    notes_total: usize,
    recent: Vec<RunRow>,
    failing: Vec<RunRow>,
}

/// `GET /`.
pub async fn page(State(app): State<App>, reader: Reader) -> PageResult {
    let snapshot = app.workspace().snapshot();
    let index = frame::index(&app, reader, &snapshot);
    let filter = RunFilter {
        scratch: true,
        limit: LOOKED_AT,
        ..RunFilter::default()
    };
    let runs = app.store().runs(&filter).await.map_err(Problem::internal)?;
    let title =
        |path: &str| note::find(&snapshot.vault, path).map_or_else(|| path.to_owned(), |(_, note)| note.title.clone());
    let to_row = |summary: &RunSummary| row(reader.lang, summary, title(&summary.note));
    let mut seen = BTreeSet::new();
    let failing = runs
        .iter()
        .filter(|run| {
            run.status == RunStatus::Finished && !run.scratch && seen.insert((run.note.clone(), run.cell.clone()))
        })
        .filter(|run| run.as_expected < run.claims)
        .take(12)
        .map(to_row)
        .collect();
    let all = || index.notes.iter().chain(&index.library);
    let first = all()
        .find(|entry| entry.file.path.contains("파드에 대해서"))
        .or_else(|| all().find(|entry| entry.cells > 0))
        .or_else(|| all().next());
    let view = StartView {
        frame: frame::frame(&app, reader, &snapshot, None),
        first: first.cloned(),
        notes: index.notes.iter().take(24).cloned().collect(),
        library: index.library.iter().take(24).cloned().collect(),
        notes_total: index.notes.len() + index.library.len(),
        recent: runs.iter().take(10).map(to_row).collect(),
        failing,
    };
    Ok(app.templates().page("pages/start.html", reader, &view).into_response())
}
