//! Golden cases: what a real cluster did, replayed against the simulator.
//!
//! A case is a folder with `case.yaml` (what was done and when), manifests, and recorded digests of every Pod
//! (`trace.json`, `trace-2.json`). [`replay`] does the same to a simulated cluster, [`digest`] reduces its writes to the
//! same digests, and [`compare`] says whether a real cluster could have shown them.

pub mod case;
pub mod compare;
pub mod digest;
pub mod replay;

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

/// Replays a case with every seed until one agrees.
pub fn judge(case: &Case) -> Verdict {
    let mut best: Option<Vec<String>> = None;
    for seed in SEEDS {
        let simulated = match replay::replay(case, seed) {
            Ok(simulated) => simulated,
            Err(why) => return Verdict::CannotReplay(why),
        };
        for recorded in &case.recordings {
            let problems = compare::compare(recorded, &simulated, case.duration);
            if problems.is_empty() {
                return Verdict::Agrees;
            }
            if best.as_ref().is_none_or(|best| problems.len() < best.len()) {
                best = Some(problems);
            }
        }
    }
    match best {
        Some(problems) => Verdict::Disagrees(problems),
        None => Verdict::CannotReplay("it has no recording".to_owned()),
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
