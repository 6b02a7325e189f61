//! The events of `pulldown-cmark` as a tree, with everything found on the way.

use std::collections::HashMap;
use std::ops::Range;

use pulldown_cmark::{Alignment, CodeBlockKind, Event, LinkType, Parser, Tag as Start};

use super::callout;
use super::inline::{self, Context, Token};
use super::mapped::Mapped;
use super::prepare::{Head, Prepared};
use super::tree::{Align, Inline, InlineKind, Item, List, Node, NodeKind, Table};
use super::wikilink;
use crate::limits;
use crate::note::{
    Block, BlockKind, Callout, CodeBlock, EmbedKind, ExternalImage, ExternalLink, Heading, Link, LinkSyntax, Math, Tag,
    Task,
};
use crate::place::{Lines, Place};
use crate::text::percent_decode;

/// Everything found in a text. The tree holds indices into these lists; what the tree does not reach is dropped later
/// ([`collect`](super::collect)).
#[derive(Debug)]
pub(crate) struct Found<'a> {
    pub text: &'a str,
    pub lines: &'a Lines,
    pub headings: Vec<Heading>,
    pub links: Vec<Link>,
    pub external: Vec<ExternalLink>,
    pub images: Vec<ExternalImage>,
    pub tags: Vec<Tag>,
    pub callouts: Vec<Callout>,
    pub blocks: Vec<Block>,
    pub tasks: Vec<Task>,
    pub math: Vec<Math>,
    pub code: Vec<CodeBlock>,
    pub footnotes: Vec<RawFootnote>,
    labels: HashMap<String, usize>,
    /// Where something is nested deeper than the limit.
    pub too_deep: Vec<Place>,
    /// The first link that is one too many.
    pub too_many_links: Option<Place>,
}

/// A footnote before it has a number.
#[derive(Debug)]
pub(crate) struct RawFootnote {
    pub id: Option<String>,
    pub place: Place,
    pub nodes: Vec<Node>,
    pub defined: bool,
}

impl<'a> Found<'a> {
    pub(crate) fn new(text: &'a str, lines: &'a Lines) -> Self {
        Self {
            text,
            lines,
            headings: Vec::new(),
            links: Vec::new(),
            external: Vec::new(),
            images: Vec::new(),
            tags: Vec::new(),
            callouts: Vec::new(),
            blocks: Vec::new(),
            tasks: Vec::new(),
            math: Vec::new(),
            code: Vec::new(),
            footnotes: Vec::new(),
            labels: HashMap::new(),
            too_deep: Vec::new(),
            too_many_links: None,
        }
    }

    pub(crate) fn place(&self, range: Range<usize>) -> Place {
        self.lines.place(self.text, range)
    }

    pub(crate) fn inline_footnote(&mut self, range: Range<usize>, nodes: Vec<Node>) -> usize {
        let place = self.place(range);
        self.footnotes.push(RawFootnote {
            id: None,
            place,
            nodes,
            defined: true,
        });
        self.footnotes.len() - 1
    }

    fn footnote(&mut self, label: &str) -> usize {
        if let Some(&index) = self.labels.get(&label.to_lowercase()) {
            return index;
        }
        let index = self.footnotes.len();
        let (id, place) = (Some(label.to_owned()), Place::default());
        self.footnotes.push(RawFootnote {
            id,
            place,
            nodes: Vec::new(),
            defined: false,
        });
        self.labels.insert(label.to_lowercase(), index);
        index
    }
}

/// A container that is not closed yet.
#[derive(Debug)]
struct Frame {
    kind: FrameKind,
    /// Bytes in the prepared text.
    range: Range<usize>,
    nodes: Vec<Node>,
    tokens: Vec<Token>,
    items: Vec<Item>,
    cells: Vec<Vec<Inline>>,
    head: Vec<Vec<Inline>>,
    rows: Vec<(Range<usize>, Vec<Vec<Inline>>)>,
}

#[derive(Debug)]
enum FrameKind {
    Root,
    /// The callout head that belongs to it.
    Quote(Option<usize>),
    List(Option<u64>),
    /// The task, and where its brackets end in the file; whether its text has no `<p>`.
    Item {
        task: Option<usize>,
        text_from: usize,
        tight: bool,
    },
    /// Whether the events had none, as in a tight item.
    Paragraph {
        implicit: bool,
    },
    Heading(u8),
    Code(CodeFrame),
    Html(String),
    Table(Vec<Align>),
    TableHead,
    TableRow,
    TableCell,
    Definition(String),
    Emphasis,
    Strong,
    Strike,
    Link {
        kind: LinkType,
        url: String,
    },
    Image {
        kind: LinkType,
        url: String,
    },
}

#[derive(Debug, Default)]
struct CodeFrame {
    info: Option<String>,
    text: String,
    lines: Vec<Range<usize>>,
    /// Whether the last line is not ended yet.
    open_line: bool,
}

/// What building gave.
pub(crate) struct Built<'a> {
    pub nodes: Vec<Node>,
    pub found: Found<'a>,
    /// Heads whose quote was not there: their text would be lost.
    pub unclaimed_heads: Vec<usize>,
    /// Bytes in the file of code and raw HTML, to see whether an edit went into it.
    pub verbatim: Vec<Range<usize>>,
}

/// Reads a prepared text.
pub(crate) fn build<'a>(prepared: &'a Prepared<'a>, text: &'a str, lines: &'a Lines) -> Built<'a> {
    let mut builder = Builder {
        mapped: &prepared.mapped,
        mark: prepared.mark,
        heads: &prepared.heads,
        claimed: vec![false; prepared.heads.len()],
        found: Found::new(text, lines),
        stack: vec![Frame::new(FrameKind::Root, 0..prepared.mapped.text().len())],
        skip: 0,
        verbatim: Vec::new(),
    };
    let options = pulldown_cmark::Options::ENABLE_TABLES
        | pulldown_cmark::Options::ENABLE_FOOTNOTES
        | pulldown_cmark::Options::ENABLE_STRIKETHROUGH
        | pulldown_cmark::Options::ENABLE_MATH
        | pulldown_cmark::Options::ENABLE_WIKILINKS;
    for (event, range) in Parser::new_ext(prepared.mapped.text(), options).into_offset_iter() {
        builder.event(event, range);
    }
    builder.close_implicit();
    let nodes = builder.stack.drain(..).next().map_or_else(Vec::new, |root| root.nodes);
    let unclaimed = builder
        .claimed
        .iter()
        .zip(builder.heads)
        .filter(|(claimed, _)| !**claimed);
    let unclaimed_heads = unclaimed.map(|(_, head)| head.quote).collect();
    Built {
        nodes,
        found: builder.found,
        unclaimed_heads,
        verbatim: builder.verbatim,
    }
}

struct Builder<'a> {
    mapped: &'a Mapped<'a>,
    mark: char,
    heads: &'a [Head],
    claimed: Vec<bool>,
    found: Found<'a>,
    stack: Vec<Frame>,
    /// How many containers deep we are in something that is too deep.
    skip: usize,
    verbatim: Vec<Range<usize>>,
}

impl Frame {
    fn new(kind: FrameKind, range: Range<usize>) -> Self {
        Self {
            kind,
            range,
            nodes: Vec::new(),
            tokens: Vec::new(),
            items: Vec::new(),
            cells: Vec::new(),
            head: Vec::new(),
            rows: Vec::new(),
        }
    }

    /// Whether it holds blocks.
    fn holds_blocks(&self) -> bool {
        matches!(
            self.kind,
            FrameKind::Root | FrameKind::Quote(_) | FrameKind::Item { .. } | FrameKind::Definition(_)
        )
    }
}

impl<'a> Builder<'a> {
    fn top(&mut self) -> &mut Frame {
        if self.stack.is_empty() {
            self.stack.push(Frame::new(FrameKind::Root, 0..0));
        }
        let last = self.stack.len() - 1;
        &mut self.stack[last]
    }

    fn event(&mut self, event: Event<'_>, range: Range<usize>) {
        if self.skip > 0 {
            match event {
                Event::Start(_) => self.skip += 1,
                Event::End(_) => self.skip -= 1,
                _ => {}
            }
            return;
        }
        match event {
            Event::Start(start) => self.start(start, range),
            Event::End(_) => self.end(),
            Event::Text(text) => self.text(&text, range),
            Event::Code(text) => {
                let text = if self.mapped.touched(range.clone()) {
                    text.replace(self.mark, "")
                } else {
                    text.into_string()
                };
                let place = self.mapped.range(range.clone());
                self.verbatim.push(place.clone());
                self.push_inline(place, range, InlineKind::Code(text));
            }
            Event::InlineMath(tex) => self.math(&tex, range, false),
            Event::DisplayMath(tex) => self.math(&tex, range, true),
            Event::Html(_) => {
                let text = self.mapped.original(range);
                if let FrameKind::Html(html) = &mut self.top().kind {
                    html.push_str(&text);
                }
            }
            Event::InlineHtml(html) => {
                let html = html.replace(self.mark, "");
                let place = self.mapped.range(range.clone());
                self.push_inline(place, range, InlineKind::Html(html));
            }
            Event::FootnoteReference(label) => self.footnote_reference(&label, range),
            Event::SoftBreak => {
                let place = self.mapped.range(range.clone());
                self.push_inline(place, range, InlineKind::SoftBreak);
            }
            Event::HardBreak => {
                let place = self.mapped.range(range.clone());
                self.push_inline(place, range, InlineKind::HardBreak);
            }
            Event::Rule => {
                self.close_implicit();
                let place = self.block_range(range);
                self.top().nodes.push(Node::new(place, NodeKind::Rule));
            }
            // Tasks are read from the source, so that every state is one.
            Event::TaskListMarker(_) => {}
        }
    }

    /// A block's bytes in the file without the line ends around it.
    fn block_range(&self, range: Range<usize>) -> Range<usize> {
        let text = &self.mapped.text()[range.clone()];
        let start = range.start + (text.len() - text.trim_start_matches(['\n', '\r']).len());
        let end = range.end - (text.len() - text.trim_end_matches(['\n', '\r', ' ', '\t']).len());
        self.mapped.range(start..end.max(start))
    }

    fn start(&mut self, start: Start<'_>, range: Range<usize>) {
        let inline = matches!(
            start,
            Start::Emphasis | Start::Strong | Start::Strikethrough | Start::Link { .. } | Start::Image { .. }
        );
        if inline {
            self.open_implicit(&range);
        } else {
            self.close_implicit();
        }
        // A list and its item, or a table with row and cell, are one level for a reader, two here.
        if self.stack.len() > 2 * limits::NESTING {
            self.skip = 1;
            self.too_deep(inline, range);
            return;
        }
        let kind = match start {
            Start::Paragraph => FrameKind::Paragraph { implicit: false },
            Start::Heading { level, .. } => FrameKind::Heading(level as u8),
            Start::BlockQuote(_) => FrameKind::Quote(self.claim_head(&range)),
            Start::CodeBlock(kind) => FrameKind::Code(CodeFrame {
                info: match kind {
                    CodeBlockKind::Fenced(info) => Some(info.into_string()),
                    CodeBlockKind::Indented => None,
                },
                ..CodeFrame::default()
            }),
            Start::HtmlBlock => FrameKind::Html(String::new()),
            Start::List(first) => FrameKind::List(first),
            Start::Item => self.item(&range),
            Start::FootnoteDefinition(label) => FrameKind::Definition(label.into_string()),
            Start::Table(align) => FrameKind::Table(
                align
                    .into_iter()
                    .map(|align| match align {
                        Alignment::None => Align::None,
                        Alignment::Left => Align::Left,
                        Alignment::Center => Align::Center,
                        Alignment::Right => Align::Right,
                    })
                    .collect(),
            ),
            Start::TableHead => FrameKind::TableHead,
            Start::TableRow => FrameKind::TableRow,
            Start::TableCell => FrameKind::TableCell,
            Start::Emphasis => FrameKind::Emphasis,
            Start::Strong => FrameKind::Strong,
            Start::Strikethrough => FrameKind::Strike,
            Start::Link {
                link_type, dest_url, ..
            } => FrameKind::Link {
                kind: link_type,
                url: dest_url.replace(self.mark, ""),
            },
            Start::Image {
                link_type, dest_url, ..
            } => FrameKind::Image {
                kind: link_type,
                url: dest_url.replace(self.mark, ""),
            },
            // Not enabled.
            Start::DefinitionList
            | Start::DefinitionListTitle
            | Start::DefinitionListDefinition
            | Start::Superscript
            | Start::Subscript
            | Start::MetadataBlock(_) => FrameKind::Paragraph { implicit: false },
        };
        self.stack.push(Frame::new(kind, range));
    }

    fn too_deep(&mut self, inline: bool, range: Range<usize>) {
        let place = self.block_range(range.clone());
        self.found.too_deep.push(self.found.place(place.clone()));
        if inline {
            self.literal(range);
        } else if self.top().holds_blocks() {
            self.top().nodes.push(Node::new(place, NodeKind::TooDeep));
        } else if let FrameKind::List(_) = self.top().kind {
            let children = vec![Node::new(place.clone(), NodeKind::TooDeep)];
            self.top().items.push(Item {
                range: place,
                task: None,
                children,
                tight: true,
                ids: Vec::new(),
            });
        }
    }

    /// The head of a callout whose quote this is.
    fn claim_head(&mut self, range: &Range<usize>) -> Option<usize> {
        let start = self.mapped.start(range.start);
        let first = self.heads.partition_point(|head| head.quote < start);
        let head = self.heads.get(first)?;
        let between = self.found.text.get(start..head.quote)?;
        let ours = between.chars().all(char::is_whitespace) && head.quote < self.mapped.end(range.end).max(start + 1);
        if !ours || self.claimed[first] {
            return None;
        }
        self.claimed[first] = true;
        Some(first)
    }

    /// Reads the task marker of an item from the source.
    fn item(&mut self, range: &Range<usize>) -> FrameKind {
        let none = FrameKind::Item {
            task: None,
            text_from: 0,
            tight: false,
        };
        let source = &self.mapped.text()[range.clone()];
        let after = source.trim_start();
        let after = match after.strip_prefix(['-', '*', '+']) {
            Some(after) => after,
            None => match after
                .trim_start_matches(|c: char| c.is_ascii_digit())
                .strip_prefix(['.', ')'])
            {
                Some(after) => after,
                None => return none,
            },
        };
        let content = after.trim_start_matches([' ', '\t']);
        let start = range.start + (source.len() - content.len());
        let mut chars = content.chars();
        let (Some('['), Some(state), Some(']')) = (chars.next(), chars.next(), chars.next()) else {
            return none;
        };
        if matches!(state, '\n' | '\r') || !chars.next().is_none_or(|c| matches!(c, ' ' | '\t' | '\n' | '\r')) {
            return none;
        }
        let end = start + 2 + state.len_utf8();
        let place = self.found.place(self.mapped.range(start..end));
        self.found.tasks.push(Task {
            state,
            done: state != ' ',
            text: String::new(),
            depth: 0,
            place,
        });
        FrameKind::Item {
            task: Some(self.found.tasks.len() - 1),
            text_from: place.end,
            tight: false,
        }
    }

    /// Text and inline things of a tight item come without a paragraph.
    fn open_implicit(&mut self, range: &Range<usize>) {
        if !self.top().holds_blocks() {
            return;
        }
        if let FrameKind::Item { tight, .. } = &mut self.top().kind {
            *tight = true;
        }
        self.stack
            .push(Frame::new(FrameKind::Paragraph { implicit: true }, range.clone()));
    }

    fn close_implicit(&mut self) {
        if matches!(self.top().kind, FrameKind::Paragraph { implicit: true }) {
            self.pop();
        }
    }

    fn push_inline(&mut self, place: Range<usize>, range: Range<usize>, kind: InlineKind) {
        self.open_implicit(&range);
        let top = self.top();
        top.range.end = top.range.end.max(range.end);
        top.tokens.push(Token::Node(Box::new(Inline { range: place, kind })));
    }

    fn math(&mut self, tex: &str, range: Range<usize>, display: bool) {
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

    fn footnote_reference(&mut self, label: &str, range: Range<usize>) {
        if label.contains(char::is_whitespace) {
            self.open_implicit(&range);
            self.literal(range);
            return;
        }
        let index = self.found.footnote(label);
        self.push_inline(self.mapped.range(range.clone()), range, InlineKind::Footnote(index));
    }

    fn text(&mut self, text: &str, range: Range<usize>) {
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
    fn is_gap(&mut self, at: usize) -> bool {
        let at = self.mapped.end(at + 1);
        self.top().tokens.last().is_none_or(|token| token.range().end < at)
    }

    /// The source of a range as plain characters.
    fn literal(&mut self, range: Range<usize>) {
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

    fn code_text(&mut self, text: &str, range: Range<usize>) {
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

    fn end(&mut self) {
        self.close_implicit();
        self.pop();
    }

    fn pop(&mut self) {
        if self.stack.len() < 2 {
            return;
        }
        let Some(frame) = self.stack.pop() else { return };
        match frame.kind {
            FrameKind::Root => {}
            FrameKind::Paragraph { .. } => self.paragraph(frame),
            FrameKind::Heading(level) => self.heading(level, frame),
            FrameKind::Quote(head) => self.quote(head, frame),
            FrameKind::List(start) => {
                let range = self.block_range(frame.range);
                self.top().nodes.push(Node::new(
                    range,
                    NodeKind::List(List {
                        start,
                        items: frame.items,
                    }),
                ));
            }
            FrameKind::Item { task, tight, .. } => self.end_item(task, tight, frame.range, frame.nodes),
            FrameKind::Code(code) => self.code(code, frame.range),
            FrameKind::Html(html) => {
                let range = self.block_range(frame.range);
                self.verbatim.push(range.clone());
                self.top().nodes.push(Node::new(range, NodeKind::Html(html)));
            }
            FrameKind::Table(align) => {
                let range = self.block_range(frame.range);
                let table = Table {
                    align,
                    head: frame.head,
                    rows: frame.rows,
                };
                self.top().nodes.push(Node::new(range, NodeKind::Table(table)));
            }
            FrameKind::TableHead => self.top().head = frame.cells,
            FrameKind::TableRow => {
                let range = self.block_range(frame.range);
                self.top().rows.push((range, frame.cells));
            }
            FrameKind::TableCell => {
                let cell = inline::finish(frame.tokens, Context::default(), &mut self.found);
                self.top().cells.push(cell);
            }
            FrameKind::Definition(label) => self.definition(&label, frame.range, frame.nodes),
            FrameKind::Emphasis => self.span(frame.range, frame.tokens, InlineKind::Emphasis),
            FrameKind::Strong => self.span(frame.range, frame.tokens, InlineKind::Strong),
            FrameKind::Strike => {
                // One tilde is a tilde.
                if self.mapped.text()[frame.range.clone()].starts_with("~~") {
                    self.span(frame.range, frame.tokens, InlineKind::Strike);
                } else {
                    let place = self.mapped.range(frame.range);
                    let tilde = |at: usize| Token::Char {
                        c: '~',
                        start: at,
                        end: at + 1,
                        fixed: false,
                    };
                    let top = self.top();
                    top.tokens.push(tilde(place.start));
                    top.tokens.extend(frame.tokens);
                    top.tokens.push(tilde(place.end.saturating_sub(1)));
                }
            }
            FrameKind::Link {
                kind: LinkType::WikiLink { has_pothole },
                ..
            } => {
                self.wikilink(false, has_pothole, frame.range, frame.tokens);
            }
            FrameKind::Image {
                kind: LinkType::WikiLink { has_pothole },
                ..
            } => {
                self.wikilink(true, has_pothole, frame.range, frame.tokens);
            }
            FrameKind::Link { kind, url } => self.link(kind, url, frame.range, frame.tokens),
            FrameKind::Image { url, .. } => self.image(url, frame.range, frame.tokens),
        }
    }

    /// Whether we are inside a link's text.
    fn context(&self) -> Context {
        let link = self
            .stack
            .iter()
            .any(|frame| matches!(frame.kind, FrameKind::Link { .. } | FrameKind::Image { .. }));
        Context { link, footnote: false }
    }

    fn span(&mut self, range: Range<usize>, tokens: Vec<Token>, kind: fn(Vec<Inline>) -> InlineKind) {
        let context = self.context();
        let children = inline::finish(tokens, context, &mut self.found);
        let place = self.mapped.range(range.clone());
        self.push_inline(place, range, kind(children));
    }

    fn paragraph(&mut self, mut frame: Frame) {
        let in_title = matches!(self.top().kind, FrameKind::Quote(Some(_))) && self.top().nodes.is_empty();
        let first = self.top().nodes.is_empty();
        let item = match self.top().kind {
            FrameKind::Item { text_from, .. } if first => Some(text_from),
            _ => None,
        };
        if let Some(text_from) = item {
            frame.tokens.retain(|token| token.range().start >= text_from);
            let spaces = frame
                .tokens
                .iter()
                .take_while(|token| text_from > 0 && token.is_space())
                .count();
            frame.tokens.drain(..spaces);
        }
        let mut named = None;
        if !in_title {
            named = self.take_block_id(&mut frame.tokens, item.is_some());
        }
        let place = self.block_range(frame.range);
        let inlines = inline::finish(frame.tokens, Context::default(), &mut self.found);
        if let Some((id, id_range)) = named {
            let place_of_id = self.found.place(id_range);
            if inlines.is_empty() && item.is_none() {
                self.name_block_before(id, place_of_id);
                return;
            }
            let kind = if item.is_some() {
                BlockKind::Item
            } else {
                BlockKind::Paragraph
            };
            let index = self.add_block(
                id,
                kind,
                self.plain(&inlines),
                place_of_id,
                self.found.place(place.clone()),
            );
            // An item takes the id over from its text when it is closed.
            let mut node = Node::new(place, NodeKind::Paragraph(inlines));
            node.ids.extend(index);
            self.top().nodes.push(node);
            return;
        }
        if inlines.is_empty() && !in_title {
            return;
        }
        self.top().nodes.push(Node::new(place, NodeKind::Paragraph(inlines)));
    }

    /// Takes a block id off the end of a paragraph, or off the first line of an item.
    fn take_block_id(&mut self, tokens: &mut Vec<Token>, item: bool) -> Option<(String, Range<usize>)> {
        if let Some((id, range, rest)) = inline::block_id(tokens) {
            // A paragraph that is nothing but an id names what stands before it; without that it is text.
            if rest == 0 && !item && self.top().nodes.is_empty() {
                return None;
            }
            tokens.truncate(rest);
            return Some((id, range));
        }
        if item && let Some(line_end) = tokens.iter().position(Token::is_break) {
            let (id, range, rest) = inline::block_id(&tokens[..line_end])?;
            tokens.drain(rest..line_end);
            return Some((id, range));
        }
        None
    }

    /// The text of inlines, as a fact.
    fn plain(&self, inlines: &[Inline]) -> String {
        super::collect::plain(inlines, &self.found)
    }

    /// Adds a block id; none if the id is taken, or the note has too many.
    fn add_block(&mut self, id: String, kind: BlockKind, text: String, place: Place, block: Place) -> Option<usize> {
        self.found.blocks.push(Block {
            id,
            kind,
            text,
            place,
            block,
        });
        Some(self.found.blocks.len() - 1)
    }

    /// Gives an id that stands alone to the block before it.
    fn name_block_before(&mut self, id: String, place: Place) {
        let Some(node) = self.top().nodes.pop() else { return };
        let (kind, text) = match &node.kind {
            NodeKind::Paragraph(inlines) => (BlockKind::Paragraph, self.plain(inlines)),
            NodeKind::Heading(_, inlines) => (BlockKind::Heading, self.plain(inlines)),
            NodeKind::Quote(_) => (
                BlockKind::Quote,
                super::collect::plain_of_nodes(std::slice::from_ref(&node), &self.found),
            ),
            NodeKind::Callout(..) => (
                BlockKind::Callout,
                super::collect::plain_of_nodes(std::slice::from_ref(&node), &self.found),
            ),
            NodeKind::List(_) => (
                BlockKind::List,
                super::collect::plain_of_nodes(std::slice::from_ref(&node), &self.found),
            ),
            NodeKind::Table(_) => (
                BlockKind::Table,
                super::collect::plain_of_nodes(std::slice::from_ref(&node), &self.found),
            ),
            NodeKind::Code(index) => (
                BlockKind::Code,
                self.found
                    .code
                    .get(*index)
                    .map_or(String::new(), |code| code.text.clone()),
            ),
            _ => (BlockKind::Other, String::new()),
        };
        let block = self.found.place(node.range.clone());
        let index = self.add_block(id, kind, text, place, block);
        let mut node = node;
        node.ids.extend(index);
        self.top().nodes.push(node);
    }

    fn heading(&mut self, level: u8, mut frame: Frame) {
        let named = match inline::block_id(&frame.tokens) {
            Some((id, range, rest)) if rest > 0 => {
                frame.tokens.truncate(rest);
                Some((id, range))
            }
            _ => None,
        };
        let place = self.block_range(frame.range);
        let source = self.found.text.get(place.clone()).unwrap_or("");
        let raw = raw_heading(source, named.as_ref().map(|(id, _)| id.as_str()));
        let inlines = inline::finish(frame.tokens, Context::default(), &mut self.found);
        let text = self.plain(&inlines).trim().to_owned();
        let index = self.found.headings.len();
        let place_of = self.found.place(place.clone());
        let mut node = Node::new(place, NodeKind::Heading(index, inlines));
        if let Some((id, range)) = named {
            let id_place = self.found.place(range);
            node.ids
                .extend(self.add_block(id, BlockKind::Heading, text.clone(), id_place, place_of));
        }
        self.found.headings.push(Heading {
            level,
            text,
            raw,
            anchor: String::new(),
            parent: None,
            place: place_of,
            section_end: 0,
        });
        self.top().nodes.push(node);
    }

    fn quote(&mut self, head: Option<usize>, frame: Frame) {
        let range = self.block_range(frame.range);
        let mut nodes = frame.nodes;
        let Some(head) = head.and_then(|head| self.heads.get(head)) else {
            self.top().nodes.push(Node::new(range, NodeKind::Quote(nodes)));
            return;
        };
        let mut title = Vec::new();
        if let Some(Node {
            kind: NodeKind::Paragraph(_),
            ..
        }) = nodes.first()
            && let NodeKind::Paragraph(inlines) = nodes.remove(0).kind
        {
            title = inlines;
        }
        if title.is_empty() {
            title.push(Inline {
                range: head.range.clone(),
                kind: InlineKind::Text(callout::default_title(&head.kind)),
            });
        }
        let depth = 1 + self
            .stack
            .iter()
            .filter(|frame| matches!(frame.kind, FrameKind::Quote(Some(_))))
            .count();
        let kind = head.kind.to_lowercase();
        self.found.callouts.push(Callout {
            canonical: callout::canonical(&kind),
            kind,
            metadata: head.metadata.clone(),
            title: self.plain(&title).trim().to_owned(),
            fold: head.fold,
            depth,
            place: self.found.place(range.clone()),
        });
        let index = self.found.callouts.len() - 1;
        self.top()
            .nodes
            .push(Node::new(range, NodeKind::Callout(index, title, nodes)));
    }

    fn end_item(&mut self, task: Option<usize>, tight: bool, range: Range<usize>, mut nodes: Vec<Node>) {
        let place = self.block_range(range);
        let mut ids = Vec::new();
        if let Some(Node {
            kind: NodeKind::Paragraph(inlines),
            ids: own,
            ..
        }) = nodes.first_mut()
        {
            ids.append(own);
            let text = super::collect::plain(inlines, &self.found);
            if let Some(task) = task.and_then(|task| self.found.tasks.get_mut(task)) {
                task.text = text;
            }
        }
        for &id in &ids {
            let block = self.found.place(place.clone());
            if let Some(found) = self.found.blocks.get_mut(id) {
                found.kind = BlockKind::Item;
                found.block = block;
            }
        }
        self.top().items.push(Item {
            range: place,
            task,
            children: nodes,
            tight,
            ids,
        });
    }

    fn code(&mut self, code: CodeFrame, range: Range<usize>) {
        let fenced = code.info.is_some();
        let mut place = self.block_range(range);
        if let Some(first) = code.lines.first().filter(|_| !fenced) {
            place.start = first.start;
        }
        let place_of = self.found.place(place.clone());
        if code.info.as_deref().is_some_and(|info| info.chars().eq([self.mark])) {
            self.found.math.push(Math {
                display: true,
                tex: format!("\n{}", code.text),
                place: place_of,
            });
            let index = self.found.math.len() - 1;
            self.top().nodes.push(Node::new(place, NodeKind::Math(index)));
            return;
        }
        self.verbatim.push(place.clone());
        let info = code.info.unwrap_or_default().replace(self.mark, "").trim().to_owned();
        let lang = info
            .split([' ', '\t', '{'])
            .next()
            .filter(|lang| !lang.is_empty())
            .map(str::to_lowercase);
        let first_line = code
            .lines
            .first()
            .map_or(place_of.line + 1, |first| self.found.lines.line(first.start));
        let (text, lines) = (code.text, code.lines);
        self.found.code.push(CodeBlock {
            lang,
            info,
            text,
            first_line,
            lines,
            fenced,
            place: place_of,
        });
        let index = self.found.code.len() - 1;
        self.top().nodes.push(Node::new(place, NodeKind::Code(index)));
    }

    fn definition(&mut self, label: &str, range: Range<usize>, mut nodes: Vec<Node>) {
        let place = self.block_range(range);
        if label.contains(char::is_whitespace) {
            // No footnote by Obsidian's rules: text.
            let text = format!("[^{label}]: ");
            let inline = Inline {
                range: place.start..place.start,
                kind: InlineKind::Text(text),
            };
            match nodes.first_mut() {
                Some(Node {
                    kind: NodeKind::Paragraph(inlines),
                    ..
                }) => inlines.insert(0, inline),
                _ => nodes.insert(
                    0,
                    Node::new(place.start..place.start, NodeKind::Paragraph(vec![inline])),
                ),
            }
            self.top().nodes.append(&mut nodes);
            return;
        }
        let index = self.found.footnote(label);
        let place = self.found.place(place);
        if let Some(footnote) = self.found.footnotes.get_mut(index).filter(|footnote| !footnote.defined) {
            (footnote.place, footnote.nodes, footnote.defined) = (place, nodes, true);
        }
    }

    fn wikilink(&mut self, embed: bool, has_alias: bool, range: Range<usize>, tokens: Vec<Token>) {
        let source = self.mapped.original(range.clone());
        let inside = source.strip_prefix('!').unwrap_or(&source);
        let inside = inside.strip_prefix("[[").and_then(|inside| inside.strip_suffix("]]"));
        let parts = inside.filter(|inside| !inside.contains('\n')).and_then(wikilink::parse);
        let Some(parts) = parts else {
            self.open_implicit(&range);
            self.literal(range);
            return;
        };
        let place = self.mapped.range(range.clone());
        let default = wikilink::default_display(&parts.target, parts.subpath.as_ref());
        let text = Inline {
            range: place.clone(),
            kind: InlineKind::Text(default.clone()),
        };
        let shown = match parts.alias {
            Some(_) if has_alias => without_links(inline::finish(
                tokens,
                Context {
                    link: true,
                    footnote: true,
                },
                &mut self.found,
            )),
            _ => vec![text],
        };
        let link = Link {
            syntax: LinkSyntax::Wiki,
            embed,
            display: parts.alias.clone().unwrap_or(default),
            ..self.new_link(embed, parts, &place)
        };
        self.add_link(link, place, range, shown);
    }

    fn new_link(&self, embed: bool, parts: wikilink::Wikilink, place: &Range<usize>) -> Link {
        let embed_kind = embed.then(|| EmbedKind::of_path(&parts.target));
        let (alt, width, height) = match &parts.alias {
            Some(alias) if embed && embed_kind != Some(EmbedKind::Note) => wikilink::alt_and_size(alias),
            _ => (None, None, None),
        };
        Link {
            syntax: LinkSyntax::Markdown,
            embed,
            target: parts.target,
            subpath: parts.subpath,
            display: parts.alias.clone().unwrap_or_default(),
            alias: parts.alias,
            embed_kind,
            width,
            height,
            alt,
            in_comment: false,
            place: self.found.place(place.clone()),
        }
    }

    fn add_link(&mut self, link: Link, place: Range<usize>, range: Range<usize>, shown: Vec<Inline>) {
        let embed = link.embed;
        if self.found.links.len() >= limits::LINKS {
            self.found.too_many_links.get_or_insert(link.place);
            self.open_implicit(&range);
            self.literal(range);
            return;
        }
        self.found.links.push(link);
        let index = self.found.links.len() - 1;
        let kind = if embed {
            InlineKind::Embed(index)
        } else {
            InlineKind::Link(index, shown)
        };
        self.push_inline(place, range, kind);
    }

    fn link(&mut self, kind: LinkType, url: String, range: Range<usize>, tokens: Vec<Token>) {
        let place = self.mapped.range(range.clone());
        let url = match kind {
            LinkType::Email if !url.starts_with("mailto:") => format!("mailto:{url}"),
            _ => url,
        };
        if url.trim().is_empty() {
            self.open_implicit(&range);
            self.top().tokens.extend(tokens);
            return;
        }
        let shown = inline::finish(
            tokens,
            Context {
                link: true,
                footnote: true,
            },
            &mut self.found,
        );
        let text = self.plain(&shown);
        match scheme_of(&url) {
            Scheme::Internal => {
                let parts = markdown_target(&url, Some(text.clone()));
                let link = self.new_link(false, parts, &place);
                self.add_link(Link { display: text, ..link }, place, range, without_links(shown));
            }
            Scheme::Safe => {
                self.found.external.push(ExternalLink {
                    url,
                    text,
                    place: self.found.place(place.clone()),
                });
                let index = self.found.external.len() - 1;
                self.push_inline(place, range, InlineKind::External(index, without_links(shown)));
            }
            // `javascript:` and the like: the text alone.
            Scheme::Unsafe => {
                let tokens = shown.into_iter().map(|inline| Token::Node(Box::new(inline)));
                self.open_implicit(&range);
                self.top().tokens.extend(tokens);
            }
        }
    }

    fn image(&mut self, url: String, range: Range<usize>, tokens: Vec<Token>) {
        let place = self.mapped.range(range.clone());
        let shown = inline::finish(
            tokens,
            Context {
                link: true,
                footnote: true,
            },
            &mut self.found,
        );
        let text = self.plain(&shown);
        let data_image = ["png", "jpeg", "gif", "webp"]
            .iter()
            .any(|kind| url.starts_with(&format!("data:image/{kind}")));
        match scheme_of(&url) {
            Scheme::Internal if !url.trim().is_empty() => {
                let parts = markdown_target(&url, Some(text.clone()).filter(|text| !text.is_empty()));
                let link = self.new_link(true, parts, &place);
                self.add_link(Link { display: text, ..link }, place, range, Vec::new());
            }
            scheme if scheme == Scheme::Safe || data_image => {
                let (alt, width, height) = wikilink::alt_and_size(&text);
                let (alt, place_of) = (alt.unwrap_or_default(), self.found.place(place.clone()));
                self.found.images.push(ExternalImage {
                    url,
                    alt,
                    width,
                    height,
                    place: place_of,
                });
                self.push_inline(place, range, InlineKind::Image(self.found.images.len() - 1));
            }
            _ => self.push_inline(place, range, InlineKind::Text(text)),
        }
    }
}

/// The inlines without links, embeds and images: what may be shown inside a link.
fn without_links(inlines: Vec<Inline>) -> Vec<Inline> {
    let mut kept = Vec::with_capacity(inlines.len());
    for mut inline in inlines {
        match inline.kind {
            InlineKind::Link(_, children) | InlineKind::External(_, children) => kept.extend(without_links(children)),
            InlineKind::Embed(_) | InlineKind::Image(_) | InlineKind::Footnote(_) => {}
            InlineKind::Emphasis(children) => {
                inline.kind = InlineKind::Emphasis(without_links(children));
                kept.push(inline);
            }
            InlineKind::Strong(children) => {
                inline.kind = InlineKind::Strong(without_links(children));
                kept.push(inline);
            }
            InlineKind::Strike(children) => {
                inline.kind = InlineKind::Strike(without_links(children));
                kept.push(inline);
            }
            InlineKind::Highlight(children) => {
                inline.kind = InlineKind::Highlight(without_links(children));
                kept.push(inline);
            }
            _ => kept.push(inline),
        }
    }
    kept
}

/// What an address means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    /// No scheme: a file of the vault.
    Internal,
    /// Somewhere else.
    Safe,
    /// Not to be followed.
    Unsafe,
}

fn scheme_of(url: &str) -> Scheme {
    let url = url.trim();
    if url.starts_with("//") {
        return Scheme::Safe;
    }
    let Some((scheme, _)) = url.split_once(':') else {
        return Scheme::Internal;
    };
    let mut chars = scheme.chars();
    let is_scheme = chars.next().is_some_and(|c| c.is_ascii_alphabetic())
        && chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '.' | '-'));
    if !is_scheme {
        return Scheme::Internal;
    }
    match scheme.to_ascii_lowercase().as_str() {
        "javascript" | "vbscript" | "data" | "blob" | "file" | "about" => Scheme::Unsafe,
        _ => Scheme::Safe,
    }
}

/// A Markdown link's destination: split at its first `#`, then percent-decoded.
fn markdown_target(url: &str, alias: Option<String>) -> wikilink::Wikilink {
    let (target, rest) = url
        .split_once('#')
        .map_or((url, None), |(target, rest)| (target, Some(rest)));
    let subpath = rest.map(percent_decode).and_then(|rest| wikilink::subpath(&rest));
    wikilink::Wikilink {
        target: percent_decode(target).trim().to_owned(),
        subpath,
        alias,
    }
}

/// The source of a heading's text: without `#` marks, underline and block id.
fn raw_heading(source: &str, id: Option<&str>) -> String {
    let source = source.trim();
    let mut raw = if source.starts_with('#') {
        let inside = source.trim_start_matches('#').trim();
        let without = inside.trim_end_matches('#');
        if without.is_empty() || without.ends_with([' ', '\t']) {
            without.trim_end()
        } else {
            inside
        }
    } else {
        source.rsplit_once('\n').map_or(source, |(text, _)| text.trim())
    };
    if let Some(id) = id
        && let Some(before) = raw.strip_suffix(id).and_then(|raw| raw.strip_suffix('^'))
    {
        raw = before.trim_end();
    }
    raw.to_owned()
}
