//! Korean, Chinese and Japanese without spaces between words: each run of such characters is indexed as its overlapping
//! pairs, so that `파드` is found in `스태틱파드는` too. A run `가나다` is written `가나 나다 다`; other characters stay as they are.

use unicode_normalization::UnicodeNormalization;

/// Whether a character belongs to a run that is indexed by pairs.
pub(super) fn is_paired(c: char) -> bool {
    matches!(u32::from(c),
        0x1100..=0x11ff | 0x3131..=0x318e | 0xa960..=0xa97f | 0xac00..=0xd7a3 | 0xd7b0..=0xd7ff // Hangul
        | 0x3041..=0x30ff | 0x31f0..=0x31ff // Kana
        | 0x3400..=0x4dbf | 0x4e00..=0x9fff | 0xf900..=0xfaff | 0x20000..=0x3ffff) // Han
}

/// A text as it is given to the index.
pub(super) fn indexed(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    let mut run: Option<char> = None;
    for c in text.nfc() {
        match (run, is_paired(c)) {
            (None, true) => {
                out.push(' ');
                run = Some(c);
            }
            (Some(before), true) => {
                out.push(before);
                out.push(c);
                out.push(' ');
                run = Some(c);
            }
            (Some(before), false) => {
                out.push(before);
                out.push(' ');
                out.push(c);
                run = None;
            }
            (None, false) => out.push(c),
        }
    }
    out.extend(run);
    out
}

/// A text as a phrase that the index finds: the same pairs, without the last single character of a run at the end. `None`
/// if there is nothing in it to be found.
///
/// The last word of the phrase is a prefix where nothing says that it is complete: one syllable, or letters.
pub(super) fn phrase(text: &str) -> Option<String> {
    let mut tokens = indexed(text);
    let text: String = text.nfc().collect();
    let mut ending = text.trim_end_matches(|c: char| !c.is_alphanumeric()).chars().rev();
    let (last, before) = (ending.next()?, ending.next());
    let closed = is_paired(last) && before.is_some_and(is_paired);
    if closed {
        // The run at the end is `… 나다 다`: the single one would ask that the text end there.
        let end = tokens.rfind(last)?;
        tokens.truncate(end);
    }
    let open = if closed || ends_with_space(&text, last) {
        ""
    } else {
        "*"
    };
    let tokens = tokens.replace('"', " ");
    let tokens: Vec<&str> = tokens.split_whitespace().collect();
    Some(format!("\"{}\"{open}", tokens.join(" ")))
}

/// Whether white space after the last word says that the word is complete; a single syllable never is.
fn ends_with_space(text: &str, last: char) -> bool {
    !is_paired(last) && text.ends_with(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_become_pairs() {
        for (text, expected) in [
            ("파드", " 파드 드"),
            ("가나다", " 가나 나다 다"),
            ("파", " 파"),
            ("Pod는 노드에", "Pod 는   노드 드에 에"),
            ("kube-api", "kube-api"),
            ("", ""),
            ("\u{1111}\u{1161}\u{1103}\u{1173}", " 파드 드"), // NFD
        ] {
            assert_eq!(indexed(text), expected, "{text}");
        }
    }

    #[test]
    fn queries_become_phrases() {
        for (text, expected) in [
            ("파드", Some("\"파드\"")),
            ("드는 노드", Some("\"드는 는 노드\"")),
            ("파", Some("\"파\"*")),
            ("Pod 는", Some("\"Pod 는\"*")),
            ("kubel", Some("\"kubel\"*")),
            ("kubelet ", Some("\"kubelet\"")),
            ("say \"hi\"", Some("\"say hi\"*")),
            ("...", None),
            ("", None),
        ] {
            assert_eq!(phrase(text).as_deref(), expected, "{text}");
        }
    }
}
