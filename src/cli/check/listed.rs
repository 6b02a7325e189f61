//! The lists of claims that notes declare, with what came out for each claim.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use peapod_vault::claims::{self, ListedClaim};
use peapod_vault::{FileRef, Vault};
use serde_json::{Value, json};

use super::{Checked, Found, shown};
use crate::lab::model::Verdict;

/// What came out for a claim of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    /// Experiments decided it; they are named.
    Verdict(Verdict, Vec<String>),
    /// The list says why no experiment can.
    Undecidable(String),
    /// The notes that answer it are not among those that were checked.
    NotRun(Vec<String>),
    /// Nothing answers it.
    Nothing,
}

/// A list of claims with what came out.
pub(super) struct Listed {
    /// The note that declares it.
    pub(super) name: String,
    /// Its file as seen from here.
    pub(super) shown: String,
    prefix: String,
    claims: Vec<(ListedClaim, Answer)>,
    /// What is wrong: line, column, message.
    pub(super) complained: Vec<(u32, u32, String)>,
}

/// What an expectation came to, by the sentence that it checks: path of the note, block id in lower case.
type Answers<'c> = BTreeMap<(&'c FileRef, String), Vec<(Verdict, String)>>;

/// The lists that the checked notes declare.
pub(super) fn lists(all: &[Found], checked: &[Checked]) -> Vec<Listed> {
    let mut answers: Answers<'_> = BTreeMap::new();
    for checked in checked {
        for claim in checked.claims() {
            let Some(block) = &claim.block else { continue };
            let name = format!("{}#{}", checked.note.name, checked.cell.key);
            let key = (&checked.file, block.to_ascii_lowercase());
            answers.entry(key).or_default().push((claim.verdict, name));
        }
    }
    let mut lists = Vec::new();
    let mut vaults: Vec<&Vault> = Vec::new();
    for found in all {
        let vault = &found.snapshot.vault;
        if vaults.iter().any(|known| std::ptr::eq(*known, vault)) {
            continue;
        }
        vaults.push(vault);
        for list in claims::lists(vault) {
            let own = |found: &&Found| std::ptr::eq(&found.snapshot.vault, vault) && found.file == list.file;
            let Some(found) = all.iter().find(own) else { continue };
            let is_checked = |file: &FileRef| {
                all.iter()
                    .any(|found| std::ptr::eq(&found.snapshot.vault, vault) && found.file == *file)
            };
            lists.push(listed(found, list, &answers, &is_checked));
        }
    }
    lists
}

fn listed(
    found: &Found,
    list: claims::ClaimList,
    answers: &Answers<'_>,
    is_checked: &dyn Fn(&FileRef) -> bool,
) -> Listed {
    let mut complained: Vec<(u32, u32, String)> = list
        .problems
        .into_iter()
        .map(|problem| (problem.place.line, problem.place.column, problem.message))
        .collect();
    let claims = list.claims.into_iter().map(|claim| {
        let (mut verdicts, mut by, mut away) = (Vec::new(), Vec::new(), Vec::new());
        for (file, block) in &claim.answers {
            let name = format!("{}#^{block}", file.path.trim_end_matches(".md"));
            match answers.get(&(file, block.to_ascii_lowercase())) {
                Some(found) => {
                    verdicts.extend(found.iter().map(|(verdict, _)| *verdict));
                    by.extend(found.iter().map(|(_, by)| by.clone()));
                }
                None if is_checked(file) => {
                    let place = claim.row.unwrap_or_default();
                    let message = format!(
                        "the claim {} is to be answered by {name}, which no experiment checks",
                        claim.number
                    );
                    complained.push((place.line, place.column, message));
                }
                None => away.push(name),
            }
        }
        by.dedup();
        let answer = match (combined(&verdicts), &claim.reason) {
            (Some(verdict), _) => Answer::Verdict(verdict, by),
            (None, Some(reason)) => Answer::Undecidable(reason.clone()),
            (None, None) if !away.is_empty() => Answer::NotRun(away),
            (None, None) => Answer::Nothing,
        };
        (claim, answer)
    });
    let claims = claims.collect();
    Listed {
        name: found.note.name.clone(),
        shown: shown(found),
        prefix: list.prefix,
        claims,
        complained,
    }
}

/// One verdict for several: theirs if they agree; `depends` when one holds where another does not.
fn combined(verdicts: &[Verdict]) -> Option<Verdict> {
    let (first, rest) = verdicts.split_first()?;
    Some(match rest.iter().all(|verdict| verdict == first) {
        true => *first,
        false if verdicts.contains(&Verdict::Unchecked) => Verdict::Unchecked,
        false => Verdict::Depends,
    })
}

impl Answer {
    fn sign(&self) -> (&'static str, &'static str) {
        match self {
            Self::Verdict(Verdict::Holds, _) => ("✓", "holds"),
            Self::Verdict(Verdict::Fails, _) => ("✗", "fails"),
            Self::Verdict(Verdict::Depends, _) => ("◐", "depends"),
            Self::Verdict(Verdict::Unchecked, _) => ("?", "unchecked"),
            Self::Undecidable(_) => ("–", "undecidable"),
            Self::NotRun(_) => ("…", "not run"),
            Self::Nothing => ("○", "no experiment"),
        }
    }
}

impl Listed {
    pub(super) fn complaints(&self) -> usize {
        self.complained.len()
    }

    pub(super) fn problems(&self) -> String {
        let problems = self.complained.iter();
        problems
            .map(|(line, column, message)| format!("{}:{line}:{column}: error: {message}\n", self.shown))
            .collect()
    }

    /// One line a claim, and how many came out how.
    pub(super) fn text(&self) -> String {
        let mut text = format!("{}: {} claims ({}-…)\n", self.name, self.claims.len(), self.prefix);
        let mut counts: Vec<(&str, usize)> = Vec::new();
        for (claim, answer) in &self.claims {
            let (sign, word) = answer.sign();
            match counts.iter_mut().find(|(known, _)| *known == word) {
                Some((_, count)) => *count += 1,
                None => counts.push((word, 1)),
            }
            let why = match answer {
                Answer::Verdict(_, by) | Answer::NotRun(by) => format!("  [{}]", by.join(", ")),
                Answer::Undecidable(reason) => format!(": {reason}"),
                Answer::Nothing => String::new(),
            };
            let _ = writeln!(text, "  {:>4}  {sign} {word:<13} {}{why}", claim.number, claim.sentence);
        }
        let counts: Vec<String> = counts.iter().map(|(word, count)| format!("{count} {word}")).collect();
        let _ = writeln!(text, "  {}", counts.join(", "));
        text
    }

    pub(super) fn as_json(&self) -> Value {
        let claim = |(claim, answer): &(ListedClaim, Answer)| {
            let by = match answer {
                Answer::Verdict(_, by) | Answer::NotRun(by) => by.as_slice(),
                Answer::Undecidable(_) | Answer::Nothing => &[],
            };
            json!({
                "number": claim.number,
                "sentence": claim.sentence,
                "answer": answer.sign().1,
                "by": by,
                "reason": claim.reason,
            })
        };
        json!({
            "note": self.name,
            "prefix": self.prefix,
            "claims": self.claims.iter().map(claim).collect::<Vec<_>>(),
            "problems": self.complained.iter().map(|(line, column, message)| json!({"line": line, "column": column, "message": message})).collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_verdicts_are_one() {
        use Verdict::{Depends, Fails, Holds, Unchecked};
        for (verdicts, expected) in [
            (&[][..], None),
            (&[Holds], Some(Holds)),
            (&[Fails, Fails], Some(Fails)),
            (&[Holds, Fails], Some(Depends)),
            (&[Holds, Depends], Some(Depends)),
            (&[Holds, Unchecked], Some(Unchecked)),
        ] {
            assert_eq!(combined(verdicts), expected, "{verdicts:?}");
        }
    }
}
