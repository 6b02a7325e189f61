//! One form for texts that are compared: NFC and simple lower case.

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// The text in NFC. macOS writes Korean file names decomposed; notes hold them composed.
pub fn nfc(text: &str) -> String {
    match is_nfc_quick(text.chars()) {
        IsNormalized::Yes => text.to_owned(),
        _ => text.nfc().collect(),
    }
}

/// The form in which paths, tags, aliases and search terms are compared: NFC, lower case.
pub fn fold(text: &str) -> String {
    nfc(text).to_lowercase()
}

/// The form in which headings are compared with a link's `#heading`: folded, special characters as spaces, runs of spaces
/// as one (`stripHeading` of Obsidian's API).
pub fn heading_key(text: &str) -> String {
    let mut key = String::with_capacity(text.len());
    for c in fold(text).chars() {
        let special = c.is_whitespace() || c.is_control() || "!\"#$%&()*+,.:;<=>?@^`{|}~/[]\\".contains(c);
        match c {
            _ if !special => key.push(c),
            _ if key.ends_with(' ') || key.is_empty() => {}
            _ => key.push(' '),
        }
    }
    key.truncate(key.trim_end().len());
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_are_compared_without_special_characters() {
        assert_eq!(heading_key("단계(phase): 개요"), heading_key(" 단계(phase)   개요 "));
        assert_eq!(heading_key("Foo **bar** `baz`"), "foo bar baz");
        assert_eq!(heading_key("\u{1103}\u{1161}\u{1105}\u{1173}\u{11ab}"), "다른");
    }
}
