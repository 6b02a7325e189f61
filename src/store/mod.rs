//! What is kept: runs, their trials and traces, verdicts about claims, predictions, sessions.
//!
//! [`Store`] speaks in the words of the domain; every statement of SQL is in [`sqlite`], so that another database is
//! another module. Reading never creates anything: the database is made when the first run is recorded. A run is recorded
//! before it starts and each trial as it ends, so a process that is killed loses at most the trials in flight; the next
//! process to open the database marks such a run as interrupted, and it can be resumed.

mod error;
mod live;
mod model;
mod sqlite;
mod trace;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use peapod_sim::trace::Trace;
use tokio::sync::OnceCell;

pub use error::StoreError;
pub use model::{
    Conclusion, DEFAULT_RUNS, FinishedTrial, NewPrediction, NewRun, NewestClaim, Prediction, RunFilter, RunId,
    RunSummary, SessionSummary, StoredRun, StoredSession, source_hash,
};
pub use trace::{EncodedTrace, MAX_TRACE_BYTES};

use crate::lab::model::{ClaimResult, TrialResult};
use sqlite::Database;

/// The folder of a vault in which Peapod keeps what it knows of it; a dot folder, so neither Obsidian nor Peapod takes
/// it for notes.
pub const FOLDER: &str = ".peapod";

/// The results of one vault. Cheap to clone; all clones share their connections.
#[derive(Clone, Debug)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    database: OnceCell<Database>,
    owner: OnceCell<live::Owner>,
}

impl Store {
    /// The results of the vault in `vault`: `.peapod/peapod.db` in it. Opens nothing yet.
    pub fn of_vault(vault: &Path) -> Self {
        Self::in_folder(vault.join(FOLDER))
    }

    /// The results kept in `folder/peapod.db`. Opens nothing yet.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self {
            inner: Arc::new(Inner {
                folder: folder.into(),
                database: OnceCell::new(),
                owner: OnceCell::new(),
            }),
        }
    }

    /// The database file; it need not exist.
    pub fn path(&self) -> PathBuf {
        self.inner.folder.join("peapod.db")
    }

    /// Opens the database if it exists: migrates it, and marks the runs of dead processes as interrupted. Every other
    /// method does so by itself; a server calls it at its start to say early what is wrong.
    ///
    /// # Errors
    /// When the database cannot be opened, is damaged, or comes from a newer Peapod.
    pub async fn open(&self) -> Result<(), StoreError> {
        self.reader().await.map(|_| ())
    }

    /// Closes all connections, so that SQLite folds its log into the database file.
    pub async fn close(&self) {
        if let Some(database) = self.inner.database.get() {
            database.close().await;
        }
    }

    /// Records a run that is about to start.
    ///
    /// # Errors
    /// When the database cannot be opened or written.
    pub async fn start_run(&self, run: &NewRun) -> Result<RunId, StoreError> {
        let database = self.writer().await?;
        database.insert_run(run, self.owner().await?, Timestamp::now()).await
    }

    /// Records trials that ended. A trial that was recorded before is replaced.
    ///
    /// # Errors
    /// When the database cannot be written, or there is no such run.
    pub async fn record_trials(&self, run: RunId, trials: &[FinishedTrial]) -> Result<(), StoreError> {
        self.writer().await?.insert_trials(run, trials, Timestamp::now()).await
    }

    /// Records how a run ended. When this returns, its results are on the disk.
    ///
    /// # Errors
    /// When the database cannot be written, or there is no such run.
    pub async fn end_run(&self, run: RunId, conclusion: &Conclusion) -> Result<(), StoreError> {
        self.writer().await?.end_run(run, conclusion, Timestamp::now()).await
    }

    /// Takes up a run that was interrupted or cancelled: it is running again, by this process. Its
    /// [`StoredRun::unfinished`] trials are left to be done.
    ///
    /// # Errors
    /// When there is no such run, or it ended in another way.
    pub async fn resume_run(&self, run: RunId) -> Result<StoredRun, StoreError> {
        let database = self.writer().await?;
        database.resume_run(run, self.owner().await?).await?;
        database.run(run).await?.ok_or(StoreError::NoSuchRun(run))
    }

    /// Forgets a run, its trials, and the traces that no other run has.
    ///
    /// # Errors
    /// When there is no such run, or it is running.
    pub async fn delete_run(&self, run: RunId) -> Result<(), StoreError> {
        let Some(database) = self.reader().await? else {
            return Err(StoreError::NoSuchRun(run));
        };
        database.delete_run(run).await
    }

    /// Runs, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn runs(&self, filter: &RunFilter) -> Result<Vec<RunSummary>, StoreError> {
        match self.reader().await? {
            Some(database) => database.runs(filter).await,
            None => Ok(Vec::new()),
        }
    }

    /// The newest runs of a cell's own text, newest first: its history.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn history(&self, note: &str, cell: &str) -> Result<Vec<RunSummary>, StoreError> {
        self.runs(&RunFilter {
            note: Some(note.to_owned()),
            cell: Some(cell.to_owned()),
            scratch: true,
            ..RunFilter::default()
        })
        .await
    }

    /// What the list shows of one run.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn summary(&self, run: RunId) -> Result<Option<RunSummary>, StoreError> {
        match self.reader().await? {
            Some(database) => database.summary(run).await,
            None => Ok(None),
        }
    }

    /// A run with all trials that ended, without the traces.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn run(&self, run: RunId) -> Result<Option<StoredRun>, StoreError> {
        match self.reader().await? {
            Some(database) => database.run(run).await,
            None => Ok(None),
        }
    }

    /// The text that a run ran, and what it says about each claim.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn said(&self, run: RunId) -> Result<Option<(String, Vec<ClaimResult>)>, StoreError> {
        match self.reader().await? {
            Some(database) => database.said(run).await,
            None => Ok(None),
        }
    }

    /// The newest finished run of a cell's own text.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn newest_run(&self, note: &str, cell: &str) -> Result<Option<StoredRun>, StoreError> {
        let Some(database) = self.reader().await? else {
            return Ok(None);
        };
        match database.newest_finished(note, cell).await? {
            Some(run) => database.run(run).await,
            None => Ok(None),
        }
    }

    /// One trial of a run.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn trial(&self, run: RunId, trial: usize) -> Result<Option<TrialResult>, StoreError> {
        match self.reader().await? {
            Some(database) => database.trial(run, trial).await,
            None => Ok(None),
        }
    }

    /// The trace of a trial; `None` when there is no such trial, or it left none.
    ///
    /// # Errors
    /// When the database cannot be read, or what was stored is damaged.
    pub async fn trace(&self, run: RunId, trial: usize) -> Result<Option<Trace>, StoreError> {
        let Some(database) = self.reader().await? else {
            return Ok(None);
        };
        let Some(encoded) = database.trace(run, trial).await? else {
            return Ok(None);
        };
        encoded
            .decode()
            .map(Some)
            .map_err(|reason| StoreError::DamagedTrace { run, trial, reason })
    }

    /// For each claim of a note the newest result that a finished run of the note's own text gave.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn newest_claims(&self, note: &str) -> Result<Vec<NewestClaim>, StoreError> {
        match self.reader().await? {
            Some(database) => database.newest_claims(note).await,
            None => Ok(Vec::new()),
        }
    }

    /// Records what a reader thinks will happen.
    ///
    /// # Errors
    /// When the database cannot be opened or written.
    pub async fn predict(&self, prediction: &NewPrediction) -> Result<Prediction, StoreError> {
        self.writer()
            .await?
            .insert_prediction(prediction, Timestamp::now())
            .await
    }

    /// The predictions for a cell, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn predictions(&self, note: &str, cell: &str) -> Result<Vec<Prediction>, StoreError> {
        match self.reader().await? {
            Some(database) => database.predictions(note, cell).await,
            None => Ok(Vec::new()),
        }
    }

    /// Keeps a session: a new one, or what is known of an old one now. Its number.
    ///
    /// # Errors
    /// When the database cannot be opened or written.
    pub async fn keep_session(&self, id: Option<i64>, session: &StoredSession) -> Result<i64, StoreError> {
        self.writer().await?.keep_session(id, session, Timestamp::now()).await
    }

    /// What is kept of a session.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn session(&self, id: i64) -> Result<Option<StoredSession>, StoreError> {
        match self.reader().await? {
            Some(database) => database.session(id).await,
            None => Ok(None),
        }
    }

    /// All sessions, the one that changed last first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn sessions(&self) -> Result<Vec<SessionSummary>, StoreError> {
        match self.reader().await? {
            Some(database) => database.sessions().await,
            None => Ok(Vec::new()),
        }
    }

    /// Forgets a session; nothing happens when there is none.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn delete_session(&self, id: i64) -> Result<(), StoreError> {
        match self.reader().await? {
            Some(database) => database.delete_session(id).await,
            None => Ok(()),
        }
    }

    /// Forgets a prediction; nothing happens when there is none.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn delete_prediction(&self, id: i64) -> Result<(), StoreError> {
        match self.reader().await? {
            Some(database) => database.delete_prediction(id).await,
            None => Ok(()),
        }
    }

    /// The database, if it exists or existed since this store was made.
    async fn reader(&self) -> Result<Option<&Database>, StoreError> {
        if self.inner.database.get().is_none() && !self.path().exists() {
            return Ok(None);
        }
        self.writer().await.map(Some)
    }

    /// The database, made if need be.
    async fn writer(&self) -> Result<&Database, StoreError> {
        self.inner
            .database
            .get_or_try_init(|| Database::open(&self.inner.folder))
            .await
    }

    /// The name of this process in the database.
    async fn owner(&self) -> Result<&str, StoreError> {
        let make = || async {
            live::Owner::new(&sqlite::live_folder(&self.inner.folder)).map_err(|error| StoreError::Open {
                path: self.path(),
                reason: error.to_string(),
            })
        };
        Ok(self.inner.owner.get_or_try_init(make).await?.name())
    }
}
