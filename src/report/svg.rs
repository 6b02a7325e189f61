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
        trace.versions[1].object.name = "<b>".to_owned();
        let svg = timeline(&trace, "t1", "a \"title\" & more", Lang::Ko).expect("drawn");
        assert!(svg.contains("Running</text>"), "{svg}");
        assert!(svg.contains("class=\"seg failed\""), "{svg}");
        assert!(svg.contains("BackOff"), "{svg}");
        assert!(!svg.contains("<b>"), "{svg}");
        assert!(!svg.contains("style="), "{svg}");
        assert!(svg.contains("aria-labelledby=\"t1-title\""), "{svg}");
    }
}
