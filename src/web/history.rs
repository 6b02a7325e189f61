//! The runs of a cell.

use axum::extract::{Path, Query, State};
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};

use super::error::{PageResult, Problem};
use super::reader::Reader;
use super::start::{self, RunRow};
use super::{App, address, frame, note};

#[derive(Deserialize)]
pub(super) struct Asked {
    cell: String,
}

#[derive(Serialize)]
struct HistoryView {
    frame: frame::Frame,
    note: String,
    note_href: String,
    cell: String,
    title: String,
    runs: Vec<(RunRow, bool)>,
}

/// `GET /history/{*path}?cell=KEY`.
pub(super) async fn page(
    State(app): State<App>,
    Path(path): Path<String>,
    Query(asked): Query<Asked>,
    reader: Reader,
) -> PageResult {
    let snapshot = app.workspace().snapshot();
    let found = note::find(&snapshot.vault, &path);
    let file = found
        .as_ref()
        .map_or_else(|| format!("{path}.md"), |(file, _)| file.path.clone());
    let runs = app
        .store()
        .history(&file, &asked.cell)
        .await
        .map_err(Problem::internal)?;
    if found.is_none() && runs.is_empty() {
        return Err(Problem::missing(crate::i18n::Text::CellNotFound));
    }
    let cell = found
        .as_ref()
        .and_then(|(_, note)| note.cells.iter().find(|cell| cell.key == asked.cell));
    let title = found
        .as_ref()
        .map_or_else(|| path.clone(), |(_, note)| note.title.clone());
    let rows = runs
        .iter()
        .map(|run| {
            let outdated = !run.scratch && cell.is_none_or(|cell| run.is_outdated(&cell.text));
            (start::row(reader.lang, run, title.clone()), outdated)
        })
        .collect();
    let view = HistoryView {
        frame: frame::frame(&app, reader, &snapshot, found.as_ref().map(|(file, _)| file)),
        note_href: format!(
            "{}#{}",
            address::note(&file),
            address::encode(&format!("cell-{}", asked.cell))
        ),
        title: runs.first().map_or_else(|| asked.cell.clone(), |run| run.title.clone()),
        note: title,
        cell: asked.cell,
        runs: rows,
    };
    Ok(app
        .templates()
        .page("pages/history.html", reader, &view)
        .into_response())
}
