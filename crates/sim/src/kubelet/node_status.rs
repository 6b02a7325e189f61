//! The node's own object and its lease (`pkg/kubelet/kubelet_node_status.go`). While nothing changes a kubelet writes nothing that
//! anyone sees: it only notes that it is alive.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};

use super::config::KubeletConfig;
use super::event::NodeEvent;
use super::eviction::threshold::{Pressure, Signal};
use super::node::{Health, Kubelet, after, before};
use super::nodeshutdown::NOT_READY;
use crate::cluster::{Event, NodeConfig};
use crate::controllers::ControllerEvent;
use crate::events::NewEvent;
use crate::objects::{Key, Kind, Object, reference_to};
use crate::quantity;
use crate::time::{SimDuration, SimTime};
use crate::world::{Controller, World};

/// How often a kubelet renews its lease and looks at its node's status.
pub(crate) const HEARTBEAT: SimDuration = SimDuration::from_secs(10);
/// Without a successful check of the runtime for this long the node is not ready.
const RUNTIME_SILENCE: SimDuration = SimDuration::from_secs(30);
/// Until a kubelet that starts has listed its runtime's containers and calls itself ready.
const SETTLE: SimDuration = SimDuration::from_secs(10);

/// The Node object of a node that has been up for a while.
pub(crate) fn node_object(
    config: &NodeConfig,
    index: usize,
    version: &str,
    now: &Time,
    kubelet: &KubeletConfig,
) -> core::Node {
    let mut labels: BTreeMap<String, String> = [
        ("beta.kubernetes.io/arch", "amd64"),
        ("beta.kubernetes.io/os", "linux"),
        ("kubernetes.io/arch", "amd64"),
        ("kubernetes.io/hostname", config.name.as_str()),
        ("kubernetes.io/os", "linux"),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .collect();
    labels.extend(config.labels.iter().cloned());
    let taints: Vec<core::Taint> = config
        .taints
        .iter()
        .map(|(key, value, effect)| core::Taint {
            key: key.clone(),
            value: Some(value.clone()).filter(|value| !value.is_empty()),
            effect: effect.clone(),
            time_added: None,
        })
        .collect();
    let amounts: BTreeMap<String, Quantity> = [
        ("cpu", config.cpu.clone()),
        ("ephemeral-storage", config.disk.clone()),
        ("hugepages-1Gi", "0".to_owned()),
        ("hugepages-2Mi", "0".to_owned()),
        ("memory", config.memory.clone()),
        ("pods", config.pods.to_string()),
    ]
    .into_iter()
    .map(|(name, amount)| (name.to_owned(), Quantity(amount)))
    .collect();
    let address = |kind: &str, address: String| core::NodeAddress {
        type_: kind.to_owned(),
        address,
    };
    core::Node {
        metadata: ObjectMeta {
            name: Some(config.name.clone()),
            labels: Some(labels),
            annotations: Some(BTreeMap::from([
                ("node.alpha.kubernetes.io/ttl".to_owned(), "0".to_owned()),
                (
                    "volumes.kubernetes.io/controller-managed-attach-detach".to_owned(),
                    "true".to_owned(),
                ),
            ])),
            ..Default::default()
        },
        spec: Some(core::NodeSpec {
            taints: (!taints.is_empty()).then_some(taints),
            pod_cidr: Some(format!("10.244.{index}.0/24")),
            pod_cidrs: Some(vec![format!("10.244.{index}.0/24")]),
            ..Default::default()
        }),
        status: Some(core::NodeStatus {
            capacity: Some(amounts.clone()),
            allocatable: Some(allocatable(&amounts, kubelet)),
            conditions: Some(
                pressure_conditions(&BTreeSet::new(), now)
                    .into_iter()
                    .chain([ready(now)])
                    .collect(),
            ),
            addresses: Some(vec![
                address("InternalIP", node_ip(index)),
                address("Hostname", config.name.clone()),
            ]),
            daemon_endpoints: Some(core::NodeDaemonEndpoints {
                kubelet_endpoint: Some(core::DaemonEndpoint { port: 10250 }),
            }),
            node_info: Some(core::NodeSystemInfo {
                architecture: "amd64".to_owned(),
                boot_id: format!("00000000-0000-4000-8000-{:012x}", index + 1),
                container_runtime_version: "containerd://2.1.0".to_owned(),
                kernel_version: "6.12.0".to_owned(),
                kube_proxy_version: String::new(),
                kubelet_version: version.to_owned(),
                machine_id: format!("{:032x}", index + 1),
                operating_system: "linux".to_owned(),
                os_image: "Debian GNU/Linux 13 (trixie)".to_owned(),
                system_uuid: format!("00000000-0000-4000-8000-{:012x}", index + 1),
                ..Default::default()
            }),
            ..Default::default()
        }),
    }
}

/// The address of the node of that index.
pub(crate) fn node_ip(index: usize) -> String {
    format!("192.168.{}.{}", index / 200, 10 + index % 200)
}

fn condition(kind: &str, status: bool, reason: &str, message: &str, now: &Time) -> core::NodeCondition {
    core::NodeCondition {
        type_: kind.to_owned(),
        status: if status { "True" } else { "False" }.to_owned(),
        reason: Some(reason.to_owned()),
        message: Some(message.to_owned()),
        last_heartbeat_time: Some(now.clone()),
        last_transition_time: Some(now.clone()),
    }
}

/// What pods may ask for: the capacity without what is reserved and what a hard threshold keeps free
/// (`pkg/kubelet/cm/node_container_manager_linux.go GetNodeAllocatableReservation`).
fn allocatable(capacity: &BTreeMap<String, Quantity>, kubelet: &KubeletConfig) -> BTreeMap<String, Quantity> {
    let mut allocatable = capacity.clone();
    for (name, amount) in &mut allocatable {
        let Ok(whole) = quantity::parse(&amount.0) else {
            continue;
        };
        let signal = match name.as_str() {
            "memory" => Some(Signal::MemoryAvailable),
            "ephemeral-storage" => Some(Signal::NodeFsAvailable),
            _ => None,
        };
        let hard = kubelet
            .thresholds
            .iter()
            .find(|threshold| threshold.is_hard() && Some(threshold.signal) == signal);
        let kept = hard.map_or(0, |threshold| threshold.value.of(whole.value()));
        let reserved = kubelet.reserved.get(name).copied().unwrap_or(0);
        if kept == 0 && reserved == 0 {
            continue;
        }
        let left = whole.milli_minus(kept * 1000 + reserved);
        *amount = Quantity(left.to_string());
    }
    allocatable
}

/// The conditions that eviction sets.
fn pressure_conditions(pressures: &BTreeSet<Pressure>, now: &Time) -> Vec<core::NodeCondition> {
    const MEMORY: [[&str; 2]; 2] = [
        ["KubeletHasSufficientMemory", "sufficient memory available"],
        ["KubeletHasInsufficientMemory", "insufficient memory available"],
    ];
    const DISK: [[&str; 2]; 2] = [
        ["KubeletHasNoDiskPressure", "no disk pressure"],
        ["KubeletHasDiskPressure", "disk pressure"],
    ];
    const PID: [[&str; 2]; 2] = [
        ["KubeletHasSufficientPID", "sufficient PID available"],
        ["KubeletHasInsufficientPID", "insufficient PID available"],
    ];
    [(Pressure::Memory, MEMORY), (Pressure::Disk, DISK), (Pressure::Pid, PID)]
        .into_iter()
        .map(|(pressure, words)| {
            let is_short = pressures.contains(&pressure);
            let [reason, what] = words[usize::from(is_short)];
            condition(
                &pressure.to_string(),
                is_short,
                reason,
                &format!("kubelet has {what}"),
                now,
            )
        })
        .collect()
}

fn ready(now: &Time) -> core::NodeCondition {
    condition("Ready", true, "KubeletReady", "kubelet is posting ready status", now)
}

impl Kubelet {
    /// Whether the kubelet is heard of by the API server now.
    pub(crate) fn is_heard(&self) -> bool {
        self.health == Health::Running && self.connected
    }

    /// The last renewal of the node's lease; renewals of a kubelet that is well are not simulated one by one.
    fn beat_before(&self, now: SimTime) -> SimTime {
        before(self.tick_phase, HEARTBEAT, now)
    }

    /// The kubelet goes silent, or is heard again: the node controller learns of it by the heartbeats.
    pub(super) fn silence_changed(&mut self, w: &mut World, was_heard: bool) {
        if was_heard && !self.is_heard() {
            self.silent_since = self.beat_before(w.now);
        }
        if let Some(beat) = w.heartbeats.get_mut(self.node) {
            *beat = if self.is_heard() { None } else { Some(self.silent_since) };
        }
        // The node controller looks at leases only while one of them is overdue.
        if was_heard != self.is_heard() {
            let causes = w.causes.clone();
            let controller = Controller::NodeLifecycle;
            w.schedule(
                w.now,
                Event::Controller {
                    controller,
                    event: ControllerEvent::Round,
                    causes,
                },
            );
        }
    }

    /// A periodic look at the node's status; planned only while the status may change by itself.
    pub(super) fn heartbeat(&mut self, w: &mut World) {
        if !self.is_heard() {
            return;
        }
        let settles = self.unready_until.filter(|until| *until > w.now);
        let down = self
            .runtime_down_since
            .is_some_and(|since| w.now.since(since) >= RUNTIME_SILENCE);
        let (ready, reason, message) = if settles.is_some() {
            let message = "PLEG is not healthy: pleg was last seen active long ago; threshold is 3m0s";
            (false, "KubeletNotReady", message)
        } else if down {
            (false, "KubeletNotReady", "container runtime is down")
        } else if self.shutting_down {
            (false, "KubeletNotReady", NOT_READY)
        } else {
            (true, "KubeletReady", "kubelet is posting ready status")
        };
        self.write_conditions(w, settles.is_none(), ready, reason, message);
        self.report_schedulable(w);
        // A runtime that is known to be down says itself when it is back.
        if settles.is_some() || self.runtime_down_since.is_some() && !down {
            let at = settles.unwrap_or(w.now + HEARTBEAT);
            self.plan_node(w, at, NodeEvent::Heartbeat);
        }
    }

    /// What a kubelet says of its node when it starts. It registers with a node that it has made new, of which all is said
    /// (`setNodeStatus`), and makes one whenever it looks for its node and the API server has none.
    pub(super) fn report_start(&mut self, w: &mut World) {
        self.node_event(w, "Normal", "Starting", "Starting kubelet.".to_owned());
        if !w.oom_kills_group {
            let text = "cgroup v1 detected. cgroup v1 support is deprecated and will be removed in a future release. \
                        Please migrate to cgroup v2. More information at https://git.k8s.io/enhancements/keps/\
                        sig-node/5573-remove-cgroup-v1";
            self.node_event(w, "Warning", "CgroupV1", text.to_owned());
        }
        // The runtime has not yet said how large its image file system is.
        let text = "invalid capacity 0 on image filesystem";
        self.node_event(w, "Warning", "InvalidDiskCapacity", text.to_owned());
        let text = "Updated Node Allocatable limit across pods";
        self.node_event(w, "Normal", "NodeAllocatableEnforced", text.to_owned());
        let registered = w.find(Kind::Node, "", &self.name).is_some();
        for _ in 0..if registered { 1 } else { 3 } {
            for reason in [
                "NodeHasSufficientMemory",
                "NodeHasNoDiskPressure",
                "NodeHasSufficientPID",
            ] {
                let text = format!("Node {} status is now: {reason}", self.name);
                self.node_event(w, "Normal", reason, text);
            }
        }
    }

    /// The node was changed: whether it takes pods is told with its next status (`recordNodeSchedulableEvent`).
    pub(super) fn node_changed(&mut self, w: &mut World) {
        if self.unschedulable_now(w) != self.unschedulable && self.is_heard() {
            self.plan_heartbeat(w);
        }
    }

    /// Plans the next status of the node.
    pub(super) fn plan_heartbeat(&self, w: &mut World) {
        let at = after(self.tick_phase, HEARTBEAT, w.now);
        self.plan_node(w, at, NodeEvent::Heartbeat);
    }

    fn unschedulable_now(&self, w: &World) -> bool {
        let stored = w.find(Kind::Node, "", &self.name);
        match stored.map(|stored| &stored.object) {
            Some(Object::Node(node)) => node.spec.as_ref().and_then(|spec| spec.unschedulable) == Some(true),
            _ => self.unschedulable,
        }
    }

    fn report_schedulable(&mut self, w: &mut World) {
        let now = self.unschedulable_now(w);
        if std::mem::replace(&mut self.unschedulable, now) != now {
            let reason = if now { "NodeNotSchedulable" } else { "NodeSchedulable" };
            let text = format!("Node {} status is now: {reason}", self.name);
            self.node_event(w, "Normal", reason, text);
        }
    }

    /// Writes all conditions as the kubelet sees them, if any is another. One that was long away knows its node as it was
    /// then: at first it sees only itself changed.
    fn write_conditions(&mut self, w: &mut World, all: bool, ready: bool, reason: &str, message: &str) {
        let now = w.time();
        let key = Key::new(Kind::Node, "", &self.name);
        let Some(Object::Node(node)) = w.get(&key).map(|stored| &stored.object) else {
            return;
        };
        let mut node = node.clone();
        let mut wanted = pressure_conditions(&self.eviction.conditions, &now);
        if !all {
            wanted.clear();
        }
        wanted.push(condition("Ready", ready, reason, message, &now));
        let status = node.status.get_or_insert_default();
        let known = status.conditions.get_or_insert_default();
        let mut events = Vec::new();
        for condition in wanted {
            match known.iter_mut().find(|known| known.type_ == condition.type_) {
                Some(old) if old.status == condition.status && old.reason == condition.reason => {}
                Some(old) => {
                    let turned = old.status != condition.status;
                    let transition = if turned {
                        condition.last_transition_time.clone()
                    } else {
                        old.last_transition_time.clone()
                    };
                    if turned {
                        events.push(match (condition.type_.as_str(), condition.status.as_str()) {
                            ("Ready", "True") => "NodeReady",
                            ("Ready", _) => "NodeNotReady",
                            ("MemoryPressure", "True") => "NodeHasInsufficientMemory",
                            ("MemoryPressure", _) => "NodeHasSufficientMemory",
                            ("DiskPressure", "True") => "NodeHasDiskPressure",
                            ("DiskPressure", _) => "NodeHasNoDiskPressure",
                            (_, "True") => "NodeHasInsufficientPID",
                            _ => "NodeHasSufficientPID",
                        });
                    }
                    *old = core::NodeCondition {
                        last_transition_time: transition,
                        ..condition
                    };
                }
                None => known.push(condition),
            }
        }
        let about = reference_to(Kind::Node, &node.metadata);
        w.update(node.into());
        for reason in events {
            let host = std::sync::Arc::clone(&self.name);
            let message = format!("Node {} status is now: {reason}", self.name);
            w.emit(NewEvent {
                about: std::sync::Arc::clone(&about),
                field_path: String::new(),
                kind: "Normal",
                reason,
                message,
                component: "kubelet",
                host: Some(&host),
            });
        }
    }

    /// A kubelet that was away is back: it calls itself not ready until it has looked at everything again.
    pub(super) fn comes_back(&mut self, w: &mut World) {
        let away = w.now.since(self.silent_since);
        // Only a long absence makes the PLEG look unhealthy.
        if away > SimDuration::from_secs(180) {
            self.unready_until = Some(w.now + SETTLE);
        }
        self.plan_node(w, w.now, NodeEvent::Heartbeat);
    }
}
