//! A part of a note, as an embed names it.

use super::{Note, Subpath};
use crate::syntax::tree::{Item, Node, NodeKind};
use crate::vault::Vault;

/// A part of a note's tree.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part<'n> {
    /// Blocks one after another.
    Nodes(&'n [Node]),
    /// One item of a list.
    Item(&'n Item),
}

impl Note {
    /// The whole text, a section, or a block; none if the subpath names nothing.
    pub(crate) fn part(&self, subpath: Option<&Subpath>) -> Option<Part<'_>> {
        let Some(subpath) = subpath else {
            return Some(Part::Nodes(&self.tree));
        };
        if let Subpath::Block(id) = subpath {
            let index = *self.blocks_by_id.get(&id.to_ascii_lowercase())?;
            return find_block(&self.tree, index);
        }
        let section = Vault::spot(self, subpath)?.place;
        find_section(&self.tree, section.start, section.end)
    }

    /// The part at an `id` of the note's page: all for an empty one, a block for `^id`, the section of a heading.
    pub(crate) fn part_at(&self, anchor: &str) -> Option<Part<'_>> {
        if anchor.is_empty() {
            return Some(Part::Nodes(&self.tree));
        }
        if let Some(id) = anchor.strip_prefix('^') {
            return self.part(Some(&Subpath::Block(id.to_owned())));
        }
        let heading = self.headings.iter().find(|heading| heading.anchor == anchor)?;
        find_section(&self.tree, heading.place.start, heading.section_end)
    }
}

/// The blocks of a section: those that begin in it, where its heading is.
fn find_section(nodes: &[Node], start: usize, end: usize) -> Option<Part<'_>> {
    if let Some(first) = nodes
        .iter()
        .position(|node| node.range.start == start && is_heading(node))
    {
        let length = nodes[first..].iter().take_while(|node| node.range.start < end).count();
        return Some(Part::Nodes(&nodes[first..first + length]));
    }
    let inner = nodes
        .iter()
        .find(|node| node.range.start <= start && start < node.range.end)?;
    children(inner).find_map(|nodes| find_section(nodes, start, end))
}

fn is_heading(node: &Node) -> bool {
    matches!(node.kind, NodeKind::Heading(..))
}

fn find_block(nodes: &[Node], index: usize) -> Option<Part<'_>> {
    nodes.iter().find_map(|node| {
        if node.ids.contains(&index) {
            return Some(Part::Nodes(std::slice::from_ref(node)));
        }
        if let NodeKind::List(list) = &node.kind
            && let Some(item) = list.items.iter().find(|item| item.ids.contains(&index))
        {
            return Some(Part::Item(item));
        }
        children(node).find_map(|nodes| find_block(nodes, index))
    })
}

/// The lists of blocks within a block.
fn children(node: &Node) -> impl Iterator<Item = &[Node]> {
    let (own, items): (Option<&[Node]>, &[Item]) = match &node.kind {
        NodeKind::Quote(children) | NodeKind::Callout(_, _, children) => (Some(children), &[]),
        NodeKind::List(list) => (None, &list.items),
        _ => (None, &[]),
    };
    own.into_iter().chain(items.iter().map(|item| item.children.as_slice()))
}
