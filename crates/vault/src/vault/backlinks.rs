//! What leads to a note: links, embeds, properties.

use super::links::{Meaning, targets};
use super::{Backlink, FileRef, Unresolved, Vault};
use crate::note::Note;
use crate::place::Place;
use crate::text::{fold, nfc};

impl Vault {
    /// Everything that leads to a file: links and embeds of other notes, those in comments and properties included, and
    /// cards of canvases.
    pub fn backlinks(&self, file: &FileRef) -> Vec<Backlink> {
        self.backlinks_of(file, usize::MAX).1
    }

    /// How many other files lead to a file, and what leads there from the first `limit` of them: a hub has thousands.
    pub fn backlinks_of(&self, file: &FileRef, limit: usize) -> (usize, Vec<Backlink>) {
        let links = self.links();
        let others = links.to(file).iter().filter(|from| from.file != *file);
        let total = others.clone().count();
        let leads = |meaning: &Meaning| matches!(meaning, Meaning::File(to) if to.file == *file);
        (total, self.leading(others.map(|known| &known.file).take(limit), leads))
    }

    /// Everything that leads to a target which no file answers to.
    pub fn backlinks_of_missing(&self, target: &str) -> Vec<Backlink> {
        let target = fold(target.trim());
        let from = self.links().to_missing(&target).iter().map(|known| &known.file);
        let leads = |meaning: &Meaning| matches!(meaning, Meaning::Missing(to) if **to == *target);
        self.leading(from, leads)
    }

    /// The links of some files that mean something.
    fn leading<'f>(&self, files: impl Iterator<Item = &'f FileRef>, leads: impl Fn(&Meaning) -> bool) -> Vec<Backlink> {
        let links = self.links();
        let mut backlinks = Vec::new();
        for from in files {
            let Some(note) = self.notes.get(from) else {
                // A canvas: its cards have no lines.
                backlinks.push(Backlink {
                    from: from.clone(),
                    title: super::last_segment(&from.path).to_owned(),
                    context: String::new(),
                    place: Place::default(),
                    embed: false,
                });
                continue;
            };
            let written = targets(note).filter(|(target, ..)| !target.trim().is_empty());
            for ((_, place, embed), _) in written.zip(links.from(from)).filter(|(_, meaning)| leads(meaning)) {
                backlinks.push(Backlink {
                    from: from.clone(),
                    title: note.title.clone(),
                    context: context(note, place),
                    place,
                    embed,
                });
            }
        }
        backlinks
    }

    /// Targets of links that no file answers to, by name.
    pub fn unresolved(&self) -> Vec<Unresolved> {
        let unresolved = self.links().missing().map(|(key, files)| Unresolved {
            target: self.written(key),
            from: files.iter().map(|known| known.file.clone()).collect(),
        });
        unresolved.collect()
    }

    /// A folded target that is not there as it was first written.
    pub(super) fn written(&self, folded: &str) -> String {
        let first = self.links().to_missing(folded).first();
        let note = first.and_then(|known| self.notes.get(&known.file));
        let mut written = note
            .iter()
            .flat_map(|note| targets(note))
            .map(|(target, ..)| target.trim());
        written
            .find(|target| fold(target) == folded)
            .map_or_else(|| folded.to_owned(), nfc)
    }

    /// Notes without a link to or from another file.
    pub fn orphans(&self) -> Vec<FileRef> {
        let links = self.links();
        let alone = |file: &FileRef| {
            links.to(file).iter().all(|from| from.file == *file)
                && links
                    .from(file)
                    .iter()
                    .all(|meaning| matches!(meaning, Meaning::File(to) if to.file == *file))
        };
        let notes = self.notes().map(|(file, _)| file);
        notes.filter(|file| alone(file)).cloned().collect()
    }
}

/// The line around a place, without markup.
pub(super) fn context(note: &Note, place: Place) -> String {
    let text = &note.text;
    let start = text[..place.start].rfind('\n').map_or(0, |at| at + 1);
    let end = text[place.start..].find('\n').map_or(text.len(), |at| place.start + at);
    let mut context = String::new();
    let mut at = start;
    let first = note.links.partition_point(|link| link.place.start < start);
    for link in note.links[first..].iter().take_while(|link| link.place.end <= end) {
        if link.place.start < at {
            continue;
        }
        context.push_str(&text[at..link.place.start]);
        context.push_str(&link.display);
        at = link.place.end;
    }
    context.push_str(text.get(at..end).unwrap_or(""));
    let context = context
        .trim_start_matches(['>', ' ', '\t', '-', '*', '+', '#'])
        .trim_end();
    let context = match context.rsplit_once(" ^") {
        Some((before, id)) if !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') => {
            before
        }
        _ => context,
    };
    context.replace("**", "").replace("==", "").replace('`', "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::Layer;

    #[test]
    fn what_leads_to_a_note() {
        let mut vault = Vault::default();
        vault.insert(Layer::User, Note::parse("Pod.md", "[[Pod]]"));
        vault.insert(
            Layer::User,
            Note::parse("a.md", "- **x** [[pod|파드]]는 ^id\n\n%%[[Pod]]%%\n\n[[none]]"),
        );
        vault.insert(
            Layer::User,
            Note::parse("b.md", "---\nsee: \"[[Pod#x]]\"\n---\nPod 이야기 ![[Pod]]"),
        );
        let file = FileRef {
            layer: Layer::User,
            path: "Pod.md".into(),
        };
        let backlinks = vault.backlinks(&file);
        let seen: Vec<_> = backlinks
            .iter()
            .map(|link| (link.from.path.as_str(), link.place.line, link.embed))
            .collect();
        assert_eq!(
            seen,
            [
                ("a.md", 1, false),
                ("a.md", 3, false),
                ("b.md", 4, true),
                ("b.md", 1, false)
            ]
        );
        assert_eq!(backlinks[0].context, "x 파드는");
        assert_eq!(vault.unresolved()[0].target, "none");
        let mentions = vault.unlinked_mentions(&file, 10);
        assert_eq!(mentions.len(), 1);
        assert_eq!((mentions[0].place.line, mentions[0].place.column), (4, 1));
    }

    /// What a vault says of its links.
    fn said(vault: &Vault) -> (Vec<Unresolved>, Vec<FileRef>, Vec<Vec<Backlink>>) {
        let files: Vec<FileRef> = vault.notes().map(|(file, _)| file.clone()).collect();
        let backlinks = files.iter().map(|file| vault.backlinks(file)).collect();
        (vault.unresolved(), vault.orphans(), backlinks)
    }

    #[test]
    fn changes_are_followed() {
        let note = |path: &str, text: &str| Note::parse(path, text);
        let steps: Vec<(Layer, Note)> = vec![
            (Layer::User, note("a.md", "[[b]] [[x/c]] [[별명]] [[none]]")),
            (Layer::Library, note("b.md", "[[a]]")),
            (Layer::User, note("x/b.md", "[[../a]]")),
            (Layer::User, note("x/c.md", "---\naliases: [별명]\n---\n[[b]]")),
            (Layer::User, note("b.md", "![[c]]")),
            (Layer::User, note("x/c.md", "[[b]]")),
            (Layer::User, note("d.md", "---\naliases: [별명]\nsee: \"[[a]]\"\n---\n")),
            (Layer::User, note("none.md", "")),
            (Layer::User, note("a.md", "[[b]] [[b]]")),
        ];
        let mut followed = Vault::new(crate::vault::Settings {
            alias_links: true,
            ..crate::vault::Settings::default()
        });
        followed.index_links();
        let mut fresh_of: Vec<(Layer, Note)> = Vec::new();
        let check = |followed: &Vault, all: &[(Layer, Note)]| {
            let mut fresh = Vault::new(followed.settings().clone());
            for (layer, note) in all {
                fresh.insert(*layer, note.clone());
            }
            assert_eq!(said(followed), said(&fresh));
        };
        for (layer, note) in steps {
            followed.insert(layer, note.clone());
            fresh_of.retain(|(known, before)| (known, &before.path) != (&layer, &note.path));
            fresh_of.push((layer, note));
            check(&followed, &fresh_of);
        }
        while let Some((layer, note)) = fresh_of.pop() {
            assert!(followed.remove(&FileRef { layer, path: note.path }));
            check(&followed, &fresh_of);
        }
    }
}
