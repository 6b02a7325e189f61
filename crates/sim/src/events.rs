//! Event objects, as client-go's recorder makes them (`tools/record/events_cache.go`): the same event again only raises
//! its count, and a source that says too much about one object is cut off.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::objects::{Key, Kind, Object};
use crate::time::SimTime;
use crate::trace::{Change, ObjectRef, What};
use crate::world::World;

/// Events of one source about one object that may come at once (`defaultSpamBurst`).
const SPAM_BURST: u64 = 25;
/// Seconds until one more is let through (`defaultSpamQPS` = 1/300).
const SPAM_REFILL_SECONDS: u64 = 300;

/// What the recorder remembers.
#[derive(Clone, Debug, Default)]
pub(crate) struct EventRecorder {
    known: BTreeMap<EventId, Key>,
    budgets: BTreeMap<(String, String), Budget>,
    serial: u64,
}

type EventId = (String, String, String, String, String);

#[derive(Clone, Debug)]
struct Budget {
    tokens: u64,
    refilled: SimTime,
}

/// An event about to be recorded.
pub(crate) struct NewEvent<'a> {
    /// What it is about.
    pub about: ObjectRef,
    /// `spec.containers{app}` or empty.
    pub field_path: String,
    /// `Normal` or `Warning`.
    pub kind: &'a str,
    /// Reason.
    pub reason: &'a str,
    /// Message.
    pub message: String,
    /// Component that reports it.
    pub component: &'a str,
    /// Node of that component, for kubelets.
    pub host: Option<&'a str>,
}

impl World {
    /// Records an event: a trace record always, the Event object unless the spam filter drops it.
    pub(crate) fn emit(&mut self, event: NewEvent<'_>) {
        let container = event
            .field_path
            .split_once('{')
            .and_then(|(_, rest)| rest.strip_suffix('}'))
            .map(str::to_owned);
        let what = What::Event {
            kind: event.kind.to_owned(),
            reason: event.reason.to_owned(),
            message: event.message.clone(),
        };
        let record = self.record(Some(event.about.clone()), container.as_deref(), what);
        let now = self.now;
        let budget = self
            .events
            .budgets
            .entry((
                format!("{}@{}", event.component, event.host.unwrap_or_default()),
                event.about.uid.clone(),
            ))
            .or_insert(Budget {
                tokens: SPAM_BURST,
                refilled: now,
            });
        let earned = now.since(budget.refilled).as_secs() / SPAM_REFILL_SECONDS;
        if earned > 0 {
            budget.tokens = (budget.tokens + earned).min(SPAM_BURST);
            budget.refilled = now;
        }
        if budget.tokens == 0 {
            return;
        }
        budget.tokens -= 1;
        let id = (
            event.about.uid.clone(),
            event.field_path.clone(),
            event.reason.to_owned(),
            event.message.clone(),
            event.component.to_owned(),
        );
        let time = self.time();
        let saved = std::mem::replace(&mut self.causes, vec![record]);
        let known = self
            .events
            .known
            .get(&id)
            .and_then(|key| self.get(key))
            .map(|stored| stored.object.clone());
        if let Some(Object::Event(mut known)) = known {
            known.count = Some(known.count.unwrap_or(1) + 1);
            known.last_timestamp = Some(time);
            self.put(Change::Modified, known.into());
        } else {
            self.events.serial += 1;
            let serial = self.events.serial;
            let nanos = self.wall(now).as_nanosecond() as u128 + u128::from(serial);
            let namespace = if event.about.namespace.is_empty() {
                "default"
            } else {
                &event.about.namespace
            };
            let mut metadata = ObjectMeta {
                name: Some(format!("{}.{nanos:x}", event.about.name)),
                namespace: Some(namespace.to_owned()),
                ..Default::default()
            };
            self.stamp(&mut metadata);
            let object = core::Event {
                metadata,
                involved_object: core::ObjectReference {
                    api_version: Kind::named(&event.about.kind).map(|kind| kind.resource().api_version()),
                    kind: Some(event.about.kind.clone()),
                    name: Some(event.about.name.clone()),
                    namespace: Some(event.about.namespace.clone()).filter(|namespace| !namespace.is_empty()),
                    uid: Some(event.about.uid.clone()),
                    field_path: Some(event.field_path.clone()).filter(|path| !path.is_empty()),
                    resource_version: None,
                },
                reason: Some(event.reason.to_owned()),
                message: Some(event.message.clone()),
                type_: Some(event.kind.to_owned()),
                source: Some(core::EventSource {
                    component: Some(event.component.to_owned()),
                    host: event.host.map(str::to_owned),
                }),
                reporting_component: Some(event.component.to_owned()),
                reporting_instance: Some(event.host.unwrap_or_default().to_owned()),
                count: Some(1),
                first_timestamp: Some(time.clone()),
                last_timestamp: Some(time),
                ..Default::default()
            };
            let object = Object::from(object);
            let key = object.key();
            self.put(Change::Added, object);
            self.events.known.insert(id, key);
        }
        self.causes = saved;
    }
}
