//! One session that lives: a thread that carries out what is asked in its turn, and a state that every tab can look at.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use peapod_sim::time::{SimDuration, SimTime};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::i18n::Lang;
use crate::lab::{Cancel, limit};
use crate::notebook::book::{Book, Deed, MAX_DEEDS};
use crate::notebook::source::{self, Source};
use crate::notebook::{Failure, Output, Session, Settings, View};

/// Bytes of the output of one cell or line; what comes after them is cut.
const MAX_OUTPUT: usize = 1 << 20;
/// Lines of the console that are kept.
const MAX_LINES: usize = 500;
/// How often time is let pass while it follows the real one.
const STRIDE: Duration = Duration::from_millis(100);
/// How fast virtual time may follow the real one.
pub const SPEEDS: std::ops::RangeInclusive<f64> = 0.1..=1000.0;

/// What is kept of a session.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Kept {
    /// Its title.
    pub title: String,
    /// Path of the note that it is a session of; none for a scratch page.
    pub note: Option<String>,
    /// How the cluster begins.
    pub cluster: ClusterChoice,
    /// The cells, and what was done.
    pub book: Book,
    /// The reader's language when it was made: explanations in outputs are in it.
    pub korean: bool,
}

/// How the cluster of a session begins, as far as a reader chooses it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterChoice {
    /// Version of Kubernetes.
    pub kubernetes: String,
    /// Nodes.
    pub nodes: usize,
    /// Seed of all chance.
    pub seed: u64,
}

impl Default for ClusterChoice {
    fn default() -> Self {
        let settings = Settings::default();
        Self {
            kubernetes: settings.version.to_string(),
            nodes: settings.nodes,
            seed: settings.seed,
        }
    }
}

impl Kept {
    fn settings(&self) -> Settings {
        let chosen = &self.cluster;
        let plain = Settings::default();
        Settings {
            version: peapod_sim::version::Version::named(&chosen.kubernetes).unwrap_or(plain.version),
            nodes: chosen.nodes.clamp(1, 1000),
            seed: chosen.seed,
            // A note's console begins when what stands above it has had time to settle.
            lead: if self.note.is_some() {
                limit::CONSOLE_LEAD
            } else {
                SimDuration::ZERO
            },
            lang: if self.korean { Lang::Ko } else { Lang::En },
            ..plain
        }
    }
}

/// Where a cell or a line stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Status {
    /// It has not run since the cluster began.
    #[default]
    Idle,
    /// It waits for its turn.
    Queued,
    /// It runs.
    Running,
    /// It ran.
    Done,
    /// It failed.
    Failed,
    /// It was interrupted.
    Interrupted,
}

/// One thing that a cell or a line gave.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    /// An output.
    Output(Output),
    /// Why it failed.
    Failure(Failure),
}

/// What a cell or a line gave.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// Where it stands.
    pub status: Status,
    /// The number of its run.
    pub count: Option<u32>,
    /// Its outputs.
    pub pieces: Vec<Piece>,
    bytes: usize,
    clears: bool,
    /// When it changed last.
    pub revision: u64,
}

impl Given {
    fn begin(&mut self, count: Option<u32>) {
        *self = Self {
            status: Status::Running,
            count,
            revision: self.revision,
            ..Self::default()
        };
    }

    fn add(&mut self, output: Output) {
        if std::mem::take(&mut self.clears) {
            self.pieces.clear();
        }
        match output {
            Output::Clear { wait: true } => self.clears = true,
            Output::Clear { wait: false } => self.pieces.clear(),
            Output::Update { id, bundle } => {
                for piece in &mut self.pieces {
                    if let Piece::Output(Output::Display {
                        id: known,
                        bundle: shown,
                    }) = piece
                        && known.as_deref() == Some(&id)
                    {
                        *shown = bundle.clone();
                    }
                }
            }
            Output::Stream { stderr, text } => {
                if self.bytes > MAX_OUTPUT {
                    return;
                }
                self.bytes += text.len();
                if let Some(Piece::Output(Output::Stream {
                    stderr: own,
                    text: last,
                })) = self.pieces.last_mut()
                    && *own == stderr
                {
                    last.push_str(&text);
                    return;
                }
                self.pieces.push(Piece::Output(Output::Stream { stderr, text }));
            }
            other => self.pieces.push(Piece::Output(other)),
        }
    }
}

/// One line of the console.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its number.
    pub number: u64,
    /// What was typed.
    pub text: String,
    /// What it gave.
    pub given: Given,
}

/// What the clock says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Clock {
    /// Virtual time.
    pub now: SimTime,
    /// The same on the wall.
    pub wall: String,
    /// How fast it follows the real one; none when it stands.
    pub speed: Option<f64>,
    /// Whether nothing but heartbeats is left to happen.
    pub settled: bool,
    /// Whether something is carried out.
    pub busy: bool,
    /// How many things wait.
    pub waiting: usize,
    /// Whether a saved session is being done again.
    pub restoring: bool,
    /// What ended the cluster, if anything did.
    pub problem: Option<String>,
    /// When it changed last.
    pub revision: u64,
}

/// What is to be done.
#[derive(Clone, Debug)]
enum Job {
    /// One thing, told as it happens.
    Do(Deed, Option<u64>),
    /// The cluster begins anew, and this is done again; `shown`: whether outputs are to be told again.
    Again { deeds: Vec<Deed>, shown: bool },
}

/// The state of a session.
pub struct State {
    /// What is kept of it.
    pub kept: Kept,
    /// What the cells gave, by id.
    pub given: BTreeMap<String, Given>,
    /// The console.
    pub lines: VecDeque<Line>,
    /// The clock.
    pub clock: Clock,
    /// The objects, for completion, inspection and the picture.
    pub view: Arc<View>,
    /// When the objects changed last.
    pub view_revision: u64,
    /// When cells were put in or taken out last, or what is stale changed.
    pub order_revision: u64,
    queue: VecDeque<Job>,
    running: Option<Cancel>,
    count: u32,
    line: u64,
    ended: bool,
}

/// A session that lives. Cheap to clone.
#[derive(Clone)]
pub struct Room {
    inner: Arc<Inner>,
}

struct Inner {
    id: i64,
    state: Mutex<State>,
    arrived: Condvar,
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
        let mut state = State {
            given: BTreeMap::new(),
            lines: VecDeque::new(),
            clock: Clock::default(),
            view: Arc::new(session.view()),
            view_revision: 1,
            order_revision: 1,
            queue: VecDeque::new(),
            running: None,
            count: 0,
            line: 0,
            ended: false,
            kept,
        };
        let deeds = std::mem::take(&mut state.kept.book.deeds);
        if !deeds.is_empty() {
            // They stay in the book: whoever closes it meanwhile loses nothing.
            state.kept.book.deeds.clone_from(&deeds);
            state.clock.restoring = true;
            state.queue.push_back(Job::Again { deeds, shown: true });
        }
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
    fn change<T>(&self, change: impl FnOnce(&mut State, u64) -> T) -> T {
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

    fn work(&self, mut session: Session) {
        self.look(&mut session, true);
        let mut last = Instant::now();
        loop {
            let job = {
                let mut state = self.state();
                loop {
                    if state.ended {
                        return;
                    }
                    if let Some(job) = state.queue.pop_front() {
                        state.running = Some(Cancel::counted());
                        break Some(job);
                    }
                    if state.clock.speed.is_some() {
                        let (held, time) = self
                            .inner
                            .arrived
                            .wait_timeout(state, STRIDE)
                            .unwrap_or_else(PoisonError::into_inner);
                        state = held;
                        if time.timed_out() && state.queue.is_empty() && !state.ended {
                            break None;
                        }
                    } else {
                        state = self.inner.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
                        last = Instant::now();
                    }
                }
            };
            match job {
                None => {
                    let passed = last.elapsed().min(Duration::from_secs(1));
                    self.pass(&mut session, passed);
                }
                Some(Job::Do(deed, line)) => self.carry_out(&mut session, deed, line),
                Some(Job::Again { deeds, shown }) => self.again(&mut session, deeds, shown),
            }
            last = Instant::now();
        }
    }

    /// Virtual time follows the real one.
    fn pass(&self, session: &mut Session, real: Duration) {
        let Some(speed) = self.state().clock.speed else { return };
        let nanos = (real.as_nanos() as f64 * speed).clamp(1e6, 1e15) as u64;
        // Whole milliseconds: instants that a person can read.
        let to = session.cluster().now() + SimDuration(nanos.div_ceil(1_000_000) * 1_000_000);
        let failed = session.advance_to(to).is_err();
        self.change(|state, _| {
            state.kept.book.did(Deed::Reach {
                to: session.cluster().now(),
            });
            if failed {
                state.clock.speed = None;
            }
        });
        self.look(session, false);
    }

    fn carry_out(&self, session: &mut Session, deed: Deed, line: Option<u64>) {
        let cancel = self.change(|state, revision| {
            state.clock.busy = true;
            state.clock.revision = revision;
            state.running.clone().unwrap_or_default()
        });
        let (text, cell) = match &deed {
            Deed::Cell { cell, text, .. } => (text.clone(), Some(cell.clone())),
            Deed::Line { text, .. } => (typed(text), None),
            Deed::Reach { to } => {
                let _ = session.advance_to((*to).max(session.cluster().now()));
                self.change(|state, _| {
                    state.running = None;
                    state.kept.book.did(deed.clone());
                });
                self.look(session, false);
                return;
            }
        };
        let place = Place { cell, line };
        // The text is that of the turn, not of the press: whoever edits a cell that waits means the new one.
        let text = match &place.cell {
            Some(id) => self.state().kept.book.cell(id).map_or(text, |cell| cell.text.clone()),
            None => text,
        };
        self.change(|state, revision| {
            let count = place.cell.as_ref().map(|_| {
                state.count += 1;
                state.count
            });
            state.with(&place, revision, |given| given.begin(count));
        });
        let done = self.one(session, &text, &cancel, Some(&place));
        let looks = cancel.stopped_at();
        self.change(|state, revision| {
            state.running = None;
            let failed = done.is_err();
            state.with(&place, revision, |given| finish(given, done));
            let looks = looks.filter(|_| failed);
            state.kept.book.did(match &place.cell {
                Some(cell) => Deed::Cell {
                    cell: cell.clone(),
                    text: text.clone(),
                    looks,
                },
                None => match &deed {
                    Deed::Line { text, .. } => Deed::Line {
                        text: text.clone(),
                        looks,
                    },
                    other => other.clone(),
                },
            });
            state.order_revision = revision;
            if failed {
                state.forget_queue(revision);
            }
        });
        self.look(session, true);
    }

    /// Runs a text; what it gives is told at `place` as it comes.
    fn one(&self, session: &mut Session, text: &str, cancel: &Cancel, place: Option<&Place>) -> Result<(), Failure> {
        let mut tell = |output: Output| {
            if let Some(place) = place {
                self.change(|state, revision| state.with(place, revision, |given| given.add(output)));
            }
        };
        catch_unwind(AssertUnwindSafe(|| session.run(text, cancel, &mut tell))).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_default();
            let message = format!("the simulation broke down, which is a mistake in Peapod: {text}");
            Err(Failure::new("Broken", message))
        })
    }

    /// Begins anew and does again what was done.
    fn again(&self, session: &mut Session, deeds: Vec<Deed>, shown: bool) {
        let (settings, cancel) = {
            let state = self.state();
            (state.kept.settings(), state.running.clone().unwrap_or_default())
        };
        self.change(|state, revision| {
            state.clock.busy = true;
            state.clock.restoring = true;
            state.clock.revision = revision;
            state.kept.book.deeds.clone_from(&deeds);
            state.unrun(revision);
            if shown {
                state.lines.clear();
                state.count = 0;
            }
        });
        match Session::new(settings) {
            Ok(fresh) => *session = fresh,
            Err(error) => {
                self.change(|state, revision| {
                    state.running = None;
                    state.clock.problem = Some(error);
                    state.clock.revision = revision;
                });
                return;
            }
        }
        session.hurry(true);
        let mut done_until = deeds.len();
        for (index, deed) in deeds.iter().enumerate() {
            if cancel.is_cancelled() {
                done_until = index;
                break;
            }
            let (text, cell, looks) = match deed {
                Deed::Reach { to } => {
                    let _ = session.advance_to((*to).max(session.cluster().now()));
                    continue;
                }
                Deed::Cell { cell, text, looks } => (text.clone(), Some(cell.clone()), *looks),
                Deed::Line { text, looks } => (typed(text), None, *looks),
            };
            // An experiment has clusters of its own: for this one nothing comes of it.
            let is_experiment = matches!(source::read(&text), Ok(Source::Experiment(..)));
            if is_experiment && !shown {
                continue;
            }
            let place = shown.then(|| {
                self.change(|state, revision| {
                    let line = match (&cell, deed) {
                        (None, Deed::Line { text, .. }) => Some(state.line(text, revision)),
                        _ => None,
                    };
                    let count = cell.as_ref().map(|_| {
                        state.count += 1;
                        state.count
                    });
                    let place = Place {
                        cell: cell.clone(),
                        line,
                    };
                    state.with(&place, revision, |given| given.begin(count));
                    place
                })
            });
            let own = looks.map_or_else(Cancel::new, Cancel::after);
            let done = match (is_experiment, looks) {
                (true, Some(_)) => Err(Failure::new("Interrupted", format!("at {}", session.cluster().now()))),
                _ => self.one(session, &text, &own, place.as_ref()),
            };
            if let Some(place) = place {
                self.change(|state, revision| state.with(&place, revision, |given| finish(given, done)));
            }
        }
        session.hurry(false);
        self.change(|state, revision| {
            state.running = None;
            state.clock.restoring = false;
            state.clock.revision = revision;
            state.order_revision = revision;
            // Whoever closes the session, or has it done again otherwise, means to keep the rest.
            if !state.ended && !state.queue.iter().any(|job| matches!(job, Job::Again { .. })) {
                state.kept.book.deeds.truncate(done_until);
                state.unrun(revision);
            }
        });
        self.look(session, true);
    }

    /// What there is to be seen of the cluster.
    fn look(&self, session: &mut Session, is_done: bool) {
        let settled = session.settled();
        let cluster = session.cluster();
        let clock = Clock {
            now: cluster.now(),
            wall: cluster.wall_now().strftime("%Y-%m-%d %H:%M:%S").to_string(),
            settled,
            problem: cluster.problem(),
            ..Clock::default()
        };
        let view = session.view();
        self.change(|state, revision| {
            let before = state.clock.clone();
            state.clock = Clock {
                speed: before.speed.filter(|_| clock.problem.is_none()),
                busy: before.busy && !is_done,
                restoring: before.restoring,
                revision,
                ..clock
            };
            if is_done {
                state.clock.busy = state.running.is_some();
            }
            let same = |kind: &&str| {
                let (old, new) = (state.view.objects.get(*kind), view.objects.get(*kind));
                matches!((old, new), (Some(old), Some(new)) if old.len() == new.len()
                    && old.iter().zip(new).all(|(old, new)| Arc::ptr_eq(old, new)))
            };
            let is_same = view.objects.keys().all(same) && state.view.files == view.files;
            if !is_same {
                state.view = Arc::new(view);
                state.view_revision = revision;
            }
        });
    }
}

/// Where outputs are told.
struct Place {
    cell: Option<String>,
    line: Option<u64>,
}

fn finish(given: &mut Given, done: Result<(), Failure>) {
    given.status = match &done {
        Ok(()) => Status::Done,
        Err(failure) if failure.name == "Interrupted" => Status::Interrupted,
        Err(_) => Status::Failed,
    };
    if let Err(failure) = done {
        given.pieces.push(Piece::Failure(failure));
    }
}

/// A line of the console as a cell has it.
fn typed(line: &str) -> String {
    let line = line.trim();
    if line.starts_with('%') || line.starts_with("$ ") {
        line.to_owned()
    } else {
        format!("$ {line}")
    }
}

impl State {
    /// Whether the session was closed.
    pub fn is_over(&self) -> bool {
        self.ended
    }

    fn touch(&mut self, id: &str, revision: u64) {
        self.given.entry(id.to_owned()).or_default().revision = revision;
    }

    fn with(&mut self, place: &Place, revision: u64, change: impl FnOnce(&mut Given)) {
        let given = match (&place.cell, place.line) {
            (Some(id), _) if self.kept.book.cell(id).is_some() => self.given.entry(id.clone()).or_default(),
            (_, Some(number)) => match self.lines.iter_mut().find(|line| line.number == number) {
                Some(line) => &mut line.given,
                None => return,
            },
            _ => return,
        };
        change(given);
        given.revision = revision;
    }

    fn line(&mut self, text: &str, revision: u64) -> u64 {
        self.line += 1;
        let given = Given {
            status: Status::Queued,
            revision,
            ..Given::default()
        };
        self.lines.push_back(Line {
            number: self.line,
            text: text.to_owned(),
            given,
        });
        while self.lines.len() > MAX_LINES {
            self.lines.pop_front();
        }
        self.line
    }

    fn has_room(&self) -> Result<(), Refused> {
        match self.kept.book.deeds.len() + self.queue.len() < MAX_DEEDS {
            true => Ok(()),
            false => Err(Refused::TooMuch),
        }
    }

    fn enqueue_cell(&mut self, id: &str, revision: u64) -> Result<(), Refused> {
        self.has_room()?;
        let text = self.kept.book.cell(id).ok_or(Refused::NoCell)?.text.clone();
        let deed = Deed::Cell {
            cell: id.to_owned(),
            text,
            looks: None,
        };
        let given = self.given.entry(id.to_owned()).or_default();
        if given.status != Status::Running {
            given.status = Status::Queued;
        }
        given.revision = revision;
        self.queue.push_back(Job::Do(deed, None));
        Ok(())
    }

    fn enqueue_line(&mut self, text: &str, revision: u64) -> Result<(), Refused> {
        self.has_room()?;
        let number = self.line(text, revision);
        let deed = Deed::Line {
            text: text.to_owned(),
            looks: None,
        };
        self.queue.push_back(Job::Do(deed, Some(number)));
        Ok(())
    }

    /// Forgets what waits; a rebuilding of the cluster stays, for without it nothing is where it seems to be.
    fn forget_queue(&mut self, revision: u64) {
        self.queue.retain(|job| matches!(job, Job::Again { .. }));
        for given in self.given.values_mut().filter(|given| given.status == Status::Queued) {
            given.status = if given.pieces.is_empty() {
                Status::Idle
            } else {
                Status::Done
            };
            given.revision = revision;
        }
        for line in self.lines.iter_mut().filter(|line| line.given.status == Status::Queued) {
            line.given.status = Status::Interrupted;
            line.given.revision = revision;
        }
    }

    /// Cells that did not run since the cluster began show nothing.
    fn unrun(&mut self, revision: u64) {
        let idle: Vec<String> = self
            .kept
            .book
            .cells
            .iter()
            .filter(|cell| self.kept.book.last_run(&cell.id).is_none())
            .map(|cell| cell.id.clone())
            .collect();
        for id in idle {
            let given = self.given.entry(id).or_default();
            if !matches!(given.status, Status::Queued | Status::Idle) || !given.pieces.is_empty() {
                let status = match given.status {
                    Status::Queued => Status::Queued,
                    _ => Status::Idle,
                };
                *given = Given {
                    status,
                    revision,
                    ..Given::default()
                };
            }
        }
    }

    /// Only the first of what was done stays, and is done again.
    fn cut(&mut self, kept: usize, revision: u64) {
        let ids: Vec<String> = self.kept.book.cells.iter().map(|cell| cell.id.clone()).collect();
        let before: Vec<Option<usize>> = ids.iter().map(|id| self.kept.book.last_run(id)).collect();
        self.kept.book.deeds.truncate(kept);
        // A cell that ran again later shows what it gave then: it has to tell anew what it gave before.
        let shown = ids.iter().zip(&before).any(|(id, before)| {
            let now = self.kept.book.last_run(id);
            now.is_some() && now != *before
        });
        let ran = self.kept.book.deeds.iter();
        let ran = ran.filter(|deed| matches!(deed, Deed::Cell { .. })).count();
        self.count = u32::try_from(ran).unwrap_or(u32::MAX);
        self.unrun(revision);
        self.order_revision = revision;
        let deeds = self.kept.book.deeds.clone();
        self.queue.retain(|job| !matches!(job, Job::Again { .. }));
        self.queue.push_front(Job::Again { deeds, shown });
    }
}
