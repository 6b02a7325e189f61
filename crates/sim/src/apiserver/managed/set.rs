//! Sets of field paths (`structured-merge-diff/fieldpath`).

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Element {
    /// A field of an object or a key of a map.
    Field(String),
    /// An item of a list, by the values of its keys: pairs of a name and the value as JSON.
    Key(Vec<(String, String)>),
    /// An item of a set, as JSON.
    Item(String),
}

impl Element {
    fn encoded(&self) -> String {
        match self {
            Self::Field(name) => format!("f:{name}"),
            Self::Key(keys) => {
                let pairs: Vec<String> = keys
                    .iter()
                    .map(|(name, value)| format!("{}:{value}", Value::from(name.as_str())))
                    .collect();
                format!("k:{{{}}}", pairs.join(","))
            }
            Self::Item(value) => format!("v:{value}"),
        }
    }

    fn shown(&self) -> String {
        match self {
            Self::Field(name) => format!(".{name}"),
            Self::Key(keys) => {
                let pairs: Vec<String> = keys.iter().map(|(name, value)| format!("{name}={value}")).collect();
                format!("[{}]", pairs.join(","))
            }
            Self::Item(value) => format!("[={value}]"),
        }
    }
}

/// A set of paths as a tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Set {
    /// Whether the path that leads here is a member.
    pub here: bool,
    /// What lies below.
    pub below: BTreeMap<Element, Set>,
}

impl Set {
    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        !self.here && self.below.values().all(Self::is_empty)
    }

    /// The part below one step, which is made if it is not there.
    pub fn child(&mut self, element: Element) -> &mut Self {
        self.below.entry(element).or_default()
    }

    /// The members of both.
    pub fn and(&self, other: &Self) -> Self {
        self.combine(other, |one, two| one && two)
    }

    /// The members of either.
    pub fn plus(&self, other: &Self) -> Self {
        self.combine(other, |one, two| one || two)
    }

    /// The members of this one that the other does not have.
    pub fn minus(&self, other: &Self) -> Self {
        self.combine(other, |one, two| one && !two)
    }

    /// Takes in the members of another.
    pub fn add(&mut self, other: &Self) {
        self.here |= other.here;
        for (element, below) in other.below.iter().filter(|(_, below)| !below.is_empty()) {
            match self.below.get_mut(element) {
                Some(own) => own.add(below),
                None => {
                    self.below.insert(element.clone(), below.clone());
                }
            }
        }
    }

    /// Takes out the members of another.
    pub fn take(&mut self, other: &Self) {
        self.here &= !other.here;
        for (element, below) in &other.below {
            if let Some(own) = self.below.get_mut(element) {
                own.take(below);
                if own.is_empty() {
                    self.below.remove(element);
                }
            }
        }
    }

    fn combine(&self, other: &Self, rule: fn(bool, bool) -> bool) -> Self {
        let nothing = Self::default();
        let mut below = BTreeMap::new();
        for element in self.below.keys().chain(other.below.keys()) {
            if below.contains_key(element) {
                continue;
            }
            let one = self.below.get(element).unwrap_or(&nothing);
            let two = other.below.get(element).unwrap_or(&nothing);
            let both = one.combine(two, rule);
            if !both.is_empty() {
                below.insert(element.clone(), both);
            }
        }
        Self {
            here: rule(self.here, other.here),
            below,
        }
    }

    /// Takes out a path and everything below it.
    pub fn remove(&mut self, path: &[Element]) {
        match path {
            [] => *self = Self::default(),
            [first, rest @ ..] => {
                if let Some(child) = self.below.get_mut(first) {
                    child.remove(rest);
                    if child.is_empty() {
                        self.below.remove(first);
                    }
                }
            }
        }
    }

    /// Takes out a path, but not what is below it.
    pub fn forget(&mut self, path: &[Element]) {
        match path {
            [] => self.here = false,
            [first, rest @ ..] => {
                if let Some(child) = self.below.get_mut(first) {
                    child.forget(rest);
                    if child.is_empty() {
                        self.below.remove(first);
                    }
                }
            }
        }
    }

    /// Whether all members are below one field.
    pub fn is_only(&self, field: &str) -> bool {
        self.below
            .iter()
            .all(|(element, set)| set.is_empty() || *element == Element::Field(field.to_owned()))
    }

    /// All members as conflicts show them.
    pub fn paths(&self) -> Vec<String> {
        fn walk(set: &Set, path: &str, found: &mut Vec<String>) {
            if set.here {
                found.push(path.to_owned());
            }
            for (element, below) in &set.below {
                walk(below, &format!("{path}{}", element.shown()), found);
            }
        }
        let mut found = Vec::new();
        walk(self, "", &mut found);
        found
    }

    /// The set as `fieldsV1` writes it.
    pub fn to_json(&self) -> Value {
        let mut map = Map::new();
        if self.here && !self.below.is_empty() {
            map.insert(".".to_owned(), Value::Object(Map::new()));
        }
        for (element, below) in &self.below {
            map.insert(element.encoded(), below.to_json());
        }
        Value::Object(map)
    }
}
