//! How long Event objects live: the API server writes each with a lease of `--event-ttl`, and writes that come close
//! together share one (`apiserver/pkg/storage/etcd3/lease_manager.go leaseManager.GetLease`).

use std::collections::VecDeque;

use crate::cluster::Event;
use crate::objects::{Index, Key};
use crate::time::{SimDuration, SimTime};
use crate::trace::Change;
use crate::world::World;

/// `--event-ttl`
const TTL: SimDuration = SimDuration::from_secs(60 * 60);
/// A lease lasts this much longer than the first object in it needs, so that others may share it.
const SHARED: SimDuration = SimDuration::from_secs(60);
/// Most objects in one lease.
const MOST: usize = 1000;

/// The leases that have not run out.
#[derive(Clone, Debug, Default)]
pub(super) struct Leases {
    open: VecDeque<Lease>,
    /// The lease of each Event object by its number.
    of: Index<u64>,
    next: u64,
}

#[derive(Clone, Debug)]
struct Lease {
    number: u64,
    ends: SimTime,
    objects: Vec<Key>,
}

impl World {
    /// Puts an Event object that was just written into the newest lease, or into a new one.
    pub(super) fn lease_event(&mut self, key: Key) {
        let needs = self.now + TTL;
        let leases = &mut self.events.leases;
        let shared = leases
            .open
            .back()
            .is_some_and(|lease| needs <= lease.ends && lease.objects.len() < MOST);
        if !shared {
            leases.next += 1;
            leases.open.push_back(Lease {
                number: leases.next,
                ends: needs + SHARED,
                objects: Vec::new(),
            });
            if leases.open.len() == 1 {
                self.schedule(needs + SHARED, Event::EventsExpire);
            }
        }
        let leases = &mut self.events.leases;
        if let Some(lease) = leases.open.back_mut() {
            let before = leases.of.insert(key.clone(), lease.number);
            if before != Some(lease.number) {
                lease.objects.push(key);
            }
        }
    }

    /// Leases have run out: their objects are gone, unless a later write has put them into another.
    pub(crate) fn expire_events(&mut self) {
        let now = self.now;
        while let Some(lease) = self.events.leases.open.pop_front_if(|lease| lease.ends <= now) {
            for key in lease.objects {
                if self.events.leases.of.get(&key) != Some(&lease.number) {
                    continue;
                }
                self.events.leases.of.remove(&key);
                if let Some(stored) = self.get(&key) {
                    let object = stored.object.clone();
                    self.put(Change::Deleted, object);
                }
            }
        }
        if let Some(lease) = self.events.leases.open.front() {
            let ends = lease.ends;
            self.schedule(ends, Event::EventsExpire);
        }
    }
}
