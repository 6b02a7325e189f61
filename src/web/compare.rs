//! Two courses of events above each other: two trials, one trial on two versions of Kubernetes, or a trial and what would
//! have become of it. Where they part is marked, with what led to it on each side.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use peapod_sim::time::{SimDuration, SimTime};
use peapod_sim::trace::{RecordId, Trace};
use serde::{Deserialize, Serialize};

use super::error::{PageResult, Problem};
use super::reader::Reader;
use super::run::stored;
use super::view::instant::{self, Printed, View};
use super::view::timeline::{self, Choice, TimelineView};
use super::view::why::{self, LinkView};
use super::view::{assignment, value};
use super::{App, address, frame, note, trial};
use crate::i18n::{Lang, Text, fill, time};
use crate::lab::branch::{self, Deed};
use crate::lab::model::{Diagnostic, Experiment, Outcome, TrialResult};
use crate::lab::{duration, said};
use crate::store::{RunId, StoredRun};
use crate::timeline::axis::{from_query, to_query};
use crate::timeline::compare::{Parting, compare};
use crate::timeline::kubectl::Past;
use crate::timeline::{Scale, Timeline};

/// So many causes are shown for each side.
const CAUSES: usize = 8;
/// So many things that only one side was asked are named.
const MAX_ASKED: usize = 12;

/// One of the two.
#[derive(Debug)]
pub struct Side {
    /// What it is, in words.
    pub name: String,
    /// Its own page.
    pub href: Option<String>,
    /// What came of it.
    pub result: TrialResult,
    /// What happened.
    pub trace: Trace,
}

#[derive(Serialize)]
struct SideView {
    mark: char,
    name: String,
    href: Option<String>,
    timeline: TimelineView,
    printed: Vec<Printed>,
    links: Vec<LinkView>,
    nothing: bool,
}

#[derive(Serialize)]
struct ClaimRow {
    claim: String,
    left: (&'static str, &'static str),
    right: (&'static str, &'static str),
    differs: bool,
}

/// Two sides as their template sees them.
#[derive(Serialize)]
pub struct ComparedView {
    sides: Vec<SideView>,
    same: bool,
    /// Whether they part in their course, not only in an instant.
    course: bool,
    /// When they part, in words, and the page at that instant.
    parting: Option<(String, String)>,
    parting_x: Option<String>,
    asked: Vec<(char, String, String)>,
    observations: Vec<(String, String, String, bool)>,
    claims: Vec<ClaimRow>,
    clock: String,
    t: String,
    previous: Option<String>,
    next: Option<String>,
    other_scale: String,
    scale: &'static str,
}

/// How two sides are looked at.
#[derive(Debug, Default, Deserialize)]
pub struct Look {
    t: Option<String>,
    axis: Option<String>,
}

/// Compares two sides; `base` is the page's address with its query, to which the instant is added.
pub(super) fn view(
    lang: Lang,
    (left, right): (&Side, &Side),
    experiment: &Experiment,
    sentence: &dyn Fn(&str) -> Option<String>,
    base: &str,
    look: &Look,
) -> ComparedView {
    let difference = compare(&left.trace, &right.trace);
    let parting = difference.course.or(difference.exact);
    let scale = match look.axis.as_deref() {
        Some("linear") => Scale::Linear,
        _ => Scale::Event,
    };
    let timelines = Timeline::together(&[&left.trace, &right.trace], scale);
    let end = timelines.iter().map(|timeline| timeline.end).max().unwrap_or_default();
    let asked = look.t.as_deref().and_then(from_query);
    let at = asked.or(parting.map(|parting| parting.at)).unwrap_or(end).min(end);
    let link = |at: SimTime, scale: Scale| {
        let axis = if scale == Scale::Linear { "&axis=linear" } else { "" };
        format!("{base}&t={}{axis}", to_query(at))
    };
    let sides = [('A', left, 0), ('B', right, 1)]
        .into_iter()
        .filter_map(|(mark, side, index)| {
            let timeline = timelines.get(index)?;
            let record = parting.and_then(|parting| if index == 0 { parting.left } else { parting.right });
            // Every tick of a side leads to the instant on this page; causes lead to the side's own page, if it has one.
            let choice = Choice {
                base: base.to_owned(),
                at,
                record: None,
                scale,
                frame: String::new(),
                keep: String::new(),
            };
            let own = Choice {
                base: side.href.clone().unwrap_or_default(),
                ..choice.clone()
            };
            let mut links = record.map_or_else(Vec::new, |record| why::view(lang, &side.trace, record, &own));
            links.truncate(CAUSES);
            if side.href.is_none() {
                for link in &mut links {
                    link.href = String::new();
                }
            }
            let mut past = Past::new(&side.trace, at);
            let printed = instant::print(&mut past, View::Get, None, true);
            Some(SideView {
                mark,
                name: side.name.clone(),
                href: side.href.clone().map(|href| format!("{href}?t={}", to_query(at))),
                timeline: timeline::view(lang, timeline, None, &choice),
                printed,
                nothing: parting.is_some() && record.is_none(),
                links,
            })
        })
        .collect();
    let mut instants: Vec<SimTime> = timelines
        .iter()
        .flat_map(|timeline| timeline.instants.iter().copied())
        .collect();
    instants.sort_unstable();
    instants.dedup();
    let before = instants.partition_point(|instant| *instant < at);
    let after = instants.partition_point(|instant| *instant <= at);
    let words = |side: &Side, ids: &[RecordId], mark: char| -> Vec<(char, String, String)> {
        ids.iter()
            .take(MAX_ASKED)
            .filter_map(|id| side.trace.records.get(*id as usize))
            .map(|record| (mark, time::clock(record.at), said::words(lang, record).0))
            .collect()
    };
    let mut asked = words(left, &difference.asked_left, 'A');
    asked.extend(words(right, &difference.asked_right, 'B'));
    let mut names: Vec<&String> = left.result.observations.keys().collect();
    names.extend(
        right
            .result
            .observations
            .keys()
            .filter(|name| !left.result.observations.contains_key(*name)),
    );
    let observations = names
        .into_iter()
        .map(|name| {
            let own = |side: &Side| side.result.observations.get(name).cloned().unwrap_or_default();
            let (one, two) = (own(left), own(right));
            (name.clone(), value(lang, &one), value(lang, &two), one != two)
        })
        .collect();
    ComparedView {
        sides,
        same: difference.is_none(),
        course: difference.course.is_some(),
        parting: parting.map(|parting: Parting| {
            let words = time::span(lang, parting.at.since(SimTime::ZERO));
            (words, link(parting.at, scale))
        }),
        parting_x: parting
            .zip(timelines.first())
            .map(|(parting, timeline)| format!("{:.3}%", timeline.percent(parting.at))),
        asked,
        observations,
        claims: claims(lang, left, right, experiment, sentence),
        clock: time::clock(at),
        t: to_query(at),
        previous: before
            .checked_sub(1)
            .and_then(|index| instants.get(index))
            .map(|at| link(*at, scale)),
        next: instants.get(after).map(|at| link(*at, scale)),
        other_scale: link(
            at,
            if scale == Scale::Linear {
                Scale::Event
            } else {
                Scale::Linear
            },
        ),
        scale: if scale == Scale::Linear { "linear" } else { "event" },
    }
}

fn outcome(lang: Lang, outcome: Outcome) -> (&'static str, &'static str) {
    match outcome {
        Outcome::Holds => ("holds", Text::Holds.say(lang)),
        Outcome::Fails => ("fails", Text::Fails.say(lang)),
        Outcome::Undecided => ("unchecked", Text::Unchecked.say(lang)),
        Outcome::NotApplicable => ("none", "–"),
    }
}

fn claims(
    lang: Lang,
    left: &Side,
    right: &Side,
    experiment: &Experiment,
    sentence: &dyn Fn(&str) -> Option<String>,
) -> Vec<ClaimRow> {
    let pairs = left.result.expectations.iter().zip(&right.result.expectations);
    experiment
        .expect
        .iter()
        .zip(pairs)
        .filter(|(_, (one, two))| one.outcome != Outcome::NotApplicable || two.outcome != Outcome::NotApplicable)
        .map(|(expectation, (one, two))| ClaimRow {
            claim: sentence_of(expectation, sentence),
            left: outcome(lang, one.outcome),
            right: outcome(lang, two.outcome),
            differs: one.outcome != two.outcome,
        })
        .collect()
}

/// The sentence of an expectation.
pub(super) fn sentence_of(
    expectation: &crate::lab::model::Expectation,
    sentence: &dyn Fn(&str) -> Option<String>,
) -> String {
    match (&expectation.block, expectation.claim.as_str()) {
        (Some(block), _) => sentence(block).unwrap_or_else(|| format!("^{block}")),
        (None, "") => format!("{}: {}", expectation.condition.keyword(), expectation.condition.text()),
        (None, text) => text.to_owned(),
    }
}

/// A trial that is named in an address: `12/3`, or `12/3@1.30` on another version of Kubernetes.
struct Named {
    run: RunId,
    index: usize,
    version: Option<String>,
}

impl Named {
    fn read(text: &str) -> Option<Self> {
        let (trial, version) = match text.split_once('@') {
            Some((trial, version)) => (trial, Some(peapod_sim::version::Version::named(version)?.to_string())),
            None => (text, None),
        };
        let (run, number) = trial.split_once('/')?;
        Some(Self {
            run: run.parse().ok()?,
            index: number.parse::<usize>().ok()?.checked_sub(1)?,
            version,
        })
    }
}

pub(super) fn result_of(stored: &StoredRun, index: usize) -> Result<&TrialResult, Problem> {
    let mut trials = stored.result.trials.iter();
    trials
        .find(|trial| trial.trial.index == index)
        .ok_or(Problem::missing(Text::TrialNotFound))
}

/// What cannot be run, as a problem whose page says it.
fn cannot(errors: &[Diagnostic]) -> Problem {
    let words = errors.first().map_or_else(String::new, |error| error.message.clone());
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, Text::CannotRun).with("why", words)
}

/// Runs something that takes the processor, one at a time, so that no page can take the machine.
pub(super) async fn work<T: Send + 'static>(
    app: &App,
    what: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    let _turn = app.inner.working.acquire().await.map_err(Problem::internal)?;
    tokio::task::spawn_blocking(what).await.map_err(Problem::internal)
}

/// The trial as it is kept.
pub(super) async fn kept(app: &App, lang: Lang, stored: &StoredRun, index: usize) -> Result<Side, Problem> {
    let result = result_of(stored, index)?.clone();
    let run = stored.summary.id;
    let trace = app
        .store()
        .trace(run, index)
        .await
        .map_err(Problem::internal)?
        .ok_or(Problem::missing(Text::NotReplayed))?;
    Ok(Side {
        name: format!(
            "{} · {}",
            fill(lang, Text::RunId.say(lang), &[("id", run.to_string())]),
            trial::title(lang, &result.trial)
        ),
        href: Some(address::trial(&run.to_string(), index)),
        result,
        trace,
    })
}

async fn side(app: &App, lang: Lang, stored: &StoredRun, named: &Named) -> Result<Arc<Side>, Problem> {
    let key = format!("{}/{}@{:?} {lang:?}", named.run, named.index, named.version);
    if let Some(side) = app.inner.sides.get(&key) {
        return Ok(side);
    }
    let side = match &named.version {
        None => kept(app, lang, stored, named.index).await?,
        Some(version) => {
            let own = branch::on_version(&stored.result.experiment, named.index, version).map_err(|e| cannot(&e))?;
            let (result, trace) = work(app, move || branch::future(&own, 0, &[], true))
                .await?
                .map_err(|e| cannot(&e))?;
            Side {
                name: format!("{} · Kubernetes {version}", assignment(lang, &result.trial.variables))
                    .trim_start_matches(" · ")
                    .to_owned(),
                href: None,
                result,
                trace,
            }
        }
    };
    Ok(app.inner.sides.put(key, side))
}

/// What the page of two trials is asked.
#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    a: String,
    b: String,
    #[serde(flatten)]
    look: Look,
}

#[derive(Serialize)]
struct PageView {
    frame: frame::Frame,
    title: String,
    note: String,
    note_href: String,
    experiment: String,
    compared: ComparedView,
    /// What was done on the other side, when it is another future.
    branch: Option<BranchView>,
    /// What a counter-example changes.
    changes: Vec<String>,
}

#[derive(Serialize)]
pub(super) struct BranchView {
    action: String,
    at: String,
    deed: String,
    claims: Vec<(usize, String, String)>,
    no_return: Option<NoReturnView>,
}

#[derive(Serialize)]
struct NoReturnView {
    claim: String,
    without: (&'static str, &'static str),
    last: Option<(String, String, &'static str, &'static str)>,
    tried: String,
}

/// `GET /compare?a=RUN/TRIAL&b=RUN/TRIAL`.
pub(super) async fn page(State(app): State<App>, Query(asked): Query<Asked>, reader: Reader) -> PageResult {
    let lang = reader.lang;
    let read = |text: &str| Named::read(text).ok_or(Problem::missing(Text::TrialNotFound));
    let (a, b) = (read(&asked.a)?, read(&asked.b)?);
    let (left_run, right_run) = (stored(&app, a.run).await?, stored(&app, b.run).await?);
    let (left, right) = (
        side(&app, lang, &left_run, &a).await?,
        side(&app, lang, &right_run, &b).await?,
    );
    let base = format!(
        "/compare?a={}&b={}",
        address::encode(&asked.a),
        address::encode(&asked.b)
    );
    let shown = Shown {
        run: &left_run,
        sides: (&left, &right),
        base: &base,
        look: &asked.look,
    };
    shown.page(&app, reader, None, Vec::new())
}

/// Two sides that are to be shown beside each other.
pub(super) struct Shown<'a> {
    /// The run of the left one: its note and experiment are named.
    pub(super) run: &'a StoredRun,
    pub(super) sides: (&'a Side, &'a Side),
    /// The address of the page, without how it is looked at.
    pub(super) base: &'a str,
    pub(super) look: &'a Look,
}

impl Shown<'_> {
    /// The page. `branch`: what the right side did otherwise; `changes`: what makes it a counter-example.
    pub(super) fn page(
        &self,
        app: &App,
        reader: Reader,
        branch: Option<BranchView>,
        changes: Vec<String>,
    ) -> PageResult {
        let Self { run, sides, base, look } = *self;
        let snapshot = app.workspace().snapshot();
        let sentences = note::sentences(&snapshot.vault, &run.summary.note);
        let found = note::find(&snapshot.vault, &run.summary.note);
        let lang = reader.lang;
        let view = PageView {
            frame: frame::frame(app, reader, &snapshot, found.as_ref().map(|(file, _)| file)),
            title: match (&branch, changes.is_empty()) {
                (Some(_), _) => Text::BranchTitle,
                (None, false) => Text::RefuteCompare,
                (None, true) => Text::CompareTitle,
            }
            .say(lang)
            .to_owned(),
            note: found
                .as_ref()
                .map_or_else(|| run.summary.note.clone(), |(_, note)| note.title.clone()),
            note_href: format!(
                "{}#{}",
                address::note(&run.summary.note),
                address::encode(&note::anchor(&run.summary.cell))
            ),
            experiment: run.summary.title.clone(),
            compared: view(lang, sides, &run.result.experiment, &sentences, base, look),
            branch,
            changes,
        };
        Ok(app.templates().page("pages/compare.html", reader, &view))
    }
}

/// What another future is asked.
#[derive(Debug, Deserialize)]
pub(super) struct Forked {
    /// Since the start: seconds, or a duration.
    at: String,
    /// What is done.
    #[serde(rename = "do")]
    deed: String,
    /// The claim whose point of no return is looked for, from 1.
    claim: Option<usize>,
    #[serde(flatten)]
    look: Look,
}

/// `GET /r/{run}/{trial}/branch?at=12.5&do=kubectl …`: the same trial, in which somebody does something else.
pub(super) async fn branched(
    State(app): State<App>,
    Path((run, number)): Path<(String, String)>,
    Query(asked): Query<Forked>,
    reader: Reader,
) -> PageResult {
    let lang = reader.lang;
    let (id, index) = trial::numbers(&run, &number)?;
    let stored = stored(&app, id).await?;
    let at = from_query(asked.at.trim())
        .map(|at| SimDuration(at.0))
        .or_else(|| duration::parse(asked.at.trim()).ok())
        .filter(|at| *at <= crate::lab::limit::VIRTUAL_TIME)
        .ok_or_else(|| {
            let text: String = asked.at.chars().take(40).collect();
            Problem::new(StatusCode::BAD_REQUEST, Text::BadInstant).with("t", text)
        })?;
    let deed = Deed::read(&asked.deed).map_err(|error| {
        let mut words = error.message.clone();
        for hint in &error.hints {
            words.push_str(" · ");
            words.push_str(hint);
        }
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, Text::CannotRun).with("why", words)
    })?;
    let left = side(
        &app,
        lang,
        &stored,
        &Named {
            run: id,
            index,
            version: None,
        },
    )
    .await?;
    let key = format!("{id}/{index} {} {deed} {lang:?}", at.0);
    let right = match app.inner.sides.get(&key) {
        Some(side) => side,
        None => {
            let (experiment, deeds) = (stored.result.experiment.clone(), vec![(at, deed.clone())]);
            let (result, trace) = work(&app, move || branch::future(&experiment, index, &deeds, true))
                .await?
                .map_err(|e| cannot(&e))?;
            let name = fill(
                lang,
                Text::BranchSide.say(lang),
                &[("t", time::span(lang, at)), ("deed", deed.to_string())],
            );
            app.inner.sides.put(
                key,
                Side {
                    name,
                    href: None,
                    result,
                    trace,
                },
            )
        }
    };
    let action = format!("{}/branch", address::trial(&id.to_string(), index));
    let base = format!(
        "{action}?at={}&do={}",
        to_query(SimTime(at.0)),
        address::encode(&asked.deed)
    );
    let snapshot = app.workspace().snapshot();
    let sentences = note::sentences(&snapshot.vault, &stored.summary.note);
    let expect = &stored.result.experiment.expect;
    let claims = left
        .result
        .expectations
        .iter()
        .enumerate()
        .filter(|(_, outcome)| matches!(outcome.outcome, Outcome::Holds | Outcome::Fails))
        .filter_map(|(number, _)| {
            let sentence = sentence_of(expect.get(number)?, &sentences);
            Some((number + 1, sentence, format!("{base}&claim={}#no-return", number + 1)))
        })
        .collect();
    let no_return = match asked.claim.and_then(|claim| claim.checked_sub(1)) {
        Some(claim) if claim < expect.len() => {
            let (experiment, deeds) = (stored.result.experiment.clone(), vec![deed.clone()]);
            let key = (id, index, claim, deed.to_string());
            let found = match app.inner.returns.get(&key) {
                Some(found) => found,
                None => {
                    let found = work(&app, move || branch::no_return(&experiment, index, claim, &deeds))
                        .await?
                        .map_err(|e| cannot(&e))?;
                    app.inner.returns.put(key, found)
                }
            };
            let (looked, all) = found.instants;
            let numbers = [
                ("tried", found.tried.to_string()),
                ("looked", looked.to_string()),
                ("all", all.to_string()),
            ];
            Some(NoReturnView {
                claim: expect
                    .get(claim)
                    .map_or_else(String::new, |e| sentence_of(e, &sentences)),
                without: outcome(lang, found.without.outcome),
                last: found.last.as_ref().map(|(at, _, came)| {
                    let (class, word) = outcome(lang, came.outcome);
                    let href = format!(
                        "{action}?at={}&do={}",
                        to_query(SimTime(at.0)),
                        address::encode(&asked.deed)
                    );
                    (time::span(lang, *at), href, class, word)
                }),
                tried: fill(lang, Text::NoReturnTried.say(lang), &numbers),
            })
        }
        _ => None,
    };
    let branch = BranchView {
        action,
        at: to_query(SimTime(at.0)),
        deed: asked.deed.clone(),
        claims,
        no_return,
    };
    let shown = Shown {
        run: &stored,
        sides: (&left, &right),
        base: &base,
        look: &asked.look,
    };
    shown.page(&app, reader, Some(branch), Vec::new())
}

/// What a reader may want to do at an instant of a trial.
pub(super) fn suggestions(past: &Past<'_>) -> Vec<String> {
    let named = |kind: &str, most: usize| -> Vec<String> {
        past.objects()
            .iter()
            .filter(|object| object.get("kind").and_then(|own| own.as_str()) == Some(kind))
            .filter(|object| {
                let namespace = object.pointer("/metadata/namespace").and_then(|own| own.as_str());
                namespace.is_none_or(|namespace| namespace == "default")
            })
            .filter_map(|object| object.pointer("/metadata/name")?.as_str().map(str::to_owned))
            .take(most)
            .collect()
    };
    let mut found = Vec::new();
    for pod in named("Pod", 4) {
        found.push(format!("kubectl delete pod {pod}"));
    }
    for deployment in named("Deployment", 2) {
        found.push(format!("kubectl scale deployment {deployment} --replicas=1"));
        found.push(format!("kubectl rollout restart deployment {deployment}"));
    }
    for node in named("Node", 2) {
        found.push(format!("{{node: {node}, powerOff: true}}"));
        found.push(format!("kubectl drain {node} --ignore-daemonsets --force"));
        found.push(format!("kubectl cordon {node}"));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trials_are_named() {
        let named = |text: &str| Named::read(text).map(|named| (named.run.0, named.index, named.version));
        assert_eq!(named("12/3"), Some((12, 2, None)));
        assert_eq!(named("12/3@1.30"), Some((12, 2, Some("1.30".to_owned()))));
        for text in ["", "12", "12/0", "x/1", "1/1@9.9", "1/1@"] {
            assert!(named(text).is_none(), "{text}");
        }
    }
}
