//! What leads to a note: links, embeds, properties, and mentions without a link.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::{Backlink, FileRef, Layer, Unresolved, Vault};
use crate::note::Note;
use crate::place::Place;
use crate::plain;
use crate::text::chars::is_hangul;
use crate::text::{fold, nfc};

/// Who has which alias.
#[derive(Debug, Default)]
pub(super) struct Aliases {
    /// The one note of a layer that has a folded alias; none if several have it.
    pub owners: HashMap<(Layer, String), Option<FileRef>>,
}

/// Links by what they lead to.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    /// Notes (the place in them, whether it is an embed) that lead to a file.
    pub to: HashMap<FileRef, Vec<(FileRef, Place, bool)>>,
    /// Targets that nothing answers to, by their folded form.
    pub unresolved: BTreeMap<String, Unresolved>,
}

impl Vault {
    pub(super) fn aliases(&self) -> &Aliases {
        self.aliases.get_or_init(|| {
            let mut aliases = Aliases::default();
            for (file, note) in &self.notes {
                for alias in &note.aliases {
                    let owner = aliases
                        .owners
                        .entry((file.layer, fold(alias)))
                        .or_insert_with(|| Some(file.clone()));
                    if owner.as_ref() != Some(file) {
                        *owner = None;
                    }
                }
            }
            Arc::new(aliases)
        })
    }

    /// All links by what they lead to.
    fn incoming(&self) -> &Incoming {
        self.incoming.get_or_init(|| {
            let mut incoming = Incoming::default();
            for (file, note) in self.notes() {
                for (target, place, embed) in targets(note) {
                    if let Some(resolution) = self.resolve(file, target) {
                        incoming
                            .to
                            .entry(resolution.file)
                            .or_default()
                            .push((file.clone(), place, embed));
                        continue;
                    }
                    let entry = incoming.unresolved.entry(fold(target.trim()));
                    let unresolved = entry.or_insert_with(|| Unresolved {
                        target: nfc(target.trim()),
                        from: Vec::new(),
                    });
                    if unresolved.from.last() != Some(file) {
                        unresolved.from.push(file.clone());
                    }
                }
            }
            Arc::new(incoming)
        })
    }

    /// Everything that leads to a file: links and embeds of other notes, those in comments and properties included.
    pub fn backlinks(&self, file: &FileRef) -> Vec<Backlink> {
        let leading = self.incoming().to.get(file).map(Vec::as_slice).unwrap_or_default();
        let others = leading.iter().filter(|(from, ..)| from != file);
        let backlinks = others.filter_map(|(from, place, embed)| {
            let note = self.notes.get(from)?;
            let (title, context) = (note.title.clone(), context(note, *place));
            Some(Backlink {
                from: from.clone(),
                title,
                context,
                place: *place,
                embed: *embed,
            })
        });
        backlinks.collect()
    }

    /// Places that name a note or one of its aliases without linking to it: outside links and code. Latin names match as
    /// whole words; a name in Hangul may be followed by more Hangul (`파드는` names `파드`) but not preceded by it.
    pub fn unlinked_mentions(&self, file: &FileRef) -> Vec<Backlink> {
        let Some(note) = self.notes.get(file) else {
            return Vec::new();
        };
        let names: Vec<String> = std::iter::once(&note.name)
            .chain(&note.aliases)
            .map(|name| fold(name))
            .collect();
        let mut mentions = Vec::new();
        for (from, note) in self.notes().filter(|(from, _)| *from != file) {
            plain::for_each_text(note, &mut |text, range| {
                let text = fold(text);
                if names.iter().any(|name| mentions_name(&text, name)) {
                    let place = note.place(range.clone());
                    let (title, context) = (note.title.clone(), context(note, place));
                    mentions.push(Backlink {
                        from: from.clone(),
                        title,
                        context,
                        place,
                        embed: false,
                    });
                }
            });
        }
        mentions
    }

    /// Targets of links that no file answers to, by name.
    pub fn unresolved(&self) -> Vec<Unresolved> {
        self.incoming().unresolved.values().cloned().collect()
    }
}

/// The targets of everything in a note that links, with its place and whether it is an embed.
pub(super) fn targets(note: &Note) -> impl Iterator<Item = (&str, Place, bool)> {
    let properties = note.properties.place.unwrap_or_default();
    let links = note
        .links
        .iter()
        .chain(&note.comment_links)
        .map(|link| (link.target.as_str(), link.place, link.embed));
    links.chain(
        note.properties
            .links
            .iter()
            .map(move |link| (link.target.as_str(), properties, false)),
    )
}

/// Whether a folded text names something, see [`Vault::unlinked_mentions`].
fn mentions_name(text: &str, name: &str) -> bool {
    if name.is_empty() {
        return false;
    }
    text.match_indices(name).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + name.len()..].chars().next();
        let first_is_hangul = name.chars().next().is_some_and(is_hangul);
        let last_is_latin = name.chars().next_back().is_some_and(|c| c.is_ascii_alphanumeric());
        let free_before = before.is_none_or(|c| {
            if first_is_hangul {
                !is_hangul(c)
            } else {
                !c.is_alphanumeric()
            }
        });
        let free_after = after.is_none_or(|c| !last_is_latin || !c.is_ascii_alphanumeric());
        free_before && free_after
    })
}

/// The line around a place, without markup.
fn context(note: &Note, place: Place) -> String {
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

    #[test]
    fn names_in_text() {
        for (text, name, expected) in [
            ("파드는 작다", "파드", true),
            ("완두파드", "파드", false),
            ("a pod.", "pod", true),
            ("pods", "pod", false),
            ("pod를", "pod", true),
            ("tripod", "pod", false),
        ] {
            assert_eq!(mentions_name(text, name), expected, "{text}");
        }
    }

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
        let mentions = vault.unlinked_mentions(&file);
        assert_eq!(mentions.len(), 1);
        assert_eq!(mentions[0].place.line, 4);
    }
}
