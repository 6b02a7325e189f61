//! Changed copies of cells: what is said of a text while it is written, what could come next, and copies as Markdown.

use axum::extract::{Form, Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::{Json, http::StatusCode};
use peapod_vault::CellKind;
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::{PageResult, Problem};
use super::reader::Reader;
use super::run::stored;
use super::view::problem;
use super::{App, cells, note};
use crate::i18n::Text;
use crate::lab::model::Severity;
use crate::notebook::View;
use crate::notebook::complete::complete;
use crate::store::RunId;

/// A cell with another text.
#[derive(Deserialize)]
pub(super) struct Copy {
    note: String,
    cell: String,
    source: String,
}

/// `POST /api/cells/read`: what there is to say about a changed text, each at its line of the text.
pub(super) async fn read(State(app): State<App>, reader: Reader, Json(copy): Json<Copy>) -> Response {
    let snapshot = app.workspace().snapshot();
    let found = note::find(&snapshot.vault, &copy.note);
    let cell = found
        .as_ref()
        .and_then(|(_, note)| note.cells.iter().find(|cell| cell.key == copy.cell));
    let (Some((_, note)), Some(cell)) = (&found, cell) else {
        return missing(reader);
    };
    let info = cells::read_text(note, cell, &copy.source);
    let above = cell.first_line.saturating_sub(1);
    let problems: Vec<Value> = info
        .diagnostics
        .iter()
        .map(|diagnostic| {
            json!({
                "line": diagnostic.line.saturating_sub(above),
                "column": diagnostic.column,
                "length": diagnostic.length,
                "severity": match diagnostic.severity {
                    Severity::Error => "error",
                    Severity::Warning => "warning",
                    Severity::Notice => "notice",
                },
                "word": problem::view(reader.lang, diagnostic, "").word,
                "message": diagnostic.message,
                "hints": diagnostic.hints,
            })
        })
        .collect();
    Json(json!({ "problems": problems, "trials": info.total, "runnable": info.experiment.is_some() })).into_response()
}

fn missing(reader: Reader) -> Response {
    let words = Text::CellNotFound.say(reader.lang);
    (StatusCode::NOT_FOUND, Json(json!({ "error": words }))).into_response()
}

/// A text and where its writer is.
#[derive(Deserialize)]
pub(super) struct Writing {
    text: String,
    /// In characters.
    cursor: usize,
}

/// `POST /api/cells/complete`: what could stand at the cursor.
pub(super) async fn completion(Json(writing): Json<Writing>) -> Response {
    let found = complete(&writing.text, writing.cursor, &View::default());
    let matches: Vec<Value> = found
        .matches
        .iter()
        .map(|(text, kind)| json!({ "text": text, "kind": kind }))
        .collect();
    Json(json!({ "start": found.start, "end": found.end, "matches": matches })).into_response()
}

/// `POST /copy`: a changed copy as a note of its own.
pub(super) async fn markdown(State(app): State<App>, reader: Reader, Form(copy): Form<Copy>) -> PageResult {
    let snapshot = app.workspace().snapshot();
    let (file, of) = note::find(&snapshot.vault, &copy.note).ok_or(Problem::missing(Text::CellNotFound))?;
    let cell = of
        .cells
        .iter()
        .find(|cell| cell.key == copy.cell)
        .ok_or(Problem::missing(Text::CellNotFound))?;
    let source = copy.source.replace("\r\n", "\n");
    let fence = match cell.kind {
        CellKind::Experiment => "experiment",
        CellKind::Manifest => "yaml",
        CellKind::Console => "console",
    };
    let text = written(reader, &file.path, &copy.cell, fence, &source, None);
    Ok(download(&copy.cell, text))
}

/// `GET /r/{run}/copy.md`: what a run ran, as a note of its own.
pub(super) async fn of_run(State(app): State<App>, Path(run): Path<String>, reader: Reader) -> PageResult {
    let id: RunId = run.parse().map_err(|_| Problem::missing(Text::RunNotFound))?;
    let stored = stored(&app, id).await?;
    let summary = &stored.summary;
    let snapshot = app.workspace().snapshot();
    let kind = note::find(&snapshot.vault, &summary.note).and_then(|(_, note)| {
        note.cells
            .iter()
            .find(|cell| cell.key == summary.cell)
            .map(|cell| cell.kind)
    });
    let fence = match kind {
        Some(CellKind::Manifest) => "yaml",
        Some(CellKind::Console) => "console",
        _ => "experiment",
    };
    let text = written(reader, &summary.note, &summary.cell, fence, &stored.source, Some(id));
    Ok(download(&summary.cell, text))
}

fn written(reader: Reader, note: &str, cell: &str, fence: &str, source: &str, run: Option<RunId>) -> String {
    let name = note.strip_suffix(".md").unwrap_or(note);
    let from = crate::i18n::fill(
        reader.lang,
        Text::CopyOf.say(reader.lang),
        &[("note", format!("[[{name}]]")), ("cell", format!("`{cell}`"))],
    );
    let run = run.map_or_else(String::new, |run| {
        let words = crate::i18n::fill(reader.lang, Text::RunId.say(reader.lang), &[("id", run.to_string())]);
        format!(" · {words}")
    });
    // A fence is longer than every fence in what it holds.
    let longest = source
        .lines()
        .map(|line| line.trim_start().chars().take_while(|c| *c == '`').count())
        .max()
        .unwrap_or(0);
    let ticks = "`".repeat(longest.max(2) + 1);
    format!(
        "# {cell}\n\n{from}{run}\n\n{ticks}{fence}\n{}\n{ticks}\n",
        source.trim_end()
    )
}

fn download(name: &str, text: String) -> Response {
    let file: String = name
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') {
                c
            } else {
                '_'
            }
        })
        .collect();
    (
        [
            (header::CONTENT_TYPE, "text/markdown; charset=utf-8".to_owned()),
            (
                header::CONTENT_DISPOSITION,
                format!("attachment; filename=\"{file}.md\""),
            ),
        ],
        text,
    )
        .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fence_holds_what_it_holds() {
        let text = written(
            Reader::default(),
            "a/b.md",
            "x",
            "experiment",
            "a: 1\n```\nb",
            Some(RunId(3)),
        );
        assert!(text.ends_with("````experiment\na: 1\n```\nb\n````\n"), "{text}");
        assert!(text.contains("[[a/b]]") && text.contains("Run 3"), "{text}");
    }
}
