//! What a trial does: its steps, the lines that are typed, and the time that they take.

use peapod_kubectl as kubectl;
use peapod_sim::cluster::Cluster;
use peapod_sim::manifest;
use peapod_sim::time::{SimDuration, SimTime};
use serde_json::Value;

use super::{Run, Stop};
use crate::cluster_api::{LOOK_AGAIN, Passing};
use crate::lab::model::{Action, Condition, Diagnostic, OrElse, Place, Step, Timing};
use crate::lab::program;
use crate::workstation::Workstation;

impl Run<'_> {
    pub(super) fn steps(&mut self) -> Result<(), Stop> {
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

    pub(super) fn unless_it_may_fail(&mut self, step: &Step, outcome: Result<(), Stop>) -> Result<(), Stop> {
        match outcome {
            Err(Stop::Failed(error)) if step.or_else == OrElse::Continue => {
                self.troubles.push(format!("line {}: {}", error.line, error.message));
                Ok(())
            }
            other => other,
        }
    }

    pub(super) fn step(&mut self, index: usize, step: &Step) -> Result<(), Stop> {
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
        let last = deadline.min(self.end);
        let (mut revision, mut again) = (None, self.cluster.now());
        loop {
            if revision != Some(self.cluster.revision()) || self.cluster.now() >= again {
                revision = Some(self.cluster.revision());
                // A refused eviction is sent again, whether or not anything has changed.
                again = self.cluster.now() + LOOK_AGAIN;
                if let Some(output) = with_api(&mut self.cluster, |api| kubectl::poll(&mut wait, api)) {
                    self.look();
                    return Ok(output);
                }
                self.look();
            }
            match self.advance(again.min(last))? {
                true => {}
                _ if again < last => {
                    self.run_to(again, None)?;
                }
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

/// What is wrong with a manifest that was refused: the first problem that can be seen without a cluster, or the whole.
fn first_problem(rendered: &crate::lab::template::Rendered, text: &str, place: Place) -> Diagnostic {
    let mut problems = program::manifest_problems(rendered, text, place).into_iter();
    problems
        .next()
        .unwrap_or_else(|| Diagnostic::error("trial.apply", "the manifest was refused").at(place))
}

/// The cluster as `kubectl` sees it.
fn with_api<R>(cluster: &mut Cluster, act: impl FnOnce(&mut dyn kubectl::Api) -> R) -> R {
    act(&mut crate::cluster_api::ClusterApi::new(cluster))
}
