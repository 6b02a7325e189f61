//! Eviction signals and thresholds as pure functions (`pkg/kubelet/eviction/helpers.go`, `eviction/api/types.go`): when is a
//! node low on something, since when, and which of its conditions says so.

use std::collections::BTreeMap;
use std::fmt;

use crate::quantity::{self, Format, Quantity};
use crate::resources::binary;
use crate::time::{SimDuration, SimTime};

/// What the eviction manager looks at (`evictionapi.Signal`). `allocatableMemory.available` is left out: the memory of the
/// pods is a part of the node's, so `memory.available` is always met first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Signal {
    /// Memory of the node that nobody uses, in bytes.
    MemoryAvailable,
    /// Free bytes of the kubelet's disk.
    NodeFsAvailable,
    /// Free inodes of the kubelet's disk.
    NodeFsInodesFree,
    /// Free bytes of the disk with the images: here the same one.
    ImageFsAvailable,
    /// Free inodes of the disk with the images.
    ImageFsInodesFree,
    /// Process numbers that are free.
    PidAvailable,
}

impl Signal {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::MemoryAvailable,
        Self::NodeFsAvailable,
        Self::NodeFsInodesFree,
        Self::ImageFsAvailable,
        Self::ImageFsInodesFree,
        Self::PidAvailable,
    ];

    /// Its name in a kubelet's configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::MemoryAvailable => "memory.available",
            Self::NodeFsAvailable => "nodefs.available",
            Self::NodeFsInodesFree => "nodefs.inodesFree",
            Self::ImageFsAvailable => "imagefs.available",
            Self::ImageFsInodesFree => "imagefs.inodesFree",
            Self::PidAvailable => "pid.available",
        }
    }

    /// The signal of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|signal| signal.name() == name)
    }

    /// The resource that is short (`signalToResource`).
    pub fn resource(self) -> &'static str {
        match self {
            Self::MemoryAvailable => "memory",
            Self::NodeFsAvailable | Self::ImageFsAvailable => "ephemeral-storage",
            Self::NodeFsInodesFree | Self::ImageFsInodesFree => "inodes",
            Self::PidAvailable => "pids",
        }
    }

    /// The condition of the node that says so (`signalToNodeCondition`).
    pub fn condition(self) -> Pressure {
        match self {
            Self::MemoryAvailable => Pressure::Memory,
            Self::PidAvailable => Pressure::Pid,
            _ => Pressure::Disk,
        }
    }

    /// Whether the kubelet can free something of it before it evicts a pod: dead containers and unused images.
    pub fn is_disk(self) -> bool {
        self.condition() == Pressure::Disk
    }
}

/// A condition of a node that eviction sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pressure {
    /// `MemoryPressure`
    Memory,
    /// `DiskPressure`
    Disk,
    /// `PIDPressure`
    Pid,
}

impl fmt::Display for Pressure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory => "MemoryPressure",
            Self::Disk => "DiskPressure",
            Self::Pid => "PIDPressure",
        })
    }
}

/// An amount as it is configured (`evictionapi.ThresholdValue`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Amount {
    /// So much.
    Quantity(Quantity),
    /// That part of the capacity, as the `float32` of the real kubelet: 10 % is a little more than a tenth.
    Part(f32),
}

impl Amount {
    /// Reads `100Mi` or `10%`; `None` for `0%` and `100%`, which switch a threshold off.
    ///
    /// # Errors
    /// The kubelet's words for what is wrong with it.
    fn read(signal: &str, text: &str) -> Result<Option<Self>, String> {
        if let Some(number) = text.strip_suffix('%') {
            if matches!(number, "0" | "100") {
                return Ok(None);
            }
            let part = percentage(number)?;
            if part < 0.0 {
                return Err(format!("eviction percentage threshold {signal} must be >= 0%: {text}"));
            }
            if part > 1.0 {
                return Err(format!(
                    "eviction percentage threshold {signal} must be <= 100%: {text}"
                ));
            }
            return Ok(Some(Self::Part(part)));
        }
        let quantity = quantity::parse(text).map_err(|error| format!("{signal}: {error}"))?;
        if quantity.value() <= 0 {
            return Err(format!("eviction threshold {signal} must be positive: {quantity}"));
        }
        Ok(Some(Self::Quantity(quantity)))
    }

    /// Reads a minimum reclaim, which may be zero.
    fn read_reclaim(signal: &str, text: &str) -> Result<Self, String> {
        if let Some(number) = text.strip_suffix('%') {
            let part = percentage(number)?;
            if part <= 0.0 {
                return Err(format!(
                    "eviction percentage minimum reclaim {signal} must be positive: {text}"
                ));
            }
            return Ok(Self::Part(part));
        }
        let quantity = quantity::parse(text).map_err(|error| format!("{signal}: {error}"))?;
        if quantity.is_negative() {
            return Err(format!("negative eviction minimum reclaim specified for {signal}"));
        }
        Ok(Self::Quantity(quantity))
    }

    /// How much it is of a capacity, in whole units (`GetThresholdQuantity`).
    pub fn of(self, capacity: i128) -> i128 {
        match self {
            Self::Quantity(quantity) => quantity.value(),
            Self::Part(part) => (capacity as f64 * f64::from(part)) as i128,
        }
    }

    /// The same as a quantity prints it.
    pub fn shown(self, capacity: i128) -> String {
        match self {
            Self::Quantity(quantity) => quantity.to_string(),
            Self::Part(_) => binary(self.of(capacity)),
        }
    }
}

fn percentage(number: &str) -> Result<f32, String> {
    let read = number.trim_end_matches('%').parse::<f32>().ok();
    read.filter(|number| number.is_finite())
        .map(|number| number / 100.0)
        .ok_or_else(|| format!("strconv.ParseFloat: parsing {number:?}: invalid syntax"))
}

/// When something counts as short.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threshold {
    /// What.
    pub signal: Signal,
    /// Less than this.
    pub value: Amount,
    /// For so long; zero for a hard threshold.
    pub grace: SimDuration,
    /// So much more has to be free before it is over.
    pub min_reclaim: Option<Amount>,
}

impl Threshold {
    /// Whether it is acted upon at once.
    pub fn is_hard(&self) -> bool {
        self.grace == SimDuration::ZERO
    }

    /// Whether it is another name for the same threshold (`hasThreshold`).
    fn same(&self, other: &Self) -> bool {
        self.signal == other.signal && self.grace == other.grace && self.value == other.value
    }

    /// Whether it is met by what was observed.
    pub fn is_met(&self, seen: Observation, with_reclaim: bool) -> bool {
        let reclaim = self.min_reclaim.filter(|_| with_reclaim);
        let wanted = self.value.of(seen.capacity) + reclaim.map_or(0, |amount| amount.of(seen.capacity));
        wanted > seen.available
    }
}

/// What a node has of something, in units of its signal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Observation {
    /// Free.
    pub available: i128,
    /// In all.
    pub capacity: i128,
}

/// What was observed, by signal.
pub type Observations = BTreeMap<Signal, Observation>;

/// The thresholds that are met, whatever their grace (`thresholdsMet`).
pub fn thresholds_met(thresholds: &[Threshold], seen: &Observations, with_reclaim: bool) -> Vec<Threshold> {
    let met = |threshold: &&Threshold| {
        let seen = seen.get(&threshold.signal);
        seen.is_some_and(|seen| threshold.is_met(*seen, with_reclaim))
    };
    thresholds.iter().filter(met).copied().collect()
}

/// Those of both lists, each once (`mergeThresholds`).
pub fn merged(mut first: Vec<Threshold>, second: Vec<Threshold>) -> Vec<Threshold> {
    for threshold in second {
        if !first.iter().any(|known| known.same(&threshold)) {
            first.push(threshold);
        }
    }
    first
}

/// When each threshold was first observed to be met, without a break (`thresholdsFirstObservedAt`).
pub fn first_observed(met: &[Threshold], before: &[(Threshold, SimTime)], now: SimTime) -> Vec<(Threshold, SimTime)> {
    let since = |threshold: &Threshold| {
        let known = before.iter().find(|(known, _)| known == threshold);
        known.map_or(now, |(_, at)| *at)
    };
    met.iter().map(|threshold| (*threshold, since(threshold))).collect()
}

/// Those whose grace is over (`thresholdsMetGracePeriod`), memory first (`byEvictionPriority`).
pub fn grace_over(observed: &[(Threshold, SimTime)], now: SimTime) -> Vec<Threshold> {
    let mut over: Vec<Threshold> = observed
        .iter()
        .filter(|(threshold, at)| now.since(*at) >= threshold.grace)
        .map(|(threshold, _)| *threshold)
        .collect();
    over.sort_by_key(|threshold| threshold.signal != Signal::MemoryAvailable);
    over
}

/// Text values by the name of a signal, as a kubelet's configuration gives them.
pub type Statements = BTreeMap<String, String>;

/// The thresholds of a configuration (`ParseThresholdConfig`): the hard ones, then the soft ones.
///
/// # Errors
/// The kubelet's words for what is wrong.
pub fn parse_thresholds(
    hard: &Statements,
    soft: &Statements,
    grace: &BTreeMap<String, SimDuration>,
    reclaim: &Statements,
) -> Result<Vec<Threshold>, String> {
    let known = |name: &str| Signal::named(name).ok_or_else(|| unsupported(name));
    for name in grace.keys().chain(reclaim.keys()) {
        known(name)?;
    }
    let mut thresholds = Vec::new();
    for (list, is_soft) in [(hard, false), (soft, true)] {
        for (name, text) in list {
            let signal = known(name)?;
            let Some(value) = Amount::read(name, text)? else {
                continue;
            };
            let grace = match (is_soft, grace.get(name)) {
                (false, _) => SimDuration::ZERO,
                (true, Some(grace)) => *grace,
                (true, None) => {
                    return Err(format!(
                        "grace period must be specified for the soft eviction threshold {name}"
                    ));
                }
            };
            let min_reclaim = reclaim
                .get(name)
                .map(|text| Amount::read_reclaim(name, text))
                .transpose()?;
            thresholds.push(Threshold {
                signal,
                value,
                grace,
                min_reclaim,
            });
        }
    }
    Ok(thresholds)
}

fn unsupported(name: &str) -> String {
    let known: Vec<&str> = Signal::ALL.iter().map(|signal| signal.name()).collect();
    format!("unsupported eviction signal {name}; there are {}", known.join(", "))
}

/// An amount of bytes as the kubelet prints one that it measured.
pub fn amount_shown(signal: Signal, amount: i128) -> String {
    match signal {
        Signal::MemoryAvailable | Signal::NodeFsAvailable | Signal::ImageFsAvailable => binary(amount),
        _ => {
            let amount = i64::try_from(amount).unwrap_or(i64::MAX);
            Quantity::of(amount, Format::DecimalSi).to_string()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statements(list: &[(&str, &str)]) -> Statements {
        list.iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect()
    }

    #[test]
    fn wrong_thresholds_are_refused_in_the_kubelets_words() {
        let none = Statements::new();
        for (name, text, words) in [
            (
                "memory.available",
                "-1Mi",
                "eviction threshold memory.available must be positive: -1Mi",
            ),
            (
                "memory.available",
                "0",
                "eviction threshold memory.available must be positive: 0",
            ),
            (
                "nodefs.available",
                "101%",
                "eviction percentage threshold nodefs.available must be <= 100%: 101%",
            ),
            (
                "nodefs.available",
                "-1%",
                "eviction percentage threshold nodefs.available must be >= 0%: -1%",
            ),
            (
                "disk.available",
                "1Gi",
                "unsupported eviction signal disk.available; there are memory.available",
            ),
        ] {
            let error = parse_thresholds(&statements(&[(name, text)]), &none, &BTreeMap::new(), &none);
            let error = error.expect_err(text);
            assert!(error.starts_with(words), "{text}: {error}");
        }
        let soft = statements(&[("memory.available", "1Gi")]);
        let error = parse_thresholds(&none, &soft, &BTreeMap::new(), &none).expect_err("no grace");
        assert_eq!(
            error,
            "grace period must be specified for the soft eviction threshold memory.available"
        );
        let off = statements(&[("memory.available", "0%"), ("nodefs.available", "100%")]);
        assert_eq!(parse_thresholds(&off, &none, &BTreeMap::new(), &none), Ok(Vec::new()));
    }

    #[test]
    fn a_grace_begins_with_the_first_observation_and_anew_after_a_break() {
        let soft = Threshold {
            signal: Signal::MemoryAvailable,
            value: Amount::Part(0.5),
            grace: SimDuration::from_secs(20),
            min_reclaim: None,
        };
        let at = |seconds: u64| SimTime(seconds * 1_000_000_000);
        let first = first_observed(&[soft], &[], at(10));
        assert_eq!(grace_over(&first, at(29)), []);
        let still = first_observed(&[soft], &first, at(30));
        assert_eq!(grace_over(&still, at(30)), [soft]);
        let broken = first_observed(&[], &still, at(40));
        assert_eq!(first_observed(&[soft], &broken, at(50)), [(soft, at(50))]);
    }
}
