//! A container's log files (`pkg/kubelet/logs/container_log_manager.go`): one that has grown too large is put aside, and `kubectl
//! logs` shows only the newest.

use super::event::NodeEvent;
use super::node::{Kubelet, after};
use super::runtime_status::State;
use super::worker::{Instance, Worker};
use crate::time::{SimDuration, SimTime};
use crate::world::World;

/// How often the sizes are looked at (`containerLogMonitorInterval`).
const PERIOD: SimDuration = SimDuration::from_secs(10);
/// Bytes that a line takes beside its text: time, stream, tag, newline.
const LINE: u64 = 45;
/// What compression leaves of a file that was put aside; the newest of those is not compressed.
const COMPRESSED: u64 = 10;

/// The files of one container's log.
#[derive(Clone, Debug, Default)]
pub(crate) struct ContainerLog {
    current: u64,
    rotated: Vec<u64>,
    /// Lines before this are in files that were put aside.
    pub(super) since: Option<SimTime>,
}

impl ContainerLog {
    /// A line was written.
    pub(super) fn line(&mut self, text: &str) {
        self.current += text.len() as u64 + LINE;
    }

    /// Bytes on the disk.
    pub(super) fn bytes(&self) -> u64 {
        self.current + self.rotated.iter().sum::<u64>()
    }

    /// Begins a new file; `files` are the most that there may be.
    fn rotate(&mut self, files: usize, now: SimTime) {
        if let Some(newest) = self.rotated.last_mut() {
            *newest /= COMPRESSED;
        }
        self.rotated.push(std::mem::take(&mut self.current));
        let surplus = self.rotated.len().saturating_sub(files.saturating_sub(1));
        self.rotated.drain(..surplus);
        self.since = Some(now);
    }
}

impl Kubelet {
    /// Plans the look at which logs that are too large begin a new file.
    pub(super) fn plan_rotation(&mut self, w: &mut World, worker: &Worker) {
        let large = |log: &ContainerLog| log.current >= w.kubelet.log_max_size;
        if self.rotation_planned || !worker.instances.iter().any(|instance| large(&instance.log)) {
            return;
        }
        self.rotation_planned = true;
        let at = after(self.pleg_phase, PERIOD, w.now);
        self.plan_node(w, at, NodeEvent::RotateLogs);
    }

    /// When the log file began that `kubectl logs` shows of a run of a container, if it is not the first.
    pub(crate) fn log_since(&self, uid: &str, container: &str, run: u32) -> Option<SimTime> {
        let mut instances = self.pods.get(uid)?.instances.iter();
        let count = i32::try_from(run).unwrap_or(0);
        let is_it = |instance: &&Instance| instance.record.name == container && instance.record.restart_count == count;
        instances.find(is_it)?.log.since
    }

    /// Puts the logs aside that are too large. Only running containers are looked at.
    pub(super) fn rotate_logs(&mut self, w: &mut World) {
        self.rotation_planned = false;
        let (size, files) = (w.kubelet.log_max_size, w.kubelet.log_max_files);
        let uids: Vec<_> = self.pods.keys().cloned().collect();
        for uid in uids {
            self.with_pod(w, &uid, |_, w, worker| {
                let instances = worker.instances.iter_mut();
                for instance in instances.filter(|instance| instance.record.state == State::Running) {
                    if instance.log.current >= size {
                        instance.log.rotate(files, w.now);
                        worker.touched = true;
                    }
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_files_are_compressed_and_then_dropped() {
        let mut log = ContainerLog::default();
        for _ in 0..4 {
            log.line(&"x".repeat(955));
            log.rotate(3, SimTime::ZERO);
        }
        assert_eq!((log.rotated.as_slice(), log.current), ([100, 1000].as_slice(), 0));
        assert_eq!(log.bytes(), 1100);
    }
}
