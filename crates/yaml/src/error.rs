//! What is wrong with a text, where, and how `kubectl` says it.

use crate::Span;
use crate::text::Source;

/// A text that is no YAML of the dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// Where. Unlike the line in [`Error::wording`], which follows `kubectl`'s way of counting, this is the place itself.
    pub span: Span,
    /// What, in go-yaml's words, such as `did not find expected key`.
    pub problem: String,
    /// What `kubectl` prints behind `error converting YAML to JSON: `, such as
    /// `yaml: line 4: did not find expected key`. It counts lines inside one document, and from 0 where the grammar (and
    /// not a token) is wrong.
    pub wording: String,
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}", self.span.line, self.span.column, self.problem)
    }
}

impl std::error::Error for Error {}

impl Error {
    /// A value that is well written and cannot be (`unknown anchor`, `excessive aliasing`).
    pub(crate) fn value(span: Span, problem: String) -> Self {
        Self {
            span,
            wording: format!("yaml: {problem}"),
            problem,
        }
    }

    /// A value that JSON cannot hold.
    pub(crate) fn json(span: Span, problem: String) -> Self {
        Self {
            span,
            wording: problem.clone(),
            problem,
        }
    }

    /// A token or a grammar that is wrong.
    pub(crate) fn syntax(source: &Source<'_>, error: &saphyr_parser::ScanError) -> Self {
        let marker = *error.marker();
        let mut span = source.span(marker, marker);
        let (problem, mistake) = words(error.info(), source.before(span));
        if problem == NO_TOKEN {
            // The parser stands behind the tabs that it does not take.
            span = source.back_over_tabs(span);
        }
        if problem == TAB_INDENT {
            // The parser stands before the text that goes on behind the tab.
            span = source.next_tab(span);
        }
        let line = match mistake {
            Mistake::Token => source.own_line(span),
            Mistake::Grammar => source.own_line(span) - 1,
            Mistake::End => source.last_line(),
        };
        let wording = if line == 0 {
            format!("yaml: {problem}")
        } else {
            format!("yaml: line {line}: {problem}")
        };
        Self { span, problem, wording }
    }

    /// Says `kubectl`'s whole sentence about a file (`-` is `STDIN`).
    pub fn of_file(&self, name: &str) -> String {
        let name = if name == "-" { "STDIN" } else { name };
        format!("error parsing {name}: error converting YAML to JSON: {}", self.wording)
    }
}

/// Which part of go-yaml would find a mistake: that decides which line it names (`decode.go fail`).
#[derive(Clone, Copy, PartialEq)]
enum Mistake {
    /// Its scanner: the line itself.
    Token,
    /// Its parser: one line less.
    Grammar,
    /// Its scanner, at the end of the text.
    End,
}

const NO_TOKEN: &str = "found character that cannot start any token";

const TAB_INDENT: &str = "found a tab character that violates indentation";

/// What the parser says, and what go-yaml says instead (`yaml/v2 scannerc.go`, `parserc.go`).
const WORDS: &[(&str, &str, Mistake)] = &[
    (
        "unexpected character",
        "found character that cannot start any token",
        Mistake::Token,
    ),
    (
        "tabs disallowed",
        "found character that cannot start any token",
        Mistake::Token,
    ),
    (
        "unexpected end of plain scalar",
        "found character that cannot start any token",
        Mistake::Token,
    ),
    ("simple key expect", "could not find expected ':'", Mistake::Token),
    (
        "found unexpected end of stream",
        "found unexpected end of stream",
        Mistake::End,
    ),
    (
        "hexadecimal number",
        "did not find expected hexdecimal number",
        Mistake::Token,
    ),
    ("recursion limit exceeded", "exceeded max depth of 255", Mistake::Token),
    (
        "block scalar content cannot start with a tab",
        "found a tab character where an indentation space is expected",
        Mistake::Token,
    ),
    ("found a tab", TAB_INDENT, Mistake::Token),
    (
        "did not find expected key",
        "did not find expected key",
        Mistake::Grammar,
    ),
    (
        "invalid trailing content",
        "did not find expected key",
        Mistake::Grammar,
    ),
    (
        "did not find expected ',' or '}'",
        "did not find expected ',' or '}'",
        Mistake::Grammar,
    ),
    (
        "expected ',' or ']'",
        "did not find expected ',' or ']'",
        Mistake::Grammar,
    ),
    (
        "illegal placement of ':' indicator",
        "did not find expected ',' or ']'",
        Mistake::Grammar,
    ),
    (
        "did not find expected '-' indicator",
        "did not find expected '-' indicator",
        Mistake::Grammar,
    ),
    (
        "did not find expected node content",
        "did not find expected node content",
        Mistake::Grammar,
    ),
    (
        "did not find expected <document start>",
        "did not find expected <document start>",
        Mistake::Grammar,
    ),
    (
        "the handle wasn't declared",
        "found undefined tag handle",
        Mistake::Grammar,
    ),
];

/// go-yaml's words, and which part of it says them. `before` is the character before the place, blanks left out.
fn words(info: &str, before: Option<char>) -> (String, Mistake) {
    if info == "misplaced bracket" {
        let value_is_due = matches!(before, None | Some(':' | '-' | ',' | '?'));
        let problem = if value_is_due {
            "did not find expected node content"
        } else {
            "did not find expected key"
        };
        return (problem.to_owned(), Mistake::Grammar);
    }
    if let Some((_, problem, mistake)) = WORDS.iter().find(|(part, _, _)| info.contains(part)) {
        return ((*problem).to_owned(), *mistake);
    }
    // The rest is said alike, behind "while scanning a …".
    let problem = info
        .split_once(", ")
        .filter(|(context, _)| context.starts_with("while "))
        .map_or(info, |(_, rest)| rest);
    (problem.to_owned(), Mistake::Token)
}
