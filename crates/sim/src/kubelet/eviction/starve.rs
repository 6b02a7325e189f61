//! The fault that makes a node short of something: a process of the machine, outside of Kubernetes, takes it. Whether pressure
//! comes of it is the eviction manager's to find out.

use super::super::node::Kubelet;
use super::threshold::{Signal, Threshold};
use super::usage::Usage;
use crate::fault::Starved;
use crate::quantity;
use crate::world::World;

/// What such a process leaves of a resource that no threshold watches: a part of the capacity.
const LEFT: i128 = 100;

impl Usage {
    /// How much of a resource.
    fn of(&mut self, resource: Starved) -> &mut u64 {
        match resource {
            Starved::Memory => &mut self.memory,
            Starved::Disk => &mut self.disk,
            Starved::Pids => &mut self.processes,
        }
    }
}

impl Kubelet {
    /// Something takes that amount: `true` for so much that half of the threshold is left, `false` for nothing.
    pub(crate) fn starve(&mut self, w: &mut World, resource: Starved, amount: &str) -> Result<(), String> {
        let taken = match amount {
            "false" => 0,
            "true" => self.enough(w, resource),
            amount => {
                let taken = quantity::parse(amount).ok().map(|amount| amount.value());
                taken
                    .filter(|taken| *taken >= 0)
                    .and_then(|taken| u64::try_from(taken).ok())
                    .ok_or_else(|| format!("{amount} is no amount of {resource}, and neither true nor false"))?
            }
        };
        *self.eviction.outside.of(resource) = taken;
        self.eviction.changed = true;
        self.look_at_usage(w);
        Ok(())
    }

    /// Nothing but pods uses the node any more.
    pub(crate) fn feed(&mut self, w: &mut World) {
        if self.eviction.outside != Usage::default() {
            self.eviction.outside = Usage::default();
            self.eviction.changed = true;
            self.look_at_usage(w);
        }
    }

    /// How much has to be taken so that half of the highest threshold is left: a hard one if there is any.
    fn enough(&mut self, w: &mut World, resource: Starved) -> u64 {
        let signal = match resource {
            Starved::Memory => Signal::MemoryAvailable,
            Starved::Disk => Signal::NodeFsAvailable,
            Starved::Pids => Signal::PidAvailable,
        };
        let pressure = signal.condition();
        let seen = self.observe();
        let amounts = |hard: bool| {
            let fits = |threshold: &&Threshold| {
                let signal = threshold.signal;
                // Inodes are not what is taken.
                threshold.is_hard() == hard && signal.condition() == pressure && signal.resource() != "inodes"
            };
            let thresholds = w.kubelet.thresholds.iter().filter(fits);
            thresholds
                .filter_map(|threshold| {
                    let seen = seen.get(&threshold.signal)?;
                    Some((threshold.value.of(seen.capacity) / 2, seen.available))
                })
                .max()
        };
        let watched = amounts(true).or_else(|| amounts(false));
        let (left, available) = watched.unwrap_or_else(|| {
            w.notice(&format!(
                "no eviction threshold watches the {resource} of {}: its want changes nothing there (cluster.settings: \
                 evictionHard)",
                self.name
            ));
            let seen = seen.get(&signal).copied().unwrap_or_default();
            (seen.capacity / LEFT, seen.available)
        });
        let taken = *self.eviction.outside.of(resource);
        let more = u64::try_from(available - left).unwrap_or(0);
        taken.saturating_add(more)
    }
}
