//! The pod garbage collector: every 20 seconds it removes pods whose node is gone and finished pods beyond a limit
//! (`pkg/controller/podgc`).

use crate::core;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::pods::{condition, set_disruption_target};
use crate::cluster::Event;
use crate::controllers::ControllerEvent;
use crate::objects::{Key, Kind, is_terminal};
use crate::registry::DeleteOptions;
use crate::store::Stored;
use crate::time::{SimDuration, SimTime};
use crate::world::{Controller, World};

/// How often it looks (`gcCheckPeriod`).
const PERIOD: SimDuration = SimDuration::from_secs(20);
/// How long a node must have been gone (`quarantineTime`).
const QUARANTINE: SimDuration = SimDuration::from_secs(40);
/// Finished pods that may stay (`--terminated-pod-gc-threshold`).
const TERMINATED_THRESHOLD: usize = 12_500;
/// The taint by which a person says that a node is gone for good.
const OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";

/// The pod garbage collector.
#[derive(Clone, Default)]
pub struct PodGc {
    /// Nodes that are missing, and since when.
    quarantine: BTreeMap<String, SimTime>,
}

impl PodGc {
    /// Plans the first round.
    pub(crate) fn start(&mut self, w: &mut World) {
        let first = match w.jitter {
            crate::world::Jitter::Real => SimDuration(w.rng.below(PERIOD.0)),
            crate::world::Jitter::None => PERIOD,
        };
        plan(w, first);
    }

    /// Reacts to a timer.
    pub(crate) fn on_event(&mut self, w: &mut World) {
        self.terminated(w);
        self.orphaned(w);
        unscheduled(w);
        out_of_service(w);
        plan(w, PERIOD);
    }

    fn orphaned(&mut self, w: &mut World) {
        let missing: Vec<String> = w
            .store
            .nodes_of_pods()
            .filter(|name| !name.is_empty() && w.node(name).is_none())
            .map(str::to_owned)
            .collect();
        self.quarantine.retain(|name, _| missing.contains(name));
        for node in missing {
            let since = *self.quarantine.entry(node.clone()).or_insert(w.now);
            if w.now.since(since) < QUARANTINE {
                continue;
            }
            let pods: Vec<Arc<Stored>> = w.store.pods_on(&node).cloned().collect();
            for stored in pods {
                remove(w, &stored, Some("PodGC: node no longer exists"));
            }
        }
    }

    fn terminated(&self, w: &mut World) {
        if w.store.count(Kind::Pod) <= TERMINATED_THRESHOLD {
            return;
        }
        let mut ended: Vec<Arc<Stored>> = w
            .store
            .list(Kind::Pod, None)
            .filter(|stored| stored.object.as_pod().is_some_and(is_terminal))
            .cloned()
            .collect();
        let surplus = ended.len().saturating_sub(TERMINATED_THRESHOLD);
        // Evicted pods first, then the oldest.
        ended.sort_by_key(|stored| {
            let evicted = stored
                .object
                .as_pod()
                .and_then(|pod| pod.status.as_ref())
                .and_then(|status| status.reason.clone());
            let created = stored.object.meta().creation_timestamp.as_ref().map(|time| time.0);
            (
                Reverse(evicted.as_deref() == Some("Evicted")),
                created,
                stored.object.name().to_owned(),
            )
        });
        for stored in ended.into_iter().take(surplus) {
            remove(w, &stored, None);
        }
    }
}

fn plan(w: &mut World, span: SimDuration) {
    let event = Event::Controller {
        controller: Controller::PodGc,
        event: ControllerEvent::Round,
        causes: Vec::new(),
    };
    w.after(span, event);
}

/// Pods that are being deleted and have no node, so that no kubelet will confirm it.
fn unscheduled(w: &mut World) {
    let pods: Vec<Arc<Stored>> = w
        .store
        .pods_on("")
        .filter(|stored| stored.object.meta().deletion_timestamp.is_some())
        .cloned()
        .collect();
    for stored in pods {
        remove(w, &stored, None);
    }
}

/// Pods that are being deleted on a node that was declared out of service.
fn out_of_service(w: &mut World) {
    let nodes: Vec<String> = w
        .store
        .list(Kind::Node, None)
        .filter_map(|stored| w.node(stored.object.name()))
        .filter(|node| {
            let taints = node.spec.iter().flat_map(|spec| spec.taints.iter().flatten());
            let ready = node.status.iter().flat_map(|status| status.conditions.iter().flatten());
            taints.into_iter().any(|taint| taint.key == OUT_OF_SERVICE)
                && !ready
                    .into_iter()
                    .any(|condition| condition.type_ == "Ready" && condition.status == "True")
        })
        .filter_map(|node| node.metadata.name.clone())
        .collect();
    for node in nodes {
        let pods: Vec<Arc<Stored>> = w
            .store
            .pods_on(&node)
            .filter(|stored| stored.object.meta().deletion_timestamp.is_some())
            .cloned()
            .collect();
        for stored in pods {
            remove(w, &stored, None);
        }
    }
}

/// Marks a pod as failed, unless it has ended, and deletes it without grace (`markFailedAndDeletePodWithCondition`).
fn remove(w: &mut World, stored: &Stored, message: Option<&str>) {
    let key: Key = stored.object.key();
    let reference = Arc::clone(&stored.reference);
    let why = message.unwrap_or("no kubelet will confirm the deletion, or too many pods have finished");
    let rule = "pkg/controller/podgc/gc_controller.go markFailedAndDeletePodWithCondition";
    let decision = w.decide(reference, None, rule, "podgc.delete", &[("why", why)]);
    let causes = std::mem::replace(&mut w.causes, vec![decision]);
    let time = w.time();
    w.update_pod(&key, stored.object.uid(), |pod: &mut core::Pod| {
        if is_terminal(pod) {
            return;
        }
        if let Some(message) = message
            && condition(pod, "DisruptionTarget").is_none_or(|known| known.status != "True")
        {
            set_disruption_target(pod, &time, "DeletionByPodGC", message);
        }
        pod.status.get_or_insert_default().phase = Some("Failed".to_owned());
    });
    let options = DeleteOptions {
        grace_period_seconds: Some(0),
        uid: Some(stored.object.uid().to_owned()),
        ..DeleteOptions::default()
    };
    // Gone already is as well.
    let _ = w.delete(&key, &options);
    w.causes = causes;
}
