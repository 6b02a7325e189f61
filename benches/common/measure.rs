//! What the benches of the engine share: wall time, peak memory and the pace of records.

use std::fmt;
use std::process::Command;
use std::time::{Duration, Instant};

use peapod_sim::cluster::Cluster;

/// What one stretch of simulation cost.
pub struct Phase {
    wall: Duration,
    records: usize,
    peak: u64,
    virtual_time: String,
}

impl Phase {
    /// All that a cluster has done.
    pub fn until_now(begin: Instant, cluster: &Cluster) -> Self {
        Self::since(begin, 0, cluster)
    }

    /// What a cluster has done since it had written `before` records.
    pub fn since(begin: Instant, before: usize, cluster: &Cluster) -> Self {
        Self {
            wall: begin.elapsed(),
            records: cluster.records().len() - before,
            peak: memory("VmHWM:"),
            virtual_time: cluster.now().to_string(),
        }
    }
}

impl Phase {
    /// Wall time in seconds.
    pub fn seconds(&self) -> f64 {
        self.wall.as_secs_f64()
    }

    /// Records written.
    pub fn records(&self) -> usize {
        self.records
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.wall.as_secs_f64();
        write!(
            f,
            "{seconds:.3} s wall (until {}), {} records, {:.0} records/s, peak {} MiB",
            self.virtual_time,
            self.records,
            self.records as f64 / seconds,
            self.peak / 1024
        )
    }
}

/// A figure of this process in KiB, as Linux tells it; 0 elsewhere.
pub fn memory(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// Runs every case in a process of its own, or the one that this process was started for. Does nothing unless asked by
/// `cargo bench`: tests of everything build benches, and would run them.
pub fn each_in_its_own_process(cases: impl Iterator<Item = String>, run: impl Fn(&str) -> Option<()>) {
    const ONE: &str = "--one";
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, case] = arguments.as_slice()
        && flag == ONE
    {
        run(case).expect("a case of this bench");
        return;
    }
    if !arguments.iter().any(|argument| argument == "--bench") {
        println!("run it by `cargo bench`");
        return;
    }
    let named: Vec<String> = arguments.into_iter().filter(|argument| !argument.starts_with('-')).collect();
    let cases: Vec<String> = if named.is_empty() { cases.collect() } else { named };
    let own = std::env::current_exe().expect("this program");
    for case in cases {
        let status = Command::new(&own).args([ONE, &case]).status().expect("it starts");
        assert!(status.success(), "{case} failed");
    }
}
