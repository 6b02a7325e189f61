//! Who owns which field: server-side apply and the record that every write leaves (`sigs.k8s.io/structured-merge-diff`,
//! `apimachinery/pkg/util/managedfields`).
//!
//! The record is kept beside the store, for objects that a client has written, and shown in answers as
//! `metadata.managedFields`. What controllers and kubelets write meanwhile is read from the history when it is needed, or,
//! where no history is kept, before it is forgotten.

mod merge;
mod pod;
mod schema;
mod set;

use std::sync::Arc;

use serde_json::{Value, json};

use self::set::{Element, Set};
use super::field::{Errors, Path, quoted};
use super::{query, refusal};
use crate::objects::{Kind, Object};
use crate::request::{Request, Status};
use crate::store::{Stored, Write};
use crate::time::SimTime;
use crate::trace::Change;
use crate::world::{Actor, World};

/// Longest name of a manager.
const MANAGER_BYTES: usize = 128;
/// The manager of a client that does not say who it is.
const CLIENT: &str = "kubectl";

/// The manager of what kubelets write.
const KUBELET: &str = "kubelet";

/// The owners of an object's fields, and the version up to which they are known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tracked {
    entries: Vec<Entry>,
    seen: Option<Arc<Stored>>,
    /// The last of the writes since then that have changed nothing but what their manager owns anyway.
    put_off: Option<Write>,
    /// Whether the kubelet owned the whole of what it changes again and again, in the version that was seen.
    kubelets: Option<bool>,
}

impl Tracked {
    /// As of a version, everything before which has been looked at.
    fn new(entries: Vec<Entry>, seen: &Arc<Stored>) -> Self {
        Self {
            entries,
            seen: Some(Arc::clone(seen)),
            put_off: None,
            kubelets: None,
        }
    }

    /// The newest version that is known of.
    fn newest(&self) -> Option<&Arc<Stored>> {
        let put_off = self.put_off.as_ref().map(|write| &write.stored);
        put_off.or(self.seen.as_ref())
    }

    /// Puts off looking at the next write, if nobody can tell later whether it was looked at by itself: it is one of a row in
    /// which the kubelet changes nothing but what it owns already, so that it owns the same when only the first and the last of
    /// them are compared. A pod that crashes again and again is written so for ever.
    fn put_off(&mut self, write: &Write) -> bool {
        let (Some(before), Object::Pod(after)) = (self.newest(), &write.stored.object) else {
            return false;
        };
        let Object::Pod(before) = &before.object else {
            return false;
        };
        if !matches!(write.stored.writer, Actor::Kubelet(_)) || !pod::changes_what_changes_often(before, after) {
            return false;
        }
        let seen = self.seen.as_ref().and_then(|seen| seen.object.as_pod());
        let entries = &self.entries;
        let kubelets = self.kubelets.get_or_insert_with(|| {
            let changing = merge::fields_of(&seen.map(pod::what_changes_often).unwrap_or_default());
            let (own, others): (Vec<&Entry>, Vec<&Entry>) = entries
                .iter()
                .partition(|entry| entry.manager == KUBELET && !entry.apply && entry.subresource == "status");
            own.iter().any(|own| changing.minus(&own.fields).is_empty())
                && others.iter().all(|other| other.fields.and(&changing).is_empty())
        });
        let owned = *kubelets;
        if owned {
            self.put_off = Some(write.clone());
        }
        owned
    }
}

/// What one manager owns.
#[derive(Clone, Debug)]
struct Entry {
    manager: String,
    apply: bool,
    api_version: String,
    subresource: String,
    time: Option<SimTime>,
    fields: Set,
}

impl Entry {
    fn is(&self, other: &Self) -> bool {
        self.manager == other.manager && self.apply == other.apply && self.subresource == other.subresource
    }
}

/// The options of a patch that are about managers.
///
/// # Errors
/// `Invalid`, as the server says it of `PatchOptions`.
pub(super) fn check_options(request: &Request, apply: bool) -> Result<(), Status> {
    let manager = query(request, "fieldManager");
    let mut errors = Errors::default();
    if apply && manager.is_empty() {
        errors.required(&Path::root("fieldManager"), "is required for apply patch");
    }
    if !apply && !query(request, "force").is_empty() {
        errors.forbidden(&Path::root("force"), "may not be specified for non-apply patch");
    }
    if manager.len() > MANAGER_BYTES {
        errors.too_long(&Path::root("fieldManager"), MANAGER_BYTES);
    }
    refusal::wrong_options("PatchOptions", errors)
}

fn entry(w: &World, kind: Kind, request: &Request, apply: bool, fields: Set) -> Entry {
    let manager = match query(request, "fieldManager") {
        "" => CLIENT,
        manager => manager,
    };
    Entry {
        manager: manager.to_owned(),
        apply,
        api_version: kind.resource().api_version(),
        subresource: request.subresource.clone(),
        time: Some(w.now),
        fields,
    }
}

/// A client created an object: it owns what it said and what was filled in for it, but not what admission added.
pub(super) fn created(w: &mut World, request: &Request, asked: &Object, stored: &Arc<Stored>) {
    let new = entry(w, asked.kind(), request, false, Set::default());
    let mut after = asked.to_json();
    reset(&mut after, "");
    let (changed, _) = merge::compare(&schema::zero(asked.kind()), &after);
    let tracked = w.managers.entry(stored.object.uid().to_owned()).or_default();
    let fields = stripped(changed);
    let entries = if fields.is_empty() {
        Vec::new()
    } else {
        vec![Entry { fields, ..new }]
    };
    *tracked = Tracked::new(entries, stored);
}

/// A client changed an object by an update or a patch other than an apply.
pub(super) fn updated(w: &mut World, request: &Request, before: &Arc<Stored>, asked: &Object, stored: &Arc<Stored>) {
    catch_up(w, before);
    let own = entry(w, asked.kind(), request, false, Set::default());
    let (mut old, mut new) = (before.object.to_json(), asked.to_json());
    reset(&mut old, &request.subresource);
    reset(&mut new, &request.subresource);
    let (changed, removed) = merge::compare(&old, &new);
    let tracked = w.managers.entry(stored.object.uid().to_owned()).or_default();
    let cleared = request
        .body
        .as_ref()
        .and_then(|body| body.pointer("/metadata/managedFields"))
        .is_some_and(|fields| *fields == json!([{}]));
    if cleared {
        tracked.entries.clear();
    } else {
        take(tracked, own, stripped(changed), &stripped(removed));
    }
    *tracked = Tracked::new(std::mem::take(&mut tracked.entries), stored);
}

/// The manager of an update takes what it changed; what it removed nobody owns any more.
fn take(tracked: &mut Tracked, own: Entry, changed: Set, removed: &Set) {
    for entry in &mut tracked.entries {
        entry.fields.take(&changed);
        entry.fields.take(removed);
    }
    if !changed.is_empty() {
        match tracked.entries.iter_mut().find(|entry| entry.is(&own)) {
            Some(entry) => {
                entry.fields.add(&changed);
                entry.time = own.time;
            }
            None => tracked.entries.push(Entry { fields: changed, ..own }),
        }
    }
    tracked.entries.retain(|entry| !entry.fields.is_empty());
}

/// What a server-side apply makes of an object: the new state, and its owners, which hold once it is stored.
pub(super) struct Applied {
    pub wanted: Value,
    tracked: Tracked,
}

/// Merges an applied configuration into an object.
///
/// # Errors
/// `Conflict`, when a field that would change belongs to someone else and nothing is forced.
pub(super) fn apply(w: &mut World, request: &Request, live: &Arc<Stored>, config: &Value) -> Result<Applied, Status> {
    let kind = live.object.kind();
    if w.store.forgotten() > 0 && !w.managers.contains_key(live.object.uid()) {
        w.notice(&format!(
            "without a trace it is not known who owned the fields of {} {} before it was applied",
            kind.resource().name,
            live.object.name()
        ));
    }
    catch_up(w, live);
    let mut mine = config.clone();
    reset(&mut mine, &request.subresource);
    let fields = stripped(merge::fields_of(&mine));
    let own = entry(w, kind, request, true, fields);
    let before = live.object.to_json();
    let mut tracked = w.managers.get(live.object.uid()).cloned().unwrap_or_default();
    let last = tracked
        .entries
        .iter()
        .find(|entry| entry.is(&own))
        .map(|entry| entry.fields.clone())
        .unwrap_or_default();
    let others = tracked
        .entries
        .iter()
        .filter(|entry| !entry.is(&own))
        .fold(own.fields.clone(), |all, entry| all.plus(&entry.fields));
    let mut wanted = merge::merge(&before, &mine);
    merge::prune(&mut wanted, &last.minus(&others), &others);
    let (changed, removed) = merge::compare(&before, &wanted);
    let (changed, removed) = (stripped(changed), stripped(removed));
    let mut conflicts: Vec<(String, Vec<String>)> = Vec::new();
    for entry in tracked.entries.iter_mut().filter(|entry| !entry.is(&own)) {
        let lost = entry.fields.and(&changed);
        if !lost.is_empty() {
            conflicts.push((shown(entry), lost.paths()));
        }
        entry.fields = entry.fields.minus(&changed).minus(&removed);
    }
    if query(request, "force") != "true" && !conflicts.is_empty() {
        return Err(conflict(conflicts));
    }
    let same = changed.is_empty() && removed.is_empty();
    match tracked.entries.iter_mut().find(|entry| entry.is(&own)) {
        Some(entry) => {
            if !same {
                entry.time = own.time;
            }
            entry.fields = own.fields;
        }
        None => tracked.entries.push(Entry {
            time: own.time.filter(|_| !same),
            ..own
        }),
    }
    tracked.entries.retain(|entry| !entry.fields.is_empty());
    Ok(Applied { wanted, tracked })
}

/// An apply has been stored.
pub(super) fn applied(w: &mut World, applied: Applied, stored: &Arc<Stored>) {
    let tracked = Tracked::new(applied.tracked.entries, stored);
    w.managers.insert(stored.object.uid().to_owned(), tracked);
}

/// An apply has created an object.
pub(super) fn created_by_apply(w: &mut World, request: &Request, config: &Value, stored: &Arc<Stored>) {
    let mut mine = config.clone();
    reset(&mut mine, "");
    let fields = stripped(merge::fields_of(&mine));
    let own = entry(w, stored.object.kind(), request, true, fields);
    let entries = if own.fields.is_empty() { Vec::new() } else { vec![own] };
    let tracked = Tracked::new(entries, stored);
    w.managers.insert(stored.object.uid().to_owned(), tracked);
}

/// An object of a kind in which nothing is set, as Go writes it.
pub(super) fn zero(kind: Kind) -> Value {
    schema::zero(kind)
}

/// Puts the owners into an answer, if they are known.
pub(super) fn show(w: &mut World, kind: Kind, answer: &mut Value) {
    if answer["kind"] != kind.resource().name {
        return;
    }
    let uid = answer.pointer("/metadata/uid").and_then(Value::as_str);
    let Some(uid) = uid.filter(|uid| w.managers.contains_key(*uid)).map(str::to_owned) else {
        return;
    };
    let key = super::key_of(kind, answer);
    if let Some(stored) = w.get(&key).cloned()
        && stored.object.uid() == uid
    {
        catch_up(w, &stored);
    }
    let Some(tracked) = w.managers.get(&uid) else { return };
    let mut entries = tracked.entries.clone();
    entries.sort_by(|one, other| {
        let seconds = |entry: &Entry| entry.time.map(|at| at.0 / 1_000_000_000);
        (!one.apply, seconds(one), &one.manager, &one.subresource).cmp(&(
            !other.apply,
            seconds(other),
            &other.manager,
            &other.subresource,
        ))
    });
    let list: Vec<Value> = entries
        .iter()
        .map(|entry| {
            let operation = if entry.apply { "Apply" } else { "Update" };
            let mut shown =
                json!({ "manager": entry.manager, "operation": operation, "apiVersion": entry.api_version });
            if let Some(at) = entry.time {
                shown["time"] = json!(w.time_of(at));
            }
            shown["fieldsType"] = "FieldsV1".into();
            shown["fieldsV1"] = entry.fields.to_json();
            if !entry.subresource.is_empty() {
                shown["subresource"] = entry.subresource.as_str().into();
            }
            shown
        })
        .collect();
    if !list.is_empty() {
        answer["metadata"]["managedFields"] = Value::Array(list);
    }
}

/// What others wrote since the owners were looked at last: controllers, the scheduler, kubelets.
fn catch_up(w: &mut World, newest: &Arc<Stored>) {
    let (uid, kind, until) = (newest.object.uid(), newest.object.kind(), version_of(newest));
    let known = w.managers.get(uid);
    let from = known.and_then(Tracked::newest).map_or(0, |newest| version_of(newest));
    if from >= until && known.is_none_or(|known| known.put_off.is_none()) {
        return;
    }
    let mut tracked = w.managers.remove(uid).unwrap_or_default();
    let mut before = tracked.seen.take();
    let put_off = tracked.put_off.take();
    // The n-th write of all has the resourceVersion n.
    let forgotten = w.store.forgotten();
    let index = |version: u64| usize::try_from(version).unwrap_or(usize::MAX).saturating_sub(forgotten);
    let since = w.store.history().get(index(from)..index(until));
    for write in put_off.iter().chain(since.unwrap_or_default()) {
        if write.stored.object.uid() != uid || write.change == Change::Deleted {
            continue;
        }
        let now = &write.stored;
        let (old, new) = match &before {
            Some(before) => apart(&before.object, &now.object),
            // Of an object that no client has written yet, all is new.
            None => (schema::zero(kind), now.object.to_json()),
        };
        let (changed, removed) = merge::compare(&old, &new);
        let (changed, removed) = (stripped(changed), stripped(removed));
        let only_status = changed.is_only("status") && removed.is_only("status");
        let own = Entry {
            manager: manager(write.stored.writer).to_owned(),
            apply: false,
            api_version: kind.resource().api_version(),
            subresource: if only_status {
                "status".to_owned()
            } else {
                String::new()
            },
            time: Some(write.at),
            fields: Set::default(),
        };
        let was_put_off = put_off.as_ref().is_some_and(|put_off| put_off.record == write.record);
        if was_put_off && let Some(entry) = tracked.entries.iter_mut().find(|entry| entry.is(&own)) {
            // It has changed something, though perhaps only back to what was seen.
            entry.time = own.time;
        }
        take(&mut tracked, own, changed, &removed);
        before = Some(Arc::clone(now));
    }
    let tracked = Tracked::new(tracked.entries, newest);
    w.managers.insert(uid.to_owned(), tracked);
}

/// Two versions of an object as far as they differ: what both agree in nobody comes to own.
fn apart(before: &Object, after: &Object) -> (Value, Value) {
    match (before, after) {
        (Object::Pod(before), Object::Pod(after)) => pod::apart(before, after),
        _ => (before.to_json(), after.to_json()),
    }
}

/// The name under which a component owns what it writes.
fn manager(writer: Actor) -> &'static str {
    match writer {
        Actor::Scheduler => "kube-scheduler",
        Actor::Kubelet(_) => KUBELET,
        Actor::User => CLIENT,
        Actor::Controller(_) | Actor::ApiServer | Actor::Fault => "kube-controller-manager",
    }
}

/// The history is about to be forgotten: what it says of the owners is kept.
pub(crate) fn remember(w: &mut World) {
    if w.store.history().is_empty() || w.managers.is_empty() {
        return;
    }
    for index in 0..w.store.history().len() {
        let write = &w.store.history()[index];
        let uid = write.stored.object.uid();
        let Some(tracked) = w.managers.get_mut(uid) else {
            continue;
        };
        if write.change == Change::Deleted {
            w.managers.remove(uid);
        } else if tracked
            .newest()
            .is_none_or(|newest| version_of(newest) < version_of(&write.stored))
            && !tracked.put_off(write)
        {
            let stored = Arc::clone(&write.stored);
            catch_up(w, &stored);
        }
    }
}

fn version_of(stored: &Stored) -> u64 {
    let version = stored.object.meta().resource_version.as_deref();
    version.and_then(|version| version.parse().ok()).unwrap_or(0)
}

/// A manager as a conflict names it (`printManager`).
fn shown(entry: &Entry) -> String {
    let mut text = quoted(&entry.manager);
    if !entry.subresource.is_empty() {
        text.push_str(&format!(" with subresource {}", quoted(&entry.subresource)));
    }
    if !entry.apply {
        text.push_str(&format!(" using {}", entry.api_version));
    }
    text
}

/// `NewConflictError`
fn conflict(conflicts: Vec<(String, Vec<String>)>) -> Status {
    let count: usize = conflicts.iter().map(|(_, paths)| paths.len()).sum();
    let mut managers = conflicts.clone();
    managers.sort();
    let mut causes = Vec::new();
    let mut lines = Vec::new();
    for (manager, mut paths) in managers {
        paths.sort();
        for path in &paths {
            causes.push(json!({
                "reason": "FieldManagerConflict", "message": format!("conflict with {manager}"), "field": path,
            }));
        }
        if paths.len() == 1 {
            lines.push(format!("conflict with {manager}: {}", paths[0]));
        } else {
            let list: Vec<String> = paths.iter().map(|path| format!("\n- {path}")).collect();
            lines.push(format!("conflicts with {manager}:{}", list.concat()));
        }
    }
    let many = if count == 1 { "conflict" } else { "conflicts" };
    Status {
        code: 409,
        reason: "Conflict".to_owned(),
        message: format!("Apply failed with {count} {many}: {}", lines.join("\n")),
        details: json!({ "causes": causes }),
    }
}

/// Fields that no client owns are left out (`stripMeta`).
fn stripped(mut fields: Set) -> Set {
    fields.remove(&[Element::Field("apiVersion".to_owned())]);
    fields.remove(&[Element::Field("kind".to_owned())]);
    for name in [
        "name",
        "namespace",
        "creationTimestamp",
        "selfLink",
        "uid",
        "generation",
        "managedFields",
        "resourceVersion",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "generateName",
    ] {
        fields.remove(&[Element::Field("metadata".to_owned()), Element::Field(name.to_owned())]);
    }
    fields.forget(&[Element::Field("metadata".to_owned())]);
    fields
}

/// Takes out what the resource of a request does not write (`GetResetFields`): the main one no status, `status` nothing
/// else.
fn reset(object: &mut Value, subresource: &str) {
    let Some(map) = object.as_object_mut() else { return };
    if subresource == "status" {
        map.retain(|key, _| matches!(key.as_str(), "status" | "apiVersion" | "kind"));
    } else {
        map.shift_remove("status");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{Cluster, Config};
    use crate::request::Verb;
    use crate::time::SimDuration;

    fn request(verb: Verb, name: &str, body: Option<Value>) -> Request {
        Request {
            verb,
            group: String::new(),
            version: "v1".to_owned(),
            resource: "pods".to_owned(),
            namespace: "default".to_owned(),
            name: name.to_owned(),
            subresource: String::new(),
            body,
            patch: None,
            query: Vec::new(),
        }
    }

    /// With a trace every write is looked at by itself when somebody asks; without one, most are put off and looked at together.
    #[test]
    fn owners_are_the_same_with_and_without_a_trace() {
        let scripts = [
            "sleep 1; exit 1",
            "exit 0",
            "sleep 40; touch /ready; sleep 100; rm /ready; sleep 1000",
        ];
        let owners = |traced: bool, script: &str, minutes: u64| {
            let config = Config {
                traced,
                ..Config::default()
            };
            let mut cluster = Cluster::new(config).expect("a cluster");
            let pod = json!({
                "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "p" },
                "spec": { "containers": [{
                    "name": "app", "image": "busybox:1.36", "command": ["sh", "-c", script],
                    "readinessProbe": { "exec": { "command": ["ls", "/ready"] }, "periodSeconds": 5 },
                }] },
            });
            let created = cluster.request(&request(Verb::Create, "", Some(pod)));
            assert!(created.is_ok(), "{created:?}");
            cluster.run_until(SimTime::ZERO + SimDuration::from_secs(60 * minutes));
            let shown = cluster.request(&request(Verb::Get, "p", None)).expect("it is there");
            shown["metadata"]["managedFields"].clone()
        };
        for script in scripts {
            for minutes in [1, 2, 9, 31] {
                let (traced, untraced) = (owners(true, script, minutes), owners(false, script, minutes));
                assert!(traced.is_array(), "{traced}");
                assert_eq!(traced, untraced, "{script} after {minutes} minutes");
            }
        }
    }
}
