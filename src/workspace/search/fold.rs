//! Texts made comparable: composed and in lower case, with the way back to the bytes of the original.

use std::ops::Range;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::canonical_combining_class;

/// A text for comparison.
#[derive(Debug, Default)]
pub(super) struct Folded {
    pub(super) text: String,
    /// Where pieces begin: in the folded text, in the original. Only where the distance between the two changes.
    steps: Vec<(usize, usize)>,
    end: usize,
}

impl Folded {
    pub(super) fn new(original: &str) -> Self {
        let mut folded = Self {
            text: String::with_capacity(original.len()),
            steps: vec![(0, 0)],
            end: original.len(),
        };
        let mut chars = original.char_indices().peekable();
        while let Some((start, first)) = chars.next() {
            let mut end = start + first.len_utf8();
            while let Some((at, next)) = chars.next_if(|(_, next)| continues(*next)) {
                end = at + next.len_utf8();
            }
            folded.step(start);
            folded
                .text
                .extend(original[start..end].nfc().flat_map(char::to_lowercase));
        }
        folded
    }

    fn step(&mut self, original: usize) {
        let (from, to) = self.steps.last().copied().unwrap_or_default();
        if self.text.len() - from != original - to {
            self.steps.push((self.text.len(), original));
        }
    }

    /// The bytes of the original of a range of the folded text.
    pub(super) fn original(&self, range: Range<usize>) -> Range<usize> {
        let at = |offset: usize| {
            if offset >= self.text.len() {
                return self.end;
            }
            let index = self
                .steps
                .partition_point(|(from, _)| *from <= offset)
                .saturating_sub(1);
            let (from, to) = self.steps.get(index).copied().unwrap_or_default();
            let limit = self.steps.get(index + 1).map_or(self.end, |(_, next)| *next);
            (to + (offset - from)).min(limit)
        };
        at(range.start)..at(range.end)
    }
}

/// Whether a character is drawn together with the one before it: a combining mark, a vowel or final consonant of Hangul.
fn continues(c: char) -> bool {
    canonical_combining_class(c) != 0 || matches!(u32::from(c), 0x1160..=0x11ff | 0xd7b0..=0xd7ff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_lead_back_to_the_original() {
        for (original, needle, found) in [
            ("Kubelet은 POD를", "pod", "POD"),
            (
                "앞 \u{1111}\u{1161}\u{1103}\u{1173} 뒤",
                "파드",
                "\u{1111}\u{1161}\u{1103}\u{1173}",
            ),
            ("İx Pod", "pod", "Pod"),
            ("cafe\u{301} 안", "안", "안"),
            ("끝 pod", "pod", "pod"),
        ] {
            let folded = Folded::new(original);
            let at = folded
                .text
                .find(needle)
                .unwrap_or_else(|| panic!("{needle} in {}", folded.text));
            assert_eq!(&original[folded.original(at..at + needle.len())], found);
        }
    }
}
