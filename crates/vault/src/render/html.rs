//! Raw HTML of a note, made safe by `ammonia`.
//!
//! Markdown cuts HTML into pieces (one tag at a time within text, one block up to an empty line), so that a piece may
//! leave tags open. A marker behind each piece shows which: what stands before the marker in the cleaned piece is written
//! now, what stands behind it (the closing tags that were missing) is kept until the note closes them or their container
//! ends.

use std::sync::OnceLock;

use ammonia::{Builder, UrlRelative};

use super::escape;
use crate::limits;

/// Stands behind the piece while it is cleaned; a private-use character, which is taken out of the piece before.
const MARKER: char = '\u{F8FF}';

fn cleaner() -> &'static Builder<'static> {
    static CLEANER: OnceLock<Builder<'static>> = OnceLock::new();
    CLEANER.get_or_init(|| {
        let mut builder = Builder::default();
        builder
            .add_tag_attributes("details", ["open"])
            .rm_tags(["area", "map"])
            // Names would be taken for those of the page.
            .rm_generic_attributes(["class", "id", "name"])
            .url_relative(UrlRelative::PassThrough)
            .link_rel(Some("noopener noreferrer nofollow"))
            .strip_comments(true)
            // Pictures from elsewhere are not loaded, and a path of the page is no path of the vault.
            .attribute_filter(|element, attribute, value| match (element, attribute) {
                ("img", "src") if !value.starts_with("data:image/") => None,
                _ => Some(value.into()),
            });
        builder.add_url_schemes(["obsidian"]);
        builder
    })
}

/// The tags that are open in a container, innermost last.
#[derive(Debug, Default)]
pub(super) struct OpenTags {
    closing: Vec<String>,
}

impl OpenTags {
    /// How many are open: what a container asks at its beginning.
    pub(super) fn len(&self) -> usize {
        self.closing.len()
    }

    /// Closes all but the first `len`: what a container does at its end.
    pub(super) fn close_to(&mut self, len: usize, out: &mut String) {
        while self.closing.len() > len {
            if let Some(tag) = self.closing.pop() {
                push_closing(out, &tag);
            }
        }
    }

    /// Writes a piece of raw HTML. Tags that were open before `len` are not closed by it.
    pub(super) fn write(&mut self, html: &str, len: usize, out: &mut String) {
        let mut rest = html.trim_start_matches(MARKER);
        // Closing tags of earlier pieces.
        while let Some((name, after)) = leading_closing_tag(rest) {
            if let Some(at) = self
                .closing
                .iter()
                .rposition(|tag| *tag == name)
                .filter(|&at| at >= len)
            {
                self.close_to(at, out);
            }
            rest = after;
        }
        if rest.trim().is_empty() {
            out.push_str(rest);
            return;
        }
        if rest.len() > limits::HTML_BYTES || rest.matches('<').count() > limits::HTML_TAGS {
            out.push_str("<code class=\"beyond-limit\">");
            escape::text(out, rest);
            out.push_str("</code>");
            return;
        }
        let piece: String = rest.chars().filter(|&c| c != MARKER).chain([MARKER]).collect();
        let cleaned = cleaner().clean(&piece).to_string();
        let Some((before, behind)) = cleaned.split_once(MARKER) else {
            // The marker was inside something that is dropped whole.
            out.push_str(&cleaned);
            return;
        };
        out.push_str(before);
        let mut names = Vec::new();
        let mut behind = behind;
        while let Some((name, after)) = leading_closing_tag(behind) {
            names.push(name);
            behind = after;
        }
        self.closing.extend(names.into_iter().rev());
    }
}

fn push_closing(out: &mut String, tag: &str) {
    out.push_str("</");
    out.push_str(tag);
    out.push('>');
}

/// The name in a closing tag at the start of `html`, lower-cased, and what follows.
fn leading_closing_tag(html: &str) -> Option<(String, &str)> {
    let (name, after) = html.trim_start().strip_prefix("</")?.split_once('>')?;
    let name = name.trim();
    let valid = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    valid.then(|| (name.to_ascii_lowercase(), after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(pieces: &[&str]) -> String {
        let (mut tags, mut out) = (OpenTags::default(), String::new());
        for piece in pieces {
            tags.write(piece, 0, &mut out);
        }
        tags.close_to(0, &mut out);
        out
    }

    #[test]
    fn pieces() {
        for (pieces, expected) in [
            (&["<b>", "</b>"][..], "<b></b>"),
            (&["<b>"][..], "<b></b>"),
            (&["</b>"][..], ""),
            (&["<br>"][..], "<br>"),
            (
                &["<details open>\n<summary>x</summary>\n", "</details>"][..],
                "<details open=\"\">\n<summary>x</summary>\n</details>",
            ),
            (&["<script>", "</script>"][..], ""),
            (&["<img src=x onerror=\"alert(1)\">"][..], "<img>"),
            (
                &["<p style=\"color:red\" class=\"verdict\" id=\"x\" onclick=\"y\">"][..],
                "<p></p>",
            ),
            (&["<!-- x -->"][..], ""),
            (
                &["<a href=\"javascript:x\">"][..],
                "<a rel=\"noopener noreferrer nofollow\"></a>",
            ),
            (&["<iframe src=\"https://e.x\"></iframe>"][..], ""),
        ] {
            assert_eq!(cleaned(pieces), expected, "{pieces:?}");
        }
    }
}
