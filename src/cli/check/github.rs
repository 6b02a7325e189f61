//! The results as annotations of GitHub's workflows: `::error file=…,line=…,col=…,title=…::message`.

use std::fmt::Write as _;

use peapod_vault::{Cell, Note};

use super::listed::Listed;
use crate::cli::cells::Outcome;
use crate::cli::show;
use crate::lab::model::Severity;

/// What is not as a cell says; nothing when all is. `file` is the note as seen from the folder of the repository.
pub(super) fn complaints(file: &str, note: &Note, cell: &Cell, outcome: &Outcome) -> String {
    let mut text = String::new();
    let title = format!("{}#{}", note.name, cell.key);
    let mut say = |severity: Severity, line: u32, column: u32, message: &str| {
        text.push_str(&annotation(severity, file, (line, column), &title, message));
    };
    for diagnostic in &outcome.diagnostics {
        let mut message = diagnostic.message.clone();
        for hint in &diagnostic.hints {
            let _ = write!(message, "\nhint: {hint}");
        }
        say(diagnostic.severity, diagnostic.line, diagnostic.column, &message);
    }
    let Some(result) = &outcome.result else { return text };
    for claim in result.claims.iter().filter(|claim| !claim.as_expected) {
        let message = format!(
            "{}\n{}",
            show::sentence(note, claim),
            show::claim_message(claim, result)
        );
        say(Severity::Error, claim.place.line, claim.place.column, &message);
    }
    for trial in &result.trials {
        let Some(error) = &trial.error else { continue };
        let mut message = error.message.clone();
        if !trial.trial.variables.is_empty() {
            let _ = write!(message, "\nin the trial with {}", show::words(&trial.trial.variables));
        }
        let line = if error.line == 0 { cell.first_line } else { error.line };
        say(error.severity, line, error.column, &message);
    }
    text
}

/// What is wrong with a list of claims.
pub(super) fn problems(list: &Listed) -> String {
    let problems = list.complained.iter();
    problems
        .map(|(line, column, message)| annotation(Severity::Error, &list.shown, (*line, *column), &list.name, message))
        .collect()
}

fn annotation(severity: Severity, file: &str, (line, column): (u32, u32), title: &str, message: &str) -> String {
    let level = match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Notice => "notice",
    };
    let mut text = format!("::{level} file={}", property(file));
    if line > 0 {
        let _ = write!(text, ",line={line}");
        if column > 0 {
            let _ = write!(text, ",col={column}");
        }
    }
    let _ = writeln!(text, ",title={}::{}", property(title), data(message));
    text
}

/// A message: on one line, whatever is in it.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of a property, which a comma or a colon would end.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_ends_its_annotation() {
        assert_eq!(
            annotation(Severity::Error, "a, b:c.md", (3, 0), "n#x", "50%\nof::error it"),
            "::error file=a%2C b%3Ac.md,line=3,title=n#x::50%25%0Aof::error it\n"
        );
        assert_eq!(
            annotation(Severity::Notice, "a.md", (0, 4), "t", ""),
            "::notice file=a.md,title=t::\n"
        );
    }
}
