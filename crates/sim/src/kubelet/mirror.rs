//! Mirror pods: what the API shows of the pods that a kubelet has from files (`pkg/kubelet/pod/mirror_client.go`,
//! `kubelet.go tryReconcileMirrorPods`, `kubelet_pods.go HandlePodCleanups`).

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use serde_json::Value;

use super::event::{NodeEvent, PodEvent};
use super::node::{Kubelet, after};
use super::static_pods::{HASH, MIRROR, annotation, is_mirror};
use super::worker::{PodVersion, Work, Worker};
use crate::apiserver;
use crate::objects::{Key, Kind, Object};
use crate::registry::DeleteOptions;
use crate::request::{Request, Verb};
use crate::time::{SimDuration, SimTime};
use crate::trace::RecordId;
use crate::world::World;

/// How often the kubelet puts its house in order (`housekeepingPeriod`).
const HOUSEKEEPING: SimDuration = SimDuration::from_secs(2);

/// A mirror pod as the kubelet has heard of it.
#[derive(Clone, Debug)]
pub(crate) struct Mirror {
    /// Its newest version.
    pub pod: PodVersion,
    /// The static pod that it mirrors: the last one of its name that the kubelet had (`translationByUID`).
    pub of: Option<Arc<str>>,
}

impl Kubelet {
    /// The API tells of a pod that is, or was, a mirror; whether it was one.
    pub(super) fn on_mirror(
        &mut self,
        w: &mut World,
        key: &Key,
        newest: Option<&PodVersion>,
        causes: &[RecordId],
    ) -> bool {
        let newest = newest.filter(|pod| is_mirror(pod));
        let known = self.mirrors.get(key);
        if known.is_none() && newest.is_none() {
            return false;
        }
        let is_new = known.map(|known| known.pod.metadata.uid.clone()) != newest.map(|pod| pod.metadata.uid.clone());
        let differs = match (known, newest) {
            (Some(known), Some(pod)) => {
                let (old, new) = (&known.pod.metadata, &pod.metadata);
                known.pod.spec != pod.spec
                    || old.labels != new.labels
                    || old.annotations != new.annotations
                    || old.deletion_timestamp.is_some() != new.deletion_timestamp.is_some()
            }
            _ => true,
        };
        match newest {
            Some(pod) => {
                let before = known.filter(|_| !is_new).and_then(|known| known.of.clone());
                let of = self.static_files.uid_of(key).cloned().or(before);
                self.mirrors.insert(key.clone(), Mirror { pod: pod.clone(), of });
            }
            None => {
                self.mirrors.remove(key);
            }
        }
        let Some(uid) = self.static_files.uid_of(key).cloned() else {
            self.plan_housekeeping(w);
            return true;
        };
        self.with_pod(w, &uid, |kubelet, w, worker| {
            if is_new && newest.is_some() {
                kubelet.plan_status_round(w, worker);
            }
            if !differs {
                kubelet.reconcile_status(w, worker);
            } else if worker.work == Work::Sync {
                kubelet.wake_worker(w, worker, causes);
            }
        });
        true
    }

    /// Makes the mirror pod be there and be that of the pod: part of every sync.
    pub(super) fn reconcile_mirror(&mut self, w: &mut World, worker: &Worker) {
        if !worker.is_static() || !self.connected {
            return;
        }
        if let Some(mirror) = self.mirrors.get(&worker.key) {
            let fits = annotation(&mirror.pod, MIRROR) == annotation(&worker.pod, HASH);
            if fits && mirror.pod.metadata.deletion_timestamp.is_none() {
                return;
            }
            let options = DeleteOptions {
                grace_period_seconds: Some(0),
                uid: mirror.pod.metadata.uid.clone(),
                ..Default::default()
            };
            if w.delete(&worker.key, &options).is_err() {
                return;
            }
        }
        let node = Key::new(Kind::Node, "", &self.name);
        let owner = match w.get(&node).map(|stored| &stored.object) {
            Some(Object::Node(node)) if node.metadata.deletion_timestamp.is_none() => OwnerReference {
                api_version: "v1".to_owned(),
                kind: "Node".to_owned(),
                name: self.name.to_string(),
                uid: node.metadata.uid.clone().unwrap_or_default(),
                controller: Some(true),
                block_owner_deletion: None,
            },
            _ => return,
        };
        let mut mirror = (*worker.pod).clone();
        let hash = annotation(&mirror, HASH).unwrap_or_default().to_owned();
        let annotations = mirror.metadata.annotations.get_or_insert_default();
        annotations.insert(MIRROR.to_owned(), hash);
        mirror.metadata.uid = None;
        mirror.metadata.owner_references = Some(vec![owner]);
        let request = Request {
            verb: Verb::Create,
            group: String::new(),
            version: "v1".to_owned(),
            resource: "pods".to_owned(),
            namespace: worker.key.namespace.to_string(),
            name: String::new(),
            subresource: String::new(),
            body: Some(Object::from(mirror).to_json()),
            patch: None,
            query: Vec::new(),
        };
        if let Err(status) = apiserver::handle(w, &request)
            && status.code != 409
        {
            let rule = "pkg/kubelet/pod/mirror_client.go CreateMirrorPod";
            let values = [("message", status.message.as_str())];
            w.decide(worker.reference(), None, rule, "mirror.refused", &values);
        }
    }

    /// Where the status of a pod goes in the API: that of a static pod to its mirror, once there is one. The kubelet asks the
    /// API for the pod of that name first, and says nothing to another one.
    pub(super) fn status_uid(&self, w: &World, worker: &Worker) -> Option<Arc<str>> {
        if !worker.is_static() {
            return Some(Arc::clone(&worker.uid));
        }
        let mirror = self.mirrors.get(&worker.key)?;
        let uid = mirror.pod.metadata.uid.as_deref()?;
        if mirror.of.as_ref() != Some(&worker.uid) || w.get(&worker.key)?.object.uid() != uid {
            return None;
        }
        // Housekeeping has dropped the status of a pod that is in no source; what comes later counts from the beginning
        // and looks older than what the API has (`RemoveOrphanedStatuses`).
        let dropped = worker.removed_at.is_some_and(|at| self.housekeeping_after(at) <= w.now);
        (!dropped).then(|| uid.into())
    }

    /// Statuses that waited for their mirror go along with the next status that is written, or with the next round.
    pub(super) fn plan_status_round(&mut self, w: &mut World, worker: &mut Worker) {
        worker.status_waits = true;
        if !worker.status_round {
            worker.status_round = true;
            self.plan(w, self.status_round_after(w.now), worker, PodEvent::WriteStatus);
        }
    }

    /// What waited for a mirror is written beside another pod's status: the status manager goes over all of them.
    pub(super) fn write_waiting(&mut self, w: &mut World) {
        if self.mirrors.is_empty() {
            return;
        }
        let waiting: Vec<Arc<str>> = self
            .pods
            .iter()
            .filter(|(_, worker)| worker.status_waits && self.mirrors.contains_key(&worker.key))
            .map(|(uid, _)| Arc::clone(uid))
            .collect();
        for uid in waiting {
            self.with_pod(w, &uid, |kubelet, w, worker| kubelet.write_one_status(w, worker));
        }
    }

    pub(super) fn plan_housekeeping(&mut self, w: &mut World) {
        if !self.housekeeping_planned {
            self.housekeeping_planned = true;
            self.plan_node(w, self.housekeeping_after(w.now), NodeEvent::Housekeeping);
        }
    }

    fn housekeeping_after(&self, at: SimTime) -> SimTime {
        // It ticks with the sync loop, every other second.
        let odd = self.pleg_phase.0 / 1_000_000 % 2;
        let phase = SimDuration(self.tick_phase.0 + odd * 1_000_000_000);
        after(phase, HOUSEKEEPING, at)
    }

    /// Mirrors of nothing go, and pods whose manifest came back while they were ending start anew.
    pub(super) fn housekeeping(&mut self, w: &mut World) {
        self.housekeeping_planned = false;
        let orphans: Vec<Key> = self
            .mirrors
            .keys()
            .filter(|key| self.static_files.uid_of(key).is_none())
            .cloned()
            .collect();
        let mut again = false;
        for key in orphans {
            let ending = self
                .running_static
                .get(&key)
                .and_then(|uid| self.pods.get(uid))
                .is_some_and(|worker| worker.work == Work::Terminating);
            if ending {
                again = true;
            } else if self.connected {
                let options = DeleteOptions {
                    grace_period_seconds: Some(0),
                    ..Default::default()
                };
                // It may be gone already.
                let _ = w.delete(&key, &options);
            }
        }
        let returned: Vec<(Arc<str>, bool)> = self
            .pods
            .iter()
            .filter(|(_, worker)| worker.restart.is_some())
            .map(|(uid, worker)| (Arc::clone(uid), worker.work == Work::Finished))
            .collect();
        let causes = w.causes.clone();
        for (uid, ended) in returned {
            if !ended {
                again = true;
                continue;
            }
            self.with_pod(w, &uid, |kubelet, w, worker| {
                if let Some(pod) = worker.restart.take() {
                    worker.begin_anew();
                    let line = kubelet.waiting.entry(worker.key.clone()).or_default();
                    line.push(Arc::clone(&worker.uid));
                    kubelet.updated(w, worker, pod, &causes);
                }
            });
        }
        if again {
            self.plan_housekeeping(w);
        }
    }

    /// The uid by which this kubelet knows the pod that the API shows under another.
    pub(crate) fn own_uid(&self, uid: &str) -> Arc<str> {
        self.mirrors
            .values()
            .find(|mirror| mirror.pod.metadata.uid.as_deref() == Some(uid))
            .and_then(|mirror| mirror.of.clone())
            .unwrap_or_else(|| uid.into())
    }

    /// The mirrors that the API has for this node, as a kubelet that starts lists them.
    pub(super) fn list_mirrors(&mut self, w: &World) {
        self.mirrors.clear();
        for stored in w.store.pods_on(&self.name) {
            if let Some(pod) = PodVersion::new(stored).filter(|pod| is_mirror(pod)) {
                let key = stored.object.key();
                let of = self.static_files.uid_of(&key).cloned();
                self.mirrors.insert(key, Mirror { pod, of });
            }
        }
    }
}

impl Worker {
    /// A pod with a fixed uid that came back starts from the beginning; its dead containers are still there.
    fn begin_anew(&mut self) {
        self.work = Work::Sync;
        self.removed = false;
        self.removed_at = None;
        self.admitted = false;
        self.started = false;
        self.terminated_done = false;
        self.grace = 0;
        self.verdict = None;
        self.disruption = None;
        self.status = None;
        self.start_time = None;
        self.probes_added = false;
        self.at_rest = false;
        self.last_phase = "";
    }
}

/// The uid under which a pod's events and logs are kept: that of the pod itself where the API shows a mirror of it.
pub fn source_uid(pod: &Value) -> Option<&str> {
    pod.pointer("/metadata/annotations/kubernetes.io~1config.mirror")
        .or_else(|| pod.pointer("/metadata/uid"))
        .and_then(Value::as_str)
}
