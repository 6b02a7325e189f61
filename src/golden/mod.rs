//! Golden cases: what a real cluster did, replayed against the simulator.
//!
//! A case is a folder with `case.yaml` (what was done and when), manifests, and recorded digests of every Pod
//! (`trace.json`, `trace-2.json`). [`replay`] does the same to a simulated cluster, [`digest`] reduces its writes to the
//! same digests, and [`compare`] says whether a real cluster could have shown them.

pub mod case;
pub mod compare;
pub mod digest;
pub mod events;
mod mask;
pub mod outputs;
pub mod recovered;
pub mod replay;
mod sequence;
pub mod watch;

use std::path::Path;

pub use case::Case;
pub use digest::Digest;

/// Seeds with which a case is replayed: it agrees when one of them agrees with one of its recordings, for the real cluster
/// too drew its waits by chance.
pub const SEEDS: std::ops::RangeInclusive<u64> = 1..=5;

/// How a case fared.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// One seed agrees with one recording.
    Agrees,
    /// None does: the fewest problems that any seed had.
    Disagrees(Vec<String>),
    /// A step cannot be done yet, or something of the case could not be read.
    CannotReplay(String),
}

/// How each recording of a case fared.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// The digests of the Pods.
    pub traces: Verdict,
    /// The Event objects at the end, where they were recorded.
    pub events: Option<Verdict>,
    /// The lines of `kubectl get pods -w`, where they were recorded.
    pub watch: Option<Verdict>,
    /// What `get`, `describe` and `logs` printed at the end, where it was recorded.
    pub outputs: Option<Verdict>,
}

/// The fewest problems that any seed had so far.
#[derive(Default)]
struct Best(Option<Vec<String>>);

impl Best {
    fn agrees(&self) -> bool {
        self.0.as_ref().is_some_and(Vec::is_empty)
    }

    fn add(&mut self, problems: impl FnOnce() -> Vec<String>) {
        if self.agrees() {
            return;
        }
        let problems = problems();
        if self.0.as_ref().is_none_or(|best| problems.len() < best.len()) {
            self.0 = Some(problems);
        }
    }

    fn verdict(self) -> Verdict {
        match self.0 {
            Some(problems) if problems.is_empty() => Verdict::Agrees,
            Some(problems) => Verdict::Disagrees(problems),
            None => Verdict::CannotReplay("it has no recording".to_owned()),
        }
    }
}

/// Replays a case with every seed until each of its recordings agrees with one.
pub fn judge(case: &Case) -> Judgement {
    let (mut traces, mut events) = (Best::default(), Best::default());
    let (mut watch, mut outputs) = (Best::default(), Best::default());
    for seed in SEEDS {
        let cluster = match replay::run(case, seed) {
            Ok(cluster) => cluster,
            Err(why) => {
                let verdict = Verdict::CannotReplay(why);
                return Judgement {
                    events: case.events.as_ref().map(|_| verdict.clone()),
                    watch: case.watch.as_ref().map(|_| verdict.clone()),
                    outputs: case.outputs.as_ref().map(|_| verdict.clone()),
                    traces: verdict,
                };
            }
        };
        let namespace = replay::namespace(case);
        let digests = replay::shown(&cluster);
        for recorded in &case.recordings {
            traces.add(|| compare::compare(recorded, &digests, case.duration));
        }
        if let Some(recorded) = &case.events {
            events.add(|| events::compare(recorded, &events::simulated(&cluster, namespace), case.duration));
        }
        if let Some(recorded) = &case.watch {
            watch.add(|| watch::compare(recorded, &watch::simulated(&cluster, namespace), case.duration));
        }
        if let Some(recorded) = &case.outputs {
            outputs.add(|| outputs::compare(recorded, &outputs::simulated(&cluster, namespace, recorded)));
        }
        let settled = |best: &Best, recorded: bool| best.agrees() || !recorded;
        if settled(&traces, true)
            && settled(&events, case.events.is_some())
            && settled(&watch, case.watch.is_some())
            && settled(&outputs, case.outputs.is_some())
        {
            break;
        }
    }
    Judgement {
        traces: traces.verdict(),
        events: case.events.as_ref().map(|_| events.verdict()),
        watch: case.watch.as_ref().map(|_| watch.verdict()),
        outputs: case.outputs.as_ref().map(|_| outputs.verdict()),
    }
}

/// The folders below `directory` that hold a case, by name; `directory` itself if it is one.
///
/// # Errors
/// When the directory cannot be read.
pub fn folders(directory: &Path) -> std::io::Result<Vec<std::path::PathBuf>> {
    if directory.join("case.yaml").is_file() {
        return Ok(vec![directory.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.join("case.yaml").is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
