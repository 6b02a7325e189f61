//! The garbage collector: what is owned goes with its owner (`pkg/controller/garbagecollector`).

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

use super::workqueue::{Outcome, Reconciler, WorkQueue};
use crate::objects::{Key, Kind, Object};
use crate::registry::{DeleteOptions, FOREGROUND_FINALIZER, ORPHAN_FINALIZER, Propagation};
use crate::trace::{Change, RecordId};
use crate::world::{Controller, World};

/// The garbage collector.
#[derive(Clone)]
pub struct GarbageCollector {
    pub(super) queue: WorkQueue,
}

/// What became of the owner that a reference names.
enum Owner {
    /// It is there, or its kind is not simulated and nothing can be said.
    Solid,
    /// It is gone.
    Dangling,
    /// It waits for its dependents to be deleted first.
    Waiting,
}

fn has_finalizer(meta: &ObjectMeta, name: &str) -> bool {
    meta.finalizers.iter().flatten().any(|finalizer| finalizer == name)
}

/// Whether an object is being deleted after its dependents.
fn is_deleting_dependents(meta: &ObjectMeta) -> bool {
    meta.deletion_timestamp.is_some() && has_finalizer(meta, FOREGROUND_FINALIZER)
}

impl GarbageCollector {
    /// With nothing to do.
    pub fn new() -> Self {
        Self {
            queue: WorkQueue::new(Controller::GarbageCollector),
        }
    }

    /// Looks at what a change means for dependents and owners (`processGraphChanges`).
    pub(crate) fn on_notify(&mut self, w: &mut World, key: &Key, record: RecordId) {
        let Some(write) = w.written(record).cloned() else {
            return;
        };
        let object = &write.stored.object;
        let meta = object.meta();
        let namespace = object.namespace();
        if write.change == Change::Deleted {
            self.add_dependents(w, object.uid());
            for owner in meta.owner_references.iter().flatten() {
                if let Some((key, owner)) = find_owner(w, namespace, owner)
                    && is_deleting_dependents(owner)
                {
                    self.queue.add(w, key);
                }
            }
            return;
        }
        if is_deleting_dependents(meta) {
            self.add_dependents(w, object.uid());
            self.queue.add(w, key.clone());
        } else if meta.deletion_timestamp.is_some() && has_finalizer(meta, ORPHAN_FINALIZER) {
            self.queue.add(w, key.clone());
        }
        let gone = |owner: &OwnerReference| !matches!(classify(w, namespace, owner), Owner::Solid);
        if meta.owner_references.iter().flatten().any(gone) {
            self.queue.add(w, key.clone());
        }
    }

    fn add_dependents(&mut self, w: &mut World, uid: &str) {
        let keys: Vec<Key> = w.store.dependents(uid).map(|stored| stored.object.key()).collect();
        for key in keys {
            self.queue.add(w, key);
        }
    }

    /// `attemptToDeleteItem`, and `orphanDependents` for an owner that leaves its dependents behind.
    fn sync(&mut self, w: &mut World, key: &Key) {
        let Some(stored) = w.get(key).cloned() else { return };
        let object = &stored.object;
        let meta = object.meta();
        if is_deleting_dependents(meta) {
            return self.process_deleting_dependents(w, object);
        }
        if meta.deletion_timestamp.is_some() {
            if has_finalizer(meta, ORPHAN_FINALIZER) {
                orphan_dependents(w, object);
            }
            return;
        }
        let (mut solid, mut others) = (0, Vec::new());
        let mut waiting = false;
        for owner in meta.owner_references.iter().flatten() {
            match classify(w, object.namespace(), owner) {
                Owner::Solid => solid += 1,
                Owner::Dangling => others.push(owner.uid.clone()),
                Owner::Waiting => {
                    waiting = true;
                    others.push(owner.uid.clone());
                }
            }
        }
        if others.is_empty() {
            return;
        }
        let code = if solid > 0 {
            "gc.drop-reference"
        } else {
            "gc.delete-dependent"
        };
        let owners = others.join(",");
        let rule = "pkg/controller/garbagecollector/garbagecollector.go attemptToDeleteItem";
        let decision = w.decide(object.reference(), None, rule, code, &[("owners", &owners)]);
        w.causes = vec![decision];
        if solid > 0 {
            return remove_owners(w, object, &others);
        }
        let has_dependents = w.store.dependents(object.uid()).next().is_some();
        let propagation = if waiting && has_dependents || has_finalizer(meta, FOREGROUND_FINALIZER) {
            Propagation::Foreground
        } else if has_finalizer(meta, ORPHAN_FINALIZER) {
            Propagation::Orphan
        } else {
            Propagation::Background
        };
        let options = DeleteOptions {
            uid: Some(object.uid().to_owned()),
            propagation,
            ..DeleteOptions::default()
        };
        // Another object of that name, or none, is as good as deleted.
        let _ = w.delete(key, &options);
    }

    /// An owner goes when no dependent blocks it any more (`processDeletingDependentsItem`).
    fn process_deleting_dependents(&mut self, w: &mut World, owner: &Object) {
        let uid = owner.uid();
        let blocks = |reference: &OwnerReference| reference.uid == uid && reference.block_owner_deletion == Some(true);
        let blocking: Vec<(Key, bool)> = w
            .store
            .dependents(uid)
            .filter(|stored| stored.object.meta().owner_references.iter().flatten().any(blocks))
            .map(|stored| (stored.object.key(), is_deleting_dependents(stored.object.meta())))
            .collect();
        if blocking.is_empty() {
            return remove_finalizer(w, owner, FOREGROUND_FINALIZER);
        }
        for (key, deleting) in blocking {
            if !deleting {
                self.queue.add(w, key);
            }
        }
    }
}

impl Reconciler for GarbageCollector {
    fn queue(&mut self) -> &mut WorkQueue {
        &mut self.queue
    }

    fn reconcile(&mut self, w: &mut World, key: &Key) -> Outcome {
        self.sync(w, key);
        Outcome::Planned
    }
}

impl Default for GarbageCollector {
    fn default() -> Self {
        Self::new()
    }
}

fn find_owner<'a>(w: &'a World, namespace: &str, owner: &OwnerReference) -> Option<(Key, &'a ObjectMeta)> {
    let key = Key::new(Kind::named(&owner.kind)?, namespace, &owner.name);
    let found = w.get(&key)?;
    (found.object.uid() == owner.uid).then(|| (key, found.object.meta()))
}

fn classify(w: &World, namespace: &str, owner: &OwnerReference) -> Owner {
    if Kind::named(&owner.kind).is_none() {
        return Owner::Solid;
    }
    match find_owner(w, namespace, owner) {
        None => Owner::Dangling,
        Some((_, meta)) if is_deleting_dependents(meta) && owner.block_owner_deletion == Some(true) => Owner::Waiting,
        Some(_) => Owner::Solid,
    }
}

fn remove_owners(w: &mut World, object: &Object, uids: &[String]) {
    let mut object = object.clone();
    let meta = object.meta_mut();
    if let Some(references) = &mut meta.owner_references {
        references.retain(|reference| !uids.contains(&reference.uid));
        if references.is_empty() {
            meta.owner_references = None;
        }
    }
    w.update(object);
}

fn remove_finalizer(w: &mut World, object: &Object, name: &str) {
    let mut object = object.clone();
    let meta = object.meta_mut();
    if let Some(finalizers) = &mut meta.finalizers {
        finalizers.retain(|finalizer| finalizer != name);
        if finalizers.is_empty() {
            meta.finalizers = None;
        }
    }
    w.update(object);
}

fn orphan_dependents(w: &mut World, owner: &Object) {
    let uid = owner.uid().to_owned();
    let dependents: Vec<Object> = w.store.dependents(&uid).map(|stored| stored.object.clone()).collect();
    for dependent in dependents {
        remove_owners(w, &dependent, std::slice::from_ref(&uid));
    }
    remove_finalizer(w, owner, ORPHAN_FINALIZER);
}
