//! The text that is read, and the words for what is wrong with it.

use peapod_sim::time::SimDuration;
use peapod_yaml::{Key, Node, Span, Value};

use crate::lab::model::{Diagnostic, Expression, Place};
use crate::lab::{duration, nearest};

/// The text of a fence and what there is to say about it.
pub struct Source<'a> {
    text: &'a str,
    lines: Vec<&'a str>,
    first_line: u32,
    pub diagnostics: Vec<Diagnostic>,
}

/// The last error, to which hints can be added.
pub struct Said<'s>(Option<&'s mut Diagnostic>);

impl Said<'_> {
    pub fn hint(self, hint: impl Into<String>) {
        if let Some(diagnostic) = self.0 {
            diagnostic.hints.push(hint.into());
        }
    }
}

/// The known keys of a mapping.
pub struct Fields<'n> {
    node: &'n Node,
    what: String,
}

impl<'n> Fields<'n> {
    /// The value of a key; one that is `null` counts as absent.
    pub fn get(&self, key: &str) -> Option<&'n Node> {
        self.node.get(key).filter(|value| !value.is_null())
    }

    /// The place of a key.
    pub fn key(&self, key: &str) -> Option<Span> {
        self.node
            .entries()
            .iter()
            .find(|(known, _)| known.name == key)
            .map(|(known, _)| known.span)
    }

    /// The value of a key that has to be there.
    pub fn required(&self, source: &mut Source<'_>, key: &str) -> Option<&'n Node> {
        let found = self.get(key);
        if found.is_none() && matches!(self.node.value, Value::Mapping(_)) {
            source.error(
                "experiment.missing-key",
                format!("{} needs `{key}`", self.what),
                self.node.span,
            );
        }
        found
    }
}

impl<'a> Source<'a> {
    pub fn new(text: &'a str, first_line: u32) -> Self {
        Self {
            text,
            lines: text.split('\n').collect(),
            first_line,
            diagnostics: Vec::new(),
        }
    }

    /// A span as a place in the note. A span of several lines is marked on its first.
    pub fn place(&self, span: Span) -> Place {
        let raw = self.text.get(span.start..span.end).unwrap_or_default();
        let length = raw.lines().next().unwrap_or_default().trim_end().chars().count();
        Place {
            line: self.first_line + span.line.max(1) - 1,
            column: span.column.max(1),
            length: u32::try_from(length).unwrap_or(1).max(1),
        }
    }

    pub fn error(&mut self, code: &str, message: impl Into<String>, span: Span) -> Said<'_> {
        let diagnostic = Diagnostic::error(code, message).at(self.place(span));
        self.diagnostics.push(diagnostic);
        Said(self.diagnostics.last_mut())
    }

    fn wrong_type(&mut self, node: &Node, what: &str, wanted: &str) -> Said<'_> {
        self.error(
            "experiment.type",
            format!("`{what}` needs {wanted}, not {}", node.kind()),
            node.span,
        )
    }

    /// The keys of a mapping, with an error for each that is unknown or written twice.
    pub fn fields<'n>(&mut self, node: &'n Node, what: &str, known: &[&str]) -> Fields<'n> {
        for (index, (key, _)) in self.mapping(node, what).iter().enumerate() {
            if !known.contains(&key.name.as_str()) {
                let hint = nearest::hint(&key.name, known.iter().copied());
                let said = self.error(
                    "experiment.unknown-key",
                    format!("{what} has no key `{}`", key.name),
                    key.span,
                );
                if let Some(hint) = hint {
                    said.hint(hint);
                }
            } else if node.entries()[..index].iter().any(|(other, _)| other.name == key.name) {
                self.error(
                    "experiment.duplicate-key",
                    format!("`{}` is written twice", key.name),
                    key.span,
                );
            }
        }
        Fields {
            node,
            what: what.to_owned(),
        }
    }

    /// The entries of a mapping, with an error for what is none.
    pub fn mapping<'n>(&mut self, node: &'n Node, what: &str) -> &'n [(Key, Node)] {
        if !matches!(node.value, Value::Mapping(_)) {
            self.error(
                "experiment.type",
                format!("{what} is a mapping of keys to values, not {}", node.kind()),
                node.span,
            );
        }
        node.entries()
    }

    /// The items of a list, with an error for what is none.
    pub fn list<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Node] {
        if !matches!(node.value, Value::Sequence(_)) {
            self.wrong_type(node, what, "a list").hint("each item begins with `- `");
        }
        node.items()
    }

    pub fn text(&mut self, node: &Node, what: &str) -> Option<String> {
        match &node.value {
            Value::String(text) => Some(text.clone()),
            Value::Number(_) | Value::Bool(_) => {
                let written = self.scalar_text(node).unwrap_or_default();
                self.wrong_type(node, what, "text")
                    .hint(format!("put it into quotes: \"{written}\""));
                None
            }
            _ => {
                self.wrong_type(node, what, "text");
                None
            }
        }
    }

    /// A scalar as it is written.
    pub fn scalar_text(&self, node: &Node) -> Option<String> {
        match &node.value {
            Value::String(text) => Some(text.clone()),
            Value::Number(_) | Value::Bool(_) => self.text.get(node.span.start..node.span.end).map(str::to_owned),
            _ => None,
        }
    }

    pub fn boolean(&mut self, node: &Node, what: &str) -> Option<bool> {
        if node.as_bool().is_none() {
            self.wrong_type(node, what, "true or false");
        }
        node.as_bool()
    }

    pub fn whole(&mut self, node: &Node, what: &str, least: u64, most: u64) -> Option<u64> {
        let number = if let Value::Number(number) = &node.value {
            number.as_u64()
        } else {
            None
        };
        match number {
            Some(number) if (least..=most).contains(&number) => Some(number),
            Some(number) => {
                let message = format!("`{what}` is {least} to {most}, and this is {number}");
                self.error("experiment.range", message, node.span);
                None
            }
            None => {
                self.wrong_type(node, what, "a whole number");
                None
            }
        }
    }

    pub fn duration(&mut self, node: &Node, what: &str) -> Option<SimDuration> {
        let written = self.scalar_text(node);
        let Some(written) = written else {
            self.wrong_type(node, what, "a duration").hint("such as 10m or 90s");
            return None;
        };
        match duration::parse(&written) {
            Ok(duration) => Some(duration),
            Err(message) => {
                let said = self.error("experiment.duration", message, node.span);
                if written.parse::<u64>().is_ok() {
                    said.hint(format!("{written}s are seconds, {written}m minutes"));
                }
                None
            }
        }
    }

    pub fn choice<T: Copy>(&mut self, node: &Node, what: &str, choices: &[(&str, T)]) -> Option<T> {
        let written = self.scalar_text(node).unwrap_or_default();
        let found = choices
            .iter()
            .find(|(name, _)| *name == written)
            .map(|(_, value)| *value);
        if found.is_none() {
            let known: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            let message = format!("`{what}` is one of {}", known.join(", "));
            let hint =
                nearest::nearest(&written, known.iter().copied()).map(|meant| format!("did you mean `{meant}`?"));
            let said = self.error("experiment.value", message, node.span);
            if let Some(hint) = hint {
                said.hint(hint);
            }
        }
        found
    }

    /// An expression: text, or a bare number or boolean.
    pub fn expression(&mut self, node: &Node, what: &str) -> Option<Expression> {
        match self.scalar_text(node) {
            Some(text) => Some(Expression {
                place: self.text_place(node, &text),
                text,
            }),
            None => {
                self.wrong_type(node, what, "an expression")
                    .hint("an expression that begins with `[`, `{` or a quote stands in quotes");
                None
            }
        }
    }

    /// Where the text of a scalar begins, behind its quote or on the line after its `|`; as long as its first line.
    pub fn text_place(&self, node: &Node, value: &str) -> Place {
        let raw = self.text.get(node.span.start..node.span.end).unwrap_or_default();
        let first = value.lines().next().unwrap_or_default();
        let length = u32::try_from(first.chars().count()).unwrap_or(1);
        let place = self.place(node.span);
        if raw == value {
            return Place { length, ..place };
        }
        let inner = raw
            .strip_prefix(['"', '\''])
            .and_then(|raw| raw.strip_suffix(['"', '\'']));
        if inner == Some(value) {
            return Place {
                length,
                column: place.column + 1,
                ..place
            };
        }
        // A literal block: the first content line is this line or the one after the `|`.
        let index = node.span.line.max(1) as usize - 1;
        for (line, candidate) in self.lines.iter().enumerate().skip(index).take(2) {
            let candidate = candidate.trim_end_matches('\r');
            if value.contains('\n')
                && !first.is_empty()
                && candidate.ends_with(first)
                && (line > index || !candidate.contains('|'))
            {
                let column = candidate.chars().count() - first.chars().count();
                return Place {
                    line: self.first_line + u32::try_from(line).unwrap_or(0),
                    column: u32::try_from(column).unwrap_or(0) + 1,
                    length,
                };
            }
        }
        place
    }
}

/// The place of some bytes of a text whose first line stands at `place`; the whole place when the text was not written
/// as it reads (escapes, folded lines).
pub fn place_in(text: &str, place: Place, start: usize, end: usize) -> Place {
    let first = text.lines().next().unwrap_or_default();
    if first.chars().count() != place.length as usize {
        return place;
    }
    let start = floor(text, start);
    let end = floor(text, end.max(start));
    let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
    let count = |text: &str| u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
    Place {
        line: place.line + u32::try_from(text[..start].matches('\n').count()).unwrap_or(0),
        column: place.column + count(&text[line_start..start]),
        length: count(&text[start..end.clamp(start, line_end.max(start))]).max(1),
    }
}

fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
