//! The words of an experiment as types: what a note asks, what a trial gave, what a run concluded.
//!
//! Everything here is plain data that is stored, sent to a browser and written into reports; nothing here runs.

use indexmap::IndexMap;
use peapod_sim::time::{SimDuration, SimTime};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One value for each variable, in the order in which the experiment declares them.
pub type Assignment = IndexMap<String, Value>;

/// How bad a [`Diagnostic`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// It cannot run.
    Error,
    /// It runs, but probably not as meant.
    Warning,
    /// Good to know.
    Notice,
}

/// Something to tell a person about a place in a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// A stable code, such as `experiment.unknown-key`.
    pub code: String,
    /// What is wrong, in a sentence.
    pub message: String,
    /// The note, relative to its vault, if known.
    pub file: Option<String>,
    /// Line in that file, from 1; 0 when there is no place.
    pub line: u32,
    /// Column in characters, from 1; 0 when there is no place.
    pub column: u32,
    /// How many characters are meant, at least 1.
    pub length: u32,
    /// What would be right.
    pub hints: Vec<String>,
}

impl Diagnostic {
    /// An error without a place yet.
    pub fn error(code: &str, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code: code.to_owned(),
            message: message.into(),
            file: None,
            line: 0,
            column: 0,
            length: 1,
            hints: Vec::new(),
        }
    }

    /// The same at a place; `length` in characters.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.line = place.line;
        self.column = place.column;
        self.length = place.length.max(1);
        self
    }

    /// The same with one more hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The same in a file.
    #[must_use]
    pub fn in_file(mut self, file: &str) -> Self {
        self.file = Some(file.to_owned());
        self
    }
}

impl std::fmt::Display for Diagnostic {
    /// `file:line:column: error: message`, then one line a hint.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{file}:")?;
        }
        if self.line > 0 {
            write!(f, "{}:{}:", self.line, self.column)?;
        }
        if self.file.is_some() || self.line > 0 {
            write!(f, " ")?;
        }
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Notice => "notice",
        };
        write!(f, "{severity}: {}", self.message)?;
        for hint in &self.hints {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

/// A place in a note: line and column from 1, length in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Line in the note, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// Length in characters.
    pub length: u32,
}

/// A CEL expression as it was written, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expression {
    /// The text.
    pub text: String,
    /// Where it stands in the note.
    pub place: Place,
}

/// An experiment as a note states it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Experiment {
    /// Unique in its note.
    pub id: String,
    /// Its title; the id if it has none.
    pub title: String,
    /// The question that it asks.
    pub question: Option<String>,
    /// Kubernetes versions; more than one make a variable named `kubernetes`.
    pub kubernetes: Vec<String>,
    /// The cluster.
    pub cluster: ClusterSpec,
    /// The variables, in the order of declaration.
    pub variables: Vec<Variable>,
    /// Trials added to the cross product.
    pub include: Vec<Assignment>,
    /// Partial assignments that are taken out of the cross product.
    pub exclude: Vec<Assignment>,
    /// Seed of every trial's random choices.
    pub seed: u64,
    /// Whether waits are stretched at random as the real components do.
    pub jitter: JitterMode,
    /// How many seeds each assignment is run under.
    pub schedules: u32,
    /// What is done, in order.
    pub steps: Vec<Step>,
    /// When a trial ends.
    pub until: Until,
    /// Named values at the end of a trial.
    pub observe: Vec<Observation>,
    /// What is expected.
    pub expect: Vec<Expectation>,
    /// What the reader is asked before the first run.
    pub predict: Option<Predict>,
    /// Where to look for counter-examples of its claims.
    #[serde(default, skip_serializing_if = "RefuteSpec::is_default")]
    pub refute: RefuteSpec,
    /// Where the fence's content begins in the note; line 1 when it stands alone.
    pub first_line: u32,
    /// The text of the fence.
    pub source: String,
}

/// The cluster an experiment runs on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClusterSpec {
    /// The nodes; empty means the default node.
    pub nodes: Vec<NodeSpec>,
    /// Component settings by the name of the real flag or field.
    pub settings: IndexMap<String, String>,
    /// Feature gates that are not as they come with the version.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub feature_gates: IndexMap<String, bool>,
    /// Files that lie in the nodes' directories of static pods at the start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub static_pods: Vec<StaticPodFile>,
}

/// A file in a node's directory of static pods.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StaticPodFile {
    /// Node name.
    pub node: String,
    /// File name.
    pub file: String,
    /// The manifest, a template over the variables.
    pub text: String,
    /// Where its first line stands in the note.
    pub place: Place,
}

fn default_disk() -> String {
    peapod_sim::cluster::NodeConfig::default().disk
}

/// One node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeSpec {
    /// Name.
    pub name: String,
    /// CPU quantity, such as `4`.
    pub cpu: String,
    /// Memory quantity, such as `8Gi`.
    pub memory: String,
    /// Quantity of the disk that pods, their logs and images share, such as `100Gi`.
    #[serde(default = "default_disk")]
    pub disk: String,
    /// Most pods.
    pub pods: u32,
    /// Labels.
    pub labels: IndexMap<String, String>,
    /// Taints as `key=value:effect`.
    pub taints: Vec<TaintSpec>,
}

/// A taint of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaintSpec {
    /// Key.
    pub key: String,
    /// Value, may be empty.
    pub value: String,
    /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`.
    pub effect: String,
}

/// A variable and the values that it takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Variable {
    /// Name.
    pub name: String,
    /// Values, in the order of declaration.
    pub values: Vec<Value>,
}

/// How random waits are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum JitterMode {
    /// As the real components draw them, from the seed.
    #[default]
    Real,
    /// The smallest wait.
    None,
}

/// One step of an experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Done only where this holds (over the variables).
    pub when: Option<Expression>,
    /// When it is done.
    pub timing: Timing,
    /// What is done.
    pub action: Action,
    /// What happens when it fails.
    #[serde(default)]
    pub or_else: OrElse,
    /// Where it stands.
    pub place: Place,
}

/// When a step is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Timing {
    /// Directly after the step before it.
    #[default]
    Now,
    /// That long after the start; at once if that has passed.
    At(SimDuration),
    /// That long after the step before it.
    After(SimDuration),
    /// That long after the start, whatever the other steps wait for: done by somebody else, in another terminal. What
    /// it does is not waited for.
    Aside(SimDuration),
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// Applies manifests, a template over the variables.
    Apply {
        /// The template.
        text: String,
        /// Where its first line stands in the note.
        place: Place,
    },
    /// Runs a `kubectl` line (without the word `kubectl`), a template over the variables.
    Kubectl {
        /// The template.
        text: String,
        /// Where it stands.
        place: Place,
    },
    /// Types a line into the shell of a workstation; what it prints is compared.
    Shell {
        /// The line; lines, if it is continued.
        text: String,
        /// Where it stands.
        place: Place,
    },
    /// Waits until an expression holds.
    Wait {
        /// The expression.
        until: Expression,
        /// How long at most, in virtual time.
        timeout: SimDuration,
    },
    /// Lets virtual time pass.
    Sleep {
        /// How long.
        duration: SimDuration,
    },
    /// Injects a fault; texts are templates over the variables.
    Fault {
        /// Which.
        fault: FaultSpec,
    },
}

/// What a step that fails, or a wait that times out, does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OrElse {
    /// The trial ends with an error.
    #[default]
    Fail,
    /// The next step follows.
    Continue,
}

/// A fault as an experiment words it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FaultSpec {
    /// A node loses power.
    NodePowerOff {
        /// Node name.
        node: String,
    },
    /// A node crashes and starts again.
    NodeCrash {
        /// Node name.
        node: String,
    },
    /// The kubelet of a node is frozen, or thawed.
    FreezeKubelet {
        /// Node name.
        node: String,
        /// Frozen or thawed.
        on: bool,
    },
    /// The kubelet of a node is stopped, or started.
    StopKubelet {
        /// Node name.
        node: String,
        /// Stopped or started.
        on: bool,
    },
    /// A node is cut off the network, or joined again.
    Partition {
        /// Node name.
        node: String,
        /// Cut off or joined.
        on: bool,
    },
    /// Something on a node that is no pod takes memory, disk or process numbers.
    Starve {
        /// Node name.
        node: String,
        /// `memoryPressure`, `diskPressure` or `pidPressure`.
        pressure: String,
        /// `true`, `false` or an amount.
        amount: String,
    },
    /// Everything that was done to a node is undone.
    RestoreNode {
        /// Node name.
        node: String,
    },
    /// A node is shut down in an orderly way, or its shutdown is called off.
    ShutdownNode {
        /// Node name.
        node: String,
        /// Shut down or called off.
        on: bool,
    },
    /// A file is written into a node's directory of static pods.
    WriteStaticPod(StaticPodFile),
    /// A file is removed from a node's directory of static pods.
    RemoveStaticPod {
        /// Node name.
        node: String,
        /// File name.
        file: String,
    },
    /// A signal to a container's main process.
    KillContainer {
        /// Namespace.
        namespace: String,
        /// Pod.
        pod: String,
        /// Container.
        container: String,
        /// `SIGKILL`, `SIGTERM` …
        signal: String,
    },
    /// The sandbox of a pod is killed.
    KillSandbox {
        /// Namespace.
        namespace: String,
        /// Pod.
        pod: String,
    },
    /// An image can be pulled from now on.
    ImageAvailable {
        /// Image reference.
        image: String,
    },
    /// A registry does not answer.
    RegistryDown {
        /// Host, such as `docker.io`.
        registry: String,
        /// For how long; for ever if absent.
        duration: Option<SimDuration>,
    },
}

/// When a trial ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Until {
    /// That long after the start.
    For(SimDuration),
    /// When nothing but heartbeats is left to happen, at the latest after `cap`.
    Settled {
        /// The latest end.
        cap: SimDuration,
    },
}

/// A named value at the end of a trial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// Name: a column of the result table, and a name for expectations.
    pub name: String,
    /// How it is computed.
    pub expression: Expression,
}

/// What is expected of every trial where `when` holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Expectation {
    /// The sentence, or empty when it checks a sentence of the note.
    pub claim: String,
    /// The block id (without `^`) of the sentence that it checks.
    pub block: Option<String>,
    /// Where it applies (over the variables).
    pub when: Option<Expression>,
    /// What is to hold, and how.
    pub condition: Condition,
    /// Must be decided within this long of `after`.
    pub within: Option<SimDuration>,
    /// Must hold without a break for this long.
    pub lasting: Option<SimDuration>,
    /// Looked at only from this long after the start.
    pub after: Option<SimDuration>,
    /// Whose claim it is: a wikilink.
    pub of: Option<String>,
    /// What the note expects: [`Verdict::Holds`], or [`Verdict::Fails`] when it means to show that the claim is wrong.
    pub expected: Verdict,
    /// Where it stands.
    pub place: Place,
}

/// The temporal form of an expectation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Condition {
    /// At some instant.
    Eventually(Expression),
    /// At every instant.
    Always(Expression),
    /// At no instant.
    Never(Expression),
    /// At the end.
    Finally(Expression),
    /// The first at every instant before one at which the second holds, which comes.
    Until(Expression, Expression),
    /// The object named by the partial one has these fields at the end.
    Shape(Value),
    /// A line of a console prints this; `…` stands for anything.
    Prints {
        /// Index of its step.
        step: usize,
        /// The line, without the prompt.
        command: String,
        /// What the note shows under it.
        output: String,
    },
}

impl Condition {
    /// The key of the experiment language: `eventually`, `always` …
    pub fn keyword(&self) -> &'static str {
        match self {
            Self::Eventually(_) => "eventually",
            Self::Always(_) => "always",
            Self::Never(_) => "never",
            Self::Finally(_) => "finally",
            Self::Until(..) => "until",
            Self::Shape(_) => "shape",
            Self::Prints { .. } => "prints",
        }
    }

    /// The condition as the note words it.
    pub fn text(&self) -> String {
        match self {
            Self::Eventually(e) | Self::Always(e) | Self::Never(e) | Self::Finally(e) => e.text.clone(),
            Self::Until(a, b) => format!("{} until {}", a.text, b.text),
            Self::Shape(value) => value.to_string(),
            Self::Prints { command, .. } => command.clone(),
        }
    }
}

/// What the reader is asked before the first run, and what of the outcome is the answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Predict {
    /// The question.
    pub ask: String,
    /// Answers to choose from; the reader writes one if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
    /// The observation that is asked about; the first one if it is not named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// The answer is the number of trials in which these variables and observations have these values.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub count: IndexMap<String, Vec<Value>>,
}

/// Where to look for counter-examples: what is varied, what is not, and how long to look.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefuteSpec {
    /// Fields of manifests and the values that they may have; with these, or with faults, nothing else is varied.
    pub vary: Vec<Vary>,
    /// What may happen to the cluster.
    pub faults: Vec<FaultSpec>,
    /// When it may happen, since the start; the instants at which pods change if there are none.
    pub at: Vec<SimDuration>,
    /// Fields that are left as they are, with everything in them.
    pub keep: Vec<String>,
    /// How many trials are made at most.
    pub tries: Option<u32>,
}

impl RefuteSpec {
    /// Whether the experiment says nothing about it.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A field of the manifests and the values that it may have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Vary {
    /// Its path, such as `spec.containers[app].image`.
    pub path: String,
    /// The values; `null` takes the field out.
    pub values: Vec<Value>,
}

/// One assignment of the variables: one simulation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Its place in the run, from 0.
    pub index: usize,
    /// The variables.
    pub variables: Assignment,
    /// The seed.
    pub seed: u64,
    /// The Kubernetes version.
    pub kubernetes: String,
}

/// How a trial ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Ended {
    /// At the instant that `until` names.
    Until,
    /// Nothing would change any more.
    Settled,
    /// `until: settled` met its cap first.
    Cap,
    /// A limit was met; the error names it.
    Limit,
    /// A step failed; the error says why.
    Error,
    /// It was cancelled.
    Cancelled,
}

/// What one trial gave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrialResult {
    /// Which trial.
    pub trial: Trial,
    /// How it ended.
    pub ended: Ended,
    /// What went wrong, if anything did.
    pub error: Option<Diagnostic>,
    /// The observations; `null` where the object or field was missing.
    pub observations: IndexMap<String, Value>,
    /// One outcome an expectation, in the order of the experiment.
    pub expectations: Vec<ExpectationOutcome>,
    /// Lower-case hexadecimal SHA-256 of the trace's JSON (before compression).
    pub digest: String,
    /// What was accepted but not simulated, and assumptions made.
    pub notices: Vec<String>,
    /// Virtual time that passed.
    pub duration: SimDuration,
    /// Number of records in the trace.
    pub records: usize,
}

/// Whether one trial agrees with one expectation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpectationOutcome {
    /// What came of it.
    pub outcome: Outcome,
    /// The instant that decided it: when `eventually` came to hold, when `never` was broken. For what is decided only
    /// at the end, the end.
    pub at: Option<SimTime>,
    /// What was not as expected, in a sentence; empty when it holds.
    pub message: String,
}

/// What came of an expectation in a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// It holds.
    Holds,
    /// It does not.
    Fails,
    /// Its `when` excludes this trial.
    NotApplicable,
    /// The trial ended before it could be decided.
    Undecided,
}

/// What a run says about a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// True in every trial to which it applies.
    Holds,
    /// False in every trial to which it applies.
    Fails,
    /// True in some trials and false in others; [`ClaimResult::rule`] says in which it is true.
    Depends,
    /// No trial could decide it.
    Unchecked,
}

/// What a run says about one expectation, over all trials.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClaimResult {
    /// The sentence; empty when `block` names one.
    pub claim: String,
    /// Block id (without `^`) of the sentence in the note.
    pub block: Option<String>,
    /// Whose claim it is: a wikilink.
    pub of: Option<String>,
    /// `eventually`, `always`, `never`, `finally`, `until`, `shape`, `prints`.
    pub keyword: String,
    /// The condition as the note words it.
    pub condition: String,
    /// Where it applies, as the note words it.
    pub when: Option<String>,
    /// What the note expects.
    pub expected: Verdict,
    /// What came out.
    pub verdict: Verdict,
    /// Whether what came out is what the note expects.
    pub as_expected: bool,
    /// Trials that agree.
    pub trials_for: usize,
    /// Trials that disagree.
    pub trials_against: usize,
    /// The first trial that disagrees.
    pub counter_example: Option<CounterExample>,
    /// When it depends: the rule over the variables for which it holds, such as `restartPolicy = Never ∧ exitCode ≠ 0`.
    pub rule: Option<String>,
    /// Where the expectation stands.
    pub place: Place,
}

/// A trial that disagrees with a claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CounterExample {
    /// Index of the trial.
    pub trial: usize,
    /// The instant that shows it.
    pub at: Option<SimTime>,
    /// What was not as expected.
    pub message: String,
}

/// The outcomes of one observation over the grid of the variables, and the smallest rules that give them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DecisionTable {
    /// The variables with the values that occur.
    pub variables: Vec<Variable>,
    /// Name of the observation.
    pub outcome: String,
    /// One cell an assignment, in the order of the trials.
    pub cells: Vec<Cell>,
    /// The rules; together they give exactly the outcomes of the cells.
    pub rules: Vec<Rule>,
    /// Whether no smaller set of rules exists (`false`: the search was cut short at its bound).
    pub minimal: bool,
}

/// One cell of the grid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// For each variable the index of its value in [`DecisionTable::variables`].
    pub values: Vec<usize>,
    /// The outcome; [`Value::Null`] where it was missing. Where schedules disagree, an array of all outcomes.
    pub outcome: Value,
    /// Indices of the trials in this cell.
    pub trials: Vec<usize>,
}

/// One rule: where all its terms hold, the outcome is this.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// The outcome.
    pub outcome: Value,
    /// The terms, all of which must hold; none means always.
    pub terms: Vec<Term>,
    /// The terms in words: `restartPolicy = Never ∧ exitCode ≠ 0`; `always` as `⊤`.
    pub text: String,
}

/// A condition on one variable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Term {
    /// Name of the variable.
    pub variable: String,
    /// The values that it may have.
    pub values: Vec<Value>,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RunStatus {
    /// It runs.
    Running,
    /// All trials ended.
    Finished,
    /// It could not run; the diagnostics say why.
    Failed,
    /// It was cancelled.
    Cancelled,
    /// The process ended before it did.
    Interrupted,
}

impl RunStatus {
    /// As the store and the interface write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
        }
    }

    /// The status written so.
    pub fn named(text: &str) -> Option<Self> {
        [
            Self::Running,
            Self::Finished,
            Self::Failed,
            Self::Cancelled,
            Self::Interrupted,
        ]
        .into_iter()
        .find(|status| status.as_str() == text)
    }
}

/// What all trials of an experiment gave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunResult {
    /// The experiment as it was run.
    pub experiment: Experiment,
    /// How the run ended.
    pub status: RunStatus,
    /// The trials, in order.
    pub trials: Vec<TrialResult>,
    /// One result an expectation, in the order of the experiment.
    pub claims: Vec<ClaimResult>,
    /// One table an observation whose outcomes can be tabulated.
    pub tables: Vec<DecisionTable>,
    /// What to tell about the run as a whole.
    pub diagnostics: Vec<Diagnostic>,
    /// Version of Peapod that ran it.
    pub peapod: String,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Trials that ended.
    pub done: usize,
    /// All trials.
    pub total: usize,
    /// Trials that ended with an error.
    pub failed: usize,
}
