//! What a run gave, as it stands under its cell and on its own page.

use serde::Serialize;

use super::claims::{self, ClaimView};
use super::grid::{self, GridView};
use super::problem::{self, ProblemView};
use crate::i18n::{Lang, Text, time};
use crate::lab::model::{Ended, Outcome, RunResult, RunStatus, TrialResult};
use crate::web::address;

/// At most so many trials are listed on a run's page.
pub const MAX_TRIALS: usize = 500;

/// A run's result.
#[derive(Debug, Serialize)]
pub struct ResultView {
    /// Claims with verdicts.
    pub claims: Vec<ClaimView>,
    /// The grid that says most.
    pub grid: Option<GridView>,
    /// The other grids.
    pub more: Vec<GridView>,
    /// Observations of a run with one trial.
    pub observations: Vec<(String, String)>,
    /// Not simulated, and assumed: over all trials, each once.
    pub notices: Vec<String>,
    /// What is to say about the run, and errors of trials.
    pub problems: Vec<ProblemView>,
    /// All virtual time, in words.
    pub virtual_time: String,
}

/// The result of a run; `source` is the text that its diagnostics speak of.
pub fn view(
    lang: Lang,
    run: &str,
    result: &RunResult,
    source: &str,
    sentence: &dyn Fn(&str) -> Option<String>,
) -> ResultView {
    let mut grids = grid::views(lang, run, result);
    let grid = (!grids.is_empty()).then(|| grids.remove(0));
    let observations = match (result.trials.as_slice(), &grid) {
        ([only], None) => only
            .observations
            .iter()
            .map(|(name, value)| (name.clone(), super::value(lang, value)))
            .collect(),
        _ => Vec::new(),
    };
    let mut notices: Vec<String> = Vec::new();
    for notice in result.trials.iter().flat_map(|trial| &trial.notices) {
        if !notices.contains(notice) && notices.len() < 50 {
            notices.push(notice.clone());
        }
    }
    let mut errors: Vec<&crate::lab::model::Diagnostic> = result.diagnostics.iter().collect();
    for error in result.trials.iter().filter_map(|trial| trial.error.as_ref()) {
        if errors.len() < 20 && !errors.iter().any(|other| other.message == error.message) {
            errors.push(error);
        }
    }
    let nanos: u64 = result
        .trials
        .iter()
        .fold(0, |sum, trial| sum.saturating_add(trial.duration.0));
    ResultView {
        claims: claims::views(lang, run, result, sentence),
        grid,
        more: grids,
        observations,
        notices: notices.iter().map(|text| crate::i18n::notice(lang, text)).collect(),
        problems: errors
            .into_iter()
            .map(|diagnostic| problem::view(lang, diagnostic, source))
            .collect(),
        virtual_time: time::span(lang, peapod_sim::time::SimDuration(nanos)),
    }
}

/// The class and the word of a run's status.
pub fn status(status: RunStatus) -> (&'static str, Text) {
    match status {
        RunStatus::Running => ("running", Text::StatusRunning),
        RunStatus::Finished => ("finished", Text::StatusFinished),
        RunStatus::Failed => ("failed", Text::StatusFailed),
        RunStatus::Cancelled => ("cancelled", Text::StatusCancelled),
        RunStatus::Interrupted => ("interrupted", Text::StatusInterrupted),
    }
}

/// How a trial ended.
pub fn ended(ended: Ended) -> Text {
    match ended {
        Ended::Until => Text::EndedUntil,
        Ended::Settled => Text::EndedSettled,
        Ended::Cap => Text::EndedCap,
        Ended::Limit => Text::EndedLimit,
        Ended::Error => Text::EndedError,
        Ended::Cancelled => Text::EndedCancelled,
    }
}

/// One trial in the list.
#[derive(Debug, Serialize)]
pub struct TrialRow {
    /// Counted from 1.
    pub number: usize,
    /// Its page.
    pub href: String,
    /// The variables' values.
    pub variables: Vec<String>,
    /// The observations' values.
    pub observations: Vec<String>,
    /// For each claim: class and word.
    pub claims: Vec<(&'static str, &'static str)>,
    /// How it ended.
    pub ended: &'static str,
    /// Virtual time.
    pub duration: String,
}

/// The trials of a run as rows.
pub fn rows(lang: Lang, run: &str, result: &RunResult) -> Vec<TrialRow> {
    result
        .trials
        .iter()
        .take(MAX_TRIALS)
        .map(|trial| row(lang, run, result, trial))
        .collect()
}

fn row(lang: Lang, run: &str, result: &RunResult, trial: &TrialResult) -> TrialRow {
    let value = |value: Option<&serde_json::Value>| super::value(lang, value.unwrap_or(&serde_json::Value::Null));
    let claim = |outcome: Outcome| match outcome {
        Outcome::Holds => ("holds", Text::Holds.say(lang)),
        Outcome::Fails => ("fails", Text::Fails.say(lang)),
        Outcome::Undecided => ("unchecked", Text::Unchecked.say(lang)),
        Outcome::NotApplicable => ("none", ""),
    };
    TrialRow {
        number: trial.trial.index + 1,
        href: address::trial(run, trial.trial.index),
        variables: result
            .experiment
            .variables
            .iter()
            .map(|v| value(trial.trial.variables.get(&v.name)))
            .collect(),
        observations: result
            .experiment
            .observe
            .iter()
            .map(|o| value(trial.observations.get(&o.name)))
            .collect(),
        claims: trial
            .expectations
            .iter()
            .map(|outcome| claim(outcome.outcome))
            .collect(),
        ended: ended(trial.ended).say(lang),
        duration: time::span(lang, trial.duration),
    }
}
