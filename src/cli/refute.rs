//! `peapod refute`: looks for a case in which a claim is false.

use std::fmt::Write as _;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::json;

use super::{cells, place, run, show};
use crate::lab::model::{ClaimResult, Experiment, Verdict};
use crate::lab::refute::{self, Case, Refutation, Search};

/// Look for a case in which a claim is false: change fields of the manifests, let things happen to the cluster, and show
/// the smallest change that does it.
#[derive(Debug, Args)]
pub struct Refute {
    /// The experiment: its note and its id.
    #[arg(value_name = "NOTE#ID")]
    note: String,
    /// Which claim: its number in the experiment from 1, or the id of the sentence that it checks (`^id`). Default: all
    /// of which the note expects that they hold.
    #[arg(long, value_name = "CLAIM")]
    claim: Option<String>,
    /// Show all single changes that make it false, not only the first.
    #[arg(long)]
    all: bool,
    /// At most so many trials for a claim.
    #[arg(long, value_name = "NUMBER", default_value_t = crate::lab::limit::REFUTE_TRIES)]
    tries: usize,
    /// Print the results as JSON.
    #[arg(long)]
    json: bool,
    /// The folder with the notes. Default: the vault around the note, or `notes`.
    #[arg(long, value_name = "FOLDER")]
    vault: Option<PathBuf>,
    /// At most so many threads. Results do not depend on it.
    #[arg(long, value_name = "NUMBER")]
    threads: Option<usize>,
}

/// Runs the command; 1 when a case was found in which a claim is false, 2 when the cell cannot be read.
///
/// # Errors
/// When there is no such note, cell or claim, or the results cannot be printed.
pub fn main(arguments: &Refute) -> anyhow::Result<ExitCode> {
    let place = place::note(&arguments.note, arguments.vault.as_deref())?;
    let snapshot = place.workspace.snapshot();
    let Some(note) = snapshot.vault.note(&place.file) else {
        bail!("{} is gone", place.file.path)
    };
    let mut out = std::io::stdout().lock();
    let mut refuted = false;
    let mut shown = Vec::new();
    for cell in run::choose(note, place.cell.as_deref())? {
        let reading = cells::read(note, cell);
        let Some(experiment) = reading.experiment else {
            for diagnostic in &reading.diagnostics {
                write!(out, "{}", show::with_source(note, diagnostic))?;
            }
            return Ok(ExitCode::from(2));
        };
        let mut search = Search {
            tries: arguments.tries,
            all: arguments.all,
            ..Search::default()
        };
        if let Some(threads) = arguments.threads {
            search.threads = threads.max(1);
        }
        for index in
            claims(&experiment, arguments.claim.as_deref()).with_context(|| format!("{}#{}", note.name, cell.key))?
        {
            let found = match refute::refute(&experiment, index, &search) {
                Ok(found) => found,
                Err(errors) => {
                    for error in &errors {
                        write!(out, "{}", show::with_source(note, &error.clone().in_file(&note.path)))?;
                    }
                    return Ok(ExitCode::from(2));
                }
            };
            refuted |= found.case.is_some();
            let sentence = experiment.expect.get(index).map(|expectation| {
                let claim = ClaimResult {
                    claim: expectation.claim.clone(),
                    block: expectation.block.clone(),
                    of: None,
                    keyword: expectation.condition.keyword().to_owned(),
                    condition: expectation.condition.text(),
                    when: None,
                    expected: expectation.expected,
                    verdict: Verdict::Unchecked,
                    as_expected: false,
                    trials_for: 0,
                    trials_against: 0,
                    counter_example: None,
                    rule: None,
                    place: expectation.place,
                };
                show::sentence(note, &claim)
            });
            let sentence = sentence.unwrap_or_default();
            if arguments.json {
                shown.push(json!({"note": note.path, "cell": cell.key, "claim": sentence, "refutation": found}));
            } else {
                write!(out, "{}#{}\n{}", note.name, cell.key, text(&sentence, &found))?;
            }
        }
    }
    if arguments.json {
        serde_json::to_writer_pretty(&mut out, &shown)?;
        writeln!(out)?;
    }
    Ok(if refuted { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// The expectations that are meant.
fn claims(experiment: &Experiment, wanted: Option<&str>) -> anyhow::Result<Vec<usize>> {
    let count = experiment.expect.len();
    let Some(wanted) = wanted else {
        let all = experiment.expect.iter().enumerate();
        let meant: Vec<usize> = all
            .filter(|(_, expectation)| expectation.expected == Verdict::Holds)
            .map(|(index, _)| index)
            .collect();
        if meant.is_empty() {
            bail!("no claim of it is expected to hold; `--claim NUMBER` names one");
        }
        return Ok(meant);
    };
    let block = wanted.trim_start_matches('^');
    let named = experiment
        .expect
        .iter()
        .position(|expectation| expectation.block.as_deref() == Some(block));
    let numbered = || {
        wanted
            .parse::<usize>()
            .ok()
            .filter(|number| (1..=count).contains(number))
            .map(|number| number - 1)
    };
    match named.or_else(numbered) {
        Some(index) => Ok(vec![index]),
        None => bail!("there is no claim {wanted:?}; it has {count}, counted from 1"),
    }
}

fn text(sentence: &str, found: &Refutation) -> String {
    let mut text = String::new();
    let tried = match found.tried {
        1 => "1 trial".to_owned(),
        tried => format!("{tried} trials"),
    };
    match &found.case {
        None => {
            let _ = writeln!(text, "  ✓ not refuted  {sentence}");
            let how = match (found.depth, found.complete) {
                (0, _) => "it applies to no trial".to_owned(),
                (1, true) => format!("each of {} changes by itself", found.changes),
                (1, false) => format!("some of {} changes by themselves", found.changes),
                (_, true) => format!("all of {} changes, and all pairs of them", found.changes),
                _ => format!("each of {} changes by itself, and some pairs of them", found.changes),
            };
            let _ = writeln!(text, "    {tried}: {how}");
            if !found.complete {
                let _ = writeln!(text, "    that is the limit; `--tries` raises it");
            }
        }
        Some(case) => {
            let _ = writeln!(text, "  ✗ refuted      {sentence}");
            text.push_str(&of_case(case));
            for manifest in &case.manifests {
                for line in manifest.lines() {
                    let _ = writeln!(text, "      | {line}");
                }
            }
            let _ = writeln!(text, "    {tried}, of {} changes", found.changes);
            for other in &found.others {
                text.push_str("    also:\n");
                text.push_str(&of_case(other));
            }
        }
    }
    text.push('\n');
    text
}

fn of_case(case: &Case) -> String {
    let mut text = String::new();
    if !case.trial.variables.is_empty() {
        let _ = writeln!(text, "    with {}", show::words(&case.trial.variables));
    }
    if case.changes.is_empty() {
        text.push_str("    as it stands, without a change\n");
    }
    for change in &case.changes {
        let _ = writeln!(text, "    {change}");
    }
    let _ = writeln!(text, "    → {}", case.outcome.message);
    text
}
