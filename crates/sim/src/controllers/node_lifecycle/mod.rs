//! The node lifecycle controller: nodes that fall silent become Unknown, their pods not ready, and taints say so
//! (`pkg/controller/nodelifecycle`).

pub mod zones;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use self::zones::{Zone, ZoneState, zone_state};
use super::pods::emit;
use crate::cluster::Event;
use crate::controllers::ControllerEvent;
use crate::events::NewEvent;
use crate::objects::{Key, Kind, Object, reference_to};
use crate::store::Stored;
use crate::time::{SimDuration, SimTime};
use crate::trace::ObjectRef;
use crate::version::Change;
use crate::world::{Controller, Jitter, World};

/// The name under which it reports events.
const COMPONENT: &str = "node-controller";
/// How often nodes are looked at (`--node-monitor-period`).
const MONITOR_PERIOD: SimDuration = SimDuration::from_secs(5);
/// How long a node may take until its kubelet first reports (`--node-startup-grace-period`).
const STARTUP_GRACE: SimDuration = SimDuration::from_secs(60);
/// How often the queues of nodes to taint are worked (`nodeEvictionPeriod`).
const TAINT_PERIOD: SimDuration = SimDuration::from_millis(100);

const NOT_READY: &str = "node.kubernetes.io/not-ready";
const UNREACHABLE: &str = "node.kubernetes.io/unreachable";

/// What is known of a node's health.
#[derive(Clone, Debug)]
struct Health {
    /// When the node was heard last, as this controller saw it.
    probed: SimTime,
    heartbeat: Option<Time>,
    lease: Option<SimTime>,
}

/// The node lifecycle controller.
#[derive(Clone, Default)]
pub struct NodeLifecycle {
    phase: SimDuration,
    planned: Option<SimTime>,
    tick_planned: bool,
    known: BTreeMap<String, Arc<ObjectRef>>,
    /// How often nodes had come or gone when these became known.
    classified: u64,
    health: BTreeMap<String, Health>,
    zones: BTreeMap<String, Zone>,
}

fn zone_of(node: &core::Node) -> String {
    let label = |name: &str| {
        node.metadata
            .labels
            .as_ref()
            .and_then(|labels| labels.get(name))
            .cloned()
            .unwrap_or_default()
    };
    format!(
        "{}:\0:{}",
        label("topology.kubernetes.io/region"),
        label("topology.kubernetes.io/zone")
    )
}

fn condition<'a>(node: &'a core::Node, kind: &str) -> Option<&'a core::NodeCondition> {
    node.status
        .as_ref()?
        .conditions
        .as_ref()?
        .iter()
        .find(|condition| condition.type_ == kind)
}

fn ready_status(node: &core::Node) -> Option<&str> {
    condition(node, "Ready").map(|ready| ready.status.as_str())
}

fn taints(node: &core::Node) -> &[core::Taint] {
    node.spec
        .as_ref()
        .and_then(|spec| spec.taints.as_deref())
        .unwrap_or_default()
}

fn has_taint(node: &core::Node, key: &str, effect: &str) -> bool {
    taints(node)
        .iter()
        .any(|taint| taint.key == key && taint.effect == effect)
}

fn name(node: &core::Node) -> &str {
    node.metadata.name.as_deref().unwrap_or_default()
}

impl NodeLifecycle {
    /// Knows the nodes that are there from the start.
    pub(crate) fn start(&mut self, w: &mut World) {
        self.phase = match w.jitter {
            Jitter::Real => SimDuration(w.rng.below(MONITOR_PERIOD.0)),
            Jitter::None => SimDuration::ZERO,
        };
        let nodes: Vec<(String, Arc<ObjectRef>)> = nodes(w)
            .iter()
            .map(|node| (name(node).to_owned(), reference_to(Kind::Node, &node.metadata)))
            .collect();
        self.known = nodes.into_iter().collect();
        self.classified = w.store.comings_and_goings(Kind::Node);
    }

    /// Taints follow conditions at once; a node that comes, goes or is not well is looked at by the next monitor round.
    pub(crate) fn on_notify(&mut self, w: &mut World, key: &Key) {
        if let Some(node) = w.node(&key.name).cloned() {
            no_schedule_taints(w, &node);
        }
        annotate_ttl(w, key);
        self.plan_if_needed(w);
    }

    /// Reacts to a timer.
    pub(crate) fn on_event(&mut self, w: &mut World, event: ControllerEvent) {
        match event {
            ControllerEvent::Round if self.planned.is_some_and(|at| at <= w.now) => {
                self.planned = None;
                self.monitor(w);
                self.plan_if_needed(w);
            }
            ControllerEvent::Round => self.plan_if_needed(w),
            ControllerEvent::Tick => {
                self.tick_planned = false;
                self.taint_pass(w);
            }
            ControllerEvent::Reconcile { .. } | ControllerEvent::Wake { .. } => {}
        }
    }

    /// Plans the next monitor round, if there is anything to watch: in a calm cluster rounds would find nothing.
    fn plan_if_needed(&mut self, w: &mut World) {
        let silent = w.heartbeats.iter().any(Option::is_some);
        let unwell = || w.store.unwell_nodes().next().is_some();
        let changed = || self.classified != w.store.comings_and_goings(Kind::Node) && self.has_other_nodes(w);
        if self.planned.is_none() && (silent || changed() || unwell()) {
            let at = round_from(self.phase, SimTime(w.now.0 + 1));
            self.planned = Some(at);
            let controller = Controller::NodeLifecycle;
            w.schedule(
                at,
                Event::Controller {
                    controller,
                    event: ControllerEvent::Round,
                    causes: w.causes.clone(),
                },
            );
        }
    }

    /// Whether there are other nodes than those that are known.
    fn has_other_nodes(&self, w: &World) -> bool {
        let mut nodes = w.store.list(Kind::Node, None).map(|stored| stored.object.name());
        w.store.count(Kind::Node) != self.known.len() || nodes.any(|name| !self.known.contains_key(name))
    }

    /// `monitorNodeHealth`.
    fn monitor(&mut self, w: &mut World) {
        self.classify(w);
        let mut by_zone: BTreeMap<String, (usize, usize)> = BTreeMap::new();
        for stored in stored_nodes(w) {
            let Object::Node(before) = &stored.object else { continue };
            let observed = ready_status(before).unwrap_or("Unknown").to_owned();
            let written = self.update_health(w, before);
            let node = written.as_ref().unwrap_or(before);
            let current = ready_status(node).map(str::to_owned);
            let count = by_zone.entry(zone_of(node)).or_default();
            if current.as_deref() == Some("True") {
                count.0 += 1;
            } else {
                count.1 += 1;
            }
            let Some(current) = current else { continue };
            self.taint_by_condition(w, node, &current);
            if current != "True" && observed == "True" {
                let text = format!("Node {} status is now: NodeNotReady", name(node));
                emit(
                    w,
                    COMPONENT,
                    &Object::from(node.clone()),
                    "Normal",
                    "NodeNotReady",
                    text,
                );
                mark_pods_not_ready(w, name(node));
            }
        }
        self.handle_disruption(w, &by_zone);
        self.plan_tick(w);
    }

    /// Greets new nodes and says farewell to those that went (`classifyNodes`).
    fn classify(&mut self, w: &mut World) {
        self.classified = w.store.comings_and_goings(Kind::Node);
        let stored = stored_nodes(w);
        let mut present: BTreeSet<&str> = BTreeSet::new();
        for stored in &stored {
            let Object::Node(node) = &stored.object else { continue };
            let name = name(node);
            present.insert(name);
            self.zones.entry(zone_of(node)).or_default();
            if !self.known.contains_key(name) {
                let reference = Arc::clone(&stored.reference);
                report(
                    w,
                    &reference,
                    "RegisteredNode",
                    format!("Node {name} event: Registered Node {name} in Controller"),
                );
                self.known.insert(name.to_owned(), reference);
                self.mark_reachable(w, node);
            }
        }
        let gone: Vec<String> = self
            .known
            .keys()
            .filter(|name| !present.contains(name.as_str()))
            .cloned()
            .collect();
        for name in gone {
            if let Some(reference) = self.known.remove(&name) {
                report(
                    w,
                    &reference,
                    "RemovingNode",
                    format!("Node {name} event: Removing Node {name} from Controller"),
                );
            }
            self.health.remove(&name);
        }
    }

    /// Moves the node's probe time when it was heard; writes Unknown into its conditions when it has been silent for too
    /// long (`tryUpdateNodeHealth`).
    fn update_health(&mut self, w: &mut World, node: &core::Node) -> Option<core::Node> {
        let ready = condition(node, "Ready");
        let heartbeat = ready.and_then(|ready| ready.last_heartbeat_time.clone());
        let index = w.node_index(name(node));
        // While a kubelet is heard its lease is as fresh as can be.
        let lease = index
            .and_then(|index| w.heartbeats.get(index))
            .map(|silent| silent.unwrap_or(w.now));
        let born = node
            .metadata
            .creation_timestamp
            .as_ref()
            .map_or(w.now, |time| w.virtual_time(time.0));
        let first = if ready.is_some() { w.now } else { born };
        let health = self.health.entry(name(node).to_owned()).or_insert(Health {
            probed: first,
            heartbeat: None,
            lease: None,
        });
        if health.heartbeat != heartbeat || lease > health.lease {
            // Rounds are left out while all is well: the one that would have seen this lease first counts.
            let seen = lease.map_or(w.now, |renewed| round_from(self.phase, renewed).min(w.now));
            health.probed = health.probed.max(seen);
            if health.lease.is_none() && lease.is_some() {
                health.probed = seen;
            }
            health.heartbeat = heartbeat;
            health.lease = lease;
        }
        let grace = if ready.is_some() {
            setting(w, "nodeMonitorGracePeriod").unwrap_or_else(|| grace_period(w))
        } else {
            STARTUP_GRACE
        };
        // Each round comes a little later than the period after the one before, so that the tenth is past the grace.
        if w.now < health.probed + grace || ready.is_some_and(|ready| ready.status == "Unknown") {
            return None;
        }
        let silence = w.now.since(health.probed).to_string();
        let rule = "pkg/controller/nodelifecycle/node_lifecycle_controller.go tryUpdateNodeHealth";
        let reference = reference_to(Kind::Node, &node.metadata);
        let decision = w.decide(reference, None, rule, "node.unknown", &[("silence", &silence)]);
        w.causes = vec![decision];
        let node = unknown(w, node.clone());
        Some(write(w, node))
    }

    /// NoExecute taints: a wrong one is exchanged at once, a missing one waits for its turn, and a ready node loses them
    /// (`processTaintBaseEviction`).
    fn taint_by_condition(&mut self, w: &mut World, node: &core::Node, status: &str) {
        let (right, wrong) = match status {
            "False" => (NOT_READY, UNREACHABLE),
            "Unknown" => (UNREACHABLE, NOT_READY),
            _ => return self.mark_reachable(w, node),
        };
        if has_taint(node, wrong, "NoExecute") {
            return swap_taint(w, node, right, wrong);
        }
        let zone = self.zones.entry(zone_of(node)).or_default();
        if !has_taint(node, right, "NoExecute") {
            zone.remove(name(node));
        }
        zone.add(name(node));
    }

    fn mark_reachable(&mut self, w: &mut World, node: &core::Node) {
        self.zones.entry(zone_of(node)).or_default().remove(name(node));
        let ours =
            |taint: &core::Taint| taint.effect == "NoExecute" && matches!(taint.key.as_str(), NOT_READY | UNREACHABLE);
        if taints(node).iter().any(ours) {
            let mut node = node.clone();
            if let Some(taints) = node.spec.as_mut().and_then(|spec| spec.taints.as_mut()) {
                taints.retain(|taint| !ours(taint));
            }
            drop_empty_taints(&mut node);
            write(w, node);
        }
    }

    /// Gives nodes whose turn it is their NoExecute taint (`doNoExecuteTaintingPass`).
    fn taint_pass(&mut self, w: &mut World) {
        let zones: Vec<String> = self.zones.keys().cloned().collect();
        for zone in zones {
            while let Some(name) = self.zones.get_mut(&zone).and_then(|zone| zone.take(w.now)) {
                let Some(node) = w.node(&name).cloned() else { continue };
                match ready_status(&node) {
                    Some("False") => swap_taint(w, &node, NOT_READY, UNREACHABLE),
                    Some("Unknown") => swap_taint(w, &node, UNREACHABLE, NOT_READY),
                    _ => {}
                }
            }
        }
        self.plan_tick(w);
    }

    fn plan_tick(&mut self, w: &mut World) {
        let next = self.zones.values().filter_map(|zone| zone.next_turn(w.now)).min();
        if let Some(at) = next.filter(|_| !self.tick_planned) {
            self.tick_planned = true;
            // The queues are worked every tenth of a second.
            let at = SimTime(at.0.div_ceil(TAINT_PERIOD.0) * TAINT_PERIOD.0);
            let controller = Controller::NodeLifecycle;
            w.schedule(
                at,
                Event::Controller {
                    controller,
                    event: ControllerEvent::Tick,
                    causes: w.causes.clone(),
                },
            );
        }
    }

    /// When no node at all is ready, the fault is more likely here than there: all taints are taken back and none is given
    /// (`handleDisruption`).
    fn handle_disruption(&mut self, w: &mut World, by_zone: &BTreeMap<String, (usize, usize)>) {
        let states: BTreeMap<&String, ZoneState> = by_zone
            .iter()
            .map(|(zone, (ready, not_ready))| (zone, zone_state(*ready, *not_ready)))
            .collect();
        self.zones.retain(|zone, _| by_zone.contains_key(zone));
        let all_are = !states.is_empty() && states.values().all(|state| *state == ZoneState::FullDisruption);
        let all_were =
            !self.zones.is_empty() && self.zones.values().all(|zone| zone.state == ZoneState::FullDisruption);
        if all_are && all_were {
            return;
        }
        if all_are {
            w.notice("no node is ready: the node controller holds all evictions back (master disruption mode)");
            for node in nodes(w) {
                self.mark_reachable(w, &node);
            }
            self.zones.values_mut().for_each(Zone::stop);
            return;
        }
        if all_were {
            for health in self.health.values_mut() {
                health.probed = w.now;
            }
        }
        for (name, zone) in &mut self.zones {
            let (ready, not_ready) = by_zone.get(name).copied().unwrap_or_default();
            let state = zone_state(ready, not_ready);
            if zone.state != state {
                zone.set_state(w.now, state, ready + not_ready);
            }
        }
    }
}

/// How long a node may be silent (`--node-monitor-grace-period`).
fn grace_period(w: &World) -> SimDuration {
    SimDuration::from_secs(if w.version.has(Change::LongerNodeMonitorGrace) {
        50
    } else {
        40
    })
}

/// The first monitor round that is not before an instant.
fn round_from(phase: SimDuration, at: SimTime) -> SimTime {
    let rounds = at.0.saturating_sub(phase.0).div_ceil(MONITOR_PERIOD.0);
    SimTime(phase.0 + rounds * MONITOR_PERIOD.0)
}

/// All nodes as they are now, by name; a version is shared, not copied.
fn stored_nodes(w: &World) -> Vec<Arc<Stored>> {
    w.store.list(Kind::Node, None).cloned().collect()
}

fn nodes(w: &World) -> Vec<core::Node> {
    let of = |stored: &Arc<Stored>| match &stored.object {
        Object::Node(node) => Some(node.clone()),
        _ => None,
    };
    w.store.list(Kind::Node, None).filter_map(of).collect()
}

fn setting(w: &World, name: &str) -> Option<SimDuration> {
    let text = w.settings.get(name)?;
    let seconds = text.strip_suffix('s').unwrap_or(text).parse::<u64>().ok()?;
    Some(SimDuration::from_secs(seconds))
}

fn report(w: &mut World, about: &Arc<ObjectRef>, reason: &str, message: String) {
    w.emit(NewEvent {
        about: Arc::clone(about),
        field_path: String::new(),
        kind: "Normal",
        reason,
        message,
        component: COMPONENT,
        host: None,
    });
}

fn write(w: &mut World, node: core::Node) -> core::Node {
    match w.update(node.clone().into()).map(|stored| stored.object.clone()) {
        Some(Object::Node(written)) => written,
        _ => node,
    }
}

/// The conditions of a node that nobody speaks for.
fn unknown(w: &World, mut node: core::Node) -> core::Node {
    let (now, born) = (w.time(), node.metadata.creation_timestamp.clone());
    let conditions = node.status.get_or_insert_default().conditions.get_or_insert_default();
    for kind in ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"] {
        match conditions.iter_mut().find(|condition| condition.type_ == kind) {
            Some(known) if known.status != "Unknown" => {
                known.status = "Unknown".to_owned();
                known.reason = Some("NodeStatusUnknown".to_owned());
                known.message = Some("Kubelet stopped posting node status.".to_owned());
                known.last_transition_time = Some(now.clone());
            }
            Some(_) => {}
            None => conditions.push(core::NodeCondition {
                type_: kind.to_owned(),
                status: "Unknown".to_owned(),
                reason: Some("NodeStatusNeverUpdated".to_owned()),
                message: Some("Kubelet never posted node status.".to_owned()),
                last_heartbeat_time: born.clone(),
                last_transition_time: Some(now.clone()),
            }),
        }
    }
    node
}

/// Tells the pods of a node, as far as they have the condition, that they are not ready (`MarkPodsNotReady`).
fn mark_pods_not_ready(w: &mut World, node: &str) {
    let pods: Vec<Arc<Stored>> = w.store.pods_on(node).cloned().collect();
    let time = w.time();
    for stored in pods {
        let mut changed = false;
        w.update_pod(&stored.object.key(), stored.object.uid(), |pod| {
            let generation = pod.metadata.generation;
            let conditions = pod
                .status
                .iter_mut()
                .flat_map(|status| status.conditions.iter_mut().flatten());
            for ready in conditions.filter(|known| known.type_ == "Ready" && known.status != "False") {
                ready.status = "False".to_owned();
                ready.last_transition_time = Some(time.clone());
                if ready.observed_generation.is_some() {
                    ready.observed_generation = generation;
                }
                changed = true;
            }
        });
        if changed {
            emit(
                w,
                COMPONENT,
                &stored.object,
                "Warning",
                "NodeNotReady",
                "Node is not ready".to_owned(),
            );
        }
    }
}

fn drop_empty_taints(node: &mut core::Node) {
    if let Some(spec) = &mut node.spec
        && spec.taints.as_ref().is_some_and(Vec::is_empty)
    {
        spec.taints = None;
    }
}

/// Gives a node one NoExecute taint and takes the opposite one away (`SwapNodeControllerTaint`).
fn swap_taint(w: &mut World, node: &core::Node, right: &str, wrong: &str) {
    if has_taint(node, right, "NoExecute") && !has_taint(node, wrong, "NoExecute") {
        return;
    }
    let rule = "pkg/controller/nodelifecycle/node_lifecycle_controller.go doNoExecuteTaintingPass";
    let reference = reference_to(Kind::Node, &node.metadata);
    let decision = w.decide(reference, None, rule, "node.taint", &[("taint", right)]);
    let causes = std::mem::replace(&mut w.causes, vec![decision]);
    let time = w.time();
    let mut node = node.clone();
    let taints = node.spec.get_or_insert_default().taints.get_or_insert_default();
    taints.retain(|taint| taint.effect != "NoExecute" || taint.key != wrong && taint.key != right);
    taints.push(core::Taint {
        key: right.to_owned(),
        effect: "NoExecute".to_owned(),
        time_added: Some(time),
        value: None,
    });
    write(w, node);
    w.causes = causes;
}

/// NoSchedule taints that say what the conditions say (`doNoScheduleTaintingPass`).
fn no_schedule_taints(w: &mut World, node: &core::Node) {
    const RULES: &[(&str, &str, &str)] = &[
        ("Ready", "False", NOT_READY),
        ("Ready", "Unknown", UNREACHABLE),
        ("MemoryPressure", "True", "node.kubernetes.io/memory-pressure"),
        ("DiskPressure", "True", "node.kubernetes.io/disk-pressure"),
        ("PIDPressure", "True", "node.kubernetes.io/pid-pressure"),
        ("NetworkUnavailable", "True", "node.kubernetes.io/network-unavailable"),
    ];
    const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";
    let mut wanted: Vec<&str> = RULES
        .iter()
        .filter(|(kind, status, _)| condition(node, kind).is_some_and(|condition| condition.status == *status))
        .map(|(_, _, key)| *key)
        .collect();
    if node.spec.as_ref().and_then(|spec| spec.unschedulable) == Some(true) {
        wanted.push(UNSCHEDULABLE);
    }
    let ours = |taint: &core::Taint| {
        taint.effect == "NoSchedule"
            && (taint.key == UNSCHEDULABLE || RULES.iter().any(|(_, _, key)| taint.key == *key))
    };
    let missing: Vec<&str> = wanted
        .iter()
        .copied()
        .filter(|key| !has_taint(node, key, "NoSchedule"))
        .collect();
    let surplus = taints(node)
        .iter()
        .any(|taint| ours(taint) && !wanted.contains(&taint.key.as_str()));
    if missing.is_empty() && !surplus {
        return;
    }
    let time = w.time();
    let mut node = node.clone();
    let taints = node.spec.get_or_insert_default().taints.get_or_insert_default();
    taints.retain(|taint| !ours(taint) || wanted.contains(&taint.key.as_str()));
    taints.extend(missing.into_iter().map(|key| core::Taint {
        key: key.to_owned(),
        effect: "NoSchedule".to_owned(),
        time_added: Some(time.clone()),
        value: None,
    }));
    drop_empty_taints(&mut node);
    write(w, node);
}

/// The TTL controller: how long kubelets of a cluster of that size may keep what they have read (`pkg/controller/ttl`).
fn annotate_ttl(w: &mut World, key: &Key) {
    const TTL: &str = "node.alpha.kubernetes.io/ttl";
    let Some(mut node) = w.node(&key.name).cloned() else {
        return;
    };
    let count = w.store.count(Kind::Node);
    // Sizes at which the time grows, and from which it shrinks again are the same but for a margin that no cluster here has.
    let seconds = match count {
        0..=100 => 0,
        101..=500 => 15,
        501..=1000 => 30,
        1001..=2000 => 60,
        _ => 300,
    };
    let annotations = node.metadata.annotations.get_or_insert_default();
    if !annotations.contains_key(TTL) {
        annotations.insert(TTL.to_owned(), seconds.to_string());
        w.update(node.into());
    }
}
