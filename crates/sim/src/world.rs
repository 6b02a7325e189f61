//! What every actor shares: the clock, the event queue, the store, the trace and chance. An actor reads and writes the
//! cluster through a [`World`] and nothing else.

use crate::core;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};

use crate::apiserver::managed::Tracked;
use crate::cluster::Event;
use crate::controllers;
use crate::events::EventRecorder;
use crate::kubelet::config::KubeletConfig;
use crate::latency;
use crate::network::proxy::Proxy;
use crate::objects::{Key, Kind, Object};
use crate::queue::Queue;
use crate::rng::Rng;
use crate::runtime::catalogue::Catalogue;
use crate::runtime::files::Tree;
use crate::store::{Store, Stored, Write};
use crate::time::{SimDuration, SimTime};
use crate::trace::{Change, LogLine, ObjectRef, Record, RecordId, What};
use crate::version::{Gate, Profile};

/// Whether waits that Kubernetes stretches by a random factor are stretched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Jitter {
    /// As in reality: drawn from the seed.
    #[default]
    Real,
    /// The smallest wait that reality allows, for experiments that teach the plain rule.
    None,
}

/// Who reacts to events and writes objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Actor {
    /// The person at the keyboard, or the experiment on their behalf.
    User,
    /// A fault that the experiment injects.
    Fault,
    /// The API server itself.
    ApiServer,
    /// The scheduler.
    Scheduler,
    /// A controller of the controller manager.
    Controller(Controller),
    /// The kubelet of a node, by index.
    Kubelet(usize),
}

/// The controllers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Controller {
    /// deployment-controller
    Deployment,
    /// replicaset-controller
    ReplicaSet,
    /// job-controller
    Job,
    /// garbage-collector-controller
    GarbageCollector,
    /// node-lifecycle-controller
    NodeLifecycle,
    /// taint-eviction-controller
    TaintEviction,
    /// pod-garbage-collector-controller
    PodGc,
    /// ttl-after-finished-controller
    TtlAfterFinished,
    /// namespace-controller
    Namespace,
    /// statefulset-controller
    StatefulSet,
    /// daemonset-controller
    DaemonSet,
    /// cronjob-controller
    CronJob,
    /// disruption-controller
    Disruption,
    /// endpointslice-controller
    EndpointSlice,
    /// endpoints-controller
    Endpoints,
    /// persistentvolume-binder-controller
    PersistentVolume,
    /// persistentvolume-protection-controller, persistentvolumeclaim-protection-controller
    VolumeProtection,
    /// persistentvolume-attach-detach-controller
    AttachDetach,
    /// The CSI driver's provisioner, a process of its own.
    Provisioner,
    /// ephemeral-volume-controller
    EphemeralVolume,
    /// replicationcontroller-controller
    ReplicationController,
    /// horizontal-pod-autoscaler-controller
    Autoscaler,
}

impl Controller {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::Deployment,
        Self::ReplicaSet,
        Self::Job,
        Self::GarbageCollector,
        Self::NodeLifecycle,
        Self::TaintEviction,
        Self::PodGc,
        Self::TtlAfterFinished,
        Self::Namespace,
        Self::StatefulSet,
        Self::DaemonSet,
        Self::CronJob,
        Self::Disruption,
        Self::EndpointSlice,
        Self::Endpoints,
        Self::PersistentVolume,
        Self::VolumeProtection,
        Self::AttachDetach,
        Self::EphemeralVolume,
        Self::ReplicationController,
        Self::Autoscaler,
    ];
}

impl fmt::Display for Controller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deployment => "deployment-controller",
            Self::ReplicaSet => "replicaset-controller",
            Self::Job => "job-controller",
            Self::GarbageCollector => "garbage-collector-controller",
            Self::NodeLifecycle => "node-lifecycle-controller",
            Self::TaintEviction => "taint-eviction-controller",
            Self::PodGc => "pod-garbage-collector-controller",
            Self::TtlAfterFinished => "ttl-after-finished-controller",
            Self::Namespace => "namespace-controller",
            Self::StatefulSet => "statefulset-controller",
            Self::DaemonSet => "daemonset-controller",
            Self::CronJob => "cronjob-controller",
            Self::Disruption => "disruption-controller",
            Self::EndpointSlice => "endpointslice-controller",
            Self::Endpoints => "endpoints-controller",
            Self::PersistentVolume => "persistentvolume-controller",
            Self::VolumeProtection => "volume-protection-controller",
            Self::AttachDetach => "attachdetach-controller",
            Self::Provisioner => crate::storage::DRIVER,
            Self::EphemeralVolume => "ephemeral-volume-controller",
            Self::ReplicationController => "replicationcontroller-controller",
            Self::Autoscaler => "horizontal-pod-autoscaler-controller",
        })
    }
}

/// What all actors share.
#[derive(Clone)]
pub struct World {
    /// What is switched on.
    pub version: Profile,
    /// The instant that is now.
    pub now: SimTime,
    /// Wall-clock instant of the start.
    pub start: Timestamp,
    /// What is still to happen.
    pub queue: Queue<Event>,
    /// The objects.
    pub store: Store,
    /// Chance.
    pub rng: Rng,
    /// Whether random stretches apply.
    pub jitter: Jitter,
    /// Names of the nodes, by index.
    pub node_names: Vec<Arc<str>>,
    /// Images that exist and what they do.
    pub catalogue: Catalogue,
    /// Who acts now.
    pub actor: Actor,
    /// Why they act.
    pub causes: Vec<RecordId>,
    /// Controllers and the scheduler, when an experiment has stopped them.
    pub stopped: BTreeSet<Actor>,
    /// What was accepted without being simulated, and what was assumed.
    pub notices: BTreeSet<String>,
    /// What the API server warns of in its answer to the last request (`Warning` headers).
    pub warnings: Vec<String>,
    /// Component settings by the name of the real flag or field, such as `nodeMonitorGracePeriod`.
    pub settings: BTreeMap<String, String>,
    /// Whether want of memory kills all processes of a container (cgroup v2) or only one (`cgroupVersion: 1`).
    pub oom_kills_group: bool,
    /// What the kubelets are told.
    pub kubelet: Arc<KubeletConfig>,
    /// When each node was last heard of, by index; `None` while it is heard: renewals of leases are not written one by one.
    pub heartbeats: Vec<Option<SimTime>>,
    /// Counts the writes to what the files of volumes may come from.
    pub(crate) configured: u64,
    pub(crate) registries_down: BTreeMap<String, Option<SimTime>>,
    /// What is on the disks of persistent volumes, by the volume's name or the place that several volumes share.
    pub(crate) disks: BTreeMap<String, Tree>,
    /// The nodes that a disk is attached to, by the volume's name.
    pub(crate) attachments: BTreeMap<String, BTreeSet<Arc<str>>>,
    /// The pods (by UID) that have a disk mounted on a node.
    pub(crate) mounted: BTreeMap<(String, Arc<str>), BTreeSet<Arc<str>>>,
    pub(crate) events: EventRecorder,
    pub(crate) pod_ips: BTreeMap<String, PodAddress>,
    pub(crate) proxy: Proxy,
    node_indexes: BTreeMap<Arc<str>, usize>,
    actor_names: BTreeMap<Actor, Arc<str>>,
    /// Whether records and earlier versions are kept.
    pub(crate) traced: bool,
    /// The write that an actor is told of now.
    pub(crate) told: Option<Write>,
    recorded: usize,
    /// The newest resourceVersion before anybody did anything; what came before is compacted.
    pub(crate) founded: u64,
    /// Who owns the fields of objects that clients have written, by uid.
    pub(crate) managers: BTreeMap<String, Tracked>,
    records: Vec<Record>,
    logs: Vec<LogLine>,
    next_pod_ip: u32,
}

/// Where an address of the pod network leads.
#[derive(Clone, Debug)]
pub(crate) struct PodAddress {
    pub(crate) node: usize,
    pub(crate) pod_uid: String,
}

impl World {
    /// An empty world.
    pub fn new(start: Timestamp, seed: u64, jitter: Jitter, node_names: Vec<Arc<str>>, catalogue: Catalogue) -> Self {
        let heartbeats = vec![None; node_names.len()];
        let node_indexes = (0..)
            .zip(&node_names)
            .map(|(index, name)| (Arc::clone(name), index))
            .collect();
        Self {
            version: Profile::default(),
            now: SimTime::ZERO,
            start,
            queue: Queue::default(),
            store: Store::default(),
            rng: Rng::new(seed),
            jitter,
            node_names,
            node_indexes,
            actor_names: BTreeMap::new(),
            catalogue,
            actor: Actor::ApiServer,
            causes: Vec::new(),
            stopped: BTreeSet::new(),
            notices: BTreeSet::new(),
            warnings: Vec::new(),
            settings: BTreeMap::new(),
            oom_kills_group: true,
            kubelet: Arc::default(),
            heartbeats,
            configured: 1,
            registries_down: BTreeMap::new(),
            disks: BTreeMap::new(),
            attachments: BTreeMap::new(),
            mounted: BTreeMap::new(),
            events: EventRecorder::default(),
            pod_ips: BTreeMap::new(),
            proxy: Proxy::default(),
            traced: true,
            told: None,
            recorded: 0,
            founded: 0,
            managers: BTreeMap::new(),
            records: Vec::new(),
            logs: Vec::new(),
            next_pod_ip: 1,
        }
    }

    /// The wall-clock instant of a virtual one.
    pub fn wall(&self, at: SimTime) -> Timestamp {
        let span = jiff::SignedDuration::from_nanos(i64::try_from(at.0).unwrap_or(i64::MAX));
        self.start.checked_add(span).unwrap_or(Timestamp::MAX)
    }

    /// The virtual instant of a wall-clock one; the start for anything earlier.
    pub fn virtual_time(&self, wall: Timestamp) -> SimTime {
        SimTime(u64::try_from(wall.duration_since(self.start).as_nanos()).unwrap_or(0))
    }

    /// Now, as an API field holds it: whole seconds.
    pub fn time(&self) -> Time {
        self.time_of(self.now)
    }

    /// An instant as an API field holds it: whole seconds.
    pub fn time_of(&self, at: SimTime) -> Time {
        let wall = self.wall(at);
        Time(Timestamp::from_second(wall.as_nanosecond().div_euclid(1_000_000_000) as i64).unwrap_or(wall))
    }

    /// The generation of a pod as a status or a condition shows it (`CalculatePodStatusObservedGeneration`).
    pub fn observed(&self, meta: &ObjectMeta) -> Option<i64> {
        meta.generation
            .filter(|_| self.version.enabled(Gate::PodObservedGenerationTracking))
    }

    /// A name for who acts, as traces show it; made once for each.
    fn actor_name(&mut self, actor: Actor) -> Arc<str> {
        if let Some(name) = self.actor_names.get(&actor) {
            return Arc::clone(name);
        }
        let name: Arc<str> = match actor {
            Actor::User => "user".into(),
            Actor::Fault => "fault".into(),
            Actor::ApiServer => "kube-apiserver".into(),
            Actor::Scheduler => "kube-scheduler".into(),
            Actor::Controller(controller) => controller.to_string().into(),
            Actor::Kubelet(node) => {
                let name = self.node_names.get(node).map_or("?", |name| name);
                format!("kubelet/{name}").into()
            }
        };
        self.actor_names.insert(actor, Arc::clone(&name));
        name
    }

    /// Plans an event.
    pub fn schedule(&mut self, at: SimTime, event: Event) {
        self.queue.push(at.max(self.now), event);
    }

    /// Plans an event after a while.
    pub fn after(&mut self, span: SimDuration, event: Event) {
        self.schedule(self.now + span, event);
    }

    /// `span` times a random factor in [1, 1.5), as `wait.Jitter(span, 0.5)` gives it; without jitter `span` itself.
    pub fn stretched(&mut self, span: SimDuration) -> SimDuration {
        match self.jitter {
            Jitter::Real => span + SimDuration(self.rng.below(span.0 / 2)),
            Jitter::None => span,
        }
    }

    /// A latency of the machine, drawn from its range.
    pub fn latency(&mut self, (low, high): (SimDuration, SimDuration)) -> SimDuration {
        match self.jitter {
            Jitter::Real => self.rng.between(low, high),
            Jitter::None => low,
        }
    }

    /// A latency drawn from a stream of its own, which leaves every other chance as it is.
    pub fn latency_of(&self, rng: &mut Rng, (low, high): (SimDuration, SimDuration)) -> SimDuration {
        match self.jitter {
            Jitter::Real => rng.between(low, high),
            Jitter::None => low,
        }
    }

    /// Adds a record whose causes are those of the present reaction.
    pub fn record(&mut self, object: Option<Arc<ObjectRef>>, container: Option<&str>, what: What) -> RecordId {
        let id = self.count_record();
        if !self.traced {
            return id;
        }
        let actor = self.actor_name(self.actor);
        self.records.push(Record {
            at: self.now,
            actor,
            object,
            container: container.map(str::to_owned),
            what,
            causes: self.causes.clone(),
        });
        id
    }

    pub(crate) fn count_record(&mut self) -> RecordId {
        self.recorded += 1;
        RecordId::try_from(self.recorded - 1).unwrap_or(RecordId::MAX)
    }

    /// How many records were written, kept or not.
    pub fn record_count(&self) -> usize {
        self.recorded
    }

    /// Adds a record of a decision by a rule of Kubernetes.
    pub fn decide(
        &mut self,
        object: Arc<ObjectRef>,
        container: Option<&str>,
        rule: &str,
        code: &str,
        values: &[(&str, &str)],
    ) -> RecordId {
        if !self.traced {
            return self.count_record();
        }
        let values = values
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let what = What::Decision {
            rule: rule.to_owned(),
            code: code.to_owned(),
            values,
        };
        self.record(Some(object), container, what)
    }

    /// Whether want of memory in a container ends all its processes (cgroup v2, unless the kubelet is told otherwise).
    pub fn oom_kills_group(&self) -> bool {
        let single = self.kubelet.single_process_oom;
        self.oom_kills_group && single != Some(true)
    }

    /// All records so far, if they are kept; the `summary` of writes is filled in when a trace is made.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// All log lines so far.
    pub fn logs(&self) -> &[LogLine] {
        &self.logs
    }

    /// Adds a line that a container wrote.
    pub fn log(&mut self, line: LogLine) {
        self.logs.push(line);
    }

    /// Says that something is accepted without being simulated, once.
    pub fn notice(&mut self, text: &str) {
        if self.notices.insert(text.to_owned()) {
            self.record(None, None, What::Notice { text: text.to_owned() });
        }
    }

    /// The object at `key`.
    pub fn get(&self, key: &Key) -> Option<&Arc<Stored>> {
        self.store.get(key)
    }

    /// The object of that kind, namespace and name.
    pub fn find(&self, kind: Kind, namespace: &str, name: &str) -> Option<&Arc<Stored>> {
        self.store.find(kind, namespace, name)
    }

    /// The pod of that name.
    pub fn pod(&self, namespace: &str, name: &str) -> Option<&core::Pod> {
        self.find(Kind::Pod, namespace, name)
            .and_then(|stored| stored.object.as_pod())
    }

    /// The node of that name.
    pub fn node(&self, name: &str) -> Option<&core::Node> {
        match &self.find(Kind::Node, "", name)?.object {
            Object::Node(node) => Some(node),
            _ => None,
        }
    }

    /// All pods, by namespace and name.
    pub fn pods(&self) -> impl Iterator<Item = &core::Pod> {
        self.store
            .list(Kind::Pod, None)
            .filter_map(|stored| stored.object.as_pod())
    }

    /// Writes a version and tells those who watch.
    pub fn put(&mut self, change: Change, mut object: Object) -> Arc<Stored> {
        self.drop_status_fields(&mut object);
        let identity = self.store.identity(&object);
        let record = if self.traced {
            let what = What::Write {
                change,
                resource_version: self.store.revision() + 1,
                summary: Vec::new(),
            };
            self.record(Some(Arc::clone(&identity.1)), None, what)
        } else {
            self.count_record()
        };
        if matches!(object.kind(), Kind::ConfigMap | Kind::Secret) {
            self.configured += 1;
        }
        let stored = self
            .store
            .write_as(identity, self.now, change, object, record, self.actor);
        self.notify(&stored, change, record);
        stored
    }

    /// Takes out of a pod's status what the version does not have (`dropDisabledPodStatusFields`), whoever wrote it.
    fn drop_status_fields(&self, object: &mut Object) {
        if !self.version.enabled(Gate::PodObservedGenerationTracking)
            && let Object::Pod(pod) = object
            && let Some(status) = &mut pod.status
        {
            status.observed_generation = None;
            for condition in status.conditions.iter_mut().flatten() {
                condition.observed_generation = None;
            }
        }
    }

    /// The index of the node of that name, if the cluster has such a machine.
    pub fn node_index(&self, node: &str) -> Option<usize> {
        self.node_indexes.get(node).copied()
    }

    fn kubelet_of(&self, node: &str) -> Option<Actor> {
        self.node_index(node).map(Actor::Kubelet)
    }

    /// The write that a record tells of, while its watchers are told of it.
    pub fn written(&self, record: RecordId) -> Option<&Write> {
        self.told.as_ref().filter(|write| write.record == record)
    }

    fn notify(&mut self, stored: &Arc<Stored>, change: Change, record: RecordId) {
        let key = &stored.key;
        let write = Write {
            at: self.now,
            change,
            stored: Arc::clone(stored),
            record,
        };
        let mut watchers: Vec<Actor> = Vec::new();
        let deleted = change == Change::Deleted;
        match &stored.object {
            Object::Service(_) | Object::EndpointSlice(_) => self.proxy.changed(self.now, change, stored),
            Object::Pod(pod) => {
                watchers.push(Actor::Scheduler);
                let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
                watchers.extend(node.and_then(|node| self.kubelet_of(node)));
            }
            Object::PersistentVolumeClaim(_) | Object::PersistentVolume(_) | Object::StorageClass(_) => {
                watchers.push(Actor::Scheduler);
            }
            Object::Node(_) => {
                watchers.push(Actor::Scheduler);
                watchers.extend(self.kubelet_of(&key.name));
            }
            _ => {}
        }
        // A controller whose own kind does not exist has nothing to do with pods that it could only look at.
        let idle = |controller: &Controller| match controller {
            Controller::Disruption => self.store.count(Kind::PodDisruptionBudget) == 0,
            Controller::ReplicaSet => self.store.count(Kind::ReplicaSet) == 0,
            Controller::ReplicationController => self.store.count(Kind::ReplicationController) == 0,
            Controller::Job => self.store.count(Kind::Job) == 0,
            // Every cluster has the Service `kubernetes`, which selects nothing.
            Controller::EndpointSlice | Controller::Endpoints => self.store.count(Kind::Service) <= 1,
            Controller::AttachDetach | Controller::VolumeProtection => {
                self.store.count(Kind::PersistentVolumeClaim) == 0 && self.store.count(Kind::PersistentVolume) == 0
            }
            _ => false,
        };
        let watching = controllers::watchers(&stored.object, change).into_iter();
        watchers.extend(
            watching
                .filter(|controller| deleted || !idle(controller))
                .map(Actor::Controller),
        );
        let meta = stored.object.meta();
        if meta.owner_references.is_some()
            || meta.deletion_timestamp.is_some() && meta.finalizers.is_some()
            || deleted && self.store.dependents(stored.object.uid()).next().is_some()
        {
            watchers.push(Actor::Controller(Controller::GarbageCollector));
        }
        for to in watchers {
            self.after(
                latency::WATCH,
                Event::Notify {
                    to,
                    key: key.clone(),
                    record,
                    write: Some(write.clone()),
                },
            );
        }
    }

    /// Fills in what the API server gives a new object: uid, creationTimestamp, generation.
    pub fn stamp(&mut self, meta: &mut ObjectMeta) {
        meta.uid = Some(self.rng.uuid());
        meta.creation_timestamp = Some(self.time());
        self.generate_name(meta);
    }

    /// Gives an object without a name one, if it has a prefix for it.
    pub(crate) fn generate_name(&mut self, meta: &mut ObjectMeta) {
        if meta.name.as_deref().unwrap_or_default().is_empty()
            && let Some(prefix) = &meta.generate_name
        {
            // names.SimpleNameGenerator: the prefix is cut so that five random characters fit into 63.
            let prefix: String = prefix.chars().take(58).collect();
            meta.name = Some(format!("{prefix}{}", self.rng.suffix(5)));
        }
    }

    /// Whether the registry of a repository does not answer now.
    pub(crate) fn registry_is_down(&self, repository: &str) -> bool {
        let host = repository.split('/').next().unwrap_or_default();
        self.registries_down
            .get(host)
            .is_some_and(|until| until.is_none_or(|until| self.now < until))
    }

    /// The next address of the pod network (10.244.0.0/16), which is never given twice.
    pub fn new_pod_ip(&mut self) -> String {
        self.next_pod_ip += 1;
        format!("10.244.{}.{}", self.next_pod_ip / 250 % 256, self.next_pod_ip % 250 + 2)
    }
}
