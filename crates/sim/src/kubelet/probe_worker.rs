//! What one probe worker decides at each tick (`pkg/kubelet/prober/worker.go doProbe`), without running any probe.

use super::actions::ProbeResult;
use super::event::ProbeKind;

/// What a worker sees when it ticks.
#[derive(Clone, Debug, Default)]
pub struct Sight {
    /// Whether the status manager knows the pod at all.
    pub known: bool,
    /// Whether the pod has failed or succeeded.
    pub pod_ended: bool,
    /// The container's id, empty if it was never created.
    pub container_id: String,
    /// Whether it runs.
    pub running: bool,
    /// Whether it has ended.
    pub terminated: bool,
    /// Whether a container that ended like this one starts again.
    pub restarts: bool,
    /// Its `started`.
    pub started: bool,
    /// Whole seconds since it started.
    pub age_seconds: u64,
    /// Whether the pod is being deleted.
    pub deleting: bool,
    /// Whether the container ran long before the kubelet started: its result is then left open (1.35).
    pub older_than_kubelet: bool,
}

/// What is to be done at a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tick {
    /// The worker ends.
    End,
    /// Nothing now.
    Skip,
    /// The probe runs.
    Probe,
}

/// A worker for one probe of one container.
#[derive(Clone, Debug)]
pub struct ProbeState {
    /// Which probe.
    pub kind: ProbeKind,
    /// `successThreshold`
    pub success_threshold: u32,
    /// `failureThreshold`
    pub failure_threshold: u32,
    /// `initialDelaySeconds`
    pub initial_delay_seconds: u64,
    /// The container that the worker knows.
    pub container_id: String,
    /// Whether it does nothing until there is a new container.
    pub on_hold: bool,
    /// The result that is stored for `container_id`.
    pub stored: Option<ProbeResult>,
    last: Option<ProbeResult>,
    run: u32,
}

impl ProbeState {
    /// A worker that has seen nothing yet.
    pub fn new(kind: ProbeKind, success_threshold: u32, failure_threshold: u32, initial_delay_seconds: u64) -> Self {
        Self {
            kind,
            success_threshold,
            failure_threshold,
            initial_delay_seconds,
            container_id: String::new(),
            on_hold: false,
            stored: None,
            last: None,
            run: 0,
        }
    }

    /// Decides what this tick is for; may store a result.
    pub fn tick(&mut self, sight: &Sight) -> Tick {
        if !sight.known {
            return Tick::Skip;
        }
        if sight.pod_ended {
            return Tick::End;
        }
        if sight.container_id.is_empty() {
            return Tick::Skip;
        }
        if self.container_id != sight.container_id {
            self.container_id.clone_from(&sight.container_id);
            self.stored = (!sight.older_than_kubelet).then_some(match self.kind {
                ProbeKind::Readiness => ProbeResult::Failure,
                ProbeKind::Liveness => ProbeResult::Success,
                ProbeKind::Startup => ProbeResult::Unknown,
            });
            self.on_hold = false;
        }
        if self.on_hold {
            return Tick::Skip;
        }
        if !sight.running {
            self.stored = Some(ProbeResult::Failure);
            return if sight.terminated && !sight.restarts {
                Tick::End
            } else {
                Tick::Skip
            };
        }
        if sight.deleting && self.kind != ProbeKind::Readiness {
            self.stored = Some(ProbeResult::Success);
            return Tick::End;
        }
        if sight.age_seconds < self.initial_delay_seconds {
            return Tick::Skip;
        }
        if sight.started == (self.kind == ProbeKind::Startup) {
            return Tick::Skip;
        }
        Tick::Probe
    }

    /// Takes the outcome of a probe that ran; one that errored is not told. Returns whether it is now stored.
    pub fn outcome(&mut self, result: ProbeResult) -> bool {
        if self.last == Some(result) {
            self.run += 1;
        } else {
            self.last = Some(result);
            self.run = 1;
        }
        let below = match result {
            ProbeResult::Failure => self.run < self.failure_threshold,
            ProbeResult::Success => self.run < self.success_threshold,
            ProbeResult::Unknown => false,
        };
        if below {
            return false;
        }
        self.stored = Some(result);
        if self.kind == ProbeKind::Liveness && result == ProbeResult::Failure || self.kind == ProbeKind::Startup {
            self.on_hold = true;
            self.run = 0;
        }
        true
    }
}
