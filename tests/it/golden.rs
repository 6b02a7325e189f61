//! Recorded cases of a real cluster against the simulator. `agree.txt` lists the cases whose traces agree, `agree-events.txt`
//! and `agree-watch.txt` those whose Event objects and lines of `kubectl get pods -w` do, `agree-outputs.txt` those in which `get`,
//! `describe` and `logs` print the same at the end: they may only grow.
//!
//! `PEAPOD_GOLDEN` names another folder of cases: there the verdicts are only printed.

use std::path::{Path, PathBuf};

use peapod::golden::{self, Case, Verdict};

/// What is compared of a case, the cases that are listed as agreeing, and how they fare.
struct Tally {
    what: &'static str,
    list: &'static str,
    listed: Vec<String>,
    agree: usize,
    all: usize,
    lost: Vec<String>,
    won: Vec<String>,
}

impl Tally {
    fn new(folder: &Path, what: &'static str, list: &'static str) -> Self {
        let listed = std::fs::read_to_string(folder.join(list)).unwrap_or_default();
        let listed = listed.lines().map(str::trim).filter(|line| !line.is_empty());
        Self {
            what,
            list,
            listed: listed.map(str::to_owned).collect(),
            agree: 0,
            all: 0,
            lost: Vec::new(),
            won: Vec::new(),
        }
    }

    fn add(&mut self, name: &str, verdict: &Verdict) {
        let listed = self.listed.iter().any(|known| known == name);
        self.all += 1;
        let words = match verdict {
            Verdict::Agrees => {
                self.agree += 1;
                if !listed {
                    self.won.push(name.to_owned());
                }
                return;
            }
            Verdict::Disagrees(problems) => problems.join("\n    "),
            Verdict::CannotReplay(why) => format!("cannot be replayed: {why}"),
        };
        println!("{name}, {}: {words}", self.what);
        if listed {
            self.lost.push(name.to_owned());
        }
    }

    fn print(&self) {
        let (what, agree, all, list) = (self.what, self.agree, self.all, self.list);
        println!(
            "{what}: {agree} of {all} agree; new in {list} may be: {}",
            self.won.join(" ")
        );
    }
}

#[test]
fn recorded_cases_agree() {
    let elsewhere = std::env::var_os("PEAPOD_GOLDEN").map(PathBuf::from);
    let folder = elsewhere
        .clone()
        .unwrap_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/golden")));
    let mut traces = Tally::new(&folder, "traces", "agree.txt");
    let mut events = Tally::new(&folder, "events", "agree-events.txt");
    let mut watch = Tally::new(&folder, "watch lines", "agree-watch.txt");
    let mut outputs = Tally::new(&folder, "outputs", "agree-outputs.txt");
    for folder in golden::folders(&folder).expect("the folder of cases is there") {
        let case = Case::read(&folder).expect("a case can be read");
        let judgement = golden::judge(&case);
        traces.add(&case.name, &judgement.traces);
        if let Some(verdict) = &judgement.events {
            events.add(&case.name, verdict);
        }
        if let Some(verdict) = &judgement.watch {
            watch.add(&case.name, verdict);
        }
        if let Some(verdict) = &judgement.outputs {
            outputs.add(&case.name, verdict);
        }
    }
    for tally in [&traces, &events, &watch, &outputs] {
        tally.print();
    }
    let lost: Vec<String> = [&traces, &events, &watch, &outputs]
        .iter()
        .flat_map(|tally| tally.lost.iter().map(|name| format!("{name} ({})", tally.what)))
        .collect();
    if elsewhere.is_none() {
        assert!(lost.is_empty(), "these agreed and do not any more: {}", lost.join(", "));
    }
}
