//! Graceful node shutdown (`pkg/kubelet/nodeshutdown/nodeshutdown_manager.go`, `…_linux.go`): when the machine is about to go
//! down, the kubelet holds it back, ends its pods by priority, low ones first, and lets it go. Off unless the kubelet is given
//! time for it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use k8s_openapi::api::core::v1 as core;

use super::event::NodeEvent;
use super::eviction::disruption;
use super::node::{Health, Kubelet};
use super::static_pods::SYSTEM_CRITICAL;
use super::worker::{Work, Worker};
use crate::latency;
use crate::time::SimDuration;
use crate::version::Gate;
use crate::world::World;

/// Reason of a pod that ended because its node did.
pub(super) const REASON: &str = "Terminated";
/// Message of such a pod.
const MESSAGE: &str = "Pod was terminated in response to imminent node shutdown.";
/// Reason and message with which new pods are refused meanwhile.
pub(super) const REFUSED: (&str, &str) = ("NodeShutdown", "Pod was rejected as the node is shutting down.");
/// Why the node is not ready meanwhile.
pub(super) const NOT_READY: &str = "node is shutting down";

/// How long pods from a priority on are given (`ShutdownGracePeriodByPodPriority`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// The lowest priority that it is for.
    pub priority: i32,
    /// Seconds.
    pub seconds: i64,
}

/// The periods that `shutdownGracePeriod` and `shutdownGracePeriodCriticalPods` stand for (`migrateConfig`); none when there
/// is no time or the critical pods have more than all.
pub fn migrated(all: SimDuration, critical: SimDuration) -> Vec<Period> {
    if all == SimDuration::ZERO || critical > all {
        return Vec::new();
    }
    let seconds = |span: SimDuration| i64::try_from(span.0 / 1_000_000_000).unwrap_or(i64::MAX);
    vec![
        Period {
            priority: 0,
            seconds: seconds(SimDuration(all.0 - critical.0)),
        },
        Period {
            priority: SYSTEM_CRITICAL,
            seconds: seconds(critical),
        },
    ]
}

/// The pods of each period, low priorities first (`groupByPriority`): a pod belongs to the highest period that it reaches, and
/// to the lowest if it reaches none.
pub fn groups<T>(periods: &[Period], pods: impl IntoIterator<Item = (T, i32)>) -> Vec<(Period, Vec<T>)> {
    let mut periods = periods.to_vec();
    periods.sort_by_key(|period| period.priority);
    let mut groups: Vec<(Period, Vec<T>)> = periods.into_iter().map(|period| (period, Vec::new())).collect();
    for (pod, priority) in pods {
        let reached = groups.partition_point(|(period, _)| period.priority <= priority);
        if let Some((_, group)) = groups.get_mut(reached.saturating_sub(1)) {
            group.push(pod);
        }
    }
    groups
}

/// The periods of a kubelet's settings.
///
/// # Errors
/// A sentence that names the setting and what is wrong with it.
pub fn periods(settings: &BTreeMap<String, String>) -> Result<Vec<Period>, String> {
    let span = |name: &str| match settings.get(name) {
        None => Ok(SimDuration::ZERO),
        Some(text) => {
            let wrong = |_| format!("setting {name} is a duration, such as 30s, not {text}");
            text.trim().parse::<SimDuration>().map_err(wrong)
        }
    };
    let (all, critical) = (span("shutdownGracePeriod")?, span("shutdownGracePeriodCriticalPods")?);
    if critical > all {
        return Err(
            "setting shutdownGracePeriodCriticalPods is more than shutdownGracePeriod, of which it is a part".into(),
        );
    }
    let Some(text) = settings.get("shutdownGracePeriodByPodPriority") else {
        return Ok(migrated(all, critical));
    };
    if all != SimDuration::ZERO || critical != SimDuration::ZERO {
        return Err("settings shutdownGracePeriod and shutdownGracePeriodByPodPriority exclude each other".into());
    }
    let wrong = || {
        format!(
            "setting shutdownGracePeriodByPodPriority is a list of {{priority, shutdownGracePeriodSeconds}}, not {text}"
        )
    };
    let list: serde_json::Value = serde_json::from_str(text).map_err(|_| wrong())?;
    let mut periods = Vec::new();
    for item in list.as_array().ok_or_else(wrong)? {
        let number = |key: &str| item.get(key).and_then(serde_json::Value::as_i64).ok_or_else(wrong);
        periods.push(Period {
            priority: i32::try_from(number("priority")?).map_err(|_| wrong())?,
            seconds: number("shutdownGracePeriodSeconds")?,
        });
    }
    Ok(periods)
}

/// A shutdown under way.
#[derive(Clone, Debug)]
pub(crate) struct Shutdown {
    /// Groups whose turn has not come.
    groups: VecDeque<(Period, Vec<Arc<str>>)>,
    /// Pods of the present group that have not ended.
    waiting: BTreeSet<Arc<str>>,
    /// Which group it is, so that timers of an earlier one are stale.
    turn: u64,
    /// Whether it was called off; what has begun goes on.
    called_off: bool,
}

impl Kubelet {
    /// The machine is told to go down, or that is called off.
    pub(crate) fn shut_down(&mut self, w: &mut World, on: bool) {
        if !on {
            match &mut self.shutdown {
                Some(shutdown) => shutdown.called_off = true,
                None if self.shutting_down => self.called_off(w),
                None => {}
            }
            return;
        }
        if self.health == Health::PoweredOff || self.shutting_down {
            return;
        }
        let mut periods = periods(&w.settings).unwrap_or_default();
        if !w.version.enabled(Gate::GracefulNodeShutdownBasedOnPodPriority)
            && w.settings.contains_key("shutdownGracePeriodByPodPriority")
        {
            periods.clear();
        }
        // A kubelet that does not run holds nothing back, and one without time for it does not try.
        if periods.is_empty() || self.health != Health::Running || !w.version.enabled(Gate::GracefulNodeShutdown) {
            self.power_off(w);
            return;
        }
        self.shutting_down = true;
        self.node_event(
            w,
            "Normal",
            "NodeShutdown",
            "Shutdown manager detected shutdown event".to_owned(),
        );
        self.heartbeat(w);
        let active = self.pods.values().filter(|worker| {
            worker.admitted && !worker.removed && !matches!(worker.work, Work::Terminated | Work::Finished)
        });
        let pods = active.map(|worker| {
            let priority = worker.spec().priority.unwrap_or(0);
            (Arc::clone(&worker.uid), priority)
        });
        let groups = groups(&periods, pods.collect::<Vec<_>>());
        self.shutdown = Some(Shutdown {
            groups: groups.into_iter().filter(|(_, pods)| !pods.is_empty()).collect(),
            waiting: BTreeSet::new(),
            turn: 0,
            called_off: false,
        });
        self.next_group(w);
    }

    /// Ends the pods of the next group; after the last one the machine goes down.
    fn next_group(&mut self, w: &mut World) {
        let Some(shutdown) = &mut self.shutdown else { return };
        let Some((period, pods)) = shutdown.groups.pop_front() else {
            let called_off = shutdown.called_off;
            self.shutdown = None;
            if called_off {
                self.called_off(w);
            } else {
                let wait = w.latency(latency::POWER_OFF);
                self.plan_node(w, w.now + wait, NodeEvent::PowerOff);
            }
            return;
        };
        shutdown.turn += 1;
        let turn = shutdown.turn;
        shutdown.waiting = pods.iter().cloned().collect();
        let at = w.now + SimDuration::from_secs(u64::try_from(period.seconds).unwrap_or(0));
        self.plan_node(w, at, NodeEvent::ShutdownGroup { turn });
        for uid in pods {
            self.with_pod(w, &uid, |kubelet, w, worker| {
                let own = worker.spec().termination_grace_period_seconds;
                let grace = own.filter(|own| *own <= period.seconds).unwrap_or(period.seconds);
                let values = [
                    ("priority", &*period.priority.to_string()),
                    ("seconds", &*grace.to_string()),
                ];
                let rule = "pkg/kubelet/nodeshutdown/nodeshutdown_manager.go killPods";
                let record = w.decide(worker.reference(), None, rule, "shutdown.ends", &values);
                let saved = std::mem::replace(&mut w.causes, vec![record]);
                kubelet.end_for_shutdown(w, worker, grace);
                w.causes = saved;
            });
        }
    }

    fn end_for_shutdown(&mut self, w: &mut World, worker: &mut Worker, grace: i64) {
        worker.verdict = Some((REASON.to_owned(), MESSAGE.to_owned()));
        worker.disruption = Some(core::PodCondition {
            last_transition_time: Some(w.time()),
            ..disruption(w, worker, MESSAGE)
        });
        worker.shrink_grace(Some(grace));
        if worker.work == Work::Sync {
            worker.work = Work::Terminating;
            self.abandon_volume_wait(w, worker);
            let causes = w.causes.clone();
            self.wake_worker(w, worker, &causes);
        }
    }

    /// The time of a group is over.
    pub(super) fn shutdown_group_over(&mut self, w: &mut World, turn: u64) {
        if self.shutdown.as_ref().is_some_and(|shutdown| shutdown.turn == turn) {
            self.next_group(w);
        }
    }

    /// A pod has ended: perhaps the last of its group.
    pub(super) fn shutdown_ended(&mut self, w: &mut World, worker: &Worker) {
        let Some(shutdown) = &mut self.shutdown else { return };
        if shutdown.waiting.remove(&worker.uid) && shutdown.waiting.is_empty() {
            let turn = shutdown.turn;
            self.plan_node(w, w.now, NodeEvent::ShutdownGroup { turn });
        }
    }

    fn called_off(&mut self, w: &mut World) {
        self.shutting_down = false;
        let message = "Shutdown manager detected shutdown cancellation".to_owned();
        self.node_event(w, "Normal", "NodeShutdown", message);
        self.heartbeat(w);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(settings: &[(&str, &str)]) -> Result<Vec<Period>, String> {
        let pairs = settings.iter();
        periods(
            &pairs
                .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
                .collect(),
        )
    }

    #[test]
    fn settings_make_periods() {
        let of = |pairs: &[(i32, i64)]| -> Vec<Period> {
            let pairs = pairs.iter();
            pairs.map(|&(priority, seconds)| Period { priority, seconds }).collect()
        };
        assert_eq!(read(&[]), Ok(Vec::new()));
        assert_eq!(
            read(&[
                ("shutdownGracePeriod", "1m"),
                ("shutdownGracePeriodCriticalPods", "20s")
            ]),
            Ok(of(&[(0, 40), (SYSTEM_CRITICAL, 20)]))
        );
        let list = r#"[{"priority": 1000, "shutdownGracePeriodSeconds": 5}]"#;
        assert_eq!(
            read(&[("shutdownGracePeriodByPodPriority", list)]),
            Ok(of(&[(1000, 5)]))
        );
        for (settings, words) in [
            (vec![("shutdownGracePeriod", "soon")], "is a duration"),
            (vec![("shutdownGracePeriodCriticalPods", "5s")], "is more than"),
            (vec![("shutdownGracePeriodByPodPriority", "10")], "is a list of"),
            (
                vec![
                    ("shutdownGracePeriodByPodPriority", list),
                    ("shutdownGracePeriod", "9s"),
                ],
                "exclude each other",
            ),
        ] {
            let error = read(&settings).expect_err(words);
            assert!(error.contains(words), "{error}");
        }
    }
}
