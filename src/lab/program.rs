//! An experiment that is ready to run: its expressions compiled, its templates read.

use std::collections::BTreeSet;
use std::sync::Arc;

use peapod_sim::kubelet::static_pods;
use peapod_sim::manifest;
use peapod_sim::version::{Profile, Version};

use super::expr::{Compiled, Compiler, Names, Tracker, Trouble};
use super::model::{
    Action, Assignment, Condition, Diagnostic, Experiment, Expression, FaultSpec, OrElse, Place, Severity,
    StaticPodFile, Timing, Trial, Until,
};
use super::read::place_in;
use super::template::{Rendered, Template};

/// A compiled experiment, shared by its trials.
#[derive(Clone, Debug)]
pub struct Program {
    /// The experiment.
    pub experiment: Arc<Experiment>,
    /// The manifests of static pods that are there at the start.
    pub static_pods: Vec<Template>,
    /// One a step.
    pub steps: Vec<StepProgram>,
    /// One an observation.
    pub observe: Vec<Compiled>,
    /// One an expectation.
    pub expect: Vec<ExpectProgram>,
    /// What is followed over a whole trial.
    pub trackers: Vec<Tracker>,
    /// Whether its trials leave traces.
    pub traced: bool,
}

/// A compiled step.
#[derive(Clone, Debug)]
pub struct StepProgram {
    /// Whether it is done, over the variables.
    pub when: Option<Compiled>,
    /// Its templates: the manifest, the line, or the texts of a fault.
    pub templates: Vec<Template>,
    /// What a `wait` waits for.
    pub until: Option<Compiled>,
}

/// A compiled expectation.
#[derive(Clone, Debug)]
pub struct ExpectProgram {
    /// Where it applies, over the variables.
    pub when: Option<Compiled>,
    /// The expressions of its condition: none, one, or two for `until`.
    pub expressions: Vec<Compiled>,
}

/// Compiles an experiment.
///
/// # Errors
/// Everything that is wrong with its expressions and templates, each at its place.
pub fn compile(experiment: &Experiment) -> Result<Program, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    let names = Names::new(&experiment.variables, &experiment.observe);
    let mut compiler = Compiler::new(names.clone());
    let mut of_variables = Compiler::of_variables(&names);
    let mut take = |result: Result<Compiled, Vec<Trouble>>, expression: &Expression| match result {
        Ok(compiled) => Some(compiled),
        Err(troubles) => {
            problems.extend(troubles.into_iter().map(|trouble| {
                let place = expression.place_of(trouble.start, trouble.end);
                diagnostic("experiment.expression", trouble, place)
            }));
            None
        }
    };
    let mut template_problems = Vec::new();
    let mut template = |text: &str, place: Place, yaml: bool| match Template::parse(text, &names, yaml) {
        Ok(template) => Some(template),
        Err(troubles) => {
            template_problems.extend(troubles.into_iter().map(|trouble| {
                let place = place_in(text, place, trouble.start, trouble.end);
                diagnostic("experiment.template", trouble, place)
            }));
            None
        }
    };
    let files = experiment.cluster.static_pods.iter();
    let static_pods = files
        .filter_map(|file| template(&file.text, file.place, true))
        .collect();
    let mut steps = Vec::new();
    for step in &experiment.steps {
        let when = step
            .when
            .as_ref()
            .and_then(|when| take(of_variables.compile_condition(&when.text), when));
        let until = match &step.action {
            Action::Wait { until, .. } => take(compiler.compile_condition(&until.text), until),
            _ => None,
        };
        let texts = texts(&step.action, step.place);
        let templates = texts
            .into_iter()
            .filter_map(|(text, place, yaml)| template(text, place, yaml))
            .collect();
        steps.push(StepProgram { when, templates, until });
    }
    let mut observe = Vec::new();
    for observation in &experiment.observe {
        observe.extend(take(
            compiler.compile(&observation.expression.text),
            &observation.expression,
        ));
    }
    let mut expect = Vec::new();
    for expectation in &experiment.expect {
        let when = expectation
            .when
            .as_ref()
            .and_then(|when| take(of_variables.compile_condition(&when.text), when));
        let expressions = match &expectation.condition {
            Condition::Eventually(e) | Condition::Always(e) | Condition::Never(e) | Condition::Finally(e) => vec![e],
            Condition::Until(a, b) => vec![a, b],
            Condition::Shape(_) | Condition::Prints { .. } => Vec::new(),
        };
        let expressions = expressions
            .into_iter()
            .filter_map(|e| take(compiler.compile_condition(&e.text), e))
            .collect();
        expect.push(ExpectProgram { when, expressions });
    }
    problems.extend(template_problems);
    if problems.is_empty() {
        let experiment = Arc::new(experiment.clone());
        Ok(Program {
            experiment,
            static_pods,
            steps,
            observe,
            expect,
            trackers: compiler.into_trackers(),
            traced: true,
        })
    } else {
        Err(problems)
    }
}

fn diagnostic(code: &str, trouble: Trouble, place: Place) -> Diagnostic {
    let mut diagnostic = Diagnostic::error(code, trouble.message).at(place);
    diagnostic.hints = trouble.hints;
    diagnostic
}

/// The texts of an action that are templates, where they stand, and whether they are YAML.
fn texts(action: &Action, place: Place) -> Vec<(&str, Place, bool)> {
    match action {
        Action::Apply { text, place } => vec![(text, *place, true)],
        Action::Kubectl { text, place } => vec![(text, *place, false)],
        Action::Shell { .. } | Action::Wait { .. } | Action::Sleep { .. } => Vec::new(),
        Action::Fault {
            fault: FaultSpec::WriteStaticPod(file),
        } => vec![
            (&file.node, place, false),
            (&file.file, place, false),
            (&file.text, file.place, true),
        ],
        Action::Fault { fault } => fault_texts(fault)
            .into_iter()
            .map(|text| (text, place, false))
            .collect(),
    }
}

/// The texts of a fault, in the order in which [`fault_with`] takes them.
fn fault_texts(fault: &FaultSpec) -> Vec<&str> {
    match fault {
        FaultSpec::NodePowerOff { node }
        | FaultSpec::NodeCrash { node }
        | FaultSpec::FreezeKubelet { node, .. }
        | FaultSpec::StopKubelet { node, .. }
        | FaultSpec::Partition { node, .. }
        | FaultSpec::ShutdownNode { node, .. }
        | FaultSpec::RestoreNode { node } => vec![node],
        FaultSpec::WriteStaticPod(StaticPodFile { node, file, text, .. }) => vec![node, file, text],
        FaultSpec::RemoveStaticPod { node, file } => vec![node, file],
        FaultSpec::KillContainer {
            namespace,
            pod,
            container,
            signal,
        } => vec![namespace, pod, container, signal],
        FaultSpec::Starve { node, amount, .. } => vec![node, amount],
        FaultSpec::KillSandbox { namespace, pod } => vec![namespace, pod],
        FaultSpec::ImageAvailable { image } => vec![image],
        FaultSpec::RegistryDown { registry, .. } => vec![registry],
    }
}

/// The fault of the simulation that a fault of an experiment is, with its texts filled in.
pub fn fault_with(fault: &FaultSpec, texts: &[String]) -> peapod_sim::fault::Fault {
    use peapod_sim::fault::{Fault, Starved};
    let text = |index: usize| texts.get(index).cloned().unwrap_or_default();
    match fault {
        FaultSpec::NodePowerOff { .. } => Fault::PowerOff { node: text(0) },
        FaultSpec::NodeCrash { .. } => Fault::Crash { node: text(0) },
        FaultSpec::FreezeKubelet { on, .. } => Fault::FreezeKubelet { node: text(0), on: *on },
        FaultSpec::StopKubelet { on, .. } => Fault::StopKubelet { node: text(0), on: *on },
        FaultSpec::Partition { on, .. } => Fault::Partition { node: text(0), on: *on },
        FaultSpec::Starve { pressure, .. } => Fault::Starve {
            node: text(0),
            resource: match pressure.as_str() {
                "memoryPressure" => Starved::Memory,
                "diskPressure" => Starved::Disk,
                _ => Starved::Pids,
            },
            amount: text(1),
        },
        FaultSpec::RestoreNode { .. } => Fault::RestoreNode { node: text(0) },
        FaultSpec::ShutdownNode { on, .. } => Fault::ShutdownNode { node: text(0), on: *on },
        FaultSpec::WriteStaticPod(_) => Fault::WriteStaticPod {
            node: text(0),
            file: text(1),
            manifest: text(2),
        },
        FaultSpec::RemoveStaticPod { .. } => Fault::RemoveStaticPod {
            node: text(0),
            file: text(1),
        },
        FaultSpec::KillContainer { .. } => Fault::KillContainer {
            namespace: text(0),
            pod: text(1),
            container: text(2),
            signal: text(3),
        },
        FaultSpec::KillSandbox { .. } => Fault::KillSandbox {
            namespace: text(0),
            pod: text(1),
        },
        FaultSpec::ImageAvailable { .. } => Fault::ImageAvailable { image: text(0) },
        FaultSpec::RegistryDown { duration, .. } => Fault::RegistryDown {
            registry: text(0),
            duration: *duration,
        },
    }
}

/// A fault in words, its templates as they are.
pub fn fault_words(fault: &FaultSpec) -> String {
    let texts: Vec<String> = fault_texts(fault).into_iter().map(str::to_owned).collect();
    fault_with(fault, &texts).to_string()
}

/// So many different fillings of a template are looked at when a note is read; the others are looked at when they run.
const MAX_RENDERINGS: usize = 24;

/// Everything that can be said about an experiment without running it.
pub fn check(experiment: &Experiment) -> Vec<Diagnostic> {
    let program = match compile(experiment) {
        Ok(program) => program,
        Err(problems) => return problems,
    };
    let Ok(trials) = super::trials(experiment) else {
        return Vec::new();
    };
    let mut problems = Vec::new();
    for (file, template) in experiment.cluster.static_pods.iter().zip(&program.static_pods) {
        problems.extend(check_manifest(template, None, &file.text, file.place, &trials, true));
        problems.extend(static_refusal(experiment, file));
    }
    for (step, compiled) in experiment.steps.iter().zip(&program.steps) {
        if let (Timing::At(at), Until::For(end)) = (step.timing, experiment.until)
            && at > end
        {
            let message = format!("this step comes at {at}, and the trial ends at {end}");
            problems.push(Diagnostic::error("experiment.step", message).at(step.place));
        }
        let manifest = match &step.action {
            Action::Apply { text, place } => Some((0, text, *place, step.or_else == OrElse::Continue)),
            Action::Fault {
                fault: FaultSpec::WriteStaticPod(file),
            } => Some((2, &file.text, file.place, true)),
            _ => None,
        };
        if let Some((template, text, place, refusable)) = manifest
            && let Some(template) = compiled.templates.get(template)
        {
            let when = compiled.when.as_ref();
            problems.extend(check_manifest(template, when, text, place, &trials, refusable));
        }
        if let Action::Fault {
            fault: FaultSpec::WriteStaticPod(file),
        } = &step.action
        {
            problems.extend(static_refusal(experiment, file));
        }
        if let Action::Kubectl { text, place } = &step.action
            && compiled.templates.first().is_some_and(Template::is_plain)
            && let Err(error) = peapod_kubectl::Command::parse(text)
        {
            let message = first_line(&error.to_string());
            problems.push(Diagnostic::error("experiment.kubectl", message).at(*place));
        }
    }
    problems
}

fn first_line(text: &str) -> String {
    text.lines()
        .next()
        .unwrap_or_default()
        .trim_start_matches("error: ")
        .to_owned()
}

/// Why no kubelet runs a manifest that names something of the API.
fn static_refusal(experiment: &Experiment, file: &StaticPodFile) -> Option<Diagnostic> {
    let mut versions = experiment.kubernetes.iter().filter_map(|name| Version::named(name));
    let why = versions.find_map(|version| {
        let origin = static_pods::Origin {
            source: &file.file,
            is_file: true,
            node: &file.node,
            version: Profile::of(version),
        };
        static_pods::decode(&file.text, origin).err()
    })?;
    why.starts_with("static pods may not").then(|| {
        let mut diagnostic =
            Diagnostic::error("manifest.static", format!("no kubelet runs this: {why}")).at(file.place);
        diagnostic.severity = Severity::Warning;
        diagnostic
    })
}

/// What is wrong with a manifest for the values that the trials give it. `refusable`: that it is refused ends nothing.
fn check_manifest(
    template: &Template,
    when: Option<&Compiled>,
    text: &str,
    place: Place,
    trials: &[Trial],
    refusable: bool,
) -> Vec<Diagnostic> {
    let (mut seen, mut renderings) = (BTreeSet::new(), Vec::new());
    for trial in trials.iter().filter(|trial| applies(when, &trial.variables)) {
        let rendered = template.render(&trial.variables);
        if seen.insert(rendered.text.clone()) {
            renderings.push((rendered, &trial.variables));
        }
        if template.is_plain() || renderings.len() == MAX_RENDERINGS {
            break;
        }
    }
    let mut problems: Vec<(Diagnostic, usize, &Assignment)> = Vec::new();
    for (rendered, variables) in &renderings {
        for problem in manifest_problems(rendered, text, place) {
            match problems.iter_mut().find(|(known, _, _)| *known == problem) {
                Some((_, count, _)) => *count += 1,
                None => problems.push((problem, 1, variables)),
            }
        }
    }
    problems
        .into_iter()
        .map(|(mut problem, count, variables)| {
            // What is wrong for some values, or what the note expects to be refused, does not keep the rest from running.
            let meant = refusable && problem.code == "manifest.invalid";
            if count < renderings.len() || meant {
                problem.severity = if meant { Severity::Notice } else { Severity::Warning };
                if count < renderings.len() {
                    problem.hints.push(format!("with {}", words(variables)));
                }
            }
            problem
        })
        .collect()
}

/// What is wrong with a manifest, at its places in the note.
pub fn manifest_problems(rendered: &Rendered, text: &str, place: Place) -> Vec<Diagnostic> {
    let found = match manifest::read(&rendered.text) {
        Ok(documents) => documents.iter().flat_map(manifest::check).collect(),
        Err(problems) => problems,
    };
    found
        .into_iter()
        .map(|problem| {
            let end = rendered.source(problem.span.end.saturating_sub(1)) + 1;
            let start = rendered.source(problem.span.start);
            let mut diagnostic =
                Diagnostic::error(problem.code, problem.message).at(place_in(text, place, start, end.max(start + 1)));
            diagnostic.hints = problem.hints;
            diagnostic
        })
        .collect()
}

/// Whether a condition over the variables holds; one that is not there does.
pub fn applies(when: Option<&Compiled>, variables: &Assignment) -> bool {
    let view = super::expr::View::default();
    when.is_none_or(|when| {
        let bound = when.bind(variables);
        super::expr::Scope::new(&view, peapod_sim::time::SimTime::ZERO, &[]).holds(&bound.node)
    })
}

/// An assignment in words: `restartPolicy = Never, exitCode = 1`.
pub fn words(variables: &Assignment) -> String {
    let word = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    variables
        .iter()
        .map(|(name, value)| format!("{name} = {}", word(value)))
        .collect::<Vec<_>>()
        .join(", ")
}
