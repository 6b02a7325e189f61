//! What stands between the brackets of a link.

use crate::note::Subpath;

/// The parts of a wikilink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wikilink {
    pub target: String,
    pub subpath: Option<Subpath>,
    pub alias: Option<String>,
}

/// Reads the inside of `[[…]]`; none if it is no link (`[[]]`, `[[|x]]`).
pub(crate) fn parse(inside: &str) -> Option<Wikilink> {
    let (linktext, alias) = match inside.split_once('|') {
        // In a table the bar is escaped; a backslash right before it is accepted everywhere.
        Some((linktext, alias)) => (
            linktext.strip_suffix('\\').unwrap_or(linktext),
            Some(alias.replace("\\|", "|")),
        ),
        None => (inside, None),
    };
    let alias = alias
        .map(|alias| alias.trim().to_owned())
        .filter(|alias| !alias.is_empty());
    let (target, subpath) = split_subpath(linktext);
    if target.is_empty() && !linktext.contains('#') {
        return None;
    }
    Some(Wikilink {
        target: target.to_owned(),
        subpath,
        alias,
    })
}

/// Splits a link at its first `#`.
pub(crate) fn split_subpath(linktext: &str) -> (&str, Option<Subpath>) {
    let Some((target, rest)) = linktext.split_once('#') else {
        return (linktext.trim(), None);
    };
    (target.trim(), subpath(rest))
}

/// What stands after the first `#`: heading texts, or a block id.
pub(crate) fn subpath(text: &str) -> Option<Subpath> {
    let segments: Vec<&str> = text
        .split('#')
        .map(str::trim)
        .filter(|segment| !segment.is_empty())
        .collect();
    let last = segments.last()?;
    Some(match last.strip_prefix('^') {
        Some(id) => Subpath::Block(id.to_owned()),
        None => Subpath::Heading(segments.into_iter().map(str::to_owned).collect()),
    })
}

/// What a link without an alias is shown as.
pub(crate) fn default_display(target: &str, subpath: Option<&Subpath>) -> String {
    let mut parts: Vec<String> = Vec::new();
    if !target.is_empty() {
        parts.push(target.to_owned());
    }
    match subpath {
        Some(Subpath::Heading(segments)) => parts.extend(segments.iter().cloned()),
        Some(Subpath::Block(id)) => parts.push(format!("^{id}")),
        None => {}
    }
    if parts.is_empty() {
        // `[[#]]`: this note.
        return "#".to_owned();
    }
    parts.join(" > ")
}

/// Width and height: `100` or `100x50`.
pub(crate) fn size(text: &str) -> Option<(u32, Option<u32>)> {
    let number = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| text.parse::<u32>().ok())
            .flatten()
    };
    match text.trim().split_once('x') {
        Some((width, height)) => Some((number(width)?, Some(number(height)?))),
        None => Some((number(text.trim())?, None)),
    }
}

/// Splits the text of an image into alternative text and size: `alt|100x50`, `100`, `alt`.
pub(crate) fn alt_and_size(text: &str) -> (Option<String>, Option<u32>, Option<u32>) {
    if let Some((width, height)) = size(text) {
        return (None, Some(width), height);
    }
    if let Some((alt, rest)) = text.rsplit_once('|')
        && let Some((width, height)) = size(rest)
    {
        return (
            Some(alt.trim().to_owned()).filter(|alt| !alt.is_empty()),
            Some(width),
            height,
        );
    }
    (Some(text.trim().to_owned()).filter(|alt| !alt.is_empty()), None, None)
}

/// The wikilinks of a piece of text that is not read as Markdown (a comment, a property): byte range and parts.
pub(crate) fn find_all(text: &str) -> Vec<(std::ops::Range<usize>, bool, Wikilink)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(open) = text[at..].find("[[").map(|open| at + open) {
        let Some(close) = text[open..].find("]]").map(|close| open + close) else {
            break;
        };
        // Of nested brackets only the innermost pair is a link.
        let open = text[open..close].rfind("[[").map_or(open, |inner| open + inner);
        let inside = &text[open + 2..close];
        if !inside.contains('\n')
            && let Some(link) = parse(inside)
        {
            let embed = text[..open].ends_with('!');
            found.push((open - usize::from(embed)..close + 2, embed, link));
        }
        at = close + 2;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts() {
        let link = |target: &str, subpath: Option<Subpath>, alias: Option<&str>| {
            Some(Wikilink {
                target: target.into(),
                subpath,
                alias: alias.map(str::to_owned),
            })
        };
        let heading = |segments: &[&str]| Some(Subpath::Heading(segments.iter().map(|&s| s.to_owned()).collect()));
        for (inside, expected) in [
            (" a ", link("a", None, None)),
            ("a|", link("a", None, None)),
            ("a|x|y", link("a", None, Some("x|y"))),
            ("a#B\\|x", link("a", heading(&["B"]), Some("x"))),
            ("a#B#C", link("a", heading(&["B", "C"]), None)),
            ("#^b|y", link("", Some(Subpath::Block("b".into())), Some("y"))),
            ("#", link("", None, None)),
            ("a#", link("a", None, None)),
            ("", None),
            (" |x", None),
        ] {
            assert_eq!(parse(inside), expected, "{inside}");
        }
        assert_eq!(
            alt_and_size("그림|100x200"),
            (Some("그림".into()), Some(100), Some(200))
        );
        assert_eq!(alt_and_size("100x"), (Some("100x".into()), None, None));
        assert_eq!(alt_and_size("20"), (None, Some(20), None));
        assert_eq!(find_all("[[Nested [[Inner]] x]] ![[a|b]]").len(), 2);
    }
}
