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

use super::emphasis::inline_edits;
use super::lines::{Line, LineKind, LineReader};
use super::mapped::{Edit, Mapped};
use super::scanner::Scanner;
use crate::note::Fold;

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
        while let Some(at) = scanner.next_of(b"%", &holes) {
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
