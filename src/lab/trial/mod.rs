//! One trial: a fresh cluster, driven event by event through the steps, watched at every change.

mod steps;
mod verdict;

use std::collections::BTreeMap;
use std::time::Instant;

use indexmap::IndexMap;
use peapod_sim::cluster::{Cluster, Config, NodeConfig};
use peapod_sim::time::{SimDuration, SimTime};
use peapod_sim::trace::Trace;
use peapod_sim::version::Version;
use peapod_sim::world::Jitter;
use serde_json::Value;
use sha2::{Digest, Sha256};

use self::verdict::{at_the_end, sentence, witness};
use super::expr::{Compiled, Deps, Scope, Trackers, View};
use super::limit;
use super::model::{
    Condition, Diagnostic, Ended, Expectation, JitterMode, Outcome, Place, Timing, Trial, TrialResult, Until,
};
use super::program::{self, Program};
use super::runner::Cancel;
use super::temporal::{Bounds, End, Form, Watch, outcome};
use crate::workstation::Workstation;

/// Runs one trial.
pub fn run(program: &Program, trial: &Trial, cancel: &Cancel) -> (TrialResult, Trace, Vec<u8>) {
    let experiment = &*program.experiment;
    let mut config = config(program, trial);
    config.traced = program.traced;
    let cluster = match Cluster::new(config) {
        Ok(cluster) => cluster,
        Err(message) => {
            let place = Place {
                line: experiment.first_line,
                column: 1,
                length: 1,
            };
            let error = Diagnostic::error("trial.cluster", message).at(place);
            return failed(program, trial, error);
        }
    };
    let mut run = Run::new(program, trial, cancel, cluster);
    let stop = run.steps().and_then(|()| run.reach_end());
    run.finish(stop)
}

/// The result of a trial that gave none: it could not begin, or the simulation itself broke.
pub fn failed(program: &Program, trial: &Trial, error: Diagnostic) -> (TrialResult, Trace, Vec<u8>) {
    let undecided = |expect: &program::ExpectProgram| {
        let applies = program::applies(expect.when.as_ref(), &trial.variables);
        outcome(
            if applies {
                Outcome::Undecided
            } else {
                Outcome::NotApplicable
            },
            None,
            String::new(),
        )
    };
    let trace = Trace::default();
    let json = serde_json::to_vec(&trace).unwrap_or_default();
    let result = TrialResult {
        trial: trial.clone(),
        ended: Ended::Error,
        error: Some(error),
        observations: program
            .experiment
            .observe
            .iter()
            .map(|observation| (observation.name.clone(), Value::Null))
            .collect(),
        expectations: program.expect.iter().map(undecided).collect(),
        digest: digest(&json),
        notices: Vec::new(),
        duration: SimDuration::ZERO,
        records: 0,
    };
    (result, trace, json)
}

/// The cluster of a trial.
fn config(program: &Program, trial: &Trial) -> Config {
    let experiment = &*program.experiment;
    let mut config = Config {
        version: Version::named(&trial.kubernetes).unwrap_or(Version::NEWEST),
        feature_gates: experiment
            .cluster
            .feature_gates
            .iter()
            .map(|(name, on)| (name.clone(), *on))
            .collect(),
        seed: trial.seed,
        jitter: match experiment.jitter {
            JitterMode::Real => Jitter::Real,
            JitterMode::None => Jitter::None,
        },
        settings: experiment
            .cluster
            .settings
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
        ..Config::default()
    };
    if !experiment.cluster.nodes.is_empty() {
        config.nodes = experiment
            .cluster
            .nodes
            .iter()
            .map(|node| NodeConfig {
                name: node.name.clone(),
                cpu: node.cpu.clone(),
                memory: node.memory.clone(),
                disk: node.disk.clone(),
                pods: node.pods,
                labels: node
                    .labels
                    .iter()
                    .map(|(key, value)| (key.clone(), value.clone()))
                    .collect(),
                static_pods: Vec::new(),
                taints: node
                    .taints
                    .iter()
                    .map(|taint| (taint.key.clone(), taint.value.clone(), taint.effect.clone()))
                    .collect(),
            })
            .collect();
    }
    for (file, template) in experiment.cluster.static_pods.iter().zip(&program.static_pods) {
        if let Some(node) = config.nodes.iter_mut().find(|node| node.name == file.node) {
            let text = template.render(&trial.variables).text;
            node.static_pods.push((file.file.clone(), text));
        }
    }
    config
}

/// Why a trial ends before its time.
enum Stop {
    /// Its end came while a step still waited.
    End,
    Cancelled,
    Limit(Diagnostic),
    Failed(Diagnostic),
}

/// An expectation that is being watched.
struct Watched<'p> {
    expectation: &'p Expectation,
    expressions: Vec<Compiled>,
    values: [bool; 2],
    watch: Watch,
    /// What was seen when it was decided.
    seen: Option<String>,
}

/// What comes of an expectation.
enum Judged<'p> {
    NotApplicable,
    Watched(Box<Watched<'p>>),
    AtTheEnd(&'p Condition),
}

struct Run<'p> {
    program: &'p Program,
    trial: &'p Trial,
    cancel: &'p Cancel,
    cluster: Cluster,
    view: View,
    seen_writes: usize,
    seen_logs: usize,
    looks_at: Deps,
    trackers: Trackers,
    judged: Vec<Judged<'p>>,
    /// Expectations are looked at once the first step has been done.
    observing: bool,
    /// The steps that others do, and when; the next one is the last.
    asides: Vec<(SimTime, usize)>,
    /// Whether such a step is being done.
    aside: bool,
    outputs: BTreeMap<usize, String>,
    workstation: Option<Workstation>,
    /// Why the line that is typed into it must end.
    stopped: Option<Stop>,
    troubles: Vec<String>,
    end: SimTime,
    began: Instant,
    events: u64,
}

/// Real time and the number of records are looked at once in so many events.
const LIMITS_EVERY: u64 = 64;

impl<'p> Run<'p> {
    fn new(program: &'p Program, trial: &'p Trial, cancel: &'p Cancel, cluster: Cluster) -> Self {
        let experiment = &*program.experiment;
        let variables = &trial.variables;
        let mut looks_at = Deps::default();
        let trackers = program
            .trackers
            .iter()
            .map(|tracker| {
                let of = tracker.of.bind(variables);
                looks_at.extend(&of.deps);
                super::expr::Tracker {
                    track: tracker.track,
                    of,
                }
            })
            .collect();
        let mut judged = Vec::new();
        for (expectation, compiled) in experiment.expect.iter().zip(&program.expect) {
            if !program::applies(compiled.when.as_ref(), variables) {
                judged.push(Judged::NotApplicable);
                continue;
            }
            let form = match &expectation.condition {
                Condition::Eventually(_) => Form::Eventually,
                Condition::Always(_) => Form::Always,
                Condition::Never(_) => Form::Never,
                Condition::Finally(_) => Form::Finally,
                Condition::Until(..) => Form::Until,
                Condition::Shape(_) | Condition::Prints { .. } => {
                    judged.push(Judged::AtTheEnd(&expectation.condition));
                    continue;
                }
            };
            let expressions: Vec<Compiled> = compiled.expressions.iter().map(|of| of.bind(variables)).collect();
            expressions.iter().for_each(|of| looks_at.extend(&of.deps));
            let bounds = Bounds {
                after: expectation.after,
                within: expectation.within,
                lasting: expectation.lasting,
            };
            judged.push(Judged::Watched(Box::new(Watched {
                expectation,
                expressions,
                values: [false; 2],
                watch: Watch::new(form, bounds),
                seen: None,
            })));
        }
        let end = match experiment.until {
            Until::For(span) | Until::Settled { cap: span } => SimTime::ZERO + span.min(limit::VIRTUAL_TIME),
        };
        let steps = experiment.steps.iter().zip(&program.steps).enumerate();
        let mut asides: Vec<(SimTime, usize)> = steps
            .filter(|(_, (_, compiled))| program::applies(compiled.when.as_ref(), variables))
            .filter_map(|(index, (step, _))| match step.timing {
                Timing::Aside(at) => Some((SimTime::ZERO + at, index)),
                _ => None,
            })
            .collect();
        asides.sort_by(|left, right| right.cmp(left));
        let mut run = Self {
            program,
            trial,
            cancel,
            cluster,
            view: View::default(),
            seen_writes: 0,
            seen_logs: 0,
            looks_at,
            trackers: Trackers::new(trackers),
            judged,
            observing: false,
            asides,
            aside: false,
            outputs: BTreeMap::new(),
            workstation: None,
            stopped: None,
            troubles: Vec::new(),
            end,
            began: Instant::now(),
            events: 0,
        };
        run.look();
        run
    }

    // ---- Time.

    /// Lets everything happen up to an instant, at most to the end of the trial, or until a condition holds; says
    /// whether it does.
    fn run_to(&mut self, at: SimTime, condition: Option<&Compiled>) -> Result<bool, Stop> {
        let at = at.min(self.end);
        if self.holds(condition) {
            return Ok(true);
        }
        let mut revision = self.cluster.revision();
        while self.advance(at)? {
            let changed = self.cluster.revision() != revision;
            revision = self.cluster.revision();
            let again = changed || condition.is_some_and(|condition| condition.deps.time);
            if again && self.holds(condition) {
                return Ok(true);
            }
        }
        self.cluster.run_until(at);
        self.look();
        self.check_cluster()?;
        Ok(self.holds(condition))
    }

    /// Lets the next thing happen, at an instant at the latest; says whether there was one.
    fn advance(&mut self, to: SimTime) -> Result<bool, Stop> {
        let event = self.cluster.next_event_at().filter(|next| *next <= to);
        let aside = self.asides.last().copied();
        // As with the other steps, what happens at the same instant comes first.
        if let Some((at, index)) =
            aside.filter(|(at, _)| !self.aside && *at <= to && event.is_none_or(|event| *at < event))
        {
            self.asides.pop();
            self.cluster.run_until(at);
            self.look();
            let program = self.program;
            if let Some(step) = program.experiment.steps.get(index) {
                self.aside = true;
                let outcome = self.step(index, step);
                self.aside = false;
                self.look();
                self.unless_it_may_fail(step, outcome)?;
            }
            return Ok(true);
        }
        if event.is_none() {
            return Ok(false);
        }
        self.cluster.step();
        self.look();
        self.check_limits()?;
        Ok(true)
    }

    fn holds(&self, condition: Option<&Compiled>) -> bool {
        condition.is_some_and(|condition| {
            Scope::new(&self.view, self.cluster.now(), self.trackers.values()).holds(&condition.node)
        })
    }

    fn reach_end(&mut self) -> Result<(), Stop> {
        if let Until::Settled { .. } = self.program.experiment.until {
            let waits = |run: &Self| run.asides.last().is_some_and(|(at, _)| *at <= run.end);
            while (!self.cluster.settled() || waits(self)) && self.advance(self.end)? {}
            self.check_cluster()?;
            if self.cluster.settled() && !waits(self) {
                return Ok(());
            }
        }
        self.run_to(self.end, None).map(|_| ())
    }

    fn check_limits(&mut self) -> Result<(), Stop> {
        self.events += 1;
        if !self.events.is_multiple_of(LIMITS_EVERY) {
            return Ok(());
        }
        if self.cancel.is_cancelled() {
            return Err(Stop::Cancelled);
        }
        self.check_cluster()?;
        if self.began.elapsed() > limit::WALL_TIME {
            let wall = limit::WALL_TIME.as_secs();
            return Err(self.limit(format!(
                "a trial may take {wall} s of real time, and this one came to {} of virtual time",
                self.cluster.now()
            )));
        }
        Ok(())
    }

    /// Whether the cluster itself stopped at a limit.
    fn check_cluster(&self) -> Result<(), Stop> {
        self.cluster
            .problem()
            .map_or(Ok(()), |message| Err(self.limit(message)))
    }

    fn limit(&self, message: String) -> Stop {
        let line = self.program.experiment.first_line;
        let place = Place {
            line,
            column: 1,
            length: 1,
        };
        Stop::Limit(Diagnostic::error("trial.limit", message).at(place))
    }

    // ---- Looking.

    fn begin_observing(&mut self) {
        if self.observing {
            return;
        }
        self.observing = true;
        let now = self.cluster.now();
        self.evaluate(now, |_| true);
    }

    /// Takes over what was written since, and evaluates what looks at it after each single write.
    fn look(&mut self) {
        while let Some(write) = self
            .cluster
            .writes()
            .get(self.seen_writes - self.cluster.forgotten_writes())
        {
            self.view.apply(write);
            let (at, key) = (write.at, write.stored.object.key());
            self.seen_writes += 1;
            if self.observing && self.looks_at.touched_by(&key) {
                self.evaluate(at, |deps| deps.touched_by(&key));
            }
        }
        let now = self.cluster.now();
        let logs = self.cluster.logs();
        if self.seen_logs < logs.len() {
            // Conditions of `wait` steps may look at logs too, so they are always kept.
            logs[self.seen_logs..].iter().for_each(|line| self.view.log(line));
            self.seen_logs = logs.len();
            if self.observing && self.looks_at.logs {
                self.evaluate(now, |deps| deps.logs);
            }
        }
        if self.observing && self.looks_at.time {
            self.evaluate(now, |deps| deps.time);
        }
    }

    fn evaluate(&mut self, now: SimTime, touched: impl Fn(&Deps) -> bool) {
        let (changed, trouble) = self.trackers.look(&self.view, now, &touched);
        note(&mut self.troubles, trouble);
        let scope = Scope::new(&self.view, now, self.trackers.values());
        for judged in &mut self.judged {
            let Judged::Watched(watched) = judged else { continue };
            if watched.watch.is_decided() {
                continue;
            }
            let mut any = false;
            for (value, of) in watched.values.iter_mut().zip(&watched.expressions) {
                if touched(&of.deps) || of.deps.trackers.iter().any(|tracker| changed.contains(tracker)) {
                    *value = scope.holds(&of.node);
                    any = true;
                }
            }
            if any {
                let [first, second] = watched.values;
                watched.watch.look(now, first, second);
                if watched.watch.is_decided() {
                    watched.seen = watched.expressions.first().and_then(|of| witness(&of.node, &scope));
                }
            }
        }
        let trouble = scope.trouble();
        note(&mut self.troubles, trouble);
    }

    // ---- The end.

    fn finish(mut self, stop: Result<(), Stop>) -> (TrialResult, Trace, Vec<u8>) {
        let experiment = &*self.program.experiment;
        let (ended, error) = match stop {
            Ok(()) | Err(Stop::End) => match experiment.until {
                Until::For(_) => (Ended::Until, None),
                Until::Settled { .. } if self.cluster.settled() => (Ended::Settled, None),
                Until::Settled { .. } => (Ended::Cap, None),
            },
            Err(Stop::Cancelled) => (Ended::Cancelled, None),
            Err(Stop::Limit(error)) => (Ended::Limit, Some(error)),
            Err(Stop::Failed(error)) => (Ended::Error, Some(error)),
        };
        if ended == Ended::Until || ended == Ended::Cap {
            self.cluster.run_until(self.end);
            self.look();
        }
        let now = self.cluster.now();
        let how = match ended {
            Ended::Until | Ended::Cap => End::Reached,
            Ended::Settled => End::Settled,
            Ended::Limit | Ended::Error | Ended::Cancelled => End::Broken,
        };
        let bound: Vec<Compiled> = self
            .program
            .observe
            .iter()
            .map(|of| of.bind(&self.trial.variables))
            .collect();
        let scope = Scope::new(&self.view, now, self.trackers.values());
        let observations: IndexMap<String, Value> = experiment
            .observe
            .iter()
            .zip(&bound)
            .map(|(observation, of)| (observation.name.clone(), scope.eval(&of.node).to_json()))
            .collect();
        let mut expectations = Vec::new();
        for judged in &mut self.judged {
            expectations.push(match judged {
                Judged::NotApplicable => outcome(Outcome::NotApplicable, None, String::new()),
                Judged::AtTheEnd(_) if how == End::Broken => outcome(Outcome::Undecided, None, String::new()),
                Judged::AtTheEnd(condition) => at_the_end(condition, &self.view, &self.outputs, now),
                Judged::Watched(watched) => {
                    let before = watched.watch.is_decided();
                    let (decided, at) = watched.watch.finish(now, how);
                    if !before {
                        watched.seen = watched.expressions.first().and_then(|of| witness(&of.node, &scope));
                    }
                    outcome(decided, at, sentence(watched, decided, at))
                }
            });
        }
        note(&mut self.troubles, scope.trouble());
        let mut notices = self.cluster.notices();
        notices.append(&mut self.troubles);
        let trace = if self.program.traced {
            self.cluster.trace()
        } else {
            Trace::default()
        };
        let (json, digest) = if self.program.traced {
            let json = serde_json::to_vec(&trace).unwrap_or_default();
            let digest = digest(&json);
            (json, digest)
        } else {
            (Vec::new(), String::new())
        };
        let result = TrialResult {
            trial: self.trial.clone(),
            ended,
            error,
            observations,
            expectations,
            digest,
            notices,
            duration: now.since(SimTime::ZERO),
            records: self.cluster.record_count(),
        };
        (result, trace, json)
    }
}

fn note(troubles: &mut Vec<String>, trouble: Option<String>) {
    if let Some(trouble) = trouble
        && !troubles.contains(&trouble)
        && troubles.len() < 20
    {
        troubles.push(trouble);
    }
}

/// Lower-case hexadecimal SHA-256.
fn digest(json: &[u8]) -> String {
    Sha256::digest(json).iter().map(|byte| format!("{byte:02x}")).collect()
}
