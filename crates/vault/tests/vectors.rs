//! Cases of Obsidian's Markdown: `tests/data/vectors/obsidian-*.json`, or those of the folder that `PEAPOD_VECTORS` names.
//!
//! Prints `FILE: N of M agree`, one line a file, and each case that does not. The numbers of the repository's own files may
//! only grow.

mod skeleton;

use std::path::{Path, PathBuf};

use peapod_vault::render::{self, Destination, Resolver};
use peapod_vault::{FileRef, Layer, Note, Vault, inspect, plain, vault::Settings};
use serde_json::Value;

/// How many cases of each file must agree.
const FLOOR: &[(&str, usize)] = &[
    ("obsidian-blocks.json", 16),
    ("obsidian-callouts.json", 27),
    ("obsidian-code.json", 13),
    ("obsidian-comments.json", 12),
    ("obsidian-embeds.json", 19),
    ("obsidian-headings.json", 14),
    ("obsidian-inline.json", 44),
    ("obsidian-links.json", 36),
    ("obsidian-lists.json", 13),
    ("obsidian-properties.json", 18),
    ("obsidian-resolve.json", 36),
    ("obsidian-seed.json", 1),
    ("obsidian-tags.json", 22),
];

#[test]
fn obsidian_cases() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let own = root.join("tests/data/vectors");
    let folder = std::env::var_os("PEAPOD_VECTORS").map_or(own.clone(), PathBuf::from);
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .expect("the folder of cases")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .filter(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("obsidian-"))
        })
        .collect();
    files.sort();
    let mut fallen = Vec::new();
    for file in files {
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        let cases: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(&file).expect("a file")).expect("JSON");
        let mut agreeing = 0;
        for case in &cases {
            let differences = run(case, &[folder.join(".."), root.clone()]);
            if differences.is_empty() {
                agreeing += 1;
            } else {
                println!("{}: {}", name, case["id"]);
                differences.iter().for_each(|difference| println!("    {difference}"));
            }
        }
        println!("{name}: {agreeing} of {} agree", cases.len());
        let floor = FLOOR
            .iter()
            .find(|(file, _)| *file == name)
            .map_or(0, |(_, floor)| *floor);
        if folder == own && agreeing < floor {
            fallen.push(format!("{name}: {agreeing}, and at least {floor} agreed before"));
        }
    }
    assert!(fallen.is_empty(), "fewer cases agree:\n{}", fallen.join("\n"));
}

/// Whose address of a file is its path, so that a skeleton can name it.
struct Paths<'a>(&'a Vault);

impl Resolver for Paths<'_> {
    fn resolve(&self, from: &FileRef, target: &str) -> Option<Destination> {
        let file = self.0.resolve(from, target)?.file;
        let href = format!("to:{}", file.path);
        Some(Destination {
            file,
            href,
            title: None,
        })
    }

    fn note(&self, file: &FileRef) -> Option<&Note> {
        self.0.note(file).map(AsRef::as_ref)
    }
}

/// Runs a case; what does not agree.
fn run(case: &Value, roots: &[PathBuf]) -> Vec<String> {
    let settings = &case["settings"];
    let alias_links = settings["peapod"]["aliasLinks"].as_bool().unwrap_or(false);
    let mut vault = Vault::new(Settings {
        alias_links,
        ..Settings::default()
    });
    for (path, text) in case["vault"].as_object().expect("a vault") {
        let text = match text {
            Value::String(text) => text.clone(),
            file => read_file(file["file"].as_str().expect("a path"), roots),
        };
        if path.to_lowercase().ends_with(".md") {
            vault.insert(Layer::User, Note::parse(path.clone(), text));
        } else {
            vault.insert_attachment(Layer::User, path.clone());
        }
    }
    let file = FileRef {
        layer: Layer::User,
        path: case["note"].as_str().expect("a note").to_owned(),
    };
    let note = vault.note(&file).expect("the note is in its vault");
    let facts = inspect::facts(&vault, &file).expect("facts");
    let line_breaks = !settings["strictLineBreaks"].as_bool().unwrap_or(false);
    let options = render::Options {
        line_breaks,
        ..render::Options::default()
    };
    let html = render::note_with(note, &file, &Paths(&vault), &mut render::PlainCells, options);
    let mut differences = Vec::new();
    for (key, expected) in case["expect"].as_object().expect("expectations") {
        match key.as_str() {
            "plain" => {
                let text = plain::text_with_embeds(note, &file, &Paths(&vault)).text;
                let expected = expected.as_str().expect("text");
                if tidy(&text) != tidy(expected) {
                    differences.push(format!("plain: {text:?}, expected {expected:?}"));
                }
            }
            "html" => {
                let actual = skeleton::of_html(&html, &file.path);
                let expected = skeleton::normalize(expected.as_str().expect("HTML"));
                if actual != expected {
                    differences.push(format!("html: {actual}\n    expected {expected}\n    from {html}"));
                }
            }
            "forbid" => {
                let forbidden = expected.as_array().expect("a list").iter().filter_map(Value::as_str);
                differences.extend(
                    forbidden
                        .filter(|text| html.contains(text))
                        .map(|text| format!("forbidden: {text}")),
                );
            }
            _ => differ(key, expected, &facts[key], &mut differences),
        }
    }
    differences
}

/// The text of a file that a case names: beside the folder of cases, or a note of the library with that name.
fn read_file(path: &str, roots: &[PathBuf]) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    let candidates = roots
        .iter()
        .flat_map(|root| [root.join(path), root.join("notes").join(name)]);
    candidates
        .into_iter()
        .find_map(|path| std::fs::read_to_string(path).ok())
        .expect("the file of a case")
}

/// Line ends trimmed, runs of spaces collapsed.
fn tidy(text: &str) -> String {
    let lines = text.trim().lines().map(|line| {
        let words: Vec<&str> = line.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
        words.join(" ")
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Compares what is expected; of objects only the keys that are expected.
fn differ(path: &str, expected: &Value, actual: &Value, differences: &mut Vec<String>) {
    match (expected, actual) {
        (Value::Object(expected), Value::Object(actual)) => {
            // A mapping that is itself a fact must be there whole.
            if path == "properties" && expected.len() != actual.len() {
                differences.push(format!("{path}: {actual:?}, expected {expected:?}"));
            }
            for (key, expected) in expected {
                differ(
                    &format!("{path}.{key}"),
                    expected,
                    actual.get(key).unwrap_or(&Value::Null),
                    differences,
                );
            }
        }
        (Value::Array(expected), Value::Array(actual)) if expected.len() == actual.len() => {
            for (index, (expected, actual)) in expected.iter().zip(actual).enumerate() {
                differ(&format!("{path}[{index}]"), expected, actual, differences);
            }
        }
        _ if expected == actual => {}
        _ => differences.push(format!("{path}: {actual}, expected {expected}")),
    }
}
