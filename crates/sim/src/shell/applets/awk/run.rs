//! `awk`: rules and statements.

use std::sync::Arc;

use super::Awk;
use super::io::Reply;
use super::tree::{Expr, Output, Pattern, Statement};
use super::value::{Value, format_values, in_order};
use crate::runtime::syscalls::Ctx;

/// Steps that one line may take.
const MAX_STEPS: u32 = 1_000_000;

/// Where control goes after a statement.
pub(super) enum Flow {
    Next,
    Break,
    Continue,
    NextRecord,
    Exit,
    Return(Value),
}

impl Awk {
    pub(super) fn run_rules(&mut self, ctx: &mut Ctx<'_>, out: &mut Vec<u8>, wanted: impl Fn(&Pattern) -> bool) {
        self.steps = 0;
        let program = Arc::clone(&self.program);
        for (index, rule) in program.rules.iter().enumerate() {
            if !wanted(&rule.pattern) {
                continue;
            }
            let selected = match &rule.pattern {
                Pattern::Begin | Pattern::End | Pattern::Always => true,
                Pattern::If(condition) => self.eval(ctx, condition, out).truth(),
                Pattern::Range(first, last) => {
                    let open = self.vars.ranges[index] || self.eval(ctx, first, out).truth();
                    if open {
                        self.vars.ranges[index] = !self.eval(ctx, last, out).truth();
                    }
                    open
                }
            };
            if !selected {
                continue;
            }
            let flow = match &rule.action {
                Some(action) => self.block(ctx, action, out),
                None => {
                    let record = self.record_text();
                    let end = self.text_of("ORS");
                    out.extend(record.bytes());
                    out.extend(end.bytes());
                    Flow::Next
                }
            };
            ctx.spend(2);
            match flow {
                Flow::Exit => return,
                Flow::NextRecord => return,
                _ => {}
            }
        }
    }

    pub(super) fn block(&mut self, ctx: &mut Ctx<'_>, statements: &[Statement], out: &mut Vec<u8>) -> Flow {
        for statement in statements {
            match self.statement(ctx, statement, out) {
                Flow::Next => {}
                flow => return flow,
            }
        }
        Flow::Next
    }

    pub(super) fn too_long(&mut self, ctx: &mut Ctx<'_>) -> bool {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            ctx.notice("awk: a program that loops without an end was given up");
            self.vars.exit = Some(2);
            return true;
        }
        false
    }

    fn statement(&mut self, ctx: &mut Ctx<'_>, statement: &Statement, out: &mut Vec<u8>) -> Flow {
        if self.too_long(ctx) {
            return Flow::Exit;
        }
        match statement {
            Statement::Expr(expr) => {
                self.eval(ctx, expr, out);
            }
            Statement::Print { items, to, formatted } => self.print(ctx, items, to.as_ref(), *formatted, out),
            Statement::If(condition, yes, no) => {
                return if self.eval(ctx, condition, out).truth() {
                    self.block(ctx, yes, out)
                } else {
                    self.block(ctx, no, out)
                };
            }
            Statement::While {
                condition,
                body,
                first_body,
            } => {
                let mut first = *first_body;
                while first || self.eval(ctx, condition, out).truth() {
                    first = false;
                    if self.too_long(ctx) {
                        return Flow::Exit;
                    }
                    match self.block(ctx, body, out) {
                        Flow::Break => break,
                        Flow::Next | Flow::Continue => {}
                        flow => return flow,
                    }
                }
            }
            Statement::For {
                start,
                condition,
                step,
                body,
            } => {
                if let Flow::Exit = self.block(ctx, start, out) {
                    return Flow::Exit;
                }
                while condition
                    .as_ref()
                    .is_none_or(|condition| self.eval(ctx, condition, out).truth())
                {
                    if self.too_long(ctx) {
                        return Flow::Exit;
                    }
                    match self.block(ctx, body, out) {
                        Flow::Break => break,
                        Flow::Next | Flow::Continue => {}
                        flow => return flow,
                    }
                    self.block(ctx, step, out);
                }
            }
            Statement::ForIn { name, array, body } => {
                let array = &self.array_name(array);
                let keys: Vec<Arc<str>> = self
                    .vars
                    .arrays
                    .get(array)
                    .map(|array| array.keys().cloned().collect())
                    .unwrap_or_default();
                for key in in_order(keys) {
                    self.set_variable(name, Value::Input(key));
                    match self.block(ctx, body, out) {
                        Flow::Break => break,
                        Flow::Next | Flow::Continue => {}
                        flow => return flow,
                    }
                }
            }
            Statement::Block(body) => return self.block(ctx, body, out),
            Statement::Next => return Flow::NextRecord,
            Statement::NextFile => {
                self.io.skip_file(ctx);
                return Flow::NextRecord;
            }
            Statement::Break => return Flow::Break,
            Statement::Continue => return Flow::Continue,
            Statement::Exit(code) => {
                let code = code
                    .as_ref()
                    .map_or(0, |code| self.eval(ctx, code, out).number() as i32);
                self.vars.exit = Some(code & 0xff);
                return Flow::Exit;
            }
            Statement::Return(value) => {
                let value = value.as_ref().map_or(Value::Unset, |value| self.eval(ctx, value, out));
                return Flow::Return(value);
            }
            Statement::Delete(array, keys) => {
                let array = self.array_name(array);
                match keys {
                    Some(keys) => {
                        let key = self.key(ctx, keys, out);
                        if let Some(array) = self.vars.arrays.get_mut(&array) {
                            array.remove(&key);
                        }
                    }
                    None => {
                        self.vars.arrays.remove(&array);
                    }
                }
            }
        }
        if self.vars.exit.is_some() {
            Flow::Exit
        } else {
            Flow::Next
        }
    }

    fn print(
        &mut self,
        ctx: &mut Ctx<'_>,
        items: &[Expr],
        to: Option<&(Output, Expr)>,
        formatted: bool,
        out: &mut Vec<u8>,
    ) {
        let text = if formatted {
            let values: Vec<Value> = items.iter().map(|item| self.eval(ctx, item, out)).collect();
            format_values(&values)
        } else {
            let mut text = String::new();
            if items.is_empty() {
                text.push_str(&self.record_text());
            }
            let separator = self.text_of("OFS");
            let format = self.text_of("OFMT");
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push_str(&separator);
                }
                let value = self.eval(ctx, item, out);
                text.push_str(&value.text_as(&format));
            }
            text.push_str(&self.text_of("ORS"));
            text
        };
        let target = to.map(|(how, target)| (*how, self.eval(ctx, target, out).text()));
        if self.vars.exit.is_some() {
            return;
        }
        match target {
            None => out.extend(text.bytes()),
            Some((Output::Write | Output::Append, path)) if &*path == "/dev/stdout" || &*path == "-" => {
                out.extend(text.bytes());
            }
            Some((how, path)) => {
                let written = self.effect(ctx, |io, ctx| io.print(ctx, how, &path, text.as_bytes()));
                if matches!(written, Some(Reply::Failed)) {
                    self.vars.exit = Some(2);
                }
            }
        }
    }
}
