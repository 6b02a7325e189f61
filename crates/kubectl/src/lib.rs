//! `kubectl` without a process: its grammar, what it asks of the API server, and what it prints.
//!
//! Nothing here reads files, clocks or sockets. A command line becomes a [`Command`]; [`run`] carries it out over an
//! [`Api`] and gives back an [`Output`] of text and an exit code. A command that waits does not block, for its time is
//! virtual: it says what it waits for.

#![allow(
    clippy::result_large_err,
    reason = "a refusal carries its details, as the API server sends them; it is rare"
)]

pub mod api;
pub mod command;
pub mod describe;
pub mod exec;
mod flags;
pub mod print;
mod quantity;
pub mod resources;
pub mod selector;
mod value;
pub mod words;

pub use peapod_patch as merge;

pub use api::{Api, ExecResult, Files, LogRequest, NoFiles, PatchKind, Request, Status, Verb};
pub use command::{Action, Command, ParseError};
pub use exec::{Applied, Effect, Output, Until, Wait, apply, poll, run, said, time_out};
