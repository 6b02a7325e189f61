//! What holds for every text: no panic, places within the text, safe HTML, and in a time that grows with the text.

use std::ops::Range;
use std::time::{Duration, Instant};

use peapod_vault::note::Note;
use peapod_vault::{FileRef, Layer, Vault, inspect, plain, render};
use proptest::prelude::*;

/// Pieces of Obsidian's syntax, so that random texts are full of it.
const PIECES: &[&str] = &[
    "[[",
    "]]",
    "![[",
    "[[a|b]]",
    "[[a#^x]]",
    "|",
    "\\",
    "**",
    "*",
    "_",
    "~~",
    "~",
    "==",
    "%%",
    "$",
    "$$",
    "`",
    "```",
    "~~~",
    "\n",
    "\n\n",
    "\r\n",
    "> ",
    ">",
    "> [!note]- ",
    "> [!faq] ",
    "- ",
    "- [ ] ",
    "- [x] ",
    "1. ",
    "\t",
    "    ",
    "# ",
    "## ",
    "#태그",
    " ^id",
    "^id\n",
    "^[",
    "[^1]",
    "[^1]: ",
    "]",
    "(",
    ")",
    "<b>",
    "</b>",
    "<div>",
    "<script>",
    "<img src=x onerror=y>",
    "<!--",
    "-->",
    "<details>\n",
    "https://a.b/c",
    "http://",
    "---\n",
    "tags: [a]\n",
    "===\n",
    "| a | b |\n|--|--|\n",
    "| 1 | 2 |\n",
    "가",
    "나(다)",
    "a",
    "1",
    " ",
    "\u{200b}",
    "\u{1F600}",
    "&amp;",
    "&#x41;",
    "\u{feff}",
    "\u{e000}",
    "\u{f8ff}",
    "\0",
    "e\u{301}",
    "\u{1112}\u{1161}\u{11ab}",
    "```yaml\napiVersion: v1\nkind: Pod\n```\n",
    "{{ x }}",
    "![a|10](b.png)",
    "[x](javascript:y)",
];

fn texts() -> impl Strategy<Value = String> {
    prop::collection::vec(
        prop_oneof![4 => prop::sample::select(PIECES).prop_map(str::to_owned), 1 => "\\PC{0,6}"],
        0..40,
    )
    .prop_map(|pieces| pieces.concat())
}

/// Everything that is done with a note.
fn use_all(text: &str) -> (Note, String) {
    let mut vault = Vault::new(peapod_vault::vault::Settings {
        alias_links: true,
        ..peapod_vault::vault::Settings::default()
    });
    vault.insert(Layer::User, Note::parse("n.md", text));
    vault.insert(Layer::User, Note::parse("a.md", "# A\n\ntext ^x\n\n![[n]]\n"));
    let file = FileRef {
        layer: Layer::User,
        path: "n.md".into(),
    };
    let note = vault.note(&file).expect("it was added").as_ref().clone();
    let resolver = render::VaultResolver::new(&vault, "/n/", "/f/");
    let html = render::note(&note, &file, &resolver, &mut render::PlainCells);
    let _ = inspect::facts(&vault, &file).expect("facts").to_string();
    let _ = (
        vault.backlinks(&file),
        vault.unlinked_mentions(&file, 10),
        vault.orphans(),
        vault.graph(peapod_vault::vault::GraphOptions::default()),
        vault.quick_switch("a", 5),
        vault.local_graph(&file, 2),
        vault.tags(),
    );
    let _ = plain::text_with_embeds(&note, &file, &resolver);
    (note, html)
}

/// The ranges of everything in a note.
fn ranges(note: &Note) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    ranges.extend(note.headings.iter().map(|thing| thing.place.range()));
    ranges.extend(
        note.links
            .iter()
            .chain(&note.comment_links)
            .map(|thing| thing.place.range()),
    );
    ranges.extend(note.external.iter().map(|thing| thing.place.range()));
    ranges.extend(note.images.iter().map(|thing| thing.place.range()));
    ranges.extend(note.tags.iter().map(|thing| thing.place.range()));
    ranges.extend(note.callouts.iter().map(|thing| thing.place.range()));
    ranges.extend(
        note.blocks
            .iter()
            .flat_map(|thing| [thing.place.range(), thing.block.range()]),
    );
    ranges.extend(note.tasks.iter().map(|thing| thing.place.range()));
    ranges.extend(note.comments.iter().map(|thing| thing.place.range()));
    ranges.extend(note.math.iter().map(|thing| thing.place.range()));
    ranges.extend(
        note.code
            .iter()
            .flat_map(|thing| thing.lines.iter().cloned().chain([thing.place.range()])),
    );
    ranges.extend(
        note.cells
            .iter()
            .flat_map(|thing| [thing.place.range(), thing.content.clone()]),
    );
    ranges.extend(note.diagnostics.iter().map(|thing| thing.place.range()));
    ranges.extend(plain::text_of(note).pieces.into_iter().map(|(_, range)| range));
    ranges
}

/// Tags and attributes of HTML, as a browser would see those of well-formed output.
fn check_html(html: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        let after = &rest[start + 1..];
        let end = after.find('>').unwrap_or_else(|| panic!("an open tag: {html}"));
        let tag = &after[..end];
        rest = &after[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "{html}");
            continue;
        }
        let name = tag.split([' ', '\n']).next().unwrap_or(tag);
        assert!(
            !matches!(
                name,
                "script" | "style" | "iframe" | "object" | "embed" | "form" | "base" | "link" | "meta"
            ),
            "{html}"
        );
        for attribute in tag
            .split('"')
            .step_by(2)
            .flat_map(|outside| outside.split([' ', '\n']))
            .skip(1)
        {
            let attribute = attribute.trim_end_matches('=').to_ascii_lowercase();
            assert!(
                !attribute.starts_with("on") && attribute != "style" && attribute != "srcdoc",
                "{attribute} in {html}"
            );
        }
        assert!(!tag.to_ascii_lowercase().contains("\"javascript:"), "{html}");
        if !matches!(name, "br" | "hr" | "img" | "input" | "wbr" | "col") {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?} not closed: {html}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_text_is_read_and_shown(text in texts()) {
        let (note, html) = use_all(&text);
        for range in ranges(&note) {
            prop_assert!(text.get(range.clone()).is_some(), "{range:?} of {text:?}");
        }
        for link in &note.links {
            let source = &text[link.place.range()];
            prop_assert!(source.starts_with('[') || source.starts_with("!["), "{source:?} in {text:?}");
        }
        check_html(&html);
    }

    #[test]
    fn nothing_but_markup_is_lost(words in prop::collection::vec("[가-힣]{1,3}", 1..20), seed in any::<u64>()) {
        // Words between pieces of syntax that does not hide text: each must be on the page.
        let syntax = ["\n", " ", "\n\n", "**", "==", "\n> ", "\n- ", "\n\t- ", "\n> [!note] ", "\n# ", " $", " #", "\n1. ", "~~"];
        let mut state = seed;
        let mut text = String::new();
        for word in &words {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            text.push_str(syntax[(state >> 33) as usize % syntax.len()]);
            text.push_str(word);
        }
        let (note, html) = use_all(&text);
        let plain = plain::text_of(&note).text;
        for word in &words {
            prop_assert!(html.contains(word.as_str()), "{word} of {text:?} in {html}");
            prop_assert!(plain.contains(word.as_str()), "{word} of {text:?} in {plain}");
        }
    }
}

#[test]
fn hostile_texts_take_time_that_grows_with_them() {
    // In a debug build on a busy machine; what would be quadratic takes minutes.
    let limit = Duration::from_secs(20);
    let mut slow = Vec::new();
    let pieces = [
        "[[",
        "![[",
        "[[a|",
        "**",
        "*a ",
        "==a",
        "== ",
        "%%",
        "%%\n",
        "> ",
        ">",
        "`",
        "``a",
        "$",
        "$a ",
        "$$",
        "~a",
        "<",
        "<a",
        "<b ",
        "^[",
        "[^1]",
        "#a",
        "- ",
        "\t- a\n",
        "> [!note] a\n",
        "- [ ] a\n",
        "http://",
        "http://)",
        "a^b\n",
        "^id\n",
        "# a\n",
        "```\n",
        "<div>\n",
        "<b>",
        "| a ",
        "[a](",
        "\\",
        "&",
        "- a\n\n",
        "> - ",
        "[x]: y\n",
        "```console\n```\n",
        "[[a]]",
        "!![[a]]",
    ];
    for piece in pieces {
        let text = piece.repeat(60_000 / piece.len());
        let start = Instant::now();
        let note = Note::parse("n.md", text);
        let vault = Vault::default();
        let file = FileRef {
            layer: Layer::User,
            path: "n.md".into(),
        };
        let html = render::note(
            &note,
            &file,
            &render::VaultResolver::new(&vault, "/", "/"),
            &mut render::PlainCells,
        );
        check_html(&html);
        let _ = plain::text_of(&note);
        let elapsed = start.elapsed();
        println!("{elapsed:>12.1?} {piece:?}");
        if elapsed > limit {
            slow.push(piece);
        }
    }
    assert!(slow.is_empty(), "{slow:?}");
}

#[test]
fn a_note_beyond_the_limit_says_so_at_once() {
    let text = "# 제목\n[[링크]] **글**\n".repeat(400_000);
    assert!(text.len() > 10_000_000);
    let start = Instant::now();
    let note = Note::parse("큰.md", text);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert_eq!(note.diagnostics.len(), 1);
    assert_eq!(note.diagnostics[0].code, "note.size");
    assert!(
        note.diagnostics[0].message.contains("8 MB"),
        "{}",
        note.diagnostics[0].message
    );
    assert_eq!(note.name, "큰");
}

#[test]
fn what_is_nested_too_deep_is_shown_as_source() {
    let note = Note::parse("n.md", ">".repeat(5_000) + " 깊은 글");
    assert_eq!(note.diagnostics[0].code, "note.nesting");
    assert!(plain::text_of(&note).text.contains("깊은 글"));
}
