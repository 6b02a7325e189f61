//! One sync of a StatefulSet (`pkg/controller/statefulset/stateful_set_control.go updateStatefulSet`).

use crate::core;
use std::sync::Arc;

use k8s_openapi::api::apps::v1 as apps;

use super::StatefulSets;
use super::pod::{
    create, delete, is_available, is_running_and_ready, is_terminating, new_pod, ordinal, pod_name, revision,
};
use crate::controllers::{history, int32, nonzero, pods};
use crate::objects::{Key, Kind, Object, is_terminal};
use crate::request::Status;
use crate::store::Stored;
use crate::world::World;

/// A StatefulSet and its pods while one sync works on them.
struct Sync {
    set: apps::StatefulSet,
    owner: Object,
    template: core::PodTemplateSpec,
    current_template: core::PodTemplateSpec,
    current_revision: String,
    update_revision: String,
    collision_count: i32,
    min_ready: i32,
    monotonic: bool,
    /// The wanted pods by ordinal; those that do not exist yet are `None`.
    replicas: Vec<Option<core::Pod>>,
    /// Pods beyond the wanted ones, the highest ordinal first.
    condemned: Vec<core::Pod>,
    first_unavailable: Option<String>,
}

/// Whether a sync goes on after a pod.
enum Step {
    On,
    Stop,
}

impl StatefulSets {
    pub(super) fn sync(&mut self, w: &mut World, key: &Key) -> Result<(), Status> {
        let Some(stored) = w.get(key).cloned() else {
            return Ok(());
        };
        let Object::StatefulSet(set) = &stored.object else {
            return Ok(());
        };
        let Some(spec) = &set.spec else { return Ok(()) };
        let claimed = pods::claim(w, &stored.object, Kind::Pod, &spec.selector, |object| {
            object.as_pod().is_some_and(|pod| ordinal(set, pod).is_some())
        });
        let Some(mut sync) = Sync::new(w, set, &claimed) else {
            return Ok(());
        };
        let (outcome, created_before) = if set.metadata.deletion_timestamp.is_none() {
            let before = sync.counts(w);
            (sync.run(w), before)
        } else {
            (Ok(()), sync.counts(w))
        };
        let live = sync.live_revisions();
        sync.write_status(w, created_before);
        history::truncate(w, &sync.owner, &live, spec.revision_history_limit.unwrap_or(10));
        let next = sync
            .pods()
            .filter_map(|pod| pods::available_at(w, pod, sync.min_ready))
            .filter(|at| *at > w.now)
            .min();
        if let Some(at) = next {
            self.queue.add_after(w, key.clone(), at.since(w.now));
        }
        outcome
    }
}

impl Sync {
    fn new(w: &mut World, set: &apps::StatefulSet, claimed: &[Arc<Stored>]) -> Option<Self> {
        let spec = set.spec.clone()?;
        let owner = Object::from(set.clone());
        let status = set.status.clone().unwrap_or_default();
        let mut collision_count = status.collision_count.unwrap_or(0);
        let data = history::template_patch(&spec.template);
        let labels = spec
            .template
            .metadata
            .as_ref()
            .and_then(|meta| meta.labels.clone())
            .unwrap_or_default();
        let update = history::update_revision(w, &owner, &data, labels, &mut collision_count, |count| {
            let hash = history::hash(&data, count);
            (format!("{}-{hash}", owner.name()), hash)
        })?;
        let update_revision = update.metadata.name.clone().unwrap_or_default();
        let known = history::owned(w, &owner);
        let current = known
            .iter()
            .find(|own| own.metadata.name.is_some() && own.metadata.name == status.current_revision);
        let current_template = current
            .and_then(|own| own.data.as_ref()?.0.pointer("/spec/template").cloned())
            .and_then(|value| serde_json::from_value(value).ok())
            .unwrap_or_else(|| spec.template.clone());
        let current_revision = current
            .and_then(|own| own.metadata.name.clone())
            .unwrap_or_else(|| update_revision.clone());
        let start = spec.ordinals.as_ref().and_then(|ordinals| ordinals.start).unwrap_or(0);
        let wanted = spec.replicas.unwrap_or(1).max(0);
        let mut replicas: Vec<Option<core::Pod>> = (0..wanted).map(|_| None).collect();
        let mut condemned = Vec::new();
        for pod in claimed.iter().filter_map(|stored| stored.object.as_pod()) {
            let Some(ordinal) = ordinal(set, pod) else { continue };
            let slot = usize::try_from(ordinal - start)
                .ok()
                .and_then(|index| replicas.get_mut(index));
            match slot {
                Some(slot) => *slot = Some(pod.clone()),
                None => condemned.push(pod.clone()),
            }
        }
        condemned.sort_by_key(|pod| std::cmp::Reverse(ordinal(set, pod)));
        let min_ready = spec.min_ready_seconds.unwrap_or(0);
        let unavailable = |pod: &core::Pod| !is_available(w, pod, min_ready) || is_terminating(pod);
        // The first that is missing or not available: it may go first when the set shrinks.
        let first_replica = replicas.iter().enumerate().find_map(|(index, pod)| match pod {
            Some(pod) => unavailable(pod).then(|| pod_name(pod).to_owned()),
            None => Some(format!("{}-{}", owner.name(), start + int32(index))),
        });
        let first_unavailable = first_replica.or_else(|| {
            condemned
                .iter()
                .rev()
                .find(|pod| unavailable(pod))
                .map(|pod| pod_name(pod).to_owned())
        });
        Some(Self {
            monotonic: spec.pod_management_policy.as_deref() != Some("Parallel"),
            set: set.clone(),
            template: spec.template,
            current_template,
            owner,
            current_revision,
            update_revision,
            collision_count,
            min_ready,
            replicas,
            condemned,
            first_unavailable,
        })
    }

    fn pods(&self) -> impl Iterator<Item = &core::Pod> {
        self.replicas.iter().flatten().chain(&self.condemned)
    }

    fn live_revisions(&self) -> Vec<String> {
        let of_pods = self.pods().map(|pod| revision(pod).to_owned());
        of_pods
            .chain([self.current_revision.clone(), self.update_revision.clone()])
            .collect()
    }

    fn start(&self) -> i32 {
        self.set
            .spec
            .as_ref()
            .and_then(|spec| spec.ordinals.as_ref()?.start)
            .unwrap_or(0)
    }

    fn partition(&self) -> Option<i32> {
        let strategy = self.set.spec.as_ref()?.update_strategy.as_ref()?;
        strategy
            .rolling_update
            .as_ref()
            .map(|rolling| rolling.partition.unwrap_or(0))
    }

    fn is_on_delete(&self) -> bool {
        let strategy = self.set.spec.as_ref().and_then(|spec| spec.update_strategy.as_ref());
        strategy.and_then(|strategy| strategy.type_.as_deref()) == Some("OnDelete")
    }

    /// One step towards what is wanted.
    fn run(&mut self, w: &mut World) -> Result<(), Status> {
        if self.monotonic {
            for index in 0..self.replicas.len() {
                if let Step::Stop = self.process_replica(w, index)? {
                    return Ok(());
                }
            }
            for index in 0..self.condemned.len() {
                if let Step::Stop = self.process_condemned(w, index)? {
                    return Ok(());
                }
            }
        } else {
            pods::slow_start(self.replicas.len(), |index| self.process_replica(w, index).map(|_| ()))?;
            pods::slow_start(self.condemned.len(), |index| {
                self.process_condemned(w, index).map(|_| ())
            })?;
        }
        if self.is_on_delete() {
            return Ok(());
        }
        self.roll(w)
    }

    /// `processReplica`.
    fn process_replica(&mut self, w: &mut World, index: usize) -> Result<Step, Status> {
        let stop_if_ordered = if self.monotonic { Step::Stop } else { Step::On };
        let Some(pod) = self.replicas[index].clone() else {
            let ordinal = self.start() + int32(index);
            let pod = self.versioned(ordinal);
            create(w, &self.set, &self.owner, pod)?;
            return Ok(stop_if_ordered);
        };
        if is_terminal(&pod) {
            if !is_terminating(&pod) {
                delete(w, &self.owner, &pod)?;
            }
            return Ok(Step::Stop);
        }
        if self.monotonic
            && (is_terminating(&pod) || !is_running_and_ready(&pod) || !is_available(w, &pod, self.min_ready))
        {
            return Ok(Step::Stop);
        }
        Ok(Step::On)
    }

    /// A missing pod is made from the new template, unless the rollout has not come to it yet
    /// (`newVersionedStatefulSetPod`).
    fn versioned(&self, ordinal: i32) -> core::Pod {
        let current_replicas = self
            .set
            .status
            .as_ref()
            .and_then(|status| status.current_replicas)
            .unwrap_or(0);
        let boundary = self.partition().unwrap_or(current_replicas);
        if !self.is_on_delete() && ordinal < self.start() + boundary {
            new_pod(
                &self.set,
                &self.current_template,
                &self.owner,
                ordinal,
                &self.current_revision,
            )
        } else {
            new_pod(&self.set, &self.template, &self.owner, ordinal, &self.update_revision)
        }
    }

    /// `processCondemned`.
    fn process_condemned(&mut self, w: &mut World, index: usize) -> Result<Step, Status> {
        let pod = self.condemned[index].clone();
        if is_terminating(&pod) {
            return Ok(if self.monotonic { Step::Stop } else { Step::On });
        }
        let first = self.first_unavailable.as_deref() == Some(pod_name(&pod));
        let healthy = is_running_and_ready(&pod) && is_available(w, &pod, self.min_ready);
        if self.monotonic && !healthy && !first {
            return Ok(Step::Stop);
        }
        delete(w, &self.owner, &pod)?;
        Ok(Step::Stop)
    }

    /// Replaces one pod of an old revision, the highest ordinal first, and waits until it is available again.
    fn roll(&mut self, w: &mut World) -> Result<(), Status> {
        let lowest = usize::try_from(self.partition().unwrap_or(0)).unwrap_or(0);
        for index in (lowest..self.replicas.len()).rev() {
            let Some(pod) = self.replicas[index].clone() else {
                return Ok(());
            };
            if revision(&pod) != self.update_revision && !is_terminating(&pod) {
                let (name, to) = (pod_name(&pod), self.update_revision.as_str());
                let rule = "pkg/controller/statefulset/stateful_set_control.go updateStatefulSet";
                let values = [("pod", name), ("revision", to)];
                let decision = w.decide(self.owner.reference(), None, rule, "statefulset.roll", &values);
                let causes = std::mem::replace(&mut w.causes, vec![decision]);
                let outcome = delete(w, &self.owner, &pod);
                w.causes = causes;
                return outcome;
            }
            if !is_available(w, &pod, self.min_ready) || is_terminating(&pod) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Counts of the pods as they are: all, ready, available, of the current revision, of the new one.
    fn counts(&self, w: &World) -> [i32; 5] {
        let mut counts = [0; 5];
        for pod in self.pods() {
            counts[0] += 1;
            if is_running_and_ready(pod) {
                counts[1] += 1;
                counts[2] += i32::from(is_available(w, pod, self.min_ready));
            }
            if !is_terminating(pod) {
                counts[3] += i32::from(revision(pod) == self.current_revision);
                counts[4] += i32::from(revision(pod) == self.update_revision);
            }
        }
        counts
    }

    fn write_status(&mut self, w: &mut World, [replicas, ready, available, current, updated]: [i32; 5]) {
        let wanted = self.set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
        let mut status = apps::StatefulSetStatus {
            observed_generation: self.set.metadata.generation,
            replicas,
            ready_replicas: nonzero(ready),
            available_replicas: Some(available),
            current_replicas: nonzero(current),
            updated_replicas: nonzero(updated),
            current_revision: Some(self.current_revision.clone()),
            update_revision: Some(self.update_revision.clone()),
            collision_count: Some(self.collision_count),
            conditions: self.set.status.as_ref().and_then(|status| status.conditions.clone()),
        };
        // `completeRollingUpdate`.
        if !self.is_on_delete() && updated == wanted && ready == wanted && replicas == wanted {
            status.current_replicas = status.updated_replicas;
            status.current_revision.clone_from(&status.update_revision);
        }
        let key = self.owner.key();
        if let Some(Object::StatefulSet(set)) = w.get(&key).map(|stored| stored.object.clone()) {
            let mut set = set;
            set.status = Some(status);
            w.update(set.into());
        }
    }
}
