//! Event objects, as client-go's two recorders make them: `tools/record`, which all components but the scheduler use, and
//! `tools/events`, which the scheduler uses.

mod correlator;
mod expiry;
mod series;

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::objects::{Key, Kind, Object};
use crate::trace::{Change, ObjectRef, What};
use crate::world::World;
use correlator::Correlator;
use expiry::Leases;
use series::Series;

/// What the recorders remember.
#[derive(Clone, Debug, Default)]
pub(crate) struct EventRecorder {
    /// By component and host.
    correlators: BTreeMap<(String, Arc<str>), Correlator>,
    series: Series,
    leases: Leases,
    serial: u64,
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
        let record = self.record_event(&event);
        let time = self.time();
        let new_key = self.new_event_key(&event.about);
        let source = (event.component.to_owned(), Arc::from(event.host.unwrap_or_default()));
        let correlator = self.events.correlators.entry(source).or_default();
        let correlated = correlator.correlate(&mut self.rng, self.now, &time, &event, new_key);
        if correlated.skip {
            return;
        }
        let saved = std::mem::replace(&mut self.causes, vec![record]);
        let stored = self.get(&correlated.key).map(|stored| stored.object.clone());
        if let Some(Object::Event(mut known)) = stored {
            known.count = Some(correlated.count);
            known.message = Some(correlated.message);
            known.last_timestamp = Some(time);
            self.put_event(Change::Modified, known);
        } else {
            let (metadata, involved_object) = self.about_event(&event.about, event.field_path, &correlated.key);
            let object = core::Event {
                metadata,
                involved_object,
                reason: Some(event.reason.to_owned()),
                message: Some(correlated.message),
                type_: Some(event.kind.to_owned()),
                source: Some(core::EventSource {
                    component: Some(event.component.to_owned()),
                    host: event.host.map(str::to_owned),
                }),
                reporting_component: Some(event.component.to_owned()),
                reporting_instance: Some(event.host.unwrap_or_default().to_owned()),
                count: Some(correlated.count),
                first_timestamp: Some(correlated.first),
                last_timestamp: Some(time),
                ..Default::default()
            };
            self.put_event(Change::Added, object);
        }
        self.causes = saved;
    }

    fn is_terminating(&self, namespace: &str) -> bool {
        self.get(&Key::new(Kind::Namespace, "", namespace))
            .is_some_and(|stored| stored.object.meta().deletion_timestamp.is_some())
    }

    /// A component forgets what it remembered of its events, as a process that ends does.
    pub(crate) fn forget_events(&mut self, component: &str, host: &str) {
        self.events.correlators.remove(&(component.to_owned(), Arc::from(host)));
    }

    /// All controllers forget, as the controller manager has ended.
    pub(crate) fn forget_events_of_controllers(&mut self) {
        self.events.correlators.retain(|(_, host), _| !host.is_empty());
    }

    /// The scheduler forgets, as it has ended.
    pub(crate) fn forget_events_of_scheduler(&mut self) {
        self.events.series = Series::default();
    }

    fn record_event(&mut self, event: &NewEvent<'_>) -> crate::trace::RecordId {
        if !self.traced {
            return self.count_record();
        }
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
        self.record(Some(event.about.clone()), container.as_deref(), what)
    }

    /// The name of a new Event object: its object's, and the time in nanoseconds (`GenerateEventName`).
    fn new_event_key(&mut self, about: &ObjectRef) -> Key {
        self.events.serial += 1;
        let nanos = self.wall(self.now).as_nanosecond() as u128 + u128::from(self.events.serial);
        let namespace = if about.namespace.is_empty() {
            "default"
        } else {
            &about.namespace
        };
        Key::new(Kind::Event, namespace, &format!("{}.{nanos:x}", about.name))
    }

    /// The metadata of a new Event object, and what it says of the object that it is about.
    fn about_event(&mut self, about: &ObjectRef, field_path: String, key: &Key) -> (ObjectMeta, core::ObjectReference) {
        let mut metadata = ObjectMeta {
            name: Some(key.name.to_string()),
            namespace: Some(key.namespace.to_string()),
            ..Default::default()
        };
        self.stamp(&mut metadata);
        let kind = Kind::named(&about.kind);
        let version = kind.and_then(|kind| {
            let stored = self.get(&Key::new(kind, &about.namespace, &about.name))?;
            stored.object.meta().resource_version.clone()
        });
        let involved = core::ObjectReference {
            api_version: kind.map(|kind| kind.resource().api_version()),
            kind: Some(about.kind.clone()),
            name: Some(about.name.clone()),
            namespace: Some(about.namespace.clone()).filter(|namespace| !namespace.is_empty()),
            uid: Some(about.uid.clone()),
            field_path: Some(field_path).filter(|path| !path.is_empty()),
            resource_version: version,
        };
        (metadata, involved)
    }

    /// Writes an Event object, which the API server keeps for an hour from then. A new one in a namespace that is being deleted
    /// is refused, and the recorders do not try again.
    fn put_event(&mut self, change: Change, event: core::Event) {
        let object = Object::from(event);
        let key = object.key();
        if change == Change::Added && self.is_terminating(&key.namespace) {
            return;
        }
        self.put(change, object);
        self.lease_event(key);
    }
}
