//! The state of a session, which every tab can look at: what is kept of it, what its cells and lines gave, its clock, and
//! what waits to be done.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use peapod_sim::time::{SimDuration, SimTime};
use serde::{Deserialize, Serialize};

use super::room::Refused;
use crate::i18n::Lang;
use crate::lab::{Cancel, limit};
use crate::notebook::book::{Book, Deed, MAX_DEEDS};
use crate::notebook::{Failure, Output, Settings, View};

/// Bytes of the output of one cell or line; what comes after them is cut.
const MAX_OUTPUT: usize = 1 << 20;
/// Lines of the console that are kept.
const MAX_LINES: usize = 500;

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
    pub(super) fn settings(&self) -> Settings {
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
    pub(super) fn begin(&mut self, count: Option<u32>) {
        *self = Self {
            status: Status::Running,
            count,
            revision: self.revision,
            ..Self::default()
        };
    }

    pub(super) fn add(&mut self, output: Output) {
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
pub(super) enum Job {
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
    pub(super) queue: VecDeque<Job>,
    pub(super) running: Option<Cancel>,
    pub(super) count: u32,
    line: u64,
    pub(super) ended: bool,
}

/// Where outputs are told.
pub(super) struct Place {
    pub(super) cell: Option<String>,
    pub(super) line: Option<u64>,
}

impl State {
    /// The state before anything was done again of what was kept.
    pub(super) fn new(kept: Kept, view: View) -> Self {
        let deeds = kept.book.deeds.clone();
        let mut state = Self {
            given: BTreeMap::new(),
            lines: VecDeque::new(),
            clock: Clock::default(),
            view: Arc::new(view),
            view_revision: 1,
            order_revision: 1,
            queue: VecDeque::new(),
            running: None,
            count: 0,
            line: 0,
            ended: false,
            kept,
        };
        if !deeds.is_empty() {
            // They stay in the book as well: whoever closes it meanwhile loses nothing.
            state.clock.restoring = true;
            state.queue.push_back(Job::Again { deeds, shown: true });
        }
        state
    }

    /// Whether the session was closed.
    pub fn is_over(&self) -> bool {
        self.ended
    }

    pub(super) fn touch(&mut self, id: &str, revision: u64) {
        self.given.entry(id.to_owned()).or_default().revision = revision;
    }

    pub(super) fn with(&mut self, place: &Place, revision: u64, change: impl FnOnce(&mut Given)) {
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

    pub(super) fn line(&mut self, text: &str, revision: u64) -> u64 {
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

    pub(super) fn enqueue_cell(&mut self, id: &str, revision: u64) -> Result<(), Refused> {
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

    pub(super) fn enqueue_line(&mut self, text: &str, revision: u64) -> Result<(), Refused> {
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
    pub(super) fn forget_queue(&mut self, revision: u64) {
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
    pub(super) fn unrun(&mut self, revision: u64) {
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
    pub(super) fn cut(&mut self, kept: usize, revision: u64) {
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
