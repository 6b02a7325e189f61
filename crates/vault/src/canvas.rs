//! JSON Canvas 1.0: cards and the arrows between them.

use serde::Deserialize;

/// A canvas.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub(crate) struct Canvas {
    /// Later cards lie above earlier ones.
    #[serde(default)]
    pub nodes: Vec<Card>,
    #[serde(default)]
    pub edges: Vec<Edge>,
}

/// A card.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub(crate) struct Card {
    #[serde(default)]
    pub id: String,
    /// `text`, `file`, `link` or `group`.
    #[serde(default, rename = "type")]
    pub kind: String,
    #[serde(default)]
    pub x: f64,
    #[serde(default)]
    pub y: f64,
    #[serde(default)]
    pub width: f64,
    #[serde(default)]
    pub height: f64,
    pub color: Option<String>,
    pub text: Option<String>,
    pub file: Option<String>,
    pub subpath: Option<String>,
    pub url: Option<String>,
    pub label: Option<String>,
}

/// An arrow.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Edge {
    #[serde(default)]
    pub from_node: String,
    pub from_side: Option<String>,
    pub from_end: Option<String>,
    #[serde(default)]
    pub to_node: String,
    pub to_side: Option<String>,
    pub to_end: Option<String>,
    pub color: Option<String>,
    pub label: Option<String>,
}

/// Reads a canvas; an empty text is an empty one, as Obsidian makes it.
pub(crate) fn read(text: &str) -> Result<Canvas, String> {
    if text.trim().is_empty() {
        return Ok(Canvas::default());
    }
    serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|error| error.to_string())
}

/// The files that its cards show; none if it cannot be read.
pub(crate) fn files(text: &str) -> Vec<String> {
    let cards = read(text).unwrap_or_default().nodes.into_iter();
    cards
        .filter(|card| card.kind == "file")
        .filter_map(|card| card.file)
        .map(|file| format!("/{file}"))
        .collect()
}
