//! The things that are in a note, each with its place. Field names are what `peapod vault inspect --json` prints.

use std::ops::Range;

use serde::Serialize;

use crate::place::Place;

/// A heading.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Heading {
    /// 1 to 6.
    pub level: u8,
    /// The rendered text, without markup.
    pub text: String,
    /// The source of the text, without `#` marks and block id.
    pub raw: String,
    /// The `id` attribute: GitHub's slug, unique in the note.
    pub anchor: String,
    /// Index of the enclosing heading in [`Note::headings`](crate::Note::headings).
    pub parent: Option<usize>,
    /// The heading's own lines.
    pub place: Place,
    /// Byte offset at which its section ends: the next heading of the same or a higher level, or the end of the note.
    pub section_end: usize,
}

/// What follows the `#` of a link.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Subpath {
    /// `#A#B`: a heading, by the texts of it and headings above it, outer first.
    Heading(Vec<String>),
    /// `#^id`: a block.
    Block(String),
}

/// How a link is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum LinkSyntax {
    /// `[[target]]`.
    Wiki,
    /// `[text](target)`.
    #[serde(rename = "md")]
    Markdown,
}

/// What an embed shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum EmbedKind {
    /// A note, or a part of it.
    Note,
    /// An image.
    Image,
    /// A sound.
    Audio,
    /// A film.
    Video,
    /// A PDF.
    Pdf,
    /// A canvas.
    Canvas,
    /// A base.
    Base,
    /// Anything else: shown as a link.
    Other,
}

impl EmbedKind {
    /// The kind that a path's extension means; no extension, or one that no kind has, means a note.
    pub fn of_path(path: &str) -> Self {
        let name = path.rsplit('/').next().unwrap_or(path);
        let Some((_, extension)) = name.rsplit_once('.') else {
            return Self::Note;
        };
        match extension.to_ascii_lowercase().as_str() {
            "md" => Self::Note,
            "avif" | "bmp" | "gif" | "jpeg" | "jpg" | "png" | "svg" | "webp" => Self::Image,
            "flac" | "m4a" | "mp3" | "ogg" | "wav" | "3gp" => Self::Audio,
            "mkv" | "mov" | "mp4" | "ogv" | "webm" => Self::Video,
            "pdf" => Self::Pdf,
            "canvas" => Self::Canvas,
            "base" => Self::Base,
            // `[[Note.1]]` and `[[v1.36]]` are notes; other files are told apart once they are resolved.
            _ => Self::Note,
        }
    }
}

/// An internal link or embed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Link {
    /// How it is written.
    #[serde(rename = "kind")]
    pub syntax: LinkSyntax,
    /// Whether it is an embed: `![[…]]`, `![…](…)`.
    pub embed: bool,
    /// The path part as written: trimmed, percent-decoded for Markdown links. Empty: this note.
    pub target: String,
    /// The part after `#`.
    pub subpath: Option<Subpath>,
    /// The text after the bar, or a Markdown link's text.
    pub alias: Option<String>,
    /// What a reader sees.
    pub display: String,
    /// For an embed: what its extension says that it is, before it is resolved.
    pub embed_kind: Option<EmbedKind>,
    /// Width of an embed in pixels.
    pub width: Option<u32>,
    /// Height of an embed in pixels.
    pub height: Option<u32>,
    /// Alternative text of an embed, if one is given.
    pub alt: Option<String>,
    /// Whether it stands in a comment: such a link counts, but is not shown.
    pub in_comment: bool,
    /// The whole link, brackets included.
    pub place: Place,
}

impl Link {
    /// The heading segments of the subpath, if it names a heading.
    pub fn heading(&self) -> Option<&[String]> {
        match &self.subpath {
            Some(Subpath::Heading(segments)) => Some(segments),
            _ => None,
        }
    }

    /// The block id of the subpath, if it names a block.
    pub fn block(&self) -> Option<&str> {
        match &self.subpath {
            Some(Subpath::Block(id)) => Some(id),
            _ => None,
        }
    }

    /// Target and subpath as they are written in a wikilink: `a#B`, `a#^id`.
    pub fn linktext(&self) -> String {
        match &self.subpath {
            None => self.target.clone(),
            Some(Subpath::Heading(segments)) => format!("{}#{}", self.target, segments.join("#")),
            Some(Subpath::Block(id)) => format!("{}#^{id}", self.target),
        }
    }

    /// `#page=N` or `#height=N` of an embedded PDF.
    pub fn pdf_option(&self, name: &str) -> Option<u32> {
        let segments = self.heading()?;
        let options = segments.iter().flat_map(|segment| segment.split('&'));
        options
            .filter_map(|option| option.split_once('='))
            .find(|(key, _)| *key == name)?
            .1
            .parse()
            .ok()
    }
}

/// A link with a scheme, or a bare `http(s)` address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExternalLink {
    /// The address as written.
    pub url: String,
    /// The text that is shown.
    pub text: String,
    /// The whole link.
    pub place: Place,
}

/// An image from elsewhere: `![alt|100x50](https://…)`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExternalImage {
    /// The address as written.
    pub url: String,
    /// Alternative text without the size; may be empty.
    pub alt: String,
    /// Width in pixels.
    pub width: Option<u32>,
    /// Height in pixels.
    pub height: Option<u32>,
    /// The whole image.
    pub place: Place,
}

/// A tag, of the text or of the properties.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tag {
    /// As written, without `#`, NFC. `a/b/c` also counts for `a/b` and `a`.
    #[serde(rename = "tag")]
    pub name: String,
    /// Whether it stands in the properties.
    pub in_properties: bool,
    /// The tag with its `#`; for one of the properties its value.
    pub place: Place,
}

/// Whether a callout folds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Fold {
    /// `+`: foldable, open at first.
    #[serde(rename = "+")]
    Open,
    /// `-`: foldable, closed at first.
    #[serde(rename = "-")]
    Closed,
}

/// A callout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Callout {
    /// The type as written, lower-cased: `faq`, `실험`.
    #[serde(rename = "type")]
    pub kind: String,
    /// One of the 13 types that it looks like: `question`, `note` for unknown ones.
    pub canonical: &'static str,
    /// What follows a bar in the brackets.
    pub metadata: Option<String>,
    /// The title as plain text; the type with a capital letter if none is written.
    pub title: String,
    /// Whether it folds.
    pub fold: Option<Fold>,
    /// 1 = not inside another callout.
    pub depth: usize,
    /// The whole callout.
    pub place: Place,
}

/// What a block id names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum BlockKind {
    /// A paragraph.
    Paragraph,
    /// A list item with its children.
    Item,
    /// A whole list.
    List,
    /// A table.
    Table,
    /// A quote.
    Quote,
    /// A callout.
    Callout,
    /// A code block.
    Code,
    /// A heading.
    Heading,
    /// Display math, an HTML block, a rule.
    Other,
}

/// A block that has an id: `text ^id`. Claims are blocks, too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Block {
    /// The id without `^`.
    pub id: String,
    /// What it names.
    pub kind: BlockKind,
    /// The block's text without the id; of an item its own text, without its children.
    pub text: String,
    /// `^id` itself.
    pub place: Place,
    /// The whole block.
    pub block: Place,
}

/// A task: `- [c] text`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Task {
    /// The character between the brackets.
    pub state: char,
    /// Anything but a space is done.
    pub done: bool,
    /// The item's own text.
    pub text: String,
    /// Depth among lists that have tasks, from 1.
    pub depth: usize,
    /// The brackets.
    pub place: Place,
}

/// `==text==`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Highlight {
    /// Its plain text.
    pub text: String,
    /// With the marks.
    pub place: Place,
}

/// `%%text%%`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Comment {
    /// What stands between the marks.
    pub text: String,
    /// With the marks.
    pub place: Place,
}

/// `$tex$` or `$$tex$$`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Math {
    /// Whether it stands for itself.
    pub display: bool,
    /// The TeX.
    pub tex: String,
    /// With the marks.
    pub place: Place,
}

/// A footnote that is referred to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Footnote {
    /// Its id; none for an inline one (`^[text]`).
    pub id: Option<String>,
    /// From 1, by first reference.
    pub number: usize,
    /// Its plain text.
    pub text: String,
    /// The definition, or the inline footnote.
    pub place: Place,
}

/// A code block, fenced or indented.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CodeBlock {
    /// The first word of the info string, lower-cased.
    pub lang: Option<String>,
    /// The info string as written.
    pub info: String,
    /// The content: without the prefixes of quotes and lists, lines ended by LF.
    pub text: String,
    /// Line of the first content line, from 1.
    pub first_line: u32,
    /// The bytes of each content line after the prefix of its container, without the line's end.
    #[serde(rename = "line_bytes")]
    pub lines: Vec<Range<usize>>,
    /// Whether it is fenced; otherwise indented.
    pub fenced: bool,
    /// Fences included.
    pub place: Place,
}
