//! A session as a page, and the list of sessions.

use std::sync::Arc;

use axum::Form;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use jiff::Timestamp;
use peapod_sim::version::Version;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::state::{Clock, State as RoomState, Status};
use super::{ClusterChoice, OpenError, draw};
use crate::i18n::{Lang, Text, fill, time};
use crate::notebook::book::Cell;
use crate::timeline::picture::picture;
use crate::timeline::state;
use crate::web::error::{PageResult, Problem};
use crate::web::reader::Reader;
use crate::web::view::instant::PictureView;
use crate::web::{App, address, frame, note};

/// Workloads and Services that are listed under the picture.
const MAX_LISTED: usize = 60;

impl From<OpenError> for Problem {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Missing => Self::missing(Text::SessionNotFound),
            other => Self::internal(other),
        }
    }
}

/// One cell as its template sees it.
#[derive(Default, Serialize)]
struct CellView {
    id: String,
    key: Option<String>,
    text: String,
    rows: usize,
    kind: &'static str,
    status: Status,
    count: Option<u32>,
    stale: bool,
    edited: bool,
    ran: bool,
    outputs: String,
}

#[derive(Serialize)]
struct LineView {
    number: u64,
    text: String,
    status: Status,
    outputs: String,
}

/// A piece of a note around its cells.
#[derive(Serialize)]
struct PieceView {
    html: String,
    cell: Option<usize>,
}

#[derive(Serialize)]
struct SessionView {
    frame: frame::Frame,
    id: i64,
    title: String,
    note_href: Option<String>,
    scratch: bool,
    revision: u64,
    pieces: Vec<PieceView>,
    cells: Vec<CellView>,
    /// The mould of new cells.
    blank: CellView,
    lines: Vec<LineView>,
    stale: usize,
    clock: String,
    words: String,
    cluster_html: String,
    cluster: ClusterChoice,
    versions: Vec<String>,
}

fn cell_view(state: &RoomState, cell: &Cell, stale: bool) -> CellView {
    let given = state.given.get(&cell.id).cloned().unwrap_or_default();
    CellView {
        id: cell.id.clone(),
        key: cell.key.clone(),
        text: cell.text.clone(),
        rows: cell.text.lines().count().clamp(1, 40),
        kind: kind(&cell.text),
        status: given.status,
        count: given.count,
        stale,
        edited: cell.is_edited(),
        ran: state.kept.book.last_run(&cell.id).is_some(),
        outputs: draw::html(&given),
    }
}

/// Whether a text is typed or YAML, for its colors.
fn kind(text: &str) -> &'static str {
    let first = text
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with('#'));
    match first {
        Some(line) if line.starts_with(['$', '%']) || line.starts_with("kubectl") => "shell",
        _ => "yaml",
    }
}

/// `GET /s/{id}`.
pub async fn page(State(app): State<App>, Path(id): Path<String>, reader: Reader) -> PageResult {
    let number = id.parse().map_err(|_| Problem::missing(Text::SessionNotFound))?;
    let room = app.rooms().open(number).await?;
    let snapshot = app.workspace().snapshot();
    let note_path = room.state().kept.note.clone();
    let found = note_path.as_deref().and_then(|path| note::find(&snapshot.vault, path));
    let found = found.map(|(file, note)| (file, Arc::clone(note)));
    let pieces = found
        .as_ref()
        .map(|(file, note)| note::around(&app, reader, &snapshot, file, note));
    let revision = *room.watch().borrow();
    let state = room.state();
    let stale = state.kept.book.stale();
    let book = &state.kept.book;
    let cells: Vec<CellView> = book
        .cells
        .iter()
        .map(|cell| cell_view(&state, cell, stale.contains(cell.id.as_str())))
        .collect();
    let pieces = match pieces {
        None => Vec::new(),
        Some(pieces) => pieces
            .into_iter()
            .map(|(html, key)| PieceView {
                html,
                cell: key.and_then(|key| cells.iter().position(|cell| cell.key.as_deref() == Some(&key))),
            })
            .collect(),
    };
    let lines = state
        .lines
        .iter()
        .map(|line| LineView {
            number: line.number,
            text: line.text.clone(),
            status: line.given.status,
            outputs: draw::line(&line.given),
        })
        .collect();
    let view = SessionView {
        frame: frame::frame(&app, reader, &snapshot, found.as_ref().map(|(file, _)| file)),
        id: room.id(),
        title: state.kept.title.clone(),
        note_href: note_path.as_deref().map(address::note),
        scratch: note_path.is_none(),
        revision,
        pieces,
        stale: stale.len(),
        clock: time::clock(state.clock.now),
        words: words_of_clock(reader.lang, &state.clock),
        cluster_html: cluster_html(&app, reader, &state)?,
        cluster: state.kept.cluster.clone(),
        versions: Version::all().map(|version| version.to_string()).collect(),
        blank: CellView::default(),
        cells,
        lines,
    };
    drop(stale);
    drop(state);
    Ok(app.templates().page("pages/session.html", reader, &view))
}

/// What the clock is doing, in words.
pub fn words_of_clock(lang: Lang, clock: &Clock) -> String {
    if let Some(problem) = &clock.problem {
        return problem.clone();
    }
    if clock.restoring {
        return Text::SessionRestoring.say(lang).to_owned();
    }
    if clock.busy {
        return match clock.waiting {
            0 => Text::StatusRunning.say(lang).to_owned(),
            waiting => fill(lang, Text::SessionWaiting.say(lang), &[("n", waiting.to_string())]),
        };
    }
    match clock.speed {
        Some(speed) => fill(lang, Text::SessionFollows.say(lang), &[("speed", speed.to_string())]),
        None if clock.settled => Text::SessionSettled.say(lang).to_owned(),
        None => Text::SessionStands.say(lang).to_owned(),
    }
}

#[derive(Serialize)]
struct ClusterView {
    picture: PictureView,
    rows: Vec<RowView>,
    more: usize,
}

#[derive(Serialize)]
struct RowView {
    kind: String,
    name: String,
    class: &'static str,
    text: String,
}

/// The cluster of a session: its picture, and what there is besides.
pub fn cluster_html(app: &App, reader: Reader, room: &RoomState) -> Result<String, Problem> {
    let objects = &room.view.objects;
    let drawn: Vec<Value> = ["Node", "Pod"]
        .iter()
        .filter_map(|kind| objects.get(kind))
        .flatten()
        .map(|object| Value::clone(object))
        .collect();
    let mut rows = Vec::new();
    for (kind, list) in objects {
        for object in list {
            let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or("");
            let namespace = object
                .pointer("/metadata/namespace")
                .and_then(Value::as_str)
                .unwrap_or("default");
            let shown = match *kind {
                "Service" if name != "kubernetes" => {
                    let address = object.pointer("/spec/clusterIP").and_then(Value::as_str).unwrap_or("");
                    Some(("normal", address.to_owned()))
                }
                "Node" | "Pod" | "Service" => None,
                kind => state::of_workload(kind, object).map(|(state, text)| (state.class(), text)),
            };
            if let Some((class, text)) = shown {
                rows.push(RowView {
                    kind: (*kind).to_owned(),
                    name: if namespace == "default" {
                        name.to_owned()
                    } else {
                        format!("{namespace}/{name}")
                    },
                    class,
                    text,
                });
            }
        }
    }
    let more = rows.len().saturating_sub(MAX_LISTED);
    rows.truncate(MAX_LISTED);
    let view = ClusterView {
        picture: PictureView {
            title: Text::SessionCluster.say(reader.lang).to_owned(),
            places: picture(&drawn),
        },
        rows,
        more,
    };
    app.templates().part("partials/room_cluster.html", reader, &view)
}

/// What the buttons that open a session send.
#[derive(Deserialize)]
pub struct Open {
    note: Option<String>,
}

/// `POST /sessions`: opens the session of a note, or a new scratch page, and leads there.
pub async fn open(State(app): State<App>, reader: Reader, Form(open): Form<Open>) -> PageResult {
    let room = match open.note.as_deref().filter(|note| !note.is_empty()) {
        None => {
            let title = Text::ScratchPage.say(reader.lang);
            app.rooms().begin(title, None, reader.lang).await?
        }
        Some(path) => {
            let snapshot = app.workspace().snapshot();
            let (file, note) = note::find(&snapshot.vault, path).ok_or(Problem::missing(Text::PageNotFound))?;
            app.rooms().begin(&note.title, Some(&file.path), reader.lang).await?
        }
    };
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, address::session(room.id()))]).into_response())
}

#[derive(Serialize)]
struct ListView {
    frame: frame::Frame,
    sessions: Vec<ListedView>,
}

#[derive(Serialize)]
struct ListedView {
    id: i64,
    href: String,
    title: String,
    note: bool,
    changed: String,
    ago: String,
}

/// `GET /sessions`.
pub async fn list(State(app): State<App>, reader: Reader) -> PageResult {
    let sessions = app.store().sessions().await.map_err(Problem::internal)?;
    let snapshot = app.workspace().snapshot();
    let view = ListView {
        frame: frame::frame(&app, reader, &snapshot, None),
        sessions: sessions
            .into_iter()
            .map(|session| ListedView {
                id: session.id,
                href: address::session(session.id),
                title: session.title,
                note: session.note.is_some(),
                changed: session.changed_at.to_string(),
                ago: time::ago(
                    reader.lang,
                    Timestamp::now().duration_since(session.changed_at).as_secs(),
                ),
            })
            .collect(),
    };
    Ok(app.templates().page("pages/sessions.html", reader, &view))
}

/// `POST /sessions/{id}/forget`.
pub async fn forget(State(app): State<App>, Path(id): Path<String>) -> PageResult {
    let id = id.parse().map_err(|_| Problem::missing(Text::SessionNotFound))?;
    app.rooms().forget(id).await.map_err(Problem::internal)?;
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, "/sessions")]).into_response())
}
