//! One sync of a Deployment: what is done to its ReplicaSets
//! (`pkg/controller/deployment/{sync,rolling,recreate,progress}.go`).

use crate::core;
use k8s_openapi::api::apps::v1 as apps;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};

use super::replica_sets::{
    DESIRED_REPLICAS, HASH_LABEL, MAX_REPLICAS, REVISION, find_new, number, revision, same_template,
    set_new_annotations, set_replicas_annotations, size, sort_by_age,
};
use super::{COMPONENT, Retry, desired, fences, is_recreate, rolling, status};
use crate::controllers::pods;
use crate::controllers::template_hash::compute_hash;
use crate::objects::{Key, Kind, Object, controller_of, controller_reference, is_terminal, reference_to};
use crate::registry::DeleteOptions;
use crate::time::SimDuration;
use crate::version::Gate;
use crate::world::World;

/// A Deployment and its ReplicaSets while one sync works on them.
pub(super) struct Rollout {
    key: Key,
    deployment: apps::Deployment,
    /// Oldest first.
    sets: Vec<apps::ReplicaSet>,
}

/// The new ReplicaSet, if there is one, and the others by age.
struct Sets {
    new: Option<apps::ReplicaSet>,
    old: Vec<apps::ReplicaSet>,
}

impl Sets {
    fn all(&self) -> Vec<&apps::ReplicaSet> {
        self.old.iter().chain(&self.new).collect()
    }

    fn total(&self) -> i32 {
        self.all().into_iter().map(size).sum()
    }
}

fn available(set: &apps::ReplicaSet) -> i32 {
    set.status
        .as_ref()
        .and_then(|status| status.available_replicas)
        .unwrap_or(0)
}

fn name(set: &apps::ReplicaSet) -> &str {
    set.metadata.name.as_deref().unwrap_or_default()
}

impl Rollout {
    /// Reads the Deployment and the ReplicaSets that it controls.
    pub(super) fn new(w: &World, key: Key) -> Self {
        let deployment = match w.get(&key).map(|stored| &stored.object) {
            Some(Object::Deployment(deployment)) => deployment.clone(),
            _ => apps::Deployment::default(),
        };
        let uid = deployment.metadata.uid.clone().unwrap_or_default();
        let mut sets: Vec<apps::ReplicaSet> = w
            .store
            .dependents(&uid)
            .filter_map(|stored| match &stored.object {
                Object::ReplicaSet(set) => Some(set),
                _ => None,
            })
            .filter(|set| controller_of(&set.metadata).is_some_and(|owner| owner.uid == uid))
            .cloned()
            .collect();
        sort_by_age(&mut sets);
        Self { key, deployment, sets }
    }

    fn spec(&self) -> apps::DeploymentSpec {
        self.deployment.spec.clone().unwrap_or_default()
    }

    fn emit(&self, w: &mut World, kind: &str, reason: &str, message: String) {
        let about = Object::from(self.deployment.clone());
        pods::emit(w, COMPONENT, &about, kind, reason, message);
    }

    fn write_status(&mut self, w: &mut World) {
        if let Some(stored) = w.update(self.deployment.clone().into())
            && let Object::Deployment(written) = &stored.object
        {
            self.deployment = written.clone();
        }
    }

    fn status_mut(&mut self) -> &mut apps::DeploymentStatus {
        self.deployment.status.get_or_insert_default()
    }

    /// `syncStatusOnly`, for a Deployment that is being deleted.
    pub(super) fn sync_status_only(&mut self, w: &mut World) -> Result<(), Retry> {
        let sets = self.sort_out(w, false)?;
        self.sync_status(w, &sets);
        Ok(())
    }

    /// What the ReplicaSets come to (`calculateStatus`).
    fn calculate(&self, w: &World, sets: &Sets) -> apps::DeploymentStatus {
        let mut status = status::calculate(&w.time(), &self.deployment, &sets.all(), sets.new.as_ref());
        if !w.version.enabled(Gate::DeploymentReplicaSetTerminatingReplicas) {
            status.terminating_replicas = None;
        }
        status
    }

    fn sync_status(&mut self, w: &mut World, sets: &Sets) {
        let new = self.calculate(w, sets);
        self.deployment.status = Some(new);
        self.write_status(w);
    }

    /// Says in the `Progressing` condition that a rollout was paused or goes on (`checkPausedConditions`).
    pub(super) fn check_paused_conditions(&mut self, w: &mut World) {
        if status::progress_deadline(&self.deployment).is_none() {
            return;
        }
        let known = self
            .deployment
            .status
            .as_ref()
            .and_then(|own| status::find(own, "Progressing"));
        let reason = known.and_then(|condition| condition.reason.clone()).unwrap_or_default();
        if reason == status::TIMED_OUT {
            return;
        }
        let paused = self.spec().paused == Some(true);
        let was_paused = reason == "DeploymentPaused";
        let now = w.time();
        let condition = match (paused, was_paused) {
            (true, false) => status::condition(
                &now,
                "Progressing",
                "Unknown",
                "DeploymentPaused",
                "Deployment is paused",
            ),
            (false, true) => status::condition(
                &now,
                "Progressing",
                "Unknown",
                "DeploymentResumed",
                "Deployment is resumed",
            ),
            _ => return,
        };
        status::set(self.status_mut(), condition);
        self.write_status(w);
    }

    /// Tells the new ReplicaSet from the old ones, keeps revisions up to date and, if asked to, creates a missing new one
    /// (`getAllReplicaSetsAndSyncRevision`).
    fn sort_out(&mut self, w: &mut World, create: bool) -> Result<Sets, Retry> {
        let found = find_new(&self.deployment, &self.sets).cloned();
        let is_new = |set: &apps::ReplicaSet| found.as_ref().is_some_and(|new| new.metadata.uid == set.metadata.uid);
        let old: Vec<apps::ReplicaSet> = self.sets.iter().filter(|set| !is_new(set)).cloned().collect();
        let next_revision = old.iter().map(revision).max().unwrap_or(0) + 1;
        let new = match found {
            Some(set) => Some(self.take_over(w, set, next_revision)),
            None if create => Some(self.create_new(w, &old, next_revision)?),
            None => None,
        };
        Ok(Sets { new, old })
    }

    /// Makes an existing ReplicaSet the new one.
    fn take_over(&mut self, w: &mut World, mut set: apps::ReplicaSet, next_revision: i64) -> apps::ReplicaSet {
        let min_ready = self.spec().min_ready_seconds;
        let changed = set_new_annotations(&self.deployment, &mut set, next_revision);
        let spec = set.spec.get_or_insert_default();
        if changed || spec.min_ready_seconds.unwrap_or(0) != min_ready.unwrap_or(0) {
            spec.min_ready_seconds = min_ready;
            return self.store_set(w, set);
        }
        let own = revision(&set).to_string();
        let mut changed = self.set_revision(&own);
        let has_condition = self
            .deployment
            .status
            .as_ref()
            .is_some_and(|own| status::find(own, "Progressing").is_some());
        if status::progress_deadline(&self.deployment).is_some() && !has_condition {
            let text = format!("Found new replica set \"{}\"", name(&set));
            let condition = status::condition(&w.time(), "Progressing", "True", "FoundNewReplicaSet", &text);
            status::set(self.status_mut(), condition);
            changed = true;
        }
        if changed {
            self.write_status(w);
        }
        set
    }

    fn set_revision(&mut self, revision: &str) -> bool {
        let annotations = self.deployment.metadata.annotations.get_or_insert_default();
        annotations.insert(REVISION.to_owned(), revision.to_owned()).as_deref() != Some(revision)
    }

    fn store_set(&mut self, w: &mut World, set: apps::ReplicaSet) -> apps::ReplicaSet {
        let written = match w.update(set.clone().into()).map(|stored| stored.object.clone()) {
            Some(Object::ReplicaSet(written)) => written,
            _ => set,
        };
        if let Some(own) = self
            .sets
            .iter_mut()
            .find(|own| own.metadata.uid == written.metadata.uid)
        {
            own.clone_from(&written);
        }
        written
    }

    fn create_new(
        &mut self,
        w: &mut World,
        old: &[apps::ReplicaSet],
        next_revision: i64,
    ) -> Result<apps::ReplicaSet, Retry> {
        let spec = self.spec();
        let collisions = self
            .deployment
            .status
            .as_ref()
            .and_then(|status| status.collision_count);
        let hash = compute_hash(&spec.template, collisions);
        let mut template = spec.template.clone();
        let labels = template.metadata.get_or_insert_default().labels.get_or_insert_default();
        labels.insert(HASH_LABEL.to_owned(), hash.clone());
        let labels = labels.clone();
        let mut selector: LabelSelector = spec.selector.clone();
        selector
            .match_labels
            .get_or_insert_default()
            .insert(HASH_LABEL.to_owned(), hash.clone());
        let owner = Object::from(self.deployment.clone());
        let total: i32 = old.iter().map(size).sum();
        let own = fences(&self.deployment);
        let replicas = if is_recreate(&self.deployment) {
            own.desired
        } else {
            rolling::new_replicas(own.desired, own.surge, total, 0)
        };
        let mut set = apps::ReplicaSet {
            metadata: ObjectMeta {
                name: Some(set_name(&self.key.name, &hash)),
                namespace: Some(self.key.namespace.to_string()),
                labels: Some(labels),
                owner_references: Some(vec![controller_reference(&owner)]),
                ..ObjectMeta::default()
            },
            spec: Some(apps::ReplicaSetSpec {
                replicas: Some(replicas),
                min_ready_seconds: spec.min_ready_seconds.filter(|seconds| *seconds != 0),
                selector,
                template: Some(template),
            }),
            status: Some(apps::ReplicaSetStatus::default()),
        };
        set_new_annotations(&self.deployment, &mut set, next_revision);
        set_replicas_annotations(&mut set, own);
        let created = match w.create(set.clone().into()) {
            Ok(stored) => match &stored.object {
                Object::ReplicaSet(set) => set.clone(),
                _ => return Err(Retry),
            },
            Err(error) if error.code == 409 => return Err(self.collided(w, &set)),
            Err(error) => {
                let text = format!("Failed to create new replica set \"{}\": {error}", name(&set));
                if status::progress_deadline(&self.deployment).is_some() {
                    let condition =
                        status::condition(&w.time(), "Progressing", "False", "ReplicaSetCreateError", &text);
                    status::set(self.status_mut(), condition);
                    self.write_status(w);
                }
                self.emit(w, "Warning", "ReplicaSetCreateError", text);
                return Err(Retry);
            }
        };
        if replicas > 0 {
            let text = format!("Scaled up replica set {} from 0 to {replicas}", name(&created));
            self.emit(w, "Normal", "ScalingReplicaSet", text);
        }
        self.set_revision(&next_revision.to_string());
        if status::progress_deadline(&self.deployment).is_some() {
            let text = format!("Created new replica set \"{}\"", name(&created));
            let condition = status::condition(&w.time(), "Progressing", "True", "NewReplicaSetCreated", &text);
            status::set(self.status_mut(), condition);
        }
        self.write_status(w);
        self.sets.push(created.clone());
        Ok(created)
    }

    /// Another object has the name: the collision count makes the next hash a different one.
    fn collided(&mut self, w: &mut World, set: &apps::ReplicaSet) -> Retry {
        let key = Key::new(Kind::ReplicaSet, &self.key.namespace, name(set));
        let own_uid = self.deployment.metadata.uid.clone();
        if let Some(Object::ReplicaSet(existing)) = w.get(&key).map(|stored| &stored.object)
            && controller_of(&existing.metadata).map(|owner| owner.uid.clone()) == own_uid
            && same_template(
                existing.spec.as_ref().and_then(|spec| spec.template.as_ref()),
                self.deployment.spec.as_ref().map(|spec| &spec.template),
            )
        {
            return Retry;
        }
        let count = self.status_mut().collision_count.get_or_insert(0);
        *count += 1;
        self.write_status(w);
        Retry
    }

    /// Whether the Deployment's size changed since its ReplicaSets were scaled (`isScalingEvent`).
    pub(super) fn is_scaling_event(&mut self, w: &mut World) -> Result<bool, Retry> {
        let sets = self.sort_out(w, false)?;
        let wanted = desired(&self.deployment);
        Ok(sets
            .all()
            .into_iter()
            .filter(|set| size(set) > 0)
            .filter_map(|set| number(set, DESIRED_REPLICAS))
            .any(|known| known != wanted))
    }

    /// Scales without rolling out, as for a paused Deployment or a new size (`sync`).
    pub(super) fn scale_only(&mut self, w: &mut World, paused: bool) -> Result<(), Retry> {
        let mut sets = self.sort_out(w, false)?;
        self.scale(w, &mut sets);
        if paused {
            self.clean_up(w, &sets.old);
        }
        self.sync_status(w, &sets);
        Ok(())
    }

    /// `scale`: one ReplicaSet takes the whole change, several share it.
    fn scale(&mut self, w: &mut World, sets: &mut Sets) {
        let wanted = desired(&self.deployment);
        let mut active: Vec<&mut apps::ReplicaSet> = Vec::new();
        let (new_count, old_count) = (usize::from(sets.new.is_some()), sets.old.len());
        for set in sets.old.iter_mut().chain(&mut sets.new) {
            if size(set) > 0 {
                active.push(set);
            }
        }
        match active.len() {
            0 if new_count + old_count == 0 => return,
            0 => {
                // None has pods: the new one, or else the youngest.
                if let Some(set) = sets.new.as_mut().or_else(|| sets.old.last_mut()) {
                    self.scale_set(w, set, wanted, false);
                }
                return;
            }
            1 => {
                self.scale_set(w, active[0], wanted, false);
                return;
            }
            _ => {}
        }
        if sets.new.as_ref().is_some_and(|new| self.is_saturated(new)) {
            for old in sets.old.iter_mut().filter(|old| size(old) > 0) {
                self.scale_set(w, old, 0, false);
            }
            return;
        }
        if !is_recreate(&self.deployment) {
            self.scale_in_proportion(w, sets);
        }
    }

    fn scale_in_proportion(&mut self, w: &mut World, sets: &mut Sets) {
        let own = fences(&self.deployment);
        let mut active: Vec<&mut apps::ReplicaSet> = sets
            .old
            .iter_mut()
            .chain(&mut sets.new)
            .filter(|set| size(set) > 0)
            .collect();
        let total: i32 = active.iter().map(|set| size(set)).sum();
        let allowed = if own.desired > 0 { own.desired + own.surge } else { 0 };
        let to_add = allowed - total;
        let age = |set: &apps::ReplicaSet| {
            (
                set.metadata.creation_timestamp.as_ref().map(|time| time.0),
                set.metadata.name.clone(),
            )
        };
        // The largest first; of equals the younger when growing, the older when shrinking.
        active.sort_by(|a, b| {
            let by_age = if to_add > 0 {
                age(b).cmp(&age(a))
            } else {
                age(a).cmp(&age(b))
            };
            size(b).cmp(&size(a)).then(by_age)
        });
        let status_replicas = self
            .deployment
            .status
            .as_ref()
            .and_then(|status| status.replicas)
            .unwrap_or(0);
        let mut added = 0;
        let mut sizes: Vec<i32> = Vec::new();
        for set in &active {
            let mut new_size = size(set);
            if to_add != 0 {
                let before = number(set, MAX_REPLICAS)
                    .filter(|number| *number > 0)
                    .unwrap_or(status_replicas);
                let share = rolling::proportion(size(set), own, before, to_add, added);
                new_size += share;
                added += share;
            }
            sizes.push(new_size);
        }
        if let Some(first) = sizes.first_mut()
            && to_add != 0
        {
            *first = (*first + to_add - added).max(0);
        }
        for (set, new_size) in active.into_iter().zip(sizes) {
            self.scale_set(w, set, new_size, true);
        }
    }

    fn is_saturated(&self, new: &apps::ReplicaSet) -> bool {
        let wanted = desired(&self.deployment);
        size(new) == wanted && number(new, DESIRED_REPLICAS) == Some(wanted) && available(new) == wanted
    }

    /// Gives a ReplicaSet another size and says so (`scaleReplicaSet`).
    fn scale_set(&mut self, w: &mut World, set: &mut apps::ReplicaSet, new_size: i32, force: bool) -> bool {
        let old_size = size(set);
        if !force && old_size == new_size {
            return false;
        }
        let mut changed = set.clone();
        let annotated = set_replicas_annotations(&mut changed, fences(&self.deployment));
        if old_size == new_size && !annotated {
            return false;
        }
        changed.spec.get_or_insert_default().replicas = Some(new_size);
        let (from, to) = (old_size.to_string(), new_size.to_string());
        let values = [("replicaSet", name(set)), ("from", &from), ("to", &to)];
        let rule = "pkg/controller/deployment/sync.go scaleReplicaSet";
        let reference = reference_to(Kind::Deployment, &self.deployment.metadata);
        let decision = w.decide(reference, None, rule, "deployment.scale", &values);
        let causes = std::mem::replace(&mut w.causes, vec![decision]);
        *set = self.store_set(w, changed);
        if old_size != new_size {
            let direction = if old_size < new_size { "up" } else { "down" };
            let text = format!(
                "Scaled {direction} replica set {} from {old_size} to {new_size}",
                name(set)
            );
            self.emit(w, "Normal", "ScalingReplicaSet", text);
        }
        w.causes = causes;
        old_size != new_size
    }

    /// `rolloutRolling`: one step of a rolling update.
    pub(super) fn roll(&mut self, w: &mut World) -> Result<Option<SimDuration>, Retry> {
        let mut sets = self.sort_out(w, true)?;
        if self.grow_new(w, &mut sets) || self.shrink_old(w, &mut sets) {
            return Ok(self.sync_rollout_status(w, &sets));
        }
        self.clean_up_if_complete(w, &sets);
        Ok(self.sync_rollout_status(w, &sets))
    }

    /// `reconcileNewReplicaSet`.
    fn grow_new(&mut self, w: &mut World, sets: &mut Sets) -> bool {
        let own = fences(&self.deployment);
        let total = sets.total();
        let Some(new) = &mut sets.new else { return false };
        let wanted = if size(new) > own.desired {
            own.desired
        } else {
            rolling::new_replicas(own.desired, own.surge, total, size(new))
        };
        self.scale_set(w, new, wanted, false)
    }

    /// `reconcileOldReplicaSets`: first pods that are not available, then as many as may be missing.
    fn shrink_old(&mut self, w: &mut World, sets: &mut Sets) -> bool {
        let own = fences(&self.deployment);
        let Some(new) = sets.new.clone() else { return false };
        let most = rolling::max_scaled_down(own, sets.total(), size(&new), available(&new));
        if sets.old.iter().all(|set| size(set) == 0) || most <= 0 {
            return false;
        }
        let mut cleaned = 0;
        for set in sets.old.iter_mut().filter(|set| size(set) > 0) {
            let unhealthy = (size(set) - available(set)).clamp(0, most - cleaned);
            if unhealthy > 0 {
                let new_size = size(set) - unhealthy;
                self.scale_set(w, set, new_size, false);
                cleaned += unhealthy;
            }
        }
        let all_available: i32 = sets.all().into_iter().map(available).sum();
        let mut may_go = (all_available - own.min_available()).max(0);
        let mut gone = 0;
        for set in sets.old.iter_mut().filter(|set| size(set) > 0) {
            let count = size(set).min(may_go);
            if count > 0 {
                let new_size = size(set) - count;
                self.scale_set(w, set, new_size, false);
                may_go -= count;
                gone += count;
            }
        }
        cleaned + gone > 0
    }

    /// `rolloutRecreate`: all old pods go before the first new one comes.
    pub(super) fn recreate(&mut self, w: &mut World) -> Result<Option<SimDuration>, Retry> {
        let mut sets = self.sort_out(w, false)?;
        let mut scaled = false;
        for set in sets.old.iter_mut().filter(|set| size(set) > 0) {
            scaled |= self.scale_set(w, set, 0, false);
        }
        if scaled || self.old_pods_running(w, &sets) {
            return Ok(self.sync_rollout_status(w, &sets));
        }
        if sets.new.is_none() {
            sets = self.sort_out(w, true)?;
        }
        let wanted = desired(&self.deployment);
        if let Some(new) = &mut sets.new {
            self.scale_set(w, new, wanted, false);
        }
        self.clean_up_if_complete(w, &sets);
        Ok(self.sync_rollout_status(w, &sets))
    }

    fn old_pods_running(&self, w: &World, sets: &Sets) -> bool {
        let running = |set: &apps::ReplicaSet| {
            let uid = set.metadata.uid.as_deref().unwrap_or_default();
            let alive = |pod: &core::Pod| !is_terminal(pod);
            set.status.as_ref().is_some_and(|status| status.replicas > 0)
                || w.store
                    .dependents(uid)
                    .filter_map(|stored| stored.object.as_pod())
                    .any(alive)
        };
        sets.old.iter().any(running)
    }

    fn clean_up_if_complete(&mut self, w: &mut World, sets: &Sets) {
        let known = self.deployment.status.clone().unwrap_or_default();
        if status::is_complete(&self.deployment, &known) {
            self.clean_up(w, &sets.old);
        }
    }

    /// Deletes the oldest revisions beyond the history's limit (`cleanupDeployment`).
    fn clean_up(&self, w: &mut World, old: &[apps::ReplicaSet]) {
        let Some(limit) = self.spec().revision_history_limit.filter(|limit| *limit != i32::MAX) else {
            return;
        };
        let mut kept: Vec<&apps::ReplicaSet> = old
            .iter()
            .filter(|set| set.metadata.deletion_timestamp.is_none())
            .collect();
        let surplus = kept.len().saturating_sub(usize::try_from(limit).unwrap_or(0));
        kept.sort_by_key(|set| revision(set));
        for set in kept.into_iter().take(surplus) {
            let status = set.status.clone().unwrap_or_default();
            let observed = set.metadata.generation.unwrap_or(0) <= status.observed_generation.unwrap_or(0);
            if status.replicas == 0 && size(set) == 0 && observed {
                let key = Key::new(Kind::ReplicaSet, &self.key.namespace, name(set));
                // It may be gone already, which is as well.
                let _ = w.delete(&key, &DeleteOptions::default());
            }
        }
    }

    /// Counts and conditions at the end of a step; says when to look again for want of progress
    /// (`syncRolloutStatus`, `requeueStuckDeployment`).
    fn sync_rollout_status(&mut self, w: &mut World, sets: &Sets) -> Option<SimDuration> {
        let now = w.time();
        let mut new = self.calculate(w, sets);
        let subject = match &sets.new {
            Some(set) => format!("ReplicaSet \"{}\"", name(set)),
            None => format!("Deployment \"{}\"", self.key.name),
        };
        let known = self
            .deployment
            .status
            .as_ref()
            .and_then(|own| status::find(own, "Progressing"))
            .cloned();
        let deadline = status::progress_deadline(&self.deployment);
        let reason = known
            .as_ref()
            .and_then(|condition| condition.reason.as_deref())
            .unwrap_or_default();
        let was_complete = new.replicas == new.updated_replicas && reason == status::NEW_AVAILABLE;
        match deadline {
            None => status::remove(&mut new, "Progressing"),
            Some(_) if was_complete => {}
            Some(_) if status::is_complete(&self.deployment, &new) => {
                let text = format!("{subject} has successfully progressed.");
                status::set(
                    &mut new,
                    status::condition(&now, "Progressing", "True", status::NEW_AVAILABLE, &text),
                );
            }
            Some(_) if status::is_progressing(&self.deployment, &new) => {
                let text = format!("{subject} is progressing.");
                let mut condition = status::condition(&now, "Progressing", "True", "ReplicaSetUpdated", &text);
                if let Some(known) = known.as_ref().filter(|known| known.status == "True") {
                    condition.last_transition_time = known.last_transition_time.clone();
                }
                status::remove(&mut new, "Progressing");
                status::set(&mut new, condition);
            }
            Some(seconds) if self.timed_out(w, &new, seconds) => {
                let text = format!("{subject} has timed out progressing.");
                status::set(
                    &mut new,
                    status::condition(&now, "Progressing", "False", status::TIMED_OUT, &text),
                );
            }
            Some(_) => {}
        }
        match replica_failure(sets) {
            Some(failure) => status::set(&mut new, failure),
            None => status::remove(&mut new, "ReplicaFailure"),
        }
        if self.deployment.status.as_ref() != Some(&new) {
            self.deployment.status = Some(new);
            self.write_status(w);
            return None;
        }
        let known = known?;
        let seconds = deadline?;
        if status::is_complete(&self.deployment, &new) || known.reason.as_deref() == Some(status::TIMED_OUT) {
            return None;
        }
        let due = w.virtual_time(known.last_update_time?.0) + SimDuration::from_secs(seconds);
        let left = due.since(w.now);
        // The check waits one second more, so that whole seconds have passed for certain.
        Some(if left < SimDuration::from_secs(1) {
            SimDuration::ZERO
        } else {
            left + SimDuration::from_secs(1)
        })
    }

    fn timed_out(&self, w: &World, new: &apps::DeploymentStatus, seconds: u64) -> bool {
        let Some(known) = status::find(new, "Progressing") else {
            return false;
        };
        match known.reason.as_deref() {
            Some(status::NEW_AVAILABLE) => false,
            Some(status::TIMED_OUT) => true,
            _ => known
                .last_update_time
                .as_ref()
                .is_some_and(|since| w.virtual_time(since.0) + SimDuration::from_secs(seconds) < w.now),
        }
    }
}

/// The failure to create pods that a ReplicaSet reports, the new one's first (`getReplicaFailures`).
fn replica_failure(sets: &Sets) -> Option<apps::DeploymentCondition> {
    let of = |set: &apps::ReplicaSet| {
        let conditions = set.status.as_ref()?.conditions.as_ref()?;
        conditions
            .iter()
            .find(|condition| condition.type_ == "ReplicaFailure")
            .cloned()
    };
    let failure = sets
        .new
        .as_ref()
        .and_then(of)
        .or_else(|| sets.old.iter().find_map(of))?;
    Some(apps::DeploymentCondition {
        type_: failure.type_,
        status: failure.status,
        reason: failure.reason,
        message: failure.message,
        last_update_time: failure.last_transition_time.clone(),
        last_transition_time: failure.last_transition_time,
    })
}

/// `<deployment>-<hash>`, the Deployment's name cut so that the whole fits (`generateReplicaSetName`).
fn set_name(deployment: &str, hash: &str) -> String {
    let room = 253 - 1 - hash.len();
    let end = (0..=room.min(deployment.len()))
        .rev()
        .find(|end| deployment.is_char_boundary(*end))
        .unwrap_or(0);
    format!("{}-{hash}", &deployment[..end])
}
