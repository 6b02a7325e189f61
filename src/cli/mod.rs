//! The command line: one file a subcommand. Without a subcommand the notes are served.

mod cells;
mod check;
mod compare;
mod export;
mod golden;
mod import;
mod keeper;
mod kernel;
pub mod place;
mod refute;
mod run;
mod schema;
mod serve;
mod sh;
mod show;
mod vault;

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
enum Subcommands {
    Branch(compare::Branch),
    Check(check::Check),
    Compare(compare::Compare),
    Export(export::Export),
    Golden(golden::Golden),
    Import(import::Import),
    Kernel(kernel::Kernel),
    Refute(refute::Refute),
    Serve(serve::Serve),
    Run(run::Run),
    Schema(schema::Schema),
    Sh(sh::Sh),
    Vault(vault::VaultCommand),
}

/// Runs the command line of this process and gives its exit status.
///
/// Exit codes: 0 done; 1 a claim fails or a case disagrees; 2 the command line or its input is wrong.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match &arguments.command {
        None => Ok(serve::run(&serve::Serve::default())),
        Some(Subcommands::Check(arguments)) => check::main(arguments),
        Some(Subcommands::Branch(arguments)) => compare::branch(arguments),
        Some(Subcommands::Compare(arguments)) => compare::main(arguments),
        Some(Subcommands::Export(arguments)) => export::main(arguments),
        Some(Subcommands::Golden(arguments)) => Ok(golden::run(arguments)),
        Some(Subcommands::Import(arguments)) => import::main(arguments),
        Some(Subcommands::Kernel(arguments)) => kernel::main(arguments),
        Some(Subcommands::Serve(arguments)) => Ok(serve::run(arguments)),
        Some(Subcommands::Schema(arguments)) => schema::main(arguments),
        Some(Subcommands::Sh(arguments)) => Ok(sh::run(arguments)),
        Some(Subcommands::Vault(arguments)) => vault::main(arguments),
        Some(Subcommands::Refute(arguments)) => refute::main(arguments),
        Some(Subcommands::Run(arguments)) => run::main(arguments),
    };
    result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::from(2)
    })
}
