//! Obsidian's Markdown as Obsidian treats it: what is in a note, what its links mean, and how it is shown.
//!
//! Three things, kept apart:
//!
//! - [`note`]: what is in one text. [`Note::parse`] gives its properties, headings, links, embeds, tags, callouts, block
//!   ids, footnotes, comments and the *cells* that run, each with its byte range, line and column. It never fails: a text
//!   with mistakes gives a note with [`Diagnostic`]s.
//! - [`vault`]: many notes together. Which file a link means (by Obsidian's rules, the user's vault above the built-in
//!   library), backlinks, tags, unresolved links, the local graph.
//! - [`render`]: HTML for a page under a strict content security policy. The application says through two traits where
//!   links lead and what stands in the place of a cell.
//!
//! [`claims`] gives the lists of numbered sentences that notes declare, and which block of the vault answers each.
//!
//! [`plain`] gives the text of a note for search, with the way back from each piece to its bytes in the file.
//!
//! Nothing here does I/O, knows a clock or an environment, or panics on any text. Every limit stands in [`limits`].
//!
//! The grammar is CommonMark with tables, footnotes and strikethrough as `pulldown-cmark` reads it; Obsidian's own syntax
//! is read before it (edits with a map back to the file) and after it (passes over its events).

mod canvas;
pub mod claims;
pub mod diagnostic;
pub mod inspect;
pub mod limits;
pub mod note;
pub mod place;
pub mod plain;
pub mod render;
mod syntax;
pub mod text;
pub mod vault;

pub use diagnostic::{Diagnostic, Severity};
pub use note::{Cell, CellKind, Note, RESULTS};
pub use place::Place;
pub use vault::{FileRef, Layer, Vault};
