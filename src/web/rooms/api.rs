//! What programs ask of sessions, and the page's own module: JSON under `/api/sessions` (docs/api.md).

use std::collections::VecDeque;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_stream::wrappers::ReceiverStream;

use super::page::{cluster_html, words_of_clock};
use super::room::Room;
use super::state::{Clock, Given, Line, State as RoomState};
use super::{ClusterChoice, OpenError, Refused, draw};
use crate::i18n::{Lang, Text};
use crate::notebook::complete::complete;
use crate::notebook::inspect::inspect;
use crate::timeline::axis::to_query;
use crate::web::reader::Reader;
use crate::web::{App, address, note};

/// A tab that falls behind gets what it missed at once, at most so often.
const PACE: Duration = Duration::from_millis(40);
const ALIVE: Duration = Duration::from_secs(15);

/// An answer that says what is wrong.
fn refused(status: StatusCode, words: impl Into<String>) -> Response {
    (status, Json(json!({ "error": words.into() }))).into_response()
}

impl IntoResponse for OpenError {
    fn into_response(self) -> Response {
        match self {
            Self::Missing => refused(StatusCode::NOT_FOUND, self.to_string()),
            Self::Broken(_) => refused(StatusCode::UNPROCESSABLE_ENTITY, self.to_string()),
            Self::Store(error) => {
                eprintln!("peapod: {error}");
                refused(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
            }
        }
    }
}

/// What is said of a thing that is not done.
pub(super) fn words(lang: Lang, refused: Refused) -> &'static str {
    match refused {
        Refused::NoCell => Text::SessionNoCell.say(lang),
        Refused::TooMuch => Text::SessionTooMuch.say(lang),
        Refused::OfNote => Text::SessionOfNote.say(lang),
    }
}

async fn room(app: &App, id: &str) -> Result<Room, OpenError> {
    let id = id.parse().map_err(|_| OpenError::Missing)?;
    app.rooms().open(id).await
}

/// `GET /api/sessions`: all sessions.
pub async fn list(State(app): State<App>) -> Result<Response, OpenError> {
    let sessions = app.store().sessions().await?;
    Ok(Json(json!({ "sessions": sessions })).into_response())
}

/// What a session is made of.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct New {
    note: Option<String>,
    title: Option<String>,
}

/// `POST /api/sessions`: the session of a note (`note`), or a new scratch page.
pub async fn begin(State(app): State<App>, reader: Reader, Json(new): Json<New>) -> Result<Response, OpenError> {
    let room = match &new.note {
        None => {
            let title = new
                .title
                .unwrap_or_else(|| Text::ScratchPage.say(reader.lang).to_owned());
            app.rooms().begin(&title, None, reader.lang).await?
        }
        Some(path) => {
            let snapshot = app.workspace().snapshot();
            let Some((file, note)) = note::find(&snapshot.vault, path) else {
                return Ok(refused(StatusCode::NOT_FOUND, Text::CellNotFound.say(reader.lang)));
            };
            app.rooms().begin(&note.title, Some(&file.path), reader.lang).await?
        }
    };
    let id = room.id();
    let made = json!({ "id": id, "href": address::session(id), "api": format!("/api/sessions/{id}") });
    Ok((StatusCode::CREATED, Json(made)).into_response())
}

/// `GET /api/sessions/{id}`: everything about a session.
pub async fn get(State(app): State<App>, Path(id): Path<String>, reader: Reader) -> Result<Response, OpenError> {
    let room = room(&app, &id).await?;
    let state = room.state();
    let stale = state.kept.book.stale();
    let cells: Vec<Value> = state
        .kept
        .book
        .cells
        .iter()
        .map(|cell| {
            let given = state.given.get(&cell.id).cloned().unwrap_or_default();
            json!({
                "id": cell.id,
                "key": cell.key,
                "text": cell.text,
                "edited": cell.is_edited(),
                "status": given.status,
                "count": given.count,
                "stale": stale.contains(cell.id.as_str()),
                "outputs": draw::json(&given),
            })
        })
        .collect();
    let line = |line: &Line| json!({"n": line.number, "text": line.text, "status": line.given.status, "outputs": draw::json(&line.given)});
    let whole = json!({
        "id": room.id(),
        "title": state.kept.title,
        "note": state.kept.note,
        "cluster": state.kept.cluster,
        "clock": clock(reader.lang, &state.clock),
        "cells": cells,
        "console": state.lines.iter().map(line).collect::<Vec<_>>(),
        "done": state.kept.book.deeds,
    });
    drop(state);
    Ok(Json(whole).into_response())
}

/// `DELETE /api/sessions/{id}`.
pub async fn forget(State(app): State<App>, Path(id): Path<String>) -> Result<Response, OpenError> {
    let id = id.parse().map_err(|_| OpenError::Missing)?;
    app.rooms().forget(id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// One thing to do with a session.
#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "camelCase", deny_unknown_fields)]
pub enum Action {
    /// Runs a cell, with another text if one is given.
    Run {
        /// Which.
        cell: String,
        /// Its text.
        text: Option<String>,
    },
    /// Runs all cells.
    RunAll,
    /// Does again what is stale.
    RunStale,
    /// Stops what runs, forgets what waits.
    Interrupt,
    /// Begins anew, with another cluster if one is given.
    Restart {
        /// The cluster.
        cluster: Option<ClusterChoice>,
    },
    /// Goes back to before a cell ran.
    Reset {
        /// Which.
        cell: String,
    },
    /// Sets the text of a cell.
    Edit {
        /// Which.
        cell: String,
        /// Its text.
        text: String,
    },
    /// Gives a cell the note's text again.
    Revert {
        /// Which.
        cell: String,
    },
    /// Puts a cell into a scratch page.
    Insert {
        /// Under this one; at the top if there is none.
        after: Option<String>,
        /// Its text.
        #[serde(default)]
        text: String,
    },
    /// Takes a cell out of a scratch page.
    Remove {
        /// Which.
        cell: String,
    },
    /// Types a line into the console: of the shell, or a `%` command.
    Type {
        /// The line.
        text: String,
    },
    /// Virtual time follows the real one.
    Follow {
        /// So many times as fast.
        speed: f64,
    },
    /// Virtual time stands.
    Pause,
    /// Gives the session another title.
    Rename {
        /// The title.
        title: String,
    },
}

/// `POST /api/sessions/{id}/do`.
pub async fn act(
    State(app): State<App>,
    Path(id): Path<String>,
    reader: Reader,
    Json(action): Json<Action>,
) -> Result<Response, OpenError> {
    let room = room(&app, &id).await?;
    let mut made = None;
    let done = match action {
        Action::Run { cell, text } => match text.map_or(Ok(()), |text| room.edit(&cell, &text)) {
            Ok(()) => room.run(&cell),
            Err(error) => Err(error),
        },
        Action::RunAll => room.run_all(),
        Action::RunStale => room.run_stale(),
        Action::Interrupt => {
            room.interrupt();
            Ok(())
        }
        Action::Restart { cluster } => match room.restart(cluster) {
            Ok(()) => Ok(()),
            Err(error) => return Ok(refused(StatusCode::UNPROCESSABLE_ENTITY, error)),
        },
        Action::Reset { cell } => room.reset_before(&cell),
        Action::Edit { cell, text } => room.edit(&cell, &text),
        Action::Revert { cell } => room.revert(&cell),
        Action::Insert { after, text } => room.insert(after.as_deref(), &text).map(|id| made = Some(id)),
        Action::Remove { cell } => room.remove(&cell),
        Action::Type { text } => room.enter(&text),
        Action::Follow { speed } if speed.is_finite() && speed > 0.0 => {
            room.follow(Some(speed));
            Ok(())
        }
        Action::Follow { .. } => {
            return Ok(refused(
                StatusCode::UNPROCESSABLE_ENTITY,
                Text::SessionSpeed.say(reader.lang),
            ));
        }
        Action::Pause => {
            room.follow(None);
            Ok(())
        }
        Action::Rename { title } => {
            room.rename(&title);
            Ok(())
        }
    };
    Ok(match done {
        Ok(()) => Json(json!({ "cell": made })).into_response(),
        Err(Refused::NoCell) => refused(StatusCode::NOT_FOUND, words(reader.lang, Refused::NoCell)),
        Err(other) => refused(StatusCode::UNPROCESSABLE_ENTITY, words(reader.lang, other)),
    })
}

/// Where a text is asked about.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    text: String,
    /// In characters.
    cursor: usize,
    /// Whether the text is a line of the console: of the shell, unless it begins with `%`.
    #[serde(default)]
    console: bool,
}

impl Place {
    /// The text as a cell has it, and the cursor in it.
    fn whole(&self) -> (String, usize, usize) {
        if self.console && !self.text.trim_start().starts_with('%') {
            (format!("$ {}", self.text), self.cursor.saturating_add(2), 2)
        } else {
            (self.text.clone(), self.cursor, 0)
        }
    }
}

/// `POST /api/sessions/{id}/complete`: what could stand at the cursor.
pub async fn completion(
    State(app): State<App>,
    Path(id): Path<String>,
    Json(place): Json<Place>,
) -> Result<Response, OpenError> {
    let view = room(&app, &id).await?.state().view.clone();
    let (text, cursor, before) = place.whole();
    let found = complete(&text, cursor, &view);
    let matches: Vec<Value> = found
        .matches
        .iter()
        .map(|(text, kind)| json!({ "text": text, "kind": kind }))
        .collect();
    let answer = json!({
        "start": found.start.saturating_sub(before),
        "end": found.end.saturating_sub(before),
        "matches": matches,
    });
    Ok(Json(answer).into_response())
}

/// `POST /api/sessions/{id}/inspect`: what the word at the cursor means.
pub async fn inspection(
    State(app): State<App>,
    Path(id): Path<String>,
    reader: Reader,
    Json(place): Json<Place>,
) -> Result<Response, OpenError> {
    let view = room(&app, &id).await?.state().view.clone();
    let (text, cursor, _) = place.whole();
    let found = inspect(&text, cursor, &view, reader.lang);
    Ok(Json(json!({ "text": found.map(|bundle| bundle.plain().to_owned()) })).into_response())
}

/// From where a tab wants to go on.
#[derive(Deserialize)]
pub struct Since {
    since: Option<u64>,
}

/// `GET /api/sessions/{id}/events`: what changes, as it changes. Each event has the number of the change as its `id:`.
pub async fn events(
    State(app): State<App>,
    Path(id): Path<String>,
    Query(asked): Query<Since>,
    headers: HeaderMap,
    reader: Reader,
) -> Result<Response, OpenError> {
    let room = room(&app, &id).await?;
    let last = headers
        .get(HeaderName::from_static("last-event-id"))
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse().ok());
    let mut seen: u64 = last.or(asked.since).unwrap_or(0);
    let (sender, receiver) = tokio::sync::mpsc::channel::<Result<Event, std::convert::Infallible>>(8);
    tokio::spawn(async move {
        let mut changes = room.watch();
        // A number from before the server's last start means nothing now.
        if seen > *changes.borrow() {
            seen = 0;
        }
        loop {
            let now = *changes.borrow_and_update();
            let (mut told, over) = {
                let state = room.state();
                (changed(&app, reader, &state, seen), state.is_over())
            };
            if over {
                told.push_back(("over", json!({})));
            }
            for (name, value) in told {
                let event = Event::default().event(name).id(now.to_string()).json_data(&value);
                if sender.send(Ok(event.unwrap_or_default())).await.is_err() {
                    return;
                }
            }
            if over {
                return;
            }
            seen = now;
            tokio::time::sleep(PACE).await;
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { return },
                () = sender.closed() => return,
            }
        }
    });
    let stream = Sse::new(ReceiverStream::new(receiver)).keep_alive(KeepAlive::new().interval(ALIVE));
    Ok(stream.into_response())
}

/// The parts of a session that changed after a number.
fn changed(app: &App, reader: Reader, state: &RoomState, since: u64) -> VecDeque<(&'static str, Value)> {
    let mut told = VecDeque::new();
    let book = &state.kept.book;
    if state.order_revision > since {
        let stale = book.stale();
        let order: Vec<Value> = book
            .cells
            .iter()
            .map(|cell| json!({"id": cell.id, "stale": stale.contains(cell.id.as_str()), "edited": cell.is_edited(), "ran": book.last_run(&cell.id).is_some()}))
            .collect();
        told.push_back((
            "order",
            json!({"title": state.kept.title, "cells": order, "stale": stale.len()}),
        ));
    }
    for cell in &book.cells {
        if let Some(given) = state.given.get(&cell.id).filter(|given| given.revision > since) {
            let mut value = shown(given);
            value["id"] = json!(cell.id);
            value["text"] = json!(cell.text);
            told.push_back(("cell", value));
        }
    }
    let lines: Vec<Value> = state
        .lines
        .iter()
        .filter(|line| line.given.revision > since)
        .map(|line| {
            let mut value = shown(&line.given);
            value["html"] = json!(draw::line(&line.given));
            value["n"] = json!(line.number);
            value["text"] = json!(line.text);
            value
        })
        .collect();
    let first = state.lines.front().map_or(0, |line| line.number);
    if !lines.is_empty() || state.order_revision > since {
        told.push_back(("console", json!({"first": first, "lines": lines})));
    }
    if state.clock.revision > since {
        told.push_back(("clock", clock(reader.lang, &state.clock)));
    }
    if state.view_revision > since {
        match cluster_html(app, reader, state) {
            Ok(html) => told.push_back(("cluster", json!({ "html": html }))),
            Err(_) => eprintln!("peapod: the picture of a session cannot be drawn"),
        }
    }
    told
}

fn shown(given: &Given) -> Value {
    json!({"status": given.status, "count": given.count, "html": draw::html(given)})
}

fn clock(lang: Lang, clock: &Clock) -> Value {
    json!({
        "now": to_query(clock.now),
        "clock": crate::i18n::time::clock(clock.now),
        "wall": clock.wall,
        "words": words_of_clock(lang, clock),
        "speed": clock.speed,
        "settled": clock.settled,
        "busy": clock.busy || clock.restoring,
        "restoring": clock.restoring,
        "waiting": clock.waiting,
        "problem": clock.problem,
    })
}
