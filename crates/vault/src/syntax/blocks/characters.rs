//! Text as characters with their bytes in the file, and code as lines with theirs.

use std::ops::Range;

use super::super::inline::Token;
use super::super::tree::{Inline, InlineKind};
use super::{Builder, FrameKind};
use crate::note::Math;

impl Builder<'_> {
    pub(super) fn push_inline(&mut self, place: Range<usize>, range: Range<usize>, kind: InlineKind) {
        self.open_implicit(&range);
        let top = self.top();
        top.range.end = top.range.end.max(range.end);
        top.tokens.push(Token::Node(Box::new(Inline { range: place, kind })));
    }

    pub(super) fn math(&mut self, tex: &str, range: Range<usize>, display: bool) {
        let place = self.mapped.range(range.clone());
        let tex = if self.mapped.touched(range.clone()) {
            let source = self.mapped.original(range.clone());
            source.trim_matches('$').to_owned()
        } else {
            tex.to_owned()
        };
        self.found.math.push(Math {
            display,
            tex,
            place: self.found.place(place.clone()),
        });
        self.push_inline(place, range, InlineKind::Math(self.found.math.len() - 1));
    }

    pub(super) fn footnote_reference(&mut self, label: &str, range: Range<usize>) {
        if label.contains(char::is_whitespace) {
            self.open_implicit(&range);
            self.literal(range);
            return;
        }
        let index = self.found.footnote(label);
        self.push_inline(self.mapped.range(range.clone()), range, InlineKind::Footnote(index));
    }

    pub(super) fn text(&mut self, text: &str, range: Range<usize>) {
        if matches!(self.top().kind, FrameKind::Code(_)) {
            self.code_text(text, range);
            return;
        }
        self.open_implicit(&range);
        let top = self.top();
        top.range.end = top.range.end.max(range.end);
        if self.mapped.text().get(range.clone()) != Some(text) {
            // An entity, or several characters written in another way.
            let place = self.mapped.range(range);
            let mark = self.mark;
            let tokens = text.chars().filter(|&c| c != mark);
            let tokens = tokens.map(|c| Token::Char {
                c,
                start: place.start,
                end: place.end,
                fixed: true,
            });
            self.top().tokens.extend(tokens);
            return;
        }
        // `pulldown-cmark` begins a text behind the backslash of an escape.
        let escaped = self.mapped.text()[..range.start].ends_with('\\') && self.is_gap(range.start - 1);
        let mut first = true;
        let mapped = self.mapped;
        for (piece, offset) in mapped.pieces(range) {
            for (at, c) in piece.char_indices() {
                let fixed = std::mem::take(&mut first) && escaped && c.is_ascii_punctuation();
                let start = offset + at;
                self.top().tokens.push(Token::Char {
                    c,
                    start,
                    end: start + c.len_utf8(),
                    fixed,
                });
            }
        }
    }

    /// Whether a byte of the prepared text is not part of the token before.
    pub(super) fn is_gap(&mut self, at: usize) -> bool {
        let at = self.mapped.end(at + 1);
        self.top().tokens.last().is_none_or(|token| token.range().end < at)
    }

    /// The source of a range as plain characters.
    pub(super) fn literal(&mut self, range: Range<usize>) {
        let mapped = self.mapped;
        for (piece, offset) in mapped.pieces(range) {
            for (at, c) in piece.char_indices() {
                let (start, end) = (offset + at, offset + at + c.len_utf8());
                let token = match c {
                    '\n' => Token::Node(Box::new(Inline {
                        range: start..end,
                        kind: InlineKind::SoftBreak,
                    })),
                    '\r' => continue,
                    _ => Token::Char {
                        c,
                        start,
                        end,
                        fixed: true,
                    },
                };
                self.top().tokens.push(token);
            }
        }
    }

    pub(super) fn code_text(&mut self, text: &str, range: Range<usize>) {
        let exact = self.mapped.text().get(range.clone()) == Some(text);
        let mut pieces: Vec<(String, usize)> = Vec::new();
        if exact {
            pieces.extend(
                self.mapped
                    .pieces(range)
                    .map(|(text, offset)| (text.to_owned(), offset)),
            );
        } else {
            // Spaces of a tab that is partly indentation, or the CR of a CRLF left out.
            pieces.push((text.replace(self.mark, ""), self.mapped.start(range.start)));
        }
        let FrameKind::Code(code) = &mut self.top().kind else {
            return;
        };
        for (piece, offset) in pieces {
            let mut at = 0;
            for line in piece.split_inclusive('\n') {
                let body = line.trim_end_matches('\n').trim_end_matches('\r');
                let start = offset + at;
                if !code.open_line {
                    code.lines.push(start..start);
                }
                if let Some(last) = code.lines.last_mut() {
                    last.end = (start + body.len()).max(last.end);
                }
                code.text.push_str(body);
                code.open_line = !line.ends_with('\n');
                if !code.open_line {
                    code.text.push('\n');
                }
                at += line.len();
            }
        }
    }
}
