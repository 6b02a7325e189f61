//! The store in SQLite: every statement of SQL that it uses, and the reading of its rows.
//!
//! One connection writes and a few read, in WAL mode: readers never wait for the writer, writers of other processes wait
//! for each other. Every write is one `begin immediate` transaction.

mod open;
mod rows;
mod sql;

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::SqlitePool;
use sqlx::{Connection, Sqlite, Transaction};

use super::model::{
    Conclusion, DEFAULT_RUNS, FinishedTrial, NewPrediction, NewRun, NewestClaim, Prediction, RunFilter, RunId,
    RunSummary, SessionSummary, StoredRun, StoredSession,
};
use super::{EncodedTrace, StoreError, live, source_hash};
use crate::lab::model::{ClaimResult, RunResult, RunStatus, TrialResult};
use open::opening_or;
use rows::{ClaimRow, PredictionRow, RunRow, SummaryRow, instant, json, nfc, number, parse, status_named};

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
    pub(super) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    pub(super) async fn insert_run(&self, run: &NewRun, owner: &str, now: Timestamp) -> Result<RunId, StoreError> {
        let query = sqlx::query(sql::INSERT_RUN)
            .bind(nfc(&run.note))
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
                let query = sqlx::query(sql::INSERT_TRACE)
                    .bind(&trace.digest)
                    .bind(trace.size.cast_signed())
                    .bind(&trace.body);
                query.execute(&mut *transaction).await.map_err(self.failed())?;
            }
            let query = sqlx::query(sql::INSERT_TRIAL)
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
        sqlx::query(sql::DELETE_CLAIMS)
            .bind(run.0)
            .execute(&mut *transaction)
            .await
            .map_err(self.failed())?;
        for (index, claim) in conclusion.claims.iter().enumerate() {
            let name = claim
                .block
                .as_ref()
                .map_or_else(|| claim.claim.clone(), |block| format!("^{block}"));
            let query = sqlx::query(sql::INSERT_CLAIM)
                .bind(run.0)
                .bind(number(index))
                .bind(name)
                .bind(format!("{:?}", claim.verdict).to_lowercase())
                .bind(claim.as_expected)
                .bind(json(claim)?);
            query.execute(&mut *transaction).await.map_err(self.failed())?;
        }
        let query = sqlx::query(sql::END_RUN)
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
        sqlx::query(sql::DELETE_CLAIMS)
            .bind(run.0)
            .execute(&mut *transaction)
            .await
            .map_err(self.failed())?;
        sqlx::query(sql::RESUME)
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
        let digests: Vec<(String,)> = sqlx::query_as(sql::TRIALS_TRACES)
            .bind(run.0)
            .fetch_all(&mut *transaction)
            .await
            .map_err(self.failed())?;
        sqlx::query(sql::DELETE_RUN)
            .bind(run.0)
            .execute(&mut *transaction)
            .await
            .map_err(self.failed())?;
        for (digest,) in digests {
            sqlx::query(sql::DELETE_UNUSED_TRACE)
                .bind(digest)
                .execute(&mut *transaction)
                .await
                .map_err(self.failed())?;
        }
        transaction.commit().await.map_err(self.failed())
    }

    pub(super) async fn runs(&self, filter: &RunFilter) -> Result<Vec<RunSummary>, StoreError> {
        let limit = if filter.limit == 0 { DEFAULT_RUNS } else { filter.limit };
        let query = sqlx::query_as(sql::RUNS)
            .bind(filter.note.as_deref().map(nfc))
            .bind(&filter.cell)
            .bind(filter.scratch)
            .bind(filter.before.map(|run| run.0))
            .bind(number(limit))
            .bind(None::<i64>);
        let rows: Vec<SummaryRow> = query.fetch_all(&self.readers).await.map_err(self.failed())?;
        rows.into_iter().map(SummaryRow::read).collect()
    }

    pub(super) async fn summary(&self, run: RunId) -> Result<Option<RunSummary>, StoreError> {
        let query = sqlx::query_as(sql::RUNS)
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
        let row: Option<RunRow> = sqlx::query_as(sql::RUN)
            .bind(run.0)
            .fetch_optional(&self.readers)
            .await
            .map_err(self.failed())?;
        let Some(row) = row else { return Ok(None) };
        let trials: Vec<(i64, String)> = sqlx::query_as(sql::TRIALS)
            .bind(run.0)
            .fetch_all(&self.readers)
            .await
            .map_err(self.failed())?;
        let trials: Vec<TrialResult> = trials
            .iter()
            .map(|(index, text)| parse(text, || format!("trial {index} of run {run}")))
            .collect::<Result<_, _>>()?;
        let claims: Vec<(String,)> = sqlx::query_as(sql::CLAIMS)
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

    pub(super) async fn said(&self, run: RunId) -> Result<Option<(String, Vec<ClaimResult>)>, StoreError> {
        let query = sqlx::query_as(sql::SOURCE).bind(run.0);
        let source: Option<(String,)> = query.fetch_optional(&self.readers).await.map_err(self.failed())?;
        let Some((source,)) = source else { return Ok(None) };
        let query = sqlx::query_as(sql::CLAIMS).bind(run.0);
        let rows: Vec<(String,)> = query.fetch_all(&self.readers).await.map_err(self.failed())?;
        let claims = rows
            .iter()
            .map(|(text,)| parse(text, || format!("a claim of run {run}")))
            .collect::<Result<_, _>>()?;
        Ok(Some((source, claims)))
    }

    pub(super) async fn newest_finished(&self, note: &str, cell: &str) -> Result<Option<RunId>, StoreError> {
        let row: Option<(i64,)> = sqlx::query_as(sql::NEWEST_FINISHED)
            .bind(nfc(note))
            .bind(cell)
            .fetch_optional(&self.readers)
            .await
            .map_err(self.failed())?;
        Ok(row.map(|(id,)| RunId(id)))
    }

    pub(super) async fn trial(&self, run: RunId, trial: usize) -> Result<Option<TrialResult>, StoreError> {
        let query = sqlx::query_as(sql::TRIAL).bind(run.0).bind(number(trial));
        let row: Option<(String,)> = query.fetch_optional(&self.readers).await.map_err(self.failed())?;
        row.map(|(text,)| parse(&text, || format!("trial {trial} of run {run}")))
            .transpose()
    }

    pub(super) async fn trace(&self, run: RunId, trial: usize) -> Result<Option<EncodedTrace>, StoreError> {
        let query = sqlx::query_as(sql::TRACE).bind(run.0).bind(number(trial));
        let row: Option<(String, i64, Vec<u8>)> = query.fetch_optional(&self.readers).await.map_err(self.failed())?;
        Ok(row.map(|(digest, size, body)| EncodedTrace {
            digest,
            size: size.cast_unsigned(),
            body,
        }))
    }

    pub(super) async fn newest_claims(&self, note: &str) -> Result<Vec<NewestClaim>, StoreError> {
        let rows: Vec<ClaimRow> = sqlx::query_as(sql::NEWEST_CLAIMS)
            .bind(nfc(note))
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
        let query = sqlx::query(sql::INSERT_PREDICTION)
            .bind(nfc(&new.note))
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
        let query = sqlx::query_as(sql::PREDICTIONS).bind(nfc(note)).bind(cell);
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
        sqlx::query(sql::DELETE_PREDICTION)
            .bind(id)
            .execute(&self.writer)
            .await
            .map_err(self.failed())?;
        Ok(())
    }

    pub(super) async fn keep_session(
        &self,
        id: Option<i64>,
        session: &StoredSession,
        now: Timestamp,
    ) -> Result<i64, StoreError> {
        let statement = if id.is_some() {
            sql::UPDATE_SESSION
        } else {
            sql::INSERT_SESSION
        };
        let mut query = sqlx::query(statement)
            .bind(&session.title)
            .bind(session.note.as_deref().map(nfc))
            .bind(&session.content)
            .bind(now.as_millisecond());
        if let Some(id) = id {
            query = query.bind(id);
        }
        let done = query.execute(&self.writer).await.map_err(self.failed())?;
        Ok(id.unwrap_or(done.last_insert_rowid()))
    }

    pub(super) async fn session(&self, id: i64) -> Result<Option<StoredSession>, StoreError> {
        let query = sqlx::query_as(sql::SESSION).bind(id);
        let row: Option<(String, Option<String>, String)> =
            query.fetch_optional(&self.readers).await.map_err(self.failed())?;
        Ok(row.map(|(title, note, content)| StoredSession { title, note, content }))
    }

    pub(super) async fn sessions(&self) -> Result<Vec<SessionSummary>, StoreError> {
        let rows: Vec<(i64, String, Option<String>, i64)> = sqlx::query_as(sql::SESSIONS)
            .fetch_all(&self.readers)
            .await
            .map_err(self.failed())?;
        rows.into_iter()
            .map(|(id, title, note, changed_at)| {
                Ok(SessionSummary {
                    id,
                    title,
                    note,
                    changed_at: instant(changed_at, || format!("session {id}"))?,
                })
            })
            .collect()
    }

    pub(super) async fn delete_session(&self, id: i64) -> Result<(), StoreError> {
        let query = sqlx::query(sql::DELETE_SESSION).bind(id);
        query.execute(&self.writer).await.map_err(self.failed())?;
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
        let row: Option<(String, String)> = sqlx::query_as(sql::STATUS)
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
