//! The timeline of a trial as a template draws it.

use peapod_sim::time::{SimDuration, SimTime};
use serde::Serialize;

use crate::i18n::{Lang, Text, fill, time};
use crate::timeline::axis::to_query;
use crate::timeline::{Detailed, Lane, LaneKind, Scale, State, Timeline, Window};

/// At most so many instants are sent to the scrubber; beyond that it moves in steps of several.
const MAX_INSTANTS: usize = 4000;
/// At most so many rows of the table for readers who do not see the lanes.
const MAX_ROWS: usize = 400;

/// A laid-out timeline with addresses.
#[derive(Debug, Serialize)]
pub struct TimelineView {
    /// Lanes from top to bottom.
    pub lanes: Vec<LaneView>,
    /// Labels of the axis.
    pub ticks: Vec<TickView>,
    /// Compressed waits.
    pub folds: Vec<TickView>,
    /// `event` or `linear`.
    pub scale: &'static str,
    /// The other scale's address.
    pub other_scale: String,
    /// Where the chosen instant is.
    pub needle: String,
    /// The chosen instant: seconds, for addresses.
    pub t: String,
    /// The chosen instant on a clock.
    pub clock: String,
    /// Address of the change before, if any.
    pub previous: Option<String>,
    /// Address of the change after, if any.
    pub next: Option<String>,
    /// `[[seconds, percent], …]` of all changes, for the scrubber.
    pub points: String,
    /// How long it all is, in words.
    pub span: String,
    /// Words for lanes that were left out.
    pub hidden: Option<String>,
    /// Rows of the table.
    pub rows: Vec<RowView>,
    /// States that occur, for the legend: class and word.
    pub legend: Vec<(&'static str, &'static str)>,
    /// The window's edges, for addresses, and the end of the trial.
    pub window: (String, String, String),
    /// What of the timeline is drawn, where that can be chosen.
    pub tools: Option<ToolsView>,
}

/// How a part of a timeline is chosen.
#[derive(Debug, Serialize)]
pub struct ToolsView {
    /// Whether a part is drawn.
    pub zoomed: bool,
    /// The window in words.
    pub words: String,
    /// Addresses: the whole, nearer, farther, to the left, to the right.
    pub whole: String,
    /// Half of the window around the chosen instant.
    pub nearer: String,
    /// Twice the window.
    pub farther: String,
    /// The window before this one.
    pub left: Option<String>,
    /// The window after this one.
    pub right: Option<String>,
    /// What the lanes' names have in them.
    pub only: String,
    /// Kinds: name, word, how many, whether they are drawn, and the address that changes that.
    pub kinds: Vec<(&'static str, &'static str, usize, bool, String)>,
    /// The kinds that are left out, as the address has it.
    pub hide: String,
}

/// The word for a kind of lanes.
pub fn kind_word(lang: Lang, kind: LaneKind) -> &'static str {
    match kind {
        LaneKind::Steps => Text::LaneSteps,
        LaneKind::Node => Text::LaneNodes,
        LaneKind::Workload => Text::LaneWorkloads,
        LaneKind::Phase => Text::LanePhases,
        LaneKind::Ready => Text::LaneConditions,
        LaneKind::Container => Text::LaneContainers,
        LaneKind::Probes => Text::LaneProbes,
        LaneKind::Scheduling => Text::LaneScheduling,
        LaneKind::Controllers => Text::LaneControllers,
        LaneKind::Events => Text::LaneEvents,
    }
    .say(lang)
}

/// A window as a part of an address.
pub fn frame_of(window: &Window, end: SimTime) -> String {
    let mut parts = Vec::new();
    if window.from > SimTime::ZERO || (window.to > window.from && window.to < end) {
        parts.push(format!("from={}&to={}", to_query(window.from), to_query(window.to)));
    }
    if !window.only.is_empty() {
        parts.push(format!("only={}", crate::web::address::encode(&window.only)));
    }
    if !window.without.is_empty() {
        let names: Vec<&str> = window.without.iter().map(|kind| kind.name()).collect();
        parts.push(format!("hide={}", names.join(",")));
    }
    parts.join("&")
}

/// The tools of a timeline with a chosen instant.
pub fn tools(lang: Lang, detail: &Detailed, window: &Window, choice: &Choice) -> ToolsView {
    let end = detail.end();
    let (from, to) = (
        window.from,
        if window.to > window.from {
            window.to.min(end)
        } else {
            end
        },
    );
    let span = to.0.saturating_sub(from.0).max(1);
    let href = |changed: Window| {
        Choice {
            frame: frame_of(&changed, end),
            ..choice.clone()
        }
        .href(choice.at, choice.record)
    };
    let at = |from: u64, span: u64| {
        let span = span.clamp(1_000_000, end.0.max(1_000_000));
        let from = from.min(end.0.saturating_sub(span));
        href(Window {
            from: SimTime(from),
            to: SimTime(from.saturating_add(span)),
            ..window.clone()
        })
    };
    let middle = choice.at.0.clamp(from.0, to.0);
    let zoomed = from > SimTime::ZERO || to < end;
    let kinds = detail
        .kinds()
        .into_iter()
        .map(|(kind, count)| {
            let mut without = window.without.clone();
            let shown = !without.contains(&kind);
            match shown {
                true => without.push(kind),
                false => without.retain(|other| *other != kind),
            }
            let changed = href(Window {
                without,
                ..window.clone()
            });
            (kind.name(), kind_word(lang, kind), count, shown, changed)
        })
        .collect();
    ToolsView {
        zoomed,
        words: format!("{} – {}", time::clock(from), time::clock(to)),
        whole: href(Window {
            from: SimTime::ZERO,
            to: SimTime::ZERO,
            ..window.clone()
        }),
        nearer: at(middle.saturating_sub(span / 4), span / 2),
        farther: at(middle.saturating_sub(span), span.saturating_mul(2)),
        left: (from > SimTime::ZERO).then(|| at(from.0.saturating_sub(span / 2), span)),
        right: (to < end).then(|| at(from.0.saturating_add(span / 2), span)),
        only: window.only.clone(),
        kinds,
        hide: window
            .without
            .iter()
            .map(|kind| kind.name())
            .collect::<Vec<_>>()
            .join(","),
    }
}

/// One lane.
#[derive(Debug, Serialize)]
pub struct LaneView {
    /// Whether it begins a new object.
    pub first: bool,
    /// Whether it is drawn thin.
    pub thin: bool,
    /// Whose lane.
    pub name: String,
    /// The same, short enough for the narrow column: what tells pods of one owner apart stays.
    pub short: String,
    /// What of it.
    pub part: String,
    /// States.
    pub segments: Vec<SegmentView>,
    /// Marks.
    pub marks: Vec<MarkView>,
}

/// A state that lasted.
#[derive(Debug, Serialize)]
pub struct SegmentView {
    /// Class of the style sheet.
    pub class: &'static str,
    /// The word, when there is room for it.
    pub label: &'static str,
    /// The word, from when to when.
    pub title: String,
    /// The word itself.
    pub text: String,
    /// Left edge.
    pub x: String,
    /// Width.
    pub width: String,
    /// The page at its beginning.
    pub href: String,
    /// Whether it begins at the chosen instant with the chosen record.
    pub current: bool,
}

/// Something that happened at one instant.
#[derive(Debug, Serialize)]
pub struct MarkView {
    /// Class of the style sheet.
    pub class: &'static str,
    /// What and when.
    pub title: String,
    /// Place.
    pub x: String,
    /// The page at that instant.
    pub href: String,
    /// Whether it is the chosen one.
    pub current: bool,
}

/// A label on the axis.
#[derive(Debug, Serialize)]
pub struct TickView {
    /// Place.
    pub x: String,
    /// Words.
    pub text: String,
    /// `start`, `middle` or `end`.
    pub anchor: &'static str,
}

/// One row of the table.
#[derive(Debug, Serialize)]
pub struct RowView {
    /// When it began.
    pub from: String,
    /// When it ended; empty for what happens at one instant.
    pub to: String,
    /// Of what.
    pub who: String,
    /// What.
    pub what: String,
    /// The page at its beginning.
    pub href: String,
}

/// What is chosen on a timeline.
#[derive(Clone, Debug)]
pub struct Choice {
    /// The trial's address, without a query.
    pub base: String,
    /// The instant.
    pub at: SimTime,
    /// The record whose causes are shown.
    pub record: Option<u32>,
    /// The scale.
    pub scale: Scale,
    /// The window and the lanes that are drawn, as a part of the query; without `?` and `&` at its ends.
    pub frame: String,
    /// More of the query that links keep, such as `view=describe`; likewise.
    pub keep: String,
}

impl Choice {
    /// The address of an instant, with the record whose causes are shown.
    pub fn href(&self, at: SimTime, record: Option<u32>) -> String {
        self.href_on(self.scale, at, record)
    }

    fn href_on(&self, scale: Scale, at: SimTime, record: Option<u32>) -> String {
        let mark = if self.base.contains('?') { '&' } else { '?' };
        let mut href = format!("{}{mark}t={}", self.base, to_query(at));
        if let Some(record) = record {
            href.push_str(&format!("&why={record}"));
        }
        if scale != Scale::default() {
            href.push_str("&axis=linear");
        }
        for part in [&self.frame, &self.keep] {
            if !part.is_empty() {
                href.push('&');
                href.push_str(part);
            }
        }
        href
    }
}

fn percent(value: f64) -> String {
    format!("{value:.3}%")
}

/// The timeline with a chosen instant; with all of what happened where `timeline` is a window of it.
pub fn view(lang: Lang, timeline: &Timeline, detail: Option<&Detailed>, choice: &Choice) -> TimelineView {
    let (other, scale) = match choice.scale {
        Scale::Event => (Scale::Linear, "event"),
        Scale::Linear => (Scale::Event, "linear"),
    };
    let href = |at: SimTime| {
        let record = detail.map_or_else(|| timeline.record_at(at), |detail| detail.record_at(at));
        choice.href(at, record)
    };
    let mut last_name = None;
    let lanes = timeline
        .lanes
        .iter()
        .map(|lane| {
            let first = last_name.replace(key(lane)) != Some(key(lane));
            lane_view(lang, lane, first, choice)
        })
        .collect();
    let step = timeline.instants.len().div_ceil(MAX_INSTANTS).max(1);
    let points: Vec<String> = std::iter::once(timeline.from)
        .chain(
            timeline
                .instants
                .iter()
                .copied()
                .step_by(step)
                .filter(|at| *at > timeline.from && *at < timeline.to),
        )
        .chain([timeline.to])
        .map(|at| format!("[{},{}]", to_query(at), timeline.percent(at)))
        .collect();
    TimelineView {
        lanes,
        ticks: ticks(lang, timeline),
        folds: folds(lang, timeline),
        scale,
        other_scale: choice.href_on(other, choice.at, choice.record),
        needle: percent(timeline.percent(choice.at)),
        t: to_query(choice.at),
        clock: time::clock(choice.at),
        previous: detail
            .map_or_else(|| timeline.before(choice.at), |detail| detail.before(choice.at))
            .map(href),
        next: detail
            .map_or_else(|| timeline.after(choice.at), |detail| detail.after(choice.at))
            .map(href),
        window: (to_query(timeline.from), to_query(timeline.to), to_query(timeline.end)),
        tools: None,
        points: format!("[{}]", points.join(",")),
        span: time::span(lang, timeline.end.since(SimTime::ZERO)),
        hidden: (timeline.hidden > 0)
            .then(|| fill(lang, Text::LanesHidden.say(lang), &[("n", timeline.hidden.to_string())])),
        rows: rows(lang, timeline, choice),
        legend: legend(timeline),
    }
}

fn ticks(lang: Lang, timeline: &Timeline) -> Vec<TickView> {
    let label = |at: SimTime| time::span(lang, at.since(SimTime::ZERO));
    timeline
        .ticks
        .iter()
        .map(|tick| TickView {
            x: percent(tick.x),
            text: label(tick.at),
            anchor: match tick.x {
                x if x < 4.0 => "start",
                x if x > 96.0 => "end",
                _ => "middle",
            },
        })
        .collect()
}

fn folds(lang: Lang, timeline: &Timeline) -> Vec<TickView> {
    let words = |text: &str| {
        crate::timeline::axis::from_query(text)
            .map_or_else(|| text.to_owned(), |at| time::span(lang, SimDuration(at.0)))
    };
    let view = |fold: &crate::timeline::axis::Fold| TickView {
        x: percent(fold.x),
        text: words(&fold.text),
        anchor: "middle",
    };
    timeline.folds.iter().map(view).collect()
}

fn key(lane: &Lane) -> (u8, &str, &str) {
    let group = match lane.kind {
        LaneKind::Steps => 0,
        LaneKind::Node => 1,
        LaneKind::Workload => 2,
        LaneKind::Phase | LaneKind::Ready | LaneKind::Container | LaneKind::Probes => 3,
        LaneKind::Scheduling => 4,
        LaneKind::Controllers => 5,
        LaneKind::Events => 6,
    };
    (group, &lane.namespace, &lane.name)
}

fn names(lang: Lang, lane: &Lane) -> (String, String) {
    match lane.kind {
        LaneKind::Steps => (Text::LaneSteps.say(lang).to_owned(), String::new()),
        LaneKind::Events => (Text::LaneEvents.say(lang).to_owned(), String::new()),
        LaneKind::Scheduling => (Text::LaneScheduling.say(lang).to_owned(), String::new()),
        LaneKind::Controllers => (Text::LaneControllers.say(lang).to_owned(), String::new()),
        LaneKind::Node => (lane.name.clone(), "Node".to_owned()),
        _ => (lane.name.clone(), lane.part.clone()),
    }
}

fn lane_view(lang: Lang, lane: &Lane, first: bool, choice: &Choice) -> LaneView {
    let (name, part) = names(lang, lane);
    let chosen = |at: SimTime, record: u32| at == choice.at && choice.record.is_none_or(|chosen| chosen == record);
    let segments = lane
        .segments
        .iter()
        .map(|segment| SegmentView {
            class: segment.state.class(),
            label: if fits(&segment.text, segment.width) { "yes" } else { "" },
            title: format!(
                "{} · {}–{}",
                segment.text,
                time::clock(segment.from),
                time::clock(segment.to)
            ),
            text: segment.text.clone(),
            x: percent(segment.x),
            width: percent(segment.width),
            href: choice.href(segment.from, Some(segment.record)),
            current: chosen(segment.from, segment.record),
        })
        .collect();
    let marks = lane
        .marks
        .iter()
        .map(|mark| MarkView {
            class: mark.state.class(),
            title: match mark.more.as_str() {
                "" => format!("{} · {}", mark.text, time::clock(mark.at)),
                more => format!("{} · {} · {more}", mark.text, time::clock(mark.at)),
            },
            x: percent(mark.x),
            href: choice.href(mark.at, Some(mark.record)),
            current: chosen(mark.at, mark.record),
        })
        .collect();
    LaneView {
        first,
        thin: matches!(lane.kind, LaneKind::Ready | LaneKind::Probes),
        short: short(&name),
        name,
        part,
        segments,
        marks,
    }
}

/// A long name without its middle: `nginx-d…7-nfr54`.
fn short(name: &str) -> String {
    const MOST: usize = 16;
    let letters: Vec<char> = name.chars().collect();
    if letters.len() <= MOST {
        return name.to_owned();
    }
    let (head, tail) = (&letters[..7], &letters[letters.len() - 8..]);
    head.iter().chain(&['…']).chain(tail).collect()
}

/// Whether a word fits into a share of a lane: a letter takes about 0.95 % of a lane as narrow as they come, a syllable
/// of Hangul twice that.
fn fits(text: &str, width: f64) -> bool {
    let letters: f64 = text.chars().map(|c| if c.is_ascii() { 1.0 } else { 1.8 }).sum();
    letters * 0.95 + 1.5 <= width
}

fn rows(lang: Lang, timeline: &Timeline, choice: &Choice) -> Vec<RowView> {
    let mut rows: Vec<(SimTime, RowView)> = Vec::new();
    for lane in &timeline.lanes {
        let (name, part) = names(lang, lane);
        let who = if part.is_empty() {
            name
        } else {
            format!("{name} · {part}")
        };
        rows.extend(lane.segments.iter().map(|segment| {
            let row = RowView {
                from: time::clock(segment.from),
                to: time::clock(segment.to),
                who: who.clone(),
                what: segment.text.clone(),
                href: choice.href(segment.from, Some(segment.record)),
            };
            (segment.from, row)
        }));
        rows.extend(lane.marks.iter().map(|mark| {
            let what = if mark.more.is_empty() {
                mark.text.clone()
            } else {
                format!("{}: {}", mark.text, mark.more)
            };
            let href = choice.href(mark.at, Some(mark.record));
            (
                mark.at,
                RowView {
                    from: time::clock(mark.at),
                    to: String::new(),
                    who: who.clone(),
                    what,
                    href,
                },
            )
        }));
    }
    rows.sort_by_key(|(at, _)| *at);
    rows.truncate(MAX_ROWS);
    rows.into_iter().map(|(_, row)| row).collect()
}

fn legend(timeline: &Timeline) -> Vec<(&'static str, &'static str)> {
    const WORDS: [(State, &str); 7] = [
        (State::Pending, "Pending"),
        (State::Running, "Running · Ready"),
        (State::Succeeded, "Succeeded · Completed"),
        (State::Failed, "Failed · Error"),
        (State::Waiting, "Waiting"),
        (State::Unknown, "Unknown"),
        (State::Terminating, "Terminating"),
    ];
    let occurs = |state: State| {
        timeline
            .lanes
            .iter()
            .any(|lane| lane.segments.iter().any(|segment| segment.state == state))
    };
    WORDS
        .into_iter()
        .filter(|(state, _)| occurs(*state))
        .map(|(state, word)| (state.class(), word))
        .collect()
}
