//! The runs of a cell.

use axum::extract::{Path, Query, State};
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};

use super::error::{PageResult, Problem};
use super::reader::Reader;
use super::start::{self, RunRow};
use super::view::claims;
use super::view::diff::{self, DiffLine};
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
    runs: Vec<RowView>,
}

/// A run with what is different from the one before it.
#[derive(Serialize)]
struct RowView {
    run: RunRow,
    outdated: bool,
    change_href: String,
    /// Its text against the text of the run before.
    lines: Vec<DiffLine>,
    /// Claims with another verdict than before: the sentence, and both verdicts as class and word.
    verdicts: Vec<(String, (&'static str, &'static str), (&'static str, &'static str))>,
    /// Other versions than before.
    versions: Vec<String>,
}

/// At most so many runs are compared.
const MAX_COMPARED: usize = 50;

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
    let lang = reader.lang;
    let sentences = note::sentences(&snapshot.vault, &file);
    let mut said = Vec::new();
    for run in runs.iter().take(MAX_COMPARED) {
        said.push(app.store().said(run.id).await.map_err(Problem::internal)?);
    }
    let mut rows = Vec::new();
    for (index, run) in runs.iter().enumerate() {
        let now = said.get(index).and_then(Option::as_ref);
        let before = said.get(index + 1).and_then(Option::as_ref);
        let (mut lines, mut verdicts, mut versions) = (Vec::new(), Vec::new(), Vec::new());
        if let (Some((text, claims)), Some((old_text, old_claims)), Some(older)) = (now, before, runs.get(index + 1)) {
            lines = diff::lines(old_text, text);
            for claim in claims {
                let own = claims::text_of(claim, &sentences);
                let known = old_claims
                    .iter()
                    .find(|old| claims::text_of(old, &sentences) == own && old.condition == claim.condition);
                if let Some(old) = known.filter(|old| old.verdict != claim.verdict) {
                    let word = |verdict| {
                        let (class, text) = claims::word(verdict);
                        (class, text.say(lang))
                    };
                    verdicts.push((own, word(old.verdict), word(claim.verdict)));
                }
            }
            if older.kubernetes != run.kubernetes {
                versions.push(format!("Kubernetes {} → {}", older.kubernetes, run.kubernetes));
            }
            if older.peapod != run.peapod {
                versions.push(format!("Peapod {} → {}", older.peapod, run.peapod));
            }
        }
        rows.push(RowView {
            outdated: !run.scratch && cell.is_none_or(|cell| run.is_outdated(&cell.text)),
            change_href: format!(
                "{}?copy={}#{}",
                address::note(&file),
                run.id,
                address::encode(&note::anchor(&asked.cell))
            ),
            run: start::row(lang, run, title.clone()),
            lines,
            verdicts,
            versions,
        });
    }
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
