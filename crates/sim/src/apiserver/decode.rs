//! Strict decoding: from JSON to the types of `k8s-openapi`, saying *everything* that is wrong with the form, in the
//! words of the API server (`sigs.k8s.io/json`, `apimachinery/pkg/runtime/serializer/json`).
//!
//! The types themselves say what they expect: each asks the deserializer for a struct with these fields, an integer, a
//! list. This deserializer listens, compares with what is there, notes what does not fit, and goes on with an empty
//! value instead. So there is no second description of the API that could differ from the first.

use std::cell::RefCell;
use std::fmt;

use serde::de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::go_types;
use super::hint;
use crate::quantity;

/// What kind of mistake a [`Flaw`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlawKind {
    /// A field that the type does not have.
    UnknownField,
    /// A value of another type than the field's.
    WrongType,
}

/// One thing that is wrong with the form of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// What kind of mistake.
    pub kind: FlawKind,
    /// JSON pointer of the value.
    pub pointer: String,
    /// In the API server's words: `unknown field "spec.foo"`, `json: cannot unmarshal …`.
    pub message: String,
    /// What was probably meant.
    pub hints: Vec<String>,
}

/// Decodes a value. The object is missing if a value has a wrong type; unknown fields are left out of it.
pub fn decode<T: DeserializeOwned>(value: &Value) -> (Option<T>, Vec<Flaw>) {
    let context = RefCell::new(Context::default());
    let decoded = T::deserialize(Decoder {
        value,
        context: &context,
    });
    let mut flaws = context.into_inner().flaws;
    let wrong = flaws.iter().any(|flaw| flaw.kind == FlawKind::WrongType);
    match decoded {
        Ok(object) if !wrong => (Some(object), flaws),
        Ok(_) => (None, flaws),
        Err(error) => {
            if !wrong {
                flaws.push(Flaw {
                    kind: FlawKind::WrongType,
                    pointer: String::new(),
                    message: error.to_string(),
                    hints: Vec::new(),
                });
            }
            (None, flaws)
        }
    }
}

/// Where decoding stands.
#[derive(Default)]
struct Context {
    path: Vec<Step>,
    structs: Vec<(&'static str, &'static [&'static str])>,
    flaws: Vec<Flaw>,
}

enum Step {
    Field(String),
    Key(String),
    Index(usize),
}

impl Context {
    fn pointer(&self) -> String {
        let mut pointer = String::new();
        for step in &self.path {
            pointer.push('/');
            match step {
                Step::Field(name) | Step::Key(name) => pointer.push_str(&peapod_yaml::escape(name)),
                Step::Index(index) => pointer.push_str(&index.to_string()),
            }
        }
        pointer
    }

    /// `spec.containers[0].env`, as strict errors name a place.
    fn strict_path(&self) -> String {
        let mut path = String::new();
        for step in &self.path {
            match step {
                Step::Field(name) | Step::Key(name) => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(name);
                }
                Step::Index(index) => path.push_str(&format!("[{index}]")),
            }
        }
        path
    }

    /// `EnvVar.spec.containers.env.value`, as type errors name a field.
    fn go_field(&self) -> Option<String> {
        let fields: Vec<&str> = self
            .path
            .iter()
            .filter_map(|step| match step {
                Step::Field(name) => Some(name.as_str()),
                Step::Key(_) | Step::Index(_) => None,
            })
            .collect();
        let (owner, _) = self.structs.last()?;
        (!fields.is_empty()).then(|| format!("{owner}.{}", fields.join(".")))
    }

    fn wrong_type(&mut self, found: &Value, wanted: &str) {
        let owner = self.structs.last().map_or("", |(name, _)| name);
        let field = self.path.iter().rev().find_map(|step| {
            if let Step::Field(name) = step {
                Some(name.as_str())
            } else {
                None
            }
        });
        let inside = !matches!(self.path.last(), Some(Step::Field(_)) | None);
        let wanted = go_types::named(owner, field.unwrap_or_default(), inside).unwrap_or(wanted);
        let target = match self.go_field() {
            Some(field) => format!("struct field {field}"),
            None => "value".to_owned(),
        };
        let message = format!(
            "json: cannot unmarshal {} into Go {target} of type {wanted}",
            go_kind(found, wanted)
        );
        let hints = hint::wrong_type(found, wanted);
        self.flaw(FlawKind::WrongType, message, hints);
    }

    fn unknown_field(&mut self, name: &str, known: &'static [&'static str]) {
        let base = self.strict_path();
        let path = if base.is_empty() {
            name.to_owned()
        } else {
            format!("{base}.{name}")
        };
        let mut hints = hint::nearest(name, known.iter().copied())
            .map(|near| vec![format!("did you mean {near}?")])
            .unwrap_or_default();
        if hints.is_empty() {
            let owner = self.structs.last().map_or("", |(owner, _)| owner);
            hints.extend(hint::elsewhere(name, owner, self.ancestors_with(name)));
        }
        self.path.push(Step::Field(name.to_owned()));
        self.flaw(FlawKind::UnknownField, format!("unknown field \"{path}\""), hints);
        self.path.pop();
    }

    /// The place of the innermost struct around this one that has such a field.
    fn ancestors_with(&self, name: &str) -> Option<String> {
        let index = self.structs[..self.structs.len().saturating_sub(1)]
            .iter()
            .rposition(|(_, fields)| fields.contains(&name))?;
        // Each struct but the first is the value of a field: the one at `index` lies behind that many fields.
        let mut fields = self.path.iter().filter_map(|step| {
            if let Step::Field(name) = step {
                Some(name.as_str())
            } else {
                None
            }
        });
        let above: Vec<&str> = fields.by_ref().take(index).collect();
        Some(if above.is_empty() {
            "the top level".to_owned()
        } else {
            above.join(".")
        })
    }

    fn flaw(&mut self, kind: FlawKind, message: String, hints: Vec<String>) {
        let pointer = self.pointer();
        self.flaws.push(Flaw {
            kind,
            pointer,
            message,
            hints,
        });
    }
}

/// How Go names the kind of a JSON value; a number that does not fit an integer is quoted.
fn go_kind(value: &Value, wanted: &str) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "bool".to_owned(),
        Value::Number(number) if wanted.starts_with("int") => format!("number {number}"),
        Value::Number(_) => "number".to_owned(),
        Value::String(_) => "string".to_owned(),
        Value::Array(_) => "array".to_owned(),
        Value::Object(_) => "object".to_owned(),
    }
}

/// A value and where decoding stands.
#[derive(Clone, Copy)]
struct Decoder<'a> {
    value: &'a Value,
    context: &'a RefCell<Context>,
}

/// An error that only a visitor of the types makes.
#[derive(Debug)]
struct Refused(String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

impl de::Error for Refused {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

/// What a visitor says it expects.
fn expectation<'de, V: Visitor<'de>>(visitor: &V) -> String {
    struct Wrapper<'v, V>(&'v V);
    impl<'de, V: Visitor<'de>> fmt::Display for Wrapper<'_, V> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.expecting(f)
        }
    }
    Wrapper(visitor).to_string()
}

impl<'a> Decoder<'a> {
    fn wrong(&self, wanted: &str) {
        self.context.borrow_mut().wrong_type(self.value, wanted);
    }

    fn flaw(&self, message: String, hints: Vec<String>) {
        self.context.borrow_mut().flaw(FlawKind::WrongType, message, hints);
    }

    fn at(&self, value: &'a Value) -> Self {
        Self {
            value,
            context: self.context,
        }
    }

    fn integer(&self, wanted: &str, low: i64, high: i64) -> i64 {
        match self.value {
            Value::Null => 0,
            Value::Number(number) => match number.as_i64().filter(|int| (low..=high).contains(int)) {
                Some(int) => int,
                None => {
                    self.wrong(wanted);
                    0
                }
            },
            _ => {
                // The value itself is only quoted for numbers.
                self.wrong(wanted);
                0
            }
        }
    }

    fn text(&self) -> &'a str {
        match self.value {
            Value::String(text) => text,
            Value::Null => "",
            _ => {
                self.wrong("string");
                ""
            }
        }
    }
}

impl<'de, 'a> de::Deserializer<'de> for Decoder<'a> {
    type Error = Refused;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        if expectation(&visitor) == "IntOrString" {
            return match self.value {
                Value::String(text) => visitor.visit_str(text),
                Value::Number(number) => match number.as_i64().and_then(|int| i32::try_from(int).ok()) {
                    Some(int) => visitor.visit_i32(int),
                    None => {
                        self.flaw(
                            format!("json: cannot unmarshal number {number} into Go value of type int32"),
                            Vec::new(),
                        );
                        visitor.visit_i32(0)
                    }
                },
                Value::Null => visitor.visit_i32(0),
                other => {
                    let message = format!(
                        "json: cannot unmarshal {} into Go value of type int32",
                        go_kind(other, "")
                    );
                    self.flaw(
                        message,
                        vec!["it takes a whole number or text such as \"25%\"".to_owned()],
                    );
                    visitor.visit_i32(0)
                }
            };
        }
        match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
                (Some(int), ..) => visitor.visit_i64(int),
                (_, Some(int), _) => visitor.visit_u64(int),
                (_, _, float) => visitor.visit_f64(float.unwrap_or_default()),
            },
            Value::String(text) => visitor.visit_str(text),
            Value::Array(_) => visitor.visit_seq(Items { decoder: self, next: 0 }),
            Value::Object(_) => visitor.visit_map(Fields::of_map(self)),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        match self.value {
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Null => visitor.visit_bool(false),
            _ => {
                self.wrong("bool");
                visitor.visit_bool(false)
            }
        }
    }

    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let int = self.integer("int32", i32::MIN.into(), i32::MAX.into());
        visitor.visit_i32(i32::try_from(int).unwrap_or_default())
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_i64(self.integer("int64", i64::MIN, i64::MAX))
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        match self.value {
            Value::Number(number) => visitor.visit_f64(number.as_f64().unwrap_or_default()),
            Value::Null => visitor.visit_f64(0.0),
            _ => {
                self.wrong("float64");
                visitor.visit_f64(0.0)
            }
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let text = self.text();
        if expectation(&visitor) == "a base64-encoded string"
            && let Some(index) = bad_base64(text)
        {
            let hint = "data holds base64; plain text goes into stringData".to_owned();
            self.flaw(format!("illegal base64 data at input byte {index}"), vec![hint]);
            return visitor.visit_str("");
        }
        visitor.visit_str(text)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        if self.value.is_null() {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Refused> {
        let replacement = match name {
            "Quantity" => {
                let text = match self.value {
                    Value::String(text) => text.clone(),
                    Value::Number(number) => number.to_string(),
                    Value::Null => "0".to_owned(),
                    // UnmarshalJSON takes whatever stands there as text.
                    other => other.to_string(),
                };
                match quantity::parse(&text) {
                    // As the API shows it: in canonical form.
                    Ok(quantity) => return visitor.visit_newtype_struct(quantity.to_string().into_deserializer()),
                    Err(error) => {
                        self.flaw(
                            error.to_string(),
                            vec!["a quantity is a number with a suffix, such as 100m, 0.5 or 128Mi".to_owned()],
                        );
                        Value::from("0")
                    }
                }
            }
            "Time" | "MicroTime" => {
                let text = self.text();
                match text.parse::<jiff::Timestamp>() {
                    Ok(_) => return visitor.visit_newtype_struct(self),
                    Err(_) => {
                        if self.value.is_string() {
                            let layout = if name == "Time" {
                                "2006-01-02T15:04:05Z07:00"
                            } else {
                                "2006-01-02T15:04:05.000000Z07:00"
                            };
                            let message =
                                format!("parsing time {text:?} as {layout:?}: cannot parse {text:?} as \"2006\"");
                            self.flaw(message, vec!["a time is written 2024-08-10T10:20:53Z".to_owned()]);
                        }
                        Value::from("1970-01-01T00:00:00Z")
                    }
                }
            }
            _ => return visitor.visit_newtype_struct(self),
        };
        visitor.visit_newtype_struct(Decoder {
            value: &replacement,
            context: self.context,
        })
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        match self.value {
            Value::Array(_) => visitor.visit_seq(Items { decoder: self, next: 0 }),
            Value::Null => visitor.visit_seq(Nothing),
            _ => {
                let inner = RefCell::new(String::new());
                let decoded = visitor.visit_seq(Probe {
                    found: &inner,
                    done: false,
                });
                self.wrong(&format!("[]{}", inner.into_inner()));
                decoded
            }
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        match self.value {
            Value::Object(_) => visitor.visit_map(Fields::of_map(self)),
            Value::Null => visitor.visit_map(Nothing),
            _ => {
                let inner = RefCell::new(String::new());
                let decoded = visitor.visit_map(Probe {
                    found: &inner,
                    done: false,
                });
                self.wrong(&format!("map[string]{}", inner.into_inner()));
                decoded
            }
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        match self.value {
            Value::Object(_) => {
                self.context.borrow_mut().structs.push((name, fields));
                let decoded = visitor.visit_map(Fields::of_struct(self, fields));
                self.context.borrow_mut().structs.pop();
                decoded
            }
            Value::Null => visitor.visit_map(Nothing),
            _ => {
                self.wrong(&format!("v1.{name}"));
                visitor.visit_map(Nothing)
            }
        }
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i128 u8 u16 u32 u64 u128 f32 char bytes byte_buf unit unit_struct tuple tuple_struct enum identifier
        ignored_any
    }
}

/// The first byte that is not base64, if one is not (`encoding/base64 CorruptInputError`).
fn bad_base64(text: &str) -> Option<usize> {
    let digits = text.trim_end_matches('=');
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    if let Some(index) = digits.bytes().position(|byte| !allowed(byte)) {
        return Some(index);
    }
    if text.len().is_multiple_of(4) && text.len() - digits.len() <= 2 {
        None
    } else {
        Some(text.len() / 4 * 4)
    }
}

/// The items of a list.
struct Items<'a> {
    decoder: Decoder<'a>,
    next: usize,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Refused;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Refused> {
        let Some(item) = self.decoder.value.get(self.next) else {
            return Ok(None);
        };
        self.decoder.context.borrow_mut().path.push(Step::Index(self.next));
        self.next += 1;
        let decoded = seed.deserialize(self.decoder.at(item));
        self.decoder.context.borrow_mut().path.pop();
        decoded.map(Some)
    }
}

/// The fields of a struct, or the entries of a map.
struct Fields<'a> {
    decoder: Decoder<'a>,
    entries: serde_json::map::Iter<'a>,
    /// The fields that the struct has; `None` for a map, which takes any key.
    known: Option<&'static [&'static str]>,
    current: Option<(&'a str, &'a Value)>,
}

static EMPTY: std::sync::LazyLock<serde_json::Map<String, Value>> = std::sync::LazyLock::new(serde_json::Map::new);

impl<'a> Fields<'a> {
    fn of_map(decoder: Decoder<'a>) -> Self {
        let entries = decoder
            .value
            .as_object()
            .map_or_else(|| EMPTY.iter(), serde_json::Map::iter);
        Self {
            decoder,
            entries,
            known: None,
            current: None,
        }
    }

    fn of_struct(decoder: Decoder<'a>, fields: &'static [&'static str]) -> Self {
        Self {
            known: Some(fields),
            ..Self::of_map(decoder)
        }
    }
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Refused;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Refused> {
        for (name, value) in self.entries.by_ref() {
            if let Some(known) = self.known
                && !known.contains(&name.as_str())
            {
                self.decoder.context.borrow_mut().unknown_field(name, known);
                continue;
            }
            self.current = Some((name, value));
            return seed.deserialize(name.as_str().into_deserializer()).map(Some);
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Refused> {
        let Some((name, value)) = self.current.take() else {
            return Err(Refused("a value without a key".to_owned()));
        };
        let step = if self.known.is_some() {
            Step::Field(name.to_owned())
        } else {
            Step::Key(name.to_owned())
        };
        self.decoder.context.borrow_mut().path.push(step);
        let decoded = seed.deserialize(self.decoder.at(value));
        self.decoder.context.borrow_mut().path.pop();
        decoded
    }
}

/// An empty list or struct, in place of a value that has a wrong type.
struct Nothing;

impl<'de> SeqAccess<'de> for Nothing {
    type Error = Refused;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, _: T) -> Result<Option<T::Value>, Refused> {
        Ok(None)
    }
}

impl<'de> MapAccess<'de> for Nothing {
    type Error = Refused;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, _: K) -> Result<Option<K::Value>, Refused> {
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, _: V) -> Result<V::Value, Refused> {
        Err(Refused("a value without a key".to_owned()))
    }
}

/// Offers one empty item to learn what type the items of a list or map have, as Go would name it.
struct Probe<'a> {
    found: &'a RefCell<String>,
    done: bool,
}

impl<'de> SeqAccess<'de> for Probe<'_> {
    type Error = Refused;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Refused> {
        if std::mem::replace(&mut self.done, true) {
            return Ok(None);
        }
        seed.deserialize(ProbeItem { found: self.found }).map(Some)
    }
}

impl<'de> MapAccess<'de> for Probe<'_> {
    type Error = Refused;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Refused> {
        if std::mem::replace(&mut self.done, true) {
            return Ok(None);
        }
        seed.deserialize("".into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Refused> {
        seed.deserialize(ProbeItem { found: self.found })
    }
}

struct ProbeItem<'a> {
    found: &'a RefCell<String>,
}

impl ProbeItem<'_> {
    fn is(&self, name: &str) {
        self.found.borrow_mut().push_str(name);
    }
}

impl<'de> de::Deserializer<'de> for ProbeItem<'_> {
    type Error = Refused;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.is(if expectation(&visitor) == "IntOrString" {
            "intstr.IntOrString"
        } else {
            "interface {}"
        });
        visitor.visit_str("")
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.is("bool");
        visitor.visit_bool(false)
    }

    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.is("int32");
        visitor.visit_i32(0)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.is("int64");
        visitor.visit_i64(0)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.is(if expectation(&visitor) == "a base64-encoded string" {
            "[]uint8"
        } else {
            "string"
        });
        visitor.visit_str("")
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Refused> {
        self.is(if name == "Quantity" { "resource.Quantity" } else { "v1." });
        if name != "Quantity" {
            self.is(name);
        }
        visitor.visit_newtype_struct("0".into_deserializer())
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.is("[]");
        visitor.visit_seq(Probe {
            found: self.found,
            done: false,
        })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.is("map[string]");
        visitor.visit_map(Probe {
            found: self.found,
            done: false,
        })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.is("v1.");
        self.is(name);
        visitor.visit_map(Nothing)
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct enum identifier
        ignored_any
    }
}
