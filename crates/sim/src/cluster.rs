//! The machine: it takes the next event, lets its actor react, and keeps what happened.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use crate::apiserver;
use crate::controllers::{ControllerEvent, Controllers};
use crate::fault::Fault;
use crate::kubelet::event::{NodeEvent, PodEvent};
use crate::objects::{Key, Kind};
use crate::request::{Request, Status};
use crate::runtime::catalogue::Catalogue;
use crate::scheduler::{Scheduler, SchedulerEvent};
use crate::store::Write;
use crate::time::{DEFAULT_START, SimTime};
use crate::trace::{LogLine, Record, RecordId, Trace, What};
use crate::version::Version;
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
        /// The write.
        record: RecordId,
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
}

/// How a cluster is built.
#[derive(Clone, Debug)]
pub struct Config {
    /// Version of Kubernetes.
    pub version: Version,
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
}

impl Default for Config {
    /// One worker node with 4 CPUs, 8 GiB and room for 110 pods; the newest version; seed 1.
    fn default() -> Self {
        Self {
            version: Version::NEWEST,
            start: DEFAULT_START.parse().unwrap_or(Timestamp::UNIX_EPOCH),
            seed: 1,
            jitter: Jitter::Real,
            nodes: vec![NodeConfig::default()],
            settings: Vec::new(),
            catalogue: Catalogue::default(),
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
    /// Most pods.
    pub pods: u32,
    /// Labels beside those that every node has.
    pub labels: Vec<(String, String)>,
    /// Taints: key, value, effect.
    pub taints: Vec<(String, String, String)>,
}

impl Default for NodeConfig {
    fn default() -> Self {
        Self {
            name: "node-1".to_owned(),
            cpu: "4".to_owned(),
            memory: "8Gi".to_owned(),
            pods: 110,
            labels: Vec::new(),
            taints: Vec::new(),
        }
    }
}

/// A cluster in virtual time. A clone goes its own way from the same instant: a branch.
#[derive(Clone)]
pub struct Cluster {
    world: World,
    scheduler: Scheduler,
    controllers: Controllers,
}

impl Cluster {
    /// A cluster at its start: nodes Ready, namespaces and their service accounts there, nothing else.
    ///
    /// # Errors
    /// A sentence that says which setting or node cannot be.
    pub fn new(config: Config) -> Result<Self, String> {
        let names = config.nodes.iter().map(|node| node.name.as_str().into()).collect();
        let mut world = World::new(config.start, config.seed, config.jitter, names, config.catalogue);
        let mut controllers = Controllers::default();
        controllers.start(&mut world);
        Ok(Self {
            world,
            scheduler: Scheduler::default(),
            controllers,
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

    /// When the next event is due.
    pub fn next_event_at(&self) -> Option<SimTime> {
        self.world.queue.next_at()
    }

    /// Lets the next event happen; `false` when there is none.
    pub fn step(&mut self) -> bool {
        let Some((at, event)) = self.world.queue.pop() else {
            return false;
        };
        self.world.now = at;
        self.react(event);
        true
    }

    /// Lets everything happen up to and including an instant, which is then now.
    pub fn run_until(&mut self, at: SimTime) {
        while self.next_event_at().is_some_and(|next| next <= at) {
            self.step();
        }
        self.world.now = self.world.now.max(at);
    }

    /// Whether nothing but heartbeats and periodic rounds is left to happen.
    pub fn settled(&self) -> bool {
        self.world.queue.iter().next().is_none()
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
        record
    }

    /// Answers a client's request at this instant.
    ///
    /// # Errors
    /// The `Status` with which the API server refuses.
    pub fn request(&mut self, request: &Request) -> Result<Value, Status> {
        self.world.actor = Actor::User;
        apiserver::handle(&mut self.world, request)
    }

    /// Injects a fault.
    ///
    /// # Errors
    /// A sentence that says what it names that does not exist.
    pub fn fault(&mut self, fault: &Fault) -> Result<(), String> {
        let _ = fault;
        Err("faults are not built yet".to_owned())
    }

    /// The newest version of an object as the API shows it.
    pub fn object(&self, kind: &str, namespace: &str, name: &str) -> Option<Arc<Value>> {
        let kind = Kind::named(kind)?;
        self.world
            .get(&Key::new(kind, namespace, name))
            .map(|stored| stored.json())
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

    /// Every object version written so far, in order: what a watch of everything would have told.
    pub fn writes(&self) -> &[Write] {
        self.world.store.history()
    }

    /// Every record so far; summaries of writes are filled in by [`Cluster::trace`].
    pub fn records(&self) -> &[Record] {
        self.world.records()
    }

    /// What was accepted without being simulated, and what was assumed.
    pub fn notices(&self) -> Vec<String> {
        self.world.notices.iter().cloned().collect()
    }

    /// Everything that has happened, complete by itself.
    pub fn trace(&self) -> Trace {
        Trace {
            start: self.world.start.to_string(),
            end: self.world.now,
            ..Trace::default()
        }
    }

    fn react(&mut self, event: Event) {
        let w = &mut self.world;
        match event {
            Event::Notify { to, key, record } => {
                w.actor = to;
                w.causes = vec![record];
                match to {
                    Actor::Scheduler => self.scheduler.on_notify(w, &key, record),
                    Actor::Controller(controller) => self.controllers.on_notify(w, controller, &key, record),
                    _ => {}
                }
            }
            Event::Scheduler { event, causes } => {
                w.actor = Actor::Scheduler;
                w.causes = causes;
                self.scheduler.on_event(w, event);
            }
            Event::Controller {
                controller,
                event,
                causes,
            } => {
                w.actor = Actor::Controller(controller);
                w.causes = causes;
                self.controllers.on_event(w, controller, event);
            }
            Event::Pod { .. } | Event::Node { .. } => {}
        }
    }
}
