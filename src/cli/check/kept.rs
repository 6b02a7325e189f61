//! What `--changed` keeps: which cells were as written when they were last run, by the hash of what was run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use peapod_vault::{Cell, CellKind, Note};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::cli::cells::Outcome;
use crate::lab::model::ClaimResult;

/// A cell that was as written.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct KeptCell {
    /// SHA-256 of everything that it says.
    hash: String,
    /// Where its text began; its claims' lines move with it.
    first_line: u32,
    /// What came out.
    pub(super) claims: Vec<ClaimResult>,
}

/// The cells of a vault that were as written.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Kept {
    /// The program that ran them: another one runs all again.
    program: String,
    /// By the path of the note, then by the key of the cell.
    notes: BTreeMap<String, BTreeMap<String, KeptCell>>,
    #[serde(skip)]
    path: PathBuf,
}

impl Kept {
    /// What is kept beside the notes of a vault. What cannot be read, or is of another program, counts as nothing.
    pub(super) fn read(root: &Path) -> Self {
        let path = root.join(".peapod").join("checked.json");
        let program = program();
        let kept = std::fs::read(&path)
            .ok()
            .and_then(|bytes| serde_json::from_slice::<Self>(&bytes).ok());
        let kept = kept.filter(|kept| kept.program == program).unwrap_or_default();
        Self { program, path, ..kept }
    }

    /// What came out for a cell, if it says what it said then.
    pub(super) fn unchanged(&self, note: &Note, cell: &Cell) -> Option<KeptCell> {
        let kept = self.notes.get(&note.path)?.get(&cell.key)?;
        let mut kept = kept.clone();
        for claim in &mut kept.claims {
            claim.place.line = (claim.place.line + cell.first_line).saturating_sub(kept.first_line);
        }
        (kept.hash == hash(note, cell)).then_some(kept)
    }

    /// Keeps what came out for a cell that was run, or forgets the cell if it is not as written or had something said of it.
    pub(super) fn ran(&mut self, note: &Note, cell: &Cell, outcome: &Outcome) {
        let cells = self.notes.entry(note.path.clone()).or_default();
        let good = outcome.complaints() == 0 && outcome.diagnostics.is_empty();
        match outcome.result.as_ref().filter(|_| good) {
            Some(result) => {
                let kept = KeptCell {
                    hash: hash(note, cell),
                    first_line: cell.first_line,
                    claims: result.claims.clone(),
                };
                cells.insert(cell.key.clone(), kept);
            }
            None => drop(cells.remove(&cell.key)),
        }
    }

    /// Forgets the cells that a note no longer has.
    pub(super) fn forget_others(&mut self, note: &Note) {
        if let Some(cells) = self.notes.get_mut(&note.path) {
            cells.retain(|key, _| note.cells.iter().any(|cell| cell.key == *key));
        }
    }

    /// Writes it down; a reader sees the old or the new.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn write(&self) -> anyhow::Result<()> {
        let said = || format!("{} cannot be written", self.path.display());
        let folder = self.path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).with_context(said)?;
        let new = self.path.with_extension(format!("{}.tmp", std::process::id()));
        std::fs::write(&new, serde_json::to_vec(self)?).with_context(said)?;
        std::fs::rename(&new, &self.path).with_context(said)
    }
}

/// Which program this is: a change of the simulation may change what comes out, without a new version.
fn program() -> String {
    let file = std::env::current_exe().and_then(std::fs::metadata);
    let built = file.map_or_else(
        |_| String::new(),
        |file| {
            let changed = file
                .modified()
                .ok()
                .and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
            format!("{} bytes of {}", file.len(), changed.unwrap_or_default().as_nanos())
        },
    );
    format!("peapod {}, {built}", env!("CARGO_PKG_VERSION"))
}

/// Everything that decides what comes out for a cell: its text, and for a console the manifests above it.
fn hash(note: &Note, cell: &Cell) -> String {
    let mut digest = Sha256::new();
    let mut add = |cell: &Cell| {
        digest.update(format!("{:?} {}\n", cell.kind, cell.text.len()));
        digest.update(&cell.text);
    };
    if cell.kind == CellKind::Console {
        let above = note
            .cells
            .iter()
            .filter(|above| above.kind == CellKind::Manifest && above.index < cell.index);
        above.for_each(&mut add);
    }
    add(cell);
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
