//! What the reader predicts: asked before the run, kept, and compared with what came out.

use std::collections::BTreeMap;

use axum::Form;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use jiff::Timestamp;
use serde::Serialize;

use super::cells::CellInfo;
use super::error::{PageResult, Problem};
use super::reader::Reader;
use super::{App, address, cells, note};
use crate::i18n::{Lang, Text, fill, time};
use crate::lab::model::{Assignment, Experiment};
use crate::lab::predict::{self, Answer, Said};
use crate::store::{NewPrediction, Prediction, RunFilter, RunId, RunSummary, source_hash};

/// Characters of one answer.
const MAX_WORDS: usize = 500;

/// The question of a cell with the reader's answer.
#[derive(Serialize)]
pub(super) struct PredictionView {
    ask: String,
    note: String,
    cell: String,
    /// The form, as long as the cell has not been run.
    form: Option<FormView>,
    /// What was said, and since when.
    made: Option<MadeView>,
}

#[derive(Serialize)]
struct FormView {
    choices: Vec<String>,
    words: String,
    observation: String,
    combinations: Vec<(String, String)>,
    suggestions: Vec<String>,
    /// Whether the combinations are shown from the start.
    open: bool,
}

#[derive(Serialize)]
struct MadeView {
    words: String,
    ago: String,
    /// The outcome, once there is one.
    came: Option<CameView>,
    said: Vec<(String, String)>,
}

#[derive(Serialize)]
struct CameView {
    href: String,
    answer: Option<String>,
    /// Class and word of the verdict about the words.
    verdict: Option<(&'static str, &'static str)>,
    score: Option<String>,
    rows: Vec<RowView>,
}

#[derive(Serialize)]
struct RowView {
    when: String,
    said: String,
    came: String,
    class: &'static str,
    word: &'static str,
}

fn sign(lang: Lang, right: bool) -> (&'static str, &'static str) {
    match right {
        true => ("holds", Text::PredictedRight.say(lang)),
        false => ("fails", Text::PredictedWrong.say(lang)),
    }
}

/// The question of a cell, the form or the answer, and what came out; none where nothing is asked.
pub(super) async fn view(
    app: &App,
    lang: Lang,
    note: &str,
    info: &CellInfo,
    finished: Option<&RunSummary>,
) -> Result<Option<PredictionView>, Problem> {
    let Some(experiment) = info.experiment.as_deref() else {
        return Ok(None);
    };
    let Some(asked) = &experiment.predict else {
        return Ok(None);
    };
    let hash = source_hash(&info.source);
    let made = newest(app, note, &info.key, &hash).await?;
    let run = finished.filter(|run| run.source_hash == hash);
    let answer = made.as_ref().map(answer_of);
    if run.is_some() && made.is_none() {
        // Whoever has seen the outcome predicts nothing any more.
        return Ok(None);
    }
    let form = run.is_none().then(|| form(lang, experiment, answer.as_ref()));
    let made = match (&made, &answer) {
        (Some(made), Some(answer)) => Some(MadeView {
            words: answer.words.clone(),
            ago: time::ago(lang, Timestamp::now().duration_since(made.made_at).as_secs()),
            said: said(lang, answer),
            came: match run {
                Some(run) => came(app, lang, run.id, answer).await?,
                None => None,
            },
        }),
        _ => None,
    };
    Ok(Some(PredictionView {
        ask: asked.ask.clone(),
        note: note.to_owned(),
        cell: info.key.clone(),
        form,
        made,
    }))
}

async fn newest(app: &App, note: &str, cell: &str, hash: &str) -> Result<Option<Prediction>, Problem> {
    let all = app.store().predictions(note, cell).await.map_err(Problem::internal)?;
    Ok(all.into_iter().find(|made| made.source_hash == hash))
}

fn answer_of(made: &Prediction) -> Answer {
    match &made.answer {
        serde_json::Value::String(words) => Answer {
            words: words.clone(),
            outcomes: Vec::new(),
        },
        other => serde_json::from_value(other.clone()).unwrap_or_default(),
    }
}

fn said(lang: Lang, answer: &Answer) -> Vec<(String, String)> {
    let row = |said: &Said| (super::view::assignment(lang, &said.when), said.outcome.clone());
    answer.outcomes.iter().map(row).collect()
}

fn form(lang: Lang, experiment: &Experiment, answer: Option<&Answer>) -> FormView {
    let said = |when: &Assignment| {
        answer
            .and_then(|answer| answer.outcomes.iter().find(|said| said.when == *when))
            .map_or_else(String::new, |said| said.outcome.clone())
    };
    FormView {
        choices: experiment
            .predict
            .as_ref()
            .map_or_else(Vec::new, |predict| predict.choices.clone()),
        words: answer.map_or_else(String::new, |answer| answer.words.clone()),
        observation: predict::observation(experiment).unwrap_or_default().to_owned(),
        combinations: predict::combinations(experiment)
            .iter()
            .map(|when| (super::view::assignment(lang, when), said(when)))
            .collect(),
        suggestions: predict::suggestions(experiment),
        open: answer.is_some_and(|answer| !answer.outcomes.is_empty()),
    }
}

async fn came(app: &App, lang: Lang, run: RunId, answer: &Answer) -> Result<Option<CameView>, Problem> {
    let Some(stored) = app.store().run(run).await.map_err(Problem::internal)? else {
        return Ok(None);
    };
    let compared = predict::compare(&stored.result, answer);
    let right = compared.outcomes.iter().filter(|(_, _, right)| *right).count();
    let rows: Vec<RowView> = compared
        .outcomes
        .iter()
        .map(|(said, value, right)| {
            let (class, word) = sign(lang, *right);
            RowView {
                when: super::view::assignment(lang, &said.when),
                said: said.outcome.clone(),
                came: super::view::value(lang, value),
                class,
                word,
            }
        })
        .collect();
    Ok(Some(CameView {
        href: address::run(&run.to_string()),
        answer: compared.answer.as_ref().map(|value| super::view::value(lang, value)),
        verdict: compared.right.map(|right| sign(lang, right)),
        score: (!rows.is_empty()).then(|| {
            let values = [("right", right.to_string()), ("all", rows.len().to_string())];
            fill(lang, Text::PredictedScore.say(lang), &values)
        }),
        rows,
    }))
}

/// `POST /predict`: keeps what a reader says (`note`, `cell`, `words`, `o0` … for the combinations); nothing said takes
/// back what was. A module gets the part of the page that shows it.
pub(super) async fn keep(
    State(app): State<App>,
    reader: Reader,
    headers: HeaderMap,
    Form(said): Form<BTreeMap<String, String>>,
) -> PageResult {
    let field = |name: &str| said.get(name).map_or("", String::as_str);
    let snapshot = app.workspace().snapshot();
    let (file, of) = note::find(&snapshot.vault, field("note")).ok_or(Problem::missing(Text::CellNotFound))?;
    let cell = of
        .cells
        .iter()
        .find(|cell| cell.key == field("cell"))
        .ok_or(Problem::missing(Text::CellNotFound))?;
    let info = cells::read(of, cell);
    let experiment = info.experiment.clone().ok_or(Problem::missing(Text::CellNotFound))?;
    let asked = experiment
        .predict
        .as_ref()
        .ok_or(Problem::missing(Text::NothingAsked))?;
    let hash = source_hash(&info.source);
    let filter = RunFilter {
        note: Some(file.path.clone()),
        cell: Some(cell.key.clone()),
        limit: 500,
        ..RunFilter::default()
    };
    let runs = app.store().runs(&filter).await.map_err(Problem::internal)?;
    if runs
        .iter()
        .any(|run| run.source_hash == hash && run.ended_at.is_some() && run.done > 0)
    {
        return Err(Problem::new(StatusCode::CONFLICT, Text::PredictTooLate));
    }
    let short = |text: &str| text.trim().chars().take(MAX_WORDS).collect::<String>();
    let outcomes = predict::combinations(&experiment)
        .into_iter()
        .enumerate()
        .filter_map(|(index, when)| {
            let outcome = short(field(&format!("o{index}")));
            (!outcome.is_empty()).then_some(Said { when, outcome })
        });
    let answer = Answer {
        words: short(field("words")),
        outcomes: outcomes.collect(),
    };
    for made in app
        .store()
        .predictions(&file.path, &cell.key)
        .await
        .map_err(Problem::internal)?
    {
        // Until the run a reader may think again: the last word counts.
        if made.source_hash == hash {
            app.store()
                .delete_prediction(made.id)
                .await
                .map_err(Problem::internal)?;
        }
    }
    if !answer.is_empty() {
        let new = NewPrediction {
            note: file.path.clone(),
            cell: cell.key.clone(),
            source: info.source.to_string(),
            ask: asked.ask.clone(),
            answer: serde_json::to_value(&answer).map_err(Problem::internal)?,
        };
        app.store().predict(&new).await.map_err(Problem::internal)?;
    }
    let json = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.contains("application/json"));
    if json {
        let view = view(&app, reader.lang, &file.path, &info, None).await?;
        let html = app.templates().part(
            "partials/prediction.html",
            reader,
            &serde_json::json!({ "prediction": view, "anchor": note::anchor(&cell.key) }),
        )?;
        return Ok(axum::Json(serde_json::json!({ "html": html })).into_response());
    }
    let back = format!(
        "{}#{}",
        address::note(&file.path),
        address::encode(&note::anchor(&cell.key))
    );
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, address::location(&back))]).into_response())
}
