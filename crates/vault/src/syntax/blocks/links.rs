//! Links, embeds and images.

use std::ops::Range;

use pulldown_cmark::LinkType;

use super::super::inline::{self, Context, Token};
use super::super::tree::{Inline, InlineKind};
use super::super::wikilink;
use super::Builder;
use crate::limits;
use crate::note::{EmbedKind, ExternalImage, ExternalLink, Link, LinkSyntax};
use crate::text::percent_decode;

impl Builder<'_> {
    pub(super) fn wikilink(&mut self, embed: bool, has_alias: bool, range: Range<usize>, tokens: Vec<Token>) {
        let source = self.mapped.original(range.clone());
        let inside = source.strip_prefix('!').unwrap_or(&source);
        let inside = inside.strip_prefix("[[").and_then(|inside| inside.strip_suffix("]]"));
        let parts = inside.filter(|inside| !inside.contains('\n')).and_then(wikilink::parse);
        let Some(parts) = parts else {
            self.open_implicit(&range);
            self.literal(range);
            return;
        };
        let place = self.mapped.range(range.clone());
        let default = wikilink::default_display(&parts.target, parts.subpath.as_ref());
        let text = Inline {
            range: place.clone(),
            kind: InlineKind::Text(default.clone()),
        };
        let shown = match parts.alias {
            Some(_) if has_alias => without_links(inline::finish(
                inline::trimmed(tokens),
                Context {
                    link: true,
                    footnote: true,
                },
                &mut self.found,
            )),
            _ => vec![text],
        };
        let link = Link {
            syntax: LinkSyntax::Wiki,
            embed,
            display: parts.alias.clone().unwrap_or(default),
            ..self.new_link(embed, parts, &place)
        };
        self.add_link(link, place, range, shown);
    }

    pub(super) fn new_link(&self, embed: bool, parts: wikilink::Wikilink, place: &Range<usize>) -> Link {
        let embed_kind = embed.then(|| EmbedKind::of_path(&parts.target));
        let (alt, width, height) = match &parts.alias {
            Some(alias) if embed && embed_kind != Some(EmbedKind::Note) => wikilink::alt_and_size(alias),
            _ => (None, None, None),
        };
        Link {
            syntax: LinkSyntax::Markdown,
            embed,
            target: parts.target,
            subpath: parts.subpath,
            display: parts.alias.clone().unwrap_or_default(),
            alias: parts.alias,
            embed_kind,
            width,
            height,
            alt,
            in_comment: false,
            place: self.found.place(place.clone()),
        }
    }

    pub(super) fn add_link(&mut self, link: Link, place: Range<usize>, range: Range<usize>, shown: Vec<Inline>) {
        let embed = link.embed;
        if self.found.links.len() >= limits::LINKS {
            self.found.too_many_links.get_or_insert(link.place);
            self.open_implicit(&range);
            self.literal(range);
            return;
        }
        self.found.links.push(link);
        let index = self.found.links.len() - 1;
        let kind = if embed {
            InlineKind::Embed(index)
        } else {
            InlineKind::Link(index, shown)
        };
        self.push_inline(place, range, kind);
    }

    pub(super) fn link(&mut self, kind: LinkType, url: String, range: Range<usize>, tokens: Vec<Token>) {
        let place = self.mapped.range(range.clone());
        let url = match kind {
            LinkType::Email if !url.starts_with("mailto:") => format!("mailto:{url}"),
            _ => url,
        };
        if url.trim().is_empty() {
            self.open_implicit(&range);
            self.top().tokens.extend(tokens);
            return;
        }
        let shown = inline::finish(
            tokens,
            Context {
                link: true,
                footnote: true,
            },
            &mut self.found,
        );
        let text = self.plain(&shown);
        match scheme_of(&url) {
            Scheme::Internal => {
                let parts = markdown_target(&url, Some(text.clone()));
                let link = self.new_link(false, parts, &place);
                self.add_link(Link { display: text, ..link }, place, range, without_links(shown));
            }
            Scheme::Safe => {
                self.found.external.push(ExternalLink {
                    url,
                    text,
                    place: self.found.place(place.clone()),
                });
                let index = self.found.external.len() - 1;
                self.push_inline(place, range, InlineKind::External(index, without_links(shown)));
            }
            // `javascript:` and the like: the text alone.
            Scheme::Unsafe => {
                let tokens = shown.into_iter().map(|inline| Token::Node(Box::new(inline)));
                self.open_implicit(&range);
                self.top().tokens.extend(tokens);
            }
        }
    }

    pub(super) fn image(&mut self, url: String, range: Range<usize>, tokens: Vec<Token>) {
        let place = self.mapped.range(range.clone());
        let shown = inline::finish(
            tokens,
            Context {
                link: true,
                footnote: true,
            },
            &mut self.found,
        );
        let text = self.plain(&shown);
        let data_image = ["png", "jpeg", "gif", "webp"]
            .iter()
            .any(|kind| url.starts_with(&format!("data:image/{kind}")));
        match scheme_of(&url) {
            Scheme::Internal if !url.trim().is_empty() => {
                let parts = markdown_target(&url, Some(text.clone()).filter(|text| !text.is_empty()));
                let link = self.new_link(true, parts, &place);
                self.add_link(Link { display: text, ..link }, place, range, Vec::new());
            }
            scheme if scheme == Scheme::Safe || data_image => {
                let (alt, width, height) = wikilink::alt_and_size(&text);
                let (alt, place_of) = (alt.unwrap_or_default(), self.found.place(place.clone()));
                self.found.images.push(ExternalImage {
                    url,
                    alt,
                    width,
                    height,
                    place: place_of,
                });
                self.push_inline(place, range, InlineKind::Image(self.found.images.len() - 1));
            }
            _ => self.push_inline(place, range, InlineKind::Text(text)),
        }
    }
}

/// The inlines without links, embeds and images: what may be shown inside a link.
fn without_links(inlines: Vec<Inline>) -> Vec<Inline> {
    let mut kept = Vec::with_capacity(inlines.len());
    for mut inline in inlines {
        match inline.kind {
            InlineKind::Link(_, children) | InlineKind::External(_, children) => kept.extend(without_links(children)),
            InlineKind::Embed(_) | InlineKind::Image(_) | InlineKind::Footnote(_) => {}
            InlineKind::Emphasis(children) => {
                inline.kind = InlineKind::Emphasis(without_links(children));
                kept.push(inline);
            }
            InlineKind::Strong(children) => {
                inline.kind = InlineKind::Strong(without_links(children));
                kept.push(inline);
            }
            InlineKind::Strike(children) => {
                inline.kind = InlineKind::Strike(without_links(children));
                kept.push(inline);
            }
            InlineKind::Highlight(children) => {
                inline.kind = InlineKind::Highlight(without_links(children));
                kept.push(inline);
            }
            _ => kept.push(inline),
        }
    }
    kept
}

/// What an address means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    /// No scheme: a file of the vault.
    Internal,
    /// Somewhere else.
    Safe,
    /// Not to be followed.
    Unsafe,
}

fn scheme_of(url: &str) -> Scheme {
    let url = url.trim();
    if url.starts_with("//") {
        return Scheme::Safe;
    }
    let Some((scheme, _)) = url.split_once(':') else {
        return Scheme::Internal;
    };
    let mut chars = scheme.chars();
    let is_scheme = chars.next().is_some_and(|c| c.is_ascii_alphabetic())
        && chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '.' | '-'));
    if !is_scheme {
        return Scheme::Internal;
    }
    match scheme.to_ascii_lowercase().as_str() {
        "javascript" | "vbscript" | "data" | "blob" | "file" | "about" => Scheme::Unsafe,
        _ => Scheme::Safe,
    }
}

/// A Markdown link's destination: split at its first `#`, then percent-decoded.
fn markdown_target(url: &str, alias: Option<String>) -> wikilink::Wikilink {
    let (target, rest) = url
        .split_once('#')
        .map_or((url, None), |(target, rest)| (target, Some(rest)));
    let subpath = rest.map(percent_decode).and_then(|rest| wikilink::subpath(&rest));
    wikilink::Wikilink {
        target: percent_decode(target).trim().to_owned(),
        subpath,
        alias,
    }
}
