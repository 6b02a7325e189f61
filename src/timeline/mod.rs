//! Time as a picture: a trace becomes lanes of states and marks, and any instant of it can be looked at again.
//!
//! Pure functions of a [`Trace`]: the web pages and the reports draw what they return. Nothing here knows HTML; geometry
//! is in percent of the width, so that a picture fits a phone and a wall.

pub mod axis;
pub mod compare;
pub mod detail;
pub mod instant;
pub mod kubectl;
pub mod lanes;
pub mod picture;
pub mod state;
pub mod why;

use peapod_sim::time::SimTime;
use peapod_sim::trace::{RecordId, Trace};
use serde::Serialize;

pub use axis::{Axis, Scale};
pub use detail::{Detailed, Window};
pub use lanes::{Lane, LaneKind, Mark, Segment};
pub use state::State;

/// At most so many lanes are laid out; [`Timeline::hidden`] counts the others.
pub const MAX_LANES: usize = 120;

/// A laid-out timeline.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Timeline {
    /// Lanes from top to bottom.
    pub lanes: Vec<Lane>,
    /// Labels of the time axis.
    pub ticks: Vec<axis::Tick>,
    /// Spans that the axis compresses; empty on a linear axis.
    pub folds: Vec<axis::Fold>,
    /// The instants at which something on the lanes changes, in order.
    pub instants: Vec<SimTime>,
    /// When the observation ended.
    pub end: SimTime,
    /// How time is laid out.
    pub scale: Scale,
    /// How many lanes were left out.
    pub hidden: usize,
    /// Where the left edge is.
    pub from: SimTime,
    /// Where the right edge is.
    pub to: SimTime,
    #[serde(skip)]
    axis: Axis,
}

impl Timeline {
    /// Lays out a trace.
    pub fn new(trace: &Trace, scale: Scale) -> Self {
        let end = end_of(trace);
        let (mut lanes, hidden) = lanes::lanes(trace, end);
        let mut instants: Vec<SimTime> = lanes
            .iter()
            .flat_map(|lane| {
                lane.segments
                    .iter()
                    .map(|s| s.from)
                    .chain(lane.marks.iter().map(|m| m.at))
            })
            .collect();
        instants.sort_unstable();
        instants.dedup();
        let axis = Axis::new(scale, end, &instants);
        for lane in &mut lanes {
            for segment in &mut lane.segments {
                segment.x = axis.percent(segment.from);
                segment.width = axis.percent(segment.to) - segment.x;
            }
            for mark in &mut lane.marks {
                mark.x = axis.percent(mark.at);
            }
        }
        let (ticks, folds) = (axis.ticks(), axis.folds());
        Self {
            lanes,
            ticks,
            folds,
            instants,
            end,
            scale,
            hidden,
            axis,
            from: SimTime::ZERO,
            to: end,
        }
    }

    /// Lays out several traces on one axis, so that what happened at the same instant stands at the same place.
    pub fn together(traces: &[&Trace], scale: Scale) -> Vec<Self> {
        let mut all: Vec<Self> = traces.iter().map(|trace| Self::new(trace, scale)).collect();
        let end = all.iter().map(|timeline| timeline.end).max().unwrap_or_default();
        let mut instants: Vec<SimTime> = all
            .iter()
            .flat_map(|timeline| timeline.instants.iter().copied())
            .collect();
        instants.sort_unstable();
        instants.dedup();
        let axis = Axis::new(scale, end, &instants);
        for timeline in &mut all {
            timeline.place(&axis);
        }
        all
    }

    /// Puts everything at its place of an axis.
    fn place(&mut self, axis: &Axis) {
        for lane in &mut self.lanes {
            for segment in &mut lane.segments {
                segment.x = axis.percent(segment.from);
                segment.width = axis.percent(segment.to) - segment.x;
            }
            for mark in &mut lane.marks {
                mark.x = axis.percent(mark.at);
            }
        }
        (self.ticks, self.folds) = (axis.ticks(), axis.folds());
        self.to = axis.instant(100.0);
        self.axis = axis.clone();
    }

    /// Where an instant is, in percent of the width.
    pub fn percent(&self, at: SimTime) -> f64 {
        self.axis.percent(at)
    }

    /// The last change before an instant.
    pub fn before(&self, at: SimTime) -> Option<SimTime> {
        let index = self.instants.partition_point(|instant| *instant < at);
        index.checked_sub(1).and_then(|index| self.instants.get(index)).copied()
    }

    /// The first change after an instant.
    pub fn after(&self, at: SimTime) -> Option<SimTime> {
        self.instants
            .get(self.instants.partition_point(|instant| *instant <= at))
            .copied()
    }

    /// The mark or the beginning of a segment that stands at an instant, the last one in order of lanes that has a cause.
    pub fn record_at(&self, at: SimTime) -> Option<RecordId> {
        self.lanes
            .iter()
            .flat_map(|lane| {
                lane.segments
                    .iter()
                    .filter(move |s| s.from == at)
                    .map(|s| s.record)
                    .chain(lane.marks.iter().filter(move |m| m.at == at).map(|m| m.record))
            })
            .max()
    }
}

/// When a trace ends: never before its last record, and never at its very beginning.
pub fn end_of(trace: &Trace) -> SimTime {
    let last = trace.records.last().map_or(SimTime::ZERO, |record| record.at);
    trace.end.max(last).max(SimTime(1_000_000_000))
}
