//! The results as JUnit XML.

use std::fmt::Write as _;

use super::Checked;
use crate::cli::show;
use crate::lab::model::{Diagnostic, Severity};

/// One suite a note, one case a claim; a cell without claims is one case.
pub(super) fn write(checked: &[Checked]) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"peapod\">\n");
    for group in checked.chunk_by(|left, right| left.note.path == right.note.path) {
        let mut cases = String::new();
        let (mut tests, mut failures, mut errors, mut skipped) = (0, 0, 0, 0);
        for checked in group {
            let (note, cell) = (&checked.note, &checked.cell);
            let Some(outcome) = &checked.outcome else {
                skipped += checked.claims().len().max(1);
                cases.push_str(&unchanged(checked));
                continue;
            };
            let mut case = |name: &str, line: u32, bad: Option<(&str, String)>| {
                tests += 1;
                let head = format!(
                    "    <testcase classname=\"{}\" name=\"{}\" file=\"{}\" line=\"{line}\" time=\"{:.3}\"",
                    xml(&format!("{}#{}", note.path, cell.key)),
                    xml(name),
                    xml(&note.path),
                    outcome.took.as_secs_f64(),
                );
                match bad {
                    None => cases.push_str(&format!("{head}/>\n")),
                    Some((element, message)) => {
                        if element == "failure" {
                            failures += 1
                        } else {
                            errors += 1
                        }
                        let first = message.lines().next().unwrap_or_default();
                        let (first, message) = (xml(first), xml(&message));
                        cases.push_str(&format!(
                            "{head}>\n      <{element} message=\"{first}\">{message}</{element}>\n    </testcase>\n"
                        ));
                    }
                }
            };
            let bad: Vec<&Diagnostic> = outcome
                .diagnostics
                .iter()
                .filter(|said| said.severity == Severity::Error)
                .collect();
            let Some(result) = &outcome.result else {
                let message: Vec<String> = bad.iter().map(ToString::to_string).collect();
                case(&cell.key, cell.first_line, Some(("error", message.join("\n"))));
                continue;
            };
            for claim in &result.claims {
                let message = (!claim.as_expected).then(|| ("failure", show::claim_message(claim, result)));
                case(&show::sentence(note, claim), claim.place.line, message);
            }
            let error = result.trials.iter().find_map(|trial| trial.error.as_ref());
            if error.is_some() || result.claims.is_empty() {
                case(
                    &cell.key,
                    cell.first_line,
                    error.map(|error| ("error", error.to_string())),
                );
            }
        }
        let name = group.first().map(|checked| xml(&checked.note.path)).unwrap_or_default();
        let _ = writeln!(
            text,
            "  <testsuite name=\"{name}\" tests=\"{}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\">",
            tests + skipped
        );
        text.push_str(&cases);
        text.push_str("  </testsuite>\n");
    }
    text.push_str("</testsuites>\n");
    text
}

/// The cases of a cell that was not run again.
fn unchanged(checked: &Checked) -> String {
    let (note, cell) = (&checked.note, &checked.cell);
    let case = |name: &str, line: u32| {
        format!(
            "    <testcase classname=\"{}\" name=\"{}\" file=\"{}\" line=\"{line}\" time=\"0.000\">\n      <skipped message=\"unchanged since it was last as written\"/>\n    </testcase>\n",
            xml(&format!("{}#{}", note.path, cell.key)),
            xml(name),
            xml(&note.path),
        )
    };
    if checked.claims().is_empty() {
        return case(&cell.key, cell.first_line);
    }
    let claims = checked.claims().iter();
    claims
        .map(|claim| case(&show::sentence(note, claim), claim.place.line))
        .collect()
}

fn xml(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            '\t' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'.. => escaped.push(character),
            // XML has no way to write the others.
            _ => escaped.push('\u{fffd}'),
        }
    }
    escaped
}
