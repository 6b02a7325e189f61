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
use crate::store::Stored;
use crate::trace::{Change, ObjectRef, What};
use crate::world::World;
use correlator::Correlator;
use expiry::Leases;
use series::Series;

/// What the recorders remember.
#[derive(Clone, Debug, Default)]
pub(crate) struct EventRecorder {
    /// By component: a few.
    sources: Vec<(String, Hosts)>,
    series: Series,
    leases: Leases,
    serial: u64,
}

/// What one component remembers on each host that it runs on; the host without a name is the control plane.
#[derive(Clone, Debug, Default)]
struct Hosts {
    indexes: BTreeMap<Arc<str>, usize>,
    correlators: Vec<Correlator>,
}

impl Hosts {
    fn forget(&mut self, host: &str) {
        if let Some(index) = self.indexes.get(host) {
            self.correlators[*index] = Correlator::default();
        }
    }
}

impl EventRecorder {
    /// What a component on a host remembers.
    fn correlator(&mut self, component: &str, host: &str) -> &mut Correlator {
        let known = self.sources.iter().position(|(name, _)| name == component);
        let source = known.unwrap_or_else(|| {
            self.sources.push((component.to_owned(), Hosts::default()));
            self.sources.len() - 1
        });
        let hosts = &mut self.sources[source].1;
        let index = hosts.indexes.get(host).copied().unwrap_or_else(|| {
            hosts.indexes.insert(host.into(), hosts.correlators.len());
            hosts.correlators.push(Correlator::default());
            hosts.correlators.len() - 1
        });
        &mut hosts.correlators[index]
    }
}

/// The key of an Event object about that one.
fn event_key(about: &ObjectRef, nanos: u128) -> Key {
    let namespace = if about.namespace.is_empty() {
        "default"
    } else {
        &about.namespace
    };
    Key::new(Kind::Event, namespace, &format!("{}.{nanos:x}", about.name))
}

/// An event about to be recorded.
pub(crate) struct NewEvent<'a> {
    /// What it is about.
    pub about: Arc<ObjectRef>,
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
        self.events.serial += 1;
        let nanos = self.event_nanos();
        let new_key = || event_key(&event.about, nanos);
        let correlator = self.events.correlator(event.component, event.host.unwrap_or_default());
        let correlated = correlator.correlate(&mut self.rng, self.now, &time, &event, new_key);
        if correlated.skip {
            return;
        }
        let message = correlated.message(&event.message);
        let saved = std::mem::replace(&mut self.causes, vec![record]);
        let stored = self.get(&correlated.key).map(|stored| stored.object.clone());
        if let Some(Object::Event(mut known)) = stored {
            known.count = Some(correlated.count);
            known.message = Some(message);
            known.last_timestamp = Some(time);
            self.put_event(Change::Modified, known);
        } else {
            let (metadata, involved_object) = self.about_event(&event.about, event.field_path, &correlated.key);
            let object = core::Event {
                metadata,
                involved_object,
                reason: Some(event.reason.to_owned()),
                message: Some(message),
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
        self.find(Kind::Namespace, "", namespace)
            .is_some_and(|stored| stored.object.meta().deletion_timestamp.is_some())
    }

    /// A component forgets what it remembered of its events, as a process that ends does.
    pub(crate) fn forget_events(&mut self, component: &str, host: &str) {
        for (name, hosts) in &mut self.events.sources {
            if name == component {
                hosts.forget(host);
            }
        }
    }

    /// All controllers forget, as the controller manager has ended.
    pub(crate) fn forget_events_of_controllers(&mut self) {
        for (_, hosts) in &mut self.events.sources {
            hosts.forget("");
        }
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
        self.record(Some(Arc::clone(&event.about)), container.as_deref(), what)
    }

    /// The name of a new Event object: its object's, and the time in nanoseconds (`GenerateEventName`).
    fn new_event_key(&mut self, about: &ObjectRef) -> Key {
        self.events.serial += 1;
        event_key(about, self.event_nanos())
    }

    /// The number in the name of an Event object that is made now.
    fn event_nanos(&self) -> u128 {
        self.wall(self.now).as_nanosecond() as u128 + u128::from(self.events.serial)
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
            let stored = self.find(kind, &about.namespace, &about.name)?;
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
    /// is refused, and the recorders do not try again: what they have made is only theirs.
    fn put_event(&mut self, change: Change, event: core::Event) -> Arc<Stored> {
        let object = Object::from(event);
        if change == Change::Added && self.is_terminating(object.namespace()) {
            return Arc::new(Stored::apart(object));
        }
        let stored = self.put(change, object);
        self.lease_event(stored.key.clone());
        stored
    }
}
