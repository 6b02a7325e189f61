//! From text to a tree: edits before `pulldown-cmark`, its events, passes over them.

pub(crate) mod blocks;
mod callout;
pub(crate) mod collect;
mod emphasis;
mod inline;
mod lines;
mod mapped;
pub(crate) mod prepare;
mod scanner;
pub(crate) mod text;
pub(crate) mod tree;
pub(crate) mod wikilink;
