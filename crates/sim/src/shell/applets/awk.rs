//! `awk`: patterns, actions, fields, associative arrays, functions of its own and of the user.
//!
//! The program is a tree that is walked; a bound on steps a line ends loops without an end.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::awk_parser::{self, Assign, Binary, Expr, Pattern, Program, Statement};
use super::options::Options;
use crate::runtime::syscalls::{Ctx, Open};
use crate::shell::regex::Regex;

/// Steps that one line may take.
const MAX_STEPS: u32 = 1_000_000;
/// Calls within one another.
const MAX_CALLS: u32 = 60;
/// Bytes that one value may have.
const MAX_TEXT: usize = 4 << 20;

/// A value: text, a number, or input that is a number if it looks like one.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Number(f64),
    Text(Arc<str>),
    Input(Arc<str>),
    Unset,
}

/// A program under way.
#[derive(Clone, Debug)]
pub(super) struct Awk {
    program: Arc<Program>,
    globals: BTreeMap<Arc<str>, Value>,
    arrays: BTreeMap<Arc<str>, BTreeMap<Arc<str>, Value>>,
    locals: Vec<BTreeMap<Arc<str>, Value>>,
    fields: Vec<Arc<str>>,
    record: Arc<str>,
    /// Whether fields were changed, so that `$0` has to be put together again.
    stale: bool,
    ranges: Vec<bool>,
    files: BTreeMap<Arc<str>, u32>,
    began: bool,
    exit: Option<i32>,
    steps: u32,
    calls: u32,
    regexes: BTreeMap<Arc<str>, Option<Arc<Regex>>>,
    random: u64,
}

/// Where control goes after a statement.
enum Flow {
    Next,
    Break,
    Continue,
    NextRecord,
    Exit,
    Return(Value),
}

impl Awk {
    /// A program for these arguments, and the files that it reads.
    pub fn new(arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Result<(Vec<Arc<str>>, Self), (i32, String)> {
        let mut options = Options::parse("+F:v:f:", &[], arguments).map_err(|message| (2, message))?;
        let mut text = String::new();
        for path in options.values('f') {
            let file = ctx.slurp(path).map_err(|error| (2, format!("{path}: {error}")))?;
            text.push_str(&String::from_utf8_lossy(&file));
            text.push('\n');
        }
        if !options.has('f') {
            if options.operands.is_empty() {
                return Err((1, "usage: awk [-F SEP] [-v VAR=VALUE] PROGRAM [FILE]...".to_owned()));
            }
            text = options.operands.remove(0).to_string();
        }
        let program = awk_parser::parse(&text).map_err(|message| (2, format!("cmd. line: {message}")))?;
        let mut awk = Self {
            ranges: vec![false; program.rules.len()],
            program: Arc::new(program),
            globals: BTreeMap::new(),
            arrays: BTreeMap::new(),
            locals: Vec::new(),
            fields: Vec::new(),
            record: "".into(),
            stale: false,
            files: BTreeMap::new(),
            began: false,
            exit: None,
            steps: 0,
            calls: 0,
            regexes: BTreeMap::new(),
            random: 1,
        };
        for (name, value) in [
            ("FS", " "),
            ("OFS", " "),
            ("ORS", "\n"),
            ("RS", "\n"),
            ("SUBSEP", "\x1c"),
            ("CONVFMT", "%.6g"),
            ("OFMT", "%.6g"),
        ] {
            awk.globals.insert(name.into(), Value::Text(value.into()));
        }
        for (name, value) in [("NR", 0.0), ("FNR", 0.0), ("NF", 0.0)] {
            awk.globals.insert(name.into(), Value::Number(value));
        }
        let env = Arc::clone(&ctx.proc().env);
        let environ = env
            .iter()
            .map(|(name, value)| (Arc::clone(name), Value::Input(Arc::clone(value))))
            .collect();
        awk.arrays.insert("ENVIRON".into(), environ);
        if let Some(separator) = options.value('F') {
            let separator = if separator == "t" {
                "\t".to_owned()
            } else {
                awk_parser::unescape(separator)
            };
            awk.globals.insert("FS".into(), Value::Text(separator.into()));
        }
        for assignment in options.values('v') {
            let (name, value) = assignment
                .split_once('=')
                .ok_or((2, format!("bad assignment '{assignment}'")))?;
            awk.globals
                .insert(name.into(), Value::Input(awk_parser::unescape(value).into()));
        }
        let files: Vec<Arc<str>> = std::mem::take(&mut options.operands);
        let argv = std::iter::once(Arc::from("awk"))
            .chain(files.iter().cloned())
            .enumerate();
        let argv: BTreeMap<Arc<str>, Value> = argv
            .map(|(index, word)| (index.to_string().into(), Value::Input(word)))
            .collect();
        awk.globals.insert("ARGC".into(), Value::Number(argv.len() as f64));
        awk.arrays.insert("ARGV".into(), argv);
        // A program of nothing but BEGIN reads no input.
        let reads = awk
            .program
            .rules
            .iter()
            .any(|rule| !matches!(rule.pattern, Pattern::Begin));
        let files = if reads { files } else { vec!["/dev/null".into()] };
        Ok((
            files
                .into_iter()
                .filter(|file| !file.contains('=') || file.contains('/'))
                .collect(),
            awk,
        ))
    }

    /// `BEGIN`; true when the program ends there.
    pub fn begin(&mut self, ctx: &mut Ctx<'_>, out: &mut Vec<u8>) -> bool {
        if !std::mem::replace(&mut self.began, true) {
            self.run_rules(ctx, out, |pattern| matches!(pattern, Pattern::Begin));
        }
        self.exit.is_some()
    }

    /// Takes a line; true when no more is wanted.
    pub fn line(&mut self, ctx: &mut Ctx<'_>, line: &str, name: &str, out: &mut Vec<u8>) -> bool {
        self.set_record(line.into());
        let bump = |value: Option<&Value>| Value::Number(value.map_or(0.0, Value::number) + 1.0);
        for counter in ["NR", "FNR"] {
            let next = bump(self.globals.get(counter));
            self.globals.insert(counter.into(), next);
        }
        self.globals.insert(
            "FILENAME".into(),
            Value::Text(if name == "-" { "".into() } else { name.into() }),
        );
        self.run_rules(ctx, out, |pattern| !matches!(pattern, Pattern::Begin | Pattern::End));
        self.exit.is_some()
    }

    /// The end of one file.
    pub fn file_end(&mut self) {
        self.globals.insert("FNR".into(), Value::Number(0.0));
    }

    /// `END`; the exit code.
    pub fn end(&mut self, ctx: &mut Ctx<'_>, out: &mut Vec<u8>) -> i32 {
        let before = self.exit.take();
        if before.is_none()
            || self
                .program
                .rules
                .iter()
                .any(|rule| matches!(rule.pattern, Pattern::End))
        {
            self.run_rules(ctx, out, |pattern| matches!(pattern, Pattern::End));
        }
        for file in std::mem::take(&mut self.files).into_values() {
            ctx.kernel.release(file);
        }
        self.exit.or(before).unwrap_or(0)
    }

    fn run_rules(&mut self, ctx: &mut Ctx<'_>, out: &mut Vec<u8>, wanted: impl Fn(&Pattern) -> bool) {
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
                    let open = self.ranges[index] || self.eval(ctx, first, out).truth();
                    if open {
                        self.ranges[index] = !self.eval(ctx, last, out).truth();
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

    fn block(&mut self, ctx: &mut Ctx<'_>, statements: &[Statement], out: &mut Vec<u8>) -> Flow {
        for statement in statements {
            match self.statement(ctx, statement, out) {
                Flow::Next => {}
                flow => return flow,
            }
        }
        Flow::Next
    }

    fn too_long(&mut self, ctx: &mut Ctx<'_>) -> bool {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            ctx.notice("awk: a program that loops without an end was given up");
            self.exit = Some(2);
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
                let keys: Vec<Arc<str>> = self
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
            Statement::Break => return Flow::Break,
            Statement::Continue => return Flow::Continue,
            Statement::Exit(code) => {
                let code = code
                    .as_ref()
                    .map_or(0, |code| self.eval(ctx, code, out).number() as i32);
                self.exit = Some(code & 0xff);
                return Flow::Exit;
            }
            Statement::Return(value) => {
                let value = value.as_ref().map_or(Value::Unset, |value| self.eval(ctx, value, out));
                return Flow::Return(value);
            }
            Statement::Delete(array, keys) => match keys {
                Some(keys) => {
                    let key = self.key(ctx, keys, out);
                    if let Some(array) = self.arrays.get_mut(array) {
                        array.remove(&key);
                    }
                }
                None => {
                    self.arrays.remove(array);
                }
            },
        }
        if self.exit.is_some() { Flow::Exit } else { Flow::Next }
    }

    fn print(
        &mut self,
        ctx: &mut Ctx<'_>,
        items: &[Expr],
        to: Option<&(bool, Expr)>,
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
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push_str(&separator);
                }
                let value = self.eval(ctx, item, out);
                text.push_str(&value.text());
            }
            text.push_str(&self.text_of("ORS"));
            text
        };
        let Some((append, target)) = to else {
            out.extend(text.bytes());
            return;
        };
        let path = self.eval(ctx, target, out).text();
        let file = match self.files.get(&path) {
            Some(file) => Some(*file),
            None => {
                let opened = ctx.open(&path, if *append { Open::APPEND } else { Open::WRITE });
                match opened {
                    Ok(file) => {
                        ctx.kernel.retain(file);
                        self.files.insert(path, file);
                        Some(file)
                    }
                    Err(error) => {
                        ctx.complain(&format!("awk: {path}: {error}"));
                        self.exit = Some(2);
                        None
                    }
                }
            }
        };
        if let Some(file) = file {
            let user = ctx.proc().user;
            let _ = ctx.kernel.write(file, text.as_bytes(), &mut *ctx.host, user);
        }
    }

    // Variables and fields.

    fn text_of(&self, name: &str) -> Arc<str> {
        self.globals.get(name).map_or_else(|| "".into(), Value::text)
    }

    fn variable(&self, name: &str) -> Value {
        if let Some(local) = self.locals.last().and_then(|locals| locals.get(name)) {
            return local.clone();
        }
        self.globals.get(name).cloned().unwrap_or(Value::Unset)
    }

    fn set_variable(&mut self, name: &str, value: Value) {
        if let Some(local) = self.locals.last_mut().and_then(|locals| locals.get_mut(name)) {
            *local = value;
            return;
        }
        if name == "NF" {
            let count = (value.number().max(0.0) as usize).min(10_000);
            self.fields.resize(count, "".into());
            self.stale = true;
        }
        self.globals.insert(name.into(), value);
    }

    fn set_record(&mut self, record: Arc<str>) {
        let separator = self.text_of("FS");
        self.fields = split(&record, &separator, &mut self.regexes);
        self.record = record;
        self.stale = false;
        self.globals
            .insert("NF".into(), Value::Number(self.fields.len() as f64));
    }

    fn record_text(&mut self) -> Arc<str> {
        if std::mem::take(&mut self.stale) {
            let separator = self.text_of("OFS");
            self.record = self
                .fields
                .iter()
                .map(AsRef::as_ref)
                .collect::<Vec<_>>()
                .join(&separator)
                .into();
        }
        Arc::clone(&self.record)
    }

    fn field(&mut self, index: f64) -> Value {
        if index < 1.0 {
            return Value::Input(self.record_text());
        }
        self.fields
            .get(index as usize - 1)
            .map_or(Value::Unset, |field| Value::Input(Arc::clone(field)))
    }

    fn set_field(&mut self, index: f64, value: &Value) {
        if index < 1.0 {
            self.set_record(value.text());
            return;
        }
        let index = (index as usize).min(10_000);
        if self.fields.len() < index {
            self.fields.resize(index, "".into());
            self.globals.insert("NF".into(), Value::Number(index as f64));
        }
        self.fields[index - 1] = value.text();
        self.stale = true;
    }

    fn key(&mut self, ctx: &mut Ctx<'_>, keys: &[Expr], out: &mut Vec<u8>) -> Arc<str> {
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

    fn store(&mut self, ctx: &mut Ctx<'_>, target: &Expr, value: Value, out: &mut Vec<u8>) -> Value {
        match target {
            Expr::Variable(name) => self.set_variable(name, value.clone()),
            Expr::Field(index) => {
                let index = self.eval(ctx, index, out).number();
                self.set_field(index, &value);
            }
            Expr::Index(array, keys) => {
                let key = self.key(ctx, keys, out);
                self.arrays
                    .entry(Arc::clone(array))
                    .or_default()
                    .insert(key, value.clone());
            }
            _ => {}
        }
        value
    }

    fn regex(&mut self, text: &str) -> Option<Arc<Regex>> {
        cached_regex(&mut self.regexes, text)
    }

    /// A pattern operand: a regular expression as it is written, or the value of an expression.
    fn pattern(&mut self, ctx: &mut Ctx<'_>, expr: &Expr, out: &mut Vec<u8>) -> Option<Arc<Regex>> {
        let text = match expr {
            Expr::Regex(text) => Arc::clone(text),
            expr => self.eval(ctx, expr, out).text(),
        };
        self.regex(&text)
    }

    fn eval(&mut self, ctx: &mut Ctx<'_>, expr: &Expr, out: &mut Vec<u8>) -> Value {
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
                let array = self.arrays.entry(Arc::clone(array)).or_default();
                array.entry(key).or_insert(Value::Unset).clone()
            }
            Expr::In(keys, array) => {
                let key = self.key(ctx, keys, out);
                let there = self.arrays.get(array).is_some_and(|array| array.contains_key(&key));
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
                    self.exit = Some(2);
                    return Value::Unset;
                }
                Value::Text(text.into())
            }
            Expr::Call(name, arguments) => self.call(ctx, name, arguments, out),
        }
    }

    fn call(&mut self, ctx: &mut Ctx<'_>, name: &str, arguments: &[Expr], out: &mut Vec<u8>) -> Value {
        let program = Arc::clone(&self.program);
        if let Some(function) = program.functions.get(name) {
            if self.calls >= MAX_CALLS {
                ctx.complain("awk: calls nest too deep");
                self.exit = Some(2);
                return Value::Unset;
            }
            let mut locals = BTreeMap::new();
            for (index, parameter) in function.parameters.iter().enumerate() {
                let value = arguments
                    .get(index)
                    .map_or(Value::Unset, |argument| self.eval(ctx, argument, out));
                locals.insert(Arc::clone(parameter), value);
            }
            self.calls += 1;
            self.locals.push(locals);
            let flow = self.block(ctx, &function.body, out);
            self.locals.pop();
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
                    && let Some(array) = self.arrays.get(array)
                {
                    return Value::Number(array.len() as f64);
                }
                Value::Number(text_at(self, ctx, 0, out).chars().count() as f64)
            }
            "substr" => {
                let text: Vec<char> = text_at(self, ctx, 0, out).chars().collect();
                let start = number_at(self, ctx, 1, out).round();
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
                    let array = self.arrays.entry(Arc::clone(array)).or_default();
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
                self.globals.insert("RSTART".into(), Value::Number(start));
                self.globals.insert("RLENGTH".into(), Value::Number(length));
                Value::Number(start)
            }
            "sprintf" => {
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
            "rand" => Value::Number(ctx.host.random(1 << 31) as f64 / f64::from(1u32 << 31)),
            "srand" => {
                let old = self.random;
                self.random = number_at(self, ctx, 0, out) as u64;
                Value::Number(old as f64)
            }
            "systime" => Value::Number(ctx.wall_now().as_second() as f64),
            "fflush" | "close" => Value::Number(0.0),
            name => {
                ctx.complain(&format!("awk: {name}: not simulated by Peapod"));
                ctx.notice(&format!("not simulated: awk's {name}"));
                self.exit = Some(2);
                Value::Unset
            }
        }
    }
}

fn arithmetic(operator: Binary, left: f64, right: f64) -> f64 {
    match operator {
        Binary::Add => left + right,
        Binary::Subtract => left - right,
        Binary::Multiply => left * right,
        Binary::Divide => left / right,
        Binary::Remainder => left % right,
        _ => left.powf(right),
    }
}

fn cached_regex(regexes: &mut BTreeMap<Arc<str>, Option<Arc<Regex>>>, text: &str) -> Option<Arc<Regex>> {
    if let Some(regex) = regexes.get(text) {
        return regex.clone();
    }
    if regexes.len() > 200 {
        regexes.clear();
    }
    let regex = Regex::new(text, true).ok().map(Arc::new);
    regexes.insert(text.into(), regex.clone());
    regex
}

/// Fields of a record: blanks for a single space, one character as it is, else a regular expression.
fn split(text: &str, separator: &str, regexes: &mut BTreeMap<Arc<str>, Option<Arc<Regex>>>) -> Vec<Arc<str>> {
    if separator == " " {
        return text.split_whitespace().map(Arc::from).collect();
    }
    if text.is_empty() {
        return Vec::new();
    }
    if separator.is_empty() {
        return text.chars().map(|c| c.to_string().into()).collect();
    }
    if separator.chars().count() == 1 || separator == "\\|" {
        return text.split(separator.trim_start_matches('\\')).map(Arc::from).collect();
    }
    let Some(regex) = cached_regex(regexes, separator) else {
        return vec![text.into()];
    };
    let mut fields = Vec::new();
    let mut at = 0;
    while let Some((from, to)) = regex
        .find(text, at)
        .and_then(|captures| captures[0])
        .filter(|(from, to)| to > from)
    {
        fields.push(text[at..from].into());
        at = to;
    }
    fields.push(text[at..].into());
    fields
}

fn substitute(regex: &Regex, text: &str, with: &str, all: bool) -> (String, u32) {
    let mut result = String::new();
    let (mut at, mut copied, mut count) = (0, 0, 0);
    while at <= text.len() {
        let Some((from, to)) = regex.find(text, at).and_then(|captures| captures[0]) else {
            break;
        };
        result.push_str(&text[copied..from]);
        let mut chars = with.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '&' => result.push_str(&text[from..to]),
                '\\' if matches!(chars.peek(), Some('&' | '\\')) => result.extend(chars.next()),
                c => result.push(c),
            }
        }
        count += 1;
        copied = to;
        if !all || result.len() > MAX_TEXT {
            break;
        }
        at = if to > from {
            to
        } else {
            match text[to..].chars().next() {
                Some(c) => to + c.len_utf8(),
                None => break,
            }
        };
    }
    result.push_str(&text[copied..]);
    (result, count)
}

fn format_values(values: &[Value]) -> String {
    let Some((format, rest)) = values.split_first() else {
        return String::new();
    };
    // Numbers are formatted as C would: %d takes the whole part.
    let format = format.text();
    let mut words: Vec<Arc<str>> = Vec::new();
    let mut conversions = format.chars().peekable();
    let mut rest = rest.iter();
    let mut once = String::new();
    while let Some(c) = conversions.next() {
        once.push(c);
        if c != '%' {
            continue;
        }
        if conversions.peek() == Some(&'%') {
            once.extend(conversions.next());
            continue;
        }
        while let Some(flag) = conversions.next_if(|c| "-+ #0123456789.*".contains(*c)) {
            if flag == '*' {
                words.push(format!("{}", rest.next().map_or(0.0, Value::number) as i64).into());
            }
            once.push(flag);
        }
        let Some(letter) = conversions.next() else { break };
        once.push(letter);
        let value = rest.next().cloned().unwrap_or(Value::Unset);
        words.push(match letter {
            'd' | 'i' | 'o' | 'x' | 'X' | 'u' => format!("{}", value.number().trunc() as i64).into(),
            'c' => match &value {
                Value::Number(number) => char::from_u32(*number as u32).unwrap_or('?').to_string().into(),
                value => value.text(),
            },
            'f' | 'F' | 'e' | 'E' | 'g' | 'G' => format!("{}", value.number()).into(),
            _ => value.text(),
        });
    }
    // printf repeats its format while values are left; awk does not.
    let bytes = if words.is_empty() {
        crate::shell::printing::printf(&once, &[]).bytes
    } else {
        crate::shell::printing::printf(&once, &words).bytes
    };
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Keys in the order of numbers, then of texts: real awks leave the order open.
fn in_order(mut keys: Vec<Arc<str>>) -> Vec<Arc<str>> {
    keys.sort_by(|left, right| match (left.parse::<f64>(), right.parse::<f64>()) {
        (Ok(left), Ok(right)) => left.total_cmp(&right),
        (Ok(_), Err(_)) => std::cmp::Ordering::Less,
        (Err(_), Ok(_)) => std::cmp::Ordering::Greater,
        _ => left.cmp(right),
    });
    keys
}

impl Value {
    /// The number at the beginning of a text.
    pub fn number(&self) -> f64 {
        match self {
            Self::Number(number) => *number,
            Self::Unset => 0.0,
            Self::Text(text) | Self::Input(text) => leading_number(text).0,
        }
    }

    pub fn text(&self) -> Arc<str> {
        match self {
            Self::Text(text) | Self::Input(text) => Arc::clone(text),
            Self::Unset => "".into(),
            Self::Number(number) => {
                if number.fract() == 0.0 && number.abs() < 1e16 {
                    format!("{}", *number as i64).into()
                } else {
                    let sign = if *number < 0.0 { "-" } else { "" };
                    format!("{sign}{}", crate::shell::printing::float(number.abs(), b'g', 6)).into()
                }
            }
        }
    }

    fn is_numeric(&self) -> bool {
        match self {
            Self::Number(_) | Self::Unset => true,
            Self::Text(_) => false,
            Self::Input(text) => {
                let trimmed = text.trim();
                !trimmed.is_empty() && leading_number(trimmed).1 == trimmed.len()
            }
        }
    }

    pub fn truth(&self) -> bool {
        match self {
            Self::Text(text) => !text.is_empty(),
            Self::Input(text) if !self.is_numeric() => !text.is_empty(),
            value => value.number() != 0.0,
        }
    }

    fn compare(&self, other: &Self) -> std::cmp::Ordering {
        if self.is_numeric() && other.is_numeric() {
            return self
                .number()
                .partial_cmp(&other.number())
                .unwrap_or(std::cmp::Ordering::Less);
        }
        self.text().cmp(&other.text())
    }
}

/// The number at the beginning of a text, and where it ends.
fn leading_number(text: &str) -> (f64, usize) {
    let skipped = text.len() - text.trim_start().len();
    let bytes = text.as_bytes();
    let mut at = skipped;
    let digits = |at: &mut usize| {
        let start = *at;
        while bytes.get(*at).is_some_and(u8::is_ascii_digit) {
            *at += 1;
        }
        *at > start
    };
    if matches!(bytes.get(at), Some(b'+' | b'-')) {
        at += 1;
    }
    let mut any = digits(&mut at);
    if bytes.get(at) == Some(&b'.') {
        let mut after = at + 1;
        any |= digits(&mut after);
        if any {
            at = after;
        }
    }
    if !any {
        return (0.0, 0);
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let mut exponent = at + 1;
        if matches!(bytes.get(exponent), Some(b'+' | b'-')) {
            exponent += 1;
        }
        if digits(&mut exponent) {
            at = exponent;
        }
    }
    (text[skipped..at].parse().unwrap_or(0.0), at)
}
