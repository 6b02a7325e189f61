//! Outputs of a session as HTML and as JSON. What comes from a cluster is escaped where it is made; the pages allow no
//! inline style, so that the pictures of a notebook are dressed by the style sheet.

use std::fmt::Write as _;

use peapod_vault::render::escape;
use serde_json::{Value, json};

use super::state::{Given, Piece};
use crate::notebook::{Bundle, Output};

/// What a line of the console gave, as HTML: a command that fails has said why itself, as in every shell.
pub fn line(given: &Given) -> String {
    let of_shell = |piece: &&Piece| matches!(piece, Piece::Failure(failure) if failure.name == "CommandFailed");
    pieces(given.pieces.iter().filter(|piece| !of_shell(piece)))
}

/// What a cell gave, as HTML.
pub fn html(given: &Given) -> String {
    pieces(given.pieces.iter())
}

fn pieces<'a>(pieces: impl Iterator<Item = &'a Piece>) -> String {
    let mut html = String::new();
    for piece in pieces {
        match piece {
            Piece::Output(Output::Stream { stderr, text }) => {
                let class = if *stderr { "out err" } else { "out" };
                let _ = write!(html, "<pre class=\"{class}\">{}</pre>", escape(text));
            }
            Piece::Output(Output::Display { bundle, .. } | Output::Update { bundle, .. }) => {
                html.push_str(&bundle_html(bundle, "out"));
            }
            Piece::Output(Output::Result(bundle)) => html.push_str(&bundle_html(bundle, "out result")),
            Piece::Output(Output::Clear { .. }) => {}
            Piece::Failure(failure) => {
                let text = failure.traceback.join("\n");
                let _ = write!(
                    html,
                    "<pre class=\"out failure\" role=\"alert\">{}</pre>",
                    escape(&text)
                );
            }
        }
    }
    html
}

/// A timeline as a picture, verdicts and causes as HTML, everything else as it is printed: what `kubectl` prints is read in
/// columns.
fn bundle_html(bundle: &Bundle, class: &str) -> String {
    let format = |name: &str| bundle.data().get(name).and_then(Value::as_str);
    if let Some(svg) = format("image/svg+xml") {
        return format!("<figure class=\"out figure\">{}</figure>", without_styles(svg));
    }
    if let Some(html) = format("text/html").filter(|_| bundle.is_drawn()) {
        return format!("<div class=\"{class} rich\">{}</div>", without_styles(html));
    }
    format!("<pre class=\"{class}\">{}</pre>", escape(bundle.plain()))
}

/// Without ` style="…"` and `<style>`. The markup is our own: values in it are escaped, so a quote ends the attribute.
fn without_styles(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(at) = rest.find(" style=\"") {
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        let value = &after[8..];
        rest = value.find('"').map_or("", |end| &value[end + 1..]);
    }
    out.push_str(rest);
    while let (Some(from), Some(to)) = (out.find("<style"), out.find("</style>")) {
        if to < from {
            break;
        }
        out.replace_range(from..to + "</style>".len(), "");
    }
    out
}

/// The same as JSON, as a notebook has it.
pub fn json(given: &Given) -> Value {
    let data = |bundle: &Bundle| -> Value {
        let pairs = bundle.data().iter().map(|(kind, value)| (kind.clone(), value.clone()));
        Value::Object(pairs.collect())
    };
    given
        .pieces
        .iter()
        .filter_map(|piece| {
            Some(match piece {
                Piece::Output(Output::Stream { stderr, text }) => {
                    json!({"type": "stream", "name": if *stderr { "stderr" } else { "stdout" }, "text": text})
                }
                Piece::Output(Output::Display { bundle, .. } | Output::Update { bundle, .. }) => {
                    json!({"type": "display", "data": data(bundle)})
                }
                Piece::Output(Output::Result(bundle)) => json!({"type": "result", "data": data(bundle)}),
                Piece::Output(Output::Clear { .. }) => return None,
                Piece::Failure(failure) => {
                    json!({"type": "error", "name": failure.name, "value": failure.value, "traceback": failure.traceback})
                }
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_style_stays() {
        assert_eq!(
            without_styles("<div style=\"a:b\"><b>x</b><td style=\"c\">style=&quot;</td></div>"),
            "<div><b>x</b><td>style=&quot;</td></div>"
        );
        assert_eq!(without_styles("<svg><style>.a{}</style><g/></svg>"), "<svg><g/></svg>");
        assert_eq!(without_styles("</style><style"), "</style><style");
    }

    #[test]
    fn what_is_printed_is_text() {
        let bundle = Bundle::new("NAME   READY\n<b>   1")
            .with("text/html", "<table><thead><tr><th>NAME</th></tr></thead></table>");
        assert_eq!(
            bundle_html(&bundle, "out"),
            "<pre class=\"out\">NAME   READY\n&lt;b&gt;   1</pre>"
        );
    }
}
