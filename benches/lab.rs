//! How long a reader waits for an experiment: from the text of the fence to the verdicts.
//!
//! `cargo bench --bench lab`. The failed-phase experiment (9 trials of 10 virtual minutes) has to be done within 20 ms.

use peapod::lab::{self, Runner};

fn main() {
    divan::main();
}

const FAILED_PHASE: &str = include_str!("../tests/data/lab/failed-phase.yaml");

/// Everything: reading, nine trials, verdicts, tables, traces and their digests.
#[divan::bench(sample_count = 30)]
fn request_to_verdict() -> usize {
    let reading = lab::read(divan::black_box(FAILED_PHASE), Some("note.md"), 1);
    let experiment = reading.experiment.expect("it can be read");
    let result = Runner::new(experiment).expect("it can run").run(&mut |_| {});
    result.trials.len()
}

/// The text alone.
#[divan::bench]
fn reading() -> usize {
    lab::read(divan::black_box(FAILED_PHASE), Some("note.md"), 1)
        .diagnostics
        .len()
}

/// One trial at a time: what a run costs on one processor.
#[divan::bench(sample_count = 10)]
fn on_one_thread() -> usize {
    let experiment = lab::read(FAILED_PHASE, Some("note.md"), 1)
        .experiment
        .expect("it can be read");
    let result = Runner::new(experiment).expect("it can run").threads(1).run(&mut |_| {});
    result.trials.len()
}
