//! Virtual time. Instants and spans are whole nanoseconds, so that ordering never depends on a float.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The wall-clock instant at which a cluster's virtual clock starts unless told otherwise.
pub const DEFAULT_START: &str = "2024-08-10T10:20:53Z";

/// An instant of virtual time: nanoseconds since the cluster started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SimTime(pub u64);

/// A span of virtual time in nanoseconds; never negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SimDuration(pub u64);

impl SimTime {
    /// The instant at which the cluster starts.
    pub const ZERO: Self = Self(0);

    /// The span since `earlier`, or zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> SimDuration {
        SimDuration(self.0.saturating_sub(earlier.0))
    }

    /// Whole seconds since the start.
    pub fn as_secs(self) -> u64 {
        self.0 / 1_000_000_000
    }

    /// Seconds since the start, for display only.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }
}

impl SimDuration {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// A span of whole seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1_000_000_000))
    }

    /// A span of milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// A span of microseconds.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros.saturating_mul(1_000))
    }

    /// Whole seconds, rounded down.
    pub const fn as_secs(self) -> u64 {
        self.0 / 1_000_000_000
    }

    /// Seconds, for display only.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// This span times `numerator / denominator`, rounded down.
    pub const fn scaled(self, numerator: u64, denominator: u64) -> Self {
        Self((self.0 as u128 * numerator as u128 / denominator as u128) as u64)
    }
}

impl Add<SimDuration> for SimTime {
    type Output = Self;
    fn add(self, span: SimDuration) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl AddAssign<SimDuration> for SimTime {
    fn add_assign(&mut self, span: SimDuration) {
        *self = *self + span;
    }
}

impl Add for SimDuration {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for SimDuration {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl fmt::Display for SimTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SimDuration(self.0).fmt(f)
    }
}

impl fmt::Display for SimDuration {
    /// As Go prints a `time.Duration`: `10s`, `1m20s`, `5m0s`, `1h0m0s`, `300ms`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0;
        if nanos == 0 {
            return f.write_str("0s");
        }
        let fraction = |value: u64, digits: usize| {
            let text = format!("{value:0digits$}");
            let text = text.trim_end_matches('0');
            if text.is_empty() {
                String::new()
            } else {
                format!(".{text}")
            }
        };
        if nanos < 1_000 {
            return write!(f, "{nanos}ns");
        }
        if nanos < 1_000_000 {
            return write!(f, "{}{}µs", nanos / 1_000, fraction(nanos % 1_000, 3));
        }
        if nanos < 1_000_000_000 {
            return write!(f, "{}{}ms", nanos / 1_000_000, fraction(nanos % 1_000_000, 6));
        }
        let seconds = nanos / 1_000_000_000;
        let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        if hours > 0 {
            write!(f, "{hours}h")?;
        }
        if hours > 0 || minutes > 0 {
            write!(f, "{minutes}m")?;
        }
        write!(f, "{rest}{}s", fraction(nanos % 1_000_000_000, 9))
    }
}

/// Units of spans in nanoseconds; days are none of Go's.
const UNITS: [(&str, u128); 8] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("µs", 1_000),
    ("ns", 1),
];

/// Why a text is no span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSpan {
    /// It is not made of numbers and units.
    #[error("not numbers with units, such as 1h30m")]
    Form,
    /// It is longer than the clock can count.
    #[error("too long")]
    Length,
}

impl FromStr for SimDuration {
    type Err = NoSpan;

    /// As Go's `time.ParseDuration` reads one that has no sign: `1h30m`, `90s`, `0.5s`, `300ms`.
    fn from_str(text: &str) -> Result<Self, NoSpan> {
        read(text, &UNITS[1..])
    }
}

impl SimDuration {
    /// Reads a span that may be of days, too: `30d`, `1d12h`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn with_days(text: &str) -> Result<Self, NoSpan> {
        read(text, &UNITS)
    }
}

fn read(text: &str, units: &[(&str, u128)]) -> Result<SimDuration, NoSpan> {
    if text == "0" {
        return Ok(SimDuration::ZERO);
    }
    if text.is_empty() {
        return Err(NoSpan::Form);
    }
    let mut rest = text;
    let mut nanos: u128 = 0;
    while !rest.is_empty() {
        let is_of_number = |c: char| c.is_ascii_digit() || c == '.';
        let (number, tail) = rest.split_at(rest.find(|c| !is_of_number(c)).ok_or(NoSpan::Form)?);
        let (unit, tail) = tail.split_at(tail.find(is_of_number).unwrap_or(tail.len()));
        let (_, unit) = units.iter().find(|(name, _)| *name == unit).ok_or(NoSpan::Form)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && fraction.is_empty() || whole.len() > 12 || fraction.len() > 9 {
            return Err(NoSpan::Form);
        }
        let digits = |text: &str| match text {
            "" => Ok(0),
            text => text.parse::<u128>().map_err(|_| NoSpan::Form),
        };
        // At most twelve digits of days: even a text of megabytes does not overflow.
        nanos += digits(whole)? * unit + digits(fraction)? * unit / 10_u128.pow(fraction.len() as u32);
        rest = tail;
    }
    u64::try_from(nanos).map(SimDuration).map_err(|_| NoSpan::Length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_as_go_writes_them() {
        for (text, millis) in [
            ("1m30s", 90_000),
            ("0.5s", 500),
            (".5s", 500),
            ("300ms", 300),
            ("5m0s", 300_000),
            ("1.5h", 5_400_000),
            ("0", 0),
        ] {
            assert_eq!(text.parse(), Ok(SimDuration::from_millis(millis)), "{text}");
        }
        for text in ["", "5", "s", ".s", "1d", "1.s2", "1.2.3s", "-1s", "1 s", "10 m"] {
            assert_eq!(text.parse::<SimDuration>(), Err(NoSpan::Form), "{text:?}");
        }
        assert_eq!(SimDuration::with_days("1d12h"), Ok(SimDuration::from_secs(129_600)));
        assert_eq!(SimDuration::with_days("999999999999d"), Err(NoSpan::Length));
    }

    #[test]
    fn durations_print_as_go_prints_them() {
        for (millis, text) in [
            (0, "0s"),
            (300, "300ms"),
            (1_500, "1.5s"),
            (10_000, "10s"),
            (80_000, "1m20s"),
            (300_000, "5m0s"),
            (3_600_000, "1h0m0s"),
        ] {
            assert_eq!(SimDuration::from_millis(millis).to_string(), text);
        }
    }
}
