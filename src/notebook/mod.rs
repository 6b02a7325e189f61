//! Notebooks that live: a [`Session`] is one cluster in virtual time whose cells a person runs one after the other.
//!
//! - [`source`] says what the text of a cell is: a manifest, an experiment, lines that are typed, commands for the clock;
//! - [`Session`] carries it out, and tells its outputs as [`Output`]s, which are MIME bundles;
//! - [`book`] is a notebook as it is kept: its cells, what was done with them, what of it is stale;
//! - [`complete`] says what could be written next, what a word means, and whether a cell is at its end;
//! - [`transcript`] writes into a note what its consoles print;
//! - [`ipynb`] is the file format of Jupyter, to and from notes.
//!
//! Nothing of a wall clock comes into an output: the same cells give the same bytes.

pub mod book;
pub mod complete;
mod experiment;
pub mod inspect;
pub mod ipynb;
mod magic;
mod output;
mod session;
pub mod show;
pub mod source;
pub mod transcript;

pub use magic::MAGICS;
pub use output::{Bundle, Failure, Output};
pub use session::{Session, Settings, View};
