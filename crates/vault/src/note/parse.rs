//! Reading a note: properties, then the text, then what both together say.

use std::collections::HashMap;
use std::sync::Arc;

use super::facts::{Comment, EmbedKind, Link, LinkSyntax};
use super::properties::{self, Front};
use super::{Note, cells};
use crate::diagnostic::{Diagnostic, Severity};
use crate::limits;
use crate::place::{Lines, floor_char_boundary};
use crate::syntax::collect::{Collected, collect};
use crate::syntax::prepare::{Exclusions, Prepared, prepare};
use crate::syntax::tree::NodeKind;
use crate::syntax::{blocks, wikilink};
use crate::text::{heading_key, nfc};

/// How often a text is read again because an edit went into code. The last reading makes no such edits.
const READINGS: usize = 3;

pub(super) fn parse(path: String, text: Arc<str>) -> Note {
    let lines = Lines::new(&text);
    if text.len() > limits::NOTE_BYTES {
        return oversize(path, text, lines);
    }
    let front = properties::read(&text, &lines);
    let read = read_text(&text, &lines, front.body);
    assemble(path, text, lines, front, read)
}

/// What reading the text gave.
#[derive(Default)]
struct ReadText {
    collected: Collected,
    comments: Vec<Comment>,
    comment_links: Vec<Link>,
    unclosed_comment: Option<usize>,
}

fn read_text(text: &str, lines: &Lines, body: usize) -> ReadText {
    let mut excluded = Exclusions::default();
    for reading in 1.. {
        let prepared = prepare(text, body, &excluded);
        let built = blocks::build(&prepared, text, lines);
        let in_verbatim = |at: usize| {
            let after = built.verbatim.partition_point(|range| range.start <= at);
            built.verbatim[..after]
                .iter()
                .rev()
                .take(4)
                .any(|range| range.contains(&at))
        };
        let wrong_comments: Vec<usize> = prepared
            .comments
            .iter()
            .map(|range| range.start)
            .filter(|&start| in_verbatim(start))
            .collect();
        let right = built.unclaimed_heads.is_empty() && wrong_comments.is_empty();
        if right || reading > READINGS {
            let (comments, comment_links) = read_comments(&prepared, text, lines);
            let unclosed_comment = prepared.unclosed_comment;
            return ReadText {
                collected: collect(built.nodes, built.found),
                comments,
                comment_links,
                unclosed_comment,
            };
        }
        excluded.heads.extend(&built.unclaimed_heads);
        excluded.comments.extend(wrong_comments);
        excluded.all = reading == READINGS;
    }
    ReadText::default()
}

/// Comments and the links in them, which count although they are not shown.
fn read_comments(prepared: &Prepared<'_>, text: &str, lines: &Lines) -> (Vec<Comment>, Vec<Link>) {
    let mut links = Vec::new();
    let comments = prepared.comments.iter().map(|range| {
        let inside = text.get(range.start + 2..range.end.saturating_sub(2)).unwrap_or("");
        for (link_range, embed, link) in wikilink::find_all(inside) {
            let start = range.start + 2;
            let place = lines.place(text, start + link_range.start..start + link_range.end);
            let default = wikilink::default_display(&link.target, link.subpath.as_ref());
            links.push(Link {
                syntax: LinkSyntax::Wiki,
                embed,
                embed_kind: embed.then(|| EmbedKind::of_path(&link.target)),
                display: link.alias.clone().unwrap_or(default),
                target: link.target,
                subpath: link.subpath,
                alias: link.alias,
                width: None,
                height: None,
                alt: None,
                in_comment: true,
                place,
            });
        }
        Comment {
            text: inside.to_owned(),
            place: lines.place(text, range.clone()),
        }
    });
    (comments.collect(), links)
}

fn assemble(path: String, text: Arc<str>, lines: Lines, front: Front, read: ReadText) -> Note {
    let mut diagnostics = front.diagnostics;
    let place = |range| lines.place(&text, range);
    if let Some(at) = read.unclosed_comment {
        let message = "this `%%` begins a comment that nothing ends; it is shown as text";
        let diagnostic = Diagnostic::new(Severity::Warning, "note.unclosed-comment", message, place(at..at + 2));
        diagnostics.push(diagnostic.hint("end the comment with `%%`, or write `\\%\\%` for two percent signs"));
    }
    let collected = read.collected;
    for block in &collected.duplicate_blocks {
        let message = format!("the block id `^{}` is there twice; the first one counts", block.id);
        diagnostics.push(Diagnostic::new(
            Severity::Warning,
            "note.duplicate-block",
            message,
            block.place,
        ));
    }
    for deep in &collected.too_deep {
        let message = format!("nested deeper than {} levels; shown as source", limits::NESTING);
        diagnostics.push(Diagnostic::new(Severity::Warning, "note.nesting", message, *deep));
    }
    if let Some(link) = collected.too_many_links {
        let message = format!("more than {} links; from here on they are shown as text", limits::LINKS);
        diagnostics.push(Diagnostic::new(Severity::Warning, "note.links", message, link));
    }
    let name = name_of(&path);
    let heading = match collected.tree.first().map(|node| &node.kind) {
        Some(NodeKind::Heading(index, _)) => collected.headings.get(*index),
        _ => None,
    };
    let heading = heading
        .filter(|heading| heading.level == 1 && !heading.text.is_empty())
        .map(|heading| &heading.text);
    let mut tags = front.tags;
    tags.extend(collected.tags);
    let cells = cells::cells_of(&collected.code);
    let mut headings_by_key: HashMap<String, Vec<usize>> = HashMap::new();
    for (index, heading) in collected.headings.iter().enumerate() {
        headings_by_key
            .entry(heading_key(&heading.raw))
            .or_default()
            .push(index);
    }
    let blocks = collected.blocks.iter().enumerate();
    let blocks_by_id = blocks
        .map(|(index, block)| (block.id.to_ascii_lowercase(), index))
        .collect();
    let mut note = Note {
        title: heading.cloned().unwrap_or_else(|| name.clone()),
        title_in_text: heading.is_some(),
        name,
        path,
        aliases: front.aliases,
        css_classes: front.css_classes,
        properties: front.properties,
        headings: collected.headings,
        links: collected.links,
        comment_links: read.comment_links,
        external: collected.external,
        images: collected.images,
        tags,
        callouts: collected.callouts,
        blocks: collected.blocks,
        tasks: collected.tasks,
        highlights: collected.highlights,
        comments: read.comments,
        math: collected.math,
        footnotes: collected.footnotes,
        code: collected.code,
        cells,
        diagnostics,
        headings_by_key,
        blocks_by_id,
        switch_keys: crate::vault::SwitchKeys::default(),
        tree: collected.tree,
        footnote_trees: collected.footnote_trees,
        text,
        lines,
    };
    note.diagnostics.sort_by_key(|diagnostic| diagnostic.place);
    note
}

/// The file's name without folder and extension.
fn name_of(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    let is_note = name.len() > 3
        && name
            .get(name.len() - 3..)
            .is_some_and(|end| end.eq_ignore_ascii_case(".md"));
    nfc(if is_note { &name[..name.len() - 3] } else { name })
}

/// A note that is too large to be read: its first lines, as source.
fn oversize(path: String, text: Arc<str>, lines: Lines) -> Note {
    // Whoever reads files may stop reading above the limit, so that the whole size is not known here.
    let message = format!(
        "the note is larger than {} MB and is not read",
        limits::NOTE_BYTES / (1024 * 1024)
    );
    let shown = floor_char_boundary(&text, limits::OVERSIZE_PREVIEW_BYTES);
    let place = lines.place(&text, 0..shown);
    let diagnostic = Diagnostic::new(Severity::Error, "note.size", message, place)
        .hint("split it into several notes; only its beginning is shown, as source");
    let mut note = assemble(path, text, lines, Front::default(), ReadText::default());
    note.tree = vec![crate::syntax::tree::Node::new(0..shown, NodeKind::TooDeep)];
    note.diagnostics.push(diagnostic);
    note
}
