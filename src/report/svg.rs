//! The timeline of a trial as a drawing that needs neither script nor style attribute.

use serde::Serialize;

use super::templates;
use crate::i18n::{Lang, Text};
use crate::timeline::{LaneKind, Scale, State, Timeline};
use peapod_sim::trace::Trace;

/// Width of the drawing.
const WIDTH: f64 = 920.0;
/// Width of the labels.
const LABELS: f64 = 170.0;
/// What is left free at the right, so that the last label is not cut.
const MARGIN: f64 = 12.0;
/// Height of the axis.
const AXIS: f64 = 26.0;
/// At most so many lanes are drawn: what does not fit a page is in the trial's own page.
const MAX_LANES: usize = 40;

#[derive(Serialize)]
struct Drawing {
    id: String,
    title: String,
    width: f64,
    height: f64,
    left: f64,
    lanes: Vec<Lane>,
    ticks: Vec<Label>,
    folds: Vec<Label>,
    bottom: f64,
    hidden: Option<String>,
    textured: &'static [&'static str],
}

/// States that have a texture besides their color: those that a narrow bar without its word must tell apart.
const TEXTURED: &[&str] = &["pending", "waiting", "unknown", "failed"];

#[derive(Serialize)]
struct Lane {
    y: f64,
    label_y: f64,
    bar_y: f64,
    bar_height: f64,
    middle: f64,
    name: String,
    part: String,
    first: bool,
    segments: Vec<Segment>,
    marks: Vec<Mark>,
}

#[derive(Serialize)]
struct Segment {
    x: f64,
    width: f64,
    class: &'static str,
    word: String,
    title: String,
}

#[derive(Serialize)]
struct Mark {
    x: f64,
    class: &'static str,
    title: String,
}

#[derive(Serialize)]
struct Label {
    x: f64,
    text: String,
}

/// Draws the timeline of a trace; `id` is unique in the document.
pub(super) fn timeline(trace: &Trace, id: &str, title: &str, lang: Lang) -> Result<String, minijinja::Error> {
    let timeline = Timeline::new(trace, Scale::Event);
    let place = |percent: f64| round(LABELS + percent / 100.0 * (WIDTH - LABELS - MARGIN));
    let mut y = AXIS;
    let mut lanes = Vec::new();
    let mut last = (String::new(), String::new());
    for lane in timeline.lanes.iter().take(MAX_LANES) {
        let owner = (lane.namespace.clone(), lane.name.clone());
        let first = owner != last || matches!(lane.kind, LaneKind::Steps | LaneKind::Events | LaneKind::Node);
        if first && !lanes.is_empty() {
            y += 6.0;
        }
        last = owner;
        let thin = lane.kind == LaneKind::Ready;
        let (height, bar) = if thin { (16.0, 8.0) } else { (24.0, 17.0) };
        let segments = lane.segments.iter().map(|segment| {
            let width = round(place(segment.x + segment.width) - place(segment.x)).max(1.2);
            let word = if !thin && text_width(&segment.text) + 10.0 <= width {
                segment.text.clone()
            } else {
                String::new()
            };
            let title = format!("{} – {} · {}", segment.from, segment.to, segment.text);
            Segment {
                x: place(segment.x),
                width,
                class: segment.state.class(),
                word,
                title,
            }
        });
        let marks = lane.marks.iter().map(|mark| {
            let more = if mark.more.is_empty() || mark.state == State::Step {
                String::new()
            } else {
                format!(": {}", mark.more)
            };
            Mark {
                x: place(mark.x),
                class: mark.state.class(),
                title: format!("{} · {}{more}", mark.at, mark.text),
            }
        });
        let (name, part) = match lane.kind {
            LaneKind::Steps => (Text::LaneSteps.say(lang).to_owned(), String::new()),
            LaneKind::Events => (Text::LaneEvents.say(lang).to_owned(), String::new()),
            _ => (
                if first { short(&lane.name, 14) } else { String::new() },
                short(&lane.part, 14),
            ),
        };
        lanes.push(Lane {
            y,
            label_y: y + height / 2.0 + 4.0,
            bar_y: y + (height - bar) / 2.0,
            bar_height: bar,
            middle: y + height / 2.0,
            name,
            part,
            first,
            segments: segments.collect(),
            marks: marks.collect(),
        });
        y += height;
    }
    let hidden = timeline.hidden + timeline.lanes.len().saturating_sub(MAX_LANES);
    let drawing = Drawing {
        id: id.to_owned(),
        title: title.to_owned(),
        width: WIDTH,
        height: y + 4.0,
        left: LABELS,
        ticks: timeline
            .ticks
            .iter()
            .map(|tick| Label {
                x: place(tick.x),
                text: tick.text.clone(),
            })
            .collect(),
        folds: timeline
            .folds
            .iter()
            .map(|fold| Label {
                x: place(fold.x),
                text: format!("⋯ {}", fold.text),
            })
            .collect(),
        bottom: y,
        textured: TEXTURED,
        hidden: (hidden > 0)
            .then(|| crate::i18n::fill(lang, Text::LanesHidden.say(lang), &[("n", hidden.to_string())])),
        lanes,
    };
    templates::render("timeline.svg", &drawing)
}

/// The timeline of a trace as a file of its own: its size and its colors are in it, and it refers to nothing.
///
/// # Errors
/// When the template is wrong.
pub fn standalone(trace: &Trace, title: &str, lang: Lang) -> Result<String, minijinja::Error> {
    let drawn = timeline(trace, "timeline", title, lang)?;
    let svg = drawn.find("</svg>").map_or(drawn.as_str(), |at| &drawn[..at]);
    let (head, rest) = svg.split_once('>').unwrap_or((svg, ""));
    let height = head
        .split('"')
        .nth(3)
        .and_then(|view| view.split(' ').nth(3))
        .unwrap_or("100");
    // Lines without anything but blanks come of the template.
    let rest: Vec<&str> = rest.lines().filter(|line| !line.trim().is_empty()).collect();
    Ok(format!(
        "{} xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\">\n<style>{}</style>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n{}\n</svg>\n",
        head.trim_end_matches('>'),
        STANDALONE.replace('\n', ""),
        rest.join("\n"),
    ))
}

/// The colors of a drawing that stands alone: those of the pages in daylight.
const STANDALONE: &str = "\
text{font:11px sans-serif;fill:#222}
.axis path,.base{stroke:#d9d5c8;stroke-width:.7}
.axis text{fill:#777;font-size:10px}
.axis .fold{font-style:italic;font-size:9px;text-anchor:middle}
.name{font-weight:600}
.part{fill:#777;text-anchor:end}
.seg text{fill:#fff;font-weight:600}
.seg rect{fill:#dbd5c3}
.seg.pending rect{fill:#d8a431}
.seg.running rect{fill:#43803a}
.seg.succeeded rect{fill:#3272a8}
.seg.failed rect{fill:#bd4034}
.seg.unknown rect{fill:#7d6b9e}
.seg.terminating rect{fill:#f1e5da;stroke:#a9682f;stroke-dasharray:5 3}
.seg rect.texture{fill:none}
.seg.pending text{fill:#2b1f00}
.seg.waiting text{fill:#625b45}
.seg.terminating text{fill:#87501f}
.mark circle,.mark path{fill:#777;stroke:#fff;stroke-width:.8}
.mark.warning path{fill:#bd4034}
.mark.fault path{fill:none;stroke:#a9682f;stroke-width:2.4}
.mark.step path{fill:#43803a}";

/// About how wide a text of 11 pixels is.
fn text_width(text: &str) -> f64 {
    text.chars().map(|c| if c.is_ascii() { 6.4 } else { 11.5 }).sum()
}

fn short(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width - 1).chain(['…']).collect()
}

fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::instant::tests::crash_loop;

    #[test]
    fn a_drawing_has_words_and_escapes_them() {
        let mut trace = crash_loop();
        std::sync::Arc::make_mut(&mut trace.versions[1].object).name = "<b>".to_owned();
        let svg = timeline(&trace, "t1", "a \"title\" & more", Lang::Ko).expect("drawn");
        assert!(svg.contains("Running</text>"), "{svg}");
        assert!(svg.contains("class=\"seg failed\""), "{svg}");
        assert!(svg.contains("BackOff"), "{svg}");
        assert!(!svg.contains("<b>"), "{svg}");
        assert!(!svg.contains("style="), "{svg}");
        assert!(svg.contains("aria-labelledby=\"t1-title\""), "{svg}");
    }
}
