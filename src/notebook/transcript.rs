//! Consoles whose text is brought up to date: what stands under a `$` line is what it prints.

use std::ops::Range;

use peapod_sim::cluster::{Cluster, Config};
use peapod_sim::manifest;
use peapod_vault::{Cell, CellKind, Note};

use crate::cluster_api;
use crate::lab::cell::{agrees, typed};
use crate::lab::limit;
use crate::workstation::{self, Workstation};

/// What `--update` makes of a note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Updated {
    /// The whole note.
    pub text: String,
    /// The lines of the note (from 1) under which other text stands now.
    pub lines: Vec<u32>,
}

/// The note with its consoles brought up to date: where a line prints something else than stands under it, it now says
/// what is printed. A line under which nothing stands is left alone, and so is text that agrees by its `…`. `None` when
/// nothing is to be changed.
pub fn update(note: &Note) -> Option<Updated> {
    let mut changes: Vec<(Range<usize>, String, u32)> = Vec::new();
    for cell in note.cells.iter().filter(|cell| cell.kind == CellKind::Console) {
        changes.extend(of_cell(note, cell));
    }
    if changes.is_empty() {
        return None;
    }
    let mut text = note.text.to_string();
    let mut lines: Vec<u32> = changes.iter().map(|(.., line)| *line).collect();
    lines.sort_unstable();
    changes.sort_by_key(|(range, ..)| std::cmp::Reverse(range.start));
    for (range, new, _) in changes {
        text.replace_range(range, &new);
    }
    Some(Updated { text, lines })
}

/// The places of the note that must say something else, what they must say, and the line above each.
fn of_cell(note: &Note, cell: &Cell) -> Vec<(Range<usize>, String, u32)> {
    let Ok(mut cluster) = Cluster::new(Config {
        record_limit: limit::RECORDS,
        ..Config::default()
    }) else {
        return Vec::new();
    };
    let above: Vec<&Cell> = note
        .cells
        .iter()
        .filter(|above| above.kind == CellKind::Manifest && above.index < cell.index)
        .collect();
    for above in &above {
        // A manifest that cannot be read is complained of where it stands.
        if let Ok(manifests) = manifest::read(&above.text) {
            cluster_api::apply(&mut cluster, &manifests, "default", &above.text);
        }
    }
    if !above.is_empty() {
        let until = cluster.now() + limit::CONSOLE_LEAD;
        workstation::pass(&mut cluster, until);
    }
    let mut station = Workstation::new(1);
    let lines: Vec<&str> = cell.text.lines().collect();
    let mut changes = Vec::new();
    for shown in typed(&cell.text) {
        let mut printed = String::new();
        station.enter(&mut cluster, &shown.command, &mut |_, text| printed.push_str(text));
        let expected = lines.get(shown.under.clone()).unwrap_or_default().join("\n");
        if expected.trim().is_empty() || agrees(&expected, &printed) {
            continue;
        }
        // Empty lines that set the next command apart stay.
        let blank = lines[shown.under.clone()]
            .iter()
            .rev()
            .take_while(|line| line.trim().is_empty())
            .count();
        let under = shown.under.start..shown.under.end - blank;
        let (Some(own), Some(first), Some(last)) = (
            cell.lines.get(shown.line as usize),
            cell.lines.get(under.start),
            cell.lines.get(under.end - 1),
        ) else {
            continue;
        };
        // What stands before the text of a line: the marks of a quote, the indentation of a list.
        let start = |range: &Range<usize>| note.text[..range.start].rfind('\n').map_or(0, |at| at + 1);
        let prefix = &note.text[start(own)..own.start];
        let newline = if note.text.contains("\r\n") { "\r\n" } else { "\n" };
        let new: Vec<String> = printed
            .trim_end()
            .lines()
            .map(|line| format!("{prefix}{}", line.trim_end()))
            .collect();
        let line = cell.first_line + shown.line;
        // A line that prints nothing has nothing under it: its line end goes too.
        let range = match new.is_empty() {
            true => {
                start(first)
                    ..note.text[last.end..]
                        .find('\n')
                        .map_or(note.text.len(), |at| last.end + at + 1)
            }
            false => start(first)..last.end,
        };
        changes.push((range, new.join(newline), line));
    }
    changes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_printed_stands_under_its_line_afterwards() {
        let text = "a\n\n```yaml\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n```\n\n> ```console\n> $ kubectl get cm c -o name\n> wrong\n> and more\n>\n> $ kubectl get ns -o name\n> namespace/default\n> …\n> $ kubectl create ns a > /dev/null\n> something\n> ```\nb\n";
        let updated = update(&Note::parse("n.md", text)).unwrap();
        assert_eq!(
            updated.text,
            "a\n\n```yaml\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n```\n\n> ```console\n> $ kubectl get cm c -o name\n> configmap/c\n>\n> $ kubectl get ns -o name\n> namespace/default\n> …\n> $ kubectl create ns a > /dev/null\n> ```\nb\n"
        );
        assert_eq!(updated.lines, [10, 17]);
        assert_eq!(update(&Note::parse("n.md", updated.text)), None);
    }

    #[test]
    fn text_that_agrees_stays() {
        for text in [
            "```console\n$ kubectl get ns\nNAME …\n```\n",
            "```console\n$ kubectl get ns\n```\n",
            "x\n",
        ] {
            assert_eq!(update(&Note::parse("n.md", text)), None, "{text}");
        }
    }
}
