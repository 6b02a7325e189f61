//! A note's text as a tree of blocks and inlines: what the renderer and the text extraction walk.
//!
//! Things that are also facts of the note (links, code blocks, tags …) are held by their index there, so that each is
//! stored once. The depth is limited ([`limits::NESTING`](crate::limits::NESTING)), so walking may recurse.

use std::ops::Range;

/// A block and its bytes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    /// Bytes in the file.
    pub range: Range<usize>,
    /// What it is.
    pub kind: NodeKind,
    /// Indices into the note's block ids: those that name this block.
    pub ids: Vec<usize>,
}

impl Node {
    pub(crate) fn new(range: Range<usize>, kind: NodeKind) -> Self {
        Self {
            range,
            kind,
            ids: Vec::new(),
        }
    }
}

/// What a block is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum NodeKind {
    Paragraph(Vec<Inline>),
    /// Index into the note's headings.
    Heading(usize, Vec<Inline>),
    Quote(Vec<Node>),
    /// Index into the note's callouts; title, body.
    Callout(usize, Vec<Inline>, Vec<Node>),
    List(List),
    /// Index into the note's code blocks.
    Code(usize),
    /// Raw HTML, as it stands in the note.
    Html(String),
    Rule,
    Table(Table),
    /// Index into the note's math.
    Math(usize),
    /// What is nested deeper than the limit: shown as source.
    TooDeep,
}

/// A list.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct List {
    /// The first number of an ordered list.
    pub start: Option<u64>,
    pub items: Vec<Item>,
}

/// A list item.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Item {
    pub range: Range<usize>,
    /// Index into the note's tasks.
    pub task: Option<usize>,
    /// Its own text and the blocks in it.
    pub children: Vec<Node>,
    /// Whether its paragraphs are shown without `<p>`.
    pub tight: bool,
    /// Indices into the note's block ids: those that name this item.
    pub ids: Vec<usize>,
}

/// How a column is aligned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    None,
    Left,
    Center,
    Right,
}

/// A table. Rows have as many cells as the head.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Table {
    pub align: Vec<Align>,
    pub head: Vec<Vec<Inline>>,
    pub rows: Vec<(Range<usize>, Vec<Vec<Inline>>)>,
}

/// A piece of text and its bytes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Inline {
    /// Bytes in the file.
    pub range: Range<usize>,
    /// What it is.
    pub kind: InlineKind,
}

/// What a piece of text is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum InlineKind {
    Text(String),
    Code(String),
    Emphasis(Vec<Inline>),
    Strong(Vec<Inline>),
    Strike(Vec<Inline>),
    Highlight(Vec<Inline>),
    /// Index into the note's links; what is shown.
    Link(usize, Vec<Inline>),
    /// Index into the note's links.
    Embed(usize),
    /// Index into the note's external links; what is shown.
    External(usize, Vec<Inline>),
    /// Index into the note's external images.
    Image(usize),
    /// Index into the note's tags; as it stands in the text.
    Tag(usize),
    /// Index into the note's math.
    Math(usize),
    /// Index into the note's footnotes.
    Footnote(usize),
    /// Raw HTML of one tag or comment.
    Html(String),
    /// A line end of the source.
    SoftBreak,
    /// Two spaces or a backslash before a line end.
    HardBreak,
}
