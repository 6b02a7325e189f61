//! Places that name a note without linking to it.

use aho_corasick::AhoCorasick;
use unicode_normalization::UnicodeNormalization;

use super::backlinks::context;
use super::{Backlink, FileRef, Vault};
use crate::plain;
use crate::text::chars::is_hangul;
use crate::text::fold;

impl Vault {
    /// Places that name a note or one of its aliases without linking to it, at most `limit`: outside links, code and
    /// properties. Latin names match as whole words; a name in Hangul may be followed by more Hangul (`파드는` names
    /// `파드`) but not preceded by it.
    pub fn unlinked_mentions(&self, file: &FileRef, limit: usize) -> Vec<Backlink> {
        let Some(note) = self.notes.get(file) else {
            return Vec::new();
        };
        let names = std::iter::once(&note.name).chain(&note.aliases);
        let names: Vec<String> = names.map(|name| fold(name)).filter(|name| !name.is_empty()).collect();
        // Most notes do not have the name at all; that is seen from their bytes.
        let patterns = names
            .iter()
            .flat_map(|name| [name.clone(), name.nfd().collect::<String>()]);
        let Ok(somewhere) = AhoCorasick::builder().ascii_case_insensitive(true).build(patterns) else {
            return Vec::new();
        };
        let mut mentions = Vec::new();
        for (from, note) in self
            .notes()
            .filter(|(from, _)| *from != file && !self.is_excluded(from))
        {
            if mentions.len() >= limit {
                break;
            }
            if note.text.is_ascii() && !somewhere.is_match(note.text.as_ref())
                || !note.text.is_ascii() && !may_name(&note.text, &somewhere, &names)
            {
                continue;
            }
            plain::for_each_text(note, &mut |text, range| {
                let folded = fold(text);
                let Some((at, length)) = names
                    .iter()
                    .filter_map(|name| Some((mention(&folded, name)?, name.len())))
                    .min()
                else {
                    return;
                };
                if mentions.len() >= limit {
                    return;
                }
                // Where nothing was written in another way the name itself can be pointed at.
                let alike = folded.len() == text.len() && range.len() == text.len();
                let place = note.place(if alike {
                    range.start + at..range.start + at + length
                } else {
                    range.clone()
                });
                mentions.push(Backlink {
                    from: from.clone(),
                    title: note.title.clone(),
                    context: context(note, place),
                    place,
                    embed: false,
                });
            });
        }
        mentions
    }
}

/// Whether a text may have one of the names: letters beyond ASCII may differ in case.
fn may_name(text: &str, somewhere: &AhoCorasick, names: &[String]) -> bool {
    let cased = |name: &String| {
        name.chars()
            .any(|c| !c.is_ascii() && c.to_uppercase().next() != Some(c))
    };
    somewhere.is_match(text) || names.iter().any(cased)
}

/// Where a folded text names something, see [`Vault::unlinked_mentions`].
fn mention(text: &str, name: &str) -> Option<usize> {
    let found = text.match_indices(name).find(|(at, _)| {
        let before = text[..*at].chars().next_back();
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
    });
    found.map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_text() {
        for (text, name, expected) in [
            ("파드는 작다", "파드", Some(0)),
            ("완두파드", "파드", None),
            ("완두파드 파드", "파드", Some(13)),
            ("a pod.", "pod", Some(2)),
            ("pods", "pod", None),
            ("pod를", "pod", Some(0)),
            ("tripod", "pod", None),
        ] {
            assert_eq!(mention(text, name), expected, "{text}");
        }
    }
}
