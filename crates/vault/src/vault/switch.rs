//! Opening a note by a few letters of its name: fuzzy, by initial consonants (`ㅍㄷ` for `파드`), and while a syllable is
//! still being typed (`파ㄷ`).
//!
//! Hangul is compared letter by letter: `파드` is `ㅍㅏㄷㅡ`, so that what an input method shows halfway is a beginning of
//! what it will be. A query of nothing but consonants is compared with the initial consonants of syllables.

use std::ops::Range;
use std::sync::OnceLock;

use nucleo_matcher::{Config, Matcher, Utf32Str};
use serde::Serialize;

use super::{FileRef, Layer, Vault};
use crate::note::Note;
use crate::text::fold;
use crate::text::hangul::{self, Letter};

/// What of a note a [`Candidate`] matched by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum CandidateKind {
    /// The file's name.
    Name,
    /// The title, where it is not the name.
    Title,
    /// An alias.
    Alias,
    /// A heading.
    Heading,
    /// A target of links that nothing answers to.
    Missing,
}

/// A note that may be meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Candidate {
    /// The note; none for a target that nothing answers to.
    pub file: Option<FileRef>,
    /// What matched: a name, a title, an alias, a heading, a target.
    pub text: String,
    /// What that is.
    pub kind: CandidateKind,
    /// The `id` of the heading; empty otherwise.
    pub anchor: String,
    /// The note's title.
    pub title: String,
    /// Which bytes of `text` matched.
    pub marks: Vec<Range<usize>>,
}

/// Which letters each name of a note has, so that most notes are passed over without being compared. Made when first
/// asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct SwitchKeys(OnceLock<Box<[u64]>>);

/// What was derived does not tell two notes apart.
impl PartialEq for SwitchKeys {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl SwitchKeys {
    fn of(&self, note: &Note) -> &[u64] {
        self.0
            .get_or_init(|| names(note).map(|(_, name, _)| mask(&letters(name))).collect())
    }
}

/// Everything that a note is called, with the `id` of headings.
fn names(note: &Note) -> impl Iterator<Item = (CandidateKind, &str, &str)> {
    let title = Some(&note.title).filter(|title| **title != note.name);
    // The title that stands in the text is a heading, too.
    let headings = note.headings.iter().skip(usize::from(note.title_in_text));
    std::iter::once((CandidateKind::Name, note.name.as_str(), ""))
        .chain(title.map(|title| (CandidateKind::Title, title.as_str(), "")))
        .chain(
            note.aliases
                .iter()
                .map(|alias| (CandidateKind::Alias, alias.as_str(), "")),
        )
        .chain(headings.map(|heading| (CandidateKind::Heading, heading.text.as_str(), heading.anchor.as_str())))
}

fn letters(text: &str) -> Vec<char> {
    let mut out = Vec::with_capacity(text.len());
    for c in fold(text).chars() {
        hangul::letters(c, &mut |letter: Letter| out.push(letter.letter));
    }
    out
}

/// A set of letters in 64 bits; some share one.
fn mask(letters: &[char]) -> u64 {
    letters.iter().filter(|c| !c.is_whitespace()).fold(0, |mask, &c| {
        let bit = match c {
            'a'..='z' => u32::from(c) - u32::from('a'),
            '0'..='9' => 26 + u32::from(c) - u32::from('0'),
            _ => 36 + u32::from(c) % 28,
        };
        mask | 1 << bit
    })
}

/// What was typed.
struct Typed {
    letters: Vec<char>,
    folded: String,
    mask: u64,
    /// Nothing but consonants and what is no Hangul.
    initials: bool,
}

impl Typed {
    fn new(query: &str) -> Option<Self> {
        let folded = fold(query.trim());
        let letters: Vec<char> = letters(&folded).into_iter().filter(|c| !c.is_whitespace()).collect();
        let consonants = folded.chars().any(hangul::is_consonant);
        let other_hangul = folded.chars().any(|c| hangul::is_vowel(c) || hangul::is_syllable(c));
        (!letters.is_empty()).then(|| Self {
            mask: mask(&letters),
            initials: consonants && !other_hangul,
            letters,
            folded,
        })
    }

    /// The letters of a name as this query compares them, with the byte of the name at which each stands.
    fn letters_of(&self, name: &str) -> (Vec<char>, Vec<usize>) {
        let (mut letters, mut places) = (Vec::with_capacity(name.len()), Vec::with_capacity(name.len()));
        for (at, c) in name.char_indices() {
            for c in c.to_lowercase() {
                hangul::letters(c, &mut |letter: Letter| {
                    if !self.initials || letter.initial {
                        letters.push(letter.letter);
                        places.push(at);
                    }
                });
            }
        }
        (letters, places)
    }
}

/// A name that matched, before it is made into a [`Candidate`].
struct Match<'v> {
    score: i64,
    file: Option<&'v FileRef>,
    kind: CandidateKind,
    name: &'v str,
    anchor: &'v str,
    title: &'v str,
}

impl Match<'_> {
    /// The best first; what is alike in the order of files.
    fn order(&self, other: &Self) -> std::cmp::Ordering {
        let rest = |m: &Self| (m.kind, m.name.chars().count());
        other
            .score
            .cmp(&self.score)
            .then_with(|| rest(self).cmp(&rest(other)))
            .then_with(|| (self.file, self.name).cmp(&(other.file, other.name)))
    }
}

impl Vault {
    /// The notes that a few letters may mean, the best first: by their names, titles, aliases and headings, and targets
    /// that nothing answers to. A note is there once by its names, and once for each heading.
    pub fn quick_switch(&self, query: &str, limit: usize) -> Vec<Candidate> {
        let Some(typed) = Typed::new(query) else {
            return Vec::new();
        };
        let mut config = Config::DEFAULT;
        config.prefer_prefix = true;
        let mut matcher = Matcher::new(config);
        let mut found: Vec<Match<'_>> = Vec::new();
        for (file, note) in self.notes() {
            let mut of_name: Option<Match<'_>> = None;
            for ((kind, name, anchor), mask) in names(note).zip(note.switch_keys.of(note)) {
                if mask & typed.mask != typed.mask {
                    continue;
                }
                let Some(score) = score(&mut matcher, &typed, name) else {
                    continue;
                };
                let lower = penalty(kind)
                    + if self.is_excluded(file) { EXCLUDED } else { 0 }
                    + if file.layer == Layer::Library { 1 } else { 0 };
                let new = Match {
                    score: score - lower,
                    file: Some(file),
                    kind,
                    name,
                    anchor,
                    title: &note.title,
                };
                if kind == CandidateKind::Heading {
                    found.push(new);
                } else if of_name.as_ref().is_none_or(|best| new.score > best.score) {
                    of_name = Some(new);
                }
            }
            found.extend(of_name);
        }
        let missing: Vec<String> = self.links().missing().map(|(target, _)| target.to_owned()).collect();
        for target in &missing {
            if let Some(score) = score(&mut matcher, &typed, target) {
                found.push(Match {
                    score: score - penalty(CandidateKind::Missing),
                    file: None,
                    kind: CandidateKind::Missing,
                    name: target,
                    anchor: "",
                    title: target,
                });
            }
        }
        if found.len() > limit && limit > 0 {
            found.select_nth_unstable_by(limit - 1, Match::order);
        }
        found.truncate(limit);
        found.sort_by(Match::order);
        found
            .iter()
            .map(|found| self.candidate(&mut matcher, &typed, found))
            .collect()
    }

    fn candidate(&self, matcher: &mut Matcher, typed: &Typed, found: &Match<'_>) -> Candidate {
        let text = match found.kind {
            CandidateKind::Missing => self.written(found.name),
            _ => found.name.to_owned(),
        };
        let (letters, places) = typed.letters_of(&text);
        let mut indices = Vec::new();
        matcher.fuzzy_indices(
            Utf32Str::Unicode(&letters),
            Utf32Str::Unicode(&typed.letters),
            &mut indices,
        );
        indices.sort_unstable();
        let mut marks: Vec<Range<usize>> = Vec::new();
        for at in indices
            .into_iter()
            .filter_map(|index| places.get(index as usize).copied())
        {
            let end = text[at..].chars().next().map_or(at, |c| at + c.len_utf8());
            match marks.last_mut() {
                Some(last) if last.end >= at => last.end = last.end.max(end),
                _ => marks.push(at..end),
            }
        }
        Candidate {
            file: found.file.cloned(),
            title: if found.file.is_none() {
                text.clone()
            } else {
                found.title.to_owned()
            },
            text,
            kind: found.kind,
            anchor: found.anchor.to_owned(),
            marks,
        }
    }
}

/// Excluded files come last.
const EXCLUDED: i64 = 10_000;

fn penalty(kind: CandidateKind) -> i64 {
    match kind {
        CandidateKind::Name | CandidateKind::Title => 0,
        CandidateKind::Alias => 2,
        CandidateKind::Heading => 20,
        CandidateKind::Missing => 5_000,
    }
}

/// How well a name fits.
fn score(matcher: &mut Matcher, typed: &Typed, name: &str) -> Option<i64> {
    let (letters, _) = typed.letters_of(name);
    let score = matcher.fuzzy_match(Utf32Str::Unicode(&letters), Utf32Str::Unicode(&typed.letters))?;
    let folded = fold(name);
    let better = if folded == typed.folded {
        400
    } else if letters.starts_with(&typed.letters) {
        200
    } else if folded.contains(&typed.folded) {
        100
    } else {
        0
    };
    Some(i64::from(score) + better)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault() -> Vault {
        let mut vault = Vault::default();
        for (path, text) in [
            (
                "개념/파드.md",
                "---\naliases: [Pod]\n---\n# 파드\n## 생명 주기\n[[없는 노트]]",
            ),
            ("개념/파드 종료.md", "# 파드 종료\n## 유예 기간\n"),
            ("재시작 정책.md", "---\naliases: [restartPolicy]\n---\n"),
            ("kubelet.md", "# kubelet이 하는 일\n"),
            ("과정.md", ""),
        ] {
            vault.insert(Layer::User, Note::parse(path, text));
        }
        vault
    }

    #[test]
    fn a_few_letters_are_enough() {
        let vault = vault();
        for (query, expected) in [
            ("파드", &["파드", "파드 종료"][..]),
            ("ㅍㄷ", &["파드", "파드 종료"]),
            ("파ㄷ", &["파드", "파드 종료"]),
            ("ㅍㄷㅈㄹ", &["파드 종료"]),
            ("pod", &["Pod"]),
            ("rspol", &["restartPolicy"]),
            ("KUBE", &["kubelet"]),
            ("생명주기", &["생명 주기"]),
            ("고", &["과정"]),
            ("없는", &["없는 노트"]),
            ("", &[]),
            ("zzz", &[]),
        ] {
            let found = vault.quick_switch(query, 2);
            let texts: Vec<&str> = found.iter().map(|found| found.text.as_str()).collect();
            assert_eq!(texts, expected, "{query}");
        }
    }

    #[test]
    fn what_matched_is_marked() {
        let vault = vault();
        let marked = |query: &str| {
            let found = vault.quick_switch(query, 1).remove(0);
            let marks: Vec<String> = found
                .marks
                .iter()
                .map(|mark| found.text[mark.clone()].to_owned())
                .collect();
            (found.text, marks, found.anchor, found.kind)
        };
        let owned = |marks: &[&str]| marks.iter().map(|mark| (*mark).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            marked("ㅍㄷㅈ"),
            (
                "파드 종료".into(),
                owned(&["파드", "종"]),
                String::new(),
                CandidateKind::Name
            )
        );
        assert_eq!(
            marked("유예"),
            (
                "유예 기간".into(),
                owned(&["유예"]),
                "유예-기간".into(),
                CandidateKind::Heading
            )
        );
        assert_eq!(
            marked("없는 노"),
            (
                "없는 노트".into(),
                owned(&["없는", "노"]),
                String::new(),
                CandidateKind::Missing
            )
        );
    }
}
