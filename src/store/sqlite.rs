//! The store in SQLite: every statement of SQL that it uses, and the reading of its rows.
//!
//! One connection writes and a few read, in WAL mode: readers never wait for the writer, writers of other processes wait
//! for each other. Every write is one `begin immediate` transaction.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, FromRow, Sqlite, Transaction};

use super::model::{
    Conclusion, DEFAULT_RUNS, FinishedTrial, NewPrediction, NewRun, NewestClaim, Prediction, RunFilter, RunId,
    RunSummary, StoredRun,
};
use super::{EncodedTrace, StoreError, live, source_hash};
use crate::lab::model::{ClaimResult, RunResult, RunStatus, TrialResult};

/// How long a statement waits for another process.
const PATIENCE: Duration = Duration::from_secs(5);
/// Connections that read.
const READERS: u32 = 4;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("migrations/sqlite");

const INSERT_RUN: &str = "
    insert into runs (note, cell, title, source, source_hash, scratch, experiment, settings, kubernetes, peapod, total, status, owner, started_at)
    values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'running', ?, ?)";
const INSERT_TRACE: &str = "
    insert into traces (digest, size, body) values (?, ?, ?)
    on conflict (digest) do update set size = excluded.size, body = excluded.body where body <> excluded.body";
const INSERT_TRIAL: &str = "
    insert into trials (run, number, failed, result, digest, recorded_at) values (?, ?, ?, ?, ?, ?)
    on conflict (run, number) do update
    set failed = excluded.failed, result = excluded.result, digest = excluded.digest, recorded_at = excluded.recorded_at";
const END_RUN: &str = "update runs set status = ?, tables = ?, diagnostics = ?, ended_at = ? where id = ?";
const DELETE_CLAIMS: &str = "delete from claims where run = ?";
const INSERT_CLAIM: &str =
    "insert into claims (run, number, claim, verdict, as_expected, result) values (?, ?, ?, ?, ?, ?)";
const RUNNING: &str = "select id, owner from runs where status = 'running'";
const INTERRUPT: &str =
    "update runs set status = 'interrupted', ended_at = ? where id = ? and status = 'running' and owner = ?";
const STATUS: &str = "select status, owner from runs where id = ?";
const RESUME: &str = "
    update runs set status = 'running', owner = ?, ended_at = null, tables = '[]', diagnostics = '[]'
    where id = ? and status in ('interrupted', 'cancelled')";
const DELETE_RUN: &str = "delete from runs where id = ?";
const TRIALS_TRACES: &str = "select distinct digest from trials where run = ? and digest is not null";
const DELETE_UNUSED_TRACE: &str =
    "delete from traces where digest = ?1 and not exists (select 1 from trials where trials.digest = ?1)";
const RUNS: &str = "
    select id, note, cell, title, source_hash, scratch, status, total, kubernetes, peapod, started_at, ended_at,
           (select count(*) from trials where run = runs.id) as done,
           (select count(*) from trials where run = runs.id and failed = 1) as failed,
           (select count(*) from claims where run = runs.id) as claims,
           (select count(*) from claims where run = runs.id and as_expected = 1) as as_expected
    from runs
    where (?1 is null or note = ?1) and (?2 is null or cell = ?2) and (?3 = 1 or scratch = 0) and (?4 is null or id < ?4)
      and (?6 is null or id = ?6)
    order by id desc limit ?5";
const RUN: &str = "select source, settings, experiment, tables, diagnostics from runs where id = ?";
const NEWEST_FINISHED: &str = "
    select id from runs where note = ? and cell = ? and scratch = 0 and status = 'finished' order by id desc limit 1";
const TRIALS: &str = "select number, result from trials where run = ? order by number";
const TRIAL: &str = "select result from trials where run = ? and number = ?";
const TRACE: &str = "
    select traces.digest, traces.size, traces.body from trials join traces on traces.digest = trials.digest
    where trials.run = ? and trials.number = ?";
const CLAIMS: &str = "select result from claims where run = ? order by number";
const NEWEST_CLAIMS: &str = "
    select run, cell, source_hash, ended_at, result from (
        select claims.run, claims.number, claims.result, runs.cell, runs.source_hash, runs.ended_at,
               row_number() over (partition by runs.cell, claims.claim order by runs.id desc) as place
        from claims join runs on runs.id = claims.run
        where runs.note = ? and runs.status = 'finished' and runs.scratch = 0)
    where place = 1 order by run desc, number";
const INSERT_PREDICTION: &str =
    "insert into predictions (note, cell, source_hash, ask, answer, made_at) values (?, ?, ?, ?, ?, ?)";
const PREDICTIONS: &str = "
    select id, note, cell, source_hash, ask, answer, made_at from predictions where note = ? and cell = ? order by id desc";
const DELETE_PREDICTION: &str = "delete from predictions where id = ?";

/// Where the lock files of processes are.
pub(super) fn live_folder(folder: &Path) -> PathBuf {
    folder.join("live")
}

/// An open database.
#[derive(Debug)]
pub(super) struct Database {
    path: PathBuf,
    folder: PathBuf,
    writer: SqlitePool,
    readers: SqlitePool,
}

impl Database {
    /// Opens the database in a folder, makes it if need be, and brings it to the newest schema.
    pub(super) async fn open(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join("peapod.db");
        let refused = |error: std::io::Error| StoreError::Open {
            path: path.clone(),
            reason: error.to_string(),
        };
        make_folder(folder).map_err(refused)?;
        // Setting the journal mode and migrating do not wait for each other by themselves.
        let lock = Lock::take(&folder.join("open.lock"), &path).await?;
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .busy_timeout(PATIENCE)
            .foreign_keys(true);
        let writing = options
            .clone()
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal);
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(writing)
            .await
            .map_err(|error| opening(&path, error))?;
        if let Err(error) = MIGRATIONS.run(&writer).await {
            writer.close().await;
            return Err(migrating(&path, error));
        }
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .connect_lazy_with(options.read_only(true));
        drop(lock);
        let database = Self {
            path,
            folder: folder.to_owned(),
            writer,
            readers,
        };
        database.interrupt_the_dead(Timestamp::now()).await?;
        Ok(database)
    }

    pub(super) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    /// Marks the runs of processes that ended without saying so.
    async fn interrupt_the_dead(&self, now: Timestamp) -> Result<(), StoreError> {
        let live = live_folder(&self.folder);
        let running: Vec<(i64, String)> = sqlx::query_as(RUNNING)
            .fetch_all(&self.writer)
            .await
            .map_err(self.failed())?;
        for (run, owner) in running.into_iter().filter(|(_, owner)| !live::lives(&live, owner)) {
            let query = sqlx::query(INTERRUPT).bind(now.as_millisecond()).bind(run).bind(owner);
            query.execute(&self.writer).await.map_err(self.failed())?;
        }
        live::sweep(&live);
        Ok(())
    }

    pub(super) async fn insert_run(&self, run: &NewRun, owner: &str, now: Timestamp) -> Result<RunId, StoreError> {
        let query = sqlx::query(INSERT_RUN)
            .bind(&run.note)
            .bind(&run.cell)
            .bind(&run.experiment.title)
            .bind(&run.source)
            .bind(source_hash(&run.source))
            .bind(run.scratch)
            .bind(json(&run.experiment)?)
            .bind(json(&run.settings)?)
            .bind(&run.kubernetes)
            .bind(env!("CARGO_PKG_VERSION"))
            .bind(number(run.total))
            .bind(owner)
            .bind(now.as_millisecond());
        let done = query.execute(&self.writer).await.map_err(self.failed())?;
        Ok(RunId(done.last_insert_rowid()))
    }

    pub(super) async fn insert_trials(
        &self,
        run: RunId,
        trials: &[FinishedTrial],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut connection = self.writing().await?;
        let mut transaction = begin(&mut connection).await.map_err(self.failed())?;
        self.must_exist(&mut transaction, run).await?;
        for FinishedTrial { result, trace } in trials {
            if let Some(trace) = trace {
                let query = sqlx::query(INSERT_TRACE)
                    .bind(&trace.digest)
                    .bind(trace.size.cast_signed())
                    .bind(&trace.body);
                query.execute(&mut *transaction).await.map_err(self.failed())?;
            }
            let query = sqlx::query(INSERT_TRIAL)
                .bind(run.0)
                .bind(number(result.trial.index))
                .bind(result.error.is_some())
                .bind(json(result)?)
                .bind(trace.as_ref().map(|trace| &trace.digest))
                .bind(now.as_millisecond());
            query.execute(&mut *transaction).await.map_err(self.failed())?;
        }
        transaction.commit().await.map_err(self.failed())
    }

    pub(super) async fn end_run(&self, run: RunId, conclusion: &Conclusion, now: Timestamp) -> Result<(), StoreError> {
        let mut connection = self.writing().await?;
        // Committed trials survive the end of the process anyway. What is reported as done must survive a power cut too:
        // syncing this commit syncs everything that was logged before it.
        sqlx::query("pragma synchronous = full")
            .execute(&mut *connection)
            .await
            .map_err(self.failed())?;
        let ended = self.end_run_on(&mut connection, run, conclusion, now).await;
        sqlx::query("pragma synchronous = normal")
            .execute(&mut *connection)
            .await
            .map_err(self.failed())?;
        ended
    }

    async fn end_run_on(
        &self,
        connection: &mut PoolConnection<Sqlite>,
        run: RunId,
        conclusion: &Conclusion,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut transaction = begin(connection).await.map_err(self.failed())?;
        self.must_exist(&mut transaction, run).await?;
        sqlx::query(DELETE_CLAIMS)
            .bind(run.0)
            .execute(&mut *transaction)
            .await
            .map_err(self.failed())?;
        for (index, claim) in conclusion.claims.iter().enumerate() {
            let name = claim
                .block
                .as_ref()
                .map_or_else(|| claim.claim.clone(), |block| format!("^{block}"));
            let query = sqlx::query(INSERT_CLAIM)
                .bind(run.0)
                .bind(number(index))
                .bind(name)
                .bind(format!("{:?}", claim.verdict).to_lowercase())
                .bind(claim.as_expected)
                .bind(json(claim)?);
            query.execute(&mut *transaction).await.map_err(self.failed())?;
        }
        let query = sqlx::query(END_RUN)
            .bind(conclusion.status.as_str())
            .bind(json(&conclusion.tables)?)
            .bind(json(&conclusion.diagnostics)?)
            .bind(now.as_millisecond())
            .bind(run.0);
        query.execute(&mut *transaction).await.map_err(self.failed())?;
        transaction.commit().await.map_err(self.failed())
    }

    pub(super) async fn resume_run(&self, run: RunId, owner: &str) -> Result<(), StoreError> {
        let mut connection = self.writing().await?;
        let mut transaction = begin(&mut connection).await.map_err(self.failed())?;
        let (status, _) = self.status(&mut transaction, run).await?;
        if !matches!(status, RunStatus::Interrupted | RunStatus::Cancelled) {
            return Err(StoreError::NotResumable {
                run,
                status: status.as_str(),
            });
        }
        sqlx::query(DELETE_CLAIMS)
            .bind(run.0)
            .execute(&mut *transaction)
            .await
            .map_err(self.failed())?;
        sqlx::query(RESUME)
            .bind(owner)
            .bind(run.0)
            .execute(&mut *transaction)
            .await
            .map_err(self.failed())?;
        transaction.commit().await.map_err(self.failed())
    }

    pub(super) async fn delete_run(&self, run: RunId) -> Result<(), StoreError> {
        let mut connection = self.writing().await?;
        let mut transaction = begin(&mut connection).await.map_err(self.failed())?;
        let (status, owner) = self.status(&mut transaction, run).await?;
        if status == RunStatus::Running && live::lives(&live_folder(&self.folder), &owner) {
            return Err(StoreError::StillRunning(run));
        }
        let digests: Vec<(String,)> = sqlx::query_as(TRIALS_TRACES)
            .bind(run.0)
            .fetch_all(&mut *transaction)
            .await
            .map_err(self.failed())?;
        sqlx::query(DELETE_RUN)
            .bind(run.0)
            .execute(&mut *transaction)
            .await
            .map_err(self.failed())?;
        for (digest,) in digests {
            sqlx::query(DELETE_UNUSED_TRACE)
                .bind(digest)
                .execute(&mut *transaction)
                .await
                .map_err(self.failed())?;
        }
        transaction.commit().await.map_err(self.failed())
    }

    pub(super) async fn runs(&self, filter: &RunFilter) -> Result<Vec<RunSummary>, StoreError> {
        let limit = if filter.limit == 0 { DEFAULT_RUNS } else { filter.limit };
        let query = sqlx::query_as(RUNS)
            .bind(&filter.note)
            .bind(&filter.cell)
            .bind(filter.scratch)
            .bind(filter.before.map(|run| run.0))
            .bind(number(limit))
            .bind(None::<i64>);
        let rows: Vec<SummaryRow> = query.fetch_all(&self.readers).await.map_err(self.failed())?;
        rows.into_iter().map(SummaryRow::read).collect()
    }

    pub(super) async fn summary(&self, run: RunId) -> Result<Option<RunSummary>, StoreError> {
        let query = sqlx::query_as(RUNS)
            .bind(None::<String>)
            .bind(None::<String>)
            .bind(true)
            .bind(None::<i64>)
            .bind(1_i64)
            .bind(run.0);
        let row: Option<SummaryRow> = query.fetch_optional(&self.readers).await.map_err(self.failed())?;
        row.map(SummaryRow::read).transpose()
    }

    pub(super) async fn run(&self, run: RunId) -> Result<Option<StoredRun>, StoreError> {
        let Some(summary) = self.summary(run).await? else {
            return Ok(None);
        };
        let row: Option<RunRow> = sqlx::query_as(RUN)
            .bind(run.0)
            .fetch_optional(&self.readers)
            .await
            .map_err(self.failed())?;
        let Some(row) = row else { return Ok(None) };
        let trials: Vec<(i64, String)> = sqlx::query_as(TRIALS)
            .bind(run.0)
            .fetch_all(&self.readers)
            .await
            .map_err(self.failed())?;
        let trials: Vec<TrialResult> = trials
            .iter()
            .map(|(index, text)| parse(text, || format!("trial {index} of run {run}")))
            .collect::<Result<_, _>>()?;
        let claims: Vec<(String,)> = sqlx::query_as(CLAIMS)
            .bind(run.0)
            .fetch_all(&self.readers)
            .await
            .map_err(self.failed())?;
        let claims: Vec<ClaimResult> = claims
            .iter()
            .map(|(text,)| parse(text, || format!("a claim of run {run}")))
            .collect::<Result<_, _>>()?;
        let mut unfinished: Vec<usize> = (0..summary.total).collect();
        unfinished.retain(|index| trials.binary_search_by_key(index, |result| result.trial.index).is_err());
        let what = || format!("run {run}");
        let result = RunResult {
            experiment: parse(&row.experiment, what)?,
            status: summary.status,
            trials,
            claims,
            tables: parse(&row.tables, what)?,
            diagnostics: parse(&row.diagnostics, what)?,
            peapod: summary.peapod.clone(),
        };
        Ok(Some(StoredRun {
            summary,
            source: row.source,
            settings: parse(&row.settings, what)?,
            result,
            unfinished,
        }))
    }

    pub(super) async fn newest_finished(&self, note: &str, cell: &str) -> Result<Option<RunId>, StoreError> {
        let row: Option<(i64,)> = sqlx::query_as(NEWEST_FINISHED)
            .bind(note)
            .bind(cell)
            .fetch_optional(&self.readers)
            .await
            .map_err(self.failed())?;
        Ok(row.map(|(id,)| RunId(id)))
    }

    pub(super) async fn trial(&self, run: RunId, trial: usize) -> Result<Option<TrialResult>, StoreError> {
        let query = sqlx::query_as(TRIAL).bind(run.0).bind(number(trial));
        let row: Option<(String,)> = query.fetch_optional(&self.readers).await.map_err(self.failed())?;
        row.map(|(text,)| parse(&text, || format!("trial {trial} of run {run}")))
            .transpose()
    }

    pub(super) async fn trace(&self, run: RunId, trial: usize) -> Result<Option<EncodedTrace>, StoreError> {
        let query = sqlx::query_as(TRACE).bind(run.0).bind(number(trial));
        let row: Option<(String, i64, Vec<u8>)> = query.fetch_optional(&self.readers).await.map_err(self.failed())?;
        Ok(row.map(|(digest, size, body)| EncodedTrace {
            digest,
            size: size.cast_unsigned(),
            body,
        }))
    }

    pub(super) async fn newest_claims(&self, note: &str) -> Result<Vec<NewestClaim>, StoreError> {
        let rows: Vec<ClaimRow> = sqlx::query_as(NEWEST_CLAIMS)
            .bind(note)
            .fetch_all(&self.readers)
            .await
            .map_err(self.failed())?;
        rows.into_iter()
            .map(|row| {
                let what = || format!("a claim of run {}", row.run);
                Ok(NewestClaim {
                    run: RunId(row.run),
                    result: parse(&row.result, what)?,
                    ended_at: instant(row.ended_at, what)?,
                    cell: row.cell,
                    source_hash: row.source_hash,
                })
            })
            .collect()
    }

    pub(super) async fn insert_prediction(
        &self,
        new: &NewPrediction,
        now: Timestamp,
    ) -> Result<Prediction, StoreError> {
        let hash = source_hash(&new.source);
        let query = sqlx::query(INSERT_PREDICTION)
            .bind(&new.note)
            .bind(&new.cell)
            .bind(&hash)
            .bind(&new.ask)
            .bind(json(&new.answer)?)
            .bind(now.as_millisecond());
        let done = query.execute(&self.writer).await.map_err(self.failed())?;
        let made_at = instant(now.as_millisecond(), || "the clock".to_owned())?;
        let NewPrediction {
            note,
            cell,
            ask,
            answer,
            ..
        } = new.clone();
        Ok(Prediction {
            id: done.last_insert_rowid(),
            note,
            cell,
            source_hash: hash,
            ask,
            answer,
            made_at,
        })
    }

    pub(super) async fn predictions(&self, note: &str, cell: &str) -> Result<Vec<Prediction>, StoreError> {
        let query = sqlx::query_as(PREDICTIONS).bind(note).bind(cell);
        let rows: Vec<PredictionRow> = query.fetch_all(&self.readers).await.map_err(self.failed())?;
        rows.into_iter()
            .map(|row| {
                let what = || format!("prediction {}", row.id);
                Ok(Prediction {
                    id: row.id,
                    answer: parse(&row.answer, what)?,
                    made_at: instant(row.made_at, what)?,
                    note: row.note,
                    cell: row.cell,
                    source_hash: row.source_hash,
                    ask: row.ask,
                })
            })
            .collect()
    }

    pub(super) async fn delete_prediction(&self, id: i64) -> Result<(), StoreError> {
        sqlx::query(DELETE_PREDICTION)
            .bind(id)
            .execute(&self.writer)
            .await
            .map_err(self.failed())?;
        Ok(())
    }

    async fn writing(&self) -> Result<PoolConnection<Sqlite>, StoreError> {
        self.writer.acquire().await.map_err(self.failed())
    }

    async fn must_exist(&self, transaction: &mut Transaction<'_, Sqlite>, run: RunId) -> Result<(), StoreError> {
        self.status(transaction, run).await.map(|_| ())
    }

    /// Status and owner of a run.
    async fn status(
        &self,
        transaction: &mut Transaction<'_, Sqlite>,
        run: RunId,
    ) -> Result<(RunStatus, String), StoreError> {
        let row: Option<(String, String)> = sqlx::query_as(STATUS)
            .bind(run.0)
            .fetch_optional(&mut **transaction)
            .await
            .map_err(self.failed())?;
        let (status, owner) = row.ok_or(StoreError::NoSuchRun(run))?;
        Ok((status_named(&status, run.0)?, owner))
    }

    fn failed(&self) -> impl Fn(sqlx::Error) -> StoreError {
        |error| opening_or(&self.path, error, StoreError::Database)
    }
}

async fn begin(connection: &mut PoolConnection<Sqlite>) -> Result<Transaction<'_, Sqlite>, sqlx::Error> {
    connection.begin_with("begin immediate").await
}

/// Makes the folder, and tells git to leave it alone: results are not part of a vault's history.
fn make_folder(folder: &Path) -> std::io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join(".gitignore"), "*\n")
}

/// Held while a process opens the database.
struct Lock {
    _file: std::fs::File,
}

impl Lock {
    async fn take(path: &Path, database: &Path) -> Result<Self, StoreError> {
        let refused = |error: std::io::Error| StoreError::Open {
            path: database.to_owned(),
            reason: error.to_string(),
        };
        let file = std::fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)
            .map_err(refused)?;
        let deadline = std::time::Instant::now() + PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(std::fs::TryLockError::Error(error)) => return Err(refused(error)),
                Err(std::fs::TryLockError::WouldBlock) if std::time::Instant::now() > deadline => {
                    return Err(StoreError::Busy {
                        path: database.to_owned(),
                        seconds: PATIENCE.as_secs(),
                    });
                }
                Err(std::fs::TryLockError::WouldBlock) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }
}

fn opening(path: &Path, error: sqlx::Error) -> StoreError {
    let reason = error.to_string();
    opening_or(path, error, |_| StoreError::Open {
        path: path.to_owned(),
        reason,
    })
}

/// The errors of SQLite that a person can do something about, by their primary result code.
fn opening_or(path: &Path, error: sqlx::Error, other: impl FnOnce(sqlx::Error) -> StoreError) -> StoreError {
    let code = error
        .as_database_error()
        .and_then(|error| error.code())
        .and_then(|code| code.parse::<i32>().ok());
    match code.map(|code| code & 0xff) {
        Some(5 | 6) => StoreError::Busy {
            path: path.to_owned(),
            seconds: PATIENCE.as_secs(),
        },
        Some(11 | 26) => StoreError::Damaged {
            path: path.to_owned(),
            reason: error.to_string(),
        },
        Some(8 | 13 | 14) => StoreError::Open {
            path: path.to_owned(),
            reason: error.to_string(),
        },
        _ => other(error),
    }
}

fn migrating(path: &Path, error: sqlx::migrate::MigrateError) -> StoreError {
    use sqlx::migrate::MigrateError;
    let known = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0);
    match error {
        MigrateError::VersionMissing(found) if found > known => StoreError::Newer {
            path: path.to_owned(),
            found,
            known,
        },
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => opening(path, error),
        error => StoreError::Open {
            path: path.to_owned(),
            reason: error.to_string(),
        },
    }
}

#[derive(FromRow)]
struct SummaryRow {
    id: i64,
    note: String,
    cell: String,
    title: String,
    source_hash: String,
    scratch: bool,
    status: String,
    total: i64,
    done: i64,
    failed: i64,
    claims: i64,
    as_expected: i64,
    kubernetes: String,
    peapod: String,
    started_at: i64,
    ended_at: Option<i64>,
}

impl SummaryRow {
    fn read(self) -> Result<RunSummary, StoreError> {
        let what = || format!("run {}", self.id);
        Ok(RunSummary {
            id: RunId(self.id),
            status: status_named(&self.status, self.id)?,
            started_at: instant(self.started_at, what)?,
            ended_at: self.ended_at.map(|at| instant(at, what)).transpose()?,
            note: self.note,
            cell: self.cell,
            title: self.title,
            source_hash: self.source_hash,
            scratch: self.scratch,
            total: count(self.total),
            done: count(self.done),
            failed: count(self.failed),
            claims: count(self.claims),
            as_expected: count(self.as_expected),
            kubernetes: self.kubernetes,
            peapod: self.peapod,
        })
    }
}

#[derive(FromRow)]
struct RunRow {
    source: String,
    settings: String,
    experiment: String,
    tables: String,
    diagnostics: String,
}

#[derive(FromRow)]
struct ClaimRow {
    run: i64,
    cell: String,
    source_hash: String,
    ended_at: i64,
    result: String,
}

#[derive(FromRow)]
struct PredictionRow {
    id: i64,
    note: String,
    cell: String,
    source_hash: String,
    ask: String,
    answer: String,
    made_at: i64,
}

fn status_named(text: &str, run: i64) -> Result<RunStatus, StoreError> {
    RunStatus::named(text).ok_or_else(|| StoreError::Unreadable {
        what: format!("run {run}"),
        reason: format!("unknown status {text:?}"),
    })
}

fn json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Unreadable {
        what: "a value to be stored".to_owned(),
        reason: error.to_string(),
    })
}

fn parse<T: DeserializeOwned>(text: &str, what: impl Fn() -> String) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Unreadable {
        what: what(),
        reason: error.to_string(),
    })
}

fn instant(millis: i64, what: impl Fn() -> String) -> Result<Timestamp, StoreError> {
    Timestamp::from_millisecond(millis).map_err(|error| StoreError::Unreadable {
        what: what(),
        reason: error.to_string(),
    })
}

fn number(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn count(value: i64) -> usize {
    usize::try_from(value).unwrap_or(0)
}
