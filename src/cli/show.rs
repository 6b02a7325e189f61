//! Results as text for a terminal: verdicts, the grid of outcomes, the rules.

use std::fmt::Write as _;

use peapod_sim::time::SimDuration;
use peapod_vault::{Cell, Note};
use serde_json::Value;

use super::cells::Outcome;
use crate::lab::model::{Assignment, ClaimResult, DecisionTable, Diagnostic, RunResult, TrialResult, Verdict};

/// Rows of a grid that are shown.
const MAX_ROWS: usize = 40;

/// Everything about a cell that was run.
pub fn outcome(note: &Note, cell: &Cell, outcome: &Outcome) -> String {
    let mut text = format!("{}#{}\n", note.name, cell.key);
    for diagnostic in &outcome.diagnostics {
        text.push_str(&with_source(note, diagnostic));
    }
    let Some(result) = &outcome.result else {
        text.push('\n');
        return text;
    };
    let experiment = &result.experiment;
    if experiment.title != experiment.id {
        let _ = writeln!(text, "{}", experiment.title);
    }
    let count = result.trials.len();
    let virtual_time = result
        .trials
        .iter()
        .fold(0_u64, |total, trial| total.saturating_add(trial.duration.0));
    let _ = writeln!(
        text,
        "{count} {} · Kubernetes {} · {} of virtual time in {:.0?}\n",
        if count == 1 { "trial" } else { "trials" },
        experiment.kubernetes.join(", "),
        short(SimDuration(virtual_time)),
        outcome.took,
    );
    for claim in &result.claims {
        text.push_str(&verdict(note, claim, result));
    }
    if !result.claims.is_empty() {
        text.push('\n');
    }
    for table in &result.tables {
        text.push_str(&grid(table));
        text.push('\n');
    }
    if result.tables.is_empty() {
        for trial in &result.trials {
            for (name, value) in &trial.observations {
                let _ = writeln!(text, "  {name} = {}", word(value));
            }
        }
    }
    let mut said: Vec<&str> = Vec::new();
    for trial in &result.trials {
        if let Some(error) = &trial.error {
            let _ = writeln!(
                text,
                "trial {} ({}): {error}",
                trial.trial.index,
                words(&trial.trial.variables)
            );
        }
        for notice in &trial.notices {
            if !said.contains(&notice.as_str()) {
                said.push(notice);
            }
        }
    }
    for notice in said {
        let _ = writeln!(text, "note: {notice}");
    }
    text.push('\n');
    text
}

/// What is not as a cell says; nothing when all is.
pub fn complaints(note: &Note, cell: &Cell, outcome: &Outcome) -> String {
    let mut text = String::new();
    for diagnostic in &outcome.diagnostics {
        text.push_str(&with_source(note, diagnostic));
    }
    let Some(result) = &outcome.result else { return text };
    for claim in result.claims.iter().filter(|claim| !claim.as_expected) {
        let (line, column) = (claim.place.line, claim.place.column);
        let _ = writeln!(
            text,
            "{}:{line}:{column}: {}: {}",
            note.path,
            cell.key,
            sentence(note, claim)
        );
        for line in claim_message(claim, result).lines() {
            let _ = writeln!(text, "    {line}");
        }
    }
    for trial in &result.trials {
        if let Some(error) = &trial.error {
            let _ = write!(text, "{}", with_source(note, &error.clone().in_file(&note.path)));
            if !trial.trial.variables.is_empty() {
                let _ = writeln!(text, "    in the trial with {}", words(&trial.trial.variables));
            }
        }
    }
    text
}

/// The sentence that a claim checks.
pub fn sentence(note: &Note, claim: &ClaimResult) -> String {
    let block = claim.block.as_deref();
    let own = block
        .and_then(|block| note.block(block))
        .map(|block| block.text.trim().replace('\n', " "));
    own.or_else(|| block.map(|block| format!("^{block}")))
        .or_else(|| (!claim.claim.is_empty()).then(|| claim.claim.clone()))
        .unwrap_or_else(|| format!("{} {}", claim.keyword, claim.condition))
}

/// What came out for a claim, and what shows it.
pub fn claim_message(claim: &ClaimResult, result: &RunResult) -> String {
    let mut text = format!(
        "{}, and the note expects that it {}",
        verdict_words(claim),
        expected_words(claim.expected)
    );
    if let Some(rule) = &claim.rule {
        let _ = write!(text, "\nit holds where {rule}");
    }
    if let Some(counter) = &claim.counter_example {
        let trial = result.trials.iter().find(|trial| trial.trial.index == counter.trial);
        let _ = write!(text, "\n{}{}", trial_words(trial), counter.message);
    }
    text
}

fn verdict_words(claim: &ClaimResult) -> String {
    let total = claim.trials_for + claim.trials_against;
    match claim.verdict {
        Verdict::Holds => format!("it holds in all {total} trials"),
        Verdict::Fails if total == 1 => "it does not hold".to_owned(),
        Verdict::Fails => format!("it holds in none of {total} trials"),
        Verdict::Depends => format!("it holds in {} of {total} trials", claim.trials_for),
        Verdict::Unchecked => "no trial could decide it".to_owned(),
    }
}

fn expected_words(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Holds => "holds",
        Verdict::Fails => "fails",
        Verdict::Depends => "depends",
        Verdict::Unchecked => "is not checked",
    }
}

fn trial_words(trial: Option<&TrialResult>) -> String {
    match trial {
        Some(trial) if !trial.trial.variables.is_empty() => format!("with {}: ", words(&trial.trial.variables)),
        _ => String::new(),
    }
}

fn verdict(note: &Note, claim: &ClaimResult, result: &RunResult) -> String {
    let (mark, name) = match claim.verdict {
        Verdict::Holds => ("✓", "holds"),
        Verdict::Fails => ("✗", "fails"),
        Verdict::Depends => ("◐", "depends"),
        Verdict::Unchecked => ("?", "unchecked"),
    };
    let mut text = format!("  {mark} {name:<9} {}", sentence(note, claim));
    if claim.as_expected && claim.verdict != Verdict::Holds {
        text.push_str("  (as the note says)");
    } else if !claim.as_expected {
        let _ = write!(text, "  (the note says that it {})", expected_words(claim.expected));
    }
    text.push('\n');
    if let Some(rule) = &claim.rule {
        let _ = writeln!(text, "              where {rule}");
    }
    if let Some(counter) = &claim.counter_example {
        let trial = result.trials.iter().find(|trial| trial.trial.index == counter.trial);
        for (index, line) in format!("{}{}", trial_words(trial), counter.message).lines().enumerate() {
            let indent = if index == 0 {
                "              "
            } else {
                "                "
            };
            let _ = writeln!(text, "{indent}{line}");
        }
    }
    text
}

/// A grid: the last variable to the right, the others downwards.
fn grid(table: &DecisionTable) -> String {
    let mut text = format!("{}\n", table.outcome);
    let Some((across, down)) = table.variables.split_last() else {
        return text;
    };
    let mut rows: Vec<Vec<String>> = Vec::new();
    if down.is_empty() {
        rows.push(across.values.iter().map(word).collect());
        let cell = |index: usize| table.cells.iter().find(|cell| cell.values.first() == Some(&index));
        rows.push(
            (0..across.values.len())
                .map(|index| cell(index).map(|cell| word(&cell.outcome)).unwrap_or_default())
                .collect(),
        );
        rows[0].insert(0, across.name.clone());
        rows[1].insert(0, String::new());
    } else {
        let names: Vec<&str> = down.iter().map(|variable| variable.name.as_str()).collect();
        let mut head = vec![format!("{} \\ {}", names.join(", "), across.name)];
        head.extend(across.values.iter().map(word));
        rows.push(head);
        let mut seen: Vec<&[usize]> = Vec::new();
        for cell in &table.cells {
            let Some((_, own)) = cell.values.split_last() else {
                continue;
            };
            if !seen.contains(&own) && seen.len() < MAX_ROWS {
                seen.push(own);
            }
        }
        for own in seen {
            let label: Vec<String> = own
                .iter()
                .zip(down)
                .filter_map(|(value, variable)| variable.values.get(*value).map(word))
                .collect();
            let mut row = vec![label.join(", ")];
            row.extend((0..across.values.len()).map(|index| {
                let cell = table
                    .cells
                    .iter()
                    .find(|cell| cell.values.split_last() == Some((&index, own)));
                cell.map(|cell| word(&cell.outcome)).unwrap_or_default()
            }));
            rows.push(row);
        }
    }
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            rows.iter()
                .filter_map(|row| row.get(column))
                .map(|cell| width(cell))
                .max()
                .unwrap_or(0)
        })
        .collect();
    for row in &rows {
        let mut line = String::from(" ");
        for (cell, wide) in row.iter().zip(&widths) {
            let _ = write!(line, " {cell}{}", " ".repeat(wide - width(cell) + 1));
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    let widest = table
        .rules
        .iter()
        .map(|rule| width(&word(&rule.outcome)))
        .max()
        .unwrap_or(0);
    for rule in &table.rules {
        let outcome = word(&rule.outcome);
        let _ = writeln!(
            text,
            "  {outcome}{} ⇐ {}",
            " ".repeat(widest - width(&outcome)),
            rule.text
        );
    }
    text
}

/// A diagnostic, with its line of the note and carets under what is meant.
pub fn with_source(note: &Note, diagnostic: &Diagnostic) -> String {
    let mut shown = diagnostic.to_string();
    let hints = shown
        .find("\n  hint: ")
        .map(|at| shown.split_off(at))
        .unwrap_or_default();
    let line = note
        .text
        .lines()
        .nth(diagnostic.line.saturating_sub(1) as usize)
        .filter(|_| diagnostic.line > 0);
    if let Some(line) = line.filter(|line| line.chars().count() <= 200) {
        let before: String = line
            .chars()
            .take(diagnostic.column.saturating_sub(1) as usize)
            .collect();
        let meant: String = line
            .chars()
            .skip(before.chars().count())
            .take(diagnostic.length as usize)
            .collect();
        let number = diagnostic.line.to_string();
        let margin = " ".repeat(number.len());
        let indent = " ".repeat(width(&before));
        let carets = "^".repeat(width(&meant).max(1));
        let _ = write!(shown, "\n  {number} | {line}\n  {margin} | {indent}{carets}");
    }
    format!("{shown}{hints}\n")
}

/// A value as a word.
fn word(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(several) => several.iter().map(word).collect::<Vec<_>>().join(" | "),
        other => other.to_string(),
    }
}

pub fn words(variables: &Assignment) -> String {
    variables
        .iter()
        .map(|(name, value)| format!("{name} = {}", word(value)))
        .collect::<Vec<_>>()
        .join(", ")
}

/// A span to the second.
fn short(span: SimDuration) -> SimDuration {
    SimDuration(span.0 / 1_000_000_000 * 1_000_000_000)
}

/// Columns of a terminal that a text takes: East Asian wide characters take two.
fn width(text: &str) -> usize {
    let wide = |c: char| matches!(u32::from(c), 0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff | 0xfe30..=0xfe6f | 0xff00..=0xff60 | 0xffe0..=0xffe6 | 0x1f300..=0x1faff | 0x20000..=0x3fffd);
    let none = |c: char| matches!(u32::from(c), 0x300..=0x36f | 0x200b..=0x200f | 0xfe00..=0xfe0f);
    text.chars()
        .map(|c| if wide(c) { 2 } else { usize::from(!none(c)) })
        .sum()
}
