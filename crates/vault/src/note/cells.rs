//! Cells: the fences of a note that run.

use std::collections::HashMap;
use std::ops::Range;

use serde::Serialize;

use super::facts::CodeBlock;
use crate::place::{Lines, Place};

/// What a cell is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum CellKind {
    /// `yaml` or `yml` whose documents all have `apiVersion` and `kind`.
    Manifest,
    /// `experiment`.
    Experiment,
    /// `console`, `sh` or `bash` with lines that begin with `$ kubectl`.
    Console,
}

/// A fence that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cell {
    /// What it is.
    pub kind: CellKind,
    /// Its number among the note's cells, from 0.
    pub index: usize,
    /// Its id: an experiment's `id:`, or `{#id}` in the info string of any fence.
    pub id: Option<String>,
    /// What results are kept under, unique in the note: the id, or else what the cell says of itself (`pod-nginx` for a
    /// manifest, the slug of an experiment's title, `console`), numbered from the second of its name on (`console-2`).
    /// It stays when other cells are added, so that a cell keeps its history.
    pub key: String,
    /// The first word of the info string, lower-cased.
    pub lang: String,
    /// The content as it runs: without the prefixes of quotes and lists, lines ended by LF.
    #[serde(skip)]
    pub text: String,
    /// The fence with its marks.
    pub place: Place,
    /// Bytes of the file from the first to the end of the last content line. Inside a quote or a list this range holds
    /// the container's prefixes too; [`Cell::lines`] does not.
    pub content: Range<usize>,
    /// Line of the first content line, from 1.
    pub first_line: u32,
    /// The bytes of each content line after the prefix of its container.
    #[serde(skip)]
    pub lines: Vec<Range<usize>>,
    /// Index into [`Note::code`](crate::Note::code).
    #[serde(skip)]
    pub code: usize,
}

impl Cell {
    /// The place in the note of a line and a column (both from 1, column in characters) of the cell's text: for errors
    /// of a manifest or an experiment. `length` is in characters.
    pub fn place_of(&self, note_text: &str, lines: &Lines, line: u32, column: u32, length: u32) -> Place {
        let Some(range) = self.lines.get((line.max(1) - 1) as usize) else {
            return lines.place(note_text, self.content.end..self.content.end);
        };
        let source = note_text.get(range.clone()).unwrap_or("");
        // A tab that is partly the container's indentation leaves spaces in the text which the source has not.
        let text_line = self.text.split('\n').nth((line.max(1) - 1) as usize).unwrap_or("");
        let extra = text_line.chars().count().saturating_sub(source.chars().count());
        let column = (column.max(1) as usize - 1).saturating_sub(extra);
        let at = |column: usize| source.char_indices().nth(column).map_or(source.len(), |(at, _)| at);
        lines.place(
            note_text,
            range.start + at(column)..range.start + at(column + length.max(1) as usize),
        )
    }
}

/// The cells among code blocks, in order.
pub(crate) fn cells_of(code: &[CodeBlock]) -> Vec<Cell> {
    let mut cells: Vec<Cell> = Vec::new();
    let mut given: HashMap<String, usize> = HashMap::new();
    for (code_index, block) in code.iter().enumerate() {
        let Some(lang) = block.lang.as_deref().filter(|_| block.fenced) else {
            continue;
        };
        let kind = match lang {
            "yaml" | "yml" if is_manifest(&block.text) => CellKind::Manifest,
            "experiment" => CellKind::Experiment,
            "console" | "sh" | "bash" if is_console(&block.text) => CellKind::Console,
            _ => continue,
        };
        let id = info_id(&block.info).or_else(|| match kind {
            CellKind::Experiment => top_level_value(&block.text, "id"),
            _ => None,
        });
        let content = match (block.lines.first(), block.lines.last()) {
            (Some(first), Some(last)) => first.start..last.end,
            _ => block.place.end..block.place.end,
        };
        let name = id.clone().unwrap_or_else(|| name_of(kind, &block.text));
        // How often each name was given, so that many cells of one name stay cheap.
        let mut key = name.clone();
        while given.contains_key(&key) {
            let count = given.entry(name.clone()).or_insert(1);
            *count += 1;
            key = format!("{name}-{count}");
        }
        given.insert(key.clone(), 1);
        cells.push(Cell {
            kind,
            index: cells.len(),
            id,
            key,
            lang: lang.to_owned(),
            text: block.text.clone(),
            place: block.place,
            content,
            first_line: block.first_line,
            lines: block.lines.clone(),
            code: code_index,
        });
    }
    cells
}

/// What a cell without an id calls itself.
fn name_of(kind: CellKind, text: &str) -> String {
    let word = |text: &str| {
        let parts = text
            .split(|c: char| !c.is_alphanumeric() && c != '.')
            .filter(|part| !part.is_empty());
        parts.collect::<Vec<_>>().join("-").to_lowercase()
    };
    let name = match kind {
        CellKind::Manifest => {
            let kind = top_level_value(text, "kind").unwrap_or_default();
            format!("{} {}", kind, metadata_name(text).unwrap_or_default())
        }
        CellKind::Experiment => top_level_value(text, "title").unwrap_or_default(),
        CellKind::Console => String::new(),
    };
    match (word(&name), kind) {
        (name, _) if !name.is_empty() => name,
        (_, CellKind::Manifest) => "manifest".to_owned(),
        (_, CellKind::Experiment) => "experiment".to_owned(),
        (_, CellKind::Console) => "console".to_owned(),
    }
}

/// `metadata.name` of the first document that has one in block style, or as `metadata: {name: x}`.
fn metadata_name(text: &str) -> Option<String> {
    let mut lines = text.lines().skip_while(|line| key_of(line) != Some("metadata"));
    let head = lines.next()?.split_once(':')?.1.trim();
    if let Some(flow) = head.strip_prefix('{') {
        let mut entries = flow
            .trim_end_matches('}')
            .split(',')
            .filter_map(|entry| entry.split_once(':'));
        return entries
            .find(|(key, _)| key.trim() == "name")
            .map(|(_, value)| value.trim().to_owned());
    }
    lines
        .take_while(|line| line.starts_with([' ', '\t']) || line.trim().is_empty())
        .filter_map(|line| line.trim().split_once(':'))
        .find(|(key, _)| *key == "name")
        .map(|(_, value)| value.trim().trim_matches(['"', '\'']).to_owned())
}

/// Whether every YAML document of `text` has `apiVersion` and `kind` at its top. Read from the lines, so that a manifest
/// with a mistake in it is still a manifest, whose mistake is then shown.
fn is_manifest(text: &str) -> bool {
    let mut found_any = false;
    for document in documents(text) {
        let lines = document
            .iter()
            .filter(|line| !line.trim_start().starts_with('#') && !line.trim().is_empty());
        let Some(first) = lines.clone().next() else { continue };
        let complete = if first.trim_start().starts_with('{') {
            // JSON, or YAML in flow style.
            let has = |key: &str| document.iter().any(|line| line.contains(key));
            has("apiVersion") && has("kind")
        } else {
            let has = |key: &str| lines.clone().any(|line| key_of(line) == Some(key));
            has("apiVersion") && has("kind")
        };
        if !complete {
            return false;
        }
        found_any = true;
    }
    found_any
}

/// The lines of each document.
fn documents(text: &str) -> Vec<Vec<&str>> {
    let mut documents = vec![Vec::new()];
    for line in text.lines() {
        match line.strip_prefix("---") {
            Some(rest) if rest.is_empty() || rest.starts_with([' ', '\t']) => documents.push(vec![rest]),
            _ => documents
                .last_mut()
                .into_iter()
                .for_each(|document| document.push(line)),
        }
    }
    documents
}

/// The key of a line `key: …` that begins in the first column; quotes around it are dropped.
fn key_of(line: &str) -> Option<&str> {
    let (key, value) = line.split_once(':')?;
    let plain = value.is_empty() || value.starts_with([' ', '\t']);
    (plain && !key.starts_with([' ', '\t', '-'])).then(|| key.trim().trim_matches(['"', '\'']))
}

/// The plain or quoted value of a key in the first column.
fn top_level_value(text: &str, key: &str) -> Option<String> {
    let line = text.lines().find(|line| key_of(line) == Some(key))?;
    let value = line.split_once(':')?.1.trim();
    let value = match value.chars().next()? {
        quote @ ('"' | '\'') => value[1..].split(quote).next()?,
        _ => value.split(" #").next()?.trim_end(),
    };
    (!value.is_empty()).then(|| value.to_owned())
}

/// Whether a line begins with `$ kubectl`.
fn is_console(text: &str) -> bool {
    text.lines().any(|line| {
        let command = line
            .strip_prefix("$ ")
            .map(str::trim_start)
            .and_then(|rest| rest.strip_prefix("kubectl"));
        command.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']))
    })
}

/// `#id` in the braces of an info string: `yaml {#web .wide}`.
fn info_id(info: &str) -> Option<String> {
    let inside = info.split_once('{')?.1.split_once('}')?.0;
    let id = inside.split_whitespace().find_map(|word| word.strip_prefix('#'))?;
    (!id.is_empty()).then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_manifest() {
        for (text, expected) in [
            ("apiVersion: v1\nkind: Pod\n", true),
            (
                "# a comment\n\napiVersion: v1\nkind: Pod\n---\napiVersion: v1\nkind: Service\n",
                true,
            ),
            ("---\napiVersion: v1\nkind: Pod\n---\n", true),
            ("apiVersion: v1\nkind: Pod\n---\na: 1\n", false),
            ("a:\n  apiVersion: v1\n  kind: Pod\n", false),
            ("{\"apiVersion\": \"v1\",\n \"kind\": \"Pod\"}\n", true),
            ("apiVersion: v1\nkind: Pod\nspec: [\n", true),
            ("kind: Pod\n", false),
            ("", false),
        ] {
            assert_eq!(is_manifest(text), expected, "{text}");
        }
    }

    #[test]
    fn cells_without_an_id_name_themselves() {
        for (kind, text, name) in [
            (
                CellKind::Manifest,
                "apiVersion: v1\nkind: Pod\nmetadata:\n  name: nginx\n",
                "pod-nginx",
            ),
            (
                CellKind::Manifest,
                "apiVersion: v1\nkind: Pod\nmetadata: {name: demo, labels: {}}\n",
                "pod-demo",
            ),
            (
                CellKind::Manifest,
                "apiVersion: v1\nkind: Job\nspec:\n  name: x\n",
                "job",
            ),
            (CellKind::Manifest, "{}", "manifest"),
            (
                CellKind::Experiment,
                "title: 파드는 언제 Failed가 되는가?\n",
                "파드는-언제-failed가-되는가",
            ),
            (CellKind::Experiment, "steps: []\n", "experiment"),
            (CellKind::Console, "$ kubectl get pods\n", "console"),
        ] {
            assert_eq!(name_of(kind, text), name, "{text}");
        }
    }

    #[test]
    fn ids() {
        assert_eq!(
            top_level_value("title: x\nid: failed-phase   # why\n", "id").as_deref(),
            Some("failed-phase")
        );
        assert_eq!(top_level_value("id: \"a b\"\n", "id").as_deref(), Some("a b"));
        assert_eq!(top_level_value("steps:\n  id: no\n", "id"), None);
        assert_eq!(info_id("yaml {.wide #web}").as_deref(), Some("web"));
        assert_eq!(info_id("yaml title=\"{\""), None);
    }
}
