//! Notes together: which file a link means, and what leads where.

mod backlinks;
mod graph;
mod resolve;
mod spot;

pub(crate) use spot::block_anchor;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};

use serde::Serialize;

use crate::note::{Link, Note};
use crate::place::Place;
use crate::text::fold;

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
    /// The line of the heading, or of the block's id.
    pub line: u32,
}

/// Notes and attachments of the user's vault and of the library.
#[derive(Clone, Debug, Default)]
pub struct Vault {
    settings: Settings,
    notes: BTreeMap<FileRef, Arc<Note>>,
    attachments: BTreeSet<FileRef>,
    /// Files by the folded last segment of their path.
    by_name: HashMap<String, Vec<FileRef>>,
    /// Who has which alias, and what leads where: made when first asked for, forgotten at each change.
    aliases: OnceLock<Arc<backlinks::Aliases>>,
    incoming: OnceLock<Arc<backlinks::Incoming>>,
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
        let file = FileRef {
            layer,
            path: note.path.clone(),
        };
        self.notes.insert(file.clone(), Arc::new(note));
        self.add_name(file);
    }

    /// Adds a file that is not a note.
    pub fn insert_attachment(&mut self, layer: Layer, path: impl Into<String>) {
        let file = FileRef {
            layer,
            path: path.into(),
        };
        self.attachments.insert(file.clone());
        self.add_name(file);
    }

    fn add_name(&mut self, file: FileRef) {
        self.forget();
        let files = self
            .by_name
            .entry(last_segment(&fold(&file.path)).to_owned())
            .or_default();
        if !files.contains(&file) {
            files.push(file);
        }
    }

    /// Forgets what was derived from the notes.
    fn forget(&mut self) {
        self.aliases = OnceLock::new();
        self.incoming = OnceLock::new();
    }

    /// Removes a note or an attachment; says whether there was one.
    pub fn remove(&mut self, file: &FileRef) -> bool {
        self.forget();
        if let Some(files) = self.by_name.get_mut(last_segment(&fold(&file.path))) {
            files.retain(|other| other != file);
        }
        self.notes.remove(file).is_some() | self.attachments.remove(file)
    }

    /// A note.
    pub fn note(&self, file: &FileRef) -> Option<&Arc<Note>> {
        self.notes.get(file)
    }

    /// The note at a path with or without `.md`, the user's before the library's. Unicode normalisation and case do not
    /// matter if no path is exactly that.
    pub fn find(&self, path: &str) -> Option<(FileRef, &Arc<Note>)> {
        let with_extension = format!("{path}.md");
        for layer in [Layer::User, Layer::Library] {
            for path in [path, &with_extension] {
                let file = FileRef {
                    layer,
                    path: path.to_owned(),
                };
                if let Some(note) = self.notes.get(&file) {
                    return Some((file, note));
                }
            }
            for path in [fold(path), fold(&with_extension)] {
                let same = self.by_name.get(last_segment(&path)).into_iter().flatten();
                let found = same
                    .filter(|file| file.layer == layer && fold(&file.path) == path)
                    .min();
                if let Some((file, note)) = found.and_then(|file| Some((file.clone(), self.notes.get(file)?))) {
                    return Some((file, note));
                }
            }
        }
        None
    }

    /// All notes, the user's first, by path. A note of the library whose path the user's vault has too is left out.
    pub fn notes(&self) -> impl Iterator<Item = (&FileRef, &Arc<Note>)> {
        self.notes.iter().filter(|(file, _)| match file.layer {
            Layer::User => true,
            Layer::Library => !self.notes.contains_key(&FileRef {
                layer: Layer::User,
                path: file.path.clone(),
            }),
        })
    }

    /// All files that are not notes, by path.
    pub fn attachments(&self) -> impl Iterator<Item = &FileRef> {
        self.attachments.iter()
    }

    /// The links of a note's text with what each means.
    pub fn links_of(&self, file: &FileRef) -> Vec<(&Link, Option<Resolution>)> {
        let links = self
            .notes
            .get(file)
            .map(|note| note.links.as_slice())
            .unwrap_or_default();
        links
            .iter()
            .map(|link| (link, self.resolve(file, &link.target)))
            .collect()
    }

    /// All tags, those above them included (`a` for `a/b`), by name.
    pub fn tags(&self) -> Vec<TagCount> {
        let mut counts: BTreeMap<String, TagCount> = BTreeMap::new();
        for (_, note) in self.notes() {
            let mut of_note = BTreeMap::new();
            for tag in &note.tags {
                let ends = tag.name.match_indices('/').map(|(at, _)| at).chain([tag.name.len()]);
                for name in ends.map(|end| &tag.name[..end]).filter(|name| !name.is_empty()) {
                    of_note.entry(fold(name)).or_insert(name);
                }
            }
            for (key, name) in of_note {
                counts
                    .entry(key)
                    .or_insert_with(|| TagCount {
                        tag: name.to_owned(),
                        notes: 0,
                    })
                    .notes += 1;
            }
        }
        counts.into_values().collect()
    }

    /// The notes that have a tag (without `#`) or one below it.
    pub fn tagged(&self, tag: &str) -> Vec<FileRef> {
        let tag = fold(tag.trim_start_matches('#'));
        let below = format!("{tag}/");
        let has = |note: &Note| {
            note.tags
                .iter()
                .map(|tag| fold(&tag.name))
                .any(|name| name == tag || name.starts_with(&below))
        };
        self.notes()
            .filter(|(_, note)| has(note))
            .map(|(file, _)| file.clone())
            .collect()
    }
}

/// What follows the last `/`.
fn last_segment(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// What stands before the last `/`; empty in the root.
fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}
