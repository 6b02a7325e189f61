//! Cells of a note as something to run.

use std::sync::Arc;

use peapod_vault::{Cell, CellKind, Note};

use crate::lab::model::{Diagnostic, Experiment};
use crate::lab::{self, Reading};

/// A cell that was read.
#[derive(Clone, Debug)]
pub struct CellInfo {
    /// What its results are kept under.
    pub key: String,
    /// What it is.
    pub kind: CellKind,
    /// Its text.
    pub source: Arc<str>,
    /// What it states, if it can run.
    pub experiment: Option<Arc<Experiment>>,
    /// What there is to say about its text.
    pub diagnostics: Vec<Diagnostic>,
    /// How many trials it has.
    pub total: usize,
}

/// Reads a cell of a note.
pub fn read(note: &Note, cell: &Cell) -> CellInfo {
    read_text(note, cell, &cell.text)
}

/// Reads a text in the place of a cell: a changed copy.
pub fn read_text(note: &Note, cell: &Cell, text: &str) -> CellInfo {
    let file = Some(note.path.as_str());
    let reading = match cell.kind {
        CellKind::Experiment => lab::read(text, file, cell.first_line),
        CellKind::Manifest => lab::cell::manifest(&cell.key, text, file, cell.first_line),
        CellKind::Console => {
            let above = note
                .cells
                .iter()
                .filter(|other| other.kind == CellKind::Manifest && other.index < cell.index);
            let before: Vec<(&str, u32)> = above.map(|other| (other.text.as_str(), other.first_line)).collect();
            lab::cell::console(&cell.key, text, &before, file, cell.first_line)
        }
    };
    let Reading {
        experiment,
        mut diagnostics,
    } = reading;
    let experiment = experiment.map(|mut experiment| {
        experiment.id.clone_from(&cell.key);
        if cell.kind == CellKind::Manifest {
            experiment.title = manifest_title(text);
        }
        experiment
    });
    let total = match experiment.as_ref().map(lab::trials) {
        Some(Ok(trials)) => trials.len(),
        Some(Err(too_many)) => {
            let known = diagnostics.iter().any(|diagnostic| diagnostic.code == too_many.code);
            if !known {
                diagnostics.push(too_many);
            }
            0
        }
        None => 0,
    };
    CellInfo {
        key: cell.key.clone(),
        kind: cell.kind,
        source: text.into(),
        experiment: experiment.filter(|_| total > 0).map(Arc::new),
        diagnostics,
        total,
    }
}

/// `Pod nginx · Service web` of the documents of a manifest.
pub fn manifest_title(source: &str) -> String {
    let mut names = Vec::new();
    for document in source.split("\n---") {
        let value = |prefix: &str| {
            let line = document.lines().find(|line| line.starts_with(prefix))?;
            Some(
                line[prefix.len()..]
                    .split(" #")
                    .next()
                    .unwrap_or("")
                    .trim()
                    .trim_matches(['"', '\''])
                    .to_owned(),
            )
        };
        let name = document
            .lines()
            .skip_while(|line| !line.starts_with("metadata:"))
            .find_map(|line| {
                let rest = line
                    .trim_start_matches("metadata:")
                    .trim_start()
                    .trim_start_matches('{')
                    .trim_start();
                let value = rest.strip_prefix("name:")?;
                Some(
                    value
                        .split([',', '}', '#'])
                        .next()
                        .unwrap_or("")
                        .trim()
                        .trim_matches(['"', '\''])
                        .to_owned(),
                )
            });
        if let Some(kind) = value("kind:") {
            names.push(name.map_or_else(|| kind.clone(), |name| format!("{kind} {name}")));
        }
    }
    names.truncate(6);
    names.join(" · ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_called_by_its_objects() {
        let text = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: nginx\n---\napiVersion: v1\nkind: Service\nmetadata: {name: web, labels: {}}\n";
        assert_eq!(manifest_title(text), "Pod nginx · Service web");
        assert_eq!(manifest_title("kind: Job\n"), "Job");
    }
}
