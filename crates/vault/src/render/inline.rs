//! What stands in a line: text, links, tags, formulas, references to footnotes.

use super::math;
use super::page::{Context, Page};
use crate::note::{Link, Subpath};
use crate::syntax::text::is_line_break;
use crate::syntax::tree::{Inline, InlineKind};
use crate::text::percent_encode;
use crate::vault::{FileRef, Layer, Vault};

impl Page<'_> {
    pub(super) fn inlines(&mut self, context: &Context<'_>, inlines: &[Inline]) {
        let open = self.tags.len();
        for inline in inlines {
            self.inline(context, inline, open);
        }
        self.tags.close_to(open, &mut self.out);
    }

    pub(super) fn wrapped(&mut self, context: &Context<'_>, name: &str, children: &[Inline]) {
        self.push("<");
        self.push(name);
        self.push(">");
        self.inlines(context, children);
        self.push("</");
        self.push(name);
        self.push(">");
    }

    pub(super) fn inline(&mut self, context: &Context<'_>, inline: &Inline, open: usize) {
        match &inline.kind {
            InlineKind::Text(content) => self.text(content),
            InlineKind::Code(content) => {
                self.push("<code>");
                self.text(content);
                self.push("</code>");
            }
            InlineKind::Emphasis(children) => self.wrapped(context, "em", children),
            InlineKind::Strong(children) => self.wrapped(context, "strong", children),
            InlineKind::Strike(children) => self.wrapped(context, "del", children),
            InlineKind::Highlight(children) => self.wrapped(context, "mark", children),
            InlineKind::Link(index, children) => {
                if let Some(link) = context.note.links.get(*index) {
                    self.link(context, link, children);
                }
            }
            InlineKind::Embed(index) => self.inline_embed(context, *index),
            InlineKind::External(index, children) => {
                let url = context.note.external.get(*index).map_or("", |link| link.url.as_str());
                self.external(url);
                self.inlines(context, children);
                self.push("</a>");
            }
            InlineKind::Image(index) => self.external_image(context, *index),
            InlineKind::Tag(index) => self.tag(context, *index, inline),
            InlineKind::Math(index) => {
                let display = context.note.math.get(*index).is_some_and(|math| math.display);
                self.push(if display {
                    "<span class=\"math math-block\">"
                } else {
                    "<span class=\"math math-inline\">"
                });
                self.formula(context, *index);
                self.push("</span>");
            }
            InlineKind::Footnote(index) => self.footnote_reference(context, *index),
            InlineKind::Html(html) if is_line_break(html) => self.push("<br>"),
            InlineKind::Html(html) => self.tags.write(html, open, &mut self.out),
            InlineKind::SoftBreak if self.options.line_breaks => self.push("<br>\n"),
            InlineKind::SoftBreak => self.push("\n"),
            InlineKind::HardBreak => self.push("<br>\n"),
        }
    }

    pub(super) fn formula(&mut self, context: &Context<'_>, index: usize) {
        if let Some(formula) = context.note.math.get(index) {
            math::push(&formula.tex, formula.display, &mut self.out);
        }
    }

    /// Opens a link to elsewhere.
    pub(super) fn external(&mut self, url: &str) {
        self.push("<a class=\"external external-link\"");
        self.attribute("href", url);
        self.push(" rel=\"noopener noreferrer nofollow\">");
    }

    /// Pictures from elsewhere are not loaded (the page's policy forbids it, and it would tell who reads what): a link.
    pub(super) fn external_image(&mut self, context: &Context<'_>, index: usize) {
        let Some(image) = context.note.images.get(index) else {
            return;
        };
        if image.url.starts_with("data:image/") {
            self.push("<img loading=\"lazy\"");
            self.attribute("src", &image.url);
            self.attribute("alt", &image.alt);
            self.size(image.width, image.height);
            self.push(">");
            return;
        }
        self.external(&image.url);
        let words = self.words.external_image();
        let label = if image.alt.is_empty() {
            image.url.as_str()
        } else {
            image.alt.as_str()
        };
        self.text(&format!("{label} ({words})"));
        self.push("</a>");
    }

    pub(super) fn size(&mut self, width: Option<u32>, height: Option<u32>) {
        for (name, value) in [("width", width), ("height", height)] {
            if let Some(value) = value {
                let value = value.to_string();
                self.attribute(name, &value);
            }
        }
    }

    pub(super) fn tag(&mut self, context: &Context<'_>, index: usize, inline: &Inline) {
        let name = context.note.tags.get(index).map_or("", |tag| tag.name.as_str());
        let shown = context.note.text.get(inline.range.clone()).unwrap_or("");
        match self.resolver.tag(name) {
            Some(href) => {
                self.push("<a class=\"tag\"");
                self.attribute("href", &href);
                self.push(">");
                self.text(shown);
                self.push("</a>");
            }
            None => {
                self.push("<span class=\"tag\">");
                self.text(shown);
                self.push("</span>");
            }
        }
    }

    /// An internal link.
    pub(super) fn link(&mut self, context: &Context<'_>, link: &Link, children: &[Inline]) {
        let linktext = link.linktext();
        let Some(destination) = self.resolver.resolve(context.file, &link.target) else {
            if link.target.starts_with("https://") || link.target.starts_with("http://") {
                self.external(&link.target);
                self.inlines(context, children);
                self.push("</a>");
                return;
            }
            let href = self.resolver.missing(&link.target);
            self.push("<a class=\"internal-link unresolved is-unresolved\"");
            self.attribute("data-href", &linktext);
            match href {
                Some(href) => self.attribute("href", &href),
                None => self.push(" role=\"link\" aria-disabled=\"true\""),
            }
            self.push(">");
            self.inlines(context, children);
            self.push("</a>");
            return;
        };
        let library = destination.file.layer == Layer::Library && context.file.layer == Layer::User;
        let (href, found) = self.href(context, &destination.href, &destination.file, link.subpath.as_ref());
        self.push(match (library, found) {
            (false, true) => "<a class=\"internal-link\"",
            (true, true) => "<a class=\"internal-link library\"",
            (false, false) => "<a class=\"internal-link missing-part\"",
            (true, false) => "<a class=\"internal-link library missing-part\"",
        });
        self.attribute("data-href", &linktext);
        self.attribute("href", &href);
        if let Some(title) = destination
            .title
            .filter(|title| *title != link.display && !link.target.is_empty())
        {
            self.attribute("title", &title);
        }
        self.push(">");
        self.inlines(context, children);
        self.push("</a>");
    }

    /// An address with the fragment that a subpath means, and whether the note has that part. Within the page's own note
    /// only the fragment.
    pub(super) fn href(
        &self,
        context: &Context<'_>,
        href: &str,
        file: &FileRef,
        subpath: Option<&Subpath>,
    ) -> (String, bool) {
        let Some(subpath) = subpath else {
            return (href.to_owned(), true);
        };
        let own = file == context.file;
        let note = if own {
            Some(context.note)
        } else {
            self.resolver.note(file)
        };
        let Some(note) = note else {
            // A part of another kind of file: `#page=3`.
            let fragment = match subpath {
                Subpath::Heading(segments) => percent_encode(&segments.join("#")).replace("%3D", "="),
                Subpath::Block(_) => return (href.to_owned(), true),
            };
            return (format!("{href}#{fragment}"), true);
        };
        match Vault::spot(note, subpath) {
            Some(spot) if own && context.prefix.is_empty() => (format!("#{}", percent_encode(&spot.anchor)), true),
            Some(spot) => (format!("{href}#{}", percent_encode(&spot.anchor)), true),
            None => (href.to_owned(), false),
        }
    }

    pub(super) fn footnote_reference(&mut self, context: &Context<'_>, index: usize) {
        let prefix = &context.prefix;
        let number = index + 1;
        // Of several references only the first can be come back to.
        let first = self.embeds.first_reference(prefix, number);
        let id = if first {
            format!(" id=\"{prefix}fnref-{number}\"")
        } else {
            String::new()
        };
        let html = format!(
            "<sup class=\"footnote-ref\"><a class=\"footnote-link\"{id} href=\"#{prefix}fn-{number}\">{number}</a></sup>"
        );
        self.push(&html);
    }
}
