//! Search in titles and texts, and the list from which a note is opened by name.

use std::ops::Range;

use axum::Json;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use peapod_vault::Layer;
use serde::{Deserialize, Serialize};

use super::error::PageResult;
use super::reader::Reader;
use super::{App, address, frame, note};

/// At most so many notes are found.
const MAX_HITS: usize = 50;
/// At most so many notes in the list of names.
const MAX_NAMES: usize = 20_000;

#[derive(Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    q: String,
}

#[derive(Serialize)]
struct SearchView {
    frame: frame::Frame,
    query: String,
    total: usize,
    error: Option<String>,
    hits: Vec<HitView>,
}

#[derive(Serialize)]
struct HitView {
    title: Vec<(String, bool)>,
    href: String,
    library: bool,
    folder: String,
    snippets: Vec<(Vec<(String, bool)>, u32)>,
}

/// `GET /search?q=`.
pub(super) async fn page(State(app): State<App>, Query(asked): Query<Asked>, reader: Reader) -> PageResult {
    let snapshot = app.workspace().snapshot();
    let query = asked.q.trim().to_owned();
    let (mut total, mut hits, mut error) = (0, Vec::new(), None);
    if !query.is_empty() {
        match app.workspace().search(&query, MAX_HITS).await {
            Ok(results) => {
                total = results.total.max(results.hits.len());
                hits = results
                    .hits
                    .into_iter()
                    .map(|hit| HitView {
                        title: pieces(&hit.title, &hit.marks),
                        href: address::note(&hit.file.path),
                        library: hit.file.layer == Layer::Library,
                        folder: hit
                            .file
                            .path
                            .rsplit_once('/')
                            .map_or_else(String::new, |(folder, _)| folder.to_owned()),
                        snippets: hit
                            .snippets
                            .iter()
                            .map(|snippet| (pieces(&snippet.text, &snippet.marks), snippet.line))
                            .collect(),
                    })
                    .collect();
            }
            Err(refused) => error = Some(refused.to_string()),
        }
    }
    let query = query.chars().take(200).collect();
    let view = SearchView {
        frame: frame::frame(&app, reader, &snapshot, None),
        query,
        total,
        error,
        hits,
    };
    Ok(app.templates().page("pages/search.html", reader, &view))
}

/// A text cut at what was looked for: pieces, and whether each was looked for.
fn pieces(text: &str, marks: &[Range<usize>]) -> Vec<(String, bool)> {
    let mut out = Vec::new();
    let mut at = 0;
    for mark in marks {
        let (Some(before), Some(meant)) = (text.get(at..mark.start.max(at)), text.get(mark.clone())) else {
            continue;
        };
        if !before.is_empty() {
            out.push((before.to_owned(), false));
        }
        if mark.start >= at {
            out.push((meant.to_owned(), true));
            at = mark.end;
        }
    }
    if let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        out.push((rest.to_owned(), false));
    }
    out
}

#[derive(Serialize)]
struct Name {
    t: String,
    h: String,
    a: Vec<String>,
    l: bool,
}

/// `GET /quick.json`: titles, addresses and aliases of all notes.
pub(super) async fn quick(State(app): State<App>, reader: Reader) -> Response {
    let snapshot = app.workspace().snapshot();
    let index = frame::index(&app, reader, &snapshot);
    let names: Vec<Name> = index
        .notes
        .iter()
        .chain(&index.library)
        .take(MAX_NAMES)
        .map(|entry| Name {
            t: entry.title.clone(),
            h: entry.href.clone(),
            a: note::find(&snapshot.vault, &entry.file.path).map_or_else(Vec::new, |(_, note)| note.aliases.clone()),
            l: entry.file.layer == Layer::Library,
        })
        .collect();
    Json(names).into_response()
}

#[cfg(test)]
mod tests {
    use super::pieces;

    #[test]
    fn what_was_looked_for_is_marked() {
        let owned = |parts: &[(&str, bool)]| {
            parts
                .iter()
                .map(|(text, mark)| ((*text).to_owned(), *mark))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            pieces("파드와 노드", &[0..6, 10..16]),
            owned(&[("파드", true), ("와 ", false), ("노드", true)])
        );
        assert_eq!(
            pieces("abc", &[1..2, 0..2, 9..12]),
            owned(&[("a", false), ("b", true), ("c", false)])
        );
        let inside_a_letter = 1..2;
        assert_eq!(
            pieces("가", std::slice::from_ref(&inside_a_letter)),
            owned(&[("가", false)])
        );
    }
}
