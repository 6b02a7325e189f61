//! Rows recorded from the real client's code, in `tests/data/vectors` of the repository, or in the folder that
//! `PEAPOD_VECTORS` names. Each file prints how many rows agree; a floor keeps that number from falling.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use jiff::Timestamp;
use peapod_kubectl::print::{self, TableOptions, age, cells};
use serde_json::Value;

fn now() -> Timestamp {
    "2026-01-15T12:00:00Z".parse().unwrap()
}

fn str<'a>(row: &'a Value, key: &str) -> &'a str {
    row[key].as_str().unwrap_or("")
}

/// Checks every row of a file; `check` answers what differs. Floors hold for the checked-in rows only.
fn agree(file: &str, floor: usize, mut check: impl FnMut(&Value) -> Result<(), String>) {
    let other = std::env::var_os("PEAPOD_VECTORS").map(PathBuf::from);
    let folder = other.clone().unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/vectors"));
    let path = folder.join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let document: Value = serde_json::from_str(&text).unwrap();
    let rows = document["rows"].as_array().unwrap();
    let mut agreeing = 0;
    for row in rows {
        match check(row) {
            Ok(()) => agreeing += 1,
            Err(difference) => println!("{} {}: {difference}", str(row, "id"), str(row, "note")),
        }
    }
    println!("{file}: {agreeing} of {} agree", rows.len());
    if other.is_none() {
        assert!(agreeing >= floor, "{file}: {agreeing} rows agree, there were {floor}");
    }
}

fn equal<T: PartialEq + std::fmt::Debug>(what: &str, ours: T, theirs: T) -> Result<(), String> {
    if ours == theirs { Ok(()) } else { Err(format!("{what}\n  ours   {ours:?}\n  theirs {theirs:?}")) }
}

#[test]
fn cells_and_tables_of_one_row() {
    agree("api-cells.json", 169, |row| {
        let object = &row["object"];
        equal("cells", Value::Array(cells::cells(object, now())), row["cells"].clone())?;
        let kind = str(object, "kind");
        let text = |wide| print::table(kind, &[object], now(), &TableOptions { wide, ..TableOptions::default() });
        equal("text", text(false).as_str(), str(row, "text"))?;
        equal("wide text", text(true).as_str(), str(row, "textWide"))
    });
}

#[test]
fn durations() {
    agree("api-small.json", 0, |row| {
        if !str(row, "id").starts_with("duration-") {
            return Err("not a duration".to_owned());
        }
        let seconds = row["seconds"].as_f64().unwrap().trunc() as i64;
        equal("human", age::human_duration(seconds).as_str(), str(row, "human"))?;
        equal("short", age::short_human_duration(seconds).as_str(), str(row, "short"))
    });
}
