//! Rendered HTML reduced to what a case is about: elements, links by what they lead to, callouts, tags, tasks.

/// An element of the page: its name, its attributes, and what it became.
struct Open {
    name: String,
    close: String,
    /// Its content is dropped.
    hidden: bool,
}

const KEPT: &[&str] = &[
    "p",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "ul",
    "li",
    "blockquote",
    "code",
    "em",
    "strong",
    "del",
    "mark",
    "u",
    "b",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "div",
];
const BLOCKS: &[&str] = &[
    "p",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "ul",
    "ol",
    "li",
    "blockquote",
    "br",
    "hr",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "div",
    "callout",
    "ct",
    "pre",
];

/// The skeleton of a page's HTML.
pub fn of_html(html: &str, path: &str) -> String {
    let mut out = String::new();
    let mut stack: Vec<Open> = Vec::new();
    let mut rest = html;
    while !rest.is_empty() {
        let hidden = stack.iter().any(|open| open.hidden);
        let Some(after) = rest.strip_prefix('<') else {
            let end = rest.find('<').unwrap_or(rest.len());
            if !hidden {
                out.push_str(&rest[..end]);
            }
            rest = &rest[end..];
            continue;
        };
        let end = after.find('>').expect("a closed tag");
        let (tag, behind) = (&after[..end], &after[end + 1..]);
        rest = behind;
        if let Some(name) = tag.strip_prefix('/') {
            let open = stack
                .pop()
                .unwrap_or_else(|| panic!("</{name}> closes nothing: {html}"));
            assert_eq!(open.name, name, "{html}");
            if !stack.iter().any(|open| open.hidden) {
                out.push_str(&open.close);
            }
            continue;
        }
        let name = tag.split([' ', '\n']).next().unwrap_or(tag);
        if matches!(name, "br" | "hr" | "img" | "input") {
            if !hidden && matches!(name, "br" | "hr") {
                out.push_str(&format!("<{name}>"));
            }
            continue;
        }
        let (start, close, hides) = map(name, tag, path, stack.last());
        if !hidden {
            out.push_str(&start);
        }
        stack.push(Open {
            name: name.to_owned(),
            close,
            hidden: hides,
        });
    }
    assert!(stack.is_empty(), "not closed: {html}");
    normalize(&out)
}

fn attribute<'t>(tag: &'t str, name: &str) -> Option<&'t str> {
    let start = tag.find(&format!(" {name}=\""))? + name.len() + 3;
    tag[start..].split('"').next()
}

fn map(name: &str, tag: &str, path: &str, parent: Option<&Open>) -> (String, String, bool) {
    let class = attribute(tag, "class").unwrap_or("");
    let has = |wanted: &str| class.split(' ').any(|class| class == wanted);
    let element = |name: &str, attributes: String| (format!("<{name}{attributes}>"), format!("</{name}>"), false);
    let nothing = (String::new(), String::new(), false);
    if has("heading-anchor") || has("footnotes") {
        return (String::new(), String::new(), true);
    }
    if has("internal-embed") {
        let target = attribute(tag, "data-href").unwrap_or("");
        let un = has("unresolved");
        let attributes = if un {
            format!(" un=\"{target}\"")
        } else {
            format!(" to=\"{target}\"")
        };
        return (format!("<emb{attributes}>"), "</emb>".to_owned(), true);
    }
    if has("internal-link") {
        let target = attribute(tag, "data-href").unwrap_or("");
        return match attribute(tag, "href").filter(|_| !has("unresolved")) {
            Some(href) => {
                let to = href
                    .strip_prefix("to:")
                    .map_or(path, |href| href.split('#').next().unwrap_or(href));
                element("wl", format!(" to=\"{to}\""))
            }
            None => element("wl", format!(" un=\"{target}\"")),
        };
    }
    if has("external") {
        return element("a", format!(" href=\"{}\"", attribute(tag, "href").unwrap_or("")));
    }
    if has("callout") {
        let kind = attribute(tag, "data-callout").unwrap_or("");
        let fold = attribute(tag, "data-callout-fold").map_or(String::new(), |fold| format!(" fold=\"{fold}\""));
        return element("callout", format!(" type=\"{kind}\"{fold}"));
    }
    if has("callout-title") {
        return element("ct", String::new());
    }
    if has("tag") {
        return element("tag", String::new());
    }
    if has("math-inline") {
        return element("m", String::new());
    }
    if has("math-block") {
        return element("mm", String::new());
    }
    if has("footnote-ref") {
        return ("<fn n=\"1\">".to_owned(), "</fn>".to_owned(), true);
    }
    // A formula is its TeX.
    if name == "mrow" && parent.is_some_and(|parent| parent.name == "semantics") {
        return (String::new(), String::new(), true);
    }
    match name {
        "li" if has("task-list-item") => {
            let state = attribute(tag, "data-task").unwrap_or("");
            (format!("<li task=\"{state}\">"), "</li>".to_owned(), false)
        }
        "pre" => {
            let lang = attribute(tag, "data-lang").map_or(String::new(), |lang| format!(" lang=\"{lang}\""));
            element("pre", lang)
        }
        "code" if parent.is_some_and(|parent| parent.name == "pre") => nothing,
        "ol" => element(
            "ol",
            attribute(tag, "start").map_or(String::new(), |start| format!(" start=\"{start}\"")),
        ),
        "td" => element(
            "td",
            attribute(tag, "align").map_or(String::new(), |align| format!(" align=\"{align}\"")),
        ),
        "div" if has("table-scroll") || has("callout-content") => nothing,
        name if KEPT.contains(&name) => element(name, String::new()),
        _ => nothing,
    }
}

/// White space collapsed outside `pre`, none beside blocks and breaks; entities decoded that need not be there.
pub fn normalize(html: &str) -> String {
    let html = html.replace("&quot;", "\"").replace("&#39;", "'");
    let mut out = String::new();
    let mut rest = html.as_str();
    while let Some(start) = rest.find("<pre") {
        let end = rest[start..].find("</pre>").map_or(rest.len(), |end| start + end);
        out.push_str(&collapse(&rest[..start]));
        out.push_str(&rest[start..end]);
        rest = &rest[end..];
    }
    out.push_str(&collapse(rest));
    out
}

fn collapse(html: &str) -> String {
    let mut collapsed = String::new();
    for c in html.chars() {
        match c {
            ' ' | '\n' | '\t' | '\r' if collapsed.ends_with(' ') => {}
            ' ' | '\n' | '\t' | '\r' => collapsed.push(' '),
            _ => collapsed.push(c),
        }
    }
    let is_block = |tag: &str| {
        let name = tag.trim_start_matches('/').split([' ', '>']).next().unwrap_or("");
        BLOCKS.contains(&name)
    };
    let mut out = String::new();
    let mut rest = collapsed.as_str();
    let mut after_block = true;
    while !rest.is_empty() {
        if let Some(tag) = rest.strip_prefix('<') {
            let end = tag.find('>').map_or(tag.len(), |end| end + 1);
            let block = is_block(&tag[..end]);
            if block {
                out.truncate(out.trim_end().len());
            }
            out.push('<');
            out.push_str(&tag[..end]);
            after_block = block;
            rest = &tag[end..];
        } else {
            let end = rest.find('<').unwrap_or(rest.len());
            let text = &rest[..end];
            let text = if after_block { text.trim_start() } else { text };
            out.push_str(text);
            after_block = after_block && text.is_empty();
            rest = &rest[end..];
        }
    }
    out.trim_end().to_owned()
}
