//! Search in titles and texts, Korean by bigrams.
//!
//! The index is SQLite's FTS5 in memory, without the texts themselves: it finds notes, and the notes give the snippets. It
//! follows the snapshots by itself: a note that is another object than the one that was indexed is indexed anew.

mod bigrams;
mod fold;
mod index;
mod query;
mod snippet;

use std::ops::Range;

use peapod_vault::FileRef;
use serde::Serialize;
use tokio::sync::Mutex;

use super::Snapshot;
use index::Index;
use query::Query;

/// Longest query, in characters.
pub const MAX_QUERY_CHARS: usize = 200;

/// Why a search gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// The query is too long.
    #[error("a search may have {MAX_QUERY_CHARS} characters; this one has {0}")]
    TooLong(usize),
    /// The index does not work.
    #[error("the search index cannot be used: {0}")]
    Index(#[from] sqlx::Error),
}

/// What a search found.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SearchResults {
    /// How many notes have the query as it was typed.
    pub total: usize,
    /// The best of them, then notes that have all of its words but not together.
    pub hits: Vec<Hit>,
}

/// A note that was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Hit {
    /// The note.
    pub file: FileRef,
    /// Its title.
    pub title: String,
    /// What of the title was looked for, as byte ranges of it.
    pub marks: Vec<Range<usize>>,
    /// Whether the query stands there as it was typed, not only its words.
    pub exact: bool,
    /// Pieces of the text, at most [`SNIPPETS`].
    pub snippets: Vec<Snippet>,
}

/// How many snippets a hit has.
pub const SNIPPETS: usize = 3;

/// A piece of a note's text with what was looked for.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Snippet {
    /// The piece, without markup; `…` where it was cut.
    pub text: String,
    /// What was looked for, as byte ranges of `text`.
    pub marks: Vec<Range<usize>>,
    /// The first of them in the file, as bytes.
    pub source: Range<usize>,
    /// Its line in the file, from 1.
    pub line: u32,
}

/// The search of a workspace.
#[derive(Debug, Default)]
pub(super) struct Search {
    index: Mutex<Option<Index>>,
}

impl Search {
    pub(super) async fn update(&self, snapshot: &Snapshot) -> Result<(), SearchError> {
        self.with_index(snapshot, async |_| Ok(())).await
    }

    pub(super) async fn search(
        &self,
        snapshot: &Snapshot,
        text: &str,
        limit: usize,
    ) -> Result<SearchResults, SearchError> {
        let length = text.chars().count();
        if length > MAX_QUERY_CHARS {
            return Err(SearchError::TooLong(length));
        }
        let Some(query) = Query::new(text) else {
            return Ok(SearchResults::default());
        };
        let (total, found) = self
            .with_index(snapshot, async |index| index.find(&query, limit).await)
            .await?;
        let hits = found.into_iter().filter_map(|(file, exact)| {
            let note = snapshot.vault.note(&file)?;
            let marks = snippet::marks(&note.title, &query);
            Some(Hit {
                title: note.title.clone(),
                marks,
                exact,
                snippets: snippet::snippets(note, &query),
                file,
            })
        });
        Ok(SearchResults {
            total,
            hits: hits.collect(),
        })
    }

    /// Does something with the index of a snapshot. An index that failed is thrown away and made anew the next time.
    async fn with_index<T>(
        &self,
        snapshot: &Snapshot,
        act: impl AsyncFnOnce(&mut Index) -> Result<T, sqlx::Error>,
    ) -> Result<T, SearchError> {
        let mut slot = self.index.lock().await;
        // Taken out, so that a search that is given up halfway does not leave a half-made index behind.
        let mut index = match slot.take() {
            Some(index) => index,
            None => Index::new().await?,
        };
        index.update(snapshot).await?;
        let result = act(&mut index).await?;
        *slot = Some(index);
        Ok(result)
    }
}
