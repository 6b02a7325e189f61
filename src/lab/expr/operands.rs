//! The types of operators and literals: which operands fit each other, and what to write where they do not.

use cel::common::ast::LiteralValue;
use serde_json::Value;

use super::compile::Walk;
use super::schema::Type;
use super::{Node, Op};

/// An operator between two operands, and what is wrong with them.
pub(super) fn infix(
    op: Op,
    (left, a): (Node, Type),
    (right, b): (Node, Type),
    id: u64,
    walk: &mut Walk<'_>,
) -> (Node, Type) {
    let null = |node: &Node| matches!(node, Node::Const(Value::Null));
    let kind = match op {
        Op::Equal | Op::NotEqual => {
            if !comparable(&a, &b) && !null(&left) && !null(&right) {
                let message = format!("{} is never equal to {}", a.words(), b.words());
                walk.trouble(walk.token(id), message, quote_hint(&left, &a, &right, &b));
            }
            Type::Bool
        }
        Op::Less | Op::LessEqual | Op::Greater | Op::GreaterEqual => {
            if !comparable(&a, &b) {
                let message = format!("{} cannot be compared with {}", a.words(), b.words());
                walk.trouble(walk.token(id), message, quote_hint(&left, &a, &right, &b));
            }
            Type::Bool
        }
        Op::In => {
            match &b {
                Type::List(element) if !comparable(&a, element) => {
                    let message = format!("{} is in no list of {}", a.words(), element.words());
                    walk.trouble(walk.token(id), message, None);
                }
                Type::Text | Type::Bool | Type::Int | Type::Number => {
                    let hint = (b == Type::Text).then(|| "`text.contains('part')` looks into a text".to_owned());
                    walk.trouble(
                        walk.token(id),
                        format!("`in` needs a list, and this is {}", b.words()),
                        hint,
                    );
                }
                _ => {}
            }
            Type::Bool
        }
        Op::Add if a == Type::Text || b == Type::Text => {
            let fine = |kind: &Type| matches!(kind, Type::Text | Type::Any);
            if !fine(&a) || !fine(&b) {
                walk.trouble(
                    walk.token(id),
                    "text is only added to text",
                    Some("use `string(…)`".to_owned()),
                );
            }
            Type::Text
        }
        Op::Add if matches!(a, Type::List(_)) || matches!(b, Type::List(_)) => {
            if a == Type::Any {
                b
            } else {
                a
            }
        }
        _ => {
            let number = |kind: &Type| matches!(kind, Type::Int | Type::Number | Type::Any);
            if !number(&a) || !number(&b) {
                let message = format!("{} and {} cannot be calculated with", a.words(), b.words());
                walk.trouble(walk.token(id), message, None);
            }
            if a == Type::Int && b == Type::Int {
                Type::Int
            } else {
                Type::Number
            }
        }
    };
    (Node::Infix(op, Box::new(left), Box::new(right)), kind)
}

/// Where quotes are missing or too many.
fn quote_hint(left: &Node, a: &Type, right: &Node, b: &Type) -> Option<String> {
    let shown = |node: &Node| {
        if let Node::Const(value) = node {
            Some(value.clone())
        } else {
            None
        }
    };
    match (a, b) {
        (Type::Text, Type::Int | Type::Number | Type::Bool) => shown(right).map(|value| format!("write `'{value}'`")),
        (Type::Int | Type::Number | Type::Bool, Type::Text) => match (shown(left), shown(right)) {
            (_, Some(Value::String(text))) if text.parse::<f64>().is_ok() || text == "true" || text == "false" => {
                Some(format!("write `{text}` without quotes"))
            }
            (Some(value), None) => Some(format!("write `'{value}'`")),
            _ => None,
        },
        _ => None,
    }
}

fn comparable(a: &Type, b: &Type) -> bool {
    let number = |kind: &Type| matches!(kind, Type::Int | Type::Number);
    match (a, b) {
        (Type::Any, _) | (_, Type::Any) => true,
        (Type::List(a), Type::List(b)) => comparable(a, b),
        (Type::Map(_) | Type::Struct(_), Type::Map(_) | Type::Struct(_)) => true,
        (a, b) => a == b || number(a) && number(b),
    }
}

/// The type that all of them have, or any.
pub(super) fn common<'a>(kinds: impl IntoIterator<Item = &'a Type>) -> Type {
    let mut kinds = kinds.into_iter();
    let Some(first) = kinds.next() else { return Type::Any };
    if kinds.all(|kind| kind == first) {
        first.clone()
    } else {
        Type::Any
    }
}

/// The type of a variable, from its values.
pub(super) fn type_of(values: &[Value]) -> Type {
    let kinds: Vec<Type> = values
        .iter()
        .map(|value| match value {
            Value::Bool(_) => Type::Bool,
            Value::Number(number) if number.is_i64() || number.is_u64() => Type::Int,
            Value::Number(_) => Type::Number,
            Value::String(_) => Type::Text,
            _ => Type::Any,
        })
        .collect();
    common(&kinds)
}

/// A literal and its type.
pub(super) fn literal_value(literal: &LiteralValue) -> (Node, Type) {
    let constant = |value: Value, kind: Type| (Node::Const(value), kind);
    match literal {
        LiteralValue::Boolean(value) => constant(Value::Bool(*value.inner()), Type::Bool),
        LiteralValue::Int(value) => constant(Value::from(*value.inner()), Type::Int),
        LiteralValue::UInt(value) => constant(Value::from(*value.inner()), Type::Int),
        LiteralValue::Double(value) => constant(Value::from(*value.inner()), Type::Number),
        LiteralValue::String(value) => constant(Value::from(value.inner()), Type::Text),
        LiteralValue::Bytes(value) => constant(
            Value::from(String::from_utf8_lossy(value.inner()).into_owned()),
            Type::Text,
        ),
        LiteralValue::Null => constant(Value::Null, Type::Any),
    }
}
