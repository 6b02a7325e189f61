//! The Deployment controller: rollouts from one ReplicaSet to another (`pkg/controller/deployment`).

pub mod replica_sets;
pub mod rolling;
pub mod rollout;
pub mod status;

use std::sync::Arc;

use k8s_openapi::api::apps::v1 as apps;

use self::rolling::Fences;
use super::controller_key;
use super::pods;
use super::workqueue::{Outcome, Reconciler, WorkQueue};
use crate::objects::{Key, Kind, Object, controller_of, selects};
use crate::time::SimDuration;
use crate::trace::RecordId;
use crate::world::{Controller, World};

/// The name under which it reports events.
pub(super) const COMPONENT: &str = "deployment-controller";

/// Why a sync ends early and is tried again.
pub(super) struct Retry;

/// The Deployment controller.
#[derive(Clone)]
pub struct Deployments {
    pub(super) queue: WorkQueue,
}

impl Deployments {
    /// With nothing to do.
    pub fn new() -> Self {
        Self {
            queue: WorkQueue::new(Controller::Deployment),
        }
    }

    /// Adds the Deployment, or the one that a ReplicaSet belongs to, or that a deleted pod of a recreated one belonged to.
    pub(crate) fn on_notify(&mut self, w: &mut World, key: &Key, record: RecordId) {
        match key.kind {
            Kind::Deployment => self.queue.add(w, key.clone()),
            Kind::ReplicaSet => {
                let Some(written) = w.written(record).map(|write| Arc::clone(&write.stored)) else {
                    return;
                };
                match controller_key(&written.object, Kind::Deployment) {
                    Some(owner) => self.queue.add(w, owner),
                    None if controller_of(written.object.meta()).is_none() && w.get(key).is_some() => {
                        for owner in matching(w, &written.object) {
                            self.queue.add(w, owner);
                        }
                    }
                    None => {}
                }
            }
            _ => {
                // A pod was deleted: a Deployment that recreates goes on when the last one is gone (`deletePod`).
                let Some(written) = w.written(record).map(|write| Arc::clone(&write.stored)) else {
                    return;
                };
                let owner = controller_key(&written.object, Kind::ReplicaSet).and_then(|set| w.get(&set).cloned());
                let Some(deployment) = owner.and_then(|set| controller_key(&set.object, Kind::Deployment)) else {
                    return;
                };
                if let Some(Object::Deployment(object)) = w.get(&deployment).map(|stored| &stored.object)
                    && is_recreate(object)
                {
                    let uid = object.metadata.uid.as_deref().unwrap_or_default();
                    let left = w
                        .store
                        .dependents(uid)
                        .any(|set| w.store.dependents(set.object.uid()).next().is_some());
                    if !left {
                        self.queue.add(w, deployment);
                    }
                }
            }
        }
    }

    /// `syncDeployment`.
    fn sync(&mut self, w: &mut World, key: &Key) -> Result<(), Retry> {
        let Some(stored) = w.get(key).cloned() else {
            return Ok(());
        };
        let Object::Deployment(deployment) = &stored.object else {
            return Ok(());
        };
        let Some(spec) = &deployment.spec else { return Ok(()) };
        if spec
            .selector
            .match_labels
            .as_ref()
            .is_none_or(std::collections::BTreeMap::is_empty)
            && spec.selector.match_expressions.as_ref().is_none_or(Vec::is_empty)
        {
            let text = "This deployment is selecting all pods. A non-empty selector is required.";
            pods::emit(w, COMPONENT, &stored.object, "Warning", "SelectingAll", text.to_owned());
            return Ok(());
        }
        pods::claim(w, &stored.object, Kind::ReplicaSet, &spec.selector, |_| true);
        let mut rollout = rollout::Rollout::new(w, key.clone());
        if deployment.metadata.deletion_timestamp.is_some() {
            return rollout.sync_status_only(w);
        }
        rollout.check_paused_conditions(w);
        if spec.paused == Some(true) {
            return rollout.scale_only(w, true);
        }
        if rollout.is_scaling_event(w)? {
            return rollout.scale_only(w, false);
        }
        let recheck = if is_recreate(deployment) {
            rollout.recreate(w)?
        } else {
            rollout.roll(w)?
        };
        match recheck {
            Some(SimDuration::ZERO) => self.queue.add_rate_limited(w, key.clone()),
            Some(span) => self.queue.add_after(w, key.clone(), span),
            // Nothing is overdue any more.
            None => self.queue.cancel_wait(key),
        }
        Ok(())
    }
}

impl Reconciler for Deployments {
    fn queue(&mut self) -> &mut WorkQueue {
        &mut self.queue
    }

    fn reconcile(&mut self, w: &mut World, key: &Key) -> Outcome {
        self.sync(w, key).into()
    }
}

impl Default for Deployments {
    fn default() -> Self {
        Self::new()
    }
}

/// Deployments that could adopt a ReplicaSet without a controller.
fn matching(w: &World, set: &Object) -> Vec<Key> {
    let labels = set.meta().labels.as_ref();
    w.store
        .list(Kind::Deployment, Some(set.namespace()))
        .filter(|stored| match &stored.object {
            Object::Deployment(own) => own.spec.as_ref().is_some_and(|spec| selects(&spec.selector, labels)),
            _ => false,
        })
        .map(|stored| stored.object.key())
        .collect()
}

pub(super) fn is_recreate(deployment: &apps::Deployment) -> bool {
    let strategy = deployment.spec.as_ref().and_then(|spec| spec.strategy.as_ref());
    strategy.and_then(|strategy| strategy.type_.as_deref()) == Some("Recreate")
}

/// How many pods the Deployment wants.
pub(super) fn desired(deployment: &apps::Deployment) -> i32 {
    deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1)
}

/// The fences of its strategy; `Recreate` has none.
pub(super) fn fences(deployment: &apps::Deployment) -> Fences {
    let strategy = deployment.spec.as_ref().and_then(|spec| spec.strategy.as_ref());
    if is_recreate(deployment) {
        return Fences::none(desired(deployment));
    }
    let rolling = strategy.and_then(|strategy| strategy.rolling_update.as_ref());
    Fences::resolve(
        rolling.and_then(|rolling| rolling.max_surge.as_ref()),
        rolling.and_then(|rolling| rolling.max_unavailable.as_ref()),
        desired(deployment),
    )
}
