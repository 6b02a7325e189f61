//! The axis of time: linear, or compressed "by event" where a trial mostly waits.

use peapod_sim::time::{SimDuration, SimTime};
use serde::Serialize;

/// How time is laid out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scale {
    /// Equal spans are equally wide.
    Linear,
    /// Each change gets room; a long wait grows with its logarithm only.
    #[default]
    Event,
}

/// A label of the axis.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tick {
    /// When.
    pub at: SimTime,
    /// Where, in percent.
    pub x: f64,
    /// The label, as Go prints a duration: `1m40s`.
    pub text: String,
}

/// A span that the axis compresses.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fold {
    /// Its middle, in percent.
    pub x: f64,
    /// How long it is: `2m40s`.
    pub text: String,
}

/// A monotone map from virtual time to percent of the width.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// Instants and their places, both growing; the first is 0 at 0 %, the last the end at 100 %.
    points: Vec<(SimTime, f64)>,
    scale: Scale,
}

/// A wait at least this long is marked as folded on a compressed axis.
const FOLDED: SimDuration = SimDuration::from_secs(30);
/// How many labels an axis has at most.
const LABELS: usize = 8;

impl Axis {
    /// An axis over `[0, end]`; `instants` are the changes, in order.
    pub fn new(scale: Scale, end: SimTime, instants: &[SimTime]) -> Self {
        let end = SimTime(end.0.max(1));
        let mut points = vec![(SimTime::ZERO, 0.0)];
        if scale == Scale::Event {
            let mut place = 0.0;
            let mut last = SimTime::ZERO;
            for at in instants
                .iter()
                .copied()
                .filter(|at| *at > SimTime::ZERO && *at < end)
                .chain([end])
            {
                // A blink still takes room; a minute takes about four times that of a second.
                place += 0.15 + at.since(last).as_secs_f64().ln_1p();
                points.push((at, place));
                last = at;
            }
            for point in &mut points {
                point.1 = point.1 / place * 100.0;
            }
        } else {
            points.push((end, 100.0));
        }
        Self { points, scale }
    }

    /// An axis over a window: `from` is at the left edge, `to` at the right one.
    pub fn between(scale: Scale, from: SimTime, to: SimTime, instants: &[SimTime]) -> Self {
        let shifted: Vec<SimTime> = instants
            .iter()
            .filter(|at| **at > from)
            .map(|at| SimTime(at.0 - from.0))
            .collect();
        let mut axis = Self::new(scale, SimTime(to.0.saturating_sub(from.0)), &shifted);
        for point in &mut axis.points {
            point.0 = SimTime(point.0.0.saturating_add(from.0));
        }
        axis
    }

    /// The instant at a place, in percent: the inverse of [`Axis::percent`].
    pub fn instant(&self, x: f64) -> SimTime {
        let after = self.points.partition_point(|point| point.1 <= x);
        match (
            after.checked_sub(1).and_then(|i| self.points.get(i)),
            self.points.get(after),
        ) {
            (Some(&(t0, x0)), Some(&(t1, x1))) if x1 > x0 => {
                let share = (x - x0) / (x1 - x0);
                SimTime(t0.0 + (t1.since(t0).0 as f64 * share) as u64)
            }
            (Some(&(t, _)), _) | (None, Some(&(t, _))) => t,
            (None, None) => SimTime::ZERO,
        }
    }

    /// Where an instant is, in percent, rounded to a thousandth; instants after the end are at the end.
    pub fn percent(&self, at: SimTime) -> f64 {
        let after = self.points.partition_point(|point| point.0 <= at);
        let place = match (
            after.checked_sub(1).and_then(|i| self.points.get(i)),
            self.points.get(after),
        ) {
            (Some(&(t0, x0)), Some(&(t1, x1))) => x0 + (x1 - x0) * (at.since(t0).0 as f64 / t1.since(t0).0 as f64),
            (Some(&(_, x)), None) => x,
            (None, _) => 0.0,
        };
        (place * 1000.0).round() / 1000.0
    }

    /// The labels of the axis, far enough from each other to be read.
    pub fn ticks(&self) -> Vec<Tick> {
        let end = self.points.last().map_or(SimTime::ZERO, |point| point.0);
        let candidates: Vec<SimTime> = match self.scale {
            Scale::Linear => {
                let begin = self.points.first().map_or(SimTime::ZERO, |point| point.0);
                let step = step(SimTime(end.0.saturating_sub(begin.0)));
                let first = begin.0.div_ceil(step.0);
                (first..)
                    .map(|n| SimTime(step.0.saturating_mul(n)))
                    .take_while(|at| *at <= end)
                    .take(64)
                    .collect()
            }
            Scale::Event => self.points.iter().map(|point| point.0).collect(),
        };
        let gap = 100.0 / LABELS as f64;
        let mut ticks: Vec<Tick> = Vec::new();
        for at in candidates {
            let x = self.percent(at);
            if ticks.last().is_none_or(|last| x - last.x >= gap) && x <= 97.0 {
                ticks.push(Tick { at, x, text: short(at) });
            }
        }
        ticks
    }

    /// The waits that are compressed.
    pub fn folds(&self) -> Vec<Fold> {
        if self.scale == Scale::Linear {
            return Vec::new();
        }
        let pairs = self.points.iter().zip(self.points.iter().skip(1));
        pairs
            .filter(|(a, b)| b.0.since(a.0) >= FOLDED && b.1 - a.1 > 4.0)
            .map(|(a, b)| Fold {
                x: (((a.1 + b.1) / 2.0) * 1000.0).round() / 1000.0,
                text: short(SimTime(b.0.since(a.0).0)),
            })
            .collect()
    }
}

/// A round step that gives at most [`LABELS`] labels up to `end`.
fn step(end: SimTime) -> SimDuration {
    // A window of less than a few seconds has steps of milliseconds.
    const MILLIS: [u64; 9] = [1, 2, 5, 10, 20, 50, 100, 200, 500];
    let millis = end.0.div_ceil(1_000_000).div_ceil(LABELS as u64);
    if let Some(step) = MILLIS.iter().find(|step| **step >= millis) {
        return SimDuration::from_millis(*step);
    }
    const SECONDS: [u64; 16] = [
        1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21_600, 86_400,
    ];
    let wanted = end.as_secs().div_ceil(LABELS as u64);
    let step = SECONDS
        .iter()
        .copied()
        .find(|s| *s >= wanted)
        .unwrap_or_else(|| wanted.div_ceil(86_400) * 86_400);
    SimDuration::from_secs(step)
}

/// An instant as a label: whole seconds from a minute on, tenths before; hundredths below a second.
pub fn short(at: SimTime) -> String {
    let unit = match at.0 {
        0..1_000_000_000 => 10_000_000,
        1_000_000_000..60_000_000_000 => 100_000_000,
        _ => 1_000_000_000,
    };
    SimDuration((at.0 + unit / 2) / unit * unit).to_string()
}

/// An instant as a page's address has it: seconds with all digits that matter, such as `194.25`.
pub fn to_query(at: SimTime) -> String {
    let fraction = format!("{:09}", at.0 % 1_000_000_000);
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() {
        at.as_secs().to_string()
    } else {
        format!("{}.{fraction}", at.as_secs())
    }
}

/// Reads an instant of an address: seconds (`194.25`) or a duration as Go writes it (`3m14.25s`).
pub fn from_query(text: &str) -> Option<SimTime> {
    if text.len() > 40 {
        return None;
    }
    let is_number = !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || c == '.');
    let span = if is_number {
        format!("{text}s").parse()
    } else {
        text.parse()
    };
    span.ok().map(|SimDuration(nanos)| SimTime(nanos))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(seconds: u64) -> SimTime {
        SimTime(seconds * 1_000_000_000)
    }

    #[test]
    fn a_linear_axis_is_a_proportion() {
        let axis = Axis::new(Scale::Linear, at(600), &[at(2), at(300)]);
        assert_eq!(axis.percent(at(0)), 0.0);
        assert_eq!(axis.percent(at(150)), 25.0);
        assert_eq!(axis.percent(at(900)), 100.0);
        assert_eq!(
            axis.ticks().iter().map(|t| t.text.as_str()).collect::<Vec<_>>(),
            ["0s", "2m0s", "4m0s", "6m0s", "8m0s"]
        );
    }

    #[test]
    fn an_axis_by_event_grows_and_gives_the_first_seconds_room() {
        let instants: Vec<_> = [0, 1, 2, 12, 30, 70, 150, 310].map(at).to_vec();
        let axis = Axis::new(Scale::Event, at(600), &instants);
        let places: Vec<_> = instants.iter().map(|i| axis.percent(*i)).collect();
        assert!(places.windows(2).all(|pair| pair[0] < pair[1]), "{places:?}");
        assert!(axis.percent(at(2)) > 3.0, "the first two seconds are 0.3 % of the time");
        assert_eq!(axis.percent(at(600)), 100.0);
        assert!(axis.folds().iter().any(|fold| fold.text == "4m50s"));
    }

    #[test]
    fn instants_of_addresses_are_exact() {
        for (text, nanos) in [
            ("194.25", 194_250_000_000),
            ("0", 0),
            ("3m14.25s", 194_250_000_000),
            ("1h", 3_600_000_000_000),
            ("10.000000001", 10_000_000_001),
        ] {
            assert_eq!(from_query(text), Some(SimTime(nanos)), "{text}");
        }
        for text in ["", "x", "-1", "1.2.3", "5y", "99999999999999999999", "1m5", "."] {
            assert_eq!(from_query(text), None, "{text}");
        }
        assert_eq!(
            from_query(&to_query(SimTime(123_456_789_012))).unwrap(),
            SimTime(123_456_789_012)
        );
    }

    #[test]
    fn no_axis_divides_by_zero() {
        for scale in [Scale::Linear, Scale::Event] {
            let axis = Axis::new(scale, SimTime::ZERO, &[SimTime::ZERO]);
            assert!(axis.percent(at(1)).is_finite());
            assert!(!axis.ticks().is_empty());
        }
    }
}
