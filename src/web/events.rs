//! What happens while a page is open: a run goes on, a note is edited. Each event has an `id:`, so that a browser that lost
//! the connection goes on where it was.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tokio_stream::wrappers::{BroadcastStream, WatchStream};
use tokio_stream::{Stream, StreamExt};

use super::error::Problem;
use super::reader::Reader;
use super::runs::Tick;
use super::{App, note};
use crate::i18n::Text;
use crate::lab::model::RunStatus;
use crate::store::RunId;

const ALIVE: Duration = Duration::from_secs(15);

fn last_id(headers: &HeaderMap) -> Option<u64> {
    headers
        .get(HeaderName::from_static("last-event-id"))?
        .to_str()
        .ok()?
        .parse()
        .ok()
}

fn stream(events: impl Stream<Item = Result<Event, Infallible>> + Send + 'static) -> Response {
    Sse::new(events)
        .keep_alive(KeepAlive::new().interval(ALIVE))
        .into_response()
}

/// `GET /r/{run}/events`: `progress` events, then one `end`.
pub async fn of_run(State(app): State<App>, Path(run): Path<String>, headers: HeaderMap, reader: Reader) -> Response {
    let Ok(id) = run.parse::<RunId>() else {
        return Problem::missing(Text::RunNotFound).page(&app, reader);
    };
    let seen = last_id(&headers).unwrap_or(0);
    let event = |tick: &Tick| {
        let name = if tick.ended { "end" } else { "progress" };
        Event::default()
            .event(name)
            .id(tick.sequence.to_string())
            .json_data(tick)
            .unwrap_or_default()
    };
    if let Some(ticks) = app.runs().watch(id) {
        // A run that is dropped between two looks still ends: its last tick says so.
        let events = WatchStream::new(ticks)
            .filter(move |tick| tick.ended || tick.sequence > seen)
            .map(move |tick| Ok(event(&tick)));
        return stream(events);
    }
    match app.store().summary(id).await {
        Ok(Some(summary)) => {
            let running = summary.status == RunStatus::Running;
            let tick = Tick {
                sequence: seen + 1,
                done: summary.done,
                total: summary.total,
                failed: summary.failed,
                // Another process carries it out: this one cannot tell how far it is, only that it goes on.
                status: summary.status.as_str(),
                ended: !running,
            };
            stream(tokio_stream::once(Ok(event(&tick))))
        }
        Ok(None) => Problem::missing(Text::RunNotFound).page(&app, reader),
        Err(error) => Problem::internal(error).page(&app, reader),
    }
}

#[derive(Deserialize)]
pub(super) struct Asked {
    note: String,
    /// The revision that the page shows.
    revision: Option<u64>,
}

/// `GET /events?note=PATH&revision=N`: a `change` event when the note, or what its links mean, is edited.
pub(super) async fn of_note(State(app): State<App>, Query(asked): Query<Asked>, headers: HeaderMap) -> Response {
    let changes = app.workspace().subscribe();
    let snapshot = app.workspace().snapshot();
    let shown = last_id(&headers).or(asked.revision).unwrap_or(snapshot.revision);
    let Some((file, _)) = note::find(&snapshot.vault, &asked.note) else {
        return StatusCode::NO_CONTENT.into_response();
    };
    let event = |name: &str, revision: u64| {
        Ok(Event::default()
            .event(name)
            .id(revision.to_string())
            .data(revision.to_string()))
    };
    let missed = (shown < snapshot.revision).then(|| event("change", snapshot.revision));
    let later = BroadcastStream::new(changes).filter_map(move |change| match change {
        Ok(change) if change.removed.contains(&file) => Some(event("gone", change.revision)),
        Ok(change) if change.changed.contains(&file) => Some(event("change", change.revision)),
        Ok(_) => None,
        // Too many changes at once: the page reads everything again.
        Err(_) => Some(event("change", shown)),
    });
    stream(tokio_stream::iter(missed).chain(later))
}
