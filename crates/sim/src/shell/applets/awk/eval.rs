//! `awk`: the values of expressions.

use std::sync::Arc;

use super::Awk;
use super::io::Reply;
use super::tree::{Assign, Binary, Expr, Source};
use super::value::{MAX_TEXT, Value, arithmetic, cached_regex};
use crate::runtime::syscalls::Ctx;
use crate::shell::regex::Regex;

impl Awk {
    pub(super) fn regex(&mut self, text: &str) -> Option<Arc<Regex>> {
        cached_regex(&mut self.regexes, text)
    }

    /// A pattern operand: a regular expression as it is written, or the value of an expression.
    pub(super) fn pattern(&mut self, ctx: &mut Ctx<'_>, expr: &Expr, out: &mut Vec<u8>) -> Option<Arc<Regex>> {
        let text = match expr {
            Expr::Regex(text) => Arc::clone(text),
            expr => self.eval(ctx, expr, out).text(),
        };
        self.regex(&text)
    }

    pub(super) fn eval(&mut self, ctx: &mut Ctx<'_>, expr: &Expr, out: &mut Vec<u8>) -> Value {
        if self.too_long(ctx) {
            return Value::Unset;
        }
        match expr {
            Expr::Number(number) => Value::Number(*number),
            Expr::Text(text) => Value::Text(Arc::clone(text)),
            Expr::Regex(text) => {
                let record = self.record_text();
                let hit = self.regex(text).is_some_and(|regex| regex.is_match(&record));
                Value::Number(f64::from(u8::from(hit)))
            }
            Expr::Variable(name) => self.variable(name),
            Expr::Field(index) => {
                let index = self.eval(ctx, index, out).number();
                self.field(index)
            }
            Expr::Index(array, keys) => {
                let key = self.key(ctx, keys, out);
                let array = self.vars.arrays.entry(self.array_name(array)).or_default();
                array.entry(key).or_insert(Value::Unset).clone()
            }
            Expr::In(keys, array) => {
                let key = self.key(ctx, keys, out);
                let there = self
                    .vars
                    .arrays
                    .get(&self.array_name(array))
                    .is_some_and(|array| array.contains_key(&key));
                Value::Number(f64::from(u8::from(there)))
            }
            Expr::Assign(target, operator, value) => {
                let value = self.eval(ctx, value, out);
                let value = match operator {
                    Assign::Set => value,
                    Assign::With(operator) => {
                        let old = self.eval(ctx, target, out).number();
                        Value::Number(arithmetic(*operator, old, value.number()))
                    }
                };
                self.store(ctx, target, value, out)
            }
            Expr::Step { target, by, before } => {
                let old = self.eval(ctx, target, out).number();
                self.store(ctx, target, Value::Number(old + by), out);
                Value::Number(if *before { old + by } else { old })
            }
            Expr::Not(inner) => {
                let truth = self.eval(ctx, inner, out).truth();
                Value::Number(f64::from(u8::from(!truth)))
            }
            Expr::Negate(inner) => Value::Number(-self.eval(ctx, inner, out).number()),
            Expr::Plus(inner) => Value::Number(self.eval(ctx, inner, out).number()),
            Expr::And(left, right) => {
                let holds = self.eval(ctx, left, out).truth() && self.eval(ctx, right, out).truth();
                Value::Number(f64::from(u8::from(holds)))
            }
            Expr::Or(left, right) => {
                let holds = self.eval(ctx, left, out).truth() || self.eval(ctx, right, out).truth();
                Value::Number(f64::from(u8::from(holds)))
            }
            Expr::If(condition, yes, no) => {
                if self.eval(ctx, condition, out).truth() {
                    self.eval(ctx, yes, out)
                } else {
                    self.eval(ctx, no, out)
                }
            }
            Expr::Match(left, pattern, negated) => {
                let text = self.eval(ctx, left, out).text();
                let hit = self
                    .pattern(ctx, pattern, out)
                    .is_some_and(|regex| regex.is_match(&text));
                Value::Number(f64::from(u8::from(hit != *negated)))
            }
            Expr::Binary(operator, left, right) => {
                let (left, right) = (self.eval(ctx, left, out), self.eval(ctx, right, out));
                match operator {
                    Binary::Less
                    | Binary::LessEqual
                    | Binary::Equal
                    | Binary::NotEqual
                    | Binary::Greater
                    | Binary::GreaterEqual => {
                        let order = left.compare(&right);
                        let holds = match operator {
                            Binary::Less => order.is_lt(),
                            Binary::LessEqual => order.is_le(),
                            Binary::Equal => order.is_eq(),
                            Binary::NotEqual => order.is_ne(),
                            Binary::Greater => order.is_gt(),
                            _ => order.is_ge(),
                        };
                        Value::Number(f64::from(u8::from(holds)))
                    }
                    operator => Value::Number(arithmetic(*operator, left.number(), right.number())),
                }
            }
            Expr::Concat(left, right) => {
                let mut text = self.eval(ctx, left, out).text().to_string();
                text.push_str(&self.eval(ctx, right, out).text());
                if text.len() > MAX_TEXT {
                    ctx.notice("awk: a text that grows without an end was given up");
                    self.vars.exit = Some(2);
                    return Value::Unset;
                }
                self.made += text.len();
                self.count_memory(ctx);
                Value::Text(text.into())
            }
            Expr::Call(name, arguments) => self.call(ctx, name, arguments, out),
            Expr::Getline(source, target) => self.getline(ctx, source, target.as_deref(), out),
        }
    }

    /// 1 for a line, 0 at the end, -1 when there is no such file.
    fn getline(&mut self, ctx: &mut Ctx<'_>, source: &Source, target: Option<&Expr>, out: &mut Vec<u8>) -> Value {
        let main = matches!(source, Source::Main);
        let separator = self.text_of("RS");
        let reply = match source {
            Source::Main => self.effect(ctx, |io, ctx| io.record(ctx, &separator)),
            Source::File(path) => {
                let path = self.eval(ctx, path, out).text();
                self.effect(ctx, |io, ctx| io.line_of_file(ctx, &path, &separator))
            }
            Source::Command(command) => {
                let command = self.eval(ctx, command, out).text();
                self.flush(ctx, out);
                self.effect(ctx, |io, ctx| io.line_of_command(ctx, &command, &separator))
            }
        };
        match reply {
            Some(Reply::Line(line)) => {
                if main {
                    self.count_record(true);
                } else if matches!(source, Source::Command(_)) {
                    let next = self.vars.globals.get("NR").map_or(0.0, Value::number) + 1.0;
                    self.vars.globals.insert("NR".into(), Value::Number(next));
                }
                match target {
                    Some(target) => {
                        self.store(ctx, target, Value::Input(line), out);
                    }
                    None => self.set_record(line),
                }
                Value::Number(1.0)
            }
            Some(Reply::Failed) => Value::Number(-1.0),
            _ => Value::Number(0.0),
        }
    }
}
