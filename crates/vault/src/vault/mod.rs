//! Notes together: which file a link means, and what leads where.

mod backlinks;
mod graph;
mod links;
mod mentions;
mod names;
mod resolve;
mod settings;
mod spot;
mod switch;

pub use graph::{Graph, GraphNode, GraphOptions, NodeKind};
pub use settings::{LinkFormat, PropertyView, SettingProblem, Settings};
pub(crate) use spot::block_anchor;
pub(crate) use switch::SwitchKeys;
pub use switch::{Candidate, CandidateKind};

use std::collections::{BTreeMap, BTreeSet};
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
///
/// A clone shares everything with the vault it came from, and a change copies only what it touches: a page that holds a
/// vault of a moment ago costs next to nothing.
#[derive(Clone, Debug, Default)]
pub struct Vault {
    settings: Settings,
    notes: imbl::OrdMap<FileRef, Arc<Note>>,
    attachments: imbl::OrdMap<FileRef, Option<Arc<str>>>,
    names: names::Names,
    /// What leads where: made when first asked for, kept up to date from then on.
    links: OnceLock<links::Links>,
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
        let note = Arc::new(note);
        let before = self.notes.insert(file.clone(), note.clone());
        let (known, is_new) = self.names.insert(&file);
        let mut changed: BTreeSet<String> = BTreeSet::new();
        let aliases_before = before.as_ref().map_or(&[][..], |before| &before.aliases);
        if aliases_before != note.aliases {
            for alias in aliases_before {
                self.names.remove_alias(&file, alias);
            }
            for alias in &note.aliases {
                self.names.add_alias(&known, alias);
            }
            changed.extend(
                aliases_before
                    .iter()
                    .chain(&note.aliases)
                    .map(|alias| links::key(alias)),
            );
        }
        if is_new {
            changed.insert(links::key(&file.path));
        }
        self.update_links(&known, &changed);
    }

    /// Adds a file that is not a note.
    pub fn insert_attachment(&mut self, layer: Layer, path: impl Into<String>) {
        self.insert_file(layer, path.into(), None);
    }

    /// Adds a canvas or a base with its text, so that pages can show it; a canvas's file cards count as links.
    pub fn insert_text(&mut self, layer: Layer, path: impl Into<String>, text: impl Into<Arc<str>>) {
        self.insert_file(layer, path.into(), Some(text.into()));
    }

    fn insert_file(&mut self, layer: Layer, path: String, text: Option<Arc<str>>) {
        let file = FileRef { layer, path };
        let rewritten = text.is_some();
        self.attachments.insert(file.clone(), text);
        let (known, is_new) = self.names.insert(&file);
        if is_new || rewritten {
            let changed = is_new.then(|| links::key(&file.path)).into_iter().collect();
            self.update_links(&known, &changed);
        }
    }

    /// Removes a note or an attachment; says whether there was one.
    pub fn remove(&mut self, file: &FileRef) -> bool {
        let note = self.notes.remove(file);
        let attachment = self.attachments.remove(file).is_some();
        let mut changed = BTreeSet::from([links::key(&file.path)]);
        for alias in note.iter().flat_map(|note| &note.aliases) {
            self.names.remove_alias(file, alias);
            changed.insert(links::key(alias));
        }
        if let Some(known) = self.names.remove(file) {
            self.update_links(&known, &changed);
        }
        note.is_some() || attachment
    }

    /// The text of a canvas or a base.
    pub fn text(&self, file: &FileRef) -> Option<&Arc<str>> {
        self.attachments.get(file)?.as_ref()
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
                let same = self.names.named(last_segment(&path)).iter();
                let found = same.filter(|known| known.file.layer == layer && known.folded == path);
                let found = found.filter_map(|known| Some((&known.file, self.notes.get(&known.file)?)));
                if let Some((file, note)) = found.min_by_key(|(file, _)| *file) {
                    return Some((file.clone(), note));
                }
            }
        }
        None
    }

    /// All notes, the user's first, by path. A note of the library whose path the user's vault has too is left out.
    pub fn notes(&self) -> impl Iterator<Item = (&FileRef, &Arc<Note>)> {
        self.notes.iter().filter(|(file, _)| self.is_shown(file))
    }

    /// Whether a note is not hidden by one of the user's at the same path.
    fn is_shown(&self, file: &FileRef) -> bool {
        file.layer == Layer::User
            || !self.notes.contains_key(&FileRef {
                layer: Layer::User,
                path: file.path.clone(),
            })
    }

    /// All files that are not notes, by path.
    pub fn attachments(&self) -> impl Iterator<Item = &FileRef> {
        self.attachments.keys()
    }

    /// Whether there is such a file that is not a note.
    pub fn has_attachment(&self, file: &FileRef) -> bool {
        self.attachments.contains_key(file)
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

    /// Names that several files of the user's vault have, folded, with these files: a link by such a name means one of them
    /// by its place alone.
    pub fn ambiguous(&self) -> Vec<(&str, Vec<&FileRef>)> {
        let mut shared: Vec<_> = self.names.shared().collect();
        shared.sort_unstable();
        shared
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
