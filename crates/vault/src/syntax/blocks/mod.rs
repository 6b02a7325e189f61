//! The events of `pulldown-cmark` as a tree, with everything found on the way.

mod characters;
mod finish;
mod links;

use std::collections::HashMap;
use std::ops::Range;

use pulldown_cmark::{Alignment, CodeBlockKind, Event, LinkType, Parser, Tag as Start};

use super::inline::{self, Context, Token};
use super::mapped::Mapped;
use super::prepare::{Head, Prepared};
use super::tree::{Align, Inline, InlineKind, Item, List, Node, NodeKind, Table};
use crate::limits;
use crate::note::{Block, Callout, CodeBlock, ExternalImage, ExternalLink, Heading, Link, Math, Tag, Task};
use crate::place::{Lines, Place};

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
}
