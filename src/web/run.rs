//! Starting, watching and reading runs.

use std::sync::Arc;

use axum::Form;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use jiff::Timestamp;
use peapod_sim::time::SimDuration;
use serde::{Deserialize, Serialize};

use super::error::{PageResult, Problem};
use super::reader::Reader;
use super::runs::{Order, StartError};
use super::view::diff::{self, DiffLine};
use super::view::problem::{self, ProblemView};
use super::view::result::{self, ResultView, TrialRow};
use super::{App, address, cells, frame, note, trial};
use crate::i18n::{Text, time};
use crate::lab::model::{Outcome, RunStatus};
use crate::store::{RunId, StoreError, StoredRun};
use crate::workspace::Snapshot;

/// What the Run button of a cell sends.
#[derive(Deserialize)]
pub(super) struct Ask {
    note: String,
    cell: String,
    /// The text of a changed copy.
    source: Option<String>,
}

#[derive(Serialize)]
struct Started {
    id: String,
    href: String,
    events: String,
    result: String,
}

#[derive(Serialize)]
struct RefusedView {
    frame: frame::Frame,
    note: String,
    note_href: String,
    title: String,
    problems: Vec<ProblemView>,
    text: String,
}

/// `POST /run`: records a run, starts it, and leads to its page; a module gets its addresses as JSON.
pub(super) async fn start(
    State(app): State<App>,
    reader: Reader,
    headers: HeaderMap,
    Form(ask): Form<Ask>,
) -> PageResult {
    let json = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.contains("application/json"));
    let snapshot = app.workspace().snapshot();
    let (file, of) = note::find(&snapshot.vault, &ask.note).ok_or(Problem::missing(Text::CellNotFound))?;
    let cell = of
        .cells
        .iter()
        .find(|cell| cell.key == ask.cell)
        .ok_or(Problem::missing(Text::CellNotFound))?;
    // Browsers end the lines of a form with CR LF.
    let changed = ask
        .source
        .map(|source| source.replace("\r\n", "\n"))
        .filter(|source| source.trim_end() != cell.text.trim_end());
    let info = match &changed {
        Some(source) => cells::read_text(of, cell, source),
        None => cells::read(of, cell),
    };
    let refused = |diagnostics: &[crate::lab::model::Diagnostic]| {
        // A changed text is not in the note: its problems are shown over itself.
        let text = match &changed {
            Some(source) => format!("{}{source}", "\n".repeat(cell.first_line.saturating_sub(1) as usize)),
            None => of.text.to_string(),
        };
        let problems: Vec<ProblemView> = diagnostics
            .iter()
            .map(|diagnostic| problem::view(reader.lang, diagnostic, &text))
            .collect();
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        if json {
            let html = app.templates().part(
                "partials/problems.html",
                reader,
                &serde_json::json!({"problems": problems}),
            )?;
            return Ok((status, axum::Json(serde_json::json!({"problems": html}))).into_response());
        }
        let view = RefusedView {
            frame: frame::frame(&app, reader, &snapshot, Some(&file)),
            note: of.title.clone(),
            note_href: address::note(&file.path),
            title: cell.key.clone(),
            problems,
            text: info.source.to_string(),
        };
        Ok((status, app.templates().page("pages/refused.html", reader, &view)).into_response())
    };
    let Some(experiment) = info.experiment.as_deref() else {
        return refused(&info.diagnostics);
    };
    let order = Order {
        note: file.path.clone(),
        cell: cell.key.clone(),
        source: info.source.to_string(),
        scratch: changed.is_some(),
        experiment: experiment.clone(),
    };
    let id = match app.runs().start(order).await {
        Ok(id) => id.to_string(),
        Err(StartError::Refused(diagnostics)) => return refused(&diagnostics),
        Err(StartError::TooMany) => return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, Text::TooManyRuns)),
        Err(StartError::Store(error)) => return Err(Problem::internal(error)),
    };
    let href = address::run(&id);
    if json {
        let started = Started {
            events: format!("{href}/events"),
            result: format!("{href}/result"),
            href,
            id,
        };
        return Ok((StatusCode::CREATED, axum::Json(started)).into_response());
    }
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, href)]).into_response())
}

/// `POST /r/{run}/cancel`.
pub(super) async fn cancel(State(app): State<App>, Path(run): Path<String>) -> PageResult {
    let id: RunId = run.parse().map_err(|_| Problem::missing(Text::RunNotFound))?;
    app.runs().cancel(id);
    Ok((
        StatusCode::SEE_OTHER,
        [(header::LOCATION, address::run(&id.to_string()))],
    )
        .into_response())
}

/// `POST /r/{run}/resume`: goes on with a run that was interrupted or cancelled.
pub(super) async fn resume(State(app): State<App>, Path(run): Path<String>) -> PageResult {
    let id: RunId = run.parse().map_err(|_| Problem::missing(Text::RunNotFound))?;
    match app.runs().resume(id).await {
        Ok(()) => {}
        Err(StartError::TooMany) => return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, Text::TooManyRuns)),
        Err(StartError::Store(StoreError::NoSuchRun(_))) => return Err(Problem::missing(Text::RunNotFound)),
        Err(StartError::Store(StoreError::NotResumable { .. } | StoreError::StillRunning(_))) => {
            return Err(Problem::new(StatusCode::CONFLICT, Text::NotResumable));
        }
        Err(StartError::Refused(_)) => return Err(Problem::new(StatusCode::CONFLICT, Text::CellBroken)),
        Err(StartError::Store(error)) => return Err(Problem::internal(error)),
    }
    app.inner.results.remove(|(known, _)| *known == id);
    Ok((
        StatusCode::SEE_OTHER,
        [(header::LOCATION, address::run(&id.to_string()))],
    )
        .into_response())
}

async fn load(app: &App, run: &str) -> Result<StoredRun, Problem> {
    stored(app, run.parse().map_err(|_| Problem::missing(Text::RunNotFound))?).await
}

/// A run as it is kept.
pub(super) async fn stored(app: &App, id: RunId) -> Result<StoredRun, Problem> {
    app.store()
        .run(id)
        .await
        .map_err(Problem::internal)?
        .ok_or(Problem::missing(Text::RunNotFound))
}

/// The text that the diagnostics of a run speak of: the source at its place in the note.
fn placed(stored: &StoredRun) -> String {
    let first = stored.result.experiment.first_line.max(1);
    format!("{}{}", "\n".repeat(first as usize - 1), stored.source)
}

#[derive(Serialize)]
struct BodyView {
    run: String,
    id: String,
    result: ResultView,
    /// The viewer of the trial that says most.
    viewer: Option<String>,
    viewer_title: String,
    viewer_href: String,
}

/// The result of an ended run as it stands under its cell, kept once made.
pub async fn result_html(app: &App, reader: Reader, snapshot: &Snapshot, id: RunId) -> Result<Arc<String>, Problem> {
    if let Some(html) = app.inner.results.get(&(id, reader.lang)) {
        return Ok(html);
    }
    let stored = load(app, &id.to_string()).await?;
    let html = body(app, reader, snapshot, &stored, true).await?;
    if stored.summary.status == RunStatus::Running {
        return Ok(Arc::new(html));
    }
    Ok(app.inner.results.put((id, reader.lang), html))
}

async fn body(
    app: &App,
    reader: Reader,
    snapshot: &Snapshot,
    stored: &StoredRun,
    with_viewer: bool,
) -> Result<String, Problem> {
    let id = stored.summary.id.to_string();
    let sentences = note::sentences(&snapshot.vault, &stored.summary.note);
    let result = result::view(reader.lang, &id, &stored.result, &placed(stored), &sentences);
    let shown = telling_trial(stored);
    let viewer = match shown {
        Some(index) if with_viewer => trial::viewer_html(app, reader, stored.summary.id, index).await?,
        _ => None,
    };
    let viewer_title =
        match shown.and_then(|index| stored.result.trials.iter().find(|trial| trial.trial.index == index)) {
            Some(trial) => trial::title(reader.lang, &trial.trial),
            None => String::new(),
        };
    let viewer_href = shown.map_or_else(String::new, |index| address::trial(&id, index));
    let view = BodyView {
        run: address::run(&id),
        id,
        result,
        viewer,
        viewer_title,
        viewer_href,
    };
    app.templates().part("partials/result.html", reader, &view)
}

/// The trial to show first: one that is against what the note expects, else the first.
fn telling_trial(stored: &StoredRun) -> Option<usize> {
    let against = stored
        .result
        .claims
        .iter()
        .filter(|claim| !claim.as_expected)
        .find_map(|claim| claim.counter_example.as_ref());
    let against = against.map(|example| example.trial);
    let failed = || {
        let fails =
            |trial: &&crate::lab::model::TrialResult| trial.expectations.iter().any(|e| e.outcome == Outcome::Fails);
        stored.result.trials.iter().find(fails).map(|trial| trial.trial.index)
    };
    against
        .or_else(failed)
        .or_else(|| stored.result.trials.first().map(|trial| trial.trial.index))
}

/// `GET /r/{run}/result`: the result alone, for the page of a note that has just run a cell.
pub(super) async fn result(State(app): State<App>, Path(run): Path<String>, reader: Reader) -> PageResult {
    let id: RunId = run.parse().map_err(|_| Problem::missing(Text::RunNotFound))?;
    let snapshot = app.workspace().snapshot();
    let html = result_html(&app, reader, &snapshot, id).await?;
    Ok(axum::response::Html(html.as_ref().clone()).into_response())
}

#[derive(Serialize)]
struct RunView {
    frame: frame::Frame,
    id: String,
    href: String,
    note: String,
    note_href: String,
    title: String,
    question: Option<String>,
    class: &'static str,
    status: &'static str,
    going: bool,
    interrupted: bool,
    /// Whether it can go on.
    resumable: bool,
    done: usize,
    total: usize,
    ago: String,
    started: String,
    wall: String,
    virtual_time: String,
    kubernetes: String,
    seed: u64,
    peapod: String,
    scratch: bool,
    stale: bool,
    history: String,
    body: String,
    source_html: String,
    /// What the run ran otherwise than the note has it now.
    differs: Vec<DiffLine>,
    /// The note with this text in the editor of its cell.
    change_href: Option<String>,
    variables: Vec<String>,
    observations: Vec<String>,
    claims: Vec<String>,
    rows: Vec<TrialRow>,
    more_rows: usize,
}

/// `GET /r/{run}`.
pub(super) async fn page(State(app): State<App>, Path(run): Path<String>, reader: Reader) -> PageResult {
    let lang = reader.lang;
    let stored = load(&app, &run).await?;
    let snapshot = app.workspace().snapshot();
    let summary = &stored.summary;
    let id = summary.id.to_string();
    let tick = app.runs().watch(summary.id).map(|ticks| ticks.borrow().clone());
    let going = summary.status == RunStatus::Running && tick.is_some();
    let found = note::find(&snapshot.vault, &summary.note);
    let cell = found
        .as_ref()
        .and_then(|(_, note)| note.cells.iter().find(|cell| cell.key == summary.cell));
    let result = &stored.result;
    let (class, status) = match &tick {
        Some(tick) if going && tick.status == "queued" => ("queued", Text::StatusQueued.say(lang)),
        _ => note::status_of(lang, summary),
    };
    let fence = match cell.map(|cell| cell.lang.as_str()) {
        Some("experiment") | None => "yaml",
        Some(other) => other,
    };
    let duration = result
        .trials
        .iter()
        .fold(0_u64, |sum, trial| sum.saturating_add(trial.duration.0));
    let sentences = note::sentences(&snapshot.vault, &summary.note);
    let view = RunView {
        frame: frame::frame(&app, reader, &snapshot, found.as_ref().map(|(file, _)| file)),
        href: address::run(&id),
        note: found
            .as_ref()
            .map_or_else(|| summary.note.clone(), |(_, note)| note.title.clone()),
        note_href: format!(
            "{}#{}",
            address::note(&summary.note),
            address::encode(&format!("cell-{}", summary.cell))
        ),
        title: summary.title.clone(),
        question: result.experiment.question.clone(),
        class,
        status,
        going,
        interrupted: summary.status == RunStatus::Interrupted,
        resumable: matches!(summary.status, RunStatus::Interrupted | RunStatus::Cancelled)
            && summary.done < summary.total,
        done: tick.as_ref().map_or(summary.done, |tick| tick.done),
        total: summary.total,
        ago: time::ago(lang, Timestamp::now().duration_since(summary.started_at).as_secs()),
        started: summary.started_at.to_string(),
        wall: summary.ended_at.map_or_else(String::new, |ended| {
            let nanos = ended.duration_since(summary.started_at).as_nanos();
            time::span(lang, SimDuration(u64::try_from(nanos).unwrap_or(0)))
        }),
        virtual_time: time::span(lang, SimDuration(duration)),
        kubernetes: summary.kubernetes.clone(),
        seed: result.experiment.seed,
        peapod: summary.peapod.clone(),
        scratch: summary.scratch,
        stale: !summary.scratch && cell.is_none_or(|cell| summary.is_outdated(&cell.text)),
        history: address::history(&summary.note, &summary.cell),
        body: body(&app, reader, &snapshot, &stored, true).await?,
        source_html: peapod_vault::render::code(Some(fence), &stored.source),
        differs: cell.map_or_else(Vec::new, |cell| diff::lines(&cell.text, &stored.source)),
        change_href: cell.map(|_| {
            format!(
                "{}?copy={id}#{}",
                address::note(&summary.note),
                address::encode(&note::anchor(&summary.cell))
            )
        }),
        variables: result
            .experiment
            .variables
            .iter()
            .map(|variable| variable.name.clone())
            .collect(),
        observations: result
            .experiment
            .observe
            .iter()
            .map(|observation| observation.name.clone())
            .collect(),
        claims: result
            .claims
            .iter()
            .map(|claim| super::view::claims::text_of(claim, &sentences))
            .collect(),
        rows: result::rows(lang, &id, result),
        more_rows: result.trials.len().saturating_sub(result::MAX_TRIALS),
        id,
    };
    Ok(app.templates().page("pages/run.html", reader, &view))
}
