//! The laboratory: experiments are read from a note, run as trials in virtual time, and judged.
//!
//! [`model`] holds what every other part shows: the experiment, its trials, verdicts and decision tables.

pub mod model;
