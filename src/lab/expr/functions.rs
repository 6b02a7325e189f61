//! Calls: operators, functions over the cluster, and what is remembered from earlier instants.

use std::sync::Arc;

use cel::IdedExpr;
use cel::common::ast::operators;
use peapod_sim::objects::{Kind, RESOURCES};
use serde_json::Value;

use super::compile::{Compiler, Walk};
use super::operands::infix;
use super::schema::{self, Type};
use super::selector::Selector;
use super::{Compiled, Function, Node, Op, Source, Track, Tracker};
use crate::lab::nearest;

/// The functions that an expression may call.
pub(crate) const FUNCTIONS: &[&str] = &[
    "pod",
    "pods",
    "container",
    "node",
    "object",
    "events",
    "logs",
    "condition",
    "exists",
    "ever",
    "last",
    "first",
    "size",
    "string",
    "int",
    "double",
    "timestamp",
    "duration",
    "has",
];

impl Compiler {
    fn operands<const N: usize>(&mut self, arguments: &[IdedExpr], walk: &mut Walk<'_>) -> Option<[(Node, Type); N]> {
        let lowered: Vec<(Node, Type)> = arguments.iter().map(|argument| self.lower(argument, walk)).collect();
        lowered.try_into().ok()
    }

    pub(super) fn call(&mut self, name: &str, arguments: &[IdedExpr], id: u64, walk: &mut Walk<'_>) -> (Node, Type) {
        let op = match name {
            operators::EQUALS => Some(Op::Equal),
            operators::NOT_EQUALS => Some(Op::NotEqual),
            operators::LESS => Some(Op::Less),
            operators::LESS_EQUALS => Some(Op::LessEqual),
            operators::GREATER => Some(Op::Greater),
            operators::GREATER_EQUALS => Some(Op::GreaterEqual),
            operators::ADD => Some(Op::Add),
            operators::SUBSTRACT => Some(Op::Subtract),
            operators::MULTIPLY => Some(Op::Multiply),
            operators::DIVIDE => Some(Op::Divide),
            operators::MODULO => Some(Op::Modulo),
            operators::IN => Some(Op::In),
            _ => None,
        };
        if let Some(op) = op {
            let Some([left, right]) = self.operands(arguments, walk) else {
                return (Node::Const(Value::Null), Type::Any);
            };
            return infix(op, left, right, id, walk);
        }
        let condition = |(node, kind): (Node, Type), walk: &mut Walk<'_>| {
            if !matches!(kind, Type::Bool | Type::Any) {
                let message = format!("this needs true or false on both sides, and there is {}", kind.words());
                walk.trouble(walk.token(id), message, None);
            }
            Box::new(node)
        };
        match name {
            operators::LOGICAL_AND | operators::LOGICAL_OR => {
                let Some([left, right]) = self.operands(arguments, walk) else {
                    return (Node::Const(Value::Null), Type::Any);
                };
                let (left, right) = (condition(left, walk), condition(right, walk));
                let node = if name == operators::LOGICAL_AND {
                    Node::And(left, right)
                } else {
                    Node::Or(left, right)
                };
                (node, Type::Bool)
            }
            operators::LOGICAL_NOT => {
                let Some([of]) = self.operands(arguments, walk) else {
                    return (Node::Const(Value::Null), Type::Any);
                };
                (Node::Not(condition(of, walk)), Type::Bool)
            }
            operators::NOT_STRICTLY_FALSE => self
                .operands::<1>(arguments, walk)
                .map_or((Node::Const(Value::Null), Type::Any), |[of]| of),
            operators::NEGATE => {
                let Some([(of, kind)]) = self.operands(arguments, walk) else {
                    return (Node::Const(Value::Null), Type::Any);
                };
                (Node::Negate(Box::new(of)), kind)
            }
            operators::CONDITIONAL => {
                let Some([test, (then, a), (otherwise, b)]) = self.operands(arguments, walk) else {
                    return (Node::Const(Value::Null), Type::Any);
                };
                let test = *condition(test, walk);
                let kind = if a == Type::Any { b } else { a };
                (Node::If(Box::new([test, then, otherwise])), kind)
            }
            operators::INDEX => {
                let Some([(of, kind), (index, _)]) = self.operands(arguments, walk) else {
                    return (Node::Const(Value::Null), Type::Any);
                };
                match kind {
                    Type::List(element) | Type::Map(element) => {
                        (Node::Index(Box::new(of), Box::new(index)), (*element).clone())
                    }
                    Type::Struct(_) if matches!(&index, Node::Const(Value::String(_))) => {
                        let Node::Const(Value::String(name)) = index else {
                            return (of, Type::Any);
                        };
                        Self::field(of, &kind, &name, id, walk)
                    }
                    _ => (Node::Index(Box::new(of), Box::new(index)), Type::Any),
                }
            }
            _ => self.function(name, arguments, id, walk),
        }
    }

    fn function(&mut self, name: &str, arguments: &[IdedExpr], id: u64, walk: &mut Walk<'_>) -> (Node, Type) {
        let at = walk.word(id, name);
        let pure = match name {
            "size" => Some((Function::Size, Type::Int)),
            "string" => Some((Function::Text, Type::Text)),
            "int" => Some((Function::Int, Type::Int)),
            "double" => Some((Function::Double, Type::Number)),
            "timestamp" => Some((Function::Timestamp, Type::Number)),
            "duration" => Some((Function::Duration, Type::Number)),
            _ => None,
        };
        if let Some((function, kind)) = pure {
            let Some([(of, _)]) = self.operands(arguments, walk) else {
                return walk.trouble(at, format!("`{name}` takes one argument"), None);
            };
            return (Node::Call(function, vec![of]), kind);
        }
        if !self.cluster && FUNCTIONS.contains(&name) {
            return walk.trouble(
                at,
                format!("`{name}` looks at the cluster, and only variables are known here"),
                None,
            );
        }
        if matches!(name, "ever" | "last" | "first") {
            return self.tracker(name, arguments, at, walk);
        }
        // The least and most arguments, and how a person would write them.
        let (least, most, usage) = match name {
            "pod" => (1, 2, "pod(name[, namespace])"),
            "pods" => (0, 2, "pods(selector[, namespace])"),
            "container" => (2, 3, "container(pod, name[, namespace])"),
            "node" => (1, 1, "node(name)"),
            "object" => (2, 3, "object(kind, name[, namespace])"),
            "events" => (0, 1, "events(reason)"),
            "logs" => (1, 3, "logs(pod[, container[, namespace]])"),
            "condition" => (2, 2, "condition(object, type)"),
            "exists" => (2, 3, "exists(kind, name[, namespace])"),
            _ => {
                let hint = nearest::nearest(name, FUNCTIONS.iter().copied())
                    .map(|meant| format!("did you mean `{meant}`?"))
                    .or_else(|| Some(format!("functions: {}", FUNCTIONS.join(", "))));
                return walk.trouble(at, format!("no function is called `{name}`"), hint);
            }
        };
        if !(least..=most).contains(&arguments.len()) {
            return walk.trouble(at, format!("`{name}` is used as {usage}"), None);
        }
        let lowered: Vec<(Node, Type)> = arguments.iter().map(|argument| self.lower(argument, walk)).collect();
        let takes_object = |index: usize| index == 0 && matches!(name, "container" | "logs" | "condition");
        for (index, (_, kind)) in lowered.iter().enumerate() {
            if !takes_object(index) && !matches!(kind, Type::Text | Type::Any) {
                let at = walk.token(arguments[index].id);
                walk.trouble(
                    at,
                    format!("{usage}: text is needed here, and this is {}", kind.words()),
                    None,
                );
            }
        }
        let first = lowered.first().map(|(_, kind)| kind.clone());
        let mut nodes: Vec<Node> = lowered.into_iter().map(|(node, _)| node).collect();
        let source = |source: Source, nodes: Vec<Node>, kind: Type| {
            let bound = source.bind(&nodes);
            (Node::Lookup(bound, nodes), kind)
        };
        match name {
            "pod" => source(Source::Object(Kind::Pod, None), nodes, schema::of_kind(Kind::Pod)),
            "node" => source(Source::Object(Kind::Node, None), nodes, schema::of_kind(Kind::Node)),
            "pods" => {
                if let Some(Node::Const(Value::String(text))) = nodes.first()
                    && let Err(message) = Selector::parse(text)
                {
                    return walk.trouble(
                        walk.token(arguments[0].id),
                        message,
                        Some("such as 'app=web'".to_owned()),
                    );
                }
                source(
                    Source::Pods(None),
                    nodes,
                    Type::List(Arc::new(schema::of_kind(Kind::Pod))),
                )
            }
            "events" => source(
                Source::Events,
                nodes,
                Type::List(Arc::new(schema::of_kind(Kind::Event))),
            ),
            "logs" => source(Source::Logs, nodes, Type::Text),
            "container" => {
                let Type::List(status) = schema::part(Kind::Pod, &["status", "containerStatuses"]) else {
                    return source(Source::Container, nodes, Type::Any);
                };
                source(Source::Container, nodes, (*status).clone())
            }
            "condition" => {
                let kind = match &first {
                    Some(Type::Struct(fields)) => match fields.field("status") {
                        Some(Type::Struct(status)) => match status.field("conditions") {
                            Some(Type::List(element)) => (**element).clone(),
                            _ => {
                                let message = format!("a {} has no conditions", fields.name);
                                return walk.trouble(walk.token(arguments[0].id), message, None);
                            }
                        },
                        _ => Type::Any,
                    },
                    Some(Type::Any) | None => Type::Any,
                    Some(other) => {
                        let message = format!(
                            "condition(object, type): an object is needed here, and this is {}",
                            other.words()
                        );
                        return walk.trouble(
                            walk.token(arguments[0].id),
                            message,
                            Some("such as `condition(pod('demo'), 'Ready')`".into()),
                        );
                    }
                };
                source(Source::Condition, nodes, kind)
            }
            _ => {
                let Some(Node::Const(Value::String(kind_name))) = nodes.first() else {
                    return walk.trouble(
                        walk.token(arguments[0].id),
                        "the kind is written as text",
                        Some("such as 'Deployment'".into()),
                    );
                };
                let Some(kind) = kind_named(kind_name) else {
                    let known: Vec<&str> = RESOURCES.iter().map(|resource| resource.name).collect();
                    let message = format!("the cluster knows no kind `{kind_name}`");
                    return walk.trouble(
                        walk.token(arguments[0].id),
                        message,
                        nearest::hint(kind_name, known.iter().copied()),
                    );
                };
                nodes.remove(0);
                if name == "exists" {
                    source(Source::Exists(kind, None), nodes, Type::Bool)
                } else {
                    source(Source::Object(kind, None), nodes, schema::of_kind(kind))
                }
            }
        }
    }

    fn tracker(&mut self, name: &str, arguments: &[IdedExpr], at: (usize, usize), walk: &mut Walk<'_>) -> (Node, Type) {
        let Some([(node, kind)]) = self.operands(arguments, walk) else {
            return walk.trouble(at, format!("`{name}` takes one expression"), None);
        };
        if !walk.locals.is_empty() {
            return walk.trouble(at, format!("`{name}` cannot stand inside of a macro"), None);
        }
        let (track, kind) = match name {
            "ever" => (Track::Ever, Type::Bool),
            "last" => (Track::Last, kind),
            _ => (Track::First, kind),
        };
        let known = self
            .trackers
            .iter()
            .position(|tracker| tracker.track == track && tracker.of.node == node);
        let index = known.unwrap_or_else(|| {
            let deps = node.deps();
            self.trackers.push(Tracker {
                track,
                of: Compiled {
                    node,
                    kind: kind.clone(),
                    deps,
                },
            });
            self.trackers.len() - 1
        });
        (Node::Tracked(index), kind)
    }
}

/// The kind that is meant by `Pod`, `pod`, `pods` or `po`.
fn kind_named(name: &str) -> Option<Kind> {
    Kind::named(name).or_else(|| {
        let lower = name.to_lowercase();
        let found = peapod_kubectl::resources::RESOURCES.iter().find(|resource| {
            resource.plural == lower || resource.singular == lower || resource.short.contains(&lower.as_str())
        });
        found.and_then(|resource| Kind::named(resource.kind))
    })
}
