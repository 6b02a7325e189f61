//! A machine for one container alone: `peapod sh`, and tests.

use jiff::Timestamp;

use super::files::Tree;
use super::host::{Host, NetError, Request, RequestId};
use super::process::{Exit, Processes, Spec, StartError};
use crate::rng::Rng;
use crate::time::{DEFAULT_START, SimTime};

/// A machine for one container: a clock, its files, its network is itself.
#[derive(Clone, Debug)]
pub struct Solo {
    /// Now.
    pub now: SimTime,
    /// The container's files.
    pub root: Tree,
    /// What it wrote: whether to standard error, and the bytes.
    pub output: Vec<(bool, Vec<u8>)>,
    /// What is not simulated.
    pub notices: Vec<String>,
    /// Gives bytes of standard input into the buffer, and how many; nothing at the end.
    pub input: Option<fn(&mut [u8]) -> usize>,
    rng: Rng,
    sent: Vec<(RequestId, u16, Request)>,
}

impl Solo {
    /// A machine at its start with these files.
    pub fn new(root: Tree, seed: u64) -> Self {
        Self {
            now: SimTime::ZERO,
            root,
            output: Vec::new(),
            notices: Vec::new(),
            input: None,
            rng: Rng::new(seed),
            sent: Vec::new(),
        }
    }

    /// What the container wrote to standard output or to standard error.
    pub fn written(&self, stderr: bool) -> Vec<u8> {
        self.output
            .iter()
            .filter(|(own, _)| *own == stderr)
            .flat_map(|(_, bytes)| bytes.iter().copied())
            .collect()
    }

    /// Runs a container to its end, or until an instant.
    ///
    /// # Errors
    /// When its command cannot be started.
    pub fn run(&mut self, spec: Spec, until: SimTime) -> Result<Option<Exit>, StartError> {
        let mut processes = Processes::start(spec, self)?;
        Ok(self.go_on(&mut processes, until))
    }

    /// Lets the processes of a container run until it ends or until an instant.
    pub fn go_on(&mut self, processes: &mut Processes, until: SimTime) -> Option<Exit> {
        loop {
            let progress = processes.run(self);
            if let Some(exit) = progress.main_exit {
                return Some(exit);
            }
            let mut answered = !progress.answers.is_empty();
            for (id, response) in progress.answers {
                processes.answer(RequestId(id.0), response);
            }
            for (id, port, request) in std::mem::take(&mut self.sent) {
                answered = true;
                // The requester waits under the number that the request has on the serving side as well.
                if let Err(error) = processes.serve_as(id.0, port, request) {
                    processes.answer(id, Err(error));
                }
            }
            if answered {
                continue;
            }
            match progress.wake {
                Some(wake) if wake <= until => self.now = self.now.max(wake),
                _ => {
                    self.now = self.now.max(until);
                    return None;
                }
            }
        }
    }
}

impl Host for Solo {
    fn now(&self) -> SimTime {
        self.now
    }

    fn wall_now(&self) -> Timestamp {
        let start: Timestamp = DEFAULT_START.parse().unwrap_or(Timestamp::UNIX_EPOCH);
        start
            .checked_add(jiff::SignedDuration::from_nanos(
                i64::try_from(self.now.0).unwrap_or(i64::MAX),
            ))
            .unwrap_or(Timestamp::MAX)
    }

    fn random(&mut self, bound: u64) -> u64 {
        self.rng.below(bound)
    }

    fn write_log(&mut self, stderr: bool, line: &str) {
        self.output.push((stderr, format!("{line}\n").into_bytes()));
    }

    fn write_output(&mut self, stderr: bool, bytes: &[u8]) -> bool {
        self.output.push((stderr, bytes.to_vec()));
        true
    }

    fn read_input(&mut self, limit: usize) -> Vec<u8> {
        let mut buffer = vec![0; limit];
        let count = self.input.map_or(0, |input| input(&mut buffer));
        buffer.truncate(count);
        buffer
    }

    fn root(&mut self) -> &mut Tree {
        &mut self.root
    }

    fn notice(&mut self, text: &str) {
        if !self.notices.iter().any(|own| own == text) {
            self.notices.push(text.to_owned());
        }
    }

    fn send(&mut self, id: RequestId, address: &str, port: u16, request: &Request) -> Result<(), NetError> {
        if address != "127.0.0.1" {
            return Err(NetError::Unreachable);
        }
        self.sent.push((id, port, request.clone()));
        Ok(())
    }
}
