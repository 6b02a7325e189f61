//! What `kubectl get` prints.

pub mod age;
pub mod cells;
pub mod columns;
pub mod json;
pub mod jsonpath;
pub mod kyaml;
pub mod output;
pub mod pod;
pub mod sort;
pub mod table;
pub mod template;
pub mod yaml;

use std::borrow::Borrow;

use jiff::Timestamp;
use serde_json::Value;

use crate::value::{map, text};
use table::{TableWriter, one_line};

/// How a table is laid out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableOptions {
    /// `-o wide`
    pub wide: bool,
    /// `--no-headers`
    pub no_headers: bool,
    /// A NAMESPACE column, as with `-A`.
    pub with_namespace: bool,
    /// `--show-labels`
    pub show_labels: bool,
    /// `-L`
    pub label_columns: Vec<String>,
    /// What stands before each name and a slash, such as `deployment.apps`.
    pub kind_prefix: Option<String>,
}

/// The rows of a table of objects of one kind, the header first unless it is not wanted.
#[must_use]
pub fn rows(kind: &str, objects: &[impl Borrow<Value>], now: Timestamp, options: &TableOptions) -> Vec<Vec<String>> {
    let columns = columns::columns(kind);
    let mut rows = Vec::with_capacity(objects.len() + 1);
    if !options.no_headers {
        rows.push(header(&columns, options));
    }
    rows.extend(
        objects
            .iter()
            .map(|object| row(&columns, object.borrow(), now, options)),
    );
    rows
}

fn header(columns: &[columns::Column], options: &TableOptions) -> Vec<String> {
    let mut row = Vec::new();
    if options.with_namespace {
        row.push("NAMESPACE".to_owned());
    }
    row.extend(
        columns
            .iter()
            .filter(|(_, priority)| options.wide || *priority == 0)
            .map(|(name, _)| name.to_uppercase()),
    );
    for label in &options.label_columns {
        row.push(label.rsplit('/').next().unwrap_or(label).to_uppercase());
    }
    if options.show_labels {
        row.push("LABELS".to_owned());
    }
    row
}

fn row(columns: &[columns::Column], object: &Value, now: Timestamp, options: &TableOptions) -> Vec<String> {
    let mut row = Vec::new();
    if options.with_namespace {
        row.push(text(object, "/metadata/namespace").to_owned());
    }
    let cells = cells::cells(object, now);
    for (index, (cell, (name, priority))) in cells.iter().zip(columns).enumerate() {
        if *priority > 0 && !options.wide {
            continue;
        }
        let mut shown = match cell {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        if let Some(prefix) = options.kind_prefix.as_ref().filter(|_| index == 0 && *name == "Name") {
            shown = format!("{prefix}/{shown}");
        }
        row.push(one_line(&shown));
    }
    let labels = map(object, "/metadata/labels");
    for label in &options.label_columns {
        row.push(
            labels
                .and_then(|labels| labels.get(label))
                .and_then(Value::as_str)
                .unwrap_or("")
                .to_owned(),
        );
    }
    if options.show_labels {
        row.push(cells::labels(object, "/metadata/labels"));
    }
    row
}

/// The text of a table of objects of one kind, as `kubectl get` prints it.
#[must_use]
pub fn table(kind: &str, objects: &[impl Borrow<Value>], now: Timestamp, options: &TableOptions) -> String {
    let mut out = String::new();
    TableWriter::default().write(&rows(kind, objects, now, options), &mut out);
    out
}

/// Prints the changes of a `get -w`: one row a change, under the columns of what was printed before.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    kind: String,
    options: TableOptions,
    writer: TableWriter,
}

impl Watch {
    /// A watch of one kind.
    #[must_use]
    pub fn new(kind: &str, options: TableOptions) -> Watch {
        Watch {
            kind: kind.to_owned(),
            options,
            writer: TableWriter::default(),
        }
    }

    /// The next rows. Only the first call prints the header.
    pub fn print(&mut self, objects: &[impl Borrow<Value>], now: Timestamp) -> String {
        let mut out = String::new();
        self.writer
            .write(&rows(&self.kind, objects, now, &self.options), &mut out);
        self.options.no_headers = true;
        out
    }
}
