//! Letters of mathematical alphabets: MathML Core has no fonts, Unicode has the letters.

use pulldown_latex::event::Font;

/// A letter or digit in a font; other characters, and letters that the font has not, stay as they are.
pub(super) fn in_font(c: char, font: Option<Font>) -> char {
    let Some(font) = font else { return c };
    // Where the alphabet's `A`, `a` and `0` are.
    let (upper, lower, digits) = match font {
        Font::Bold | Font::BoldSymbol => (0x1D400, 0x1D41A, Some(0x1D7CE)),
        Font::BoldItalic => (0x1D468, 0x1D482, None),
        Font::Script => (0x1D49C, 0x1D4B6, None),
        Font::BoldScript => (0x1D4D0, 0x1D4EA, None),
        Font::Fraktur => (0x1D504, 0x1D51E, None),
        Font::BoldFraktur => (0x1D56C, 0x1D586, None),
        Font::DoubleStruck => (0x1D538, 0x1D552, Some(0x1D7D8)),
        Font::SansSerif => (0x1D5A0, 0x1D5BA, Some(0x1D7E2)),
        Font::BoldSansSerif => (0x1D5D4, 0x1D5EE, Some(0x1D7EC)),
        Font::SansSerifItalic => (0x1D608, 0x1D622, None),
        Font::SansSerifBoldItalic => (0x1D63C, 0x1D656, None),
        Font::Monospace => (0x1D670, 0x1D68A, Some(0x1D7F6)),
        Font::Italic | Font::UpRight | Font::DoubleStruckItalic => return c,
    };
    if let Some(older) = older_letter(c, font) {
        return older;
    }
    let offset = |base: u32, first: char| char::from_u32(base + (u32::from(c) - u32::from(first))).unwrap_or(c);
    match c {
        'A'..='Z' => offset(upper, 'A'),
        'a'..='z' => offset(lower, 'a'),
        '0'..='9' => digits.map_or(c, |digits| offset(digits, '0')),
        _ => c,
    }
}

/// Letters that Unicode had before the alphabets, at other places.
fn older_letter(c: char, font: Font) -> Option<char> {
    let older: &[(char, char)] = match font {
        Font::DoubleStruck => &[
            ('C', 'ℂ'),
            ('H', 'ℍ'),
            ('N', 'ℕ'),
            ('P', 'ℙ'),
            ('Q', 'ℚ'),
            ('R', 'ℝ'),
            ('Z', 'ℤ'),
        ],
        Font::Script => &[
            ('B', 'ℬ'),
            ('E', 'ℰ'),
            ('F', 'ℱ'),
            ('H', 'ℋ'),
            ('I', 'ℐ'),
            ('L', 'ℒ'),
            ('M', 'ℳ'),
            ('R', 'ℛ'),
            ('e', 'ℯ'),
            ('g', 'ℊ'),
            ('o', 'ℴ'),
        ],
        Font::Fraktur => &[('C', 'ℭ'), ('H', 'ℌ'), ('I', 'ℑ'), ('R', 'ℜ'), ('Z', 'ℨ')],
        _ => &[],
    };
    older.iter().find(|(plain, _)| *plain == c).map(|(_, letter)| *letter)
}
