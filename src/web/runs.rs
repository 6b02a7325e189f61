//! Runs that go on: each is recorded before it starts, runs on threads of its own, and tells everyone who looks how far
//! it is. A page that is left loses nothing; a page that comes back goes on where the run is.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use serde::Serialize;
use tokio::sync::{Semaphore, mpsc, watch};

use crate::lab::model::{Diagnostic, Ended, Experiment, Progress, RunStatus, TrialResult};
use crate::lab::{Cancel, RunEvent, Runner};
use crate::store::{Conclusion, EncodedTrace, FinishedTrial, NewRun, RunId, Store, StoreError};

/// At most so many runs at a time; each spreads its trials over all processors by itself.
const AT_ONCE: usize = 2;
/// At most so many runs that wait for their turn.
pub const MAX_WAITING: usize = 100;
/// Trials that ended but are not yet written; a run waits rather than fill the memory with traces.
const UNWRITTEN: usize = 16;

/// How far a run is.
#[derive(Clone, Debug, Serialize)]
pub struct Tick {
    /// Grows with each tick: the `id:` of the event stream.
    pub sequence: u64,
    /// Trials that ended.
    pub done: usize,
    /// All trials.
    pub total: usize,
    /// Trials that ended with an error.
    pub failed: usize,
    /// `queued`, `running`, or how it ended.
    pub status: &'static str,
    /// Whether it ended and its results are kept.
    pub ended: bool,
}

#[derive(Debug)]
struct Active {
    cancel: Cancel,
    ticks: watch::Sender<Tick>,
}

/// All runs of this server that have not ended.
#[derive(Clone, Debug)]
pub struct Runs {
    store: Store,
    active: Arc<Mutex<BTreeMap<RunId, Arc<Active>>>>,
    slots: Arc<Semaphore>,
}

/// Why a run does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The experiment cannot run.
    #[error("the experiment cannot run")]
    Refused(Vec<Diagnostic>),
    /// Too many wait already.
    #[error("{MAX_WAITING} runs are waiting already")]
    TooMany,
    /// It cannot be recorded.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What to run.
#[derive(Debug)]
pub struct Order {
    /// Path of the note.
    pub note: String,
    /// Key of the cell.
    pub cell: String,
    /// The text that is run.
    pub source: String,
    /// Whether it is a changed copy.
    pub scratch: bool,
    /// What the text states.
    pub experiment: Experiment,
}

impl Runs {
    /// No runs yet.
    pub fn new(store: Store) -> Self {
        Self {
            store,
            active: Arc::default(),
            slots: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// Records a run and starts it as soon as it is its turn.
    ///
    /// # Errors
    /// When the experiment cannot run, too many runs wait, or the run cannot be recorded.
    pub async fn start(&self, order: Order) -> Result<RunId, StartError> {
        if self.lock().len() >= MAX_WAITING + AT_ONCE {
            return Err(StartError::TooMany);
        }
        let cancel = Cancel::new();
        let runner = Runner::new(order.experiment.clone())
            .map_err(StartError::Refused)?
            .cancelled_by(cancel.clone());
        let total = runner.total();
        let kubernetes = match order.experiment.kubernetes.as_slice() {
            [] => peapod_sim::version::Version::NEWEST.to_string(),
            versions => versions.join(", "),
        };
        let new = NewRun {
            note: order.note,
            cell: order.cell,
            source: order.source,
            scratch: order.scratch,
            experiment: order.experiment,
            settings: serde_json::json!({}),
            kubernetes,
            total,
        };
        let id = self.store.start_run(&new).await?;
        self.go(id, runner, cancel, 0, total);
        Ok(id)
    }

    /// Goes on with a run that was interrupted or cancelled: only the trials that did not end are run.
    ///
    /// # Errors
    /// When there is no such run, it ended otherwise, its experiment cannot run any more, or too many runs wait.
    pub async fn resume(&self, id: RunId) -> Result<(), StartError> {
        if self.lock().len() >= MAX_WAITING + AT_ONCE {
            return Err(StartError::TooMany);
        }
        let known = self.store.run(id).await?.ok_or(StoreError::NoSuchRun(id))?;
        let cancel = Cancel::new();
        let runner = Runner::new(known.result.experiment.clone()).map_err(StartError::Refused)?;
        let stored = self.store.resume_run(id).await?;
        // A trial that was cut off has to be done again.
        let whole = |result: &TrialResult| result.ended != Ended::Cancelled;
        let ended: Vec<TrialResult> = stored.result.trials.into_iter().filter(whole).collect();
        let (done, total) = (ended.len(), runner.total());
        let runner = runner.resume(ended).cancelled_by(cancel.clone());
        self.go(id, runner, cancel, done, total);
        Ok(())
    }

    /// Carries a run out as soon as it is its turn.
    fn go(&self, id: RunId, runner: Runner, cancel: Cancel, done: usize, total: usize) {
        let first = Tick {
            sequence: 1,
            done,
            total,
            failed: 0,
            status: "queued",
            ended: false,
        };
        let active = Arc::new(Active {
            cancel,
            ticks: watch::Sender::new(first),
        });
        self.lock().insert(id, active.clone());
        let runs = self.clone();
        tokio::spawn(async move {
            let _slot = runs.slots.clone().acquire_owned().await;
            let status = runs.carry_out(id, runner, &active).await;
            runs.lock().remove(&id);
            active.ticks.send_modify(|tick| {
                tick.sequence += 1;
                tick.status = status.as_str();
                tick.ended = true;
            });
        });
    }

    async fn carry_out(&self, id: RunId, runner: Runner, active: &Arc<Active>) -> RunStatus {
        let (trials, mut finished) = mpsc::channel::<FinishedTrial>(UNWRITTEN);
        let (conclude, conclusion) = tokio::sync::oneshot::channel();
        let ticks = active.clone();
        let thread = std::thread::Builder::new().name(format!("run-{id}")).spawn(move || {
            let result = runner.run(&mut |event| match event {
                RunEvent::Trial { result, json, .. } => {
                    let trace = Some(EncodedTrace::of_json(json));
                    // The receiver is gone only when the server stops; the run is then marked as interrupted.
                    let _ = trials.blocking_send(FinishedTrial {
                        result: result.clone(),
                        trace,
                    });
                }
                RunEvent::Progress(progress) => tell(&ticks.ticks, progress),
            });
            drop(trials);
            let _ = conclude.send(Conclusion::from(&result));
        });
        if let Err(error) = thread {
            return self.fail(id, &format!("no thread for the run: {error}")).await;
        }
        let mut lost = None;
        while let Some(first) = finished.recv().await {
            let mut batch = vec![first];
            while let Ok(next) = finished.try_recv() {
                batch.push(next);
            }
            if let Err(error) = self.store.record_trials(id, &batch).await {
                lost = Some(error.to_string());
                active.cancel.cancel();
            }
        }
        match (conclusion.await, lost) {
            (_, Some(error)) => self.fail(id, &error).await,
            (Err(_), None) => {
                self.fail(id, "the run ended with a panic; this is a mistake in Peapod")
                    .await
            }
            (Ok(conclusion), None) => match self.store.end_run(id, &conclusion).await {
                Ok(()) => conclusion.status,
                Err(error) => self.fail(id, &error.to_string()).await,
            },
        }
    }

    async fn fail(&self, id: RunId, why: &str) -> RunStatus {
        eprintln!("peapod: run {id}: {why}");
        let diagnostics = vec![Diagnostic::error("run.failed", why)];
        let conclusion = Conclusion {
            status: RunStatus::Failed,
            claims: Vec::new(),
            tables: Vec::new(),
            diagnostics,
        };
        if let Err(error) = self.store.end_run(id, &conclusion).await {
            eprintln!("peapod: run {id} could not be marked as failed: {error}");
        }
        RunStatus::Failed
    }

    /// How far a run is, now and from now on; none when it is not going on in this server.
    pub fn watch(&self, id: RunId) -> Option<watch::Receiver<Tick>> {
        self.lock().get(&id).map(|active| active.ticks.subscribe())
    }

    /// Cancels a run; says whether it was going on.
    pub fn cancel(&self, id: RunId) -> bool {
        self.lock().get(&id).map(|active| active.cancel.cancel()).is_some()
    }

    /// Waits until no run goes on, at most until an instant; then cancels those that are left.
    pub async fn settle(&self, until: Instant) {
        while !self.lock().is_empty() && Instant::now() < until {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        for active in self.lock().values() {
            active.cancel.cancel();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<RunId, Arc<Active>>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn tell(ticks: &watch::Sender<Tick>, progress: Progress) {
    ticks.send_modify(|tick| {
        tick.sequence += 1;
        tick.done = progress.done;
        tick.total = progress.total;
        tick.failed = progress.failed;
        tick.status = "running";
    });
}
