//! Results inside the note: under an experiment stands what came out, in a callout that Obsidian folds.
//!
//! The callout's type is [`RESULTS`]. It says nothing that changes from run to run (no instant of the real clock, no number
//! of a run), so that a second run changes nothing.

use std::fmt::Write as _;
use std::ops::Range;

use peapod_vault::{Cell, CellKind, Note, RESULTS};

use super::markdown::{container_prefix, escape, sentence, sign, write_errors, write_outcomes};
use super::{document, grid, lang_of};
use crate::i18n::{Lang, Text};
use crate::lab::model::RunResult;

/// A note with results in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Updated {
    /// The whole note.
    pub text: String,
    /// The lines of the old text (from 1) of the experiments whose results are new.
    pub lines: Vec<u32>,
}

/// The note with these results under its experiments: each takes the place of the one that stood there. `None` when nothing
/// is to be changed.
pub fn update(note: &Note, results: &[(&Cell, &RunResult)]) -> Option<Updated> {
    let lang = lang_of(note);
    let newline = if note.text.contains("\r\n") { "\r\n" } else { "\n" };
    let mut changes: Vec<(Range<usize>, String, u32)> = Vec::new();
    for (cell, result) in results.iter().filter(|(cell, _)| cell.kind == CellKind::Experiment) {
        let start = note.whole_lines(cell.place.range()).start;
        // Inside a quote or a list the results stay inside it.
        let prefix = container_prefix(&note.text[start..cell.place.start]);
        let written = written(note, result, lang);
        let lines: String = written.lines().fold(String::new(), |mut lines, line| {
            let _ = write!(lines, "{prefix}{line}{newline}");
            lines
        });
        let (range, new) = match beneath(note, cell) {
            Some(range) => {
                let ended = note.text[range.clone()].ends_with('\n');
                (range, if ended { lines } else { lines.trim_end().to_owned() })
            }
            None => {
                let blank = format!("{}{newline}", prefix.trim_end());
                let end = note.whole_lines(cell.place.range()).end;
                let opening = if note.text[..end].ends_with('\n') { "" } else { newline };
                // A line that follows at once would belong to the callout.
                let next = note.text[end..].lines().next().unwrap_or_default();
                let closing = if is_blank(next) { "" } else { blank.as_str() };
                (end..end, format!("{opening}{blank}{lines}{closing}"))
            }
        };
        if note.text[range.clone()] != new {
            changes.push((range, new, cell.first_line.saturating_sub(1)));
        }
    }
    if changes.is_empty() {
        return None;
    }
    let lines = changes.iter().map(|(.., line)| *line).collect();
    let mut text = note.text.to_string();
    for (range, new, _) in changes.into_iter().rev() {
        text.replace_range(range, &new);
    }
    Some(Updated { text, lines })
}

/// The lines of the results that stand under a cell, with nothing in between.
fn beneath(note: &Note, cell: &Cell) -> Option<Range<usize>> {
    let end = note.whole_lines(cell.place.range()).end;
    let callout = note.results().find(|callout| callout.place.start >= end)?;
    let lines = note.whole_lines(callout.place.range());
    note.text[end..lines.start].lines().all(is_blank).then_some(lines)
}

/// Whether there is nothing on a line but the marks of quotes.
fn is_blank(line: &str) -> bool {
    line.chars().all(|c| c == '>' || c.is_whitespace())
}

fn written(note: &Note, result: &RunResult, lang: Lang) -> String {
    let mut out = format!(
        "> [!{RESULTS}]- {} · {} {} · Kubernetes {}\n",
        Text::Results.say(lang),
        Text::Trials.say(lang),
        result.trials.len(),
        result.experiment.kubernetes.join(", ")
    );
    write_errors(&mut out, &document::errors(result));
    for (index, claim) in result.claims.iter().enumerate() {
        let claim = document::claim(note, result, index, claim, lang);
        let _ = write!(
            out,
            "> - {} **{}** · {} ({})",
            sign(&claim),
            claim.verdict,
            escape(&unlinked(&claim.sentence)),
            claim.evidence
        );
        if !claim.remark.is_empty() {
            let _ = write!(out, " — {}", claim.remark);
        }
        out.push('\n');
        for more in &claim.more {
            let _ = writeln!(out, ">     - {}", sentence(more));
        }
    }
    write_outcomes(
        &mut out,
        grid::grid(&result.tables, lang).as_ref(),
        &document::rules(result, lang),
        lang,
    );
    out
}

/// A sentence of the note without the marks of links and emphasis: the note has these once, in the sentence itself.
fn unlinked(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("[[") {
        let Some((link, behind)) = after.split_once("]]") else {
            break;
        };
        out.push_str(before.strip_suffix('!').unwrap_or(before));
        out.push_str(link.rsplit_once('|').map_or(link, |(_, shown)| shown));
        rest = behind;
    }
    out.push_str(rest);
    let plain = out.replace("**", "").replace("==", "").replace('`', "");
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::lab::{self, Runner};

    const EXPERIMENT: &str = "```experiment\nvariables: {restartPolicy: [Always, Never]}\nsteps:\n- apply: |\n    apiVersion: v1\n    kind: Pod\n    metadata: {name: a}\n    spec:\n      restartPolicy: {{ restartPolicy }}\n      containers: [{name: c, image: busybox, command: [\"false\"]}]\nuntil: 1m\nobserve: {phase: pod('a').status.phase}\nexpect:\n- {claim: ^fails, eventually: phase == 'Failed', verdict: depends}\n```\n";

    fn updated(text: &str) -> Option<String> {
        let note = Note::parse("n.md", text);
        let results: Vec<RunResult> = note
            .cells
            .iter()
            .map(|cell| {
                let experiment = lab::read(&cell.text, None, cell.first_line).experiment.unwrap();
                Runner::new(experiment).unwrap().run(&mut |_| {})
            })
            .collect();
        let pairs: Vec<(&Cell, &RunResult)> = note.cells.iter().zip(&results).collect();
        Some(update(&note, &pairs)?.text)
    }

    #[test]
    fn results_stand_under_the_experiment_once() {
        let quoted = |text: &str, mark: &str| text.lines().map(|line| format!("{mark}{line}\n")).collect::<String>();
        let item = format!("- {}", quoted(EXPERIMENT, "  ").trim_start());
        for text in [
            format!("# 제목\n\n{EXPERIMENT}\n[[a|끝]]에는 **Failed**다. ^fails\n"),
            format!("{EXPERIMENT}directly below ^fails\n"),
            EXPERIMENT.trim_end().to_owned(),
            quoted(EXPERIMENT, "> "),
            quoted(EXPERIMENT, "> ") + ">\n> more\n\nand ^fails\n",
            item,
            EXPERIMENT.replace('\n', "\r\n"),
            format!("{EXPERIMENT}\n{EXPERIMENT}"),
        ] {
            let first = updated(&text).unwrap();
            let note = Note::parse("n.md", first.as_str());
            let before = Note::parse("n.md", text.as_str());
            assert_eq!(note.results().count(), before.cells.len(), "{first}");
            assert_eq!(note.cells.len(), before.cells.len(), "{first}");
            assert_eq!(
                (&note.links.len(), note.blocks.len()),
                (&before.links.len(), before.blocks.len()),
                "{first}"
            );
            assert_eq!(updated(&first), None, "{first}");
            // What is out of date is replaced, and nothing else is touched.
            let stale = first.replace("restartPolicy = Never", "something else");
            assert_ne!(stale, first);
            assert_eq!(updated(&stale).as_deref(), Some(first.as_str()));
        }
    }

    #[test]
    fn a_sentence_is_said_without_its_marks() {
        assert_eq!(unlinked("[[a#b|c]]는 **꼭** `x` [[d]] [[e"), "c는 꼭 x d [[e");
    }
}
