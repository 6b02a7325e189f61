//! One trial: a fresh cluster, driven event by event through the steps, watched at every change.

use std::collections::BTreeMap;
use std::time::Instant;

use indexmap::IndexMap;
use peapod_kubectl as kubectl;
use peapod_sim::cluster::{Cluster, Config, NodeConfig};
use peapod_sim::objects::Key;
use peapod_sim::time::{SimDuration, SimTime};
use peapod_sim::trace::Trace;
use peapod_sim::version::Version;
use peapod_sim::world::Jitter;
use peapod_sim::{manifest, objects::Kind};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::expr::{Compiled, Deps, Op, Scope, Trackers, View};
use super::expr::{Node, Val};
use super::limit;
use super::model::{
    Action, Condition, Diagnostic, Ended, Expectation, ExpectationOutcome, JitterMode, OrElse, Outcome, Place, Step,
    Timing, Trial, TrialResult, Until,
};
use super::program::{self, Program};
use super::runner::Cancel;
use super::temporal::{Bounds, End, Form, Watch, outcome};
use crate::cluster_api::Passing;
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

/// A line that is typed lets time pass, and every change is looked at.
impl Passing for Run<'_> {
    fn cluster(&mut self) -> &mut Cluster {
        &mut self.cluster
    }

    fn step(&mut self) -> bool {
        // A command may have written: without a trace that is forgotten with the next step.
        self.look();
        match self.advance(self.end) {
            Ok(true) => {}
            Ok(false) => self.stopped = Some(Stop::End),
            Err(stop) => self.stopped = Some(stop),
        }
        self.stopped.is_none()
    }

    fn reach(&mut self, at: SimTime) -> bool {
        let waits = |run: &Self| run.asides.last().is_some_and(|(aside, _)| *aside <= at.min(run.end));
        while !self.aside && waits(self) && self.stopped.is_none() {
            match self.advance(at.min(self.end)) {
                Ok(true) => {}
                Ok(false) => break,
                Err(stop) => self.stopped = Some(stop),
            }
        }
        self.cluster.run_until(at.min(self.end));
        self.look();
        if at > self.end {
            self.stopped = Some(Stop::End);
        }
        self.stopped.is_none()
    }

    fn goes_on(&mut self) -> bool {
        self.stopped.is_none()
    }
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

    // ---- Steps.

    fn steps(&mut self) -> Result<(), Stop> {
        let program = self.program;
        let mut done = false;
        for (index, step) in program.experiment.steps.iter().enumerate() {
            let Some(compiled) = program.steps.get(index) else {
                continue;
            };
            if !program::applies(compiled.when.as_ref(), &self.trial.variables) {
                continue;
            }
            let due = match step.timing {
                Timing::Now => self.cluster.now(),
                Timing::At(at) => SimTime::ZERO + at,
                Timing::After(after) => self.cluster.now() + after,
                Timing::Aside(_) => continue,
            };
            let waits = matches!(step.action, Action::Wait { .. } | Action::Sleep { .. });
            if done && (due > self.cluster.now() || waits) {
                self.begin_observing();
            }
            self.run_to(due, None)?;
            if self.cluster.now() < due {
                return Err(Stop::End);
            }
            let outcome = self.step(index, step);
            self.look();
            self.unless_it_may_fail(step, outcome)?;
            done = true;
        }
        self.begin_observing();
        Ok(())
    }

    fn unless_it_may_fail(&mut self, step: &Step, outcome: Result<(), Stop>) -> Result<(), Stop> {
        match outcome {
            Err(Stop::Failed(error)) if step.or_else == OrElse::Continue => {
                self.troubles.push(format!("line {}: {}", error.line, error.message));
                Ok(())
            }
            other => other,
        }
    }

    fn step(&mut self, index: usize, step: &Step) -> Result<(), Stop> {
        let texts: Vec<_> = match self.program.steps.get(index) {
            Some(compiled) => compiled
                .templates
                .iter()
                .map(|template| template.render(&self.trial.variables))
                .collect(),
            None => Vec::new(),
        };
        match &step.action {
            Action::Apply { text, place } => {
                let Some(rendered) = texts.first() else { return Ok(()) };
                let documents = match manifest::read(&rendered.text) {
                    Ok(documents) => documents,
                    Err(_) => return Err(Stop::Failed(first_problem(rendered, text, *place))),
                };
                self.cluster
                    .command(&format!("kubectl apply -f -\n{}", rendered.text.trim_end()));
                let values: Vec<Value> = documents.into_iter().map(|document| document.value).collect();
                let (applied, unknown) = with_api(&mut self.cluster, |api| kubectl::apply(&values, "default", api));
                let refused = applied
                    .into_iter()
                    .filter_map(|applied| applied.effect.err())
                    .chain(unknown)
                    .next();
                match refused {
                    None => Ok(()),
                    Some(message) => {
                        let mut problem = first_problem(rendered, text, *place);
                        let message = message.trim_end().to_owned();
                        // The place of what is wrong with the manifest, in the words with which it was refused.
                        problem = Diagnostic {
                            code: "trial.apply".to_owned(),
                            message,
                            ..problem
                        };
                        Err(Stop::Failed(problem))
                    }
                }
            }
            Action::Kubectl { place, .. } => {
                let Some(rendered) = texts.first() else { return Ok(()) };
                self.kubectl(index, &rendered.text, *place)
            }
            Action::Shell { text, place } => self.shell(index, text, *place),
            Action::Wait { until, timeout } => {
                let Some(compiled) = self.program.steps.get(index).and_then(|step| step.until.as_ref()) else {
                    return Ok(());
                };
                let condition = compiled.bind(&self.trial.variables);
                let deadline = self.cluster.now() + *timeout;
                if self.run_to(deadline, Some(&condition))? {
                    return Ok(());
                }
                if self.cluster.now() < deadline {
                    return Err(Stop::End);
                }
                let message = format!("`{}` did not come to hold within {timeout}", until.text);
                Err(Stop::Failed(Diagnostic::error("trial.wait", message).at(until.place)))
            }
            Action::Sleep { duration } => {
                let due = self.cluster.now() + *duration;
                self.run_to(due, None).map(|_| ())
            }
            Action::Fault { fault } => {
                let texts: Vec<String> = texts.into_iter().map(|rendered| rendered.text).collect();
                let fault = program::fault_with(fault, &texts);
                let failed = |message| Stop::Failed(Diagnostic::error("trial.fault", message).at(step.place));
                self.cluster.fault(&fault).map_err(failed)
            }
        }
    }

    fn kubectl(&mut self, index: usize, line: &str, place: Place) -> Result<(), Stop> {
        let output = match kubectl::Command::parse(line) {
            Ok(command) => {
                self.cluster.command(&format!("kubectl {line}"));
                let mut output = with_api(&mut self.cluster, |api| kubectl::run(&command, api, &kubectl::NoFiles));
                self.look();
                if let Some(wait) = output.waits_for.take()
                    && !self.aside
                {
                    output.append(&self.wait_for(wait)?);
                }
                output
            }
            Err(error) => kubectl::Output {
                stderr: error.stderr,
                exit_code: error.exit_code,
                ..Default::default()
            },
        };
        self.outputs
            .insert(index, format!("{}{}", output.stdout, output.stderr));
        if output.exit_code == 0 || self.prints(index) {
            return Ok(());
        }
        let message = output.stderr.trim_end().to_owned();
        Err(Stop::Failed(Diagnostic::error("trial.kubectl", message).at(place)))
    }

    /// Types a line into the shell of the workstation, which is there from the first such line on.
    fn shell(&mut self, index: usize, line: &str, place: Place) -> Result<(), Stop> {
        self.begin_observing();
        let mut station = self
            .workstation
            .take()
            .unwrap_or_else(|| Workstation::new(self.trial.seed));
        let (mut printed, mut errors) = (String::new(), String::new());
        let end = station.enter(self, line, &mut |stderr, text| {
            printed.push_str(text);
            if stderr {
                errors.push_str(text);
            }
        });
        self.workstation = Some(station);
        self.look();
        if let Some(stop) = self.stopped.take() {
            return Err(stop);
        }
        self.outputs.insert(index, printed);
        if end.exit_code == 0 || self.prints(index) {
            return Ok(());
        }
        let message = match errors.trim_end() {
            "" => format!("exit status {}", end.exit_code),
            errors => errors.to_owned(),
        };
        Err(Stop::Failed(Diagnostic::error("trial.kubectl", message).at(place)))
    }

    /// Whether a console shows what this step prints, so that a failure may be what it expects.
    fn prints(&self, index: usize) -> bool {
        self.program
            .experiment
            .expect
            .iter()
            .any(|expectation| matches!(&expectation.condition, Condition::Prints { step, .. } if *step == index))
    }

    /// Lets time pass until a `kubectl` command that waits has what it waits for.
    fn wait_for(&mut self, mut wait: kubectl::Wait) -> Result<kubectl::Output, Stop> {
        self.begin_observing();
        let millis = wait.timeout.and_then(|millis| u64::try_from(millis).ok());
        let deadline = millis.map_or(self.end, |millis| self.cluster.now() + SimDuration::from_millis(millis));
        let mut revision = None;
        loop {
            if revision != Some(self.cluster.revision()) {
                revision = Some(self.cluster.revision());
                if let Some(output) = with_api(&mut self.cluster, |api| kubectl::poll(&mut wait, api)) {
                    self.look();
                    return Ok(output);
                }
                self.look();
            }
            match self.advance(deadline.min(self.end))? {
                true => {}
                _ if deadline > self.end => {
                    self.run_to(self.end, None)?;
                    return Err(Stop::End);
                }
                _ => {
                    self.run_to(deadline, None)?;
                    return Ok(kubectl::time_out(&wait));
                }
            }
        }
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

/// What is wrong with a manifest that was refused: the first problem that can be seen without a cluster, or the whole.
fn first_problem(rendered: &super::template::Rendered, text: &str, place: Place) -> Diagnostic {
    let mut problems = program::manifest_problems(rendered, text, place).into_iter();
    problems
        .next()
        .unwrap_or_else(|| Diagnostic::error("trial.apply", "the manifest was refused").at(place))
}

/// What an expectation saw that decided it.
fn sentence(watched: &Watched<'_>, decided: Outcome, at: Option<SimTime>) -> String {
    let text = watched.expectation.condition.text();
    let at = at
        .map(|at| SimDuration(at.0 / 1_000_000 * 1_000_000).to_string())
        .unwrap_or_default();
    let seen = watched
        .seen
        .as_ref()
        .map(|seen| format!(" ({seen})"))
        .unwrap_or_default();
    let bounds = [
        ("within", watched.expectation.within),
        ("for", watched.expectation.lasting),
    ];
    let bounds: String = bounds
        .iter()
        .filter_map(|(word, span)| span.map(|span| format!(" {word} {span}")))
        .collect();
    match (&watched.expectation.condition, decided) {
        (_, Outcome::Undecided) => format!("the trial ended before `{text}` was decided"),
        (Condition::Eventually(_), _) => format!("`{text}` did not come to hold{bounds}{seen}"),
        (Condition::Always(_), _) => format!("at {at} `{text}` did not hold{seen}"),
        (Condition::Never(_), _) => format!("at {at} `{text}` held{bounds}{seen}"),
        (Condition::Finally(_), _) => format!("at the end `{text}` did not hold{bounds}{seen}"),
        (Condition::Until(first, _), _) => format!(
            "at {at} `{}` did not hold, or the end of it never came{seen}",
            first.text
        ),
        (Condition::Shape(_) | Condition::Prints { .. }, _) => String::new(),
    }
}

/// The value that made a comparison true or false, such as `it was Running`.
fn witness(node: &Node, scope: &Scope<'_>) -> Option<String> {
    // The scope borrows what it evaluates, so the parts are evaluated in a scope of their own.
    fn value(node: &Node, scope: &Scope<'_>) -> Value {
        let own = Scope::new(scope.view, scope.now, scope.tracked);
        own.eval(node).to_json()
    }
    match node {
        Node::And(left, right) => {
            let left_holds = value(left, scope) == Value::Bool(true);
            witness(if left_holds { right } else { left }, scope)
        }
        Node::Or(left, right) => {
            let left_holds = value(left, scope) == Value::Bool(true);
            witness(if left_holds { left } else { right }, scope)
        }
        Node::Not(of) => witness(of, scope),
        Node::Infix(op, left, right)
            if !matches!(op, Op::Add | Op::Subtract | Op::Multiply | Op::Divide | Op::Modulo) =>
        {
            let shown = if matches!(**left, Node::Const(_) | Node::Time) {
                right
            } else {
                left
            };
            Some(match value(shown, scope) {
                Value::Null => "it was not there".to_owned(),
                Value::String(text) => format!("it was {text}"),
                other => {
                    let text = other.to_string();
                    if text.chars().count() > 60 {
                        return None;
                    } else {
                        format!("it was {text}")
                    }
                }
            })
        }
        _ => None,
    }
}

fn at_the_end(
    condition: &Condition,
    view: &View,
    outputs: &BTreeMap<usize, String>,
    now: SimTime,
) -> ExpectationOutcome {
    match condition {
        Condition::Shape(shape) => {
            let text = |pointer: &str| shape.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            let (kind, name) = (text("/kind"), text("/metadata/name"));
            let namespace = shape
                .pointer("/metadata/namespace")
                .and_then(Value::as_str)
                .unwrap_or("default");
            let object = Kind::named(kind).and_then(|kind| view.get(&Key::new(kind, namespace, name)));
            match object.map(|object| difference("", shape, object)) {
                Some(None) => outcome(Outcome::Holds, Some(now), String::new()),
                Some(Some(difference)) => outcome(Outcome::Fails, Some(now), difference),
                None => outcome(
                    Outcome::Fails,
                    Some(now),
                    format!("at the end there is no {kind} `{name}`"),
                ),
            }
        }
        Condition::Prints { step, command, output } => match outputs.get(step) {
            None => outcome(Outcome::Undecided, None, format!("`{command}` was not run")),
            Some(printed) if super::cell::agrees(output, printed) => outcome(Outcome::Holds, Some(now), String::new()),
            Some(printed) => outcome(
                Outcome::Fails,
                Some(now),
                format!("`{command}` printed:\n{}", printed.trim_end()),
            ),
        },
        _ => outcome(Outcome::Undecided, None, String::new()),
    }
}

/// The first field in which an object is not as a partial one says. Items of lists are found by their `name` or `type`, or by
/// their place.
fn difference(path: &str, wanted: &Value, found: &Value) -> Option<String> {
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => wanted.iter().find_map(|(key, wanted)| {
            let path = if path.is_empty() {
                key.clone()
            } else {
                format!("{path}.{key}")
            };
            difference(&path, wanted, found.get(key).unwrap_or(&Value::Null))
        }),
        (Value::Array(wanted), Value::Array(found)) => wanted.iter().enumerate().find_map(|(index, wanted)| {
            let identity = ["name", "type"]
                .into_iter()
                .find_map(|key| Some((key, wanted.get(key)?)));
            let item = match identity {
                Some((key, name)) => found.iter().find(|item| item.get(key) == Some(name)),
                None => found.get(index),
            };
            let label = identity
                .and_then(|(_, name)| name.as_str())
                .map_or(index.to_string(), str::to_owned);
            difference(&format!("{path}[{label}]"), wanted, item.unwrap_or(&Value::Null))
        }),
        _ if Val::of(wanted).equals(&Val::of(found)) => None,
        (_, Value::Null) => Some(format!("at the end `{path}` is not there, and {wanted} is expected")),
        _ => Some(format!("at the end `{path}` is {found}, and {wanted} is expected")),
    }
}

/// Lower-case hexadecimal SHA-256.
fn digest(json: &[u8]) -> String {
    Sha256::digest(json).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The cluster as `kubectl` sees it.
fn with_api<R>(cluster: &mut Cluster, act: impl FnOnce(&mut dyn kubectl::Api) -> R) -> R {
    act(&mut crate::cluster_api::ClusterApi::new(cluster))
}
