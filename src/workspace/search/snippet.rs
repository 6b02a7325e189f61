//! Pieces of a note around what was looked for, made from the note itself.

use std::ops::Range;

use peapod_vault::{Note, plain};

use super::fold::Folded;
use super::query::Query;
use super::{SNIPPETS, Snippet};

/// How many characters a snippet has before and after what was looked for.
const BEFORE: usize = 40;
const AFTER: usize = 100;

/// Where the query, or else its words, stand in a text.
pub(super) fn marks(text: &str, query: &Query) -> Vec<Range<usize>> {
    let folded = Folded::new(text);
    places(&folded, query)
        .into_iter()
        .map(|place| folded.original(place))
        .collect()
}

fn places(folded: &Folded, query: &Query) -> Vec<Range<usize>> {
    let whole = occurrences(&folded.text, &query.needle);
    if !whole.is_empty() || query.needles.len() < 2 {
        return whole;
    }
    let mut places: Vec<Range<usize>> = query
        .needles
        .iter()
        .flat_map(|needle| occurrences(&folded.text, needle))
        .collect();
    places.sort_by_key(|place| (place.start, std::cmp::Reverse(place.end)));
    places.dedup_by(|next, before| next.start < before.end);
    places
}

fn occurrences(text: &str, needle: &str) -> Vec<Range<usize>> {
    if needle.is_empty() {
        return Vec::new();
    }
    text.match_indices(needle)
        .map(|(at, found)| at..at + found.len())
        .collect()
}

/// The first pieces of a note that have what was looked for; the beginning of the text if only the title has it.
pub(super) fn snippets(note: &Note, query: &Query) -> Vec<Snippet> {
    let plain = plain::text_of(note);
    let text = plain.text.as_str();
    let marks = marks(text, query);
    let mut snippets = Vec::new();
    let mut rest = marks.as_slice();
    if rest.is_empty() {
        let first = 0..0;
        return if text.trim().is_empty() {
            Vec::new()
        } else {
            vec![snippet(note, &plain, first.clone(), &[])]
        };
    }
    while let Some(first) = rest.first() {
        let end = forward(text, first.end, AFTER);
        let inside = rest.iter().take_while(|mark| mark.end <= end).count().max(1);
        let (marks, later) = rest.split_at(inside.min(rest.len()));
        snippets.push(snippet(note, &plain, first.clone(), marks));
        rest = later;
        if snippets.len() == SNIPPETS {
            break;
        }
    }
    snippets
}

fn snippet(note: &Note, plain: &plain::PlainText, first: Range<usize>, marks: &[Range<usize>]) -> Snippet {
    let text = plain.text.as_str();
    // What belongs to another block would only confuse.
    let block = text[..first.start].rfind("\n\n").map_or(0, |at| at + 2);
    let start = back(text, first.start, BEFORE).max(block);
    let end = forward(text, first.end, AFTER).max(marks.last().map_or(0, |mark| mark.end));
    let mut out = String::new();
    if start > block {
        out.push('…');
    }
    let mut ranges = Vec::new();
    let mut at = start;
    for mark in marks {
        push(&mut out, &text[at..mark.start]);
        let from = out.len();
        push(&mut out, &text[mark.clone()]);
        ranges.push(from..out.len());
        at = mark.end;
    }
    push(&mut out, &text[at..end]);
    out.truncate(
        out.trim_end()
            .len()
            .max(ranges.last().map_or(0, |range: &Range<usize>| range.end)),
    );
    if end < text.len() {
        out.push('…');
    }
    let source = plain.source_offset(first.start)..plain.source_offset(first.end);
    Snippet {
        text: out,
        marks: ranges,
        line: note.lines.line(source.start),
        source,
    }
}

/// Appends a text on one line.
fn push(out: &mut String, text: &str) {
    for c in text.chars() {
        let c = if c.is_control() { ' ' } else { c };
        if c != ' ' || !out.ends_with(' ') {
            out.push(c);
        }
    }
}

fn back(text: &str, from: usize, chars: usize) -> usize {
    text[..from]
        .char_indices()
        .rev()
        .take(chars)
        .last()
        .map_or(from, |(at, _)| at)
}

fn forward(text: &str, from: usize, chars: usize) -> usize {
    text[from..]
        .char_indices()
        .nth(chars)
        .map_or(text.len(), |(at, _)| from + at)
}
