//! Another future of a trial: the same one, in which somebody does something else at an instant.

use peapod_sim::time::{SimDuration, SimTime};
use peapod_sim::trace::Trace;
use serde::Serialize;

use super::model::{Action, Diagnostic, ExpectationOutcome, Experiment, FaultSpec, Place, Trial, TrialResult};
use super::refute::{aside, bound, plain};
use super::runner::Cancel;
use super::{limit, program, read, trial, trials};

/// What somebody does.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Deed {
    /// A `kubectl` line, without the word.
    Kubectl(String),
    /// A fault.
    Fault(FaultSpec),
}

impl Deed {
    /// What is written as `kubectl …` or as a fault of an experiment, `{node: node-1, powerOff: true}`.
    ///
    /// # Errors
    /// What is wrong with it, in the words of the experiment language.
    pub fn read(text: &str) -> Result<Self, Diagnostic> {
        let text = text.trim();
        if let Some(line) = text.strip_prefix("kubectl ") {
            let line = line.trim().to_owned();
            return match peapod_kubectl::Command::parse(&line) {
                Ok(_) => Ok(Self::Kubectl(line)),
                Err(error) => Err(Diagnostic::error("branch.kubectl", error.to_string().trim_end())),
            };
        }
        let text = text.strip_prefix("fault:").unwrap_or(text).trim();
        // The reader of experiments knows the faults; read alone, its places would be those of no text that is there.
        let reading = read(&format!("steps:\n- fault: {}\n", text.replace('\n', " ")), None, 1);
        let step = reading
            .experiment
            .and_then(|experiment| experiment.steps.into_iter().next());
        match step.map(|step| step.action) {
            Some(Action::Fault { fault }) => Ok(Self::Fault(fault)),
            _ => {
                let said = reading.diagnostics.into_iter().next();
                let mut said = said.unwrap_or_else(|| Diagnostic::error("branch.fault", "this is no fault"));
                (said.line, said.column) = (0, 0);
                Err(said.hint("`kubectl …`, or a fault such as `{node: node-1, powerOff: true}`"))
            }
        }
    }

    fn action(&self) -> Action {
        match self {
            Self::Kubectl(line) => Action::Kubectl {
                text: plain(line),
                place: Place::default(),
            },
            Self::Fault(fault) => Action::Fault { fault: fault.clone() },
        }
    }
}

impl std::fmt::Display for Deed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Kubectl(line) => write!(f, "kubectl {line}"),
            Self::Fault(fault) => f.write_str(&program::fault_words(fault)),
        }
    }
}

/// Runs one trial of an experiment in which these things are done besides, with its trace.
///
/// # Errors
/// When the experiment cannot run or has no such trial.
pub fn future(
    experiment: &Experiment,
    index: usize,
    deeds: &[(SimDuration, Deed)],
    traced: bool,
) -> Result<(TrialResult, Trace), Vec<Diagnostic>> {
    let chosen = chosen(experiment, index)?;
    let mut own = bound(experiment, &chosen);
    own.steps
        .extend(deeds.iter().map(|(at, deed)| aside(*at, deed.action())));
    let mut program = program::compile(&own)?;
    program.traced = traced;
    let (mut result, trace, _) = trial::run(&program, &chosen, &Cancel::new());
    result.trial = chosen;
    Ok((result, trace))
}

fn chosen(experiment: &Experiment, index: usize) -> Result<Trial, Vec<Diagnostic>> {
    let all = trials(experiment).map_err(|error| vec![error])?;
    let count = all.len();
    all.into_iter().nth(index).ok_or_else(|| {
        let message = format!("there is no trial {index}; it has {count}, counted from 0");
        vec![Diagnostic::error("branch.trial", message)]
    })
}

/// The experiment with one trial only, on another version of Kubernetes.
///
/// # Errors
/// When there is no such trial.
pub fn on_version(experiment: &Experiment, index: usize, version: &str) -> Result<Experiment, Vec<Diagnostic>> {
    let mut own = bound(experiment, &chosen(experiment, index)?);
    own.kubernetes = vec![version.to_owned()];
    if let Some(variable) = own.variables.iter_mut().find(|variable| variable.name == "kubernetes") {
        variable.values = vec![version.into()];
    }
    Ok(own)
}

/// The last instant at which one of some deeds would still have changed what comes of a claim.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NoReturn {
    /// What comes of it as it is.
    pub without: ExpectationOutcome,
    /// The last instant, which deed, and what would have come of it; none where nothing changes it.
    pub last: Option<(SimDuration, Deed, ExpectationOutcome)>,
    /// How many trials were made.
    pub tried: usize,
    /// How many instants at which something changed were looked at, and how many there are.
    pub instants: (usize, usize),
}

/// Looks for the point of no return: from the end, at each instant after something changed, and then between that and the
/// next change to the millisecond.
///
/// # Errors
/// When the experiment cannot run, or has no such trial or claim.
pub fn no_return(
    experiment: &Experiment,
    index: usize,
    expectation: usize,
    deeds: &[Deed],
) -> Result<NoReturn, Vec<Diagnostic>> {
    let (result, trace) = future(experiment, index, &[], true)?;
    let Some(without) = result.expectations.get(expectation).cloned() else {
        let message = format!("the experiment has {} claims", experiment.expect.len());
        return Err(vec![Diagnostic::error("branch.claim", message)]);
    };
    let mut tried = 1;
    let mut flips = |at: SimDuration| -> Result<Option<(SimDuration, Deed, ExpectationOutcome)>, Vec<Diagnostic>> {
        for deed in deeds {
            tried += 1;
            let (result, _) = future(experiment, index, &[(at, deed.clone())], false)?;
            if let Some(outcome) = result.expectations.into_iter().nth(expectation)
                && outcome.outcome != without.outcome
            {
                return Ok(Some((at, deed.clone(), outcome)));
            }
        }
        Ok(None)
    };
    let millis = |at: SimTime| at.0.div_ceil(1_000_000);
    let mut changes: Vec<u64> = trace.versions.iter().map(|version| millis(version.at)).collect();
    changes.insert(0, 0);
    changes.dedup();
    let all = changes.len();
    // The end of the trial bounds the last stretch.
    let end = millis(trace.end);
    let spread: Vec<u64> = match all > limit::NO_RETURN_INSTANTS {
        true => (0..limit::NO_RETURN_INSTANTS)
            .filter_map(|at| changes.get(at * (all - 1) / (limit::NO_RETURN_INSTANTS - 1)).copied())
            .collect(),
        false => changes,
    };
    let (mut last, mut looked, mut next) = (None, 0, end);
    for at in spread.iter().rev() {
        looked += 1;
        if let Some(found) = flips(SimDuration::from_millis(*at))? {
            let (mut low, mut high) = (*at, next);
            last = Some(found);
            while high > low + 1 {
                let middle = low + (high - low) / 2;
                match flips(SimDuration::from_millis(middle))? {
                    Some(found) => {
                        low = middle;
                        last = Some(found);
                    }
                    None => high = middle,
                }
            }
            break;
        }
        next = *at;
    }
    Ok(NoReturn {
        without,
        last,
        tried,
        instants: (looked, all),
    })
}
