//! The beginning of a note or of a part of it, for a preview beside a link.

use super::page::{Context, Page};
use super::{Options, PlainCells, Resolver};
use crate::limits;
use crate::note::{Note, Part};
use crate::syntax::tree::{Node, NodeKind};
use crate::vault::FileRef;

/// The beginning of a note or of a part of it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Excerpt {
    /// Its HTML. No `id` in it is one of the page's, notes embedded in it are links, and cells are source.
    pub html: String,
    /// Whether there is more.
    pub cut: bool,
}

/// The first blocks of a note, of the section of a heading (its `id`), or the block with an id (`^id`); about
/// [`limits::EXCERPT_BYTES`]. None if the note has no such part.
pub fn excerpt(
    note: &Note,
    file: &FileRef,
    resolver: &dyn Resolver,
    anchor: &str,
    options: Options,
) -> Option<Excerpt> {
    let mut cells = PlainCells;
    let mut page = Page::new(file, resolver, &mut cells, options);
    page.embeds_as_links = true;
    let context = Context {
        note,
        file,
        prefix: "x-".to_owned(),
    };
    let cut = match note.part_at(anchor)? {
        Part::Item(item) => {
            page.push("<ul>");
            page.item(&context, item);
            page.push("</ul>");
            false
        }
        Part::Nodes(nodes) => {
            let omitted = usize::from(anchor.is_empty() && options.omit_title && note.title_in_text);
            let nodes = nodes.get(omitted..).unwrap_or_default();
            let shown = fitting(nodes);
            page.nodes(&context, &nodes[..shown]);
            // A list or a quote that is longer than the whole excerpt is cut within.
            let inside = shown < nodes.len() && shown == 0 && beginning(&mut page, &context, nodes.first());
            shown < nodes.len() || inside
        }
    };
    Some(Excerpt { html: page.out, cut })
}

/// How many blocks fit.
fn fitting(nodes: &[Node]) -> usize {
    let Some(start) = nodes.first().map(|node| node.range.start) else {
        return 0;
    };
    nodes
        .iter()
        .take_while(|node| node.range.end.saturating_sub(start) <= limits::EXCERPT_BYTES)
        .count()
}

/// The beginning of a block that is too long.
fn beginning(page: &mut Page<'_>, context: &Context<'_>, node: Option<&Node>) -> bool {
    match node.map(|node| &node.kind) {
        Some(NodeKind::List(list)) => {
            let start = list.items.first().map_or(0, |item| item.range.start);
            let fits = |end: usize| end.saturating_sub(start) <= limits::EXCERPT_BYTES;
            page.push("<ul>");
            for item in list.items.iter().take_while(|item| fits(item.range.end)) {
                page.item(context, item);
            }
            page.push("</ul>");
        }
        Some(NodeKind::Quote(nodes) | NodeKind::Callout(_, _, nodes)) => page.nodes(context, &nodes[..fitting(nodes)]),
        Some(_) => {
            // A paragraph, a table, code: its source.
            let range = node.map_or(0..0, |node| node.range.clone());
            let source = context.note.text.get(range).unwrap_or("");
            let end = crate::place::floor_char_boundary(source, limits::EXCERPT_BYTES);
            page.push("<p>");
            page.text(&source[..end]);
            page.push("…</p>");
        }
        None => {}
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::VaultResolver;
    use crate::vault::{Layer, Vault};

    #[test]
    fn as_much_as_is_asked_for() {
        let mut vault = Vault::default();
        let long = "긴 글. ".repeat(400);
        let text = format!("# 머리말\n\n처음 ![[b]]\n\n## 둘\n\n- 하나\n- 둘 ^x\n  - 속\n\n{long}\n\n끝\n");
        vault.insert(Layer::User, Note::parse("a.md", text));
        vault.insert(Layer::User, Note::parse("b.md", "비밀"));
        let (file, note) = vault.find("a.md").expect("it was added");
        let resolver = VaultResolver::new(&vault, "/n/", "/f/");
        let options = Options {
            omit_title: true,
            ..Options::default()
        };
        let shown = |anchor: &str| excerpt(note, &file, &resolver, anchor, options);
        let whole = shown("").expect("the note");
        assert!(
            whole.cut && !whole.html.contains("비밀") && !whole.html.contains("긴 글"),
            "{}",
            whole.html
        );
        assert!(whole.html.contains("처음") && !whole.html.contains("머리말") && whole.html.contains("id=\"x-둘\""));
        assert!(shown("둘").is_some_and(|part| part.html.contains("하나") && !part.html.contains("처음")));
        let item = shown("^x").expect("the block");
        assert!(!item.cut && item.html.contains("속") && !item.html.contains("하나"));
        assert_eq!(shown("없음"), None);
    }
}
