//! Diagnostics where they are: the line, the caret, what would be right.

use serde::Serialize;

use crate::i18n::{Lang, Text};
use crate::lab::model::{Diagnostic, Severity};

/// A diagnostic with its piece of the text.
#[derive(Clone, Debug, Serialize)]
pub struct ProblemView {
    /// `error`, `warning` or `notice`: the class.
    pub class: &'static str,
    /// The severity in words.
    pub word: &'static str,
    /// What is wrong.
    pub message: String,
    /// `file:line:column`; empty when there is no place.
    pub place: String,
    /// Line number, and the line up to the place, the place, and the rest of the line.
    pub line: Option<(u32, String, String, String)>,
    /// Spaces and carets below the line.
    pub caret: String,
    /// What would be right.
    pub hints: Vec<String>,
}

/// A diagnostic over the text of the file that it is about.
pub fn view(lang: Lang, diagnostic: &Diagnostic, text: &str) -> ProblemView {
    let (class, word) = match diagnostic.severity {
        Severity::Error => ("error", Text::Problem),
        Severity::Warning => ("warning", Text::Warning),
        Severity::Notice => ("notice", Text::Notice),
    };
    let file = diagnostic.file.as_deref().unwrap_or("");
    let place = match (file, diagnostic.line) {
        (file, 0) => file.to_owned(),
        ("", line) => format!("{line}:{}", diagnostic.column),
        (file, line) => format!("{file}:{line}:{}", diagnostic.column),
    };
    let source = (diagnostic.line as usize)
        .checked_sub(1)
        .and_then(|line| text.lines().nth(line));
    let line = source.map(|source| {
        cut(
            source,
            diagnostic.column.max(1) as usize - 1,
            diagnostic.length as usize,
        )
    });
    let caret = line.as_ref().map_or_else(String::new, |(before, meant, _)| {
        // Hangul and other wide letters take two columns of a fixed-width font.
        let width = |text: &str| text.chars().map(|c| if is_wide(c) { 2 } else { 1 }).sum::<usize>();
        format!("{}{}", " ".repeat(width(before)), "^".repeat(width(meant).max(1)))
    });
    ProblemView {
        class,
        word: word.say(lang),
        message: diagnostic.message.clone(),
        place,
        line: line.map(|(before, meant, after)| (diagnostic.line, before, meant, after)),
        caret,
        hints: diagnostic.hints.clone(),
    }
}

/// A line cut at a place, at most 120 characters around it.
fn cut(line: &str, column: usize, length: usize) -> (String, String, String) {
    const BEFORE: usize = 60;
    const AFTER: usize = 60;
    let line = line.replace('\t', " ");
    let from = column.saturating_sub(BEFORE);
    let mut before: String = line.chars().skip(from).take(column - from).collect();
    if from > 0 {
        before.insert(0, '…');
    }
    let meant: String = line.chars().skip(column).take(length.clamp(1, AFTER)).collect();
    let shown = column + meant.chars().count();
    let mut after: String = line.chars().skip(shown).take(AFTER).collect();
    if line.chars().count() > shown + AFTER {
        after.push('…');
    }
    (before, meant, after)
}

fn is_wide(c: char) -> bool {
    matches!(c, '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}' | '\u{fe30}'..='\u{fe6f}' | '\u{ff00}'..='\u{ff60}' | '\u{1f300}'..='\u{1faff}')
}

/// A diagnostic of the vault as one of the laboratory: both are shown alike.
pub fn of_note(diagnostic: &peapod_vault::Diagnostic, file: &str, text: &str) -> Diagnostic {
    let place = diagnostic.place;
    let length = text
        .get(place.start..place.end)
        .map_or(1, |meant| meant.lines().next().unwrap_or("").chars().count());
    Diagnostic {
        severity: match diagnostic.severity {
            peapod_vault::Severity::Error => Severity::Error,
            peapod_vault::Severity::Warning => Severity::Warning,
            peapod_vault::Severity::Notice => Severity::Notice,
        },
        code: diagnostic.code.to_owned(),
        message: diagnostic.message.clone(),
        file: Some(file.to_owned()),
        line: place.line,
        column: place.column,
        length: u32::try_from(length.max(1)).unwrap_or(1),
        hints: diagnostic.hints.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::model::Place;

    #[test]
    fn the_caret_stands_under_its_word() {
        let text = "a: 1\n이미지: nginx # 주석\n";
        let diagnostic = Diagnostic::error("x", "no")
            .at(Place {
                line: 2,
                column: 6,
                length: 5,
            })
            .in_file("노트.md");
        let view = view(Lang::Ko, &diagnostic, text);
        assert_eq!(view.place, "노트.md:2:6");
        assert_eq!(
            view.line,
            Some((2, "이미지: ".into(), "nginx".into(), " # 주석".into()))
        );
        assert_eq!(view.caret, format!("{}{}", " ".repeat(8), "^".repeat(5)));
    }

    #[test]
    fn a_place_outside_the_text_shows_no_line() {
        let diagnostic = Diagnostic::error("x", "no").at(Place {
            line: 9,
            column: 900,
            length: 9,
        });
        let view = view(Lang::En, &diagnostic, "one line");
        assert_eq!((view.line, view.caret.as_str()), (None, ""));
        let far = Diagnostic::error("x", "no").at(Place {
            line: 1,
            column: 900,
            length: 9,
        });
        assert!(super::view(Lang::En, &far, "one line").line.is_some());
    }
}
