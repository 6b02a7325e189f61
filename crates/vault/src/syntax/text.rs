//! The plain text of parts of a tree while it is built: titles, texts of blocks, tasks, footnotes.

use std::ops::Range;

use super::blocks::Found;
use super::tree::{Inline, InlineKind, Node, NodeKind};

/// The text of inlines while facts are not in order yet.
pub(crate) fn plain(inlines: &[Inline], found: &Found<'_>) -> String {
    let mut text = String::new();
    push_plain(inlines, found, &mut text);
    text
}

fn push_plain(inlines: &[Inline], found: &Found<'_>, text: &mut String) {
    for inline in inlines {
        match &inline.kind {
            InlineKind::Text(piece) | InlineKind::Code(piece) => text.push_str(piece),
            InlineKind::Emphasis(children)
            | InlineKind::Strong(children)
            | InlineKind::Strike(children)
            | InlineKind::Highlight(children)
            | InlineKind::Link(_, children)
            | InlineKind::External(_, children) => push_plain(children, found, text),
            InlineKind::Tag(_) => text.push_str(source(found.text, &inline.range)),
            InlineKind::Math(index) => text.push_str(found.math.get(*index).map_or("", |math| math.tex.as_str())),
            InlineKind::SoftBreak | InlineKind::HardBreak => text.push('\n'),
            InlineKind::Html(html) if is_line_break(html) => text.push('\n'),
            InlineKind::Embed(_) | InlineKind::Image(_) | InlineKind::Footnote(_) | InlineKind::Html(_) => {}
        }
    }
}

/// The text of blocks, one a line.
pub(crate) fn plain_of_nodes(nodes: &[Node], found: &Found<'_>) -> String {
    let mut lines = Vec::new();
    push_lines(nodes, found, &mut lines);
    lines.join("\n")
}

fn push_lines(nodes: &[Node], found: &Found<'_>, lines: &mut Vec<String>) {
    for node in nodes {
        match &node.kind {
            NodeKind::Paragraph(inlines) | NodeKind::Heading(_, inlines) => lines.push(plain(inlines, found)),
            NodeKind::Quote(children) => push_lines(children, found, lines),
            NodeKind::Callout(_, title, children) => {
                lines.push(plain(title, found));
                push_lines(children, found, lines);
            }
            NodeKind::List(list) => list
                .items
                .iter()
                .for_each(|item| push_lines(&item.children, found, lines)),
            NodeKind::Table(table) => {
                let rows = std::iter::once(&table.head).chain(table.rows.iter().map(|(_, cells)| cells));
                lines.extend(rows.map(|cells| {
                    let cells: Vec<String> = cells.iter().map(|cell| plain(cell, found)).collect();
                    cells.join("\t")
                }));
            }
            NodeKind::Code(index) => lines.extend(found.code.get(*index).map(|code| code.text.trim_end().to_owned())),
            NodeKind::Math(index) => lines.extend(found.math.get(*index).map(|math| math.tex.trim().to_owned())),
            NodeKind::Html(_) | NodeKind::Rule | NodeKind::TooDeep => {}
        }
    }
}

/// Whether raw HTML is `<br>`.
pub(crate) fn is_line_break(html: &str) -> bool {
    let name = html
        .trim_start_matches('<')
        .trim_end_matches('>')
        .trim_end_matches('/')
        .trim();
    name.eq_ignore_ascii_case("br")
}

fn source<'t>(text: &'t str, range: &Range<usize>) -> &'t str {
    text.get(range.clone()).unwrap_or("")
}
