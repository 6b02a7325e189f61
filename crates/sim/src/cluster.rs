//! The machine: it takes the next event, lets its actor react, and keeps what happened.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use crate::apiserver::{self, Watch, WatchEvent};
use crate::controllers::{ControllerEvent, Controllers};
use crate::fault::Fault;
use crate::kubelet::config::{self, KubeletConfig};
use crate::kubelet::event::{NodeEvent, PodEvent};
use crate::kubelet::eviction::threshold::Signal;
use crate::kubelet::node::{Health, Kubelet};
use crate::kubelet::nodeshutdown;
use crate::objects::{Key, Kind};
use crate::queue::Turn;
use crate::request::{Request, Status};
use crate::runtime::catalogue::{Catalogue, Reference};
use crate::scheduler::{Scheduler, SchedulerEvent};
use crate::start;
use crate::store::Write;
use crate::time::{DEFAULT_START, SimTime};
use crate::trace::{LogLine, Record, RecordId, Trace, What};
use crate::version::{Profile, Version, is_simulated};
use crate::world::{Actor, Controller, Jitter, World};

/// What is still to happen.
#[derive(Clone, Debug)]
pub enum Event {
    /// An actor that watches is told of a write.
    Notify {
        /// Who.
        to: Actor,
        /// The object.
        key: Key,
        /// The record of it.
        record: RecordId,
        /// The write, unless what the actor is told of is none.
        write: Option<Write>,
    },
    /// Something about one pod of a node.
    Pod {
        /// Index of the node.
        node: usize,
        /// UID of the pod.
        uid: Arc<str>,
        /// What.
        event: PodEvent,
        /// Why.
        causes: Vec<RecordId>,
    },
    /// Something about a node.
    Node {
        /// Index of the node.
        node: usize,
        /// What.
        event: NodeEvent,
        /// Why.
        causes: Vec<RecordId>,
    },
    /// A timer of the scheduler.
    Scheduler {
        /// What.
        event: SchedulerEvent,
        /// Why.
        causes: Vec<RecordId>,
    },
    /// A timer of a controller.
    Controller {
        /// Which.
        controller: Controller,
        /// What.
        event: ControllerEvent,
        /// Why.
        causes: Vec<RecordId>,
    },
    /// Event objects have been kept for as long as the API server keeps them.
    EventsExpire,
    /// Series of the scheduler's events are ended or written again.
    EventSeries,
}

/// How a cluster is built.
#[derive(Clone, Debug)]
pub struct Config {
    /// Version of Kubernetes.
    pub version: Version,
    /// Feature gates that are not as they come with the version.
    pub feature_gates: Vec<(String, bool)>,
    /// Wall-clock instant of the start.
    pub start: Timestamp,
    /// Seed of all chance.
    pub seed: u64,
    /// Whether waits are stretched at random as the real components do.
    pub jitter: Jitter,
    /// The nodes.
    pub nodes: Vec<NodeConfig>,
    /// Component settings by the name of the real flag or field, such as `nodeMonitorGracePeriod: 50s`.
    pub settings: Vec<(String, String)>,
    /// The images.
    pub catalogue: Catalogue,
    /// Records after which it is stopped.
    pub record_limit: usize,
    /// Whether it keeps what happens, for [`Cluster::trace`]. Without it the same happens to the same objects, only
    /// nobody can look back: of records only their number is known, and of writes only those of the last step. An earlier
    /// resourceVersion is as good as compacted.
    pub traced: bool,
}

impl Default for Config {
    /// One worker node with 4 CPUs, 8 GiB and room for 110 pods; the newest version; seed 1.
    fn default() -> Self {
        Self {
            version: Version::NEWEST,
            feature_gates: Vec::new(),
            start: DEFAULT_START.parse().unwrap_or(Timestamp::UNIX_EPOCH),
            seed: 1,
            jitter: Jitter::Real,
            nodes: vec![NodeConfig::default()],
            settings: Vec::new(),
            catalogue: Catalogue::default(),
            record_limit: MAX_RECORDS,
            traced: true,
        }
    }
}

/// One node.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// Name.
    pub name: String,
    /// CPU quantity.
    pub cpu: String,
    /// Memory quantity.
    pub memory: String,
    /// Quantity of the disk that pods, their logs and images share.
    pub disk: String,
    /// Most pods.
    pub pods: u32,
    /// Labels beside those that every node has.
    pub labels: Vec<(String, String)>,
    /// Taints: key, value, effect.
    pub taints: Vec<(String, String, String)>,
    /// Files in the directory of static pods at the start: name, text.
    pub static_pods: Vec<(String, String)>,
}

impl Default for NodeConfig {
    fn default() -> Self {
        Self {
            name: "node-1".to_owned(),
            cpu: "4".to_owned(),
            memory: "8Gi".to_owned(),
            disk: "100Gi".to_owned(),
            pods: 110,
            labels: Vec::new(),
            taints: Vec::new(),
            static_pods: Vec::new(),
        }
    }
}

/// Records that one cluster may write before it is stopped, unless its [`Config`] says otherwise: more than any experiment that a person would look at.
pub const MAX_RECORDS: usize = 1_000_000;

/// A cluster in virtual time. A clone goes its own way from the same instant: a branch.
#[derive(Clone)]
pub struct Cluster {
    pub(crate) world: World,
    pub(crate) kubelets: Vec<Kubelet>,
    scheduler: Scheduler,
    controllers: Controllers,
    deferred: Vec<Event>,
    /// The person's last step: the cause of every request that a client sends.
    commanded: Option<RecordId>,
    record_limit: usize,
    /// The turn of an event for which the cluster was not settled when that was asked last.
    unsettled: Option<Turn>,
}

impl Cluster {
    /// A cluster at its start: nodes Ready, namespaces and their service accounts there, nothing else.
    ///
    /// # Errors
    /// A sentence that says which setting, gate or node cannot be.
    pub fn new(config: Config) -> Result<Self, String> {
        let names = config.nodes.iter().map(|node| node.name.as_str().into()).collect();
        let mut world = World::new(config.start, config.seed, config.jitter, names, config.catalogue);
        world.traced = config.traced;
        let gates = config.feature_gates.iter().map(|(name, on)| (name.as_str(), *on));
        world.version = Profile::with_gates(config.version, gates)?;
        for (name, _) in config.feature_gates.iter().filter(|(name, _)| !is_simulated(name)) {
            world.notice(&format!("not simulated: feature gate {name}"));
        }
        for (name, value) in &config.settings {
            setting(&mut world, name, value)?;
        }
        world.kubelet = Arc::new(KubeletConfig::read(&world.settings)?);
        nodeshutdown::periods(&world.settings)?;
        start::furnish(&mut world, &config.nodes)?;
        world.proxy.settle();
        world.founded = world.store.revision();
        let mut kubelets: Vec<Kubelet> = (0..config.nodes.len())
            .map(|index| {
                let name = Arc::clone(&world.node_names[index]);
                Kubelet::new(index, name, &mut world)
            })
            .collect();
        for (kubelet, node) in kubelets.iter_mut().zip(&config.nodes) {
            for (file, manifest) in &node.static_pods {
                kubelet.write_manifest(&mut world, file, manifest);
            }
        }
        let mut controllers = Controllers::default();
        controllers.start(&mut world);
        Ok(Self {
            world,
            kubelets,
            scheduler: Scheduler::default(),
            controllers,
            deferred: Vec::new(),
            commanded: None,
            record_limit: config.record_limit,
            unsettled: None,
        })
    }

    /// The instant that is now.
    pub fn now(&self) -> SimTime {
        self.world.now
    }

    /// Now on the cluster's wall clock.
    pub fn wall_now(&self) -> Timestamp {
        self.world.wall(self.world.now)
    }

    /// The instant on the cluster's wall clock.
    pub fn wall_at(&self, at: SimTime) -> Timestamp {
        self.world.wall(at)
    }

    /// When the next event is due.
    pub fn next_event_at(&self) -> Option<SimTime> {
        self.world.queue.next_at()
    }

    /// Lets the next event happen; `false` when there is none, or when a limit is reached ([`Cluster::problem`]).
    pub fn step(&mut self) -> bool {
        if self.is_exhausted() {
            return false;
        }
        let Some((at, event)) = self.world.queue.pop() else {
            return false;
        };
        self.world.now = at;
        if !self.world.traced {
            apiserver::managed::remember(&mut self.world);
            self.world.store.forget_history();
        }
        self.react(event);
        true
    }

    /// Lets everything happen up to and including an instant, which is then now.
    pub fn run_until(&mut self, at: SimTime) {
        while self.next_event_at().is_some_and(|next| next <= at) {
            if !self.step() {
                return;
            }
        }
        self.world.now = self.world.now.max(at);
    }

    /// The limit at which the cluster stopped, in words.
    pub fn problem(&self) -> Option<String> {
        self.is_exhausted().then(|| {
            format!(
                "the cluster was stopped at {}: it has written {} records, the most that one trial may have",
                self.world.now, self.record_limit
            )
        })
    }

    fn is_exhausted(&self) -> bool {
        self.world.record_count() >= self.record_limit
    }

    /// Whether nothing but heartbeats, resyncs, probes and periodic rounds is left to happen.
    pub fn settled(&mut self) -> bool {
        if self.is_exhausted() {
            return true;
        }
        // This is asked at every step: as long as what was found last is still to come, nothing else is looked at.
        let matters = |turn: &Turn, event: &Event| !self.is_idle(turn.0, event);
        let known = self.unsettled.filter(|turn| {
            let event = self.world.queue.get(*turn);
            event.is_some_and(|event| matters(turn, event))
        });
        let found = known.or_else(|| {
            let mut events = self.world.queue.iter();
            events.find(|(turn, event)| matters(turn, event)).map(|(turn, _)| turn)
        });
        self.unsettled = found;
        found.is_none()
    }

    /// Whether an event is a periodic look at things, or stale.
    fn is_idle(&self, at: SimTime, event: &Event) -> bool {
        match event {
            Event::Node { node, event, .. } => match event {
                NodeEvent::Heartbeat => true,
                NodeEvent::Eviction => self
                    .kubelets
                    .get(*node)
                    .is_none_or(|kubelet| kubelet.eviction.is_idle()),
                _ => false,
            },
            Event::Controller { controller, event, .. } => self.controllers.is_idle(at, *controller, event),
            Event::Scheduler { event, .. } => event.is_periodic(),
            Event::Pod { node, uid, event, .. } => self
                .kubelets
                .get(*node)
                .is_none_or(|kubelet| kubelet.is_idle(uid, event)),
            Event::Notify { .. } => false,
            Event::EventsExpire | Event::EventSeries => true,
        }
    }

    /// A number that grows whenever an object or a log line is written: nothing that an expression can see changes
    /// while it stays.
    pub fn revision(&self) -> u64 {
        self.world.store.revision() + self.world.logs().len() as u64
    }

    /// Records what a person does; the requests that follow have it as their cause.
    pub fn command(&mut self, text: &str) -> RecordId {
        self.world.actor = Actor::User;
        self.world.causes = Vec::new();
        let record = self.world.record(None, None, What::Command { text: text.to_owned() });
        self.world.causes = vec![record];
        self.commanded = Some(record);
        record
    }

    /// Answers a client's request at this instant.
    ///
    /// # Errors
    /// The `Status` with which the API server refuses.
    pub fn request(&mut self, request: &Request) -> Result<Value, Status> {
        self.world.actor = Actor::User;
        self.world.causes = self.commanded.into_iter().collect();
        apiserver::handle(&mut self.world, request)
    }

    /// Opens a watch at this instant: `request` is a list whose query has the options of a watch. Its events are read by
    /// [`Cluster::watched`]; it has no effect on what happens.
    ///
    /// # Errors
    /// The `Status` with which the API server refuses.
    pub fn watch(&mut self, request: &Request) -> Result<Watch, Status> {
        self.world.warnings.clear();
        Watch::open(&mut self.world, request)
    }

    /// The events of a watch since it was asked last.
    pub fn watched(&mut self, watch: &mut Watch) -> Vec<WatchEvent> {
        watch.events(&mut self.world)
    }

    /// Injects a fault.
    ///
    /// # Errors
    /// A sentence that says what it names that does not exist.
    pub fn fault(&mut self, fault: &Fault) -> Result<(), String> {
        self.world.actor = Actor::Fault;
        self.world.causes = Vec::new();
        let text = fault.to_string();
        let record = self.world.record(None, None, What::Fault { text });
        self.world.causes = vec![record];
        let w = &mut self.world;
        match fault {
            Fault::PowerOff { node } => find_node(&mut self.kubelets, node)?.power_off(w),
            Fault::Crash { node } => find_node(&mut self.kubelets, node)?.crash(w),
            Fault::FreezeKubelet { node, on } => find_node(&mut self.kubelets, node)?.freeze(w, *on),
            Fault::StopKubelet { node, on } => find_node(&mut self.kubelets, node)?.stop_process(w, *on),
            Fault::Partition { node, on } => find_node(&mut self.kubelets, node)?.partition(w, *on),
            Fault::Starve { node, resource, amount } => {
                find_node(&mut self.kubelets, node)?.starve(w, *resource, amount)?;
            }
            Fault::RestoreNode { node } => find_node(&mut self.kubelets, node)?.restore(w),
            Fault::StopRuntime { node, on } => find_node(&mut self.kubelets, node)?.stop_runtime(w, *on),
            Fault::KillContainer {
                namespace,
                pod,
                container,
                signal,
            } => {
                let (node, uid) = place_of(w, namespace, pod)?;
                let kubelet = find_node(&mut self.kubelets, &node)?;
                kubelet.kill_from_outside(w, &kubelet.own_uid(&uid), container, signal)?;
            }
            Fault::KillSandbox { namespace, pod } => {
                let (node, uid) = place_of(w, namespace, pod)?;
                let kubelet = find_node(&mut self.kubelets, &node)?;
                kubelet.kill_sandbox(w, &kubelet.own_uid(&uid))?;
            }
            Fault::ShutdownNode { node, on } => find_node(&mut self.kubelets, node)?.shut_down(w, *on),
            Fault::WriteStaticPod { node, file, manifest } => {
                find_node(&mut self.kubelets, node)?.write_manifest(w, file, manifest);
            }
            Fault::RemoveStaticPod { node, file } => {
                find_node(&mut self.kubelets, node)?.remove_manifest(w, file)?;
            }
            Fault::ImageAvailable { image } => {
                let reference = Reference::parse(image).map_err(|error| format!("image {image}: {error}"))?;
                w.catalogue.push(&reference);
            }
            Fault::ImageGone { image } => {
                let reference = Reference::parse(image).map_err(|error| format!("image {image}: {error}"))?;
                if let Some(repository) = w.catalogue.repositories.get_mut(&reference.repository) {
                    Arc::make_mut(repository)
                        .tags
                        .retain(|tag| Some(tag) != reference.tag.as_ref());
                }
            }
            Fault::RegistryDown { registry, duration } => {
                let until = duration.map(|span| w.now + span);
                w.registries_down.insert(registry.clone(), until);
            }
            Fault::StopComponent { component, on } => self.stop_component(component, *on)?,
        }
        Ok(())
    }

    fn stop_component(&mut self, component: &str, on: bool) -> Result<(), String> {
        if component == "kube-proxy" {
            self.world.proxy.stop(self.world.now, on);
            return Ok(());
        }
        let actors: Vec<Actor> = match component {
            "kube-scheduler" => {
                self.world.forget_events_of_scheduler();
                vec![Actor::Scheduler]
            }
            "kube-apiserver" => {
                // Nobody hears of anything, and what the kubelets have to say waits.
                for kubelet in &mut self.kubelets {
                    kubelet.partition(&mut self.world, on);
                }
                let controllers = Controller::ALL.iter().map(|one| Actor::Controller(*one));
                std::iter::once(Actor::Scheduler).chain(controllers).collect()
            }
            "kube-controller-manager" => {
                self.world.forget_events_of_controllers();
                Controller::ALL.iter().map(|one| Actor::Controller(*one)).collect()
            }
            _ => {
                let known = "kube-scheduler, kube-controller-manager, kube-apiserver and kube-proxy";
                return Err(format!("component {component} cannot be stopped: {known} can"));
            }
        };
        for actor in actors {
            if on {
                self.world.stopped.insert(actor);
            } else {
                self.world.stopped.remove(&actor);
            }
        }
        if !on {
            for event in std::mem::take(&mut self.deferred) {
                self.world.schedule(self.world.now, event);
            }
        }
        Ok(())
    }

    /// The newest version of an object as the API shows it.
    pub fn object(&self, kind: &str, namespace: &str, name: &str) -> Option<Arc<Value>> {
        let kind = Kind::named(kind)?;
        self.world
            .get(&Key::new(kind, namespace, name))
            .map(|stored| stored.json())
    }

    /// What is free now of what an eviction signal is about, such as `memory.available`, on a node: bytes, or a number.
    pub fn available(&self, node: &str, signal: &str) -> Option<i128> {
        let kubelet = self.kubelets.iter().find(|kubelet| &*kubelet.name == node)?;
        kubelet.available(Signal::named(signal)?)
    }

    /// All objects of a kind as the API shows them, by namespace and name.
    pub fn objects(&self, kind: &str) -> Vec<Arc<Value>> {
        Kind::named(kind)
            .map(|kind| self.world.store.list(kind, None).map(|stored| stored.json()).collect())
            .unwrap_or_default()
    }

    /// Every log line so far, in order of time.
    pub fn logs(&self) -> &[LogLine] {
        self.world.logs()
    }

    /// Every object version written so far, in order: what a watch of everything would have told. A cluster that keeps
    /// no trace has those of its last step.
    pub fn writes(&self) -> &[Write] {
        self.world.store.history()
    }

    /// How many writes came before the first of [`Cluster::writes`].
    pub fn forgotten_writes(&self) -> usize {
        self.world.store.forgotten()
    }

    /// How many records were written.
    pub fn record_count(&self) -> usize {
        self.world.record_count()
    }

    /// Every record so far, if they are kept; summaries of writes are filled in by [`Cluster::trace`].
    pub fn records(&self) -> &[Record] {
        self.world.records()
    }

    /// What the API server warned of in its answer to the last request.
    pub fn warnings(&self) -> &[String] {
        &self.world.warnings
    }

    /// What was accepted without being simulated, and what was assumed.
    pub fn notices(&self) -> Vec<String> {
        self.world.notices.iter().cloned().collect()
    }

    /// Everything that has happened, complete by itself; a cluster that keeps no trace has nothing to say.
    pub fn trace(&self) -> Trace {
        start::trace(&self.world)
    }

    fn react(&mut self, event: Event) {
        let w = &mut self.world;
        match event {
            Event::Notify { to, key, record, write } => {
                w.actor = to;
                if w.stopped.contains(&to) {
                    self.deferred.push(Event::Notify { to, key, record, write });
                    return;
                }
                w.causes = vec![record];
                w.told.clone_from(&write);
                match to {
                    Actor::Scheduler => self.scheduler.on_notify(w, &key, record),
                    Actor::Controller(controller) => self.controllers.on_notify(w, controller, &key, record),
                    Actor::Kubelet(node) => {
                        let Some(kubelet) = self.kubelets.get_mut(node) else {
                            return;
                        };
                        match (kubelet.health, kubelet.connected) {
                            (Health::Running, true) => kubelet.on_notify(w, &key, &[record]),
                            (Health::Running | Health::Frozen, _) => {
                                kubelet.defer(Event::Notify { to, key, record, write })
                            }
                            // A kubelet that starts lists everything anew.
                            (Health::Stopped | Health::PoweredOff, _) => {}
                        }
                    }
                    Actor::User | Actor::Fault | Actor::ApiServer => {}
                }
            }
            Event::Scheduler { event, causes } => {
                w.actor = Actor::Scheduler;
                if w.stopped.contains(&Actor::Scheduler) {
                    self.deferred.push(Event::Scheduler { event, causes });
                    return;
                }
                w.causes = causes;
                self.scheduler.on_event(w, event);
            }
            Event::EventsExpire => {
                w.actor = Actor::ApiServer;
                w.causes = Vec::new();
                w.expire_events();
            }
            Event::EventSeries => {
                w.actor = Actor::Scheduler;
                w.causes = Vec::new();
                w.finish_series();
            }
            Event::Controller {
                controller,
                event,
                causes,
            } => {
                w.actor = Actor::Controller(controller);
                if w.stopped.contains(&w.actor) {
                    self.deferred.push(Event::Controller {
                        controller,
                        event,
                        causes,
                    });
                    return;
                }
                w.causes = causes;
                self.controllers.on_event(w, controller, event);
            }
            Event::Pod {
                node,
                uid,
                event,
                causes,
            } => {
                let Some(kubelet) = self.kubelets.get_mut(node) else {
                    return;
                };
                w.actor = kubelet.actor();
                match kubelet.health {
                    Health::Running => {}
                    Health::Frozen | Health::Stopped if Kubelet::runs_without_kubelet(&event) => {}
                    Health::Frozen => {
                        kubelet.defer(Event::Pod {
                            node,
                            uid,
                            event,
                            causes,
                        });
                        return;
                    }
                    Health::Stopped | Health::PoweredOff => return,
                }
                w.causes = causes;
                kubelet.on_pod_event(w, &uid, event);
            }
            Event::Node { node, event, causes } => {
                let Some(kubelet) = self.kubelets.get_mut(node) else {
                    return;
                };
                w.actor = kubelet.actor();
                match kubelet.health {
                    Health::Running => {
                        w.causes = causes;
                        kubelet.on_node_event(w, event);
                    }
                    Health::Frozen => kubelet.defer(Event::Node { node, event, causes }),
                    Health::Stopped | Health::PoweredOff => {}
                }
            }
        }
    }
}

fn find_node<'a>(kubelets: &'a mut [Kubelet], name: &str) -> Result<&'a mut Kubelet, String> {
    let known: Vec<String> = kubelets.iter().map(|kubelet| kubelet.name.to_string()).collect();
    kubelets
        .iter_mut()
        .find(|kubelet| &*kubelet.name == name)
        .ok_or_else(|| format!("there is no node {name}; the cluster has {}", known.join(", ")))
}

/// The node and the uid of a pod.
fn place_of(w: &World, namespace: &str, name: &str) -> Result<(String, Arc<str>), String> {
    let pod = w
        .pod(namespace, name)
        .ok_or_else(|| format!("there is no pod {name} in namespace {namespace}"))?;
    let node = pod
        .spec
        .as_ref()
        .and_then(|spec| spec.node_name.clone())
        .filter(|node| !node.is_empty());
    let node = node.ok_or_else(|| format!("pod {name} is on no node"))?;
    Ok((node, pod.metadata.uid.as_deref().unwrap_or_default().into()))
}

/// Settings that the simulated components know.
const SETTINGS: &[&str] = &[
    "cgroupVersion",
    "storageClass",
    "nodeMonitorGracePeriod",
    "nodeMonitorPeriod",
    "nodeEvictionRate",
    "podEvictionTimeout",
    "shutdownGracePeriod",
    "shutdownGracePeriodByPodPriority",
    "shutdownGracePeriodCriticalPods",
    "staticPodPath",
];

/// The names of all settings: those of the components and the fields of a kubelet's configuration.
pub fn setting_names() -> impl Iterator<Item = &'static str> {
    SETTINGS.iter().chain(config::FIELDS).copied()
}

fn setting(w: &mut World, name: &str, value: &str) -> Result<(), String> {
    if !setting_names().any(|known| known == name) {
        let known: Vec<&str> = setting_names().collect();
        return Err(format!("setting {name} is not known; known are {}", known.join(", ")));
    }
    if name == "cgroupVersion" {
        w.oom_kills_group = match value {
            "1" | "v1" => false,
            "2" | "v2" => true,
            _ => return Err(format!("setting cgroupVersion is 1 or 2, not {value}")),
        };
    }
    if name == "storageClass" && !matches!(value, "none" | "standard") {
        return Err(format!("setting storageClass is standard or none, not {value}"));
    }
    w.settings.insert(name.to_owned(), value.to_owned());
    Ok(())
}
