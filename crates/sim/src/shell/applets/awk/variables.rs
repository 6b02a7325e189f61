//! `awk`: variables, fields, arrays.

use std::sync::Arc;

use super::Awk;
use super::tree::Expr;
use super::value::{Value, split};
use crate::runtime::syscalls::Ctx;

impl Awk {
    pub(super) fn text_of(&self, name: &str) -> Arc<str> {
        self.vars.globals.get(name).map_or_else(|| "".into(), Value::text)
    }

    pub(super) fn variable(&self, name: &str) -> Value {
        if let Some(local) = self.vars.locals.last().and_then(|locals| locals.get(name)) {
            return local.clone();
        }
        self.vars.globals.get(name).cloned().unwrap_or(Value::Unset)
    }

    pub(super) fn set_variable(&mut self, name: &str, value: Value) {
        if let Some(local) = self.vars.locals.last_mut().and_then(|locals| locals.get_mut(name)) {
            *local = value;
            return;
        }
        if name == "NF" {
            let count = (value.number().max(0.0) as usize).min(10_000);
            self.vars.fields.resize(count, "".into());
            self.vars.stale = true;
        }
        self.vars.globals.insert(name.into(), value);
    }

    /// The array that a name means: a parameter may stand for one of the caller's.
    pub(super) fn array_name(&self, name: &Arc<str>) -> Arc<str> {
        match self.vars.locals.last().and_then(|locals| locals.get(name)) {
            None => Arc::clone(name),
            Some(Value::Maybe(real)) => Arc::clone(real),
            Some(_) => format!("\u{1}{}\u{1}{name}", self.vars.locals.len()).into(),
        }
    }

    pub(super) fn set_record(&mut self, record: Arc<str>) {
        let separator = self.text_of("FS");
        self.vars.fields = split(&record, &separator, &mut self.regexes);
        self.vars.record = record;
        self.vars.stale = false;
        self.vars
            .globals
            .insert("NF".into(), Value::Number(self.vars.fields.len() as f64));
    }

    pub(super) fn record_text(&mut self) -> Arc<str> {
        if std::mem::take(&mut self.vars.stale) {
            let separator = self.text_of("OFS");
            self.vars.record = self
                .vars
                .fields
                .iter()
                .map(AsRef::as_ref)
                .collect::<Vec<_>>()
                .join(&separator)
                .into();
        }
        Arc::clone(&self.vars.record)
    }

    pub(super) fn field(&mut self, index: f64) -> Value {
        if index < 1.0 {
            return Value::Input(self.record_text());
        }
        self.vars
            .fields
            .get(index as usize - 1)
            .map_or(Value::Unset, |field| Value::Input(Arc::clone(field)))
    }

    pub(super) fn set_field(&mut self, index: f64, value: &Value) {
        if index < 1.0 {
            self.set_record(value.text());
            return;
        }
        let index = (index as usize).min(10_000);
        if self.vars.fields.len() < index {
            self.vars.fields.resize(index, "".into());
            self.vars.globals.insert("NF".into(), Value::Number(index as f64));
        }
        self.vars.fields[index - 1] = value.text();
        self.vars.stale = true;
    }

    pub(super) fn key(&mut self, ctx: &mut Ctx<'_>, keys: &[Expr], out: &mut Vec<u8>) -> Arc<str> {
        let texts: Vec<Arc<str>> = keys.iter().map(|key| self.eval(ctx, key, out).text()).collect();
        if let [text] = texts.as_slice() {
            return Arc::clone(text);
        }
        texts
            .iter()
            .map(AsRef::as_ref)
            .collect::<Vec<_>>()
            .join(&self.text_of("SUBSEP"))
            .into()
    }

    pub(super) fn store(&mut self, ctx: &mut Ctx<'_>, target: &Expr, value: Value, out: &mut Vec<u8>) -> Value {
        match target {
            Expr::Variable(name) => self.set_variable(name, value.clone()),
            Expr::Field(index) => {
                let index = self.eval(ctx, index, out).number();
                self.set_field(index, &value);
            }
            Expr::Index(array, keys) => {
                let key = self.key(ctx, keys, out);
                let array = &self.array_name(array);
                self.made += 64 + value.bytes();
                self.count_memory(ctx);
                self.vars
                    .arrays
                    .entry(Arc::clone(array))
                    .or_default()
                    .insert(key, value.clone());
            }
            _ => {}
        }
        value
    }
}
