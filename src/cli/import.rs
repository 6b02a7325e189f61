//! `peapod import`: a notebook of Jupyter as a note.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use crate::notebook::ipynb;

/// Write a notebook of Jupyter as a note: its prose, and its cells as fences that run. Images go beside the note.
#[derive(Debug, Args)]
pub struct Import {
    /// The notebook.
    #[arg(value_name = "NOTEBOOK")]
    notebook: PathBuf,
    /// Where to write the note; `-` writes to standard output. Default: the notebook's name with `.md`.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Overwrite a note that is there already.
    #[arg(long)]
    force: bool,
}

/// Runs the command.
///
/// # Errors
/// When the notebook cannot be read, or the note is there already or cannot be written.
pub fn main(arguments: &Import) -> anyhow::Result<ExitCode> {
    let path = &arguments.notebook;
    let text =
        std::fs::read_to_string(path).map_err(|error| anyhow::anyhow!("{} cannot be read: {error}", path.display()))?;
    let imported = ipynb::import(&text).map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))?;
    let output = match &arguments.output {
        Some(output) if output.as_os_str() == "-" => {
            std::io::stdout().write_all(imported.text.as_bytes())?;
            return Ok(ExitCode::SUCCESS);
        }
        Some(output) => output.clone(),
        None => path.with_extension("md"),
    };
    if output.exists() && !arguments.force {
        anyhow::bail!("{} is there already; --force overwrites it", output.display());
    }
    std::fs::write(&output, &imported.text)
        .map_err(|error| anyhow::anyhow!("{} cannot be written: {error}", output.display()))?;
    let folder = output.parent().unwrap_or(Path::new("."));
    for (name, bytes) in &imported.images {
        let image = folder.join(name);
        // An image of that name that is there already is the note's own.
        if !image.exists() {
            std::fs::write(&image, bytes)
                .map_err(|error| anyhow::anyhow!("{} cannot be written: {error}", image.display()))?;
            eprintln!("{}", image.display());
        }
    }
    eprintln!("{}", output.display());
    Ok(ExitCode::SUCCESS)
}
