//! `-o`: JSON, YAML, names, JSONPath and custom columns (`cli-runtime/pkg/printers`, `pkg/cmd/get/customcolumn.go`).

use serde_json::Value;

use super::jsonpath::{Template, go_syntax, relaxed};
use super::table::TableWriter;
use super::{json, template, yaml};
use crate::api::Files;
use crate::command::Format;
use crate::merge::strategic::go_value;
use crate::resources;
use crate::value::{list, text};

/// The format in which a template stands that is in a file, with the text of the file.
///
/// # Errors
/// What the client says of a file that it cannot read.
pub(crate) fn read_file(format: &Format, files: &dyn Files) -> Result<Format, String> {
    let read = |name: &str, what: &str| {
        let text = files.text(name);
        text.map_err(|error| format!("error reading {what} {name}, {error}"))
    };
    Ok(match format {
        Format::JsonPathFile(name) => Format::JsonPath(read(name, "--template")?),
        Format::GoTemplateFile(name) => Format::GoTemplate(read(name, "--template")?),
        Format::CustomColumnsFile(name) => {
            let text = read(name, "custom-columns-file")?;
            let mut lines = text.lines().map(str::split_whitespace).map(Iterator::collect::<Vec<_>>);
            // One line of headers, one of paths.
            match (lines.next(), lines.next()) {
                (Some(headers), Some(paths)) if headers.len() == paths.len() => Format::CustomColumns(
                    headers
                        .iter()
                        .zip(paths)
                        .map(|(header, path)| format!("{header}:{path}"))
                        .collect::<Vec<_>>()
                        .join(","),
                ),
                (Some(headers), Some(paths)) => {
                    return Err(format!(
                        "number of headers ({}) and field specifications ({}) don't match",
                        headers.len(),
                        paths.len()
                    ));
                }
                _ => return Err("EOF".to_owned()),
            }
        }
        other => other.clone(),
    })
}

/// How objects are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// `--show-managed-fields`
    pub managed_fields: bool,
    /// `--allow-missing-template-keys=false`
    pub strict: bool,
    /// `--no-headers`, for custom columns
    pub no_headers: bool,
}

/// Prints an object or a `List`. There may be text and an error.
#[must_use]
pub fn print(object: &Value, format: &Format, options: &Options) -> (String, Option<String>) {
    let shown = if options.managed_fields {
        object.clone()
    } else {
        without_managed_fields(object)
    };
    let result = match format {
        Format::Json => Ok(format!("{}\n", json::pretty(&shown, 4))),
        Format::Yaml => Ok(yaml::write(&shown)),
        Format::Kyaml => Ok(super::kyaml::write(&shown)),
        Format::Name | Format::Human | Format::Wide => Ok(names(&shown)),
        // Templates see the object as it came.
        Format::JsonPath(source) => return json_path(source, object),
        Format::JsonPathAsJson(source) => json_path_as_json(source, object),
        Format::GoTemplate(source) => return go_template(source, object, options.strict),
        // What is in a file is read before anything is printed.
        Format::JsonPathFile(_) | Format::GoTemplateFile(_) | Format::CustomColumnsFile(_) => Ok(String::new()),
        Format::CustomColumns(spec) => custom_columns(spec, object, options.no_headers),
    };
    match result {
        Ok(text) => (text, None),
        Err(error) => (String::new(), Some(error)),
    }
}

/// Prints one object that a write returned.
///
/// # Errors
/// kubectl's words for a template that does not work.
pub fn object(object: &Value, format: &Format, managed_fields: bool) -> Result<String, String> {
    match print(
        object,
        format,
        &Options {
            managed_fields,
            ..Options::default()
        },
    ) {
        (text, None) => Ok(text),
        (_, Some(error)) => Err(error),
    }
}

fn without_managed_fields(object: &Value) -> Value {
    let mut object = object.clone();
    let strip = |object: &mut Value| {
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.shift_remove("managedFields");
        }
    };
    strip(&mut object);
    for item in object
        .get_mut("items")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        strip(item);
    }
    object
}

fn items(object: &Value) -> Vec<&Value> {
    if text(object, "/kind").ends_with("List") {
        list(object, "/items").iter().collect()
    } else {
        vec![object]
    }
}

fn names(object: &Value) -> String {
    items(object)
        .into_iter()
        .map(|item| {
            let kind = resources::of_object(item).map_or_else(
                || text(item, "/kind").to_lowercase(),
                resources::Resource::singular_group,
            );
            format!("{kind}/{}\n", text(item, "/metadata/name"))
        })
        .collect()
}

fn parse(source: &str) -> Result<Template, String> {
    Template::parse(source).map_err(|error| format!("error parsing jsonpath {source}, {error}"))
}

fn json_path(source: &str, object: &Value) -> (String, Option<String>) {
    let template = match parse(source) {
        Ok(template) => template,
        Err(error) => return (String::new(), Some(error)),
    };
    match template.print(object) {
        Ok(text) => (text, None),
        Err((_, error)) => (
            String::new(),
            Some(format!(
                "error executing jsonpath {source:?}: Error executing template: {error}. Printing more information for debugging the template:\n\ttemplate was:\n\t\t{source}\n\tobject given to jsonpath engine was:\n\t\t{}\n\n\n",
                go_syntax(object)
            )),
        ),
    }
}

fn go_template(source: &str, object: &Value, strict: bool) -> (String, Option<String>) {
    let template = match template::Template::parse(source) {
        Ok(template) => template,
        Err(error) => {
            return (
                String::new(),
                Some(format!("error parsing template {source}, {error}\n")),
            );
        }
    };
    match template.print(object, strict) {
        Ok(text) => (text, None),
        // The client says it on both ways out.
        Err((mut text, error)) => {
            text.push_str(&format!(
                "Error executing template: {error}. Printing more information for debugging the template:\n\ttemplate was:\n\t\t{source}\n\traw data was:\n\t\t{}\n\tobject given to template engine was:\n\t\t{}\n\n",
                json::compact(object),
                go_value(object)
            ));
            (
                text,
                Some(format!(
                    "error executing template {}: {error}",
                    template::quoted(source)
                )),
            )
        }
    }
}

fn json_path_as_json(source: &str, object: &Value) -> Result<String, String> {
    let found: Vec<Value> = parse(source)?.find(object)?.into_iter().cloned().collect();
    Ok(format!("{}\n", json::pretty(&Value::Array(found), 4)))
}

fn custom_columns(spec: &str, object: &Value, no_headers: bool) -> Result<String, String> {
    if spec.is_empty() {
        return Err("custom-columns format specified but no custom columns given".to_owned());
    }
    let mut headers = Vec::new();
    let mut paths = Vec::new();
    for column in spec.split(',') {
        let Some((header, path)) = column.split_once(':') else {
            return Err(format!(
                "unexpected custom-columns spec: {column}, expected <header>:<json-path-expr>"
            ));
        };
        headers.push(header.to_owned());
        paths.push(parse(&relaxed(path)?)?);
    }
    let mut rows = Vec::new();
    if !no_headers {
        rows.push(headers);
    }
    for item in items(object) {
        let mut row = Vec::new();
        for path in &paths {
            let found = path.find(item)?;
            let shown: Vec<String> = found.iter().map(|value| go_value(value)).collect();
            row.push(if shown.is_empty() {
                "<none>".to_owned()
            } else {
                shown.join(",")
            });
        }
        rows.push(row);
    }
    let mut out = String::new();
    TableWriter::default().write(&rows, &mut out);
    Ok(out)
}
