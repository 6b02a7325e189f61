//! `awk`: the functions of a program and awk's own.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Awk;
use super::io::{self, Reply};
use super::run::Flow;
use super::tree::Expr;
use super::value::{Value, format_values, split, substitute};
use crate::runtime::syscalls::Ctx;

/// Calls within one another.
const MAX_CALLS: u32 = 60;

impl Awk {
    pub(super) fn call(&mut self, ctx: &mut Ctx<'_>, name: &str, arguments: &[Expr], out: &mut Vec<u8>) -> Value {
        let program = Arc::clone(&self.program);
        if let Some(function) = program.functions.get(name) {
            if self.calls >= MAX_CALLS {
                ctx.complain("awk: calls nest too deep");
                self.vars.exit = Some(2);
                return Value::Unset;
            }
            let mut locals = BTreeMap::new();
            for (index, parameter) in function.parameters.iter().enumerate() {
                let value = match arguments.get(index) {
                    // A name with nothing in it may be an array that the function fills.
                    Some(Expr::Variable(name)) => match self.variable(name) {
                        Value::Unset => Value::Maybe(self.array_name(name)),
                        value => value,
                    },
                    Some(argument) => self.eval(ctx, argument, out),
                    None => Value::Unset,
                };
                locals.insert(Arc::clone(parameter), value);
            }
            self.calls += 1;
            self.vars.locals.push(locals);
            let flow = self.block(ctx, &function.body, out);
            let own = format!("\u{1}{}\u{1}", self.vars.locals.len());
            if self.vars.arrays.keys().any(|name| name.starts_with(&own)) {
                self.vars.arrays.retain(|name, _| !name.starts_with(&own));
            }
            self.vars.locals.pop();
            self.calls -= 1;
            return if let Flow::Return(value) = flow {
                value
            } else {
                Value::Unset
            };
        }
        let text_at = |awk: &mut Self, ctx: &mut Ctx<'_>, index: usize, out: &mut Vec<u8>| match arguments.get(index) {
            Some(argument) => awk.eval(ctx, argument, out).text(),
            None => awk.record_text(),
        };
        let number_at = |awk: &mut Self, ctx: &mut Ctx<'_>, index: usize, out: &mut Vec<u8>| {
            arguments
                .get(index)
                .map_or(0.0, |argument| awk.eval(ctx, argument, out).number())
        };
        match name {
            "length" => {
                if let Some(Expr::Variable(array)) = arguments.first()
                    && let Some(array) = self.vars.arrays.get(&self.array_name(array))
                {
                    return Value::Number(array.len() as f64);
                }
                Value::Number(text_at(self, ctx, 0, out).chars().count() as f64)
            }
            "substr" => {
                let text: Vec<char> = text_at(self, ctx, 0, out).chars().collect();
                // As busybox has it: a start before the text counts as its first character.
                let start = number_at(self, ctx, 1, out).round().max(1.0);
                let end = if arguments.len() > 2 {
                    start + number_at(self, ctx, 2, out).round()
                } else {
                    f64::INFINITY
                };
                let from = (start.max(1.0) - 1.0).min(text.len() as f64) as usize;
                let to = (end.max(1.0) - 1.0).min(text.len() as f64) as usize;
                Value::Text(
                    text.get(from..to.max(from))
                        .unwrap_or_default()
                        .iter()
                        .collect::<String>()
                        .into(),
                )
            }
            "index" => {
                let (text, part) = (text_at(self, ctx, 0, out), text_at(self, ctx, 1, out));
                Value::Number(
                    text.find(&*part)
                        .map_or(0.0, |at| (text[..at].chars().count() + 1) as f64),
                )
            }
            "split" => {
                let text = text_at(self, ctx, 0, out);
                let separator = match arguments.get(2) {
                    Some(Expr::Regex(regex)) => Arc::clone(regex),
                    Some(separator) => self.eval(ctx, separator, out).text(),
                    None => self.text_of("FS"),
                };
                let parts = split(&text, &separator, &mut self.regexes);
                let count = parts.len();
                if let Some(Expr::Variable(array)) = arguments.get(1) {
                    let array = self.vars.arrays.entry(self.array_name(array)).or_default();
                    array.clear();
                    array.extend(
                        parts
                            .into_iter()
                            .enumerate()
                            .map(|(index, part)| ((index + 1).to_string().into(), Value::Input(part))),
                    );
                }
                Value::Number(count as f64)
            }
            "sub" | "gsub" => {
                let Some(regex) = arguments.first().and_then(|pattern| self.pattern(ctx, pattern, out)) else {
                    return Value::Number(0.0);
                };
                let with = text_at(self, ctx, 1, out);
                let record = Expr::Field(Box::new(Expr::Number(0.0)));
                let target = arguments.get(2).unwrap_or(&record);
                let text = self.eval(ctx, target, out).text();
                let (new, count) = substitute(&regex, &text, &with, name == "gsub");
                if count > 0 {
                    self.store(ctx, target, Value::Text(new.into()), out);
                }
                Value::Number(f64::from(count))
            }
            "match" => {
                let text = text_at(self, ctx, 0, out);
                let hit = arguments
                    .get(1)
                    .and_then(|pattern| self.pattern(ctx, pattern, out))
                    .and_then(|regex| regex.find(&text, 0))
                    .and_then(|captures| captures[0]);
                let (start, length) = hit.map_or((0.0, -1.0), |(from, to)| {
                    (
                        (text[..from].chars().count() + 1) as f64,
                        text[from..to].chars().count() as f64,
                    )
                });
                self.vars.globals.insert("RSTART".into(), Value::Number(start));
                self.vars.globals.insert("RLENGTH".into(), Value::Number(length));
                Value::Number(start)
            }
            "sprintf" => {
                self.made += 1 << 10;
                self.count_memory(ctx);
                let values: Vec<Value> = arguments.iter().map(|argument| self.eval(ctx, argument, out)).collect();
                Value::Text(format_values(&values).into())
            }
            "toupper" => Value::Text(text_at(self, ctx, 0, out).to_uppercase().into()),
            "tolower" => Value::Text(text_at(self, ctx, 0, out).to_lowercase().into()),
            "int" => Value::Number(number_at(self, ctx, 0, out).trunc()),
            "sqrt" => Value::Number(number_at(self, ctx, 0, out).sqrt()),
            "exp" => Value::Number(number_at(self, ctx, 0, out).exp()),
            "log" => Value::Number(number_at(self, ctx, 0, out).ln()),
            "sin" => Value::Number(number_at(self, ctx, 0, out).sin()),
            "cos" => Value::Number(number_at(self, ctx, 0, out).cos()),
            "atan2" => {
                let (y, x) = (number_at(self, ctx, 0, out), number_at(self, ctx, 1, out));
                Value::Number(y.atan2(x))
            }
            "rand" => {
                // Its own row of numbers, which `srand` begins anew.
                let state = self
                    .vars
                    .random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                self.vars.random = state;
                Value::Number((state >> 33) as f64 / f64::from(1u32 << 31))
            }
            "srand" => {
                let seed = if arguments.is_empty() {
                    ctx.wall_now().as_second() as u64
                } else {
                    number_at(self, ctx, 0, out) as u64
                };
                self.vars.random = seed;
                Value::Number(std::mem::replace(&mut self.vars.seed, seed) as f64)
            }
            "systime" => Value::Number(ctx.wall_now().as_second() as f64),
            "strftime" => {
                let format = arguments.first().map_or_else(
                    || "%a %b %e %H:%M:%S %Z %Y".into(),
                    |format| self.eval(ctx, format, out).text(),
                );
                let instant = match arguments.get(1) {
                    Some(seconds) => {
                        jiff::Timestamp::from_second(self.eval(ctx, seconds, out).number() as i64).unwrap_or_default()
                    }
                    None => ctx.wall_now(),
                };
                let text = super::super::system::format_date(&instant.to_zoned(jiff::tz::TimeZone::UTC), &format);
                Value::Text(text.into())
            }
            "and" | "or" | "xor" | "lshift" | "rshift" => {
                let (left, right) = (number_at(self, ctx, 0, out) as u64, number_at(self, ctx, 1, out) as u64);
                let shift = u32::try_from(right).unwrap_or(u32::MAX);
                Value::Number(match name {
                    "and" => left & right,
                    "or" => left | right,
                    "xor" => left ^ right,
                    "lshift" => left.checked_shl(shift).unwrap_or(0),
                    _ => left.checked_shr(shift).unwrap_or(0),
                } as f64)
            }
            "compl" => Value::Number(!(number_at(self, ctx, 0, out) as u64) as f64),
            "fflush" => {
                self.flush(ctx, out);
                Value::Number(0.0)
            }
            "close" => {
                let target = text_at(self, ctx, 0, out);
                match self.effect(ctx, |io, ctx| io.close(ctx, &target)) {
                    Some(Reply::Number(status)) => Value::Number(f64::from(status)),
                    _ => Value::Number(-1.0),
                }
            }
            "system" => {
                let command = text_at(self, ctx, 0, out);
                self.flush(ctx, out);
                let child = self.effect(ctx, |io, ctx| io.start(ctx, &command, &[]));
                let Some(Reply::Child(child)) = child else {
                    return Value::Number(-1.0);
                };
                match self.effect(ctx, |_, ctx| io::wait_for(ctx, child)) {
                    Some(Reply::Number(status)) => Value::Number(f64::from(status)),
                    _ => Value::Unset,
                }
            }
            name => {
                ctx.complain(&format!("awk: {name}: not simulated by Peapod"));
                ctx.notice(&format!("not simulated: awk's {name}"));
                self.vars.exit = Some(2);
                Value::Unset
            }
        }
    }
}
