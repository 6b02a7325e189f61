//! The library's claims: all as its notes expect, and those about the seed note as they really are.

use std::collections::BTreeMap;
use std::process::Output;
use std::sync::OnceLock;

use serde_json::Value;

use crate::cli::peapod;

/// `peapod check notes --format json`, once for all tests.
fn checked() -> &'static (Output, Value) {
    static CHECKED: OnceLock<(Output, Value)> = OnceLock::new();
    CHECKED.get_or_init(|| {
        let output = peapod()
            .args(["check", "notes", "--format", "json"])
            .output()
            .expect("peapod starts");
        let json = serde_json::from_slice(&output.stdout).unwrap_or_default();
        (output, json)
    })
}

#[test]
fn what_the_library_claims_is_so() {
    let (output, json) = checked();
    let bad = json["cells"].as_array().into_iter().flatten().filter(|cell| {
        let claims = cell["claims"].as_array();
        let good = claims.is_some_and(|claims| claims.iter().all(|claim| claim["asExpected"] == true));
        !good || cell["errors"].as_array().is_none_or(|errors| !errors.is_empty())
    });
    let bad: Vec<String> = bad.map(|cell| format!("{cell:#}")).collect();
    let problems = &json["lists"][0]["problems"];
    assert!(output.status.success(), "{}\n{problems:#}", bad.join("\n"));
}

/// What `peapod check` says of each claim of the seed note.
fn answers() -> BTreeMap<u64, String> {
    let (_, json) = checked();
    let lists = json["lists"].as_array().expect("lists of claims");
    let list = lists
        .iter()
        .find(|list| list["prefix"] == "seed")
        .expect("a list of the seed note's claims");
    let claims = list["claims"].as_array().expect("claims");
    let pair = |claim: &Value| Some((claim["number"].as_u64()?, claim["answer"].as_str()?.to_owned()));
    claims.iter().filter_map(pair).collect()
}

#[test]
fn claims_of_the_seed_note_come_out_as_they_are() {
    let answers = answers();
    let table = include_str!("../data/claims/seed.tsv");
    let mut wrong = Vec::new();
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [number, expected, _, sentence] = fields[..] else {
            panic!("{line}")
        };
        let Some(answer) = answers.get(&number.parse().expect("a number")) else {
            continue;
        };
        let said = ["holds", "fails", "depends", "unchecked"].contains(&answer.as_str());
        if said && expected != "any" && answer != expected {
            wrong.push(format!("{number} ({sentence}): {answer}, and it {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_covered_claim_of_the_seed_note_is_lost() {
    let answers = answers();
    let covered = include_str!("../data/claims/covered.txt");
    let mut lost = Vec::new();
    for line in covered.lines().filter(|line| !line.starts_with('#')) {
        let (number, how) = line.split_once(' ').unwrap_or((line, "decided"));
        let answer = answers
            .get(&number.parse().expect("a number"))
            .map_or("not listed", String::as_str);
        let is_decided = ["holds", "fails", "depends"].contains(&answer);
        if !(is_decided || how == "undecidable" && answer == "undecidable") {
            lost.push(format!("{number}: {answer}"));
        }
    }
    assert!(lost.is_empty(), "{}", lost.join("\n"));
}
