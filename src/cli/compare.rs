//! `peapod compare`: where two trials part, and why; `peapod branch`: the same for another future of one trial.

use std::fmt::Write as _;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use peapod_sim::time::{SimDuration, SimTime};
use peapod_sim::trace::{RecordId, Trace};
use serde_json::{Value, json};

use super::keeper::Keeper;
use super::place::{self, NotePlace};
use super::{cells, run, show};
use crate::i18n::Lang;
use crate::lab::branch::{self, Deed, NoReturn};
use crate::lab::model::{Experiment, Outcome, TrialResult};
use crate::lab::{duration, said};
use crate::store::RunId;
use crate::timeline::compare::{Difference, Parting, compare};
use crate::timeline::why;

/// So many causes are shown for each side.
const CAUSES: usize = 8;

/// Compare two trials of an experiment, two runs of it, or the same trial on two versions of Kubernetes: the first thing
/// that happened in one and not in the other, and why.
#[derive(Debug, Args)]
pub struct Compare {
    /// The experiment: its note and its id.
    #[arg(value_name = "NOTE#ID")]
    note: String,
    /// Two trials of it, or one for both sides; counted from 0.
    #[arg(long, value_name = "A,B", value_delimiter = ',', default_value = "0")]
    trials: Vec<usize>,
    /// Two versions of Kubernetes.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    kubernetes: Vec<String>,
    /// Two runs that were kept, by number.
    #[arg(long, value_name = "A,B", value_delimiter = ',', conflicts_with = "kubernetes")]
    runs: Vec<i64>,
    /// Print the results as JSON.
    #[arg(long)]
    json: bool,
    /// The folder with the notes. Default: the vault around the note, or `notes`.
    #[arg(long, value_name = "FOLDER")]
    vault: Option<PathBuf>,
}

/// Show another future of a trial: the same one, in which somebody does something at an instant.
#[derive(Debug, Args)]
pub struct Branch {
    /// The experiment: its note and its id.
    #[arg(value_name = "NOTE#ID")]
    note: String,
    /// Which trial of it, counted from 0.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    trial: usize,
    /// When, since the start, such as `12s`.
    #[arg(long, value_name = "SPAN", required_unless_present = "no_return")]
    at: Option<String>,
    /// What is done: `kubectl …`, or a fault such as `{node: node-1, powerOff: true}`.
    #[arg(long = "do", value_name = "DEED")]
    deeds: Vec<String>,
    /// Look for the last instant at which one of the deeds would still have changed what comes of this claim, counted
    /// from 1.
    #[arg(long, value_name = "CLAIM", conflicts_with = "at", requires = "deeds")]
    no_return: Option<usize>,
    /// Print the results as JSON.
    #[arg(long)]
    json: bool,
    /// The folder with the notes. Default: the vault around the note, or `notes`.
    #[arg(long, value_name = "FOLDER")]
    vault: Option<PathBuf>,
}

/// One of the two that are compared.
struct Side {
    name: String,
    result: TrialResult,
    trace: Trace,
}

/// Runs `peapod compare`; 1 when the two differ, 2 when they cannot be compared.
///
/// # Errors
/// When there is no such note, cell, trial or run, or the results cannot be printed.
pub fn main(arguments: &Compare) -> anyhow::Result<ExitCode> {
    let place = place::note(&arguments.note, arguments.vault.as_deref())?;
    let (left, right) = sides(arguments, &place)?;
    let difference = compare(&left.trace, &right.trace);
    print(&left, &right, &difference, arguments.json)?;
    Ok(ExitCode::from(u8::from(!difference.is_none())))
}

/// Runs `peapod branch`; 1 when the future is another one (or there is a point of no return), 2 when it cannot be run.
///
/// # Errors
/// When there is no such note, cell, trial or claim, a deed cannot be read, or the results cannot be printed.
pub fn branch(arguments: &Branch) -> anyhow::Result<ExitCode> {
    let place = place::note(&arguments.note, arguments.vault.as_deref())?;
    let (name, experiment) = experiment(&place)?;
    let deeds: Vec<Deed> = arguments
        .deeds
        .iter()
        .map(|text| Deed::read(text).map_err(|said| anyhow::anyhow!("--do {text:?}: {said}")))
        .collect::<Result<_, _>>()?;
    if let Some(claim) = arguments.no_return {
        let Some(index) = claim.checked_sub(1) else {
            bail!("claims are counted from 1")
        };
        let found = branch::no_return(&experiment, arguments.trial, index, &deeds).map_err(first)?;
        let mut out = std::io::stdout().lock();
        match arguments.json {
            true => writeln!(out, "{}", serde_json::to_string_pretty(&found)?)?,
            false => write!(out, "{name}\n{}", no_return(&experiment, index, &found))?,
        }
        return Ok(ExitCode::from(u8::from(found.last.is_some())));
    }
    let text = arguments.at.as_deref().unwrap_or_default();
    let at = duration::parse(text).map_err(|message| anyhow::anyhow!("--at {text:?}: {message}"))?;
    let done: Vec<(SimDuration, Deed)> = deeds.into_iter().map(|deed| (at, deed)).collect();
    let side = |name: String, deeds: &[(SimDuration, Deed)]| -> anyhow::Result<Side> {
        let (result, trace) = branch::future(&experiment, arguments.trial, deeds, true).map_err(first)?;
        Ok(Side { name, result, trace })
    };
    let words: Vec<String> = done.iter().map(|(at, deed)| format!("{deed} at {at}")).collect();
    let left = side("as it is".to_owned(), &[])?;
    let right = side(
        if words.is_empty() {
            "the same".to_owned()
        } else {
            words.join(", ")
        },
        &done,
    )?;
    let difference = compare(&left.trace, &right.trace);
    print(&left, &right, &difference, arguments.json)?;
    Ok(ExitCode::from(u8::from(!difference.is_none())))
}

fn first(errors: Vec<crate::lab::model::Diagnostic>) -> anyhow::Error {
    let said: Vec<String> = errors.iter().map(ToString::to_string).collect();
    anyhow::anyhow!("{}", said.join("\n"))
}

/// The one experiment that a place means, and its name.
fn experiment(place: &NotePlace) -> anyhow::Result<(String, Experiment)> {
    let snapshot = place.workspace.snapshot();
    let Some(note) = snapshot.vault.note(&place.file) else {
        bail!("{} is gone", place.file.path)
    };
    let chosen = run::choose(note, place.cell.as_deref())?;
    let cell = match chosen.as_slice() {
        [cell] => *cell,
        several => {
            let keys: Vec<&str> = several.iter().map(|cell| cell.key.as_str()).collect();
            bail!("{} has {}: name one as NOTE#ID", note.path, keys.join(", "))
        }
    };
    let reading = cells::read(note, cell);
    let name = format!("{}#{}", note.name, cell.key);
    match reading.experiment {
        Some(experiment) => Ok((name, experiment)),
        None => {
            let said: Vec<String> = reading
                .diagnostics
                .iter()
                .map(|said| show::with_source(note, said))
                .collect();
            bail!("{}", said.concat())
        }
    }
}

/// The two sides that a command line means: a list of two, or of one for both.
fn sides(arguments: &Compare, place: &NotePlace) -> anyhow::Result<(Side, Side)> {
    fn pair<T: Clone>(of: &[T], what: &str) -> anyhow::Result<(T, T)> {
        match of {
            [one] => Ok((one.clone(), one.clone())),
            [one, two] => Ok((one.clone(), two.clone())),
            _ => bail!("--{what} takes two, such as `--{what} 0,1`"),
        }
    }
    let (one, two) = pair(&arguments.trials, "trials")?;
    if !arguments.runs.is_empty() {
        let (left, right) = pair(&arguments.runs, "runs")?;
        let keeper = Keeper::beside(place)?;
        let kept = |run: i64, trial: usize| -> anyhow::Result<Side> {
            let id = RunId(run);
            let stored = keeper.wait(keeper.store().run(id))?;
            let stored = stored.with_context(|| format!("there is no run {run}"))?;
            let result = stored
                .result
                .trials
                .into_iter()
                .find(|result| result.trial.index == trial);
            let result = result.with_context(|| format!("run {run} has no trial {trial}"))?;
            let trace = keeper.wait(keeper.store().trace(id, trial))?;
            let trace = trace.with_context(|| format!("run {run} has no trace of trial {trial}"))?;
            Ok(Side {
                name: format!("run {run}, trial {trial}"),
                result,
                trace,
            })
        };
        return Ok((kept(left, one)?, kept(right, two)?));
    }
    let (_, experiment) = experiment(place)?;
    let side = |trial: usize, version: Option<&str>| -> anyhow::Result<Side> {
        let mut own = experiment.clone();
        if let Some(version) = version {
            let Some(known) = peapod_sim::version::Version::named(version) else {
                let all: Vec<String> = peapod_sim::version::Version::all()
                    .map(|known| known.to_string())
                    .collect();
                bail!("Kubernetes {version} cannot be simulated; one of {}", all.join(", "))
            };
            own = branch::on_version(&own, trial, &known.to_string()).map_err(first)?;
        }
        let index = if version.is_some() { 0 } else { trial };
        let (result, trace) = branch::future(&own, index, &[], true).map_err(first)?;
        let mut name = format!("trial {trial}");
        if !result.trial.variables.is_empty() {
            let _ = write!(name, " ({})", show::words(&result.trial.variables));
        }
        if let Some(version) = version {
            let _ = write!(name, ", Kubernetes {version}");
        }
        Ok(Side { name, result, trace })
    };
    match arguments.kubernetes.as_slice() {
        [] => Ok((side(one, None)?, side(two, None)?)),
        [left, right] => Ok((side(one, Some(left))?, side(two, Some(right))?)),
        _ => bail!("--kubernetes takes two, such as `--kubernetes 1.28,1.36`"),
    }
}

fn print(left: &Side, right: &Side, difference: &Difference, as_json: bool) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if as_json {
        let side = |side: &Side| {
            json!({
                "name": side.name,
                "observations": side.result.observations,
                "expectations": side.result.expectations,
                "digest": side.result.digest,
            })
        };
        let told = |parting: Option<Parting>| {
            parting.map(|parting| {
                let links = |side: &Side, record| -> Vec<Value> {
                    causes(side, record)
                        .into_iter()
                        .map(|(id, at, text, rule)| json!({"record": id, "at": at.0, "text": text, "rule": rule}))
                        .collect()
                };
                json!({"at": parting.at.0, "left": links(left, parting.left), "right": links(right, parting.right)})
            })
        };
        let whole = json!({
            "same": difference.is_none(),
            "left": side(left),
            "right": side(right),
            "exact": told(difference.exact),
            "course": told(difference.course),
        });
        writeln!(out, "{}", serde_json::to_string_pretty(&whole)?)?;
        return Ok(());
    }
    write!(out, "{}", text(left, right, difference))?;
    Ok(())
}

fn text(left: &Side, right: &Side, difference: &Difference) -> String {
    let mut text = format!("A: {}\nB: {}\n\n", left.name, right.name);
    if difference.is_none() {
        text.push_str("the traces are the same, record by record\n");
        return text;
    }
    for (mark, side, ids) in [
        ("A", left, &difference.asked_left),
        ("B", right, &difference.asked_right),
    ] {
        for id in ids.iter().take(CAUSES) {
            if let Some(record) = side.trace.records.get(*id as usize) {
                let (words, _) = said::words(Lang::En, record);
                let _ = writeln!(text, "only {mark}, {}: {words}", instant(record.at));
            }
        }
    }
    let mut part = |title: &str, parting: Parting| {
        let _ = writeln!(text, "\n{title}, at {}", instant(parting.at));
        for (mark, side, record) in [("A", left, parting.left), ("B", right, parting.right)] {
            let chain = causes(side, record);
            if chain.is_empty() {
                let _ = writeln!(text, "  {mark}  nothing any more");
            }
            for (index, (_, at, words, rule)) in chain.into_iter().enumerate() {
                let mark = if index == 0 { mark } else { " " };
                let because = if index == 0 { "" } else { "← " };
                let rule = if rule.is_empty() { rule } else { format!("  [{rule}]") };
                let _ = writeln!(text, "  {mark}  {:>9}  {because}{words}{rule}", instant(at));
            }
        }
    };
    match difference.course {
        Some(parting) => part("the first that happened otherwise", parting),
        None => {
            if let Some(parting) = difference.exact {
                part("the same course; the first record that is not the same", parting);
            }
        }
    }
    let observed = &left.result.observations;
    if !observed.is_empty() {
        text.push_str("\nat the end\n");
        for name in observed.keys() {
            let value = |side: &Side| {
                side.result
                    .observations
                    .get(name)
                    .map(Value::to_string)
                    .unwrap_or_default()
            };
            let (one, two) = (value(left), value(right));
            let mark = if one == two { ' ' } else { '≠' };
            let _ = writeln!(text, "  {mark} {name}: A {one}   B {two}");
        }
    }
    text
}

/// A record and what led to it, newest first.
fn causes(side: &Side, record: Option<RecordId>) -> Vec<(RecordId, SimTime, String, String)> {
    let Some(record) = record else { return Vec::new() };
    why::chain(&side.trace, record)
        .into_iter()
        .take(CAUSES)
        .map(|(id, record)| {
            let (words, rule) = said::words(Lang::En, record);
            (id, record.at, words, rule)
        })
        .collect()
}

fn instant(at: SimTime) -> String {
    SimDuration(at.0 / 1_000_000 * 1_000_000).to_string()
}

fn no_return(experiment: &Experiment, index: usize, found: &NoReturn) -> String {
    let claim = experiment
        .expect
        .get(index)
        .map(|claim| claim.condition.text())
        .unwrap_or_default();
    let word = |outcome: Outcome| match outcome {
        Outcome::Holds => "holds",
        Outcome::Fails => "fails",
        Outcome::NotApplicable => "does not apply",
        Outcome::Undecided => "is not decided",
    };
    let mut text = format!("  as it is, `{claim}` {}\n", word(found.without.outcome));
    match &found.last {
        Some((at, deed, outcome)) => {
            let _ = writeln!(text, "  point of no return: {at}");
            let _ = writeln!(
                text,
                "  until then `{deed}` makes it so that it {}",
                word(outcome.outcome)
            );
        }
        None => text.push_str("  no deed changes that, at any of the instants\n"),
    }
    let (looked, all) = found.instants;
    let _ = writeln!(
        text,
        "  {} trials; {looked} of {all} instants at which something changed, from the end",
        found.tried
    );
    text
}
