//! Notes together: which file a link means, and what leads where.

use std::sync::Arc;

use serde::Serialize;

use crate::note::{Link, Note, Subpath};
use crate::place::Place;

/// Which of the two vaults a file is in. The user's is above the library: a link is looked up there first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Layer {
    /// The user's own vault.
    User,
    /// The notes that come with Peapod.
    Library,
}

/// A file of a vault.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct FileRef {
    /// The vault it is in.
    pub layer: Layer,
    /// Its path there, as its bytes are, with `/`.
    pub path: String,
}

/// Why a link leads where it leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Via {
    /// By the file's path or name: Obsidian's own rule.
    Path,
    /// By an alias of exactly one note: Peapod's extension, when it is on.
    Alias,
}

/// The file that a link means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Resolution {
    /// The file.
    pub file: FileRef,
    /// How it was found.
    pub via: Via,
}

/// Settings of a vault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Whether a link that no file resolves may mean the one note which has that alias. Off, as in Obsidian.
    pub alias_links: bool,
}

/// A place that leads to a note.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Backlink {
    /// The note that has the link.
    pub from: FileRef,
    /// Its title.
    pub title: String,
    /// The line with the link, without markup.
    pub context: String,
    /// The link in that note; the whole properties for a link in one of them.
    pub place: Place,
    /// Whether it is an embed.
    pub embed: bool,
}

/// A target that no file answers to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unresolved {
    /// The target as first written.
    pub target: String,
    /// Notes that link to it.
    pub from: Vec<FileRef>,
}

/// How often a tag is used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TagCount {
    /// The tag as first written.
    pub tag: String,
    /// Notes that have it or a tag below it.
    pub notes: usize,
}

/// A note, or a target without a note, in a [`Graph`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GraphNode {
    /// The file; none for a target that nothing answers to.
    pub file: Option<FileRef>,
    /// What it is called.
    pub title: String,
    /// Steps from the middle.
    pub distance: usize,
}

/// Notes and the links between them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Graph {
    /// The nodes; the middle is the first.
    pub nodes: Vec<GraphNode>,
    /// Links as pairs of indices into [`Graph::nodes`], from and to, each pair once.
    pub edges: Vec<(usize, usize)>,
}

/// The place within a note to which a link leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Spot {
    /// The `id` attribute of the heading or the block in the note's page.
    pub anchor: String,
    /// The heading's section or the block.
    pub place: Place,
}

/// Notes and attachments of the user's vault and of the library.
#[derive(Clone, Debug, Default)]
pub struct Vault {
    settings: Settings,
    notes: std::collections::BTreeMap<FileRef, Arc<Note>>,
    attachments: std::collections::BTreeSet<FileRef>,
}

impl Vault {
    /// An empty vault.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            ..Self::default()
        }
    }

    /// Adds a note or replaces the one with its path.
    pub fn insert(&mut self, layer: Layer, note: Note) {
        self.notes.insert(
            FileRef {
                layer,
                path: note.path.clone(),
            },
            Arc::new(note),
        );
    }

    /// Adds a file that is not a note.
    pub fn insert_attachment(&mut self, layer: Layer, path: impl Into<String>) {
        self.attachments.insert(FileRef {
            layer,
            path: path.into(),
        });
    }

    /// Removes a note or an attachment; says whether there was one.
    pub fn remove(&mut self, file: &FileRef) -> bool {
        self.notes.remove(file).is_some() | self.attachments.remove(file)
    }

    /// A note.
    pub fn note(&self, file: &FileRef) -> Option<&Arc<Note>> {
        self.notes.get(file)
    }

    /// The note at a path, the user's before the library's. Unicode normalisation and case do not matter if no path is
    /// exactly that.
    pub fn find(&self, path: &str) -> Option<(FileRef, &Arc<Note>)> {
        let _ = path;
        None
    }

    /// All notes, the user's first, by path. A note of the library whose path the user's vault has too is left out.
    pub fn notes(&self) -> impl Iterator<Item = (&FileRef, &Arc<Note>)> {
        self.notes.iter()
    }

    /// All files that are not notes, by path.
    pub fn attachments(&self) -> impl Iterator<Item = &FileRef> {
        self.attachments.iter()
    }

    /// The file that a link's target means, seen from a note. An empty target is the note itself.
    pub fn resolve(&self, from: &FileRef, target: &str) -> Option<Resolution> {
        let _ = (from, target, self.settings);
        None
    }

    /// The heading or block of `note` that a subpath means.
    pub fn spot(note: &Note, subpath: &Subpath) -> Option<Spot> {
        let _ = (note, subpath);
        None
    }

    /// Everything that leads to a file.
    pub fn backlinks(&self, file: &FileRef) -> Vec<Backlink> {
        let _ = file;
        Vec::new()
    }

    /// Places that name a note or one of its aliases without linking to it.
    pub fn unlinked_mentions(&self, file: &FileRef) -> Vec<Backlink> {
        let _ = file;
        Vec::new()
    }

    /// The links of a note with what each means.
    pub fn links_of(&self, file: &FileRef) -> Vec<(&Link, Option<Resolution>)> {
        let _ = file;
        Vec::new()
    }

    /// All tags, those above them included (`a` for `a/b`), by name.
    pub fn tags(&self) -> Vec<TagCount> {
        Vec::new()
    }

    /// The notes that have a tag or one below it.
    pub fn tagged(&self, tag: &str) -> Vec<FileRef> {
        let _ = tag;
        Vec::new()
    }

    /// Targets of links that no file answers to, by name.
    pub fn unresolved(&self) -> Vec<Unresolved> {
        Vec::new()
    }

    /// The notes within `depth` links of a note, in either direction.
    pub fn local_graph(&self, file: &FileRef, depth: usize) -> Graph {
        let _ = (file, depth);
        Graph::default()
    }
}
