//! Hangul letter by letter.

/// A letter of a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Letter {
    /// A letter as it stands alone (`ㅍ`), or the character itself if it is no Hangul.
    pub letter: char,
    /// Whether it begins its syllable; what is no Hangul does.
    pub initial: bool,
}

const INITIALS: [char; 19] = [
    'ㄱ', 'ㄲ', 'ㄴ', 'ㄷ', 'ㄸ', 'ㄹ', 'ㅁ', 'ㅂ', 'ㅃ', 'ㅅ', 'ㅆ', 'ㅇ', 'ㅈ', 'ㅉ', 'ㅊ', 'ㅋ', 'ㅌ', 'ㅍ', 'ㅎ',
];
const VOWELS: [&str; 21] = [
    "ㅏ", "ㅐ", "ㅑ", "ㅒ", "ㅓ", "ㅔ", "ㅕ", "ㅖ", "ㅗ", "ㅗㅏ", "ㅗㅐ", "ㅗㅣ", "ㅛ", "ㅜ", "ㅜㅓ", "ㅜㅔ", "ㅜㅣ",
    "ㅠ", "ㅡ", "ㅡㅣ", "ㅣ",
];
const FINALS: [&str; 28] = [
    "", "ㄱ", "ㄲ", "ㄱㅅ", "ㄴ", "ㄴㅈ", "ㄴㅎ", "ㄷ", "ㄹ", "ㄹㄱ", "ㄹㅁ", "ㄹㅂ", "ㄹㅅ", "ㄹㅌ", "ㄹㅍ", "ㄹㅎ",
    "ㅁ", "ㅂ", "ㅂㅅ", "ㅅ", "ㅆ", "ㅇ", "ㅈ", "ㅊ", "ㅋ", "ㅌ", "ㅍ", "ㅎ",
];
/// Letters that are keyed as two, as they stand alone.
const COMPOUND: [(char, &str); 18] = [
    ('ㄳ', "ㄱㅅ"),
    ('ㄵ', "ㄴㅈ"),
    ('ㄶ', "ㄴㅎ"),
    ('ㄺ', "ㄹㄱ"),
    ('ㄻ', "ㄹㅁ"),
    ('ㄼ', "ㄹㅂ"),
    ('ㄽ', "ㄹㅅ"),
    ('ㄾ', "ㄹㅌ"),
    ('ㄿ', "ㄹㅍ"),
    ('ㅀ', "ㄹㅎ"),
    ('ㅄ', "ㅂㅅ"),
    ('ㅘ', "ㅗㅏ"),
    ('ㅙ', "ㅗㅐ"),
    ('ㅚ', "ㅗㅣ"),
    ('ㅝ', "ㅜㅓ"),
    ('ㅞ', "ㅜㅔ"),
    ('ㅟ', "ㅜㅣ"),
    ('ㅢ', "ㅡㅣ"),
];

/// Gives the letters of a character in the order in which they are typed; letters that are keyed as two (`ㅘ`, `ㄳ`) as two.
pub(crate) fn letters(c: char, give: &mut impl FnMut(Letter)) {
    let rest = |letter: char| Letter { letter, initial: false };
    let first = |letter: char| Letter { letter, initial: true };
    if !is_syllable(c) {
        match COMPOUND.iter().find(|(compound, _)| *compound == c) {
            Some((_, parts)) => parts.chars().for_each(|part| give(first(part))),
            None => give(first(c)),
        }
        return;
    }
    let index = (u32::from(c) - 0xAC00) as usize;
    give(first(INITIALS[index / 588]));
    VOWELS[index % 588 / 28].chars().for_each(|letter| give(rest(letter)));
    FINALS[index % 28].chars().for_each(|letter| give(rest(letter)));
}

/// Whether a character is a syllable.
pub(crate) fn is_syllable(c: char) -> bool {
    ('가'..='힣').contains(&c)
}

/// Whether a character is a consonant that stands alone.
pub(crate) fn is_consonant(c: char) -> bool {
    ('ㄱ'..='ㅎ').contains(&c)
}

/// Whether a character is a vowel that stands alone.
pub(crate) fn is_vowel(c: char) -> bool {
    ('ㅏ'..='ㅣ').contains(&c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syllables_are_letters() {
        for (text, expected, initials) in [
            ("파드", "ㅍㅏㄷㅡ", "ㅍㄷ"),
            ("값", "ㄱㅏㅂㅅ", "ㄱ"),
            ("왜", "ㅇㅗㅐ", "ㅇ"),
            ("힣", "ㅎㅣㅎ", "ㅎ"),
            ("ㄳa", "ㄱㅅa", "ㄱㅅa"),
        ] {
            let mut found = Vec::new();
            text.chars().for_each(|c| letters(c, &mut |letter| found.push(letter)));
            let all: String = found.iter().map(|letter| letter.letter).collect();
            let first: String = found.iter().filter(|l| l.initial).map(|letter| letter.letter).collect();
            assert_eq!((all.as_str(), first.as_str()), (expected, initials), "{text}");
        }
    }
}
