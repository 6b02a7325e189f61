//! The laboratory: experiments are read from a note, run as trials in virtual time, and judged.
//!
//! - [`model`] holds what every other part shows: the experiment, its trials, verdicts and decision tables;
//! - [`read`] makes an [`model::Experiment`] of the text of a fence, or says what is wrong where; [`cell`] makes one of
//!   a manifest or of a console, so that every Run button gives the same kind of result;
//! - [`Runner`] runs the trials on threads and reports each as it ends;
//! - [`why`] puts the decisions of a trace into words, [`said`] everything that a record can say;
//! - [`predict`] compares what a reader predicted with what came out;
//! - [`limit`] names every limit.

pub mod branch;
pub mod cell;
pub mod duration;
pub mod expr;
mod judge;
pub mod limit;
pub mod model;
mod nearest;
pub mod predict;
mod program;
mod read;
pub mod refute;
mod runner;
pub mod said;
mod table;
mod template;
mod temporal;
mod trial;
pub mod why;

pub use nearest::hint as nearest_hint;
pub use read::{Reading, read, schema, trials};
pub use runner::{Cancel, RunEvent, Runner};
