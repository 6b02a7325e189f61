//! The recorder of `client-go/tools/events`, which the scheduler uses: the same event again within a series raises a count
//! that is written when the series begins and when it ends.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;

use super::NewEvent;
use crate::cluster::Event;
use crate::objects::{Kind, Object};
use crate::store::Stored;
use crate::time::{SimDuration, SimTime};
use crate::trace::{Change, ObjectRef};
use crate::world::World;

/// A series ends when it has paused for this long; looked at as often (`finishTime`).
const FINISH: SimDuration = SimDuration::from_secs(6 * 60);
/// How often the count of a running series is written (`refreshTime`).
const REFRESH: SimDuration = SimDuration::from_secs(30 * 60);

/// The events that may become or are series (`eventBroadcasterImpl.eventCache`).
#[derive(Clone, Debug, Default)]
pub(super) struct Series {
    entries: BTreeMap<String, Entry>,
    planned: bool,
}

#[derive(Clone, Debug)]
struct Entry {
    /// As it was first written.
    event: Arc<Stored>,
    /// When it last occurred.
    last: SimTime,
    /// Occurrences, the first counted.
    count: i32,
}

impl World {
    /// Records an event in the way of `tools/events`. Two events are the same when they are about the same version of an
    /// object, for the same action and reason, whatever they say (`getKey`).
    pub(crate) fn emit_in_series(&mut self, event: NewEvent<'_>, action: &str, related: Option<Arc<ObjectRef>>) {
        let record = self.record_event(&event);
        let saved = std::mem::replace(&mut self.causes, vec![record]);
        let version = Kind::named(&event.about.kind).and_then(|kind| {
            let stored = self.find(kind, &event.about.namespace, &event.about.name)?;
            stored.object.meta().resource_version.clone()
        });
        let id = [
            event.kind,
            action,
            event.reason,
            event.component,
            &event.about.uid,
            version.as_deref().unwrap_or_default(),
            related.as_ref().map_or("", |related| &related.uid),
        ]
        .join("\0");
        let now = self.now;
        let known = self.events.series.entries.get_mut(&id).map(|entry| {
            entry.count = entry.count.saturating_add(1);
            entry.last = now;
            (entry.count == 2).then(|| entry.clone())
        });
        match known {
            Some(Some(entry)) => self.write_series(&entry),
            Some(None) => {}
            None => {
                let key = self.new_event_key(&event.about);
                let (metadata, involved_object) = self.about_event(&event.about, event.field_path, &key);
                let object = core::Event {
                    metadata,
                    involved_object,
                    reason: Some(event.reason.to_owned()),
                    message: Some(event.message),
                    type_: Some(event.kind.to_owned()),
                    action: Some(action.to_owned()),
                    source: Some(core::EventSource::default()),
                    reporting_component: Some(event.component.to_owned()),
                    reporting_instance: Some(format!("{}-control-plane", event.component)),
                    event_time: Some(MicroTime(self.wall(now))),
                    related: related.map(|related| reference(&related)),
                    ..Default::default()
                };
                let entry = Entry {
                    event: self.put_event(Change::Added, object),
                    last: now,
                    count: 1,
                };
                self.events.series.entries.insert(id, entry);
                self.plan_series();
            }
        }
        self.causes = saved;
    }

    /// Writes how often and when last an event has occurred (`recordEvent`).
    fn write_series(&mut self, entry: &Entry) {
        let series = Some(core::EventSeries {
            count: Some(entry.count),
            last_observed_time: Some(MicroTime(self.wall(entry.last))),
        });
        let known = self.get(&entry.event.key);
        match known.map(|stored| stored.object.clone()) {
            Some(Object::Event(mut known)) => {
                known.series = series;
                self.put_event(Change::Modified, known);
            }
            _ => {
                let Object::Event(mut event) = entry.event.object.clone() else {
                    return;
                };
                event.series = series;
                self.stamp(&mut event.metadata);
                self.put_event(Change::Added, event);
            }
        }
    }

    fn plan_series(&mut self) {
        if !self.events.series.planned && !self.events.series.entries.is_empty() {
            self.events.series.planned = true;
            let next = SimTime((self.now.0 / FINISH.0 + 1) * FINISH.0);
            self.schedule(next, Event::EventSeries);
        }
    }

    /// Series that have paused are ended, the others written now and then (`finishSeries`, `refreshExistingEventSeries`).
    pub(crate) fn finish_series(&mut self) {
        self.events.series.planned = false;
        let now = self.now;
        let refresh = now.0.is_multiple_of(REFRESH.0);
        let mut entries = std::mem::take(&mut self.events.series.entries);
        entries.retain(|_, entry| {
            let ended = now.since(entry.last) > FINISH;
            if entry.count > 1 && (ended || refresh) {
                self.write_series(entry);
            }
            !ended
        });
        self.events.series.entries = entries;
        self.plan_series();
    }
}

fn reference(about: &ObjectRef) -> core::ObjectReference {
    core::ObjectReference {
        api_version: Kind::named(&about.kind).map(|kind| kind.resource().api_version()),
        kind: Some(about.kind.clone()),
        name: Some(about.name.clone()),
        namespace: Some(about.namespace.clone()).filter(|namespace| !namespace.is_empty()),
        uid: Some(about.uid.clone()),
        ..Default::default()
    }
}
