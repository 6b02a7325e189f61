//! Every limit of an experiment, named once. An error that meets one names it.

use std::time::Duration;

use peapod_sim::time::SimDuration;

/// Trials of one run.
pub const TRIALS: usize = 10_000;

/// Virtual time of one trial: 30 days.
pub const VIRTUAL_TIME: SimDuration = SimDuration::from_secs(30 * 24 * 3600);

/// Records of one trial's trace.
pub const RECORDS: usize = peapod_sim::cluster::MAX_RECORDS;

/// Real time of one trial.
pub const WALL_TIME: Duration = Duration::from_secs(60);

/// The latest end of a trial that runs until it is settled, unless its note names another.
pub const SETTLED_CAP: SimDuration = SimDuration::from_secs(3600);

/// The latest end of a manifest that is run by itself.
pub const MANIFEST_CAP: SimDuration = SimDuration::from_secs(120);

/// Virtual time between the manifests of a note and the first line that is typed into a console under them.
pub const CONSOLE_LEAD: SimDuration = SimDuration::from_secs(30);

/// How long a `wait` waits unless its note says otherwise, in virtual time.
pub const WAIT_TIMEOUT: SimDuration = SimDuration::from_secs(300);

/// Bytes of the text of an experiment.
pub const TEXT: usize = 1024 * 1024;

/// How deep expressions may be nested.
pub const EXPRESSION_DEPTH: usize = 100;

/// Characters of one expression.
pub const EXPRESSION_LENGTH: usize = 10_000;

/// Trials that the search for a counter-example makes, unless its note or the command line says otherwise.
pub const REFUTE_TRIES: usize = 2_000;

/// Instants at which the search for a point of no return looks, spread over those at which something changed.
pub const NO_RETURN_INSTANTS: usize = 400;
