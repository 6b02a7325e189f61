//! `peapod vault inspect`, as a person meets it.

use serde_json::Value;

use super::cli::peapod;

#[test]
fn the_seed_note_as_json() {
    let output = peapod()
        .args(["vault", "inspect", "파드에 대해서", "--json"])
        .output()
        .expect("peapod starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let facts: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let count = |key: &str| facts[key].as_array().map_or(0, Vec::len);
    let counts = [
        "links",
        "external",
        "headings",
        "callouts",
        "cells",
        "tags",
        "diagnostics",
    ]
    .map(count);
    assert_eq!(counts, [20, 3, 24, 2, 3, 0, 0]);
    let deployment = &facts["links"][1];
    assert_eq!(deployment["raw"], "[[Deployment]]");
    assert_eq!(deployment["line"], 83);
    assert_eq!(deployment["resolved"], "Deployment.md");
    assert_eq!(facts["links"][0]["kind_of"], "image");
    assert_eq!(facts["links"][0]["resolved"], Value::Null);
    let cell = &facts["cells"][0];
    assert_eq!(
        (&cell["kind"], &cell["key"], &cell["first_line"]),
        (&"manifest".into(), &"pod-nginx".into(), &24.into())
    );
}

#[test]
fn what_is_wrong_stands_at_its_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let note = folder.path().join("n.md");
    std::fs::write(&note, "---\na: [1\nb: 2\n---\n# 제목\n[[../../etc/passwd]]\n").expect("a note");
    let output = peapod()
        .args(["vault", "inspect"])
        .arg(&note)
        .output()
        .expect("peapod starts");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("n.md:3:"), "{text}");
    assert!(text.contains("error: the properties are no YAML"), "{text}");
    assert!(text.contains("[[../../etc/passwd]] → unresolved"), "{text}");
    assert!(text.contains("# 제목"), "the rest of the note is read: {text}");
}
