//! A canvas as SVG: cards, groups and arrows. No `foreignObject` and no script; text is broken into lines here.

use std::fmt::Write as _;

use super::Resolver;
use super::escape::{attribute, text};
use super::words::Words;
use crate::canvas::{Canvas, Card, Edge, read};
use crate::limits;
use crate::note::EmbedKind;
use crate::vault::FileRef;

/// Space around everything, in canvas units.
const MARGIN: f64 = 40.0;
/// Height of a line of text, and its size.
const LINE: f64 = 22.0;
const FONT: f64 = 16.0;
/// Space between the edge of a card and its text.
const PADDING: f64 = 14.0;
/// Largest coordinate that is believed.
const FAR: f64 = 1e6;

/// The SVG of a canvas's text; a sentence if it cannot be read. `shapes` leaves out what the cards say, as an embedded
/// canvas does.
pub fn canvas(source: &str, file: &FileRef, resolver: &dyn Resolver, korean: bool, shapes: bool) -> String {
    let words = Words::new(korean);
    let mut canvas = match read(source) {
        Ok(canvas) => canvas,
        Err(why) => {
            let mut out = String::from("<p class=\"canvas-broken\" role=\"note\">");
            text(&mut out, &format!("{} ({why})", words.broken_canvas()));
            out.push_str("</p>\n");
            return out;
        }
    };
    let beyond = canvas.nodes.len() > limits::CANVAS_CARDS || canvas.edges.len() > limits::CANVAS_CARDS;
    canvas.nodes.truncate(limits::CANVAS_CARDS);
    canvas.edges.truncate(limits::CANVAS_CARDS);
    for card in &mut canvas.nodes {
        let sane = |value: f64, least: f64| {
            if value.is_finite() {
                value.clamp(least, FAR)
            } else {
                0.0
            }
        };
        (card.x, card.y) = (sane(card.x, -FAR), sane(card.y, -FAR));
        (card.width, card.height) = (sane(card.width, 1.0), sane(card.height, 1.0));
    }
    let mut writer = Writer {
        out: String::new(),
        file,
        resolver,
        shapes,
    };
    writer.canvas(&canvas, &words);
    if beyond {
        writer.out.push_str("<p class=\"beyond-limit\">");
        text(&mut writer.out, &words.canvas_limit(limits::CANVAS_CARDS));
        writer.out.push_str("</p>\n");
    }
    writer.out
}

struct Writer<'c> {
    out: String,
    file: &'c FileRef,
    resolver: &'c dyn Resolver,
    shapes: bool,
}

impl Writer<'_> {
    fn canvas(&mut self, canvas: &Canvas, words: &Words) {
        let left = least(canvas, |card| card.x) - MARGIN;
        let top = least(canvas, |card| card.y) - MARGIN;
        let right = -least(canvas, |card| -(card.x + card.width)) + MARGIN;
        let bottom = -least(canvas, |card| -(card.y + card.height)) + MARGIN;
        let (width, height) = ((right - left).max(1.0), (bottom - top).max(1.0));
        let _ = write!(
            self.out,
            "<svg class=\"canvas\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"{left} {top} {width} {height}\" \
             width=\"{width}\" height=\"{height}\" preserveAspectRatio=\"xMidYMid meet\" role=\"img\""
        );
        attribute(&mut self.out, "aria-label", &words.canvas(canvas.nodes.len()));
        self.out.push('>');
        for card in canvas.nodes.iter().filter(|card| card.kind == "group") {
            self.group(card);
        }
        for edge in &canvas.edges {
            self.edge(canvas, edge);
        }
        for (index, card) in canvas.nodes.iter().enumerate().filter(|(_, card)| card.kind != "group") {
            self.card(index, card);
        }
        self.out.push_str("</svg>\n");
    }

    fn rectangle(&mut self, card: &Card) {
        let Card {
            x, y, width, height, ..
        } = card;
        let _ = write!(
            self.out,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"8\"{}/>",
            custom(card.color.as_deref(), &["stroke"])
        );
    }

    fn group(&mut self, card: &Card) {
        let _ = write!(self.out, "<g class=\"canvas-group{}\">", color(card.color.as_deref()));
        self.rectangle(card);
        if let Some(label) = card.label.as_deref().filter(|label| !label.is_empty() && !self.shapes) {
            let _ = write!(
                self.out,
                "<text x=\"{}\" y=\"{}\" font-size=\"{FONT}\">",
                card.x + 4.0,
                card.y - 8.0
            );
            text(&mut self.out, label);
            self.out.push_str("</text>");
        }
        self.out.push_str("</g>");
    }

    fn card(&mut self, index: usize, card: &Card) {
        let _ = write!(self.out, "<g class=\"canvas-card{}\">", color(card.color.as_deref()));
        let mut href = None;
        let mut picture = None;
        let mut shown = card.text.clone().unwrap_or_default();
        match card.kind.as_str() {
            "file" => {
                let path = card.file.as_deref().unwrap_or("");
                let name = path.rsplit('/').next().unwrap_or(path);
                shown = name.strip_suffix(".md").unwrap_or(name).to_owned() + card.subpath.as_deref().unwrap_or("");
                if let Some(destination) = self.resolver.resolve(self.file, &format!("/{path}")) {
                    if EmbedKind::of_path(path) == EmbedKind::Image {
                        picture = Some(destination.href.clone());
                    }
                    href = Some(destination.href);
                } else {
                    shown.push_str(" ?");
                }
            }
            "link" => {
                shown = card.url.clone().unwrap_or_default();
                let web = ["https://", "http://"].iter().any(|scheme| shown.starts_with(scheme));
                href = web.then(|| shown.clone());
            }
            _ => {}
        }
        let linked = href.is_some() && !self.shapes;
        if let Some(href) = href.filter(|_| linked) {
            self.out.push_str("<a");
            attribute(&mut self.out, "href", &href);
            if card.kind == "link" {
                self.out.push_str(" rel=\"noopener noreferrer nofollow\"");
            }
            self.out.push('>');
        }
        self.rectangle(card);
        let Card {
            x, y, width, height, ..
        } = card;
        if let Some(picture) = picture.filter(|_| !self.shapes) {
            let _ = write!(
                self.out,
                "<image x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\""
            );
            attribute(&mut self.out, "href", &picture);
            self.out.push_str("/>");
        } else if !self.shapes {
            self.lines(index, card, &shown);
        }
        if linked {
            self.out.push_str("</a>");
        }
        self.out.push_str("</g>");
    }

    /// The text of a card, broken into lines that fit; `title` has all of it.
    fn lines(&mut self, index: usize, card: &Card, shown: &str) {
        let most = ((card.height - 2.0 * PADDING) / LINE).floor().max(1.0) as usize;
        let lines = broken(shown, ((card.width - 2.0 * PADDING) / (FONT / 2.0)).max(2.0) as usize);
        let cut = lines.len() > most;
        if cut {
            self.out.push_str("<title>");
            text(&mut self.out, shown);
            self.out.push_str("</title>");
        }
        let _ = write!(self.out, "<text font-size=\"{FONT}\" data-card=\"{index}\">");
        for (number, line) in lines.iter().take(most).enumerate() {
            let (x, y) = (card.x + PADDING, card.y + PADDING + FONT + number as f64 * LINE);
            let _ = write!(self.out, "<tspan x=\"{x}\" y=\"{y}\">");
            text(&mut self.out, line);
            if cut && number + 1 == most {
                self.out.push('…');
            }
            self.out.push_str("</tspan>");
        }
        self.out.push_str("</text>");
    }

    fn edge(&mut self, canvas: &Canvas, edge: &Edge) {
        let card = |id: &str| canvas.nodes.iter().find(|card| card.id == id);
        let (Some(from), Some(to)) = (card(&edge.from_node), card(&edge.to_node)) else {
            return;
        };
        let (start, out) = port(from, edge.from_side.as_deref(), to);
        let (end, back) = port(to, edge.to_side.as_deref(), from);
        let reach = ((start.0 - end.0).abs().max((start.1 - end.1).abs()) / 2.0).clamp(20.0, 200.0);
        let (a, b) = (
            (start.0 + out.0 * reach, start.1 + out.1 * reach),
            (end.0 + back.0 * reach, end.1 + back.1 * reach),
        );
        let _ = write!(
            self.out,
            "<g class=\"canvas-edge{}\"><path d=\"M{} {}C{} {} {} {} {} {}\" fill=\"none\"{}/>",
            color(edge.color.as_deref()),
            start.0,
            start.1,
            a.0,
            a.1,
            b.0,
            b.1,
            end.0,
            end.1,
            custom(edge.color.as_deref(), &["stroke"])
        );
        if edge.to_end.as_deref() != Some("none") {
            self.arrow(end, back, edge);
        }
        if edge.from_end.as_deref() == Some("arrow") {
            self.arrow(start, out, edge);
        }
        if let Some(label) = edge.label.as_deref().filter(|label| !label.is_empty() && !self.shapes) {
            let _ = write!(
                self.out,
                "<text x=\"{}\" y=\"{}\" font-size=\"{FONT}\" text-anchor=\"middle\">",
                (start.0 + 3.0 * a.0 + 3.0 * b.0 + end.0) / 8.0,
                (start.1 + 3.0 * a.1 + 3.0 * b.1 + end.1) / 8.0
            );
            text(&mut self.out, label);
            self.out.push_str("</text>");
        }
        self.out.push_str("</g>");
    }

    /// The head of an arrow at a point that comes from a direction.
    fn arrow(&mut self, at: (f64, f64), from: (f64, f64), edge: &Edge) {
        let (side, length) = (6.0, 12.0);
        let _ = write!(
            self.out,
            "<polygon points=\"{},{} {},{} {},{}\"{}/>",
            at.0,
            at.1,
            at.0 + from.0 * length - from.1 * side,
            at.1 + from.1 * length + from.0 * side,
            at.0 + from.0 * length + from.1 * side,
            at.1 + from.1 * length - from.0 * side,
            custom(edge.color.as_deref(), &["fill", "stroke"])
        );
    }
}

/// The least of a value of all cards; 0 without cards.
fn least(canvas: &Canvas, value: impl Fn(&Card) -> f64) -> f64 {
    canvas.nodes.iter().map(value).reduce(f64::min).unwrap_or(0.0)
}

/// Where an edge leaves a card, and in which direction; towards the other card if no side is named.
fn port(card: &Card, side: Option<&str>, other: &Card) -> ((f64, f64), (f64, f64)) {
    let (x, y) = (card.x + card.width / 2.0, card.y + card.height / 2.0);
    let (dx, dy) = (other.x + other.width / 2.0 - x, other.y + other.height / 2.0 - y);
    let nearest = match (dx.abs() > dy.abs(), dx > 0.0, dy > 0.0) {
        (true, true, _) => "right",
        (true, false, _) => "left",
        (false, _, true) => "bottom",
        (false, _, false) => "top",
    };
    match side
        .filter(|side| ["top", "right", "bottom", "left"].contains(side))
        .unwrap_or(nearest)
    {
        "top" => ((x, card.y), (0.0, -1.0)),
        "right" => ((card.x + card.width, y), (1.0, 0.0)),
        "left" => ((card.x, y), (-1.0, 0.0)),
        _ => ((x, card.y + card.height), (0.0, 1.0)),
    }
}

/// The class of one of the six colours that a theme has.
fn color(color: Option<&str>) -> String {
    match color {
        Some(number @ ("1" | "2" | "3" | "4" | "5" | "6")) => format!(" canvas-color-{number}"),
        _ => String::new(),
    }
}

/// A colour of its own (`#rrggbb`) as attributes.
fn custom(color: Option<&str>, names: &[&str]) -> String {
    let hex = color.filter(|color| {
        color
            .strip_prefix('#')
            .is_some_and(|hex| matches!(hex.len(), 3 | 6) && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
    });
    let mut out = String::new();
    for name in names {
        if let Some(hex) = hex {
            attribute(&mut out, name, hex);
        }
    }
    out
}

/// A text in lines of at most so many half-width columns, broken at spaces where there are any.
fn broken(text: &str, columns: usize) -> Vec<String> {
    let width = |c: char| if crate::text::chars::is_cjk(c) { 2 } else { 1 };
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let (mut line, mut used) = (String::new(), 0);
        for word in paragraph.split_inclusive(' ') {
            let long: usize = word.trim_end().chars().map(width).sum();
            if used > 0 && used + long > columns {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            for c in word.chars() {
                if used + width(c) > columns && used > 0 && c != ' ' {
                    lines.push(std::mem::take(&mut line));
                    used = 0;
                }
                line.push(c);
                used += width(c);
            }
        }
        lines.push(line);
    }
    lines.iter_mut().for_each(|line| line.truncate(line.trim_end().len()));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Note;
    use crate::render::VaultResolver;
    use crate::vault::{Layer, Vault};

    #[test]
    fn cards_and_arrows() {
        let mut vault = Vault::default();
        vault.insert(Layer::User, Note::parse("개념/파드.md", ""));
        let file = FileRef {
            layer: Layer::User,
            path: "그림.canvas".into(),
        };
        let resolver = VaultResolver::new(&vault, "/n/", "/f/");
        let source = r##"{"nodes": [
            {"id": "g", "type": "group", "x": -50, "y": -50, "width": 600, "height": 300, "label": "묶음"},
            {"id": "a", "type": "text", "x": 0, "y": 0, "width": 120, "height": 60, "text": "<b>하나</b> 둘 셋 넷 다섯 여섯", "color": "1"},
            {"id": "b", "type": "file", "x": 300, "y": 0, "width": 200, "height": 60, "file": "개념/파드.md"},
            {"id": "c", "type": "link", "x": 300, "y": 100, "width": 200, "height": 60, "url": "javascript:alert(1)"}],
            "edges": [{"id": "e", "fromNode": "a", "fromSide": "right", "toNode": "b", "toSide": "left", "label": "돌본다", "color": "#ff0000"},
                      {"id": "f", "fromNode": "a", "toNode": "nowhere"}]}"##;
        let svg = canvas(source, &file, &resolver, true, false);
        for part in [
            "viewBox=\"-90 -90 680 380\"",
            "canvas-color-1",
            "&lt;b&gt;하나",
            "href=\"/n/%EA%B0%9C%EB%85%90/%ED%8C%8C%EB%93%9C\"",
            ">묶음<",
            ">돌본다<",
            "stroke=\"#ff0000\"",
            "<polygon",
        ] {
            assert!(svg.contains(part), "{part}: {svg}");
        }
        assert!(!svg.contains("href=\"javascript"), "{svg}");
        assert_eq!(svg.matches("<path").count(), 1);
        let shapes = canvas(source, &file, &resolver, true, true);
        assert!(
            shapes.contains("<rect") && !shapes.contains("하나") && !shapes.contains("<a"),
            "{shapes}"
        );
        assert!(canvas("{", &file, &resolver, false, false).contains("canvas-broken"));
        assert!(canvas("", &file, &resolver, false, false).contains("<svg"));
    }

    #[test]
    fn lines_fit() {
        assert_eq!(broken("가나다 라마\nab", 6), ["가나다", "라마", "ab"]);
        assert_eq!(broken("abcdefgh", 3), ["abc", "def", "gh"]);
    }
}
