//! From a notebook file to a note: Markdown cells become prose, code cells fences that run. Outputs are left behind: they
//! can be had again.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{CLOSE, GAP, joined};
use crate::notebook::source::{self, Source, Typed};

/// A note that was read from a notebook.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Its text.
    pub text: String,
    /// The images that were in the notebook, by the names under which the note embeds them.
    pub images: BTreeMap<String, Vec<u8>>,
    /// The path of the note from which the notebook was made, if it was.
    pub note: Option<String>,
}

/// The bytes of an attachment, whose text may have several lines.
fn decoded(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text.split_ascii_whitespace().collect::<String>()).ok()
}

/// Reads a notebook file.
///
/// # Errors
/// A sentence that says why it is none.
pub fn import(text: &str) -> Result<Imported, String> {
    let book: Value = serde_json::from_str(text).map_err(|error| format!("it is no JSON: {error}"))?;
    let number = |key: &str| book.get(key).and_then(Value::as_i64).unwrap_or(0);
    if number("nbformat") != 4 {
        return Err("it is no notebook of format 4".to_owned());
    }
    let Some(cells) = book.get("cells").and_then(Value::as_array) else {
        return Err("it has no cells".to_owned());
    };
    let own = book.pointer("/metadata/peapod");
    let said = |key: &str| own.and_then(|own| own.get(key)).and_then(Value::as_str);
    let language = ["/metadata/language_info/name", "/metadata/kernelspec/language"]
        .iter()
        .find_map(|pointer| book.pointer(pointer)?.as_str())
        .unwrap_or("peapod");
    let mut imported = Imported {
        text: said("properties").unwrap_or_default().to_owned(),
        note: said("note").map(str::to_owned),
        ..Imported::default()
    };
    let mut is_first = true;
    for cell in cells {
        let own = cell.pointer("/metadata/peapod");
        let said = |key: &str| own.and_then(|own| own.get(key)).and_then(Value::as_str);
        let is_generated = own.and_then(|own| own.get("generated")) == Some(&Value::Bool(true));
        if is_generated {
            continue;
        }
        let source = cell.get("source").map(joined).unwrap_or_default();
        let written = match cell.get("cell_type").and_then(Value::as_str) {
            Some("markdown") => markdown(cell, &source, said("written"), said("shown"), &mut imported.images),
            Some("code") => fence(&source, language, said("fence"), said("close")),
            _ => fenced("raw", &source),
        };
        if written.is_empty() {
            continue;
        }
        let usual = if std::mem::take(&mut is_first) { "" } else { GAP };
        imported.text.push_str(said("gap").unwrap_or(usual));
        imported.text.push_str(&written);
    }
    imported.text.push_str(said("end").unwrap_or("\n"));
    if own.and_then(|own| own.get("crlf")) == Some(&Value::Bool(true)) {
        imported.text = imported.text.replace('\n', "\r\n");
    }
    Ok(imported)
}

/// A Markdown cell as it was written in the note, if it is still what the note was shown as.
fn markdown(
    cell: &Value,
    source: &str,
    written: Option<&str>,
    shown: Option<&str>,
    images: &mut BTreeMap<String, Vec<u8>>,
) -> String {
    let digest: String = Sha256::digest(source.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    if let (Some(written), Some(shown)) = (written, shown)
        && shown == digest
    {
        return written.to_owned();
    }
    let mut text = source.to_owned();
    for (name, data) in cell.get("attachments").and_then(Value::as_object).into_iter().flatten() {
        let bytes = data.as_object().and_then(|kinds| {
            let kinds: Vec<&Value> = kinds.values().collect();
            decoded(&joined(kinds.first()?))
        });
        // A name with a path in it would be a file somewhere else.
        let is_name = !name.is_empty() && !name.contains(['/', '\\']) && !name.starts_with('.');
        if let (Some(bytes), true) = (bytes, is_name) {
            images.insert(name.clone(), bytes);
            text = text.replace(&format!("](attachment:{name})"), &format!("]({name})"));
        }
    }
    text.trim_matches('\n').to_owned()
}

/// A code cell as a fence.
fn fence(source: &str, language: &str, open: Option<&str>, close: Option<&str>) -> String {
    if language != "peapod" {
        return fenced(language, source);
    }
    let (lang, source) = match source::read(source) {
        Ok(Source::Manifest(text, 0)) => ("yaml", text),
        Ok(Source::Experiment(text, 0)) => ("experiment", text),
        Ok(Source::Lines(lines)) if lines.iter().all(|line| matches!(line.what, Typed::Shell { .. })) => {
            let typed = source.lines().any(|line| line.starts_with("$ kubectl"));
            let bare = source.lines().any(|line| line.trim_start().starts_with("kubectl"));
            match (typed, bare) {
                (true, _) => ("console", source.to_owned()),
                (false, true) if !source.trim_start().starts_with(['%', '$', '#']) => {
                    let starts: Vec<usize> = lines.iter().map(|line| line.line as usize).collect();
                    let prompt = source.lines().enumerate().map(|(at, line)| {
                        if starts.contains(&(at + 1)) {
                            format!("$ {}", line.trim_start())
                        } else {
                            line.to_owned()
                        }
                    });
                    ("console", prompt.collect::<Vec<_>>().join("\n"))
                }
                _ => ("peapod", source.to_owned()),
            }
        }
        Ok(Source::Empty) if source.trim().is_empty() => return String::new(),
        _ => ("peapod", source.to_owned()),
    };
    // The note's own fence, as long as nothing in the cell would close it.
    if let Some(open) = open {
        let close = close.unwrap_or(CLOSE);
        if !source.lines().any(|line| line.trim_start().starts_with(close.trim())) {
            return format!("{open}\n{source}\n{close}");
        }
    }
    match close {
        Some(close) if longest(&source) < 3 => format!("{CLOSE}{lang}\n{source}\n{close}"),
        _ => fenced(lang, &source),
    }
}

/// The most backticks in a row at the beginning of a line.
fn longest(source: &str) -> usize {
    let ticks = |line: &str| line.trim_start().chars().take_while(|c| *c == '`').count();
    source.lines().map(ticks).max().unwrap_or(0)
}

fn fenced(lang: &str, source: &str) -> String {
    let marks = "`".repeat(3.max(longest(source) + 1));
    format!("{marks}{lang}\n{source}\n{marks}")
}
