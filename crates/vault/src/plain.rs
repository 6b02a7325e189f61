//! The text of a note without its markup, for search and snippets.

use std::ops::Range;

use crate::limits;
use crate::note::{Note, Part, RESULTS, Subpath};
use crate::render::Resolver;
use crate::syntax::text::is_line_break;
use crate::syntax::tree::{Inline, InlineKind, Item, Node, NodeKind};
use crate::vault::FileRef;

/// The readable text of a note, with the way back to its bytes in the file.
///
/// Blocks are separated by an empty line, list items by a newline. Comments, properties and block ids are left out; links
/// are their display text; code is there without its fences.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlainText {
    /// The text.
    pub text: String,
    /// For pieces of [`PlainText::text`], in order: where each begins there, and its bytes in the file. Within a piece
    /// both run alike, unless the source is written in another way (an escape, an entity, a link with an alias).
    pub pieces: Vec<(usize, Range<usize>)>,
}

impl PlainText {
    /// The byte in the file of a byte of the text.
    pub fn source_offset(&self, offset: usize) -> usize {
        let index = self.pieces.partition_point(|(start, _)| *start <= offset);
        let Some((start, range)) = index.checked_sub(1).and_then(|index| self.pieces.get(index)) else {
            return 0;
        };
        (range.start + (offset - start)).min(range.end)
    }
}

/// The text of a note, without what it embeds.
pub fn text_of(note: &Note) -> PlainText {
    let mut writer = Writer {
        plain: PlainText::default(),
        gap: Gap::None,
        embeds: None,
        stack: Vec::new(),
        source: None,
        count: 0,
    };
    writer.nodes(note, &note.tree, Gap::Paragraph);
    writer.plain
}

/// The text of a note with the notes that it embeds. Their pieces lead to the embed in the outer note.
pub fn text_with_embeds(note: &Note, file: &FileRef, resolver: &dyn Resolver) -> PlainText {
    let stack = vec![(file.clone(), None)];
    let mut writer = Writer {
        plain: PlainText::default(),
        gap: Gap::None,
        embeds: Some(resolver),
        stack,
        source: None,
        count: 0,
    };
    writer.nodes(note, &note.tree, Gap::Paragraph);
    writer.plain
}

/// What separates the next text from the text before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Gap {
    None,
    Line,
    Paragraph,
}

struct Writer<'a> {
    plain: PlainText,
    gap: Gap,
    embeds: Option<&'a dyn Resolver>,
    /// The notes that we are in, with the parts that are embedded.
    stack: Vec<(FileRef, Option<Subpath>)>,
    /// The outermost embed that we are in.
    source: Option<Range<usize>>,
    /// How many notes were embedded.
    count: usize,
}

impl Writer<'_> {
    fn push(&mut self, text: &str, range: &Range<usize>) {
        if text.is_empty() {
            return;
        }
        if !self.plain.text.is_empty() {
            self.plain.text.push_str(match self.gap {
                Gap::None => "",
                Gap::Line => "\n",
                Gap::Paragraph => "\n\n",
            });
        }
        self.gap = Gap::None;
        let range = self.source.clone().unwrap_or_else(|| range.clone());
        self.plain.pieces.push((self.plain.text.len(), range));
        self.plain.text.push_str(text);
    }

    fn separate(&mut self, gap: Gap) {
        self.gap = self.gap.max(gap);
    }

    fn nodes(&mut self, note: &Note, nodes: &[Node], gap: Gap) {
        for node in nodes {
            self.separate(gap);
            self.node(note, node, gap);
        }
        self.separate(gap);
    }

    fn node(&mut self, note: &Note, node: &Node, gap: Gap) {
        match &node.kind {
            NodeKind::Paragraph(inlines) | NodeKind::Heading(_, inlines) => self.inlines(note, inlines),
            NodeKind::Quote(children) => self.nodes(note, children, gap),
            NodeKind::Callout(index, ..) if note.callouts.get(*index).is_some_and(|own| own.kind == RESULTS) => {}
            NodeKind::Callout(_, title, children) => {
                self.inlines(note, title);
                self.nodes(note, children, gap);
            }
            NodeKind::List(list) => list.items.iter().for_each(|item| self.item(note, item)),
            NodeKind::Table(table) => {
                let rows = std::iter::once(&table.head).chain(table.rows.iter().map(|(_, cells)| cells));
                for cells in rows {
                    self.separate(Gap::Line);
                    for (index, cell) in cells.iter().enumerate() {
                        if index > 0 {
                            self.push("\t", &node.range);
                        }
                        self.inlines(note, cell);
                    }
                }
            }
            NodeKind::Code(index) => {
                if let Some(code) = note.code.get(*index) {
                    for (line, range) in code.text.trim_end().split('\n').zip(&code.lines) {
                        self.separate(Gap::Line);
                        self.push(line, range);
                    }
                }
            }
            NodeKind::Math(index) => {
                self.push(note.math.get(*index).map_or("", |math| math.tex.trim()), &node.range);
            }
            NodeKind::TooDeep => self.push(note.text.get(node.range.clone()).unwrap_or(""), &node.range),
            NodeKind::Html(_) | NodeKind::Rule => {}
        }
    }

    fn item(&mut self, note: &Note, item: &Item) {
        self.separate(Gap::Line);
        self.nodes(note, &item.children, Gap::Line);
    }

    fn inlines(&mut self, note: &Note, inlines: &[Inline]) {
        for inline in inlines {
            match &inline.kind {
                InlineKind::Text(text) | InlineKind::Code(text) => self.push(text, &inline.range),
                InlineKind::Emphasis(children)
                | InlineKind::Strong(children)
                | InlineKind::Strike(children)
                | InlineKind::Highlight(children)
                | InlineKind::Link(_, children)
                | InlineKind::External(_, children) => self.inlines(note, children),
                InlineKind::Tag(_) => self.push(note.text.get(inline.range.clone()).unwrap_or(""), &inline.range),
                InlineKind::Math(index) => {
                    self.push(
                        note.math.get(*index).map_or("", |math| math.tex.as_str()),
                        &inline.range,
                    );
                }
                InlineKind::SoftBreak | InlineKind::HardBreak => self.push("\n", &inline.range),
                InlineKind::Html(html) if is_line_break(html) => self.push("\n", &inline.range),
                InlineKind::Embed(index) => self.embed(note, *index, &inline.range),
                InlineKind::Image(_) | InlineKind::Footnote(_) | InlineKind::Html(_) => {}
            }
        }
    }

    fn embed(&mut self, note: &Note, index: usize, range: &Range<usize>) {
        let (Some(resolver), Some(link)) = (self.embeds, note.links.get(index)) else {
            return;
        };
        let Some((from, _)) = self.stack.last() else { return };
        let Some(destination) = resolver.resolve(from, &link.target) else {
            return;
        };
        let entry = (destination.file, link.subpath.clone());
        // A whole note that is being shown holds each of its parts.
        let cycle = self
            .stack
            .iter()
            .any(|(file, subpath)| *file == entry.0 && (*subpath == entry.1 || subpath.is_none()));
        let beyond = self.stack.len() > limits::EMBED_DEPTH
            || self.count >= limits::EMBEDS_PER_PAGE
            || self.plain.text.len() > limits::EMBEDDING_PAGE_BYTES;
        if cycle || beyond {
            return;
        }
        let Some(embedded) = resolver.note(&entry.0) else {
            return;
        };
        let Some(part) = embedded.part(link.subpath.as_ref()) else {
            return;
        };
        self.count += 1;
        let outermost = self.source.is_none();
        self.source.get_or_insert_with(|| range.clone());
        self.stack.push(entry);
        self.separate(Gap::Paragraph);
        match part {
            Part::Nodes(nodes) => self.nodes(embedded, nodes, Gap::Paragraph),
            Part::Item(item) => self.item(embedded, item),
        }
        self.stack.pop();
        if outermost {
            self.source = None;
        }
    }
}

/// Calls `f` with each piece of text that is neither code nor a link, and its bytes in the file.
pub(crate) fn for_each_text(note: &Note, f: &mut dyn FnMut(&str, &Range<usize>)) {
    fn inlines_in(inlines: &[Inline], f: &mut dyn FnMut(&str, &Range<usize>)) {
        for inline in inlines {
            match &inline.kind {
                InlineKind::Text(text) => f(text, &inline.range),
                InlineKind::Emphasis(children)
                | InlineKind::Strong(children)
                | InlineKind::Strike(children)
                | InlineKind::Highlight(children) => inlines_in(children, f),
                _ => {}
            }
        }
    }
    fn nodes_in(nodes: &[Node], f: &mut dyn FnMut(&str, &Range<usize>)) {
        for node in nodes {
            match &node.kind {
                NodeKind::Paragraph(inlines) | NodeKind::Heading(_, inlines) => inlines_in(inlines, f),
                NodeKind::Quote(children) => nodes_in(children, f),
                NodeKind::Callout(_, title, children) => {
                    inlines_in(title, f);
                    nodes_in(children, f);
                }
                NodeKind::List(list) => list.items.iter().for_each(|item| nodes_in(&item.children, f)),
                NodeKind::Table(table) => {
                    let rows = table.rows.iter().flat_map(|(_, cells)| cells);
                    table.head.iter().chain(rows).for_each(|cell| inlines_in(cell, f));
                }
                _ => {}
            }
        }
    }
    nodes_in(&note.tree, f);
}
