//! What a scalar means: the tables of YAML 1.1 as `go.yaml.in/yaml/v2` has them (`resolve.go resolve`), and those of the
//! YAML 1.2 core schema.

use serde_json::Number;

use crate::{Dialect, Value};

/// Why a scalar cannot be.
pub(crate) enum Refusal {
    /// The tag does not fit the text.
    Tag(String),
    /// JSON has no such number.
    Json(String),
}

/// What a scalar resolves to before it becomes JSON.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Plain {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text,
}

impl Plain {
    fn tag(self) -> &'static str {
        match self {
            Self::Null => "!!null",
            Self::Bool(_) => "!!bool",
            Self::Int(_) => "!!int",
            Self::Float(_) => "!!float",
            Self::Text => "!!str",
        }
    }
}

/// The value of a scalar. `tag` is short (`!!int`) and empty if there is none.
pub(crate) fn resolve(text: &str, plain: bool, tag: &str, dialect: Dialect) -> Result<Value, Refusal> {
    if tag == "!!binary" {
        let bytes =
            base64(text).ok_or_else(|| Refusal::Tag("!!binary value contains invalid base64 data".to_owned()))?;
        return Ok(Value::String(String::from_utf8_lossy(&bytes).into_owned()));
    }
    let resolvable = matches!(tag, "" | "!!bool" | "!!int" | "!!float" | "!!null" | "!!timestamp");
    if !resolvable || (tag.is_empty() && !plain) {
        return Ok(Value::String(text.to_owned()));
    }
    let mut meaning = match dialect {
        Dialect::Kubernetes => yaml_1_1(text),
        Dialect::Core => core(text),
    };
    if let ("!!float", Plain::Int(int)) = (tag, meaning) {
        meaning = Plain::Float(int as f64);
    }
    let timestamp = tag == "!!timestamp" && meaning == Plain::Text;
    if !tag.is_empty() && !timestamp && tag != meaning.tag() {
        return Err(Refusal::Tag(format!(
            "cannot decode {} `{text}` as a {tag}",
            meaning.tag()
        )));
    }
    Ok(match meaning {
        Plain::Null => Value::Null,
        Plain::Bool(value) => Value::Bool(value),
        Plain::Int(int) => match i64::try_from(int) {
            Ok(int) => Value::Number(int.into()),
            // An integer that Go's int64 does not hold goes through JSON as a float.
            Err(_) => Number::from_f64(int as f64).map_or(Value::Null, Value::Number),
        },
        Plain::Float(float) => match number(float, dialect) {
            Some(number) => Value::Number(number),
            None if dialect == Dialect::Core => Value::String(text.to_owned()),
            None if float.is_nan() => return Err(Refusal::Json("json: unsupported value: NaN".to_owned())),
            None => {
                let sign = if float < 0.0 { '-' } else { '+' };
                return Err(Refusal::Json(format!("json: unsupported value: {sign}Inf")));
            }
        },
        Plain::Text => Value::String(text.to_owned()),
    })
}

/// The key that a scalar is (`sigs.k8s.io/yaml` `convertToJSONableObject`); `None` for null.
pub(crate) fn key(value: &Value) -> Option<String> {
    match value {
        Value::Bool(value) => Some(value.to_string()),
        Value::Number(number) => match number.as_i64() {
            Some(int) => Some(int.to_string()),
            // Go writes such keys with the digits of a 32-bit float.
            None => number.as_f64().map(|float| (float as f32).to_string()),
        },
        Value::String(text) => Some(text.clone()),
        Value::Null | Value::Sequence(_) | Value::Mapping(_) => None,
    }
}

/// A float as JSON carries it. Go writes `1500.0` as `1500`, which is read as an integer.
fn number(float: f64, dialect: Dialect) -> Option<Number> {
    const EXACT: f64 = 9_223_372_036_854_774_784.0;
    if dialect == Dialect::Kubernetes && float.fract() == 0.0 && float.abs() <= EXACT {
        return Some(Number::from(float as i64));
    }
    Number::from_f64(float)
}

fn yaml_1_1(text: &str) -> Plain {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Plain::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => return Plain::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Plain::Bool(false);
        }
        _ => {}
    }
    if let Some(float) = special_float(text) {
        return Plain::Float(float);
    }
    match text.as_bytes()[0] {
        b'0'..=b'9' | b'+' | b'-' | b'.' => {
            let digits = text.replace('_', "");
            if let Some(int) = go_int(&digits) {
                Plain::Int(int)
            } else if looks_like_float(&digits) {
                digits.parse().map_or(Plain::Text, |float: f64| {
                    if float.is_finite() {
                        Plain::Float(float)
                    } else {
                        Plain::Text
                    }
                })
            } else {
                Plain::Text
            }
        }
        _ => Plain::Text,
    }
}

fn core(text: &str) -> Plain {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Plain::Null,
        "true" | "True" | "TRUE" => return Plain::Bool(true),
        "false" | "False" | "FALSE" => return Plain::Bool(false),
        _ => {}
    }
    if let Some(float) = special_float(text) {
        return Plain::Float(float);
    }
    let based = |prefix: &str, radix| {
        let digits = text.strip_prefix(prefix)?;
        let valid = digits.chars().all(|digit| digit.is_digit(radix)) && !digits.is_empty();
        valid.then(|| i128::from_str_radix(digits, radix).ok()).flatten()
    };
    if let Some(int) = based("0o", 8).or_else(|| based("0x", 16)) {
        return Plain::Int(int);
    }
    if !looks_like_float(text) {
        return Plain::Text;
    }
    match text.parse::<i64>() {
        Ok(int) => Plain::Int(int.into()),
        Err(_) => text.parse().map_or(Plain::Text, Plain::Float),
    }
}

fn special_float(text: &str) -> Option<f64> {
    match text {
        ".nan" | ".NaN" | ".NAN" => Some(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Some(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

/// Go's `strconv.ParseInt(text, 0, 64)`, or `ParseUint`: a sign, then `0x`, `0o`, `0b`, or `0` for octal.
fn go_int(text: &str) -> Option<i128> {
    let (negative, signed, digits) = match text.as_bytes().first()? {
        b'-' => (true, true, &text[1..]),
        b'+' => (false, true, &text[1..]),
        _ => (false, false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..]),
        [b'0', b'o', ..] => (8, &lower[2..]),
        [b'0', b'b', ..] => (2, &lower[2..]),
        [b'0', _, ..] => (8, &lower[1..]),
        _ => (10, &lower[..]),
    };
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return None;
    }
    let magnitude = i128::from(u64::from_str_radix(digits, radix).ok()?);
    let int = if negative { -magnitude } else { magnitude };
    let fits = i64::try_from(int).is_ok() || !signed;
    fits.then_some(int)
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn looks_like_float(text: &str) -> bool {
    fn digits(bytes: &[u8]) -> usize {
        bytes.iter().take_while(|byte| byte.is_ascii_digit()).count()
    }
    let mut rest = text.as_bytes();
    if let [b'+' | b'-', after @ ..] = rest {
        rest = after;
    }
    let whole = digits(rest);
    rest = &rest[whole..];
    if let [b'.', after @ ..] = rest {
        let fraction = digits(after);
        if whole == 0 && fraction == 0 {
            return false;
        }
        rest = &after[fraction..];
    } else if whole == 0 {
        return false;
    }
    if let [b'e' | b'E', after @ ..] = rest {
        rest = after;
        if let [b'+' | b'-', after @ ..] = rest {
            rest = after;
        }
        let exponent = digits(rest);
        if exponent == 0 {
            return false;
        }
        rest = &rest[exponent..];
    }
    rest.is_empty()
}

/// Standard base64; line ends are skipped.
fn base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut group, mut count, mut padding) = (0_u32, 0_u32, 0_u32);
    for byte in text.bytes().filter(|byte| !matches!(byte, b'\n' | b'\r')) {
        let bits = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => {
                padding += 1;
                0
            }
            _ => return None,
        };
        if padding > 0 && byte != b'=' {
            return None;
        }
        group = group << 6 | u32::from(bits);
        count += 1;
        if count.is_multiple_of(4) {
            bytes.extend_from_slice(&group.to_be_bytes()[1..]);
            group = 0;
        }
    }
    let valid = count.is_multiple_of(4) && padding <= 2;
    bytes.truncate(bytes.len().saturating_sub(padding as usize));
    valid.then_some(bytes)
}
