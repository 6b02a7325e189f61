//! Values of expressions: borrowed from the cluster wherever that is possible.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::{Map, Number, Value};

/// A value of an expression.
#[derive(Clone, Debug)]
pub enum Val<'a> {
    /// There is no such object or field.
    Missing,
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Double(f64),
    /// Text.
    Text(Cow<'a, str>),
    /// An object or a list of the cluster.
    Json(&'a Value),
    /// A list that the expression made.
    List(Vec<Val<'a>>),
    /// A map that the expression made.
    Map(Vec<(Val<'a>, Val<'a>)>),
}

impl<'a> Val<'a> {
    /// A JSON value as a value of an expression.
    pub fn of(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => match number.as_i64() {
                Some(whole) => Self::Int(whole),
                None => Self::Double(number.as_f64().unwrap_or(f64::NAN)),
            },
            Value::String(text) => Self::Text(Cow::Borrowed(text)),
            Value::Array(_) | Value::Object(_) => Self::Json(value),
        }
    }

    /// The same if it is there.
    pub fn of_option(value: Option<&'a Value>) -> Self {
        value.map_or(Self::Missing, Self::of)
    }

    /// Whether it holds: only `true` does.
    pub fn holds(&self) -> bool {
        matches!(self, Self::Bool(true))
    }

    /// Whether there is nothing: no such object or field, or `null`.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Missing | Self::Null)
    }

    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The number, if it is one.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Int(whole) => Some(*whole as f64),
            Self::Double(number) => Some(*number),
            _ => None,
        }
    }

    /// The elements, if it is a list.
    pub fn elements(&self) -> Option<Vec<Val<'a>>> {
        match self {
            Self::List(elements) => Some(elements.clone()),
            Self::Json(Value::Array(elements)) => Some(elements.iter().map(Val::of).collect()),
            _ => None,
        }
    }

    /// As JSON; what is missing is `null`.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Missing | Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Int(whole) => Value::from(*whole),
            Self::Double(number) => Number::from_f64(*number).map_or(Value::Null, Value::Number),
            Self::Text(text) => Value::String(text.clone().into_owned()),
            Self::Json(value) => (*value).clone(),
            Self::List(elements) => elements.iter().map(Val::to_json).collect(),
            Self::Map(entries) => {
                let entry = |(key, value): &(Val<'_>, Val<'_>)| {
                    let key = match key.to_json() {
                        Value::String(text) => text,
                        other => other.to_string(),
                    };
                    (key, value.to_json())
                };
                Value::Object(entries.iter().map(entry).collect::<Map<_, _>>())
            }
        }
    }

    /// Equality across the kinds of numbers; nothing that is missing equals anything.
    pub fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Missing, _) | (_, Self::Missing) => false,
            (Self::Null, Self::Null) => true,
            (Self::Bool(left), Self::Bool(right)) => left == right,
            (Self::Int(left), Self::Int(right)) => left == right,
            (Self::Text(left), Self::Text(right)) => left == right,
            (Self::Int(_) | Self::Double(_), Self::Int(_) | Self::Double(_)) => self.number() == other.number(),
            (Self::Json(left), Self::Json(right)) => left == right,
            (Self::List(_) | Self::Json(Value::Array(_)), Self::List(_) | Self::Json(Value::Array(_))) => {
                match (self.elements(), other.elements()) {
                    (Some(left), Some(right)) => {
                        left.len() == right.len() && left.iter().zip(&right).all(|(left, right)| left.equals(right))
                    }
                    _ => false,
                }
            }
            (Self::Map(_), _) | (_, Self::Map(_)) => self.to_json() == other.to_json(),
            _ => false,
        }
    }

    /// The order of two numbers or two texts.
    pub fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Int(left), Self::Int(right)) => Some(left.cmp(right)),
            (Self::Text(left), Self::Text(right)) => Some(left.cmp(right)),
            (Self::Bool(left), Self::Bool(right)) => Some(left.cmp(right)),
            _ => self.number()?.partial_cmp(&other.number()?),
        }
    }

    /// What kind of value it is, in words.
    pub fn words(&self) -> &'static str {
        match self {
            Self::Missing => "nothing",
            Self::Null => "null",
            Self::Bool(_) => "true or false",
            Self::Int(_) | Self::Double(_) => "a number",
            Self::Text(_) => "text",
            Self::Json(Value::Array(_)) | Self::List(_) => "a list",
            Self::Json(_) | Self::Map(_) => "an object",
        }
    }
}
