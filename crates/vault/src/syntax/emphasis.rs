//! Edits within paragraphs: `$` that is no math, and emphasis beside Hangul.
//!
//! CommonMark closes `**` behind punctuation only before white space or punctuation, so that a Korean particle undoes it
//! (`**파드(Pod)**는`). The amendment for CJK text lets a run of `*` or `~` beside a CJK character count as if that rule were
//! met: a neutral character is put between the run and the punctuation. `_` is left as it is.

use std::ops::Range;

use super::lines::{LineKind, LineReader};
use super::mapped::Edit;
use super::scanner::Scanner;
use crate::text::chars::{is_cjk, is_punctuation};

/// Escapes of `$` and marks beside emphasis, over a text without comments.
pub(super) fn inline_edits(text: &str, mark: char) -> Vec<Edit> {
    let mut edits = Vec::new();
    let dollars = text.contains('$');
    let emphasis = text.contains('*') || text.contains('~');
    if !dollars && !emphasis {
        return edits;
    }
    for paragraph in paragraphs(text) {
        if dollars && text[paragraph.clone()].contains('$') {
            escape_dollars(text, paragraph.clone(), &mut edits);
        }
        if emphasis {
            let mut scanner = Scanner::new(text, paragraph.clone());
            while let Some(at) = scanner.next_of(b"*~", &[]) {
                let byte = text.as_bytes()[at];
                let run = text[at..paragraph.end].bytes().take_while(|&b| b == byte).count();
                scanner.at = at + run;
                let before = text[paragraph.start..at].chars().next_back();
                let after = text[at + run..paragraph.end].chars().next();
                let (Some(before), Some(after)) = (before, after) else {
                    continue;
                };
                if before.is_whitespace() || after.is_whitespace() || !(is_cjk(before) || is_cjk(after)) {
                    continue;
                }
                match (is_punctuation(before), is_punctuation(after)) {
                    (true, false) => edits.push(Edit {
                        range: at..at,
                        insert: mark.to_string(),
                    }),
                    (false, true) => edits.push(Edit {
                        range: at + run..at + run,
                        insert: mark.to_string(),
                    }),
                    _ => {}
                }
            }
        }
    }
    edits
}

/// Escapes each `$` of a paragraph that is no math: the space and digit rules.
fn escape_dollars(text: &str, paragraph: Range<usize>, edits: &mut Vec<Edit>) {
    let mut scanner = Scanner::new(text, paragraph.clone());
    let mut runs = Vec::new();
    while let Some(at) = scanner.next_of(b"$", &[]) {
        let length = text[at..paragraph.end].bytes().take_while(|&byte| byte == b'$').count();
        runs.push((at, length));
        scanner.at = at + length;
    }
    let mut escape = |(at, length): (usize, usize)| {
        edits.extend((0..length).map(|index| Edit {
            range: at + index..at + index,
            insert: "\\".to_owned(),
        }));
    };
    // The first run of two after each run, so that the search stays linear.
    let mut next_double = vec![None; runs.len()];
    let mut nearest = None;
    for index in (0..runs.len()).rev() {
        next_double[index] = nearest;
        if runs[index].1 == 2 {
            nearest = Some(index);
        }
    }
    let mut index = 0;
    while let Some(&(at, length)) = runs.get(index) {
        if length == 2 {
            if let Some(close) = next_double[index] {
                // One `$` inside `$$` is text of the formula; for the parser it must be escaped.
                runs[index + 1..close].iter().for_each(|&run| escape(run));
                index = close + 1;
                continue;
            }
        } else if length == 1
            && opens_math(text, at, paragraph.end)
            && let Some(&(close, 1)) = runs.get(index + 1)
            && closes_math(text, close, paragraph.end)
        {
            index += 2;
            continue;
        }
        escape((at, length));
        index += 1;
    }
}

/// A `$` opens if no white space follows.
fn opens_math(text: &str, at: usize, end: usize) -> bool {
    text[at + 1..end].chars().next().is_some_and(|c| !c.is_whitespace())
}

/// A `$` closes if no white space stands before it and no digit follows. One right behind a bracket that opens after a
/// space (`… ($x$)`) is the start of another formula.
fn closes_math(text: &str, at: usize, end: usize) -> bool {
    let mut before = text[..at].chars().rev();
    let last = before.next();
    let opens_bracket = matches!(last, Some('(' | '[' | '{')) && before.next().is_some_and(char::is_whitespace);
    let digit = text[at + 1..end].starts_with(|c: char| c.is_ascii_digit());
    last.is_some_and(|c| !c.is_whitespace()) && !digit && !opens_bracket
}

/// The paragraphs of a text: from the first content to the end of the last line. Rows of tables are paragraphs of their own.
fn paragraphs(text: &str) -> Vec<Range<usize>> {
    let mut paragraphs: Vec<Range<usize>> = Vec::new();
    let mut reader = LineReader::new(text, 0);
    let mut open = false;
    let mut in_table = false;
    let mut quotes = 0;
    while let Some(line) = reader.next_line() {
        if matches!(line.kind, LineKind::Blank | LineKind::Verbatim | LineKind::Rule) {
            (open, in_table) = (false, false);
            continue;
        }
        let content = &text[line.content..line.end];
        if content.contains('-') && content.contains('|') && content.bytes().all(|byte| b" \t|:-".contains(&byte)) {
            in_table = true;
        }
        let joins = open && !line.marker && line.quotes == quotes && line.kind == LineKind::Text && !in_table;
        match paragraphs.last_mut().filter(|_| joins) {
            Some(paragraph) => paragraph.end = line.end,
            None => paragraphs.push(line.content..line.end),
        }
        open = line.kind == LineKind::Text;
        quotes = line.quotes;
    }
    paragraphs
}
