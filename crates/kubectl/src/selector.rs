//! Label selector objects in the syntax of the command line.

use serde_json::Value;

use crate::value::{list, map, scalar, sorted, text};

/// A LabelSelector, or a plain map of labels, as `-l` would take it; `<none>` if it selects by nothing
/// (`apimachinery/pkg/apis/meta/v1/helpers.go FormatLabelSelector`).
#[must_use]
pub fn format_selector(selector: &Value) -> String {
    let text = selector_query(selector);
    if text.is_empty() { "<none>".to_owned() } else { text }
}

/// The same, empty if it selects by nothing.
#[must_use]
pub fn selector_query(selector: &Value) -> String {
    let structured = selector.get("matchLabels").is_some_and(Value::is_object)
        || selector.get("matchExpressions").is_some_and(Value::is_array);
    let labels = if structured {
        map(selector, "/matchLabels")
    } else {
        selector
            .as_object()
            .filter(|labels| labels.values().all(Value::is_string))
    };
    let mut parts: Vec<(String, String)> = labels
        .map(sorted)
        .unwrap_or_default()
        .into_iter()
        .map(|(key, value)| (key.to_owned(), format!("{key}={}", scalar(value))))
        .collect();
    if structured {
        for expression in list(selector, "/matchExpressions") {
            let key = text(expression, "/key");
            let mut values: Vec<&str> = list(expression, "/values").iter().filter_map(Value::as_str).collect();
            values.sort_unstable();
            let values = values.join(",");
            let shown = match text(expression, "/operator") {
                "In" => format!("{key} in ({values})"),
                "NotIn" => format!("{key} notin ({values})"),
                "Exists" => key.to_owned(),
                "DoesNotExist" => format!("!{key}"),
                other => format!("{key} {other} ({values})"),
            };
            parts.push((key.to_owned(), shown));
        }
    }
    parts.sort_by(|left, right| left.0.cmp(&right.0));
    parts.into_iter().map(|(_, shown)| shown).collect::<Vec<_>>().join(",")
}
