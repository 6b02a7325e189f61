//! The fields of Kubernetes' types, read off the types themselves: their `Deserialize` implementations are run on a
//! deserializer that notes which fields they ask for. So a misspelt field in an expression is found when the note is
//! read, for every kind that the cluster knows, and no list of fields has to be kept.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use peapod_sim::objects::{Kind, Object, RESOURCES};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor, value::Error};

/// What is known about a value before anything runs.
#[derive(Clone, Debug, PartialEq)]
pub enum Type {
    /// Anything.
    Any,
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Int,
    /// A number.
    Number,
    /// Text.
    Text,
    /// A list.
    List(Arc<Type>),
    /// A map from text.
    Map(Arc<Type>),
    /// An object of Kubernetes or a part of one.
    Struct(Arc<Struct>),
}

/// A struct of Kubernetes.
#[derive(Clone, Debug, PartialEq)]
pub struct Struct {
    /// Its name, such as `PodStatus`.
    pub name: &'static str,
    /// Its fields in the order of their declaration.
    pub fields: Vec<(&'static str, Type)>,
}

impl Struct {
    /// The type of a field.
    pub fn field(&self, name: &str) -> Option<&Type> {
        self.fields
            .iter()
            .find(|(field, _)| *field == name)
            .map(|(_, field)| field)
    }
}

impl Type {
    /// In words, for errors.
    pub fn words(&self) -> String {
        match self {
            Self::Any => "anything".to_owned(),
            Self::Bool => "true or false".to_owned(),
            Self::Int => "a whole number".to_owned(),
            Self::Number => "a number".to_owned(),
            Self::Text => "text".to_owned(),
            Self::List(_) => "a list".to_owned(),
            Self::Map(_) => "a map".to_owned(),
            Self::Struct(fields) => format!("a {}", fields.name),
        }
    }
}

/// The type of the objects of a kind.
pub fn of_kind(kind: Kind) -> Type {
    static TYPES: LazyLock<BTreeMap<Kind, Type>> = LazyLock::new(|| {
        RESOURCES
            .iter()
            .map(|resource| (resource.kind, reflect(resource.kind)))
            .collect()
    });
    TYPES.get(&kind).cloned().unwrap_or(Type::Any)
}

/// The part of a kind at a path of field names; lists are entered.
pub fn part(kind: Kind, path: &[&str]) -> Type {
    path.iter().fold(of_kind(kind), |found, name| {
        let found = if let Type::List(element) = &found {
            (**element).clone()
        } else {
            found
        };
        match &found {
            Type::Struct(fields) => fields.field(name).cloned().unwrap_or(Type::Any),
            _ => Type::Any,
        }
    })
}

/// Deeper than any type of Kubernetes nests, except those that contain themselves.
const MAX_DEPTH: usize = 40;

fn reflect(kind: Kind) -> Type {
    let mut found = Type::Any;
    // What the type makes of the empty values that it gets does not matter; it has asked for its fields by then.
    let _ = Object::deserialize(
        kind,
        Recorder {
            found: &mut found,
            depth: 0,
            time: false,
        },
    );
    found
}

/// Gives a type empty values and notes what it asks for.
struct Recorder<'a> {
    found: &'a mut Type,
    depth: usize,
    time: bool,
}

impl Recorder<'_> {
    fn text(&self) -> &'static str {
        if self.time { "2024-08-10T10:20:53Z" } else { "" }
    }
}

macro_rules! scalars {
    ($($method:ident $visit:ident $value:expr, $found:expr;)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            *self.found = $found;
            visitor.$visit($value)
        })*
    };
}

macro_rules! texts {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            *self.found = Type::Text;
            visitor.visit_str(self.text())
        })*
    };
}

impl<'de> Deserializer<'de> for Recorder<'_> {
    type Error = Error;

    scalars! {
        deserialize_bool visit_bool false, Type::Bool;
        deserialize_i8 visit_i8 0, Type::Int;
        deserialize_i16 visit_i16 0, Type::Int;
        deserialize_i32 visit_i32 0, Type::Int;
        deserialize_i64 visit_i64 0, Type::Int;
        deserialize_u8 visit_u8 0, Type::Int;
        deserialize_u16 visit_u16 0, Type::Int;
        deserialize_u32 visit_u32 0, Type::Int;
        deserialize_u64 visit_u64 0, Type::Int;
        deserialize_f32 visit_f32 0.0, Type::Number;
        deserialize_f64 visit_f64 0.0, Type::Number;
        deserialize_any visit_str "", Type::Any;
        deserialize_ignored_any visit_str "", Type::Any;
        deserialize_bytes visit_bytes &[], Type::Text;
        deserialize_byte_buf visit_bytes &[], Type::Text;
    }

    texts! { deserialize_str deserialize_string deserialize_char deserialize_identifier }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _name: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Error> {
        let time = matches!(name, "Time" | "MicroTime");
        visitor.visit_newtype_struct(Recorder { time, ..self })
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let mut element = Type::Any;
        let made = visitor.visit_seq(Single {
            found: &mut element,
            depth: self.depth + 1,
            left: true,
        });
        *self.found = Type::List(Arc::new(element));
        made
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let mut element = Type::Any;
        let made = visitor.visit_map(Single {
            found: &mut element,
            depth: self.depth + 1,
            left: true,
        });
        *self.found = Type::Map(Arc::new(element));
        made
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if self.depth >= MAX_DEPTH {
            return visitor.visit_map(Fields {
                fields: &[],
                current: "",
                found: &mut Vec::new(),
                depth: 0,
            });
        }
        let mut found = Vec::with_capacity(fields.len());
        let made = visitor.visit_map(Fields {
            fields,
            current: "",
            found: &mut found,
            depth: self.depth + 1,
        });
        *self.found = Type::Struct(Arc::new(Struct { name, fields: found }));
        made
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        *self.found = Type::Text;
        visitor.visit_str("")
    }
}

/// One element of a list or of a map.
struct Single<'a> {
    found: &'a mut Type,
    depth: usize,
    left: bool,
}

impl<'de> SeqAccess<'de> for Single<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        if !std::mem::take(&mut self.left) {
            return Ok(None);
        }
        seed.deserialize(Recorder {
            found: self.found,
            depth: self.depth,
            time: false,
        })
        .map(Some)
    }
}

impl<'de> MapAccess<'de> for Single<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        if !std::mem::take(&mut self.left) {
            return Ok(None);
        }
        seed.deserialize(Recorder {
            found: &mut Type::Any,
            depth: self.depth,
            time: false,
        })
        .map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        seed.deserialize(Recorder {
            found: self.found,
            depth: self.depth,
            time: false,
        })
    }
}

/// The fields of a struct, one after another.
struct Fields<'a> {
    fields: &'static [&'static str],
    current: &'static str,
    found: &'a mut Vec<(&'static str, Type)>,
    depth: usize,
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        while let Some((name, rest)) = self.fields.split_first() {
            self.fields = rest;
            // A kind accepts only its own name in these two.
            if matches!(*name, "apiVersion" | "kind") {
                self.found.push((name, Type::Text));
                continue;
            }
            self.current = name;
            return seed.deserialize(serde::de::value::StrDeserializer::new(name)).map(Some);
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let mut found = Type::Any;
        let made = seed.deserialize(Recorder {
            found: &mut found,
            depth: self.depth,
            time: false,
        });
        self.found.push((self.current, found));
        made
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_tells_its_fields() {
        for resource in RESOURCES {
            let Type::Struct(fields) = of_kind(resource.kind) else {
                panic!("{} tells nothing", resource.name)
            };
            assert_eq!(fields.name, resource.name);
            assert!(
                matches!(fields.field("metadata"), Some(Type::Struct(_))),
                "{}",
                resource.name
            );
        }
    }

    #[test]
    fn types_are_known_to_the_leaves() {
        for (path, expected) in [
            (&["status", "phase"][..], Type::Text),
            (&["status", "startTime"], Type::Text),
            (&["status", "containerStatuses", "restartCount"], Type::Int),
            (&["status", "containerStatuses", "ready"], Type::Bool),
            (
                &["status", "containerStatuses", "state", "terminated", "exitCode"],
                Type::Int,
            ),
            (&["metadata", "labels"], Type::Map(Arc::new(Type::Text))),
            (&["spec", "containers", "livenessProbe", "httpGet", "port"], Type::Any),
            (
                &["spec", "containers", "resources", "limits"],
                Type::Map(Arc::new(Type::Any)),
            ),
        ] {
            assert_eq!(part(Kind::Pod, path), expected, "{path:?}");
        }
        let Type::Struct(spec) = part(Kind::Pod, &["spec"]) else {
            panic!("no spec")
        };
        assert!(spec.field("restartPolicy").is_some() && spec.field("restartpolicy").is_none());
    }
}
