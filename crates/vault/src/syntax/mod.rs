//! From text to a tree: edits before `pulldown-cmark`, its events, passes over them.

pub(crate) mod tree;
