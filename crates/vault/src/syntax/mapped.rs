//! A text that was edited, with the way back to the text it came from.

use std::borrow::Cow;
use std::ops::Range;

/// An edit: the bytes of `range` are replaced by `insert`. An insertion has an empty range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Edit {
    pub range: Range<usize>,
    pub insert: String,
}

/// A run of characters of the edited text.
#[derive(Clone, Copy, Debug)]
struct Segment {
    /// Where it begins in the edited text.
    at: usize,
    /// Where it begins in the original; for an insertion, the place it was inserted at.
    from: usize,
    inserted: bool,
}

/// An edited text. Offsets "in the original" are those of the file.
#[derive(Clone, Debug)]
pub(crate) struct Mapped<'a> {
    text: Cow<'a, str>,
    segments: Vec<Segment>,
}

impl<'a> Mapped<'a> {
    /// A piece of a file that begins at byte `offset` of it, not edited yet.
    pub(crate) fn new(text: &'a str, offset: usize) -> Self {
        Self {
            text: Cow::Borrowed(text),
            segments: vec![Segment {
                at: 0,
                from: offset,
                inserted: false,
            }],
        }
    }

    /// The edited text.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Applies edits whose ranges are offsets into [`Mapped::text`]. Overlapping edits: the later one is dropped.
    pub(crate) fn edited(self, mut edits: Vec<Edit>) -> Self {
        if edits.is_empty() {
            return self;
        }
        edits.sort_by_key(|edit| (edit.range.start, edit.range.end));
        let mut builder = Builder {
            base: &self,
            text: String::with_capacity(self.text.len() + 16),
            segments: Vec::new(),
        };
        let mut at = 0;
        for edit in &edits {
            if edit.range.start < at {
                continue;
            }
            builder.copy(at..edit.range.start);
            builder.insert(edit.range.start, &edit.insert);
            at = edit.range.end;
        }
        builder.copy(at..self.text.len());
        let (text, segments) = (builder.text, builder.segments);
        Self {
            text: Cow::Owned(text),
            segments,
        }
    }

    fn segment_index(&self, at: usize) -> usize {
        self.segments
            .partition_point(|segment| segment.at <= at)
            .saturating_sub(1)
    }

    /// Where the character at `at` stands in the original; for an inserted one, where it was inserted.
    pub(crate) fn start(&self, at: usize) -> usize {
        let segment = self.segments[self.segment_index(at)];
        if segment.inserted {
            segment.from
        } else {
            segment.from + (at - segment.at)
        }
    }

    /// Where the character before `at` ends in the original.
    pub(crate) fn end(&self, at: usize) -> usize {
        let Some(last) = at.checked_sub(1) else {
            return self.start(0);
        };
        let segment = self.segments[self.segment_index(last)];
        if segment.inserted {
            segment.from
        } else {
            segment.from + (at - segment.at)
        }
    }

    /// A range of the edited text in the original, without inserted characters at its ends.
    pub(crate) fn range(&self, range: Range<usize>) -> Range<usize> {
        let start = self.start(range.start);
        start..self.end(range.end).max(start)
    }

    /// The pieces of a range that come from the original: text and offset there.
    pub(crate) fn pieces(&self, range: Range<usize>) -> impl Iterator<Item = (&str, usize)> {
        let first = self.segment_index(range.start);
        self.segments[first..]
            .iter()
            .enumerate()
            .map_while(move |(index, segment)| {
                let end = self
                    .segments
                    .get(first + index + 1)
                    .map_or(self.text.len(), |next| next.at);
                let (start, end) = (segment.at.max(range.start), end.min(range.end));
                (segment.at < range.end && start <= end).then_some((segment, start, end))
            })
            .filter(|(segment, start, end)| !segment.inserted && start < end)
            .filter_map(|(segment, start, end)| Some((self.text.get(start..end)?, segment.from + (start - segment.at))))
    }

    /// The text of a range without inserted characters.
    pub(crate) fn original(&self, range: Range<usize>) -> String {
        self.pieces(range).map(|(text, _)| text).collect()
    }

    /// Whether anything was deleted or inserted within a range.
    pub(crate) fn touched(&self, range: Range<usize>) -> bool {
        self.segment_index(range.start) != self.segment_index(range.end.max(range.start + 1) - 1)
    }
}

struct Builder<'b, 'a> {
    base: &'b Mapped<'a>,
    text: String,
    segments: Vec<Segment>,
}

impl Builder<'_, '_> {
    fn copy(&mut self, range: Range<usize>) {
        if range.is_empty() {
            return;
        }
        let base = self.base;
        let first = base.segment_index(range.start);
        for (index, segment) in base.segments[first..].iter().enumerate() {
            if segment.at >= range.end {
                break;
            }
            let end = base
                .segments
                .get(first + index + 1)
                .map_or(base.text.len(), |next| next.at)
                .min(range.end);
            let start = segment.at.max(range.start);
            let from = if segment.inserted {
                segment.from
            } else {
                segment.from + (start - segment.at)
            };
            self.segments.push(Segment {
                at: self.text.len(),
                from,
                inserted: segment.inserted,
            });
            self.text.push_str(&base.text[start..end]);
        }
    }

    fn insert(&mut self, at: usize, text: &str) {
        if !text.is_empty() {
            // The place before the next original character, so that what follows an insertion keeps its start.
            self.segments.push(Segment {
                at: self.text.len(),
                from: self.base.end(at),
                inserted: true,
            });
            self.text.push_str(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_keep_the_way_back() {
        let mapped = Mapped::new("a %%x%% b\n", 10).edited(vec![Edit {
            range: 2..7,
            insert: String::new(),
        }]);
        assert_eq!(mapped.text(), "a  b\n");
        assert_eq!(mapped.range(3..4), 18..19);
        let mapped = mapped.edited(vec![Edit {
            range: 3..3,
            insert: "!".into(),
        }]);
        assert_eq!(mapped.text(), "a  !b\n");
        assert_eq!(mapped.range(4..5), 18..19);
        assert_eq!(mapped.range(3..5), 18..19);
        assert_eq!(mapped.original(0..5), "a  b");
        assert!(mapped.touched(0..5));
        assert!(!mapped.touched(4..6));
    }
}
