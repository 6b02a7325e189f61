//! Files by name and by alias: what links are looked up in.

use std::sync::Arc;

use super::{FileRef, Layer, last_segment};
use crate::text::{fold, nfc};

/// A file as links look it up.
#[derive(Debug)]
pub(super) struct Known {
    pub file: FileRef,
    /// Its path, folded.
    pub folded: String,
    /// Whether its name is not in NFC: of two files that are otherwise alike the other one wins.
    pub decomposed: bool,
    /// Length of the path in characters.
    pub length: usize,
}

impl Known {
    fn new(file: FileRef) -> Self {
        Self {
            folded: fold(&file.path),
            decomposed: nfc(&file.path) != file.path,
            length: file.path.chars().count(),
            file,
        }
    }

    /// What decides between two files that are otherwise alike.
    pub(super) fn rank(&self) -> (bool, &str) {
        (self.decomposed, &self.file.path)
    }
}

/// Files in the order of their references.
pub(super) type Files = Arc<Vec<Arc<Known>>>;

/// Adds a file to a sorted list; says whether it was not there.
pub(super) fn add(files: &mut Files, file: &Arc<Known>) -> bool {
    match files.binary_search_by(|known| known.file.cmp(&file.file)) {
        Ok(_) => false,
        Err(at) => {
            Arc::make_mut(files).insert(at, file.clone());
            true
        }
    }
}

/// Takes a file out of a sorted list; says whether the list is empty now.
pub(super) fn take(files: &mut Files, file: &FileRef) -> bool {
    if let Ok(at) = files.binary_search_by(|known| known.file.cmp(file)) {
        Arc::make_mut(files).remove(at);
    }
    files.is_empty()
}

/// All files by name, and notes by alias.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    /// By the folded last segment of their path.
    by_name: imbl::HashMap<String, Files>,
    /// Notes by folded alias.
    by_alias: imbl::HashMap<(Layer, String), Files>,
}

impl Names {
    /// Adds a file; says whether it is new.
    pub(super) fn insert(&mut self, file: &FileRef) -> (Arc<Known>, bool) {
        let known = Known::new(file.clone());
        let name = last_segment(&known.folded).to_owned();
        let files = self.by_name.entry(name).or_default();
        if let Ok(at) = files.binary_search_by(|known| known.file.cmp(file)) {
            return (files[at].clone(), false);
        }
        let known = Arc::new(known);
        add(files, &known);
        (known, true)
    }

    pub(super) fn remove(&mut self, file: &FileRef) -> Option<Arc<Known>> {
        let known = self.get(file)?;
        let name = last_segment(&known.folded);
        if let Some(files) = self.by_name.get_mut(name)
            && take(files, file)
        {
            self.by_name.remove(name);
        }
        Some(known)
    }

    /// A file that is there.
    pub(super) fn get(&self, file: &FileRef) -> Option<Arc<Known>> {
        let files = self.by_name.get(last_segment(&fold(&file.path)))?;
        let at = files.binary_search_by(|known| known.file.cmp(file)).ok()?;
        files.get(at).cloned()
    }

    /// Files whose folded name this is.
    pub(super) fn named(&self, name: &str) -> &[Arc<Known>] {
        self.by_name.get(name).map_or(&[], |files| files.as_slice())
    }

    pub(super) fn add_alias(&mut self, known: &Arc<Known>, alias: &str) {
        let owners = self.by_alias.entry((known.file.layer, fold(alias))).or_default();
        add(owners, known);
    }

    pub(super) fn remove_alias(&mut self, file: &FileRef, alias: &str) {
        let key = (file.layer, fold(alias));
        if let Some(owners) = self.by_alias.get_mut(&key)
            && take(owners, file)
        {
            self.by_alias.remove(&key);
        }
    }

    /// The one note of a layer that has a folded alias.
    pub(super) fn owner(&self, layer: Layer, alias: &str) -> Option<&Arc<Known>> {
        match self.by_alias.get(&(layer, alias.to_owned()))?.as_slice() {
            [owner] => Some(owner),
            _ => None,
        }
    }

    /// Names that more than one file of the user's vault has, with these files.
    pub(super) fn shared(&self) -> impl Iterator<Item = (&str, Vec<&FileRef>)> {
        self.by_name.iter().filter_map(|(name, files)| {
            let own: Vec<&FileRef> = files
                .iter()
                .map(|known| &known.file)
                .filter(|file| file.layer == Layer::User)
                .collect();
            (own.len() > 1).then_some((name.as_str(), own))
        })
    }
}
