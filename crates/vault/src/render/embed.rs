//! Embeds: pictures, sounds, and notes within notes.

use std::collections::HashSet;

use super::page::{Context, Page};
use super::{Destination, canvas};
use crate::limits;
use crate::note::{EmbedKind, Link, Part, Subpath};
use crate::syntax::tree::{Inline, InlineKind};
use crate::vault::FileRef;

/// What is being embedded while a page is written.
pub(super) struct Embeds {
    /// The notes that we are in, with the parts of them that are shown; the page's own first.
    stack: Vec<(FileRef, Option<Subpath>)>,
    /// How many notes were embedded.
    count: usize,
    /// References to footnotes that were written.
    references: HashSet<(String, usize)>,
}

impl Embeds {
    pub(super) fn new(file: &FileRef) -> Self {
        Self {
            stack: vec![(file.clone(), None)],
            count: 0,
            references: HashSet::new(),
        }
    }

    pub(super) fn was_referred_to(&self, prefix: &str, number: usize) -> bool {
        self.references.contains(&(prefix.to_owned(), number))
    }

    /// Notes a reference; whether it is the first one.
    pub(super) fn first_reference(&mut self, prefix: &str, number: usize) -> bool {
        self.references.insert((prefix.to_owned(), number))
    }
}

/// What an embed shows, once it is resolved.
fn kind_of(link: &Link, destination: Option<&Destination>) -> EmbedKind {
    let path = destination.map_or(link.target.as_str(), |destination| destination.file.path.as_str());
    match EmbedKind::of_path(path) {
        // A resolved file that is no note and has no kind of its own.
        EmbedKind::Note if destination.is_some() && !path.to_lowercase().ends_with(".md") => EmbedKind::Other,
        kind => kind,
    }
}

impl Page<'_> {
    /// Whether an inline is an embedded note: a block.
    pub(super) fn is_block_embed(&self, context: &Context<'_>, inline: &Inline) -> bool {
        let InlineKind::Embed(index) = inline.kind else {
            return false;
        };
        if self.embeds_as_links {
            return false;
        }
        let Some(link) = context.note.links.get(index) else {
            return false;
        };
        let destination = self.resolver.resolve(context.file, &link.target);
        kind_of(link, destination.as_ref()) == EmbedKind::Note && destination.is_some()
    }

    /// An embed within text.
    pub(super) fn inline_embed(&mut self, context: &Context<'_>, index: usize) {
        let Some(link) = context.note.links.get(index) else {
            return;
        };
        let Some(destination) = self.resolver.resolve(context.file, &link.target) else {
            self.missing(link);
            return;
        };
        match kind_of(link, Some(&destination)) {
            EmbedKind::Image => {
                self.push("<span class=\"internal-embed image-embed\"");
                self.attribute("data-href", &link.linktext());
                self.push("><img loading=\"lazy\"");
                self.attribute("src", &destination.href);
                let alt = link.alt.clone().unwrap_or_else(|| link.target.clone());
                self.attribute("alt", &alt);
                self.size(link.width, link.height);
                self.push("></span>");
            }
            kind @ (EmbedKind::Audio | EmbedKind::Video) => {
                let name = if kind == EmbedKind::Audio { "audio" } else { "video" };
                self.push("<span class=\"internal-embed media-embed\"");
                self.attribute("data-href", &link.linktext());
                self.push("><");
                self.push(name);
                self.push(" controls preload=\"metadata\"");
                self.attribute("src", &destination.href);
                self.size(link.width, link.height);
                self.push("></");
                self.push(name);
                self.push("></span>");
            }
            EmbedKind::Canvas if self.resolver.text(&destination.file).is_some() => {
                let resolver = self.resolver;
                let source = resolver.text(&destination.file).unwrap_or_default();
                self.push("<span class=\"internal-embed canvas-embed\"");
                self.attribute("data-href", &link.linktext());
                self.push("><a class=\"internal-link\"");
                self.attribute("href", &destination.href);
                self.push(">");
                self.text(&link.display);
                self.push("</a>");
                let svg = canvas(source, &destination.file, resolver, self.options.korean, true);
                self.push(&svg);
                self.push("</span>");
            }
            EmbedKind::Base if self.resolver.text(&destination.file).is_some() => {
                let resolver = self.resolver;
                let source = resolver.text(&destination.file).unwrap_or_default();
                self.push("<span class=\"internal-embed base-embed\"");
                self.attribute("data-href", &link.linktext());
                self.push(">");
                self.embed_link(context, link, &destination);
                self.push(" <span class=\"embed-missing-why\">");
                let words = self.words.base();
                self.text(words);
                self.push("</span><code class=\"base-source\">");
                let end = crate::place::floor_char_boundary(source, limits::OVERSIZE_PREVIEW_BYTES);
                self.text(&source[..end]);
                self.push("</code></span>");
            }
            kind => {
                let class = match kind {
                    EmbedKind::Pdf => "internal-embed pdf-embed",
                    EmbedKind::Canvas => "internal-embed canvas-embed",
                    EmbedKind::Note => "internal-embed markdown-embed",
                    _ => "internal-embed file-embed",
                };
                self.push("<span");
                self.attribute("class", class);
                self.attribute("data-href", &link.linktext());
                self.push(">");
                self.embed_link(context, link, &destination);
                self.push("</span>");
            }
        }
    }

    /// A link in the place of an embed.
    fn embed_link(&mut self, context: &Context<'_>, link: &Link, destination: &Destination) {
        self.push("<a class=\"internal-link\"");
        self.attribute("data-href", &link.linktext());
        let (href, _) = self.href(context, &destination.href, &destination.file, link.subpath.as_ref());
        self.attribute("href", &href);
        self.push(">");
        self.text(&link.display);
        self.push("</a>");
    }

    /// A box that names what is not there.
    fn missing(&mut self, link: &Link) {
        let kind = kind_of(link, None);
        let words = if kind == EmbedKind::Image {
            self.words.missing_image()
        } else {
            self.words.missing_file()
        };
        self.push("<span class=\"internal-embed embed-missing unresolved is-unresolved\" role=\"note\"");
        self.attribute("data-href", &link.linktext());
        self.push("><span class=\"embed-missing-name\">");
        let name = link.linktext();
        self.text(&name);
        self.push("</span> <span class=\"embed-missing-why\">");
        self.text(words);
        self.push("</span></span>");
    }

    /// A note, or a part of one, within a note.
    pub(super) fn block_embed(&mut self, context: &Context<'_>, index: usize) {
        let Some(link) = context.note.links.get(index) else {
            return;
        };
        let Some(destination) = self.resolver.resolve(context.file, &link.target) else {
            return;
        };
        let resolver = self.resolver;
        let Some(note) = resolver.note(&destination.file) else {
            return;
        };
        self.push("<div class=\"internal-embed markdown-embed\"");
        self.attribute("data-href", &link.linktext());
        self.push("><div class=\"markdown-embed-title\">");
        self.embed_link(context, link, &destination);
        let entry = (destination.file.clone(), link.subpath.clone());
        // A whole note that is being shown holds each of its parts.
        let holds =
            |shown: &(FileRef, Option<Subpath>)| shown.0 == entry.0 && (shown.1.is_none() || shown.1 == entry.1);
        let stop = if self.embeds.stack.iter().any(holds) {
            Some(self.words.cycle())
        } else if self.embeds.stack.len() > limits::EMBED_DEPTH
            || self.embeds.count >= limits::EMBEDS_PER_PAGE
            || self.out.len() > limits::EMBEDDING_PAGE_BYTES
        {
            Some(self.words.embed_limit())
        } else {
            None
        };
        let part = note.part(link.subpath.as_ref());
        if let Some(words) = stop.or_else(|| part.is_none().then(|| self.words.missing_part())) {
            self.push(" <span class=\"embed-stopped\">");
            self.text(words);
            self.push("</span></div></div>\n");
            return;
        }
        self.push("</div><div class=\"markdown-embed-content\">\n");
        self.embeds.count += 1;
        let prefix = format!("e{}-", self.embeds.count);
        self.embeds.stack.push(entry);
        let inner = Context {
            note,
            file: &destination.file,
            prefix,
        };
        match part {
            Some(Part::Nodes(nodes)) => self.nodes(&inner, nodes),
            Some(Part::Item(item)) => {
                self.push("<ul>");
                self.item(&inner, item);
                self.push("</ul>");
            }
            None => {}
        }
        self.footnotes(&inner);
        self.embeds.stack.pop();
        self.push("</div></div>\n");
    }
}
