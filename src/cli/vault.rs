//! `peapod vault`: what Peapod sees in notes.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use peapod_vault::{Diagnostic, FileRef, Severity, Vault, inspect};
use serde_json::Value;

use super::place;

/// Look at notes as Peapod reads them.
#[derive(Debug, Args)]
pub struct VaultCommand {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Inspect(Inspect),
}

/// Print what is in a note: links, embeds, tags, headings, callouts, blocks, tasks, cells, and what is wrong with it.
///
/// With --json one object is printed. Its lists are in the order of the text; each thing has `line` and `column` (from 1) and
/// `bytes` ([start, end) of the file):
///
/// * `links` (embeds, and links in comments, too): `kind` wiki or md, `embed`, `target`, `heading` (segments) or null, `block`
///   or null, `alias`, `display`, `raw`, `resolved` (path in the vault) or null, `layer` user or library, `via` path or alias,
///   `target_line`; of embeds `kind_of`, `width`, `height`, `alt`, `page`;
/// * `external`, `images` (from elsewhere), `tags`, `tag_set`, `callouts`, `headings` (`anchor`, `parent`), `blocks`, `tasks`,
///   `highlights`, `comments`, `math`, `footnotes`, `code` (`line_bytes`: the bytes of each content line);
/// * `properties`, `properties_error`, `property_types`, `property_links`, `aliases`, `cssclasses`, `legacy_properties`;
/// * `cells`: `kind` manifest, experiment or console, `key`, `id`, `lang`, `first_line`, `content` (bytes);
/// * `diagnostics`: `severity`, `code`, `message`, `hints`; `counts`: `bytes`, `lines`.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
struct Inspect {
    /// The note: a file, a path in the vault, or a name.
    note: String,
    /// The vault (default: the one around the note, or `notes`).
    #[arg(long, value_name = "FOLDER")]
    vault: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command. Exit status 1 if the note has errors.
///
/// # Errors
/// When there is no such note, or standard output is closed.
pub fn main(arguments: &VaultCommand) -> anyhow::Result<ExitCode> {
    let Command::Inspect(arguments) = &arguments.command;
    let place = place::note(&arguments.note, arguments.vault.as_deref())?;
    let snapshot = place.workspace.snapshot();
    let (vault, file) = (&snapshot.vault, &place.file);
    let Some(note) = vault.note(file) else {
        anyhow::bail!("{} is not a note", file.path)
    };
    let output = if arguments.json {
        let facts = inspect::facts(vault, file).unwrap_or_default();
        serde_json::to_string_pretty(&facts)? + "\n"
    } else {
        summary(vault, file)
    };
    std::io::stdout().lock().write_all(output.as_bytes())?;
    let broken = note
        .diagnostics
        .iter()
        .any(|diagnostic| diagnostic.severity == Severity::Error);
    Ok(ExitCode::from(u8::from(broken)))
}

/// One line a thing.
fn summary(vault: &Vault, file: &FileRef) -> String {
    let Some(facts) = inspect::facts(vault, file) else {
        return String::new();
    };
    let mut out = String::new();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let _ = writeln!(
        out,
        "{} ({}, {} lines)",
        text(&facts["title"]),
        file.path,
        facts["counts"]["lines"]
    );
    let mut section = |name: &str, list: &Value, line: &dyn Fn(&Value) -> String| {
        let Some(things) = list.as_array().filter(|things| !things.is_empty()) else {
            return;
        };
        let _ = writeln!(out, "\n{name} ({})", things.len());
        for thing in things {
            let _ = writeln!(
                out,
                "  {:>4}:{:<4} {}",
                thing["line"],
                thing["column"].to_string(),
                line(thing)
            );
        }
    };
    section("headings", &facts["headings"], &|heading| {
        let level = heading["level"].as_u64().unwrap_or(1);
        format!(
            "{} {}",
            "#".repeat(usize::try_from(level).unwrap_or(1)),
            text(&heading["text"])
        )
    });
    section("links", &facts["links"], &|link| {
        let leads = match (link["resolved"].as_str(), link["layer"].as_str()) {
            (Some(path), Some("library")) => format!("{path} (library)"),
            (Some(path), _) => path.to_owned(),
            (None, _) => "unresolved".to_owned(),
        };
        format!("{} → {leads}", text(&link["raw"]))
    });
    section("external links", &facts["external"], &|link| text(&link["url"]));
    section("tags", &facts["tags"], &|tag| format!("#{}", text(&tag["tag"])));
    section("callouts", &facts["callouts"], &|callout| {
        format!(
            "[!{}]{} {}",
            text(&callout["type"]),
            callout["fold"].as_str().unwrap_or(""),
            text(&callout["title"])
        )
    });
    section("blocks", &facts["blocks"], &|block| {
        format!("^{} {}", text(&block["id"]), text(&block["text"]))
    });
    section("tasks", &facts["tasks"], &|task| {
        format!("[{}] {}", text(&task["state"]), text(&task["text"]))
    });
    section("cells", &facts["cells"], &|cell| {
        format!("{} {}", text(&cell["kind"]), text(&cell["key"]))
    });
    if let Some(note) = vault.note(file) {
        for diagnostic in &note.diagnostics {
            out.push('\n');
            out.push_str(&told(diagnostic, &file.path));
        }
    }
    out
}

/// `file:line:column: error: message`, then one line a hint.
fn told(diagnostic: &Diagnostic, path: &str) -> String {
    let severity = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Notice => "notice",
    };
    let (line, column) = (diagnostic.place.line, diagnostic.place.column);
    let mut told = format!("{path}:{line}:{column}: {severity}: {}\n", diagnostic.message);
    for hint in &diagnostic.hints {
        let _ = writeln!(told, "  hint: {hint}");
    }
    told
}
