//! The tree of a note as HTML.

use super::embed::Embeds;
use super::escape::{attribute, text};
use super::html::OpenTags;
use super::words::Words;
use super::{CellRenderer, Options, Resolver, code};
use crate::note::{Cell, Fold, Note, RESULTS};
use crate::syntax::tree::{Align, Inline, InlineKind, Item, List, Node, NodeKind, Table};
use crate::text::percent_encode;
use crate::vault::{FileRef, block_anchor};

pub(super) fn render(
    note: &Note,
    file: &FileRef,
    resolver: &dyn Resolver,
    cells: &mut dyn CellRenderer,
    options: Options,
) -> String {
    let mut page = Page::new(file, resolver, cells, options);
    page.out.reserve(note.text.len() * 2);
    let context = Context {
        note,
        file,
        prefix: String::new(),
    };
    let omitted = usize::from(options.omit_title && note.title_in_text);
    page.nodes(&context, note.tree.get(omitted..).unwrap_or_default());
    page.footnotes(&context);
    page.out
}

/// The note that is being written, and what its `id`s begin with.
pub(super) struct Context<'n> {
    pub note: &'n Note,
    pub file: &'n FileRef,
    /// Empty for the note of the page, `e1-` and so on for embedded ones.
    pub prefix: String,
}

pub(super) struct Page<'p> {
    pub out: String,
    pub resolver: &'p dyn Resolver,
    pub cells: &'p mut dyn CellRenderer,
    pub options: Options,
    pub words: Words,
    pub tags: OpenTags,
    pub embeds: Embeds,
    /// Whether notes that are embedded are shown as links.
    pub embeds_as_links: bool,
}

impl<'p> Page<'p> {
    pub(super) fn new(
        file: &FileRef,
        resolver: &'p dyn Resolver,
        cells: &'p mut dyn CellRenderer,
        options: Options,
    ) -> Self {
        Self {
            out: String::new(),
            resolver,
            cells,
            options,
            words: Words::new(options.korean),
            tags: OpenTags::default(),
            embeds: Embeds::new(file),
            embeds_as_links: false,
        }
    }
}

impl Page<'_> {
    pub(super) fn push(&mut self, html: &str) {
        self.out.push_str(html);
    }

    pub(super) fn text(&mut self, content: &str) {
        text(&mut self.out, content);
    }

    pub(super) fn attribute(&mut self, name: &str, value: &str) {
        attribute(&mut self.out, name, value);
    }

    /// Opens a block: `<name class="…" id="…" data-line="…"`, without the `>`.
    fn open(&mut self, context: &Context<'_>, name: &str, class: &str, start: usize, ids: &[usize]) {
        self.push("<");
        self.push(name);
        if !class.is_empty() {
            self.attribute("class", class);
        }
        if let Some(block) = ids.first().and_then(|&id| context.note.blocks.get(id)) {
            let id = format!("{}{}", context.prefix, block_anchor(&block.id));
            self.attribute("id", &id);
        }
        // Lines are those of the page's own file.
        if context.prefix.is_empty() {
            let line = context.note.lines.line(start).to_string();
            self.attribute("data-line", &line);
        }
    }

    pub(super) fn nodes(&mut self, context: &Context<'_>, nodes: &[Node]) {
        let open = self.tags.len();
        for node in nodes {
            self.node(context, node, open);
        }
        self.tags.close_to(open, &mut self.out);
    }

    fn node(&mut self, context: &Context<'_>, node: &Node, open: usize) {
        let start = node.range.start;
        match &node.kind {
            NodeKind::Paragraph(inlines) => {
                self.paragraph(context, node, inlines);
                return;
            }
            NodeKind::Heading(index, inlines) => {
                self.heading(context, node, *index, inlines);
                return;
            }
            NodeKind::Quote(children) => {
                self.open(context, "blockquote", "", start, &node.ids);
                self.push(">");
                self.nodes(context, children);
                self.push("</blockquote>\n");
            }
            NodeKind::Callout(index, title, children) => self.callout(context, node, *index, title, children),
            NodeKind::List(list) => self.list(context, node, list),
            NodeKind::Code(index) => self.code(context, node, *index),
            NodeKind::Html(html) => {
                self.tags.write(html, open, &mut self.out);
                self.push("\n");
            }
            NodeKind::Rule => {
                self.open(context, "hr", "", start, &node.ids);
                self.push(">\n");
            }
            NodeKind::Table(table) => self.table(context, node, table),
            NodeKind::Math(index) => {
                self.open(context, "div", "math math-block", start, &node.ids);
                self.push(">");
                self.formula(context, *index);
                self.push("</div>\n");
            }
            NodeKind::TooDeep => {
                self.open(context, "pre", "beyond-limit", start, &node.ids);
                let words = self.words.too_deep();
                self.attribute("title", words);
                self.push("><code>");
                let source = context.note.text.get(node.range.clone()).unwrap_or("");
                self.text(source);
                self.push("</code></pre>\n");
            }
        }
        self.badges(context, &node.ids, true);
    }

    /// What the application shows beside blocks with ids. Block elements get a line of their own.
    fn badges(&mut self, context: &Context<'_>, ids: &[usize], own_line: bool) {
        for block in ids.iter().filter_map(|&id| context.note.blocks.get(id)) {
            let Some(badge) = self.cells.badge(context.note, block) else {
                continue;
            };
            if own_line {
                self.push("<p class=\"block-badge\">");
                self.push(&badge);
                self.push("</p>\n");
            } else {
                self.push(" ");
                self.push(&badge);
            }
        }
    }

    fn paragraph(&mut self, context: &Context<'_>, node: &Node, inlines: &[Inline]) {
        // Embedded notes are blocks: they end the paragraph they stand in.
        let mut rest = inlines;
        let mut ids: &[usize] = &node.ids;
        while let Some(at) = rest.iter().position(|inline| self.is_block_embed(context, inline)) {
            self.text_paragraph(context, node, trim_breaks(&rest[..at]), std::mem::take(&mut ids), &[]);
            if let Inline {
                kind: InlineKind::Embed(index),
                ..
            } = rest[at]
            {
                self.block_embed(context, index);
            }
            rest = &rest[at + 1..];
        }
        self.text_paragraph(context, node, trim_breaks(rest), ids, &node.ids);
    }

    fn text_paragraph(
        &mut self,
        context: &Context<'_>,
        node: &Node,
        inlines: &[Inline],
        ids: &[usize],
        badges: &[usize],
    ) {
        if inlines.is_empty() {
            self.badges(context, badges, true);
            return;
        }
        self.open(context, "p", "", node.range.start, ids);
        self.push(">");
        self.inlines(context, inlines);
        self.badges(context, badges, false);
        self.push("</p>\n");
    }

    fn heading(&mut self, context: &Context<'_>, node: &Node, index: usize, inlines: &[Inline]) {
        let Some(heading) = context.note.headings.get(index) else {
            return;
        };
        let name = format!("h{}", heading.level.clamp(1, 6));
        let anchor = format!("{}{}", context.prefix, heading.anchor);
        self.push("<");
        self.push(&name);
        self.attribute("id", &anchor);
        if context.prefix.is_empty() {
            let line = heading.place.line.to_string();
            self.attribute("data-line", &line);
        }
        self.push(">");
        if let Some(block) = node.ids.first().and_then(|&id| context.note.blocks.get(id)) {
            let id = format!("{}{}", context.prefix, block_anchor(&block.id));
            self.push("<span");
            self.attribute("id", &id);
            self.push("></span>");
        }
        self.inlines(context, inlines);
        self.push("<a class=\"heading-anchor\"");
        let href = format!("#{}", percent_encode(&anchor));
        self.attribute("href", &href);
        let label = self.words.heading_link();
        self.attribute("aria-label", label);
        self.push("></a>");
        self.badges(context, &node.ids, false);
        self.push("</");
        self.push(&name);
        self.push(">\n");
    }

    fn callout(&mut self, context: &Context<'_>, node: &Node, index: usize, title: &[Inline], children: &[Node]) {
        let Some(callout) = context.note.callouts.get(index) else {
            return;
        };
        if callout.kind == RESULTS {
            return;
        }
        let (name, title_name) = if callout.fold.is_some() {
            ("details", "summary")
        } else {
            ("div", "div")
        };
        self.open(context, name, "callout", node.range.start, &node.ids);
        self.attribute("data-callout", &callout.kind);
        self.attribute("data-callout-look", callout.canonical);
        if let Some(metadata) = &callout.metadata {
            self.attribute("data-callout-metadata", metadata);
        }
        match callout.fold {
            Some(Fold::Open) => self.push(" data-callout-fold=\"+\" open"),
            Some(Fold::Closed) => self.push(" data-callout-fold=\"-\""),
            None => {}
        }
        self.push("><");
        self.push(title_name);
        self.push(" class=\"callout-title\"><span class=\"callout-title-inner\">");
        self.inlines(context, title);
        self.push("</span></");
        self.push(title_name);
        self.push(">");
        if !children.is_empty() {
            self.push("<div class=\"callout-content\">");
            self.nodes(context, children);
            self.push("</div>");
        }
        self.push("</");
        self.push(name);
        self.push(">\n");
    }

    fn list(&mut self, context: &Context<'_>, node: &Node, list: &List) {
        let name = if list.start.is_some() { "ol" } else { "ul" };
        let tasks = list.items.iter().any(|item| item.task.is_some());
        self.open(
            context,
            name,
            if tasks { "contains-task-list" } else { "" },
            node.range.start,
            &node.ids,
        );
        if let Some(start) = list.start.filter(|&start| start != 1) {
            let start = start.to_string();
            self.attribute("start", &start);
        }
        self.push(">\n");
        list.items.iter().for_each(|item| self.item(context, item));
        self.push("</");
        self.push(name);
        self.push(">\n");
    }

    pub(super) fn item(&mut self, context: &Context<'_>, item: &Item) {
        let task = item.task.and_then(|task| context.note.tasks.get(task));
        let class = match task {
            Some(task) if task.done => "task-list-item is-checked",
            Some(_) => "task-list-item",
            None => "",
        };
        self.open(context, "li", class, item.range.start, &item.ids);
        if let Some(task) = task {
            self.attribute("data-task", task.state.encode_utf8(&mut [0; 4]));
        }
        self.push(">");
        if let Some(task) = task {
            self.push("<input type=\"checkbox\" class=\"task-list-item-checkbox\" disabled");
            let label = self.words.task(task.done);
            self.attribute("aria-label", label);
            self.push(if task.done { " checked> " } else { "> " });
        }
        let open = self.tags.len();
        let mut children = item.children.as_slice();
        // The item's own text; its badge stands right behind it.
        if let Some((
            Node {
                kind: NodeKind::Paragraph(inlines),
                range,
                ..
            },
            rest,
        )) = children.split_first()
        {
            let block_embeds = inlines.iter().any(|inline| self.is_block_embed(context, inline));
            if item.tight && !block_embeds {
                self.inlines(context, inlines);
                self.badges(context, &item.ids, false);
            } else {
                let node = Node {
                    range: range.clone(),
                    kind: NodeKind::Rule,
                    ids: Vec::new(),
                };
                self.paragraph_of_item(context, &node, inlines, &item.ids);
            }
            children = rest;
        } else {
            self.badges(context, &item.ids, false);
        }
        if item.tight && !children.is_empty() {
            self.push("\n");
        }
        for child in children {
            match &child.kind {
                NodeKind::Paragraph(inlines) if item.tight => self.inlines(context, inlines),
                _ => self.node(context, child, open),
            }
        }
        self.tags.close_to(open, &mut self.out);
        self.push("</li>\n");
    }

    fn paragraph_of_item(&mut self, context: &Context<'_>, node: &Node, inlines: &[Inline], badges: &[usize]) {
        if inlines.iter().any(|inline| self.is_block_embed(context, inline)) {
            self.paragraph(context, node, inlines);
            self.badges(context, badges, true);
        } else {
            self.text_paragraph(context, node, inlines, &[], badges);
        }
    }

    fn code(&mut self, context: &Context<'_>, node: &Node, index: usize) {
        let Some(block) = context.note.code.get(index) else {
            return;
        };
        let mut attributes = String::new();
        if context.prefix.is_empty() {
            attribute(&mut attributes, "data-line", &block.place.line.to_string());
        }
        if let Some(named) = node.ids.first().and_then(|&id| context.note.blocks.get(id)) {
            attribute(
                &mut attributes,
                "id",
                &format!("{}{}", context.prefix, block_anchor(&named.id)),
            );
        }
        let source = code::block(block.lang.as_deref(), &block.text, &attributes);
        let cells = &context.note.cells;
        let cell: Option<&Cell> = cells
            .binary_search_by_key(&index, |cell| cell.code)
            .ok()
            .and_then(|at| cells.get(at));
        let html = cell.and_then(|cell| self.cells.cell(context.note, cell, &source));
        self.push(html.as_deref().unwrap_or(&source));
        self.push("\n");
    }

    fn table(&mut self, context: &Context<'_>, node: &Node, table: &Table) {
        self.push("<div class=\"table-scroll\">");
        self.open(context, "table", "", node.range.start, &node.ids);
        self.push("><thead><tr>");
        self.cells_of_row(context, "th", table, &table.head);
        self.push("</tr></thead>");
        if !table.rows.is_empty() {
            self.push("<tbody>");
            for (range, cells) in &table.rows {
                self.open(context, "tr", "", range.start, &[]);
                self.push(">");
                self.cells_of_row(context, "td", table, cells);
                self.push("</tr>\n");
            }
            self.push("</tbody>");
        }
        self.push("</table></div>\n");
    }

    fn cells_of_row(&mut self, context: &Context<'_>, name: &str, table: &Table, cells: &[Vec<Inline>]) {
        for (index, cell) in cells.iter().enumerate() {
            self.push("<");
            self.push(name);
            match table.align.get(index) {
                Some(Align::Left) => self.push(" align=\"left\""),
                Some(Align::Center) => self.push(" align=\"center\""),
                Some(Align::Right) => self.push(" align=\"right\""),
                Some(Align::None) | None => {}
            }
            self.push(">");
            self.inlines(context, cell);
            self.push("</");
            self.push(name);
            self.push(">");
        }
    }

    /// The footnotes that were referred to in what was written of a note, behind it.
    pub(super) fn footnotes(&mut self, context: &Context<'_>) {
        let mut open = false;
        for (index, nodes) in context.note.footnote_trees.iter().enumerate() {
            let (prefix, number, back) = (&context.prefix, index + 1, self.words.back());
            // A footnote that another one refers to has a greater number, so that it is known here.
            if !self.embeds.was_referred_to(prefix, number) {
                continue;
            }
            if !open {
                self.push("<section class=\"footnotes\"");
                let label = self.words.footnotes();
                self.attribute("aria-label", label);
                self.push("><ol>\n");
                open = true;
            }
            let item = format!("<li id=\"{prefix}fn-{number}\" value=\"{number}\">");
            let link =
                format!(" <a class=\"footnote-backref\" href=\"#{prefix}fnref-{number}\" aria-label=\"{back}\">↩</a>");
            self.push(&item);
            match nodes.as_slice() {
                [
                    Node {
                        kind: NodeKind::Paragraph(inlines),
                        ..
                    },
                ] => self.inlines(context, inlines),
                nodes => self.nodes(context, nodes),
            }
            self.push(&link);
            self.push("</li>\n");
        }
        if open {
            self.push("</ol></section>\n");
        }
    }
}

/// Inlines without line breaks at their ends.
fn trim_breaks(mut inlines: &[Inline]) -> &[Inline] {
    let blank = |inline: &Inline| match &inline.kind {
        InlineKind::SoftBreak | InlineKind::HardBreak => true,
        InlineKind::Text(text) => text.trim().is_empty(),
        _ => false,
    };
    while let Some((first, rest)) = inlines.split_first().filter(|(first, _)| blank(first)) {
        let _ = first;
        inlines = rest;
    }
    while let Some((_, rest)) = inlines.split_last().filter(|(last, _)| blank(last)) {
        inlines = rest;
    }
    inlines
}
