//! Carries a template out (`text/template/exec.go`).

use std::borrow::Cow;

use serde_json::Value;

use super::functions;
use super::parse::{Argument, Branch, Command, Node, Pipe, Place, What};
use super::{NAME, Template};
use crate::value::sorted;

/// Bytes that a template may print.
const MAX_OUTPUT: usize = 8 << 20;

/// How deep templates may call templates, as in the library.
const MAX_CALLS: usize = 100;

/// A value of a template.
#[derive(Clone, Debug)]
pub(super) struct Val<'a> {
    /// `None` where there is none, as behind a key that a map does not have.
    pub value: Option<Cow<'a, Value>>,
    kind: Kind,
}

/// Where a value comes from: its type in Go depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Out of a map or list, whose elements have the type `interface {}`.
    Boxed,
    /// The object, or what was in such an element.
    Read,
    /// Written in the template, or the result of a function.
    Made,
}

impl<'a> Val<'a> {
    pub(super) fn missing() -> Self {
        Val {
            value: None,
            kind: Kind::Made,
        }
    }

    pub(super) fn own(value: impl Into<Value>) -> Self {
        Val {
            value: Some(Cow::Owned(value.into())),
            kind: Kind::Made,
        }
    }

    fn inside(value: Cow<'a, Value>) -> Self {
        Val {
            value: Some(value),
            kind: Kind::Boxed,
        }
    }

    /// The value without the `interface {}` around it; nothing in one is no value.
    fn unboxed(self) -> Self {
        Val {
            value: self.value.filter(|value| !value.is_null()),
            kind: if self.kind == Kind::Made {
                Kind::Made
            } else {
                Kind::Read
            },
        }
    }

    pub(super) fn json(&self) -> Option<&Value> {
        self.value.as_deref()
    }

    /// The name of its type in Go.
    pub(super) fn type_name(&self) -> &'static str {
        match (self.kind, self.json()) {
            (Kind::Boxed, _) => "interface {}",
            (Kind::Made, Some(Value::Number(number))) if !number.is_f64() => "int",
            (_, value) => value.map_or("<nil>", type_name),
        }
    }

    fn truth(&self) -> bool {
        match self.json() {
            None | Some(Value::Null) => false,
            Some(Value::Bool(on)) => *on,
            Some(Value::Number(number)) => number.as_f64() != Some(0.0),
            Some(Value::String(text)) => !text.is_empty(),
            Some(Value::Array(items)) => !items.is_empty(),
            Some(Value::Object(map)) => !map.is_empty(),
        }
    }

    /// The element of a list or map; both parts may be borrowed or not.
    pub(super) fn entry(&self, find: impl Fn(&Value) -> Option<&Value>) -> Option<Val<'a>> {
        Some(Val::inside(match self.value.as_ref()? {
            Cow::Borrowed(value) => Cow::Borrowed(find(value)?),
            Cow::Owned(value) => Cow::Owned(find(value)?.clone()),
        }))
    }
}

/// The name of a value's type in Go.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

/// Why a list of nodes ended early.
enum Stop {
    Break,
    Continue,
    Error(String),
}

type Done<T> = Result<T, Stop>;

fn fail<T>(place: &Place, message: impl AsRef<str>) -> Done<T> {
    Err(Stop::Error(format!(
        "template: {}: {}",
        place.shown(),
        message.as_ref()
    )))
}

/// Prints a value through a template.
pub(super) fn run(template: &Template, value: &Value, strict: bool) -> Result<String, (String, String)> {
    let mut machine = Machine {
        template,
        strict,
        out: String::new(),
        variables: Vec::new(),
        calls: 0,
    };
    let root = Val {
        value: Some(Cow::Borrowed(value)),
        kind: Kind::Read,
    };
    match machine.call(NAME, root) {
        Err(Stop::Error(error)) => Err((machine.out, error)),
        _ => Ok(machine.out),
    }
}

struct Machine<'t, 'a> {
    template: &'t Template,
    strict: bool,
    out: String,
    variables: Vec<(&'t str, Val<'a>)>,
    calls: usize,
}

impl<'t, 'a> Machine<'t, 'a> {
    fn call(&mut self, name: &str, dot: Val<'a>) -> Done<()> {
        let template = self.template;
        let Some(nodes) = template.named.get(name) else {
            return Ok(());
        };
        let outer = std::mem::replace(&mut self.variables, vec![("$", dot.clone())]);
        let done = self.walk(nodes, &dot);
        self.variables = outer;
        done
    }

    fn walk(&mut self, nodes: &'t [Node], dot: &Val<'a>) -> Done<()> {
        for node in nodes {
            if self.out.len() > MAX_OUTPUT {
                return Err(Stop::Error(format!("it prints more than {MAX_OUTPUT} bytes")));
            }
            match node {
                Node::Text(text) => self.out.push_str(text),
                Node::Action(pipe) => {
                    let value = self.pipe(pipe, dot)?;
                    if pipe.variables.is_empty() {
                        self.out.push_str(&functions::shown(value.json()));
                    }
                }
                Node::If(branch) => self.branch(branch, dot, false)?,
                Node::With(branch) => self.branch(branch, dot, true)?,
                Node::Range(branch) => self.range(branch, dot)?,
                Node::Break => return Err(Stop::Break),
                Node::Continue => return Err(Stop::Continue),
                Node::Template { name, pipe, place } => {
                    let value = match pipe {
                        Some(pipe) => self.pipe(pipe, dot)?,
                        None => Val::missing(),
                    };
                    if !self.template.named.contains_key(name) {
                        return fail(place, format!("template {name:?} not defined"));
                    }
                    if self.calls >= MAX_CALLS {
                        return fail(place, format!("exceeded maximum template depth ({MAX_CALLS})"));
                    }
                    self.calls += 1;
                    self.call(name, value)?;
                    self.calls -= 1;
                }
            }
        }
        Ok(())
    }

    fn branch(&mut self, branch: &'t Branch, dot: &Val<'a>, moves: bool) -> Done<()> {
        let known = self.variables.len();
        let value = self.pipe(&branch.pipe, dot)?;
        let done = match value.truth() {
            true if moves => self.walk(&branch.body, &value),
            true => self.walk(&branch.body, dot),
            false => self.walk(&branch.otherwise, dot),
        };
        self.variables.truncate(known);
        done
    }

    fn range(&mut self, branch: &'t Branch, dot: &Val<'a>) -> Done<()> {
        let known = self.variables.len();
        let value = self.pipe(&branch.pipe, dot)?;
        let inside = self.variables.len();
        let entries: Vec<(Value, Val<'a>)> = match value.json() {
            None => Vec::new(),
            Some(Value::Array(items)) => (0..items.len())
                .filter_map(|at| Some((Value::from(at), value.entry(|own| own.get(at))?)))
                .collect(),
            Some(Value::Object(map)) => sorted(map)
                .into_iter()
                .filter_map(|(key, _)| Some((Value::from(key), value.entry(|own| own.get(key))?)))
                .collect(),
            Some(Value::Number(number)) if number.is_i64() => {
                let end = number.as_i64().unwrap_or(0).clamp(0, MAX_OUTPUT as i64);
                (0..end).map(|at| (Value::from(at), Val::own(at))).collect()
            }
            Some(other) => {
                let shown = functions::shown(Some(other));
                return fail(&branch.pipe.place, format!("range can't iterate over {shown}"));
            }
        };
        if entries.is_empty() {
            self.variables.truncate(known);
            return self.walk(&branch.otherwise, dot);
        }
        for (key, element) in entries {
            self.variables.truncate(inside);
            let set = |machine: &mut Self, index: usize, value: Val<'a>| {
                if let Some(name) = branch.pipe.variables.get(index) {
                    let own = machine.variables.iter_mut().rev().find(|(known, _)| known == name);
                    if let Some((_, slot)) = own {
                        *slot = value;
                    }
                }
            };
            match branch.pipe.variables.len() {
                1 => set(self, 0, element.clone()),
                2 => {
                    set(self, 0, Val::own(key));
                    set(self, 1, element.clone());
                }
                _ => {}
            }
            match self.walk(&branch.body, &element) {
                Ok(()) | Err(Stop::Continue) => {}
                Err(Stop::Break) => break,
                Err(error) => return Err(error),
            }
        }
        self.variables.truncate(known);
        Ok(())
    }

    fn pipe(&mut self, pipe: &'t Pipe, dot: &Val<'a>) -> Done<Val<'a>> {
        let mut value: Option<Val<'a>> = None;
        for command in &pipe.commands {
            value = Some(self.command(command, dot, value)?.unboxed());
        }
        let value = value.unwrap_or_else(Val::missing);
        for name in &pipe.variables {
            let own = self.variables.iter_mut().rev().find(|(known, _)| known == name);
            match own.filter(|_| pipe.assigns) {
                Some((_, slot)) => *slot = value.clone(),
                None => self.variables.push((name, value.clone())),
            }
        }
        Ok(value)
    }

    fn command(&mut self, command: &'t Command, dot: &Val<'a>, last: Option<Val<'a>>) -> Done<Val<'a>> {
        let Some((first, rest)) = command.arguments.split_first() else {
            return Ok(Val::missing());
        };
        if let What::Function(name) = &first.what {
            return self.function(name, &command.place, rest, dot, last);
        }
        if !rest.is_empty() || last.is_some() {
            // Nothing but functions takes arguments: objects have no methods.
            return match &first.what {
                What::Field(names) => {
                    let (name, above) = names.split_last().map_or(("", &[][..]), |(last, above)| (last, above));
                    let receiver = self.fields(dot.clone(), above, &first.place)?;
                    match receiver.json() {
                        Some(Value::Object(_)) => {
                            fail(&first.place, format!("{name} is not a method but has arguments"))
                        }
                        _ => self.fields(receiver, std::slice::from_ref(&names[names.len() - 1]), &first.place),
                    }
                }
                _ => fail(
                    &first.place,
                    format!("can't give argument to non-function {}", first.place.text),
                ),
            };
        }
        if first.what == What::Nil {
            return fail(&first.place, "nil is not a command");
        }
        self.argument(first, dot)
    }

    fn argument(&mut self, argument: &'t Argument, dot: &Val<'a>) -> Done<Val<'a>> {
        Ok(match &argument.what {
            What::Dot => dot.clone(),
            What::Nil => Val::missing(),
            What::Bool(on) => Val::own(*on),
            What::Int(number) => Val::own(*number),
            What::Float(number) => Val::own(*number),
            What::Text(text) => Val::own(text.as_str()),
            What::Field(names) => self.fields(dot.clone(), names, &argument.place)?,
            What::Variable(name, names) => {
                let found = self.variables.iter().rev().find(|(known, _)| known == name);
                let value = found.map_or_else(Val::missing, |(_, value)| value.clone());
                self.fields(value, names, &argument.place)?
            }
            What::Function(name) => self.function(name, &argument.place, &[], dot, None)?,
            What::Pipe(pipe) => self.pipe(pipe, dot)?,
            What::Chain(inner, names) => {
                if inner.what == What::Nil {
                    return fail(
                        &argument.place,
                        format!("indirection through explicit nil in {}", argument.place.text),
                    );
                }
                let value = self.argument(inner, dot)?;
                self.fields(value, names, &argument.place)?
            }
        })
    }

    fn fields(&mut self, mut value: Val<'a>, names: &[String], place: &Place) -> Done<Val<'a>> {
        for name in names {
            value = match value.json() {
                None if self.strict => return fail(place, format!("nil data; no entry for key {name:?}")),
                None => Val::missing(),
                Some(Value::Object(_)) => match value.entry(|own| own.get(name)) {
                    Some(found) => found,
                    None if self.strict => return fail(place, format!("map has no entry for key {name:?}")),
                    None => Val::missing(),
                },
                Some(Value::Null) => {
                    return fail(place, format!("nil pointer evaluating {}.{name}", value.type_name()));
                }
                Some(_) => {
                    return fail(
                        place,
                        format!("can't evaluate field {name} in type {}", value.type_name()),
                    );
                }
            };
        }
        Ok(value)
    }

    fn function(
        &mut self,
        name: &str,
        place: &Place,
        given: &'t [Argument],
        dot: &Val<'a>,
        last: Option<Val<'a>>,
    ) -> Done<Val<'a>> {
        let count = given.len() + usize::from(last.is_some());
        if let Some(message) = functions::wrong_count(name, count) {
            return fail(place, message);
        }
        // The two that need not look at all of their arguments.
        if matches!(name, "and" | "or") {
            let mut value = Val::missing();
            for argument in given {
                value = self.argument(argument, dot)?.unboxed();
                if value.truth() == (name == "or") {
                    return Ok(value);
                }
            }
            return Ok(last.unwrap_or(value));
        }
        let mut arguments = Vec::with_capacity(count);
        for argument in given {
            arguments.push(self.argument(argument, dot)?.unboxed());
        }
        arguments.extend(last);
        let written = |at: usize| given.get(at).map_or(place, |argument| &argument.place);
        match functions::call(name, &arguments, &written(0).text) {
            Ok(value) => Ok(value),
            Err(functions::Wrong::Argument(message)) => fail(written(0), message),
            Err(functions::Wrong::Call(message)) => fail(place, format!("error calling {name}: {message}")),
        }
    }
}
