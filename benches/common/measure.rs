//! What the benches of the engine share: time, peak memory and the pace of records.

use std::fmt;
use std::process::Command;
use std::time::{Duration, Instant};

use peapod_sim::cluster::Cluster;

/// The allocator of the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures a stretch of simulation.
pub struct Meter {
    begin: Instant,
    cpu: f64,
    records: usize,
}

/// What one stretch of simulation cost.
pub struct Phase {
    wall: Duration,
    cpu: f64,
    pub records: usize,
    /// In KiB.
    pub peak: u64,
    virtual_time: String,
}

impl Meter {
    /// Begins before there is a cluster.
    pub fn begin() -> Self {
        Self {
            begin: Instant::now(),
            cpu: cpu_seconds(),
            records: 0,
        }
    }

    /// Begins with what a cluster does next.
    #[allow(dead_code, reason = "not every bench goes on with a cluster")]
    pub fn after(cluster: &Cluster) -> Self {
        Self {
            records: cluster.record_count(),
            ..Self::begin()
        }
    }

    /// What it has cost so far.
    pub fn read(&self, cluster: &Cluster) -> Phase {
        Phase {
            wall: self.begin.elapsed(),
            cpu: cpu_seconds() - self.cpu,
            records: cluster.record_count() - self.records,
            peak: memory("VmHWM:"),
            virtual_time: cluster.now().to_string(),
        }
    }
}

impl Phase {
    /// Seconds that the processor was at work: what the wall clock shows on a machine that does nothing else.
    pub fn seconds(&self) -> f64 {
        if self.cpu > 0.0 {
            self.cpu
        } else {
            self.wall.as_secs_f64()
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.3} s ({:.3} s of the processor) until {}, {} records, {:.0} a second, peak {} MiB",
            self.wall.as_secs_f64(),
            self.cpu,
            self.virtual_time,
            self.records,
            self.records as f64 / self.seconds(),
            self.peak / 1024
        )
    }
}

/// A figure of this process in KiB, as Linux tells it; 0 elsewhere.
pub fn memory(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

/// Time that this process has had a processor, as Linux tells it; 0 elsewhere.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let nanos: Option<f64> = text.split_whitespace().next().and_then(|nanos| nanos.parse().ok());
    nanos.unwrap_or(0.0) / 1e9
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
    let named: Vec<String> = arguments
        .into_iter()
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let cases: Vec<String> = if named.is_empty() { cases.collect() } else { named };
    let own = std::env::current_exe().expect("this program");
    for case in cases {
        let status = Command::new(&own).args([ONE, &case]).status().expect("it starts");
        assert!(status.success(), "{case} failed");
    }
}
