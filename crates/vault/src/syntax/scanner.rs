//! Walking through the characters of a paragraph before Markdown is read.

use std::ops::Range;

/// Walks through a paragraph, past escapes, code spans, wikilinks and tags.
pub(super) struct Scanner<'a> {
    text: &'a str,
    pub(super) at: usize,
    end: usize,
    /// Before this offset there is no `]]`, `>` to be found: keeps repeated failures cheap.
    no_link_before: usize,
    no_tag_before: usize,
    /// Lengths of backtick runs that have no partner after some place: length, place.
    no_code: Vec<usize>,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str, range: Range<usize>) -> Self {
        Self {
            text,
            at: range.start,
            end: range.end,
            no_link_before: 0,
            no_tag_before: 0,
            no_code: Vec::new(),
        }
    }

    /// The next of the wanted bytes outside code spans and escapes. Wikilinks and HTML tags are passed over, too, unless
    /// comments are looked for, which win over them.
    pub(super) fn next_of(&mut self, wanted: &[u8], holes: &[Range<usize>]) -> Option<usize> {
        let bytes = self.text.as_bytes();
        let comments = wanted.contains(&b'%');
        let mut hole = 0;
        while self.at < self.end {
            while holes.get(hole).is_some_and(|hole| hole.end <= self.at) {
                hole += 1;
            }
            if let Some(hole) = holes.get(hole).filter(|hole| hole.contains(&self.at)) {
                self.at = hole.end;
                continue;
            }
            let byte = bytes[self.at];
            if wanted.contains(&byte) {
                return Some(self.at);
            }
            self.at += match byte {
                b'\\' if bytes.get(self.at + 1).is_some_and(u8::is_ascii_punctuation) => 2,
                b'`' => self.code_span(),
                b'[' if !comments && bytes.get(self.at + 1) == Some(&b'[') => self.wikilink(),
                b'<' if !comments => self.tag(),
                _ => 1,
            };
        }
        None
    }

    /// The length of the code span that begins here, or of the run of backticks.
    fn code_span(&mut self) -> usize {
        let rest = &self.text.as_bytes()[self.at..self.end];
        let length = rest.iter().take_while(|&&byte| byte == b'`').count();
        if self.no_code.contains(&length) {
            return length;
        }
        let mut at = length;
        while at < rest.len() {
            if rest[at] != b'`' {
                at += 1;
                continue;
            }
            let run = rest[at..].iter().take_while(|&&byte| byte == b'`').count();
            at += run;
            if run == length {
                return at;
            }
        }
        if self.no_code.len() < 64 {
            self.no_code.push(length);
        }
        length
    }

    fn wikilink(&mut self) -> usize {
        if self.at < self.no_link_before {
            return 1;
        }
        let rest = &self.text[self.at..self.end];
        let line = rest.find('\n').unwrap_or(rest.len());
        match rest[..line].find("]]") {
            Some(close) => close + 2,
            None => {
                self.no_link_before = self.at + line;
                2
            }
        }
    }

    /// The length of the autolink or HTML tag that begins here.
    fn tag(&mut self) -> usize {
        let bytes = &self.text.as_bytes()[self.at..self.end];
        let named = bytes
            .get(1)
            .is_some_and(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'/' | b'!' | b'?'));
        if !named || self.at < self.no_tag_before {
            return 1;
        }
        let mut quote = None;
        for (index, &byte) in bytes.iter().enumerate().skip(1) {
            match (quote, byte) {
                (Some(open), _) if byte == open => quote = None,
                (Some(_), _) => {}
                (None, b'"' | b'\'') => quote = Some(byte),
                (None, b'>') => return index + 1,
                (None, b'<' | b'`') => return 1,
                (None, b'$' | b'*') if !bytes[1..index].contains(&b':') => return 1,
                _ => {}
            }
        }
        self.no_tag_before = self.end;
        1
    }
}
