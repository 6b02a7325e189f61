//! From text to a tree: edits before `pulldown-cmark`, its events, passes over them.

pub(crate) mod blocks;
mod callout;
pub(crate) mod collect;
mod inline;
mod lines;
mod mapped;
pub(crate) mod prepare;
pub(crate) mod tree;
pub(crate) mod wikilink;
