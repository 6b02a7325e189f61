//! Evaluation of lowered expressions over a [`View`].

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::cmp::Ordering;
use std::collections::HashMap;

use peapod_sim::objects::{Key, Kind};
use peapod_sim::time::SimTime;
use regex::Regex;
use serde_json::Value;

use super::selector::Selector;
use super::{DEFAULT_NAMESPACE, Fold, Function, Node, Op, Source, Track, Tracker, Val, View};
use crate::lab::duration;

/// Where an expression is evaluated.
pub struct Scope<'a> {
    /// The cluster.
    pub view: &'a View,
    /// The instant.
    pub now: SimTime,
    /// The values of the trackers so far.
    pub tracked: &'a [Option<Value>],
    trouble: RefCell<Option<String>>,
    budget: Cell<u64>,
}

/// Steps that one evaluation may take.
const MAX_STEPS: u64 = 2_000_000;

impl<'a> Scope<'a> {
    /// A scope at an instant.
    pub fn new(view: &'a View, now: SimTime, tracked: &'a [Option<Value>]) -> Self {
        Self {
            view,
            now,
            tracked,
            trouble: RefCell::new(None),
            budget: Cell::new(MAX_STEPS),
        }
    }

    /// The value of an expression.
    pub fn eval(&self, node: &'a Node) -> Val<'a> {
        self.budget.set(MAX_STEPS);
        self.value(node, &mut Vec::new())
    }

    /// Whether an expression holds.
    pub fn holds(&self, node: &'a Node) -> bool {
        self.eval(node).holds()
    }

    /// What went wrong in the evaluations so far, such as a comparison of text with a number.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.borrow().clone()
    }

    fn complain(&self, message: impl FnOnce() -> String) -> Val<'a> {
        self.trouble.borrow_mut().get_or_insert_with(message);
        Val::Missing
    }

    fn value(&self, node: &'a Node, locals: &mut Vec<Val<'a>>) -> Val<'a> {
        let left = self.budget.get();
        if left == 0 {
            return self.complain(|| format!("an expression took more than {MAX_STEPS} steps"));
        }
        self.budget.set(left - 1);
        match node {
            Node::Const(value) => Val::of(value),
            Node::Variable(_) => Val::Missing,
            Node::Local(depth) => locals.get(*depth).cloned().unwrap_or(Val::Missing),
            Node::Time => Val::Double(self.now.as_secs_f64()),
            Node::Tracked(tracker) => Val::of_option(self.tracked.get(*tracker).and_then(Option::as_ref)),
            Node::Lookup(source, arguments) => self.look_up(source, arguments, locals),
            Node::Field(of, name) => field(&self.value(of, locals), name),
            Node::StateField(of, name) => {
                // A container is in one state; its fields can be named without it.
                let state = self.value(of, locals);
                match &state {
                    Val::Json(Value::Object(states)) => {
                        Val::of_option(states.values().find_map(|state| state.get(&**name)))
                    }
                    _ => Val::Missing,
                }
            }
            Node::Index(of, index) => {
                let (of, index) = (self.value(of, locals), self.value(index, locals));
                self.index(&of, &index)
            }
            Node::Has(of) => Val::Bool(!self.value(of, locals).is_absent()),
            Node::Not(of) => match self.value(of, locals) {
                Val::Bool(value) => Val::Bool(!value),
                Val::Missing | Val::Null => Val::Bool(true),
                other => self.complain(|| format!("`!` needs true or false and got {}", other.words())),
            },
            Node::Negate(of) => match self.value(of, locals) {
                Val::Int(whole) => whole.checked_neg().map_or(Val::Missing, Val::Int),
                Val::Double(number) => Val::Double(-number),
                Val::Missing => Val::Missing,
                other => self.complain(|| format!("`-` needs a number and got {}", other.words())),
            },
            Node::And(left, right) => Val::Bool(self.value(left, locals).holds() && self.value(right, locals).holds()),
            Node::Or(left, right) => Val::Bool(self.value(left, locals).holds() || self.value(right, locals).holds()),
            Node::If(parts) => {
                let [condition, then, otherwise] = &**parts;
                if self.value(condition, locals).holds() {
                    self.value(then, locals)
                } else {
                    self.value(otherwise, locals)
                }
            }
            Node::Infix(op, left, right) => {
                let (left, right) = (self.value(left, locals), self.value(right, locals));
                self.infix(*op, left, right)
            }
            Node::Call(function, arguments) => {
                let arguments: Vec<Val<'a>> = arguments.iter().map(|argument| self.value(argument, locals)).collect();
                self.call(*function, &arguments)
            }
            Node::List(elements) => Val::List(elements.iter().map(|element| self.value(element, locals)).collect()),
            Node::Map(entries) => Val::Map(
                entries
                    .iter()
                    .map(|(key, value)| (self.value(key, locals), self.value(value, locals)))
                    .collect(),
            ),
            Node::Fold(fold) => self.fold(fold, locals),
        }
    }

    fn fold(&self, fold: &'a Fold, locals: &mut Vec<Val<'a>>) -> Val<'a> {
        let range = self.value(&fold.range, locals);
        let pairs: Vec<(Val<'a>, Val<'a>)> = match &range {
            Val::Json(Value::Object(map)) => map
                .iter()
                .map(|(key, value)| (Val::Text(Cow::Borrowed(key.as_str())), Val::of(value)))
                .collect(),
            Val::Map(entries) => entries.clone(),
            other => match other.elements() {
                Some(elements) => elements
                    .into_iter()
                    .enumerate()
                    .map(|(at, element)| (Val::Int(at as i64), element))
                    .collect(),
                // What is missing has no elements.
                None if other.is_absent() => Vec::new(),
                None => return self.complain(|| format!("a macro needs a list and got {}", other.words())),
            },
        };
        let is_map = matches!(range, Val::Json(Value::Object(_)) | Val::Map(_));
        let depth = locals.len();
        let init = self.value(&fold.init, locals);
        locals.push(Val::Missing);
        if fold.two {
            locals.push(Val::Missing);
        }
        locals.push(init);
        let accumulator = locals.len() - 1;
        for (key, value) in pairs {
            // With one variable a list gives its elements and a map its keys.
            if fold.two {
                locals[depth] = key;
                locals[depth + 1] = value;
            } else {
                locals[depth] = if is_map { key } else { value };
            }
            if !self.value(&fold.condition, locals).holds() || self.budget.get() == 0 {
                break;
            }
            locals[accumulator] = self.value(&fold.step, locals);
        }
        let result = self.value(&fold.result, locals);
        locals.truncate(depth);
        result
    }

    fn look_up(&self, source: &'a Source, arguments: &'a [Node], locals: &mut Vec<Val<'a>>) -> Val<'a> {
        let mut argument = |at: usize| arguments.get(at).map(|node| self.value(node, locals));
        match source {
            Source::Object(_, Some(key)) => Val::of_option(self.view.get(key)),
            Source::Exists(_, Some(key)) => Val::Bool(self.view.get(key).is_some()),
            Source::Object(kind, None) => {
                Val::of_option(key(*kind, argument(0), argument(1)).and_then(|key| self.view.get(&key)))
            }
            Source::Exists(kind, None) => {
                Val::Bool(key(*kind, argument(0), argument(1)).is_some_and(|key| self.view.get(&key).is_some()))
            }
            Source::Pods(selector) => {
                let parsed;
                let selector = match selector {
                    Some(selector) => selector,
                    None => match argument(0).as_ref().and_then(Val::text).map(Selector::parse) {
                        Some(Ok(selector)) => {
                            parsed = selector;
                            &parsed
                        }
                        Some(Err(message)) => return self.complain(|| message),
                        None => return Val::Missing,
                    },
                };
                let namespace = argument(1);
                let namespace = namespace.as_ref().and_then(Val::text).unwrap_or(DEFAULT_NAMESPACE);
                Val::List(
                    self.view
                        .list(Kind::Pod)
                        .filter(|(key, pod)| &*key.namespace == namespace && selector.matches(pod))
                        .map(|(_, pod)| Val::Json(pod))
                        .collect(),
                )
            }
            Source::Events => {
                let reason = argument(0);
                let reason = reason.as_ref().and_then(Val::text);
                let wanted = |event: &Value| {
                    reason.is_none_or(|reason| event.get("reason").and_then(Value::as_str) == Some(reason))
                };
                Val::List(
                    self.view
                        .list(Kind::Event)
                        .filter(|(_, event)| wanted(event))
                        .map(|(_, event)| Val::Json(event))
                        .collect(),
                )
            }
            Source::Container => {
                let Some(pod) = self.pod(argument(0), argument(2)) else {
                    return Val::Missing;
                };
                let name = argument(1);
                let Some(name) = name.as_ref().and_then(Val::text) else {
                    return Val::Missing;
                };
                let status = |list: &str| {
                    let list = pod.get("status")?.get(list)?.as_array()?;
                    list.iter()
                        .find(|status| status.get("name").and_then(Value::as_str) == Some(name))
                };
                Val::of_option(
                    [
                        "containerStatuses",
                        "initContainerStatuses",
                        "ephemeralContainerStatuses",
                    ]
                    .into_iter()
                    .find_map(status),
                )
            }
            Source::Logs => {
                let Some(pod) = self.pod(argument(0), argument(2)) else {
                    return Val::Missing;
                };
                let name = argument(1);
                let first = || pod.pointer("/spec/containers/0/name").and_then(Value::as_str);
                let Some(name) = name.as_ref().and_then(Val::text).or_else(first) else {
                    return Val::Missing;
                };
                let uid = peapod_sim::kubelet::mirror::source_uid(pod).unwrap_or_default();
                Val::Text(Cow::Borrowed(self.view.log_of(uid, name)))
            }
            Source::Condition => {
                let (Some(Val::Json(object)), Some(name)) = (argument(0), argument(1)) else {
                    return Val::Missing;
                };
                let conditions = object
                    .get("status")
                    .and_then(|status| status.get("conditions"))
                    .and_then(Value::as_array);
                let found = conditions.and_then(|conditions| {
                    conditions
                        .iter()
                        .find(|condition| condition.get("type").and_then(Value::as_str) == name.text())
                });
                Val::of_option(found)
            }
        }
    }

    fn pod(&self, pod: Option<Val<'a>>, namespace: Option<Val<'a>>) -> Option<&'a Value> {
        match pod? {
            Val::Json(pod) => Some(pod),
            name => self.view.get(&key(Kind::Pod, Some(name), namespace)?),
        }
    }

    fn index(&self, of: &Val<'a>, index: &Val<'a>) -> Val<'a> {
        match (of, index) {
            (_, Val::Missing) | (Val::Missing | Val::Null, _) => Val::Missing,
            (Val::Json(Value::Array(elements)), Val::Int(at)) => {
                Val::of_option(usize::try_from(*at).ok().and_then(|at| elements.get(at)))
            }
            (Val::List(elements), Val::Int(at)) => usize::try_from(*at)
                .ok()
                .and_then(|at| elements.get(at))
                .cloned()
                .unwrap_or(Val::Missing),
            (Val::Json(Value::Object(map)), Val::Text(name)) => Val::of_option(map.get(&**name)),
            (Val::Map(entries), wanted) => entries
                .iter()
                .find(|(key, _)| key.equals(wanted))
                .map_or(Val::Missing, |(_, value)| value.clone()),
            _ => self.complain(|| format!("{} has no element at {}", of.words(), index.words())),
        }
    }

    fn infix(&self, op: Op, left: Val<'a>, right: Val<'a>) -> Val<'a> {
        match op {
            // A comparison with `null` asks whether something is there.
            Op::Equal if matches!(left, Val::Null) || matches!(right, Val::Null) => {
                Val::Bool(left.is_absent() && right.is_absent())
            }
            Op::NotEqual if matches!(left, Val::Null) || matches!(right, Val::Null) => {
                Val::Bool(left.is_absent() != right.is_absent())
            }
            _ if matches!(left, Val::Missing) || matches!(right, Val::Missing) => match op {
                Op::Add | Op::Subtract | Op::Multiply | Op::Divide | Op::Modulo => Val::Missing,
                _ => Val::Bool(false),
            },
            Op::Equal => Val::Bool(left.equals(&right)),
            Op::NotEqual => Val::Bool(!left.equals(&right)),
            Op::Less | Op::LessEqual | Op::Greater | Op::GreaterEqual => match left.order(&right) {
                Some(order) => Val::Bool(match op {
                    Op::Less => order == Ordering::Less,
                    Op::LessEqual => order != Ordering::Greater,
                    Op::Greater => order == Ordering::Greater,
                    _ => order != Ordering::Less,
                }),
                None => {
                    self.complain(|| format!("{} cannot be compared with {}", left.words(), right.words()));
                    Val::Bool(false)
                }
            },
            Op::In => match &right {
                Val::Json(Value::Object(map)) => Val::Bool(left.text().is_some_and(|name| map.contains_key(name))),
                Val::Json(Value::Array(elements)) => {
                    Val::Bool(elements.iter().any(|element| left.equals(&Val::of(element))))
                }
                Val::List(elements) => Val::Bool(elements.iter().any(|element| left.equals(element))),
                Val::Map(entries) => Val::Bool(entries.iter().any(|(key, _)| left.equals(key))),
                Val::Null => Val::Bool(false),
                _ => {
                    self.complain(|| format!("`in` needs a list or a map and got {}", right.words()));
                    Val::Bool(false)
                }
            },
            Op::Add => match (left, right) {
                (Val::Text(left), Val::Text(right)) => Val::Text(Cow::Owned(format!("{left}{right}"))),
                (Val::Int(left), Val::Int(right)) => self.whole(left.checked_add(right)),
                (left, right) => match (left.elements(), right.elements()) {
                    (Some(mut all), Some(more)) => {
                        all.extend(more);
                        Val::List(all)
                    }
                    _ => self.arithmetic(op, &left, &right),
                },
            },
            Op::Subtract | Op::Multiply | Op::Divide | Op::Modulo => match (&left, &right) {
                (Val::Int(left), Val::Int(right)) => self.whole(match op {
                    Op::Subtract => left.checked_sub(*right),
                    Op::Multiply => left.checked_mul(*right),
                    Op::Divide => left.checked_div(*right),
                    _ => left.checked_rem(*right),
                }),
                _ => self.arithmetic(op, &left, &right),
            },
        }
    }

    fn whole(&self, result: Option<i64>) -> Val<'a> {
        result.map_or_else(
            || self.complain(|| "a division by zero, or a number that is too large".to_owned()),
            Val::Int,
        )
    }

    fn arithmetic(&self, op: Op, left: &Val<'a>, right: &Val<'a>) -> Val<'a> {
        let (Some(a), Some(b)) = (left.number(), right.number()) else {
            return self.complain(|| format!("{} and {} cannot be calculated with", left.words(), right.words()));
        };
        Val::Double(match op {
            Op::Add => a + b,
            Op::Subtract => a - b,
            Op::Multiply => a * b,
            Op::Divide => a / b,
            _ => a % b,
        })
    }

    fn call(&self, function: Function, arguments: &[Val<'a>]) -> Val<'a> {
        let Some(of) = arguments.first() else {
            return Val::Missing;
        };
        if of.is_absent() {
            let asks = matches!(
                function,
                Function::Contains | Function::StartsWith | Function::EndsWith | Function::Matches
            );
            return if asks { Val::Bool(false) } else { Val::Missing };
        }
        let other = arguments.get(1).and_then(Val::text);
        let texts = |test: fn(&str, &str) -> bool| match (of.text(), other) {
            (Some(text), Some(other)) => Val::Bool(test(text, other)),
            _ => self.complain(|| format!("a text is needed here and there is {}", of.words())),
        };
        match function {
            Function::Size => match of {
                Val::Text(text) => Val::Int(text.chars().count() as i64),
                Val::Json(Value::Array(elements)) => Val::Int(elements.len() as i64),
                Val::Json(Value::Object(map)) => Val::Int(map.len() as i64),
                Val::List(elements) => Val::Int(elements.len() as i64),
                Val::Map(entries) => Val::Int(entries.len() as i64),
                other => self.complain(|| format!("{} has no size", other.words())),
            },
            Function::Contains => texts(|text, other| text.contains(other)),
            Function::StartsWith => texts(|text, other| text.starts_with(other)),
            Function::EndsWith => texts(|text, other| text.ends_with(other)),
            Function::Matches => match (of.text(), other) {
                (Some(text), Some(pattern)) => matches(pattern, text).map_or_else(
                    || self.complain(|| format!("{pattern:?} is no regular expression")),
                    Val::Bool,
                ),
                _ => self.complain(|| format!("a text is needed here and there is {}", of.words())),
            },
            Function::LowerAscii => of
                .text()
                .map_or(Val::Missing, |text| Val::Text(text.to_ascii_lowercase().into())),
            Function::UpperAscii => of
                .text()
                .map_or(Val::Missing, |text| Val::Text(text.to_ascii_uppercase().into())),
            Function::Text => match of {
                Val::Text(text) => Val::Text(text.clone()),
                other => Val::Text(other.to_json().to_string().into()),
            },
            Function::Int => match of {
                Val::Double(number) => Val::Int(*number as i64),
                Val::Text(text) => text.trim().parse().map_or(Val::Missing, Val::Int),
                Val::Int(whole) => Val::Int(*whole),
                _ => Val::Missing,
            },
            Function::Double => match of {
                Val::Text(text) => text.trim().parse().map_or(Val::Missing, Val::Double),
                other => other.number().map_or(Val::Missing, Val::Double),
            },
            Function::Timestamp => match of.text().map(str::parse::<jiff::Timestamp>) {
                Some(Ok(time)) => Val::Double(time.as_nanosecond() as f64 / 1e9),
                _ => self.complain(|| "timestamp() needs an RFC 3339 time".to_owned()),
            },
            Function::Duration => match of.text().map(duration::parse) {
                Some(Ok(span)) => Val::Double(span.as_secs_f64()),
                _ => self.complain(|| "duration() needs a duration such as `1m30s`".to_owned()),
            },
        }
    }
}

fn field<'a>(of: &Val<'a>, name: &str) -> Val<'a> {
    match of {
        Val::Json(value) => Val::of_option(value.get(name)),
        Val::Map(entries) => entries
            .iter()
            .find(|(key, _)| key.text() == Some(name))
            .map_or(Val::Missing, |(_, value)| value.clone()),
        _ => Val::Missing,
    }
}

fn key(kind: Kind, name: Option<Val<'_>>, namespace: Option<Val<'_>>) -> Option<Key> {
    let name = name?;
    let namespace = match &namespace {
        None => DEFAULT_NAMESPACE,
        Some(namespace) => namespace.text()?,
    };
    Some(Key::new(kind, namespace, name.text()?))
}

fn matches(pattern: &str, text: &str) -> Option<bool> {
    thread_local! {
        static KNOWN: RefCell<HashMap<String, Option<Regex>>> = RefCell::default();
    }
    KNOWN.with_borrow_mut(|known| {
        if known.len() > 100 {
            known.clear();
        }
        let regex = known
            .entry(pattern.to_owned())
            .or_insert_with(|| Regex::new(pattern).ok());
        regex.as_ref().map(|regex| regex.is_match(text))
    })
}

/// The values of `ever`, `last` and `first` over a trial so far.
#[derive(Clone, Debug, Default)]
pub struct Trackers {
    trackers: Vec<Tracker>,
    values: Vec<Option<Value>>,
}

impl Trackers {
    /// Trackers that have seen nothing yet.
    pub fn new(trackers: Vec<Tracker>) -> Self {
        let values = trackers
            .iter()
            .map(|tracker| (tracker.track == Track::Ever).then_some(Value::Bool(false)))
            .collect();
        Self { trackers, values }
    }

    /// The values so far.
    pub fn values(&self) -> &[Option<Value>] {
        &self.values
    }

    /// Looks at an instant. `touched` says whether what an expression looks at has changed. Gives the trackers whose
    /// value changed, and the first trouble of an evaluation.
    pub fn look(
        &mut self,
        view: &View,
        now: SimTime,
        touched: impl Fn(&super::Deps) -> bool,
    ) -> (Vec<usize>, Option<String>) {
        let (mut changed, mut trouble) = (Vec::new(), None);
        for (index, tracker) in self.trackers.iter().enumerate() {
            let decided = match tracker.track {
                Track::Ever => self.values[index] == Some(Value::Bool(true)),
                Track::First => self.values[index].is_some(),
                Track::Last => false,
            };
            let nested = tracker.of.deps.trackers.iter().any(|inner| changed.contains(inner));
            if decided || !(touched(&tracker.of.deps) || nested) {
                continue;
            }
            let scope = Scope::new(view, now, &self.values);
            let value = scope.eval(&tracker.of.node);
            let value = match tracker.track {
                Track::Ever => value.holds().then_some(Value::Bool(true)),
                Track::Last | Track::First => (!value.is_absent()).then(|| value.to_json()),
            };
            trouble = trouble.or_else(|| scope.trouble());
            if let Some(value) = value
                && self.values[index].as_ref() != Some(&value)
            {
                self.values[index] = Some(value);
                changed.push(index);
            }
        }
        (changed, trouble)
    }
}
