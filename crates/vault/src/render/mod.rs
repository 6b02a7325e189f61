//! HTML of a note, for a page under a strict content security policy: no script, no `style` attribute, no handler.
//!
//! ```
//! use peapod_vault::{render, Layer, Note, Vault};
//!
//! let mut vault = Vault::default();
//! vault.insert(Layer::User, Note::parse("파드.md", "**파드(Pod)**는 [[kubelet]]이 돌본다."));
//! let (file, note) = vault.find("파드.md").expect("it was just added");
//! let resolver = render::VaultResolver::new(&vault, "/notes/", "/files/");
//! let html = render::note(note, &file, &resolver, &mut render::PlainCells);
//! ```

mod canvas;
mod code;
mod embed;
mod escape;
mod excerpt;
mod html;
mod inline;
mod math;
mod page;
mod words;

pub use canvas::canvas;
pub use escape::escape;
pub use excerpt::{Excerpt, excerpt};

use crate::note::{Block, Cell, Note};
use crate::text::percent_encode;
use crate::vault::{FileRef, Vault};

/// Where a link or an embed leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// The file.
    pub file: FileRef,
    /// The address of the file's page, or of the file itself if it is not a note. A fragment is added by the renderer.
    pub href: String,
    /// Its title, for the `title` attribute of a link whose text differs.
    pub title: Option<String>,
}

/// What the renderer asks the application about other files.
pub trait Resolver {
    /// Where a target leads, seen from a file; none if nothing answers to it.
    fn resolve(&self, from: &FileRef, target: &str) -> Option<Destination>;

    /// The note at a file, to embed it; none if the file is not a note.
    fn note(&self, file: &FileRef) -> Option<&Note>;

    /// The text of a canvas or a base, to show it; none if it is not known.
    fn text(&self, file: &FileRef) -> Option<&str> {
        let _ = file;
        None
    }

    /// The address of a page about a target that nothing answers to (to search for it, say); none shows it as plain text.
    fn missing(&self, target: &str) -> Option<String> {
        let _ = target;
        None
    }

    /// The address of the page of a tag (without `#`).
    fn tag(&self, tag: &str) -> Option<String> {
        let _ = tag;
        None
    }
}

/// What stands in the place of a cell, and beside a block with an id.
pub trait CellRenderer {
    /// HTML in the place of a cell; `source` is its highlighted source (`<pre>…</pre>`). None shows the source alone.
    ///
    /// The HTML is inserted as it is: the caller answers for it.
    fn cell(&mut self, note: &Note, cell: &Cell, source: &str) -> Option<String>;

    /// HTML at the end of a block with an id, such as the verdict of a claim; none for nothing. Inserted as it is.
    fn badge(&mut self, note: &Note, block: &Block) -> Option<String> {
        let _ = (note, block);
        None
    }
}

/// Shows cells as source.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlainCells;

impl CellRenderer for PlainCells {
    fn cell(&mut self, _note: &Note, _cell: &Cell, _source: &str) -> Option<String> {
        None
    }
}

/// How a note is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Whether a single newline is shown as a line break (Obsidian's default).
    pub line_breaks: bool,
    /// Whether a heading of level 1 that begins the note is left out, because the page shows the title itself.
    pub omit_title: bool,
    /// Words for people: Korean if true, otherwise English.
    pub korean: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            line_breaks: true,
            omit_title: false,
            korean: true,
        }
    }
}

/// The HTML of a note: the content of an `<article>`, without properties.
pub fn note(note: &Note, file: &FileRef, resolver: &dyn Resolver, cells: &mut dyn CellRenderer) -> String {
    note_with(note, file, resolver, cells, Options::default())
}

/// The same with options.
pub fn note_with(
    note: &Note,
    file: &FileRef,
    resolver: &dyn Resolver,
    cells: &mut dyn CellRenderer,
    options: Options,
) -> String {
    page::render(note, file, resolver, cells, options)
}

/// The highlighted source of a code block: `<pre class="code …"><code class="language-x">…</code></pre>`.
pub fn code(lang: Option<&str>, text: &str) -> String {
    code::block(lang, text, "")
}

/// An entry of a note's outline.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct OutlineEntry {
    /// 1 to 6.
    pub level: u8,
    /// Plain text.
    pub text: String,
    /// The `id` of the heading.
    pub anchor: String,
    /// Its line, from 1.
    pub line: u32,
    /// Headings below it.
    pub children: Vec<OutlineEntry>,
}

/// The headings of a note as a tree.
pub fn outline(note: &Note) -> Vec<OutlineEntry> {
    // The path of children from the top to the entry that was added last.
    let mut open: Vec<OutlineEntry> = Vec::new();
    let mut top = Vec::new();
    let close = |open: &mut Vec<OutlineEntry>, top: &mut Vec<OutlineEntry>| {
        if let Some(entry) = open.pop() {
            match open.last_mut() {
                Some(parent) => parent.children.push(entry),
                None => top.push(entry),
            }
        }
    };
    for heading in &note.headings {
        while open.last().is_some_and(|entry| entry.level >= heading.level) {
            close(&mut open, &mut top);
        }
        open.push(OutlineEntry {
            level: heading.level,
            text: heading.text.clone(),
            anchor: heading.anchor.clone(),
            line: heading.place.line,
            children: Vec::new(),
        });
    }
    while !open.is_empty() {
        close(&mut open, &mut top);
    }
    top
}

/// A [`Resolver`] over a [`Vault`] whose pages have addresses under two prefixes.
#[derive(Clone, Debug)]
pub struct VaultResolver<'a> {
    vault: &'a Vault,
    notes: String,
    files: String,
}

impl<'a> VaultResolver<'a> {
    /// Notes at `notes` + the percent-encoded path without `.md`, other files at `files` + the path.
    pub fn new(vault: &'a Vault, notes: impl Into<String>, files: impl Into<String>) -> Self {
        Self {
            vault,
            notes: notes.into(),
            files: files.into(),
        }
    }
}

impl Resolver for VaultResolver<'_> {
    fn resolve(&self, from: &FileRef, target: &str) -> Option<Destination> {
        let file = self.vault.resolve(from, target)?.file;
        let Some(note) = self.vault.note(&file) else {
            let href = format!("{}{}", self.files, percent_encode(&file.path));
            return Some(Destination {
                file,
                href,
                title: None,
            });
        };
        let path = file.path.strip_suffix(".md").unwrap_or(&file.path);
        let href = format!("{}{}", self.notes, percent_encode(path));
        Some(Destination {
            href,
            title: Some(note.title.clone()),
            file,
        })
    }

    fn note(&self, file: &FileRef) -> Option<&Note> {
        self.vault.note(file).map(AsRef::as_ref)
    }

    fn text(&self, file: &FileRef) -> Option<&str> {
        self.vault.text(file).map(AsRef::as_ref)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outline_is_a_tree() {
        let note = Note::parse("n.md", "### a\n# b\n## c\n### d\n## e\n");
        let outline = outline(&note);
        assert_eq!(outline.len(), 2);
        assert_eq!(outline[1].children.len(), 2);
        assert_eq!(outline[1].children[0].children[0].text, "d");
    }
}
