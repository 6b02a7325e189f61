//! What is in one note.

mod cells;
mod facts;
mod parse;
mod part;
mod properties;

use std::collections::HashMap;
use std::sync::Arc;

pub use cells::{Cell, CellKind};
pub use facts::{
    Block, BlockKind, Callout, CodeBlock, Comment, EmbedKind, ExternalImage, ExternalLink, Fold, Footnote, Heading,
    Highlight, Link, LinkSyntax, Math, Subpath, Tag, Task,
};
pub(crate) use part::Part;
pub use properties::{Properties, PropertyKind, PropertyLink};

use crate::diagnostic::Diagnostic;
use crate::place::{Lines, Place};
use crate::syntax::tree::Node;
use crate::vault::SwitchKeys;

/// The type of the callouts in which Peapod writes results into a note. Obsidian shows them; a page of Peapod, which shows
/// the results themselves, does not.
pub const RESULTS: &str = "peapod-results";

/// A note: its text and everything that is in it.
///
/// Lists are in the order of the text.
#[derive(Clone, Debug, PartialEq)]
pub struct Note {
    /// Path in its vault, as its bytes are, with `/`.
    pub path: String,
    /// The whole text, as in the file.
    pub text: Arc<str>,
    /// Its lines.
    pub lines: Lines,
    /// File name without folder and extension, NFC: what a link calls it.
    pub name: String,
    /// What a page calls it: the first heading if the text begins with one of level 1, otherwise the name.
    pub title: String,
    /// Whether the text begins with the title as its heading, so that a page needs no second one.
    pub title_in_text: bool,
    /// Other names, of the properties, NFC.
    pub aliases: Vec<String>,
    /// Classes for the root element, of the properties: `[A-Za-z0-9_-]+`.
    pub css_classes: Vec<String>,
    /// The properties.
    pub properties: Properties,
    /// Headings.
    pub headings: Vec<Heading>,
    /// Internal links and embeds of the text, as shown.
    pub links: Vec<Link>,
    /// Links in comments: they count for backlinks, but are not shown.
    pub comment_links: Vec<Link>,
    /// Links to elsewhere.
    pub external: Vec<ExternalLink>,
    /// Images from elsewhere.
    pub images: Vec<ExternalImage>,
    /// Tags, those of the properties first.
    pub tags: Vec<Tag>,
    /// Callouts.
    pub callouts: Vec<Callout>,
    /// Blocks with an id; the first one of each id.
    pub blocks: Vec<Block>,
    /// Tasks.
    pub tasks: Vec<Task>,
    /// Highlighted pieces.
    pub highlights: Vec<Highlight>,
    /// Comments.
    pub comments: Vec<Comment>,
    /// Formulas.
    pub math: Vec<Math>,
    /// Footnotes that are referred to, by number.
    pub footnotes: Vec<Footnote>,
    /// Code blocks.
    pub code: Vec<CodeBlock>,
    /// The code blocks that run.
    pub cells: Vec<Cell>,
    /// What is wrong with the note.
    pub diagnostics: Vec<Diagnostic>,
    /// Headings by [`heading_key`](crate::text::heading_key).
    pub(crate) headings_by_key: HashMap<String, Vec<usize>>,
    /// Blocks by id in ASCII lower case.
    pub(crate) blocks_by_id: HashMap<String, usize>,
    /// Which letters its names have.
    pub(crate) switch_keys: SwitchKeys,
    /// The text as a tree.
    pub(crate) tree: Vec<Node>,
    /// The content of each footnote.
    pub(crate) footnote_trees: Vec<Vec<Node>>,
}

impl Note {
    /// Reads a note. Never fails: what is wrong stands in [`Note::diagnostics`].
    pub fn parse(path: impl Into<String>, text: impl Into<Arc<str>>) -> Self {
        parse::parse(path.into(), text.into())
    }

    /// The cell with an id.
    pub fn cell(&self, id: &str) -> Option<&Cell> {
        self.cells.iter().find(|cell| cell.id.as_deref() == Some(id))
    }

    /// The block with an id (ASCII case does not matter); a leading `^` is accepted.
    pub fn block(&self, id: &str) -> Option<&Block> {
        let id = id.strip_prefix('^').unwrap_or(id);
        self.blocks.get(*self.blocks_by_id.get(&id.to_ascii_lowercase())?)
    }

    /// The callouts that hold results which Peapod has written, one below the experiment of each.
    pub fn results(&self) -> impl Iterator<Item = &Callout> {
        self.callouts.iter().filter(|callout| callout.kind == RESULTS)
    }

    /// The lines that a range touches, with the end of the last.
    pub fn whole_lines(&self, range: std::ops::Range<usize>) -> std::ops::Range<usize> {
        let start = self.text[..range.start].rfind('\n').map_or(0, |at| at + 1);
        // A range that ends behind the end of a line does not touch the next.
        let last = range.end.max(range.start + 1).min(self.text.len()) - usize::from(!self.text.is_empty());
        let end = self.text.as_bytes()[last..].iter().position(|&byte| byte == b'\n');
        start..end.map_or(self.text.len(), |at| last + at + 1)
    }

    /// A range of the text as a place.
    pub fn place(&self, range: std::ops::Range<usize>) -> Place {
        self.lines.place(&self.text, range)
    }

    /// The place in the note of a line and a column of a cell's text (both from 1, in characters, as is `length`).
    pub fn place_in_cell(&self, cell: &Cell, line: u32, column: u32, length: u32) -> Place {
        cell.place_of(&self.text, &self.lines, line, column, length)
    }
}
