//! Rows recorded from the real client's code, in `tests/data/vectors` of the repository, or in the folder that
//! `PEAPOD_VECTORS` names. Each file prints how many rows agree; a floor keeps that number from falling.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use jiff::Timestamp;
use peapod_kubectl::Command;
use peapod_kubectl::command::Action;
use peapod_kubectl::describe;
use peapod_kubectl::merge;
use peapod_kubectl::print::{self, TableOptions, age, cells, output, sort};
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
    let folder = other
        .clone()
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/vectors"));
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
    if ours == theirs {
        Ok(())
    } else {
        Err(format!("{what}\n  ours   {ours:?}\n  theirs {theirs:?}"))
    }
}

#[test]
fn cells_and_tables_of_one_row() {
    agree("api-cells.json", 169, |row| {
        let object = &row["object"];
        equal("cells", Value::Array(cells::cells(object, now())), row["cells"].clone())?;
        let kind = str(object, "kind");
        let text = |wide| {
            print::table(
                kind,
                &[object],
                now(),
                &TableOptions {
                    wide,
                    ..TableOptions::default()
                },
            )
        };
        equal("text", text(false).as_str(), str(row, "text"))?;
        equal("wide text", text(true).as_str(), str(row, "textWide"))
    });
}

#[test]
fn durations() {
    agree("api-small.json", 40, |row| {
        if !str(row, "id").starts_with("duration-") {
            return Err("not a duration".to_owned());
        }
        let seconds = row["seconds"].as_f64().unwrap().trunc() as i64;
        equal("human", age::human_duration(seconds).as_str(), str(row, "human"))?;
        equal("short", age::short_human_duration(seconds).as_str(), str(row, "short"))
    });
}

fn outcome(ours: Result<Value, String>, row: &Value) -> Result<(), String> {
    match (ours, row.get("error").and_then(Value::as_str)) {
        (Ok(value), None) => equal("result", value, row["result"].clone()),
        (Err(error), Some(theirs)) => equal("error", error.as_str(), theirs),
        (Ok(value), Some(theirs)) => Err(format!("no error {theirs:?}, but {value}")),
        (Err(error), None) => Err(format!("error {error}")),
    }
}

#[test]
fn strategic_merges() {
    agree("api-strategic-merge.json", 50, |row| {
        outcome(
            merge::strategic::apply(str(row, "kind"), &row["original"], &row["patch"]),
            row,
        )
    });
}

#[test]
fn strategic_differences() {
    agree("api-strategic-diff.json", 8, |row| {
        let ours = merge::strategic::diff(str(row, "kind"), &row["original"], &row["modified"])?;
        equal("patch", ours, row["patch"].clone())
    });
}

#[test]
fn three_way_merges() {
    agree("api-apply-threeway.json", 12, |row| {
        let patch = merge::threeway::patch(&row["original"], &row["modified"], &row["current"])?;
        equal("patch", Value::Object(patch.body.clone()), row["patch"].clone())?;
        let result = if patch.strategic {
            merge::strategic::apply(str(row, "kind"), &row["current"], &Value::Object(patch.body))?
        } else {
            merge::json::apply(&row["current"], &Value::Object(patch.body))
        };
        equal("result", result, row["result"].clone())
    });
}

#[test]
fn merge_patches() {
    agree("api-json-patches.json", 5, |row| {
        if !str(row, "id").starts_with("mergepatch-") {
            return Err("not a merge patch".to_owned());
        }
        outcome(Ok(merge::json::apply(&row["original"], &row["patch"])), row)
    });
}

#[test]
fn formats() {
    agree("api-output.json", 69, |row| {
        let line = format!("get pods -o '{}'", str(row, "output").replace('\'', "'\\''"));
        let error = row.get("error").and_then(Value::as_str);
        let command = match Command::parse(&line) {
            Ok(command) => command,
            Err(refused) => {
                return equal(
                    "error",
                    refused.stderr.trim_end().trim_start_matches("error: "),
                    error.unwrap_or("").trim_end(),
                );
            }
        };
        let Action::Get(get) = command.action else {
            return Err("not a get".to_owned());
        };
        let objects = row["objects"].as_array().unwrap();
        let object = if row["opt"]["list"].as_bool() == Some(true) {
            serde_json::json!({"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": objects})
        } else {
            objects[0].clone()
        };
        let on = |key: &str| row["opt"][key].as_bool().unwrap_or(false);
        let options = output::Options {
            managed_fields: on("showManagedFields"),
            strict: false,
            no_headers: on("noHeaders"),
        };
        let (text, failed) = output::print(&object, &get.format, &options);
        equal("text", text.as_str(), str(row, "text"))?;
        equal("error", failed.as_deref(), error)
    });
}

#[test]
fn sorting() {
    agree("api-sort.json", 9, |row| {
        let objects = row["objects"].as_array().unwrap().clone();
        match sort::by_path(objects, str(row, "sortBy")) {
            Ok(sorted) => equal(
                "names",
                Value::from(
                    sorted
                        .iter()
                        .map(|object| object["metadata"]["name"].clone())
                        .collect::<Vec<_>>(),
                ),
                row["names"].clone(),
            ),
            Err(error) => equal("error", error.as_str(), str(row, "error")),
        }
    });
}

#[test]
fn tables() {
    agree("api-tables.json", 15, |row| {
        let option = |key: &str| row["options"][key].as_bool().unwrap_or(false);
        let mut objects = row["objects"].as_array().unwrap().clone();
        if let Some(path) = row["sortBy"].as_str() {
            objects = sort::by_path(objects, path)?;
        }
        let kind = str(&objects[0], "kind").to_owned();
        let options = TableOptions {
            wide: option("Wide"),
            no_headers: option("NoHeaders"),
            with_namespace: option("WithNamespace"),
            show_labels: option("ShowLabels"),
            label_columns: row["options"]["ColumnLabels"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(ToOwned::to_owned)
                .collect(),
            kind_prefix: row["opt"]["kindPrefix"]
                .as_str()
                .and_then(|_| peapod_kubectl::resources::of_object(&objects[0]))
                .map(peapod_kubectl::resources::Resource::singular_group),
        };
        equal(
            "text",
            print::table(&kind, &objects, now(), &options).as_str(),
            str(row, "text"),
        )
    });
}

#[test]
fn descriptions() {
    agree("api-describe.json", 37, |row| {
        let objects = row["objects"].as_array().unwrap();
        let ours = describe::describe(
            &objects[0],
            &objects[1..],
            now(),
            row["showEvents"].as_bool().unwrap_or(true),
        );
        let first = ours
            .lines()
            .zip(str(row, "text").lines())
            .find(|(ours, theirs)| ours != theirs);
        equal(
            "first line",
            first.map(|(ours, _)| ours),
            first.map(|(_, theirs)| theirs),
        )?;
        equal("text", ours.as_str(), str(row, "text"))
    });
}
