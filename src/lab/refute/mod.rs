//! Search for counter-examples: changes what an experiment leaves open until one of its claims is false, and says how
//! little has to be changed.
//!
//! All single changes are tried before any two at once, so that a case with one change is found if there is one. What is
//! tried depends on the experiment alone, never on time or threads.

pub mod path;
mod space;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use indexmap::IndexMap;
use peapod_sim::manifest;
use peapod_sim::time::SimDuration;
use serde::Serialize;
use serde_json::Value;

use super::model::{
    Action, Diagnostic, ExpectationOutcome, Experiment, FaultSpec, OrElse, Outcome, Place, Step, Timing, Trial,
    Variable,
};
use super::program::{self, Program};
use super::runner::Cancel;
use super::{limit, trial, trials};

/// So many trials of an experiment are varied: those to which the claim applies, spread over all of them.
const BASES: usize = 3;

/// So many variations are tried before the first of them that makes the claim false is taken.
const BATCH: usize = 32;

/// A field of a manifest that has another value.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Field {
    /// Index of the step that applies the manifest.
    pub step: usize,
    /// Index of the document in the manifest.
    pub document: usize,
    /// Kind and name of the object.
    pub object: String,
    /// The path.
    pub path: Vec<String>,
    /// The value in the note; `Null` when the field is not there.
    pub from: Value,
    /// The value here; `Null` when the field is taken out.
    pub to: Value,
}

/// One difference between the note and a case.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Change {
    /// A field has another value.
    Field(Field),
    /// Something happens to the cluster.
    Fault {
        /// When, since the start.
        at: SimDuration,
        /// What.
        fault: FaultSpec,
    },
    /// Somebody types a command.
    Command {
        /// When, since the start.
        at: SimDuration,
        /// The line, without the word `kubectl`.
        line: String,
    },
    /// Another version of Kubernetes.
    Kubernetes {
        /// Which.
        to: String,
    },
    /// Another seed.
    Seed {
        /// Which.
        to: u64,
    },
}

impl Change {
    /// Whether two changes are about the same thing, so that they do not go together.
    fn excludes(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Field(one), Self::Field(two)) => {
                (one.step, one.document) == (two.step, two.document)
                    && (one.path.starts_with(&two.path) || two.path.starts_with(&one.path))
            }
            (Self::Kubernetes { .. }, Self::Kubernetes { .. }) | (Self::Seed { .. }, Self::Seed { .. }) => true,
            _ => self == other,
        }
    }
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Field(field) => {
                let path = shown(&field.path);
                match (&field.from, &field.to) {
                    (Value::Null, to) => write!(f, "{}: {path}: {to} (added)", field.object),
                    (from, Value::Null) => write!(f, "{}: {path} taken out (it was {from})", field.object),
                    (Value::Array(from), Value::Array(to)) if to.starts_with(from) => {
                        let added: Vec<String> = to.iter().skip(from.len()).map(Value::to_string).collect();
                        write!(f, "{}: {path} has {} besides", field.object, added.join(", "))
                    }
                    (from, to) => write!(f, "{}: {path}: {from} → {to}", field.object),
                }
            }
            Self::Fault { at, fault } => {
                write!(f, "at {at}: {}", program::fault_words(fault))
            }
            Self::Command { at, line } => write!(f, "at {at}: kubectl {line}"),
            Self::Kubernetes { to } => write!(f, "Kubernetes {to}"),
            Self::Seed { to } => write!(f, "seed {to}"),
        }
    }
}

impl Field {
    /// The path as it is written.
    pub fn path_text(&self) -> String {
        shown(&self.path)
    }
}

/// A path as it is written: what has dots or stands for an item of a list is in brackets.
fn shown(parts: &[String]) -> String {
    let mut text = String::new();
    let mut after_list = false;
    for part in parts {
        let bracket = after_list || part.contains(['.', '/']) || part.parse::<usize>().is_ok();
        if bracket {
            text.push_str(&format!("[{part}]"));
        } else {
            if !text.is_empty() {
                text.push('.');
            }
            text.push_str(part);
        }
        after_list = matches!(
            part.as_str(),
            "containers" | "initContainers" | "ephemeralContainers" | "volumes"
        );
    }
    text
}

/// A case in which a claim is false.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Case {
    /// The trial of the experiment that was changed.
    pub trial: Trial,
    /// What was changed; nothing when the trial itself shows it.
    pub changes: Vec<Change>,
    /// What came out.
    pub outcome: ExpectationOutcome,
    /// The manifests that were changed, as they are in this case.
    pub manifests: Vec<String>,
}

/// What the search for one claim gave.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Refutation {
    /// Index of the expectation.
    pub expectation: usize,
    /// The smallest case in which it is false, if there is one.
    pub case: Option<Case>,
    /// Other single changes that make it false as well, if they were asked for.
    pub others: Vec<Case>,
    /// How many trials were made.
    pub tried: usize,
    /// How many different changes there are.
    pub changes: usize,
    /// At most so many changes at once were tried.
    pub depth: usize,
    /// Whether everything up to [`Refutation::depth`] was tried.
    pub complete: bool,
}

/// How to look.
#[derive(Clone, Debug)]
pub struct Search {
    /// At most so many trials, unless the experiment says it.
    pub tries: usize,
    /// Whether all single changes are tried, also when a case has been found.
    pub all: bool,
    /// At most so many threads.
    pub threads: usize,
    /// Stops the search.
    pub cancel: Cancel,
}

impl Default for Search {
    fn default() -> Self {
        Self {
            tries: limit::REFUTE_TRIES,
            all: false,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            cancel: Cancel::new(),
        }
    }
}

/// Looks for a case in which an expectation of an experiment is false.
///
/// # Errors
/// When the experiment cannot run, or has no such expectation.
pub fn refute(experiment: &Experiment, expectation: usize, search: &Search) -> Result<Refutation, Vec<Diagnostic>> {
    if expectation >= experiment.expect.len() {
        let message = format!("the experiment has {} claims", experiment.expect.len());
        return Err(vec![Diagnostic::error("refute.claim", message)]);
    }
    let mut program = program::compile(experiment)?;
    program.traced = false;
    let all = trials(experiment).map_err(|error| vec![error])?;
    let applies = |trial: &&Trial| {
        let when = program.expect.get(expectation).and_then(|expect| expect.when.as_ref());
        program::applies(when, &trial.variables)
    };
    let applying: Vec<&Trial> = all.iter().filter(applies).collect();
    let mut found = Refutation {
        expectation,
        case: None,
        others: Vec::new(),
        tried: 0,
        changes: 0,
        depth: 0,
        complete: true,
    };
    let tries = experiment.refute.tries.map_or(search.tries, |tries| tries as usize);
    let hunt = Hunt {
        search,
        expectation,
        tries,
    };
    // The experiment itself comes first: what it shows needs no change.
    let own: Vec<Attempt> = applying
        .iter()
        .map(|trial| Attempt {
            trial,
            changes: Vec::new(),
            experiment: None,
        })
        .collect();
    let shared = Arc::new(program);
    if hunt.over(&shared, own.into_iter(), &mut found) || applying.is_empty() {
        return Ok(found);
    }
    let last = applying.len() - 1;
    let mut bases: Vec<&Trial> = (0..BASES.min(applying.len()))
        .filter_map(|index| {
            applying
                .get(index * last / (BASES.min(applying.len()).max(2) - 1))
                .copied()
        })
        .collect();
    bases.dedup();
    let spaces: Vec<(Experiment, &Trial, Vec<Change>)> = bases
        .into_iter()
        .map(|base| {
            let mut traced = (*shared).clone();
            traced.traced = true;
            let (_, trace, _) = trial::run(&traced, base, &search.cancel);
            (bound(experiment, base), base, space::changes(&shared, base, &trace))
        })
        .collect();
    found.changes = spaces.iter().map(|(_, _, changes)| changes.len()).max().unwrap_or(0);
    found.depth = 1;
    let attempt = |space: usize, picked: &[usize]| -> Option<Attempt<'_>> {
        let (bound, base, changes) = spaces.get(space)?;
        let picked: Vec<Change> = picked.iter().filter_map(|index| changes.get(*index).cloned()).collect();
        Some(Attempt {
            trial: base,
            experiment: Some(varied(bound, base, &picked)?),
            changes: picked,
        })
    };
    let count = found.changes;
    let singles = (0..count).flat_map(|index| (0..spaces.len()).map(move |space| (space, vec![index])));
    let singles = singles.filter(|(space, picked)| {
        let (_, _, changes) = &spaces[*space];
        picked.iter().all(|index| *index < changes.len())
    });
    if !hunt.over(
        &shared,
        singles.filter_map(|(space, picked)| attempt(space, &picked)),
        &mut found,
    ) && found.complete
    {
        found.depth = 2;
        // Along the diagonals, so that changes of all kinds meet soon.
        let pairs = (1..2 * count).flat_map(|sum| (0..sum.div_ceil(2)).map(move |one| (one, sum - one)));
        let pairs = pairs
            .filter(|(_, two)| *two < count)
            .flat_map(|(one, two)| (0..spaces.len()).map(move |space| (space, one, two)))
            .filter(|(space, one, two)| {
                let changes = &spaces[*space].2;
                matches!((changes.get(*one), changes.get(*two)), (Some(one), Some(two)) if !one.excludes(two))
            })
            .filter_map(|(space, one, two)| attempt(space, &[one, two]));
        hunt.over(&shared, pairs, &mut found);
    }
    if let Some(case) = found.case.take() {
        let base = bound(experiment, &case.trial);
        found.case = Some(hunt.shrink(&base, case, &mut found.tried));
    }
    Ok(found)
}

/// One variation that is tried.
struct Attempt<'a> {
    trial: &'a Trial,
    changes: Vec<Change>,
    /// What is run; the experiment as it stands if nothing is changed.
    experiment: Option<Experiment>,
}

struct Hunt<'s> {
    search: &'s Search,
    expectation: usize,
    tries: usize,
}

impl Hunt<'_> {
    /// Tries variations in their order until one makes the claim false; says whether one did.
    fn over<'a>(
        &self,
        program: &Arc<Program>,
        mut attempts: impl Iterator<Item = Attempt<'a>>,
        found: &mut Refutation,
    ) -> bool {
        let own = found.depth == 0;
        loop {
            let batch: Vec<Attempt<'_>> = attempts.by_ref().take(BATCH).collect();
            if batch.is_empty() {
                break;
            }
            if self.search.cancel.is_cancelled() || (!own && found.tried + batch.len() > self.tries) {
                found.complete = false;
                break;
            }
            let outcomes = self.batch(program, &batch);
            found.tried += batch.len();
            for (attempt, outcome) in batch.into_iter().zip(outcomes) {
                let Some(outcome) = outcome.filter(|outcome| outcome.outcome == Outcome::Fails) else {
                    continue;
                };
                let case = Case {
                    trial: attempt.trial.clone(),
                    manifests: attempt
                        .experiment
                        .as_ref()
                        .map(|it| manifests(it, &attempt.changes))
                        .unwrap_or_default(),
                    changes: attempt.changes,
                    outcome,
                };
                match &found.case {
                    None => found.case = Some(case),
                    Some(_) => found.others.push(case),
                }
            }
            if found.case.is_some() && !(self.search.all && found.depth == 1) {
                found.others.clear();
                break;
            }
        }
        found.case.is_some()
    }

    fn batch(&self, program: &Arc<Program>, batch: &[Attempt<'_>]) -> Vec<Option<ExpectationOutcome>> {
        let next = AtomicUsize::new(0);
        let mut outcomes: Vec<Option<ExpectationOutcome>> = vec![None; batch.len()];
        let done: Vec<(usize, Option<ExpectationOutcome>)> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..self.search.threads.clamp(1, batch.len().max(1)))
                .map(|_| {
                    scope.spawn(|| {
                        let mut mine = Vec::new();
                        loop {
                            let index = next.fetch_add(1, Ordering::Relaxed);
                            let Some(attempt) = batch.get(index) else { return mine };
                            mine.push((index, self.one(program, attempt)));
                        }
                    })
                })
                .collect();
            workers
                .into_iter()
                .filter_map(|worker| worker.join().ok())
                .flatten()
                .collect()
        });
        for (index, outcome) in done {
            if let Some(slot) = outcomes.get_mut(index) {
                *slot = outcome;
            }
        }
        outcomes
    }

    /// What one variation gives for the claim; nothing where it cannot run.
    fn one(&self, program: &Arc<Program>, attempt: &Attempt<'_>) -> Option<ExpectationOutcome> {
        let run = std::panic::AssertUnwindSafe(|| {
            let result = match &attempt.experiment {
                None => trial::run(program, attempt.trial, &self.search.cancel).0,
                Some(experiment) => {
                    let mut own = program::compile(experiment).ok()?;
                    own.traced = false;
                    let trial = trials(experiment).ok()?.into_iter().next()?;
                    trial::run(&own, &trial, &self.search.cancel).0
                }
            };
            // A case that ends with an error shows nothing about the claim.
            match result.error {
                None => result.expectations.into_iter().nth(self.expectation),
                Some(_) => None,
            }
        });
        std::panic::catch_unwind(run).ok().flatten()
    }

    /// The same case with less: fewer changes, numbers nearer to the note's, earlier and rounder instants.
    fn shrink(&self, base: &Experiment, mut case: Case, tried: &mut usize) -> Case {
        let attempt = |changes: &[Change], tried: &mut usize| -> Option<Case> {
            let experiment = varied(base, &case.trial, changes)?;
            *tried += 1;
            let manifests = manifests(&experiment, changes);
            let attempt = Attempt {
                trial: &case.trial,
                changes: changes.to_vec(),
                experiment: Some(experiment),
            };
            let program = Arc::new(program::compile(base).ok()?);
            let outcome = self.one(&program, &attempt)?;
            (outcome.outcome == Outcome::Fails).then(|| Case {
                trial: case.trial.clone(),
                changes: changes.to_vec(),
                outcome,
                manifests,
            })
        };
        let mut best: Option<Case> = None;
        let mut changes = case.changes.clone();
        let mut index = 0;
        while changes.len() > 1 && index < changes.len() {
            let mut fewer = changes.clone();
            fewer.remove(index);
            match attempt(&fewer, tried) {
                Some(smaller) => {
                    changes = fewer;
                    best = Some(smaller);
                }
                None => index += 1,
            }
        }
        for index in 0..changes.len() {
            // Each smaller one is nearer to the note than the one before, so this ends.
            'smaller: loop {
                for smaller in changes.get(index).map(smaller).unwrap_or_default() {
                    let mut other = changes.clone();
                    if let Some(slot) = other.get_mut(index) {
                        *slot = smaller;
                    }
                    if let Some(found) = attempt(&other, tried) {
                        changes = other;
                        best = Some(found);
                        continue 'smaller;
                    }
                }
                break;
            }
        }
        if let Some(best) = best {
            case = best;
        }
        case
    }
}

/// Changes that are the same but smaller, the smallest first.
fn smaller(change: &Change) -> Vec<Change> {
    let earlier = |at: SimDuration| -> Vec<SimDuration> {
        [0, 1, 5, 10, 30, 60]
            .into_iter()
            .map(SimDuration::from_secs)
            .filter(|round| *round < at)
            .collect()
    };
    match change {
        Change::Field(field) => {
            let (Some(from), Some(to)) = (field.from.as_i64(), field.to.as_i64()) else {
                return Vec::new();
            };
            let step = |value: i64| {
                Change::Field(Field {
                    to: value.into(),
                    ..field.clone()
                })
            };
            let middle = from + (to - from) / 2;
            let next = if to > from { to - 1 } else { to + 1 };
            let mut found = Vec::new();
            if middle != from && middle != to {
                found.push(step(middle));
            }
            if next != from && next != middle {
                found.push(step(next));
            }
            found
        }
        Change::Fault { at, fault } => earlier(*at)
            .into_iter()
            .map(|at| Change::Fault {
                at,
                fault: fault.clone(),
            })
            .collect(),
        Change::Command { at, line } => earlier(*at)
            .into_iter()
            .map(|at| Change::Command { at, line: line.clone() })
            .collect(),
        Change::Kubernetes { .. } | Change::Seed { .. } => Vec::new(),
    }
}

/// The experiment with one trial only.
pub fn bound(experiment: &Experiment, trial: &Trial) -> Experiment {
    let variable = |(name, value): (&String, &Value)| Variable {
        name: name.clone(),
        values: vec![value.clone()],
    };
    Experiment {
        kubernetes: vec![trial.kubernetes.clone()],
        variables: trial.variables.iter().map(variable).collect(),
        include: Vec::new(),
        exclude: Vec::new(),
        seed: trial.seed,
        schedules: 1,
        ..experiment.clone()
    }
}

/// The experiment of a case, with its one trial; `None` where its changes cannot be made any more.
pub fn case_of(experiment: &Experiment, case: &Case) -> Option<Experiment> {
    varied(&bound(experiment, &case.trial), &case.trial, &case.changes)
}

/// The experiment with changes; `None` where they cannot be made.
fn varied(base: &Experiment, trial: &Trial, changes: &[Change]) -> Option<Experiment> {
    let mut experiment = base.clone();
    // The manifests that are changed, by their step.
    let mut changed: IndexMap<usize, Vec<Value>> = IndexMap::new();
    for change in changes {
        match change {
            Change::Field(field) => {
                let documents = match changed.get_mut(&field.step) {
                    Some(documents) => documents,
                    None => {
                        let program = program::compile(base).ok()?;
                        let template = program.steps.get(field.step)?.templates.first()?;
                        let manifests = manifest::read(&template.render(&trial.variables).text).ok()?;
                        let values = manifests.into_iter().map(|manifest| manifest.value).collect();
                        changed.entry(field.step).or_insert(values)
                    }
                };
                if !path::set(documents.get_mut(field.document)?, &field.path, &field.to) {
                    return None;
                }
            }
            Change::Fault { at, fault } => experiment
                .steps
                .push(aside(*at, Action::Fault { fault: fault.clone() })),
            Change::Command { at, line } => experiment.steps.push(aside(
                *at,
                Action::Kubectl {
                    text: plain(line),
                    place: Place::default(),
                },
            )),
            Change::Kubernetes { to } => experiment.kubernetes = vec![to.clone()],
            Change::Seed { to } => experiment.seed = *to,
        }
    }
    for (step, documents) in changed {
        let texts: Vec<String> = documents
            .iter()
            .map(|document| verbatim(&document.to_string()))
            .collect();
        if let Action::Apply { text, .. } = &mut experiment.steps.get_mut(step)?.action {
            *text = texts.join("\n---\n");
        }
    }
    Some(experiment)
}

/// A step that somebody else does, in another terminal.
pub fn aside(at: SimDuration, action: Action) -> Step {
    Step {
        when: None,
        timing: Timing::Aside(at),
        action,
        or_else: OrElse::Continue,
        place: Place::default(),
    }
}

/// A text that a template leaves as it is. In JSON two braces that open are only ever inside of quotes.
fn verbatim(text: &str) -> String {
    text.replace("{{", "\\u007b\\u007b")
}

/// A line as a template that gives it.
pub fn plain(line: &str) -> String {
    line.replace("{{", "{{ '{{' }}")
}

/// The manifests that were changed, as YAML.
fn manifests(experiment: &Experiment, changes: &[Change]) -> Vec<String> {
    let mut seen: Vec<(usize, usize)> = Vec::new();
    for change in changes {
        if let Change::Field(field) = change
            && !seen.contains(&(field.step, field.document))
        {
            seen.push((field.step, field.document));
        }
    }
    seen.into_iter()
        .filter_map(|(step, document)| {
            let Action::Apply { text, .. } = &experiment.steps.get(step)?.action else {
                return None;
            };
            let value = manifest::read(text).ok()?.into_iter().nth(document)?.value;
            serde_yaml::to_string(&value).ok()
        })
        .collect()
}
