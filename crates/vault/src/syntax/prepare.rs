//! Edits before Markdown is read, so that a CommonMark parser sees what Obsidian means.
//!
//! 1. Comments are deleted. What opens first wins: a comment hides a fence in it, a fence a comment.
//! 2. The head of a callout (`[!note]-`) is deleted; its title becomes a paragraph of its own, the first of the quote.
//! 3. `^id` right under a quote, a callout or a table gets a blank line before it.
//! 4. `$$` blocks become fences with a private info string, so that blank lines and dashes are theirs.
//! 5. Beside Hangul and CJK characters a neutral private-use character makes `**굵게(강조)**를` strong.
//! 6. `$` that is not math by Obsidian's rules is escaped.
//!
//! Each edit is a deletion or an insertion; [`Mapped`] knows the way back.

use std::ops::Range;

use super::lines::{Line, LineKind, LineReader};
use super::mapped::{Edit, Mapped};
use crate::note::Fold;
use crate::text::chars::{is_cjk, is_punctuation};

/// The head of a callout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// Where the `>` of its quote stands in the file.
    pub quote: usize,
    /// `[!type|metadata]fold` in the file.
    pub range: Range<usize>,
    /// The type as written, trimmed.
    pub kind: String,
    pub metadata: Option<String>,
    pub fold: Option<Fold>,
}

/// A text that is ready for the Markdown parser.
#[derive(Debug)]
pub(crate) struct Prepared<'a> {
    pub mapped: Mapped<'a>,
    /// A character that does not occur in the note: stands before the title of a callout, is the info string of a block
    /// of math, and separates emphasis marks from punctuation.
    pub mark: char,
    pub heads: Vec<Head>,
    /// Comments, marks included, in the file.
    pub comments: Vec<Range<usize>>,
    /// A `%%` without its end.
    pub unclosed_comment: Option<usize>,
}

/// Edits that turned out to lie in code and are not to be made: places in the file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Exclusions {
    pub heads: Vec<usize>,
    pub comments: Vec<usize>,
    /// Nothing but the edits that cannot lose text.
    pub all: bool,
}

/// Prepares the body of a note: `text[body..]`.
pub(crate) fn prepare<'a>(text: &'a str, body: usize, excluded: &Exclusions) -> Prepared<'a> {
    let mark = ('\u{E000}'..='\u{F8FF}')
        .find(|&mark| !text.contains(mark))
        .unwrap_or('\u{E000}');
    let mut first = FirstPass::new(&text[body..], body, mark, excluded);
    first.run();
    let FirstPass {
        edits,
        heads,
        comments,
        unclosed_comment,
        ..
    } = first;
    let mapped = Mapped::new(&text[body..], body).edited(edits);
    let edits = inline_edits(mapped.text(), mark);
    Prepared {
        mapped: mapped.edited(edits),
        mark,
        heads,
        comments,
        unclosed_comment,
    }
}

/// Comments, callout heads, block ids, blocks of math.
struct FirstPass<'a> {
    text: &'a str,
    offset: usize,
    mark: char,
    excluded: &'a Exclusions,
    edits: Vec<Edit>,
    heads: Vec<Head>,
    comments: Vec<Range<usize>>,
    unclosed_comment: Option<usize>,
    /// Where runs of exactly two `%` begin.
    percents: Vec<usize>,
    /// The line before: its quotes, whether it was text with a bar, whether blank.
    before: Option<Line>,
    /// The paragraph so far: from, to.
    paragraph: Option<Range<usize>>,
    /// Parts of the paragraph that are block comments.
    holes: Vec<Range<usize>>,
}

impl<'a> FirstPass<'a> {
    fn new(text: &'a str, offset: usize, mark: char, excluded: &'a Exclusions) -> Self {
        Self {
            text,
            offset,
            mark,
            excluded,
            edits: Vec::new(),
            heads: Vec::new(),
            comments: Vec::new(),
            unclosed_comment: None,
            percents: runs_of_two(text, b'%'),
            before: None,
            paragraph: None,
            holes: Vec::new(),
        }
    }

    fn run(&mut self) {
        let mut reader = LineReader::new(self.text, 0);
        while let Some(mut line) = reader.next_line() {
            if line.kind == LineKind::Verbatim {
                self.end_paragraph();
                self.before = Some(line);
                continue;
            }
            // A block comment; text may go on behind it, and another one may follow.
            while let Some(close) = self.block_comment(&line) {
                let range = line.content..close;
                let rest_end = self.text[close..].find('\n').map_or(self.text.len(), |at| close + at);
                let rest = self.text[close..rest_end].trim_end_matches('\r');
                let only_prefix = self.text[line.start..line.content]
                    .chars()
                    .all(|c| matches!(c, '>' | ' ' | '\t'));
                self.comments.push(range.start + self.offset..range.end + self.offset);
                if rest.trim().is_empty() && only_prefix {
                    // Whole lines vanish with their ends.
                    let end = (rest_end + 1).min(self.text.len());
                    self.delete(line.start..end);
                    self.holes.push(line.start..end);
                    reader.jump(end);
                    line.kind = LineKind::Verbatim;
                    break;
                }
                self.delete(range.clone());
                self.holes.push(range);
                line.content = close + (rest.len() - rest.trim_start().len());
                line.end = close + rest.len();
                line.next = (rest_end + 1).min(self.text.len());
                line.kind = if rest.trim().is_empty() {
                    LineKind::Blank
                } else {
                    LineKind::Text
                };
                reader.jump(line.next);
            }
            if line.kind == LineKind::Verbatim {
                continue; // removed: the paragraph around it goes on
            }
            self.line(&line, &mut reader);
            self.before = Some(line);
        }
        self.end_paragraph();
    }

    fn delete(&mut self, range: Range<usize>) {
        self.edits.push(Edit {
            range,
            insert: String::new(),
        });
    }

    /// The end of the block comment that begins where this line's content begins.
    fn block_comment(&mut self, line: &Line) -> Option<usize> {
        if self.excluded.all || self.excluded.comments.contains(&(line.content + self.offset)) {
            return None;
        }
        let index = self.percents.binary_search(&line.content).ok()?;
        match self.percents.get(index + 1) {
            Some(close) => Some(close + 2),
            None => {
                self.unclosed_comment.get_or_insert(line.content + self.offset);
                None
            }
        }
    }

    fn line(&mut self, line: &Line, reader: &mut LineReader<'_>) {
        if line.kind == LineKind::Blank {
            self.end_paragraph();
            return;
        }
        let quotes_before = self
            .before
            .as_ref()
            .filter(|before| before.kind != LineKind::Blank || before.quotes > 0);
        let quotes_before = quotes_before.map_or(0, |before| before.quotes);
        if line.marker || line.quotes != quotes_before || line.kind != LineKind::Text {
            self.end_paragraph();
        }
        let first_of_quote = line.quotes > 0 && (line.marker_before_quote || quotes_before < line.quotes);
        if first_of_quote && let Some(head) = self.callout_head(line) {
            let content_start = head.range.end - self.offset;
            let title = content_start
                + (self.text[content_start..line.end].len() - self.text[content_start..line.end].trim_start().len());
            self.edits.push(Edit {
                range: line.content..title,
                insert: format!("{} ", self.mark),
            });
            self.edits.push(Edit {
                range: line.end..line.end,
                insert: format!("\n{}", line.continuation(self.text)),
            });
            self.heads.push(head);
            self.end_paragraph();
            self.paragraph = Some(title..line.end);
            self.end_paragraph();
            return;
        }
        let content = self.text[line.content..line.end].trim_end();
        if is_block_id(content) && !line.marker {
            let under_quote = quotes_before > line.quotes;
            let under_table = line.indent == 0
                && self
                    .before
                    .as_ref()
                    .is_some_and(|before| self.text[before.content..before.end].contains('|'));
            if under_quote || under_table {
                self.edits.push(Edit {
                    range: line.start..line.start,
                    insert: format!("{}\n", line.continuation(self.text)),
                });
                self.end_paragraph();
            }
        }
        if content == "$$" && self.math_block(line, reader) {
            self.end_paragraph();
            return;
        }
        let start = self
            .paragraph
            .as_ref()
            .map_or(line.content, |paragraph| paragraph.start);
        self.paragraph = Some(start..line.end);
        if line.kind != LineKind::Text {
            self.end_paragraph();
        }
    }

    fn callout_head(&self, line: &Line) -> Option<Head> {
        let quote = line.last_quote? + self.offset;
        if line.indent >= 5 || self.excluded.all || self.excluded.heads.contains(&quote) {
            return None;
        }
        let content = &self.text[line.content..line.end];
        let (inside, after) = content.strip_prefix("[!")?.split_once(']')?;
        let (kind, metadata) = match inside.split_once('|') {
            Some((kind, metadata)) => (kind.trim(), Some(metadata.trim().to_owned())),
            None => (inside.trim(), None),
        };
        let fold = match after.as_bytes().first() {
            Some(b'+') => Some(Fold::Open),
            Some(b'-') => Some(Fold::Closed),
            _ => None,
        };
        let length = 2 + inside.len() + 1 + usize::from(fold.is_some());
        let start = line.content + self.offset;
        (!kind.is_empty()).then(|| Head {
            quote,
            range: start..start + length,
            kind: kind.to_owned(),
            metadata,
            fold,
        })
    }

    /// A `$$` line with its closing line: both become fences.
    fn math_block(&mut self, open: &Line, reader: &mut LineReader<'_>) -> bool {
        let mut rest = self.text[open.next..].split_inclusive('\n');
        let mut at = open.next;
        let prefix = |line: &str| {
            line.chars()
                .take_while(|c| matches!(c, '>' | ' ' | '\t'))
                .filter(|c| *c == '>')
                .count()
        };
        let close = loop {
            let Some(line) = rest.next() else { return false };
            let content = line.trim_start_matches(['>', ' ', '\t']).trim_end();
            if prefix(line) != open.quotes {
                return false;
            }
            if content == "$$" {
                break at + line.find("$$").unwrap_or(0);
            }
            if content.contains("$$") || content.contains("```") {
                return false;
            }
            at += line.len();
        };
        self.edits.push(Edit {
            range: open.content..open.end,
            insert: format!("```{}", self.mark),
        });
        self.edits.push(Edit {
            range: close..close + 2,
            insert: "```".to_owned(),
        });
        let next = self.text[close..]
            .find('\n')
            .map_or(self.text.len(), |end| close + end + 1);
        reader.jump(next);
        true
    }

    /// Looks for comments within the paragraph that ends here.
    fn end_paragraph(&mut self) {
        let holes = std::mem::take(&mut self.holes);
        let Some(paragraph) = self.paragraph.take() else { return };
        let begin = self.percents.partition_point(|&at| at < paragraph.start);
        if self.excluded.all || self.percents.get(begin).is_none_or(|&at| at >= paragraph.end) {
            return;
        }
        let mut scanner = Scanner::new(self.text, paragraph.clone());
        while let Some(at) = scanner.next_of(&[b'%'], &holes) {
            let run = self.text[at..paragraph.end]
                .bytes()
                .take_while(|&byte| byte == b'%')
                .count();
            if run != 2 || self.excluded.comments.contains(&(at + self.offset)) {
                scanner.at = at + run;
                continue;
            }
            let next = self.percents.partition_point(|&percent| percent <= at);
            let close = self.percents[next..]
                .iter()
                .copied()
                .take_while(|&close| close + 2 <= paragraph.end);
            let Some(close) = close
                .into_iter()
                .find(|close| !holes.iter().any(|hole| hole.contains(close)))
            else {
                self.unclosed_comment.get_or_insert(at + self.offset);
                break;
            };
            self.comments.push(at + self.offset..close + 2 + self.offset);
            self.delete(at..close + 2);
            scanner.at = close + 2;
        }
    }
}

/// Whether a line is a block id alone.
pub(super) fn is_block_id(content: &str) -> bool {
    let id = content.strip_prefix('^');
    id.is_some_and(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'))
}

/// Where runs of exactly two of a byte begin.
fn runs_of_two(text: &str, byte: u8) -> Vec<usize> {
    let bytes = text.as_bytes();
    let mut runs = Vec::new();
    let mut at = 0;
    while let Some(found) = bytes[at..].iter().position(|&b| b == byte) {
        let start = at + found;
        let length = bytes[start..].iter().take_while(|&&b| b == byte).count();
        if length == 2 {
            runs.push(start);
        }
        at = start + length;
    }
    runs
}

/// Walks through a paragraph, past escapes, code spans, wikilinks and tags.
struct Scanner<'a> {
    text: &'a str,
    at: usize,
    end: usize,
    /// Before this offset there is no `]]`, `>` to be found: keeps repeated failures cheap.
    no_link_before: usize,
    no_tag_before: usize,
    /// Lengths of backtick runs that have no partner after some place: length, place.
    no_code: Vec<usize>,
}

impl<'a> Scanner<'a> {
    fn new(text: &'a str, range: Range<usize>) -> Self {
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
    fn next_of(&mut self, wanted: &[u8], holes: &[Range<usize>]) -> Option<usize> {
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

/// Escapes of `$` and marks beside emphasis, over a text without comments.
fn inline_edits(text: &str, mark: char) -> Vec<Edit> {
    let mut edits = Vec::new();
    let dollars = text.contains('$');
    let emphasis = text.contains('*') || text.contains('~');
    if !dollars && !emphasis {
        return edits;
    }
    for paragraph in paragraphs(text) {
        if dollars && text[paragraph.clone()].contains('$') {
            escape_dollars(text, paragraph.clone(), &mut edits);
        }
        if emphasis {
            let mut scanner = Scanner::new(text, paragraph.clone());
            while let Some(at) = scanner.next_of(b"*~", &[]) {
                let byte = text.as_bytes()[at];
                let run = text[at..paragraph.end].bytes().take_while(|&b| b == byte).count();
                scanner.at = at + run;
                let before = text[paragraph.start..at].chars().next_back();
                let after = text[at + run..paragraph.end].chars().next();
                let (Some(before), Some(after)) = (before, after) else {
                    continue;
                };
                if before.is_whitespace() || after.is_whitespace() || !(is_cjk(before) || is_cjk(after)) {
                    continue;
                }
                match (is_punctuation(before), is_punctuation(after)) {
                    (true, false) => edits.push(Edit {
                        range: at..at,
                        insert: mark.to_string(),
                    }),
                    (false, true) => edits.push(Edit {
                        range: at + run..at + run,
                        insert: mark.to_string(),
                    }),
                    _ => {}
                }
            }
        }
    }
    edits
}

/// Escapes each `$` of a paragraph that is no math: the space and digit rules.
fn escape_dollars(text: &str, paragraph: Range<usize>, edits: &mut Vec<Edit>) {
    let mut scanner = Scanner::new(text, paragraph.clone());
    let mut runs = Vec::new();
    while let Some(at) = scanner.next_of(b"$", &[]) {
        let length = text[at..paragraph.end].bytes().take_while(|&byte| byte == b'$').count();
        runs.push((at, length));
        scanner.at = at + length;
    }
    let mut escape = |(at, length): (usize, usize)| {
        edits.extend((0..length).map(|index| Edit {
            range: at + index..at + index,
            insert: "\\".to_owned(),
        }));
    };
    // The first run of two after each run, so that the search stays linear.
    let mut next_double = vec![None; runs.len()];
    let mut nearest = None;
    for index in (0..runs.len()).rev() {
        next_double[index] = nearest;
        if runs[index].1 == 2 {
            nearest = Some(index);
        }
    }
    let mut index = 0;
    while let Some(&(at, length)) = runs.get(index) {
        if length == 2 {
            if let Some(close) = next_double[index] {
                // One `$` inside `$$` is text of the formula; for the parser it must be escaped.
                runs[index + 1..close].iter().for_each(|&run| escape(run));
                index = close + 1;
                continue;
            }
        } else if length == 1
            && opens_math(text, at, paragraph.end)
            && let Some(&(close, 1)) = runs.get(index + 1)
            && closes_math(text, close, paragraph.end)
        {
            index += 2;
            continue;
        }
        escape((at, length));
        index += 1;
    }
}

/// A `$` opens if no white space follows.
fn opens_math(text: &str, at: usize, end: usize) -> bool {
    text[at + 1..end].chars().next().is_some_and(|c| !c.is_whitespace())
}

/// A `$` closes if no white space stands before it and no digit follows. One right behind a bracket that opens after a
/// space (`… ($x$)`) is the start of another formula.
fn closes_math(text: &str, at: usize, end: usize) -> bool {
    let mut before = text[..at].chars().rev();
    let last = before.next();
    let opens_bracket = matches!(last, Some('(' | '[' | '{')) && before.next().is_some_and(char::is_whitespace);
    let digit = text[at + 1..end].starts_with(|c: char| c.is_ascii_digit());
    last.is_some_and(|c| !c.is_whitespace()) && !digit && !opens_bracket
}

/// The paragraphs of a text: from the first content to the end of the last line. Rows of tables are paragraphs of their own.
fn paragraphs(text: &str) -> Vec<Range<usize>> {
    let mut paragraphs: Vec<Range<usize>> = Vec::new();
    let mut reader = LineReader::new(text, 0);
    let mut open = false;
    let mut in_table = false;
    let mut quotes = 0;
    while let Some(line) = reader.next_line() {
        if matches!(line.kind, LineKind::Blank | LineKind::Verbatim | LineKind::Rule) {
            (open, in_table) = (false, false);
            continue;
        }
        let content = &text[line.content..line.end];
        if content.contains('-') && content.contains('|') && content.bytes().all(|byte| b" \t|:-".contains(&byte)) {
            in_table = true;
        }
        let joins = open && !line.marker && line.quotes == quotes && line.kind == LineKind::Text && !in_table;
        match paragraphs.last_mut().filter(|_| joins) {
            Some(paragraph) => paragraph.end = line.end,
            None => paragraphs.push(line.content..line.end),
        }
        open = line.kind == LineKind::Text;
        quotes = line.quotes;
    }
    paragraphs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(text: &str) -> String {
        prepare(text, 0, &Exclusions::default())
            .mapped
            .text()
            .replace('\u{E000}', "M")
    }

    #[test]
    fn edits() {
        for (text, expected) in [
            ("a %%x%% b", "a  b"),
            ("before\n%%\nhidden\n%%\nafter\n", "before\nafter\n"),
            ("%%a%% b", " b"),
            ("```\n%%b%%\n```\n%%c%%\n", "```\n%%b%%\n```\n"),
            ("%%\n```\n%%\nx", "x"),
            ("`%%` %%", "`%%` %%"),
            ("> [!faq]- T\n> b\n", "> M T\n>\n> b\n"),
            ("- a\n\t> [!note] T\n\t> b\n", "- a\n\t> M T\n\t>\n\t> b\n"),
            ("> [!note]", "> M \n>"),
            ("> a\n> [!note] x\n", "> a\n> [!note] x\n"),
            ("> q\n^id\n", "> q\n\n^id\n"),
            ("$$\na\n\nb\n$$\n", "```M\na\n\nb\n```\n"),
            ("**한국어(영어)**는", "**한국어(영어)M**는"),
            ("파드는**(Pod)**이다", "파드는**M(Pod)M**이다"),
            ("**Mark(x)**down", "**Mark(x)**down"),
            ("$a$5", "\\$a\\$5"),
            ("$10 이고 $20 이다 ($x$)", "\\$10 이고 \\$20 이다 ($x$)"),
            ("$5 and [[x$y]] `$`", "\\$5 and [[x$y]] `$`"),
            ("a $$x$5$$ b", "a $$x\\$5$$ b"),
        ] {
            assert_eq!(prepared(text), expected, "{text}");
        }
    }
}
