//! The thread of a session: it carries out what is asked in its turn, and tells what comes as it comes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use peapod_sim::time::SimDuration;

use super::room::Room;
use super::state::{Clock, Given, Job, Piece, Place, Status};
use crate::lab::Cancel;
use crate::notebook::book::Deed;
use crate::notebook::source::{self, Source};
use crate::notebook::{Failure, Output, Session};

/// How often time is let pass while it follows the real one.
const STRIDE: Duration = Duration::from_millis(100);

impl Room {
    /// Works until the session is closed.
    pub(super) fn work(&self, mut session: Session) {
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
