//! A timeline of any size, drawn in as much detail as can be seen: a window of it, the lanes that were asked for, and what is
//! too narrow to be told apart as one piece.
//!
//! A window is made without going through everything in it: from each piece to the first one that begins where the next
//! would be seen. So a frame takes as long for a million records as for a thousand.

use std::sync::Arc;

use peapod_sim::time::SimTime;
use peapod_sim::trace::{RecordId, Trace};

use super::lanes::{self, Lane, LaneKind, Mark, Segment};
use super::{Axis, MAX_LANES, Scale, State, Timeline, end_of};

/// Pieces that are drawn at most, over all lanes.
const PIECES: usize = 6_000;
/// Instants that an axis by event gives room at most; of more, some.
const AXIS_INSTANTS: usize = 4_000;
/// So many pieces have one worst of them that is known beforehand.
const BLOCK: usize = 64;

/// Everything that happened, in lanes.
#[derive(Debug)]
pub struct Detailed {
    lanes: Vec<Lane>,
    /// For each lane the worst of each block of its segments and of its marks.
    worst: Vec<(Vec<State>, Vec<State>)>,
    instants: Arc<Vec<SimTime>>,
    /// The last record of each instant.
    records: Arc<Vec<RecordId>>,
    end: SimTime,
}

/// What of a timeline is drawn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Window {
    /// How time is laid out.
    pub scale: Scale,
    /// From when.
    pub from: SimTime,
    /// Until when; the end if it is not after `from`.
    pub to: SimTime,
    /// Only lanes whose name, namespace or part has this in it, whatever its case.
    pub only: String,
    /// Kinds that are left out.
    pub without: Vec<LaneKind>,
}

impl Detailed {
    /// Lays out a trace.
    pub fn new(trace: &Trace) -> Self {
        let end = end_of(trace);
        let lanes = lanes::detailed(trace, end);
        let mut all: Vec<(SimTime, RecordId)> = Vec::new();
        for lane in &lanes {
            all.extend(lane.segments.iter().map(|segment| (segment.from, segment.record)));
            all.extend(lane.marks.iter().map(|mark| (mark.at, mark.record)));
        }
        all.sort_unstable();
        let mut instants: Vec<SimTime> = Vec::new();
        let mut records: Vec<RecordId> = Vec::new();
        for (at, record) in all {
            match records.last_mut() {
                Some(last) if instants.last() == Some(&at) => *last = record.max(*last),
                _ => {
                    instants.push(at);
                    records.push(record);
                }
            }
        }
        Self {
            worst: lanes.iter().map(blocks).collect(),
            lanes,
            instants: Arc::new(instants),
            records: Arc::new(records),
            end,
        }
    }

    /// When the observation ended.
    pub fn end(&self) -> SimTime {
        self.end
    }

    /// The last change of all.
    pub fn last(&self) -> Option<SimTime> {
        self.instants.last().copied()
    }

    /// The last change before an instant.
    pub fn before(&self, at: SimTime) -> Option<SimTime> {
        let index = self.instants.partition_point(|instant| *instant < at);
        self.instants.get(index.checked_sub(1)?).copied()
    }

    /// The first change after an instant.
    pub fn after(&self, at: SimTime) -> Option<SimTime> {
        self.instants
            .get(self.instants.partition_point(|instant| *instant <= at))
            .copied()
    }

    /// The last record of an instant at which something changes.
    pub fn record_at(&self, at: SimTime) -> Option<RecordId> {
        self.records.get(self.instants.binary_search(&at).ok()?).copied()
    }

    /// The kinds of lanes that there are, and how many of each.
    pub fn kinds(&self) -> Vec<(LaneKind, usize)> {
        let mut kinds: Vec<(LaneKind, usize)> = Vec::new();
        for lane in &self.lanes {
            match kinds.iter_mut().find(|(kind, _)| *kind == lane.kind) {
                Some((_, count)) => *count += 1,
                None => kinds.push((lane.kind, 1)),
            }
        }
        kinds
    }

    /// A window as it is drawn.
    pub fn window(&self, window: &Window) -> Timeline {
        let from = window.from.min(self.end);
        let to = if window.to > from {
            window.to.min(self.end)
        } else {
            self.end
        };
        let to = to.max(SimTime(from.0.saturating_add(1)));
        let (first, last) = (
            self.instants.partition_point(|at| *at < from),
            self.instants.partition_point(|at| *at <= to),
        );
        let inside = self.instants.get(first..last).unwrap_or_default();
        let stride = inside.len().div_ceil(AXIS_INSTANTS).max(1);
        let seen: Vec<SimTime> = inside.iter().copied().step_by(stride).collect();
        let axis = Axis::between(window.scale, from, to, &seen);
        let only = window.only.trim().to_lowercase();
        let is_wanted = |(lane, _): &Known<'_>| {
            let has = |text: &str| text.to_lowercase().contains(&only);
            !window.without.contains(&lane.kind)
                && (only.is_empty() || has(&lane.name) || has(&lane.namespace) || has(&lane.part))
        };
        let wanted: Vec<Known<'_>> = self.lanes.iter().zip(&self.worst).filter(is_wanted).collect();
        let hidden = wanted.len().saturating_sub(MAX_LANES);
        // Steps, events and what else has no object come last or first, and are always shown.
        let lanes: Vec<Known<'_>> = match hidden {
            0 => wanted,
            _ => {
                let (own, common): (Vec<Known<'_>>, Vec<Known<'_>>) =
                    wanted.into_iter().partition(|(lane, _)| !lane.name.is_empty());
                let room = MAX_LANES.saturating_sub(common.len());
                let (before, after): (Vec<Known<'_>>, Vec<Known<'_>>) =
                    common.into_iter().partition(|(lane, _)| lane.kind == LaneKind::Steps);
                before
                    .into_iter()
                    .chain(own.into_iter().take(room))
                    .chain(after)
                    .collect()
            }
        };
        let buckets = (PIECES / lanes.len().max(1)).clamp(60, 900);
        let view = View {
            axis: &axis,
            from,
            to,
            width: 100.0 / buckets as f64,
        };
        let lanes = lanes.into_iter().map(|(lane, worst)| view.lane(lane, worst)).collect();
        Timeline {
            lanes,
            ticks: axis.ticks(),
            folds: axis.folds(),
            instants: seen,
            end: self.end,
            scale: window.scale,
            hidden,
            axis,
            from,
            to,
        }
    }
}

/// A lane with the worst of its blocks.
type Known<'a> = (&'a Lane, &'a (Vec<State>, Vec<State>));

/// The worst of each block of a lane.
fn blocks(lane: &Lane) -> (Vec<State>, Vec<State>) {
    let worst = |states: &mut dyn Iterator<Item = State>| states.max_by_key(|state| severity(*state));
    let segments = lane.segments.chunks(BLOCK);
    let marks = lane.marks.chunks(BLOCK);
    (
        segments
            .filter_map(|block| worst(&mut block.iter().map(|piece| piece.state)))
            .collect(),
        marks
            .filter_map(|block| worst(&mut block.iter().map(|piece| piece.state)))
            .collect(),
    )
}

struct View<'a> {
    axis: &'a Axis,
    from: SimTime,
    to: SimTime,
    /// What can be told apart, in percent.
    width: f64,
}

impl View<'_> {
    fn lane(&self, lane: &Lane, worst: &(Vec<State>, Vec<State>)) -> Lane {
        Lane {
            kind: lane.kind,
            name: lane.name.clone(),
            namespace: lane.namespace.clone(),
            part: lane.part.clone(),
            segments: self.segments(&lane.segments, &worst.0),
            marks: self.marks(&lane.marks, &worst.1),
        }
    }

    fn segments(&self, all: &[Segment], blocks: &[State]) -> Vec<Segment> {
        let mut shown = Vec::new();
        let mut index = all.partition_point(|segment| segment.to <= self.from);
        while let Some(segment) = all.get(index).filter(|segment| segment.from < self.to) {
            let x = self.axis.percent(segment.from.max(self.from));
            let end = self.axis.percent(segment.to.min(self.to));
            if end - x >= self.width {
                shown.push(Segment {
                    x,
                    width: end - x,
                    ..segment.clone()
                });
                index += 1;
                continue;
            }
            // Everything that begins before the next place that can be seen is one piece.
            let until = self.axis.instant(x + self.width);
            let next = (index + 1)
                + all
                    .get(index + 1..)
                    .unwrap_or_default()
                    .partition_point(|other| other.from < until && other.to <= until);
            let pieces = all.get(index..next).unwrap_or_default();
            let last = pieces.last().unwrap_or(segment);
            let end = self.axis.percent(last.to.min(self.to));
            let (worst, text) = one(all, index..next, blocks, |piece| (piece.state, &piece.text));
            shown.push(Segment {
                from: segment.from,
                to: last.to,
                state: worst.map_or(segment.state, |piece| piece.state),
                text,
                record: worst.map_or(segment.record, |piece| piece.record),
                x,
                width: (end - x).max(self.width * 0.6),
            });
            index = next.max(index + 1);
        }
        shown
    }

    fn marks(&self, all: &[Mark], blocks: &[State]) -> Vec<Mark> {
        let mut shown = Vec::new();
        let mut index = all.partition_point(|mark| mark.at < self.from);
        while let Some(mark) = all.get(index).filter(|mark| mark.at <= self.to) {
            let x = self.axis.percent(mark.at);
            let until = self.axis.instant(x + self.width);
            let next = index
                + all
                    .get(index..)
                    .unwrap_or_default()
                    .partition_point(|other| other.at == mark.at || other.at < until);
            let pieces = all.get(index..next).unwrap_or_default();
            let (worst, text) = one(all, index..next, blocks, |piece| (piece.state, &piece.text));
            let worst = worst.unwrap_or(mark);
            shown.push(Mark {
                at: worst.at,
                x: self.axis.percent(worst.at),
                text,
                more: if pieces.len() == 1 {
                    worst.more.clone()
                } else {
                    String::new()
                },
                ..worst.clone()
            });
            index = next.max(index + 1);
        }
        shown
    }
}

/// Of pieces that are drawn as one: the first of the worst, and what the piece is called. Whole blocks are not gone through,
/// except the one in which it is.
fn one<'p, T>(
    all: &'p [T],
    range: std::ops::Range<usize>,
    blocks: &[State],
    of: impl Fn(&T) -> (State, &String),
) -> (Option<&'p T>, String) {
    let mut worst: Option<&T> = None;
    let look = |from: usize, to: usize, worst: &mut Option<&'p T>| {
        for piece in all.get(from..to).unwrap_or_default() {
            if worst.is_none_or(|known| severity(of(known).0) < severity(of(piece).0)) {
                *worst = Some(piece);
            }
        }
    };
    let mut at = range.start;
    while at < range.end {
        let end = (at / BLOCK + 1) * BLOCK;
        let state = blocks.get(at / BLOCK).copied();
        let is_worse = match (worst, state) {
            (Some(known), Some(state)) => severity(of(known).0) < severity(state),
            _ => true,
        };
        if is_worse {
            look(at, end.min(range.end), &mut worst);
        }
        at = end;
    }
    let text = worst.map_or_else(String::new, |piece| of(piece).1.clone());
    match range.len() {
        0 | 1 => (worst, text),
        count => (worst, format!("{text} ×{count}")),
    }
}

/// What a reader must not miss is greater.
fn severity(state: State) -> u8 {
    match state {
        State::Fault => 9,
        State::Failed | State::Warning => 8,
        State::Step => 7,
        State::Unknown => 6,
        State::Terminating => 5,
        State::Waiting => 4,
        State::Pending => 3,
        State::Succeeded => 2,
        State::Running | State::Normal => 1,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::timeline::instant::tests::{crash_loop, secs};

    /// A container that starts and fails, over and over.
    fn long(times: u64) -> Detailed {
        let segment = |index: u64| Segment {
            from: SimTime(index * 10_000_000),
            to: SimTime((index + 1) * 10_000_000),
            state: if index % 100 == 99 {
                State::Failed
            } else {
                State::Running
            },
            text: if index % 100 == 99 { "Error" } else { "Running" }.to_owned(),
            record: u32::try_from(index).unwrap(),
            x: 0.0,
            width: 0.0,
        };
        let segments: Vec<Segment> = (0..times).map(segment).collect();
        let instants: Vec<SimTime> = segments.iter().map(|segment| segment.from).collect();
        let records = segments.iter().map(|segment| segment.record).collect();
        let end = segments.last().unwrap().to;
        let lane = Lane {
            kind: LaneKind::Container,
            name: "demo".into(),
            namespace: "default".into(),
            part: "app".into(),
            segments,
            marks: Vec::new(),
        };
        Detailed {
            worst: vec![blocks(&lane)],
            lanes: vec![lane],
            instants: Arc::new(instants),
            records: Arc::new(records),
            end,
        }
    }

    #[test]
    fn a_million_changes_are_as_many_pieces_as_can_be_seen() {
        let detailed = long(1_000_000);
        for scale in [Scale::Linear, Scale::Event] {
            let whole = detailed.window(&Window {
                scale,
                ..Window::default()
            });
            let pieces = &whole.lanes[0].segments;
            assert!((300..=1_000).contains(&pieces.len()), "{}", pieces.len());
            assert!(
                pieces.iter().all(|piece| piece.state == State::Failed),
                "no failure is lost"
            );
            assert!(
                pieces
                    .windows(2)
                    .all(|two| two[0].to <= two[1].from && two[0].x < two[1].x)
            );
            assert_eq!(
                (pieces[0].from, pieces.last().unwrap().to),
                (SimTime::ZERO, detailed.end)
            );
        }
        // Near enough, each change is by itself.
        let near = detailed.window(&Window {
            from: secs(5_000),
            to: secs(5_001),
            ..Window::default()
        });
        let pieces = &near.lanes[0].segments;
        assert_eq!(pieces.len(), 100);
        assert_eq!(pieces[99].text, "Error");
        assert_eq!(detailed.after(secs(5_000)), Some(SimTime(secs(5_000).0 + 10_000_000)));
        assert_eq!(detailed.record_at(secs(5_000)), Some(500_000));
    }

    #[test]
    fn a_window_has_the_lanes_that_are_asked_for() {
        let trace = crash_loop();
        let detailed = Detailed::new(&trace);
        let parts =
            |window: Window| -> Vec<LaneKind> { detailed.window(&window).lanes.iter().map(|lane| lane.kind).collect() };
        let all = parts(Window::default());
        assert!(
            all.contains(&LaneKind::Node) && all.contains(&LaneKind::Phase),
            "{all:?}"
        );
        let only = parts(Window {
            only: "DEMO".into(),
            ..Window::default()
        });
        assert!(
            !only.contains(&LaneKind::Node) && only.contains(&LaneKind::Container),
            "{only:?}"
        );
        let without = parts(Window {
            without: vec![LaneKind::Container, LaneKind::Events],
            ..Window::default()
        });
        assert!(!without.contains(&LaneKind::Container) && !without.contains(&LaneKind::Events));
    }

    #[test]
    fn a_small_timeline_is_drawn_whole() {
        let trace = crash_loop();
        let whole = Timeline::new(&trace, Scale::Event);
        let window = Detailed::new(&trace).window(&Window::default());
        let states = |timeline: &Timeline| -> Vec<(String, usize, usize)> {
            let lane = |lane: &Lane| (lane.part.clone(), lane.segments.len(), lane.marks.len());
            timeline.lanes.iter().map(lane).collect()
        };
        for lane in states(&whole) {
            assert!(states(&window).contains(&lane), "{lane:?}");
        }
    }
}
