//! The taint eviction controller: pods that do not tolerate a node's NoExecute taints go, at once or when their patience is
//! over (`pkg/controller/tainteviction`).

use crate::core;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::pods::{emit, set_disruption_target};
use crate::cluster::Event;
use crate::controllers::ControllerEvent;
use crate::objects::{Key, Kind};
use crate::registry::DeleteOptions;
use crate::scheduler::plugins::taint_toleration::tolerates;
use crate::time::{SimDuration, SimTime};
use crate::world::{Controller, World};

/// The name under which it reports events.
const COMPONENT: &str = "taint-eviction-controller";

/// A pod whose patience runs.
#[derive(Clone, Copy, Debug)]
struct Eviction {
    created: SimTime,
    fires: SimTime,
}

/// The taint eviction controller.
#[derive(Clone, Default)]
pub struct TaintEviction {
    tainted: BTreeMap<String, Vec<core::Taint>>,
    planned: BTreeMap<Key, Eviction>,
}

/// How long a pod stays on a node with these taints.
enum Patience {
    Forever,
    None,
    For(SimDuration),
}

/// `GetMatchingTolerations` and `getMinTolerationTime`: the shortest patience of the tolerations that are used.
fn patience(pod: &core::Pod, taints: &[core::Taint]) -> Patience {
    let tolerations = pod
        .spec
        .as_ref()
        .and_then(|spec| spec.tolerations.as_deref())
        .unwrap_or_default();
    let mut shortest: Option<i64> = None;
    for taint in taints {
        // Of several tolerations for one taint the first is used.
        let Some(used) = tolerations.iter().find(|toleration| tolerates(toleration, taint)) else {
            return Patience::None;
        };
        if let Some(seconds) = used.toleration_seconds {
            shortest = Some(shortest.map_or(seconds, |known| known.min(seconds)));
        }
    }
    match shortest {
        None => Patience::Forever,
        Some(seconds) => match u64::try_from(seconds) {
            Ok(0) | Err(_) => Patience::For(SimDuration::ZERO),
            Ok(seconds) => Patience::For(SimDuration::from_secs(seconds)),
        },
    }
}

impl TaintEviction {
    /// Looks at a changed node's taints, or at a pod that came to a tainted node.
    pub(crate) fn on_notify(&mut self, w: &mut World, key: &Key) {
        match key.kind {
            Kind::Node => self.node_changed(w, &key.name),
            _ => self.pod_changed(w, key),
        }
    }

    /// Whether a timer still means something.
    pub(crate) fn is_planned(&self, key: &Key, at: SimTime) -> bool {
        self.planned.get(key).is_some_and(|eviction| eviction.fires == at)
    }

    /// Reacts to a timer.
    pub(crate) fn on_event(&mut self, w: &mut World, event: ControllerEvent) {
        if let ControllerEvent::Wake { key } = event
            && self.planned.get(&key).is_some_and(|eviction| eviction.fires <= w.now)
        {
            self.evict(w, &key);
        }
    }

    fn node_changed(&mut self, w: &mut World, name: &str) {
        let taints: Vec<core::Taint> = w
            .node(name)
            .and_then(|node| node.spec.as_ref()?.taints.as_ref())
            .into_iter()
            .flatten()
            .filter(|taint| taint.effect == "NoExecute")
            .cloned()
            .collect();
        let exists = w.node(name).is_some();
        let before = if taints.is_empty() {
            self.tainted.remove(name)
        } else {
            self.tainted.insert(name.to_owned(), taints.clone())
        };
        // A heartbeat changes no taints, and then nothing changes for the pods.
        if !exists || before.as_ref().map_or(taints.is_empty(), |before| *before == taints) {
            return;
        }
        let pods: Vec<Key> = w.store.pods_on(name).map(|stored| stored.object.key()).collect();
        for key in pods {
            if taints.is_empty() {
                self.cancel(w, &key);
            } else {
                self.process(w, &key, &taints);
            }
        }
    }

    fn pod_changed(&mut self, w: &mut World, key: &Key) {
        if self.tainted.is_empty() && self.planned.is_empty() {
            return;
        }
        let Some(pod) = w.pod(&key.namespace, &key.name) else {
            return self.cancel(w, key);
        };
        let node = pod
            .spec
            .as_ref()
            .and_then(|spec| spec.node_name.clone())
            .unwrap_or_default();
        if let Some(taints) = self.tainted.get(&node).cloned() {
            self.process(w, key, &taints);
        }
    }

    /// `processPodOnNode`.
    fn process(&mut self, w: &mut World, key: &Key, taints: &[core::Taint]) {
        let Some(pod) = w.pod(&key.namespace, &key.name) else {
            return;
        };
        match patience(pod, taints) {
            Patience::None => {
                self.cancel(w, key);
                self.evict(w, key);
            }
            Patience::Forever => self.cancel(w, key),
            Patience::For(span) => {
                let mut created = w.now;
                if let Some(known) = self.planned.get(key) {
                    // A longer patience does not prolong one that runs already.
                    if known.created + span < w.now + span {
                        return;
                    }
                    created = known.created;
                    self.cancel(w, key);
                }
                if span == SimDuration::ZERO {
                    return self.evict(w, key);
                }
                let fires = w.now + span;
                self.planned.insert(key.clone(), Eviction { created, fires });
                let causes = w.causes.clone();
                let event = ControllerEvent::Wake { key: key.clone() };
                w.schedule(
                    fires,
                    Event::Controller {
                        controller: Controller::TaintEviction,
                        event,
                        causes,
                    },
                );
            }
        }
    }

    fn cancel(&mut self, w: &mut World, key: &Key) {
        if self.planned.remove(key).is_none() {
            return;
        }
        if let Some(stored) = w.get(key).cloned() {
            let text = format!("Cancelling deletion of Pod {}/{}", key.namespace, key.name);
            emit(w, COMPONENT, &stored.object, "Normal", "TaintManagerEviction", text);
        }
    }

    /// `addConditionAndDeletePod`.
    fn evict(&mut self, w: &mut World, key: &Key) {
        self.planned.remove(key);
        let Some(stored) = w.get(key).cloned() else { return };
        if stored.object.meta().deletion_timestamp.is_some() {
            return;
        }
        let rule = "pkg/controller/tainteviction/taint_eviction.go addConditionAndDeletePod";
        let node = stored
            .object
            .as_pod()
            .and_then(|pod| pod.spec.as_ref()?.node_name.clone())
            .unwrap_or_default();
        let decision = w.decide(
            Arc::clone(&stored.reference),
            None,
            rule,
            "taint.evict",
            &[("node", &node)],
        );
        let causes = std::mem::replace(&mut w.causes, vec![decision]);
        let text = format!("Marking for deletion Pod {}/{}", key.namespace, key.name);
        emit(w, COMPONENT, &stored.object, "Normal", "TaintManagerEviction", text);
        let time = w.time();
        w.update_pod(key, stored.object.uid(), |pod| {
            let text = "Taint manager: deleting due to NoExecute taint";
            set_disruption_target(pod, &time, "DeletionByTaintManager", text);
        });
        // Deleted by another hand is deleted, too.
        let _ = w.delete(key, &DeleteOptions::default());
        w.causes = causes;
    }
}
