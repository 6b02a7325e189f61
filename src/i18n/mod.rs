//! The words of the interface in Korean and in English: one table, checked by the compiler to be complete.
//!
//! Kubernetes' own words (phases, reasons, messages, fields) are never translated. A text may have places to fill:
//! `{name}` takes a value; `{name:은/는}` takes a value and, in Korean, the particle that fits its last sound, in English
//! the noun in the singular or the plural (`{n:trial/trials}` gives `1 trial`, `9 trials`).

mod notices;
mod table;
pub mod time;

pub use notices::notice;
pub use table::Text;

/// A language of the interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Lang {
    /// 한국어.
    Ko,
    /// English.
    #[default]
    En,
}

impl Lang {
    /// All languages.
    pub const ALL: [Self; 2] = [Self::Ko, Self::En];

    /// The tag of BCP 47, as in `lang="ko"`.
    pub fn tag(self) -> &'static str {
        match self {
            Self::Ko => "ko",
            Self::En => "en",
        }
    }

    /// What the language calls itself.
    pub fn endonym(self) -> &'static str {
        match self {
            Self::Ko => "한국어",
            Self::En => "English",
        }
    }

    /// The language with this tag.
    pub fn named(tag: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|lang| lang.tag() == tag)
    }

    /// The first language of an `Accept-Language` header that is spoken here; English when there is none.
    ///
    /// Weights (`q`) are obeyed; among equals the first wins.
    pub fn accepted(header: &str) -> Self {
        let mut best: Option<(Self, u32)> = None;
        for item in header.split(',').take(32) {
            let mut parts = item.split(';');
            let tag = parts.next().unwrap_or("").trim();
            let primary = tag.split('-').next().unwrap_or("").to_ascii_lowercase();
            let Some(lang) = Self::named(&primary) else { continue };
            let weight = parts
                .find_map(|part| part.trim().strip_prefix("q="))
                .map_or(1000, thousandths);
            if weight > 0 && best.is_none_or(|(_, other)| weight > other) {
                best = Some((lang, weight));
            }
        }
        best.map_or(Self::En, |(lang, _)| lang)
    }
}

/// A weight such as `0.8` in thousandths.
fn thousandths(text: &str) -> u32 {
    let weight: f64 = text.trim().parse().unwrap_or(0.0);
    (weight.clamp(0.0, 1.0) * 1000.0) as u32
}

/// Fills the places of a text.
pub fn fill(lang: Lang, template: &str, values: &[(&str, String)]) -> String {
    let mut out = String::with_capacity(template.len() + 16);
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        let (before, after) = rest.split_at(open);
        out.push_str(before);
        let Some(close) = after.find('}') else {
            rest = after;
            break;
        };
        let place = &after[1..close];
        rest = &after[close + 1..];
        let (name, choice) = place.split_once(':').unwrap_or((place, ""));
        let value = values
            .iter()
            .find(|(key, _)| *key == name)
            .map_or("", |(_, value)| value.as_str());
        out.push_str(value);
        if let Some((first, second)) = choice.split_once('/') {
            match lang {
                Lang::Ko => out.push_str(particle(value, first, second)),
                Lang::En => {
                    out.push(' ');
                    out.push_str(if value == "1" { first } else { second });
                }
            }
        }
    }
    out.push_str(rest);
    out
}

/// The particle after a word: `with_final` (은, 이, 을, 과, 으로) after a final consonant, `without` otherwise.
///
/// Digits and Latin letters are read as they are commonly said in Korean; `으로/로` also takes 로 after ㄹ.
pub fn particle<'a>(word: &str, with_final: &'a str, without: &'a str) -> &'a str {
    let last = word.chars().rev().find(|c| c.is_alphanumeric());
    let (has_final, is_rieul) = match last {
        Some(c @ '가'..='힣') => {
            let final_consonant = (u32::from(c) - u32::from('가')) % 28;
            (final_consonant != 0, final_consonant == 8)
        }
        Some('0' | '3' | '6') => (true, false),
        Some('1' | '7' | '8') => (true, true),
        Some('l' | 'L' | 'r' | 'R') => (true, true),
        Some('m' | 'M' | 'n' | 'N' | 'b' | 'B' | 'p' | 'P' | 'k' | 'K' | 't' | 'T' | 'c' | 'C' | 'g' | 'G') => {
            (true, false)
        }
        _ => (false, false),
    };
    if has_final && !(is_rieul && with_final == "으로") {
        with_final
    } else {
        without
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn particles_follow_the_last_sound() {
        for (word, with, without, expected) in [
            ("파드", "은", "는", "는"),
            ("노트", "을", "를", "를"),
            ("시행", "이", "가", "이"),
            ("서울", "으로", "로", "로"),
            ("부산", "으로", "로", "으로"),
            ("시행 3", "을", "를", "을"),
            ("시행 2", "을", "를", "를"),
            ("Job", "은", "는", "은"),
            ("Service", "은", "는", "는"),
            ("“완두콩”", "이", "가", "이"),
            ("", "이", "가", "가"),
        ] {
            assert_eq!(particle(word, with, without), expected, "{word}");
        }
    }

    #[test]
    fn places_are_filled() {
        let values = [("n", "1".to_owned()), ("name", "파드".to_owned())];
        assert_eq!(fill(Lang::En, "{n:trial/trials} of {name}", &values), "1 trial of 파드");
        assert_eq!(
            fill(Lang::Ko, "{name:을/를} 찾았다 {missing}.", &values),
            "파드를 찾았다 ."
        );
        assert_eq!(fill(Lang::Ko, "open {", &values), "open {");
    }

    #[test]
    fn the_readers_language_is_taken_from_the_header() {
        for (header, lang) in [
            ("ko-KR,ko;q=0.9,en;q=0.8", Lang::Ko),
            ("en-US,en;q=0.9,ko;q=0.8", Lang::En),
            ("de,ko;q=0.5", Lang::Ko),
            ("ja", Lang::En),
            ("", Lang::En),
            ("ko;q=0", Lang::En),
            ("ko;q=x,,;;", Lang::En),
        ] {
            assert_eq!(Lang::accepted(header), lang, "{header}");
        }
    }

    #[test]
    fn every_text_has_the_same_places_in_both_languages() {
        let places = |text: &str| {
            let mut names: Vec<_> = text
                .split('{')
                .skip(1)
                .filter_map(|part| part.split_once('}'))
                .map(|(place, _)| place.split(':').next().unwrap_or("").to_owned())
                .collect();
            names.sort();
            names
        };
        for text in Text::ALL {
            assert!(
                !text.say(Lang::Ko).is_empty() && !text.say(Lang::En).is_empty(),
                "{text:?}"
            );
            assert_eq!(places(text.say(Lang::Ko)), places(text.say(Lang::En)), "{text:?}");
        }
    }
}
