//! `peapod schema`: the experiment language for editors.

use std::process::ExitCode;

use clap::Args;

use crate::lab::schema;

/// Prints the JSON Schema of the experiment language.
#[derive(Debug, Args)]
pub struct Schema {}

/// Prints it.
///
/// # Errors
/// Never; a schema is JSON.
pub fn main(_: &Schema) -> anyhow::Result<ExitCode> {
    println!("{}", serde_json::to_string_pretty(&schema())?);
    Ok(ExitCode::SUCCESS)
}
