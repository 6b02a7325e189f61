//! Expressions over the cluster: CEL as the note writes it, checked when it is read, evaluated at every change.
//!
//! The `cel` crate parses; [`compile`] lowers its tree to [`Node`], in which every call is resolved, every field of a
//! Kubernetes object is known to exist in its type, and the objects that are looked at are known ([`Deps`]), so that
//! an expression is evaluated again only when one of them was written. [`eval`] walks that tree over borrowed JSON.
//!
//! What is not there is not an error: a missing object or field makes a comparison false (and `!` of it true). Only a
//! comparison with `null` asks whether something is there.

mod compile;
mod eval;
mod functions;
mod operands;
mod parse;
pub mod schema;
pub mod selector;
pub mod value;
pub mod view;

use std::sync::Arc;

use peapod_sim::objects::{Key, Kind};
use serde_json::Value;

#[cfg(test)]
mod tests;

pub use compile::{Compiler, Names};
pub use eval::{Scope, Trackers};
pub(crate) use functions::FUNCTIONS;
pub use value::Val;
pub use view::View;

use super::model::Assignment;
use schema::Type;
use selector::Selector;

/// Something wrong with an expression, and the bytes of its text that are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// First byte.
    pub start: usize,
    /// Byte after the last.
    pub end: usize,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub hints: Vec<String>,
}

/// An expression that is ready to be evaluated.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// The tree.
    pub node: Node,
    /// What it gives, as far as that is known.
    pub kind: Type,
    /// What it looks at.
    pub deps: Deps,
}

/// What an expression looks at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Deps {
    /// Single objects.
    pub keys: Vec<Key>,
    /// All objects of a kind.
    pub kinds: Vec<Kind>,
    /// Log lines.
    pub logs: bool,
    /// The clock.
    pub time: bool,
    /// Values over the whole trial so far.
    pub trackers: Vec<usize>,
}

impl Deps {
    /// Whether a write of that object may change the value.
    pub fn touched_by(&self, key: &Key) -> bool {
        self.kinds.contains(&key.kind) || self.keys.contains(key)
    }

    /// Adds what another expression looks at.
    pub fn extend(&mut self, other: &Self) {
        for key in &other.keys {
            if !self.keys.contains(key) {
                self.keys.push(key.clone());
            }
        }
        for kind in &other.kinds {
            if !self.kinds.contains(kind) {
                self.kinds.push(*kind);
            }
        }
        self.trackers.extend(
            other
                .trackers
                .iter()
                .filter(|tracker| !self.trackers.contains(tracker))
                .copied()
                .collect::<Vec<_>>(),
        );
        self.logs |= other.logs;
        self.time |= other.time;
    }
}

/// What an infix operator does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Modulo,
    /// `in`
    In,
}

/// What a call that does not look at the cluster computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// Elements, characters or entries.
    Size,
    /// Whether a text contains another.
    Contains,
    /// Whether a text begins with another.
    StartsWith,
    /// Whether a text ends with another.
    EndsWith,
    /// Whether a text matches a regular expression.
    Matches,
    /// Lower case of the ASCII letters.
    LowerAscii,
    /// Upper case of the ASCII letters.
    UpperAscii,
    /// As text.
    Text,
    /// As a whole number.
    Int,
    /// As a number.
    Double,
    /// Seconds since 1970 of an RFC 3339 time.
    Timestamp,
    /// Seconds of a duration such as `1m30s`.
    Duration,
}

/// What a call looks up in the cluster.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// One object; the key is known when name and namespace are.
    Object(Kind, Option<Key>),
    /// The pods that a selector selects.
    Pods(Option<Selector>),
    /// The status of a container of a pod.
    Container,
    /// The events with a reason.
    Events,
    /// The log of a container.
    Logs,
    /// A condition of an object.
    Condition,
    /// Whether an object exists.
    Exists(Kind, Option<Key>),
}

/// A lowered expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// A value.
    Const(Value),
    /// A variable of the experiment.
    Variable(Arc<str>),
    /// A variable of a macro such as `all`, by its depth.
    Local(usize),
    /// Seconds since the start.
    Time,
    /// A lookup in the cluster with its arguments.
    Lookup(Source, Vec<Node>),
    /// A field.
    Field(Box<Node>, Arc<str>),
    /// A field of whichever state a container is in.
    StateField(Box<Node>, Arc<str>),
    /// An element or an entry.
    Index(Box<Node>, Box<Node>),
    /// Whether something is there.
    Has(Box<Node>),
    /// `!`
    Not(Box<Node>),
    /// `-`
    Negate(Box<Node>),
    /// `&&`
    And(Box<Node>, Box<Node>),
    /// `||`
    Or(Box<Node>, Box<Node>),
    /// `? :`
    If(Box<[Node; 3]>),
    /// An infix operator.
    Infix(Op, Box<Node>, Box<Node>),
    /// A function.
    Call(Function, Vec<Node>),
    /// A list.
    List(Vec<Node>),
    /// A map.
    Map(Vec<(Node, Node)>),
    /// The value of a tracker so far.
    Tracked(usize),
    /// A macro over the elements of a list.
    Fold(Box<Fold>),
}

/// A macro such as `all`, as the parser expands it.
#[derive(Clone, Debug, PartialEq)]
pub struct Fold {
    /// What is walked.
    pub range: Node,
    /// Whether each step sees the index (or key) as well.
    pub two: bool,
    /// The result before the first step.
    pub init: Node,
    /// Goes on while this holds.
    pub condition: Node,
    /// The next result.
    pub step: Node,
    /// The result after the last step.
    pub result: Node,
}

/// How a tracked expression is summed up over a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Track {
    /// Whether it ever held.
    Ever,
    /// The last value that was there.
    Last,
    /// The first value that was there.
    First,
}

/// An expression inside of `ever`, `last` or `first`.
#[derive(Clone, Debug)]
pub struct Tracker {
    /// How it is summed up.
    pub track: Track,
    /// The expression.
    pub of: Compiled,
}

impl Node {
    /// This expression for one assignment of the variables: variables become values, and lookups with known arguments
    /// know their keys.
    #[must_use]
    pub fn bind(&self, variables: &Assignment) -> Self {
        let bind = |node: &Self| node.bind(variables);
        let boxed = |node: &Self| Box::new(node.bind(variables));
        match self {
            Self::Variable(name) => Self::Const(variables.get(&**name).cloned().unwrap_or(Value::Null)),
            Self::Const(_) | Self::Local(_) | Self::Time | Self::Tracked(_) => self.clone(),
            Self::Lookup(source, arguments) => {
                let arguments: Vec<Self> = arguments.iter().map(bind).collect();
                Self::Lookup(source.bind(&arguments), arguments)
            }
            Self::Field(of, name) => Self::Field(boxed(of), Arc::clone(name)),
            Self::StateField(of, name) => Self::StateField(boxed(of), Arc::clone(name)),
            Self::Index(of, index) => Self::Index(boxed(of), boxed(index)),
            Self::Has(of) => Self::Has(boxed(of)),
            Self::Not(of) => Self::Not(boxed(of)),
            Self::Negate(of) => Self::Negate(boxed(of)),
            Self::And(left, right) => Self::And(boxed(left), boxed(right)),
            Self::Or(left, right) => Self::Or(boxed(left), boxed(right)),
            Self::If(parts) => Self::If(Box::new([bind(&parts[0]), bind(&parts[1]), bind(&parts[2])])),
            Self::Infix(op, left, right) => {
                let (left, right) = (bind(left), bind(right));
                // Names are often put together: `pod('web-' + zone)`.
                if let (Op::Add, Self::Const(Value::String(left)), Self::Const(right)) = (op, &left, &right)
                    && let Value::String(right) = right
                {
                    return Self::Const(Value::String(format!("{left}{right}")));
                }
                Self::Infix(*op, Box::new(left), Box::new(right))
            }
            Self::Call(function, arguments) => Self::Call(*function, arguments.iter().map(bind).collect()),
            Self::List(elements) => Self::List(elements.iter().map(bind).collect()),
            Self::Map(entries) => Self::Map(entries.iter().map(|(key, value)| (bind(key), bind(value))).collect()),
            Self::Fold(fold) => Self::Fold(Box::new(Fold {
                range: bind(&fold.range),
                two: fold.two,
                init: bind(&fold.init),
                condition: bind(&fold.condition),
                step: bind(&fold.step),
                result: bind(&fold.result),
            })),
        }
    }

    /// What this expression looks at.
    pub fn deps(&self) -> Deps {
        let mut deps = Deps::default();
        self.collect(&mut deps);
        deps
    }

    fn collect(&self, deps: &mut Deps) {
        match self {
            Self::Const(_) | Self::Variable(_) | Self::Local(_) => {}
            Self::Time => deps.time = true,
            Self::Tracked(tracker) => deps.trackers.push(*tracker),
            Self::Lookup(source, arguments) => {
                match source {
                    Source::Object(_, Some(key)) | Source::Exists(_, Some(key)) => deps.keys.push(key.clone()),
                    Source::Object(kind, None) | Source::Exists(kind, None) => deps.kinds.push(*kind),
                    Source::Pods(_) => deps.kinds.push(Kind::Pod),
                    Source::Events => deps.kinds.push(Kind::Event),
                    Source::Logs => {
                        deps.logs = true;
                        deps.kinds.push(Kind::Pod);
                    }
                    Source::Container => match constant_key(Kind::Pod, arguments.first(), arguments.get(2)) {
                        Some(key) => deps.keys.push(key),
                        // A pod object that is already looked at, or a name that is not known before.
                        None => deps.kinds.push(Kind::Pod),
                    },
                    Source::Condition => {}
                }
                arguments.iter().for_each(|argument| argument.collect(deps));
            }
            Self::Field(of, _) | Self::StateField(of, _) | Self::Has(of) | Self::Not(of) | Self::Negate(of) => {
                of.collect(deps);
            }
            Self::Index(left, right) | Self::And(left, right) | Self::Or(left, right) | Self::Infix(_, left, right) => {
                left.collect(deps);
                right.collect(deps);
            }
            Self::If(parts) => parts.iter().for_each(|part| part.collect(deps)),
            Self::Call(_, arguments) | Self::List(arguments) => arguments.iter().for_each(|part| part.collect(deps)),
            Self::Map(entries) => entries.iter().for_each(|(key, value)| {
                key.collect(deps);
                value.collect(deps);
            }),
            Self::Fold(fold) => {
                [&fold.range, &fold.init, &fold.condition, &fold.step, &fold.result]
                    .into_iter()
                    .for_each(|part| part.collect(deps));
            }
        }
    }
}

impl Source {
    fn bind(&self, arguments: &[Node]) -> Self {
        match self {
            Self::Object(kind, _) => Self::Object(*kind, constant_key(*kind, arguments.first(), arguments.get(1))),
            Self::Exists(kind, _) => Self::Exists(*kind, constant_key(*kind, arguments.first(), arguments.get(1))),
            Self::Pods(_) => Self::Pods(match arguments.first() {
                None => Some(Selector::default()),
                Some(Node::Const(Value::String(text))) => Selector::parse(text).ok(),
                Some(_) => None,
            }),
            other => other.clone(),
        }
    }
}

/// The namespace of names that name none.
pub const DEFAULT_NAMESPACE: &str = "default";

fn constant_key(kind: Kind, name: Option<&Node>, namespace: Option<&Node>) -> Option<Key> {
    let constant = |node: &Node| match node {
        Node::Const(Value::String(text)) => Some(text.clone()),
        _ => None,
    };
    let name = constant(name?)?;
    let namespace = match namespace {
        None => DEFAULT_NAMESPACE.to_owned(),
        Some(node) => constant(node)?,
    };
    Some(Key::new(kind, &namespace, &name))
}

impl Compiled {
    /// This expression for one assignment of the variables.
    #[must_use]
    pub fn bind(&self, variables: &Assignment) -> Self {
        let node = self.node.bind(variables);
        let deps = node.deps();
        Self {
            node,
            kind: self.kind.clone(),
            deps,
        }
    }
}
