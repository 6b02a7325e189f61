//! Rows as SQLite gives them, and the values in their columns.

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::FromRow;
use unicode_normalization::UnicodeNormalization;

use super::super::{RunId, RunSummary, StoreError};
use crate::lab::model::RunStatus;

/// A run in a list.
#[derive(FromRow)]
pub(super) struct SummaryRow {
    pub(super) id: i64,
    pub(super) note: String,
    pub(super) cell: String,
    pub(super) title: String,
    pub(super) source_hash: String,
    pub(super) scratch: bool,
    pub(super) status: String,
    pub(super) total: i64,
    pub(super) done: i64,
    pub(super) failed: i64,
    pub(super) claims: i64,
    pub(super) as_expected: i64,
    pub(super) kubernetes: String,
    pub(super) peapod: String,
    pub(super) started_at: i64,
    pub(super) ended_at: Option<i64>,
}

impl SummaryRow {
    pub(super) fn read(self) -> Result<RunSummary, StoreError> {
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

/// The rest of a run.
#[derive(FromRow)]
pub(super) struct RunRow {
    pub(super) source: String,
    pub(super) settings: String,
    pub(super) experiment: String,
    pub(super) tables: String,
    pub(super) diagnostics: String,
}

/// The newest result of a claim.
#[derive(FromRow)]
pub(super) struct ClaimRow {
    pub(super) run: i64,
    pub(super) cell: String,
    pub(super) source_hash: String,
    pub(super) ended_at: i64,
    pub(super) result: String,
}

/// A prediction.
#[derive(FromRow)]
pub(super) struct PredictionRow {
    pub(super) id: i64,
    pub(super) note: String,
    pub(super) cell: String,
    pub(super) source_hash: String,
    pub(super) ask: String,
    pub(super) answer: String,
    pub(super) made_at: i64,
}

pub(super) fn status_named(text: &str, run: i64) -> Result<RunStatus, StoreError> {
    RunStatus::named(text).ok_or_else(|| StoreError::Unreadable {
        what: format!("run {run}"),
        reason: format!("unknown status {text:?}"),
    })
}

pub(super) fn json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Unreadable {
        what: "a value to be stored".to_owned(),
        reason: error.to_string(),
    })
}

pub(super) fn parse<T: DeserializeOwned>(text: &str, what: impl Fn() -> String) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Unreadable {
        what: what(),
        reason: error.to_string(),
    })
}

pub(super) fn instant(millis: i64, what: impl Fn() -> String) -> Result<Timestamp, StoreError> {
    Timestamp::from_millisecond(millis).map_err(|error| StoreError::Unreadable {
        what: what(),
        reason: error.to_string(),
    })
}

pub(super) fn number(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) fn count(value: i64) -> usize {
    usize::try_from(value).unwrap_or(0)
}

/// A path of a note as it is kept: composed, so that a vault copied from a Mac keeps its history.
pub(super) fn nfc(path: &str) -> String {
    path.nfc().collect()
}
