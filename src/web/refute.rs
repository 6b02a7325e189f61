//! The search for a counter-example of a claim, as a page: it goes on by itself, says how much was tried, and can be stopped.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse};
use serde::{Deserialize, Serialize};

use super::compare::{self, Look, Shown, Side};
use super::error::{PageResult, Problem};
use super::reader::Reader;
use super::run::stored;
use super::view::assignment;
use super::view::claims::against;
use super::{App, address, frame, note};
use crate::i18n::{Lang, Text, fill, time};
use crate::lab::Cancel;
use crate::lab::branch;
use crate::lab::model::{Diagnostic, Expectation, Verdict};
use crate::lab::refute::{Case, Change, Refutation, Search, case_of, refute};
use crate::store::RunId;

/// Searches that are remembered.
const MAX_KEPT: usize = 64;
/// Searches that go on at a time.
const AT_ONCE: usize = 4;

/// A search that goes on, or what it gave.
#[derive(Debug)]
struct Searching {
    began: Instant,
    cancel: Cancel,
    ended: Mutex<Option<Result<Refutation, Vec<Diagnostic>>>>,
}

impl Searching {
    fn is_over(&self) -> bool {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }
}

/// All searches of this server.
#[derive(Clone, Debug, Default)]
pub struct Searches {
    known: Arc<Mutex<BTreeMap<(RunId, usize), Arc<Searching>>>>,
}

impl Searches {
    fn get(&self, key: (RunId, usize)) -> Option<Arc<Searching>> {
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&key)
            .cloned()
    }
}

#[derive(Serialize)]
struct CaseView {
    with: String,
    changes: Vec<String>,
    came: String,
    manifests: Vec<String>,
}

/// What a search gives, for its template.
#[derive(Serialize)]
struct SearchView {
    href: String,
    going: bool,
    begun: bool,
    elapsed: String,
    case: Option<CaseView>,
    compare_href: String,
    tried: String,
    how: String,
    complete: bool,
    error: Option<String>,
}

#[derive(Serialize)]
struct PageView {
    frame: frame::Frame,
    note: String,
    note_href: String,
    run_href: String,
    experiment: String,
    claim: String,
    meant_to_fail: bool,
    search: SearchView,
}

fn key(run: &str, claim: &str) -> Result<(RunId, usize), Problem> {
    let run: RunId = run.parse().map_err(|_| Problem::missing(Text::RunNotFound))?;
    let claim: usize = claim.parse().map_err(|_| Problem::missing(Text::ClaimNotFound))?;
    Ok((run, claim.checked_sub(1).ok_or(Problem::missing(Text::ClaimNotFound))?))
}

fn address_of((run, claim): (RunId, usize)) -> String {
    format!("{}/refute/{}", address::run(&run.to_string()), claim + 1)
}

/// `POST /r/{run}/refute/{claim}`: begins a search.
pub(super) async fn start(State(app): State<App>, Path((run, claim)): Path<(String, String)>) -> PageResult {
    let key = key(&run, &claim)?;
    let stored = stored(&app, key.0).await?;
    if key.1 >= stored.result.experiment.expect.len() {
        return Err(Problem::missing(Text::ClaimNotFound));
    }
    let to = (StatusCode::SEE_OTHER, [(header::LOCATION, address_of(key))]);
    let searching = {
        let mut known = app.inner.searches.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known
            .get(&key)
            .is_some_and(|searching| !searching.cancel.is_cancelled())
        {
            return Ok(to.into_response());
        }
        if known.values().filter(|searching| !searching.is_over()).count() >= AT_ONCE {
            return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, Text::TooManyRuns));
        }
        if known.len() >= MAX_KEPT
            && let Some(old) = known.iter().find(|(_, own)| own.is_over()).map(|(key, _)| *key)
        {
            known.remove(&old);
        }
        let searching = Arc::new(Searching {
            began: Instant::now(),
            cancel: Cancel::new(),
            ended: Mutex::new(None),
        });
        known.insert(key, searching.clone());
        searching
    };
    let experiment = stored.result.experiment;
    tokio::task::spawn_blocking(move || {
        let search = Search {
            cancel: searching.cancel.clone(),
            ..Search::default()
        };
        let found = refute(&experiment, key.1, &search);
        *searching.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
    });
    Ok(to.into_response())
}

/// `POST /r/{run}/refute/{claim}/cancel`.
pub(super) async fn cancel(State(app): State<App>, Path((run, claim)): Path<(String, String)>) -> PageResult {
    let key = key(&run, &claim)?;
    if let Some(searching) = app.inner.searches.get(key) {
        searching.cancel.cancel();
    }
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, address_of(key))]).into_response())
}

/// What the page is asked.
#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    /// Only the part that changes.
    part: Option<u8>,
    /// The counter-example beside the trial that it changes.
    compare: Option<u8>,
    #[serde(flatten)]
    look: Look,
}

/// `GET /r/{run}/refute/{claim}`.
pub(super) async fn page(
    State(app): State<App>,
    Path((run, claim)): Path<(String, String)>,
    Query(asked): Query<Asked>,
    reader: Reader,
) -> PageResult {
    let key = key(&run, &claim)?;
    let lang = reader.lang;
    let stored = stored(&app, key.0).await?;
    let expectation = stored
        .result
        .experiment
        .expect
        .get(key.1)
        .ok_or(Problem::missing(Text::ClaimNotFound))?;
    let searching = app.inner.searches.get(key);
    let found = searching.as_ref().and_then(|searching| {
        let ended = searching.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.clone()
    });
    if asked.compare.is_some()
        && let Some(Ok(Refutation { case: Some(case), .. })) = &found
    {
        return case_page(&app, reader, key, &stored, case, &asked.look).await;
    }
    let search = view(lang, key, expectation, searching.as_deref(), found.as_ref());
    if asked.part.is_some() {
        let html = app.templates().part(
            "partials/refutation.html",
            reader,
            &serde_json::json!({ "search": search }),
        )?;
        return Ok(Html(html).into_response());
    }
    let snapshot = app.workspace().snapshot();
    let sentences = note::sentences(&snapshot.vault, &stored.summary.note);
    let of = note::find(&snapshot.vault, &stored.summary.note);
    let view = PageView {
        frame: frame::frame(&app, reader, &snapshot, of.as_ref().map(|(file, _)| file)),
        note: of
            .as_ref()
            .map_or_else(|| stored.summary.note.clone(), |(_, note)| note.title.clone()),
        note_href: format!(
            "{}#{}",
            address::note(&stored.summary.note),
            address::encode(&note::anchor(&stored.summary.cell))
        ),
        run_href: address::run(&run),
        experiment: stored.summary.title.clone(),
        claim: compare::sentence_of(expectation, &sentences),
        meant_to_fail: expectation.expected == Verdict::Fails,
        search,
    };
    Ok(app.templates().page("pages/refute.html", reader, &view))
}

fn view(
    lang: Lang,
    key: (RunId, usize),
    expectation: &Expectation,
    searching: Option<&Searching>,
    found: Option<&Result<Refutation, Vec<Diagnostic>>>,
) -> SearchView {
    let href = address_of(key);
    let mut view = SearchView {
        compare_href: format!("{href}?compare=1"),
        href,
        going: searching.is_some() && found.is_none(),
        begun: searching.is_some(),
        elapsed: searching.map_or_else(String::new, |searching| {
            let nanos = u64::try_from(searching.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
            time::span(
                lang,
                peapod_sim::time::SimDuration(nanos / 1_000_000_000 * 1_000_000_000),
            )
        }),
        case: None,
        tried: String::new(),
        how: String::new(),
        complete: true,
        error: None,
    };
    match found {
        None => {}
        Some(Err(errors)) => {
            let words: Vec<&str> = errors.iter().map(|error| error.message.as_str()).collect();
            view.error = Some(words.join(" · "));
        }
        Some(Ok(found)) => {
            let numbers = [("n", found.tried.to_string()), ("changes", found.changes.to_string())];
            view.tried = fill(lang, Text::RefuteTried.say(lang), &numbers);
            view.complete = found.complete;
            if found.case.is_none() {
                let how = match (found.depth, found.complete) {
                    (0, true) => Text::RefuteDepth0,
                    (0, false) => Text::RefuteStopped,
                    (1, true) => Text::RefuteDepth1,
                    (1, false) => Text::RefuteDepth1Part,
                    (_, true) => Text::RefuteDepth2,
                    (_, false) => Text::RefuteDepth2Part,
                };
                view.how = fill(lang, how.say(lang), &numbers);
            }
            view.case = found.case.as_ref().map(|case| case_view(lang, expectation, case));
        }
    }
    view
}

/// A change in words.
fn words(lang: Lang, change: &Change) -> String {
    let say = |text: Text, values: &[(&str, String)]| fill(lang, text.say(lang), values);
    match change {
        Change::Field(field) => {
            let values = [
                ("object", field.object.clone()),
                ("path", field.path_text()),
                ("from", field.from.to_string()),
                ("to", field.to.to_string()),
            ];
            match (field.from.is_null(), field.to.is_null()) {
                (true, _) => say(Text::RefuteAdded, &values),
                (_, true) => say(Text::RefuteTaken, &values),
                _ => say(Text::RefuteReplaced, &values),
            }
        }
        Change::Fault { at, .. } | Change::Command { at, .. } => {
            let english = change.to_string();
            let deed = english.split_once(": ").map_or(english.as_str(), |(_, deed)| deed);
            say(
                Text::BranchSide,
                &[("t", time::span(lang, *at)), ("deed", deed.to_owned())],
            )
        }
        Change::Kubernetes { .. } | Change::Seed { .. } => change.to_string(),
    }
}

fn case_view(lang: Lang, expectation: &Expectation, case: &Case) -> CaseView {
    CaseView {
        with: assignment(lang, &case.trial.variables),
        changes: case.changes.iter().map(|change| words(lang, change)).collect(),
        came: against(
            lang,
            expectation.condition.keyword(),
            &expectation.condition.text(),
            &case.outcome.message,
        ),
        manifests: case
            .manifests
            .iter()
            .map(|text| peapod_vault::render::code(Some("yaml"), text))
            .collect(),
    }
}

async fn case_page(
    app: &App,
    reader: Reader,
    key: (RunId, usize),
    stored: &crate::store::StoredRun,
    case: &Case,
    look: &Look,
) -> PageResult {
    let lang = reader.lang;
    let left = compare::kept(app, lang, stored, case.trial.index).await?;
    let experiment = case_of(&stored.result.experiment, case).ok_or(Problem::missing(Text::ClaimNotFound))?;
    let (result, trace) = compare::work(app, move || branch::future(&experiment, 0, &[], true))
        .await?
        .map_err(|_| Problem::missing(Text::ClaimNotFound))?;
    let right = Side {
        name: Text::RefuteCase.say(lang).to_owned(),
        href: None,
        result,
        trace,
    };
    let changes: Vec<String> = case.changes.iter().map(|change| words(lang, change)).collect();
    let base = format!("{}?compare=1", address_of(key));
    let shown = Shown {
        run: stored,
        sides: (&left, &right),
        base: &base,
        look,
    };
    shown.page(app, reader, None, changes)
}
