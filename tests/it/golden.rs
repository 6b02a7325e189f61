//! Recorded cases of a real cluster against the simulator. `agree.txt` lists those that agree: it may only grow.
//!
//! `PEAPOD_GOLDEN` names another folder of cases: there the verdicts are only printed.

use std::path::PathBuf;

use peapod::golden::{self, Case, Verdict};

#[test]
fn recorded_cases_agree() {
    let elsewhere = std::env::var_os("PEAPOD_GOLDEN").map(PathBuf::from);
    let folder = elsewhere
        .clone()
        .unwrap_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/golden")));
    let listed = std::fs::read_to_string(folder.join("agree.txt")).unwrap_or_default();
    let listed: Vec<&str> = listed.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let (mut agree, mut all, mut lost, mut won) = (0, 0, Vec::new(), Vec::new());
    for folder in golden::folders(&folder).expect("the folder of cases is there") {
        let case = Case::read(&folder).expect("a case can be read");
        let verdict = golden::judge(&case);
        all += 1;
        if verdict == Verdict::Agrees {
            agree += 1;
            if !listed.contains(&case.name.as_str()) {
                won.push(case.name);
            }
        } else {
            let (name, words) = (
                &case.name,
                match verdict {
                    Verdict::Agrees => String::new(),
                    Verdict::Disagrees(problems) => problems.join("\n    "),
                    Verdict::CannotReplay(why) => format!("cannot be replayed: {why}"),
                },
            );
            println!("{name}: {words}");
            if listed.contains(&case.name.as_str()) {
                lost.push(case.name);
            }
        }
    }
    println!("{agree} of {all} agree; new in agree.txt may be: {}", won.join(" "));
    if elsewhere.is_none() {
        assert!(lost.is_empty(), "these agreed and do not any more: {}", lost.join(" "));
    }
}
