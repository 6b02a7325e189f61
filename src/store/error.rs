//! What can go wrong with the store, in words that say what to do about it.

use std::path::PathBuf;

use super::RunId;

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder or the database file cannot be made or opened.
    #[error("the results in {} cannot be opened: {reason}", path.display())]
    Open {
        /// The database file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A newer Peapod has written the database.
    #[error(
        "{} was written by a newer Peapod: it has schema {found}, this Peapod knows schemas up to {known}. Use the newer Peapod, \
         or move the file away to begin anew",
        path.display()
    )]
    Newer {
        /// The database file.
        path: PathBuf,
        /// Schema version of the database.
        found: i64,
        /// The newest schema that this program knows.
        known: i64,
    },
    /// The database file is no database, or damaged.
    #[error("{} is damaged ({reason}). Move it away to begin anew; the notes are not affected", path.display())]
    Damaged {
        /// The database file.
        path: PathBuf,
        /// What SQLite says.
        reason: String,
    },
    /// A stored trace does not give back what was stored.
    #[error(
        "the trace of trial {trial} of run {run} is damaged ({reason}). Run the experiment again: the same experiment gives the same trace"
    )]
    DamagedTrace {
        /// The run.
        run: RunId,
        /// The trial.
        trial: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A row that this program cannot read.
    #[error("{what} cannot be read: {reason}")]
    Unreadable {
        /// Which row.
        what: String,
        /// Why.
        reason: String,
    },
    /// There is no such run.
    #[error("there is no run {0}")]
    NoSuchRun(RunId),
    /// The run is being carried out.
    #[error("run {0} is still running; cancel it first")]
    StillRunning(RunId),
    /// The run cannot be resumed.
    #[error("run {run} is {status}; only an interrupted or cancelled run can be resumed")]
    NotResumable {
        /// The run.
        run: RunId,
        /// Its status.
        status: &'static str,
    },
    /// Another process holds the database for longer than the store waits.
    #[error("another process is writing to {} and did not finish within {seconds} s; try again", path.display())]
    Busy {
        /// The database file.
        path: PathBuf,
        /// How long the store waited.
        seconds: u64,
    },
    /// Anything else that the database says.
    #[error("the results cannot be read or written: {0}")]
    Database(#[source] sqlx::Error),
}
