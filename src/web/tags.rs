//! Lists of notes: all of them, and those with a tag.

use axum::extract::{Path, State};
use axum::response::IntoResponse;
use serde::Serialize;

use super::App;
use super::error::PageResult;
use super::frame;
use super::reader::Reader;
use crate::i18n::{Text, fill};

#[derive(Serialize)]
struct ListView {
    frame: frame::Frame,
    title: String,
    notes: Vec<frame::Entry>,
    library: Vec<frame::Entry>,
}

/// `GET /notes`.
pub async fn all(State(app): State<App>, reader: Reader) -> PageResult {
    let snapshot = app.workspace().snapshot();
    let index = frame::index(&app, reader, &snapshot);
    let view = ListView {
        frame: frame::frame(&app, reader, &snapshot, None),
        title: Text::AllNotes.say(reader.lang).to_owned(),
        notes: index.notes.clone(),
        library: index.library.clone(),
    };
    Ok(app.templates().page("pages/list.html", reader, &view))
}

/// `GET /tag/{*tag}`.
pub async fn page(State(app): State<App>, Path(tag): Path<String>, reader: Reader) -> PageResult {
    let snapshot = app.workspace().snapshot();
    let index = frame::index(&app, reader, &snapshot);
    let tagged = snapshot.vault.tagged(&tag);
    let pick = |entries: &[frame::Entry]| {
        entries
            .iter()
            .filter(|entry| tagged.contains(&entry.file))
            .cloned()
            .collect()
    };
    let view = ListView {
        frame: frame::frame(&app, reader, &snapshot, None),
        title: fill(
            reader.lang,
            Text::TaggedNotes.say(reader.lang),
            &[("tag", tag.chars().take(100).collect())],
        ),
        notes: pick(&index.notes),
        library: pick(&index.library),
    };
    Ok(app.templates().page("pages/list.html", reader, &view).into_response())
}
