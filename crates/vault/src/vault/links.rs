//! What leads where, kept up to date: when a note changes its own links are looked up again, when a name comes or goes the
//! links that are written so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::names::{self, Files, Known};
use super::{FileRef, Layer, Vault, Via, folder, last_segment};
use crate::note::{EmbedKind, Note};
use crate::place::Place;
use crate::text::fold;

/// What a link means.
#[derive(Clone, Debug)]
pub(super) enum Meaning {
    File(Arc<Known>),
    /// Nothing answers to this folded target.
    Missing(Arc<str>),
}

impl PartialEq for Meaning {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File(a), Self::File(b)) => a.file == b.file,
            (Self::Missing(a), Self::Missing(b)) => a == b,
            _ => false,
        }
    }
}

/// The links of one file.
#[derive(Clone, Debug, Default, PartialEq)]
struct Outgoing {
    /// In the order of [`targets`].
    meanings: Vec<Meaning>,
    /// Under which names they wait, each once.
    keys: Vec<Arc<str>>,
}

/// Links by what they lead to.
#[derive(Clone, Debug, Default)]
pub(super) struct Links {
    outgoing: imbl::HashMap<FileRef, Arc<Outgoing>>,
    /// Files that lead to a file.
    incoming: imbl::HashMap<FileRef, Files>,
    /// Files that lead to what is not there, by folded target.
    missing: imbl::OrdMap<Arc<str>, Files>,
    /// Files with links that are written with this name.
    waiting: imbl::HashMap<Arc<str>, Files>,
}

fn is_canvas(file: &FileRef) -> bool {
    EmbedKind::of_path(&file.path) == EmbedKind::Canvas
}

/// Under which name a link, a path or an alias is looked up: the last segment, folded, without `.md`.
pub(super) fn key(target: &str) -> String {
    let target = fold(target.trim()).replace('\\', "/");
    let mut name = last_segment(&target);
    while let Some(shorter) = name.strip_suffix(".md") {
        name = shorter;
    }
    name.to_owned()
}

/// The targets of everything in a note that links, with its place and whether it is an embed.
pub(super) fn targets(note: &Note) -> impl Iterator<Item = (&str, Place, bool)> {
    let properties = note.properties.place.unwrap_or_default();
    let links = note
        .links
        .iter()
        .chain(&note.comment_links)
        .map(|link| (link.target.as_str(), link.place, link.embed));
    let of_properties = note.properties.links.iter();
    links.chain(of_properties.map(move |link| (link.target.as_str(), properties, false)))
}

impl Vault {
    /// What leads where.
    pub(super) fn links(&self) -> &Links {
        self.links.get_or_init(|| {
            let mut links = Links::default();
            for known in self.sources() {
                links.replace(&known, self.outgoing_of(&known));
            }
            links
        })
    }

    /// Looks up what leads where, which otherwise the first question does.
    pub fn index_links(&self) {
        self.links();
    }

    /// Files that may have links: notes and canvases.
    fn sources(&self) -> impl Iterator<Item = Arc<Known>> {
        let notes = self.notes().map(|(file, _)| file);
        let canvases = self.attachments.keys().filter(|file| is_canvas(file));
        notes.chain(canvases).filter_map(|file| self.names.get(file))
    }

    fn outgoing_of(&self, known: &Known) -> Outgoing {
        let mut outgoing = Outgoing::default();
        let from_folder = folder(&known.folded);
        let mut lookup = |target: &str| {
            if target.trim().is_empty() {
                // The note itself.
                return;
            }
            outgoing.meanings.push(match self.lookup(from_folder, target) {
                Some((found, Via::Path | Via::Alias)) => Meaning::File(found.clone()),
                None => Meaning::Missing(fold(target.trim()).into()),
            });
            outgoing.keys.push(key(target).into());
        };
        match self.notes.get(&known.file) {
            Some(note) if self.is_shown(&known.file) => targets(note).for_each(|(target, ..)| lookup(target)),
            Some(_) => {}
            None => {
                if let Some(text) = self.text(&known.file).filter(|_| is_canvas(&known.file)) {
                    crate::canvas::files(text).iter().for_each(|target| lookup(target));
                }
            }
        }
        outgoing.keys.sort_unstable();
        outgoing.keys.dedup();
        outgoing
    }

    /// Brings the links up to date after a file and some names have changed.
    pub(super) fn update_links(&mut self, changed: &Arc<Known>, names: &BTreeSet<String>) {
        let Some(mut links) = self.links.take() else { return };
        let mut affected: BTreeMap<FileRef, Arc<Known>> = BTreeMap::new();
        for name in names {
            for known in links.waiting.get(name.as_str()).iter().flat_map(|files| files.iter()) {
                affected.insert(known.file.clone(), known.clone());
            }
        }
        affected.insert(changed.file.clone(), changed.clone());
        // A note of the library comes and goes with the user's at the same path.
        let hidden = FileRef {
            layer: Layer::Library,
            path: changed.file.path.clone(),
        };
        if let Some(known) = self.names.get(&hidden) {
            affected.insert(hidden, known);
        }
        for known in affected.values() {
            links.replace(known, self.outgoing_of(known));
        }
        let _ = self.links.set(links);
    }
}

impl Links {
    /// Replaces the links of a file.
    fn replace(&mut self, from: &Arc<Known>, new: Outgoing) {
        let old = self.outgoing.get(&from.file).cloned().unwrap_or_default();
        if *old == new {
            return;
        }
        for meaning in &old.meanings {
            match meaning {
                Meaning::File(to) => {
                    if let Some(files) = self.incoming.get_mut(&to.file)
                        && names::take(files, &from.file)
                    {
                        self.incoming.remove(&to.file);
                    }
                }
                Meaning::Missing(target) => {
                    if let Some(files) = self.missing.get_mut(target)
                        && names::take(files, &from.file)
                    {
                        self.missing.remove(target);
                    }
                }
            }
        }
        for key in &old.keys {
            if let Some(files) = self.waiting.get_mut(key)
                && names::take(files, &from.file)
            {
                self.waiting.remove(key);
            }
        }
        for meaning in &new.meanings {
            let files = match meaning {
                Meaning::File(to) => self.incoming.entry(to.file.clone()).or_default(),
                Meaning::Missing(target) => self.missing.entry(target.clone()).or_default(),
            };
            names::add(files, from);
        }
        for key in &new.keys {
            names::add(self.waiting.entry(key.clone()).or_default(), from);
        }
        if new.meanings.is_empty() {
            self.outgoing.remove(&from.file);
        } else {
            self.outgoing.insert(from.file.clone(), Arc::new(new));
        }
    }

    /// The files that lead to a file, in order; itself, too, if it does.
    pub(super) fn to(&self, file: &FileRef) -> &[Arc<Known>] {
        self.incoming.get(file).map_or(&[], |files| files.as_slice())
    }

    /// What the links of a file mean, each as often as it is written.
    pub(super) fn from(&self, file: &FileRef) -> &[Meaning] {
        self.outgoing.get(file).map_or(&[], |outgoing| &outgoing.meanings)
    }

    /// Files that lead to a folded target which is not there.
    pub(super) fn to_missing(&self, target: &str) -> &[Arc<Known>] {
        self.missing.get(target).map_or(&[], |files| files.as_slice())
    }

    /// Targets that are not there, folded, with the files that lead to them.
    pub(super) fn missing(&self) -> impl Iterator<Item = (&str, &[Arc<Known>])> {
        self.missing
            .iter()
            .map(|(target, files)| (target.as_ref(), files.as_slice()))
    }
}
