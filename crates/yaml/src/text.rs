//! From the parser's places, which count characters, to byte offsets, lines and columns.

use saphyr_parser::Marker;

use crate::Span;

/// One piece of the text that is read by itself, and where it lies in the whole.
pub(crate) struct Source<'a> {
    text: &'a str,
    /// Byte offset and line (from 0) of the piece in the whole text.
    base: (usize, u32),
    /// Byte offset of each character, unless each is one byte.
    offsets: Option<Vec<u32>>,
    /// Byte offset of the start of each line.
    lines: Vec<usize>,
}

impl<'a> Source<'a> {
    pub(crate) fn new(text: &'a str, base: (usize, u32)) -> Self {
        let offsets = (!text.is_ascii()).then(|| {
            text.char_indices()
                .map(|(offset, _)| u32::try_from(offset).unwrap_or(u32::MAX))
                .collect()
        });
        let mut lines = vec![0];
        let bytes = text.as_bytes();
        for (index, byte) in bytes.iter().enumerate() {
            if *byte == b'\n' || (*byte == b'\r' && bytes.get(index + 1) != Some(&b'\n')) {
                lines.push(index + 1);
            }
        }
        Self {
            text,
            base,
            offsets,
            lines,
        }
    }

    /// The byte offset, in this piece, of a character index.
    pub(crate) fn offset(&self, index: usize) -> usize {
        match &self.offsets {
            None => index.min(self.text.len()),
            Some(offsets) => offsets.get(index).map_or(self.text.len(), |offset| *offset as usize),
        }
    }

    /// The text between two places of the parser.
    pub(crate) fn slice(&self, start: Marker, end: Marker) -> &'a str {
        let (start, end) = (self.offset(start.index()), self.offset(end.index()));
        self.text.get(start..end.max(start)).unwrap_or_default()
    }

    /// The span between two places of the parser.
    pub(crate) fn span(&self, start: Marker, end: Marker) -> Span {
        let (start, end) = (self.offset(start.index()), self.offset(end.index()));
        self.span_of(start, end.max(start))
    }

    /// The span between two byte offsets of this piece.
    pub(crate) fn span_of(&self, start: usize, end: usize) -> Span {
        let line = self.lines.partition_point(|first| *first <= start).saturating_sub(1);
        let column = self
            .text
            .get(self.lines[line]..start)
            .map_or(0, |before| before.chars().count());
        Span {
            start: self.base.0 + start,
            end: self.base.0 + end,
            line: self.base.1 + number(line) + 1,
            column: number(column) + 1,
        }
    }

    /// The text of a span of this piece.
    pub(crate) fn text_of(&self, span: Span) -> &'a str {
        let start = span.start.saturating_sub(self.base.0);
        self.text
            .get(start..span.end.saturating_sub(self.base.0))
            .unwrap_or_default()
    }

    /// The place before the tabs that stand right before a place.
    pub(crate) fn back_over_tabs(&self, span: Span) -> Span {
        let before = self
            .text
            .get(..span.start.saturating_sub(self.base.0))
            .unwrap_or_default();
        let start = before.trim_end_matches('\t').len();
        if start == before.len() {
            span
        } else {
            self.span_of(start, before.len())
        }
    }

    /// The place of the next tab that begins a line's text.
    pub(crate) fn next_tab(&self, span: Span) -> Span {
        let start = span.start.saturating_sub(self.base.0);
        match self.text.get(start..).and_then(|rest| rest.find('\t')) {
            Some(offset) => self.span_of(start + offset, start + offset + 1),
            None => span,
        }
    }

    /// The line after the last line end, counted inside this piece from 1.
    pub(crate) fn last_line(&self) -> u32 {
        number(self.lines.len())
    }

    /// The last character before a span that is no blank.
    pub(crate) fn before(&self, span: Span) -> Option<char> {
        self.text
            .get(..span.start.saturating_sub(self.base.0))?
            .trim_end()
            .chars()
            .next_back()
    }

    /// The line of a span as it is counted inside this piece, from 1: what `kubectl` prints.
    pub(crate) fn own_line(&self, span: Span) -> u32 {
        span.line - self.base.1
    }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX - 1)
}

/// What go-yaml accepts and the parser does not, written so that both do, character for character at the same place:
/// a closing bracket (or anything inside brackets) that stands no deeper than the key it belongs to, and a tab behind a
/// colon. `at` is where the parser refused. `None` if that is not what is wrong there.
pub(crate) fn lenient(text: &str, info: &str, at: usize) -> Option<String> {
    let mut bytes = text.as_bytes().to_vec();
    if info == "invalid indentation" {
        // Inside brackets a line end is a blank like any other, but a comment would swallow what follows it.
        let line_end = text.get(..at)?.rfind('\n')?;
        let line_start = text[..line_end].rfind('\n').map_or(0, |end| end + 1);
        let comment = comment_start(&text[line_start..line_end]).map_or(line_end, |start| line_start + start);
        // A comment that holds more than ASCII keeps its length in characters only if each becomes one blank.
        if !text[comment..line_end].is_ascii() {
            return None;
        }
        bytes[comment..=line_end].fill(b' ');
    } else if info.contains("must be followed by a valid YAML whitespace") {
        // The parser stands behind the tabs.
        let tabs = bytes.get(..at)?.iter().rev().take_while(|byte| **byte == b'\t').count();
        if tabs == 0 {
            return None;
        }
        bytes[at - tabs..at].fill(b' ');
    } else {
        return None;
    }
    String::from_utf8(bytes).ok()
}

/// Where a comment begins in a line that begins outside of quotes.
fn comment_start(line: &str) -> Option<usize> {
    let mut quote = None;
    let mut before = b' ';
    for (index, byte) in line.bytes().enumerate() {
        match (quote, byte) {
            (None, b'#') if before == b' ' || before == b'\t' => return Some(index),
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), _) if open == byte && before != b'\\' => quote = None,
            _ => {}
        }
        before = byte;
    }
    None
}

/// The pieces that `kubectl` reads one by one: lines that are `---`, perhaps with a comment, part them
/// (`apimachinery/pkg/util/yaml/decoder.go YAMLReader`). Each with its byte offset and its line from 0.
pub(crate) fn pieces(text: &str) -> Vec<(&str, usize, u32)> {
    let mut pieces = Vec::new();
    let (mut start, mut first_line) = (0, 0);
    let mut offset = 0;
    for (lines, line) in (0_u32..).zip(text.split_inclusive('\n')) {
        let parts = line
            .strip_prefix("---")
            .map(str::trim)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('#'));
        if parts && offset > start {
            pieces.push((&text[start..offset], start, first_line));
            start = offset + line.len();
            first_line = lines + 1;
        }
        offset += line.len();
    }
    if offset > start {
        pieces.push((&text[start..], start, first_line));
    }
    pieces
}
