//! `awk`: from the text of a program to its tokens.

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Number(f64),
    Text(String),
    Regex(String),
    Name(String),
    /// A name directly before `(`.
    Call(String),
    Op(&'static str),
    Newline,
    End,
}

const OPERATORS: &[&str] = &[
    "**=", "&&", "||", "==", "!=", "<=", ">=", "++", "--", "+=", "-=", "*=", "/=", "%=", "^=", "**", ">>", "!~", "{",
    "}", "(", ")", "[", "]", ";", ",", "+", "-", "*", "/", "%", "^", "!", "<", ">", "|", "?", ":", "~", "$", "=",
];

pub(super) const KEYWORDS: &[&str] = &[
    "BEGIN", "END", "function", "func", "if", "else", "while", "for", "do", "break", "continue", "next", "exit",
    "return", "delete", "in", "print", "printf", "getline", "nextfile",
];

/// A text with C's escapes replaced.
pub(in crate::shell::applets) fn unescape(text: &str) -> String {
    let mut result = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            result.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => result.push('\n'),
            Some('t') => result.push('\t'),
            Some('r') => result.push('\r'),
            Some('\\') => result.push('\\'),
            Some('"') => result.push('"'),
            Some('/') => result.push('/'),
            Some('a') => result.push('\x07'),
            Some(digit @ '0'..='7') => {
                let mut value = digit as u32 - '0' as u32;
                let mut rest = chars.clone();
                for _ in 0..2 {
                    if let Some(digit) = rest.next().and_then(|c| c.to_digit(8)) {
                        value = value * 8 + digit;
                        chars.next();
                    } else {
                        break;
                    }
                }
                result.extend(char::from_u32(value));
            }
            Some(other) => {
                result.push('\\');
                result.push(other);
            }
            None => result.push('\\'),
        }
    }
    result
}

pub(super) fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens: Vec<Token> = Vec::new();
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        match c {
            '\n' => {
                tokens.push(Token::Newline);
                at += 1;
            }
            '\\' if chars.get(at + 1) == Some(&'\n') => at += 2,
            c if c.is_whitespace() => at += 1,
            '#' => {
                while chars.get(at).is_some_and(|c| *c != '\n') {
                    at += 1;
                }
            }
            '"' => {
                let start = at + 1;
                at = start;
                while chars.get(at).is_some_and(|c| *c != '"') {
                    at += if chars[at] == '\\' { 2 } else { 1 };
                }
                if at >= chars.len() {
                    return Err("unterminated string".to_owned());
                }
                let raw: String = chars[start..at].iter().collect();
                tokens.push(Token::Text(unescape(&raw)));
                at += 1;
            }
            '/' if regex_may_start(&tokens) => {
                let mut regex = String::new();
                let mut in_set = false;
                at += 1;
                loop {
                    match chars.get(at) {
                        None | Some('\n') => return Err("unterminated regular expression".to_owned()),
                        Some('/') if !in_set => break,
                        Some('\\') if chars.get(at + 1) == Some(&'/') => {
                            regex.push('/');
                            at += 2;
                            continue;
                        }
                        Some('\\') => {
                            regex.push('\\');
                            regex.extend(chars.get(at + 1));
                            at += 2;
                            continue;
                        }
                        Some(&c) => {
                            in_set = c == '[' || in_set && c != ']';
                            regex.push(c);
                        }
                    }
                    at += 1;
                }
                at += 1;
                tokens.push(Token::Regex(regex));
            }
            c if c.is_ascii_digit() || c == '.' && chars.get(at + 1).is_some_and(char::is_ascii_digit) => {
                let start = at;
                while chars.get(at).is_some_and(|c| c.is_ascii_digit() || *c == '.') {
                    at += 1;
                }
                let exponent = matches!(chars.get(at), Some('e' | 'E'))
                    && (chars.get(at + 1).is_some_and(char::is_ascii_digit)
                        || matches!(chars.get(at + 1), Some('+' | '-'))
                            && chars.get(at + 2).is_some_and(char::is_ascii_digit));
                if exponent {
                    at += 2;
                    while chars.get(at).is_some_and(char::is_ascii_digit) {
                        at += 1;
                    }
                }
                let text: String = chars[start..at].iter().collect();
                tokens.push(Token::Number(text.parse().map_err(|_| format!("bad number '{text}'"))?));
            }
            c if c.is_ascii_alphabetic() || c == '_' => {
                let start = at;
                while chars.get(at).is_some_and(|c| c.is_ascii_alphanumeric() || *c == '_') {
                    at += 1;
                }
                let name: String = chars[start..at].iter().collect();
                let call = chars.get(at) == Some(&'(') && !KEYWORDS.contains(&name.as_str());
                tokens.push(if call { Token::Call(name) } else { Token::Name(name) });
            }
            _ => {
                let found = OPERATORS
                    .iter()
                    .find(|operator| chars[at..].starts_with(&operator.chars().collect::<Vec<_>>()));
                let Some(operator) = found else {
                    return Err(format!("unexpected character '{c}'"));
                };
                tokens.push(Token::Op(operator));
                at += operator.len();
            }
        }
    }
    tokens.push(Token::End);
    Ok(tokens)
}

/// Whether a slash after these tokens begins a regular expression and does not divide.
fn regex_may_start(tokens: &[Token]) -> bool {
    match tokens.last() {
        None | Some(Token::Newline) => true,
        Some(Token::Op(operator)) => !matches!(*operator, ")" | "]" | "$" | "++" | "--"),
        Some(Token::Name(name)) => KEYWORDS.contains(&name.as_str()),
        _ => false,
    }
}
