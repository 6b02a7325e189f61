//! Any pod and any fleet, whatever it does and whatever is done to it, keeps the promises of Kubernetes, and does the same again
//! with the same seed.
//!
//! `PEAPOD_FUZZ_CASES` says how many cases are tried instead of the few that an ordinary test run takes, `PEAPOD_FUZZ_SEED` where they
//! come from; with `PEAPOD_FUZZ_KEEP_GOING` failures are printed and the next case is tried. What fails is made as small as it gets and shown with the seed; its line in `regressions/` is tried first from then on.

mod check;
mod deeds;
mod fleets;
mod pods;

use std::fmt::Debug;

use peapod_sim::cluster::Cluster;
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, FileFailurePersistence, RngSeed, TestCaseError, TestRunner};

/// Where cases come from in an ordinary test run: always the same, so that a test does not fail by luck.
const SEED: u64 = 1;

/// Tries cases of a strategy; `few` of them unless the environment asks for more.
fn explore<S: Strategy>(
    few: u32,
    regressions: &'static str,
    strategy: S,
    holds: impl Fn(&S::Value) -> Result<(), String>,
) where
    S::Value: Debug,
{
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let cases = number("PEAPOD_FUZZ_CASES").map_or(few, |cases| u32::try_from(cases).unwrap_or(u32::MAX));
    let seed = number("PEAPOD_FUZZ_SEED").unwrap_or(SEED);
    let config = Config {
        cases,
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(regressions))),
        max_shrink_iters: 400,
        ..Config::default()
    };
    let keep_going = std::env::var_os("PEAPOD_FUZZ_KEEP_GOING").is_some();
    let tried = std::cell::Cell::new(0_u32);
    let result = TestRunner::new(config).run(&strategy, |case| {
        tried.set(tried.get() + 1);
        let result = holds(&case);
        match result {
            Err(problem) if keep_going => {
                println!("{problem}\n{case:?}\n");
                Ok(())
            }
            result => result.map_err(TestCaseError::fail),
        }
    });
    if let Err(error) = result {
        panic!(
            "{error}\nafter {} cases; again with PEAPOD_FUZZ_SEED={seed} PEAPOD_FUZZ_CASES={cases}",
            tried.get()
        );
    }
}

/// Whether two clusters have come to be alike in every record, version and line.
fn same(one: &Cluster, other: &Cluster) -> Result<(), String> {
    if one.now() != other.now() {
        return Err(format!("the same seed ends at {} and at {}", one.now(), other.now()));
    }
    if let Some(index) = (0..one.records().len().max(other.records().len()))
        .find(|index| one.records().get(*index) != other.records().get(*index))
    {
        return Err(format!(
            "the same seed gives two traces: record {index} is\n{:?}\nand\n{:?}",
            one.records().get(index),
            other.records().get(index)
        ));
    }
    let versions = one.writes().iter().zip(other.writes());
    if one.writes().len() != other.writes().len()
        || versions
            .into_iter()
            .any(|(one, other)| one.stored.object != other.stored.object)
    {
        return Err("the same seed writes other objects".to_owned());
    }
    if one.logs() != other.logs() {
        return Err("the same seed writes other logs".to_owned());
    }
    Ok(())
}

/// Whether a cluster that keeps no trace has come to be like one that does.
fn like_untraced(traced: &Cluster, untraced: &Cluster) -> Result<(), String> {
    for kind in [
        "Pod",
        "Node",
        "ReplicaSet",
        "Deployment",
        "StatefulSet",
        "DaemonSet",
        "Job",
    ] {
        let (one, other) = (traced.objects(kind), untraced.objects(kind));
        if one != other {
            return Err(format!(
                "without a trace the objects are others:\n{one:?}\nand\n{other:?}"
            ));
        }
    }
    Ok(())
}
