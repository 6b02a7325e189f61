//! Recordings of a real cluster: every change of an object, and what the real client printed. Rows of `get -w` and the
//! commands at the end of a recording are printed again from the recorded objects and compared. The recordings stand
//! in `tests/data/golden` of the repository, or in the folder that `PEAPOD_GOLDEN` names.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use peapod_kubectl::print::{self, TableOptions};
use peapod_kubectl::{Api, Command, LogRequest, NoFiles, Request, Status, Verb, resources, run};
use serde_json::{Value, json};

/// One recording.
struct Recording {
    name: String,
    start: Timestamp,
    duration: f64,
    /// Seconds since the start, type and object of each change.
    changes: Vec<(f64, String, Value)>,
    /// What the client printed.
    text: String,
}

fn recordings() -> (Vec<Recording>, bool) {
    let other = std::env::var_os("PEAPOD_GOLDEN").map(PathBuf::from);
    let folder = other
        .clone()
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/golden"));
    let mut folders: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("kubectl.txt").is_file() && path.join("watch.jsonl").is_file())
        .collect();
    folders.sort();
    (folders.iter().map(|folder| read(folder)).collect(), other.is_some())
}

fn read(folder: &Path) -> Recording {
    let file = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let case = file("case.yaml");
    let field = |name: &str| {
        case.lines()
            .find_map(|line| line.strip_prefix(name))
            .map(|rest| rest.trim().trim_matches('\'').to_owned())
    };
    let changes = file("watch.jsonl")
        .lines()
        .map(|line| {
            let mut change: Value = serde_json::from_str(line).unwrap();
            (
                change["t"].as_f64().unwrap(),
                change["type"].as_str().unwrap().to_owned(),
                change["object"].take(),
            )
        })
        .collect();
    Recording {
        name: folder.file_name().unwrap().to_string_lossy().into_owned(),
        start: field("t0:").unwrap().parse().unwrap(),
        duration: field("duration:").and_then(|text| text.parse().ok()).unwrap_or(0.0),
        changes,
        text: file("kubectl.txt"),
    }
}

fn at(start: Timestamp, seconds: f64) -> Timestamp {
    start + SignedDuration::from_secs_f64(seconds)
}

/// Counts what agrees and prints what does not.
#[derive(Default)]
struct Tally {
    agree: usize,
    all: usize,
}

impl Tally {
    fn count(&mut self, what: &str, agree: bool, difference: impl Fn() -> String) {
        self.all += 1;
        if agree {
            self.agree += 1;
        } else {
            println!("{what}: {}", difference());
        }
    }

    fn end(&self, what: &str, share: f64, elsewhere: bool) {
        println!("{what}: {} of {} agree", self.agree, self.all);
        assert!(self.all > 0, "{what}: nothing was compared");
        let got = self.agree as f64 / self.all as f64;
        assert!(
            elsewhere || got >= share,
            "{what}: {got:.3} agree, there were {share:.3}"
        );
    }
}

#[test]
fn rows_of_watched_pods() {
    let (recordings, elsewhere) = recordings();
    let mut tally = Tally::default();
    for recording in &recordings {
        let Some(section) = recording
            .text
            .split("\n\n")
            .next()
            .filter(|section| section.starts_with("# kubectl get pods -o wide -w"))
        else {
            continue;
        };
        let pods: Vec<&(f64, String, Value)> = recording
            .changes
            .iter()
            .filter(|(_, _, object)| object["kind"] == "Pod")
            .collect();
        for line in section.lines().skip(2) {
            let line = line.trim_end().trim_end_matches("(DELETED)").trim_end();
            let mut cells = cells(line);
            let Ok(seconds) = cells.remove(0).parse::<f64>() else {
                continue;
            };
            // The row was made from the change of that pod which was seen nearest to it.
            let same = |object: &Value| object["metadata"]["name"] == cells[0].as_str();
            let near = pods
                .iter()
                .filter(|(t, _, object)| same(object) && (t - seconds).abs() < 0.3);
            let options = TableOptions {
                wide: true,
                no_headers: true,
                ..TableOptions::default()
            };
            let candidates: Vec<Vec<String>> = near
                .flat_map(|(_, _, object)| {
                    [0.0, 1.0, -1.0, 0.5].map(|more| {
                        print::rows("Pod", &[object], at(recording.start, seconds + more), &options).remove(0)
                    })
                })
                .collect();
            if !candidates.is_empty() {
                tally.count(&recording.name, candidates.contains(&cells), || {
                    format!("{cells:?}\n  ours {:?}", candidates.first())
                });
            }
        }
    }
    tally.end("rows of get pods -w", 1.0, elsewhere);
}

fn cells(line: &str) -> Vec<String> {
    line.split("  ")
        .map(str::trim)
        .filter(|cell| !cell.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The objects of a recording at its end.
struct Still {
    objects: BTreeMap<(String, String, String), Value>,
    now: Timestamp,
}

impl Still {
    fn new(recording: &Recording) -> Still {
        let mut objects = BTreeMap::new();
        for (_, kind, object) in &recording.changes {
            let Some(resource) = resources::of_object(object) else {
                continue;
            };
            let text = |field: &str| object["metadata"][field].as_str().unwrap_or("").to_owned();
            let key = (resource.plural.to_owned(), text("namespace"), text("name"));
            if kind == "DELETED" {
                objects.remove(&key);
            } else {
                objects.insert(key, object.clone());
            }
        }
        Still {
            objects,
            now: recording.start,
        }
    }
}

impl Api for Still {
    fn request(&mut self, request: &Request) -> Result<Value, Status> {
        let missing = Status {
            code: 404,
            reason: "NotFound".to_owned(),
            message: format!("{} \"{}\" not found", request.resource, request.name),
            details: Value::Null,
        };
        let key = (
            request.resource.clone(),
            request.namespace.clone(),
            request.name.clone(),
        );
        match request.verb {
            Verb::Get => self.objects.get(&key).cloned().ok_or(missing),
            _ => {
                let query = |name: &str| {
                    request
                        .query
                        .iter()
                        .find(|(key, _)| key == name)
                        .map(|(_, value)| value.clone())
                        .unwrap_or_default()
                };
                let (labels, fields) = (query("labelSelector"), query("fieldSelector"));
                let items: Vec<&Value> = self
                    .objects
                    .iter()
                    .filter(|((resource, namespace, _), _)| {
                        *resource == request.resource
                            && (request.namespace.is_empty() || *namespace == request.namespace)
                    })
                    .map(|(_, object)| object)
                    .filter(|object| {
                        labels.split(',').filter(|pair| !pair.is_empty()).all(|pair| {
                            pair.split_once('=')
                                .is_some_and(|(key, value)| object["metadata"]["labels"][key] == value)
                        }) && fields
                            .split(',')
                            .filter_map(|pair| pair.strip_prefix("spec.nodeName="))
                            .all(|node| object["spec"]["nodeName"] == node)
                    })
                    .collect();
                Ok(json!({"items": items}))
            }
        }
    }

    fn now(&self) -> Timestamp {
        self.now
    }

    fn logs(&mut self, _: &LogRequest) -> Result<String, Status> {
        Ok(String::new())
    }
}

/// A description without its events, which the recordings do not hold as objects, nor the white space before them.
fn without_events(text: &str) -> String {
    let mut out = Vec::new();
    let mut skipping = false;
    for line in text.lines() {
        if line.starts_with("Events:") {
            skipping = true;
        } else if line.starts_with("Name:") || line.starts_with("$ ") {
            skipping = false;
        }
        if !skipping && !line.trim().is_empty() {
            out.push(line);
        }
    }
    out.join("\n")
}

#[test]
fn commands_at_the_end() {
    let (recordings, elsewhere) = recordings();
    let mut tally = Tally::default();
    for recording in &recordings {
        let mut still = Still::new(recording);
        for block in recording.text.split("\n$ ").skip(1) {
            let (line, expected) = block.split_once('\n').unwrap_or((block, ""));
            let Some(line) = line.strip_prefix("kubectl ") else {
                continue;
            };
            let describing = line.starts_with("describe");
            if !(describing || line.starts_with("get"))
                || line.starts_with("get events")
                || line.contains("endpointslices")
                || line.contains("controllerrevisions")
                || line.contains("describe node")
            {
                continue;
            }
            let command = Command::parse(line).unwrap();
            // Commands ran some seconds after the end; ages tell when.
            let mut outputs = Vec::new();
            for more in 0..=14 {
                still.now = at(recording.start, recording.duration + f64::from(more) * 0.5);
                let out = run(&command, &mut still, &NoFiles);
                outputs.push(if describing {
                    without_events(&out.stdout)
                } else {
                    format!("{}{}", out.stdout, out.stderr).trim_end().to_owned()
                });
            }
            let expected = if describing {
                without_events(expected)
            } else {
                expected.trim_end().to_owned()
            };
            tally.count(
                &format!("{} $ {line}", recording.name),
                outputs.contains(&expected),
                || {
                    let ours = &outputs[0];
                    let first = ours.lines().zip(expected.lines()).find(|(ours, theirs)| ours != theirs);
                    format!(
                        "{first:?}\n  {} and {} lines",
                        ours.lines().count(),
                        expected.lines().count()
                    )
                },
            );
        }
    }
    tally.end("commands at the end", 1.0, elsewhere);
}
