//! A session: one cluster in virtual time, the workstation beside it, and the cells that were run.

use std::collections::BTreeMap;
use std::sync::Arc;

use peapod_kubectl::resources::RESOURCES;
use peapod_sim::cluster::{Cluster, Config, NodeConfig};
use peapod_sim::manifest;
use peapod_sim::time::{SimDuration, SimTime};
use peapod_sim::version::Version;
use peapod_sim::world::Jitter;
use serde_json::Value;

use super::source::{self, Line, Source, Typed};
use super::{Failure, Output, magic, show};
use crate::cluster_api;
use crate::i18n::Lang;
use crate::lab::model::Diagnostic;
use crate::lab::{self, Cancel, RunEvent, Runner};
use crate::workstation::{self, Held, Workstation};

/// Records that the cluster of a session may write: as many as a trial's.
const RECORDS: usize = lab::limit::RECORDS;

/// How the cluster of a session begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Version of Kubernetes.
    pub version: Version,
    /// How many nodes, named `node-1` …
    pub nodes: usize,
    /// Seed of all chance.
    pub seed: u64,
    /// Whether waits are stretched at random as the real components do.
    pub jitter: bool,
    /// Component settings by the name of the real flag or field.
    pub settings: Vec<(String, String)>,
    /// Virtual time that passes before the first line that is typed after a manifest was applied, as in a note's console.
    pub lead: SimDuration,
    /// Whether a console that prints something else than its cell shows is a failure.
    pub strict: bool,
    /// The language of explanations.
    pub lang: Lang,
}

impl Default for Settings {
    /// The newest version, one node, seed 1.
    fn default() -> Self {
        Self {
            version: Version::NEWEST,
            nodes: 1,
            seed: 1,
            jitter: true,
            settings: Vec::new(),
            lead: SimDuration::ZERO,
            strict: false,
            lang: Lang::En,
        }
    }
}

impl Settings {
    /// The cluster that they describe.
    ///
    /// # Errors
    /// A sentence that says what cannot be.
    fn cluster(&self) -> Result<Cluster, String> {
        let nodes = (1..=self.nodes).map(|number| NodeConfig {
            name: format!("node-{number}"),
            ..NodeConfig::default()
        });
        Cluster::new(Config {
            version: self.version,
            seed: self.seed,
            jitter: if self.jitter { Jitter::Real } else { Jitter::None },
            nodes: nodes.collect(),
            settings: self.settings.clone(),
            record_limit: RECORDS,
            ..Config::default()
        })
    }
}

/// Where a session was at an instant.
#[derive(Clone)]
pub(super) struct Snapshot {
    pub(super) cluster: Cluster,
    pub(super) workstation: Workstation,
    pub(super) settings: Settings,
    pub(super) applied: bool,
}

/// What can be known of a session without waiting for it: the objects, for completion and inspection.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// The objects of each kind.
    pub objects: BTreeMap<&'static str, Vec<Arc<Value>>>,
    /// The files in the workstation's directory.
    pub files: Vec<String>,
}

/// A living cluster and the cells that were run on it.
pub struct Session {
    pub(super) now: Snapshot,
    pub(super) kept: BTreeMap<String, Snapshot>,
    /// How often the cluster was replaced by another one.
    pub(super) generation: u64,
    displays: u64,
    said: Vec<String>,
    /// Whether `%play` passes time at once: what is done again need not take as long.
    pub(super) hurries: bool,
}

impl Session {
    /// A session at its beginning.
    ///
    /// # Errors
    /// A sentence that says which setting cannot be.
    pub fn new(settings: Settings) -> Result<Self, String> {
        Ok(Self {
            now: Snapshot {
                cluster: settings.cluster()?,
                workstation: Workstation::new(settings.seed),
                settings,
                applied: false,
            },
            kept: BTreeMap::new(),
            generation: 0,
            displays: 0,
            said: Vec::new(),
            hurries: false,
        })
    }

    /// Whether `%play` waits for nobody, as when a session is done again.
    pub fn hurry(&mut self, hurries: bool) {
        self.hurries = hurries;
    }

    /// Lets virtual time pass up to an instant.
    ///
    /// # Errors
    /// When the cluster has met a limit.
    pub fn advance_to(&mut self, at: SimTime) -> Result<(), Failure> {
        magic::advance(self, at, &Cancel::new())?;
        match self.now.cluster.problem() {
            Some(problem) => Err(Failure::new("LimitReached", problem).hint("%reset begins anew")),
            None => Ok(()),
        }
    }

    /// Whether nothing but heartbeats is left to happen.
    pub fn settled(&mut self) -> bool {
        self.now.cluster.settled()
    }

    /// Begins anew with a fresh cluster and a fresh workstation.
    ///
    /// # Errors
    /// A sentence that says which setting cannot be; the session is then as it was.
    pub fn reset(&mut self, settings: Settings) -> Result<(), String> {
        let fresh = Self::new(settings)?;
        self.now = fresh.now;
        self.said = Vec::new();
        self.generation += 1;
        Ok(())
    }

    /// The settings that it began with.
    pub fn settings(&self) -> &Settings {
        &self.now.settings
    }

    /// The cluster.
    pub fn cluster(&self) -> &Cluster {
        &self.now.cluster
    }

    /// A number that changes when the objects may have changed.
    pub fn revision(&self) -> (u64, u64) {
        (self.generation, self.now.cluster.revision())
    }

    /// What can be looked at while the session works.
    pub fn view(&self) -> View {
        let kinds = RESOURCES.iter().filter(|resource| resource.kind != "Event");
        View {
            objects: kinds
                .map(|resource| (resource.kind, self.now.cluster.objects(resource.kind)))
                .collect(),
            files: self.now.workstation.names(),
        }
    }

    /// Runs a cell. Outputs come as they arise; `cancel` stops the passing of time, and leaves the cluster where it is.
    ///
    /// # Errors
    /// Why the cell failed; what came before it stays done.
    pub fn run(&mut self, text: &str, cancel: &Cancel, out: &mut dyn FnMut(Output)) -> Result<(), Failure> {
        let done = match source::read(text)? {
            Source::Empty => Ok(()),
            Source::Manifest(manifest, above) => self.apply(text, &manifest, above, out),
            Source::Experiment(experiment, above) => self.experiment(text, &experiment, above, cancel, out),
            Source::File(name, content) => {
                self.now.workstation.write(&name, &content);
                stream(out, false, &format!("wrote {name}\n"));
                Ok(())
            }
            Source::Lines(lines) => lines
                .into_iter()
                .try_for_each(|line| self.line(text, &line, cancel, out)),
        };
        self.tell_notices(out);
        if let (Ok(()), Some(problem)) = (&done, self.now.cluster.problem()) {
            return Err(Failure::new("LimitReached", problem).hint("%reset begins anew"));
        }
        done
    }

    /// Notices of the cluster that nobody has seen yet.
    fn tell_notices(&mut self, out: &mut dyn FnMut(Output)) {
        for notice in self.now.cluster.notices() {
            if !self.said.contains(&notice) {
                stream(out, true, &format!("note: {notice}\n"));
                self.said.push(notice);
            }
        }
    }

    fn apply(&mut self, text: &str, manifest: &str, above: u32, out: &mut dyn FnMut(Output)) -> Result<(), Failure> {
        let failure = |problem: &manifest::Problem| {
            let (line, column) = (problem.span.line + above, problem.span.column);
            let length = manifest.get(problem.span.start..problem.span.end).unwrap_or_default();
            let length = length.lines().next().unwrap_or_default().chars().count();
            let place = (line, column, u32::try_from(length).unwrap_or(1));
            let message = format!("line {line}, column {column}: {}", problem.message);
            let failure = Failure::at("ManifestError", message, text, place);
            problem.hints.iter().fold(failure, |failure, hint| failure.hint(hint))
        };
        let manifests = manifest::read(manifest).map_err(|problems| {
            problems
                .first()
                .map_or_else(|| Failure::new("ManifestError", "it cannot be read"), failure)
        })?;
        if manifests.is_empty() {
            return Err(Failure::new("ManifestError", "there is no object in it"));
        }
        // `kubectl` says first what it cannot read; the API server refuses one object after the other.
        let unread = manifests.iter().flat_map(manifest::check);
        let unread: Vec<manifest::Problem> = unread.filter(|problem| problem.code != "manifest.invalid").collect();
        if let Some(problem) = unread.first() {
            return Err(failure(problem));
        }
        let applied = cluster_api::apply(&mut self.now.cluster, &manifests, "default", "kubectl apply -f -");
        if !applied.stdout.is_empty() {
            self.now.applied = true;
            stream(out, false, &applied.stdout);
        }
        let Some((first, more)) = applied.refusals.split_first() else {
            return Ok(());
        };
        for refusal in more {
            stream(out, true, &format!("{}\n", refusal.text.trim_end()));
        }
        let name = reason(&first.text);
        let span = first.causes.first().and_then(|(field, _)| {
            let manifest = manifests.get(first.document)?;
            Some(manifest.span_of_field(field))
        });
        let value = first.text.trim_end().to_owned();
        Err(match span {
            Some(span) => {
                let length = manifest.get(span.start..span.end).unwrap_or_default();
                let length = length.lines().next().unwrap_or_default().chars().count();
                let place = (span.line + above, span.column, u32::try_from(length).unwrap_or(1));
                Failure::at(name, value, text, place)
            }
            None => Failure::new(name, value),
        })
    }

    fn experiment(
        &mut self,
        text: &str,
        experiment: &str,
        above: u32,
        cancel: &Cancel,
        out: &mut dyn FnMut(Output),
    ) -> Result<(), Failure> {
        let failed = |diagnostic: &Diagnostic| {
            let place = (diagnostic.line, diagnostic.column, diagnostic.length);
            let message = match diagnostic.line {
                0 => diagnostic.message.clone(),
                line => format!("line {line}, column {}: {}", diagnostic.column, diagnostic.message),
            };
            let failure = match diagnostic.line {
                0 => Failure::new("ExperimentError", message),
                _ => Failure::at("ExperimentError", message, text, place),
            };
            diagnostic
                .hints
                .iter()
                .fold(failure, |failure, hint| failure.hint(hint))
        };
        let mut reading = lab::read(experiment, None, above + 1);
        if let Some(error) = reading.errors().next() {
            return Err(failed(error));
        }
        for diagnostic in &reading.diagnostics {
            stream(out, true, &format!("{diagnostic}\n"));
        }
        let Some(experiment) = reading.experiment.take() else {
            return Err(Failure::new("ExperimentError", "it cannot be read"));
        };
        let runner = Runner::new(experiment).map_err(|errors| {
            errors
                .first()
                .map_or_else(|| Failure::new("ExperimentError", "it cannot run"), failed)
        })?;
        let total = runner.total();
        let id = self.display_id();
        // A bar is worth its place only where somebody waits; its last state is what came out, whoever was how fast.
        let bar = total > 16;
        if bar {
            let bundle = show::progress(0, total);
            out(Output::Display {
                id: Some(id.clone()),
                bundle,
            });
        }
        let (mut trace, mut shown) = (None, 0);
        let result = runner.cancelled_by(cancel.clone()).run(&mut |event| match event {
            RunEvent::Trial { result, trace: own, .. } if total == 1 => {
                trace = Some((own.clone(), result.trial.index));
            }
            RunEvent::Progress(progress) if bar && progress.done * 20 / total.max(1) > shown => {
                shown = progress.done * 20 / total.max(1);
                let bundle = show::progress(progress.done, progress.total);
                out(Output::Update { id: id.clone(), bundle });
            }
            _ => {}
        });
        if cancel.is_cancelled() {
            return Err(interrupted(&self.now.cluster));
        }
        let lang = self.now.settings.lang;
        out(Output::Display {
            id: None,
            bundle: show::experiment(&result, lang),
        });
        if let Some((trace, _)) = trace {
            out(Output::Display {
                id: None,
                bundle: show::timeline(&trace, &result.experiment.title, lang),
            });
        }
        let broken = result.trials.iter().find_map(|trial| trial.error.as_ref());
        if let Some(error) = broken.or(result.diagnostics.first()) {
            return Err(failed(error));
        }
        let wrong: Vec<_> = result.claims.iter().filter(|claim| !claim.as_expected).collect();
        match wrong.first() {
            None => Ok(()),
            Some(claim) => {
                let said = if claim.claim.is_empty() {
                    &claim.condition
                } else {
                    &claim.claim
                };
                let count = wrong.len();
                let value = format!("{count} of {} claims is not as it says: {said}", result.claims.len());
                let place = (claim.place.line, claim.place.column, claim.place.length);
                Err(Failure::at("ClaimFailed", value, text, place))
            }
        }
    }

    /// The id of the next display: the same in every execution.
    pub(super) fn display_id(&mut self) -> String {
        self.displays += 1;
        format!("peapod-{}", self.displays)
    }

    fn line(&mut self, text: &str, line: &Line, cancel: &Cancel, out: &mut dyn FnMut(Output)) -> Result<(), Failure> {
        if cancel.is_cancelled() {
            return Err(interrupted(&self.now.cluster));
        }
        match &line.what {
            Typed::Magic { name, arguments } => magic::run(self, name, arguments, cancel, out).map_err(|failure| {
                let own = text.lines().nth((line.line - 1) as usize).unwrap_or_default();
                let column = own.chars().take_while(|c| c.is_whitespace()).count();
                let length = own.trim().chars().count();
                let count = |number: usize| u32::try_from(number).unwrap_or(1);
                let hints = failure.traceback.get(1..).unwrap_or_default().to_vec();
                let place = (line.line, count(column) + 1, count(length));
                let mut placed = Failure::at(&failure.name, failure.value, text, place);
                placed.traceback.extend(hints);
                placed
            }),
            Typed::Shell { command, expected } => {
                self.shell(text, line.line, command, expected.as_deref(), cancel, out)
            }
        }
    }

    fn shell(
        &mut self,
        text: &str,
        at: u32,
        command: &str,
        expected: Option<&str>,
        cancel: &Cancel,
        out: &mut dyn FnMut(Output),
    ) -> Result<(), Failure> {
        if std::mem::take(&mut self.now.applied) && self.now.settings.lead > SimDuration::ZERO {
            let until = self.now.cluster.now() + self.now.settings.lead;
            let cluster = &mut self.now.cluster;
            workstation::pass(&mut Held { cluster, cancel }, until);
        }
        let mut pieces: Vec<(bool, String)> = Vec::new();
        let cluster = &mut self.now.cluster;
        let mut held = Held { cluster, cancel };
        let end = self
            .now
            .workstation
            .enter(
                &mut held,
                command,
                &mut |stderr, text| match pieces.last_mut().filter(|(own, _)| *own == stderr) {
                    Some((_, last)) => last.push_str(text),
                    None => pieces.push((stderr, text.to_owned())),
                },
            );
        let printed: String = pieces.iter().map(|(_, text)| text.as_str()).collect();
        match end.table.as_deref().and_then(show::table) {
            Some(bundle) => {
                for (_, text) in pieces.iter().filter(|(stderr, _)| *stderr) {
                    stream(out, true, text);
                }
                out(Output::Display { id: None, bundle });
            }
            None => pieces.iter().for_each(|(stderr, text)| stream(out, *stderr, text)),
        }
        for notice in &end.notices {
            stream(out, true, &format!("note: {notice}\n"));
        }
        let first = command.lines().next().unwrap_or_default();
        let own = text.lines().nth((at - 1) as usize).unwrap_or_default();
        let column = own.find(first).map_or(0, |at| own[..at].chars().count());
        let count = |number: usize| u32::try_from(number).unwrap_or(1);
        let place = (at, count(column) + 1, count(first.chars().count()));
        if end.interrupted && cancel.is_cancelled() {
            return Err(interrupted(&self.now.cluster));
        }
        match expected {
            Some(expected) if lab::cell::agrees(expected, &printed) => Ok(()),
            Some(expected) => {
                let difference = show::difference(expected, &printed);
                if self.now.settings.strict {
                    let failure = Failure::at("NotAsWritten", "it prints something else", text, place);
                    return Err(difference.lines().fold(failure, |mut failure, line| {
                        failure.traceback.push(line.to_owned());
                        failure
                    }));
                }
                stream(
                    out,
                    true,
                    &format!("note: the cell shows something else:\n{difference}"),
                );
                Ok(())
            }
            None if end.exit_code != 0 => {
                let value = format!("exit status {}", end.exit_code);
                Err(Failure::at("CommandFailed", value, text, place))
            }
            None => Ok(()),
        }
    }
}

/// A cell that was interrupted: the cluster stays where it is.
pub(super) fn interrupted(cluster: &Cluster) -> Failure {
    Failure::new("Interrupted", format!("at {}", cluster.now()))
}

/// Tells a piece of text.
pub(super) fn stream(out: &mut dyn FnMut(Output), stderr: bool, text: &str) {
    if !text.is_empty() {
        out(Output::Stream {
            stderr,
            text: text.to_owned(),
        });
    }
}

/// The API server's reason in what `kubectl` prints: `Error from server (NotFound): …`, `The Pod "x" is invalid: …`.
fn reason(text: &str) -> &str {
    let inside = text
        .strip_prefix("Error from server (")
        .and_then(|rest| rest.split_once("):"));
    match inside {
        Some((reason, _)) => reason,
        None if text.contains(" is invalid") => "Invalid",
        None => "Refused",
    }
}
