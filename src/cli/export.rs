//! `peapod export`: a note with its newest results as a study report, or as a notebook of Jupyter.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use peapod_vault::note::{EmbedKind, Link};

use super::cells::{self, How};
use super::keeper::Keeper;
use super::place::{self, NotePlace};
use crate::i18n::Lang;
use crate::notebook::ipynb::{self, Target};
use crate::report::{self, Material};

/// Write a note and its newest results as a study report, or the note as a notebook of Jupyter.
#[derive(Debug, Args)]
pub struct Export {
    /// The note: its path, or its name in the vault.
    note: String,
    /// The format of the report.
    #[arg(long, value_enum, default_value_t = Format::Html)]
    to: Format,
    /// Where to write it; `-` writes to standard output. Default: the note's name with the format's extension.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Run the note's cells first.
    #[arg(long)]
    run: bool,
    /// The folder with the notes. Default: the vault around the note, or `notes`.
    #[arg(long, value_name = "FOLDER")]
    vault: Option<PathBuf>,
    /// The language of the report. Default: the note's.
    #[arg(long, value_enum)]
    lang: Option<Language>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One file that needs nothing else.
    Html,
    /// Markdown for Obsidian.
    Md,
    /// A notebook of Jupyter, whose cells were run for it.
    Ipynb,
}

impl Format {
    fn extension(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::Md => "md",
            Self::Ipynb => "ipynb",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Language {
    /// Korean.
    Ko,
    /// English.
    En,
}

/// Runs the command.
///
/// # Errors
/// When there is no such note, its results cannot be read, or the report cannot be written.
pub fn main(arguments: &Export) -> anyhow::Result<ExitCode> {
    let place = place::note(&arguments.note, arguments.vault.as_deref())?;
    if arguments.to == Format::Ipynb {
        return notebook(arguments, &place);
    }
    let keeper = Keeper::beside(&place)?;
    if arguments.run {
        let how = How {
            threads: None,
            no_traces: false,
            keeper: Some(&keeper),
        };
        run(how, &place)?;
    }
    let now = Timestamp::now();
    let material = keeper.wait(Material::gather(&place.workspace, keeper.store(), &place.file, now))?;
    let lang = match arguments.lang {
        Some(Language::Ko) => Lang::Ko,
        Some(Language::En) => Lang::En,
        None => material.lang(),
    };
    let text = match arguments.to {
        Format::Html => report::html(&material, lang)?,
        Format::Md | Format::Ipynb => report::markdown(&material, lang)?,
    };
    finish(arguments, &place, &text)
}

/// Writes what was made to where it belongs.
fn finish(arguments: &Export, place: &NotePlace, text: &str) -> anyhow::Result<ExitCode> {
    let output = arguments
        .output
        .clone()
        .unwrap_or_else(|| default_output(&place.file.path, arguments.to));
    if output.as_os_str() == "-" {
        std::io::stdout().write_all(text.as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    write(&output, place, text)?;
    eprintln!("{}", output.display());
    Ok(ExitCode::SUCCESS)
}

/// Images of up to so many bytes are put into a notebook.
const MAX_IMAGE_BYTES: usize = report::MAX_IMAGE_BYTES;

/// The note as a notebook. Links to notes lead to their files as seen from the note's folder, images are put in.
fn notebook(arguments: &Export, place: &NotePlace) -> anyhow::Result<ExitCode> {
    let snapshot = place.workspace.snapshot();
    let Some(note) = snapshot.vault.note(&place.file) else {
        anyhow::bail!("{} is gone", place.file.path)
    };
    let resolve = |link: &Link| {
        let Some(resolution) = snapshot.vault.resolve(&place.file, &link.target) else {
            return Target::Nothing;
        };
        let file = resolution.file;
        if link.embed && EmbedKind::of_path(&file.path) == EmbedKind::Image {
            let content = place.workspace.file(&file).ok();
            return match content.filter(|content| content.bytes.len() <= MAX_IMAGE_BYTES) {
                Some(content) => Target::Image {
                    name: file.path.rsplit('/').next().unwrap_or_default().to_owned(),
                    media_type: content.media_type.to_owned(),
                    bytes: content.bytes,
                },
                None => Target::Nothing,
            };
        }
        // A note of the library is in no folder of the reader's.
        match file.layer == place.file.layer && file != place.file {
            true => Target::File(relative(&place.file.path, &file.path)),
            false => Target::Nothing,
        }
    };
    finish(arguments, place, &ipynb::export(note, &resolve))
}

/// The path of a file of the vault, as seen from the folder of another.
fn relative(from: &str, to: &str) -> String {
    let from: Vec<&str> = from.split('/').collect();
    let to: Vec<&str> = to.split('/').collect();
    let folders = from.len() - 1;
    let same = from
        .iter()
        .take(folders)
        .zip(&to)
        .take_while(|(left, right)| left == right)
        .count();
    let mut path = vec![".."; folders - same.min(folders)];
    path.extend(to.get(same..).unwrap_or_default());
    path.join("/")
}

/// Runs all cells of the note, or the one that was named. A cell that cannot run is said so and does not keep the others
/// from running.
fn run(how: How<'_>, place: &NotePlace) -> anyhow::Result<()> {
    let snapshot = place.workspace.snapshot();
    let Some(note) = snapshot.vault.note(&place.file) else {
        return Ok(());
    };
    let named = |key: &String| place.cell.as_ref().is_none_or(|cell| cell == key);
    for cell in note.cells.iter().filter(|cell| named(&cell.key)) {
        let outcome = cells::run(note, cell, how, |_| {})?;
        match &outcome.result {
            Some(result) => eprintln!("{}#{}: {}", note.name, cell.key, result.status.as_str()),
            None => outcome.diagnostics.iter().for_each(|said| eprintln!("{said}")),
        }
    }
    Ok(())
}

/// `파드에 대해서.html` in the current folder.
fn default_output(note: &str, format: Format) -> PathBuf {
    let name = note.rsplit('/').next().unwrap_or(note);
    let name = name.rsplit_once('.').map_or(name, |(name, _)| name);
    let suffix = if format == Format::Md { ".report" } else { "" };
    PathBuf::from(format!("{name}{suffix}.{}", format.extension()))
}

/// Writes the report; never over the note that it is of.
fn write(output: &Path, place: &NotePlace, text: &str) -> anyhow::Result<()> {
    let note = place.workspace.root().map(|root| root.join(&place.file.path));
    if output.canonicalize().is_ok_and(|real| Some(real) == note) {
        anyhow::bail!(
            "{} is the note itself; write the report to another file",
            output.display()
        );
    }
    std::fs::write(output, text).map_err(|error| anyhow::anyhow!("{} cannot be written: {error}", output.display()))
}
