//! A vault on the disk: what is loaded, what is not, what changes, and what a search finds.

use std::fs;
use std::path::Path;
use std::time::Duration;

use peapod::workspace::{Change, FileError, MAX_QUERY_CHARS, SearchError, SearchResults, Workspace, WorkspaceError};
use peapod_vault::{FileRef, Layer};
use unicode_normalization::UnicodeNormalization;

/// A vault with these files.
fn vault(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (path, text) in files {
        write(folder.path(), path, text.as_bytes());
    }
    folder
}

fn write(root: &Path, path: &str, bytes: &[u8]) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().expect("inside")).expect("made");
    fs::write(path, bytes).expect("written");
}

fn open(folder: &Path) -> Workspace {
    Workspace::open(Some(folder)).expect("a vault")
}

fn user(path: &str) -> FileRef {
    FileRef {
        layer: Layer::User,
        path: path.to_owned(),
    }
}

/// The paths of the user's notes and attachments.
fn paths(workspace: &Workspace) -> Vec<String> {
    let snapshot = workspace.snapshot();
    let notes = snapshot.vault.notes().map(|(file, _)| file);
    let mut paths: Vec<String> = notes
        .chain(snapshot.vault.attachments())
        .filter(|file| file.layer == Layer::User)
        .map(|file| file.path.clone())
        .collect();
    paths.sort();
    paths
}

/// What is wrong, as `path: code`.
fn problems(workspace: &Workspace) -> Vec<String> {
    workspace
        .snapshot()
        .problems
        .iter()
        .map(|problem| format!("{}: {}", problem.file.as_deref().unwrap_or(""), problem.code))
        .collect()
}

#[test]
fn dot_folders_are_left_alone() {
    let folder = vault(&[
        ("가/나.md", "x"),
        ("그림.png", ""),
        (".obsidian/app.md", "x"),
        (".peapod/x.md", "x"),
        ("가/.숨김.md", "x"),
    ]);
    let workspace = open(folder.path());
    assert_eq!(paths(&workspace), ["가/나.md", "그림.png"]);
    assert_eq!(problems(&workspace), [""; 0]);
}

#[test]
fn the_library_lies_under_the_vault() {
    let folder = vault(&[("파드에 대해서.md", "내 노트"), ("a.md", "[[kubelet]]")]);
    let workspace = open(folder.path());
    let snapshot = workspace.snapshot();
    let (file, note) = snapshot.vault.find("파드에 대해서.md").expect("the user's own");
    assert_eq!((file.layer, &*note.text), (Layer::User, "내 노트"));
    let shown = snapshot
        .vault
        .notes()
        .filter(|(file, _)| file.path == "파드에 대해서.md")
        .count();
    assert_eq!(shown, 1, "the library's note of this path is hidden");
    let target = snapshot
        .vault
        .resolve(&user("a.md"), "kubelet")
        .expect("the library has it");
    assert_eq!(
        target.file,
        FileRef {
            layer: Layer::Library,
            path: "kubelet.md".to_owned()
        }
    );
    let only_library = Workspace::open(None).expect("the library");
    assert!(
        only_library.snapshot().vault.find("파드에 대해서").is_some()
            || only_library.snapshot().vault.find("파드에 대해서.md").is_some()
    );
}

#[test]
fn a_vault_must_be_a_folder_that_exists() {
    let folder = vault(&[("a.md", "x")]);
    let missing = Workspace::open(Some(&folder.path().join("없음"))).expect_err("missing");
    assert!(matches!(missing, WorkspaceError::Unreadable { .. }), "{missing}");
    let file = Workspace::open(Some(&folder.path().join("a.md"))).expect_err("a file");
    assert!(
        file.to_string()
            .ends_with("is not a folder; a vault is a folder with notes in it"),
        "{file}"
    );
}

#[test]
fn a_note_that_is_not_utf_8_is_shown_and_named() {
    let folder = vault(&[]);
    write(folder.path(), "a.md", b"# ok\nab\xff\xfe cd");
    write(folder.path(), "b.md", b"\xff\xfe#\x00 \x00");
    let workspace = open(folder.path());
    let snapshot = workspace.snapshot();
    assert_eq!(
        &*snapshot.vault.note(&user("a.md")).expect("shown").text,
        "# ok\nab\u{fffd}\u{fffd} cd"
    );
    let first = &snapshot.problems[0];
    assert_eq!(
        first.to_string(),
        "a.md:2:3: error: this note is not UTF-8; bytes that are not are shown as �\n  hint: save it as UTF-8"
    );
    assert!(snapshot.problems[1].hints[0].contains("UTF-16"));
}

#[test]
fn a_note_that_is_too_large_keeps_its_place() {
    let folder = vault(&[("작은.md", "x")]);
    write(folder.path(), "큰.md", "가나다라 마바사\n".repeat(500_000).as_bytes());
    let workspace = open(folder.path());
    let snapshot = workspace.snapshot();
    assert_eq!(paths(&workspace), ["작은.md", "큰.md"]);
    let note = snapshot.vault.note(&user("큰.md")).expect("it is there");
    assert!(note.text.len() < 9 * 1024 * 1024, "not all of it is read");
    assert_eq!(
        problems(&workspace),
        [""; 0],
        "that it is too large is said by the note itself"
    );
}

#[cfg(unix)]
#[test]
fn no_path_leaves_the_vault() {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;
    let outside = vault(&[("비밀.md", "secret"), ("s.png", "secret")]);
    let folder = vault(&[("a.md", "x"), ("폴더/b.md", "x"), ("c.png", "x")]);
    let root = folder.path();
    symlink(outside.path(), root.join("밖")).expect("linked");
    symlink(outside.path().join("s.png"), root.join("s.png")).expect("linked");
    symlink("/etc/passwd", root.join("passwd")).expect("linked");
    symlink("a.md", root.join("안.md")).expect("linked");
    symlink(".", root.join("고리")).expect("linked");
    symlink("nowhere", root.join("끊김")).expect("linked");
    fs::write(root.join(std::ffi::OsStr::from_bytes(b"\xff.md")), "x").expect("written");
    let workspace = open(root);
    assert_eq!(paths(&workspace), ["a.md", "c.png", "안.md", "폴더/b.md"]);
    assert_eq!(
        problems(&workspace),
        [
            "passwd: file.outside",
            "s.png: file.outside",
            "끊김: file.unreadable",
            "밖: file.outside",
            "\u{fffd}.md: file.name"
        ]
    );
    for path in [
        "../etc/passwd",
        "/etc/passwd",
        "밖/비밀.md",
        "passwd",
        "a.md/../../x",
        "",
        ".",
        "폴더",
    ] {
        assert!(
            matches!(workspace.file(&user(path)), Err(FileError::Missing(_))),
            "{path}"
        );
    }
    // A file that becomes a link after it was found.
    fs::remove_file(root.join("c.png")).expect("removed");
    symlink(outside.path().join("s.png"), root.join("c.png")).expect("linked");
    assert!(matches!(workspace.file(&user("c.png")), Err(FileError::Outside(_))));
}

#[test]
fn attachments_have_their_bytes() {
    let folder = vault(&[("그림 1.png", "bytes")]);
    let workspace = open(folder.path());
    let content = workspace.file(&user("그림 1.png")).expect("there");
    assert_eq!(
        (content.bytes.as_slice(), content.media_type),
        (b"bytes".as_slice(), "image/png")
    );
}

#[test]
fn a_decomposed_file_name_is_the_same_note() {
    let decomposed: String = "컨테이너.md".nfd().collect();
    let folder = vault(&[(&decomposed, "x"), ("a.md", "[[컨테이너]]")]);
    let workspace = open(folder.path());
    let snapshot = workspace.snapshot();
    let (file, _) = snapshot.vault.find("컨테이너.md").expect("by its composed name");
    assert_eq!(file.path, decomposed, "the name on the disk is kept");
    assert_eq!(
        snapshot
            .vault
            .resolve(&user("a.md"), "컨테이너")
            .expect("resolved")
            .file,
        file
    );
    assert_eq!(workspace.file(&file).expect("readable").bytes, b"x");
}

#[test]
fn a_rescan_finds_what_changed() {
    let folder = vault(&[("a.md", "하나"), ("b.md", "x"), ("c.png", "x")]);
    let workspace = open(folder.path());
    let mut changes = workspace.subscribe();
    let before = workspace.snapshot();
    workspace.rescan();
    assert!(changes.try_recv().is_err(), "nothing changed");
    write(folder.path(), "a.md", "둘 이상".as_bytes());
    write(folder.path(), "새/d.md", b"x");
    fs::remove_file(folder.path().join("b.md")).expect("removed");
    workspace.rescan();
    let change = changes.try_recv().expect("told");
    assert_eq!(
        change,
        Change {
            revision: 2,
            changed: vec![user("a.md"), user("새/d.md")],
            removed: vec![user("b.md")]
        }
    );
    assert_eq!(
        &*workspace.snapshot().vault.note(&user("a.md")).expect("there").text,
        "둘 이상"
    );
    assert_eq!(
        &*before.vault.note(&user("a.md")).expect("there").text,
        "하나",
        "a snapshot stays as it was"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_is_told_at_once() {
    let folder = vault(&[("a.md", "하나")]);
    let workspace = open(folder.path());
    let mut changes = workspace.subscribe();
    let watching = workspace.watch().expect("watched");
    let mut next = async || {
        tokio::time::timeout(Duration::from_secs(10), changes.recv())
            .await
            .expect("in time")
            .expect("told")
    };
    // As an editor writes: beside, then over it.
    write(folder.path(), ".a.md.tmp", "둘".as_bytes());
    fs::rename(folder.path().join(".a.md.tmp"), folder.path().join("a.md")).expect("renamed");
    assert_eq!(next().await.changed, [user("a.md")]);
    fs::create_dir(folder.path().join("새 폴더")).expect("made");
    write(folder.path(), "새 폴더/b.md", b"x");
    while !paths(&workspace).contains(&"새 폴더/b.md".to_owned()) {
        next().await;
    }
    fs::rename(folder.path().join("새 폴더"), folder.path().join("옛 폴더")).expect("renamed");
    while paths(&workspace) != ["a.md", "옛 폴더/b.md"] {
        next().await;
    }
    fs::remove_file(folder.path().join("a.md")).expect("removed");
    while paths(&workspace) != ["옛 폴더/b.md"] {
        next().await;
    }
    drop(watching);
}

/// What a search finds in the user's vault, by path.
async fn found(workspace: &Workspace, query: &str) -> (usize, Vec<String>) {
    let results = workspace.search(query, 20).await.expect("searched");
    (
        results.total,
        results
            .hits
            .iter()
            .filter(|hit| hit.file.layer == Layer::User)
            .map(|hit| hit.file.path.clone())
            .collect(),
    )
}

#[tokio::test]
async fn korean_is_found_inside_words() {
    let folder = vault(&[
        ("가.md", "스태틱파드는 노드에 뜬다."),
        ("나.md", "파이프라인"),
        ("다.md", "XYZZY controller와 kube-apiserver"),
        ("스태틱파드는 쿼카.md", "제목에 있다"),
    ]);
    let workspace = open(folder.path());
    let decomposed: String = "스태틱파드".nfd().collect();
    for (query, expected) in [
        ("스태틱파드는", vec!["스태틱파드는 쿼카.md", "가.md"]),
        ("태틱파", vec!["스태틱파드는 쿼카.md", "가.md"]),
        (&decomposed, vec!["스태틱파드는 쿼카.md", "가.md"]),
        ("틱파드는 노드에", vec!["가.md"]),
        ("쿼", vec!["스태틱파드는 쿼카.md"]),
        ("쿼카", vec!["스태틱파드는 쿼카.md"]),
        ("xyzz", vec!["다.md"]),
        ("xyzzy Controller와", vec!["다.md"]),
        ("\"NOT (OR*", vec![]),
    ] {
        let (_, paths) = found(&workspace, query).await;
        assert_eq!(paths, expected, "{query}");
    }
    let words = workspace.search("뜬다 스태틱파드", 20).await.expect("searched");
    assert_eq!(
        (words.total, words.hits.len()),
        (0, 1),
        "the words are there, not together"
    );
    assert!(!words.hits[0].exact);
    assert_eq!(
        workspace.search("…", 20).await.expect("searched"),
        SearchResults::default()
    );
    let long = workspace
        .search(&"가".repeat(MAX_QUERY_CHARS + 1), 20)
        .await
        .expect_err("too long");
    assert!(matches!(long, SearchError::TooLong(201)));
}

#[tokio::test]
async fn snippets_show_where_it_stands() {
    let text = format!(
        "---\ntags: [x]\n---\n# 제목\n\n{}**파드(Pod)**는 쿼카처럼 POD라고 쓴다.\n\n끝",
        "앞에 긴 글이 있다. ".repeat(20)
    );
    let folder = vault(&[("a.md", &text)]);
    let workspace = open(folder.path());
    let results = workspace.search("쿼카", 5).await.expect("searched");
    let snippet = &results.hits[0].snippets[0];
    let marked: Vec<_> = snippet.marks.iter().map(|mark| &snippet.text[mark.clone()]).collect();
    assert_eq!(marked, ["쿼카"]);
    assert_eq!(&text[snippet.source.clone()], "쿼카");
    assert_eq!(snippet.line, 6);
    assert!(
        snippet.text.starts_with('…') && snippet.text.ends_with("쓴다. 끝"),
        "{}",
        snippet.text
    );
}

#[tokio::test]
async fn the_index_follows_the_notes() {
    let folder = vault(&[("a.md", "쿼카 하나"), ("b.md", "쿼카 둘")]);
    let workspace = open(folder.path());
    assert_eq!(found(&workspace, "쿼카").await.0, 2);
    write(folder.path(), "a.md", "이제는 없다".as_bytes());
    fs::remove_file(folder.path().join("b.md")).expect("removed");
    write(folder.path(), "c.md", "쿼카 셋".as_bytes());
    workspace.rescan();
    assert_eq!(found(&workspace, "쿼카").await, (1, vec!["c.md".to_owned()]));
}
