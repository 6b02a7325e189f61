//! When what changed the endpoints of a Service happened: the annotation from which the delay of a Service is measured
//! (`k8s.io/endpointslice/util/trigger_time_tracker.go`).

use crate::core;
use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::controllers::pods::condition;
use crate::objects::Key;

/// What has been seen of each Service.
#[derive(Clone, Debug, Default)]
pub(super) struct Triggers {
    services: BTreeMap<Key, State>,
}

#[derive(Clone, Debug, Default)]
struct State {
    service: Option<Timestamp>,
    pods: BTreeMap<String, Timestamp>,
}

impl Triggers {
    /// The earliest of the changes that a sync sees for the first time: pods that became ready or unready, the Service
    /// itself. A Service that is new counts from its creation. `None`: nothing that has a time.
    pub fn changed_at(&mut self, key: &Key, service: &core::Service, pods: &[&core::Pod]) -> Option<Timestamp> {
        let created = service.metadata.creation_timestamp.as_ref().map(|time| time.0);
        let known = self.services.get(key).cloned();
        let before = known.clone().unwrap_or_default();
        let mut seen = BTreeMap::new();
        let mut earliest: Option<Timestamp> = None;
        let mut count = |at: Timestamp| earliest = Some(earliest.map_or(at, |known| known.min(at)));
        for pod in pods {
            let turned = condition(pod, "Ready").and_then(|condition| condition.last_transition_time.as_ref());
            let Some(at) = turned.map(|time| time.0) else { continue };
            let name = pod.metadata.name.clone().unwrap_or_default();
            if before.pods.get(&name).is_none_or(|known| at > *known) {
                count(at);
            }
            seen.insert(name, at);
        }
        if let Some(at) = created
            && before.service.is_none_or(|known| at > known)
        {
            count(at);
        }
        let state = State {
            service: created,
            pods: seen,
        };
        self.services.insert(key.clone(), state);
        if known.is_none() { created } else { earliest }
    }

    /// The Service is gone.
    pub fn forget(&mut self, key: &Key) {
        self.services.remove(key);
    }
}
