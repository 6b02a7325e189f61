//! Field errors: the grammar in which the API server says what is wrong with a value and where
//! (`apimachinery/pkg/util/validation/field`).

use std::fmt;

use serde::Serialize;
use serde_json::{Value, json};

use crate::objects::Kind;
use crate::request::Status;
use crate::version::Profile;

/// A path such as `spec.containers[0].image`, made only when an error needs it.
#[derive(Clone, Copy)]
pub(crate) struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Child(&'a str),
    Index(usize),
    Key(&'a str),
}

impl<'a> Path<'a> {
    pub(crate) const fn root(name: &'a str) -> Self {
        Self {
            parent: None,
            step: Step::Child(name),
        }
    }

    pub(crate) const fn child(&'a self, name: &'a str) -> Self {
        Self {
            parent: Some(self),
            step: Step::Child(name),
        }
    }

    pub(crate) const fn index(&'a self, index: usize) -> Self {
        Self {
            parent: Some(self),
            step: Step::Index(index),
        }
    }

    pub(crate) const fn key(&'a self, key: &'a str) -> Self {
        Self {
            parent: Some(self),
            step: Step::Key(key),
        }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
        }
        match self.step {
            Step::Child(name) if self.parent.is_some() => write!(f, ".{name}"),
            Step::Child(name) => f.write_str(name),
            Step::Index(index) => write!(f, "[{index}]"),
            Step::Key(key) => write!(f, "[{key}]"),
        }
    }
}

/// One error about one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// Its path.
    pub field: String,
    /// The machine's reason, such as `FieldValueRequired`.
    pub reason: &'static str,
    /// What is said behind the path: `Required value`, `Invalid value: 0: must be …`.
    pub message: String,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

/// The errors of an object, in the order in which they are found, and the version whose rules apply.
#[derive(Clone, Debug, Default)]
pub(crate) struct Errors {
    /// What is wrong.
    pub(crate) list: Vec<FieldError>,
    /// What is switched on.
    pub(crate) version: Profile,
}

/// Text as Go quotes it.
pub(crate) fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// A value as an error shows it: text in quotes, everything else as JSON, keys of maps in order.
pub(crate) fn shown<T: Serialize>(value: &T) -> String {
    fn sorted(value: Value) -> Value {
        match value {
            Value::Object(map) => {
                let mut entries: Vec<(String, Value)> =
                    map.into_iter().map(|(key, value)| (key, sorted(value))).collect();
                entries.sort_by(|left, right| left.0.cmp(&right.0));
                Value::Object(entries.into_iter().collect())
            }
            Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
            other => other,
        }
    }
    serde_json::to_value(value)
        .map(|value| sorted(value).to_string())
        .unwrap_or_default()
}

impl Errors {
    /// No errors yet, by the rules of a version.
    pub(crate) fn of(version: Profile) -> Self {
        Self {
            list: Vec::new(),
            version,
        }
    }

    fn push(&mut self, path: &Path<'_>, reason: &'static str, head: String, detail: &str) {
        let message = if detail.is_empty() {
            head
        } else {
            format!("{head}: {detail}")
        };
        self.list.push(FieldError {
            field: path.to_string(),
            reason,
            message,
        });
    }

    pub(crate) fn required(&mut self, path: &Path<'_>, detail: &str) {
        self.push(path, "FieldValueRequired", "Required value".to_owned(), detail);
    }

    /// `value` as it is shown; see [`quoted`] and [`shown`].
    pub(crate) fn invalid(&mut self, path: &Path<'_>, value: impl fmt::Display, detail: &str) {
        self.push(path, "FieldValueInvalid", format!("Invalid value: {value}"), detail);
    }

    /// Invalid text.
    pub(crate) fn invalid_text(&mut self, path: &Path<'_>, text: &str, detail: &str) {
        self.invalid(path, quoted(text), detail);
    }

    /// Invalid text, once for each reason.
    pub(crate) fn invalid_for(&mut self, path: &Path<'_>, text: &str, reasons: Vec<String>) {
        for reason in reasons {
            self.invalid_text(path, text, &reason);
        }
    }

    pub(crate) fn unsupported(&mut self, path: &Path<'_>, value: &str, supported: &[&str]) {
        self.unsupported_value(path, &quoted(value), supported);
    }

    /// A value that is not supported, as it is shown.
    pub(crate) fn unsupported_value(&mut self, path: &Path<'_>, value: &str, supported: &[&str]) {
        let supported: Vec<String> = supported.iter().map(|value| quoted(value)).collect();
        let detail = format!("supported values: {}", supported.join(", "));
        self.push(
            path,
            "FieldValueNotSupported",
            format!("Unsupported value: {value}"),
            &detail,
        );
    }

    pub(crate) fn duplicate(&mut self, path: &Path<'_>, value: &str) {
        self.push(
            path,
            "FieldValueDuplicate",
            format!("Duplicate value: {}", quoted(value)),
            "",
        );
    }

    /// A value that is there twice, as it is shown.
    pub(crate) fn duplicate_value(&mut self, path: &Path<'_>, value: &str) {
        self.push(path, "FieldValueDuplicate", format!("Duplicate value: {value}"), "");
    }

    pub(crate) fn forbidden(&mut self, path: &Path<'_>, detail: &str) {
        self.push(path, "FieldValueForbidden", "Forbidden".to_owned(), detail);
    }

    pub(crate) fn not_found(&mut self, path: &Path<'_>, value: &str) {
        self.push(path, "FieldValueNotFound", format!("Not found: {}", quoted(value)), "");
    }

    pub(crate) fn too_long(&mut self, path: &Path<'_>, limit: usize) {
        self.push(
            path,
            "FieldValueTooLong",
            "Too long".to_owned(),
            &format!("may not be more than {limit} bytes"),
        );
    }

    pub(crate) fn too_many(&mut self, path: &Path<'_>, count: usize, limit: usize) {
        let detail = format!("must have at most {limit} items");
        self.push(path, "FieldValueTooMany", format!("Too many: {count}"), &detail);
    }

    /// A number that may not be below zero.
    pub(crate) fn nonnegative(&mut self, path: &Path<'_>, value: i64) {
        if value < 0 {
            self.invalid(path, value, "must be greater than or equal to 0");
        }
    }

    /// The answer that refuses the object, if there is an error (`errors.NewInvalid`).
    pub(crate) fn into_status(self, kind: Kind, name: &str) -> Option<Status> {
        let resource = kind.resource();
        let mut details = json!({ "name": name, "kind": resource.name });
        let mut qualified = resource.name.to_owned();
        if !resource.group.is_empty() {
            details["group"] = Value::from(resource.group);
            qualified = format!("{qualified}.{}", resource.group);
        }
        self.refusing(&format!("{qualified} {}", quoted(name)), details)
    }

    /// The same of what is no object of a kind: how it is named, and its details but for the causes.
    pub(crate) fn refusing(self, what: &str, mut details: Value) -> Option<Status> {
        let texts: Vec<String> = self.list.iter().map(ToString::to_string).collect();
        // The same error is not said twice (`ToAggregate`).
        let mut distinct: Vec<&str> = Vec::new();
        for text in &texts {
            if !distinct.contains(&text.as_str()) {
                distinct.push(text);
            }
        }
        let said = match distinct.as_slice() {
            [] => return None,
            [one] => (*one).to_owned(),
            many => format!("[{}]", many.join(", ")),
        };
        let causes: Vec<Value> = self
            .list
            .iter()
            .map(|error| json!({ "reason": error.reason, "message": error.message, "field": error.field }))
            .collect();
        details["causes"] = causes.into();
        Some(Status {
            code: 422,
            reason: "Invalid".to_owned(),
            message: format!("{what} is invalid: {said}"),
            details,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_messages() {
        let spec = Path::root("spec");
        let containers = spec.child("containers");
        let first = containers.index(0);
        let mut errors = Errors::default();
        errors.required(&first.child("image"), "");
        errors.unsupported(
            &spec.child("restartPolicy"),
            "Sometimes",
            &["Always", "OnFailure", "Never"],
        );
        let limits = first.child("limits");
        errors.invalid_text(&limits.key("cpu"), "-1", "must be greater than or equal to 0");
        let status = errors.into_status(Kind::Pod, "x").expect("there are errors");
        assert_eq!(
            status.message,
            "Pod \"x\" is invalid: [spec.containers[0].image: Required value, spec.restartPolicy: Unsupported value: \
             \"Sometimes\": supported values: \"Always\", \"OnFailure\", \"Never\", spec.containers[0].limits[cpu]: \
             Invalid value: \"-1\": must be greater than or equal to 0]"
        );
    }
}
