//! Shell patterns: `*`, `?`, `[…]`, with quoted characters that stand for themselves.

/// A pattern, ready to match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pattern {
    items: Vec<Item>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Item {
    Char(char),
    Any,
    Star,
    Class { negated: bool, ranges: Vec<(char, char)> },
}

impl Pattern {
    /// The pattern of characters of which each is quoted or not.
    pub fn new(chars: &[(char, bool)]) -> Self {
        let mut items = Vec::new();
        let mut at = 0;
        while let Some(&(c, quoted)) = chars.get(at) {
            at += 1;
            items.push(match c {
                _ if quoted => Item::Char(c),
                '*' => {
                    if items.last() == Some(&Item::Star) {
                        continue;
                    }
                    Item::Star
                }
                '?' => Item::Any,
                '[' => match class(&chars[at..]) {
                    Some((item, length)) => {
                        at += length;
                        item
                    }
                    None => Item::Char('['),
                },
                '\\' if at < chars.len() => {
                    at += 1;
                    Item::Char(chars[at - 1].0)
                }
                c => Item::Char(c),
            });
        }
        Self { items }
    }

    /// The pattern of plain text, as `find -name` takes it.
    pub fn of(text: &str) -> Self {
        Self::new(&text.chars().map(|c| (c, false)).collect::<Vec<_>>())
    }

    /// Whether it holds anything but ordinary characters.
    pub fn is_special(&self) -> bool {
        self.items.iter().any(|item| !matches!(item, Item::Char(_)))
    }

    /// Whether it begins with a literal dot.
    pub fn begins_with_dot(&self) -> bool {
        self.items.first() == Some(&Item::Char('.'))
    }

    /// Whether the whole text matches.
    pub fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        self.matches_chars(&text)
    }

    fn matches_chars(&self, text: &[char]) -> bool {
        // Greedy with one point to return to: the last star. Linear in practice, quadratic at worst.
        let (mut item, mut at) = (0, 0);
        let mut retry: Option<(usize, usize)> = None;
        loop {
            let matched = match (self.items.get(item), text.get(at)) {
                (None, None) => return true,
                (Some(Item::Star), _) => {
                    retry = Some((item + 1, at));
                    item += 1;
                    continue;
                }
                (Some(pattern), Some(&c)) => pattern.matches(c),
                _ => false,
            };
            if matched {
                item += 1;
                at += 1;
            } else {
                match retry {
                    Some((next, from)) if from < text.len() => {
                        retry = Some((next, from + 1));
                        item = next;
                        at = from + 1;
                    }
                    _ => return false,
                }
            }
        }
    }

    /// Tells of each number of characters from the beginning that match, in order (with `backwards`: from the end), until
    /// it is told to stop. All possibilities are followed at once, so it is linear in the text.
    fn each_match(&self, text: impl Iterator<Item = char>, backwards: bool, mut hit: impl FnMut(usize) -> bool) {
        let count = self.items.len();
        let item = |index: usize| &self.items[if backwards { count - 1 - index } else { index }];
        let reach = |states: &mut Vec<bool>| {
            for index in 0..count {
                if states[index] && *item(index) == Item::Star {
                    states[index + 1] = true;
                }
            }
        };
        let mut states = vec![false; count + 1];
        states[0] = true;
        reach(&mut states);
        if states[count] && hit(0) {
            return;
        }
        for (taken, c) in text.enumerate() {
            let mut next = vec![false; count + 1];
            for index in (0..count).filter(|&index| states[index]) {
                match item(index) {
                    Item::Star => next[index] = true,
                    item if item.matches(c) => next[index + 1] = true,
                    _ => {}
                }
            }
            reach(&mut next);
            states = next;
            if states[count] && hit(taken + 1) || states.iter().all(|state| !state) {
                return;
            }
        }
    }

    /// The text without its shortest or longest matching beginning or end.
    pub fn trim<'a>(&self, text: &'a str, suffix: bool, longest: bool) -> &'a str {
        let mut found = None;
        let hit = |count: usize| {
            found = Some(count);
            !longest
        };
        if suffix {
            self.each_match(text.chars().rev(), true, hit);
            let bytes: usize = text.chars().rev().take(found.unwrap_or(0)).map(char::len_utf8).sum();
            &text[..text.len() - bytes]
        } else {
            self.each_match(text.chars(), false, hit);
            let bytes: usize = text.chars().take(found.unwrap_or(0)).map(char::len_utf8).sum();
            &text[bytes..]
        }
    }

    /// The text with its first or all longest matches replaced; `None` when that takes more than [`MAX_WORK`] steps or gives
    /// more than [`MAX_TEXT`] bytes.
    pub fn replace(&self, text: &str, with: &str, all: bool) -> Option<String> {
        let chars: Vec<char> = text.chars().collect();
        let mut result = String::new();
        let (mut at, mut work) = (0, 0);
        while at < chars.len() {
            let mut end = None;
            self.each_match(chars[at..].iter().copied().inspect(|_| work += 1), false, |count| {
                end = (count > 0).then_some(at + count).or(end);
                false
            });
            if work > MAX_WORK || result.len() > MAX_TEXT {
                return None;
            }
            match end {
                Some(end) => {
                    result.push_str(with);
                    at = end;
                    if !all {
                        break;
                    }
                }
                None => {
                    result.push(chars[at]);
                    at += 1;
                }
            }
        }
        result.extend(&chars[at..]);
        Some(result)
    }
}

/// Characters that one replacement may look at.
pub const MAX_WORK: usize = 5_000_000;

/// Bytes that one replacement may give.
pub const MAX_TEXT: usize = 32 << 20;

impl Item {
    fn matches(&self, c: char) -> bool {
        match self {
            Self::Char(own) => *own == c,
            Self::Any => true,
            Self::Star => false,
            Self::Class { negated, ranges } => ranges.iter().any(|&(low, high)| low <= c && c <= high) != *negated,
        }
    }
}

/// The class after a `[`, and how many characters it takes.
fn class(chars: &[(char, bool)]) -> Option<(Item, usize)> {
    let mut at = 0;
    let negated = matches!(chars.first(), Some(('!' | '^', false)));
    at += usize::from(negated);
    let mut ranges = Vec::new();
    let start = at;
    loop {
        let &(c, quoted) = chars.get(at)?;
        if c == ']' && !quoted && at > start {
            return Some((Item::Class { negated, ranges }, at + 1));
        }
        if c == '/' {
            return None;
        }
        if c == '['
            && !quoted
            && chars.get(at + 1) == Some(&(':', false))
            && let Some((name, length)) = named_class(&chars[at + 2..])
        {
            ranges.extend(named_ranges(&name)?);
            at += 2 + length;
            continue;
        }
        if let (Some(('-', false)), Some(&(high, high_quoted))) = (chars.get(at + 1), chars.get(at + 2))
            && (high != ']' || high_quoted)
        {
            ranges.push((c, high));
            at += 3;
            continue;
        }
        ranges.push((c, c));
        at += 1;
    }
}

fn named_class(chars: &[(char, bool)]) -> Option<(String, usize)> {
    let end = chars.windows(2).position(|pair| pair[0].0 == ':' && pair[1].0 == ']')?;
    Some((chars[..end].iter().map(|&(c, _)| c).collect(), end + 2))
}

/// The characters of `[:name:]`.
pub(super) fn named_ranges(name: &str) -> Option<Vec<(char, char)>> {
    Some(match name {
        "alnum" => vec![('0', '9'), ('A', 'Z'), ('a', 'z')],
        "alpha" => vec![('A', 'Z'), ('a', 'z')],
        "blank" => vec![(' ', ' '), ('\t', '\t')],
        "cntrl" => vec![('\0', '\x1f'), ('\x7f', '\x7f')],
        "digit" => vec![('0', '9')],
        "graph" => vec![('!', '~')],
        "lower" => vec![('a', 'z')],
        "print" => vec![(' ', '~')],
        "punct" => vec![('!', '/'), (':', '@'), ('[', '`'), ('{', '~')],
        "space" => vec![(' ', ' '), ('\t', '\r')],
        "upper" => vec![('A', 'Z')],
        "xdigit" => vec![('0', '9'), ('A', 'F'), ('a', 'f')],
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_texts() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "abbcd", false),
            ("?", "한", true),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[]x]", "]", true),
            ("[", "[", true),
            ("[[:digit:]]*", "7up", true),
            ("\\*", "*", true),
            ("\\*", "x", false),
            ("*a*b*", "xxaxxbxx", true),
        ] {
            assert_eq!(Pattern::of(pattern).matches(text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn quoted_characters_stand_for_themselves() {
        assert!(!Pattern::new(&[('*', true)]).matches("x"));
        assert!(Pattern::new(&[('*', true)]).matches("*"));
    }

    #[test]
    fn trimming_takes_the_shortest_or_longest_match() {
        let pattern = Pattern::of("/*");
        assert_eq!(pattern.trim("/a/b", true, false), "/a");
        assert_eq!(pattern.trim("/a/b", true, true), "");
        let pattern = Pattern::of("*/");
        assert_eq!(pattern.trim("a/b/c", false, false), "b/c");
        assert_eq!(pattern.trim("a/b/c", false, true), "c");
    }

    #[test]
    fn replacing_takes_the_first_or_all_matches() {
        assert_eq!(
            Pattern::of("o").replace("foo boo", "0", false).as_deref(),
            Some("f0o boo")
        );
        assert_eq!(Pattern::of("o*").replace("foo", "x", true).as_deref(), Some("fx"));
    }
}
