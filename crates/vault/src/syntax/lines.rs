//! The lines of a note as containers see them: how much is prefix (quote marks, list markers, indentation), what is code.
//!
//! This is an approximation of CommonMark's block structure, good enough to keep hands off code: what it gets wrong is
//! found afterwards, when the blocks are known (see [`prepare`](super::prepare)).

use crate::limits::NESTING;

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LineKind {
    /// Nothing but prefix.
    Blank,
    /// Text: of a paragraph, an item, a table.
    Text,
    /// An ATX heading.
    Heading,
    /// A rule, or the underline of a heading.
    Rule,
    /// Code, fences included, or an HTML block.
    Verbatim,
}

/// A line.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub kind: LineKind,
    /// First byte.
    pub start: usize,
    /// After the last byte, without the line's end.
    pub end: usize,
    /// After the end of the line.
    pub next: usize,
    /// First byte after the prefix.
    pub content: usize,
    /// How many `>` the prefix has.
    pub quotes: usize,
    /// The last `>` of the prefix.
    pub last_quote: Option<usize>,
    /// Whether a list marker stands before the last `>`.
    pub marker_before_quote: bool,
    /// Whether the prefix has a list marker.
    pub marker: bool,
    /// Columns of white space between the last mark of the prefix (or the line's start) and the content.
    pub indent: usize,
}

impl Line {
    /// The prefix up to its last `>`, with list markers as spaces: what the next line needs to stay in the same quote.
    pub(crate) fn continuation(&self, text: &str) -> String {
        let Some(last_quote) = self.last_quote else {
            return String::new();
        };
        text[self.start..=last_quote]
            .chars()
            .map(|c| if matches!(c, '>' | ' ' | '\t') { c } else { ' ' })
            .collect()
    }
}

/// Reads lines one after another; remembers which code it is in.
pub(crate) struct LineReader<'a> {
    text: &'a str,
    at: usize,
    state: State,
    /// Whether the line before can be continued by a paragraph's line.
    in_paragraph: bool,
    /// Content column of the innermost open list item, if a list is open.
    list_column: Option<usize>,
}

#[derive(Clone, Debug)]
enum State {
    Open,
    Fence {
        mark: u8,
        length: usize,
        quotes: usize,
        list_column: Option<usize>,
    },
    Html {
        end: HtmlEnd,
        quotes: usize,
    },
}

#[derive(Clone, Debug)]
enum HtmlEnd {
    Blank,
    Text(&'static [&'static str]),
}

impl<'a> LineReader<'a> {
    pub(crate) fn new(text: &'a str, at: usize) -> Self {
        Self {
            text,
            at,
            state: State::Open,
            in_paragraph: false,
            list_column: None,
        }
    }

    /// Goes on in the middle of a line, after something that was removed.
    pub(crate) fn jump(&mut self, at: usize) {
        self.at = at;
    }

    /// The next line.
    pub(crate) fn next_line(&mut self) -> Option<Line> {
        if self.at >= self.text.len() {
            return None;
        }
        let mut line = split_prefix(self.text, self.at);
        self.at = line.next;
        let content = &self.text[line.content..line.end];
        match self.state.clone() {
            State::Fence {
                mark,
                length,
                quotes,
                list_column,
            } => {
                let column = columns(&self.text[line.start..line.content]);
                let left = line.quotes < quotes
                    || (line.kind != LineKind::Blank && list_column.is_some_and(|list| column < list));
                if !left {
                    line.kind = LineKind::Verbatim;
                    if fence(content).is_some_and(|(m, l, info)| m == mark && l >= length && info.is_empty())
                        && !line.marker
                    {
                        self.state = State::Open;
                    }
                    return Some(line);
                }
                self.state = State::Open;
            }
            State::Html { end, quotes } => {
                let done = match &end {
                    HtmlEnd::Blank => line.kind == LineKind::Blank || line.quotes < quotes,
                    HtmlEnd::Text(_) => line.quotes < quotes,
                };
                if !done {
                    let last = matches!(&end, HtmlEnd::Text(ends) if contains_any(content, ends));
                    line.kind = LineKind::Verbatim;
                    if last {
                        self.state = State::Open;
                    }
                    return Some(line);
                }
                self.state = State::Open;
            }
            State::Open => {}
        }
        self.open_line(&mut line);
        Some(line)
    }

    fn open_line(&mut self, line: &mut Line) {
        if line.kind == LineKind::Blank {
            self.in_paragraph = false;
            return;
        }
        let content = &self.text[line.content..line.end];
        let column = columns(&self.text[line.start..line.content]);
        if line.marker {
            self.list_column = Some(column);
        } else if !self.in_paragraph && self.list_column.is_some_and(|list| column < list) {
            // Text to the left of the item after a blank line: the list is over, or an outer item goes on.
            self.list_column = (column >= 2).then_some(column);
        }
        let indented = line.indent >= 4 && !self.in_paragraph && self.list_column.is_none() && !line.marker;
        if indented {
            line.kind = LineKind::Verbatim;
            return;
        }
        if let Some((mark, length, _)) = fence(content) {
            line.kind = LineKind::Verbatim;
            self.in_paragraph = false;
            let list_column = self.list_column.filter(|&list| list <= column);
            self.state = State::Fence {
                mark,
                length,
                quotes: line.quotes,
                list_column,
            };
            return;
        }
        if let Some(end) = html_block(content, self.in_paragraph) {
            line.kind = LineKind::Verbatim;
            self.in_paragraph = false;
            let ends_here = matches!(&end, HtmlEnd::Text(ends) if contains_any(content, ends));
            if !ends_here {
                self.state = State::Html {
                    end,
                    quotes: line.quotes,
                };
            }
            return;
        }
        if line.kind == LineKind::Rule {
            self.in_paragraph = false;
            return;
        }
        let hashes = content.bytes().take_while(|&byte| byte == b'#').count();
        let after = content.as_bytes().get(hashes);
        if (1..=6).contains(&hashes) && after.is_none_or(|byte| matches!(byte, b' ' | b'\t')) {
            line.kind = LineKind::Heading;
            self.in_paragraph = false;
            return;
        }
        self.in_paragraph = true;
    }
}

/// Splits the prefix off a line.
fn split_prefix(text: &str, start: usize) -> Line {
    let next = text[start..].find('\n').map_or(text.len(), |at| start + at + 1);
    let end = start + text[start..next].trim_end_matches(['\n', '\r']).len();
    let bytes = text.as_bytes();
    let mut line = Line {
        kind: LineKind::Text,
        start,
        end,
        next,
        content: start,
        quotes: 0,
        last_quote: None,
        marker_before_quote: false,
        marker: false,
        indent: 0,
    };
    let mut at = start;
    let mut marks = 0;
    loop {
        let space = at;
        while at < end && matches!(bytes[at], b' ' | b'\t') {
            at += 1;
        }
        line.content = at;
        line.indent = columns(&text[space..at]);
        if at >= end {
            line.kind = LineKind::Blank;
            return line;
        }
        if is_rule(&bytes[at..end]) {
            line.kind = LineKind::Rule;
            return line;
        }
        // What is deeper is shown as source anyway; a line of nothing but marks must not be read again for each.
        marks += 1;
        if marks > 2 * NESTING {
            return line;
        }
        if bytes[at] == b'>' {
            line.quotes += 1;
            line.last_quote = Some(at);
            line.marker_before_quote = line.marker;
            at += 1;
        } else if let Some(length) = list_marker(&bytes[at..end]) {
            line.marker = true;
            at += length;
        } else {
            return line;
        }
    }
}

/// The length of a list marker at the start of `bytes`.
fn list_marker(bytes: &[u8]) -> Option<usize> {
    let length = match bytes.first()? {
        b'-' | b'*' | b'+' => 1,
        b'0'..=b'9' => {
            let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
            (digits <= 9 && matches!(bytes.get(digits), Some(b'.' | b')'))).then_some(digits + 1)?
        }
        _ => return None,
    };
    bytes
        .get(length)
        .is_none_or(|byte| matches!(byte, b' ' | b'\t'))
        .then_some(length)
}

/// A thematic break, or the underline of a setext heading.
fn is_rule(bytes: &[u8]) -> bool {
    let Some(&mark) = bytes.first().filter(|mark| matches!(mark, b'-' | b'*' | b'_' | b'=')) else {
        return false;
    };
    let mut count = 0;
    for &byte in bytes {
        match byte {
            _ if byte == mark => count += 1,
            b' ' | b'\t' => {}
            _ => return false,
        }
    }
    mark == b'=' || count >= 3
}

/// A fence at the start of a line: its mark, its length, its info string.
fn fence(content: &str) -> Option<(u8, usize, &str)> {
    let mark = *content.as_bytes().first().filter(|mark| matches!(mark, b'`' | b'~'))?;
    let length = content.bytes().take_while(|&byte| byte == mark).count();
    let info = content[length..].trim();
    let valid = match mark {
        b'`' => length >= 3 && !info.contains('`'),
        b'~' => length >= 3,
        _ => false,
    };
    valid.then_some((mark, length, info))
}

/// The HTML block that begins with this line, by what ends it.
fn html_block(content: &str, in_paragraph: bool) -> Option<HtmlEnd> {
    let rest = content.strip_prefix('<')?;
    if rest.starts_with("!--") {
        return Some(HtmlEnd::Text(&["-->"]));
    }
    if rest.starts_with('?') {
        return Some(HtmlEnd::Text(&["?>"]));
    }
    if rest.starts_with("![CDATA[") {
        return Some(HtmlEnd::Text(&["]]>"]));
    }
    if rest.starts_with('!') && rest.as_bytes().get(1).is_some_and(u8::is_ascii_alphabetic) {
        return Some(HtmlEnd::Text(&[">"]));
    }
    let closing = rest.starts_with('/');
    let name: String = rest
        .trim_start_matches('/')
        .chars()
        .take_while(char::is_ascii_alphanumeric)
        .collect();
    let name = name.to_ascii_lowercase();
    let after = rest[usize::from(closing) + name.len()..].chars().next();
    if !after.is_none_or(|c| matches!(c, ' ' | '\t' | '>' | '/')) || name.is_empty() {
        return None;
    }
    if !closing && matches!(name.as_str(), "script" | "pre" | "style" | "textarea") {
        return Some(HtmlEnd::Text(&["</script>", "</pre>", "</style>", "</textarea>"]));
    }
    if BLOCK_TAGS.binary_search(&name.as_str()).is_ok() {
        return Some(HtmlEnd::Blank);
    }
    // Any other complete tag alone on its line; it does not interrupt a paragraph.
    (!in_paragraph && content.trim_end().ends_with('>') && content.matches('<').count() == 1).then_some(HtmlEnd::Blank)
}

/// Tags that begin an HTML block which ends at a blank line (CommonMark, condition 6). Sorted.
const BLOCK_TAGS: &[&str] = &[
    "address",
    "article",
    "aside",
    "base",
    "basefont",
    "blockquote",
    "body",
    "caption",
    "center",
    "col",
    "colgroup",
    "dd",
    "details",
    "dialog",
    "dir",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "frame",
    "frameset",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "head",
    "header",
    "hr",
    "html",
    "iframe",
    "legend",
    "li",
    "link",
    "main",
    "menu",
    "menuitem",
    "nav",
    "noframes",
    "ol",
    "optgroup",
    "option",
    "p",
    "param",
    "search",
    "section",
    "summary",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "title",
    "tr",
    "track",
    "ul",
];

fn contains_any(text: &str, needles: &[&str]) -> bool {
    let text = text.to_ascii_lowercase();
    needles.iter().any(|needle| text.contains(needle))
}

/// How many columns white space takes, with tab stops of four.
fn columns(text: &str) -> usize {
    text.chars()
        .fold(0, |column, c| if c == '\t' { column / 4 * 4 + 4 } else { column + 1 })
}
