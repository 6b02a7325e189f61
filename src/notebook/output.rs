//! What a cell gives: pieces of text, displays in several formats, a failure.

use std::collections::BTreeMap;

use serde_json::Value;

/// One thing in several formats, by media type. There is always a plain text.
#[derive(Clone, Debug, PartialEq)]
pub struct Bundle {
    data: BTreeMap<String, Value>,
    drawn: bool,
}

impl Bundle {
    /// A plain text.
    pub fn new(plain: impl Into<String>) -> Self {
        Self {
            data: BTreeMap::from([("text/plain".to_owned(), Value::String(plain.into()))]),
            drawn: false,
        }
    }

    /// The same in another format as well: `text/html`, `image/svg+xml`, `application/json` …
    #[must_use]
    pub fn with(mut self, media_type: &str, value: impl Into<Value>) -> Self {
        self.data.insert(media_type.to_owned(), value.into());
        self
    }

    /// The same as HTML that is more than the text in other clothes: links, verdicts, what belongs together.
    #[must_use]
    pub fn drawn(self, html: impl Into<Value>) -> Self {
        Self {
            drawn: true,
            ..self.with("text/html", html)
        }
    }

    /// Whether its HTML tells more than its text, which is read in columns.
    pub fn is_drawn(&self) -> bool {
        self.drawn
    }

    /// The formats, by media type.
    pub fn data(&self) -> &BTreeMap<String, Value> {
        &self.data
    }

    /// The plain text.
    pub fn plain(&self) -> &str {
        self.data.get("text/plain").and_then(Value::as_str).unwrap_or_default()
    }
}

/// What a cell tells while it runs.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// A piece of a text.
    Stream {
        /// Whether it is of standard error.
        stderr: bool,
        /// The piece.
        text: String,
    },
    /// Something to show; one with an id can be updated.
    Display {
        /// Its id.
        id: Option<String>,
        /// What.
        bundle: Bundle,
    },
    /// A display shows something else from now on.
    Update {
        /// Its id.
        id: String,
        /// What.
        bundle: Bundle,
    },
    /// The value of the cell.
    Result(Bundle),
    /// What the cell has shown so far goes away.
    Clear {
        /// Only when something else comes.
        wait: bool,
    },
}

/// Why a cell failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// A name: `ManifestError`, `CommandFailed`, `Interrupted`, or the API server's reason such as `NotFound`.
    pub name: String,
    /// What is wrong, in a line.
    pub value: String,
    /// The same with its place, line by line.
    pub traceback: Vec<String>,
}

impl Failure {
    /// A failure without a place.
    pub fn new(name: &str, value: impl Into<String>) -> Self {
        let value = value.into();
        Self {
            name: name.to_owned(),
            traceback: vec![format!("{name}: {value}")],
            value,
        }
    }

    /// A failure at a place of the cell's text: the line is shown, with carets under what is meant. Line and column are
    /// from 1, column and length in characters.
    pub fn at(name: &str, value: impl Into<String>, text: &str, (line, column, length): (u32, u32, u32)) -> Self {
        let mut failure = Self::new(name, value);
        // What is missing at the end is shown where the text ends.
        let written = text.trim_end().lines().count();
        let (line, column) = match text.trim_end().lines().next_back() {
            Some(last) if line as usize > written => (
                u32::try_from(written).unwrap_or(line),
                u32::try_from(last.chars().count()).map_or(1, |end| end + 1),
            ),
            _ => (line, column),
        };
        let shown = text.lines().nth((line.max(1) - 1) as usize).unwrap_or_default();
        if line > 0 && shown.chars().count() <= 300 {
            let before: String = shown.chars().take(column.max(1) as usize - 1).collect();
            let left = shown.chars().count().saturating_sub(before.chars().count()).max(1);
            // Tabs and wide characters keep the caret under its place.
            let indent: String = before.chars().map(blank).collect();
            let number = line.to_string();
            let margin = " ".repeat(number.len());
            failure.traceback.push(format!("  {number} | {shown}"));
            failure.traceback.push(format!(
                "  {margin} | {indent}{}",
                "^".repeat((length.max(1) as usize).min(left))
            ));
        }
        failure
    }

    /// The same with one more line.
    #[must_use]
    pub fn hint(mut self, hint: &str) -> Self {
        self.traceback.push(format!("  hint: {hint}"));
        self
    }
}

/// A blank as wide as a character.
fn blank(c: char) -> char {
    match c {
        '\t' => '\t',
        c if matches!(u32::from(c), 0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xff00..=0xff60) => {
            '\u{3000}'
        }
        _ => ' ',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_shows_its_place() {
        let failure = Failure::at("ManifestError", "2:3: no", "kind: Pod\na: [\n", (2, 4, 9));
        assert_eq!(
            failure.traceback,
            ["ManifestError: 2:3: no", "  2 | a: [", "    |    ^"]
        );
        let beyond = Failure::at("ManifestError", "x", "a: [\n", (2, 1, 1));
        assert_eq!(beyond.traceback[1..], ["  1 | a: [", "    |     ^"]);
        assert_eq!(Failure::at("ManifestError", "x", "", (7, 1, 1)).traceback[1], "  7 | ");
    }
}
