//! The frame of every page: the vault at the left edge.

use std::sync::Arc;

use peapod_vault::{FileRef, Layer};
use serde::Serialize;

use super::App;
use super::address;
use super::reader::Reader;
use crate::workspace::Snapshot;

/// At most so many notes of each layer at the edge; the page of all notes has the others.
const MAX_LISTED: usize = 80;

/// All notes of a snapshot, in the order in which they are listed.
#[derive(Debug)]
pub struct Index {
    /// The user's notes.
    pub notes: Vec<Entry>,
    /// The library's.
    pub library: Vec<Entry>,
    /// Name of the vault.
    pub vault: String,
}

/// A note in a list.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// Its title.
    pub title: String,
    /// Its folder, empty at the top.
    pub folder: String,
    /// Its page.
    pub href: String,
    /// How many cells it has.
    pub cells: usize,
    /// Which file.
    pub file: FileRef,
}

impl Index {
    fn new(snapshot: &Snapshot, vault: String) -> Self {
        let mut index = Self {
            notes: Vec::new(),
            library: Vec::new(),
            vault,
        };
        for (file, note) in snapshot.vault.notes() {
            let entry = Entry {
                title: note.title.clone(),
                folder: file
                    .path
                    .rsplit_once('/')
                    .map_or_else(String::new, |(folder, _)| folder.to_owned()),
                href: address::note(&file.path),
                cells: note.cells.len(),
                file: file.clone(),
            };
            match file.layer {
                Layer::User => index.notes.push(entry),
                Layer::Library => index.library.push(entry),
            }
        }
        // What lies in no folder comes first, so that a folder's name stands above what is in it and nothing else.
        for entries in [&mut index.notes, &mut index.library] {
            entries.sort_by(|left, right| left.folder.cmp(&right.folder));
        }
        index
    }
}

/// What the layout needs beside a page's own values.
#[derive(Debug, Serialize)]
pub struct Frame {
    vault: String,
    notes: Vec<Entry>,
    library: Vec<Entry>,
    notes_total: usize,
    library_total: usize,
    current: Option<FileRef>,
}

/// The notes of a snapshot as they are listed.
pub fn index(app: &App, reader: Reader, snapshot: &Snapshot) -> Arc<Index> {
    let key = (snapshot.revision, reader.lang);
    app.inner.frames.get(&key).unwrap_or_else(|| {
        let folder = app
            .workspace()
            .root()
            .and_then(|root| root.file_name())
            .map(|name| name.to_string_lossy().into_owned());
        let name = folder.unwrap_or_else(|| crate::i18n::Text::Library.say(reader.lang).to_owned());
        app.inner.frames.put(key, Index::new(snapshot, name))
    })
}

/// The frame of a page; `current` is the note that it shows.
pub fn frame(app: &App, reader: Reader, snapshot: &Snapshot, current: Option<&FileRef>) -> Frame {
    let index = index(app, reader, snapshot);
    let listed = |entries: &[Entry]| -> Vec<Entry> {
        let mut listed: Vec<Entry> = entries.iter().take(MAX_LISTED).cloned().collect();
        // The note that is open is always there.
        if let Some(entry) = entries
            .iter()
            .skip(MAX_LISTED)
            .find(|entry| Some(&entry.file) == current)
        {
            listed.push(entry.clone());
        }
        listed
    };
    Frame {
        vault: index.vault.clone(),
        notes: listed(&index.notes),
        library: listed(&index.library),
        notes_total: index.notes.len(),
        library_total: index.library.len(),
        current: current.cloned(),
    }
}
