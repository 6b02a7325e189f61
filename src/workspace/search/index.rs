//! The index: SQLite's FTS5 without the texts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use peapod_vault::{FileRef, Note, plain};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use super::super::Snapshot;
use super::bigrams;
use super::query::Query;

const CREATE: &str = "
    create virtual table notes using fts5 (
        title, body, content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 0')";
const INSERT: &str = "insert into notes (rowid, title, body) values (?, ?, ?)";
const DELETE: &str = "delete from notes where rowid = ?";
const COUNT: &str = "select count(*) from notes where notes match ?";
const TITLES: &str = "select rowid from notes where notes match ? limit ?";
const RANKED: &str = "select rowid from notes where notes match ? order by bm25(notes, 8.0, 1.0), rowid limit ?";
const UNRANKED: &str = "select rowid from notes where notes match ? order by rowid limit ?";

/// How many titles are compared with the query to find the best.
const TITLE_CANDIDATES: i64 = 300;
/// Up to so many notes are ranked. A query that more notes have says little by being frequent in one of them, and
/// ranking them all would take longer than finding them.
const RANKED_CANDIDATES: usize = 2_000;

/// An index and what is in it.
#[derive(Debug)]
pub(super) struct Index {
    connection: SqliteConnection,
    revision: u64,
    rows: BTreeMap<FileRef, (i64, Arc<Note>)>,
    files: BTreeMap<i64, FileRef>,
    next: i64,
}

impl Index {
    /// An empty index in memory.
    pub(super) async fn new() -> Result<Self, sqlx::Error> {
        let options = SqliteConnectOptions::new()
            .in_memory(true)
            .journal_mode(SqliteJournalMode::Off)
            .synchronous(SqliteSynchronous::Off)
            .disable_statement_logging();
        let mut connection = options.connect().await?;
        sqlx::query(CREATE).execute(&mut connection).await?;
        Ok(Self {
            connection,
            revision: 0,
            rows: BTreeMap::new(),
            files: BTreeMap::new(),
            next: 1,
        })
    }

    /// Indexes what is new or changed since the last time, and forgets what is gone.
    pub(super) async fn update(&mut self, snapshot: &Snapshot) -> Result<(), sqlx::Error> {
        // A search that took its snapshot before another one must not turn the index back.
        if self.revision >= snapshot.revision {
            return Ok(());
        }
        let shown: BTreeSet<&FileRef> = snapshot.vault.notes().map(|(file, _)| file).collect();
        let gone: Vec<FileRef> = self.rows.keys().filter(|file| !shown.contains(file)).cloned().collect();
        let mut transaction = self.connection.begin().await?;
        for file in gone {
            if let Some((row, _)) = self.rows.remove(&file) {
                self.files.remove(&row);
                sqlx::query(DELETE).bind(row).execute(&mut *transaction).await?;
            }
        }
        for (file, note) in snapshot.vault.notes() {
            match self.rows.get(file) {
                Some((_, known)) if Arc::ptr_eq(known, note) => continue,
                Some((row, _)) => {
                    self.files.remove(row);
                    sqlx::query(DELETE).bind(row).execute(&mut *transaction).await?;
                }
                None => {}
            }
            let (title, body) = texts(note);
            sqlx::query(INSERT)
                .bind(self.next)
                .bind(title)
                .bind(body)
                .execute(&mut *transaction)
                .await?;
            self.files.insert(self.next, file.clone());
            self.rows.insert(file.clone(), (self.next, note.clone()));
            self.next += 1;
        }
        transaction.commit().await?;
        self.revision = snapshot.revision;
        Ok(())
    }

    /// How many notes have the query as it was typed, and the best notes: whether each has it so.
    pub(super) async fn find(
        &mut self,
        query: &Query,
        limit: usize,
    ) -> Result<(usize, Vec<(FileRef, bool)>), sqlx::Error> {
        let (count,): (i64,) = sqlx::query_as(COUNT)
            .bind(&query.phrase)
            .fetch_one(&mut self.connection)
            .await?;
        let total = usize::try_from(count).unwrap_or(0);
        let mut rows = self.titles(query).await?;
        let sql = if total <= RANKED_CANDIDATES { RANKED } else { UNRANKED };
        rows.extend(self.rows_of(sql, &query.phrase, limit).await?);
        let exact = rows.len();
        if let Some(words) = query.words.as_ref().filter(|_| total < limit) {
            rows.extend(self.rows_of(RANKED, words, limit).await?);
        }
        let mut seen = BTreeSet::new();
        let found = rows.into_iter().enumerate().filter(|(_, row)| seen.insert(*row));
        let found = found.filter_map(|(place, row)| Some((self.files.get(&row)?.clone(), place < exact)));
        Ok((total, found.take(limit).collect()))
    }

    /// Notes with the query in their title: those that are called so, that begin so, the others; short titles first.
    async fn titles(&mut self, query: &Query) -> Result<Vec<i64>, sqlx::Error> {
        let phrase = format!("title : {}", query.phrase);
        let rows: Vec<(i64,)> = sqlx::query_as(TITLES)
            .bind(phrase)
            .bind(TITLE_CANDIDATES)
            .fetch_all(&mut self.connection)
            .await?;
        let mut titles: Vec<_> = rows
            .into_iter()
            .filter_map(|(row,)| {
                let file = self.files.get(&row)?;
                let (_, note) = self.rows.get(file)?;
                let names = std::iter::once(&note.title).chain([&note.name]).chain(&note.aliases);
                let fit = names
                    .map(|name| fit(&super::fold::Folded::new(name).text, &query.needle))
                    .min()?;
                Some((fit, note.title.chars().count(), file, row))
            })
            .collect();
        titles.sort();
        Ok(titles.into_iter().map(|(_, _, _, row)| row).collect())
    }

    async fn rows_of(&mut self, sql: &'static str, phrase: &str, limit: usize) -> Result<Vec<i64>, sqlx::Error> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows: Vec<(i64,)> = sqlx::query_as(sql)
            .bind(phrase)
            .bind(limit)
            .fetch_all(&mut self.connection)
            .await?;
        Ok(rows.into_iter().map(|(row,)| row).collect())
    }
}

/// How well a name fits: 0 it is the query, 1 it begins with it, 2 it has it, 3 it has its words.
fn fit(name: &str, needle: &str) -> u8 {
    match name.find(needle) {
        Some(0) if name.len() == needle.len() => 0,
        Some(0) => 1,
        Some(_) => 2,
        None => 3,
    }
}

/// What is indexed of a note: its names; its text and tags.
fn texts(note: &Note) -> (String, String) {
    let mut names = vec![note.title.as_str()];
    names.extend(
        std::iter::once(&note.name)
            .chain(&note.aliases)
            .map(String::as_str)
            .filter(|name| *name != note.title),
    );
    let plain = plain::text_of(note);
    (bigrams::indexed(&names.join("\n")), bigrams::indexed(&plain.text))
}
