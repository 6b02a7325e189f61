//! Code blocks as HTML: classes, no styles.
//!
//! YAML (manifests, experiments) and consoles have lexers of their own: they are what notes here are full of, and
//! `syntect` reads YAML at half a megabyte a second. Other languages go through `syntect`, their scopes folded to a few
//! classes, and are kept for the process.
//!
//! Classes: `hl-key`, `hl-string`, `hl-number`, `hl-constant`, `hl-keyword`, `hl-comment`, `hl-function`, `hl-type`,
//! `hl-variable`; of a console `hl-prompt`, `hl-command`, `hl-output`.

mod console;
mod other;
mod yaml;

use super::escape::{attribute, text as escape};
use crate::limits;

/// A piece of code and its class; none for plain.
type Piece<'t> = (Option<&'static str>, &'t str);

/// `<pre class="code" …><code class="language-x">…</code></pre>`; `attributes` are written into the `pre` as they are.
pub(super) fn block(lang: Option<&str>, text: &str, attributes: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2 + 64);
    out.push_str("<pre class=\"code\"");
    out.push_str(attributes);
    if let Some(lang) = lang {
        attribute(&mut out, "data-lang", lang);
    }
    out.push_str("><code");
    if let Some(lang) = lang {
        attribute(&mut out, "class", &format!("language-{lang}"));
    }
    out.push('>');
    content(lang.unwrap_or(""), text, &mut out);
    out.push_str("</code></pre>");
    out
}

fn content(lang: &str, text: &str, out: &mut String) {
    if text.len() > limits::HIGHLIGHT_BYTES {
        return escape(out, text);
    }
    match lang {
        "yaml" | "yml" | "experiment" => push(yaml::pieces(text), out),
        "console" | "shell-session" | "terminal" => push(console::pieces(text), out),
        "sh" | "bash" | "shell" if text.lines().any(|line| line.starts_with("$ ")) => push(console::pieces(text), out),
        "" | "text" | "txt" | "plain" | "mermaid" | "query" | "dataview" | "dataviewjs" | "tasks" | "base" => {
            escape(out, text)
        }
        _ => other::push(lang, text, out),
    }
}

/// Writes pieces, neighbours of one class together.
fn push<'t>(pieces: impl IntoIterator<Item = Piece<'t>>, out: &mut String) {
    let mut open = None;
    for (class, piece) in pieces {
        if piece.is_empty() {
            continue;
        }
        if class != open {
            if open.is_some() {
                out.push_str("</span>");
            }
            if let Some(class) = class {
                out.push_str("<span class=\"");
                out.push_str(class);
                out.push_str("\">");
            }
            open = class;
        }
        escape(out, piece);
    }
    if open.is_some() {
        out.push_str("</span>");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn html(lang: &str, text: &str) -> String {
        let mut out = String::new();
        content(lang, text, &mut out);
        out
    }

    #[test]
    fn yaml() {
        for (text, expected) in [
            (
                "a: 1 # c\n",
                "<span class=\"hl-key\">a</span>: <span class=\"hl-number\">1</span> <span class=\"hl-comment\"># c</span>\n",
            ),
            (
                "- name: nginx:1.14.2\n",
                "- <span class=\"hl-key\">name</span>: nginx:1.14.2\n",
            ),
            (
                "c: ['sh', \"-c\"]\n",
                "<span class=\"hl-key\">c</span>: [<span class=\"hl-string\">&#39;sh&#39;</span>, <span class=\"hl-string\">&quot;-c&quot;</span>]\n",
            ),
            (
                "{a: true, b: ~}\n",
                "{<span class=\"hl-key\">a</span>: <span class=\"hl-constant\">true</span>, <span class=\"hl-key\">b</span>: <span class=\"hl-constant\">~</span>}\n",
            ),
            (
                "k: |\n  a: 1\nb: 2\n",
                "<span class=\"hl-key\">k</span>: <span class=\"hl-keyword\">|</span>\n<span class=\"hl-string\">  a: 1\n</span><span class=\"hl-key\">b</span>: <span class=\"hl-number\">2</span>\n",
            ),
            (
                "apply: |\n  a: {{ x }}\n",
                "<span class=\"hl-key\">apply</span>: <span class=\"hl-keyword\">|</span>\n  <span class=\"hl-key\">a</span>: <span class=\"hl-variable\">{{ x }}</span>\n",
            ),
            (
                "파드: 예 #아님\n",
                "<span class=\"hl-key\">파드</span>: 예 <span class=\"hl-comment\">#아님</span>\n",
            ),
            ("url: http://x#y\n", "<span class=\"hl-key\">url</span>: http://x#y\n"),
        ] {
            assert_eq!(html("yaml", text), expected, "{text}");
        }
    }

    #[test]
    fn consoles() {
        assert_eq!(
            html("console", "$ kubectl get pod \\\n  demo\nNAME <x>\n"),
            "<span class=\"hl-prompt\">$ </span><span class=\"hl-command\">kubectl get pod \\\n  demo\n</span>\
             <span class=\"hl-output\">NAME &lt;x&gt;\n</span>"
        );
    }

    #[test]
    fn other_languages() {
        assert!(html("rust", "fn main() {}\n").contains("<span class=\"hl-keyword\">fn</span>"));
        assert!(html("json", "{\"a\": 1}\n").contains("<span class=\"hl-number\">1</span>"));
        assert_eq!(html("no-such-language", "<a>\n"), "&lt;a&gt;\n");
    }
}
