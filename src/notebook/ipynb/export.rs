//! From a note to a notebook file: prose becomes Markdown cells, what runs becomes code cells with their outputs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use peapod_vault::note::{Link, LinkSyntax};
use peapod_vault::{CellKind, Note};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{CLOSE, GAP, language_info, lines, to_text};
use crate::lab::{Cancel, limit};
use crate::notebook::source::{self, Source, Typed};
use crate::notebook::{Failure, Output, Session, Settings};

/// What a link of the note leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A file, by its path relative to the notebook.
    File(String),
    /// An image that is put into the notebook.
    Image {
        /// Its name.
        name: String,
        /// Its media type.
        media_type: String,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// Nothing that is known.
    Nothing,
}

/// A piece of the note's text.
enum Piece {
    Prose(std::ops::Range<usize>),
    Code {
        fence: std::ops::Range<usize>,
        text: String,
        usual: &'static str,
    },
}

/// Writes a note as a notebook. Its cells are run, one after the other on one cluster; where a cell fails that would not
/// on a fresh one, `%reset` stands before it, and one that fails all the same is marked as allowed to
/// (`raises-exception`). `resolve` says what a link leads to.
pub fn export(note: &Note, resolve: &dyn Fn(&Link) -> Target) -> String {
    let crlf = note.text.contains("\r\n");
    // Cells are written with LF; the note's own ends of lines come back on import.
    let parsed;
    let note = if crlf {
        parsed = Note::parse(note.path.clone(), note.text.replace("\r\n", "\n"));
        &parsed
    } else {
        note
    };
    let text: &str = &note.text;
    let body = note.properties.place.map_or(0, |place| {
        let end = place.end;
        end + usize::from(text[end..].starts_with('\n'))
    });
    let mut cells: Vec<Value> = Vec::new();
    let mut runner = Runner::new();
    let mut gap = String::new();
    let pieces = pieces(note, body);
    if pieces.iter().any(|piece| matches!(piece, Piece::Code { .. })) {
        cells.push(runner.reset());
    }
    let mut is_first = true;
    for piece in pieces {
        let mut own = Map::new();
        let mut cell = match piece {
            Piece::Prose(range) => {
                let whole = &text[range.clone()];
                let core = whole.trim_matches('\n');
                let before = whole.len() - whole.trim_start_matches('\n').len();
                gap.push_str(&whole[..before]);
                if core.is_empty() {
                    continue;
                }
                let start = range.start + before;
                let (shown, attachments) = prose(note, start..start + core.len(), resolve);
                let mut cell = json!({ "cell_type": "markdown", "source": lines(&shown) });
                if shown != core {
                    own.insert("written".to_owned(), json!(core));
                    own.insert("shown".to_owned(), json!(digest(&shown)));
                }
                if !attachments.is_empty() {
                    cell["attachments"] = Value::Object(attachments);
                }
                let after = whole.len() - before - core.len();
                let rest = whole[whole.len() - after..].to_owned();
                note_gap(&mut own, &mut gap, &mut is_first);
                gap.push_str(&rest);
                cell
            }
            Piece::Code {
                fence,
                text: code,
                usual,
            } => {
                let whole = &text[fence];
                let open = whole.lines().next().unwrap_or_default();
                let close = whole.lines().next_back().unwrap_or_default();
                if open != format!("{CLOSE}{usual}") {
                    own.insert("fence".to_owned(), json!(open));
                }
                if close != CLOSE {
                    own.insert("close".to_owned(), json!(close));
                }
                note_gap(&mut own, &mut gap, &mut is_first);
                let (before, cell) = runner.run(&code);
                cells.extend(before);
                cell
            }
        };
        let mut metadata = cell
            .get("metadata")
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default();
        if !own.is_empty() {
            metadata.insert("peapod".to_owned(), Value::Object(own));
        }
        cell["metadata"] = Value::Object(metadata);
        cells.push(cell);
    }
    for (index, cell) in cells.iter_mut().enumerate() {
        let seed = digest(&format!("{}\n{index}", note.path));
        cell["id"] = json!(seed.get(..12).unwrap_or_default());
    }
    let mut own = json!({ "note": note.path });
    if body > 0 {
        own["properties"] = json!(&text[..body]);
    }
    if gap != "\n" {
        own["end"] = json!(gap);
    }
    if crlf {
        own["crlf"] = json!(true);
    }
    to_text(&json!({
        "cells": cells,
        "metadata": {
            "kernelspec": {
                "display_name": format!("Peapod (Kubernetes {})", Settings::default().version),
                "language": "peapod",
                "name": "peapod",
            },
            "language_info": language_info(),
            "peapod": own,
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }))
}

fn note_gap(own: &mut Map<String, Value>, gap: &mut String, is_first: &mut bool) {
    let usual = if std::mem::take(is_first) { "" } else { GAP };
    if gap != usual {
        own.insert("gap".to_owned(), json!(gap));
    }
    gap.clear();
}

fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The note from a byte on, cut at its headings and at the fences that run.
fn pieces(note: &Note, body: usize) -> Vec<Piece> {
    let text: &str = &note.text;
    let mut fences: Vec<(std::ops::Range<usize>, String, &'static str)> = Vec::new();
    let mut add = |place: peapod_vault::Place, code: &str, usual: &'static str| {
        let whole = &text[place.range()];
        let code = code.strip_suffix('\n').unwrap_or(code);
        let (Some(open), Some(close)) = (whole.lines().next(), whole.lines().next_back()) else {
            return;
        };
        // A fence in a quote or a list, or one that is not closed, stays in the prose.
        let is_whole = place.column == 1 && format!("{open}\n{code}\n{close}") == whole;
        if is_whole && close.trim_start().starts_with(['`', '~']) && reads(code, usual) {
            fences.push((place.range(), code.to_owned(), usual));
        }
    };
    for cell in &note.cells {
        let usual = match cell.kind {
            CellKind::Manifest => "yaml",
            CellKind::Experiment => "experiment",
            CellKind::Console => "console",
        };
        add(cell.place, &cell.text, usual);
    }
    for block in note
        .code
        .iter()
        .filter(|block| block.fenced && block.lang.as_deref() == Some("peapod"))
    {
        add(block.place, &block.text, "peapod");
    }
    fences.sort_by_key(|(range, ..)| range.start);
    let mut pieces = Vec::new();
    let mut at = body;
    let headings: Vec<usize> = note
        .headings
        .iter()
        .filter(|heading| heading.place.column == 1)
        .map(|heading| heading.place.start)
        .collect();
    let prose = |pieces: &mut Vec<Piece>, from: usize, to: usize| {
        let mut from = from;
        for heading in headings
            .iter()
            .copied()
            .filter(|heading| (from + 1..to).contains(heading))
            .collect::<Vec<_>>()
        {
            pieces.push(Piece::Prose(from..heading));
            from = heading;
        }
        pieces.push(Piece::Prose(from..to));
    };
    for (range, code, usual) in fences {
        if range.start < at {
            continue;
        }
        prose(&mut pieces, at, range.start);
        at = range.end;
        pieces.push(Piece::Code {
            fence: range,
            text: code,
            usual,
        });
    }
    prose(&mut pieces, at, text.len());
    pieces
}

/// Whether a kernel would take a fence for what the note takes it for.
fn reads(code: &str, usual: &str) -> bool {
    match source::read(code) {
        Ok(Source::Manifest(..)) => usual == "yaml",
        Ok(Source::Experiment(..)) => usual == "experiment",
        Ok(Source::Lines(lines)) => {
            usual == "peapod" || lines.iter().all(|line| matches!(line.what, Typed::Shell { .. }))
        }
        _ => usual == "peapod",
    }
}

/// Prose with its links as Jupyter follows them, and the images in it.
fn prose(
    note: &Note,
    range: std::ops::Range<usize>,
    resolve: &dyn Fn(&Link) -> Target,
) -> (String, Map<String, Value>) {
    let (mut shown, mut attachments) = (String::new(), Map::new());
    let mut at = range.start;
    let mut links: Vec<&Link> = note.links.iter().filter(|link| !link.in_comment).collect();
    links.sort_by_key(|link| link.place.start);
    for link in links {
        let place = link.place.range();
        if place.start < at || place.end > range.end {
            continue;
        }
        let target = resolve(link);
        let words = link
            .alias
            .clone()
            .filter(|alias| !alias.is_empty())
            .unwrap_or_else(|| link.display.clone());
        let words = words.replace('[', "\\[").replace(']', "\\]");
        let written = match (target, link.syntax) {
            (
                Target::Image {
                    name,
                    media_type,
                    bytes,
                },
                _,
            ) if link.embed => {
                let file = attachment(&name);
                attachments.insert(file.clone(), json!({ media_type: STANDARD.encode(&bytes) }));
                let alt = link.alt.as_deref().unwrap_or(&name);
                format!("![{alt}](attachment:{file})")
            }
            (Target::File(path), LinkSyntax::Wiki) => format!("[{words}]({})", address(&path)),
            (_, LinkSyntax::Wiki) => words,
            // What Markdown can say stays as it is.
            (_, LinkSyntax::Markdown) => continue,
        };
        shown.push_str(&note.text[at..place.start]);
        shown.push_str(&written);
        at = place.end;
    }
    shown.push_str(&note.text[at..range.end]);
    (shown, attachments)
}

/// The name of an attachment: an address has no blanks and no brackets.
fn attachment(name: &str) -> String {
    name.chars()
        .map(|c| {
            if c.is_whitespace() || matches!(c, '(' | ')' | '%') {
                '-'
            } else {
                c
            }
        })
        .collect()
}

fn address(path: &str) -> String {
    let mut address = String::new();
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                address.push(char::from(byte))
            }
            byte => address.push_str(&format!("%{byte:02X}")),
        }
    }
    address
}

/// Runs the cells of a notebook.
struct Runner {
    session: Option<Session>,
    count: u32,
}

/// How the cluster of an exported note begins: as that of a console in the note.
fn settings() -> Settings {
    Settings {
        lead: limit::CONSOLE_LEAD,
        ..Settings::default()
    }
}

impl Runner {
    fn new() -> Self {
        Self {
            session: Session::new(settings()).ok(),
            count: 0,
        }
    }

    /// A cell that begins anew; nobody has written it.
    fn reset(&mut self) -> Value {
        let code = format!("%reset --lead {}", limit::CONSOLE_LEAD);
        let (outputs, _) = self.outputs(&code);
        let mut cell = code_cell(&code, self.count, outputs);
        cell["metadata"] = json!({ "peapod": { "generated": true } });
        cell
    }

    /// A cell that was run, and the cell that must come before it, if one must.
    fn run(&mut self, code: &str) -> (Option<Value>, Value) {
        let before = self.session.as_ref().map(|session| session.now.clone());
        let count = self.count;
        let (outputs, done) = self.outputs(code);
        let Err(_) = done else {
            return (None, code_cell(code, self.count, outputs));
        };
        let mut fresh = Self {
            session: Session::new(settings()).ok(),
            count,
        };
        let reset = fresh.reset();
        let (own, done) = fresh.outputs(code);
        if done.is_ok() {
            *self = fresh;
            return (Some(reset), code_cell(code, self.count, own));
        }
        // It fails wherever it runs, as it may: what it has done up to then is done.
        drop(before);
        let mut cell = code_cell(code, self.count, outputs);
        cell["metadata"] = json!({ "tags": ["raises-exception"] });
        (None, cell)
    }

    fn outputs(&mut self, code: &str) -> (Vec<Value>, Result<(), Failure>) {
        self.count += 1;
        let count = self.count;
        let mut outputs: Vec<(Option<String>, Value)> = Vec::new();
        let Some(session) = &mut self.session else {
            return (Vec::new(), Ok(()));
        };
        let done = session.run(code, &Cancel::new(), &mut |output| add(&mut outputs, output, count));
        let mut outputs: Vec<Value> = outputs.into_iter().map(|(_, output)| output).collect();
        for output in &mut outputs {
            if let Some(text) = output.get("text").and_then(Value::as_str).map(lines) {
                output["text"] = text;
            }
        }
        if let Err(failure) = &done {
            outputs.push(json!({
                "output_type": "error",
                "ename": failure.name,
                "evalue": failure.value,
                "traceback": failure.traceback,
            }));
        }
        (outputs, done)
    }
}

/// Adds an output as a front end keeps it: pieces of one stream are one, an update changes what is shown.
fn add(outputs: &mut Vec<(Option<String>, Value)>, output: Output, count: u32) {
    let data = |bundle: &crate::notebook::Bundle| {
        let entries = bundle.data().iter().map(|(kind, value)| {
            let value = match value {
                Value::String(text) => lines(text),
                other => other.clone(),
            };
            (kind.clone(), value)
        });
        Value::Object(entries.collect())
    };
    match output {
        Output::Stream { stderr, text } => {
            let name = if stderr { "stderr" } else { "stdout" };
            if let Some((_, last)) = outputs.last_mut()
                && last["output_type"] == "stream"
                && last["name"] == name
            {
                let whole = format!("{}{text}", last["text"].as_str().unwrap_or_default());
                last["text"] = json!(whole);
            } else {
                outputs.push((None, json!({ "output_type": "stream", "name": name, "text": text })));
            }
        }
        Output::Display { id, bundle } => {
            outputs.push((
                id,
                json!({ "output_type": "display_data", "data": data(&bundle), "metadata": {} }),
            ));
        }
        Output::Update { id, bundle } => {
            for (_, shown) in outputs.iter_mut().filter(|(own, _)| own.as_ref() == Some(&id)) {
                shown["data"] = data(&bundle);
            }
        }
        Output::Result(bundle) => outputs.push((
            None,
            json!({ "output_type": "execute_result", "data": data(&bundle), "metadata": {}, "execution_count": count }),
        )),
        Output::Clear { .. } => outputs.clear(),
    }
}

fn code_cell(code: &str, count: u32, outputs: Vec<Value>) -> Value {
    json!({
        "cell_type": "code",
        "execution_count": count,
        "metadata": {},
        "outputs": outputs,
        "source": lines(code),
    })
}
