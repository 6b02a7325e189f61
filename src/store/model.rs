//! What is kept, as the rest of the program sees it.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::lab::model::{ClaimResult, DecisionTable, Diagnostic, Experiment, RunResult, RunStatus, TrialResult};

/// Names a run, for ever: the number is never given to another one, also when the run is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub i64);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::str::FromStr for RunId {
    type Err = std::num::ParseIntError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// What is known of a run before it starts.
#[derive(Clone, Debug, PartialEq)]
pub struct NewRun {
    /// Path of the note in its vault.
    pub note: String,
    /// The cell of the note: an experiment's id, or the id of a manifest cell.
    pub cell: String,
    /// The text of the cell as it is run; its hash tells whether the note has changed since.
    pub source: String,
    /// Whether the text is a changed copy ("try a change") and not the note's: such a run gives no verdict to the note.
    pub scratch: bool,
    /// The experiment that `source` states.
    pub experiment: Experiment,
    /// How it is run beyond what the experiment says: a JSON object, such as `{"schedules": 200}`.
    pub settings: Value,
    /// Kubernetes versions, as the experiment's trials name them: `1.36`, or `1.35, 1.36`.
    pub kubernetes: String,
    /// How many trials it has.
    pub total: usize,
}

/// What a run concluded, when it ends.
#[derive(Clone, Debug, PartialEq)]
pub struct Conclusion {
    /// How it ended; not [`RunStatus::Running`].
    pub status: RunStatus,
    /// One result an expectation.
    pub claims: Vec<ClaimResult>,
    /// The decision tables.
    pub tables: Vec<DecisionTable>,
    /// What to tell about the run as a whole.
    pub diagnostics: Vec<Diagnostic>,
}

impl From<&RunResult> for Conclusion {
    fn from(result: &RunResult) -> Self {
        Self {
            status: result.status,
            claims: result.claims.clone(),
            tables: result.tables.clone(),
            diagnostics: result.diagnostics.clone(),
        }
    }
}

/// A run in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunSummary {
    /// Which run.
    pub id: RunId,
    /// Path of the note.
    pub note: String,
    /// The cell of the note.
    pub cell: String,
    /// The experiment's title.
    pub title: String,
    /// [`source_hash`] of the text that was run.
    pub source_hash: String,
    /// Whether it ran a changed copy of the cell.
    pub scratch: bool,
    /// Where it stands.
    pub status: RunStatus,
    /// How many trials it has.
    pub total: usize,
    /// How many of them ended.
    pub done: usize,
    /// How many of those ended with an error.
    pub failed: usize,
    /// How many claims were judged.
    pub claims: usize,
    /// How many of them came out as the note expects.
    pub as_expected: usize,
    /// Kubernetes versions.
    pub kubernetes: String,
    /// The Peapod that ran it.
    pub peapod: String,
    /// When it started.
    pub started_at: Timestamp,
    /// When it ended; `None` while it runs. For an interrupted run, when that was noticed.
    pub ended_at: Option<Timestamp>,
}

impl RunSummary {
    /// Whether the text that was run differs from `source`, the cell's text now.
    pub fn is_outdated(&self, source: &str) -> bool {
        self.source_hash != source_hash(source)
    }
}

/// A run with everything but the traces.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredRun {
    /// What the list shows of it.
    pub summary: RunSummary,
    /// The text that was run.
    pub source: String,
    /// How it was run beyond what the experiment says.
    pub settings: Value,
    /// The experiment, the trials that ended, claims and tables (none before it ends).
    pub result: RunResult,
    /// Indices of the trials that did not end.
    pub unfinished: Vec<usize>,
}

/// A trial that ended, ready to be recorded.
#[derive(Clone, Debug)]
pub struct FinishedTrial {
    /// What it gave.
    pub result: TrialResult,
    /// Its trace; `None` for a trial that never got so far.
    pub trace: Option<super::EncodedTrace>,
}

/// The newest result of a claim of a note.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewestClaim {
    /// The run that says so.
    pub run: RunId,
    /// The cell that checks it.
    pub cell: String,
    /// [`source_hash`] of the text that was run: another hash than the cell's means that the note has changed since.
    pub source_hash: String,
    /// When the run ended.
    pub ended_at: Timestamp,
    /// What it says.
    pub result: ClaimResult,
}

impl NewestClaim {
    /// Whether the text that was run differs from `source`, the cell's text now.
    pub fn is_outdated(&self, source: &str) -> bool {
        self.source_hash != source_hash(source)
    }
}

/// What a reader thought would happen, before the first run.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Prediction {
    /// Which one.
    pub id: i64,
    /// Path of the note.
    pub note: String,
    /// The cell.
    pub cell: String,
    /// [`source_hash`] of the cell's text when it was made.
    pub source_hash: String,
    /// What was asked.
    pub ask: String,
    /// What the reader said: text, or an object of outcomes by assignment.
    pub answer: Value,
    /// When.
    pub made_at: Timestamp,
}

/// What is known of a prediction when it is made.
#[derive(Clone, Debug, PartialEq)]
pub struct NewPrediction {
    /// Path of the note.
    pub note: String,
    /// The cell.
    pub cell: String,
    /// The text of the cell.
    pub source: String,
    /// What was asked.
    pub ask: String,
    /// What the reader said.
    pub answer: Value,
}

/// What is kept of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSession {
    /// Its title.
    pub title: String,
    /// Path of the note that it is a session of.
    pub note: Option<String>,
    /// Its cells and what was done, as JSON.
    pub content: String,
}

/// A session in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionSummary {
    /// Which one.
    pub id: i64,
    /// Its title.
    pub title: String,
    /// Path of the note that it is a session of.
    pub note: Option<String>,
    /// When it changed last.
    pub changed_at: Timestamp,
}

/// Which runs a list holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Only of this note.
    pub note: Option<String>,
    /// Only of this cell of the note.
    pub cell: Option<String>,
    /// Also runs of changed copies.
    pub scratch: bool,
    /// At most so many, newest first; 0 means [`DEFAULT_RUNS`].
    pub limit: usize,
    /// Only runs before this one, for the next page.
    pub before: Option<RunId>,
}

/// How many runs a list holds unless told otherwise.
pub const DEFAULT_RUNS: usize = 50;

/// Lower-case hexadecimal SHA-256 of a cell's text, line ends as `\n`, without white space at the end of the text: an
/// editor that changes only these changes no result.
pub fn source_hash(source: &str) -> String {
    let text = source.replace("\r\n", "\n");
    hex(&Sha256::digest(text.trim_end().as_bytes()))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_change_no_hash() {
        assert_eq!(source_hash("a: 1\nb: 2\n"), source_hash("a: 1\r\nb: 2"));
        assert_ne!(source_hash("a: 1"), source_hash("a: 2"));
        assert_eq!(source_hash("").len(), 64);
    }
}
