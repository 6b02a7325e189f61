//! From what was found to what a note has: only what the tree reaches, in the order of the text, with numbers, anchors
//! and parents.

use std::collections::HashSet;

use super::blocks::{Found, RawFootnote};
use super::text::{plain, plain_of_nodes};
use super::tree::{Inline, InlineKind, Item, Node, NodeKind};
use crate::note::{
    Block, Callout, CodeBlock, ExternalImage, ExternalLink, Footnote, Heading, Highlight, Link, Math, Tag, Task,
};
use crate::place::Place;
use crate::text::Slugs;

/// Everything in a text, in order.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    pub headings: Vec<Heading>,
    pub links: Vec<Link>,
    pub external: Vec<ExternalLink>,
    pub images: Vec<ExternalImage>,
    pub tags: Vec<Tag>,
    pub callouts: Vec<Callout>,
    pub blocks: Vec<Block>,
    /// Ids that were defined before.
    pub duplicate_blocks: Vec<Block>,
    pub tasks: Vec<Task>,
    pub highlights: Vec<Highlight>,
    pub math: Vec<Math>,
    pub footnotes: Vec<Footnote>,
    pub code: Vec<CodeBlock>,
    pub tree: Vec<Node>,
    pub footnote_trees: Vec<Vec<Node>>,
    pub too_deep: Vec<Place>,
    pub too_many_links: Option<Place>,
}

/// Something that looks at every part of a tree, outer before inner.
trait Visitor {
    fn node(&mut self, _node: &mut Node) {}
    fn item(&mut self, _item: &mut Item) {}
    fn inline(&mut self, _inline: &mut Inline) {}
}

fn walk(nodes: &mut [Node], visitor: &mut dyn Visitor) {
    for node in nodes {
        visitor.node(node);
        match &mut node.kind {
            NodeKind::Paragraph(inlines) | NodeKind::Heading(_, inlines) => walk_inlines(inlines, visitor),
            NodeKind::Quote(children) => walk(children, visitor),
            NodeKind::Callout(_, title, children) => {
                walk_inlines(title, visitor);
                walk(children, visitor);
            }
            NodeKind::List(list) => {
                for item in &mut list.items {
                    visitor.item(item);
                    walk(&mut item.children, visitor);
                }
            }
            NodeKind::Table(table) => {
                let rows = table.rows.iter_mut().flat_map(|(_, cells)| cells);
                table
                    .head
                    .iter_mut()
                    .chain(rows)
                    .for_each(|cell| walk_inlines(cell, visitor));
            }
            NodeKind::Code(_) | NodeKind::Html(_) | NodeKind::Rule | NodeKind::Math(_) | NodeKind::TooDeep => {}
        }
    }
}

fn walk_inlines(inlines: &mut [Inline], visitor: &mut dyn Visitor) {
    for inline in inlines {
        visitor.inline(inline);
        match &mut inline.kind {
            InlineKind::Emphasis(children)
            | InlineKind::Strong(children)
            | InlineKind::Strike(children)
            | InlineKind::Highlight(children)
            | InlineKind::Link(_, children)
            | InlineKind::External(_, children) => walk_inlines(children, visitor),
            _ => {}
        }
    }
}

/// A list of things of which some are kept, in a new order.
struct Selection {
    kept: Vec<bool>,
    /// Old index to new; set once the order is known.
    moved: Vec<usize>,
}

impl Selection {
    fn new(len: usize) -> Self {
        Self {
            kept: vec![false; len],
            moved: vec![usize::MAX; len],
        }
    }

    fn keep(&mut self, index: usize) {
        if let Some(kept) = self.kept.get_mut(index) {
            *kept = true;
        }
    }

    /// The kept things by place.
    fn take<T>(&mut self, things: Vec<T>, start: impl Fn(&T) -> usize) -> Vec<T> {
        let kept = std::mem::take(&mut self.kept);
        let mut things: Vec<(usize, T)> = things
            .into_iter()
            .enumerate()
            .filter(|(index, _)| kept[*index])
            .collect();
        things.sort_by_key(|(index, thing)| (start(thing), *index));
        for (new, (old, _)) in things.iter().enumerate() {
            self.moved[*old] = new;
        }
        things.into_iter().map(|(_, thing)| thing).collect()
    }

    fn moved(&self, index: &mut usize) {
        *index = self.moved.get(*index).copied().unwrap_or(usize::MAX);
    }
}

/// One [`Selection`] a kind.
struct Selections {
    headings: Selection,
    links: Selection,
    external: Selection,
    images: Selection,
    tags: Selection,
    callouts: Selection,
    blocks: Selection,
    tasks: Selection,
    math: Selection,
    code: Selection,
}

/// Marks what the tree reaches.
struct Mark<'a>(&'a mut Selections);

impl Visitor for Mark<'_> {
    fn node(&mut self, node: &mut Node) {
        node.ids.iter().for_each(|&id| self.0.blocks.keep(id));
        match &node.kind {
            NodeKind::Heading(index, _) => self.0.headings.keep(*index),
            NodeKind::Callout(index, ..) => self.0.callouts.keep(*index),
            NodeKind::Code(index) => self.0.code.keep(*index),
            NodeKind::Math(index) => self.0.math.keep(*index),
            _ => {}
        }
    }

    fn item(&mut self, item: &mut Item) {
        item.ids.iter().for_each(|&id| self.0.blocks.keep(id));
        item.task.iter().for_each(|&task| self.0.tasks.keep(task));
    }

    fn inline(&mut self, inline: &mut Inline) {
        match &inline.kind {
            InlineKind::Link(index, _) | InlineKind::Embed(index) => self.0.links.keep(*index),
            InlineKind::External(index, _) => self.0.external.keep(*index),
            InlineKind::Image(index) => self.0.images.keep(*index),
            InlineKind::Tag(index) => self.0.tags.keep(*index),
            InlineKind::Math(index) => self.0.math.keep(*index),
            _ => {}
        }
    }
}

/// Puts the new indices into the tree.
struct Move<'a>(&'a Selections);

impl Visitor for Move<'_> {
    fn node(&mut self, node: &mut Node) {
        node.ids.iter_mut().for_each(|id| self.0.blocks.moved(id));
        node.ids.retain(|&id| id != usize::MAX);
        match &mut node.kind {
            NodeKind::Heading(index, _) => self.0.headings.moved(index),
            NodeKind::Callout(index, ..) => self.0.callouts.moved(index),
            NodeKind::Code(index) => self.0.code.moved(index),
            NodeKind::Math(index) => self.0.math.moved(index),
            _ => {}
        }
    }

    fn item(&mut self, item: &mut Item) {
        item.ids.iter_mut().for_each(|id| self.0.blocks.moved(id));
        item.ids.retain(|&id| id != usize::MAX);
        item.task.iter_mut().for_each(|task| self.0.tasks.moved(task));
    }

    fn inline(&mut self, inline: &mut Inline) {
        match &mut inline.kind {
            InlineKind::Link(index, _) | InlineKind::Embed(index) => self.0.links.moved(index),
            InlineKind::External(index, _) => self.0.external.moved(index),
            InlineKind::Image(index) => self.0.images.moved(index),
            InlineKind::Tag(index) => self.0.tags.moved(index),
            InlineKind::Math(index) => self.0.math.moved(index),
            _ => {}
        }
    }
}

/// References to footnotes, in order.
struct References(Vec<usize>);

impl Visitor for References {
    fn inline(&mut self, inline: &mut Inline) {
        if let InlineKind::Footnote(index) = inline.kind {
            self.0.push(index);
        }
    }
}

/// Gives footnotes their numbers; a reference to nothing becomes text.
struct Number<'a> {
    numbers: &'a [Option<usize>],
    text: &'a str,
}

impl Visitor for Number<'_> {
    fn inline(&mut self, inline: &mut Inline) {
        if let InlineKind::Footnote(index) = &mut inline.kind {
            match self.numbers.get(*index).copied().flatten() {
                Some(number) => *index = number,
                None => {
                    let source = self.text.get(inline.range.clone()).unwrap_or("").to_owned();
                    inline.kind = InlineKind::Text(source);
                }
            }
        }
    }
}

/// Highlighted pieces: place and index into nothing, since only their text is a fact.
struct Highlights<'a> {
    found: &'a Found<'a>,
    highlights: Vec<Highlight>,
}

impl Visitor for Highlights<'_> {
    fn inline(&mut self, inline: &mut Inline) {
        if let InlineKind::Highlight(children) = &inline.kind {
            let (text, place) = (plain(children, self.found), self.found.place(inline.range.clone()));
            self.highlights.push(Highlight { text, place });
        }
    }
}

/// Puts everything in order.
pub(crate) fn collect(mut tree: Vec<Node>, mut found: Found<'_>) -> Collected {
    let mut footnotes = std::mem::take(&mut found.footnotes);
    let (order, numbers) = number_footnotes(&mut tree, &mut footnotes);
    let mut roots: Vec<Vec<Node>> = vec![tree];
    roots.extend(order.iter().map(|&index| std::mem::take(&mut footnotes[index].nodes)));
    for root in &mut roots {
        walk(
            root,
            &mut Number {
                numbers: &numbers,
                text: found.text,
            },
        );
    }

    let mut highlights = Highlights {
        found: &found,
        highlights: Vec::new(),
    };
    roots.iter_mut().for_each(|root| walk(root, &mut highlights));
    let mut highlights = highlights.highlights;
    highlights.sort_by_key(|highlight| highlight.place);
    let footnote_facts = order
        .iter()
        .zip(&roots[1..])
        .enumerate()
        .map(|(number, (&index, nodes))| Footnote {
            id: footnotes[index].id.clone(),
            number: number + 1,
            text: plain_of_nodes(nodes, &found),
            place: footnotes[index].place,
        });
    let footnote_facts = footnote_facts.collect();

    let mut selections = Selections {
        headings: Selection::new(found.headings.len()),
        links: Selection::new(found.links.len()),
        external: Selection::new(found.external.len()),
        images: Selection::new(found.images.len()),
        tags: Selection::new(found.tags.len()),
        callouts: Selection::new(found.callouts.len()),
        blocks: Selection::new(found.blocks.len()),
        tasks: Selection::new(found.tasks.len()),
        math: Selection::new(found.math.len()),
        code: Selection::new(found.code.len()),
    };
    roots.iter_mut().for_each(|root| walk(root, &mut Mark(&mut selections)));
    let duplicate_blocks = drop_duplicates(&mut found.blocks, &mut selections.blocks);
    let mut headings = selections.headings.take(found.headings, |heading| heading.place.start);
    let links = selections.links.take(found.links, |link| link.place.start);
    let external = selections.external.take(found.external, |link| link.place.start);
    let images = selections.images.take(found.images, |image| image.place.start);
    let tags = selections.tags.take(found.tags, |tag| tag.place.start);
    let callouts = selections.callouts.take(found.callouts, |callout| callout.place.start);
    let blocks = selections.blocks.take(found.blocks, |block| block.place.start);
    let mut tasks = selections.tasks.take(found.tasks, |task| task.place.start);
    let math = selections.math.take(found.math, |math| math.place.start);
    let code = selections.code.take(found.code, |code| code.place.start);
    roots.iter_mut().for_each(|root| walk(root, &mut Move(&selections)));
    roots.iter().for_each(|root| task_depths(root, 0, &mut tasks));
    finish_headings(&mut headings, found.text.len());

    let mut roots = roots.into_iter();
    Collected {
        headings,
        links,
        external,
        images,
        tags,
        callouts,
        blocks,
        duplicate_blocks,
        tasks,
        highlights,
        math,
        footnotes: footnote_facts,
        code,
        tree: roots.next().unwrap_or_default(),
        footnote_trees: roots.collect(),
        too_deep: found.too_deep,
        too_many_links: found.too_many_links,
    }
}

/// The footnotes that are referred to, by first reference, and for each footnote its index among them.
fn number_footnotes(tree: &mut [Node], footnotes: &mut [RawFootnote]) -> (Vec<usize>, Vec<Option<usize>>) {
    let mut order = Vec::new();
    let mut numbers: Vec<Option<usize>> = vec![None; footnotes.len()];
    let mut references = References(Vec::new());
    walk(tree, &mut references);
    let mut waiting = references.0;
    let mut at = 0;
    loop {
        for index in waiting {
            if footnotes.get(index).is_some_and(|footnote| footnote.defined) && numbers[index].is_none() {
                numbers[index] = Some(order.len());
                order.push(index);
            }
        }
        // References inside footnotes come after those of the text.
        let Some(&next) = order.get(at) else { break };
        at += 1;
        let mut references = References(Vec::new());
        walk(&mut footnotes[next].nodes, &mut references);
        waiting = references.0;
    }
    (order, numbers)
}

/// Of blocks with one id only the first counts.
fn drop_duplicates(blocks: &mut [Block], selection: &mut Selection) -> Vec<Block> {
    let mut order: Vec<usize> = (0..blocks.len()).filter(|&index| selection.kept[index]).collect();
    order.sort_by_key(|&index| blocks[index].place);
    let mut taken = HashSet::new();
    let mut duplicates = Vec::new();
    for index in order {
        if !taken.insert(blocks[index].id.to_ascii_lowercase()) {
            selection.kept[index] = false;
            duplicates.push(blocks[index].clone());
        }
    }
    duplicates
}

fn task_depths(nodes: &[Node], depth: usize, tasks: &mut [Task]) {
    for node in nodes {
        match &node.kind {
            NodeKind::Quote(children) | NodeKind::Callout(_, _, children) => task_depths(children, depth, tasks),
            NodeKind::List(list) => {
                let depth = depth + usize::from(list.items.iter().any(|item| item.task.is_some()));
                for item in &list.items {
                    if let Some(task) = item.task.and_then(|task| tasks.get_mut(task)) {
                        task.depth = depth;
                    }
                    task_depths(&item.children, depth, tasks);
                }
            }
            _ => {}
        }
    }
}

/// Anchors, parents and the ends of sections.
fn finish_headings(headings: &mut [Heading], end: usize) {
    let mut slugs = Slugs::default();
    let mut open: Vec<usize> = Vec::new();
    for index in 0..headings.len() {
        headings[index].anchor = slugs.next(&headings[index].text);
        let (level, start) = (headings[index].level, headings[index].place.start);
        while let Some(last) = open.pop_if(|last| headings[*last].level >= level) {
            headings[last].section_end = start;
        }
        headings[index].parent = open.last().copied();
        open.push(index);
    }
    for last in open {
        headings[last].section_end = end;
    }
}
