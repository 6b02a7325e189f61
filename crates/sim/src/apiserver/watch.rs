//! `watch`: what changes in a list, from a resourceVersion on (`apiserver/pkg/storage/cacher`).
//!
//! A [`Watch`] is held by who asked for it, and takes no part in the simulation: it reads the history of the store, so that
//! a cluster that is watched leaves the same trace as one that is not.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::field::{Errors, Path};
use super::selector::{FieldSelector, LabelSelector};
use super::{managed, query, read, refusal};
use crate::objects::{Key, Kind};
use crate::request::{Request, Status};
use crate::store::{Stored, Write};
use crate::time::{SimDuration, SimTime};
use crate::trace::Change;
use crate::world::World;

/// How long a watch without `timeoutSeconds` is served at least (`--min-request-timeout`); reality takes up to twice that.
const TIMEOUT: SimDuration = SimDuration::from_secs(1800);
/// How often a watch that allows bookmarks gets one (`cacher.go defaultBookmarkFrequency`).
const BOOKMARKS: SimDuration = SimDuration::from_secs(60);
/// How long before its end a watch gets a last bookmark (`cache_watcher.go nextBookmarkTime`).
const LAST_BOOKMARK: SimDuration = SimDuration::from_secs(2);
/// The turn in which bookmarks that are due at once are sent (`cacher.go dispatchEvents`).
const TURN: SimDuration = SimDuration::from_secs(1);

/// One event of a watch: `{"type": …, "object": …}` on the wire.
#[derive(Clone, Debug, PartialEq)]
pub struct WatchEvent {
    /// `ADDED`, `MODIFIED`, `DELETED`, `BOOKMARK` or `ERROR`.
    pub kind: &'static str,
    /// The object; of an `ERROR` a `Status`, of a `BOOKMARK` an object of the kind that has a resourceVersion alone.
    pub object: Value,
}

/// An open watch.
#[derive(Clone, Debug)]
pub struct Watch {
    kind: Kind,
    namespace: String,
    labels: LabelSelector,
    fields: FieldSelector,
    /// The objects that the watcher knows of: those that were last in the selection.
    members: BTreeMap<Key, Arc<Stored>>,
    /// The resourceVersion up to which events were given; only later ones are.
    seen: u64,
    /// Events that are due before all others.
    ready: Vec<WatchEvent>,
    /// When the next bookmark is due, if the watcher allows any.
    bookmark: Option<SimTime>,
    end: SimTime,
    broken: bool,
}

impl Watch {
    /// Opens a watch: `request` is a list whose query has the options of a watch.
    ///
    /// # Errors
    /// The `Status` with which the API server refuses. A resourceVersion that is too old is no refusal, but the first event.
    pub fn open(w: &mut World, request: &Request) -> Result<Self, Status> {
        let kind = super::kind_of(request)?;
        let given = query(request, "resourceVersion");
        let initial = query(request, "sendInitialEvents");
        validate(request, initial)?;
        let version = read::version(given).map_err(|message| refusal::internal(&message))?;
        let (labels, fields) = read::selectors(kind, request)?;
        let timeout = query(request, "timeoutSeconds")
            .parse()
            .ok()
            .filter(|seconds| *seconds > 0);
        let mut watch = Self {
            kind,
            namespace: request.namespace.clone(),
            labels,
            fields,
            members: BTreeMap::new(),
            seen: version,
            ready: Vec::new(),
            bookmark: None,
            end: w.now + timeout.map_or(TIMEOUT, SimDuration::from_secs),
            broken: false,
        };
        let all = matches!(initial, "true" | "1");
        let present = w.store.revision();
        if all && version > present {
            return Err(refusal::too_large(version, present));
        }
        if all || (version == 0 && initial.is_empty()) {
            watch.seen = present;
            for stored in read::selected(w, kind, request)? {
                watch.ready.push(event("ADDED", &stored, None));
                watch.members.insert(stored.key.clone(), stored);
            }
        } else if version == 0 {
            watch.seen = present;
            watch.remember(read::selected(w, kind, request)?);
        } else if version < read::compacted(w) {
            watch.expire(version, read::compacted(w));
        } else if version <= present {
            let then = read::at(w, kind, request, version);
            watch.remember(read::filtered(kind, request, then.into_iter())?);
        }
        if matches!(query(request, "allowWatchBookmarks"), "true" | "1") && !watch.broken {
            watch.bookmark = Some(if all {
                let mut end = watch.bookmark_at(watch.seen);
                end.object["metadata"]["annotations"] = json!({ "k8s.io/initial-events-end": "true" });
                watch.ready.push(end);
                w.now + TURN
            } else {
                watch.next_bookmark(w.now)
            });
        }
        for event in &mut watch.ready {
            managed::show(w, kind, &mut event.object);
        }
        Ok(watch)
    }

    /// The events since the last call, in order. Whoever lets time pass on a cluster that keeps no trace asks after every
    /// step: what was forgotten meanwhile ends the watch with an `ERROR`.
    pub fn events(&mut self, w: &mut World) -> Vec<WatchEvent> {
        let mut events = std::mem::take(&mut self.ready);
        if self.broken {
            return events;
        }
        let forgotten = w.store.forgotten() as u64;
        if self.seen < forgotten {
            self.expire(self.seen, forgotten);
            events.append(&mut self.ready);
            return events;
        }
        // The n-th write of all has the resourceVersion n.
        let from = usize::try_from(self.seen - forgotten).unwrap_or(usize::MAX);
        let news: Vec<(u64, Write)> = w
            .store
            .history()
            .iter()
            .enumerate()
            .skip(from)
            .take_while(|(_, write)| write.at <= self.end)
            .map(|(index, write)| (forgotten + index as u64 + 1, write.clone()))
            .collect();
        for (version, write) in news {
            self.bookmarks_until(write.at, &mut events);
            self.seen = version;
            if let Some(mut event) = self.told(version, &write) {
                if event.kind != "DELETED"
                    && w.get(&write.stored.key)
                        .is_some_and(|now| Arc::ptr_eq(now, &write.stored))
                {
                    managed::show(w, self.kind, &mut event.object);
                }
                events.push(event);
            }
        }
        self.bookmarks_until(w.now, &mut events);
        events
    }

    /// When the server closes it.
    pub fn end(&self) -> SimTime {
        self.end
    }

    /// Whether no event comes any more.
    pub fn is_over(&self, now: SimTime) -> bool {
        self.ready.is_empty() && (self.broken || now >= self.end)
    }

    fn remember(&mut self, objects: Vec<Arc<Stored>>) {
        self.members = objects.into_iter().map(|stored| (stored.key.clone(), stored)).collect();
    }

    /// What was asked for is not known any more (`NewResourceExpired`): that is told, and then the watch is closed.
    fn expire(&mut self, version: u64, oldest: u64) {
        let object = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": format!("too old resource version: {version} ({oldest})"), "reason": "Expired", "code": 410,
        });
        self.ready.push(WatchEvent { kind: "ERROR", object });
        self.broken = true;
    }

    /// What a write means to the watcher: an object that enters the selection is new to it, one that leaves is gone, as it
    /// was when it was last seen (`convertToWatchEvent`).
    fn told(&mut self, version: u64, write: &Write) -> Option<WatchEvent> {
        let stored = &write.stored;
        let inside = self.namespace.is_empty() || *stored.key.namespace == *self.namespace;
        if stored.key.kind != self.kind || !inside {
            return None;
        }
        let chosen = write.change != Change::Deleted
            && self.labels.matches(stored.object.meta().labels.as_ref())
            && (self.fields.is_empty() || self.fields.matches(&stored.json()));
        let before = if chosen {
            self.members.insert(stored.key.clone(), Arc::clone(stored))
        } else {
            self.members.remove(&stored.key)
        };
        match (before, chosen) {
            (None, false) => None,
            (None, true) => Some(event("ADDED", stored, None)),
            (Some(_), true) => Some(event("MODIFIED", stored, None)),
            (Some(_), false) if write.change == Change::Deleted => Some(event("DELETED", stored, None)),
            (Some(before), false) => Some(event("DELETED", &before, Some(version))),
        }
    }

    /// The bookmarks that were due until an instant.
    fn bookmarks_until(&mut self, now: SimTime, events: &mut Vec<WatchEvent>) {
        while let Some(due) = self.bookmark.filter(|due| *due <= now && *due < self.end) {
            events.push(self.bookmark_at(self.seen));
            self.bookmark = Some(self.next_bookmark(due));
        }
    }

    /// `nextBookmarkTime`: once a minute, and shortly before the end.
    fn next_bookmark(&self, now: SimTime) -> SimTime {
        let last = SimTime(self.end.0.saturating_sub(LAST_BOOKMARK.0));
        let usual = now + BOOKMARKS;
        if last > now && usual > last { last } else { usual }
    }

    fn bookmark_at(&self, version: u64) -> WatchEvent {
        let mut object = managed::zero(self.kind);
        let resource = self.kind.resource();
        object["kind"] = resource.name.into();
        object["apiVersion"] = resource.api_version().into();
        object["metadata"]["resourceVersion"] = version.to_string().into();
        WatchEvent {
            kind: "BOOKMARK",
            object,
        }
    }
}

/// An event of an object, which may show another resourceVersion than its own.
fn event(kind: &'static str, stored: &Stored, version: Option<u64>) -> WatchEvent {
    let mut object = (*stored.json()).clone();
    if let Some(version) = version {
        object["metadata"]["resourceVersion"] = version.to_string().into();
    }
    WatchEvent { kind, object }
}

/// `validateWatchOptions`
fn validate(request: &Request, initial: &str) -> Result<(), Status> {
    const RULE: &str = "NotOlderThan";
    let (rule, token) = (query(request, "resourceVersionMatch"), query(request, "continue"));
    let (mut errors, at) = (Errors::default(), Path::root("resourceVersionMatch"));
    if !initial.is_empty() && rule != RULE {
        errors.forbidden(
            &at,
            "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
        );
    }
    if !rule.is_empty() {
        if initial.is_empty() {
            errors.forbidden(
                &at,
                "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
            );
        }
        if rule != RULE {
            errors.unsupported(&at, rule, &[RULE]);
        }
        if !token.is_empty() {
            errors.forbidden(&at, "resourceVersionMatch is forbidden when continue is provided");
        }
    }
    refusal::wrong_options("ListOptions", errors)
}
