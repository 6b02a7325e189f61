//! The functions of templates (`text/template/funcs.go`, `cli-runtime/pkg/printers/template.go`) and Go's formatting of values.

use std::cmp::Ordering;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::exec::{Val, type_name};
use crate::value::sorted;

/// The names, each with how many arguments it takes at least, and at most if there is such a number.
const KNOWN: &[(&str, usize, Option<usize>)] = &[
    ("and", 1, None),
    ("base64decode", 1, Some(1)),
    ("call", 1, None),
    ("eq", 1, None),
    ("exists", 1, None),
    ("ge", 2, Some(2)),
    ("gt", 2, Some(2)),
    ("html", 0, None),
    ("index", 1, None),
    ("js", 0, None),
    ("le", 2, Some(2)),
    ("len", 1, Some(1)),
    ("lt", 2, Some(2)),
    ("ne", 2, Some(2)),
    ("not", 1, Some(1)),
    ("or", 1, None),
    ("print", 0, None),
    ("printf", 1, None),
    ("println", 0, None),
    ("slice", 1, None),
    ("urlquery", 0, None),
];

/// Why a call failed.
pub(super) enum Wrong {
    /// An argument is of no type that the function takes.
    Argument(String),
    /// The function itself says so.
    Call(String),
}

/// Whether there is a function of that name.
pub(super) fn is_known(name: &str) -> bool {
    KNOWN.iter().any(|(known, ..)| *known == name)
}

/// What is said of a call with a wrong number of arguments.
pub(super) fn wrong_count(name: &str, count: usize) -> Option<String> {
    let (_, least, most) = KNOWN.iter().find(|(known, ..)| *known == name)?;
    let wrong = |want: String| Some(format!("wrong number of args for {name}: want {want} got {count}"));
    match most {
        None if count < *least => wrong(format!("at least {least}")),
        Some(most) if count < *least || count > *most => wrong(most.to_string()),
        _ => None,
    }
}

/// Calls a function with what its arguments are; `first` is how the first one is written.
pub(super) fn call<'a>(name: &str, arguments: &[Val<'a>], first: &str) -> Result<Val<'a>, Wrong> {
    let said = |message: &str| Err(Wrong::Call(message.to_owned()));
    let json = |at: usize| arguments.get(at).and_then(Val::json);
    let type_of = |at: usize| arguments.get(at).map_or("<nil>", Val::type_name);
    Ok(match name {
        "not" => Val::own(!truth(json(0))),
        "len" => match json(0) {
            Some(Value::String(text)) => Val::own(text.len()),
            Some(Value::Array(items)) => Val::own(items.len()),
            Some(Value::Object(map)) => Val::own(map.len()),
            None => return said("reflect: call of reflect.Value.Type on zero Value"),
            Some(_) => return said(&format!("len of type {}", type_of(0))),
        },
        "index" => return index(arguments),
        "slice" => return slice(arguments).map(Val::own).map_err(Wrong::Call),
        "print" => Val::own(print(arguments)),
        "println" => Val::own(format!(
            "{}\n",
            arguments.iter().map(|one| go(one.json())).collect::<Vec<_>>().join(" ")
        )),
        "printf" => match json(0) {
            Some(Value::String(format)) => Val::own(printf(format, &arguments[1..])),
            _ => return Err(no_text(arguments, first)),
        },
        "html" => Val::own(escaped(&text_of(arguments), html)),
        "js" => Val::own(escaped(&text_of(arguments), js)),
        "urlquery" => Val::own(query(&text_of(arguments))),
        "eq" => {
            let Some((first, others)) = arguments.split_first() else {
                return said("missing argument for comparison");
            };
            if others.is_empty() {
                return said("missing argument for comparison");
            }
            let mut found = false;
            for other in others {
                found |= equal(first, other).map_err(Wrong::Call)?;
            }
            Val::own(found)
        }
        "ne" => Val::own(!equal(&arguments[0], &arguments[1]).map_err(Wrong::Call)?),
        "lt" | "le" | "gt" | "ge" => {
            let order = compare(&arguments[0], &arguments[1]).map_err(Wrong::Call)?;
            Val::own(match name {
                "lt" => order == Ordering::Less,
                "le" => order != Ordering::Greater,
                "gt" => order == Ordering::Greater,
                _ => order != Ordering::Less,
            })
        }
        "exists" => {
            let mut found = json(0);
            for at in 1..arguments.len() {
                found = match (found, json(at)) {
                    (Some(own), Some(Value::String(key))) => own.get(key),
                    (Some(own), Some(Value::Number(key))) => key.as_u64().and_then(|key| own.get(key as usize)),
                    _ => None,
                };
            }
            Val::own(found.is_some())
        }
        "base64decode" => {
            let Some(Value::String(text)) = json(0) else {
                return Err(no_text(arguments, first));
            };
            match STANDARD.decode(text) {
                Ok(bytes) => Val::own(String::from_utf8_lossy(&bytes).into_owned()),
                Err(_) => {
                    return said(&format!(
                        "base64 decode failed: illegal base64 data at input byte {}",
                        wrong_byte(text)
                    ));
                }
            }
        }
        _ => {
            return said(&match json(0) {
                None => "call of nil".to_owned(),
                Some(_) => format!("non-function {first} of type {}", type_of(0)),
            });
        }
    })
}

fn wrong_byte(text: &str) -> usize {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    text.bytes().position(|byte| !known(byte)).unwrap_or(text.len() / 4 * 4)
}

fn no_text(arguments: &[Val], written: &str) -> Wrong {
    Wrong::Argument(match arguments.first().and_then(Val::json) {
        None => "invalid value; expected string".to_owned(),
        Some(_) => format!("expected string; found {written}"),
    })
}

fn truth(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => false,
        Some(Value::Bool(on)) => *on,
        Some(Value::Number(number)) => number.as_f64() != Some(0.0),
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(items)) => !items.is_empty(),
        Some(Value::Object(map)) => !map.is_empty(),
    }
}

fn index<'a>(arguments: &[Val<'a>]) -> Result<Val<'a>, Wrong> {
    let said = |message: String| Err(Wrong::Call(message));
    let Some((first, keys)) = arguments.split_first() else {
        return Ok(Val::missing());
    };
    let mut found = first.clone();
    if found.json().is_none_or(Value::is_null) {
        return said("index of untyped nil".to_owned());
    }
    for key in keys {
        found = match (found.json(), key.json()) {
            (Some(Value::Array(items)), Some(Value::Number(at))) if at.is_i64() => {
                let Some(at) = at.as_u64().map(|at| at as usize).filter(|at| *at < items.len()) else {
                    return said("reflect: slice index out of range".to_owned());
                };
                found.entry(|own| own.get(at)).unwrap_or_else(Val::missing)
            }
            (Some(Value::String(text)), Some(Value::Number(at))) if at.is_i64() => {
                match at.as_u64().and_then(|at| text.as_bytes().get(at as usize)) {
                    Some(byte) => Val::own(*byte),
                    None => return said("reflect: string index out of range".to_owned()),
                }
            }
            (Some(Value::Array(_) | Value::String(_)), None) => {
                return said("cannot index slice/array with nil".to_owned());
            }
            (Some(Value::Array(_) | Value::String(_)), Some(_)) => {
                return said(format!("cannot index slice/array with type {}", key.type_name()));
            }
            (Some(Value::Object(_)), Some(Value::String(name))) => {
                found.entry(|own| own.get(name)).unwrap_or_else(Val::missing)
            }
            (Some(Value::Object(_)), None) => return said("value is nil; should be of type string".to_owned()),
            (Some(Value::Object(_)), Some(_)) => {
                return said(format!("value has type {}; should be string", key.type_name()));
            }
            (None | Some(Value::Null), _) => return said("index of nil pointer".to_owned()),
            (Some(_), _) => return said(format!("can't index item of type {}", found.type_name())),
        };
    }
    Ok(found)
}

fn slice(arguments: &[Val]) -> Result<Value, String> {
    let Some((first, bounds)) = arguments.split_first() else {
        return Err("slice of untyped nil".to_owned());
    };
    let length = match first.json() {
        Some(Value::String(text)) => text.len(),
        Some(Value::Array(items)) => items.len(),
        None => return Err("slice of untyped nil".to_owned()),
        Some(_) => return Err(format!("can't slice item of type {}", first.type_name())),
    };
    if bounds.len() > 3 {
        return Err(format!("too many slice indexes: {}", bounds.len()));
    }
    if bounds.len() == 3 && matches!(first.json(), Some(Value::String(_))) {
        return Err("cannot 3-index slice a string".to_owned());
    }
    let mut at = [0, length, length];
    for (slot, bound) in at.iter_mut().zip(bounds) {
        let Some(Value::Number(number)) = bound.json() else {
            return Err(match bound.json() {
                None => "cannot index slice/array with nil".to_owned(),
                Some(_) => format!("cannot index slice/array with type {}", bound.type_name()),
            });
        };
        *slot = match number.as_u64().map(|number| number as usize) {
            Some(number) if number <= length => number,
            _ => return Err(format!("index out of range: {number}")),
        };
    }
    if at[0] > at[1] {
        return Err(format!("invalid slice index: {} > {}", at[0], at[1]));
    }
    Ok(match first.json() {
        Some(Value::String(text)) => Value::from(String::from_utf8_lossy(&text.as_bytes()[at[0]..at[1]]).into_owned()),
        Some(Value::Array(items)) => Value::Array(items[at[0]..at[1]].to_vec()),
        _ => Value::Null,
    })
}

/// The kinds of which values can be compared.
#[derive(PartialEq)]
enum Basic {
    Bool,
    Int,
    Float,
    Text,
}

fn basic(value: Option<&Value>) -> Option<Basic> {
    Some(match value? {
        Value::Bool(_) => Basic::Bool,
        Value::Number(number) if number.is_f64() => Basic::Float,
        Value::Number(_) => Basic::Int,
        Value::String(_) => Basic::Text,
        _ => return None,
    })
}

fn equal(left: &Val, right: &Val) -> Result<bool, String> {
    let (one, other) = (left.json(), right.json());
    if one.is_none() || other.is_none() {
        return Ok(one.is_none() && other.is_none());
    }
    match (basic(one), basic(other)) {
        (Some(first), Some(second)) if first == second => Ok(one == other),
        (None, None) => Err(format!("non-comparable type {}: {}", shown(one), left.type_name())),
        _ => Err(incompatible(left, right)),
    }
}

fn incompatible(left: &Val, right: &Val) -> String {
    let (one, other) = (left.type_name(), right.type_name());
    format!("incompatible types for comparison: {one} and {other}")
}

fn compare(left: &Val, right: &Val) -> Result<Ordering, String> {
    match (left.json(), right.json()) {
        (Some(Value::Number(one)), Some(Value::Number(other))) if one.is_f64() == other.is_f64() => {
            if let (Some(one), Some(other)) = (one.as_i64(), other.as_i64()) {
                return Ok(one.cmp(&other));
            }
            let (one, other) = (one.as_f64().unwrap_or(0.0), other.as_f64().unwrap_or(0.0));
            Ok(one.total_cmp(&other))
        }
        (Some(Value::String(one)), Some(Value::String(other))) => Ok(one.cmp(other)),
        (one, other) => match (basic(one), basic(other)) {
            (Some(Basic::Bool), Some(Basic::Bool)) | (None, _) | (_, None) => {
                Err("invalid type for comparison".to_owned())
            }
            _ => Err(incompatible(left, right)),
        },
    }
}

/// A value as an action prints it.
pub(super) fn shown(value: Option<&Value>) -> String {
    match value {
        None => "<no value>".to_owned(),
        other => go(other),
    }
}

/// A value as Go's `%v` prints it.
fn go(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "<nil>".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => match number.as_f64() {
            Some(float) if number.is_f64() => go_float(float),
            _ => number.to_string(),
        },
        Some(Value::Bool(on)) => on.to_string(),
        Some(Value::Array(items)) => {
            let items: Vec<String> = items.iter().map(|item| go(Some(item))).collect();
            format!("[{}]", items.join(" "))
        }
        Some(Value::Object(map)) => {
            let entries = sorted(map).into_iter();
            let entries: Vec<String> = entries
                .map(|(key, value)| format!("{key}:{}", go(Some(value))))
                .collect();
            format!("map[{}]", entries.join(" "))
        }
    }
}

/// A float as `%v` prints it: the shortest text, with an exponent below -4 and from 6 on.
fn go_float(float: f64) -> String {
    let written = format!("{float:e}");
    let Some((digits, exponent)) = written.split_once('e') else {
        return written;
    };
    match exponent.parse::<i32>() {
        Ok(exponent) if !(-4..6).contains(&exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.abs())
        }
        _ => format!("{float}"),
    }
}

/// `fmt.Sprint`: a blank between two operands of which neither is text.
fn print(arguments: &[Val]) -> String {
    let mut out = String::new();
    let mut before: Option<bool> = None;
    for argument in arguments {
        let is_text = matches!(argument.json(), Some(Value::String(_)));
        if before == Some(false) && !is_text {
            out.push(' ');
        }
        before = Some(is_text);
        out.push_str(&go(argument.json()));
    }
    out
}

fn text_of(arguments: &[Val]) -> String {
    match arguments {
        [one] if matches!(one.json(), Some(Value::String(_))) => go(one.json()),
        [one] => shown(one.json()),
        more => print(more),
    }
}

/// `fmt.Sprintf`.
fn printf(format: &str, arguments: &[Val]) -> String {
    let mut out = String::new();
    let mut next = arguments.iter();
    let mut chars = format.chars().peekable();
    while let Some(char) = chars.next() {
        if char != '%' {
            out.push(char);
            continue;
        }
        let mut flags = String::new();
        while let Some(flag) = chars.next_if(|char| matches!(char, '+' | '-' | '#' | ' ' | '0')) {
            flags.push(flag);
        }
        let mut number = || {
            let mut digits = String::new();
            while let Some(digit) = chars.next_if(char::is_ascii_digit) {
                digits.push(digit);
            }
            digits.parse::<usize>().ok().map(|width| width.min(1000))
        };
        let width = number();
        let dot = chars.next_if_eq(&'.').is_some();
        let precision = dot.then(|| {
            let mut digits = String::new();
            while let Some(digit) = chars.next_if(char::is_ascii_digit) {
                digits.push(digit);
            }
            digits.parse::<usize>().unwrap_or(0).min(1000)
        });
        let Some(verb) = chars.next() else {
            out.push_str("%!(NOVERB)");
            break;
        };
        if verb == '%' {
            out.push('%');
            continue;
        }
        let Some(argument) = next.next() else {
            out.push_str(&format!("%!{verb}(MISSING)"));
            continue;
        };
        let value = argument.json();
        let body = verbed(verb, value, argument.type_name(), precision, &flags);
        let zero = flags.contains('0') && !flags.contains('-') && matches!(value, Some(Value::Number(_)));
        let missing = width.unwrap_or(0).saturating_sub(body.chars().count());
        if flags.contains('-') {
            out.push_str(&body);
            out.extend(std::iter::repeat_n(' ', missing));
        } else if zero {
            let (sign, digits) = match body.strip_prefix('-') {
                Some(digits) => ("-", digits),
                None => ("", body.as_str()),
            };
            out.push_str(sign);
            out.extend(std::iter::repeat_n('0', missing));
            out.push_str(digits);
        } else {
            out.extend(std::iter::repeat_n(' ', missing));
            out.push_str(&body);
        }
    }
    let extra: Vec<String> = next
        .map(|argument| format!("{}={}", argument.type_name(), go(argument.json())))
        .collect();
    if !extra.is_empty() {
        out.push_str(&format!("%!(EXTRA {})", extra.join(", ")));
    }
    out
}

fn verbed(verb: char, value: Option<&Value>, of: &str, precision: Option<usize>, flags: &str) -> String {
    let wrong = || match value {
        None => format!("%!{verb}(<nil>)"),
        value => format!("%!{verb}({of}={})", go(value)),
    };
    let int = value.and_then(|value| value.as_i64().filter(|_| value.is_number()));
    let float = value.filter(|value| value.is_f64()).and_then(Value::as_f64);
    let plus = |text: String| {
        if flags.contains('+') && !text.starts_with('-') {
            format!("+{text}")
        } else {
            text
        }
    };
    let cut = |text: &str| match precision {
        Some(precision) => text.chars().take(precision).collect(),
        None => text.to_owned(),
    };
    match (verb, value) {
        ('v', Some(Value::String(text))) => cut(text),
        ('v', value) => go(value),
        ('T', _) => of.to_owned(),
        ('s', Some(Value::String(text))) => cut(text),
        ('s', Some(Value::Array(items))) => {
            let items: Vec<String> = items
                .iter()
                .map(|item| verbed('s', Some(item), type_name(item), precision, flags))
                .collect();
            format!("[{}]", items.join(" "))
        }
        ('s', Some(Value::Object(map))) => {
            let entries = sorted(map).into_iter();
            let entries: Vec<String> = entries
                .map(|(key, value)| format!("{key}:{}", verbed('s', Some(value), type_name(value), precision, flags)))
                .collect();
            format!("map[{}]", entries.join(" "))
        }
        ('q', Some(Value::String(text))) => quoted(text),
        ('x', Some(Value::String(text))) => text.bytes().map(|byte| format!("{byte:02x}")).collect(),
        ('t', Some(Value::Bool(on))) => on.to_string(),
        ('d', _) => int.map_or_else(wrong, |int| plus(int.to_string())),
        ('x', _) => int.map_or_else(wrong, |int| format!("{int:x}")),
        ('X', _) => int.map_or_else(wrong, |int| format!("{int:X}")),
        ('o', _) => int.map_or_else(wrong, |int| format!("{int:o}")),
        ('b', _) => int.map_or_else(wrong, |int| format!("{int:b}")),
        ('c', _) => int
            .and_then(|int| u32::try_from(int).ok())
            .and_then(char::from_u32)
            .map_or_else(wrong, |char| char.to_string()),
        ('f' | 'F', _) => float.map_or_else(wrong, |float| plus(format!("{float:.0$}", precision.unwrap_or(6)))),
        ('g', _) => float.map_or_else(wrong, |float| plus(go_float(float))),
        ('e', _) => float.map_or_else(wrong, |float| {
            let written = format!("{float:.0$e}", precision.unwrap_or(6));
            let (digits, exponent) = written.split_once('e').unwrap_or((&written, "0"));
            let exponent: i32 = exponent.parse().unwrap_or(0);
            let sign = if exponent < 0 { '-' } else { '+' };
            plus(format!("{digits}e{sign}{:02}", exponent.abs()))
        }),
        _ => wrong(),
    }
}

/// A Go string literal (`strconv.Quote`).
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            char if char.is_control() => out.push_str(&format!("\\x{:02x}", u32::from(char))),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

fn escaped(text: &str, escape: fn(char) -> Option<String>) -> String {
    let mut out = String::new();
    for char in text.chars() {
        match escape(char) {
            Some(escaped) => out.push_str(&escaped),
            None => out.push(char),
        }
    }
    out
}

fn html(char: char) -> Option<String> {
    Some(
        match char {
            '"' => "&#34;",
            '\'' => "&#39;",
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            '\0' => "\u{fffd}",
            _ => return None,
        }
        .to_owned(),
    )
}

fn js(char: char) -> Option<String> {
    Some(match char {
        '\\' => "\\\\".to_owned(),
        '\'' => "\\'".to_owned(),
        '"' => "\\\"".to_owned(),
        '<' | '>' | '&' | '=' => format!("\\u{:04X}", u32::from(char)),
        char if char < ' ' => format!("\\u{:04X}", u32::from(char)),
        _ => return None,
    })
}

fn query(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b' ' => out.push('+'),
            byte if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') => {
                out.push(char::from(byte));
            }
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
