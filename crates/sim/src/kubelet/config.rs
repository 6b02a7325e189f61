//! The part of a kubelet's configuration that an experiment may set (`pkg/kubelet/apis/config/v1beta1/defaults.go`), under the
//! names of its fields.

use std::collections::BTreeMap;

use super::eviction::threshold::{Statements, Threshold, parse_thresholds};
use crate::quantity;
use crate::time::SimDuration;

/// Fields that [`KubeletConfig::read`] knows.
pub const FIELDS: &[&str] = &[
    "containerLogMaxFiles",
    "containerLogMaxSize",
    "evictionHard",
    "evictionMaxPodGracePeriod",
    "evictionMinimumReclaim",
    "evictionPressureTransitionPeriod",
    "evictionSoft",
    "evictionSoftGracePeriod",
    "kubeReserved",
    "maxParallelImagePulls",
    "mergeDefaultEvictionSettings",
    "registryBurst",
    "registryPullQPS",
    "serializeImagePulls",
    "singleProcessOOMKill",
    "systemReserved",
];

/// Fields of those whose value is a map: `{memory.available: 100Mi}`, or the same as a flag takes it,
/// `memory.available<100Mi,nodefs.available<10%`.
pub const MAPS: &[&str] = &[
    "evictionHard",
    "evictionMinimumReclaim",
    "evictionSoft",
    "evictionSoftGracePeriod",
    "kubeReserved",
    "systemReserved",
];

/// `DefaultEvictionHard` on Linux.
const EVICTION_HARD: &[(&str, &str)] = &[
    ("memory.available", "100Mi"),
    ("nodefs.available", "10%"),
    ("nodefs.inodesFree", "5%"),
    ("imagefs.available", "15%"),
    ("imagefs.inodesFree", "5%"),
];

/// What a kubelet is told.
#[derive(Clone, Debug, PartialEq)]
pub struct KubeletConfig {
    /// When the node counts as short of something.
    pub thresholds: Vec<Threshold>,
    /// The most seconds that a pod is given when a soft threshold evicts it.
    pub max_pod_grace: i64,
    /// How long a condition stays after what it says was last observed.
    pub pressure_transition: SimDuration,
    /// Bytes at which a container's log begins a new file.
    pub log_max_size: u64,
    /// Files that a container's log may have.
    pub log_max_files: usize,
    /// Whether want of memory ends one process of a container rather than all of them; `None`: as the cgroups are.
    pub single_process_oom: Option<bool>,
    /// Images that are pulled at a time.
    pub parallel_pulls: usize,
    /// Pulls that may begin in a second, and at once; no limit where the first is 0.
    pub pull_qps: u64,
    /// See `pull_qps`.
    pub pull_burst: u64,
    /// What is kept from pods for the kubelet and the system: amounts by resource, in thousandths.
    pub reserved: BTreeMap<String, i128>,
}

impl Default for KubeletConfig {
    fn default() -> Self {
        Self::read(&BTreeMap::new()).unwrap_or(Self {
            thresholds: Vec::new(),
            max_pod_grace: 0,
            pressure_transition: SimDuration::from_secs(300),
            log_max_size: 10 << 20,
            log_max_files: 5,
            single_process_oom: None,
            parallel_pulls: 1,
            pull_qps: 5,
            pull_burst: 10,
            reserved: BTreeMap::new(),
        })
    }
}

impl KubeletConfig {
    /// Reads the fields that are set; other settings are somebody else's.
    ///
    /// # Errors
    /// A sentence that names the field and what is wrong with it.
    pub fn read(settings: &BTreeMap<String, String>) -> Result<Self, String> {
        let text = |name: &str| settings.get(name).map(|text| text.trim());
        let map = |name: &str| text(name).map(|text| statements(name, text)).transpose();
        let defaults = || -> Statements {
            let pairs = EVICTION_HARD.iter();
            pairs
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect()
        };
        let hard = match map("evictionHard")? {
            None => defaults(),
            // Whoever sets one threshold has set all of them: the defaults of the others are gone with it.
            Some(set) if boolean(settings, "mergeDefaultEvictionSettings")? == Some(true) => {
                let mut all = defaults();
                all.extend(set);
                all
            }
            Some(set) => set,
        };
        let mut grace = BTreeMap::new();
        for (signal, span) in map("evictionSoftGracePeriod")?.unwrap_or_default() {
            let span = duration("evictionSoftGracePeriod", &span)?;
            grace.insert(signal, span);
        }
        let (soft, reclaim) = (
            map("evictionSoft")?.unwrap_or_default(),
            map("evictionMinimumReclaim")?.unwrap_or_default(),
        );
        let span = |name: &str, default: SimDuration| match text(name) {
            Some(text) => duration(name, text),
            None => Ok(default),
        };
        let log_max_size = match text("containerLogMaxSize") {
            None => 10 << 20,
            Some(size) => bytes(size).filter(|size| *size > 0).ok_or_else(|| {
                format!("setting containerLogMaxSize is an amount of bytes, such as 10Mi, not {size}")
            })?,
        };
        let log_max_files = match whole(settings, "containerLogMaxFiles")? {
            None => 5,
            Some(files) if files > 1 => usize::try_from(files).unwrap_or(5),
            Some(files) => return Err(format!("setting containerLogMaxFiles is more than 1, not {files}")),
        };
        let mut reserved = BTreeMap::new();
        for name in ["kubeReserved", "systemReserved"] {
            for (resource, amount) in map(name)?.unwrap_or_default() {
                if !matches!(resource.as_str(), "cpu" | "memory" | "ephemeral-storage" | "pid") {
                    return Err(format!(
                        "setting {name} reserves cpu, memory, ephemeral-storage or pid, not {resource}"
                    ));
                }
                let amount = quantity::parse(&amount)
                    .ok()
                    .filter(|amount| !amount.is_negative())
                    .ok_or_else(|| format!("setting {name}: {amount} is no amount of {resource}"))?;
                *reserved.entry(resource).or_default() += amount.milli();
            }
        }
        let named = |error: String| format!("setting evictionHard or evictionSoft: {error}");
        Ok(Self {
            thresholds: parse_thresholds(&hard, &soft, &grace, &reclaim).map_err(named)?,
            max_pod_grace: whole(settings, "evictionMaxPodGracePeriod")?.unwrap_or(0),
            pressure_transition: span("evictionPressureTransitionPeriod", SimDuration::from_secs(300))?,
            log_max_size,
            log_max_files,
            single_process_oom: boolean(settings, "singleProcessOOMKill")?,
            parallel_pulls: parallel_pulls(settings)?,
            pull_qps: whole(settings, "registryPullQPS")?.map_or(5, i64::unsigned_abs),
            pull_burst: whole(settings, "registryBurst")?.map_or(10, i64::unsigned_abs),
            reserved,
        })
    }
}

/// How many images are pulled at a time (`pkg/kubelet/apis/config/validation`): one, unless pulls are not serialized.
fn parallel_pulls(settings: &BTreeMap<String, String>) -> Result<usize, String> {
    let most = whole(settings, "maxParallelImagePulls")?;
    if boolean(settings, "serializeImagePulls")? != Some(false) {
        return match most {
            Some(most) if most > 1 => Err(format!(
                "setting maxParallelImagePulls {most} must not be set unless serializeImagePulls is false"
            )),
            _ => Ok(1),
        };
    }
    match most {
        Some(0) => Err("setting maxParallelImagePulls must be a positive number".to_owned()),
        Some(most) => Ok(usize::try_from(most).unwrap_or(usize::MAX)),
        None => Ok(usize::MAX),
    }
}

/// A map as a flag takes it: `key<value` or `key=value`, with commas between.
fn statements(name: &str, text: &str) -> Result<Statements, String> {
    let mut map = Statements::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let pair = part.split_once(['<', '=']);
        let (key, value) = pair.ok_or_else(|| {
            format!("setting {name} is a map, such as {{memory.available: 100Mi}}: {part} has no value")
        })?;
        map.insert(key.trim().to_owned(), value.trim().to_owned());
    }
    Ok(map)
}

fn duration(name: &str, text: &str) -> Result<SimDuration, String> {
    text.parse().map_err(|_| {
        format!("setting {name}: {text:?} is no duration; write a number and a unit, such as 30s, 5m or 1m30s")
    })
}

fn bytes(text: &str) -> Option<u64> {
    u64::try_from(quantity::parse(text).ok()?.value()).ok()
}

fn whole(settings: &BTreeMap<String, String>, name: &str) -> Result<Option<i64>, String> {
    let Some(text) = settings.get(name) else {
        return Ok(None);
    };
    let number = text.trim().parse::<i64>().ok().filter(|number| *number >= 0);
    let wrong = || format!("setting {name} is a whole number, not {text}");
    number.map(Some).ok_or_else(wrong)
}

fn boolean(settings: &BTreeMap<String, String>, name: &str) -> Result<Option<bool>, String> {
    let Some(text) = settings.get(name) else {
        return Ok(None);
    };
    let read = text.trim().parse::<bool>().ok();
    read.map(Some)
        .ok_or_else(|| format!("setting {name} is true or false, not {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubelet::eviction::threshold::Signal;

    fn read(settings: &[(&str, &str)]) -> Result<KubeletConfig, String> {
        let pairs = settings.iter();
        KubeletConfig::read(
            &pairs
                .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
                .collect(),
        )
    }

    #[test]
    fn one_threshold_that_is_set_takes_the_defaults_of_the_others_away() {
        let signals = |config: &KubeletConfig| -> Vec<Signal> {
            config.thresholds.iter().map(|threshold| threshold.signal).collect()
        };
        let hard = ("evictionHard", "memory.available<500Mi");
        assert_eq!(signals(&KubeletConfig::default()).len(), 5);
        let alone = read(&[hard]).expect("well formed");
        assert_eq!(signals(&alone), [Signal::MemoryAvailable]);
        let merge = ("mergeDefaultEvictionSettings", "true");
        assert_eq!(signals(&read(&[hard, merge]).expect("well formed")).len(), 5);
        assert_eq!(signals(&read(&[("evictionHard", "")]).expect("empty")), []);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (name, text, words) in [
            ("evictionHard", "memory.available", "has no value"),
            ("evictionSoft", "memory.available<1Gi", "grace period must be specified"),
            ("evictionSoftGracePeriod", "memory.available=1", "is no duration"),
            ("evictionMaxPodGracePeriod", "-1", "is a whole number"),
            ("containerLogMaxFiles", "1", "is more than 1"),
            ("containerLogMaxSize", "many", "is an amount of bytes"),
            ("singleProcessOOMKill", "maybe", "is true or false"),
            ("kubeReserved", "gpu=1", "not gpu"),
        ] {
            let error = read(&[(name, text)]).expect_err(text);
            assert!(error.contains(words), "{error}");
        }
    }
}
