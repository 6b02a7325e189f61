//! Places in a text: byte ranges, lines and columns.

use std::ops::Range;

use serde::Serialize;

/// A place in a note: bytes `start..end` of the file, and the line and column of `start`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Place {
    /// Byte offset of the first byte.
    pub start: usize,
    /// Byte offset after the last byte.
    pub end: usize,
    /// Line of `start`, from 1.
    pub line: u32,
    /// Column of `start` in characters, from 1.
    pub column: u32,
}

impl Place {
    /// The bytes of the place.
    pub fn range(&self) -> Range<usize> {
        self.start..self.end
    }

    /// Whether `offset` lies inside.
    pub fn contains(&self, offset: usize) -> bool {
        self.range().contains(&offset)
    }
}

/// Where the lines of a text begin, to find line and column of an offset.
///
/// Lines end with LF; the CR of a CRLF belongs to its line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    starts: Vec<usize>,
}

impl Lines {
    /// The lines of `text`.
    pub fn new(text: &str) -> Self {
        let mut starts = vec![0];
        starts.extend(
            text.bytes()
                .enumerate()
                .filter(|&(_, byte)| byte == b'\n')
                .map(|(at, _)| at + 1),
        );
        Self { starts }
    }

    /// The line of a byte offset, from 1. Offsets after the end belong to the last line.
    pub fn line(&self, offset: usize) -> u32 {
        let line = self.starts.partition_point(|&start| start <= offset).max(1);
        u32::try_from(line).unwrap_or(u32::MAX)
    }

    /// Byte offset at which a line (from 1) begins, if there is such a line.
    pub fn start(&self, line: u32) -> Option<usize> {
        self.starts.get((line as usize).checked_sub(1)?).copied()
    }

    /// How many lines there are; a text that ends with a newline has an empty last one.
    pub fn count(&self) -> usize {
        self.starts.len()
    }

    /// A range of `text` as a place. Offsets are moved back to character boundaries and into the text.
    pub fn place(&self, text: &str, range: Range<usize>) -> Place {
        let start = floor_char_boundary(text, range.start);
        let end = floor_char_boundary(text, range.end.max(range.start)).max(start);
        let line = self.line(start);
        let line_start = self.start(line).unwrap_or(0).min(start);
        let column = text[line_start..start].chars().count() + 1;
        Place {
            start,
            end,
            line,
            column: u32::try_from(column).unwrap_or(u32::MAX),
        }
    }

    /// The byte offset of a line and a column (both from 1, the column in characters), at most the end of that line.
    pub fn offset(&self, text: &str, line: u32, column: u32) -> usize {
        let Some(start) = self.start(line.max(1)) else {
            return text.len();
        };
        let rest = text.get(start..).unwrap_or("");
        let line_text = rest.split('\n').next().unwrap_or("");
        let column = column.saturating_sub(1) as usize;
        line_text
            .char_indices()
            .nth(column)
            .map_or(start + line_text.len(), |(at, _)| start + at)
    }
}

/// The largest character boundary of `text` that is not after `offset`.
pub fn floor_char_boundary(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_characters() {
        let text = "가나\r\n다라마";
        let lines = Lines::new(text);
        assert_eq!(
            lines.place(text, 8..11),
            Place {
                start: 8,
                end: 11,
                line: 2,
                column: 1
            }
        );
        assert_eq!(
            lines.place(text, 11..14),
            Place {
                start: 11,
                end: 14,
                line: 2,
                column: 2
            }
        );
        assert_eq!(
            lines.place(text, 12..99),
            Place {
                start: 11,
                end: 17,
                line: 2,
                column: 2
            }
        );
        assert_eq!(lines.offset(text, 2, 3), 14);
        assert_eq!(lines.offset(text, 2, 30), 17);
        assert_eq!(lines.offset(text, 9, 1), 17);
    }
}
