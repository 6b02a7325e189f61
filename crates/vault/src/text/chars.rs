//! Classes of characters: punctuation, CJK and Hangul.

/// Unicode punctuation in CommonMark's sense (general categories P* and S*).
///
/// Beyond ASCII the blocks that hold them are listed; letters and digits within these blocks are excluded.
pub(crate) fn is_punctuation(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_punctuation();
    }
    if c.is_alphanumeric() || c.is_whitespace() || c.is_control() {
        return false;
    }
    matches!(u32::from(c),
        0xA1..=0xAC | 0xAE..=0xBF | 0xD7 | 0xF7
        | 0x2010..=0x2027 | 0x2030..=0x205E | 0x207A..=0x207E | 0x208A..=0x208E | 0x20A0..=0x20CF
        | 0x2100..=0x2BFF | 0x2E00..=0x2E7F | 0x2E80..=0x2FDF | 0x2FF0..=0x2FFF
        | 0x3001..=0x3029 | 0x3030..=0x303F | 0x309B..=0x309C | 0x30A0 | 0x30FB
        | 0x3200..=0x33FF | 0x4DC0..=0x4DFF | 0xA960..=0xA97F
        | 0xFE10..=0xFE19 | 0xFE30..=0xFE6F | 0xFF01..=0xFFEF
        | 0x1F000..=0x1FAFF)
}

/// Whether a character is Hangul or has East Asian Width W, F or H and is not an emoji by default: what the amendment for
/// emphasis beside CJK text calls a CJK character.
pub(crate) fn is_cjk(c: char) -> bool {
    matches!(u32::from(c),
        0x1100..=0x11FF // Hangul Jamo
        | 0x20A9 // won sign, halfwidth
        | 0x2329..=0x232A
        | 0x2630..=0x2637 | 0x268A..=0x268F
        | 0x2E80..=0x2FDF | 0x2FF0..=0x303E
        | 0x3041..=0x33FF // Kana, Bopomofo, Hangul compatibility Jamo, CJK symbols
        | 0x3400..=0x4DFF | 0x4E00..=0x9FFF
        | 0xA000..=0xA4CF
        | 0xA960..=0xA97F // Hangul Jamo Extended-A
        | 0xAC00..=0xD7FB // Hangul syllables, Jamo Extended-B
        | 0xF900..=0xFAFF
        | 0xFE10..=0xFE19 | 0xFE30..=0xFE6F
        | 0xFF01..=0xFFBE | 0xFFC2..=0xFFDC | 0xFFE0..=0xFFEE
        | 0x16FE0..=0x18DFF | 0x1AFF0..=0x1B2FF
        | 0x1D300..=0x1D37F | 0x1F200 | 0x1F202 | 0x1F210..=0x1F219 | 0x1F21B..=0x1F22E
        | 0x1F230..=0x1F231 | 0x1F237 | 0x1F23B | 0x1F240..=0x1F248 | 0x1F260..=0x1F265
        | 0x20000..=0x3FFFD)
}

/// Whether a character may stand in a tag.
pub(crate) fn is_tag_char(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '/');
    }
    !c.is_whitespace() && !c.is_control() && !matches!(u32::from(c), 0x2000..=0x206F | 0x2E00..=0x2E7F)
}

/// Whether a character is Hangul.
pub(crate) fn is_hangul(c: char) -> bool {
    matches!(u32::from(c), 0x1100..=0x11FF | 0x3130..=0x318F | 0xA960..=0xA97F | 0xAC00..=0xD7FF | 0xFFA0..=0xFFDC)
}
