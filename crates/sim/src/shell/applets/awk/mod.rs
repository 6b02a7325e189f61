//! `awk`: patterns, actions, fields, associative arrays, functions of its own and of the user, files and commands.
//!
//! The program is a tree (`tree`, read by `lexer` and `parser`) that is walked (`run`, `eval`, `functions`); a bound on the
//! steps of a record ends loops without an end.

mod eval;
mod functions;
mod io;
mod lexer;
mod parser;
mod run;
mod tree;
mod value;
mod variables;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use self::io::{Io, Reply};
use self::tree::{Pattern, Program};
use self::value::{Regexes, Value};
use super::options::Options;
use super::{Applet, run as begin};
use crate::runtime::kernel::{FileId, Wait};
use crate::runtime::syscalls::{Ctx, Step};
use crate::shell::machine::APPLET_MEMORY;

/// Bytes that are collected before they are written.
const BUFFER: usize = 32_768;

/// Bytes of new texts after which memory is counted, and bytes that a program may hold.
const MADE: usize = 16 << 20;
const MAX_HELD: usize = 128 << 20;

/// A program under way.
#[derive(Clone, Debug)]
pub(crate) struct Awk {
    program: Arc<Program>,
    vars: Vars,
    io: Io,
    regexes: Regexes,
    steps: u32,
    calls: u32,
    stage: Stage,
    /// What was printed and is not written yet.
    out: Vec<u8>,
    /// How much of what the present walk prints was written before it ended.
    flushed: usize,
    effects: Vec<Reply>,
    next_effect: usize,
    /// Bytes of texts that were made since memory was counted last, and bytes that it held then.
    made: usize,
    held: u64,
    blocked: Option<Wait>,
    /// The variables before the present walk.
    before: Option<Box<Vars>>,
    /// The record of the present walk.
    current: Option<Arc<str>>,
}

/// What a program can change without anybody outside seeing it.
#[derive(Clone, Debug)]
struct Vars {
    globals: BTreeMap<Arc<str>, Value>,
    arrays: BTreeMap<Arc<str>, BTreeMap<Arc<str>, Value>>,
    locals: Vec<BTreeMap<Arc<str>, Value>>,
    fields: Vec<Arc<str>>,
    record: Arc<str>,
    /// Whether fields were changed, so that `$0` has to be put together again.
    stale: bool,
    ranges: Vec<bool>,
    exit: Option<i32>,
    random: u64,
    seed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Begin,
    Records,
    End,
    Closing,
}

/// Starts `awk`.
pub(super) fn start(name: &str, arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Option<Step> {
    if !matches!(name, "awk" | "gawk" | "mawk") {
        return None;
    }
    Some(match Awk::new(arguments, ctx) {
        Ok(awk) => begin(Applet::Awk(Box::new(awk))),
        Err((code, message)) => {
            ctx.complain(&format!("{name}: {message}"));
            Step::Exit(code)
        }
    })
}

impl Awk {
    fn new(arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Result<Self, (i32, String)> {
        let mut options = Options::parse("+F:v:f:", &[], arguments).map_err(|message| (1, message))?;
        let mut text = String::new();
        for path in options.values('f') {
            let file = ctx.slurp(path).map_err(|error| (1, format!("{path}: {error}")))?;
            text.push_str(&String::from_utf8_lossy(&file));
            text.push('\n');
        }
        if !options.has('f') {
            if options.operands.is_empty() {
                return Err((1, "usage: awk [-F SEP] [-v VAR=VALUE] PROGRAM [FILE]...".to_owned()));
            }
            text = options.operands.remove(0).to_string();
        }
        let program = parser::parse(&text).map_err(|message| (1, format!("cmd. line:1: {message}")))?;
        let mut vars = Vars {
            ranges: vec![false; program.rules.len()],
            globals: BTreeMap::new(),
            arrays: BTreeMap::new(),
            locals: Vec::new(),
            fields: Vec::new(),
            record: "".into(),
            stale: false,
            exit: None,
            random: 1,
            seed: 1,
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
            vars.globals.insert(name.into(), Value::Text(value.into()));
        }
        for (name, value) in [("NR", 0.0), ("FNR", 0.0), ("NF", 0.0)] {
            vars.globals.insert(name.into(), Value::Number(value));
        }
        let env = Arc::clone(&ctx.proc().env);
        let environ = env
            .iter()
            .map(|(name, value)| (Arc::clone(name), Value::Input(Arc::clone(value))))
            .collect();
        vars.arrays.insert("ENVIRON".into(), environ);
        if let Some(separator) = options.value('F') {
            let separator = if separator == "t" {
                "\t".to_owned()
            } else {
                lexer::unescape(separator)
            };
            vars.globals.insert("FS".into(), Value::Text(separator.into()));
        }
        for assignment in options.values('v') {
            if !assignment.contains('=') {
                return Err((1, format!("bad assignment '{assignment}'")));
            }
            assign(&mut vars, assignment);
        }
        let operands: VecDeque<Arc<str>> = options.operands.into();
        let argv = std::iter::once(Arc::from("awk"))
            .chain(operands.iter().cloned())
            .enumerate();
        let argv: BTreeMap<Arc<str>, Value> = argv
            .map(|(index, word)| (index.to_string().into(), Value::Input(word)))
            .collect();
        vars.globals.insert("ARGC".into(), Value::Number(argv.len() as f64));
        vars.arrays.insert("ARGV".into(), argv);
        Ok(Self {
            program: Arc::new(program),
            vars,
            io: Io::new(operands),
            regexes: BTreeMap::new(),
            steps: 0,
            calls: 0,
            stage: Stage::Begin,
            out: Vec::new(),
            flushed: 0,
            effects: Vec::new(),
            next_effect: 0,
            made: 0,
            held: 0,
            blocked: None,
            before: None,
            current: None,
        })
    }

    /// Open files that it holds.
    pub(super) fn files(&self, files: &mut Vec<FileId>) {
        self.io.open_files(files);
    }

    /// Lets it run for a turn.
    pub(super) fn step(&mut self, ctx: &mut Ctx<'_>) -> Step {
        let step = self.turn(ctx);
        self.track_memory(ctx);
        step
    }

    fn turn(&mut self, ctx: &mut Ctx<'_>) -> Step {
        loop {
            if self.out.len() > BUFFER || ctx.steps == 0 {
                return self.write_out(ctx, Step::Yield);
            }
            match self.stage {
                Stage::Begin => {
                    if let Some(wait) = self.walk(ctx, |pattern| matches!(pattern, Pattern::Begin)) {
                        return self.write_out(ctx, Step::Wait(wait));
                    }
                    // A program of nothing but BEGIN reads no input.
                    let reads = |pattern: &Pattern| !matches!(pattern, Pattern::Begin);
                    let reads = self.program.rules.iter().any(|rule| reads(&rule.pattern));
                    self.stage = match (self.vars.exit, reads) {
                        (None, true) => Stage::Records,
                        (Some(_), true) => Stage::End,
                        _ => Stage::Closing,
                    };
                }
                Stage::Records => {
                    if self.current.is_none() {
                        let separator = self.text_of("RS");
                        match self.io.record(ctx, &separator) {
                            Ok(Reply::Line(line)) => {
                                self.current = Some(Arc::clone(&line));
                                self.count_record(true);
                                self.set_record(line);
                            }
                            Ok(_) => {
                                self.count_record(false);
                                self.stage = Stage::End;
                                continue;
                            }
                            Err(wait) => return self.write_out(ctx, Step::Wait(wait)),
                        }
                    }
                    ctx.spend(1);
                    let wait = self.walk(ctx, |pattern| !matches!(pattern, Pattern::Begin | Pattern::End));
                    if let Some(wait) = wait {
                        return self.write_out(ctx, Step::Wait(wait));
                    }
                    self.current = None;
                    if self.vars.exit.is_some() {
                        self.stage = Stage::End;
                    }
                }
                Stage::End => {
                    let before = self.vars.exit.take();
                    let wait = self.walk(ctx, |pattern| matches!(pattern, Pattern::End));
                    if wait.is_some() {
                        self.vars.exit = before;
                    }
                    if let Some(wait) = wait {
                        return self.write_out(ctx, Step::Wait(wait));
                    }
                    self.vars.exit = self.vars.exit.or(before);
                    self.stage = Stage::Closing;
                }
                Stage::Closing => {
                    if !self.out.is_empty() {
                        return self.write_out(ctx, Step::Yield);
                    }
                    if let Some(mut input) = self.io.input.take() {
                        input.stop(ctx);
                    }
                    if let Some(wait) = self.io.close_all(ctx) {
                        return Step::Wait(wait);
                    }
                    let failed = if self.io.failed { 1 } else { 0 };
                    return Step::Exit(self.vars.exit.unwrap_or(failed));
                }
            }
        }
    }

    fn write_out(&mut self, ctx: &mut Ctx<'_>, step: Step) -> Step {
        let out = std::mem::take(&mut self.out);
        match ctx.write(1, &out) {
            Err(crate::runtime::files::Errno::Pipe) => Step::Exit(1),
            _ if !ctx.proc().out.is_empty() => Step::Yield,
            _ => step,
        }
    }

    /// Counts the memory of all values when much was made; a program that holds too much is given up.
    fn count_memory(&mut self, ctx: &mut Ctx<'_>) {
        if self.made < MADE {
            return;
        }
        self.made = 0;
        let arrays = self.vars.arrays.values().flat_map(BTreeMap::values);
        let locals = self.vars.locals.iter().flat_map(BTreeMap::values);
        let values = self.vars.globals.values().chain(arrays).chain(locals);
        let held: usize = values.map(Value::bytes).sum::<usize>() + self.out.len();
        self.held = held as u64;
        self.track_memory(ctx);
        if held > MAX_HELD {
            ctx.notice(&format!(
                "awk: a program that holds more than {MAX_HELD} bytes was given up"
            ));
            self.vars.exit = Some(2);
        }
    }

    fn track_memory(&self, ctx: &mut Ctx<'_>) {
        ctx.track_memory(APPLET_MEMORY + self.held + self.io.waiting());
    }

    /// Walks the rules of a kind; what it waits for when it could not be done.
    fn walk(&mut self, ctx: &mut Ctx<'_>, wanted: impl Fn(&Pattern) -> bool) -> Option<Wait> {
        if self.program.waits && self.before.is_none() {
            self.before = Some(Box::new(self.vars.clone()));
            self.effects.clear();
            self.flushed = 0;
        }
        self.next_effect = 0;
        let mut out = Vec::new();
        self.run_rules(ctx, &mut out, wanted);
        if let Some(wait) = self.blocked.take() {
            if let Some(before) = &self.before {
                self.vars = (**before).clone();
            }
            self.calls = 0;
            return Some(wait);
        }
        self.before = None;
        self.effects.clear();
        let new = out.split_off(self.flushed.min(out.len()));
        self.flushed = 0;
        self.out.extend(new);
        None
    }

    /// Counts a record (`counts`), after what a new file and assignments among the operands change.
    fn count_record(&mut self, counts: bool) {
        for assignment in std::mem::take(&mut self.io.assignments) {
            assign(&mut self.vars, &assignment);
        }
        if let Some(name) = self.io.begun.take() {
            self.vars.globals.insert("FILENAME".into(), Value::Text(name));
            self.vars.globals.insert("FNR".into(), Value::Number(0.0));
        }
        if !counts {
            return;
        }
        for counter in ["NR", "FNR"] {
            let next = self.vars.globals.get(counter).map_or(0.0, Value::number) + 1.0;
            self.vars.globals.insert(counter.into(), Value::Number(next));
        }
    }
}

/// `name=value` from the command line.
fn assign(vars: &mut Vars, assignment: &str) {
    if let Some((name, value)) = assignment.split_once('=') {
        vars.globals
            .insert(name.into(), Value::Input(lexer::unescape(value).into()));
    }
}
