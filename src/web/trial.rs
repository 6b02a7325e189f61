//! One trial: its timeline, and the cluster at any instant of it.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use peapod_sim::time::SimTime;
use peapod_sim::trace::Trace;
use serde::{Deserialize, Serialize};

use super::cache::Cache;
use super::error::{PageResult, Problem};
use super::reader::Reader;
use super::run::stored;
use super::view::claims::{self, OutcomeView};
use super::view::instant::{self, PictureView, Printed, View};
use super::view::timeline::{self, Choice, TimelineView};
use super::view::why::{self, LinkView};
use super::{App, address, frame, note};
use crate::i18n::{Lang, Text, fill, time};
use crate::lab::model::Trial;
use crate::store::{RunId, StoredRun};
use crate::timeline::axis::{from_query, to_query};
use crate::timeline::instant::Index;
use crate::timeline::kubectl::Past;
use crate::timeline::{Detailed, LaneKind, Scale, Timeline, Window};

/// At most so many links of a chain of causes under a cell; the trial's page has all.
const MAX_COMPACT_LINKS: usize = 7;

/// A trace with everything that makes any instant and any window of it quick to find.
#[derive(Debug)]
pub struct Loaded {
    trace: Trace,
    index: Index,
    detail: Detailed,
    windows: Cache<Window, Timeline>,
}

/// A trace with more records than this is kept alone: several would fill the memory.
const LARGE: usize = 150_000;

impl Loaded {
    fn new(trace: Trace) -> Self {
        Self {
            index: Index::new(&trace),
            detail: Detailed::new(&trace),
            windows: Cache::new(8),
            trace,
        }
    }

    fn window(&self, window: &Window) -> Arc<Timeline> {
        self.windows
            .get(window)
            .unwrap_or_else(|| self.windows.put(window.clone(), self.detail.window(window)))
    }

    fn past(&self, at: SimTime) -> Past<'_> {
        Past::indexed(&self.trace, &self.index, at)
    }
}

/// What an address chooses.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    t: Option<String>,
    axis: Option<String>,
    view: Option<View>,
    object: Option<String>,
    why: Option<u32>,
    /// The window that is drawn: from when, until when.
    from: Option<String>,
    to: Option<String>,
    /// Only lanes with this in their name.
    only: Option<String>,
    /// Kinds of lanes that are left out, with commas between.
    hide: Option<String>,
    /// What is typed into the console of the instant.
    line: Option<String>,
    /// Whether the compact panes of a note's page are asked for.
    compact: Option<u8>,
}

/// `시행 2 · restartPolicy = Always, exitCode = 1`.
pub fn title(lang: Lang, trial: &Trial) -> String {
    let number = fill(lang, Text::TrialN.say(lang), &[("n", (trial.index + 1).to_string())]);
    let variables = super::view::assignment(lang, &trial.variables);
    if variables.is_empty() {
        number
    } else {
        format!("{number} · {variables}")
    }
}

async fn load(app: &App, run: RunId, index: usize) -> Result<Option<Arc<Loaded>>, Problem> {
    if let Some(loaded) = app.inner.trials.get(&(run, index)) {
        return Ok(Some(loaded));
    }
    let Some(trace) = app.store().trace(run, index).await.map_err(Problem::internal)? else {
        return Ok(None);
    };
    let loaded = tokio::task::spawn_blocking(move || Loaded::new(trace))
        .await
        .map_err(Problem::internal)?;
    if loaded.trace.records.len() > LARGE {
        app.inner.trials.remove(|_| true);
    }
    Ok(Some(app.inner.trials.put((run, index), loaded)))
}

/// The panes of one instant.
#[derive(Serialize)]
struct AtView {
    picture: PictureView,
    tabs: Vec<(&'static str, &'static str, String, bool)>,
    view: &'static str,
    objects: Vec<(String, String, bool)>,
    printed: Vec<Printed>,
    why: Vec<LinkView>,
    base: String,
    t: String,
    clock: String,
    when: String,
    needle: String,
    previous: Option<String>,
    next: Option<String>,
    axis: &'static str,
    compact: bool,
    record: Option<u32>,
    /// What is kept of the address beside the instant.
    frame: Vec<(&'static str, String)>,
    /// What was typed into the console.
    line: String,
}

/// What of the timeline is drawn.
fn window_of(asked: &Asked) -> Window {
    let instant = |text: &Option<String>| text.as_deref().and_then(from_query).unwrap_or_default();
    Window {
        scale: if asked.axis.as_deref() == Some("linear") {
            Scale::Linear
        } else {
            Scale::Event
        },
        from: instant(&asked.from),
        to: instant(&asked.to),
        only: asked.only.as_deref().unwrap_or("").trim().chars().take(100).collect(),
        without: asked
            .hide
            .as_deref()
            .unwrap_or("")
            .split(',')
            .filter_map(LaneKind::named)
            .collect(),
    }
}

/// What is chosen, with everything that is not in the address filled in.
fn choose(loaded: &Loaded, base: &str, asked: &Asked) -> Result<Choice, Problem> {
    let window = window_of(asked);
    let detail = &loaded.detail;
    let given = match &asked.t {
        Some(text) => Some(from_query(text).ok_or_else(|| {
            Problem::new(StatusCode::BAD_REQUEST, Text::BadInstant).with("t", text.chars().take(40).collect::<String>())
        })?),
        None => None,
    };
    // Without an instant: the last change, which is what came out.
    let at = given
        .unwrap_or_else(|| detail.last().unwrap_or(SimTime::ZERO))
        .min(detail.end());
    let last_change = detail.before(SimTime(at.0.saturating_add(1)));
    let record = asked
        .why
        .filter(|id| (*id as usize) < loaded.trace.records.len())
        .or_else(|| last_change.and_then(|at| detail.record_at(at)));
    let mut keep = Vec::new();
    if let Some(view) = asked.view {
        keep.push(format!("view={}", view.name()));
    }
    if let Some(object) = &asked.object {
        keep.push(format!("object={}", address::encode(object)));
    }
    Ok(Choice {
        base: base.to_owned(),
        at,
        record,
        scale: window.scale,
        frame: timeline::frame_of(&window, detail.end()),
        keep: keep.join("&"),
    })
}

fn at_view(lang: Lang, loaded: &Loaded, choice: &Choice, asked: &Asked) -> AtView {
    let window = window_of(asked);
    let timeline = loaded.window(&window);
    let detail = &loaded.detail;
    let mut past = loaded.past(choice.at);
    let view = asked.view.unwrap_or_default();
    let compact = asked.compact.is_some();
    let choices = instant::choices(&past, view);
    let chosen = asked
        .object
        .clone()
        .filter(|name| choices.contains(name))
        .or_else(|| instant::default_object(&loaded.trace, choice.record, &choices));
    let with = |view: View, object: Option<&str>| {
        let mut keep = vec![format!("view={}", view.name())];
        keep.extend(object.map(|object| format!("object={}", address::encode(object))));
        Choice {
            keep: keep.join("&"),
            ..choice.clone()
        }
        .href(choice.at, choice.record)
    };
    let tabs = View::ALL
        .into_iter()
        .map(|tab| {
            (
                tab.name(),
                tab.text().say(lang),
                with(tab, asked.object.as_deref()),
                tab == view,
            )
        })
        .collect();
    let objects = if view.of_object() {
        choices
            .iter()
            .map(|name| {
                (
                    name.clone(),
                    name.replacen("/default/", " ", 1).replace("//", " "),
                    Some(name) == chosen.as_ref(),
                )
            })
            .collect()
    } else {
        Vec::new()
    };
    let line = asked.line.as_deref().unwrap_or("").trim().to_owned();
    let printed = match view {
        View::Console => instant::typed(&mut past, &line),
        _ => instant::print(&mut past, view, chosen.as_deref(), compact),
    };
    let mut links = if view == View::Why || compact {
        choice
            .record
            .map_or_else(Vec::new, |record| why::view(lang, &loaded.trace, record, choice))
    } else {
        Vec::new()
    };
    if compact {
        links.truncate(MAX_COMPACT_LINKS);
    }
    let href = |at: SimTime| choice.href(at, detail.record_at(at));
    let mut frame = Vec::new();
    for (name, value) in [
        ("from", &asked.from),
        ("to", &asked.to),
        ("only", &asked.only),
        ("hide", &asked.hide),
    ] {
        frame.extend(value.clone().map(|value| (name, value)));
    }
    AtView {
        frame,
        line,
        picture: instant::picture_at(lang, &past, choice.at),
        tabs,
        view: view.name(),
        objects,
        printed,
        why: links,
        base: choice.base.clone(),
        t: to_query(choice.at),
        clock: time::clock(choice.at),
        when: time::span(lang, choice.at.since(SimTime::ZERO)),
        needle: format!("{:.3}%", timeline.percent(choice.at)),
        previous: detail.before(choice.at).map(href),
        next: detail.after(choice.at).map(href),
        axis: if choice.scale == Scale::Linear {
            "linear"
        } else {
            "event"
        },
        compact,
        record: choice.record,
    }
}

#[derive(Serialize)]
struct ViewerView {
    timeline: TimelineView,
    at: AtView,
    base: String,
    number: usize,
}

/// What is drawn under a cell: what a reader looks at first. The trial's page has the rest.
fn compact_window() -> Window {
    Window {
        without: vec![LaneKind::Probes, LaneKind::Scheduling, LaneKind::Controllers],
        ..Window::default()
    }
}

/// The timeline with its panes, as it stands under a cell; none when the trial left no trace.
pub async fn viewer_html(app: &App, reader: Reader, run: RunId, index: usize) -> Result<Option<String>, Problem> {
    let Some(loaded) = load(app, run, index).await? else {
        return Ok(None);
    };
    let base = address::trial(&run.to_string(), index);
    let asked = Asked {
        compact: Some(1),
        ..Asked::default()
    };
    let choice = choose(&loaded, &base, &asked)?;
    let window = compact_window();
    let timeline = timeline::view(reader.lang, &loaded.window(&window), Some(&loaded.detail), &choice);
    let view = ViewerView {
        timeline,
        at: at_view(reader.lang, &loaded, &choice, &asked),
        base,
        number: index + 1,
    };
    app.templates().part("partials/viewer.html", reader, &view).map(Some)
}

pub(super) fn numbers(run: &str, trial: &str) -> Result<(RunId, usize), Problem> {
    let run: RunId = run.parse().map_err(|_| Problem::missing(Text::RunNotFound))?;
    let number: usize = trial.parse().map_err(|_| Problem::missing(Text::TrialNotFound))?;
    Ok((run, number.checked_sub(1).ok_or(Problem::missing(Text::TrialNotFound))?))
}

/// A trial, from 0, with its trace, and what of it is looked at.
async fn looked(app: &App, run: &str, trial: &str, asked: &Asked) -> Result<(usize, Arc<Loaded>, Choice), Problem> {
    let (run, index) = numbers(run, trial)?;
    let loaded = load(app, run, index)
        .await?
        .ok_or(Problem::missing(Text::NotReplayed))?;
    let choice = choose(&loaded, &address::trial(&run.to_string(), index), asked)?;
    Ok((index, loaded, choice))
}

/// `GET /r/{run}/{trial}/at`: the panes alone.
pub(super) async fn at(
    State(app): State<App>,
    Path((run, trial)): Path<(String, String)>,
    Query(asked): Query<Asked>,
    reader: Reader,
) -> PageResult {
    let (_, loaded, choice) = looked(&app, &run, &trial, &asked).await?;
    let view = at_view(reader.lang, &loaded, &choice, &asked);
    let html = app
        .templates()
        .part("partials/at.html", reader, &serde_json::json!({"at": view}))?;
    Ok(axum::response::Html(html).into_response())
}

/// The window that is asked for, with its tools.
fn drawn(lang: Lang, loaded: &Loaded, choice: &Choice, asked: &Asked) -> TimelineView {
    let window = window_of(asked);
    let mut view = timeline::view(lang, &loaded.window(&window), Some(&loaded.detail), choice);
    view.tools = Some(timeline::tools(lang, &loaded.detail, &window, choice));
    view
}

/// `GET /r/{run}/{trial}/lanes`: the window of the timeline alone.
pub(super) async fn lanes(
    State(app): State<App>,
    Path((run, trial)): Path<(String, String)>,
    Query(asked): Query<Asked>,
    reader: Reader,
) -> PageResult {
    let (index, loaded, choice) = looked(&app, &run, &trial, &asked).await?;
    let html = app.templates().part(
        "partials/timeline.html",
        reader,
        &serde_json::json!({
            "timeline": drawn(reader.lang, &loaded, &choice, &asked),
            "number": index + 1,
            "base": choice.base,
        }),
    )?;
    Ok(axum::response::Html(html).into_response())
}

#[derive(Serialize)]
struct TrialView {
    frame: frame::Frame,
    run: String,
    run_href: String,
    note: String,
    note_href: String,
    experiment: String,
    number: usize,
    title: String,
    claims: Vec<OutcomeView>,
    facts: Vec<(&'static str, String)>,
    observations: Vec<(String, String)>,
    notices: Vec<String>,
    previous_trial: Option<String>,
    next_trial: Option<String>,
    timeline: Option<TimelineView>,
    at: Option<AtView>,
    base: String,
    error: Option<String>,
    /// This trial, as the page of two trials names it.
    own: String,
    /// What it can be compared with: as that page names it, and in words.
    others: Vec<(String, String)>,
    /// What could be done at the instant.
    deeds: Vec<String>,
}

/// At most so many trials of each kind are offered for comparison.
const MAX_OTHERS: usize = 100;

/// What a trial can be compared with: the other trials of its run, itself in other runs of its cell, itself on other
/// versions of Kubernetes.
async fn others(app: &App, lang: Lang, stored: &StoredRun, index: usize) -> Result<Vec<(String, String)>, Problem> {
    let run = stored.summary.id;
    let own = stored.result.trials.iter().find(|trial| trial.trial.index == index);
    let mut others: Vec<(String, String)> = stored
        .result
        .trials
        .iter()
        .filter(|trial| trial.trial.index != index)
        .take(MAX_OTHERS)
        .map(|trial| (format!("{run}/{}", trial.trial.index + 1), title(lang, &trial.trial)))
        .collect();
    for version in peapod_sim::version::Version::all() {
        let version = version.to_string();
        if own.is_none_or(|own| own.trial.kubernetes != version) {
            let words = fill(lang, Text::CompareOnVersion.say(lang), &[("version", version.clone())]);
            others.push((format!("{run}/{}@{version}", index + 1), words));
        }
    }
    let runs = app
        .store()
        .history(&stored.summary.note, &stored.summary.cell)
        .await
        .map_err(Problem::internal)?;
    let same = |other: &&crate::store::RunSummary| other.id != run && other.done > index;
    for other in runs.iter().filter(same).take(10) {
        let words = fill(lang, Text::RunId.say(lang), &[("id", other.id.to_string())]);
        let number = fill(lang, Text::TrialN.say(lang), &[("n", (index + 1).to_string())]);
        others.push((format!("{}/{}", other.id, index + 1), format!("{words} · {number}")));
    }
    Ok(others)
}

/// `GET /r/{run}/{trial}`: the trial at an instant (`?t=`, `view=`, `object=`, `why=`, `axis=`).
pub(super) async fn page(
    State(app): State<App>,
    Path((run, trial)): Path<(String, String)>,
    Query(asked): Query<Asked>,
    reader: Reader,
) -> PageResult {
    let lang = reader.lang;
    let (id, index) = numbers(&run, &trial)?;
    let stored = stored(&app, id).await?;
    let result = stored
        .result
        .trials
        .iter()
        .find(|trial| trial.trial.index == index)
        .ok_or(Problem::missing(Text::TrialNotFound))?;
    let snapshot = app.workspace().snapshot();
    let run = id.to_string();
    let base = address::trial(&run, index);
    let loaded = load(&app, id, index).await?;
    let (mut timeline_view, mut at, mut deeds) = (None, None, Vec::new());
    if let Some(loaded) = &loaded {
        let asked = Asked {
            compact: None,
            view: asked.view.or(asked.why.map(|_| View::Why)),
            ..asked
        };
        let choice = choose(loaded, &base, &asked)?;
        timeline_view = Some(drawn(lang, loaded, &choice, &asked));
        at = Some(at_view(lang, loaded, &choice, &asked));
        deeds = super::compare::suggestions(&loaded.past(choice.at));
    }
    let others = others(&app, lang, &stored, index).await?;
    let sentences = note::sentences(&snapshot.vault, &stored.summary.note);
    let found = note::find(&snapshot.vault, &stored.summary.note);
    let neighbour = |index: Option<usize>| {
        let index = index.filter(|index| stored.result.trials.iter().any(|trial| trial.trial.index == *index))?;
        Some(address::trial(&run, index))
    };
    let view = TrialView {
        frame: frame::frame(&app, reader, &snapshot, found.as_ref().map(|(file, _)| file)),
        run_href: address::run(&run),
        note: found
            .as_ref()
            .map_or_else(|| stored.summary.note.clone(), |(_, note)| note.title.clone()),
        note_href: format!(
            "{}#{}",
            address::note(&stored.summary.note),
            address::encode(&format!("cell-{}", stored.summary.cell))
        ),
        experiment: stored.summary.title.clone(),
        number: index + 1,
        title: title(lang, &result.trial),
        claims: claims::outcomes(lang, &run, &stored.result, index, &sentences),
        facts: vec![
            (Text::Kubernetes.say(lang), result.trial.kubernetes.clone()),
            (Text::Seed.say(lang), result.trial.seed.to_string()),
            (Text::VirtualTime.say(lang), time::span(lang, result.duration)),
            (
                Text::Ended.say(lang),
                super::view::result::ended(result.ended).say(lang).to_owned(),
            ),
            (Text::Records.say(lang), result.records.to_string()),
            (Text::Digest.say(lang), result.digest.chars().take(12).collect()),
        ],
        observations: result
            .observations
            .iter()
            .map(|(name, value)| (name.clone(), super::view::value(lang, value)))
            .collect(),
        notices: result
            .notices
            .iter()
            .map(|text| crate::i18n::notice(lang, text))
            .collect(),
        previous_trial: neighbour(index.checked_sub(1)),
        next_trial: neighbour(index.checked_add(1)),
        timeline: timeline_view,
        at,
        base,
        error: result.error.as_ref().map(ToString::to_string),
        own: format!("{run}/{}", index + 1),
        others,
        deeds,
        run,
    };
    Ok(app.templates().page("pages/trial.html", reader, &view))
}
