//! Sessions in the browser: a note, or a scratch page, whose cells share one living cluster.
//!
//! [`room`] is one session that lives, [`state`] what every tab sees of it, [`worker`] its thread, [`draw`] its outputs, [`api`] what programs and the page's module ask for, [`page`]
//! what a reader sees. A session is kept as its commands ([`crate::notebook::book`]): when the server starts again, or has
//! closed it because nobody looked, they are done again.

pub mod api;
mod draw;
pub mod page;
mod room;
mod state;
mod worker;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Mutex as Turn;

pub use room::{Refused, Room};
pub use state::{ClusterChoice, Kept, Status};

use crate::i18n::Lang;
use crate::store::{Store, StoreError, StoredSession};
use crate::workspace::Workspace;

/// Sessions that live at a time; the one that nobody used for the longest time is closed, and opened again when somebody
/// looks.
const MAX_LIVE: usize = 16;
/// A session is kept so long after a change.
const KEPT_AFTER: Duration = Duration::from_millis(250);

/// All sessions of this server.
#[derive(Clone)]
pub struct Rooms {
    store: Store,
    workspace: Workspace,
    live: Arc<Mutex<BTreeMap<i64, (Room, Instant)>>>,
    /// Only one session is opened at a time: two tabs get the same one.
    opening: Arc<Turn<()>>,
}

/// Why a session is not there.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is none of this number.
    #[error("there is no such session")]
    Missing,
    /// Its cluster cannot begin.
    #[error("{0}")]
    Broken(String),
    /// What is kept of it cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Rooms {
    /// No sessions yet.
    pub fn new(store: Store, workspace: Workspace) -> Self {
        Self {
            store,
            workspace,
            live: Arc::default(),
            opening: Arc::default(),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<i64, (Room, Instant)>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a session of a note, or a scratch page with one empty cell, and opens it. A note has one session: if there is
    /// one already, that one is opened.
    ///
    /// # Errors
    /// When it cannot be kept or opened.
    pub async fn begin(&self, title: &str, note: Option<&str>, lang: Lang) -> Result<Room, OpenError> {
        if let Some(note) = note
            && let Some(known) = self
                .store
                .sessions()
                .await?
                .into_iter()
                .find(|known| known.note.as_deref() == Some(note))
        {
            return self.open(known.id).await;
        }
        let mut kept = Kept {
            title: title.chars().take(200).collect(),
            note: note.map(str::to_owned),
            korean: lang == Lang::Ko,
            ..Kept::default()
        };
        match note {
            Some(note) => {
                kept.book.follow(&self.cells_of(note).unwrap_or_default());
            }
            None => {
                kept.book.insert(0, "");
            }
        }
        let id = self.store.keep_session(None, &stored(&kept)?).await?;
        self.open(id).await
    }

    /// The session of a number, opened if need be.
    ///
    /// # Errors
    /// When there is none, or it cannot be opened.
    pub async fn open(&self, id: i64) -> Result<Room, OpenError> {
        let _turn = self.opening.lock().await;
        if let Some((room, used)) = self.lock().get_mut(&id) {
            *used = Instant::now();
            return Ok(room.clone());
        }
        let stored = self.store.session(id).await?.ok_or(OpenError::Missing)?;
        let mut kept: Kept = serde_json::from_str(&stored.content)
            .map_err(|error| OpenError::Broken(format!("session {id} cannot be read: {error}")))?;
        if let Some(cells) = kept.note.as_deref().and_then(|note| self.cells_of(note)) {
            kept.book.follow(&cells);
        }
        let room = Room::open(id, kept).map_err(OpenError::Broken)?;
        self.make_place();
        self.lock().insert(id, (room.clone(), Instant::now()));
        tokio::spawn(keep(self.store.clone(), room.clone()));
        tokio::spawn(follow(self.clone(), room.clone()));
        Ok(room)
    }

    /// Closes the session that nobody used for the longest time, if there are too many.
    fn make_place(&self) {
        let mut live = self.lock();
        while live.len() >= MAX_LIVE {
            let oldest = live
                .iter()
                .filter(|(_, (room, _))| room.is_idle())
                .min_by_key(|(_, (_, used))| *used)
                .map(|(id, _)| *id);
            let Some((room, _)) = oldest.and_then(|id| live.remove(&id)) else {
                return;
            };
            room.close();
        }
    }

    /// Forgets a session.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn forget(&self, id: i64) -> Result<(), StoreError> {
        let room = self.lock().remove(&id);
        if let Some((room, _)) = room {
            room.close();
        }
        self.store.delete_session(id).await
    }

    /// Keeps everything now, as when the server stops.
    pub async fn settle(&self) {
        let rooms: Vec<Room> = self.lock().values().map(|(room, _)| room.clone()).collect();
        for room in rooms {
            room.interrupt();
            save(&self.store, &room).await;
        }
    }

    /// The cells of a note that can run, as key and text.
    fn cells_of(&self, note: &str) -> Option<Vec<(String, String)>> {
        let snapshot = self.workspace.snapshot();
        let (_, note) = super::note::find(&snapshot.vault, note)?;
        Some(
            note.cells
                .iter()
                .map(|cell| (cell.key.clone(), cell.text.to_string()))
                .collect(),
        )
    }
}

fn stored(kept: &Kept) -> Result<StoredSession, OpenError> {
    Ok(StoredSession {
        title: kept.title.clone(),
        note: kept.note.clone(),
        content: serde_json::to_string(kept).map_err(|error| OpenError::Broken(error.to_string()))?,
    })
}

async fn save(store: &Store, room: &Room) {
    let kept = room.state().kept.clone();
    match stored(&kept) {
        Ok(stored) => {
            if let Err(error) = store.keep_session(Some(room.id()), &stored).await {
                eprintln!("peapod: session {} is not kept: {error}", room.id());
            }
        }
        Err(error) => eprintln!("peapod: session {} is not kept: {error}", room.id()),
    }
}

/// Keeps a session as it changes, for as long as it lives.
async fn keep(store: Store, room: Room) {
    let mut changes = room.watch();
    let mut known = room.state().kept.clone();
    while changes.changed().await.is_ok() {
        tokio::time::sleep(KEPT_AFTER).await;
        let kept = {
            let state = room.state();
            if state.is_over() {
                return;
            }
            (state.kept != known).then(|| state.kept.clone())
        };
        if let Some(kept) = kept {
            known = kept;
            save(&store, &room).await;
        }
    }
}

/// Takes over what changes in the note of a session.
async fn follow(rooms: Rooms, room: Room) {
    let Some(note) = room.state().kept.note.clone() else {
        return;
    };
    let mut changes = rooms.workspace.subscribe();
    loop {
        match changes.recv().await {
            Ok(_) | Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {}
            Err(tokio::sync::broadcast::error::RecvError::Closed) => return,
        }
        if room.state().is_over() {
            return;
        }
        if let Some(cells) = rooms.cells_of(&note) {
            room.follow_note(&cells);
        }
    }
}
