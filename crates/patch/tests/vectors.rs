//! JSON patches against recordings of the library that the real API server uses.

use peapod_patch::rfc6902;
use serde_json::Value;

#[test]
fn json_patches_do_what_the_servers_library_does() {
    let path = format!(
        "{}/../../tests/data/vectors/api-json-patches.json",
        env!("CARGO_MANIFEST_DIR")
    );
    let text = std::fs::read_to_string(path).expect("the recordings");
    let document: Value = serde_json::from_str(&text).expect("JSON");
    let (mut agreed, mut total) = (0, 0);
    for row in document["rows"].as_array().into_iter().flatten() {
        if !row["id"].as_str().is_some_and(|id| id.starts_with("jsonpatch-")) {
            continue;
        }
        total += 1;
        let ours = rfc6902::apply(&row["original"], &row["patch"]);
        let same = match (&ours, row["error"].is_string()) {
            (Ok(result), false) => *result == row["result"],
            (Err(_), true) => true,
            _ => false,
        };
        agreed += usize::from(same);
        if !same {
            println!(
                "{}: ours {ours:?}, theirs {} {}",
                row["id"], row["result"], row["error"]
            );
        }
    }
    println!("api-json-patches: {agreed} of {total} agree");
    assert_eq!(agreed, total, "{agreed} of {total} agree");
}
