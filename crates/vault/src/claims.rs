//! Lists of claims: numbered sentences, and which experiment of the vault answers each.
//!
//! A note with the property `claims: PREFIX` is such a list. A row of one of its tables whose first cell is a number is a
//! claim: number, sentence, and what answers it. A claim is answered
//!
//! - by the blocks that the third cell links to (`[[note#^id]]`), if it links to any;
//! - otherwise by the blocks of all notes with the id `PREFIX-NUMBER` (zeros before the number do not matter);
//! - otherwise by nothing, and what the third cell says is why.
//!
//! A block `PREFIX-NUMBER` is a claim of the list even if it has no row.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::diagnostic::{Diagnostic, Severity};
use crate::note::Note;
use crate::place::Place;
use crate::vault::{FileRef, Vault};

/// The property that makes a note a list of claims.
pub const PROPERTY: &str = "claims";

/// A list of claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimList {
    /// The note that declares it.
    pub file: FileRef,
    /// What the ids of its claims begin with, without the hyphen.
    pub prefix: String,
    /// The claims, by number.
    pub claims: Vec<ListedClaim>,
    /// What is wrong with the list, at its place in the note.
    pub problems: Vec<Diagnostic>,
}

/// One claim of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListedClaim {
    /// Its number in the list.
    pub number: u32,
    /// The sentence, as it is written in the row, or in the block that answers it.
    pub sentence: String,
    /// Its row in the note of the list, if it has one.
    pub row: Option<Place>,
    /// The blocks that answer it: note and block id (without `^`).
    pub answers: Vec<(FileRef, String)>,
    /// Why nothing answers it, if the list says so.
    pub reason: Option<String>,
}

/// All lists of a vault, by the path of their note.
pub fn lists(vault: &Vault) -> Vec<ClaimList> {
    let declared = vault
        .notes()
        .filter(|(_, note)| note.properties.get(PROPERTY).is_some());
    declared.map(|(file, note)| list(vault, file, note)).collect()
}

fn list(vault: &Vault, file: &FileRef, note: &Note) -> ClaimList {
    let mut found = ClaimList {
        file: file.clone(),
        prefix: String::new(),
        claims: Vec::new(),
        problems: Vec::new(),
    };
    let word = note.properties.get(PROPERTY).and_then(serde_json::Value::as_str);
    let is_word = |word: &&str| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let Some(prefix) = word.filter(is_word) else {
        let message = "`claims` is what the block ids of the claims begin with: letters, digits and hyphens";
        let place = note.properties.place.unwrap_or_default();
        found
            .problems
            .push(Diagnostic::new(Severity::Error, "note.claims", message, place));
        return found;
    };
    prefix.clone_into(&mut found.prefix);
    let mut claims: BTreeMap<u32, ListedClaim> = BTreeMap::new();
    for row in rows(note) {
        let claim = of_row(vault, file, note, &row, &mut found.problems);
        let place = row.place;
        if let Some(before) = claims.insert(claim.number, claim) {
            let line = before.row.map_or(0, |place| place.line);
            let message = format!("the claim {} has a row already, in line {line}", before.number);
            found
                .problems
                .push(Diagnostic::new(Severity::Error, "note.claims", message, place));
        }
    }
    let linked: Vec<u32> = claims
        .values()
        .filter(|claim| !claim.answers.is_empty())
        .map(|claim| claim.number)
        .collect();
    for (file, note) in vault.notes() {
        for block in &note.blocks {
            let Some(number) = number_of(&block.id, prefix) else {
                continue;
            };
            let claim = claims.entry(number).or_insert_with(|| ListedClaim {
                number,
                ..ListedClaim::default()
            });
            if claim.sentence.is_empty() {
                claim.sentence = block.text.trim().replace('\n', " ");
            }
            if !linked.contains(&number) {
                claim.answers.push((file.clone(), block.id.clone()));
                claim.reason = None;
            }
        }
    }
    found.claims = claims.into_values().collect();
    found
}

/// The number of a block id `PREFIX-NUMBER`.
fn number_of(id: &str, prefix: &str) -> Option<u32> {
    let head = id.get(..prefix.len())?;
    let digits = id[prefix.len()..].strip_prefix('-')?;
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    (head.eq_ignore_ascii_case(prefix) && is_number).then(|| digits.parse().ok())?
}

/// A row of a table whose first cell is a number.
struct Row {
    number: u32,
    place: Place,
    /// The bytes of its cells.
    cells: Vec<Range<usize>>,
}

fn rows(note: &Note) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut start = 0;
    for line in note.text.split_inclusive('\n') {
        let range = start..start + line.trim_end().len();
        start += line.len();
        let hidden = |place: &Place| place.contains(range.start);
        if !line.trim_start().starts_with('|')
            || note.code.iter().any(|code| hidden(&code.place))
            || note.comments.iter().any(|comment| hidden(&comment.place))
        {
            continue;
        }
        let cells = cells(&note.text, range.clone());
        let number = cells
            .first()
            .and_then(|cell| note.text.get(cell.clone())?.trim().parse().ok());
        if let Some(number) = number {
            rows.push(Row {
                number,
                place: note.place(range),
                cells,
            });
        }
    }
    rows
}

/// The cells of a row: what stands between bars that are not escaped.
fn cells(text: &str, line: Range<usize>) -> Vec<Range<usize>> {
    let mut cells = Vec::new();
    let (mut start, mut escaped) = (None, false);
    for (at, character) in text[line.clone()].char_indices() {
        match character {
            '|' if !escaped => {
                if let Some(start) = start {
                    cells.push(start..line.start + at);
                }
                start = Some(line.start + at + 1);
                escaped = false;
            }
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    if let Some(start) = start.filter(|start| !text[*start..line.end].trim().is_empty()) {
        cells.push(start..line.end);
    }
    cells
}

fn of_row(vault: &Vault, file: &FileRef, note: &Note, row: &Row, problems: &mut Vec<Diagnostic>) -> ListedClaim {
    let cell = |index: usize| row.cells.get(index).cloned().unwrap_or_default();
    let text = |range: Range<usize>| note.text[range].trim().replace("\\|", "|");
    let mut answers = Vec::new();
    let third = cell(2);
    let mut links = 0;
    for link in note.links.iter().filter(|link| third.contains(&link.place.start)) {
        let Some(block) = link.block() else { continue };
        links += 1;
        let target = vault.resolve(file, &link.target).map(|resolution| resolution.file);
        match target.filter(|target| vault.note(target).is_some_and(|note| note.block(block).is_some())) {
            Some(target) => answers.push((target, block.to_owned())),
            None => problems.push(Diagnostic::new(
                Severity::Error,
                "note.claims",
                format!(
                    "the claim {} is to be answered by [[{}]], which there is not",
                    row.number,
                    link.linktext()
                ),
                link.place,
            )),
        }
    }
    ListedClaim {
        number: row.number,
        sentence: text(cell(1)),
        row: Some(row.place),
        answers,
        reason: Some(text(third)).filter(|reason| links == 0 && !reason.is_empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::{Layer, Settings};

    fn vault(notes: &[(&str, &str)]) -> Vault {
        let mut vault = Vault::new(Settings::default());
        for (path, text) in notes {
            vault.insert(Layer::User, Note::parse(*path, *text));
        }
        vault
    }

    fn shown(list: &ClaimList) -> Vec<String> {
        let claims = list.claims.iter().map(|claim| {
            let answers: Vec<String> = claim
                .answers
                .iter()
                .map(|(file, block)| format!("{}^{block}", file.path))
                .collect();
            let reason = claim.reason.as_deref().unwrap_or_default();
            format!("{} {:?} {} {reason:?}", claim.number, claim.sentence, answers.join(" "))
        });
        claims.collect()
    }

    #[test]
    fn rows_and_blocks_make_the_list() {
        let list_note = "---\nclaims: seed\n---\n| n | s | e |\n|---|---|---|\n| 7 | linked | [[b#^other]] and [[b\\|B]] |\n| 30 | no way \\| no | a [[b]] says it |\n| 031 | in a block | |\n| 8 | nothing |\n\n```\n| 99 | code | |\n```\n%%\n| 98 | comment | |\n%%\n\nOwn. ^SEED-2\n";
        let other = "Other. ^other\n\nIn a block. ^seed-031\n\nOnce more\nin two lines. ^seed-9\n\nNo. ^seed-x\n\nNo. ^seeds-1\n";
        let lists = lists(&vault(&[
            ("a.md", list_note),
            ("b.md", other),
            ("c.md", "Again. ^seed-31\n"),
        ]));
        assert_eq!(lists.len(), 1);
        assert_eq!(
            shown(&lists[0]),
            [
                "2 \"Own.\" a.md^SEED-2 \"\"",
                "7 \"linked\" b.md^other \"\"",
                "8 \"nothing\"  \"\"",
                "9 \"Once more in two lines.\" b.md^seed-9 \"\"",
                "30 \"no way | no\"  \"a [[b]] says it\"",
                "31 \"in a block\" b.md^seed-031 c.md^seed-31 \"\"",
            ]
        );
        assert_eq!(lists[0].problems, []);
    }

    #[test]
    fn what_is_wrong_with_a_list_is_named() {
        for (text, line, part) in [
            ("---\nclaims: [a]\n---\n", 1, "begin with"),
            (
                "---\nclaims: s\n---\n| 1 | a | |\n| 1 | b | |\n",
                5,
                "has a row already, in line 4",
            ),
            (
                "---\nclaims: s\n---\n| 1 | a | [[b#^c]] |\n",
                4,
                "[[b#^c]], which there is not",
            ),
        ] {
            let lists = lists(&vault(&[("a.md", text), ("b.md", "x ^y\n")]));
            let problems: Vec<(u32, &str)> = lists[0]
                .problems
                .iter()
                .map(|problem| (problem.place.line, problem.message.as_str()))
                .collect();
            assert!(
                problems.len() == 1 && problems[0].0 == line && problems[0].1.contains(part),
                "{problems:?}"
            );
        }
    }
}
