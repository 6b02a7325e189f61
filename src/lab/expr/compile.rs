//! From the parser's tree to [`Node`]: names are resolved, calls are checked, fields are looked up in Kubernetes' types.

use std::sync::Arc;

use cel::IdedExpr;
use cel::common::ast::{EntryExpr, Expr, SourceInfo};
use peapod_sim::objects::Kind;
use serde_json::Value;

use super::functions::FUNCTIONS;
use super::operands::{common, literal_value, type_of};
use super::schema::{self, Type};
use super::{Compiled, Fold, Function, Node, Tracker, Trouble, parse};
use crate::lab::limit;
use crate::lab::model::{Observation, Variable};
use crate::lab::nearest;

/// The names that the expressions of an experiment may use beside the functions.
#[derive(Clone, Debug, Default)]
pub struct Names {
    variables: Vec<(Arc<str>, Type)>,
    observations: Vec<(Arc<str>, String)>,
}

impl Names {
    /// The names of an experiment.
    pub fn new(variables: &[Variable], observations: &[Observation]) -> Self {
        Self {
            variables: variables
                .iter()
                .map(|variable| (variable.name.as_str().into(), type_of(&variable.values)))
                .collect(),
            observations: observations
                .iter()
                .map(|observation| (observation.name.as_str().into(), observation.expression.text.clone()))
                .collect(),
        }
    }

    /// The variables alone: what `when` and templates may use.
    #[must_use]
    pub fn variables_only(&self) -> Self {
        Self {
            variables: self.variables.clone(),
            observations: Vec::new(),
        }
    }
}

/// Compiles the expressions of one experiment.
#[derive(Debug)]
pub struct Compiler {
    names: Names,
    observed: Vec<Observed>,
    pub(super) trackers: Vec<Tracker>,
    pub(super) cluster: bool,
}

#[derive(Clone, Debug)]
enum Observed {
    NotYet,
    Open,
    Done(Compiled),
    Broken,
}

const METHODS: &[&str] = &[
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "matches",
    "lowerAscii",
    "upperAscii",
    "all",
    "exists",
    "exists_one",
    "map",
    "filter",
];

/// What the lowering of one expression carries along.
pub(super) struct Walk<'a> {
    info: &'a SourceInfo,
    pub(super) locals: Vec<(String, Type)>,
    troubles: Vec<Trouble>,
    depth: usize,
}

impl Walk<'_> {
    pub(super) fn trouble(
        &mut self,
        at: (usize, usize),
        message: impl Into<String>,
        hint: Option<String>,
    ) -> (Node, Type) {
        let trouble = Trouble {
            start: at.0,
            end: at.1,
            message: message.into(),
            hints: hint.into_iter().collect(),
        };
        if !self.troubles.contains(&trouble) {
            self.troubles.push(trouble);
        }
        (Node::Const(Value::Null), Type::Any)
    }

    /// The bytes of a node's own token.
    pub(super) fn token(&self, id: u64) -> (usize, usize) {
        self.info
            .offset_for(id)
            .map_or((0, 0), |(start, stop)| (start as usize, stop as usize + 1))
    }

    /// The identifier that ends before or begins after a token: the name of a call or of a field.
    pub(super) fn word(&self, id: u64, name: &str) -> (usize, usize) {
        let (at, _) = self.token(id);
        let text = &self.info.source;
        let is_word = |at: usize| text.get(at..).is_some_and(|rest| rest.starts_with(name));
        let before = text
            .get(..at)
            .map(|head| head.trim_end().len())
            .and_then(|end| end.checked_sub(name.len()));
        if let Some(start) = before.filter(|start| is_word(*start)) {
            return (start, start + name.len());
        }
        let after = text.get(at..).and_then(|rest| rest.find(name)).map(|found| at + found);
        after.map_or((at, at + 1), |start| (start, start + name.len()))
    }
}

impl Compiler {
    /// A compiler for expressions over the cluster with these names.
    pub fn new(names: Names) -> Self {
        let observed = vec![Observed::NotYet; names.observations.len()];
        Self {
            names,
            observed,
            trackers: Vec::new(),
            cluster: true,
        }
    }

    /// A compiler for expressions over the variables alone.
    pub fn of_variables(names: &Names) -> Self {
        Self {
            names: names.variables_only(),
            observed: Vec::new(),
            trackers: Vec::new(),
            cluster: false,
        }
    }

    /// The trackers of the expressions compiled so far.
    pub fn into_trackers(self) -> Vec<Tracker> {
        self.trackers
    }

    /// Compiles an expression.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn compile(&mut self, text: &str) -> Result<Compiled, Vec<Trouble>> {
        let (tree, info) = parse::parse(text)?;
        let mut walk = Walk {
            info: &info,
            locals: Vec::new(),
            troubles: Vec::new(),
            depth: 0,
        };
        let (node, kind) = self.lower(&tree, &mut walk);
        if walk.troubles.is_empty() {
            let deps = node.deps();
            Ok(Compiled { node, kind, deps })
        } else {
            Err(walk.troubles)
        }
    }

    /// Compiles an expression that is to be true or false.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn compile_condition(&mut self, text: &str) -> Result<Compiled, Vec<Trouble>> {
        let compiled = self.compile(text)?;
        if matches!(compiled.kind, Type::Bool | Type::Any) {
            return Ok(compiled);
        }
        let message = format!("this is {}, and true or false is needed here", compiled.kind.words());
        Err(vec![Trouble {
            start: 0,
            end: text.len(),
            message,
            hints: vec!["compare it, as in `x == 'Failed'`".into()],
        }])
    }

    pub(super) fn lower(&mut self, tree: &IdedExpr, walk: &mut Walk<'_>) -> (Node, Type) {
        if walk.depth >= limit::EXPRESSION_DEPTH {
            return walk.trouble(
                walk.token(tree.id),
                format!("deeper than {} levels", limit::EXPRESSION_DEPTH),
                None,
            );
        }
        walk.depth += 1;
        let lowered = self.lower_inner(tree, walk);
        walk.depth -= 1;
        lowered
    }

    fn lower_inner(&mut self, tree: &IdedExpr, walk: &mut Walk<'_>) -> (Node, Type) {
        match &tree.expr {
            Expr::Literal(literal) => literal_value(literal),
            Expr::Ident(name) => self.name(name, tree.id, walk),
            Expr::Select(select) => {
                let (of, kind) = self.lower(&select.operand, walk);
                let (node, kind) = Self::field(of, &kind, &select.field, tree.id, walk);
                if select.test {
                    (Node::Has(Box::new(node)), Type::Bool)
                } else {
                    (node, kind)
                }
            }
            Expr::Call(call) => match &call.target {
                Some(target) => self.method(&call.func_name, target, &call.args, tree.id, walk),
                None => self.call(&call.func_name, &call.args, tree.id, walk),
            },
            Expr::List(list) => {
                let lowered: Vec<(Node, Type)> =
                    list.elements.iter().map(|element| self.lower(element, walk)).collect();
                let kind = common(lowered.iter().map(|(_, kind)| kind));
                (
                    Node::List(lowered.into_iter().map(|(node, _)| node).collect()),
                    Type::List(Arc::new(kind)),
                )
            }
            Expr::Map(map) => {
                let mut entries = Vec::new();
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        entries.push((self.lower(&entry.key, walk).0, self.lower(&entry.value, walk).0));
                    }
                }
                (Node::Map(entries), Type::Map(Arc::new(Type::Any)))
            }
            Expr::Comprehension(fold) => self.fold(fold, walk),
            Expr::Struct(_) | Expr::Unspecified => {
                walk.trouble(walk.token(tree.id), "messages cannot be built here", None)
            }
        }
    }

    fn name(&mut self, name: &str, id: u64, walk: &mut Walk<'_>) -> (Node, Type) {
        if let Some(depth) = walk.locals.iter().rposition(|(local, _)| local == name) {
            return (Node::Local(depth), walk.locals[depth].1.clone());
        }
        if let Some((name, kind)) = self.names.variables.iter().find(|(variable, _)| **variable == *name) {
            return (Node::Variable(Arc::clone(name)), kind.clone());
        }
        if let Some(index) = self
            .names
            .observations
            .iter()
            .position(|(observation, _)| **observation == *name)
        {
            return self.observation(index, id, walk);
        }
        if name == "t" && self.cluster {
            return (Node::Time, Type::Number);
        }
        let at = walk.token(id);
        if FUNCTIONS.contains(&name) {
            return walk.trouble(
                at,
                format!("`{name}` is a function"),
                Some(format!("write `{name}(…)`")),
            );
        }
        let known = self.names.variables.iter().chain([]).map(|(name, _)| &**name);
        let known: Vec<&str> = known
            .chain(self.names.observations.iter().map(|(name, _)| &**name))
            .collect();
        let known: Vec<&str> = known.into_iter().filter(|known| *known != name).collect();
        let hint = nearest::nearest(name, known.iter().copied())
            .map(|meant| format!("did you mean `{meant}`?"))
            .or_else(|| Some(format!("text stands between quotes: `'{name}'`")));
        let kind = if self.cluster {
            "no variable or observation"
        } else {
            "no variable"
        };
        walk.trouble(at, format!("{kind} is called `{name}`"), hint)
    }

    fn observation(&mut self, index: usize, id: u64, walk: &mut Walk<'_>) -> (Node, Type) {
        match &self.observed[index] {
            Observed::Done(compiled) => (compiled.node.clone(), compiled.kind.clone()),
            // It says itself what is wrong with it, where it stands.
            Observed::Broken => (Node::Const(Value::Null), Type::Any),
            Observed::Open => {
                let name = self.names.observations[index].0.to_string();
                walk.trouble(
                    walk.token(id),
                    format!("the observation `{name}` depends on itself"),
                    None,
                )
            }
            Observed::NotYet => {
                self.observed[index] = Observed::Open;
                let text = self.names.observations[index].1.clone();
                let compiled = self.compile(&text);
                match compiled {
                    Ok(compiled) => {
                        self.observed[index] = Observed::Done(compiled.clone());
                        (compiled.node, compiled.kind)
                    }
                    Err(troubles) => {
                        self.observed[index] = Observed::Broken;
                        if let Some(own) = troubles
                            .iter()
                            .find(|trouble| trouble.message.contains("depends on itself"))
                        {
                            return walk.trouble(walk.token(id), own.message.clone(), None);
                        }
                        (Node::Const(Value::Null), Type::Any)
                    }
                }
            }
        }
    }

    pub(super) fn field(of: Node, kind: &Type, name: &str, id: u64, walk: &mut Walk<'_>) -> (Node, Type) {
        match kind {
            Type::Any => (Node::Field(Box::new(of), name.into()), Type::Any),
            Type::Map(element) => (Node::Field(Box::new(of), name.into()), (**element).clone()),
            Type::Struct(fields) => {
                if let Some(kind) = fields.field(name) {
                    return (Node::Field(Box::new(of), name.into()), kind.clone());
                }
                if fields.name == "ContainerState"
                    && let Some(kind) = state_field(fields, name)
                {
                    return (Node::StateField(Box::new(of), name.into()), kind);
                }
                let mut known: Vec<&str> = fields.fields.iter().map(|(name, _)| *name).collect();
                if fields.name == "ContainerState" {
                    known.extend([
                        "reason",
                        "message",
                        "exitCode",
                        "signal",
                        "startedAt",
                        "finishedAt",
                        "containerID",
                    ]);
                }
                let hint = nearest::nearest(name, known.iter().copied())
                    .map(|meant| format!("did you mean `{meant}`?"))
                    .or_else(|| elsewhere(name))
                    .or_else(|| nearest::hint(name, known.iter().copied()));
                walk.trouble(
                    walk.word(id, name),
                    format!("a {} has no field `{name}`", fields.name),
                    hint,
                )
            }
            Type::List(_) => {
                let hint = Some(format!(
                    "name an element, as in `[0].{name}`, or use `.exists(x, x.{name} == …)`"
                ));
                walk.trouble(walk.word(id, name), format!("a list has no field `{name}`"), hint)
            }
            other => walk.trouble(
                walk.word(id, name),
                format!("{} has no field `{name}`", other.words()),
                None,
            ),
        }
    }

    fn method(
        &mut self,
        name: &str,
        target: &IdedExpr,
        arguments: &[IdedExpr],
        id: u64,
        walk: &mut Walk<'_>,
    ) -> (Node, Type) {
        let (of, of_kind) = self.lower(target, walk);
        let at = walk.word(id, name);
        let (function, count, kind) = match name {
            "size" => (Function::Size, 0, Type::Int),
            "contains" => (Function::Contains, 1, Type::Bool),
            "startsWith" => (Function::StartsWith, 1, Type::Bool),
            "endsWith" => (Function::EndsWith, 1, Type::Bool),
            "matches" => (Function::Matches, 1, Type::Bool),
            "lowerAscii" => (Function::LowerAscii, 0, Type::Text),
            "upperAscii" => (Function::UpperAscii, 0, Type::Text),
            _ => {
                let usage = METHODS.contains(&name).then(|| format!("used as `.{name}(x, …)`"));
                let hint = usage.or_else(|| nearest::hint(name, METHODS.iter().copied()));
                return walk.trouble(
                    at,
                    format!("no method is called `{name}`, or it is used otherwise"),
                    hint,
                );
            }
        };
        if arguments.len() != count {
            return walk.trouble(at, format!("`{name}` takes {count} arguments"), None);
        }
        if function != Function::Size && !matches!(of_kind, Type::Text | Type::Any) {
            let hint = matches!(of_kind, Type::List(_)).then(|| "`x in list` looks into a list".to_owned());
            return walk.trouble(
                at,
                format!("`{name}` is for text, and this is {}", of_kind.words()),
                hint,
            );
        }
        let mut nodes = vec![of];
        nodes.extend(arguments.iter().map(|argument| self.lower(argument, walk).0));
        if let (Function::Matches, Some(Node::Const(Value::String(pattern)))) = (function, nodes.get(1))
            && let Err(error) = regex::Regex::new(pattern)
        {
            let message = error.to_string();
            let last = message
                .lines()
                .last()
                .unwrap_or_default()
                .trim_start_matches("error: ")
                .to_owned();
            return walk.trouble(
                walk.token(arguments[0].id),
                format!("no regular expression: {last}"),
                None,
            );
        }
        (Node::Call(function, nodes), kind)
    }

    fn fold(&mut self, fold: &cel::common::ast::ComprehensionExpr, walk: &mut Walk<'_>) -> (Node, Type) {
        let (range, range_kind) = self.lower(&fold.iter_range, walk);
        let (init, init_kind) = self.lower(&fold.accu_init, walk);
        let element = match &range_kind {
            Type::List(element) => (**element).clone(),
            Type::Map(_) => Type::Text,
            _ => Type::Any,
        };
        let depth = walk.locals.len();
        match &fold.iter_var2 {
            None => walk.locals.push((fold.iter_var.clone(), element)),
            Some(second) => {
                let value = if let Type::Map(value) = &range_kind {
                    (**value).clone()
                } else {
                    element
                };
                walk.locals.push((fold.iter_var.clone(), Type::Any));
                walk.locals.push((second.clone(), value));
            }
        }
        let init_is_list = matches!(&init, Node::List(_));
        walk.locals
            .push((fold.accu_var.clone(), if init_is_list { Type::Any } else { init_kind }));
        let (condition, _) = self.lower(&fold.loop_cond, walk);
        let (step, step_kind) = self.lower(&fold.loop_step, walk);
        if let Some(accumulator) = walk.locals.last_mut() {
            accumulator.1 = step_kind;
        }
        let (result, kind) = self.lower(&fold.result, walk);
        walk.locals.truncate(depth);
        let two = fold.iter_var2.is_some();
        (
            Node::Fold(Box::new(Fold {
                range,
                two,
                init,
                condition,
                step,
                result,
            })),
            kind,
        )
    }
}

/// A field of any of a container's three states.
fn state_field(states: &schema::Struct, name: &str) -> Option<Type> {
    states.fields.iter().find_map(|(_, state)| match state {
        Type::Struct(fields) => fields.field(name).cloned(),
        _ => None,
    })
}

/// Where the field is that was looked for in a wrong part of an object.
fn elsewhere(name: &str) -> Option<String> {
    let has = |path: &[&str]| match schema::part(Kind::Pod, path) {
        Type::Struct(fields) => fields.field(name).is_some(),
        Type::List(element) => matches!(&*element, Type::Struct(fields) if fields.field(name).is_some()),
        _ => false,
    };
    if has(&["status", "containerStatuses"]) && !has(&["status"]) {
        return Some(format!("it is in `container(pod, name).{name}`"));
    }
    let part = ["status", "spec", "metadata"].into_iter().find(|part| has(&[part]))?;
    Some(format!("a Pod has it in `.{part}.{name}`"))
}
