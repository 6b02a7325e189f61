//! The seed note and the library's notes as a page shows them.

use std::path::Path;
use std::time::{Duration, Instant};

use peapod_vault::note::Block;
use peapod_vault::render::{self, CellRenderer, VaultResolver};
use peapod_vault::{Cell, CellKind, FileRef, Layer, Note, Severity, Vault};

const SEED: &str = "파드에 대해서.md";

fn library() -> Vault {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../notes");
    let mut vault = Vault::default();
    for entry in std::fs::read_dir(folder).expect("the library") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "md") {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            vault.insert(
                Layer::Library,
                Note::parse(name, std::fs::read_to_string(&path).expect("a note")),
            );
        }
    }
    vault
}

/// Marks where cells and badges are asked for.
#[derive(Default)]
struct Marks {
    cells: Vec<(CellKind, String)>,
    badges: Vec<String>,
}

impl CellRenderer for Marks {
    fn cell(&mut self, _note: &Note, cell: &Cell, source: &str) -> Option<String> {
        self.cells.push((cell.kind, cell.key.clone()));
        Some(format!("<section data-cell=\"{}\">{source}</section>", cell.key))
    }

    fn badge(&mut self, _note: &Note, block: &Block) -> Option<String> {
        self.badges.push(block.id.clone());
        Some("<span class=\"verdict\">✓</span>".to_owned())
    }
}

#[test]
fn the_seed_note_on_a_page() {
    let vault = library();
    let (file, note) = vault.find(SEED).expect("the seed note");
    let mut marks = Marks::default();
    let html = render::note(note, &file, &VaultResolver::new(&vault, "/n/", "/f/"), &mut marks);
    let keys: Vec<_> = marks.cells.iter().map(|(kind, key)| (*kind, key.as_str())).collect();
    assert_eq!(
        keys,
        [
            (CellKind::Manifest, "pod-nginx"),
            (CellKind::Manifest, "deployment-nginx-deployment"),
            (CellKind::Manifest, "job-hello")
        ]
    );
    for expected in [
        "<h1 id=\"파드에-대해서\" data-line=\"1\">",
        "<div class=\"callout\" data-line=\"91\" data-callout=\"note\" data-callout-look=\"note\">",
        "<span class=\"callout-title-inner\">왜 파드가 기본 단위일까?</span>",
        // The picture that the vault does not have is a box with its name.
        "embed-missing",
        "Pasted image 20240810102053.png",
        // Nested lists, by tabs.
        "<li data-line=\"159\">스케줄링\n<ul data-line=\"160\">",
        "<a class=\"external external-link\" href=\"https://kubernetes.io/docs/concepts/workloads/pods/\" rel=\"noopener noreferrer nofollow\">",
        "쿠버네티스는 내부에 존재하는 모든 것들을 객체라고 부른다.<br>\n",
        "<span class=\"hl-key\">apiVersion</span>: v1",
    ] {
        assert!(html.contains(expected), "{expected} in\n{html}");
    }
    assert!(!html.contains("style=") && !html.contains("<script"));
}

#[test]
fn the_librarys_notes_are_in_order() {
    let vault = library();
    for (file, note) in vault.notes() {
        let wrong: Vec<_> = note
            .diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.severity < Severity::Notice)
            .collect();
        assert!(wrong.is_empty(), "{}: {wrong:?}", file.path);
        let mut marks = Marks::default();
        let html = render::note(note, file, &VaultResolver::new(&vault, "/n/", "/f/"), &mut marks);
        assert_eq!(marks.badges.len(), note.blocks.len(), "{}", file.path);
        assert_eq!(marks.cells.len(), note.cells.len(), "{}", file.path);
        assert!(
            !html.contains("**"),
            "{}: emphasis that stayed as it is written",
            file.path
        );
    }
}

#[test]
fn the_seed_note_is_quick() {
    let vault = library();
    let (_, seed) = vault.find(SEED).expect("the seed note");
    let file = FileRef {
        layer: Layer::User,
        path: SEED.into(),
    };
    let resolver = VaultResolver::new(&vault, "/n/", "/f/");
    let mut best = Duration::MAX;
    for _ in 0..20 {
        let start = Instant::now();
        let note = Note::parse(SEED, seed.text.clone());
        let html = render::note(&note, &file, &resolver, &mut render::PlainCells);
        best = best.min(start.elapsed());
        assert!(!html.is_empty());
    }
    let limit = if cfg!(debug_assertions) {
        Duration::from_millis(30)
    } else {
        Duration::from_millis(2)
    };
    println!("the seed note is read and shown in {best:?}");
    assert!(best < limit, "{best:?}");
}
