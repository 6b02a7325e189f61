//! Text in HTML.

/// Appends text with `&`, `<`, `>` and `"` escaped: right between tags and in quoted attributes.
pub(super) fn text(out: &mut String, text: &str) {
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let entity = match byte {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'"' => "&quot;",
            b'\'' => "&#39;",
            // Not allowed in HTML at all.
            0..=8 | 11 | 12 | 14..=31 => "\u{fffd}",
            _ => continue,
        };
        out.push_str(&text[from..at]);
        out.push_str(entity);
        from = at + 1;
    }
    out.push_str(&text[from..]);
}

/// A text as it stands in HTML, between tags and in quoted attributes.
pub fn escape(plain: &str) -> String {
    let mut out = String::with_capacity(plain.len());
    text(&mut out, plain);
    out
}

/// Appends ` name="value"`.
pub(super) fn attribute(out: &mut String, name: &str, value: &str) {
    out.push(' ');
    out.push_str(name);
    out.push_str("=\"");
    text(out, value);
    out.push('"');
}
