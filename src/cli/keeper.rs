//! Where commands keep what they ran: the store beside the notes, and a runtime to talk to it.

use peapod_sim::version::Version;
use peapod_vault::{Cell, Note};
use tokio::runtime::Runtime;

use super::place::{self, NotePlace};
use crate::lab::model::{Experiment, RunResult, TrialResult};
use crate::store::{Conclusion, EncodedTrace, FinishedTrial, NewRun, RunId, Store, StoreError};

/// Keeps runs in the store of a vault.
pub struct Keeper {
    runtime: Runtime,
    store: Store,
}

impl Keeper {
    /// Keeps in `.peapod/` beside the notes of this place; nothing is written before the first run.
    ///
    /// # Errors
    /// When the system gives no runtime.
    pub fn beside(place: &NotePlace) -> std::io::Result<Self> {
        let root = place.workspace.root();
        let store = Store::of_vault(&root.map_or_else(place::default_vault, ToOwned::to_owned));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { runtime, store })
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Waits for what the store answers.
    pub fn wait<T>(&self, answer: impl Future<Output = T>) -> T {
        self.runtime.block_on(answer)
    }

    /// Records that a run begins.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn begin(&self, note: &Note, cell: &Cell, experiment: Experiment, total: usize) -> Result<RunId, StoreError> {
        let kubernetes = match experiment.kubernetes.as_slice() {
            [] => Version::NEWEST.to_string(),
            versions => versions.join(", "),
        };
        self.wait(self.store.start_run(&NewRun {
            note: note.path.clone(),
            cell: cell.key.clone(),
            source: cell.text.clone(),
            scratch: false,
            kubernetes,
            total,
            settings: serde_json::json!({}),
            experiment,
        }))
    }

    /// Records a trial that ended; `json` is its trace, empty if it left none.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn trial(&self, run: RunId, result: &TrialResult, json: &[u8]) -> Result<(), StoreError> {
        let trial = FinishedTrial {
            result: result.clone(),
            trace: (!json.is_empty()).then(|| EncodedTrace::of_json(json)),
        };
        self.wait(self.store.record_trials(run, &[trial]))
    }

    /// Records how a run ended.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn end(&self, run: RunId, result: &RunResult) -> Result<(), StoreError> {
        self.wait(self.store.end_run(run, &Conclusion::from(result)))
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.runtime.block_on(self.store.close());
    }
}
