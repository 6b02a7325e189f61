//! A report as Markdown: the note as it is, with the results under each cell as callouts and tables that Obsidian shows.

use std::fmt::Write as _;
use std::ops::Range;

use peapod_vault::Note;

use super::document::{Claim, Document, Experiment, Report, Rules};
use super::grid::Grid;
use super::{Material, ReportError};
use crate::i18n::{Lang, Text};

/// The report as Markdown.
///
/// # Errors
/// When a timeline cannot be laid out.
pub fn markdown(material: &Material, lang: Lang) -> Result<String, ReportError> {
    let document = Document::new(material, lang)?;
    let note = &material.note;
    let text: &str = &note.text;
    let mut out = String::with_capacity(text.len() * 2);
    let mut at = body_start(text);
    out.push_str(&text[..at]);
    out.push_str(&head(&document, lang));
    for experiment in &document.experiments {
        let Some(cell) = note.cells.get(experiment.cell) else {
            continue;
        };
        let end = cell.place.end.min(text.len());
        if end < at {
            continue;
        }
        out.push_str(&without_results(note, at..end));
        at = end;
        let Some(report) = &experiment.results else { continue };
        // Inside a quote or a list the results stay inside it.
        let line = text[..cell.place.start].rfind('\n').map_or(0, |newline| newline + 1);
        let prefix = container_prefix(&text[line..cell.place.start]);
        let mut results = String::new();
        write_results(&mut results, experiment, report, lang);
        if !out.ends_with('\n') {
            out.push('\n');
        }
        let rest = text[at..].strip_prefix('\r').unwrap_or(&text[at..]);
        at = text.len() - rest.strip_prefix('\n').unwrap_or(rest).len();
        for line in std::iter::once("").chain(results.lines()) {
            out.push_str(if line.is_empty() { prefix.trim_end() } else { &prefix });
            out.push_str(line);
            out.push('\n');
        }
    }
    out.push_str(&without_results(note, at..text.len()));
    if !out.ends_with('\n') {
        out.push('\n');
    }
    out.push_str(&appendix(&document, lang));
    Ok(out)
}

/// A piece of the note without the results that `peapod check --update` has written into it: the report has its own.
fn without_results(note: &Note, range: Range<usize>) -> String {
    let mut out = String::new();
    let mut at = range.start;
    for callout in note.results() {
        let lines = note.whole_lines(callout.place.range());
        if lines.start >= at && lines.end <= range.end {
            out.push_str(&note.text[at..lines.start]);
            at = lines.end;
        }
    }
    out.push_str(&note.text[at..range.end]);
    out
}

/// Where the text begins after its properties and, if it begins with one, its title.
fn body_start(text: &str) -> usize {
    let mut at = 0;
    let mut lines = text.split_inclusive('\n');
    let Some(first) = lines.next() else { return 0 };
    if first.trim_end() == "---" {
        let mut length = first.len();
        for line in lines {
            length += line.len();
            if line.trim_end() == "---" {
                at = length;
                break;
            }
        }
    }
    let title = text[at..]
        .split_inclusive('\n')
        .next()
        .filter(|line| line.starts_with("# "));
    at + title.map_or(0, str::len)
}

/// What the lines under a fence begin with: the marks of quotes, and spaces for the marks of list items.
pub(super) fn container_prefix(before: &str) -> String {
    before
        .chars()
        .map(|c| if c == '>' || c == '\t' { c } else { ' ' })
        .collect()
}

fn head(document: &Document, lang: Lang) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "> [!abstract] {}", Text::ReportKind.say(lang));
    let _ = writeln!(out, "> {}", super::html::summary(document, lang));
    let kubernetes = document.kubernetes.join(", ");
    let mut facts = vec![
        (Text::ReportMadeAt, document.made_at.as_str()),
        (Text::Kubernetes, &kubernetes),
        (Text::ReportPeapod, &document.peapod),
    ];
    facts.retain(|(_, value)| !value.is_empty());
    let facts: Vec<String> = facts
        .into_iter()
        .map(|(name, value)| format!("{} {value}", name.say(lang)))
        .collect();
    let _ = writeln!(out, "> {}\n", facts.join(" · "));
    out
}

fn write_results(out: &mut String, experiment: &Experiment, report: &Report, lang: Lang) {
    let good = report.claims.iter().all(|claim| claim.as_expected) && report.errors.is_empty();
    let kind = if report.outdated {
        "warning"
    } else if good {
        "success"
    } else {
        "failure"
    };
    let _ = writeln!(
        out,
        "> [!{kind}] {}: {}",
        Text::Results.say(lang),
        line(&experiment.title)
    );
    if report.outdated {
        let _ = writeln!(out, "> **{}**", Text::Stale.say(lang));
    }
    write_errors(out, experiment.damaged.iter().chain(&report.errors));
    for claim in &report.claims {
        let _ = writeln!(out, "> - {} {}", sign(claim), claim_line(claim));
        for more in &claim.more {
            let _ = writeln!(out, ">     - {}", sentence(more));
        }
    }
    write_outcomes(out, report.grid.as_ref(), &report.rules, lang);
    for timeline in &report.timelines {
        let _ = writeln!(out, ">\n> > [!example]- {}", escape(&timeline.title));
        let _ = writeln!(
            out,
            "> > | {} | {} | {} |\n> > |---|---|---|",
            Text::Instant.say(lang),
            Text::What.say(lang),
            Text::State.say(lang)
        );
        for change in &timeline.changes {
            let _ = writeln!(
                out,
                "> > | {} | {} | {} |",
                change.at,
                escape(&change.what),
                escape(&change.state)
            );
        }
    }
}

/// Errors, inside a callout.
pub(super) fn write_errors<'e>(out: &mut String, errors: impl IntoIterator<Item = &'e String>) {
    for part in errors.into_iter().flat_map(|error| error.lines()) {
        let _ = writeln!(out, "> ⚠ {}", escape(part));
    }
}

/// The grid of outcomes and the rules that give them, inside a callout.
pub(super) fn write_outcomes(out: &mut String, grid: Option<&Grid>, rules: &[Rules], lang: Lang) {
    if let Some(grid) = grid {
        let _ = writeln!(out, ">");
        write_grid(out, grid, lang);
    }
    for rules in rules {
        let _ = writeln!(out, ">");
        for rule in &rules.rules {
            let or = format!(" {} ", Text::RuleOr.say(lang));
            let conditions: Vec<String> = rule.conditions.iter().map(|condition| escape(condition)).collect();
            let _ = writeln!(
                out,
                "> - {} = **{}** ⇔ {}",
                escape(&rules.outcome),
                escape(&rule.outcome),
                conditions.join(&or)
            );
        }
        if !rules.minimal {
            let _ = writeln!(out, "> - {}", Text::RuleNotMinimal.say(lang));
        }
    }
}

fn write_grid(out: &mut String, grid: &Grid, lang: Lang) {
    let columns = grid.columns.iter().map(|column| {
        if grid.column_variable.is_empty() {
            column.clone()
        } else {
            format!("{} = {column}", grid.column_variable)
        }
    });
    let mut heads: Vec<String> = grid
        .row_variables
        .iter()
        .cloned()
        .chain(columns)
        .map(|head| escape(&head))
        .collect();
    if heads.is_empty() {
        heads.push(escape(&grid.outcome));
    }
    let _ = writeln!(out, "> | {} |\n> |{}", heads.join(" | "), "---|".repeat(heads.len()));
    for row in &grid.rows {
        let outcomes = row.cells.iter().map(|outcome| match outcome {
            None => "–".to_owned(),
            Some(outcome) if outcome.more.is_empty() => format!("**{}**", escape(&outcome.text)),
            Some(outcome) => format!("**{}**<br>{}", escape(&outcome.text), escape(&outcome.more.join(" · "))),
        });
        let cells: Vec<String> = row.heads.iter().map(|head| escape(head)).chain(outcomes).collect();
        let _ = writeln!(out, "> | {} |", cells.join(" | "));
    }
    if grid.hidden > 0 {
        let _ = writeln!(out, ">\n> … + {} ({})", grid.hidden, Text::Observations.say(lang));
    }
}

fn appendix(document: &Document, lang: Lang) -> String {
    let mut out = String::new();
    if document.run == 0 {
        return out;
    }
    let _ = writeln!(
        out,
        "\n---\n\n## {}\n\n{}",
        Text::ReportAppendix.say(lang),
        Text::ReportAppendixHint.say(lang)
    );
    for experiment in &document.experiments {
        let Some(report) = &experiment.results else { continue };
        let _ = writeln!(out, "\n### {}\n", line(&experiment.title));
        for (name, value) in &report.facts {
            let _ = writeln!(out, "- {name}: {}", escape(value));
        }
        let mut heads = vec![Text::Trials.say(lang).to_owned()];
        heads.extend(report.trial_columns.iter().map(|column| escape(column)));
        heads.extend([
            Text::Ended.say(lang).to_owned(),
            Text::Seed.say(lang).to_owned(),
            Text::Digest.say(lang).to_owned(),
        ]);
        let _ = writeln!(out, "\n| {} |\n|{}", heads.join(" | "), "---|".repeat(heads.len()));
        for trial in &report.trials {
            let mut cells = vec![trial.index.to_string()];
            cells.extend(trial.values.iter().map(|value| escape(value)));
            let digest: String = trial.digest.chars().take(16).collect();
            cells.extend([escape(&trial.ended), trial.seed.clone(), format!("`{digest}`")]);
            let _ = writeln!(out, "| {} |", cells.join(" | "));
        }
        if report.trials_hidden > 0 {
            let _ = writeln!(out, "\n… + {}", report.trials_hidden);
        }
        for steps in &report.steps {
            let _ = writeln!(
                out,
                "\n> [!note]- {} · {}",
                Text::ReportSteps.say(lang),
                escape(&steps.title)
            );
            for (at, text) in &steps.steps {
                let fence = fence(text);
                let _ = writeln!(out, "> {at}\n> {fence}text");
                for line in text.lines() {
                    let _ = writeln!(out, "> {line}");
                }
                let _ = writeln!(out, "> {fence}");
            }
        }
        if !report.notices.is_empty() {
            let _ = writeln!(out, "\n{}\n", Text::Notices.say(lang));
            for notice in &report.notices {
                let _ = writeln!(out, "- {}", escape(notice));
            }
        }
    }
    let _ = writeln!(out, "\n{}", Text::ReportMadeWith.say(lang));
    out
}

pub(super) fn sign(claim: &Claim) -> &'static str {
    match claim.class {
        "holds" => "✓",
        "fails" => "✗",
        "depends" => "◐",
        _ => "○",
    }
}

fn claim_line(claim: &Claim) -> String {
    let mut text = format!("**{}** · {}", claim.verdict, line(&claim.sentence));
    if let Some(block) = &claim.block {
        let _ = write!(text, " [[#^{block}|^{block}]]");
    }
    let _ = write!(text, " ({})", claim.evidence);
    if !claim.remark.is_empty() {
        let _ = write!(text, " — {}", claim.remark);
    }
    text
}

/// A fence that is longer than any in the text.
fn fence(text: &str) -> String {
    let longest = text
        .lines()
        .map(|line| line.trim_start().chars().take_while(|c| *c == '`').count())
        .max()
        .unwrap_or(0);
    "`".repeat(longest.max(2) + 1)
}

/// A text of the note on one line: its markup stays.
fn line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A sentence in which backticks mean code.
pub(super) fn sentence(text: &str) -> String {
    let text = line(text);
    let parts = text.split('`').enumerate();
    let parts: Vec<String> = parts
        .map(|(index, part)| if index % 2 == 1 { part.to_owned() } else { escape(part) })
        .collect();
    parts.join("`")
}

/// A text that is no Markdown, on one line.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars().map(|c| if c.is_control() { ' ' } else { c }) {
        if matches!(c, '\\' | '`' | '*' | '[' | ']' | '<' | '#' | '|' | '~' | '$') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_stands_under_the_properties_and_the_title() {
        for (text, before) in [
            ("---\na: 1\n---\n# 제목\n글", "---\na: 1\n---\n# 제목\n"),
            ("# 제목\n글", "# 제목\n"),
            ("글", ""),
            ("---\n끝이 없다", ""),
            ("---\r\na: 1\r\n---\r\n글", "---\r\na: 1\r\n---\r\n"),
            ("", ""),
        ] {
            assert_eq!(&text[..body_start(text)], before, "{text:?}");
        }
    }

    #[test]
    fn words_are_no_markup() {
        assert_eq!(escape("a*b [c] | `d`\n<e>"), "a\\*b \\[c\\] \\| \\`d\\` \\<e>");
        assert_eq!(escape("restartPolicy = Never"), "restartPolicy = Never");
        assert_eq!(sentence("반례: `a * b` [x]"), "반례: `a * b` \\[x\\]");
        assert_eq!(fence("a\n```` x"), "`````");
        assert_eq!(fence("a"), "```");
        assert_eq!(container_prefix("> - "), ">   ");
    }
}
