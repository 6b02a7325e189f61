//! Runs the trials of an experiment on threads.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use peapod_sim::trace::Trace;

use super::model::{Diagnostic, Ended, Experiment, Place, Progress, RunResult, RunStatus, Trial, TrialResult};
use super::program::{self, Program};
use super::{judge, table, trial, trials};

/// Stops a run from another thread. Clones stop the same run.
#[derive(Clone, Debug, Default)]
pub struct Cancel {
    stopped: Arc<AtomicBool>,
    looks: Option<Arc<Looks>>,
}

/// How often it was looked whether to go on, which is the same each time the same thing is done on one thread.
#[derive(Debug)]
struct Looks {
    count: AtomicU64,
    /// The look at which it was stopped.
    stopped: AtomicU64,
    /// The look at which it is to stop.
    after: u64,
}

impl Cancel {
    /// A run that nobody has stopped.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, which remembers when it was stopped ([`Cancel::stopped_at`]).
    pub fn counted() -> Self {
        Self::after(u64::MAX)
    }

    /// A run that stops by itself where another one was stopped, after so many looks.
    pub fn after(looks: u64) -> Self {
        Self {
            stopped: Arc::default(),
            looks: Some(Arc::new(Looks {
                count: AtomicU64::new(0),
                stopped: AtomicU64::new(u64::MAX),
                after: looks,
            })),
        }
    }

    /// Stops the run: no trial begins any more, those that run end as [`Ended::Cancelled`].
    pub fn cancel(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Whether it was stopped.
    pub fn is_cancelled(&self) -> bool {
        let stopped = self.stopped.load(Ordering::Relaxed);
        let Some(looks) = &self.looks else { return stopped };
        let look = looks.count.fetch_add(1, Ordering::Relaxed);
        let stopped = stopped || look >= looks.after;
        if stopped {
            looks.stopped.fetch_min(look, Ordering::Relaxed);
        }
        stopped
    }

    /// The first look at which it was stopped, of one that counts them.
    pub fn stopped_at(&self) -> Option<u64> {
        let look = self.looks.as_ref()?.stopped.load(Ordering::Relaxed);
        (look != u64::MAX).then_some(look)
    }
}

/// What a run tells while it goes on.
#[derive(Debug)]
pub enum RunEvent<'a> {
    /// A trial ended. Trials come in the order in which they end.
    Trial {
        /// What it gave.
        result: &'a TrialResult,
        /// Its trace, complete by itself.
        trace: &'a Trace,
        /// The JSON of the trace, of which [`TrialResult::digest`] is the SHA-256.
        json: &'a [u8],
    },
    /// How far the run is: once at the beginning, then after each trial.
    Progress(Progress),
}

/// A run of one experiment.
#[derive(Clone, Debug)]
pub struct Runner {
    program: Arc<Program>,
    trials: Vec<Trial>,
    threads: usize,
    cancel: Cancel,
    done: BTreeMap<usize, TrialResult>,
}

impl Runner {
    /// A run of an experiment on as many threads as the machine has.
    ///
    /// # Errors
    /// What [`super::read`] says of an experiment that cannot run.
    pub fn new(experiment: Experiment) -> Result<Self, Vec<Diagnostic>> {
        let trials = trials(&experiment).map_err(|error| vec![error])?;
        let program = Arc::new(program::compile(&experiment)?);
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            program,
            trials,
            threads,
            cancel: Cancel::new(),
            done: BTreeMap::new(),
        })
    }

    /// At most so many threads. Results do not depend on it.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads.max(1);
        self
    }

    /// Trials leave no traces: the verdicts are the same and come sooner, but nobody can look at what happened. Their
    /// [`RunEvent::Trial`] has an empty trace, and [`TrialResult::digest`] is empty.
    #[must_use]
    pub fn without_traces(mut self) -> Self {
        Arc::make_mut(&mut self.program).traced = false;
        self
    }

    /// Stops when this token says so.
    #[must_use]
    pub fn cancelled_by(mut self, cancel: Cancel) -> Self {
        self.cancel = cancel;
        self
    }

    /// Takes these trials as they are, from an interrupted run of the same experiment, and runs only the others.
    #[must_use]
    pub fn resume(mut self, done: Vec<TrialResult>) -> Self {
        let known = |result: &TrialResult| self.trials.get(result.trial.index) == Some(&result.trial);
        self.done = done
            .into_iter()
            .filter(known)
            .map(|result| (result.trial.index, result))
            .collect();
        self
    }

    /// How many trials the run has.
    pub fn total(&self) -> usize {
        self.trials.len()
    }

    /// Runs all trials and judges them. Blocks; `events` is called on this thread. A trial that fails or panics is a
    /// result with an error; it never ends the run.
    pub fn run(&self, events: &mut dyn FnMut(RunEvent<'_>)) -> RunResult {
        let todo: Vec<&Trial> = self
            .trials
            .iter()
            .filter(|trial| !self.done.contains_key(&trial.index))
            .collect();
        let mut results = self.done.clone();
        let mut progress = Progress {
            done: results.len(),
            total: self.trials.len(),
            failed: 0,
        };
        progress.failed = results.values().filter(|result| result.error.is_some()).count();
        events(RunEvent::Progress(progress));
        let mut take = |result: TrialResult, trace: &Trace, json: &[u8]| {
            events(RunEvent::Trial {
                result: &result,
                trace,
                json,
            });
            progress.done += 1;
            progress.failed += usize::from(result.error.is_some());
            events(RunEvent::Progress(progress));
            results.insert(result.trial.index, result);
        };
        let threads = self.threads.min(todo.len());
        if threads <= 1 {
            for trial in todo {
                if self.cancel.is_cancelled() {
                    break;
                }
                let (result, trace, json) = self.one(trial);
                take(result, &trace, &json);
            }
        } else {
            let next = AtomicUsize::new(0);
            // A short channel: a consumer that is slow to keep traces holds the trials back instead of filling memory.
            let (sender, receiver) = mpsc::sync_channel(threads);
            std::thread::scope(|scope| {
                for _ in 0..threads {
                    let (sender, next, todo) = (sender.clone(), &next, &todo);
                    scope.spawn(move || {
                        while let Some(trial) = todo.get(next.fetch_add(1, Ordering::Relaxed)) {
                            if self.cancel.is_cancelled() || sender.send(self.one(trial)).is_err() {
                                break;
                            }
                        }
                    });
                }
                drop(sender);
                for (result, trace, json) in receiver {
                    take(result, &trace, &json);
                }
            });
        }
        self.conclude(results.into_values().collect())
    }

    /// One trial; whatever happens in the simulation stays in it.
    fn one(&self, trial: &Trial) -> (TrialResult, Trace, Vec<u8>) {
        let run = AssertUnwindSafe(|| trial::run(&self.program, trial, &self.cancel));
        catch_unwind(run).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_default();
            let message = format!("the simulation broke down, which is a mistake in Peapod: {text}");
            let place = Place {
                line: self.program.experiment.first_line,
                column: 1,
                length: 1,
            };
            let error = Diagnostic::error("trial.panic", message).at(place);
            trial::failed(&self.program, trial, error)
        })
    }

    fn conclude(&self, trials: Vec<TrialResult>) -> RunResult {
        let experiment = &*self.program.experiment;
        let cancelled = trials.len() < self.trials.len() || trials.iter().any(|trial| trial.ended == Ended::Cancelled);
        let mut diagnostics: Vec<Diagnostic> = Vec::new();
        for error in trials.iter().filter_map(|trial| trial.error.as_ref()) {
            if !diagnostics.contains(error) {
                diagnostics.push(error.clone());
            }
        }
        RunResult {
            status: if cancelled {
                RunStatus::Cancelled
            } else {
                RunStatus::Finished
            },
            claims: judge::claims(experiment, &trials),
            tables: table::tables(experiment, &trials),
            experiment: experiment.clone(),
            trials,
            diagnostics,
            peapod: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}
