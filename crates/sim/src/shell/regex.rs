//! POSIX regular expressions, basic and extended, for `grep`, `sed`, `awk` and `expr`. A backtracking matcher with a bound
//! on its steps: a hostile expression gives up instead of taking the host's time.

/// Steps of one search before it is given up as no match.
const MAX_STEPS: u32 = 200_000;
/// Nested groups at most.
const MAX_DEPTH: u32 = 60;
/// Repetitions that `{n,m}` may ask for.
const MAX_REPEAT: u32 = 255;

/// A compiled expression.
#[derive(Clone, Debug)]
pub struct Regex {
    root: Node,
    groups: usize,
    ignore_case: bool,
}

#[derive(Clone, Debug)]
enum Node {
    Empty,
    Char(char),
    Any,
    Set { negated: bool, ranges: Vec<(char, char)> },
    Start,
    End,
    WordEdge { start: bool, end: bool, negated: bool },
    Group(Box<Node>, usize),
    Back(usize),
    Repeat { node: Box<Node>, least: u32, most: u32 },
    Sequence(Vec<Node>),
    Choice(Vec<Node>),
}

/// Where groups matched: byte offsets, the whole match first.
pub type Captures = Vec<Option<(usize, usize)>>;

impl Regex {
    /// Compiles an expression; `extended` for `grep -E`, `sed -E`, `awk`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(text: &str, extended: bool) -> Result<Self, &'static str> {
        let chars: Vec<char> = text.chars().collect();
        let mut parser = Parser {
            chars: &chars,
            at: 0,
            extended,
            groups: 0,
            depth: 0,
        };
        let root = parser.choice()?;
        if parser.at < chars.len() {
            return Err("Unmatched ( or \\(");
        }
        Ok(Self {
            root,
            groups: parser.groups,
            ignore_case: false,
        })
    }

    /// An expression that is plain text.
    pub fn fixed(text: &str) -> Self {
        Self {
            root: Node::Sequence(text.chars().map(Node::Char).collect()),
            groups: 0,
            ignore_case: false,
        }
    }

    /// Makes letters match in both cases.
    #[must_use]
    pub fn ignoring_case(mut self, ignore_case: bool) -> Self {
        self.ignore_case = ignore_case;
        self
    }

    /// The first match at or after a byte offset.
    pub fn find(&self, text: &str, from: usize) -> Option<Captures> {
        let mut matcher = Matcher {
            text,
            groups: vec![None; self.groups + 1],
            steps: 0,
            ignore_case: self.ignore_case,
        };
        let starts = text
            .get(from..)?
            .char_indices()
            .map(|(at, _)| from + at)
            .chain([text.len()]);
        for start in starts {
            matcher.groups.iter_mut().for_each(|group| *group = None);
            let mut longest: Option<(usize, Captures)> = None;
            // POSIX wants the longest match; only a choice makes that differ from the first one that is found.
            let has_choice = self.root.has_choice();
            matcher.run(&[&self.root], start, &mut |groups, end| {
                if longest.as_ref().is_none_or(|(own, _)| end > *own) {
                    longest = Some((end, groups.to_vec()));
                }
                !has_choice
            });
            if let Some((end, mut groups)) = longest {
                groups[0] = Some((start, end));
                return Some(groups);
            }
            if matcher.steps > MAX_STEPS {
                return None;
            }
        }
        None
    }

    /// Whether the text has a match.
    pub fn is_match(&self, text: &str) -> bool {
        self.find(text, 0).is_some()
    }
}

impl Node {
    fn has_choice(&self) -> bool {
        match self {
            Self::Choice(_) => true,
            Self::Group(node, _) | Self::Repeat { node, .. } => node.has_choice(),
            Self::Sequence(nodes) => nodes.iter().any(Self::has_choice),
            _ => false,
        }
    }
}

struct Parser<'a> {
    chars: &'a [char],
    at: usize,
    extended: bool,
    groups: usize,
    depth: u32,
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn peek_at(&self, offset: usize) -> Option<char> {
        self.chars.get(self.at + offset).copied()
    }

    /// Whether an operator stands here: plain in extended expressions, after a backslash in basic ones.
    fn operator(&self, c: char) -> bool {
        if self.extended {
            self.peek() == Some(c)
        } else {
            self.peek() == Some('\\') && self.peek_at(1) == Some(c)
        }
    }

    fn take(&mut self, c: char) -> bool {
        let taken = self.operator(c);
        if taken {
            self.at += if self.extended { 1 } else { 2 };
        }
        taken
    }

    fn choice(&mut self) -> Result<Node, &'static str> {
        let mut branches = vec![self.sequence()?];
        while self.take('|') {
            branches.push(self.sequence()?);
        }
        Ok(if branches.len() == 1 {
            branches.remove(0)
        } else {
            Node::Choice(branches)
        })
    }

    fn sequence(&mut self) -> Result<Node, &'static str> {
        let mut nodes: Vec<Node> = Vec::new();
        while self.peek().is_some() {
            if self.operator('|') || self.operator(')') && self.depth > 0 {
                break;
            }
            let node = self.atom(nodes.is_empty())?;
            let node = self.repeated(node)?;
            nodes.push(node);
        }
        Ok(match nodes.len() {
            0 => Node::Empty,
            1 => nodes.remove(0),
            _ => Node::Sequence(nodes),
        })
    }

    fn repeated(&mut self, mut node: Node) -> Result<Node, &'static str> {
        if matches!(node, Node::Start) && !self.extended {
            return Ok(node);
        }
        loop {
            let (least, most) = match self.peek() {
                Some('*') => {
                    self.at += 1;
                    (0, u32::MAX)
                }
                _ if self.take('+') => (1, u32::MAX),
                _ if self.take('?') => (0, 1),
                _ if self.operator('{') => {
                    self.take('{');
                    let least = self.number().unwrap_or(0);
                    let most = if self.peek() == Some(',') {
                        self.at += 1;
                        self.number().unwrap_or(u32::MAX)
                    } else {
                        least
                    };
                    if !self.take('}') {
                        return Err("Unmatched { or \\{");
                    }
                    if least > MAX_REPEAT || most != u32::MAX && (most > MAX_REPEAT || most < least) {
                        return Err("Invalid content of \\{\\}");
                    }
                    (least, most)
                }
                _ => return Ok(node),
            };
            node = Node::Repeat {
                node: Box::new(node),
                least,
                most,
            };
        }
    }

    fn number(&mut self) -> Option<u32> {
        let start = self.at;
        let mut value = 0u32;
        while let Some(digit) = self.peek().and_then(|c| c.to_digit(10)) {
            value = value.saturating_mul(10).saturating_add(digit);
            self.at += 1;
        }
        (self.at > start).then_some(value)
    }

    fn atom(&mut self, first: bool) -> Result<Node, &'static str> {
        if self.operator('(') {
            self.take('(');
            self.depth += 1;
            if self.depth > MAX_DEPTH {
                return Err("Regular expression too big");
            }
            self.groups += 1;
            let index = self.groups;
            let inner = self.choice()?;
            if !self.take(')') {
                return Err("Unmatched ( or \\(");
            }
            self.depth -= 1;
            return Ok(Node::Group(Box::new(inner), index));
        }
        let Some(c) = self.peek() else { return Ok(Node::Empty) };
        self.at += 1;
        Ok(match c {
            '.' => Node::Any,
            '[' => self.set()?,
            '^' if self.extended || first => Node::Start,
            '$' if self.extended || self.peek().is_none() || self.operator('|') || self.operator(')') => Node::End,
            '*' if first => Node::Char('*'),
            '*' | '+' | '?' if self.extended && first => Node::Char(c),
            '\\' => {
                let Some(next) = self.peek() else {
                    return Err("Trailing backslash");
                };
                self.at += 1;
                match next {
                    'n' => Node::Char('\n'),
                    't' => Node::Char('\t'),
                    'w' | 'W' => Node::Set {
                        negated: next == 'W',
                        ranges: vec![('a', 'z'), ('A', 'Z'), ('0', '9'), ('_', '_')],
                    },
                    's' | 'S' => Node::Set {
                        negated: next == 'S',
                        ranges: vec![(' ', ' '), ('\t', '\r')],
                    },
                    'd' if self.extended => Node::Set {
                        negated: false,
                        ranges: vec![('0', '9')],
                    },
                    'b' => Node::WordEdge {
                        start: true,
                        end: true,
                        negated: false,
                    },
                    'B' => Node::WordEdge {
                        start: true,
                        end: true,
                        negated: true,
                    },
                    '<' => Node::WordEdge {
                        start: true,
                        end: false,
                        negated: false,
                    },
                    '>' => Node::WordEdge {
                        start: false,
                        end: true,
                        negated: false,
                    },
                    '1'..='9' => Node::Back(next as usize - '0' as usize),
                    next => Node::Char(next),
                }
            }
            c => Node::Char(c),
        })
    }

    fn set(&mut self) -> Result<Node, &'static str> {
        const OPEN: &str = "Unmatched [, [^, [:, [., or [=";
        let negated = self.peek() == Some('^');
        self.at += usize::from(negated);
        let mut ranges = Vec::new();
        let start = self.at;
        loop {
            let Some(c) = self.peek() else { return Err(OPEN) };
            if c == ']' && self.at > start {
                self.at += 1;
                return Ok(Node::Set { negated, ranges });
            }
            if c == '[' && self.peek_at(1) == Some(':') {
                let rest = &self.chars[self.at + 2..];
                let Some(end) = rest.windows(2).position(|pair| pair == [':', ']']) else {
                    return Err(OPEN);
                };
                let name: String = rest[..end].iter().collect();
                ranges.extend(super::pattern::named_ranges(&name).ok_or("Invalid character class name")?);
                self.at += end + 4;
                continue;
            }
            self.at += 1;
            let mut low = c;
            // Inside brackets a backslash is itself, but what follows it in scripts of our time is meant as in C.
            if c == '\\'
                && let Some(next @ ('n' | 't' | '\\' | ']' | '/')) = self.peek()
            {
                self.at += 1;
                low = match next {
                    'n' => '\n',
                    't' => '\t',
                    next => next,
                };
            }
            if self.peek() == Some('-')
                && let Some(high) = self.peek_at(1)
                && high != ']'
            {
                self.at += 2;
                ranges.push((low, high));
            } else {
                ranges.push((low, low));
            }
        }
    }
}

struct Matcher<'a> {
    text: &'a str,
    groups: Captures,
    steps: u32,
    ignore_case: bool,
}

/// Called with the groups and the end of each match that is found; true to stop looking.
type Found<'f> = dyn FnMut(&[Option<(usize, usize)>], usize) -> bool + 'f;

impl Matcher<'_> {
    /// Matches nodes one after the other from `at`; true when the search is over.
    fn run(&mut self, nodes: &[&Node], at: usize, found: &mut Found<'_>) -> bool {
        self.run_depth(nodes, at, found, 0)
    }

    fn run_depth(&mut self, nodes: &[&Node], mut at: usize, found: &mut Found<'_>, depth: u32) -> bool {
        let mut nodes = nodes;
        loop {
            self.steps += 1;
            if self.steps > MAX_STEPS || depth > 600 {
                return true;
            }
            let Some((node, rest)) = nodes.split_first() else {
                return found(&self.groups, at);
            };
            match node {
                Node::Empty => {}
                Node::Char(_) | Node::Any | Node::Set { .. } => match self.one(node, at) {
                    Some(next) => at = next,
                    None => return false,
                },
                Node::Start if at == 0 => {}
                Node::End if at == self.text.len() => {}
                Node::Start | Node::End => return false,
                Node::WordEdge { start, end, negated } => {
                    let word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
                    let before = word(self.text[..at].chars().next_back());
                    let after = word(self.text[at..].chars().next());
                    let edge = *start && !before && after || *end && before && !after;
                    if edge == *negated {
                        return false;
                    }
                }
                Node::Back(index) => {
                    let own = self
                        .groups
                        .get(*index)
                        .copied()
                        .flatten()
                        .map_or("", |(from, to)| &self.text[from..to]);
                    if !self.text[at..].starts_with(own) {
                        return false;
                    }
                    at += own.len();
                }
                Node::Sequence(inner) => {
                    let all: Vec<&Node> = inner.iter().chain(rest.iter().copied()).collect();
                    return self.run_depth(&all, at, found, depth + 1);
                }
                Node::Choice(branches) => {
                    for branch in branches {
                        let mut all = vec![branch];
                        all.extend(rest);
                        if self.run_depth(&all, at, found, depth + 1) {
                            return true;
                        }
                    }
                    return false;
                }
                Node::Group(inner, index) => {
                    let (index, old) = (*index, self.groups.get(*index).copied().flatten());
                    let mut ends: Vec<usize> = Vec::new();
                    let mut captures: Vec<Captures> = Vec::new();
                    self.run_depth(
                        &[inner],
                        at,
                        &mut |groups, end| {
                            ends.push(end);
                            captures.push(groups.to_vec());
                            ends.len() > 64
                        },
                        depth + 1,
                    );
                    for (end, groups) in ends.into_iter().zip(captures) {
                        self.groups = groups;
                        if let Some(group) = self.groups.get_mut(index) {
                            *group = Some((at, end));
                        }
                        if self.run_depth(rest, end, found, depth + 1) {
                            return true;
                        }
                    }
                    if let Some(group) = self.groups.get_mut(index) {
                        *group = old;
                    }
                    return false;
                }
                Node::Repeat { node, least, most } => return self.repeat(node, *least, *most, rest, at, found, depth),
            }
            nodes = rest;
        }
    }

    #[allow(clippy::too_many_arguments, reason = "one step of a recursion")]
    fn repeat(
        &mut self,
        node: &Node,
        least: u32,
        most: u32,
        rest: &[&Node],
        at: usize,
        found: &mut Found<'_>,
        depth: u32,
    ) -> bool {
        if matches!(node, Node::Char(_) | Node::Any | Node::Set { .. }) {
            // The common case without recursion: take all, then give back.
            let mut ends = vec![at];
            while (ends.len() as u64) <= u64::from(most) {
                self.steps += 1;
                match ends.last().and_then(|&end| self.one(node, end)) {
                    Some(next) => ends.push(next),
                    None => break,
                }
            }
            while ends.len() as u64 > u64::from(least) {
                let Some(end) = ends.pop() else { break };
                if self.run_depth(rest, end, found, depth + 1) {
                    return true;
                }
            }
            return false;
        }
        let mut ends: Vec<(usize, Captures)> = Vec::new();
        if most > 0 {
            self.run_depth(
                &[node],
                at,
                &mut |groups, end| {
                    ends.push((end, groups.to_vec()));
                    ends.len() > 64
                },
                depth + 1,
            );
        }
        let old = self.groups.clone();
        for (end, groups) in ends {
            // An empty turn would go on for ever.
            if end == at && least == 0 {
                continue;
            }
            self.groups = groups;
            let most = if most == u32::MAX { most } else { most - 1 };
            if self.repeat(node, least.saturating_sub(1), most, rest, end, found, depth + 1) {
                return true;
            }
        }
        self.groups = old;
        least == 0 && self.run_depth(rest, at, found, depth + 1)
    }

    /// The end of one character that matches.
    fn one(&self, node: &Node, at: usize) -> Option<usize> {
        let c = self.text.get(at..)?.chars().next()?;
        let same = |c: char| match node {
            Node::Any => true,
            Node::Char(own) => *own == c,
            Node::Set { ranges, .. } => ranges.iter().any(|&(low, high)| low <= c && c <= high),
            _ => false,
        };
        let mut matched = same(c);
        if !matched && self.ignore_case {
            matched = c.to_lowercase().any(same) || c.to_uppercase().any(same);
        }
        if let Node::Set { negated: true, .. } = node {
            matched = !matched;
        }
        matched.then_some(at + c.len_utf8())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(pattern: &str, extended: bool, text: &str) -> Option<String> {
        let captures = Regex::new(pattern, extended).expect(pattern).find(text, 0)?;
        let (from, to) = captures[0]?;
        Some(text[from..to].to_owned())
    }

    #[test]
    fn basic_and_extended_expressions_match() {
        for (pattern, extended, text, expected) in [
            ("a.c", false, "xabcx", Some("abc")),
            ("a*", false, "aaab", Some("aaa")),
            ("^ab$", false, "ab", Some("ab")),
            ("a+", false, "a+", Some("a+")),
            ("a+", true, "caab", Some("aa")),
            ("a\\+", false, "caab", Some("aa")),
            ("(ab|a)(c|bcd)", true, "abcd", Some("abcd")),
            ("[0-9]{3}", true, "a1234", Some("123")),
            ("[[:upper:]]+", true, "abCDe", Some("CD")),
            ("\\(a\\)\\1", false, "xaa", Some("aa")),
            ("x|y", true, "ay", Some("y")),
            ("(a|b)*c", true, "ababc", Some("ababc")),
            ("^$", true, "", Some("")),
            ("\\.", true, "a.b", Some(".")),
            ("[^,]*", true, "ab,c", Some("ab")),
            ("\\bfoo\\b", true, "a foo b", Some("foo")),
            ("nope", true, "text", None),
            ("한.", true, "대한민국", Some("한민")),
            ("a{2,}", true, "aaaa", Some("aaaa")),
            ("(foo|foobar)", true, "foobar", Some("foobar")),
        ] {
            assert_eq!(
                find(pattern, extended, text).as_deref(),
                expected,
                "{pattern} in {text}"
            );
        }
    }

    #[test]
    fn hostile_expressions_give_up() {
        let regex = Regex::new("(a*)*b", true).expect("valid");
        assert!(!regex.is_match(&"a".repeat(200)));
        assert!(Regex::new(&"(".repeat(10_000), true).is_err());
        for broken in ["(", "[a", "a{2", "\\"] {
            assert!(Regex::new(broken, true).is_err(), "{broken}");
        }
    }
}
