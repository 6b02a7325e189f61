//! The command line: one file a subcommand. Without a subcommand the notes are served.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A study notebook for Kubernetes whose notes run.
#[derive(Debug, Parser)]
#[command(name = "peapod", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Subcommands>,
}

#[derive(Debug, Subcommand)]
enum Subcommands {}

/// Runs the command line of this process and gives its exit status.
///
/// Exit codes: 0 done; 1 a claim fails or a case disagrees; 2 the command line or its input is wrong.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.command {
        None => ExitCode::SUCCESS,
        Some(command) => match command {},
    }
}
