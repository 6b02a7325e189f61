//! One session that lives, and what is asked of it. Its thread ([`super::worker`]) carries out in its turn what needs the
//! cluster; what only changes the state happens at once.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::state::{ClusterChoice, Job, Kept, State};
use crate::notebook::Session;
use crate::notebook::book::Deed;

/// How fast virtual time may follow the real one.
pub const SPEEDS: std::ops::RangeInclusive<f64> = 0.1..=1000.0;

/// A session that lives. Cheap to clone.
#[derive(Clone)]
pub struct Room {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    id: i64,
    state: Mutex<State>,
    pub(super) arrived: Condvar,
    revision: watch::Sender<u64>,
}

/// Why something is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// There is no such cell.
    NoCell,
    /// There is too much of it.
    TooMuch,
    /// The cells of a note stay in its order.
    OfNote,
}

impl Room {
    /// Opens a session: what was done is done again.
    ///
    /// # Errors
    /// When the cluster cannot begin.
    pub fn open(id: i64, kept: Kept) -> Result<Self, String> {
        let session = Session::new(kept.settings())?;
        let state = State::new(kept, session.view());
        let inner = Arc::new(Inner {
            id,
            state: Mutex::new(state),
            arrived: Condvar::new(),
            revision: watch::Sender::new(1),
        });
        let room = Self { inner };
        let worker = room.clone();
        std::thread::Builder::new()
            .name(format!("session-{id}"))
            .stack_size(16 << 20)
            .spawn(move || worker.work(session))
            .map_err(|error| format!("no thread for the session: {error}"))?;
        Ok(room)
    }

    /// Its number.
    pub fn id(&self) -> i64 {
        self.inner.id
    }

    /// The state, as it is now.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Grows with each change.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.inner.revision.subscribe()
    }

    /// The number of the next change. The state is locked, so that nobody looks between the number and the change.
    fn next(&self) -> u64 {
        *self.inner.revision.borrow() + 1
    }

    fn tell(&self, revision: u64) {
        self.inner.revision.send_if_modified(|known| {
            let newer = revision > *known;
            *known = revision.max(*known);
            newer
        });
    }

    /// Changes the state; whatever `change` marks with the number that it gets is told to everyone.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State, u64) -> T) -> T {
        let mut state = self.state();
        let revision = self.next();
        let done = change(&mut state, revision);
        state.clock.waiting = state.queue.iter().filter(|job| matches!(job, Job::Do(..))).count();
        self.tell(revision);
        done
    }

    /// Sets the text of a cell.
    ///
    /// # Errors
    /// When there is no such cell, or the text is too long.
    pub fn edit(&self, id: &str, text: &str) -> Result<(), Refused> {
        if text.len() > crate::notebook::book::MAX_TEXT {
            return Err(Refused::TooMuch);
        }
        self.change(|state, revision| {
            let cell = state.kept.book.cell_mut(id).ok_or(Refused::NoCell)?;
            if cell.text != text {
                text.clone_into(&mut cell.text);
                state.touch(id, revision);
                state.order_revision = revision;
            }
            Ok(())
        })
    }

    /// The text that the note has.
    ///
    /// # Errors
    /// When there is no such cell.
    pub fn revert(&self, id: &str) -> Result<(), Refused> {
        let origin = {
            let state = self.state();
            let cell = state.kept.book.cell(id).ok_or(Refused::NoCell)?;
            cell.origin.clone().ok_or(Refused::NoCell)?
        };
        self.edit(id, &origin)
    }

    /// Puts a cell into a scratch page: under another one, or at the top.
    ///
    /// # Errors
    /// When the page is a note's, there are too many, or no such cell.
    pub fn insert(&self, after: Option<&str>, text: &str) -> Result<String, Refused> {
        self.change(|state, revision| {
            if state.kept.note.is_some() {
                return Err(Refused::OfNote);
            }
            let at = match after {
                None => 0,
                Some(id) => {
                    let found = state.kept.book.cells.iter().position(|cell| cell.id == id);
                    found.ok_or(Refused::NoCell)? + 1
                }
            };
            let id = state.kept.book.insert(at, text).ok_or(Refused::TooMuch)?;
            state.touch(&id, revision);
            state.order_revision = revision;
            Ok(id)
        })
    }

    /// Takes a cell out of a scratch page.
    ///
    /// # Errors
    /// When the page is a note's, or there is no such cell.
    pub fn remove(&self, id: &str) -> Result<(), Refused> {
        self.change(|state, revision| {
            if state.kept.note.is_some() {
                return Err(Refused::OfNote);
            }
            let cells = &mut state.kept.book.cells;
            let at = cells.iter().position(|cell| cell.id == id).ok_or(Refused::NoCell)?;
            cells.remove(at);
            state.given.remove(id);
            state.order_revision = revision;
            Ok(())
        })
    }

    /// Gives it another title.
    pub fn rename(&self, title: &str) {
        self.change(|state, revision| {
            state.kept.title = title.chars().take(200).collect();
            state.order_revision = revision;
        });
    }

    /// Takes over the cells of its note.
    pub fn follow_note(&self, cells: &[(String, String)]) {
        self.change(|state, revision| {
            if state.kept.book.follow(cells) {
                let ids: Vec<String> = state.kept.book.cells.iter().map(|cell| cell.id.clone()).collect();
                ids.iter().for_each(|id| state.touch(id, revision));
                state.order_revision = revision;
            }
        });
    }

    /// Runs a cell when it is its turn.
    ///
    /// # Errors
    /// When there is no such cell, or too much was done already.
    pub fn run(&self, id: &str) -> Result<(), Refused> {
        self.change(|state, revision| state.enqueue_cell(id, revision))?;
        self.inner.arrived.notify_all();
        Ok(())
    }

    /// Runs all cells, from top to bottom.
    ///
    /// # Errors
    /// When too much was done already.
    pub fn run_all(&self) -> Result<(), Refused> {
        self.change(|state, revision| {
            let ids: Vec<String> = state.kept.book.cells.iter().map(|cell| cell.id.clone()).collect();
            ids.iter().try_for_each(|id| state.enqueue_cell(id, revision))
        })?;
        self.inner.arrived.notify_all();
        Ok(())
    }

    /// Does again what is stale: the cluster goes back to where everything is as it should be, and what ran after that runs
    /// again, from top to bottom.
    ///
    /// # Errors
    /// When too much was done already.
    pub fn run_stale(&self) -> Result<(), Refused> {
        self.stop();
        self.change(|state, revision| {
            let (same, then) = state.kept.book.fresh();
            if then.is_empty() && same == state.kept.book.deeds.len() {
                return Ok(());
            }
            state.cut(same, revision);
            for deed in then {
                match deed {
                    Deed::Cell { cell, .. } => state.enqueue_cell(&cell, revision)?,
                    Deed::Line { text, .. } => state.enqueue_line(&text, revision)?,
                    reach @ Deed::Reach { .. } => state.queue.push_back(Job::Do(reach, None)),
                }
            }
            Ok(())
        })?;
        self.inner.arrived.notify_all();
        Ok(())
    }

    /// Goes back to before a cell ran for the first time.
    ///
    /// # Errors
    /// When there is no such cell, or it never ran.
    pub fn reset_before(&self, id: &str) -> Result<(), Refused> {
        let kept = self.state().kept.book.before(id).ok_or(Refused::NoCell)?.len();
        self.stop();
        self.change(|state, revision| state.cut(kept, revision));
        self.inner.arrived.notify_all();
        Ok(())
    }

    /// Begins anew with a fresh cluster.
    ///
    /// # Errors
    /// A sentence that says what cannot be.
    pub fn restart(&self, cluster: Option<ClusterChoice>) -> Result<(), String> {
        if let Some(cluster) = &cluster {
            if peapod_sim::version::Version::named(&cluster.kubernetes).is_none() {
                return Err(format!("Kubernetes {} is not simulated", cluster.kubernetes));
            }
            if !(1..=1000).contains(&cluster.nodes) {
                return Err("a cluster has 1 to 1000 nodes".to_owned());
            }
        }
        self.stop();
        self.change(|state, revision| {
            if let Some(cluster) = cluster {
                state.kept.cluster = cluster;
            }
            state.lines.clear();
            state.cut(0, revision);
        });
        self.inner.arrived.notify_all();
        Ok(())
    }

    /// Types a line into the console: one of the shell, or a `%` command.
    ///
    /// # Errors
    /// When it is too long, or too much was done already.
    pub fn enter(&self, line: &str) -> Result<(), Refused> {
        if line.len() > crate::notebook::book::MAX_TEXT {
            return Err(Refused::TooMuch);
        }
        self.change(|state, revision| state.enqueue_line(line, revision))?;
        self.inner.arrived.notify_all();
        Ok(())
    }

    /// Lets virtual time follow the real one, so many times as fast; none lets it stand.
    pub fn follow(&self, speed: Option<f64>) {
        let speed = speed.map(|speed| speed.clamp(*SPEEDS.start(), *SPEEDS.end()));
        self.change(|state, revision| {
            state.clock.speed = speed;
            state.clock.revision = revision;
        });
        self.inner.arrived.notify_all();
    }

    /// Stops what runs, and forgets what waits. The cluster stays where it is.
    pub fn interrupt(&self) {
        self.stop();
    }

    fn stop(&self) {
        self.change(|state, revision| {
            if let Some(cancel) = &state.running {
                cancel.cancel();
            }
            state.clock.speed = None;
            state.clock.revision = revision;
            state.forget_queue(revision);
        });
    }

    /// Ends the thread, when nobody needs the session any more.
    pub fn close(&self) {
        self.state().ended = true;
        self.stop();
        self.inner.arrived.notify_all();
    }

    /// Whether nothing is carried out, waits, or follows the real time.
    pub fn is_idle(&self) -> bool {
        let state = self.state();
        state.running.is_none() && state.queue.is_empty() && state.clock.speed.is_none()
    }
}
