//! `awk`: values, and what is done with texts and numbers.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::tree::Binary;
use crate::shell::regex::Regex;

/// Bytes that one value may have.
pub(super) const MAX_TEXT: usize = 4 << 20;

/// Regular expressions that were compiled, by their text.
pub(super) type Regexes = BTreeMap<Arc<str>, Option<Arc<Regex>>>;

/// A value: text, a number, or input that is a number if it looks like one.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Number(f64),
    Text(Arc<str>),
    Input(Arc<str>),
    Unset,
    /// A parameter that was given a name with nothing in it: it becomes that array if the function uses it as one.
    Maybe(Arc<str>),
}

pub(super) fn arithmetic(operator: Binary, left: f64, right: f64) -> f64 {
    match operator {
        Binary::Add => left + right,
        Binary::Subtract => left - right,
        Binary::Multiply => left * right,
        Binary::Divide => left / right,
        Binary::Remainder => left % right,
        _ => left.powf(right),
    }
}

pub(super) fn cached_regex(regexes: &mut Regexes, text: &str) -> Option<Arc<Regex>> {
    if let Some(regex) = regexes.get(text) {
        return regex.clone();
    }
    if regexes.len() > 200 {
        regexes.clear();
    }
    let regex = Regex::new(text, true).ok().map(Arc::new);
    regexes.insert(text.into(), regex.clone());
    regex
}

/// Fields of a record: blanks for a single space, one character as it is, else a regular expression.
pub(super) fn split(text: &str, separator: &str, regexes: &mut Regexes) -> Vec<Arc<str>> {
    if separator == " " {
        return text.split_whitespace().map(Arc::from).collect();
    }
    if text.is_empty() {
        return Vec::new();
    }
    if separator.is_empty() {
        return text.chars().map(|c| c.to_string().into()).collect();
    }
    if separator.chars().count() == 1 || separator == "\\|" {
        return text.split(separator.trim_start_matches('\\')).map(Arc::from).collect();
    }
    let Some(regex) = cached_regex(regexes, separator) else {
        return vec![text.into()];
    };
    let mut fields = Vec::new();
    let mut at = 0;
    while let Some((from, to)) = regex
        .find(text, at)
        .and_then(|captures| captures[0])
        .filter(|(from, to)| to > from)
    {
        fields.push(text[at..from].into());
        at = to;
    }
    fields.push(text[at..].into());
    fields
}

pub(super) fn substitute(regex: &Regex, text: &str, with: &str, all: bool) -> (String, u32) {
    let mut result = String::new();
    let (mut at, mut copied, mut count) = (0, 0, 0);
    while at <= text.len() {
        let Some((from, to)) = regex.find(text, at).and_then(|captures| captures[0]) else {
            break;
        };
        result.push_str(&text[copied..from]);
        let mut chars = with.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '&' => result.push_str(&text[from..to]),
                '\\' if matches!(chars.peek(), Some('&' | '\\')) => result.extend(chars.next()),
                c => result.push(c),
            }
        }
        count += 1;
        copied = to;
        if !all || result.len() > MAX_TEXT {
            break;
        }
        at = if to > from {
            to
        } else {
            match text[to..].chars().next() {
                Some(c) => to + c.len_utf8(),
                None => break,
            }
        };
    }
    result.push_str(&text[copied..]);
    (result, count)
}

pub(super) fn format_values(values: &[Value]) -> String {
    let Some((format, rest)) = values.split_first() else {
        return String::new();
    };
    // Numbers are formatted as C would: %d takes the whole part.
    let format = format.text();
    let mut words: Vec<Arc<str>> = Vec::new();
    let mut conversions = format.chars().peekable();
    let mut rest = rest.iter();
    let mut once = String::new();
    while let Some(c) = conversions.next() {
        once.push(c);
        if c != '%' {
            continue;
        }
        if conversions.peek() == Some(&'%') {
            once.extend(conversions.next());
            continue;
        }
        while let Some(flag) = conversions.next_if(|c| "-+ #0123456789.*".contains(*c)) {
            if flag == '*' {
                words.push(format!("{}", rest.next().map_or(0.0, Value::number) as i64).into());
            }
            once.push(flag);
        }
        let Some(letter) = conversions.next() else { break };
        once.push(letter);
        let value = rest.next().cloned().unwrap_or(Value::Unset);
        words.push(match letter {
            'd' | 'i' | 'o' | 'x' | 'X' | 'u' => format!("{}", value.number().trunc() as i64).into(),
            'c' => match &value {
                Value::Number(number) => char::from_u32(*number as u32).unwrap_or('?').to_string().into(),
                value => value.text(),
            },
            'f' | 'F' | 'e' | 'E' | 'g' | 'G' => format!("{}", value.number()).into(),
            _ => value.text(),
        });
    }
    // printf repeats its format while values are left; awk does not.
    let bytes = if words.is_empty() {
        crate::shell::printing::printf(&once, &[]).bytes
    } else {
        crate::shell::printing::printf(&once, &words).bytes
    };
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Keys in the order of numbers, then of texts: real awks leave the order open.
pub(super) fn in_order(mut keys: Vec<Arc<str>>) -> Vec<Arc<str>> {
    keys.sort_by(|left, right| match (left.parse::<f64>(), right.parse::<f64>()) {
        (Ok(left), Ok(right)) => left.total_cmp(&right),
        (Ok(_), Err(_)) => std::cmp::Ordering::Less,
        (Err(_), Ok(_)) => std::cmp::Ordering::Greater,
        _ => left.cmp(right),
    });
    keys
}

impl Value {
    /// The number at the beginning of a text.
    pub fn number(&self) -> f64 {
        match self {
            Self::Number(number) => *number,
            Self::Unset | Self::Maybe(_) => 0.0,
            Self::Text(text) | Self::Input(text) => leading_number(text).0,
        }
    }

    pub fn text(&self) -> Arc<str> {
        match self {
            Self::Text(text) | Self::Input(text) => Arc::clone(text),
            Self::Unset | Self::Maybe(_) => "".into(),
            Self::Number(number) => {
                if number.fract() == 0.0 && number.abs() < 1e16 {
                    format!("{}", *number as i64).into()
                } else {
                    let sign = if *number < 0.0 { "-" } else { "" };
                    format!("{sign}{}", crate::shell::printing::float(number.abs(), b'g', 6)).into()
                }
            }
        }
    }

    /// The text of a number in a format such as `%.6g`; that of anything else.
    pub fn text_as(&self, format: &str) -> Arc<str> {
        match self {
            Self::Number(number) if number.fract() != 0.0 && format != "%.6g" => {
                let bytes = crate::shell::printing::printf(format, &[number.to_string().into()]).bytes;
                String::from_utf8_lossy(&bytes).as_ref().into()
            }
            value => value.text(),
        }
    }

    /// The memory that it takes, about.
    pub fn bytes(&self) -> usize {
        32 + match self {
            Self::Text(text) | Self::Input(text) => text.len(),
            _ => 0,
        }
    }

    fn is_numeric(&self) -> bool {
        match self {
            Self::Number(_) | Self::Unset | Self::Maybe(_) => true,
            Self::Text(_) => false,
            Self::Input(text) => {
                let trimmed = text.trim();
                !trimmed.is_empty() && leading_number(trimmed).1 == trimmed.len()
            }
        }
    }

    pub fn truth(&self) -> bool {
        match self {
            Self::Text(text) => !text.is_empty(),
            Self::Input(text) if !self.is_numeric() => !text.is_empty(),
            value => value.number() != 0.0,
        }
    }

    pub fn compare(&self, other: &Self) -> std::cmp::Ordering {
        if self.is_numeric() && other.is_numeric() {
            return self
                .number()
                .partial_cmp(&other.number())
                .unwrap_or(std::cmp::Ordering::Less);
        }
        self.text().cmp(&other.text())
    }
}

/// The number at the beginning of a text, and where it ends.
fn leading_number(text: &str) -> (f64, usize) {
    let skipped = text.len() - text.trim_start().len();
    let bytes = text.as_bytes();
    let mut at = skipped;
    let digits = |at: &mut usize| {
        let start = *at;
        while bytes.get(*at).is_some_and(u8::is_ascii_digit) {
            *at += 1;
        }
        *at > start
    };
    if matches!(bytes.get(at), Some(b'+' | b'-')) {
        at += 1;
    }
    let mut any = digits(&mut at);
    if bytes.get(at) == Some(&b'.') {
        let mut after = at + 1;
        any |= digits(&mut after);
        if any {
            at = after;
        }
    }
    if !any {
        return (0.0, 0);
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let mut exponent = at + 1;
        if matches!(bytes.get(exponent), Some(b'+' | b'-')) {
            exponent += 1;
        }
        if digits(&mut exponent) {
            at = exponent;
        }
    }
    (text[skipped..at].parse().unwrap_or(0.0), at)
}
