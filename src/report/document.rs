//! What a report says of each cell, in words: the model that both formats are written from.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use peapod_sim::time::{SimDuration, SimTime};
use peapod_sim::trace::What;
use peapod_vault::{Cell, CellKind, Note};
use serde::Serialize;
use serde_json::Value;

use super::grid::{self, Grid};
use super::{MAX_TRIALS, Material, Results};
use crate::i18n::{Lang, Text, fill, time};
use crate::lab::model::{Assignment, ClaimResult, Outcome, RunResult, TrialResult, Verdict};
use crate::store::StoredRun;

/// A report.
#[derive(Debug, Serialize)]
pub(super) struct Document {
    pub(super) title: String,
    pub(super) path: String,
    pub(super) made_at: String,
    pub(super) peapod: String,
    pub(super) kubernetes: Vec<String>,
    /// How many cells have results, how many cells there are.
    pub(super) run: usize,
    pub(super) cells: usize,
    pub(super) claims: usize,
    pub(super) as_expected: usize,
    /// The cells, in the order of the note.
    pub(super) experiments: Vec<Experiment>,
}

/// A cell and its newest results.
#[derive(Debug, Serialize)]
pub(super) struct Experiment {
    #[serde(skip)]
    pub(super) cell: usize,
    /// For addresses within the report.
    pub(super) anchor: String,
    pub(super) kind: &'static str,
    pub(super) title: String,
    pub(super) question: String,
    pub(super) results: Option<Report>,
    pub(super) damaged: Vec<String>,
}

/// What the newest run says.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) facts: Vec<(String, String)>,
    pub(super) outdated: bool,
    pub(super) claims: Vec<Claim>,
    pub(super) grid: Option<Grid>,
    pub(super) rules: Vec<Rules>,
    pub(super) errors: Vec<String>,
    pub(super) timelines: Vec<Timeline>,
    /// Names of variables and observations.
    pub(super) trial_columns: Vec<String>,
    pub(super) trials: Vec<Trial>,
    pub(super) trials_hidden: usize,
    pub(super) steps: Vec<Steps>,
    pub(super) notices: Vec<String>,
}

/// A claim and its verdict.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Claim {
    #[serde(skip)]
    pub(super) block: Option<String>,
    pub(super) sentence: String,
    /// Class of the style sheet: `holds`, `fails`, `depends`, `unchecked`.
    pub(super) class: &'static str,
    pub(super) verdict: String,
    pub(super) evidence: String,
    pub(super) condition: String,
    pub(super) as_expected: bool,
    pub(super) remark: String,
    pub(super) more: Vec<String>,
}

/// The rules that give the outcomes of one observation.
#[derive(Debug, Serialize)]
pub(super) struct Rules {
    pub(super) outcome: String,
    pub(super) rules: Vec<Rule>,
    pub(super) minimal: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct Rule {
    pub(super) outcome: String,
    pub(super) class: String,
    /// Alternatives, any of which suffices.
    pub(super) conditions: Vec<String>,
}

/// A trial whose timeline is drawn.
#[derive(Debug, Serialize)]
pub(super) struct Timeline {
    pub(super) trial: usize,
    pub(super) anchor: String,
    pub(super) title: String,
    pub(super) svg: String,
    pub(super) changes: Vec<Change>,
}

/// Something that changed on a timeline.
#[derive(Debug, Serialize)]
pub(super) struct Change {
    pub(super) at: String,
    pub(super) what: String,
    pub(super) state: String,
}

/// A row of the list of trials.
#[derive(Debug, Serialize)]
pub(super) struct Trial {
    pub(super) index: usize,
    /// Anchor of its timeline, if it is drawn.
    pub(super) anchor: String,
    pub(super) values: Vec<String>,
    pub(super) ended: String,
    pub(super) seed: String,
    pub(super) digest: String,
}

/// What was done in a trial: the manifests as they were applied, and the other steps.
#[derive(Debug, Serialize)]
pub(super) struct Steps {
    pub(super) title: String,
    pub(super) steps: Vec<(String, String)>,
}

/// Rows of the table of changes of a timeline, at most.
const MAX_CHANGES: usize = 40;

impl Document {
    pub(super) fn new(material: &Material, lang: Lang) -> Result<Self, minijinja::Error> {
        let note = &material.note;
        let mut experiments = Vec::new();
        for results in &material.results {
            if let Some(cell) = note.cells.get(results.cell) {
                experiments.push(experiment(material, cell, results, lang)?);
            }
        }
        let runs: Vec<&StoredRun> = material
            .results
            .iter()
            .filter_map(|results| results.run.as_ref())
            .collect();
        let mut kubernetes: Vec<String> = runs.iter().map(|run| run.summary.kubernetes.clone()).collect();
        kubernetes.sort();
        kubernetes.dedup();
        Ok(Self {
            title: note.title.clone(),
            path: note.path.clone(),
            made_at: material.made_at.strftime("%Y-%m-%d %H:%M UTC").to_string(),
            peapod: env!("CARGO_PKG_VERSION").to_owned(),
            kubernetes,
            run: runs.len(),
            cells: experiments.len(),
            claims: runs.iter().map(|run| run.result.claims.len()).sum(),
            as_expected: runs
                .iter()
                .map(|run| run.result.claims.iter().filter(|claim| claim.as_expected).count())
                .sum(),
            experiments,
        })
    }

    /// What the report says of the sentence with a block id.
    pub(super) fn claim_of(&self, block: &str) -> Option<(&Experiment, &Claim)> {
        let all = self
            .experiments
            .iter()
            .flat_map(|experiment| experiment.results.iter().map(move |report| (experiment, report)));
        all.flat_map(|(experiment, report)| report.claims.iter().map(move |claim| (experiment, claim)))
            .find(|(_, claim)| claim.block.as_deref().is_some_and(|id| id.eq_ignore_ascii_case(block)))
    }
}

fn experiment(material: &Material, cell: &Cell, results: &Results, lang: Lang) -> Result<Experiment, minijinja::Error> {
    let kind = match cell.kind {
        CellKind::Manifest => Text::CellManifest,
        CellKind::Experiment => Text::CellExperiment,
        CellKind::Console => Text::CellConsole,
    };
    let anchor = format!("cell-{}", cell.index + 1);
    let stated = results.run.as_ref().map(|run| &run.result.experiment);
    Ok(Experiment {
        cell: cell.index,
        kind: kind.say(lang),
        title: stated
            .map(|experiment| experiment.title.clone())
            .or_else(|| title_of(material, cell))
            .unwrap_or_else(|| cell.key.clone()),
        question: stated
            .and_then(|experiment| experiment.question.clone())
            .unwrap_or_default(),
        results: results
            .run
            .as_ref()
            .map(|run| report(material, run, results, &anchor, lang))
            .transpose()?,
        damaged: results.damaged.clone(),
        anchor,
    })
}

/// The title that an experiment gives itself, if it can be read.
fn title_of(material: &Material, cell: &Cell) -> Option<String> {
    let is_experiment = cell.kind == CellKind::Experiment;
    let reading = is_experiment.then(|| crate::lab::read(&cell.text, Some(&material.note.path), cell.first_line));
    Some(reading?.experiment?.title)
}

fn report(
    material: &Material,
    run: &StoredRun,
    results: &Results,
    anchor: &str,
    lang: Lang,
) -> Result<Report, minijinja::Error> {
    let result = &run.result;
    let drawn: BTreeMap<usize, String> = results
        .traces
        .iter()
        .map(|(trial, _)| (*trial, format!("{anchor}-trial-{trial}")))
        .collect();
    let mut timelines = Vec::new();
    let mut steps = Vec::new();
    for (index, trace) in &results.traces {
        let Some(trial) = result.trials.iter().find(|trial| trial.trial.index == *index) else {
            continue;
        };
        let title = trial_title(trial, lang);
        let id = drawn.get(index).cloned().unwrap_or_default();
        let svg = super::svg::timeline(trace, &id, &title, lang)?;
        steps.push(Steps {
            title: title.clone(),
            steps: steps_of(trace),
        });
        timelines.push(Timeline {
            trial: *index,
            anchor: id,
            title,
            svg,
            changes: changes_of(trace),
        });
    }
    Ok(Report {
        facts: facts(run, lang),
        outdated: results.outdated,
        claims: result
            .claims
            .iter()
            .enumerate()
            .map(|(index, claim)| self::claim(&material.note, result, index, claim, lang))
            .collect(),
        grid: grid::grid(&result.tables, lang),
        rules: rules(result, lang),
        errors: errors(result),
        timelines,
        trial_columns: trial_columns(result),
        trials: result
            .trials
            .iter()
            .take(MAX_TRIALS)
            .map(|trial| self::trial(result, trial, &drawn, lang))
            .collect(),
        trials_hidden: result.trials.len().saturating_sub(MAX_TRIALS),
        steps,
        notices: notices(result)
            .iter()
            .map(|text| crate::i18n::notice(lang, text))
            .collect(),
    })
}

fn facts(run: &StoredRun, lang: Lang) -> Vec<(String, String)> {
    let result = &run.result;
    let virtual_time = SimDuration(
        result
            .trials
            .iter()
            .fold(0, |sum, trial| u64::saturating_add(sum, trial.duration.0)),
    );
    let mut facts = vec![
        (Text::Kubernetes, run.summary.kubernetes.clone()),
        (Text::Trials, run.summary.total.to_string()),
        (Text::VirtualTime, time::span(lang, virtual_time)),
        (Text::Seed, result.experiment.seed.to_string()),
        (Text::ReportRun, run.summary.id.to_string()),
        (
            Text::Started,
            run.summary.started_at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        ),
        (Text::ReportPeapod, run.summary.peapod.clone()),
    ];
    facts.retain(|(_, value)| !value.is_empty());
    facts
        .into_iter()
        .map(|(name, value)| (name.say(lang).to_owned(), value))
        .collect()
}

/// What is said of the claim of a run that has this number.
pub(super) fn claim(note: &Note, result: &RunResult, index: usize, claim: &ClaimResult, lang: Lang) -> Claim {
    let sentence = match &claim.block {
        _ if !claim.claim.is_empty() => claim.claim.clone(),
        Some(block) => note
            .block(block)
            .map_or_else(|| format!("^{block}"), |block| block.text.trim().to_owned()),
        None => claim.condition.clone(),
    };
    let (class, verdict) = match claim.verdict {
        Verdict::Holds => ("holds", Text::Holds),
        Verdict::Fails => ("fails", Text::Fails),
        Verdict::Depends => ("depends", Text::Depends),
        Verdict::Unchecked => ("unchecked", Text::Unchecked),
    };
    let all = claim.trials_for + claim.trials_against;
    let mut evidence = fill(
        lang,
        Text::TrialsFor.say(lang),
        &[("for", claim.trials_for.to_string()), ("all", all.to_string())],
    );
    let decided = result.trials.iter().filter_map(|trial| trial.expectations.get(index));
    let decided = decided
        .filter(|outcome| outcome.outcome == Outcome::Holds)
        .filter_map(|outcome| outcome.at)
        .max();
    if let Some(at) = decided.filter(|_| claim.keyword == "eventually") {
        evidence = format!(
            "{evidence} · {}",
            fill(lang, Text::AtMost.say(lang), &[("span", span(at, lang))])
        );
    }
    let mut more = Vec::new();
    if let Some(rule) = &claim.rule {
        more.push(fill(lang, Text::HoldsWhen.say(lang), &[("rule", rule.clone())]));
    }
    if let Some(example) = &claim.counter_example {
        let trial = result.trials.iter().find(|trial| trial.trial.index == example.trial);
        let mut what = trial.map_or_else(|| example.trial.to_string(), |trial| trial_title(trial, lang));
        if let Some(at) = example.at {
            what = format!("{what}, {}", span(at, lang));
        }
        if !example.message.is_empty() {
            what = format!("{what}: {}", example.message);
        }
        more.push(fill(lang, Text::CounterExample.say(lang), &[("what", what)]));
    }
    if let Some(of) = &claim.of {
        more.push(fill(
            lang,
            Text::ReportClaimOf.say(lang),
            &[("note", of.trim_matches(['[', ']']).to_owned())],
        ));
    }
    let remark = match (claim.as_expected, claim.expected) {
        (true, Verdict::Fails) => Text::MeansToFail.say(lang),
        (true, _) => "",
        (false, _) => Text::NotAsExpected.say(lang),
    };
    let condition = match &claim.when {
        Some(when) => format!(
            "{}: {} · {} {when}",
            claim.keyword,
            claim.condition,
            Text::Where.say(lang)
        ),
        None => format!("{}: {}", claim.keyword, claim.condition),
    };
    let block = claim.block.clone();
    Claim {
        block,
        sentence,
        class,
        verdict: verdict.say(lang).to_owned(),
        evidence,
        condition,
        as_expected: claim.as_expected,
        remark: remark.to_owned(),
        more,
    }
}

fn span(at: SimTime, lang: Lang) -> String {
    time::span(lang, at.since(SimTime::ZERO))
}

/// The rules of a run that give the outcomes of its observations.
pub(super) fn rules(result: &RunResult, lang: Lang) -> Vec<Rules> {
    let of_table = |table: &crate::lab::model::DecisionTable| {
        let colors = grid::Colors::of(table);
        // Rules with the same outcome are alternatives.
        let mut by_outcome: IndexMap<String, Rule> = IndexMap::new();
        for rule in &table.rules {
            let entry = by_outcome.entry(rule.outcome.to_string()).or_insert_with(|| Rule {
                outcome: grid::show_outcome(&rule.outcome, lang),
                class: colors.class(&rule.outcome),
                conditions: Vec::new(),
            });
            entry.conditions.push(if rule.terms.is_empty() {
                Text::RuleAlways.say(lang).to_owned()
            } else {
                rule.text.clone()
            });
        }
        Rules {
            outcome: table.outcome.clone(),
            rules: by_outcome.into_values().collect(),
            minimal: table.minimal,
        }
    };
    result
        .tables
        .iter()
        .map(of_table)
        .filter(|rules| !rules.rules.is_empty())
        .collect()
}

/// What went wrong in a run, each once.
pub(super) fn errors(result: &RunResult) -> Vec<String> {
    let run = result.diagnostics.iter().map(ToString::to_string);
    let trials = result
        .trials
        .iter()
        .filter_map(|trial| trial.error.as_ref())
        .map(ToString::to_string);
    let mut errors: Vec<String> = Vec::new();
    for error in run.chain(trials) {
        if !errors.contains(&error) {
            errors.push(error);
        }
    }
    errors
}

fn notices(result: &RunResult) -> Vec<String> {
    let mut notices: Vec<String> = result
        .trials
        .iter()
        .flat_map(|trial| trial.notices.iter().cloned())
        .collect();
    notices.sort();
    notices.dedup();
    notices
}

/// `시행 3 · restartPolicy = Never, exitCode = 1`.
fn trial_title(trial: &TrialResult, lang: Lang) -> String {
    let name = fill(
        lang,
        Text::TrialN.say(lang),
        &[("n", (trial.trial.index + 1).to_string())],
    );
    let assignment = assignment(&trial.trial.variables, lang);
    if assignment.is_empty() {
        name
    } else {
        format!("{name} · {assignment}")
    }
}

fn assignment(variables: &Assignment, lang: Lang) -> String {
    let pairs = variables
        .iter()
        .map(|(name, value)| format!("{name} = {}", grid::show(value, lang)));
    pairs.collect::<Vec<_>>().join(", ")
}

fn trial_columns(result: &RunResult) -> Vec<String> {
    let variables = result.experiment.variables.iter().map(|variable| variable.name.clone());
    variables
        .chain(
            result
                .experiment
                .observe
                .iter()
                .map(|observation| observation.name.clone()),
        )
        .collect()
}

fn trial(result: &RunResult, trial: &TrialResult, drawn: &BTreeMap<usize, String>, lang: Lang) -> Trial {
    use crate::lab::model::Ended;
    let value = |value: Option<&Value>| grid::show(value.unwrap_or(&Value::Null), lang);
    let variables = result
        .experiment
        .variables
        .iter()
        .map(|variable| value(trial.trial.variables.get(&variable.name)));
    let observations = result
        .experiment
        .observe
        .iter()
        .map(|observation| value(trial.observations.get(&observation.name)));
    let ended = match trial.ended {
        Ended::Until => Text::EndedUntil,
        Ended::Settled => Text::EndedSettled,
        Ended::Cap => Text::EndedCap,
        Ended::Limit => Text::EndedLimit,
        Ended::Error => Text::EndedError,
        Ended::Cancelled => Text::EndedCancelled,
    };
    Trial {
        index: trial.trial.index + 1,
        anchor: drawn.get(&trial.trial.index).cloned().unwrap_or_default(),
        values: variables.chain(observations).collect(),
        ended: format!("{} · {}", ended.say(lang), time::span(lang, trial.duration)),
        seed: trial.trial.seed.to_string(),
        digest: trial.digest.clone(),
    }
}

/// What a person did in a trial.
fn steps_of(trace: &peapod_sim::trace::Trace) -> Vec<(String, String)> {
    let steps = trace.records.iter().filter_map(|record| match &record.what {
        What::Command { text } | What::Fault { text } => Some((record.at.to_string(), text.trim_end().to_owned())),
        _ => None,
    });
    steps.collect()
}

/// The changes of the lanes of pods and their containers, in order of time.
fn changes_of(trace: &peapod_sim::trace::Trace) -> Vec<Change> {
    use crate::timeline::{LaneKind, Scale, Timeline};
    let timeline = Timeline::new(trace, Scale::Linear);
    let mut changes: Vec<(SimTime, String, String)> = Vec::new();
    for lane in timeline
        .lanes
        .iter()
        .filter(|lane| !matches!(lane.kind, LaneKind::Ready | LaneKind::Events))
    {
        let name = [lane.name.as_str(), lane.part.as_str()]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(" ");
        changes.extend(
            lane.segments
                .iter()
                .map(|segment| (segment.from, name.clone(), segment.text.clone())),
        );
        changes.extend(lane.marks.iter().map(|mark| (mark.at, name.clone(), mark.text.clone())));
    }
    changes.sort_by_key(|(at, ..)| *at);
    changes.truncate(MAX_CHANGES);
    let shown = changes.into_iter().map(|(at, what, state)| Change {
        at: crate::timeline::axis::short(at),
        what,
        state,
    });
    shown.collect()
}
